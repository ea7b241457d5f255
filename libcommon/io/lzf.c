/* lzf - see lzf.h */
#include "io/lzf.h"

#include <string.h>

size_t
lzf_length(const uint8_t *src, size_t n)
{
	size_t at = 0, i = 0;

	while (i < n) {
		size_t c = src[i++];

		if (c < 32) {
			i += c + 1;
			at += c + 1;
		} else {
			at += (c >> 5) + 2;
			if (c >> 5 == 7)
				at += i < n ? src[i++] : 0;
			i++;
		}
	}
	return at;
}

size_t
lzf_decode(const uint8_t *src, size_t n, uint8_t *dst, size_t most)
{
	size_t at = 0, i = 0;

	while (i < n) {
		size_t c = src[i++], len, back;

		if (c < 32) {                   /* c + 1 plain bytes */
			len = c + 1;
			if (len > n - i || len > most - at)
				return 0;
			memcpy(dst + at, src + i, len);
			i += len;
			at += len;
			continue;
		}
		len = c >> 5;
		if (len == 7) {
			if (i >= n)
				return 0;
			len += src[i++];
		}
		len += 2;
		if (i >= n)
			return 0;
		back = ((c & 31) << 8 | src[i++]) + 1;
		if (back > at || len > most - at)
			return 0;
		for (; len; len--, at++)        /* may overlap itself */
			dst[at] = dst[at - back];
	}
	return at;
}
