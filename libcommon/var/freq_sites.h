/* freq_sites - a sites file with an index, asked without a database
 *
 * What a stretch of queries needs is fetched when it is announced (freq.h: ahead): the spans that the index gives for its positions, gaps
 * skipped, inflated and parsed into rows in memory.  Correct and slower than a database; rows that trimming or left-alignment
 * would move far from where they stand are not found by their new position, and notes says so.
 */
#ifndef OVX_FREQ_SITES_H
#define OVX_FREQ_SITES_H

#include "base/err.h"
#include "base/str.h"
#include "var/freq.h"

/* Opens a BGZF sites file that has a .tbi or .csi beside it.  fields, pops, over as sites_columns takes them.  ERR_DATA without an index. */
struct freq *freq_sites_open(const char *path, const char *fields, int pops, const struct strs *over, struct err *e);
/* Rows seen so far whose alleles were not minimal, and so stand elsewhere than their position says. */
int64_t freq_sites_moved(const struct freq *f);

#endif
