/* h5ad_in - see h5ad.h: .h5ad files of anndata 0.5 to 0.13 into a set */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "io/h5_impl.h"

#define DENSIFY_MOST ((int64_t)1 << 26)         /* values of a sparse embedding that is made dense */

/* Which matrix becomes X, and which genes it has. */
struct source {
	char x[H5_NAME];
	const char *var;
	const char *varm;
	int from_layer;         /* X itself stays behind */
};

/* "a, b, c" of the members of a group. */
static void
list_members(int64_t file, const char *group, struct str *out, struct err *e)
{
	struct strs l = {0};
	int64_t g = h5_kind(file, group) == HK_GROUP ? h5_at(file, group, e) : 0;

	if (g)
		h5_names(g, &l, e);
	for (int64_t i = 0; i < l.n; i++)
		str_addf(out, "%s%s", i ? ", " : "", strs_get(&l, i));
	strs_clear(&l);
	h5_close(g);
}

static int
choose(int64_t file, const char *path, const struct import_opt *o, struct source *t, struct err *e)
{
	struct str list = {0};

	*t = (struct source){ .x = "X", .var = "var", .varm = "varm" };
	if (o->raw) {
		int old = h5_kind(file, "raw.X") != HK_NONE;

		snprintf(t->x, sizeof t->x, "%s", old ? "raw.X" : "raw/X");
		t->var = old ? "raw.var" : "raw/var";
		t->varm = old ? "raw.varm" : "raw/varm";
		if (h5_kind(file, t->x) == HK_NONE)
			err_set(e, ERR_DATA, "%.300s: holds no raw; leave --raw out", path);
	} else if (o->layer && strcmp(o->layer, "X")) {
		snprintf(t->x, sizeof t->x, "layers/%.280s", o->layer);
		t->from_layer = 1;
		if (h5_kind(file, t->x) == HK_NONE) {
			list_members(file, "layers", &list, e);
			err_set(e, ERR_DATA, "%.150s: holds no layer %.60s; there are: %.200s", path, o->layer, list.n ? list.s : "none");
			str_clear(&list);
		}
	} else if (!o->layer && h5_kind(file, "layers/counts") != HK_NONE) {
		snprintf(t->x, sizeof t->x, "layers/counts");
		t->from_layer = 1;
	}
	return e->code;
}

/* A line for each matrix that stays behind. */
static int
note_others(int64_t file, const struct source *t, const struct import_opt *o, struct err *e)
{
	struct strs l = {0};
	int64_t g = h5_kind(file, "layers") == HK_GROUP ? h5_at(file, "layers", e) : 0;

	if (strcmp(t->x, "X") && h5_kind(file, "X") != HK_NONE)
		h5_note(o, "X is not carried: %s is taken in its place (--layer X takes X)", t->x);
	if (g)
		h5_names(g, &l, e);
	for (int64_t i = 0; i < l.n && !e->code; i++)
		if (strncmp(t->x, "layers/", 7) || strcmp(t->x + 7, strs_get(&l, i)))
			h5_note(o, "layers/%.200s is not carried (--layer takes it)", strs_get(&l, i));
	if (!o->raw && (h5_kind(file, "raw/X") != HK_NONE || h5_kind(file, "raw.X") != HK_NONE))
		h5_note(o, "raw is not carried (--raw takes it)");
	strs_clear(&l);
	h5_close(g);
	return e->code;
}

static int
put_axes(struct set *s, const struct h5_frame *obs, const struct h5_frame *var, const struct import_opt *o, struct err *e)
{
	struct strs cells = {0}, genes = {0};
	int64_t changed;

	h5_frame_names(obs, &cells, e);
	h5_frame_names(var, &genes, e);
	if (!e->code && barcodes_check(&cells, e) == 0) {
		changed = names_unique(&genes);
		if (changed)
			h5_note(o, "%lld repeated gene names got -1, -2, ... behind them", (long long)changed);
		set_put_axis(s, AXIS_OBS, &cells, e);
		set_put_axis(s, AXIS_VAR, &genes, e);
	}
	strs_clear(&cells);
	strs_clear(&genes);
	return e->code;
}

static int
put_x(struct set *s, int64_t file, const struct source *t, struct err *e)
{
	struct h5_matrix m;
	int64_t n = s->axis[AXIS_OBS].n, g = s->axis[AXIS_VAR].n;

	if (h5_matrix_open(&m, file, t->x, e))
		return e->code;
	if (m.form == HX_OTHER)
		err_set(e, ERR_DATA, "%s: is no CSR, CSC or dense matrix of numbers", t->x);
	else if (m.form != HX_NONE && (m.n_row != n || m.n_col != g))
		err_set(e, ERR_DATA, "%s: is %lld x %lld, but there are %lld cells and %lld genes", t->x, (long long)m.n_row,
		    (long long)m.n_col, (long long)n, (long long)g);
	else if (m.form != HX_NONE)
		h5_matrix_put(s, "X", &m, NULL, 0, e);
	h5_matrix_close(&m);
	return e->code;
}

