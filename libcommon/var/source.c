/* source - see source.h */
#include "var/source.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "os/bgzf.h"
#include "os/deflate.h"
#include "os/file.h"

#define IN_BYTES (256 << 10)
#define KEEP_MOST (2 << 20)             /* of a record that is longer not all blocks are passed on */

/* --- bytes of the file ------------------------------------------------------- */

/* At least want bytes in in[lo..hi), unless the file ends before. */
static int
more(struct source *s, size_t want, struct err *e)
{
	int64_t got;

	if (s->hi - s->lo >= want || s->eof)
		return e->code;
	if (s->lo) {
		memmove(s->in, s->in + s->lo, s->hi - s->lo);
		s->hi -= s->lo;
		s->lo = 0;
	}
	got = file_read(s->fd, s->in + s->hi, s->cap - s->hi, e);
	if (got < 0)
		return e->code;
	s->bytes_in += got;
	s->crc = deflate_crc(s->crc, s->in + s->hi, (size_t)got);
	s->eof = s->hi + (size_t)got < s->cap;
	s->hi += (size_t)got;
	return 0;
}

static int
cut(const struct source *s, const char *where, struct err *e)
{
	return err_set(e, ERR_CUT, "%s: ended %s", s->name, where);
}

/* --- kinds ------------------------------------------------------------------- */

/* Size of the BGZF block at lo; 0 at the end of the file; -1 with e set. */
static int
block_size(struct source *s, struct err *e)
{
	int n;

	if (more(s, BGZF_MAX, e))
		return -1;
	if (s->hi == s->lo) {
		if (s->ended)
			return 0;
		cut(s, "without the empty block that ends BGZF: it is cut short; to keep what is there: bgzip -dc x | bgzip > y", e);
		return -1;
	}
	n = bgzf_size(s->in + s->lo, s->hi - s->lo);
	if (n < 0)
		err_set(e, ERR_DATA, "%s: damaged: no BGZF block at byte %lld", s->name, (long long)(s->bytes_in - (int64_t)(s->hi - s->lo)));
	else if (n == 0 || (size_t)n > s->hi - s->lo)
		cut(s, "inside a BGZF block", e);
	return e->code ? -1 : n;
}

static void
add_block(struct chunk *c, int64_t at, uint32_t n, const uint8_t *raw, size_t n_raw)
{
	if (c->n_block == c->cap_block) {
		c->cap_block = 2 * c->cap_block + 32;
		c->block = mem_renew(c->block, struct zblock, c->cap_block);
	}
	if (c->n_raw + n_raw > c->cap_raw) {
		c->cap_raw = 2 * c->cap_raw + n_raw + (128 << 10);
		c->raw = mem_renew(c->raw, uint8_t, c->cap_raw);
	}
	memcpy(c->raw + c->n_raw, raw, n_raw);
	c->block[c->n_block++] = (struct zblock){ at, n, (uint32_t)n_raw, c->n_raw };
	c->n_raw += n_raw;
}

/* Room for front bytes before, and n bytes from, data of a chunk that is empty. */
static void
chunk_room(struct chunk *c, size_t front, size_t n)
{
	size_t need = front + n + CHUNK_PAD;

	if (c->cap < need) {
		mem_free(c->mem);
		c->mem = mem_raw(uint8_t, (long long)need);
		c->cap = need;
	}
	c->data = c->mem + front;
}

/* Compressed blocks for one chunk of inflated bytes; they are inflated later, together. */
static int
take_blocks(struct source *s, struct chunk *c, struct err *e)
{
	int size, n;

	while (c->n < s->chunk && (size = block_size(s, e)) > 0) {
		n = bgzf_raw_size(s->in + s->lo, (size_t)size);
		if (n < 0)
			return err_set(e, ERR_DATA, "%s: damaged: a BGZF block of impossible size", s->name);
		s->ended = n == 0;
		if (n > 0)
			add_block(c, s->at, (uint32_t)n, s->in + s->lo, (size_t)size);
		s->at += n;
		c->n += (size_t)n;
		s->lo += (size_t)size;
	}
	return e->code;
}

static int
by_offset(const void *a, const void *b)
{
	const struct source_span *x = a, *y = b;

	return x->beg < y->beg ? -1 : x->beg > y->beg;
}

