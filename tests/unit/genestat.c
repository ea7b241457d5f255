/* genestat, layer and logexp: against libm and two-pass sums */
#include "alg/genestat.h"
#include "base/mem.h"
#include "base/rng.h"
#include "num/logexp.h"
#include "os/par.h"
#include "../t.h"

/* Error in units of the last place of want. */
static double
ulps(double got, long double want)
{
	double w = (double)want;

	if (got == w || (isnan(got) && isnan(w)))
		return 0;
	return (double)(fabsl(got - want) / fmaxl(nextafter(fabs(w), INFINITY) - fabs(w), 0x1p-1074L));
}

static void
test_logexp(void)
{
	struct rng r = rng_make(1, RNG_TEST, 1);
	double worst[3] = {0}, x[1000], y[1000];
	int same = 1;

	for (int round = 0; round < 300; round++) {
		for (int i = 0; i < 1000; i++)
			x[i] = exp((rng_u01(&r) - 0.5) * (round % 3 == 0 ? 1400 : round % 3 == 1 ? 40 : 0.5));
		num_log_n(x, y, 1000);
		for (int i = 0; i < 1000; i++) {
			worst[0] = fmax(worst[0], ulps(y[i], logl(x[i])));
			same &= y[i] == num_log(x[i]);
		}
		for (int i = 0; i < 1000; i++)
			x[i] = i % 4 ? x[i] : -rng_u01(&r) * (i % 8 ? 1 : 1e-9);
		num_log1p_n(x, y, 1000);
		for (int i = 0; i < 1000; i++) {
			worst[1] = fmax(worst[1], ulps(y[i], log1pl(x[i])));
			same &= y[i] == num_log1p(x[i]);
		}
		for (int i = 0; i < 1000; i++)
			x[i] = (rng_u01(&r) - 0.5) * (round % 2 ? 1416 : 3);
		num_exp_n(x, y, 1000);
		for (int i = 0; i < 1000; i++) {
			worst[2] = fmax(worst[2], ulps(y[i], expl(x[i])));
			same &= y[i] == num_exp(x[i]);
		}
	}
	ok(worst[0] < 1, "log within one unit of the last place (%.2f)", worst[0]);
	ok(worst[1] < 1, "log1p (%.2f)", worst[1]);
	ok(worst[2] < 1, "exp (%.2f)", worst[2]);
	ok(same, "arrays give the bits of single values");
	ok(num_log(0) == -INFINITY && isnan(num_log(-1)) && num_log(INFINITY) == INFINITY && isnan(num_log(NAN)) &&
		num_log(1) == 0, "special values of log");
	ok(num_log1p(0) == 0 && signbit(num_log1p(-0.0)) && num_log1p(-1) == -INFINITY && isnan(num_log1p(-2)) &&
		num_log1p(INFINITY) == INFINITY && num_log1p(1e-300) == 1e-300 && isnan(num_log1p(NAN)),
		"special values of log1p");
	ok(num_exp(0) == 1 && num_exp(-INFINITY) == 0 && num_exp(INFINITY) == INFINITY && isnan(num_exp(NAN)) &&
		num_exp(-800) == 0 && num_exp(800) == INFINITY && num_exp(-745) > 0, "special values of exp");
	near(num_log(5e-324), log(5e-324), 1e-15, "log of the smallest number");
	near(num_log1p(1.7e308), log1p(1.7e308), 1e-15, "log1p of the largest");
	/* the bits themselves: a compiler that contracts or reorders fails here */
	ok(num_log(10) == 0x1.26bb1bbb55516p+1 && num_log1p(0.1) == 0x1.8663f793c46c7p-4 &&
		num_exp(1) == 0x1.5bf0a8b14576ap+1, "golden bits");
}

static struct csr
make(int64_t n, int64_t g, uint64_t seed)
{
	struct csr m = { .n_row = n, .n_col = g };
	struct rng r = rng_make(seed, RNG_TEST, 2);

	csr_reserve(&m, n, n * g);
	for (int64_t i = 0; i < n; i++) {
		int64_t at = m.ptr[i];

		for (int64_t j = 0; j < g; j++) {
			int64_t x = j == 0 ? 3 : rng_poisson(&r, 4.0 / (double)(j + 1));

			if (j == 1 && rng_below(&r, 50) == 0)
				x = 4294967295;
			if (!x || j == g - 1)
				continue;
			m.col[at] = (int32_t)j;
			m.val[at++] = (double)x;
		}
		m.ptr[i + 1] = at;
	}
	return m;
}

