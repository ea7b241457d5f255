/* pack_encode_row - what the encoder does with a row: plain C, which says what is meant; AVX2; AVX-512
 *
 * The wide ones move lanes that satisfy a condition together by compressing (AVX-512) or by a table (AVX2), and bits
 * by one bit extract for four or eight of them.
 */
#include "stream/pack_impl.h"

#ifdef WIDE
#include <immintrin.h>
#endif

/* ---- plain ---- */

static int64_t
split(const double *val, int64_t n, uint32_t *big, uint8_t *plane, uint64_t *sum, uint32_t *max)
{
	int64_t n_big = 0;
	uint64_t s = 0, bits = 0;
	uint32_t most = 0;
	int bad = 0;

	for (int64_t k = 0; k < n; k++) {
		double v = val[k];
		int good = v >= 1 && v <= 4294967295.0;
		uint32_t x = (uint32_t)(good ? v : 0);

		bad |= !good | ((double)x != v);
		s += x;
		most = x > most ? x : most;
		big[n_big] = x;
		n_big += x > 1;
		bits |= (uint64_t)(x > 1) << (k & 63);
		if ((k & 63) == 63) {
			wire_put64(plane + k / 64 * 8, bits);
			bits = 0;
		}
	}
	wire_put64(plane + n / 64 * 8, bits);
	*sum = s;
	*max = most;
	return bad ? -1 : n_big;
}

static int64_t
level(const uint32_t *x, int64_t n, int k, uint32_t from, uint32_t *more, struct writer *w)
{
	uint32_t last = (1u << k) - 1;
	int64_t n_more = 0;

	for (int64_t i = 0; i < n; i += 8 / k) {
		int64_t end = i + 8 / k < n ? i + 8 / k : n;
		uint64_t bits = 0;

		for (int64_t j = i; j < end; j++) {
			uint32_t v = x[j] - from, more_than = v >= last;

			bits |= (uint64_t)(more_than ? last : v) << ((j - i) * k);
			more[n_more] = x[j];
			n_more += more_than;
		}
		put_bits(w, bits, (int)(end - i) * k);
	}
	return n_more;
}

/* The entries from k on. */
static int64_t
runs_from(const int32_t *col, int64_t k, int64_t n, uint32_t *first)
{
	int64_t n_run = 0;
	int bad = 0;

	for (; k < n; k++) {
		bad |= col[k] <= col[k - 1];
		first[n_run] = (uint32_t)k;
		n_run += (col[k] ^ col[k - 1]) >= CHUNK;
	}
	return bad ? -1 : n_run;
}

static int64_t
runs(const int32_t *col, int64_t n, uint32_t *first)
{
	int64_t n_run = runs_from(col, 1, n, first + 1);

	first[0] = 0;
	return n_run < 0 ? -1 : n_run + 1;
}

static void
squeeze(uint8_t *flag, int64_t n_word, uint8_t *bits)
{
	for (int64_t i = 0; i < 8 * n_word; i++) {
		/* byte i of the flags comes to bit i of the product's highest byte */
		bits[i] = (uint8_t)(wire_get64(flag + 8 * i) * 0x0102040810204080u >> 56);
		wire_put64(flag + 8 * i, 0);
	}
}

static void
cut(const int32_t *col, int64_t n, int32_t base, int w, int32_t at, uint32_t *place, struct writer *low)
{
	for (int64_t k = 0; k < n; k++) {
		uint32_t x = (uint32_t)(col[k] - base);

		place[k] = (x >> w) + (uint32_t)(at + k);
		put_bits(low, x & ((1ull << w) - 1), w);
	}
}

static int64_t
places(const uint64_t *bits, int64_t n_word, int32_t *col)
{
	int32_t *to = col;

	for (int64_t w = 0; w < n_word; w++)
		for (uint64_t x = bits[w]; x; x &= x - 1)
			*to++ = (int32_t)(64 * w) + __builtin_ctzll(x);
	return to - col;
}

static void
gather(const double *value, const int32_t *col, int64_t n, double *val)
{
	for (int64_t i = 0; i < n; i++)
		val[i] = value[col[i]];
}

#ifdef WIDE

#define WORDS 512       /* looked at at a time for those that are not empty */

/* ---- AVX2 ---- */

/* Lanes of v whose bit in mask is set, together in front. */
T256 static inline __m256i
compress_256(__m256i v, unsigned mask)
{
	return _mm256_permutevar8x32_epi32(v, _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)pack_bits_of[mask])));
}

