/* ovx-doublet - scores of cells that may be two, and which to call so
 *
 * reads    X                       counts
 *          obs/COL                 samples (-b)
 * writes   obs/doublet_score       float64, NaN where there is none
 *          obs/predicted_doublet   boolean, missing where there is no call
 *          uns/scrublet            parameters, and for each sample threshold, rates, scores of the simulated doublets
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "alg/scrublet.h"
#include "app/app.h"
#include "app/pick.h"
#include "base/mem.h"
#include "num/blas.h"
#include "os/text.h"

#define SIM_MOST 10000          /* simulated scores that are written one by one */
#define WARN_MOST 10            /* samples that are named in warnings */
#define COMPAT_SEED 1234

static struct {
	const char *batch, *threshold;
	int64_t k, neighbors, n_top;
	double rate, ratio, percentile;
	int compat;
} o;

static const struct opt opts[] = {
	{ 'b', "batch", STR(&o.batch), "", "", "COL", "obs column of samples; each is scored alone", 0 },
	{ 'k', "components", INT(&o.k), "0", "[0,1000]", "N", "principal components; 0 = 15, with --compat 30", 0 },
	{ 0, "neighbors", INT(&o.neighbors), "0", "[0,10000]", "N", "neighbours among cells; 0 = half of the square root of their number", 0 },
	{ 0, "expected-rate", REAL(&o.rate), "0.05", "(0,1)", "SHARE", "expected share of doublets", 0 },
	{ 0, "sim-ratio", REAL(&o.ratio), "2", "(0,20]", "X", "simulated doublets a cell", 0 },
	{ 0, "percentile", REAL(&o.percentile), "85", "[0,100)", "P", "use genes whose V-score is above this percentile", 0 },
	{ 0, "n-top", INT(&o.n_top), "2000", "[1,65535]", "N", "and at most so many", 0 },
	{ 0, "threshold", STR(&o.threshold), "auto", "", "auto|X", "score above which a cell is called a doublet", 0 },
	{ 0, "compat", FLAG(&o.compat), "", "", "", "genes, scaling and random numbers as in OmicVerse (seed 1234 unless -s is given)", 0 },
	{0}
};

static int
options(struct app *a, const struct pick_groups *g, struct scrublet_opt *s, struct err *e)
{
	*s = scrublet_default();
	s->compat = o.compat;
	s->batch = g->code;
	s->n_batch = g->code ? (int)g->name.n : 1;
	s->n_pc = o.k ? (int)o.k : o.compat ? 30 : 15;
	s->percentile = o.percentile;
	s->n_top = o.n_top;
	s->n_neighbors = o.neighbors;
	s->sim_ratio = o.ratio;
	s->rate = o.rate;
	s->seed = o.compat && !opt_given("seed") ? COMPAT_SEED : a->seed;
	if (s->hold > a->memory / 16)
		s->hold = a->memory / 16;
	if (strcmp(o.threshold, "auto") && (!text_real(o.threshold, &s->threshold) || isnan(s->threshold)))
		return err_set(e, ERR_USAGE, "--threshold: '%s' is neither auto nor a number", o.threshold);
	if (o.compat && s->seed > UINT32_MAX)
		return err_set(e, ERR_USAGE, "--seed: with --compat at most %u", UINT32_MAX);
	return 0;
}

static int
samples(struct app *a, struct pick_groups *g, struct err *e)
{
	int64_t n = a->set.axis[AXIS_OBS].n;

	memset(g, 0, sizeof *g);
	if (o.batch && pick_groups(a, o.batch, g, e) == 0 && g->name.n > 20 && 2 * g->name.n > n)
		err_set(e, ERR_DATA, "%s: %lld different values in %lld cells; that is no column of samples", g->path, (long long)g->name.n,
		    (long long)n);
	return e->code;
}

static const char *
name_of(const struct pick_groups *g, int b)
{
	return g->code ? strs_get(&g->name, b) : "all";
}

