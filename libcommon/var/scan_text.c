/* scan_text - VCF lines, see scan.h
 *
 * The loop over lines touches the first five columns and the line end, and, for a
 * single-base variant, one base of the reference.
 */
#include "var/scan.h"

#include <string.h>
#include "base/mem.h"
#include "var/split.h"

/* The columns of a line up to INFO. */
struct cols {
	const uint8_t *line, *end;      /* end: the line end, CR included in the line */
	const uint8_t *chrom, *chrom_end;
	const uint8_t *id;
	const uint8_t *ref, *alt, *alt_end;
	int64_t pos;                    /* 1-based */
	int open;                       /* the line goes on in the next chunk */
};

static const uint8_t *
next_tab(const uint8_t *p, const uint8_t *end)
{
	return memchr(p, '\t', (size_t)(end - p));
}

/* Reads the columns of a line whose CHROM ends at c->chrom_end. */
static inline int
read_cols(struct cols *c, struct err *e)
{
	const uint8_t *p = c->chrom_end + 1, *digits = p;
	int64_t v = 0;

	/* 18 digits do not overflow; a line end stops this, too. */
	while ((unsigned)(*p - '0') < 10 && p - digits < 18)
		v = 10 * v + (*p++ - '0');
	if (*p != '\t' || p == digits)
		return scan_bad_line(c->line, c->end, "POS is no number", e);
	c->pos = v;
	c->id = p + 1;
	p = p[1] == '.' && p[2] == '\t' ? p + 2 : next_tab(p + 1, c->end);
	if (!p)
		return scan_bad_line(c->line, c->end, "it ends before REF", e);
	c->ref = p + 1;
	/* Two bytes on may lie behind the line end. */
	p = p[1] != '\t' && p[2] == '\t' ? p + 2 : next_tab(p + 1, c->end);
	if (!p || p >= c->end)
		return scan_bad_line(c->line, c->end, "it ends before ALT", e);
	c->alt = p + 1;
	p = p[1] != '\t' && p[2] == '\t' ? p + 2 : next_tab(p + 1, c->end);
	if (!p)
		return scan_bad_line(c->line, c->end, "it ends before QUAL", e);
	c->alt_end = p;
	if (c->ref == c->alt - 1 || c->alt == c->alt_end || p >= c->end)
		return scan_bad_line(c->line, c->end, "REF or ALT is empty", e);
	return 0;
}

/* REF and the ALTs of a line into s->allele; returns how many. */
static int
alleles(struct scan *s, const struct cols *c)
{
	const uint8_t *p = c->alt;
	int n = 1;

	for (;;) {
		const uint8_t *q = memchr(p, ',', (size_t)(c->alt_end - p));

		if (n + 1 > s->cap_allele) {
			s->cap_allele = 2 * s->cap_allele + 8;
			s->allele = mem_renew(s->allele, struct allele, s->cap_allele);
		}
		s->allele[n].s = p;
		s->allele[n++].n = (q ? q : c->alt_end) - p;
		if (!q)
			break;
		p = q + 1;
	}
	s->allele[0].s = c->ref;
	s->allele[0].n = c->alt - 1 - c->ref;
	return n;
}

/* INFO: the eighth column; NULL when the line has none. */
static const uint8_t *
info_of(const struct cols *c, const uint8_t **end)
{
	const uint8_t *p = next_tab(c->alt_end + 1, c->end), *q;

	p = p ? next_tab(p + 1, c->end) : NULL;
	if (!p)
		return NULL;
	q = next_tab(p + 1, c->end);
	*end = q ? q : c->end;
	if (!q && *end > p + 1 && (*end)[-1] == '\r')
		--*end;
	return p + 1;
}

/* The value of key (with its '=') in INFO, or NULL. */
static const uint8_t *
info_value(const uint8_t *p, const uint8_t *end, const char *key, size_t n)
{
	while (p && p < end) {
		const uint8_t *q;

		if ((size_t)(end - p) >= n && memcmp(p, key, n) == 0)
			return p + n;
		q = memchr(p, ';', (size_t)(end - p));
		p = q ? q + 1 : NULL;
	}
	return NULL;
}

