/* sha - SHA-256 (FIPS 180-4), and the 128-bit digests of names and sections
 */
#ifndef OVX_SHA_H
#define OVX_SHA_H

#include <stddef.h>
#include <stdint.h>

struct sha {
	uint32_t h[8];
	uint64_t n;
	uint8_t buf[64];
};

void sha_init(struct sha *s);
void sha_add(struct sha *s, const void *p, size_t n);
/* 32 bytes. */
void sha_end(struct sha *s, uint8_t out[32]);
/* The first 128 bits as 32 hexadecimal digits and a NUL. */
void sha_hex(struct sha *s, char out[33]);

#endif
