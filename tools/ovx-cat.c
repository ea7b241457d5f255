/* ovx-cat - streams of several samples as one
 *
 * reads    X, obs/NAME, var/NAME of each
 * writes   X, obs/NAME, var/NAME, and a column that says which sample
 */
#include <stdio.h>
#include <string.h>
#include "app/app.h"
#include "base/mem.h"
#include "io/mtx.h"

static struct { const char *batch, *join; int keep_names; } o;

static const struct opt opts[] = {
	{ 'b', "batch", STR(&o.batch), "sample", "", "COL", "column that says where a cell comes from", 0 },
	{ 0, "join", STR(&o.join), "inner", "inner|outer", "HOW", "genes that all inputs have, or that any has", 0 },
	{ 0, "keep-names", FLAG(&o.keep_names), "", "", "", "no NAME_ before the names of the cells; equal ones are refused", 0 },
	{0}
};

struct part {
	char *name;
	struct set set;
	struct strs gene;       /* what genes are matched by */
	int32_t *to;            /* [its genes] number in the result, or -1 */
};

struct work {
	struct app *a;
	struct part *part;
	int n;
	int by_id;
	struct sink sink;
	const int32_t *to;
	struct csr *slot;       /* [n_slot] renumbered rows */
	int64_t n_gene;
};

static int
open_parts(struct work *w, struct err *e)
{
	struct app *a = w->a;
	struct map seen = {0};

	w->n = a->n_arg;
	w->part = mem_new(struct part, w->n);
	for (int i = 0; i < w->n && !e->code; i++) {
		struct part *p = &w->part[i];
		char *eq = strchr(a->arg[i], '='), *path = eq ? eq + 1 : a->arg[i];

		if (!eq || eq == a->arg[i])
			return err_set(e, ERR_USAGE, "'%s' is no NAME=FILE, like ctrl=ctrl.ovx", a->arg[i]);
		p->name = mem_strndup(a->arg[i], (size_t)(eq - a->arg[i]));
		if (map_put(&seen, p->name, i) >= 0)
			err_set(e, ERR_USAGE, "two inputs are called %s", p->name);
		set_init(&p->set);
		p->set.par = a->par;
		p->set.warn = a->set.warn;
		p->set.spool.cap = a->set.spool.cap;
		p->set.wave_bytes = a->set.wave_bytes;
		set_open(&p->set, &path, 1, e);
		set_names(&p->set, AXIS_OBS, e);
		set_names(&p->set, AXIS_VAR, e);
	}
	map_clear(&seen);
	return e->code;
}

/* Ids where all have them, else symbols. */
static int
gene_keys(struct work *w, struct err *e)
{
	w->by_id = 1;
	for (int i = 0; i < w->n; i++)
		w->by_id &= set_find(&w->part[i].set, "var/gene_ids") != NULL;
	for (int i = 0; i < w->n && !e->code; i++) {
		struct part *p = &w->part[i];
		struct column c = {0};
		struct map m = {0};
		int64_t twice;

		if (w->by_id)
			set_column(&p->set, "var/gene_ids", &c, e);
		for (int64_t g = 0; g < p->set.axis[AXIS_VAR].n && !e->code; g++) {
			const char *s = w->by_id ? column_string(&c, g) : strs_get(&p->set.axis[AXIS_VAR].names, g);

			strs_add(&p->gene, s, strlen(s));
		}
		twice = e->code ? -1 : map_of(&m, &p->gene);
		if (twice >= 0)
			err_set(e, ERR_DATA, "%s: the gene %s stands there twice", p->name, strs_get(&p->gene, twice));
		map_clear(&m);
		column_clear(&c);
	}
	return e->code;
}

/* Genes of the result: those of the first input that all have, or all that any
 * has, in order of first appearance.  from: part and gene that a name is taken of. */