static void
put_int(struct str *t, int64_t v)
{
	char b[24], *p = b + sizeof b;
	uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

	do
		*--p = (char)('0' + u % 10);
	while (u /= 10);
	if (v < 0)
		*--p = '-';
	str_addn(t, p, (size_t)(b + sizeof b - p));
}

/* --- a changed record -------------------------------------------------------- */

/* Arena: from CHROM to ALT, and as much of INFO as had to be made anew; the rest of the line is the tail. */
static void
put_edit(struct scan *s, struct chunk *c, const struct cols *l, int64_t rec, int64_t pos1, int sub, const char *ref, int64_t n_ref,
    const char *alt, int64_t n_alt, int64_t end1)
{
	struct edit *d = chunk_add_edit(c);
	const uint8_t *from = l->alt_end, *info, *info_end = NULL, *v;
	struct str *t = &c->arena;

	d->rec = rec;
	d->pos = pos1;
	d->seg = c->n_seg - 1;
	d->sub = sub;
	d->text = t->n;
	str_addn(t, l->line, (size_t)(l->chrom_end + 1 - l->line));
	put_int(t, pos1);
	str_addn(t, "\t", 1);
	str_addn(t, l->id, (size_t)(l->ref - l->id));
	str_addn(t, ref, (size_t)n_ref);
	str_addn(t, "\t", 1);
	str_addn(t, alt, (size_t)n_alt);
	info = info_of(l, &info_end);
	v = info ? info_value(info, info_end, "END=", 4) : NULL;
	if (v) {
		str_addn(t, from, (size_t)(v - from));
		put_int(t, end1);
		for (from = v; from < info_end && *from != ';'; from++)
			;
		c->stats.end_fixed++;
	}
	if (s->o->old_tag && info) {
		int none = info_end - info == 1 && *info == '.';

		str_addn(t, from, (size_t)((none ? info : info_end) - from));
		str_addf(t, "%s%s=%.*s|%lld|%.*s|%.*s", none ? "" : ";", s->o->old_tag, (int)(l->chrom_end - l->line), (const char *)l->line,
		    (long long)l->pos, (int)(l->alt - 1 - l->ref), (const char *)l->ref, (int)(l->alt_end - l->alt), (const char *)l->alt);
		if (sub)
			str_addf(t, "|%d", sub);
		from = info_end;
	}
	d->n_text = t->n - d->text;
	d->tail = (size_t)(from - c->data);
	d->n_tail = (size_t)(l->end + !l->open - from);
	c->rec[rec].skip = 1;
}

/* The result of the normaliser as an edit. */
static void
put_moved(struct scan *s, struct chunk *c, const struct cols *l, int64_t rec)
{
	const struct norm *w = &s->norm;
	struct str *t = &s->tmp;
	int64_t n_ref, n;
	const char *ref = norm_allele(w, 0, &n_ref);

	t->n = 0;
	for (int i = 1; i < w->n; i++) {
		const char *a = norm_allele(w, i, &n);

		if (i > 1)
			str_addn(t, ",", 1);
		str_addn(t, a, (size_t)n);
	}
	put_edit(s, c, l, rec, w->pos + 1, 0, ref, n_ref, t->s, (int64_t)t->n, w->pos + n_ref);
}

