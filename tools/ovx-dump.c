/* ovx-dump - sections of a stream as text
 *
 * reads    a stream
 * writes   a list of its sections, or one of them as TSV: the door to awk, sort
 *          and datamash
 */
#include <stdlib.h>
#include <string.h>
#include "app/app.h"
#include "base/mem.h"
#include "stream/codec.h"

static struct { int list; const char *path; } o;

static const struct opt opts[] = {
	{ 'l', "list", FLAG(&o.list), "", "", "", "list the sections (the default)", 0 },
	{ 'p', "path", STR(&o.path), "", "", "PATH", "print this section", 0 },
	{0}
};

static int
line(struct app *a, struct str *t, struct err *e)
{
	str_add(t, "\n");
	app_put(a, t->s, t->n, e);
	t->n = 0;
	return e->code;
}

/* Non-zeros, decoded and stored bytes of an item. */
static void
sizes(struct item *it, int64_t *nnz, int64_t *raw, int64_t *stored, struct err *e)
{
	*nnz = *raw = *stored = 0;
	if (it->s->in->size < 0 && !it->s->complete)
		in_spool(it->s->in, e);
	in_heads(it->s, e);
	for (int64_t i = 0; i < it->s->n_block && !e->code; i++) {
		const struct block *b = &it->s->block[i];

		*stored += b->stored;
		*raw += codec_raw_size(&it->s->head, b, e);
		if (!b->prelude && (it->s->head.kind == KIND_SPARSE || it->s->head.kind == KIND_GRAPH))
			*nnz += b->n_item;
	}
}

static int
by_head(const void *a, const void *b)
{
	return head_compare(&(*(struct item *const *)a)->s->head, &(*(struct item *const *)b)->s->head);
}

static int
list(struct app *a, struct err *e)
{
	struct set *s = &a->set;
	struct item **at;
	struct str t = {0};
	int64_t n = 0;

	while (set_next_pending(s, e))
		;
	at = mem_new(struct item *, s->n_item);
	for (int64_t i = 0; i < s->n_item; i++)
		if (!s->item[i].dropped)
			at[n++] = &s->item[i];
	if (n)
		qsort(at, (size_t)n, sizeof *at, by_head);
	str_add(&t, "path\tkind\tdtype\tn_row\tn_col\tnnz\traw_bytes\tstored_bytes");
	line(a, &t, e);
	for (int64_t i = 0; i < n && !e->code; i++) {
		const struct head *h = &at[i]->s->head;
		int64_t nnz, raw, stored;

		sizes(at[i], &nnz, &raw, &stored, e);
		str_add_cell(&t, head_path(h));
		str_addf(&t, "\t%s\t%s\t%lld\t%lld\t%lld\t%lld\t%lld", kind_name(h->kind), dtype_name(h->dtype),
		    (long long)set_rows_of(s, at[i]), (long long)set_cols_of(s, at[i]), (long long)nnz, (long long)raw, (long long)stored);
		line(a, &t, e);
	}
	mem_free(at);
	str_clear(&t);
	return e->code;
}

/* Name of row i of an axis, or its number when only the digest is known. */
static void
row_name(const struct set *s, int axis, int64_t i, struct str *t)
{
	if (axis >= 0 && s->axis[axis].known)
		str_add_cell(t, strs_get(&s->axis[axis].names, i));
	else
		str_addf(t, "%lld", (long long)i + 1);
}

static int
dump_column(struct app *a, const struct item *it, struct err *e)
{
	struct column c;
	struct str t = {0};
	int axis = set_axis_of(it, 0);

	if (set_column(&a->set, o.path, &c, e))
		return e->code;
	str_add(&t, "name\t");
	str_add_cell(&t, strchr(o.path, '/') ? strchr(o.path, '/') + 1 : o.path);
	line(a, &t, e);
	for (int64_t i = 0; i < c.n && !e->code; i++) {
		row_name(&a->set, axis, i, &t);
		str_add(&t, "\t");
		column_cell(&c, i, &t);
		line(a, &t, e);
	}
	column_clear(&c);
	str_clear(&t);
	return e->code;
}

static int
dump_dense(struct app *a, const struct item *it, struct err *e)
{
	double *x;
	int64_t n, d;
	struct str t = {0};
	int axis = set_axis_of(it, 0), single = it->s->head.dtype == DT_F32;
	const char *name = strrchr(o.path, '/') ? strrchr(o.path, '/') + 1 : o.path;

	if (set_dense64(&a->set, o.path, &x, &n, &d, e))
		return e->code;
	str_add(&t, "name");
	for (int64_t k = 0; k < d; k++)
		str_addf(&t, "\t%s%lld", name, (long long)k + 1);
	line(a, &t, e);
	for (int64_t i = 0; i < n && !e->code; i++) {
		row_name(&a->set, axis, i, &t);
		for (int64_t k = 0; k < d; k++) {
			str_add(&t, "\t");
			if (single)
				text_float(&t, (float)x[i * d + k]);
			else
				text_double(&t, x[i * d + k]);
		}
		line(a, &t, e);
	}
	mem_free(x);
	str_clear(&t);
	return e->code;
}

