/* Inside of harmony: the state, and what its files offer each other.
 *
 * Cells are visited in an order that groups those with the same levels of all
 * variables; a "place" is a cell's number in that order.  A run is at most RUN
 * cells of one group whose soft assignments are computed by one matrix product.
 * Runs are worked off in waves, so that partial sums take little memory and are
 * added in the order of runs. */
#ifndef OVX_HARMONY_IMPL_H
#define OVX_HARMONY_IMPL_H

#include <stdint.h>
#include "alg/harmony.h"

#define HARMONY_RUN 256
#define HARMONY_WAVE 256        /* runs a wave */
#define HARMONY_SUM_WAVE 64     /* runs a wave when each leaves a K x d matrix */
#define HARMONY_LANES 16        /* K is rounded up to a multiple of this */

struct harmony_run {
	int64_t lo, hi;         /* entries of the list of places; the places themselves without a list */
	int32_t group;
};

struct harmony_state {
	const struct harmony_opt *o;
	const float *z;         /* [n][d] */
	float *zc;              /* [n][d] corrected; rows by cell */
	float *inv;             /* [n] 1 / length of zc's row; its sign may be negative in variant 0 */
	int64_t n;
	int d, k, kp;           /* kp = k rounded up */
	struct par *p;

	int n_var, n_lev;       /* levels of all variables together */
	int *var_lev;           /* [n_var + 1] first level of each variable */
	double *theta, *pr;     /* [n_lev] penalty; share of the cells */
	double *size;           /* [n_lev] cells */

	int32_t *cell;          /* [n] cell of each place */
	int32_t n_group;
	int64_t *group_lo;      /* [n_group + 1] places */
	int32_t *group_lev;     /* [n_group][n_var] levels */
	struct harmony_run *all;/* runs over all places */
	int64_t n_all;

	int n_block;
	uint16_t *block, *prev; /* [n] block of each place in this sweep and in the last one */
	int32_t *list;          /* [n] places by block */
	int64_t *list_lo;       /* [n_block + 1] */
	int64_t sweep;          /* sweeps done */

	float *y;               /* [kp][d] unit centres, padded with zeros */
	float *y_next;          /* [kp][d] */
	double *obs;            /* [n_lev][kp] O */
	float *rho, *rho_prev;  /* [n_block][n_lev][kp] penalties of this sweep and the last */
	float *r;               /* [n][kp] by place; NULL in variant 2 */
	float *w;               /* [largest block][kp] weights of the open block; NULL in 0, 1 */
	float *top;             /* [largest block] largest logits of the open block */
	double *beta;           /* [n_lev][kp][d] sums of the regression, then its coefficients */
	double *group_obs;      /* [n_group][kp]; several variables only */

	double *part;           /* [HARMONY_WAVE][kp + 1] */
	float *sums;            /* [HARMONY_SUM_WAVE][kp][d] */
	float *zbuf, *wbuf, *ybuf;      /* a worker: [RUN][d], [RUN][kp], [kp][d] */
	float *mx;              /* a worker: [RUN] largest logits */
	float *pen;             /* [2 workers][kp] scratch, then one row of ones */
};

/* harmony_group.c */
/* Fills n_group, cell, group_*; codes are checked. */
void harmony_groups(struct harmony_state *h, const struct harmony_var *var);
/* Draws the blocks of the next sweep into block, list, list_lo. */
void harmony_blocks(struct harmony_state *h);
/* Runs over list[lo..hi-1] (list NULL: over the places lo..hi-1).  Returns their
 * number; run, when not NULL, has room for them. */
int64_t harmony_runs(const struct harmony_state *h, const int32_t *list, int64_t lo, int64_t hi,
	struct harmony_run *run);

/* harmony_soft.c: rows of soft assignments.  kp is a multiple of the lanes. */
/* exp(x) with relative error below 2e-7 for -87 < x <= 0, no libm. */
void harmony_exp(float *x, int64_t n);
/* w [m][kp] from logits to exp(w - largest of the row); the largest goes to mx [m].
 * Columns k..kp-1 become 0. */
void harmony_exp_rows(float *w, int64_t m, int k, int kp, float *mx);
/* to = from * f. */
void harmony_times(float *to, const float *from, float f, int n);
/* Sum of w * pen. */
float harmony_dot(const float *w, const float *pen, int kp);
/* w *= pen * scale. */
void harmony_scale(float *w, const float *pen, float scale, int kp);
/* acc += w, and acc += w * pen * scale. */
void harmony_add(double *acc, const float *w, int kp);
void harmony_add_scaled(double *acc, const float *w, const float *pen, float scale, int kp);

/* harmony_fit.c */
/* Assignments without penalty for the first time or, in variant 2, after a
 * correction; sets obs.  Returns the objective. */
double harmony_start(struct harmony_state *h, struct err *e);
/* Centres from the assignments (variants 0 and 1). */
void harmony_centres(struct harmony_state *h, struct err *e);
/* One sweep over the blocks.  Returns the objective. */
double harmony_sweep(struct harmony_state *h, struct err *e);
/* Assignments of a run over places: [hi - lo][kp], in r or in the worker's wbuf. */
const float *harmony_rows(struct harmony_state *h, const struct harmony_run *run, int worker);
/* Weighted sums of z (unit: of unit vectors of zc) over each level into beta. */
void harmony_level_sums(struct harmony_state *h, int unit, struct err *e);

/* harmony_ridge.c */
/* Regression and correction: new zc, inv; in variant 2 new y. */
void harmony_correct(struct harmony_state *h, struct err *e);
/* One variable, one cluster: coefficients of the levels with obs > 0 and use != 0
 * in place of their sums s [n_lev][stride]; b0 [d] gets the intercept.
 * Returns 0, or -1 when nothing is to be done. */
int harmony_ridge_one(int n_lev, int d, const double *obs, const double *lambda, const int *use,
	double *s, int64_t stride, double *b0);
/* The same for any design: a [m][m] the normal matrix with the penalties on its
 * diagonal, row 0 the intercept's; b [m][d] right-hand sides, then coefficients. */
int harmony_ridge_dense(int m, int d, double *a, double *b, struct err *e);

#endif
