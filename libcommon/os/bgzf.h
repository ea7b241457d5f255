/* bgzf - blocked gzip, a block at a time: BGZF of the SAM specification, section 4.1
 *
 * A BGZF file is a run of small gzip members, each of which says its own size, so that blocks can be
 * cut out of a stream, inflated by several threads, passed on as they are, or made
 * anew.  An empty block is the end mark.  Nothing here does I/O or keeps state: whoever has the
 * bytes calls.
 *
 *	n = bgzf_size(p, have);                 > 0: a block of n bytes begins at p
 *	bgzf_inflate(p, n, dst, e);             bgzf_raw_size(p, n) bytes
 */
#ifndef OVX_BGZF_H
#define OVX_BGZF_H

#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

#define BGZF_MAX 65536          /* bytes of a block, on either side of compression */
#define BGZF_FILL 65280         /* bytes that a block of ours holds before compression, as others write it */
#define BGZF_EOF_SIZE 28

extern const uint8_t bgzf_eof[BGZF_EOF_SIZE];

/* Bytes of the block that begins at p, of which have are there.  0: more bytes are
 * needed to say (at most 64 KB); -1: this is no BGZF block. */
int bgzf_size(const uint8_t *p, size_t have);
/* What a whole block of n bytes says that it holds when inflated: at most BGZF_MAX, else it is
 * damaged (-1). */
int bgzf_raw_size(const uint8_t *p, size_t n);
/* Inflates a whole block into dst (bgzf_raw_size bytes) and checks its CRC-32: ERR_DATA
 * when it is damaged. */
int bgzf_inflate(const uint8_t *p, size_t n, uint8_t *dst, struct err *e);
/* Makes one block of n <= BGZF_FILL bytes at a level 0..12 (0 stores) in dst, which has BGZF_MAX bytes; what
 * does not shrink is stored.  Returns the block's size. */
size_t bgzf_deflate(int level, const uint8_t *src, size_t n, uint8_t *dst);

#endif
