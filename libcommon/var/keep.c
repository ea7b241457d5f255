/* keep - see keep.h */
#include "var/keep.h"

/* Binomial coefficient; large ones are capped, they are no field's length. */
static int64_t
choose(int64_t n, int64_t k)
{
	int64_t v = 1;

	for (int64_t i = 1; i <= k; i++) {
		v = v * (n - k + i) / i;
		if (v > (int64_t)1 << 32)
			return (int64_t)1 << 32;
	}
	return v;
}

int
keep_values(enum hts_number number, int64_t n, int n_alt, int alt, int64_t pick[KEEP_MOST])
{
	if (number == HTS_A && n == n_alt) {
		pick[0] = alt - 1;
		return 1;
	}
	if (number == HTS_R && n == n_alt + 1) {
		pick[0] = 0;
		pick[1] = alt;
		return 2;
	}
	for (int p = 1; number == HTS_G && p < KEEP_MOST; p++) {
		if (choose(n_alt + p, p) != n)
			continue;
		pick[0] = 0;
		/* m copies of the allele: the sorted genotype has them at its end. */
		for (int m = 1; m <= p; m++)
			pick[m] = pick[m - 1] + choose(alt + p - m, p - m + 1);
		return p + 1;
	}
	return 0;
}
