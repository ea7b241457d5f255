/* in - see in.h */
#include "stream/in.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "os/deflate.h"
#include "os/file.h"
#include "stream/codec.h"
#include "stream/out.h"
#include "stream/wire.h"

/* Puts the name of the input in front of a message that was just made. */
static int
named(const struct in *in, struct err *e)
{
	char msg[sizeof e->msg];

	if (!e->code || strncmp(e->msg, in->name, strlen(in->name)) == 0)
		return e->code;
	memcpy(msg, e->msg, sizeof msg);
	snprintf(e->msg, sizeof e->msg, "%.200s: %.290s", in->name, msg);
	return e->code;
}

/* Reads exactly n bytes of a pipe. */
static int
exactly(struct in *in, void *p, int64_t n, struct err *e)
{
	int64_t got = file_read(in->fd, p, (size_t)n, e);

	if (e->code)
		return e->code;
	in->at += got;
	if (got < n)
		err_set(e, ERR_CUT, "ends before its end mark, after %lld bytes: what wrote it failed, or it was cut",
		    (long long)in->at);
	return e->code;
}

/* What the first bytes look like, for people who gave the wrong file. */
static const char *
looks_like(const uint8_t *p, int64_t n)
{
	if (memcmp(p, "\x89HDF", 4) == 0)
		return "an HDF5 file; convert it with ovx-import";
	if (p[0] == 0x1f && p[1] == 0x8b)
		return "gzip data; ovx streams are not gzipped, tables and matrices go through ovx-import";
	for (int64_t i = 0; i < n && i < 8; i++)
		if (p[i] < 9 || p[i] > 126)
			return "something else; make one with ovx-import";
	return "text; make one with ovx-import";
}

static int
preamble(struct in *in, struct err *e)
{
	uint8_t p[64] = {0};
	int64_t got = file_read(in->fd, p, 64, e), head = got < 8 ? got : 8;

	if (e->code)
		return e->code;
	in->at = got;
	if (got == 0)
		return err_set(e, ERR_CUT, "is empty: what should have written it failed");
	if (memcmp(p, WIRE_MAGIC, (size_t)head))
		return err_set(e, ERR_DATA, "this is not an ovx stream but %s", looks_like(p, got));
	if (got < 64)
		return err_set(e, ERR_CUT, "ends before its end mark, after %lld bytes: what wrote it failed, or it was cut",
		    (long long)got);
	if (wire_get32(p + WP_CRC) != deflate_crc(0, p, WP_CRC))
		return err_set(e, ERR_DATA, "damaged: checksum of the preamble");
	if (wire_get16(p + WP_MAJOR) != WIRE_MAJOR || wire_get64(p + WP_INCOMPAT))
		return err_set(e, ERR_DATA, "written by a newer version of the format (%d.%d); update these tools",
		    wire_get16(p + WP_MAJOR), wire_get16(p + WP_MINOR));
	if (!wire_zero(p + 12, 4) || !wire_zero(p + 32, 28))
		return err_set(e, ERR_DATA, "damaged: reserved bytes of the preamble are not zero");
	return 0;
}

static struct sect *
new_sect(struct in *in)
{
	struct sect *s = mem_new(struct sect, 1);

	s->in = in;
	in->sect = mem_renew(in->sect, struct sect *, in->n + 1);
	in->sect[in->n++] = s;
	return s;
}

/* Rows, order and prelude of the next block of a section against its head. */
static int
in_check_block(struct sect *s, const struct block *b, struct err *e)
{
	const struct head *h = &s->head;
	int64_t want = s->head.n_row - s->rows_seen;
	int first = s->n_seen == 0;

	if (want > h->block_rows)
		want = h->block_rows;
	if (b->prelude != (h->prelude && first))
		return err_set(e, ERR_DATA, "damaged: %s: prelude out of place", head_path(h));
	if (b->prelude && b->last)
		return err_set(e, ERR_DATA, "damaged: %s: no rows", head_path(h));
	if (!b->prelude && (b->row0 != s->rows_seen || b->n_row != want))
		return err_set(e, ERR_DATA, "damaged: %s: rows %lld to %lld where %lld to %lld must be", head_path(h),
		    (long long)b->row0, (long long)(b->row0 + b->n_row), (long long)s->rows_seen, (long long)(s->rows_seen + want));
	if (!b->prelude && b->last != (b->row0 + b->n_row == h->n_row))
		return err_set(e, ERR_DATA, "damaged: %s: last block out of place", head_path(h));
	/* A kind of a later version is passed on, its numbers unread. */
	if (h->kind <= KIND_BLOB && codec_raw_size(h, b, e) < 0)
		return e->code;
	s->n_seen++;
	s->rows_seen += b->prelude ? 0 : b->n_row;
	return e->code;
}

