/* bgzf - see bgzf.h */
#include "os/bgzf.h"

#include <string.h>
#include "os/deflate.h"

#define HEAD 18                 /* bytes before the deflate data of a block of ours */
#define FIXED 12                /* bytes before the extra fields of any */
#define FOOT 8                  /* CRC-32 and size, behind it */
#define STORED 5                /* what a stored deflate block adds */

const uint8_t bgzf_eof[BGZF_EOF_SIZE] = {
	0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 6, 0, 'B', 'C', 2, 0, 0x1b, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0
};

static uint32_t
u16(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8;
}

static uint32_t
u32(const uint8_t *p)
{
	return u16(p) | u16(p + 2) << 16;
}

static void
put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void
put32(uint8_t *p, uint32_t v)
{
	put16(p, v & 0xffff);
	put16(p + 2, v >> 16);
}

int
bgzf_size(const uint8_t *p, size_t have)
{
	/* Deflate, and extra fields as the only flag: with a name or a comment too it is somebody else's gzip. */
	static const uint8_t magic[4] = { 0x1f, 0x8b, 8, 4 };
	size_t at = FIXED, end;

	if (memcmp(p, magic, have < 4 ? have : 4))
		return -1;
	if (have < FIXED)
		return 0;
	end = FIXED + u16(p + 10);
	if (end + 2 + FOOT > BGZF_MAX)
		return -1;
	while (at + 4 <= end) {
		size_t n;

		if (have < at + 4)
			return 0;
		n = u16(p + at + 2);
		if (at + 4 + n > end)
			return -1;
		if (p[at] == 'B' && p[at + 1] == 'C' && n == 2) {
			if (have < at + 6)
				return 0;
			n = u16(p + at + 4) + 1;
			return n < end + 2 + FOOT ? -1 : (int)n;
		}
		at += 4 + n;
	}
	return -1;
}

int
bgzf_raw_size(const uint8_t *p, size_t n)
{
	uint32_t raw;

	if (n < FIXED + FOOT)
		return -1;
	raw = u32(p + n - 4);
	return raw > BGZF_MAX ? -1 : (int)raw;
}

int
bgzf_inflate(const uint8_t *p, size_t n, uint8_t *dst, struct err *e)
{
	struct err one = {0};
	int raw = bgzf_raw_size(p, n);
	size_t head;

	if (e->code)
		return e->code;
	if (raw < 0 || bgzf_size(p, n) != (int)n)
		return err_set(e, ERR_DATA, "a BGZF block is damaged: its header or size");
	head = FIXED + u16(p + 10);
	if (deflate_unpack(p + head, n - head - FOOT, dst, (size_t)raw, &one))
		return err_set(e, ERR_DATA, "a BGZF block is damaged: its data cannot be inflated");
	if (deflate_crc(0, dst, (size_t)raw) != u32(p + n - FOOT))
		return err_set(e, ERR_DATA, "a BGZF block is damaged: its checksum differs");
	return 0;
}

size_t
bgzf_deflate(int level, const uint8_t *src, size_t n, uint8_t *dst)
{
	uint8_t *to = dst + HEAD;
	size_t used = 0;

	BUG_IF(n > BGZF_FILL);
	memcpy(dst, bgzf_eof, BGZF_EOF_SIZE);
	if (n == 0)
		return BGZF_EOF_SIZE;
	if (level > 0)
		used = deflate_pack(level, src, n, to, n + STORED - 1);
	if (used == 0) {
		to[0] = 1;              /* last, stored */
		put16(to + 1, (uint32_t)n);
		put16(to + 3, ~(uint32_t)n & 0xffff);
		memcpy(to + STORED, src, n);
		used = n + STORED;
	}
	put32(to + used, deflate_crc(0, src, n));
	put32(to + used + 4, (uint32_t)n);
	used += HEAD + FOOT;
	put16(dst + 16, (uint32_t)used - 1);
	return used;
}
