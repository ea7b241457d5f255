/* head - what stands in front of a section and of a block
 *
 * A section has a kind, a type of values, a shape and a text of key=value
 * lines: path, the axes it is bound to (axis0=obs:<digest>), from=<ids> of what
 * it was made from, and whatever its maker adds.
 */
#ifndef OVX_HEAD_H
#define OVX_HEAD_H

#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

enum kind {
	KIND_AXIS = 1,          /* names along obs, var, ...; its digest is the axis's identity */
	KIND_COLUMN = 2,        /* one value a row */
	KIND_DENSE = 3,         /* [n_row][n_col] row-major */
	KIND_SPARSE = 4,        /* by rows, numbers */
	KIND_GRAPH = 5,         /* by rows, rows and columns on one axis */
	KIND_FORMULA = 6,       /* a layer: how to compute it; no payload */
	KIND_TEXT = 7,          /* settings, provenance; n_row bytes of UTF-8 */
	KIND_BLOB = 8,          /* n_row opaque bytes */
	KIND_END = 255
};

enum dtype {
	DT_NONE = 0, DT_BOOL = 1, DT_I32 = 2, DT_I64 = 3, DT_F32 = 4, DT_F64 = 5,
	DT_STR = 6, DT_CAT = 7, DT_U8 = 8
};

enum codec { CODEC_RAW = 0, CODEC_DEFLATE = 1, CODEC_PACK = 2 };

/* Rows of a block by kind; constants of the format's writer, stated in every head. */
enum { BLOCK_SPARSE = 512, BLOCK_DENSE = 4096, BLOCK_GRAPH = 4096, BLOCK_COLUMN = 65536, BLOCK_BYTES = 1 << 20 };

struct head {
	int kind, dtype;
	int payload;            /* blocks follow */
	int prelude;            /* the first block is a prelude: categories, gene order */
	int64_t n_row, n_col;
	int64_t block_rows;
	struct strs kv;         /* key, value, key, value, ... */
};

struct block {
	int codec, last, prelude;
	int64_t row0, n_row;
	int64_t n_item;         /* non-zeros, or bytes of strings */
	int64_t stored;         /* bytes behind the head, without the padding */
	uint64_t hash[2];       /* of the content, whatever the codec */
	uint32_t data_crc;      /* of the stored bytes */
};

/* A head of a kind for a path; the block size is the one of the kind. */
void head_init(struct head *h, int kind, int dtype, const char *path, int64_t n_row, int64_t n_col);
void head_copy(struct head *to, const struct head *from);
void head_clear(struct head *h);
/* Value of a key, or NULL.  path is always there. */
const char *head_get(const struct head *h, const char *key);
const char *head_path(const struct head *h);
/* Sets or replaces a key; NULL removes it. */
void head_set(struct head *h, const char *key, const char *value);

/* The bytes of a section head: text and padding included, appended to out. */
void head_encode(const struct head *h, int64_t seq, uint32_t chain, struct str *out);
/* Length of the whole head from its first 64 bytes; ERR_DATA when those are
 * no section head. */
int64_t head_length(const uint8_t first[64], struct err *e);
/* The way back; p holds head_length bytes.  Checks everything that can be
 * checked in a head.  seq and chain are compared unless seq is -1. */
int head_decode(struct head *h, const uint8_t *p, int64_t n, int64_t seq, uint32_t chain, struct err *e);

void block_encode(const struct block *b, uint8_t out[64]);
int block_decode(struct block *b, const uint8_t p[64], struct err *e);

/* Bytes of one value of a fixed-width type; 0 for strings. */
int dtype_width(int dtype);
const char *dtype_name(int dtype);
const char *kind_name(int kind);
/* Rank of a section in the canonical order: axes, columns, small matrices, text, formulas, X. */
int head_rank(const struct head *h);
/* Canonical order of two sections: rank, then bytes of the path. */
int head_compare(const struct head *a, const struct head *b);

#endif
