/* pca - see pca.h: from the sums to the components, and projection */
#include "alg/pca_impl.h"

#include <math.h>
#include <string.h>
#include "alg/pca_wide.h"
#include "base/mem.h"
#include "num/blas.h"

/* Components per step of the projection. */
#define STEP PCA_WIDTH
#define FEW 64

void
pca_zeros(const struct pca_opt *o, double *zero)
{
	for (int64_t k = 0; k < o->g; k++)
		zero[k] = o->layer ? layer_scale(o->layer, o->gene[k], 0) : 0;
}

/* Covariance [g][g] (upper triangle) of s, and mean [g] of z. */
static double *
covariance(const double *sums, double n, int64_t g, const double *zero, double *mean)
{
	const double *total = sums + pca_sums_size(g) - g;
	double *sum = mem_new(double, g), *c = mem_new(double, g * g);

	for (int64_t j = 0; j < g; j++) {
		sum[j] = total[j] / n;
		mean[j] = sum[j] + zero[j];
	}
	for (int64_t a = 0; a < g; a++) {
		const double *row = sums + pca_sums_at(g, a);

		for (int64_t b = a; b < g; b++)
			c[a * g + b] = (row[b] - n * sum[a] * sum[b]) / (n - 1);
	}
	mem_free(sum);
	return c;
}

/* Makes the largest loading of each component positive; vec [k][g] to loading [g][k]. */
static void
settle_signs(struct pca *f, const double *vec)
{
	for (int c = 0; c < f->k; c++) {
		const double *v = vec + c * f->g;
		int64_t top = 0;

		for (int64_t j = 1; j < f->g; j++)
			if (fabs(v[j]) > fabs(v[top]))
				top = j;
		for (int64_t j = 0; j < f->g; j++)
			f->loading[j * f->k + c] = v[top] < 0 ? -v[j] : v[j];
	}
}

static int
decompose(struct pca *f, double *c, struct err *e)
{
	double *vec = mem_new(double, f->k * f->g);

	for (int64_t j = 0; j < f->g; j++)
		f->total += c[j * f->g + j];
	if (!(f->total > 0))
		err_set(e, ERR_NUMERIC, "components: the genes do not vary");
	if (!e->code && !blas_eigh(f->g, c, f->k, f->variance, vec, e)) {
		settle_signs(f, vec);
		for (int i = 0; i < f->k; i++) {
			f->variance[i] = f->variance[i] > 0 ? f->variance[i] : 0;
			f->ratio[i] = f->variance[i] / f->total;
		}
	}
	mem_free(vec);
	return e->code;
}

int
pca_check(int64_t n, int64_t g, int k, struct err *e)
{
	if (k < 1 || k >= g || k >= n)
		err_set(e, ERR_USAGE, "%d components: must be fewer than the %lld cells and the %lld genes; ask for fewer", k,
		    (long long)n, (long long)g);
	return e->code;
}

int
pca_solve(const double *sums, int64_t n, int64_t g, int k, const double *zero, struct pca *f, struct err *e)
{
	double *c;

	memset(f, 0, sizeof *f);
	if (e->code || pca_check(n, g, k, e))
		return e->code;
	f->n = n;
	f->g = g;
	f->k = k;
	f->variance = mem_new(double, k);
	f->ratio = mem_new(double, k);
	f->mean = mem_new(double, g);
	f->loading = mem_new(double, g * k);
	c = covariance(sums, (double)n, g, zero, f->mean);
	decompose(f, c, e);
	mem_free(c);
	if (e->code)
		pca_clear(f);
	return e->code;
}

int
pca_fit(struct rows *r, const struct pca_opt *o, struct pca *f, struct par *p, struct err *e)
{
	struct sumtree t;
	double *sums, *zero;

	memset(f, 0, sizeof *f);
	if (e->code || pca_check(r->n_row, o->g, o->k, e))
		return e->code;
	sumtree_init(&t, pca_sums_size(o->g));
	pca_sum(r, o, &t, p, e);
	sums = mem_new(double, t.n);
	zero = mem_new(double, o->g);
	sumtree_end(&t, sums);
	pca_zeros(o, zero);
	pca_solve(sums, r->n_row, o->g, o->k, zero, f, e);
	mem_free(sums);
	mem_free(zero);
	return e->code;
}

void
pca_clear(struct pca *f)
{
	mem_free(f->variance);
	mem_free(f->ratio);
	mem_free(f->mean);
	mem_free(f->loading);
	memset(f, 0, sizeof *f);
}

