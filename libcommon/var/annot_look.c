/* annot_look - what was found for the record in hand, and whether it passes the filters; see annot.h */
#include <string.h>
#include "base/mem.h"
#include "var/annot_work.h"

#define LOOK_VALUES 65536               /* values, about, that are looked up together */

/* --- answers ------------------------------------------------------------------ */

/* Keeps a text until other asks are looked up; what stands for it. */
static fval
hold(struct annot_work *w, const char *s, size_t n)
{
	size_t at = w->text.n;

	if (w->n_held == w->cap_held) {
		w->cap_held = 2 * w->cap_held + 64;
		w->held = mem_renew(w->held, struct held, w->cap_held);
	}
	if (w->text.cap < at + n + 1 + TEXT_PAD) {
		w->text.cap = 2 * w->text.cap + n + 256;
		w->text.s = mem_renew(w->text.s, char, (long long)w->text.cap);
	}
	memcpy(w->text.s + at, s, n);
	w->text.s[at + n] = 0;
	w->text.n = at + n + 1;
	w->held[w->n_held] = (struct held){ at, n };
	return fval_of_text(w->n_held++ << 1 | 1);
}

static const char *
held(const struct annot_work *w, int64_t i, size_t *n)
{
	*n = w->held[i].n;
	return w->text.s + w->held[i].at;
}

