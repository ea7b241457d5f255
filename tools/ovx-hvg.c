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
#include "app/shard.h"
#include "app/totals.h"
#include "base/mem.h"
#include "cell/filter.h"

static struct {
	const char *flavor, *batch, *keep, *exclude, *layer;
	int64_t n_top, bins;
	double min_mean, max_mean, min_disp, theta, span;
	int compat;
	struct shard_opt shard;
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
	SHARD_OPTS(&o.shard),
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

struct work {
	struct hvg_opt o;
	struct pick_layer l;
	uint8_t *robust, *force, *exclude;
};

static int
by_logs(void)
{
	return flavor() == HVG_SEURAT || flavor() == HVG_CELL_RANGER;
}

/* One cell has no variance. */
static int
too_small(const struct shard *s, struct err *e)
{
	for (int64_t b = 0; b < s->group.n && flavor() == HVG_SEURAT_V3 && !e->code; b++)
		if (s->n[b] < 2)
			err_set(e, ERR_DATA, "obs/%s: '%s' has one cell only, which has no variance; drop it (ovx-cut -e '%s != \"%s\"') or merge "
			    "it with another batch", o.batch, strs_get(&s->group, b), o.batch, strs_get(&s->group, b));
	return e->code;
}

/* var/robust; for merge it stands among what is common. */
static void
robust(struct shard *s, struct work *w, struct err *e)
{
	double *x;

	if (s->mode != SHARD_MERGE) {
		set_mask(&s->a->set, "var/robust", &w->robust, e);
		if (!w->robust)
			return;
		x = mem_new(double, s->n_var);
		for (int64_t g = 0; g < s->n_var; g++)
			x[g] = w->robust[g];
		shard_common(s, x, s->n_var);
		mem_free(x);
	} else if (s->n_common == s->n_var) {
		w->robust = mem_new(uint8_t, s->n_var);
		for (int64_t g = 0; g < s->n_var; g++)
			w->robust[g] = s->common[g] != 0;
	}
}

/* The statistics of round 0, where ovx-qc has left them. */
static void
known(struct shard *s, const struct work *w, struct err *e)
{
	double *x = totals_get(s->a, o.batch, o.batch ? &s->group : NULL, e);

	for (int64_t i = 0; x && w->robust && i < s->n_group * s->n_var; i++)
		if (!w->robust[i % s->n_var])
			memset(x + i * TOTALS_WIDTH, 0, TOTALS_WIDTH * sizeof *x);
	if (x)
		shard_total(s, 0, x, s->n_group * s->n_var * TOTALS_WIDTH);
	mem_free(x);
}

static int
open_work(struct shard *s, struct err *e)
{
	static const int32_t in_merge;
	struct work *w = s->ctx;
	struct hvg_opt *h = &w->o;

	*h = hvg_default(flavor());
	h->n_top = o.n_top;
	h->min_mean = o.min_mean;
	h->max_mean = o.max_mean;
	h->min_disp = o.min_disp;
	h->n_bins = (int)o.bins;
	h->theta = o.theta;
	h->span = o.span;
	h->first_clip = o.compat;
	robust(s, w, e);
	list(s->a, o.keep, &w->force, e);
	list(s->a, o.exclude, &w->exclude, e);
	h->gene = w->robust;
	h->force = w->force;
	h->exclude = w->exclude;
	if (o.batch && shard_groups(s, o.batch, e) == 0) {
		h->batch = s->code ? s->code : &in_merge;       /* that there are batches matters there, too */
		h->n_batch = s->n_group;
	}
	if (by_logs() && (s->mode == SHARD_WHOLE || s->mode == SHARD_PARTIAL) && (o.layer || set_find(&s->a->set, "layers/lognorm"))) {
		pick_layer(s->a, o.layer ? o.layer : "lognorm", &w->l, e);
		h->layer = &w->l.l;
	}
	if (s->mode == SHARD_WHOLE && !by_logs())
		known(s, w, e);
	return e->code ? e->code : hvg_check(h, s->mode == SHARD_WHOLE ? s->n_obs : s->mode == SHARD_PARTIAL ? 2 : s->n_cell, s->n_var, e);
}

static int
next(struct shard *s, int r, struct shard_want *want)
{
	struct work *w = s->ctx;

	*want = (struct shard_want){ .n = s->n_var * hvg_width(r), .per_cell = r && flavor() == HVG_PEARSON,
	    .total = r ? s->n_group * s->n_var : 0 };
	return r < hvg_rounds(&w->o);
}

static int
sums(struct shard *s, int round, struct err *e)
{
	struct work *w = s->ctx;
	struct genestat st = {0};
	struct rows r = {0};
	int32_t *order = NULL;

	app_phase(round ? "residuals" : "variances", s->n_obs);
	if (s->mode == SHARD_WHOLE && too_small(s, e))
		return e->code;
	if (round)
		genestat_of(s->total[0].x, s->n, s->n_group, s->n_var, &st);
	if (set_rows_stored(&s->a->set, "X", &r, &order, e) == 0) {
		w->o.order = order;
		if (!by_logs())
			set_rows_flags(&r, SET_COUNTS);
		shard_rows(s, &r);
		hvg_sums(&r, &w->o, round, &st, s->cell, &s->tree, e);
	}
	set_rows_clear(&r);
	genestat_clear(&st);
	mem_free(order);
	return e->code;
}

static int
reduce(struct shard *s, int round, const double *sum, const double *cell, const int32_t *code, int64_t n_cell, struct err *e)
{
	struct work *w = s->ctx;
	struct genestat st = {0};
	double *score;

	if (round == 0)
		return too_small(s, e);
	score = mem_new(double, s->n_group * s->n_var);
	genestat_of(s->total[0].x, s->n, s->n_group, s->n_var, &st);
	hvg_score(&w->o, &st, sum, cell, code, n_cell, score, s->a->par, e);
	shard_total(s, round, score, s->n_group * s->n_var);
	genestat_clear(&st);
	mem_free(score);
	return e->code;
}

static int
apply(struct shard *s, struct err *e)
{
	struct work *w = s->ctx;
	struct genestat st = {0};
	struct hvg h = {0};

	genestat_of(s->total[0].x, s->n, s->n_group, s->n_var, &st);
	hvg_finish(&w->o, &st, s->total[1].x, &h, e);
	if (!e->code && o.n_top && h.n_selected < o.n_top)
		app_warn("only %lld genes to choose from: fewer than the %lld asked for", (long long)h.n_selected, (long long)o.n_top);
	if (!e->code)
		put(s->a, &h, e);
	app_say(s->a, "%lld of %lld genes by %s%s%s", (long long)h.n_selected, (long long)h.n_col, o.flavor, o.batch ? " within " : "",
	    o.batch ? o.batch : "");
	app_stat_int(s->a, "highly_variable", h.n_selected);
	hvg_clear(&h);
	genestat_clear(&st);
	return e->code;
}

static int
run(struct app *a, struct err *e)
{
	static const struct shard_tool t = { open_work, next, sums, reduce, apply };
	struct work w = {0};

	shard_run(a, &t, &o.shard, opts, &w, e);
	pick_layer_clear(&w.l);
	mem_free(w.robust);
	mem_free(w.force);
	mem_free(w.exclude);
	return e->code;
}

static const char *
check(void)
{
	/* In merge and with a fit the options are not known yet; they have been checked then. */
	if (!o.shard.merge && !o.shard.project && o.n_top == 0 && !by_logs())
		return "--n-top 0 (cut-offs) is for seurat and cell_ranger";
	if (!o.shard.merge && !o.shard.project && o.layer && !by_logs())
		return "--layer is for seurat and cell_ranger; the others work on counts";
	return shard_check(&o.shard, opts);
}

static int
plan(struct app *a, struct plan *p, struct err *e)
{
	int64_t n_obs = a->set.axis[AXIS_OBS].n, n_var = a->set.axis[AXIS_VAR].n, n_batch;

	if (o.shard.merge) {
		shard_plan(a, &o.shard, 0, p);
		return 0;
	}
	n_batch = pick_n_groups(a, o.batch, e);
	shard_plan(a, &o.shard, 3 * n_var * n_batch, p);
	p->memory += app_rows_bytes(a, "X", 0, e) + 30 * n_obs + n_var * 200 + n_var * n_batch * 24 * (2 * a->threads + 6);
	p->output = 40 * n_var;
	return e->code;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "ovx-hvg", .summary = "highly variable genes", .args = "[BASE [DELTA...]]", .reads = "X,var/robust",
		.writes = "var/highly_variable,var/highly_variable_rank,var/means,var/variances,uns/hvg",
		.shape = SHAPE_FILTER, .opts = opts, .check = check, .raw = &o.shard.merge, .plan = plan, .run = run, .fixture = "norm", .fixture_args = "--n-top 40"
	};

	return app_main(&tool, argc, argv);
}
