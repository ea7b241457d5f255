/* set_rows - see set.h: passes over a sparse matrix, block by block
 *
 * A wave of stored blocks is read by one thread.  The blocks that are given out are of rows that are kept, so each may
 * take from several stored ones; it is one thread's, which passes over what is not its own.  The decoded rows go to the
 * caller's function a strip at a time, while they are in the cache; sums follow in order.  From a
 * pipe the first pass puts what it read into the spool.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "cell/set.h"
#include "stream/codec.h"
#include "stream/pack.h"

#define SLOT_MOST 64

struct source {
	struct set *set;
	struct sect *sect;
	int flags;
	const int64_t *keep;    /* rows, or NULL for all */
	int64_t n_keep;
	int64_t n_col;          /* given out */
	int32_t *column;        /* [n_col stored, rounded up to 64] -> number given out, or -1 */
	int identity;           /* column[i] == i: nothing to map */
	int drop;               /* some column is left out */
	int n_slot;             /* stored blocks in a wave, and blocks in the making at a time, at most */
	int n_use;              /* in this pass, as memory allows */
	int64_t most;           /* bytes of a block in this pass */
	struct str *stored;     /* [n_slot] of the wave */
	struct block *block;    /* [n_slot] */
	int n_block;
	struct csr *piece;      /* [n_slot + 1]: a block that a wave ends in stays open */
	struct codec_reader *reader;    /* [n_thread] */
	int n_thread;
	int64_t lo, hi;         /* rows to give out, all but for set_rows_range */
	/* state of a pass */
	int64_t next;           /* stored block that comes next */
	int64_t given;          /* rows given out */
	int64_t known;          /* rows that lie before the wave's end */
	rows_fn *fn;
	void *ctx;
};

static int
slot_of(const struct source *s, int64_t block)
{
	return (int)(block % (s->n_use + 1));
}

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

/* Drops the columns that are left out. */
static void
drop_columns(struct csr *m)
{
	int64_t w = 0, r = 0;

	for (int64_t i = 0; i < m->n_row; i++) {
		for (; r < m->ptr[i + 1]; r++) {
			m->col[w] = m->col[r];
			m->val[w] = m->val[r];
			w += m->col[r] >= 0;
		}
		m->ptr[i + 1] = w;
	}
}

/* Gives out the rows that a piece has; the next one starts behind them. */
static int
give(struct source *s, struct csr *m, int slot, struct err *e)
{
	if (e->code || m->n_row == 0)
		return e->code;
	if (s->drop)
		drop_columns(m);
	s->fn(s->ctx, m, slot, e);
	m->row0 += m->n_row;
	m->n_row = 0;
	return e->code;
}

static int64_t
row_of(const struct source *s, int64_t k)
{
	return s->keep ? s->keep[k] : k;
}

/* The rows from k on that stand in stored block i, to the piece and on; returns the first that does not. */
static int64_t
take_rows(struct source *s, struct codec_reader *c, int i, int64_t k, int64_t end, struct csr *m, int slot, struct err *e)
{
	const struct block *b = &s->block[i];
	int64_t behind = b->row0 + b->n_row;
	int whole = s->flags & SET_WHOLE;
	/* who takes the block's first row checks it */
	int first = k == s->lo || row_of(s, k - 1) < b->row0;

	if (codec_open(c, &s->sect->head, b, s->stored[i].s, first, e))
		return k;
	if (s->flags & SET_COUNTS && b->codec != CODEC_PACK && not_a_count(s, &c->m, e))
		return k;
	if (whole)
		csr_reserve(m, ROWS_BLOCK, (m->n_row ? m->ptr[m->n_row] : 0) + b->n_item);
	for (int64_t at = b->row0; k < end && row_of(s, k) < behind && !e->code; ) {
		int64_t n = 0, full = m->n_row ? m->ptr[m->n_row] : 0, fit;

		codec_skip(c, row_of(s, k) - at, e);
		at = row_of(s, k);
		fit = codec_fit(c, whole ? PACK_STRIP : PACK_STRIP - full);
		if (m->n_row && fit == 0 && !whole) {
			give(s, m, slot, e);
			continue;
		}
		for (fit = fit ? fit : 1; n < fit && k + n < end && row_of(s, k + n) == at + n; n++)
			;
		codec_take(c, n, s->identity ? NULL : s->column, !(s->flags & SET_COLUMNS), m, e);
		k += n;
		at += n;
		if (at == behind)
			codec_end(c, e);
	}
	return k;
}

