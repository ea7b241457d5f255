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
 * pass() calls fn for every block, on several threads, blocks in any order: once or more, with consecutive pieces
 * of its rows in order, one after the other (the first is the one whose row0 is a multiple of ROWS_BLOCK); a piece is
 * decoded just before and overwritten after.  Then, in block order and one at a time, it calls sum (may be NULL) once for the
 * block, with row0, n_row and n_col of the whole; ptr, col and val need not be there.
 * From the first fn of a block to the end of its sum its slot (0 .. n_slot - 1) belongs to it, so
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
 *
 * Node (level, index) of the tree is the sum of the runs index 2^level .. (index + 1) 2^level - 1.  What a
 * shard of the rows covers is a list of whole nodes and a run that is not full;
 * the lists of all shards, pushed in order into one tree, give the tree of the whole.
 */
#define SUM_RUN 128

struct sumnode {
	int level;
	int64_t index;
	double *sum;            /* [n] */
};

struct sumtree {
	int64_t n;              /* doubles */
	int64_t n_block;        /* so far */
	double *run;            /* [n] sum of the open run */
	int64_t first;          /* number of the first run: of a shard that does not begin at row 0 */
	int apart;              /* runs stay single: of a shard that does not know where it begins */
	int flat;               /* all goes into the open run: of whole numbers below 2^53, where the order does not matter */
	struct sumnode *node;   /* whole nodes, in order */
	int n_node, cap;
};

void sumtree_init(struct sumtree *t, int64_t n);
void sumtree_add(struct sumtree *t, const double *part);
/* Where the sums of the block that comes next may be added directly, for sums
 * too large to be copied; count it with sumtree_next. */
double *sumtree_open(struct sumtree *t);
void sumtree_next(struct sumtree *t);
/* Takes a node behind those that are there; joins what makes a larger one.  A node that does not follow the
 * last one is a bug of the caller. */
void sumtree_push(struct sumtree *t, int level, int64_t index, const double *sum);
/* The number of the run behind the last node. */
int64_t sumtree_runs(const struct sumtree *t);
/* n = n_group n_col width doubles in another order: column j of each group becomes column order[j]. */
void sumtree_permute(struct sumtree *t, const int32_t *order, int64_t n_group, int64_t n_col, int width);
void sumtree_end(struct sumtree *t, double *total);
void sumtree_clear(struct sumtree *t);

#endif