void
source_only(struct source *s, const struct source_span *span, int64_t n)
{
	s->span = mem_new(struct source_span, n + 1);
	s->n_span = 0;
	if (n)
		memcpy(s->span, span, (size_t)n * sizeof *span);
	qsort(s->span, (size_t)n, sizeof *span, by_offset);
	for (int64_t i = 0; i < n; i++) {
		struct source_span *last = s->n_span ? &s->span[s->n_span - 1] : NULL;

		if (last && s->span[i].beg <= last->end)
			last->end = s->span[i].end > last->end ? s->span[i].end : last->end;
		else
			s->span[s->n_span++] = s->span[i];
	}
	s->at_span = 0;
	s->in_span = 0;
	s->carry.n = 0;
	s->n_keep = 0;
	s->keep_raw.n = 0;
}

static int
foreign_index(const struct source *s, struct err *e)
{
	return err_set(e, ERR_DATA, "%s: its index belongs to another file; make it anew (bcftools index -f)", s->name);
}

/* Inflated bytes of the stretches that were asked for, one block after the other. */
static int
take_spans(struct source *s, struct chunk *c, struct err *e)
{
	uint8_t *b = mem_raw(uint8_t, BGZF_MAX);

	chunk_room(c, CHUNK_HEAD, s->chunk + BGZF_MAX);
	while (c->n < s->chunk && s->at_span < s->n_span && !e->code) {
		const struct source_span *w = &s->span[s->at_span];
		int size, n, from = 0, to;

		if (!s->in_span) {
			if (lseek(s->fd, (off_t)(w->beg >> 16), SEEK_SET) < 0) {
				err_errno(e, "%s", s->name);
				break;
			}
			s->lo = s->hi = 0;
			s->eof = s->ended = 0;
			s->block_at = (int64_t)(w->beg >> 16);
			s->in_span = 1;
			from = (int)(w->beg & 0xffff);
		}
		if (s->block_at > (int64_t)(w->end >> 16) || (s->block_at == (int64_t)(w->end >> 16) && (w->end & 0xffff) == 0) ||
		    (size = block_size(s, e)) <= 0) {
			s->at_span++;
			s->in_span = 0;
			continue;
		}
		n = bgzf_raw_size(s->in + s->lo, (size_t)size);
		if (n < 0 || bgzf_inflate(s->in + s->lo, (size_t)size, b, e)) {
			err_set(e, ERR_DATA, "%s: damaged: a BGZF block of impossible size", s->name);
			break;
		}
		to = s->block_at == (int64_t)(w->end >> 16) ? (int)(w->end & 0xffff) : n;
		/* What comes in front of a record is a line end. */
		if (from > to || to > n || (from > 0 && from <= n && !s->bcf && b[from - 1] != '\n')) {
			foreign_index(s, e);
			break;
		}
		memcpy(c->data + c->n, b + from, (size_t)(to - from));
		c->n += (size_t)(to - from);
		s->at += to - from;
		s->lo += (size_t)size;
		s->block_at += size;
		s->ended = n == 0;
	}
	mem_free(b);
	return e->code;
}

/* Inflated bytes of plain gzip or text straight into dst; fewer than n only at the end. */
static size_t
take_bytes(struct source *s, uint8_t *dst, size_t n, struct err *e)
{
	size_t have = 0, used, made, k;
	int64_t got;

	while (have < n && !e->code) {
		struct err one = {0};

		if (s->kind == SOURCE_PLAIN) {
			k = s->hi - s->lo < n - have ? s->hi - s->lo : n - have;
			memcpy(dst + have, s->in + s->lo, k);
			s->lo += k;
			have += k;
			if (have == n || s->eof)
				break;
			got = file_read(s->fd, dst + have, n - have, e);
			if (got < 0)
				break;
			s->eof = (size_t)got < n - have;
			s->bytes_in += got;
			s->crc = deflate_crc(s->crc, dst + have, (size_t)got);
			have += (size_t)got;
			break;
		}
		if (more(s, 1, e) || s->hi == s->lo)
			break;
		gun_push(&s->gun, s->in + s->lo, s->hi - s->lo, &used, dst + have, n - have, &made, &one);
		if (one.code)
			err_set(e, one.code, "%s: %s", s->name, one.msg);
		s->lo += used;
		have += made;
	}
	s->at += (int64_t)have;
	return have;
}

