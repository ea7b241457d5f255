/* codec - the bytes of a block: raw payload by kind, and how it is stored
 *
 * Raw payloads (integers and floats little-endian):
 *
 *	dense           n_row x n_col values
 *	column          n_row values; category: int32 codes, -1 = missing
 *	axis, strings   n_row uint32 lengths (2^32 - 1 = missing), then the bytes
 *	graph, sparse   n_row uint32 counts, then int32 columns, then values
 *	text, blob      n_row bytes
 *	prelude         of a category: strings; of a sparse matrix: int32 [n_row], the
 *	                column of the user at each place of the stream's own order
 *
 * The codec follows from kind and dtype alone: dense raw; columns, graphs and real
 * sparse matrices deflate after a byte shuffle, raw where that does not
 * shrink; counts packed (pack.h).
 */
#ifndef OVX_CODEC_H
#define OVX_CODEC_H

#include "base/err.h"
#include "base/str.h"
#include "num/csr.h"
#include "stream/head.h"

/* Fills b->codec, stored, hash and data_crc for a raw payload of b->n_row rows and
 * b->n_item items, and stored with the bytes to be written. */
void codec_encode(const struct head *h, struct block *b, const void *raw, int64_t n, struct str *stored);

/* Checks the CRC and gives the raw payload (of any kind but CODEC_PACK). */
int codec_decode(const struct head *h, const struct block *b, const void *stored, struct str *raw, struct err *e);

/* The same for the rows of a sparse matrix or graph.  m's columns are the
 * stream's own (rising); b->row0 and last are the caller's.  scratch is kept by
 * the caller for reuse. */
void codec_encode_csr(const struct head *h, struct block *b, const struct csr *m, struct str *stored, struct str *scratch);
int codec_decode_csr(const struct head *h, const struct block *b, const void *stored, struct csr *m, struct str *scratch, struct err *e);

/* ERR_DATA when the stored bytes do not fit their checksum. */
int codec_check_crc(const struct head *h, const struct block *b, const void *stored, struct err *e);

/* Recomputes the content hash of decoded data and compares. */
int codec_check_hash(const struct head *h, const struct block *b, const void *raw, int64_t n, struct err *e);
int codec_check_hash_csr(const struct head *h, const struct block *b, const struct csr *m, struct err *e);

/* Bytes that decoding a block takes at most: for plans and against hostile
 * heads.  ERR_DATA when the head's numbers cannot belong together. */
int64_t codec_raw_size(const struct head *h, const struct block *b, struct err *e);

#endif
