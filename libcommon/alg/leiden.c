/* leiden - see leiden.h: levels, rounds, starts, and the numbering of the result */
#include "alg/leiden.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "alg/leiden_impl.h"
#include "base/mem.h"
#include "base/rng.h"

#define EDGE_BLOCK 2048         /* nodes */
/* A round that raises Q by less ends a start. */
#define ENOUGH 1e-5
/* From so many nodes on, the order of visits minds the caches. */
#define LARGE 30000
#define MAX_ITER 100            /* when there is no limit */

struct check {
	const struct lei_graph *g;
	double *strength;
};

static int
check_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct check *a = ctx;
	const struct lei_graph *g = a->g;

	(void)worker;
	for (int64_t i = lo; i < hi; i++) {
		double sum = 0;

		if (g->ptr[i + 1] < g->ptr[i])
			return err_set(e, ERR_DATA, "graph: row %lld ends before it begins", (long long)i);
		for (int64_t t = g->ptr[i]; t < g->ptr[i + 1]; t++) {
			if (g->col[t] < 0 || g->col[t] >= g->n)
				return err_set(e, ERR_DATA, "graph: row %lld has an edge to row %d of %d",
				    (long long)i, (int)g->col[t], (int)g->n);
			if (!(g->w[t] >= 0) || !isfinite(g->w[t]))
				return err_set(e, ERR_DATA, "graph: the edge from row %lld to %d has weight %g; "
				    "wanted are finite weights of at least 0", (long long)i, (int)g->col[t], g->w[t]);
			sum += lei_weight(g, t);
		}
		a->strength[i] = sum;
	}
	return 0;
}

static void
work_init(struct lei_work *w, int64_t n, int n_worker)
{
	w->comm = mem_new(struct lei_comm, n);
	w->touched = mem_raw(int32_t, n + 1);
	w->outer = mem_raw(double, n);
	w->count = mem_raw(int32_t, n);
	w->queue = mem_raw(int32_t, n);
	w->free_id = mem_raw(int32_t, n);
	w->waits = mem_raw(unsigned char, n);
	w->order = mem_raw(uint64_t, 2 * n);
	w->part = mem_raw(int32_t, n);
	w->member = mem_raw(int32_t, n);
	w->first = mem_raw(int32_t, n + 1);
	w->row_acc = mem_new(double *, n_worker);
	w->row_touched = mem_new(int32_t *, n_worker);
}

static void
work_clear(struct lei_work *w)
{
	mem_free(w->comm);
	mem_free(w->touched);
	mem_free(w->outer);
	mem_free(w->count);
	mem_free(w->queue);
	mem_free(w->free_id);
	mem_free(w->waits);
	mem_free(w->order);
	mem_free(w->part);
	mem_free(w->member);
	mem_free(w->first);
	mem_free(w->row_acc);
	mem_free(w->row_touched);
}

/* One round: from the partition in label [n] through all levels and back to label.
 * Returns the gain of Q times m. */
static double
round_once(const struct lei_graph *base, struct lei_work *w, struct rng *r, int louvain,
	int32_t *label, struct par *p, struct err *e)
{
	int64_t n = base->n;
	int32_t *comm = mem_raw(int32_t, n), *where = mem_raw(int32_t, n), *next;
	struct lei_graph g = *base, up;
	double gain = 0;
	int32_t n_comm, n_part;

	memcpy(comm, label, (size_t)n * sizeof *comm);
	for (int32_t i = 0; i < n; i++)
		where[i] = i;
	for (int level = 0; !e->code; level++) {
		lei_order(&g, w, rng_u64(r));
		gain += lei_move(&g, w, comm);
		n_comm = lei_compact(comm, g.n, w->first);
		if (n_comm == g.n)
			break;
		if (louvain)
			memcpy(w->part, comm, (size_t)g.n * sizeof *comm);
		else
			lei_refine(&g, w, comm, p, e);
		n_part = lei_compact(w->part, g.n, w->first);
		if (n_part == g.n)
			break;
		lei_coarsen(&g, w, n_part, &up, p, e);
		next = mem_raw(int32_t, n_part);
		for (int32_t i = 0; i < g.n; i++)
			next[w->part[i]] = comm[i];
		for (int64_t i = 0; i < n; i++)
			where[i] = w->part[where[i]];
		mem_free(comm);
		comm = next;
		if (level)
			lei_graph_clear(&g);
		g = up;
	}
	for (int64_t i = 0; i < n; i++)
		label[i] = comm[where[i]];
	if (g.ptr != base->ptr)
		lei_graph_clear(&g);
	mem_free(comm);
	mem_free(where);
	return gain;
}

