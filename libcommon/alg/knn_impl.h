/* knn_impl - what the exact and the approximate search share; private to alg/knn*, and used by scrublet*.c
 *
 * Rows are packed for matrix products: centred (Euclidean) or of unit length
 * (cosine), times a power of two that keeps squares in range, then zeros up to d4,
 * a multiple of 4, then half of an inner product's other part:
 *
 *	point  (p_1 .. p_d, 0.., |p|^2)         query  (-2 q_1 .. -2 q_d, 0.., 1)
 *
 * so that one product gives |p|^2 - 2 qp = |q - p|^2 - |q|^2.
 */
#ifndef OVX_KNN_IMPL_H
#define OVX_KNN_IMPL_H

#include <math.h>
#include "alg/knn.h"

#define KNN_QUERY 256           /* queries of a product */
#define KNN_POINT 1024          /* points of a product */
#define KNN_CHUNK 32            /* products looked at together */

/* The rows as given and how they are packed. */
struct knn_frame {
	const float *x;         /* [n][ld] */
	int64_t n, ld;
	int d, d4;
	int64_t stride;         /* of packed rows, in floats: d4 + 4 */
	enum knn_metric metric;
	double scale;           /* a power of two */
	double *mean;           /* [d] zeros for cosine */
	double *inv;            /* [n] 1 / length, 0 for a row of zeros; NULL for Euclidean */
};

/* Checks the arguments and x, and fills f. */
int knn_frame_init(struct knn_frame *f, const float *x, int64_t n, int64_t ld, int d,
	const struct knn_opt *o, struct par *p, struct err *e);
void knn_frame_clear(struct knn_frame *f);
/* Packs row i as a point into out [stride]. */
void knn_pack(const struct knn_frame *f, int64_t i, float *out);
/* A packed point [stride] as a query. */
void knn_query(const struct knn_frame *f, const float *point, float *out);
/* Distance of rows i and j, in double. */
double knn_dist(const struct knn_frame *f, int64_t i, int64_t j);

struct knn_near {
	double dist;
	int32_t idx;
};

/* Puts (dist, idx) into list [cap], ascending by (dist, idx), of *n entries;
 * the last falls out when it is full. */
void knn_near_put(struct knn_near *list, int *n, int cap, double dist, int32_t idx);

struct knn_cand {
	float v;
	int32_t idx;
};

/* The keep smallest values of a stream; what was refused is >= limit. */
struct knn_pile {
	struct knn_cand *c;     /* [2 keep] */
	int n, keep;
	float limit;
};

/* Cuts the pile to the keep smallest when there are more. */
void knn_pile_cut(struct knn_pile *q);
/* Adds values v [n]; value j belongs to id[j], or to id0 + j when id is NULL.  self
 * is left out. */
void knn_pile_scan(struct knn_pile *q, const float *v, int64_t n, const int32_t *id, int32_t id0, int32_t self);
/* Sorts c [n] by (v, idx). */
void knn_cand_sort(struct knn_cand *c, int n);

/* A bit for each of n <= KNN_CHUNK values that is below limit. */
static inline uint32_t
knn_below(const float *v, int n, float limit)
{
	uint32_t bits = 0;

	if (n == KNN_CHUNK)     /* a number of turns that the compiler knows */
		for (int j = 0; j < KNN_CHUNK; j++)
			bits |= v[j] < limit ? 1u << j : 0;
	else
		for (int j = 0; j < n; j++)
			bits |= v[j] < limit ? 1u << j : 0;
	return bits;
}

/* Whether one of KNN_CHUNK values is below limit. */
static inline int
knn_any_below(const float *v, float limit)
{
	return knn_below(v, KNN_CHUNK, limit) != 0;
}

int64_t knn_frame_bytes(int64_t n, int d);
int64_t knn_approx_bytes(int64_t n, int d, int k, int n_worker);

#endif
