/* order - see order.h */
#include "var/order.h"

#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "os/file.h"

void
order_init(struct order *o, struct drain *k)
{
	memset(o, 0, sizeof *o);
	o->drain = k;
	o->contig = -1;
	o->spool = -1;
	o->last_pos = o->last_out = -1;
	o->open_seq = -1;
	o->keep = 4 * CHUNK_BYTES;
}

static void
wait_free(struct wait *w)
{
	mem_free(w->text);
}

void
order_free(struct order *o)
{
	for (int64_t i = 0; i < o->n_wait; i++)
		wait_free(&o->wait[i]);
	mem_free(o->wait);
	while (o->first) {
		struct chunk *c = o->first;

		o->first = c->next;
		chunk_free(c);
		mem_free(c);
	}
	while (o->spare) {
		struct chunk *c = o->spare;

		o->spare = c->next;
		chunk_free(c);
		mem_free(c);
	}
	if (o->spool >= 0)
		close(o->spool);
	strs_clear(&o->seen);
	for (int64_t i = 0; i < o->seen_map.cap; i++)
		mem_free((void *)(uintptr_t)o->seen_map.key[i]);
	map_clear(&o->seen_map);
	str_clear(&o->name);
	strs_clear(&o->keys);
	memset(o, 0, sizeof *o);
}

struct chunk *
order_chunk(struct order *o)
{
	struct chunk *c = o->spare;

	if (c) {
		o->spare = c->next;
		o->n_spare--;
		c->next = NULL;
		return c;
	}
	return mem_new(struct chunk, 1);
}

#define MOST_SPARE 24

static void
give_back(struct order *o, struct chunk *c)
{
	if (o->n_spare == MOST_SPARE) {
		chunk_free(c);
		mem_free(c);
		return;
	}
	c->file_at = -1;
	c->next = o->spare;
	o->spare = c;
	o->n_spare++;
}

/* --- the spool --------------------------------------------------------------- */

static int
spool_open(struct order *o, struct err *e)
{
	if (o->spool < 0)
		o->spool = file_temp(NULL, e);
	return e->code;
}

/* The parts of a chunk that are kept there: data, raw, arena, rec. */
struct part {
	void *p;
	size_t n;
};

static int64_t
parts_of(const struct chunk *c, struct part part[4])
{
	part[0] = (struct part){ c->data, c->n };
	part[1] = (struct part){ c->raw, c->n_raw };
	part[2] = (struct part){ c->arena.s, c->arena.n };
	part[3] = (struct part){ c->rec, (size_t)c->n_rec * sizeof *c->rec };
	return (int64_t)(part[0].n + part[1].n + part[2].n + part[3].n);
}

/* Puts a chunk into the spool, once, and gives its memory back. */
static int
store(struct order *o, struct chunk *c, struct err *e)
{
	struct part part[4];
	int64_t n = parts_of(c, part);

	if (spool_open(o, e))
		return e->code;
	if (c->file_at < 0) {
		c->file_at = o->spool_at;
		for (int i = 0; i < 4; o->spool_at += (int64_t)part[i++].n)
			file_pwrite(o->spool, part[i].p, part[i].n, o->spool_at, e);
	}
	o->held -= n;
	mem_free(c->mem);
	mem_free(c->raw);
	mem_free(c->arena.s);
	mem_free(c->rec);
	mem_free(c->edit);              /* they wait already */
	c->mem = c->data = c->raw = NULL;
	c->arena.s = NULL;
	c->rec = NULL;
	c->edit = NULL;
	c->cap = c->cap_raw = c->arena.cap = 0;
	c->cap_rec = c->cap_edit = c->n_edit = 0;
	return e->code;
}

static int
load(struct order *o, struct chunk *c, struct err *e)
{
	struct part part[4];
	int64_t at = c->file_at;

	if (at < 0 || c->mem || e->code)
		return e->code;
	c->cap = c->n + CHUNK_PAD;
	c->mem = c->data = mem_raw(uint8_t, (long long)c->cap);
	c->cap_raw = c->n_raw;
	c->raw = mem_new(uint8_t, (long long)c->n_raw);
	c->arena.cap = c->arena.n + 1;
	c->arena.s = mem_new(char, (long long)c->arena.cap);
	c->cap_rec = c->n_rec;
	c->rec = mem_new(struct rec, c->n_rec);
	o->held += parts_of(c, part);
	for (int i = 0; i < 4 && !e->code; at += (int64_t)part[i++].n)
		if (file_pread(o->spool, part[i].p, part[i].n, at, e) != (int64_t)part[i].n)
			err_set(e, ERR_SYSTEM, "the temporary file has shrunk");
	return e->code;
}

