/* knn_approx - see knn.h: neighbours by an inverted file and one repair round
 *
 * k-means on a sample gives about 4 sqrt(n) cells; rows are sorted by cell and
 * packed in that order, so that a cell is a run of positions.  Every cell's rows are
 * multiplied with the rows of the nearest cells.  Rows near a border miss some
 * neighbours in cells that were not looked at; these are mostly neighbours of
 * their neighbours, which the repair round looks through.
 */
#include <stdlib.h>
#include <string.h>
#include "alg/knn_impl.h"
#include "base/mem.h"
#include "base/rng.h"
#include "num/blas.h"

#define SAMPLE 32               /* sampled rows a cell */
#define PER 4                   /* cells are PER sqrt(n) */
#define ROUNDS 3                /* of k-means */
#define PROBE_FLOOR 48          /* cells' worth of points that a cell looks at: at a million */
#define WIDE 8                  /* a cell above WIDE times the mean is cut */
#define SPREAD 24               /* neighbours whose neighbours are looked through */
#define EXTRA 8                 /* candidates beyond k settled in double */
#define ASSIGN_BLOCK 256

struct ivf {
	struct knn_frame f;
	int k;
	int n_cell;             /* after cutting; centroids before: n_cent */
	int n_cent;
	float *cent;            /* [n_cent][stride] packed as points */
	int32_t *start;         /* [n_cell + 1] first position */
	int32_t *cent_of;       /* [n_cell] */
	int32_t *row;           /* [n] row at a position */
	float *point;           /* [n][stride] packed, by position */
	int32_t *list;          /* [n][k] neighbours as positions, nearest first */
	int32_t *idx;           /* the results, by row */
	double *dist;
	struct scratch *work;   /* one a worker */
};

struct scratch {
	float *q, *panel;       /* [KNN_QUERY][stride], [KNN_POINT][stride] */
	float *c;               /* [KNN_QUERY][KNN_POINT], at least set_size */
	int32_t *id;            /* [KNN_POINT + set_size] of the panel, or candidates */
	struct knn_cand *cand;  /* [KNN_QUERY][2 (k + EXTRA)] */
	struct knn_pile *pile;  /* [KNN_QUERY] */
	struct knn_cand *cell;  /* [2 n_near] */
	struct knn_near *near;  /* [k] */
	int32_t *set;           /* [set_size] open hashing, -1 = free */
};

static int
cells_for(int64_t n)
{
	int64_t m = (int64_t)(PER * sqrt((double)n));

	return (int)(m < n ? m : n);
}

/* Fewer points mean fewer, smaller cells: on simulated types without inner structure, the
 * hard case, 48 cells' worth give a recall of 0.985 at 100,000 points, 103 above 0.99. */
static int
probe(int64_t n)
{
	int m = (int)(PROBE_FLOOR * cbrt(1e6 / (double)(n > 1 ? n : 1)));

	return m < PROBE_FLOOR ? PROBE_FLOOR : m > 4 * PROBE_FLOOR ? 4 * PROBE_FLOOR : m;
}

static int
near_for(int64_t n, int n_cell, int k)
{
	int m = 4 * probe(n) > k + 1 ? 4 * probe(n) : k + 1;

	return m < n_cell ? m : n_cell;
}

/* A power of two of at least twice the candidates of a repair. */
static int
set_size(int k)
{
	int s = k < SPREAD ? k : SPREAD, m = 64;

	while (m < 2 * (k + s * s))
		m *= 2;
	return m;
}

/* Nearest centroid of m packed queries q [m][stride]; c [KNN_POINT] a query. */
static void
assign(const struct ivf *a, const float *q, int64_t m, float *c, int32_t *cell)
{
	int64_t ld = a->f.stride;
	float best[ASSIGN_BLOCK];

	for (int64_t i = 0; i < m; i++) {
		best[i] = INFINITY;
		cell[i] = 0;
	}
	for (int64_t p = 0; p < a->n_cent; p += KNN_POINT) {
		int64_t w = p + KNN_POINT < a->n_cent ? KNN_POINT : a->n_cent - p;

		blas_sgemm(0, 1, m, w, a->f.d4 + 1, 1, q, ld, a->cent + p * ld, ld, 0, c, KNN_POINT);
		for (int64_t i = 0; i < m; i++)
			for (int64_t lo = 0; lo < w; lo += KNN_CHUNK) {
				const float *v = c + i * KNN_POINT + lo;
				int64_t end = w - lo < KNN_CHUNK ? w - lo : KNN_CHUNK;

				if (end == KNN_CHUNK && !knn_any_below(v, best[i]))
					continue;
				for (int64_t j = 0; j < end; j++)
					if (v[j] < best[i]) {
						best[i] = v[j];
						cell[i] = (int32_t)(p + lo + j);
					}
			}
	}
}

