/* annot_text - VCF lines, see annot.h
 *
 * A line costs a look at its first seven columns, one pass over INFO for tags that are there already, and two copies of its
 * bytes: one here, one into the pipe.
 */
#include <string.h>
#include "base/mem.h"
#include "var/annot_work.h"
#include "var/fval_line.h"
#include "var/mask64.h"
#include "var/scan.h"

/* The tab that ends a column which begins at p, on a line whose end is somewhere ahead; NULL when the line ends first.  Columns are a few
 * bytes, mostly. */
static inline const uint8_t *
column(const uint8_t *p)
{
	while (*p != '\t' && *p != '\n')
		p++;
	return *p == '\t' ? p : NULL;
}

/* --- the first pass ----------------------------------------------------------- */

/* A line of another contig than the one before. */
static struct run *
new_run(struct annot_work *w, const uint8_t *p, const uint8_t *stop, struct err *e)
{
	const uint8_t *tab = column(p);
	struct run *r;

	if (!tab || tab == p || *p == '#') {
		const uint8_t *end = memchr(p, '\n', (size_t)(stop - p));

		scan_bad_line(p, end ? end : stop, *p == '#' ? "a header line among records" : "no CHROM column", e);
		return NULL;
	}
	r = annot_add_run(w);
	r->at = (uint32_t)(p - w->base);
	r->n = (uint32_t)(tab - p);
	r->line = r->end = w->n_line;
	r->id = -1;
	r->name = annot_contig(w, (const char *)p, r->n);
	return r;
}

/* One ask for each ALT; none when it is a dot. */
static void
ask_alts(struct annot_work *w, struct line *l, int64_t pos, const uint8_t *ref, size_t n_ref, const uint8_t *alt, const uint8_t *end,
    struct err *e)
{
	l->ask = w->n_ask;
	l->n_ask = 0;
	if (end - alt == 1 && *alt == '.')
		return;
	for (;;) {
		const uint8_t *comma = end - alt == 1 ? NULL : memchr(alt, ',', (size_t)(end - alt));

		annot_ask(w, pos, ref, n_ref, alt, (size_t)((comma ? comma : end) - alt), e);
		l->n_ask++;
		if (!comma)
			break;
		alt = comma + 1;
	}
}

/* Where columns of a line end. */
struct ends {
	int64_t pos;
	const uint8_t *id, *ref, *alt, *qual, *filter, *info;   /* the tabs in front of these columns, and that behind REF is alt's, and so on */
	const uint8_t *info_end, *end;  /* INFO's end, with a carriage return left out; the line end, or the end of the chunk */
};

/* A line whose POS begins at p, one byte after the other; 0 with e set. */
static int
slow_ends(const uint8_t *line, const uint8_t *p, const uint8_t *stop, struct ends *x, struct err *e)
{
	const uint8_t *digits = p, *end;

	x->pos = 0;
	/* 18 digits do not overflow; a line end stops this, too. */
	while ((unsigned)(*p - '0') < 10 && p - digits < 18)
		x->pos = 10 * x->pos + (*p++ - '0');
	x->id = p;
	x->ref = p == digits || *p != '\t' ? NULL : column(x->id + 1);
	x->alt = x->ref ? column(x->ref + 1) : NULL;
	x->qual = x->alt ? column(x->alt + 1) : NULL;
	x->filter = x->qual ? column(x->qual + 1) : NULL;
	x->info = x->filter ? column(x->filter + 1) : NULL;
	if (!x->info) {
		end = memchr(line, '\n', (size_t)(stop - line));
		scan_bad_line(line, end ? end : stop, !x->ref ? "POS is no number" : "it ends before INFO", e);
		return 0;
	}
	end = memchr(x->info + 1, '\n', (size_t)(stop - x->info - 1));
	x->end = end ? end : stop;              /* not with whole lines */
	p = memchr(x->info + 1, '\t', (size_t)(x->end - x->info - 1));
	if (!p)
		p = x->end > x->info + 1 && x->end[-1] == '\r' ? x->end - 1 : x->end;
	x->info_end = p;
	return 1;
}

