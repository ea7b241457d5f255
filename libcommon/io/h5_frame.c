/* h5_frame - see h5_impl.h: obs and var as anndata 0.5 to 0.13 write them
 *
 * To 0.6 a dataset of compounds, the index first, categories in uns; 0.7 a group of
 * datasets, categories behind an object reference; from 0.8 on groups for
 * categories and for what may be missing.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "io/h5_impl.h"

void
h5_note(const struct import_opt *o, const char *fmt, ...)
{
	va_list ap;
	char b[700];

	if (!o || !o->note)
		return;
	va_start(ap, fmt);
	vsnprintf(b, sizeof b, fmt, ap);
	va_end(ap);
	o->note(b);
}

/* Plain values: texts, booleans, numbers; 1, or 0 when they are none of these. */
static int
plain(const struct h5_data *d, struct column *c, char why[H5_NAME], struct err *e)
{
	int small = d->width < 4 || (d->width == 4 && !d->is_unsigned);

	if (d->null || d->rank < 1 || (d->rank > 1 && d->row != 1)) {
		snprintf(why, H5_NAME, "it is no vector");
		return 0;
	}
	if (h5_claim(d, e))
		return 0;
	switch (d->cls) {
	case HC_TEXT:
		column_init(c, DT_STR, d->dim[0]);
		h5_read_texts(d, 0, d->dim[0], &c->str, e);
		break;
	case HC_BOOL:
		column_init(c, DT_BOOL, d->dim[0]);
		h5_read(d, HM_BOOL, 0, d->dim[0], c->b, e);
		for (int64_t i = 0; i < c->n; i++)
			c->b[i] = !!c->b[i];
		break;
	case HC_INT:
		column_init(c, small ? DT_I32 : DT_I64, d->dim[0]);
		h5_read(d, small ? HM_I32 : HM_I64, 0, d->dim[0], small ? (void *)c->i32 : (void *)c->i64, e);
		for (int64_t i = 0; d->is_unsigned && d->width == 8 && i < c->n; i++)
			if (c->i64[i] == INT64_MAX) {           /* clipped: too large */
				column_clear(c);
				column_init(c, DT_F64, d->dim[0]);
				h5_read(d, HM_F64, 0, d->dim[0], c->f64, e);
				break;
			}
		break;
	case HC_REAL:
		column_init(c, d->width <= 4 ? DT_F32 : DT_F64, d->dim[0]);
		h5_read(d, d->width <= 4 ? HM_F32 : HM_F64, 0, d->dim[0], c->f32 ? (void *)c->f32 : (void *)c->f64, e);
		break;
	default:
		snprintf(why, H5_NAME, "its values are of a kind that is not read");
		return 0;
	}
	return !e->code;
}

/* codes: a column of whole numbers that becomes one of categories; names: what it counts. */
static int
categories(struct column *codes, const struct column *names, int ordered, const char *path, char why[H5_NAME], struct err *e)
{
	struct column c;

	if (e->code || (codes->dtype != DT_I32 && codes->dtype != DT_I64)) {
		snprintf(why, H5_NAME, "its codes are no whole numbers");
		return 0;
	}
	column_init(&c, DT_CAT, codes->n);
	c.ordered = ordered;
	for (int64_t i = 0; i < names->n; i++) {
		struct str t = {0};

		if (names->dtype == DT_BOOL && !column_missing(names, i))
			str_add(&t, names->b[i] ? "True" : "False");
		else
			column_text(names, i, &t);
		strs_add(&c.cat, t.s ? t.s : "", t.n);
		str_clear(&t);
	}
	for (int64_t i = 0; i < codes->n && !e->code; i++) {
		int64_t k = codes->dtype == DT_I32 ? codes->i32[i] : codes->i64[i];

		if (k < -1 || k >= names->n)
			err_set(e, ERR_DATA, "%s: code %lld of row %lld, but there are %lld categories", path, (long long)k,
			    (long long)i, (long long)names->n);
		c.i32[i] = (int32_t)k;
	}
	if (names->dtype != DT_STR && names->dtype != DT_CAT)
		snprintf(why, H5_NAME, "its categories are numbers and become text");
	column_clear(codes);
	*codes = c;
	return !e->code;
}

