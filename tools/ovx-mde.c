/* ovx-mde - a picture that keeps neighbours together
 *
 * reads    obsm/X_harmony, else obsm/X_pca, or -r KEY; with --graph obsp/connectivities
 * writes   obsm/X_mde      float32, mean 0, variance 1, uncorrelated
 *          uns/mde         distortion, iterations, parameters
 *
 * The neighbour graph in obsp/ is left alone.
 */
#include <stdio.h>
#include <string.h>
#include "alg/knn.h"
#include "alg/mde.h"
#include "app/app.h"
#include "app/pick.h"
#include "base/mem.h"
#include "num/blas.h"

static struct {
	int64_t k, dims, dim, iter;
	double repel;
	const char *key;
	int graph;
} o;

static const struct opt opts[] = {
	{ 'k', "neighbors", INT(&o.k), "15", "[1,1000]", "N", "neighbours, the cell itself not counted", 0 },
	{ 'r', "rep", STR(&o.key), "", "", "KEY", "embedding (default: X_harmony if it is there, else X_pca)", 0 },
	{ 0, "dims", INT(&o.dims), "30", "[0,100000]", "N", "how many of its components; 0 = all", 0 },
	{ 0, "graph", FLAG(&o.graph), "", "", "", "take the neighbours from obsp/connectivities", 0 },
	{ 0, "embedding-dim", INT(&o.dim), "2", "[1,8]", "N", "dimensions of the picture", 0 },
	{ 0, "repulsive-fraction", REAL(&o.repel), "0.7", "[0,100]", "X", "pairs that are pushed apart, as a share of the neighbours", 0 },
	{ 0, "max-iter", INT(&o.iter), "300", "[1,1000000]", "N", "iterations at most", 0 },
	{0}
};

/* Edges from our own neighbours of the embedding. */
static int
from_embedding(struct app *a, struct mde_edges *g, char from[300], struct err *e)
{
	struct pick_embedding x;
	struct knn_opt k = KNN_DEFAULT;
	int32_t *idx;
	double *dist;

	if (pick_embedding(a, o.key, o.dims, &x, e))
		return e->code;
	snprintf(from, 300, "%s", x.path);
	if (o.k >= x.n)
		err_set(e, ERR_USAGE, "-k %lld: there are only %lld cells", (long long)o.k, (long long)x.n);
	k.k = (int)o.k;
	k.seed = a->seed;
	idx = mem_raw(int32_t, x.n * o.k);
	dist = mem_raw(double, x.n * o.k);
	app_phase("neighbours", 0);
	if (!e->code && knn_find(x.x, x.n, x.d, x.dims, &k, idx, dist, a->par, e) == 0) {
		mem_free(dist);
		dist = NULL;
		mde_neighbours(g, idx, x.n, (int)o.k, e);
	}
	mem_free(idx);
	mem_free(dist);
	pick_embedding_clear(&x);
	return e->code;
}

/* Edges from a stored graph: its pairs, with weight 1. */
static int
from_graph(struct app *a, struct mde_edges *g, char from[300], struct err *e)
{
	int64_t n, *ptr, m = 0;
	int32_t *col, *edge;
	float *w, *one;

	snprintf(from, 300, "obsp/connectivities");
	app_reads(a, from);
	if (set_graph(&a->set, from, &n, &ptr, &col, &w, e))
		return e->code;
	edge = mem_raw(int32_t, ptr[n]);
	one = mem_raw(float, ptr[n] / 2 + 1);
	for (int64_t i = 0; i < n; i++)
		for (int64_t k = ptr[i]; k < ptr[i + 1]; k++)
			if (col[k] > i && w[k] > 0 && m < ptr[n] / 2) {
				edge[2 * m] = (int32_t)i;
				edge[2 * m + 1] = col[k];
				one[m++] = 1;
			}
	mde_list(g, n, m, edge, one, e);
	mem_free(ptr);
	mem_free(col);
	mem_free(w);
	mem_free(edge);
	mem_free(one);
	return e->code;
}

