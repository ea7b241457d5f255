/* kmeans - see kmeans.h */
#include "alg/kmeans.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/rng.h"
#include "num/blas.h"

#define ROWS 256                /* rows of one matrix product */
#define PARTS 32                /* partial sums over all points */
#define CANDS_MAX 16

struct point {
	uint64_t hash, key;
	int64_t i;
};

/* One set of points with what Lloyd's iterations need. */
struct work {
	const float *x;         /* [n][d] */
	int64_t n;
	int d, k;
	float *norm2;           /* [n] squared lengths */
	float *dist2;           /* [n] to the nearest centre */
	int32_t *label;         /* [n] */
	const float *centre;    /* [k][d] */
	float *cnorm2;          /* [k] */
	double *part;           /* [PARTS][k d + k + 1] sums, counts, inertia */
	int64_t n_part;         /* doubles of one part */
	int64_t rows_part;      /* points of one part */
	float *dots;            /* [workers][ROWS][k] */
	/* seeding only */
	int n_cand, uniform;
	float *cand;            /* [n_cand][d] */
	float *cdist;           /* [n][n_cand] */
	double *pot;            /* [blocks][n_cand] */
};

static int
point_cmp(const void *a, const void *b)
{
	const struct point *p = a, *q = b;

	if (p->hash != q->hash)
		return p->hash < q->hash ? -1 : 1;
	if (p->key != q->key)
		return p->key < q->key ? -1 : 1;
	return p->i < q->i ? -1 : p->i > q->i;
}

/* The m points with the smallest hashes, in that order: a sample without
 * replacement, shuffled.  Points above a hash that m points stay below almost
 * surely are never sorted. */
static struct point *
draw_sample(int64_t n, int64_t m, const struct kmeans_opt *o)
{
	double share = m < n ? ((double)m + 6 * sqrt((double)m) + 16) / (double)n : 1;

	for (;;) {
		uint64_t limit = share < 1 ? (uint64_t)(share * 0x1p64) : UINT64_MAX;
		int64_t cap = 1024, got = 0;
		struct point *s = mem_renew(NULL, struct point, cap);

		for (int64_t i = 0; i < n; i++) {
			uint64_t key = o->key ? o->key[i] : (uint64_t)i;
			struct rng r = rng_make(o->seed, RNG_KMEANS, key);
			uint64_t h = rng_u64(&r);

			if (h > limit)
				continue;
			if (got == cap)
				s = mem_renew(s, struct point, cap *= 2);
			s[got++] = (struct point){h, key, i};
		}
		if (got >= m) {
			qsort(s, (size_t)got, sizeof *s, point_cmp);
			return s;
		}
		mem_free(s);
		share = 1;
	}
}

static float
length2(const float *x, int d)
{
	double s = 0;

	for (int j = 0; j < d; j++)
		s += (double)x[j] * x[j];
	return (float)s;
}

static int
norm_rows(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct work *w = ctx;

	(void)worker;
	for (int64_t i = lo; i < hi; i++) {
		w->norm2[i] = length2(w->x + i * w->d, w->d);
		if (!isfinite(w->norm2[i]))
			return err_set(e, ERR_NUMERIC, "k-means: point %lld is not finite", (long long)i + 1);
	}
	return e->code;
}

static void
work_init(struct work *w, const float *x, int64_t n, int d, int k, struct par *p, struct err *e)
{
	memset(w, 0, sizeof *w);
	w->x = x;
	w->n = n;
	w->d = d;
	w->k = k;
	w->norm2 = mem_raw(float, n);
	w->dist2 = mem_raw(float, n);
	w->label = mem_new(int32_t, n);
	w->cnorm2 = mem_raw(float, k);
	w->n_part = (int64_t)k * d + k + 1;
	w->part = mem_raw(double, PARTS * w->n_part);
	w->rows_part = ((n + PARTS - 1) / PARTS + ROWS - 1) / ROWS * ROWS;
	w->dots = mem_raw(float, (int64_t)par_n(p) * ROWS * k);
	par_for(p, n, ROWS, norm_rows, w, e);
}

static void
work_clear(struct work *w)
{
	mem_free(w->norm2);
	mem_free(w->dist2);
	mem_free(w->label);
	mem_free(w->cnorm2);
	mem_free(w->part);
	mem_free(w->dots);
	mem_free(w->cand);
	mem_free(w->cdist);
	mem_free(w->pot);
}

/* Distances of the rows to the candidates, and what the sum of squared
 * distances would become with each of them. */
static int
cand_rows(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct work *w = ctx;
	double *pot = w->pot + lo / ROWS * w->n_cand;
	float *c = w->cdist + lo * w->n_cand;

	(void)worker;
	blas_sgemm(0, 1, hi - lo, w->n_cand, w->d, -2, w->x + lo * w->d, w->d, w->cand, w->d, 0, c, w->n_cand);
	memset(pot, 0, (size_t)w->n_cand * sizeof *pot);
	for (int64_t i = lo; i < hi; i++, c += w->n_cand)
		for (int j = 0; j < w->n_cand; j++) {
			float t = c[j] + w->norm2[i] + w->cnorm2[j];

			t = t < 0 ? 0 : t;
			c[j] = t < w->dist2[i] ? t : w->dist2[i];
			pot[j] += (double)c[j];
		}
	return e->code;
}

