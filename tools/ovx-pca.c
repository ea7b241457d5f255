/* ovx-pca - exact principal components of a layer
 *
 * reads    X, layers/scaled, var/highly_variable
 * writes   obsm/X_pca      float32 scores
 *          varm/PCs        loadings, 0 for genes that were not used
 *          var/pca_mean    what the layer's values are centred by
 *          uns/pca         variance, variance_ratio, params
 *
 * With --project FIT of an earlier run nothing is fitted: the cells get scores on FIT's components.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "alg/pca.h"
#include "app/app.h"
#include "app/pick.h"
#include "app/shard.h"
#include "base/mem.h"
#include "cell/filter.h"
#include "num/blas.h"
#include "ovx-pca/stored.h"

static struct {
	int64_t k;
	const char *layer, *genes;
	int whiten;
	struct shard_opt shard;
} o;

static const struct opt opts[] = {
	{ 'k', "components", INT(&o.k), "50", "[1,10000]", "N", "number of components", 0 },
	{ 0, "layer", STR(&o.layer), "scaled", "", "NAME", "layer to decompose: scaled, lognorm or counts", 0 },
	{ 0, "genes", INFILE(&o.genes), "", "", "FILE", "genes to use, one a line (default: var/highly_variable)", 0 },
	{ 0, "whiten", FLAG(&o.whiten), "", "", "", "divide the scores by their standard deviation", 0 },
	SHARD_OPTS(&o.shard),
	{0}
};

struct work {
	struct pick_layer *l;
	struct stored *x;
	int hv;                 /* the genes are those of var/highly_variable */
	int64_t g;
	int32_t *gene;          /* [g] the user's columns, rising */
	double *zero;           /* [g] the layer's value of a zero */
	char from[500];
};

/* The genes to use: a list, highly_variable, or all that vary. */
static int32_t *
choose(struct app *a, int64_t *n, struct err *e)
{
	int64_t n_var = a->set.axis[AXIS_VAR].n, unknown = 0;
	uint8_t *use = NULL, *robust = NULL;
	int32_t *gene = mem_new(int32_t, n_var);

	*n = 0;
	if (o.genes) {
		if (filter_mask(&a->set, AXIS_VAR, o.genes, &use, &unknown, e) == 0 && unknown)
			app_warn("%s: %lld of its names are not among the genes", o.genes, (long long)unknown);
	} else if (set_find(&a->set, "var/highly_variable")) {
		set_mask(&a->set, "var/highly_variable", &use, e);
	} else {
		app_warn("var/highly_variable is not in the input: all %lld genes are used; run ovx-hvg first", (long long)n_var);
	}
	set_mask(&a->set, "var/robust", &robust, e);
	for (int64_t i = 0; i < n_var && !e->code; i++)
		if ((!use || use[i]) && (!robust || robust[i]))
			gene[(*n)++] = (int32_t)i;
	mem_free(use);
	mem_free(robust);
	return gene;
}

static void
put_uns(struct app *a, const struct work *w, const struct pca *f, struct err *e)
{
	json_t *j = json_object(), *p = json_object();
	struct str t = {0};

	json_object_set_new(p, "zero_center", json_true());
	json_object_set_new(p, "use_highly_variable", json_boolean(w->hv));
	if (w->hv)
		json_object_set_new(p, "mask_var", json_string("highly_variable"));
	json_object_set_new(p, "layer", json_string(o.layer));
	json_object_set_new(j, "params", p);
	json_set_reals(j, "variance", f->variance, f->k);
	json_set_reals(j, "variance_ratio", f->ratio, f->k);
	json_object_set_new(j, "total_variance", json_number(f->total));
	json_text(j, &t);
	set_put_text(&a->set, "uns/pca", t.s, w->from, e);
	json_decref(j);
	str_clear(&t);
}

static void
put_fit(struct app *a, const struct work *w, const struct pca *f, struct err *e)
{
	int64_t n_var = a->set.axis[AXIS_VAR].n;
	double *pcs = mem_new(double, n_var * f->k), *mean = mem_new(double, n_var);

	for (int64_t g = 0; g < n_var; g++)
		mean[g] = NAN;
	for (int64_t g = 0; g < f->g; g++) {
		memcpy(pcs + w->gene[g] * f->k, f->loading + g * f->k, (size_t)f->k * sizeof *pcs);
		mean[w->gene[g]] = f->mean[g];
	}
	set_put_f64(&a->set, "var/pca_mean", mean, n_var, w->from, e);
	set_put_dense(&a->set, "varm/PCs", DT_F64, pcs, n_var, f->k, w->from, e);
	put_uns(a, w, f, e);
	mem_free(pcs);
	mem_free(mean);
}

/* What merge and a fit need to know: whether the genes are highly_variable's, which they are, their zeros. */
static void
keep_common(struct shard *s, const struct work *w)
{
	double *c = mem_new(double, 1 + 2 * w->g);

	c[0] = w->hv;
	for (int64_t k = 0; k < w->g; k++) {
		c[1 + k] = w->gene[k];
		c[1 + w->g + k] = w->zero[k];
	}
	shard_common(s, c, 1 + 2 * w->g);
	mem_free(c);
}

