/* ovx-normalize - size factors, and the log-normalised layer as a formula
 *
 * reads    X               counts
 * writes   obs/size_factor divisor of each cell: f / T
 *          var/robust      genes in at least 0.05 % of the cells
 *          var/n_cells     cells with a count
 *          var/highly_expressed   genes left out of the size factors
 *          layers/lognorm  ln(1 + x / size_factor), never written out
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "app/app.h"
#include "base/mem.h"
#include "num/median.h"

static struct {
	double target, fraction, percent;
	const char *exclude;
} o;

static const struct opt opts[] = {
	{ 0, "target-sum", REAL(&o.target), "500000", "[0,inf)", "SUM", "what cells are scaled to; 0 = the median of their sums", 0 },
	{ 0, "exclude-highly-expressed", STR(&o.exclude), "yes", "yes|no", "WHAT", "leave out of a cell's sum the genes that dominate any cell", 0 },
	{ 0, "max-fraction", REAL(&o.fraction), "0.2", "(0,1]", "SHARE", "share of a cell's counts above which a gene dominates it", 0 },
	{ 0, "min-percent", REAL(&o.percent), "0.05", "[0,100]", "PERCENT", "share of cells that a robust gene is found in, in percent", 0 },
	{0}
};

struct work {
	int64_t n_var;
	int64_t **count;        /* [slot][n_var] cells with the gene, of a block */
	int64_t *n_cells;       /* [n_var] */
	uint8_t *robust, *excluded;     /* [n_var] */
	uint8_t **dominant;     /* [slot][n_var] */
	double *sum;            /* [n_obs] over robust genes, then without the excluded */
	int without;
	int64_t empty, bare;    /* cells with no counts of robust genes; and with none but of excluded ones */
};

static int
count_cells(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct work *w = ctx;
	int64_t n = m->ptr[m->n_row];

	(void)e;
	for (int64_t k = 0; k < n; k++)
		w->count[slot][m->col[k]] += m->val[k] > 0;
	return 0;
}

/* Sums of the rows; genes that dominate one are marked in the slot. */
static int
sum_rows(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct work *w = ctx;

	(void)e;
	for (int64_t i = 0; i < m->n_row; i++) {
		double s = 0;

		for (int64_t k = m->ptr[i]; k < m->ptr[i + 1]; k++)
			if (w->robust[m->col[k]] && !(w->without && w->excluded[m->col[k]]))
				s += m->val[k];
		w->sum[m->row0 + i] = s;
		for (int64_t k = m->ptr[i]; k < m->ptr[i + 1] && !w->without; k++)
			if (m->val[k] > o.fraction * s && w->robust[m->col[k]])
				w->dominant[slot][m->col[k]] = 1;
	}
	return 0;
}

static double
median_positive(const double *x, int64_t n)
{
	double *v = mem_new(double, n), m;
	int64_t k = 0;

	for (int64_t i = 0; i < n; i++)
		if (x[i] > 0)
			v[k++] = x[i];
	m = k == 0 ? 1 : num_median(v, k);
	mem_free(v);
	return m;
}

static int64_t
passes(struct app *a, struct work *w, struct err *e)
{
	struct rows r;
	int64_t n_obs = a->set.axis[AXIS_OBS].n, n_excluded = 0;

	if (set_rows(&a->set, "X", &r, e))
		return 0;
	set_rows_flags(&r, SET_COUNTS);
	w->count = mem_new(int64_t *, r.n_slot);
	w->dominant = mem_new(uint8_t *, r.n_slot);
	for (int i = 0; i < r.n_slot; i++) {
		w->count[i] = mem_new(int64_t, w->n_var);
		w->dominant[i] = mem_new(uint8_t, w->n_var);
	}
	app_phase("counting cells", n_obs);
	rows_pass(&r, count_cells, NULL, w, e);
	for (int64_t g = 0; g < w->n_var; g++) {
		for (int i = 0; i < r.n_slot; i++)
			w->n_cells[g] += w->count[i][g];
		w->robust[g] = w->n_cells[g] > 0 && 100.0 * (double)w->n_cells[g] / (double)n_obs >= o.percent;
	}
	app_phase("summing", n_obs);
	rows_pass(&r, sum_rows, NULL, w, e);
	for (int64_t g = 0; g < w->n_var; g++) {
		for (int i = 0; i < r.n_slot; i++)
			w->excluded[g] |= w->dominant[i][g];
		w->excluded[g] = w->excluded[g] && strcmp(o.exclude, "yes") == 0;
		n_excluded += w->excluded[g];
	}
	for (int64_t i = 0; i < n_obs; i++)
		w->empty += w->sum[i] == 0;
	w->without = 1;
	if (n_excluded)
		rows_pass(&r, sum_rows, NULL, w, e);
	for (int64_t i = 0; i < n_obs; i++)
		w->bare += w->sum[i] == 0;
	w->bare -= w->empty;
	for (int i = 0; i < r.n_slot; i++) {
		mem_free(w->count[i]);
		mem_free(w->dominant[i]);
	}
	mem_free(w->count);
	mem_free(w->dominant);
	set_rows_clear(&r);
	return n_excluded;
}

