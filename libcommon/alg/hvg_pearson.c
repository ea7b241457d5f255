/* hvg_pearson - variance of Pearson residuals, closed over zeros
 *
 * Of cell i with depth s and a gene with the share t = total / all, mu = s t,
 * the residual of a count x is (x - mu) / sqrt(mu + mu^2 / theta).  All N residuals of a gene
 * count, but that of a zero depends on s and t alone.  So
 *
 *	sum over cells = zeros(t) + sum over non-zeros of (r(x) - r(0))
 *
 * where zeros(t) sums r(0) as if every cell held a zero, once for each distinct
 * depth.  zeros(t) is analytic in t with its nearest singularity at
 * t = -theta / max(s), outside of every octave [2^k, 2^(k+1)]: it is evaluated at Chebyshev
 * points of the octaves that occur and interpolated (relative error 1e-15), and
 * costs (octaves x points x depths), not (genes x depths).  r(0) > -sqrt(theta), so the lower
 * clip matters only when it is smaller (N < 100); then zeros(t) is summed for every gene.
 */
#include "alg/hvg_impl.h"

#include "alg/lanes.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

#define POINTS 24       /* of an octave: 5.8^-24 = 4e-19 */
#define OCTAVES 64

/* Distinct depths of a batch. */
struct depths {
	int64_t n;
	double *depth;          /* [n] rising */
	double *times;          /* [n] cells of this depth */
};

struct batch {
	double all;             /* sum of all counts */
	double clip;
	struct depths d;
	int exact;              /* sum zeros(t) for every gene */
	double first[OCTAVES][POINTS], second[OCTAVES][POINTS]; /* sums of r(0) / sqrt(t), r(0)^2 / t at the points */
};

struct job {
	const struct hvg_opt *o;
	const struct genestat *s;
	struct batch *batch;    /* [n_batch] */
	const double *total;    /* [n_batch][n_col][2] */
	double *score;
	int b;                  /* the batch that par_for works at */
	uint8_t used[OCTAVES];
	double point[POINTS];   /* in [1, 2] */
};

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
find_depths(const int32_t *batch, int64_t n_row, const double *depth, int b, int64_t n, struct depths *d)
{
	double *s = mem_new(double, n);
	int64_t m = 0;

	d->depth = mem_new(double, n);
	d->times = mem_new(double, n);
	for (int64_t i = 0; i < n_row; i++)
		if ((batch ? batch[i] : 0) == b)
			s[m++] = depth[i];
	qsort(s, (size_t)m, sizeof *s, compare);
	for (int64_t i = 0; i < m; i++) {
		if (!d->n || s[i] != d->depth[d->n - 1])
			d->depth[d->n++] = s[i];
		d->times[d->n - 1]++;
	}
	mem_free(s);
}

static double
clamp(double r, double clip)
{
	return r > clip ? clip : r < -clip ? -clip : r;
}

/* zeros(t) and the same of squares, without a clip: both divided by the power of t that they
 * fall with. */
static void
zeros(const struct depths *d, double t, double theta, double *first, double *second)
{
	double a = 0, b = 0;

	for (int64_t i = 0; i < d->n; i++) {
		double q = theta * d->depth[i] / (theta + d->depth[i] * t);

		a -= d->times[i] * sqrt(q);
		b += d->times[i] * q;
	}
	*first = a;
	*second = b;
}

static void
zeros_clipped(const struct depths *d, double t, double theta, double clip, double *first, double *second)
{
	*first = *second = 0;
	for (int64_t i = 0; i < d->n; i++) {
		double r = clamp(-sqrt(theta * d->depth[i] * t / (theta + d->depth[i] * t)), clip);

		*first += d->times[i] * r;
		*second += d->times[i] * r * r;
	}
}

/* Value at x in [1, 2] of the polynomial through y at the points (barycentric). */
static double
interpolate(const double *point, const double *y, double x)
{
	double num = 0, den = 0;

	for (int k = 0; k < POINTS; k++) {
		double w = (k % 2 ? -1 : 1) * (k == 0 || k == POINTS - 1 ? 0.5 : 1);

		if (x == point[k])
			return y[k];
		w /= x - point[k];
		num += w * y[k];
		den += w;
	}
	return num / den;
}

/* The share t of a gene as x 2^-octave, x in [1, 2]; t <= 1. */
static int
octave(double t, double *x)
{
	int k;

	*x = 2 * frexp(t, &k);
	return 1 - k;
}

static int
octave_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct job *j = ctx;
	struct batch *b = &j->batch[j->b];

	(void)worker;
	(void)e;
	for (int64_t i = lo; i < hi; i++) {
		int k = (int)(i / POINTS), q = (int)(i % POINTS);

		if (j->used[k])
			zeros(&b->d, ldexp(j->point[q], -k), j->o->theta, &b->first[k][q], &b->second[k][q]);
	}
	return 0;
}

