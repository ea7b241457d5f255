/* shard - sums over all cells, made at once or shard by shard, and what follows from them
 *
 * A tool that must see all cells before it can write says what it sums up, round by round (a round
 * may need the totals of those before it), what follows from the totals, and how that is put.  From this come
 *
 *	tool IN                         all of it at once
 *	tool --partial --shard 1/3 IN   a part: the sums over some cells (or all of a file that is a shard)
 *	tool --merge PART...            a fit: the totals; or what is missing for the next round
 *	tool --partial --project FIT    a part of the next round
 *	tool --project FIT IN           what the first line gives, without making the sums
 *
 * Sums go through sumtree.  Shards by --shard are whole superblocks (SUM_RUN blocks), so the fit has the bits of the whole; so have
 * files of their own when all but the last hold a multiple of 65,536 cells.
 *
 *	static const struct shard_tool t = { .open = open, .round = next, .sums = sums, .apply = apply };
 *	shard_run(a, &t, &o.shard, opts, &work, e);
 *
 * A part or a fit is a stream with the axis var and, under uns/partial/ or uns/fit/: about (JSON), sums (nodes of
 * the tree), cells (what is kept for each cell), total0 .. (rounds that are done), common (see shard).
 */
#ifndef OVX_SHARD_H
#define OVX_SHARD_H

#include "app/app.h"

struct shard_opt {
	int partial, merge;
	const char *shard, *project;
};

#define SHARD_OPTS(s) \
	{ 0, "partial", FLAG(&(s)->partial), "", "", "", "write the sums over the cells of this shard, for --merge", 1 }, \
	{ 0, "shard", STR(&(s)->shard), "", "", "I/N", "with --partial: the I-th of N shards of the input", 1 }, \
	{ 0, "merge", FLAG(&(s)->merge), "", "", "", "the inputs are parts by --partial: write the fit that they give", 1 }, \
	{ 0, "project", INFILE(&(s)->project), "", "", "FIT", "take sums from a fit by --merge instead of making them", 1 }

#define SHARD_ROUNDS 4

enum shard_mode { SHARD_WHOLE, SHARD_PARTIAL, SHARD_MERGE, SHARD_PROJECT };

/* What a round sums up. */
struct shard_want {
	int64_t n;              /* doubles for each group of cells, in the tree */
	int64_t per_cell;       /* doubles for each cell */
	int64_t total;          /* doubles in total[r]; 0 = those of the sums */
	int pooled;             /* the sums are over all groups together: n doubles in all */
	int flat;               /* the sums are of whole numbers below 2^53: no tree is needed */
};

struct shard {
	struct app *a;
	void *ctx;              /* the tool's */
	enum shard_mode mode;
	int64_t n_obs, n_var;   /* of the input; n_obs is 0 in merge */
	int64_t lo, hi;         /* rows to sum over */
	int32_t *code;          /* [n_obs] group of a cell, or NULL: all in one */
	int n_group;            /* at least 1 */
	struct strs group;      /* names, when there is a code */
	struct strs level;      /* the same with those that have no cell, in the column's order */
	int64_t *n;             /* [n_group] cells of each group, of all shards; in --partial before the last round: of this one */
	int64_t n_cell;         /* their sum */
	/* the open round */
	struct shard_want want;
	struct sumtree tree;    /* [n_group][want.n], or [want.n] */
	double *cell;           /* [n_obs][want.per_cell] */
	/* rounds that are done */
	struct { double *x; int64_t n; } total[SHARD_ROUNDS];
	/* What sums depend on and merge needs to know besides, the same in all parts; set by open, read in merge. */
	double *common;
	int64_t n_common;
};

struct shard_tool {
	/* Before anything else; in merge the set of a has no cells yet, only genes.  May set totals that are known already. */
	int (*open)(struct shard *s, struct err *e);
	/* 1 and what round r sums up, or 0 when there is none. */
	int (*round)(struct shard *s, int r, struct shard_want *w);
	/* The pass of round r: rows lo .. hi - 1 (through shard_rows) into tree and cell. */
	int (*sums)(struct shard *s, int r, struct err *e);
	/* total[r] from the sums and what was kept of cells: cell [n_cell][per_cell], code [n_cell] or NULL.  NULL: the
	 * sums themselves. */
	int (*reduce)(struct shard *s, int r, const double *sum, const double *cell, const int32_t *code, int64_t n_cell,
		struct err *e);
	/* All totals are there: puts what the tool writes, or, in merge, what of that belongs to no cell. */
	int (*apply)(struct shard *s, struct err *e);
};

int shard_run(struct app *a, const struct shard_tool *t, struct shard_opt *o, const struct opt *opts, void *ctx, struct err *e);
/* For the tool's check: options that do not go together. */
const char *shard_check(const struct shard_opt *o, const struct opt *opts);
/* For the tool's plan: 1 when there is no input to plan for (merge), and p is filled; else adds what a part or a fit takes besides,
 * where the largest tree is of n doubles. */
int shard_plan(struct app *a, const struct shard_opt *o, int64_t n, struct plan *p);

/* In open: groups by obs/COL.  In merge and with a fit these are the fit's. */
int shard_groups(struct shard *s, const char *col, struct err *e);
/* In open: copies what is common. */
void shard_common(struct shard *s, const double *x, int64_t n);
/* A copy of x [n] as total[r]. */
void shard_total(struct shard *s, int r, const double *x, int64_t n);
/* Limits passes over r, which is from set_rows or set_rows_stored, to the rows lo .. hi - 1, which keep their numbers. */
void shard_rows(const struct shard *s, struct rows *r);

#endif
