/* shard_file - parts and fits as streams, and how parts become a fit; see shard.h */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "app/shard_impl.h"
#include "base/mem.h"

#define PART "uns/partial/"
#define FIT "uns/fit/"

/* --- writing ------------------------------------------------------------------ */

static json_t *
names_json(const struct strs *l)
{
	json_t *j = json_array();

	for (int64_t i = 0; i < l->n; i++)
		json_array_append_new(j, json_string(strs_get(l, i)));
	return j;
}

static void
put_matrix(struct shard *s, const char *kind, const char *name, const double *x, int64_t n, int64_t d, struct err *e)
{
	char path[60];

	snprintf(path, sizeof path, "%s%s", kind, name);
	if (n && d)
		set_put_dense(&s->a->set, path, DT_F64, x, n, d, "", e);
}

/* What parts and fits hold alike: about, common, the totals so far. */
static void
put_state(struct shard *s, const char *kind, json_t *j, const struct opt *opts, const char *options, struct err *e)
{
	json_t *n = json_array();
	struct str now = {0}, t = {0};
	char path[60], name[20];

	if (!options) {
		opt_values(opts, &now, e);
		options = now.s ? now.s : "";
	}
	for (int i = 0; i < s->n_group; i++)
		json_array_append_new(n, json_integer(s->n[i]));
	json_object_set_new(j, "tool", json_string(s->a->tool->name));
	json_object_set_new(j, "options", json_string(options));
	json_object_set_new(j, "levels", names_json(&s->level));
	json_object_set_new(j, "groups", names_json(&s->group));
	json_object_set_new(j, "cells", n);
	json_text(j, &t);
	snprintf(path, sizeof path, "%sabout", kind);
	set_put_text(&s->a->set, path, t.s, "", e);
	put_matrix(s, kind, "common", s->common, 1, s->n_common, e);
	for (int r = 0; r < SHARD_ROUNDS; r++) {
		snprintf(name, sizeof name, "total%d", r);
		put_matrix(s, kind, name, s->total[r].x, s->total[r].x != NULL, s->total[r].n, e);
	}
	json_decref(j);
	str_clear(&t);
	str_clear(&now);
}

/* The input is read to its end and closed; what is written from now on has its genes only. */
static int
fresh_set(struct shard *s, struct err *e)
{
	struct set *t = &s->a->set, old;
	struct strs names;

	if (set_finish(t, e))
		return e->code;
	names = t->axis[AXIS_VAR].names;
	memset(&t->axis[AXIS_VAR].names, 0, sizeof names);
	old = *t;
	set_close(t);
	set_init(t);
	t->par = old.par;
	t->warn = old.warn;
	t->tick = old.tick;
	t->spool.cap = old.spool.cap;
	s->a->new_only = 0;
	s->a->no_log = 1;
	return set_put_axis(t, AXIS_VAR, &names, e);
}

int
shard_write_part(struct shard *s, int r, const char *shard, const struct opt *opts, struct err *e)
{
	int64_t w = s->tree.n + 2, row = 0, d = s->want.per_cell + 1, n = s->hi - s->lo;
	int open = s->tree.flat || s->tree.n_block % SUM_RUN;
	double *x = mem_new(double, (s->tree.n_node + 1) * w);
	json_t *j = json_object();

	json_object_set_new(j, "round", json_integer(r));
	json_object_set_new(j, "row0", json_integer(s->lo));
	json_object_set_new(j, "rows", json_integer(n));
	json_object_set_new(j, "whole", json_integer(shard ? s->n_obs : 0));
	json_object_set_new(j, "shard", json_string(shard ? shard : ""));
	json_object_set_new(j, "obs", json_string(s->a->set.axis[AXIS_OBS].digest));
	/* Each row of sums: level (-1: a run that is not full), index, the sums. */
	for (int k = 0; k < s->tree.n_node; k++, row++) {
		x[row * w] = s->tree.node[k].level;
		x[row * w + 1] = (double)s->tree.node[k].index;
		memcpy(x + row * w + 2, s->tree.node[k].sum, (size_t)s->tree.n * sizeof *x);
	}
	if (open && n) {
		x[row * w] = -1;
		memcpy(x + row * w + 2, s->tree.run, (size_t)s->tree.n * sizeof *x);
		row++;
	}
	fresh_set(s, e);
	put_matrix(s, PART, "sums", x, s->tree.n ? row : 0, w, e);
	mem_free(x);
	if (s->want.per_cell) {
		x = mem_new(double, n * d);
		for (int64_t i = 0; i < n; i++) {
			x[i * d] = s->code ? s->code[s->lo + i] : 0;
			memcpy(x + i * d + 1, s->cell + (s->lo + i) * (d - 1), (size_t)(d - 1) * sizeof *x);
		}
		put_matrix(s, PART, "cells", x, n, d, e);
		mem_free(x);
	}
	put_state(s, PART, j, opts, NULL, e);
	app_say(s->a, "round %d: sums over %lld cells", r + 1, (long long)n);
	return e->code;
}

