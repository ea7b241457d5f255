/* column - see column.h */
#include "cell/column.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/mem.h"
#include "os/text.h"
#include "stream/head.h"

#define NO_STRING 0xffffffffu

void
column_init(struct column *c, int dtype, int64_t n)
{
	memset(c, 0, sizeof *c);
	c->dtype = dtype;
	c->n = n;
	switch (dtype) {
	case DT_BOOL:
		c->b = mem_new(uint8_t, n);
		break;
	case DT_I32:
	case DT_CAT:
		c->i32 = mem_new(int32_t, n);
		break;
	case DT_I64:
		c->i64 = mem_new(int64_t, n);
		break;
	case DT_F32:
		c->f32 = mem_new(float, n);
		break;
	case DT_F64:
		c->f64 = mem_new(double, n);
		break;
	default:
		BUG_IF(dtype != DT_STR);
	}
}

void
column_clear(struct column *c)
{
	mem_free(c->b);
	mem_free(c->i32);
	mem_free(c->i64);
	mem_free(c->f32);
	mem_free(c->f64);
	strs_clear(&c->str);
	strs_clear(&c->cat);
	memset(c, 0, sizeof *c);
}

int
column_missing(const struct column *c, int64_t i)
{
	switch (c->dtype) {
	case DT_BOOL:
		return c->na && c->b[i] == 2;
	case DT_I64:
		return c->na && c->i64[i] == INT64_MIN;
	case DT_F32:
		return isnan(c->f32[i]);
	case DT_F64:
		return isnan(c->f64[i]);
	case DT_CAT:
		return c->i32[i] < 0;
	case DT_STR:
		return c->na && c->b && c->b[i];
	default:
		return 0;
	}
}

double
column_number(const struct column *c, int64_t i)
{
	if (column_missing(c, i))
		return NAN;
	switch (c->dtype) {
	case DT_BOOL:
		return c->b[i];
	case DT_I32:
	case DT_CAT:
		return c->i32[i];
	case DT_I64:
		return (double)c->i64[i];
	case DT_F32:
		return c->f32[i];
	case DT_F64:
		return c->f64[i];
	default:
		return NAN;
	}
}

const char *
column_string(const struct column *c, int64_t i)
{
	if (column_missing(c, i))
		return "";
	return c->dtype == DT_CAT ? strs_get(&c->cat, c->i32[i]) : strs_get(&c->str, i);
}

void
text_double(struct str *out, double v)
{
	char b[40];

	if (isnan(v)) {
		str_add(out, "nan");
		return;
	}
	for (int p = 15; p <= 17; p++) {
		snprintf(b, sizeof b, "%.*g", p, v);
		if (strtod(b, NULL) == v)
			break;
	}
	str_add(out, b);
}

void
text_float(struct str *out, float v)
{
	char b[40];

	if (isnan(v)) {
		str_add(out, "nan");
		return;
	}
	for (int p = 6; p <= 9; p++) {
		snprintf(b, sizeof b, "%.*g", p, (double)v);
		if (strtof(b, NULL) == v)
			break;
	}
	str_add(out, b);
}

void
column_text(const struct column *c, int64_t i, struct str *out)
{
	if (c->dtype == DT_F32)
		text_float(out, c->f32[i]);
	else if (c->dtype == DT_F64)
		text_double(out, c->f64[i]);
	else if (c->dtype == DT_STR || c->dtype == DT_CAT)
		str_add(out, column_string(c, i));
	else if (column_missing(c, i))
		str_add(out, "nan");
	else if (c->dtype == DT_I64)
		str_addf(out, "%lld", (long long)c->i64[i]);
	else
		str_addf(out, "%d", c->dtype == DT_BOOL ? c->b[i] : c->i32[i]);
}

void
column_cell(const struct column *c, int64_t i, struct str *out)
{
	if (c->dtype == DT_STR || c->dtype == DT_CAT)
		str_add_cell(out, column_string(c, i));
	else
		column_text(c, i, out);
}

