/* Unit tests of k-means: planted clusters, degenerate input, order and threads. */
#include "../t.h"
#include "alg/kmeans.h"
#include "base/mem.h"
#include "base/rng.h"
#include "num/blas.h"

#define D 7

/* n points around k planted centres, far apart. */
static float *
planted(int64_t n, int k)
{
	struct rng r = rng_make(3, RNG_TEST, 1);
	float *x = mem_raw(float, n * D);

	for (int64_t i = 0; i < n; i++)
		for (int j = 0; j < D; j++)
			x[i * D + j] = (float)(10 * ((i % k >> j & 1) - 0.5) + rng_normal(&r));
	return x;
}

static void
finds_planted(void)
{
	struct kmeans_opt o = KMEANS_DEFAULT;
	int64_t n = 4000, wrong = 0;
	float *x = planted(n, 16), centre[16 * D];
	int32_t *label = mem_new(int32_t, n);
	double inertia;
	struct err e = {0};

	o.k = 16;
	o.n_init = 5;
	ok(kmeans(x, n, D, &o, centre, label, &inertia, NULL, &e) == 0, "runs");
	for (int64_t i = 16; i < n; i++)
		wrong += label[i] != label[i % 16];
	is_i64(wrong, 0, "planted clusters are found");
	near(inertia / (double)(n * D), 1, 0.05, "inertia is the noise");
	o.n_sample = 500;
	kmeans(x, n, D, &o, centre, label, &inertia, NULL, &e);
	near(inertia / (double)(n * D), 1, 0.05, "also from a sample");
	o.uniform = 1;
	kmeans(x, n, D, &o, centre, label, &inertia, NULL, &e);
	ok(inertia / (double)(n * D) < 10, "also from uniform candidates");
	mem_free(x);
	mem_free(label);
}

static void
order_and_threads(void)
{
	struct kmeans_opt o = KMEANS_DEFAULT;
	int64_t n = 3000;
	float *x = planted(n, 32), *y = mem_raw(float, n * D), a[20 * D], b[20 * D];
	uint64_t *key = mem_raw(uint64_t, n), *rev = mem_raw(uint64_t, n);
	struct par *p = par_new(4, blas_thread);
	struct err e = {0};

	for (int64_t i = 0; i < n; i++) {
		key[i] = rng_hash(&i, sizeof i, 0);
		rev[n - 1 - i] = key[i];
		memcpy(y + (n - 1 - i) * D, x + i * D, D * sizeof *x);
	}
	o.k = 20;
	o.key = key;
	kmeans(x, n, D, &o, a, NULL, NULL, NULL, &e);
	kmeans(x, n, D, &o, b, NULL, NULL, p, &e);
	ok(memcmp(a, b, sizeof a) == 0, "same bytes for 1 and 4 threads");
	o.key = rev;
	kmeans(y, n, D, &o, b, NULL, NULL, p, &e);
	ok(memcmp(a, b, sizeof a) == 0, "the order of the points does not matter");
	par_free(p);
	mem_free(x);
	mem_free(y);
	mem_free(key);
	mem_free(rev);
}

static void
degenerate(void)
{
	struct kmeans_opt o = KMEANS_DEFAULT;
	float x[6 * D] = {0}, c[6 * D];
	int32_t label[6];
	double inertia = -1;
	struct err e = {0};

	o.k = 6;
	ok(kmeans(x, 6, D, &o, c, label, &inertia, NULL, &e) == 0, "copies of one point");
	near(inertia, 0, 1e-12, "no distance");
	for (int i = 0; i < 6; i++)
		x[i * D] = (float)i;
	kmeans(x, 6, D, &o, c, label, &inertia, NULL, &e);
	near(inertia, 0, 1e-6, "as many clusters as points");
	o.k = 1;
	kmeans(x, 6, D, &o, c, label, &inertia, NULL, &e);
	near((double)c[0], 2.5, 1e-6, "one cluster: the mean");
	o.k = 7;
	ok(kmeans(x, 6, D, &o, c, label, &inertia, NULL, &e) == ERR_DATA, "more clusters than points");
	e.code = 0;
	o.k = 2;
	x[3] = NAN;
	ok(kmeans(x, 6, D, &o, c, label, &inertia, NULL, &e) == ERR_NUMERIC, "not finite");
}

int
main(void)
{
	blas_init();
	finds_planted();
	order_and_threads();
	degenerate();
	return done();
}
