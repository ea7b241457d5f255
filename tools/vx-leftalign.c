/* vx-leftalign - variants in their normal form: minimal, and as far left as they go
 *
 * The normaliser is var/norm, what is looked at in a record var/scan_text and var/scan_bcf, what keeps the
 * order var/order; here are the options, the header and the counts.
 */
#include <stdio.h>
#include <string.h>
#include "app/app.h"
#include "app/log.h"
#include "base/mem.h"
#include "io/vxrun.h"
#include "var/fasta.h"
#include "var/flow.h"
#include "var/scan.h"

static struct {
	const char *ref, *check, *multi, *dedup, *old_tag, *iupac, *unsorted;
	int64_t window;
	int sv, guard, strict;
	struct vxrun v;
} o;

static const struct opt opts[] = {
	{ 'f', "fasta-ref", STR(&o.ref), "", "", "FILE", "reference: FASTA, plain or bgzip; an index is made when it is missing", 0 },
	{ 'c', "check-ref", STR(&o.check), "w", "w|e|x", "MODE", "when REF is not the reference: w pass and count, e stop, x drop", 0 },
	{ 'm', "multiallelics", STR(&o.multi), "joint", "joint|split", "MODE", "records of several ALTs: normalise jointly, or split into one each", 0 },
	{ 'w', "site-win", INT(&o.window), "10000", "[1,1000000000]", "N", "bases that records are held back; a longer shift may be refused", 0 },
	VXRUN_OPTS(o.v),
	{ 0, "sv", FLAG(&o.sv), "", "", "", "move <DEL> and <DUP> of known length as well", 0 },
	{ 0, "guard", FLAG(&o.guard), "", "", "", "do not move past another record that may be on the same chromosome copy", 0 },
	{ 0, "dedup", STR(&o.dedup), "", "exact", "MODE", "drop records of the same POS, REF and ALT as one before", 0 },
	{ 0, "old-tag", STR(&o.old_tag), "", "", "NAME", "INFO tag that says what a changed record was", 0 },
	{ 0, "iupac", STR(&o.iupac), "N", "N|alpha", "RULE", "reference bases that are not ACGT: N, or the first base that the code holds", 0 },
	{ 0, "unsorted", STR(&o.unsorted), "no", "no|ok", "RULE", "ok: take records in any order and leave each at its place", 0 },
	{ 0, "strict", FLAG(&o.strict), "", "", "", "-c e; contigs that the reference lacks and fields of a wrong length are errors, too", 0 },
	VXRUN_NO_VERSION(o.v),
	{0}
};

static const char *
check(void)
{
	if (!o.ref)
		return "-f FILE: name the reference";
	if (o.unsorted && !strcmp(o.unsorted, "ok") && o.v.write_index)
		return "--unsorted ok and -W do not go together: only sorted files can be indexed";
	if (o.unsorted && !strcmp(o.unsorted, "ok") && o.dedup)
		return "--unsorted ok and --dedup do not go together: sort first";
	return vxrun_check(&o.v);
}

/* --- memory ------------------------------------------------------------------- */

/* Chunks in flight, with what is known of their records. */
#define CHUNK_COST (5 << 18)
#define ROOM_MORE (12 << 20)

static int
plan(struct app *a, struct plan *p, struct err *e)
{
	(void)e;
	vxrun_plan(&o.v, a, p, CHUNK_COST);
	return 0;
}

/* --- the header --------------------------------------------------------------- */

static int
add_lines(struct flow *f, struct err *e)
{
	struct str t = {0};

	if (o.old_tag)
		str_addf(&t, "##INFO=<ID=%s,Number=1,Type=String,Description=\"Original variant. Format: CHR|POS|REF|ALT|USED_ALT_IDX\">\n", o.old_tag);
	if (!o.v.no_version) {
		str_addf(&t, "##vx-leftalignCommand=vx-leftalign %s", OVX_VERSION);
		if (opt_given("check-ref") && !o.strict)
			str_addf(&t, " -c %s", o.check);
		if (!strcmp(o.multi, "split"))
			str_add(&t, " -m split");
		vxrun_regions_text(&o.v, &t);
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

static const char *
contig_of(const void *ctx, int i, int64_t *length)
{
	*length = fasta_length(ctx, i);
	return fasta_name(ctx, i);
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

static int
look(void *ctx, struct chunk *c, int worker, struct err *e)
{
	struct flow *f = ctx;

	return f->out_bcf ? scan_bcf(&scans[worker], c, e) : scan_text(&scans[worker], c, e);
}

/* The whole work between open files. */
static int
align(struct app *a, struct flow *f, struct scan_opts *so, int64_t room, struct err *e)
{
	const struct chunk_stats *s = &f->stats;
	int n = par_n(a->par), level = o.v.level;

	if (!f->in.bcf && vxrun_head(&o.v))
		vxrun_contigs(f, contig_of, so->ref, fasta_n(so->ref), e);
	add_lines(f, e);
	so->head = f->head;
	if (e->code || flow_start(f, a->out.fd, o.v.t, level < 0 ? 4 : level, level < 0, e))
		return e->code;
	vxrun_index(&o.v, f, e);
	f->order.room = room;
	/* One record alone costs several times its bytes: as read, as looked at, as converted, as written. */
	f->in.long_most = a->memory / 16 < f->in.long_most ? a->memory / 16 : f->in.long_most;
	f->order.window = o.window;
	f->order.unsorted = so->unsorted;
	f->order.dedup = o.dedup != NULL;
	f->in.whole |= so->split || o.v.write_index || o.dedup;
	f->in.whole |= o.guard;
	f->serial = o.guard;
	if (so->region)
		vxrun_seek(&o.v, f, so->region, a->n_arg ? a->arg[0] : NULL);
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
	return vxrun_end(&o.v, f, e);
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
	int64_t spare, room;

	if (a->n_arg > 1)
		return err_set(e, ERR_USAGE, "one input at a time; join files first (bcftools concat)");
	vxrun_open(&o.v, a, e);
	plan(a, &p, e);
	spare = vxrun_spare(a, &p);
	/* What is over goes half to records that are held back, up to 20 MB of them, and to the map of the reference. */
	room = VXRUN_ROOM + (spare / 2 < ROOM_MORE ? spare / 2 : ROOM_MORE);
	so.ref = e->code ? NULL : fasta_open(o.ref, spare - (room - VXRUN_ROOM), e);
	if (!e->code && *fasta_note(so.ref))
		app_info("%s", fasta_note(so.ref));
	if (!e->code && !vxrun_regions(&o.v, &region, e) && region.n)
		so.region = &region;
	if (!e->code && !flow_open(&f, a->n_arg ? a->arg[0] : NULL, a->par, vxrun_head(&o.v) || so.split, e))
		align(a, &f, &so, room, e);
	flow_close(&f, e);
	vxrun_commit(&o.v, a, e);
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
