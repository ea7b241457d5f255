/* hvg - options, ranks over batches, selection; see hvg.h */
#include "alg/hvg_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "num/median.h"

struct hvg_opt
hvg_default(enum hvg_flavor f)
{
	struct hvg_opt o = {
		.flavor = f, .n_top = 2000, .theta = 100, .n_bins = 20, .span = 0.3,
		.min_mean = 0.0125, .max_mean = 3, .min_disp = 0.5, .max_disp = INFINITY
	};

	return o;
}

void
hvg_clear(struct hvg *h)
{
	mem_free(h->means);
	mem_free(h->variances);
	mem_free(h->score);
	mem_free(h->dispersions);
	mem_free(h->rank);
	mem_free(h->n_batches);
	mem_free(h->highly_variable);
	memset(h, 0, sizeof *h);
}

static int
compare_doubles(double a, double b)
{
	if (isnan(a) || isnan(b))
		return isnan(a) - isnan(b);
	return (a > b) - (a < b);
}

static int
compare_keys(const void *x, const void *y)
{
	const struct hvg_key *p = x, *q = y;
	int c = compare_doubles(p->a, q->a);

	if (!c)
		c = compare_doubles(p->b, q->b);
	return c ? c : (p->gene > q->gene) - (p->gene < q->gene);
}

void
hvg_sort(struct hvg_key *k, int64_t n)
{
	qsort(k, (size_t)n, sizeof *k, compare_keys);
}

/* May this gene be chosen by its score? */
static int
candidate(const struct hvg_opt *o, int64_t j)
{
	return (!o->gene || o->gene[j]) && !(o->exclude && o->exclude[j]);
}

/* rank [n_col] of one batch's scores: 0 .. n_top - 1, NaN beyond and for NaN. */
static void
rank_batch(const struct hvg_opt *o, int64_t n_col, const double *score, double *rank)
{
	struct hvg_key *k = mem_new(struct hvg_key, n_col);
	int64_t n = 0;

	for (int64_t j = 0; j < n_col; j++) {
		rank[j] = NAN;
		if (candidate(o, j) && !isnan(score[j]))
			k[n++] = (struct hvg_key){ -score[j], 0, (int32_t)j };
	}
	hvg_sort(k, n);
	for (int64_t i = 0; i < n && i < o->n_top; i++)
		rank[k[i].gene] = (double)i;
	mem_free(k);
}

/* rank [n_batch][n_col] to the median over batches that selected a gene, and their number. */
static void
combine_ranks(struct hvg *h, int n_batch, const double *rank)
{
	double *r = mem_new(double, n_batch);

	for (int64_t j = 0; j < h->n_col; j++) {
		int n = 0;

		for (int b = 0; b < n_batch; b++)
			if (!isnan(rank[b * h->n_col + j]))
				r[n++] = rank[b * h->n_col + j];
		h->n_batches[j] = n;
		h->rank[j] = num_median(r, n);
	}
	mem_free(r);
}

/* Mean over the batches in use, without NaN. */
static void
mean_over(const struct genestat *s, const double *x, double *mean)
{
	for (int64_t j = 0; j < s->n_col; j++) {
		double sum = 0;
		int n = 0;

		for (int b = 0; b < s->n_batch; b++)
			if (s->n[b] && !isnan(x[b * s->n_col + j])) {
				sum += x[b * s->n_col + j];
				n++;
			}
		mean[j] = n ? sum / n : NAN;
	}
}

