/* keep - which values of a field concern one ALT: Number=A, R and G of the VCF specification, section 1.4.2
 */
#ifndef OVX_KEEP_H
#define OVX_KEEP_H

#include <stdint.h>
#include "var/hts.h"

#define KEEP_MOST 17                    /* values kept: genotypes up to ploidy 16 */

/* Of n values of a record with n_alt ALTs, those that stay when only ALT number alt (from 1) does: their numbers, rising, in
 * pick; returns how many, 0 when n fits nothing.  G: of any ploidy whose genotypes are n; the sorted genotypes of 0 and alt. */
int keep_values(enum hts_number number, int64_t n, int n_alt, int alt, int64_t pick[KEEP_MOST]);

#endif
