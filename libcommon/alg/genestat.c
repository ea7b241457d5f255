/* genestat - see genestat.h */
#include "alg/genestat.h"

#include <math.h>
#include <string.h>
#include "base/mem.h"

struct batchsum_slot {
	int n_use, n_have;      /* arrays in use by the block, arrays there are */
	int *batch;             /* [n_have] */
	double **part;          /* [n_have] [n_col][n_stat] */
};

void
batchsum_init(struct batchsum *b, int n_batch, int64_t n_col, int n_stat, int n_slot)
{
	b->n_col = n_col;
	b->n_stat = n_stat;
	b->n_batch = n_batch;
	b->n_slot = n_slot;
	b->slot = mem_new(struct batchsum_slot, n_slot);
	sumtree_init(&b->tree, n_batch * n_col * n_stat);
}

double *
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
		s->part = mem_renew(s->part, double *, s->n_have + 1);
		s->part[s->n_have++] = mem_new(double, b->n_col * b->n_stat);
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

		for (int64_t j = 0; j < n; j++)
			to[j] += part[j];
		memset(part, 0, (size_t)n * sizeof *part);
	}
	s->n_use = 0;
	sumtree_next(&b->tree);
	return 0;
}

void
batchsum_end(struct batchsum *b, double *total)
{
	sumtree_end(&b->tree, total);
	for (int i = 0; i < b->n_slot; i++) {
		for (int k = 0; k < b->slot[i].n_have; k++)
			mem_free(b->slot[i].part[k]);
		mem_free(b->slot[i].part);
		mem_free(b->slot[i].batch);
	}
	mem_free(b->slot);
	b->slot = NULL;
}

enum { S_N, S_SUM, S_SUM2, N_STAT };

struct job {
	struct batchsum sums;   /* first: batchsum_add */
	const struct genestat_opt *o;
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

/* Adds the values of one row; returns their sum over the used genes. */
static double
add_row(double *part, const int32_t *col, const double *y, int64_t n, const uint8_t *gene)
{
	double total = 0;

	for (int64_t k = 0; k < n; k++) {
		double *p = part + (int64_t)col[k] * N_STAT;

		if (gene && !gene[col[k]])
			continue;
		p[S_N] += y[k] > 0;
		p[S_SUM] += y[k];
		p[S_SUM2] += y[k] * y[k];
		total += y[k];
	}
	return total;
}

static int
add_block(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct job *j = ctx;

	(void)e;
	for (int64_t i = 0; i < m->n_row; i++) {
		int64_t row = m->row0 + i, n = m->ptr[i + 1] - m->ptr[i];
		const double *y;
		int b = batch_of(j->o, row);
		double total;

		if (j->row_sum)
			j->row_sum[row] = 0;
		if (b < 0)
			continue;
		y = layer_values(j->o->layer, row, m->val + m->ptr[i], n, &j->buf[slot]);
		total = add_row(batchsum_at(&j->sums, slot, b), m->col + m->ptr[i], y, n, j->o->gene);
		if (j->row_sum)
			j->row_sum[row] = total;
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

static void
unpack(struct genestat *s, const double *total)
{
	int64_t size = s->n_batch * s->n_col;

	s->n_cells = mem_new(int64_t, size);
	s->sum = mem_new(double, size);
	s->sum2 = mem_new(double, size);
	s->mean = mem_new(double, size);
	s->var = mem_new(double, size);
	for (int64_t i = 0; i < size; i++) {
		const double *t = total + i * N_STAT;

		s->n_cells[i] = (int64_t)t[S_N];
		s->sum[i] = t[S_SUM];
		s->sum2[i] = t[S_SUM2];
		moments((double)s->n[i / s->n_col], t[S_SUM], t[S_SUM2], &s->mean[i], &s->var[i]);
	}
}

int
genestat_get(struct rows *r, const struct genestat_opt *o, double *row_sum, struct genestat *s, struct err *e)
{
	struct job j = { .o = o, .row_sum = row_sum };
	double *total;

	memset(s, 0, sizeof *s);
	if (e->code)
		return e->code;
	s->n_col = r->n_col;
	s->n_batch = o->batch ? o->n_batch : 1;
	s->n = mem_new(int64_t, s->n_batch);
	for (int64_t i = 0; i < r->n_row; i++)
		if (batch_of(o, i) >= 0)
			s->n[batch_of(o, i)]++;
	j.buf = mem_new(struct layer_buf, r->n_slot);
	batchsum_init(&j.sums, s->n_batch, r->n_col, N_STAT, r->n_slot);
	total = mem_new(double, s->n_batch * r->n_col * N_STAT);
	rows_pass(r, add_block, batchsum_add, &j, e);
	batchsum_end(&j.sums, total);
	if (!e->code)
		unpack(s, total);
	mem_free(total);
	layer_free(j.buf, r->n_slot);
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