/* Assignment of rows row[lo..hi) (rows lo.. when NULL), packed on the fly. */
struct job {
	struct ivf *a;
	const int32_t *row;
	int32_t *cell;
	const int32_t *order, *start;   /* k-means: rows of the sample by cell */
};

static int
assign_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct job *j = ctx;
	struct scratch *w = &j->a->work[worker];

	(void)e;
	for (int64_t i = lo; i < hi; i++) {
		knn_pack(&j->a->f, j->row ? j->row[i] : i, w->panel);
		knn_query(&j->a->f, w->panel, w->q + (i - lo) * j->a->f.stride);
	}
	assign(j->a, w->q, hi - lo, w->c, j->cell + lo);
	return 0;
}

/* Counting sort: order [n] lists 0..n-1 by cell, start [n_cell + 1]. */
static void
sort_by_cell(const int32_t *cell, int64_t n, int n_cell, int32_t *order, int32_t *start)
{
	memset(start, 0, ((size_t)n_cell + 1) * sizeof *start);
	for (int64_t i = 0; i < n; i++)
		start[cell[i] + 1]++;
	for (int c = 0; c < n_cell; c++)
		start[c + 1] += start[c];
	for (int64_t i = 0; i < n; i++)
		order[start[cell[i]]++] = (int32_t)i;
	for (int c = n_cell; c > 0; c--)
		start[c] = start[c - 1];
	start[0] = 0;
}

/* Means of the sampled rows of centroids lo..hi-1; an empty one stays. */
static int
centre_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct job *j = ctx;
	const struct knn_frame *f = &j->a->f;
	float *one = j->a->work[worker].panel;
	double *sum = mem_new(double, f->d4);

	(void)e;
	for (int64_t c = lo; c < hi; c++) {
		float *cent = j->a->cent + c * f->stride;
		int32_t m = j->start[c + 1] - j->start[c];
		double len2 = 0;

		if (m == 0)
			continue;
		memset(sum, 0, (size_t)f->d4 * sizeof *sum);
		for (int32_t s = j->start[c]; s < j->start[c + 1]; s++) {
			knn_pack(f, j->row[j->order[s]], one);
			for (int l = 0; l < f->d4; l++)
				sum[l] += one[l];
		}
		for (int l = 0; l < f->d4; l++) {
			cent[l] = (float)(sum[l] / m);
			len2 += (double)cent[l] * cent[l];
		}
		cent[f->d4] = (float)len2;
	}
	mem_free(sum);
	return 0;
}

/* One row at random out of each of m equal parts of the rows. */
static int32_t *
draw_rows(int64_t n, int64_t m, uint64_t seed)
{
	struct rng r = rng_make(seed, RNG_KNN, 0);
	int32_t *row = mem_raw(int32_t, m);

	for (int64_t i = 0; i < m; i++) {
		int64_t lo = i * n / m, hi = (i + 1) * n / m;

		row[i] = (int32_t)(lo + (int64_t)rng_below64(&r, (uint64_t)(hi - lo)));
	}
	return row;
}

static void
kmeans(struct ivf *a, uint64_t seed, struct par *p, struct err *e)
{
	int64_t n = a->f.n, m = (int64_t)SAMPLE * a->n_cent < n ? (int64_t)SAMPLE * a->n_cent : n;
	int32_t *row = draw_rows(n, m, seed), *cell = mem_raw(int32_t, m), *order = mem_raw(int32_t, m);
	int32_t *start = mem_new(int32_t, a->n_cent + 1);
	struct job j = {a, row, cell, order, start};
	struct rng r = rng_make(seed, RNG_KNN, 1);

	for (int64_t i = 0; i < m; i++)
		order[i] = (int32_t)i;
	rng_shuffle(&r, order, m);
	for (int c = 0; c < a->n_cent; c++)
		knn_pack(&a->f, row[order[c]], a->cent + c * a->f.stride);
	for (int i = 0; i < ROUNDS && !e->code; i++) {
		par_for(p, m, ASSIGN_BLOCK, assign_block, &j, e);
		sort_by_cell(cell, m, a->n_cent, order, start);
		par_for(p, a->n_cent, 16, centre_block, &j, e);
	}
	mem_free(row);
	mem_free(cell);
	mem_free(order);
	mem_free(start);
}

