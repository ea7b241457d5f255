/* pack_rows_wide - what the decoder does with a row, by AVX2 and AVX-512; see pack_impl.h
 *
 * Set bits become positions several at a time, by a table of 256 bytes' bits or by compressing lanes; the codes of a
 * level, and the low bits of a band, are cut apart by one bit deposit for eight of them; values are laid out by
 * expanding lanes.
 */
#include "stream/pack_impl.h"

#ifdef WIDE
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

/* ---- both ---- */

T256 static int
place_of(uint64_t x, int64_t k)
{
	return __builtin_ctzll(_pdep_u64(1ull << k, x));
}

T256 static int
cuts_256(const struct pack_reader *r, int64_t n, int64_t *cut)
{
	return pack_cuts(r, n, cut, place_of);
}

INLINE int64_t
count_by(const uint8_t *p, uint64_t at, int64_t n, int k, uint64_t lowest)
{
	int64_t all = 0, step = TAKE / k;

	for (; n > 0; n -= step, at += (uint64_t)(step * k)) {
		uint64_t x = get_bits(p, at);

		if (n < step)
			x &= (1ull << n * k) - 1;
		else
			x &= (1ull << step * k) - 1;
		for (int s = 1; s < k; s *= 2)
			x &= x >> s;
		all += __builtin_popcountll(x & lowest);
	}
	return all;
}

T256 static int64_t
count_256(const uint8_t *p, uint64_t at, int64_t n, int k)
{
	switch (k) {
	case 1:
		return count_by(p, at, n, 1, ~0ull);
	case 2:
		return count_by(p, at, n, 2, 0x5555555555555555u);
	case 4:
		return count_by(p, at, n, 4, 0x1111111111111111u);
	default:
		return count_by(p, at, n, 8, 0x0101010101010101u);
	}
}

/* Eight codes of k bits from bit at on, a byte each. */
T256 static inline uint64_t
eight(const uint8_t *p, uint64_t at, int k)
{
	return k == 8 ? wire_get64(p + at / 8) : _pdep_u64(get_bits(p, at), 0x0101010101010101u * ((1u << k) - 1));
}

/* The low w <= 14 bits of eight columns from bit at on, and of four of them. */
T256 static inline __m256i
low_bits(const uint8_t *p, uint64_t at, int w)
{
	uint64_t mask = 0x0001000100010001u * ((1u << w) - 1);

	if (w <= 7)
		return _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)eight(p, at, w)));
	return _mm256_cvtepu16_epi32(_mm_set_epi64x((long long)_pdep_u64(get_bits(p, at + 4 * (uint64_t)w), mask),
	    (long long)_pdep_u64(get_bits(p, at), mask)));
}

/* The n buckets at col, all of band w, become columns. */
T256 static void
add_low(const uint8_t *p, uint64_t at, int w, int32_t base, int32_t *col, int64_t n)
{
	const __m256i add = _mm256_set1_epi32(base);
	const __m128i shift = _mm_cvtsi32_si128(w);
	int64_t j = 0;

	for (; w <= 14 && j + 8 <= n; j += 8, at += 8 * (uint64_t)w) {
		__m256i v = _mm256_sll_epi32(_mm256_loadu_si256((const __m256i *)(col + j)), shift);

		_mm256_storeu_si256((__m256i *)(col + j), _mm256_add_epi32(_mm256_add_epi32(v, add), low_bits(p, at, w)));
	}
	for (; j < n; j++, at += (uint64_t)w)
		col[j] = (int32_t)((uint32_t)col[j] << w) + base + (int32_t)(get_bits(p, at) & ((1ull << w) - 1));
}

typedef void low_fn(const uint8_t *p, uint64_t at, int w, int32_t base, int32_t *col, int64_t n);

/* Positions of the set bits of a word plus base, less 1 for each that was there before since start, go to out, which may
 * be written to behind the last.  Returns behind the last. */
typedef int32_t *expand_fn(uint64_t bits, int32_t base, int32_t *out, const int32_t *start);

