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
	const int32_t *order;           /* [n_col] the gene that each column of the rows stands for, NULL = its own number */
	int no_counts;                  /* n_cells is not wanted: zeros */
	rows_fn *before;                /* NULL, or called with the rows before they are used: may set their keep */
	void *ctx;                      /* of before */
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
/* The same in two steps.  sums: the pass, into a tree of GENESTAT_WIDTH doubles for each batch and gene, as it is
 * after sumtree_init, or begun elsewhere by the caller; of: what follows from its total and from n
 * [n_batch], the rows of each batch. */
#define GENESTAT_WIDTH 3
int genestat_sums(struct rows *r, const struct genestat_opt *o, double *row_sum, struct sumtree *t, struct err *e);
void genestat_of(const double *total, const int64_t *n, int n_batch, int64_t n_col, struct genestat *s);
/* Rows of each batch among lo .. hi - 1: n [n_batch, or 1]. */
void genestat_rows(const struct genestat_opt *o, int64_t lo, int64_t hi, int64_t *n);
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
 * batch that its blocks held at once.
 *
 * What a block adds may also be kept in another form: with bytes set after init, batchsum_at gives a zeroed array of so
 * many bytes, and add, called by batchsum_add, adds it to to [n_col][n_stat] and zeroes it. */
struct batchsum {
	int64_t n_col;
	int n_stat, n_batch, n_slot;
	struct batchsum_slot *slot;
	struct sumtree tree;
	size_t bytes;
	void (*add)(const struct batchsum *b, void *part, double *to);
};

void batchsum_init(struct batchsum *b, int n_batch, int64_t n_col, int n_stat, int n_slot);
void *batchsum_at(struct batchsum *b, int slot, int batch);
int batchsum_add(void *ctx, const struct csr *m, int slot, struct err *e);
void batchsum_end(struct batchsum *b, double *total);
/* The same into a tree of the caller's, [n_batch][n_col][n_stat] with column j as order[j] (NULL = j).  Between init
 * and the pass: begin, which takes the tree over; after it: give, which hands it back and frees the rest. */
void batchsum_begin(struct batchsum *b, struct sumtree *t);
void batchsum_give(struct batchsum *b, const int32_t *order, struct sumtree *t);

#endif
