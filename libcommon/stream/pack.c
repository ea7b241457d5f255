/* pack - see pack.h: decoding; what is done with a row is in pack_rows.c and pack_rows_wide.c */
#include "stream/pack.h"

#include <string.h>
#include "base/mem.h"
#include "stream/pack_impl.h"

#define VARINT 10       /* bytes at most */

void
pack_count_buckets(struct bands *b)
{
	b->bucket[0] = b->bucket[1] = 0;
	for (int w = 1; w <= MAX_WIDTH; w++) {
		int64_t genes = (b->first[w + 1] - b->first[w]) * CHUNK;

		b->bucket[w + 1] = b->bucket[w] + ((genes + (1ll << w) - 1) >> w);
	}
}

size_t
pack_bound(int64_t n_row, int64_t nnz, int64_t n_col)
{
	/* a non-zero: twice 25 bits of column (bands follow each other, whatever is
	 * best for a chunk), 47 of value; a row: three varints, and buckets that are not full */
	return (size_t)(nnz * 13 + n_row * (25 + MAX_WIDTH / 8 + 1 + (n_col >> MAX_WIDTH) / 8 + 1) + 512);
}

/* ---- decoding ---- */

static int
damaged(struct err *e)
{
	return err_set(e, ERR_DATA, "packed counts: damaged");
}

/* Next varint of p .. end; NULL when there is none. */
static const uint8_t *
get_varint(const uint8_t *p, const uint8_t *end, uint64_t *v)
{
	*v = 0;
	for (int s = 0; p && p < end && s < 7 * VARINT; s += 7) {
		uint8_t b = *p++;

		if (s == 63 && b > 1)
			return NULL;
		*v |= (uint64_t)(b & 127) << s;
		if (!(b & 128))
			return p;
	}
	return NULL;
}

/* What the head says of the next row; NULL when it cannot be. */
static const uint8_t *
get_row_stats(const uint8_t *p, const uint8_t *end, uint64_t *nnz, uint64_t *sum, uint64_t *max)
{
	p = get_varint(p, end, nnz);
	p = get_varint(p, end, sum);
	p = get_varint(p, end, max);
	if (!p || *nnz > INT32_MAX || *max > 0xffffffffu || *nnz + *sum < *nnz)
		return NULL;
	*sum += *nnz;
	return p;
}

int
pack_row_stats(const uint8_t *src, size_t len, int64_t n_row, int64_t *nnz, uint64_t *sum, uint32_t *max,
	struct err *e)
{
	const uint8_t *p = src + 1, *end = src + len;

	if (e->code)
		return e->code;
	if (len < 1 || src[0] != PACK_VERSION)
		return damaged(e);
	for (int64_t i = 0; i < n_row; i++) {
		uint64_t n, s, most;

		p = get_row_stats(p, end, &n, &s, &most);
		if (!p)
			return damaged(e);
		if (nnz)
			nnz[i] = (int64_t)n;
		if (sum)
			sum[i] = s;
		if (max)
			max[i] = (uint32_t)most;
	}
	return 0;
}

/* Room for what is said of n rows. */
static void
reserve_rows(struct pack_reader *r, int64_t n)
{
	if (n <= r->cap_row)
		return;
	mem_free(r->nnz);
	mem_free(r->max);
	mem_free(r->sum);
	r->nnz = mem_raw(uint32_t, n);
	r->max = mem_raw(uint32_t, n);
	r->sum = mem_raw(uint64_t, n);
	r->cap_row = n;
}

/* Bands and lengths, and what they say of each other. */
static int
get_layout(struct pack_reader *r, const uint8_t *p, const uint8_t *end, uint64_t len, uint64_t nnz, struct err *e)
{
	struct layout *l = &r->l;
	uint64_t v, need = 0;

	l->b.first[0] = 0;
	for (int w = 0; w <= MAX_WIDTH; w++) {
		p = get_varint(p, end, &v);
		if (!p || v > (uint64_t)(chunks_of(r->n_col) - l->b.first[w]))
			return damaged(e);
		l->b.first[w + 1] = l->b.first[w] + (int64_t)v;
	}
	if (l->b.first[MAX_WIDTH + 1] != chunks_of(r->n_col))
		return damaged(e);
	pack_count_buckets(&l->b);
	for (int s = 0; s < N_STREAM; s++) {
		p = get_varint(p, end, &l->bits[s]);
		if (!p || l->bits[s] > 8 * len)
			return damaged(e);
		need += (l->bits[s] + 7) / 8;
	}
	if ((uint64_t)(end - p) != need + PAD || wire_get64(end - PAD) != 0 || l->bits[S_PLANE] != nnz ||
	    l->bits[S_TWO] % 2 || l->bits[S_NIBBLE] % 4 || l->bits[S_BYTE] % 8 || l->bits[S_WORD] % 32)
		return damaged(e);
	for (int s = 0; s < N_STREAM; s++) {
		r->stream[s] = p;
		r->at[s] = 0;
		p += (l->bits[s] + 7) / 8;
	}
	/* products without overflow: both sides are divided by n_row */
	v = (uint64_t)r->n_row;
	if (v && ((uint64_t)l->b.first[1] * CHUNK != l->bits[S_BITMAP] / v || l->bits[S_BITMAP] % v ||
	    (uint64_t)l->b.bucket[MAX_WIDTH + 1] > l->bits[S_HIGH] / v))
		return damaged(e);
	return 0;
}