/* --- obsm, varm --------------------------------------------------------------- */

static int
add_entry(void *ctx, int64_t row, int64_t col, double v, struct err *e)
{
	struct { double *x; int64_t d; } *t = ctx;

	t->x[row * t->d + col] += v;
	return e->code;
}

/* A dataset of numbers [n][d] as it is. */
static int
put_dense(struct set *s, const char *path, const struct h5_data *d, int64_t n, const struct import_opt *o, struct err *e)
{
	int single = d->cls == HC_REAL && d->width <= 4;
	void *x;

	if (d->rank != 2 || (d->cls != HC_INT && d->cls != HC_REAL && d->cls != HC_BOOL) || d->row > 1 << 24 || d->row == 0) {
		h5_note(o, "%s is not carried: it is no matrix of numbers", path);
		return 0;
	}
	if (d->dim[0] != n)
		return err_set(e, ERR_DATA, "%s: has %lld rows, its axis %lld", path, (long long)d->dim[0], (long long)n);
	if (h5_claim(d, e))
		return e->code;
	x = single ? (void *)mem_raw(float, d->n) : (void *)mem_raw(double, d->n);
	h5_read(d, single ? HM_F32 : HM_F64, 0, n, x, e);
	set_put_dense(s, path, single ? DT_F32 : DT_F64, x, n, d->row, "", e);
	mem_free(x);
	return e->code;
}

/* A frame whose columns are all numbers. */
static int
put_frame_dense(struct set *s, int64_t at, const char *name, const char *path, int64_t n, const struct import_opt *o,
	struct err *e)
{
	struct h5_frame f;
	double *x = NULL;
	int ok;

	if (h5_frame_open(&f, at, name, 0, e) || f.n != n || f.col.n == 0) {
		if (!e->code)
			h5_note(o, "%s is not carried: a table of %lld columns and %lld rows", path, (long long)f.col.n, (long long)f.n);
		h5_frame_close(&f);
		return e->code;
	}
	x = mem_raw(double, n * f.col.n);
	ok = 1;
	for (int64_t k = 0; k < f.col.n && ok && !e->code; k++) {
		struct column c;
		char why[H5_NAME];

		ok = h5_frame_column(&f, k, &c, why, e) && c.dtype != DT_STR && c.dtype != DT_CAT;
		for (int64_t i = 0; i < n && ok; i++)
			x[i * f.col.n + k] = column_number(&c, i);
		column_clear(&c);
	}
	if (ok && !e->code) {
		set_put_dense(s, path, DT_F64, x, n, f.col.n, "", e);
		h5_note(o, "%s: a table becomes a matrix, without the names of its columns", path);
	} else if (!e->code) {
		h5_note(o, "%s is not carried: a table that is not all numbers", path);
	}
	mem_free(x);
	h5_frame_close(&f);
	return e->code;
}

static int
put_sparse_dense(struct set *s, int64_t at, const char *name, const char *path, int64_t n, const struct import_opt *o,
	struct err *e)
{
	struct h5_matrix m;
	struct { double *x; int64_t d; } t;

	if (h5_matrix_open(&m, at, name, e))
		return e->code;
	if (m.form == HX_OTHER || m.form == HX_NONE || m.n_col == 0 || m.n_col > 1 << 24 || m.n_row > DENSIFY_MOST / m.n_col) {
		h5_note(o, "%s is not carried: %s", path, m.form > HX_NONE ? "a sparse matrix that is too large to be made dense" :
		    "it is of a kind that is not read");
	} else if (m.n_row != n) {
		err_set(e, ERR_DATA, "%s: has %lld rows, its axis %lld", path, (long long)m.n_row, (long long)n);
	} else {
		t.d = m.n_col;
		t.x = mem_new(double, n * m.n_col);
		h5_matrix_each(&m, add_entry, &t, e);
		set_put_dense(s, path, DT_F64, t.x, n, m.n_col, "", e);
		mem_free(t.x);
		h5_note(o, "%s: a sparse matrix becomes a dense one", path);
	}
	h5_matrix_close(&m);
	return e->code;
}

/* Members of obsm or varm (from), as to/NAME. */
static int
put_embeddings(struct set *s, int64_t file, const char *from, const char *to, int axis, const struct import_opt *o,
	struct err *e)
{
	struct strs l = {0};
	struct h5_data d, f;
	int64_t g, n = s->axis[axis].n;
	char path[1200], name[H5_NAME];

