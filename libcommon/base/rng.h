/* rng - counter-based random numbers (Philox 4x32-10 of Random123)
 *
 * A number depends on (seed, purpose, key, counter) alone, never on what was
 * drawn before or by which thread: streams for cells are keyed by the hash of
 * the cell's name, so that subsets and shards agree.
 *
 *	struct rng r = rng_make(seed, RNG_MDE, name_hash);
 *	double u = rng_u01(&r);
 *
 * Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3
 * (SC 2011).
 */
#ifndef OVX_RNG_H
#define OVX_RNG_H

#include <stdint.h>

/* One value for every use, so that two uses never share a stream. */
enum rng_purpose {
	RNG_TEST, RNG_SIMULATE_GENE, RNG_SIMULATE_CELL, RNG_HARMONY, RNG_KMEANS,
	RNG_KNN, RNG_MDE_START, RNG_MDE_EDGE, RNG_LEIDEN, RNG_RECALL, RNG_SIMULATE_TYPE,
	RNG_SIMULATE_BASE, RNG_SIMULATE_SITE, RNG_DOUBLET, RNG_SIMULATE_ALLELE, RNG_SIMULATE_QUERY
};

struct rng {
	uint32_t key[2];
	uint32_t ctr[4];
	uint32_t out[4];
	int left;               /* words of out that are not used yet */
};

/* A stream for (seed, purpose, key). */
struct rng rng_make(uint64_t seed, enum rng_purpose purpose, uint64_t key);

uint32_t rng_u32(struct rng *r);
uint64_t rng_u64(struct rng *r);
/* Uniform in [0, 1), 53 bits. */
double rng_u01(struct rng *r);
/* Uniform in 0..n-1 without bias (Lemire 2019); n > 0. */
uint32_t rng_below(struct rng *r, uint32_t n);
uint64_t rng_below64(struct rng *r, uint64_t n);
/* Standard normal (Box-Muller). */
double rng_normal(struct rng *r);
/* Gamma with the given shape > 0 and scale 1 (Marsaglia and Tsang 2000). */
double rng_gamma(struct rng *r, double shape);
/* Poisson with mean >= 0: inversion for small means, transformed rejection
 * (Hoermann 1993) above 10. */
int64_t rng_poisson(struct rng *r, double mean);
/* Shuffles p[0..n-1] (Fisher-Yates). */
void rng_shuffle(struct rng *r, int32_t *p, int64_t n);

/* 64-bit hash of n bytes (mixes 8 bytes at a time by a 128-bit product); equal
 * on every machine.  Not for hostile keys. */
uint64_t rng_hash(const void *p, uint64_t n, uint64_t seed);
/* Two of them, of seeds h[0] and h[1], in little more than the time of one: h[i] = rng_hash(p, n, h[i]). */
void rng_hash2(const void *p, uint64_t n, uint64_t h[2]);

#endif
