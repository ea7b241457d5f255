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
	const struct pack_rows *m;
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
	double *val;                    /* [longest] as given; its values in order */
	/* of rows that are laid out as bytes */
	uint32_t *wide;                 /* [n_col] */
	int32_t *place;                 /* [n_col] */
	uint64_t *there;                /* [n_row][n_chunk] a bit for each column that is there */
};

enum { ROOM_BIG = N_STREAM, ROOM_MORE, ROOM_PLANE, ROOM_FLAG, ROOM_WORD, ROOM_COUNT, ROOM_SORTED, ROOM_N, ROOM_VALUE, ROOM_VAL,
	ROOM_WIDE, ROOM_PLACE, ROOM_THERE, N_ROOM };
enum way { RISING, ANY_ORDER, AS_BYTES };

/* Cuts the arrays out of scratch. */
static void
take_room(struct work *k, enum way way, struct str *scratch)
{
	static const int bits[N_STREAM] = { 0, 0, MAX_WIDTH, 1, 2, 4, 8, 32 };
	const struct pack_rows *m = k->m;
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
	if (way == ANY_ORDER) {
		size[ROOM_SORTED] = (size_t)nnz * sizeof *k->sorted;
		size[ROOM_N] = (size_t)m->n_row * sizeof *k->n;
		size[ROOM_VALUE] = (size_t)m->n_col * sizeof *k->value;
		size[ROOM_VAL] = (size_t)longest * 2 * sizeof *k->val;
	} else if (way == AS_BYTES) {
		size[ROOM_WIDE] = (size_t)m->n_col * sizeof *k->wide;
		size[ROOM_PLACE] = (size_t)m->n_col * sizeof *k->place;
		size[ROOM_THERE] = (size_t)(m->n_row * chunks_of(m->n_col)) * sizeof *k->there;
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
	k->wide = (void *)at[ROOM_WIDE];
	k->place = (void *)at[ROOM_PLACE];
	k->there = (void *)at[ROOM_THERE];
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

/* Plane and big of a row, and what the head says of it. */
static uint8_t *
put_levels(struct work *k, const struct pack_sums *t, uint8_t *head)
{
	int64_t left = t->n_big;

	put_all(&k->to[S_PLANE], k->plane, t->n);
	left = k->code->level(k->big, left, 2, FROM_TWO, k->more, &k->to[S_TWO]);
	left = k->code->level(k->more, left, 4, FROM_NIBBLE, k->big, &k->to[S_NIBBLE]);
	left = k->code->level(k->big, left, 8, FROM_BYTE, k->more, &k->to[S_BYTE]);
	for (int64_t i = 0; i < left; i++)
		put_bits(&k->to[S_WORD], k->more[i] - FROM_WORD, 32);
	head = put_varint(head, (uint64_t)t->n);
	head = put_varint(head, t->sum - (uint64_t)t->n);
	return put_varint(head, t->max);
}

/* The values of a row; NULL when they are no counts. */
static uint8_t *
put_values(struct work *k, const double *val, int64_t n, uint8_t *head)
{
	struct pack_sums t = { .n = n };

	t.n_big = k->code->split(val, n, k->big, k->plane, &t.sum, &t.max);
	return t.n_big < 0 ? NULL : put_levels(k, &t, head);
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

/* The part of high of a row: n non-zeros at the places k->big. */
static void
put_high(struct work *k, int64_t n)
{
	uint8_t *flag = k->flag;
	const uint32_t *place = k->big;

	for (int64_t j = 0; j < n; j++)
		flag[place[j]] = 1;
	n += k->l.b.bucket[MAX_WIDTH + 1];
	k->code->squeeze(k->flag, (n + 63) / 64, (uint8_t *)k->word);
	put_all(&k->to[S_HIGH], (const uint8_t *)k->word, n);
}

/* The columns of a row: those of the frequent genes to bitmap, the others to the streams. */
static void
put_columns(struct work *k, const int32_t *col, int64_t n, uint8_t *bitmap)
{
	const struct bands *b = &k->l.b;
	uint8_t *flag = k->flag;
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
	put_high(k, n);
}

/* The same of a row whose columns are the bits of there. */
static void
put_words(struct work *k, const uint64_t *there, uint8_t *bitmap)
{
	const struct bands *b = &k->l.b;
	int64_t n = 0;

	memcpy(bitmap, there, (size_t)b->first[1] * sizeof *there);
	for (int w = 1; w <= MAX_WIDTH; w++) {
		int64_t from = n;

		if (b->first[w + 1] == b->first[w])
			continue;
		n += k->code->places(there + b->first[w], b->first[w + 1] - b->first[w], (int32_t *)k->more);
		k->code->cut((const int32_t *)k->more, n - from, 0, w, (int32_t)(b->bucket[w] + from), k->big + from, &k->to[S_LOW]);
	}
	put_high(k, n);
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

/* The columns are there: bits in k->there, when col is NULL; row by row at col, n[i] of them, or as in ptr. */
static int64_t
finish(struct work *k, const int32_t *col, const int64_t *n, uint8_t *dst, uint8_t *p)
{
	const struct pack_rows *m = k->m;
	int64_t words = chunks_of(m->n_col);
	uint8_t *at[N_STREAM], *bitmap;

	choose_bands(k);
	p = put_layout(&k->l, p, at);
	/* The streams aside are copied in order when those in place are done, which write behind their ends. */
	bitmap = at[S_BITMAP];
	k->start[S_HIGH] = k->to[S_HIGH].p = at[S_HIGH];
	for (int64_t i = 0; i < m->n_row; i++, bitmap += k->l.b.first[1] * (CHUNK / 8)) {
		int64_t here = n ? n[i] : m->ptr[i + 1] - m->ptr[i];

		if (col)
			put_columns(k, col, here, bitmap);
		else
			put_words(k, k->there + i * words, bitmap);
		col = col ? col + here : NULL;
	}
	for (int s = S_HIGH; s < N_STREAM; s++) {
		BUG_IF(bits_in(k, s) != k->l.bits[s]);
		if (s != S_HIGH)
			memcpy(at[s], k->start[s], (size_t)(k->l.bits[s] + 7) / 8);
	}
	memset(p, 0, PAD);
	return p + PAD - dst;
}

/* Whether rows are to be laid out as bytes: in most words of columns there is something, and their bits take no more room than
 * their columns would. */
static int
is_dense(const struct pack_rows *m)
{
	return m->n_row * chunks_of(m->n_col) <= 4 * (m->ptr[m->n_row] - m->ptr[0]);
}

/* Adds a row's columns, bits of there, to freq. */
static void
add_frequencies_of(struct work *k, const uint64_t *there, int64_t *freq)
{
	int64_t n = k->code->places(there, chunks_of(k->m->n_col), (int32_t *)k->more);

	for (int64_t j = 0; j < n; j++)
		freq[(int32_t)k->more[j]]++;
}

/* The places of the columns, narrow ones if that is enough: they are looked up all the time. */
static struct pack_places
places_of(struct work *k, const int32_t *place)
{
	int64_t n = k->m->n_col;
	uint16_t *narrow = (uint16_t *)k->place;

	if (n > 65536 && place)
		return (struct pack_places){ NULL, place };
	for (int64_t i = 0; i < n && n > 65536; i++)
		k->place[i] = (int32_t)i;
	for (int64_t i = 0; i < n && n <= 65536; i++)
		narrow[i] = (uint16_t)(place ? place[i] : i);
	return n > 65536 ? (struct pack_places){ NULL, k->place } : (struct pack_places){ narrow, NULL };
}

/* Rows in any order by way of bytes; 0 when a column or a value is none, or is 0, or a column comes twice. */
static int64_t
encode_bytes(const struct pack_rows *m, const int32_t *place, uint8_t *dst, int64_t *freq, struct str *scratch)
{
	const struct dense_encoder *dense = pack_dense_encoder();
	struct work k = { .m = m, .code = pack_encoder() };
	int64_t words = chunks_of(m->n_col);
	struct pack_places at;
	struct pack_sums t;
	uint8_t *p = dst;

	take_room(&k, AS_BYTES, scratch);
	at = places_of(&k, place);
	*p++ = PACK_VERSION;
	for (int64_t i = 0; i < m->n_row; i++) {
		int64_t n = m->ptr[i + 1] - m->ptr[i];

		if (!dense->spread(m, m->ptr[i], n, &at, k.flag, k.wide))
			return 0;
		dense->collect(k.flag, k.wide, words, k.there + i * words, k.count, k.big, k.plane, &t);
		if (t.n != n)
			return 0;
		p = put_levels(&k, &t, p);
	}
	for (int64_t i = 0; freq && i < m->n_row; i++)
		add_frequencies_of(&k, k.there + i * words, freq);
	return finish(&k, NULL, NULL, dst, p);
}

int64_t
pack_encode(const struct csr *from, uint8_t *dst, struct str *scratch)
{
	struct pack_rows m = pack_rows_of(from);
	struct work k = { .m = &m, .code = pack_encoder() };
	uint8_t *p = dst;

	take_room(&k, RISING, scratch);
	*p++ = PACK_VERSION;
	for (int64_t i = 0; i < m.n_row; i++) {
		int64_t n = m.ptr[i + 1] - m.ptr[i];

		p = put_values(&k, from->val + m.ptr[i], n, p);
		if (!p)
			return -1;
		count_chunks(&k, m.col + m.ptr[i], n);
	}
	return finish(&k, m.col + m.ptr[0], NULL, dst, p);
}

static int
columns_fit(const struct pack_rows *m)
{
	uint64_t bad = 0;

	for (int64_t j = m->ptr[0]; j < m->ptr[m->n_row]; j++)
		bad |= (uint32_t)m->col[j] >= (uint64_t)m->n_col;
	return !bad;
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
	const int32_t *from = k->m->col + at;
	double *given = k->val + n;
	uint8_t *end = NULL;

	for (int64_t j = 0; j < n; j++)
		given[j] = pack_value(k->m, at + j);
	k->n[i] = sort_row(k, place, from, given, n, col);
	if (k->n[i] == n)
		end = put_values(k, k->val, n, p);
	if (!end) {             /* zeros, or a place twice */
		k->n[i] = sort_any(k, place, from, given, n, col);
		end = put_values(k, k->val, k->n[i], p);
	}
	if (end)
		count_chunks(k, col, k->n[i]);
	return end;
}

int64_t
pack_encode_any(const struct pack_rows *m, const int32_t *place, uint8_t *dst, int64_t *n_item, int64_t *freq,
	struct str *scratch)
{
	struct work k = { .m = m, .code = pack_encoder() };
	uint8_t *p = dst;
	int32_t *col;
	int64_t n;

	if (pack_dense_encoder() && is_dense(m) && (n = encode_bytes(m, place, dst, freq, scratch)) > 0) {
		*n_item = m->ptr[m->n_row] - m->ptr[0];
		return n;
	}
	if (!columns_fit(m))
		return PACK_BAD_COLUMN;
	take_room(&k, ANY_ORDER, scratch);
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
