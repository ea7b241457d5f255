/* scrublet_score - see scrublet.h: simulated doublets among the neighbours, scores, threshold */
#include "alg/scrublet.h"

#include <math.h>
#include <string.h>
#include "alg/knn_impl.h"
#include "base/mem.h"
#include "num/blas.h"

#define ROW_BLOCK 4096          /* rows that are packed together */
#define SMOOTH_MOST 10000
#define PILOT_ROWS 20000        /* from so many rows on a part of them is looked at first */
#define PILOT_NEAR 16           /* so that about this many neighbours are in it */

struct near {
	struct knn_frame f;
	float *point;           /* [n][stride] */
	float *pilot;           /* [n_pilot][stride] every so manieth point */
	int64_t n_pilot;
	int pilot_k;            /* its neighbours that surely hold k of all */
	const int32_t *query;
	int64_t n_real;
	int k, keep;
	int32_t *count;
	struct near_work {
		float *q, *c;   /* [KNN_QUERY][stride], [KNN_QUERY][KNN_POINT] */
		struct knn_cand *cand;  /* [KNN_QUERY][2 keep] */
		struct knn_pile *pile;  /* [KNN_QUERY] */
		struct knn_near *list;  /* [k] */
	} *work;                /* one a worker */
};

static int
pack_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct near *a = ctx;

	(void)worker, (void)e;
	for (int64_t i = lo; i < hi; i++)
		knn_pack(&a->f, i, a->point + i * a->f.stride);
	return 0;
}

/* How far a value of the pile may be from the squared distance less |q|^2 of a
 * row that may be among the k nearest, v being the k-th value: |p| <= |q| + r, r the k-th distance, and the
 * rounding of a product of d4 + 1 terms and of the packing is below (d4 + 16) u (|q| + |p|)^2. */
static double
slack(const struct near *a, double q2, double v)
{
	double c = (a->f.d4 + 16) * 0x1p-24, q = sqrt(q2), r2 = v + q2 > 0 ? v + q2 : 0, both;

	both = 2 * q + sqrt(r2);
	r2 += 2 * c * both * both;
	both = 2 * q + 1.01 * sqrt(r2);
	return c * both * both + (a->f.d4 + 16) * 0x1p-140;
}

/* All of the row's distances, when the pile cannot settle it. */
static int32_t
count_directly(struct near *a, struct knn_near *list, int32_t row)
{
	int32_t count = 0;
	int m = 0;

	for (int64_t j = 0; j < a->f.n; j++)
		if (j != row)
			knn_near_put(list, &m, a->k, knn_dist(&a->f, row, j), (int32_t)j);
	for (int j = 0; j < m; j++)
		count += list[j].idx >= a->n_real;
	return count;
}

/* Values surely below the k-th are counted as they are; only those within rounding of it are
 * measured again, in double. */
static int32_t
settle(struct near *a, struct near_work *w, int32_t row, struct knn_pile *q)
{
	double q2 = a->point[row * a->f.stride + a->f.d4], v, off;
	int32_t count = 0;
	int sure = 0, m = 0;

	knn_pile_cut(q);
	if (q->n < a->k)
		return count_directly(a, w->list, row);
	knn_cand_sort(q->c, q->n);
	v = q->c[a->k - 1].v;
	off = 2 * slack(a, q2, v);
	if (!(q->limit > v + off))
		return count_directly(a, w->list, row);
	while (sure < a->k && q->c[sure].v < v - off)
		count += q->c[sure++].idx >= a->n_real;
	for (int j = sure; j < q->n && q->c[j].v <= v + off; j++)
		knn_near_put(w->list, &m, a->k - sure, knn_dist(&a->f, row, q->c[j].idx), q->c[j].idx);
	for (int j = 0; j < m; j++)
		count += w->list[j].idx >= a->n_real;
	return count;
}

/* Points behind the pilot_k-th of the pilot are hardly ever among the k nearest: with that as the
 * limit from the start few values are put aside in vain.  When it was too near, the pile ends too small, and
 * the row is done directly. */