	if (h5_kind(file, from) == HK_DATASET && h5_data_open(&d, file, from, e) == 0) {
		/* anndata 0.6 and before: a record a row, a vector a field */
		for (int i = 0; i < d.n_field && h5_data_field(&d, i, &f, name, e) == 0; i++) {
			snprintf(path, sizeof path, "%s/%s", to, name);
			put_dense(s, path, &f, n, o, e);
		}
		h5_data_close(&d);
		return e->code;
	}
	if (h5_kind(file, from) != HK_GROUP || !(g = h5_at(file, from, e)))
		return e->code;
	h5_names(g, &l, e);
	for (int64_t i = 0; i < l.n && !e->code; i++) {
		const char *m = strs_get(&l, i);
		int64_t o_id;
		int frame;

		snprintf(path, sizeof path, "%s/%.1000s", to, m);
		if (h5_kind(g, m) == HK_DATASET) {
			if (h5_data_open(&d, g, m, e) == 0)
				put_dense(s, path, &d, n, o, e);
			h5_data_close(&d);
		} else if (h5_kind(g, m) == HK_GROUP && (o_id = h5_at(g, m, e))) {
			frame = h5_attr_is(o_id, "encoding-type", "dataframe");
			h5_close(o_id);
			if (frame)
				put_frame_dense(s, g, m, path, n, o, e);
			else
				put_sparse_dense(s, g, m, path, n, o, e);
		} else {
			h5_note(o, "%s is not carried: it is of a kind that is not read", path);
		}
	}
	strs_clear(&l);
	h5_close(g);
	return e->code;
}

/* --- obsp, varp --------------------------------------------------------------- */

struct graph {
	int64_t n, *ptr, *fill;
	int32_t *col;
	double *w;
};

static int
count_entry(void *ctx, int64_t row, int64_t col, double v, struct err *e)
{
	struct graph *t = ctx;

	(void)col;
	(void)v;
	t->ptr[row + 1]++;
	return e->code;
}

static int
fill_entry(void *ctx, int64_t row, int64_t col, double v, struct err *e)
{
	struct graph *t = ctx;
	int64_t at = t->fill[row]++;

	t->col[at] = (int32_t)col;
	t->w[at] = v;
	return e->code;
}

struct edge {
	int32_t col;
	double w;
};

static int
by_col(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	return x->col < y->col ? -1 : x->col > y->col;
}

/* Columns of each row rising and distinct; equal ones add up. */
static void
tidy(struct graph *t)
{
	struct edge *row = NULL;
	int64_t cap = 0, at = 0;

	for (int64_t i = 0, lo = 0; i < t->n; i++) {
		int64_t n = t->ptr[i + 1] - lo, from = at;

		if (n > cap) {
			cap = 2 * n;
			row = mem_renew(row, struct edge, cap);
		}
		for (int64_t k = 0; k < n; k++)
			row[k] = (struct edge){ t->col[lo + k], t->w[lo + k] };
		if (n)
			qsort(row, (size_t)n, sizeof *row, by_col);
		for (int64_t k = 0; k < n; k++) {
			if (at > from && t->col[at - 1] == row[k].col) {
				t->w[at - 1] += row[k].w;
				continue;
			}
			t->col[at] = row[k].col;
			t->w[at++] = row[k].w;
		}
		lo = t->ptr[i + 1];
		t->ptr[i + 1] = at;
	}
	mem_free(row);
}

/* A square matrix as a graph: counted first, then filled. */
static int
put_graph(struct set *s, const char *path, const struct h5_matrix *m, struct err *e)
{
	struct graph t = { .n = m->n_row };
	int64_t nnz;

	t.ptr = mem_new(int64_t, t.n + 1);
	t.fill = mem_new(int64_t, t.n + 1);
	h5_matrix_each(m, count_entry, &t, e);
	for (int64_t i = 0; i < t.n; i++) {
		t.ptr[i + 1] += t.ptr[i];
		t.fill[i + 1] = t.ptr[i + 1];
	}
	nnz = t.ptr[t.n];
	t.col = mem_raw(int32_t, nnz);
	t.w = mem_raw(double, nnz);
	h5_matrix_each(m, fill_entry, &t, e);
	if (!e->code)
		tidy(&t);
	if (m->dtype == DT_F32) {
		float *f = (float *)t.w;        /* narrowed in place, front to back */

		for (int64_t k = 0; k < t.ptr[t.n] && !e->code; k++) {
			float v = (float)t.w[k];

			memcpy((char *)f + 4 * k, &v, 4);
		}
	}
	set_put_graph(s, path, m->dtype, t.n, t.ptr, t.col, t.w, "", e);
	mem_free(t.ptr);
	mem_free(t.fill);
	mem_free(t.col);
	mem_free(t.w);
	return e->code;
}

