/* fval: texts to slots and back; quotients against printf and against integers */
#include "../t.h"
#include "var/fval.h"

__extension__ typedef unsigned __int128 u128;

static uint32_t seed = 12345;

static uint32_t
draw(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)(seed ^ seed >> 13) * below >> 32);
}

static const char *
show(enum ftype type, fval v, char *out)
{
	out[fval_print(type, v, out)] = '\0';
	return out;
}

/* Whether the text is taken and comes back. */
static int
round_trip(enum ftype type, const char *text)
{
	char out[FVAL_PRINT + 1], *exact = malloc(strlen(text));
	fval v = 0;
	int good;

	/* A copy of its own size: nothing may be read beyond it. */
	memcpy(exact, text, strlen(text));
	good = fval_parse(type, exact, strlen(text), &v) && !fval_is_text(v) && v != FVAL_MISSING &&
		strcmp(show(type, v, out), text) == 0;
	free(exact);
	return good;
}

static int
refused(enum ftype type, const char *text)
{
	fval v;

	return !fval_parse(type, text, strlen(text), &v);
}

static void
goldens(void)
{
	static const char *const ints[] = { "0", "1", "-3", "12", "99", "100", "12345678", "123456789", "2147483647", "-2147483648",
		"9007199254740991", "-9007199254740991" };
	static const char *const floats[] = { "0", "-0", "12", "-3", "70368744177663", "0.0", "0.00000", "0.0100000", "12.50", "1.00000",
		"0.000976563", "0.000334780", "-0.5", "-12.25", "123456.7", "0.1234567", "0.12345678", "0.123456789", "0.1234567890",
		"0.123456789012", "0.1234567890123", "7036874417766.3", "0.0000000000000000000000000000001", "2.74869e-05", "1e-10",
		"0.00000e+00", "0e+00", "-7.80000e-03", "1.0e+100", "1.5e-256", "9e+255", "1.2345678e-10", "1.23456789e+10", "0.5e-07",
		"1.234567890123e-07", "9.9e+99", "6.84115e-07", "-1.5e-03" };
	static const char *const not_int[] = { "-0", "007", "01", "-01", "+1", "1.0", "", "-", "x", "1x", "9007199254740992", "1e5", " 1", "1 ",
		"12345678901234567", "1,2", "-9007199254740992", "0x1", "1234567x", "x1234567", "12345:78" };
	static const char *const not_float[] = { "1.", ".5", "+1", "01", "00.5", "-.5", "nan", "NaN", "inf", "-inf", "1e-1", "1e-001", "1e5", "1E-05",
		"1.5E-05", "12.5e-05", "1.e-05", "1e-00", "1.0e-00", "1.00000e-00", "1e+256", "1e-257", "1e+", "e-05", "70368744177664",
		"0.00000000000000000000000000000001", "1.2.3", "0.1x", "0.12345x", "0.1234567x", "0.x2345678", "x.12345", "-", "--1", "1-",
		"0.00000,0.1", "2.74869e-0x", "2.74869e-x5", "2.74869e*05", "2.74869e05", "1.00000e-005", "2.748:9e-05", "0/00000", "0.1234/678",
		"1.5 ", "0.12345678/", "99999999999999.5", "0x1p-3" };
	fval v;
	int good = 1;

	for (size_t i = 0; i < sizeof ints / sizeof *ints; i++)
		if (!round_trip(FTYPE_INT, ints[i]))
			good = ok(0, "integer %s", ints[i]);
	ok(good, "integers come back");
	for (size_t i = 0; i < sizeof floats / sizeof *floats; i++)
		if (!round_trip(FTYPE_FLOAT, floats[i]))
			good = ok(0, "float %s", floats[i]);
	ok(good, "floats come back");
	for (size_t i = 0; i < sizeof not_int / sizeof *not_int; i++)
		if (*not_int[i] && !refused(FTYPE_INT, not_int[i]))
			good = ok(0, "odd integer %s is text", not_int[i]);
	for (size_t i = 0; i < sizeof not_float / sizeof *not_float; i++)
		if (!refused(FTYPE_FLOAT, not_float[i]))
			good = ok(0, "odd float %s is text", not_float[i]);
	ok(good, "odd texts are left as text");
	ok(fval_parse(FTYPE_INT, ".", 1, &v) && v == FVAL_MISSING && fval_parse(FTYPE_FLOAT, ".", 1, &v) && v == FVAL_MISSING &&
		fval_parse(FTYPE_STRING, ".", 1, &v) && v == FVAL_MISSING && fval_parse(FTYPE_FLAG, ".", 1, &v) && v == FVAL_MISSING,
		"a point alone is missing");
	ok(refused(FTYPE_STRING, "1") && refused(FTYPE_STRING, "nfe"), "strings are text");
	ok(fval_parse(FTYPE_FLAG, "1", 1, &v) && v == 1 && fval_parse(FTYPE_FLAG, "0", 1, &v) && v == 0 && refused(FTYPE_FLAG, "2"), "flags");
	ok(fval_is_text(fval_of_text(0)) && fval_text_ref(fval_of_text(77)) == 77 && !fval_is_text(FVAL_MISSING) &&
		!fval_is_text(-FVAL_INT_MAX) && fval_is_text(fval_of_text(FVAL_TEXT_MAX - 1)), "references to text are told from numbers");
}

