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
#include "app/shard.h"
#include "base/mem.h"

static struct { const char *layer; double clip; struct shard_opt shard; } o;

static const struct opt opts[] = {
	{ 0, "layer", STR(&o.layer), "lognorm", "", "NAME", "layer to scale", 0 },
	{ 0, "max-value", REAL(&o.clip), "10", "[0,inf)", "Z", "clip at this many standard deviations; 0 = no clip", 0 },
	SHARD_OPTS(&o.shard),
	{0}
};

static int
put_columns(struct app *a, const struct genestat *st, const double *sd, const struct pick_layer *l, struct err *e)
{
	int64_t n = a->set.axis[AXIS_VAR].n;

	set_put_f64(&a->set, "var/mean", st->mean, n, l->from, e);
	return set_put_f64(&a->set, "var/std", sd, n, l->from, e);
}

static int
put_formula(struct app *a, const struct pick_layer *l, struct err *e)
{
	char layer[300], from[500], clip[40];
	struct item *it;
	const char *div;
	struct strs kv = {0};

	snprintf(layer, sizeof layer, "layers/%.200s", o.layer);
	snprintf(clip, sizeof clip, "%.17g", o.clip);
	it = strcmp(o.layer, "counts") ? set_find(&a->set, layer) : NULL;
	div = it ? head_get(&it->s->head, "div") : NULL;
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
open_layer(struct shard *s, struct err *e)
{
	struct pick_layer *l = s->ctx;

	if (s->mode == SHARD_MERGE)
		return e->code;
	pick_layer(s->a, o.layer, l, e);
	if (!e->code && l->l.mean)
		err_set(e, ERR_USAGE, "layers/%s is scaled already", o.layer);
	return e->code;
}

static int
next(struct shard *s, int r, struct shard_want *w)
{
	*w = (struct shard_want){ .n = s->n_var * GENESTAT_WIDTH };
	return r == 0;
}

static int
sums(struct shard *s, int round, struct err *e)
{
	struct pick_layer *l = s->ctx;
	struct genestat_opt go = { .layer = &l->l, .no_counts = 1 };
	struct rows r = {0};
	int32_t *order = NULL;

	(void)round;
	app_phase("means and deviations", s->n_obs);
	if (set_rows_stored(&s->a->set, "X", &r, &order, e) == 0) {
		shard_rows(s, &r);
		go.order = order;
		genestat_sums(&r, &go, NULL, &s->tree, e);
	}
	set_rows_clear(&r);
	mem_free(order);
	return e->code;
}

static int
apply(struct shard *s, struct err *e)
{
	struct pick_layer *l = s->ctx;
	struct genestat st = {0};
	double *sd = mem_new(double, s->n_var);

	if (s->n_cell < 2)
		err_set(e, ERR_DATA, "a standard deviation needs 2 cells; there are %lld", (long long)s->n_cell);
	genestat_of(s->total[0].x, s->n, 1, s->n_var, &st);
	genestat_std(st.var, s->n_var, sd);
	put_columns(s->a, &st, sd, l, e);
	if (s->mode != SHARD_MERGE) {
		put_formula(s->a, l, e);
		app_say(s->a, "%lld genes over %lld cells", (long long)s->n_var, (long long)s->n_cell);
	}
	genestat_clear(&st);
	mem_free(sd);
	return e->code;
}

static int
run(struct app *a, struct err *e)
{
	static const struct shard_tool t = { .open = open_layer, .round = next, .sums = sums, .apply = apply };
	struct pick_layer l = {0};

	shard_run(a, &t, &o.shard, opts, &l, e);
	pick_layer_clear(&l);
	return e->code;
}

static const char *
check(void)
{
	return shard_check(&o.shard, opts);
}

static int
plan(struct app *a, struct plan *p, struct err *e)
{
	int64_t n_obs = a->set.axis[AXIS_OBS].n, n_var = a->set.axis[AXIS_VAR].n;

	if (shard_plan(a, &o.shard, 3 * n_var, p))
		return 0;
	p->memory += app_rows_bytes(a, "X", 0, e) + 8 * n_obs + n_var * 24 * (2 * a->threads + 12);
	p->output = 16 * n_var;
	return e->code;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "ovx-scale", .summary = "mean and deviation of every gene, and the scaled layer as a formula",
		.args = "[BASE [DELTA...]]", .reads = "X,layers/lognorm", .writes = "var/mean,var/std,layers/scaled",
		.shape = SHAPE_FILTER, .opts = opts, .check = check, .raw = &o.shard.merge, .plan = plan, .run = run, .fixture = "norm"
	};

	return app_main(&tool, argc, argv);
}
