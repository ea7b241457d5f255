/* ovx-score - scores of the cell cycle's genes and of any lists
 *
 * reads    X, layers/lognorm; var/robust when it is there
 * writes   obs/S_score, G2M_score   mean of the list less that of its control genes
 *          obs/phase                G1, S or G2M
 *          uns/cell_cycle           genes and control genes
 *          with --gene-set          obs/NAME_score, uns/NAME_score
 */
#include <stdio.h>
#include <string.h>
#include "alg/genestat.h"
#include "alg/score.h"
#include "app/app.h"
#include "app/pick.h"
#include "base/mem.h"
#include "os/text.h"

static struct {
	struct strs sets;
	const char *species, *s_genes, *g2m_genes, *layer;
	int64_t ctrl_size, bins, min_found;
	int compat;
} o;

static const struct opt opts[] = {
	{ 0, "gene-set", LIST(&o.sets), "", "", "NAME=GENES|@FILE", "score these genes, A,B,C or one a line in a file, as obs/NAME_score; may be repeated", 0 },
	{ 0, "species", STR(&o.species), "", "human|mouse", "NAME", "whose cell-cycle genes (default: by the names of the genes)", 0 },
	{ 0, "s-genes", INFILE(&o.s_genes), "", "", "FILE", "own genes of the S phase, one a line; with --g2m-genes", 0 },
	{ 0, "g2m-genes", INFILE(&o.g2m_genes), "", "", "FILE", "own genes of G2 and M, one a line; with --s-genes", 0 },
	{ 0, "layer", STR(&o.layer), "lognorm", "", "NAME", "layer to score, or counts", 0 },
	{ 0, "ctrl-size", INT(&o.ctrl_size), "0", "[0,10000000]", "N", "control genes from each bin; 0 = 50, cell cycle: as many as the shorter list has", 0 },
	{ 0, "bins", INT(&o.bins), "25", "[2,1000]", "N", "bins of the means", 0 },
	{ 0, "min-found", INT(&o.min_found), "5", "[1,10000000]", "N", "cell cycle: how many genes of each list must be there", 0 },
	{ 0, "compat", FLAG(&o.compat), "", "", "", "names as they stand in the lists only: renamed genes are not looked for", 0 },
	{0}
};

struct list {
	char *name;             /* of the column, without obs/ */
	struct strs given;      /* as they stand in the list */
	int32_t *gene, *control;        /* columns */
	int64_t n, n_control;
	int64_t n_known;        /* genes that are there, robust or not */
	struct strs missing;
};

struct work {
	struct app *a;
	struct list *list;
	int n_list;
	const char *species;    /* of the cell cycle; NULL = own lists */
	struct map at;          /* gene name -> column */
	uint8_t *robust;        /* [n_var] or NULL */
};

static struct list *
add_list(struct work *w, const char *name, const char *tail)
{
	struct str s = {0};
	struct list *l;

	w->list = mem_renew(w->list, struct list, w->n_list + 1);
	l = &w->list[w->n_list++];
	memset(l, 0, sizeof *l);
	str_addf(&s, "%s%s", name, tail);
	l->name = s.s;
	return l;
}

/* Names, one a line, up to a tab. */
static int
give_file(struct list *l, const char *file, struct err *e)
{
	struct text t;

	if (text_open(&t, file, e))
		return e->code;
	while (text_line(&t, e)) {
		size_t n = strcspn(t.line, "\t");

		while (n && t.line[n - 1] == ' ')
			n--;
		if (n)
			strs_add(&l->given, t.line, n);
	}
	text_close(&t);
	return e->code;
}

static void
give_words(struct list *l, const char *s)
{
	while (*s) {
		size_t n = strcspn(s, ",");

		if (n)
			strs_add(&l->given, s, n);
		s += n + (s[n] == ',');
	}
}

/* The column of a name, or of the other name of the gene, or -1. */
static int64_t
column_of(const struct work *w, const char *name)
{
	int64_t i = map_get(&w->at, name);
	const char *other = o.compat || i >= 0 ? NULL : score_renamed(name);

	return other ? map_get(&w->at, other) : i;
}

