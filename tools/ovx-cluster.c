/* ovx-cluster - communities of the graph of cells
 *
 * reads    obsp/connectivities
 * writes   obs/leiden or obs/louvain; with several resolutions obs/leiden_r0.5, ...
 *          uns/leiden ...  parameters, modularity
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "alg/leiden.h"
#include "app/app.h"
#include "base/mem.h"
#include "base/rng.h"
#include "os/text.h"

static struct {
	const char *method, *resolution, *graph, *name;
	int64_t iter, starts;
	int unweighted;
} o;

static const struct opt opts[] = {
	{ 0, "method", STR(&o.method), "leiden", "leiden|louvain", "NAME", "method", 0 },
	{ 0, "resolution", STR(&o.resolution), "1", "", "X[,X...]", "resolutions; more clusters with a higher one", 0 },
	{ 'p', "path", STR(&o.graph), "obsp/connectivities", "", "PATH", "graph", 0 },
	{ 0, "key-added", STR(&o.name), "", "", "NAME", "name of the column (default: the method)", 0 },
	{ 0, "max-iter", INT(&o.iter), "0", "[0,1000000]", "N", "rounds at most; 0 = until nothing gets better", 0 },
	{ 0, "starts", INT(&o.starts), "0", "[0,1000]", "N", "independent starts, the best of which is kept; 0 = by the size of the graph", 0 },
	{ 0, "unweighted", FLAG(&o.unweighted), "", "", "", "every edge counts 1", 0 },
	{0}
};

#define RES_MOST 100

struct resolution {
	double value;
	char text[40];
};

/* The list of resolutions; their number. */
static int
resolutions(struct resolution *r, struct err *e)
{
	char *list = mem_strdup(o.resolution), *save = NULL;
	int n = 0;

	for (char *p = strtok_r(list, ",", &save); p && !e->code; p = strtok_r(NULL, ",", &save)) {
		if (n == RES_MOST || strlen(p) >= sizeof r->text || !text_real(p, &r[n].value) || !(r[n].value >= 0))
			err_set(e, ERR_USAGE, "--resolution: '%s' is no number of 0 or more", p);
		else
			memcpy(r[n++].text, p, strlen(p) + 1);
	}
	if (n == 0)
		err_set(e, ERR_USAGE, "--resolution: no number in '%s'", o.resolution);
	mem_free(list);
	return n;
}

static int
put(struct app *a, const char *name, const struct resolution *r, const struct leiden_result *res, const int32_t *label,
	int64_t n, struct err *e)
{
	struct column c;
	char path[600], number[16];
	json_t *j = json_object(), *p = json_object();
	struct str t = {0};

	column_init(&c, DT_CAT, n);
	memcpy(c.i32, label, (size_t)n * sizeof *label);
	for (int32_t k = 0; k < res->n_comm; k++) {
		snprintf(number, sizeof number, "%d", k);
		strs_add(&c.cat, number, strlen(number));
	}
	snprintf(path, sizeof path, "obs/%.500s", name);
	set_put_column(&a->set, path, &c, o.graph, e);
	column_clear(&c);
	json_object_set_new(p, "resolution", json_number(r->value));
	json_object_set_new(p, "random_state", json_integer((json_int_t)a->seed));
	json_object_set_new(p, "n_iterations", json_integer(o.iter ? (json_int_t)o.iter : -1));
	json_object_set_new(j, "params", p);
	json_object_set_new(j, "modularity", json_number(res->modularity));
	json_text(j, &t);
	snprintf(path, sizeof path, "uns/%.500s", name);
	set_put_text(&a->set, path, t.s, o.graph, e);
	app_say(a, "%s at %s: %d clusters, modularity %.4f", o.method, r->text, res->n_comm, res->modularity);
	app_stat_int(a, path + 4, res->n_comm);
	json_decref(j);
	str_clear(&t);
	return e->code;
}

/* Whether every edge stands in both its rows with one weight: by sums of hashes. */
static int
symmetric(int64_t n, const int64_t *ptr, const int32_t *col, const float *w)
{
	uint64_t up = 0, down = 0;

	for (int64_t i = 0; i < n; i++)
		for (int64_t k = ptr[i]; k < ptr[i + 1]; k++) {
			struct { int32_t a, b; float w; } edge = { (int32_t)(i < col[k] ? i : col[k]), (int32_t)(i < col[k] ? col[k] : i), w[k] };
			uint64_t h = rng_hash(&edge, sizeof edge, 0);

			if (i < col[k])
				up += h;
			else if (i > col[k])
				down += h;
		}
	return up == down;
}

static int
run(struct app *a, struct err *e)
{
	struct resolution res[RES_MOST];
	int n_res = resolutions(res, e);
	int64_t n, *ptr = NULL;
	int32_t *col = NULL, *label = NULL;
	float *w = NULL;
	uint64_t *key = NULL;

	app_reads(a, o.graph);
	if (e->code || !set_need(&a->set, o.graph, "run ovx-knn first", e) || set_graph(&a->set, o.graph, &n, &ptr, &col, &w, e))
		return e->code;
	if (!symmetric(n, ptr, col, w))
		err_set(e, ERR_DATA, "%s is not symmetric: communities need a graph like obsp/connectivities", o.graph);
	key = set_keys(&a->set, AXIS_OBS, e);
	label = mem_raw(int32_t, n);
	app_phase("clustering", n_res);
	for (int i = 0; i < n_res && !e->code; i++) {
		struct leiden_opt lo = LEIDEN_DEFAULT;
		struct leiden_result r;
		char name[300];

		lo.resolution = res[i].value;
		lo.seed = a->seed;
		lo.max_iter = (int)o.iter;
		lo.n_start = (int)o.starts;
		lo.louvain = strcmp(o.method, "louvain") == 0;
		lo.unweighted = o.unweighted;
		snprintf(name, sizeof name, "%.200s", o.name ? o.name : o.method);
		if (n_res > 1)
			snprintf(name + strlen(name), sizeof name - strlen(name), "_r%s", res[i].text);
		if (leiden(n, ptr, col, w, key, &lo, label, &r, a->par, e) == 0)
			put(a, name, &res[i], &r, label, n, e);
		a->set.tick(i + 1, n_res);
	}
	mem_free(ptr);
	mem_free(col);
	mem_free(w);
	mem_free(key);
	mem_free(label);
	return e->code;
}

static int
plan(struct app *a, struct plan *p, struct err *e)
{
	struct item *it = set_need(&a->set, o.graph, "run ovx-knn first", e);
	int64_t n, nnz = 0;

	if (!it || in_heads(it->s, e))
		return e->code;
	n = set_rows_of(&a->set, it);
	for (int64_t i = 0; i < it->s->n_block; i++)
		nnz += it->s->block[i].n_item;
	p->memory = 8 * nnz + 28 * n + leiden_bytes(n, nnz, a->threads) + (4 << 20);
	p->output = 4 * n;
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "ovx-cluster", .summary = "communities of the graph of cells", .args = "[BASE [DELTA...]]", .reads = "",
		.writes = "obs/leiden,uns/leiden", .shape = SHAPE_FILTER, .flags = TOOL_SEED, .opts = opts, .plan = plan, .run = run,
		.fixture = "knn"
	};

	return app_main(&tool, argc, argv);
}
