/* pack_encode_dense - a row laid out as bytes, one for each column: AVX2 and AVX-512 (plain C sorts sooner)
 *
 * Columns in any order are thereby in order, and a word of 64 of them gives at once what is to be written: a bit for each
 * column that is there, a bit for each of those that is more than 1 (by one bit extract), their sum and the largest.
 * A byte is at most 255; the values that are more stand in an array of 4 bytes a column, which is read for those alone.
 */
#include "stream/pack_impl.h"

#ifdef WIDE
#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

/* ---- both ---- */

/* Entries at .. at + n - 1 of m. */
INLINE int
spread_some(const struct pack_rows *m, int64_t at, int64_t n, const struct pack_places *place, uint8_t *row, uint32_t *wide)
{
	for (int64_t j = at; j < at + n; j++) {
		double v = pack_value(m, j);
		uint32_t c = (uint32_t)m->col[j], x;

		if (c >= (uint64_t)m->n_col || !(v >= 0 && v <= 4294967295.0) || (double)(x = (uint32_t)v) != v)
			return 0;
		c = place->narrow ? place->narrow[c] : (uint32_t)place->wide[c];
		row[c] = x < 255 ? (uint8_t)x : 255;
		if (x >= 255)
			wide[c] = x;
	}
	return 1;
}

/* Bits on their way: n < 64 of them in acc. */
struct bits {
	uint8_t *p;
	uint64_t acc;
	unsigned n;
};

/* k <= 64 bits of x, the others being 0. */
INLINE void
add_bits(struct bits *b, uint64_t x, unsigned k)
{
	unsigned end = b->n + k;
	uint64_t full = -(uint64_t)(end / 64);  /* no branch, which could not be foreseen */

	b->acc |= x << b->n;
	wire_put64(b->p, b->acc);
	b->acc = (b->acc & ~full) | (x >> 1 >> (63 - b->n) & full);
	b->p += end / 64 * 8;
	b->n = end % 64;
}

/* What is left to its place; how many bits there are in all. */
INLINE int64_t
end_bits(const struct bits *b, const uint8_t *start)
{
	wire_put64(b->p, b->acc);
	return 8 * (b->p - start) + b->n;
}

/* Of a word's values those of 255 and more, which are at most a few: their columns are the bits of some, the list of
 * all that are more than 1, of which more has the columns, begins at big. */
INLINE void
take_wide(const uint32_t *wide, uint64_t some, uint64_t more, uint32_t *big, struct pack_sums *t)
{
	for (; some; some &= some - 1) {
		uint32_t x = wide[__builtin_ctzll(some)];

		big[__builtin_popcountll(more & (some - 1) & ~some)] = x;
		t->sum += x - 255;
		t->max = x > t->max ? x : t->max;
	}
}

/* The first two of a word's values that are more than 1, the bits of more, so that in most words their number need not be
 * guessed.  The byte behind the word may be read. */
T256 INLINE void
two_values(const uint8_t *row, uint64_t more, uint32_t *to)
{
	to[0] = row[_tzcnt_u64(more)];
	to[1] = row[_tzcnt_u64(_blsr_u64(more))];
}

/* Eight bytes go to their columns. */
#define SCATTER_EIGHT(x, col, place, row) \
	(row)[(place)[(col)[0]]] = (uint8_t)(x); \
	(row)[(place)[(col)[1]]] = (uint8_t)((x) >> 8); \
	(row)[(place)[(col)[2]]] = (uint8_t)((x) >> 16); \
	(row)[(place)[(col)[3]]] = (uint8_t)((x) >> 24); \
	(row)[(place)[(col)[4]]] = (uint8_t)((x) >> 32); \
	(row)[(place)[(col)[5]]] = (uint8_t)((x) >> 40); \
	(row)[(place)[(col)[6]]] = (uint8_t)((x) >> 48); \
	(row)[(place)[(col)[7]]] = (uint8_t)((x) >> 56);

INLINE void
scatter_eight(uint64_t x, const int32_t *col, const uint16_t *narrow, const int32_t *wide, uint8_t *row)
{
	if (narrow) {
		SCATTER_EIGHT(x, col, narrow, row)
	} else {
		SCATTER_EIGHT(x, col, wide, row)
	}
}

