/* The inner loops of harmony.  Vectors of 16 floats in the compilers' notation:
 * they become 1, 2 or 4 registers; every lane does the same sequence of IEEE
 * operations, so the bits do not depend on the width. */
#include "alg/harmony_impl.h"

#include <string.h>

#define L HARMONY_LANES

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__GLIBC__) && \
	!defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#define WIDE __attribute__((target_clones("default", "avx2", "arch=x86-64-v4")))
#else
#define WIDE
#endif
#define INLINE static inline __attribute__((always_inline))

typedef float vf __attribute__((vector_size(4 * L), aligned(4), may_alias));
typedef int32_t vi __attribute__((vector_size(4 * L), aligned(4), may_alias));
typedef double vd __attribute__((vector_size(8 * L), aligned(8), may_alias));

/* exp(x): x = n ln 2 + f, |f| <= ln 2 / 2, a polynomial for exp(f) and n added
 * to the exponent.  Below -87 the result is 0. */
INLINE void
vexp(vf *io)
{
	const vf big = (vf){0} + 12582912.0f;   /* 1.5 * 2^23: adding it rounds to an integer */
	vf x = *io, n, f, q;
	vi live = x > -87.0f, e;

	x = (vf)((vi)x & live);
	n = x * 1.44269504f + big;
	e = (vi)n;
	n -= big;
	f = x - n * 0.693359375f;
	f -= n * -2.12194440e-4f;
	q = f * 1.3888949086e-3f + 8.3333337680e-3f;
	q = q * f + 4.1666667908e-2f;
	q = q * f + 1.6666667163e-1f;
	q = q * f + 0.5f;
	q = q * f * f + f + 1.0f;
	e = (vi)q + (e << 23);
	*io = (vf)(e & live);
}

WIDE void
harmony_exp(float *x, int64_t n)
{
	int64_t i = 0;
	vf t;

	for (; i + L <= n; i += L)
		vexp((vf *)(x + i));
	if (i < n) {
		memset(&t, 0, sizeof t);
		memcpy(&t, x + i, (size_t)(n - i) * sizeof *x);
		vexp(&t);
		memcpy(x + i, &t, (size_t)(n - i) * sizeof *x);
	}
}

WIDE void
harmony_exp_rows(float *w, int64_t m, int k, int kp, float *mx)
{
	for (int64_t i = 0; i < m; i++, w += kp) {
		vf top;
		float most;

		for (int j = k; j < kp; j++)
			w[j] = -1e30f;
		top = *(vf *)w;
		for (int j = L; j < kp; j += L) {
			vf x = *(vf *)(w + j);
			vi gt = x > top;

			top = (vf)(((vi)x & gt) | ((vi)top & ~gt));
		}
		most = top[0];
		for (int j = 1; j < L; j++)
			most = top[j] > most ? top[j] : most;
		mx[i] = most;
		for (int j = 0; j < kp; j += L) {
			vf x = *(vf *)(w + j) - most;

			vexp(&x);
			*(vf *)(w + j) = x;
		}
	}
}

WIDE float
harmony_dot(const float *w, const float *pen, int kp)
{
	vf s = {0};
	float t[L];

	for (int j = 0; j < kp; j += L)
		s += *(const vf *)(w + j) * *(const vf *)(pen + j);
	memcpy(t, &s, sizeof t);
	for (int half = L / 2; half > 0; half /= 2)
		for (int j = 0; j < half; j++)
			t[j] += t[j + half];
	return t[0];
}

WIDE void
harmony_scale(float *w, const float *pen, float scale, int kp)
{
	for (int j = 0; j < kp; j += L)
		*(vf *)(w + j) *= *(const vf *)(pen + j) * scale;
}

WIDE void
harmony_add(double *acc, const float *w, int kp)
{
	for (int j = 0; j < kp; j += L)
		*(vd *)(acc + j) += __builtin_convertvector(*(const vf *)(w + j), vd);
}

WIDE void
harmony_add_scaled(double *acc, const float *w, const float *pen, float scale, int kp)
{
	for (int j = 0; j < kp; j += L) {
		vf t = *(const vf *)(w + j) * (*(const vf *)(pen + j) * scale);

		*(vd *)(acc + j) += __builtin_convertvector(t, vd);
	}
}

WIDE void
harmony_times(float *restrict to, const float *restrict from, float f, int n)
{
	int i = 0;

	for (; i + L <= n; i += L)
		*(vf *)(to + i) = *(const vf *)(from + i) * f;
	for (; i < n; i++)
		to[i] = from[i] * f;
}
