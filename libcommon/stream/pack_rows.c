/* pack_rows - what the decoder does with a row, in plain C, which says what is meant; see pack_impl.h
 */
#include "stream/pack_impl.h"

/* 56 / k codes at a time; a code of ones is left as a one at its lowest bit. */
static int64_t
count(const uint8_t *p, uint64_t at, int64_t n, int k)
{
	static const uint64_t lowest[] = { 0, ~0ull, 0x5555555555555555u, 0, 0x1111111111111111u, 0, 0, 0, 0x0101010101010101u };
	int64_t all = 0, step = TAKE / k;

	for (; n > 0; n -= step, at += (uint64_t)(step * k)) {
		uint64_t x = get_bits(p, at) & ((1ull << (n < step ? n : step) * k) - 1);

		for (int s = 1; s < k; s *= 2)
			x &= x >> s;
		all += __builtin_popcountll(x & lowest[k]);
	}
	return all;
}

static void
level(const uint8_t *p, uint64_t at, int64_t n, int k, uint32_t from, const uint32_t *more, uint32_t *x)
{
	const uint32_t last = (1u << k) - 1;

	for (int64_t i = 0; i < n; i++, at += (uint64_t)k) {
		uint32_t v = (uint32_t)(p[at >> 3] >> (at & 7)) & last;

		x[i] = v < last ? v + from : *more;
		more += v == last;
	}
}

static int64_t
bitmap(const uint8_t *p, int64_t n_word, const int32_t *map, int32_t *col, int64_t n)
{
	int64_t k = 0;

	for (int64_t w = 0; w < n_word && k <= n; w++)
		for (uint64_t bits = wire_get64(p + 8 * w); bits; bits &= bits - 1)
			col[k++] = map[w * 64 + __builtin_ctzll(bits)];
	return k;
}

/* Entry k at bit i of the row's part of high is in bucket i - k. */
static int
buckets(struct pack_reader *r, const int32_t *map, int32_t *col, int64_t n)
{
	const struct bands *b = &r->l.b;
	const uint8_t *low = r->stream[S_LOW];
	uint64_t at = r->at[S_HIGH], end = at + (uint64_t)(b->bucket[MAX_WIDTH + 1] + n);
	uint64_t low_at = r->at[S_LOW], low_end = r->l.bits[S_LOW];
	int64_t q = 0, base = 0, stop = 0, size = 1, rising = -1, last = -1;
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
			if (c >= r->n_col)
				return 0;
			*to++ = map ? map[c] : (int32_t)c;
		}
	}
	r->at[S_HIGH] = end;
	r->at[S_LOW] = low_at;
	return to - col == n && rising < 0;
}

static void
values(const uint8_t *plane, uint64_t at, int64_t n, const uint32_t *big, double *val)
{
	for (int64_t k = 0; k < n; k += TAKE) {
		uint64_t bits = get_bits(plane, at + (uint64_t)k) & ((1ull << (n - k < TAKE ? n - k : TAKE)) - 1);

		for (int64_t j = k; j < n && j < k + TAKE; j++)
			val[j] = 1;
		for (; bits; bits &= bits - 1)
			val[k + __builtin_ctzll(bits)] = (double)*big++;
	}
}

static uint64_t
total(const uint32_t *x, int64_t n, uint32_t *max)
{
	uint64_t sum = 0;
	uint32_t most = *max;

	for (int64_t i = 0; i < n; i++) {
		sum += x[i] - 1;
		most = x[i] > most ? x[i] : most;
	}
	*max = most;
	return sum;
}

/* Place of the k-th set bit of x, which has it. */
static int
place_of(uint64_t x, int64_t k)
{
	for (; k > 0; k--)
		x &= x - 1;
	return __builtin_ctzll(x);
}

static int
cuts(const struct pack_reader *r, int64_t n, int64_t *cut)
{
	return pack_cuts(r, n, cut, place_of);
}

const struct decoder *
pack_decoder(void)
{
	static const struct decoder plain = { count, level, bitmap, buckets, values, total, cuts };

#ifdef WIDE
	switch (pack_cpu()) {
	case CPU_AVX2:
		return &pack_decoder_256;
	case CPU_AVX512:
		return &pack_decoder_512;
	}
#endif
	return &plain;
}
