/* vxg_meta - the directory of a frequency database: see vxg_impl.h
 *
 * Text, one thing a line, tabs between; \t, \n, \r and \\ stand for what would disturb.  It lies at the end of
 * the file, so that it can be written last, and is read whole when a database is opened.
 */
#include "var/vxg_impl.h"

#include <stdlib.h>
#include "base/mem.h"

const uint8_t vxg_magic[8] = { 0x89, 'V', 'X', 'G', '\r', '\n', 0x1a, '\n' };

void
vxg_meta_clear(struct vxg_meta *m)
{
	mem_free(m->release);
	mem_free(m->build);
	strs_clear(&m->contig);
	mem_free(m->contig_length);
	for (int i = 0; i < m->n_source; i++)
		mem_free(m->source[i].name);
	mem_free(m->source);
	memset(m, 0, sizeof *m);
}

void
vxg_meta_copy(struct vxg_meta *to, const struct vxg_meta *from)
{
	*to = *from;
	to->release = mem_strdup(from->release ? from->release : "");
	to->build = mem_strdup(from->build ? from->build : "");
	memset(&to->contig, 0, sizeof to->contig);
	to->contig_length = mem_new(int64_t, from->contig.n);
	for (int64_t i = 0; i < from->contig.n; i++) {
		strs_add(&to->contig, strs_get(&from->contig, i), strs_len(&from->contig, i));
		to->contig_length[i] = from->contig_length[i];
	}
	to->source = mem_new(struct vxg_source, from->n_source);
	for (int i = 0; i < from->n_source; i++) {
		to->source[i] = from->source[i];
		to->source[i].name = mem_strdup(from->source[i].name);
	}
}

void
vxg_dir_clear(struct vxg_dir *d)
{
	fcols_clear(&d->cols);
	vxg_meta_clear(&d->meta);
	mem_free(d->index);
	mem_free(d->dict);
	mem_free(d->table);
	memset(d, 0, sizeof *d);
}

/* --- writing --------------------------------------------------------------------- */

static void
line(struct str *out, const char *key)
{
	if (out->n)
		str_add(out, "\n");
	str_add(out, key);
}

static void
text(struct str *out, const char *s)
{
	str_add(out, "\t");
	str_add_cell(out, s ? s : "");
}

static void
number(struct str *out, int64_t v)
{
	str_addf(out, "\t%lld", (long long)v);
}

static int64_t *
count_of(struct vxg_meta *m, int k)
{
	int64_t *const all[] = { &m->records, &m->alleles, &m->trimmed, &m->moved, &m->merged, &m->differing, &m->unsupported,
		&m->overflowed };

	return k < (int)(sizeof all / sizeof *all) ? all[k] : NULL;
}

static void
write_columns(const struct vxg_dir *d, struct str *out)
{
	for (int i = 0; i < d->cols.n; i++) {
		const struct fcol *c = &d->cols.c[i];
		int64_t v[] = { c->type, c->kind, c->hidden, c->num, c->den, c->whole, (int64_t)d->dict[i].at, d->dict[i].n, d->dict[i].bytes,
			(int64_t)d->table[i].at, d->table[i].n };

		line(out, "column");
		text(out, c->name);
		text(out, c->tag);
		text(out, c->number);
		text(out, c->desc);
		for (size_t k = 0; k < sizeof v / sizeof *v; k++)
			number(out, v[k]);
	}
	line(out, "whole");
	number(out, d->cols.ac);
	number(out, d->cols.an);
	number(out, d->cols.af);
	number(out, d->cols.filter);
}

