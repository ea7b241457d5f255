/* pack_encode - see pack.h: encoding
 *
 * Two passes over the rows.  The first, of values and columns, writes the head and the levels of the values, and
 * counts each chunk's non-zeros, from which the bands follow.  The second writes the columns.
 */
#include <string.h>
#include "base/mem.h"
#include "stream/pack.h"
#include "stream/pack_impl.h"

#define BEHIND 128      /* bytes that may be written behind an array */

static uint8_t *
put_varint(uint8_t *p, uint64_t v)
{
	for (; v >= 128; v >>= 7)
		*p++ = (uint8_t)(v | 128);
	*p++ = (uint8_t)v;
	return p;
}

/* A block on its way. */
struct work {
	const struct csr *m;
	const struct encoder *code;
	struct layout l;
	uint8_t *start[N_STREAM];       /* of the streams that are made aside: all but bitmap and high */
	struct writer to[N_STREAM];
	uint32_t *big, *more;           /* of a row: values above 1; what is left of them from level to level; and else */
	uint8_t *plane;                 /* a row's */
	uint8_t *flag;                  /* a row's columns, or its part of high, a byte each; zero between rows */
	uint64_t *word;                 /* the same as bits */
	int64_t *count;                 /* [n_chunk] non-zeros */
	/* of rows in any order */
	int32_t *sorted;                /* [nnz] columns of all rows, row by row, rising */
	int64_t *n;                     /* [n_row] how many */
	double *value;                  /* [n_col] of a row */
	double *val;                    /* its values in order */
};

enum { ROOM_BIG = N_STREAM, ROOM_MORE, ROOM_PLANE, ROOM_FLAG, ROOM_WORD, ROOM_COUNT, ROOM_SORTED, ROOM_N, ROOM_VALUE, ROOM_VAL,
	N_ROOM };

/* Cuts the arrays out of scratch. */
static void
take_room(struct work *k, int sorted, struct str *scratch)
{
	static const int bits[N_STREAM] = { 0, 0, MAX_WIDTH, 1, 2, 4, 8, 32 };
	const struct csr *m = k->m;
	int64_t nnz = m->ptr[m->n_row] - m->ptr[0], longest = 0, flags;
	size_t size[N_ROOM] = {0}, all = 0;
	uint8_t *at[N_ROOM], *p;

	for (int64_t i = 0; i < m->n_row; i++)
		longest = m->ptr[i + 1] - m->ptr[i] > longest ? m->ptr[i + 1] - m->ptr[i] : longest;
	/* a row of high has less than n_col / 2 + 64 buckets */
	flags = (m->n_col + longest + 256) / 64 * 64;
	for (int s = 0; s < N_STREAM; s++)
		size[s] = (size_t)(nnz * bits[s] / 8);
	size[ROOM_BIG] = size[ROOM_MORE] = (size_t)longest * 8;
	size[ROOM_PLANE] = (size_t)longest / 8;
	size[ROOM_FLAG] = (size_t)flags;
	size[ROOM_WORD] = (size_t)flags / 8;
	size[ROOM_COUNT] = (size_t)chunks_of(m->n_col) * sizeof *k->count;
	if (!sorted) {
		size[ROOM_SORTED] = (size_t)nnz * sizeof *k->sorted;
		size[ROOM_N] = (size_t)m->n_row * sizeof *k->n;
		size[ROOM_VALUE] = (size_t)m->n_col * sizeof *k->value;
		size[ROOM_VAL] = (size_t)longest * sizeof *k->val;
	}
	for (int i = 0; i < N_ROOM; i++)
		all += size[i] = (size[i] + BEHIND + 63) / 64 * 64;
	scratch->n = 0;
	if (scratch->cap < all + 64) {
		mem_free(scratch->s);           /* what is there need not be copied */
		scratch->cap = all + 64;
		scratch->s = mem_renew(NULL, char, scratch->cap);
	}
	p = (uint8_t *)scratch->s + (64 - (uintptr_t)scratch->s % 64);
	for (int i = 0; i < N_ROOM; p += size[i++])
		at[i] = p;
	for (int s = 0; s < N_STREAM; s++)
		k->to[s].p = k->start[s] = at[s];
	k->big = (void *)at[ROOM_BIG];
	k->more = (void *)at[ROOM_MORE];
	k->plane = at[ROOM_PLANE];
	k->flag = at[ROOM_FLAG];
	k->word = (void *)at[ROOM_WORD];
	k->count = (void *)at[ROOM_COUNT];
	k->sorted = (void *)at[ROOM_SORTED];
	k->n = (void *)at[ROOM_N];
	k->value = (void *)at[ROOM_VALUE];
	k->val = (void *)at[ROOM_VAL];
	memset(k->flag, 0, (size_t)flags);
	memset(k->count, 0, size[ROOM_COUNT]);
}

