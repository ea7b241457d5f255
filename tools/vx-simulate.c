/* vx-simulate - a reference, calls on one of known normal form, or frequencies and calls to look up in them
 *
 * Everything is made as it is written: a genome needs no more memory than a gene.  What is simulated, and how, is
 * var/vsim's and var/vsim_freq's.
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "app/app.h"
#include "base/mem.h"
#include "var/fasta.h"
#include "var/vsim.h"
#include "var/vsim_freq.h"

static struct {
	const char *ref, *contigs, *truth, *release, *set;
	int64_t records, samples, seed, groups;
	double moved, density;
} o;

static const struct opt opts[] = {
	{ 0, "contigs", STR(&o.contigs), "chr1:2000000,chr2:1000000", "", "LIST", "names and lengths of the contigs of a reference", 0 },
	{ 'f', "fasta-ref", STR(&o.ref), "", "", "FILE", "reference on which calls are made", 0 },
	{ 0, "records", INT(&o.records), "10000", "[1,10000000000]", "N", "how many calls, spread evenly; of gnomad and queries: at most (default: all)", 0 },
	{ 0, "samples", INT(&o.samples), "", "[0,1000000]", "N", "samples (default: wgs 1, cohort 2504, else none)", 0 },
	{ 0, "moved", REAL(&o.moved), "0.25", "[0,1]", "SHARE", "share of the indels that are not in normal form", 0 },
	{ 0, "density", REAL(&o.density), "0.25", "[0.001,1]", "X", "alleles a base of gnomad", 0 },
	{ 0, "groups", INT(&o.groups), "10", "[0,10]", "N", "groups whose counts gnomad has", 0 },
	{ 0, "release", STR(&o.release), "v4", "v2|v4", "NAME", "which gnomAD: names of fields, and how frequencies are printed", 0 },
	{ 0, "set", STR(&o.set), "sparse", "sparse|dense|shuffled|respelt|multi|absent", "NAME", "which queries", 0 },
	{ 0, "truth", STR(&o.truth), "", "", "FILE", "the same calls, all in normal form; or what should be found", 0 },
	{ 0, "seed", INT(&o.seed), "0", "[0,inf)", "SEED", "seed of random numbers", 0 },
	{0}
};

static int
plan(struct app *a, struct plan *p, struct err *e)
{
	(void)e;
	p->memory = (24 << 20) + (o.samples ? o.samples : 2504) * 64;
	if (!strcmp(o.set, "shuffled")) {
		/* All of them are held: some 700 bytes each, with what should be found. */
		struct stat st;
		int64_t n = opt_given("records") ? o.records : o.ref && stat(o.ref, &st) == 0 ? st.st_size / 700 : 0;

		p->memory += n * 800;
	}
	a->block_bytes = 0;
	return 0;
}

static int
reference(struct app *a, struct err *e)
{
	char *b = mem_raw(char, VSIM_BLOCK);
	int contig = 0;

	for (const char *p = o.contigs; *p && !e->code; contig++) {
		size_t n = strcspn(p, ","), name = strcspn(p, ":");
		int64_t length = 0, column = 0;
		struct str t = {0};

		for (size_t i = name + 1; i < n; i++) {
			if (p[i] < '0' || p[i] > '9' || length > (int64_t)1 << 40)
				length = -1;
			length = length < 0 ? -1 : 10 * length + (p[i] - '0');
		}
		if (name == 0 || name + 1 >= n || length < 1) {
			err_set(e, ERR_USAGE, "--contigs: '%.*s' is not NAME:LENGTH", (int)n, p);
			break;
		}
		str_addf(&t, ">%.*s\n", (int)name, p);
		app_put(a, t.s, t.n, e);
		str_clear(&t);
		for (int64_t at = 0; at < length && !e->code; at += VSIM_BLOCK) {
			int64_t k = length - at < VSIM_BLOCK ? length - at : VSIM_BLOCK;

			vsim_bases((uint64_t)o.seed, contig, length, at / VSIM_BLOCK, k, b);
			for (int64_t i = 0; i < k; ) {
				int64_t m = 60 - column < k - i ? 60 - column : k - i;

				app_put(a, b + i, (size_t)m, e);
				i += m;
				column += m;
				if (column == 60 || (i == k && at + k == length)) {
					app_put(a, "\n", 1, e);
					column = 0;
				}
			}
		}
		p += n + (p[n] == ',');
	}
	mem_free(b);
	app_say(a, "%d contigs", contig);
	return e->code;
}

/* Lines that wait until nothing can come in front of them. */
struct held {
	int64_t pos;
	struct str line;
};

static void
release(struct app *a, struct held *h, int64_t *n, int64_t before, struct err *e)
{
	int64_t k = 0;

	while (k < *n && h[k].pos < before) {
		app_put(a, h[k].line.s, h[k].line.n, e);
		str_clear(&h[k++].line);
	}
	if (k)
		memmove(h, h + k, (size_t)(*n - k) * sizeof *h);
	*n -= k;
}