static int
put(struct app *a, struct work *w, double target, struct err *e)
{
	struct set *s = &a->set;
	int64_t n_obs = s->axis[AXIS_OBS].n;
	struct strs kv = {0};
	static const char *const formula[] = { "x", "X", "log1p", "1", "div", "obs/size_factor" };

	for (int64_t i = 0; i < n_obs; i++)
		w->sum[i] /= target;
	set_put_f64(s, "obs/size_factor", w->sum, n_obs, "X", e);
	set_put_bool(s, "var/robust", w->robust, w->n_var, "X", e);
	set_put_bool(s, "var/highly_expressed", w->excluded, w->n_var, "X", e);
	set_put_i64(s, "var/n_cells", w->n_cells, w->n_var, "X", e);
	for (size_t i = 0; i < sizeof formula / sizeof *formula; i++)
		strs_add(&kv, formula[i], strlen(formula[i]));
	set_put_formula(s, "layers/lognorm", &kv, "X,obs/size_factor", e);
	strs_clear(&kv);
	return e->code;
}

static int
run(struct app *a, struct err *e)
{
	int64_t n_obs = a->set.axis[AXIS_OBS].n, n_var = a->set.axis[AXIS_VAR].n, n_robust = 0, n_ex;
	struct work w = { .n_var = n_var };
	double target = o.target;
	char names[200] = "";

	w.n_cells = mem_new(int64_t, n_var);
	w.robust = mem_new(uint8_t, n_var);
	w.excluded = mem_new(uint8_t, n_var);
	w.sum = mem_new(double, n_obs);
	n_ex = passes(a, &w, e);
	for (int64_t g = 0; g < n_var; g++)
		n_robust += w.robust[g];
	if (!e->code && n_robust == 0)
		err_set(e, ERR_DATA, "X has no gene in %g %% of the cells", o.percent);
	if (target == 0)
		target = median_positive(w.sum, n_obs);
	if (!e->code)
		put(a, &w, target, e);
	if (!e->code && w.empty)
		app_warn("%lld cells have no counts; run ovx-qc first", (long long)w.empty);
	if (!e->code && w.bare)
		app_warn("%lld cells have counts only of the genes that dominate a cell, which are left out of the sums: their size factor "
		    "is 0; use --exclude-highly-expressed no, or more genes", (long long)w.bare);
	for (int64_t g = 0; g < n_var && !e->code && a->set.axis[AXIS_VAR].known; g++)
		if (w.excluded[g] && strlen(names) < 150)
			snprintf(names + strlen(names), sizeof names - strlen(names), " %s", strs_get(&a->set.axis[AXIS_VAR].names, g));
	app_say(a, "%lld cells to a sum of %g, %lld of %lld genes robust, %lld left out of the sums%s%s", (long long)n_obs, target,
	    (long long)n_robust, (long long)n_var, (long long)n_ex, n_ex ? ":" : "", names);
	app_stat_int(a, "robust", n_robust);
	app_stat_int(a, "excluded", n_ex);
	app_stat_real(a, "target_sum", target);
	mem_free(w.n_cells);
	mem_free(w.robust);
	mem_free(w.excluded);
	mem_free(w.sum);
	return e->code;
}

static int
plan(struct app *a, struct plan *p, struct err *e)
{
	int64_t n_obs = a->set.axis[AXIS_OBS].n, n_var = a->set.axis[AXIS_VAR].n;

	p->memory = app_rows_bytes(a, "X", e) + 17 * n_obs + n_var * (20 + 9 * (2 * a->threads + 2));
	p->output = 10 * n_obs + 12 * n_var;
	return e->code;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "ovx-normalize", .summary = "size factors, and the log-normalised layer as a formula", .args = "[BASE [DELTA...]]",
		.reads = "X", .writes = "obs/size_factor,var/robust,var/highly_expressed,var/n_cells,layers/lognorm",
		.shape = SHAPE_FILTER, .opts = opts, .plan = plan, .run = run, .fixture = "small"
	};

	return app_main(&tool, argc, argv);
}
