/* annot_look - what was found for the record in hand, and whether it passes the filters; see annot.h */
#include <string.h>
#include "base/mem.h"
#include "var/annot_work.h"

/* --- answers ------------------------------------------------------------------ */

static struct held *
add_held(struct annot_work *w, size_t n)
{
	if (w->n_held == w->cap_held) {
		w->cap_held = 2 * w->cap_held + 64;
		w->held = mem_renew(w->held, struct held, w->cap_held);
	}
	w->held_bytes += n;
	w->held[w->n_held].n = n;
	return &w->held[w->n_held++];
}

/* Keeps a text of the record in hand; its number. */
static int64_t
hold(struct annot_work *w, const char *s, size_t n)
{
	size_t at = w->text.n;
	struct held *h = add_held(w, n);

	if (w->text.cap < at + n + 1 + TEXT_PAD) {
		w->text.cap = 2 * w->text.cap + n + 256;
		w->text.s = mem_renew(w->text.s, char, (long long)w->text.cap);
	}
	memcpy(w->text.s + at, s, n);
	w->text.s[at + n] = 0;
	w->text.n = at + n + 1;
	h->s = NULL;
	h->at = at;
	return w->n_held - 1;
}

/* Whether an allele belongs before one that stands as REF>ALT in n bytes, by the order of frows_order. */
static int
before(const char *ref, uint32_t n_ref, const char *alt, uint32_t n_alt, const char *s, size_t n)
{
	const char *gt = memchr(s, '>', n);
	size_t k = (size_t)(gt - s), m = n - k - 1;
	int d;

	if (k != n_ref)
		return n_ref < k;
	if (m != n_alt)
		return n_alt < m;
	d = memcmp(ref, s, k);
	return d ? d < 0 : memcmp(alt, gt + 1, m) < 0;
}

/* Databases tell common alleles first, sites files all by position: here they are put in one order. */
static void
add_site(void *ctx, const char *ref, uint32_t n_ref, const char *alt, uint32_t n_alt)
{
	struct str *t = ctx;
	size_t old = t->n, at = old, k = (size_t)n_ref + n_alt + 1 + (old > 0);
	char *p;

	while (at > 0) {
		size_t from = at;

		while (from > 0 && t->s[from - 1] != '|')
			from--;
		if (!before(ref, n_ref, alt, n_alt, t->s + from, at - from))
			break;
		at = from ? from - 1 : 0;
	}
	/* Room for all of it, which then goes between the others. */
	str_addn(t, ref, n_ref);
	str_addn(t, alt, n_alt);
	str_addn(t, ">|", 1 + (old > 0));
	memmove(t->s + at + k, t->s + at, old - at);
	p = t->s + at;
	if (at > 0)
		*p++ = '|';
	memcpy(p, ref, n_ref);
	p[n_ref] = '>';
	memcpy(p + n_ref + 1, alt, n_alt);
	if (at == 0 && old > 0)
		p[k - 1] = '|';
}

/* --explain: what stands at the position of an ask. */
static void
look_site(struct annot_work *w, int d, int i, const struct ask *q, int contig, struct err *e)
{
	w->site[(int64_t)d * w->cap_alt + i] = -1;
	if (q->how == ASK_NOT || contig < 0 || q->pos < 1)
		return;
	w->cell.n = 0;
	w->a->db[d].freq->at(w->cursor[d], contig, q->pos, add_site, &w->cell, e);
	if (w->cell.n)
		w->site[(int64_t)d * w->cap_alt + i] = hold(w, w->cell.s, w->cell.n);
}