/* The same by one look at 64 bytes, where columns are as short as they mostly are; 0: they are not. */
static inline int
quick_ends(const uint8_t *p, const uint8_t *stop, struct ends *x)
{
	uint64_t nl = mask64(p, '\n'), tab = mask64(p, '\t') & (nl - 1) & ~nl, six = tab, digits;

	for (int i = 0; i < 5; i++)
		six &= six - 1;
	if (!six)
		return 0;
	x->id = p + __builtin_ctzll(tab);
	if ((size_t)(x->id - p) - 1 > 7)
		return 0;
	digits = (fval_load8((const char *)p) ^ FVAL_ZEROS) << (64 - 8 * (x->id - p));
	if (fval_not_digits(digits))
		return 0;
	x->pos = fval_from_digits(digits);
	tab &= tab - 1;
	x->ref = p + __builtin_ctzll(tab);
	tab &= tab - 1;
	x->alt = p + __builtin_ctzll(tab);
	tab &= tab - 1;
	x->qual = p + __builtin_ctzll(tab);
	tab &= tab - 1;
	x->filter = p + __builtin_ctzll(tab);
	x->info = p + __builtin_ctzll(six);
	six &= six - 1;
	x->end = nl ? p + __builtin_ctzll(nl) : memchr(p + 64, '\n', stop - p > 64 ? (size_t)(stop - p - 64) : 0);
	if (!x->end || x->end >= stop)
		return 0;
	x->info_end = six ? p + __builtin_ctzll(six) : nl ? NULL : memchr(x->info + 1, '\t', (size_t)(x->end - x->info - 1));
	if (!x->info_end)
		x->info_end = x->end - (x->end > x->info + 1 && x->end[-1] == '\r');
	return 1;
}

/* Reads a line whose POS begins at p; returns what comes behind it, or NULL with e set.  *in: whether it lies in the regions. */
static const uint8_t *
read_line(struct annot_work *w, struct chunk *c, const uint8_t *line, const uint8_t *p, int *in, struct err *e)
{
	const uint8_t *stop = c->data + c->n;
	struct ends x;
	struct line *l;

	if (!quick_ends(p, stop, &x) && !slow_ends(line, p, stop, &x, e))
		return NULL;
	if (x.ref + 1 == x.alt || x.alt + 1 == x.qual) {
		scan_bad_line(line, x.info, "REF or ALT is empty", e);
		return NULL;
	}
	c->stats.in++;
	if (w->a->region && !region_has(w->a->region, w->seen[w->now].region, x.pos)) {
		c->stats.outside++;
		*in = 0;
		return x.end + 1;
	}
	*in = 1;
	l = annot_add_line(w);
	l->pos = x.pos;
	l->at = (uint32_t)(line - c->data);
	l->end = (uint32_t)(x.end + (x.end < stop) - c->data);
	l->filter = (uint32_t)(x.filter + 1 - c->data);
	l->info = (uint32_t)(x.info + 1 - c->data);
	l->info_end = (uint32_t)(x.info_end - c->data);
	ask_alts(w, l, x.pos, x.ref + 1, (size_t)(x.alt - x.ref - 1), x.alt + 1, x.qual, e);
	return x.end + 1;
}

/* Names of contigs are a few bytes, mostly. */
static inline int
same_name(const uint8_t *a, const uint8_t *b, size_t n)
{
	return n <= 8 ? !((fval_load8((const char *)a) ^ fval_load8((const char *)b)) << (64 - 8 * n)) : !memcmp(a, b, n);
}

static int
read_chunk(struct annot_work *w, struct chunk *c, struct err *e)
{
	const uint8_t *p = c->data, *stop = c->data + c->n;
	struct run *r = NULL;
	int in;

	while (p && p < stop && !e->code) {
		if (!r || (size_t)(stop - p) <= r->n || !same_name(p, w->base + r->at, r->n) || p[r->n] != '\t')
			r = new_run(w, p, stop, e);
		if (!r)
			break;
		p = read_line(w, c, p, p + r->n + 1, &in, e);
		r->end = w->n_line;
	}
	return e->code;
}

/* --- INFO --------------------------------------------------------------------- */

typedef uint8_t lanes __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint64_t halves __attribute__((vector_size(16), may_alias));

/* Whether a prefix of n bytes may stand in p[0..len): its first letter, and, so far behind as it must be, the _ that follows it (of a
 * long one another letter).  Reads less than CHUNK_PAD bytes more. */
