/* scrublet - its parts against known values and brute force, the whole on simulated samples */
#include "../t.h"

#include "alg/scrublet.h"
#include "alg/simulate.h"
#include "base/mem.h"
#include "base/rng.h"
#include "num/blas.h"

/* Values of numpy.random.RandomState. */
static void
pairs(void)
{
	static const int32_t a[] = { 723, 1318, 664, 2041, 279, 1257, 30, 1182 }, b[] = { 4, 1, 3, 3, 4, 1, 0, 1 };
	int32_t p[200], q[200];
	uint64_t key[10];
	int same = 1, times[10] = {0}, self = 0;

	scrublet_randint(1234, 2695, 4, p);
	ok(!memcmp(p, a, sizeof a), "pairs of 2695 cells, seed 1234");
	scrublet_randint(7, 5, 4, p);
	ok(!memcmp(p, b, sizeof b), "pairs of 5 cells, seed 7");
	for (uint64_t i = 0; i < 10; i++)
		key[i] = 1000 + i;
	scrublet_pairs(3, key, 10, 95, p);
	for (int m = 0; m < 95; m++) {
		times[p[2 * m]]++;
		self |= p[2 * m] == p[2 * m + 1] || p[2 * m + 1] < 0 || p[2 * m + 1] > 9;
	}
	ok(!self && times[0] == 10 && times[9] == 9, "every cell is first in its turn, with another one");
	key[4] = 5;
	scrublet_pairs(3, key, 10, 95, q);
	for (int m = 0; m < 95; m++)
		if (m % 10 != 4)
			same &= p[2 * m + 1] == q[2 * m + 1];
	ok(same && memcmp(p, q, sizeof p), "a cell's partners depend on its key alone");
}

static void
thresholds(void)
{
	double x[7] = { 0, 0.1, 0.25, 0.5, 0.5, 0.75, 1 }, y[1001], lo, hi, t = -1;
	int64_t h[SCRUBLET_BINS], sum = 0;

	scrublet_histogram(x, 7, &lo, &hi, h);
	ok(lo == 0 && hi == 1 && h[0] == 1 && h[25] == 1 && h[64] == 1 && h[128] == 2 && h[192] == 1 && h[255] == 1, "histogram, last bin closed");
	for (int i = 0; i < 1001; i++)
		y[i] = i / 1000.0 * 0.7 + 0.05;
	scrublet_histogram(y, 1001, &lo, &hi, h);
	for (int b = 0; b < SCRUBLET_BINS; b++)
		sum += b * h[b];
	is_i64(sum, 127631, "histogram as NumPy's on a grid");
	scrublet_histogram(x + 3, 2, &lo, &hi, h);
	ok(h[0] == 2 && !scrublet_minimum(h, lo, hi, &t) && t == -1, "one value has no minimum");
	for (int i = 0; i < SCRUBLET_BINS; i++)
		h[i] = (400 > 9 * abs(i - 40) ? 400 - 9 * abs(i - 40) : 0) + (150 > 3 * abs(i - 170) ? 150 - 3 * abs(i - 170) : 0) + i * 7919 % 23;
	ok(scrublet_minimum(h, 0.1, 0.9, &t) && fabs(t - 0.4234375) < 1e-12, "two modes: as scikit-image's threshold_minimum");
	for (int i = 0; i < SCRUBLET_BINS; i++)
		h[i] = 400 > 4 * abs(i - 60) ? 400 - 4 * abs(i - 60) : 0;
	ok(!scrublet_minimum(h, 0.1, 0.9, &t), "one mode");
	near(scrublet_score(0, 78, 2, 0.05), 0.0003330003330003331, 1e-15, "score without simulated neighbours");
	near(scrublet_score(40, 78, 2, 0.05), 0.02692055154300722, 1e-15, "score with half of them");
	near(scrublet_score(78, 78, 2, 0.05), 0.6752136752136763, 1e-15, "score with simulated neighbours only");
}

struct near {
	double d;
	int32_t i;
};

static int
near_cmp(const void *a, const void *b)
{
	const struct near *x = a, *y = b;

	if (x->d != y->d)
		return x->d < y->d ? -1 : 1;
	return (x->i > y->i) - (x->i < y->i);
}

