/* mt - the random numbers of NumPy's legacy generator, as far as samples need them
 *
 * The Mersenne Twister MT19937 and what numpy.random.RandomState makes of it, bit
 * for bit: a sample that other programs draw with a fixed seed is then the same
 * here.  Nothing else should use it: base/rng.h does not depend on what was
 * drawn before.
 *
 *	struct mt r;
 *	mt_seed(&r, 0);
 *	mt_sample(&r, n, k, out);
 *
 * Matsumoto, Nishimura: Mersenne Twister, ACM TOMACS 8, 1998.
 */
#ifndef OVX_MT_H
#define OVX_MT_H

#include <stdint.h>

struct mt {
	uint32_t x[624];
	int at;
};

/* As numpy.random.seed(seed) with a whole number. */
void mt_seed(struct mt *r, uint32_t seed);
uint32_t mt_u32(struct mt *r);
/* Uniform in 0..max, by masking and rejecting. */
uint32_t mt_upto(struct mt *r, uint32_t max);
/* permutation(n): p [n]. */
void mt_permutation(struct mt *r, int32_t n, int32_t *p);
/* choice(n, k, replace=False), which pandas' sample uses too: the first k of a
 * permutation; to [n], of which the first k count.  k <= n. */
void mt_sample(struct mt *r, int32_t n, int32_t k, int32_t *to);

#endif
