/* pack - counts of one row block in about 6.5 bits a non-zero
 *
 * For matrices whose columns (genes) are numbered by falling frequency.  The
 * encoding of a block, all integers little-endian, bits from the lowest on:
 *
 *	head     version; for each row (varints): non-zeros, sum - non-zeros, largest
 *	         value; then the table of bands and the lengths of the streams
 *	bitmap   genes of band 0, the frequent ones: a bit each, row by row
 *	high     all other genes: a band of width w is cut into buckets of 2^w genes; each
 *	         bucket is a 1 for each of its non-zeros, then a 0 (Elias 1974, Fano 1971)
 *	low      the last w bits of each of these genes
 *	plane    for each non-zero a bit: more than 1
 *	two      2 bits for each of those: 2, 3, 4, or 3 = more
 *	nibble   4 bits for each of those: 5 .. 19, or 15 = more
 *	byte     20 .. 274, or 255 = more
 *	word     32 bits: 275 ..
 *	         8 bytes of zeros, so that a reader may load 8 bytes anywhere
 *
 * Rows' non-zeros, sums and maxima stand in front, so that QC and normalisation need
 * not decode what is behind.  The encoding is a function of the block alone.
 *
 *	uint8_t *dst = mem_raw(uint8_t, pack_bound(m.n_row, m.ptr[m.n_row], m.n_col));
 *	int64_t n = pack_encode(&m, dst, &scratch);
 *	pack_decode(dst, n, m.n_row, m.n_col, &back, e);
 */
#ifndef OVX_PACK_H
#define OVX_PACK_H

#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "num/csr.h"

/* Upper bound of the packed bytes. */
size_t pack_bound(int64_t n_row, int64_t nnz, int64_t n_col);
/* Packs m's rows into dst [pack_bound]: columns rising within a row (else this is a bug of the caller).  Returns the
 * bytes, or -1 when a value is no whole number 1 .. 2^32 - 1.  scratch is kept by the caller for reuse. */
int64_t pack_encode(const struct csr *m, uint8_t *dst, struct str *scratch);

/* Rows as they lie in a file or in memory: columns in any order, values of one of some types. */
enum { PACK_F64, PACK_F32, PACK_I32 };

struct pack_rows {
	int64_t n_row, n_col;
	const int64_t *ptr;     /* [n_row + 1], ptr[0] may be anything */
	const int32_t *col;     /* [ptr[n_row]] */
	const void *val;        /* [ptr[n_row]] */
	int type;               /* of the values */
};

static inline struct pack_rows
pack_rows_of(const struct csr *m)
{
	return (struct pack_rows){ m->n_row, m->n_col, m->ptr, m->col, m->val, PACK_F64 };
}

/* Value j of m as it stands there. */
static inline double
pack_value(const struct pack_rows *m, int64_t j)
{
	switch (m->type) {
	case PACK_I32:
		return ((const int32_t *)m->val)[j];
	case PACK_F32:
		return (double)((const float *)m->val)[j];
	default:
		return ((const double *)m->val)[j];
	}
}

#define PACK_BAD_COLUMN (-2)
/* The same for such rows, column c being place[c] (NULL: c): zeros are left out, and a place that is given twice
 * adds up, as in a COO matrix.  *n_item: the non-zeros.  freq [n_col] (may be NULL): each place's are added.  -2
 * when a column is not below n_col. */
int64_t pack_encode_any(const struct pack_rows *m, const int32_t *place, uint8_t *dst, int64_t *n_item, int64_t *freq,
	struct str *scratch);
/* The way back: sets n_row, n_col, ptr, col and val of m, which grows as needed.  Any bytes may be
 * given: ERR_DATA unless they are a whole, consistent block of n_row rows with columns
 * rising below n_col, and sums and maxima as in the head. */
int pack_decode(const uint8_t *src, size_t len, int64_t n_row, int64_t n_col, struct csr *m, struct err *e);

/* A number of non-zeros that the second level of cache holds several times, decoded. */
#define PACK_STRIP 16384

/* The same some rows at a time.  src stays in place until all rows were taken.
 *
 *	pack_open(r, src, len, n_row, n_col, e);
 *	for (left = n_row; left > 0 && !e->code; left -= n) {
 *		n = pack_fit(r, most, NULL);            none, when the next row has more
 *		n = n ? n : 1;
 *		pack_take(r, n, map, 1, &m, e);
 *	}
 *	pack_end(r, e);
 */
struct pack_reader *pack_reader_new(void);
void pack_reader_free(struct pack_reader *r);
/* Starts on a block; reads its head. */
int pack_open(struct pack_reader *r, const uint8_t *src, size_t len, int64_t n_row, int64_t n_col, struct err *e);
/* How many of the next rows have at most so many non-zeros in all; *nnz (may be NULL): how many
 * non-zeros those have. */
int64_t pack_fit(const struct pack_reader *r, int64_t most, int64_t *nnz);
/* Appends the next n rows to m.  map [n_col, rounded up to 64]: what is written for each column, NULL = its number.
 * Without values m->val is not written. */
int pack_take(struct pack_reader *r, int64_t n, const int32_t *map, int values, struct csr *m, struct err *e);
/* Passes over the next n rows, in a tenth of the time. */
int pack_skip(struct pack_reader *r, int64_t n, struct err *e);
/* ERR_DATA when rows, or bytes of what was read of them, are left. */
int pack_end(struct pack_reader *r, struct err *e);
/* What the head says of each row: number, sum and maximum of the non-zeros, [n_row] each, NULL =
 * not wanted.  Reads the head only; pack_decode verifies it. */
int pack_row_stats(const uint8_t *src, size_t len, int64_t n_row, int64_t *nnz, uint64_t *sum, uint32_t *max,
	struct err *e);

#endif
