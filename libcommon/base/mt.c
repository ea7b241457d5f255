/* mt - see mt.h */
#include "base/mt.h"

#include "base/err.h"

#define N 624
#define M 397

void
mt_seed(struct mt *r, uint32_t seed)
{
	r->x[0] = seed;
	for (uint32_t i = 1; i < N; i++)
		r->x[i] = 1812433253u * (r->x[i - 1] ^ r->x[i - 1] >> 30) + i;
	r->at = N;
}

static void
refill(struct mt *r)
{
	for (int i = 0; i < N; i++) {
		uint32_t y = (r->x[i] & 0x80000000u) | (r->x[(i + 1) % N] & 0x7fffffffu);

		r->x[i] = r->x[(i + M) % N] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
	}
	r->at = 0;
}

uint32_t
mt_u32(struct mt *r)
{
	uint32_t y;

	if (r->at == N)
		refill(r);
	y = r->x[r->at++];
	y ^= y >> 11;
	y ^= y << 7 & 0x9d2c5680u;
	y ^= y << 15 & 0xefc60000u;
	return y ^ y >> 18;
}

uint32_t
mt_upto(struct mt *r, uint32_t max)
{
	uint32_t mask = max, v;

	if (max == 0)
		return 0;
	for (int k = 1; k < 32; k *= 2)
		mask |= mask >> k;
	do
		v = mt_u32(r) & mask;
	while (v > max);
	return v;
}

void
mt_permutation(struct mt *r, int32_t n, int32_t *p)
{
	for (int32_t i = 0; i < n; i++)
		p[i] = i;
	for (int32_t i = n - 1; i > 0; i--) {
		int32_t j = (int32_t)mt_upto(r, (uint32_t)i), t = p[i];

		p[i] = p[j];
		p[j] = t;
	}
}

void
mt_sample(struct mt *r, int32_t n, int32_t k, int32_t *to)
{
	BUG_IF(k > n);
	mt_permutation(r, n, to);
}