static int
match_genes(struct work *w, struct strs *name, struct err *e)
{
	struct map in = {0}, count = {0};
	int64_t changed;

	for (int i = 0; i < w->n; i++)
		for (int64_t g = 0; g < w->part[i].gene.n; g++) {
			const char *s = strs_get(&w->part[i].gene, g);
			int64_t c = map_get(&count, s);

			map_put(&count, s, c < 0 ? 1 : c + 1);
		}
	for (int i = 0; i < w->n; i++) {
		struct part *p = &w->part[i];

		p->to = mem_new(int32_t, p->gene.n);
		for (int64_t g = 0; g < p->gene.n; g++) {
			const char *s = strs_get(&p->gene, g);
			int64_t at = map_get(&in, s);

			if (at < 0 && (strcmp(o.join, "outer") == 0 || (i == 0 && map_get(&count, s) == w->n))) {
				const char *sym = strs_get(&p->set.axis[AXIS_VAR].names, g);

				map_put(&in, s, at = w->n_gene++);
				strs_add(name, sym, strlen(sym));
			}
			p->to[g] = (int32_t)at;
		}
	}
	map_clear(&in);
	map_clear(&count);
	changed = names_unique(name);
	if (changed)
		app_warn("%lld repeated gene symbols got -1, -2, ... behind them", (long long)changed);
	if (w->n_gene == 0)
		err_set(e, ERR_DATA, "the inputs have no gene in common (by %s); --join outer keeps all", w->by_id ? "id" : "name");
	return e->code;
}

static int
put_cells(struct work *w, struct err *e)
{
	struct strs name = {0};
	struct column c = {0};
	struct str t = {0};
	struct map m = {0};
	char path[600];
	int64_t twice, n = 0;

	for (int i = 0; i < w->n; i++) {
		const struct strs *l = &w->part[i].set.axis[AXIS_OBS].names;

		for (int64_t k = 0; k < l->n; k++) {
			t.n = 0;
			if (!o.keep_names)
				str_addf(&t, "%s_", w->part[i].name);
			str_add(&t, strs_get(l, k));
			strs_add(&name, t.s, t.n);
		}
	}
	twice = map_of(&m, &name);
	if (twice >= 0)
		err_set(e, ERR_DATA, "the cell %s stands in two inputs; leave out --keep-names", strs_get(&name, twice));
	map_clear(&m);
	column_init(&c, DT_CAT, name.n);
	for (int i = 0; i < w->n; i++) {
		strs_add(&c.cat, w->part[i].name, strlen(w->part[i].name));
		for (int64_t k = 0; k < w->part[i].set.axis[AXIS_OBS].n; k++)
			c.i32[n++] = i;
	}
	set_put_axis(&w->a->set, AXIS_OBS, &name, e);
	snprintf(path, sizeof path, "obs/%.500s", o.batch);
	set_put_column(&w->a->set, path, &c, "", e);
	column_clear(&c);
	str_clear(&t);
	strs_clear(&name);
	return e->code;
}

/* One obs column over all inputs, through text: numbers stay numbers, text text. */
static int
join_obs(struct work *w, const char *path, struct err *e)
{
	struct column c;
	struct strs all = {0};
	int dtype = -1;
	struct str t = {0};

	for (int i = 0; i < w->n; i++) {
		struct item *it = set_find(&w->part[i].set, path);

		dtype = it ? it->s->head.dtype : dtype;
	}
	for (int i = 0; i < w->n && !e->code; i++) {
		struct set *s = &w->part[i].set;
		struct column k = {0};
		int there = set_find(s, path) != NULL;

		if (there)
			set_column(s, path, &k, e);
		for (int64_t r = 0; r < s->axis[AXIS_OBS].n && !e->code; r++) {
			t.n = 0;
			if (there && !column_missing(&k, r)) {
				if (k.dtype == DT_BOOL)
					str_add(&t, k.b[r] ? "True" : "False");
				else
					column_text(&k, r, &t);
			}
			strs_add(&all, t.s ? t.s : "", t.n);
		}
		column_clear(&k);
	}
	column_parse(&c, &all);
	/* Text stays text even if it could be read as numbers. */
	if (dtype == DT_STR || dtype == DT_CAT) {
		column_clear(&c);
		column_factor(&c, &all);
		for (int64_t i = 0; i < c.n; i++)
			if (!*strs_get(&c.cat, c.i32[i]))
				c.i32[i] = -1;
	}
	set_put_column(&w->a->set, path, &c, "", e);
	column_clear(&c);
	strs_clear(&all);
	str_clear(&t);
	return e->code;
}