static int
sets(struct work *w, struct err *e)
{
	struct strs plain = {0};

	for (int64_t i = 0; i < o.sets.n && !e->code; i++) {
		const char *s = strs_get(&o.sets, i), *eq = strchr(s, '=');
		struct str t = {0};
		struct list *l;
		char *name;

		if (!eq || eq == s || !eq[1] || memchr(s, '/', (size_t)(eq - s))) {
			err_set(e, ERR_USAGE, "--gene-set: '%s' is no NAME=GENES or NAME=@FILE", s);
			break;
		}
		name = mem_strndup(s, (size_t)(eq - s));
		l = add_list(w, name, "_score");
		for (int k = 0; k < w->n_list - 1; k++)
			if (strcmp(w->list[k].name, l->name) == 0)
				err_set(e, ERR_USAGE, "--gene-set: two sets are called %s", name);
		if (eq[1] == '@')
			give_file(l, eq + 2, e);
		else
			give_words(l, eq + 1);
		/* What provenance holds is the genes, whatever file they came from. */
		str_addf(&t, "%s=", name);
		for (int64_t k = 0; k < l->given.n; k++)
			str_addf(&t, "%s%s", k ? "," : "", strs_get(&l->given, k));
		strs_add(&plain, t.s, t.n);
		str_clear(&t);
		mem_free(name);
	}
	strs_clear(&o.sets);
	o.sets = plain;
	return e->code;
}

/* How many genes of a list there are. */
static int64_t
count(const struct work *w, const char *const *l)
{
	int64_t n = 0;

	for (; *l; l++)
		n += column_of(w, *l) >= 0;
	return n;
}

static void
cell_cycle(struct work *w, struct err *e)
{
	static const char *const name[] = { "human", "mouse" };
	struct list *s = add_list(w, "S_score", ""), *g;
	int64_t n[N_SPECIES];
	int sp;

	if (o.s_genes) {
		give_file(s, o.s_genes, e);
		g = add_list(w, "G2M_score", "");
		give_file(g, o.g2m_genes, e);
		return;
	}
	for (sp = 0; sp < N_SPECIES; sp++)
		n[sp] = count(w, score_s[sp]) + count(w, score_g2m[sp]);
	sp = o.species ? strcmp(o.species, "mouse") == 0 : n[SCORE_MOUSE] > n[SCORE_HUMAN];
	if (n[sp] == 0)
		err_set(e, ERR_DATA, "no gene bears the name of a %s cell-cycle gene, like %s; genes go by symbols: give --s-genes and "
		    "--g2m-genes for other names or species", o.species ? o.species : "human or mouse", sp == SCORE_MOUSE ? "Mki67" : "MKI67");
	w->species = name[sp];
	for (int i = 0; score_s[sp][i]; i++)
		strs_add(&s->given, score_s[sp][i], strlen(score_s[sp][i]));
	g = add_list(w, "G2M_score", "");
	for (int i = 0; score_g2m[sp][i]; i++)
		strs_add(&g->given, score_g2m[sp][i], strlen(score_g2m[sp][i]));
}

/* Columns of the list's genes; those outside var/robust do not count. */
static void
look_up(const struct work *w, struct list *l, int64_t least, struct err *e)
{
	uint8_t *in = mem_new(uint8_t, w->a->set.axis[AXIS_VAR].n);
	char first[80] = "", layer[60] = "";

	l->gene = mem_new(int32_t, l->given.n);
	for (int64_t i = 0; i < l->given.n; i++) {
		int64_t g = column_of(w, strs_get(&l->given, i));

		l->n_known += g >= 0;
		if (g >= 0 && (!w->robust || w->robust[g])) {
			if (!in[g])
				l->gene[l->n++] = (int32_t)g;
			in[g] = 1;
		} else
			strs_add(&l->missing, strs_get(&l->given, i), strs_len(&l->given, i));
	}
	mem_free(in);
	if (l->n >= least || e->code)
		return;
	if (l->missing.n)
		snprintf(first, sizeof first, ", not %.60s", strs_get(&l->missing, 0));
	if (l->n_known > l->n)
		snprintf(layer, sizeof layer, " (%lld more are not in var/robust)", (long long)(l->n_known - l->n));
	err_set(e, ERR_DATA, "%s: %lld of the list's %lld genes are there%s%s; %s", l->name, (long long)l->n, (long long)l->given.n,
	    layer, first, w->species || o.s_genes ? "the phase of the cell cycle needs more (--min-found)" : "genes go by the names in var; a file is NAME=@FILE");
}

static int64_t
ctrl_size(const struct work *w, int cycle)
{
	int64_t n = 50;

	if (o.ctrl_size)
		return o.ctrl_size;
	if (cycle)
		n = w->list[0].given.n < w->list[1].given.n ? w->list[0].given.n : w->list[1].given.n;
	return n;
}