static uint64_t
bits_in(const struct work *k, int s)
{
	return 8 * (uint64_t)(k->to[s].p - k->start[s]) + (uint64_t)k->to[s].n;
}

/* n bits, those behind them being anything. */
static void
put_all(struct writer *w, const uint8_t *p, int64_t n)
{
	uint64_t carry = w->acc;

	for (; n >= 64; n -= 64, p += 8, w->p += 8) {
		uint64_t v = wire_get64(p);

		wire_put64(w->p, carry | v << w->n);
		carry = w->n ? v >> (64 - w->n) : 0;
	}
	w->acc = carry;
	wire_put64(w->p, carry);
	for (; n > 0; n -= 32, p += 4)
		put_bits(w, wire_get32(p) & ((1ull << (n < 32 ? n : 32)) - 1), n < 32 ? (int)n : 32);
}

/* The values of a row and what the head says of them; NULL when they are no counts. */
static uint8_t *
put_values(struct work *k, const double *val, int64_t n, uint8_t *head)
{
	uint64_t sum;
	uint32_t max;
	int64_t left = k->code->split(val, n, k->big, k->plane, &sum, &max);

	if (left < 0)
		return NULL;
	put_all(&k->to[S_PLANE], k->plane, n);
	left = k->code->level(k->big, left, 2, FROM_TWO, k->more, &k->to[S_TWO]);
	left = k->code->level(k->more, left, 4, FROM_NIBBLE, k->big, &k->to[S_NIBBLE]);
	left = k->code->level(k->big, left, 8, FROM_BYTE, k->more, &k->to[S_BYTE]);
	for (int64_t i = 0; i < left; i++)
		put_bits(&k->to[S_WORD], k->more[i] - FROM_WORD, 32);
	head = put_varint(head, (uint64_t)n);
	head = put_varint(head, sum - (uint64_t)n);
	return put_varint(head, max);
}

/* Adds a row's columns, which must rise below n_col, to the numbers of non-zeros of the chunks. */
static void
count_chunks(struct work *k, const int32_t *col, int64_t n)
{
	int64_t n_run;

	if (n == 0)
		return;
	n_run = k->code->runs(col, n, k->more);
	BUG_IF(n_run < 0 || col[0] < 0 || col[n - 1] >= k->m->n_col);
	k->more[n_run] = (uint32_t)n;
	for (int64_t j = 0; j < n_run; j++)
		k->count[col[k->more[j]] / CHUNK] += k->more[j + 1] - k->more[j];
}

/* Bits that n_row rows with nnz non-zeros in a chunk cost in band w. */
static double
chunk_cost(int w, int64_t n_row, int64_t nnz)
{
	if (w == 0)
		return (double)(n_row * CHUNK);
	return (double)nnz * (w + 1) + (double)(n_row * CHUNK) / (double)(1ll << w);
}

/* The best band of each chunk, never below that of the chunk before, and so the
 * lengths of the streams of columns. */
static void
choose_bands(struct work *k)
{
	int64_t n_row = k->m->n_row, n_chunk = chunks_of(k->m->n_col);
	struct layout *l = &k->l;
	int w = 0;

	for (int64_t c = 0; c < n_chunk; c++) {
		int64_t n = k->count[c];
		int best = 0;

		for (int v = 1; v <= MAX_WIDTH; v++)
			if (chunk_cost(v, n_row, n) < chunk_cost(best, n_row, n))
				best = v;
		for (; w < best; w++)
			l->b.first[w + 1] = c;
		l->bits[S_HIGH] += w > 0 ? (uint64_t)n : 0;
		l->bits[S_LOW] += (uint64_t)w * (uint64_t)n;
	}
	for (; w <= MAX_WIDTH; w++)
		l->b.first[w + 1] = n_chunk;
	pack_count_buckets(&l->b);
	l->bits[S_BITMAP] = (uint64_t)(n_row * l->b.first[1]) * CHUNK;
	l->bits[S_HIGH] += (uint64_t)(n_row * l->b.bucket[MAX_WIDTH + 1]);
	for (int s = S_PLANE; s < N_STREAM; s++)
		l->bits[s] = bits_in(k, s);
}

