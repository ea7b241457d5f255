/* set_rows - see set.h: passes over a sparse matrix, block by block
 *
 * A wave of stored blocks is read by one thread, decoded by all, cut and joined
 * to full blocks where rows were dropped, handed to the caller's function by all, and
 * summed in order.  From a pipe the first pass puts what it read into the spool.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "cell/set.h"
#include "stream/codec.h"

#define SLOT_MOST 64

struct source {
	struct set *set;
	struct sect *sect;
	int flags;
	const int64_t *keep;    /* rows, or NULL for all */
	int64_t n_keep;
	int64_t n_col;          /* given out */
	int32_t *column;        /* [n_col stored] -> number given out, or -1 */
	int identity;           /* column[i] == i: nothing to map */
	int n_slot;
	struct str *stored, *scratch;   /* [n_slot] */
	struct csr *decoded, *full;     /* [n_slot] each; [n_slot + 1] full */
	struct block *block;
	/* state of a pass */
	int64_t next;           /* stored block that comes next */
	int64_t given;          /* rows given out */
	int64_t at_keep;
	rows_fn *fn;
	void *ctx;
	struct csr **give;      /* [n_slot + 1] blocks of the wave, in order */
};

static int
not_a_count(struct source *s, const struct csr *m, struct err *e)
{
	for (int64_t i = 0; i < m->n_row; i++)
		for (int64_t k = m->ptr[i]; k < m->ptr[i + 1]; k++) {
			double v = m->val[k];

			if (!(v >= 0 && v <= 4294967295.0) || v != floor(v))
				return err_set(e, ERR_DATA, "%s: row %lld holds %g, which is no count; import the raw counts "
				    "(ovx-import --layer counts, or --raw)", head_path(&s->sect->head),
				    (long long)(m->row0 + i + 1), v);
		}
	return 0;
}

/* Renumbers columns in place and drops those that are left out. */
static void
map_columns(const struct source *s, struct csr *m)
{
	int64_t w = 0, r = 0;

	for (int64_t i = 0; i < m->n_row; i++) {
		for (; r < m->ptr[i + 1]; r++) {
			int32_t c = s->column[m->col[r]];

			if (c < 0)
				continue;
			m->col[w] = c;
			m->val[w++] = m->val[r];
		}
		m->ptr[i + 1] = w;
	}
}

static int
decode_slots(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct source *s = ctx;

	(void)worker;
	for (int64_t i = lo; i < hi && !e->code; i++) {
		struct csr *m = &s->decoded[i];

		if (codec_decode_csr(&s->sect->head, &s->block[i], s->stored[i].s, m, &s->scratch[i], e))
			return e->code;
		if (s->flags & SET_COUNTS && s->block[i].codec != CODEC_PACK && not_a_count(s, m, e))
			return e->code;
		if (!s->identity)
			map_columns(s, m);
		m->n_col = s->n_col;
		if (!s->keep)
			return s->fn(s->ctx, m, (int)i, e);
	}
	return e->code;
}

static int
call_slots(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct source *s = ctx;

	(void)hi;
	(void)worker;
	return s->fn(s->ctx, s->give[lo], (int)lo, e);
}

/* Appends the kept rows of m to the open block; full ones go to give. */
static int
join_rows(struct source *s, const struct csr *m, int n_give)
{
	struct csr *to = &s->full[n_give];

	for (int64_t i = 0; i < m->n_row && s->at_keep < s->n_keep; i++) {
		int64_t n = m->ptr[i + 1] - m->ptr[i], at;

		if (s->keep[s->at_keep] != m->row0 + i)
			continue;
		s->at_keep++;
		csr_reserve(to, ROWS_BLOCK, to->ptr && to->n_row ? to->ptr[to->n_row] + n : n);
		at = to->n_row ? to->ptr[to->n_row] : 0;
		to->ptr[0] = 0;
		memcpy(to->col + at, m->col + m->ptr[i], (size_t)n * sizeof *to->col);
		memcpy(to->val + at, m->val + m->ptr[i], (size_t)n * sizeof *to->val);
		to->ptr[++to->n_row] = at + n;
		if (to->n_row == ROWS_BLOCK || s->at_keep == s->n_keep) {
			to->row0 = s->given;
			s->given += to->n_row;
			s->give[n_give] = to;
			to = &s->full[++n_give];
			to->n_row = 0;
		}
	}
	return n_give;
}