/* The values of an allele that was found. */
static enum freq_status
take_values(struct annot_work *w, int d, int i, const struct freq_hit *hit, struct err *e)
{
	const struct annot_db *b = &w->a->db[d];
	const struct freq *f = b->freq;
	struct freq_cursor *k = w->cursor[d];
	fval *val = w->val + (int64_t)b->tag * w->cap_alt + i;
	const struct annot_tag *tag = &w->a->tag[b->tag];
	int lasting = f->lasting && !w->a->expr;        /* expressions need a NUL behind */
	const char *s;
	size_t n;

	if (f->values)
		f->values(k, hit, b->col, b->n_tag, val, w->cap_alt, e);
	for (int t = 0; t < b->n_tag; t++, val += w->cap_alt) {
		fval v = f->values ? *val : f->value(k, hit, tag[t].col, e);

		if (fval_is_text(v)) {
			s = f->text(k, tag[t].col, v, &n, e);
			if (e->code) {
				v = FVAL_MISSING;
			} else if (lasting && !(fval_text_ref(v) & 1)) {
				add_held(w, n)->s = s;
				v = fval_of_text(w->n_held - 1);
			} else {
				v = fval_of_text(hold(w, s, n));
			}
		}
		*val = v;
	}
	if (f->cols->filter < 0 || e->code)
		return FREQ_FOUND;
	if (b->filter >= 0) {
		fval v = w->val[(int64_t)b->filter * w->cap_alt + i];

		if (!fval_is_text(v))
			return FREQ_FOUND;
		s = annot_get(w, v, &n);
	} else {
		fval v = f->value(k, hit, f->cols->filter, e);

		if (!fval_is_text(v))
			return FREQ_FOUND;
		s = f->text(k, f->cols->filter, v, &n, e);
	}
	return e->code || (n == 4 && !memcmp(s, "PASS", 4)) ? FREQ_FOUND : FREQ_FOUND_FILTERED;
}

static void
room_for_alts(struct annot_work *w, int n)
{
	if (n <= w->cap_alt)
		return;
	w->cap_alt = n == 1 ? 1 : 2 * n;
	w->val = mem_renew(w->val, fval, (int64_t)(w->a->n_tag + 1) * w->cap_alt);
	w->status = mem_renew(w->status, uint8_t, (int64_t)w->a->n_db * w->cap_alt);
	w->site = mem_renew(w->site, int64_t, (int64_t)w->a->n_db * w->cap_alt);
}

static struct value
value_of(void *ctx, int tag, int64_t i)
{
	struct annot_work *w = ctx;
	const struct annot *a = w->a;
	int d = tag < a->n_tag ? a->tag[tag].db : tag - a->n_tag;
	enum freq_status s = w->status[(int64_t)d * w->cap_alt + i];
	struct value v = {0};
	fval x;
	size_t n;

	if (tag >= a->n_tag) {
		v.is_text = 1;
		v.s = freq_names[s];
		return v;
	}
	x = s == FREQ_FOUND || s == FREQ_FOUND_FILTERED ? w->val[(int64_t)tag * w->cap_alt + i] : FVAL_MISSING;
	v.missing = x == FVAL_MISSING;
	if (fval_is_text(x)) {
		v.is_text = 1;
		v.s = annot_get(w, x, &n);
	} else if (!v.missing) {
		v.x = fval_number(a->tag[tag].type, x);
	}
	return v;
}

/* Whether the record in hand stays: one ALT fulfils all conditions; what is missing does. */
static int
passes(struct annot_work *w)
{
	const struct annot *a = w->a;

	if ((!a->n_most && !a->expr) || w->n_alt == 0)
		return 1;
	for (int i = 0; i < w->n_alt; i++) {
		int k;

		for (k = 0; k < a->n_most; k++) {
			struct value v = value_of(w, a->most[k].tag, i);

			if (!v.missing && !v.is_text && v.x > a->most[k].x)
				break;
		}
		if (k == a->n_most && (!a->expr || expr_maybe(a->expr, value_of, w, i)))
			return 1;
	}
	return 0;
}

int
annot_look(struct annot_work *w, const struct line *l, struct err *e)
{
	const struct annot *a = w->a;
	struct seen *g = &w->seen[w->now];
	int n = (int)l->n_ask;

	room_for_alts(w, n);
	w->n_alt = n;
	w->first = w->ask + l->ask;
	w->text.n = w->held_bytes = 0;
	w->n_held = 0;
	w->alts += n;
	g->alts += n;
	for (int d = 0; d < a->n_db && !e->code; d++) {
		const struct annot_db *b = &a->db[d];
		int contig = g->db[d], found = 0;

		for (int i = 0; i < n && !e->code; i++) {
			const struct ask *q = &w->first[i];
			const char *base = q->pool ? w->pool.s : (const char *)w->base;
			enum freq_status s = FREQ_ABSENT;
			struct freq_hit hit;

			if (q->how == ASK_NOT)
				s = FREQ_UNSUPPORTED;
			else if (contig < 0)
				s = FREQ_NO_CONTIG;
			else if (q->pos > 0 && q->pos <= UINT32_MAX)
				s = b->freq->find(w->cursor[d], contig, q->pos, base + q->ref, q->n_ref, base + q->alt, q->n_alt, &hit, e);
			if (s == FREQ_FOUND) {
				s = take_values(w, d, i, &hit, e);
				found++;
			} else if (n > 1) {
				for (int t = 0; t < b->n_tag; t++)
					w->val[(int64_t)(b->tag + t) * w->cap_alt + i] = FVAL_MISSING;
			}
			if (a->explain)
				look_site(w, d, i, q, contig, e);
			w->status[(int64_t)d * w->cap_alt + i] = (uint8_t)s;
			w->count[d * N_FREQ + (int)s]++;
		}
		w->any[d] = found > 0;
		g->found[d] += found;
	}
	return !e->code && passes(w);
}

