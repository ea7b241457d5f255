/* deflate - the only file pair that includes libdeflate.h: CRC-32 and deflate
 *
 * Level 1 after a byte shuffle is what columns and graphs are stored with:
 * about as small as level 6 without the shuffle and several times as fast.
 *
 * Any thread may call; compressors and decompressors rest between calls, so that small
 * blocks do not pay for making them.
 */
#ifndef OVX_DEFLATE_H
#define OVX_DEFLATE_H

#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

/* CRC-32 (that of gzip) of n bytes, going on from crc; start with 0. */
uint32_t deflate_crc(uint32_t crc, const void *p, size_t n);

/* Raw deflate at a level 1..12 into dst of room bytes.  Returns the bytes used, or 0 when
 * they do not fit: then store it raw.  Deterministic for one libdeflate version. */
size_t deflate_pack(int level, const void *src, size_t n, void *dst, size_t room);
/* Inflates exactly n bytes; anything else is ERR_DATA. */
int deflate_unpack(const void *src, size_t len, void *dst, size_t n, struct err *e);
/* Inflates a zlib stream (HDF5's deflate filter) of at most room bytes; the
 * bytes made come back in *n. */
int deflate_unzlib(const void *src, size_t len, void *dst, size_t room, size_t *n, struct err *e);

/* Byte shuffle of n bytes in items of width bytes: all first bytes, then all
 * second bytes, ...; a rest that is no whole item is copied. */
void deflate_shuffle(const void *src, void *dst, size_t n, int width);
void deflate_unshuffle(const void *src, void *dst, size_t n, int width);

#endif