struct inflate {
	struct source *s;
	struct chunk **c;
	int *chunk;                     /* of each block in the list */
	int64_t *block;
};

static int
inflate_blocks(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct inflate *w = ctx;

	(void)worker;
	for (int64_t i = lo; i < hi && !e->code; i++) {
		struct chunk *c = w->c[w->chunk[i]];
		struct zblock *b = &c->block[w->block[i]];
		struct err one = {0};

		if (bgzf_inflate(c->raw + b->raw, b->n_raw, c->data + (b->at - c->at), &one))
			err_set(e, one.code, "%s: %s", w->s->name, one.msg);
	}
	return e->code;
}

/* Inflates the blocks of n chunks, whose data begins where chunk.at says. */
static int
inflate_all(struct source *s, struct chunk **c, int n, struct par *p, struct err *e)
{
	struct inflate w = { .s = s, .c = c };
	int64_t k = 0;

	for (int i = 0; i < n; i++)
		k += c[i]->n_block;
	w.chunk = mem_new(int, k);
	w.block = mem_new(int64_t, k);
	k = 0;
	for (int i = 0; i < n; i++)
		for (int64_t b = 0; b < c[i]->n_block; b++, k++) {
			w.chunk[k] = i;
			w.block[k] = b;
		}
	par_for(p, k, 4, inflate_blocks, &w, e);
	mem_free(w.chunk);
	mem_free(w.block);
	return e->code;
}

/* --- records ----------------------------------------------------------------- */

/* Bytes of whole records at the beginning of p. */
static size_t
whole_records(const struct source *s, const uint8_t *p, size_t n)
{
	size_t at = 0, len;
	const uint8_t *q;

	if (!s->bcf) {
		q = memrchr(p, '\n', n);
		return q ? (size_t)(q + 1 - p) : 0;
	}
	while ((len = chunk_bcf_length(p + at, n - at)) > 0 && len <= n - at)
		at += len;
	return at;
}

/* Whether the line at p, of which n bytes are there, has its INFO whole.  Goes on where the last call for the same line ended. */
static int
through_info(struct source *s, const uint8_t *p, size_t n)
{
	const uint8_t *q = p + s->seen;

	for (; s->tabs < 8 && (q = memchr(q, '\t', n - (size_t)(q - p))); s->seen = (size_t)(++q - p))
		s->tabs++;
	if (s->tabs < 8)
		s->seen = n;
	return s->tabs == 8;
}

static void
keep_block(struct source *s, const struct zblock *b, const uint8_t *raw)
{
	if (s->n_keep == s->cap_keep) {
		s->cap_keep = 2 * s->cap_keep + 16;
		s->keep = mem_renew(s->keep, struct zblock, s->cap_keep);
	}
	s->keep[s->n_keep] = *b;
	s->keep[s->n_keep++].raw = s->keep_raw.n;
	str_addn(&s->keep_raw, raw, b->n_raw);
}

/* Keeps the blocks of the carry (that begins at inflated byte x) for the next chunk. */
static void
keep_blocks(struct source *s, const struct chunk *c, int64_t x)
{
	s->n_keep = 0;
	s->keep_raw.n = 0;
	for (int64_t i = 0; i < c->n_block; i++) {
		const struct zblock *b = &c->block[i];

		if (b->at + b->n <= x)
			continue;
		keep_block(s, b, c->raw + b->raw);
		if (s->carry.n > KEEP_MOST)
			break;
	}
}

/* Kept blocks are the first ones of the chunk that the carry goes to. */
static void
give_blocks(struct source *s, struct chunk *c)
{
	int64_t n = c->n_block, k = s->n_keep;
	struct zblock *b;

	for (int64_t i = 0; i < k; i++)
		add_block(c, s->keep[i].at, s->keep[i].n, (uint8_t *)s->keep_raw.s + s->keep[i].raw, s->keep[i].n_raw);
	if (k && n) {
		b = mem_raw(struct zblock, k);
		memcpy(b, c->block + n, (size_t)k * sizeof *b);
		memmove(c->block + k, c->block, (size_t)n * sizeof *b);
		memcpy(c->block, b, (size_t)k * sizeof *b);
		mem_free(b);
	}
	s->n_keep = 0;
	s->keep_raw.n = 0;
}