/* --sv: <DEL> and <DUP> of a known length slide like the bases that they stand for. */
static enum norm_class
symbolic(struct scan *s, struct chunk *c, const struct cols *l, int64_t rec, struct err *e)
{
	const struct allele *a = &s->allele[1];
	const uint8_t *info, *info_end = NULL, *v;
	int64_t len = 0, b, to;
	uint8_t anchor;
	char base;
	int del = a->n >= 5 && memcmp(a->s, "<DEL", 4) == 0 && (a->s[4] == '>' || a->s[4] == ':');
	int dup = a->n >= 5 && memcmp(a->s, "<DUP", 4) == 0 && (a->s[4] == '>' || a->s[4] == ':');

	info = info_of(l, &info_end);
	if ((!del && !dup) || !info || l->alt - 1 - l->ref != 1)
		return NORM_SYMBOLIC;
	v = info_value(info, info_end, "SVLEN=", 6);
	if (v) {
		v += *v == '-';
		while (v < info_end && (unsigned)(*v - '0') < 10 && len < (int64_t)1 << 50)
			len = 10 * len + (*v++ - '0');
	} else if ((v = info_value(info, info_end, "END=", 4))) {
		while (v < info_end && (unsigned)(*v - '0') < 10 && len < (int64_t)1 << 50)
			len = 10 * len + (*v++ - '0');
		len -= l->pos;
	}
	if (len < 1 || l->pos < 1 || l->pos + len > s->seq.length)
		return NORM_SYMBOLIC;
	b = l->pos;                     /* 0-based start of what is deleted or doubled; the anchor is in front */
	to = norm_slide(&s->seq, b, len, 1, e);
	if (e->code || to == b)
		return NORM_SYMBOLIC;
	fasta_get(s->view, s->contig, to - 1, 1, &anchor, e);
	base = norm_base[anchor] ? (char)norm_base[anchor] : 'N';
	put_edit(s, c, l, rec, to, 0, &base, 1, (const char *)a->s, a->n, to + len);
	s->norm.shift = b - to;
	return NORM_SHIFTED;
}

/* One record for each ALT. */
static int
split(struct scan *s, struct chunk *c, const struct cols *l, int64_t rec, int n, struct err *e)
{
	struct allele two[2];

	for (int i = 1; i < n && !e->code; i++) {
		struct edit *d;
		struct split_cols f = { .line = l->line, .end = l->end, .chrom_end = l->chrom_end, .id = l->id, .ref = l->ref, .alt = l->alt,
			.alt_end = l->alt_end, .pos = l->pos };
		enum norm_class k;
		int64_t pos1 = l->pos, n_ref, n_alt, end1 = -1, at = (int64_t)c->arena.n;
		const char *ref, *alt;

		two[0] = s->allele[0];
		two[1] = s->allele[i];
		if (two[1].n == 0)
			return scan_bad_line(l->line, l->end, "one ALT is empty", e);
		s->alt = i;
		k = scan_class(s, l->pos - 1, two, 2, &c->stats, e);
		ref = (const char *)two[0].s, n_ref = two[0].n;
		alt = (const char *)two[1].s, n_alt = two[1].n;
		if (k == NORM_TRIMMED || k == NORM_SHIFTED) {
			ref = norm_allele(&s->norm, 0, &n_ref);
			alt = norm_allele(&s->norm, 1, &n_alt);
			pos1 = s->norm.pos + 1;
			end1 = s->norm.pos + n_ref;
		}
		if (k == NORM_REF_MISMATCH && i == 1)
			scan_mismatch(s, &c->stats, (const char *)l->line, (size_t)(l->chrom_end - l->line), l->pos, two[0], e);
		if (k == NORM_REF_MISMATCH && s->o->check == CHECK_DROP) {
			c->rec[rec].skip = 1;
			c->stats.dropped++;
			return e->code;
		}
		scan_count(&c->stats, k, k == NORM_SHIFTED ? s->norm.shift : 0);
		c->stats.split += i > 1;
		split_line(&f, s->o->head, i, n - 1, pos1, ref, n_ref, alt, n_alt, end1, s->o->old_tag, s->o->strict, &c->arena,
		    &c->whole, &c->stats, e);
		d = chunk_add_edit(c);
		d->rec = rec;
		d->pos = pos1;
		d->seg = c->n_seg - 1;
		d->sub = i;
		d->text = (size_t)at;
		d->n_text = c->arena.n - (size_t)at;
	}
	s->alt = 0;
	c->rec[rec].skip = 1;
	return e->code;
}