/* Two-pass statistics of one gene over the rows that belong to a batch. */
static void
brute(const struct csr *m, const struct genestat_opt *o, int b, int64_t g, double *n_cells, double *mean, double *var)
{
	long double sum = 0, m2 = 0;
	int64_t n = 0;

	*n_cells = 0;
	for (int pass = 0; pass < 2; pass++)
		for (int64_t i = 0; i < m->n_row; i++) {
			double y = 0;

			if ((o->keep && !o->keep[i]) || (o->batch && o->batch[i] != b))
				continue;
			for (int64_t k = m->ptr[i]; k < m->ptr[i + 1]; k++)
				if (m->col[k] == g)
					y = o->layer ? log1p(m->val[k] / o->layer->row_div[i]) : m->val[k];
			if (pass)
				m2 += (y - sum / n) * (y - sum / n);
			else
				sum += y;
			n += !pass;
			*n_cells += !pass && y > 0;
		}
	*mean = n ? (double)(sum / n) : 0;
	*var = n > 1 ? (double)(m2 / (n - 1)) : 0;
}

static void
compare(const struct csr *m, const struct genestat_opt *o, const char *what)
{
	struct rows r1, r2;
	struct par *p = par_new(3, NULL);
	struct genestat a, b;
	struct err e = {0};
	double *sum = mem_new(double, m->n_row);
	int good = 1, same;

	rows_memory(&r1, m, NULL);
	rows_memory(&r2, m, p);
	genestat_get(&r1, o, sum, &a, &e);
	genestat_get(&r2, o, NULL, &b, &e);
	same = !memcmp(a.var, b.var, (size_t)(a.n_batch * a.n_col) * sizeof *a.var) &&
		!memcmp(a.sum2, b.sum2, (size_t)(a.n_batch * a.n_col) * sizeof *a.var);
	for (int c = 0; c < a.n_batch; c++)
		for (int64_t j = 0; j < a.n_col; j++) {
			double n_cells, mean, var;
			int64_t at = c * a.n_col + j;

			brute(m, o, c, j, &n_cells, &mean, &var);
			if (o->gene && !o->gene[j])
				n_cells = mean = var = 0;
			good &= (double)a.n_cells[at] == n_cells && fabs(a.mean[at] - mean) <= 1e-13 * fabs(mean) &&
				fabs(a.var[at] - var) <= 1e-10 * var;
			if (!good) {
				printf("# batch %d gene %d: %.17g %.17g, want %.17g %.17g\n", c, (int)j,
					a.mean[at], a.var[at], mean, var);
				break;
			}
		}
	ok(!e.code && good, "%s", what);
	ok(same, "... the same bytes with three threads");
	genestat_clear(&a);
	genestat_clear(&b);
	rows_memory_clear(&r1);
	rows_memory_clear(&r2);
	par_free(p);
	mem_free(sum);
}

static void
test_clipped(const struct csr *m, const struct layer *lognorm)
{
	struct layer l = *lognorm;
	struct genestat_opt o = { .layer = lognorm };
	struct genestat s;
	struct rows r;
	struct err e = {0};
	int64_t *got = mem_new(int64_t, m->n_col);
	double *std = mem_new(double, m->n_col), *row = mem_new(double, m->n_col);
	int good = 1;

	rows_memory(&r, m, NULL);
	genestat_get(&r, &o, NULL, &s, &e);
	genestat_std(s.var, s.n_col, std);
	ok(std[m->n_col - 1] == 1, "a gene without counts gets the standard deviation 1");
	l.mean = s.mean;
	l.std = std;
	l.clip = 1.5;
	genestat_clipped(&r, &l, NULL, got, &e);
	for (int64_t i = 0; i < m->n_row; i++) {
		memset(row, 0, (size_t)m->n_col * sizeof *row);
		for (int64_t k = m->ptr[i]; k < m->ptr[i + 1]; k++)
			row[m->col[k]] = num_log1p(m->val[k] / l.row_div[i]);
		for (int64_t j = 0; j < m->n_col; j++)
			got[j] -= fabs((row[j] - s.mean[j]) / std[j]) > 1.5;
	}
	for (int64_t j = 0; j < m->n_col; j++)
		good &= got[j] == 0;
	ok(good, "clipped values are counted, zeros too");
	ok(layer_scale(&l, 1, 1e9) == 1.5 && layer_scale(&l, 1, -1e9) == -1.5, "the clip");
	genestat_clear(&s);
	rows_memory_clear(&r);
	mem_free(got);
	mem_free(std);
	mem_free(row);
}

/* Rows with other columns, given in pieces, or many at once. */
struct odd {
	struct csr m;
	int64_t piece;
};

