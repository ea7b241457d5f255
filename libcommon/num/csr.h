/* csr - a block of rows of a sparse matrix, and a source of such blocks
 *
 * The unit of everything that touches X: rows row0 .. row0 + n_row - 1 of a
 * matrix with n_col columns, each column at most once in a row.  In memory and in packed
 * blocks they rise; passes over a stored X give them in the stream's own order.
 */
#ifndef OVX_CSR_H
#define OVX_CSR_H

#include <stdint.h>
#include "base/err.h"

struct csr {
	int64_t row0;           /* number of the first row in the whole matrix */
	int64_t n_row;
	int64_t n_col;
	int64_t *ptr;           /* [n_row + 1], ptr[0] = 0 */
	int32_t *col;           /* [ptr[n_row]], distinct within a row */
	double *val;            /* [ptr[n_row]]; counts up to 2^32 - 1 are exact */
	int64_t cap_row, cap_nnz;       /* room in the arrays */
};

/* Makes room for n_row rows and nnz values; what is there is kept. */
void csr_reserve(struct csr *m, int64_t n_row, int64_t nnz);
/* Frees the arrays; m is empty and may be used again. */
void csr_clear(struct csr *m);

/* A rewindable source of row blocks: rows in order, every block full
 * (ROWS_BLOCK rows) but the last.  This is how alg/ sees a matrix of any size.
 *
 * pass() calls fn once for every block, on several threads, blocks in any order;
 * then, in block order and one at a time, sum for the same block (may be NULL).
 * Between fn and sum of one block its slot (0 .. n_slot - 1) belongs to it, so
 * fn leaves a partial result in scratch[slot] and sum adds it up: the same
 * result for any number of threads.  pass may be called again and again. */
#define ROWS_BLOCK 512

typedef int rows_fn(void *ctx, const struct csr *block, int slot, struct err *e);

struct rows {
	int64_t n_row, n_col;
	int n_slot;
	void *self;
	int (*pass)(struct rows *r, rows_fn *fn, rows_fn *sum, void *ctx, struct err *e);
};

/* Shorthand for r->pass. */
int rows_pass(struct rows *r, rows_fn *fn, rows_fn *sum, void *ctx, struct err *e);

struct par;

/* A source over one matrix in memory, for tests and small things.  m stays the
 * caller's.  Free what it took with rows_memory_clear. */
void rows_memory(struct rows *r, const struct csr *m, struct par *p);
void rows_memory_clear(struct rows *r);

/* Sums of doubles over row blocks in a fixed order: blocks are added one after
 * the other within a run of SUM_RUN blocks (65,536 rows), runs over a binary tree.  Shards that
 * are whole runs give the bytes of the whole.
 *
 *	struct sumtree t;
 *	sumtree_init(&t, n);
 *	sumtree_add(&t, part);          once a block, in order
 *	sumtree_end(&t, total);         also frees
 */
#define SUM_RUN 128

struct sumtree {
	int64_t n;              /* doubles */
	int64_t n_block;
	double *run;            /* [n] sum of the open run */
	int n_level;
	double *level[48];      /* [n] each; level k holds 2^k runs, or NULL */
};

void sumtree_init(struct sumtree *t, int64_t n);
void sumtree_add(struct sumtree *t, const double *part);
/* Where the sums of the block that comes next may be added directly, for sums
 * too large to be copied; count it with sumtree_next. */
double *sumtree_open(struct sumtree *t);
void sumtree_next(struct sumtree *t);
void sumtree_end(struct sumtree *t, double *total);

#endif