/* Eight values; a whole number below 2^52 stands in the low bits of its sum with 2^52. */
T256 static int64_t
split_256(const double *val, int64_t n, uint32_t *big, uint8_t *plane, uint64_t *sum, uint32_t *max)
{
	const __m256d magic = _mm256_set1_pd(4503599627370496.0), one = _mm256_set1_pd(1), end = _mm256_set1_pd(4294967295.0);
	const __m256d two = _mm256_set1_pd(2);
	const __m256i even = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6), half = _mm256_set1_epi64x(0xffffffff);
	__m256d good = _mm256_castsi256_pd(_mm256_set1_epi32(-1));
	__m256i total = _mm256_setzero_si256(), most = total;
	int64_t k = 0, n_big = 0, more;
	uint64_t part[4], rest;
	uint32_t top[8], rest_max;

	for (; k + 8 <= n; k += 8) {
		__m256d a = _mm256_loadu_pd(val + k), b = _mm256_loadu_pd(val + k + 4);
		__m256d x = _mm256_add_pd(a, magic), y = _mm256_add_pd(b, magic);
		__m256i i = _mm256_and_si256(_mm256_castpd_si256(x), half), j = _mm256_and_si256(_mm256_castpd_si256(y), half), v;
		unsigned m;

		good = _mm256_and_pd(good, _mm256_and_pd(_mm256_cmp_pd(_mm256_sub_pd(x, magic), a, _CMP_EQ_OQ),
		    _mm256_cmp_pd(_mm256_sub_pd(y, magic), b, _CMP_EQ_OQ)));
		good = _mm256_and_pd(good, _mm256_and_pd(_mm256_cmp_pd(_mm256_min_pd(a, b), one, _CMP_GE_OQ),
		    _mm256_cmp_pd(_mm256_max_pd(a, b), end, _CMP_LE_OQ)));
		total = _mm256_add_epi64(total, _mm256_add_epi64(i, j));
		v = _mm256_blend_epi32(_mm256_permutevar8x32_epi32(i, even), _mm256_permutevar8x32_epi32(j, even), 0xf0);
		most = _mm256_max_epu32(most, v);
		m = (unsigned)_mm256_movemask_pd(_mm256_cmp_pd(a, two, _CMP_GE_OQ)) |
		    (unsigned)_mm256_movemask_pd(_mm256_cmp_pd(b, two, _CMP_GE_OQ)) << 4;
		_mm256_storeu_si256((__m256i *)(big + n_big), compress_256(v, m));
		n_big += __builtin_popcount(m);
		plane[k / 8] = (uint8_t)m;
	}
	more = split(val + k, n - k, big + n_big, plane + k / 8, &rest, &rest_max);
	if (more < 0 || _mm256_movemask_pd(good) != 15)
		return -1;
	_mm256_storeu_si256((__m256i *)part, total);
	_mm256_storeu_si256((__m256i *)top, most);
	*sum = part[0] + part[1] + part[2] + part[3] + rest;
	*max = rest_max;
	for (int i = 0; i < 8; i++)
		*max = top[i] > *max ? top[i] : *max;
	return n_big + more;
}

/* Eight bytes of k bits each to 8 k bits. */
T256 static inline void
put_eight(uint64_t bytes, int k, struct writer *w)
{
	if (k == 8) {
		put_bits(w, bytes & 0xffffffff, 32);
		put_bits(w, bytes >> 32, 32);
	} else {
		put_bits(w, _pext_u64(bytes, 0x0101010101010101u * ((1u << k) - 1)), 8 * k);
	}
}

/* The lowest byte of each of eight lanes. */
T256 static inline uint64_t
low_bytes(__m256i v)
{
	const __m256i pick = _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
	    0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);

	v = _mm256_shuffle_epi8(v, pick);
	return (uint32_t)_mm256_extract_epi32(v, 0) | (uint64_t)(uint32_t)_mm256_extract_epi32(v, 4) << 32;
}

T256 static int64_t
level_256(const uint32_t *x, int64_t n, int k, uint32_t from, uint32_t *more, struct writer *w)
{
	const __m256i first = _mm256_set1_epi32((int)from), last = _mm256_set1_epi32((1 << k) - 1);
	int64_t n_more = 0, i = 0;

	for (; i + 8 <= n; i += 8) {
		__m256i v = _mm256_loadu_si256((const __m256i *)(x + i)), code = _mm256_min_epu32(_mm256_sub_epi32(v, first), last);
		unsigned m = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(code, last)));

		put_eight(low_bytes(code), k, w);
		_mm256_storeu_si256((__m256i *)(more + n_more), compress_256(v, m));
		n_more += __builtin_popcount(m);
	}
	return n_more + level(x + i, n - i, k, from, more + n_more, w);
}

