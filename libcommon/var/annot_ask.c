/* annot_ask - what one thread needs: contigs, alleles in the form in which they are looked up, the buffer; see annot.h */
#include "var/annot_work.h"

#include <string.h>
#include "base/mem.h"

/* Upper case of ACGT in either case, 0 for everything else. */
static const uint8_t base_up[256] = { ['A'] = 'A', ['C'] = 'C', ['G'] = 'G', ['T'] = 'T', ['a'] = 'A', ['c'] = 'C', ['g'] = 'G', ['t'] = 'T' };

static int
get_bases(void *ctx, int64_t pos, int64_t n, uint8_t *dst, struct err *e)
{
	struct annot_work *w = ctx;

	return fasta_get(w->view, w->ref_contig, pos, n, dst, e);
}

struct annot_work *
annot_work(const struct annot *a, struct err *e)
{
	struct annot_work *w = mem_new(struct annot_work, 1);

	w->a = a;
	w->now = w->ref_contig = -1;
	w->cursor = mem_new(struct freq_cursor *, a->n_db);
	for (int i = 0; i < a->n_db && !e->code; i++)
		w->cursor[i] = a->db[i].freq->cursor(a->db[i].freq, e);
	for (int i = 0; i < a->n_db && !e->code; i++)
		if (a->db[i].freq->tags)
			a->db[i].freq->tags(w->cursor[i], a->db[i].print, a->db[i].n_tag);
	w->one_val = mem_new(fval, a->n_tag);
	w->one_status = mem_new(uint8_t, a->n_db);
	if (a->ref && !e->code)
		w->view = fasta_view(a->ref);
	w->seq.get = get_bases;
	w->seq.ctx = w;
	w->any = mem_new(uint8_t, a->n_db);
	w->printed = mem_new(struct printed, (int64_t)a->n_tag << PRINTED_BITS);
	w->pass = mem_new(fval, a->n_db);
	w->count = mem_new(int64_t, a->n_db * N_FREQ);
	return w;
}

void
annot_work_free(struct annot_work *w)
{
	if (!w)
		return;
	for (int i = 0; i < w->a->n_db; i++)
		if (w->cursor[i])
			w->a->db[i].freq->cursor_free(w->cursor[i]);
	mem_free(w->cursor);
	fasta_view_free(w->view);
	norm_clear(&w->norm);
	for (int64_t i = 0; i < w->n_seen; i++) {
		mem_free(w->name[i]);
		mem_free(w->seen[i].db);
		mem_free(w->seen[i].found);
	}
	mem_free(w->name);
	mem_free(w->seen);
	map_clear(&w->by_name);
	str_clear(&w->key);
	mem_free(w->ask);
	str_clear(&w->pool);
	mem_free(w->line);
	mem_free(w->run);
	mem_free(w->pos);
	mem_free(w->order);
	mem_free(w->order2);
	mem_free(w->all_val);
	mem_free(w->one_val);
	mem_free(w->one_status);
	mem_free(w->all_status);
	mem_free(w->all_site);
	mem_free(w->any);
	mem_free(w->printed);
	mem_free(w->pass);
	mem_free(w->held);
	str_clear(&w->text);
	str_clear(&w->cell);
	mem_free(w->out);
	mem_free(w->count);
	mem_free(w);
}

/* --- contigs ------------------------------------------------------------------ */

static int64_t
new_contig(struct annot_work *w, const char *name, size_t n)
{
	const struct annot *a = w->a;
	struct seen *s;
	int64_t length = -1, k = w->n_seen;
	int c = a->head ? hts_contig(a->head, name) : -1;

	if (k == w->cap_seen) {
		w->cap_seen = 2 * w->cap_seen + 32;
		w->seen = mem_renew(w->seen, struct seen, w->cap_seen);
		w->name = mem_renew(w->name, char *, w->cap_seen);
	}
	w->name[k] = mem_strndup(name, n);
	map_put(&w->by_name, w->name[k], k);
	s = &w->seen[w->n_seen++];
	memset(s, 0, sizeof *s);
	s->db = mem_new(int, a->n_db);
	s->found = mem_new(int64_t, a->n_db);
	s->ref = -1;
	if (c >= 0 && !a->any_length)
		length = hts_contig_length(a->head, c);
	for (int i = 0; i < a->n_db; i++) {
		const struct freq *f = a->db[i].freq;

		s->db[i] = (int)map_get(&a->db[i].contigs, name);
		if (s->db[i] < 0)
			s->db[i] = alias_find(a->db[i].alias, name, n, length);
		/* That a header lists it says nothing about it. */
		if (s->db[i] >= 0 && f->contig_rows && f->contig_rows[s->db[i]] == 0)
			s->db[i] = -1;
	}
	if (a->ref) {
		s->ref = fasta_find(a->ref, name, (int64_t)n);
		if (s->ref < 0)
			s->ref = fasta_alias(a->ref, name, (int64_t)n, length);
	}
	s->region = a->region ? region_contig(a->region, name, n) : -1;
	return k;
}

