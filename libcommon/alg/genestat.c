/* genestat - see genestat.h */
#include "alg/genestat.h"

#include <math.h>
#include <string.h>
#include "alg/lanes.h"
#include "base/mem.h"

struct batchsum_slot {
	int n_use, n_have;      /* arrays in use by the block, arrays there are */
	int *batch;             /* [n_have] */
	void **part;            /* [n_have] [n_col][n_stat], or bytes of another form */
};

/* A tree of n doubles that the caller may replace by its own. */
void
batchsum_init(struct batchsum *b, int n_batch, int64_t n_col, int n_stat, int n_slot)
{
	b->n_col = n_col;
	b->n_stat = n_stat;
	b->n_batch = n_batch;
	b->n_slot = n_slot;
	b->slot = mem_new(struct batchsum_slot, n_slot);
	b->bytes = (size_t)n_col * (size_t)n_stat * sizeof(double);
	b->add = NULL;
	sumtree_init(&b->tree, n_batch * n_col * n_stat);
}

void
batchsum_begin(struct batchsum *b, struct sumtree *t)
{
	sumtree_clear(&b->tree);
	b->tree = *t;
	memset(t, 0, sizeof *t);
}

void *
batchsum_at(struct batchsum *b, int slot, int batch)
{
	struct batchsum_slot *s = &b->slot[slot];
	int i = s->n_use - 1;

	while (i >= 0 && s->batch[i] != batch)
		i--;
	if (i >= 0)
		return s->part[i];
	if (s->n_use == s->n_have) {
		s->batch = mem_renew(s->batch, int, s->n_have + 1);
		s->part = mem_renew(s->part, void *, s->n_have + 1);
		s->part[s->n_have++] = mem_new(char, (int64_t)b->bytes);
	}
	s->batch[s->n_use] = batch;
	return s->part[s->n_use++];
}

int
batchsum_add(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct batchsum *b = ctx;
	struct batchsum_slot *s = &b->slot[slot];
	double *total = sumtree_open(&b->tree);
	int64_t n = b->n_col * b->n_stat;

	(void)m;
	(void)e;
	for (int i = 0; i < s->n_use; i++) {
		double *to = total + s->batch[i] * n, *part = s->part[i];

		if (b->add) {
			b->add(b, part, to);
			continue;
		}
		for (int64_t j = 0; j < n; j++)
			to[j] += part[j];
		memset(part, 0, b->bytes);
	}
	s->n_use = 0;
	sumtree_next(&b->tree);
	return 0;
}

void
batchsum_give(struct batchsum *b, const int32_t *order, struct sumtree *t)
{
	*t = b->tree;
	if (order)
		sumtree_permute(t, order, b->n_batch, b->n_col, b->n_stat);
	for (int i = 0; i < b->n_slot; i++) {
		for (int k = 0; k < b->slot[i].n_have; k++)
			mem_free(b->slot[i].part[k]);
		mem_free(b->slot[i].part);
		mem_free(b->slot[i].batch);
	}
	mem_free(b->slot);
	b->slot = NULL;
}

void
batchsum_end(struct batchsum *b, double *total)
{
	struct sumtree t;

	batchsum_give(b, NULL, &t);
	sumtree_end(&t, total);
}

enum { S_N, S_SUM, S_SUM2 };
#define W GENESTAT_WIDTH

/* Of counts, the three sums of a gene over up to SMALL_ROWS rows in one word:
 * 10 bits of n, 19 of the sum, 29 of the squares.  Larger counts go to the doubles behind. */
#define SMALL_ROWS 512
#define SMALL_COUNT 1024

struct counts {
	int64_t n_row;          /* that are in the words */
	int64_t large;          /* some sums are in the doubles */
	uint64_t word[];        /* [n_col], then [n_col][W] doubles */
};

/* Of a layer's values. */
typedef double pair __attribute__((vector_size(16), may_alias));

