/* median - the middle of numbers
 */
#ifndef OVX_MEDIAN_H
#define OVX_MEDIAN_H

#include <stdint.h>

/* Median of x [n], which is left sorted: the mean of the two in the middle when n is even, NaN when
 * it is 0.  No x may be NaN. */
double num_median(double *x, int64_t n);

#endif