/* Blocks lo .. hi - 1 behind the last one that was given out, as far as the wave has them. */
static int
make_blocks(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct source *s = ctx;

	for (int64_t o = s->given / ROWS_BLOCK + lo; lo < hi && !e->code; lo++, o++) {
		int64_t k = o * ROWS_BLOCK, end = k + ROWS_BLOCK;
		int slot = slot_of(s, o);
		struct csr *m = &s->piece[slot];

		if (k < s->given) {
			k = s->given;
		} else {
			m->row0 = k;
			m->n_row = 0;
			csr_reserve(m, ROWS_BLOCK, 0);
		}
		end = end < s->known ? end : s->known;
		for (int i = 0; i < s->n_block && k < end && !e->code; i++)
			if (row_of(s, k) < s->block[i].row0 + s->block[i].n_row)
				k = take_rows(s, &s->reader[worker], i, k, end, m, slot, e);
		if (!(s->flags & SET_WHOLE) || end == (o + 1) * ROWS_BLOCK || end == s->n_keep)
			give(s, m, slot, e);
	}
	return e->code;
}

/* What a block takes in memory while it is in a wave. */
static int64_t
wave_bytes(const struct sect *t, const struct block *b, int flags)
{
	int64_t whole = 13 * b->n_item;         /* 12 decoded, and what decoding takes */
	int64_t strip = 32 * (int64_t)PACK_STRIP + 32 * (t->head.n_col < b->n_item ? t->head.n_col : b->n_item);

	return b->stored + (b->codec != CODEC_PACK || flags & SET_WHOLE || whole < strip ? whole : strip);
}

/* Upper bound of what a block of t takes, as far as it is known. */
static int64_t
most_bytes(const struct sect *t, int flags)
{
	int64_t most = 0;

	if (!t->complete && t->in->size < 0)    /* on a pipe; a tenth of the values is what dense data has */
		return ROWS_BLOCK * t->head.n_col / 10 * 15;
	for (int64_t i = 0; i < t->n_block; i++) {
		int64_t b = t->block[i].prelude ? 0 : wave_bytes(t, &t->block[i], flags);

		most = b > most ? b : most;
	}
	return most;
}

/* How many blocks there may be at a time. */
static void
fit_slots(struct source *s)
{
	int64_t n = s->n_slot;

	s->most = most_bytes(s->sect, s->flags);
	if (s->set->wave_bytes && s->most)
		n = s->n_thread + s->set->wave_bytes / s->most;
	s->n_use = (int)(n < s->n_slot ? n : s->n_slot);
}

/* Reads the next blocks, as many as memory allows; their number. */
static int
read_wave(struct source *s, struct err *e)
{
	struct sect *t = s->sect;
	int64_t bytes = 0;
	int n = 0;

	while (n < s->n_use && !e->code) {
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
		bytes += wave_bytes(t, b, s->flags);
		/* A pipe may bring larger ones than was thought. */
		if (s->set->wave_bytes && bytes + bytes / n > s->set->wave_bytes + s->n_thread * s->most)
			break;
	}
	return n;
}

