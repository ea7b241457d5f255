/* knn - the k nearest other rows of every row of a small dense matrix
 *
 * Rows are cells in some representation (30 to 50 columns).  A row is never its
 * own neighbour, but its duplicate is, at distance 0.  Distances are computed
 * directly in double on the rows as given; single-precision products only choose
 * whom to look at.  Neighbours ascend by (distance, index), so ties are settled.
 *
 *	struct knn_opt o = KNN_DEFAULT;
 *	int32_t *idx = mem_raw(int32_t, n * o.k);
 *	double *dist = mem_raw(double, n * o.k);
 *	knn_find(x, n, n_col, 30, &o, idx, dist, par, &e);
 *
 * Two ways: all pairs, exact by an error bound; or an inverted file (cells of a
 * k-means, products with the nearest cells) and one round of neighbours of
 * neighbours, for which knn_recall measures what was missed.
 * The result does not depend on the number of threads.
 */
#ifndef OVX_KNN_H
#define OVX_KNN_H

#include <stdint.h>
#include "base/err.h"
#include "os/par.h"

enum knn_metric {
	KNN_EUCLIDEAN,
	KNN_COSINE              /* 1 - cos; a row of zeros is at 1 from every other */
};

enum knn_mode {
	KNN_AUTO,               /* exact below KNN_EXACT_BELOW rows, by n alone */
	KNN_EXACT,
	KNN_APPROX
};

#define KNN_EXACT_BELOW 50000

struct knn_opt {
	int k;                  /* neighbours besides the row itself, 1 <= k < n */
	enum knn_metric metric;
	enum knn_mode mode;     /* looked at by knn_find and knn_bytes only */
	uint64_t seed;          /* of the k-means; not used by the exact way */
};

#define KNN_DEFAULT {15, KNN_EUCLIDEAN, KNN_AUTO, 0}

/* Neighbours by the mode of o.  x [n][ld] row-major, of which the first d columns
 * count; idx and dist [n][k], the caller's.  A value that is not finite is
 * ERR_NUMERIC and names its row (from 0); k >= n is ERR_USAGE. */
int knn_find(const float *x, int64_t n, int64_t ld, int d, const struct knn_opt *o,
	int32_t *idx, double *dist, struct par *p, struct err *e);

/* All pairs: O(n^2 d) time in single-precision matrix products.  Candidates beyond the
 * k best are kept until the rounding error is covered; a row for which that fails
 * (many equal distances) is done directly in double. */
int knn_exact(const float *x, int64_t n, int64_t ld, int d, const struct knn_opt *o,
	int32_t *idx, double *dist, struct par *p, struct err *e);

/* Inverted file with one repair round: about O(n^1.5 d) time.  Recall at k = 15 is
 * above 0.99 on data with structure; distances given are exact. */
int knn_approx(const float *x, int64_t n, int64_t ld, int d, const struct knn_opt *o,
	int32_t *idx, double *dist, struct par *p, struct err *e);

/* Recall of a result on n_query rows drawn at random (all rows when n_query >= n):
 * the part of the k given distances not above the true k-th, as mean over the
 * rows and as mean over the tenth of the rows with the lowest recall.
 * O(n n_query d) time. */
int knn_recall(const float *x, int64_t n, int64_t ld, int d, const struct knn_opt *o,
	const double *dist, int64_t n_query, double *mean, double *worst,
	struct par *p, struct err *e);

/* Upper bound of the bytes that knn_find takes at its peak for n_worker threads,
 * without x, idx and dist. */
int64_t knn_bytes(int64_t n, int d, int k, int n_worker, enum knn_mode mode);

#endif
