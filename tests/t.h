/* t - what a unit test program needs: TAP on standard output
 *
 *	int main(void) { ok(1 + 1 == 2, "sums"); near(a, b, 1e-9, "mean"); return done(); }
 */
#ifndef OVX_T_H
#define OVX_T_H

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int t_n, t_failed;

static inline int
ok(int good, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %d - ", good ? "" : "not ", ++t_n);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	t_failed += !good;
	return good;
}

static inline int
is_i64(int64_t got, int64_t want, const char *what)
{
	int good = got == want;

	ok(good, "%s", what);
	if (!good)
		printf("# got %lld, want %lld\n", (long long)got, (long long)want);
	return good;
}

static inline int
is_str(const char *got, const char *want, const char *what)
{
	int good = strcmp(got, want) == 0;

	ok(good, "%s", what);
	if (!good)
		printf("# got '%s'\n# want '%s'\n", got, want);
	return good;
}

/* |got - want| <= tol * max(1, |want|); NaN is near NaN. */
static inline int
is_near(double got, double want, double tol)
{
	if (isnan(want) || isnan(got))
		return isnan(want) && isnan(got);
	return fabs(got - want) <= tol * (fabs(want) > 1 ? fabs(want) : 1);
}

static inline int
near(double got, double want, double tol, const char *what)
{
	int good = is_near(got, want, tol);

	ok(good, "%s", what);
	if (!good)
		printf("# got %.17g, want %.17g (tolerance %g)\n", got, want, tol);
	return good;
}

static inline void
skip(const char *what, const char *why)
{
	printf("ok %d - %s # SKIP %s\n", ++t_n, what, why);
}

static inline int
done(void)
{
	printf("1..%d\n", t_n);
	return t_failed != 0;
}

#endif
