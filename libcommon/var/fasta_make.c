/* fasta_make - the index of a FASTA file by reading all of it; see fasta_impl.h
 *
 * The same rules as samtools faidx: names end at the first blank, contigs without bases are left out, lines
 * of a contig are equally long but for the last.  Stricter: a name that comes twice is refused, and so are blanks and
 * control characters among the bases.
 */
#include <limits.h>
#include <string.h>
#include "base/mem.h"
#include "os/bgzf.h"
#include "var/fasta_impl.h"

#define PIECE (1 << 20)

enum line { LINE_NEW, LINE_HEAD, LINE_BASES };

struct maker {
	struct fasta *f;
	int64_t at;             /* offset of the byte that comes next */
	int64_t n_line;         /* number of the line that it belongs to, from 1 */
	enum line kind;         /* of that line, and what is known of it: */
	int64_t start, bases;   /* its offset; bases */
	int64_t gap;            /* blanks behind them */
	struct str name;
	int named;              /* 0 before the name, 1 in it, 2 behind it */
	int open;               /* there is a contig: */
	struct contig c;
	int closed;             /* it had its last line: 1 by a line that is not like the others, 2 by a blank one */
	char *contig;           /* its name */
};

void
fasta_add(struct fasta *f, const char *name, size_t n_name, const struct contig *c, struct err *e)
{
	struct contig *t;

	if (f->n == INT_MAX - 1)
		err_set(e, ERR_DATA, "%s: too many contigs", f->path);
	if (e->code)
		return;
	if (!(f->n & (f->n - 1)))       /* 0, 1, 2, 4, ...: grow to the next power of 2 */
		f->contig = mem_renew(f->contig, struct contig, f->n ? 2LL * f->n : 1);
	t = &f->contig[f->n++];
	memset(t, 0, sizeof *t);
	t->length = c->length;
	t->offset = c->offset;
	t->bases = c->bases;
	t->bytes = c->bytes;
	strs_add(&f->name, name, n_name);
}

static void
end_contig(struct maker *m, struct err *e)
{
	if (m->open && m->c.length > 0)
		fasta_add(m->f, m->contig, strlen(m->contig), &m->c, e);
	mem_free(m->contig);
	m->contig = NULL;
	memset(&m->c, 0, sizeof m->c);
	m->open = m->closed = 0;
}

static int
bad(const struct maker *m, const char *what, struct err *e)
{
	return err_set(e, ERR_DATA, "%s: line %lld: %s", m->f->path, (long long)m->n_line, what);
}

static void
end_bases(struct maker *m, struct err *e)
{
	int64_t bytes = m->bases + m->gap + 1;

	if (m->bases == 0) {
		if (m->c.length && !m->closed)
			m->closed = 2;
	} else if (!m->open) {
		bad(m, "this is not FASTA: a header ('>' and a name) must come first", e);
	} else if (m->closed || (m->c.length && m->bases > m->c.bases)) {
		bad(m, m->closed == 2 ? "a blank line inside a contig; reformat with seqtk seq -l 60" :
		    "lines of different length; reformat with seqtk seq -l 60", e);
	} else if (m->c.length == 0) {
		m->c = (struct contig){ .length = m->bases, .offset = m->start, .bases = m->bases, .bytes = bytes };
	} else {
		m->c.length += m->bases;
		m->closed = m->bases < m->c.bases || bytes != m->c.bytes;
	}
}

static void
end_line(struct maker *m, struct err *e)
{
	if (m->kind != LINE_HEAD) {
		end_bases(m, e);
	} else if (m->name.n == 0) {
		bad(m, "a header without a name", e);
	} else {
		end_contig(m, e);
		m->contig = mem_strndup(m->name.s, m->name.n);
		m->open = 1;
	}
	m->kind = LINE_NEW;
	m->name.n = 0;
	m->named = 0;
	m->bases = m->gap = 0;
	m->n_line++;
}

