/* ovx-scale - mean and standard deviation of every gene, and the scaled layer
 *
 * reads    X, layers/lognorm
 * writes   var/mean        of the log-normalised values
 *          var/std         ddof 1; 1 where it is 0
 *          layers/scaled   (lognorm - mean) / std, clipped, never written out
 */
#include <stdio.h>
#include <string.h>
#include "alg/genestat.h"
#include "app/app.h"
#include "app/pick.h"
#include "base/mem.h"

static struct { const char *layer; double clip; } o;

static const struct opt opts[] = {
	{ 0, "layer", STR(&o.layer), "lognorm", "", "NAME", "layer to scale", 0 },
	{ 0, "max-value", REAL(&o.clip), "10", "[0,inf)", "Z", "clip at this many standard deviations; 0 = no clip", 0 },
	{0}
};

static int
put(struct app *a, const struct genestat *st, double *sd, const struct pick_layer *l, struct err *e)
{
	int64_t n = a->set.axis[AXIS_VAR].n;
	char layer[300], from[500], clip[40];
	struct item *it;
	const char *div;
	struct strs kv = {0};

	snprintf(layer, sizeof layer, "layers/%.200s", o.layer);
	snprintf(clip, sizeof clip, "%.17g", o.clip);
	it = strcmp(o.layer, "counts") ? set_find(&a->set, layer) : NULL;
	div = it ? head_get(&it->s->head, "div") : NULL;
	set_put_f64(&a->set, "var/mean", st->mean, n, l->from, e);
	set_put_f64(&a->set, "var/std", sd, n, l->from, e);
	{
		const char *const f[] = { "x", "X", l->l.log1p ? "log1p" : NULL, "1", div ? "div" : NULL, div, "mean", "var/mean", "std",
			"var/std", o.clip > 0 ? "clip" : NULL, clip };

		for (size_t i = 0; i < sizeof f / sizeof *f; i += 2)
			if (f[i]) {
				strs_add(&kv, f[i], strlen(f[i]));
				strs_add(&kv, f[i + 1], strlen(f[i + 1]));
			}
	}
	snprintf(from, sizeof from, "%.400s,var/mean,var/std", l->from);
	set_put_formula(&a->set, "layers/scaled", &kv, from, e);
	strs_clear(&kv);
	return e->code;
}

static int
run(struct app *a, struct err *e)
{
	int64_t n_obs = a->set.axis[AXIS_OBS].n, n_var = a->set.axis[AXIS_VAR].n;
	struct pick_layer l = {0};
	struct genestat_opt go = {0};
	struct genestat st = {0};
	struct rows r = {0};
	double *sd = mem_new(double, n_var);

	if (n_obs < 2)
		err_set(e, ERR_DATA, "a standard deviation needs 2 cells; there are %lld", (long long)n_obs);
	pick_layer(a, o.layer, &l, e);
	if (!e->code && l.l.mean)
		err_set(e, ERR_USAGE, "layers/%s is scaled already", o.layer);
	go.layer = &l.l;
	app_phase("means and deviations", n_obs);
	if (!e->code && set_rows(&a->set, "X", &r, e) == 0 && genestat_get(&r, &go, NULL, &st, e) == 0) {
		genestat_std(st.var, n_var, sd);
		put(a, &st, sd, &l, e);
		app_say(a, "%lld genes over %lld cells", (long long)n_var, (long long)n_obs);
	}
	genestat_clear(&st);
	set_rows_clear(&r);
	pick_layer_clear(&l);
	mem_free(sd);
	return e->code;
}

static int
plan(struct app *a, struct plan *p, struct err *e)
{
	int64_t n_obs = a->set.axis[AXIS_OBS].n, n_var = a->set.axis[AXIS_VAR].n;

	p->memory = app_rows_bytes(a, "X", e) + 8 * n_obs + n_var * 24 * (2 * a->threads + 12);
	p->output = 16 * n_var;
	return e->code;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "ovx-scale", .summary = "mean and deviation of every gene, and the scaled layer as a formula",
		.args = "[BASE [DELTA...]]", .reads = "X,layers/lognorm", .writes = "var/mean,var/std,layers/scaled",
		.shape = SHAPE_FILTER, .opts = opts, .plan = plan, .run = run, .fixture = "norm"
	};

	return app_main(&tool, argc, argv);
}
