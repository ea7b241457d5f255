/* deflate - see deflate.h */
#include "os/deflate.h"

#include <string.h>
#include <libdeflate.h>
#include "base/mem.h"

uint32_t
deflate_crc(uint32_t crc, const void *p, size_t n)
{
	return libdeflate_crc32(crc, p, n);
}

size_t
deflate_pack(int level, const void *src, size_t n, void *dst, size_t room)
{
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(level);
	size_t used;

	if (!c)
		mem_oom(1 << 20);
	used = libdeflate_deflate_compress(c, src, n, dst, room);
	libdeflate_free_compressor(c);
	return used;
}

int
deflate_unpack(const void *src, size_t len, void *dst, size_t n, struct err *e)
{
	struct libdeflate_decompressor *d;
	enum libdeflate_result r;

	if (e->code)
		return e->code;
	d = libdeflate_alloc_decompressor();
	if (!d)
		mem_oom(1 << 16);
	r = libdeflate_deflate_decompress(d, src, len, dst, n, NULL);
	libdeflate_free_decompressor(d);
	return r == LIBDEFLATE_SUCCESS ? 0 : err_set(e, ERR_DATA, "damaged: deflate data");
}

int
deflate_unzlib(const void *src, size_t len, void *dst, size_t room, size_t *n, struct err *e)
{
	struct libdeflate_decompressor *d;
	enum libdeflate_result r;

	if (e->code)
		return e->code;
	d = libdeflate_alloc_decompressor();
	if (!d)
		mem_oom(1 << 16);
	r = libdeflate_zlib_decompress(d, src, len, dst, room, n);
	libdeflate_free_decompressor(d);
	return r == LIBDEFLATE_SUCCESS ? 0 : err_set(e, ERR_DATA, "damaged: zlib data");
}

void
deflate_shuffle(const void *src, void *dst, size_t n, int width)
{
	const uint8_t *s = src;
	uint8_t *d = dst;
	size_t item = n / (size_t)width, w = (size_t)width;

	for (size_t b = 0; b < w; b++)
		for (size_t i = 0; i < item; i++)
			d[b * item + i] = s[i * w + b];
	memcpy(d + item * w, s + item * w, n - item * w);
}

void
deflate_unshuffle(const void *src, void *dst, size_t n, int width)
{
	const uint8_t *s = src;
	uint8_t *d = dst;
	size_t item = n / (size_t)width, w = (size_t)width;

	for (size_t b = 0; b < w; b++)
		for (size_t i = 0; i < item; i++)
			d[i * w + b] = s[b * item + i];
	memcpy(d + item * w, s + item * w, n - item * w);
}
