/* kmeans - hard clusters around centres
 *
 * Greedy k-means++ seeding (Arthur and Vassilvitskii 2007: a new centre is drawn
 * with probability proportional to the squared distance; greedy: of several such
 * candidates the one that lowers the sum most), then Lloyd's iterations; the best
 * of n_init restarts by the sum of squared distances.
 *
 *	struct kmeans_opt o = KMEANS_DEFAULT;
 *	o.k = 100;
 *	kmeans(x, n, d, &o, centre, label, &inertia, p, e);
 *
 * With n_sample, restarts work on a sample of the points, and n_full iterations
 * over all points follow.  Points are drawn in an order that comes from the hashes
 * of their keys, so the result does not depend on the order of the input but for
 * rounding, nor on the number of threads at all.
 */
#ifndef OVX_KMEANS_H
#define OVX_KMEANS_H

#include <stdint.h>
#include "base/err.h"
#include "os/par.h"

struct kmeans_opt {
	int k;                  /* clusters, 1..n */
	int n_init;             /* restarts */
	int max_iter;           /* iterations of one restart */
	double tol;             /* stop when the centres' squared shift is below tol * mean variance */
	int64_t n_sample;       /* points that restarts use; 0 = all */
	int n_full;             /* iterations over all points when there is a sample */
	int uniform;            /* candidates are drawn without regard to distance: centres where
	                           points are dense rather than far apart */
	uint64_t seed;
	const uint64_t *key;    /* [n] identity of each point, or NULL: its number */
};

#define KMEANS_DEFAULT {8, 1, 25, 1e-4, 0, 3, 0, 0, 0}

/* Clusters x [n][d].  centre [k][d]; label [n] and inertia (sum of squared
 * distances to the nearest centre) may be NULL.  An empty cluster moves to the
 * point that is farthest from its centre.  k > n or a value that is not finite
 * is an error.  O(n k d) an iteration by matrix products; memory kmeans_bytes. */
int kmeans(const float *x, int64_t n, int d, const struct kmeans_opt *o, float *centre,
	int32_t *label, double *inertia, struct par *p, struct err *e);

/* Upper bound of the bytes that kmeans takes. */
int64_t kmeans_bytes(int64_t n, int d, const struct kmeans_opt *o, int threads);

#endif
