/* ovx-cat - streams of several samples as one
 *
 * reads    X, obs/NAME, var/NAME of each
 * writes   X, obs/NAME, var/NAME, and a column that says which sample
 */
#include <stdio.h>
#include <string.h>
#include "app/app.h"
#include "base/mem.h"
#include "cell/join.h"
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
	int open;
};

struct work {
	struct app *a;
	struct part *part;
	struct set **set;       /* [n] of the parts */
	const int32_t **to_gene;        /* [n] of the parts */
	int n;
	int by_id;
	struct sink sink;
	const int32_t *to;
	struct csr *slot;       /* [n_slot] renumbered rows */
	int64_t n_gene;
	struct strs left;       /* what is not carried over */
};

/* Opened by the plan, which must know what is in them. */
static struct work w0;

static int
open_parts(struct work *w, struct err *e)
{
	struct app *a = w->a;
	struct map seen = {0};

	w->n = a->n_arg;
	w->part = mem_new(struct part, w->n);
	w->set = mem_new(struct set *, w->n);
	w->to_gene = mem_new(const int32_t *, w->n);
	for (int i = 0; i < w->n && !e->code; i++) {
		struct part *p = &w->part[i];
		const char *file;
		char *path;

		p->name = opt_pair(NULL, a->arg[i], &file, e);
		if (!p->name)
			break;
		path = a->arg[i] + (file - a->arg[i]);
		if (map_put(&seen, p->name, i) >= 0)
			err_set(e, ERR_USAGE, "two inputs are called %s", p->name);
		p->open = 1;
		w->set[i] = &p->set;
		set_init(&p->set);
		p->set.warn = a->set.warn;
		p->set.spool.cap = a->set.spool.cap / w->n;
		set_open(&p->set, &path, 1, e);
		set_names(&p->set, AXIS_OBS, e);
		set_names(&p->set, AXIS_VAR, e);
	}
	map_clear(&seen);
	return e->code;
}

static void
close_part(struct part *p)
{
	if (p->open)
		set_close(&p->set);
	p->open = 0;
	strs_clear(&p->gene);
	mem_free(p->to);
	p->to = NULL;
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

		w->to_gene[i] = p->to = mem_new(int32_t, p->gene.n);
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
	for (int i = 0; i < w->n; i++)
		strs_clear(&w->part[i].gene);
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
	for (int i = 0; i < w->n; i++) {
		strs_clear(&w->part[i].set.axis[AXIS_OBS].names);       /* no longer needed */
		w->part[i].set.axis[AXIS_OBS].known = 0;
	}
	set_put_axis(&w->a->set, AXIS_OBS, &name, e);
	snprintf(path, sizeof path, "obs/%.500s", o.batch);
	set_put_column(&w->a->set, path, &c, "", e);
	column_clear(&c);
	str_clear(&t);
	strs_clear(&name);
	return e->code;
}

static int
is_column(const struct item *it, const char *box)
{
	return !it->dropped && it->s->head.kind == KIND_COLUMN && strncmp(head_path(&it->s->head), box, strlen(box)) == 0;
}

/* Whether an input before number i has the path. */
static int
seen_before(const struct work *w, int i, const char *path)
{
	for (int k = 0; k < i; k++)
		if (set_find(&w->part[k].set, path))
			return 1;
	return 0;
}

static int
put_obs(struct work *w, struct err *e)
{
	struct app *a = w->a;
	char own[600];
	int replaced = 0;

	snprintf(own, sizeof own, "obs/%.500s", o.batch);
	for (int i = 0; i < w->n && !e->code; i++)
		for (int64_t k = 0; k < w->part[i].set.n_item && !e->code; k++) {
			const struct item *it = &w->part[i].set.item[k];
			const char *path = head_path(&it->s->head);

			if (!is_column(it, "obs/"))
				continue;
			if (strcmp(path, own) == 0)
				replaced = 1;
			else if (!seen_before(w, i, path))
				join_obs(&a->set, w->set, w->n, path, e);
		}
	if (replaced)
		app_warn("%s of the inputs is replaced by the names of the inputs; to keep it, name another column with -b", own);
	return e->code;
}

