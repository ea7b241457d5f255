/* fasta_index - .fai and .gzi beside a FASTA file: read, checked, written; see fasta_impl.h */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "os/bgzf.h"
#include "os/file.h"
#include "os/text.h"
#include "var/fasta_impl.h"

#define GAP_MOST 64             /* bytes of a line end: blanks, CR, LF */
#define TAIL_MOST 1000          /* bases of the last line of a contig that are looked at */
#define INDEX_MOST (2LL << 30)

static int
foreign(const struct fasta *f, const char *ext, struct err *e)
{
	return err_set(e, ERR_DATA, "%s: %s%s is of another file, or damaged; remove that index, it is made anew", f->path,
	    f->path, ext);
}

/* --- files beside the file ---------------------------------------------------- */

/* The whole file f->path + ext, NUL-terminated, in *buf (the caller's): 1; 0 when there is none. */
static int
slurp(const struct fasta *f, const char *ext, char **buf, int64_t *n, struct err *e)
{
	struct str path = {0};
	struct stat s;
	int fd = -1, there = 0;

	*buf = NULL;
	str_addf(&path, "%s%s", f->path, ext);
	if (stat(path.s, &s)) {
		if (errno != ENOENT)
			err_errno(e, "%s", path.s);
	} else if (!S_ISREG(s.st_mode) || s.st_size > INDEX_MOST) {
		err_set(e, ERR_DATA, "%s: this is no index", path.s);
	} else {
		fd = file_open(path.s, e);
	}
	if (fd >= 0) {
		struct err one = {0};

		*buf = mem_raw(char, s.st_size + 1);
		*n = file_read(fd, *buf, (size_t)s.st_size, &one);
		if (one.code)
			err_set(e, one.code, "%s: %s", path.s, one.msg);
		else
			(*buf)[*n] = 0;
		close(fd);
		there = 1;
	}
	str_clear(&path);
	return there;
}

/* Writes an index, or notes why not. */
static void
save(struct fasta *f, const char *ext, const struct str *t)
{
	struct str path = {0};
	struct outfile o;
	struct err e = {0};

	str_addf(&path, "%s%s", f->path, ext);
	if (!outfile_open(&o, path.s, &e))
		file_write(o.fd, t->s, t->n, &e);
	outfile_commit(&o, &e);
	if (f->note.n)
		str_add(&f->note, "; ");
	if (e.code)
		str_addf(&f->note, "%s: no index could be written, so it is made anew in each run (%s)", f->path, e.msg);
	else
		str_addf(&f->note, "%s: index made", path.s);
	str_clear(&path);
}

/* --- .gzi ---------------------------------------------------------------------- */

static int64_t
le64(const char *s)
{
	const uint8_t *p = (const uint8_t *)s;
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v >> 62 ? -1 : (int64_t)v;
}

/* The last block of the index and what follows it: one that holds something (none, when the index names the
 * end mark too), then nothing but empty ones. */
static int
read_tail(struct fasta *f, struct err *e)
{
	uint8_t *p = mem_raw(uint8_t, BGZF_MAX);
	struct place *last = &f->block[f->n_block - 1];
	int64_t at = last->at, n;
	int size, raw = 0, held = 0;

	while (at < f->size && !e->code) {
		n = f->size - at < BGZF_MAX ? f->size - at : BGZF_MAX;
		if (fasta_read_at(f, p, n, at, e) < 0)
			break;
		size = bgzf_size(p, (size_t)n);
		raw = size <= 0 || size > n ? -1 : bgzf_raw_size(p, (size_t)size);
		if (raw < 0 || (raw > 0 && held)) {
			foreign(f, ".gzi", e);
			break;
		}
		held += raw;
		at += size;
	}
	if (raw > 0)
		err_set(e, ERR_CUT, "%s: ended without the empty block that ends bgzip: it is cut short", f->path);
	f->raw_size = last->raw + held;
	if (held == 0 && !e->code && --f->n_block == 0)
		foreign(f, ".gzi", e);
	if (!e->code)
		f->block[f->n_block] = (struct place){ f->size, f->raw_size };
	mem_free(p);
	return e->code;
}

static int
read_gzi(struct fasta *f, const char *s, int64_t n, struct err *e)
{
	int64_t count = n < 8 ? -1 : le64(s), k = 0;

	if (count < 0 || count > n / 16 || n != 8 + 16 * count)
		return foreign(f, ".gzi", e);
	f->block = mem_renew(NULL, struct place, count + 2);
	f->block[0] = (struct place){ 0, 0 };
	for (int64_t i = 0; i < count; i++) {
		struct place b = { le64(s + 8 + 16 * i), le64(s + 16 + 16 * i) }, *last = &f->block[k];

		if (b.at <= last->at || b.at >= f->size || b.raw < last->raw || b.raw - last->raw > BGZF_MAX)
			return foreign(f, ".gzi", e);
		if (b.raw > last->raw)
			f->block[++k] = b;
		else if (k)             /* the last one was empty */
			last->at = b.at;
	}
	f->n_block = k + 1;
	return read_tail(f, e);
}

