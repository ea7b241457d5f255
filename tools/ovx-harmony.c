/* ovx-harmony - an embedding without the differences between batches
 *
 * reads    obsm/X_pca, obs columns of batches
 * writes   obsm/X_harmony  float32, in the units of the components
 *          uns/harmony     clusters, objective at each round
 */
#include <stdio.h>
#include <string.h>
#include "alg/harmony.h"
#include "app/app.h"
#include "app/pick.h"
#include "base/mem.h"
#include "num/blas.h"
#include "os/text.h"

static struct {
	const char *batch, *key;
	struct strs theta;
	double sigma, lambda;
	int64_t nclust, variant, outer, dims;
} o;

static const struct opt opts[] = {
	{ 'b', "batch", STR(&o.batch), "", "", "COL[,COL]", "batch columns in obs", 0 },
	{ 'r', "rep", STR(&o.key), "X_pca", "", "KEY", "embedding to correct", 0 },
	{ 0, "dims", INT(&o.dims), "0", "[0,100000]", "N", "how many of its components; 0 = all", 0 },
	{ 0, "theta", LIST(&o.theta), "", "", "X", "strength of mixing; repeat it for several columns (default: 2, variant 0: 1)", 0 },
	{ 0, "lambda", REAL(&o.lambda), "", "(0,inf)", "X", "ridge penalty (default: 0.2 times the expected weight, variants 1 and 0: 1)", 0 },
	{ 0, "sigma", REAL(&o.sigma), "0.1", "(0,inf)", "X", "width of the soft assignment", 0 },
	{ 0, "nclust", INT(&o.nclust), "0", "[0,100000]", "N", "clusters; 0 = a thirtieth of the cells, at most 100", 0 },
	{ 0, "variant", INT(&o.variant), "2", "[0,2]", "N", "2 = Harmony 2, 1 = R harmony 1.2 and harmonypy 0.1, 0 = harmonypy 0.0", 0 },
	{ 0, "max-iter", INT(&o.outer), "10", "[1,1000]", "N", "corrections at most", 0 },
	{0}
};

#define VAR_MOST 16

struct work {
	struct pick_groups g[VAR_MOST];
	struct harmony_var v[VAR_MOST];
	int n;
};

static int
batches(struct app *a, struct work *w, struct err *e)
{
	char *list = mem_strdup(o.batch), *save = NULL;

	for (char *p = strtok_r(list, ",", &save); p && !e->code; p = strtok_r(NULL, ",", &save)) {
		double theta = -1;

		if (w->n == VAR_MOST) {
			err_set(e, ERR_USAGE, "more than %d batch columns", VAR_MOST);
			break;
		}
		if (w->n < o.theta.n && (!text_real(strs_get(&o.theta, w->n), &theta) || !(theta >= 0)))
			err_set(e, ERR_USAGE, "--theta: '%s' is no number of 0 or more", strs_get(&o.theta, w->n));
		if (pick_groups(a, p, &w->g[w->n], e))
			break;
		if (w->g[w->n].name.n < 2)
			err_set(e, ERR_DATA, "obs/%s: one batch only (%s); there is nothing to correct: go on with X_pca", p,
			    w->g[w->n].name.n ? strs_get(&w->g[w->n].name, 0) : "none");
		if (!e->code && w->g[w->n].name.n > 20 && 2 * w->g[w->n].name.n > a->set.axis[AXIS_OBS].n)
			err_set(e, ERR_DATA, "obs/%s: %lld different values in %lld cells; that is no column of batches", p,
			    (long long)w->g[w->n].name.n, (long long)a->set.axis[AXIS_OBS].n);
		w->v[w->n] = (struct harmony_var){ w->g[w->n].code, (int32_t)w->g[w->n].name.n, theta };
		w->n++;
	}
	mem_free(list);
	return e->code;
}

static struct harmony_opt
options(struct app *a)
{
	struct harmony_opt h = harmony_defaults((int)o.variant);

	h.nclust = (int)o.nclust;
	h.sigma = o.sigma;
	if (o.lambda > 0)
		h.lambda = o.lambda;
	h.max_outer = (int)o.outer;
	h.seed = a->seed;
	return h;
}

