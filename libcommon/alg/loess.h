/* loess - local regression of y on one x (Cleveland's, with interpolation)
 *
 * At the vertices of a kd-tree of the x, a polynomial of degree 1 or 2 is fitted to the nearest
 * span * n points by least squares with tricube weights; between vertices the fit is the cubic
 * that has their values and slopes.  This is what R's and scikit-misc's
 * loess do by default (family gaussian, surface interpolate, cell 0.2), so that
 * fits agree to rounding.
 *
 *	loess_fit(x, y, n, 0.3, 2, fitted, e);
 *
 * Cleveland, Grosse 1991: Computational methods for local regression (Statistics and
 * Computing 1:47).
 */
#ifndef OVX_LOESS_H
#define OVX_LOESS_H

#include <stdint.h>
#include "base/err.h"

/* fitted [n] at the points x [n] (in any order).  0 < span <= 1, degree 1 or 2.
 * ERR_NUMERIC for NaN, or when the neighbourhood of a point is of a single x.
 * O(n log n + vertices span n), some 2 / (span * 0.2) vertices. */
int loess_fit(const double *x, const double *y, int64_t n, double span, int degree, double *fitted, struct err *e);

#endif
