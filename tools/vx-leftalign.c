/* vx-leftalign - variants in their normal form: minimal, and as far left as they go
 *
 * The normaliser is var/norm, what is looked at in a record var/scan_text and var/scan_bcf, what keeps the
 * order var/order; here are the options, the header and the counts.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "app/app.h"
#include "app/log.h"
#include "base/mem.h"
#include "os/budget.h"
#include "var/fasta.h"
#include "var/flow.h"
#include "var/scan.h"

static struct {
	const char *ref, *check, *multi, *type, *regions, *regions_file, *targets, *targets_file, *dedup, *old_tag, *iupac, *unsorted;
	int64_t window;
	int index, tbi, sv, guard, strict, no_version;
} o;

static const struct opt opts[] = {
	{ 'f', "fasta-ref", STR(&o.ref), "", "", "FILE", "reference: FASTA, plain or bgzip; an index is made when it is missing", 0 },
	{ 'c', "check-ref", STR(&o.check), "w", "w|e|x", "MODE", "when REF is not the reference: w pass and count, e stop, x drop", 0 },
	{ 'm', "multiallelics", STR(&o.multi), "joint", "joint|split", "MODE", "records of several ALTs: normalise jointly, or split into one each", 0 },
	{ 'w', "site-win", INT(&o.window), "10000", "[1,1000000000]", "N", "bases that records are held back; a longer shift may be refused", 0 },
	{ 'r', "regions", STR(&o.regions), "", "", "LIST", "only records whose POS lies in CONTIG:FROM-TO,...", 0 },
	{ 'R', "regions-file", STR(&o.regions_file), "", "", "FILE", "the same, from a file (CONTIG, FROM, TO; or BED)", 0 },
	{ 't', "targets", STR(&o.targets), "", "", "LIST", "like -r; with ^ in front all but these", 0 },
	{ 'T', "targets-file", STR(&o.targets_file), "", "", "FILE", "like -R; with ^ in front all but these", 0 },
	{ 'O', "output-type", STR(&o.type), "", "", "TYPE", "v VCF, z .vcf.gz, b BCF, u uncompressed BCF; a digit behind is the level", 0 },
	{ 'W', "write-index", FLAG(&o.index), "", "", "", "write an index (.csi) of the output, too", 0 },
	{ 0, "tbi", FLAG(&o.tbi), "", "", "", "make that index a .tbi", 0 },
	{ 0, "sv", FLAG(&o.sv), "", "", "", "move <DEL> and <DUP> of known length as well", 0 },
	{ 0, "guard", FLAG(&o.guard), "", "", "", "do not move past another record that may be on the same chromosome copy", 0 },
	{ 0, "dedup", STR(&o.dedup), "", "exact", "MODE", "drop records of the same POS, REF and ALT as one before", 0 },
	{ 0, "old-tag", STR(&o.old_tag), "", "", "NAME", "INFO tag that says what a changed record was", 0 },
	{ 0, "iupac", STR(&o.iupac), "N", "N|alpha", "RULE", "reference bases that are not ACGT: N, or the first base that the code holds", 0 },
	{ 0, "unsorted", STR(&o.unsorted), "no", "no|ok", "RULE", "ok: take records in any order and leave each at its place", 0 },
	{ 0, "strict", FLAG(&o.strict), "", "", "", "-c e; contigs that the reference lacks and fields of a wrong length are errors, too", 0 },
	{ 0, "no-version", FLAG(&o.no_version), "", "", "", "do not add a line about this run to the header", 0 },
	{0}
};

static const char *
check(void)
{
	if (!o.ref)
		return "-f FILE: name the reference";
	if (o.unsorted && !strcmp(o.unsorted, "ok") && o.index)
		return "--unsorted ok and -W do not go together: only sorted files can be indexed";
	if (o.unsorted && !strcmp(o.unsorted, "ok") && o.dedup)
		return "--unsorted ok and --dedup do not go together: sort first";
	if (o.tbi && !o.index)
		return "--tbi says what -W makes: give both";
	return NULL;
}

/* --- memory ------------------------------------------------------------------- */

/* Chunks in flight, with what is known of their records. */
#define CHUNK_COST (5 << 18)
#define ROOM_LEAST (8 << 20)
#define ROOM_MORE (12 << 20)
#define GZ_COST (20 << 20)

/* Threads when nobody says: those of the seed's tiers, by memory that may be used. */
static int
tier(void)
{
	int64_t gb = budget_memory() >> 30;
	int cpus = budget_cpus(), n = gb < 8 ? 1 : gb < 12 ? 2 : cpus > 3 ? cpus - 1 : 2;

	return n < cpus ? n : cpus;
}

