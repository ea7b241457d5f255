/* ovx-hvg - highly variable genes
 *
 * reads    X; layers/lognorm (seurat, cell_ranger); var/robust when it is there
 * writes   var/highly_variable, highly_variable_rank, means, and the score:
 *          residual_variances, variances_norm or dispersions_norm; uns/hvg
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "alg/hvg.h"
#include "app/app.h"
#include "app/pick.h"
#include "base/mem.h"
#include "cell/filter.h"

static struct {
	const char *flavor, *batch, *keep, *exclude, *layer;
	int64_t n_top, bins;
	double min_mean, max_mean, min_disp, theta, span;
	int compat;
} o;

static const struct opt opts[] = {
	{ 0, "flavor", STR(&o.flavor), "pearson", "pearson|seurat|seurat_v3|cell_ranger", "NAME", "method", 0 },
	{ 0, "n-top", INT(&o.n_top), "2000", "[0,10000000]", "N", "how many genes; 0 = by the cut-offs (seurat, cell_ranger)", 0 },
	{ 'b', "batch", STR(&o.batch), "", "", "COL", "choose genes that vary within the batches of this obs column", 0 },
	{ 0, "keep", INFILE(&o.keep), "", "", "FILE", "genes to select whatever their score, one a line", 0 },
	{ 0, "exclude", INFILE(&o.exclude), "", "", "FILE", "genes never to select, one a line", 0 },
	{ 0, "layer", STR(&o.layer), "", "", "NAME", "seurat, cell_ranger: log-normalised layer (default: lognorm if it is there, else counts per 10,000)", 0 },
	{ 0, "min-mean", REAL(&o.min_mean), "0.0125", "", "X", "cut-off of the mean", 0 },
	{ 0, "max-mean", REAL(&o.max_mean), "3", "", "X", "cut-off of the mean", 0 },
	{ 0, "min-disp", REAL(&o.min_disp), "0.5", "", "X", "cut-off of the normalised dispersion", 0 },
	{ 0, "bins", INT(&o.bins), "20", "[2,1000]", "N", "seurat: bins of the mean", 0 },
	{ 0, "theta", REAL(&o.theta), "100", "(0,inf)", "X", "pearson: over-dispersion", 0 },
	{ 0, "span", REAL(&o.span), "0.3", "(0,1]", "SHARE", "seurat_v3: span of the loess", 0 },
	{ 0, "compat", FLAG(&o.compat), "", "", "", "pearson: clip every batch like the first, as scanpy does", 0 },
	{0}
};

static enum hvg_flavor
flavor(void)
{
	return strcmp(o.flavor, "pearson") == 0 ? HVG_PEARSON : strcmp(o.flavor, "seurat") == 0 ? HVG_SEURAT :
	    strcmp(o.flavor, "seurat_v3") == 0 ? HVG_SEURAT_V3 : HVG_CELL_RANGER;
}

static void
put_f64(struct app *a, const char *path, const double *x, struct err *e)
{
	if (x)
		set_put_f64(&a->set, path, x, a->set.axis[AXIS_VAR].n, "X", e);
}

static int
put(struct app *a, const struct hvg *h, struct err *e)
{
	static const char *const score[] = { "var/residual_variances", "var/dispersions_norm", "var/dispersions_norm", "var/variances_norm" };
	static const char *const said[] = { "pearson_residuals", "seurat", "cell_ranger", "seurat_v3" };
	enum hvg_flavor f = flavor();
	int64_t n = a->set.axis[AXIS_VAR].n;
	json_t *j = json_object();
	struct str t = {0};

	put_f64(a, "var/means", h->means, e);
	put_f64(a, "var/variances", h->variances, e);
	put_f64(a, "var/dispersions", h->dispersions, e);
	put_f64(a, score[f], h->score, e);
	if (o.n_top || f == HVG_PEARSON || f == HVG_SEURAT_V3)
		put_f64(a, "var/highly_variable_rank", h->rank, e);
	set_put_bool(&a->set, "var/highly_variable", h->highly_variable, n, "X", e);
	if (o.batch) {
		int64_t *nb = mem_new(int64_t, n);

		for (int64_t i = 0; i < n; i++)
			nb[i] = h->n_batches[i];
		set_put_i64(&a->set, "var/highly_variable_nbatches", nb, n, "X", e);
		mem_free(nb);
	}
	json_object_set_new(j, "flavor", json_string(said[f]));
	json_text(j, &t);
	set_put_text(&a->set, "uns/hvg", t.s, "X", e);
	json_decref(j);
	str_clear(&t);
	return e->code;
}

static void
list(struct app *a, const char *file, uint8_t **mask, struct err *e)
{
	int64_t unknown = 0;

	if (file && filter_mask(&a->set, AXIS_VAR, file, mask, &unknown, e) == 0 && unknown)
		app_warn("%s: %lld of its names are not among the genes", file, (long long)unknown);
}

/* One cell has no variance. */
static void
too_small(const struct app *a, const struct pick_groups *g, struct err *e)
{
	int64_t *n = mem_new(int64_t, g->name.n);

	for (int64_t i = 0; i < a->set.axis[AXIS_OBS].n && g->code; i++)
		n[g->code[i]]++;
	for (int64_t b = 0; b < g->name.n && !e->code; b++)
		if (n[b] < 2)
			err_set(e, ERR_DATA, "%s: '%s' has one cell only, which has no variance; drop it (ovx-cut -e '%s != \"%s\"') or merge it "
			    "with another batch", g->path, strs_get(&g->name, b), o.batch, strs_get(&g->name, b));
	mem_free(n);
}

