/* ovx-qc - quality of cells and genes, and what to keep of them
 *
 * reads    X               counts
 * writes   obs/nUMIs detected_genes mito_perc ribo_perc hb_perc cell_complexity (fractions, not percent)
 *          obs/passing_mt passing_nUMIs passing_ngenes
 *          var/mt ribo hb  families of genes
 *          varm/gene_totals, uns/gene_totals  sums over the kept cells, for the tools that follow
 *          and, without --flag, drops the cells and genes that fail
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "app/app.h"
#include "app/pick.h"
#include "app/shard.h"
#include "app/totals.h"
#include "alg/genestat.h"
#include "base/mem.h"
#include "base/rng.h"
#include "cell/filter.h"
#include "cell/family.h"
#include "num/median.h"

static struct {
	const char *mode, *batch;
	int64_t min_umis, min_genes, min_cells;
	double max_mito, nmads;
	struct strs sets;
	int flag, compat;
	struct shard_opt shard;
} o;

static const struct opt opts[] = {
	{ 0, "mode", STR(&o.mode), "seurat", "seurat|mads", "MODE", "fixed thresholds, or medians and absolute deviations", 0 },
	{ 0, "min-umis", INT(&o.min_umis), "500", "[0,inf)", "N", "keep cells with more counts than this", 0 },
	{ 0, "min-genes", INT(&o.min_genes), "250", "[0,inf)", "N", "keep cells with more genes than this", 0 },
	{ 0, "max-mito", REAL(&o.max_mito), "0.2", "[0,inf)", "SHARE", "keep cells with a smaller mitochondrial fraction", 0 },
	{ 0, "min-cells", INT(&o.min_cells), "3", "[0,inf)", "N", "keep genes found in at least so many of the kept cells", 0 },
	{ 0, "nmads", REAL(&o.nmads), "5", "(0,inf)", "X", "mads: deviations from the median that are allowed", 0 },
	{ 'b', "batch", STR(&o.batch), "", "", "COL", "obs column of samples: medians and the table are by sample", 0 },
	{ 0, "gene-set", LIST(&o.sets), "", "", "NAME=PREFIX|@FILE", "family of genes: its share becomes obs/NAME_perc; mt, ribo and hb are built in", 0 },
	{ 0, "flag", FLAG(&o.flag), "", "", "", "keep all cells and genes, only write the columns", 0 },
	{ 0, "compat", FLAG(&o.compat), "", "", "", "ribo and hb by the original's human patterns (hb takes in HBEGF and HBS1L)", 0 },
	SHARD_OPTS(&o.shard),
	{0}
};

#define MOST_GROUPS 32  /* with more of them gene totals are of all cells together */
#define EXTRA 4         /* behind the sums of a group's genes: cells kept, and a sum of hashes of their names */

struct work {
	struct shard *s;
	int64_t n, n_var;
	struct families fam;
	double *umis, *genes;   /* [n] */
	double *share;          /* [n_family][n] sums, then fractions */
	uint8_t *ok[3], *keep;  /* [n] mito, umis, genes; all */
	const double *bounds;   /* [n_group][4] of mads: lowest and highest counts, and genes; NULL while they are not known */
	int heads;              /* umis and genes are from the heads of the blocks, else from the rows */
	int measured;
	uint32_t *family;       /* [n_var] of the stream's columns */
	uint8_t *some;          /* [n_var] it is not 0 */
};

enum { OK_MITO, OK_UMIS, OK_GENES };

static int
by_mads(void)
{
	return strcmp(o.mode, "mads") == 0;
}

/* Whether cell i passes. */
static void
judge(struct work *w, int64_t i)
{
	/* Strict thresholds first, then the plain minimum of genes. */
	double floor = o.min_genes < 200 ? (double)o.min_genes : 200;
	double b[4] = { (double)o.min_umis, INFINITY, (double)o.min_genes, INFINITY };

	if (by_mads())
		memcpy(b, w->bounds + 4 * (w->s->code ? w->s->code[i] : 0), sizeof b);
	w->ok[OK_MITO][i] = w->share[i] < o.max_mito;
	w->ok[OK_UMIS][i] = w->umis[i] > b[0] && w->umis[i] < b[1];
	w->ok[OK_GENES][i] = w->genes[i] > b[2] && w->genes[i] < b[3];
	w->keep[i] = w->ok[0][i] && w->ok[1][i] && w->ok[2][i] && w->genes[i] >= floor;
}

