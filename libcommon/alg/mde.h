/* mde - a picture that keeps neighbours together (minimum-distortion embedding)
 *
 * Places n points in the plane so that pairs that are neighbours in the data are
 * near and random other pairs are not: the mean over all pairs of
 *
 *	w ln(1 + d^1.5)         for neighbours (w 1, or 2 when each is the other's)
 *	-ln(1 - exp(-d))        for random pairs, 0.7 times as many
 *
 * is minimised by projected L-BFGS, under the constraint that the coordinates have
 * mean 0, variance 1 and no correlation.  The start is the spectral one: the
 * smallest eigenvectors of the neighbour graph's Laplacian.  (Agrawal, Ali, Boyd:
 * Minimum-distortion embedding, 2021; the recipe "preserve neighbours".)
 *
 *	struct mde_edges g = {0};
 *	struct mde_opt o = MDE_DEFAULT;
 *	struct mde_out r;
 *	mde_neighbours(&g, idx, n, k, e);
 *	mde_repel(&g, 0.7, seed, p, e);
 *	mde(&g, &o, x, &r, p, e);
 *	mde_out_clear(&r);
 *	mde_edges_clear(&g);
 *
 * The constraint set is symmetric, so a picture may come out rotated or mirrored.
 */
#ifndef OVX_MDE_H
#define OVX_MDE_H

#include <stdint.h>
#include "base/err.h"
#include "os/par.h"

#define MDE_DIM_MAX 8

/* Pairs i < j, sorted by (i, j). */
struct mde_pairs {
	int64_t *ptr;           /* [n + 1] */
	int32_t *j;             /* [ptr[n]] */
	float *w;               /* [ptr[n]] > 0, or NULL: all 1 */
};

struct mde_edges {
	int64_t n;              /* points */
	struct mde_pairs near, far;
};

/* Attractive pairs from neighbour lists idx [n][k] (others; the point itself and
 * negative numbers are skipped): weight 1, 2 when each is in the other's list. */
int mde_neighbours(struct mde_edges *g, const int32_t *idx, int64_t n, int k, struct err *e);
/* Pairs from a list: edge [m][2], weight [m]; weight > 0 attracts, < 0 repels with
 * |weight|, 0 is dropped.  Pairs given twice are added up. */
int mde_list(struct mde_edges *g, int64_t n, int64_t m, const int32_t *edge, const float *weight,
	struct err *e);
/* Draws fraction * attractive pairs (fewer when there are not so many) of all pairs,
 * none twice; those that are not neighbours become the repulsive ones.  O(pairs)
 * time and memory. */
int mde_repel(struct mde_edges *g, double fraction, uint64_t seed, struct par *p, struct err *e);
void mde_edges_clear(struct mde_edges *g);

struct mde_opt {
	int dim;                /* 1..MDE_DIM_MAX */
	int max_iter;
	int memory;             /* of L-BFGS */
	double eps;             /* stop at this norm of the projected gradient */
	uint64_t seed;
	const uint64_t *key;    /* [n] hashes of names that key the random start, or NULL */
	const float *start;     /* [n][dim] instead of the spectral start, or NULL; may be x */
	int64_t coarse;         /* the eigenproblem is solved on at most so many points, of which
	                           more are merged before (see mde_start.c) */
};

#define MDE_DEFAULT {2, 300, 10, 1e-5, 0, 0, 0, 20000}

struct mde_out {
	double distortion;      /* mean over all pairs, at the end */
	double start;           /* at the start */
	double residual;        /* norm of the projected gradient */
	int n_iter, converged;
	int n_component;        /* connected parts of the attractive graph */
	int n_trace;
	double *trace;          /* [n_trace] mean distortion at iterations 0, 10, 20, ... */
};

/* x [n][dim] from g.  n must be above dim.  O(pairs) an evaluation, about 1.1
 * evaluations an iteration; memory mde_bytes.  Same bytes for any number of
 * threads.  res may be NULL; else free it with mde_out_clear.
 *
 * A graph in several parts has no spectral start of its own: for the start alone,
 * each smaller part is tied to random points of the others by as many pairs as a
 * point has neighbours. */
int mde(const struct mde_edges *g, const struct mde_opt *o, float *x, struct mde_out *res,
	struct par *p, struct err *e);
void mde_out_clear(struct mde_out *res);

/* The spectral start alone: x [n][dim], standardised. */
int mde_start(const struct mde_edges *g, const struct mde_opt *o, float *x, int *n_component,
	struct par *p, struct err *e);

/* Moves x [n][dim] to the nearest standardised point: mean 0, covariance I.
 * ERR_NUMERIC when the points do not span dim dimensions. */
int mde_standardise(float *x, int64_t n, int dim, struct par *p, struct err *e);

/* Mean distortion of x [n][dim] and, when not NULL, its gradient [n][dim], not
 * projected.  For tests. */
double mde_distortion(const struct mde_edges *g, const float *x, int dim, float *gradient, struct par *p,
	struct err *e);

/* Upper bound of the bytes that building the pairs from k neighbours and mde take
 * together. */
int64_t mde_bytes(int64_t n, int k, double fraction, const struct mde_opt *o);

#endif
