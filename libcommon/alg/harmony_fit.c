/* Soft assignments: start, sweeps over blocks, centres, sums over levels.
 *
 * A cell's assignment is exp(-D/sigma) times its batch's penalty, normalised;
 * D = 2 (1 - y'z).  Given the centres it is a function of the penalties alone, so
 * variant 2, whose centres stand still between two corrections, keeps only the
 * penalties of the last sweep's blocks and which block each cell was in; the
 * others store the assignments, because theirs outlive the centres. */
#include "alg/harmony_impl.h"

#include <math.h>
#include <string.h>
#include "base/mem.h"
#include "num/blas.h"

#define AHEAD 6

struct wave {
	struct harmony_state *h;
	const struct harmony_run *run;  /* of this wave */
	const int32_t *list;
	int64_t base;           /* list entry in the first row of h->w */
	int b;                  /* open block */
	int unit;
};

static int64_t
place_of(const struct wave *s, int64_t i)
{
	return s->list ? s->list[i] : i;
}

/* The penalties of a group in a table [n_lev][kp]: its levels' sum. */
static const float *
group_pen(const struct harmony_state *h, const float *table, int32_t g, float *buf)
{
	const int32_t *lev = h->group_lev + (int64_t)g * h->n_var;

	if (h->n_var == 1)
		return table + (int64_t)lev[0] * h->kp;
	memcpy(buf, table + (int64_t)lev[0] * h->kp, (size_t)h->kp * sizeof *buf);
	for (int v = 1; v < h->n_var; v++)
		for (int k = 0; k < h->kp; k++)
			buf[k] += table[(int64_t)lev[v] * h->kp + k];
	return buf;
}

/* exp(-D/sigma), but for a factor of each row's own, of a run into w [m][kp]. */
static void
weights(const struct wave *s, const struct harmony_run *run, int worker, float *w)
{
	struct harmony_state *h = s->h;
	int64_t m = run->hi - run->lo;
	float *z = h->zbuf + (int64_t)worker * HARMONY_RUN * h->d;
	float *mx = h->mx + (int64_t)worker * HARMONY_RUN;

	for (int64_t i = 0; i < m; i++) {
		int64_t c = h->cell[place_of(s, run->lo + i)];

		/* rows are far apart: ask for one some cells ahead */
		if (i + AHEAD < m) {
			const float *next = h->zc + h->cell[place_of(s, run->lo + i + AHEAD)] * (int64_t)h->d;

			for (int j = 0; j < h->d; j += 16)
				__builtin_prefetch(next + j);
		}
		harmony_times(z + i * h->d, h->zc + c * h->d, h->inv[c], h->d);
	}
	blas_sgemm(0, 1, m, h->kp, h->d, (float)(2 / h->o->sigma), z, h->d, h->y, h->d, 0, w, h->kp);
	harmony_exp_rows(w, m, h->k, h->kp, mx);
}

/* Normaliser of a row; should every penalised weight have vanished, the row
 * keeps its plain weights. */
static float
row_scale(const float *w, const float **pen, const float *ones, int kp)
{
	float s = harmony_dot(w, *pen, kp);

	if (s > 0)
		return 1 / s;
	*pen = ones;
	return 1 / harmony_dot(w, ones, kp);
}

/* Objective of one cell, up to what its penalties add: sum of
 * R (D + sigma ln R) = 2 - sigma (largest logit + ln normaliser). */
static double
cell_cost(const struct harmony_state *h, float mx, float scale)
{
	return 2 - h->o->sigma * ((double)mx - log((double)scale));
}

/* What the penalties add: sigma sum_k r_k ln pen_k. */
static double
pen_cost(const struct harmony_state *h, const double *r, const float *pen)
{
	double s = 0;

	for (int k = 0; k < h->k; k++)
		if (r[k] > 0 && pen[k] > 0)
			s += r[k] * log((double)pen[k]);
	return h->o->sigma * s;
}

static float *
ones_of(const struct harmony_state *h)
{
	return h->pen + (int64_t)2 * par_n(h->p) * h->kp;
}

static float *
pen_buf(const struct harmony_state *h, int worker, int which)
{
	return h->pen + ((int64_t)2 * worker + which) * h->kp;
}

