/* scan_bcf - BCF records, see scan.h
 *
 * A record's first bytes hold its place and its alleles; INFO and FORMAT are not looked at unless the record moves and
 * has END.  A changed record is its old one with POS, the length on the reference and the alleles written anew.
 * Layout: BCF2.2 quick reference of the VCF specification, section 6.3.
 */
#include "var/scan.h"

#include <string.h>
#include "base/mem.h"
#include "var/typed.h"

/* A record's shared part. */
struct bcf {
	const uint8_t *rec;
	size_t n;
	const uint8_t *alleles, *filter, *end;  /* of the shared part: first allele, what follows the alleles, its end */
	int64_t pos, rlen;
	int n_allele, n_info;
};

static int
damaged(struct err *e)
{
	return err_set(e, ERR_DATA, "damaged: a BCF record that does not hold together");
}

/* Reads the head and the alleles; s->allele is set. */
static int
read_head(struct scan *s, struct bcf *b, struct err *e)
{
	const uint8_t *p, *str;
	size_t k;
	uint32_t shared;

	if (b->n < 32 || (shared = typed_get32(b->rec)) < 24 || shared > b->n - 8)
		return damaged(e);
	b->end = b->rec + 8 + shared;
	b->pos = (int32_t)typed_get32(b->rec + 12);
	b->rlen = (int32_t)typed_get32(b->rec + 16);
	b->n_allele = (int)(typed_get32(b->rec + 24) >> 16);
	b->n_info = (int)(typed_get32(b->rec + 24) & 0xffff);
	p = typed_text(b->rec + 32, b->end, &str, &k);
	b->alleles = p;
	if (b->n_allele > s->cap_allele) {
		s->cap_allele = b->n_allele + 8;
		s->allele = mem_renew(s->allele, struct allele, s->cap_allele);
	}
	for (int i = 0; p && i < b->n_allele; i++) {
		p = typed_text(p, b->end, &str, &k);
		s->allele[i].s = str;
		s->allele[i].n = (int64_t)k;
	}
	b->filter = p;
	return p && b->n_allele > 0 ? 0 : damaged(e);
}

static void
put_typed(struct str *t, const char *p, int64_t n)
{
	uint8_t d[6];

	str_addn(t, d, typed_head(d, 7, (size_t)n));
	str_addn(t, p, (size_t)n);
}

/* END in INFO: where its integer stands and its type; NULL = none. */
static const uint8_t *
find_end(const struct scan *s, const struct bcf *b, int *type, struct err *e)
{
	int key = s->o->head ? hts_key_id(s->o->head, "END") : -1, t;
	const uint8_t *p = b->filter, *v;
	size_t k, count;

	k = typed_value(p, b->end, &t, &count, &v);      /* FILTER */
	for (int i = 0; k && i < b->n_info && key >= 0; i++) {
		uint32_t id;

		p += k;
		k = typed_value(p, b->end, &t, &count, &v);
		if (!k || count != 1 || t < 1 || t > 3)
			break;
		id = t == 1 ? v[0] : t == 2 ? (uint32_t)v[0] | (uint32_t)v[1] << 8 : typed_get32(v);
		p += k;
		k = typed_value(p, b->end, type, &count, &v);
		if (!k)
			break;
		if ((int)id == key)
			return count == 1 && *type >= 1 && *type <= 3 ? v : NULL;
	}
	if (!k)
		damaged(e);
	return NULL;
}

