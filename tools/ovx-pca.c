/* ovx-pca - exact principal components of a layer
 *
 * reads    X, layers/scaled, var/highly_variable
 * writes   obsm/X_pca      float32 scores
 *          varm/PCs        loadings, 0 for genes that were not used
 *          var/pca_mean    what the layer's values are centred by
 *          uns/pca         variance, variance_ratio, params
 *
 * With --project FIT nothing is fitted: the cells get scores on FIT's components.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "alg/pca.h"
#include "app/app.h"
#include "app/pick.h"
#include "base/mem.h"
#include "cell/filter.h"
#include "num/blas.h"

static struct {
	int64_t k;
	const char *layer, *genes, *project;
	int whiten;
} o;

static const struct opt opts[] = {
	{ 'k', "components", INT(&o.k), "50", "[1,10000]", "N", "number of components", 0 },
	{ 0, "layer", STR(&o.layer), "scaled", "", "NAME", "layer to decompose: scaled, lognorm or counts", 0 },
	{ 0, "genes", INFILE(&o.genes), "", "", "FILE", "genes to use, one a line (default: var/highly_variable)", 0 },
	{ 0, "whiten", FLAG(&o.whiten), "", "", "", "divide the scores by their standard deviation", 0 },
	{ 0, "project", INFILE(&o.project), "", "", "FIT", "stream with an earlier fit: put the cells onto its components", 0 },
	{0}
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
put_uns(struct app *a, const struct pca *f, const char *from, struct err *e)
{
	json_t *j = json_object(), *p = json_object();
	struct str t = {0};
	int hv = !o.genes && set_find(&a->set, "var/highly_variable");

	json_object_set_new(p, "zero_center", json_true());
	json_object_set_new(p, "use_highly_variable", json_boolean(hv));
	if (hv)
		json_object_set_new(p, "mask_var", json_string("highly_variable"));
	json_object_set_new(p, "layer", json_string(o.layer));
	json_object_set_new(j, "params", p);
	json_set_reals(j, "variance", f->variance, f->k);
	json_set_reals(j, "variance_ratio", f->ratio, f->k);
	json_object_set_new(j, "total_variance", json_number(f->total));
	json_text(j, &t);
	set_put_text(&a->set, "uns/pca", t.s, from, e);
	json_decref(j);
	str_clear(&t);
}

static void
put_fit(struct app *a, const struct pca *f, const int32_t *gene, const char *from, struct err *e)
{
	int64_t n_var = a->set.axis[AXIS_VAR].n;
	double *pcs = mem_new(double, n_var * f->k), *mean = mem_new(double, n_var);

	for (int64_t g = 0; g < n_var; g++)
		mean[g] = NAN;
	for (int64_t g = 0; g < f->g; g++) {
		memcpy(pcs + gene[g] * f->k, f->loading + g * f->k, (size_t)f->k * sizeof *pcs);
		mean[gene[g]] = f->mean[g];
	}
	set_put_f64(&a->set, "var/pca_mean", mean, n_var, from, e);
	set_put_dense(&a->set, "varm/PCs", DT_F64, pcs, n_var, f->k, from, e);
	put_uns(a, f, from, e);
	mem_free(pcs);
	mem_free(mean);
}

/* X by the stream's own columns: frequent genes first, rising within a row.  order gives the user's column of each. */
struct stored {
	struct rows r;
	int32_t *order;         /* [n_var] */
	struct layer l;         /* the layer with mean and std in that order, which are ours */
};

static double *
reorder(const double *x, const int32_t *order, int64_t n)
{
	double *to = x ? mem_new(double, n) : NULL;

	for (int64_t i = 0; x && i < n; i++)
		to[i] = x[order[i]];
	return to;
}

static int
stored_open(struct app *a, const struct layer *l, struct stored *s, struct err *e)
{
	int64_t n = a->set.axis[AXIS_VAR].n;

	memset(s, 0, sizeof *s);
	if (set_rows_stored(&a->set, "X", &s->r, &s->order, e))
		return e->code;
	s->l = *l;
	s->l.mean = reorder(l->mean, s->order, n);
	s->l.std = reorder(l->std, s->order, n);
	return 0;
}

static void
stored_close(struct stored *s)
{
	mem_free((double *)s->l.mean);
	mem_free((double *)s->l.std);
	mem_free(s->order);
	if (s->r.self)
		set_rows_clear(&s->r);
}

/* The n genes (user's columns) by the stream's order: user gets their user's columns, the result the stream's. */
static int32_t *
by_frequency(const struct stored *s, int64_t n_var, int32_t *user, int64_t n)
{
	int32_t *to = mem_new(int32_t, n), *old = mem_new(int32_t, n_var);
	int64_t at = 0;

	for (int64_t i = 0; i < n; i++)
		old[user[i]] = 1;
	for (int64_t i = 0; i < n_var; i++)
		if (old[s->order[i]]) {
			to[at] = (int32_t)i;
			user[at++] = s->order[i];
		}
	mem_free(old);
	return to;
}