static int
put_obs(struct work *w, struct err *e)
{
	char own[600];
	struct strs done = {0};

	snprintf(own, sizeof own, "obs/%.500s", o.batch);
	for (int i = 0; i < w->n && !e->code; i++)
		for (int64_t k = 0; k < w->part[i].set.n_item && !e->code; k++) {
			const struct item *it = &w->part[i].set.item[k];
			const char *path = head_path(&it->s->head);
			int64_t at;

			if (it->dropped || it->s->head.kind != KIND_COLUMN || strncmp(path, "obs/", 4) || strcmp(path, own) == 0)
				continue;
			for (at = 0; at < done.n && strcmp(strs_get(&done, at), path); at++)
				;
			if (at < done.n)
				continue;
			strs_add(&done, path, strlen(path));
			join_obs(w, path, e);
		}
	strs_clear(&done);
	return e->code;
}

/* A var column that all inputs have, with equal values for every gene they share. */
static int
join_var(struct work *w, const char *path, struct err *e)
{
	struct column k;
	struct str t = {0};
	struct strs out = {0};
	char **text = mem_new(char *, w->n_gene);
	int equal = 1, dtype = -1;

	for (int i = 0; i < w->n && equal && !e->code; i++) {
		struct part *p = &w->part[i];

		equal = set_find(&p->set, path) != NULL;
		if (!equal || set_column(&p->set, path, &k, e))
			break;
		equal = dtype < 0 || dtype == k.dtype;
		dtype = k.dtype;
		for (int64_t g = 0; g < k.n && equal; g++) {
			if (p->to[g] < 0)
				continue;
			t.n = 0;
			if (k.dtype == DT_BOOL)
				str_add(&t, k.b[g] ? "True" : "False");
			else
				column_text(&k, g, &t);
			if (!text[p->to[g]])
				text[p->to[g]] = mem_strdup(t.s ? t.s : "");
			else
				equal = strcmp(text[p->to[g]], t.s ? t.s : "") == 0;
		}
		column_clear(&k);
	}
	for (int64_t g = 0; g < w->n_gene; g++) {
		if (equal && text[g])
			strs_add(&out, text[g], strlen(text[g]));
		mem_free(text[g]);
	}
	mem_free(text);
	if (equal && !e->code && out.n == w->n_gene) {
		if (dtype == DT_STR) {
			k = (struct column){ .dtype = DT_STR, .n = out.n, .str = out };
			memset(&out, 0, sizeof out);
		} else if (dtype == DT_CAT) {
			column_factor(&k, &out);
		} else {
			column_parse(&k, &out);
		}
		set_put_column(&w->a->set, path, &k, "", e);
		column_clear(&k);
	}
	strs_clear(&out);
	str_clear(&t);
	return e->code;
}

static int
put_var(struct work *w, struct strs *name, struct err *e)
{
	set_put_axis(&w->a->set, AXIS_VAR, name, e);
	for (int64_t k = 0; k < w->part[0].set.n_item && !e->code; k++) {
		const struct item *it = &w->part[0].set.item[k];

		if (!it->dropped && it->s->head.kind == KIND_COLUMN && strncmp(head_path(&it->s->head), "var/", 4) == 0)
			join_var(w, head_path(&it->s->head), e);
	}
	return e->code;
}

static int
renumber(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct work *w = ctx;
	struct csr *to = &w->slot[slot];
	int64_t n = 0;

	(void)e;
	csr_reserve(to, m->n_row, m->ptr[m->n_row]);
	to->n_row = m->n_row;
	to->n_col = w->n_gene;
	to->ptr[0] = 0;
	for (int64_t i = 0; i < m->n_row; i++) {
		for (int64_t k = m->ptr[i]; k < m->ptr[i + 1]; k++)
			if (w->to[m->col[k]] >= 0) {
				to->col[n] = w->to[m->col[k]];
				to->val[n++] = m->val[k];
			}
		to->ptr[i + 1] = n;
	}
	return 0;
}

