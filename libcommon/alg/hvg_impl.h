/* hvg_impl - what the flavors share; private to hvg*.c, and used by scrublet_gene.c */
#ifndef OVX_HVG_IMPL_H
#define OVX_HVG_IMPL_H

#include "alg/genestat.h"
#include "alg/hvg.h"

/* score [n_batch][n_col] of the counts' statistics s; a pass over r. */
int hvg_pearson(struct rows *r, const struct hvg_opt *o, const struct genestat *s, const double *depth,
	double *score, struct par *p, struct err *e);
int hvg_v3(struct rows *r, const struct hvg_opt *o, const struct genestat *s, double *score, struct err *e);

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

/* A gene to be sorted by (a, b) rising, NaN last, then by number. */
struct hvg_key {
	double a, b;
	int32_t gene;
};

void hvg_sort(struct hvg_key *k, int64_t n);

#endif
