/* h5_json - see h5_impl.h: uns of an .h5ad as JSON text, and back
 *
 * Carried: groups, texts, numbers, booleans and arrays of these, also with missing values.  Not:
 * tables, sparse matrices, records, and arrays of more than ARRAY_MOST values.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "io/h5_impl.h"

#define ARRAY_MOST 1000000
#define DEPTH_MOST 24           /* groups in groups; links may run in circles */

static json_t *read_member(int64_t at, const char *name, int depth, const struct import_opt *o, struct err *e);

/* The path of a member, for messages. */
static void
path_of(int64_t at, const char *name, char out[2 * H5_NAME])
{
	char g[H5_NAME];

	h5_name(at, g);
	snprintf(out, 2 * H5_NAME, "%.290s/%.290s", g, name);
}

static json_t *
number(double x, int cls, int64_t i)
{
	if (cls == HC_BOOL)
		return json_boolean(i != 0);
	return cls == HC_INT ? json_integer(i) : json_number(x);
}

/* Values at *p as nested arrays of the dimensions from level on. */
static json_t *
nest(const struct h5_data *d, int level, const double *x, const int64_t *k, const struct strs *t, int64_t *p)
{
	json_t *a;

	if (level == d->rank) {
		json_t *v = t ? json_string(strs_get(t, *p)) : number(x ? x[*p] : 0, d->cls, k ? k[*p] : 0);

		++*p;
		return v;
	}
	a = json_array();
	for (int64_t i = 0; i < d->dim[level]; i++)
		json_array_append_new(a, nest(d, level + 1, x, k, t, p));
	return a;
}

static json_t *
read_data(int64_t at, const char *name, const struct import_opt *o, struct err *e)
{
	struct h5_data d;
	struct strs t = {0};
	double *x = NULL;
	int64_t *k = NULL, p = 0, rows;
	json_t *j = NULL;
	char path[2 * H5_NAME];

	path_of(at, name, path);
	if (h5_data_open(&d, at, name, e))
		return NULL;
	rows = d.rank ? d.dim[0] : 1;
	if (d.null) {
		j = json_null();
	} else if (d.cls == HC_COMPOUND || d.cls == HC_OTHER) {
		h5_note(o, "%s is not carried: records", path);
	} else if (d.n > ARRAY_MOST) {
		h5_note(o, "%s is not carried: %lld values", path, (long long)d.n);
	} else if (h5_claim(&d, e) == 0) {
		if (d.cls == HC_TEXT) {
			h5_read_texts(&d, 0, rows, &t, e);
		} else if (d.cls == HC_REAL) {
			x = mem_new(double, d.n);
			if (d.n)
				h5_read(&d, HM_F64, 0, rows, x, e);
			for (int64_t i = 0; i < d.n; i++)
				if (isinf(x[i]) || (isnan(x[i]) && d.rank == 0)) {
					h5_note(o, "%s: holds %g, which becomes null", path, x[i]);
					break;
				}
		} else {
			k = mem_new(int64_t, d.n);
			if (d.n)
				h5_read(&d, HM_I64, 0, rows, k, e);
		}
		if (!e->code && !(j = nest(&d, 0, x, k, d.cls == HC_TEXT ? &t : NULL, &p)))
			h5_note(o, "%s is not carried: its text is not UTF-8", path);
	}
	strs_clear(&t);
	mem_free(x);
	mem_free(k);
	h5_data_close(&d);
	return j;
}

/* Categories, and values with a mask: a frame of the parent can read them. */
static json_t *
read_column(int64_t at, const char *name, const struct import_opt *o, struct err *e)
{
	struct h5_frame f = { .group = at };
	struct column c;
	char why[H5_NAME], path[2 * H5_NAME];
	struct h5_data d;
	json_t *a = NULL;
	int64_t g = h5_at(at, name, e);

	path_of(at, name, path);
	if (!e->code && h5_data_open(&d, g, h5_kind(g, "codes") ? "codes" : "values", e) == 0) {
		f.n = d.rank ? d.dim[0] : 0;
		h5_data_close(&d);
	}
	h5_close(g);
	strs_add(&f.col, name, strlen(name));
	if (!e->code && f.n > ARRAY_MOST)
		h5_note(o, "%s is not carried: %lld values", path, (long long)f.n);
	else if (!e->code && h5_frame_column(&f, 0, &c, why, e)) {
		a = json_array();
		for (int64_t i = 0; i < c.n; i++) {
			json_t *v = NULL;

			if (!column_missing(&c, i))
				v = c.dtype == DT_STR || c.dtype == DT_CAT ? json_string(column_string(&c, i)) :
				    number(column_number(&c, i), c.dtype == DT_BOOL ? HC_BOOL : c.i64 || c.i32 ? HC_INT : HC_REAL,
				    c.i64 ? c.i64[i] : c.i32 ? c.i32[i] : c.b ? c.b[i] : 0);
			json_array_append_new(a, v ? v : json_null());
		}
		if (c.dtype == DT_CAT)
			h5_note(o, "%s: categories become a list of texts", path);
		column_clear(&c);
	} else if (!e->code) {
		h5_note(o, "%s is not carried: %s", path, why);
	}
	strs_clear(&f.col);
	return a;
}