/* Families of a block's cells, and, where the limits are known, which cells pass. */
static int
measure(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct work *w = ctx;

	(void)slot;
	(void)e;
	for (int64_t i = 0; i < m->n_row; i++) {
		int64_t r = m->row0 + i;

		const int32_t *col = m->col + m->ptr[i];
		const double *x = m->val + m->ptr[i];
		int64_t n = m->ptr[i + 1] - m->ptr[i];

		for (int64_t k = 0; k < n && !w->heads; k++) {
			w->umis[r] += x[k];
			w->genes[r] += x[k] > 0;
		}
		for (int64_t k = 0; k < n; k++)
			if (w->some[col[k]])
				for (uint32_t f = w->family[col[k]]; f; f &= f - 1)
					w->share[(int64_t)__builtin_ctz(f) * w->n + r] += x[k];
		for (int f = 0; f < w->fam.n; f++)
			w->share[f * w->n + r] /= w->umis[r];   /* 0 / 0 is NaN and fails */
		if (!by_mads() || w->bounds)
			judge(w, r);
	}
	return 0;
}

/* Bounds of the cells of one group: median and unscaled absolute deviation; a
 * lower bound of 0 or less falls back to the fixed threshold.  x [n][2], its column k. */
static void
mad_bounds(const double *x, int k, const int32_t *code, int64_t n_cell, int32_t group, double fixed, double *lo, double *hi)
{
	double *v = mem_new(double, n_cell), med, mad;
	int64_t n = 0;

	for (int64_t i = 0; i < n_cell; i++)
		if (!code || code[i] == group)
			v[n++] = x[2 * i + k];
	med = num_median(v, n);
	for (int64_t i = 0; i < n; i++)
		v[i] = fabs(v[i] - med);
	mad = num_median(v, n);
	*lo = med - o.nmads * mad;
	*hi = med + o.nmads * mad;
	if (*lo <= 0)
		*lo = fixed;
	mem_free(v);
}

/* What was lost to which rule, by sample; a cell may fail several. */
static void
table(struct work *w)
{
	struct str t = {0};
	int32_t n_group = w->s->n_group;

	str_addf(&t, "%-20s %9s %9s %9s %9s %9s\n", w->s->code ? o.batch : "", "cells", "few UMIs", "few genes", "much mito", "kept");
	for (int32_t g = 0; g < n_group; g++) {
		int64_t c[5] = {0};

		for (int64_t i = 0; i < w->n; i++)
			if (!w->s->code || w->s->code[i] == g) {
				c[0]++;
				c[1] += !w->ok[OK_UMIS][i];
				c[2] += !w->ok[OK_GENES][i];
				c[3] += !w->ok[OK_MITO][i];
				c[4] += w->keep[i];
			}
		str_addf(&t, "%-20.60s %9lld %9lld %9lld %9lld %9lld\n", w->s->code ? strs_get(&w->s->group, g) : "all", (long long)c[0],
		    (long long)c[1], (long long)c[2], (long long)c[3], (long long)c[4]);
	}
	app_table(t.s);
	str_clear(&t);
}

static int
put(struct work *w, struct err *e)
{
	struct set *s = &w->s->a->set;
	static const char *const pass[] = { "obs/passing_mt", "obs/passing_nUMIs", "obs/passing_ngenes" };
	int64_t *whole = mem_new(int64_t, w->n);
	uint8_t *member = mem_new(uint8_t, w->n_var);
	char path[300];

	for (int64_t i = 0; i < w->n; i++)
		whole[i] = (int64_t)w->umis[i];
	set_put_i64(s, "obs/nUMIs", whole, w->n, "X", e);
	for (int64_t i = 0; i < w->n; i++)
		whole[i] = (int64_t)w->genes[i];
	set_put_i64(s, "obs/detected_genes", whole, w->n, "X", e);
	for (int f = 0; f < w->fam.n; f++) {
		snprintf(path, sizeof path, f == 0 ? "obs/%s" : "obs/%.200s_perc", f == 0 ? "mito_perc" : strs_get(&w->fam.name, f));
		set_put_f64(s, path, w->share + f * w->n, w->n, "X", e);
		for (int64_t g = 0; g < w->n_var; g++)
			member[g] = w->fam.of[g] >> f & 1;
		snprintf(path, sizeof path, "var/%.200s", strs_get(&w->fam.name, f));
		set_put_bool(s, path, member, w->n_var, "", e);
	}
	for (int64_t i = 0; i < w->n; i++)
		w->share[i] = w->genes[i] / w->umis[i];
	set_put_f64(s, "obs/cell_complexity", w->share, w->n, "X", e);
	for (int k = 0; k < 3; k++)
		set_put_bool(s, pass[k], w->ok[k], w->n, "X", e);
	if (o.flag)
		set_put_bool(s, "obs/passing_qc", w->keep, w->n, "X", e);
	mem_free(whole);
	mem_free(member);
	return e->code;
}