static inline int
maybe_there(const uint8_t *p, size_t len, const char *prefix, size_t n)
{
	size_t k = n < 32 ? n : 31;
	uint8_t then = n < 32 ? '_' : (uint8_t)prefix[31];

	for (size_t i = 0; i < len; i += 16) {
		halves hit = (halves)((*(const lanes *)(p + i) == (uint8_t)prefix[0]) & (*(const lanes *)(p + i + k) == then));

		if (hit[0] | hit[1])
			return 1;
	}
	return 0;
}

/* Everything below writes at o, where there is room for all that a record may need (room_for), and returns the end of what it wrote. */

/* n bytes where 16 may be read and written. */
static inline uint8_t *
copy_short(uint8_t *o, const void *s, size_t n)
{
	if (n <= 16)
		memcpy(o, s, 16);
	else
		memcpy(o, s, n);
	return o + n;
}

/* n bytes out of a chunk, behind which there are CHUNK_PAD more. */
static inline uint8_t *
copy_line(uint8_t *o, const uint8_t *s, size_t n)
{
	if (n <= 64)
		memcpy(o, s, 64);
	else
		memcpy(o, s, n);
	return o + n;
}

/* INFO without tags of ours; *left: how many fields stay.  Empty ones are fields, too, so that nothing changes but ours. */
static uint8_t *
copy_others(const struct annot_work *w, uint8_t *o, const uint8_t *p, const uint8_t *end, int *left)
{
	uint8_t *start = o;

	*left = 0;
	while (p < end) {
		const uint8_t *semi = memchr(p, ';', (size_t)(end - p)), *stop = semi ? semi : end;
		const uint8_t *eq = memchr(p, '=', (size_t)(stop - p));

		if (!annot_ours(w->a, p, (size_t)((eq ? eq : stop) - p))) {
			if ((*left)++)
				*o++ = ';';
			memcpy(o, p, (size_t)(stop - p));
			o += stop - p;
		}
		p = stop + 1;
	}
	if (o - start == 1 && *start == '.') {
		*left = 0;
		return start;
	}
	return o;
}

/* Whether INFO may hold tags of ours. */
static inline int
maybe_ours(const struct annot_work *w, const uint8_t *p, size_t n)
{
	const struct annot *a = w->a;
	int found = 0;

	for (int i = 0; i < a->n_db && !found; i++)
		found = maybe_there(p, n, a->db[i].prefix, a->db[i].n_prefix);
	return found;
}

/* --- tags --------------------------------------------------------------------- */

static inline uint8_t *
put_key(uint8_t *o, const struct annot_tag *t)
{
	if (t->n_key <= 32)
		memcpy(o, t->key, 32);
	else
		memcpy(o, t->key, t->n_key);
	return o + t->n_key;
}

static uint8_t *
put_escaped(uint8_t *o, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] == ',') {
			memcpy(o, "%2C", 3);
			o += 3;
		} else {
			*o++ = (uint8_t)s[i];
		}
	}
	return o;
}

/* A long text, for which there is no room yet. */
static uint8_t *
put_long(struct annot_work *w, uint8_t *o, const char *s, size_t n, int escape)
{
	w->n_out = (size_t)(o - w->out);
	annot_room(w, 3 * n + w->room);
	o = w->out + w->n_out;
	if (escape)
		return put_escaped(o, s, n);
	memcpy(o, s, n);
	return o + n;
}

/* A value, or a dot. */
static uint8_t *
put_value(struct annot_work *w, uint8_t *o, const struct annot_tag *t, fval v, int escape, struct err *e)
{
	const char *s;
	size_t n;

	if (v == FVAL_MISSING) {
		*o++ = '.';
		return o;
	}
	if (!fval_is_text(v))
		return o + fval_print(t->type, v, (char *)o);
	s = annot_get(w, t, v, &n, e);
	if (3 * n > FVAL_PRINT)
		return put_long(w, o, s, n, escape);
	return escape ? put_escaped(o, s, n) : copy_short(o, s, n);
}

/* A tag and its text, or its zero, which was not printed a moment ago. */
static uint8_t *
put_new(struct annot_work *w, uint8_t *o, const struct annot_tag *t, fval v, struct printed *last, struct err *e)
{
	size_t at = (size_t)(o - w->out), n;

	o = put_value(w, put_key(o, t), t, v, 0, e);
	n = (size_t)(o - w->out) - at;
	/* A text that does not last is another the next time. */
	if (n <= PRINTED && !(fval_is_text(v) && fval_text_ref(v) & 1)) {
		memcpy(last->s, w->out + at, PRINTED);
		last->v = v;
		last->n = (uint8_t)n;
	}
	return o;
}

