/* genestat - counts, sums, means and variances of every gene in one pass
 *
 * Of the counts, or of a layer's values before centring; over all cells, a mask
 * of cells, or per batch.  Every sum is made per row block and added in
 * sumtree's order, so that the bytes do not depend on threads, and sums of
 * counts are exact as long as they stay below 2^53.
 *
 *	struct genestat s;
 *	genestat_get(rows, &(struct genestat_opt){ .layer = &lognorm }, NULL, &s, e);
 *	s.mean[j], s.var[j] ...
 *	genestat_clear(&s);
 */
#ifndef OVX_GENESTAT_H
#define OVX_GENESTAT_H

#include <stdint.h>
#include "alg/layer.h"
#include "base/err.h"
#include "num/csr.h"

struct genestat_opt {
	const struct layer *layer;      /* NULL = the counts; only row_div and log1p are used */
	const int32_t *batch;           /* [n_row] 0 .. n_batch - 1, else the row is left out; NULL = one batch */
	int n_batch;
	const uint8_t *keep;            /* [n_row] rows to use, NULL = all */
	const uint8_t *gene;            /* [n_col] genes to use, NULL = all; others get zeros */
};

struct genestat {
	int64_t n_col;
	int n_batch;
	int64_t *n;             /* [n_batch] rows */
	int64_t *n_cells;       /* [n_batch][n_col] rows with a stored value > 0, and so below */
	double *sum, *sum2;     /* of values and squares */
	double *mean;
	double *var;            /* ddof 1; 0 when n < 2 */
};

/* One pass.  row_sum [n_row], or NULL, gets the sum of each used row over the
 * used genes (others 0).  The variance is sum2 - sum^2 / n: its relative error
 * is some 1e-15 mean^2 / var; what lies below rounding is 0.
 * O(n_batch n_col) memory for a few copies (see batchsum). */
int genestat_get(struct rows *r, const struct genestat_opt *o, double *row_sum, struct genestat *s, struct err *e);
void genestat_clear(struct genestat *s);
/* Mean and variance over all batches together, [n_col] each. */
void genestat_pool(const struct genestat *s, double *mean, double *var);
/* Standard deviations for scaling: sqrt(var), and 1 for 0.  [n], may be var. */
void genestat_std(const double *var, int64_t n, double *std);
/* How many values of each gene, zeros included, lie beyond l->clip after centring and scaling.
 * A pass.  keep [n_row] or NULL; n_clipped [n_col]. */
int genestat_clipped(struct rows *r, const struct layer *l, const uint8_t *keep, int64_t *n_clipped, struct err *e);

/* Sums per batch and gene over a pass, n_stat interleaved doubles a gene.  In the rows_fn:
 * batchsum_at gives a zeroed array [n_col][n_stat] for a batch, to be added
 * to; the rows_sum is batchsum_add, whose ctx begins with the batchsum.  end gives total [n_batch][n_col][n_stat].
 * Memory: (2 + log2(n_row / 65536)) n_batch arrays, and for each slot one array for each
 * batch that its blocks held at once. */
struct batchsum {
	int64_t n_col;
	int n_stat, n_batch, n_slot;
	struct batchsum_slot *slot;
	struct sumtree tree;
};

void batchsum_init(struct batchsum *b, int n_batch, int64_t n_col, int n_stat, int n_slot);
double *batchsum_at(struct batchsum *b, int slot, int batch);
int batchsum_add(void *ctx, const struct csr *m, int slot, struct err *e);
void batchsum_end(struct batchsum *b, double *total);

#endif
