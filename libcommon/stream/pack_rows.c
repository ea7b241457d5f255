/* pack_rows - the rows of a packed block: columns and values, see pack_impl.h
 *
 * Three of everything: plain C, which says what is meant; AVX2; AVX-512.  The wide ones turn set bits into positions
 * several at a time (by a table of 256 bytes' bits, or by compressing lanes), cut the low bits of a band apart by
 * one bit deposit for four to eight of them, and lay out values by expanding lanes.
 */
#include "stream/pack_impl.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define WIDE 1
#include <immintrin.h>
#endif

/* ---- plain ---- */

/* Columns of a row from the bitmap: returns how many; stops when they are more than n, the last
 * word having room in SLACK. */
static int64_t
get_bitmap(struct reader *r, int32_t *col, int64_t n)
{
	const uint8_t *p = r->stream[S_BITMAP] + r->at[S_BITMAP] / 8;
	int64_t k = 0, words = r->l.b.first[1];

	r->at[S_BITMAP] += (uint64_t)words * CHUNK;
	for (int64_t w = 0; w < words && k <= n; w++)
		for (uint64_t bits = wire_get64(p + 8 * w); bits; bits &= bits - 1)
			col[k++] = (int32_t)(w * 64 + __builtin_ctzll(bits));
	return k;
}

/* n columns of a row from the buckets, rising behind last; 0 when that is not what is there.  Entry
 * k at bit i of the row's part of high is in bucket i - k. */
static int
get_buckets(struct reader *r, int32_t *col, int64_t n, int64_t last)
{
	const struct bands *b = &r->l.b;
	const uint8_t *low = r->stream[S_LOW];
	uint64_t at = r->at[S_HIGH], end = at + (uint64_t)(b->bucket[MAX_WIDTH + 1] + n);
	uint64_t low_at = r->at[S_LOW], low_end = r->l.bits[S_LOW];
	int64_t q = 0, base = 0, stop = 0, size = 1, rising = -1;
	int32_t *to = col;
	int w = 0;

	if (end > r->l.bits[S_HIGH])
		return 0;
	for (; at < end && to - col <= n; at += TAKE, q += TAKE) {
		uint64_t bits = get_bits(r->stream[S_HIGH], at);

		bits &= (1ull << (end - at < TAKE ? end - at : TAKE)) - 1;
		for (; bits; bits &= bits - 1, q--) {
			int64_t i = q + __builtin_ctzll(bits), c;

			while (i >= stop) {
				if (w == MAX_WIDTH)
					return 0;
				stop = b->bucket[++w + 1];
				size = 1ll << w;
				base = b->first[w] * CHUNK - b->bucket[w] * size;
			}
			if (low_at > low_end)
				return 0;
			c = base + i * size + (int64_t)(get_bits(low, low_at) & (uint64_t)(size - 1));
			low_at += (uint64_t)w;
			rising &= last - c;     /* stays negative */
			last = c;
			*to++ = (int32_t)c;
		}
	}
	r->at[S_HIGH] = end;
	r->at[S_LOW] = low_at;
	return to - col == n && rising < 0 && last < (int64_t)r->most;
}

#define ONES_8 1, 1, 1, 1, 1, 1, 1, 1
static const double ones[TAKE] = { ONES_8, ONES_8, ONES_8, ONES_8, ONES_8, ONES_8, ONES_8 };

/* The n values of a row (SLACK behind them is written to); checks their sum and maximum. */
static int
get_values(struct reader *r, double *val, int64_t n, uint64_t sum, uint32_t max)
{
	uint64_t at = r->at[S_PLANE], got = (uint64_t)n;
	const uint32_t *big = r->big;
	int64_t b = r->at_big, left = r->n_big;
	uint32_t most = n > 0;

	for (int64_t k = 0; k < n; k += TAKE) {
		uint64_t bits = get_bits(r->stream[S_PLANE], at + (uint64_t)k);

		memcpy(val + k, ones, sizeof ones);
		bits &= (1ull << (n - k < TAKE ? n - k : TAKE)) - 1;
		for (; bits; bits &= bits - 1) {
			uint32_t x;

			if (b == left)
				return 0;
			x = big[b++];
			got += x - 1;
			most = x > most ? x : most;
			val[k + __builtin_ctzll(bits)] = (double)x;
		}
	}
	r->at[S_PLANE] += (uint64_t)n;
	r->at_big = b;
	return got == sum && most == max;
}

