/* text - see text.h */
#include "os/text.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include "base/mem.h"
#include "os/file.h"

int
text_open(struct text *t, const char *path, struct err *e)
{
	int fd;

	memset(t, 0, sizeof *t);
	fd = file_open(path, e);
	if (fd < 0)
		return e->code;
	t->gz = gzdopen(fd, "rb");
	if (!t->gz) {
		close(fd);
		mem_oom(1 << 16);
	}
	gzbuffer(t->gz, 1 << 18);
	t->path = mem_strdup(strcmp(path, "-") ? path : "standard input");
	t->cap = 1 << 18;
	t->buf = mem_renew(NULL, char, t->cap + 1);
	return 0;
}

int64_t
text_read(struct text *t, void *buf, size_t n, struct err *e)
{
	int r, z = 0;

	if (e->code)
		return 0;
	r = gzread(t->gz, buf, (unsigned)(n > (1u << 30) ? 1u << 30 : n));
	if (r < 0 || (r == 0 && (gzerror(t->gz, &z), z == Z_BUF_ERROR))) {
		gzerror(t->gz, &z);
		if (z == Z_BUF_ERROR)
			err_set(e, ERR_CUT, "%s: the gzip data ends in the middle", t->path);
		else if (z == Z_ERRNO)
			err_errno(e, "%s", t->path);
		else
			err_set(e, ERR_DATA, "%s: damaged gzip data", t->path);
		return 0;
	}
	return r;
}

/* More bytes behind buf[at..end); 0 at the end. */
static int
fill(struct text *t, struct err *e)
{
	int64_t r;

	if (t->eof)
		return 0;
	if (t->at > 0) {
		memmove(t->buf, t->buf + t->at, t->end - t->at);
		t->end -= t->at;
		t->at = 0;
	}
	if (t->end == t->cap) {
		t->cap *= 2;
		t->buf = mem_renew(t->buf, char, t->cap + 1);
	}
	r = text_read(t, t->buf + t->end, t->cap - t->end, e);
	if (r <= 0)
		t->eof = 1;
	else
		t->end += (size_t)r;
	return r > 0;
}

int
text_line(struct text *t, struct err *e)
{
	size_t seen = 0;
	char *nl = NULL;

	while (!(nl = memchr(t->buf + t->at + seen, '\n', t->end - t->at - seen))) {
		seen = t->end - t->at;
		if (!fill(t, e))
			break;
	}
	if (e->code || (!nl && t->at == t->end))
		return 0;
	t->line = t->buf + t->at;
	t->len = nl ? (size_t)(nl - t->line) : t->end - t->at;
	t->at += t->len + (nl != NULL);
	if (t->len && t->line[t->len - 1] == '\r')
		t->len--;
	t->line[t->len] = 0;
	t->n_line++;
	return 1;
}

/* Inflated where it is wanted: zlib copies what is less than twice its buffer. */
#define PIECE ((size_t)1 << 19)

size_t
text_block(struct text *t, size_t want, char **buf, size_t *cap, struct err *e)
{
	size_t n = t->end - t->at, seen = 0, cut = 0;

	if (e->code)
		return 0;
	for (;;) {
		const char *nl;
		int64_t r;

		if (*cap < n + PIECE + 1) {
			*cap = n + n / 2 + PIECE + 1;
			*buf = mem_renew(*buf, char, *cap);
		}
		if (t->at < t->end)
			memcpy(*buf, t->buf + t->at, n);
		t->at = t->end = 0;
		nl = memrchr(*buf + seen, '\n', n - seen);
		cut = nl ? (size_t)(nl + 1 - *buf) : cut;
		seen = n;
		if (t->eof || (cut && n >= want))
			break;
		r = text_read(t, *buf + n, PIECE, e);
		t->eof = r <= 0;
		n += (size_t)r;
	}
	if (t->eof)             /* the last line need not have an end, but in front of an error it is none */
		cut = n = e->code ? cut : n;
	if (t->cap < n - cut) {
		t->cap = n - cut;
		t->buf = mem_renew(t->buf, char, t->cap + 1);
	}
	memcpy(t->buf, *buf + cut, n - cut);
	t->end = n - cut;
	(*buf)[cut] = 0;
	return cut;
}

void
text_close(struct text *t)
{
	if (t->gz)
		gzclose(t->gz);
	mem_free(t->buf);
	mem_free(t->path);
	memset(t, 0, sizeof *t);
}

static int
bad_gz(const struct gz *z, struct err *e)
{
	return errno ? err_errno(e, "%s", z->name) : err_set(e, ERR_SYSTEM, "%s: writing failed", z->name);
}

int
gz_open(struct gz *z, int fd, const char *name, struct err *e)
{
	int own;

	memset(z, 0, sizeof *z);
	if (e->code)
		return e->code;
	z->name = mem_strdup(name);
	own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (own < 0)
		return bad_gz(z, e);
	z->gz = gzdopen(own, "wb");
	if (!z->gz) {
		close(own);
		mem_oom(1 << 16);
	}
	gzbuffer(z->gz, 1 << 18);
	return 0;
}

