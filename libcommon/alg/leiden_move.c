/* leiden_move - see leiden_impl.h: the order of visits, local moving, refinement */
#include <string.h>
#include "alg/leiden_impl.h"
#include "base/mem.h"

#define EDGE_BLOCK 2048         /* nodes */
/* A move must gain this part of the node's strength, so that rounding cannot move
 * nodes in circles. */
#define LEAST 1e-10
/* On a graph that is not symmetric gains need not add up: stop after so many visits. */
#define VISITS 200
#define AHEAD 4                 /* visits */

static uint64_t
mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9u;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* Radix sort by the upper 32 bits of the mixed key; equal ones by number. */
void
lei_order(const struct lei_graph *g, struct lei_work *w, uint64_t salt)
{
	int64_t n = g->n;
	uint64_t *a = w->order, *b = w->order + n;

	for (int64_t i = 0; i < n; i++) {
		uint64_t key = g->key ? g->key[i] : (uint64_t)i;

		key = mix(key + salt);
		if (g->chunk)
			key = (mix((uint64_t)g->chunk[i] + salt) & 0xffff000000000000u) | key >> 16;
		a[i] = (key & 0xffffffff00000000u) | (uint64_t)i;
	}
	for (int shift = 32; shift < 64; shift += 8) {
		int64_t at[257] = {0};
		uint64_t *t = a;

		for (int64_t i = 0; i < n; i++)
			at[(a[i] >> shift & 255) + 1]++;
		for (int c = 0; c < 256; c++)
			at[c + 1] += at[c];
		for (int64_t i = 0; i < n; i++)
			b[at[a[i] >> shift & 255]++] = a[i];
		a = b;
		b = t;
	}
	/* Four passes: the result is back where it began. */
}

/* Weight of v to each community (or part) among its neighbours: fills w->comm[].acc for
 * w->touched[0..result-1]. */
static int32_t
gather(const struct lei_graph *g, struct lei_work *w, const int32_t *comm, int32_t v)
{
	struct lei_comm *at = w->comm;
	int32_t *touched = w->touched, m = 0;

	for (int64_t t = g->ptr[v]; t < g->ptr[v + 1]; t++) {
		int32_t u = g->col[t], c = comm[u];
		/* Loops and zeros add nothing, and then a community is listed
		 * without harm: no branch that is hard to foresee. */
		float x = u == v ? 0 : lei_weight(g, t);

		touched[m] = c;
		m += (at[c].acc == 0) & (x > 0);
		at[c].acc += x;
	}
	return m;
}

/* The queue tells who comes: memory that is far is asked for some visits ahead.
 * Rows first, then the communities of the neighbours, then what these hold. */
static void
look_ahead(const struct lei_graph *g, const struct lei_work *w, const int32_t *comm, int64_t head, int64_t held)
{
	int64_t n = g->n, at = head + AHEAD < n ? head + AHEAD : head + AHEAD - n;

	if (held <= 3 * AHEAD || n <= 3 * AHEAD)
		return;
	for (int64_t t = g->ptr[w->queue[at]], end = g->ptr[w->queue[at] + 1]; t < end; t++)
		__builtin_prefetch(&w->comm[comm[g->col[t]]]);
	at = at + AHEAD < n ? at + AHEAD : at + AHEAD - n;
	for (int64_t t = g->ptr[w->queue[at]], end = g->ptr[w->queue[at] + 1]; t < end; t++)
		__builtin_prefetch(&comm[g->col[t]]);
	at = at + AHEAD < n ? at + AHEAD : at + AHEAD - n;
	for (int64_t t = g->ptr[w->queue[at]], end = g->ptr[w->queue[at] + 1]; t < end; t += 16) {
		__builtin_prefetch(&g->col[t]);
		__builtin_prefetch(&g->w[t]);
	}
}

/* The community that v, taken out of its own, joins best; *gain is by how much that
 * is better than going back.  An empty community counts as 0. */
static int32_t
best_community(const struct lei_graph *g, struct lei_work *w, int32_t own, int32_t v, int32_t n_touched,
	int32_t empty, double *gain)
{
	double by = g->strength[v] * w->gamma2m;
	double stay = w->comm[own].acc - by * w->comm[own].tot, best = stay + LEAST * g->strength[v];
	int32_t to = own;

	for (int32_t j = 0; j < n_touched; j++) {
		int32_t c = w->touched[j];
		double x = w->comm[c].acc - by * w->comm[c].tot;

		to = x > best ? c : to;
		best = x > best ? x : best;
		w->comm[c].acc = 0;
	}
	if (empty >= 0 && 0 > best) {
		best = 0;
		to = empty;
	}
	*gain = to == own ? 0 : best - stay;
	return to;
}

