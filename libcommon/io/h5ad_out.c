/* h5ad_out - see h5ad.h: a set as an .h5ad in the vocabulary of anndata 0.8 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "io/h5_impl.h"

#define WIDE 3000               /* columns whose list of names needs the newer object header */

void
h5_out_note(const struct h5_out *t, const char *fmt, ...)
{
	va_list ap;
	char b[600];

	if (!t->opt->note)
		return;
	va_start(ap, fmt);
	vsnprintf(b, sizeof b, fmt, ap);
	va_end(ap);
	t->opt->note(b);
}

/* --- obs and var ------------------------------------------------------------- */

static int
put_codes(int64_t g, const struct column *c, int deflate, struct err *e)
{
	const struct h5_shape s = { .rank = 1, .dim = { c->n }, .deflate = deflate };
	int mem = c->cat.n <= INT8_MAX ? HM_I8 : c->cat.n <= INT16_MAX ? HM_I16 : HM_I32;
	int8_t *b;
	int16_t *h;

	if (mem == HM_I32)
		return h5_put(g, "codes", mem, &s, "array", c->i32, e);
	b = mem_new(int8_t, c->n * 2);
	h = (int16_t *)(void *)b;
	for (int64_t i = 0; i < c->n; i++) {
		if (mem == HM_I8)
			b[i] = (int8_t)c->i32[i];
		else
			h[i] = (int16_t)c->i32[i];
	}
	h5_put(g, "codes", mem, &s, "array", b, e);
	mem_free(b);
	return e->code;
}

static int
put_category(int64_t at, const char *name, const struct column *c, int deflate, struct err *e)
{
	int64_t g = h5_group(at, name, "categorical", "0.2.0", 0, e);

	if (!e->code) {
		h5_put_attr_bool(g, "ordered", c->ordered, e);
		put_codes(g, c, deflate, e);
		h5_put_texts(g, "categories", &c->cat, e);
	}
	h5_close(g);
	return e->code;
}

/* Strings of which some are missing: what anndata makes of them is a category column. */
static int
put_missing_strings(int64_t at, const char *name, const struct column *c, int deflate, struct err *e)
{
	struct strs some = {0};
	struct column cat, all;
	int64_t k = 0;

	for (int64_t i = 0; i < c->n; i++)
		if (!column_missing(c, i))
			strs_add(&some, strs_get(&c->str, i), strs_len(&c->str, i));
	column_factor(&cat, &some);
	column_init(&all, DT_CAT, c->n);
	for (int64_t i = 0; i < c->n; i++)
		all.i32[i] = column_missing(c, i) ? -1 : cat.i32[k++];
	all.cat = cat.cat;
	memset(&cat.cat, 0, sizeof cat.cat);
	put_category(at, name, &all, deflate, e);
	column_clear(&all);
	column_clear(&cat);
	strs_clear(&some);
	return e->code;
}

static int
put_nullable(int64_t at, const char *name, const struct column *c, int deflate, struct err *e)
{
	const struct h5_shape s = { .rank = 1, .dim = { c->n }, .deflate = deflate };
	int64_t g = h5_group(at, name, c->dtype == DT_BOOL ? "nullable-boolean" : "nullable-integer", "0.1.0", 0, e);
	uint8_t *mask = mem_new(uint8_t, c->n);
	int64_t *v = c->i64 ? mem_new(int64_t, c->n) : NULL;
	uint8_t *b = c->b ? mem_new(uint8_t, c->n) : NULL;

	for (int64_t i = 0; i < c->n; i++) {
		mask[i] = (uint8_t)column_missing(c, i);
		if (v)
			v[i] = mask[i] ? 0 : c->i64[i];
		else
			b[i] = mask[i] ? 0 : c->b[i];
	}
	if (!e->code) {
		h5_put(g, "values", v ? HM_I64 : HM_BOOL, &s, "array", v ? (void *)v : (void *)b, e);
		h5_put(g, "mask", HM_BOOL, &s, "array", mask, e);
	}
	mem_free(mask);
	mem_free(v);
	mem_free(b);
	h5_close(g);
	return e->code;
}