/* --- rounds: cells of all, for mads; then genes in the cells that are kept ------------- */

static int
round_of_genes(void)
{
	return by_mads();
}

static int64_t
n_sums(const struct shard *s)
{
	return s->n_group > MOST_GROUPS ? 1 : s->n_group;
}

static int
next(struct shard *s, int r, struct shard_want *want)
{
	*want = (struct shard_want){ .flat = 1 };
	if (r < round_of_genes()) {
		want->per_cell = 2;
		want->total = 4 * s->n_group;
	} else {
		want->n = s->n_var * GENESTAT_WIDTH + EXTRA;
	}
	want->pooled = s->n_group > MOST_GROUPS && want->n;
	return r <= round_of_genes();
}

static int
open_work(struct shard *s, struct err *e)
{
	struct work *w = s->ctx;
	struct set *t = &s->a->set;

	w->s = s;
	w->n = s->n_obs;
	w->n_var = s->n_var;
	if (s->mode == SHARD_MERGE)
		return e->code;
	if (w->n == 0)
		return err_set(e, ERR_DATA, "the input has no cells");
	if (set_names(t, AXIS_OBS, e) || set_names(t, AXIS_VAR, e))
		return e->code;
	if (o.batch)
		shard_groups(s, o.batch, e);
	families_find(&w->fam, &t->axis[AXIS_VAR].names, &o.sets, o.compat, e);
	if (!e->code && w->fam.n_member[0] == 0)
		app_warn("no gene name starts with %s: no cell has a mitochondrial fraction; name the genes with --gene-set mt=PREFIX",
		    "MT-, mt-, Mt-, mt: or ATMG");
	w->umis = mem_new(double, w->n);
	w->genes = mem_new(double, w->n);
	w->share = mem_new(double, w->n * (w->fam.n ? w->fam.n : 1));
	for (int k = 0; k < 3; k++)
		w->ok[k] = mem_new(uint8_t, w->n);
	w->keep = mem_new(uint8_t, w->n);
	return e->code;
}

/* Numbers and sums of the cells' counts, from the heads of the blocks, if these are of the genes there are. */
static int
head_sums(struct work *w, struct err *e)
{
	const struct item *x = set_need(&w->s->a->set, "X", NULL, e);
	int64_t *nnz;
	uint64_t *sum;

	if (!x || set_cols_of(&w->s->a->set, x) != x->s->head.n_col)
		return e->code;
	w->heads = 1;
	nnz = mem_new(int64_t, w->n);
	sum = mem_new(uint64_t, w->n);
	set_row_stats(&w->s->a->set, "X", nnz, sum, NULL, e);
	for (int64_t i = 0; i < w->n && !e->code; i++) {
		w->umis[i] = (double)sum[i];
		w->genes[i] = (double)nnz[i];
	}
	mem_free(nnz);
	mem_free(sum);
	return e->code;
}

/* Measures the cells, unless that is done, and sums up by gene those that are kept, if t is given. */
static int
pass(struct work *w, struct sumtree *t, struct err *e)
{
	struct shard *s = w->s;
	struct genestat_opt go = { .keep = w->keep, .before = w->measured ? NULL : measure, .ctx = w };
	struct rows r = {0};
	int32_t *order = NULL;

	if (!w->measured && head_sums(w, e))
		return e->code;
	if (by_mads())
		w->bounds = s->total[0].x;
	app_phase(t && w->measured ? "counting genes" : "measuring cells", w->n);
	if (set_rows_stored(&s->a->set, "X", &r, &order, e) == 0) {
		set_rows_flags(&r, SET_COUNTS);
		shard_rows(s, &r);
		w->family = mem_new(uint32_t, w->n_var);
		w->some = mem_new(uint8_t, w->n_var);
		for (int64_t c = 0; c < w->n_var; c++) {
			w->family[c] = w->fam.of[order[c]];
			w->some[c] = w->family[c] != 0;
		}
		go.order = order;
		if (n_sums(s) > 1) {
			go.batch = s->code;
			go.n_batch = s->n_group;
		}
		for (int64_t i = s->lo; i < s->hi && w->measured; i++)
			judge(w, i);
		if (t)
			genestat_sums(&r, &go, NULL, t, e);
		else
			rows_pass(&r, measure, NULL, w, e);
		mem_free(w->family);
		mem_free(w->some);
		w->measured = 1;
	}
	set_rows_clear(&r);
	mem_free(order);
	return e->code;
}

