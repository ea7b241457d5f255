/* The spectral start of mde: the eigenvectors of the smallest non-zero eigenvalues
 * of the Laplacian L = D - W of the attractive graph.
 *
 * Up to mde_opt.coarse points they come from subspace iteration with a Chebyshev
 * filter (Zhou, Saad, Tiago, Chelikowsky 2006).  More points are first merged
 * with their neighbours, several times if need be, and the smaller problem
 * L v = lambda M v (M: how many points each merged one holds) is solved; its
 * solution is handed back and smoothed by averaging over neighbours.  The start
 * need only have the right shape: the minimisation does the rest. */
#include "alg/mde_impl.h"

#include <math.h>
#include <string.h>
#include "base/mem.h"
#include "base/rng.h"
#include "num/blas.h"

#define EXTRA 6                 /* vectors beyond those wanted */
#define WIDTH_MAX (MDE_DIM_MAX + EXTRA)
#define DEGREE 40               /* of the filter */
#define ROUNDS 25               /* of subspace iteration */
#define TOLERANCE 1e-3          /* residual relative to the eigenvalue */
#define SMOOTH 6               /* averagings a level */
#define LEVELS 12
#define ROWS 512

struct level {
	int64_t n;
	struct mde_adj adj;
	double *mass;           /* [n] points that each node holds */
	double *deg;            /* [n] sum of weights */
	int32_t *parent;        /* [n] node of the next level; NULL on the last */
};

static void
level_clear(struct level *l)
{
	mde_adj_clear(&l->adj);
	mem_free(l->mass);
	mem_free(l->deg);
	mem_free(l->parent);
}

static void
degrees(struct level *l)
{
	l->deg = mem_new(double, l->n);
	for (int64_t i = 0; i < l->n; i++)
		for (int64_t a = l->adj.ptr[i]; a < l->adj.ptr[i + 1]; a++)
			l->deg[i] += l->adj.w ? (double)l->adj.w[a] : 1;
}

/* Numbers the connected parts; part [n].  Returns how many. */
static int
components(const struct mde_adj *a, int64_t n, int32_t *part)
{
	int32_t *stack = mem_raw(int32_t, n), count = 0;

	for (int64_t i = 0; i < n; i++)
		part[i] = -1;
	for (int64_t i = 0; i < n; i++) {
		int64_t top = 0;

		if (part[i] >= 0)
			continue;
		part[i] = count;
		stack[top++] = (int32_t)i;
		while (top) {
			int32_t u = stack[--top];

			for (int64_t s = a->ptr[u]; s < a->ptr[u + 1]; s++)
				if (part[a->at[s]] < 0) {
					part[a->at[s]] = count;
					stack[top++] = a->at[s];
				}
		}
		count++;
	}
	mem_free(stack);
	return count;
}

/* The graph with every part but the largest tied to points of other parts. */
static void
tie_parts(struct mde_adj *adj, const struct mde_edges *g, const int32_t *part, int n_part,
	uint64_t seed, struct err *e)
{
	int64_t n = g->n, m = g->near.ptr[n], to = 0;
	int64_t ties = (2 * m + n - 1) / n, *size = mem_new(int64_t, n_part + 1), *lo;
	int32_t *edge = mem_raw(int32_t, 2 * (m + ties * n_part)), *member = mem_raw(int32_t, n), large = 0;
	float *w = mem_raw(float, m + ties * n_part);
	struct mde_edges t;

	for (int64_t i = 0; i < n; i++) {
		size[part[i] + 1]++;
		for (int64_t s = g->near.ptr[i]; s < g->near.ptr[i + 1]; s++, to++) {
			edge[2 * to] = (int32_t)i;
			edge[2 * to + 1] = g->near.j[s];
			w[to] = g->near.w ? g->near.w[s] : 1;
		}
	}
	for (int32_t c = 0; c < n_part; c++)
		large = size[c + 1] > size[large + 1] ? c : large;
	for (int32_t c = 0; c < n_part; c++)
		size[c + 1] += size[c];
	lo = mem_raw(int64_t, n_part);
	memcpy(lo, size, (size_t)n_part * sizeof *lo);
	for (int64_t i = 0; i < n; i++)
		member[lo[part[i]]++] = (int32_t)i;
	for (int32_t c = 0; c < n_part; c++) {
		struct rng r = rng_make(seed, RNG_MDE_START, UINT64_MAX - (uint64_t)c);
		int64_t own = size[c + 1] - size[c];

		for (int64_t s = 0; c != large && s < ties; s++, to++) {
			/* the first tie goes to the largest part, so that all hang together */
			int64_t v = s == 0 ? size[large] + (int64_t)rng_below64(&r, (uint64_t)(size[large + 1] - size[large]))
			    : (int64_t)rng_below64(&r, (uint64_t)(n - own));

			if (s && v >= size[c])
				v += own;
			edge[2 * to] = member[size[c] + (int64_t)rng_below64(&r, (uint64_t)own)];
			edge[2 * to + 1] = member[v];
			w[to] = 1;
		}
	}
	mde_list(&t, n, to, edge, w, e);
	mem_free(edge);
	mem_free(w);
	mem_free(member);
	mem_free(size);
	mem_free(lo);
	mde_adj_clear(adj);
	if (!e->code)
		mde_adj_make(adj, &t.near, n, NULL);
	mde_edges_clear(&t);
}