static json_t *
read_group(int64_t at, const char *name, int depth, const struct import_opt *o, struct err *e)
{
	int64_t g = h5_at(at, name, e);
	struct str type = {0};
	struct strs l = {0};
	json_t *j = NULL;
	char path[2 * H5_NAME];

	path_of(at, name, path);
	if (e->code)
		return NULL;
	if (h5_attr_text(g, "encoding-type", &type) && strcmp(type.s, "dict")) {
		if (strcmp(type.s, "categorical") == 0 || strncmp(type.s, "nullable-", 9) == 0)
			j = read_column(at, name, o, e);
		else
			h5_note(o, "%s is not carried: it is of the kind %.60s", path, type.s);
	} else if (h5_attr_has(g, "h5sparse_format")) {
		h5_note(o, "%s is not carried: a sparse matrix", path);
	} else if (depth >= DEPTH_MOST) {
		h5_note(o, "%s is not carried: too deep", path);
	} else {
		j = json_object();
		h5_names(g, &l, e);
		for (int64_t i = 0; i < l.n && !e->code; i++) {
			json_t *v = read_member(g, strs_get(&l, i), depth + 1, o, e);

			if (v && json_object_set_new(j, strs_get(&l, i), v))
				h5_note(o, "%s: a key that is not UTF-8 is not carried", path);
		}
		strs_clear(&l);
	}
	str_clear(&type);
	h5_close(g);
	return j;
}

static json_t *
read_member(int64_t at, const char *name, int depth, const struct import_opt *o, struct err *e)
{
	char path[2 * H5_NAME];

	if (e->code)
		return NULL;
	switch (h5_kind(at, name)) {
	case HK_GROUP:
		return read_group(at, name, depth, o, e);
	case HK_DATASET:
		return read_data(at, name, o, e);
	default:
		path_of(at, name, path);
		h5_note(o, "%s is not carried: neither group nor dataset", path);
		return NULL;
	}
}

json_t *
h5_json_read(int64_t at, const char *name, const struct import_opt *o, struct err *e)
{
	json_t *j = read_member(at, name, 0, o, e);

	if (e->code) {
		json_decref(j);
		j = NULL;
	}
	return j;
}

/* --- writing --------------------------------------------------------------- */

enum { LEAF_INT = 1, LEAF_REAL = 2, LEAF_NULL = 4, LEAF_BOOL = 8, LEAF_TEXT = 16, LEAF_BAD = 32 };

/* Shape of nested arrays, from the first of each level; then whether all have it, and which leaves. */
static int
survey(const json_t *j, int level, struct h5_shape *s)
{
	int leaf = 0;

	if (level < s->rank) {
		if (!json_is_array(j) || (int64_t)json_array_size(j) != s->dim[level])
			return LEAF_BAD;
		for (size_t i = 0; i < json_array_size(j); i++)
			leaf |= survey(json_array_get(j, i), level + 1, s);
		return leaf;
	}
	return json_is_integer(j) ? LEAF_INT : json_is_real(j) ? LEAF_REAL : json_is_null(j) ? LEAF_NULL :
	    json_is_boolean(j) ? LEAF_BOOL : json_is_string(j) ? LEAF_TEXT : LEAF_BAD;
}

struct flat {
	double *x;
	int64_t *k;
	uint8_t *b;
	struct strs t;
	int64_t n;
};

static void
flatten(const json_t *j, struct flat *f)
{
	if (json_is_array(j)) {
		for (size_t i = 0; i < json_array_size(j); i++)
			flatten(json_array_get(j, i), f);
		return;
	}
	if (f->x)
		f->x[f->n] = json_is_null(j) ? NAN : json_number_value(j);
	else if (f->k)
		f->k[f->n] = json_integer_value(j);
	else if (f->b)
		f->b[f->n] = json_is_true(j);
	else
		strs_add(&f->t, json_is_string(j) ? json_string_value(j) : "", json_is_string(j) ? json_string_length(j) : 0);
	f->n++;
}

