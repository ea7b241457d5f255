/* build - see build.h */
#include "build.h"

#include <string.h>
#include <unistd.h>
#include "app/log.h"
#include "base/mem.h"
#include "os/file.h"
#include "var/chunk.h"

#define CHUNK_COST (8 * CHUNK_BYTES)    /* a chunk, its compressed blocks, its rows, and those of the one before */
#define RUNS_LEAST (16 << 20)           /* rows out of order */
#define BASE (16 << 20)

int64_t
build_plan(const struct app *a)
{
	return vxg_memory(BUILD_COLUMNS, a->threads) + (int64_t)(a->threads > 1 ? 4 * a->threads : 1) * CHUNK_COST + RUNS_LEAST;
}

int64_t
build_memory(const struct app *a)
{
	int64_t left = a->memory - build_plan(a) - BASE - a->threads * (int64_t)(1 << 20);

	return left > RUNS_LEAST ? left : RUNS_LEAST;
}

int
build_output(const struct app *a, struct err *e)
{
	if (!a->out_path || strcmp(a->out_path, "-") == 0)
		return err_set(e, ERR_USAGE, "a database is a file: give -o DB.vxg");
	if (!a->out.target)
		return err_set(e, ERR_USAGE, "-o %s: a database must be a file, not a pipe or a device", a->out_path);
	return 0;
}

static int
begin(void *ctx, const struct fcols *cols, struct err *e)
{
	struct build_sink *s = ctx;

	fcols_clear(&s->cols);
	fcols_copy(&s->cols, cols);
	s->w = vxg_create(s->a->out.fd, cols, s->a->par, e);
	return e->code;
}

static int
row(void *ctx, const struct frows *r, int64_t i, struct err *e)
{
	struct build_sink *s = ctx;

	s->rows++;
	return vxg_put(s->w, r, i, e);
}

static int
beside(void *ctx, int on, struct err *e)
{
	struct build_sink *s = ctx;

	return vxg_beside(s->w, on, e);
}

/* The rows so far become a database in a temporary file, and the output begins anew. */
static int
restart(void *ctx, struct freq **so_far, struct err *e)
{
	struct build_sink *s = ctx;
	struct vxg_meta m = { .release = (char *)"", .build = (char *)"", .contig = *s->b->numbered };
	int64_t offset = 0;
	int fd;

	m.contig_length = mem_new(int64_t, m.contig.n);
	for (int64_t i = 0; i < m.contig.n; i++)
		m.contig_length[i] = -1;
	vxg_finish(s->w, &m, e);
	mem_free(m.contig_length);
	s->w = NULL;
	fd = e->code || s->rows == 0 ? -1 : file_temp(NULL, e);
	if (fd >= 0 && file_copy(s->a->out.fd, &offset, fd, file_size(s->a->out.fd), e))
		close(fd);
	else if (fd >= 0)
		*so_far = vxg_open_fd(fd, "a temporary file", 4 << 20, e);
	if (!e->code && ftruncate(s->a->out.fd, 0))
		err_errno(e, "%s", s->a->out_path);
	s->rows = 0;
	s->w = vxg_create(s->a->out.fd, &s->cols, s->a->par, e);
	return e->code;
}

void
build_sink(struct build_sink *s, struct app *a, struct fbuild *b)
{
	memset(s, 0, sizeof *s);
	s->a = a;
	s->b = b;
	b->begin = begin;
	b->row = row;
	b->beside = beside;
	b->restart = restart;
	b->ctx = s;
	b->par = a->par;
	b->tick = log_tick;
}

static void
named(const struct strs *l, int64_t n, const char *what)
{
	for (int64_t i = 0; i < l->n; i++)
		app_warn("%s: %s", strs_get(l, i), what);
	if (n > l->n && l->n)
		app_warn("%lld more: %s", (long long)(n - l->n), what);
}

static void
counts(struct app *a, const struct fbuild *b)
{
	const struct vxg_meta *m = &b->meta;

	app_stat_int(a, "records", m->records);
	app_stat_int(a, "alleles", m->alleles);
	app_stat_int(a, "rows", b->rows);
	app_stat_int(a, "trimmed", m->trimmed);
	app_stat_int(a, "moved", m->moved);
	app_stat_int(a, "merged", m->merged);
	app_stat_int(a, "differing", m->differing);
	app_stat_int(a, "unsupported", m->unsupported);
	app_stat_int(a, "overflowed", m->overflowed);
	app_stat_int(a, "misfit", b->misfit);
	app_stat_int(a, "runs", b->runs);
	app_stat_text(a, "release", m->release);
	app_stat_text(a, "build", m->build);
	app_say(a, "%s%s%lld records, %lld alleles, %lld rows", m->release, *m->release ? ": " : "", (long long)m->records, (long long)m->alleles,
	    (long long)b->rows);
	if (m->trimmed || m->moved)
		app_say(a, "%lld trimmed, %lld moved", (long long)m->trimmed, (long long)m->moved);
	if (m->merged || m->differing)
		app_say(a, "%lld equal merged, %lld differing left out", (long long)m->merged, (long long)m->differing);
	if (m->unsupported)
		app_say(a, "%lld unsupported", (long long)m->unsupported);
	if (m->overflowed)
		app_say(a, "%lld overflowed values are missing", (long long)m->overflowed);
	if (b->runs > 1)
		app_say(a, "%d runs", b->runs);
}

int
build_end(struct build_sink *s, struct err *e)
{
	struct fbuild *b = s->b;
	const struct vxg_meta *m = &b->meta;

	vxg_finish(s->w, m, e);
	s->w = NULL;
	fcols_clear(&s->cols);
	if (e->code)
		return e->code;
	if (m->alleles != b->rows + m->merged + m->differing + m->unsupported)
		return err_set(e, ERR_SYSTEM, "alleles are not all accounted for: this is a bug");
	named(&b->named, m->differing, "stands there again with other values; the first are kept");
	named(&b->unnamed, m->unsupported, "no change of bases; left out");
	if (b->misfit)
		app_warn("%lld lists are not as long as there are ALTs, and are kept whole", (long long)b->misfit);
	counts(s->a, b);
	return 0;
}