static int
put_column(int64_t at, const char *name, const struct column *c, int deflate, struct err *e)
{
	const struct h5_shape s = { .rank = 1, .dim = { c->n }, .deflate = deflate };

	switch (c->dtype) {
	case DT_BOOL:
		return c->na ? put_nullable(at, name, c, deflate, e) : h5_put(at, name, HM_BOOL, &s, "array", c->b, e);
	case DT_I32:
		return h5_put(at, name, HM_I32, &s, "array", c->i32, e);
	case DT_I64:
		return c->na ? put_nullable(at, name, c, deflate, e) : h5_put(at, name, HM_I64, &s, "array", c->i64, e);
	case DT_F32:
		return h5_put(at, name, HM_F32, &s, "array", c->f32, e);
	case DT_F64:
		return h5_put(at, name, HM_F64, &s, "array", c->f64, e);
	case DT_CAT:
		return put_category(at, name, c, deflate, e);
	default:
		return c->na ? put_missing_strings(at, name, c, deflate, e) : h5_put_texts(at, name, &c->str, e);
	}
}

/* Names under which others know what we have. */
static const struct alias {
	const char *name, *source;
	double times;           /* 0 = as it is */
	int omicverse;          /* with that option only */
} alias[] = {
	{ "obs/total_counts", "obs/nUMIs", 0, 0 },
	{ "obs/n_genes_by_counts", "obs/detected_genes", 0, 0 },
	{ "obs/pct_counts_mt", "obs/mito_perc", 100, 0 },
	{ "var/highly_variable_features", "var/highly_variable", 0, 0 },
	{ "obs/leiden_clusters_L1", "obs/leiden_r1", 0, 1 },
	{ "obs/leiden_clusters_L2", "obs/leiden_r0.5", 0, 1 },
	{ "obsm/scaled|original|X_pca", "obsm/X_pca", 0, 1 },
	{ NULL, NULL, 0, 0 }
};