static int
run(struct app *a, struct err *e)
{
	struct hvg_opt ho = hvg_default(flavor());
	struct hvg h = {0};
	struct rows r = {0};
	struct pick_groups g = {0};
	struct pick_layer l = {0};
	uint8_t *robust = NULL, *force = NULL, *exclude = NULL;
	int logs = flavor() == HVG_SEURAT || flavor() == HVG_CELL_RANGER;

	ho.n_top = o.n_top;
	ho.min_mean = o.min_mean;
	ho.max_mean = o.max_mean;
	ho.min_disp = o.min_disp;
	ho.n_bins = (int)o.bins;
	ho.theta = o.theta;
	ho.span = o.span;
	ho.first_clip = o.compat;
	set_mask(&a->set, "var/robust", &robust, e);
	list(a, o.keep, &force, e);
	list(a, o.exclude, &exclude, e);
	ho.gene = robust;
	ho.force = force;
	ho.exclude = exclude;
	if (o.batch && pick_groups(a, o.batch, &g, e) == 0) {
		ho.batch = g.code;
		ho.n_batch = (int)g.name.n;
	}
	if (flavor() == HVG_SEURAT_V3)
		too_small(a, &g, e);
	if (logs && (o.layer || set_find(&a->set, "layers/lognorm"))) {
		pick_layer(a, o.layer ? o.layer : "lognorm", &l, e);
		ho.layer = &l.l;
	}
	app_phase("variances", 0);
	if (!e->code && set_rows(&a->set, "X", &r, e) == 0) {
		if (!logs)
			set_rows_flags(&r, SET_COUNTS);
		hvg_find(&r, &ho, &h, a->par, e);
	}
	if (!e->code && o.n_top && h.n_selected < o.n_top)
		app_warn("only %lld genes to choose from: fewer than the %lld asked for", (long long)h.n_selected, (long long)o.n_top);
	if (!e->code)
		put(a, &h, e);
	app_say(a, "%lld of %lld genes by %s%s%s", (long long)h.n_selected, (long long)h.n_col, o.flavor, o.batch ? " within " : "",
	    o.batch ? o.batch : "");
	app_stat_int(a, "highly_variable", h.n_selected);
	hvg_clear(&h);
	set_rows_clear(&r);
	pick_groups_clear(&g);
	pick_layer_clear(&l);
	mem_free(robust);
	mem_free(force);
	mem_free(exclude);
	return e->code;
}

static const char *
check(void)
{
	int logs = flavor() == HVG_SEURAT || flavor() == HVG_CELL_RANGER;

	if (o.n_top == 0 && !logs)
		return "--n-top 0 (cut-offs) is for seurat and cell_ranger";
	if (o.layer && !logs)
		return "--layer is for seurat and cell_ranger; the others work on counts";
	return NULL;
}

static int
plan(struct app *a, struct plan *p, struct err *e)
{
	int64_t n_obs = a->set.axis[AXIS_OBS].n, n_var = a->set.axis[AXIS_VAR].n, n_batch = 1;
	struct pick_groups g = {0};

	if (o.batch && pick_groups(a, o.batch, &g, e) == 0)
		n_batch = g.name.n;
	pick_groups_clear(&g);
	p->memory = app_rows_bytes(a, "X", e) + 30 * n_obs + n_var * 200 + n_var * n_batch * 24 * (2 * a->threads + 6);
	p->output = 40 * n_var;
	return e->code;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "ovx-hvg", .summary = "highly variable genes", .args = "[BASE [DELTA...]]", .reads = "X,var/robust",
		.writes = "var/highly_variable,var/highly_variable_rank,var/means,var/variances,uns/hvg",
		.shape = SHAPE_FILTER, .opts = opts, .check = check, .plan = plan, .run = run, .fixture = "norm", .fixture_args = "--n-top 40"
	};

	return app_main(&tool, argc, argv);
}
