/* The inner loops of harmony, on vectors of 16 floats (lanes.h). */
#include "alg/harmony_impl.h"

#include <string.h>
#include "alg/lanes.h"

#define L LANES

_Static_assert(L == HARMONY_LANES, "clusters are rounded up to whole vectors");

WIDE void
harmony_exp(float *x, int64_t n)
{
	int64_t i = 0;
	vf t;

	for (; i + L <= n; i += L)
		lanes_exp((vf *)(x + i), (vf *)(x + i));
	if (i < n) {
		memset(&t, 0, sizeof t);
		memcpy(&t, x + i, (size_t)(n - i) * sizeof *x);
		lanes_exp(&t, &t);
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

			lanes_exp(&x, &x);
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
