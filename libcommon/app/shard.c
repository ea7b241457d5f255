/* shard - see shard.h */
#include "app/shard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "app/pick.h"
#include "app/shard_impl.h"
#include "base/mem.h"

const char *
shard_check(const struct shard_opt *o, const struct opt *opts)
{
	static char why[200];

	if (o->partial && o->merge)
		return "--partial and --merge are two steps";
	if (o->merge && o->project)
		return "--merge makes a fit; --project takes one";
	if (o->shard && !o->partial)
		return "--shard goes with --partial";
	for (; opts && opts->name && (o->merge || o->project); opts++)
		if (!opts->silent && opts->type != OPT_FILE && opts->type != OPT_LIST && opt_given(opts->name)) {
			snprintf(why, sizeof why, "--%s is taken from the %s: leave it out", opts->name, o->merge ? "parts" : "fit");
			return why;
		}
	return NULL;
}

/* Of parts the size is known alone: a matrix of one and what it is added to, and then the fit.  A part takes the nodes, once more as
 * a matrix, and once in the spool. */
int
shard_plan(struct app *a, const struct shard_opt *o, int64_t n, struct plan *p)
{
	int64_t runs = a->set.axis[AXIS_OBS].n / (SUM_RUN * ROWS_BLOCK) + 1, nodes = 2;
	struct stat st;

	if (o->merge) {
		for (int i = 0; i < a->n_arg; i++)
			p->memory += stat(a->arg[i], &st) == 0 ? 4 * (int64_t)st.st_size : 64 << 20;
		p->output = p->memory / 4;
		return 1;
	}
	while (runs >> nodes / 2)
		nodes += 2;
	if (o->partial)
		p->memory += 24 * n * ((o->shard ? nodes : runs) + 1);
	if (o->project)
		p->memory += 24 * n;
	return 0;
}

void
shard_common(struct shard *s, const double *x, int64_t n)
{
	mem_free(s->common);
	s->common = mem_new(double, n);
	s->n_common = n;
	memcpy(s->common, x, (size_t)n * sizeof *x);
}

void
shard_total(struct shard *s, int r, const double *x, int64_t n)
{
	mem_free(s->total[r].x);
	s->total[r].x = mem_new(double, n);
	s->total[r].n = n;
	memcpy(s->total[r].x, x, (size_t)n * sizeof *x);
}

/* Levels of a column in its own order, also those without a cell. */
static void
levels_of(struct shard *s, const char *path, const struct strs *used, struct err *e)
{
	struct column c;

	if (set_column(&s->a->set, path, &c, e))
		return;
	for (int64_t i = 0; i < (c.dtype == DT_CAT ? c.cat.n : used->n); i++) {
		const char *name = strs_get(c.dtype == DT_CAT ? &c.cat : used, i);

		strs_add(&s->level, name, strlen(name));
	}
	column_clear(&c);
}

int
shard_groups(struct shard *s, const char *col, struct err *e)
{
	struct pick_groups g;
	struct map m = {0};

	if (s->mode == SHARD_MERGE)
		return e->code;
	if (pick_groups(s->a, col, &g, e) == 0 && s->group.n == 0) {
		s->code = g.code;
		s->group = g.name;
		s->n_group = (int)g.name.n;
		levels_of(s, g.path, &s->group, e);
		return e->code;
	}
	/* The groups are a fit's: the cells' codes become its numbers. */
	map_of(&m, &s->group);
	s->code = mem_new(int32_t, s->n_obs);
	for (int64_t i = 0; i < s->n_obs && !e->code; i++) {
		int64_t k = map_get(&m, strs_get(&g.name, g.code[i]));

		if (k < 0)
			err_set(e, ERR_DATA, "%s: '%s' is not in the fit", g.path, strs_get(&g.name, g.code[i]));
		s->code[i] = (int32_t)k;
	}
	map_clear(&m);
	pick_groups_clear(&g);
	return e->code;
}

void
shard_rows(const struct shard *s, struct rows *r)
{
	if (r->self)
		set_rows_range(r, s->lo, s->hi);
}

/* Doubles in the tree of the open round. */
int64_t
shard_doubles(const struct shard *s)
{
	return (s->want.pooled ? 1 : s->n_group) * s->want.n;
}

/* --- rounds ---------------------------------------------------------------------- */

/* total[r] from the sums of round r and what was kept of cells. */
int
shard_reduce(const struct shard_tool *t, struct shard *s, int r, const double *sum, const double *cell, const int32_t *code,
	struct err *e)
{
	if (e->code)
		return e->code;
	if (t->reduce)
		t->reduce(s, r, sum, cell, code, s->n_cell, e);
	if (!s->total[r].x)
		shard_total(s, r, sum, shard_doubles(s));
	return e->code;
}

static int
make_sums(const struct shard_tool *t, struct shard *s, int r, struct err *e)
{
	int64_t first = s->tree.first;
	int apart = s->tree.apart;

	sumtree_init(&s->tree, shard_doubles(s));
	s->tree.first = first;
	s->tree.apart = apart;
	s->tree.flat = s->want.flat;
	s->cell = mem_new(double, s->n_obs * s->want.per_cell);
	return t->sums(s, r, e);
}

