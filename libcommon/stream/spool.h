/* spool - bytes put aside: in memory up to a cap, then in an unlinked file
 *
 * A tool that must see the counts before it can write its columns lets them
 * lie here meanwhile.  Offsets are handed out in order and stay valid.
 */
#ifndef OVX_SPOOL_H
#define OVX_SPOOL_H

#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

struct spool {
	int64_t cap;            /* bytes kept in memory; 0 means SPOOL_MEMORY */
	struct str mem;
	int fd;                 /* the file's, 0 before it is needed */
	int64_t n;              /* bytes in all */
};

#define SPOOL_MEMORY (64 << 20)

/* Appends n bytes; returns their offset, or -1 with e set. */
int64_t spool_add(struct spool *s, const void *p, int64_t n, struct err *e);
/* Reads back n bytes from an offset. */
int spool_read(struct spool *s, int64_t at, void *p, int64_t n, struct err *e);
/* Writes n bytes from an offset to a file descriptor. */
int spool_copy(struct spool *s, int64_t at, int64_t n, int fd, struct err *e);
void spool_clear(struct spool *s);

#endif
