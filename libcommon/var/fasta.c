/* fasta - see fasta.h */
#include "var/fasta.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "os/bgzf.h"
#include "os/file.h"
#include "os/mapped.h"
#include "var/fasta_impl.h"

#define WINDOW (64 << 10)               /* bytes that a view reads at once */
#define BACK (16 << 10)                 /* of which so many lie before what was asked for */
#define CACHE_BLOCKS 256                /* inflated blocks (16 MB) of all views together */
#define CHECK_ALL 1000                  /* contigs up to which all are checked when the file is opened */

struct slot {
	int64_t block;
	uint64_t used;                  /* turn in which it was used last */
	uint8_t *data;                  /* [BGZF_MAX] */
};

struct fasta_view {
	struct fasta *f;
	const uint8_t *p;               /* the text [lo, hi) */
	int64_t lo, hi;
	uint8_t *in;                    /* a window, or a block as it is in the file */
	struct slot *slot;              /* [CACHE_BLOCKS], n_slot of which are used */
	int n_slot;
	uint64_t turn;
};

/* --- what a view sees -------------------------------------------------------- */

int64_t
fasta_read_at(struct fasta *f, void *buf, int64_t n, int64_t offset, struct err *e)
{
	struct err one = {0};
	int64_t got = e->code ? -1 : file_pread(f->fd, buf, (size_t)n, offset, &one);

	if (one.code)
		err_set(e, one.code, "%s: %s", f->path, one.msg);
	else if (!e->code && got < n)
		err_set(e, ERR_DATA, "%s: has become shorter while it was read", f->path);
	return e->code ? -1 : got;
}

static int
load_window(struct fasta_view *v, int64_t offset, struct err *e)
{
	int64_t lo = offset > BACK ? offset - BACK : 0;
	int64_t hi = lo + WINDOW < v->f->raw_size ? lo + WINDOW : v->f->raw_size;

	v->lo = v->hi = 0;
	if (!v->in)
		v->in = mem_raw(uint8_t, WINDOW);
	if (fasta_read_at(v->f, v->in, hi - lo, lo, e) < 0)
		return e->code;
	v->p = v->in;
	v->lo = lo;
	v->hi = hi;
	return 0;
}

/* Inflates block i into dst.  Around it, up to the next one in the index, there may be empty blocks. */
static int
read_block(struct fasta_view *v, int64_t i, uint8_t *dst, struct err *e)
{
	const struct fasta *f = v->f;
	const struct place *b = &f->block[i];
	int64_t at = b->at;
	int seen = 0;

	while (at < b[1].at && !e->code) {
		struct err one = {0};
		int64_t n = b[1].at - at < BGZF_MAX ? b[1].at - at : BGZF_MAX;
		int size, raw;

		if (fasta_read_at(v->f, v->in, n, at, e) < 0)
			return e->code;
		size = bgzf_size(v->in, (size_t)n);
		raw = size <= 0 || size > n ? -1 : bgzf_raw_size(v->in, (size_t)size);
		if (raw < 0 || (raw > 0 && (seen++ || raw != b[1].raw - b[0].raw)))
			return err_set(e, ERR_DATA, "%s: the blocks are not where %s.gzi has them; remove that index, it is made anew",
			    f->path, f->path);
		if (raw > 0 && bgzf_inflate(v->in, (size_t)size, dst, &one))
			return err_set(e, one.code, "%s: byte %lld: %s", f->path, (long long)at, one.msg);
		at += size;
	}
	return e->code || seen ? e->code : err_set(e, ERR_DATA, "%s: %s.gzi is of another file; remove that index, it is made anew",
	    f->path, f->path);
}