void
in_note(struct sect *s, const struct block *b, int64_t at)
{
	if (s->n_block == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 4;
		s->block = mem_renew(s->block, struct block, s->cap);
		s->at = mem_renew(s->at, int64_t, s->cap);
	}
	s->block[s->n_block] = *b;
	s->at[s->n_block++] = at;
	s->stored += 64 + wire_pad(b->stored);
	s->complete = b->last;
}

static void
set_id(struct sect *s)
{
	struct ident id;

	ident_start(&id, &s->head);
	for (int64_t i = 0; i < s->n_block; i++)
		ident_block(&id, &s->block[i]);
	ident_end(&id, &s->head, s->id);
}

/* Reads the index block, the tail and the end of the pipe. */
static int
finish_pipe(struct in *in, const struct head *end, struct err *e)
{
	uint8_t p[64];
	struct block b;
	struct str buf = {0};
	int64_t total;

	if (end->n_row != in->n)
		err_set(e, ERR_DATA, "damaged: the end mark counts %lld sections, there are %lld", (long long)end->n_row, (long long)in->n);
	exactly(in, p, 64, e);
	if (!e->code && block_decode(&b, p, e) == 0) {
		if (b.hash[0] != in->chain || b.hash[1] || b.codec || !b.last || b.prelude || b.row0 || b.n_row || b.n_item != b.stored)
			err_set(e, ERR_DATA, "damaged: a block is missing or out of its place");
		in_take(in, &b, &buf, e);
		if (!e->code && deflate_crc(0, buf.s, buf.n) != b.data_crc)
			err_set(e, ERR_DATA, "damaged: checksum of the index");
		if (!e->code && in->index && (in->index->n != buf.n || memcmp(in->index->s, buf.s, buf.n)))
			err_set(e, ERR_DATA, "damaged: the index does not fit the sections");
	}
	str_clear(&buf);
	exactly(in, p, 64, e);
	if (e->code)
		return e->code;
	total = (int64_t)wire_get64(p + WT_TOTAL);
	if (memcmp(p, "OVXE", 4) || wire_get32(p + WT_CRC) != deflate_crc(0, p, WT_CRC) || total != in->at ||
	    !wire_zero(p + 4, 4) || !wire_zero(p + 24, 36))
		return err_set(e, ERR_DATA, "damaged: the tail");
	if (file_read(in->fd, p, 1, e) > 0)
		return err_set(e, ERR_DATA, "damaged: bytes behind the end mark; streams are joined by ovx-join or ovx-cat");
	in->ended = 1;
	return e->code;
}

struct sect *
in_next(struct in *in, struct err *e)
{
	uint8_t first[64], *p;
	int64_t n;
	struct sect *s = NULL;
	struct head h = {0};

	if (e->code || in->ended)
		return NULL;
	BUG_IF(in->open);
	exactly(in, first, 64, e);
	n = e->code ? -1 : head_length(first, e);
	if (n < 0) {
		named(in, e);
		return NULL;
	}
	p = mem_raw(uint8_t, n);
	memcpy(p, first, 64);
	exactly(in, p + 64, n - 64, e);
	if (!e->code)
		head_decode(&h, p, n, in->seq, in->chain, e);
	if (!e->code) {
		in->seq++;
		in->chain = deflate_crc(in->chain, p + WS_CRC, 4);
	}
	if (!e->code && h.kind == KIND_END) {
		finish_pipe(in, &h, e);
		head_clear(&h);
	} else if (!e->code) {
		s = new_sect(in);
		s->head = h;
		s->spooled = 1;
		s->complete = !h.payload;
		in->open = h.payload ? s : NULL;
		if (!h.payload)
			set_id(s);
	}
	mem_free(p);
	named(in, e);
	return s;
}

int
in_block(struct in *in, struct block *b, struct err *e)
{
	uint8_t p[64];

	if (e->code || !in->open)
		return 0;
	if (exactly(in, p, 64, e) == 0 && block_decode(b, p, e) == 0 && in_check_block(in->open, b, e) == 0)
		in->chain = deflate_crc(in->chain, p + WB_CRC, 4);
	return named(in, e) == 0;
}

/* The padding behind a block's data; closes the section behind its last block. */
static int
padding(struct in *in, const struct block *b, struct err *e)
{
	uint8_t pad[WIRE_ALIGN];
	int64_t n = wire_pad(b->stored) - b->stored;

	if (exactly(in, pad, n, e) == 0 && !wire_zero(pad, n))
		err_set(e, ERR_DATA, "damaged: padding is not zero");
	if (b->last && in->open)
		in->open = NULL;
	return named(in, e);
}

