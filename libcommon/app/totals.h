/* totals - sums over the cells by gene, left by one tool for those that follow
 *
 * ovx-qc knows of every gene in how many of the kept cells it is, and the sums of its counts and of their squares; who
 * needs these later has no need to pass over X again.  They stand in varm/gene_totals [genes][groups x 3] (made from X
 * and the column of groups) and uns/gene_totals (the cells, the column, the names of the groups), and hold as
 * long as X, the column and the cells are the same.  Genes may have been dropped.
 */
#ifndef OVX_TOTALS_H
#define OVX_TOTALS_H

#include "app/app.h"

#define TOTALS_WIDTH 3  /* as genestat's: cells with a count, sum, sum of squares */

/* x [n_group][n_var][3] of the current genes and cells; groups by obs/COL, or COL NULL and one group; n [n_group] cells.  Nothing
 * is put when a sum is too large to be exact. */
int totals_put(struct app *a, const char *col, const struct strs *group, const int64_t *n, const double *x, struct err *e);
/* The same, or NULL where there are none that hold; groups as given, or all in one where group is NULL.  The caller's. */
double *totals_get(struct app *a, const char *col, const struct strs *group, struct err *e);

#endif
