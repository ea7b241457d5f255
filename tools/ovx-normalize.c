/* ovx-normalize - size factors, and the log-normalised layer as a formula
 *
 * reads    X               counts
 * writes   obs/size_factor divisor of each cell: f / T
 *          var/robust      genes in at least 0.05 % of the cells
 *          var/n_cells     cells with a count
 *          var/highly_expressed   genes left out of the size factors
 *          layers/lognorm  ln(1 + x / size_factor), never written out
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "app/app.h"
#include "app/shard.h"
#include "app/totals.h"
#include "base/mem.h"
#include "num/median.h"

static struct {
	double target, fraction, percent;
	const char *exclude;
	struct shard_opt shard;
} o;

static const struct opt opts[] = {
	{ 0, "target-sum", REAL(&o.target), "500000", "[0,inf)", "SUM", "what cells are scaled to; 0 = the median of their sums", 0 },
	{ 0, "exclude-highly-expressed", STR(&o.exclude), "yes", "yes|no", "WHAT", "leave out of a cell's sum the genes that dominate any cell", 0 },
	{ 0, "max-fraction", REAL(&o.fraction), "0.2", "(0,1]", "SHARE", "share of a cell's counts above which a gene dominates it", 0 },
	{ 0, "min-percent", REAL(&o.percent), "0.05", "[0,100]", "PERCENT", "share of cells that a robust gene is found in, in percent", 0 },
	SHARD_OPTS(&o.shard),
	{0}
};

/* Rounds: cells with each gene, which says what is robust; cells that each gene dominates; the median of the sums. */
enum { COUNTS, DOMINANT, MEDIAN, NONE };

static int
kind_of(int round)
{
	int exclude = strcmp(o.exclude, "yes") == 0, median = o.target == 0;

	return round == 0 ? COUNTS : round == 1 && exclude ? DOMINANT : round == 1 + exclude && median ? MEDIAN : NONE;
}

/* What the head of a row says, if it is of these genes, and its sums over robust genes, and over those that are not left out. */
struct sums {
	uint64_t *all;          /* [n_obs] and so below; NULL: the rows must be looked through */
	uint32_t *most;
	double *robust, *rest;
};

struct work {
	int64_t n_var, n_robust, n_excluded;
	uint8_t *robust, *excluded;     /* [n_var] */
	struct sums row;
	int made;               /* row holds the sums as they must be in the end */
	/* of a pass, by the stream's columns */
	int32_t *order;
	uint8_t *rare, *out;    /* not robust, left out */
	int64_t first_rare, last_out;
	int32_t **count;        /* [slot][n_var] */
	int find;               /* dominant genes are looked for */
};

static int
count_cells(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct work *w = ctx;
	int64_t n = m->ptr[m->n_row];
	int32_t *count = w->count[slot];

	(void)e;
	for (int64_t k = 0; k < n; k++)
		count[m->col[k]]++;
	return 0;
}

static double
total(const double *x, int64_t n)
{
	double s[4] = {0};

	for (int64_t k = 0; k < n; k++)
		s[k & 3] += x[k];
	return (s[0] + s[1]) + (s[2] + s[3]);
}

/* Rare genes stand at the ends of the rows, those that are left out near the beginning. */
static int
sum_rows(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct work *w = ctx;

	(void)e;
	for (int64_t i = 0; i < m->n_row; i++) {
		int64_t row = m->row0 + i, lo = m->ptr[i], hi = m->ptr[i + 1];
		double s = w->row.all ? (double)w->row.all[row] : total(m->val + lo, hi - lo), out = 0;

		for (int64_t k = hi - 1; k >= lo && m->col[k] >= w->first_rare; k--)
			if (w->rare[m->col[k]])
				s -= m->val[k];
		for (int64_t k = lo; k < hi && m->col[k] <= w->last_out; k++)
			if (w->out[m->col[k]])
				out += m->val[k];
		w->row.robust[row] = s;
		w->row.rest[row] = s - out;
		if (!w->find || (w->row.all && w->row.most[row] <= o.fraction * s))
			continue;
		for (int64_t k = lo; k < hi; k++)
			if (m->val[k] > o.fraction * s && !w->rare[m->col[k]])
				w->count[slot][m->col[k]]++;
	}
	return 0;
}

