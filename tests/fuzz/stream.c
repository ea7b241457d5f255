/* stream - fuzz target: any bytes as a stream, a base and a delta, file or pipe
 *
 * Input: two bytes of control, then one stream, or several (a delta behind its base),
 * each starting where the magic of the preamble stands.  It is checked as ovx-check
 * does, opened as a set, read, subset and written.  stream_fixed includes this file and
 * makes checksums and index right before (FIX).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/mem.h"
#include "cell/set.h"
#include "stream/codec.h"
#include "stream/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { C_PIPE = 1, C_NEW_ONLY = 2, C_SUBSET = 4, C_VAR = 8, C_NONE = 16, C_STORED = 32 };
#define N_CONTROL 2
#define N_STREAM 3

/* A size that only a lie in the input can ask for. */
static void
too_much(size_t bytes)
{
	fprintf(stderr, "mem_oom: %zu bytes\n", bytes);
	abort();
}

/* Bytes in an unnamed file. */
static int
file_of(const void *p, size_t n)
{
	int fd = memfd_create("fuzz", 0);

	if (fd < 0 || write(fd, p, n) != (ssize_t)n)
		exit(1);
	return fd;
}

/* Bytes as standard input, a pipe that holds all of them; 0 when it cannot. */
static int
pipe_of(const void *p, size_t n)
{
	int fd[2], ok;

	if (pipe(fd))
		exit(1);
	ok = fcntl(fd[1], F_SETPIPE_SZ, 1 << 20) >= (int)n && write(fd[1], p, n) == (ssize_t)n;
	close(fd[1]);
	dup2(fd[0], 0);
	close(fd[0]);
	return ok;
}

static void
check_section(struct in *in, struct sect *s, struct err *e)
{
	struct str data = {0}, raw = {0};
	struct strs names = {0};
	struct csr m = {0};
	struct block b;
	const struct head *h = &s->head;
	char digest[33];

	while (in_block(in, &b, e)) {
		if (in_take(in, &b, &data, e))
			break;
		if ((h->kind == KIND_SPARSE || h->kind == KIND_GRAPH) && !b.prelude) {
			if (codec_decode_csr(h, &b, data.s, &m, &raw, e) == 0)
				codec_check_hash_csr(h, &b, &m, e);
		} else if (h->kind > KIND_BLOB) {
			codec_check_crc(h, &b, data.s, e);
		} else if (b.codec == CODEC_PACK) {
			err_set(e, ERR_DATA, "codec");
		} else if (codec_decode(h, &b, data.s, &raw, e) == 0) {
			codec_check_hash(h, &b, raw.s, (int64_t)raw.n, e);
			if (h->kind == KIND_AXIS || (h->kind == KIND_COLUMN && (b.prelude || h->dtype == DT_STR)))
				strs_from_raw(&names, b.n_row, raw.s, b.n_item, e);
		}
		in_note(s, &b, 0);
	}
	if (!e->code && h->payload)
		set_done(s);
	if (!e->code && h->kind == KIND_AXIS)
		axis_digest(&names, digest);
	csr_clear(&m);
	strs_clear(&names);
	str_clear(&data);
	str_clear(&raw);
}

/* From the first byte to the last, as ovx-check does. */
static void
check(const char *path)
{
	struct err e = {0};
	struct spool spool = {0};
	struct in in;
	struct sect *s;

	if (in_open(&in, path, 1, &spool, &e) == 0)
		while ((s = in_next(&in, &e)))
			check_section(&in, s, &e);
	in_close(&in);
	spool_clear(&spool);
}

static int
look(void *ctx, const struct csr *m, int slot, struct err *e)
{
	double *sum = ctx;

	(void)slot;
	(void)e;
	for (int64_t i = 0; i < m->n_row; i++)
		for (int64_t k = m->ptr[i]; k < m->ptr[i + 1]; k++)
			*sum += m->val[k] + m->col[k];
	return 0;
}

static int
look_at_columns(void *ctx, const struct csr *m, int slot, struct err *e)
{
	double *sum = ctx;

	(void)slot;
	(void)e;
	for (int64_t k = 0; k < m->ptr[m->n_row]; k++)
		*sum += m->col[k];
	return 0;
}

static void
read_sparse(struct set *s, const char *path, int control, struct err *e)
{
	struct rows r = {0};
	int32_t *order = NULL;
	double sum = 0;

	set_block_bytes(s, path, e);
	if (control & C_STORED)
		set_rows_stored(s, path, &r, &order, e);
	else
		set_rows(s, path, &r, e);
	if (!e->code) {
		set_rows_flags(&r, control & C_NONE ? SET_COUNTS : 0);
		rows_pass(&r, look, NULL, &sum, e);
		set_rows_flags(&r, SET_WHOLE);
		rows_pass(&r, look, NULL, &sum, e);
		set_rows_flags(&r, SET_COLUMNS);
		rows_pass(&r, look_at_columns, NULL, &sum, e);
		if (r.n_row < 1 << 20) {
			int64_t *nnz = mem_new(int64_t, r.n_row);

			set_row_stats(s, path, nnz, NULL, NULL, e);
			mem_free(nnz);
		}
	}
	set_nnz(s, path, e);
	set_rows_clear(&r);
	mem_free(order);
}