/* --- records that wait ------------------------------------------------------- */

static int
comes_after(const struct order *o, const struct wait *a, const struct wait *b)
{
	if (!o->unsorted && a->pos != b->pos)
		return a->pos > b->pos;
	return a->seq != b->seq ? a->seq > b->seq : a->sub > b->sub;
}

/* Keeps the list sorted; new ones belong near its end. */
static struct wait *
add_wait(struct order *o, const struct wait *w)
{
	int64_t i;

	if (o->n_wait == o->cap_wait) {
		o->cap_wait = 2 * o->cap_wait + 256;
		o->wait = mem_renew(o->wait, struct wait, o->cap_wait);
	}
	for (i = o->n_wait++; i > 0 && comes_after(o, &o->wait[i - 1], w); i--)
		o->wait[i] = o->wait[i - 1];
	o->wait[i] = *w;
	return &o->wait[i];
}

/* Whether some record that was written by the rule, at most `window` behind pos, lies behind to. */
static int
lands_in_written(struct order *o, const struct chunk *now, int64_t to, int64_t pos, struct err *e)
{
	int64_t limit = pos - o->window;

	if (limit <= to)
		return 0;
	if (o->last_out > to)
		return 1;
	for (int64_t i = 0; i < o->n_wait; i++)
		if (o->wait[i].pos > to && o->wait[i].pos <= limit)
			return 1;
	for (const struct chunk *c = o->first; c; c = c->next) {
		int64_t lo = c == o->first ? o->at_rec : 0;

		if (load(o, (struct chunk *)(uintptr_t)c, e))
			return 0;
		for (int64_t i = lo; i < c->n_rec; i++)
			if (!c->rec[i].skip && c->rec[i].pos > to && c->rec[i].pos <= limit)
				return 1;
		if (c == now)
			break;
	}
	return 0;
}

static int
take_edits(struct order *o, struct chunk *c, int seg, int64_t *at, struct err *e)
{
	int shift1 = !o->bcf;

	for (; *at < c->n_edit && c->edit[*at].seg == seg && !e->code; ++*at) {
		const struct edit *d = &c->edit[*at];
		struct wait w = { .pos = d->pos, .seq = o->n_rec + d->rec, .sub = d->sub, .c = c, .at = d->text, .n_text = d->n_text,
			.tail = d->tail, .n_tail = d->n_tail };
		int64_t from = c->rec[d->rec].pos;

		if (!o->unsorted && from - d->pos > o->window && lands_in_written(o, c, d->pos, from, e))
			return err_set(e, ERR_DATA, "%s:%lld moves %lld bases to the left, past records that are written already; -w %lld suffices",
			    o->name.s, (long long)from + !shift1, (long long)(from - d->pos), (long long)(from - d->pos));
		add_wait(o, &w);
	}
	return e->code;
}

/* --- writing ----------------------------------------------------------------- */

/* Position, name and alleles of a record for --dedup and the index; text only. */
static void
line_alleles(const char *p, size_t n, const char **ref, size_t *len)
{
	const char *end = p + n, *q = p;

	for (int i = 0; i < 3 && q; i++) {
		q = memchr(q, '\t', (size_t)(end - q));
		q = q ? q + 1 : NULL;
	}
	*ref = q;
	q = q ? memchr(q, '\t', (size_t)(end - q)) : NULL;
	q = q ? memchr(q + 1, '\t', (size_t)(end - q - 1)) : NULL;
	*len = *ref && q ? (size_t)(q - *ref) : 0;
}

