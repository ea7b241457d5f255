/* vx-gnomad - allele frequencies for variants
 *
 * What is asked for and how it is written is var/annot, who answers var/vxg (a database) or var/freq_sites (a sites file); here are
 * the options, the header and the counts.  The commands that make and look after databases stand in vx-gnomad/.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "app/app.h"
#include "app/log.h"
#include "base/mem.h"
#include "io/vxrun.h"
#include "var/alias.h"
#include "var/annot.h"
#include "var/fasta.h"
#include "var/freq_sites.h"
#include "var/vxg.h"
#include "vx-gnomad/cmd.h"

static struct {
	struct strs db, sites, most, field;
	const char *ref, *fields, *expr, *mark;
	int pops, explain, force;
	struct vxrun v;
} o;

static const struct opt opts[] = {
	{ 'd', "database", LIST(&o.db), "", "", "[NAME=]DB", "database, and the prefix of its tags [gnomad]; may be given several times", 0 },
	{ 'f', "fasta-ref", STR(&o.ref), "", "", "FILE", "reference: alleles are left-aligned for the look-up, too", 0 },
	{ 0, "sites", LIST(&o.sites), "", "", "[NAME=]FILE", "the same from a sites file with an index (.tbi, .csi): slower, nothing to build", 0 },
	{ 0, "fields", STR(&o.fields), "", "", "LIST", "only these fields, comma-separated, and FILTER (default: all that the database has)", 0 },
	{ 0, "pops", FLAG(&o.pops), "", "", "", "with --sites: the fields of all groups as well", 0 },
	{ 0, "field", LIST(&o.field), "", "", "NAME=TAG", "with --sites: the INFO tag that a field is taken from; may be given several times", 0 },
	{ 0, "explain", FLAG(&o.explain), "", "", "", "add what was looked up, and what stands at that position", 0 },
	{ 0, "max-af", LIST(&o.most), "", "", "FIELD=X", "only records one ALT of which has at most X there, or nothing; may be given several times", 0 },
	{ 'i', "include", STR(&o.expr), "", "", "EXPR", "only records one ALT of which fulfils this, or may if a value is missing", 0 },
	{ 0, "mark", STR(&o.mark), "", "", "NAME", "keep the others, too, with NAME in FILTER", 0 },
	{ 0, "force-build", FLAG(&o.force), "", "", "", "go on when the database is of another genome build than the input", 0 },
	VXRUN_OPTS(o.v),
	VXRUN_NO_VERSION(o.v),
	{0}
};

static const char *
check(void)
{
	if (!o.db.n && !o.sites.n)
		return "-d DB: name a database (vx-gnomad index makes one), or a sites file by --sites";
	if (o.mark && !o.most.n && !o.expr)
		return "--mark says what becomes of records that do not pass: give --max-af or -i";
	if (o.mark && (strpbrk(o.mark, ";, \t=") || !strcmp(o.mark, "PASS") || !strcmp(o.mark, ".") || !strcmp(o.mark, "0")))
		return "--mark: no name for a FILTER";
	if ((o.pops || o.field.n) && !o.sites.n)
		return "--pops and --field say what to take from a sites file: they go with --sites, or with vx-gnomad index";
	return vxrun_check(&o.v);
}

/* Chunks in flight: as read, as built anew, what is asked. */
#define CHUNK_COST (3 << 20)
#define CHUNK_LEAST (16 << 10)
#define CHUNK_SMALL (32 << 10)          /* lines and what becomes of them stay in a core's cache */
#define CURSOR_LEAST (256 << 10)
#define CURSOR_MOST (8 << 20)

static int
plan(struct app *a, struct plan *p, struct err *e)
{
	(void)e;
	vxrun_plan(&o.v, a, p, CHUNK_COST);
	p->memory += (o.db.n + o.sites.n) * a->threads * (int64_t)(2 * CURSOR_LEAST);
	return 0;
}

/* --- databases ---------------------------------------------------------------- */