/* Score of each gene from the sums over its non-zeros and zeros(t). */
static int
gene_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct job *j = ctx;
	const struct batch *b = &j->batch[j->b];
	int64_t at = j->b * j->s->n_col;
	double n = (double)j->s->n[j->b];

	(void)worker;
	(void)e;
	for (int64_t g = lo; g < hi; g++) {
		double t = j->s->sum[at + g] / b->all, x, r, r2;
		const double *part = j->total + 2 * (at + g);

		j->score[at + g] = 0;
		if (!(t > 0))
			continue;
		if (b->exact) {
			zeros_clipped(&b->d, t, j->o->theta, b->clip, &r, &r2);
		} else {
			int k = octave(t, &x);

			r = sqrt(t) * interpolate(j->point, b->first[k], x);
			r2 = t * interpolate(j->point, b->second[k], x);
		}
		r = (r + part[0]) / n;
		j->score[at + g] = (r2 + part[1]) / n - r * r;
	}
	return 0;
}

/* Chebyshev points of [1, 2], rising angles, by rotation: libm's cos may differ in the last bit. */
static void
chebyshev(double *point)
{
	const double c = 0x1.fb3b3035aa6cdp-1, s = 0x1.16de8a4564f0ap-3;        /* pi / (POINTS - 1) */
	double x = 1, y = 0;

	for (int k = 0; k < POINTS; k++) {
		double turn = x * c - y * s;

		point[k] = 1.5 + 0.5 * x;
		y = x * s + y * c;
		x = turn;
	}
}

/* The clip of batch b, and the sum of its counts. */
static double
clip_of(const struct hvg_opt *o, const struct genestat *s, int b)
{
	int first = 0;

	while (first < s->n_batch - 1 && !s->n[first])
		first++;
	return o->clip > 0 ? o->clip : sqrt((double)s->n[o->first_clip ? first : b]);
}

static double
all_of(const struct genestat *s, int b)
{
	double all = 0;

	for (int64_t g = 0; g < s->n_col; g++)
		all += s->sum[b * s->n_col + g];
	return all;
}

static void
score_batch(struct job *j, int b, struct par *p, struct err *e)
{
	j->b = b;
	memset(j->used, 0, sizeof j->used);
	for (int64_t g = 0; g < j->s->n_col; g++) {
		double x, t = j->s->sum[b * j->s->n_col + g] / j->batch[b].all;

		if (t > 0) {
			int k = octave(t, &x);

			/* shares below 2^-63 cannot be of counts that fit a run of cells */
			if (k >= OCTAVES)
				j->batch[b].exact = 1;
			else
				j->used[k] = 1;
		}
	}
	if (!j->batch[b].exact)
		par_for(p, OCTAVES * POINTS, 1, octave_block, j, e);
	par_for(p, j->s->n_col, 64, gene_block, j, e);
}

int
hvg_pearson(const struct hvg_opt *o, const struct genestat *s, const double *total, const double *depth,
	const int32_t *batch, int64_t n_row, double *score, struct par *p, struct err *e)
{
	struct job j = { .o = o, .s = s, .total = total, .score = score };

	j.batch = mem_new(struct batch, s->n_batch);
	chebyshev(j.point);
	for (int b = 0; b < s->n_batch && !e->code; b++) {
		struct batch *t = &j.batch[b];

		t->clip = clip_of(o, s, b);
		t->all = all_of(s, b);
		t->exact = t->clip * t->clip < o->theta;
		find_depths(batch, n_row, depth, b, s->n[b], &t->d);
		score_batch(&j, b, p, e);
		mem_free(t->d.depth);
		mem_free(t->d.times);
	}
	mem_free(j.batch);
	return e->code;
}

/* --- the pass ---------------------------------------------------------------- */

#define LANE 8
typedef double lane __attribute__((vector_size(8 * LANE), aligned(8), may_alias));
typedef int64_t mask __attribute__((vector_size(8 * LANE), aligned(8), may_alias));
typedef double pair __attribute__((vector_size(16), may_alias));

struct pass {
	struct batchsum sums;   /* of r(x) - r(0) and r(x)^2 - r(0)^2; first: batchsum_add */
	const struct hvg_opt *o;
	int64_t n_col;
	const double *sum;      /* [n_batch][n_col] of the rows' columns */
	double *all, *clip;     /* [n_batch] */
	double *depth;          /* [n_row] */
	struct layer_buf *buf;  /* [n_slot] */
};

/* Sum of the x [n] whose gene has a sum at all: the others are outside of the mask.  Whole numbers, so their order does not
 * matter.  n is a multiple of LANE here and below. */