/* parent of every node: a node and all its neighbours become one where none of them
 * is taken yet; who is left goes where the strongest pair leads.  Returns the
 * number of new nodes. */
static int64_t
aggregate(struct level *l)
{
	const struct mde_adj *a = &l->adj;
	int64_t n = 0;

	l->parent = mem_raw(int32_t, l->n);
	for (int64_t i = 0; i < l->n; i++)
		l->parent[i] = -1;
	for (int64_t i = 0; i < l->n; i++) {
		int free = l->parent[i] < 0;

		for (int64_t s = a->ptr[i]; s < a->ptr[i + 1] && free; s++)
			free = l->parent[a->at[s]] < 0;
		if (!free)
			continue;
		l->parent[i] = (int32_t)n;
		for (int64_t s = a->ptr[i]; s < a->ptr[i + 1]; s++)
			l->parent[a->at[s]] = (int32_t)n;
		n++;
	}
	for (int64_t i = 0; i < l->n; i++) {
		float best = -1;
		int32_t to = -1;

		if (l->parent[i] >= 0)
			continue;
		for (int64_t s = a->ptr[i]; s < a->ptr[i + 1]; s++) {
			int32_t q = l->parent[a->at[s]];
			float w = a->w ? a->w[s] : 1;

			if (q >= 0 && w > best) {
				best = w;
				to = q;
			}
		}
		l->parent[i] = to >= 0 ? to : (int32_t)n++;
	}
	return n;
}

/* The graph of the merged nodes. */
static void
coarsen(const struct level *l, struct level *c, int64_t n)
{
	int64_t *lo = mem_new(int64_t, n + 2), cap = 1024, to = 0;
	int32_t *member = mem_raw(int32_t, l->n), *slot = mem_raw(int32_t, n);

	memset(c, 0, sizeof *c);
	c->n = n;
	c->mass = mem_new(double, n);
	c->adj.ptr = mem_new(int64_t, n + 1);
	c->adj.at = mem_renew(NULL, int32_t, cap);
	c->adj.w = mem_renew(NULL, float, cap);
	for (int64_t i = 0; i < l->n; i++) {
		lo[l->parent[i] + 2]++;
		c->mass[l->parent[i]] += l->mass ? l->mass[i] : 1;
	}
	for (int64_t q = 0; q < n; q++)
		lo[q + 2] += lo[q + 1];
	for (int64_t i = 0; i < l->n; i++)
		member[lo[l->parent[i] + 1]++] = (int32_t)i;
	for (int64_t q = 0; q < n; q++)
		slot[q] = -1;
	for (int64_t q = 0; q < n; q++) {
		int64_t first = to;

		for (int64_t m = lo[q]; m < lo[q + 1]; m++)
			for (int64_t s = l->adj.ptr[member[m]]; s < l->adj.ptr[member[m] + 1]; s++) {
				int32_t r = l->parent[l->adj.at[s]];

				if (r == q)
					continue;
				if (slot[r] < first) {
					if (to == cap) {
						cap *= 2;
						c->adj.at = mem_renew(c->adj.at, int32_t, cap);
						c->adj.w = mem_renew(c->adj.w, float, cap);
					}
					slot[r] = (int32_t)to;
					c->adj.at[to] = r;
					c->adj.w[to++] = 0;
				}
				c->adj.w[slot[r]] += l->adj.w ? l->adj.w[s] : 1;
			}
		c->adj.ptr[q + 1] = to;
	}
	degrees(c);
	mem_free(lo);
	mem_free(member);
	mem_free(slot);
}

