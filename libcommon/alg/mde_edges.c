/* The pairs of mde: neighbours, lists, random others. */
#include "alg/mde.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/rng.h"

#define DRAW 65536              /* pairs drawn from one stream */

struct entry {
	int32_t j;
	float w;
};

static int
entry_cmp(const void *a, const void *b)
{
	const struct entry *p = a, *q = b;

	return p->j < q->j ? -1 : p->j > q->j;
}

static int
int_cmp(const void *a, const void *b)
{
	int32_t p = *(const int32_t *)a, q = *(const int32_t *)b;

	return p < q ? -1 : p > q;
}

static void
pairs_clear(struct mde_pairs *t)
{
	mem_free(t->ptr);
	mem_free(t->j);
	mem_free(t->w);
	memset(t, 0, sizeof *t);
}

void
mde_edges_clear(struct mde_edges *g)
{
	pairs_clear(&g->near);
	pairs_clear(&g->far);
	g->n = 0;
}

/* Sorts each row of raw entries (row i: raw[ptr[i]..ptr[i+1]-1]), adds up equal
 * ones and moves all into t. */
static void
merge_rows(struct mde_pairs *t, int64_t n, int64_t *ptr, struct entry *raw)
{
	int64_t to = 0, lo = 0;

	for (int64_t i = 0; i < n; i++) {
		int64_t hi = ptr[i + 1], first = to;

		qsort(raw + lo, (size_t)(hi - lo), sizeof *raw, entry_cmp);
		for (int64_t a = lo; a < hi; a++)
			if (to > first && raw[to - 1].j == raw[a].j)
				raw[to - 1].w += raw[a].w;
			else
				raw[to++] = raw[a];
		lo = hi;
		ptr[i + 1] = to;
	}
	t->ptr = ptr;
	t->j = mem_raw(int32_t, to);
	t->w = mem_raw(float, to);
	for (int64_t a = 0; a < to; a++) {
		t->j[a] = raw[a].j;
		t->w[a] = raw[a].w;
	}
}

/* Pairs of a list, or of neighbour lists when edge is NULL, whose weight has the
 * given sign. */
static void
collect(struct mde_pairs *t, int64_t n, int64_t m, const int32_t *edge, const float *weight,
	const int32_t *idx, int k, int sign)
{
	int64_t *ptr = mem_new(int64_t, n + 2);
	struct entry *raw = NULL;

	for (int pass = 0; pass < 2; pass++) {
		for (int64_t a = 0; a < m; a++) {
			int32_t u = edge ? edge[2 * a] : (int32_t)(a / k), v = edge ? edge[2 * a + 1] : idx[a];
			float w = weight ? weight[a] * (float)sign : 1;

			if (u == v || v < 0 || !(w > 0))
				continue;
			if (u > v) {
				int32_t s = u;

				u = v;
				v = s;
			}
			if (pass)
				raw[ptr[u + 1]++] = (struct entry){v, w};
			else
				ptr[u + 2]++;
		}
		if (pass)
			break;
		for (int64_t i = 0; i < n; i++)
			ptr[i + 2] += ptr[i + 1];
		raw = mem_raw(struct entry, ptr[n + 1]);
	}
	merge_rows(t, n, ptr, raw);
	mem_free(raw);
}

static int
check_size(int64_t n, struct err *e)
{
	if (n < 2 || n >= INT32_MAX)
		return err_set(e, ERR_DATA, "layout: %lld points; it needs 2 to 2147483646", (long long)n);
	return e->code;
}

int
mde_neighbours(struct mde_edges *g, const int32_t *idx, int64_t n, int k, struct err *e)
{
	memset(g, 0, sizeof *g);
	if (e->code || check_size(n, e))
		return e->code;
	for (int64_t a = 0; a < n * k; a++)
		if (idx[a] >= n)
			return err_set(e, ERR_DATA, "layout: neighbour %d of point %lld is not a point",
			    idx[a], (long long)(a / k));
	g->n = n;
	collect(&g->near, n, n * k, NULL, NULL, idx, k, 1);
	return e->code;
}

int
mde_list(struct mde_edges *g, int64_t n, int64_t m, const int32_t *edge, const float *weight,
	struct err *e)
{
	memset(g, 0, sizeof *g);
	if (e->code || check_size(n, e))
		return e->code;
	for (int64_t a = 0; a < 2 * m; a++)
		if (edge[a] < 0 || edge[a] >= n || !isfinite(weight[a / 2]))
			return err_set(e, ERR_DATA, "layout: pair %lld has no such point or no finite weight",
			    (long long)(a / 2));
	g->n = n;
	collect(&g->near, n, m, edge, weight, NULL, 1, 1);
	collect(&g->far, n, m, edge, weight, NULL, 1, -1);
	return e->code;
}

