/* pca_gram - sums and products of the chosen genes over all cells: the pass of pca_fit
 *
 * Blocks of rows are turned into lists of each gene's non-zeros and gathered in groups.  A pair of genes is multiplied in one of two ways:
 *
 *	two dense genes         tiles of floats, by BLAS
 *	gene a with a sparse b  a is one of STRIP genes that are laid out as a table; the table's rows at b's non-zeros are added up
 *
 * Dense genes, the first n_dense (dense ones stand first), hold c = s - h in tiles and tables, so that sums do not lose
 * digits: h is near the mean of a gene that most cells have.  Other genes keep h = 0, and
 * their zeros are not touched.  What h took away is given back in double at the end of a run of SUM_RUN blocks:
 *
 *	sum s_a s_b = sum c_a c_b + h_a (sum c_b + n h_b) + h_b sum c_a
 *
 * Products are added in float within a block and over the blocks of a group, in double beyond.
 */
#include "alg/pca_impl.h"

#include <math.h>
#include <string.h>
#include "alg/lanes.h"
#include "alg/pca_wide.h"
#include "base/mem.h"
#include "num/blas.h"

#define STRIP PCA_WIDTH
#define PANEL 256       /* rows of the Gram matrix in a job of BLAS */
#define CHUNK 512       /* and columns */
#define GROUP 16        /* row blocks that are added at once, at most */
/* A gene is dense when more cells than this have it: what a product of BLAS costs over one of a list. */
#define DENSE 0.4

struct slot {
	struct sparse s;
	struct lists l;
};

/* What a worker needs. */
struct room {
	float *table;           /* [ROWS_BLOCK][STRIP] */
	float *sum;             /* [max(g, ...)][STRIP], or [PANEL][CHUNK] */
};

struct gram {
	struct picker pick;
	struct par *p;
	struct sumtree *to;
	int64_t g, n_row;
	struct slot *slot;      /* [n_slot] */
	struct lists group[GROUP];
	float *tile[GROUP];     /* [rows][n_dense], of room cap_tile */
	int64_t cap_tile[GROUP];
	int n_block;            /* in the group */
	int64_t entries;        /* in the group */
	int64_t in_run;         /* blocks of the open run that were added */
	int64_t n_dense;        /* genes in tiles, for a run */
	int64_t n_panel;        /* jobs of BLAS */
	float *shift;           /* [g] h, 0 from n_dense on */
	double *sum;            /* [n_dense] of c over the run */
	int64_t rows;           /* of the run */
	struct room *room;      /* [workers] */
};

/* Rows of the triangle, one after the other; gene b of row a stands at pca_sums_at + b. */
int64_t
pca_sums_at(int64_t g, int64_t a)
{
	return a * g - a * (a - 1) / 2 - a;
}

