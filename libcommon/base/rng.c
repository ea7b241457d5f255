/* rng - see rng.h */
#include "base/rng.h"

#include <math.h>
#include <string.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <Random123/philox.h>
#pragma GCC diagnostic pop

__extension__ typedef unsigned __int128 wide;

static uint64_t
mix(uint64_t a, uint64_t b)
{
	wide p = (wide)a * b;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

uint64_t
rng_hash(const void *p, uint64_t n, uint64_t seed)
{
	const unsigned char *s = p;
	uint64_t h = seed ^ 0x9e3779b97f4a7c15u, w, left = n;

	while (left >= 8) {
		w = 0;
		for (int i = 7; i >= 0; i--)
			w = w << 8 | s[i];
		h = mix(h ^ w, 0xd6e8feb86659fd93u);
		s += 8;
		left -= 8;
	}
	w = 0;
	for (uint64_t i = left; i-- > 0; )
		w = w << 8 | s[i];
	h = mix(h ^ w ^ 0xa0761d6478bd642fu, 0xe7037ed1a0b428dbu);
	return mix(h ^ n, 0x8ebc6af09c88c6e3u);
}

/* 8 bytes, little-endian; one load, where a loop would be eight. */
static inline uint64_t
get64(const unsigned char *s)
{
	return (uint64_t)s[0] | (uint64_t)s[1] << 8 | (uint64_t)s[2] << 16 | (uint64_t)s[3] << 24 |
		(uint64_t)s[4] << 32 | (uint64_t)s[5] << 40 | (uint64_t)s[6] << 48 | (uint64_t)s[7] << 56;
}

void
rng_hash2(const void *p, uint64_t n, uint64_t h[2])
{
	const unsigned char *s = p;
	uint64_t a = h[0] ^ 0x9e3779b97f4a7c15u, b = h[1] ^ 0x9e3779b97f4a7c15u, w, left = n;

	/* Each chain waits for its own product; two of them wait at once. */
	for (; left >= 8; left -= 8, s += 8) {
		w = get64(s);
		a = mix(a ^ w, 0xd6e8feb86659fd93u);
		b = mix(b ^ w, 0xd6e8feb86659fd93u);
	}
	w = 0;
	for (uint64_t i = left; i-- > 0; )
		w = w << 8 | s[i];
	a = mix(a ^ w ^ 0xa0761d6478bd642fu, 0xe7037ed1a0b428dbu);
	b = mix(b ^ w ^ 0xa0761d6478bd642fu, 0xe7037ed1a0b428dbu);
	h[0] = mix(a ^ n, 0x8ebc6af09c88c6e3u);
	h[1] = mix(b ^ n, 0x8ebc6af09c88c6e3u);
}

struct rng
rng_make(uint64_t seed, enum rng_purpose purpose, uint64_t key)
{
	struct rng r = {{0}, {0}, {0}, 0};

	seed = mix(seed ^ 0x2545f4914f6cdd1du, 0x9e3779b97f4a7c15u) + (uint64_t)purpose;
	r.key[0] = (uint32_t)seed;
	r.key[1] = (uint32_t)(seed >> 32);
	r.ctr[2] = (uint32_t)key;
	r.ctr[3] = (uint32_t)(key >> 32);
	return r;
}

uint32_t
rng_u32(struct rng *r)
{
	if (r->left == 0) {
		philox4x32_ctr_t c;
		philox4x32_key_t k;

		memcpy(c.v, r->ctr, sizeof r->ctr);
		memcpy(k.v, r->key, sizeof r->key);
		c = philox4x32(c, k);
		memcpy(r->out, c.v, sizeof r->out);
		if (++r->ctr[0] == 0)
			r->ctr[1]++;
		r->left = 4;
	}
	return r->out[4 - r->left--];
}

uint64_t
rng_u64(struct rng *r)
{
	uint64_t hi = rng_u32(r);

	return hi << 32 | rng_u32(r);
}

double
rng_u01(struct rng *r)
{
	return (double)(rng_u64(r) >> 11) * 0x1p-53;
}

uint32_t
rng_below(struct rng *r, uint32_t n)
{
	uint64_t m = (uint64_t)rng_u32(r) * n;

	if ((uint32_t)m < n) {
		uint32_t floor = (uint32_t)(0u - n) % n;

		while ((uint32_t)m < floor)
			m = (uint64_t)rng_u32(r) * n;
	}
	return (uint32_t)(m >> 32);
}

uint64_t
rng_below64(struct rng *r, uint64_t n)
{
	wide m = (wide)rng_u64(r) * n;

	if ((uint64_t)m < n) {
		uint64_t floor = (0u - n) % n;

		while ((uint64_t)m < floor)
			m = (wide)rng_u64(r) * n;
	}
	return (uint64_t)(m >> 64);
}

double
rng_normal(struct rng *r)
{
	double u = 1.0 - rng_u01(r), v = rng_u01(r);

	return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

double
rng_gamma(struct rng *r, double shape)
{
	double d, c, x, v, u;

	if (shape < 1.0) {
		u = 1.0 - rng_u01(r);
		return rng_gamma(r, shape + 1.0) * pow(u, 1.0 / shape);
	}
	d = shape - 1.0 / 3.0;
	c = 1.0 / sqrt(9.0 * d);
	for (;;) {
		do {
			x = rng_normal(r);
			v = 1.0 + c * x;
		} while (v <= 0.0);
		v = v * v * v;
		u = 1.0 - rng_u01(r);
		if (log(u) < 0.5 * x * x + d - d * v + d * log(v))
			return d * v;
	}
}

/* Poisson by Hoermann's transformed rejection with squeeze (PTRS). */
static int64_t
poisson_large(struct rng *r, double mean)
{
	double smu = sqrt(mean), b = 0.931 + 2.53 * smu, a = -0.059 + 0.02483 * b;
	double inv = 1.1239 + 1.1328 / (b - 3.4), vr = 0.9277 - 3.6224 / (b - 2.0);
	double lmu = log(mean);

	for (;;) {
		double u = rng_u01(r) - 0.5, v = 1.0 - rng_u01(r), us = 0.5 - fabs(u);
		double k = floor((2.0 * a / us + b) * u + mean + 0.43);

		if (us >= 0.07 && v <= vr)
			return (int64_t)k;
		if (k < 0 || (us < 0.013 && v > us))
			continue;
		if (log(v * inv / (a / (us * us) + b)) <= k * lmu - mean - lgamma(k + 1.0))
			return (int64_t)k;
	}
}

int64_t
rng_poisson(struct rng *r, double mean)
{
	double p, u;
	int64_t k = 0;

	if (!(mean > 0))
		return 0;
	if (mean > 10)
		return poisson_large(r, mean);
	p = exp(-mean);
	u = rng_u01(r);
	while (u > p && k < 1000) {
		u -= p;
		p *= mean / (double)++k;
	}
	return k;
}

void
rng_shuffle(struct rng *r, int32_t *p, int64_t n)
{
	for (int64_t i = n - 1; i > 0; i--) {
		int64_t j = (int64_t)rng_below64(r, (uint64_t)i + 1);
		int32_t t = p[i];

		p[i] = p[j];
		p[j] = t;
	}
}
