/* app - see app.h */
#include "app/app.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "app/bus.h"
#include "app/help.h"
#include "app/log.h"
#include "base/mem.h"
#include "base/sha.h"
#include "os/budget.h"

/* What a process of ours takes before it has seen any data: code, libraries, pages of
 * the BLAS (whose buffers are added where a tool calls it), stacks. */
#define BASE_BYTES (14 << 20)
#define BLAS_BYTES (14 << 20)

static struct {
	const char *output, *json, *progress, *dump;
	int64_t threads, memory, seed;
	int new_only, quiet, verbose, estimate, help, version;
} c;

static const struct opt common_all[] = {
	{ 'o', "output", STR(&c.output), "", "", "FILE", "output file; appears whole or not at all (default: standard output)", 0 },
	{ '@', "threads", INT(&c.threads), "", "[1,1024]", "N", "threads; the result does not depend on it (default: the CPUs that may be used)", 0 },
	{ 'M', "memory", SIZE(&c.memory), "", "[1,inf)", "SIZE", "cap on resident memory, like 500M (default: 80 % of what may be used)", 0 },
	{ 's', "seed", INT(&c.seed), "0", "[0,inf)", "SEED", "seed of random numbers", 0 },
	{ 'n', "new", FLAG(&c.new_only), "", "", "", "write only what is new, a delta (see ovx-join)", 0 },
	{ 'q', "quiet", FLAG(&c.quiet), "", "", "", "no closing line", 0 },
	{ 'v', "verbose", FLAG(&c.verbose), "", "", "", "say more", 0 },
	{ 0, "progress", STR(&c.progress), "auto", "auto|always|never", "WHEN", "progress on standard error", 0 },
	{ 0, "json", STR(&c.json), "", "", "FILE", "statistics of the run", 0 },
	{ 0, "estimate", FLAG(&c.estimate), "", "", "", "print peak memory, temporary disk and output size in bytes; no work", 0 },
	{ 'h', "help", FLAG(&c.help), "", "", "", "this help", 0 },
	{ 'V', "version", FLAG(&c.version), "", "", "", "version", 0 },
	{0}
};
/* For scripts only: the table in other forms. */
static const struct opt hidden = { 0, "dump", STR(&c.dump), "", "mdoc|tsv|contract|bash|commands", "WHAT", "", 0 };
static struct opt common[16];

static void
pick_common(const struct tool *t)
{
	int n = 0;

	for (const struct opt *o = common_all; o->name; o++) {
		if (o->key == 's' && !(t->flags & TOOL_SEED))
			continue;
		if (o->key == 'n' && (t->shape != SHAPE_FILTER || t->flags & TOOL_NO_NEW))
			continue;
		common[n++] = *o;
	}
	common[n++] = hidden;
	memset(&common[n], 0, sizeof common[n]);
}

static const struct tool *running;

static void
out_of_memory(size_t bytes)
{
	char b[200];
	int n = snprintf(b, sizeof b, "%s: out of memory: %zu bytes more could not be had; give it more, or fewer threads (-@)\n",
	    running->name, bytes);

	outfile_signal();
	if (n > 0 && write(2, b, (size_t)n) < 0)
		n = 0;
	_exit(137);
}

void
app_say(struct app *a, const char *fmt, ...)
{
	va_list ap;
	char b[600];

	va_start(ap, fmt);
	vsnprintf(b, sizeof b, fmt, ap);
	va_end(ap);
	str_addf(&a->closing, "%s%s", a->closing.n ? "; " : "", b);
}

static void
say(int level, const char *fmt, va_list ap)
{
	char b[1000];

	vsnprintf(b, sizeof b, fmt, ap);
	log_line(level, b);
}

void
app_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(0, fmt, ap);
	va_end(ap);
}

void
app_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(2, fmt, ap);
	va_end(ap);
}

void
app_table(const char *text)
{
	log_end();
	if (!c.quiet && write(2, text, strlen(text)) < 0)
		return;
}

void
app_phase(const char *what, int64_t total)
{
	log_phase(what, total);
}

void
app_reads(struct app *a, const char *path)
{
	str_addf(&a->reads, ",%s", path);
}