/* NAME=FILE where NAME can begin a tag; else all of it is the file. */
static char *
prefix_of(const char *s, const char **file)
{
	const char *p = s;

	*file = s;
	while (isalnum((unsigned char)*p) || *p == '_' || *p == '.')
		p++;
	if (*p != '=' || p == s || !(isalpha((unsigned char)*s) || *s == '_'))
		return mem_strdup("gnomad");
	*file = p + 1;
	return mem_strndup(s, (size_t)(p - s));
}

static int
open_databases(struct annot *a, int64_t room, int threads, struct err *e)
{
	int n = (int)(o.db.n + o.sites.n);
	int64_t share = n ? room / n : 0, cursor = share / 4 / threads;

	/* A quarter for what the threads keep of it, the rest for its map. */
	cursor = cursor > CURSOR_MOST ? CURSOR_MOST : cursor < CURSOR_LEAST ? CURSOR_LEAST : cursor;
	a->db = mem_new(struct annot_db, n);
	for (int i = 0; i < n && !e->code; i++) {
		const char *file;
		struct annot_db *d = &a->db[i];

		d->prefix = prefix_of(i < o.db.n ? strs_get(&o.db, i) : strs_get(&o.sites, i - o.db.n), &file);
		for (int k = 0; k < i; k++)
			if (!strcmp(a->db[k].prefix, d->prefix))
				err_set(e, ERR_USAGE, "two databases are called %s; give one another name: -d NAME=%s", d->prefix, file);
		a->n_db = i + 1;
	}
	for (int i = 0; i < n && !e->code; i++) {
		const char *file;
		struct annot_db *d = &a->db[i];

		mem_free(prefix_of(i < o.db.n ? strs_get(&o.db, i) : strs_get(&o.sites, i - o.db.n), &file));
		if (e->code)
			break;
		if (i >= o.db.n) {
			d->freq = freq_sites_open(file, o.fields, o.pops, &o.field, e);
			continue;
		}
		d->freq = vxg_open(file, share - threads * cursor, e);
		if (d->freq)
			vxg_cursor_room(d->freq, cursor);
	}
	return e->code;
}

static void
close_databases(struct annot *a)
{
	for (int i = 0; i < a->n_db; i++) {
		if (a->db[i].freq)
			a->db[i].freq->close(a->db[i].freq);
		mem_free(a->db[i].prefix);
	}
	mem_free(a->db);
}

static const char *
release_of(const struct freq *f)
{
	return *f->release ? f->release : "release unknown";
}

/* A build is refused only when both sides are recognised and differ. */
static int
compare_build(const struct annot *a, int d, int build, const char *what, int *unknown, struct err *e)
{
	int has = freq_build(a->db[d].freq);

	if (!has || !build)
		*unknown = 1;
	else if (has != build && o.force)
		app_warn("%s is of GRCh%d, the database %s of GRCh%d", what, build, a->db[d].prefix, has);
	else if (has != build)
		err_set(e, ERR_DATA, "%s is of GRCh%d, the database %s of GRCh%d by their contigs' lengths; --force-build goes on anyway", what,
		    build, a->db[d].prefix, has);
	return e->code;
}

static const char *
contig_of_head(const void *ctx, int i, size_t *n, int64_t *length)
{
	const char *name = hts_contig_name(ctx, i);

	*n = name ? strlen(name) : 0;
	*length = hts_contig_length(ctx, i);
	return name ? name : "";
}

static int
check_build(const struct annot *a, const struct flow *f, struct err *e)
{
	int unknown = 0, none = 0;
	int build = f->head ? alias_build(contig_of_head, f->head, hts_contigs(f->head)) : 0;

	for (int d = 0; d < a->n_db && !e->code; d++) {
		compare_build(a, d, build, f->in.name, &unknown, e);
		if (a->ref && !e->code)
			compare_build(a, d, fasta_build(a->ref), o.ref, &none, e);
	}
	if (unknown && !e->code)
		app_warn("contig lengths do not tell whether input and database are of one genome build");
	return e->code;
}

/* --- the header --------------------------------------------------------------- */