struct job {
	struct batchsum sums;   /* first: batchsum_add */
	const struct genestat_opt *o;
	uint8_t *gene;          /* [n_col] of the rows' columns; NULL = all */
	double *row_sum;
	struct layer_buf *buf;  /* [n_slot] */
};

static int
batch_of(const struct genestat_opt *o, int64_t row)
{
	if (o->keep && !o->keep[row])
		return -1;
	if (!o->batch)
		return 0;
	return o->batch[row] >= 0 && o->batch[row] < o->n_batch ? o->batch[row] : -1;
}

static double *
large_of(const struct batchsum *b, struct counts *c)
{
	c->large = 1;
	return (double *)(c->word + b->n_col);
}

static void
empty_words(const struct batchsum *b, struct counts *c, double *to)
{
	for (int64_t j = 0; j < b->n_col; j++) {
		uint64_t w = c->word[j];

		to[W * j + S_N] += (double)(int)(w & 1023);
		to[W * j + S_SUM] += (double)(int)(w >> 10 & ((1 << 19) - 1));
		to[W * j + S_SUM2] += (double)(int)(w >> 29);
	}
	memset(c->word, 0, (size_t)b->n_col * sizeof *c->word);
	c->n_row = 0;
}

static void
add_counts(const struct batchsum *b, void *part, double *to)
{
	struct counts *c = part;

	empty_words(b, c, to);
	if (c->large) {
		double *large = large_of(b, c);

		for (int64_t j = 0; j < b->n_col * W; j++)
			to[j] += large[j];
		memset(large, 0, (size_t)b->n_col * W * sizeof *large);
		c->large = 0;
	}
}

#define LANE 8
typedef double lane __attribute__((vector_size(8 * LANE), aligned(8), may_alias));
typedef uint64_t bits __attribute__((vector_size(8 * LANE), aligned(8), may_alias));

/* w [n]: what the counts x add to the words of their genes; 0 for those that are no small counts.  Returns whether there are such.
 * n is a multiple of LANE. */
static WIDE int
words_of(const double *x, uint64_t *w, int64_t n)
{
	const bits low = (bits){0} + 0xfffffffffffffull, one = (bits){0} + 1;
	const lane two52 = (lane){0} + 0x1p52;
	bits odd = {0};
	uint64_t some = 0;

	for (int64_t k = 0; k < n; k += LANE) {
		lane v = *(const lane *)(x + k), whole = v + two52;    /* the mantissa of which is v, rounded */
		bits good = (bits)(v >= 0) & (bits)(v < SMALL_COUNT) & (bits)(whole - two52 == v);
		bits sum = (bits)whole & low, sum2 = (bits)(v * v + two52) & low;

		*(bits *)(w + k) = (((bits)(v > 0) & one) + (sum << 10) + (sum2 << 29)) & good;
		odd |= ~good;
	}
	for (int i = 0; i < LANE; i++)
		some |= odd[i];
	return some != 0;
}

/* Adds the counts of one row.  w: room for n. */
static void
count_row(const struct batchsum *b, struct counts *c, const int32_t *col, const double *x, int64_t n, uint64_t *w)
{
	int64_t even = n / LANE * LANE, k;
	double tail[LANE] = {0};
	int odd;

	if (c->n_row++ == SMALL_ROWS) {
		empty_words(b, c, large_of(b, c));
		c->n_row = 1;
	}
	memcpy(tail, x + even, (size_t)(n - even) * sizeof *tail);
	odd = words_of(x, w, even);
	odd |= words_of(tail, w + even, LANE);
	for (k = 0; k < n; k++)
		c->word[col[k]] += w[k];
	for (k = 0; k < n && odd; k++)
		if (!(x[k] >= 0 && x[k] < SMALL_COUNT && floor(x[k]) == x[k])) {
			double *p = large_of(b, c) + (int64_t)col[k] * W;

			p[S_N] += x[k] > 0;
			p[S_SUM] += x[k];
			p[S_SUM2] += x[k] * x[k];
		}
}

