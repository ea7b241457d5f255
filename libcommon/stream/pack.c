/* pack - see pack.h: encoding, and decoding but for the rows (pack_rows.c) */
#include "stream/pack.h"

#include <string.h>
#include "base/mem.h"
#include "stream/pack_impl.h"

#define VERSION 1
#define VARINT 10       /* bytes at most */
#define SPARE 4         /* elements that get_level looks at too early */

static int64_t
chunks_of(int64_t n_col)
{
	return (n_col + CHUNK - 1) / CHUNK;
}

static void
count_buckets(struct bands *b)
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

/* ---- encoding ---- */

static uint8_t *
put_varint(uint8_t *p, uint64_t v)
{
	for (; v >= 128; v >>= 7)
		*p++ = (uint8_t)(v | 128);
	*p++ = (uint8_t)v;
	return p;
}

struct writer {
	uint8_t *p;
	uint64_t acc;
	int n;                  /* bits in acc, < 32 */
};

/* k <= 32 bits of v, the others being 0. */
static inline void
put_bits(struct writer *w, uint64_t v, int k)
{
	w->acc |= v << w->n;
	w->n += k;
	if (w->n >= 32) {
		wire_put32(w->p, (uint32_t)w->acc);
		w->p += 4;
		w->acc >>= 32;
		w->n -= 32;
	}
}

