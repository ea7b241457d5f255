/* annot_bcf - BCF records, see annot.h
 *
 * INFO is walked field by field, tags of ours are left out and new ones put behind the others; FORMAT is copied.  Layout: section 6.3 of
 * the VCF specification.  Floats are the nearest 32-bit numbers to the text; text columns and lists are characters.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "var/annot_work.h"
#include "var/typed.h"

static int
damaged(struct err *e)
{
	return err_set(e, ERR_DATA, "damaged: a BCF record that does not hold together");
}

/* --- the first pass ----------------------------------------------------------- */

static struct run *
new_run(struct annot_work *w, int32_t id, struct err *e)
{
	const char *name = hts_contig_name(w->a->head, id);
	struct run *r;

	if (!name) {
		err_set(e, ERR_DATA, "a record's contig number %d is not in the header", id);
		return NULL;
	}
	r = annot_add_run(w);
	r->at = r->n = 0;
	r->line = r->end = w->n_line;
	r->id = id;
	r->name = annot_contig(w, name, strlen(name));
	return r;
}

/* Alleles of a record and the places of its parts. */
static int
read_record(struct annot_work *w, struct chunk *c, const uint8_t *p, size_t n, struct err *e)
{
	const uint8_t *q, *end, *s, *ref = NULL, *v;
	size_t k, n_ref = 0, count;
	int64_t pos = (int64_t)(int32_t)typed_get32(p + 12);
	int n_allele = (int)(typed_get32(p + 24) >> 16), type;
	uint32_t shared = typed_get32(p);
	struct line *l;

	if (shared < 24 || shared > n - 8)
		return damaged(e);
	c->stats.in++;
	if (w->a->region && !region_has(w->a->region, w->seen[w->now].region, pos + 1)) {
		c->stats.outside++;
		return 0;
	}
	end = p + 8 + shared;
	l = annot_add_line(w);
	l->at = (uint32_t)(p - c->data);
	l->end = (uint32_t)(p + n - c->data);
	l->pos = pos;
	l->ask = w->n_ask;
	l->n_ask = n_allele > 0 ? (uint32_t)n_allele - 1 : 0;
	q = typed_text(p + 32, end, &s, &k);
	for (int i = 0; q && i < n_allele; i++) {
		q = typed_text(q, end, &s, &k);
		if (q && i)
			annot_ask(w, pos + 1, ref, n_ref, s, k, e);
		ref = i ? ref : s;
		n_ref = i ? n_ref : k;
	}
	if (!q || !(k = typed_value(q, end, &type, &count, &v)) || (count && (type < 1 || type > 3)))
		return damaged(e);
	l->filter = (uint32_t)(q - c->data);
	l->info = (uint32_t)(q + k - c->data);
	l->info_end = (uint32_t)(end - c->data);
	return e->code;
}

static int
read_chunk(struct annot_work *w, struct chunk *c, struct err *e)
{
	struct run *r = NULL;

	for (size_t at = 0; at < c->n && !e->code; ) {
		const uint8_t *p = c->data + at;
		size_t n = chunk_bcf_length(p, c->n - at);
		int32_t id;

		if (n < 32 || n > c->n - at)
			return damaged(e);
		id = (int32_t)typed_get32(p + 8);
		if (!r || r->id != id)
			r = new_run(w, id, e);
		if (!r)
			break;
		read_record(w, c, p, n, e);
		r->end = w->n_line;
		at += n;
	}
	return e->code;
}

/* --- the second pass ---------------------------------------------------------- */

static void
put(struct annot_work *w, const void *p, size_t n)
{
	annot_room(w, n);
	memcpy(w->out + w->n_out, p, n);
	w->n_out += n;
}

static int64_t
integer(const uint8_t *v, int type, size_t i)
{
	return type == 1 ? (int8_t)v[i] : type == 2 ? (int16_t)(uint16_t)(v[2 * i] | v[2 * i + 1] << 8) : (int32_t)typed_get32(v + 4 * i);
}

