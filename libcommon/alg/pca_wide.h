/* pca_wide - the inner loops of the components, by the widest vectors that the CPU has.  Private.
 *
 * Every lane does the same sequence of IEEE operations, a product rounded and then added: the bits do not depend on the width.
 */
#ifndef OVX_PCA_WIDE_H
#define OVX_PCA_WIDE_H

#include <stdint.h>

/* Floats of a table's row. */
#define PCA_WIDTH 64

/* For each list b of lists lo .. hi - 1, entries ptr[b] .. ptr[b + 1] - 1: adds the sum of val times rows at of table
 * [..][PCA_WIDTH] to sum [hi - lo][PCA_WIDTH]. */
void pca_add_lists(const float *table, const int32_t *ptr, const int32_t *at, const float *val, int64_t lo, int64_t hi, float *sum);

/* sum [PCA_WIDTH] = of n entries, the rows of table being stride floats apart. */
void pca_sum_rows(const float *table, int64_t stride, const int32_t *at, const float *val, int64_t n, float *sum);

#endif