int
gz_put(struct gz *z, const void *s, size_t n, struct err *e)
{
	const char *p = s;

	while (n && !e->code) {
		unsigned some = (unsigned)(n > 1u << 30 ? 1u << 30 : n);

		errno = 0;
		if (gzwrite(z->gz, p, some) != (int)some)
			return bad_gz(z, e);
		p += some;
		n -= some;
	}
	return e->code;
}

int
gz_close(struct gz *z, struct err *e)
{
	errno = 0;
	if (z->gz && gzclose(z->gz) != Z_OK && !e->code)
		bad_gz(z, e);
	mem_free(z->name);
	memset(z, 0, sizeof *z);
	return e->code;
}

enum { GUN_START, GUN_INSIDE, GUN_BETWEEN, GUN_PADDING };

int
gun_open(struct gun *g, struct err *e)
{
	z_stream *z;
	int r;

	memset(g, 0, sizeof *g);
	if (e->code)
		return e->code;
	z = mem_new(z_stream, 1);
	r = inflateInit2(z, 15 + 16);
	if (r != Z_OK) {
		mem_free(z);
		if (r == Z_MEM_ERROR)
			mem_oom(1 << 16);
		return err_set(e, ERR_SYSTEM, "zlib cannot be used: %s", zError(r));
	}
	g->z = z;
	return 0;
}

/* Bytes between members and behind the last: how many of n are padding.  What else begins there
 * begins a member. */
static size_t
padding(struct gun *g, const uint8_t *in, size_t n, struct err *e)
{
	size_t k = 0;

	while (k < n && in[k] == 0)
		k++;
	if (k)
		g->state = GUN_PADDING;
	if (k < n && (g->state == GUN_PADDING || in[k] != 0x1f))
		err_set(e, ERR_DATA, "garbage behind the gzip data");
	else if (k < n)
		inflateReset(g->z);
	return k;
}

int
gun_push(struct gun *g, const uint8_t *in, size_t n_in, size_t *used, uint8_t *out, size_t room, size_t *made,
    struct err *e)
{
	z_stream *z = g->z;

	*used = *made = 0;
	while (!e->code && z && *used < n_in && *made < room) {
		size_t n = n_in - *used < 1u << 30 ? n_in - *used : 1u << 30, k = room - *made < 1u << 30 ? room - *made : 1u << 30;
		int r;

		if (g->state >= GUN_BETWEEN) {
			size_t zeros = padding(g, in + *used, n, e);

			*used += zeros;
			if (zeros || e->code)
				continue;
		}
		g->state = GUN_INSIDE;
		z->next_in = (Bytef *)(uintptr_t)(in + *used);
		z->avail_in = (uInt)n;
		z->next_out = out + *made;
		z->avail_out = (uInt)k;
		r = inflate(z, Z_NO_FLUSH);
		*used += n - z->avail_in;
		*made += k - z->avail_out;
		if (r == Z_STREAM_END) {
			g->state = GUN_BETWEEN;
			g->n_member++;
		} else if (r == Z_MEM_ERROR) {
			mem_oom(1 << 16);
		} else if (r != Z_OK && r != Z_BUF_ERROR) {
			err_set(e, ERR_DATA, g->n_member && z->total_in <= 2 ? "garbage behind the gzip data" : "damaged gzip data");
		}
	}
	if (e->code)
		*used = *made = 0;
	return e->code;
}

int
gun_close(struct gun *g, int at_end, struct err *e)
{
	if (g->z && at_end && g->state <= GUN_INSIDE)
		err_set(e, ERR_CUT, "the gzip data ends in the middle");
	if (g->z)
		inflateEnd(g->z);
	mem_free(g->z);
	memset(g, 0, sizeof *g);
	return e->code;
}

int
text_int(const char *s, int64_t *v)
{
	char *end;
	long long x;

	if (!*s || isspace((unsigned char)*s))
		return 0;
	errno = 0;
	x = strtoll(s, &end, 10);
	if (*end || errno)
		return 0;
	*v = x;
	return 1;
}

int
text_real(const char *s, double *v)
{
	char *end;

	if (!*s || isspace((unsigned char)*s))
		return 0;
	*v = strtod(s, &end);
	return *end == 0;
}

/* Takes the quotes off a CSV field that starts at s; returns what follows it. */
static char *
unquote(char *s, char sep)
{
	char *d = s, *p = s + 1;

	while (*p && !(*p == '"' && p[1] != '"')) {
		if (*p == '"')
			p++;
		*d++ = *p++;
	}
	if (*p == '"')
		p++;
	while (*p && *p != sep)
		*d++ = *p++;
	if (d < p)
		memset(d, 0, 1);
	return p;
}

int
text_split(char *line, char sep, int quotes, char **field, int max)
{
	int n = 0;
	char *p = line;

	for (;;) {
		char *start = p, *end;

		if (quotes && *p == '"')
			end = unquote(p, sep);
		else
			for (end = p; *end && *end != sep; end++)
				;
		if (n < max)
			field[n] = start;
		n++;
		if (!*end)
			return n;
		*end = 0;
		p = end + 1;
	}
}
