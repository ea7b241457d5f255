/* logexp - natural logarithm and exponential with the same bits everywhere
 *
 * libm's log differs in the last bit between machines and versions; a
 * normalised matrix must not.  These use additions, products and divisions of
 * IEEE doubles in a fixed order only (no tables, no fused multiply-add), so every
 * conforming compiler and CPU gives the same bits.  Errors stay below one unit in
 * the last place.  Special values are libm's: log(0) = -inf, log(-1) = NaN,
 * log1p(-1) = -inf, exp(-inf) = 0, NaN stays NaN, log1p(-0) = -0.
 *
 * The array forms give exactly the bits of the single ones and are
 * written so that the compiler makes vector code of them.
 *
 * Method: argument reduction to [sqrt(1/2), sqrt(2)) and the series of atanh in
 * (f / (2 + f))^2, Tang 1990 (ACM TOMS 16:378); polynomials by
 * interpolation in Chebyshev points.
 */
#ifndef OVX_LOGEXP_H
#define OVX_LOGEXP_H

#include <stdint.h>

double num_log(double x);
double num_log1p(double x);
double num_exp(double x);

/* y[i] = f(x[i]), i < n; y may be x. */
void num_log_n(const double *x, double *y, int64_t n);
void num_log1p_n(const double *x, double *y, int64_t n);
void num_exp_n(const double *x, double *y, int64_t n);

#endif
