/* fuzzy - see fuzzy.h */
#include "alg/fuzzy.h"

#include <math.h>
#include "base/mem.h"

#define BLOCK 1024              /* rows */
#define STEPS 64                /* of the bisection */
#define TOLERANCE 1e-5          /* on the sum of a row's strengths */
#define FLOOR 1e-3              /* of sigma, as part of the mean distance */

/* Each row's own neighbours sorted by column, the same turned round, the union. */
struct work {
	const int32_t *idx;
	const double *dist;
	int64_t n, ld;
	int k;
	double mean_all;
	double *part;           /* [n_block] sums of distances */
	int32_t *col;           /* [n][k] rising */
	float *w;               /* [n][k] */
	int64_t *back_ptr;      /* [n + 1] */
	int32_t *back_col;      /* [n k] rising within a row */
	float *back_w;
	struct fuzzy *g;
};

/* The distances count as single precision, as UMAP has them, so that the
 * bisection ends in the same step. */
void
fuzzy_row(const double *dist, int k, double mean_all, float *w)
{
	double target = log2(k + 1.0), rho = 0, lo = 0, hi = INFINITY, sigma = 1, mean = 0;

	for (int j = k - 1; j >= 0; j--) {
		if ((float)dist[j] > 0)
			rho = (float)dist[j];
		mean += (float)dist[j];
	}
	mean /= k + 1;
	for (int s = 0; s < STEPS; s++) {
		double sum = 0;

		for (int j = 0; j < k; j++) {
			double d = (float)dist[j] - rho;

			sum += d > 0 ? exp(-d / sigma) : 1;
		}
		if (fabs(sum - target) < TOLERANCE)
			break;
		if (sum > target) {
			hi = sigma;
			sigma = (lo + hi) / 2;
		} else {
			lo = sigma;
			sigma = hi == INFINITY ? 2 * sigma : (lo + hi) / 2;
		}
	}
	sigma = fmax(sigma, FLOOR * (rho > 0 ? mean : mean_all));
	for (int j = 0; j < k; j++) {
		double d = (float)dist[j] - rho;

		w[j] = d <= 0 || sigma == 0 ? 1 : (float)exp(-d / sigma);
	}
}

static int
check_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct work *a = ctx;
	double sum = 0;

	(void)worker;
	for (int64_t i = lo; i < hi; i++) {
		const int32_t *idx = a->idx + i * a->ld;
		const double *dist = a->dist + i * a->ld;

		for (int j = 0; j < a->k; j++) {
			if (idx[j] < 0 || idx[j] >= a->n || idx[j] == i)
				return err_set(e, ERR_DATA, "neighbours of row %lld: number %d is row %d; wanted is "
				    "another row of 0 to %lld", (long long)i, j, (int)idx[j], (long long)(a->n - 1));
			if (!isfinite(dist[j]) || dist[j] < 0 || (j && dist[j] < dist[j - 1]))
				return err_set(e, ERR_DATA, "neighbours of row %lld: distance %d is %g; wanted are "
				    "finite distances that rise", (long long)i, j, dist[j]);
			sum += (float)dist[j];
		}
	}
	a->part[lo / BLOCK] = sum;
	return 0;
}

/* Strengths of a block of rows, sorted by column. */
static int
row_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct work *a = ctx;
	int k = a->k;

	(void)worker;
	for (int64_t i = lo; i < hi; i++) {
		int32_t *col = a->col + i * k;
		float *w = a->w + i * k;

		fuzzy_row(a->dist + i * a->ld, k, a->mean_all, w);
		for (int j = 0; j < k; j++) {
			int32_t c = a->idx[i * a->ld + j];
			float v = w[j];
			int at = j;

			for (; at > 0 && col[at - 1] > c; at--) {
				col[at] = col[at - 1];
				w[at] = w[at - 1];
			}
			col[at] = c;
			w[at] = v;
			if (at && col[at - 1] == c)
				return err_set(e, ERR_DATA, "neighbours of row %lld: row %d is there twice",
				    (long long)i, (int)c);
		}
	}
	return 0;
}

