/* fbuild - sites files into rows in order without equals, whatever order they come in
 *
 * Rows that come nearly in order (as they do from a sorted file whose alleles were trimmed) pass through a window; where
 * the order breaks, what came so far is a run, kept as a temporary database, and runs are merged in the end.  The result is handed to a
 * sink row by row, in the order of frows_order: a writer of a database, or one that compares.
 *
 * Of rows of one allele the first in the source stays, whatever the runs.  Each other one counts as merged or differing, compared with the
 * first of its run: where an allele comes three times or more, over several runs, how many of them differ may depend on the memory.
 */
#ifndef OVX_FBUILD_H
#define OVX_FBUILD_H

#include "base/err.h"
#include "os/par.h"
#include "var/fasta.h"
#include "var/sites.h"
#include "var/vxg.h"

struct fbuild {
	/* set by the caller */
	const char *fields;             /* as sites_columns takes them */
	int pops;
	const struct strs *over;
	const struct fcols *want;       /* not NULL: these columns (of a database) instead */
	struct fasta *ref;
	int dup_error;                  /* rows of one allele with different values are an error */
	int whole;                      /* sites_parser_whole */
	int64_t memory;                 /* for everything here */
	struct par *par;
	const char *temp;               /* folder for temporary files, NULL = where file_temp puts them */
	void (*tick)(int64_t done, int64_t of);
	/* Called before the first row with the columns; then with rows in order. */
	int (*begin)(void *ctx, const struct fcols *cols, struct err *e);
	int (*row)(void *ctx, const struct frows *r, int64_t i, struct err *e);
	/* May be NULL.  on: rows that come now are handed on beside other work, so that row() must not use par; 1 when it would rather have
	 * no more of them that way.  0: that is over. */
	int (*beside)(void *ctx, int on, struct err *e);
	/* Called when the order turns out to be broken: gives back the rows so far as a database (*so_far, which fbuild closes; NULL = there were none), and
	 * takes rows anew from the first on.  May be NULL: then the input is read again from its beginning, after another begin, or, where
	 * that cannot be done, all rows go through temporary files from the start. */
	int (*restart)(void *ctx, struct freq **so_far, struct err *e);
	void *ctx;
	const struct strs *order;       /* not NULL: contigs that have these numbers (those of a database), others behind */

	/* results */
	const struct strs *numbered;    /* while it runs: names of the contigs by the rows' numbers, so far */
	struct fcols cols;
	struct vxg_meta meta;           /* contigs in the order of the rows' numbers; counts, sources */
	int64_t rows;
	int64_t misfit;                 /* as in sites_stats */
	int runs;                       /* 1 = it was in order */
	struct strs named;              /* the first three alleles with different values */
	struct strs unnamed;            /* the first three that are unsupported */
};

/* Reads the files ("-" = standard input) one after the other. */
int fbuild_run(struct fbuild *b, char **path, int n_path, struct err *e);
/* The same from databases: their rows merged. */
int fbuild_merge(struct fbuild *b, struct freq **db, int n_db, struct err *e);
void fbuild_clear(struct fbuild *b);

#endif