/* Random texts: of every shape, with digits of every number. */
static void
random_texts(void)
{
	char text[64], *p;
	int bad = 0;

	for (int i = 0; i < 400000; i++) {
		int shape = (int)draw(3), whole = 1 + (int)draw(3), decimals = 1 + (int)draw(12 - (uint32_t)whole), x = (int)draw(257);

		p = text;
		if (draw(4) == 0)
			*p++ = '-';
		if (shape == 2) {
			whole = 1;
			*p++ = (char)('0' + draw(10));
		} else {
			*p++ = (char)('1' + draw(9));
			if (draw(2)) {
				p[-1] = '0';
				whole = 1;
			}
		}
		for (int k = 1; k < whole; k++)
			*p++ = (char)('0' + draw(10));
		if (shape == 1 || (shape == 2 && draw(8))) {
			*p++ = '.';
			for (int k = 0; k < decimals; k++)
				*p++ = (char)('0' + (draw(3) ? draw(10) : 0));
		}
		if (shape == 2)
			p += sprintf(p, "e%c%02d", draw(2) || x == 0 || x == 256 ? (x == 256 ? '-' : '+') : '-', draw(3) ? x % 12 + 1 : x);
		*p = '\0';
		if (!round_trip(FTYPE_FLOAT, text) && bad++ < 5)
			printf("# %s\n", text);
	}
	ok(bad == 0, "400000 random floats come back");
	for (int i = 0; i < 200000; i++) {
		sprintf(text, "%lld", (long long)(((int64_t)draw(1u << 27) << 26 | draw(1u << 26)) >> draw(53)) * (draw(5) ? 1 : -1));
		if (!round_trip(FTYPE_INT, text) && bad++ < 5)
			printf("# %s\n", text);
	}
	ok(bad == 0, "200000 random integers come back");
	/* Whatever is taken comes back: texts of one shape with a character or two changed. */
	for (int i = 0; i < 400000; i++) {
		static const char *const from[] = { "0.0123456", "1.23456e-05", "123456", "0.00000", "-1.5e+00", "12.5" };
		static const char with[] = "0123456789.e+-E xn";
		char out[FVAL_PRINT + 1];
		enum ftype type = draw(3) ? FTYPE_FLOAT : FTYPE_INT;
		fval v;

		strcpy(text, from[draw(6)]);
		for (uint32_t k = 1 + draw(2); k > 0; k--)
			text[draw((uint32_t)strlen(text))] = with[draw(sizeof with - 1)];
		if (strcmp(text, ".") != 0 && fval_parse(type, text, strlen(text), &v) && strcmp(show(type, v, out), text) != 0 && bad++ < 5)
			printf("# %s as %s\n", text, out);
	}
	ok(bad == 0, "whatever is taken comes back");
}

