/* fval - texts to slots and back: see fval.h */
#include <math.h>
#include <stdlib.h>
#include "var/fval_impl.h"

#define USUAL 18                        /* bytes of what fval_line reads at most */
#define MAX_TEXT 48                     /* sign, digit, point, 31 decimals, exponent: 39 */
const double fval_pow10[41] = {
	1e-16, 1e-15, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1,
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
	1e20, 1e21, 1e22, 1e23, 1e24
};

static const char pairs[] =
	"0001020304050607080910111213141516171819"
	"2021222324252627282930313233343536373839"
	"4041424344454647484950515253545556575859"
	"6061626364656667686970717273747576777879"
	"8081828384858687888990919293949596979899";

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