static int
start_run(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct wave *s = ctx;
	struct harmony_state *h = s->h;
	const float *ones = ones_of(h);

	for (int64_t i = lo; i < hi; i++) {
		const struct harmony_run *run = s->run + i;
		double *acc = h->part + i * (h->kp + 1);
		float *w = h->r ? h->r + run->lo * h->kp : h->wbuf + (int64_t)worker * HARMONY_RUN * h->kp;

		memset(acc, 0, (size_t)(h->kp + 1) * sizeof *acc);
		weights(s, run, worker, w);
		for (int64_t j = 0; j < run->hi - run->lo; j++) {
			float t = 1 / harmony_dot(w + j * h->kp, ones, h->kp);

			harmony_scale(w + j * h->kp, ones, t, h->kp);
			harmony_add(acc, w + j * h->kp, h->kp);
			acc[h->kp] += cell_cost(h, h->mx[(int64_t)worker * HARMONY_RUN + j], t);
		}
	}
	return e->code;
}

/* Takes a block's old assignments out and computes its new weights. */
static int
leave_run(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct wave *s = ctx;
	struct harmony_state *h = s->h;
	const float *ones = ones_of(h);

	for (int64_t i = lo; i < hi; i++) {
		const struct harmony_run *run = s->run + i;
		double *acc = h->part + i * (h->kp + 1);
		int64_t m = run->hi - run->lo;
		float *w = h->r ? h->wbuf + (int64_t)worker * HARMONY_RUN * h->kp
		    : h->w + (run->lo - s->base) * h->kp;

		memset(acc, 0, (size_t)(h->kp + 1) * sizeof *acc);
		weights(s, run, worker, w);
		for (int64_t j = 0; j < m; j++, w += h->kp) {
			int64_t place = place_of(s, run->lo + j);
			float *old = h->r ? h->r + place * h->kp : NULL;

			if (old) {
				harmony_add(acc, old, h->kp);
				memcpy(old, w, (size_t)h->kp * sizeof *w);
			} else {
				const float *pen = group_pen(h, h->rho_prev + (int64_t)h->prev[place] * h->n_lev * h->kp,
				    run->group, pen_buf(h, worker, 0));
				float t = row_scale(w, &pen, ones, h->kp);

				harmony_add_scaled(acc, w, pen, t, h->kp);
			}
			h->top[run->lo - s->base + j] = h->mx[(int64_t)worker * HARMONY_RUN + j];
		}
	}
	return e->code;
}

/* Applies the block's penalties and puts the new assignments in. */
static int
enter_run(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct wave *s = ctx;
	struct harmony_state *h = s->h;
	const float *table = h->rho + (int64_t)s->b * h->n_lev * h->kp;

	for (int64_t i = lo; i < hi; i++) {
		const struct harmony_run *run = s->run + i;
		const float *own = group_pen(h, table, run->group, pen_buf(h, worker, 0));
		double *acc = h->part + i * (h->kp + 1);

		memset(acc, 0, (size_t)(h->kp + 1) * sizeof *acc);
		for (int64_t j = run->lo; j < run->hi; j++) {
			float *w = h->r ? h->r + place_of(s, j) * h->kp : h->w + (j - s->base) * h->kp;
			const float *pen = own;
			float t = row_scale(w, &pen, ones_of(h), h->kp);

			harmony_add_scaled(acc, w, pen, t, h->kp);
			if (h->r)
				harmony_scale(w, pen, t, h->kp);
			acc[h->kp] += cell_cost(h, h->top[j - s->base], t);
		}
		acc[h->kp] += pen_cost(h, acc, own);
	}
	return e->code;
}

/* Adds sign * the runs' partial sums to obs, in order; returns their cost. */
static double
add_parts(struct harmony_state *h, const struct harmony_run *run, int64_t n_run, double sign)
{
	double cost = 0;

	for (int64_t i = 0; i < n_run; i++) {
		const double *acc = h->part + i * (h->kp + 1);
		const int32_t *lev = h->group_lev + (int64_t)run[i].group * h->n_var;

		for (int v = 0; v < h->n_var; v++)
			for (int k = 0; k < h->k; k++)
				h->obs[(int64_t)lev[v] * h->kp + k] += sign * acc[k];
		if (h->group_obs && sign > 0)
			for (int k = 0; k < h->k; k++)
				h->group_obs[(int64_t)run[i].group * h->kp + k] += acc[k];
		cost += acc[h->kp];
	}
	return cost;
}

