/* scrublet_gene - which genes of a sample vary: V-scores, or cut-offs of the dispersion */
#include "alg/scrublet_impl.h"

#include <math.h>
#include <stdlib.h>
#include "alg/hvg_impl.h"
#include "base/mem.h"
#include "num/logexp.h"
#include "num/rank.h"

#define FEW_GENES 200           /* fewer with 2 counts: one will do */

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The value below which p percent of sorted x [n] lie, between neighbours. */
static double
percentile(const double *x, int64_t n, double p)
{
	double at = p / 100 * (double)(n - 1);
	int64_t i = (int64_t)at, k = i + 1 < n ? i + 1 : i;

	return x[i] + (at - (double)i) * (x[k] - x[i]);
}

/* The most frequent value of x [n], of 200 bins. */
static double
mode(const double *x, int64_t n)
{
	double lo = x[0], hi = x[0], step;
	int64_t bin[200] = {0};
	int best = 0;

	for (int64_t i = 1; i < n; i++) {
		lo = x[i] < lo ? x[i] : lo;
		hi = x[i] > hi ? x[i] : hi;
	}
	step = (hi - lo) / 200;
	for (int64_t i = 0; i < n && step > 0; i++) {
		int b = (int)((x[i] - lo) / step);

		bin[b > 199 ? 199 : b]++;
	}
	for (int b = 1; b < 200; b++)
		if (bin[b] > bin[best])
			best = b;
	return lo + (best + 0.5) * step;
}

struct point {
	double x, y;
};

/* The lowest tenth of y in 50 bins of x; returns the bins that hold something. */
static int
lower_edge(struct point *p, int64_t n, double *x, double *y)
{
	double lo = p[0].x, step = (p[n - 1].x - lo) / 50, *v = mem_new(double, n);
	int64_t i = 0;
	int m = 0;

	for (int b = 0; b < 50; b++) {
		int64_t k = 0;

		for (; i < n && (b == 49 || p[i].x < lo + (b + 1) * step); i++)
			v[k++] = p[i].y;
		if (k == 0)
			continue;
		qsort(v, (size_t)k, sizeof *v, compare);
		x[m] = lo + (b + 0.5) * step;
		y[m++] = percentile(v, k, 10);
	}
	mem_free(v);
	return m;
}

/* b of y = ln(c exp(-x) + b) by least absolute deviation: on a grid, then a finer one. */
static double
fit_noise(const double *x, const double *y, int n, double c)
{
	double best = 0.1, least = INFINITY, lo = -14, step = 0.1;

	for (int round = 0; round < 2; round++) {
		double from = round ? num_log(best) - 0.1 : lo;

		for (int i = 0; i <= (round ? 200 : 170); i++) {
			double b = num_exp(from + i * (round ? 0.001 : step)), sum = 0;

			for (int j = 0; j < n; j++)
				sum += fabs(num_log(c * num_exp(-x[j]) + b) - y[j]);
			if (sum < least) {
				least = sum;
				best = b;
			}
		}
	}
	return best;
}

void
scrublet_vscore(const double *mean, const double *var, int64_t n, double *score)
{
	struct point *p = mem_new(struct point, n);
	double *fano = mem_new(double, n), x[50], y[50], c, b;
	int64_t m = 0;

	for (int64_t j = 0; j < n; j++) {
		score[j] = 0;
		if (!(mean[j] > 0 && var[j] > 0))
			continue;
		fano[m] = num_log(var[j] / mean[j]);
		p[m].x = num_log(mean[j]);
		p[m].y = fano[m] - p[m].x;
		m++;
	}
	if (m > 0) {
		c = num_exp(mode(fano, m));
		c = c > 1 ? c : 1;
		qsort(p, (size_t)m, sizeof *p, compare);        /* by x, which comes first */
		b = fit_noise(x, y, lower_edge(p, m, x, y), c);
		for (int64_t j = 0; j < n; j++)
			if (mean[j] > 0 && var[j] > 0)
				score[j] = var[j] / mean[j] / (c + b * mean[j]);
	}
	mem_free(p);
	mem_free(fano);
}