static int
add_lines(struct annot *a, struct flow *f, struct err *e)
{
	struct str t = {0};

	if (!o.v.no_version) {
		str_addf(&t, "##vx-gnomadCommand=vx-gnomad %s", OVX_VERSION);
		for (int i = 0; i < a->n_db; i++)
			str_addf(&t, " %s %s=FILE [%s]", i < o.db.n ? "-d" : "--sites", a->db[i].prefix, release_of(a->db[i].freq));
		str_addf(&t, "%s%s%s%s", o.ref ? " -f FILE" : "", o.fields ? " --fields " : "", o.fields ? o.fields : "", o.pops ? " --pops" : "");
		for (int64_t i = 0; i < o.field.n; i++)
			str_addf(&t, " --field %s", strs_get(&o.field, i));
		str_addf(&t, "%s", o.explain ? " --explain" : "");
		for (int64_t i = 0; i < o.most.n; i++)
			str_addf(&t, " --max-af %s", strs_get(&o.most, i));
		str_addf(&t, "%s%s%s%s%s", o.expr ? " -i " : "", o.expr ? o.expr : "", o.mark ? " --mark " : "", o.mark ? o.mark : "",
		    o.force ? " --force-build" : "");
		vxrun_regions_text(&o.v, &t);
		for (size_t i = 0; i < t.n; i++)
			if (t.s[i] == '\n' || t.s[i] == '\r')
				t.s[i] = ' ';
		str_addn(&t, "\n", 1);
	}
	annot_header(a, f, t.n ? t.s : NULL, e);
	str_clear(&t);
	return e->code;
}

static const char *
contig_of(const void *ctx, int i, int64_t *length)
{
	const struct freq *f = ctx;

	*length = f->contig_length ? f->contig_length[i] : -1;
	return f->contig[i];
}

/* --- what is said ------------------------------------------------------------- */

static void
statistics(struct app *app, const struct annot *a, const struct flow *f, const struct annot_count *n)
{
	app_stat_int(app, "in", f->stats.in);
	app_stat_int(app, "out", f->stats.out);
	app_stat_int(app, "dropped", f->stats.dropped);
	app_stat_int(app, "outside_regions", f->stats.outside);
	app_stat_int(app, "alts", n->alts);
	app_stat_int(app, "trimmed", n->trimmed);
	app_stat_int(app, "left_aligned", n->aligned);
	app_stat_int(app, "ref_mismatch", n->mismatch);
	for (int d = 0; d < a->n_db; d++) {
		json_t *db = json_object(), *contigs = json_object();

		json_object_set_new(db, "release", json_string(a->db[d].freq->release));
		for (int s = 0; s < N_FREQ; s++)
			json_object_set_new(db, freq_names[s], json_integer(n->status ? n->status[d * N_FREQ + s] : 0));
		for (int64_t i = 0; i < n->name.n; i++) {
			json_t *c = json_object();

			json_object_set_new(c, "alts", json_integer(n->contig[i].alts));
			json_object_set_new(c, "found", json_integer(n->contig[i].found[d]));
			json_object_set_new(contigs, strs_get(&n->name, i), c);
		}
		json_object_set_new(db, "contigs", contigs);
		json_object_set_new(app->stats, a->db[d].prefix, db);
	}
}

static int
account(const struct annot *a, const struct flow *f, const struct annot_count *n, struct err *e)
{
	if (f->stats.out != f->stats.in - f->stats.dropped - f->stats.outside)
		return err_set(e, ERR_SYSTEM, "records are not all accounted for: this is a bug");
	for (int d = 0; d < a->n_db; d++) {
		int64_t sum = 0;

		for (int s = 0; s < N_FREQ; s++)
			sum += n->status[d * N_FREQ + s];
		if (sum != n->alts)
			return err_set(e, ERR_SYSTEM, "ALTs are not all accounted for: this is a bug");
	}
	return 0;
}