/* ---- wide: what AVX2 and AVX-512 share ---- */

#ifdef WIDE

/* Entries from j on whose bucket (in col) lies below stop. */
static inline int64_t
band_end(const int32_t *col, int64_t j, int64_t n, int64_t stop)
{
	while (j < n && col[j] < stop)
		j++;
	return j;
}

/* Buckets of a row become columns: n entries of col, band by band.  0 when they do not fit the bands or the low
 * bits.  Writes up to 7 elements behind. */
__attribute__((target("avx2,bmi2"))) static int
add_low(struct reader *r, int32_t *col, int64_t n)
{
	const struct bands *b = &r->l.b;
	const uint8_t *low = r->stream[S_LOW];
	uint64_t at = r->at[S_LOW];
	int64_t j = 0;

	for (int w = 1; w <= MAX_WIDTH && j < n; w++) {
		int64_t end = band_end(col, j, n, b->bucket[w + 1]), size = 1ll << w;
		int32_t base = (int32_t)(b->first[w] * CHUNK - b->bucket[w] * size);
		__m256i add = _mm256_set1_epi32(base);
		__m128i shift = _mm_cvtsi32_si128(w);

		if (at + (uint64_t)(end - j) * (uint64_t)w > r->l.bits[S_LOW])
			return 0;
		/* Behind a group of 8 stand buckets that are still to be read: they are kept. */
		for (; j < end && w <= 14; j += 8) {
			int64_t left = end - j;
			__m256i bucket = _mm256_loadu_si256((const __m256i *)(col + j)), bits, done;

			if (w <= 7) {
				uint64_t x = _pdep_u64(get_bits(low, at), 0x0101010101010101u * ((1u << w) - 1));

				bits = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)x));
			} else {
				uint64_t mask = 0x0001000100010001u * ((1u << w) - 1);
				uint64_t x = _pdep_u64(get_bits(low, at), mask), y = _pdep_u64(get_bits(low, at + 4 * (uint64_t)w), mask);

				bits = _mm256_cvtepu16_epi32(_mm_set_epi64x((long long)y, (long long)x));
			}
			done = _mm256_add_epi32(_mm256_add_epi32(_mm256_sll_epi32(bucket, shift), add), bits);
			if (left < 8) {
				__m256i mine = _mm256_cmpgt_epi32(_mm256_set1_epi32((int)left), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));

				done = _mm256_blendv_epi8(bucket, done, mine);
			}
			_mm256_storeu_si256((__m256i *)(col + j), done);
			at += (uint64_t)((left < 8 ? left : 8) * w);
		}
		j = j > end ? end : j;
		for (; j < end; j++, at += (uint64_t)w)
			col[j] = (int32_t)((uint32_t)col[j] << w) + base + (int32_t)(get_bits(low, at) & (uint64_t)(size - 1));
	}
	r->at[S_LOW] = at;
	return j == n;
}

/* Whether n columns rise, behind last and below most. */
__attribute__((target("avx2"))) static int
rises(const int32_t *col, int64_t n, int64_t last, uint64_t most)
{
	int32_t bad = 0;

	if (n == 0)
		return last < (int64_t)most;
	for (int64_t j = 1; j < n; j++)
		bad |= -(col[j] <= col[j - 1]);
	return !bad && col[0] > last && col[n - 1] >= 0 && col[n - 1] < (int64_t)most;
}

/* Positions of the set bits of a word plus base go to out, which may be written to behind the last; less one for each that was
 * there before since start, when less is set.  Returns behind the last. */
typedef int32_t *expand_fn(uint64_t bits, int32_t base, int32_t *out, int32_t *start, int less);
#define INLINE static inline __attribute__((always_inline))

