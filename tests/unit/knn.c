/* knn - neighbours against brute force, ties, duplicates, threads, recall */
#include "../t.h"

#include "alg/knn.h"
#include "base/mem.h"
#include "base/rng.h"
#include "num/blas.h"

struct result {
	int32_t *idx;
	double *dist;
	struct err e;
};

static struct result
find(const float *x, int64_t n, int64_t ld, int d, const struct knn_opt *o, int threads)
{
	struct result r = {mem_new(int32_t, n * o->k), mem_new(double, n * o->k), {0}};
	struct par *p = par_new(threads, blas_thread);

	knn_find(x, n, ld, d, o, r.idx, r.dist, p, &r.e);
	par_free(p);
	return r;
}

static void
clear(struct result *r)
{
	mem_free(r->idx);
	mem_free(r->dist);
}

/* n points around n_centre centres, of which a tenth are copies of others. */
static float *
cloud(int64_t n, int ld, int n_centre, uint64_t seed, double offset)
{
	struct rng r = rng_make(seed, RNG_TEST, 0);
	float *x = mem_new(float, n * ld), *c = mem_new(float, n_centre * ld);

	for (int j = 0; j < n_centre * ld; j++)
		c[j] = (float)(offset + 4 * rng_normal(&r));
	for (int64_t i = 0; i < n; i++) {
		int64_t from = (int64_t)rng_below64(&r, (uint64_t)i + 1), centre = rng_below(&r, (uint32_t)n_centre);

		for (int j = 0; j < ld; j++)
			x[i * ld + j] = i % 10 == 9 ? x[from * ld + j] :
			    (float)(c[centre * ld + j] + rng_normal(&r));
	}
	mem_free(c);
	return x;
}

static double
brute_dist(const float *a, const float *b, int d, enum knn_metric metric)
{
	double s = 0, aa = 0, bb = 0;

	for (int j = 0; j < d; j++) {
		s += metric == KNN_COSINE ? (double)a[j] * b[j] : ((double)a[j] - b[j]) * ((double)a[j] - b[j]);
		aa += (double)a[j] * a[j];
		bb += (double)b[j] * b[j];
	}
	if (metric == KNN_EUCLIDEAN)
		return sqrt(s);
	return aa > 0 && bb > 0 ? 1 - s / sqrt(aa * bb) : 1;
}

/* Whether every row has the k smallest distances (to tol), ascending by (distance,
 * index), without itself and without repetition. */
static int
right(const float *x, int64_t n, int64_t ld, int d, const struct knn_opt *o, const struct result *r, double tol)
{
	double *all = mem_new(double, n);
	int good = 1;

	for (int64_t i = 0; i < n && good; i++) {
		const int32_t *idx = r->idx + i * o->k;
		const double *dist = r->dist + i * o->k;

		for (int64_t j = 0; j < n; j++)
			all[j] = j == i ? INFINITY : brute_dist(x + i * ld, x + j * ld, d, o->metric);
		for (int j = 0; j < o->k; j++) {
			int64_t best = 0;

			good &= idx[j] >= 0 && idx[j] < n && idx[j] != i;
			good &= !j || dist[j - 1] < dist[j] || (dist[j - 1] == dist[j] && idx[j - 1] < idx[j]);
			for (int64_t l = 1; l < n; l++)
				if (all[l] < all[best])
					best = l;
			good &= good && fabs(all[idx[j]] - all[best]) <= tol && fabs(dist[j] - all[best]) <= tol;
			if (good)
				all[idx[j]] = INFINITY;
		}
	}
	mem_free(all);
	return good;
}

static void
against_brute(const char *what, const float *x, int64_t n, int64_t ld, int d, int k,
	enum knn_metric metric, double tol)
{
	struct knn_opt o = {k, metric, KNN_EXACT, 0};
	struct result r = find(x, n, ld, d, &o, 1);

	ok(!r.e.code && right(x, n, ld, d, &o, &r, tol), "exact: %s", what);
	clear(&r);
}

