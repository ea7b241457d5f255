/* knn - see knn.h: what both ways share, the exact way, recall */
#include "alg/knn.h"

#include <stdlib.h>
#include <string.h>
#include "alg/knn_impl.h"
#include "alg/lanes.h"
#include "base/mem.h"
#include "base/rng.h"
#include "num/blas.h"

#define ROW_BLOCK 4096          /* rows of a partial sum */

/* Sums and extremes of the columns over a block of rows. */
struct look {
	const struct knn_frame *f;
	double *sum, *top;      /* [n_block][d] */
};

static int
look_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct look *a = ctx;
	int d = a->f->d;
	double *sum = a->sum + lo / ROW_BLOCK * d, *top = a->top + lo / ROW_BLOCK * d;

	(void)worker;
	for (int64_t i = lo; i < hi; i++) {
		const float *x = a->f->x + i * a->f->ld;
		double len2 = 0;

		for (int j = 0; j < d; j++) {
			double v = x[j];

			if (!isfinite(v))
				return err_set(e, ERR_NUMERIC, "row %lld, column %d: %g is not a number that "
				    "has distances; remove the row or repair what made it", (long long)i, j, v);
			sum[j] += v;
			if (fabs(v) > top[j])
				top[j] = fabs(v);
			len2 += v * v;
		}
		if (a->f->inv)
			a->f->inv[i] = len2 > 0 ? 1 / sqrt(len2) : 0;
	}
	return 0;
}

int
knn_frame_init(struct knn_frame *f, const float *x, int64_t n, int64_t ld, int d,
	const struct knn_opt *o, struct par *p, struct err *e)
{
	int64_t n_block = (n + ROW_BLOCK - 1) / ROW_BLOCK;
	struct look a = {f, NULL, NULL};
	double r2 = 0;

	*f = (struct knn_frame){0};
	if (e->code)
		return e->code;
	if (d < 1 || ld < d || n < 2 || n > INT32_MAX)
		return err_set(e, ERR_USAGE, "neighbours: %lld rows of %d columns; at least 2 rows and a column are needed",
		    (long long)n, d);
	if (o->k < 1 || o->k >= n)
		return err_set(e, ERR_USAGE, "neighbours: %d for each of %lld rows; a row has %lld others, so ask for 1 to %lld",
		    o->k, (long long)n, (long long)(n - 1), (long long)(n - 1));
	*f = (struct knn_frame){x, n, ld, d, (d + 3) / 4 * 4, (d + 3) / 4 * 4 + 4, o->metric, 1, mem_new(double, d), NULL};
	if (o->metric == KNN_COSINE)
		f->inv = mem_new(double, n);
	a.sum = mem_new(double, n_block * d);
	a.top = mem_new(double, n_block * d);
	par_for(p, n, ROW_BLOCK, look_block, &a, e);
	for (int j = 0; j < d && !e->code && o->metric == KNN_EUCLIDEAN; j++) {
		double sum = 0, top = 0;

		for (int64_t b = 0; b < n_block; b++) {
			sum += a.sum[b * d + j];
			top = fmax(top, a.top[b * d + j]);
		}
		/* A mean that is a float makes the difference exact in double. */
		f->mean[j] = (float)(sum / (double)n);
		r2 += (top + fabs(f->mean[j])) * (top + fabs(f->mean[j]));
	}
	if (r2 > 0)
		f->scale = ldexp(1, -ilogb(sqrt(r2)));
	mem_free(a.sum);
	mem_free(a.top);
	return e->code;
}

void
knn_frame_clear(struct knn_frame *f)
{
	mem_free(f->mean);
	mem_free(f->inv);
	*f = (struct knn_frame){0};
}

void
knn_pack(const struct knn_frame *f, int64_t i, float *out)
{
	const float *x = f->x + i * f->ld;
	double by = f->inv ? f->inv[i] : f->scale, len2 = 0;

	for (int j = 0; j < f->d; j++) {
		out[j] = (float)((x[j] - f->mean[j]) * by);
		len2 += (double)out[j] * out[j];
	}
	memset(out + f->d, 0, (size_t)(f->stride - f->d) * sizeof *out);
	/* By cosine every point counts as of length 1, so that a row of zeros
	 * comes out at 2 (1 - 0) from all. */
	out[f->d4] = f->inv ? 1 : (float)len2;
}

void
knn_query(const struct knn_frame *f, const float *point, float *out)
{
	for (int j = 0; j < f->d4; j++)
		out[j] = -2 * point[j];
	out[f->d4] = 1;
}