INLINE int64_t
bitmap_by(expand_fn *expand, struct reader *r, int32_t *col, int64_t n)
{
	const uint8_t *p = r->stream[S_BITMAP] + r->at[S_BITMAP] / 8;
	int64_t words = r->l.b.first[1];
	int32_t *to = col;

	r->at[S_BITMAP] += (uint64_t)words * CHUNK;
	/* Stops in time for what a word may write behind the row. */
	for (int64_t w = 0; w < words && to - col <= n; w++) {
		uint64_t bits = wire_get64(p + 8 * w);

		if (__builtin_popcountll(bits) > n - (to - col))
			return n + 1;
		to = expand(bits, (int32_t)w * 64, to, NULL, 0);
	}
	return to - col;
}

INLINE int
buckets_by(expand_fn *expand, struct reader *r, int32_t *col, int64_t n, int64_t last)
{
	uint64_t at = r->at[S_HIGH], from = at, end = at + (uint64_t)(r->l.b.bucket[MAX_WIDTH + 1] + n);
	int32_t *to = col;

	if (end > r->l.bits[S_HIGH])
		return 0;
	for (; at < end; at += TAKE) {
		uint64_t bits = get_bits(r->stream[S_HIGH], at) & ((1ull << (end - at < TAKE ? end - at : TAKE)) - 1);

		if (__builtin_popcountll(bits) > n - (to - col))
			return 0;
		to = expand(bits, (int32_t)(at - from), to, col, 1);
	}
	r->at[S_HIGH] = end;
	return to - col == n && add_low(r, col, n) && rises(col, n, last, r->most);
}

/* ---- AVX2: the set bits of a byte by a table ---- */

static uint64_t bits_of[256];

__attribute__((constructor)) static void
make_table(void)
{
	for (int b = 0; b < 256; b++) {
		int k = 0;

		for (int i = 0; i < 8; i++)
			if (b >> i & 1)
				bits_of[b] |= (uint64_t)i << 8 * k++;
	}
}

__attribute__((target("avx2,bmi2,popcnt"))) static inline int32_t *
expand_256(uint64_t bits, int32_t base, int32_t *out, int32_t *start, int less)
{
	const __m256i iota = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);

	for (; bits; bits >>= 8, base += 8) {
		unsigned byte = (unsigned)bits & 255;
		__m256i v = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)bits_of[byte]));

		v = _mm256_add_epi32(v, _mm256_set1_epi32(less ? base - (int32_t)(out - start) : base));
		if (less)
			v = _mm256_sub_epi32(v, iota);
		_mm256_storeu_si256((__m256i *)out, v);
		out += __builtin_popcount(byte);
	}
	return out;
}

__attribute__((target("avx2,bmi2,popcnt"))) static int64_t
get_bitmap_256(struct reader *r, int32_t *col, int64_t n)
{
	return bitmap_by(expand_256, r, col, n);
}

__attribute__((target("avx2,bmi2,popcnt"))) static int
get_buckets_256(struct reader *r, int32_t *col, int64_t n, int64_t last)
{
	return buckets_by(expand_256, r, col, n, last);
}

/* ---- AVX-512: lanes are compressed and expanded ---- */

#define T512 __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,bmi2,popcnt")))

T512 static inline int32_t *
expand_512(uint64_t bits, int32_t base, int32_t *out, int32_t *start, int less)
{
	const __m512i iota = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);

	for (; bits; bits >>= 16, base += 16) {
		__mmask16 m = (__mmask16)bits;
		__m512i v = _mm512_maskz_compress_epi32(m, iota);

		v = _mm512_add_epi32(v, _mm512_set1_epi32(less ? base - (int32_t)(out - start) : base));
		if (less)
			v = _mm512_sub_epi32(v, iota);
		_mm512_storeu_si512(out, v);
		out += __builtin_popcount((unsigned)m);
	}
	return out;
}

T512 static int64_t
get_bitmap_512(struct reader *r, int32_t *col, int64_t n)
{
	return bitmap_by(expand_512, r, col, n);
}