static void
numbers(void)
{
	static const char *const text[] = { "0.00000", "0.1", "2.74869e-05", "-12.50", "123456789.125", "1.5e-200", "9e+255", "0.000976563", "-7",
		"0.0000000000000000000000000000001" };
	fval v;
	int good = 1;

	for (size_t i = 0; i < sizeof text / sizeof *text; i++)
		good &= fval_parse(FTYPE_FLOAT, text[i], strlen(text[i]), &v) && fval_number(FTYPE_FLOAT, v) == strtod(text[i], NULL);
	ok(good, "numbers are those of strtod");
	ok(fval_number(FTYPE_INT, -12) == -12 && isnan(fval_number(FTYPE_INT, FVAL_MISSING)) && isnan(fval_number(FTYPE_FLOAT, fval_of_text(3))),
		"a missing one is no number");
}

/* Pairs as counts are, and as they are not: ties are common where b is a power of two and of five. */
static void
draw_pair(int64_t *a, int64_t *b)
{
	if (draw(3) == 0) {
		*b = 1;
		for (uint32_t k = draw(22); k > 0; k--)
			*b *= draw(3) || *b > 400000000 ? 2 : 5;
		if (*b > 2000000000)
			*b = 1024;
	} else {
		*b = 1 + (draw(0x7ffffffeu) >> draw(31));
	}
	*a = draw(0x7fffffffu) >> draw(31);
	if (draw(2) && *b < *a)
		*a %= *b;
}

/* As C prints: but printf of some libraries keeps one digit too few where %#g rounds up to a power of ten. */
static void
as_c(struct fval_rule r, double x, char out[400])
{
	if (r.style == FVAL_STYLE_E) {
		sprintf(out, "%.*e", r.digits - 1, x);
	} else if (r.style == FVAL_STYLE_G) {
		sprintf(out, "%.*g", r.digits, x);
	} else {
		char e[64];
		int exp;

		sprintf(e, "%.*e", r.digits - 1, x);
		exp = atoi(strchr(e, 'e') + 1);
		if (x != 0 && (exp < -4 || exp >= r.digits))
			strcpy(out, e);
		else
			sprintf(out, "%.*f%s", r.digits - 1 - exp, x, r.digits - 1 == exp ? "." : "");
	}
}

static void
against_printf(void)
{
	char got[FVAL_PRINT + 1], want[400];
	int64_t a, b;
	int bad = 0;

	for (int i = 0; i < 1000000; i++) {
		struct fval_rule r = { (uint8_t)draw(3), (uint8_t)(draw(2) ? 6 : 1 + draw(9)), 0, 0 };

		if (r.style == FVAL_STYLE_GALT && r.digits == 1)
			r.digits = 2;
		draw_pair(&a, &b);
		as_c(r, (double)a / (double)b, want);
		if (strcmp(show(FTYPE_FLOAT, fval_quotient(r, a, b), got), want) != 0 && bad++ < 5)
			printf("# %lld/%lld: %s, want %s\n", (long long)a, (long long)b, got, want);
	}
	ok(bad == 0, "10^6 quotients are as printf has them");
}

/* a / b half up to `digits`, by integers alone. */
static void
half_up(struct fval_rule r, int64_t a, int64_t b, char *out)
{
	int e = 0, k;
	u128 n = (u128)a, d = (u128)b, q;
	char digits[32];

	if (a > 0) {
		for (; n >= 10 * d; e++)
			d *= 10;
		for (; n < d; e--)
			n *= 10;
	}
	for (k = 1; k < r.digits; k++)
		n *= 10;
	q = (2 * n + d) / (2 * d);
	sprintf(digits, "%lld", (long long)q);
	if ((int)strlen(digits) > r.digits) {
		digits[r.digits] = '\0';
		e++;
	}
	for (k = (int)strlen(digits); k < r.digits; k++)
		strcat(digits, "0");
	if (r.style == FVAL_STYLE_E || e < -4 || e >= r.digits) {
		sprintf(out, "%c.%se%c%02d", digits[0], digits + 1, e < 0 ? '-' : '+', abs(e));
	} else if (e < 0) {
		sprintf(out, "0.%.*s%s", -e - 1, "000", digits);
	} else {
		sprintf(out, "%.*s.%s", e + 1, digits, digits + e + 1);
	}
}