/* Cells from centroids: empty ones are left out and wide ones cut (thousands of
 * equal rows would otherwise be compared all with all). */
static void
make_cells(struct ivf *a, const int32_t *start)
{
	int64_t wide = WIDE * (a->f.n / a->n_cent + 1), n_cell = 0;

	for (int pass = 0; pass < 2; pass++) {
		if (pass) {
			a->start = mem_new(int32_t, n_cell + 1);
			a->cent_of = mem_new(int32_t, n_cell + 1);
		}
		n_cell = 0;
		for (int c = 0; c < a->n_cent; c++)
			for (int64_t s = start[c]; s < start[c + 1]; s += wide, n_cell++)
				if (pass) {
					a->start[n_cell] = (int32_t)s;
					a->cent_of[n_cell] = c;
				}
	}
	a->start[n_cell] = (int32_t)a->f.n;
	a->n_cell = (int)n_cell;
}

static int
pack_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct ivf *a = ctx;

	(void)worker, (void)e;
	for (int64_t i = lo; i < hi; i++)
		knn_pack(&a->f, a->row[i], a->point + i * a->f.stride);
	return 0;
}

static void
build(struct ivf *a, uint64_t seed, struct par *p, struct err *e)
{
	int64_t n = a->f.n;
	int32_t *cell = mem_raw(int32_t, n), *start = mem_new(int32_t, a->n_cent + 1);
	struct job j = {a, NULL, cell, NULL, NULL};

	kmeans(a, seed, p, e);
	par_for(p, n, ASSIGN_BLOCK, assign_block, &j, e);
	a->row = mem_raw(int32_t, n);
	sort_by_cell(cell, n, a->n_cent, a->row, start);
	mem_free(cell);
	make_cells(a, start);
	mem_free(start);
	a->point = mem_raw(float, n * a->f.stride);
	par_for(p, n, 4096, pack_block, a, e);
}

/* The cells that cell c looks at, itself first, then nearest first, until they
 * hold probe() cells' worth of points: w->cell[0..], their number is returned. */
static int
near_cells(const struct ivf *a, struct scratch *w, int c)
{
	int64_t ld = a->f.stride, got = a->start[c + 1] - a->start[c];
	int64_t want = probe(a->f.n) * (a->f.n / a->n_cell + 1);
	struct knn_pile q = {w->cell + 1, 0, near_for(a->f.n, a->n_cell, a->k), INFINITY};
	int m = 1;

	if (want < 2 * ((int64_t)a->k + EXTRA))
		want = 2 * ((int64_t)a->k + EXTRA);
	w->cell[0].idx = c;
	knn_query(&a->f, a->cent + a->cent_of[c] * ld, w->q);
	for (int p = 0; p < a->n_cell; p += KNN_POINT) {
		int64_t n = a->n_cell - p < KNN_POINT ? a->n_cell - p : KNN_POINT;

		for (int64_t i = 0; i < n; i++)
			memcpy(w->panel + i * ld, a->cent + a->cent_of[p + i] * ld, (size_t)ld * sizeof(float));
		blas_sgemm(0, 1, 1, n, a->f.d4 + 1, 1, w->q, ld, w->panel, ld, 0, w->c, KNN_POINT);
		knn_pile_scan(&q, w->c, n, NULL, p, c);
	}
	knn_pile_cut(&q);
	knn_cand_sort(q.c, q.n);
	while (m <= q.n && got < want) {
		got += a->start[w->cell[m].idx + 1] - a->start[w->cell[m].idx];
		m++;
	}
	return m;
}

/* Compares nq queries from position at with the n points in the panel. */
static void
compare(const struct ivf *a, struct scratch *w, int64_t at, int64_t nq, int64_t n)
{
	int64_t ld = a->f.stride;

	blas_sgemm(0, 1, nq, n, a->f.d4 + 1, 1, w->q, ld, w->panel, ld, 0, w->c, KNN_POINT);
	for (int64_t i = 0; i < nq; i++)
		knn_pile_scan(&w->pile[i], w->c + i * KNN_POINT, n, w->id, 0, (int32_t)(at + i));
}

