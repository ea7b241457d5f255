/* leiden_graph - see leiden_impl.h: from one level to the next */
#include <string.h>
#include "alg/leiden_impl.h"
#include "base/mem.h"

#define CHUNK 1024              /* nodes, about what a second-level cache serves */
#define PART_BLOCK 256          /* rows of the new graph */

int32_t
lei_compact(int32_t *label, int64_t n, int32_t *map)
{
	int32_t m = 0;

	memset(map, 0xff, (size_t)n * sizeof *map);
	for (int64_t i = 0; i < n; i++) {
		if (map[label[i]] < 0)
			map[label[i]] = m++;
		label[i] = map[label[i]];
	}
	return m;
}

/* Breadth first from a node until the chunk is full; the next chunk begins beside it.
 * done [n] lists the nodes in this order, chunk [n] is the chunk of each. */
static void
chunks(const struct lei_graph *g, int32_t *chunk, int32_t *done)
{
	int64_t n = g->n, n_done = 0, next = 0;
	int32_t n_chunk = 0, seed = 0;

	memset(chunk, 0xff, (size_t)n * sizeof *chunk);
	for (; n_done < n; n_chunk++) {
		int64_t head = n_done, full = n_done + CHUNK;

		for (; seed < 0; next++)
			if (chunk[next] < 0)
				seed = (int32_t)next;
		chunk[seed] = n_chunk;
		done[n_done++] = seed;
		for (seed = -1; head < n_done && seed < 0; head++)
			for (int64_t t = g->ptr[done[head]]; t < g->ptr[done[head] + 1]; t++) {
				int32_t u = g->col[t];

				if (chunk[u] >= 0)
					continue;
				if (n_done == full) {
					seed = u;
					break;
				}
				chunk[u] = n_chunk;
				done[n_done++] = u;
			}
	}
}

struct renumber {
	const struct lei_graph *g;
	struct lei_graph *out;
	const int32_t *done, *rank;
};

static int
renumber_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct renumber *a = ctx;

	(void)worker, (void)e;
	for (int64_t i = lo; i < hi; i++) {
		int64_t at = a->out->ptr[i], from = a->g->ptr[a->done[i]], m = a->out->ptr[i + 1] - at;

		for (int64_t t = 0; t < m; t++) {
			a->out->col[at + t] = a->rank[a->g->col[from + t]];
			a->out->w[at + t] = lei_weight(a->g, from + t);
		}
	}
	return 0;
}

void
lei_renumber(const struct lei_graph *g, struct lei_graph *out, int32_t *rank, struct par *p, struct err *e)
{
	int64_t n = g->n;
	int32_t *done = mem_raw(int32_t, n);
	struct renumber a = {g, out, done, rank};

	*out = (struct lei_graph){.n = g->n};
	out->ptr = mem_new(int64_t, n + 1);
	out->col = mem_raw(int32_t, g->ptr[n]);
	out->w = mem_raw(float, g->ptr[n]);
	out->strength = mem_raw(double, n);
	out->key = mem_raw(uint64_t, n);
	out->chunk = mem_raw(int32_t, n);
	chunks(g, rank, done);
	for (int64_t i = 0; i < n; i++) {
		int32_t v = done[i];

		out->chunk[i] = rank[v];
		out->strength[i] = g->strength[v];
		out->key[i] = g->key ? g->key[v] : (uint64_t)v;
		out->ptr[i + 1] = out->ptr[i] + g->ptr[v + 1] - g->ptr[v];
	}
	for (int64_t i = 0; i < n; i++)
		rank[done[i]] = (int32_t)i;
	par_for(p, n, PART_BLOCK, renumber_block, &a, e);
	mem_free(done);
}

struct coarsen {
	const struct lei_graph *g;
	struct lei_work *w;
	struct lei_graph *out;
};

/* Weights between part c and others, in w->row_acc[worker] for the parts listed in
 * w->row_touched[worker]; returns their number. */