/* Genes with a V-score of at least cut that enough cells hold, in the sense of which; key gets them. */
static int64_t
above(int64_t n_col, const double *stat, int which, const double *score, double cut, struct hvg_key *key)
{
	int64_t m = 0;

	for (int64_t j = 0; j < n_col; j++)
		if (score[j] > 0 && score[j] >= cut && stat[j * N_STAT + which] >= SCRUBLET_CELLS)
			key[m++] = (struct hvg_key){ -score[j], 0, (int32_t)j };
	return m;
}

/* Genes by V-score: above the percentile, with 2 counts in enough cells (shallow data: with any), the n_top best. */
void
scrublet_by_vscore(const struct scrublet_opt *o, int64_t n_col, const double *stat, double n, double factor, uint8_t *take)
{
	double *mean = mem_new(double, n_col), *var = mem_new(double, n_col), *score = mem_new(double, n_col), cut;
	struct hvg_key *key = mem_new(struct hvg_key, n_col);
	int64_t m = 0;

	for (int64_t j = 0; j < n_col; j++) {
		const double *s = stat + j * N_STAT;

		mean[j] = s[S_SUM] / n * factor;
		var[j] = s[S_SUM2] / n * factor * factor - mean[j] * mean[j];
		var[j] = var[j] > 1e-14 * mean[j] * mean[j] ? var[j] : 0;
	}
	scrublet_vscore(mean, var, n_col, score);
	for (int64_t j = 0; j < n_col; j++)
		if (score[j] > 0)
			var[m++] = score[j];
	qsort(var, (size_t)m, sizeof *var, compare);
	cut = m ? percentile(var, m, o->percentile) : 0;
	m = above(n_col, stat, S_TWICE, score, cut, key);
	if (m < FEW_GENES)
		m = above(n_col, stat, S_CELLS, score, cut, key);
	hvg_sort(key, m);
	for (int64_t i = 0; i < m && i < o->n_top; i++)
		take[key[i].gene] = 1;
	mem_free(mean);
	mem_free(var);
	mem_free(score);
	mem_free(key);
}

/* Genes by normalised dispersion, 0.0125 < mean < 3, 0.5 < dispersion. */
void
scrublet_by_dispersion(int64_t n_col, const uint8_t *gene, const double *stat, double n, double factor, uint8_t *take)
{
	struct hvg_opt h = hvg_default(HVG_SEURAT);
	double *x = mem_new(double, 4 * n_col), *mean = x, *var = x + n_col, *disp = var + n_col, *norm = disp + n_col;
	int64_t m = 0;

	for (int64_t j = 0; j < n_col; j++) {
		const double *s = stat + j * N_STAT;

		if (!gene[j])
			continue;
		mean[m] = s[S_SUM] / n * factor;
		var[m] = (s[S_SUM2] / n * factor * factor - mean[m] * mean[m]) * (n / (n - 1));
		m++;
	}
	hvg_dispersion(&h, m, mean, var, disp, norm);
	m = 0;
	for (int64_t j = 0; j < n_col; j++)
		if (gene[j]) {
			take[j] = mean[m] > h.min_mean && mean[m] < h.max_mean && norm[m] > h.min_disp && norm[m] < INFINITY;
			m++;
		}
	mem_free(x);
}

int32_t *
scrublet_rank(const uint8_t *take, const double *stat, int64_t n_col, int64_t m)
{
	int64_t *cells = mem_new(int64_t, m), at = 0;
	int32_t *gene = mem_new(int32_t, m), *to = mem_new(int32_t, m);

	for (int64_t j = 0; j < n_col; j++)
		if (take[j]) {
			cells[at] = (int64_t)stat[j * N_STAT + S_CELLS];
			gene[at++] = (int32_t)j;
		}
	num_rank(cells, m, to);
	for (int64_t i = 0; i < m; i++)
		to[i] = gene[to[i]];
	mem_free(cells);
	mem_free(gene);
	return to;
}