/* Block of an offset below raw_size. */
static int64_t
block_of(const struct fasta *f, int64_t offset)
{
	int64_t lo = 0, hi = f->n_block;

	while (hi - lo > 1) {
		int64_t mid = (lo + hi) / 2;

		if (f->block[mid].raw <= offset)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

/* A slot to read a block into: a new one as long as this view has less than its part, else the one that
 * was not used for longest.  As views are added the part becomes smaller. */
static struct slot *
free_slot(struct fasta_view *v)
{
	int part = CACHE_BLOCKS / atomic_load_explicit(&v->f->n_view, memory_order_relaxed), old;

	if (part < 2)
		part = 2;
	if (!v->slot)
		v->slot = mem_new(struct slot, CACHE_BLOCKS);
	if (v->n_slot < part) {
		v->slot[v->n_slot].data = mem_raw(uint8_t, BGZF_MAX);
		return &v->slot[v->n_slot++];
	}
	for (;;) {
		old = 0;
		for (int i = 1; i < v->n_slot; i++)
			if (v->slot[i].used < v->slot[old].used)
				old = i;
		if (v->n_slot <= part)
			return &v->slot[old];
		mem_free(v->slot[old].data);
		v->slot[old] = v->slot[--v->n_slot];
		v->slot[v->n_slot].data = NULL;
	}
}

static int
load_block(struct fasta_view *v, int64_t offset, struct err *e)
{
	int64_t i = block_of(v->f, offset);
	struct slot *s = NULL;

	v->lo = v->hi = 0;
	if (!v->in)
		v->in = mem_raw(uint8_t, BGZF_MAX);
	for (int k = 0; k < v->n_slot && !s; k++)
		if (v->slot[k].block == i)
			s = &v->slot[k];
	if (!s) {
		s = free_slot(v);
		s->block = -1;
		s->used = 0;
		if (read_block(v, i, s->data, e))
			return e->code;
		s->block = i;
	}
	s->used = ++v->turn;
	v->p = s->data;
	v->lo = v->f->block[i].raw;
	v->hi = v->f->block[i + 1].raw;
	return 0;
}

static int
load(struct fasta_view *v, int64_t offset, struct err *e)
{
	return v->f->bgzip ? load_block(v, offset, e) : load_window(v, offset, e);
}

int
fasta_byte(struct fasta_view *v, int64_t offset, struct err *e)
{
	if (e->code || offset < 0 || offset >= v->f->raw_size)
		return -1;
	if ((offset < v->lo || offset >= v->hi) && load(v, offset, e))
		return -1;
	return v->p[offset - v->lo];
}

struct fasta *
fasta_of(const struct fasta_view *v)
{
	return v->f;
}

struct fasta_view *
fasta_view(struct fasta *f)
{
	struct fasta_view *v = mem_new(struct fasta_view, 1);

	v->f = f;
	if (f->map) {
		v->p = f->map;
		v->hi = f->raw_size;
	}
	atomic_fetch_add(&f->n_view, 1);
	return v;
}

void
fasta_view_free(struct fasta_view *v)
{
	if (!v)
		return;
	atomic_fetch_sub(&v->f->n_view, 1);
	for (int i = 0; i < v->n_slot; i++)
		mem_free(v->slot[i].data);
	mem_free(v->slot);
	mem_free(v->in);
	mem_free(v);
}

const uint8_t *
fasta_run(struct fasta_view *v, int c, int64_t pos, int64_t *n, struct err *e)
{
	struct contig *t;
	int64_t line, col, offset, run;

	if (e->code)
		return NULL;
	BUG_IF((unsigned)c >= (unsigned)v->f->n);
	t = &v->f->contig[c];
	BUG_IF((uint64_t)pos >= (uint64_t)t->length);
	if (!atomic_load_explicit(&t->checked, memory_order_relaxed) && fasta_check(v, c, e))
		return NULL;
	/* A division of 32 bits is several times as fast on many a CPU, and nearly always enough. */
	if (((uint64_t)pos | (uint64_t)t->bases) >> 32)
		line = pos / t->bases;
	else
		line = (uint32_t)pos / (uint32_t)t->bases;
	col = pos - line * t->bases;
	offset = t->offset + line * t->bytes + col;
	if ((offset < v->lo || offset >= v->hi) && load(v, offset, e))
		return NULL;
	run = t->bases - col;
	if (run > t->length - pos)
		run = t->length - pos;
	if (run > v->hi - offset)
		run = v->hi - offset;
	*n = run;
	return v->p + (offset - v->lo);
}

int
fasta_get(struct fasta_view *v, int c, int64_t pos, int64_t n, uint8_t *dst, struct err *e)
{
	while (n > 0) {
		int64_t k;
		const uint8_t *p = fasta_run(v, c, pos, &k, e);

		if (!p)
			break;
		if (k > n)
			k = n;
		memcpy(dst, p, (size_t)k);
		dst += k;
		pos += k;
		n -= k;
	}
	return e->code;
}

/* --- open and close ---------------------------------------------------------- */

/* What the file is, by its first bytes. */
static int
sniff(struct fasta *f, struct err *e)
{
	uint8_t *p = mem_raw(uint8_t, BGZF_MAX);
	int64_t n = f->size < BGZF_MAX ? f->size : BGZF_MAX;

	if (fasta_read_at(f, p, n, 0, e) < 0)
		;
	else if (n >= 2 && p[0] == 0x1f && p[1] == 0x8b) {
		f->bgzip = bgzf_size(p, (size_t)n) >= 0;
		if (!f->bgzip)
			err_set(e, ERR_DATA, "%s: plain gzip cannot be read at any place; recompress with bgzip (gzip -dc x.gz | bgzip > y.gz)",
			    f->path);
	} else if (p[0] == '@') {
		err_set(e, ERR_DATA, "%s: line 1: this is not FASTA (FASTQ, or SAM?)", f->path);
	} else if (!memchr(">\n\r \t", p[0], 5)) {
		err_set(e, ERR_DATA, "%s: line 1: this is not FASTA: it does not begin with '>'", f->path);
	}
	mem_free(p);
	return e->code;
}

static void
map_file(struct fasta *f, int64_t room)
{
	void *p;

	if (f->bgzip || f->size > room)
		return;
	p = mmap(NULL, (size_t)f->size, PROT_READ, MAP_PRIVATE, f->fd, 0);
	if (p == MAP_FAILED)
		return;
	f->map = p;
	mapped_note(p, (size_t)f->size, f->path);
}

static int
check_some(struct fasta *f, struct err *e)
{
	struct fasta_view *v = fasta_view(f);

	/* With many contigs the first and the last at least: an index that was cut short shows there. */
	for (int i = 0; i < f->n && !e->code; i++)
		if (f->n <= CHECK_ALL || f->contig[i].prev < 0 || f->contig[i].next < 0)
			fasta_check(v, i, e);
	fasta_view_free(v);
	return e->code;
}

struct fasta *
fasta_open(const char *path, int64_t room, struct err *e)
{
	struct fasta *f;
	struct stat s;

	if (e->code)
		return NULL;
	if (strcmp(path, "-") && stat(path, &s)) {
		err_errno(e, "%s", path);
		return NULL;
	}
	if (!strcmp(path, "-") || !S_ISREG(s.st_mode)) {
		err_set(e, ERR_DATA, "%s: a reference is read at any place, so it must be a file, not a pipe or folder", path);
		return NULL;
	}
	f = mem_new(struct fasta, 1);
	f->path = mem_strdup(path);
	f->fd = file_open(path, e);
	f->size = f->fd < 0 ? 0 : file_size(f->fd);
	f->raw_size = f->size;
	if (!e->code && f->size <= 0)
		err_set(e, ERR_DATA, "%s: is empty", path);
	if (!e->code && !sniff(f, e))
		map_file(f, room);
	if (!e->code && !fasta_index(f, e))
		check_some(f, e);
	fasta_alias_make(f);
	if (e->code) {
		fasta_close(f);
		return NULL;
	}
	return f;
}

void
fasta_close(struct fasta *f)
{
	if (!f)
		return;
	mapped_forget(f->map);
	if (f->map)
		munmap((void *)(uintptr_t)f->map, (size_t)f->size);
	if (f->fd >= 0)
		close(f->fd);
	mem_free(f->path);
	mem_free(f->block);
	mem_free(f->contig);
	map_clear(&f->find);
	alias_free(f->alias);
	strs_clear(&f->name);
	str_clear(&f->note);
	mem_free(f);
}

int
fasta_mapped(const struct fasta *f)
{
	return f->map != NULL;
}

const char *
fasta_note(const struct fasta *f)
{
	return f->note.s ? f->note.s : "";
}

int
fasta_n(const struct fasta *f)
{
	return f->n;
}

const char *
fasta_name(const struct fasta *f, int i)
{
	return strs_get(&f->name, i);
}

int64_t
fasta_length(const struct fasta *f, int i)
{
	return f->contig[i].length;
}

int
fasta_find(const struct fasta *f, const char *name, int64_t n)
{
	char small[256], *key;
	int64_t i;

	if (n < 0 || memchr(name, 0, (size_t)n))
		return -1;
	key = n < (int64_t)sizeof small ? small : mem_renew(NULL, char, n + 1);
	memcpy(key, name, (size_t)n);
	key[n] = 0;
	i = map_get(&f->find, key);
	if (key != small)
		mem_free(key);
	return (int)i;
}
