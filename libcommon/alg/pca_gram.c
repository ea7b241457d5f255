/* pca_gram - sums and products of the chosen genes over all cells: the pass of pca_fit
 *
 * Blocks of rows are gathered in groups.  Genes that have many non-zeros (the first n_dense; dense genes stand
 * first) are multiplied as tiles of floats by BLAS, all other pairs by scattering the non-zeros, in double.  A tile holds
 * c = s - h, so that its sums do not lose digits: h is near the mean of a gene that most cells have.  Other genes keep h = 0, for
 * equal products of equal zeros would all be rounded the same way.  What h took away is given back in double at the end of a
 * run of SUM_RUN blocks:
 *
 *	sum s_a s_b = sum c_a c_b + h_a (sum c_b + n h_b) + h_b sum c_a
 */
#include "alg/pca_impl.h"

#include <string.h>
#include "alg/lanes.h"
#include "base/mem.h"
#include "num/blas.h"

#define PANEL 256       /* rows of the Gram matrix in a job */
#define CHUNK 1024      /* and columns */
#define GROUP 4         /* row blocks that are added at once; divides SUM_RUN */
/* A pair of genes is multiplied in tiles where the product of their shares of non-zeros exceeds this: the cost
 * of a product of BLAS over that of a scattered one, which mostly misses the cache. */
#define DENSE 0.005

struct slot {
	struct sparse s;
	double *sum;            /* [g] */
	float *row;             /* [g] and a bitmap, to put a row in order */
	uint64_t *bits;         /* [(g + 63) / 64] */
};

/* A group's block as a tile. */
struct tile {
	float *c;               /* [rows][n_dense] */
	double *sum;            /* [n_dense] of the columns of c */
};

struct gram {
	struct picker pick;
	struct par *p;
	struct sumtree *to;
	int64_t g, n_panel, n_job;
	struct slot *slot;      /* [n_slot] */
	struct sparse group[GROUP];
	struct tile tile[GROUP];
	int n_block;            /* in the group */
	int64_t in_run;         /* blocks of the open run that were added */
	int64_t n_dense;        /* genes in tiles, for a run */
	float *shift;           /* [g] h */
	double *sum;            /* [g] of c over the run */
	int64_t rows;           /* of the run */
	float **t;              /* [workers][PANEL][CHUNK] */
};

static int64_t
panels(int64_t g)
{
	return (g + PANEL - 1) / PANEL;
}

int64_t
pca_sums_at(int64_t g, int64_t a)
{
	int64_t i = a / PANEL, full = i * PANEL;

	/* panels before: PANEL rows of g, g - PANEL, ... */
	return full * g - PANEL * PANEL * (i * (i - 1) / 2) + (a - full) * (g - full) - full;
}

/* Products only. */
static int64_t
gram_size(int64_t g)
{
	int64_t a0 = (panels(g) - 1) * PANEL;

	return g == 0 ? 0 : pca_sums_at(g, a0) + a0 + (g - a0) * (g - a0);
}

int64_t
pca_sums_size(int64_t g)
{
	return gram_size(g) + g;
}

/* One array of sums. */
static void
permute(const double *from, int64_t g, const int32_t *to, double *x)
{
	memset(x, 0, (size_t)pca_sums_size(g) * sizeof *x);
	for (int64_t a = 0; a < g; a++) {
		const double *row = from + pca_sums_at(g, a);

		for (int64_t b = a; b < g; b++) {
			int64_t p = to[a] < to[b] ? to[a] : to[b], q = to[a] < to[b] ? to[b] : to[a];

			x[pca_sums_at(g, p) + q] = row[b];
		}
		x[gram_size(g) + to[a]] = from[gram_size(g) + a];
	}
}

void
pca_sums_permute(struct sumtree *t, int64_t g, const int32_t *to)
{
	double *x = mem_new(double, t->n);

	for (int k = 0; k <= t->n_node; k++) {
		double **sum = k < t->n_node ? &t->node[k].sum : &t->run, *old = *sum;

		permute(old, g, to, x);
		*sum = x;
		x = old;
	}
	mem_free(x);
}

