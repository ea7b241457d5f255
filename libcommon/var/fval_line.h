/* fval_line - the usual numbers of a line, without branches on their shape
 *
 * A sites file is mostly numbers whose lengths and shapes follow no order that a CPU could foresee, so that a branch on either costs more
 * than the number does.  These two read what is usual - up to eight digits; one digit, a point, decimals and
 * perhaps an exponent of two digits - by the same steps for every text, and leave anything else (FVAL_ODD) to fval_parse.
 *
 * The byte before a text and FVAL_LINE_PAD bytes from its beginning on must be readable.
 */
#ifndef OVX_FVAL_LINE_H
#define OVX_FVAL_LINE_H

#include <string.h>
#include "var/fval.h"

#define FVAL_ODD FVAL_TEXT0             /* no usual number; maybe one all the same */
#define FVAL_LINE_PAD 16
#define FVAL_ZEROS 0x3030303030303030u  /* eight characters 0 */

/* Eight bytes of text as a number whose lowest byte is the first character. */
static inline uint64_t
fval_load8(const char *s)
{
	uint64_t w;

	memcpy(&w, s, sizeof w);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	w = __builtin_bswap64(w);
#endif
	return w;
}

static inline uint64_t
fval_load4(const char *s)
{
	uint32_t w;

	memcpy(&w, s, sizeof w);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	w = __builtin_bswap32(w);
#endif
	return w;
}

/* Not 0 where one of the bytes is none of 0..9. */
static inline uint64_t
fval_not_digits(uint64_t t)
{
	return (t | (t + 0x7676767676767676u)) & 0x8080808080808080u;
}

/* The value of eight bytes 0..9: pairs, then both halves at once. */
static inline uint32_t
fval_from_digits(uint64_t t)
{
	t = t * 10 + (t >> 8);
	return (uint32_t)(((t & 0x000000ff000000ffu) * 0x000f424000000064u + (t >> 16 & 0x000000ff000000ffu) * 0x0000271000000001u) >> 32);
}

static inline fval
fval_line_int(const char *s, size_t n)
{
	uint64_t t;

	if (n - 1 > 7)
		return FVAL_ODD;
	t = (fval_load8(s) ^ FVAL_ZEROS) << (64 - 8 * n);
	if (fval_not_digits(t) | ((*s == '0') & (n > 1)))
		return FVAL_ODD;
	return fval_from_digits(t);
}

static inline fval
fval_line_float(const char *s, size_t n)
{
	static const int64_t ten[] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000,
		1000000000000 };
	const char *end = s + n, *p;
	uint64_t t, tail, is_exp, minus, x, odd, before, first;
	size_t k, more;
	int64_t form;

	if (n - 3 > 15)
		return FVAL_ODD;
	tail = fval_load4(end - 4);
	is_exp = (uint64_t)((tail & 255) == 'e') & (uint64_t)(n > 6);
	/* e+07: sign, two digits; only + has e+00 */
	minus = (tail >> 8 & 255) == '-';
	x = (tail >> 16 ^ 0x3030) & 0xffff;
	odd = fval_not_digits(x) | (uint64_t)(((tail >> 8 & 255) != '+') & !minus) | (minus & (uint64_t)(x == 0));
	odd &= 0 - is_exp;
	x = (x & 255) * 10 + (x >> 8);
	form = ((int64_t)FVAL_FIXED << 14 | 256) + (int64_t)((((uint64_t)(FVAL_EXP - FVAL_FIXED) << 14) + ((x ^ (0 - minus)) + minus)) & (0 - is_exp));
	end -= 4 * is_exp;
	k = (size_t)(end - s) - 2;
	if (k - 1 > 11)
		return FVAL_ODD;
	/* The last eight decimals; those before are zeros, else it is not usual. */
	more = (k - 8) & (0 - (size_t)(k > 8));
	p = s + 2 + more;
	before = (fval_load4(s + 2) ^ (FVAL_ZEROS >> 32)) << (32 - 8 * more) & 0xffffffffu;
	t = (fval_load8(p) ^ FVAL_ZEROS) << (64 - 8 * (size_t)(end - p));
	first = (uint64_t)(uint8_t)(*s ^ '0');
	if (fval_not_digits(t) | odd | before | (uint64_t)(first > 9) | (uint64_t)(s[1] != '.'))
		return FVAL_ODD;
	return (form | (int64_t)k << 9) << 46 | ((int64_t)first * ten[k] + fval_from_digits(t));
}

#endif