/* Whether a record of n bytes so far goes on in pieces. */
static int
in_pieces(struct source *s, const uint8_t *p, size_t n)
{
	return (n > CHUNK_LONG || (int64_t)n > s->long_most) && !s->bcf && !s->whole && !(s->eof && s->hi == s->lo) && through_info(s, p, n);
}

/* A chunk in which the record of the carry does not end goes to its end: 1.  So every byte of a long record is moved once. */
static int
prolong(struct source *s, struct chunk *c, struct err *e)
{
	if (!s->bare || s->carry.n == 0 || s->open || (s->eof && s->hi == s->lo))
		return 0;
	if (s->bcf ? chunk_bcf_length((uint8_t *)s->carry.s, s->carry.n) <= s->carry.n + c->n : memchr(c->data, '\n', c->n) != NULL)
		return 0;
	if (in_pieces(s, (uint8_t *)s->carry.s, s->carry.n))
		return 0;
	str_addn(&s->carry, c->data, c->n);
	for (int64_t i = 0; i < c->n_block && s->carry.n <= KEEP_MOST; i++)
		keep_block(s, &c->block[i], c->raw + c->block[i].raw);
	c->n = 0;
	if ((int64_t)s->carry.n > s->long_most && !in_pieces(s, (uint8_t *)s->carry.s, s->carry.n))
		err_set(e, ERR_MEMORY, "%s: a record of more than %lld MB; raise -M", s->name, (long long)(s->long_most >> 20));
	return 1;
}

/* Puts what was left over in front of a chunk's data, and takes off what is left over now. */
static int
settle(struct source *s, struct chunk *c, struct err *e)
{
	size_t k = s->carry.n, whole;
	const uint8_t *nl;

	if (prolong(s, c, e))
		return e->code;
	if (k) {
		if ((size_t)(c->data - c->mem) < k) {
			uint8_t *m = mem_raw(uint8_t, (long long)(k + c->n + CHUNK_PAD));

			memcpy(m + k, c->data, c->n);
			c->cap = k + c->n + CHUNK_PAD;
			mem_free(c->mem);
			c->mem = m;
			c->data = m + k;
		}
		c->data -= k;
		memcpy(c->data, s->carry.s, k);
		c->n += k;
		c->at -= (int64_t)k;
		give_blocks(s, c);
		s->carry.n = 0;
		if (s->carry.cap > CHUNK_LONG)
			str_clear(&s->carry);
	}
	if (s->open) {
		nl = memchr(c->data, '\n', c->n);
		whole = nl ? (size_t)(nl + 1 - c->data) : c->n;
		s->open = !nl;
		c->flags = CHUNK_MORE | (nl ? 0 : CHUNK_OPEN);
	} else {
		whole = whole_records(s, c->data, c->n);
		if (whole == 0 && in_pieces(s, c->data, c->n)) {
			whole = c->n;
			s->open = 1;
			c->flags = CHUNK_OPEN;
		}
	}
	if (whole == 0 && (int64_t)c->n > s->long_most)
		return err_set(e, ERR_MEMORY, "%s: a record of more than %lld MB; raise -M", s->name, (long long)(s->long_most >> 20));
	if (whole) {
		s->seen = 0;
		s->tabs = 0;
	}
	if (c->n > whole) {
		str_addn(&s->carry, c->data + whole, c->n - whole);
		keep_blocks(s, c, c->at + (int64_t)whole);
		c->n = whole;
	}
	s->bare = 1;
	return 0;
}

/* The end of the input.  Whole records may still be left from reading the header; what is left over then is a line without
 * its end, or part of a record. */
