/* ovx-qc - quality of cells and genes, and what to keep of them
 *
 * reads    X               counts
 * writes   obs/nUMIs detected_genes mito_perc ribo_perc hb_perc cell_complexity (fractions, not percent)
 *          obs/passing_mt passing_nUMIs passing_ngenes
 *          var/mt ribo hb  families of genes
 *          and, without --flag, drops the cells and genes that fail
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "app/app.h"
#include "app/pick.h"
#include "base/mem.h"
#include "cell/filter.h"
#include "cell/family.h"
#include "num/median.h"

static struct {
	const char *mode, *batch;
	int64_t min_umis, min_genes, min_cells;
	double max_mito, nmads;
	struct strs sets;
	int flag, compat;
} o;

static const struct opt opts[] = {
	{ 0, "mode", STR(&o.mode), "seurat", "seurat|mads", "MODE", "fixed thresholds, or medians and absolute deviations", 0 },
	{ 0, "min-umis", INT(&o.min_umis), "500", "[0,inf)", "N", "keep cells with more counts than this", 0 },
	{ 0, "min-genes", INT(&o.min_genes), "250", "[0,inf)", "N", "keep cells with more genes than this", 0 },
	{ 0, "max-mito", REAL(&o.max_mito), "0.2", "[0,inf)", "SHARE", "keep cells with a smaller mitochondrial fraction", 0 },
	{ 0, "min-cells", INT(&o.min_cells), "3", "[0,inf)", "N", "keep genes found in at least so many of the kept cells", 0 },
	{ 0, "nmads", REAL(&o.nmads), "5", "(0,inf)", "X", "mads: deviations from the median that are allowed", 0 },
	{ 'b', "batch", STR(&o.batch), "", "", "COL", "obs column of samples: medians and the table are by sample", 0 },
	{ 0, "gene-set", LIST(&o.sets), "", "", "NAME=PREFIX|@FILE", "family of genes: its share becomes obs/NAME_perc; mt, ribo and hb are built in", 0 },
	{ 0, "flag", FLAG(&o.flag), "", "", "", "keep all cells and genes, only write the columns", 0 },
	{ 0, "compat", FLAG(&o.compat), "", "", "", "ribo and hb by the original's human patterns (hb takes in HBEGF and HBS1L)", 0 },
	{0}
};

struct work {
	struct app *a;
	int64_t n, n_var;
	struct families fam;
	double *umis, *genes;   /* [n] */
	double *share;          /* [n_family][n] sums, then fractions */
	uint8_t *ok[3], *keep;  /* [n] mito, umis, genes; all */
	int64_t **count;        /* [slot][n_var] */
	int64_t *n_cells;       /* [n_var] kept cells with the gene */
	struct pick_groups g;
};

enum { OK_MITO, OK_UMIS, OK_GENES };

static int
measure(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct work *w = ctx;

	(void)slot;
	(void)e;
	for (int64_t i = 0; i < m->n_row; i++) {
		int64_t r = m->row0 + i;
		double sum = 0, n = 0;

		for (int64_t k = m->ptr[i]; k < m->ptr[i + 1]; k++) {
			uint32_t f = w->fam.of[m->col[k]];

			sum += m->val[k];
			n += m->val[k] > 0;
			for (; f; f &= f - 1)
				w->share[(int64_t)__builtin_ctz(f) * w->n + r] += m->val[k];
		}
		w->umis[r] = sum;
		w->genes[r] = n;
	}
	return 0;
}

static int
count_genes(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct work *w = ctx;

	(void)e;
	for (int64_t i = 0; i < m->n_row; i++)
		for (int64_t k = m->ptr[i]; w->keep[m->row0 + i] && k < m->ptr[i + 1]; k++)
			w->count[slot][m->col[k]] += m->val[k] > 0;
	return 0;
}

/* Bounds of the cells of one group: median and unscaled absolute deviation; a
 * lower bound of 0 or less falls back to the fixed threshold. */
static void
mad_bounds(const struct work *w, const double *x, int32_t group, double fixed, double *lo, double *hi)
{
	double *v = mem_new(double, w->n), med, mad;
	int64_t n = 0;

	for (int64_t i = 0; i < w->n; i++)
		if (!w->g.code || w->g.code[i] == group)
			v[n++] = x[i];
	med = num_median(v, n);
	for (int64_t i = 0; i < n; i++)
		v[i] = fabs(v[i] - med);
	mad = num_median(v, n);
	*lo = med - o.nmads * mad;
	*hi = med + o.nmads * mad;
	if (*lo <= 0)
		*lo = fixed;
	mem_free(v);
}