static void
exact(void)
{
	float *x = cloud(1500, 13, 8, 1, 0), line[] = {0, 1, 3, 7}, two[] = {5, 6}, *far = cloud(700, 6, 3, 2, 1e6);
	struct knn_opt o = {2, KNN_EUCLIDEAN, KNN_EXACT, 0};
	struct result r;

	against_brute("euclidean, k = 15", x, 1500, 13, 13, 15, KNN_EUCLIDEAN, 1e-12);
	against_brute("the first 5 columns, k = 40", x, 1500, 13, 5, 40, KNN_EUCLIDEAN, 1e-12);
	against_brute("one column, k = 1", x, 1500, 13, 1, 1, KNN_EUCLIDEAN, 1e-12);
	against_brute("cosine", x, 1500, 13, 13, 15, KNN_COSINE, 1e-12);
	against_brute("far from the origin", far, 700, 6, 6, 10, KNN_EUCLIDEAN, 1e-9);
	against_brute("all others", x, 60, 13, 13, 59, KNN_EUCLIDEAN, 1e-12);
	r = find(line, 4, 1, 1, &o, 1);
	is_i64(r.idx[0] * 10 + r.idx[1], 12, "line: neighbours of the first");
	is_i64(r.idx[6] * 10 + r.idx[7], 21, "line: neighbours of the last");
	near(r.dist[6] + r.dist[7], 10, 0, "line: distances are not squared");
	clear(&r);
	o.k = 1;
	r = find(two, 2, 1, 1, &o, 1);
	ok(r.idx[0] == 1 && r.idx[1] == 0 && r.dist[0] == 1 && r.dist[1] == 1, "two rows");
	clear(&r);
	mem_free(x);
	mem_free(far);
}

/* Where many distances are equal, the smaller index wins. */
static void
ties(void)
{
	enum { N = 1200, K = 7 };
	float *x = mem_new(float, 2 * N), huge[] = {3e38f, -3e38f, 1e-30f, 0, 2e38f};
	struct knn_opt o = {K, KNN_EUCLIDEAN, KNN_EXACT, 0};
	struct result r;
	int good = 1;

	for (int i = 0; i < N; i++)
		x[2 * i] = x[2 * i + 1] = (float)(i % 2);
	r = find(x, N, 2, 2, &o, 2);
	for (int i = 0; i < N; i++)
		for (int j = 0; j < K; j++) {
			int want = 2 * j + i % 2;

			want += want >= i ? 2 : 0;
			good &= r.idx[i * K + j] == want && r.dist[i * K + j] == 0;
		}
	ok(good, "ties: of 599 duplicates the first 7, never the row itself");
	clear(&r);
	for (int i = 0; i < N; i++) {
		x[2 * i] = (float)(i % 40);
		x[2 * i + 1] = (float)(i / 40);
	}
	r = find(x, N, 2, 2, &o, 2);
	ok(right(x, N, 2, 2, &o, &r, 0), "ties: a square grid");
	is_i64(r.idx[45 * K], 5, "ties: of four at distance 1 the smallest index");
	clear(&r);
	memset(x, 0, 2 * N * sizeof *x);
	o.metric = KNN_COSINE;
	r = find(x, N, 2, 2, &o, 1);
	ok(r.dist[0] == 1 && r.idx[0] == 1 && r.idx[K] == 0, "cosine: rows of zeros are at 1 from all");
	clear(&r);
	o = (struct knn_opt){2, KNN_EUCLIDEAN, KNN_EXACT, 0};
	r = find(huge, 5, 1, 1, &o, 1);
	ok(r.idx[0] == 4 && r.idx[4] == 3 && r.idx[6] == 2 && r.dist[6] == 1e-30f, "huge and tiny values");
	clear(&r);
	mem_free(x);
}