/* Cells lo .. hi - 1 that are kept, by group, into the EXTRA doubles behind the genes' sums x. */
static void
count_kept(const struct work *w, double *x)
{
	const struct strs *names = &w->s->a->set.axis[AXIS_OBS].names;
	int64_t n = w->n_var * GENESTAT_WIDTH;

	for (int64_t i = w->s->lo; i < w->s->hi; i++) {
		double *to = x + (n_sums(w->s) > 1 ? w->s->code[i] : 0) * (n + EXTRA) + n;
		uint64_t h;

		if (!w->keep[i])
			continue;
		h = rng_hash(strs_get(names, i), strs_len(names, i), 0);
		to[0]++;
		for (int k = 1; k < EXTRA; k++)
			to[k] += (double)(h >> 20 * k & 0xfffff);
	}
}

static int
sums(struct shard *s, int round, struct err *e)
{
	struct work *w = s->ctx;
	int64_t n = s->n_var * GENESTAT_WIDTH;
	struct sumtree t;

	if (round < round_of_genes()) {
		pass(w, NULL, e);
		for (int64_t i = s->lo; i < s->hi; i++) {
			s->cell[2 * i] = w->umis[i];
			s->cell[2 * i + 1] = w->genes[i];
		}
		return e->code;
	}
	sumtree_init(&t, n_sums(s) * n);
	t.flat = 1;
	pass(w, &t, e);
	for (int64_t b = 0; b < n_sums(s); b++)
		memcpy(s->tree.run + b * (n + EXTRA), t.run + b * n, (size_t)n * sizeof *t.run);
	sumtree_clear(&t);
	count_kept(w, s->tree.run);
	return e->code;
}

static int
reduce(struct shard *s, int round, const double *sum, const double *cell, const int32_t *code, int64_t n_cell, struct err *e)
{
	double *b;

	(void)sum;
	if (round >= round_of_genes())
		return e->code;
	b = mem_new(double, 4 * s->n_group);
	for (int g = 0; g < s->n_group; g++) {
		mad_bounds(cell, 0, code, n_cell, g, (double)o.min_umis, b + 4 * g, b + 4 * g + 1);
		mad_bounds(cell, 1, code, n_cell, g, (double)o.min_genes, b + 4 * g + 2, b + 4 * g + 3);
	}
	shard_total(s, round, b, 4 * s->n_group);
	mem_free(b);
	return e->code;
}

/* --- what is dropped -------------------------------------------------------------------- */

/* Genes that are found in enough of the kept cells: keep [n_var]; their number. */
static int64_t
find_genes(const struct shard *s, uint8_t *keep)
{
	const double *x = s->total[round_of_genes()].x;
	int64_t n = 0;

	for (int64_t g = 0; g < s->n_var; g++) {
		double cells = 0;

		for (int64_t b = 0; b < n_sums(s); b++)
			cells += x[b * (s->n_var * GENESTAT_WIDTH + EXTRA) + g * GENESTAT_WIDTH];
		keep[g] = cells >= (double)o.min_cells;
		n += keep[g];
	}
	return n;
}

/* Whether the totals are of the cells that are kept here: a fit's may be of more. */
static int
own_totals(const struct work *w)
{
	int64_t n_group = n_sums(w->s), width = w->n_var * GENESTAT_WIDTH + EXTRA;
	const double *total = w->s->total[round_of_genes()].x;
	double *own = mem_new(double, n_group * width);
	int same = 1;

	count_kept(w, own);
	for (int64_t b = 0; b < n_group; b++)
		same &= memcmp(total + (b + 1) * width - EXTRA, own + (b + 1) * width - EXTRA, EXTRA * sizeof *own) == 0;
	mem_free(own);
	return same;
}

/* Leaves the totals of the genes that are left. */
static int
leave_totals(struct work *w, const int64_t *genes, int64_t n_gene, struct err *e)
{
	struct shard *s = w->s;
	int64_t width = s->n_var * GENESTAT_WIDTH, n_group = n_sums(s), *n = mem_new(int64_t, n_group);
	double *x = mem_new(double, n_group * n_gene * GENESTAT_WIDTH);

	for (int64_t b = 0; b < n_group; b++) {
		const double *t = s->total[round_of_genes()].x + b * (width + EXTRA);

		n[b] = (int64_t)t[width];
		for (int64_t g = 0; g < n_gene; g++)
			memcpy(x + (b * n_gene + g) * GENESTAT_WIDTH, t + genes[g] * GENESTAT_WIDTH, GENESTAT_WIDTH * sizeof *x);
	}
	totals_put(s->a, n_group > 1 ? o.batch : NULL, &s->group, n, x, e);
	mem_free(x);
	mem_free(n);
	return e->code;
}

