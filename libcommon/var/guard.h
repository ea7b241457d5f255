/* guard - records that were passed, so that one that moves does not move past them
 *
 * An indel that slides to the left over another variant of the same chromosome copy changes the sequence that the two
 * describe together.  A guard keeps the records within `reach` bases, as text lines, and says how far to the left a record
 * may go: to the end of the nearest one that may be on the same copy.  Two records may be when some sample carries an
 * ALT of both on one haplotype; genotypes that are not phased, and files without samples, may always be.
 *
 * It needs the records in their order: one thread.
 */
#ifndef OVX_GUARD_H
#define OVX_GUARD_H

#include <stdint.h>
#include "base/str.h"

struct guard_rec {
	int64_t beg, end;               /* 0-based, on the reference, as written */
	size_t at, n;                   /* the line in text */
};

struct guard {
	int64_t reach;
	struct str text;
	struct guard_rec *rec;
	int64_t n, cap, first;          /* rec[first..n) are within reach */
};

/* Forgets everything: another contig. */
void guard_clear(struct guard *g);
void guard_free(struct guard *g);
/* A record was passed: its place, its line without the line end. */
void guard_add(struct guard *g, int64_t beg, int64_t end, const uint8_t *line, size_t n);
/* The least position (0-based, at most pos) that a record of this line may move to, when it would like to move from pos to `to`.  alt: only this ALT
 * of it counts (1-based; 0 = any). */
int64_t guard_bound(const struct guard *g, int64_t pos, int64_t to, const uint8_t *line, size_t n, int alt);

#endif