static int
fit(struct app *a, struct pick_layer *l, struct stored *s, struct err *e)
{
	int64_t n = a->set.axis[AXIS_OBS].n, g;
	int32_t *gene = choose(a, &g, e), *at = by_frequency(s, a->set.axis[AXIS_VAR].n, gene, g);
	struct pca_opt po = { &s->l, at, g, (int)o.k, o.whiten };
	struct pca f = {0};
	float *x;
	char from[500];
	double sum = 0;

	snprintf(from, sizeof from, "X,%.300s,var/highly_variable", l->from);
	app_phase("covariance", n);
	if (!e->code && pca_fit(&s->r, &po, &f, a->par, e) == 0) {
		x = mem_raw(float, n * o.k);
		app_phase("scores", n);
		pca_project(&s->r, &po, &f, x, e);
		set_put_dense(&a->set, "obsm/X_pca", DT_F32, x, n, o.k, from, e);
		put_fit(a, &f, gene, from, e);
		mem_free(x);
		for (int i = 0; i < f.k; i++)
			sum += f.ratio[i];
		app_say(a, "%lld cells, %lld genes of layer %s -> %lld components, %.1f %% of the variance", (long long)n, (long long)g,
		    o.layer, (long long)o.k, 100 * sum);
		app_stat_int(a, "genes", g);
		app_stat_real(a, "variance_ratio", sum);
	}
	pca_clear(&f);
	mem_free(gene);
	mem_free(at);
	return e->code;
}

/* An earlier fit, with its genes found in this input. */
struct earlier {
	struct set set;
	double *pcs, *centre, *mean, *std;      /* in FIT's genes */
	int64_t n_var, k;
	int32_t *at;            /* [n_var] gene of this input, or -1 */
	double clip;
};

static int
open_fit(struct app *a, struct earlier *f, struct err *e)
{
	struct map m = {0};
	char *path = (char *)o.project;
	int64_t n, missing = 0, used = 0;
	struct item *it;

	set_init(&f->set);
	f->set.spool.cap = a->set.spool.cap;
	if (set_open(&f->set, &path, 1, e) || set_names(&f->set, AXIS_VAR, e) || set_names(&a->set, AXIS_VAR, e) ||
	    set_dense64(&f->set, "varm/PCs", &f->pcs, &f->n_var, &f->k, e))
		return e->code;
	set_numbers(&f->set, "var/pca_mean", &f->centre, e);
	if (strcmp(o.layer, "scaled") == 0) {
		set_numbers(&f->set, "var/mean", &f->mean, e);
		set_numbers(&f->set, "var/std", &f->std, e);
		it = set_need(&f->set, "layers/scaled", NULL, e);
		if (it && head_get(&it->s->head, "clip"))
			f->clip = strtod(head_get(&it->s->head, "clip"), NULL);
	}
	map_of(&m, &a->set.axis[AXIS_VAR].names);
	f->at = mem_new(int32_t, f->n_var);
	for (n = 0; n < f->n_var && !e->code; n++) {
		f->at[n] = (int32_t)map_get(&m, strs_get(&f->set.axis[AXIS_VAR].names, n));
		used += !isnan(f->centre[n]);
		missing += !isnan(f->centre[n]) && f->at[n] < 0;
	}
	map_clear(&m);
	if (!e->code && missing == used)
		err_set(e, ERR_DATA, "%s: none of its genes is in the input", o.project);
	else if (!e->code && missing)
		app_warn("%lld of the fit's %lld genes are missing here and count as 0", (long long)missing, (long long)used);
	return e->code;
}

/* A gene that this input lacks has the value of a zero in every cell: the same
 * shift of all scores. */
static void
absent(const struct earlier *f, const struct layer *l, double *shift)
{
	for (int64_t g = 0; g < f->n_var; g++) {
		double z;

		if (isnan(f->centre[g]) || f->at[g] >= 0)
			continue;
		z = f->mean ? -f->mean[g] / f->std[g] : 0;
		if (l->clip > 0)
			z = z < -l->clip ? -l->clip : z > l->clip ? l->clip : z;
		for (int64_t k = 0; k < f->k; k++)
			shift[k] += (z - f->centre[g]) * f->pcs[g * f->k + k];
	}
}