/* Reads the next blocks into the slots, as many as memory allows; their number. */
static int
read_wave(struct source *s, struct err *e)
{
	struct sect *t = s->sect;
	int64_t bytes = 0;
	int n = 0;

	while (n < s->n_slot && !e->code) {
		struct block *b = &s->block[n];
		int piped = !t->complete && t->in->size < 0;

		if (piped) {
			if (!in_block(t->in, b, e))
				break;
			in_take(t->in, b, &s->stored[n], e);
			if (!e->code)
				in_note(t, b, spool_add(t->in->spool, s->stored[n].s, b->stored, e));
			if (t->complete)
				set_done(t);
			s->next = t->n_block;
		} else {
			if (s->next >= t->n_block)
				break;
			*b = t->block[s->next];
			in_load(t, s->next++, &s->stored[n], e);
		}
		if (b->prelude)
			continue;
		n++;
		bytes += b->stored + 14 * b->n_item;    /* 12 decoded, and room to grow */
		/* The next one is taken to be as large as the largest can be expected. */
		if (s->set->wave_bytes && bytes + bytes / n > s->set->wave_bytes)
			break;
	}
	return n;
}

static int
source_pass(struct rows *r, rows_fn *fn, rows_fn *sum, void *ctx, struct err *e)
{
	struct source *s = r->self;
	int n;

	s->fn = fn;
	s->ctx = ctx;
	s->next = s->given = s->at_keep = 0;
	s->full[0].n_row = 0;
	if (s->sect->in->size >= 0)
		in_heads(s->sect, e);
	while ((n = read_wave(s, e)) > 0 && !e->code) {
		int n_give = 0;

		if (!s->keep) {
			par_for(s->set->par, n, 1, decode_slots, s, e);
			for (int i = 0; i < n && sum && !e->code; i++)
				sum(ctx, &s->decoded[i], i, e);
		} else {
			par_for(s->set->par, n, 1, decode_slots, s, e);
			for (int i = 0; i < n && !e->code; i++)
				n_give = join_rows(s, &s->decoded[i], n_give);
			par_for(s->set->par, n_give, 1, call_slots, s, e);
			for (int i = 0; i < n_give && sum && !e->code; i++)
				sum(ctx, s->give[i], i, e);
			if (n_give > 0) {       /* the open block moves to the front */
				struct csr open = s->full[n_give];

				s->full[n_give] = s->full[0];
				s->full[0] = open;
			}
		}
		if (s->set->tick)
			s->set->tick(s->sect->block ? s->block[n - 1].row0 + s->block[n - 1].n_row : 0, s->sect->head.n_row);
	}
	return e->code;
}

static int
start(struct set *s, const char *path, struct rows *r, struct source **out, int32_t **order, struct item **it, struct err *e)
{
	struct source *t;

	memset(r, 0, sizeof *r);
	*it = set_need(s, path, "import counts with ovx-import", e);
	if (!*it)
		return e->code;
	if ((*it)->s->head.kind != KIND_SPARSE)
		return err_set(e, ERR_DATA, "%s is a %s section, not a sparse matrix", path, kind_name((*it)->s->head.kind));
	if (set_order(s, (*it)->s, order, e))
		return e->code;
	t = mem_new(struct source, 1);
	t->set = s;
	t->sect = (*it)->s;
	t->keep = set_selection(s, *it, 0);
	t->n_keep = set_rows_of(s, *it);
	t->n_slot = 2 * par_n(s->par) + (par_n(s->par) > 1);
	if (t->n_slot > SLOT_MOST)
		t->n_slot = SLOT_MOST;
	t->stored = mem_new(struct str, t->n_slot);
	t->scratch = mem_new(struct str, t->n_slot);
	t->decoded = mem_new(struct csr, t->n_slot);
	t->full = mem_new(struct csr, t->n_slot + 2);
	t->block = mem_new(struct block, t->n_slot);
	t->give = mem_new(struct csr *, t->n_slot + 2);
	t->column = mem_new(int32_t, t->sect->head.n_col);
	r->n_row = t->n_keep;
	r->n_col = t->n_col = set_cols_of(s, *it);
	r->n_slot = t->n_slot + 1;
	r->self = t;
	r->pass = source_pass;
	for (int i = 0; i < t->n_slot + 2; i++)
		t->full[i].n_col = r->n_col;
	*out = t;
	return 0;
}

/* Old column -> new column of the current axis, -1 = dropped. */
static int32_t *
new_columns(struct set *s, const struct item *it)
{
	const int64_t *keep = set_selection(s, it, 1);
	int64_t n_old = it->s->head.n_col, n = set_cols_of(s, it);
	int32_t *to = mem_new(int32_t, n_old);

	for (int64_t i = 0; i < n_old; i++)
		to[i] = keep ? -1 : (int32_t)i;
	for (int64_t i = 0; keep && i < n; i++)
		to[keep[i]] = (int32_t)i;
	return to;
}