double
knn_dist(const struct knn_frame *f, int64_t i, int64_t j)
{
	const float *a = f->x + i * f->ld, *b = f->x + j * f->ld;
	double s[4] = {0}, t;
	int c = 0;

	if (f->inv) {
		double u = f->inv[i], v = f->inv[j];

		if (u == 0 || v == 0)
			return 1;
		/* 1 - cos is half the squared distance of the unit vectors,
		 * without cancellation. */
		for (; c < f->d; c++) {
			t = a[c] * u - b[c] * v;
			s[c & 3] += t * t;
		}
		return 0.5 * (s[0] + s[1] + s[2] + s[3]);
	}
	for (; c + 4 <= f->d; c += 4)
		for (int l = 0; l < 4; l++) {
			t = (double)a[c + l] - b[c + l];
			s[l] += t * t;
		}
	for (; c < f->d; c++) {
		t = (double)a[c] - b[c];
		s[0] += t * t;
	}
	return sqrt(s[0] + s[1] + s[2] + s[3]);
}

void
knn_near_put(struct knn_near *list, int *n, int cap, double dist, int32_t idx)
{
	int i = *n;

	if (i == cap) {
		const struct knn_near *last = &list[cap - 1];

		if (dist > last->dist || (dist == last->dist && idx > last->idx))
			return;
		i--;
	} else {
		++*n;
	}
	for (; i > 0 && (list[i - 1].dist > dist || (list[i - 1].dist == dist && list[i - 1].idx > idx)); i--)
		list[i] = list[i - 1];
	list[i] = (struct knn_near){dist, idx};
}

/* Hoare's selection: afterwards c[0..keep-1] are the smallest. */
void
knn_pile_cut(struct knn_pile *q)
{
	int lo = 0, hi = q->n - 1;
	float top = -INFINITY;

	if (q->n <= q->keep)
		return;
	while (lo < hi) {
		float x = q->c[lo + (hi - lo) / 2].v;
		int i = lo, j = hi;

		while (i <= j) {
			while (q->c[i].v < x)
				i++;
			while (q->c[j].v > x)
				j--;
			if (i <= j) {
				struct knn_cand t = q->c[i];

				q->c[i++] = q->c[j];
				q->c[j--] = t;
			}
		}
		if (q->keep - 1 <= j)
			hi = j;
		else if (q->keep - 1 >= i)
			lo = i;
		else
			break;
	}
	q->n = q->keep;
	for (int i = 0; i < q->n; i++)
		if (q->c[i].v > top)
			top = q->c[i].v;
	q->limit = top;
}

WIDE void
knn_pile_scan(struct knn_pile *q, const float *v, int64_t n, const int32_t *id, int32_t id0, int32_t self)
{
	for (int64_t lo = 0; lo < n; lo += KNN_CHUNK) {
		uint32_t below = knn_below(v + lo, n - lo < KNN_CHUNK ? (int)(n - lo) : KNN_CHUNK, q->limit);

		for (; below; below &= below - 1) {
			int64_t j = lo + __builtin_ctz(below);
			int32_t who = id ? id[j] : id0 + (int32_t)j;

			/* a cut has lowered the limit */
			if (!(v[j] < q->limit) || who == self)
				continue;
			q->c[q->n++] = (struct knn_cand){v[j], who};
			if (q->n == 2 * q->keep)
				knn_pile_cut(q);
		}
	}
}

static int
cand_cmp(const void *a, const void *b)
{
	const struct knn_cand *x = a, *y = b;

	if (x->v != y->v)
		return x->v < y->v ? -1 : 1;
	return (x->idx > y->idx) - (x->idx < y->idx);
}

void
knn_cand_sort(struct knn_cand *c, int n)
{
	if (n > 64) {
		qsort(c, (size_t)n, sizeof *c, cand_cmp);
		return;
	}
	for (int i = 1; i < n; i++) {
		struct knn_cand t = c[i];
		int j = i;

		for (; j > 0 && cand_cmp(&c[j - 1], &t) > 0; j--)
			c[j] = c[j - 1];
		c[j] = t;
	}
}