/* The k nearest of nq queries from position at among the points of n_near cells. */
static void
search_queries(const struct ivf *a, struct scratch *w, int64_t at, int64_t nq, int n_near)
{
	int64_t ld = a->f.stride, n = 0;

	for (int64_t i = 0; i < nq; i++) {
		knn_query(&a->f, a->point + (at + i) * ld, w->q + i * ld);
		w->pile[i] = (struct knn_pile){w->cand + i * 2 * (a->k + EXTRA), 0, a->k, INFINITY};
	}
	for (int c = 0; c < n_near; c++) {
		int64_t s = a->start[w->cell[c].idx], end = a->start[w->cell[c].idx + 1];

		while (s < end) {
			int64_t m = end - s < KNN_POINT - n ? end - s : KNN_POINT - n;

			memcpy(w->panel + n * ld, a->point + s * ld, (size_t)(m * ld) * sizeof(float));
			for (int64_t i = 0; i < m; i++)
				w->id[n + i] = (int32_t)(s + i);
			s += m;
			n += m;
			if (n == KNN_POINT) {
				compare(a, w, at, nq, n);
				n = 0;
			}
		}
	}
	if (n)
		compare(a, w, at, nq, n);
	for (int64_t i = 0; i < nq; i++) {
		struct knn_pile *q = &w->pile[i];

		knn_pile_cut(q);
		BUG_IF(q->n < a->k);
		knn_cand_sort(q->c, q->n);
		for (int j = 0; j < a->k; j++)
			a->list[(at + i) * a->k + j] = q->c[j].idx;
	}
}

static int
search_cell(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct ivf *a = ctx;
	struct scratch *w = &a->work[worker];

	(void)e;
	for (int64_t c = lo; c < hi; c++) {
		int n_near = near_cells(a, w, (int)c);

		for (int64_t at = a->start[c]; at < a->start[c + 1]; at += KNN_QUERY) {
			int64_t end = at + KNN_QUERY < a->start[c + 1] ? at + KNN_QUERY : a->start[c + 1];

			search_queries(a, w, at, end - at, n_near);
		}
	}
	return 0;
}

/* Asks for a row that will be read soon. */
static void
fetch_row(const float *x, int d)
{
	for (int j = 0; j < d; j += 16)
		__builtin_prefetch(x + j);
}

static float
dist2(const float *a, const float *b, int d4)
{
	float s[4] = {0};

	for (int j = 0; j < d4; j += 4)
		for (int l = 0; l < 4; l++) {
			float t = a[j + l] - b[j + l];

			s[l] += t * t;
		}
	return s[0] + s[1] + (s[2] + s[3]);
}

/* Lists candidate who, once, in w->id; returns the length of the list. */
static int
consider(const struct ivf *a, struct scratch *w, int mask, int n, int32_t at, int32_t who)
{
	uint32_t h = (uint32_t)who * 0x9e3779b1u >> 7;

	if (who == at)
		return n;
	for (; w->set[h & (uint32_t)mask] >= 0; h++)
		if (w->set[h & (uint32_t)mask] == who)
			return n;
	w->set[h & (uint32_t)mask] = who;
	w->id[n] = who;
	fetch_row(a->point + who * a->f.stride, a->f.d4);
	return n + 1;
}

/* The nearest of position at's candidates w->id [n], settled in double. */
static void
choose(const struct ivf *a, struct scratch *w, int n, int64_t at)
{
	int64_t ld = a->f.stride;
	int32_t row = a->row[at];
	struct knn_pile *q = &w->pile[0];
	int m = 0;

	*q = (struct knn_pile){w->cand, 0, a->k + EXTRA, INFINITY};
	for (int j = 0; j < n; j++)
		w->c[j] = dist2(a->point + at * ld, a->point + w->id[j] * ld, a->f.d4);
	knn_pile_scan(q, w->c, n, w->id, 0, (int32_t)at);
	knn_pile_cut(q);
	for (int j = 0; j < q->n; j++)
		fetch_row(a->f.x + a->row[q->c[j].idx] * a->f.ld, a->f.d);
	for (int j = 0; j < q->n; j++) {
		int32_t other = a->row[q->c[j].idx];

		knn_near_put(w->near, &m, a->k, knn_dist(&a->f, row, other), other);
	}
	BUG_IF(m < a->k);
	for (int j = 0; j < a->k; j++) {
		a->idx[(int64_t)row * a->k + j] = w->near[j].idx;
		a->dist[(int64_t)row * a->k + j] = w->near[j].dist;
	}
}