/* n points in clusters, a fifth of them copies; against sorting all distances. */
static void
neighbours(int64_t n, int64_t k, int64_t n_query, const char *what)
{
	enum { D = 6 };
	struct rng g = rng_make(1, RNG_TEST, (uint64_t)n);
	float *x = mem_new(float, n * D);
	struct near *all = mem_new(struct near, n);
	int32_t *query = mem_new(int32_t, n_query), *one = mem_new(int32_t, n_query), *three = mem_new(int32_t, n_query);
	struct par *p = par_new(3, blas_thread);
	struct err e = {0};
	int64_t n_real = n / 3, bad = 0;

	for (int64_t i = 0; i < n; i++)
		for (int j = 0; j < D; j++)
			x[i * D + j] = i % 5 == 4 ? x[(i / 2) * D + j] : (float)(10 * (double)(i % 7) * (j == 0) + rng_normal(&g));
	for (int64_t i = 0; i < n_query; i++)
		query[i] = (int32_t)(i * n / n_query);
	scrublet_near(x, n, n_real, D, k, query, n_query, one, NULL, &e);
	scrublet_near(x, n, n_real, D, k, query, n_query, three, p, &e);
	for (int64_t i = 0; i < n_query; i++) {
		int64_t m = 0, count = 0;

		for (int64_t j = 0; j < n; j++) {
			double d = 0;

			for (int c = 0; c < D; c++) {
				double t = (double)x[query[i] * D + c] - x[j * D + c];

				d += t * t;
			}
			if (j != query[i])
				all[m++] = (struct near){ sqrt(d), (int32_t)j };
		}
		qsort(all, (size_t)m, sizeof *all, near_cmp);
		for (int64_t j = 0; j < k; j++)
			count += all[j].i >= n_real;
		bad += count != one[i];
	}
	is_i64(bad + e.code, 0, what);
	ok(!memcmp(one, three, (size_t)n_query * sizeof *one), "the same with 3 threads");
	par_free(p);
	mem_free(x);
	mem_free(all);
	mem_free(query);
	mem_free(one);
	mem_free(three);
}

static void
vscores(void)
{
	double mean[300], var[300], v[300];
	int above = 0, flat = 1;

	/* noise of 1 + 0.2 mean, a tenth of the genes with three times of it, some without variance */
	for (int j = 0; j < 300; j++) {
		mean[j] = 0.01 * pow(1.03, j);
		var[j] = mean[j] * (1 + 0.2 * mean[j]) * (1 + 0.02 * (j % 3));
		if (j % 10 == 5)
			var[j] *= 3;
		if (j % 50 == 49)
			var[j] = 0;
	}
	scrublet_vscore(mean, var, 300, v);
	for (int j = 0; j < 300; j++) {
		if (j % 10 == 5)
			above += v[j] > 2.5;
		else if (j % 50 != 49)
			flat &= v[j] > 0.8 && v[j] < 1.3;
	}
	ok(above == 30 && flat && v[49] == 0, "V-scores: 1 for noise, 3 for three times of it, 0 without variance");
}

enum { N = 700, G = 4000 };

/* Simulated cells: two samples, of which the last 20 cells are made a third. */
struct data {
	struct csr m;
	int32_t batch[N];
	uint64_t key[N];
	uint8_t truth[N];
};

static void
make(struct data *d)
{
	struct sim_opt o = { N, G, 4, 2, 0.1, 5 };
	struct sim *s = sim_new(&o);
	uint32_t *scratch = mem_new(uint32_t, G);

	memset(d, 0, sizeof *d);
	d->m.n_col = G;
	sim_rows(s, 0, N, &d->m, scratch);
	d->m.n_row = N;
	for (int64_t i = 0; i < N; i++) {
		struct sim_cell c;

		sim_cell(s, i, &c);
		d->batch[i] = i < N - 20 ? c.sample : 2;
		d->truth[i] = (uint8_t)c.doublet;
		d->key[i] = 77 + (uint64_t)i * 3;
	}
	mem_free(scratch);
	sim_free(s);
}

static struct scrublet
find(const struct data *d, const struct scrublet_opt *o, int threads, struct err *e)
{
	struct par *p = par_new(threads, blas_thread);
	struct scrublet s;
	struct rows r;

	rows_memory(&r, &d->m, p);
	scrublet(&r, o, &s, p, e);
	rows_memory_clear(&r);
	par_free(p);
	return s;
}