/* INFO without tags of ours; returns how many fields stay, or -1. */
static int
put_others(struct annot_work *w, const struct line *l, int n)
{
	const uint8_t *p = w->base + l->info, *end = w->base + l->info_end, *v;
	const struct annot *a = w->a;
	size_t k, count;
	int left = 0, type;

	for (int i = 0; i < n; i++) {
		const uint8_t *start = p;
		int64_t id;
		int ours = 0;

		k = typed_value(p, end, &type, &count, &v);
		if (!k || count != 1 || type < 1 || type > 3)
			return -1;
		id = integer(v, type, 0);
		p += k;
		k = typed_value(p, end, &type, &count, &v);
		if (!k)
			return -1;
		p += k;
		for (int t = 0; t < a->n_tag && !ours; t++)
			ours = a->tag[t].id == id;
		for (int d = 0; d < a->n_db && !ours; d++)
			ours = a->db[d].status.id == id || a->db[d].query.id == id || a->db[d].site.id == id;
		if (ours)
			continue;
		put(w, start, (size_t)(p - start));
		left++;
	}
	return p == end ? left : -1;
}

static void
put_key(struct annot_work *w, int id)
{
	int64_t v = id;

	w->cell.n = 0;
	typed_ints(&w->cell, &v, 1);
	put(w, w->cell.s, w->cell.n);
}

static void
put_string(struct annot_work *w, const char *s, size_t n)
{
	uint8_t d[6];

	put(w, d, typed_head(d, 7, n));
	put(w, s, n);
}

/* A value as text at the end of cell. */
static void
add_text(struct annot_work *w, const struct annot_tag *t, fval v, struct err *e)
{
	char b[FVAL_PRINT];
	const char *s;
	size_t n;

	if (v == FVAL_MISSING) {
		str_addn(&w->cell, ".", 1);
	} else if (!fval_is_text(v)) {
		str_addn(&w->cell, b, (size_t)fval_print(t->type, v, b));
	} else {
		s = annot_get(w, t, v, &n, e);
		for (size_t i = 0; i < n; i++)
			if (s[i] == ',' && w->n_alt > 1)
				str_addn(&w->cell, "%2C", 3);
			else
				str_addn(&w->cell, s + i, 1);
	}
}

/* The nearest 32-bit number to what the text says, 0 when that is no number.  A double that stands for it is as good, unless it lies where
 * two of them meet. */
static int
nearest(struct annot_work *w, const struct annot_tag *t, fval v, float *f, struct err *e)
{
	double x = fval_number(t->type, v);
	uint64_t bits;
	char *stop;

	memcpy(&bits, &x, 8);
	if (x == 0 || (fabs(x) > 1e-30 && fabs(x) < 1e30 && (bits & 0x1fffffff) != 0x10000000)) {
		*f = (float)x;
		return 1;
	}
	w->cell.n = 0;
	add_text(w, t, v, e);
	*f = strtof(w->cell.s, &stop);
	return !*stop;
}

static void
put_floats(struct annot_work *w, const struct annot_tag *t, const fval *val, struct err *e)
{
	uint8_t b[6];

	put(w, b, typed_head(b, 5, (size_t)w->n_alt));
	for (int i = 0; i < w->n_alt; i++) {
		uint32_t bits = 0x7f800001;             /* missing */
		float x;

		if (val[i] != FVAL_MISSING && nearest(w, t, val[i], &x, e))
			memcpy(&bits, &x, 4);
		typed_put32(b, bits);
		put(w, b, 4);
	}
}

static void
put_integers(struct annot_work *w, const struct annot_tag *t, const fval *val, struct err *e)
{
	int64_t few[8], *v = w->n_alt <= 8 ? few : mem_new(int64_t, w->n_alt);

	for (int i = 0; i < w->n_alt; i++) {
		w->cell.n = 0;
		v[i] = INT64_MIN;
		if (fval_is_text(val[i])) {
			char *stop;
			double x;

			add_text(w, t, val[i], e);
			x = strtod(w->cell.s, &stop);
			/* Text that is no integer is none here either. */
			if (!*stop && fabs(x) < 1e15 && x == floor(x))
				v[i] = (int64_t)x;
		} else if (val[i] != FVAL_MISSING) {
			v[i] = val[i];
		}
	}
	w->cell.n = 0;
	typed_ints(&w->cell, v, (size_t)w->n_alt);
	put(w, w->cell.s, w->cell.n);
	if (v != few)
		mem_free(v);
}