/* Any record that is not a plain single-base variant. */
static int
other(struct scan *s, struct chunk *c, const struct cols *l, int64_t rec, struct err *e)
{
	int n = alleles(s, l);
	enum norm_class k;
	const uint8_t *info, *info_end = NULL;

	if (s->o->split && n > 2)
		return split(s, c, l, rec, n, e);
	k = scan_class(s, l->pos - 1, s->allele, n, &c->stats, e);
	if (e->code)
		return e->code;
	if (k == NORM_NONREF && n == 2 && (info = info_of(l, &info_end)) && info_value(info, info_end, "END=", 4))
		k = NORM_BLOCK;
	if (k == NORM_SYMBOLIC && s->o->sv && n == 2)
		k = symbolic(s, c, l, rec, e);
	else if (k == NORM_TRIMMED || k == NORM_SHIFTED)
		put_moved(s, c, l, rec);
	if (k == NORM_REF_MISMATCH) {
		scan_mismatch(s, &c->stats, (const char *)l->line, (size_t)(l->chrom_end - l->line), l->pos, s->allele[0], e);
		if (s->o->check == CHECK_DROP) {
			c->rec[rec].skip = 1;
			c->stats.dropped++;
			return e->code;
		}
	}
	if (k == NORM_NO_CONTIG && s->o->strict)
		return err_set(e, ERR_DATA, "contig '%.*s' is not in the reference; without --strict its records pass unchanged",
		    (int)(l->chrom_end - l->line), (const char *)l->line);
	scan_count(&c->stats, k, k == NORM_SHIFTED ? s->norm.shift : 0);
	return e->code;
}

/* --- lines ------------------------------------------------------------------- */

/* A line of another contig than the one before. */
static int
new_seg(struct scan *s, struct chunk *c, struct cols *l, int64_t *region, struct err *e)
{
	struct seg *g;

	l->chrom_end = next_tab(l->line, l->end);
	if (!l->chrom_end || l->chrom_end == l->line || *l->line == '#')
		return scan_bad_line(l->line, l->end, *l->line == '#' ? "a header line among records" : "no CHROM column", e);
	g = chunk_add_seg(c);
	g->name = (uint32_t)(l->line - c->data);
	g->n_name = (uint32_t)(l->chrom_end - l->line);
	g->contig = -1;
	g->lo = c->n_rec;
	g->hi = c->n_rec;
	scan_contig(s, (const char *)l->line, g->n_name);
	if (s->o->region)
		*region = region_contig(s->o->region, (const char *)l->line, g->n_name);
	return 0;
}

/* Whether the line is of the segment's contig: its name and the tab behind it. */
static inline int
same_contig(const struct chunk *c, const struct seg *g, const uint8_t *line, const uint8_t *end)
{
	return g && (size_t)(end - line) > g->n_name && memcmp(line, c->data + g->name, g->n_name) == 0 && line[g->n_name] == '\t';
}

/* A single-base variant that is yet to be compared with the reference: the base that it has, and where the reference
 * has its own.  That lies in memory that nobody has touched, so it is asked for well before it is needed. */
#define AHEAD 16

struct ask {
	const uint8_t *base;
	uint8_t ref;
	struct cols l;
	int64_t rec;
};

/* A single-base variant of letters ACGTN on the contig: where the reference has its base, else NULL. */
static inline const uint8_t *
plain_snv(struct scan *s, const struct cols *l, struct err *e)
{
	int64_t run;
	uint8_t r, a;

	if (l->alt - l->ref != 2 || l->alt_end - l->alt != 1)
		return NULL;
	r = norm_base[*l->ref];
	a = norm_base[*l->alt];
	if (!r || !a || r == a || s->contig < 0 || l->pos < 1 || l->pos > s->seq.length)
		return NULL;
	return fasta_run(s->view, s->contig, l->pos - 1, &run, e);
}