static json_t *
names_of(const struct work *w, const int32_t *gene, int64_t n)
{
	json_t *j = json_array();

	for (int64_t i = 0; i < n; i++)
		json_array_append_new(j, json_string(strs_get(&w->a->set.axis[AXIS_VAR].names, gene[i])));
	return j;
}

static json_t *
about(const struct work *w, const struct list *l)
{
	json_t *j = json_object(), *m = json_array();

	json_object_set_new(j, "given", json_integer(l->given.n));
	json_object_set_new(j, "genes", names_of(w, l->gene, l->n));
	for (int64_t i = 0; i < l->missing.n; i++)
		json_array_append_new(m, json_string(strs_get(&l->missing, i)));
	json_object_set_new(j, "missing", m);
	json_object_set_new(j, "controls", names_of(w, l->control, l->n_control));
	return j;
}

static void
put_json(struct work *w, const char *path, json_t *j, const char *from, struct err *e)
{
	struct str t = {0};

	json_text(j, &t);
	set_put_text(&w->a->set, path, t.s, from, e);
	str_clear(&t);
	json_decref(j);
}

static void
put_phase(struct work *w, const double *score, int64_t n, const char *from, struct err *e)
{
	static const char *const name[] = { "G1", "S", "G2M" };
	struct column c = {0};
	int64_t cells[3] = {0};

	column_init(&c, DT_CAT, n);
	for (int k = 0; k < 3; k++)
		strs_add(&c.cat, name[k], strlen(name[k]));
	score_phase(score, score + n, n, c.i32);
	for (int64_t i = 0; i < n; i++)
		cells[c.i32[i]]++;
	set_put_column(&w->a->set, "obs/phase", &c, from, e);
	column_clear(&c);
	app_say(w->a, "%lld cells in G1, %lld in S, %lld in G2M", (long long)cells[PHASE_G1], (long long)cells[PHASE_S],
	    (long long)cells[PHASE_G2M]);
	for (int k = 0; k < 3; k++)
		app_stat_int(w->a, name[k], cells[k]);
}

static void
say_missing(const struct work *w, const struct list *l)
{
	struct str t = {0};

	for (int64_t i = 0; i < l->missing.n && t.n < 800; i++)
		str_addf(&t, " %s", strs_get(&l->missing, i));
	if (t.n)
		app_info("%s: not there%s:%s", l->name, w->robust ? ", or not in var/robust" : "", t.s);
	str_clear(&t);
}

static int
put(struct work *w, const double *score, const char *layer_from, struct err *e)
{
	int64_t n = w->a->set.axis[AXIS_OBS].n;
	int cycle = o.sets.n == 0;
	char from[460], path[400];
	json_t *both = json_object();

	snprintf(from, sizeof from, "%.400s%s", layer_from, w->robust ? ",var/robust" : "");
	json_object_set_new(both, "species", w->species ? json_string(w->species) : json_null());
	for (int k = 0; k < w->n_list && !e->code; k++) {
		const struct list *l = &w->list[k];

		snprintf(path, sizeof path, "obs/%.390s", l->name);
		set_put_f64(&w->a->set, path, score + k * n, n, from, e);
		if (cycle) {
			json_object_set_new(both, l->name, about(w, l));
		} else {
			snprintf(path, sizeof path, "uns/%.390s", l->name);
			put_json(w, path, about(w, l), from, e);
		}
		app_stat_int(w->a, l->name, l->n);
		say_missing(w, l);
	}
	if (cycle) {
		put_json(w, "uns/cell_cycle", both, from, e);
		app_say(w->a, "%s%s%lld of %lld S genes, %lld of %lld G2M genes", w->species ? w->species : "", w->species ? ": " : "",
		    (long long)w->list[0].n, (long long)w->list[0].given.n, (long long)w->list[1].n, (long long)w->list[1].given.n);
		put_phase(w, score, n, "obs/S_score,obs/G2M_score", e);
		return e->code;
	}
	json_decref(both);
	for (int k = 0; k < w->n_list && k < 8; k++)
		app_say(w->a, "%s: %lld of %lld genes", w->list[k].name, (long long)w->list[k].n, (long long)w->list[k].given.n);
	if (w->n_list > 8)
		app_say(w->a, "%d more lists", w->n_list - 8);
	return e->code;
}