static void
against_integers(void)
{
	char got[FVAL_PRINT + 1], want[80];
	int64_t a, b;
	int bad = 0, ties = 0;

	for (int i = 0; i < 1000000; i++) {
		struct fval_rule r = { draw(2) ? FVAL_STYLE_GALT : FVAL_STYLE_E, (uint8_t)(draw(2) ? 6 : 2 + draw(8)), 1, 0 }, c;

		draw_pair(&a, &b);
		half_up(r, a, b, want);
		if (strcmp(show(FTYPE_FLOAT, fval_quotient(r, a, b), got), want) != 0 && bad++ < 5)
			printf("# %lld/%lld: %s, want %s\n", (long long)a, (long long)b, got, want);
		c = r;
		c.up = 0;
		ties += fval_quotient(r, a, b) != fval_quotient(c, a, b);
	}
	ok(bad == 0, "10^6 quotients are half up");
	ok(ties > 1000, "of which %d are ties that C rounds down", ties);
}

static void
releases(void)
{
	static const struct { struct fval_rule r; int64_t a, b; const char *want; } golden[] = {
		{ { FVAL_STYLE_E, 6, 0, 0 }, 1, 36381, "2.74869e-05" }, { { FVAL_STYLE_E, 6, 0, 0 }, 0, 5, "0.00000e+00" },
		{ { FVAL_STYLE_E, 6, 0, 0 }, 1, 1, "1.00000e+00" }, { { FVAL_STYLE_GALT, 6, 1, 0 }, 0, 7, "0.00000" },
		{ { FVAL_STYLE_GALT, 6, 1, 0 }, 1, 1024, "0.000976563" }, { { FVAL_STYLE_GALT, 6, 0, 0 }, 1, 1024, "0.000976562" },
		{ { FVAL_STYLE_GALT, 6, 1, 0 }, 1, 100, "0.0100000" }, { { FVAL_STYLE_GALT, 6, 1, 0 }, 5, 5, "1.00000" },
		{ { FVAL_STYLE_GALT, 6, 1, 0 }, 1, 152312, "6.56547e-06" }, { { FVAL_STYLE_GALT, 6, 1, 0 }, 99999949, 100000000, "0.999999" },
		{ { FVAL_STYLE_GALT, 6, 1, 0 }, 9999995, 10000000, "1.00000" }, { { FVAL_STYLE_G, 6, 0, 0 }, 1, 4, "0.25" },
		{ { FVAL_STYLE_G, 6, 0, 0 }, 0, 4, "0" }, { { FVAL_STYLE_G, 6, 0, 0 }, 4, 4, "1" }, { { FVAL_STYLE_G, 6, 0, 0 }, 1, 100000, "1e-05" },
		{ { FVAL_STYLE_G, 6, 0, 0 }, 1, 5096, "0.000196232" }, { { FVAL_STYLE_G, 6, 0, 0 }, 1200, 1, "1200" },
		{ { FVAL_STYLE_GALT, 6, 1, 8 }, 334784, 1000000000, "0.000334780" }, { { FVAL_STYLE_GALT, 6, 1, 8 }, 1, 2147483647, "0.00000" },
		{ { FVAL_STYLE_GALT, 6, 1, 8 }, 15, 1000000000, "2.00000e-08" }, { { FVAL_STYLE_GALT, 6, 1, 8 }, 25, 1000000000, "2.00000e-08" },
		{ { FVAL_STYLE_G, 6, 0, 4 }, 1, 3, "0.3333" }, { { FVAL_STYLE_GALT, 6, 1, 8 }, 1, 3, "0.333333" },
		{ { FVAL_STYLE_GALT, 6, 1, 8 }, 12345650, 100000000, "0.123457" },
		{ { FVAL_STYLE_GALT, 6, 1, 18 }, 2147483646, 1, "2.14748e+09" } };
	char out[FVAL_PRINT + 1];

	for (size_t i = 0; i < sizeof golden / sizeof *golden; i++)
		is_str(show(FTYPE_FLOAT, fval_quotient(golden[i].r, golden[i].a, golden[i].b), out), golden[i].want, golden[i].want);
}