/* The transpose; its rows rise because rows are gone through in order. */
static void
turn_round(struct work *a)
{
	int64_t n = a->n, m = n * a->k, *ptr = mem_new(int64_t, n + 1);

	a->back_col = mem_raw(int32_t, m);
	a->back_w = mem_raw(float, m);
	for (int64_t t = 0; t < m; t++)
		ptr[a->col[t] + 1]++;
	for (int64_t i = 0; i < n; i++)
		ptr[i + 1] += ptr[i];
	for (int64_t i = 0; i < n; i++)
		for (int64_t t = i * a->k; t < (i + 1) * a->k; t++) {
			int64_t at = ptr[a->col[t]]++;

			a->back_col[at] = (int32_t)i;
			a->back_w[at] = a->w[t];
		}
	for (int64_t i = n; i > 0; i--)
		ptr[i] = ptr[i - 1];
	ptr[0] = 0;
	a->back_ptr = ptr;
}

/* Union of row i of both lists; strengths of 0 (underflow) are no edges.  Writes to
 * col and w unless NULL; returns the number of edges. */
static int64_t
merge_row(const struct work *a, int64_t i, int32_t *col, float *w)
{
	int64_t s = i * a->k, s_end = s + a->k, t = a->back_ptr[i], t_end = a->back_ptr[i + 1], m = 0;

	while (s < s_end || t < t_end) {
		int32_t cs = s < s_end ? a->col[s] : INT32_MAX, ct = t < t_end ? a->back_col[t] : INT32_MAX;
		int32_t c = cs < ct ? cs : ct;
		float x = cs == c ? a->w[s++] : 0, y = ct == c ? a->back_w[t++] : 0;
		float v = x + y - x * y;

		if (!(v > 0))
			continue;
		if (col) {
			col[m] = c;
			w[m] = v;
		}
		m++;
	}
	return m;
}

static int
count_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct work *a = ctx;

	(void)worker, (void)e;
	for (int64_t i = lo; i < hi; i++)
		a->g->ptr[i + 1] = merge_row(a, i, NULL, NULL);
	return 0;
}

static int
fill_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct work *a = ctx;

	(void)worker, (void)e;
	for (int64_t i = lo; i < hi; i++)
		merge_row(a, i, a->g->col + a->g->ptr[i], a->g->w + a->g->ptr[i]);
	return 0;
}

int
fuzzy_graph(struct fuzzy *g, const int32_t *idx, const double *dist, int64_t n,
	int64_t ld, int k, struct par *p, struct err *e)
{
	struct work a = {.idx = idx, .dist = dist, .n = n, .ld = ld, .k = k, .g = g};

	if (e->code)
		return e->code;
	if (k < 1 || ld < k || n <= k || n > INT32_MAX)
		return err_set(e, ERR_USAGE, "graph: %d neighbours for each of %lld rows; 1 to %lld are possible",
		    k, (long long)n, (long long)(n - 1));
	a.part = mem_new(double, n / BLOCK + 1);
	a.col = mem_raw(int32_t, n * k);
	a.w = mem_raw(float, n * k);
	par_for(p, n, BLOCK, check_block, &a, e);
	for (int64_t b = 0; b <= n / BLOCK; b++)
		a.mean_all += a.part[b];
	a.mean_all /= (double)n * (k + 1);
	if (!par_for(p, n, BLOCK, row_block, &a, e)) {
		turn_round(&a);
		g->n = n;
		g->ptr = mem_new(int64_t, n + 1);
		par_for(p, n, BLOCK, count_block, &a, e);
		for (int64_t i = 0; i < n; i++)
			g->ptr[i + 1] += g->ptr[i];
		g->col = mem_raw(int32_t, g->ptr[n]);
		g->w = mem_raw(float, g->ptr[n]);
		par_for(p, n, BLOCK, fill_block, &a, e);
	}
	mem_free(a.part);
	mem_free(a.col);
	mem_free(a.w);
	mem_free(a.back_ptr);
	mem_free(a.back_col);
	mem_free(a.back_w);
	return e->code;
}

void
fuzzy_clear(struct fuzzy *g)
{
	mem_free(g->ptr);
	mem_free(g->col);
	mem_free(g->w);
	*g = (struct fuzzy){0};
}

int64_t
fuzzy_bytes(int64_t n, int k)
{
	return n * k * 32 + n * 16 + (n / BLOCK + 1) * 8 + 4096;
}