static int
take_common(const struct shard *s, struct work *w, struct err *e)
{
	w->g = s->n_common / 2;
	w->gene = mem_new(int32_t, w->g);
	w->zero = mem_new(double, w->g);
	w->hv = s->n_common > 0 && s->common[0] != 0;
	for (int64_t k = 0; k < w->g; k++) {
		double c = s->common[1 + k];

		if (!(c >= 0 && c < (double)s->n_var) || (k && c <= w->gene[k - 1]))
			return err_set(e, ERR_DATA, "damaged: the genes of the components");
		w->gene[k] = (int32_t)c;
		w->zero[k] = s->common[1 + w->g + k];
	}
	return 0;
}

/* The layer and X.  name: of the layer. */
static int
open_layer(struct app *a, struct work *w, const char *name, struct err *e)
{
	char path[300];

	snprintf(path, sizeof path, "layers/%.200s", name);
	app_reads(a, path);
	if (pick_layer(a, name, w->l, e) == 0)
		stored_open(a, &w->l->l, w->x, e);
	snprintf(w->from, sizeof w->from, "X,%.300s,var/highly_variable", w->l->from);
	return e->code;
}

static int
open_work(struct shard *s, struct err *e)
{
	struct work *w = s->ctx;
	struct pca_opt po;

	if (s->mode != SHARD_MERGE && open_layer(s->a, w, o.layer, e))
		return e->code;
	if (s->n_common)
		return take_common(s, w, e);
	w->hv = !o.genes && set_find(&s->a->set, "var/highly_variable");
	w->gene = choose(s->a, &w->g, e);
	w->zero = mem_new(double, w->g);
	po = (struct pca_opt){ .layer = &w->l->l, .gene = w->gene, .g = w->g };
	if (!e->code)
		pca_zeros(&po, w->zero);
	if (!e->code)
		pca_check(s->n_obs, w->g, (int)o.k, e);
	keep_common(s, w);
	return e->code;
}

static int
next(struct shard *s, int r, struct shard_want *want)
{
	const struct work *w = s->ctx;

	*want = (struct shard_want){ .n = pca_sums_size(w->g) };
	return r == 0;
}

/* In the stream's order, which is the fastest; put into the user's, which all shards share. */
static int
sums(struct shard *s, int round, struct err *e)
{
	struct work *w = s->ctx;
	struct stored *x = w->x;
	int32_t *at = mem_new(int32_t, w->g), *to = mem_new(int32_t, w->g), *number = mem_new(int32_t, s->n_var);
	struct pca_opt po = { .layer = &x->l, .gene = at, .g = w->g };
	int64_t n = 0;

	(void)round;
	for (int64_t k = 0; k < w->g; k++)
		number[w->gene[k]] = (int32_t)k + 1;
	for (int64_t c = 0; c < s->n_var; c++)
		if (number[x->order[c]]) {
			to[n] = number[x->order[c]] - 1;
			at[n++] = (int32_t)c;
		}
	app_phase("covariance", s->n_obs);
	shard_rows(s, &x->r);
	pca_sum(&x->r, &po, &s->tree, s->a->par, e);
	pca_sums_permute(&s->tree, w->g, to);
	mem_free(at);
	mem_free(to);
	mem_free(number);
	return e->code;
}

static int
put_scores(struct shard *s, struct work *w, const struct pca *f, struct err *e)
{
	int32_t *at = mem_new(int32_t, w->g);
	struct pca_opt po = { &w->x->l, at, w->g, f->k, o.whiten };

	for (int64_t k = 0; k < w->g; k++)
		at[k] = w->x->place[w->gene[k]];
	scores_put(s->a, &w->x->r, &po, f, NULL, w->from, e);
	mem_free(at);
	return e->code;
}

static int
apply(struct shard *s, struct err *e)
{
	struct work *w = s->ctx;
	struct pca f = {0};
	double sum = 0;

	if (s->total[0].n != pca_sums_size(w->g))
		err_set(e, ERR_DATA, "damaged: the sums are not of the genes of the components");
	if (!e->code && pca_solve(s->total[0].x, s->n_cell, w->g, (int)o.k, w->zero, &f, e) == 0) {
		if (s->mode != SHARD_MERGE)
			put_scores(s, w, &f, e);
		put_fit(s->a, w, &f, e);
		for (int i = 0; i < f.k; i++)
			sum += f.ratio[i];
		app_say(s->a, "%lld cells, %lld genes of layer %s -> %lld components, %.1f %% of the variance", (long long)s->n_cell,
		    (long long)w->g, o.layer, (long long)o.k, 100 * sum);
		app_stat_int(s->a, "genes", w->g);
		app_stat_real(s->a, "variance_ratio", sum);
	}
	pca_clear(&f);
	return e->code;
}

