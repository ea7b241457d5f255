/* scrublet_feed - rows of a sample from the counts that are held: its cells, or sums of two of them, and which two */
#include "alg/scrublet_impl.h"

#include "base/mem.h"
#include "base/mt.h"
#include "base/rng.h"

void
scrublet_held_clear(struct scrublet_held *h)
{
	mem_free(h->ptr);
	mem_free(h->row);
	mem_free(h->col);
	mem_free(h->val);
	h->ptr = h->row = NULL;
	h->col = NULL;
	h->val = NULL;
}

struct feed {
	const struct scrublet_held *h;
	const int32_t *pair;    /* [n_row][2], NULL = the cells themselves */
	struct par *p;
	struct csr *slot;       /* [n_slot] */
	int32_t **where;        /* [n_slot] [g] where a gene of the row stands, -1 */
	int64_t n_row, first;   /* block of slot 0 */
	rows_fn *fn;
	void *ctx;
};

/* Adds cell i to the row that is open in m from entry lo on. */
static int64_t
add_cell(const struct scrublet_held *h, int64_t i, struct csr *m, int64_t at, int32_t *where)
{
	for (int64_t k = h->ptr[i]; k < h->ptr[i + 1]; k++) {
		int32_t c = h->col[k];

		if (where && where[c] >= 0) {
			m->val[where[c]] += h->val[k];
			continue;
		}
		if (where)
			where[c] = (int32_t)at;
		m->col[at] = c;
		m->val[at++] = h->val[k];
	}
	return at;
}

static int
feed_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct feed *f = ctx;
	const struct scrublet_held *h = f->h;
	struct csr *m = &f->slot[lo];
	int64_t at = 0, most = 0;

	(void)hi, (void)worker;
	m->row0 = (f->first + lo) * ROWS_BLOCK;
	m->n_row = f->n_row - m->row0 < ROWS_BLOCK ? f->n_row - m->row0 : ROWS_BLOCK;
	m->n_col = h->g;
	for (int64_t i = 0; i < m->n_row; i++)
		for (int t = 0; t < (f->pair ? 2 : 1); t++) {
			int64_t c = f->pair ? f->pair[2 * (m->row0 + i) + t] : m->row0 + i;

			most += h->ptr[c + 1] - h->ptr[c];
		}
	csr_reserve(m, ROWS_BLOCK, most);
	for (int64_t i = 0; i < m->n_row; i++) {
		int64_t from = at;

		if (f->pair) {
			at = add_cell(h, f->pair[2 * (m->row0 + i)], m, at, f->where[lo]);
			at = add_cell(h, f->pair[2 * (m->row0 + i) + 1], m, at, f->where[lo]);
			for (int64_t k = from; k < at; k++)
				f->where[lo][m->col[k]] = -1;
		} else {
			at = add_cell(h, m->row0 + i, m, at, NULL);
		}
		m->ptr[i + 1] = at;
	}
	return f->fn(f->ctx, m, (int)lo, e);
}

static int
feed_pass(struct rows *r, rows_fn *fn, rows_fn *sum, void *ctx, struct err *e)
{
	struct feed *f = r->self;
	int64_t n_block = (r->n_row + ROWS_BLOCK - 1) / ROWS_BLOCK;

	f->fn = fn;
	f->ctx = ctx;
	for (int64_t b = 0; b < n_block && !e->code; b += r->n_slot) {
		int64_t n = n_block - b < r->n_slot ? n_block - b : r->n_slot;

		f->first = b;
		par_for(f->p, n, 1, feed_block, f, e);
		for (int64_t i = 0; i < n && sum && !e->code; i++)
			sum(ctx, &f->slot[i], (int)i, e);
	}
	return e->code;
}

void
scrublet_feed(struct rows *r, const struct scrublet_held *h, const int32_t *pair, int64_t n_row, struct par *p)
{
	struct feed *f = mem_new(struct feed, 1);

	r->n_row = n_row;
	r->n_col = h->g;
	r->n_slot = 2 * par_n(p);
	r->self = f;
	r->pass = feed_pass;
	f->h = h;
	f->pair = pair;
	f->p = p;
	f->n_row = n_row;
	f->slot = mem_new(struct csr, r->n_slot);
	f->where = mem_new(int32_t *, r->n_slot);
	for (int i = 0; i < r->n_slot; i++) {
		f->where[i] = mem_raw(int32_t, h->g);
		for (int64_t k = 0; k < h->g; k++)
			f->where[i][k] = -1;
	}
}

void
scrublet_feed_clear(struct rows *r)
{
	struct feed *f = r->self;

	for (int i = 0; i < r->n_slot; i++) {
		csr_clear(&f->slot[i]);
		mem_free(f->where[i]);
	}
	mem_free(f->slot);
	mem_free(f->where);
	mem_free(f);
}

/* --- pairs ------------------------------------------------------------------------------ */

void
scrublet_randint(uint32_t seed, int64_t n, int64_t n_sim, int32_t *pair)
{
	struct mt t;

	mt_seed(&t, seed);
	for (int64_t i = 0; i < 2 * n_sim; i++)
		pair[i] = (int32_t)mt_upto(&t, (uint32_t)(n - 1));
}

void
scrublet_pairs(uint64_t seed, const uint64_t *key, int64_t n, int64_t n_sim, int32_t *pair)
{
	for (int64_t i = 0; i < n && i < n_sim; i++) {
		struct rng g = rng_make(seed, RNG_DOUBLET, key ? key[i] : (uint64_t)i);

		for (int64_t m = i; m < n_sim; m += n) {
			int64_t j = (int64_t)rng_below64(&g, (uint64_t)(n - 1));

			pair[2 * m] = (int32_t)i;
			pair[2 * m + 1] = (int32_t)(j + (j >= i));
		}
	}
}