/* How many rows lie before stored row end. */
static int64_t
rows_before(const struct source *s, int64_t end)
{
	int64_t lo = s->given, hi = s->n_keep;

	if (!s->keep)
		return end < hi ? end : hi;
	while (lo < hi) {
		int64_t mid = lo + (hi - lo) / 2;

		if (s->keep[mid] < end)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Sums of the n blocks that were made, but for one that the next wave goes on with. */
static int
sum_blocks(struct source *s, int64_t n, rows_fn *sum, struct err *e)
{
	for (int64_t o = s->given / ROWS_BLOCK; n > 0 && !e->code; n--, o++) {
		int64_t end = (o + 1) * ROWS_BLOCK < s->n_keep ? (o + 1) * ROWS_BLOCK : s->n_keep;
		int slot = slot_of(s, o);
		struct csr all = { .row0 = o * ROWS_BLOCK, .n_row = end - o * ROWS_BLOCK, .n_col = s->n_col };

		if (end > s->known) {
			s->given = s->known;
			return 0;
		}
		if (s->flags & SET_WHOLE) {
			s->piece[slot].row0 = all.row0;
			s->piece[slot].n_row = all.n_row;
		}
		if (sum)
			sum(s->ctx, s->flags & SET_WHOLE ? &s->piece[slot] : &all, slot, e);
		s->given = end;
	}
	return e->code;
}

/* Whether blocks can be read in any order: not while they come through a pipe. */
static int
is_there(const struct source *s)
{
	return s->sect->complete || s->sect->in->size >= 0;
}

/* Goes to the block of the first row that is wanted. */
static void
skip_blocks(struct source *s)
{
	const struct block *b = s->sect->block;

	while (is_there(s) && s->lo < s->hi && s->next < s->sect->n_block &&
	    (b[s->next].prelude || b[s->next].row0 + b[s->next].n_row <= row_of(s, s->lo)))
		s->next++;
}

static int
source_pass(struct rows *r, rows_fn *fn, rows_fn *sum, void *ctx, struct err *e)
{
	struct source *s = r->self;

	s->fn = fn;
	s->ctx = ctx;
	s->next = 0;
	s->given = s->lo;
	if (s->sect->in->size >= 0)
		in_heads(s->sect, e);
	fit_slots(s);
	skip_blocks(s);
	while ((s->lo < s->hi || !is_there(s)) && (s->n_block = read_wave(s, e)) > 0 && !e->code) {
		const struct block *last = &s->block[s->n_block - 1];

		s->known = rows_before(s, last->row0 + last->n_row);
		s->known = s->known < s->hi ? s->known : s->hi;
		while (s->given < s->known && !e->code) {
			int64_t n = (s->known + ROWS_BLOCK - 1) / ROWS_BLOCK - s->given / ROWS_BLOCK;

			n = n < s->n_use ? n : s->n_use;
			par_for(s->set->par, n, 1, make_blocks, s, e);
			sum_blocks(s, n, sum, e);
		}
		if (s->set->tick)
			s->set->tick(last->row0 + last->n_row, s->sect->head.n_row);
		if (s->given >= s->hi && is_there(s))
			break;
	}
	return e->code;
}

void
set_rows_range(struct rows *r, int64_t lo, int64_t hi)
{
	struct source *s = r->self;

	BUG_IF(lo < 0 || lo > hi || hi > s->n_keep || lo % ROWS_BLOCK || (hi % ROWS_BLOCK && hi != s->n_keep));
	s->lo = lo;
	s->hi = hi;
}

static int
start(struct set *s, const char *path, struct rows *r, struct source **out, int32_t **order, struct item **it, struct err *e)
{
	struct source *t;
	int n = par_n(s->par);

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
	t->n_keep = t->hi = set_rows_of(s, *it);
	t->n_slot = 2 * n + (n > 1);
	if (t->n_slot > SLOT_MOST)
		t->n_slot = SLOT_MOST;
	t->stored = mem_new(struct str, t->n_slot);
	t->block = mem_new(struct block, t->n_slot);
	t->piece = mem_new(struct csr, t->n_slot + 1);
	t->n_thread = n;
	t->reader = mem_new(struct codec_reader, n);
	t->column = mem_new(int32_t, (t->sect->head.n_col + 63) / 64 * 64);
	r->n_row = t->n_keep;
	r->n_col = t->n_col = set_cols_of(s, *it);
	r->n_slot = t->n_slot + 1;
	r->self = t;
	r->pass = source_pass;
	for (int i = 0; i < t->n_slot + 1; i++)
		t->piece[i].n_col = r->n_col;
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
		t->drop |= t->column[i] < 0;
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
		t->drop |= c < 0;
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
	for (int i = 0; i < s->n_slot; i++)
		str_clear(&s->stored[i]);
	for (int i = 0; i < s->n_slot + 1; i++)
		csr_clear(&s->piece[i]);
	for (int i = 0; i < s->n_thread; i++)
		codec_reader_clear(&s->reader[i]);
	mem_free(s->stored);
	mem_free(s->block);
	mem_free(s->piece);
	mem_free(s->reader);
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
set_block_bytes(struct set *s, const char *path, int flags, struct err *e)
{
	struct item *it = set_need(s, path, NULL, e);

	if (!it || ((!it->pending || it->s->complete) && in_heads(it->s, e)))
		return 0;
	return most_bytes(it->s, flags);
}