void
column_take(struct column *c, const int64_t *keep, int64_t n)
{
	if (c->dtype == DT_STR) {
		struct strs s = {0};

		for (int64_t i = 0; i < n; i++)
			strs_add(&s, strs_get(&c->str, keep[i]), strs_len(&c->str, keep[i]));
		strs_clear(&c->str);
		c->str = s;
	}
	/* keep rises, so nothing is overwritten before it was read. */
	for (int64_t i = 0; i < n; i++) {
		if (c->b)
			c->b[i] = c->b[keep[i]];
		if (c->i32)
			c->i32[i] = c->i32[keep[i]];
		if (c->i64)
			c->i64[i] = c->i64[keep[i]];
		if (c->f32)
			c->f32[i] = c->f32[keep[i]];
		if (c->f64)
			c->f64[i] = c->f64[keep[i]];
	}
	c->n = n;
}

struct level {
	const char *name;
	int64_t number;
	int is_number;
};

static int
by_level(const void *a, const void *b)
{
	const struct level *x = a, *y = b;

	if (x->is_number && y->is_number)
		return x->number < y->number ? -1 : x->number > y->number;
	return strcmp(x->name, y->name);
}

void
column_factor(struct column *c, const struct strs *s)
{
	struct map seen = {0};
	struct level *lev;
	int64_t n = 0, cap = 0;
	int numbers = 1;
	int32_t *code;

	column_init(c, DT_CAT, s->n);
	lev = NULL;
	for (int64_t i = 0; i < s->n; i++)
		if (map_get(&seen, strs_get(s, i)) < 0) {
			if (n == cap) {
				cap = cap ? 2 * cap : 16;
				lev = mem_renew(lev, struct level, cap);
			}
			lev[n].name = strs_get(s, i);
			lev[n].is_number = text_int(lev[n].name, &lev[n].number);
			numbers &= lev[n].is_number;
			map_put(&seen, lev[n].name, n);
			n++;
		}
	for (int64_t i = 0; i < n; i++)
		lev[i].is_number = numbers;
	if (n)
		qsort(lev, (size_t)n, sizeof *lev, by_level);
	for (int64_t i = 0; i < n; i++) {
		map_put(&seen, lev[i].name, i);
		strs_add(&c->cat, lev[i].name, strlen(lev[i].name));
	}
	code = c->i32;
	for (int64_t i = 0; i < s->n; i++)
		code[i] = (int32_t)map_get(&seen, strs_get(s, i));
	map_clear(&seen);
	mem_free(lev);
}

void
column_factor_some(struct column *c, const struct strs *s, const uint8_t *there, int64_t n)
{
	int32_t *code;
	int64_t at = 0;

	column_factor(c, s);
	code = c->i32;
	c->i32 = mem_new(int32_t, n);
	c->n = n;
	for (int64_t i = 0; i < n; i++)
		c->i32[i] = there[i] ? code[at++] : -1;
	BUG_IF(at != s->n);
	mem_free(code);
}

void
column_copy(struct column *c, int64_t i, const struct column *from, int64_t r)
{
	int missing = !from || column_missing(from, r);

	BUG_IF(missing && c->dtype != DT_F32 && c->dtype != DT_F64 && !c->na);
	switch (c->dtype) {
	case DT_BOOL:
		c->b[i] = missing ? 2 : from->b[r];
		break;
	case DT_I32:
		c->i32[i] = from->i32[r];
		break;
	case DT_I64:
		c->i64[i] = missing ? INT64_MIN : from->dtype == DT_I64 ? from->i64[r] : from->i32[r];
		break;
	case DT_F32:
		c->f32[i] = missing ? NAN : from->f32[r];
		break;
	default:
		BUG_IF(c->dtype != DT_F64);
		c->f64[i] = missing ? NAN : column_number(from, r);
	}
}

int
column_join(int dtype, int other)
{
	int lo = dtype < other ? dtype : other, hi = dtype < other ? other : dtype;

	if (lo == hi && hi <= DT_F64)
		return lo;
	if (lo == DT_BOOL || hi > DT_F64)
		return DT_CAT;
	return hi == DT_I64 ? DT_I64 : DT_F64;
}

static int
is_na(const char *s)
{
	return !*s || !strcasecmp(s, "na") || !strcasecmp(s, "nan") || !strcmp(s, "<NA>") || !strcasecmp(s, "null");
}

