/* harmony - an embedding without the differences between batches
 *
 * Cells are softly assigned to K clusters of directions in the embedding, with a
 * penalty on clusters in which a batch is rarer than it should be; then, for each
 * cluster, a ridge regression finds how far each batch stands from the cluster's
 * common centre, and every cell is moved back by the mean of its clusters' shifts.
 * The two steps alternate until the objective settles (Korsunsky et al., Fast,
 * sensitive and accurate integration of single-cell data with Harmony, 2019).
 *
 *	struct harmony_opt o = harmony_defaults(2);
 *	struct harmony_var batch = {code, n_level, -1};
 *	struct harmony_out res;
 *	harmony(z, n, d, &batch, 1, &o, corrected, &res, p, e);
 *
 * Three sets of formulas are in use:
 *
 *	            2: Harmony 2           1: R harmony 1.2       0: harmonypy 0.0.x
 *	penalty     ((2E+1)/(O+E+1))^theta (E/(O+E))^theta        ((E+1)/(O+1))^theta
 *	lambda      alpha E (alpha 0.2)    1                      1
 *	theta       2                      2                      1
 *	centres     from the regression    mean at each round     mean at each round
 *	rounds      4 (10 times)           20 (10 times)          20 (10 times)
 *	stops at    1e-2                   1e-4                   1e-4
 *
 * O[b][k] is the weight of batch b in cluster k, E what it would be if batches
 * were spread evenly.  Variant 2 leaves a batch out of the regression of a
 * cluster in which it has no weight, and never stores the n x K assignments.
 */
#ifndef OVX_HARMONY_H
#define OVX_HARMONY_H

#include <stdint.h>
#include "base/err.h"
#include "os/par.h"

/* A categorical variable: the batch, the donor, ... */
struct harmony_var {
	const int32_t *code;    /* [n] 0..n_level-1 */
	int32_t n_level;        /* every level needs a cell */
	double theta;           /* strength of the penalty; < 0: the variant's default */
};

struct harmony_opt {
	int variant;            /* 2, 1 or 0 */
	int nclust;             /* clusters; 0: round(n/30) within 1..100 */
	double sigma;           /* width of soft assignment, > 0 */
	double lambda;          /* ridge penalty of a level, > 0; < 0: alpha * E */
	double alpha;
	double tau;             /* > 0: theta is reduced for batches below about K tau cells */
	double block;           /* share of the cells whose assignments change together, 0.01..1 */
	double prune;           /* share of a level's cells in a cluster below which it is left out */
	int max_outer;          /* corrections */
	int max_inner;          /* rounds of assignment before each correction */
	double eps_inner;       /* relative change of the objective that ends the rounds, */
	double eps_outer;       /* and the whole; < 0: never */
	int n_init;             /* restarts of k-means for the first centres */
	uint64_t seed;
	const uint64_t *key;    /* [n] hash of each cell's name, or NULL: its number */
	const float *centre;    /* [nclust][d] first centres instead of k-means, or NULL */
	const int32_t *perm;    /* [n_perm][n] orders of the cells instead of random ones, or */
	int64_t n_perm;         /* NULL; used in turn, one a round */
};

struct harmony_out {
	int n_cluster;
	int n_outer;            /* corrections done */
	int converged;
	int n_inner;            /* values of inner */
	double *outer;          /* [n_outer + 1] objective at the start and before each correction */
	double *inner;          /* [n_inner] objective at the start and after each round */
	int *rounds;            /* [n_outer] */
};

/* The defaults of a variant. */
struct harmony_opt harmony_defaults(int variant);

/* Corrects z [n][d] for n_var variables; out [n][d] must not overlap z.  res may
 * be NULL; else free it with harmony_out_clear.  Errors: fewer than 2 cells, a
 * variable with one level, a level without cells, a code outside its range, a
 * value that is not finite.  O(n K d) a round; memory harmony_bytes.  The same
 * bytes for any number of threads. */
int harmony(const float *z, int64_t n, int d, const struct harmony_var *var, int n_var,
	const struct harmony_opt *o, float *out, struct harmony_out *res, struct par *p, struct err *e);
void harmony_out_clear(struct harmony_out *res);

/* Upper bound of the bytes that harmony takes, without z and out; combinations of
 * levels of different variables are counted at their worst. */
int64_t harmony_bytes(int64_t n, int d, const struct harmony_var *var, int n_var,
	const struct harmony_opt *o, int threads);

#endif