/* The columns of n entries of buckets, not yet mapped; the caller checks that they rise. */
INLINE int
buckets_by(expand_fn *expand, low_fn *by_low, struct pack_reader *r, int32_t *col, int64_t n)
{
	const struct bands *b = &r->l.b;
	uint64_t at = r->at[S_HIGH], from = at, end = at + (uint64_t)(b->bucket[MAX_WIDTH + 1] + n);
	int64_t cut[MAX_WIDTH + 2];
	int32_t *to = col;

	if (!cuts_256(r, n, cut))
		return 0;
	for (; at < end; at += 64) {
		uint64_t bits = get_64_bits(r->stream[S_HIGH], at);

		to = expand(end - at < 64 ? bits & ((1ull << (end - at)) - 1) : bits, (int32_t)(at - from), to, col);
	}
	r->at[S_HIGH] = end;
	at = r->at[S_LOW];
	for (int w = 1; w <= MAX_WIDTH; w++) {
		int64_t k = cut[w + 1] - cut[w];

		if (k == 0)
			continue;
		if (at + (uint64_t)(k * w) > r->l.bits[S_LOW])
			return 0;
		by_low(r->stream[S_LOW], at, w, (int32_t)(b->first[w] * CHUNK - b->bucket[w] * (1ll << w)), col + cut[w], k);
		at += (uint64_t)(k * w);
	}
	r->at[S_LOW] = at;
	return 1;
}

/* ---- AVX2 ---- */

/* For each byte and each of its bits, how many bits below are set. */
static uint64_t rank_of[256];

__attribute__((constructor)) static void
make_ranks(void)
{
	for (unsigned b = 0; b < 256; b++)
		for (int i = 0; i < 8; i++)
			rank_of[b] |= (uint64_t)(unsigned)__builtin_popcount(b & ((1u << i) - 1)) << 8 * i;
}

T256 static inline __m256i
lanes_of(uint64_t bytes)
{
	return _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)bytes));
}

/* The next of from in the lanes whose bit in m is set; 8 of them are read. */
T256 static inline __m256i
expand_lanes(const uint32_t *from, unsigned m)
{
	return _mm256_permutevar8x32_epi32(_mm256_loadu_si256((const __m256i *)from), lanes_of(rank_of[m]));
}

T256 static void
level_256(const uint8_t *p, uint64_t at, int64_t n, int k, uint32_t from, const uint32_t *more, uint32_t *x)
{
	const __m256i last = _mm256_set1_epi32((1 << k) - 1), first = _mm256_set1_epi32((int)from);
	const __m256i iota = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);

	for (int64_t i = 0; i < n; i += 8, at += 8 * (uint64_t)k) {
		__m256i v = lanes_of(eight(p, at, k)), is_last = _mm256_cmpeq_epi32(v, last);
		unsigned m;

		is_last = _mm256_and_si256(is_last, _mm256_cmpgt_epi32(_mm256_set1_epi32(n - i < 8 ? (int)(n - i) : 8), iota));
		m = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(is_last));
		v = _mm256_blendv_epi8(_mm256_add_epi32(v, first), expand_lanes(more, m), is_last);
		_mm256_storeu_si256((__m256i *)(x + i), v);
		more += __builtin_popcount(m);
	}
}

T256 static int64_t
bitmap_256(const uint8_t *p, int64_t n_word, const int32_t *map, int32_t *col, int64_t n)
{
	int32_t *to = col;

	for (int64_t w = 0; w < n_word; w++) {
		uint64_t bits = wire_get64(p + 8 * w);

		if (__builtin_popcountll(bits) > n - (to - col))
			return n + 1;
		for (const int32_t *m = map + 64 * w; bits; bits >>= 8, m += 8) {
			__m256i v = _mm256_loadu_si256((const __m256i *)m);

			v = _mm256_permutevar8x32_epi32(v, lanes_of(pack_bits_of[bits & 255]));
			_mm256_storeu_si256((__m256i *)to, v);
			to += __builtin_popcount((unsigned)bits & 255);
		}
	}
	return to - col;
}

T256 static inline int32_t *
expand_256(uint64_t bits, int32_t base, int32_t *out, const int32_t *start)
{
	const __m256i iota = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);

	for (; bits; bits >>= 8, base += 8) {
		__m256i v = _mm256_sub_epi32(lanes_of(pack_bits_of[bits & 255]), iota);

		v = _mm256_add_epi32(v, _mm256_set1_epi32(base - (int32_t)(out - start)));
		_mm256_storeu_si256((__m256i *)out, v);
		out += __builtin_popcount((unsigned)bits & 255);
	}
	return out;
}