void
vxg_dir_write(const struct vxg_dir *d, struct str *out)
{
	struct vxg_meta m = d->meta;

	line(out, "release");
	text(out, m.release);
	line(out, "build");
	text(out, m.build);
	line(out, "aligned");
	number(out, m.aligned);
	line(out, "counts");
	for (int k = 0; count_of(&m, k); k++)
		number(out, *count_of(&m, k));
	for (int i = 0; i < m.n_source; i++) {
		line(out, "source");
		text(out, m.source[i].name);
		number(out, m.source[i].size);
		text(out, m.source[i].digest);
	}
	write_columns(d, out);
	for (int64_t i = 0; i < m.contig.n; i++) {
		line(out, "contig");
		text(out, strs_get(&m.contig, i));
		number(out, m.contig_length[i]);
		for (int t = 0; t < VXG_TIERS; t++) {
			const struct vxg_index *x = &d->index[i * VXG_TIERS + t];

			number(out, x->n);
			number(out, x->rows);
			number(out, (int64_t)x->at);
			number(out, x->shift);
			number(out, x->n_bucket);
		}
	}
	line(out, "index");
	number(out, (int64_t)d->index_at);
	number(out, (int64_t)d->index_bytes);
	number(out, (int64_t)d->sums_at);
	line(out, "end");
	str_add(out, "\n");
}

/* --- reading ------------------------------------------------------------------------ */

/* A line's cells, one after the other. */
struct cells {
	char *at;
	int bad;
};

/* The next cell, its escapes undone in place. */
static char *
next(struct cells *c)
{
	char *s = c->at, *w = s;

	if (!s) {
		c->bad = 1;
		return (char *)(uintptr_t)"";
	}
	for (char *p = s; ; p++) {
		if (*p == '\t' || !*p) {
			c->at = *p ? p + 1 : NULL;
			*w = 0;
			return s;
		}
		if (*p == '\\' && p[1]) {
			p++;
			*w++ = *p == 't' ? '\t' : *p == 'n' ? '\n' : *p == 'r' ? '\r' : *p;
		} else {
			*w++ = *p;
		}
	}
}

static int64_t
next_number(struct cells *c, int64_t lo, int64_t hi)
{
	char *s = next(c), *end;
	long long v = strtoll(s, &end, 10);

	if (!*s || *end || v < lo || v > hi)
		c->bad = 1;
	return c->bad ? lo : v;
}

static void
read_column(struct vxg_dir *d, struct cells *c)
{
	char *name = next(c), *tag = next(c), *num = next(c), *desc = next(c);
	int type = (int)next_number(c, 0, FTYPE_FLAG), kind = (int)next_number(c, 0, FNUM_FLAG), hidden = (int)next_number(c, 0, 1), n = d->cols.n;

	if (c->bad || n > 100000)
		return;
	n = fcols_add(&d->cols, name, tag, (enum ftype)type, (enum fnumber)kind, num, desc, hidden);
	if ((n & (n - 1)) == 0) {
		d->dict = mem_renew(d->dict, __typeof__(*d->dict), n ? 2 * n : 1);
		d->table = mem_renew(d->table, __typeof__(*d->table), n ? 2 * n : 1);
	}
	d->cols.c[n].num = (int)next_number(c, -1, INT32_MAX);
	d->cols.c[n].den = (int)next_number(c, -1, INT32_MAX);
	d->cols.c[n].whole = (int)next_number(c, -1, INT32_MAX);
	d->dict[n].at = (uint64_t)next_number(c, 0, INT64_MAX);
	d->dict[n].n = next_number(c, 0, VXG_DICT_N);
	d->dict[n].bytes = next_number(c, 0, VXG_DICT_BYTES);
	d->table[n].at = (uint64_t)next_number(c, 0, INT64_MAX);
	d->table[n].n = next_number(c, 0, VXG_TABLE);
}

static void
read_contig(struct vxg_dir *d, struct cells *c)
{
	char *name = next(c);
	int64_t n = d->meta.contig.n, length = next_number(c, -1, INT64_MAX);

	strs_add(&d->meta.contig, name, strlen(name));
	if ((n & (n - 1)) == 0) {
		d->meta.contig_length = mem_renew(d->meta.contig_length, int64_t, n ? 2 * n : 1);
		d->index = mem_renew(d->index, struct vxg_index, (n ? 2 * n : 1) * VXG_TIERS);
	}
	d->meta.contig_length[n] = length;
	for (int t = 0; t < VXG_TIERS; t++) {
		struct vxg_index *x = &d->index[n * VXG_TIERS + t];

		memset(x, 0, sizeof *x);
		x->n = next_number(c, 0, (int64_t)1 << 40);
		x->rows = next_number(c, 0, x->n * VXG_ROWS);
		x->at = (uint64_t)next_number(c, 0, INT64_MAX);
		x->shift = (int)next_number(c, 0, 32);
		x->n_bucket = next_number(c, 0, (int64_t)1 << 32);
		d->rows[t] += x->rows;
		d->blocks[t] += x->n;
	}
}

