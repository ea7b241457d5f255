/* pca - exact principal components of a layer, in one pass and a projection
 *
 * The layer is restricted to g genes, clipped, and centred again by the mean that clipping
 * left.  With z of a zero being a constant z0 of its gene, s = z - z0 is sparse, and
 * the covariance of z is that of s: the Gram matrix S'S is made from lists of
 * the non-zeros, or from dense tiles where they are many.  Its eigenvectors are
 * the loadings; scores are made by a second pass.  Memory does not depend on the number of cells.
 *
 *	struct pca_opt o = { .layer = &scaled, .gene = hvg, .g = 2000, .k = 50 };
 *	struct pca f;
 *	pca_fit(rows, &o, &f, par, e);
 *	pca_project(rows, &o, &f, take_scores, &ctx, e);
 *	pca_clear(&f);
 *
 * The sign of a component: its largest loading in absolute value (the first of
 * equals) is positive.
 */
#ifndef OVX_PCA_H
#define OVX_PCA_H

#include <stdint.h>
#include "alg/layer.h"
#include "base/err.h"
#include "num/csr.h"
#include "os/par.h"

struct pca_opt {
	const struct layer *layer;      /* NULL = the counts */
	const int32_t *gene;            /* [g] distinct columns of the matrix, at best the most frequent first */
	int64_t g;
	int k;                          /* components; k < n and k < g */
	int whiten;                     /* project: divide scores by the square root of the variance */
};

struct pca {
	int64_t n, g;
	int k;
	double *variance;       /* [k] falling, ddof 1 */
	double *ratio;          /* [k] of the total */
	double total;           /* variance of all g genes */
	double *mean;           /* [g] of z */
	double *loading;        /* [g][k], columns of unit length */
};

/* Loadings and variances; one pass.  The rows_sum of r must be called outside of par_for, p being used
 * there.  Rows in order within runs of SUM_RUN blocks, then runs over a binary tree: the same bytes for any
 * number of threads.  Values are rounded to floats once; products are added in float within a block and over at
 * most sixteen of them, of genes that most cells have after about their means were taken off, and in double beyond: variances agree
 * with those of a computation in double within 1e-6.
 * Fastest when the genes stand in order of falling frequency.
 * ERR_USAGE when k is too large; ERR_NUMERIC when a value is not finite.
 * O(nnz g / 2) per row for nnz non-zeros among the g genes, in vectors; O(g^3) once. */
int pca_fit(struct rows *r, const struct pca_opt *o, struct pca *f, struct par *p, struct err *e);

/* The same in two steps, for sums that come from several machines.  t [pca_sums_size(g)], made by the caller, gets the
 * sums: of s_a s_b for genes a <= b (row a's from pca_sums_at(g, a) + a on), then, the last g, of s_a. */
int pca_sum(struct rows *r, const struct pca_opt *o, struct sumtree *t, struct par *p, struct err *e);
/* Gene a of all sums becomes gene to[a]. */
void pca_sums_permute(struct sumtree *t, int64_t g, const int32_t *to);
/* What follows from the sums over n rows; zero [g] is the layer's value of a zero. */
int pca_solve(const double *sums, int64_t n, int64_t g, int k, const double *zero, struct pca *f, struct err *e);
/* ERR_USAGE when n cells with g genes have no k components. */
int pca_check(int64_t n, int64_t g, int k, struct err *e);
/* zero [o->g] of the layer. */
void pca_zeros(const struct pca_opt *o, double *zero);
int64_t pca_sums_size(int64_t g);
int64_t pca_sums_at(int64_t g, int64_t a);
/* Takes the scores [n][f->k] of n rows from row0 on: ROWS_BLOCK of them, the last time maybe fewer. */
typedef int pca_scores_fn(void *ctx, int64_t row0, int64_t n, const float *scores, struct err *e);
/* Rows of the same genes in f's coordinates, given to fn in order, one block at a time.  One pass; o->k is not used. */
int pca_project(struct rows *r, const struct pca_opt *o, const struct pca *f, pca_scores_fn *fn, void *ctx, struct err *e);
void pca_clear(struct pca *f);
/* Bytes that fit and project take where no block of rows has more than a share of fill of its values that are not zero; of
 * these only the depth of the tree grows with n. */
int64_t pca_bytes(int64_t n, int64_t g, int k, double fill, int n_slot);
/* Those of project alone, but for f. */
int64_t pca_project_bytes(int64_t g, int k, double fill, int n_slot);

#endif
