/* lbfgs - see lbfgs.h */
#include "alg/lbfgs.h"

#include <math.h>
#include <string.h>
#include "base/mem.h"

#define BLOCK 8192
#define MEMORY_MAX 64

/* A point on the search line. */
struct trial {
	double t, f, slope;     /* step, value, gradient along the direction */
	float *x, *g;           /* [n] each */
};

struct search {
	lbfgs_fn *fn;
	void *ctx;
	int64_t n;
	const struct lbfgs_opt *o;
	struct par *p;
	struct err *e;
	double *part;           /* partial sums by block */
	const float *x;         /* where the line starts */
	float *d;               /* direction */
	double d_most;          /* its largest component */
	struct trial lo, hi, now;
	int n_eval;
};

/* Vector work, a block at a time: op is one of the letters below. */
struct vec {
	char op;
	int64_t n;
	double a;
	const float *x, *y;
	float *z;
	double *part;
};

static int
vec_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct vec *v = ctx;
	double s = 0;
	float a = (float)v->a;

	(void)worker;
	switch (v->op) {
	case '.':               /* x'y */
		for (int64_t i = lo; i < hi; i++)
			s += (double)v->x[i] * (double)v->y[i];
		break;
	case '1':               /* sum |x| */
		for (int64_t i = lo; i < hi; i++)
			s += fabs((double)v->x[i]);
		break;
	case 'm':               /* max |x| */
		for (int64_t i = lo; i < hi; i++)
			s = fabs((double)v->x[i]) > s ? fabs((double)v->x[i]) : s;
		break;
	case '+':               /* z = x + a y */
		for (int64_t i = lo; i < hi; i++)
			v->z[i] = v->x[i] + a * v->y[i];
		break;
	case '*':               /* z = a x */
		for (int64_t i = lo; i < hi; i++)
			v->z[i] = a * v->x[i];
		break;
	}
	v->part[lo / BLOCK] = s;
	return e->code;
}

static double
vec(struct search *s, char op, double a, const float *x, const float *y, float *z)
{
	struct vec v = {op, s->n, a, x, y, z, s->part};
	double sum = 0;

	par_for(s->p, s->n, BLOCK, vec_block, &v, s->e);
	for (int64_t b = 0; b < (s->n + BLOCK - 1) / BLOCK; b++)
		sum = op != 'm' ? sum + s->part[b] : s->part[b] > sum ? s->part[b] : sum;
	return sum;
}

static void
swap(struct trial *a, struct trial *b)
{
	struct trial t = *a;

	*a = *b;
	*b = t;
}

/* Evaluates the step t into now. */
static void
evaluate(struct search *s, double t)
{
	s->now.t = t;
	vec(s, '+', t, s->x, s->d, s->now.x);
	s->now.f = s->fn(s->ctx, s->now.x, s->now.g, s->e);
	s->now.slope = vec(s, '.', 0, s->now.g, s->d, NULL);
	s->n_eval++;
}

/* Minimum of the cubic with the two points' values and slopes, within a and b. */
static double
cubic(const struct trial *p, const struct trial *q, double a, double b)
{
	double d1, d2, t;

	if (p->t > q->t) {
		const struct trial *r = p;

		p = q;
		q = r;
	}
	d1 = p->slope + q->slope - 3 * (p->f - q->f) / (p->t - q->t);
	d2 = d1 * d1 - p->slope * q->slope;
	if (!(d2 >= 0))
		return (a + b) / 2;
	d2 = sqrt(d2);
	t = q->t - (q->t - p->t) * (q->slope + d2 - d1) / (q->slope - p->slope + 2 * d2);
	if (!(t >= a))
		return t < a ? a : (a + b) / 2;
	return t > b ? b : t;
}

