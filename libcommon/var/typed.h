/* typed - numbers and typed values as BCF writes them: section 6.3 of the VCF specification
 *
 * A typed value is a descriptor (a type, and how many) and its values; everything in a record but its first 32
 * bytes is made of them.  The bytes come from outside: nothing is read behind end.
 */
#ifndef OVX_TYPED_H
#define OVX_TYPED_H

#include <stddef.h>
#include <stdint.h>
#include "base/str.h"

static inline uint32_t
typed_get32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline void
typed_put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

/* Bytes of the value at p, its descriptor included; 0 when it is damaged or reaches over end.  *type: 1, 2, 3 integers
 * of 8, 16, 32 bits, 4 of 64, 5 float, 7 characters, 0 nothing; *count values from *v on. */
size_t typed_value(const uint8_t *p, const uint8_t *end, int *type, size_t *count, const uint8_t **v);
/* A text at p (p may be NULL, then so is the result): its bytes; returns what comes behind it, NULL when it is none. */
const uint8_t *typed_text(const uint8_t *p, const uint8_t *end, const uint8_t **s, size_t *n);

/* The descriptor of count values of a type, at most 6 bytes; returns how many. */
size_t typed_head(uint8_t out[6], int type, size_t count);
/* Integers at the end of out in the smallest type that holds all, as htslib writes them; what 32 bits do not hold is
 * missing, as INT64_MIN is. */
void typed_ints(struct str *out, const int64_t *v, size_t n);

#endif