/* Whether a record with these alleles stands at this position already; remembers it. */
static int
duplicate(struct order *o, int64_t pos, const char *p, size_t n)
{
	const char *ref;
	size_t len;
	struct str up = {0};
	int found = 0;

	if (pos != o->last_out)
		o->keys.n = 0, o->keys.buf.n = 0;
	if (o->bcf)
		hts_alleles((const uint8_t *)p, n, &up);
	else {
		line_alleles(p, n, &ref, &len);
		str_addn(&up, ref, len);
	}
	for (size_t i = 0; i < up.n; i++)
		if (up.s[i] >= 'a' && up.s[i] <= 'z')
			up.s[i] = (char)(up.s[i] - 32);
	for (int64_t i = 0; i < o->keys.n && !found; i++)
		found = strs_len(&o->keys, i) == up.n && memcmp(strs_get(&o->keys, i), up.s, up.n) == 0;
	if (!found)
		strs_add(&o->keys, up.s, up.n);
	str_clear(&up);
	o->dups += found;
	return found;
}

/* End of a text record for the index: behind REF, or INFO/END. */
static int64_t
line_end(const char *p, size_t n, int64_t pos)
{
	const char *ref, *q, *end = p + n;
	size_t len;
	int64_t v = 0;

	line_alleles(p, n, &ref, &len);
	if (!ref)
		return pos;
	q = memchr(ref, '\t', len);
	v = pos - 1 + (q ? q - ref : 1);
	q = ref + len;
	for (int i = 0; i < 3 && q; i++) {
		q = q < end ? memchr(q, '\t', (size_t)(end - q)) : NULL;
		q = q ? q + 1 : NULL;
	}
	while (q && q < end && *q != '\t') {
		int64_t x = 0;

		if (end - q > 4 && memcmp(q, "END=", 4) == 0) {
			for (q += 4; q < end && *q >= '0' && *q <= '9'; q++)
				x = 10 * x + (*q - '0');
			return x >= pos ? x : v;
		}
		while (q < end && *q != ';' && *q != '\t')
			q++;
		if (q < end && *q == ';')
			q++;
	}
	return v;
}

static void
mark(struct order *o, int64_t pos, const char *p, size_t n)
{
	if (!o->drain->index)
		return;
	if (o->bcf)
		drain_mark(o->drain, o->index_contig, pos, pos + hts_rlen((const uint8_t *)p, n));
	else
		drain_mark(o->drain, o->index_contig, pos - 1, line_end(p, n, pos));
}

static int
write_waiting(struct order *o, struct wait *w, struct err *e)
{
	struct str whole = {0};
	const char *text;

	if (w->c && load(o, w->c, e))
		return e->code;
	text = w->c ? w->c->arena.s + w->at : w->text;
	if (o->dedup || o->drain->index) {
		str_addn(&whole, text, w->n_text);
		if (w->c && w->n_tail)
			str_addn(&whole, w->c->data + w->tail, w->n_tail);
	}
	if (!o->dedup || !duplicate(o, w->pos, whole.s, whole.n)) {
		drain_bytes(o->drain, text, w->n_text, e);
		if (w->c && w->n_tail)
			drain_bytes(o->drain, w->c->data + w->tail, w->n_tail, e);
		for (int64_t at = 0; at < w->n_file && !e->code; ) {
			uint8_t b[1 << 16];
			int64_t n = w->n_file - at < (int64_t)sizeof b ? w->n_file - at : (int64_t)sizeof b;

			if (file_pread(o->spool, b, (size_t)n, w->file_at + at, e) != n)
				err_set(e, ERR_SYSTEM, "the temporary file has shrunk");
			drain_bytes(o->drain, b, (size_t)n, e);
			drain_flush(o->drain, e);
			at += n;
		}
		mark(o, w->pos, whole.s, whole.n);
		o->last_out = w->pos;
	}
	str_clear(&whole);
	return e->code;
}

/* Waiting records of a chunk that goes away keep their bytes themselves. */
static int
detach(struct order *o, struct chunk *c, struct err *e)
{
	for (int64_t i = 0; i < o->n_wait && !e->code; i++) {
		struct wait *w = &o->wait[i];
		struct str t = {0};

		if (w->c != c || load(o, c, e))
			continue;
		str_addn(&t, c->arena.s + w->at, w->n_text);
		if (w->n_tail)
			str_addn(&t, c->data + w->tail, w->n_tail);
		w->text = t.s;
		w->n_text = t.n;
		w->c = NULL;
	}
	return e->code;
}