static void
read_column(struct set *s, const char *path, struct err *e)
{
	struct column c;
	struct str t = {0};
	struct strs names = {0};
	int32_t *code = NULL;
	double *x = NULL;
	struct err no = {0};

	if (set_column(s, path, &c, e) == 0) {
		for (int64_t i = 0; i < c.n && i < 1000; i++) {
			column_text(&c, i, &t);
			column_number(&c, i);
		}
		column_levels(&c, path, &code, &names, &no);
		if (c.dtype != DT_STR && c.dtype != DT_CAT)
			set_numbers(s, path, &x, e);
	}
	mem_free(code);
	mem_free(x);
	strs_clear(&names);
	str_clear(&t);
	column_clear(&c);
}

static void
read_item(struct set *s, const struct item *it, int control, struct err *e)
{
	char path[200];
	int64_t n, d, *ptr = NULL;
	int32_t *col = NULL;
	float *f = NULL;
	double *g = NULL;
	struct str t = {0};

	snprintf(path, sizeof path, "%s", head_path(&it->s->head));
	switch (it->s->head.kind) {
	case KIND_COLUMN:
		read_column(s, path, e);
		break;
	case KIND_DENSE:
		if (control & C_STORED)
			set_dense64(s, path, &g, &n, &d, e);
		else
			set_dense(s, path, &f, &n, &d, e);
		break;
	case KIND_SPARSE:
		read_sparse(s, path, control, e);
		break;
	case KIND_GRAPH:
		if (control & C_STORED)
			set_graph64(s, path, &n, &ptr, &col, &g, e);
		else
			set_graph(s, path, &n, &ptr, &col, &f, e);
		break;
	case KIND_TEXT:
	case KIND_BLOB:
		set_text(s, path, &t, e);
		break;
	default:
		break;
	}
	mem_free(ptr);
	mem_free(col);
	mem_free(f);
	mem_free(g);
	str_clear(&t);
}

/* Keeps every third row of an axis, or none. */
static void
subset(struct set *s, int axis, int control, struct err *e)
{
	int64_t n = 0, *keep;

	if (e->code || set_names(s, axis, e))
		return;
	keep = mem_new(int64_t, s->axis[axis].n);
	for (int64_t i = 0; i < s->axis[axis].n && !(control & C_NONE); i += 3)
		keep[n++] = i;
	set_subset(s, axis, keep, n, e);
	mem_free(keep);
}

static void
use(char **path, int n, const uint8_t *control)
{
	struct set s;
	struct err e = {0};
	int64_t first;

	set_init(&s);
	s.spool.cap = 1 << 22;
	set_open(&s, path, n, &e);
	if (!e.code && control[0] & C_SUBSET)
		subset(&s, control[0] & C_VAR ? AXIS_VAR : AXIS_OBS, control[0], &e);
	/* The first error ends a run: begin with different sections. */
	first = s.n_item ? control[1] % s.n_item : 0;
	for (int64_t i = 0; i < s.n_item && !e.code && !(control[1] & 128); i++) {
		const struct item *it = &s.item[(first + i) % s.n_item];

		if (!it->dropped)
			read_item(&s, it, control[0], &e);
	}
	if (!e.code && control[0] & C_SUBSET && control[0] & C_VAR)
		subset(&s, AXIS_OBS, control[0], &e);
	if (control[1] & 64) {
		set_finish(&s, &e);
	} else if (!e.code) {
		int out = open("/dev/null", O_WRONLY);

		set_write(&s, out, !!(control[0] & C_NEW_ONLY), &e);
		close(out);
	}
	set_close(&s);
}

#ifdef FIX
static void fix(const uint8_t *p, size_t n, struct str *out);
#endif

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char dash[] = "-";
	char name[N_STREAM][40], *path[N_STREAM];
	int fd[N_STREAM], n = 0;
	const uint8_t *p = data + N_CONTROL, *end = data + size;

	mem_oom = too_much;
	if (size < N_CONTROL + 8)
		return 0;
	while (n < N_STREAM && p < end) {
		const uint8_t *next = end - p > 64 ? memmem(p + 64, (size_t)(end - p - 64), WIRE_MAGIC, 8) : NULL;
		size_t len = (size_t)((next && n < N_STREAM - 1 ? next : end) - p);
		struct str b = {0};

#ifdef FIX
		fix(p, len, &b);
#else
		str_addn(&b, p, len);
#endif
		fd[n] = file_of(b.s, b.n);
		snprintf(name[n], sizeof name[n], "/proc/self/fd/%d", fd[n]);
		path[n] = name[n];
		check(path[n]);
		p += len;
		if (data[0] & C_PIPE && p == end && pipe_of(b.s, b.n))
			path[n] = (char *)(uintptr_t)dash;
		n++;
		str_clear(&b);
	}
	use(path, n, data);
	while (n > 0)
		close(fd[--n]);
	return 0;
}
