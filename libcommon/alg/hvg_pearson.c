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
	struct batchsum sums;   /* of r(x) - r(0) and r(x)^2 - r(0)^2; first: batchsum_add */
	const struct hvg_opt *o;
	const struct genestat *s;
	const double *depth;
	struct batch *batch;    /* [n_batch] */
	struct layer_buf *buf;  /* [n_slot] */
	double *total;          /* [n_batch][n_col][2] */
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
find_depths(const struct hvg_opt *o, int64_t n_row, const double *depth, int b, int64_t n, struct depths *d)
{
	double *s = mem_new(double, n);
	int64_t m = 0;

	d->depth = mem_new(double, n);
	d->times = mem_new(double, n);
	for (int64_t i = 0; i < n_row; i++)
		if (hvg_batch(o, i) == b)
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

/* What the non-zeros of a block add. */
static int
add_block(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct job *j = ctx;
	struct layer_buf *buf = &j->buf[slot];

	(void)e;
	for (int64_t i = 0; i < m->n_row; i++) {
		int64_t n = m->ptr[i + 1] - m->ptr[i];
		const int32_t *col = m->col + m->ptr[i];
		const double *val = m->val + m->ptr[i];
		int b = hvg_batch(j->o, m->row0 + i);
		double *part, *mu, s, clip, per;
		const double *sum;

		if (b < 0 || !(j->depth[m->row0 + i] > 0))
			continue;
		if (n > buf->cap) {
			buf->cap = 2 * n;
			buf->y = mem_renew(buf->y, double, 2 * buf->cap);
		}
		part = batchsum_at(&j->sums, slot, b);
		clip = j->batch[b].clip;
		s = j->depth[m->row0 + i] / j->batch[b].all;
		sum = j->s->sum + b * j->s->n_col;
		per = 1 / j->o->theta;
		mu = buf->y;
		for (int64_t k = 0; k < n; k++)
			mu[k] = s * sum[col[k]];
		for (int64_t k = 0; k < n; k++)
			mu[buf->cap + k] = 1 / sqrt(mu[k] + mu[k] * mu[k] * per);
		for (int64_t k = 0; k < n; k++) {
			double r, zero, w = mu[buf->cap + k];

			if (mu[k] == 0)         /* a gene outside of the mask */
				continue;
			r = clamp((val[k] - mu[k]) * w, clip);
			zero = clamp(-mu[k] * w, clip);
			part[2 * col[k]] += r - zero;
			part[2 * col[k] + 1] += (r - zero) * (r + zero);
		}
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

/* Clips, totals and depths of all batches. */
static void
prepare(struct job *j, int64_t n_row)
{
	double first = 0;

	for (int b = 0; b < j->s->n_batch; b++) {
		struct batch *t = &j->batch[b];
		double own = sqrt((double)j->s->n[b]);

		if (first == 0)
			first = own;
		t->clip = j->o->clip > 0 ? j->o->clip : j->o->first_clip ? first : own;
		for (int64_t g = 0; g < j->s->n_col; g++)
			t->all += j->s->sum[b * j->s->n_col + g];
		t->exact = t->clip * t->clip < j->o->theta;
		find_depths(j->o, n_row, j->depth, b, j->s->n[b], &t->d);
	}
	chebyshev(j->point);
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
hvg_pearson(struct rows *r, const struct hvg_opt *o, const struct genestat *s, const double *depth,
	double *score, struct par *p, struct err *e)
{
	struct job j = { .o = o, .s = s, .depth = depth, .score = score };

	j.batch = mem_new(struct batch, s->n_batch);
	j.buf = mem_new(struct layer_buf, r->n_slot);
	j.total = mem_new(double, s->n_batch * s->n_col * 2);
	prepare(&j, r->n_row);
	batchsum_init(&j.sums, s->n_batch, s->n_col, 2, r->n_slot);
	rows_pass(r, add_block, batchsum_add, &j, e);
	batchsum_end(&j.sums, j.total);
	for (int b = 0; b < s->n_batch && !e->code; b++)
		score_batch(&j, b, p, e);
	for (int b = 0; b < s->n_batch; b++) {
		mem_free(j.batch[b].d.depth);
		mem_free(j.batch[b].d.times);
	}
	layer_free(j.buf, r->n_slot);
	mem_free(j.batch);
	mem_free(j.total);
	return e->code;
}