static int
put_var(struct work *w, struct strs *name, struct err *e)
{
	set_put_axis(&w->a->set, AXIS_VAR, name, e);
	for (int64_t k = 0; k < w->part[0].set.n_item && !e->code; k++) {
		const struct item *it = &w->part[0].set.item[k];

		if (is_column(it, "var/"))
			join_var(&w->a->set, w->set, w->to_gene, w->n, w->n_gene, head_path(&it->s->head), e);
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

/* Notes what is not carried over: it would be wrong for the joined cells. */
static void
note_left(struct work *w, const struct part *p)
{
	for (int64_t k = 0; k < p->set.n_item; k++) {
		const struct item *it = &p->set.item[k];
		const char *path = head_path(&it->s->head);
		int64_t i;

		if (it->dropped || it->s->head.kind == KIND_AXIS || it->s->head.kind == KIND_COLUMN || strcmp(path, "X") == 0 ||
		    strncmp(path, "log/", 4) == 0)
			continue;
		for (i = 0; i < w->left.n && strcmp(strs_get(&w->left, i), path); i++)
			;
		if (i == w->left.n)
			strs_add(&w->left, path, strlen(path));
	}
}

static void
tell_left(const struct work *w)
{
	struct str t = {0};

	for (int64_t i = 0; i < w->left.n; i++)
		str_addf(&t, "%s%s", i ? ", " : "", strs_get(&w->left, i));
	if (t.n)
		app_warn("%.600s: not carried over, because they hold for one sample only", t.s);
	str_clear(&t);
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

		w->part[i].set.par = w->a->par;
		w->part[i].set.wave_bytes = w->a->set.wave_bytes;
		if (set_rows(&w->part[i].set, "X", &r, e) == 0) {
			w->slot = mem_new(struct csr, r.n_slot);
			w->to = w->part[i].to;
			set_rows_flags(&r, SET_WHOLE);
			rows_pass(&r, renumber, hand_on, w, e);
			for (int k = 0; k < r.n_slot; k++)
				csr_clear(&w->slot[k]);
			mem_free(w->slot);
			set_from(&w->part[i].set, "X", &w->a->ids, e);
		}
		set_rows_clear(&r);
		set_finish(&w->part[i].set, e);
		note_left(w, &w->part[i]);
		close_part(&w->part[i]);
	}
	return sink_close(&w->sink, e);
}

static int
run(struct app *a, struct err *e)
{
	struct work *w = &w0;
	struct strs name = {0};

	gene_keys(w, e);
	if (!e->code && match_genes(w, &name, e) == 0) {
		put_cells(w, e);
		put_obs(w, e);
		put_var(w, &name, e);
		put_matrix(w, e);
		if (!e->code)
			tell_left(w);
		app_say(a, "%lld cells x %lld genes of %d samples, matched by %s", (long long)a->set.axis[AXIS_OBS].n,
		    (long long)w->n_gene, w->n, w->by_id ? "gene id" : "gene name");
	}
	for (int i = 0; i < w->n; i++) {
		close_part(&w->part[i]);
		mem_free(w->part[i].name);
	}
	mem_free(w->part);
	mem_free(w->set);
	mem_free(w->to_gene);
	w->part = NULL;
	strs_clear(&w->left);
	strs_clear(&name);
	return e->code;
}

/* --- the plan ---------------------------------------------------------------- */

static int64_t
names_bytes(const struct strs *l)
{
	return (int64_t)l->buf.n + 8 * l->n;
}

/* A map of n names, while it grows. */
static int64_t
map_bytes(int64_t n)
{
	int64_t cap = 64;

	while (2 * (n + 1) > cap)
		cap *= 2;
	return 24 * cap;
}

/* The largest column of a box, over all inputs. */
static int64_t
columns_bytes(struct work *w, const char *box, int axis, struct err *e)
{
	int64_t most = 0;

	for (int i = 0; i < w->n; i++)
		for (int64_t k = 0; k < w->part[i].set.n_item && !e->code; k++) {
			const struct item *it = &w->part[i].set.item[k];
			const char *path = head_path(&it->s->head);
			int64_t b = 0;

			if (!is_column(it, box) || seen_before(w, i, path))
				continue;
			b = join_bytes(w->set, w->n, axis, path, e);
			most = b > most ? b : most;
		}
	return most;
}

static int
plan(struct app *a, struct plan *p, struct err *e)
{
	struct work *w = &w0;
	int64_t cells = 0, genes = 0, obs = 0, var = 0, made = 0, kept = 0, block = 0, stored = 0, most, b;
	int slots = a->threads == 1 ? 1 : 2 * a->threads, piped = 0;

	if (a->n_arg == 0)
		return err_set(e, ERR_USAGE, "no inputs: ovx-cat ctrl=ctrl.ovx stim=stim.ovx");
	w->a = a;
	if (!w->part && open_parts(w, e))
		return e->code;
	for (int i = 0; i < w->n && !e->code; i++) {
		struct set *s = &w->part[i].set;
		struct item *x = set_need(s, "X", "import counts with ovx-import", e);

		cells += s->axis[AXIS_OBS].n;
		genes += s->axis[AXIS_VAR].n;
		obs += names_bytes(&s->axis[AXIS_OBS].names);
		var += names_bytes(&s->axis[AXIS_VAR].names);
		made += names_bytes(&s->axis[AXIS_OBS].names) + (o.keep_names ? 0 : ((int64_t)strlen(w->part[i].name) + 1) * s->axis[AXIS_OBS].n);
		b = set_block_bytes(s, "X", SET_WHOLE, e);
		block = b > block ? b : block;
		piped |= s->pipe >= 0;
		kept += s->pipe >= 0 ? s->spool.cap : 0;
		for (int64_t k = 0; k < s->n_item; k++) {
			kept += 700 + 100 * s->item[k].s->n_block;
			stored += s->item[k].s->stored;
		}
		if (x)
			stored += 2 * x->s->stored;     /* the first rows are stored twice */
	}
	/* Phases: matching genes; naming cells; the largest column; rows on their way, with two
	 * copies each of a wave, and of the blocks that are being filled. */
	most = var + 2 * map_bytes(genes) + obs;
	b = obs + map_bytes(cells) + 4 * cells;
	most = b > most ? b : most;
	b = columns_bytes(w, "obs/", AXIS_OBS, e) + (2 << 20);
	most = b > most ? b : most;
	b = columns_bytes(w, "var/", AXIS_VAR, e) + 64 * genes;
	most = b > most ? b : most;
	b = 2 * (a->threads + 1) * block + slots * (block * 5 / 2 + 12 * genes / w->n);
	most = b > most ? b : most;
	a->block_bytes = block;
	a->copies = 2;          /* as they are, and renumbered */
	p->memory = var + 2 * var + 4 * genes + made + kept + most;
	p->memory += piped || stored > a->set.spool.cap ? a->set.spool.cap : stored;
	p->disk = stored;
	p->output = stored;
	return e->code;
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