/* A contig's name in a text that a comma or semicolon would end. */
static void
add_escaped(struct str *t, const char *s)
{
	for (; *s; s++)
		if ((uint8_t)*s <= ' ' || strchr(",;=%", *s))
			str_addf(t, "%%%02X", (uint8_t)*s);
		else
			str_addn(t, s, 1);
}

int
annot_query_text(struct annot_work *w, int db, int i, struct str *out)
{
	static const char *const how[] = { "as-is", "trimmed", "left-aligned" };
	const struct ask *q = &w->first[i];
	const char *base = q->pool ? w->pool.s : (const char *)w->base;
	int contig = w->seen[w->now].db[db];

	if (q->how == ASK_NOT)
		return 0;
	add_escaped(out, contig >= 0 ? w->a->db[db].freq->contig[contig] : w->name[w->now]);
	str_addf(out, ":%lld:", (long long)q->pos);
	str_addn(out, base + q->ref, q->n_ref);
	str_add(out, ":");
	str_addn(out, base + q->alt, q->n_alt);
	str_addf(out, ":%s", how[q->how]);
	return 1;
}

int
annot_site_text(struct annot_work *w, int db, int i, struct str *out)
{
	int64_t k = w->site[(int64_t)db * w->cap_alt + i];
	const char *s;
	size_t n;

	if (k < 0)
		return 0;
	s = annot_get(w, fval_of_text(k), &n);
	str_addn(out, s, n);
	return 1;
}

/* --- single variants ---------------------------------------------------------- */

int
annot_one(struct annot_work *w, const char *contig, size_t n_contig, int64_t pos, const char *ref, const char *alt, struct err *e)
{
	struct run r = { .line = 0, .end = 1 };
	struct line *l;

	w->n_line = w->n_ask = 0;
	w->pool.n = 0;
	l = annot_add_line(w);
	memset(l, 0, sizeof *l);
	r.name = annot_contig(w, contig, n_contig);
	/* Alleles may lie anywhere: the pool is their chunk. */
	w->cell.n = 0;
	str_add(&w->cell, ref);
	str_add(&w->cell, alt);
	mem_free(w->out);
	w->cap_out = w->cell.n + 1;
	w->out = mem_raw(uint8_t, (long long)w->cap_out);
	memcpy(w->out, w->cell.s, w->cell.n);
	w->base = w->out;
	annot_ask(w, pos, w->base, strlen(ref), w->base + strlen(ref), strlen(alt), e);
	l->n_ask = 1;
	if (!annot_ahead(w, &r, e))
		annot_look(w, l, e);
	return e->code;
}

void
annot_cell(struct annot_work *w, int tag, struct str *out, struct err *e)
{
	const struct annot *a = w->a;
	struct value v;
	char b[FVAL_PRINT];
	fval x;

	if (e->code)
		return;
	if (tag >= a->n_tag + 2 * a->n_db) {
		if (!annot_site_text(w, tag - a->n_tag - 2 * a->n_db, 0, out))
			str_add(out, ".");
		return;
	}
	if (tag >= a->n_tag + a->n_db) {
		if (!annot_query_text(w, tag - a->n_tag - a->n_db, 0, out))
			str_add(out, ".");
		return;
	}
	v = value_of(w, tag, 0);
	x = tag < a->n_tag ? w->val[(int64_t)tag * w->cap_alt] : FVAL_MISSING;
	if (v.missing) {
		str_add(out, ".");
	} else if (tag < a->n_tag && v.is_text) {
		size_t n;
		const char *s = annot_get(w, x, &n);

		str_addn(out, s, n);
	} else if (v.is_text) {
		str_add(out, v.s);
	} else {
		str_addn(out, b, (size_t)fval_print(a->tag[tag].type, x, b));
	}
}
