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
#include "stream/pack.h"

/* Fills b->codec, stored, hash and data_crc for a raw payload of b->n_row rows and
 * b->n_item items, and stored with the bytes to be written. */
void codec_encode(const struct head *h, struct block *b, const void *raw, int64_t n, struct str *stored);

/* Checks the CRC and gives the raw payload (of any kind but CODEC_PACK). */
int codec_decode(const struct head *h, const struct block *b, const void *stored, struct str *raw, struct err *e);

/* The same for the rows of a sparse matrix or graph.  m's columns are the
 * stream's own (rising); b->row0 and last are the caller's.  scratch is kept by
 * the caller for reuse. */
void codec_encode_csr(const struct head *h, struct block *b, const struct csr *m, struct str *stored, struct str *scratch);
/* The same for rows of a sparse matrix in any order, column c being place[c] (see pack_encode_any); 0 when they are no counts:
 * then they must be sorted first.  -1 when a column is not below n_col. */
int codec_encode_any(struct block *b, const struct pack_rows *m, const int32_t *place, int64_t *freq, struct str *stored,
	struct str *scratch);
int codec_decode_csr(const struct head *h, const struct block *b, const void *stored, struct csr *m, struct str *scratch, struct err *e);

/* Rows of a block of a sparse matrix, some at a time.  A packed block is decoded as far as it is asked for, another as a
 * whole when it is opened.
 *
 *	codec_open(&c, h, b, stored, check, e);         check: the CRC too; stored stays in place
 *	codec_take(&c, n, map, 1, &m, e);
 *	codec_end(&c, e);                               when all rows were taken or skipped
 *	codec_reader_clear(&c);                         may be opened again before
 */
struct codec_reader {
	const struct head *h;
	const struct block *b;
	struct pack_reader *pack;
	struct csr m;           /* what is not packed, decoded */
	struct str scratch;
	int64_t row;            /* of the block, the next one */
};

int codec_open(struct codec_reader *c, const struct head *h, const struct block *b, const void *stored, int check, struct err *e);
/* How many of the next rows have at most so many values in all. */
int64_t codec_fit(const struct codec_reader *c, int64_t most);
/* Appends the next n rows to m, column c as map[c] (NULL: as it is; [n_col rounded up to 64]).  Without values the columns
 * alone, of values that are not 0. */
int codec_take(struct codec_reader *c, int64_t n, const int32_t *map, int values, struct csr *m, struct err *e);
int codec_skip(struct codec_reader *c, int64_t n, struct err *e);
int codec_end(struct codec_reader *c, struct err *e);
void codec_reader_clear(struct codec_reader *c);

/* ERR_DATA when the stored bytes do not fit their checksum. */
int codec_check_crc(const struct head *h, const struct block *b, const void *stored, struct err *e);

/* Recomputes the content hash of decoded data and compares.  That of a block of counts is of its packed bytes as
 * codec_encode_csr would write them, however it is stored: such a block is encoded again. */
int codec_check_hash(const struct head *h, const struct block *b, const void *raw, int64_t n, struct err *e);
int codec_check_hash_csr(const struct head *h, const struct block *b, const struct csr *m, struct err *e);

/* Bytes that decoding a block takes at most: for plans and against hostile
 * heads.  ERR_DATA when the head's numbers cannot belong together. */
int64_t codec_raw_size(const struct head *h, const struct block *b, struct err *e);

#endif
