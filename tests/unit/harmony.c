/* Unit tests of harmony: mixing, refusals, small input, order, threads, ridge. */
#include "../t.h"
#include "alg/harmony.h"
#include "alg/harmony_impl.h"
#include "base/mem.h"
#include "base/rng.h"
#include "num/blas.h"

#define D 10

struct data {
	int64_t n;
	float *z;
	int32_t *batch, *donor;
	uint64_t *key;
};

/* Five cell types in two batches, the second one shifted; donors 0..3, two of
 * each batch. */
static struct data
make(int64_t n)
{
	struct data a = {n, mem_raw(float, n * D), mem_raw(int32_t, n), mem_raw(int32_t, n), mem_raw(uint64_t, n)};
	struct rng r = rng_make(5, RNG_TEST, 2);

	for (int64_t i = 0; i < n; i++) {
		int type = (int)rng_below(&r, 5);

		a.batch[i] = (int32_t)(i % 2);
		a.donor[i] = (int32_t)(i % 4);
		a.key[i] = rng_hash(&i, sizeof i, 1);
		for (int j = 0; j < D; j++)
			a.z[i * D + j] = (float)(rng_normal(&r) + 8 * (j == type) + 2.0 * a.batch[i] * (j > 6));
	}
	return a;
}

static void
drop(struct data *a)
{
	mem_free(a->z);
	mem_free(a->batch);
	mem_free(a->donor);
	mem_free(a->key);
}

/* Largest distance between the batches' means in units of one dimension's noise. */
static double
gap(const struct data *a, const float *z)
{
	double most = 0;

	for (int j = 0; j < D; j++) {
		double mean[2] = {0};

		for (int64_t i = 0; i < a->n; i++)
			mean[a->batch[i]] += (double)z[i * D + j] * 2 / (double)a->n;
		if (fabs(mean[1] - mean[0]) > most)
			most = fabs(mean[1] - mean[0]);
	}
	return most;
}

static void
mixes(void)
{
	struct data a = make(1500);
	float *out = mem_raw(float, a.n * D);
	struct harmony_var var = {a.batch, 2, -1};

	ok(gap(&a, a.z) > 1.5, "batches differ before");
	for (int v = 0; v <= 2; v++) {
		struct harmony_opt o = harmony_defaults(v);
		struct harmony_out r;
		struct err e = {0};
		double rise = 0;

		o.key = a.key;
		ok(harmony(a.z, a.n, D, &var, 1, &o, out, &r, NULL, &e) == 0, "variant %d runs", v);
		ok(gap(&a, out) < 0.5, "variant %d: batches agree after (%.2f)", v, gap(&a, out));
		is_i64(r.n_cluster, 50, "clusters");
		ok(r.outer[r.n_outer] < r.outer[0] * 0.98, "objective falls");
		for (int i = 0, at = 1; i < r.n_outer; at += r.rounds[i++])
			for (int t = 1; t < r.rounds[i] && v < 2; t++)
				rise = fmax(rise, (r.inner[at + t] - r.inner[at + t - 1]) / fabs(r.inner[at + t - 1]));
		ok(rise < 1e-3, "objective does not rise within the rounds (%.1g)", rise);
		harmony_out_clear(&r);
	}
	mem_free(out);
	drop(&a);
}

static void
refuses(void)
{
	struct data a = make(60);
	float *out = mem_raw(float, a.n * D);
	struct harmony_opt o = harmony_defaults(2);
	struct harmony_var one = {a.batch, 1, -1}, hole = {a.batch, 3, -1}, good = {a.batch, 2, -1};
	struct err e = {0};

	ok(harmony(a.z, a.n, D, &one, 1, &o, out, NULL, NULL, &e) == ERR_DATA && strstr(e.msg, "one batch"),
	    "one batch");
	e.code = 0;
	ok(harmony(a.z, a.n, D, &hole, 1, &o, out, NULL, NULL, &e) == ERR_DATA, "a level without cells");
	e.code = 0;
	a.batch[7] = 2;
	ok(harmony(a.z, a.n, D, &good, 1, &o, out, NULL, NULL, &e) == ERR_DATA, "a code out of range");
	e.code = 0;
	a.batch[7] = 1;
	ok(harmony(a.z, 1, D, &good, 1, &o, out, NULL, NULL, &e) == ERR_DATA, "one cell");
	e.code = 0;
	a.z[33] = INFINITY;
	ok(harmony(a.z, a.n, D, &good, 1, &o, out, NULL, NULL, &e) == ERR_NUMERIC, "not finite");
	mem_free(out);
	drop(&a);
}

static void
small(void)
{
	struct err e = {0};
	int good = 1;

	for (int64_t n = 2; n < 50; n++)
		for (int v = 0; v <= 2; v++) {
			struct data a = make(n);
			float *out = mem_raw(float, n * D);
			struct harmony_var var = {a.batch, 2, -1};
			struct harmony_opt o = harmony_defaults(v);

			o.tau = n % 3 == 0 ? 2 : 0;
			good = good && harmony(a.z, n, D, &var, 1, &o, out, NULL, NULL, &e) == 0;
			for (int64_t i = 0; i < n * D; i++)
				good = good && isfinite(out[i]);
			mem_free(out);
			drop(&a);
		}
	ok(good, "2 to 49 cells give finite values: %s", e.msg);
}

