/* Inside of mde. */
#ifndef OVX_MDE_IMPL_H
#define OVX_MDE_IMPL_H

#include <stdint.h>
#include "alg/mde.h"

#define MDE_NODES 256           /* points of one block of work */
#define MDE_AHEAD 48            /* partners that are asked for in advance */

/* Both directions of the pairs: point i's partners are at[ptr[i]..ptr[i+1]-1]. */
struct mde_adj {
	int64_t *ptr;
	int32_t *at;            /* and MDE_AHEAD more, 0 */
	float *w;               /* or NULL: all 1 */
};

/* place [n]: point i becomes place[i]; NULL: stays. */
void mde_adj_make(struct mde_adj *a, const struct mde_pairs *t, int64_t n, const int32_t *place);
void mde_adj_clear(struct mde_adj *a);

/* Sum of the distortions of the points lo..hi-1 with their partners, each pair
 * being counted half for each end, and scale times its gradient [hi-lo][dim]. */
double mde_kernel(const struct mde_adj *near, const struct mde_adj *far, const float *x, int dim,
	int64_t lo, int64_t hi, double scale, float *gradient);

/* Mean 0 and covariance I in place. */
int mde_project(float *x, int64_t n, int dim, struct par *p, struct err *e);
/* c [dim][dim] = a'b / n, of a and b [n][dim]; b NULL: ones. */
void mde_cross(const float *a, const float *b, int64_t n, int dim, double *c, struct par *p, struct err *e);

#endif