/* The n_top best of all, by what the flavor compares. */
static void
select_top(const struct hvg_opt *o, struct hvg *h)
{
	struct hvg_key *k = mem_new(struct hvg_key, h->n_col);
	int64_t n = 0;

	for (int64_t j = 0; j < h->n_col; j++) {
		double times = -h->n_batches[j];
		double own = o->flavor == HVG_PEARSON ? h->rank[j] : -h->score[j];

		if (!candidate(o, j) || isnan(h->score[j]))
			continue;
		if (o->flavor == HVG_SEURAT_V3)
			k[n++] = (struct hvg_key){ h->rank[j], times, (int32_t)j };
		else
			k[n++] = (struct hvg_key){ times, own, (int32_t)j };
	}
	hvg_sort(k, n);
	for (int64_t i = 0; i < n && i < o->n_top; i++)
		h->highly_variable[k[i].gene] = 1;
	mem_free(k);
}

static int
within(const struct hvg_opt *o, double mean, double norm)
{
	double x = isnan(norm) ? 0 : norm;

	return mean > o->min_mean && mean < o->max_mean && x > o->min_disp && x < o->max_disp;
}

static void
finish(const struct hvg_opt *o, struct hvg *h)
{
	if (o->n_top > 0)
		select_top(o, h);
	else
		for (int64_t j = 0; j < h->n_col; j++)
			h->highly_variable[j] = candidate(o, j) && within(o, h->means[j], h->score[j]);
	for (int64_t j = 0; j < h->n_col; j++) {
		int absent = o->gene && !o->gene[j];

		if (o->force && o->force[j] && !absent)
			h->highly_variable[j] = 1;
		h->n_selected += h->highly_variable[j];
		if (!absent)
			continue;
		h->means[j] = h->score[j] = NAN;
		if (h->variances)
			h->variances[j] = NAN;
		if (h->dispersions)
			h->dispersions[j] = NAN;
	}
}

static int
finish_counts(const struct hvg_opt *o, const struct genestat *s, const double *score, struct hvg *h, struct err *e)
{
	double *rank = mem_new(double, s->n_batch * s->n_col);

	h->variances = mem_new(double, h->n_col);
	genestat_pool(s, h->means, h->variances);
	for (int b = 0; b < s->n_batch && !e->code; b++) {
		h->used_batches += s->n[b] > 0;
		if (s->n[b])
			rank_batch(o, s->n_col, score + b * s->n_col, rank + b * s->n_col);
		else
			for (int64_t j = 0; j < s->n_col; j++)
				rank[b * s->n_col + j] = NAN;
	}
	if (!e->code) {
		combine_ranks(h, s->n_batch, rank);
		mean_over(s, score, h->score);
		finish(o, h);
	}
	mem_free(rank);
	return e->code;
}

struct div_job {
	const uint8_t *gene;
	double *div;
};

static int
divide_block(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct div_job *j = ctx;

	(void)slot;
	(void)e;
	for (int64_t i = 0; i < m->n_row; i++) {
		double sum = 0;

		for (int64_t k = m->ptr[i]; k < m->ptr[i + 1]; k++)
			sum += !j->gene || j->gene[m->col[k]] ? m->val[k] : 0;
		j->div[m->row0 + i] = sum / 1e4;
	}
	return 0;
}

/* ln(1 + counts per 10,000) over the genes of the step. */
static int
default_layer(struct rows *r, const struct hvg_opt *o, struct layer *l, double *div, struct err *e)
{
	struct div_job j = { .div = div };
	uint8_t *gene = o->gene ? mem_new(uint8_t, r->n_col) : NULL;

	for (int64_t c = 0; c < r->n_col && o->gene; c++)
		gene[c] = o->gene[o->order ? o->order[c] : c];
	j.gene = gene;
	rows_pass(r, divide_block, NULL, &j, e);
	mem_free(gene);
	*l = (struct layer){ .row_div = div, .log1p = 1 };
	return e->code;
}

/* Means, dispersions and norms [n_batch][n_col] of one batch b.  With batches a
 * gene without a value in it takes no part there and counts as 0. */