static void
judge(struct work *w)
{
	int mads = strcmp(o.mode, "mads") == 0;
	int32_t n_group = w->g.code ? (int32_t)w->g.name.n : 1;
	/* Strict thresholds first, then the plain minimum of genes. */
	double floor = o.min_genes < 200 ? (double)o.min_genes : 200;

	for (int32_t g = 0; g < n_group; g++) {
		double lo[2] = { (double)o.min_umis, (double)o.min_genes }, hi[2] = { INFINITY, INFINITY };

		if (mads) {
			mad_bounds(w, w->umis, g, lo[0], &lo[0], &hi[0]);
			mad_bounds(w, w->genes, g, lo[1], &lo[1], &hi[1]);
		}
		for (int64_t i = 0; i < w->n; i++) {
			if (w->g.code && w->g.code[i] != g)
				continue;
			w->ok[OK_MITO][i] = w->share[i] < o.max_mito;
			w->ok[OK_UMIS][i] = w->umis[i] > lo[0] && w->umis[i] < hi[0];
			w->ok[OK_GENES][i] = w->genes[i] > lo[1] && w->genes[i] < hi[1];
			w->keep[i] = w->ok[0][i] && w->ok[1][i] && w->ok[2][i] && w->genes[i] >= floor;
		}
	}
}

/* What was lost to which rule, by sample; a cell may fail several. */
static void
table(struct work *w)
{
	struct str t = {0};
	int32_t n_group = w->g.code ? (int32_t)w->g.name.n : 1;

	str_addf(&t, "%-20s %9s %9s %9s %9s %9s\n", w->g.code ? o.batch : "", "cells", "few UMIs", "few genes", "much mito", "kept");
	for (int32_t g = 0; g < n_group; g++) {
		int64_t c[5] = {0};

		for (int64_t i = 0; i < w->n; i++)
			if (!w->g.code || w->g.code[i] == g) {
				c[0]++;
				c[1] += !w->ok[OK_UMIS][i];
				c[2] += !w->ok[OK_GENES][i];
				c[3] += !w->ok[OK_MITO][i];
				c[4] += w->keep[i];
			}
		str_addf(&t, "%-20.60s %9lld %9lld %9lld %9lld %9lld\n", w->g.code ? strs_get(&w->g.name, g) : "all", (long long)c[0],
		    (long long)c[1], (long long)c[2], (long long)c[3], (long long)c[4]);
	}
	app_table(t.s);
	str_clear(&t);
}

static int
passes(struct work *w, struct err *e)
{
	struct rows r;

	if (set_rows(&w->a->set, "X", &r, e))
		return e->code;
	set_rows_flags(&r, SET_COUNTS);
	w->count = mem_new(int64_t *, r.n_slot);
	for (int i = 0; i < r.n_slot; i++)
		w->count[i] = mem_new(int64_t, w->n_var);
	app_phase("measuring cells", w->n);
	rows_pass(&r, measure, NULL, w, e);
	for (int f = 0; f < w->fam.n; f++)
		for (int64_t i = 0; i < w->n; i++)
			w->share[f * w->n + i] /= w->umis[i];   /* 0 / 0 is NaN and fails */
	judge(w);
	app_phase("counting genes", w->n);
	rows_pass(&r, count_genes, NULL, w, e);
	for (int i = 0; i < r.n_slot; i++) {
		for (int64_t g = 0; g < w->n_var; g++)
			w->n_cells[g] += w->count[i][g];
		mem_free(w->count[i]);
	}
	mem_free(w->count);
	set_rows_clear(&r);
	return e->code;
}

static int
put(struct work *w, struct err *e)
{
	struct set *s = &w->a->set;
	static const char *const pass[] = { "obs/passing_mt", "obs/passing_nUMIs", "obs/passing_ngenes" };
	int64_t *whole = mem_new(int64_t, w->n);
	uint8_t *member = mem_new(uint8_t, w->n_var);
	char path[300];

	for (int64_t i = 0; i < w->n; i++)
		whole[i] = (int64_t)w->umis[i];
	set_put_i64(s, "obs/nUMIs", whole, w->n, "X", e);
	for (int64_t i = 0; i < w->n; i++)
		whole[i] = (int64_t)w->genes[i];
	set_put_i64(s, "obs/detected_genes", whole, w->n, "X", e);
	for (int f = 0; f < w->fam.n; f++) {
		snprintf(path, sizeof path, f == 0 ? "obs/%s" : "obs/%.200s_perc", f == 0 ? "mito_perc" : strs_get(&w->fam.name, f));
		set_put_f64(s, path, w->share + f * w->n, w->n, "X", e);
		for (int64_t g = 0; g < w->n_var; g++)
			member[g] = w->fam.of[g] >> f & 1;
		snprintf(path, sizeof path, "var/%.200s", strs_get(&w->fam.name, f));
		set_put_bool(s, path, member, w->n_var, "", e);
	}
	for (int64_t i = 0; i < w->n; i++)
		w->share[i] = w->genes[i] / w->umis[i];
	set_put_f64(s, "obs/cell_complexity", w->share, w->n, "X", e);
	for (int k = 0; k < 3; k++)
		set_put_bool(s, pass[k], w->ok[k], w->n, "X", e);
	if (o.flag)
		set_put_bool(s, "obs/passing_qc", w->keep, w->n, "X", e);
	mem_free(whole);
	mem_free(member);
	return e->code;
}

