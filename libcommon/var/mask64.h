/* mask64 - which of 64 bytes are a given one, as the bits of a number
 *
 * Lines of a VCF are short columns: one look at 64 bytes finds the ends of all of them.
 */
#ifndef OVX_MASK64_H
#define OVX_MASK64_H

#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Bit i: p[i] is c.  64 bytes are read. */
#ifdef __SSE2__
static inline uint64_t
mask16(const void *p, char c)
{
	return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(p), _mm_set1_epi8(c)));
}

static inline uint64_t
mask64(const void *p, char c)
{
	const char *s = p;

	return mask16(s, c) | mask16(s + 16, c) << 16 | mask16(s + 32, c) << 32 | mask16(s + 48, c) << 48;
}
#else
static inline uint64_t
mask64(const void *p, char c)
{
	const uint64_t low = 0x7f7f7f7f7f7f7f7fu;
	uint64_t m = 0;

	for (int i = 0; i < 8; i++) {
		uint64_t x;

		memcpy(&x, (const char *)p + 8 * i, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		x = __builtin_bswap64(x);
#endif
		/* the top bit of each byte that is c, then these bits side by side */
		x ^= 0x0101010101010101u * (uint8_t)c;
		x = ~(((x & low) + low) | x | low);
		m |= ((x >> 7) * 0x0102040810204080u >> 56) << 8 * i;
	}
	return m;
}
#endif

#endif