/* Columns refer to whole numbers only, so that nothing is derived in a circle. */
static int
columns_hold(const struct fcols *f)
{
	const int all[] = { f->ac, f->an };

	for (int i = 0; i < f->n; i++) {
		const int of[] = { f->c[i].num, f->c[i].den, f->c[i].whole };

		for (int k = 0; k < 3; k++)
			if (of[k] >= f->n || (of[k] >= 0 && f->c[of[k]].type != FTYPE_INT))
				return 0;
	}
	for (int k = 0; k < 2; k++)
		if (all[k] >= f->n || (all[k] >= 0 && f->c[all[k]].type != FTYPE_INT))
			return 0;
	return f->af < f->n && f->filter < f->n;
}

static int
read_line(struct vxg_dir *d, char *s)
{
	struct cells c = { s, 0 };
	char *key = next(&c);

	if (!strcmp(key, "release")) {
		mem_free(d->meta.release);
		d->meta.release = mem_strdup(next(&c));
	} else if (!strcmp(key, "build")) {
		mem_free(d->meta.build);
		d->meta.build = mem_strdup(next(&c));
	} else if (!strcmp(key, "aligned")) {
		d->meta.aligned = (int)next_number(&c, 0, 1);
	} else if (!strcmp(key, "counts")) {
		for (int k = 0; count_of(&d->meta, k); k++)
			*count_of(&d->meta, k) = next_number(&c, 0, INT64_MAX);
	} else if (!strcmp(key, "source")) {
		struct vxg_source *x;

		d->meta.source = mem_renew(d->meta.source, struct vxg_source, d->meta.n_source + 1);
		x = &d->meta.source[d->meta.n_source++];
		memset(x, 0, sizeof *x);
		x->name = mem_strdup(next(&c));
		x->size = next_number(&c, -1, INT64_MAX);
		strncpy(x->digest, next(&c), sizeof x->digest - 1);
	} else if (!strcmp(key, "column")) {
		read_column(d, &c);
	} else if (!strcmp(key, "whole")) {
		d->cols.ac = (int)next_number(&c, -1, INT32_MAX);
		d->cols.an = (int)next_number(&c, -1, INT32_MAX);
		d->cols.af = (int)next_number(&c, -1, INT32_MAX);
		d->cols.filter = (int)next_number(&c, -1, INT32_MAX);
	} else if (!strcmp(key, "contig")) {
		read_contig(d, &c);
	} else if (!strcmp(key, "index")) {
		d->index_at = (uint64_t)next_number(&c, 0, INT64_MAX);
		d->index_bytes = (uint64_t)next_number(&c, 0, INT64_MAX);
		d->sums_at = (uint64_t)next_number(&c, 0, INT64_MAX);
	}
	/* What a later version adds is passed over. */
	return c.bad;
}

int
vxg_dir_read(struct vxg_dir *d, const char *t, size_t n, const char *name, struct err *e)
{
	char *copy = mem_strndup(t, n), *s = copy;
	int ended = 0, bad = 0;

	memset(d, 0, sizeof *d);
	d->cols.ac = d->cols.an = d->cols.af = d->cols.filter = -1;
	while (s && *s && !bad && !ended) {
		char *nl = strchr(s, '\n');

		if (nl)
			*nl = 0;
		ended = !strcmp(s, "end");
		bad = read_line(d, s);
		s = nl ? nl + 1 : NULL;
	}
	mem_free(copy);
	if (bad || !ended || !columns_hold(&d->cols)) {
		vxg_dir_clear(d);
		return err_set(e, ERR_DATA, "%s: damaged: its directory cannot be read", name);
	}
	if (!d->meta.release)
		d->meta.release = mem_strdup("");
	if (!d->meta.build)
		d->meta.build = mem_strdup("");
	return 0;
}