/* fn over runs, a wave after the other. */
static double
waves(struct wave *s, const struct harmony_run *run, int64_t n_run, par_fn *fn, double sign, struct err *e)
{
	double cost = 0;

	for (int64_t r = 0; r < n_run && !e->code; r += HARMONY_WAVE) {
		int64_t m = n_run - r < HARMONY_WAVE ? n_run - r : HARMONY_WAVE;

		s->run = run + r;
		par_for(s->h->p, m, 1, fn, s, e);
		cost += add_parts(s->h, run + r, m, sign);
	}
	return cost;
}

/* Weight of cluster k over all cells: the sum over the levels of one variable. */
static double
mass_of(const struct harmony_state *h, int k)
{
	double s = 0;

	for (int b = 0; b < h->var_lev[1]; b++)
		s += h->obs[(int64_t)b * h->kp + k];
	return s;
}

static double
penalty(int variant, double o, double ex, double theta)
{
	double t;

	o = o > 0 ? o : 0;
	ex = ex > 0 ? ex : 0;
	if (variant == 0)
		return pow((ex + 1) / (o + 1), theta);
	if (variant == 2)
		return pow((2 * ex + 1) / (o + ex + 1), theta);
	t = ex / (o + ex > 1e-8 ? o + ex : 1e-8);
	return pow(t < 1e-8 ? 1e-8 : t > 1 ? 1 : t, theta);
}

/* Table of the penalties, from obs without the open block. */
static void
fill_penalties(struct harmony_state *h, float *table)
{
	for (int k = 0; k < h->k; k++) {
		double mass = mass_of(h, k);

		for (int b = 0; b < h->n_lev; b++)
			table[(int64_t)b * h->kp + k] = (float)penalty(h->o->variant,
			    h->obs[(int64_t)b * h->kp + k], mass * h->pr[b], h->theta[b]);
	}
}

/* sigma sum_kb theta_b O ln(1 / penalty base). */
static double
cross_entropy(const struct harmony_state *h)
{
	double s = 0;

	for (int k = 0; k < h->k; k++) {
		double mass = mass_of(h, k);

		for (int b = 0; b < h->n_lev; b++) {
			double o = h->obs[(int64_t)b * h->kp + k];

			s -= h->theta[b] * o * log(penalty(h->o->variant, o, mass * h->pr[b], 1));
		}
	}
	return h->o->sigma * s;
}

static double
objective(const struct harmony_state *h, double cost)
{
	return (cost + cross_entropy(h)) * (h->o->variant ? 2000.0 / (double)h->n : 1);
}

double
harmony_start(struct harmony_state *h, struct err *e)
{
	struct wave s = {h, NULL, NULL, 0, 0, 0};
	int64_t table = (int64_t)h->n_block * h->n_lev * h->kp;

	memset(h->obs, 0, (size_t)(h->n_lev * h->kp) * sizeof *h->obs);
	if (h->group_obs)
		memset(h->group_obs, 0, (size_t)h->n_group * (size_t)h->kp * sizeof *h->group_obs);
	if (!h->r)
		for (int64_t i = 0; i < table; i++)
			h->rho[i] = 1;
	return objective(h, waves(&s, h->all, h->n_all, start_run, 1, e));
}

