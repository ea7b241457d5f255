/* hvg - highly variable genes by four methods
 *
 *	HVG_PEARSON      variance of clipped Pearson residuals of a negative binomial
 *	                 null (Lause, Berens, Kobak 2021, Genome Biol 22:258); counts
 *	HVG_SEURAT       log dispersion, standardised in 20 bins of the mean (Satija
 *	                 et al. 2015); log-normalised values
 *	HVG_CELL_RANGER  dispersion by median and MAD in percentile bins (Zheng et
 *	                 al. 2017); log-normalised values
 *	HVG_SEURAT_V3    variance of values standardised and clipped by a loess of the
 *	                 variance on the mean (Stuart et al. 2019); counts
 *
 * Numbers and selections agree with scanpy 1.11, but that ties are settled by gene
 * number, exactly n_top genes are selected, and every batch has its own clip.
 *
 *	struct hvg_opt o = hvg_default(HVG_PEARSON);
 *	struct hvg h;
 *	hvg_find(rows, &o, &h, par, e);
 *	h.highly_variable[j] ...
 *	hvg_clear(&h);
 *
 * Batches: each is treated alone, then genes are ordered by (number of batches
 * that selected them, score over batches), seurat_v3 the other way round, as
 * scanpy does.
 */
#ifndef OVX_HVG_H
#define OVX_HVG_H

#include <stdint.h>
#include "alg/genestat.h"
#include "alg/layer.h"
#include "base/err.h"
#include "num/csr.h"
#include "os/par.h"

enum hvg_flavor { HVG_PEARSON, HVG_SEURAT, HVG_CELL_RANGER, HVG_SEURAT_V3 };

struct hvg_opt {
	enum hvg_flavor flavor;
	int64_t n_top;          /* genes to select; 0 = by the cut-offs (seurat, cell_ranger) */
	double min_mean, max_mean, min_disp, max_disp;  /* strict */
	double theta;           /* pearson: over-dispersion */
	double clip;            /* pearson: largest residual; 0 = sqrt of the batch's cells */
	int first_clip;         /* pearson: as scanpy, the first batch's sqrt for all */
	int n_bins;             /* seurat */
	double span;            /* seurat_v3 */
	const struct layer *layer;      /* seurat, cell_ranger: NULL = ln(1 + counts per 10,000) */
	const int32_t *batch;   /* [n_row] 0 .. n_batch - 1, else the row is left out; NULL = one */
	int n_batch;
	const uint8_t *gene;    /* [n_col] genes that exist for this step, NULL = all */
	const uint8_t *force;   /* [n_col] selected whatever their score, on top of n_top; NULL */
	const uint8_t *exclude; /* [n_col] never selected; another takes the place; NULL */
	const int32_t *order;   /* [n_col] the gene that each column of the rows stands for; NULL = its own number */
};

/* Arrays are [n_col], NULL where the flavor has no such number, NaN outside opt.gene. */
struct hvg {
	int64_t n_col;
	double *means;          /* counts; seurat: ln(1 + mean), cell_ranger: of log values */
	double *variances;      /* of counts, ddof 1 (pearson, seurat_v3) */
	double *score;          /* residual_variances, dispersions_norm or variances_norm, mean over batches */
	double *dispersions;    /* seurat, cell_ranger */
	double *rank;           /* 0 = first, median over batches that selected it; NaN = not in any top
	                         * (cut-offs: NaN) */
	int32_t *n_batches;     /* batches that selected it */
	uint8_t *highly_variable;
	int64_t n_selected;
	int used_batches;       /* batches with at least one row */
};

/* The defaults: 2,000 genes; theta 100, 20 bins, span 0.3, cut-offs 0.0125 < mean < 3, 0.5 < dispersion. */
struct hvg_opt hvg_default(enum hvg_flavor f);
/* Finds them.  Two passes over r (cell_ranger and seurat with a layer: one). */
int hvg_find(struct rows *r, const struct hvg_opt *o, struct hvg *h, struct par *p, struct err *e);
void hvg_clear(struct hvg *h);

/* The same in steps, for sums that are made elsewhere, or piece by piece: a pass a round into a tree of hvg_width
 * doubles for each batch and gene (see genestat_sums), then what follows from the totals.
 *
 *	hvg_sums(r, o, 0, NULL, NULL, &tree, e);        statistics: genestat_of of its total is s
 *	hvg_sums(r, o, 1, &s, depth, &tree, e);         when hvg_rounds is 2; its total is
 *	hvg_score(o, &s, total, depth, o->batch, n_row, score, p, e);
 *	hvg_finish(o, &s, score, &h, e);
 *
 * depth [n_row]: sums of the rows, written by round 1 of pearson, not read else.  score [n_batch][n_col]; NULL where there is
 * one round. */
int hvg_check(const struct hvg_opt *o, int64_t n_row, int64_t n_col, struct err *e);
int hvg_rounds(const struct hvg_opt *o);
int hvg_width(int round);
int hvg_sums(struct rows *r, const struct hvg_opt *o, int round, const struct genestat *s, double *depth, struct sumtree *t,
	struct err *e);
int hvg_score(const struct hvg_opt *o, const struct genestat *s, const double *total, const double *depth,
	const int32_t *batch, int64_t n_row, double *score, struct par *p, struct err *e);
int hvg_finish(const struct hvg_opt *o, const struct genestat *s, const double *score, struct hvg *h, struct err *e);

#endif