/* values with a mask beside them. */
static int
with_mask(int64_t g, struct column *c, char why[H5_NAME], struct err *e)
{
	struct h5_data d;
	uint8_t *mask;

	if (h5_data_open(&d, g, "values", e))
		return 0;
	if (!plain(&d, c, why, e)) {
		h5_data_close(&d);
		return 0;
	}
	h5_data_close(&d);
	if (h5_data_open(&d, g, "mask", e))
		return 0;
	mask = mem_new(uint8_t, c->n);
	if (d.rank != 1 || d.dim[0] != c->n)
		err_set(e, ERR_DATA, "%s: is not as long as the values", d.name);
	h5_read(&d, HM_U8, 0, c->n, mask, e);
	h5_data_close(&d);
	if (c->dtype == DT_I32) {               /* whole numbers that may be missing are int64 */
		c->i64 = mem_new(int64_t, c->n);
		for (int64_t i = 0; i < c->n; i++)
			c->i64[i] = c->i32[i];
		mem_free(c->i32);
		c->i32 = NULL;
		c->dtype = DT_I64;
	}
	c->na = c->dtype == DT_I64 || c->dtype == DT_BOOL || c->dtype == DT_STR;
	for (int64_t i = 0; i < c->n && !e->code; i++) {
		if (!mask[i])
			continue;
		if (c->i64)
			c->i64[i] = INT64_MIN;
		if (c->b)
			c->b[i] = 2;
		if (c->f32)
			c->f32[i] = NAN;
		if (c->f64)
			c->f64[i] = NAN;
	}
	if (c->dtype == DT_STR) {
		c->b = mask;
		for (int64_t i = 0; i < c->n; i++)
			c->b[i] = !!c->b[i];
	} else {
		mem_free(mask);
	}
	return !e->code;
}

static int column_of(int64_t at, const char *name, struct column *c, char why[H5_NAME], int depth, struct err *e);

static int
from_group(int64_t g, const char *name, struct column *c, char why[H5_NAME], int depth, struct err *e)
{
	struct column names = {0};
	int64_t ordered = 0;
	int ok = 0;

	if (h5_kind(g, "codes") == HK_DATASET && depth == 0) {
		h5_attr_ints(g, "ordered", &ordered, 1);
		ok = column_of(g, "codes", c, why, 1, e) && column_of(g, "categories", &names, why, 1, e) &&
		    categories(c, &names, ordered != 0, name, why, e);
		column_clear(&names);
	} else if (h5_kind(g, "values") == HK_DATASET && h5_kind(g, "mask") == HK_DATASET) {
		ok = with_mask(g, c, why, e);
	} else {
		struct str type = {0};

		snprintf(why, H5_NAME, "it is of a kind that is not read%s%.100s", h5_attr_text(g, "encoding-type", &type) ? ": " : "",
		    type.s ? type.s : "");
		str_clear(&type);
	}
	return ok;
}

/* A member of a group as a column. */
static int
column_of(int64_t at, const char *name, struct column *c, char why[H5_NAME], int depth, struct err *e)
{
	struct h5_data d, dn;
	struct column names = {0};
	int64_t o, ordered = 0;
	int ok = 0;

	memset(c, 0, sizeof *c);
	if (e->code)
		return 0;
	switch (h5_kind(at, name)) {
	case HK_GROUP:
		o = h5_at(at, name, e);
		ok = o && from_group(o, name, c, why, depth, e);
		h5_close(o);
		break;
	case HK_DATASET:
		if (h5_data_open(&d, at, name, e))
			return 0;
		ok = plain(&d, c, why, e);
		o = ok && d.cls == HC_INT ? h5_attr_object(d.id, "categories") : 0;
		if (o && h5_data_open(&dn, o, ".", e) == 0) {
			h5_attr_ints(o, "ordered", &ordered, 1);
			ok = plain(&dn, &names, why, e) && categories(c, &names, ordered != 0, name, why, e);
			h5_data_close(&dn);
			column_clear(&names);
		}
		h5_close(o);
		h5_data_close(&d);
		break;
	default:
		snprintf(why, H5_NAME, "it is missing or of a kind that is not read");
	}
	if (!ok)
		column_clear(c);
	return ok;
}

static int
open_table(struct h5_frame *f, int64_t at, const char *name, struct err *e)
{
	struct h5_data field;
	char col[H5_NAME];

	if (h5_data_open(&f->table, at, name, e))
		return e->code;
	if (f->table.cls != HC_COMPOUND || f->table.rank != 1)
		return err_set(e, ERR_DATA, "%s: is no table", f->table.name);
	f->n = f->table.dim[0];
	for (int i = 0; i < f->table.n_field && h5_data_field(&f->table, i, &field, col, e) == 0; i++) {
		if (i == 0)
			str_add(&f->index, col);
		else
			strs_add(&f->col, col, strlen(col));
	}
	return e->code;
}