/* The first point whose cumulative squared distance exceeds t. */
static int64_t
draw_point(const struct work *w, double t)
{
	double s = 0;
	int64_t last = 0;

	for (int64_t i = 0; i < w->n; i++) {
		if (w->dist2[i] <= 0)
			continue;
		last = i;
		s += (double)w->dist2[i];
		if (s > t)
			break;
	}
	return last;
}

static void
seed_centres(struct work *w, float *centre, struct rng *r, struct par *p, struct err *e)
{
	int64_t n_block = (w->n + ROWS - 1) / ROWS, row = w->d;
	int n_cand = 2 + (int)log((double)w->k), best;
	double total = 0;

	n_cand = n_cand > CANDS_MAX ? CANDS_MAX : n_cand;
	n_cand = n_cand > w->k ? w->k : n_cand;
	if (!w->cand) {
		w->cand = mem_raw(float, (int64_t)n_cand * w->d);
		w->cdist = mem_raw(float, w->n * n_cand);
		w->pot = mem_raw(double, n_block * n_cand);
	}
	for (int64_t i = 0; i < w->n; i++)
		w->dist2[i] = FLT_MAX;
	for (int c = 0; c < w->k && !e->code; c++) {
		double pot[CANDS_MAX] = {0};

		w->n_cand = c ? n_cand : 1;
		for (int j = 0; j < w->n_cand; j++) {
			/* Without a distance left (copies of one point) any point will do. */
			int64_t i = c && total > 0 && !w->uniform ? draw_point(w, rng_u01(r) * total)
			    : (int64_t)rng_below64(r, (uint64_t)w->n);

			memcpy(w->cand + j * row, w->x + i * row, (size_t)row * sizeof(float));
			w->cnorm2[j] = w->norm2[i];
		}
		par_for(p, w->n, ROWS, cand_rows, w, e);
		for (int64_t b = 0; b < n_block; b++)
			for (int j = 0; j < w->n_cand; j++)
				pot[j] += w->pot[b * w->n_cand + j];
		best = 0;
		for (int j = 1; j < w->n_cand; j++)
			if (pot[j] < pot[best])
				best = j;
		total = pot[best];
		for (int64_t i = 0; i < w->n; i++)
			w->dist2[i] = w->cdist[i * w->n_cand + best];
		memcpy(centre + c * row, w->cand + best * row, (size_t)row * sizeof(float));
	}
}

/* Assigns rows lo..hi-1, one part, to the nearest centre and adds them up. */
static int
assign_part(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct work *w = ctx;
	int64_t k = w->k, d = w->d;
	double *sum = w->part + lo / w->rows_part * w->n_part, *count = sum + k * d;
	float *dots = w->dots + (int64_t)worker * ROWS * k;

	memset(sum, 0, (size_t)w->n_part * sizeof *sum);
	for (int64_t r = lo; r < hi; r += ROWS) {
		int64_t m = hi - r < ROWS ? hi - r : ROWS;

		blas_sgemm(0, 1, m, k, d, -2, w->x + r * d, d, w->centre, d, 0, dots, k);
		for (int64_t i = 0; i < m; i++) {
			const float *t = dots + i * k, *x = w->x + (r + i) * d;
			float least = t[0] + w->cnorm2[0];
			int best = 0;

			for (int c = 1; c < k; c++) {
				float v = t[c] + w->cnorm2[c];

				best = v < least ? c : best;
				least = v < least ? v : least;
			}
			least += w->norm2[r + i];
			w->dist2[r + i] = least > 0 ? least : 0;
			w->label[r + i] = best;
			count[best]++;
			count[k] += (double)w->dist2[r + i];
			for (int64_t j = 0; j < d; j++)
				sum[best * d + j] += (double)x[j];
		}
	}
	return e->code;
}

/* Moves every empty cluster to the point farthest from its centre; the point
 * leaves the sums of its old cluster. */
static void
fill_empty(struct work *w, double *sum)
{
	double *count = sum + (int64_t)w->k * w->d;

	for (int c = 0; c < w->k; c++) {
		int64_t far = -1;

		if (count[c] > 0)
			continue;
		for (int64_t i = 0; i < w->n; i++)
			if (count[w->label[i]] > 1 && (far < 0 || w->dist2[i] > w->dist2[far]))
				far = i;
		if (far < 0)
			return;
		for (int j = 0; j < w->d; j++) {
			double v = (double)w->x[far * w->d + j];

			sum[(int64_t)w->label[far] * w->d + j] -= v;
			sum[(int64_t)c * w->d + j] = v;
		}
		count[w->label[far]]--;
		count[c] = 1;
		w->label[far] = c;
		w->dist2[far] = 0;
	}
}

/* One assignment; the sums of all points are left in the first part.  Returns
 * the sum of squared distances. */