static int
dump_graph(struct app *a, const struct item *it, struct err *e)
{
	int64_t n, *ptr;
	int32_t *col;
	float *w;
	struct str t = {0};
	int axis = set_axis_of(it, 0);

	if (set_graph(&a->set, o.path, &n, &ptr, &col, &w, e))
		return e->code;
	str_add(&t, "name\tneighbour\tvalue");
	line(a, &t, e);
	for (int64_t i = 0; i < n && !e->code; i++)
		for (int64_t k = ptr[i]; k < ptr[i + 1] && !e->code; k++) {
			row_name(&a->set, axis, i, &t);
			str_add(&t, "\t");
			row_name(&a->set, axis, col[k], &t);
			str_add(&t, "\t");
			text_float(&t, w[k]);
			line(a, &t, e);
		}
	mem_free(ptr);
	mem_free(col);
	mem_free(w);
	str_clear(&t);
	return e->code;
}

static int
dump_rows(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct app *a = ctx;
	struct str t = {0};

	(void)slot;
	for (int64_t i = 0; i < m->n_row && !e->code; i++)
		for (int64_t k = m->ptr[i]; k < m->ptr[i + 1] && !e->code; k++) {
			row_name(&a->set, AXIS_OBS, m->row0 + i, &t);
			str_add(&t, "\t");
			row_name(&a->set, AXIS_VAR, m->col[k], &t);
			str_add(&t, "\t");
			text_double(&t, m->val[k]);
			line(a, &t, e);
		}
	str_clear(&t);
	return e->code;
}

static int
nothing(void *ctx, const struct csr *m, int slot, struct err *e)
{
	(void)ctx;
	(void)m;
	(void)slot;
	return e->code;
}

static int
dump_sparse(struct app *a, struct err *e)
{
	struct rows r;
	struct str t = {0};

	if (set_rows(&a->set, o.path, &r, e) == 0) {
		str_add(&t, "name\tgene\tvalue");
		line(a, &t, e);
		set_rows_flags(&r, SET_WHOLE);
		rows_pass(&r, nothing, dump_rows, a, e);
	}
	set_rows_clear(&r);
	str_clear(&t);
	return e->code;
}

static int
dump_axis(struct app *a, const struct item *it, struct err *e)
{
	int axis = set_axis_of(it, 0);
	struct str t = {0};

	str_add(&t, "name");
	line(a, &t, e);
	for (int64_t i = 0; i < a->set.axis[axis].n && !e->code; i++) {
		row_name(&a->set, axis, i, &t);
		line(a, &t, e);
	}
	str_clear(&t);
	return e->code;
}

static int
dump_formula(struct app *a, const struct item *it, struct err *e)
{
	const struct strs *kv = &it->s->head.kv;
	struct str t = {0};

	for (int64_t i = 0; i + 1 < kv->n; i += 2) {
		str_addf(&t, "%s\t%s", strs_get(kv, i), strs_get(kv, i + 1));
		line(a, &t, e);
	}
	str_clear(&t);
	return e->code;
}

static int
run(struct app *a, struct err *e)
{
	struct item *it;
	struct str t = {0};

	if (!o.path)
		return list(a, e);
	it = set_need(&a->set, o.path, "ovx-dump -l lists what there is", e);
	if (!it)
		return e->code;
	switch (it->s->head.kind) {
	case KIND_AXIS:
		return dump_axis(a, it, e);
	case KIND_COLUMN:
		return dump_column(a, it, e);
	case KIND_DENSE:
		return dump_dense(a, it, e);
	case KIND_GRAPH:
		return dump_graph(a, it, e);
	case KIND_SPARSE:
		return dump_sparse(a, e);
	case KIND_FORMULA:
		return dump_formula(a, it, e);
	default:
		if (set_text(&a->set, o.path, &t, e) == 0) {
			if (it->s->head.kind == KIND_TEXT && (t.n == 0 || t.s[t.n - 1] != '\n'))
				str_add(&t, "\n");
			app_put(a, t.s, t.n, e);
		}
		str_clear(&t);
		return e->code;
	}
}

static const char *
check(void)
{
	return o.list && o.path ? "-l and -p exclude each other" : NULL;
}

static int
plan(struct app *a, struct plan *p, struct err *e)
{
	struct item *it = o.path ? set_need(&a->set, o.path, "ovx-dump -l lists what there is", e) : NULL;

	if (!it)
		return e->code;
	if (it->s->head.kind == KIND_SPARSE)
		p->memory = app_rows_bytes(a, o.path, SET_WHOLE, e);
	else if (it->s->head.kind != KIND_FORMULA)
		p->memory = set_rows_of(&a->set, it) * (it->s->head.kind == KIND_DENSE ? it->s->head.n_col * 8 + 64 : 400);
	return e->code;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "ovx-dump", .summary = "sections of a stream as text", .args = "[BASE [DELTA...]]", .shape = SHAPE_SINK,
		.flags = TOOL_TEXT, .opts = opts, .check = check, .plan = plan, .run = run, .fixture = "small"
	};

	return app_main(&tool, argc, argv);
}