/* The second round for positions lo..hi-1, and the result in double. */
static int
repair_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct ivf *a = ctx;
	struct scratch *w = &a->work[worker];
	int k = a->k, s = k < SPREAD ? k : SPREAD, size = set_size(k);

	(void)e;
	for (int64_t i = lo; i < hi; i++) {
		const int32_t *own = a->list + i * k;
		int n = 0;

		memset(w->set, 0xff, (size_t)size * sizeof *w->set);
		for (int j = 0; j < k; j++)
			n = consider(a, w, size - 1, n, (int32_t)i, own[j]);
		for (int j = 0; j < s; j++)
			for (int l = 0; l < s; l++)
				n = consider(a, w, size - 1, n, (int32_t)i, a->list[(int64_t)own[j] * k + l]);
		choose(a, w, n, i);
	}
	return 0;
}

static void
scratch_init(struct scratch *w, const struct ivf *a, int n_cell)
{
	w->q = mem_new(float, KNN_QUERY * a->f.stride);
	w->c = mem_raw(float, KNN_QUERY * KNN_POINT + set_size(a->k));
	w->panel = mem_new(float, KNN_POINT * a->f.stride);
	w->id = mem_raw(int32_t, KNN_POINT + set_size(a->k));
	w->cand = mem_raw(struct knn_cand, (int64_t)KNN_QUERY * 2 * (a->k + EXTRA));
	w->pile = mem_raw(struct knn_pile, KNN_QUERY);
	w->cell = mem_raw(struct knn_cand, 2 * (int64_t)near_for(a->f.n, n_cell, a->k) + 2);
	w->near = mem_raw(struct knn_near, a->k);
	w->set = mem_raw(int32_t, set_size(a->k));
}

static void
scratch_clear(struct scratch *w)
{
	mem_free(w->q);
	mem_free(w->c);
	mem_free(w->panel);
	mem_free(w->id);
	mem_free(w->cand);
	mem_free(w->pile);
	mem_free(w->cell);
	mem_free(w->near);
	mem_free(w->set);
}

int
knn_approx(const float *x, int64_t n, int64_t ld, int d, const struct knn_opt *o,
	int32_t *idx, double *dist, struct par *p, struct err *e)
{
	struct ivf a = {.k = o->k, .idx = idx, .dist = dist};

	if (knn_frame_init(&a.f, x, n, ld, d, o, p, e)) {
		knn_frame_clear(&a.f);
		return e->code;
	}
	a.n_cent = cells_for(n);
	a.cent = mem_new(float, a.n_cent * a.f.stride);
	a.work = mem_new(struct scratch, par_n(p));
	/* Cutting gives at most n / wide + n_cent cells. */
	for (int t = 0; t < par_n(p); t++)
		scratch_init(&a.work[t], &a, 2 * a.n_cent);
	build(&a, o->seed, p, e);
	a.list = mem_raw(int32_t, n * o->k);
	par_for(p, a.n_cell, 1, search_cell, &a, e);
	par_for(p, n, 256, repair_block, &a, e);
	for (int t = 0; t < par_n(p); t++)
		scratch_clear(&a.work[t]);
	mem_free(a.work);
	mem_free(a.cent);
	mem_free(a.start);
	mem_free(a.cent_of);
	mem_free(a.row);
	mem_free(a.point);
	mem_free(a.list);
	knn_frame_clear(&a.f);
	return e->code;
}

int64_t
knn_approx_bytes(int64_t n, int d, int k, int n_worker)
{
	int64_t stride = d + 7, cent = cells_for(n), sample = SAMPLE * cent < n ? SAMPLE * cent : n;
	int64_t work = KNN_QUERY * (stride * 4 + KNN_POINT * 4 + (int64_t)(k + EXTRA) * 16 + 32) +
	    KNN_POINT * (stride * 4 + 4) + 16 * (int64_t)near_for(n, (int)(2 * cent), k) + 16 * (int64_t)k +
	    12 * (int64_t)set_size(k) + 8 * stride + 4096;
	int64_t first = 8 * n, second = n * (stride + k) * 4;

	return knn_frame_bytes(n, d) + cent * (stride * 4 + 32) + 4 * n + n_worker * work +
	    (first + 12 * sample > second ? first + 12 * sample : second);
}
