/* layer - a matrix that is never written: counts and a formula
 *
 * An entry x of row i and column j stands for
 *
 *	y = x / row_div[i], then log1p(y) when log1p is set
 *	z = (y - mean[j]) / std[j], clamped to [-clip, clip]
 *
 * so normalised, logged, centred, scaled and clipped matrices cost two
 * vectors.  The value of a zero is a constant of its column, clamp(-mean / std),
 * and zeros are never visited.  All in double and with our own log1p: the same
 * bits on every machine.
 */
#ifndef OVX_LAYER_H
#define OVX_LAYER_H

#include <stdint.h>
#include "base/mem.h"
#include "num/logexp.h"

struct layer {
	const double *row_div;  /* [n_row] divisor of a row, NULL = 1; 0 counts as 1 */
	int log1p;
	const double *mean;     /* [n_col], or NULL: not centred nor scaled */
	const double *std;      /* [n_col], or NULL = 1 */
	double clip;            /* 0 = none */
};

#define LAYER_LUT 32

/* y [n] of the entries x [n] of row i, before centring.  Small counts, nearly
 * all there are, come from a table of the row. */
static inline void
layer_row(const struct layer *l, int64_t i, const double *x, int64_t n, double *y)
{
	double div = l && l->row_div && l->row_div[i] != 0 ? l->row_div[i] : 1;
	double lut[LAYER_LUT];

	if (!l || !l->log1p) {
		for (int64_t k = 0; k < n; k++)
			y[k] = x[k] / div;
		return;
	}
	for (int c = 0; c < LAYER_LUT; c++)
		lut[c] = c / div;
	num_log1p_n(lut, lut, LAYER_LUT);
	for (int64_t k = 0; k < n; k++) {
		int c = x[k] >= 0 && x[k] < LAYER_LUT ? (int)x[k] : 0;

		y[k] = c == x[k] ? lut[c] : num_log1p(x[k] / div);
	}
}

/* Room for the values of a row, one a slot. */
struct layer_buf {
	double *y;
	int64_t cap;
};

/* The same in a buffer that grows; x itself when there is no formula. */
static inline const double *
layer_values(const struct layer *l, int64_t i, const double *x, int64_t n, struct layer_buf *b)
{
	if (!l || (!l->row_div && !l->log1p))
		return x;
	if (n > b->cap) {
		b->cap = 2 * n;
		b->y = mem_renew(b->y, double, b->cap);
	}
	layer_row(l, i, x, n, b->y);
	return b->y;
}

static inline void
layer_free(struct layer_buf *b, int n)
{
	for (int i = 0; i < n; i++)
		mem_free(b[i].y);
	mem_free(b);
}

/* z of a y of column j. */
static inline double
layer_scale(const struct layer *l, int64_t j, double y)
{
	double z = y;

	if (l->mean)
		z -= l->mean[j];
	if (l->std)
		z /= l->std[j];
	if (l->clip > 0) {
		z = z > l->clip ? l->clip : z;
		z = z < -l->clip ? -l->clip : z;
	}
	return z;
}

#endif