static int
odd_pass(struct rows *r, rows_fn *fn, rows_fn *sum, void *ctx, struct err *e)
{
	struct odd *o = r->self;
	struct csr part = o->m;
	int64_t ptr[2000];

	part.ptr = ptr;
	for (int64_t lo = 0; lo < r->n_row; lo += part.n_row) {
		int64_t end = o->piece > ROWS_BLOCK ? r->n_row : (lo / ROWS_BLOCK + 1) * ROWS_BLOCK, at = o->m.ptr[lo];

		part.row0 = lo;
		part.n_row = lo + o->piece < end ? o->piece : end - lo;
		part.n_row = lo + part.n_row < r->n_row ? part.n_row : r->n_row - lo;
		for (int64_t i = 0; i <= part.n_row; i++)
			ptr[i] = o->m.ptr[lo + i] - at;
		part.col = o->m.col + at;
		part.val = o->m.val + at;
		fn(ctx, &part, 0, e);
		if (sum && (lo + part.n_row == end || lo + part.n_row == r->n_row))
			sum(ctx, &part, 0, e);
	}
	return e->code;
}

static void
test_order(const struct csr *m, const struct layer *l)
{
	struct odd odd = { .m = *m };
	struct rows r1, r2 = { .n_row = m->n_row, .n_col = m->n_col, .n_slot = 1, .self = &odd, .pass = odd_pass };
	int32_t order[40], place[40];
	uint8_t gene[40];
	struct genestat a, b;
	struct err e = {0};
	int same[3] = { 1, 1, 1 };

	for (int j = 0; j < 40; j++) {
		place[j] = (j * 7 + 3) % 40;
		order[place[j]] = j;
		gene[j] = j % 3 > 0;
	}
	odd.m.col = mem_new(int32_t, m->ptr[m->n_row]);
	for (int64_t k = 0; k < m->ptr[m->n_row]; k++)
		odd.m.col[k] = place[m->col[k]];
	rows_memory(&r1, m, NULL);
	for (int k = 0; k < 6; k++) {
		struct genestat_opt o = { .layer = k % 2 ? l : NULL, .gene = k % 3 == 1 ? gene : NULL };

		odd.piece = k < 2 ? 7 : k < 4 ? ROWS_BLOCK : 1900;
		genestat_get(&r1, &o, NULL, &a, &e);
		o.order = order;
		genestat_get(&r2, &o, NULL, &b, &e);
		/* that many at once have other partial sums, which shows where they are not exact */
		for (int64_t j = 0; j < a.n_col; j++)
			same[k / 2] &= a.n_cells[j] == b.n_cells[j] && (k < 4 ? a.sum[j] == b.sum[j] && a.var[j] == b.var[j] :
				is_near(a.mean[j], b.mean[j], 1e-13) && fabs(a.var[j] - b.var[j]) <= 1e-9 * b.var[j]);
		genestat_clear(&a);
		genestat_clear(&b);
	}
	ok(same[0] && !e.code, "other columns, blocks in pieces: the same bits");
	ok(same[1], "other columns, whole blocks");
	ok(same[2], "more rows at once than small sums have room for");
	rows_memory_clear(&r1);
	mem_free(odd.m.col);
}

int
main(void)
{
	struct csr m = make(3000, 40, 5);
	double *div = mem_new(double, m.n_row);
	int32_t *batch = mem_new(int32_t, m.n_row);
	uint8_t *keep = mem_new(uint8_t, m.n_row), *gene = mem_new(uint8_t, m.n_col);
	struct layer l = { .row_div = div, .log1p = 1 };

	for (int64_t i = 0; i < m.n_row; i++) {
		div[i] = 0.01 + (double)(i % 97) / 50;
		batch[i] = (int32_t)(i * 7 % 5) - 1;
		keep[i] = i % 3 != 0;
	}
	for (int64_t j = 0; j < m.n_col; j++)
		gene[j] = j % 4 != 0;
	test_logexp();
	compare(&m, &(struct genestat_opt){0}, "counts");
	compare(&m, &(struct genestat_opt){ .layer = &l }, "log values");
	compare(&m, &(struct genestat_opt){ .keep = keep, .gene = gene }, "masks of cells and genes");
	compare(&m, &(struct genestat_opt){ .batch = batch, .n_batch = 4, .layer = &l }, "batches, mixed in a block");
	test_clipped(&m, &l);
	test_order(&m, &l);
	csr_clear(&m);
	mem_free(div);
	mem_free(batch);
	mem_free(keep);
	mem_free(gene);
	return done();
}