int64_t
annot_contig(struct annot_work *w, const char *name, size_t n)
{
	int64_t k;

	w->key.n = 0;
	str_addn(&w->key, name, n);
	k = map_get(&w->by_name, w->key.s);
	if (k < 0)
		k = new_contig(w, w->key.s, n);
	w->now = k;
	w->ref_contig = w->seen[k].ref;
	w->seq.length = w->ref_contig >= 0 ? fasta_length(w->a->ref, w->ref_contig) : 0;
	return k;
}

/* --- asks --------------------------------------------------------------------- */

static struct ask *
add_ask(struct annot_work *w)
{
	if (w->n_ask == w->cap_ask) {
		w->cap_ask = 2 * w->cap_ask + 1024;
		w->ask = mem_renew(w->ask, struct ask, w->cap_ask);
	}
	return &w->ask[w->n_ask++];
}

static void
to_pool(struct annot_work *w, struct ask *q, const char *ref, size_t n_ref, const char *alt, size_t n_alt)
{
	q->pool = 1;
	q->ref = w->pool.n;
	str_addn(&w->pool, ref, n_ref);
	q->alt = w->pool.n;
	str_addn(&w->pool, alt, n_alt);
	q->n_ref = (uint32_t)n_ref;
	q->n_alt = (uint32_t)n_alt;
}

/* Left-aligns what is trimmed already; stays as it is where the reference says otherwise. */
static int
align(struct annot_work *w, struct ask *q, const char *ref, const char *alt, struct err *e)
{
	struct allele two[2] = { { (const uint8_t *)ref, q->n_ref }, { (const uint8_t *)alt, q->n_alt } };
	enum norm_class k = norm_check(&w->seq, q->pos - 1, two[0], e);
	const char *s;
	int64_t n, m;

	if (k == NORM_REF_MISMATCH || k == NORM_OOB || k == NORM_REF_N) {
		w->mismatch++;
		return e->code;
	}
	if (norm_run(&w->norm, &w->seq, q->pos - 1, two, 2, 0, e) != NORM_SHIFTED || e->code)
		return e->code;
	q->pos = w->norm.pos + 1;
	s = norm_allele(&w->norm, 0, &n);
	alt = norm_allele(&w->norm, 1, &m);
	to_pool(w, q, s, (size_t)n, alt, (size_t)m);
	q->how = ASK_ALIGNED;
	w->aligned++;
	return e->code;
}

/* Alleles in upper case, in the pool where they are not; 0 when they hold anything but bases. */
static int
bases(struct annot_work *w, struct ask *q, const uint8_t *ref, size_t n_ref, const uint8_t *alt, size_t n_alt)
{
	unsigned lower = 0, all = 1;

	for (size_t i = 0; i < n_ref && all; i++) {
		all = base_up[ref[i]] != 0;
		lower |= ref[i] & 32;
	}
	for (size_t i = 0; i < n_alt && all; i++) {
		all = base_up[alt[i]] != 0;
		lower |= alt[i] & 32;
	}
	if (!all)
		return 0;
	if (lower) {
		to_pool(w, q, (const char *)ref, n_ref, (const char *)alt, n_alt);
		for (size_t i = q->ref; i < w->pool.n; i++)
			w->pool.s[i] = (char)base_up[(uint8_t)w->pool.s[i]];
	} else {
		q->pool = 0;
		q->ref = (size_t)(ref - w->base);
		q->alt = (size_t)(alt - w->base);
		q->n_ref = (uint32_t)n_ref;
		q->n_alt = (uint32_t)n_alt;
	}
	return 1;
}

void
annot_ask(struct annot_work *w, int64_t pos, const uint8_t *ref, size_t n_ref, const uint8_t *alt, size_t n_alt, struct err *e)
{
	struct ask *q = add_ask(w);
	const char *base, *r, *a;
	uint32_t cut;

	q->pos = pos;
	q->name = (int32_t)w->now;
	q->how = ASK_NOT;
	q->pool = 0;
	if (n_ref == 1 && n_alt == 1 && base_up[*ref] == *ref && base_up[*alt] == *alt && *ref != *alt) {
		q->how = ASK_AS_IS;
		q->ref = (size_t)(ref - w->base);
		q->alt = (size_t)(alt - w->base);
		q->n_ref = q->n_alt = 1;
		return;
	}
	if (n_ref == 0 || n_alt == 0 || n_ref > INT32_MAX || n_alt > INT32_MAX || !bases(w, q, ref, n_ref, alt, n_alt))
		return;
	base = q->pool ? w->pool.s : (const char *)w->base;
	r = base + q->ref;
	a = base + q->alt;
	if (n_ref == n_alt && (n_ref == 1 ? *r == *a : memcmp(r, a, n_ref) == 0))
		return;
	q->how = ASK_AS_IS;
	if (n_ref == 1 && n_alt == 1)
		return;
	cut = frows_trim(&r, &q->n_ref, &a, &q->n_alt);
	q->pos += cut;
	q->ref = (size_t)(r - base);
	q->alt = (size_t)(a - base);
	if (q->n_ref != n_ref || q->n_alt != n_alt) {
		q->how = ASK_TRIMMED;
		w->trimmed++;
	}
	/* Only what is longer or shorter can be spelled at another place. */
	if (w->ref_contig >= 0 && q->n_ref != q->n_alt)
		align(w, q, r, a, e);
}