static void
closing(struct app *app, const struct annot *a, const struct flow *f, const struct annot_count *n)
{
	app_say(app, "%lld records, %lld ALTs", (long long)f->stats.in, (long long)n->alts);
	for (int d = 0; d < a->n_db; d++) {
		const int64_t *s = n->status + d * N_FREQ;

		app_say(app, "%lld found%s%s", (long long)(s[FREQ_FOUND] + s[FREQ_FOUND_FILTERED]), a->n_db > 1 ? " in " : "",
		    a->n_db > 1 ? a->db[d].prefix : "");
	}
	if (f->stats.dropped)
		app_say(app, "%lld records dropped", (long long)f->stats.dropped);
	if (n->mismatch)
		app_warn("alleles whose REF is not the reference's, looked up without left-alignment: %lld", (long long)n->mismatch);
	for (int d = (int)o.db.n; d < a->n_db; d++)
		if (freq_sites_moved(a->db[d].freq))
			app_warn("%s holds alleles that are not minimal: those that move far are not found by their position; build a database (vx-gnomad index)",
			    a->db[d].prefix);
}

/* --- files -------------------------------------------------------------------- */

static struct annot_work **works;
static size_t chunk_most;

static int
look(void *ctx, struct chunk *c, int worker, struct err *e)
{
	struct flow *f = ctx;

	if (f->out_bcf)
		return annot_bcf(works[worker], c, e);
	annot_text(works[worker], c, e);
	/* Several threads may find that at once; it is read when all of them have ended. */
	if (annot_disordered(works[worker]))
		__atomic_store_n(&f->in.chunk, chunk_most, __ATOMIC_RELAXED);
	return e->code;
}

/* Chunks that grow a lot are smaller, and fewer at once: what a short line may become with all tags stays within what the plan says. */
static void
size_chunks(const struct annot *a, struct flow *f)
{
	int64_t grows = 1 + ((int64_t)a->n_keys + 12 * (int64_t)(a->n_tag + a->n_db)) / 32;
	int64_t bytes = CHUNK_COST * 4 / 5 / grows;

	if (bytes < CHUNK_BYTES)
		f->in.chunk = bytes > CHUNK_LEAST ? (size_t)bytes : CHUNK_LEAST;
	if (bytes < 4 * CHUNK_LEAST)
		f->batch = par_n(f->par);
	/* Asks in order are answered one by one; those that go to and fro are put in order within a chunk, which is large then. */
	chunk_most = f->in.chunk;
	if (annot_one_by_one(a) && !f->out_bcf && f->in.chunk > CHUNK_SMALL)
		f->in.chunk = par_n(f->par) > 1 ? chunk_most / 4 : CHUNK_SMALL;
}

/* The whole work between open files. */
static int
annotate(struct app *app, struct annot *a, struct flow *f, struct err *e)
{
	int n = par_n(app->par);
	struct annot_count count = {0};

	if (check_build(a, f, e))
		return e->code;
	if (!f->in.bcf && vxrun_head(&o.v))
		vxrun_contigs(f, contig_of, a->db[0].freq, a->db[0].freq->n_contig, e);
	add_lines(a, f, e);
	if (e->code || flow_start(f, app->out.fd, o.v.t, o.v.level < 0 ? 4 : o.v.level, 0, e))
		return e->code;
	vxrun_index(&o.v, f, e);
	f->in.long_most = app->memory / 16 < f->in.long_most ? app->memory / 16 : f->in.long_most;
	f->in.whole = 1;
	size_chunks(a, f);
	f->order.unsorted = 1;
	f->order.keep = 16 * CHUNK_BYTES;
	if (a->region)
		vxrun_seek(&o.v, f, a->region, app->n_arg ? app->arg[0] : NULL);
	f->look = look;
	f->ctx = f;
	f->tick = log_tick;
	works = mem_new(struct annot_work *, n);
	for (int i = 0; i < n; i++)
		works[i] = annot_work(a, e);
	if (!e->code)
		flow_run(f, e);
	for (int i = 0; i < n; i++) {
		annot_count_add(&count, works[i]);
		annot_work_free(works[i]);
	}
	mem_free(works);
	if (!e->code && !account(a, f, &count, e)) {
		statistics(app, a, f, &count);
		closing(app, a, f, &count);
		vxrun_end(&o.v, f, e);
	}
	annot_count_clear(&count);
	return e->code;
}