static int
calls(struct app *a, struct vsim *v, struct outfile *truth, struct err *e)
{
	struct vsim_rec r = {0};
	struct held *h = NULL;
	int64_t n = 0, cap = 0, made = 0;
	struct str head = {0}, t = {0};
	int contig = 0;

	vsim_header(v, &head);
	app_put(a, head.s, head.n, e);
	if (o.truth)
		file_write(truth->fd, head.s, head.n, e);
	while (made < o.records && vsim_next(v, &r, e)) {
		int64_t i;

		release(a, h, &n, r.contig != contig ? INT64_MAX : r.truth_pos - 2, e);
		contig = r.contig;
		if (n == cap) {
			cap = 2 * cap + 16;
			h = mem_renew(h, struct held, cap);
		}
		for (i = n++; i > 0 && h[i - 1].pos > r.pos; i--)
			h[i] = h[i - 1];
		memset(&h[i], 0, sizeof *h);
		h[i].pos = r.pos;
		str_addn(&h[i].line, r.line.s, r.line.n);
		if (o.truth)
			str_addn(&t, r.truth.s, r.truth.n);
		if (t.n > 1 << 16) {
			file_write(truth->fd, t.s, t.n, e);
			t.n = 0;
		}
		made++;
	}
	release(a, h, &n, INT64_MAX, e);
	if (o.truth && t.n)
		file_write(truth->fd, t.s, t.n, e);
	app_say(a, "%lld records: %lld SNV, %lld indels, %lld with several ALTs, %lld others; %lld not in normal form", (long long)made,
	    (long long)v->snv, (long long)v->indel, (long long)v->multi, (long long)v->other, (long long)v->respelt);
	app_stat_int(a, "records", made);
	app_stat_int(a, "not_normal", v->respelt);
	mem_free(h);
	str_clear(&head);
	str_clear(&t);
	str_clear(&r.line);
	str_clear(&r.truth);
	return e->code;
}

/* --- frequencies ------------------------------------------------------------- */

static int
frequencies(struct app *a, struct vsim_freq *v, struct err *e)
{
	struct str t = {0};
	int64_t n = 0, most = opt_given("records") ? o.records : INT64_MAX;

	vsim_freq_header(v, &t);
	while (n < most && vsim_freq_next(v, e)) {
		for (int i = 0; i < v->n_here && n < most; i++, n++)
			vsim_freq_line(v, &v->here[i], &t);
		if (t.n > 1 << 16) {
			app_put(a, t.s, t.n, e);
			t.n = 0;
		}
	}
	if (t.n)
		app_put(a, t.s, t.n, e);
	app_say(a, "%lld alleles", (long long)n);
	app_stat_int(a, "records", n);
	str_clear(&t);
	return e->code;
}

/* A record that waits, and what should be found for it. */
struct asked {
	int64_t pos;
	struct str line, truth;
};

struct waiting {
	struct asked *q;
	int64_t n, cap;
	struct str truth;               /* text of the truth that is not written yet */
};

static void
put_asked(struct app *a, struct waiting *w, struct asked *q, int fd, struct err *e)
{
	app_put(a, q->line.s, q->line.n, e);
	if (fd >= 0)
		str_addn(&w->truth, q->truth.s, q->truth.n);
	if (w->truth.n > 1 << 16) {
		file_write(fd, w->truth.s, w->truth.n, e);
		w->truth.n = 0;
	}
	str_clear(&q->line);
	str_clear(&q->truth);
}

/* Those that nothing can come in front of any more. */
static void
put_before(struct app *a, struct waiting *w, int64_t pos, int fd, struct err *e)
{
	int64_t k = 0;

	while (k < w->n && w->q[k].pos < pos)
		put_asked(a, w, &w->q[k++], fd, e);
	if (k)
		memmove(w->q, w->q + k, (size_t)(w->n - k) * sizeof *w->q);
	w->n -= k;
}

static void
put_shuffled(struct app *a, struct waiting *w, int fd, struct err *e)
{
	struct rng r = rng_make((uint64_t)o.seed, RNG_SIMULATE_QUERY, 0);

	for (int64_t i = w->n - 1; i > 0; i--) {
		int64_t k = (int64_t)rng_below64(&r, (uint64_t)i + 1);
		struct asked t = w->q[i];

		w->q[i] = w->q[k];
		w->q[k] = t;
	}
	put_before(a, w, INT64_MAX, fd, e);
}