void
app_stat_int(struct app *a, const char *key, int64_t v)
{
	json_object_set_new(a->stats, key, json_integer(v));
}

void
app_stat_real(struct app *a, const char *key, double v)
{
	json_object_set_new(a->stats, key, json_number(v));
}

void
app_stat_text(struct app *a, const char *key, const char *v)
{
	json_object_set_new(a->stats, key, json_string(v));
}

int
app_put(struct app *a, const char *s, size_t n, struct err *e)
{
	str_addn(&a->text, s, n);
	if (a->text.n > 1 << 16) {
		file_write(a->out.fd, a->text.s, a->text.n, e);
		a->text.n = 0;
	}
	return e->code;
}

int64_t
app_rows_bytes(struct app *a, const char *path, int flags, struct err *e)
{
	const struct item *it = set_find(&a->set, path);
	int writes = a->tool->shape == SHAPE_FILTER && !a->new_only && !a->no_stream;

	a->block_bytes = set_block_bytes(&a->set, path, flags, e);
	if (it && writes && (set_selection(&a->set, it, 0) || set_selection(&a->set, it, 1))) {
		int64_t cut = (int64_t)(APP_CUT * (double)set_block_bytes(&a->set, path, SET_WHOLE, e));

		a->block_bytes = cut > a->block_bytes ? cut : a->block_bytes;
	}
	return (a->threads + 1) * a->block_bytes;
}

/* --- memory ---------------------------------------------------------------- */

/* Room in the address space for the buffers of BLAS: without it OpenBLAS does
 * not fail but spins. */
static int
room_for_blas(int threads, int64_t work, struct err *e)
{
	size_t n = (size_t)threads * (64u << 20) + (size_t)work;
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return err_set(e, ERR_MEMORY, "the limit of the address space leaves no room for the work and BLAS's buffers (%zu MB); "
		    "raise ulimit -v or use fewer threads", n >> 20);
	munmap(p, n);
	return 0;
}

static void
size_text(int64_t b, char out[32])
{
	if (b >= 10LL << 30)
		snprintf(out, 32, "%.0f GB", (double)b / (1 << 30));
	else if (b >= 1 << 30)
		snprintf(out, 32, "%.1f GB", (double)b / (1 << 30));
	else
		snprintf(out, 32, "%.0f MB", (double)b / (1 << 20));
}

/* Sizes of what the inputs hold, for --estimate. */
static int64_t
stored_bytes(struct set *s, struct err *e)
{
	int64_t n = 0;

	for (int64_t i = 0; i < s->n_item; i++) {
		struct sect *t = s->item[i].s;

		if (s->item[i].pending)
			continue;
		in_heads(t, e);
		n += t->stored + 256;
	}
	return n;
}

/* Memory: what the tool says, what we hold, and whether that fits under -M.
 * What is left over goes to row blocks in flight. */
static int
plan_memory(struct app *a, struct plan *p, struct err *e)
{
	const struct tool *t = a->tool;
	int64_t names = 0;

	memset(p, 0, sizeof *p);
	if (t->plan)
		t->plan(a, p, e);
	a->reads.n = 0;                 /* planning is no reading */
	if (a->reads.s)
		a->reads.s[0] = 0;
	for (int i = 0; i < N_AXIS; i++)
		names += (int64_t)a->set.axis[i].names.buf.cap + 8 * a->set.axis[i].names.cap;
	p->memory += BASE_BYTES + 2 * names + a->threads * (1 << 20);
	if (t->flags & TOOL_BLAS)
		p->memory += a->threads * (int64_t)BLAS_BYTES;
	if (a->set.pipe >= 0)
		p->memory += a->set.spool.cap;
	return e->code;
}