/* The alias that is to be written under a path, or NULL. */
static const struct alias *
alias_of(const struct h5_out *t, const struct alias *a)
{
	return !set_find(t->set, a->name) && set_find(t->set, a->source) && (!a->omicverse || t->opt->omicverse) ? a : NULL;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Paths of one kind under a prefix, and aliases, in byte order; [n], the caller's. */
static const char **
list_paths(const struct h5_out *t, const char *prefix, int kind, int64_t *n)
{
	const struct set *s = t->set;
	const char **p = mem_new(const char *, s->n_item + (int64_t)(sizeof alias / sizeof *alias));
	size_t len = strlen(prefix);

	*n = 0;
	for (int64_t i = 0; i < s->n_item; i++) {
		const struct head *h = &s->item[i].s->head;

		if (!s->item[i].dropped && h->kind == kind && strncmp(head_path(h), prefix, len) == 0)
			p[(*n)++] = head_path(h);
	}
	for (const struct alias *a = alias; a->name; a++)
		if (alias_of(t, a) && strncmp(a->name, prefix, len) == 0)
			p[(*n)++] = a->name;
	if (*n)
		qsort(p, (size_t)*n, sizeof *p, by_text);
	return p;
}

/* The column of a path or of the alias of that name. */
static int
load_column(const struct h5_out *t, const char *path, struct column *c, struct err *e)
{
	for (const struct alias *a = alias; a->name; a++)
		if (strcmp(a->name, path) == 0 && alias_of(t, a)) {
			struct column from;

			if (a->times == 0)
				return set_column(t->set, a->source, c, e);
			if (set_column(t->set, a->source, &from, e))
				return e->code;
			column_init(c, DT_F64, from.n);
			for (int64_t i = 0; i < c->n; i++)
				c->f64[i] = a->times * column_number(&from, i);
			column_clear(&from);
			return e->code;
		}
	return set_column(t->set, path, c, e);
}

static int
out_frame(struct h5_out *t, int axis, struct err *e)
{
	const char *name = axis_name[axis];
	char prefix[8];
	const char **path;
	struct strs col = {0};
	int64_t n, g;

	if (e->code)
		return e->code;
	snprintf(prefix, sizeof prefix, "%s/", name);
	path = list_paths(t, prefix, KIND_COLUMN, &n);
	g = h5_group(t->file, name, "dataframe", "0.2.0", n > WIDE, e);
	if (!e->code)
		h5_put_attr_text(g, "_index", "_index", e);
	if (!e->code)
		h5_put_texts(g, "_index", &t->set->axis[axis].names, e);
	for (int64_t i = 0; i < n && !e->code; i++) {
		struct column c;
		const char *k = path[i] + 4;

		if (strcmp(k, "_index") == 0 || !*k) {
			h5_out_note(t, "%.200s is not written: its name is reserved", path[i]);
			continue;
		}
		if (load_column(t, path[i], &c, e) == 0) {
			put_column(g, k, &c, t->opt->deflate, e);
			strs_add(&col, k, strlen(k));
			column_clear(&c);
		}
	}
	if (!e->code)
		h5_put_attr_texts(g, "column-order", &col, e);
	strs_clear(&col);
	mem_free(path);
	h5_close(g);
	return e->code;
}

/* --- obsm, varm, obsp, varp ------------------------------------------------------ */

static int
out_embeddings(struct h5_out *t, const char *group, struct err *e)
{
	char prefix[8];
	const char **path;
	int64_t n, g;

	if (e->code)
		return e->code;
	snprintf(prefix, sizeof prefix, "%s/", group);
	path = list_paths(t, prefix, KIND_DENSE, &n);
	g = h5_group(t->file, group, "dict", "0.1.0", 0, e);
	for (int64_t i = 0; i < n && !e->code; i++) {
		struct h5_shape s = { .rank = 2, .deflate = t->opt->deflate };
		const char *from = path[i];
		struct item *it;
		float *f = NULL;
		double *x = NULL;

		for (const struct alias *a = alias; a->name; a++)
			if (strcmp(a->name, from) == 0 && alias_of(t, a))
				from = a->source;
		it = set_need(t->set, from, NULL, e);
		if (!it)
			break;
		if (it->s->head.dtype == DT_F32)
			set_dense(t->set, from, &f, &s.dim[0], &s.dim[1], e);
		else
			set_dense64(t->set, from, &x, &s.dim[0], &s.dim[1], e);
		if (!e->code)
			h5_put(g, path[i] + 5, f ? HM_F32 : HM_F64, &s, "array", f ? (void *)f : (void *)x, e);
		mem_free(f);
		mem_free(x);
	}
	mem_free(path);
	h5_close(g);
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

/* Columns rising within each row. */
static void
sort_rows(int64_t n, const int64_t *ptr, int32_t *col, double *w)
{
	struct edge *row = NULL;
	int64_t cap = 0;

	for (int64_t i = 0; i < n; i++) {
		int64_t lo = ptr[i], k = ptr[i + 1] - lo;
		int sorted = 1;

		for (int64_t j = 1; j < k; j++)
			sorted &= col[lo + j - 1] < col[lo + j];
		if (sorted)
			continue;
		if (k > cap) {
			cap = 2 * k;
			row = mem_renew(row, struct edge, cap);
		}
		for (int64_t j = 0; j < k; j++)
			row[j] = (struct edge){ col[lo + j], w[lo + j] };
		qsort(row, (size_t)k, sizeof *row, by_col);
		for (int64_t j = 0; j < k; j++) {
			col[lo + j] = row[j].col;
			w[lo + j] = row[j].w;
		}
	}
	mem_free(row);
}

static int
out_graph(struct h5_out *t, int64_t at, const char *path, struct err *e)
{
	struct h5_shape s = { .rank = 1, .grow = 1, .deflate = t->opt->deflate };
	int64_t n, *ptr, g, shape[2];
	int32_t *col;
	double *w;
	int wide, single;

	if (set_graph64(t->set, path, &n, &ptr, &col, &w, e) == 0) {
		single = set_find(t->set, path)->s->head.dtype == DT_F32;
		sort_rows(n, ptr, col, w);
		shape[0] = shape[1] = n;
		wide = ptr[n] > INT32_MAX;
		g = h5_group(at, path + 5, "csr_matrix", "0.1.0", 0, e);
		if (!e->code)
			h5_put_attr_ints(g, "shape", shape, 2, e);
		if (single) {           /* narrowed in place, front to back */
			for (int64_t k = 0; k < ptr[n]; k++) {
				float v = (float)w[k];

				memcpy((char *)w + 4 * k, &v, 4);
			}
		}
		s.dim[0] = ptr[n];
		h5_put(g, "data", single ? HM_F32 : HM_F64, &s, NULL, w, e);
		if (wide) {
			int64_t *big = mem_raw(int64_t, ptr[n]);

			for (int64_t k = 0; k < ptr[n]; k++)
				big[k] = col[k];
			h5_put(g, "indices", HM_I64, &s, NULL, big, e);
			mem_free(big);
		} else {
			int32_t *small = mem_raw(int32_t, n + 1);

			h5_put(g, "indices", HM_I32, &s, NULL, col, e);
			for (int64_t i = 0; i <= n; i++)
				small[i] = (int32_t)ptr[i];
			s.dim[0] = n + 1;
			h5_put(g, "indptr", HM_I32, &s, NULL, small, e);
			mem_free(small);
		}
		s.dim[0] = n + 1;
		if (wide)
			h5_put(g, "indptr", HM_I64, &s, NULL, ptr, e);
		h5_close(g);
	}
	mem_free(ptr);
	mem_free(col);
	mem_free(w);
	return e->code;
}

static int
out_graphs(struct h5_out *t, const char *group, struct err *e)
{
	char prefix[8];
	const char **path;
	int64_t n, g;

	if (e->code)
		return e->code;
	snprintf(prefix, sizeof prefix, "%s/", group);
	path = list_paths(t, prefix, KIND_GRAPH, &n);
	g = h5_group(t->file, group, "dict", "0.1.0", 0, e);
	for (int64_t i = 0; i < n && !e->code; i++)
		out_graph(t, g, path[i], e);
	mem_free(path);
	h5_close(g);
	return e->code;
}

/* --- all of it -------------------------------------------------------------------- */

/* What has no place in an .h5ad is named. */
static void
note_rest(const struct h5_out *t)
{
	static const struct { const char *prefix; int kind; } home[] = {
		{ "obs/", KIND_COLUMN }, { "var/", KIND_COLUMN }, { "obsm/", KIND_DENSE }, { "varm/", KIND_DENSE },
		{ "obsp/", KIND_GRAPH }, { "varp/", KIND_GRAPH }, { "uns/", KIND_TEXT }, { "log/", KIND_TEXT },
		{ "", KIND_SPARSE }, { "", KIND_FORMULA }, { "", KIND_AXIS }
	};
	const struct set *s = t->set;

	for (int64_t i = 0; i < s->n_item; i++) {
		const struct head *h = &s->item[i].s->head;
		int found = s->item[i].dropped;

		for (size_t k = 0; k < sizeof home / sizeof *home; k++)
			found |= h->kind == home[k].kind && strncmp(head_path(h), home[k].prefix, strlen(home[k].prefix)) == 0;
		if (!found)
			h5_out_note(t, "%.200s is not written: an .h5ad has no place for it", head_path(h));
	}
}

static int
out_all(struct h5_out *t, int fd, struct err *e)
{
	t->inexact = 0;
	t->file = h5_create(fd, e);
	if (e->code)
		return e->code;
	h5_put_attr_text(t->file, "encoding-type", "anndata", e);
	h5_put_attr_text(t->file, "encoding-version", "0.1.0", e);
	h5_close(h5_group(t->file, "layers", "dict", "0.1.0", 0, e));
	h5_out_matrices(t, e);
	for (int axis = 0; axis < N_AXIS; axis++)
		out_frame(t, axis, e);
	out_embeddings(t, "obsm", e);
	out_embeddings(t, "varm", e);
	out_graphs(t, "obsp", e);
	out_graphs(t, "varp", e);
	h5_out_uns(t, e);
	h5_end(t->file, e);
	return e->code;
}

int
h5ad_export(struct set *s, int fd, const struct h5ad_opt *o, struct err *e)
{
	struct h5_out t = { .set = s, .opt = o, .value = HM_F32 };
	struct item *it;

	while (set_next_pending(s, e))          /* a pipe is put aside: sizes must be known */
		;
	for (int axis = 0; axis < N_AXIS; axis++)
		set_names(s, axis, e);
	if (e->code)
		return e->code;
	it = set_find(s, "layers/lognorm");
	t.lognorm = o->x ? strcmp(o->x, "lognorm") == 0 : set_find(s, "X") && it && it->s->head.kind == KIND_FORMULA;
	out_all(&t, fd, e);
	if (t.inexact) {
		memset(e, 0, sizeof *e);
		t.value = HM_F64;
		out_all(&t, fd, e);
	}
	if (!e->code)
		note_rest(&t);
	return e->code;
}