static double
auroc(const struct data *d, const struct scrublet *s)
{
	double better = 0, n = 0;

	for (int i = 0; i < N - 20; i++)
		for (int j = 0; j < N - 20; j++)
			if (d->truth[i] && !d->truth[j]) {
				better += (s->score[i] > s->score[j]) + 0.5 * (s->score[i] == s->score[j]);
				n++;
			}
	return better / n;
}

static int
equal(const struct scrublet *a, const struct scrublet *b)
{
	return !memcmp(a->score, b->score, N * sizeof *a->score) && !memcmp(a->call, b->call, N);
}

static void
whole(int compat)
{
	struct data *d = mem_new(struct data, 1);
	struct scrublet_opt o = scrublet_default();
	struct scrublet a, b;
	struct err e = {0};
	int64_t called = 0, none = 0, alone = 1;
	const char *who = compat ? "compat" : "ours";

	make(d);
	o.compat = compat;
	o.batch = d->batch;
	o.n_batch = 3;
	o.key = d->key;
	o.n_pc = 10;
	a = find(d, &o, 1, &e);
	is_i64(e.code, 0, who);
	ok(auroc(d, &a) > (compat ? 0.8 : 0.85), "%s: doublets score higher (AUROC %.3f)", who, auroc(d, &a));
	o.n_pc = 30;
	scrublet_clear(&a);
	a = find(d, &o, 1, &e);
	ok(a.batch[2].why && !a.batch[0].why && !a.batch[1].why, "%s: 20 cells are too few", who);
	for (int i = 0; i < N; i++) {
		called += a.call[i] == 1;
		none += a.call[i] == 2;
		alone &= (d->batch[i] == 2) == (isnan(a.score[i]) && a.call[i] == 2);
	}
	ok(alone && none == 20, "%s: no score and no call for them, but for all others", who);
	is_i64(called, a.batch[0].n_called + a.batch[1].n_called, "calls add up");
	ok(a.batch[0].n_sim == 2 * a.batch[0].n && a.batch[0].k == (int64_t)rint(0.5 * sqrt((double)a.batch[0].n)), "%s: sizes", who);
	b = find(d, &o, 4, &e);
	ok(equal(&a, &b), "%s: the same with 4 threads", who);
	scrublet_clear(&b);
	o.hold = 0;
	b = find(d, &o, 2, &e);
	ok(equal(&a, &b), "%s: the same, one sample held at a time", who);
	scrublet_clear(&b);
	o.threshold = 0.2;
	b = find(d, &o, 1, &e);
	called = 0;
	for (int i = 0; i < N; i++)
		called += (b.call[i] == 1) != (b.score[i] > 0.2);
	ok(called == 0 && b.batch[1].threshold == 0.2, "%s: a given threshold", who);
	scrublet_clear(&b);
	o.threshold = NAN;
	o.score_most = 100;
	b = find(d, &o, 1, &e);
	is_i64(b.batch[0].n_scored, compat ? b.batch[0].n_sim : 100, "simulated doublets that get a score");
	ok(!memcmp(a.score, b.score, N * sizeof *a.score), "%s: the cells' scores do not depend on it", who);
	scrublet_clear(&b);
	scrublet_clear(&a);
	csr_clear(&d->m);
	mem_free(d);
}

/* No counts, one gene, one cell: sentences, not crashes. */
static void
empty(void)
{
	struct csr m = { .n_row = 40, .n_col = 5 };
	struct scrublet_opt o = scrublet_default();
	struct data d = {0};
	struct err e = {0};
	struct scrublet s;

	csr_reserve(&m, 40, 1);
	memset(m.ptr, 0, 41 * sizeof *m.ptr);
	d.m = m;
	for (o.compat = 0; o.compat < 2; o.compat++) {
		s = find(&d, &o, 1, &e);
		ok(!e.code && s.batch[0].why && s.batch[0].n_used == 0 && s.call[39] == 2, "a matrix of zeros");
		scrublet_clear(&s);
	}
	csr_clear(&m);
}

int
main(void)
{
	blas_init();
	pairs();
	thresholds();
	vscores();
	neighbours(900, 40, 300, "neighbours counted as by brute force");
	neighbours(21000, 70, 64, "neighbours counted as by brute force, with a pilot");
	whole(0);
	whole(1);
	empty();
	return done();
}