/* A loop of its own for each type of values and of places. */
#define EACH_TYPE(loop) \
	switch (m->type) { \
	case PACK_I32: \
		return place->narrow ? loop(m, PACK_I32, 1, at, n, place, row, wide) : loop(m, PACK_I32, 0, at, n, place, row, wide); \
	case PACK_F32: \
		return place->narrow ? loop(m, PACK_F32, 1, at, n, place, row, wide) : loop(m, PACK_F32, 0, at, n, place, row, wide); \
	default: \
		return place->narrow ? loop(m, PACK_F64, 1, at, n, place, row, wide) : loop(m, PACK_F64, 0, at, n, place, row, wide); \
	}

/* ---- AVX2 ---- */

#define WORDS 512       /* gone through at a time */

/* Eight values below 2^31 as integers; bad where one is another. */
T256 INLINE __m256i
eight_values(const struct pack_rows *m, int type, int64_t at, __m256i *bad)
{
	__m256i u, wrong;

	if (type == PACK_I32) {
		u = wrong = _mm256_loadu_si256((const __m256i *)((const int32_t *)m->val + at));
	} else if (type == PACK_F32) {
		__m256 x = _mm256_loadu_ps((const float *)m->val + at);

		u = _mm256_cvttps_epi32(x);
		wrong = _mm256_or_si256(u, _mm256_castps_si256(_mm256_cmp_ps(_mm256_cvtepi32_ps(u), x, _CMP_NEQ_UQ)));
	} else {
		__m256d x = _mm256_loadu_pd((const double *)m->val + at), y = _mm256_loadu_pd((const double *)m->val + at + 4);
		__m128i a = _mm256_cvttpd_epi32(x), b = _mm256_cvttpd_epi32(y);

		u = _mm256_inserti128_si256(_mm256_castsi128_si256(a), b, 1);
		wrong = _mm256_or_si256(u, _mm256_castpd_si256(_mm256_or_pd(_mm256_cmp_pd(_mm256_cvtepi32_pd(a), x, _CMP_NEQ_UQ),
		    _mm256_cmp_pd(_mm256_cvtepi32_pd(b), y, _CMP_NEQ_UQ))));
	}
	*bad = wrong;
	return u;
}

T256 INLINE int
spread_eights(const struct pack_rows *m, int type, int narrow, int64_t at, int64_t n, const struct pack_places *place,
	uint8_t *row, uint32_t *wide)
{
	const __m256i end = _mm256_set1_epi32((int32_t)(m->n_col - 1)), most = _mm256_set1_epi32(255);
	const __m128i none = _mm_setzero_si128();
	int64_t j = at;

	for (; j + 8 <= at + n; j += 8) {
		__m256i c = _mm256_loadu_si256((const __m256i *)(m->col + j)), bad, u = eight_values(m, type, j, &bad), full;
		__m128i s;

		/* a sign says that a column is out of range, or a value not below 2^31, or no count */
		bad = _mm256_or_si256(bad, _mm256_or_si256(c, _mm256_cmpgt_epi32(c, end)));
		full = _mm256_cmpgt_epi32(u, _mm256_set1_epi32(254));
		if (_mm256_movemask_epi8(_mm256_or_si256(full, _mm256_srai_epi32(bad, 31)))) {
			if (!spread_some(m, j, 8, place, row, wide))
				return 0;
			continue;
		}
		u = _mm256_min_epu32(u, most);
		s = _mm_packus_epi32(_mm256_castsi256_si128(u), _mm256_extracti128_si256(u, 1));
		scatter_eight((uint64_t)_mm_cvtsi128_si64(_mm_packus_epi16(s, none)), m->col + j,
		    narrow ? place->narrow : NULL, place->wide, row);
	}
	return spread_some(m, j, at + n - j, place, row, wide);
}

T256 static int
spread_256(const struct pack_rows *m, int64_t at, int64_t n, const struct pack_places *place, uint8_t *row, uint32_t *wide)
{
	EACH_TYPE(spread_eights)
}

