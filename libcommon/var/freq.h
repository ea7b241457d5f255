/* freq - whatever answers "which frequencies has this allele": a database, or sites in memory
 *
 * Two things answer: a .vxg database (vxg.h) and a sites file with an index (freq_sites.h).  Both give a struct freq; a
 * thread asks through a cursor of its own.  The allele asked for is minimal and upper case ACGT.
 *
 *	k = f->cursor(f, e);
 *	switch (f->find(k, contig, pos, ref, n_ref, alt, n_alt, &hit, e)) {
 *	case FREQ_FOUND: v = f->value(k, hit, col, e); ...
 */
#ifndef OVX_FREQ_H
#define OVX_FREQ_H

#include "base/err.h"
#include "var/alias.h"
#include "var/frows.h"

enum freq_status { FREQ_FOUND, FREQ_FOUND_FILTERED, FREQ_SITE_ONLY, FREQ_ABSENT, FREQ_NO_CONTIG, FREQ_UNSUPPORTED, N_FREQ };
extern const char *const freq_names[N_FREQ];    /* "FOUND" ... */

/* Where a row was found; valid until the next find of the same cursor. */
struct freq_hit {
	int64_t row;            /* these are the owner's */
	const void *block;
	int part;
};

/* What stands at a position, for --explain: called for each row there. */
typedef void freq_at_fn(void *ctx, const char *ref, uint32_t n_ref, const char *alt, uint32_t n_alt);

struct freq_cursor;

/* A column that is written as text: key, FREQ_KEY_PAD bytes from whose first on may be read, and value. */
#define FREQ_KEY_PAD 32
struct freq_tag {
	const char *key;
	uint32_t n_key;
	int col;
};

struct freq {
	const struct fcols *cols;
	const char *release;            /* "gnomAD v4.1 genomes", "" = not recognised */
	int n_contig;
	const char *const *contig;      /* names, as in the source */
	const int64_t *contig_length;   /* -1 = not known */
	const int64_t *contig_rows;     /* rows; 0 = the header lists it, there is nothing.  NULL = not known */

	struct freq_cursor *(*cursor)(struct freq *f, struct err *e);
	void (*cursor_free)(struct freq_cursor *k);
	/* FREQ_FOUND with *hit set (never FOUND_FILTERED: the row's FILTER says that), FREQ_SITE_ONLY when only other alleles begin at pos, or
	 * FREQ_ABSENT.  pos 1-based.  Never looks at more than it must.  With e set: damaged. */
	enum freq_status (*find)(struct freq_cursor *k, int contig, int64_t pos, const char *ref, uint32_t n_ref, const char *alt,
		uint32_t n_alt, struct freq_hit *hit, struct err *e);
	/* A value; text by text(). */
	fval (*value)(struct freq_cursor *k, const struct freq_hit *hit, int col, struct err *e);
	/* The bytes of a text value that value() gave, valid until the next text() or find(). */
	const char *(*text)(struct freq_cursor *k, int col, fval v, size_t *n, struct err *e);
	/* n values at once, out[n]; NULL: there is only value().  lasting: texts of even references (fval_text_ref) stay where they
	 * are until close, 16 bytes behind them may be read, and the same reference in the same column means the same text.  Returns 0
	 * when all texts are of that kind. */
	int (*values)(struct freq_cursor *k, const struct freq_hit *hit, const int *col, int n, fval *out, struct err *e);
	int lasting;
	/* May be NULL.  tags says once which n columns are to be printed, and how they are called (t's keys must stay); print puts keys and
	 * values of a row, of those that are not missing, at o, where there is room for all keys, FVAL_PRINT bytes for each value and 64
	 * more, and returns the end.  *filter: the value of FILTER, if the columns have one.  NULL: this row is not to be had that way, or e is set. */
	void (*tags)(struct freq_cursor *k, const struct freq_tag *t, int n);
	char *(*print)(struct freq_cursor *k, const struct freq_hit *hit, char *o, fval *filter, struct err *e);
	void (*at)(struct freq_cursor *k, int contig, int64_t pos, freq_at_fn *fn, void *ctx, struct err *e);
	void (*close)(struct freq *f);
	/* May be NULL.  Told once a stretch of queries of one contig is coming (their n positions, in any order), so that it can
	 * fetch what they need; hits before it are void. */
	int (*ahead)(struct freq_cursor *k, int contig, const int64_t *pos, int64_t n, struct err *e);
};

/* Its contigs, for other names of them (alias_find: chr, M/MT, RefSeq, where lengths do not speak against it); free with alias_free. */
struct alias *freq_alias(const struct freq *f);
/* 37 or 38 when the contigs' lengths are those of that human genome, else 0. */
int freq_build(const struct freq *f);

#endif