static int
queries(struct app *a, struct vsim_freq *v, struct outfile *truth, struct err *e)
{
	static const char *const name[] = { "sparse", "dense", "shuffled", "respelt", "multi", "absent" };
	enum vsim_set set = VSIM_SPARSE;
	struct vsim_query q = {0};
	struct waiting w = {0};
	struct str head = {0};
	int64_t n = 0, most = opt_given("records") ? o.records : INT64_MAX, i;
	int contig = 0;

	while (strcmp(o.set, name[set]))
		set++;
	vsim_query_header(v, set, &head);
	app_put(a, head.s, head.n, e);
	if (o.truth)
		vsim_truth_header(v, &w.truth);
	for (; n < most && vsim_query_next(v, set, n + 1, &q, e); n++) {
		if (set != VSIM_SHUFFLED)
			put_before(a, &w, q.contig != contig ? INT64_MAX : q.base - 2, truth->fd, e);
		contig = q.contig;
		if (w.n == w.cap) {
			w.cap = 2 * w.cap + 16;
			w.q = mem_renew(w.q, struct asked, w.cap);
		}
		for (i = w.n++; set == VSIM_RESPELT && i > 0 && w.q[i - 1].pos > q.pos; i--)
			w.q[i] = w.q[i - 1];
		memset(&w.q[i], 0, sizeof *w.q);
		w.q[i].pos = q.pos;
		str_addn(&w.q[i].line, q.line.s, q.line.n);
		str_addn(&w.q[i].truth, q.truth.s, q.truth.n);
	}
	if (set == VSIM_SHUFFLED)
		put_shuffled(a, &w, truth->fd, e);
	put_before(a, &w, INT64_MAX, truth->fd, e);
	if (o.truth && w.truth.n)
		file_write(truth->fd, w.truth.s, w.truth.n, e);
	app_say(a, "%lld queries", (long long)n);
	app_stat_int(a, "records", n);
	mem_free(w.q);
	str_clear(&w.truth);
	str_clear(&head);
	str_clear(&q.line);
	str_clear(&q.truth);
	return e->code;
}

/* --- ------------------------------------------------------------------------- */

/* Calls of a kind, 0..3. */
static int
make_calls(struct app *a, int kind, struct fasta *ref, struct outfile *truth, struct err *e)
{
	struct vsim v = { .ref = ref, .seed = (uint64_t)o.seed, .moved = o.moved, .type = (enum vsim_type)kind };
	int64_t bases = 0;

	v.samples = opt_given("samples") ? (int)o.samples : v.type == VSIM_WGS ? 1 : v.type == VSIM_COHORT ? 2504 : 0;
	for (int i = 0; i < fasta_n(v.ref); i++)
		bases += fasta_length(v.ref, i);
	/* Some that are drawn do not do. */
	v.gap = (double)bases / (double)o.records / 1.12;
	if (v.gap < 2)
		v.gap = 2;
	calls(a, &v, truth, e);
	vsim_close(&v);
	return e->code;
}

static int
make_frequencies(struct app *a, int asked, struct fasta *ref, struct outfile *truth, struct err *e)
{
	struct vsim_freq v = { .ref = ref, .seed = (uint64_t)o.seed, .density = o.density, .groups = (int)o.groups };

	v.old = !strcmp(o.release, "v2");
	/* v2.1 knows neither the Amish nor the Middle East. */
	if (v.old && v.groups > 8)
		v.groups = 8;
	if (asked)
		queries(a, &v, truth, e);
	else
		frequencies(a, &v, e);
	vsim_freq_close(&v);
	return e->code;
}

static int
run(struct app *a, struct err *e)
{
	static const char *const kind[] = { "wgs", "clinvar", "sites", "cohort", "gnomad", "queries" };
	struct outfile truth = { .fd = -1 };
	struct fasta *ref;
	int k = 0;

	if (a->n_arg != 1)
		return err_set(e, ERR_USAGE, "say what: reference, wgs, clinvar, sites, cohort, gnomad or queries");
	if (!strcmp(a->arg[0], "reference"))
		return reference(a, e);
	while (k < 6 && strcmp(a->arg[0], kind[k]))
		k++;
	if (k == 6)
		return err_set(e, ERR_USAGE, "'%s' is none of reference, wgs, clinvar, sites, cohort, gnomad, queries", a->arg[0]);
	if (!o.ref)
		return err_set(e, ERR_USAGE, "-f FILE: name the reference; vx-simulate reference > ref.fa makes one");
	if (o.truth && k == 4)
		return err_set(e, ERR_USAGE, "--truth: gnomad is the truth; queries have one");
	ref = fasta_open(o.ref, a->memory / 2, e);
	if (!e->code && o.truth)
		outfile_open(&truth, o.truth, e);
	if (!e->code && k < 4)
		make_calls(a, k, ref, &truth, e);
	else if (!e->code)
		make_frequencies(a, k == 5, ref, &truth, e);
	if (o.truth && truth.fd >= 0) {
		/* Both files get their names, or none. */
		if (!e->code && a->text.n)
			file_write(a->out.fd, a->text.s, a->text.n, e);
		a->text.n = 0;
		if (outfile_commit(&a->out, e))
			outfile_commit(&truth, e);
		else if (outfile_commit(&truth, e) && a->out_path)
			unlink(a->out_path);
	}
	fasta_close(ref);
	return e->code;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "vx-simulate",
		.summary = "a simulated reference, calls on one of known normal form, or frequencies and calls to look up in them",
		.args = "reference | wgs | clinvar | sites | cohort | gnomad | queries",
		.reads = "a reference (-f), for calls and frequencies",
		.writes = "FASTA, or VCF text",
		.shape = SHAPE_VARIANTS,
		.flags = TOOL_TEXT,
		.opts = opts,
		.plan = plan,
		.run = run,
		.fixture = "",
		.fixture_args = "reference --contigs c1:30000,c2:300000",
	};

	return app_main(&tool, argc, argv);
}