T256 static void
collect_256(uint8_t *row, const uint32_t *wide, int64_t n_word, uint64_t *word, int64_t *count, uint32_t *big,
	uint8_t *plane, struct pack_sums *t)
{
	const __m256i zero = _mm256_setzero_si256(), two = _mm256_set1_epi8(2), full = _mm256_set1_epi8(-1);
	__m256i sum = zero, most = zero;
	struct bits b = { .p = plane };
	uint32_t *to = big;
	uint64_t part[4];
	uint8_t top[32];

	*t = (struct pack_sums){0};
	for (int64_t w = 0; w < n_word; w++, row += 64) {
		__m256i u = _mm256_loadu_si256((const __m256i *)row), v = _mm256_loadu_si256((const __m256i *)(row + 32));
		uint64_t there, more, some;
		int n_more;

		there = ~((uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(u, zero)) |
		    (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, zero)) << 32);
		more = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_max_epu8(u, two), u)) |
		    (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_max_epu8(v, two), v)) << 32;
		some = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(u, full)) |
		    (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, full)) << 32;
		word[w] = there;
		count[w] += __builtin_popcountll(there);
		sum = _mm256_add_epi64(sum, _mm256_add_epi64(_mm256_sad_epu8(u, zero), _mm256_sad_epu8(v, zero)));
		most = _mm256_max_epu8(most, _mm256_max_epu8(u, v));
		add_bits(&b, _pext_u64(more, there), (unsigned)__builtin_popcountll(there));
		n_more = __builtin_popcountll(more);
		two_values(row, more, to);
		if (n_more > 2) {
			uint32_t *end = to;

			for (int i = 0; i < 64; i += 8) {
				unsigned mask = (unsigned)(more >> i) & 255;
				__m256i x = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)wire_get64(row + i)));
				__m256i lane = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)pack_bits_of[mask]));

				_mm256_storeu_si256((__m256i *)end, _mm256_permutevar8x32_epi32(x, lane));
				end += __builtin_popcount(mask);
			}
		}
		if (some)
			take_wide(wide + 64 * w, some, more, to, t);
		to += n_more;
		_mm256_storeu_si256((__m256i *)row, zero);
		_mm256_storeu_si256((__m256i *)(row + 32), zero);
	}
	_mm256_storeu_si256((__m256i *)part, sum);
	_mm256_storeu_si256((__m256i *)top, most);
	t->sum += part[0] + part[1] + part[2] + part[3];
	for (int i = 0; i < 32; i++)
		t->max = top[i] > t->max ? top[i] : t->max;
	t->n = end_bits(&b, plane);
	t->n_big = to - big;
}

/* ---- AVX-512 ---- */

/* Sixteen values as integers; bits in bad where one is no count. */
T512 INLINE __m512i
sixteen_values(const struct pack_rows *m, int type, int64_t at, __mmask16 *bad)
{
	const __m512d end = _mm512_set1_pd(4294967296.0);
	__m512i u;

	if (type == PACK_I32) {
		u = _mm512_loadu_si512((const int32_t *)m->val + at);
		*bad = _mm512_movepi32_mask(u);
	} else if (type == PACK_F32) {
		__m512 x = _mm512_loadu_ps((const float *)m->val + at);

		u = _mm512_cvttps_epu32(x);
		*bad = (__mmask16)(_mm512_cmp_ps_mask(_mm512_cvtepu32_ps(u), x, _CMP_NEQ_UQ) |
		    _mm512_cmp_ps_mask(x, _mm512_set1_ps(4294967296.0f), _CMP_GE_OQ));
	} else {
		__m512d x = _mm512_loadu_pd((const double *)m->val + at), y = _mm512_loadu_pd((const double *)m->val + at + 8);
		__m256i a = _mm512_cvttpd_epu32(x), b = _mm512_cvttpd_epu32(y);
		unsigned lower = (unsigned)_mm512_cmp_pd_mask(_mm512_cvtepu32_pd(a), x, _CMP_NEQ_UQ) |
			(unsigned)_mm512_cmp_pd_mask(x, end, _CMP_GE_OQ);
		unsigned upper = (unsigned)_mm512_cmp_pd_mask(_mm512_cvtepu32_pd(b), y, _CMP_NEQ_UQ) |
			(unsigned)_mm512_cmp_pd_mask(y, end, _CMP_GE_OQ);

		u = _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1);
		*bad = (__mmask16)(lower | upper << 8);
	}
	return u;
}

T512 INLINE int
spread_sixteens(const struct pack_rows *m, int type, int narrow, int64_t at, int64_t n, const struct pack_places *place,
	uint8_t *row, uint32_t *wide)
{
	const __m512i end = _mm512_set1_epi32((int32_t)m->n_col), most = _mm512_set1_epi32(255);
	int64_t j = at;

	for (; j + 16 <= at + n; j += 16) {
		__mmask16 bad;
		__m512i c = _mm512_loadu_si512(m->col + j), u = sixteen_values(m, type, j, &bad);
		__m128i bytes = _mm512_cvtepi32_epi8(_mm512_min_epu32(u, most));
		unsigned full = _mm512_cmpge_epu32_mask(u, most);

		if (bad | _mm512_cmpge_epu32_mask(c, end))
			return 0;
		scatter_eight((uint64_t)_mm_cvtsi128_si64(bytes), m->col + j, narrow ? place->narrow : NULL, place->wide, row);
		scatter_eight((uint64_t)_mm_extract_epi64(bytes, 1), m->col + j + 8, narrow ? place->narrow : NULL, place->wide, row);
		if (full && !spread_some(m, j, 16, place, row, wide))
			return 0;
	}
	return spread_some(m, j, at + n - j, place, row, wide);
}