static int
put_graphs(struct set *s, int64_t file, const char *group, int axis, const struct import_opt *o, struct err *e)
{
	struct strs l = {0};
	struct h5_matrix m;
	int64_t g, n = s->axis[axis].n;
	char path[1200];

	if (h5_kind(file, group) != HK_GROUP || !(g = h5_at(file, group, e)))
		return e->code;
	h5_names(g, &l, e);
	for (int64_t i = 0; i < l.n && !e->code; i++) {
		snprintf(path, sizeof path, "%s/%.1000s", group, strs_get(&l, i));
		if (h5_matrix_open(&m, g, strs_get(&l, i), e))
			break;
		if (m.form == HX_OTHER || m.form == HX_NONE)
			h5_note(o, "%s is not carried: it is no matrix of numbers", path);
		else if (m.n_row != n || m.n_col != n)
			err_set(e, ERR_DATA, "%s: is %lld x %lld, its axis has %lld", path, (long long)m.n_row, (long long)m.n_col,
			    (long long)n);
		else
			put_graph(s, path, &m, e);
		h5_matrix_close(&m);
	}
	strs_clear(&l);
	h5_close(g);
	return e->code;
}

/* --- uns ---------------------------------------------------------------------- */

static int
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n > k && strcmp(s + n - k, end) == 0;
}

/* Provenance that ovx-export wrote comes back as what it was. */
static void
put_log(struct set *s, const json_t *log, struct err *e)
{
	for (void *it = json_object_iter((json_t *)log); it; it = json_object_iter_next((json_t *)log, it)) {
		const char *key = json_object_iter_key(it), *text = json_string_value(json_object_iter_value(it));
		char path[64];

		if (!text || strlen(key) > 40)
			continue;
		snprintf(path, sizeof path, "log/%.40s", key);
		set_put_text(s, path, text, "", e);
	}
}

static int
put_uns(struct set *s, int64_t uns, const struct source *t, const struct h5_frame *obs, const struct import_opt *o, struct err *e)
{
	struct strs l = {0};
	struct str text = {0}, path = {0};

	h5_names(uns, &l, e);
	for (int64_t i = 0; i < l.n && !e->code; i++) {
		const char *key = strs_get(&l, i);
		json_t *j;

		if (!obs->group && ends_with(key, "_categories"))
			continue;               /* of anndata 0.6: in the columns by now */
		if (t->from_layer && strcmp(key, "log1p") == 0)
			continue;               /* tells of X, which stays behind */
		j = h5_json_read(uns, key, o, e);
		if (!j)
			continue;
		if (strcmp(key, "ovx_log") == 0 && json_is_object(j)) {
			put_log(s, j, e);
		} else {
			text.n = path.n = 0;
			str_addf(&path, "uns/%s", key);
			json_text(j, &text);
			set_put_text(s, path.s, text.s, "", e);
		}
		json_decref(j);
	}
	str_clear(&text);
	str_clear(&path);
	strs_clear(&l);
	return e->code;
}

static int
note_unknown(int64_t file, const struct import_opt *o, struct err *e)
{
	static const char *const known[] = { "X", "obs", "var", "obsm", "varm", "obsp", "varp", "uns", "layers", "raw", "raw.X",
		"raw.var", "raw.varm", "raw.cat", NULL };
	struct strs l = {0};

	h5_names(file, &l, e);
	for (int64_t i = 0; i < l.n; i++) {
		int k = 0;

		while (known[k] && strcmp(known[k], strs_get(&l, i)))
			k++;
		if (!known[k])
			h5_note(o, "/%.200s is not carried: no part of AnnData", strs_get(&l, i));
	}
	strs_clear(&l);
	return e->code;
}

int
h5ad_import(struct set *s, int64_t file, const char *path, const struct import_opt *o, struct err *e)
{
	struct source t;
	struct h5_frame obs = {0}, var = {0};
	int64_t uns = 0;

	if (h5_kind(file, "uns") == HK_GROUP)
		uns = h5_at(file, "uns", e);
	choose(file, path, o, &t, e);
	h5_frame_open(&obs, file, "obs", uns, e);
	h5_frame_open(&var, file, t.var, uns, e);
	if (!e->code && put_axes(s, &obs, &var, o, e) == 0) {
		h5_frame_put(s, "obs", &obs, o, e);
		h5_frame_put(s, "var", &var, o, e);
		put_embeddings(s, file, "obsm", "obsm", AXIS_OBS, o, e);
		put_embeddings(s, file, t.varm, "varm", AXIS_VAR, o, e);
		put_graphs(s, file, "obsp", AXIS_OBS, o, e);
		if (!o->raw)
			put_graphs(s, file, "varp", AXIS_VAR, o, e);
		if (uns)
			put_uns(s, uns, &t, &obs, o, e);
		note_others(file, &t, o, e);
		note_unknown(file, o, e);
		put_x(s, file, &t, e);
	}
	h5_frame_close(&obs);
	h5_frame_close(&var);
	h5_close(uns);
	return e->code;
}
