/* vxg_dict - texts of a column by number, while a database is made: see vxg_impl.h */
#include "var/vxg_impl.h"

#include "base/mem.h"
#include "base/rng.h"

static uint32_t
dict_start(const struct vxg_dict *d, int64_t i)
{
	return i ? d->end[i - 1] : 0;
}

static void
dict_grow(struct vxg_dict *d)
{
	int64_t n = d->n_slot ? 2 * d->n_slot : 64;

	mem_free(d->slot);
	d->slot = mem_new(uint32_t, n);
	d->n_slot = n;
	for (int64_t i = 0; i < d->n; i++) {
		uint64_t h = rng_hash(d->text.s + dict_start(d, i), d->end[i] - dict_start(d, i), 0);

		while (d->slot[h & (uint64_t)(n - 1)])
			h++;
		d->slot[h & (uint64_t)(n - 1)] = (uint32_t)i + 1;
	}
}

/* A text of 1 to 7 bytes and its length. */
static inline uint64_t
short_word(const char *s, size_t n)
{
	const uint8_t *p = (const uint8_t *)s;
	uint64_t word;

	if (n < 4)
		word = p[0] | (uint32_t)p[n / 2] << 8 | (uint32_t)p[n - 1] << 16;
	else
		word = vxg_u32(p) | (uint64_t)vxg_u32(p + n - 4) >> 8 * (8 - n) << 32;
	return word | (uint64_t)n << 56;
}

int64_t
vxg_dict_number(struct vxg_dict *d, const char *s, size_t n)
{
	uint64_t h, word = 0;
	int near = 0;

	if (n > 0 && n < 8) {
		word = short_word(s, n);
		near = (int)(word * 0x9e3779b97f4a7c15u >> 60);
		if (d->near[near].word == word)
			return d->near[near].number;
	}
	h = rng_hash(s, n, 0);
	if (2 * d->n >= d->n_slot)
		dict_grow(d);
	for (;; h++) {
		uint32_t k = d->slot[h & (uint64_t)(d->n_slot - 1)];

		if (!k)
			break;
		if (d->end[k - 1] - dict_start(d, k - 1) == n && memcmp(d->text.s + dict_start(d, k - 1), s, n) == 0) {
			if (word)
				d->near[near] = (struct vxg_near){ word, k - 1 };
			return k - 1;
		}
	}
	if (d->n == VXG_DICT_N || d->text.n + n > VXG_DICT_BYTES)
		return -1;
	if (d->n == d->cap) {
		d->cap = 2 * d->cap + 64;
		d->end = mem_renew(d->end, uint32_t, d->cap);
	}
	str_addn(&d->text, s, n);
	d->end[d->n] = (uint32_t)d->text.n;
	d->slot[h & (uint64_t)(d->n_slot - 1)] = (uint32_t)d->n + 1;
	return d->n++;
}

void
vxg_dict_clear(struct vxg_dict *d)
{
	str_clear(&d->text);
	mem_free(d->end);
	mem_free(d->slot);
}