double
lei_move(const struct lei_graph *g, struct lei_work *w, int32_t *comm)
{
	int64_t n = g->n, head = 0, held = n, visits = 0;
	int32_t n_free = 0;
	double sum = 0;

	memset(w->comm, 0, (size_t)n * sizeof *w->comm);
	memset(w->count, 0, (size_t)n * sizeof *w->count);
	memset(w->waits, 1, (size_t)n);
	for (int64_t i = 0; i < n; i++) {
		w->queue[i] = (int32_t)(uint32_t)w->order[i];
		w->comm[comm[i]].tot += g->strength[i];
		w->count[comm[i]]++;
	}
	for (int64_t c = n - 1; c >= 0; c--)
		if (w->count[c] == 0)
			w->free_id[n_free++] = (int32_t)c;
	while (held > 0 && visits++ < VISITS * n) {
		int32_t v = w->queue[head], own = comm[v], to, m;
		double gain;

		look_ahead(g, w, comm, head, held);
		head = head + 1 < n ? head + 1 : 0;
		held--;
		w->waits[v] = 0;
		m = gather(g, w, comm, v);
		w->comm[own].tot -= g->strength[v];
		to = best_community(g, w, own, v, m, w->count[own] > 1 && n_free ? w->free_id[n_free - 1] : -1, &gain);
		w->comm[to].tot += g->strength[v];
		if (to == own)
			continue;
		sum += gain;
		if (--w->count[own] == 0) {
			w->comm[own].tot = 0;
			w->free_id[n_free++] = own;
		}
		if (w->count[to]++ == 0)
			n_free--;
		comm[v] = to;
		for (int64_t t = g->ptr[v]; t < g->ptr[v + 1]; t++) {
			int32_t u = g->col[t];

			if (w->waits[u] || comm[u] == to)
				continue;
			w->waits[u] = 1;
			w->queue[head + held < n ? head + held : head + held - n] = u;
			held++;
		}
	}
	return sum;
}

struct refine {
	const struct lei_graph *g;
	struct lei_work *w;
	const int32_t *comm;
};

/* Weight of each node to the rest of its community. */
static int
outer_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct refine *a = ctx;

	(void)worker, (void)e;
	for (int64_t v = lo; v < hi; v++) {
		double sum = 0;

		for (int64_t t = a->g->ptr[v]; t < a->g->ptr[v + 1]; t++)
			if (a->comm[a->g->col[t]] == a->comm[v] && a->g->col[t] != v)
				sum += lei_weight(a->g, t);
		a->w->outer[v] = sum;
	}
	return 0;
}

/* The same for the parts of v's own community alone. */
static int32_t
gather_inside(const struct lei_graph *g, struct lei_work *w, const int32_t *comm, int32_t v)
{
	int32_t *touched = w->touched, m = 0, own = comm[v];

	for (int64_t t = g->ptr[v]; t < g->ptr[v + 1]; t++) {
		int32_t u = g->col[t], c = w->part[u];
		int out = (u == v) | (comm[u] != own);
		float x = out ? 0 : lei_weight(g, t);

		touched[m] = c;
		m += (w->comm[c].acc == 0) & (x > 0);
		w->comm[c].acc += x;
	}
	return m;
}

/* Every node that is still alone joins the part of its community that gains most, if
 * both are well connected to the rest of the community: at least what is expected,
 * gamma k (K - k) / 2m.  The best part is taken, not a random one: repeated rounds
 * in new orders give the variety.  w->comm holds the strengths of the parts, w->count
 * their nodes, total those of the communities. */
void
lei_refine(const struct lei_graph *g, struct lei_work *w, const int32_t *comm, struct par *p, struct err *e)
{
	struct refine a = {g, w, comm};
	int64_t n = g->n;
	double *total = mem_new(double, n);

	for (int32_t i = 0; i < n; i++) {
		w->part[i] = i;
		w->comm[i].tot = g->strength[i];
		w->count[i] = 1;
		total[comm[i]] += g->strength[i];
	}
	par_for(p, n, EDGE_BLOCK, outer_block, &a, e);
	for (int64_t i = 0; i < n; i++) {
		int32_t v = (int32_t)(uint32_t)w->order[i], m, to = -1;
		double k = g->strength[v], all = total[comm[v]], best = 0, with = 0;

		if (w->part[v] != v || w->count[v] != 1 || w->outer[v] < w->gamma2m * k * (all - k))
			continue;
		m = gather_inside(g, w, comm, v);
		for (int32_t j = 0; j < m; j++) {
			int32_t c = w->touched[j];
			double gain = w->comm[c].acc - w->gamma2m * k * w->comm[c].tot;

			if ((to < 0 ? gain >= 0 : gain > best) &&
			    w->outer[c] >= w->gamma2m * w->comm[c].tot * (all - w->comm[c].tot)) {
				best = gain;
				to = c;
				with = w->comm[c].acc;
			}
			w->comm[c].acc = 0;
		}
		if (to < 0)
			continue;
		w->part[v] = to;
		w->count[v] = 0;
		w->count[to]++;
		w->comm[to].tot += k;
		w->outer[to] += w->outer[v] - 2 * with;
	}
	mem_free(total);
}
