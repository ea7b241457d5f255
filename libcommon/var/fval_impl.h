/* fval_impl - what texts of numbers and quotients are made with.  Private to fval and to who prints many.
 */
#ifndef OVX_FVAL_IMPL_H
#define OVX_FVAL_IMPL_H

#include <math.h>
#include <string.h>
#include "var/fval.h"
#include "var/fval_line.h"

/* Powers of ten for quotients by doubles: E_MIN - 1 .. E_MAX + 9 */
#define E_MIN (-15)
#define E_MAX 15
#define POW_MIN (-16)
extern const double fval_pow10[41];

static inline double
pow10_of(int k)
{
	return fval_pow10[k - POW_MIN];
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

/* A scaled quotient has at most 9 digits before its point and an error of some 4e-7 behind it: nearer to a tie than
 * this, doubles do not decide. */
#define NEAR_TIE 1e-6

/* digits * 10^(exp - P + 1), 10^(P-1) <= digits < 10^P, or zero */
struct decimal {
	int64_t digits;
	int exp;
};

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

/* All of it is put down in three pieces, whatever it looks like. */
static inline int
put_decimal(const struct fval_looks *t, struct decimal d, char *out)
{
	const struct fval_look *k = &t->at[d.exp - FVAL_LOOK0];
	uint64_t w = (to_digits((uint32_t)d.digits) | FVAL_ZEROS) >> t->up;

	store8(out, k->before);
	store8(out + k->n_before, (w & k->keep) | (w & ~k->keep) << 8 | k->point);
	store8(out + k->n_before + k->n_digits, k->behind);
	return k->n_before + k->n_digits + k->n_behind;
}

/* fval_put_quotient for what a double does not decide. */
int fval_put_with_care(const struct fval_looks *t, int64_t a, int64_t b, char *out);

/* fval_put_quotient, to be inlined. */
static inline int
put_quotient(const struct fval_looks *t, int64_t a, int64_t b, char *out)
{
	double x = (double)a / (double)b, s, rest;
	struct decimal d;

	if (!t->by_double || a <= 0)
		return fval_put_with_care(t, a, b, out);
	/* As round_double does it. */
	d.exp = first_digit(x);
	s = x * t->at[d.exp - FVAL_LOOK0].scale;
	d.digits = (int64_t)s;
	rest = s - (double)d.digits;
	d.digits += rest > 0.5;
	if (fabs(rest - 0.5) < NEAR_TIE || d.digits >= t->top)
		return fval_put_with_care(t, a, b, out);
	return put_decimal(t, d, out);
}

/* An integer, as fval_print. */
static inline int
put_int(int64_t v, char *out)
{
	uint64_t w;
	int zeros;

	if ((uint64_t)v < 10) {
		*out = (char)('0' + v);
		return 1;
	}
	if ((uint64_t)v >= 100000000)
		return fval_print(FTYPE_INT, v, out);
	w = to_digits((uint32_t)v);
	zeros = __builtin_ctzll(w) >> 3;
	store8(out, (w | FVAL_ZEROS) >> (8 * zeros));
	return 8 - zeros;
}

#endif