static void
release(struct order *o, struct err *e)
{
	struct chunk *c = o->first;
	struct part part[4];

	if (o->drain->kind == DRAIN_PLAIN)
		drain_flush(o->drain, e);         /* it refers to the chunk's bytes */
	detach(o, c, e);
	o->held -= c->file_at >= 0 && !c->mem ? 0 : parts_of(c, part);
	if (c->cap > o->keep) {           /* not to be kept for good */
		mem_free(c->mem);
		c->mem = c->data = NULL;
		c->cap = 0;
	}
	if (c->arena.cap > 4 * CHUNK_BYTES)
		str_clear(&c->arena);
	o->first = c->next;
	if (!o->first)
		o->last = NULL;
	o->first_seq += c->n_rec;
	o->at_rec = 0;
	o->at_done = 0;
	give_back(o, c);
}

/* Records of `first` from at_rec on, those that wait merged in, up to record stop and position limit.  Returns
 * 1 when stop was reached. */
static int
write_chunk(struct order *o, int64_t stop, int64_t limit, int64_t *done, struct err *e)
{
	struct chunk *c = o->first;
	int64_t i = o->at_rec, from = i;
	int one = o->dedup || o->drain->index != NULL;

	for (; i < stop && !e->code; i++) {
		const struct rec *r = &c->rec[i];
		const struct wait *w = *done < o->n_wait ? &o->wait[*done] : NULL;

		if (!o->unsorted && r->pos > limit)
			break;
		while (w && (o->unsorted ? w->seq < o->first_seq + i : w->pos < r->pos || (w->pos == r->pos && w->seq < o->first_seq + i))) {
			if (i > from)
				drain_span(o->drain, c, c->rec[from].at, r->at, e);
			from = i;
			write_waiting(o, &o->wait[(*done)++], e);
			w = *done < o->n_wait ? &o->wait[*done] : NULL;
		}
		if (!r->skip && one) {
			const char *p = (const char *)c->data + r->at;
			size_t n = chunk_rec_end(c, i) - r->at;

			if (!o->dedup || !duplicate(o, r->pos, p, n)) {
				drain_span(o->drain, c, r->at, r->at + n, e);
				mark(o, r->pos, p, n);
				o->last_out = r->pos;
			}
			from = i + 1;
		} else if (r->skip) {
			if (i > from)
				drain_span(o->drain, c, c->rec[from].at, r->at, e);
			from = i + 1;
		} else {
			o->last_out = r->pos;
		}
	}
	if (i > from && !e->code)
		drain_span(o->drain, c, c->rec[from].at, i < c->n_rec ? c->rec[i].at : c->n, e);
	o->at_rec = i;
	return i == stop;
}

/* The first *done of those that wait are written. */
static void
forget(struct order *o, int64_t *done, struct err *e)
{
	if (*done == 0)
		return;
	if (o->drain->kind == DRAIN_PLAIN)
		drain_flush(o->drain, e);
	for (int64_t i = 0; i < *done; i++)
		wait_free(&o->wait[i]);
	memmove(o->wait, o->wait + *done, (size_t)(o->n_wait - *done) * sizeof *o->wait);
	o->n_wait -= *done;
	*done = 0;
}

/* Writes up to record stop_rec of chunk `to` (NULL: all that is held), positions up to limit; then what waits. */
static int
write_until(struct order *o, struct chunk *to, int64_t stop_rec, int64_t limit, struct err *e)
{
	int64_t done = 0;

	while (o->first && !e->code) {
		struct chunk *c = o->first;
		int last = c == to;

		load(o, c, e);
		if (c->flags & CHUNK_MORE) {
			if (!o->at_done)
				drain_span(o->drain, c, 0, c->n, e);
			o->at_done = 1;
			if (last)
				break;
			release(o, e);
			continue;
		}
		if (!write_chunk(o, last ? stop_rec : c->n_rec, limit, &done, e) || last || e->code)
			break;
		forget(o, &done, e);
		release(o, e);
	}
	/* A record whose bytes are still to come stays; no other that waits could go out before it. */
	while (!e->code && done < o->n_wait && (o->unsorted || o->wait[done].pos <= limit) && o->wait[done].seq != o->open_seq)
		write_waiting(o, &o->wait[done++], e);
	forget(o, &done, e);
	return e->code;
}

int
order_write(struct order *o, int end, struct err *e)
{
	int64_t limit = end || o->unsorted ? INT64_MAX : o->last_pos - o->window;

	write_until(o, NULL, 0, limit, e);
	if (o->drain->kind == DRAIN_PLAIN)
		drain_flush(o->drain, e);
	for (struct chunk *c = o->first; c && o->held > o->room && !e->code; c = c->next)
		if (c->mem && c->n)
			store(o, c, e);
	return e->code;
}