static void
put_uns(struct app *a, const struct harmony_out *r, const char *from, struct err *e)
{
	json_t *j = json_object(), *rounds = json_array();
	struct str t = {0};

	json_object_set_new(j, "variant", json_integer(o.variant));
	json_object_set_new(j, "clusters", json_integer(r->n_cluster));
	json_object_set_new(j, "corrections", json_integer(r->n_outer));
	json_object_set_new(j, "converged", json_boolean(r->converged));
	json_set_reals(j, "objective", r->outer, r->n_outer + 1);
	json_set_reals(j, "objective_rounds", r->inner, r->n_inner);
	for (int i = 0; i < r->n_outer; i++)
		json_array_append_new(rounds, json_integer(r->rounds[i]));
	json_object_set_new(j, "rounds", rounds);
	json_text(j, &t);
	set_put_text(&a->set, "uns/harmony", t.s, from, e);
	json_decref(j);
	str_clear(&t);
}

/* The first dims columns beside each other. */
static void
narrow(struct pick_embedding *x)
{
	for (int64_t i = 0; i < x->n && x->dims < x->d; i++)
		memmove(x->x + i * x->dims, x->x + i * x->d, (size_t)x->dims * sizeof *x->x);
}

static int
run(struct app *a, struct err *e)
{
	struct work w = {0};
	struct pick_embedding x = {0};
	struct harmony_opt h = options(a);
	struct harmony_out r = {0};
	uint64_t *key = NULL;
	float *z;
	char from[900];

	batches(a, &w, e);
	pick_embedding(a, o.key, o.dims, &x, e);
	if (!e->code)
		key = set_keys(&a->set, AXIS_OBS, e);
	if (!e->code) {
		narrow(&x);
		h.key = key;
		z = mem_raw(float, x.n * x.dims);
		app_phase("correcting", 0);
		snprintf(from, sizeof from, "%s", x.path);
		for (int i = 0; i < w.n; i++)
			snprintf(from + strlen(from), sizeof from - strlen(from), ",%.200s", w.g[i].path);
		if (harmony(x.x, x.n, x.dims, w.v, w.n, &h, z, &r, a->par, e) == 0) {
			set_put_dense(&a->set, "obsm/X_harmony", DT_F32, z, x.n, x.dims, from, e);
			put_uns(a, &r, from, e);
			app_say(a, "%lld cells x %d, %s: %d clusters, %d corrections, objective %.6g -> %.6g%s", (long long)x.n, x.dims,
			    o.batch, r.n_cluster, r.n_outer, r.outer[0], r.outer[r.n_outer], r.converged ? "" : " (not settled)");
			app_stat_int(a, "corrections", r.n_outer);
			app_stat_real(a, "objective", r.outer[r.n_outer]);
		}
		harmony_out_clear(&r);
		mem_free(z);
	}
	for (int i = 0; i < w.n; i++)
		pick_groups_clear(&w.g[i]);
	pick_embedding_clear(&x);
	mem_free(key);
	return e->code;
}

static const char *
check(void)
{
	return o.batch ? NULL : "say with -b COL which obs column holds the batches";
}

static int
plan(struct app *a, struct plan *p, struct err *e)
{
	struct work w = {0};
	struct pick_embedding x = {0};
	struct harmony_opt h = options(a);

	if (batches(a, &w, e) == 0 && pick_embedding_shape(a, o.key, &x, e) == 0) {
		p->memory = harmony_bytes(x.n, (int)x.d, w.v, w.n, &h, a->threads) + 2 * x.n * x.d * 4 + x.n * (8 + 4 * w.n);
		p->output = x.n * x.d * 4;
	}
	for (int i = 0; i < w.n; i++)
		pick_groups_clear(&w.g[i]);
	return e->code;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "ovx-harmony", .summary = "an embedding without the differences between batches", .args = "[BASE [DELTA...]]",
		.reads = "", .writes = "obsm/X_harmony,uns/harmony", .shape = SHAPE_FILTER, .flags = TOOL_SEED | TOOL_BLAS, .init = blas_init, .thread = blas_thread,
		.opts = opts, .check = check, .plan = plan, .run = run, .fixture = "pca", .fixture_args = "-b sample"
	};

	return app_main(&tool, argc, argv);
}