/* Block of vectors v [n][b] and the operator S = M^(-1/2) L M^(-1/2). */
struct eigen {
	const struct level *l;
	double *half;           /* [n] mass^(-1/2) */
	int b;
	const double *in, *before;
	double *out;
	double f, c, g;         /* out = f (S in - c in) - g before */
	struct par *p;
};

static int
apply_rows(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct eigen *s = ctx;
	const struct mde_adj *a = &s->l->adj;
	int b = s->b;

	(void)worker;
	for (int64_t i = lo; i < hi; i++) {
		double sum[WIDTH_MAX] = {0}, own = s->l->deg[i] * s->half[i] * s->half[i] - s->c;

		for (int64_t t = a->ptr[i]; t < a->ptr[i + 1]; t++) {
			const double *x = s->in + (int64_t)a->at[t] * b;
			double w = (a->w ? (double)a->w[t] : 1) * s->half[a->at[t]];

			for (int k = 0; k < b; k++)
				sum[k] += w * x[k];
		}
		for (int k = 0; k < b; k++)
			s->out[i * b + k] = s->f * (own * s->in[i * b + k] - s->half[i] * sum[k]) -
			    (s->before ? s->g * s->before[i * b + k] : 0);
	}
	return e->code;
}

static void
apply(struct eigen *s, const double *in, double *out, double f, double c, double g, const double *before,
	struct err *e)
{
	s->in = in;
	s->out = out;
	s->before = before;
	s->f = f;
	s->c = c;
	s->g = g;
	par_for(s->p, s->l->n, ROWS, apply_rows, s, e);
}

/* Orthonormal columns, orthogonal to the null vector M^(1/2) 1 (Gram-Schmidt,
 * twice). */
static void
orthonormal(const struct eigen *s, double *v)
{
	int64_t n = s->l->n;
	int b = s->b;
	double total = 0;

	for (int64_t i = 0; i < n; i++)
		total += 1 / (s->half[i] * s->half[i]);
	for (int k = 0; k < b; k++)
		for (int again = 0; again < 2; again++) {
			double dot[WIDTH_MAX + 1] = {0}, len = 0;

			for (int64_t i = 0; i < n; i++) {
				for (int q = 0; q < k; q++)
					dot[q] += v[i * b + q] * v[i * b + k];
				dot[b] += v[i * b + k] / s->half[i] / total;
			}
			for (int64_t i = 0; i < n; i++) {
				double t = v[i * b + k] - dot[b] / s->half[i];

				for (int q = 0; q < k; q++)
					t -= dot[q] * v[i * b + q];
				v[i * b + k] = t;
				len += t * t;
			}
			len = len > 0 ? 1 / sqrt(len) : 0;
			for (int64_t i = 0; i < n; i++)
				v[i * b + k] *= len;
		}
}

/* Rayleigh-Ritz: v is turned to the eigenvectors of v'Sv, values rising; sv = S v.
 * Returns the largest residual of the first want, relative to the value. */
