/* vsim_freq - simulated sites as a release of frequencies has them, and calls to look up in them
 *
 * Each base of a reference may begin alleles: a quarter of an allele a base, as in gnomAD, so that several at one position are
 * common.  Counts follow a power law (a third are singletons, 2 % of the alleles are common), the number of
 * chromosomes is even and changes smoothly along the genome, frequencies are printed by the release's rule.  Every allele
 * is minimal and left-aligned.
 *
 * Queries are drawn from the same alleles, which are made again, so that what a look-up should find is known.
 */
#ifndef OVX_VSIM_FREQ_H
#define OVX_VSIM_FREQ_H

#include <stdint.h>
#include "base/err.h"
#include "base/rng.h"
#include "base/str.h"
#include "var/fasta.h"
#include "var/fval.h"

enum { VSIM_GROUPS = 10, VSIM_MOST = 8, VSIM_LONG = 600 };

/* An allele with its counts; [0] of each is the whole, the others are the groups. */
struct vsim_allele {
	int64_t pos;                    /* 1-based */
	int n_ref, n_alt;
	char ref[VSIM_LONG], alt[VSIM_LONG];
	int64_t ac[VSIM_GROUPS + 1], an[VSIM_GROUPS + 1], hom[VSIM_GROUPS + 1];
	int grpmax;                     /* 1.. ; 0 = none */
	int64_t faf;                    /* in units of 10^-8; -1 = missing */
	int filter;                     /* index into vsim_filters */
};
extern const char *const vsim_filters[];

struct vsim_freq {
	/* set by the caller */
	struct fasta *ref;
	uint64_t seed;
	double density;                 /* alleles a base, 0.001 .. 1 */
	int groups;                     /* groups whose counts are written, 0 .. 10 */
	int old;                        /* as gnomAD v2.1 writes, else as v4 */
	/* as it goes */
	struct fasta_view *view;
	int contig;
	int64_t block, at;              /* block of bases, and the next base in it, whose alleles are to be made */
	struct rng rng;
	char *base;                     /* the block's bases and what follows, upper case */
	int64_t n_base;
	struct vsim_allele *here;       /* alleles of one position, in order */
	int n_here;
	int64_t pos;                    /* where they begin, 1-based */
};

/* The next position that has alleles: here[0 .. n_here) of contig at pos.  0 at the end or with e set. */
int vsim_freq_next(struct vsim_freq *v, struct err *e);
void vsim_freq_header(const struct vsim_freq *v, struct str *out);
/* A record, with newline. */
void vsim_freq_line(const struct vsim_freq *v, const struct vsim_allele *a, struct str *out);
void vsim_freq_close(struct vsim_freq *v);

enum vsim_set { VSIM_SPARSE, VSIM_DENSE, VSIM_SHUFFLED, VSIM_RESPELT, VSIM_MULTI, VSIM_ABSENT };

/* A query: its record, and what there is for each of its ALTs. */
struct vsim_query {
	int contig;
	int64_t pos, base;              /* as it is written, and where its alleles begin in normal form; 1-based */
	struct str line, truth;         /* with newlines; truth has one line for each ALT */
};
void vsim_query_header(const struct vsim_freq *v, enum vsim_set set, struct str *out);
/* The columns of truth: ID, number of the ALT, CHROM, POS, REF, ALT in normal form, status, values. */
void vsim_truth_header(const struct vsim_freq *v, struct str *out);
/* The next query, in order of base; pos is at least base - 2, and within 600 of it.  number: how many there were. */
int vsim_query_next(struct vsim_freq *v, enum vsim_set set, int64_t number, struct vsim_query *q, struct err *e);

#endif
