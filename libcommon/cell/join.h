/* join - one column of several data sets, whose cells follow each other
 *
 * A column keeps the type that it has in all of them; whole numbers of two widths become the
 * wider one, whole and real ones real.  Cells of a set that lacks the column have missing
 * values, which makes whole numbers and booleans nullable.  Text becomes one list of
 * categories, unless every set has plain strings; booleans and numbers meet in their text.
 */
#ifndef OVX_JOIN_H
#define OVX_JOIN_H

#include <stdint.h>
#include "base/err.h"
#include "cell/set.h"

/* obs column of part [n_part] as a column of to, whose cells are theirs in order.  Warns when whole
 * numbers beyond 2^53 had to be rounded. */
int join_obs(struct set *to, struct set *const *part, int n_part, const char *path, struct err *e);
/* var column of part[0] that all have, of one type, with equal values for every gene that they
 * share; else nothing is put.  where[i] [genes of part i]: gene of to, or -1; every gene of to
 * stands in one of them. */
int join_var(struct set *to, struct set *const *part, const int32_t *const *where, int n_part, int64_t n_gene, const char *path,
	struct err *e);
/* Upper bound of the bytes that one of them takes while it is joined. */
int64_t join_bytes(struct set *const *part, int n_part, int axis, const char *path, struct err *e);

#endif
