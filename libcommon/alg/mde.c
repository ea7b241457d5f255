/* mde - see mde.h: the problem, its constraint, the solution */
#include "alg/mde_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "alg/lbfgs.h"
#include "base/mem.h"
#include "num/blas.h"

#define PART 4096               /* points of one partial sum */
#define TRACE_EACH 10

void
mde_adj_make(struct mde_adj *a, const struct mde_pairs *t, int64_t n, const int32_t *place)
{
	int64_t m = t->ptr ? 2 * t->ptr[n] : 0;
	int32_t *from = place ? mem_raw(int32_t, n) : NULL;

	/* in the new order, so that both ends are mostly near by */
	for (int64_t i = 0; i < n && place; i++)
		from[place[i]] = (int32_t)i;
	memset(a, 0, sizeof *a);
	a->ptr = mem_new(int64_t, n + 2);
	a->at = mem_raw(int32_t, m + MDE_AHEAD);
	memset(a->at + m, 0, MDE_AHEAD * sizeof *a->at);
	if (t->w)
		a->w = mem_raw(float, m);
	for (int fill = 0; fill < 2 && t->ptr; fill++) {
		for (int64_t u = 0; u < n; u++) {
			int64_t i = from ? from[u] : u;

			for (int64_t s = t->ptr[i]; s < t->ptr[i + 1]; s++) {
				int32_t v = place ? place[t->j[s]] : t->j[s];
				int64_t p = a->ptr[u + 2 - fill]++, q = a->ptr[v + 2 - fill]++;

				if (!fill)
					continue;
				a->at[p] = v;
				a->at[q] = (int32_t)u;
				if (t->w)
					a->w[p] = a->w[q] = t->w[s];
			}
		}
		for (int64_t i = 0; i < n && !fill; i++)
			a->ptr[i + 2] += a->ptr[i + 1];
	}
	mem_free(from);
}

void
mde_adj_clear(struct mde_adj *a)
{
	mem_free(a->ptr);
	mem_free(a->at);
	mem_free(a->w);
	memset(a, 0, sizeof *a);
}

struct cross {
	const float *a, *b;
	int dim;
	double *part;           /* [blocks][dim * dim] */
};

static int
cross_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct cross *c = ctx;
	int d = c->dim;
	double sum[MDE_DIM_MAX * MDE_DIM_MAX] = {0};

	(void)worker;
	for (int64_t i = lo; i < hi; i++)
		for (int q = 0; q < d; q++)
			for (int r = 0; r < d; r++)
				sum[q * d + r] += (double)c->a[i * d + q] * (c->b ? (double)c->b[i * d + r] : 1);
	memcpy(c->part + lo / PART * d * d, sum, (size_t)(d * d) * sizeof *sum);
	return e->code;
}

/* c [dim][dim] = a'b / n; b NULL: ones. */
void
mde_cross(const float *a, const float *b, int64_t n, int dim, double *c, struct par *p, struct err *e)
{
	int64_t n_part = (n + PART - 1) / PART;
	struct cross s = {a, b, dim, mem_raw(double, n_part * dim * dim)};

	par_for(p, n, PART, cross_block, &s, e);
	for (int j = 0; j < dim * dim; j++) {
		c[j] = 0;
		for (int64_t t = 0; t < n_part; t++)
			c[j] += s.part[t * dim * dim + j];
		c[j] /= (double)n;
	}
	mem_free(s.part);
}

/* x = (x - shift) m, or x += y m. */
struct map {
	float *x;
	const float *y;
	const double *shift, *m;
	int dim;
};

static int
map_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct map *s = ctx;
	int d = s->dim;

	(void)worker;
	for (int64_t i = lo; i < hi; i++) {
		double in[MDE_DIM_MAX];
		float *x = s->x + i * d;

		for (int q = 0; q < d; q++)
			in[q] = s->y ? (double)s->y[i * d + q] : (double)x[q] - s->shift[q];
		for (int q = 0; q < d; q++) {
			double t = s->y ? (double)x[q] : 0;

			for (int r = 0; r < d; r++)
				t += in[r] * s->m[r * d + q];
			x[q] = (float)t;
		}
	}
	return e->code;
}