static int
drop(struct work *w, struct err *e)
{
	struct app *a = w->s->a;
	uint8_t *keep = mem_new(uint8_t, w->n_var);
	int64_t n_cell, n_gene = find_genes(w->s, keep), *cells = filter_rows(w->keep, w->n, &n_cell), *genes;
	int own = own_totals(w);

	genes = filter_rows(keep, w->n_var, &n_gene);
	if (n_cell == 0 && !o.flag)
		err_set(e, ERR_DATA, "none of the %lld cells passes; see the table for which rule takes them, and lower --min-umis, "
		    "--min-genes or raise --max-mito", (long long)w->n);
	else if (n_gene == 0 && !o.flag)
		err_set(e, ERR_DATA, "none of the %lld genes is found in %lld of the kept cells; lower --min-cells", (long long)w->n_var,
		    (long long)o.min_cells);
	if (!o.flag) {
		set_subset(&a->set, AXIS_OBS, cells, n_cell, e);
		set_subset(&a->set, AXIS_VAR, genes, n_gene, e);
		if (own && !e->code)
			leave_totals(w, genes, n_gene, e);
	}
	app_say(a, "%lld of %lld cells, %lld of %lld genes%s", (long long)n_cell, (long long)w->n, (long long)n_gene,
	    (long long)w->n_var, o.flag ? " pass (all are kept: --flag)" : "");
	app_stat_int(a, "cells", n_cell);
	app_stat_int(a, "genes", n_gene);
	mem_free(cells);
	mem_free(genes);
	mem_free(keep);
	return e->code;
}

static void
clear_measures(struct work *w)
{
	mem_free(w->umis);
	mem_free(w->genes);
	mem_free(w->share);
	w->umis = w->genes = w->share = NULL;
}

static int
apply(struct shard *s, struct err *e)
{
	struct work *w = s->ctx;

	if (s->mode == SHARD_MERGE) {
		uint8_t *keep = mem_new(uint8_t, s->n_var);

		app_say(s->a, "%lld of %lld genes pass", (long long)find_genes(s, keep), (long long)s->n_var);
		mem_free(keep);
		return e->code;
	}
	if (!w->measured && pass(w, NULL, e))
		return e->code;
	table(w);
	put(w, e);
	clear_measures(w);              /* names of the kept cells come in their place */
	return drop(w, e);
}

static int
run(struct app *a, struct err *e)
{
	static const struct shard_tool t = { open_work, next, sums, reduce, apply };
	struct work w = {0};

	shard_run(a, &t, &o.shard, opts, &w, e);
	clear_measures(&w);
	for (int k = 0; k < 3; k++)
		mem_free(w.ok[k]);
	mem_free(w.keep);
	families_clear(&w.fam);
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
	int64_t n = a->set.axis[AXIS_OBS].n, n_var = a->set.axis[AXIS_VAR].n, n_group, rows;
	int cuts = !o.flag && !a->new_only;

	if (o.shard.merge) {
		shard_plan(a, &o.shard, 0, p);
		return 0;
	}
	n_group = pick_n_groups(a, o.batch, e);
	n_group = n_group > MOST_GROUPS ? 1 : n_group;
	shard_plan(a, &o.shard, 3 * n_var * n_group, p);
	a->copies = cuts ? APP_CUT : 1;
	rows = app_rows_bytes(a, "X", cuts ? SET_WHOLE : 0, e);
	p->memory += (int64_t)(a->copies * (double)rows) + n * (64 + 8 * o.sets.n + (by_mads() ? 32 : 0)) +
	    n_var * (100 + n_group * (96 + 8 * (2 * a->threads + 2)));
	p->output = n * 70 + n_var * n_group * 24;
	return e->code;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "ovx-qc", .summary = "quality of cells and genes, and what to keep of them", .args = "[BASE [DELTA...]]",
		.reads = "X", .writes = "obs/nUMIs,obs/detected_genes,obs/mito_perc,obs/ribo_perc,obs/hb_perc,obs/cell_complexity,"
		    "obs/passing_mt,obs/passing_nUMIs,obs/passing_ngenes,var/mt,var/ribo,var/hb,varm/gene_totals,uns/gene_totals",
		.shape = SHAPE_FILTER, .opts = opts, .check = check, .raw = &o.shard.merge, .plan = plan, .run = run, .fixture = "small",
		.fixture_args = "--min-umis 1 --min-genes 1 --max-mito 0.5"
	};

	return app_main(&tool, argc, argv);
}