T256 static int64_t
runs_256(const int32_t *col, int64_t n, uint32_t *first)
{
	const __m256i iota = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), end = _mm256_set1_epi32(CHUNK - 1);
	__m256i good = _mm256_set1_epi32(-1);
	int64_t k = 1, n_run = 1, more;

	first[0] = 0;
	for (; k + 8 <= n; k += 8) {
		__m256i v = _mm256_loadu_si256((const __m256i *)(col + k)), u = _mm256_loadu_si256((const __m256i *)(col + k - 1));
		unsigned m = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_xor_si256(u, v), end)));

		good = _mm256_and_si256(good, _mm256_cmpgt_epi32(v, u));
		_mm256_storeu_si256((__m256i *)(first + n_run), compress_256(_mm256_add_epi32(_mm256_set1_epi32((int)k), iota), m));
		n_run += __builtin_popcount(m);
	}
	more = runs_from(col, k, n, first + n_run);
	return more < 0 || _mm256_movemask_epi8(good) != -1 ? -1 : n_run + more;
}

T256 static void
squeeze_256(uint8_t *flag, int64_t n_word, uint8_t *bits)
{
	const __m256i zero = _mm256_setzero_si256();

	for (int64_t i = 0; i < 2 * n_word; i++) {
		__m256i v = _mm256_loadu_si256((const __m256i *)(flag + 32 * i));

		wire_put32(bits + 4 * i, (uint32_t)_mm256_movemask_epi8(_mm256_cmpgt_epi8(v, zero)));
		_mm256_storeu_si256((__m256i *)(flag + 32 * i), zero);
	}
}

/* The low w <= 14 bits of four times 16 bits. */
T256 static inline uint64_t
low_of_four(uint64_t x, int w)
{
	return _pext_u64(x, 0x0001000100010001u * ((1u << w) - 1));
}

T256 static void
cut_256(const int32_t *col, int64_t n, int32_t base, int w, int32_t at, uint32_t *place, struct writer *low)
{
	const __m256i first = _mm256_set1_epi32(base), iota = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
	const __m128i shift = _mm_cvtsi32_si128(w);
	const uint64_t mask = 0x0101010101010101u * ((1u << w) - 1);
	int64_t k = 0;

	for (; w <= 14 && k + 8 <= n; k += 8) {
		__m256i v = _mm256_sub_epi32(_mm256_loadu_si256((const __m256i *)(col + k)), first);

		_mm256_storeu_si256((__m256i *)(place + k), _mm256_add_epi32(_mm256_srl_epi32(v, shift),
		    _mm256_add_epi32(_mm256_set1_epi32(at + (int32_t)k), iota)));
		if (w <= 7) {
			put_bytes(low, _pext_u64(low_bytes(v), mask), w);
		} else {
			__m128i a;

			v = _mm256_and_si256(v, _mm256_set1_epi32(0xffff));
			a = _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
			put_bits(low, low_of_four((uint64_t)_mm_cvtsi128_si64(a), w), 4 * w);
			put_bits(low, low_of_four((uint64_t)_mm_extract_epi64(a, 1), w), 4 * w);
		}
	}
	cut(col + k, n - k, base, w, at + (int32_t)k, place + k, low);
}

T256 static int64_t
places_256(const uint64_t *bits, int64_t n_word, int32_t *col)
{
	int32_t *to = col, word[WORDS];

	for (int64_t w = 0; w < n_word; w += WORDS) {
		int64_t n = pack_words_with(bits + w, n_word - w < WORDS ? n_word - w : WORDS, word);

		for (int64_t i = 0; i < n; i++) {
			uint64_t x = bits[w + word[i]];
			int32_t base = (int32_t)(64 * (w + word[i]));

			to[0] = base + (int32_t)_tzcnt_u64(x);
			to[1] = base + (int32_t)_tzcnt_u64(_blsr_u64(x));
			if (__builtin_popcountll(x) <= 2) {
				to += __builtin_popcountll(x);
				continue;
			}
			for (; x; x >>= 8, base += 8) {
				__m256i v = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)pack_bits_of[x & 255]));

				_mm256_storeu_si256((__m256i *)to, _mm256_add_epi32(v, _mm256_set1_epi32(base)));
				to += __builtin_popcount((unsigned)x & 255);
			}
		}
	}
	return to - col;
}