/* What AnnData has no array for stays JSON, as a text. */
static int
write_as_text(int64_t at, const char *name, const json_t *j, void (*note)(const char *msg), struct err *e)
{
	struct str t = {0};
	char path[2 * H5_NAME], b[3 * H5_NAME];

	path_of(at, name, path);
	snprintf(b, sizeof b, "%s: a list of mixed kinds is written as JSON text", path);
	if (note)
		note(b);
	json_text(j, &t);
	h5_put_text(at, name, t.s, e);
	str_clear(&t);
	return e->code;
}

static int
write_array(int64_t at, const char *name, const json_t *j, void (*note)(const char *msg), struct err *e)
{
	struct h5_shape s = {0};
	struct flat f = {0};
	int64_t n = 1;
	int leaf;

	for (const json_t *k = j; json_is_array(k) && s.rank < H5_DIMS; k = json_array_get(k, 0)) {
		s.dim[s.rank++] = (int64_t)json_array_size(k);
		n *= s.dim[s.rank - 1];
		if (json_array_size(k) == 0)
			break;
	}
	leaf = survey(j, 0, &s);
	if (leaf & LEAF_BAD || (leaf & LEAF_BOOL && leaf != LEAF_BOOL) ||
	    (leaf & LEAF_TEXT && (s.rank > 1 || leaf & ~(LEAF_TEXT | LEAF_NULL))))
		return write_as_text(at, name, j, note, e);
	if (leaf & LEAF_BOOL)
		f.b = mem_new(uint8_t, n);
	else if (leaf == LEAF_INT)
		f.k = mem_new(int64_t, n);
	else if (!(leaf & LEAF_TEXT))
		f.x = mem_new(double, n);
	flatten(j, &f);
	if (f.b)
		h5_put(at, name, HM_BOOL, &s, "array", f.b, e);
	else if (f.k)
		h5_put(at, name, HM_I64, &s, "array", f.k, e);
	else if (f.x)
		h5_put(at, name, HM_F64, &s, "array", f.x, e);
	else
		h5_put_texts(at, name, &f.t, e);
	mem_free(f.b);
	mem_free(f.k);
	mem_free(f.x);
	strs_clear(&f.t);
	return e->code;
}

int
h5_json_write(int64_t at, const char *name, const json_t *j, void (*note)(const char *msg), struct err *e)
{
	const struct h5_shape scalar = {0};
	char safe[H5_NAME], b[2 * H5_NAME];
	const char *key;
	const json_t *v;
	int64_t g, k;
	double x;
	uint8_t yes;

	if (e->code || json_is_null(j))
		return e->code;
	if (strchr(name, '/') || !*name || strlen(name) >= H5_NAME || strcmp(name, ".") == 0) {
		snprintf(safe, sizeof safe, "%s", *name && strcmp(name, ".") ? name : "_");
		for (char *p = safe; *p; p++)
			if (*p == '/')
				*p = '_';
		snprintf(b, sizeof b, "uns: the key '%.290s' is written as '%.200s'", name, safe);
		if (note)
			note(b);
		name = safe;
	}
	if (h5_kind(at, name) != HK_NONE)
		return e->code;
	switch (json_typeof(j)) {
	case JSON_OBJECT:
		g = h5_group(at, name, "dict", "0.1.0", 0, e);
		for (void *it = json_object_iter((json_t *)j); it; it = json_object_iter_next((json_t *)j, it)) {
			key = json_object_iter_key(it);
			v = json_object_iter_value(it);
			h5_json_write(g, key, v, note, e);
		}
		h5_close(g);
		return e->code;
	case JSON_ARRAY:
		return write_array(at, name, j, note, e);
	case JSON_STRING:
		return h5_put_text(at, name, json_string_value(j), e);
	case JSON_INTEGER:
		k = json_integer_value(j);
		return h5_put(at, name, HM_I64, &scalar, "numeric-scalar", &k, e);
	case JSON_REAL:
		x = json_real_value(j);
		return h5_put(at, name, HM_F64, &scalar, "numeric-scalar", &x, e);
	default:
		yes = json_is_true(j);
		return h5_put(at, name, HM_BOOL, &scalar, "numeric-scalar", &yes, e);
	}
}
