/* ovx-knn - nearest neighbours, and the graph of cells
 *
 * reads    obsm/X_harmony, else obsm/X_pca, or -r KEY
 * writes   obsp/distances       to the k - 1 nearest others
 *          obsp/connectivities  UMAP's membership strengths, symmetric
 *          uns/neighbors        parameters, as scanpy keeps them
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "alg/fuzzy.h"
#include "alg/knn.h"
#include "app/app.h"
#include "app/pick.h"
#include "base/mem.h"
#include "num/blas.h"

static struct {
	int64_t k, dims, recall;
	const char *key, *metric;
	int exact, approx;
} o;

static const struct opt opts[] = {
	{ 'k', "neighbors", INT(&o.k), "15", "[2,1000]", "N", "neighbours, the cell itself counted, as scanpy does", 0 },
	{ 'r', "rep", STR(&o.key), "", "", "KEY", "embedding (default: X_harmony if it is there, else X_pca)", 0 },
	{ 0, "dims", INT(&o.dims), "30", "[0,100000]", "N", "how many of its components; 0 = all", 0 },
	{ 0, "metric", STR(&o.metric), "euclidean", "euclidean|cosine", "NAME", "distance", 0 },
	{ 0, "exact", FLAG(&o.exact), "", "", "", "compare all pairs (the default below 50,000 cells)", 0 },
	{ 0, "approx", FLAG(&o.approx), "", "", "", "do not compare all pairs (the default from 50,000 cells on)", 0 },
	{ 0, "check-recall", INT(&o.recall), "0", "[0,1000000000]", "N", "measure the recall on N random cells", 0 },
	{0}
};

static struct knn_opt
options(struct app *a)
{
	struct knn_opt k = KNN_DEFAULT;

	k.k = (int)o.k - 1;
	k.metric = strcmp(o.metric, "cosine") == 0 ? KNN_COSINE : KNN_EUCLIDEAN;
	k.mode = o.exact ? KNN_EXACT : o.approx ? KNN_APPROX : KNN_AUTO;
	k.seed = a->seed;
	return k;
}

struct edge {
	int32_t col;
	float d;
};

static int
by_column(const void *a, const void *b)
{
	return ((const struct edge *)a)->col - ((const struct edge *)b)->col;
}

/* Distances as a graph: columns rising within a row. */
static int
put_distances(struct app *a, const int32_t *idx, const double *dist, int64_t n, int k, const char *from, struct err *e)
{
	int64_t *ptr = mem_raw(int64_t, n + 1);
	int32_t *col = mem_raw(int32_t, n * k);
	float *w = mem_raw(float, n * k);
	struct edge *row = mem_raw(struct edge, k);

	for (int64_t i = 0; i <= n; i++)
		ptr[i] = i * k;
	for (int64_t i = 0; i < n; i++) {
		for (int j = 0; j < k; j++)
			row[j] = (struct edge){ idx[i * k + j], (float)dist[i * k + j] };
		qsort(row, (size_t)k, sizeof *row, by_column);
		for (int j = 0; j < k; j++) {
			col[i * k + j] = row[j].col;
			w[i * k + j] = row[j].d;
		}
	}
	set_put_graph(&a->set, "obsp/distances", DT_F32, n, ptr, col, w, from, e);
	mem_free(ptr);
	mem_free(col);
	mem_free(w);
	mem_free(row);
	return e->code;
}

static void
put_uns(struct app *a, const struct pick_embedding *x, struct err *e)
{
	json_t *j = json_object(), *p = json_object();
	struct str t = {0};

	json_object_set_new(j, "connectivities_key", json_string("connectivities"));
	json_object_set_new(j, "distances_key", json_string("distances"));
	json_object_set_new(p, "method", json_string("umap"));
	json_object_set_new(p, "metric", json_string(o.metric));
	json_object_set_new(p, "n_neighbors", json_integer(o.k));
	json_object_set_new(p, "random_state", json_integer((json_int_t)a->seed));
	json_object_set_new(p, "use_rep", json_string(x->path + 5));
	json_object_set_new(p, "n_pcs", json_integer(x->dims));
	json_object_set_new(j, "params", p);
	json_text(j, &t);
	set_put_text(&a->set, "uns/neighbors", t.s, x->path, e);
	json_decref(j);
	str_clear(&t);
}

static void
check_recall(struct app *a, const struct pick_embedding *x, const struct knn_opt *k, const double *dist, struct err *e)
{
	double mean, worst;

	if (e->code || o.recall == 0)
		return;
	app_phase("measuring recall", 0);
	if (knn_recall(x->x, x->n, x->d, x->dims, k, dist, o.recall, &mean, &worst, a->par, e) == 0) {
		app_say(a, "recall %.4f, worst tenth %.4f", mean, worst);
		app_stat_real(a, "recall", mean);
		app_stat_real(a, "recall_worst_decile", worst);
	}
}

static int
run(struct app *a, struct err *e)
{
	struct pick_embedding x;
	struct knn_opt k = options(a);
	struct fuzzy g = {0};
	int32_t *idx = NULL;
	double *dist = NULL;

	if (pick_embedding(a, o.key, o.dims, &x, e))
		return e->code;
	if (o.k > x.n)
		err_set(e, ERR_USAGE, "-k %lld: there are only %lld cells", (long long)o.k, (long long)x.n);
	idx = mem_raw(int32_t, x.n * k.k);
	dist = mem_raw(double, x.n * k.k);
	app_phase("neighbours", 0);
	if (!e->code && knn_find(x.x, x.n, x.d, x.dims, &k, idx, dist, a->par, e) == 0) {
		check_recall(a, &x, &k, dist, e);
		put_distances(a, idx, dist, x.n, k.k, x.path, e);
		if (fuzzy_graph(&g, idx, dist, x.n, k.k, k.k, a->par, e) == 0) {
			set_put_graph(&a->set, "obsp/connectivities", DT_F32, x.n, g.ptr, g.col, g.w, x.path, e);
			put_uns(a, &x, e);
			app_say(a, "%lld cells, %d dimensions of %s, %lld neighbours with the cell itself, %lld edges", (long long)x.n, x.dims,
			    x.path + 5, (long long)o.k, (long long)g.ptr[x.n] / 2);
		}
		fuzzy_clear(&g);
	}
	mem_free(idx);
	mem_free(dist);
	pick_embedding_clear(&x);
	return e->code;
}

static const char *
check(void)
{
	return o.exact && o.approx ? "--exact and --approx exclude each other" : NULL;
}

static int
plan(struct app *a, struct plan *p, struct err *e)
{
	struct pick_embedding x;
	struct knn_opt k = options(a);
	int64_t find, graph;

	if (pick_embedding_shape(a, o.key, &x, e))
		return e->code;
	find = knn_bytes(x.n, (int)x.d, k.k, a->threads, k.mode);
	graph = fuzzy_bytes(x.n, k.k) + x.n * k.k * 10;
	p->memory = x.n * (x.d * 4 + k.k * 12) + (find > graph ? find : graph) + (8 << 20);
	p->output = x.n * k.k * 20;
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "ovx-knn", .summary = "nearest neighbours, and the graph of cells", .args = "[BASE [DELTA...]]",
		.reads = "", .writes = "obsp/distances,obsp/connectivities,uns/neighbors", .shape = SHAPE_FILTER,
		.flags = TOOL_SEED | TOOL_BLAS, .init = blas_init, .thread = blas_thread, .opts = opts, .check = check, .plan = plan, .run = run, .fixture = "pca"
	};

	return app_main(&tool, argc, argv);
}