static void
gram_init(struct gram *f, struct sumtree *to, const struct rows *r, const struct pca_opt *o, struct par *p)
{
	memset(f, 0, sizeof *f);
	picker_init(&f->pick, r, o);
	f->p = p;
	f->to = to;
	f->g = o->g;
	f->n_panel = panels(o->g);
	for (int64_t i = 0; i < f->n_panel; i++)
		f->n_job += (f->g - i * PANEL + CHUNK - 1) / CHUNK;
	f->slot = mem_new(struct slot, r->n_slot);
	for (int i = 0; i < r->n_slot; i++)
		f->slot[i] = (struct slot){ .sum = mem_new(double, o->g), .row = mem_new(float, o->g), .bits = mem_new(uint64_t, (o->g + 63) / 64) };
	f->shift = mem_new(float, o->g);
	f->sum = mem_new(double, o->g);
	f->t = mem_new(float *, par_n(p));
}

static void
gram_clear(struct gram *f)
{
	for (int i = 0; i < f->pick.n_slot; i++) {
		sparse_clear(&f->slot[i].s);
		mem_free(f->slot[i].sum);
		mem_free(f->slot[i].row);
		mem_free(f->slot[i].bits);
	}
	for (int i = 0; i < GROUP; i++) {
		sparse_clear(&f->group[i]);
		mem_free(f->tile[i].c);
		mem_free(f->tile[i].sum);
	}
	for (int i = 0; i < par_n(f->p); i++)
		mem_free(f->t[i]);
	mem_free(f->t);
	mem_free(f->slot);
	mem_free(f->shift);
	mem_free(f->sum);
	picker_clear(&f->pick);
}

/* Puts entries lo .. hi - 1, a row's, in order of columns, if they are not. */
static void
sort_row(struct slot *t, int64_t g, int64_t lo, int64_t hi)
{
	int32_t *col = t->s.col;
	float *val = t->s.val;
	int32_t falls = 0;

	for (int64_t k = lo + 1; k < hi; k++)
		falls |= col[k] < col[k - 1];
	if (!falls)
		return;
	for (int64_t k = lo; k < hi; k++) {
		t->row[col[k]] = val[k];
		t->bits[col[k] / 64] |= 1ull << (col[k] % 64);
	}
	for (int64_t w = 0; w < (g + 63) / 64; w++)
		for (; t->bits[w]; t->bits[w] &= t->bits[w] - 1) {
			col[lo] = (int32_t)(w * 64 + __builtin_ctzll(t->bits[w]));
			val[lo] = t->row[col[lo]];
			lo++;
		}
}

static int
gram_block(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct gram *f = ctx;
	struct sparse *s = &f->slot[slot].s;
	double *sum = f->slot[slot].sum;
	int64_t n = s->n;

	if (picker_add(&f->pick, m, slot, s, e))
		return e->code;
	for (; n < s->n; n++)
		sort_row(&f->slot[slot], f->g, s->ptr[n], s->ptr[n + 1]);
	for (int64_t k = s->ptr[s->n - m->n_row]; k < s->ptr[s->n]; k++)
		sum[s->col[k]] += (double)s->val[k];
	return 0;
}

/* For a run, from its first group: how many genes go into tiles, and their shifts. */
static void
start_run(struct gram *f)
{
	int64_t *count = mem_new(int64_t, f->g), n = 0;
	double share = 0;

	memset(f->sum, 0, (size_t)f->g * sizeof *f->sum);
	for (int q = 0; q < f->n_block; q++) {
		const struct sparse *s = &f->group[q];

		for (int64_t k = 0; k < s->ptr[s->n]; k++) {
			count[s->col[k]]++;
			f->sum[s->col[k]] += (double)s->val[k];
		}
		n += s->n;
	}
	for (f->n_dense = 0; f->n_dense < f->g; f->n_dense++) {
		double own = (double)count[f->n_dense] / (double)n;

		share += own;
		if (own * share / (double)(f->n_dense + 1) < DENSE)
			break;
	}
	for (int64_t j = 0; j < f->g; j++) {
		f->shift[j] = 2 * count[j] > n ? (float)(f->sum[j] / (double)n) : 0;
		f->sum[j] = 0;
	}
	f->rows = 0;
	mem_free(count);
}