static int
run_file(struct app *app, struct annot *a, struct err *e)
{
	struct flow f = { .in = { .fd = -1 } };

	if (!vxrun_open(&o.v, app, e) && !flow_open(&f, app->n_arg ? app->arg[0] : NULL, app->par, vxrun_head(&o.v), e))
		annotate(app, a, &f, e);
	flow_close(&f, e);
	vxrun_commit(&o.v, app, e);
	return e->code;
}

/* --- single variants ---------------------------------------------------------- */

struct variant {
	const char *contig, *ref, *alt;
	size_t n_contig;
	int64_t pos;
	char *text;                     /* ref and alt, each with a NUL behind */
};

/* CONTIG:POS:REF:ALT or CONTIG-POS-REF-ALT, read from its end, because contigs may be called anything. */
static int
parse_variant(const char *s, struct variant *v)
{
	for (const char *sep = ":-"; *sep; sep++) {
		const char *at[3], *end = s + strlen(s);
		int k = 3;
		int64_t pos = 0;
		size_t n_ref;

		for (const char *p = end; p > s && k > 0; )
			if (*--p == *sep)
				at[--k] = p;
		if (k || at[0] == s || at[2] + 1 == end || at[2] == at[1] + 1 || at[1] == at[0] + 1 || at[1] - at[0] > 12)
			continue;
		for (const char *p = at[0] + 1; p < at[1] && pos >= 0; p++)
			pos = *p >= '0' && *p <= '9' ? 10 * pos + *p - '0' : -1;
		if (pos < 0)
			continue;
		n_ref = (size_t)(at[2] - at[1] - 1);
		v->contig = s;
		v->n_contig = (size_t)(at[0] - s);
		v->pos = pos;
		v->text = mem_strdup(at[1] + 1);
		v->text[n_ref] = 0;
		v->ref = v->text;
		v->alt = v->text + n_ref + 1;
		return 1;
	}
	return 0;
}

/* Header and rows: with one database its fields have no prefix. */
static void
columns(const struct annot *a, struct str *t)
{
	str_add(t, "CHROM\tPOS\tREF\tALT");
	for (int d = 0; d < a->n_db; d++) {
		const struct annot_db *b = &a->db[d];
		size_t skip = a->n_db > 1 ? 1 : strlen(b->prefix) + 2;

		str_addf(t, "\t%.*s", (int)(b->status.n_key - skip - 1), b->status.key + skip);
		for (int i = b->tag; i < b->tag + b->n_tag; i++)
			str_addf(t, "\t%.*s", (int)(a->tag[i].n_key - skip - 1), a->tag[i].key + skip);
		if (o.explain)
			str_addf(t, "\t%.*s\t%.*s", (int)(b->query.n_key - skip - 1), b->query.key + skip, (int)(b->site.n_key - skip - 1),
			    b->site.key + skip);
	}
	str_add(t, "\n");
}

static void
row(const struct annot *a, struct annot_work *w, const struct variant *v, struct str *t, struct err *e)
{
	str_addn(t, v->contig, v->n_contig);
	str_addf(t, "\t%lld\t%s\t%s", (long long)v->pos, v->ref, v->alt);
	for (int d = 0; d < a->n_db; d++) {
		str_add(t, "\t");
		annot_cell(w, annot_status(a, d), t, e);
		for (int i = a->db[d].tag; i < a->db[d].tag + a->db[d].n_tag; i++) {
			str_add(t, "\t");
			annot_cell(w, i, t, e);
		}
		for (int k = 0; k < 2 && o.explain; k++) {
			str_add(t, "\t");
			annot_cell(w, k ? annot_site(a, d) : annot_query(a, d), t, e);
		}
	}
	str_add(t, "\n");
}

static int
run_variants(struct app *app, struct annot *a, const struct variant *v, int n, struct err *e)
{
	struct annot_work *w = annot_work(a, e);
	struct annot_count count = {0};
	struct flow none = {0};
	struct str t = {0};

	columns(a, &t);
	for (int i = 0; i < n && !e->code; i++) {
		annot_one(w, v[i].contig, v[i].n_contig, v[i].pos, v[i].ref, v[i].alt, e);
		row(a, w, &v[i], &t, e);
	}
	if (!e->code)
		app_put(app, t.s, t.n, e);
	none.stats.in = none.stats.out = n;
	annot_count_add(&count, w);
	if (!e->code) {
		statistics(app, a, &none, &count);
		closing(app, a, &none, &count);
	}
	annot_count_clear(&count);
	annot_work_free(w);
	str_clear(&t);
	return e->code;
}