int
in_take(struct in *in, const struct block *b, struct str *buf, struct err *e)
{
	/* In pieces, so that a head that lies about its length costs no memory. */
	const int64_t piece = 16 << 20;

	buf->n = 0;
	for (int64_t left = b->stored; left > 0 && !e->code; ) {
		int64_t some = left < piece ? left : piece;

		if (buf->cap < buf->n + (size_t)some + 1) {
			buf->cap = buf->n + (size_t)some + 1;
			if (left > piece)
				buf->cap += buf->n / 2;
			buf->s = mem_renew(buf->s, char, buf->cap);
		}
		exactly(in, buf->s + buf->n, some, e);
		buf->n += (size_t)some;
		left -= some;
	}
	if (!buf->s)
		str_addn(buf, "", 0);
	return padding(in, b, e);
}

int
in_pass(struct in *in, const struct block *b, int fd, struct err *e)
{
	if (file_copy(in->fd, NULL, fd, b->stored, e) == 0)
		in->at += b->stored;
	return padding(in, b, e);
}

int
in_spool(struct in *in, struct err *e)
{
	struct sect *s = in->open;
	struct str buf = {0};
	struct block b;

	while (in_block(in, &b, e)) {
		in_take(in, &b, &buf, e);
		if (!e->code)
			in_note(s, &b, spool_add(in->spool, buf.s, b.stored, e));
	}
	if (s && !e->code)
		set_id(s);
	str_clear(&buf);
	return e->code;
}

int
in_finish(struct in *in, struct err *e)
{
	if (e->code || in->ended)
		return e->code;
	if (in_next(in, e))
		err_set(e, ERR_DATA, "%s: damaged: a section behind X", in->name);
	return e->code;
}

/* One entry of the index: section head and blocks at known places. */
static int
index_entry(struct in *in, const uint8_t **p, const uint8_t *end, struct err *e)
{
	uint8_t first[64], *text;
	int64_t at, n, n_block;
	struct sect *s;

	if (end - *p < 32)
		return err_set(e, ERR_DATA, "damaged: the index");
	at = (int64_t)wire_get64(*p);
	n_block = (int64_t)wire_get64(*p + 24);
	if (at < 64 || at > in->size - 64 || n_block < 0 || n_block > (end - *p - 32) / 16)
		return err_set(e, ERR_DATA, "damaged: the index");
	if (file_pread(in->fd, first, 64, at, e) != 64 || (n = head_length(first, e)) < 0)
		return err_set(e, ERR_DATA, "damaged: the index");
	text = mem_raw(uint8_t, n);
	s = new_sect(in);
	if (file_pread(in->fd, text, (size_t)n, at, e) != n)
		err_set(e, ERR_DATA, "damaged: the index");
	else if (head_decode(&s->head, text, n, -1, 0, e) == 0 && wire_get64(text + WS_SEQ) != (uint64_t)in->n - 1)
		err_set(e, ERR_DATA, "damaged: the index");
	mem_free(text);
	if (e->code)
		return e->code;
	for (int i = 0; i < 16; i++)
		snprintf(s->id + 2 * i, 3, "%02x", (*p)[8 + i]);
	s->n_block = s->cap = n_block;
	s->at = mem_new(int64_t, n_block);
	s->row0 = mem_new(int64_t, n_block);
	for (int64_t i = 0; i < n_block; i++) {
		s->at[i] = (int64_t)wire_get64(*p + 32 + 16 * i) + 64;
		s->row0[i] = (int64_t)wire_get64(*p + 40 + 16 * i);
	}
	if (s->head.payload != (n_block > 0))
		return err_set(e, ERR_DATA, "damaged: the index");
	s->complete = !s->head.payload;
	*p += 32 + 16 * n_block;
	return 0;
}

/* Reads tail and index of a file; 0 when there is none, 1 when it was read. */
static int
read_index(struct in *in, struct err *e)
{
	uint8_t t[64], h[64], *text;
	int64_t end, n;
	struct head head = {0};
	struct block b;
	struct str buf = {0};
	const uint8_t *p;

	if (in->size < 256 || file_pread(in->fd, t, 64, in->size - 64, e) != 64)
		return 0;
	end = (int64_t)wire_get64(t + WT_END);
	if (memcmp(t, "OVXE", 4) || wire_get32(t + WT_CRC) != deflate_crc(0, t, WT_CRC) ||
	    (int64_t)wire_get64(t + WT_TOTAL) != in->size || end < 64 || end > in->size - 192)
		return 0;
	if (file_pread(in->fd, h, 64, end, e) != 64 || (n = head_length(h, e)) < 0 || end + n + 128 > in->size)
		return 0;
	text = mem_raw(uint8_t, n);
	if (file_pread(in->fd, text, (size_t)n, end, e) == n && head_decode(&head, text, n, -1, 0, e) == 0 &&
	    head.kind == KIND_END && file_pread(in->fd, h, 64, end + n, e) == 64 && block_decode(&b, h, e) == 0 &&
	    end + n + 64 + wire_pad(b.stored) + 64 == in->size) {
		buf.s = mem_renew(NULL, char, b.stored + 1);
		buf.n = (size_t)b.stored;
		if (file_pread(in->fd, buf.s, buf.n, end + n + 64, e) != b.stored || deflate_crc(0, buf.s, buf.n) != b.data_crc)
			err_set(e, ERR_DATA, "damaged: checksum of the index");
		p = (const uint8_t *)buf.s;
		while (!e->code && p < (const uint8_t *)buf.s + buf.n)
			index_entry(in, &p, (const uint8_t *)buf.s + buf.n, e);
		if (!e->code && in->n != head.n_row)
			err_set(e, ERR_DATA, "damaged: the index");
		in->ended = 1;
	}
	mem_free(text);
	head_clear(&head);
	str_clear(&buf);
	return in->ended;
}