double
harmony_sweep(struct harmony_state *h, struct err *e)
{
	struct wave s = {h, NULL, h->list, 0, 0, 0};
	struct harmony_run *run;
	double cost = 0;
	float *t = h->rho_prev;

	h->rho_prev = h->rho;
	h->rho = t;
	harmony_blocks(h);
	if (h->group_obs)
		memset(h->group_obs, 0, (size_t)h->n_group * (size_t)h->kp * sizeof *h->group_obs);
	for (int b = 0; b < h->n_block && !e->code; b++) {
		int64_t lo = h->list_lo[b], hi = h->list_lo[b + 1], n_run;

		n_run = harmony_runs(h, h->list, lo, hi, NULL);
		run = mem_raw(struct harmony_run, n_run);
		harmony_runs(h, h->list, lo, hi, run);
		s.base = lo;
		s.b = b;
		waves(&s, run, n_run, leave_run, -1, e);
		fill_penalties(h, h->rho + (int64_t)b * h->n_lev * h->kp);
		cost += waves(&s, run, n_run, enter_run, 1, e);
		mem_free(run);
	}
	return objective(h, cost);
}

const float *
harmony_rows(struct harmony_state *h, const struct harmony_run *run, int worker)
{
	struct wave s = {h, NULL, NULL, 0, 0, 0};
	float *w = h->wbuf + (int64_t)worker * HARMONY_RUN * h->kp;

	if (h->r)
		return h->r + run->lo * h->kp;
	weights(&s, run, worker, w);
	for (int64_t j = 0; j < run->hi - run->lo; j++) {
		const float *pen = group_pen(h, h->rho + (int64_t)h->block[run->lo + j] * h->n_lev * h->kp,
		    run->group, pen_buf(h, worker, 0));
		float t = row_scale(w + j * h->kp, &pen, ones_of(h), h->kp);

		harmony_scale(w + j * h->kp, pen, t, h->kp);
	}
	return w;
}

/* r' z of a run: a matrix [kp][d] in sums. */
static int
sum_run(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct wave *s = ctx;
	struct harmony_state *h = s->h;

	for (int64_t i = lo; i < hi; i++) {
		const struct harmony_run *run = s->run + i;
		const float *r = harmony_rows(h, run, worker);
		float *z = h->zbuf + (int64_t)worker * HARMONY_RUN * h->d;
		int64_t m = run->hi - run->lo;

		for (int64_t j = 0; j < m; j++) {
			int64_t c = h->cell[run->lo + j];
			const float *x = (s->unit ? h->zc : h->z) + c * h->d;

			harmony_times(z + j * h->d, x, s->unit ? h->inv[c] : 1, h->d);
		}
		blas_sgemm(1, 0, h->kp, h->d, m, 1, r, h->kp, z, h->d, 0, h->sums + i * h->kp * h->d, h->d);
	}
	return e->code;
}

void
harmony_level_sums(struct harmony_state *h, int unit, struct err *e)
{
	struct wave s = {h, NULL, NULL, 0, 0, unit};
	int64_t size = (int64_t)h->k * h->d, row = (int64_t)h->kp * h->d;

	memset(h->beta, 0, (size_t)(h->n_lev * row) * sizeof *h->beta);
	for (int64_t r = 0; r < h->n_all && !e->code; r += HARMONY_SUM_WAVE) {
		int64_t m = h->n_all - r < HARMONY_SUM_WAVE ? h->n_all - r : HARMONY_SUM_WAVE;

		s.run = h->all + r;
		par_for(h->p, m, 1, sum_run, &s, e);
		for (int64_t i = 0; i < m; i++)
			for (int v = 0; v < h->n_var; v++) {
				double *to = h->beta + h->group_lev[(int64_t)s.run[i].group * h->n_var + v] * row;
				const float *from = h->sums + i * row;

				for (int64_t j = 0; j < size; j++)
					to[j] += (double)from[j];
			}
	}
}

void
harmony_centres(struct harmony_state *h, struct err *e)
{
	int64_t row = (int64_t)h->kp * h->d;

	harmony_level_sums(h, 1, e);
	for (int k = 0; k < h->k; k++) {
		double *sum = h->beta + (int64_t)k * h->d, len = 0;

		for (int b = 1; b < h->var_lev[1]; b++)
			for (int j = 0; j < h->d; j++)
				sum[j] += h->beta[b * row + (int64_t)k * h->d + j];
		for (int j = 0; j < h->d; j++)
			len += sum[j] * sum[j];
		for (int j = 0; j < h->d && len > 0; j++)
			h->y[(int64_t)k * h->d + j] = (float)(sum[j] / sqrt(len));
	}
}