struct size {
	int64_t n;
	int32_t first, id;
};

static int
size_cmp(const void *a, const void *b)
{
	const struct size *x = a, *y = b;

	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	return (x->first > y->first) - (x->first < y->first);
}

int32_t
leiden_components(int64_t n, const int64_t *ptr, const int32_t *col, const float *w, int32_t *label)
{
	int32_t *piece = mem_raw(int32_t, n), *stack = mem_raw(int32_t, n), n_piece = 0, *rank;
	struct size *size;

	memset(piece, 0xff, (size_t)n * sizeof *piece);
	for (int64_t i = 0; i < n; i++) {
		int64_t held = 0;

		if (piece[i] >= 0)
			continue;
		piece[i] = n_piece;
		stack[held++] = (int32_t)i;
		while (held > 0) {
			int32_t v = stack[--held];

			for (int64_t t = ptr[v]; t < ptr[v + 1]; t++) {
				int32_t u = col[t];

				if (piece[u] < 0 && label[u] == label[v] && w[t] > 0) {
					piece[u] = n_piece;
					stack[held++] = u;
				}
			}
		}
		n_piece++;
	}
	mem_free(stack);
	size = mem_new(struct size, n_piece);
	for (int64_t i = n - 1; i >= 0; i--) {
		struct size *s = &size[piece[i]];

		*s = (struct size){s->n + 1, (int32_t)i, piece[i]};
	}
	qsort(size, (size_t)n_piece, sizeof *size, size_cmp);
	rank = mem_raw(int32_t, n_piece);
	for (int32_t c = 0; c < n_piece; c++)
		rank[size[c].id] = c;
	for (int64_t i = 0; i < n; i++)
		label[i] = rank[piece[i]];
	mem_free(piece);
	mem_free(size);
	mem_free(rank);
	return n_piece;
}

double
leiden_modularity(int64_t n, const int64_t *ptr, const int32_t *col, const float *w,
	const int32_t *label, double resolution, int unweighted)
{
	double *tot = mem_new(double, n), in = 0, all = 0, square = 0;

	for (int64_t i = 0; i < n; i++) {
		double k = 0, inner = 0;

		for (int64_t t = ptr[i]; t < ptr[i + 1]; t++) {
			double x = unweighted ? w[t] > 0 : w[t];

			k += x;
			if (label[col[t]] == label[i])
				inner += x;
		}
		tot[label[i]] += k;
		in += inner;
		all += k;
	}
	for (int64_t c = 0; c < n && all > 0; c++)
		square += tot[c] / all * (tot[c] / all);
	mem_free(tot);
	return all > 0 ? in / all - resolution * square : 0;
}

/* label [n] by the numbers of the caller's nodes; space [n]. */
static void
number_back(int32_t *label, const int32_t *rank, int64_t n, int32_t *space)
{
	memcpy(space, label, (size_t)n * sizeof *space);
	for (int64_t i = 0; i < n; i++)
		label[i] = space[rank[i]];
}

/* Starts by the number of stored edges: where they cost little, the best of several is
 * above what one start reaches by luck. */
static int
starts_for(int64_t nnz)
{
	return nnz < 400000 ? 6 : nnz < 2000000 ? 3 : 1;
}

