/* pca: against a dense covariance made plainly; threads, projection, signs */
#include "alg/pca.h"
#include "base/mem.h"
#include "base/rng.h"
#include "num/blas.h"
#include "../t.h"

#define K 6

struct data {
	struct csr m;
	double *div, *mean, *std;
	struct layer l;
	int32_t *gene;
	int64_t g;
};

/* density falls with the gene's number; genes in a hidden structure of K groups */
static void
make(struct data *d, int64_t n, int64_t n_col, double rate, uint64_t seed)
{
	struct rng r = rng_make(seed, RNG_TEST, 4);

	memset(d, 0, sizeof *d);
	d->m.n_row = n;
	d->m.n_col = n_col;
	csr_reserve(&d->m, n, n * n_col);
	d->div = mem_new(double, n);
	d->mean = mem_new(double, n_col);
	d->std = mem_new(double, n_col);
	d->gene = mem_new(int32_t, n_col);
	for (int64_t i = 0; i < n; i++) {
		int64_t at = d->m.ptr[i];

		d->div[i] = 0.2 + rng_u01(&r);
		for (int64_t j = 0; j < n_col; j++) {
			double boost = j % K == i % K ? 3 + (double)(j % K) : 1;
			int64_t x = rng_poisson(&r, boost * rate / (1 + (double)j / 8));

			if (x) {
				d->m.col[at] = (int32_t)j;
				d->m.val[at++] = (double)x;
			}
		}
		d->m.ptr[i + 1] = at;
	}
	for (int64_t j = 0; j < n_col; j++) {
		d->mean[j] = 0.8 * rate / (1 + (double)j / 8);
		d->std[j] = 0.3 + 0.01 * (double)(j % 7);
		if (j % 5)
			d->gene[d->g++] = (int32_t)j;
	}
	d->l = (struct layer){ .row_div = d->div, .log1p = 1, .mean = d->mean, .std = d->std, .clip = 3 };
}

static void
drop(struct data *d)
{
	csr_clear(&d->m);
	mem_free(d->div);
	mem_free(d->mean);
	mem_free(d->std);
	mem_free(d->gene);
}

/* z [n][g] */
static double *
dense(const struct data *d)
{
	double *z = mem_new(double, d->m.n_row * d->g), *row = mem_new(double, d->m.n_col);

	for (int64_t i = 0; i < d->m.n_row; i++) {
		memset(row, 0, (size_t)d->m.n_col * sizeof *row);
		for (int64_t k = d->m.ptr[i]; k < d->m.ptr[i + 1]; k++)
			row[d->m.col[k]] = log1p(d->m.val[k] / d->div[i]);
		for (int64_t k = 0; k < d->g; k++) {
			int32_t j = d->gene[k];

			z[i * d->g + k] = fmax(-3, fmin(3, (row[j] - d->mean[j]) / d->std[j]));
		}
	}
	mem_free(row);
	return z;
}

/* Variances and scores of the centred z by eigenvectors of its covariance, all in double: what is allowed for is one
 * rounding of z to float, and sums of float products within a group of blocks. */
static void
check(const struct data *d, const struct pca *f, const float *scores, const char *what)
{
	int64_t n = d->m.n_row, g = d->g;
	double *z = dense(d), *c = mem_new(double, g * g), *val = mem_new(double, K), *vec = mem_new(double, K * g);
	double off = 0, orth = 0, rest = 0, shift = 0, total = 0;
	struct err e = {0};

	for (int64_t j = 0; j < g; j++) {
		long double s = 0;

		for (int64_t i = 0; i < n; i++)
			s += z[i * g + j];
		shift = fmax(shift, fabs((double)(s / n) - f->mean[j]));
		for (int64_t i = 0; i < n; i++)
			z[i * g + j] -= (double)(s / n);
	}
	blas_dsyrk(g, n, 1.0 / (double)(n - 1), z, g, 0, c, g);
	for (int64_t j = 0; j < g; j++)
		total += c[j * g + j];
	blas_eigh(g, c, K, val, vec, &e);
	for (int k = 0; k < K; k++) {
		double sign = 0, top = 0;

		off = fmax(off, fabs(f->variance[k] / val[k] - 1));
		for (int64_t j = 0; j < g; j++)
			if (fabs(vec[k * g + j]) > fabs(top))
				top = vec[k * g + j];
		sign = top < 0 ? -1 : 1;
		for (int q = 0; q <= k; q++) {
			double dot = 0;

			for (int64_t j = 0; j < g; j++)
				dot += f->loading[j * K + k] * f->loading[j * K + q];
			orth = fmax(orth, fabs(dot - (q == k)));
		}
		for (int64_t i = 0; i < n && scores; i++) {
			double s = 0;

			for (int64_t j = 0; j < g; j++)
				s += z[i * g + j] * vec[k * g + j] * sign;
			rest = fmax(rest, fabs(s - (double)scores[i * K + k]) / sqrt(val[k]));
		}
	}
	ok(off < 1e-6, "%s: variances (%.1e)", what, off);
	ok(orth < 1e-12, "%s: loadings are orthonormal (%.1e)", what, orth);
	ok(rest < 1e-4, "%s: scores, signs included (%.1e)", what, rest);
	ok(shift < 1e-7 && is_near(f->total, total, 1e-6), "%s: means after the clip (%.1e), total variance (%.1e)", what, shift, fabs(f->total / total - 1));
	mem_free(z);
	mem_free(c);
	mem_free(val);
	mem_free(vec);
}

