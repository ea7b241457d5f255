/* hvg: residual variances and clipped variances against plain double loops; ties, masks, batches, threads */
#include "alg/genestat.h"
#include "alg/hvg.h"
#include "alg/loess.h"
#include "base/mem.h"
#include "base/rng.h"
#include "os/par.h"
#include "../t.h"

static struct csr
make(int64_t n, int64_t g, uint64_t seed)
{
	struct csr m = { .n_row = n, .n_col = g };
	struct rng r = rng_make(seed, RNG_TEST, 5);

	csr_reserve(&m, n, n * g);
	for (int64_t i = 0; i < n; i++) {
		int64_t at = m.ptr[i];
		double depth = 0.3 + 3 * rng_u01(&r);

		for (int64_t j = 0; j < g; j++) {
			double rate = depth * 5 / (1 + (double)j / 4) * (j % 9 == i % 9 ? 4 : 1);
			int64_t x = j == g - 1 || i == 3 ? 0 : rng_poisson(&r, rate);

			if (x) {
				m.col[at] = (int32_t)j;
				m.val[at++] = (double)x;
			}
		}
		m.ptr[i + 1] = at;
	}
	return m;
}

/* Rows of one batch, dense [n][g]. */
static double *
dense(const struct csr *m, const int32_t *batch, int b, int64_t *n)
{
	double *x = mem_new(double, m->n_row * m->n_col);

	*n = 0;
	for (int64_t i = 0; i < m->n_row; i++) {
		if (batch && batch[i] != b)
			continue;
		for (int64_t k = m->ptr[i]; k < m->ptr[i + 1]; k++)
			x[*n * m->n_col + m->col[k]] = m->val[k];
		++*n;
	}
	return x;
}

static void
residual_variance(const double *x, int64_t n, int64_t g, double theta, double clip, double *out)
{
	double *s = mem_new(double, n), *c = mem_new(double, g), *r = mem_new(double, n), all = 0;

	for (int64_t i = 0; i < n; i++)
		for (int64_t j = 0; j < g; j++) {
			s[i] += x[i * g + j];
			c[j] += x[i * g + j];
			all += x[i * g + j];
		}
	for (int64_t j = 0; j < g; j++) {
		long double mean = 0, v = 0;

		for (int64_t i = 0; i < n; i++) {
			double mu = s[i] * c[j] / all;

			r[i] = mu > 0 ? fmax(-clip, fmin(clip, (x[i * g + j] - mu) / sqrt(mu + mu * mu / theta))) : 0;
			mean += r[i] / n;
		}
		for (int64_t i = 0; i < n; i++)
			v += (r[i] - mean) * (r[i] - mean) / n;
		out[j] = (double)v;
	}
	mem_free(s);
	mem_free(c);
	mem_free(r);
}

static double
worst(const double *a, const double *b, int64_t n)
{
	double w = 0;

	for (int64_t i = 0; i < n; i++)
		w = fmax(w, fabs(a[i] - b[i]) / fmax(fabs(b[i]), 1e-3));
	return w;
}

static void
test_pearson(int64_t n, double clip)
{
	struct csr m = make(n, 120, 1);
	struct hvg_opt o = hvg_default(HVG_PEARSON);
	struct par *p = par_new(3, NULL);
	struct rows r1, r2;
	struct hvg a, b;
	struct err e = {0};
	double want[120], *x;
	int64_t rows;

	o.n_top = 20;
	o.clip = clip;
	rows_memory(&r1, &m, NULL);
	rows_memory(&r2, &m, p);
	hvg_find(&r1, &o, &a, NULL, &e);
	hvg_find(&r2, &o, &b, p, &e);
	x = dense(&m, NULL, 0, &rows);
	residual_variance(x, n, 120, 100, clip > 0 ? clip : sqrt((double)n), want);
	ok(worst(a.score, want, 120) < 1e-11, "%d cells, clip %g: residual variances (%.1e)", (int)n, clip,
		worst(a.score, want, 120));
	ok(a.score[119] == 0 && a.n_selected == 20, "a gene without counts has none; 20 are selected");
	ok(!memcmp(a.score, b.score, sizeof want), "the same bytes with three threads");
	for (int64_t j = 0; j < 120; j++)
		if (a.highly_variable[j] != (a.rank[j] < 20))
			a.n_selected = -1;
	ok(a.n_selected == 20 && !e.code, "selected genes are those with a rank");
	hvg_clear(&a);
	hvg_clear(&b);
	rows_memory_clear(&r1);
	rows_memory_clear(&r2);
	par_free(p);
	mem_free(x);
	csr_clear(&m);
}