int
mde_project(float *x, int64_t n, int dim, struct par *p, struct err *e)
{
	double c[MDE_DIM_MAX * MDE_DIM_MAX], mean[MDE_DIM_MAX], m[MDE_DIM_MAX * MDE_DIM_MAX] = {0};
	double val[MDE_DIM_MAX], v[MDE_DIM_MAX * MDE_DIM_MAX];
	struct map s = {x, NULL, mean, m, dim};

	mde_cross(x, NULL, n, dim, c, p, e);
	for (int q = 0; q < dim; q++)
		mean[q] = c[q * dim];
	mde_cross(x, x, n, dim, c, p, e);
	for (int q = 0; q < dim; q++)
		for (int r = 0; r < dim; r++) {
			c[q * dim + r] -= mean[q] * mean[r];
			if (!isfinite(c[q * dim + r]))
				return err_set(e, ERR_NUMERIC, "layout: a coordinate is not finite");
		}
	if (blas_eigh(dim, c, dim, val, v, e))
		return e->code;
	if (!(val[dim - 1] > 1e-12 * val[0]))
		return err_set(e, ERR_NUMERIC, "layout: the points lie in fewer than %d dimensions", dim);
	/* (x'x / n)^(-1/2) */
	for (int k = 0; k < dim; k++)
		for (int q = 0; q < dim; q++)
			for (int r = 0; r < dim; r++)
				m[q * dim + r] += v[k * dim + q] * v[k * dim + r] / sqrt(val[k]);
	return par_for(p, n, PART, map_block, &s, e);
}

int
mde_standardise(float *x, int64_t n, int dim, struct par *p, struct err *e)
{
	if (e->code)
		return e->code;
	BUG_IF(dim < 1 || dim > MDE_DIM_MAX);
	/* twice: the first time carries the rounding of large means */
	mde_project(x, n, dim, p, e);
	return e->code ? e->code : mde_project(x, n, dim, p, e);
}

struct problem {
	int64_t n, n_pair;
	int dim;
	struct mde_adj near, far;
	double *part;           /* [blocks of MDE_NODES] */
	const float *x;
	float *g;
	struct par *p;
	struct mde_out *res;
};

static int
value_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct problem *s = ctx;

	(void)worker;
	s->part[lo / MDE_NODES] = mde_kernel(&s->near, &s->far, s->x, s->dim, lo, hi,
	    1 / (double)s->n_pair, s->g + lo * s->dim);
	return e->code;
}

static double
value(struct problem *s, const float *x, float *g, struct err *e)
{
	double f = 0;

	s->x = x;
	s->g = g;
	par_for(s->p, s->n, MDE_NODES, value_block, s, e);
	for (int64_t b = 0; b < (s->n + MDE_NODES - 1) / MDE_NODES; b++)
		f += s->part[b];
	return f / (double)s->n_pair;
}

static void
problem_init(struct problem *s, const struct mde_edges *g, int dim, const int32_t *place, struct par *p)
{
	memset(s, 0, sizeof *s);
	s->n = g->n;
	s->dim = dim;
	s->p = p;
	s->n_pair = g->near.ptr[g->n] + (g->far.ptr ? g->far.ptr[g->n] : 0);
	mde_adj_make(&s->near, &g->near, g->n, place);
	mde_adj_make(&s->far, &g->far, g->n, place);
	s->part = mem_raw(double, (g->n + MDE_NODES - 1) / MDE_NODES);
}

static void
problem_clear(struct problem *s)
{
	mde_adj_clear(&s->near);
	mde_adj_clear(&s->far);
	mem_free(s->part);
}

double
mde_distortion(const struct mde_edges *g, const float *x, int dim, float *gradient, struct par *p,
	struct err *e)
{
	struct problem s;
	float *own = gradient ? NULL : mem_raw(float, g->n * dim);
	double f;

	problem_init(&s, g, dim, NULL, p);
	f = value(&s, x, gradient ? gradient : own, e);
	problem_clear(&s);
	mem_free(own);
	return f;
}

/* The function that is minimised: onto the constraint, value, and the gradient
 * without what leads away from it: G - X (G'X + X'G) / 2n. */
static double
projected(void *ctx, float *x, float *g, struct err *e)
{
	struct problem *s = ctx;
	double c[MDE_DIM_MAX * MDE_DIM_MAX], m[MDE_DIM_MAX * MDE_DIM_MAX], f;
	struct map back = {g, x, NULL, m, s->dim};
	int d = s->dim;

	if (mde_project(x, s->n, d, s->p, e))
		return NAN;
	f = value(s, x, g, e);
	mde_cross(x, g, s->n, d, c, s->p, e);
	for (int q = 0; q < d; q++)
		for (int r = 0; r < d; r++)
			m[q * d + r] = -(c[q * d + r] + c[r * d + q]) / 2;
	par_for(s->p, s->n, PART, map_block, &back, e);
	return f;
}

static void
seen(void *ctx, int iter, double f, double norm)
{
	struct problem *s = ctx;

	(void)norm;
	if (iter == 0)
		s->res->start = f;
	if (iter % TRACE_EACH == 0)
		s->res->trace[s->res->n_trace++] = f;
}

struct coded {
	uint64_t code;
	int32_t i;
};