static int
take(void *ctx, int64_t row0, int64_t n, const float *scores, struct err *e)
{
	memcpy((float *)ctx + row0 * K, scores, (size_t)(n * K) * sizeof *scores);
	return e->code;
}

static void
run(int64_t n, int64_t n_col, double rate, const char *what)
{
	struct data d;
	struct err e = {0};
	struct par *p = par_new(3, blas_thread);
	struct rows r1, r2;
	struct pca_opt o;
	struct pca a, b;
	float *s = mem_new(float, n * K);

	make(&d, n, n_col, rate, 7);
	o = (struct pca_opt){ .layer = &d.l, .gene = d.gene, .g = d.g, .k = K };
	rows_memory(&r1, &d.m, NULL);
	rows_memory(&r2, &d.m, p);
	pca_fit(&r1, &o, &a, NULL, &e);
	pca_fit(&r2, &o, &b, p, &e);
	pca_project(&r1, &o, &a, take, s, &e);
	ok(!e.code, "%s: done", what);
	check(&d, &a, s, what);
	ok(!memcmp(a.loading, b.loading, (size_t)(d.g * K) * sizeof(double)) &&
		!memcmp(a.variance, b.variance, K * sizeof(double)), "%s: the same bytes with three threads", what);
	pca_clear(&b);
	if (n > 100) {
		double ss = 0;

		o.whiten = 1;
		pca_project(&r2, &o, &a, take, s, &e);
		for (int64_t i = 0; i < n; i++)
			ss += (double)s[i * K + 2] * s[i * K + 2];
		near(ss / (double)(n - 1), 1, 1e-5, "whitened scores have variance 1");
		o.g--;
		ok(pca_project(&r1, &o, &a, take, s, &e) == ERR_USAGE, "other genes are refused");
	}
	pca_clear(&a);
	rows_memory_clear(&r1);
	rows_memory_clear(&r2);
	par_free(p);
	mem_free(s);
	drop(&d);
}

static void
test_refusals(void)
{
	struct data d;
	struct err e = {0};
	struct rows r;
	struct pca_opt o;
	struct pca f;

	make(&d, 30, 20, 1, 8);
	rows_memory(&r, &d.m, NULL);
	o = (struct pca_opt){ .layer = &d.l, .gene = d.gene, .g = d.g, .k = (int)d.g };
	ok(pca_fit(&r, &o, &f, NULL, &e) == ERR_USAGE, "as many components as genes: refused");
	e.code = 0;
	o.k = 3;
	for (int64_t k = 0; k < d.m.ptr[30]; k++)
		if (d.m.col[k] == 1)
			d.m.val[k] = NAN;
	ok(pca_fit(&r, &o, &f, NULL, &e) == ERR_NUMERIC, "NaN: refused");
	ok(pca_bytes(1000000, 2000, 50, 0.2, 6) < 200000000, "memory for a million cells");
	rows_memory_clear(&r);
	drop(&d);
}

int
main(void)
{
	blas_init();
	run(1100, 150, 0.2, "sparse");
	run(900, 90, 9, "dense");
	run(4700, 300, 1, "half");
	run(12, 70, 2, "fewer cells than genes");
	test_refusals();
	return done();
}