static void
test_batches(void)
{
	struct csr m = make(500, 100, 2);
	struct hvg_opt o = hvg_default(HVG_PEARSON);
	struct rows r;
	struct hvg a;
	struct err e = {0};
	int32_t *batch = mem_new(int32_t, 500);
	double want[2][100], mean[100], *x;
	int64_t n;

	for (int i = 0; i < 500; i++)
		batch[i] = i % 7 == 0 ? 0 : i % 7 == 1 ? -1 : 2;       /* 1 stays empty */
	for (int b = 0; b < 2; b++) {
		x = dense(&m, batch, 2 * b, &n);
		residual_variance(x, n, 100, 100, sqrt((double)n), want[b]);
		mem_free(x);
	}
	for (int j = 0; j < 100; j++)
		mean[j] = (want[0][j] + want[1][j]) / 2;
	o.batch = batch;
	o.n_batch = 3;
	o.n_top = 10;
	rows_memory(&r, &m, NULL);
	hvg_find(&r, &o, &a, NULL, &e);
	ok(worst(a.score, mean, 100) < 1e-11, "batches: each with its own clip, then the mean (%.1e)",
		worst(a.score, mean, 100));
	ok(a.used_batches == 2, "an empty batch does not count");
	for (int j = 0; j < 100; j++) {
		double rank = 0;
		int times = 0;

		for (int b = 0; b < 2; b++) {
			int better = 0;

			for (int k = 0; k < 100; k++)
				better += want[b][k] > want[b][j];
			times += better < 10;
			rank += better < 10 ? better : 0;
		}
		if (times != a.n_batches[j] || (times && rank / times != a.rank[j]))
			a.n_selected = -1;
	}
	ok(a.n_selected == 10, "batches: median rank and number of batches");
	hvg_clear(&a);
	o.first_clip = 1;
	hvg_find(&r, &o, &a, NULL, &e);
	ok(worst(a.score, mean, 100) > 1e-6 && !e.code, "the first batch's clip for all, when asked for");
	hvg_clear(&a);
	rows_memory_clear(&r);
	mem_free(batch);
	csr_clear(&m);
}

static void
test_masks(void)
{
	struct csr m = make(300, 80, 3), cut = { .n_row = 300, .n_col = 40 };
	struct hvg_opt o = hvg_default(HVG_PEARSON);
	struct rows r, rc;
	struct hvg a, b;
	struct err e = {0};
	uint8_t gene[80], force[80] = {0}, exclude[80] = {0};
	int same = 1, first = -1, top = -1;

	/* even genes only, as a mask and as a matrix of their own */
	csr_reserve(&cut, 300, m.ptr[300]);
	for (int64_t i = 0; i < 300; i++) {
		cut.ptr[i + 1] = cut.ptr[i];
		for (int64_t k = m.ptr[i]; k < m.ptr[i + 1]; k++)
			if (m.col[k] % 2 == 0) {
				cut.col[cut.ptr[i + 1]] = m.col[k] / 2;
				cut.val[cut.ptr[i + 1]++] = m.val[k];
			}
	}
	for (int j = 0; j < 80; j++)
		gene[j] = j % 2 == 0;
	rows_memory(&r, &m, NULL);
	rows_memory(&rc, &cut, NULL);
	for (int f = HVG_PEARSON; f <= HVG_SEURAT_V3; f++) {
		o = hvg_default(f);
		o.n_top = 10;
		o.span = 0.7;
		hvg_find(&rc, &o, &b, NULL, &e);
		o.gene = gene;
		hvg_find(&r, &o, &a, NULL, &e);
		for (int j = 0; j < 80; j++)
			same &= j % 2 ? isnan(a.score[j]) && !a.highly_variable[j] :
				is_near(a.score[j], b.score[j / 2], 1e-12) &&
				a.highly_variable[j] == b.highly_variable[j / 2];
		for (int j = 0; j < 80 && f == HVG_PEARSON; j += 2) {
			first = a.highly_variable[j] || first >= 0 ? first : j;
			top = a.rank[j] == 0 ? j : top;
		}
		hvg_clear(&a);
		hvg_clear(&b);
	}
	ok(same && !e.code, "a mask of genes is as good as a matrix of these genes, in every flavor");
	o = hvg_default(HVG_PEARSON);
	o.n_top = 10;
	o.gene = gene;
	o.force = force;
	o.exclude = exclude;
	force[first] = force[1] = exclude[top] = 1;
	hvg_find(&r, &o, &a, NULL, &e);
	ok(a.highly_variable[first] && !a.highly_variable[1] && !a.highly_variable[top] && a.n_selected == 11,
		"forced genes come on top, an excluded one is replaced");
	hvg_clear(&a);
	rows_memory_clear(&r);
	rows_memory_clear(&rc);
	csr_clear(&m);
	csr_clear(&cut);
}

