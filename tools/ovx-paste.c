/* ovx-paste - columns and matrices made elsewhere, matched by name
 *
 * reads    a stream; TSV or CSV tables, NPY matrices
 * writes   obs/NAME, var/NAME, obsm/NAME, varm/NAME
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "app/app.h"
#include "base/mem.h"
#include "io/table.h"

static struct { struct strs obs, var, obsm, varm; int strict; } o;

static const struct opt opts[] = {
	{ 0, "obs", LIST(&o.obs), "", "", "FILE", "table of cells: a header, names in the first column", 0 },
	{ 0, "var", LIST(&o.var), "", "", "FILE", "table of genes", 0 },
	{ 0, "obsm", LIST(&o.obsm), "", "", "NAME=FILE", "matrix of cells, TSV by name or NPY in order, as obsm/NAME", 0 },
	{ 0, "varm", LIST(&o.varm), "", "", "NAME=FILE", "matrix of genes as varm/NAME", 0 },
	{ 0, "strict", FLAG(&o.strict), "", "", "", "missing or surplus names are an error", 0 },
	{0}
};

static void
counted(struct app *a, const char *file, int axis, int64_t missing, int64_t surplus, struct err *e)
{
	const char *what = axis == AXIS_OBS ? "cells" : "genes";

	if (e->code || !(missing || surplus))
		return;
	if (o.strict)
		err_set(e, ERR_DATA, "%s: %lld %s of the input are missing in it, %lld of its rows are surplus", file,
		    (long long)missing, what, (long long)surplus);
	else
		app_warn("%s: %lld %s of the input are missing in it (missing values), %lld of its rows are surplus (left out)",
		    file, (long long)missing, what, (long long)surplus);
	app_stat_int(a, "missing", missing);
	app_stat_int(a, "surplus", surplus);
}

static void
matrices(struct app *a, const struct strs *l, const char *box, struct err *e)
{
	for (int64_t i = 0; i < l->n && !e->code; i++) {
		const char *file;
		char *name = opt_pair(box, strs_get(l, i), &file, e), to[600];
		int64_t missing, surplus;

		if (name) {
			snprintf(to, sizeof to, "%s/%.500s", box, name);
			table_paste_matrix(&a->set, to, file, &missing, &surplus, e);
			counted(a, file, strcmp(box, "varm") ? AXIS_OBS : AXIS_VAR, 0, surplus, e);
		}
		mem_free(name);
	}
}

static int
run(struct app *a, struct err *e)
{
	const struct strs *tables[N_AXIS] = { &o.obs, &o.var };

	for (int axis = 0; axis < N_AXIS; axis++)
		for (int64_t i = 0; i < tables[axis]->n && !e->code; i++) {
			int64_t missing = 0, surplus = 0, before = a->set.n_item;
			const char *file = strs_get(tables[axis], i), *twice;

			table_paste(&a->set, axis, file, &missing, &surplus, e);
			twice = set_twice(&a->set, before);
			if (twice)
				err_set(e, ERR_DATA, "%s: two columns are called %s", file, twice + 4);
			counted(a, file, axis, missing, surplus, e);
		}
	matrices(a, &o.obsm, "obsm", e);
	matrices(a, &o.varm, "varm", e);
	app_say(a, "%lld tables, %lld matrices", (long long)(o.obs.n + o.var.n), (long long)(o.obsm.n + o.varm.n));
	return e->code;
}

static const char *
check(void)
{
	return o.obs.n + o.var.n + o.obsm.n + o.varm.n ? NULL : "nothing to paste: give --obs, --var, --obsm or --varm";
}

/* Bytes of a file on disk; of a gzipped one, eight times that. */
static int64_t
file_bytes(const char *file)
{
	struct stat st;
	size_t n = strlen(file);

	if (stat(file, &st))
		return 0;
	return st.st_size * (n > 3 && strcmp(file + n - 3, ".gz") == 0 ? 8 : 1);
}

/* A table is held as text, with places of its cells, and a matrix as doubles besides. */
static int
plan(struct app *a, struct plan *p, struct err *e)
{
	(void)e;
	const struct strs *l[4] = { &o.obs, &o.var, &o.obsm, &o.varm };
	int64_t most = 0;

	for (int k = 0; k < 4; k++)
		for (int64_t i = 0; i < l[k]->n; i++) {
			const char *file = strs_get(l[k], i);
			int64_t b = 5 * file_bytes(k > 1 && strchr(file, '=') ? strchr(file, '=') + 1 : file);

			most = b > most ? b : most;
		}
	p->memory = most + 64 * (a->set.axis[AXIS_OBS].n + a->set.axis[AXIS_VAR].n);
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "ovx-paste", .summary = "columns and matrices made elsewhere, matched by name", .args = "[BASE [DELTA...]]",
		.writes = "obs/*,var/*,obsm/*,varm/*", .shape = SHAPE_FILTER, .opts = opts, .check = check, .plan = plan,
		.run = run, .fixture = "small", .fixture_args = "--obs small.obs.tsv"
	};

	return app_main(&tool, argc, argv);
}