static int
plan(struct app *a, struct plan *p, struct err *e)
{
	struct err none = {0};
	int level;
	enum flow_type t = flow_type(o.type, a->out_path, &level, &none);

	(void)e;
	if (!opt_given("threads") && a->threads > tier())
		a->threads = tier();
	p->memory = ROOM_LEAST + (t == FLOW_GZ || t == FLOW_BCF ? GZ_COST : 0) +
	    (int64_t)(a->threads > 1 ? 4 * a->threads : 1) * CHUNK_COST + (2 << 20);
	p->output = 0;
	for (int i = 0; i < a->n_arg; i++) {
		struct stat st;

		if (stat(a->arg[i], &st) == 0)
			p->output += st.st_size;
	}
	return 0;
}

/* --- the header --------------------------------------------------------------- */

static int
add_lines(struct flow *f, struct err *e)
{
	struct str t = {0};

	if (o.old_tag)
		str_addf(&t, "##INFO=<ID=%s,Number=1,Type=String,Description=\"Original variant. Format: CHR|POS|REF|ALT|USED_ALT_IDX\">\n", o.old_tag);
	if (!o.no_version) {
		str_addf(&t, "##vx-leftalignCommand=vx-leftalign %s", OVX_VERSION);
		if (opt_given("check-ref") && !o.strict)
			str_addf(&t, " -c %s", o.check);
		if (!strcmp(o.multi, "split"))
			str_add(&t, " -m split");
		str_addf(&t, "%s%s%s", o.regions ? " -r " : "", o.regions ? o.regions : "", o.regions_file ? " -R FILE" : "");
		str_addf(&t, "%s%s%s", o.targets ? " -t " : "", o.targets ? o.targets : "", o.targets_file ? " -T FILE" : "");
		str_addf(&t, "%s%s", o.sv ? " --sv" : "", o.dedup ? " --dedup exact" : "");
		str_addf(&t, "%s", o.guard ? " --guard" : "");
		if (o.old_tag)
			str_addf(&t, " --old-tag %s", o.old_tag);
		str_addf(&t, "%s%s%s\n", strcmp(o.iupac, "N") ? " --iupac alpha" : "", strcmp(o.unsorted, "no") ? " --unsorted ok" : "",
		    o.strict ? " --strict" : "");
	}
	if (t.n)
		flow_header_add(f, t.s, e);
	str_clear(&t);
	return e->code;
}

/* BCF and indexes need every contig in the header: those of the reference that are missing go there. */
static int
add_contigs(struct flow *f, const struct fasta *ref, struct err *e)
{
	struct str t = {0};
	int shared = hts_contigs(f->head) == 0;

	for (int i = 0; i < fasta_n(ref); i++) {
		if (hts_contig(f->head, fasta_name(ref, i)) >= 0)
			shared = 1;
		else
			str_addf(&t, "##contig=<ID=%s,length=%lld>\n", fasta_name(ref, i), (long long)fasta_length(ref, i));
	}
	/* A header that names them all in another way (chr1, 1) is left as it is. */
	if (t.n && shared)
		flow_header_add(f, t.s, e);
	str_clear(&t);
	return e->code;
}

/* --- what is said ------------------------------------------------------------- */

static void
statistics(struct app *a, const struct flow *f)
{
	const struct chunk_stats *s = &f->stats;
	char key[40];

	app_stat_int(a, "in", s->in);
	app_stat_int(a, "out", s->out);
	app_stat_int(a, "split", s->split);
	app_stat_int(a, "dropped", s->dropped);
	app_stat_int(a, "outside_regions", s->outside);
	for (int i = NORM_SNV; i < N_NORM; i++) {
		snprintf(key, sizeof key, "%s", norm_names[i]);
		app_stat_int(a, key, s->by[i]);
	}
	app_stat_int(a, "max_shift", s->max_shift);
	app_stat_int(a, "end_rewritten", s->end_fixed);
	app_stat_int(a, "checked_ref", s->checked);
	app_stat_int(a, "copied_whole", s->whole);
	app_stat_int(a, "duplicates", f->order.dups);
	app_stat_int(a, "blocks_passed", f->out.reused);
	app_stat_int(a, "blocks_compressed", f->out.made);
}