static int
make_plan(struct app *a, struct plan *p, struct err *e)
{
	int64_t cap = a->memory, extra;
	int threads = a->threads;
	char need[32], have[32];

	a->set.spool.cap = cap / 8 < SPOOL_MEMORY ? cap / 8 : SPOOL_MEMORY;
	plan_memory(a, p, e);
	/* Threads cost memory: with fewer of them the same result may still be had. */
	while (!e->code && p->memory > cap && a->threads > 1) {
		a->threads--;
		plan_memory(a, p, e);
	}
	if (e->code)
		return e->code;
	size_text(p->memory, need);
	size_text(cap, have);
	if (p->memory > cap)
		return err_set(e, ERR_MEMORY, "needs about %s, and %s %s; %s", need, c.memory ? "-M allows" : "may use", have,
		    c.memory ? "raise -M" : "give it more memory");
	if (a->threads < threads) {
		par_free(a->par);
		a->par = a->set.par = par_new(a->threads, a->tool->thread);
		app_info("%d threads instead of %d, to stay within %s", a->threads, threads, have);
	}
	extra = (int64_t)((double)(cap - p->memory) / (a->copies > 2 ? a->copies : 2));
	a->set.wave_bytes = extra > 1 << 20 ? extra : 1 << 20;
	return 0;
}

static int
estimate(struct app *a, const struct plan *p, struct err *e)
{
	struct str s = {0};
	int64_t more = 0, n = a->threads > 1 ? a->threads + 1 : 1;
	int64_t out = p->output + (a->tool->shape == SHAPE_FILTER && !a->new_only ? stored_bytes(&a->set, e) : 0);

	/* What is over goes into more row blocks than the plan has, as far as there are slots. */
	if (a->block_bytes > 0 && a->set.wave_bytes / a->block_bytes < n)
		n = a->set.wave_bytes / a->block_bytes;
	more = (int64_t)((double)(n * a->block_bytes) * (a->copies > 1 ? a->copies : 1));
	str_addf(&s, "peak_memory\t%lld\ntemporary_disk\t%lld\noutput\t%lld\n", (long long)(p->memory + more),
	    (long long)p->disk, (long long)out);
	if (!e->code && help_out(&s))
		err_set(e, ERR_SYSTEM, "writing the output failed");
	str_clear(&s);
	return e->code;
}

/* --- provenance and statistics --------------------------------------------- */

/* log/<hash>: tool, version, effective options, ids of what was read.  No time,
 * host, path, threads or memory: same input and options, same bytes. */
static int
put_log(struct app *a, struct err *e)
{
	struct str t = {0}, ids = {0}, paths = {0};
	struct sha h;
	char hex[33], path[48];

	str_addf(&t, "tool=%s\nversion=%s\n", a->tool->name, OVX_VERSION);
	opt_values(a->tool->opts, &t, e);
	if (a->tool->flags & TOOL_SEED)
		str_addf(&t, "seed=%lld\n", (long long)c.seed);
	str_addf(&paths, "%s%s", a->tool->reads ? a->tool->reads : "", a->reads.s ? a->reads.s : "");
	set_from_old(&a->set, paths.s, &ids, e);
	if (a->ids.n)
		str_addf(&ids, "%s%s", ids.n ? "," : "", a->ids.s);
	str_addf(&t, "read=%s\n", ids.s ? ids.s : "");
	sha_init(&h);
	sha_add(&h, t.s, t.n);
	sha_hex(&h, hex);
	snprintf(path, sizeof path, "log/%.16s", hex);
	set_put_text(&a->set, path, t.s, "", e);
	str_clear(&t);
	str_clear(&ids);
	str_clear(&paths);
	return e->code;
}

