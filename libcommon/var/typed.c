/* typed - see typed.h */
#include "var/typed.h"

size_t
typed_value(const uint8_t *p, const uint8_t *end, int *type, size_t *count, const uint8_t **v)
{
	static const uint8_t width[16] = { 0, 1, 2, 4, 8, 4, 0, 1 };
	const uint8_t *q = p;
	size_t n;

	if (q >= end)
		return 0;
	*type = *q & 15;
	n = *q++ >> 4;
	if (n == 15) {
		int w;

		if (q >= end)
			return 0;
		w = (*q & 15) == 1 ? 1 : (*q & 15) == 2 ? 2 : (*q & 15) == 3 ? 4 : 0;
		q++;
		if (!w || end - q < w || q[w - 1] & 128)        /* none is negative */
			return 0;
		n = w == 1 ? q[0] : w == 2 ? (size_t)q[0] | (size_t)q[1] << 8 : typed_get32(q);
		q += w;
	}
	if (n && !width[*type])
		return 0;
	if (n > (size_t)(end - q) || n * width[*type] > (size_t)(end - q))
		return 0;
	*count = n;
	*v = q;
	return (size_t)(q - p) + n * width[*type];
}

const uint8_t *
typed_text(const uint8_t *p, const uint8_t *end, const uint8_t **s, size_t *n)
{
	int type;
	size_t k = p ? typed_value(p, end, &type, n, s) : 0;

	return k && (type == 7 || *n == 0) ? p + k : NULL;
}

size_t
typed_head(uint8_t out[6], int type, size_t count)
{
	size_t k = 1;

	out[0] = (uint8_t)((count < 15 ? count : 15) << 4 | (unsigned)type);
	if (count < 15)
		return 1;
	if (count < 128) {
		out[k++] = 0x11;
		out[k++] = (uint8_t)count;
	} else if (count < 32768) {
		out[k++] = 0x12;
		out[k++] = (uint8_t)count;
		out[k++] = (uint8_t)(count >> 8);
	} else {
		out[k++] = 0x13;
		typed_put32(out + k, (uint32_t)count);
		k += 4;
	}
	return k;
}

/* The lowest eight numbers of each type are no numbers. */
static int
width_of(int64_t v)
{
	if (v >= -120 && v <= 127)
		return 1;
	if (v >= -32760 && v <= 32767)
		return 2;
	return v >= INT32_MIN + 8 && v <= INT32_MAX ? 4 : 0;
}

/* A value in so many bytes, the lowest first. */
static uint32_t
small(int64_t v, int width)
{
	return width_of(v) ? (uint32_t)v : (uint32_t)INT32_MIN >> (32 - 8 * width);
}

void
typed_ints(struct str *out, const int64_t *v, size_t n)
{
	uint8_t b[6];
	int width = 1;

	for (size_t i = 0; i < n; i++)
		if (width_of(v[i]) > width)
			width = width_of(v[i]);
	if (n == 1) {
		b[0] = (uint8_t)(0x10 | (width == 4 ? 3 : width));
		typed_put32(b + 1, small(v[0], width));
		str_addn(out, b, (size_t)width + 1);
		return;
	}
	str_addn(out, b, typed_head(b, width == 4 ? 3 : width, n));
	for (size_t i = 0; i < n; i++) {
		typed_put32(b, small(v[i], width));
		str_addn(out, b, (size_t)width);
	}
}
