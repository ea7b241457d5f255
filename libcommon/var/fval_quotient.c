/* fval_quotient - quotients as the releases print them: see fval.h */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "var/fval_impl.h"

__extension__ typedef unsigned __int128 u128;

static const int64_t int_pow[] = {
	1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000, 1000000000000,
	10000000000000, 100000000000000, 1000000000000000, 10000000000000000, 100000000000000000, 1000000000000000000
};

/* A decimal as the rule writes it.  Both forms are common and in no order: no branch on which it is. */
static inline fval
in_style(struct fval_rule r, struct decimal d)
{
	int fixed = -(r.style != FVAL_STYLE_E && (unsigned)(d.exp + 4) < r.digits + 4u);
	int decimals = r.digits - 1 - (d.exp & fixed), form;
	uint32_t m = (uint32_t)d.digits, q;

	if (r.style == FVAL_STYLE_G) {
		/* m * the inverse of 5, halved, is m / 10 where that is whole, and beyond any such number else. */
		while (decimals > 0 && (q = (m * 0xcccccccdu) >> 1 | (m * 0xcccccccdu) << 31) <= 0xffffffffu / 10) {
			m = q;
			decimals--;
		}
		if (m == 0 || (fixed && decimals == 0))
			return fval_float(fval_make_form(0, FVAL_WHOLE, 0, 0), m);
	}
	form = ((int)FVAL_EXP << 14 | (256 + d.exp)) & ~fixed;
	form |= ((int)FVAL_FIXED << 14 | 256) & fixed;
	return fval_float(form | decimals << 9, m);
}

/* What printf makes of x. */
static struct decimal
by_printf(int digits, double x)
{
	char text[64], *e;
	struct decimal d = { 0, 0 };

	snprintf(text, sizeof text, "%.*e", digits - 1, x);
	e = strchr(text, 'e');
	d.exp = atoi(e + 1);
	for (char *p = text; p < e; p++)
		if (is_digit(*p))
			d.digits = d.digits * 10 + (*p - '0');
	return d;
}

/* 9.99999 may have been rounded to 10.0000. */
static inline struct decimal
carry(int digits, struct decimal d)
{
	if (d.digits == int_pow[digits]) {
		d.digits = int_pow[digits - 1];
		d.exp++;
	}
	return d;
}

/* x to so many digits, not carried; *near when it is near to a tie. */
static inline struct decimal
round_double(int digits, double x, int *near)
{
	struct decimal d = { 0, first_digit(x) };
	double s = x * pow10_of(digits - 1 - d.exp), rest;

	d.digits = (int64_t)s;
	rest = s - (double)d.digits;
	*near = fabs(rest - 0.5) < NEAR_TIE;
	d.digits += rest > 0.5;
	return d;
}

/* a * 10^k / b, ties up (or to even). */
static u128
round_ratio(u128 a, u128 b, int k, int even)
{
	u128 q, rest;

	if (k >= 0)
		a *= (u128)int_pow[k];
	else
		b *= (u128)int_pow[-k];
	q = a / b;
	rest = 2 * (a - q * b);
	return q + (rest > b || (rest == b && (!even || (q & 1))));
}

/* v / 10^places to so many digits, v < 10^9. */
static struct decimal
round_small(struct fval_rule r, uint32_t v, int places)
{
	struct decimal d = { 0, 0 };
	uint32_t p, q, rest;
	int n = (32 - __builtin_clz(v | 1)) * 1233 >> 12;

	n += v >= (uint32_t)int_pow[n];
	d.exp = n - 1 - places;
	if (n <= r.digits) {
		d.digits = v * int_pow[r.digits - n];
		d.exp = v == 0 ? 0 : d.exp;
		return d;
	}
	p = (uint32_t)int_pow[n - r.digits];
	q = v / p;
	rest = 2 * (v - q * p);
	if (rest == p && !r.up)
		return by_printf(r.digits, v / pow10_of(places));
	d.digits = q + (rest >= p);
	return carry(r.digits, d);
}