static void
disperse(const struct hvg_opt *o, const struct genestat *s, int b, double *mean, double *disp, double *norm)
{
	int64_t n = 0, at = b * s->n_col;
	int32_t *idx = mem_new(int32_t, s->n_col);
	double *t = mem_new(double, 4 * s->n_col);
	double *tm = t, *tv = t + s->n_col, *td = tv + s->n_col, *tn = td + s->n_col;

	for (int64_t j = 0; j < s->n_col; j++) {
		mean[at + j] = disp[at + j] = norm[at + j] = 0;
		if ((o->gene && !o->gene[j]) || (o->batch && !s->n_cells[at + j]))
			continue;
		tm[n] = s->mean[at + j];
		tv[n] = s->var[at + j];
		idx[n++] = (int32_t)j;
	}
	hvg_dispersion(o, n, tm, tv, td, tn);
	for (int64_t i = 0; i < n; i++) {
		mean[at + idx[i]] = tm[i];
		disp[at + idx[i]] = td[i];
		norm[at + idx[i]] = tn[i];
	}
	mem_free(t);
	mem_free(idx);
}

/* Which genes a batch selects: ranks, or by the cut-offs 0 and NaN. */
static void
select_batch(const struct hvg_opt *o, const struct genestat *s, int b, const double *mean, const double *norm,
	double *rank)
{
	int64_t at = b * s->n_col;
	double *score = mem_new(double, s->n_col);

	for (int64_t j = 0; j < s->n_col; j++) {
		int part = s->n[b] && (!o->batch || s->n_cells[at + j]);

		score[j] = part ? norm[at + j] : NAN;
		rank[at + j] = part && candidate(o, j) && within(o, mean[at + j], norm[at + j]) ? 0 : NAN;
	}
	if (o->n_top > 0)
		rank_batch(o, s->n_col, score, rank + at);
	mem_free(score);
}

static int
finish_dispersion(const struct hvg_opt *o, const struct genestat *s, struct hvg *h, struct err *e)
{
	int64_t size = s->n_batch * s->n_col;
	double *mean = mem_new(double, size), *disp = mem_new(double, size), *norm = mem_new(double, size);
	double *rank = mem_new(double, size);

	h->dispersions = mem_new(double, h->n_col);
	for (int b = 0; b < s->n_batch && !e->code; b++) {
		h->used_batches += s->n[b] > 0;
		if (s->n[b])
			disperse(o, s, b, mean, disp, norm);
		select_batch(o, s, b, mean, norm, rank);
	}
	if (!e->code) {
		combine_ranks(h, s->n_batch, rank);
		mean_over(s, mean, h->means);
		mean_over(s, disp, h->dispersions);
		mean_over(s, norm, h->score);
		finish(o, h);
	}
	for (int64_t j = 0; j < h->n_col && o->n_top <= 0; j++)
		h->rank[j] = NAN;
	mem_free(mean);
	mem_free(disp);
	mem_free(norm);
	mem_free(rank);
	return e->code;
}

static int
by_counts(const struct hvg_opt *o)
{
	return o->flavor == HVG_PEARSON || o->flavor == HVG_SEURAT_V3;
}

int
hvg_check(const struct hvg_opt *o, int64_t n_row, int64_t n_col, struct err *e)
{
	if (n_row < 2 || n_col < 1)
		err_set(e, ERR_DATA, "highly variable genes: %lld cells and %lld genes are too few", (long long)n_row,
		    (long long)n_col);
	if (o->n_top <= 0 && by_counts(o))
		err_set(e, ERR_USAGE, "highly variable genes: this flavor wants a number of genes");
	if (!by_counts(o) && o->layer && !o->layer->log1p)
		err_set(e, ERR_USAGE, "highly variable genes: this flavor wants a layer of log values");
	if (!(o->theta > 0) || o->clip < 0)
		err_set(e, ERR_USAGE, "highly variable genes: theta must be positive and the clip not negative");
	return e->code;
}

int
hvg_rounds(const struct hvg_opt *o)
{
	return by_counts(o) ? 2 : 1;
}

int
hvg_width(int round)
{
	return round == 0 ? GENESTAT_WIDTH : 2;
}

