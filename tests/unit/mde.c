/* Unit tests of mde and lbfgs: pairs, constraint, gradient, start, odd graphs. */
#include "../t.h"
#include "alg/lbfgs.h"
#include "alg/mde.h"
#include "base/mem.h"
#include "base/rng.h"
#include "num/blas.h"

/* k lists of neighbours on a ring with n_part separate rings. */
static int32_t *
rings(int64_t n, int k, int n_part)
{
	int32_t *idx = mem_raw(int32_t, n * k);
	int64_t each = n / n_part;

	for (int64_t i = 0; i < n; i++)
		for (int j = 0; j < k; j++) {
			int64_t part = i / each < n_part ? i / each : n_part - 1;
			int64_t lo = part * each, size = part == n_part - 1 ? n - lo : each;
			int64_t step = j % 2 ? -(j / 2 + 1) : j / 2 + 1;

			idx[i * k + j] = (int32_t)(lo + ((i - lo + step) % size + size) % size);
		}
	return idx;
}

static double
rosenbrock(void *ctx, float *x, float *g, struct err *e)
{
	double a = (double)x[0], b = (double)x[1];

	(void)ctx;
	(void)e;
	g[0] = (float)(-2 * (1 - a) - 400 * a * (b - a * a));
	g[1] = (float)(200 * (b - a * a));
	return (1 - a) * (1 - a) + 100 * (b - a * a) * (b - a * a);
}

static double
no_value(void *ctx, float *x, float *g, struct err *e)
{
	(void)ctx;
	(void)x;
	(void)e;
	g[0] = g[1] = 0;
	return NAN;
}

static void
minimiser(void)
{
	struct lbfgs_opt o = LBFGS_DEFAULT;
	struct lbfgs_out r;
	struct err e = {0};
	float x[2] = {-1.2f, 1};

	o.eps = 1e-4;
	lbfgs(rosenbrock, NULL, 2, x, &o, &r, NULL, &e);
	ok(!e.code && r.n_iter < 60 && fabs((double)x[0] - 1) < 1e-3 && fabs((double)x[1] - 1) < 2e-3,
	    "Rosenbrock's valley: %g %g after %d iterations", (double)x[0], (double)x[1], r.n_iter);
	o.memory = 1;
	x[0] = -1.2f;
	x[1] = 1;
	lbfgs(rosenbrock, NULL, 2, x, &o, &r, NULL, &e);
	ok(r.f < 1e-5, "with one pair remembered");
	ok(lbfgs(no_value, NULL, 2, x, &o, &r, NULL, &e) == ERR_NUMERIC, "a start without value");
	ok(lbfgs_bytes(1000, &o) > 10 * 4000, "memory is foretold");
}

static int64_t
row_has(const struct mde_pairs *t, int64_t i, int32_t j)
{
	int64_t n = 0;

	for (int64_t a = t->ptr[i]; a < t->ptr[i + 1]; a++)
		n += t->j[a] == j;
	return n;
}

static void
pair_lists(void)
{
	static const int32_t idx[5 * 2] = {1, 2, 0, 3, 0, -1, 3, 4, 0, 1};
	static const int32_t edge[4 * 2] = {3, 1, 0, 2, 1, 3, 0, 1};
	static const float weight[4] = {1, -1, 0.5f, 2};
	struct mde_edges g = {0};
	struct err e = {0};
	int64_t far, copies = 0;

	mde_neighbours(&g, idx, 5, 2, &e);
	is_i64(g.near.ptr[5], 6, "pairs: 01 02 04 13 14 34");
	ok(g.near.w[0] == 2 && g.near.w[1] == 2 && g.near.w[2] == 1, "mutual neighbours weigh 2");
	mde_repel(&g, 0.7, 1, NULL, &e);
	is_i64(g.far.ptr[5], 4, "as many others as there are");
	mde_edges_clear(&g);
	mde_list(&g, 5, 4, edge, weight, &e);
	ok(g.near.ptr[5] == 2 && g.far.ptr[5] == 1 && g.near.w[1] == 1.5f, "a list with signs; copies add up");
	mde_edges_clear(&g);
	ok(mde_list(&g, 3, 4, edge, weight, &e) == ERR_DATA, "a point that is not there");
	e.code = 0;

	int32_t *ring = rings(3000, 6, 1);

	mde_neighbours(&g, ring, 3000, 6, &e);
	mde_repel(&g, 0.7, 9, NULL, &e);
	far = g.far.ptr[3000];
	is_i64(g.near.ptr[3000], 9000, "ring");
	ok(far <= 6300 && far > 6250, "0.7 times as many repulsive pairs (%lld)", (long long)far);
	for (int64_t i = 0; i < 3000; i++)
		for (int64_t a = g.far.ptr[i]; a < g.far.ptr[i + 1]; a++)
			copies += row_has(&g.near, i, g.far.j[a]) + row_has(&g.far, i, g.far.j[a]) != 1 ||
			    g.far.j[a] <= i;
	is_i64(copies, 0, "none twice, none a neighbour");
	mem_free(ring);
	mde_edges_clear(&g);
}