/* The same for any v. */
static struct decimal
round_places(struct fval_rule r, u128 v, int places)
{
	struct decimal d = { 0, 0 };
	int n = 0;
	u128 p = 1, rest;

	if (v == 0)
		return d;
	for (u128 w = v; w > 0; w /= 10)
		n++;
	d.exp = n - 1 - places;
	if (n <= r.digits) {
		d.digits = (int64_t)v * int_pow[r.digits - n];
		return d;
	}
	for (int i = r.digits; i < n; i++)
		p *= 10;
	d.digits = (int64_t)(v / p);
	rest = 2 * (v % p);
	if (rest == p && !r.up)
		return by_printf(r.digits, (double)v / pow10_of(places));
	d.digits += rest >= p;
	return carry(r.digits, d);
}

/* a / b where it is rounded twice, or too near to a tie for doubles. */
static __attribute__((noinline)) struct decimal
quotient_with_care(struct fval_rule r, int64_t a, int64_t b)
{
	double x = (double)a / (double)b;
	struct decimal d;
	int near;

	if (r.places > 0) {
		int places = r.places > 18 ? 18 : r.places;
		double s = x * pow10_of(places), rest;

		if (s < 1e9 - 1) {
			rest = s - (double)(int64_t)s;
			if (fabs(rest - 0.5) > NEAR_TIE)
				return round_small(r, (uint32_t)(int64_t)s + (rest > 0.5), places);
		}
		return round_places(r, round_ratio((u128)a, (u128)b, places, 1), places);
	}
	d = round_double(r.digits, x, &near);
	if (r.up)
		d.digits = (int64_t)round_ratio((u128)a, (u128)b, r.digits - 1 - d.exp, 0);
	else
		d = by_printf(r.digits, x);
	return carry(r.digits, d);
}

static inline struct decimal
quotient(struct fval_rule r, int64_t a, int64_t b)
{
	struct decimal d = { 0, 0 };
	int near;

	if (a == 0)
		return d;
	if (r.places > 0)
		return quotient_with_care(r, a, b);
	d = round_double(r.digits, (double)a / (double)b, &near);
	if (near)
		return quotient_with_care(r, a, b);
	return carry(r.digits, d);
}

fval
fval_quotient(struct fval_rule r, int64_t a, int64_t b)
{
	return in_style(r, quotient(r, a, b));
}

/* q / b; 0 when that is out of every frequency's range. */
static inline int
ratio(struct fval_rule r, double q, int64_t b, struct decimal *d, int *near)
{
	double x = q / (double)b;

	*d = (struct decimal){ 0, 0 };
	*near = 0;
	if (x == 0)
		return 1;
	if (x > 0 && r.places > 0) {
		int places = r.places > 18 ? 18 : r.places;
		double s = x * pow10_of(places);

		if (s < 1e9 - 1) {
			int64_t v = (int64_t)s;
			double rest = s - (double)v;

			*near = fabs(rest - 0.5) < NEAR_TIE;
			*d = round_small(r, (uint32_t)v + (rest > 0.5), places);
			return 1;
		}
		*near = 1;
	}
	if (x >= pow10_of(E_MIN) && x < pow10_of(E_MAX)) {
		int tie;

		*d = carry(r.digits, round_double(r.digits, x, &tie));
		*near |= tie;
		return 1;
	}
	return 0;
}

fval
fval_ratio(struct fval_rule r, double q, int64_t b, int *near)
{
	double x = q / (double)b;
	struct decimal d;

	if (ratio(r, q, b, &d, near))
		return in_style(r, d);
	/* A value, but not one to rely upon. */
	*near = 1;
	if (!(x >= 1e-250 && x <= 1e250)) {
		d.digits = 0;
		d.exp = 0;
		return in_style(r, d);
	}
	return in_style(r, by_printf(r.digits, x));
}

