/* head - see head.h */
#include "stream/head.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "os/deflate.h"
#include "stream/wire.h"

#define TEXT_MAX (1 << 20)

static const char *const dtype_names[] = { "none", "bool", "int32", "int64", "float32", "float64", "string", "category", "bytes" };
static const int widths[] = { 0, 1, 4, 8, 4, 8, 0, 4, 1 };
static const char *const kind_names[] = { "?", "axis", "column", "dense", "sparse", "graph", "formula", "text", "blob" };

int
dtype_width(int dtype)
{
	return dtype >= 0 && dtype <= DT_U8 ? widths[dtype] : 0;
}

const char *
dtype_name(int dtype)
{
	return dtype >= 0 && dtype <= DT_U8 ? dtype_names[dtype] : "?";
}

const char *
kind_name(int kind)
{
	return kind >= KIND_AXIS && kind <= KIND_BLOB ? kind_names[kind] : kind == KIND_END ? "end" : "?";
}

void
head_init(struct head *h, int kind, int dtype, const char *path, int64_t n_row, int64_t n_col)
{
	static const int rows[] = { 0, BLOCK_COLUMN, BLOCK_COLUMN, BLOCK_DENSE, BLOCK_SPARSE, BLOCK_GRAPH, 0, BLOCK_BYTES, BLOCK_BYTES };

	memset(h, 0, sizeof *h);
	h->kind = kind;
	h->dtype = dtype;
	h->n_row = n_row;
	h->n_col = n_col;
	h->payload = kind != KIND_FORMULA;
	h->block_rows = kind >= KIND_AXIS && kind <= KIND_BLOB ? rows[kind] : 1 << 30;
	head_set(h, "path", path);
}

void
head_copy(struct head *to, const struct head *from)
{
	*to = *from;
	memset(&to->kv, 0, sizeof to->kv);
	for (int64_t i = 0; i < from->kv.n; i++)
		strs_add(&to->kv, strs_get(&from->kv, i), strs_len(&from->kv, i));
}

void
head_clear(struct head *h)
{
	strs_clear(&h->kv);
	memset(h, 0, sizeof *h);
}

const char *
head_get(const struct head *h, const char *key)
{
	for (int64_t i = 0; i + 1 < h->kv.n; i += 2)
		if (strcmp(strs_get(&h->kv, i), key) == 0)
			return strs_get(&h->kv, i + 1);
	return NULL;
}

const char *
head_path(const struct head *h)
{
	const char *p = head_get(h, "path");

	return p ? p : "";
}

void
head_set(struct head *h, const char *key, const char *value)
{
	struct strs kv = {0};
	int done = 0;

	for (int64_t i = 0; i + 1 < h->kv.n; i += 2) {
		const char *k = strs_get(&h->kv, i), *v = strs_get(&h->kv, i + 1);

		if (strcmp(k, key) == 0) {
			done = 1;
			v = value;
		}
		if (v) {
			strs_add(&kv, k, strlen(k));
			strs_add(&kv, v, strlen(v));
		}
	}
	if (!done && value) {
		strs_add(&kv, key, strlen(key));
		strs_add(&kv, value, strlen(value));
	}
	strs_clear(&h->kv);
	h->kv = kv;
}

/* s with control characters, '%' and, in keys, '=' written as %XX. */
static void
escape(struct str *out, const char *s, int is_key)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < 0x20 || c == 0x7f || c == '%' || (is_key && c == '='))
			str_addf(out, "%%%02X", c);
		else
			str_addn(out, s, 1);
	}
}

