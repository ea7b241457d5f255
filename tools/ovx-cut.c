/* ovx-cut - keep or drop sections, cells and genes
 *
 * reads    a stream
 * writes   what is left of it; without a selection the same bytes
 */
#include <fnmatch.h>
#include <string.h>
#include "app/app.h"
#include "base/mem.h"
#include "cell/filter.h"

static struct {
	const char *expr, *gene_expr, *cells, *genes;
	struct strs keep, drop;
	int not;
} o;

static const struct opt opts[] = {
	{ 'e', "expr", STR(&o.expr), "", "", "EXPR", "keep cells for which this holds, like 'nUMIs > 500 && !predicted_doublet'", 0 },
	{ 0, "gene-expr", STR(&o.gene_expr), "", "", "EXPR", "keep genes for which this holds, over var/ columns", 0 },
	{ 0, "cells", INFILE(&o.cells), "", "", "FILE", "keep the cells named in a file, one a line", 0 },
	{ 0, "genes", INFILE(&o.genes), "", "", "FILE", "keep the genes named in a file, one a line", 0 },
	{ 0, "not", FLAG(&o.not), "", "", "", "drop what the files name, keep the rest", 0 },
	{ 'p', "path", LIST(&o.keep), "", "", "PATTERN", "keep sections that match, like 'obs/*' (and the axes); may be repeated", 0 },
	{ 0, "drop", LIST(&o.drop), "", "", "PATTERN", "drop sections that match; may be repeated", 0 },
	{0}
};

static int
matches(const struct strs *l, const char *path, uint8_t *used)
{
	int hit = 0;

	for (int64_t i = 0; i < l->n; i++)
		if (fnmatch(strs_get(l, i), path, 0) == 0)
			hit = used[i] = 1;
	return hit;
}

static int
sections(struct app *a, struct err *e)
{
	struct set *s = &a->set;
	uint8_t *used_keep = mem_new(uint8_t, o.keep.n), *used_drop = mem_new(uint8_t, o.drop.n);

	if (o.keep.n + o.drop.n)
		while (set_next_pending(s, e))
			;
	for (int64_t i = 0; i < s->n_item; i++) {
		struct item *it = &s->item[i];
		const char *path = head_path(&it->s->head);

		if (it->dropped || it->s->head.kind == KIND_AXIS)
			continue;
		if (o.keep.n && !matches(&o.keep, path, used_keep))
			it->dropped = 1;
		if (matches(&o.drop, path, used_drop))
			it->dropped = 1;
	}
	for (int64_t i = 0; i < o.keep.n && !e->code; i++)
		if (!used_keep[i])
			err_set(e, ERR_DATA, "no section matches '%s'; ovx-dump -l lists them", strs_get(&o.keep, i));
	for (int64_t i = 0; i < o.drop.n && !e->code; i++)
		if (!used_drop[i])
			app_warn("no section matches '%s'", strs_get(&o.drop, i));
	mem_free(used_keep);
	mem_free(used_drop);
	return e->code;
}

static int
subset(struct app *a, int axis, const char *expr, const char *file, struct err *e)
{
	struct set *s = &a->set;
	const char *what = axis == AXIS_OBS ? "cells" : "genes";
	int64_t n = s->axis[axis].n, left, unknown = 0, *rows;
	uint8_t *keep;

	if (e->code || (!expr && !file))
		return e->code;
	keep = mem_new(uint8_t, n);
	memset(keep, 1, (size_t)n);
	if (expr)
		filter_expr(s, axis, expr, keep, e);
	if (file && filter_list(s, axis, file, o.not, keep, &unknown, e) == 0 && unknown)
		app_warn("%s: %lld of its names are not among the %s", file, (long long)unknown, what);
	rows = filter_rows(keep, n, &left);
	if (!e->code && left == 0)
		err_set(e, ERR_DATA, "none of the %lld %s is left", (long long)n, what);
	set_subset(s, axis, rows, left, e);
	app_say(a, "%lld of %lld %s", (long long)left, (long long)n, what);
	app_stat_int(a, what, left);
	mem_free(rows);
	mem_free(keep);
	return e->code;
}

static int
run(struct app *a, struct err *e)
{
	a->no_log = !(o.expr || o.gene_expr || o.cells || o.genes || o.keep.n || o.drop.n);
	sections(a, e);
	subset(a, AXIS_OBS, o.expr, o.cells, e);
	subset(a, AXIS_VAR, o.gene_expr, o.genes, e);
	return e->code;
}

static int
plan(struct app *a, struct plan *p, struct err *e)
{
	p->memory = 200 * a->set.axis[AXIS_OBS].n;
	a->copies = APP_CUT;
	if (set_find(&a->set, "X"))
		p->memory += (int64_t)(a->copies * (double)app_rows_bytes(a, "X", SET_WHOLE, e));
	return e->code;
}

static const char *
check(void)
{
	return o.not && !o.cells && !o.genes ? "--not turns --cells and --genes round; write ! into an expression" : NULL;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "ovx-cut", .summary = "keep or drop sections, cells and genes", .args = "[BASE [DELTA...]]",
		.shape = SHAPE_FILTER, .opts = opts, .check = check, .plan = plan, .run = run, .fixture = "small", .fixture_args = "-e doublet==0"
	};

	return app_main(&tool, argc, argv);
}
