/* fval - a value of a sites file as one 64-bit number that gives its text back, byte for byte
 *
 * A frequency database promises the text that stands in its source.  Nearly every text is one of a few shapes, so that
 * a number says it all:
 *
 *	integer     12, -3                      the integer itself
 *	fixed       0.00000, 0.0100000, 12.5    digits and how many of them stand behind the point
 *	exponent    2.74869e-05, 1e-10          digits, how many behind the point, and the exponent
 *
 * An odd text (nan, +1, .5, 007) is kept as text beside the number.  The slot of a value is a fval:
 * FVAL_MISSING, a reference to text (fval_is_text), or the number of its field's type.  Equal texts of
 * one type always have equal slots (text apart), so comparing slots compares texts.
 *
 * Frequencies are quotients of counts, printed by a rule that differs between releases: gnomAD v2.1 prints "%.5e", v3.1 and v4
 * "%#.6g" rounding ties up (Java), others "%g" as C does.  fval_quotient prints AC/AN by such a rule into a slot.
 */
#ifndef OVX_FVAL_H
#define OVX_FVAL_H

#include <stddef.h>
#include <stdint.h>
#include "base/str.h"

typedef int64_t fval;

#define FVAL_MISSING INT64_MIN
/* References to text are the 2^40 numbers above FVAL_MISSING; what they refer to, their owner says. */
#define FVAL_TEXT0 (INT64_MIN + 1)
#define FVAL_TEXT_MAX ((int64_t)1 << 40)
#define FVAL_INT_MAX (((int64_t)1 << 53) - 1)   /* |integers| beyond it are text */

static inline int fval_is_text(fval v) { return v >= FVAL_TEXT0 && v < FVAL_TEXT0 + FVAL_TEXT_MAX; }
static inline fval fval_of_text(int64_t ref) { return FVAL_TEXT0 + ref; }
static inline int64_t fval_text_ref(fval v) { return v - FVAL_TEXT0; }

enum ftype { FTYPE_INT, FTYPE_FLOAT, FTYPE_STRING, FTYPE_FLAG };

/* A float's slot, always >= 0: 1 bit sign, 2 bits shape, 5 bits decimals (digits behind the point), 9 bits exponent + 256, 46 bits
 * digits (the lowest).  The digits are those of the text without the point, leading zeros dropped. */
enum fval_shape { FVAL_WHOLE, FVAL_FIXED, FVAL_EXP };
#define FVAL_DIGITS ((((int64_t)1) << 46) - 1)
static inline int64_t fval_digits(fval v) { return v & FVAL_DIGITS; }
static inline int fval_form(fval v) { return (int)(v >> 46); }   /* sign, shape, decimals, exponent: 17 bits */
static inline fval fval_float(int form, int64_t digits) { return ((int64_t)form << 46) | digits; }
static inline int fval_make_form(int sign, enum fval_shape shape, int decimals, int exp)
{
	return sign << 16 | (int)shape << 14 | decimals << 9 | (exp + 256);
}

/* Slot of a text of n > 0 bytes ("." is FVAL_MISSING in every type).  1, or 0 when the text must be kept as
 * text (any FTYPE_STRING; odd numbers).  FTYPE_FLAG: "1" or "0" as integers.  Verified: printing gives the text.  ~5 ns. */
int fval_parse(enum ftype type, const char *s, size_t n, fval *v);
/* Prints a slot that is neither missing nor text; returns the bytes (at most FVAL_PRINT), no NUL. */
#define FVAL_PRINT 64
int fval_print(enum ftype type, fval v, char *out);
/* The number, for comparisons; NAN for missing and text. */
double fval_number(enum ftype type, fval v);

/* How a quotient is printed. */
enum fval_style { FVAL_STYLE_E, FVAL_STYLE_G, FVAL_STYLE_GALT };        /* %.Pe, %.Pg, %#.Pg */
struct fval_rule {
	uint8_t style;
	uint8_t digits;         /* significant digits, 1..9 (so "%.5e" has 6) */
	uint8_t up;             /* exact ties are rounded up (Java's HALF_UP); else as C prints the double a / b */
	uint8_t places;         /* > 0: the value is first rounded (ties to even) to so many decimal places */
};
/* a / b by a rule, 0 <= a < 2^31, 0 < b < 2^31.  Exact for every pair: where the double is too near to a tie, integers decide.  ~10 ns. */
fval fval_quotient(struct fval_rule r, int64_t a, int64_t b);
/* q / b for a finite double q >= 0, by the same rule with plain double arithmetic (one division, deterministic everywhere); *near is set to 1 when
 * the result is so near to a tie that it should not be relied upon. */
fval fval_ratio(struct fval_rule r, double q, int64_t b, int *near);
/* The x such that fval_ratio prints v for every q with lo <= q / b <= hi (both shrunk a little so that they are safe);
 * 0 when v is no value that the rule prints. */
int fval_interval(struct fval_rule r, fval v, double *lo, double *hi);

/* What the numbers of a rule look like, by their exponents: text in front of the digits, a point among them, text behind. */
#define FVAL_LOOK0 (-18)
#define FVAL_LOOKS 36
struct fval_look {
	double scale;                   /* to all digits before the point */
	uint64_t before, keep, point, behind;
	uint8_t n_before, n_digits, n_behind, room[13];
};
struct fval_looks {
	struct fval_rule rule;
	int quick;                      /* 0: the style is not that simple */
	int by_double;                  /* a double decides, but near to a tie */
	int up;                         /* bits by which eight digits are too many */
	int64_t top;                    /* one digit more than there are */
	struct fval_look at[FVAL_LOOKS];
};
void fval_looks(struct fval_looks *t, struct fval_rule r);
/* The bytes that fval_print makes of fval_quotient and of fval_ratio, at most FVAL_PRINT, in about half the time; returns how many. */
int fval_put_quotient(const struct fval_looks *t, int64_t a, int64_t b, char *out);
int fval_put_ratio(const struct fval_looks *t, double q, int64_t b, char *out);

#endif