/* The exact search for queries[0..n_query-1] (rows 0, 1, ... when NULL). */
struct exact {
	struct knn_frame f;
	float *point;           /* [n][stride] all rows packed */
	const int32_t *query;
	int64_t n_query;
	int k, keep;
	int32_t *idx;           /* [n_query][k], may be NULL */
	double *dist;           /* [n_query][k] */
	struct work {
		float *q, *c;   /* [KNN_QUERY][stride], [KNN_QUERY][KNN_POINT] */
		struct knn_cand *cand;  /* [KNN_QUERY][2 keep] */
		struct knn_pile *pile;  /* [KNN_QUERY] */
		struct knn_near *near;  /* [k] */
	} *work;                /* one a worker */
};

static int
pack_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct exact *a = ctx;

	(void)worker, (void)e;
	for (int64_t i = lo; i < hi; i++)
		knn_pack(&a->f, i, a->point + i * a->f.stride);
	return 0;
}

/* Whether rows that are not in the pile are surely behind the k-th of the list.
 * A row p outside with |q - p| <= r, the k-th distance, has |p| <= |q| + r.  Its
 * value is off by the rounding of a product of d4 + 1 terms and of the packing:
 * less than (d4 + 16) u (|q| + |p|)^2, and by underflow. */
static int
covered(const struct exact *a, const float *point, const struct knn_pile *q, double r)
{
	double q2 = point[a->f.d4], r2, err, both;

	if (q->limit == INFINITY)
		return 1;
	r2 = a->f.inv ? 2 * r : r * r * a->f.scale * a->f.scale;
	both = 2 * sqrt(q2) + sqrt(r2);
	err = (a->f.d4 + 16) * 0x1p-24 * both * both + (a->f.d4 + 16) * 0x1p-140;
	return q->limit + q2 > r2 + err;
}

static void
settle(struct exact *a, struct work *w, int64_t at, struct knn_pile *q)
{
	int32_t row = a->query ? a->query[at] : (int32_t)at;
	int m = 0;

	knn_pile_cut(q);
	for (int j = 0; j < q->n; j++)
		knn_near_put(w->near, &m, a->k, knn_dist(&a->f, row, q->c[j].idx), q->c[j].idx);
	BUG_IF(m < a->k);
	if (!covered(a, a->point + row * a->f.stride, q, w->near[a->k - 1].dist)) {
		m = 0;
		for (int64_t j = 0; j < a->f.n; j++)
			if (j != row)
				knn_near_put(w->near, &m, a->k, knn_dist(&a->f, row, j), (int32_t)j);
	}
	for (int j = 0; j < a->k; j++) {
		if (a->idx)
			a->idx[at * a->k + j] = w->near[j].idx;
		a->dist[at * a->k + j] = w->near[j].dist;
	}
}

static int
exact_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct exact *a = ctx;
	struct work *w = &a->work[worker];
	int64_t ld = a->f.stride, n = a->f.n;

	(void)e;
	for (int64_t i = lo; i < hi; i++) {
		int64_t row = a->query ? a->query[i] : i;

		knn_query(&a->f, a->point + row * ld, w->q + (i - lo) * ld);
		w->pile[i - lo] = (struct knn_pile){w->cand + (i - lo) * 2 * a->keep, 0, a->keep, INFINITY};
	}
	for (int64_t p = 0; p < n; p += KNN_POINT) {
		int64_t m = p + KNN_POINT < n ? KNN_POINT : n - p;

		blas_sgemm(0, 1, hi - lo, m, a->f.d4 + 1, 1, w->q, ld, a->point + p * ld, ld, 0, w->c, KNN_POINT);
		for (int64_t i = lo; i < hi; i++)
			knn_pile_scan(&w->pile[i - lo], w->c + (i - lo) * KNN_POINT, m, NULL, (int32_t)p,
			    a->query ? a->query[i] : (int32_t)i);
	}
	for (int64_t i = lo; i < hi; i++)
		settle(a, w, i, &w->pile[i - lo]);
	return 0;
}

static int
keep_of(int k)
{
	return k + k / 4 + 16;
}

/* Runs a whose f, query, n_query, idx and dist are set; frees the rest. */
static int
exact_run(struct exact *a, int k, struct par *p, struct err *e)
{
	int n_worker = par_n(p);

	a->k = k;
	a->keep = keep_of(k);
	a->point = mem_raw(float, a->f.n * a->f.stride);
	a->work = mem_new(struct work, n_worker);
	for (int t = 0; t < n_worker; t++) {
		a->work[t].q = mem_new(float, KNN_QUERY * a->f.stride);
		a->work[t].c = mem_raw(float, KNN_QUERY * KNN_POINT);
		a->work[t].cand = mem_raw(struct knn_cand, (int64_t)KNN_QUERY * 2 * a->keep);
		a->work[t].pile = mem_raw(struct knn_pile, KNN_QUERY);
		a->work[t].near = mem_raw(struct knn_near, k);
	}
	par_for(p, a->f.n, ROW_BLOCK, pack_block, a, e);
	par_for(p, a->n_query, KNN_QUERY, exact_block, a, e);
	for (int t = 0; t < n_worker; t++) {
		mem_free(a->work[t].q);
		mem_free(a->work[t].c);
		mem_free(a->work[t].cand);
		mem_free(a->work[t].pile);
		mem_free(a->work[t].near);
	}
	mem_free(a->work);
	mem_free(a->point);
	return e->code;
}