/* One start into label; returns its number of rounds.  Moving a node away may cut a
 * community in two; its pieces are better apart, and a further round looks whether
 * they are better with others. */
static int
start_once(const struct lei_graph *g, struct lei_work *w, const struct leiden_opt *o, int start, double m2,
	int32_t *label, struct par *p, struct err *e)
{
	struct rng r = rng_make(o->seed, RNG_LEIDEN, (uint64_t)start);
	int limit = o->max_iter > 0 ? o->max_iter : MAX_ITER, n_iter = 0;

	for (int32_t i = 0; i < g->n; i++)
		label[i] = i;
	while (n_iter < limit && !e->code) {
		double gain = round_once(g, w, &r, o->louvain, label, p, e);

		n_iter++;
		if (2 * gain <= ENOUGH * m2) {
			int32_t before = lei_compact(label, g->n, w->first);

			if (leiden_components(g->n, g->ptr, g->col, g->w, label) == before)
				break;
		}
	}
	return n_iter;
}

int
leiden(int64_t n, const int64_t *ptr, const int32_t *col, const float *w, const uint64_t *key,
	const struct leiden_opt *o, int32_t *label, struct leiden_result *r, struct par *p, struct err *e)
{
	/* The first level's arrays are the caller's and only read. */
	struct lei_graph g = {(int32_t)n, (int64_t *)ptr, (int32_t *)col, (float *)w, o->unweighted, NULL,
	    (uint64_t *)key, NULL};
	struct check a = {&g, NULL};
	struct lei_graph near = {0};    /* g renumbered, when it is large */
	struct lei_work work = {0};
	int32_t *try = NULL, *rank = NULL;
	double m2 = 0;
	int n_start = o->n_start;

	*r = (struct leiden_result){0, 0, -INFINITY};
	if (e->code)
		return e->code;
	if (n < 1 || n > INT32_MAX - 1)
		return err_set(e, ERR_USAGE, "graph: %lld rows; at least one is needed", (long long)n);
	if (!(o->resolution >= 0) || !isfinite(o->resolution))
		return err_set(e, ERR_USAGE, "resolution %g: wanted is a number of at least 0", o->resolution);
	g.strength = a.strength = mem_new(double, n);
	par_for(p, n, EDGE_BLOCK, check_block, &a, e);
	for (int64_t i = 0; i < n; i++)
		m2 += g.strength[i];
	if (!e->code) {
		work_init(&work, n, par_n(p));
		try = mem_raw(int32_t, n);
		if (n >= LARGE) {
			rank = mem_raw(int32_t, n);
			lei_renumber(&g, &near, rank, p, e);
		}
	}
	if (n_start <= 0)
		n_start = e->code ? 0 : starts_for(ptr[n]);
	work.gamma2m = m2 > 0 ? o->resolution / m2 : 0;
	for (int s = 0; s < n_start && !e->code; s++) {
		int32_t n_comm;
		int n_iter = start_once(rank ? &near : &g, &work, o, s, m2, try, p, e);
		double q;

		if (rank)
			number_back(try, rank, n, work.part);
		n_comm = leiden_components(n, ptr, col, w, try);
		q = leiden_modularity(n, ptr, col, w, try, o->resolution, o->unweighted);
		if (q > r->modularity) {
			*r = (struct leiden_result){n_comm, n_iter, q};
			memcpy(label, try, (size_t)n * sizeof *label);
		}
	}
	work_clear(&work);
	mem_free(try);
	mem_free(g.strength);
	lei_graph_clear(&near);
	mem_free(rank);
	return e->code;
}

int64_t
leiden_bytes(int64_t n, int64_t nnz, int n_worker)
{
	/* A node: 69 of work, 68 of labels, maps and the renumbered graph, 21 of the
	 * levels above.  An edge: 8 renumbered, 12 in two levels above, of which the
	 * first keeps less than all and the second half of these. */
	return n * 160 + nnz * 20 + n * 12 * (int64_t)n_worker + 65536;
}
