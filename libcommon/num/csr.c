/* csr - see csr.h */
#include "num/csr.h"

#include <string.h>
#include "base/mem.h"
#include "os/par.h"

void
csr_reserve(struct csr *m, int64_t n_row, int64_t nnz)
{
	if (!m->ptr || n_row > m->cap_row) {
		m->ptr = mem_renew(m->ptr, int64_t, n_row + 1);
		if (m->cap_row == 0)
			m->ptr[0] = 0;
		m->cap_row = n_row;
	}
	if (!m->col || nnz > m->cap_nnz) {
		int64_t want = nnz < 64 ? 64 : nnz + nnz / 8;

		m->col = mem_renew(m->col, int32_t, want);
		m->val = mem_renew(m->val, double, want);
		m->cap_nnz = want;
	}
}

void
csr_clear(struct csr *m)
{
	mem_free(m->ptr);
	mem_free(m->col);
	mem_free(m->val);
	memset(m, 0, sizeof *m);
}

int
rows_pass(struct rows *r, rows_fn *fn, rows_fn *sum, void *ctx, struct err *e)
{
	if (e->code)
		return e->code;
	return r->pass(r, fn, sum, ctx, e);
}

struct memory {
	const struct csr *m;
	struct par *p;
	struct csr *slot;       /* views into m, with own ptr */
};

struct wave {
	struct memory *self;
	int64_t first;          /* block of slot 0 */
	rows_fn *fn;
	void *ctx;
};

static int
memory_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct wave *w = ctx;

	(void)hi;
	(void)worker;
	return w->fn(w->ctx, &w->self->slot[lo], (int)lo, e);
}

static int
memory_pass(struct rows *r, rows_fn *fn, rows_fn *sum, void *ctx, struct err *e)
{
	struct memory *s = r->self;
	int64_t n_block = (r->n_row + ROWS_BLOCK - 1) / ROWS_BLOCK;

	for (int64_t b = 0; b < n_block && !e->code; b += r->n_slot) {
		int64_t n = n_block - b < r->n_slot ? n_block - b : r->n_slot;
		struct wave w = { s, b, fn, ctx };

		for (int64_t i = 0; i < n; i++) {
			struct csr *c = &s->slot[i];
			int64_t r0 = (b + i) * ROWS_BLOCK;
			int64_t nr = r->n_row - r0 < ROWS_BLOCK ? r->n_row - r0 : ROWS_BLOCK;

			c->row0 = r0;
			c->n_row = nr;
			for (int64_t k = 0; k <= nr; k++)
				c->ptr[k] = s->m->ptr[r0 + k] - s->m->ptr[r0];
			c->col = s->m->col + s->m->ptr[r0];
			c->val = s->m->val + s->m->ptr[r0];
		}
		par_for(s->p, n, 1, memory_block, &w, e);
		for (int64_t i = 0; i < n && sum && !e->code; i++)
			sum(ctx, &s->slot[i], (int)i, e);
	}
	return e->code;
}

void
rows_memory(struct rows *r, const struct csr *m, struct par *p)
{
	struct memory *s = mem_new(struct memory, 1);

	r->n_row = m->n_row;
	r->n_col = m->n_col;
	r->n_slot = 2 * par_n(p);
	r->self = s;
	r->pass = memory_pass;
	s->m = m;
	s->p = p;
	s->slot = mem_new(struct csr, r->n_slot);
	for (int i = 0; i < r->n_slot; i++) {
		s->slot[i].n_col = m->n_col;
		s->slot[i].ptr = mem_new(int64_t, ROWS_BLOCK + 1);
	}
}

void
rows_memory_clear(struct rows *r)
{
	struct memory *s = r->self;

	for (int i = 0; i < r->n_slot; i++)
		mem_free(s->slot[i].ptr);
	mem_free(s->slot);
	mem_free(s);
	r->self = NULL;
}

void
sumtree_init(struct sumtree *t, int64_t n)
{
	memset(t, 0, sizeof *t);
	t->n = n;
	t->run = mem_new(double, n);
}

double *
sumtree_open(struct sumtree *t)
{
	return t->run;
}

/* The open run is full: carries it into the tree like a binary counter. */
static void
carry(struct sumtree *t)
{
	double *part = t->run;
	int k = 0;

	while (k < t->n_level && t->level[k]) {
		for (int64_t i = 0; i < t->n; i++)
			t->level[k][i] += part[i];
		mem_free(part);
		part = t->level[k];
		t->level[k++] = NULL;
	}
	if (k == t->n_level)
		t->n_level++;
	t->level[k] = part;
	t->run = mem_new(double, t->n);
}

void
sumtree_next(struct sumtree *t)
{
	if (++t->n_block % SUM_RUN == 0)
		carry(t);
}

void
sumtree_add(struct sumtree *t, const double *part)
{
	double *run = t->run;

	for (int64_t i = 0; i < t->n; i++)
		run[i] += part[i];
	sumtree_next(t);
}

void
sumtree_end(struct sumtree *t, double *total)
{
	memcpy(total, t->run, (size_t)t->n * sizeof *total);
	for (int k = 0; k < t->n_level; k++)
		if (t->level[k]) {
			for (int64_t i = 0; i < t->n; i++)
				total[i] = t->level[k][i] + total[i];
			mem_free(t->level[k]);
		}
	mem_free(t->run);
	memset(t, 0, sizeof *t);
}