static double
assign(struct work *w, const float *centre, struct par *p, struct err *e)
{
	int64_t n_part = (w->n + w->rows_part - 1) / w->rows_part;

	w->centre = centre;
	for (int c = 0; c < w->k; c++)
		w->cnorm2[c] = length2(centre + (int64_t)c * w->d, w->d);
	par_for(p, w->n, w->rows_part, assign_part, w, e);
	for (int64_t b = 1; b < n_part; b++)
		for (int64_t j = 0; j < w->n_part; j++)
			w->part[j] += w->part[b * w->n_part + j];
	return w->part[w->n_part - 1];
}

/* At most max_iter iterations from centre.  Returns the last inertia. */
static double
lloyd(struct work *w, float *centre, int max_iter, double tol, struct par *p, struct err *e)
{
	double inertia = 0;

	for (int it = 0; it < max_iter && !e->code; it++) {
		double shift = 0, *count = w->part + (int64_t)w->k * w->d;

		inertia = assign(w, centre, p, e);
		fill_empty(w, w->part);
		for (int c = 0; c < w->k; c++)
			for (int j = 0; j < w->d && count[c] > 0; j++) {
				float *v = centre + (int64_t)c * w->d + j;
				double mean = w->part[(int64_t)c * w->d + j] / count[c];

				shift += (mean - (double)*v) * (mean - (double)*v);
				*v = (float)mean;
			}
		if (shift <= tol)
			break;
	}
	return inertia;
}

/* Mean over the dimensions of the variance of x, the scale of the tolerance. */
static double
mean_variance(const struct work *w)
{
	double *mean = mem_new(double, w->d), s = 0;

	for (int64_t i = 0; i < w->n; i++)
		for (int j = 0; j < w->d; j++)
			mean[j] += (double)w->x[i * w->d + j];
	for (int64_t i = 0; i < w->n; i++)
		s += (double)w->norm2[i];
	for (int j = 0; j < w->d; j++)
		s -= mean[j] * mean[j] / (double)w->n;
	mem_free(mean);
	return s > 0 ? s / (double)w->n / w->d : 0;
}

/* The best of n_init restarts on the points of the sample, in its order. */
static void
restarts(const float *x, int64_t m, int d, const struct kmeans_opt *o, float *centre,
	struct par *p, struct err *e)
{
	int64_t size = (int64_t)o->k * d;
	double least = 0, tol;
	float *c = mem_raw(float, size);
	struct work w;

	work_init(&w, x, m, d, o->k, p, e);
	w.uniform = o->uniform;
	tol = o->tol * mean_variance(&w);
	for (int t = 0; t < o->n_init && !e->code; t++) {
		struct rng r = rng_make(o->seed, RNG_KMEANS, UINT64_MAX - (uint64_t)t);
		double inertia;

		seed_centres(&w, c, &r, p, e);
		lloyd(&w, c, o->max_iter, tol, p, e);
		inertia = o->n_init > 1 ? assign(&w, c, p, e) : 0;
		if (t == 0 || inertia < least) {
			least = inertia;
			memcpy(centre, c, (size_t)size * sizeof *c);
		}
	}
	work_clear(&w);
	mem_free(c);
}

int
kmeans(const float *x, int64_t n, int d, const struct kmeans_opt *o, float *centre,
	int32_t *label, double *inertia, struct par *p, struct err *e)
{
	int64_t m = o->n_sample > 0 && o->n_sample < n ? o->n_sample : n;
	struct point *s;
	float *xs;
	struct work w;
	double sum;

	if (e->code)
		return e->code;
	BUG_IF(o->k < 1 || o->n_init < 1 || d < 1);
	if (o->k > n)
		return err_set(e, ERR_DATA, "k-means: %d clusters asked of %lld points", o->k, (long long)n);
	m = m < o->k ? o->k : m;
	s = draw_sample(n, m, o);
	xs = mem_raw(float, m * d);
	for (int64_t i = 0; i < m; i++)
		memcpy(xs + i * d, x + s[i].i * d, (size_t)d * sizeof *x);
	mem_free(s);
	restarts(xs, m, d, o, centre, p, e);
	mem_free(xs);
	if (e->code || (m == n && !label && !inertia))
		return e->code;
	work_init(&w, x, n, d, o->k, p, e);
	if (m < n)
		lloyd(&w, centre, o->n_full, 0, p, e);
	if (!e->code && (label || inertia)) {
		sum = assign(&w, centre, p, e);
		if (inertia)
			*inertia = sum;
		if (label)
			memcpy(label, w.label, (size_t)n * sizeof *label);
	}
	work_clear(&w);
	return e->code;
}

int64_t
kmeans_bytes(int64_t n, int d, const struct kmeans_opt *o, int threads)
{
	int64_t k = o->k, m = o->n_sample > 0 && o->n_sample < n ? o->n_sample : n;
	int64_t fixed = PARTS * (k * d + k + 1) * 8 + (int64_t)threads * ROWS * k * 4 + k * d * 8 + 65536;
	int64_t seed = m * (d * 4 + 12 + CANDS_MAX * 4) + (m + 6 * (int64_t)sqrt((double)m) + 1024) * 48;

	return fixed + (seed > n * 12 ? seed : n * 12) + (o->n_sample ? 0 : n * 48);
}
