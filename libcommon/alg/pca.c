/* pca - see pca.h */
#include "alg/pca.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "num/blas.h"

#define PANEL 64        /* rows of the Gram matrix that one thread works at */
#define GROUP 4         /* row blocks that are added at once; divides SUM_RUN */
/* A pair of genes is added by a dense product where the product of their shares of
 * non-zeros exceeds this: the cost of a product of BLAS over that of a scattered one. */
#define DENSE 0.05

/* The layer's values of one or more row blocks on the chosen genes, less those of zeros. */
struct sparse {
	int64_t n, n_block;
	int64_t *ptr;           /* [n + 1] */
	int32_t *col;           /* rising within a row */
	double *val;
	int64_t cap_row, cap;
};

struct source {
	const struct pca_opt *o;
	int32_t *place;         /* [n_col] number among the genes, or -1 */
	double *zero;           /* [g] z of a zero */
	struct layer_buf *buf;  /* [n_slot] */
};

/* Scratch of a slot: a row is put in order by a bitmap. */
struct slot {
	struct sparse s;
	double *dense;          /* [g] */
	uint64_t *bits;         /* [(g + 63) / 64] */
};

struct fit {
	struct source src;
	struct par *p;
	int64_t g, n_panel;
	int32_t *order;         /* [g] the caller's number of each gene: by falling mean, dense ones first */
	int64_t *panel;         /* [n_panel + 1] offsets into the packed Gram matrix */
	struct slot *slot;      /* [n_slot] */
	struct sparse group;
	int64_t *count;         /* [n_panel] non-zeros of the group */
	int64_t n_dense;        /* genes that the group adds by dense products */
	double *tile;           /* [ROWS_BLOCK][n_dense], n_tile rows of it in use */
	int64_t n_tile;
	struct sumtree gram, mean;
};

/* Panel i holds rows i PANEL .. of the Gram matrix from column i PANEL on. */
static int64_t
panel_width(const struct fit *f, int64_t i)
{
	return f->g - i * PANEL;
}

/* order [g]: the caller's numbers in our order, NULL = the same. */
static void
source_init(struct source *s, const struct rows *r, const struct pca_opt *o, const int32_t *order)
{
	s->o = o;
	s->place = mem_new(int32_t, r->n_col);
	s->zero = mem_new(double, o->g);
	s->buf = mem_new(struct layer_buf, r->n_slot);
	for (int64_t j = 0; j < r->n_col; j++)
		s->place[j] = -1;
	for (int64_t k = 0; k < o->g; k++) {
		int32_t j = o->gene[order ? order[k] : k];

		BUG_IF(j < 0 || j >= r->n_col);
		s->place[j] = (int32_t)k;
		s->zero[k] = o->layer ? layer_scale(o->layer, j, 0) : 0;
	}
}

static void
source_clear(struct source *s, int n_slot)
{
	mem_free(s->place);
	mem_free(s->zero);
	layer_free(s->buf, n_slot);
}

static void
sparse_room(struct sparse *s, int64_t n, int64_t nnz)
{
	if (n + 1 > s->cap_row) {
		s->cap_row = n + 1;
		s->ptr = mem_renew(s->ptr, int64_t, s->cap_row);
	}
	if (nnz > s->cap) {
		s->cap = nnz + nnz / 4 + 64;
		s->col = mem_renew(s->col, int32_t, s->cap);
		s->val = mem_renew(s->val, double, s->cap);
	}
}

static void
sparse_clear(struct sparse *s)
{
	mem_free(s->ptr);
	mem_free(s->col);
	mem_free(s->val);
}

/* Puts the n entries of a row in order of columns. */
static void
sort_row(struct slot *s, int64_t g, int32_t *col, double *val, int64_t n)
{
	int64_t at = 0;

	for (int64_t k = 0; k < n; k++) {
		s->dense[col[k]] = val[k];
		s->bits[col[k] / 64] |= 1ull << (col[k] % 64);
	}
	for (int64_t w = 0; w < (g + 63) / 64; w++)
		for (; s->bits[w]; s->bits[w] &= s->bits[w] - 1) {
			col[at] = (int32_t)(w * 64 + __builtin_ctzll(s->bits[w]));
			val[at] = s->dense[col[at]];
			at++;
		}
}