static int
write_json(struct app *a, double wall, struct err *e)
{
	struct err io = {0};
	json_t *j = json_object(), *run = json_object(), *opt = json_object();
	struct str t = {0}, v = {0};
	char *line, *save = NULL;

	opt_values(a->tool->opts, &v, e);
	for (line = v.s ? strtok_r(v.s, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		char *eq = strchr(line, '=');

		*eq = 0;
		json_object_set_new(opt, line, json_string(eq + 1));
	}
	json_object_set_new(j, "tool", json_string(a->tool->name));
	json_object_set_new(j, "version", json_string(OVX_VERSION));
	json_object_set_new(j, "schema", json_integer(1));
	json_object_set_new(j, "options", opt);
	if (a->set.axis[AXIS_OBS].digest[0])
		json_object_set_new(j, "n_obs", json_integer(a->set.axis[AXIS_OBS].n));
	if (a->set.axis[AXIS_VAR].digest[0])
		json_object_set_new(j, "n_var", json_integer(a->set.axis[AXIS_VAR].n));
	json_object_set(j, "metrics", a->stats);
	json_object_set_new(run, "wall_s", json_number(wall));
	json_object_set_new(run, "cpu_s", json_number(budget_cpu_seconds()));
	json_object_set_new(run, "peak_bytes", json_integer(budget_peak()));
	json_object_set_new(run, "threads", json_integer(a->threads));
	json_object_set_new(j, "run", run);
	json_text(j, &t);
	str_add(&t, "\n");
	if (!e->code && file_write(a->json.fd, t.s, t.n, &io))
		err_set(e, io.code, "--json %s: %.400s", c.json, io.msg);
	json_decref(j);
	str_clear(&t);
	str_clear(&v);
	return e->code;
}

/* --- the run --------------------------------------------------------------- */

static void
warn_line(const char *msg)
{
	log_line(0, msg);
}

static int
writes_stream(const struct app *a)
{
	return a->tool->shape == SHAPE_FILTER || a->tool->shape == SHAPE_SOURCE;
}

static int
needs_no_terminal(const struct app *a)
{
	if (a->out_path && strcmp(a->out_path, "-"))
		return 0;
	return isatty(1) && (writes_stream(a) || a->tool->flags & TOOL_BINARY);
}

static int
open_inputs(struct app *a, struct err *e)
{
	static char dash[] = "-";
	static char *only_stdin[] = { dash };
	struct set *s = &a->set;

	set_init(s);
	s->warn = warn_line;
	s->tick = log_tick;
	s->par = a->par;
	s->spool.cap = a->memory / 8 < SPOOL_MEMORY ? a->memory / 8 : SPOOL_MEMORY;
	if (a->tool->shape == SHAPE_SOURCE || a->tool->shape == SHAPE_VARIANTS || a->tool->flags & TOOL_RAW_INPUT ||
	    (a->tool->raw && *a->tool->raw))
		return 0;
	if (a->n_arg == 0 && isatty(0))
		return err_set(e, ERR_USAGE, "no input: name a file, or pipe a stream in; see --help");
	app_phase("reading", 0);
	return set_open(s, a->n_arg ? a->arg : only_stdin, a->n_arg ? a->n_arg : 1, e);
}

static int
work(struct app *a, struct err *e)
{
	const struct tool *t = a->tool;
	struct plan p = {0};
	double start = budget_clock();
	char mem[32];

	if (needs_no_terminal(a) && !c.estimate)
		return err_set(e, ERR_USAGE, "the output is binary and would go to a terminal; use -o FILE, a pipe or >");
	if (open_inputs(a, e) || make_plan(a, &p, e))
		return e->code;
	if (c.estimate)
		return estimate(a, &p, e);
	if (t->flags & TOOL_BLAS && room_for_blas(a->threads, p.memory, e))
		return e->code;
	/* Also the statistics: what cannot be written is said before the work. */
	if ((c.json && outfile_open(&a->json, c.json, e)) || outfile_open(&a->out, a->out_path, e))
		return e->code;
	app_phase("working", 0);
	t->run(a, e);
	if (writes_stream(a) && !a->no_stream) {
		if (!e->code && !a->no_log)
			put_log(a, e);
		app_phase("writing", 0);
		set_write(&a->set, a->out.fd, a->new_only, e);
	} else if (!e->code) {
		set_finish(&a->set, e);
		if (!e->code && a->text.n)
			file_write(a->out.fd, a->text.s, a->text.n, e);
	}
	if (!e->code && c.json)
		write_json(a, budget_clock() - start, e);
	outfile_commit(&a->out, e);
	outfile_commit(&a->json, e);
	log_end();
	if (e->code)
		return e->code;
	size_text(budget_peak(), mem);
	if (a->closing.n && !c.quiet) {
		char b[900];

		snprintf(b, sizeof b, "%.700s; %.1f s, %s", a->closing.s, budget_clock() - start, mem);
		log_line(1, b);
	}
	return 0;
}

static int
status_of(const struct err *e)
{
	switch (e->code) {
	case 0:
		return 0;
	case ERR_USAGE:
		return 2;
	case ERR_CUT:
		return 3;
	case ERR_MEMORY:
		return 137;
	default:
		return 1;
	}
}

/* Fault tests say by the environment which call fails; sanitizer builds only. */
static void
faults(void)
{
#ifdef OVX_FAULT
	const char *m = getenv("OVX_FAIL_MALLOC"), *r = getenv("OVX_FAIL_READ"), *w = getenv("OVX_FAIL_WRITE");

	if (m)
		mem_fail_at(atol(m));
	file_fail_at(r ? atol(r) : 0, w ? atol(w) : 0);
#endif
}

/* Options, defaults and everything that ends the process early; -1 = go on. */
static int
prepare(struct app *a, const struct tool *t, int argc, char **argv, struct err *e)
{
	const char *why;

	pick_common(t);
	a->arg = mem_new(char *, argc + 1);
	a->n_arg = opt_parse(t->opts, common, argc, argv, a->arg, e);
	if (!e->code && c.dump)
		return help_dump(t, common, c.dump);
	if (!e->code && c.help)
		return help_print(t, common);
	if (!e->code && c.version) {
		struct str s = {0};
		int bad;

		str_addf(&s, "%s %s\n", t->name, OVX_VERSION);
		bad = help_out(&s);
		str_clear(&s);
		return bad;
	}
	log_start(t->name, c.quiet, c.verbose, !c.progress || !strcmp(c.progress, "auto") ? PROGRESS_AUTO :
	    !strcmp(c.progress, "always") ? PROGRESS_ALWAYS : PROGRESS_NEVER);
	if (!e->code && c.json && (strcmp(c.json, "-") == 0 || (c.output && strcmp(c.json, c.output) == 0)))
		err_set(e, ERR_USAGE, "--json: name a file of its own");
	if (!e->code && t->check && (why = t->check()))
		err_set(e, ERR_USAGE, "%s", why);
	a->threads = c.threads ? (int)c.threads : budget_cpus();
	a->memory = c.memory ? c.memory : budget_memory() / 5 * 4;
	a->seed = (uint64_t)c.seed;
	a->new_only = c.new_only;
	a->out_path = c.output;
	return -1;
}

const char *
app_command(const struct tool *t)
{
	const char *space = strrchr(t->name, ' ');

	return space ? space + 1 : t->name;
}

int
app_main(const struct tool *t, int argc, char **argv)
{
	struct app a = { .out = { .fd = -1 }, .json = { .fd = -1 } };
	struct err e = {0};
	int status;

	for (const struct tool *const *k = t->commands; k && *k && argc > 1; k++)
		if (strcmp(app_command(*k), argv[1]) == 0) {
			t = *k;
			argc--;
			argv++;
			break;
		}
	a.tool = t;

	/* A closed standard descriptor must not become a file of ours: what is read from or written
	 * to it fails instead. */
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : fd == 1 ? O_RDONLY : O_WRONLY) != fd)
			return 1;
	running = t;
	mem_start();
	bus_start();
	mem_oom = out_of_memory;
	faults();
	status = prepare(&a, t, argc, argv, &e);
	if (status >= 0 && !e.code) {
		mem_free(a.arg);
		return status;
	}
	log_signals();
	a.stats = json_object();
	if (!e.code) {
		if (t->init)
			t->init();
		a.par = par_new(a.threads, t->thread);
		a.threads = par_n(a.par);
		work(&a, &e);
	}
	if (e.code) {
		outfile_abort(&a.out);
		outfile_abort(&a.json);
		log_end();
		log_line(0, e.msg);
	}
	set_close(&a.set);
	par_free(a.par);
	json_decref(a.stats);
	str_clear(&a.closing);
	str_clear(&a.reads);
	str_clear(&a.ids);
	str_clear(&a.text);
	mem_free(a.arg);
#ifndef OVX_FAULT
	/* All is written and closed; leaving without the libraries' clean-up, because OpenBLAS's
	 * hangs when a limit kept it from making its threads.  Leak checks need the other way. */
	_exit(status_of(&e));
#endif
	return status_of(&e);
}