T512 static int
get_buckets_512(struct reader *r, int32_t *col, int64_t n, int64_t last)
{
	return buckets_by(expand_512, r, col, n, last);
}

/* Eight values at once: ones, and the next of big where the plane has a bit. */
T512 static int
get_values_512(struct reader *r, double *val, int64_t n, uint64_t sum, uint32_t max)
{
	uint64_t at = r->at[S_PLANE], got = (uint64_t)n;
	const uint32_t *big = r->big;
	int64_t b = r->at_big, left = r->n_big;
	const __m256i one = _mm256_set1_epi32(1);
	__m256i most = one;
	__m512i total = _mm512_setzero_si512();

	for (int64_t k = 0; k < n; k += TAKE) {
		uint64_t bits = get_bits(r->stream[S_PLANE], at + (uint64_t)k);

		bits &= (1ull << (n - k < TAKE ? n - k : TAKE)) - 1;
		if (__builtin_popcountll(bits) > left - b)
			return 0;
		for (int64_t j = k; j < k + TAKE; j += 8, bits >>= 8) {
			__mmask8 m = (__mmask8)bits;
			__m256i x = _mm256_mask_expandloadu_epi32(one, m, big + b);

			_mm512_storeu_pd(val + j, _mm512_cvtepu32_pd(x));
			most = _mm256_max_epu32(most, x);
			total = _mm512_add_epi64(total, _mm512_cvtepu32_epi64(_mm256_maskz_sub_epi32(m, x, one)));
			b += __builtin_popcount((unsigned)m);
		}
	}
	got += (uint64_t)_mm512_reduce_add_epi64(total);
	{
		uint32_t lane[8], top = n > 0;

		_mm256_storeu_si256((__m256i *)lane, most);
		for (int i = 0; i < 8 && n > 0; i++)
			top = lane[i] > top ? lane[i] : top;
		r->at[S_PLANE] += (uint64_t)n;
		r->at_big = b;
		return got == sum && top == max;
	}
}

#endif

/* ---- rows ---- */

typedef int64_t bitmap_fn(struct reader *r, int32_t *col, int64_t n);
typedef int buckets_fn(struct reader *r, int32_t *col, int64_t n, int64_t last);
typedef int values_fn(struct reader *r, double *val, int64_t n, uint64_t sum, uint32_t max);

struct code {
	const char *name;
	bitmap_fn *bitmap;
	buckets_fn *buckets;
	values_fn *values;
};

/* The best that this CPU does, or what OVX_CPU asks for if it does that. */
static const struct code *
choose(void)
{
	static const struct code codes[] = {
#ifdef WIDE
		{ "avx512", get_bitmap_512, get_buckets_512, get_values_512 },
		{ "avx2", get_bitmap_256, get_buckets_256, get_values },
#endif
		{ "portable", get_bitmap, get_buckets, get_values }
	};
	const char *want = getenv("OVX_CPU");
	size_t n = sizeof codes / sizeof *codes;

	for (size_t i = 0; i < n; i++) {
		int can = 1;

#ifdef WIDE
		if (i == 0)
			can = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
			    __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("bmi2");
		else if (i == 1)
			can = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
#endif
		if (can && (!want || strcmp(want, codes[i].name) == 0))
			return &codes[i];
	}
	return &codes[n - 1];
}

int
pack_rows(struct reader *r, struct csr *m, const uint64_t *sum, const uint32_t *max)
{
	const struct code *c = choose();

	for (int64_t i = 0; i < m->n_row; i++) {
		int64_t n = m->ptr[i + 1] - m->ptr[i], k;
		int32_t *col = m->col + m->ptr[i];

		k = c->bitmap(r, col, n);
		if (k > n || !c->buckets(r, col + k, n - k, k > 0 ? col[k - 1] : -1) ||
		    !c->values(r, m->val + m->ptr[i], n, sum[i], max[i]))
			return 0;
	}
	return r->at[S_BITMAP] == r->l.bits[S_BITMAP] && r->at[S_HIGH] == r->l.bits[S_HIGH] &&
		r->at[S_LOW] == r->l.bits[S_LOW] && r->at_big == r->n_big;
}
