/* loess - see loess.h */
#include "alg/loess.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include "base/mem.h"

#define CELL 0.2        /* leaves hold at most span * CELL * n points */
#define MAX_COEF 3

struct point {
	double x, y;
	int64_t at;             /* place in the caller's order */
};

struct vertex {
	double x, value, slope;
};

struct fit {
	const struct point *p;  /* [n] by rising x */
	int64_t n, near, leaf;  /* points; in a neighbourhood; at most in a leaf */
	int n_coef;
	struct vertex *v;       /* rising x */
	int64_t n_vertex, cap_vertex;
	double *a;              /* [n_coef][n] columns of the weighted problem */
	double *b;              /* [n] weighted y */
};

static int
compare(const void *a, const void *b)
{
	const struct point *p = a, *q = b;

	if (p->x != q->x)
		return p->x < q->x ? -1 : 1;
	return (p->at > q->at) - (p->at < q->at);
}

static void
add_vertex(struct fit *f, double x)
{
	if (f->n_vertex == f->cap_vertex) {
		f->cap_vertex = 2 * f->cap_vertex + 32;
		f->v = mem_renew(f->v, struct vertex, f->cap_vertex);
	}
	f->v[f->n_vertex++] = (struct vertex){ x, 0, 0 };
}

/* Where to cut points l .. u (both included): after the one next to the middle
 * that differs from its successor; the middle itself when there is none. */
static int64_t
cut_after(const struct point *p, int64_t l, int64_t u)
{
	int64_t m = (l + u) / 2;

	for (int64_t o = 0; m + o < u && m + o >= l; o = o > 0 ? -o : 1 - o)
		if (p[m + o].x != p[m + o + 1].x)
			return m + o;
	return m;
}

/* Cuts the cell [lo, hi] of points l .. u down to its leaves; vertices come out by
 * rising x. */
static void
cut(struct fit *f, int64_t l, int64_t u, double lo, double hi)
{
	int64_t m = cut_after(f->p, l, u);
	double x = f->p[m].x;

	if (u - l + 1 <= f->leaf || x == lo || x == hi)
		return;
	cut(f, l, m, lo, x);
	add_vertex(f, x);
	cut(f, m + 1, u, x, hi);
}

/* The near points about x: first and last of them, distance of the farthest. */
static double
neighbourhood(const struct fit *f, double x, int64_t *first, int64_t *last)
{
	int64_t l = 0, r = f->n - f->near;      /* the window starts in l .. r */

	while (l < r) {
		int64_t m = (l + r) / 2;

		if (x - f->p[m].x > f->p[m + f->near].x - x)
			l = m + 1;
		else
			r = m;
	}
	*first = l;
	*last = l + f->near - 1;
	return fmax(x - f->p[*first].x, f->p[*last].x - x);
}

static double
dot(const double *x, const double *y, int64_t n)
{
	double sum = 0;

	for (int64_t i = 0; i < n; i++)
		sum += x[i] * y[i];
	return sum;
}

/* Singular values by rotations of pairs of columns a [k] (one-sided Jacobi): a becomes U S, and a_old = a v'. */
static void
rotate_columns(double a[MAX_COEF][MAX_COEF], int k, double v[MAX_COEF][MAX_COEF])
{
	for (int i = 0; i < k; i++)
		for (int j = 0; j < k; j++)
			v[i][j] = i == j;
	for (int sweep = 0; sweep < 30; sweep++) {
		int done = 1;

		for (int i = 0; i < k; i++)
			for (int j = i + 1; j < k; j++) {
				double *p = a[i], *q = a[j], pp = dot(p, p, k), qq = dot(q, q, k), pq = dot(p, q, k), z, t, c, s;

				if (fabs(pq) <= 1e-16 * sqrt(pp * qq))
					continue;
				done = 0;
				z = (qq - pp) / (2 * pq);
				t = (z < 0 ? -1 : 1) / (fabs(z) + sqrt(1 + z * z));
				c = 1 / sqrt(1 + t * t);
				s = c * t;
				for (int r = 0; r < k; r++) {
					double x = p[r], y = q[r];

					p[r] = c * x - s * y;
					q[r] = s * x + c * y;
				}
				for (int r = 0; r < k; r++) {
					double x = v[r][i], y = v[r][j];

					v[r][i] = c * x - s * y;
					v[r][j] = s * x + c * y;
				}
			}
		if (done)
			return;
	}
}

/* The first rows of column p [m] take all its length (Householder), and the columns behind it, n of them stride apart, and b
 * are turned with it. */
static void
reflect(double *p, int64_t m, int n, int64_t stride, double *b)
{
	double len = sqrt(dot(p, p, m)), norm;

	len = p[0] > 0 ? -len : len;
	norm = len * (len - p[0]);      /* half the square of the mirror's length */
	if (!(norm > 0))
		return;
	p[0] -= len;
	for (int i = 1; i <= n + 1; i++) {
		double *q = i <= n ? p + i * stride : b, along = dot(p, q, m) / norm;

		for (int64_t r = 0; r < m; r++)
			q[r] -= along * p[r];
	}
	p[0] = len;
}