static int
is_blank(int c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* A piece of a header, '>' and line end not in it. */
static void
feed_head(struct maker *m, const uint8_t *p, const uint8_t *end, struct err *e)
{
	const uint8_t *from;

	while (m->named == 0 && p < end && is_blank(*p))
		p++;
	from = p;
	while (m->named < 2 && p < end && !is_blank(*p))
		p++;
	if (p > from) {
		m->named = 1;
		str_addn(&m->name, from, (size_t)(p - from));
		if (memchr(from, 0, (size_t)(p - from)))
			bad(m, "a NUL byte in a name", e);
	}
	if (m->named == 1 && p < end)
		m->named = 2;
}

/* A piece of a line of bases, the line end not in it. */
static void
feed_bases(struct maker *m, const uint8_t *p, const uint8_t *end, struct err *e)
{
	const uint8_t *stop = end;
	unsigned odd = 0;

	while (stop > p && is_blank(stop[-1]))
		stop--;
	for (const uint8_t *q = p; q < stop; q++)
		odd |= (unsigned)((uint8_t)(*q - '!') > '~' - '!');
	if (stop > p && (odd || m->gap))
		bad(m, "a blank or what is no letter among the bases; this is not FASTA, or damaged", e);
	m->bases += stop - p;
	m->gap = stop > p ? end - stop : m->gap + (end - stop);
}

static void
feed(struct maker *m, const uint8_t *p, size_t n, struct err *e)
{
	const uint8_t *stop = p + n;

	while (p < stop && !e->code) {
		const uint8_t *nl = memchr(p, '\n', (size_t)(stop - p)), *end = nl ? nl : stop;
		int fresh = m->kind == LINE_NEW;

		if (fresh) {
			m->start = m->at;
			m->kind = *p == '>' ? LINE_HEAD : LINE_BASES;
		}
		if (m->kind == LINE_HEAD)
			feed_head(m, p + fresh, end, e);
		else
			feed_bases(m, p, end, e);
		if (nl && !e->code)
			end_line(m, e);
		m->at += end - p + (nl != NULL);
		p = end + (nl != NULL);
	}
}

/* Notes a block that holds something, or compares it with the index that was read. */
static void
add_block(struct fasta *f, int64_t k, int known, int64_t at, int64_t raw, struct err *e)
{
	if (!known) {
		if (!(k & (k - 1)))
			f->block = mem_renew(f->block, struct place, k ? 4 * k : 2);
		f->block[k] = (struct place){ k ? at : 0, raw };
		f->n_block = k + 1;
	} else if (k >= f->n_block || (k && f->block[k].at != at) || f->block[k].raw != raw) {
		err_set(e, ERR_DATA, "%s: %s.gzi is of another file; remove that index, it is made anew", f->path, f->path);
	}
}

/* All blocks of a bgzip file, in order; with m their content too. */
static void
walk(struct fasta *f, struct maker *m, struct err *e)
{
	uint8_t *in = mem_raw(uint8_t, PIECE), *out = mem_raw(uint8_t, BGZF_MAX);
	int64_t lo = 0, hi = 0, at = 0, raw = 0, k = 0;         /* in[lo..) stands at byte `at` of the file */
	int known = f->n_block > 0, ended = 0;

	while (at < f->size && !e->code) {
		struct err one = {0};
		int64_t left = f->size - at - (hi - lo);
		int size, n;

		if (hi - lo < BGZF_MAX && left > 0) {
			memmove(in, in + lo, (size_t)(hi - lo));
			hi -= lo;
			lo = 0;
			left = left < PIECE - hi ? left : PIECE - hi;
			if (fasta_read_at(f, in + hi, left, at + hi, e) < 0)
				break;
			hi += left;
		}
		size = bgzf_size(in + lo, (size_t)(hi - lo));
		n = size <= 0 || size > hi - lo ? 0 : bgzf_raw_size(in + lo, (size_t)size);
		if (size < 0 || n < 0)
			err_set(e, ERR_DATA, "%s: damaged: no BGZF block at byte %lld", f->path, (long long)at);
		else if (size == 0 || size > hi - lo)
			err_set(e, ERR_CUT, "%s: ended inside a BGZF block", f->path);
		else if (n > 0)
			add_block(f, k++, known, at, raw, e);
		if (m && n > 0 && !e->code) {
			if (bgzf_inflate(in + lo, (size_t)size, out, &one))
				err_set(e, one.code, "%s: byte %lld: %s", f->path, (long long)at, one.msg);
			feed(m, out, (size_t)n, e);
		}
		ended = n == 0;
		raw += n;
		at += size;
		lo += size;
	}
	if (!ended)
		err_set(e, ERR_CUT, "%s: ended without the empty block that ends bgzip: it is cut short", f->path);
	if (!e->code && k == 0)
		err_set(e, ERR_DATA, "%s: is empty", f->path);
	if (!e->code) {
		f->block = mem_renew(f->block, struct place, k + 1);
		f->block[k] = (struct place){ f->size, raw };
		f->raw_size = raw;
		if (k != f->n_block)
			add_block(f, f->n_block, 1, 0, 0, e);
	}
	mem_free(in);
	mem_free(out);
}

int
fasta_make(struct fasta *f, int contigs, struct err *e)
{
	struct maker m = { .f = f, .n_line = 1 };
	uint8_t *buf;

	if (f->bgzip) {
		walk(f, contigs ? &m : NULL, e);
	} else if (f->map) {
		feed(&m, f->map, (size_t)f->size, e);
	} else {
		buf = mem_raw(uint8_t, PIECE);
		for (int64_t at = 0, n; at < f->size && !e->code; at += n) {
			n = f->size - at < PIECE ? f->size - at : PIECE;
			if (fasta_read_at(f, buf, n, at, e) >= 0)
				feed(&m, buf, (size_t)n, e);
		}
		mem_free(buf);
	}
	if (contigs && m.kind != LINE_NEW && !e->code)
		end_line(&m, e);
	end_contig(&m, e);
	str_clear(&m.name);
	return e->code;
}