static int
finish(struct source *s, struct chunk *c, struct err *e)
{
	struct err end = {0};

	if (s->kind == SOURCE_GZIP && s->gun.z && gun_close(&s->gun, 1, &end))
		err_set(e, end.code, "%s: %s", s->name, end.msg);
	if (e->code || (s->carry.n == 0 && !s->open))
		return 0;
	if (s->span && s->n_span && s->span[s->n_span - 1].end >> 16 < (uint64_t)s->block_at) {
		foreign_index(s, e);
		return 0;
	}
	chunk_clear(c);
	chunk_room(c, CHUNK_HEAD, 1);
	c->at = s->at;
	if (settle(s, c, e) || c->n)
		return e->code ? 0 : 1;
	if (s->bcf || s->kind == SOURCE_PLAIN) {
		cut(s, s->bcf ? "inside a record" : "inside a line: it is cut short", e);
		return 0;
	}
	/* Compressed text says by itself where it ends. */
	chunk_clear(c);
	chunk_room(c, CHUNK_HEAD, 1);
	c->at = s->at;
	c->data[0] = '\n';
	c->n = 1;
	s->at++;
	return settle(s, c, e) ? 0 : 1;
}

int
source_next(struct source *s, struct chunk **c, int n, struct par *p, struct err *e)
{
	int k = 0, m = 0;

	if (e->code)
		return -1;
	for (k = 0; k < n && !e->code; k++) {
		chunk_clear(c[k]);
		c[k]->at = s->at;
		if (s->span) {
			take_spans(s, c[k], e);
		} else if (s->kind == SOURCE_BGZF) {
			take_blocks(s, c[k], e);
			chunk_room(c[k], CHUNK_HEAD, c[k]->n);
		} else {
			chunk_room(c[k], CHUNK_HEAD, s->chunk);
			c[k]->n = take_bytes(s, c[k]->data, s->chunk, e);
		}
		if (c[k]->n == 0)
			break;
	}
	if (!e->code && s->kind == SOURCE_BGZF && !s->span)
		inflate_all(s, c, k, p, e);
	/* A chunk without a whole record has gone over into the next one. */
	for (int i = 0; i < k && !e->code; i++) {
		settle(s, c[i], e);
		if (c[i]->n) {
			struct chunk *t = c[m];

			c[m++] = c[i];
			c[i] = t;
		}
	}
	if (!e->code && k > 0 && m == 0)
		return source_next(s, c, n, p, e);
	if (!e->code && k == 0)
		m = finish(s, c[0], e);
	return e->code ? -1 : m;
}

/* --- the beginning ----------------------------------------------------------- */

/* More inflated bytes at the end of carry; 0 at the end of the input. */
static size_t
more_carry(struct source *s, struct err *e)
{
	uint8_t *b;
	size_t n = 0;
	int size;

	if (s->kind == SOURCE_BGZF) {
		b = mem_raw(uint8_t, BGZF_MAX);
		while (n == 0 && (size = block_size(s, e)) > 0) {
			int k = bgzf_raw_size(s->in + s->lo, (size_t)size);

			if (k < 0 || bgzf_inflate(s->in + s->lo, (size_t)size, b, e)) {
				err_set(e, ERR_DATA, "%s: damaged: a BGZF block of impossible size", s->name);
				break;
			}
			n = (size_t)k;
			s->ended = n == 0;
			if (n) {
				/* The header ends in the last of them. */
				s->n_keep = 0;
				s->keep_raw.n = 0;
				keep_block(s, &(struct zblock){ s->at, (uint32_t)n, (uint32_t)size, 0 }, s->in + s->lo);
			}
			s->at += (int64_t)n;
			s->lo += (size_t)size;
		}
	} else {
		b = mem_raw(uint8_t, 1 << 15);
		n = take_bytes(s, b, 1 << 15, e);
	}
	if (!e->code)
		str_addn(&s->carry, b, n);
	mem_free(b);
	return e->code ? 0 : n;
}

static void
drop_carry(struct source *s, size_t n)
{
	s->carry.n -= n;
	memmove(s->carry.s, s->carry.s + n, s->carry.n);
}

