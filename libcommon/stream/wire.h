/* wire - byte offsets of the ovx stream, and nothing else (ovx-stream(5))
 *
 * All integers are little-endian; bytes that are not named here are zero and
 * checked to be.  Heads and payloads start at multiples of WIRE_ALIGN.
 */
#ifndef OVX_WIRE_H
#define OVX_WIRE_H

#include <stdint.h>
#include <string.h>

#define WIRE_ALIGN 64
#define WIRE_MAGIC "\x89OVX\r\n\x1a\n"
#define WIRE_MAJOR 1
#define WIRE_MINOR 0

enum wire_preamble {            /* 64 bytes */
	WP_MAGIC = 0, WP_MAJOR = 8, WP_MINOR = 10, WP_INCOMPAT = 16, WP_COMPAT = 24, WP_CRC = 60
};
enum wire_section {             /* 64 bytes, then the text, padded */
	WS_TAG = 0, WS_KIND = 4, WS_DTYPE = 5, WS_FLAGS = 6, WS_N_ROW = 8, WS_N_COL = 16, WS_SEQ = 24,
	WS_TEXT = 32, WS_BLOCK_ROWS = 36, WS_CHAIN = 40, WS_CRC = 60
};
enum wire_block {               /* 64 bytes, then the stored bytes, padded */
	WB_TAG = 0, WB_CODEC = 4, WB_FLAGS = 5, WB_ROW0 = 8, WB_N_ROW = 16, WB_N_ITEM = 24, WB_STORED = 32,
	WB_HASH = 40, WB_DATA_CRC = 56, WB_CRC = 60
};
enum wire_tail {                /* 64 bytes, the last of the stream */
	WT_TAG = 0, WT_END = 8, WT_TOTAL = 16, WT_CRC = 60
};
enum wire_section_flags { WSF_PAYLOAD = 1, WSF_PRELUDE = 2 };
enum wire_block_flags { WBF_LAST = 1, WBF_PRELUDE = 2 };

static inline void
wire_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void
wire_put32(uint8_t *p, uint32_t v)
{
	wire_put16(p, (uint16_t)v);
	wire_put16(p + 2, (uint16_t)(v >> 16));
}

static inline void
wire_put64(uint8_t *p, uint64_t v)
{
	wire_put32(p, (uint32_t)v);
	wire_put32(p + 4, (uint32_t)(v >> 32));
}

static inline uint16_t
wire_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t
wire_get32(const uint8_t *p)
{
	return (uint32_t)wire_get16(p) | (uint32_t)wire_get16(p + 2) << 16;
}

static inline uint64_t
wire_get64(const uint8_t *p)
{
	return wire_get32(p) | (uint64_t)wire_get32(p + 4) << 32;
}

/* n rounded up to the alignment. */
static inline int64_t
wire_pad(int64_t n)
{
	return (n + WIRE_ALIGN - 1) / WIRE_ALIGN * WIRE_ALIGN;
}

/* Whether n bytes are all zero. */
static inline int
wire_zero(const uint8_t *p, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		if (p[i])
			return 0;
	return 1;
}

#endif