static void
test_v3(void)
{
	struct csr m = make(250, 90, 4);
	struct hvg_opt o = hvg_default(HVG_SEURAT_V3);
	struct rows r;
	struct hvg a;
	struct err e = {0};
	double lx[90], ly[90], fit[90], want[90], mean[90], var[90], *x;
	int64_t n, used = 0;

	o.n_top = 30;
	rows_memory(&r, &m, NULL);
	hvg_find(&r, &o, &a, NULL, &e);
	x = dense(&m, NULL, 0, &n);
	for (int j = 0; j < 90; j++) {
		mean[j] = var[j] = 0;
		for (int i = 0; i < n; i++)
			mean[j] += x[i * 90 + j] / (double)n;
		for (int i = 0; i < n; i++)
			var[j] += (x[i * 90 + j] - mean[j]) * (x[i * 90 + j] - mean[j]) / (double)(n - 1);
		if (var[j] > 0) {
			lx[used] = log10(mean[j]);
			ly[used++] = log10(var[j]);
		}
	}
	loess_fit(lx, ly, used, 0.3, 2, fit, &e);
	used = 0;
	for (int j = 0; j < 90; j++) {
		double s2 = var[j] > 0 ? pow(10, fit[used++]) : 1, limit = mean[j] + sqrt(s2 * (double)n);

		want[j] = 0;
		for (int i = 0; i < n; i++) {
			double c = fmin(x[i * 90 + j], limit) - mean[j];

			want[j] += c * c / ((double)(n - 1) * s2);
		}
	}
	ok(!e.code && worst(a.score, want, 90) < 1e-9, "seurat_v3: clipped standardised variance (%.1e)",
		worst(a.score, want, 90));
	ok(worst(a.means, mean, 90) < 1e-12 && worst(a.variances, var, 90) < 1e-12 && a.n_selected == 30,
		"means and variances");
	hvg_clear(&a);
	rows_memory_clear(&r);
	mem_free(x);
	csr_clear(&m);
}

/* Golden values of the two dispersion flavors on a matrix that a formula makes. */
static void
test_dispersions(void)
{
	struct csr m = { .n_row = 60, .n_col = 50 };
	struct hvg_opt o = hvg_default(HVG_SEURAT);
	struct rows r;
	struct hvg a;
	struct err e = {0};

	csr_reserve(&m, 60, 3000);
	for (int i = 0; i < 60; i++) {
		m.ptr[i + 1] = m.ptr[i];
		for (int j = 0; j < 50; j++)
			if ((i * 7 + j * 13 + i * j) % 17 < 2 + j / 5) {
				m.col[m.ptr[i + 1]] = j;
				m.val[m.ptr[i + 1]++] = 1 + (i * j) % 5 * (j % 3);
			}
	}
	rows_memory(&r, &m, NULL);
	o.n_top = 12;
	hvg_find(&r, &o, &a, NULL, &e);
	near(a.means[20], 4.6622242998836123, 1e-12, "seurat: mean");
	near(a.dispersions[20], 5.6059352691180244, 1e-12, "seurat: dispersion");
	near(a.score[20], -0.22866754016106736, 1e-10, "seurat: standardised");
	is_i64(a.n_selected, 12, "seurat: as many as asked for");
	hvg_clear(&a);
	o.n_top = 0;
	o.min_mean = 4;
	o.max_mean = 6;
	o.min_disp = 0.2;
	hvg_find(&r, &o, &a, NULL, &e);
	is_i64(a.n_selected, 13, "seurat: by the cut-offs");
	hvg_clear(&a);
	o = hvg_default(HVG_CELL_RANGER);
	o.n_top = 12;
	hvg_find(&r, &o, &a, NULL, &e);
	near(a.means[20], 2.0275607410686822, 1e-12, "cell_ranger: mean");
	near(a.dispersions[20], 3.605547444938471, 1e-12, "cell_ranger: dispersion");
	near(a.score[20], 0.67448975019608171, 1e-10, "cell_ranger: standardised");
	ok(!e.code, "no error");
	hvg_clear(&a);
	o.flavor = HVG_SEURAT_V3;
	o.n_top = 0;
	ok(hvg_find(&r, &o, &a, NULL, &e) == ERR_USAGE, "seurat_v3 without a number of genes is refused");
	rows_memory_clear(&r);
	csr_clear(&m);
}

int
main(void)
{
	test_pearson(1500, 0);
	test_pearson(60, 0);
	test_pearson(700, 2);
	test_batches();
	test_masks();
	test_v3();
	test_dispersions();
	return done();
}