/* A record of new place and alleles (n of them) at the end of the arena. */
static void
put_edit(struct scan *s, struct chunk *c, const struct bcf *b, int64_t rec, int64_t pos, int64_t rlen, const char *const *allele,
    const int64_t *n_allele, int n, struct err *e)
{
	struct edit *d = chunk_add_edit(c);
	struct str *t = &c->arena;
	const uint8_t *end_value;
	size_t at = t->n;
	int type = 0;

	d->rec = rec;
	d->pos = pos;
	d->seg = c->n_seg - 1;
	d->text = at;
	str_addn(t, b->rec, (size_t)(b->alleles - b->rec));
	for (int i = 0; i < n; i++)
		put_typed(t, allele[i], n_allele[i]);
	end_value = find_end(s, b, &type, e);
	if (end_value) {
		/* A wider integer than it had is always possible: 32 bits. */
		uint8_t w[5] = { 0x13 };

		str_addn(t, b->filter, (size_t)(end_value - 1 - b->filter));
		typed_put32(w + 1, (uint32_t)(pos + rlen));
		str_addn(t, w, 5);
		end_value += type == 1 ? 1 : type == 2 ? 2 : 4;
		str_addn(t, end_value, (size_t)(b->end - end_value));
		c->stats.end_fixed++;
	} else {
		str_addn(t, b->filter, (size_t)(b->end - b->filter));
	}
	typed_put32((uint8_t *)t->s + at, (uint32_t)(t->n - at - 8));
	typed_put32((uint8_t *)t->s + at + 12, (uint32_t)pos);
	typed_put32((uint8_t *)t->s + at + 16, (uint32_t)rlen);
	d->n_text = t->n - at;
	d->tail = (size_t)(b->end - c->data);
	d->n_tail = (size_t)(b->rec + b->n - b->end);
	c->rec[rec].skip = 1;
}

/* --- the rest is for records that change -------------------------------------- */

static const char *
contig_name(const struct scan *s, const struct chunk *c, size_t *n)
{
	const char *name = hts_contig_name(s->o->head, c->seg[c->n_seg - 1].contig);

	*n = name ? strlen(name) : 0;
	return name ? name : "";
}

static void
put_moved(struct scan *s, struct chunk *c, const struct bcf *b, int64_t rec, struct err *e)
{
	const struct norm *w = &s->norm;
	const char **a = mem_new(const char *, w->n);
	int64_t *n = mem_new(int64_t, w->n);

	for (int i = 0; i < w->n; i++)
		a[i] = norm_allele(w, i, &n[i]);
	put_edit(s, c, b, rec, w->pos, n[0], a, n, w->n, e);
	mem_free(a);
	mem_free(n);
}

/* --old-tag: the record goes through htslib once more, to take a new INFO field. */
static void
put_old(struct scan *s, struct chunk *c, const struct bcf *b, int idx, struct err *e)
{
	struct edit *d = &c->edit[c->n_edit - 1];
	struct str was = {0}, all = {0};
	size_t n;
	const char *name = contig_name(s, c, &n);

	str_addf(&was, "%s|%lld|%.*s|", name, (long long)b->pos + 1, (int)s->allele[0].n, (const char *)s->allele[0].s);
	for (int i = 1; i < b->n_allele; i++)
		str_addf(&was, "%s%.*s", i > 1 ? "," : "", (int)s->allele[i].n, (const char *)s->allele[i].s);
	if (idx)
		str_addf(&was, "|%d", idx);
	str_addn(&all, c->arena.s + d->text, d->n_text);
	if (d->n_tail)
		str_addn(&all, c->data + d->tail, d->n_tail);
	if (!s->conv)
		s->conv = hts_conv(s->o->head, e);
	c->arena.n = d->text;
	hts_tag(s->conv, (const uint8_t *)all.s, all.n, s->o->old_tag, was.s, &c->arena, e);
	d->n_text = c->arena.n - d->text;
	d->n_tail = 0;
	str_clear(&was);
	str_clear(&all);
}

static int64_t
sv_length(struct scan *s, const struct bcf *b, struct err *e)
{
	const struct allele *a = &s->allele[1];
	const uint8_t *v;
	int type = 0;

	if (b->n_allele != 2 || s->allele[0].n != 1 || a->n < 5 || (memcmp(a->s, "<DEL", 4) && memcmp(a->s, "<DUP", 4)) ||
	    (a->s[4] != '>' && a->s[4] != ':'))
		return 0;
	v = find_end(s, b, &type, e);
	return v ? b->rlen - 1 : 0;
}