static void
put_uns(struct app *a, const struct mde_out *r, const char *from, struct err *e)
{
	json_t *j = json_object();
	struct str t = {0};

	json_object_set_new(j, "distortion", json_number(r->distortion));
	json_object_set_new(j, "distortion_start", json_number(r->start));
	json_object_set_new(j, "residual", json_number(r->residual));
	json_object_set_new(j, "iterations", json_integer(r->n_iter));
	json_object_set_new(j, "components", json_integer(r->n_component));
	json_set_reals(j, "trace", r->trace, r->n_trace);
	json_text(j, &t);
	set_put_text(&a->set, "uns/mde", t.s, from, e);
	json_decref(j);
	str_clear(&t);
}

static int
run(struct app *a, struct err *e)
{
	struct mde_edges g = {0};
	struct mde_opt mo = MDE_DEFAULT;
	struct mde_out r = {0};
	char from[300] = "";
	uint64_t *key = NULL;
	float *x = NULL;

	if (o.graph)
		from_graph(a, &g, from, e);
	else
		from_embedding(a, &g, from, e);
	mde_repel(&g, o.repel, a->seed, a->par, e);
	key = e->code ? NULL : set_keys(&a->set, AXIS_OBS, e);
	if (!e->code) {
		mo.dim = (int)o.dim;
		mo.max_iter = (int)o.iter;
		mo.seed = a->seed;
		mo.key = key;
		x = mem_raw(float, g.n * o.dim);
		app_phase("embedding", 0);
		if (mde(&g, &mo, x, &r, a->par, e) == 0) {
			set_put_dense(&a->set, "obsm/X_mde", DT_F32, x, g.n, o.dim, from, e);
			put_uns(a, &r, from, e);
			app_say(a, "%lld cells of %s, distortion %.4f -> %.4f in %d iterations%s", (long long)g.n, from, r.start, r.distortion,
			    r.n_iter, r.n_component > 1 ? "; the graph has several parts" : "");
			app_stat_real(a, "distortion", r.distortion);
			app_stat_int(a, "iterations", r.n_iter);
		}
	}
	mde_out_clear(&r);
	mde_edges_clear(&g);
	mem_free(x);
	mem_free(key);
	return e->code;
}

static const char *
check(void)
{
	return o.graph && o.key ? "--graph and -r exclude each other" : NULL;
}

static int
plan(struct app *a, struct plan *p, struct err *e)
{
	struct pick_embedding x;
	struct mde_opt mo = MDE_DEFAULT;
	int64_t n = a->set.axis[AXIS_OBS].n, find = 0, k = o.k;

	mo.dim = (int)o.dim;
	if (o.graph) {
		struct item *it = set_need(&a->set, "obsp/connectivities", "run ovx-knn first", e);

		if (!it || in_heads(it->s, e))
			return e->code;
		for (int64_t i = k = 0; i < it->s->n_block; i++)
			k += it->s->block[i].n_item;
		find = 16 * k;
		k = n ? k / n + 1 : 1;
	} else if (pick_embedding_shape(a, o.key, &x, e) == 0) {
		n = x.n;
		find = x.n * (x.d * 4 + k * 12) + knn_bytes(x.n, (int)x.d, (int)k, a->threads, KNN_AUTO);
	}
	p->memory = mde_bytes(n, (int)k, o.repel, &mo);
	p->memory = (p->memory > find ? p->memory : find) + n * (8 + 4 * o.dim + 4 * k) + (8 << 20);
	p->output = n * o.dim * 4;
	return e->code;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "ovx-mde", .summary = "a picture that keeps neighbours together", .args = "[BASE [DELTA...]]",
		.reads = "", .writes = "obsm/X_mde,uns/mde", .shape = SHAPE_FILTER, .flags = TOOL_SEED | TOOL_BLAS, .init = blas_init, .thread = blas_thread,
		.opts = opts, .check = check, .plan = plan, .run = run, .fixture = "pca"
	};

	return app_main(&tool, argc, argv);
}
