/* hvg_seurat - dispersions standardised among genes of like mean: seurat and cell_ranger */
#include "alg/hvg_impl.h"

#include <math.h>
#include <stdlib.h>
#include "base/mem.h"
#include "num/median.h"

#define RANGER_BINS 20
#define NORMAL_Q3 0x1.5956b87528a49p-1   /* third quartile of the standard normal */

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Linear interpolation between order statistics of sorted x [n], 0 <= q <= 1. */
static double
quantile(const double *x, int64_t n, double q)
{
	double at = q * (double)(n - 1), f = floor(at), t = at - f;
	int64_t i = (int64_t)f, k = i + 1 < n ? i + 1 : i;
	double step = x[k] - x[i];

	return t >= 0.5 ? x[k] - step * (1 - t) : x[i] + step * t;
}

/* 20 bins of equal width, the lowest reaching 0.1 % further down; edge [n_bins + 1]. */
static void
even_edges(int n_bins, int64_t n, const double *mean, double *edge)
{
	double lo = mean[0], hi = mean[0];

	for (int64_t i = 1; i < n; i++) {
		lo = mean[i] < lo ? mean[i] : lo;
		hi = mean[i] > hi ? mean[i] : hi;
	}
	if (lo == hi) {
		double pad = lo != 0 ? 0.001 * fabs(lo) : 0.001;

		lo -= pad;
		hi += pad;
	}
	for (int b = 0; b < n_bins; b++)
		edge[b] = lo + b * ((hi - lo) / n_bins);
	edge[n_bins] = hi;
	edge[0] -= (hi - lo) * 0.001;
}

/* Percentiles 10, 15, ... 100 and both infinities. */
static void
percentile_edges(int64_t n, const double *mean, double *edge)
{
	double *x = mem_new(double, n);

	for (int64_t i = 0; i < n; i++)
		x[i] = mean[i];
	qsort(x, (size_t)n, sizeof *x, compare);
	edge[0] = -INFINITY;
	for (int b = 1; b < RANGER_BINS; b++)
		edge[b] = quantile(x, n, (5 + 5.0 * b) / 100);
	edge[RANGER_BINS] = INFINITY;
	mem_free(x);
}

/* The bin (edge[b], edge[b + 1]] of x. */
static int
bin_of(const double *edge, int n_bins, double x)
{
	int b = 0;

	while (b < n_bins - 1 && x > edge[b + 1])
		b++;
	return b;
}

/* Centre and spread of x [n]: mean and standard deviation; a bin of one value
 * gives it the norm 1. */
static void
by_moments(const double *x, int64_t n, double *centre, double *spread)
{
	double sum = 0, m2 = 0;

	for (int64_t i = 0; i < n; i++)
		sum += x[i];
	*centre = sum / (double)n;
	for (int64_t i = 0; i < n; i++)
		m2 += (x[i] - *centre) * (x[i] - *centre);
	*spread = sqrt(m2 / (double)(n - 1));
	if (n == 1) {
		*spread = *centre;
		*centre = 0;
	}
}

static void
by_median(double *x, int64_t n, double *centre, double *spread)
{
	*centre = num_median(x, n);
	for (int64_t i = 0; i < n; i++)
		x[i] = fabs(x[i] - *centre) / NORMAL_Q3;
	*spread = num_median(x, n);
}

void
hvg_dispersion(const struct hvg_opt *o, int64_t n, double *mean, const double *var, double *disp, double *norm)
{
	int seurat = o->flavor == HVG_SEURAT, n_bins = seurat ? o->n_bins : RANGER_BINS;
	double *edge = mem_new(double, n_bins + 1), *x = mem_new(double, n);
	int *bin = mem_new(int, n);

	for (int64_t i = 0; i < n; i++) {
		mean[i] = mean[i] == 0 ? 1e-12 : mean[i];
		disp[i] = var[i] / mean[i];
		if (seurat) {
			disp[i] = disp[i] == 0 ? NAN : num_log(disp[i]);
			mean[i] = num_log1p(mean[i]);
		}
	}
	if (n > 0 && seurat)
		even_edges(n_bins, n, mean, edge);
	else if (n > 0)
		percentile_edges(n, mean, edge);
	for (int64_t i = 0; i < n; i++)
		bin[i] = bin_of(edge, n_bins, mean[i]);
	for (int b = 0; b < n_bins; b++) {
		double centre = NAN, spread = NAN;
		int64_t m = 0;

		for (int64_t i = 0; i < n; i++)
			if (bin[i] == b && !isnan(disp[i]))
				x[m++] = disp[i];
		if (m && seurat)
			by_moments(x, m, &centre, &spread);
		else if (m)
			by_median(x, m, &centre, &spread);
		for (int64_t i = 0; i < n; i++)
			if (bin[i] == b)
				norm[i] = (disp[i] - centre) / spread;
	}
	mem_free(edge);
	mem_free(x);
	mem_free(bin);
}