/* --- the run ------------------------------------------------------------------ */

static int
ask(struct app *app, struct annot *a, const struct variant *v, int n, struct err *e)
{
	if (annot_init(a, e))
		return e->code;
	for (int64_t i = 0; i < o.most.n && !e->code; i++)
		annot_add_most(a, strs_get(&o.most, i), e);
	if (o.expr && !e->code)
		annot_add_expr(a, o.expr, e);
	if (e->code)
		return e->code;
	return n ? run_variants(app, a, v, n, e) : run_file(app, a, e);
}

/* Arguments: one file, or variants, which are no files. */
static int
arguments(const struct app *app, struct variant *v, struct err *e)
{
	int n = 0;

	for (int i = 0; i < app->n_arg; i++)
		if (access(app->arg[i], F_OK) != 0)
			n += parse_variant(app->arg[i], &v[n]);
	if (n && n < app->n_arg)
		return err_set(e, ERR_USAGE, "files and single variants do not go together");
	if (!n && app->n_arg > 1)
		return err_set(e, ERR_USAGE, "one input at a time; join files first (bcftools concat)");
	if (n && (o.v.type || o.v.write_index || o.v.regions || o.v.regions_file || o.v.targets || o.v.targets_file || o.most.n || o.expr))
		return err_set(e, ERR_USAGE, "single variants come out as a table: regions, filters and -O are for files");
	return n;
}

static int
run(struct app *app, struct err *e)
{
	struct annot a = { .explain = o.explain, .mark = o.mark, .any_length = o.force };
	struct region region = {0};
	struct strs fields = {0};
	struct variant *v = mem_new(struct variant, app->n_arg + 1);
	struct plan p = {0};
	int64_t spare;
	int n = arguments(app, v, e);

	plan(app, &p, e);
	spare = vxrun_spare(app, &p);
	for (const char *s = o.fields; s && *s; ) {
		size_t k = strcspn(s, ",");

		if (k)
			strs_add(&fields, s, k);
		s += k + (s[k] == ',');
	}
	a.fields = &fields;
	if (!e->code && o.ref)
		a.ref = fasta_open(o.ref, spare / 2, e);
	if (a.ref && !e->code && *fasta_note(a.ref))
		app_info("%s", fasta_note(a.ref));
	if (!e->code && !vxrun_regions(&o.v, &region, e) && region.n)
		a.region = &region;
	if (!e->code && !open_databases(&a, o.ref ? spare / 2 : spare, par_n(app->par), e))
		ask(app, &a, v, n, e);
	annot_free(&a);
	close_databases(&a);
	fasta_close(a.ref);
	region_clear(&region);
	strs_clear(&fields);
	for (int i = 0; i < app->n_arg; i++)
		mem_free(v[i].text);
	mem_free(v);
	return e->code;
}

int
main(int argc, char **argv)
{
	static const struct tool *const commands[] = { &cmd_index, &cmd_info, &cmd_verify, &cmd_merge, NULL };
	static const struct tool tool = {
		.name = "vx-gnomad",
		.summary = "allele frequencies for variants, exact, with a reason for every miss",
		.args = "-d [NAME=]DB [IN.vcf[.gz] | IN.bcf | CONTIG:POS:REF:ALT ...]",
		.reads = "VCF, .vcf.gz or BCF; a database (.vxg), or a sites file",
		.writes = "the same records with INFO tags NAME_AF, NAME_AC, ..., NAME_status; for single variants a table",
		.shape = SHAPE_VARIANTS,
		.opts = opts,
		.check = check,
		.plan = plan,
		.run = run,
		.fixture = "query.vcf",
		.fixture_args = "-d sites.vxg",
		.commands = commands,
	};

	return app_main(&tool, argc, argv);
}
