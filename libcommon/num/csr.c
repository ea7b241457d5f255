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

/* Rows of a piece: few, and no divisor of a block's, so that tests see pieces of any kind. */
#define PIECE 200

static int
memory_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct wave *w = ctx;
	const struct csr *m = w->self->m;
	struct csr *c = &w->self->slot[lo];
	int64_t end = (w->first + hi) * ROWS_BLOCK < m->n_row ? (w->first + hi) * ROWS_BLOCK : m->n_row;

	(void)worker;
	for (int64_t r0 = (w->first + lo) * ROWS_BLOCK; r0 < end && !e->code; r0 += PIECE) {
		c->row0 = r0;
		c->n_row = end - r0 < PIECE ? end - r0 : PIECE;
		for (int64_t k = 0; k <= c->n_row; k++)
			c->ptr[k] = m->ptr[r0 + k] - m->ptr[r0];
		c->col = m->col + m->ptr[r0];
		c->val = m->val + m->ptr[r0];
		w->fn(w->ctx, c, (int)lo, e);
	}
	return e->code;
}

static int
memory_pass(struct rows *r, rows_fn *fn, rows_fn *sum, void *ctx, struct err *e)
{
	struct memory *s = r->self;
	int64_t n_block = (r->n_row + ROWS_BLOCK - 1) / ROWS_BLOCK;

	for (int64_t b = 0; b < n_block && !e->code; b += r->n_slot) {
		int64_t n = n_block - b < r->n_slot ? n_block - b : r->n_slot;
		struct wave w = { s, b, fn, ctx };

		par_for(s->p, n, 1, memory_block, &w, e);
		for (int64_t i = b; i < b + n && sum && !e->code; i++) {
			int64_t end = (i + 1) * ROWS_BLOCK < r->n_row ? (i + 1) * ROWS_BLOCK : r->n_row;
			struct csr all = { .row0 = i * ROWS_BLOCK, .n_row = end - i * ROWS_BLOCK, .n_col = r->n_col };

			sum(ctx, &all, (int)(i - b), e);
		}
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
		s->slot[i].ptr = mem_new(int64_t, PIECE + 1);
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

int64_t
sumtree_runs(const struct sumtree *t)
{
	const struct sumnode *last = t->node + t->n_node;

	return t->n_node ? (last[-1].index + 1) << last[-1].level : t->first;
}

/* Appends a node and joins it with its elder sister, and so on, like a binary counter; takes sum. */
static void
append(struct sumtree *t, int level, int64_t index, double *sum)
{
	while (t->n_node && !t->apart && index & 1) {
		struct sumnode *l = &t->node[t->n_node - 1];

		if (l->level != level || l->index != index - 1)
			break;
		for (int64_t i = 0; i < t->n; i++)
			l->sum[i] += sum[i];
		mem_free(sum);
		sum = l->sum;
		t->n_node--;
		level++;
		index >>= 1;
	}
	if (t->n_node == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 8;
		t->node = mem_renew(t->node, struct sumnode, t->cap);
	}
	t->node[t->n_node++] = (struct sumnode){ level, index, sum };
}

void
sumtree_push(struct sumtree *t, int level, int64_t index, const double *sum)
{
	double *own = mem_new(double, t->n);

	BUG_IF(index << level != sumtree_runs(t));
	memcpy(own, sum, (size_t)t->n * sizeof *own);
	append(t, level, index, own);
}

void
sumtree_next(struct sumtree *t)
{
	if (++t->n_block % SUM_RUN || t->flat)
		return;
	append(t, 0, t->first + t->n_block / SUM_RUN - 1, t->run);
	t->run = mem_new(double, t->n);
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
sumtree_permute(struct sumtree *t, const int32_t *order, int64_t n_group, int64_t n_col, int width)
{
	double *x = mem_new(double, t->n);

	for (int k = 0; k <= t->n_node; k++) {
		double **sum = k < t->n_node ? &t->node[k].sum : &t->run, *old = *sum;

		for (int64_t b = 0; b < n_group; b++)
			for (int64_t j = 0; j < n_col; j++)
				memcpy(x + (b * n_col + order[j]) * width, old + (b * n_col + j) * width, (size_t)width * sizeof *x);
		*sum = x;
		x = old;
	}
	mem_free(x);
}

void
sumtree_end(struct sumtree *t, double *total)
{
	memcpy(total, t->run, (size_t)t->n * sizeof *total);
	for (int k = t->n_node - 1; k >= 0; k--)
		for (int64_t i = 0; i < t->n; i++)
			total[i] = t->node[k].sum[i] + total[i];
	sumtree_clear(t);
}

void
sumtree_clear(struct sumtree *t)
{
	for (int k = 0; k < t->n_node; k++)
		mem_free(t->node[k].sum);
	mem_free(t->node);
	mem_free(t->run);
	memset(t, 0, sizeof *t);
}
