/* mtx_impl - private to io/: the entries of a MatrixMarket file, a block of lines at a time
 *
 * A block for each thread is a wave.  While one thread inflates a wave, others turn the lines of the wave before into
 * entries, and one hands over, in the order of the file, those of the wave before that.
 *
 *	mtx_open(&m, path, e);
 *	mtx_pass(&m, par, fn, &ctx, e);
 *	mtx_close(&m);
 */
#ifndef OVX_MTX_IMPL_H
#define OVX_MTX_IMPL_H

#include <stdint.h>
#include "os/par.h"
#include "os/text.h"

struct mtx {
	struct text text;
	int64_t n_row, n_col, n_entry;
	int pattern;
	int flip;               /* rows are cells; to be set before a pass */
	const int32_t *at;      /* [genes] new number of each, -1 = to be left out; likewise */
};

/* Entries of one cell that stand one behind the other. */
struct mtx_run {
	int64_t cell;           /* from 0 */
	int64_t at;             /* of the first one */
};

struct mtx_block {
	int64_t n, cap;         /* entries, without those that are left out */
	int32_t *gene;          /* [n] new numbers */
	int32_t *whole;         /* [n] values, or NULL: then they are real */
	double *real;           /* [n] */
	struct mtx_run *run;    /* [n_run + 1], the last one marks the end */
	int64_t n_run, cap_run;
	int falls;              /* some run's cell is before the one of the run before */
	int64_t n_entry, n_line;        /* all that were read */
	const char *bad;        /* the line that was no entry, where reading ended; NULL = none */
	char *text;
	size_t n_text, cap_text;
	int32_t *as_whole;      /* what whole and real are, when they are in use */
	double *as_real;
	int64_t cap_real;
};

/* Reads as far as the dimensions. */
int mtx_open(struct mtx *m, const char *path, struct err *e);
void mtx_close(struct mtx *m);
/* Calls fn for blocks in order until it does not return 0, on any thread, so that it must not use par itself; e is
 * set when a line is no entry, or when there are more or fewer entries than the header says (after all of them were
 * handed over).  Once for each mtx_open. */
typedef int mtx_fn(void *ctx, const struct mtx_block *b, struct err *e);
int mtx_pass(struct mtx *m, struct par *par, mtx_fn *fn, void *ctx, struct err *e);

#endif