/* Everything that the memory to be taken depends on is checked here against the bytes there are. */
int
pack_open(struct pack_reader *r, const uint8_t *src, size_t len, int64_t n_row, int64_t n_col, struct err *e)
{
	const uint8_t *p = src + 1, *end = src + len;
	uint64_t nnz = 0;

	if (e->code)
		return e->code;
	/* a row has three bytes at least */
	if (n_row < 0 || n_col < 0 || n_col > INT32_MAX - CHUNK || (uint64_t)n_row > (uint64_t)len / 3)
		return damaged(e);
	if (len < 1 + PAD || src[0] != PACK_VERSION)
		return damaged(e);
	reserve_rows(r, n_row);
	r->n_row = n_row;
	r->n_col = n_col;
	r->row = 0;
	r->skipped = 0;
	for (int64_t i = 0; i < n_row; i++) {
		uint64_t n, most;

		p = get_row_stats(p, end, &n, &r->sum[i], &most);
		nnz += p ? n : 0;
		if (!p || n > (uint64_t)n_col || nnz > 8 * (uint64_t)len)
			return damaged(e);
		r->nnz[i] = (uint32_t)n;
		r->max[i] = (uint32_t)most;
	}
	if (get_layout(r, p, end, len, nnz, e))
		return e->code;
	r->none = r->l.b.first[1] * CHUNK > n_col ? ~0ull << n_col % CHUNK : 0;
	return 0;
}

struct pack_reader *
pack_reader_new(void)
{
	return mem_new(struct pack_reader, 1);
}

void
pack_reader_free(struct pack_reader *r)
{
	if (!r)
		return;
	mem_free(r->nnz);
	mem_free(r->max);
	mem_free(r->sum);
	for (int i = 0; i < 4; i++)
		mem_free(r->level[i]);
	mem_free(r->same);
	mem_free(r);
}

int64_t
pack_fit(const struct pack_reader *r, int64_t most, int64_t *nnz)
{
	int64_t n = 0, all = 0;

	for (int64_t i = r->row; i < r->n_row && all + r->nnz[i] <= most; i++, n++)
		all += r->nnz[i];
	if (nnz)
		*nnz = all;
	return n;
}

/* --- values --- */

/* The number of values on each level among the next n non-zeros; passes over them.  0 when there are not as many. */
static int
pass_levels(struct pack_reader *r, const struct decoder *c, int64_t n, int64_t count[4])
{
	for (int i = 0, k = 1; i < 4; i++, k *= 2) {
		int s = S_PLANE + i;

		if (r->at[s] + (uint64_t)(n * k) > r->l.bits[s])
			return 0;
		count[i] = c->count(r->stream[s], r->at[s], n, k);
		r->at[s] += (uint64_t)(n * k);
		n = count[i];
	}
	if (r->at[S_WORD] + 32 * (uint64_t)n > r->l.bits[S_WORD])
		return 0;
	r->at[S_WORD] += 32 * (uint64_t)n;
	return 1;
}

/* The values above 1 among the next n non-zeros to r->big, the deepest level first. */
static int
get_levels(struct pack_reader *r, const struct decoder *c, int64_t n)
{
	static const uint32_t from[] = { FROM_TWO, FROM_NIBBLE, FROM_BYTE };
	int64_t count[4];
	uint64_t at[N_STREAM];

	memcpy(at, r->at, sizeof at);
	if (!pass_levels(r, c, n, count))
		return 0;
	if (n > r->cap || !r->level[0]) {
		for (int i = 0; i < 4; i++) {
			mem_free(r->level[i]);
			r->level[i] = mem_raw(uint32_t, n + n / 8 + SLACK);
		}
		r->cap = n + n / 8;
	}
	for (int64_t i = 0; i < count[3]; i++) {
		uint32_t x = wire_get32(r->stream[S_WORD] + at[S_WORD] / 8 + 4 * (size_t)i);

		if (x > 0xffffffffu - FROM_WORD)
			return 0;
		r->level[3][i] = x + FROM_WORD;
	}
	for (int i = 2; i >= 0; i--)
		c->level(r->stream[S_TWO + i], at[S_TWO + i], count[i], 2 << i, from[i], r->level[i + 1], r->level[i]);
	r->big = r->level[0];
	return 1;
}

/* --- rows --- */

