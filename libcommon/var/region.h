/* region - stretches of contigs that are asked for: -r, -R, -t, -T
 *
 * CONTIG, CONTIG:POS, CONTIG:FROM-TO or CONTIG:FROM-, 1-based, ends included; a leading ^ on the first takes all
 * but these.  From files: BED by its suffix (.bed, .bed.gz: 0-based, end excluded), else lines of
 * CONTIG POS or CONTIG FROM TO.
 */
#ifndef OVX_REGION_H
#define OVX_REGION_H

#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

struct region_span {
	int64_t contig;                 /* index into names */
	int64_t beg, end;               /* 1-based, both included */
};

struct region {
	struct strs names;
	struct map by_name;
	struct region_span *span;       /* sorted by contig and beg, overlaps merged, after region_done */
	int64_t n, cap;
	int64_t *first;                 /* [names.n + 1] */
	int inverse;
};

/* Adds a comma-separated list of regions; a contig's name may hold colons when it is one of known (NULL: none). */
int region_add(struct region *r, const char *list, struct err *e);
int region_add_file(struct region *r, const char *path, struct err *e);
void region_done(struct region *r);
void region_clear(struct region *r);
/* Number of a contig's name (n bytes) in r, or -1; whether a 1-based position is in. */
int64_t region_contig(const struct region *r, const char *name, size_t n);
int region_has(const struct region *r, int64_t contig, int64_t pos);

#endif