/* Products only. */
static int64_t
gram_size(int64_t g)
{
	return g * (g + 1) / 2;
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

/* A group with more non-zeros is full: of dense data there are fewer blocks in it. */
static int64_t
group_entries(int64_t g)
{
	return ROWS_BLOCK * g;
}

static int64_t
sum_room(int64_t g)
{
	return g * STRIP > PANEL * CHUNK ? g * STRIP : PANEL * CHUNK;
}

static void
gram_init(struct gram *f, struct sumtree *to, const struct rows *r, const struct pca_opt *o, struct par *p)
{
	memset(f, 0, sizeof *f);
	picker_init(&f->pick, r, o);
	f->p = p;
	f->to = to;
	f->g = o->g;
	f->n_row = r->n_row;
	f->slot = mem_new(struct slot, r->n_slot);
	f->shift = mem_new(float, o->g);
	f->sum = mem_new(double, o->g);
	f->room = mem_new(struct room, par_n(p));
}

static void
lists_clear(struct lists *l)
{
	mem_free(l->ptr);
	mem_free(l->row);
	mem_free(l->val);
}

static void
gram_clear(struct gram *f)
{
	for (int i = 0; i < f->pick.n_slot; i++) {
		sparse_clear(&f->slot[i].s);
		lists_clear(&f->slot[i].l);
	}
	for (int i = 0; i < GROUP; i++) {
		lists_clear(&f->group[i]);
		mem_free(f->tile[i]);
	}
	for (int i = 0; i < par_n(f->p); i++) {
		mem_free(f->room[i].table);
		mem_free(f->room[i].sum);
	}
	mem_free(f->room);
	mem_free(f->slot);
	mem_free(f->shift);
	mem_free(f->sum);
	picker_clear(&f->pick);
}

/* The rows of s by genes. */
static void
make_lists(const struct sparse *s, int64_t g, struct lists *l)
{
	int64_t n = s->ptr[s->n];

	if (!l->ptr)
		l->ptr = mem_raw(int32_t, g + 2);
	if (n > l->cap) {
		l->cap = n + n / 8 + 64;
		l->row = mem_renew(l->row, int32_t, l->cap);
		l->val = mem_renew(l->val, float, l->cap);
	}
	l->n = s->n;
	/* ptr[j + 1] counts up from where list j begins to where it ends */
	memset(l->ptr, 0, (size_t)(g + 2) * sizeof *l->ptr);
	for (int64_t k = 0; k < n; k++)
		l->ptr[s->col[k] + 2]++;
	for (int64_t j = 0; j < g; j++)
		l->ptr[j + 2] += l->ptr[j + 1];
	for (int64_t i = 0; i < s->n; i++)
		for (int64_t k = s->ptr[i]; k < s->ptr[i + 1]; k++) {
			int32_t at = l->ptr[s->col[k] + 1]++;

			l->row[at] = (int32_t)i;
			l->val[at] = s->val[k];
		}
}

static int
gram_block(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct gram *f = ctx;
	struct slot *t = &f->slot[slot];
	int64_t end = m->row0 + m->n_row;

	if (picker_add(&f->pick, m, slot, &t->s, e))
		return e->code;
	if (end % ROWS_BLOCK == 0 || end == f->n_row) {
		make_lists(&t->s, f->g, &t->l);
		t->s.n = 0;
	}
	return 0;
}

/* The products of two such numbers add up without being rounded, as long as there are not many more than in a block: h_a h_b, the product
 * of two zeros, is the same over and over, so that its rounding would be too. */
static float
few_bits(double x)
{
	int e;
	double m = frexp(x, &e);

	return (float)ldexp(rint(m * 64), e - 6);
}

/* For a run, from its first group: how many genes are dense, and their shifts. */
static void
start_run(struct gram *f)
{
	double gain = 0, best = 0;
	int64_t n = 0;

	for (int q = 0; q < f->n_block; q++)
		n += f->group[q].n;
	f->n_dense = 0;
	for (int64_t j = 0; j < f->g; j++) {
		double sum = 0;
		int64_t count = 0;

		for (int q = 0; q < f->n_block; q++) {
			const struct lists *l = &f->group[q];

			count += l->ptr[j + 1] - l->ptr[j];
			for (int32_t k = l->ptr[j]; k < l->ptr[j + 1]; k++)
				sum += (double)l->val[k];
		}
		f->shift[j] = 2 * count > n ? few_bits(sum / (double)n) : 0;
		gain += (double)count / (double)n - DENSE;
		if (gain > best) {
			best = gain;
			f->n_dense = j + 1;
		}
	}
	for (int64_t j = f->n_dense; j < f->g; j++)
		f->shift[j] = 0;
	memset(f->sum, 0, (size_t)f->n_dense * sizeof *f->sum);
	f->rows = 0;
	f->n_panel = 0;
	for (int64_t a = 0; a < f->n_dense; a += PANEL)
		f->n_panel += (f->n_dense - a + CHUNK - 1) / CHUNK;
}

/* Genes a0 .. a1 - 1 of a block: c [rows][width]. */
static void
lay_out(const struct gram *f, const struct lists *l, int64_t a0, int64_t a1, float *c, int64_t width)
{
	for (int64_t a = a0; a < a1; a++)
		c[a - a0] = -f->shift[a];
	for (int64_t i = a1 - a0; i < width; i++)
		c[i] = 0;
	for (int64_t i = 1; i < l->n; i++)
		memcpy(c + i * width, c, (size_t)width * sizeof *c);
	for (int64_t a = a0; a < a1; a++)
		for (int32_t k = l->ptr[a]; k < l->ptr[a + 1]; k++)
			c[l->row[k] * width + a - a0] = l->val[k] - f->shift[a];
}

static int
fill_tile(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct gram *f = ctx;
	struct lists *l = &f->group[lo];
	int64_t size = l->n * f->n_dense;

	(void)hi;
	(void)worker;
	(void)e;
	if (size > f->cap_tile[lo]) {
		mem_free(f->tile[lo]);
		f->tile[lo] = mem_raw(float, size);
		f->cap_tile[lo] = size;
	}
	lay_out(f, l, 0, f->n_dense, f->tile[lo], f->n_dense);
	return 0;
}

WIDE static void
add_floats(double *to, const float *x, int64_t n)
{
	for (int64_t k = 0; k < n; k++)
		to[k] += (double)x[k];
}

/* Products of dense genes: rows a0 .. a1 and columns b0 .. b1 of the Gram matrix. */
static void
dense_pairs(struct gram *f, int64_t job, float *t)
{
	int64_t d = f->n_dense, a0 = 0, a1, b0, b1, n;

	for (; n = (d - a0 + CHUNK - 1) / CHUNK, job >= n; a0 += PANEL)
		job -= n;
	b0 = a0 + job * CHUNK;
	a1 = a0 + PANEL < d ? a0 + PANEL : d;
	b1 = b0 + CHUNK < d ? b0 + CHUNK : d;
	for (int q = 0; q < f->n_block; q++)
		blas_sgemm(1, 0, a1 - a0, b1 - b0, f->group[q].n, 1, f->tile[q] + a0, d, f->tile[q] + b0, d, q > 0, t, b1 - b0);
	for (int64_t a = a0; a < a1; a++) {
		int64_t b = a > b0 ? a : b0;

		if (b < b1)
			add_floats(f->to->run + pca_sums_at(f->g, a) + b, t + (a - a0) * (b1 - b0) + b - b0, b1 - b);
	}
}

/* Products of STRIP genes from a0 on with sparse genes from there on. */
static void
sparse_pairs(struct gram *f, int64_t a0, const struct room *m)
{
	int64_t a1 = a0 + STRIP < f->g ? a0 + STRIP : f->g, b0 = a0 > f->n_dense ? a0 : f->n_dense;

	memset(m->sum, 0, (size_t)((f->g - b0) * STRIP) * sizeof *m->sum);
	for (int q = 0; q < f->n_block; q++) {
		const struct lists *l = &f->group[q];

		lay_out(f, l, a0, a1, m->table, STRIP);
		pca_add_lists(m->table, l->ptr, l->row, l->val, b0, f->g, m->sum);
	}
	/* turned a few rows at a time, which the first cache holds */
	for (int64_t lo = b0, hi; lo < f->g; lo = hi) {
		hi = lo + 16 < f->g ? lo + 16 : f->g;
		for (int64_t a = a0; a < a1; a++) {
			double *to = f->to->run + pca_sums_at(f->g, a);

			for (int64_t b = lo > a ? lo : a; b < hi; b++)
				to[b] += (double)m->sum[(b - b0) * STRIP + a - a0];
		}
	}
}

static int
product(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct gram *f = ctx;
	struct room *m = &f->room[worker];

	(void)hi;
	(void)e;
	if (!m->sum) {
		m->table = mem_raw(float, ROWS_BLOCK * STRIP);
		m->sum = mem_raw(float, sum_room(f->g));
	}
	if (lo < f->n_panel)
		dense_pairs(f, lo, m->sum);
	else
		sparse_pairs(f, (lo - f->n_panel) * STRIP, m);
	return 0;
}

/* Gives back to the open run what the shifts took. */
static int
settle(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct gram *f = ctx;
	const double *sum = f->to->run + gram_size(f->g);

	(void)worker;
	(void)e;
	for (int64_t a = lo; a < hi; a++) {
		double *row = f->to->run + pca_sums_at(f->g, a), h = (double)f->shift[a], c = f->sum[a], n = (double)f->rows;

		for (int64_t b = a; b < f->n_dense; b++)
			row[b] += h * (f->sum[b] + n * (double)f->shift[b]) + c * (double)f->shift[b];
		for (int64_t b = f->n_dense; b < f->g; b++)
			row[b] += h * sum[b];
	}
	return 0;
}

/* Sums of the dense genes' c over the group. */
static void
add_shifted(struct gram *f)
{
	for (int q = 0; q < f->n_block; q++) {
		const struct lists *l = &f->group[q];

		for (int64_t j = 0; j < f->n_dense; j++) {
			float h = f->shift[j];
			double sum = -(double)h * (double)l->n;

			for (int32_t k = l->ptr[j]; k < l->ptr[j + 1]; k++)
				sum += (double)(l->val[k] - h) + (double)h;
			f->sum[j] += sum;
		}
		f->rows += l->n;
	}
}

/* Adds the blocks of the group to the open run; ends it when it is full, or by last. */
static int
flush(struct gram *f, int last, struct err *e)
{
	if (f->in_run == 0 && f->n_block > 0)
		start_run(f);
	if (f->n_dense > 0)
		par_for(f->p, f->n_block, 1, fill_tile, f, e);
	if (f->n_block > 0)
		par_for(f->p, f->n_panel + (f->g + STRIP - 1) / STRIP, 1, product, f, e);
	add_shifted(f);
	f->in_run += f->n_block;
	if (f->in_run == SUM_RUN || (last && f->in_run > 0)) {
		par_for(f->p, f->n_dense, 64, settle, f, e);
		f->in_run = 0;
	}
	for (int q = 0; q < f->n_block; q++)
		sumtree_next(f->to);
	f->n_block = 0;
	f->entries = 0;
	return e->code;
}

static int
gram_sum(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct gram *f = ctx;
	struct lists *l = &f->slot[slot].l, swap = f->group[f->n_block];
	double *to = f->to->run + gram_size(f->g);

	(void)m;
	for (int64_t j = 0; j < f->g; j++) {
		double sum = 0;

		for (int32_t k = l->ptr[j]; k < l->ptr[j + 1]; k++)
			sum += (double)l->val[k];
		to[j] += sum;
	}
	f->entries += l->ptr[f->g];
	f->group[f->n_block++] = *l;
	*l = swap;
	return f->n_block == GROUP || f->entries >= group_entries(f->g) || f->in_run + f->n_block == SUM_RUN ? flush(f, 0, e) : e->code;
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
pca_gram_bytes(int64_t n, int64_t g, double fill, int n_slot)
{
	int64_t arrays = 1, block = (int64_t)(fill * (double)(ROWS_BLOCK * g)), group = group_entries(g) + block, own;

	group = group < GROUP * block ? group : GROUP * block;
	/* the open run, and as many nodes as a number of runs has bits */
	for (int64_t runs = n / (SUM_RUN * ROWS_BLOCK) + 1; runs > 1; runs /= 2)
		arrays++;
	/* rows and lists with an eighth to spare, tiles, and tables for each of the workers, half as many as slots */
	own = (2 * n_slot * block + group) * 9 + (int64_t)((double)group / DENSE) * 4 + (GROUP + n_slot) * 4 * g +
	    n_slot / 2 * (sum_room(g) + ROWS_BLOCK * STRIP) * 4;
	/* afterwards, an array more to put them in another order */
	return arrays * pca_sums_size(g) * 8 + (own > pca_sums_size(g) * 8 ? own : pca_sums_size(g) * 8);
}