/* Compares; what does not agree is looked at like any other record. */
static inline void
answer(struct scan *s, struct chunk *c, const struct ask *q, int64_t *snv, struct err *e)
{
	if (norm_base[*q->base] == q->ref)
		++*snv;
	else
		other(s, c, &q->l, q->rec, e);
}

/* --guard: the record stays in view of those that follow, where it stands now. */
static void
pass(struct scan *s, const struct chunk *c, const struct cols *l)
{
	const struct edit *d = c->n_edit ? &c->edit[c->n_edit - 1] : NULL;
	int64_t beg = l->pos - 1, n = l->alt - 1 - l->ref;

	if (d && d->rec == c->n_rec - 1 && s->norm.n && s->norm.pos + 1 == d->pos) {
		beg = s->norm.pos;
		norm_allele(&s->norm, 0, &n);
	}
	guard_add(&s->past, beg, beg + n, l->line, (size_t)(l->end - l->line));
}

int
scan_text(struct scan *s, struct chunk *c, struct err *e)
{
	const uint8_t *p = c->data, *stop = c->data + c->n;
	struct seg *g = NULL;
	int64_t snv = 0, region = -1, last = -1;
	struct ask ask[AHEAD];
	unsigned asked = 0, answered = 0;
	/* Only a map gives addresses that stay good; a guard needs the records one by one. */
	int ahead = fasta_mapped(s->o->ref) && !s->o->guard;

	if (e->code || c->flags & CHUNK_MORE)
		return e->code;
	if (memchr(p, 0, c->n))
		return err_set(e, ERR_DATA, "a NUL byte among the records: the input is damaged");
	while (p < stop && !e->code) {
		struct cols l = { .line = p, .end = memchr(p, '\n', (size_t)(stop - p)) };
		const uint8_t *base;
		struct rec *r;

		if (!l.end) {
			l.end = stop;
			l.open = 1;
		}
		if (same_contig(c, g, p, l.end)) {
			l.chrom_end = p + g->n_name;
		} else {
			while (answered < asked && !e->code)
				answer(s, c, &ask[answered++ % AHEAD], &snv, e);
			if (e->code || new_seg(s, c, &l, &region, e))
				break;
			g = &c->seg[c->n_seg - 1];
			last = -1;
		}
		if (read_cols(&l, e))
			break;
		r = chunk_add_rec(c);
		r->pos = l.pos;
		r->at = (uint32_t)(p - c->data);
		r->skip = 0;
		g->hi = c->n_rec;
		if (l.pos < last)
			return err_set(e, ERR_DATA, "unsorted: %.*s:%lld comes after %.*s:%lld; sort it first (bcftools sort), or pass --unsorted ok",
			    (int)g->n_name, (const char *)p, (long long)l.pos, (int)g->n_name, (const char *)p, (long long)last);
		last = s->o->unsorted ? -1 : l.pos;
		c->stats.in++;
		if (s->o->region && !region_has(s->o->region, region, l.pos)) {
			r->skip = 1;
			c->stats.outside++;
		} else if ((base = plain_snv(s, &l, e))) {
			struct ask q = { base, norm_base[*l.ref], l, c->n_rec - 1 };

			if (ahead) {
				__builtin_prefetch(base);
				if (asked - answered == AHEAD)
					answer(s, c, &ask[answered++ % AHEAD], &snv, e);
				ask[asked++ % AHEAD] = q;
			} else {
				s->line = p;
				s->n_line = (size_t)(l.end - p);
				answer(s, c, &q, &snv, e);
			}
		} else {
			s->line = p;
			s->n_line = (size_t)(l.end - p);
			other(s, c, &l, c->n_rec - 1, e);
			g = &c->seg[c->n_seg - 1];
		}
		if (s->o->guard)
			pass(s, c, &l);
		p = l.end + 1;
	}
	while (answered < asked && !e->code)
		answer(s, c, &ask[answered++ % AHEAD], &snv, e);
	c->stats.by[NORM_SNV] += snv;
	c->stats.out += snv;
	c->stats.checked += snv;
	return e->code;
}
