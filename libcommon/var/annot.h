/* annot - frequencies for the records of a chunk: which alleles are asked for, what was found, and how it is written
 *
 * Each ALT of a record is asked for in its minimal form, upper case, left-aligned if there is a reference to do that by; the record
 * itself stays as it is.  What is found becomes INFO tags PREFIX_NAME, one value an ALT, and PREFIX_status, which says for each ALT
 * why it has none.  annot_text works on VCF lines, annot_bcf on BCF records; both are a look() of flow.h.
 *
 * A chunk is passed over twice.  The first pass finds lines and alleles; then all positions of a contig are known, and
 * whoever answers may fetch what they need; the second asks, and builds the chunk anew in a buffer
 * that is swapped in.
 */
#ifndef OVX_ANNOT_H
#define OVX_ANNOT_H

#include "base/err.h"
#include "base/expr.h"
#include "var/chunk.h"
#include "var/fasta.h"
#include "var/flow.h"
#include "var/freq.h"
#include "var/hts.h"
#include "var/region.h"

/* A tag that is written. */
struct annot_tag {
	char *key;                      /* ";PREFIX_NAME=", with room behind to be copied in one piece */
	size_t n_key;
	int db, col;
	uint8_t type;                   /* enum ftype */
	uint8_t list;                   /* Number=. */
	int id;                         /* BCF: its number in the header */
};

struct annot_db {
	struct freq *freq;
	char *prefix;
	size_t n_prefix;                /* annot_init's, as all below */
	int tag, n_tag;                 /* its columns' tags: a->tag[tag .. tag + n_tag) */
	int filter;                     /* the tag of FILTER, -1 = none */
	struct map contigs;             /* freq's, by name */
	struct alias *alias;            /* and by other names */
	int *col;                       /* [n_tag] the columns, for freq.values */
	struct freq_tag *print;         /* [n_tag] for freq.print */
	struct annot_tag status, query, site;
};

/* --max-af: a tag's value must not pass this. */
struct annot_most {
	int tag;
	double x;
};

struct annot_work;

struct annot {
	/* set by the caller */
	struct annot_db *db;
	int n_db;
	const struct strs *fields;      /* columns to write beside FILTER, by name; NULL or empty = all */
	struct fasta *ref;              /* NULL = alleles are trimmed only */
	const struct region *region;    /* NULL = everything */
	int explain;
	int any_length;                 /* a contig's length does not speak against an alias */
	const char *mark;               /* FILTER for records that do not pass; NULL = they are dropped */

	/* annot_init's */
	struct annot_tag *tag;
	int n_tag, cap_tag;
	size_t n_keys, n_mark;          /* bytes of all tags' keys, of mark */
	const struct hts_head *head;    /* set it before the first look; NULL when htslib cannot read it */
	int mark_id, pass_id;
	struct annot_most *most;
	int n_most;
	struct expr *expr;
};

/* Fields, then statuses, queries, sites of all databases, in the order of db. */
int annot_init(struct annot *a, struct err *e);
void annot_free(struct annot *a);
/* Conditions that an ALT must fulfil, all of them: FIELD=VALUE, or a formula.  Names are tags with or, where that is clear, without
 * their prefix.  ERR_USAGE. */
int annot_add_most(struct annot *a, const char *s, struct err *e);
int annot_add_expr(struct annot *a, const char *s, struct err *e);
/* Declares the tags (and mark) in the header, in place of declarations of the same names; more: further lines, or NULL. */
int annot_header(struct annot *a, struct flow *f, const char *more, struct err *e);

/* What one thread needs. */
struct annot_work *annot_work(const struct annot *a, struct err *e);
void annot_work_free(struct annot_work *w);
int annot_text(struct annot_work *w, struct chunk *c, struct err *e);
/* Whether records may be answered one by one, as they are written: who answers prints values, nothing is filtered.  Of text they are, unless
 * their alleles go to and fro in the genome, as those of the last chunk did. */
int annot_one_by_one(const struct annot *a);
int annot_disordered(const struct annot_work *w);
int annot_bcf(struct annot_work *w, struct chunk *c, struct err *e);

/* Single variants: asks for one allele as it stands (contig's name, 1-based position). */
int annot_one(struct annot_work *w, const char *contig, size_t n_contig, int64_t pos, const char *ref, const char *alt, struct err *e);
/* Of what was asked last, text of one column: "." where it is missing.  tag: a number, or that of annot_status and so on. */
void annot_cell(struct annot_work *w, int tag, struct str *out, struct err *e);
static inline int annot_status(const struct annot *a, int db) { return a->n_tag + db; }
static inline int annot_query(const struct annot *a, int db) { return a->n_tag + a->n_db + db; }
static inline int annot_site(const struct annot *a, int db) { return a->n_tag + 2 * a->n_db + db; }

/* Counts of a thread, or of several one after the other. */
struct annot_contig_count {
	int64_t alts;
	int64_t *found;                 /* [n_db] */
};
struct annot_count {
	int64_t alts;
	int64_t *status;                /* [n_db][N_FREQ] */
	int64_t mismatch, aligned, trimmed;
	struct strs name;               /* contigs as the input calls them */
	struct map by_name;
	struct annot_contig_count *contig;
	int64_t cap;
};
void annot_count_add(struct annot_count *to, const struct annot_work *w);
void annot_count_clear(struct annot_count *n);

#endif
