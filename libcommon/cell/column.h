/* column - one value for every cell or gene, in memory
 *
 * Numbers, booleans, strings or categories (codes into a list of names), with
 * missing values: NaN, code -1, and where na is set INT64_MIN, boolean 2, or a
 * NULL string.
 */
#ifndef OVX_COLUMN_H
#define OVX_COLUMN_H

#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

struct column {
	int dtype;              /* enum dtype: DT_BOOL .. DT_CAT */
	int64_t n;
	int na;                 /* missing values are possible in BOOL, I64, STR */
	int ordered;            /* the categories have an order */
	uint8_t *b;             /* DT_BOOL; also, DT_STR with na: 1 = missing */
	int32_t *i32;           /* DT_I32, codes of DT_CAT */
	int64_t *i64;
	float *f32;
	double *f64;
	struct strs str;        /* DT_STR */
	struct strs cat;        /* names of the categories */
};

/* Room for n values of a type, all zero. */
void column_init(struct column *c, int dtype, int64_t n);
void column_clear(struct column *c);

/* Value i as a number (category: its code; string: NaN); missing = NaN. */
double column_number(const struct column *c, int64_t i);
int column_missing(const struct column *c, int64_t i);
/* Value i as text, appended: booleans 1/0, missing "nan" for numbers and empty
 * else, doubles with 17 and floats with 9 significant digits at most, the
 * shortest that reads back equal. */
void column_text(const struct column *c, int64_t i, struct str *out);
/* The same as a cell of a TSV: text with \t, \n, \r, \\ for what would break it. */
void column_cell(const struct column *c, int64_t i, struct str *out);
/* Value i of a string or category column, "" when missing. */
const char *column_string(const struct column *c, int64_t i);

/* Rows keep[0..n-1] only; categories that no row has any more stay. */
void column_take(struct column *c, const int64_t *keep, int64_t n);

/* A category column from strings: categories in byte order, or, when all are
 * whole numbers, by number. */
void column_factor(struct column *c, const struct strs *s);

/* The same of a column of n where only some rows have a value: row i the next string of s where
 * there[i], code -1 elsewhere. */
void column_factor_some(struct column *c, const struct strs *s, const uint8_t *there, int64_t n);

/* Value r of another column of numbers or booleans as value i of c; from NULL = missing, which
 * c must be able to hold (na for I64 and BOOL).  A type that holds all of both: column_join. */
void column_copy(struct column *c, int64_t i, const struct column *from, int64_t r);
/* The narrowest type of numbers or booleans that holds the values of both types, or DT_CAT when
 * one is text or only one is boolean: they meet in their text. */
int column_join(int dtype, int other);

/* The narrowest type that holds all of s: 0/1/true/false is boolean only when
 * spelt true or false; whole numbers int64, numbers float64 ("", "NA", "nan"
 * missing), else strings, or categories when a value repeats. */
void column_parse(struct column *c, const struct strs *s);

/* Codes 0..*n_level-1 of a column used as a grouping: any type but real
 * numbers; every distinct value is a level, in the order of the categories,
 * else by first appearance for strings and by value for numbers.  Levels that no row has are left
 * out.  ERR_DATA when a value is missing.  code [n] and names are the caller's. */
int column_levels(const struct column *c, const char *path, int32_t **code, struct strs *names, struct err *e);

/* The raw payload of rows lo..hi-1 (codec.h), appended; and back: n values
 * from a payload of n_item string bytes, appended at row at of c. */
void column_to_raw(const struct column *c, int64_t lo, int64_t hi, struct str *raw, int64_t *n_item);
int column_from_raw(struct column *c, int64_t at, int64_t n, const char *raw, int64_t n_item, struct err *e);
/* The same for a list of strings (axis, categories). */
void strs_to_raw(const struct strs *l, int64_t lo, int64_t hi, struct str *raw, int64_t *n_item);
int strs_from_raw(struct strs *l, int64_t n, const char *raw, int64_t n_item, struct err *e);

/* The shortest decimal of v that reads back as the same double (or float). */
void text_double(struct str *out, double v);
void text_float(struct str *out, float v);

#endif