/* Steps out until lo and hi enclose a good point (1) or now is one (0). */
static int
bracket(struct search *s, double t, double f0, double slope0)
{
	evaluate(s, t);
	for (int halved = 0; !isfinite(s->now.f) && halved < 10 && !s->e->code; halved++)
		evaluate(s, t /= 2);
	for (int i = 0; s->n_eval < s->o->max_eval && !s->e->code; i++) {
		double from = s->lo.t;

		if (!isfinite(s->now.f) || s->now.f > f0 + s->o->c1 * s->now.t * slope0 ||
		    (i > 0 && s->now.f >= s->lo.f)) {
			swap(&s->hi, &s->now);
			return 1;
		}
		if (fabs(s->now.slope) <= -s->o->c2 * slope0)
			return 0;
		if (s->now.slope >= 0) {
			swap(&s->hi, &s->now);
			return 1;
		}
		t = cubic(&s->lo, &s->now, s->now.t + 0.01 * (s->now.t - from), 10 * s->now.t);
		swap(&s->lo, &s->now);
		evaluate(s, t);
	}
	swap(&s->hi, &s->now);
	return 1;
}

/* Narrows the bracket.  1 when now meets the conditions, 0 when lo is the best. */
static int
zoom(struct search *s, double f0, double slope0)
{
	int slow = 0;

	if (isfinite(s->hi.f) && s->hi.f < s->lo.f)
		swap(&s->lo, &s->hi);
	while (s->n_eval < s->o->max_eval && !s->e->code) {
		double a = fmin(s->lo.t, s->hi.t), b = fmax(s->lo.t, s->hi.t), margin = 0.1 * (b - a), t;

		if ((b - a) * s->d_most < 1e-9)
			return 0;
		t = isfinite(s->hi.f) ? cubic(&s->lo, &s->hi, a, b) : (a + b) / 2;
		if (fmin(b - t, t - a) < margin) {
			if (slow || t >= b || t <= a) {
				t = fabs(t - b) < fabs(t - a) ? b - margin : a + margin;
				slow = 0;
			} else {
				slow = 1;
			}
		} else {
			slow = 0;
		}
		evaluate(s, t);
		if (!isfinite(s->now.f) || s->now.f > f0 + s->o->c1 * t * slope0 || s->now.f >= s->lo.f) {
			swap(&s->hi, &s->now);
			continue;
		}
		if (fabs(s->now.slope) <= -s->o->c2 * slope0)
			return 1;
		if (s->now.slope * (s->hi.t - s->lo.t) >= 0)
			swap(&s->hi, &s->lo);
		swap(&s->lo, &s->now);
	}
	return 0;
}

/* A step along d from x with value f and gradient g.  The accepted point is left
 * in now; now.t = 0 when there is none better. */
static void
line_search(struct search *s, const float *g, double f, double slope, double t)
{
	s->n_eval = 0;
	s->d_most = vec(s, 'm', 0, s->d, NULL, NULL);
	s->lo.t = 0;
	s->lo.f = f;
	s->lo.slope = slope;
	memcpy(s->lo.x, s->x, (size_t)s->n * sizeof *s->x);
	memcpy(s->lo.g, g, (size_t)s->n * sizeof *g);
	if (bracket(s, t, f, slope) && !zoom(s, f, slope))
		swap(&s->now, &s->lo);
}

/* The pairs of differences, oldest first in a ring. */
struct memory {
	int size, n, first;
	float *s[MEMORY_MAX], *y[MEMORY_MAX];
	double rho[MEMORY_MAX], h0;
};

/* d = -H g (two-loop recursion). */
static void
direction(struct search *s, const struct memory *m, const float *g)
{
	double alpha[MEMORY_MAX];

	vec(s, '*', -1, g, NULL, s->d);
	for (int i = m->n - 1; i >= 0; i--) {
		int j = (m->first + i) % m->size;

		alpha[j] = m->rho[j] * vec(s, '.', 0, m->s[j], s->d, NULL);
		vec(s, '+', -alpha[j], s->d, m->y[j], s->d);
	}
	if (m->n)
		vec(s, '*', m->h0, s->d, NULL, s->d);
	for (int i = 0; i < m->n; i++) {
		int j = (m->first + i) % m->size;
		double beta = m->rho[j] * vec(s, '.', 0, m->y[j], s->d, NULL);

		vec(s, '+', alpha[j] - beta, s->d, m->s[j], s->d);
	}
}

/* Remembers the step t d and the change of the gradient when their product is
 * positive. */
