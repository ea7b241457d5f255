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