static int
hex(int c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Undoes escape in place; 0 when s is not what escape writes. */
static int
unescape(char *s)
{
	char *d = s;

	for (; *s; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return 0;
		if (*s == '%') {
			int hi = hex(s[1]), lo = hi < 0 ? -1 : hex(s[2]);

			if (lo < 0 || hi * 16 + lo == 0)
				return 0;
			*d++ = (char)(hi * 16 + lo);
			s += 2;
		} else {
			*d++ = *s;
		}
	}
	*d = 0;
	return 1;
}

/* path, axis0, axis1, then by name: one spelling for one content. */
static int
key_order(const char *k)
{
	return strcmp(k, "path") == 0 ? 0 : strcmp(k, "axis0") == 0 ? 1 : strcmp(k, "axis1") == 0 ? 2 : 3;
}

static int
by_key(const void *a, const void *b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;
	int d = key_order(x) - key_order(y);

	return d ? d : strcmp(x, y);
}

static void
encode_text(const struct head *h, struct str *out)
{
	int64_t n = h->kv.n / 2;
	const char **key = mem_new(const char *, n);

	for (int64_t i = 0; i < n; i++)
		key[i] = strs_get(&h->kv, 2 * i);
	qsort(key, (size_t)n, sizeof *key, by_key);
	for (int64_t i = 0; i < n; i++) {
		escape(out, key[i], 1);
		str_add(out, "=");
		escape(out, head_get(h, key[i]), 0);
		str_add(out, "\n");
	}
	mem_free(key);
}

void
head_encode(const struct head *h, int64_t seq, uint32_t chain, struct str *out)
{
	uint8_t b[64] = "SECT", zero[64] = {0};
	struct str text = {0};
	uint32_t crc;
	int64_t pad;

	encode_text(h, &text);
	pad = wire_pad((int64_t)text.n) - (int64_t)text.n;
	b[WS_KIND] = (uint8_t)h->kind;
	b[WS_DTYPE] = (uint8_t)h->dtype;
	wire_put16(b + WS_FLAGS, (uint16_t)((h->payload ? WSF_PAYLOAD : 0) | (h->prelude ? WSF_PRELUDE : 0)));
	wire_put64(b + WS_N_ROW, (uint64_t)h->n_row);
	wire_put64(b + WS_N_COL, (uint64_t)h->n_col);
	wire_put64(b + WS_SEQ, (uint64_t)seq);
	wire_put32(b + WS_TEXT, (uint32_t)text.n);
	wire_put32(b + WS_BLOCK_ROWS, (uint32_t)h->block_rows);
	wire_put32(b + WS_CHAIN, chain);
	crc = deflate_crc(0, b, WS_CRC);
	crc = deflate_crc(crc, text.s, text.n);
	crc = deflate_crc(crc, zero, (size_t)pad);
	wire_put32(b + WS_CRC, crc);
	str_addn(out, b, 64);
	str_addn(out, text.s, text.n);
	str_addn(out, zero, (size_t)pad);
	str_clear(&text);
}

int64_t
head_length(const uint8_t p[64], struct err *e)
{
	uint32_t n = wire_get32(p + WS_TEXT);

	if (memcmp(p, "SECT", 4) || n > TEXT_MAX) {
		err_set(e, ERR_DATA, "damaged: no section head where one must be");
		return -1;
	}
	return 64 + wire_pad(n);
}

static int
decode_text(struct head *h, const uint8_t *p, int64_t n, struct err *e)
{
	char *text = mem_strndup((const char *)p, (size_t)n), *line = text;

	while (line < text + n && !e->code) {
		char *end = strchr(line, '\n'), *eq;

		if (end)
			*end = 0;
		eq = strchr(line, '=');
		if (eq)
			*eq = 0;
		if (!end || !eq || !unescape(line) || !unescape(eq + 1) || head_get(h, line)) {
			err_set(e, ERR_DATA, "damaged: text of a section head");
			break;
		}
		strs_add(&h->kv, line, strlen(line));
		strs_add(&h->kv, eq + 1, strlen(eq + 1));
		line = end + 1;
	}
	mem_free(text);
	return e->code;
}

/* Shapes that cannot be, whatever the payload. */
static int
check_shape(const struct head *h, struct err *e)
{
	const char *axis0 = head_get(h, "axis0"), *axis1 = head_get(h, "axis1");
	int bad = h->n_row < 0 || h->n_row > (int64_t)1 << 40 || h->n_col < 0 || h->n_col > INT32_MAX;

	if (h->dtype > DT_U8)
		return err_set(e, ERR_DATA, "%s: unknown type of values %d: written by a newer version", head_path(h), h->dtype);
	bad |= !h->block_rows || h->kind < KIND_AXIS;
	bad |= h->kind == KIND_DENSE && h->n_row > INT32_MAX;   /* rows of no columns have no bytes */
	bad |= h->kind == KIND_DENSE && (dtype_width(h->dtype) == 0 || h->dtype == DT_CAT || h->n_col > 1 << 24);
	bad |= (h->kind == KIND_SPARSE || h->kind == KIND_GRAPH) && h->dtype != DT_F32 && h->dtype != DT_F64;
	bad |= h->kind == KIND_SPARSE && !h->prelude && h->n_col > 1 << 24;    /* no bytes stand for them */
	bad |= h->kind == KIND_GRAPH && (h->n_row != h->n_col || !axis0 != !axis1 || (axis0 && strcmp(axis0, axis1)));
	bad |= h->kind == KIND_COLUMN && (h->dtype == DT_NONE || h->dtype == DT_U8 || h->n_col != 1);
	bad |= h->kind == KIND_AXIS && (h->dtype != DT_STR || h->n_col != 1 || h->n_row > INT32_MAX);
	bad |= (h->kind == KIND_TEXT || h->kind == KIND_BLOB) && (h->dtype != DT_U8 || h->n_col != 1);
	bad |= !h->payload && (h->prelude || h->kind != KIND_FORMULA);
	bad |= h->kind == KIND_FORMULA && h->payload;
	bad |= h->prelude && h->kind <= KIND_BLOB && h->kind != KIND_SPARSE && h->kind != KIND_COLUMN;
	bad |= h->kind == KIND_COLUMN && (h->dtype == DT_CAT) != h->prelude;
	if (bad)
		return err_set(e, ERR_DATA, "damaged: %s: impossible shape", head_path(h));
	return 0;
}

int
head_decode(struct head *h, const uint8_t *p, int64_t n, int64_t seq, uint32_t chain, struct err *e)
{
	uint32_t text = wire_get32(p + WS_TEXT), crc;
	int flags = wire_get16(p + WS_FLAGS);

	memset(h, 0, sizeof *h);
	if (e->code)
		return e->code;
	crc = deflate_crc(0, p, WS_CRC);
	crc = deflate_crc(crc, p + 64, (size_t)n - 64);
	if (crc != wire_get32(p + WS_CRC))
		return err_set(e, ERR_DATA, "damaged: checksum of a section head");
	if (!wire_zero(p + 44, 16) || !wire_zero(p + 64 + text, n - 64 - text) || flags & ~3)
		return err_set(e, ERR_DATA, "damaged: reserved bytes of a section head are not zero");
	h->kind = p[WS_KIND];
	h->dtype = p[WS_DTYPE];
	h->payload = !!(flags & WSF_PAYLOAD);
	h->prelude = !!(flags & WSF_PRELUDE);
	h->n_row = (int64_t)wire_get64(p + WS_N_ROW);
	h->n_col = (int64_t)wire_get64(p + WS_N_COL);
	h->block_rows = wire_get32(p + WS_BLOCK_ROWS);
	decode_text(h, p + 64, text, e);
	if (!e->code && !head_get(h, "path"))
		err_set(e, ERR_DATA, "damaged: a section without a path");
	if (!e->code && seq >= 0 && ((int64_t)wire_get64(p + WS_SEQ) != seq || wire_get32(p + WS_CHAIN) != chain))
		err_set(e, ERR_DATA, "damaged: %s: a section is missing before it, or out of its place", head_path(h));
	if (!e->code)
		check_shape(h, e);
	if (e->code)
		head_clear(h);
	return e->code;
}

void
block_encode(const struct block *b, uint8_t p[64])
{
	memset(p, 0, 64);
	memcpy(p, "BLCK", 4);
	p[WB_CODEC] = (uint8_t)b->codec;
	p[WB_FLAGS] = (uint8_t)((b->last ? WBF_LAST : 0) | (b->prelude ? WBF_PRELUDE : 0));
	wire_put64(p + WB_ROW0, (uint64_t)b->row0);
	wire_put64(p + WB_N_ROW, (uint64_t)b->n_row);
	wire_put64(p + WB_N_ITEM, (uint64_t)b->n_item);
	wire_put64(p + WB_STORED, (uint64_t)b->stored);
	wire_put64(p + WB_HASH, b->hash[0]);
	wire_put64(p + WB_HASH + 8, b->hash[1]);
	wire_put32(p + WB_DATA_CRC, b->data_crc);
	wire_put32(p + WB_CRC, deflate_crc(0, p, WB_CRC));
}

int
block_decode(struct block *b, const uint8_t p[64], struct err *e)
{
	const int64_t most = (int64_t)1 << 46;

	memset(b, 0, sizeof *b);
	if (e->code)
		return e->code;
	if (memcmp(p, "BLCK", 4))
		return err_set(e, ERR_DATA, "damaged: no block head where one must be");
	if (wire_get32(p + WB_CRC) != deflate_crc(0, p, WB_CRC))
		return err_set(e, ERR_DATA, "damaged: checksum of a block head");
	if (!wire_zero(p + 6, 2) || p[WB_FLAGS] & ~3)
		return err_set(e, ERR_DATA, "damaged: reserved bytes of a block head are not zero");
	b->codec = p[WB_CODEC];
	b->last = !!(p[WB_FLAGS] & WBF_LAST);
	b->prelude = !!(p[WB_FLAGS] & WBF_PRELUDE);
	b->row0 = (int64_t)wire_get64(p + WB_ROW0);
	b->n_row = (int64_t)wire_get64(p + WB_N_ROW);
	b->n_item = (int64_t)wire_get64(p + WB_N_ITEM);
	b->stored = (int64_t)wire_get64(p + WB_STORED);
	b->hash[0] = wire_get64(p + WB_HASH);
	b->hash[1] = wire_get64(p + WB_HASH + 8);
	b->data_crc = wire_get32(p + WB_DATA_CRC);
	if (b->row0 < 0 || b->row0 > most || b->n_row < 0 || b->n_row > most || b->n_item < 0 ||
	    b->n_item > most || b->stored < 0 || b->stored > most)
		return err_set(e, ERR_DATA, "damaged: impossible sizes in a block head");
	return 0;
}

int
head_rank(const struct head *h)
{
	switch (h->kind) {
	case KIND_AXIS:
		return 0;
	case KIND_COLUMN:
		return 1;
	case KIND_FORMULA:
		return 4;
	case KIND_SPARSE:
		return 5;
	case KIND_END:
		return 9;
	case KIND_TEXT:
	case KIND_BLOB:
		return 2;
	default:
		/* A dense X or layer is as large as a sparse one. */
		return strcmp(head_path(h), "X") == 0 || strncmp(head_path(h), "layers/", 7) == 0 ? 5 : 3;
	}
}

int
head_compare(const struct head *a, const struct head *b)
{
	int d = head_rank(a) - head_rank(b);

	return d ? d : strcmp(head_path(a), head_path(b));
}
