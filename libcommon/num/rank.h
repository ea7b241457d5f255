/* rank - numbers in falling order
 */
#ifndef OVX_RANK_H
#define OVX_RANK_H

#include <stdint.h>

/* order [n]: the places of x [n] by falling value, equals by place. */
void num_rank(const int64_t *x, int64_t n, int32_t *order);

#endif