T256 static void
gather_256(const double *value, const int32_t *col, int64_t n, double *val)
{
	int64_t i = 0;

	for (; i + 4 <= n; i += 4)
		_mm256_storeu_pd(val + i, _mm256_i32gather_pd(value, _mm_loadu_si128((const __m128i *)(col + i)), 8));
	gather(value, col + i, n - i, val + i);
}

/* ---- AVX-512 ---- */

/* As split_256; big holds 8 bytes a value until the end. */
T512 static int64_t
split_512(const double *val, int64_t n, uint32_t *big, uint8_t *plane, uint64_t *sum, uint32_t *max)
{
	const __m512d magic = _mm512_set1_pd(4503599627370496.0), two = _mm512_set1_pd(2);
	__m512d least = _mm512_set1_pd(1), most = least;
	__m512i total = _mm512_setzero_si512();
	unsigned bad = 0;
	int64_t n_big = 0;
	uint64_t part[8];
	uint8_t *to = (uint8_t *)big;

	for (int64_t k = 0; k < n; k += 8) {
		__mmask8 here = (__mmask8)(n - k < 8 ? (1u << (n - k)) - 1 : 255), m;
		__m512d v = _mm512_mask_loadu_pd(_mm512_set1_pd(1), here, val + k), x = _mm512_add_pd(v, magic);

		_mm_prefetch((const char *)(val + k + 128), _MM_HINT_T0);
		bad |= (unsigned)_mm512_cmp_pd_mask(_mm512_sub_pd(x, magic), v, _CMP_NEQ_UQ);
		least = _mm512_min_pd(least, v);
		most = _mm512_max_pd(most, v);
		total = _mm512_add_epi64(total, _mm512_castpd_si512(x));
		m = _mm512_cmp_pd_mask(v, two, _CMP_GE_OQ);
		_mm512_storeu_si512(to, _mm512_maskz_compress_epi64(m, _mm512_castpd_si512(x)));
		to += 8 * __builtin_popcount((unsigned)m);
		plane[k / 8] = (uint8_t)m;
	}
	n_big = (to - (uint8_t *)big) / 8;
	for (int64_t k = 0; k < n_big; k += 8)
		_mm256_storeu_si256((__m256i *)(big + k), _mm512_cvtepi64_epi32(_mm512_loadu_si512((const uint8_t *)big + 8 * k)));
	/* each term has the bits of 2^52 on top, and what fills the last eight up is 1 */
	_mm512_storeu_si512(part, total);
	*sum = -(uint64_t)((n + 7) / 8 * 8) * 0x4330000000000000u - (uint64_t)(-n & 7);
	for (int i = 0; i < 8; i++)
		*sum += part[i];
	if (bad || _mm512_reduce_min_pd(least) < 1 || _mm512_reduce_max_pd(most) > 4294967295.0)
		return -1;
	*max = n ? (uint32_t)_mm512_reduce_max_pd(most) : 0;
	return n_big;
}

T512 static int64_t
level_512(const uint32_t *x, int64_t n, int k, uint32_t from, uint32_t *more, struct writer *w)
{
	const __m512i first = _mm512_set1_epi32((int)from), last = _mm512_set1_epi32((1 << k) - 1);
	int64_t n_more = 0, i = 0;

	for (; i + 16 <= n; i += 16) {
		__m512i v = _mm512_loadu_si512(x + i), code = _mm512_min_epu32(_mm512_sub_epi32(v, first), last);
		__mmask16 m = _mm512_cmpeq_epi32_mask(code, last);
		__m128i bytes = _mm512_cvtepi32_epi8(code);

		put_eight((uint64_t)_mm_cvtsi128_si64(bytes), k, w);
		put_eight((uint64_t)_mm_extract_epi64(bytes, 1), k, w);
		_mm512_storeu_si512(more + n_more, _mm512_maskz_compress_epi32(m, v));
		n_more += __builtin_popcount((unsigned)m);
	}
	return n_more + level(x + i, n - i, k, from, more + n_more, w);
}

T512 static int64_t
runs_512(const int32_t *col, int64_t n, uint32_t *first)
{
	const __m512i iota = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), end = _mm512_set1_epi32(CHUNK);
	int64_t n_run = 1;
	unsigned bad = 0;

	first[0] = 0;
	for (int64_t k = 1; k < n; k += 16) {
		__mmask16 here = (__mmask16)(n - k < 16 ? (1u << (n - k)) - 1 : 0xffff), m;
		__m512i v = _mm512_maskz_loadu_epi32(here, col + k), u = _mm512_maskz_loadu_epi32(here, col + k - 1);

		bad |= (unsigned)_mm512_mask_cmple_epi32_mask(here, v, u);
		m = _mm512_cmpge_epu32_mask(_mm512_xor_si512(u, v), end);
		_mm512_storeu_si512(first + n_run, _mm512_maskz_compress_epi32(m, _mm512_add_epi32(_mm512_set1_epi32((int)k), iota)));
		n_run += __builtin_popcount((unsigned)m);
	}
	return bad ? -1 : n_run;
}