/* A pass with counts by gene; what they come to is added to to [n_var], or dropped when it is NULL. */
static int
pass(struct shard *s, struct work *w, rows_fn *fn, int flags, double *to, struct err *e)
{
	struct rows r = {0};

	w->order = NULL;
	if (set_rows_stored(&s->a->set, "X", &r, &w->order, e)) {
		mem_free(w->order);
		set_rows_clear(&r);
		return e->code;
	}
	set_rows_flags(&r, flags);
	shard_rows(s, &r);
	w->count = mem_new(int32_t *, r.n_slot);
	for (int i = 0; i < r.n_slot; i++)
		w->count[i] = mem_new(int32_t, w->n_var);
	w->rare = mem_new(uint8_t, w->n_var);
	w->out = mem_new(uint8_t, w->n_var);
	w->first_rare = w->n_var;
	w->last_out = -1;
	for (int64_t c = 0; c < w->n_var; c++) {
		w->rare[c] = !w->robust[w->order[c]];
		w->out[c] = w->excluded[w->order[c]];
		if (w->rare[c] && w->first_rare == w->n_var)
			w->first_rare = c;
		if (w->out[c])
			w->last_out = c;
	}
	rows_pass(&r, fn, NULL, w, e);
	for (int i = 0; i < r.n_slot; i++) {
		for (int64_t c = 0; c < w->n_var && to; c++)
			to[w->order[c]] += w->count[i][c];
		mem_free(w->count[i]);
	}
	mem_free(w->count);
	mem_free(w->rare);
	mem_free(w->out);
	mem_free(w->order);
	set_rows_clear(&r);
	return e->code;
}

/* Genes by the totals there are. */
static void
genes(struct shard *s, struct work *w)
{
	int exclude = strcmp(o.exclude, "yes") == 0;

	w->n_robust = w->n_excluded = 0;
	for (int64_t g = 0; g < w->n_var; g++) {
		double n = s->total[0].x[g];

		w->robust[g] = n > 0 && 100.0 * n / (double)s->n_cell >= o.percent;
		w->excluded[g] = exclude && s->total[1].x && s->total[1].x[g] > 0;
		w->n_robust += w->robust[g];
		w->n_excluded += w->excluded[g];
	}
}

/* The sums of the rows lo .. hi - 1; dominant: to [n_var] gets the number of cells that each gene dominates. */
static int
sum_cells(struct shard *s, struct work *w, double *dominant, struct err *e)
{
	struct sums *r = &w->row;

	if (w->n_robust == 0)
		err_set(e, ERR_DATA, "X has no gene in %g %% of the cells", o.percent);
	if (!r->rest && !e->code) {
		struct item *x = set_need(&s->a->set, "X", NULL, e);

		r->robust = mem_new(double, s->n_obs);
		r->rest = mem_new(double, s->n_obs);
		if (x && set_cols_of(&s->a->set, x) == x->s->head.n_col) {
			r->all = mem_new(uint64_t, s->n_obs);
			r->most = mem_new(uint32_t, s->n_obs);
			set_row_stats(&s->a->set, "X", NULL, r->all, r->most, e);
		}
	}
	w->find = dominant != NULL;
	pass(s, w, sum_rows, SET_COUNTS, dominant, e);
	w->made = dominant == NULL;
	return e->code;
}

static int
open_work(struct shard *s, struct err *e)
{
	struct work *w = s->ctx;
	double *x;

	w->n_var = s->n_var;
	w->robust = mem_new(uint8_t, s->n_var);
	w->excluded = mem_new(uint8_t, s->n_var);
	x = s->mode == SHARD_WHOLE ? totals_get(s->a, NULL, NULL, e) : NULL;
	if (x) {
		for (int64_t g = 0; g < s->n_var; g++)
			x[g] = x[g * TOTALS_WIDTH];
		shard_total(s, 0, x, s->n_var);
		mem_free(x);
	}
	return e->code;
}

static int
next(struct shard *s, int r, struct shard_want *want)
{
	int k = kind_of(r);

	*want = (struct shard_want){ .n = k == MEDIAN ? 0 : s->n_var, .per_cell = k == MEDIAN, .total = k == MEDIAN, .flat = 1 };
	return k != NONE;
}

static int
sums(struct shard *s, int round, struct err *e)
{
	struct work *w = s->ctx;

	app_phase(round == 0 ? "counting cells" : "summing", s->n_obs);
	if (round == 0)
		return pass(s, w, count_cells, SET_COUNTS | SET_COLUMNS, sumtree_open(&s->tree), e);
	genes(s, w);
	if (kind_of(round) == DOMINANT)
		return sum_cells(s, w, sumtree_open(&s->tree), e);
	if (!w->made && sum_cells(s, w, NULL, e))
		return e->code;
	memcpy(s->cell, w->row.rest, (size_t)s->n_obs * sizeof *s->cell);
	return 0;
}

static double
median_positive(const double *x, int64_t n)
{
	double *v = mem_new(double, n), m;
	int64_t k = 0;

	for (int64_t i = 0; i < n; i++)
		if (x[i] > 0)
			v[k++] = x[i];
	m = k == 0 ? 1 : num_median(v, k);
	mem_free(v);
	return m;
}

static int
reduce(struct shard *s, int round, const double *sum, const double *cell, const int32_t *code, int64_t n_cell, struct err *e)
{
	struct work *w = s->ctx;
	double m;

	(void)code;
	(void)sum;
	if (kind_of(round) == MEDIAN) {
		m = median_positive(cell, n_cell);
		shard_total(s, round, &m, 1);
	}
	/* Where no gene is left out the sums are there. */
	if (kind_of(round) == DOMINANT && s->mode == SHARD_WHOLE) {
		shard_total(s, round, sum, s->n_var);
		genes(s, w);
		w->made = w->n_excluded == 0;
	}
	return e->code;
}