struct projection {
	struct picker pick;
	int k, width;           /* components, and the next multiple of STEP */
	float *loading;         /* [g][width], padded by zeros: as floats they stay in the cache */
	double *start;          /* [width] score of a cell without counts */
	double *by;             /* [width] factor */
	struct sparse *slot;    /* [n_slot] */
	float **scores;         /* [n_slot] [ROWS_BLOCK][k] */
	pca_scores_fn *fn;
	void *ctx;
};

/* Adds the loadings of n entries to the scores c0 .. c0 + STEP - 1 of a row, in to: floats for FEW entries at a time, doubles
 * beyond, so that no digits are lost. */
static void
add_loadings(const struct projection *p, int64_t c0, const int32_t *col, const float *val, int64_t n, double *to)
{
	for (int64_t t = 0; t < n; t += FEW) {
		float sum[STEP];

		pca_sum_rows(p->loading + c0, p->width, col + t, val + t, n - t < FEW ? n - t : FEW, sum);
		for (int i = 0; i < STEP; i++)
			to[i] += (double)sum[i];
	}
}

static int
project_block(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct projection *p = ctx;
	struct sparse *s = &p->slot[slot];
	double sum[STEP];

	s->n = 0;
	if (picker_add(&p->pick, m, slot, s, e))
		return e->code;
	for (int64_t i = 0; i < m->n_row; i++) {
		float *to = p->scores[slot] + (m->row0 + i) % ROWS_BLOCK * p->k;

		for (int c0 = 0; c0 < p->k; c0 += STEP) {
			int n = p->k - c0 < STEP ? p->k - c0 : STEP;

			memcpy(sum, p->start + c0, sizeof sum);
			add_loadings(p, c0, s->col + s->ptr[i], s->val + s->ptr[i], s->ptr[i + 1] - s->ptr[i], sum);
			for (int c = 0; c < n; c++)
				to[c0 + c] = (float)(sum[c] * p->by[c0 + c]);
		}
	}
	return 0;
}

static int
project_sum(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct projection *p = ctx;

	return p->fn(p->ctx, m->row0, m->n_row, p->scores[slot], e);
}

int
pca_project(struct rows *r, const struct pca_opt *o, const struct pca *f, pca_scores_fn *fn, void *ctx, struct err *e)
{
	struct projection p = { .k = f->k, .fn = fn, .ctx = ctx };

	if (e->code)
		return e->code;
	if (o->g != f->g)
		return err_set(e, ERR_USAGE, "components: made from %lld genes, not %lld; give the same genes",
			(long long)f->g, (long long)o->g);
	picker_init(&p.pick, r, o);
	p.width = (f->k + STEP - 1) / STEP * STEP;
	p.loading = mem_new(float, f->g * p.width);
	p.start = mem_new(double, p.width);
	p.by = mem_new(double, p.width);
	p.slot = mem_new(struct sparse, r->n_slot);
	p.scores = mem_new(float *, r->n_slot);
	for (int i = 0; i < r->n_slot; i++)
		p.scores[i] = mem_raw(float, (int64_t)ROWS_BLOCK * f->k);
	for (int64_t j = 0; j < f->g; j++)
		for (int c = 0; c < f->k; c++) {
			p.loading[j * p.width + c] = (float)f->loading[j * f->k + c];
			p.start[c] += (p.pick.zero[j] - f->mean[j]) * f->loading[j * f->k + c];
		}
	for (int c = 0; c < f->k; c++)
		p.by[c] = o->whiten && f->variance[c] > 0 ? 1 / sqrt(f->variance[c]) : 1;
	rows_pass(r, project_block, project_sum, &p, e);
	for (int i = 0; i < r->n_slot; i++) {
		sparse_clear(&p.slot[i]);
		mem_free(p.scores[i]);
	}
	picker_clear(&p.pick);
	mem_free(p.scores);
	mem_free(p.slot);
	mem_free(p.loading);
	mem_free(p.start);
	mem_free(p.by);
	return e->code;
}

int64_t
pca_project_bytes(int64_t g, int k, double fill, int n_slot)
{
	return n_slot * ((int64_t)ROWS_BLOCK * k * 4 + (int64_t)(fill * (double)(ROWS_BLOCK * g)) * 9) + g * (k + STEP) * 4;
}

int64_t
pca_bytes(int64_t n, int64_t g, int k, double fill, int n_slot)
{
	int64_t sums = pca_gram_bytes(n, g, fill, n_slot), scores = pca_project_bytes(g, k, fill, n_slot);
	int64_t eigen = pca_sums_size(g) * 8 + g * g * 8 + 3 * g * k * 8 + g * 300;

	sums = sums > eigen ? sums : eigen;
	return (sums > scores ? sums : scores) + g * k * 8;
}