T512 static void
squeeze_512(uint8_t *flag, int64_t n_word, uint8_t *bits)
{
	for (int64_t i = 0; i < n_word; i++) {
		__m512i v = _mm512_loadu_si512(flag + 64 * i);

		wire_put64(bits + 8 * i, _mm512_test_epi8_mask(v, v));
		_mm512_storeu_si512(flag + 64 * i, _mm512_setzero_si512());
	}
}

/* The set bits of sixteen, the first being base; returns behind the last. */
T512 static inline __attribute__((always_inline)) int32_t *
sixteen_places(unsigned bits, int32_t base, int32_t *to)
{
	const __m512i iota = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);

	_mm512_storeu_si512(to, _mm512_maskz_compress_epi32((__mmask16)bits, _mm512_add_epi32(iota, _mm512_set1_epi32(base))));
	return to + __builtin_popcount(bits);
}

T512 static int64_t
places_512(const uint64_t *bits, int64_t n_word, int32_t *col)
{
	int32_t *to = col, word[WORDS];

	for (int64_t w = 0; w < n_word; w += WORDS) {
		int64_t n = pack_words_with(bits + w, n_word - w < WORDS ? n_word - w : WORDS, word);

		for (int64_t i = 0; i < n; i++) {
			uint64_t x = bits[w + word[i]];
			int32_t base = (int32_t)(64 * (w + word[i]));

			to[0] = base + (int32_t)_tzcnt_u64(x);
			to[1] = base + (int32_t)_tzcnt_u64(_blsr_u64(x));
			to[2] = base + (int32_t)_tzcnt_u64(_blsr_u64(_blsr_u64(x)));
			to[3] = base + (int32_t)_tzcnt_u64(_blsr_u64(_blsr_u64(_blsr_u64(x))));
			if (__builtin_popcountll(x) <= 4) {
				to += __builtin_popcountll(x);
				continue;
			}
			to = sixteen_places((unsigned)x & 0xffff, base, to);
			to = sixteen_places((unsigned)(x >> 16) & 0xffff, base + 16, to);
			to = sixteen_places((unsigned)(x >> 32) & 0xffff, base + 32, to);
			to = sixteen_places((unsigned)(x >> 48), base + 48, to);
		}
	}
	return to - col;
}

T512 static void
gather_512(const double *value, const int32_t *col, int64_t n, double *val)
{
	int64_t i = 0;

	for (; i + 8 <= n; i += 8)
		_mm512_storeu_pd(val + i, _mm512_i32gather_pd(_mm256_loadu_si256((const __m256i *)(col + i)), value, 8));
	gather(value, col + i, n - i, val + i);
}

T512 static void
cut_512(const int32_t *col, int64_t n, int32_t base, int w, int32_t at, uint32_t *place, struct writer *low)
{
	const __m512i first = _mm512_set1_epi32(base), iota = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	const __m128i shift = _mm_cvtsi32_si128(w);
	const uint64_t mask = 0x0101010101010101u * ((1u << w) - 1);
	int64_t k = 0;

	for (; w <= 7 && k + 16 <= n; k += 16) {
		__m512i v = _mm512_sub_epi32(_mm512_loadu_si512(col + k), first);
		__m128i bytes = _mm512_cvtepi32_epi8(v);

		_mm512_storeu_si512(place + k, _mm512_add_epi32(_mm512_srl_epi32(v, shift),
		    _mm512_add_epi32(_mm512_set1_epi32(at + (int32_t)k), iota)));
		put_bytes(low, _pext_u64((uint64_t)_mm_cvtsi128_si64(bytes), mask), w);
		put_bytes(low, _pext_u64((uint64_t)_mm_extract_epi64(bytes, 1), mask), w);
	}
	cut_256(col + k, n - k, base, w, at + (int32_t)k, place + k, low);
}

#endif

const struct encoder *
pack_encoder(void)
{
	static const struct encoder code[] = {
		{ split, level, runs, squeeze, places, gather, cut },
#ifdef WIDE
		{ split_256, level_256, runs_256, squeeze_256, places_256, gather_256, cut_256 },
		{ split_512, level_512, runs_512, squeeze_512, places_512, gather_512, cut_512 }
#endif
	};

	return &code[pack_cpu()];
}