/* Length of the index, a dataset or a group with values or codes. */
static int64_t
rows(int64_t g, const char *index, struct err *e)
{
	static const char *const part[] = { "", "/values", "/codes" };
	struct h5_data d = {0};
	char path[1200];
	int64_t n = 0;

	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%.1000s%s", index, part[i]);
		if (h5_kind(g, path) == HK_DATASET)
			break;
	}
	if (h5_data_open(&d, g, path, e) == 0 && d.rank >= 1)
		n = d.dim[0];
	h5_data_close(&d);
	return n;
}

int
h5_frame_open(struct h5_frame *f, int64_t at, const char *name, int64_t uns, struct err *e)
{
	struct strs all = {0};

	memset(f, 0, sizeof *f);
	f->uns = uns;
	if (e->code)
		return e->code;
	if (h5_kind(at, name) == HK_DATASET)
		return open_table(f, at, name, e);
	if (h5_kind(at, name) != HK_GROUP)
		return err_set(e, ERR_DATA, "%s: is missing; is this an .h5ad file?", name);
	f->group = h5_at(at, name, e);
	if (e->code)
		return e->code;
	if (!h5_attr_text(f->group, "_index", &f->index))
		str_add(&f->index, h5_kind(f->group, "_index") ? "_index" : "index");
	f->n = rows(f->group, f->index.s, e);
	if (!h5_attr_texts(f->group, "column-order", &f->col)) {
		h5_names(f->group, &all, e);
		for (int64_t i = 0; i < all.n; i++)
			if (strcmp(strs_get(&all, i), f->index.s) && strcmp(strs_get(&all, i), "__categories"))
				strs_add(&f->col, strs_get(&all, i), strs_len(&all, i));
		strs_clear(&all);
	}
	return e->code;
}

void
h5_frame_close(struct h5_frame *f)
{
	h5_close(f->group);
	h5_data_close(&f->table);
	strs_clear(&f->col);
	str_clear(&f->index);
	memset(f, 0, sizeof *f);
}

int
h5_frame_names(const struct h5_frame *f, struct strs *out, struct err *e)
{
	struct column c = {0};
	struct h5_data field;
	char why[H5_NAME] = "", name[H5_NAME];
	int ok = 0;

	if (f->group)
		ok = column_of(f->group, f->index.s, &c, why, 0, e);
	else if (h5_data_field(&f->table, 0, &field, name, e) == 0)
		ok = plain(&field, &c, why, e);
	if (!ok && !e->code)
		err_set(e, ERR_DATA, "%.200s: the names of the rows cannot be read: %.100s", f->index.s, why);
	for (int64_t i = 0; ok && i < c.n; i++) {
		struct str t = {0};

		column_text(&c, i, &t);
		strs_add(out, t.s ? t.s : "", t.n);
		str_clear(&t);
	}
	column_clear(&c);
	return e->code;
}

int
h5_frame_column(const struct h5_frame *f, int64_t i, struct column *c, char why[H5_NAME], struct err *e)
{
	const char *name = strs_get(&f->col, i);
	struct column names = {0};
	struct h5_data field;
	char of[H5_NAME], list[H5_NAME + 20];
	int ok;

	memset(c, 0, sizeof *c);
	*why = 0;
	if (f->group) {
		ok = column_of(f->group, name, c, why, 0, e);
	} else {
		ok = h5_data_field(&f->table, (int)i + 1, &field, of, e) == 0 && plain(&field, c, why, e);
		snprintf(list, sizeof list, "%s_categories", name);
		if (ok && f->uns && (c->dtype == DT_I32 || c->dtype == DT_I64) && h5_kind(f->uns, list) == HK_DATASET) {
			ok = column_of(f->uns, list, &names, why, 1, e) && categories(c, &names, 0, name, why, e);
			column_clear(&names);
		}
	}
	if (ok && c->n != f->n) {
		err_set(e, ERR_DATA, "%.200s: has %lld values, the index %lld", name, (long long)c->n, (long long)f->n);
		ok = 0;
	}
	if (!ok)
		column_clear(c);
	return ok;
}

int
h5_frame_put(struct set *s, const char *prefix, const struct h5_frame *f, const struct import_opt *o, struct err *e)
{
	for (int64_t i = 0; i < f->col.n && !e->code; i++) {
		const char *name = strs_get(&f->col, i);
		struct column c;
		char why[H5_NAME];
		struct str path = {0};

		if (!*name || strcmp(name, f->index.s ? f->index.s : "") == 0)
			continue;
		str_addf(&path, "%s/%s", prefix, name);
		if (h5_frame_column(f, i, &c, why, e)) {
			set_put_column(s, path.s, &c, "", e);
			if (*why)
				h5_note(o, "%.200s: %s", path.s, why);
		} else if (!e->code) {
			h5_note(o, "%.200s is not carried: %s", path.s, why);
		}
		column_clear(&c);
		str_clear(&path);
	}
	return e->code;
}