/* --- buffers ------------------------------------------------------------------ */

void
annot_grow(struct annot_work *w, size_t n)
{
	size_t cap = w->cap_out + w->cap_out / 2;
	uint8_t *p;

	if (cap < w->n_out + n + CHUNK_PAD)
		cap = w->n_out + n + CHUNK_PAD;
	p = mem_raw(uint8_t, (long long)cap);
	if (w->n_out)
		memcpy(p, w->out, w->n_out);
	mem_free(w->out);
	w->out = p;
	w->cap_out = cap;
}

void
annot_start(struct annot_work *w, const struct chunk *c)
{
	size_t n = c->n + c->n / 2;

	w->base = c->data;
	w->n_line = w->n_ask = w->n_run = 0;
	w->pool.n = 0;
	w->n_out = 0;
	w->looked = 0;
	w->straight = 0;
	annot_room(w, n > w->most_out ? n : w->most_out);
}

struct line *
annot_add_line(struct annot_work *w)
{
	if (w->n_line == w->cap_line) {
		w->cap_line = 2 * w->cap_line + 1024;
		w->line = mem_renew(w->line, struct line, w->cap_line);
	}
	return &w->line[w->n_line++];
}

struct run *
annot_add_run(struct annot_work *w)
{
	if (w->n_run == w->cap_run) {
		w->cap_run = 2 * w->cap_run + 16;
		w->run = mem_renew(w->run, struct run, w->cap_run);
	}
	return &w->run[w->n_run++];
}

/* --- records that go out ------------------------------------------------------ */

/* A run is written: it becomes a segment; NULL: nothing to be done. */
static struct seg *
begin(struct annot_work *w, struct chunk *c, const struct run *r)
{
	struct seg *g;

	w->now = r->name;
	if (r->line == r->end)
		return NULL;
	g = chunk_add_seg(c);
	g->contig = r->id;
	g->n_name = r->n;
	g->name = (uint32_t)w->n_out;
	g->lo = g->hi = c->n_rec;
	return g;
}

/* A record that goes out, at out's end. */
static void
note(struct chunk *c, const struct line *l, size_t at)
{
	struct rec *r = chunk_add_rec(c);

	r->pos = l->pos;
	r->at = (uint32_t)at;
	r->skip = 0;
	c->stats.out++;
	c->seg[c->n_seg - 1].hi = c->n_rec;
}

/* A segment of which no record stayed is none. */
static void
end(struct chunk *c)
{
	if (c->n_seg && c->seg[c->n_seg - 1].lo == c->seg[c->n_seg - 1].hi)
		c->n_seg--;
}

static int
write_run(struct annot_work *w, struct chunk *c, const struct run *r, annot_put *put, struct err *e)
{
	struct seg *g = begin(w, c, r);

	for (int64_t i = r->line; g && i < r->end && !e->code; i++) {
		const struct line *l = &w->line[i];
		int keep;

		if (w->straight && l->n_ask == 1) {
			note(c, l, w->n_out);
			put(w, l, 0, e);
			continue;
		}
		if ((w->straight || i == w->looked) && annot_look(w, i, r - w->run, e))
			break;
		keep = annot_take(w, l, e);
		if (e->code)
			break;
		if (!keep && !w->a->mark) {
			c->stats.dropped++;
			continue;
		}
		note(c, l, w->n_out);
		put(w, l, !keep, e);
	}
	if (g)
		end(c);
	return e->code;
}

/* The buffer that was built takes the place of the chunk's bytes. */
static void
swap(struct annot_work *w, struct chunk *c)
{
	uint8_t *mem = c->mem;
	size_t cap = c->cap;

	annot_room(w, CHUNK_PAD);
	/* One huge line must not make all buffers huge. */
	if (w->n_out > w->most_out && w->n_out < 16 * CHUNK_BYTES)
		w->most_out = w->n_out + w->n_out / 8;
	c->mem = c->data = w->out;
	c->cap = w->cap_out;
	c->n = w->n_out;
	c->n_block = 0;
	w->out = mem;
	w->cap_out = cap;
	w->n_out = 0;
}

int
annot_write(struct annot_work *w, struct chunk *c, annot_put *put, struct err *e)
{
	for (int64_t i = 0; i < w->n_run && !e->code; i++)
		write_run(w, c, &w->run[i], put, e);
	if (!e->code)
		swap(w, c);
	return e->code;
}