static double
sum_row(const int32_t *col, const double *y, int64_t n, const uint8_t *gene)
{
	double total = 0;

	for (int64_t k = 0; k < n; k++)
		total += !gene || gene[col[k]] ? y[k] : 0;
	return total;
}

/* A buffer of words, in that of a layer's values. */
static uint64_t *
room(struct layer_buf *b, int64_t n)
{
	if (n + LANE > b->cap) {
		b->cap = 2 * n + LANE;
		b->y = mem_renew(b->y, double, b->cap);
	}
	return (uint64_t *)b->y;
}

static int
count_block(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct job *j = ctx;

	if (j->o->before && j->o->before(j->o->ctx, m, slot, e))
		return e->code;
	for (int64_t i = 0; i < m->n_row; i++) {
		int64_t row = m->row0 + i, n = m->ptr[i + 1] - m->ptr[i];
		const int32_t *col = m->col + m->ptr[i];
		const double *x = m->val + m->ptr[i];
		int b = batch_of(j->o, row);

		if (j->row_sum)
			j->row_sum[row] = b < 0 ? 0 : sum_row(col, x, n, j->gene);
		if (b >= 0)
			count_row(&j->sums, batchsum_at(&j->sums, slot, b), col, x, n, room(&j->buf[slot], n));
	}
	return 0;
}

/* The sums of a layer's values as pairs, then n as integers. */
static void
add_pairs(const struct batchsum *b, void *part, double *to)
{
	const double *p = part;
	const uint32_t *n = (const uint32_t *)(p + 2 * b->n_col);

	for (int64_t j = 0; j < b->n_col; j++) {
		to[W * j + S_N] += n[j];
		to[W * j + S_SUM] += p[2 * j];
		to[W * j + S_SUM2] += p[2 * j + 1];
	}
	memset(part, 0, b->bytes);
}

static void
add_row(pair *part, const int32_t *col, const double *y, int64_t n)
{
	for (int64_t k = 0; k < n; k++)
		part[col[k]] += (pair){ y[k], y[k] * y[k] };
}

/* The same of log values, straight from the table of a row (see layer_row). */
static void
add_log_row(pair *part, const int32_t *col, const double *x, int64_t n, double div)
{
	double lut[LAYER_LUT];
	pair both[LAYER_LUT];

	for (int c = 0; c < LAYER_LUT; c++)
		lut[c] = c / div;
	num_log1p_n(lut, lut, LAYER_LUT);
	for (int c = 0; c < LAYER_LUT; c++)
		both[c] = (pair){ lut[c], lut[c] * lut[c] };
	for (int64_t k = 0; k < n; k++) {
		int c = (int)x[k];

		if ((unsigned)c < LAYER_LUT && c == x[k]) {
			part[col[k]] += both[c];
		} else {
			double y = num_log1p(x[k] / div);

			part[col[k]] += (pair){ y, y * y };
		}
	}
}

static int
add_block(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct job *j = ctx;
	const struct layer *l = j->o->layer;

	if (j->o->before && j->o->before(j->o->ctx, m, slot, e))
		return e->code;
	for (int64_t i = 0; i < m->n_row; i++) {
		int64_t row = m->row0 + i, n = m->ptr[i + 1] - m->ptr[i];
		const int32_t *col = m->col + m->ptr[i];
		const double *y;
		int b = batch_of(j->o, row);
		pair *part;
		uint32_t *n_cells;

		if (j->row_sum)
			j->row_sum[row] = 0;
		if (b < 0)
			continue;
		part = batchsum_at(&j->sums, slot, b);
		if (l->log1p && j->o->no_counts && !j->row_sum) {
			add_log_row(part, col, m->val + m->ptr[i], n, l->row_div && l->row_div[row] != 0 ? l->row_div[row] : 1);
			continue;
		}
		y = layer_values(l, row, m->val + m->ptr[i], n, &j->buf[slot]);
		n_cells = (uint32_t *)(part + j->sums.n_col);
		add_row(part, col, y, n);
		for (int64_t k = 0; k < n && !j->o->no_counts; k++)
			n_cells[col[k]] += y[k] > 0;
		if (j->row_sum)
			j->row_sum[row] = sum_row(col, y, n, j->gene);
	}
	return 0;
}