/* The next row's columns; *n is how many the head says. */
static int
get_columns(struct pack_reader *r, const struct decoder *c, const int32_t *map, int32_t *col, int64_t n)
{
	int64_t words = r->l.b.first[1], k;
	const uint8_t *p = r->stream[S_BITMAP] + r->at[S_BITMAP] / 8;

	if (r->none && wire_get64(p + 8 * (words - 1)) & r->none)
		return 0;
	k = c->bitmap(p, words, map ? map : r->same, col, n);
	r->at[S_BITMAP] += (uint64_t)words * CHUNK;
	return k <= n && c->buckets(r, map, col + k, n - k);
}

/* 0, 1, 2, ... as far as the bitmap goes. */
static void
fill_same(struct pack_reader *r)
{
	int64_t n = r->l.b.first[1] * CHUNK;

	if (n <= r->cap_same)
		return;
	mem_free(r->same);
	r->same = mem_raw(int32_t, n);
	for (int64_t i = 0; i < n; i++)
		r->same[i] = (int32_t)i;
	r->cap_same = n;
}

static int
get_values(struct pack_reader *r, const struct decoder *c, uint64_t plane, double *val, int64_t n)
{
	int64_t n_big = c->count(r->stream[S_PLANE], plane, n, 1);
	uint32_t max = n > 0;
	uint64_t sum = (uint64_t)n + c->total(r->big, n_big, &max);

	c->values(r->stream[S_PLANE], plane, n, r->big, val);
	r->big += n_big;
	return sum == r->sum[r->row] && max == r->max[r->row];
}

int
pack_take(struct pack_reader *r, int64_t n, const int32_t *map, int values, struct csr *m, struct err *e)
{
	const struct decoder *c = pack_decoder();
	int64_t nnz = 0, at = m->n_row ? m->ptr[m->n_row] : 0;
	uint64_t plane = r->at[S_PLANE];

	if (e->code)
		return e->code;
	for (int64_t i = r->row; i < r->row + n; i++)
		nnz += r->nnz[i];
	csr_reserve(m, m->n_row + n, at + nnz + SLACK);
	m->ptr[0] = 0;
	if (!map)
		fill_same(r);
	r->skipped |= !values;
	if (values && !get_levels(r, c, nnz))
		return damaged(e);
	for (; n > 0; n--, r->row++) {
		int64_t k = r->nnz[r->row];

		if (!get_columns(r, c, map, m->col + at, k) || (values && !get_values(r, c, plane, m->val + at, k)))
			return damaged(e);
		plane += (uint64_t)k;
		at += k;
		m->ptr[++m->n_row] = at;
	}
	return 0;
}

int
pack_skip(struct pack_reader *r, int64_t n, struct err *e)
{
	const struct decoder *c = pack_decoder();
	int64_t words = r->l.b.first[1], nnz = 0, count[4];

	if (e->code)
		return e->code;
	for (; n > 0; n--, r->row++) {
		int64_t left = r->nnz[r->row], cut[MAX_WIDTH + 2];

		nnz += left;
		left -= c->count(r->stream[S_BITMAP], r->at[S_BITMAP], words * CHUNK, 1);
		if (left < 0 || !c->cuts(r, left, cut))
			return damaged(e);
		r->at[S_BITMAP] += (uint64_t)words * CHUNK;
		r->at[S_HIGH] += (uint64_t)(r->l.b.bucket[MAX_WIDTH + 1] + left);
		for (int w = 1; w <= MAX_WIDTH; w++)
			r->at[S_LOW] += (uint64_t)(w * (cut[w + 1] - cut[w]));
	}
	return r->skipped || pass_levels(r, c, nnz, count) ? 0 : damaged(e);
}

int
pack_end(struct pack_reader *r, struct err *e)
{
	int last = r->skipped ? S_LOW : S_WORD;

	if (e->code)
		return e->code;
	for (int s = 0; s <= last; s++)
		if (r->at[s] != r->l.bits[s])
			return damaged(e);
	return r->row == r->n_row ? 0 : damaged(e);
}

int
pack_decode(const uint8_t *src, size_t len, int64_t n_row, int64_t n_col, struct csr *m, struct err *e)
{
	struct pack_reader *r = pack_reader_new();
	int64_t nnz;

	m->n_row = 0;
	m->n_col = n_col;
	csr_reserve(m, 0, 0);
	m->ptr[0] = 0;
	if (pack_open(r, src, len, n_row, n_col, e) == 0) {
		pack_fit(r, INT64_MAX, &nnz);
		csr_reserve(m, n_row, nnz + SLACK);
		for (int64_t n, left = n_row; left > 0 && !e->code; left -= n) {
			n = pack_fit(r, PACK_STRIP, NULL);
			n = n ? n : 1;
			pack_take(r, n, NULL, 1, m, e);
		}
		pack_end(r, e);
	}
	pack_reader_free(r);
	return e->code;
}