static void
look_ahead(struct near *a, struct near_work *w, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		w->pile[i] = (struct knn_pile){w->cand + i * 2 * a->keep, 0, a->pilot_k, INFINITY};
	for (int64_t p = 0; p < a->n_pilot; p += KNN_POINT) {
		int64_t m = p + KNN_POINT < a->n_pilot ? KNN_POINT : a->n_pilot - p;

		blas_sgemm(0, 1, n, m, a->f.d4 + 1, 1, w->q, a->f.stride, a->pilot + p * a->f.stride, a->f.stride, 0, w->c, KNN_POINT);
		for (int64_t i = 0; i < n; i++)
			knn_pile_scan(&w->pile[i], w->c + i * KNN_POINT, m, NULL, 0, -1);
	}
	for (int64_t i = 0; i < n; i++) {
		float limit = -INFINITY;

		knn_pile_cut(&w->pile[i]);
		for (int j = 0; j < w->pile[i].n; j++)
			limit = w->pile[i].c[j].v > limit ? w->pile[i].c[j].v : limit;
		w->pile[i].limit = limit;
	}
}

static int
near_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct near *a = ctx;
	struct near_work *w = &a->work[worker];
	int64_t ld = a->f.stride, n = a->f.n;

	(void)e;
	for (int64_t i = lo; i < hi; i++) {
		knn_query(&a->f, a->point + a->query[i] * ld, w->q + (i - lo) * ld);
		w->pile[i - lo].limit = INFINITY;
	}
	if (a->n_pilot)
		look_ahead(a, w, hi - lo);
	for (int64_t i = 0; i < hi - lo; i++)
		w->pile[i] = (struct knn_pile){w->cand + i * 2 * a->keep, 0, a->keep, w->pile[i].limit};
	for (int64_t p = 0; p < n; p += KNN_POINT) {
		int64_t m = p + KNN_POINT < n ? KNN_POINT : n - p;

		blas_sgemm(0, 1, hi - lo, m, a->f.d4 + 1, 1, w->q, ld, a->point + p * ld, ld, 0, w->c, KNN_POINT);
		for (int64_t i = lo; i < hi; i++)
			knn_pile_scan(&w->pile[i - lo], w->c + (i - lo) * KNN_POINT, m, NULL, (int32_t)p, a->query[i]);
	}
	for (int64_t i = lo; i < hi; i++)
		a->count[i] = settle(a, w, a->query[i], &w->pile[i - lo]);
	return 0;
}

/* A pilot of every step-th point: of the k nearest about k / step are in it, and hardly ever more than
 * pilot_k, 4 standard deviations on top. */
static void
make_pilot(struct near *a)
{
	int64_t step = a->k / PILOT_NEAR;

	if (a->f.n < PILOT_ROWS || step < 2)
		return;
	a->pilot_k = (int)(a->k / step + 4 * (int64_t)sqrt((double)(a->k / step)) + 2);
	a->n_pilot = a->f.n / step;
	a->pilot = mem_raw(float, a->n_pilot * a->f.stride);
	for (int64_t i = 0; i < a->n_pilot; i++)
		memcpy(a->pilot + i * a->f.stride, a->point + i * step * a->f.stride, (size_t)a->f.stride * sizeof *a->pilot);
}

int
scrublet_near(const float *x, int64_t n, int64_t n_real, int d, int64_t k, const int32_t *query, int64_t n_query,
	int32_t *count, struct par *p, struct err *e)
{
	struct near a = { .query = query, .n_real = n_real, .k = (int)k, .keep = (int)(k + k / 4 + 16), .count = count };
	struct knn_opt o = { (int)k, KNN_EUCLIDEAN, KNN_EXACT, 0 };
	int n_worker = par_n(p);

	if (knn_frame_init(&a.f, x, n, d, d, &o, p, e)) {
		knn_frame_clear(&a.f);
		return e->code;
	}
	a.point = mem_raw(float, n * a.f.stride);
	a.work = mem_new(struct near_work, n_worker);
	for (int t = 0; t < n_worker; t++) {
		a.work[t].q = mem_new(float, KNN_QUERY * a.f.stride);
		a.work[t].c = mem_raw(float, KNN_QUERY * KNN_POINT);
		a.work[t].cand = mem_raw(struct knn_cand, (int64_t)KNN_QUERY * 2 * a.keep);
		a.work[t].pile = mem_raw(struct knn_pile, KNN_QUERY);
		a.work[t].list = mem_raw(struct knn_near, k);
	}
	par_for(p, n, ROW_BLOCK, pack_block, &a, e);
	make_pilot(&a);
	par_for(p, n_query, KNN_QUERY, near_block, &a, e);
	for (int t = 0; t < n_worker; t++) {
		mem_free(a.work[t].q);
		mem_free(a.work[t].c);
		mem_free(a.work[t].cand);
		mem_free(a.work[t].pile);
		mem_free(a.work[t].list);
	}
	mem_free(a.work);
	mem_free(a.point);
	mem_free(a.pilot);
	knn_frame_clear(&a.f);
	return e->code;
}