/* The file has no good tail: reads it through to say why. */
static int
diagnose(struct in *in, struct err *e)
{
	struct str buf = {0};
	struct block b;

	for (int64_t i = 0; i < in->n; i++) {
		head_clear(&in->sect[i]->head);
		mem_free(in->sect[i]->at);
		mem_free(in->sect[i]->row0);
		mem_free(in->sect[i]);
	}
	in->n = 0;
	in->ended = 0;
	e->code = 0;
	if (lseek(in->fd, 64, SEEK_SET) < 0)
		return err_errno(e, "reading the input");
	in->at = 64;
	while (in_next(in, e))
		while (in_block(in, &b, e))
			in_take(in, &b, &buf, e);
	str_clear(&buf);
	return err_set(e, ERR_DATA, "damaged: the end of the file");
}

int
in_open(struct in *in, const char *path, int sequential, struct spool *spool, struct err *e)
{
	memset(in, 0, sizeof *in);
	in->name = mem_strdup(strcmp(path, "-") ? path : "standard input");
	in->spool = spool;
	in->size = -1;
	in->fd = file_open(path, e);
	if (in->fd < 0)
		return e->code;
	preamble(in, e);
	if (!e->code && !sequential && lseek(in->fd, 0, SEEK_CUR) == 64 && (in->size = file_size(in->fd)) >= 0) {
		if (!read_index(in, e) || e->code)
			diagnose(in, e);
	}
	return named(in, e);
}

int
in_heads(struct sect *s, struct err *e)
{
	struct in *in = s->in;
	int64_t n = s->n_block, at = 0;
	int64_t *where = s->at;

	if (e->code || s->complete)
		return e->code;
	if (in->size < 0)
		return in->open == s ? in_spool(in, e) : 0;
	s->at = NULL;
	s->n_block = s->cap = s->n_seen = s->rows_seen = 0;
	for (int64_t i = 0; i < n && !e->code; i++) {
		uint8_t p[64];
		struct block b;

		at = where[i];
		if (at < 128 || at > in->size || file_pread(in->fd, p, 64, at - 64, e) != 64)
			err_set(e, ERR_DATA, "damaged: the index");
		else if (block_decode(&b, p, e) == 0 && in_check_block(s, &b, e) == 0 && b.stored > in->size - at)
			err_set(e, ERR_DATA, "damaged: impossible sizes in a block head");
		if (!e->code && b.row0 != s->row0[i])
			err_set(e, ERR_DATA, "damaged: the index");
		if (!e->code)
			in_note(s, &b, at);
	}
	mem_free(where);
	if (!e->code && !s->complete)
		err_set(e, ERR_DATA, "damaged: the index");
	return named(in, e);
}

int
in_load(struct sect *s, int64_t i, struct str *buf, struct err *e)
{
	int64_t n;

	if (e->code || (s->in->size >= 0 && in_heads(s, e)))
		return e->code;
	BUG_IF(i >= s->n_block);
	n = s->block[i].stored;
	if (buf->cap < (size_t)n + 1) {
		buf->cap = (size_t)n + 1;
		buf->s = mem_renew(buf->s, char, buf->cap);
	}
	buf->n = (size_t)n;
	if (s->spooled)
		return spool_read(s->in->spool, s->at[i], buf->s, n, e);
	if (file_pread(s->in->fd, buf->s, (size_t)n, s->at[i], e) != n)
		err_set(e, ERR_CUT, "ends in the middle of %s", head_path(&s->head));
	return named(s->in, e);
}

void
in_close(struct in *in)
{
	for (int64_t i = 0; i < in->n; i++) {
		struct sect *s = in->sect[i];

		head_clear(&s->head);
		mem_free(s->block);
		mem_free(s->at);
		mem_free(s->row0);
		mem_free(s);
	}
	mem_free(in->sect);
	mem_free(in->name);
	if (in->fd >= 0)
		close(in->fd);
	memset(in, 0, sizeof *in);
	in->fd = -1;
}