/* The columns of a row: those of the frequent genes to bitmap, the others to the streams. */
static void
put_columns(struct work *k, const int32_t *col, int64_t n, uint8_t *bitmap)
{
	const struct bands *b = &k->l.b;
	uint8_t *flag = k->flag;
	const uint32_t *place = k->big;
	int64_t j = 0, end = b->first[1] * CHUNK;

	for (; j < n && col[j] < end; j++)
		flag[col[j]] = 1;
	k->code->squeeze(k->flag, b->first[1], bitmap);
	n -= j;
	col += j;
	j = 0;
	for (int w = 1; w <= MAX_WIDTH && j < n; w++) {
		int64_t from = j;

		end = b->first[w + 1] * CHUNK;
		while (j < n && col[j] < end)
			j++;
		k->code->cut(col + from, j - from, (int32_t)(b->first[w] * CHUNK), w, (int32_t)(b->bucket[w] + from),
		    k->big + from, &k->to[S_LOW]);
	}
	for (j = 0; j < n; j++)
		flag[place[j]] = 1;
	n += b->bucket[MAX_WIDTH + 1];
	k->code->squeeze(k->flag, (n + 63) / 64, (uint8_t *)k->word);
	put_all(&k->to[S_HIGH], (const uint8_t *)k->word, n);
}

/* The head behind the rows' statistics; fills where the streams will stand and returns what is behind them. */
static uint8_t *
put_layout(const struct layout *l, uint8_t *p, uint8_t *at[N_STREAM])
{
	for (int w = 0; w <= MAX_WIDTH; w++)
		p = put_varint(p, (uint64_t)(l->b.first[w + 1] - l->b.first[w]));
	for (int s = 0; s < N_STREAM; s++)
		p = put_varint(p, l->bits[s]);
	for (int s = 0; s < N_STREAM; s++) {
		at[s] = p;
		p += (l->bits[s] + 7) / 8;
	}
	return p;
}

/* The columns are there: row by row at col, n[i] of them, or as in ptr. */
static int64_t
finish(struct work *k, const int32_t *col, const int64_t *n, uint8_t *dst, uint8_t *p)
{
	const struct csr *m = k->m;
	uint8_t *at[N_STREAM], *bitmap;

	choose_bands(k);
	p = put_layout(&k->l, p, at);
	/* The streams aside are copied in order when those in place are done, which write behind their ends. */
	bitmap = at[S_BITMAP];
	k->start[S_HIGH] = k->to[S_HIGH].p = at[S_HIGH];
	for (int64_t i = 0; i < m->n_row; i++, bitmap += k->l.b.first[1] * (CHUNK / 8)) {
		int64_t here = n ? n[i] : m->ptr[i + 1] - m->ptr[i];

		put_columns(k, col, here, bitmap);
		col += here;
	}
	for (int s = S_HIGH; s < N_STREAM; s++) {
		BUG_IF(bits_in(k, s) != k->l.bits[s]);
		if (s != S_HIGH)
			memcpy(at[s], k->start[s], (size_t)(k->l.bits[s] + 7) / 8);
	}
	memset(p, 0, PAD);
	return p + PAD - dst;
}

int64_t
pack_encode(const struct csr *m, uint8_t *dst, struct str *scratch)
{
	struct work k = { .m = m, .code = pack_encoder() };
	uint8_t *p = dst;

	take_room(&k, 1, scratch);
	*p++ = PACK_VERSION;
	for (int64_t i = 0; i < m->n_row; i++) {
		int64_t n = m->ptr[i + 1] - m->ptr[i];

		p = put_values(&k, m->val + m->ptr[i], n, p);
		if (!p)
			return -1;
		count_chunks(&k, m->col + m->ptr[i], n);
	}
	return finish(&k, m->col + m->ptr[0], NULL, dst, p);
}