/* Row i of m on the chosen genes, z - z0; returns the entries, -1 when one is not finite. */
static int64_t
pick_row(const struct source *s, const struct csr *m, int64_t i, struct layer_buf *b, int32_t *col, double *val)
{
	int64_t n = m->ptr[i + 1] - m->ptr[i], used = 0, bad = 0;
	const int32_t *c = m->col + m->ptr[i];
	const double *y = layer_values(s->o->layer, m->row0 + i, m->val + m->ptr[i], n, b);

	for (int64_t k = 0; k < n; k++) {
		int32_t j = s->place[c[k]];

		if (j < 0)
			continue;
		col[used] = j;
		val[used] = (s->o->layer ? layer_scale(s->o->layer, c[k], y[k]) : y[k]) - s->zero[j];
		bad |= !isfinite(val[used]);
		used++;
	}
	return bad ? -1 : used;
}

static int
fit_block(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct fit *f = ctx;
	struct sparse *s = &f->slot[slot].s;

	sparse_room(s, m->n_row, m->ptr[m->n_row]);
	s->n = m->n_row;
	s->ptr[0] = 0;
	for (int64_t i = 0; i < m->n_row; i++) {
		int64_t at = s->ptr[i];
		int64_t n = pick_row(&f->src, m, i, &f->src.buf[slot], s->col + at, s->val + at);

		if (n < 0)
			return err_set(e, ERR_NUMERIC, "components: row %lld has a value that is not finite",
				(long long)(m->row0 + i + 1));
		sort_row(&f->slot[slot], f->g, s->col + at, s->val + at, n);
		s->ptr[i + 1] = at + n;
	}
	return 0;
}

/* The first entry of row i with a column >= c. */
static int64_t
find(const struct sparse *s, int64_t i, int64_t c)
{
	int64_t lo = s->ptr[i], hi = s->ptr[i + 1];

	while (lo < hi) {
		int64_t m = (lo + hi) / 2;

		if (s->col[m] < c)
			lo = m + 1;
		else
			hi = m;
	}
	return lo;
}

/* A panel of the Gram matrix (rows a0 .. a1 - 1): all pairs in a row whose second
 * gene is beyond the dense ones. */
static int
sparse_panel(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct fit *f = ctx;
	const struct sparse *s = &f->group;
	int64_t a0 = lo * PANEL, width = panel_width(f, lo), a1 = a0 + PANEL;
	double *panel = sumtree_open(&f->gram) + f->panel[lo];

	(void)hi;
	(void)worker;
	(void)e;
	for (int64_t i = 0; i < s->n; i++) {
		int64_t k = find(s, i, a0), end = s->ptr[i + 1];
		int64_t from = a0 < f->n_dense ? find(s, i, f->n_dense) : k;

		for (; k < end && s->col[k] < a1; k++) {
			double v = s->val[k], *gram = panel + (s->col[k] - a0) * width - a0;

			for (int64_t t = k > from ? k : from; t < end; t++)
				gram[s->col[t]] += v * s->val[t];
		}
	}
	return 0;
}

/* The same for pairs of dense genes, of the rows in the tile. */
static int
dense_panel(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct fit *f = ctx;
	int64_t a0 = lo * PANEL, width = panel_width(f, lo), rows = width < PANEL ? width : PANEL;
	double *panel = sumtree_open(&f->gram) + f->panel[lo];

	(void)hi;
	(void)worker;
	(void)e;
	blas_dgemm(1, 0, rows, f->n_dense - a0, f->n_tile, 1, f->tile + a0, f->n_dense, f->tile + a0, f->n_dense,
		1, panel, width);
	return 0;
}

/* How many genes (whole panels, the first ones) are dense in the group. */
static int64_t
count_dense(struct fit *f)
{
	const struct sparse *s = &f->group;
	double n = (double)(s->n * PANEL), sum = 0;

	memset(f->count, 0, (size_t)f->n_panel * sizeof *f->count);
	for (int64_t k = 0; k < s->ptr[s->n]; k++)
		f->count[s->col[k] / PANEL]++;
	for (int64_t i = 0; i < f->n_panel; i++) {
		sum += (double)f->count[i] / n;
		if ((double)f->count[i] / n * sum / (double)(i + 1) < DENSE)
			return i * PANEL;
	}
	return f->g;
}