int
fval_interval(struct fval_rule r, fval v, double *lo, double *hi)
{
	double x, unit, below, safe = 4e-6;
	struct decimal d = { 0, 0 };
	int near;

	if (v < 0)
		return 0;
	x = fval_number(FTYPE_FLOAT, v);
	if (x == 0) {
		if (in_style(r, d) != v)
			return 0;
		*lo = 0;
		*hi = r.places > 0 ? (0.5 - safe) * pow10_of(-(r.places > 16 ? 16 : r.places)) : 0;
		return 1;
	}
	if (!(x >= pow10_of(E_MIN) && x < pow10_of(E_MAX)) || fval_ratio(r, x, 1, &near) != v || near)
		return 0;
	d = carry(r.digits, round_double(r.digits, x, &near));
	unit = pow10_of(d.exp) / pow10_of(r.digits - 1);
	/* Below a power of ten the digits are ten times finer. */
	below = d.digits == int_pow[r.digits - 1] ? 0.05 : 0.5;
	if (r.places > 0 && r.places <= 16 && unit <= pow10_of(-r.places)) {
		unit = pow10_of(-r.places);
		below = 0.5;
	}
	*lo = x - (below - safe) * unit;
	*hi = x + (0.5 - safe) * unit;
	if (r.places > 0 && unit > pow10_of(-(r.places > 16 ? 16 : r.places))) {
		/* Rounded twice. */
		*lo += 0.5 * pow10_of(-(r.places > 16 ? 16 : r.places));
		*hi -= 0.5 * pow10_of(-(r.places > 16 ? 16 : r.places));
	}
	return 1;
}

/* ---- straight to text ---- */

void
fval_looks(struct fval_looks *t, struct fval_rule r)
{
	int p = r.digits;

	memset(t, 0, sizeof *t);
	t->rule = r;
	t->top = p >= 1 && p <= 9 ? int_pow[p] : 0;
	t->up = 8 * (8 - p);
	t->quick = r.style != FVAL_STYLE_G && p >= 1 && p <= 7;
	t->by_double = t->quick && r.places == 0;
	for (int i = 0; t->quick && i < FVAL_LOOKS; i++) {
		struct fval_look *k = &t->at[i];
		int exp = i + FVAL_LOOK0, fixed = r.style != FVAL_STYLE_E && exp >= -4 && exp < p;
		int point = !fixed ? (p > 1 ? 1 : 0) : exp < 0 ? 0 : exp + 1;
		char s[24];

		if (p - 1 - exp >= POW_MIN && p - 1 - exp < POW_MIN + (int)(sizeof fval_pow10 / sizeof *fval_pow10))
			k->scale = pow10_of(p - 1 - exp);
		k->keep = ~(uint64_t)0;
		k->n_digits = (uint8_t)(p + (point > 0));
		if (point) {
			k->keep = ((uint64_t)1 << 8 * point) - 1;
			k->point = (uint64_t)'.' << 8 * point;
		}
		memset(s, 0, sizeof s);
		if (!fixed) {
			k->n_behind = (uint8_t)snprintf(s, sizeof s, "e%c%02d", exp < 0 ? '-' : '+', abs(exp));
			k->behind = fval_load8(s);
		} else if (exp < 0) {
			k->n_before = (uint8_t)snprintf(s, sizeof s, "0.%.*s", -exp - 1, "0000");
			k->before = fval_load8(s);
		}
	}
}

int
fval_put_with_care(const struct fval_looks *t, int64_t a, int64_t b, char *out)
{
	if (!t->quick)
		return fval_print(FTYPE_FLOAT, fval_quotient(t->rule, a, b), out);
	return put_decimal(t, quotient(t->rule, a, b), out);
}

int
fval_put_quotient(const struct fval_looks *t, int64_t a, int64_t b, char *out)
{
	return put_quotient(t, a, b, out);
}

int
fval_put_ratio(const struct fval_looks *t, double q, int64_t b, char *out)
{
	struct decimal d;
	int near;

	if (t->quick && ratio(t->rule, q, b, &d, &near))
		return put_decimal(t, d, out);
	return fval_print(FTYPE_FLOAT, fval_ratio(t->rule, q, b, &near), out);
}