/* --- taking in --------------------------------------------------------------- */

/* The contig of a segment begins: everything of the one before goes out. */
static int
new_contig(struct order *o, struct chunk *c, const struct seg *g, const char *name, size_t n, struct err *e)
{
	/* An index learns of a contig's records before it learns of the next contig. */
	if (!o->unsorted || o->drain->index)
		write_until(o, c, g->lo, INT64_MAX, e);
	o->name.n = 0;
	str_addn(&o->name, name, n);
	o->contig = g->contig;
	o->last_pos = o->last_out = -1;
	o->keys.n = 0, o->keys.buf.n = 0;
	if (o->drain->index)
		o->index_contig = hts_index_contig(o->drain->index, o->name.s);
	if (e->code)
		return e->code;
	if (map_get(&o->seen_map, o->name.s) < 0) {
		map_put(&o->seen_map, mem_strdup(o->name.s), o->seen.n);
		strs_add(&o->seen, o->name.s, o->name.n);
	} else if (!o->unsorted) {
		err_set(e, ERR_DATA, "unsorted: contig %s comes again at position %lld after another contig; sort it first (bcftools sort), "
		    "or pass --unsorted ok", o->name.s, (long long)c->rec[g->lo].pos + o->bcf);
	}
	return e->code;
}

static int
more_of_long(struct order *o, struct chunk *c, struct err *e)
{
	struct wait *w = NULL;

	for (int64_t i = 0; i < o->n_wait; i++)
		if (o->wait[i].seq == o->n_rec - 1)
			w = &o->wait[i];
	if (!(c->flags & CHUNK_OPEN))
		o->open_seq = -1;
	if (w && !spool_open(o, e)) {
		if (!w->n_file)
			w->file_at = o->spool_at;
		file_pwrite(o->spool, c->data, c->n, o->spool_at, e);
		w->n_file += (int64_t)c->n;
		o->spool_at += (int64_t)c->n;
	}
	give_back(o, c);
	return e->code;
}

int
order_add(struct order *o, struct chunk *c, struct err *e)
{
	struct part part[4];
	int64_t at = 0;

	if (e->code) {
		chunk_free(c);
		mem_free(c);
		return e->code;
	}
	if (c->flags & CHUNK_MORE && o->open_skip)
		return more_of_long(o, c, e);
	c->next = NULL;
	c->file_at = -1;
	if (o->last)
		o->last->next = c;
	else {
		o->first = c;
		o->first_seq = o->n_rec;
		o->at_rec = 0;
		o->at_done = 0;
	}
	o->last = c;
	o->held += parts_of(c, part);
	for (int i = 0; i < c->n_seg && !e->code; i++) {
		const struct seg *g = &c->seg[i];
		const char *name = o->bcf ? hts_contig_name(o->head, g->contig) : (const char *)c->data + g->name;
		size_t n = o->bcf ? (name ? strlen(name) : 0) : g->n_name;

		if (g->lo == g->hi)
			continue;
		if (o->bcf && !name)
			return err_set(e, ERR_DATA, "a record's contig number %d is not in the header", g->contig);
		if (n != o->name.n || !o->name.s || memcmp(name, o->name.s, n))
			new_contig(o, c, g, name, n, e);
		else if (!o->unsorted && c->rec[g->lo].pos < o->last_pos)
			err_set(e, ERR_DATA, "unsorted: %s:%lld comes after %s:%lld; sort it first (bcftools sort), or pass --unsorted ok", o->name.s,
			    (long long)c->rec[g->lo].pos + o->bcf, o->name.s, (long long)o->last_pos + o->bcf);
		if (!e->code) {
			take_edits(o, c, i, &at, e);
			o->last_pos = c->rec[g->hi - 1].pos;
		}
	}
	o->n_rec += c->n_rec;
	if (c->flags & CHUNK_OPEN && !(c->flags & CHUNK_MORE))
		o->open_skip = c->n_rec > 0 && c->rec[c->n_rec - 1].skip;
	if (c->flags & CHUNK_OPEN && !(c->flags & CHUNK_MORE) && o->open_skip)
		o->open_seq = o->n_rec - 1;
	return e->code;
}
