/* leiden - known graphs, planted partitions, connectivity, threads, errors */
#include "../t.h"

#include "alg/leiden.h"
#include "base/mem.h"
#include "base/rng.h"

/* A graph made edge by edge. */
struct graph {
	int64_t n, m, cap;
	int32_t *a, *b;
	float *v;
	int64_t *ptr;
	int32_t *col;
	float *w;
};

static void
edge(struct graph *g, int32_t a, int32_t b, double v)
{
	if (g->m == g->cap) {
		g->cap = 2 * g->cap + 64;
		g->a = mem_renew(g->a, int32_t, g->cap);
		g->b = mem_renew(g->b, int32_t, g->cap);
		g->v = mem_renew(g->v, float, g->cap);
	}
	g->a[g->m] = a;
	g->b[g->m] = b;
	g->v[g->m++] = (float)v;
}

static void
build(struct graph *g)
{
	int64_t *at = mem_new(int64_t, g->n + 1);

	g->ptr = mem_new(int64_t, g->n + 1);
	g->col = mem_new(int32_t, 2 * g->m);
	g->w = mem_new(float, 2 * g->m);
	for (int64_t t = 0; t < g->m; t++) {
		g->ptr[g->a[t] + 1]++;
		g->ptr[g->b[t] + 1]++;
	}
	for (int64_t i = 0; i < g->n; i++)
		g->ptr[i + 1] += g->ptr[i];
	memcpy(at, g->ptr, (size_t)(g->n + 1) * sizeof *at);
	for (int64_t t = 0; t < g->m; t++) {
		g->col[at[g->a[t]]] = g->b[t];
		g->w[at[g->a[t]]++] = g->v[t];
		g->col[at[g->b[t]]] = g->a[t];
		g->w[at[g->b[t]]++] = g->v[t];
	}
	mem_free(at);
}

static void
clear(struct graph *g)
{
	mem_free(g->a);
	mem_free(g->b);
	mem_free(g->v);
	mem_free(g->ptr);
	mem_free(g->col);
	mem_free(g->w);
	*g = (struct graph){0};
}

static struct leiden_result
run(const struct graph *g, const struct leiden_opt *o, int32_t *label, int threads)
{
	struct leiden_result r;
	struct err e = {0};
	struct par *p = par_new(threads, NULL);

	leiden(g->n, g->ptr, g->col, g->w, NULL, o, label, &r, p, &e);
	if (e.code)
		printf("# %s\n", e.msg);
	par_free(p);
	return r;
}

/* Labels are 0..n_comm-1 by falling size, every community is connected, and the
 * modularity is that of the labels, counted here by pairs of ends. */
static int
sound(const struct graph *g, const struct leiden_opt *o, const int32_t *label, const struct leiden_result *r)
{
	int32_t *piece = mem_new(int32_t, g->n);
	int64_t *size = mem_new(int64_t, g->n + 1);
	double *tot = mem_new(double, g->n), in = 0, all = 0;
	int good = 1;

	for (int64_t t = 0; t < g->m; t++) {
		double v = o->unweighted ? g->v[t] > 0 : g->v[t];

		tot[label[g->a[t]]] += v;
		tot[label[g->b[t]]] += v;
		all += 2 * v;
		in += label[g->a[t]] == label[g->b[t]] ? 2 * v : 0;
	}
	for (int64_t c = 0; c < r->n_comm && all > 0; c++)
		in -= o->resolution * tot[c] * tot[c] / all;
	good &= fabs((all > 0 ? in / all : 0) - r->modularity) < 1e-9;
	for (int64_t i = 0; i < g->n; i++) {
		good &= label[i] >= 0 && label[i] < r->n_comm;
		piece[i] = label[i];
		if (good)
			size[label[i]]++;
	}
	for (int32_t c = 0; c < r->n_comm; c++)
		good &= size[c] > 0 && size[c + 1] <= size[c];
	good &= leiden_components(g->n, g->ptr, g->col, g->w, piece) == r->n_comm;
	good &= !memcmp(piece, label, (size_t)g->n * sizeof *piece);
	mem_free(piece);
	mem_free(size);
	mem_free(tot);
	return good;
}