int
knn_exact(const float *x, int64_t n, int64_t ld, int d, const struct knn_opt *o,
	int32_t *idx, double *dist, struct par *p, struct err *e)
{
	struct exact a = {.n_query = n, .idx = idx, .dist = dist};

	if (!knn_frame_init(&a.f, x, n, ld, d, o, p, e))
		exact_run(&a, o->k, p, e);
	knn_frame_clear(&a.f);
	return e->code;
}

int
knn_find(const float *x, int64_t n, int64_t ld, int d, const struct knn_opt *o,
	int32_t *idx, double *dist, struct par *p, struct err *e)
{
	if (o->mode == KNN_APPROX || (o->mode == KNN_AUTO && n >= KNN_EXACT_BELOW))
		return knn_approx(x, n, ld, d, o, idx, dist, p, e);
	return knn_exact(x, n, ld, d, o, idx, dist, p, e);
}

static int
double_cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* query [m]: rows spread over 0..n-1, one at random out of each of m equal parts. */
static void
draw_queries(int32_t *query, int64_t m, int64_t n, uint64_t seed)
{
	struct rng r = rng_make(seed, RNG_RECALL, 0);

	for (int64_t i = 0; i < m; i++) {
		int64_t lo = i * n / m, hi = (i + 1) * n / m;

		query[i] = (int32_t)(lo + (int64_t)rng_below64(&r, (uint64_t)(hi - lo)));
	}
}

int
knn_recall(const float *x, int64_t n, int64_t ld, int d, const struct knn_opt *o,
	const double *dist, int64_t n_query, double *mean, double *worst,
	struct par *p, struct err *e)
{
	int64_t m = n_query < n ? n_query : n, tenth = (m + 9) / 10;
	struct exact a = {.n_query = m};
	int32_t *query;
	double *part, all = 0, low = 0;

	if (!e->code && m < 1)
		err_set(e, ERR_USAGE, "recall: no rows to measure it on; ask for at least 1");
	if (e->code || knn_frame_init(&a.f, x, n, ld, d, o, p, e)) {
		knn_frame_clear(&a.f);
		return e->code;
	}
	query = mem_raw(int32_t, m);
	part = mem_new(double, m);
	a.dist = mem_raw(double, m * o->k);
	a.query = query;
	draw_queries(query, m, n, o->seed);
	exact_run(&a, o->k, p, e);
	for (int64_t i = 0; i < m && !e->code; i++) {
		double last = a.dist[i * o->k + o->k - 1];
		int hit = 0;

		for (int j = 0; j < o->k; j++)
			hit += dist[(int64_t)query[i] * o->k + j] <= last;
		part[i] = (double)hit / o->k;
		all += part[i];
	}
	qsort(part, (size_t)m, sizeof *part, double_cmp);
	for (int64_t i = 0; i < tenth; i++)
		low += part[i];
	*mean = all / (double)m;
	*worst = low / (double)tenth;
	mem_free(query);
	mem_free(part);
	mem_free(a.dist);
	knn_frame_clear(&a.f);
	return e->code;
}

int64_t
knn_frame_bytes(int64_t n, int d)
{
	return 8 * n + (n / ROW_BLOCK + 2) * d * 16 + d * 8 + 4096;
}

int64_t
knn_bytes(int64_t n, int d, int k, int n_worker, enum knn_mode mode)
{
	int64_t stride = d + 7, work;

	if (mode == KNN_APPROX || (mode == KNN_AUTO && n >= KNN_EXACT_BELOW))
		return knn_approx_bytes(n, d, k, n_worker);
	work = KNN_QUERY * (stride * 4 + KNN_POINT * 4 + (int64_t)keep_of(k) * 16 + 32) + (int64_t)k * 16 + 4096;
	return knn_frame_bytes(n, d) + n * stride * 4 + n_worker * work;
}