T512 static int
spread_512(const struct pack_rows *m, int64_t at, int64_t n, const struct pack_places *place, uint8_t *row, uint32_t *wide)
{
	EACH_TYPE(spread_sixteens)
}

/* Those of sixteen bytes whose bits are in mask; returns behind the last. */
T512 INLINE uint32_t *
sixteen_bytes(const uint8_t *bytes, unsigned mask, uint32_t *to)
{
	__m512i v = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)bytes));

	_mm512_storeu_si512(to, _mm512_maskz_compress_epi32((__mmask16)mask, v));
	return to + __builtin_popcount(mask);
}

/* Some words at a time: what is there, and how large; then the bits of those words that have any; then the values of
 * those that have some above 1, which are few. */
T512 static void
collect_512(uint8_t *row, const uint32_t *wide, int64_t n_word, uint64_t *word, int64_t *count, uint32_t *big,
	uint8_t *plane, struct pack_sums *t)
{
	const __m512i zero = _mm512_setzero_si512(), one = _mm512_set1_epi8(1), full = _mm512_set1_epi8(-1);
	__m512i sum = zero, most = zero;
	struct bits b = { .p = plane };
	uint32_t *to = big;
	uint64_t more[WORDS];
	int32_t some[WORDS];
	uint8_t top[64];

	*t = (struct pack_sums){0};
	for (int64_t w = 0; w < n_word; w += WORDS, word += WORDS, count += WORDS, row += 64 * WORDS, wide += 64 * WORDS) {
		int64_t words = n_word - w < WORDS ? n_word - w : WORDS, n;

		for (int64_t i = 0; i < words; i++) {
			__m512i v = _mm512_loadu_si512(row + 64 * i);

			word[i] = _mm512_test_epi8_mask(v, v);
			more[i] = _mm512_cmpgt_epu8_mask(v, one);
			sum = _mm512_add_epi64(sum, _mm512_sad_epu8(v, zero));
			most = _mm512_max_epu8(most, v);
		}
		n = pack_words_with(word, words, some);
		for (int64_t k = 0; k < n; k++) {
			int32_t i = some[k];
			int there = __builtin_popcountll(word[i]);

			count[i] += there;
			add_bits(&b, _pext_u64(more[i], word[i]), (unsigned)there);
		}
		n = pack_words_with(more, words, some);
		for (int64_t k = 0; k < n; k++) {
			int32_t i = some[k];
			const uint8_t *bytes = row + 64 * i;
			uint32_t *at = to;

			two_values(bytes, more[i], to);
			if (__builtin_popcountll(more[i]) > 2) {
				at = sixteen_bytes(bytes, (unsigned)more[i] & 0xffff, at);
				at = sixteen_bytes(bytes + 16, (unsigned)(more[i] >> 16) & 0xffff, at);
				at = sixteen_bytes(bytes + 32, (unsigned)(more[i] >> 32) & 0xffff, at);
				sixteen_bytes(bytes + 48, (unsigned)(more[i] >> 48), at);
			}
			if (_mm512_cmpeq_epi8_mask(_mm512_loadu_si512(bytes), full))
				take_wide(wide + 64 * i, _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(bytes), full), more[i], to, t);
			to += __builtin_popcountll(more[i]);
		}
		memset(row, 0, (size_t)(64 * words));
	}
	_mm512_storeu_si512(top, most);
	t->sum += (uint64_t)_mm512_reduce_add_epi64(sum);
	for (int i = 0; i < 64; i++)
		t->max = top[i] > t->max ? top[i] : t->max;
	t->n = end_bits(&b, plane);
	t->n_big = to - big;
}

#endif

const struct dense_encoder *
pack_dense_encoder(void)
{
#ifdef WIDE
	static const struct dense_encoder code[] = { { spread_256, collect_256 }, { spread_512, collect_512 } };
	int cpu = pack_cpu();

	if (cpu != CPU_PORTABLE)
		return &code[cpu - CPU_AVX2];
#endif
	return NULL;
}