static int32_t
gather_part(const struct coarsen *a, int32_t c, int worker)
{
	const struct lei_graph *g = a->g;
	const int32_t *part = a->w->part, *member = a->w->member;
	double *acc = a->w->row_acc[worker];
	int32_t *touched = a->w->row_touched[worker], m = 0;

	for (int32_t s = a->w->first[c]; s < a->w->first[c + 1]; s++)
		for (int64_t t = g->ptr[member[s]]; t < g->ptr[member[s] + 1]; t++) {
			int32_t u = part[g->col[t]];
			float x = lei_weight(g, t);

			if (u == c || !(x > 0))
				continue;
			if (acc[u] == 0)
				touched[m++] = u;
			acc[u] += x;
		}
	return m;
}

static int
count_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct coarsen *a = ctx;

	(void)e;
	for (int64_t c = lo; c < hi; c++) {
		int32_t m = gather_part(a, (int32_t)c, worker);

		a->out->ptr[c + 1] = m;
		for (int32_t j = 0; j < m; j++)
			a->w->row_acc[worker][a->w->row_touched[worker][j]] = 0;
	}
	return 0;
}

static int
fill_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct coarsen *a = ctx;

	(void)e;
	for (int64_t c = lo; c < hi; c++) {
		int32_t m = gather_part(a, (int32_t)c, worker), *touched = a->w->row_touched[worker];
		int64_t at = a->out->ptr[c];

		for (int32_t j = 0; j < m; j++) {
			a->out->col[at + j] = touched[j];
			a->out->w[at + j] = (float)a->w->row_acc[worker][touched[j]];
			a->w->row_acc[worker][touched[j]] = 0;
		}
	}
	return 0;
}

/* Counting sort of the nodes by part. */
static void
sort_members(const struct lei_graph *g, struct lei_work *w, int32_t n_part)
{
	memset(w->first, 0, ((size_t)n_part + 1) * sizeof *w->first);
	for (int32_t i = 0; i < g->n; i++)
		w->first[w->part[i] + 1]++;
	for (int32_t c = 0; c < n_part; c++)
		w->first[c + 1] += w->first[c];
	for (int32_t i = 0; i < g->n; i++)
		w->member[w->first[w->part[i]]++] = i;
	for (int32_t c = n_part; c > 0; c--)
		w->first[c] = w->first[c - 1];
	w->first[0] = 0;
}

void
lei_coarsen(const struct lei_graph *g, struct lei_work *w, int32_t n_part,
	struct lei_graph *out, struct par *p, struct err *e)
{
	struct coarsen a = {g, w, out};

	sort_members(g, w, n_part);
	*out = (struct lei_graph){.n = n_part};
	out->ptr = mem_new(int64_t, (int64_t)n_part + 1);
	out->strength = mem_new(double, n_part);
	out->key = mem_raw(uint64_t, n_part);
	out->chunk = g->chunk ? mem_raw(int32_t, n_part) : NULL;
	memset(out->key, 0xff, (size_t)n_part * sizeof *out->key);
	for (int32_t i = 0; i < g->n; i++) {
		uint64_t key = g->key ? g->key[i] : (uint64_t)i;
		int32_t c = w->part[i];

		out->strength[c] += g->strength[i];
		if (key < out->key[c])
			out->key[c] = key;
		if (g->chunk)
			out->chunk[c] = g->chunk[i];
	}
	for (int t = 0; t < par_n(p); t++) {
		w->row_acc[t] = mem_new(double, n_part);
		w->row_touched[t] = mem_raw(int32_t, n_part);
	}
	par_for(p, n_part, PART_BLOCK, count_block, &a, e);
	for (int32_t c = 0; c < n_part; c++)
		out->ptr[c + 1] += out->ptr[c];
	out->col = mem_raw(int32_t, out->ptr[n_part]);
	out->w = mem_raw(float, out->ptr[n_part]);
	par_for(p, n_part, PART_BLOCK, fill_block, &a, e);
	for (int t = 0; t < par_n(p); t++) {
		mem_free(w->row_acc[t]);
		mem_free(w->row_touched[t]);
	}
}

void
lei_graph_clear(struct lei_graph *g)
{
	mem_free(g->ptr);
	mem_free(g->col);
	mem_free(g->w);
	mem_free(g->strength);
	mem_free(g->key);
	mem_free(g->chunk);
	*g = (struct lei_graph){0};
}