/* A constant gene must come out as 0, not as what rounding leaves. */
static void
moments(double n, double sum, double sum2, double *mean, double *var)
{
	double m2;

	*mean = n > 0 ? sum / n : 0;
	m2 = sum2 - sum * *mean;
	*var = n < 2 || m2 < 1e-14 * sum2 ? 0 : m2 / (n - 1);
}

void
genestat_of(const double *total, const int64_t *n, int n_batch, int64_t n_col, struct genestat *s)
{
	int64_t size = n_batch * n_col;

	s->n_col = n_col;
	s->n_batch = n_batch;
	s->n = mem_new(int64_t, n_batch);
	memcpy(s->n, n, (size_t)n_batch * sizeof *n);
	s->n_cells = mem_new(int64_t, size);
	s->sum = mem_new(double, size);
	s->sum2 = mem_new(double, size);
	s->mean = mem_new(double, size);
	s->var = mem_new(double, size);
	for (int64_t i = 0; i < size; i++) {
		const double *t = total + i * W;

		s->n_cells[i] = (int64_t)t[S_N];
		s->sum[i] = t[S_SUM];
		s->sum2[i] = t[S_SUM2];
		moments((double)s->n[i / s->n_col], t[S_SUM], t[S_SUM2], &s->mean[i], &s->var[i]);
	}
}

void
genestat_rows(const struct genestat_opt *o, int64_t lo, int64_t hi, int64_t *n)
{
	memset(n, 0, (size_t)(o->batch ? o->n_batch : 1) * sizeof *n);
	for (int64_t i = lo; i < hi; i++)
		if (batch_of(o, i) >= 0)
			n[batch_of(o, i)]++;
}

/* Genes that are left out have been summed like the others: that is cheaper than asking each time. */
static void
leave_out(const struct genestat_opt *o, struct sumtree *t, int n_batch, int64_t n_col)
{
	for (int k = 0; k <= t->n_node && o->gene; k++) {
		double *sum = k < t->n_node ? t->node[k].sum : t->run;

		for (int64_t i = 0; i < n_batch * n_col; i++)
			if (!o->gene[i % n_col])
				memset(sum + i * W, 0, W * sizeof *sum);
	}
}

int
genestat_sums(struct rows *r, const struct genestat_opt *o, double *row_sum, struct sumtree *t, struct err *e)
{
	struct job j = { .o = o, .row_sum = row_sum };
	int n_batch = o->batch ? o->n_batch : 1, counts = !o->layer || (!o->layer->row_div && !o->layer->log1p);
	size_t n = (size_t)r->n_col;

	if (e->code)
		return e->code;
	j.buf = mem_new(struct layer_buf, r->n_slot);
	j.gene = o->gene ? mem_new(uint8_t, r->n_col) : NULL;
	for (int64_t c = 0; c < r->n_col && o->gene; c++)
		j.gene[c] = o->gene[o->order ? o->order[c] : c];
	batchsum_init(&j.sums, n_batch, r->n_col, W, r->n_slot);
	batchsum_begin(&j.sums, t);
	j.sums.bytes = counts ? sizeof(struct counts) + n * (1 + W) * sizeof(double) : n * (sizeof(pair) + sizeof(uint32_t));
	j.sums.add = counts ? add_counts : add_pairs;
	rows_pass(r, counts ? count_block : add_block, batchsum_add, &j, e);
	batchsum_give(&j.sums, o->order, t);
	leave_out(o, t, n_batch, r->n_col);
	mem_free(j.gene);
	layer_free(j.buf, r->n_slot);
	return e->code;
}

