/* pack_impl - what pack.c and the row decoders of pack_rows.c share.  Private.
 */
#ifndef OVX_PACK_IMPL_H
#define OVX_PACK_IMPL_H

#include "num/csr.h"
#include "stream/pack.h"
#include "stream/wire.h"

#define CHUNK 64        /* columns; bands are made of whole chunks */
#define MAX_WIDTH 24
#define PAD 8
#define SLACK 64        /* elements that decoding may write behind the last one */
#define TAKE 56         /* bits that an 8-byte load at any bit gives for sure */

/* First values of the levels behind the plane. */
#define FROM_TWO 2
#define FROM_NIBBLE 5
#define FROM_BYTE 20
#define FROM_WORD 275

enum { S_BITMAP, S_HIGH, S_LOW, S_PLANE, S_TWO, S_NIBBLE, S_BYTE, S_WORD, N_STREAM };

/* Band w holds the chunks first[w] .. first[w + 1] - 1. */
struct bands {
	int64_t first[MAX_WIDTH + 2];
	int64_t bucket[MAX_WIDTH + 2];  /* number of the first bucket; [MAX_WIDTH + 1]: all */
};

struct layout {
	struct bands b;
	uint64_t bits[N_STREAM];
};

/* 56 or more bits of a stream from bit at on. */
static inline uint64_t
get_bits(const uint8_t *p, uint64_t at)
{
	return wire_get64(p + (at >> 3)) >> (at & 7);
}

struct reader {
	const uint8_t *stream[N_STREAM];
	struct layout l;
	uint64_t at[N_STREAM];  /* bits used */
	uint64_t most;          /* columns: n_col */
	uint32_t *big;          /* the values behind the set bits of the plane, in order */
	int64_t n_big, at_big;
};

/* Columns and values of all rows; sums and maxima are compared with those of the head.  0 when the block does not hold
 * together.  Chooses the widest code that the CPU has; OVX_CPU in the environment (portable, avx2, avx512) asks
 * for one, for tests.  All give the same results. */
int pack_rows(struct reader *r, struct csr *m, const uint64_t *sum, const uint32_t *max);

#endif
