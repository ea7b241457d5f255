/* par - the only module that makes threads
 *
 * Work is cut into blocks whose size is a constant of the algorithm, never n
 * divided by the threads, so that a result which is stored per block and
 * added in block order does not depend on how many threads there were.
 *
 *	static int rows(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e);
 *	par_for(p, n, 256, rows, &ctx, e);
 *
 * A struct par may be NULL everywhere: then one thread, the caller's, works.
 */
#ifndef OVX_PAR_H
#define OVX_PAR_H

#include <stdint.h>
#include "base/err.h"

struct par;

/* Handles rows lo <= i < hi.  worker is 0..par_n()-1, for scratch memory that
 * was taken before.  Returns e->code; the failure of the smallest block wins,
 * so that the message does not depend on the threads. */
typedef int par_fn(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e);

/* A pool of n >= 1 workers, the caller being worker 0.  When a thread cannot be
 * had the pool is smaller (par_n tells).  init, when not NULL, runs once in
 * each new thread.  Free with par_free. */
struct par *par_new(int n, void (*init)(void));
void par_free(struct par *p);
/* Number of workers; 1 for NULL. */
int par_n(const struct par *p);

/* Calls fn for the blocks [0,block), [block,2 block), ... of 0..n-1, in any
 * order, and returns when all are done; blocks behind a failed one may be
 * left out.  Not to be nested. */
int par_for(struct par *p, int64_t n, int64_t block, par_fn *fn, void *ctx, struct err *e);

#endif