double *
hvg_stored(const struct hvg_opt *o, const double *x, int n_batch, int64_t n_col)
{
	double *y = mem_new(double, n_batch * n_col);

	for (int b = 0; b < n_batch; b++)
		for (int64_t j = 0; j < n_col; j++)
			y[b * n_col + j] = x[b * n_col + (o->order ? o->order[j] : j)];
	return y;
}

int
hvg_sums(struct rows *r, const struct hvg_opt *o, int round, const struct genestat *s, double *depth, struct sumtree *t,
	struct err *e)
{
	struct genestat_opt go = { .batch = o->batch, .n_batch = o->n_batch, .gene = o->gene, .order = o->order };
	struct layer l = {0};
	double *div = NULL;

	if (e->code)
		return e->code;
	if (round)
		return o->flavor == HVG_PEARSON ? hvg_pearson_sums(r, o, s, depth, t, e) : hvg_v3_sums(r, o, s, t, e);
	if (!by_counts(o)) {
		if (o->layer) {
			l = *o->layer;
		} else {
			div = mem_new(double, r->n_row);
			default_layer(r, o, &l, div, e);
		}
		/* seurat takes the exponential of the log values less 1: x / row_div */
		if (o->flavor == HVG_SEURAT)
			l.log1p = 0;
		go.layer = &l;
		go.no_counts = !o->batch;
	}
	genestat_sums(r, &go, NULL, t, e);
	mem_free(div);
	return e->code;
}

int
hvg_score(const struct hvg_opt *o, const struct genestat *s, const double *total, const double *depth,
	const int32_t *batch, int64_t n_row, double *score, struct par *p, struct err *e)
{
	if (e->code)
		return e->code;
	return o->flavor == HVG_PEARSON ? hvg_pearson(o, s, total, depth, batch, n_row, score, p, e) : hvg_v3(o, s, total, score, e);
}

int
hvg_finish(const struct hvg_opt *o, const struct genestat *s, const double *score, struct hvg *h, struct err *e)
{
	memset(h, 0, sizeof *h);
	if (e->code)
		return e->code;
	h->n_col = s->n_col;
	h->means = mem_new(double, s->n_col);
	h->score = mem_new(double, s->n_col);
	h->rank = mem_new(double, s->n_col);
	h->n_batches = mem_new(int32_t, s->n_col);
	h->highly_variable = mem_new(uint8_t, s->n_col);
	return by_counts(o) ? finish_counts(o, s, score, h, e) : finish_dispersion(o, s, h, e);
}

int
hvg_find(struct rows *r, const struct hvg_opt *o, struct hvg *h, struct par *p, struct err *e)
{
	int n_batch = o->batch ? o->n_batch : 1;
	int64_t *n = mem_new(int64_t, n_batch), size = n_batch * r->n_col;
	double *total = mem_new(double, size * GENESTAT_WIDTH), *score = mem_new(double, size);
	double *depth = mem_new(double, r->n_row);
	struct genestat s = {0};
	struct sumtree t;

	memset(h, 0, sizeof *h);
	hvg_check(o, r->n_row, r->n_col, e);
	for (int k = 0; k < hvg_rounds(o) && !e->code; k++) {
		sumtree_init(&t, size * hvg_width(k));
		hvg_sums(r, o, k, &s, depth, &t, e);
		sumtree_end(&t, total);
		if (k == 0) {
			genestat_rows(&(struct genestat_opt){ .batch = o->batch, .n_batch = o->n_batch }, 0, r->n_row, n);
			genestat_of(total, n, n_batch, r->n_col, &s);
		} else {
			hvg_score(o, &s, total, depth, o->batch, r->n_row, score, p, e);
		}
	}
	hvg_finish(o, &s, score, h, e);
	genestat_clear(&s);
	mem_free(n);
	mem_free(total);
	mem_free(score);
	mem_free(depth);
	return e->code;
}