static void
count_cells(struct shard *s)
{
	s->n = mem_new(int64_t, s->n_group);
	for (int64_t i = s->lo; i < s->hi; i++)
		s->n[s->code ? s->code[i] : 0]++;
	s->n_cell = s->hi - s->lo;
}

static int
run_whole(const struct shard_tool *t, struct shard *s, struct err *e)
{
	t->open(s, e);
	if (!e->code)
		count_cells(s);
	for (int r = 0; !e->code && t->round(s, r, &s->want); r++) {
		double *sum;

		if (s->total[r].x)
			continue;
		make_sums(t, s, r, e);
		sum = mem_new(double, shard_doubles(s));
		sumtree_end(&s->tree, sum);
		shard_reduce(t, s, r, sum, s->cell, s->code, e);
		mem_free(sum);
		mem_free(s->cell);
		s->cell = NULL;
	}
	return e->code ? e->code : t->apply(s, e);
}

int
shard_next(const struct shard_tool *t, struct shard *s, struct err *e)
{
	for (int r = 0; !e->code && t->round(s, r, &s->want); r++) {
		if (!s->total[r].x)
			return r;
		if (s->total[r].n != (s->want.total ? s->want.total : shard_doubles(s)))
			err_set(e, ERR_DATA, "damaged: the totals of round %d are not of these genes", r + 1);
	}
	return -1;
}

/* Rows of the I-th of N shards: whole superblocks. */
static int
find_range(struct shard *s, const char *text, struct err *e)
{
	const int64_t run = (int64_t)SUM_RUN * ROWS_BLOCK;
	int64_t n_run = (s->n_obs + run - 1) / run;
	int i, n, end = 0;

	s->lo = 0;
	s->hi = s->n_obs;
	s->tree.apart = !text;
	if (!text)
		return 0;
	if (sscanf(text, "%9d/%9d%n", &i, &n, &end) != 2 || text[end] || i < 1 || n < 1 || i > n)
		return err_set(e, ERR_USAGE, "--shard: '%s' is not I/N, like 2/8", text);
	s->tree.first = n_run * (i - 1) / n;
	s->lo = s->tree.first * run;
	s->hi = n_run * i / n * run < s->n_obs ? n_run * i / n * run : s->n_obs;
	return 0;
}

static int
run_partial(const struct shard_tool *t, struct shard *s, const struct shard_opt *o, const struct opt *opts, struct err *e)
{
	int r;

	find_range(s, o->shard, e);
	if (set_names(&s->a->set, AXIS_VAR, e) || t->open(s, e))
		return e->code;
	r = shard_next(t, s, e);
	if (r < 0)
		return e->code ? e->code : err_set(e, ERR_USAGE, "%s is a finished fit: there is nothing to sum up; leave out --partial",
		    o->project);
	if (r == 0)
		count_cells(s);
	if (make_sums(t, s, r, e) == 0)
		shard_write_part(s, r, o->shard, opts, e);
	return e->code;
}

static int
run_project(const struct shard_tool *t, struct shard *s, const struct shard_opt *o, struct err *e)
{
	if (t->open(s, e))
		return e->code;
	if (shard_next(t, s, e) >= 0)
		return err_set(e, ERR_USAGE, "%s is not finished: one more round: %s --partial --project %s IN -o PART for each shard, then "
		    "--merge", o->project, s->a->tool->name, o->project);
	return e->code ? e->code : t->apply(s, e);
}

int
shard_run(struct app *a, const struct shard_tool *t, struct shard_opt *o, const struct opt *opts, void *ctx, struct err *e)
{
	struct shard s = { .a = a, .ctx = ctx, .n_group = 1 };

	s.n_obs = s.hi = a->set.axis[AXIS_OBS].n;
	s.n_var = a->set.axis[AXIS_VAR].n;
	s.mode = o->merge ? SHARD_MERGE : o->partial ? SHARD_PARTIAL : o->project ? SHARD_PROJECT : SHARD_WHOLE;
	if (o->project)
		shard_read_fit(&s, o->project, opts, e);
	if (!e->code && s.mode == SHARD_WHOLE)
		run_whole(t, &s, e);
	else if (!e->code && s.mode == SHARD_PARTIAL)
		run_partial(t, &s, o, opts, e);
	else if (!e->code && s.mode == SHARD_MERGE)
		shard_merge(t, &s, opts, e);
	else if (!e->code)
		run_project(t, &s, o, e);
	mem_free(s.code);
	strs_clear(&s.group);
	strs_clear(&s.level);
	mem_free(s.n);
	mem_free(s.cell);
	mem_free(s.common);
	sumtree_clear(&s.tree);
	for (int r = 0; r < SHARD_ROUNDS; r++)
		mem_free(s.total[r].x);
	return e->code;
}