static int
hand_on(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct work *w = ctx;

	(void)m;
	return sink_add(&w->sink, &w->slot[slot], e);
}

static int
put_matrix(struct work *w, struct err *e)
{
	int dtype = DT_F32;

	for (int i = 0; i < w->n && !e->code; i++) {
		struct item *it = set_need(&w->part[i].set, "X", "import counts with ovx-import", e);

		if (it && it->s->head.dtype == DT_F64)
			dtype = DT_F64;
	}
	if (e->code)
		return e->code;
	sink_open(&w->sink, &w->a->set, "X", dtype, w->a->set.axis[AXIS_OBS].n, w->n_gene, e);
	for (int i = 0; i < w->n && !e->code; i++) {
		struct rows r;

		if (set_rows(&w->part[i].set, "X", &r, e) == 0) {
			w->slot = mem_new(struct csr, r.n_slot);
			w->to = w->part[i].to;
			rows_pass(&r, renumber, hand_on, w, e);
			for (int k = 0; k < r.n_slot; k++)
				csr_clear(&w->slot[k]);
			mem_free(w->slot);
			set_from(&w->part[i].set, "X", &w->a->ids, e);
		}
		set_rows_clear(&r);
		set_finish(&w->part[i].set, e);
	}
	return sink_close(&w->sink, e);
}

/* Names what is not carried over: it would be wrong for the joined cells. */
static void
tell_dropped(struct work *w)
{
	struct str t = {0};
	int64_t n = 0;

	for (int i = 0; i < w->n; i++)
		for (int64_t k = 0; k < w->part[i].set.n_item; k++) {
			const struct item *it = &w->part[i].set.item[k];
			const char *path = head_path(&it->s->head);

			if (it->dropped || it->s->head.kind == KIND_AXIS || it->s->head.kind == KIND_COLUMN || strcmp(path, "X") == 0 ||
			    strncmp(path, "log/", 4) == 0 || (t.s && strstr(t.s, path)))
				continue;
			str_addf(&t, "%s%s", t.n ? ", " : "", path);
			n++;
		}
	if (n)
		app_warn("%.600s: not carried over, because they hold for one sample only", t.s);
	str_clear(&t);
}

static int
run(struct app *a, struct err *e)
{
	struct work w = { .a = a };
	struct strs name = {0};

	open_parts(&w, e);
	gene_keys(&w, e);
	if (!e->code && match_genes(&w, &name, e) == 0) {
		put_cells(&w, e);
		put_obs(&w, e);
		put_var(&w, &name, e);
		put_matrix(&w, e);
		tell_dropped(&w);
		app_say(a, "%lld cells x %lld genes of %d samples, matched by %s", (long long)a->set.axis[AXIS_OBS].n,
		    (long long)w.n_gene, w.n, w.by_id ? "gene id" : "gene name");
	}
	for (int i = 0; w.part && i < w.n; i++) {
		if (w.part[i].set.made.name)
			set_close(&w.part[i].set);
		strs_clear(&w.part[i].gene);
		mem_free(w.part[i].to);
		mem_free(w.part[i].name);
	}
	mem_free(w.part);
	strs_clear(&name);
	return e->code;
}

static int
plan(struct app *a, struct plan *p, struct err *e)
{
	if (a->n_arg == 0)
		return err_set(e, ERR_USAGE, "no inputs: ovx-cat ctrl=ctrl.ovx stim=stim.ovx");
	p->memory = a->set.spool.cap + a->threads * (int64_t)(48 << 20);
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "ovx-cat", .summary = "streams of several samples as one", .args = "NAME=FILE...", .reads = "", .writes = "X,obs/*,var/*",
		.shape = SHAPE_SOURCE, .opts = opts, .plan = plan, .run = run, .fixture = "", .fixture_args = "a=small.ovx b=other.ovx"
	};

	return app_main(&tool, argc, argv);
}