static void
put_end(struct writer *w)
{
	for (; w->n > 0; w->n -= 8) {
		*w->p++ = (uint8_t)w->acc;
		w->acc >>= 8;
	}
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
choose_bands(const struct csr *m, struct layout *l)
{
	int64_t n_chunk = chunks_of(m->n_col), nnz = m->ptr[m->n_row];
	int32_t *count = mem_new(int32_t, n_chunk);
	int w = 0;

	memset(l, 0, sizeof *l);
	for (int64_t k = 0; k < nnz; k++)
		count[(uint32_t)m->col[k] / CHUNK]++;
	for (int64_t c = 0; c < n_chunk; c++) {
		int best = 0;

		for (int v = 1; v <= MAX_WIDTH; v++)
			if (chunk_cost(v, m->n_row, count[c]) < chunk_cost(best, m->n_row, count[c]))
				best = v;
		for (; w < best; w++)
			l->b.first[w + 1] = c;
		l->bits[S_HIGH] += w > 0 ? (uint64_t)count[c] : 0;
		l->bits[S_LOW] += (uint64_t)w * (uint64_t)count[c];
	}
	for (; w <= MAX_WIDTH; w++)
		l->b.first[w + 1] = n_chunk;
	mem_free(count);
	count_buckets(&l->b);
	l->bits[S_BITMAP] = (uint64_t)(m->n_row * l->b.first[1]) * CHUNK;
	l->bits[S_HIGH] += (uint64_t)(m->n_row * l->b.bucket[MAX_WIDTH + 1]);
}

/* The values of a block by levels, an element each. */
struct levels {
	uint8_t *two, *nibble, *byte;
	uint32_t *word;
};

/* Fills the levels without branches and writes the plane [(nnz + 7) / 8]. */
static void
split_values(const double *val, int64_t nnz, struct levels *v, uint8_t *plane, struct layout *l)
{
	int64_t n2 = 0, n4 = 0, n8 = 0, n32 = 0;
	uint32_t bits = 0;

	for (int64_t k = 0; k < nnz; k++) {
		uint32_t x = (uint32_t)val[k];

		v->two[n2] = (uint8_t)(x < FROM_NIBBLE ? x - FROM_TWO : 3);
		v->nibble[n4] = (uint8_t)(x < FROM_BYTE ? x - FROM_NIBBLE : 15);
		v->byte[n8] = (uint8_t)(x < FROM_WORD ? x - FROM_BYTE : 255);
		v->word[n32] = x - FROM_WORD;
		n2 += x >= FROM_TWO;
		n4 += x >= FROM_NIBBLE;
		n8 += x >= FROM_BYTE;
		n32 += x >= FROM_WORD;
		bits |= (uint32_t)(x >= FROM_TWO) << (k % 8);
		if (k % 8 == 7 || k == nnz - 1) {
			plane[k / 8] = (uint8_t)bits;
			bits = 0;
		}
	}
	l->bits[S_PLANE] = (uint64_t)nnz;
	l->bits[S_TWO] = 2 * (uint64_t)n2;
	l->bits[S_NIBBLE] = 4 * (uint64_t)n4;
	l->bits[S_BYTE] = 8 * (uint64_t)n8;
	l->bits[S_WORD] = 32 * (uint64_t)n32;
}

static uint8_t *
put_head(const struct csr *m, const struct layout *l, uint8_t *p)
{
	*p++ = VERSION;
	for (int64_t i = 0; i < m->n_row; i++) {
		uint64_t n = (uint64_t)(m->ptr[i + 1] - m->ptr[i]), sum = 0;
		int64_t last = -1, max = 0;
		int bad = 0;

		for (int64_t k = m->ptr[i]; k < m->ptr[i + 1]; k++) {
			int64_t x;

			BUG_IF(!(m->val[k] >= 1 && m->val[k] <= 4294967295.0));
			x = (int64_t)m->val[k];
			bad |= ((double)x != m->val[k]) | (m->col[k] <= last);
			last = m->col[k];
			sum += (uint64_t)x;
			max = x > max ? x : max;
		}
		BUG_IF(bad || last >= m->n_col);
		p = put_varint(p, n);
		p = put_varint(p, sum - n);
		p = put_varint(p, (uint64_t)max);
	}
	for (int w = 0; w <= MAX_WIDTH; w++)
		p = put_varint(p, (uint64_t)(l->b.first[w + 1] - l->b.first[w]));
	for (int s = 0; s < N_STREAM; s++)
		p = put_varint(p, l->bits[s]);
	return p;
}

/* The genes of a row that stand in the bitmap; returns the first entry that does not. */
static int64_t
put_bitmap(const struct csr *m, const struct bands *b, int64_t i, uint8_t *p)
{
	int64_t k = m->ptr[i], end = m->ptr[i + 1];

	for (int64_t c = 0; c < b->first[1] * CHUNK; c += 64, p += 8) {
		uint64_t word = 0;

		for (; k < end && m->col[k] < c + 64; k++)
			word |= 1ull << (m->col[k] - c);
		wire_put64(p, word);
	}
	return k;
}

/* The other genes of a row, from entry k on: ones in high (all zero before) from bit at on, and low. */
static void
put_buckets(const struct csr *m, const struct bands *b, int64_t i, int64_t k, uint8_t *high, uint64_t at,
	struct writer *low)
{
	int64_t base = 0, stop = 0, end = m->ptr[i + 1];
	int w = 0;

	for (; k < end; k++, at++) {
		uint64_t off, to;

		while (m->col[k] >= stop) {
			base = b->first[++w] * CHUNK;
			stop = b->first[w + 1] * CHUNK;
		}
		off = (uint64_t)(m->col[k] - base);
		to = at + (uint64_t)b->bucket[w] + (off >> w);
		high[to / 8] |= (uint8_t)(1 << to % 8);
		put_bits(low, off & ((1ull << w) - 1), w);
	}
}

static void
put_columns(const struct csr *m, const struct layout *l, uint8_t *bitmap, uint8_t *high, uint8_t *low)
{
	struct writer w = { .p = low };
	uint64_t at = 0;

	memset(high, 0, (size_t)((l->bits[S_HIGH] + 7) / 8));
	for (int64_t i = 0; i < m->n_row; i++) {
		int64_t k = put_bitmap(m, &l->b, i, bitmap);

		put_buckets(m, &l->b, i, k, high, at, &w);
		bitmap += l->b.first[1] * (CHUNK / 8);
		at += (uint64_t)(l->b.bucket[MAX_WIDTH + 1] + m->ptr[i + 1] - k);
	}
	BUG_IF(at != l->bits[S_HIGH]);
	put_end(&w);
}

/* n elements of k bits each, one a byte, to full bytes. */
static void
put_elements(const uint8_t *x, uint64_t n, int k, uint8_t *p)
{
	uint64_t per = 8 / (uint64_t)k;

	for (uint64_t i = 0; i < n; i += per) {
		unsigned byte = 0;

		for (uint64_t j = 0; j < per && i + j < n; j++)
			byte |= (unsigned)x[i + j] << (j * (uint64_t)k);
		*p++ = (uint8_t)byte;
	}
}

int64_t
pack_encode(const struct csr *m, uint8_t *dst)
{
	int64_t nnz = m->ptr[m->n_row];
	uint8_t *scratch = mem_raw(uint8_t, 4 * nnz + 8), *to[N_STREAM], *p;
	uint32_t *word = mem_raw(uint32_t, nnz + 1);
	struct levels v = { scratch + nnz + 1, scratch + 2 * nnz + 2, scratch + 3 * nnz + 3, word };
	struct layout l;

	choose_bands(m, &l);
	split_values(m->val, nnz, &v, scratch, &l);
	p = put_head(m, &l, dst);
	for (int s = 0; s < N_STREAM; s++) {
		to[s] = p;
		p += (l.bits[s] + 7) / 8;
	}
	put_columns(m, &l, to[S_BITMAP], to[S_HIGH], to[S_LOW]);
	memcpy(to[S_PLANE], scratch, (size_t)(nnz + 7) / 8);
	put_elements(v.two, l.bits[S_TWO] / 2, 2, to[S_TWO]);
	put_elements(v.nibble, l.bits[S_NIBBLE] / 4, 4, to[S_NIBBLE]);
	memcpy(to[S_BYTE], v.byte, (size_t)l.bits[S_BYTE] / 8);
	for (uint64_t i = 0; i < l.bits[S_WORD] / 32; i++)
		wire_put32(to[S_WORD] + 4 * i, word[i]);
	memset(p, 0, PAD);
	mem_free(scratch);
	mem_free(word);
	return p + PAD - dst;
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
	if (len < 1 || src[0] != VERSION)
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

/* Rows' statistics, bands and lengths: everything that the memory to be taken
 * depends on is checked here against the bytes there are.  ptr [n_row + 1] and the
 * sums and maxima are filled. */
static int
get_head(const uint8_t *src, size_t len, int64_t n_row, int64_t n_col, struct reader *r, struct csr *m,
	uint64_t *sum, uint32_t *max, struct err *e)
{
	const uint8_t *p = src + 1, *end = src + len;
	uint64_t v, need = 0, nnz = 0;

	if (len < 1 + PAD || src[0] != VERSION)
		return damaged(e);
	for (int64_t i = 0; i < n_row; i++) {
		uint64_t n, most;

		p = get_row_stats(p, end, &n, &sum[i], &most);
		nnz += p ? n : 0;
		if (!p || n > (uint64_t)n_col || nnz > 8 * (uint64_t)len)
			return damaged(e);
		m->ptr[i + 1] = (int64_t)nnz;
		max[i] = (uint32_t)most;
	}
	r->l.b.first[0] = 0;
	for (int w = 0; w <= MAX_WIDTH; w++) {
		p = get_varint(p, end, &v);
		if (!p || v > (uint64_t)(chunks_of(n_col) - r->l.b.first[w]))
			return damaged(e);
		r->l.b.first[w + 1] = r->l.b.first[w] + (int64_t)v;
	}
	if (r->l.b.first[MAX_WIDTH + 1] != chunks_of(n_col))
		return damaged(e);
	count_buckets(&r->l.b);
	for (int s = 0; s < N_STREAM; s++) {
		p = get_varint(p, end, &r->l.bits[s]);
		if (!p || r->l.bits[s] > 8 * (uint64_t)len)
			return damaged(e);
		need += (r->l.bits[s] + 7) / 8;
	}
	if ((uint64_t)(end - p) != need + PAD || wire_get64(end - PAD) != 0 || r->l.bits[S_PLANE] != nnz)
		return damaged(e);
	for (int s = 0; s < N_STREAM; s++) {
		r->stream[s] = p;
		p += (r->l.bits[s] + 7) / 8;
	}
	/* products without overflow: both sides are divided by n_row */
	v = (uint64_t)n_row;
	if (v && ((uint64_t)r->l.b.first[1] * CHUNK != r->l.bits[S_BITMAP] / v || r->l.bits[S_BITMAP] % v ||
	    (uint64_t)r->l.b.bucket[MAX_WIDTH + 1] > r->l.bits[S_HIGH] / v))
		return damaged(e);
	return 0;
}

/* n elements of k bits of a stream to x; one of all ones stands for the next of more,
 * which has SPARE elements too many so that one look a byte is enough.  0 when these are not n_more. */
static inline int
get_level(const uint8_t *p, int64_t n, int k, uint32_t from, const uint32_t *more, int64_t n_more, uint32_t *x)
{
	const uint32_t last = (1u << k) - 1;
	int64_t used = 0;

	for (int64_t i = 0; i < n && used <= n_more; i += 8 / k) {
		uint32_t byte = *p++;
		int64_t end = i + 8 / k < n ? i + 8 / k : n;

		for (int64_t j = i; j < end; j++, byte >>= k) {
			uint32_t v = byte & last, next = more[used];

			x[j] = v < last ? v + from : next;
			used += v == last;
		}
	}
	return used == n_more;
}

/* Room for n values and as many as get_level looks at too early. */
static uint32_t *
new_level(int64_t n)
{
	uint32_t *x = mem_raw(uint32_t, n + SPARE);

	memset(x + n, 0, SPARE * sizeof *x);
	return x;
}

/* All values above 1, the deepest level first; 0 when the lengths do not fit each other. */
static int
get_big(struct reader *r)
{
	const uint64_t *bits = r->l.bits;
	int64_t n2 = (int64_t)bits[S_TWO] / 2, n4 = (int64_t)bits[S_NIBBLE] / 4;
	int64_t n8 = (int64_t)bits[S_BYTE] / 8, n32 = (int64_t)bits[S_WORD] / 32;
	uint32_t *word, *byte, *nibble;
	int good = 1;

	if (bits[S_TWO] % 2 || bits[S_NIBBLE] % 4 || bits[S_BYTE] % 8 || bits[S_WORD] % 32)
		return 0;
	word = new_level(n32);
	byte = new_level(n8);
	nibble = new_level(n4);
	r->big = new_level(n2);
	r->n_big = n2;
	for (int64_t i = 0; i < n32; i++) {
		uint32_t x = wire_get32(r->stream[S_WORD] + 4 * i);

		good &= x <= 0xffffffffu - FROM_WORD;
		word[i] = x + FROM_WORD;
	}
	good &= get_level(r->stream[S_BYTE], n8, 8, FROM_BYTE, word, n32, byte);
	good &= get_level(r->stream[S_NIBBLE], n4, 4, FROM_NIBBLE, byte, n8, nibble);
	good &= get_level(r->stream[S_TWO], n2, 2, FROM_TWO, nibble, n4, r->big);
	mem_free(word);
	mem_free(byte);
	mem_free(nibble);
	return good;
}

int
pack_decode(const uint8_t *src, size_t len, int64_t n_row, int64_t n_col, struct csr *m, struct err *e)
{
	struct reader r = { .most = (uint64_t)n_col };
	uint64_t *sum;
	uint32_t *max;

	if (e->code)
		return e->code;
	/* a row has three bytes at least */
	if (n_row < 0 || n_col < 0 || n_col > INT32_MAX - CHUNK || (uint64_t)n_row > (uint64_t)len / 3)
		return damaged(e);
	sum = mem_new(uint64_t, n_row);
	max = mem_new(uint32_t, n_row);
	csr_reserve(m, n_row, 0);
	m->ptr[0] = 0;
	m->n_row = n_row;
	m->n_col = n_col;
	if (!get_head(src, len, n_row, n_col, &r, m, sum, max, e)) {
		csr_reserve(m, n_row, m->ptr[n_row] + SLACK);
		if (!get_big(&r) || !pack_rows(&r, m, sum, max))
			damaged(e);
		mem_free(r.big);
	}
	mem_free(sum);
	mem_free(max);
	return e->code;
}