static double
ritz(struct eigen *s, double *v, double *sv, int want, double *val, struct err *e)
{
	int64_t n = s->l->n;
	int b = s->b;
	double a[WIDTH_MAX * WIDTH_MAX] = {0}, rot[WIDTH_MAX * WIDTH_MAX], res[WIDTH_MAX] = {0}, most = 0;

	apply(s, v, sv, 1, 0, 0, NULL, e);
	for (int64_t i = 0; i < n; i++)
		for (int q = 0; q < b; q++)
			for (int r = q; r < b; r++)
				a[q * b + r] -= v[i * b + q] * sv[i * b + r];
	if (blas_eigh(b, a, b, val, rot, e))
		return 0;
	for (int q = 0; q < b; q++)
		val[q] = -val[q];
	for (int64_t i = 0; i < n; i++) {
		double x[WIDTH_MAX] = {0}, y[WIDTH_MAX] = {0};

		for (int q = 0; q < b; q++)
			for (int r = 0; r < b; r++) {
				x[q] += rot[q * b + r] * v[i * b + r];
				y[q] += rot[q * b + r] * sv[i * b + r];
			}
		for (int q = 0; q < b; q++) {
			v[i * b + q] = x[q];
			res[q] += (y[q] - val[q] * x[q]) * (y[q] - val[q] * x[q]);
		}
	}
	for (int q = 0; q < want; q++)
		most = fmax(most, sqrt(res[q]) / fmax(val[q], 1e-12));
	return most;
}

/* v = T(S) v with the Chebyshev polynomial that is small on [cut, top]. */
static void
filter(struct eigen *s, double **v, double **t, double **u, double cut, double top, struct err *e)
{
	double half = (top - cut) / 2, mid = (top + cut) / 2, first = half / -mid, now = first, *swap;

	apply(s, *v, *t, now / half, mid, 0, NULL, e);
	for (int i = 2; i <= DEGREE && !e->code; i++) {
		double next = 1 / (2 / first - now);

		apply(s, *t, *u, 2 * next / half, mid, now * next, *v, e);
		swap = *v;
		*v = *t;
		*t = *u;
		*u = swap;
		now = next;
	}
	swap = *v;
	*v = *t;
	*t = swap;
}

/* The dim smallest non-trivial eigenvectors of L v = lambda M v into x [n][dim]. */
static void
smallest(const struct level *l, int dim, uint64_t seed, const uint64_t *key, double *x, struct par *p,
	struct err *e)
{
	int b = dim + EXTRA < l->n - 1 ? dim + EXTRA : (int)(l->n - 1);
	struct eigen s = {.l = l, .b = b, .p = p};
	double *v = mem_new(double, l->n * b), *t = mem_new(double, l->n * b), *u = mem_new(double, l->n * b);
	double val[WIDTH_MAX], top = 0;

	s.half = mem_raw(double, l->n);
	for (int64_t i = 0; i < l->n; i++) {
		struct rng r = rng_make(seed, RNG_MDE_START, key ? key[i] : (uint64_t)i);

		s.half[i] = l->mass ? 1 / sqrt(l->mass[i]) : 1;
		for (int k = 0; k < b; k++)
			v[i * b + k] = rng_normal(&r);
	}
	for (int64_t i = 0; i < l->n; i++) {
		double row = l->deg[i] * s.half[i];

		for (int64_t a = l->adj.ptr[i]; a < l->adj.ptr[i + 1]; a++)
			row += (l->adj.w ? (double)l->adj.w[a] : 1) * s.half[l->adj.at[a]];
		top = fmax(top, row * s.half[i]);
	}
	orthonormal(&s, v);
	for (int it = 0; it < ROUNDS && !e->code; it++) {
		double cut;

		if (ritz(&s, v, t, dim < b ? dim : b, val, e) < TOLERANCE || b == l->n - 1)
			break;
		cut = fmin(val[b - 1], 0.9 * top);
		filter(&s, &v, &t, &u, cut, top * 1.01, e);
		orthonormal(&s, v);
	}
	for (int64_t i = 0; i < l->n; i++)
		for (int q = 0; q < dim; q++)
			x[i * dim + q] = q < b ? v[i * b + q] * s.half[i] : 0;
	mem_free(s.half);
	mem_free(v);
	mem_free(t);
	mem_free(u);
}

struct smooth {
	const struct level *l;
	const double *in;
	double *out;
	int dim;
};