static void
warnings(const struct flow *f, const struct fasta *ref)
{
	const struct chunk_stats *s = &f->stats;
	struct str t = {0};
	int missing = 0, unknown = 0;

	for (int i = 0; i < s->n_named; i++)
		app_warn("%s", s->named[i]);
	if (s->mismatch > s->n_named)
		app_warn("%lld more records whose REF is not the reference's", (long long)(s->mismatch - s->n_named));
	for (int64_t i = 0; i < f->order.seen.n; i++) {
		const char *name = strs_get(&f->order.seen, i);
		int64_t n = (int64_t)strlen(name), length = -1;
		int c = f->head ? hts_contig(f->head, name) : -1;

		if (c >= 0)
			length = hts_contig_length(f->head, c);
		else if (f->head && unknown++ == 0)
			app_warn("contig %s is not declared in the header; BCF and indexes need that", name);
		if (fasta_find(ref, name, n) < 0 && fasta_alias(ref, name, n, length) < 0 && missing++ < 10)
			app_warn("contig %s is not in the reference: its records pass unchanged", name);
	}
	if (missing > 10)
		app_warn("%d more contigs are not in the reference", missing - 10);
	for (int64_t i = 0; i < f->whole.n; i++)
		str_addf(&t, "%s%s", i ? ", " : "", strs_get(&f->whole, i));
	if (t.n)
		app_warn("copied whole, because the number of values does not fit: %s", t.s);
	str_clear(&t);
}

/* --- the run ------------------------------------------------------------------ */

static struct scan *scans;
static struct hts_index *made;          /* -W: the index, and where the last record ends */
static uint64_t made_end;

static int
look(void *ctx, struct chunk *c, int worker, struct err *e)
{
	struct flow *f = ctx;

	return f->out_bcf ? scan_bcf(&scans[worker], c, e) : scan_text(&scans[worker], c, e);
}

static int
read_regions(struct region *r, struct err *e)
{
	if (o.regions)
		region_add(r, o.regions, e);
	if (o.regions_file && !e->code)
		region_add_file(r, o.regions_file, e);
	if (o.targets && !e->code)
		region_add(r, o.targets, e);
	if (o.targets_file && !e->code)
		region_add_file(r, o.targets_file, e);
	if ((o.regions || o.regions_file) && (o.targets || o.targets_file))
		return err_set(e, ERR_USAGE, "-r and -t together: give one list");
	if (!e->code)
		region_done(r);
	return e->code;
}

/* -r, -R: where the input has an index, only the stretches that may hold records of the regions are read. */
static void
seek_regions(struct flow *f, const struct region *r, const char *path)
{
	struct hts_lookup *l = NULL;
	struct hts_span *span = NULL;
	int64_t n = 0;

	if ((o.regions || o.regions_file) && path && f->in.kind == SOURCE_BGZF && f->in.size >= 0 && !r->inverse)
		l = hts_lookup(path, f->in.bcf, f->head);
	if (!l)
		return;
	for (int64_t i = 0; i < r->n; i++)
		hts_lookup_add(l, strs_get(&r->names, r->span[i].contig), r->span[i].beg > 0 ? r->span[i].beg - 1 : 0,
		    r->span[i].end < (int64_t)1 << 40 ? r->span[i].end : (int64_t)1 << 40, &span, &n);
	source_only(&f->in, (const struct source_span *)span, n);
	mem_free(span);
	hts_lookup_free(l);
}

/* The whole work between open files. */
static int
align(struct app *a, struct flow *f, struct scan_opts *so, enum flow_type t, int level, int64_t room, struct err *e)
{
	const struct chunk_stats *s = &f->stats;
	int n = par_n(a->par);

	if (!f->in.bcf && (t == FLOW_BCF || t == FLOW_UBCF || o.index))
		add_contigs(f, so->ref, e);
	add_lines(f, e);
	so->head = f->head;
	if (e->code || flow_start(f, a->out.fd, t, level < 0 ? 4 : level, level < 0, e))
		return e->code;
	if (o.index)
		made = f->out.index = hts_index(f->head, f->out_bcf, !o.tbi, drain_offset(&f->out), e);
	f->order.room = room;
	/* One record alone costs several times its bytes: as read, as looked at, as converted, as written. */
	f->in.long_most = a->memory / 16 < f->in.long_most ? a->memory / 16 : f->in.long_most;
	f->order.window = o.window;
	f->order.unsorted = so->unsorted;
	f->order.dedup = o.dedup != NULL;
	f->in.whole |= so->split || o.index || o.dedup;
	f->in.whole |= o.guard;
	f->serial = o.guard;
	if (so->region)
		seek_regions(f, so->region, a->n_arg ? a->arg[0] : NULL);
	f->look = look;
	f->ctx = f;
	f->tick = log_tick;
	scans = mem_new(struct scan, n);
	for (int i = 0; i < n; i++)
		scan_init(&scans[i], so, e);
	if (!e->code)
		flow_run(f, e);
	for (int i = 0; i < n; i++)
		scan_free(&scans[i]);
	mem_free(scans);
	if (e->code)
		return e->code;
	warnings(f, so->ref);
	if (s->out != s->in + s->split - s->dropped - s->outside)
		return err_set(e, ERR_SYSTEM, "records are not all accounted for: this is a bug");
	if (!opt_given("check-ref") && s->checked >= 100 && s->mismatch * 20 > s->checked)
		return err_set(e, ERR_DATA, "REF differs from the reference in %lld of %lld records: is %s another build? -c w passes them anyway",
		    (long long)s->mismatch, (long long)s->checked, o.ref);
	drain_end_block(&f->out);
	statistics(a, f);
	app_say(a, "%lld records, %lld moved, %lld trimmed%s", (long long)s->in, (long long)s->by[NORM_SHIFTED], (long long)s->by[NORM_TRIMMED],
	    s->by[NORM_SHIFTED] || s->by[NORM_TRIMMED] ? "" : ": all were normal");
	if (s->split)
		app_say(a, "%lld more by splitting", (long long)s->split);
	if (s->dropped)
		app_say(a, "%lld dropped", (long long)s->dropped);
	app_say(a, "%d thread%s, blocks of %d KB%s", n, n > 1 ? "s" : "", CHUNK_BYTES >> 10, fasta_mapped(so->ref) ? "" : ", reference by windows");
	drain_flush(&f->out, e);
	made_end = drain_offset(&f->out);
	return e->code;
}

