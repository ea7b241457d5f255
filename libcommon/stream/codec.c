/* codec - see codec.h */
#include "stream/codec.h"

#include <math.h>
#include <string.h>
#include "base/mem.h"
#include "base/rng.h"
#include "os/deflate.h"
#include "stream/pack.h"
#include "stream/wire.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "a big-endian machine needs swaps in codec.c and in the readers of raw payloads"
#endif

static int
is_csr(const struct head *h, const struct block *b)
{
	return (h->kind == KIND_SPARSE || h->kind == KIND_GRAPH) && !b->prelude;
}

int64_t
codec_raw_size(const struct head *h, const struct block *b, struct err *e)
{
	int64_t n = -1, w = dtype_width(h->dtype);
	int strings = h->kind == KIND_AXIS || h->dtype == DT_STR || (b->prelude && h->dtype == DT_CAT);

	if (e->code)
		return -1;
	if (is_csr(h, b)) {
		if (b->n_item <= b->n_row * h->n_col)
			n = b->n_row * 4 + b->n_item * (4 + w);
	} else if (b->prelude && h->kind == KIND_SPARSE) {
		if (b->n_row == h->n_col)
			n = b->n_row * 4;
	} else if (strings) {
		n = b->n_row * 4 + b->n_item;
	} else if (w && b->n_item == 0) {
		n = b->n_row * (h->kind == KIND_DENSE ? h->n_col : 1) * w;
	}
	if (b->prelude && h->kind != KIND_SPARSE && h->dtype != DT_CAT)
		n = -1;
	if (n >= 0 && b->codec == CODEC_RAW && n != b->stored)
		n = -1;
	/* Deflate shrinks by at most 1032 to 1: a head that says more is a lie that
	 * would cost memory. */
	if (n > 0 && b->codec == CODEC_DEFLATE && n / 1032 > b->stored)
		n = -1;
	if (n >= 0 && b->codec == CODEC_PACK && (h->kind != KIND_SPARSE || b->prelude || b->n_item / 8 > b->stored ||
	    b->n_row > b->stored / 3))
		n = -1;
	if (b->codec > CODEC_PACK)
		err_set(e, ERR_DATA, "%s: unknown codec %d: written by a newer version", head_path(h), b->codec);
	else if (n < 0)
		err_set(e, ERR_DATA, "damaged: %s: impossible block sizes", head_path(h));
	return e->code ? -1 : n;
}

/* Where the part with items of 4 bytes ends and values of their own width start. */
static int64_t
split_at(const struct head *h, const struct block *b, int64_t n)
{
	if (is_csr(h, b))
		return b->n_row * 4 + b->n_item * 4;
	if (b->prelude && h->kind == KIND_SPARSE)
		return n;
	if (h->kind == KIND_AXIS || h->dtype == DT_STR || b->prelude)
		return b->n_row * 4;
	return 0;
}

static int
second_width(const struct head *h, const struct block *b)
{
	return b->prelude || h->kind == KIND_AXIS || h->dtype == DT_STR ? 1 : dtype_width(h->dtype);
}

static void
hash_raw(const void *raw, int64_t n, uint64_t out[2])
{
	out[0] = 1;
	out[1] = 2;
	rng_hash2(raw, (uint64_t)n, out);
}

void
codec_encode(const struct head *h, struct block *b, const void *raw, int64_t n, struct str *stored)
{
	stored->n = 0;
	hash_raw(raw, n, b->hash);
	b->codec = CODEC_RAW;
	if (h->kind != KIND_DENSE && n > 64) {
		char *tmp = mem_raw(char, 2 * n);
		int64_t cut = split_at(h, b, n);
		size_t used;

		deflate_shuffle(raw, tmp, (size_t)cut, 4);
		deflate_shuffle((const char *)raw + cut, tmp + cut, (size_t)(n - cut), second_width(h, b));
		used = deflate_pack(1, tmp, (size_t)n, tmp + n, (size_t)(n - n / 16));
		if (used) {
			b->codec = CODEC_DEFLATE;
			str_addn(stored, tmp + n, used);
		}
		mem_free(tmp);
	}
	if (b->codec == CODEC_RAW)
		str_addn(stored, raw, (size_t)n);
	b->stored = (int64_t)stored->n;
	b->data_crc = deflate_crc(0, stored->s, stored->n);
}

