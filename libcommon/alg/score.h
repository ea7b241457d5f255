/* score - scores of lists of genes, and the phase of the cell cycle
 *
 * The score of a cell is the mean of the list's genes less the mean of control
 * genes that are as much expressed: genes are put into bins by the rank of their
 * mean, and from every bin that a gene of the list lies in, control genes are drawn.
 * Two passes: means (alg/genestat), then scores of any number of lists at once.
 *
 *	score_bins(mean, use, n_gene, 25, bin, e);
 *	list.n_control = score_controls(bin, n_gene, list.gene, list.n, 50, seed, list.control, e);
 *	score_rows(rows, &lognorm, &list, 1, score, e);
 *
 * Tirosh et al., Science 352, 2016; Satija et al., Nature Biotechnology 33, 2015.  Bins, draws and
 * arithmetic are those of scanpy 1.9 to 1.12 (score_genes, ctrl_as_ref), whose sample comes from NumPy's
 * legacy generator (base/mt.h).
 */
#ifndef OVX_SCORE_H
#define OVX_SCORE_H

#include <stdint.h>
#include "alg/layer.h"
#include "base/err.h"
#include "num/csr.h"

/* bin [n] of every gene: floor(rank / items), where rank counts from 1, equal means share the smallest
 * rank, and items = n / (n_bins - 1), rounded half to even; -1 for genes that use [n] (NULL = all) leaves
 * out.  ERR_DATA when a mean is not finite or there are too few genes for so many bins.  O(n log n). */
int score_bins(const double *mean, const uint8_t *use, int64_t n, int n_bins, int32_t *bin, struct err *e);

/* Draws control genes for the list gene [n] (distinct, each with a bin): of every bin that the list
 * touches, in rising order, size genes at random, or all when there are no more; those of the list are
 * left out afterwards.  The generator starts anew from seed.  control [n_gene], of which the number returned
 * counts, in rising order; -1 with ERR_DATA when none is left. */
int64_t score_controls(const int32_t *bin, int64_t n_gene, const int32_t *gene, int64_t n, int64_t size, uint32_t seed,
	int32_t *control, struct err *e);

struct score_list {
	const int32_t *gene, *control;  /* distinct columns */
	int64_t n, n_control;           /* both > 0 */
};

/* score [n_list][n_row]: the mean of the list's values less that of its controls, zeros counted.
 * l as in alg/layer.h, before centring; NULL = the counts.  One pass; a slot takes 20 bytes for each gene that
 * a list or its controls hold. */
int score_rows(struct rows *r, const struct layer *l, const struct score_list *list, int n_list, double *score, struct err *e);

enum { PHASE_G1, PHASE_S, PHASE_G2M };
/* phase [n]: G1 when both scores are below 0, else G2M when its score is the larger one, else S. */
void score_phase(const double *s, const double *g2m, int64_t n, int32_t *phase);

/* The genes of the S phase and of G2 and M by Tirosh et al. 2016, as Seurat's cc.genes (human, symbols of that
 * time) and their mouse orthologues.  NULL behind the last one. */
enum { SCORE_HUMAN, SCORE_MOUSE, N_SPECIES };
extern const char *const *const score_s[N_SPECIES], *const *const score_g2m[N_SPECIES];
/* The other symbol of a gene of these lists that was renamed, either way round, or NULL. */
const char *score_renamed(const char *symbol);

#endif