/* Whether FIT is a fit by --merge of these genes; else it is an earlier run's result. */
static int
is_merged(struct app *a, struct err *e)
{
	struct set f;
	char *path = (char *)o.shard.project;
	int yes = 0;

	set_init(&f);
	f.spool.cap = a->set.spool.cap;
	if (set_open(&f, &path, 1, e) == 0)
		yes = set_find(&f, "uns/fit/about") && strcmp(f.axis[AXIS_VAR].digest, a->set.axis[AXIS_VAR].digest) == 0;
	set_close(&f);
	return yes;
}

static int
run(struct app *a, struct err *e)
{
	static const struct shard_tool t = { .open = open_work, .round = next, .sums = sums, .apply = apply };
	struct pick_layer l = {0};
	struct stored x = {0};
	struct work w = { .l = &l, .x = &x };
	int earlier = o.shard.project && !o.shard.merge && !is_merged(a, e);
	const char *why = o.shard.project && !earlier ? shard_check(&o.shard, opts) : NULL;

	if (why)
		err_set(e, ERR_USAGE, "%s", why);
	if (earlier && o.shard.partial)
		err_set(e, ERR_USAGE, "%s is no fit by --merge of these genes", o.shard.project);
	/* Cells on an earlier run's components take means and deviations from it, and are normalised here. */
	if (earlier && !e->code && open_layer(a, &w, strcmp(o.layer, "scaled") == 0 ? "lognorm" : o.layer, e) == 0)
		project_earlier(a, o.shard.project, o.layer, &l, &x, e);
	else if (!earlier && !e->code)
		shard_run(a, &t, &o.shard, opts, &w, e);
	mem_free(w.gene);
	mem_free(w.zero);
	stored_close(&x);
	pick_layer_clear(&l);
	return e->code;
}

static const char *
check(void)
{
	if (o.shard.merge || o.shard.partial)
		return shard_check(&o.shard, opts);
	if (o.shard.project && (o.genes || o.whiten || opt_given("components")))
		return "--project takes genes and components from the fit: leave out --genes, --whiten and -k";
	return o.shard.shard ? shard_check(&o.shard, opts) : NULL;
}

/* The share of values that are not zero, of g genes in the fullest blocks: what normalize counted and a fifth more, or a half. */
static double
fill_of(struct app *a, const uint8_t *use, int64_t g, struct err *e)
{
	double *n_cells = NULL, sum = 0, all = (double)a->set.axis[AXIS_OBS].n * (double)g, fill;

	if (all == 0 || !set_find(&a->set, "var/n_cells") || set_numbers(&a->set, "var/n_cells", &n_cells, e))
		return 0.5;
	for (int64_t i = 0; i < a->set.axis[AXIS_VAR].n; i++)
		sum += !use || use[i] ? n_cells[i] : 0;
	mem_free(n_cells);
	fill = 1.2 * sum / all;
	return fill > 0 && fill < 1 ? fill : 1;
}

static int
plan(struct app *a, struct plan *p, struct err *e)
{
	int64_t n = a->set.axis[AXIS_OBS].n, n_var = a->set.axis[AXIS_VAR].n, g = n_var;
	int64_t fit, later;
	int slots = 2 * a->threads + 2;
	uint8_t *hv = NULL;
	double fill;

	if (o.shard.merge) {
		shard_plan(a, &o.shard, 0, p);
		return 0;
	}
	if (o.genes) {
		int64_t unknown;

		filter_mask(&a->set, AXIS_VAR, o.genes, &hv, &unknown, e);
	} else {
		set_mask(&a->set, "var/highly_variable", &hv, e);
	}
	for (int64_t i = g = 0; i < n_var; i++)
		g += hv ? hv[i] : 1;
	fill = fill_of(a, hv, g, e);
	mem_free(hv);
	shard_plan(a, &o.shard, pca_sums_size(g), p);
	/* the largest of: the fit, the scores, the loadings of all genes */
	fit = pca_bytes(n, g, (int)o.k, fill, slots);
	later = pca_project_bytes(g, (int)o.k, fill, slots) + BLOCK_DENSE * o.k * 4;
	later = (later > n_var * 8 * o.k ? later : n_var * 8 * o.k) + g * o.k * 8;
	p->memory += app_rows_bytes(a, "X", 0, e) + 16 * n + n_var * 60 + (fit > later ? fit : later);
	p->output = n * o.k * 4 + n_var * o.k * 8;
	return e->code;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "ovx-pca", .summary = "exact principal components of a layer", .args = "[BASE [DELTA...]]",
		.reads = "X,var/highly_variable", .writes = "obsm/X_pca,varm/PCs,var/pca_mean,uns/pca",
		.shape = SHAPE_FILTER, .flags = TOOL_BLAS, .init = blas_init, .thread = blas_thread, .opts = opts, .check = check,
		.raw = &o.shard.merge, .plan = plan, .run = run, .fixture = "scaled", .fixture_args = "-k 10"
	};

	return app_main(&tool, argc, argv);
}