static int
is_near(const struct mde_edges *g, int32_t i, int32_t j)
{
	int64_t lo = g->near.ptr[i], hi = g->near.ptr[i + 1];

	while (lo < hi) {
		int64_t mid = (lo + hi) / 2;

		if (g->near.j[mid] < j)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < g->near.ptr[i + 1] && g->near.j[lo] == j;
}

struct draw {
	const struct mde_edges *g;
	uint64_t seed, round;
	int32_t *i, *j;         /* drawn pairs, i < j */
};

static int
draw_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct draw *d = ctx;
	struct rng r = rng_make(d->seed, RNG_MDE_EDGE, d->round << 40 | (uint64_t)(lo / DRAW));
	uint32_t n = (uint32_t)d->g->n;

	(void)worker;
	for (int64_t a = lo; a < hi; a++) {
		int32_t u, v;

		do {
			u = (int32_t)rng_below(&r, n);
			v = (int32_t)rng_below(&r, n);
		} while (u == v);
		d->i[a] = u < v ? u : v;
		d->j[a] = u < v ? v : u;
	}
	return e->code;
}

/* Adds m drawn pairs to t, without copies. */
static void
add_drawn(int64_t n, struct mde_pairs *t, const struct draw *d, int64_t m)
{
	int64_t *ptr = mem_new(int64_t, n + 2), to = 0, lo = 0;
	int32_t *j = mem_raw(int32_t, t->ptr[n] + m);

	for (int64_t i = 0; i < n; i++)
		ptr[i + 2] = t->ptr[i + 1] - t->ptr[i];
	for (int64_t a = 0; a < m; a++)
		ptr[d->i[a] + 2]++;
	for (int64_t i = 0; i < n; i++)
		ptr[i + 2] += ptr[i + 1];
	for (int64_t i = 0; i < n; i++)
		for (int64_t a = t->ptr[i]; a < t->ptr[i + 1]; a++)
			j[ptr[i + 1]++] = t->j[a];
	for (int64_t a = 0; a < m; a++)
		j[ptr[d->i[a] + 1]++] = d->j[a];
	for (int64_t i = 0; i < n; i++) {
		int64_t hi = ptr[i + 1], first = to;

		qsort(j + lo, (size_t)(hi - lo), sizeof *j, int_cmp);
		for (int64_t a = lo; a < hi; a++)
			if (to == first || j[to - 1] != j[a])
				j[to++] = j[a];
		lo = hi;
		ptr[i + 1] = to;
	}
	mem_free(t->ptr);
	mem_free(t->j);
	t->ptr = ptr;
	t->j = j;
}

/* Leaves out the pairs of far that are neighbours. */
static void
drop_near(struct mde_edges *g)
{
	struct mde_pairs *t = &g->far;
	int64_t to = 0, lo = 0;

	for (int64_t i = 0; i < g->n; i++) {
		int64_t hi = t->ptr[i + 1];

		for (int64_t a = lo; a < hi; a++)
			if (!is_near(g, (int32_t)i, t->j[a]))
				t->j[to++] = t->j[a];
		lo = hi;
		t->ptr[i + 1] = to;
	}
}

/* Few points: m of all pairs that are not neighbours. */
static void
repel_listed(struct mde_edges *g, int64_t m, uint64_t seed)
{
	struct rng r = rng_make(seed, RNG_MDE_EDGE, UINT64_MAX);
	int64_t n = g->n, left = n * (n - 1) / 2 - g->near.ptr[n], to = 0;

	g->far.ptr = mem_new(int64_t, n + 1);
	g->far.j = mem_raw(int32_t, m);
	for (int64_t i = 0; i < n; i++) {
		for (int64_t j = i + 1; j < n; j++) {
			if (is_near(g, (int32_t)i, (int32_t)j))
				continue;
			/* m - to of the left pairs are still to be taken (Knuth's algorithm S) */
			if (rng_u01(&r) * (double)left < (double)(m - to))
				g->far.j[to++] = (int32_t)j;
			left--;
		}
		g->far.ptr[i + 1] = to;
	}
}

int
mde_repel(struct mde_edges *g, double fraction, uint64_t seed, struct par *p, struct err *e)
{
	int64_t n = g->n, near, all, m;

	if (e->code)
		return e->code;
	near = g->near.ptr[n];
	all = n * (n - 1) / 2;
	m = (int64_t)(fraction * (double)near);
	m = m < all - near ? m : all - near;
	pairs_clear(&g->far);
	if (near >= all / 5 || m > all / 4) {
		repel_listed(g, m, seed);
		return e->code;
	}
	g->far.ptr = mem_new(int64_t, n + 1);
	g->far.j = mem_raw(int32_t, 1);
	/* What copies take away is drawn again. */
	for (uint64_t round = 0; g->far.ptr[n] < m && !e->code; round++) {
		int64_t need = m - g->far.ptr[n];
		struct draw d = {g, seed, round, mem_raw(int32_t, need), mem_raw(int32_t, need)};

		par_for(p, need, DRAW, draw_block, &d, e);
		add_drawn(n, &g->far, &d, need);
		mem_free(d.i);
		mem_free(d.j);
	}
	drop_near(g);
	return e->code;
}
