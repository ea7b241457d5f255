/* deflate - see deflate.h */
#include "os/deflate.h"

#include <stdatomic.h>
#include <string.h>
#include <libdeflate.h>
#include "base/mem.h"

/* Coders that rest between calls, at most so many of a kind (the last kind: decoders).  A coder is up to 1 MB of
 * fresh pages; to take one from here is one atomic exchange.  What it did before does not show in its output. */
#define LEVELS 13
#define SPARE 64
static _Atomic(void *) spare[LEVELS + 1][SPARE];

static void *
take(int kind)
{
	void *p = NULL;

	for (int i = 0; i < SPARE && !p; i++)
		if (atomic_load_explicit(&spare[kind][i], memory_order_relaxed))
			p = atomic_exchange(&spare[kind][i], NULL);
	return p;
}

/* 0 when there is no place left. */
static int
give(int kind, void *p)
{
	for (int i = 0; i < SPARE; i++) {
		void *none = NULL;

		if (atomic_compare_exchange_strong(&spare[kind][i], &none, p))
			return 1;
	}
	return 0;
}

uint32_t
deflate_crc(uint32_t crc, const void *p, size_t n)
{
	return libdeflate_crc32(crc, p, n);
}

size_t
deflate_pack(int level, const void *src, size_t n, void *dst, size_t room)
{
	struct libdeflate_compressor *c;
	size_t used;

	BUG_IF(level < 1 || level >= LEVELS);
	c = take(level);
	if (!c)
		c = libdeflate_alloc_compressor(level);
	if (!c)
		mem_oom(1 << 20);
	used = libdeflate_deflate_compress(c, src, n, dst, room);
	if (!give(level, c))
		libdeflate_free_compressor(c);
	return used;
}

/* The decoder of a call, or NULL with e set. */
static struct libdeflate_decompressor *
decoder(struct err *e)
{
	struct libdeflate_decompressor *d = e->code ? NULL : take(LEVELS);

	if (!d && !e->code)
		d = libdeflate_alloc_decompressor();
	if (!d && !e->code)
		mem_oom(1 << 16);
	return d;
}

static int
finish(struct libdeflate_decompressor *d, enum libdeflate_result r, const char *what, struct err *e)
{
	if (!give(LEVELS, d))
		libdeflate_free_decompressor(d);
	return r == LIBDEFLATE_SUCCESS ? 0 : err_set(e, ERR_DATA, "damaged: %s data", what);
}

int
deflate_unpack(const void *src, size_t len, void *dst, size_t n, struct err *e)
{
	struct libdeflate_decompressor *d = decoder(e);

	return d ? finish(d, libdeflate_deflate_decompress(d, src, len, dst, n, NULL), "deflate", e) : e->code;
}

int
deflate_unzlib(const void *src, size_t len, void *dst, size_t room, size_t *n, struct err *e)
{
	struct libdeflate_decompressor *d = decoder(e);

	return d ? finish(d, libdeflate_zlib_decompress(d, src, len, dst, room, n), "zlib", e) : e->code;
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

typedef uint8_t bytes16 __attribute__((vector_size(16), aligned(1), may_alias));

#ifdef __clang__
#define PICK(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define PICK(a, b, ...) __builtin_shuffle(a, b, (bytes16){ __VA_ARGS__ })
#endif
/* Bytes of a and b in turns: of their first and of their last eight. */
#define FIRST(a, b) PICK(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define LAST(a, b) PICK(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)

static inline bytes16
load16(const uint8_t *p)
{
	return *(const bytes16 *)p;
}

/* Items of four bytes, sixteen at a time, from four planes a stride apart; how many were done. */
static size_t
unshuffle4(const uint8_t *s, uint8_t *d, size_t item)
{
	size_t i = 0;

	for (; i + 16 <= item; i += 16) {
		bytes16 a = load16(s + i), b = load16(s + item + i), c = load16(s + 2 * item + i), e = load16(s + 3 * item + i);
		bytes16 ac[2] = { FIRST(a, c), LAST(a, c) }, be[2] = { FIRST(b, e), LAST(b, e) }, *to = (bytes16 *)(d + 4 * i);

		for (int k = 0; k < 2; k++) {
			to[2 * k] = FIRST(ac[k], be[k]);
			to[2 * k + 1] = LAST(ac[k], be[k]);
		}
	}
	return i;
}

/* The same of eight bytes. */
static size_t
unshuffle8(const uint8_t *s, uint8_t *d, size_t item)
{
	size_t i = 0;

	for (; i + 16 <= item; i += 16) {
		bytes16 even[4], odd[4], *to = (bytes16 *)(d + 8 * i);

		for (int k = 0; k < 2; k++) {           /* planes 0, 4 and 2, 6; 1, 5 and 3, 7 */
			const uint8_t *p = s + i + (size_t)k * item;
			bytes16 a = load16(p), b = load16(p + 2 * item), c = load16(p + 4 * item), e = load16(p + 6 * item);
			bytes16 ac[2] = { FIRST(a, c), LAST(a, c) }, be[2] = { FIRST(b, e), LAST(b, e) }, *half = k ? odd : even;

			for (int j = 0; j < 2; j++) {
				half[2 * j] = FIRST(ac[j], be[j]);
				half[2 * j + 1] = LAST(ac[j], be[j]);
			}
		}
		for (int k = 0; k < 4; k++) {
			to[2 * k] = FIRST(even[k], odd[k]);
			to[2 * k + 1] = LAST(even[k], odd[k]);
		}
	}
	return i;
}

void
deflate_unshuffle(const void *src, void *dst, size_t n, int width)
{
	const uint8_t *s = src;
	uint8_t *d = dst;
	size_t item = n / (size_t)width, w = (size_t)width;
	size_t done = width == 4 ? unshuffle4(s, d, item) : width == 8 ? unshuffle8(s, d, item) : 0;

	for (size_t b = 0; b < w; b++)
		for (size_t i = done; i < item; i++)
			d[i * w + b] = s[b * item + i];
	memcpy(d + item * w, s + item * w, n - item * w);
}
