/* pack - see pack.h */
#include "stream/pack.h"

size_t
pack_bound(int64_t n_row, int64_t nnz, int64_t n_col)
{
	(void)n_col;
	return (size_t)(n_row * 10 + nnz * 10 + 16);
}

static uint8_t *
put(uint8_t *p, uint64_t v)
{
	for (; v >= 128; v >>= 7)
		*p++ = (uint8_t)(v | 128);
	*p++ = (uint8_t)v;
	return p;
}

int64_t
pack_encode(const struct csr *m, uint8_t *dst)
{
	uint8_t *p = dst;

	for (int64_t i = 0; i < m->n_row; i++) {
		int32_t last = -1;

		p = put(p, (uint64_t)(m->ptr[i + 1] - m->ptr[i]));
		for (int64_t k = m->ptr[i]; k < m->ptr[i + 1]; k++) {
			p = put(p, (uint64_t)(m->col[k] - last - 1));
			p = put(p, (uint64_t)m->val[k]);
			last = m->col[k];
		}
	}
	return p - dst;
}

static int
get(const uint8_t **p, const uint8_t *end, uint64_t *v)
{
	*v = 0;
	for (int s = 0; s < 63 && *p < end; s += 7) {
		uint8_t b = *(*p)++;

		*v |= (uint64_t)(b & 127) << s;
		if (!(b & 128))
			return 1;
	}
	return 0;
}

int
pack_decode(const uint8_t *src, size_t len, int64_t n_row, int64_t n_col, struct csr *m, struct err *e)
{
	const uint8_t *p = src, *end = src + len;
	int64_t at = 0;

	csr_reserve(m, n_row, 0);
	m->ptr[0] = 0;
	for (int64_t i = 0; i < n_row && !e->code; i++) {
		uint64_t n, gap, v;
		int64_t last = -1;

		if (!get(&p, end, &n) || n > (uint64_t)n_col || n > (uint64_t)(end - p))
			return err_set(e, ERR_DATA, "damaged: packed counts");
		csr_reserve(m, n_row, at + (int64_t)n);
		for (uint64_t k = 0; k < n; k++) {
			if (!get(&p, end, &gap) || !get(&p, end, &v) || gap >= (uint64_t)n_col || v < 1 || v > 0xffffffffu ||
			    (last += (int64_t)gap + 1) >= n_col)
				return err_set(e, ERR_DATA, "damaged: packed counts");
			m->col[at] = (int32_t)last;
			m->val[at++] = (double)v;
		}
		m->ptr[i + 1] = at;
	}
	if (p != end)
		err_set(e, ERR_DATA, "damaged: packed counts");
	return e->code;
}