static void
put64(struct str *t, int64_t v)
{
	uint8_t p[8];

	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)((uint64_t)v >> 8 * i);
	str_addn(t, p, 8);
}

static void
save_gzi(struct fasta *f)
{
	struct str t = {0};

	put64(&t, f->n_block - 1);
	for (int64_t i = 1; i < f->n_block; i++) {
		put64(&t, f->block[i].at);
		put64(&t, f->block[i].raw);
	}
	save(f, ".gzi", &t);
	str_clear(&t);
}

/* --- .fai ---------------------------------------------------------------------- */

/* Offset behind the last base, or -1 when the numbers cannot be. */
static int64_t
end_of(const struct contig *c)
{
	int64_t v;

	if (c->length < 0 || c->offset < 0 || c->bases <= 0 || c->bytes < c->bases)
		return -1;
	if (c->length == 0)
		return c->offset;
	if (c->length > c->bases && (c->bytes == c->bases || c->bytes - c->bases > GAP_MOST))
		return -1;
	if (__builtin_mul_overflow((c->length - 1) / c->bases, c->bytes, &v) || __builtin_add_overflow(v, c->offset, &v) ||
	    __builtin_add_overflow(v, (c->length - 1) % c->bases + 1, &v))
		return -1;
	return v;
}

static void
read_fai(struct fasta *f, char *s, int64_t n, struct err *e)
{
	char *end = s + n;

	if (memchr(s, 0, (size_t)n))
		foreign(f, ".fai", e);
	while (s < end && !e->code) {
		char *nl = memchr(s, '\n', (size_t)(end - s)), *next = nl ? nl + 1 : end, *field[5];
		struct contig c = {0};
		int64_t stop;

		if (nl)
			*nl = 0;
		else
			nl = end;
		if (nl > s && nl[-1] == '\r')
			nl[-1] = 0;
		if (text_split(s, '\t', 0, field, 5) != 5 || !*field[0] || !text_int(field[1], &c.length) || !text_int(field[2], &c.offset) ||
		    !text_int(field[3], &c.bases) || !text_int(field[4], &c.bytes)) {
			foreign(f, ".fai", e);
			break;
		}
		if (c.length == 0)
			c.bases = c.bytes = 1;
		stop = end_of(&c);
		if (stop < 0 || stop > f->raw_size)
			foreign(f, ".fai", e);
		fasta_add(f, field[0], strlen(field[0]), &c, e);
		s = next;
	}
	if (f->n == 0)
		foreign(f, ".fai", e);
}

static void
save_fai(struct fasta *f)
{
	struct str t = {0};

	for (int i = 0; i < f->n; i++) {
		const struct contig *c = &f->contig[i];

		str_addf(&t, "%s\t%lld\t%lld\t%lld\t%lld\n", strs_get(&f->name, i), (long long)c->length, (long long)c->offset,
		    (long long)c->bases, (long long)c->bytes);
	}
	save(f, ".fai", &t);
	str_clear(&t);
}

/* --- both ------------------------------------------------------------------------ */

struct rank {
	int64_t offset;
	int32_t i;
};

static int
by_offset(const void *a, const void *b)
{
	const struct rank *x = a, *y = b;

	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return x->i < y->i ? -1 : x->i > y->i;
}

/* Who follows whom in the file; contigs without bases have no place in it. */
static void
link_contigs(struct fasta *f)
{
	struct rank *r = mem_new(struct rank, f->n);
	int n = 0;

	for (int i = 0; i < f->n; i++) {
		f->contig[i].prev = f->contig[i].next = -1;
		if (f->contig[i].length > 0)
			r[n++] = (struct rank){ f->contig[i].offset, i };
		else
			atomic_store_explicit(&f->contig[i].checked, 1, memory_order_relaxed);
	}
	qsort(r, (size_t)n, sizeof *r, by_offset);
	for (int k = 1; k < n; k++) {
		f->contig[r[k].i].prev = r[k - 1].i;
		f->contig[r[k - 1].i].next = r[k].i;
	}
	mem_free(r);
}

