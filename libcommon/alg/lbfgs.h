/* lbfgs - minimising a smooth function of many variables on a constraint set
 *
 * Limited-memory BFGS (Nocedal 1980; Nocedal and Wright, Numerical Optimization,
 * algorithms 7.4, 3.5 and 3.6) with a line search for the strong Wolfe conditions
 * by cubic interpolation.  A constraint is kept by the caller's function: it moves
 * every trial point onto the set before it evaluates it, and gives the part of the
 * gradient that lies in the set.  Steps are measured along the straight line.
 *
 *	struct lbfgs_opt o = LBFGS_DEFAULT;
 *	struct lbfgs_out r;
 *	lbfgs(rosenbrock, NULL, 2, x, &o, &r, p, e);
 */
#ifndef OVX_LBFGS_H
#define OVX_LBFGS_H

#include <stdint.h>
#include "base/err.h"
#include "os/par.h"

/* Moves x [n] onto the constraint set, puts the gradient there into g [n] and
 * returns the value.  A value that is not finite makes the step shorter. */
typedef double lbfgs_fn(void *ctx, float *x, float *g, struct err *e);

/* Called after the start (iter 0) and after every iteration. */
typedef void lbfgs_seen(void *ctx, int iter, double f, double norm);

struct lbfgs_opt {
	int max_iter;
	int memory;             /* pairs of differences kept, 1..64 */
	int max_eval;           /* evaluations of one line search */
	double eps;             /* stop when the norm of the gradient is at most this */
	double c1, c2;          /* sufficient decrease, curvature */
	lbfgs_seen *seen;       /* or NULL; gets ctx */
};

#define LBFGS_DEFAULT {300, 10, 25, 1e-5, 1e-4, 0.9, 0}

struct lbfgs_out {
	double f, norm;         /* value, norm of the gradient */
	int n_iter, n_eval;
	int converged;          /* norm <= eps */
};

/* Minimises from x [n], which gets the best point.  ERR_NUMERIC when the start has
 * no finite value.  Memory lbfgs_bytes.  Same bytes for any number of threads as
 * long as fn's are. */
int lbfgs(lbfgs_fn *fn, void *ctx, int64_t n, float *x, const struct lbfgs_opt *o,
	struct lbfgs_out *out, struct par *p, struct err *e);

int64_t lbfgs_bytes(int64_t n, const struct lbfgs_opt *o);

#endif
