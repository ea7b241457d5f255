/* fval - texts to slots and back, and quotients as the releases print them */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "var/fval.h"
#include "var/fval_line.h"

__extension__ typedef unsigned __int128 u128;

#define USUAL 18                        /* bytes of what fval_line reads at most */
#define MAX_TEXT 48                     /* sign, digit, point, 31 decimals, exponent: 39 */
/* A scaled quotient has at most 9 digits before its point and an error of some 4e-7 behind it: nearer to a tie than
 * this, doubles do not decide. */
#define NEAR_TIE 1e-6
/* Powers of ten for quotients by doubles: E_MIN - 1 .. E_MAX + 9 */
#define E_MIN (-15)
#define E_MAX 15
#define POW_MIN (-16)

static const double pow_table[] = {
	1e-16, 1e-15, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1,
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
	1e20, 1e21, 1e22, 1e23, 1e24
};

static const int64_t int_pow[] = {
	1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000, 1000000000000,
	10000000000000, 100000000000000, 1000000000000000, 10000000000000000, 100000000000000000, 1000000000000000000
};

static const char pairs[] =
	"0001020304050607080910111213141516171819"
	"2021222324252627282930313233343536373839"
	"4041424344454647484950515253545556575859"
	"6061626364656667686970717273747576777879"
	"8081828384858687888990919293949596979899";

static inline double
pow10_of(int k)
{
	return pow_table[k - POW_MIN];
}

static inline unsigned
is_digit(char c)
{
	return (unsigned char)(c - '0') < 10;
}

static inline void
store8(char *s, uint64_t w)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	w = __builtin_bswap64(w);
#endif
	memcpy(s, &w, sizeof w);
}

/* m < 10^8 as eight bytes 0..9. */
static inline uint64_t
to_digits(uint32_t m)
{
	uint64_t w = m / 10000 | (uint64_t)(m % 10000) << 32, q;

	q = (w * 10486 >> 20) & 0x0000007f0000007fu;
	w = q + ((w - 100 * q) << 16);
	q = (w * 103 >> 10) & 0x000f000f000f000fu;
	return q + ((w - 10 * q) << 8);
}

/* ---- text to slot ---- */

static int
parse_int(const char *s, size_t n, fval *v)
{
	int neg = *s == '-';
	size_t i = (size_t)neg;
	int64_t m = 0;

	if (n - i == 0 || n - i > 16 || (s[i] == '0' && (neg || n > 1)))
		return 0;
	for (; i < n; i++) {
		if (!is_digit(s[i]))
			return 0;
		m = m * 10 + (s[i] - '0');
	}
	if (m > FVAL_INT_MAX)
		return 0;
	*v = neg ? -m : m;
	return 1;
}

/* What stands behind the 'e': sign, two digits or three without a leading zero.  Zero is e+00. */
static int
parse_exp(const char *s, size_t n, int *exp)
{
	int x = 0;

	if (n < 3 || n > 4 || (s[0] != '-' && s[0] != '+') || (n == 4 && s[1] == '0'))
		return 0;
	for (size_t i = 1; i < n; i++) {
		if (!is_digit(s[i]))
			return 0;
		x = x * 10 + (s[i] - '0');
	}
	if (s[0] == '-' ? x == 0 || x > 256 : x > 255)
		return 0;
	*exp = s[0] == '-' ? -x : x;
	return 1;
}

static int
parse_float(const char *s, size_t n, fval *v)
{
	int sign = *s == '-', exp = 0, decimals = 0;
	size_t i = (size_t)sign, from = i, whole;
	enum fval_shape shape = FVAL_WHOLE;
	int64_t m = 0;

	if (n > MAX_TEXT)
		return 0;
	for (; i < n && is_digit(s[i]); i++)
		if ((m = m * 10 + (s[i] - '0')) > FVAL_DIGITS)
			return 0;
	whole = i - from;
	if (whole == 0 || (whole > 1 && s[from] == '0'))
		return 0;
	if (i < n && s[i] == '.') {
		from = ++i;
		for (; i < n && is_digit(s[i]); i++)
			if ((m = m * 10 + (s[i] - '0')) > FVAL_DIGITS)
				return 0;
		decimals = (int)(i - from);
		if (decimals == 0 || decimals > 31)
			return 0;
		shape = FVAL_FIXED;
	}
	if (i < n) {
		if (s[i] != 'e' || whole > 1 || !parse_exp(s + i + 1, n - i - 1, &exp))
			return 0;
		shape = FVAL_EXP;
	}
	*v = fval_float(fval_make_form(sign, shape, decimals, exp), m);
	return 1;
}