const char *
annot_get(const struct annot_work *w, const struct annot_tag *t, fval v, size_t *n, struct err *e)
{
	int64_t ref = fval_text_ref(v);

	return ref & 1 ? held(w, ref >> 1, n) : w->a->db[t->db].freq->text(w->cursor[t->db], t->col, v, n, e);
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

/* --explain: what stands at the position of an ask, its number in held. */
static int64_t
look_site(struct annot_work *w, int d, const struct ask *q, int contig, struct err *e)
{
	if (q->how == ASK_NOT || contig < 0 || q->pos < 1)
		return -1;
	w->cell.n = 0;
	w->a->db[d].freq->at(w->cursor[d], contig, q->pos, add_site, &w->cell, e);
	if (!w->cell.n)
		return -1;
	hold(w, w->cell.s, w->cell.n);
	return w->n_held - 1;
}

/* Whether FILTER of a row says PASS, or nothing. */
static int
is_pass(struct annot_work *w, int d, fval v, struct err *e)
{
	const struct freq *f = w->a->db[d].freq;
	const char *s;
	size_t n;
	int pass;

	if (!fval_is_text(v))
		return 1;
	s = f->text(w->cursor[d], f->cols->filter, v, &n, e);
	pass = e->code || (n == 4 && !memcmp(s, "PASS", 4));
	if (pass && f->lasting && !(fval_text_ref(v) & 1))
		w->pass[d] = v;
	return pass;
}

/* Texts that do not last are kept; expressions need a NUL behind all of them. */
static void
keep_texts(struct annot_work *w, int d, fval *val, struct err *e)
{
	const struct annot_db *b = &w->a->db[d];
	const struct freq *f = b->freq;

	for (int t = 0; t < b->n_tag; t++)
		if (fval_is_text(val[t]) && (!f->lasting || w->a->expr || fval_text_ref(val[t]) & 1)) {
			size_t n;
			const char *s = f->text(w->cursor[d], b->col[t], val[t], &n, e);

			val[t] = e->code ? FVAL_MISSING : hold(w, s, n);
		}
}

/* The values of an allele that was found, val[n_tag of the database]. */
static inline enum freq_status
take_values(struct annot_work *w, int d, const struct freq_hit *hit, fval *val, struct err *e)
{
	const struct annot_db *b = &w->a->db[d];
	const struct freq *f = b->freq;
	struct freq_cursor *k = w->cursor[d];
	int pass = 1, keep = 1;

	if (f->values)
		keep = f->values(k, hit, b->col, b->n_tag, val, e);
	for (int t = 0; !f->values && t < b->n_tag; t++)
		val[t] = f->value(k, hit, b->col[t], e);
	if (f->cols->filter >= 0) {
		fval v = b->filter >= 0 ? val[b->filter - b->tag] : f->value(k, hit, f->cols->filter, e);

		pass = v == w->pass[d] || is_pass(w, d, v, e);
	}
	if (keep || w->a->expr)
		keep_texts(w, d, val, e);
	return pass ? FREQ_FOUND : FREQ_FOUND_FILTERED;
}

/* --- looking up ----------------------------------------------------------------- */

/* Asks one database. */
static inline enum freq_status
ask_one(struct annot_work *w, int d, const struct ask *q, struct freq_hit *hit, struct err *e)
{
	const char *base = q->pool ? w->pool.s : (const char *)w->base;
	int contig = w->seen[q->name].db[d];

	if (q->how == ASK_NOT)
		return FREQ_UNSUPPORTED;
	if (contig < 0)
		return FREQ_NO_CONTIG;
	if (q->pos < 1 || q->pos > UINT32_MAX)
		return FREQ_ABSENT;
	return w->a->db[d].freq->find(w->cursor[d], contig, q->pos, base + q->ref, q->n_ref, base + q->alt, q->n_alt, hit, e);
}

/* n asks of one database, those from `lo` on, or w->ask0 + order[0] and so on. */
static void
look_some(struct annot_work *w, int d, const uint32_t *order, int64_t lo, int64_t n, struct err *e)
{
	const struct annot *a = w->a;
	int n_db = a->n_db, n_tag = a->n_tag, explain = a->explain;
	fval *val = w->all_val + a->db[d].tag;
	uint8_t *status = w->all_status + d;
	int64_t *count = w->count + d * N_FREQ, ask0 = w->ask0;

	for (int64_t i = 0; i < n && !e->code; i++) {
		int64_t at = order ? order[i] : lo - ask0 + i;
		const struct ask *q = &w->ask[ask0 + at];
		struct freq_hit hit;
		enum freq_status s = ask_one(w, d, q, &hit, e);

		if (s == FREQ_FOUND) {
			s = take_values(w, d, &hit, val + at * n_tag, e);
			w->seen[q->name].found[d]++;
		}
		if (explain)
			w->all_site[at * n_db + d] = look_site(w, d, q, w->seen[q->name].db[d], e);
		status[at * n_db] = (uint8_t)s;
		count[s]++;
	}
}

/* Those who want to know what is coming are told, run by run; asks of lines lo to hi, the first of run r. */
static void
look_runs(struct annot_work *w, int d, int64_t r, int64_t lo, int64_t hi, struct err *e)
{
	const struct freq *f = w->a->db[d].freq;

	for (; r < w->n_run && w->run[r].line < hi && !e->code; r++) {
		int64_t from = w->run[r].line > lo ? w->run[r].line : lo, to = w->run[r].end < hi ? w->run[r].end : hi, n = 0, first, last;
		int contig = w->seen[w->run[r].name].db[d];

		if (from >= to)
			continue;
		first = w->line[from].ask;
		last = w->line[to - 1].ask + w->line[to - 1].n_ask;
		if (w->cap_pos < last - first) {
			w->cap_pos = 2 * (last - first);
			w->pos = mem_renew(w->pos, int64_t, w->cap_pos);
		}
		for (int64_t i = first; i < last && contig >= 0; i++)
			if (w->ask[i].how != ASK_NOT)
				w->pos[n++] = w->ask[i].pos;
		if (n)
			f->ahead(w->cursor[d], contig, w->pos, n, e);
		look_some(w, d, NULL, first, last - first, e);
	}
}

#define KEY_BITS 22
#define HALF_BITS (KEY_BITS / 2)

/* Bits of a key, the lower half and then the upper one. */
static void
sort_half(const uint32_t *key, const uint32_t *from, uint32_t *to, int64_t n, int shift)
{
	uint32_t at[(1 << HALF_BITS) + 1] = {0}, mask = (1 << HALF_BITS) - 1;

	for (int64_t i = 0; i < n; i++)
		at[(key[i] >> shift & mask) + 1]++;
	for (uint32_t i = 0; i < mask; i++)
		at[i + 1] += at[i];
	for (int64_t i = 0; i < n; i++)
		to[at[key[from[i]] >> shift & mask]++] = from[i];
}

/* Whether n asks go to and fro in the genome. */
static int
disordered(const struct ask *q, int64_t n)
{
	int64_t back = 0;

	for (int64_t i = 1; i < n; i++)
		back += q[i].name != q[i - 1].name || q[i].pos < q[i - 1].pos;
	return back > n / 8;
}

/* Puts n asks into an order that goes through the genome about once, so that neighbours in a database are asked for one after the
 * other. */
static void
in_order(struct annot_work *w, int64_t n)
{
	const struct ask *q = w->ask + w->ask0;
	uint64_t lo = UINT64_MAX, hi = 0;
	uint32_t *key = w->order;
	int shift = 0;

	for (int64_t i = 0; i < n; i++) {
		/* No contig is longer, or what is asked for there comes in another order. */
		uint64_t place = ((uint64_t)q[i].name << 28) + (uint64_t)q[i].pos;

		lo = place < lo ? place : lo;
		hi = place > hi ? place : hi;
	}
	while ((hi - lo) >> shift >> KEY_BITS)
		shift++;
	for (int64_t i = 0; i < n; i++) {
		key[i] = (uint32_t)((((uint64_t)q[i].name << 28) + (uint64_t)q[i].pos - lo) >> shift);
		w->order2[i] = (uint32_t)i;
	}
	sort_half(key, w->order2, w->order2 + n, n, 0);
	sort_half(key, w->order2 + n, w->order2, n, HALF_BITS);
}

/* Room for asks that are looked up together. */
static void
room_for_asks(struct annot_work *w, int64_t n)
{
	const struct annot *a = w->a;

	if (n <= w->cap_look)
		return;
	w->cap_look = n;
	w->order = mem_renew(w->order, uint32_t, n);
	w->order2 = mem_renew(w->order2, uint32_t, 2 * n);
	w->all_val = mem_renew(w->all_val, fval, n * a->n_tag + 1);
	w->all_status = mem_renew(w->all_status, uint8_t, n * a->n_db);
	if (a->explain)
		w->all_site = mem_renew(w->all_site, int64_t, n * a->n_db);
}

int
annot_look(struct annot_work *w, int64_t line, int64_t r, struct err *e)
{
	const struct annot *a = w->a;
	int64_t most = w->straight ? 0 : LOOK_VALUES / (a->n_tag + 1), hi = line, n;
	int sort;

	w->ask0 = w->line[line].ask;
	do {
		n = w->line[hi].ask + w->line[hi].n_ask - w->ask0;
		hi++;
	} while (hi < w->n_line && w->line[hi].ask + w->line[hi].n_ask - w->ask0 <= most);
	w->looked = hi;
	w->text.n = 0;
	w->n_held = 0;
	room_for_asks(w, n);
	for (int64_t i = 0; i < n; i++)
		w->seen[w->ask[w->ask0 + i].name].alts++;
	w->alts += n;
	sort = disordered(w->ask + w->ask0, n);
	if (sort)
		in_order(w, n);
	for (int d = 0; d < a->n_db && !e->code; d++) {
		if (a->db[d].freq->ahead)
			look_runs(w, d, r, line, hi, e);
		else
			look_some(w, d, sort ? w->order2 : NULL, w->ask0, n, e);
	}
	return e->code;
}

int
annot_one_by_one(const struct annot *a)
{
	for (int d = 0; d < a->n_db; d++)
		if (!a->db[d].freq->print)
			return 0;
	return !a->n_most && !a->expr && !a->explain;
}

int
annot_disordered(const struct annot_work *w)
{
	return w->to_and_fro;
}

void
annot_straight(struct annot_work *w)
{
	w->straight = annot_one_by_one(w->a);
	w->to_and_fro = w->straight && disordered(w->ask, w->n_ask);
	w->straight &= !w->to_and_fro;
}

uint8_t *
annot_one_ask(struct annot_work *w, int d, const struct line *l, uint8_t *o, struct err *e)
{
	const struct annot_db *b = &w->a->db[d];
	const struct ask *q = &w->ask[l->ask];
	struct freq_hit hit;
	enum freq_status s = ask_one(w, d, q, &hit, e);
	fval filter = FVAL_MISSING;
	uint8_t *to = o;

	if (s == FREQ_FOUND) {
		to = (uint8_t *)b->freq->print(w->cursor[d], &hit, (char *)o, &filter, e);
		if (!to)
			s = take_values(w, d, &hit, w->one_val + b->tag, e);
		else if (b->freq->cols->filter >= 0 && filter != w->pass[d] && !is_pass(w, d, filter, e))
			s = FREQ_FOUND_FILTERED;
		w->seen[q->name].found[d]++;
	}
	w->one_status[d] = (uint8_t)s;
	w->count[d * N_FREQ + s]++;
	return to;
}

/* --- a record ---------------------------------------------------------------------- */

static struct value
value_of(void *ctx, int tag, int64_t i)
{
	struct annot_work *w = ctx;
	const struct annot *a = w->a;
	int d = tag < a->n_tag ? a->tag[tag].db : tag - a->n_tag;
	enum freq_status s = w->status[i * a->n_db + d];
	struct value v = {0};
	fval x;
	size_t n;

	if (tag >= a->n_tag) {
		v.is_text = 1;
		v.s = freq_names[s];
		return v;
	}
	x = s == FREQ_FOUND || s == FREQ_FOUND_FILTERED ? w->val[i * a->n_tag + tag] : FVAL_MISSING;
	v.missing = x == FVAL_MISSING;
	if (fval_is_text(x)) {
		v.is_text = 1;
		v.s = fval_text_ref(x) & 1 ? held(w, fval_text_ref(x) >> 1, &n) : "";     /* expressions have it held */
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

/* ALTs that were not found have no values beside the others. */
static void
clear_values(struct annot_work *w, int d, int64_t at, int n)
{
	const struct annot *a = w->a;

	for (int64_t i = at; i < at + n; i++)
		if (w->all_status[i * a->n_db + d] > FREQ_FOUND_FILTERED)
			for (int t = 0; t < a->db[d].n_tag; t++)
				w->all_val[i * a->n_tag + a->db[d].tag + t] = FVAL_MISSING;
}

int
annot_take(struct annot_work *w, const struct line *l, struct err *e)
{
	const struct annot *a = w->a;
	int64_t at = l->ask - w->ask0;
	int n = (int)l->n_ask;

	w->n_alt = n;
	w->first = w->ask + l->ask;
	w->val = w->all_val + at * a->n_tag;
	w->status = w->all_status + at * a->n_db;
	w->site = a->explain ? w->all_site + at * a->n_db : NULL;
	for (int d = 0; d < a->n_db; d++) {
		int found = 0;

		for (int i = 0; i < n; i++)
			found += w->status[i * a->n_db + d] <= FREQ_FOUND_FILTERED;
		w->any[d] = found > 0;
		if (found && found < n)
			clear_values(w, d, l->ask - w->ask0, n);
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
	int64_t k = w->site[(int64_t)i * w->a->n_db + db];
	const char *s;
	size_t n;

	if (k < 0)
		return 0;
	s = held(w, k, &n);
	str_addn(out, s, n);
	return 1;
}

/* --- single variants ---------------------------------------------------------- */

int
annot_one(struct annot_work *w, const char *contig, size_t n_contig, int64_t pos, const char *ref, const char *alt, struct err *e)
{
	struct run *r;
	struct line *l;

	w->n_line = w->n_ask = w->n_run = 0;
	w->pool.n = 0;
	l = annot_add_line(w);
	memset(l, 0, sizeof *l);
	r = annot_add_run(w);
	memset(r, 0, sizeof *r);
	r->end = 1;
	r->name = annot_contig(w, contig, n_contig);
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
	if (!annot_look(w, 0, 0, e))
		annot_take(w, l, e);
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
	x = tag < a->n_tag ? w->val[tag] : FVAL_MISSING;
	if (v.missing) {
		str_add(out, ".");
	} else if (tag < a->n_tag && v.is_text) {
		size_t n;
		const char *s = annot_get(w, &a->tag[tag], x, &n, e);

		str_addn(out, s, n);
	} else if (v.is_text) {
		str_add(out, v.s);
	} else {
		str_addn(out, b, (size_t)fval_print(a->tag[tag].type, x, b));
	}
}