int
codec_check_crc(const struct head *h, const struct block *b, const void *stored, struct err *e)
{
	if (deflate_crc(0, stored, (size_t)b->stored) != b->data_crc)
		return err_set(e, ERR_DATA, "damaged: %s: checksum of rows %lld to %lld", head_path(h),
		    (long long)b->row0, (long long)(b->row0 + b->n_row - 1));
	return 0;
}

int
codec_decode(const struct head *h, const struct block *b, const void *stored, struct str *raw, struct err *e)
{
	int64_t n = codec_raw_size(h, b, e), cut;
	char *tmp;

	if (e->code || codec_check_crc(h, b, stored, e))
		return e->code;
	BUG_IF(b->codec == CODEC_PACK);
	raw->n = 0;
	if (b->codec == CODEC_RAW) {
		str_addn(raw, stored, (size_t)n);
		return 0;
	}
	tmp = mem_raw(char, 2 * n);
	if (deflate_unpack(stored, (size_t)b->stored, tmp, (size_t)n, e) == 0) {
		cut = split_at(h, b, n);
		deflate_unshuffle(tmp, tmp + n, (size_t)cut, 4);
		deflate_unshuffle(tmp + cut, tmp + n + cut, (size_t)(n - cut), second_width(h, b));
		str_addn(raw, tmp + n, (size_t)n);
	}
	mem_free(tmp);
	return e->code;
}

/* Of rows that are no counts. */
static void
hash_csr(const struct csr *m, uint64_t out[2])
{
	int64_t n = m->ptr[m->n_row];

	out[0] = 1;
	out[1] = 2;
	rng_hash2(m->ptr, (uint64_t)(m->n_row + 1) * 8, out);
	rng_hash2(m->col, (uint64_t)n * 4, out);
	rng_hash2(m->val, (uint64_t)n * 8, out);
}

/* Of counts: of what the encoder makes of them, the zeros at its end left out. */
static void
hash_packed(const struct str *packed, uint64_t out[2])
{
	hash_raw(packed->s, (int64_t)packed->n - 8, out);
}

static void
room_to_pack(int64_t n_row, int64_t nnz, int64_t n_col, struct str *packed)
{
	size_t room = pack_bound(n_row, nnz, n_col);

	if (packed->cap < room + 1) {
		packed->s = mem_renew(packed->s, char, room + 1);
		packed->cap = room + 1;
	}
}

/* The packed bytes of m; 0 when it holds no counts. */
static int
pack(const struct csr *m, struct str *packed, struct str *scratch)
{
	int64_t n;

	room_to_pack(m->n_row, m->ptr[m->n_row], m->n_col, packed);
	n = pack_encode(m, (uint8_t *)packed->s, scratch);
	packed->n = n < 0 ? 0 : (size_t)n;
	return n >= 0;
}

/* Rows of m as a raw payload of counts, columns and values. */
static void
csr_to_raw(const struct head *h, const struct csr *m, struct str *raw)
{
	int64_t n = m->ptr[m->n_row];

	raw->n = 0;
	for (int64_t i = 0; i < m->n_row; i++) {
		uint32_t c = (uint32_t)(m->ptr[i + 1] - m->ptr[i]);

		str_addn(raw, &c, 4);
	}
	str_addn(raw, m->col, (size_t)n * 4);
	if (h->dtype == DT_F64) {
		str_addn(raw, m->val, (size_t)n * 8);
		return;
	}
	for (int64_t i = 0; i < n; i++) {
		float f = (float)m->val[i];

		str_addn(raw, &f, 4);
	}
}