static json_t *
report(const struct scrublet_opt *s, const struct scrublet_batch *q)
{
	static const char *const by[] = { "none", "given", "minimum", "expected rate" };
	json_t *j = json_object(), *p = json_object(), *h;
	double called = q->n_used ? (double)q->n_called / (double)q->n_used : 0;

	json_object_set_new(p, "expected_doublet_rate", json_number(s->rate));
	json_object_set_new(p, "sim_doublet_ratio", json_number(s->sim_ratio));
	json_object_set_new(p, "n_neighbors", json_integer(q->k));
	json_object_set_new(p, "n_prin_comps", json_integer(s->n_pc));
	json_object_set_new(p, "random_state", json_integer((json_int_t)s->seed));
	json_object_set_new(j, "parameters", p);
	json_object_set_new(j, "cells", json_integer(q->n));
	json_object_set_new(j, "cells_used", json_integer(q->n_used));
	json_object_set_new(j, "genes", json_integer(q->n_gene));
	if (q->why) {
		json_object_set_new(j, "no_call", json_string(q->why));
		return j;
	}
	if (!isnan(q->threshold))
		json_object_set_new(j, "threshold", json_number(q->threshold));
	json_object_set_new(j, "threshold_by", json_string(by[q->by]));
	json_object_set_new(j, "detected_doublet_rate", json_number(called));
	json_object_set_new(j, "detectable_doublet_fraction", json_number(q->detectable));
	if (q->detectable > 0)
		json_object_set_new(j, "overall_doublet_rate", json_number(called / q->detectable));
	json_object_set_new(j, "simulated", json_integer(q->n_sim));
	if (q->n_scored <= SIM_MOST) {
		json_set_reals(j, "doublet_scores_sim", q->sim, q->n_scored);
		return j;
	}
	json_object_set_new(j, "scores_sim_from", json_number(q->lo));
	json_object_set_new(j, "scores_sim_to", json_number(q->hi));
	h = json_array();
	for (int i = 0; i < SCRUBLET_BINS; i++)
		json_array_append_new(h, json_integer(q->hist[i]));
	json_object_set_new(j, "scores_sim_histogram", h);
	return j;
}

static void
put_uns(struct app *a, const struct scrublet_opt *so, const struct scrublet *s, const struct pick_groups *g, const char *from,
	struct err *e)
{
	json_t *j, *all = json_object();
	struct str t = {0};

	if (g->code) {
		j = json_object();
		json_object_set_new(j, "batched_by", json_string(o.batch));
		for (int b = 0; b < s->n_batch; b++)
			json_object_set_new(all, name_of(g, b), report(so, &s->batch[b]));
		json_object_set_new(j, "batches", all);
	} else {
		json_decref(all);
		j = report(so, &s->batch[0]);
	}
	json_object_set_new(j, "compat", json_boolean(so->compat));
	json_text(j, &t);
	set_put_text(&a->set, "uns/scrublet", t.s, from, e);
	json_decref(j);
	str_clear(&t);
}

static void
table(const struct scrublet *s, const struct pick_groups *g)
{
	struct str t = {0};

	str_addf(&t, "%-20.60s %9s %7s %10s %9s %8s %11s\n", g->code ? o.batch : "", "cells", "genes", "threshold", "doublets", "percent",
	    "detectable");
	for (int b = 0; b < s->n_batch; b++) {
		const struct scrublet_batch *q = &s->batch[b];

		str_addf(&t, "%-20.60s %9lld %7lld ", name_of(g, b), (long long)q->n, (long long)q->n_gene);
		if (q->why)
			str_addf(&t, "%10s %9s\n", "-", "no call");
		else
			str_addf(&t, "%10.4g %9lld %8.2f %10.1f%%\n", q->threshold, (long long)q->n_called,
			    100 * (double)q->n_called / (double)q->n_used, 100 * q->detectable);
	}
	app_table(t.s);
	str_clear(&t);
}

/* What a user should know of the samples. */
static void
warn(const struct scrublet_opt *so, const struct scrublet *s, const struct pick_groups *g)
{
	int n = 0;

	for (int b = 0; b < s->n_batch; b++) {
		const struct scrublet_batch *q = &s->batch[b];

		if (!q->why && (q->by == SCRUBLET_MINIMUM || q->by == SCRUBLET_GIVEN))
			continue;
		if (n++ >= WARN_MOST)
			continue;
		if (q->why)
			app_warn("%.60s: %s for %d components (%lld cells, %lld genes): no score and no call", name_of(g, b), q->why,
			    so->n_pc, (long long)q->n_used, (long long)q->n_gene);
		else if (q->by == SCRUBLET_RATE)
			app_warn("%.60s: the scores of simulated doublets have no two modes; the highest %g %% of the cells are called; "
			    "look at the scores and give --threshold", name_of(g, b), 100 * o.rate);
		else
			app_warn("%.60s: the scores of simulated doublets have no two modes: no cell is called a doublet; look at the "
			    "scores and give --threshold", name_of(g, b));
	}
	if (n > WARN_MOST)
		app_warn("and %d more samples like these", n - WARN_MOST);
}