/* The fields of a record of one ALT, as most are.  Numbers are printed faster than they are found again, but for the zeros that most
 * frequencies are. */
static uint8_t *
put_fields_one(struct annot_work *w, uint8_t *o, const struct annot_db *d, struct err *e)
{
	const fval *val = w->val + d->tag;
	const struct annot_tag *t = w->a->tag + d->tag, *end = t + d->n_tag;
	struct printed *some = w->printed + ((size_t)d->tag << PRINTED_BITS);

	for (; t < end; t++, val++, some += 1 << PRINTED_BITS) {
		fval v = *val;
		struct printed *last = some;

		if (v == FVAL_MISSING)
			continue;
		if (fval_is_text(v))
			last = &some[(uint64_t)v * 0x9e3779b97f4a7c15u >> (64 - PRINTED_BITS)];
		else if (t->type != FTYPE_FLOAT || fval_digits(v)) {
			o = put_key(o, t);
			o += fval_print(t->type, v, (char *)o);
			continue;
		}
		if (last->v != v || !last->n) {
			o = put_new(w, o, t, v, last, e);
			continue;
		}
		memcpy(o, last->s, 32);
		if (last->n > 32)
			memcpy(o + 32, last->s + 32, PRINTED - 32);
		o += last->n;
	}
	return o;
}

/* Asks for the one ALT of a record, and puts what was found. */
static uint8_t *
put_asked(struct annot_work *w, uint8_t *o, const struct line *l, int d, struct err *e)
{
	uint8_t *to = annot_one_ask(w, d, l, o, e);

	if (to)
		return to;
	w->val = w->one_val;
	return put_fields_one(w, o, &w->a->db[d], e);
}

static uint8_t *
put_fields(struct annot_work *w, uint8_t *o, const struct annot_db *d, struct err *e)
{
	int n_alt = w->n_alt, n_tag = w->a->n_tag;

	if (n_alt == 1)
		return put_fields_one(w, o, d, e);
	for (int k = d->tag; k < d->tag + d->n_tag; k++) {
		const struct annot_tag *t = &w->a->tag[k];
		const fval *val = w->val + k;
		int i = 0;

		while (i < n_alt && val[i * n_tag] == FVAL_MISSING)
			i++;
		if (i == n_alt)
			continue;
		o = put_value(w, put_key(o, t), t, val[0], 1, e);
		for (i = 1; i < n_alt; i++) {
			*o++ = ',';
			o = put_value(w, o, t, val[i * n_tag], 1, e);
		}
	}
	return o;
}

static uint8_t *
put_status(const struct annot_work *w, uint8_t *o, int d)
{
	static const struct { char name[16]; uint8_t n; } text[N_FREQ] = { { "FOUND", 5 }, { "FOUND_FILTERED", 14 }, { "SITE_ONLY", 9 },
		{ "ABSENT", 6 }, { "NO_CONTIG", 9 }, { "UNSUPPORTED", 11 } };
	const uint8_t *status = w->status + d;
	int n_db = w->a->n_db;

	o = put_key(o, &w->a->db[d].status);
	if (w->n_alt == 0)
		*o++ = '.';
	for (int i = 0; i < w->n_alt; i++) {
		if (i)
			*o++ = ',';
		o = copy_short(o, text[status[i * n_db]].name, text[status[i * n_db]].n);
	}
	return o;
}

/* --mark: FILTER with the name added. */
static uint8_t *
put_filter(const struct annot_work *w, uint8_t *o, const uint8_t *p, size_t n)
{
	const char *name = w->a->mark;
	size_t k = strlen(name);
	int none = (n == 1 && *p == '.') || (n == 4 && !memcmp(p, "PASS", 4)) || n == 0, there = 0;

	for (const uint8_t *q = p, *end = p + n; q < end && !there; ) {
		const uint8_t *semi = memchr(q, ';', (size_t)(end - q)), *stop = semi ? semi : end;

		there = (size_t)(stop - q) == k && !memcmp(q, name, k);
		q = stop + 1;
	}
	if (!none) {
		memcpy(o, p, n);
		o += n;
	}
	if (!none && !there)
		*o++ = ';';
	if (!there) {
		memcpy(o, name, k);
		o += k;
	}
	return o;
}