static WIDE double
depth_of(const double *x, const double *sum, int64_t n)
{
	lane s = {0};
	double all = 0;

	for (int64_t k = 0; k < n; k += LANE)
		s += (lane)((mask)*(const lane *)(x + k) & (*(const lane *)(sum + k) > 0));
	for (int i = 0; i < LANE; i++)
		all += s[i];
	return all;
}

/* What non-zeros x with the expectations mu = s sum add: first gets r(x) - r(0), and sum, in its place, r(x)^2 - r(0)^2; 0 where
 * sum is 0.  1 / sqrt by four steps of Newton's from a guess by the bits: products alone, so that every CPU has the
 * same result, and faster than a root and a division. */
static WIDE void
residuals(const double *x, double *sum, double *first, int64_t n, double s, double per, double clip)
{
	const lane most = (lane){0} + clip, least = -most;

	for (int64_t k = 0; k < n; k += LANE) {
		lane *second = (lane *)(sum + k), m = *second * s, v = m + m * m * per, half = 0.5 * v, w, r, zero;
		mask live = m > 0, over, under;

		w = (lane)(0x5fe6eb50c7b537a9 - ((mask)v >> 1));
		w = w * (1.5 - half * w * w);
		w = w * (1.5 - half * w * w);
		w = w * (1.5 - half * w * w);
		w = w * (1.5 - half * w * w);
		r = (*(const lane *)(x + k) - m) * w;
		zero = -m * w;
		over = r > most;
		r = (lane)(((mask)r & ~over) | ((mask)most & over));
		under = r < least;
		r = (lane)(((mask)r & ~under) | ((mask)least & under));
		under = zero < least;
		zero = (lane)(((mask)zero & ~under) | ((mask)least & under));
		*(lane *)(first + k) = (lane)((mask)(r - zero) & live);
		*second = (lane)((mask)((r - zero) * (r + zero)) & live);
	}
}

static int
add_block(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct pass *j = ctx;
	struct layer_buf *buf = &j->buf[slot];

	(void)e;
	for (int64_t i = 0; i < m->n_row; i++) {
		int64_t n = m->ptr[i + 1] - m->ptr[i], even = n / LANE * LANE;
		const int32_t *col = m->col + m->ptr[i];
		const double *val = m->val + m->ptr[i], *sum;
		double tail[LANE] = {0}, *first, *second, s;
		int b = hvg_batch(j->o, m->row0 + i);
		pair *part;

		j->depth[m->row0 + i] = 0;
		if (b < 0)
			continue;
		if (n + LANE > buf->cap) {
			buf->cap = 2 * n + LANE;
			buf->y = mem_renew(buf->y, double, 2 * buf->cap);
		}
		part = batchsum_at(&j->sums, slot, b);
		sum = j->sum + b * j->n_col;
		first = buf->y;
		second = first + buf->cap;
		for (int64_t k = 0; k < n; k++)
			second[k] = sum[col[k]];
		for (int64_t k = n; k < even + LANE; k++)
			second[k] = 0;
		memcpy(tail, val + even, (size_t)(n - even) * sizeof *tail);
		s = depth_of(val, second, even) + depth_of(tail, second + even, LANE);
		j->depth[m->row0 + i] = s;
		s /= j->all[b];
		residuals(val, second, first, even, s, 1 / j->o->theta, j->clip[b]);
		residuals(tail, second + even, first + even, LANE, s, 1 / j->o->theta, j->clip[b]);
		for (int64_t k = 0; k < n; k++)
			part[col[k]] += (pair){ first[k], second[k] };
	}
	return 0;
}

int
hvg_pearson_sums(struct rows *r, const struct hvg_opt *o, const struct genestat *s, double *depth, struct sumtree *t,
	struct err *e)
{
	struct pass j = { .o = o, .n_col = s->n_col, .depth = depth };
	double *sum = hvg_stored(o, s->sum, s->n_batch, s->n_col);

	j.sum = sum;
	j.all = mem_new(double, s->n_batch);
	j.clip = mem_new(double, s->n_batch);
	for (int b = 0; b < s->n_batch; b++) {
		j.all[b] = all_of(s, b);
		j.clip[b] = clip_of(o, s, b);
	}
	j.buf = mem_new(struct layer_buf, r->n_slot);
	batchsum_init(&j.sums, s->n_batch, s->n_col, 2, r->n_slot);
	batchsum_begin(&j.sums, t);
	rows_pass(r, add_block, batchsum_add, &j, e);
	batchsum_give(&j.sums, o->order, t);
	layer_free(j.buf, r->n_slot);
	mem_free(j.all);
	mem_free(j.clip);
	mem_free(sum);
	return e->code;
}
