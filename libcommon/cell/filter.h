/* filter - which cells or genes: by expression over columns, or by a list of names
 */
#ifndef OVX_FILTER_H
#define OVX_FILTER_H

#include "cell/set.h"

/* keep [axis n] &= the expression (base/expr.h) over obs/ or var/ columns; "name" is the name. */
int filter_expr(struct set *s, int axis, const char *expr, uint8_t *keep, struct err *e);
/* keep &= being in (or, with not set, not being in) a list of names, one a line;
 * *unknown counts names that the axis lacks. */
int filter_list(struct set *s, int axis, const char *file, int not, uint8_t *keep, int64_t *unknown, struct err *e);
/* Mask to numbers; the caller's. */
int64_t *filter_rows(const uint8_t *keep, int64_t n, int64_t *n_keep);
/* A mask [n] of the names in a list file: the other way round. */
int filter_mask(struct set *s, int axis, const char *file, uint8_t **mask, int64_t *unknown, struct err *e);

#endif