/* Zachary, J. Anthropol. Res. 33:452 (1977): nodes from 1, pairs. */
static const unsigned char karate[] = {
	2, 1, 3, 1, 3, 2, 4, 1, 4, 2, 4, 3, 5, 1, 6, 1, 7, 1, 7, 5, 7, 6, 8, 1, 8, 2, 8, 3, 8, 4, 9, 1, 9, 3, 10, 3,
	11, 1, 11, 5, 11, 6, 12, 1, 13, 1, 13, 4, 14, 1, 14, 2, 14, 3, 14, 4, 17, 6, 17, 7, 18, 1, 18, 2, 20, 1, 20, 2,
	22, 1, 22, 2, 26, 24, 26, 25, 28, 3, 28, 24, 28, 25, 29, 3, 30, 24, 30, 27, 31, 2, 31, 9, 32, 1, 32, 25, 32, 26,
	32, 29, 33, 3, 33, 9, 33, 15, 33, 16, 33, 19, 33, 21, 33, 23, 33, 24, 33, 30, 33, 31, 33, 32, 34, 9, 34, 10,
	34, 14, 34, 15, 34, 16, 34, 19, 34, 20, 34, 21, 34, 23, 34, 24, 34, 27, 34, 28, 34, 29, 34, 30, 34, 31, 34, 32,
	34, 33
};

static void
karate_club(void)
{
	struct graph g = {.n = 34};
	struct leiden_opt o = LEIDEN_DEFAULT;
	struct leiden_result r;
	int32_t label[34];

	for (size_t t = 0; t < sizeof karate; t += 2)
		edge(&g, karate[t] - 1, karate[t + 1] - 1, 1);
	build(&g);
	is_i64(g.m, 78, "karate club: 78 edges");
	r = run(&g, &o, label, 1);
	near(r.modularity, 0.41978961, 1e-7, "karate club: the best modularity");
	is_i64(r.n_comm, 4, "karate club: four communities");
	ok(sound(&g, &o, label, &r), "karate club: sound");
	o.resolution = 0;
	r = run(&g, &o, label, 1);
	is_i64(r.n_comm, 1, "resolution 0: one community");
	near(r.modularity, 1, 1e-12, "resolution 0: all edges inside");
	o.resolution = 1e6;
	r = run(&g, &o, label, 1);
	ok(r.n_comm == 34 && sound(&g, &o, label, &r), "resolution 1e6: every node alone");
	o = (struct leiden_opt)LEIDEN_DEFAULT;
	o.louvain = 1;
	r = run(&g, &o, label, 1);
	ok(r.modularity > 0.41 && sound(&g, &o, label, &r), "karate club: Louvain");
	clear(&g);
}

static void
small(void)
{
	struct graph g = {.n = 1};
	struct leiden_opt o = LEIDEN_DEFAULT;
	struct leiden_result r;
	int32_t label[200];

	build(&g);
	r = run(&g, &o, label, 1);
	ok(r.n_comm == 1 && label[0] == 0 && r.modularity == 0, "one node");
	clear(&g);
	g.n = 5;
	build(&g);
	r = run(&g, &o, label, 1);
	ok(r.n_comm == 5 && label[0] == 0 && label[4] == 4, "no edges: every node alone, in order");
	clear(&g);
	/* 20 cliques of 5 in a ring; then 3 more apart; a node alone. */
	g.n = 116;
	for (int c = 0; c < 23; c++) {
		for (int i = 0; i < 5; i++)
			for (int j = 0; j < i; j++)
				edge(&g, 5 * c + i, 5 * c + j, 1);
		if (c < 20)
			edge(&g, 5 * c, 5 * ((c + 1) % 20) + 1, 0.5);
	}
	build(&g);
	for (o.louvain = 0; o.louvain < 2; o.louvain++) {
		r = run(&g, &o, label, 1);
		ok(r.n_comm == 24 && sound(&g, &o, label, &r), "ring of cliques: each is one (%s)",
		    o.louvain ? "Louvain" : "Leiden");
		ok(label[0] == 0 && label[5] == 1 && label[114] == 22 && label[115] == 23, "equal sizes by first node");
	}
	o.louvain = 0;
	g.w[0] = -1;
	{
		struct err e = {0};

		leiden(g.n, g.ptr, g.col, g.w, NULL, &o, label, &r, NULL, &e);
		is_i64(e.code, ERR_DATA, "a negative weight is an error");
		e = (struct err){0};
		g.w[0] = 1;
		g.col[3] = 116;
		leiden(g.n, g.ptr, g.col, g.w, NULL, &o, label, &r, NULL, &e);
		is_i64(e.code, ERR_DATA, "a column out of range is an error");
	}
	clear(&g);
}