T256 static int
buckets_256(struct pack_reader *r, const int32_t *map, int32_t *col, int64_t n)
{
	int32_t bad = 0;
	int64_t j = 0;

	if (!buckets_by(expand_256, add_low, r, col, n))
		return 0;
	for (int64_t i = 1; i < n; i++)
		bad |= -(col[i] <= col[i - 1]);
	if (n > 0 && (bad || col[0] < 0 || col[n - 1] >= r->n_col))
		return 0;
	if (!map)
		return 1;
	for (; j + 8 <= n; j += 8)
		_mm256_storeu_si256((__m256i *)(col + j), _mm256_i32gather_epi32(map, _mm256_loadu_si256((const __m256i *)(col + j)), 4));
	for (; j < n; j++)
		col[j] = map[col[j]];
	return 1;
}

T256 static void
values_256(const uint8_t *plane, uint64_t at, int64_t n, const uint32_t *big, double *val)
{
	const __m256i one = _mm256_set1_epi32(1), bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
	const __m256i top = _mm256_set1_epi64x(0x4330000000000000);
	const __m256d magic = _mm256_set1_pd(4503599627370496.0);

	for (int64_t k = 0; k < n; k += TAKE) {
		uint64_t bits = get_bits(plane, at + (uint64_t)k) & ((1ull << (n - k < TAKE ? n - k : TAKE)) - 1);

		for (int64_t j = k; j < k + TAKE && j < n; j += 8, bits >>= 8) {
			unsigned m = (unsigned)bits & 255;
			__m256i is = _mm256_and_si256(_mm256_set1_epi32((int)m), bit), v;
			__m256i lo, hi;

			v = _mm256_blendv_epi8(one, expand_lanes(big, m), _mm256_cmpeq_epi32(is, bit));
			lo = _mm256_or_si256(_mm256_cvtepu32_epi64(_mm256_castsi256_si128(v)), top);
			hi = _mm256_or_si256(_mm256_cvtepu32_epi64(_mm256_extracti128_si256(v, 1)), top);
			_mm256_storeu_pd(val + j, _mm256_sub_pd(_mm256_castsi256_pd(lo), magic));
			_mm256_storeu_pd(val + j + 4, _mm256_sub_pd(_mm256_castsi256_pd(hi), magic));
			big += __builtin_popcount(m);
		}
	}
}

T256 static uint64_t
total_256(const uint32_t *x, int64_t n, uint32_t *max)
{
	__m256i sum = _mm256_setzero_si256(), most = sum;
	uint64_t part[4], all = 0;
	uint32_t top[8];
	int64_t i = 0;

	for (; i + 8 <= n; i += 8) {
		__m256i v = _mm256_loadu_si256((const __m256i *)(x + i));

		most = _mm256_max_epu32(most, v);
		sum = _mm256_add_epi64(sum, _mm256_add_epi64(_mm256_cvtepu32_epi64(_mm256_castsi256_si128(v)),
		    _mm256_cvtepu32_epi64(_mm256_extracti128_si256(v, 1))));
	}
	_mm256_storeu_si256((__m256i *)part, sum);
	_mm256_storeu_si256((__m256i *)top, most);
	for (int k = 0; k < 8; k++)
		*max = top[k] > *max ? top[k] : *max;
	all = part[0] + part[1] + part[2] + part[3] - (uint64_t)i;
	for (; i < n; i++) {
		all += x[i] - 1;
		*max = x[i] > *max ? x[i] : *max;
	}
	return all;
}

const struct decoder pack_decoder_256 = { count_256, level_256, bitmap_256, buckets_256, values_256, total_256, cuts_256 };

/* ---- AVX-512 ---- */

T512 static void
level_512(const uint8_t *p, uint64_t at, int64_t n, int k, uint32_t from, const uint32_t *more, uint32_t *x)
{
	const __m512i last = _mm512_set1_epi32((1 << k) - 1), first = _mm512_set1_epi32((int)from);

	for (int64_t i = 0; i < n; i += 16, at += 16 * (uint64_t)k) {
		__mmask16 here = (__mmask16)(n - i < 16 ? (1u << (n - i)) - 1 : 0xffff), m;
		/* the upper half of the last ones may lie behind the stream */
		uint64_t upper = n - i > 8 ? eight(p, at + 8 * (uint64_t)k, k) : 0;
		__m512i v = _mm512_cvtepu8_epi32(_mm_set_epi64x((long long)upper, (long long)eight(p, at, k)));

		m = _mm512_mask_cmpeq_epi32_mask(here, v, last);
		_mm512_storeu_si512(x + i, _mm512_mask_expand_epi32(_mm512_add_epi32(v, first), m, _mm512_loadu_si512(more)));
		more += __builtin_popcount((unsigned)m);
	}
}