/* Fields of one database; returns how many. */
static int
put_fields(struct annot_work *w, const struct annot_db *d, struct err *e)
{
	const struct annot_tag *t = &w->a->tag[d->tag];
	fval few[8], *val = w->n_alt <= 8 ? few : mem_new(fval, w->n_alt);
	int n = 0;

	for (int k = 0; k < d->n_tag; k++, t++) {
		int i;

		for (i = 0; i < w->n_alt; i++)
			val[i] = w->val[(int64_t)i * w->a->n_tag + d->tag + k];
		for (i = 0; i < w->n_alt && val[i] == FVAL_MISSING; )
			i++;
		if (i == w->n_alt)
			continue;
		n++;
		put_key(w, t->id);
		if (t->type == FTYPE_STRING || t->list) {
			w->cell.n = 0;
			for (i = 0; i < w->n_alt; i++) {
				if (i)
					str_addn(&w->cell, ",", 1);
				add_text(w, t, val[i], e);
			}
			put_string(w, w->cell.s, w->cell.n);
		} else if (t->type == FTYPE_FLOAT) {
			put_floats(w, t, val, e);
		} else {
			put_integers(w, t, val, e);
		}
	}
	if (val != few)
		mem_free(val);
	return n;
}

/* Status and, when asked for, what was looked up; returns how many fields. */
static int
put_status(struct annot_work *w, int d)
{
	const struct annot_db *b = &w->a->db[d];
	int n = 1;

	put_key(w, b->status.id);
	w->cell.n = 0;
	for (int i = 0; i < w->n_alt; i++) {
		if (i)
			str_addn(&w->cell, ",", 1);
		str_add(&w->cell, freq_names[w->status[(int64_t)i * w->a->n_db + d]]);
	}
	if (w->n_alt == 0)
		str_add(&w->cell, ".");
	put_string(w, w->cell.s, w->cell.n);
	for (int what = 0; what < 2 && w->a->explain; what++) {
		struct str t = {0};
		int any = 0;

		for (int i = 0; i < w->n_alt; i++) {
			if (i)
				str_addn(&t, ",", 1);
			if (what ? annot_site_text(w, d, i, &t) : annot_query_text(w, d, i, &t))
				any = 1;
			else
				str_addn(&t, ".", 1);
		}
		if (any) {
			put_key(w, what ? b->site.id : b->query.id);
			put_string(w, t.s, t.n);
			n++;
		}
		str_clear(&t);
	}
	return n;
}

/* --mark: FILTER with one more. */
static void
put_filter(struct annot_work *w, const struct line *l)
{
	const uint8_t *p = w->base + l->filter, *v;
	int64_t *id;
	size_t count = 0, n = 0;
	int type = 0, there = 0;

	typed_value(p, w->base + l->info_end, &type, &count, &v);
	id = mem_new(int64_t, (int64_t)count + 1);
	for (size_t i = 0; i < count; i++) {
		id[n] = integer(v, type, i);
		there |= id[n] == w->a->mark_id;
		n += id[n] != w->a->pass_id;
	}
	if (!there)
		id[n++] = w->a->mark_id;
	w->cell.n = 0;
	typed_ints(&w->cell, id, n);
	put(w, w->cell.s, w->cell.n);
	mem_free(id);
}

static int
put_record(struct annot_work *w, const struct line *l, int marked, struct err *e)
{
	size_t at = w->n_out;
	uint32_t counts = typed_get32(w->base + l->at + 24);
	int n;

	put(w, w->base + l->at, l->filter - l->at);
	if (marked)
		put_filter(w, l);
	else
		put(w, w->base + l->filter, l->info - l->filter);
	n = put_others(w, l, (int)(counts & 0xffff));
	if (n < 0)
		return damaged(e);
	for (int d = 0; d < w->a->n_db; d++) {
		if (w->any[d])
			n += put_fields(w, &w->a->db[d], e);
		n += put_status(w, d);
	}
	if (n > 0xffff)
		return err_set(e, ERR_DATA, "a BCF record cannot hold more than 65535 INFO fields");
	typed_put32(w->out + at, (uint32_t)(w->n_out - at - 8));
	typed_put32(w->out + at + 24, (counts & 0xffff0000) | (uint32_t)n);
	put(w, w->base + l->info_end, l->end - l->info_end);
	return 0;
}

int
annot_bcf(struct annot_work *w, struct chunk *c, struct err *e)
{
	if (e->code)
		return e->code;
	annot_start(w, c);
	read_chunk(w, c, e);
	return annot_write(w, c, put_record, e);
}