static void
gradient(void)
{
	for (int dim = 2; dim <= 3; dim++) {
		int32_t *idx = rings(60, 6, 1);
		struct mde_edges g = {0};
		struct err e = {0};
		float *x = mem_raw(float, 60 * dim), *d = mem_raw(float, 60 * dim);
		struct rng r = rng_make(dim, RNG_TEST, 4);
		double off = 0, scale = 0, want = 0;

		mde_neighbours(&g, idx, 60, 6, &e);
		mde_repel(&g, 0.7, 3, NULL, &e);
		for (int i = 0; i < 60 * dim; i++)
			x[i] = (float)rng_normal(&r) * 2;
		for (int64_t i = 0; i < 60; i++) {
			for (int far = 0; far < 2; far++) {
				const struct mde_pairs *t = far ? &g.far : &g.near;

				for (int64_t a = t->ptr[i]; a < t->ptr[i + 1]; a++) {
					double s = 0;

					for (int q = 0; q < dim; q++)
						s += pow((double)x[i * dim + q] - (double)x[t->j[a] * dim + q], 2);
					s = sqrt(s);
					want += far ? -log(-expm1(-s)) : (double)t->w[a] * log1p(pow(s, 1.5));
				}
			}
		}
		want /= (double)(g.near.ptr[60] + g.far.ptr[60]);
		near(mde_distortion(&g, x, dim, d, NULL, &e), want, 1e-6, "mean distortion");
		for (int i = 0; i < 60 * dim; i += 7) {
			float keep = x[i], up = keep + 1e-2f, down = keep - 1e-2f;
			double a, b;

			x[i] = up;
			a = mde_distortion(&g, x, dim, NULL, NULL, &e);
			x[i] = down;
			b = mde_distortion(&g, x, dim, NULL, NULL, &e);
			x[i] = keep;
			off = fmax(off, fabs((a - b) / (double)(up - down) - (double)d[i]));
			scale = fmax(scale, fabs((double)d[i]));
		}
		ok(off < 2e-2 * scale, "gradient against differences, %d dimensions (%.2g of %.2g)", dim, off, scale);
		mem_free(idx);
		mem_free(x);
		mem_free(d);
		mde_edges_clear(&g);
	}
}

/* Largest difference of mean and covariance from 0 and I. */
static double
off_constraint(const float *x, int64_t n, int dim)
{
	double most = 0;

	for (int q = 0; q < dim; q++) {
		double mean = 0;

		for (int64_t i = 0; i < n; i++)
			mean += (double)x[i * dim + q] / (double)n;
		most = fmax(most, fabs(mean));
		for (int r = 0; r < dim; r++) {
			double c = 0;

			for (int64_t i = 0; i < n; i++)
				c += (double)x[i * dim + q] * (double)x[i * dim + r] / (double)n;
			most = fmax(most, fabs(c - (q == r)));
		}
	}
	return most;
}

