/* hvg_impl - what the flavors share; private to hvg*.c, and used by scrublet_gene.c */
#ifndef OVX_HVG_IMPL_H
#define OVX_HVG_IMPL_H

#include "alg/genestat.h"
#include "alg/hvg.h"

/* The pass behind the statistics s of the counts; and score [n_batch][n_col] from its total. */
int hvg_pearson_sums(struct rows *r, const struct hvg_opt *o, const struct genestat *s, double *depth, struct sumtree *t,
	struct err *e);
int hvg_pearson(const struct hvg_opt *o, const struct genestat *s, const double *total, const double *depth,
	const int32_t *batch, int64_t n_row, double *score, struct par *p, struct err *e);
int hvg_v3_sums(struct rows *r, const struct hvg_opt *o, const struct genestat *s, struct sumtree *t, struct err *e);
int hvg_v3(const struct hvg_opt *o, const struct genestat *s, const double *total, double *score, struct err *e);

/* One batch of seurat or cell_ranger: mean and var [n] of the n genes that take
 * part (mean is replaced by its transform), dispersion and its norm [n]. */
void hvg_dispersion(const struct hvg_opt *o, int64_t n, double *mean, const double *var, double *disp, double *norm);

/* The batch of a row, or -1. */
static inline int
hvg_batch(const struct hvg_opt *o, int64_t row)
{
	if (!o->batch)
		return 0;
	return o->batch[row] >= 0 && o->batch[row] < o->n_batch ? o->batch[row] : -1;
}

/* x [n_batch][n_col] of the genes in the order of the rows' columns; the caller's. */
double *hvg_stored(const struct hvg_opt *o, const double *x, int n_batch, int64_t n_col);

/* A gene to be sorted by (a, b) rising, NaN last, then by number. */
struct hvg_key {
	double a, b;
	int32_t gene;
};

void hvg_sort(struct hvg_key *k, int64_t n);

#endif