int
genestat_get(struct rows *r, const struct genestat_opt *o, double *row_sum, struct genestat *s, struct err *e)
{
	int n_batch = o->batch ? o->n_batch : 1;
	struct sumtree t;
	double *total;
	int64_t *n;

	memset(s, 0, sizeof *s);
	if (e->code)
		return e->code;
	sumtree_init(&t, n_batch * r->n_col * W);
	genestat_sums(r, o, row_sum, &t, e);
	n = mem_new(int64_t, n_batch);
	total = mem_new(double, n_batch * r->n_col * W);
	genestat_rows(o, 0, r->n_row, n);
	sumtree_end(&t, total);
	if (!e->code)
		genestat_of(total, n, n_batch, r->n_col, s);
	mem_free(total);
	mem_free(n);
	return e->code;
}

void
genestat_clear(struct genestat *s)
{
	mem_free(s->n);
	mem_free(s->n_cells);
	mem_free(s->sum);
	mem_free(s->sum2);
	mem_free(s->mean);
	mem_free(s->var);
	memset(s, 0, sizeof *s);
}

void
genestat_pool(const struct genestat *s, double *mean, double *var)
{
	double n = 0;

	for (int b = 0; b < s->n_batch; b++)
		n += (double)s->n[b];
	for (int64_t j = 0; j < s->n_col; j++) {
		double sum = 0, sum2 = 0;

		for (int b = 0; b < s->n_batch; b++) {
			sum += s->sum[b * s->n_col + j];
			sum2 += s->sum2[b * s->n_col + j];
		}
		moments(n, sum, sum2, &mean[j], &var[j]);
	}
}

void
genestat_std(const double *var, int64_t n, double *std)
{
	for (int64_t i = 0; i < n; i++)
		std[i] = var[i] > 0 ? sqrt(var[i]) : 1;
}

struct clip_job {
	struct batchsum sums;   /* first: batchsum_add */
	const struct layer *l;
	const uint8_t *keep;
	double *zero;           /* [n_col] 1 where a zero is clipped */
	struct layer_buf *buf;
};

/* Beyond the clip, which layer_scale would have applied. */
static int
beyond(const struct layer *l, int64_t j, double y)
{
	struct layer open = *l;

	open.clip = 0;
	return fabs(layer_scale(&open, j, y)) > l->clip;
}

static int
clip_block(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct clip_job *j = ctx;
	double *part = batchsum_at(&j->sums, slot, 0);

	(void)e;
	for (int64_t i = 0; i < m->n_row; i++) {
		int64_t row = m->row0 + i, n = m->ptr[i + 1] - m->ptr[i];
		const int32_t *col = m->col + m->ptr[i];
		const double *y;

		if (j->keep && !j->keep[row])
			continue;
		y = layer_values(j->l, row, m->val + m->ptr[i], n, &j->buf[slot]);
		for (int64_t k = 0; k < n; k++)
			part[col[k]] += beyond(j->l, col[k], y[k]) - j->zero[col[k]];
	}
	return 0;
}

int
genestat_clipped(struct rows *r, const struct layer *l, const uint8_t *keep, int64_t *n_clipped, struct err *e)
{
	struct clip_job j = { .l = l, .keep = keep };
	int64_t n = 0;
	double *total;

	memset(n_clipped, 0, (size_t)r->n_col * sizeof *n_clipped);
	if (e->code || l->clip <= 0)
		return e->code;
	for (int64_t i = 0; i < r->n_row; i++)
		n += !keep || keep[i];
	total = mem_new(double, r->n_col);
	j.zero = mem_new(double, r->n_col);
	for (int64_t c = 0; c < r->n_col; c++)
		j.zero[c] = beyond(l, c, 0);
	j.buf = mem_new(struct layer_buf, r->n_slot);
	batchsum_init(&j.sums, 1, r->n_col, 1, r->n_slot);
	rows_pass(r, clip_block, batchsum_add, &j, e);
	batchsum_end(&j.sums, total);
	for (int64_t c = 0; c < r->n_col; c++)
		n_clipped[c] = (int64_t)(total[c] + j.zero[c] * (double)n);
	mem_free(total);
	mem_free(j.zero);
	layer_free(j.buf, r->n_slot);
	return e->code;
}