static void
solves(void)
{
	static const struct {
		int64_t n;
		int k, part, dim;
		int64_t coarse;
		const char *what;
	} set[] = {
		{500, 8, 1, 2, 20000, "a ring"}, {500, 8, 1, 3, 20000, "in three dimensions"},
		{500, 8, 7, 2, 20000, "seven parts"}, {3000, 10, 1, 2, 200, "merged start"},
		{3000, 10, 3, 2, 200, "parts and merged start"},
	};

	for (size_t s = 0; s < sizeof set / sizeof *set; s++) {
		int64_t n = set[s].n;
		int32_t *idx = rings(n, set[s].k, set[s].part);
		struct par *p = par_new(4, blas_thread);
		struct mde_edges g = {0}, h = {0};
		struct mde_opt o = MDE_DEFAULT;
		struct mde_out r, r4;
		struct err e = {0};
		float *x = mem_raw(float, n * 3), *y = mem_raw(float, n * 3);

		o.dim = set[s].dim;
		o.coarse = set[s].coarse;
		o.max_iter = 60;
		mde_neighbours(&g, idx, n, set[s].k, &e);
		mde_repel(&g, 0.7, 1, NULL, &e);
		mde_neighbours(&h, idx, n, set[s].k, &e);
		mde_repel(&h, 0.7, 1, p, &e);
		ok(mde(&g, &o, x, &r, NULL, &e) == 0, "%s %s", set[s].what, e.msg);
		mde(&h, &o, y, &r4, p, &e);
		ok(off_constraint(x, n, o.dim) < 1e-5, "mean 0, covariance I (%.1g)", off_constraint(x, n, o.dim));
		ok(r.distortion < r.start && r.n_trace > 1 && r.trace[0] == r.start,
		    "falls: %.4f to %.4f", r.start, r.distortion);
		is_i64(r.n_component, set[s].part, "parts");
		ok(memcmp(x, y, (size_t)(n * o.dim) * 4) == 0, "same bytes for 1 and 4 threads");
		ok(mde_bytes(n, set[s].k, 0.7, &o) > n * 100, "memory is foretold");
		mde_out_clear(&r);
		mde_out_clear(&r4);
		mde_edges_clear(&g);
		mde_edges_clear(&h);
		par_free(p);
		mem_free(idx);
		mem_free(x);
		mem_free(y);
	}
}

static void
tiny(void)
{
	struct err e = {0};
	int good = 1;

	for (int64_t n = 3; n <= 20; n++)
		for (int k = 1; k < n && k < 16; k += 3) {
			int32_t *idx = mem_raw(int32_t, n * k);
			struct rng r = rng_make((uint64_t)n, RNG_TEST, (uint64_t)k);
			struct mde_edges g = {0};
			struct mde_opt o = MDE_DEFAULT;
			float x[40];

			for (int64_t i = 0; i < n; i++)
				for (int j = 0; j < k; j++)
					idx[i * k + j] = (int32_t)((i + 1 + rng_below(&r, (uint32_t)n - 1)) % n);
			mde_neighbours(&g, idx, n, k, &e);
			mde_repel(&g, 0.7, 5, NULL, &e);
			good = good && mde(&g, &o, x, NULL, NULL, &e) == 0 && off_constraint(x, n, 2) < 1e-4;
			mde_edges_clear(&g);
			mem_free(idx);
		}
	ok(good, "3 to 20 points %s", e.msg);
}

static void
refuses(void)
{
	static const int32_t two[2] = {1, 0}, none[4] = {-1, -1, -1, -1}, three[3] = {1, 2, 0};
	struct mde_edges g = {0};
	struct mde_opt o = MDE_DEFAULT;
	struct err e = {0};
	float x[8] = {0};

	mde_neighbours(&g, two, 2, 1, &e);
	ok(mde(&g, &o, x, NULL, NULL, &e) == ERR_DATA, "two points in two dimensions");
	mde_edges_clear(&g);
	e.code = 0;
	mde_neighbours(&g, none, 4, 1, &e);
	ok(mde(&g, &o, x, NULL, NULL, &e) == ERR_DATA, "no neighbours");
	mde_edges_clear(&g);
	e.code = 0;
	mde_neighbours(&g, three, 3, 1, &e);
	o.start = x;
	ok(mde(&g, &o, x + 2, NULL, NULL, &e) == ERR_NUMERIC, "a start of one point");
	mde_edges_clear(&g);
}

int
main(void)
{
	blas_init();
	minimiser();
	pair_lists();
	gradient();
	solves();
	tiny();
	refuses();
	return done();
}
