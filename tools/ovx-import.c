/* ovx-import - counts and tables into a stream
 *
 * reads    a 10x MTX directory, 10x HDF5, .h5ad, TSV or CSV
 * writes   X, obs/NAME, var/NAME, obsm/NAME, varm/NAME, obsp/NAME
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "app/app.h"
#include "base/mem.h"
#include "io/h5ad.h"
#include "io/mtx.h"
#include "io/table.h"

static struct {
	const char *genome, *feature_type, *layer, *rows;
	int raw;
	struct strs obs, var, obsm;
} o;

static const struct opt opts[] = {
	{ 0, "genome", STR(&o.genome), "", "", "NAME", "genome, when a file or directory holds several", 0 },
	{ 0, "feature-type", STR(&o.feature_type), "", "", "TYPE", "features to keep, or all (default: Gene Expression)", 0 },
	{ 0, "layer", STR(&o.layer), "", "", "NAME", ".h5ad: take this layer as X", 0 },
	{ 0, "raw", FLAG(&o.raw), "", "", "", ".h5ad: take raw.X as X", 0 },
	{ 0, "rows", STR(&o.rows), "", "genes|cells", "WHAT", "what the rows of a TSV or CSV matrix are", 0 },
	{ 0, "obs", LIST(&o.obs), "", "", "FILE", "table of cells, matched by name", 0 },
	{ 0, "var", LIST(&o.var), "", "", "FILE", "table of genes, matched by name", 0 },
	{ 0, "obsm", LIST(&o.obsm), "", "", "NAME=FILE", "matrix of cells, TSV by name or NPY in order", 0 },
	{0}
};

static void
note(const char *msg)
{
	app_warn("%s", msg);
}

static void
tables(struct app *a, struct err *e)
{
	const struct strs *l[N_AXIS] = { &o.obs, &o.var };

	for (int axis = 0; axis < N_AXIS; axis++)
		for (int64_t i = 0; i < l[axis]->n && !e->code; i++) {
			const char *file = strs_get(l[axis], i), *twice;
			int64_t missing = 0, surplus = 0, before;

			if (!a->set.axis[axis].known)
				table_axis(&a->set, axis, file, e);
			before = a->set.n_item;
			table_paste(&a->set, axis, file, &missing, &surplus, e);
			twice = set_twice(&a->set, before);
			if (twice)
				err_set(e, ERR_DATA, "%s: two columns are called %s", file, twice + 4);
			if (!e->code && (missing || surplus))
				app_warn("%s: %lld %s are missing in it, %lld of its rows are surplus", file, (long long)missing,
				    axis == AXIS_OBS ? "cells" : "genes", (long long)surplus);
		}
	for (int64_t i = 0; i < o.obsm.n && !e->code; i++) {
		const char *file;
		char *name = opt_pair("obsm", strs_get(&o.obsm, i), &file, e), to[600];
		int64_t missing, surplus;

		if (name) {
			snprintf(to, sizeof to, "obsm/%.500s", name);
			if (!a->set.axis[AXIS_OBS].known)
				table_axis(&a->set, AXIS_OBS, file, e);
			table_paste_matrix(&a->set, to, file, &missing, &surplus, e);
		}
		mem_free(name);
	}
}

static int
run(struct app *a, struct err *e)
{
	struct import_opt io = { o.genome, o.feature_type, o.layer, o.raw, o.rows && strcmp(o.rows, "cells") == 0, note };
	char again[64];
	const char *path = a->n_arg ? file_again(a->arg[0], again, e) : NULL;
	struct stat st;
	int64_t nnz = 0;

	if (e->code)
		return e->code;
	if (a->n_arg > 1)
		return err_set(e, ERR_USAGE, "one input at a time; join samples with ovx-cat");
	if (path && strcmp(path, "-") && stat(path, &st) && !mtx_is(path))
		return err_set(e, ERR_SYSTEM, "%s: no such file or directory", path);
	if (path && strcmp(path, "-") && mtx_is(path))
		mtx_import(&a->set, path, &io, e);
	else if (path && h5_is(path))
		h5_import(&a->set, path, &io, e);
	else if (path && !o.rows)
		return err_set(e, ERR_USAGE, "%s: say with --rows genes or --rows cells what the rows of this table are", path);
	else if (path)
		matrix_table_import(&a->set, path, &io, e);
	tables(a, e);
	if (e->code)
		return e->code;
	if (!a->set.axis[AXIS_VAR].known) {     /* tables of cells alone: no genes */
		struct strs none = {0};

		set_put_axis(&a->set, AXIS_VAR, &none, e);
	}
	if (set_find(&a->set, "X"))
		nnz = set_nnz(&a->set, "X", e);
	app_say(a, "%lld cells x %lld genes, %lld non-zeros", (long long)a->set.axis[AXIS_OBS].n,
	    (long long)a->set.axis[AXIS_VAR].n, (long long)nnz);
	return e->code;
}

static const char *
check(void)
{
	return o.layer && o.raw ? "--layer and --raw exclude each other" : NULL;
}

static int
plan(struct app *a, struct plan *p, struct err *e)
{
	(void)e;
	if (a->n_arg == 0 && o.obs.n + o.var.n + o.obsm.n == 0 && !isatty(0)) {
		static char dash[] = "-";

		a->arg[a->n_arg++] = dash;      /* room for argc + 1 */
	}
	if (a->n_arg == 0 && o.obs.n + o.var.n + o.obsm.n == 0)
		return err_set(e, ERR_USAGE, "no input: name a 10x folder, an .h5 or .h5ad file, or a table; see --help");
	/* measured: two blocks of 512 cells with 2,000 genes each a thread, as they come and packed, and chunks of the file */
	p->memory = a->set.spool.cap + ((int64_t)40 << 20) + a->threads * (int64_t)(80 << 20);
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "ovx-import", .summary = "counts and tables into a stream", .args = "[DIRECTORY|FILE]",
		.writes = "X,obs/*,var/*,obsm/*,varm/*,obsp/*", .shape = SHAPE_SOURCE, .opts = opts, .check = check, .plan = plan,
		.run = run, .fixture = "mtx"
	};

	return app_main(&tool, argc, argv);
}
