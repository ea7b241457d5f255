/* logexp - see logexp.h */
#include "num/logexp.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* log(2) in two parts; the first has 32 bits, so that k LN2_HI is exact. */
#define LN2_HI 0x1.62e42feep-1
#define LN2_LO 0x1.a39ef35793c76p-33
#define HALF_SQRT 0x3fe6a09e667f3bcdull         /* bits of sqrt(1/2) */
#define ONE_BITS 0x3ff0000000000000ull
#define MANTISSA 0x000fffffffffffffull

static inline uint64_t
bits_of(double x)
{
	uint64_t u;

	memcpy(&u, &x, sizeof u);
	return u;
}

static inline double
of_bits(uint64_t u)
{
	double x;

	memcpy(&x, &u, sizeof x);
	return x;
}

/* 0 <= k < 2^52 as a double, without an instruction that SSE2 lacks. */
static inline double
to_double(uint64_t k)
{
	return of_bits(k | 0x4330000000000000ull) - 0x1p52;
}

/* log(u) + c for a normal u > 0 and a small correction c. */
static inline double
log_core(double u, double c)
{
	uint64_t t = bits_of(u) + (ONE_BITS - HALF_SQRT);
	double k = to_double(t >> 52) - 1023;
	double f = of_bits((t & MANTISSA) + HALF_SQRT) - 1;
	double s = f / (2 + f), z = s * s, w = z * z, half = 0.5 * f * f;
	double even = 0x1.5555555555555p-1 +
		w * (0x1.2492492476cccp-2 + w * (0x1.745cf9048dd95p-3 + w * 0x1.0fbe95d71602p-3));
	double odd = 0x1.9999999999a38p-2 +
		w * (0x1.c71c720159177p-3 + w * (0x1.3b1c355a8f7a2p-3 + w * 0x1.0c039c49989c6p-3));
	double r = z * (even + z * odd);

	return k * LN2_HI + (f - (half - (s * (half + r) + (k * LN2_LO + c))));
}

/* log1p(x): what 1 + x loses comes back as a correction of first order. */
static inline double
log1p_core(double x)
{
	double u = 1 + x;
	double lost = x > 1 ? 1 - (u - x) : x - (u - 1);

	return log_core(u, lost / u);
}

/* exp(x) * 2^shift2, the product being within 2^-1020 .. 2^1020. */
static inline double
exp_core(double x, int shift2)
{
	double shift = x * 0x1.71547652b82fep+0 + 0x1.8p52;
	double k = shift - 0x1.8p52;
	double hi = x - k * LN2_HI, lo = k * LN2_LO, r = hi - lo;
	double rest = (hi - r) - lo;
	double p = 0x1.0000000000001p-1 + r * (0x1.5555555555556p-3 + r * (0x1.5555555553d37p-5 +
		r * (0x1.11111111109a6p-7 + r * (0x1.6c16c1789d1d7p-10 + r * (0x1.a01a01a7cebcdp-13 +
		r * (0x1.a019b8ca26fcfp-16 + r * (0x1.71de0d85293b8p-19 + r * (0x1.2891d4ffbb0f9p-22 +
		r * 0x1.af390ba7e6f47p-26))))))));

	return (1 + (r + (r * r * p + rest))) * of_bits((bits_of(shift) + 1023 + (uint64_t)shift2) << 52);
}

static int
log_easy(double x)
{
	return x >= DBL_MIN && x <= DBL_MAX;
}

static int
log1p_easy(double x)
{
	return x > -1 + 0x1p-53 && x <= 0x1p1000 && x != 0;
}

static int
exp_easy(double x)
{
	return x >= -700 && x <= 700;
}

double
num_log(double x)
{
	if (log_easy(x))
		return log_core(x, 0);
	if (isnan(x) || x < 0)
		return NAN;
	if (x == 0 || isinf(x))
		return x == 0 ? -INFINITY : x;
	return log_core(x * 0x1p54, 0) - 54 * (LN2_HI + LN2_LO);
}

double
num_log1p(double x)
{
	if (log1p_easy(x))
		return log1p_core(x);
	if (x == 0 || isnan(x))
		return x;
	if (x <= -1)
		return x == -1 ? -INFINITY : NAN;
	return num_log(x < 0 ? 1 + x : x);
}

double
num_exp(double x)
{
	if (exp_easy(x))
		return exp_core(x, 0);
	if (isnan(x))
		return x;
	if (x > 710)
		return INFINITY;
	if (x < -746)
		return 0;
	/* near overflow or subnormal: in two steps */
	return x > 0 ? exp_core(x, -64) * 0x1p64 : exp_core(x, 128) * 0x1p-128;
}

/* Blocks of this many values fit the stack and the first cache. */
#define CHUNK 256

void
num_log_n(const double *x, double *y, int64_t n)
{
	double t[CHUNK];

	for (int64_t i = 0; i < n; i += CHUNK) {
		int m = n - i < CHUNK ? (int)(n - i) : CHUNK;

		for (int j = 0; j < m; j++)
			t[j] = log_core(x[i + j], 0);
		for (int j = 0; j < m; j++)
			y[i + j] = log_easy(x[i + j]) ? t[j] : num_log(x[i + j]);
	}
}

void
num_log1p_n(const double *x, double *y, int64_t n)
{
	double t[CHUNK];

	for (int64_t i = 0; i < n; i += CHUNK) {
		int m = n - i < CHUNK ? (int)(n - i) : CHUNK;

		for (int j = 0; j < m; j++)
			t[j] = log1p_core(x[i + j]);
		for (int j = 0; j < m; j++)
			y[i + j] = log1p_easy(x[i + j]) ? t[j] : num_log1p(x[i + j]);
	}
}

void
num_exp_n(const double *x, double *y, int64_t n)
{
	double t[CHUNK];

	for (int64_t i = 0; i < n; i += CHUNK) {
		int m = n - i < CHUNK ? (int)(n - i) : CHUNK;

		for (int j = 0; j < m; j++)
			t[j] = exp_core(x[i + j], 0);
		for (int j = 0; j < m; j++)
			y[i + j] = exp_easy(x[i + j]) ? t[j] : num_exp(x[i + j]);
	}
}
