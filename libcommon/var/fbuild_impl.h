/* fbuild_impl - between fbuild.c, fbuild_window.c and fbuild_runs.c
 *
 * One struct feed is a pass over the input.  Rows first go through the window (rows that may still be
 * overtaken) to the sink.  Where one belongs before what was handed out, the feed collects: rows gather in memory, and leave it
 * sorted, as a run.  Runs follow each other in the order of the input, so that of equal alleles the one in the earlier run is the first.
 */
#ifndef OVX_FBUILD_IMPL_H
#define OVX_FBUILD_IMPL_H

#include "var/fbuild.h"

/* contig << 32 | pos: orders rows but for their alleles. */
static inline uint64_t fbuild_place(const struct frow *w) { return (uint64_t)(uint32_t)w->contig << 32 | w->pos; }

/* Rows of one chunk, kept until all of them were handed on. */
struct tab {
	struct frows f;
	int64_t at, left;               /* rows before `at` were taken out */
	struct tab *next;
};

struct ref {
	uint64_t place;
	struct tab *t;
	int64_t i;
};

/* A row of the collected ones. */
struct item {
	uint64_t place;
	int64_t i;
};

/* A sorted source of rows without equals: a database, or what is in memory. */
struct run {
	struct freq *f;                 /* NULL: memory */
	struct vxg_iter *it;
	int own;                        /* f is closed with the run */
	int level;                      /* 0: of collected rows; more: of runs of the level below */
	const int *contig;              /* renumbers contigs; NULL = as they are */
	struct frows buf;
	const struct frows *mem;
	const struct item *item;
	int64_t at, n;                  /* in buf, or in item */
};

struct feed {
	struct fbuild *b;
	struct strs contig;             /* names, by number */
	struct map number;              /* the other way round, while a pass runs */
	int collect;                    /* rows go to runs */
	int beside;                     /* rows are handed on beside other work: nothing may use par */
	int again;                      /* the order is broken, and nobody can give back the rows so far */
	int64_t room;                   /* bytes of collected rows in memory */
	/* the window: w[lo..hi), sorted */
	struct ref *w;
	int64_t lo, hi, cap;
	struct tab *free;
	struct frows last;              /* the last row handed out, or none */
	/* collected */
	struct frows rows;
	struct run *run;
	int n_run;
	int spilled;                    /* times that collected rows went to a file */
};

struct tab *feed_tab(struct feed *f);
/* Hands on what is in a tab (numbers of contigs are the feed's), which is the feed's from now on.  1: not all of it, for that may not
 * be done beside other work: to be called again afterwards. */
int feed_add(struct feed *f, struct tab *t, struct err *e);
/* Of a tab what the feed has not taken is given up. */
void feed_forget(struct feed *f, struct tab *t);
/* All that comes from now on has a place >= bound. */
int feed_bound(struct feed *f, uint64_t bound, struct err *e);
/* Everything out. */
int feed_end(struct feed *f, struct err *e);
void feed_clear(struct feed *f);
/* Row j of b is dropped, because row i of a is the same allele. */
int feed_equal(struct feed *f, const struct frows *a, int64_t i, const struct frows *b, int64_t j, struct err *e);

/* Row i of r is collected. */
int runs_collect(struct feed *f, const struct frows *r, int64_t i, struct err *e);
/* What was collected becomes a run. */
int runs_spill(struct feed *f, struct err *e);
/* A run that is there already. */
struct run *runs_add(struct feed *f, struct freq *db, int own, const int *contig, struct err *e);
/* Merges everything into the sink. */
int runs_merge(struct feed *f, struct err *e);
void runs_clear(struct feed *f);

#endif