/* n nodes in groups, about deg edges each, a part mixed of them anywhere. */
static void
planted(struct graph *g, int64_t n, int n_group, int deg, double mixed, uint64_t seed)
{
	struct rng r = rng_make(seed, RNG_TEST, 0);

	*g = (struct graph){.n = n};
	for (int32_t i = 0; i < n; i++)
		for (int j = 0; j < deg / 2; j++) {
			int32_t other = (int32_t)rng_below(&r, (uint32_t)n);

			if (rng_u01(&r) > mixed)
				other = (int32_t)(rng_below(&r, (uint32_t)(n / n_group)) * (uint32_t)n_group) + i % n_group;
			if (other != i)
				edge(g, i, other, 0.25 + rng_u01(&r));
		}
	build(g);
}

static void
large(void)
{
	struct graph g;
	struct leiden_opt o = LEIDEN_DEFAULT;
	struct leiden_result r, s;
	int32_t *label, *again;
	uint64_t *key;
	struct err e = {0};
	int wrong = 0, bad = 0;

	planted(&g, 3000, 10, 20, 0.15, 1);
	label = mem_new(int32_t, 60000);
	again = mem_new(int32_t, 60000);
	key = mem_new(uint64_t, 60000);
	r = run(&g, &o, label, 1);
	for (int i = 10; i < 3000; i++)
		wrong += label[i] != label[i % 10];
	ok(r.n_comm == 10 && wrong == 0 && sound(&g, &o, label, &r), "planted partition: found");
	for (int64_t i = 0; i < 3000; i++)
		key[i] = rng_hash(&i, sizeof i, 5);
	leiden(g.n, g.ptr, g.col, g.w, key, &o, again, &s, NULL, &e);
	near(s.modularity, r.modularity, 1e-9, "planted partition: found with other keys");
	clear(&g);
	planted(&g, 2000, 4, 6, 1, 2);
	for (int seed = 0; seed < 12; seed++) {
		o = (struct leiden_opt){seed % 3 ? 1.0 : 5.0, (uint64_t)seed, seed % 4, 1, seed & 1, seed >> 1 & 1};
		r = run(&g, &o, label, 1);
		bad += !sound(&g, &o, label, &r);
	}
	is_i64(bad, 0, "random graph: every result is sound, also after few rounds");
	o = (struct leiden_opt)LEIDEN_DEFAULT;
	o.max_iter = 1;
	o.n_start = 1;
	r = run(&g, &o, label, 1);
	o.n_start = 8;
	s = run(&g, &o, label, 1);
	ok(s.modularity >= r.modularity, "more starts are not worse");
	clear(&g);
	planted(&g, 60000, 30, 8, 0.3, 3);
	o.n_start = 1;
	o.max_iter = 2;
	r = run(&g, &o, label, 1);
	s = run(&g, &o, again, 4);
	ok(sound(&g, &o, label, &r) && r.modularity > 0.6, "60,000 nodes: sound, modularity %.4f", r.modularity);
	ok(!memcmp(label, again, 60000 * sizeof *label) && r.modularity == s.modularity,
	    "four threads give the bytes of one");
	near(leiden_modularity(g.n, g.ptr, g.col, g.w, label, 1, 0), r.modularity, 0, "modularity of the labels");
	clear(&g);
	mem_free(label);
	mem_free(again);
	mem_free(key);
}

int
main(void)
{
	karate_club();
	small();
	large();
	return done();
}
