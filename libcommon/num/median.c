/* median - see median.h */
#include "num/median.h"

#include <math.h>
#include <stdlib.h>

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double
num_median(double *x, int64_t n)
{
	if (n == 0)
		return NAN;
	if (n > 16) {
		qsort(x, (size_t)n, sizeof *x, by_value);
	} else {
		for (int64_t i = 1; i < n; i++)         /* few: by insertion */
			for (int64_t k = i; k > 0 && x[k] < x[k - 1]; k--) {
				double t = x[k];

				x[k] = x[k - 1];
				x[k - 1] = t;
			}
	}
	return (x[(n - 1) / 2] + x[n / 2]) / 2;
}