double
scrublet_score(int64_t n_sim, int64_t k, double ratio, double rate)
{
	double q = (double)(n_sim + 1) / (double)(k + 2);

	return q * rate / ratio / (1 - rate - q * (1 - rate - rate / ratio));
}

void
scrublet_histogram(const double *x, int64_t n, double *lo, double *hi, int64_t hist[SCRUBLET_BINS])
{
	double step;

	*lo = *hi = x[0];
	for (int64_t i = 1; i < n; i++) {
		*lo = x[i] < *lo ? x[i] : *lo;
		*hi = x[i] > *hi ? x[i] : *hi;
	}
	step = (*hi - *lo) / SCRUBLET_BINS;
	for (int b = 0; b < SCRUBLET_BINS; b++)
		hist[b] = 0;
	/* By the edges lo + b step as they are rounded, not by the quotient alone. */
	for (int64_t i = 0; i < n; i++) {
		int b = step > 0 ? (int)((x[i] - *lo) / (*hi - *lo) * SCRUBLET_BINS) : 0;

		b = b > SCRUBLET_BINS - 1 ? SCRUBLET_BINS - 1 : b;
		if (!(step > 0))
			b = 0;
		else if (b > 0 && x[i] < *lo + b * step)
			b--;
		else if (b < SCRUBLET_BINS - 1 && x[i] >= *lo + (b + 1) * step)
			b++;
		hist[b]++;
	}
}

/* Mean of 3 bins, the edges reflected, by a running sum: its rounding settles
 * ties, so it is part of the definition. */
static void
smooth(double *h)
{
	double p[SCRUBLET_BINS + 2], sum;

	p[0] = h[0];
	p[SCRUBLET_BINS + 1] = h[SCRUBLET_BINS - 1];
	for (int i = 0; i < SCRUBLET_BINS; i++)
		p[i + 1] = h[i];
	sum = p[0] + p[1] + p[2];
	h[0] = sum / 3;
	for (int i = 1; i < SCRUBLET_BINS; i++) {
		sum += p[i + 2] - p[i - 1];
		h[i] = sum / 3;
	}
}

/* Local maxima of h by its direction; a plateau counts where it ends falling. */
static int
maxima(const double *h, int at[2])
{
	int n = 0, rising = 1;

	for (int i = 0; i + 1 < SCRUBLET_BINS; i++)
		if (rising && h[i + 1] < h[i]) {
			rising = 0;
			if (n < 2)
				at[n] = i;
			n++;
		} else if (!rising && h[i + 1] > h[i]) {
			rising = 1;
		}
	return n;
}

int
scrublet_minimum(const int64_t hist[SCRUBLET_BINS], double lo, double hi, double *threshold)
{
	double h[SCRUBLET_BINS], step = (hi - lo) / SCRUBLET_BINS;
	int at[2] = {0}, n = 3, low;

	if (!(hi > lo))
		return 0;
	for (int b = 0; b < SCRUBLET_BINS; b++)
		h[b] = (double)hist[b];
	for (int t = 0; t < SMOOTH_MOST && n > 2; t++) {
		smooth(h);
		n = maxima(h, at);
	}
	if (n != 2)
		return 0;
	low = at[0];
	for (int b = at[0]; b <= at[1]; b++)
		if (h[b] < h[low])
			low = b;
	*threshold = ((low + 1 == SCRUBLET_BINS ? hi : lo + (low + 1) * step) + (lo + low * step)) / 2;
	return 1;
}