static int
smooth_rows(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct smooth *s = ctx;
	const struct mde_adj *a = &s->l->adj;

	(void)worker;
	for (int64_t i = lo; i < hi; i++)
		for (int q = 0; q < s->dim; q++) {
			double sum = 0, own = s->in[i * s->dim + q];

			for (int64_t t = a->ptr[i]; t < a->ptr[i + 1]; t++)
				sum += (a->w ? (double)a->w[t] : 1) * s->in[(int64_t)a->at[t] * s->dim + q];
			s->out[i * s->dim + q] = s->l->deg[i] > 0 ? (own + 2 * sum / s->l->deg[i]) / 3 : own;
		}
	return e->code;
}

/* x [l->n][dim] from the solution c of the next level. */
static double *
refine(const struct level *l, const double *c, int dim, struct par *p, struct err *e)
{
	double *x = mem_raw(double, l->n * dim), *y = mem_raw(double, l->n * dim), *t;
	struct smooth s = {l, NULL, NULL, dim};

	for (int64_t i = 0; i < l->n; i++)
		memcpy(x + i * dim, c + (int64_t)l->parent[i] * dim, (size_t)dim * sizeof *x);
	for (int it = 0; it < SMOOTH; it++) {
		s.in = x;
		s.out = y;
		par_for(p, l->n, ROWS, smooth_rows, &s, e);
		t = x;
		x = y;
		y = t;
	}
	mem_free(y);
	return x;
}

/* A pair of length 0 pulls in no direction: then everything is shaken a little. */
static void
shake(const struct mde_edges *g, const struct mde_opt *o, float *x)
{
	int zero = 0;

	for (int far = 0; far < 2; far++) {
		const struct mde_pairs *t = far ? &g->far : &g->near;

		for (int64_t i = 0; t->ptr && i < g->n && !zero; i++)
			for (int64_t a = t->ptr[i]; a < t->ptr[i + 1] && !zero; a++)
				zero = memcmp(x + i * o->dim, x + (int64_t)t->j[a] * o->dim,
				    (size_t)o->dim * sizeof *x) == 0;
	}
	for (int64_t i = 0; i < g->n && zero; i++) {
		struct rng r = rng_make(o->seed + 1, RNG_MDE_START, o->key ? o->key[i] : (uint64_t)i);

		for (int q = 0; q < o->dim; q++)
			x[i * o->dim + q] += (float)(1e-4 * rng_normal(&r));
	}
}

int
mde_start(const struct mde_edges *g, const struct mde_opt *o, float *x, int *n_component,
	struct par *p, struct err *e)
{
	struct level level[LEVELS] = {{0}};
	int32_t *part;
	int n_part, last = 0;
	double *v = NULL;

	if (e->code)
		return e->code;
	part = mem_raw(int32_t, g->n);
	level[0].n = g->n;
	mde_adj_make(&level[0].adj, &g->near, g->n, NULL);
	n_part = components(&level[0].adj, g->n, part);
	if (n_component)
		*n_component = n_part;
	if (n_part > 1)
		tie_parts(&level[0].adj, g, part, n_part, o->seed, e);
	mem_free(part);
	if (!e->code)
		degrees(&level[0]);
	while (!e->code && level[last].n > o->coarse && last + 1 < LEVELS) {
		int64_t n = aggregate(&level[last]);

		if (n > level[last].n * 9 / 10 || n <= o->dim + 1) {
			mem_free(level[last].parent);
			level[last].parent = NULL;
			break;
		}
		coarsen(&level[last], &level[last + 1], n);
		last++;
	}
	if (!e->code) {
		v = mem_raw(double, level[last].n * o->dim);
		smallest(&level[last], o->dim, o->seed, last ? NULL : o->key, v, p, e);
	}
	for (int i = last - 1; i >= 0 && !e->code; i--) {
		double *t = refine(&level[i], v, o->dim, p, e);

		mem_free(v);
		v = t;
	}
	for (int i = 0; i <= last; i++)
		level_clear(&level[i]);
	for (int64_t i = 0; i < g->n * o->dim && !e->code; i++)
		x[i] = (float)(v[i] * sqrt((double)g->n));
	mem_free(v);
	if (e->code || mde_standardise(x, g->n, o->dim, p, e))
		return e->code;
	shake(g, o, x);
	return mde_standardise(x, g->n, o->dim, p, e);
}