int
set_rows(struct set *s, const char *path, struct rows *r, struct err *e)
{
	struct source *t;
	struct item *it;
	int32_t *order = NULL, *to;

	if (start(s, path, r, &t, &order, &it, e)) {
		mem_free(order);
		return e->code;
	}
	to = new_columns(s, it);
	t->identity = 1;
	for (int64_t i = 0; i < it->s->head.n_col; i++) {
		t->column[i] = to[order[i]];
		t->identity &= t->column[i] == i;
	}
	mem_free(to);
	mem_free(order);
	return 0;
}

int
set_rows_stored(struct set *s, const char *path, struct rows *r, int32_t **order, struct err *e)
{
	struct source *t;
	struct item *it;
	int32_t *to, n = 0;

	*order = NULL;
	if (start(s, path, r, &t, order, &it, e))
		return e->code;
	to = new_columns(s, it);
	t->identity = 1;
	for (int64_t i = 0; i < it->s->head.n_col; i++) {
		int32_t c = to[(*order)[i]];

		if (c >= 0)
			(*order)[n] = c;
		t->column[i] = c < 0 ? -1 : n++;
		t->identity &= t->column[i] == i;
	}
	mem_free(to);
	return 0;
}

void
set_rows_flags(struct rows *r, int flags)
{
	((struct source *)r->self)->flags = flags;
}

void
set_rows_clear(struct rows *r)
{
	struct source *s = r->self;

	if (!s)
		return;
	for (int i = 0; i < s->n_slot; i++) {
		str_clear(&s->stored[i]);
		str_clear(&s->scratch[i]);
		csr_clear(&s->decoded[i]);
	}
	for (int i = 0; i < s->n_slot + 2; i++)
		csr_clear(&s->full[i]);
	mem_free(s->stored);
	mem_free(s->scratch);
	mem_free(s->decoded);
	mem_free(s->full);
	mem_free(s->block);
	mem_free(s->give);
	mem_free(s->column);
	mem_free(s);
	memset(r, 0, sizeof *r);
}

/* The gene order of a sparse section: its prelude, or the identity.  A pipe is
 * read up to it. */
int
set_order(struct set *s, struct sect *t, int32_t **order, struct err *e)
{
	int64_t n = t->head.n_col;
	uint8_t *seen = NULL;
	struct str buf = {0}, raw = {0};
	struct block b;

	*order = NULL;
	if (t->head.prelude && !t->complete && t->in->size < 0 && t->n_block == 0 && in_block(t->in, &b, e)) {
		in_take(t->in, &b, &buf, e);
		if (!e->code)
			in_note(t, &b, spool_add(&s->spool, buf.s, b.stored, e));
	}
	if (t->head.prelude && !e->code) {
		if (t->in->size >= 0)
			in_heads(t, e);
		if (!e->code) {
			b = t->block[0];
			in_load(t, 0, &buf, e);
		}
		if (!e->code)
			codec_decode(&t->head, &b, buf.s, &raw, e);
	}
	/* Only now is n known to be no lie. */
	if (!e->code) {
		*order = mem_new(int32_t, n);
		seen = mem_new(uint8_t, n);
		for (int64_t i = 0; i < n; i++)
			(*order)[i] = (int32_t)i;
		if (t->head.prelude)
			memcpy(*order, raw.s, raw.n);
	}
	for (int64_t i = 0; i < n && !e->code; i++) {
		int32_t c = (*order)[i];

		if (c < 0 || c >= n || seen[c])
			err_set(e, ERR_DATA, "damaged: %s: gene order", head_path(&t->head));
		else
			seen[c] = 1;
	}
	mem_free(seen);
	str_clear(&buf);
	str_clear(&raw);
	return e->code;
}

int64_t
set_nnz(struct set *s, const char *path, struct err *e)
{
	struct item *it = set_need(s, path, NULL, e);
	int64_t n = 0;

	if (!it || (it->pending && !it->s->complete) || in_heads(it->s, e))
		return -1;
	for (int64_t i = 0; i < it->s->n_block; i++)
		if (!it->s->block[i].prelude)
			n += it->s->block[i].n_item;
	return n;
}

int64_t
set_block_bytes(struct set *s, const char *path, struct err *e)
{
	struct item *it = set_need(s, path, NULL, e);
	int64_t most = 0;

	if (!it)
		return 0;
	if (it->pending && !it->s->complete)    /* a tenth of the values is what dense data has */
		return ROWS_BLOCK * it->s->head.n_col / 10 * 15;
	if (in_heads(it->s, e))
		return 0;
	for (int64_t i = 0; i < it->s->n_block; i++) {
		int64_t b = it->s->block[i].stored + 14 * it->s->block[i].n_item;

		most = b > most ? b : most;
	}
	return most;
}
