/* vsim - simulated references and calls of known normal form
 *
 * A reference is random bases with microsatellites, tandem repeats, lower case and runs of N, made in blocks
 * that do not depend on each other.  Calls are drawn along a reference; each is put into its normal form by
 * var/norm, and a share of them is then spelt in another way: rolled to the right in its repeat, and padded with
 * reference bases.  So what a normaliser should give back is known.
 */
#ifndef OVX_VSIM_H
#define OVX_VSIM_H

#include <stdint.h>
#include "base/err.h"
#include "base/rng.h"
#include "base/str.h"
#include "var/fasta.h"
#include "var/norm.h"

#define VSIM_BLOCK 65536        /* bases made at once */

/* Bases [block * VSIM_BLOCK, + n) of a contig of this length; n <= VSIM_BLOCK.  out: n bytes. */
void vsim_bases(uint64_t seed, int contig, int64_t length, int64_t block, int64_t n, char *out);

enum vsim_type { VSIM_WGS, VSIM_CLINVAR, VSIM_SITES, VSIM_COHORT };

struct vsim {
	struct fasta *ref;
	enum vsim_type type;
	uint64_t seed;
	double moved;           /* share of the records that can be respelt which are */
	double gap;             /* mean bases from one to the next */
	int samples;
	/* as it goes */
	struct fasta_view *view;
	struct norm norm;
	int contig;
	int64_t pos;            /* where the next may begin, 0-based */
	int64_t number;         /* of the record */
	int64_t snv, indel, multi, other, respelt;
};

/* A record: its normal form, and as it is written. */
struct vsim_rec {
	int contig;
	int64_t pos, truth_pos; /* 1-based */
	struct str line, truth; /* with newline */
};

/* The header of the type, from ##fileformat to #CHROM. */
void vsim_header(const struct vsim *v, struct str *out);
/* The next record, in order of truth_pos; pos may run ahead of it, and is behind it by at most 2.  0 at the end of the reference
 * or with e set. */
int vsim_next(struct vsim *v, struct vsim_rec *r, struct err *e);
void vsim_close(struct vsim *v);

#endif