/* --explain: what was looked up, and what stands there. */
static void
put_explain(struct annot_work *w, const struct annot_tag *t, int d, int (*text)(struct annot_work *, int, int, struct str *))
{
	int any = 0;

	w->cell.n = 0;
	str_addn(&w->cell, t->key, t->n_key);
	for (int i = 0; i < w->n_alt; i++) {
		if (i)
			str_addn(&w->cell, ",", 1);
		if (text(w, d, i, &w->cell))
			any = 1;
		else
			str_addn(&w->cell, ".", 1);
	}
	if (!any)
		return;
	annot_room(w, w->cell.n);
	memcpy(w->out + w->n_out, w->cell.s, w->cell.n);
	w->n_out += w->cell.n;
}

/* --- the second pass ---------------------------------------------------------- */

/* Room for a record with all its tags: what a value takes at most, long texts apart, and what copies in one piece reach over. */
static inline void
room_for(struct annot_work *w, const struct line *l)
{
	const struct annot *a = w->a;

	w->room = l->end - l->at + a->n_mark + a->n_keys + (size_t)(a->n_tag + a->n_db) * ((size_t)w->n_alt * (FVAL_PRINT + 1) + 32) + 160;
	annot_room(w, w->room);
}

/* A record up to INFO's end, INFO without tags of ours; *semi = 1 when there is any of it, so that a tag needs its semicolon. */
static inline uint8_t *
put_head(const struct annot_work *w, uint8_t *o, const struct line *l, int marked, int *semi)
{
	const uint8_t *from = w->base + l->at, *p = w->base + l->info, *end = w->base + l->info_end;
	size_t n = (size_t)(end - p);

	if (marked) {
		o = copy_line(o, from, l->filter - l->at);
		o = put_filter(w, o, w->base + l->filter, l->info - 1 - l->filter);
		*o++ = '\t';
		from = p;
	}
	*semi = 0;
	if (n == 0 || (n == 1 && *p == '.'))
		return copy_line(o, from, (size_t)(p - from));
	if (!maybe_ours(w, p, n)) {
		*semi = end[-1] != ';';
		return copy_line(o, from, (size_t)(end - from));
	}
	o = copy_others(w, copy_line(o, from, (size_t)(p - from)), p, end, semi);
	*semi = *semi > 0;
	return o;
}

static int
put_line(struct annot_work *w, const struct line *l, int marked, struct err *e)
{
	uint8_t *o, before = 0;
	size_t at = 0;
	int semi, straight = w->straight && l->n_ask == 1;

	if (straight) {
		w->n_alt = 1;
		w->status = w->one_status;
		w->text.n = 0;
		w->n_held = 0;
		w->alts++;
		w->seen[w->now].alts++;
	}
	room_for(w, l);
	o = w->out + w->n_out;
	o = put_head(w, o, l, marked, &semi);
	/* Each tag begins with a semicolon.  Where the first needs none, it is put over what stands before, for now. */
	if (!semi) {
		before = *--o;
		at = (size_t)(o - w->out);
	}
	for (int d = 0; d < w->a->n_db; d++) {
		if (straight)
			o = put_asked(w, o, l, d, e);
		else if (w->any[d])
			o = put_fields(w, o, &w->a->db[d], e);
		o = put_status(w, o, d);
		if (w->a->explain) {
			w->n_out = (size_t)(o - w->out);
			put_explain(w, &w->a->db[d].query, d, annot_query_text);
			put_explain(w, &w->a->db[d].site, d, annot_site_text);
			room_for(w, l);
			o = w->out + w->n_out;
		}
	}
	if (!semi)
		w->out[at] = before;
	o = copy_line(o, w->base + l->info_end, l->end - l->info_end);
	w->n_out = (size_t)(o - w->out);
	return e->code;
}

int
annot_text(struct annot_work *w, struct chunk *c, struct err *e)
{
	if (e->code)
		return e->code;
	if (memchr(c->data, 0, c->n))
		return err_set(e, ERR_DATA, "a NUL byte among the records: the input is damaged");
	if (c->n && c->data[c->n - 1] != '\n')
		return err_set(e, ERR_DATA, "a line that does not end");
	annot_start(w, c);
	read_chunk(w, c, e);
	annot_straight(w);
	return annot_write(w, c, put_line, e);
}