static int
put_cells(struct shard *s, struct work *w, double target, struct err *e)
{
	struct strs kv = {0};
	static const char *const formula[] = { "x", "X", "log1p", "1", "div", "obs/size_factor" };

	for (int64_t i = 0; i < s->n_obs; i++)
		w->row.rest[i] /= target;
	set_put_f64(&s->a->set, "obs/size_factor", w->row.rest, s->n_obs, "X", e);
	for (size_t i = 0; i < sizeof formula / sizeof *formula; i++)
		strs_add(&kv, formula[i], strlen(formula[i]));
	set_put_formula(&s->a->set, "layers/lognorm", &kv, "X,obs/size_factor", e);
	strs_clear(&kv);
	return e->code;
}

static int
put_genes(struct shard *s, struct work *w, struct err *e)
{
	struct set *t = &s->a->set;
	int64_t *n_cells = mem_new(int64_t, w->n_var);

	for (int64_t g = 0; g < w->n_var; g++)
		n_cells[g] = (int64_t)s->total[0].x[g];
	set_put_bool(t, "var/robust", w->robust, w->n_var, "X", e);
	set_put_bool(t, "var/highly_expressed", w->excluded, w->n_var, "X", e);
	set_put_i64(t, "var/n_cells", n_cells, w->n_var, "X", e);
	mem_free(n_cells);
	return e->code;
}

/* Cells without counts, and without others than of genes that are left out. */
static void
warn(const struct shard *s, const struct work *w)
{
	int64_t empty = 0, bare = 0;

	for (int64_t i = 0; i < s->n_obs; i++) {
		empty += w->row.robust[i] == 0;
		bare += w->row.robust[i] != 0 && w->row.rest[i] == 0;
	}
	if (empty)
		app_warn("%lld cells have no counts; run ovx-qc first", (long long)empty);
	if (bare)
		app_warn("%lld cells have counts only of the genes that dominate a cell, which are left out of the sums: their size factor "
		    "is 0; use --exclude-highly-expressed no, or more genes", (long long)bare);
}

static int
apply(struct shard *s, struct err *e)
{
	struct app *a = s->a;
	struct work *w = s->ctx;
	double target = o.target;
	char names[200] = "";

	for (int r = 0; kind_of(r) != NONE; r++)
		if (kind_of(r) == MEDIAN)
			target = s->total[r].x[0];
	genes(s, w);
	if (s->mode != SHARD_MERGE && !w->made && sum_cells(s, w, NULL, e))
		return e->code;
	if (s->mode != SHARD_MERGE) {
		warn(s, w);
		put_cells(s, w, target, e);
	}
	put_genes(s, w, e);
	for (int64_t g = 0; g < w->n_var && !e->code && a->set.axis[AXIS_VAR].known; g++)
		if (w->excluded[g] && strlen(names) < 150)
			snprintf(names + strlen(names), sizeof names - strlen(names), " %s", strs_get(&a->set.axis[AXIS_VAR].names, g));
	app_say(a, "%lld cells to a sum of %g, %lld of %lld genes robust, %lld left out of the sums%s%s", (long long)s->n_cell, target,
	    (long long)w->n_robust, (long long)w->n_var, (long long)w->n_excluded, w->n_excluded ? ":" : "", names);
	app_stat_int(a, "robust", w->n_robust);
	app_stat_int(a, "excluded", w->n_excluded);
	app_stat_real(a, "target_sum", target);
	return e->code;
}

static int
run(struct app *a, struct err *e)
{
	static const struct shard_tool t = { open_work, next, sums, reduce, apply };
	struct work w = {0};

	shard_run(a, &t, &o.shard, opts, &w, e);
	mem_free(w.robust);
	mem_free(w.excluded);
	mem_free(w.row.all);
	mem_free(w.row.most);
	mem_free(w.row.robust);
	mem_free(w.row.rest);
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

	if (shard_plan(a, &o.shard, n_var, p))
		return 0;
	p->memory += app_rows_bytes(a, "X", 0, e) + 40 * n_obs + n_var * (20 + 9 * (2 * a->threads + 2));
	p->output = 10 * n_obs + 12 * n_var;
	return e->code;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "ovx-normalize", .summary = "size factors, and the log-normalised layer as a formula", .args = "[BASE [DELTA...]]",
		.reads = "X", .writes = "obs/size_factor,var/robust,var/highly_expressed,var/n_cells,layers/lognorm",
		.shape = SHAPE_FILTER, .opts = opts, .check = check, .raw = &o.shard.merge, .plan = plan, .run = run, .fixture = "small"
	};

	return app_main(&tool, argc, argv);
}
