/* loess: polynomials are reproduced; vertices against plain weighted least squares; golden values of scikit-misc */
#include "alg/loess.h"
#include "base/mem.h"
#include "base/rng.h"
#include "../t.h"

#define N 500

/* The local quadratic at v by normal equations in long double. */
static double
direct(const double *x, const double *y, int n, int near_n, double v)
{
	double d[N];
	long double a[3][4] = {{0}}, h;

	for (int i = 0; i < n; i++)
		d[i] = fabs(x[i] - v);
	for (int i = 1; i < n; i++)
		for (int k = i; k > 0 && d[k] < d[k - 1]; k--) {
			double t = d[k];

			d[k] = d[k - 1];
			d[k - 1] = t;
		}
	h = d[near_n - 1];
	for (int i = 0; i < n; i++) {
		long double t = x[i] - v, u = fabsl(t) / h, w = 1 - u * u * u, p[4] = { 1, t, t * t, y[i] };

		if (u >= 1)
			continue;
		w = w * w * w;
		for (int r = 0; r < 3; r++)
			for (int c = 0; c < 4; c++)
				a[r][c] += w * p[r] * p[c];
	}
	for (int r = 0; r < 3; r++)
		for (int q = r + 1; q < 3; q++)
			for (int c = 3; c >= r; c--)
				a[q][c] -= a[q][r] / a[r][r] * a[r][c];
	for (int r = 2; r >= 0; r--) {
		for (int c = r + 1; c < 3; c++)
			a[r][3] -= a[r][c] * a[c][3];
		a[r][3] /= a[r][r];
	}
	return (double)a[0][3];
}

int
main(void)
{
	struct rng r = rng_make(3, RNG_TEST, 3);
	double x[N], y[N], fit[N], worst = 0, mid;
	struct err e = {0};

	for (int i = 0; i < N; i++) {
		x[i] = rng_u01(&r) * 5 - 2;
		y[i] = 1 - 2 * x[i] + 0.5 * x[i] * x[i];
	}
	loess_fit(x, y, N, 0.3, 2, fit, &e);
	for (int i = 0; i < N; i++)
		worst = fmax(worst, fabs(fit[i] - y[i]));
	ok(!e.code && worst < 1e-11, "a parabola is its own fit (%.1e)", worst);
	for (int i = 0; i < N; i++)
		y[i] = sin(2 * x[i]) + 0.3 * rng_normal(&r);
	loess_fit(x, y, N, 0.3, 2, fit, &e);
	/* the first cut is at the middle point by order: a vertex, where nothing is interpolated */
	mid = 0;
	for (int i = 0; i < N; i++) {
		int below = 0;

		for (int k = 0; k < N; k++)
			below += x[k] < x[i];
		if (below == (N - 1) / 2)
			mid = fit[i] - direct(x, y, N, 150, x[i]);
	}
	ok(fabs(mid) < 1e-12, "at a vertex the fit is the local polynomial (%.1e)", mid);
	worst = 0;
	for (int i = 0; i < N; i++)
		worst = fmax(worst, fabs(fit[i] - direct(x, y, N, 150, x[i])));
	ok(worst < 0.05, "between vertices it stays near (%.1e)", worst);
	for (int i = 0; i < 30; i++) {
		x[i] = i * i / 10.0;
		y[i] = (i * 7 % 11) + i / 3.0;
	}
	loess_fit(x, y, 30, 0.5, 2, fit, &e);
	near(fit[0], 5.1924767327154404, 1e-12, "golden: first");
	near(fit[13], 9.3479291839579819, 1e-12, "golden: inside");
	near(fit[29], 15.593178562921981, 1e-12, "golden: last");
	loess_fit(x, y, 30, 0.5, 1, fit, &e);
	near(fit[13], 9.3324185182037844, 1e-12, "golden: degree 1");
	ok(!e.code, "no error");
	for (int i = 0; i < 30; i++)
		x[i] = i < 20;
	ok(loess_fit(x, y, 30, 0.3, 2, fit, &e) == ERR_NUMERIC, "ties over a whole neighbourhood: refused");
	e.code = 0;
	x[3] = NAN;
	ok(loess_fit(x, y, 30, 0.3, 2, fit, &e) == ERR_NUMERIC, "NaN is refused");
	e.code = 0;
	ok(loess_fit(x, y, 5, 0.3, 2, fit, &e) == ERR_NUMERIC, "too few points are refused");
	return done();
}