static void
put(struct app *a, const struct scrublet_opt *so, const struct scrublet *s, const struct pick_groups *g, struct err *e)
{
	struct column c = { .dtype = DT_BOOL, .n = s->n_row, .b = s->call };
	char from[400];
	int64_t called = 0, none = 0;

	snprintf(from, sizeof from, "X%s%s", g->code ? "," : "", g->path);
	for (int64_t i = 0; i < s->n_row; i++) {
		called += s->call[i] == 1;
		none += s->call[i] == 2;
	}
	c.na = none > 0;
	set_put_f64(&a->set, "obs/doublet_score", s->score, s->n_row, from, e);
	set_put_column(&a->set, "obs/predicted_doublet", &c, from, e);
	put_uns(a, so, s, g, from, e);
	table(s, g);
	warn(so, s, g);
	app_say(a, "%lld of %lld cells are called doublets%s%s", (long long)called, (long long)s->n_row,
	    g->code ? ", each within its " : "", g->code ? o.batch : "");
	if (none && s->n_batch > 1)
		app_say(a, "no call for %lld", (long long)none);
	app_stat_int(a, "doublets", called);
	app_stat_int(a, "no_call", none);
}

static int
run(struct app *a, struct err *e)
{
	struct pick_groups g;
	struct scrublet_opt so;
	struct scrublet s = {0};
	struct rows r = {0};
	uint64_t *key = NULL;

	samples(a, &g, e);
	options(a, &g, &so, e);
	if (!o.batch && !e->code && (set_find(&a->set, "obs/sample") || set_find(&a->set, "obs/batch")))
		app_warn("all cells are taken as one sample; doublets form within one: name their column with -b (there is obs/%s)",
		    set_find(&a->set, "obs/sample") ? "sample" : "batch");
	if (!e->code)
		key = set_keys(&a->set, AXIS_OBS, e);
	so.key = key;
	app_phase("scoring", 0);
	if (!e->code && set_rows(&a->set, "X", &r, e) == 0) {
		set_rows_flags(&r, SET_COUNTS);
		scrublet(&r, &so, &s, a->par, e);
	}
	if (!e->code)
		put(a, &so, &s, &g, e);
	scrublet_clear(&s);
	set_rows_clear(&r);
	pick_groups_clear(&g);
	mem_free(key);
	return e->code;
}

static const char *
check(void)
{
	if (o.compat && (opt_given("n-top") || opt_given("percentile")))
		return "--compat chooses genes by its own cut-offs: --n-top and --percentile are not for it";
	return NULL;
}

static int
plan(struct app *a, struct plan *p, struct err *e)
{
	int64_t n = a->set.axis[AXIS_OBS].n, nnz = -1, *size;
	struct pick_groups g;
	struct scrublet_opt so;
	struct item *it;

	samples(a, &g, e);
	options(a, &g, &so, e);
	it = e->code ? NULL : set_find(&a->set, "X");
	if (it && !(it->pending && !it->s->complete))
		nnz = set_nnz(&a->set, "X", e);
	size = mem_new(int64_t, so.n_batch);
	for (int64_t i = 0; i < n; i++)
		size[g.code ? g.code[i] : 0]++;
	p->memory = app_rows_bytes(a, "X", 0, e) + scrublet_bytes(n, a->set.axis[AXIS_VAR].n, size, nnz, &so, a->threads) + 12 * n;
	p->output = 9 * n + so.n_batch * (int64_t)(SIM_MOST * 20 + 1000);
	mem_free(size);
	pick_groups_clear(&g);
	return e->code;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "ovx-doublet", .summary = "scores of cells that may be two", .args = "[BASE [DELTA...]]",
		.reads = "X", .writes = "obs/doublet_score,obs/predicted_doublet,uns/scrublet", .shape = SHAPE_FILTER,
		.flags = TOOL_SEED | TOOL_BLAS, .init = blas_init, .thread = blas_thread,
		.opts = opts, .check = check, .plan = plan, .run = run, .fixture = "small", .fixture_args = "-b sample -k 10 --threshold 0.3"
	};

	return app_main(&tool, argc, argv);
}