static void
packed_block(struct block *b, const struct str *stored)
{
	hash_packed(stored, b->hash);
	b->codec = CODEC_PACK;
	b->stored = (int64_t)stored->n;
	b->data_crc = deflate_crc(0, stored->s, stored->n);
}

void
codec_encode_csr(const struct head *h, struct block *b, const struct csr *m, struct str *stored, struct str *scratch)
{
	b->n_row = m->n_row;
	b->n_item = m->ptr[m->n_row];
	if (h->kind == KIND_SPARSE && pack(m, stored, scratch)) {
		packed_block(b, stored);
		return;
	}
	csr_to_raw(h, m, scratch);
	codec_encode(h, b, scratch->s, (int64_t)scratch->n, stored);
	if (h->kind == KIND_SPARSE)
		hash_csr(m, b->hash);
}

int
codec_encode_any(struct block *b, const struct pack_rows *m, const int32_t *place, int64_t *freq, struct str *stored, struct str *scratch)
{
	int64_t n;

	room_to_pack(m->n_row, m->ptr[m->n_row] - m->ptr[0], m->n_col, stored);
	n = pack_encode_any(m, place, (uint8_t *)stored->s, &b->n_item, freq, scratch);
	stored->n = n < 0 ? 0 : (size_t)n;
	if (n < 0)
		return n == PACK_BAD_COLUMN ? -1 : 0;
	b->n_row = m->n_row;
	packed_block(b, stored);
	return 1;
}

/* Raw counts, columns, values -> m, everything checked. */
static int
raw_to_csr(const struct head *h, const struct block *b, const char *raw, struct csr *m, struct err *e)
{
	const char *col = raw + b->n_row * 4, *val = col + b->n_item * 4;
	int64_t at = 0;

	csr_reserve(m, b->n_row, b->n_item);
	m->ptr[0] = 0;
	for (int64_t i = 0; i < b->n_row; i++) {
		uint32_t c;

		memcpy(&c, raw + 4 * i, 4);
		at += c;
		if (at > b->n_item)
			break;
		m->ptr[i + 1] = at;
	}
	if (at != b->n_item)
		return err_set(e, ERR_DATA, "damaged: %s: row lengths", head_path(h));
	memcpy(m->col, col, (size_t)at * 4);
	if (h->dtype == DT_F64)
		memcpy(m->val, val, (size_t)at * 8);
	else
		for (int64_t i = 0; i < at; i++) {
			float f;

			memcpy(&f, val + 4 * i, 4);
			m->val[i] = f;
		}
	for (int64_t i = 0; i < b->n_row; i++) {
		int32_t last = -1;

		for (int64_t k = m->ptr[i]; k < m->ptr[i + 1]; k++) {
			if (m->col[k] <= last || m->col[k] >= h->n_col)
				return err_set(e, ERR_DATA, "damaged: %s: column numbers of row %lld", head_path(h),
				    (long long)(b->row0 + i));
			last = m->col[k];
		}
	}
	return 0;
}

int
codec_decode_csr(const struct head *h, const struct block *b, const void *stored, struct csr *m, struct str *scratch, struct err *e)
{
	m->row0 = b->row0;
	m->n_row = b->n_row;
	m->n_col = h->n_col;
	if (codec_raw_size(h, b, e) < 0)
		return e->code;
	if (b->codec == CODEC_PACK) {
		if (codec_check_crc(h, b, stored, e))
			return e->code;
		csr_reserve(m, b->n_row, b->n_item);
		if (pack_decode(stored, (size_t)b->stored, b->n_row, h->n_col, m, e) == 0 && m->ptr[m->n_row] != b->n_item)
			err_set(e, ERR_DATA, "damaged: %s: number of values", head_path(h));
		return e->code;
	}
	if (codec_decode(h, b, stored, scratch, e) == 0)
		raw_to_csr(h, b, scratch->s, m, e);
	return e->code;
}