/* Least squares of the columns a [k] against b [m] by the pseudo-inverse, the
 * columns brought to unit length first.  A QR decomposition leaves k rows for the singular values. */
static void
solve(struct fit *f, int64_t m, double *coef)
{
	double v[MAX_COEF][MAX_COEF], len[MAX_COEF], top = 0, a[MAX_COEF][MAX_COEF] = {0}, b[MAX_COEF] = {0};
	int k = f->n_coef;

	for (int i = 0; i < k; i++) {
		double *c = f->a + i * f->n;

		len[i] = sqrt(dot(c, c, m));
		len[i] = len[i] > 0 ? len[i] : 1;
		for (int64_t r = 0; r < m; r++)
			c[r] /= len[i];
	}
	for (int i = 0; i < k && i < m; i++) {
		reflect(f->a + i * f->n + i, m - i, k - 1 - i, f->n, f->b + i);
		b[i] = f->b[i];
		for (int j = i; j < k; j++)
			a[j][i] = f->a[j * f->n + i];
	}
	rotate_columns(a, k, v);
	for (int j = 0; j < k; j++)
		top = fmax(top, sqrt(dot(a[j], a[j], k)));
	for (int i = 0; i < k; i++) {
		coef[i] = 0;
		for (int j = 0; j < k; j++) {
			double size2 = dot(a[j], a[j], k);

			if (sqrt(size2) > top * 100 * DBL_EPSILON)
				coef[i] += v[i][j] * dot(a[j], b, k) / size2;
		}
		coef[i] /= len[i];
	}
}

/* Value and slope of the local polynomial at a vertex. */
static int
fit_vertex(struct fit *f, struct vertex *v, struct err *e)
{
	double coef[MAX_COEF] = {0}, h;
	int64_t first, last, m = 0;

	h = neighbourhood(f, v->x, &first, &last);
	if (!(h > 0))
		return err_set(e, ERR_NUMERIC, "loess: %lld points share one x; take a larger span",
			(long long)f->near);
	for (int64_t i = first; i <= last; i++) {
		double d = f->p[i].x - v->x, u = fabs(d) / h, w = 1 - u * u * u;

		if (u >= 1)
			continue;
		w = sqrt(w * w * w);
		f->a[m] = w;
		f->a[f->n + m] = w * d;
		if (f->n_coef > 2)
			f->a[2 * f->n + m] = w * d * d;
		f->b[m++] = w * f->p[i].y;
	}
	solve(f, m, coef);
	v->value = coef[0];
	v->slope = coef[1];
	return 0;
}

/* The cubic between two vertices with their values and slopes. */
static double
blend(const struct vertex *a, const struct vertex *b, double x)
{
	double w = b->x - a->x, h = (x - a->x) / w, g = 1 - h;

	return g * g * (1 + 2 * h) * a->value + h * h * (3 - 2 * h) * b->value +
		(h * g * g * a->slope - h * h * g * b->slope) * w;
}

static int
fit_all(struct fit *f, double *fitted, struct err *e)
{
	double lo = f->p[0].x, hi = f->p[f->n - 1].x;
	double pad = 0.005 * fmax(hi - lo, 1e-10 * fmax(fabs(lo), fabs(hi)) + 1e-30);
	int64_t k = 0;

	add_vertex(f, lo - pad);
	cut(f, 0, f->n - 1, lo - pad, hi + pad);
	add_vertex(f, hi + pad);
	for (int64_t i = 0; i < f->n_vertex; i++)
		if (fit_vertex(f, &f->v[i], e))
			return e->code;
	for (int64_t i = 0; i < f->n; i++) {
		while (k + 2 < f->n_vertex && f->p[i].x > f->v[k + 1].x)
			k++;
		fitted[f->p[i].at] = blend(&f->v[k], &f->v[k + 1], f->p[i].x);
	}
	return 0;
}

int
loess_fit(const double *x, const double *y, int64_t n, double span, int degree, double *fitted, struct err *e)
{
	struct fit f = { .n = n, .n_coef = degree + 1 };
	struct point *p;

	if (e->code)
		return e->code;
	BUG_IF(degree < 1 || degree > 2 || !(span > 0 && span <= 1));
	f.near = (int64_t)floor((double)n * span + 1e-5);
	f.leaf = (int64_t)floor((double)n * span * CELL);
	if (f.near <= degree)
		return err_set(e, ERR_NUMERIC, "loess: %lld points are too few for a span of %g", (long long)n, span);
	p = mem_new(struct point, n);
	for (int64_t i = 0; i < n; i++) {
		p[i] = (struct point){ x[i], y[i], i };
		if (!isfinite(x[i]) || !isfinite(y[i]))
			err_set(e, ERR_NUMERIC, "loess: a point is not finite");
	}
	if (!e->code) {
		qsort(p, (size_t)n, sizeof *p, compare);
		f.p = p;
		f.a = mem_new(double, n * f.n_coef);
		f.b = mem_new(double, n);
		fit_all(&f, fitted, e);
		mem_free(f.a);
		mem_free(f.b);
		mem_free(f.v);
	}
	mem_free(p);
	return e->code;
}