static int
text_header(struct source *s, struct err *e)
{
	size_t at = 0;

	for (;;) {
		char *nl = s->carry.n > at ? memchr(s->carry.s + at, '\n', s->carry.n - at) : NULL;

		if (!nl) {
			if (more_carry(s, e))
				continue;
			return e->code ? e->code : cut(s, "inside its header, before the #CHROM line", e);
		}
		if (s->carry.s[at] != '#')
			return err_set(e, ERR_DATA, "%s: the header has no #CHROM line", s->name);
		if (strncmp(s->carry.s + at, "#CHROM", 6) == 0) {
			at = (size_t)(nl + 1 - s->carry.s);
			break;
		}
		at = (size_t)(nl + 1 - s->carry.s);
	}
	str_addn(&s->header, s->carry.s, at);
	drop_carry(s, at);
	return 0;
}

static int
bcf_header(struct source *s, struct err *e)
{
	size_t n;

	while (s->carry.n < 9 && more_carry(s, e))
		;
	if (e->code || s->carry.n < 9)
		return e->code ? e->code : cut(s, "inside its header", e);
	if (s->carry.s[3] != 2)
		return err_set(e, ERR_DATA, "%s: BCF version %d is not known; 2 is", s->name, s->carry.s[3]);
	n = (size_t)(uint8_t)s->carry.s[5] | (size_t)(uint8_t)s->carry.s[6] << 8 | (size_t)(uint8_t)s->carry.s[7] << 16 |
	    (size_t)(uint8_t)s->carry.s[8] << 24;
	while (s->carry.n < 9 + n && more_carry(s, e))
		;
	if (e->code || s->carry.n < 9 + n)
		return e->code ? e->code : cut(s, "inside its header", e);
	str_addn(&s->header, s->carry.s + 9, n);
	while (s->header.n && s->header.s[s->header.n - 1] == 0)
		s->header.n--;
	s->header.s[s->header.n] = 0;
	drop_carry(s, 9 + n);
	return 0;
}

static int
sniff(struct source *s, struct err *e)
{
	const uint8_t *p;
	size_t n;

	s->kind = SOURCE_PLAIN;
	if (more(s, BGZF_MAX, e))
		return e->code;
	p = s->in + s->lo;
	n = s->hi - s->lo;
	if (n == 0)
		return err_set(e, ERR_CUT, "%s: is empty", s->name);
	if (n >= 2 && p[0] == 0x1f && p[1] == 0x8b) {
		int size = bgzf_size(p, n);

		s->kind = size < 0 ? SOURCE_GZIP : SOURCE_BGZF;
		if (size < 0 && gun_open(&s->gun, e))
			return e->code;
	}
	while (s->carry.n < 16 && more_carry(s, e))
		;
	if (e->code)
		return e->code;
	s->bcf = s->carry.n >= 3 && memcmp(s->carry.s, "BCF", 3) == 0;
	if (!s->bcf && s->carry.n >= 6 && memcmp(s->carry.s, "##", 2) && memcmp(s->carry.s, "#CHROM", 6))
		return err_set(e, ERR_DATA, "%s: this is neither VCF nor BCF", s->name);
	if (!s->bcf && s->carry.n < 6)
		return memcmp(s->carry.s, "##file", s->carry.n) && memcmp(s->carry.s, "#CHROM", s->carry.n) ?
		    err_set(e, ERR_DATA, "%s: this is neither VCF nor BCF", s->name) : cut(s, "inside its header", e);
	return s->bcf ? bcf_header(s, e) : text_header(s, e);
}

int
source_open(struct source *s, const char *path, struct err *e)
{
	memset(s, 0, sizeof *s);
	s->name = mem_strdup(!path || !strcmp(path, "-") ? "standard input" : path);
	s->long_most = 256 << 20;
	s->chunk = CHUNK_BYTES;
	s->fd = file_open(path ? path : "-", e);
	if (e->code)
		return e->code;
	s->size = file_size(s->fd);
	s->cap = IN_BYTES;
	s->in = mem_raw(uint8_t, IN_BYTES);
	return sniff(s, e);
}

void
source_close(struct source *s)
{
	struct err none = {0};

	if (s->name && s->fd >= 0)
		close(s->fd);
	gun_close(&s->gun, 0, &none);
	mem_free(s->name);
	mem_free(s->in);
	mem_free(s->span);
	mem_free(s->keep);
	str_clear(&s->keep_raw);
	str_clear(&s->header);
	str_clear(&s->carry);
	memset(s, 0, sizeof *s);
	s->fd = -1;
}
