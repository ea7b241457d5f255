/* mt: NumPy's own numbers */
#include "base/mt.h"
#include "../t.h"

static void
is_perm(uint32_t seed, int32_t n, const int32_t *want, const char *what)
{
	struct mt r;
	int32_t p[64];

	mt_seed(&r, seed);
	mt_permutation(&r, n, p);
	ok(memcmp(p, want, (size_t)n * sizeof *p) == 0, "%s", what);
}

int
main(void)
{
	/* numpy.random.RandomState(seed).randint(0, 2**32, dtype=uint32), entries 0, 1, 2, 623, 624, 1247, 1248, 1999 */
	static const int at[] = { 0, 1, 2, 623, 624, 1247, 1248, 1999 };
	static const uint32_t word[] = { 2357136044u, 2546248239u, 3071714933u, 3791854820u, 341544762u, 1145454359u, 4192857288u, 3856691381u };
	/* numpy.random.seed(seed); numpy.random.permutation(n) */
	static const int32_t p0[] = { 2, 8, 4, 9, 1, 6, 7, 3, 0, 5 }, p1[] = { 2, 9, 6, 4, 0, 3, 1, 7, 8, 5 };
	static const int32_t plast[] = { 6, 9, 5, 1, 8, 0, 7, 4, 2, 3 };
	static const int32_t p33[] = { 4, 28, 29, 21, 19, 25, 10, 22, 11, 27, 18, 15, 2, 0, 20, 3, 16, 9, 8, 13, 5, 17, 14, 32, 7, 31, 1, 26,
		12, 30, 24, 6, 23 };
	/* seed 7; the third of three choice(1200, 43, replace=False) */
	static const int32_t third[] = { 1039, 28, 557, 809, 541, 517, 388, 893, 1053, 1154, 858, 402, 39, 444, 616, 659, 876, 996, 531, 1013,
		375, 369, 515, 668, 186, 45, 924, 1170, 937, 593, 282, 604, 165, 1055, 907, 508, 1125, 726, 479, 654, 505, 1155, 785 };
	/* seed 0; choice(n, 1, replace=False)[0], one after the other */
	static const int32_t size[] = { 1, 2, 3, 4, 5, 64, 65, 1000, 100000 }, first[] = { 0, 1, 2, 0, 1, 22, 26, 778, 44914 };
	static int32_t p[100000];
	struct mt r;
	int good = 1, n = 0;

	mt_seed(&r, 0);
	for (int i = 0; i < 2000; i++) {
		uint32_t v = mt_u32(&r);

		if (n < 8 && i == at[n])
			good &= v == word[n++];
	}
	ok(good && n == 8, "words of seed 0, over three refills");
	is_perm(0, 10, p0, "permutation(10), seed 0");
	is_perm(1, 10, p1, "seed 1");
	is_perm(4294967295u, 10, plast, "the largest seed");
	mt_seed(&r, 0);
	mt_permutation(&r, 10, p);
	mt_permutation(&r, 33, p);
	ok(memcmp(p, p33, sizeof p33) == 0, "permutation(33) behind it");
	mt_seed(&r, 7);
	for (int i = 0; i < 3; i++)
		mt_sample(&r, 1200, 43, p);
	ok(memcmp(p, third, sizeof third) == 0, "choice without replacement, the third of a stream");
	mt_seed(&r, 0);
	good = 1;
	for (int i = 0; i < 9; i++) {
		mt_sample(&r, size[i], 1, p);
		good &= p[0] == first[i];
	}
	ok(good, "sizes on both sides of powers of two");
	mt_permutation(&r, 0, p);
	mt_seed(&r, 5);
	good = 1;
	for (int i = 0; i < 1000; i++)
		good &= mt_upto(&r, 5) <= 5 && mt_upto(&r, 0) == 0;
	ok(good, "within the bound");
	return done();
}