int
fval_parse(enum ftype type, const char *s, size_t n, fval *v)
{
	char room[1 + USUAL + FVAL_LINE_PAD];

	if (n == 1 && *s == '.') {
		*v = FVAL_MISSING;
		return 1;
	}
	if (n - 1 < USUAL && type <= FTYPE_FLOAT) {
		memset(room, 0, sizeof room);
		memcpy(room + 1, s, n);
		*v = type == FTYPE_INT ? fval_line_int(room + 1, n) : fval_line_float(room + 1, n);
		if (*v != FVAL_ODD)
			return 1;
	}
	switch (type) {
	case FTYPE_INT:
		return parse_int(s, n, v);
	case FTYPE_FLOAT:
		return parse_float(s, n, v);
	case FTYPE_FLAG:
		if (n != 1 || (*s != '0' && *s != '1'))
			return 0;
		*v = *s - '0';
		return 1;
	case FTYPE_STRING:
		break;
	}
	return 0;
}

/* ---- slot to text ---- */

/* Digits of m, at least `width` of them (zeros before); how many. */
static int
put_digits(char *out, int64_t m, int width)
{
	char b[40], *p = b + sizeof b;
	int n;

	for (; m >= 100; m /= 100) {
		p -= 2;
		memcpy(p, pairs + 2 * (m % 100), 2);
	}
	if (m >= 10) {
		p -= 2;
		memcpy(p, pairs + 2 * m, 2);
	} else {
		*--p = (char)('0' + m);
	}
	n = (int)(b + sizeof b - p);
	if (n < width) {
		memset(out, '0', (size_t)(width - n));
		memcpy(out + width - n, p, (size_t)n);
		return width;
	}
	memcpy(out, p, (size_t)n);
	return n;
}

/* Any float. */
static int
print_any(fval v, char *out)
{
	int form = fval_form(v), decimals = form >> 9 & 31, exp = (form & 511) - 256, n;
	enum fval_shape shape = (enum fval_shape)(form >> 14 & 3);
	char *o = out;

	if (form >> 16 & 1)
		*o++ = '-';
	if (shape == FVAL_WHOLE)
		return (int)(o + put_digits(o, fval_digits(v), 1) - out);
	n = put_digits(o, fval_digits(v), decimals + 1);
	if (decimals > 0 || shape == FVAL_FIXED) {
		memmove(o + n - decimals + 1, o + n - decimals, (size_t)decimals);
		o[n - decimals] = '.';
		n++;
	}
	o += n;
	if (shape == FVAL_EXP) {
		*o++ = 'e';
		*o++ = exp < 0 ? '-' : '+';
		o += put_digits(o, exp < 0 ? -exp : exp, 2);
	}
	return (int)(o - out);
}

static inline int
print_float(fval v, char *out)
{
	int form = fval_form(v), decimals = form >> 9 & 31, exp = (form & 511) - 256, width, whole;
	enum fval_shape shape = (enum fval_shape)(form >> 14 & 3);
	int64_t m = fval_digits(v);
	char *o = out;
	uint64_t w;

	if (m >= 100000000 || (form >> 16 & 1) || shape == FVAL_WHOLE || decimals == 0)
		return print_any(v, out);
	w = to_digits((uint32_t)m);
	if (decimals >= 8) {
		/* Below one: "0." and zeros until eight digits are left. */
		o[0] = '0';
		o[1] = '.';
		for (int i = 0; i < 24; i += 8)
			store8(o + 2 + i, FVAL_ZEROS);
		store8(o + decimals - 6, w | FVAL_ZEROS);
		o += 2 + decimals;
	} else {
		width = 8 - (__builtin_ctzll(w | (uint64_t)1 << 56) >> 3);
		if (width <= decimals)
			width = decimals + 1;
		whole = width - decimals;
		w = (w | FVAL_ZEROS) >> (8 * (8 - width));
		store8(o, w);
		o[whole] = '.';
		store8(o + whole + 1, w >> (8 * whole));
		o += width + 1;
	}
	if (shape == FVAL_EXP) {
		int x = exp < 0 ? -exp : exp;

		if (x >= 100)
			return print_any(v, out);
		o[0] = 'e';
		o[1] = exp < 0 ? '-' : '+';
		memcpy(o + 2, pairs + 2 * x, 2);
		o += 4;
	}
	return (int)(o - out);
}