/* Out of memory: the index does not stay as a part. */
static void (*oom_before)(size_t);

static void
oom_drop(size_t bytes)
{
	if (made)
		hts_index_drop(made);
	oom_before(bytes);
}

/* The index gets its name once the output has its own: neither stands there without the other. */
static void
put_index(struct app *a, struct err *e)
{
	oom_before = mem_oom;
	mem_oom = oom_drop;
	if (made && !e->code && !hts_index_write(made, made_end, a->out_path, e)) {
		outfile_commit(&a->out, e);
		hts_index_commit(made, e);
	}
	mem_oom = oom_before;
	hts_index_free(made);
}

static int
run(struct app *a, struct err *e)
{
	struct flow f = { .in = { .fd = -1 } };
	struct scan_opts so = { .split = !strcmp(o.multi, "split"), .sv = o.sv, .alpha = !strcmp(o.iupac, "alpha"), .strict = o.strict,
		.unsorted = !strcmp(o.unsorted, "ok"), .old_tag = o.old_tag, .guard = o.guard ? o.window : 0,
		.check = o.strict || *o.check == 'e' ? CHECK_STOP : *o.check == 'x' ? CHECK_DROP : CHECK_WARN };
	struct region region = {0};
	struct plan p = {0};
	int level;
	enum flow_type t = flow_type(o.type, a->out_path, &level, e);
	int64_t spare, room;

	if (a->n_arg > 1)
		return err_set(e, ERR_USAGE, "one input at a time; join files first (bcftools concat)");
	if (!e->code && t != FLOW_TEXT && isatty(a->out.fd))
		return err_set(e, ERR_USAGE, "the output is binary and would go to a terminal; use -o FILE, a pipe or >");
	if (o.index && !a->out_path)
		return err_set(e, ERR_USAGE, "-W: an index needs a file; give -o FILE");
	if (!e->code && o.index && t != FLOW_GZ && t != FLOW_BCF)
		return err_set(e, ERR_USAGE, "-W: only .vcf.gz and BCF can be indexed; name the output so, or give -O z or -O b");
	plan(a, &p, e);
	spare = a->memory - p.memory - (16 << 20) - a->threads * (int64_t)(1 << 20);
	/* What is over goes half to records that are held back, up to 20 MB of them, and to the map of the reference. */
	spare = spare > 0 ? spare : 0;
	room = ROOM_LEAST + (spare / 2 < ROOM_MORE ? spare / 2 : ROOM_MORE);
	so.ref = e->code ? NULL : fasta_open(o.ref, spare - (room - ROOM_LEAST), e);
	if (!e->code && *fasta_note(so.ref))
		app_info("%s", fasta_note(so.ref));
	if (!e->code && !read_regions(&region, e) && region.n)
		so.region = &region;
	if (!e->code && !flow_open(&f, a->n_arg ? a->arg[0] : NULL, a->par, t == FLOW_BCF || t == FLOW_UBCF || o.index || so.split, e))
		align(a, &f, &so, t, level, room, e);
	flow_close(&f, e);
	put_index(a, e);
	region_clear(&region);
	fasta_close(so.ref);
	return e->code;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "vx-leftalign",
		.summary = "variants in their normal form: left-aligned and minimal",
		.args = "-f REF.fa [IN.vcf[.gz] | IN.bcf]",
		.reads = "VCF, .vcf.gz or BCF; a reference",
		.writes = "the same records, normalised, sorted",
		.shape = SHAPE_VARIANTS,
		.opts = opts,
		.check = check,
		.plan = plan,
		.run = run,
		.fixture = "calls.vcf",
		.fixture_args = "-f ref.fa",
	};

	return app_main(&tool, argc, argv);
}
