/* scatter - see mtx.h: entries in any order, gathered by cell */
#include <string.h>
#include "base/mem.h"
#include "io/mtx.h"

#define CELLS 512               /* of a bucket */
#define PIECE 512               /* entries of a spooled piece */

struct entry {
	int32_t cell, gene;
	double v;
};

struct bucket {
	struct entry *buf;      /* [PIECE], NULL until used */
	int n;
	int64_t *at;            /* offsets of full pieces */
	int64_t n_at, cap;
};

struct scatter {
	struct set *set;
	struct bucket *bucket;
	int64_t n;
};

struct scatter *
scatter_new(struct set *s)
{
	struct scatter *t = mem_new(struct scatter, 1);

	t->set = s;
	return t;
}

void
scatter_free(struct scatter *t)
{
	if (!t)
		return;
	for (int64_t i = 0; i < t->n; i++) {
		mem_free(t->bucket[i].buf);
		mem_free(t->bucket[i].at);
	}
	mem_free(t->bucket);
	mem_free(t);
}

int
scatter_add(struct scatter *t, int64_t cell, int32_t gene, double v, struct err *e)
{
	int64_t k = cell / CELLS;
	struct bucket *b;

	if (k >= t->n) {
		t->bucket = mem_renew(t->bucket, struct bucket, k + 1 + k / 2);
		memset(t->bucket + t->n, 0, (size_t)(k + 1 + k / 2 - t->n) * sizeof *t->bucket);
		t->n = k + 1 + k / 2;
	}
	b = &t->bucket[k];
	if (!b->buf)
		b->buf = mem_raw(struct entry, PIECE);
	b->buf[b->n++] = (struct entry){ (int32_t)cell, gene, v };
	if (b->n == PIECE) {
		if (b->n_at == b->cap) {
			b->cap = b->cap ? 2 * b->cap : 8;
			b->at = mem_renew(b->at, int64_t, b->cap);
		}
		b->at[b->n_at++] = spool_add(&t->set->spool, b->buf, PIECE * (int64_t)sizeof *b->buf, e);
		b->n = 0;
	}
	return e->code;
}

/* The entries of a bucket as rows lo.. of m. */
static int
gather(struct scatter *t, struct bucket *b, int64_t lo, int64_t n_row, struct csr *m, struct err *e)
{
	int64_t n = b->n_at * PIECE + b->n;
	struct entry *all = mem_raw(struct entry, n);
	int64_t fill[CELLS] = {0};

	for (int64_t i = 0; i < b->n_at && !e->code; i++)
		spool_read(&t->set->spool, b->at[i], all + i * PIECE, PIECE * (int64_t)sizeof *all, e);
	if (b->n)
		memcpy(all + b->n_at * PIECE, b->buf, (size_t)b->n * sizeof *all);
	csr_reserve(m, CELLS, n);
	m->n_row = n_row;
	memset(m->ptr, 0, (CELLS + 1) * sizeof *m->ptr);
	for (int64_t i = 0; i < n && !e->code; i++)
		m->ptr[all[i].cell - lo + 1]++;
	for (int64_t i = 0; i < n_row; i++) {
		m->ptr[i + 1] += m->ptr[i];
		fill[i] = m->ptr[i];
	}
	for (int64_t i = 0; i < n && !e->code; i++) {
		int64_t at = fill[all[i].cell - lo]++;

		m->col[at] = all[i].gene;
		m->val[at] = all[i].v;
	}
	mem_free(all);
	return e->code;
}

int
scatter_end(struct scatter *t, const char *path, int dtype, int64_t n_row, int64_t n_col, struct err *e)
{
	struct sink k;
	struct csr m = {0};
	struct bucket none = {0};

	sink_open(&k, t->set, path, dtype, n_row, n_col, e);
	m.n_col = n_col;
	for (int64_t lo = 0; lo < n_row && !e->code; lo += CELLS) {
		int64_t n = n_row - lo < CELLS ? n_row - lo : CELLS;

		gather(t, lo / CELLS < t->n ? &t->bucket[lo / CELLS] : &none, lo, n, &m, e);
		sink_add(&k, &m, e);
	}
	sink_close(&k, e);
	csr_clear(&m);
	scatter_free(t);
	return e->code;
}
