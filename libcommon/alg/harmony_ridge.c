/* The correction: for each cluster, a ridge regression of the embedding on the
 * levels of the variables, weighted by the assignments. */
#include "alg/harmony_impl.h"

#include <math.h>
#include <string.h>
#include "base/mem.h"
#include "num/blas.h"

int
harmony_ridge_one(int n_lev, int d, const double *obs, const double *lambda, const int *use,
	double *s, int64_t stride, double *b0)
{
	double den = 0;

	memset(b0, 0, (size_t)d * sizeof *b0);
	for (int b = 0; b < n_lev; b++) {
		double rest = obs[b] + lambda[b] > 0 ? lambda[b] / (obs[b] + lambda[b]) : 0;

		if (!use[b])
			continue;
		den += obs[b] * rest;
		for (int j = 0; j < d; j++)
			b0[j] += s[b * stride + j] * rest;
	}
	for (int j = 0; j < d; j++)
		b0[j] = den > 1e-200 ? b0[j] / den : 0;
	for (int b = 0; b < n_lev; b++)
		for (int j = 0; j < d; j++) {
			double *t = s + b * stride + j;

			*t = use[b] && den > 1e-200 ? (*t - obs[b] * b0[j]) / (obs[b] + lambda[b]) : 0;
		}
	return den > 1e-200 ? 0 : -1;
}

int
harmony_ridge_dense(int m, int d, double *a, double *b, struct err *e)
{
	return blas_solve_spd(m, d, a, b, e);
}

/* Which levels the regression of cluster k uses; the number of variables that
 * take part.  In variant 2 a level without weight is left out, and so is a
 * variable with a single level left. */
static int
levels_used(const struct harmony_state *h, int k, int *use)
{
	int active = 0;

	for (int v = 0; v < h->n_var; v++) {
		int n = 0;

		for (int b = h->var_lev[v]; b < h->var_lev[v + 1]; b++) {
			use[b] = h->o->variant != 2 ||
			    h->obs[(int64_t)b * h->kp + k] / h->size[b] > h->o->prune;
			n += use[b];
		}
		for (int b = h->var_lev[v]; b < h->var_lev[v + 1]; b++)
			use[b] = use[b] && (n > 1 || h->o->variant != 2);
		active += n > 1 || h->o->variant != 2;
	}
	return active;
}

/* Several variables: the normal equations of cluster k.  Column 0 is the
 * intercept, which every cell has. */
static int
ridge_many(struct harmony_state *h, int k, const int *use, const double *lambda, double *b0, struct err *e)
{
	int64_t row = (int64_t)h->kp * h->d;
	int m = 1, *at = mem_new(int, h->n_lev);
	double *a, *b;

	for (int l = 0; l < h->n_lev; l++)
		at[l] = use[l] ? m++ : 0;
	a = mem_new(double, (int64_t)m * m);
	b = mem_new(double, (int64_t)m * h->d);
	for (int32_t g = 0; g < h->n_group; g++) {
		const int32_t *lev = h->group_lev + (int64_t)g * h->n_var;
		double w = h->group_obs[(int64_t)g * h->kp + k];

		a[0] += w;
		for (int v = 0; v < h->n_var; v++) {
			int i = at[lev[v]];

			if (!i)
				continue;
			a[i] += w;
			a[(int64_t)i * m] += w;
			for (int u = 0; u < h->n_var; u++)
				if (at[lev[u]])
					a[(int64_t)i * m + at[lev[u]]] += w;
		}
	}
	for (int l = 0; l < h->n_lev; l++) {
		const double *s = h->beta + l * row + (int64_t)k * h->d;

		for (int j = 0; j < h->d; j++) {
			if (l < h->var_lev[1])
				b[j] += s[j];
			if (at[l])
				b[(int64_t)at[l] * h->d + j] = s[j];
		}
		if (at[l])
			a[(int64_t)at[l] * m + at[l]] += lambda[l];
	}
	/* A cluster that no cell is in any more moves nobody. */
	if (a[0] > 1e-200)
		harmony_ridge_dense(m, h->d, a, b, e);
	else
		memset(b, 0, (size_t)(m * h->d) * sizeof *b);
	memcpy(b0, b, (size_t)h->d * sizeof *b0);
	for (int l = 0; l < h->n_lev; l++) {
		double *s = h->beta + l * row + (int64_t)k * h->d;

		for (int j = 0; j < h->d; j++)
			s[j] = at[l] ? b[(int64_t)at[l] * h->d + j] : 0;
	}
	mem_free(a);
	mem_free(b);
	mem_free(at);
	return e->code;
}