static void
remember(struct search *s, struct memory *m, const float *g_old, const float *g, double t)
{
	int j = (m->first + m->n) % m->size;
	double ys, yy;

	vec(s, '+', -1, g, g_old, m->y[j]);
	vec(s, '*', t, s->d, NULL, m->s[j]);
	ys = vec(s, '.', 0, m->y[j], m->s[j], NULL);
	yy = vec(s, '.', 0, m->y[j], m->y[j], NULL);
	/* The bound on y's is relative: gradients shrink with the number of cells. */
	if (!(ys > 1e-10 * yy) || !(yy > 0)) {
		if (m->n == m->size) {          /* the slot was the oldest pair's */
			m->first = (m->first + 1) % m->size;
			m->n--;
		}
		return;
	}
	m->rho[j] = 1 / ys;
	m->h0 = ys / yy;
	if (m->n < m->size)
		m->n++;
	else
		m->first = (m->first + 1) % m->size;
}

static void
iterate(struct search *s, struct memory *m, float *x, float *g, struct lbfgs_out *out)
{
	const struct lbfgs_opt *o = s->o;
	int stuck = 0;

	while (out->n_iter < o->max_iter && !out->converged && !s->e->code) {
		double slope, t = 1;

		direction(s, m, g);
		slope = vec(s, '.', 0, g, s->d, NULL);
		if (!(slope < 0)) {
			m->n = 0;
			direction(s, m, g);
			slope = -out->norm * out->norm;
		}
		if (m->n == 0)
			t = fmin(1, 1 / vec(s, '1', 0, g, NULL, NULL));
		line_search(s, g, out->f, slope, t);
		out->n_eval += s->n_eval;
		out->n_iter++;
		if (s->now.t > 0) {
			remember(s, m, g, s->now.g, s->now.t);
			memcpy(x, s->now.x, (size_t)s->n * sizeof *x);
			memcpy(g, s->now.g, (size_t)s->n * sizeof *g);
			out->f = s->now.f;
			out->norm = sqrt(vec(s, '.', 0, g, g, NULL));
			stuck = 0;
		} else if (m->n == 0 || ++stuck > 1) {
			break;          /* not even downhill: the precision is used up */
		} else {
			m->n = 0;
		}
		out->converged = out->norm <= o->eps;
		if (o->seen)
			o->seen(s->ctx, out->n_iter, out->f, out->norm);
	}
}

int
lbfgs(lbfgs_fn *fn, void *ctx, int64_t n, float *x, const struct lbfgs_opt *o,
	struct lbfgs_out *out, struct par *p, struct err *e)
{
	struct search s = {.fn = fn, .ctx = ctx, .n = n, .o = o, .p = p, .e = e, .x = x};
	struct memory m = {.size = o->memory};
	struct trial *all[3] = {&s.lo, &s.hi, &s.now};
	float *g;

	memset(out, 0, sizeof *out);
	if (e->code)
		return e->code;
	BUG_IF(o->memory < 1 || o->memory > MEMORY_MAX || n < 1);
	g = mem_raw(float, n);
	s.d = mem_raw(float, n);
	s.part = mem_raw(double, (n + BLOCK - 1) / BLOCK);
	for (int i = 0; i < 3; i++) {
		all[i]->x = mem_raw(float, n);
		all[i]->g = mem_raw(float, n);
	}
	for (int i = 0; i < o->memory; i++) {
		m.s[i] = mem_raw(float, n);
		m.y[i] = mem_raw(float, n);
	}
	out->f = fn(ctx, x, g, e);
	out->norm = sqrt(vec(&s, '.', 0, g, g, NULL));
	if (!isfinite(out->f) || !isfinite(out->norm))
		err_set(e, ERR_NUMERIC, "minimisation: the start has no finite value");
	out->converged = out->norm <= o->eps;
	if (o->seen && !e->code)
		o->seen(ctx, 0, out->f, out->norm);
	iterate(&s, &m, x, g, out);
	for (int i = 0; i < 3; i++) {
		mem_free(all[i]->x);
		mem_free(all[i]->g);
	}
	for (int i = 0; i < o->memory; i++) {
		mem_free(m.s[i]);
		mem_free(m.y[i]);
	}
	mem_free(g);
	mem_free(s.d);
	mem_free(s.part);
	return e->code;
}

int64_t
lbfgs_bytes(int64_t n, const struct lbfgs_opt *o)
{
	return (8 + 2 * (int64_t)o->memory) * (n * 4 + 64) + (n / BLOCK + 1) * 8 + 4096;
}