static int
drop(struct work *w, struct err *e)
{
	struct set *s = &w->a->set;
	int64_t n_cell, n_gene, *cells = filter_rows(w->keep, w->n, &n_cell), *genes;
	uint8_t *keep = mem_new(uint8_t, w->n_var);

	for (int64_t g = 0; g < w->n_var; g++)
		keep[g] = w->n_cells[g] >= o.min_cells;
	genes = filter_rows(keep, w->n_var, &n_gene);
	if (n_cell == 0 && !o.flag)
		err_set(e, ERR_DATA, "none of the %lld cells passes; see the table for which rule takes them, and lower --min-umis, "
		    "--min-genes or raise --max-mito", (long long)w->n);
	else if (n_gene == 0 && !o.flag)
		err_set(e, ERR_DATA, "none of the %lld genes is found in %lld of the kept cells; lower --min-cells", (long long)w->n_var,
		    (long long)o.min_cells);
	if (!o.flag) {
		set_subset(s, AXIS_OBS, cells, n_cell, e);
		set_subset(s, AXIS_VAR, genes, n_gene, e);
	}
	app_say(w->a, "%lld of %lld cells, %lld of %lld genes%s", (long long)n_cell, (long long)w->n, (long long)n_gene,
	    (long long)w->n_var, o.flag ? " pass (all are kept: --flag)" : "");
	app_stat_int(w->a, "cells", n_cell);
	app_stat_int(w->a, "genes", n_gene);
	mem_free(cells);
	mem_free(genes);
	mem_free(keep);
	return e->code;
}

static int
run(struct app *a, struct err *e)
{
	struct work w = { .a = a, .n = a->set.axis[AXIS_OBS].n, .n_var = a->set.axis[AXIS_VAR].n };

	if (w.n == 0)
		return err_set(e, ERR_DATA, "the input has no cells");
	if (set_names(&a->set, AXIS_OBS, e) || set_names(&a->set, AXIS_VAR, e))
		return e->code;
	if (o.batch)
		pick_groups(a, o.batch, &w.g, e);
	families_find(&w.fam, &a->set.axis[AXIS_VAR].names, &o.sets, o.compat, e);
	if (!e->code && w.fam.n_member[0] == 0)
		app_warn("no gene name starts with %s: no cell has a mitochondrial fraction; name the genes with --gene-set mt=PREFIX",
		    "MT-, mt-, Mt-, mt: or ATMG");
	w.umis = mem_new(double, w.n);
	w.genes = mem_new(double, w.n);
	w.share = mem_new(double, w.n * (w.fam.n ? w.fam.n : 1));
	for (int k = 0; k < 3; k++)
		w.ok[k] = mem_new(uint8_t, w.n);
	w.keep = mem_new(uint8_t, w.n);
	w.n_cells = mem_new(int64_t, w.n_var);
	if (!e->code && passes(&w, e) == 0) {
		table(&w);
		put(&w, e);
		drop(&w, e);
	}
	mem_free(w.umis);
	mem_free(w.genes);
	mem_free(w.share);
	for (int k = 0; k < 3; k++)
		mem_free(w.ok[k]);
	mem_free(w.keep);
	mem_free(w.n_cells);
	pick_groups_clear(&w.g);
	families_clear(&w.fam);
	return e->code;
}

static int
plan(struct app *a, struct plan *p, struct err *e)
{
	int64_t n = a->set.axis[AXIS_OBS].n, n_var = a->set.axis[AXIS_VAR].n;

	p->memory = app_rows_bytes(a, "X", e) * (o.flag ? 1 : 2) + n * (120 + 8 * (3 + o.sets.n)) + n_var * (100 + 8 * (2 * a->threads + 2));
	a->block_bytes *= o.flag ? 1 : 2;       /* cut blocks beside those they are cut from */
	p->output = n * 70;
	return e->code;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "ovx-qc", .summary = "quality of cells and genes, and what to keep of them", .args = "[BASE [DELTA...]]",
		.reads = "X", .writes = "obs/nUMIs,obs/detected_genes,obs/mito_perc,obs/ribo_perc,obs/hb_perc,obs/cell_complexity,"
		    "obs/passing_mt,obs/passing_nUMIs,obs/passing_ngenes,var/mt,var/ribo,var/hb",
		.shape = SHAPE_FILTER, .opts = opts, .plan = plan, .run = run, .fixture = "small",
		.fixture_args = "--min-umis 1 --min-genes 1 --max-mito 0.5"
	};

	return app_main(&tool, argc, argv);
}