/* Dense genes of the rows from i0 on into the tile. */
static void
fill_tile(struct fit *f, int64_t i0)
{
	const struct sparse *s = &f->group;

	f->n_tile = s->n - i0 < ROWS_BLOCK ? s->n - i0 : ROWS_BLOCK;
	memset(f->tile, 0, (size_t)(f->n_tile * f->n_dense) * sizeof *f->tile);
	for (int64_t i = 0; i < f->n_tile; i++) {
		double *to = f->tile + i * f->n_dense;
		int64_t k = s->ptr[i0 + i], end = s->ptr[i0 + i + 1];

		for (; k < end && s->col[k] < f->n_dense; k++)
			to[s->col[k]] = s->val[k];
	}
}

/* Adds the blocks of the group to the open run. */
static int
flush(struct fit *f, struct err *e)
{
	const struct sparse *s = &f->group;
	double *mean = sumtree_open(&f->mean);

	if (s->n == 0)
		return 0;
	f->n_dense = count_dense(f);
	if (f->n_dense && !f->tile)
		f->tile = mem_new(double, ROWS_BLOCK * f->g);
	for (int64_t i = 0; i < s->n && f->n_dense; i += ROWS_BLOCK) {
		fill_tile(f, i);
		par_for(f->p, (f->n_dense + PANEL - 1) / PANEL, 1, dense_panel, f, e);
	}
	if (f->n_dense < f->g)
		par_for(f->p, f->n_panel, 1, sparse_panel, f, e);
	for (int64_t k = 0; k < s->ptr[s->n]; k++)
		mean[s->col[k]] += s->val[k];
	for (int64_t b = 0; b < s->n_block; b++) {
		sumtree_next(&f->gram);
		sumtree_next(&f->mean);
	}
	f->group.n = f->group.n_block = 0;
	return e->code;
}

static int
fit_sum(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct fit *f = ctx;
	const struct sparse *s = &f->slot[slot].s;
	struct sparse *to = &f->group;
	int64_t at = to->n ? to->ptr[to->n] : 0, nnz = s->ptr[s->n];

	(void)m;
	sparse_room(to, to->n + s->n, at + nnz);
	for (int64_t i = 0; i <= s->n; i++)
		to->ptr[to->n + i] = at + s->ptr[i];
	memcpy(to->col + at, s->col, (size_t)nnz * sizeof *to->col);
	memcpy(to->val + at, s->val, (size_t)nnz * sizeof *to->val);
	to->n += s->n;
	return ++to->n_block == GROUP ? flush(f, e) : e->code;
}

struct gene_mean {
	double mean;
	int32_t gene;
};

static int
by_mean(const void *a, const void *b)
{
	const struct gene_mean *p = a, *q = b;

	if (p->mean != q->mean)
		return p->mean > q->mean ? -1 : 1;
	return (p->gene > q->gene) - (p->gene < q->gene);
}

/* Genes by falling mean of the layer, as far as it is known. */
static int32_t *
find_order(const struct pca_opt *o)
{
	struct gene_mean *x = mem_new(struct gene_mean, o->g);
	int32_t *order = mem_new(int32_t, o->g);

	for (int64_t k = 0; k < o->g; k++) {
		x[k].gene = (int32_t)k;
		x[k].mean = o->layer && o->layer->mean ? o->layer->mean[o->gene[k]] : 0;
	}
	qsort(x, (size_t)o->g, sizeof *x, by_mean);
	for (int64_t k = 0; k < o->g; k++)
		order[k] = x[k].gene;
	mem_free(x);
	return order;
}