T512 static int64_t
bitmap_512(const uint8_t *p, int64_t n_word, const int32_t *map, int32_t *col, int64_t n)
{
	int32_t *to = col;

	for (int64_t w = 0; w < n_word; w++) {
		uint64_t bits = wire_get64(p + 8 * w);

		if (__builtin_popcountll(bits) > n - (to - col))
			return n + 1;
		for (int i = 0; i < 64; i += 16) {
			unsigned m = (unsigned)(bits >> i) & 0xffff;

			_mm512_storeu_si512(to, _mm512_maskz_compress_epi32((__mmask16)m, _mm512_loadu_si512(map + 64 * w + i)));
			to += __builtin_popcount(m);
		}
	}
	return to - col;
}

T512 static inline int32_t *
expand_512(uint64_t bits, int32_t base, int32_t *out, const int32_t *start)
{
	const __m512i iota = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);

	for (int i = 0; i < 64; i += 16) {
		unsigned m = (unsigned)(bits >> i) & 0xffff;
		__m512i v = _mm512_sub_epi32(_mm512_maskz_compress_epi32((__mmask16)m, iota), iota);

		_mm512_storeu_si512(out, _mm512_add_epi32(v, _mm512_set1_epi32(base + i - (int32_t)(out - start))));
		out += __builtin_popcount(m);
	}
	return out;
}

T512 static void
add_low_512(const uint8_t *p, uint64_t at, int w, int32_t base, int32_t *col, int64_t n)
{
	const __m512i add = _mm512_set1_epi32(base);
	const __m128i shift = _mm_cvtsi32_si128(w);
	if (w > 7) {
		add_low(p, at, w, base, col, n);
		return;
	}
	for (int64_t j = 0; j < n; j += 16, at += 16 * (uint64_t)w) {
		__mmask16 here = (__mmask16)(n - j < 16 ? (1u << (n - j)) - 1 : 0xffff);
		__m512i v = _mm512_sll_epi32(_mm512_loadu_si512(col + j), shift);
		uint64_t upper = n - j > 8 ? eight(p, at + 8 * (uint64_t)w, w) : 0;
		__m128i bytes = _mm_set_epi64x((long long)upper, (long long)eight(p, at, w));

		v = _mm512_add_epi32(_mm512_add_epi32(v, add), _mm512_cvtepu8_epi32(bytes));
		_mm512_mask_storeu_epi32(col + j, here, v);
	}
}

T512 static int
buckets_512(struct pack_reader *r, const int32_t *map, int32_t *col, int64_t n)
{
	__m512i before = _mm512_set1_epi32(-1);

	if (!buckets_by(expand_512, add_low_512, r, col, n))
		return 0;
	for (int64_t j = 0; j < n; j += 16) {
		__mmask16 here = (__mmask16)(n - j < 16 ? (1u << (n - j)) - 1 : 0xffff);
		__m512i v = _mm512_maskz_loadu_epi32(here, col + j);

		if (_mm512_mask_cmple_epi32_mask(here, v, _mm512_alignr_epi32(v, before, 15)) |
		    _mm512_mask_cmpge_epi32_mask(here, v, _mm512_set1_epi32((int)r->n_col)))
			return 0;
		before = v;
		if (map)
			_mm512_mask_storeu_epi32(col + j, here, _mm512_mask_i32gather_epi32(v, here, v, map, 4));
	}
	return 1;
}

T512 static void
values_512(const uint8_t *plane, uint64_t at, int64_t n, const uint32_t *big, double *val)
{
	const __m512i one = _mm512_set1_epi32(1);

	for (int64_t k = 0; k < n; k += 64) {
		uint64_t bits = get_64_bits(plane, at + (uint64_t)k);

		if (n - k < 64)
			bits &= (1ull << (n - k)) - 1;
		for (int64_t j = k; j < k + 64 && j < n; j += 16, bits >>= 16) {
			__m512i v = _mm512_mask_expand_epi32(one, (__mmask16)bits, _mm512_loadu_si512(big));

			_mm512_storeu_pd(val + j, _mm512_cvtepu32_pd(_mm512_castsi512_si256(v)));
			_mm512_storeu_pd(val + j + 8, _mm512_cvtepu32_pd(_mm512_extracti64x4_epi64(v, 1)));
			big += __builtin_popcount((unsigned)bits & 0xffff);
		}
	}
}

const struct decoder pack_decoder_512 = { count_256, level_512, bitmap_512, buckets_512, values_512, total_256, cuts_256 };

#endif