int
codec_open(struct codec_reader *c, const struct head *h, const struct block *b, const void *stored, int check, struct err *e)
{
	int64_t nnz = 0;

	c->h = h;
	c->b = b;
	c->row = 0;
	if (b->codec != CODEC_PACK)
		return codec_decode_csr(h, b, stored, &c->m, &c->scratch, e);
	if (codec_raw_size(h, b, e) < 0 || (check && codec_check_crc(h, b, stored, e)))
		return e->code;
	if (!c->pack)
		c->pack = pack_reader_new();
	if (pack_open(c->pack, stored, (size_t)b->stored, b->n_row, h->n_col, e) == 0) {
		pack_fit(c->pack, INT64_MAX, &nnz);
		if (nnz != b->n_item)
			err_set(e, ERR_DATA, "damaged: %s: number of values", head_path(h));
	}
	return e->code;
}

int64_t
codec_fit(const struct codec_reader *c, int64_t most)
{
	int64_t n = c->row;

	if (c->b->codec == CODEC_PACK)
		return pack_fit(c->pack, most, NULL);
	while (n < c->m.n_row && c->m.ptr[n + 1] - c->m.ptr[c->row] <= most)
		n++;
	return n - c->row;
}

int
codec_take(struct codec_reader *c, int64_t n, const int32_t *map, int values, struct csr *m, struct err *e)
{
	int64_t at = m->n_row ? m->ptr[m->n_row] : 0, from = c->row;

	c->row += n;
	if (e->code)
		return e->code;
	if (c->b->codec == CODEC_PACK)
		return pack_take(c->pack, n, map, values, m, e);
	csr_reserve(m, m->n_row + n, at + c->m.ptr[c->row] - c->m.ptr[from]);
	m->ptr[0] = 0;
	for (int64_t i = from; i < c->row; i++) {
		for (int64_t k = c->m.ptr[i]; k < c->m.ptr[i + 1]; k++) {
			m->col[at] = map ? map[c->m.col[k]] : c->m.col[k];
			m->val[at] = c->m.val[k];
			at += values || c->m.val[k] != 0;
		}
		m->ptr[++m->n_row] = at;
	}
	return 0;
}

int
codec_skip(struct codec_reader *c, int64_t n, struct err *e)
{
	c->row += n;
	return n && c->b->codec == CODEC_PACK ? pack_skip(c->pack, n, e) : e->code;
}

int
codec_end(struct codec_reader *c, struct err *e)
{
	return c->b->codec == CODEC_PACK ? pack_end(c->pack, e) : e->code;
}

void
codec_reader_clear(struct codec_reader *c)
{
	pack_reader_free(c->pack);
	csr_clear(&c->m);
	str_clear(&c->scratch);
	memset(c, 0, sizeof *c);
}

static int
compare_hash(const struct head *h, const struct block *b, const uint64_t got[2], struct err *e)
{
	if (got[0] != b->hash[0] || got[1] != b->hash[1])
		return err_set(e, ERR_DATA, "damaged: %s: digest of rows %lld to %lld", head_path(h),
		    (long long)b->row0, (long long)(b->row0 + b->n_row - 1));
	return 0;
}

int
codec_check_hash(const struct head *h, const struct block *b, const void *raw, int64_t n, struct err *e)
{
	uint64_t got[2];

	hash_raw(raw, n, got);
	return compare_hash(h, b, got, e);
}

int
codec_check_hash_csr(const struct head *h, const struct block *b, const struct csr *m, struct err *e)
{
	uint64_t got[2];
	struct str raw = {0}, scratch = {0};

	if (h->kind == KIND_SPARSE && pack(m, &raw, &scratch)) {
		hash_packed(&raw, got);
	} else if (h->kind == KIND_SPARSE) {
		hash_csr(m, got);
	} else {
		csr_to_raw(h, m, &raw);
		hash_raw(raw.s ? raw.s : "", (int64_t)raw.n, got);
	}
	str_clear(&raw);
	str_clear(&scratch);
	return compare_hash(h, b, got, e);
}
