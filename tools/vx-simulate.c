/* vx-simulate - a reference, or calls on one, of known normal form
 *
 * Everything is made as it is written: a genome needs no more memory than a gene.  What is simulated, and how, is
 * var/vsim's.
 */
#include <string.h>
#include <unistd.h>
#include "app/app.h"
#include "base/mem.h"
#include "var/fasta.h"
#include "var/vsim.h"

static struct {
	const char *ref, *contigs, *truth;
	int64_t records, samples, seed;
	double moved;
} o;

static const struct opt opts[] = {
	{ 0, "contigs", STR(&o.contigs), "chr1:2000000,chr2:1000000", "", "LIST", "names and lengths of the contigs of a reference", 0 },
	{ 'f', "fasta-ref", STR(&o.ref), "", "", "FILE", "reference on which calls are made", 0 },
	{ 0, "records", INT(&o.records), "10000", "[1,10000000000]", "N", "how many calls, spread evenly", 0 },
	{ 0, "samples", INT(&o.samples), "", "[0,1000000]", "N", "samples (default: wgs 1, cohort 2504, else none)", 0 },
	{ 0, "moved", REAL(&o.moved), "0.25", "[0,1]", "SHARE", "share of the indels that are not in normal form", 0 },
	{ 0, "truth", STR(&o.truth), "", "", "FILE", "the same calls, all in normal form", 0 },
	{ 0, "seed", INT(&o.seed), "0", "[0,inf)", "SEED", "seed of random numbers", 0 },
	{0}
};

static int
plan(struct app *a, struct plan *p, struct err *e)
{
	(void)e;
	p->memory = (24 << 20) + (o.samples ? o.samples : 2504) * 64;
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

static int
run(struct app *a, struct err *e)
{
	static const char *const kind[] = { "wgs", "clinvar", "sites", "cohort" };
	struct vsim v = { .seed = (uint64_t)o.seed, .moved = o.moved };
	struct outfile truth = { .fd = -1 };
	int64_t bases = 0;
	int k = 0;

	if (a->n_arg != 1)
		return err_set(e, ERR_USAGE, "say what: reference, wgs, clinvar, sites or cohort");
	if (!strcmp(a->arg[0], "reference"))
		return reference(a, e);
	while (k < 4 && strcmp(a->arg[0], kind[k]))
		k++;
	if (k == 4)
		return err_set(e, ERR_USAGE, "'%s' is none of reference, wgs, clinvar, sites, cohort", a->arg[0]);
	if (!o.ref)
		return err_set(e, ERR_USAGE, "-f FILE: name the reference; vx-simulate reference > ref.fa makes one");
	v.type = (enum vsim_type)k;
	v.samples = opt_given("samples") ? (int)o.samples : v.type == VSIM_WGS ? 1 : v.type == VSIM_COHORT ? 2504 : 0;
	v.ref = fasta_open(o.ref, a->memory / 2, e);
	for (int i = 0; !e->code && i < fasta_n(v.ref); i++)
		bases += fasta_length(v.ref, i);
	/* Some that are drawn do not do. */
	v.gap = (double)bases / (double)o.records / 1.12;
	if (v.gap < 2)
		v.gap = 2;
	if (!e->code && o.truth)
		outfile_open(&truth, o.truth, e);
	if (!e->code)
		calls(a, &v, &truth, e);
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
	vsim_close(&v);
	fasta_close(v.ref);
	return e->code;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "vx-simulate",
		.summary = "a simulated reference, or calls on one, of known normal form",
		.args = "reference | wgs | clinvar | sites | cohort",
		.reads = "a reference (-f), for calls",
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