int
fval_print(enum ftype type, fval v, char *out)
{
	int neg = v < 0;

	if (type == FTYPE_FLOAT)
		return print_float(v, out);
	if ((uint64_t)v < 100000000) {
		uint64_t w = to_digits((uint32_t)v);
		int zeros = __builtin_ctzll(w | (uint64_t)1 << 56) >> 3;

		store8(out, (w | FVAL_ZEROS) >> (8 * zeros));
		return 8 - zeros;
	}
	if (neg)
		*out = '-';
	return neg + put_digits(out + neg, neg ? -v : v, 1);
}

double
fval_number(enum ftype type, fval v)
{
	int form, exp;
	char text[FVAL_PRINT + 1];
	double x;

	if (v == FVAL_MISSING || fval_is_text(v) || type == FTYPE_STRING)
		return NAN;
	if (type != FTYPE_FLOAT)
		return (double)v;
	form = fval_form(v);
	exp = -(form >> 9 & 31);
	if ((form >> 14 & 3) == FVAL_EXP)
		exp += (form & 511) - 256;
	if (exp < -22 || exp > 22) {
		text[print_float(v, text)] = '\0';
		return strtod(text, NULL);
	}
	/* Both are exact doubles, so that the one operation rounds correctly. */
	x = (double)fval_digits(v);
	x = exp < 0 ? x / pow10_of(-exp) : x * pow10_of(exp);
	return form >> 16 & 1 ? -x : x;
}

/* ---- quotients ---- */

/* digits * 10^(exp - P + 1), 10^(P-1) <= digits < 10^P, or zero */
struct decimal {
	int64_t digits;
	int exp;
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

/* The exponent of x's first digit; x within the table. */
static inline int
first_digit(double x)
{
	uint64_t bits;
	int e;

	memcpy(&bits, &x, sizeof bits);
	e = (int)(((int64_t)(bits >> 52) - 1023) * 1292913986 >> 32);   /* log10 of 2, times 2^32; one too low at most */
	return e + (x >= pow10_of(e + 1));
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
static __attribute__((noinline)) fval
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
				return in_style(r, round_small(r, (uint32_t)(int64_t)s + (rest > 0.5), places));
		}
		return in_style(r, round_places(r, round_ratio((u128)a, (u128)b, places, 1), places));
	}
	d = round_double(r.digits, x, &near);
	if (r.up)
		d.digits = (int64_t)round_ratio((u128)a, (u128)b, r.digits - 1 - d.exp, 0);
	else
		d = by_printf(r.digits, x);
	return in_style(r, carry(r.digits, d));
}

fval
fval_quotient(struct fval_rule r, int64_t a, int64_t b)
{
	struct decimal d = { 0, 0 };
	int near;

	if (a == 0)
		return in_style(r, d);
	if (r.places > 0)
		return quotient_with_care(r, a, b);
	d = round_double(r.digits, (double)a / (double)b, &near);
	if (near)
		return quotient_with_care(r, a, b);
	return in_style(r, carry(r.digits, d));
}

fval
fval_ratio(struct fval_rule r, double q, int64_t b, int *near)
{
	double x = q / (double)b, s, rest;
	struct decimal d = { 0, 0 };

	*near = 0;
	if (x > 0 && r.places > 0) {
		int places = r.places > 18 ? 18 : r.places;

		s = x * pow10_of(places);
		if (s < 1e9 - 1) {
			int64_t v = (int64_t)s;

			rest = s - (double)v;
			*near = fabs(rest - 0.5) < NEAR_TIE;
			return in_style(r, round_small(r, (uint32_t)v + (rest > 0.5), places));
		}
		*near = 1;
	}
	if (x == 0)
		return in_style(r, d);
	if (x >= pow10_of(E_MIN) && x < pow10_of(E_MAX)) {
		int tie;

		d = round_double(r.digits, x, &tie);
		*near |= tie;
		return in_style(r, carry(r.digits, d));
	}
	/* Out of every frequency's range: a value, but not one to rely upon. */
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