/* Whether rows are as pack_encode wants them, but for zeros. */
static int
in_order(struct work *k)
{
	const struct csr *m = k->m;

	for (int64_t i = 0; i < m->n_row; i++) {
		int64_t n = m->ptr[i + 1] - m->ptr[i];

		if (n && k->code->runs(m->col + m->ptr[i], n, k->more) < 0)
			return 0;
	}
	return 1;
}

static void
add_frequencies(const int32_t *col, int64_t n, int64_t *freq)
{
	for (int64_t j = 0; j < n; j++)
		freq[col[j]]++;
}

/* The flags of a row become its columns, rising, and k->val their values; their number. */
static int64_t
collect(struct work *k, int32_t *to)
{
	int64_t n_word = (k->m->n_col + 63) / 64, n;

	k->code->squeeze(k->flag, n_word, (uint8_t *)k->word);
	n = k->code->places(k->word, n_word, to);
	k->code->gather(k->value, to, n, k->val);
	return n;
}

/* Sorts n entries of a row by their places, no two of which are the same; if some are, the number is another. */
static int64_t
sort_row(struct work *k, const int32_t *place, const int32_t *col, const double *val, int64_t n, int32_t *to)
{
	uint8_t *flag = k->flag;
	double *value = k->value;

	for (int64_t j = 0; j < n && place; j++) {
		flag[place[col[j]]] = 1;
		value[place[col[j]]] = val[j];
	}
	for (int64_t j = 0; j < n && !place; j++) {
		flag[col[j]] = 1;
		value[col[j]] = val[j];
	}
	return collect(k, to);
}

/* The same for any entries: zeros are left out, and a place that is given twice adds up, as in a COO matrix. */
static int64_t
sort_any(struct work *k, const int32_t *place, const int32_t *col, const double *val, int64_t n, int32_t *to)
{
	for (int64_t j = 0; j < n; j++)
		k->value[place ? place[col[j]] : col[j]] = 0;
	for (int64_t j = 0; j < n; j++) {
		int32_t c = place ? place[col[j]] : col[j];

		k->flag[c] |= val[j] != 0;
		k->value[c] += val[j];
	}
	return collect(k, to);
}

/* Row i with its columns sorted to col; NULL when its values are no counts. */
static uint8_t *
put_row(struct work *k, const int32_t *place, int64_t i, int32_t *col, uint8_t *p)
{
	int64_t at = k->m->ptr[i], n = k->m->ptr[i + 1] - at;
	uint8_t *end = NULL;

	k->n[i] = sort_row(k, place, k->m->col + at, k->m->val + at, n, col);
	if (k->n[i] == n)
		end = put_values(k, k->val, n, p);
	if (!end) {             /* zeros, or a place twice */
		k->n[i] = sort_any(k, place, k->m->col + at, k->m->val + at, n, col);
		end = put_values(k, k->val, k->n[i], p);
	}
	if (end)
		count_chunks(k, col, k->n[i]);
	return end;
}

int64_t
pack_encode_any(const struct csr *m, const int32_t *place, uint8_t *dst, int64_t *n_item, int64_t *freq, struct str *scratch)
{
	struct work k = { .m = m, .code = pack_encoder() };
	uint8_t *p = dst;
	int32_t *col;
	int64_t n;

	take_room(&k, 0, scratch);
	if (!place && in_order(&k) && (n = pack_encode(m, dst, scratch)) >= 0) {
		*n_item = m->ptr[m->n_row] - m->ptr[0];
		if (freq)
			add_frequencies(m->col + m->ptr[0], *n_item, freq);
		return n;
	}
	take_room(&k, 0, scratch);
	col = k.sorted;
	*p++ = PACK_VERSION;
	for (int64_t i = 0; i < m->n_row; col += k.n[i++]) {
		p = put_row(&k, place, i, col, p);
		if (!p)
			return -1;
	}
	*n_item = col - k.sorted;
	if (freq)
		add_frequencies(k.sorted, *n_item, freq);
	return finish(&k, k.sorted, k.n, dst, p);
}