static int
score(struct work *w, const struct pick_layer *l, struct err *e)
{
	int64_t n_obs = w->a->set.axis[AXIS_OBS].n, n_var = w->a->set.axis[AXIS_VAR].n;
	struct genestat_opt go = { .layer = &l->l, .gene = w->robust };
	struct genestat st = {0};
	struct rows r = {0};
	struct score_list *list = mem_new(struct score_list, w->n_list);
	int32_t *bin = mem_new(int32_t, n_var);
	double *y;

	app_phase("means", n_obs);
	if (set_rows(&w->a->set, "X", &r, e) == 0 && genestat_get(&r, &go, NULL, &st, e) == 0)
		score_bins(st.mean, w->robust, n_var, (int)o.bins, bin, e);
	genestat_clear(&st);
	for (int k = 0; k < w->n_list && !e->code; k++) {
		struct list *s = &w->list[k];

		s->control = mem_new(int32_t, n_var);
		s->n_control = score_controls(bin, n_var, s->gene, s->n, ctrl_size(w, o.sets.n == 0), (uint32_t)w->a->seed, s->control, e);
		if (e->code)
			break;
		s->control = mem_renew(s->control, int32_t, s->n_control);
		list[k] = (struct score_list){ s->gene, s->control, s->n, s->n_control };
	}
	mem_free(bin);
	app_phase("scores", n_obs);
	if (!e->code) {
		y = mem_new(double, n_obs * w->n_list);
		if (score_rows(&r, &l->l, list, w->n_list, y, e) == 0)
			put(w, y, l->from, e);
		mem_free(y);
	}
	set_rows_clear(&r);
	mem_free(list);
	return e->code;
}

static void
work_clear(struct work *w)
{
	for (int k = 0; k < w->n_list; k++) {
		struct list *l = &w->list[k];

		mem_free(l->name);
		strs_clear(&l->given);
		strs_clear(&l->missing);
		mem_free(l->gene);
		mem_free(l->control);
	}
	mem_free(w->list);
	map_clear(&w->at);
	mem_free(w->robust);
}

static int
run(struct app *a, struct err *e)
{
	struct work w = { .a = a };
	struct pick_layer l = {0};

	if (a->set.axis[AXIS_OBS].n == 0)
		return err_set(e, ERR_DATA, "the input has no cells");
	if (a->seed > UINT32_MAX)
		return err_set(e, ERR_USAGE, "--seed: the generator of the control genes takes seeds below 2^32");
	if (set_names(&a->set, AXIS_VAR, e))
		return e->code;
	set_mask(&a->set, "var/robust", &w.robust, e);
	map_of(&w.at, &a->set.axis[AXIS_VAR].names);
	if (o.sets.n)
		sets(&w, e);
	else
		cell_cycle(&w, e);
	for (int k = 0; k < w.n_list && !e->code; k++)
		look_up(&w, &w.list[k], o.sets.n ? 1 : o.min_found, e);
	pick_layer(a, o.layer, &l, e);
	if (!e->code && l.l.mean)
		err_set(e, ERR_USAGE, "layers/%s is centred: its genes have no means to choose controls by; take lognorm", o.layer);
	if (!e->code)
		score(&w, &l, e);
	pick_layer_clear(&l);
	work_clear(&w);
	return e->code;
}

static const char *
check(void)
{
	if (!o.s_genes != !o.g2m_genes)
		return "--s-genes and --g2m-genes go together";
	if (o.s_genes && o.species)
		return "--species is for the built-in lists; the genes come from --s-genes and --g2m-genes";
	if (o.sets.n && (o.s_genes || o.species || opt_given("min-found")))
		return "--species, --s-genes, --g2m-genes and --min-found are for the cell cycle, which --gene-set takes the place of";
	return NULL;
}

static int
plan(struct app *a, struct plan *p, struct err *e)
{
	int64_t n_obs = a->set.axis[AXIS_OBS].n, n_var = a->set.axis[AXIS_VAR].n, n_list = o.sets.n ? o.sets.n : 2;

	p->memory = app_rows_bytes(a, "X", 0, e) + n_obs * (16 + 16 * n_list) + n_var * (24 * (2 * a->threads + 8) + 64 + 12 * n_list);
	p->output = n_obs * (8 * n_list + 1) + 40000 * n_list;
	return e->code;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "ovx-score", .summary = "scores of lists of genes, and the phase of the cell cycle", .args = "[BASE [DELTA...]]",
		.reads = "X,layers/lognorm,var/robust", .writes = "obs/S_score,obs/G2M_score,obs/phase,uns/cell_cycle",
		.shape = SHAPE_FILTER, .flags = TOOL_SEED, .opts = opts, .check = check, .plan = plan, .run = run, .fixture = "norm",
		.fixture_args = "--gene-set mt=MT-ND1,MT-CO1 --bins 3"
	};

	return app_main(&tool, argc, argv);
}
