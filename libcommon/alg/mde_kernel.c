/* Distortions and their gradient.  Every point sums over its own pairs, so that the
 * work is free of conflicts and the order of the sums is fixed; each pair is
 * computed twice for that.  On vectors of 16 floats (lanes.h). */
#include "alg/mde_impl.h"

#include <math.h>
#include <string.h>
#include "alg/lanes.h"

#define L LANES

INLINE void
vsqrt(vf *to, const vf *x)
{
	float t[L], s[L];

	memcpy(t, x, sizeof t);
	for (int l = 0; l < L; l++)
		s[l] = sqrtf(t[l]);
	memcpy(to, s, sizeof s);
}

/* ln(x) for normal x > 0: x = 2^n m with m in [0.707, 1.414], and
 * ln m = 2 atanh(s), s = (m - 1) / (m + 1), by its series. */
INLINE void
vlog(vf *to, const vf *from)
{
	vi b = (vi)*from, n = (b - 0x3f3504f3) >> 23;
	vf m = (vf)(b - (n << 23)), s, s2, q, k = __builtin_convertvector(n, vf);

	s = (m - 1.0f) / (m + 1.0f);
	s2 = s * s;
	q = s2 * 0.22222222f + 0.28571429f;
	q = q * s2 + 0.4f;
	q = q * s2 + 0.66666667f;
	q = q * s2 * s + 2.0f * s;
	*to = k * 0.693359375f + (k * -2.12194440e-4f + q);
}

INLINE float
vsum(const vf *x)
{
	float t[L];

	memcpy(t, x, sizeof t);
	for (int half = L / 2; half > 0; half /= 2)
		for (int l = 0; l < half; l++)
			t[l] += t[l + half];
	return t[0];
}

/* w ln(1 + d^1.5), and its derivative by d over d. */
INLINE void
attract(const vf *d, const vf *w, vf *f, vf *c)
{
	vf r, t, y;

	vsqrt(&r, d);
	t = *d * r + 1.0f;
	vlog(&y, &t);
	*f = *w * y;
	*c = *w * 1.5f / (r * t);
}

/* -w ln(1 - exp(-d)), and its derivative by d over d.  1 - exp(-d) comes from its
 * series where the difference would cancel. */
INLINE void
repel(const vf *d, const vf *w, vf *f, vf *c)
{
	vf m = -*d, x, u, y, q;
	vi near = *d < 0.5f;

	lanes_exp(&x, &m);
	q = m * 1.9841270e-4f + 1.3888889e-3f;
	q = q * m + 8.3333333e-3f;
	q = q * m + 4.1666667e-2f;
	q = q * m + 1.6666667e-1f;
	q = q * m + 0.5f;
	q = *d - q * m * m;
	u = 1.0f - x;
	u = (vf)(((vi)q & near) | ((vi)u & ~near));
	vlog(&y, &u);
	*f = -*w * y;
	*c = -*w * x / (u * *d);
}

/* One point's pairs of one kind; adds to sum and to the vectors g [dim]. */
INLINE void
pairs_of(const struct mde_adj *a, int64_t i, int far, const float *x, int dim, vf *g, vf *sum)
{
	const float *own = x + i * dim;

	for (int64_t at = a->ptr[i]; at < a->ptr[i + 1]; at += L) {
		int m = a->ptr[i + 1] - at < L ? (int)(a->ptr[i + 1] - at) : L;
		float diff[MDE_DIM_MAX][L], weight[L];
		vf d2 = {0}, d, w, f, c;
		vi big;

		if (m < L) {            /* the empty places count for nothing */
			memset(weight, 0, sizeof weight);
			memset(diff, 0, (size_t)dim * sizeof *diff);
		}
		/* partners are anywhere in memory: ask for those of the next points */
		for (int l = 0; l < m; l++)
			__builtin_prefetch(x + (int64_t)a->at[at + l + MDE_AHEAD - L] * dim);
		for (int l = 0; l < m; l++) {
			const float *other = x + (int64_t)a->at[at + l] * dim;

			for (int q = 0; q < dim; q++)
				diff[q][l] = own[q] - other[q];
			weight[l] = a->w ? a->w[at + l] : 1;
		}
		for (int q = 0; q < dim; q++)
			d2 += *(vf *)diff[q] * *(vf *)diff[q];
		/* at distance 0 the direction is arbitrary and its length 0 */
		big = d2 > 1e-20f;
		d2 = (vf)(((vi)d2 & big) | ((vi)((vf){0} + 1e-20f) & ~big));
		vsqrt(&d, &d2);
		w = *(vf *)weight;
		if (far)
			repel(&d, &w, &f, &c);
		else
			attract(&d, &w, &f, &c);
		*sum += f;
		for (int q = 0; q < dim; q++)
			g[q] += c * *(vf *)diff[q];
	}
}

INLINE double
kernel(const struct mde_adj *near, const struct mde_adj *far, const float *x, int dim,
	int64_t lo, int64_t hi, double scale, float *gradient)
{
	double total = 0;

	for (int64_t i = lo; i < hi; i++) {
		vf g[MDE_DIM_MAX], sum = {0};

		for (int q = 0; q < dim; q++)
			g[q] = (vf){0};
		pairs_of(near, i, 0, x, dim, g, &sum);
		pairs_of(far, i, 1, x, dim, g, &sum);
		total += (double)vsum(&sum);
		for (int q = 0; q < dim; q++)
			gradient[(i - lo) * dim + q] = (float)(scale * (double)vsum(&g[q]));
	}
	return total / 2;
}

WIDE double
mde_kernel(const struct mde_adj *near, const struct mde_adj *far, const float *x, int dim,
	int64_t lo, int64_t hi, double scale, float *gradient)
{
	if (dim == 2)           /* the compiler unrolls what it knows */
		return kernel(near, far, x, 2, lo, hi, scale, gradient);
	return kernel(near, far, x, dim, lo, hi, scale, gradient);
}