static int
project(struct app *a, struct pick_layer *l, struct stored *s, struct err *e)
{
	struct earlier f = {0};
	int64_t n = a->set.axis[AXIS_OBS].n, n_var = a->set.axis[AXIS_VAR].n, g = 0;
	struct pca p = {0};
	struct pca_opt po = {0};
	int32_t *gene = mem_new(int32_t, n_var), *place = mem_new(int32_t, n_var);
	double *mean = mem_new(double, n_var), *sd = mem_new(double, n_var), *shift;
	struct layer here;
	float *x;

	if (open_fit(a, &f, e) == 0) {
		p.loading = mem_new(double, f.n_var * f.k);
		p.mean = mem_new(double, f.n_var);
		shift = mem_new(double, f.k);
		for (int64_t i = 0; i < n_var; i++) {
			sd[i] = 1;
			place[s->order[i]] = (int32_t)i;
		}
		for (int64_t i = 0; i < f.n_var; i++) {
			if (isnan(f.centre[i]) || f.at[i] < 0)
				continue;
			gene[g] = place[f.at[i]];
			if (f.mean) {
				mean[gene[g]] = f.mean[i];
				sd[gene[g]] = f.std[i];
			}
			p.mean[g] = f.centre[i];
			memcpy(p.loading + g * f.k, f.pcs + i * f.k, (size_t)f.k * sizeof *p.loading);
			g++;
		}
		here = (struct layer){ l->l.row_div, l->l.log1p, f.mean ? mean : NULL, f.mean ? sd : NULL, f.clip };
		po = (struct pca_opt){ &here, gene, g, (int)f.k, 0 };
		p.n = n;
		p.g = g;
		p.k = (int)f.k;
		absent(&f, &here, shift);
		x = mem_raw(float, n * f.k);
		pca_project(&s->r, &po, &p, x, e);
		for (int64_t i = 0; i < n && !e->code; i++)
			for (int64_t k = 0; k < f.k; k++)
				x[i * f.k + k] += (float)shift[k];
		set_put_dense(&a->set, "obsm/X_pca", DT_F32, x, n, f.k, l->from, e);
		app_say(a, "%lld cells onto %lld components of an earlier fit, %lld genes", (long long)n, (long long)f.k, (long long)g);
		mem_free(x);
		mem_free(shift);
		mem_free(p.loading);
		mem_free(p.mean);
	}
	mem_free(gene);
	mem_free(place);
	mem_free(mean);
	mem_free(sd);
	mem_free(f.pcs);
	mem_free(f.centre);
	mem_free(f.mean);
	mem_free(f.std);
	mem_free(f.at);
	set_close(&f.set);
	return e->code;
}

static int
run(struct app *a, struct err *e)
{
	struct pick_layer l = {0};
	struct stored s = {0};
	/* A projection takes means and deviations from the fit, and normalises here. */
	const char *layer = o.project && strcmp(o.layer, "scaled") == 0 ? "lognorm" : o.layer;
	char path[300];

	snprintf(path, sizeof path, "layers/%.200s", layer);
	app_reads(a, path);
	if (pick_layer(a, layer, &l, e) == 0 && stored_open(a, &l.l, &s, e) == 0) {
		if (o.project)
			project(a, &l, &s, e);
		else
			fit(a, &l, &s, e);
	}
	stored_close(&s);
	pick_layer_clear(&l);
	return e->code;
}

static const char *
check(void)
{
	if (o.project && (o.genes || o.whiten || opt_given("components")))
		return "--project takes genes and components from the fit: leave out --genes, --whiten and -k";
	return NULL;
}

static int
plan(struct app *a, struct plan *p, struct err *e)
{
	int64_t n = a->set.axis[AXIS_OBS].n, n_var = a->set.axis[AXIS_VAR].n, g = n_var;
	uint8_t *hv = NULL;

	if (o.genes) {
		int64_t unknown;

		filter_mask(&a->set, AXIS_VAR, o.genes, &hv, &unknown, e);
	} else {
		set_mask(&a->set, "var/highly_variable", &hv, e);
	}
	for (int64_t i = g = 0; i < n_var; i++)
		g += hv ? hv[i] : 1;
	mem_free(hv);
	p->memory = app_rows_bytes(a, "X", e) + 24 * n + n_var * (8 * o.k + 60) + pca_bytes(n, g, (int)o.k, 2 * a->threads + 2);
	p->output = n * o.k * 4 + n_var * o.k * 8;
	return e->code;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "ovx-pca", .summary = "exact principal components of a layer", .args = "[BASE [DELTA...]]",
		.reads = "X,var/highly_variable", .writes = "obsm/X_pca,varm/PCs,var/pca_mean,uns/pca",
		.shape = SHAPE_FILTER, .flags = TOOL_BLAS, .init = blas_init, .thread = blas_thread, .opts = opts, .check = check, .plan = plan, .run = run,
		.fixture = "scaled", .fixture_args = "-k 10"
	};

	return app_main(&tool, argc, argv);
}
