/* frows - rows of a sites file: one allele each, with its values as slots
 *
 * The form in which sites travel from the parser (sites.h) to the database (vxg.h), and in which a few of them
 * are searched without one.  An allele is minimal (common suffix and prefix trimmed, one anchor base left where an allele
 * would be empty), upper case, ACGT only.
 *
 *	row i: r->row[i], values r->val[i * r->n_col .. + n_col)
 */
#ifndef OVX_FROWS_H
#define OVX_FROWS_H

#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "var/fval.h"

/* Number= of the source; what a row holds. */
enum fnumber {
	FNUM_SITE,              /* 1: the site's value, the same for each ALT */
	FNUM_ALT,               /* A: this ALT's value */
	FNUM_REF_ALT,           /* R: REF's and this ALT's, joined by a comma: text */
	FNUM_LIST,              /* ., G or a number > 1: the list as it stands: text */
	FNUM_FLAG               /* 0: integer 1 where it is set, else 0 (never missing) */
};

/* A column.  Hidden ones are only there to derive others; nobody sees them. */
struct fcol {
	char *name;             /* what users call it: AF, faf95max, FILTER ... */
	char *tag;              /* INFO key in the source; "FILTER" is the column of that name, joined by & (PASS as it stands) */
	char *number;           /* as declared: "A", "1", ".", ... */
	char *desc;             /* Description of the source, without its quotes */
	uint8_t type;           /* enum ftype */
	uint8_t kind;           /* enum fnumber */
	uint8_t hidden;
	int num, den;           /* a frequency: columns (of this list) of its AC and AN, -1 = none known */
	int whole;              /* a count of a group (AC_afr, AN_afr): the column of the whole (AC, AN), -1 = none */
};

struct fcols {
	struct fcol *c;
	int n, cap;
	int ac, an, af, filter; /* the columns of the whole: -1 = not there.  ac, an may be hidden */
};

struct frow {
	int32_t contig;
	uint32_t pos;           /* 1-based */
	uint32_t n_ref, n_alt;
	uint64_t allele;        /* where REF, and behind it ALT, stand in text */
	int64_t seq;            /* number in the source, for the first of equals */
};

struct frows {
	int n_col;
	int64_t n, cap;
	struct frow *row;
	fval *val;              /* [n][n_col]; a text's reference is the offset of a uint32_t length (unaligned) and its bytes in text */
	struct str text;
};

void fcols_clear(struct fcols *f);
/* A column; strings are copied (desc, number may be NULL).  Its number. */
int fcols_add(struct fcols *f, const char *name, const char *tag, enum ftype type, enum fnumber kind, const char *number,
	const char *desc, int hidden);
int fcols_find(const struct fcols *f, const char *name);        /* visible ones, by name; -1 */
void fcols_copy(struct fcols *to, const struct fcols *from);
/* Same names, tags, types, kinds in the same order. */
int fcols_same(const struct fcols *a, const struct fcols *b);

void frows_init(struct frows *r, int n_col);
void frows_reset(struct frows *r);              /* forgets rows, keeps memory */
void frows_clear(struct frows *r);
int64_t frows_bytes(const struct frows *r);     /* memory that it takes */
/* A new row with all values missing; alleles are copied.  Its values. */
fval *frows_add(struct frows *r, int contig, uint32_t pos, const char *ref, uint32_t n_ref, const char *alt, uint32_t n_alt, int64_t seq);
/* Keeps text for a value of this table. */
fval frows_text(struct frows *r, const char *s, size_t n);
/* The bytes of a text value. */
const char *frows_get(const struct frows *r, fval v, size_t *n);
static inline const char *frows_ref(const struct frows *r, int64_t i) { return r->text.s + r->row[i].allele; }
static inline const char *frows_alt(const struct frows *r, int64_t i) { return r->text.s + r->row[i].allele + r->row[i].n_ref; }
/* A row of another table (same columns) at the end of this one. */
void frows_copy(struct frows *to, const struct frows *from, int64_t i);
/* Order of rows: contig, position, length of REF, length of ALT, REF, ALT (bytes).  Equal = the same allele. */
int frows_order(const struct frows *a, int64_t i, const struct frows *b, int64_t j);
/* Whether two rows have the same values (texts compared as text); of all columns, or,
 * visible being given, of those that are not hidden: a database may do without hidden ones from which nothing derives. */
int frows_same_values(const struct fcols *visible, const struct frows *a, int64_t i, const struct frows *b, int64_t j);

/* Trims alleles to their minimal form in place: *ref, *alt move, *n_ref, *n_alt shrink; returns bases cut at the front. */
uint32_t frows_trim(const char **ref, uint32_t *n_ref, const char **alt, uint32_t *n_alt);

#endif