int
fasta_index(struct fasta *f, struct err *e)
{
	char *fai = NULL, *gzi = NULL;
	int64_t n_fai = 0, n_gzi = 0, twice;
	int has_fai = slurp(f, ".fai", &fai, &n_fai, e), has_gzi = f->bgzip && slurp(f, ".gzi", &gzi, &n_gzi, e);

	if (has_gzi && !e->code)
		read_gzi(f, gzi, n_gzi, e);
	if (!e->code && (!has_fai || (f->bgzip && !has_gzi)))
		fasta_make(f, !has_fai, e);
	if (has_fai && !e->code)
		read_fai(f, fai, n_fai, e);
	mem_free(fai);
	mem_free(gzi);
	if (!e->code && f->n == 0)
		err_set(e, ERR_DATA, "%s: there are no bases in it", f->path);
	if (e->code)
		return e->code;
	twice = map_of(&f->find, &f->name);
	if (twice >= 0)
		return err_set(e, ERR_DATA, "%s: contig '%s' comes twice", f->path, strs_get(&f->name, twice));
	link_contigs(f);
	if (f->bgzip && !has_gzi)
		save_gzi(f);
	if (!has_fai)
		save_fai(f);
	return 0;
}

/* --- does the index belong to the file -------------------------------------------- */

static int
is_blank(int c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Walks over the header that begins behind the '>' at *at, to its line end; whether its name is this one. */
static int
same_name(struct fasta_view *v, int64_t *at, int64_t to, const char *name, struct err *e)
{
	int c = -1, same;

	while (*at < to && is_blank(c = fasta_byte(v, *at, e)))
		++*at;
	while (*at < to && name && *name && (c = fasta_byte(v, *at, e)) == (unsigned char)*name) {
		name++;
		++*at;
	}
	c = *at < to ? fasta_byte(v, *at, e) : -1;
	same = name && !*name && (c == '\n' || is_blank(c));
	while (*at < to && c >= 0 && c != '\n') {
		++*at;
		c = *at < to ? fasta_byte(v, *at, e) : -1;
	}
	return same;
}

/* Whether between two contigs, [from, to), there are only blank lines and headers, the last of them of this name
 * (any, or none, for NULL: behind the last contig). */
static int
between(struct fasta_view *v, int64_t from, int64_t to, const char *name, struct err *e)
{
	int fresh = from == 0, same = 0, c;

	if (from > to)
		return 0;
	for (int64_t at = from; at < to;) {
		c = fasta_byte(v, at, e);
		if (c < 0)
			return 0;
		at++;
		if (fresh && c == '>')
			same = same_name(v, &at, to, name, e);
		else if (c != '\n' && !is_blank(c))
			return 0;
		fresh = c == '\n';
	}
	return !name || (fresh && same);
}

/* Whether a line end of this width begins at an offset. */
static int
line_end(struct fasta_view *v, int64_t at, int64_t width, struct err *e)
{
	for (int64_t i = 0; i < width - 1; i++)
		if (!is_blank(fasta_byte(v, at + i, e)))
			return 0;
	return fasta_byte(v, at + width - 1, e) == '\n';
}

/* Whether no line end is taken for bases at the end of a contig. */
static int
all_bases(struct fasta_view *v, int64_t from, int64_t to, struct err *e)
{
	for (int64_t at = to - from > TAIL_MOST ? to - TAIL_MOST : from; at < to; at++) {
		int c = fasta_byte(v, at, e);

		if (c < 0 || c == '\n' || is_blank(c))
			return 0;
	}
	return 1;
}

int
fasta_check(struct fasta_view *v, int i, struct err *e)
{
	struct fasta *f = fasta_of(v);
	struct contig *c = &f->contig[i], *next = c->next < 0 ? NULL : &f->contig[c->next];
	int64_t from = c->prev < 0 ? 0 : end_of(&f->contig[c->prev]), gap = c->bytes - c->bases, rows = (c->length - 1) / c->bases;
	int good = between(v, from, c->offset, strs_get(&f->name, i), e);

	if (rows > 0) {
		good = good && line_end(v, c->offset + c->bases, gap, e);
		good = good && line_end(v, c->offset + rows * c->bytes - gap, gap, e);
	}
	good = good && all_bases(v, c->offset + rows * c->bytes, end_of(c), e);
	good = good && between(v, end_of(c), next ? next->offset : f->raw_size, next ? strs_get(&f->name, c->next) : NULL, e);
	if (!good && !e->code)
		err_set(e, ERR_DATA, "%s: contig '%s' is not where %s.fai has it; remove that index, it is made anew", f->path,
		    strs_get(&f->name, i), f->path);
	if (!e->code)
		atomic_store_explicit(&c->checked, 1, memory_order_relaxed);
	return e->code;
}