/* Categories that are spelt like a missing value are none: their cells get code -1. */
static void
drop_missing(struct column *c)
{
	int32_t *to = mem_new(int32_t, c->cat.n), n = 0;
	struct strs cat = {0};

	for (int64_t k = 0; k < c->cat.n; k++) {
		to[k] = is_na(strs_get(&c->cat, k)) ? -1 : n++;
		if (to[k] >= 0)
			strs_add(&cat, strs_get(&c->cat, k), strs_len(&c->cat, k));
	}
	for (int64_t i = 0; i < c->n; i++)
		c->i32[i] = to[c->i32[i]];
	strs_clear(&c->cat);
	c->cat = cat;
	mem_free(to);
}

void
column_parse(struct column *c, const struct strs *s)
{
	int whole = 1, real = 1, logical = 1, some_na = 0;
	int64_t some = 0, v;
	double d;

	for (int64_t i = 0; i < s->n; i++) {
		const char *x = strs_get(s, i);

		if (is_na(x)) {
			some_na = 1;
			continue;
		}
		some++;
		whole = whole && text_int(x, &v);
		real = real && text_real(x, &d);
		logical = logical && (!strcasecmp(x, "true") || !strcasecmp(x, "false"));
	}
	if (some && logical && !some_na) {
		column_init(c, DT_BOOL, s->n);
		for (int64_t i = 0; i < s->n; i++)
			c->b[i] = tolower((unsigned char)*strs_get(s, i)) == 't';
	} else if (some && whole && !some_na) {
		column_init(c, DT_I64, s->n);
		for (int64_t i = 0; i < s->n; i++)
			text_int(strs_get(s, i), &c->i64[i]);
	} else if (real && (some || some_na) && !logical) {
		column_init(c, DT_F64, s->n);
		for (int64_t i = 0; i < s->n; i++)
			if (is_na(strs_get(s, i)) || !text_real(strs_get(s, i), &c->f64[i]))
				c->f64[i] = NAN;
	} else {
		column_factor(c, s);
		drop_missing(c);
		if (c->cat.n == s->n) {
			column_clear(c);
			column_init(c, DT_STR, s->n);
			for (int64_t i = 0; i < s->n; i++)
				strs_add(&c->str, strs_get(s, i), strs_len(s, i));
		}
	}
}