static enum norm_class
symbolic(struct scan *s, struct chunk *c, const struct bcf *b, int64_t rec, struct err *e)
{
	int64_t len = sv_length(s, b, e), to, n[2];
	const char *a[2];
	uint8_t anchor;
	char base;

	if (len < 1 || b->pos < 0 || b->pos + 1 + len > s->seq.length)
		return NORM_SYMBOLIC;
	to = norm_slide(&s->seq, b->pos + 1, len, 1, e);
	if (e->code || to == b->pos + 1)
		return NORM_SYMBOLIC;
	fasta_get(s->view, s->contig, to - 1, 1, &anchor, e);
	base = norm_base[anchor] ? (char)norm_base[anchor] : 'N';
	a[0] = &base, n[0] = 1;
	a[1] = (const char *)s->allele[1].s, n[1] = s->allele[1].n;
	put_edit(s, c, b, rec, to - 1, len + 1, a, n, 2, e);
	s->norm.shift = b->pos + 1 - to;
	return NORM_SHIFTED;
}

static int
split(struct scan *s, struct chunk *c, const struct bcf *b, int64_t rec, struct err *e)
{
	struct str one = {0};
	int n = b->n_allele;

	if (!s->conv)
		s->conv = hts_conv(s->o->head, e);
	for (int i = 1; i < n && !e->code; i++) {
		struct bcf t = { 0 };
		struct allele two[2] = { s->allele[0], s->allele[i] };
		enum norm_class k;
		struct edit *d = NULL;
		size_t n_name, before = c->arena.n;
		const char *name = contig_name(s, c, &n_name);
		int fresh;

		s->alt = i;
		k = scan_class(s, b->pos, two, 2, &c->stats, e);
		if (k == NORM_REF_MISMATCH && i == 1)
			scan_mismatch(s, &c->stats, name, n_name, b->pos + 1, two[0], e);
		if (k == NORM_REF_MISMATCH && s->o->check == CHECK_DROP) {
			c->rec[rec].skip = 1;
			c->stats.dropped++;
			break;
		}
		one.n = 0;
		fresh = (int)c->whole.n;
		hts_split(s->conv, b->rec, b->n, i, &one, &c->whole, e);
		if (e->code)
			break;
		if (s->o->strict && c->whole.n > fresh)
			err_set(e, ERR_DATA, "%s:%lld: %s has not as many values as its Number says; without --strict it is copied whole", name,
			    (long long)b->pos + 1, strs_get(&c->whole, fresh));
		scan_count(&c->stats, k, k == NORM_SHIFTED ? s->norm.shift : 0);
		c->stats.split += i > 1;
		t.rec = (const uint8_t *)one.s;
		t.n = one.n;
		if (k == NORM_TRIMMED || k == NORM_SHIFTED) {
			struct allele *keep = s->allele;
			int keep_cap = s->cap_allele;

			/* The alleles of the whole record are still needed. */
			s->allele = NULL;
			s->cap_allele = 0;
			if (!read_head(s, &t, e)) {
				put_moved(s, c, &t, rec, e);
				d = &c->edit[c->n_edit - 1];
				str_addn(&c->arena, t.end, (size_t)(t.rec + t.n - t.end));
				d->n_text = c->arena.n - d->text;
			}
			mem_free(s->allele);
			s->allele = keep;
			s->cap_allele = keep_cap;
			if (e->code)
				break;
		} else {
			d = chunk_add_edit(c);
			d->rec = rec;
			d->pos = b->pos;
			d->seg = c->n_seg - 1;
			d->text = before;
			str_addn(&c->arena, one.s, one.n);
			d->n_text = one.n;
		}
		d->n_tail = 0;
		d->sub = i;
		if (s->o->old_tag)
			put_old(s, c, b, i, e);
	}
	s->alt = 0;
	c->rec[rec].skip = 1;
	str_clear(&one);
	return e->code;
}