/* Coefficients of clusters lo..hi-1 into beta, centres into y_next. */
static int
ridge_clusters(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct harmony_state *h = ctx;
	int64_t row = (int64_t)h->kp * h->d;
	int *use = mem_new(int, h->n_lev);
	double *lambda = mem_new(double, h->n_lev), *obs = mem_new(double, h->n_lev);
	double *b0 = mem_new(double, h->d);

	(void)worker;
	for (int k = (int)lo; k < hi && !e->code; k++) {
		int active = levels_used(h, k, use);
		double mass = 0, len = 0;

		for (int b = 0; b < h->n_lev; b++) {
			double o = h->obs[(int64_t)b * h->kp + k];

			obs[b] = o > 0 ? o : 0;
			mass += b < h->var_lev[1] ? obs[b] : 0;
		}
		for (int b = 0; b < h->n_lev; b++)
			lambda[b] = h->o->lambda < 0 ? h->o->alpha * mass * h->pr[b] : h->o->lambda;
		memcpy(h->y_next + (int64_t)k * h->d, h->y + (int64_t)k * h->d, (size_t)h->d * sizeof *h->y);
		if (!active || mass <= 0) {
			for (int b = 0; b < h->n_lev; b++)
				memset(h->beta + b * row + (int64_t)k * h->d, 0, (size_t)h->d * sizeof *b0);
			continue;
		}
		if (h->n_var == 1)
			harmony_ridge_one(h->n_lev, h->d, obs, lambda, use, h->beta + (int64_t)k * h->d, row, b0);
		else
			ridge_many(h, k, use, lambda, b0, e);
		for (int j = 0; j < h->d; j++)
			len += b0[j] * b0[j];
		for (int j = 0; j < h->d && len > 0; j++)
			h->y_next[(int64_t)k * h->d + j] = (float)(b0[j] / sqrt(len));
	}
	mem_free(use);
	mem_free(lambda);
	mem_free(obs);
	mem_free(b0);
	return e->code;
}

/* Moves the cells of runs lo..hi-1. */
static int
correct_runs(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct harmony_state *h = ctx;
	int64_t size = (int64_t)h->kp * h->d;
	float *shift = h->ybuf + worker * size, *z = h->zbuf + (int64_t)worker * HARMONY_RUN * h->d;

	for (int64_t i = lo; i < hi; i++) {
		const struct harmony_run *run = h->all + i;
		const float *r = harmony_rows(h, run, worker);
		const int32_t *lev = h->group_lev + (int64_t)run->group * h->n_var;
		int64_t m = run->hi - run->lo;

		for (int64_t j = 0; j < size; j++) {
			double s = 0;

			for (int v = 0; v < h->n_var; v++)
				s += h->beta[lev[v] * size + j];
			shift[j] = (float)s;
		}
		for (int64_t j = 0; j < m; j++)
			memcpy(z + j * h->d, h->z + h->cell[run->lo + j] * (int64_t)h->d, (size_t)h->d * sizeof *z);
		blas_sgemm(0, 0, m, h->d, h->kp, -1, r, h->kp, shift, h->d, 1, z, h->d);
		for (int64_t j = 0; j < m; j++) {
			int64_t c = h->cell[run->lo + j];
			double len = 0;

			for (int q = 0; q < h->d; q++)
				len += (double)z[j * h->d + q] * (double)z[j * h->d + q];
			memcpy(h->zc + c * h->d, z + j * h->d, (size_t)h->d * sizeof *z);
			h->inv[c] = len > 0 ? (float)(1 / sqrt(len)) : 0;
		}
	}
	return e->code;
}

void
harmony_correct(struct harmony_state *h, struct err *e)
{
	float *t = h->y;

	harmony_level_sums(h, 0, e);
	par_for(h->p, h->k, 1, ridge_clusters, h, e);
	par_for(h->p, h->n_all, 1, correct_runs, h, e);
	if (h->o->variant != 2)
		return;
	h->y = h->y_next;
	h->y_next = t;
}
