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
find_by_counts(struct rows *r, const struct hvg_opt *o, struct hvg *h, struct par *p, struct err *e)
{
	struct genestat_opt go = { .batch = o->batch, .n_batch = o->n_batch, .gene = o->gene };
	double *depth = mem_new(double, r->n_row), *score, *rank;
	struct genestat s;

	genestat_get(r, &go, depth, &s, e);
	score = mem_new(double, s.n_batch * s.n_col);
	rank = mem_new(double, s.n_batch * s.n_col);
	h->variances = mem_new(double, h->n_col);
	if (!e->code) {
		genestat_pool(&s, h->means, h->variances);
		if (o->flavor == HVG_PEARSON)
			hvg_pearson(r, o, &s, depth, score, p, e);
		else
			hvg_v3(r, o, &s, score, e);
	}
	for (int b = 0; b < s.n_batch && !e->code; b++) {
		h->used_batches += s.n[b] > 0;
		if (s.n[b])
			rank_batch(o, s.n_col, score + b * s.n_col, rank + b * s.n_col);
		else
			for (int64_t j = 0; j < s.n_col; j++)
				rank[b * s.n_col + j] = NAN;
	}
	if (!e->code) {
		combine_ranks(h, s.n_batch, rank);
		mean_over(&s, score, h->score);
		finish(o, h);
	}
	genestat_clear(&s);
	mem_free(score);
	mem_free(rank);
	mem_free(depth);
	return e->code;
}

/* ln(1 + counts per 10,000) over the genes of the step. */
static int
default_layer(struct rows *r, const struct hvg_opt *o, struct layer *l, double *div, struct err *e)
{
	struct genestat_opt go = { .gene = o->gene };
	struct genestat s;

	genestat_get(r, &go, div, &s, e);
	genestat_clear(&s);
	for (int64_t i = 0; i < r->n_row; i++)
		div[i] /= 1e4;
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
find_by_dispersion(struct rows *r, const struct hvg_opt *o, struct hvg *h, struct err *e)
{
	struct genestat_opt go = { .batch = o->batch, .n_batch = o->n_batch, .gene = o->gene };
	double *div = mem_new(double, r->n_row), *mean, *disp, *norm, *rank;
	struct layer l;
	struct genestat s;
	int64_t size;

	if (o->layer)
		l = *o->layer;
	else
		default_layer(r, o, &l, div, e);
	/* seurat takes the exponential of the log values less 1: x / row_div */
	if (o->flavor == HVG_SEURAT)
		l.log1p = 0;
	go.layer = &l;
	genestat_get(r, &go, NULL, &s, e);
	size = s.n_batch * s.n_col;
	mean = mem_new(double, size);
	disp = mem_new(double, size);
	norm = mem_new(double, size);
	rank = mem_new(double, size);
	h->dispersions = mem_new(double, h->n_col);
	for (int b = 0; b < s.n_batch && !e->code; b++) {
		h->used_batches += s.n[b] > 0;
		if (s.n[b])
			disperse(o, &s, b, mean, disp, norm);
		select_batch(o, &s, b, mean, norm, rank);
	}
	if (!e->code) {
		combine_ranks(h, s.n_batch, rank);
		mean_over(&s, mean, h->means);
		mean_over(&s, disp, h->dispersions);
		mean_over(&s, norm, h->score);
		finish(o, h);
	}
	for (int64_t j = 0; j < h->n_col && o->n_top <= 0; j++)
		h->rank[j] = NAN;
	genestat_clear(&s);
	mem_free(mean);
	mem_free(disp);
	mem_free(norm);
	mem_free(rank);
	mem_free(div);
	return e->code;
}

static int
check(const struct rows *r, const struct hvg_opt *o, struct err *e)
{
	int by_disp = o->flavor == HVG_SEURAT || o->flavor == HVG_CELL_RANGER;

	if (r->n_row < 2 || r->n_col < 1)
		err_set(e, ERR_DATA, "highly variable genes: %lld cells and %lld genes are too few",
			(long long)r->n_row, (long long)r->n_col);
	if (o->n_top <= 0 && !by_disp)
		err_set(e, ERR_USAGE, "highly variable genes: this flavor wants a number of genes");
	if (by_disp && o->layer && !o->layer->log1p)
		err_set(e, ERR_USAGE, "highly variable genes: this flavor wants a layer of log values");
	if (!(o->theta > 0) || o->clip < 0)
		err_set(e, ERR_USAGE, "highly variable genes: theta must be positive and the clip not negative");
	return e->code;
}

int
hvg_find(struct rows *r, const struct hvg_opt *o, struct hvg *h, struct par *p, struct err *e)
{
	memset(h, 0, sizeof *h);
	if (e->code || check(r, o, e))
		return e->code;
	h->n_col = r->n_col;
	h->means = mem_new(double, r->n_col);
	h->score = mem_new(double, r->n_col);
	h->rank = mem_new(double, r->n_col);
	h->n_batches = mem_new(int32_t, r->n_col);
	h->highly_variable = mem_new(uint8_t, r->n_col);
	if (o->flavor == HVG_PEARSON || o->flavor == HVG_SEURAT_V3)
		return find_by_counts(r, o, h, p, e);
	return find_by_dispersion(r, o, h, e);
}