static void
fit_init(struct fit *f, struct rows *r, const struct pca_opt *o, struct par *p)
{
	memset(f, 0, sizeof *f);
	f->order = find_order(o);
	source_init(&f->src, r, o, f->order);
	f->p = p;
	f->g = o->g;
	f->n_panel = (o->g + PANEL - 1) / PANEL;
	f->panel = mem_new(int64_t, f->n_panel + 1);
	for (int64_t i = 0; i < f->n_panel; i++) {
		int64_t w = panel_width(f, i);

		f->panel[i + 1] = f->panel[i] + w * (w < PANEL ? w : PANEL);
	}
	f->count = mem_new(int64_t, f->n_panel);
	f->slot = mem_new(struct slot, r->n_slot);
	for (int i = 0; i < r->n_slot; i++) {
		f->slot[i].dense = mem_new(double, o->g);
		f->slot[i].bits = mem_new(uint64_t, (o->g + 63) / 64);
	}
	sumtree_init(&f->gram, f->panel[f->n_panel]);
	sumtree_init(&f->mean, o->g);
}

static void
fit_clear(struct fit *f, int n_slot)
{
	source_clear(&f->src, n_slot);
	for (int i = 0; i < n_slot; i++) {
		sparse_clear(&f->slot[i].s);
		mem_free(f->slot[i].dense);
		mem_free(f->slot[i].bits);
	}
	sparse_clear(&f->group);
	mem_free(f->slot);
	mem_free(f->order);
	mem_free(f->panel);
	mem_free(f->count);
	mem_free(f->tile);
}

/* Covariance [g][g] (upper triangle) of s and mean [g] of z, both in the caller's
 * order, from the sums. */
static double *
covariance(struct fit *f, int64_t n, double *mean)
{
	double *packed = mem_new(double, f->panel[f->n_panel]), *sum = mem_new(double, f->g), *c;
	int64_t g = f->g;

	sumtree_end(&f->gram, packed);
	sumtree_end(&f->mean, sum);
	for (int64_t j = 0; j < g; j++) {
		sum[j] /= (double)n;
		mean[f->order[j]] = sum[j] + f->src.zero[j];
	}
	c = mem_new(double, g * g);
	for (int64_t a = 0; a < g; a++) {
		int64_t i = a / PANEL, a0 = i * PANEL, p = f->order[a];
		const double *row = packed + f->panel[i] + (a - a0) * panel_width(f, i) - a0;

		for (int64_t b = a; b < g; b++) {
			int64_t q = f->order[b];

			c[p < q ? p * g + q : q * g + p] = (row[b] - (double)n * sum[a] * sum[b]) / (double)(n - 1);
		}
	}
	mem_free(packed);
	mem_free(sum);
	return c;
}

/* Makes the largest loading of each component positive; vec [k][g] to loading [g][k]. */
static void
settle_signs(struct pca *f, const double *vec)
{
	for (int c = 0; c < f->k; c++) {
		const double *v = vec + c * f->g;
		int64_t top = 0;

		for (int64_t j = 1; j < f->g; j++)
			if (fabs(v[j]) > fabs(v[top]))
				top = j;
		for (int64_t j = 0; j < f->g; j++)
			f->loading[j * f->k + c] = v[top] < 0 ? -v[j] : v[j];
	}
}

static int
decompose(struct pca *f, double *c, struct err *e)
{
	double *vec = mem_new(double, f->k * f->g);

	for (int64_t j = 0; j < f->g; j++)
		f->total += c[j * f->g + j];
	if (!(f->total > 0))
		err_set(e, ERR_NUMERIC, "components: the genes do not vary");
	if (!e->code && !blas_eigh(f->g, c, f->k, f->variance, vec, e)) {
		settle_signs(f, vec);
		for (int i = 0; i < f->k; i++) {
			f->variance[i] = f->variance[i] > 0 ? f->variance[i] : 0;
			f->ratio[i] = f->variance[i] / f->total;
		}
	}
	mem_free(vec);
	return e->code;
}

int
pca_fit(struct rows *r, const struct pca_opt *o, struct pca *f, struct par *p, struct err *e)
{
	struct fit w;
	double *c;

	memset(f, 0, sizeof *f);
	if (e->code)
		return e->code;
	if (o->k < 1 || o->k >= o->g || o->k >= r->n_row)
		return err_set(e, ERR_USAGE,
			"%d components: must be fewer than the %lld cells and the %lld genes; ask for fewer", o->k, (long long)r->n_row, (long long)o->g);
	f->n = r->n_row;
	f->g = o->g;
	f->k = o->k;
	f->variance = mem_new(double, o->k);
	f->ratio = mem_new(double, o->k);
	f->mean = mem_new(double, o->g);
	f->loading = mem_new(double, o->g * o->k);
	fit_init(&w, r, o, p);
	rows_pass(r, fit_block, fit_sum, &w, e);
	if (!e->code)
		flush(&w, e);
	c = covariance(&w, r->n_row, f->mean);
	fit_clear(&w, r->n_slot);
	if (!e->code)
		decompose(f, c, e);
	mem_free(c);
	if (e->code)
		pca_clear(f);
	return e->code;
}