static void
intervals(void)
{
	int bad = 0, some = 0, near, apart = 0;

	for (int i = 0; i < 300000; i++) {
		struct fval_rule r = { (uint8_t)draw(3), (uint8_t)(2 + draw(8)), (uint8_t)draw(2), (uint8_t)(draw(3) ? 0 : 1 + draw(10)) };
		int64_t a, b;
		double lo, hi;
		fval v, w;

		draw_pair(&a, &b);
		v = fval_quotient(r, a, b);
		w = fval_ratio(r, (double)a, b, &near);
		apart += v != w && !near;
		if (!fval_interval(r, v, &lo, &hi))
			continue;
		some++;
		for (int k = 0; k < 5; k++) {
			double q = lo + (hi - lo) * k / 4;

			bad += q < 0 || fval_ratio(r, q, 1, &near) != v;
		}
		/* And nothing near by is outside of it. */
		if (hi > lo && r.places == 0)
			bad += fval_ratio(r, hi + (hi - lo) * 1e-4, 1, &near) == v;
	}
	ok(apart == 0, "a ratio of doubles is the quotient unless it says that it may not be");
	ok(bad == 0 && some > 200000, "every number of an interval prints as the value (%d intervals)", some);
}

/* Quotients straight to text: what printing their slots gives, for every rule. */
static void
straight(void)
{
	struct fval_looks t;
	int bad = 0, longest = 0;

	for (int i = 0; i < 3 * 9 * 2 * 4; i++) {
		static const uint8_t places[] = { 0, 4, 8, 12 };
		struct fval_rule r = { .style = (uint8_t)(i % 3), .digits = (uint8_t)(1 + i / 3 % 9), .up = i / 27 % 2, .places = places[i / 54] };

		fval_looks(&t, r);
		for (int k = 0; k < 4000; k++) {
			int64_t b = 1 + (k % 5 == 0 ? draw(INT32_MAX) : k % 5 == 1 ? draw(1000) : draw(200000));
			int64_t a = k % 7 == 0 ? draw(INT32_MAX) : k % 7 == 1 ? 0 : k % 7 == 2 ? b : k % 7 == 3 ? draw(20) : draw((uint32_t)b);
			double q = (double)a * (k % 11 == 0 ? 1e-12 : k % 11 == 1 ? 1e300 : k % 11 == 2 ? 1e-300 : 0.3);
			char got[FVAL_PRINT + 32] = "", want[FVAL_PRINT + 1];
			int n = fval_put_quotient(&t, a, b, got), near;

			got[n] = '\0';
			longest = n > longest ? n : longest;
			want[fval_print(FTYPE_FLOAT, fval_quotient(r, a, b), want)] = '\0';
			if (strcmp(got, want) && bad++ < 5)
				printf("# %lld/%lld: %s, want %s\n", (long long)a, (long long)b, got, want);
			n = fval_put_ratio(&t, q, b, got);
			got[n] = '\0';
			want[fval_print(FTYPE_FLOAT, fval_ratio(r, q, b, &near), want)] = '\0';
			if (strcmp(got, want) && bad++ < 5)
				printf("# %g/%lld: %s, want %s\n", q, (long long)b, got, want);
		}
	}
	ok(bad == 0 && longest <= FVAL_PRINT, "quotients and ratios straight to text are those of their slots");
}

int
main(void)
{
	goldens();
	random_texts();
	numbers();
	releases();
	against_printf();
	against_integers();
	intervals();
	straight();
	return done();
}
