/* hvg_v3 - variance of standardised, clipped counts
 *
 * sigma^2 of a gene is what a loess of log10 variance on log10 mean expects.  Counts are
 * clipped at mean + sigma sqrt(N); the score is the sum of (x - mean)^2 of what
 * is left, over (N - 1) sigma^2.  A second pass collects only what the clip takes away.
 */
#include "alg/hvg_impl.h"

#include <math.h>
#include "alg/lanes.h"
#include "alg/loess.h"
#include "base/mem.h"

#define LOG10_E 0x1.bcb7b1526e50ep-2
#define LN_10 0x1.26bb1bbb55516p+1

struct job {
	struct batchsum sums;   /* what the clip takes from the sums of x and x^2; first: batchsum_add */
	const struct hvg_opt *o;
	int64_t n_col;
	const double *limit;    /* [n_batch][n_col], of the rows' columns */
	float *below;           /* [n_batch][n_col] not above those: half as much to be looked at */
};

/* Expected variances [n_col] of one batch; 1 for constant genes. */
static int
expected(const struct hvg_opt *o, int64_t n_col, const double *mean, const double *var, double *sigma2, struct err *e)
{
	double *x = mem_new(double, 3 * n_col), *y = x + n_col, *fit = y + n_col;
	int64_t n = 0;

	for (int64_t j = 0; j < n_col; j++)
		if (var[j] > 0) {
			x[n] = num_log(mean[j]) * LOG10_E;
			y[n++] = num_log(var[j]) * LOG10_E;
		}
	if (!e->code && (double)n * o->span < 3 - 1e-5)
		err_set(e, ERR_DATA, "only %lld genes vary%s: too few for the expected variances; take more cells%s, another flavour%s",
		    (long long)n, o->n_batch > 1 ? " within a batch" : "", o->n_batch > 1 ? " or coarser batches" : " or genes",
		    o->span < 1 ? ", or a larger --span" : "");
	loess_fit(x, y, n, o->span, 2, fit, e);
	n = 0;
	for (int64_t j = 0; j < n_col; j++)
		sigma2[j] = var[j] > 0 && !e->code ? num_exp(fit[n++] * LN_10) : 1;
	mem_free(x);
	return e->code;
}

#define PART 64

/* Whether one of PART values may be above its limit. */
static WIDE int
some_above(const double *x, const int32_t *col, const float *below)
{
	int some = 0;

	for (int k = 0; k < PART; k++)
		some |= (float)x[k] >= below[col[k]];
	return some;
}

/* What the clip takes from the values x [n] of one row.  Nearly all are below their limits, so that they are compared in parts. */
static void
clip_row(double *part, const double *limit, const float *below, const int32_t *col, const double *x, int64_t n)
{
	for (int64_t lo = 0; lo < n; lo += PART) {
		int64_t hi = lo + PART < n ? lo + PART : n;

		if (hi - lo == PART && !some_above(x + lo, col + lo, below))
			continue;
		for (int64_t k = lo; k < hi; k++) {
			double most = limit[col[k]], *p = part + 2 * (int64_t)col[k];

			if (x[k] > most) {
				p[0] += x[k] - most;
				p[1] += x[k] * x[k] - most * most;
			}
		}
	}
}

static int
clip_block(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct job *j = ctx;

	(void)e;
	for (int64_t i = 0; i < m->n_row; i++) {
		int b = hvg_batch(j->o, m->row0 + i);

		if (b >= 0)
			clip_row(batchsum_at(&j->sums, slot, b), j->limit + b * j->n_col, j->below + b * j->n_col, m->col + m->ptr[i], m->val + m->ptr[i],
			    m->ptr[i + 1] - m->ptr[i]);
	}
	return 0;
}

/* sigma2 and limit [n_batch][n_col]. */
static int
expect_all(const struct hvg_opt *o, const struct genestat *s, double *sigma2, double *limit, struct err *e)
{
	int64_t n_col = s->n_col;

	for (int b = 0; b < s->n_batch; b++)
		if (s->n[b])
			expected(o, n_col, s->mean + b * n_col, s->var + b * n_col, sigma2 + b * n_col, e);
	for (int64_t i = 0; i < s->n_batch * n_col; i++)
		limit[i] = s->mean[i] + sqrt(sigma2[i] * (double)s->n[i / n_col]);
	return e->code;
}

int
hvg_v3_sums(struct rows *r, const struct hvg_opt *o, const struct genestat *s, struct sumtree *t, struct err *e)
{
	int64_t n_col = s->n_col, size = s->n_batch * n_col;
	double *sigma2 = mem_new(double, size), *limit = mem_new(double, size), *stored;
	struct job j = { .o = o, .n_col = n_col };

	expect_all(o, s, sigma2, limit, e);
	j.limit = stored = hvg_stored(o, limit, s->n_batch, n_col);
	j.below = mem_new(float, size);
	for (int64_t i = 0; i < size; i++)
		j.below[i] = nextafterf((float)j.limit[i], -INFINITY);
	batchsum_init(&j.sums, s->n_batch, n_col, 2, r->n_slot);
	batchsum_begin(&j.sums, t);
	rows_pass(r, clip_block, batchsum_add, &j, e);
	batchsum_give(&j.sums, o->order, t);
	mem_free(sigma2);
	mem_free(limit);
	mem_free(stored);
	mem_free(j.below);
	return e->code;
}

int
hvg_v3(const struct hvg_opt *o, const struct genestat *s, const double *taken, double *score, struct err *e)
{
	int64_t n_col = s->n_col, size = s->n_batch * n_col;
	double *sigma2 = mem_new(double, size), *limit = mem_new(double, size);

	expect_all(o, s, sigma2, limit, e);
	for (int64_t i = 0; i < size; i++) {
		double n = (double)s->n[i / n_col], mean = s->mean[i];
		double sum = s->sum[i] - taken[2 * i], sum2 = s->sum2[i] - taken[2 * i + 1];

		score[i] = n > 1 ? (n * mean * mean + sum2 - 2 * sum * mean) / ((n - 1) * sigma2[i]) : 0;
	}
	mem_free(sigma2);
	mem_free(limit);
	return e->code;
}