void
pca_clear(struct pca *f)
{
	mem_free(f->variance);
	mem_free(f->ratio);
	mem_free(f->mean);
	mem_free(f->loading);
	memset(f, 0, sizeof *f);
}

struct projection {
	struct source src;
	const struct pca *f;
	double *start;          /* [k] score of a cell without counts */
	double *by;             /* [k] factor */
	double **sum;           /* [n_slot] [k] */
	struct sparse *slot;    /* [n_slot] one row each */
	float *scores;
};

static int
project_block(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct projection *p = ctx;
	struct sparse *s = &p->slot[slot];
	int k = p->f->k;
	double *sum = p->sum[slot];

	sparse_room(s, 1, m->ptr[m->n_row]);
	for (int64_t i = 0; i < m->n_row; i++) {
		int64_t n = pick_row(&p->src, m, i, &p->src.buf[slot], s->col, s->val);
		float *to = p->scores + (m->row0 + i) * k;

		if (n < 0)
			return err_set(e, ERR_NUMERIC, "components: row %lld has a value that is not finite",
				(long long)(m->row0 + i + 1));
		memcpy(sum, p->start, (size_t)k * sizeof *sum);
		for (int64_t t = 0; t < n; t++) {
			const double *load = p->f->loading + (int64_t)s->col[t] * k;
			double v = s->val[t];

			for (int c = 0; c < k; c++)
				sum[c] += v * load[c];
		}
		for (int c = 0; c < k; c++)
			to[c] = (float)(sum[c] * p->by[c]);
	}
	return 0;
}

int
pca_project(struct rows *r, const struct pca_opt *o, const struct pca *f, float *scores, struct err *e)
{
	struct projection p = { .f = f, .scores = scores };

	if (e->code)
		return e->code;
	if (o->g != f->g)
		return err_set(e, ERR_USAGE, "components: made from %lld genes, not %lld; give the same genes",
			(long long)f->g, (long long)o->g);
	source_init(&p.src, r, o, NULL);
	p.start = mem_new(double, f->k);
	p.by = mem_new(double, f->k);
	p.sum = mem_new(double *, r->n_slot);
	p.slot = mem_new(struct sparse, r->n_slot);
	for (int i = 0; i < r->n_slot; i++)
		p.sum[i] = mem_new(double, f->k);
	for (int c = 0; c < f->k; c++) {
		for (int64_t j = 0; j < f->g; j++)
			p.start[c] += (p.src.zero[j] - f->mean[j]) * f->loading[j * f->k + c];
		p.by[c] = o->whiten && f->variance[c] > 0 ? 1 / sqrt(f->variance[c]) : 1;
	}
	rows_pass(r, project_block, NULL, &p, e);
	source_clear(&p.src, r->n_slot);
	for (int i = 0; i < r->n_slot; i++) {
		mem_free(p.sum[i]);
		sparse_clear(&p.slot[i]);
	}
	mem_free(p.sum);
	mem_free(p.slot);
	mem_free(p.start);
	mem_free(p.by);
	return e->code;
}

int64_t
pca_bytes(int64_t n, int64_t g, int k, int n_slot)
{
	int64_t run = (int64_t)SUM_RUN * ROWS_BLOCK, levels = 1, packed = (g * g / 2 + g * PANEL) * 8;
	int64_t group = GROUP * ROWS_BLOCK * g, sums, eigen;

	for (int64_t m = n / run; m > 0; m /= 2)
		levels++;
	/* a group, half full, the tile and the slots */
	sums = (levels + 1) * packed + group / 2 * 12 + group / GROUP * (8 + n_slot * 12);
	eigen = packed + g * g * 8 + 3 * g * k * 8 + g * 300;
	return (sums > eigen ? sums : eigen) + n * k * 4 + g * k * 8;
}