/* --- reading ------------------------------------------------------------------ */

struct state {
	const char *name;       /* of the file */
	struct set set;
	json_t *j;
	int64_t round, row0, rows, whole;
	const char *shard, *obs, *tool, *options;
};

static const char *
text_of(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

static int
open_state(struct shard *s, const char *name, const char *kind, struct state *p, struct err *e)
{
	char *path = (char *)name, about[60];
	struct str t = {0};

	p->name = name;
	set_init(&p->set);
	p->set.spool.cap = s->a->set.spool.cap;
	if (set_open(&p->set, &path, 1, e) || set_names(&p->set, AXIS_VAR, e))
		return e->code;
	snprintf(about, sizeof about, "%sabout", kind);
	if (!set_find(&p->set, about))
		return err_set(e, ERR_DATA, "%s is no %s", name, strcmp(kind, FIT) ? "part: make one with --partial" :
		    "fit: make one of parts with --merge");
	set_text(&p->set, about, &t, e);
	p->j = e->code ? NULL : json_loads(t.s, 0, NULL);
	str_clear(&t);
	if (!e->code && !p->j)
		return err_set(e, ERR_DATA, "damaged: %s: %s", name, about);
	p->round = json_integer_value(json_object_get(p->j, "round"));
	p->row0 = json_integer_value(json_object_get(p->j, "row0"));
	p->rows = json_integer_value(json_object_get(p->j, "rows"));
	p->whole = json_integer_value(json_object_get(p->j, "whole"));
	p->shard = text_of(p->j, "shard");
	p->obs = text_of(p->j, "obs");
	p->tool = text_of(p->j, "tool");
	p->options = text_of(p->j, "options");
	if (!e->code && strcmp(p->tool, s->a->tool->name))
		err_set(e, ERR_DATA, "%s was made by %s", name, p->tool);
	if (!e->code && json_array_size(json_object_get(p->j, "cells")) != (json_array_size(json_object_get(p->j, "groups")) ?
	    json_array_size(json_object_get(p->j, "groups")) : 1))
		err_set(e, ERR_DATA, "damaged: %s: %s", name, about);
	if (!e->code && (p->round < 0 || p->round >= SHARD_ROUNDS || p->row0 < 0 || p->rows < 0))
		err_set(e, ERR_DATA, "damaged: %s: %s", name, about);
	return e->code;
}

static void
close_state(struct state *p)
{
	json_decref(p->j);
	set_close(&p->set);
}

/* A matrix of a part or fit; NULL and 0 rows when it is not there. */
static double *
get_matrix(struct state *p, const char *kind, const char *name, int64_t *n, int64_t *d, struct err *e)
{
	char path[60];
	double *x = NULL;

	*n = *d = 0;
	snprintf(path, sizeof path, "%s%s", kind, name);
	if (!e->code && set_find(&p->set, path))
		set_dense64(&p->set, path, &x, n, d, e);
	return x;
}

/* Common and the totals so far. */
static void
get_totals(struct shard *s, struct state *p, const char *kind, struct err *e)
{
	char name[20];
	int64_t n;

	s->common = get_matrix(p, kind, "common", &n, &s->n_common, e);
	for (int r = 0; r < SHARD_ROUNDS; r++) {
		snprintf(name, sizeof name, "total%d", r);
		s->total[r].x = get_matrix(p, kind, name, &n, &s->total[r].n, e);
	}
}

static void
add_names(const json_t *j, struct strs *l)
{
	struct map m = {0};

	map_of(&m, l);
	for (size_t i = 0; i < json_array_size(j); i++) {
		const char *s = json_string_value(json_array_get(j, i));

		if (s && map_get(&m, s) < 0)
			strs_add(l, s, strlen(s));
	}
	map_clear(&m);
}

static void
add_cells(struct shard *s, const struct state *p, const int *to)
{
	const json_t *n = json_object_get(p->j, "cells");

	for (size_t i = 0; i < json_array_size(n); i++)
		s->n[to ? to[i] : (int)i] += json_integer_value(json_array_get(n, i));
}

int
shard_read_fit(struct shard *s, const char *path, const struct opt *opts, struct err *e)
{
	struct state p = {0};

	if (open_state(s, path, FIT, &p, e) == 0) {
		if (set_names(&s->a->set, AXIS_VAR, e) == 0 && strcmp(p.set.axis[AXIS_VAR].digest, s->a->set.axis[AXIS_VAR].digest))
			err_set(e, ERR_DATA, "%s is of other genes than the input", path);
		opt_restore(opts, p.options, "the fit", e);
		get_totals(s, &p, FIT, e);
		add_names(json_object_get(p.j, "groups"), &s->group);
		add_names(json_object_get(p.j, "levels"), &s->level);
		s->n_group = s->group.n ? (int)s->group.n : 1;
		s->n = mem_new(int64_t, s->n_group);
		if (!e->code && json_array_size(json_object_get(p.j, "cells")) != (size_t)s->n_group)
			err_set(e, ERR_DATA, "damaged: %s: a group twice", path);
		if (!e->code)
			add_cells(s, &p, NULL);
		for (int i = 0; i < s->n_group; i++)
			s->n_cell += s->n[i];
	}
	close_state(&p);
	return e->code;
}

/* --- merging ------------------------------------------------------------------ */

static int
by_row(const void *a, const void *b)
{
	const struct state *p = a, *q = b;

	if (p->row0 != q->row0)
		return p->row0 < q->row0 ? -1 : 1;
	return (p->rows > q->rows) - (p->rows < q->rows);
}

static int
same_matrix(struct state *p, struct state *q, const char *name, struct err *e)
{
	int64_t n[2], d[2];
	double *x = get_matrix(p, PART, name, &n[0], &d[0], e), *y = get_matrix(q, PART, name, &n[1], &d[1], e);
	int same = n[0] == n[1] && d[0] == d[1] && (!x || memcmp(x, y, (size_t)(n[0] * d[0]) * sizeof *x) == 0);

	mem_free(x);
	mem_free(y);
	return same;
}

/* Whether all parts can belong together. */
static int
check_parts(struct state *p, int n, struct err *e)
{
	for (int i = 1; i < n && !e->code; i++) {
		const char *what = strcmp(p[i].options, p[0].options) ? "options" : p[i].round != p[0].round ? "rounds" :
		    strcmp(p[i].set.axis[AXIS_VAR].digest, p[0].set.axis[AXIS_VAR].digest) ? "genes" :
		    p[i].whole != p[0].whole || (p[i].whole && strcmp(p[i].obs, p[0].obs)) ? "cells as a whole" :
		    !same_matrix(&p[i], &p[0], "common", e) ? "genes to look at" :
		    !same_matrix(&p[i], &p[0], "total0", e) || !same_matrix(&p[i], &p[0], "total1", e) ? "earlier fits" : NULL;

		if (what)
			err_set(e, ERR_DATA, "%s and %s are of different %s", p[0].name, p[i].name, what);
		for (int k = 0; k < i && !p[0].whole && !e->code; k++)
			if (strcmp(p[i].obs, p[k].obs) == 0)
				err_set(e, ERR_DATA, "%s and %s are of the same cells", p[k].name, p[i].name);
	}
	return e->code;
}

/* The names of shards I/N that no part is. */
static void
missing_shards(const struct state *p, int n, char *text, size_t size)
{
	int of = 0, i;

	text[0] = 0;
	for (int k = 0; k < n; k++) {
		int m;

		if (sscanf(p[k].shard, "%d/%d", &i, &m) != 2 || (of && m != of))
			return;
		of = m;
	}
	for (int want = 1; want <= of && strlen(text) + 40 < size; want++) {
		int there = 0;

		for (int k = 0; k < n; k++)
			there |= atoi(p[k].shard) == want;
		if (!there)
			snprintf(text + strlen(text), size - strlen(text), "%s%d/%d", text[0] ? ", " : ": shard ", want, of);
	}
}

/* Parts of one input: in the order of their rows, each row once. */
static int
check_rows(struct state *p, int n, struct err *e)
{
	int64_t at = 0;
	char missing[200];

	if (!p[0].whole)
		return e->code;
	qsort(p, (size_t)n, sizeof *p, by_row);
	for (int i = 0; i < n && !e->code; i++) {
		if (p[i].row0 < at)
			err_set(e, ERR_DATA, "%s and %s hold the same cells", p[i - 1].name, p[i].name);
		if (p[i].row0 > at)
			break;
		at += p[i].rows;
	}
	missing_shards(p, n, missing, sizeof missing);
	if (!e->code && at < p[0].whole)
		err_set(e, ERR_DATA, "cells from number %lld on are in no part%s", (long long)at + 1, missing);
	return e->code;
}

/* Groups of all parts, in the order of the column's levels, and the place of each part's groups: to [n][], the caller's. */
static int **
join_groups(struct shard *s, struct state *p, int n)
{
	int **to = mem_new(int *, n);
	struct strs used = {0};
	struct map m = {0}, at = {0};

	for (int i = 0; i < n; i++) {
		add_names(json_object_get(p[i].j, "levels"), &s->level);
		add_names(json_object_get(p[i].j, "groups"), &used);
	}
	map_of(&m, &used);
	for (int64_t i = 0; i < s->level.n; i++)
		if (map_get(&m, strs_get(&s->level, i)) >= 0)
			strs_add(&s->group, strs_get(&s->level, i), strs_len(&s->level, i));
	s->n_group = s->group.n ? (int)s->group.n : 1;
	map_of(&at, &s->group);
	for (int i = 0; i < n; i++) {
		const json_t *g = json_object_get(p[i].j, "groups");
		size_t k = json_array_size(g);

		to[i] = mem_new(int, (int64_t)k + 1);
		for (size_t b = 0; b < k; b++) {
			const char *name = json_string_value(json_array_get(g, b));
			int64_t place = name ? map_get(&at, name) : -1;

			to[i][b] = place < 0 ? 0 : (int)place;
		}
	}
	strs_clear(&used);
	map_clear(&m);
	map_clear(&at);
	return to;
}

static int
damaged(const struct state *p, struct err *e)
{
	return err_set(e, ERR_DATA, "damaged: %s: the sums are not those of its cells", p->name);
}

/* Adds the sums of a part behind those that are there.  Returns 1 when its last run is not full but not the last of all. */
static int
join_sums(struct shard *s, struct state *p, const int *to, int last, struct err *e)
{
	int64_t n, d, start = sumtree_runs(&s->tree), w = s->want.n;
	int64_t n_group = (int64_t)json_array_size(json_object_get(p->j, "groups"));
	double *x, *sum = mem_new(double, s->tree.n);
	int cut = 0;

	if (n_group == 0 || s->want.pooled)
		n_group = 1;
	x = get_matrix(p, PART, "sums", &n, &d, e);
	if (!e->code && (n || p->rows) && w && d != n_group * w + 2)
		damaged(p, e);
	for (int64_t k = 0; k < n && w && !e->code; k++) {
		const double *row = x + k * d;
		int good = row[0] >= -1 && row[0] <= 40 && row[1] >= 0 && row[1] < 0x1p20, level = good ? (int)row[0] : 0;
		int64_t index = good ? (int64_t)row[1] + (p->whole ? 0 : start) : -1;

		memset(sum, 0, (size_t)s->tree.n * sizeof *sum);
		for (int64_t b = 0; b < n_group; b++)
			memcpy(sum + (s->want.pooled ? 0 : to[b]) * w, row + 2 + b * w, (size_t)w * sizeof *sum);
		if (level < 0 && (s->tree.flat || last)) {
			for (int64_t i = 0; i < s->tree.n; i++)
				s->tree.run[i] += sum[i];
		} else if (level < 0) {
			cut = 1;
			sumtree_push(&s->tree, 0, sumtree_runs(&s->tree), sum);
		} else if (index < 0 || index << level != sumtree_runs(&s->tree)) {
			damaged(p, e);
		} else {
			sumtree_push(&s->tree, level, index, sum);
		}
	}
	mem_free(x);
	mem_free(sum);
	return cut;
}

static void
join_cells(struct shard *s, struct state *p, const int *to, int64_t at, int32_t *code, struct err *e)
{
	int64_t n, d, n_group = (int64_t)json_array_size(json_object_get(p->j, "groups"));
	double *x = get_matrix(p, PART, "cells", &n, &d, e);

	if (!e->code && (n != p->rows || (n && d != s->want.per_cell + 1)))
		damaged(p, e);
	for (int64_t i = 0; i < n && !e->code; i++) {
		if (n_group && !(x[i * d] >= 0 && x[i * d] < (double)n_group))
			damaged(p, e);
		else
			code[at + i] = n_group ? to[(int)x[i * d]] : 0;
		memcpy(s->cell + (at + i) * (d - 1), x + i * d + 1, (size_t)(d - 1) * sizeof *x);
	}
	mem_free(x);
}

/* All sums of the round, then its total. */
static int
join_parts(const struct shard_tool *t, struct shard *s, struct state *p, int n, struct err *e)
{
	int **to = join_groups(s, p, n), r = (int)p[0].round;
	int64_t at = 0, total = 0;
	int32_t *code;
	double *sum;

	s->n = mem_new(int64_t, s->n_group);
	for (int i = 0; i < n; i++) {
		total += p[i].rows;
		if (r == 0 || i == 0)           /* later rounds know the number of all */
			add_cells(s, &p[i], to[i]);
	}
	for (int i = 0; i < s->n_group; i++)
		s->n_cell += s->n[i];
	if (!e->code && total != s->n_cell)
		err_set(e, ERR_DATA, "the parts hold %lld cells, the fit that they were made with %lld", (long long)total,
		    (long long)s->n_cell);
	if (!e->code && (t->open(s, e) || !t->round(s, r, &s->want)))
		err_set(e, ERR_DATA, "damaged: %s: there is no such round", p[0].name);
	sumtree_init(&s->tree, shard_doubles(s));
	s->tree.flat = s->want.flat;
	s->cell = mem_new(double, s->want.per_cell ? total * s->want.per_cell : 0);
	code = mem_new(int32_t, s->want.per_cell ? total : 0);
	for (int i = 0; i < n && !e->code; i++) {
		if (join_sums(s, &p[i], to[i], i == n - 1, e))
			app_warn("%s holds %lld cells, no multiple of 65536: the fit is that of the whole to rounding, not to the byte",
			    p[i].name, (long long)p[i].rows);
		if (s->want.per_cell && !e->code)
			join_cells(s, &p[i], to[i], at, code, e);
		at += p[i].rows;
		mem_free(to[i]);
	}
	sum = mem_new(double, shard_doubles(s));
	sumtree_end(&s->tree, sum);
	shard_reduce(t, s, r, sum, s->cell, s->group.n ? code : NULL, e);
	mem_free(sum);
	mem_free(code);
	mem_free(to);
	return e->code;
}

static int
put_fit(const struct shard_tool *t, struct shard *s, const struct state *p, const struct opt *opts, struct err *e)
{
	json_t *j = json_object();
	int next = shard_next(t, s, e), done = 0;

	while (done < SHARD_ROUNDS && s->total[done].x)
		done++;
	json_object_set_new(j, "rounds", json_integer(done));
	json_object_set_new(j, "open", json_boolean(next >= 0));
	put_state(s, FIT, j, opts, p->options, e);
	app_say(s->a, "%lld cells in %d parts", (long long)s->n_cell, s->a->n_arg);
	if (next >= 0)
		app_say(s->a, "one more round: %s --partial --project %s IN -o PART for each shard, then --merge", s->a->tool->name,
		    s->a->out_path ? s->a->out_path : "FIT");
	else if (!e->code)
		t->apply(s, e);
	app_stat_int(s->a, "cells", s->n_cell);
	app_stat_int(s->a, "open", next >= 0);
	s->a->no_log = 1;
	return e->code;
}

int
shard_merge(const struct shard_tool *t, struct shard *s, const struct opt *opts, struct err *e)
{
	int n = s->a->n_arg;
	struct state *p = mem_new(struct state, n);
	struct strs names = {0};

	if (n == 0)
		err_set(e, ERR_USAGE, "--merge: name the parts");
	for (int i = 0; i < n && !e->code; i++)
		open_state(s, s->a->arg[i], PART, &p[i], e);
	if (!e->code && check_parts(p, n, e) == 0 && check_rows(p, n, e) == 0 && opt_restore(opts, p[0].options, "parts", e) == 0) {
		for (int64_t i = 0; i < p[0].set.axis[AXIS_VAR].n; i++)
			strs_add(&names, strs_get(&p[0].set.axis[AXIS_VAR].names, i), strs_len(&p[0].set.axis[AXIS_VAR].names, i));
		s->n_var = names.n;
		set_put_axis(&s->a->set, AXIS_VAR, &names, e);
		get_totals(s, &p[0], PART, e);
		join_parts(t, s, p, n, e);
		put_fit(t, s, &p[0], opts, e);
	}
	for (int i = 0; i < n; i++)
		close_state(&p[i]);
	mem_free(p);
	strs_clear(&names);
	return e->code;
}
