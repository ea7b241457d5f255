/* pack - counts of one row block, packed
 */
#ifndef OVX_PACK_H
#define OVX_PACK_H

#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "num/csr.h"

/* Upper bound of the packed bytes. */
size_t pack_bound(int64_t n_row, int64_t nnz, int64_t n_col);
/* Packs m's rows: whole numbers 1 .. 2^32 - 1, columns rising; returns the bytes. */
int64_t pack_encode(const struct csr *m, uint8_t *dst);
/* The way back into m (ptr, col, val), everything checked. */
int pack_decode(const uint8_t *src, size_t len, int64_t n_row, int64_t n_col, struct csr *m, struct err *e);

#endif