static void
threads_and_order(void)
{
	struct data a = make(1200);
	struct par *p = par_new(4, blas_thread);
	float *x = mem_raw(float, a.n * D), *y = mem_raw(float, a.n * D), *z = mem_raw(float, a.n * D);
	struct harmony_var var[2] = {{a.batch, 2, -1}, {a.donor, 4, 1}};

	for (int v = 0; v <= 2; v++) {
		struct harmony_opt o = harmony_defaults(v);
		struct err e = {0};

		o.key = a.key;
		o.max_outer = 3;
		harmony(a.z, a.n, D, var, 2, &o, x, NULL, NULL, &e);
		harmony(a.z, a.n, D, var, 2, &o, y, NULL, p, &e);
		ok(!e.code && memcmp(x, y, (size_t)(a.n * D) * 4) == 0, "variant %d: same bytes for 1 and 4 threads", v);
		ok(gap(&a, x) < 0.4, "variant %d: two variables", v);
	}
	for (int v = 0; v <= 2; v++) {
		struct data b = make(1200);
		struct harmony_var turned = {b.batch, 2, -1};
		struct harmony_opt o = harmony_defaults(v);
		struct err e = {0};
		double off = 0;

		for (int64_t i = 0; i < a.n; i++) {
			int64_t t = a.n - 1 - i;

			memcpy(b.z + t * D, a.z + i * D, D * sizeof *b.z);
			b.batch[t] = a.batch[i];
			b.key[t] = a.key[i];
		}
		o.max_outer = 2;
		o.key = a.key;
		harmony(a.z, a.n, D, var, 1, &o, x, NULL, NULL, &e);
		o.key = b.key;
		harmony(b.z, a.n, D, &turned, 1, &o, z, NULL, p, &e);
		for (int64_t i = 0; i < a.n; i++)
			for (int j = 0; j < D; j++)
				off = fmax(off, fabs((double)x[i * D + j] - (double)z[(a.n - 1 - i) * D + j]));
		ok(off < 1e-3, "variant %d: the order of the cells does not matter (%g)", v, off);
		drop(&b);
	}
	mem_free(x);
	mem_free(y);
	mem_free(z);
	par_free(p);
	drop(&a);
}

/* The closed form against the normal equations, some levels left out. */
static void
ridge(void)
{
	enum { B = 4, M = B + 1 };
	double obs[B] = {12.5, 3, 0.5, 40}, lambda[B] = {1, 0.2, 3, 0.7}, s[B * D], b0[D];
	double a[M * M] = {0}, b[M * D] = {0}, off = 0;
	int use[B] = {1, 1, 0, 1};
	struct rng r = rng_make(1, RNG_TEST, 9);
	struct err e = {0};

	for (int i = 0; i < B * D; i++)
		s[i] = rng_normal(&r) * 10;
	for (int l = 0; l < B; l++) {
		a[(l + 1) * M + l + 1] = use[l] ? obs[l] + lambda[l] : 1;
		if (!use[l])
			continue;
		a[0] += obs[l];
		a[l + 1] = a[(l + 1) * M] = obs[l];
		for (int j = 0; j < D; j++) {
			b[j] += s[l * D + j];
			b[(l + 1) * D + j] = s[l * D + j];
		}
	}
	harmony_ridge_dense(M, D, a, b, &e);
	harmony_ridge_one(B, D, obs, lambda, use, s, D, b0);
	for (int j = 0; j < D; j++) {
		off = fmax(off, fabs(b0[j] - b[j]));
		for (int l = 0; l < B; l++)
			off = fmax(off, fabs(s[l * D + j] - b[(l + 1) * D + j]));
	}
	ok(!e.code && off < 1e-11, "closed form of the ridge equals the dense solution (%g)", off);
}

static void
exponential(void)
{
	float x[1001];
	double off = 0;

	for (int i = 0; i < 1001; i++)
		x[i] = -(float)i * 0.0865f;
	harmony_exp(x, 1001);
	for (int i = 0; i < 1001; i++) {
		double want = exp((double)(-(float)i * 0.0865f));

		off = fmax(off, fabs((double)x[i] - want) / want);
	}
	ok(off < 2e-7, "exp to 2e-7 (%g)", off);
	x[0] = -1e30f;
	harmony_exp(x, 1);
	ok(x[0] == 0, "exp of a large negative number");
}

/* Given centres and orders are used; two sweeps of one order differ from those
 * of another. */
static void
injected(void)
{
	struct data a = make(300);
	struct harmony_opt o = harmony_defaults(1);
	struct harmony_var var = {a.batch, 2, -1};
	float *x = mem_raw(float, a.n * D), *y = mem_raw(float, a.n * D), centre[5 * D] = {0};
	int32_t *perm = mem_raw(int32_t, a.n);
	struct err e = {0};

	for (int k = 0; k < 5; k++)
		centre[k * D + k] = 1;
	for (int64_t i = 0; i < a.n; i++)
		perm[i] = (int32_t)(a.n - 1 - i);
	o.centre = centre;
	o.nclust = 5;
	o.perm = perm;
	o.n_perm = 1;
	harmony(a.z, a.n, D, &var, 1, &o, x, NULL, NULL, &e);
	o.seed = 77;
	harmony(a.z, a.n, D, &var, 1, &o, y, NULL, NULL, &e);
	ok(!e.code && memcmp(x, y, (size_t)(a.n * D) * 4) == 0, "given centres and order leave nothing to the seed");
	ok(harmony_bytes(a.n, D, &var, 1, &o, 1) > a.n * 16 * 4, "memory is foretold");
	mem_free(x);
	mem_free(y);
	mem_free(perm);
	drop(&a);
}

int
main(void)
{
	blas_init();
	exponential();
	ridge();
	mixes();
	refuses();
	small();
	threads_and_order();
	injected();
	return done();
}