static int
one_record(struct scan *s, struct chunk *c, const struct bcf *b, int64_t rec, struct err *e)
{
	enum norm_class k;
	size_t n_name;
	const char *name;
	int type;

	if (s->o->split && b->n_allele > 2)
		return split(s, c, b, rec, e);
	k = scan_class(s, b->pos, s->allele, b->n_allele, &c->stats, e);
	if (e->code)
		return e->code;
	if (k == NORM_NONREF && b->n_allele == 2 && find_end(s, b, &type, e))
		k = NORM_BLOCK;
	if (k == NORM_SYMBOLIC && s->o->sv)
		k = symbolic(s, c, b, rec, e);
	else if (k == NORM_TRIMMED || k == NORM_SHIFTED)
		put_moved(s, c, b, rec, e);
	if (s->o->old_tag && c->rec[rec].skip && !e->code)
		put_old(s, c, b, 0, e);
	if (k == NORM_REF_MISMATCH) {
		name = contig_name(s, c, &n_name);
		scan_mismatch(s, &c->stats, name, n_name, b->pos + 1, s->allele[0], e);
		if (s->o->check == CHECK_DROP) {
			c->rec[rec].skip = 1;
			c->stats.dropped++;
			return e->code;
		}
	}
	if (k == NORM_NO_CONTIG && s->o->strict)
		return err_set(e, ERR_DATA, "contig '%s' is not in the reference; without --strict its records pass unchanged",
		    contig_name(s, c, &n_name));
	scan_count(&c->stats, k, k == NORM_SHIFTED ? s->norm.shift : 0);
	return e->code;
}

/* --guard looks at text. */
static void
as_line(struct scan *s, const struct bcf *b, struct err *e)
{
	if (!s->conv)
		s->conv = hts_conv(s->o->head, e);
	s->tmp2.n = 0;
	if (s->conv)
		hts_to_text(s->conv, b->rec, b->n, &s->tmp2, e);
	s->line = (const uint8_t *)s->tmp2.s;
	s->n_line = s->tmp2.n ? s->tmp2.n - 1 : 0;
}

static void
pass(struct scan *s, const struct chunk *c, const struct bcf *b)
{
	const struct edit *d = c->n_edit ? &c->edit[c->n_edit - 1] : NULL;
	int64_t beg = b->pos, n = s->allele[0].n;

	if (d && d->rec == c->n_rec - 1 && s->norm.n && s->norm.pos == d->pos) {
		beg = s->norm.pos;
		norm_allele(&s->norm, 0, &n);
	}
	guard_add(&s->past, beg, beg + n, s->line, s->n_line);
}

int
scan_bcf(struct scan *s, struct chunk *c, struct err *e)
{
	struct seg *g = NULL;
	int64_t region = -1, last = -1;
	size_t at = 0;

	while (at < c->n && !e->code) {
		struct bcf b = { .rec = c->data + at, .n = chunk_bcf_length(c->data + at, c->n - at) };
		int32_t contig;
		struct rec *r;

		if (read_head(s, &b, e))
			break;
		contig = (int32_t)typed_get32(b.rec + 8);
		if (!g || contig != g->contig) {
			const char *name = hts_contig_name(s->o->head, contig);

			if (!name)
				return err_set(e, ERR_DATA, "damaged: a BCF record on contig number %d, which the header does not have", contig);
			g = chunk_add_seg(c);
			memset(g, 0, sizeof *g);
			g->contig = contig;
			g->lo = g->hi = c->n_rec;
			scan_contig(s, name, strlen(name));
			if (s->o->region)
				region = region_contig(s->o->region, name, strlen(name));
			last = -1;
		}
		r = chunk_add_rec(c);
		r->pos = b.pos;
		r->at = (uint32_t)at;
		r->skip = 0;
		g->hi = c->n_rec;
		if (b.pos < last && !s->o->unsorted)
			return err_set(e, ERR_DATA, "unsorted: %s:%lld comes after %s:%lld; sort it first (bcftools sort), or pass --unsorted ok",
			    hts_contig_name(s->o->head, contig), (long long)b.pos + 1, hts_contig_name(s->o->head, contig), (long long)last + 1);
		last = b.pos;
		c->stats.in++;
		if (s->o->region && !region_has(s->o->region, region, b.pos + 1)) {
			r->skip = 1;
			c->stats.outside++;
		} else {
			if (s->o->guard)
				as_line(s, &b, e);
			one_record(s, c, &b, c->n_rec - 1, e);
			g = &c->seg[c->n_seg - 1];
			if (s->o->guard && !e->code)
				pass(s, c, &b);
		}
		at += b.n;
	}
	return e->code;
}
