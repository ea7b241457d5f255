/* fuzzy - membership strengths: a case by hand, properties, threads */
#include "../t.h"

#include "alg/fuzzy.h"
#include "base/mem.h"
#include "base/rng.h"

/* With two neighbours at distances 1 and 1 + t the target is log2(3): the second has
 * exp(-t / sigma) = log2(3) - 1. */
static void
by_hand(void)
{
	int32_t idx[] = {1, 2, 0, 2, 1, 0};
	double dist[] = {1, 3, 1, 2, 2, 3}, a = log2(3) - 1;
	struct fuzzy g = {0};
	struct err e = {0};
	float w[3];

	fuzzy_graph(&g, idx, dist, 3, 2, 2, NULL, &e);
	is_i64(e.code, 0, "three rows: no error");
	is_i64(g.ptr[3], 6, "three rows: three edges, each twice");
	is_i64(g.col[0] * 100000 + g.col[1] * 10000 + g.col[2] * 1000 + g.col[3] * 100 + g.col[4] * 10 + g.col[5],
	    120201, "three rows: columns rise, no loops");
	near(g.w[0], 1, 1e-5, "nearest of both: 1");
	near(g.w[1], a + a - a * a, 2e-5, "farther of both: the union");
	near(g.w[3], 1, 1e-5, "nearest of one: 1");
	fuzzy_clear(&g);
	fuzzy_row((double[]){0, 0, 0}, 3, 0.5, w);
	ok(w[0] == 1 && w[2] == 1, "duplicates only: all 1");
	fuzzy_row((double[]){2, 2, 2}, 3, 0.5, w);
	ok(w[0] == 1 && w[2] == 1, "equal distances: all 1");
	fuzzy_row((double[]){0, 1, 2}, 3, 0.5, w);
	ok(w[0] == 1 && w[1] == 1 && w[2] < 1e-3, "two at 1 reach the target of 2: the rest is next to 0");
}

/* k nearest on a line of random points, by brute force. */
static void
line(int n, int k, int32_t *idx, double *dist)
{
	struct rng r = rng_make(4, RNG_TEST, 0);
	double *x = mem_new(double, n);

	for (int i = 0; i < n; i++)
		x[i] = i && i % 20 == 0 ? x[i - 1] : rng_u01(&r);
	for (int i = 0; i < n; i++)
		for (int j = 0, m = 0; j < n; j++) {
			double d = fabs(x[i] - x[j]);
			int at = m;

			if (j == i || (m == k && d >= dist[i * k + k - 1]))
				continue;
			if (m < k)
				m++;
			else
				at--;
			for (; at > 0 && dist[i * k + at - 1] > d; at--) {
				dist[i * k + at] = dist[i * k + at - 1];
				idx[i * k + at] = idx[i * k + at - 1];
			}
			dist[i * k + at] = d;
			idx[i * k + at] = j;
		}
	mem_free(x);
}

static float
weight(const struct fuzzy *g, int i, int j)
{
	for (int64_t t = g->ptr[i]; t < g->ptr[i + 1]; t++)
		if (g->col[t] == j)
			return g->w[t];
	return 0;
}

static void
properties(void)
{
	enum { N = 3000, K = 14 };
	int32_t *idx = mem_new(int32_t, N * K);
	double *dist = mem_new(double, N * K), worst = 0;
	struct fuzzy g = {0}, h = {0};
	struct err e = {0};
	struct par *p = par_new(4, NULL);
	int good = 1, sums = 1;
	float w[K];

	line(N, K, idx, dist);
	fuzzy_graph(&g, idx, dist, N, K, K, NULL, &e);
	fuzzy_graph(&h, idx, dist, N, K, K, p, &e);
	ok(!e.code && g.ptr[N] == h.ptr[N] && !memcmp(g.ptr, h.ptr, (N + 1) * sizeof *g.ptr) &&
	    !memcmp(g.col, h.col, (size_t)g.ptr[N] * sizeof *g.col) &&
	    !memcmp(g.w, h.w, (size_t)g.ptr[N] * sizeof *g.w), "four threads give the bytes of one");
	for (int i = 0; i < N; i++) {
		double sum = 0;
		int some = 0;

		fuzzy_row(dist + i * K, K, 0.01, w);
		for (int j = 0; j < K; j++) {
			sum += w[j];
			good &= weight(&g, i, idx[i * K + j]) >= w[j] * 0.999999f;
			some += w[j] > 0;
		}
		worst = fmax(worst, fabs(sum - log2(K + 1)));
		sums &= g.ptr[i + 1] - g.ptr[i] >= some;
		for (int64_t t = g.ptr[i]; t < g.ptr[i + 1]; t++)
			good &= g.col[t] != i && (t == g.ptr[i] || g.col[t] > g.col[t - 1]) &&
			    g.w[t] > 0 && g.w[t] <= 1 && weight(&g, g.col[t], i) == g.w[t];
	}
	ok(worst < 2e-5, "strengths of a row sum to log2(k + 1)");
	ok(good, "symmetric, rising, no loops, in (0, 1], not below the directed strength");
	ok(sums, "every neighbour is an edge, but for underflow");
	fuzzy_clear(&g);
	idx[5 * K] = 5;
	fuzzy_graph(&g, idx, dist, N, K, K, p, &e);
	ok(e.code == ERR_DATA && strstr(e.msg, "row 5"), "a row that is its own neighbour is an error");
	e = (struct err){0};
	idx[5 * K] = idx[5 * K + 1];
	fuzzy_graph(&g, idx, dist, N, K, K, p, &e);
	is_i64(e.code, ERR_DATA, "a neighbour given twice is an error");
	e = (struct err){0};
	dist[0] = -1;
	fuzzy_graph(&g, idx, dist, N, K, K, p, &e);
	is_i64(e.code, ERR_DATA, "a negative distance is an error");
	fuzzy_clear(&g);
	fuzzy_clear(&h);
	par_free(p);
	mem_free(idx);
	mem_free(dist);
}

int
main(void)
{
	by_hand();
	properties();
	return done();
}
