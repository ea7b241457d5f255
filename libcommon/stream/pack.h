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
 *	int64_t n = pack_encode(&m, dst);
 *	pack_decode(dst, n, m.n_row, m.n_col, &back, e);
 */
#ifndef OVX_PACK_H
#define OVX_PACK_H

#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "num/csr.h"

/* Upper bound of the packed bytes. */
size_t pack_bound(int64_t n_row, int64_t nnz, int64_t n_col);
/* Packs m's rows into dst [pack_bound]: whole numbers 1 .. 2^32 - 1, columns rising within a
 * row (else this is a bug of the caller).  Returns the bytes. */
int64_t pack_encode(const struct csr *m, uint8_t *dst);
/* The way back: sets n_row, n_col, ptr, col and val of m, which grows as needed.  Any bytes may be
 * given: ERR_DATA unless they are a whole, consistent block of n_row rows with columns
 * rising below n_col, and sums and maxima as in the head. */
int pack_decode(const uint8_t *src, size_t len, int64_t n_row, int64_t n_col, struct csr *m, struct err *e);
/* What the head says of each row: number, sum and maximum of the non-zeros, [n_row] each, NULL =
 * not wanted.  Reads the head only; pack_decode verifies it. */
int pack_row_stats(const uint8_t *src, size_t len, int64_t n_row, int64_t *nnz, uint64_t *sum, uint32_t *max,
	struct err *e);

#endif
