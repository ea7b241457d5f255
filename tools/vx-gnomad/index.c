/* index - vx-gnomad index: sites files into a database */
#include <sys/stat.h>
#include <unistd.h>
#include "build.h"
#include "cmd.h"
#include "var/fasta.h"

static struct {
	const char *fields, *ref, *dup, *lists;
	struct strs field;
	int pops;
} o;

static const struct opt opts[] = {
	{ 0, "fields", STR(&o.fields), "", "", "LIST", "INFO tags or canonical names to keep (default: AF,AC,AN,nhomalt,grpmax,AF_grpmax,faf95max)", 0 },
	{ 0, "pops", FLAG(&o.pops), "", "", "", "the genetic ancestry groups' AF, AC, AN and nhomalt, too", 0 },
	{ 0, "field", LIST(&o.field), "", "", "NAME=TAG", "which INFO tag stands for a name; may be given several times", 0 },
	{ 'f', "fasta-ref", STR(&o.ref), "", "", "FILE", "reference: alleles are left-aligned, not only trimmed", 0 },
	{ 0, "dup", STR(&o.dup), "keep", "keep|error", "MODE", "one allele twice with different values: keep the first, or stop", 0 },
	{ 0, "lists", STR(&o.lists), "stop", "stop|whole", "MODE", "values of Number=A or R that are not as many as the ALTs: stop, or keep the list as it stands", 0 },
	{0}
};

static int
plan(struct app *a, struct plan *p, struct err *e)
{
	(void)e;
	p->memory = build_plan(a);
	for (int i = 0; i < a->n_arg; i++) {
		struct stat st;

		if (stat(a->arg[i], &st) == 0 && S_ISREG(st.st_mode)) {
			p->output += st.st_size / 16;
			p->disk += st.st_size / 16;
		}
	}
	return 0;
}

static int
run(struct app *a, struct err *e)
{
	static char dash[] = "-";
	static char *only_stdin[] = { dash };
	struct fbuild b = { .fields = o.fields, .pops = o.pops, .over = &o.field, .dup_error = *o.dup == 'e', .whole = *o.lists == 'w',
		.memory = build_memory(a) };
	struct build_sink s;

	if (build_output(a, e))
		return e->code;
	if (a->n_arg == 0 && isatty(0))
		return err_set(e, ERR_USAGE, "no input: name sites files, or pipe one in");
	build_sink(&s, a, &b);
	if (o.ref) {
		/* Half of what is left over may be the reference's map. */
		b.ref = fasta_open(o.ref, b.memory / 2, e);
		b.memory -= b.memory / 2;
		if (!e->code && *fasta_note(b.ref))
			app_info("%s", fasta_note(b.ref));
	}
	fbuild_run(&b, a->n_arg ? a->arg : only_stdin, a->n_arg ? a->n_arg : 1, e);
	build_end(&s, e);
	fasta_close(b.ref);
	fbuild_clear(&b);
	strs_clear(&o.field);
	return e->code;
}

const struct tool cmd_index = {
	.name = "vx-gnomad index",
	.summary = "sites files into a frequency database",
	.args = "SITES.vcf.gz... -o DB.vxg",
	.reads = "sites files: VCF, .vcf.gz or BCF; - is standard input",
	.writes = "a database",
	.shape = SHAPE_VARIANTS,
	.opts = opts,
	.plan = plan,
	.run = run,
	.fixture = "sites.vcf",
};