static int
coded_cmp(const void *a, const void *b)
{
	const struct coded *p = a, *q = b;

	if (p->code != q->code)
		return p->code < q->code ? -1 : 1;
	return p->i < q->i ? -1 : p->i > q->i;
}

/* Numbers the points along a Z-shaped curve through the start, so that partners,
 * who are near there already, are near in memory: place [n]. */
static int32_t *
along_curve(const float *x, int64_t n, int dim)
{
	struct coded *c = mem_raw(struct coded, n);
	int32_t *place = mem_raw(int32_t, n);
	int used = dim < 3 ? dim : 3;

	for (int64_t i = 0; i < n; i++) {
		c[i].code = 0;
		c[i].i = (int32_t)i;
		for (int q = 0; q < used; q++) {
			double t = ((double)x[i * dim + q] + 4) * 2048;
			uint64_t cell = t < 0 ? 0 : t > 16383 ? 16383 : (uint64_t)t;

			for (int bit = 0; bit < 14; bit++)
				c[i].code |= (cell >> bit & 1) << (bit * used + q);
		}
	}
	qsort(c, (size_t)n, sizeof *c, coded_cmp);
	for (int64_t i = 0; i < n; i++)
		place[c[i].i] = (int32_t)i;
	mem_free(c);
	return place;
}

int
mde(const struct mde_edges *g, const struct mde_opt *o, float *x, struct mde_out *res,
	struct par *p, struct err *e)
{
	struct lbfgs_opt lo = LBFGS_DEFAULT;
	struct lbfgs_out r = {0};
	struct mde_out mine = {0};
	struct problem s;
	size_t row = (size_t)o->dim * sizeof *x;
	int32_t *place;
	float *own;

	if (res)
		memset(res, 0, sizeof *res);
	if (e->code)
		return e->code;
	BUG_IF(o->dim < 1 || o->dim > MDE_DIM_MAX || o->memory < 1 || o->memory > 64);
	if (g->n <= o->dim || g->near.ptr[g->n] == 0)
		return err_set(e, ERR_DATA, "layout: %lld points and %lld neighbour pairs do not make a picture "
		    "of %d dimensions", (long long)g->n, (long long)g->near.ptr[g->n], o->dim);
	if (o->start)
		memmove(x, o->start, (size_t)g->n * (size_t)o->dim * sizeof *x);
	else if (mde_start(g, o, x, &mine.n_component, p, e))
		return e->code;
	if (mde_standardise(x, g->n, o->dim, p, e))
		return e->code;
	place = along_curve(x, g->n, o->dim);
	own = mem_raw(float, g->n * o->dim);
	for (int64_t i = 0; i < g->n; i++)
		memcpy(own + (int64_t)place[i] * o->dim, x + i * o->dim, row);
	problem_init(&s, g, o->dim, place, p);
	mine.trace = mem_new(double, o->max_iter / TRACE_EACH + 1);
	s.res = &mine;
	lo.max_iter = o->max_iter;
	lo.memory = o->memory;
	lo.eps = o->eps;
	lo.seen = seen;
	lbfgs(projected, &s, g->n * o->dim, own, &lo, &r, p, e);
	problem_clear(&s);
	for (int64_t i = 0; i < g->n; i++)
		memcpy(x + i * o->dim, own + (int64_t)place[i] * o->dim, row);
	mem_free(place);
	mem_free(own);
	mine.distortion = r.f;
	mine.residual = r.norm;
	mine.n_iter = r.n_iter;
	mine.converged = r.converged;
	if (res && !e->code)
		*res = mine;
	else
		mde_out_clear(&mine);
	return e->code;
}

void
mde_out_clear(struct mde_out *res)
{
	mem_free(res->trace);
	memset(res, 0, sizeof *res);
}

int64_t
mde_bytes(int64_t n, int k, double fraction, const struct mde_opt *o)
{
	struct lbfgs_opt lo = LBFGS_DEFAULT;
	int64_t near = n * k, far = (int64_t)(fraction * (double)near), pairs, build, run, spectral;

	lo.memory = o->memory;
	pairs = near * 8 + far * 4 + 2 * n * 8;
	build = near * 8 + far * 16 + n * 16;
	run = near * 16 + far * 8 + n * 16 + lbfgs_bytes(n * o->dim, &lo) + n * (8 + 16 + 4 * o->dim);
	/* both directions of the graph, once more in double on each coarser level */
	spectral = near * 16 + n * 64 + (n > o->coarse ? near * 12 : 0) +
	    (int64_t)(o->coarse < n ? o->coarse : n) * 8 * 3 * (o->dim + 8);
	build = build > run ? build : run;
	return pairs + (build > spectral ? build : spectral) + (1 << 20);
}