static int
by_i64(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* Levels of a column of whole numbers: by value. */
static void
number_levels(const struct column *c, int32_t *code, struct strs *names)
{
	int64_t *v = mem_new(int64_t, c->n), n = 0;

	for (int64_t i = 0; i < c->n; i++)
		v[i] = (int64_t)column_number(c, i);
	qsort(v, (size_t)c->n, sizeof *v, by_i64);
	for (int64_t i = 0; i < c->n; i++)
		if (i == 0 || v[i] != v[i - 1])
			v[n++] = v[i];
	for (int64_t i = 0; i < n; i++) {
		char b[32];

		snprintf(b, sizeof b, "%lld", (long long)v[i]);
		strs_add(names, b, strlen(b));
	}
	for (int64_t i = 0; i < c->n; i++) {
		int64_t x = (int64_t)column_number(c, i);

		code[i] = (int32_t)((int64_t *)bsearch(&x, v, (size_t)n, sizeof *v, by_i64) - v);
	}
	mem_free(v);
}

static void
string_levels(const struct column *c, int32_t *code, struct strs *names)
{
	struct map seen = {0};
	int64_t next = 0;

	if (c->dtype == DT_CAT) {
		int32_t *used = mem_new(int32_t, c->cat.n);

		for (int64_t i = 0; i < c->n; i++)
			used[c->i32[i]] = 1;
		for (int64_t k = 0; k < c->cat.n; k++)
			if (used[k]) {
				strs_add(names, strs_get(&c->cat, k), strs_len(&c->cat, k));
				used[k] = (int32_t)next++;
			}
		for (int64_t i = 0; i < c->n; i++)
			code[i] = used[c->i32[i]];
		mem_free(used);
		return;
	}
	for (int64_t i = 0; i < c->n; i++) {
		const char *s = strs_get(&c->str, i);
		int64_t k = map_get(&seen, s);

		if (k < 0) {
			map_put(&seen, s, k = next++);
			strs_add(names, s, strlen(s));
		}
		code[i] = (int32_t)k;
	}
	map_clear(&seen);
}

int
column_levels(const struct column *c, const char *path, int32_t **code, struct strs *names, struct err *e)
{
	int64_t missing = 0;

	*code = NULL;
	if (e->code)
		return e->code;
	if (c->dtype == DT_F32 || c->dtype == DT_F64)
		return err_set(e, ERR_DATA, "%s: holds real numbers, not groups", path);
	for (int64_t i = 0; i < c->n; i++)
		missing += column_missing(c, i);
	if (missing)
		return err_set(e, ERR_DATA, "%s: %lld of %lld values are missing; drop those cells with ovx-cut -e",
		    path, (long long)missing, (long long)c->n);
	*code = mem_new(int32_t, c->n);
	if (c->dtype == DT_STR || c->dtype == DT_CAT)
		string_levels(c, *code, names);
	else
		number_levels(c, *code, names);
	return 0;
}

void
strs_to_raw(const struct strs *l, int64_t lo, int64_t hi, struct str *raw, int64_t *n_item)
{
	*n_item = 0;
	for (int64_t i = lo; i < hi; i++) {
		uint32_t n = (uint32_t)strs_len(l, i);

		str_addn(raw, &n, 4);
		*n_item += n;
	}
	for (int64_t i = lo; i < hi; i++)
		str_addn(raw, strs_get(l, i), strs_len(l, i));
}

int
strs_from_raw(struct strs *l, int64_t n, const char *raw, int64_t n_item, struct err *e)
{
	const char *p = raw + 4 * n, *end = p + n_item;

	for (int64_t i = 0; i < n; i++) {
		uint32_t len;

		memcpy(&len, raw + 4 * i, 4);
		if (len == NO_STRING)
			len = 0;
		if (len > end - p || memchr(p, 0, len))
			return err_set(e, ERR_DATA, "damaged: strings");
		strs_add(l, p, len);
		p += len;
	}
	return p == end ? 0 : err_set(e, ERR_DATA, "damaged: strings");
}

void
column_to_raw(const struct column *c, int64_t lo, int64_t hi, struct str *raw, int64_t *n_item)
{
	const void *p = c->b ? (const void *)c->b : c->i32 ? (const void *)c->i32 : c->i64 ? (const void *)c->i64 :
	    c->f32 ? (const void *)c->f32 : (const void *)c->f64;
	size_t w = (size_t)dtype_width(c->dtype), at = raw->n;

	*n_item = 0;
	if (c->dtype != DT_STR) {
		str_addn(raw, (const char *)p + (size_t)lo * w, (size_t)(hi - lo) * w);
		return;
	}
	strs_to_raw(&c->str, lo, hi, raw, n_item);
	for (int64_t i = lo; i < hi && c->na && c->b; i++)
		if (c->b[i])
			memset(raw->s + at + 4 * (size_t)(i - lo), 0xff, 4);
}

int
column_from_raw(struct column *c, int64_t at, int64_t n, const char *raw, int64_t n_item, struct err *e)
{
	void *p = c->b ? (void *)c->b : c->i32 ? (void *)c->i32 : c->i64 ? (void *)c->i64 :
	    c->f32 ? (void *)c->f32 : (void *)c->f64;
	size_t w = (size_t)dtype_width(c->dtype);

	if (e->code)
		return e->code;
	if (c->dtype == DT_STR) {
		for (int64_t i = 0; i < n && c->na; i++) {
			uint32_t len;

			memcpy(&len, raw + 4 * i, 4);
			if (!c->b)
				c->b = mem_new(uint8_t, c->n);
			c->b[at + i] = len == NO_STRING;
		}
		return strs_from_raw(&c->str, n, raw, n_item, e);
	}
	memcpy((char *)p + (size_t)at * w, raw, (size_t)n * w);
	for (int64_t i = at; i < at + n && c->dtype == DT_CAT; i++)
		if (c->i32[i] < -1 || c->i32[i] >= c->cat.n)
			return err_set(e, ERR_DATA, "damaged: category codes");
	for (int64_t i = at; i < at + n && c->dtype == DT_BOOL; i++)
		if (c->b[i] > 1 + c->na)
			return err_set(e, ERR_DATA, "damaged: booleans");
	return 0;
}