static void
errors(void)
{
	float x[] = {0, 1, 2, NAN, 4, 5};
	struct knn_opt o = {2, KNN_EUCLIDEAN, KNN_AUTO, 0};
	struct result r = find(x, 3, 2, 2, &o, 1);

	is_i64(r.e.code, ERR_NUMERIC, "NaN is an error");
	ok(strstr(r.e.msg, "row 1") != NULL, "that names the row");
	clear(&r);
	x[3] = 3;
	o.k = 3;
	r = find(x, 3, 2, 2, &o, 1);
	is_i64(r.e.code, ERR_USAGE, "k = n is an error");
	clear(&r);
	o.k = 0;
	r = find(x, 3, 2, 2, &o, 1);
	is_i64(r.e.code, ERR_USAGE, "k = 0 is an error");
	clear(&r);
}

static int
same(const struct result *a, const struct result *b, int64_t m)
{
	return !memcmp(a->idx, b->idx, (size_t)m * sizeof *a->idx) && !memcmp(a->dist, b->dist, (size_t)m * sizeof *a->dist);
}

static void
approximate(void)
{
	int64_t n = 12000;
	float *x = cloud(n, 20, 30, 3, 0), *flat;
	struct knn_opt o = {15, KNN_EUCLIDEAN, KNN_APPROX, 7};
	struct result a = find(x, n, 20, 20, &o, 1), b = find(x, n, 20, 20, &o, 4);
	double mean = 0, worst = 0;

	ok(!a.e.code && same(&a, &b, n * 15), "approximate: four threads give the bytes of one");
	knn_recall(x, n, 20, 20, &o, a.dist, 2000, &mean, &worst, NULL, &a.e);
	ok(mean > 0.99 && worst > 0.93, "approximate: recall %.4f, worst tenth %.4f", mean, worst);
	clear(&a);
	clear(&b);
	o.mode = KNN_EXACT;
	a = find(x, n, 20, 20, &o, 1);
	b = find(x, n, 20, 20, &o, 4);
	ok(same(&a, &b, n * 15), "exact: four threads give the bytes of one");
	knn_recall(x, n, 20, 20, &o, a.dist, n, &mean, &worst, NULL, &a.e);
	ok(mean == 1 && worst == 1, "recall of the exact result is 1");
	a.dist[14] = 1e9;
	knn_recall(x, n, 20, 20, &o, a.dist, n, &mean, &worst, NULL, &a.e);
	near(mean, 1 - 1 / (15.0 * (double)n), 1e-12, "recall counts a miss");
	near(worst, 1 - 10 / (15.0 * (double)n), 1e-12, "and so does the worst tenth");
	clear(&a);
	clear(&b);
	o.mode = KNN_APPROX;
	for (int64_t m = 2; m <= 50; m += 16) {
		o.k = m < 16 ? 1 : 15;
		a = find(x, m, 20, 20, &o, 1);
		ok(!a.e.code && right(x, m, 20, 20, &o, &a, 1e-12), "approximate: %d rows are all looked at", (int)m);
		clear(&a);
	}
	o.metric = KNN_COSINE;
	a = find(x, 3000, 20, 20, &o, 1);
	knn_recall(x, 3000, 20, 20, &o, a.dist, 500, &mean, &worst, NULL, &a.e);
	ok(!a.e.code && mean > 0.99, "approximate: cosine, recall %.4f", mean);
	clear(&a);
	flat = mem_new(float, n);
	o = (struct knn_opt){5, KNN_EUCLIDEAN, KNN_APPROX, 0};
	a = find(flat, n, 1, 1, &o, 2);
	ok(!a.e.code && a.dist[n * 5 - 1] == 0, "approximate: all rows equal");
	clear(&a);
	mem_free(flat);
	mem_free(x);
	ok(knn_bytes(1000000, 50, 15, 2, KNN_AUTO) < (int64_t)800 << 20, "a million rows need less than 800 MB");
}

int
main(void)
{
	blas_init();
	exact();
	ties();
	errors();
	approximate();
	return done();
}