static int
fill_tile(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct gram *f = ctx;
	const struct sparse *s = &f->group[lo];
	struct tile *t = &f->tile[lo];
	int64_t d = f->n_dense;

	(void)hi;
	(void)worker;
	(void)e;
	if (!t->c) {
		t->c = mem_raw(float, ROWS_BLOCK * f->g);
		t->sum = mem_new(double, f->g);
	}
	for (int64_t j = 0; j < d; j++)
		t->c[j] = -f->shift[j];
	for (int64_t i = 1; i < s->n; i++)
		memcpy(t->c + i * d, t->c, (size_t)d * sizeof *t->c);
	for (int64_t j = 0; j < d; j++)
		t->sum[j] = -(double)f->shift[j] * (double)s->n;
	for (int64_t i = 0; i < s->n; i++) {
		float *row = t->c + i * d;

		for (int64_t k = s->ptr[i]; k < s->ptr[i + 1] && s->col[k] < d; k++) {
			float c = s->val[k] - f->shift[s->col[k]];

			row[s->col[k]] = c;
			t->sum[s->col[k]] += (double)c + (double)f->shift[s->col[k]];
		}
	}
	return 0;
}

/* First entry from lo on whose column is at least col. */
static int64_t
find(const struct sparse *s, int64_t lo, int64_t hi, int64_t col)
{
	while (lo < hi) {
		int64_t mid = (lo + hi) / 2;

		if (s->col[mid] < col)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Rows a0 .. a1 and columns b0 .. b1 of the Gram matrix; the first is at to, the rows width apart. */
struct job {
	int64_t a0, a1, b0, b1, width;
	double *to;
};

static struct job
find_job(const struct gram *f, int64_t at)
{
	struct job j;
	int64_t i = 0, n;

	for (; n = (f->g - i * PANEL + CHUNK - 1) / CHUNK, at >= n; i++)
		at -= n;
	j.a0 = i * PANEL;
	j.a1 = j.a0 + PANEL < f->g ? j.a0 + PANEL : f->g;
	j.b0 = j.a0 + at * CHUNK;
	j.b1 = j.b0 + CHUNK < f->g ? j.b0 + CHUNK : f->g;
	j.width = f->g - j.a0;
	j.to = f->to->run + pca_sums_at(f->g, j.a0) + j.b0;
	return j;
}

WIDE static void
add_floats(double *to, const float *x, int64_t n)
{
	for (int64_t k = 0; k < n; k++)
		to[k] += (double)x[k];
}

static void
dense_pairs(struct gram *f, const struct job *j, float *t)
{
	int64_t d = f->n_dense, m = (j->a1 < d ? j->a1 : d) - j->a0, n = (j->b1 < d ? j->b1 : d) - j->b0;

	if (m <= 0 || n <= 0)
		return;
	for (int q = 0; q < f->n_block; q++) {
		const float *c = f->tile[q].c;

		blas_sgemm(1, 0, m, n, f->group[q].n, 1, c + j->a0, d, c + j->b0, d, q > 0, t, n);
	}
	for (int64_t a = 0; a < m; a++)
		add_floats(j->to + a * j->width, t + a * n, n);
}

static void
sparse_pairs(struct gram *f, const struct job *j)
{
	int64_t d = f->n_dense;

	if (j->b1 <= d)
		return;
	for (int q = 0; q < f->n_block; q++)
		for (int64_t i = 0; i < f->group[q].n; i++) {
			const struct sparse *s = &f->group[q];
			int64_t end = s->ptr[i + 1], k = find(s, s->ptr[i], end, j->a0), stop = find(s, k, end, j->b1);
			int64_t from = find(s, k, stop, j->b0 > d ? j->b0 : d);

			for (; k < stop && s->col[k] < j->a1; k++) {
				double v = (double)s->val[k], *row = j->to + (s->col[k] - j->a0) * j->width - j->b0;

				for (int64_t t = k > from ? k : from; t < stop; t++)
					row[s->col[t]] += v * (double)s->val[t];
			}
		}
}

static int
product(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct gram *f = ctx;
	struct job j = find_job(f, lo);

	(void)hi;
	(void)e;
	if (!f->t[worker])
		f->t[worker] = mem_raw(float, PANEL * CHUNK);
	dense_pairs(f, &j, f->t[worker]);
	sparse_pairs(f, &j);
	return 0;
}

/* Gives back to the open run what the shifts took. */
static int
settle(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct gram *f = ctx;

	(void)worker;
	(void)e;
	for (int64_t a = lo; a < hi; a++) {
		double *row = f->to->run + pca_sums_at(f->g, a), h = (double)f->shift[a], c = f->sum[a], n = (double)f->rows;

		for (int64_t b = a; b < f->n_dense; b++)
			row[b] += h * (f->sum[b] + n * (double)f->shift[b]) + c * (double)f->shift[b];
	}
	return 0;
}

/* Adds the blocks of the group to the open run; ends it when it is full, or by last. */
static int
flush(struct gram *f, int last, struct err *e)
{
	if (f->in_run == 0 && f->n_block > 0)
		start_run(f);
	par_for(f->p, f->n_block, 1, fill_tile, f, e);
	if (f->n_block > 0)
		par_for(f->p, f->n_job, 1, product, f, e);
	for (int q = 0; q < f->n_block; q++) {
		for (int64_t j = 0; j < f->n_dense; j++)
			f->sum[j] += f->tile[q].sum[j];
		f->rows += f->group[q].n;
	}
	f->in_run += f->n_block;
	if (f->in_run == SUM_RUN || (last && f->in_run > 0)) {
		par_for(f->p, f->n_dense, 64, settle, f, e);
		f->in_run = 0;
	}
	for (int q = 0; q < f->n_block; q++)
		sumtree_next(f->to);
	f->n_block = 0;
	return e->code;
}

static int
gram_sum(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct gram *f = ctx;
	struct slot *s = &f->slot[slot];
	struct sparse swap = f->group[f->n_block];
	double *sum = f->to->run + gram_size(f->g);

	(void)m;
	for (int64_t j = 0; j < f->g; j++)
		sum[j] += s->sum[j];
	memset(s->sum, 0, (size_t)f->g * sizeof *s->sum);
	f->group[f->n_block++] = s->s;
	s->s = swap;
	s->s.n = 0;
	return f->n_block == GROUP ? flush(f, 0, e) : e->code;
}

int
pca_sum(struct rows *r, const struct pca_opt *o, struct sumtree *to, struct par *p, struct err *e)
{
	struct gram f;

	if (e->code)
		return e->code;
	gram_init(&f, to, r, o, p);
	rows_pass(r, gram_block, gram_sum, &f, e);
	if (!e->code)
		flush(&f, 1, e);
	gram_clear(&f);
	return e->code;
}

int64_t
pca_gram_bytes(int64_t n, int64_t g, int n_slot)
{
	int64_t run = (int64_t)SUM_RUN * ROWS_BLOCK, levels = 1, block = ROWS_BLOCK * g;

	for (int64_t m = n / run; m > 0; m /= 2)
		levels++;
	/* the tree; the group and the slots, half full; tiles; a job's product for each of as many workers */
	return (levels + 1) * pca_sums_size(g) * 8 + (GROUP + n_slot) * (block / 2 * 8 + 8 * g) + GROUP * block * 4 +
	    n_slot * (PANEL * CHUNK * 4);
}
