/* vxg_shape - alleles as codes, and what follows from a database's columns alone: see vxg_impl.h */
#include "var/vxg_impl.h"

#include "base/mem.h"

const char vxg_letters[4] = { 'A', 'C', 'G', 'T' };

/* --- alleles ----------------------------------------------------------------------- */

int
vxg_allele_code(const char *ref, uint32_t n_ref, const char *alt, uint32_t n_alt, uint32_t *stub)
{
	const char *more = n_ref > n_alt ? ref : alt;
	uint32_t n = n_ref > n_alt ? n_ref : n_alt, bases = 1;

	if (n_ref == 1 && n_alt == 1)
		return vxg_single_code(*ref, *alt);
	if ((n_ref != 1 && n_alt != 1) || n > VXG_SHORT + 1 || ref[0] != alt[0])
		return VXG_LONG;
	for (uint32_t i = 1; i < n; i++)
		bases = bases << 2 | (uint32_t)vxg_base(more[i]);
	*stub = (uint32_t)vxg_base(*ref) << 13 | bases;
	return n_ref > n_alt ? VXG_DEL : VXG_INS;
}

void
vxg_allele_text(int code, uint32_t stub, char ref[8], uint32_t *n_ref, char alt[8], uint32_t *n_alt)
{
	char *more = code == VXG_DEL ? ref : alt;
	uint32_t bases = stub & 0x1fff, n = 0;

	*n_ref = *n_alt = 1;
	if (code < VXG_DEL) {
		ref[0] = vxg_letters[code / 3];
		alt[0] = vxg_letters[code % 3 + (code % 3 >= code / 3)];
		return;
	}
	ref[0] = alt[0] = vxg_letters[stub >> 13 & 3];
	while (bases >> 2 * (n + 1))
		n++;
	for (uint32_t i = 0; i < n; i++)
		more[1 + i] = vxg_letters[bases >> 2 * (n - 1 - i) & 3];
	*(code == VXG_DEL ? n_ref : n_alt) = n + 1;
}

/* --- columns: order and what they come from ------------------------------------------- */

/* Numbers of the whole first, then numerators, then denominators, then what is derived from them. */
static int
rank_of(const struct vxg_shape *s, const uint8_t *is_num, int i)
{
	return i == s->cols->ac ? 0 : i == s->cols->an ? 1 : is_num[i] ? 2 : s->num_of[i] >= 0 ? 3 : 4;
}

static void
pair_of(struct vxg_shape *s, int i)
{
	const struct fcols *cols = s->cols;
	int num = cols->c[i].num, den = cols->c[i].den;

	s->num[i] = s->den[i] = -1;
	if (cols->c[i].type != FTYPE_FLOAT)
		return;
	if (num < 0 || den < 0) {
		num = cols->ac;
		den = cols->an;
	}
	if (num < 0 || den < 0 || num == den || cols->c[num].type != FTYPE_INT || cols->c[den].type != FTYPE_INT)
		return;
	s->num[i] = num;
	s->den[i] = den;
	if (s->num_of[den] < 0)
		s->num_of[den] = num;
}

void
vxg_shape(struct vxg_shape *s, const struct fcols *cols)
{
	uint8_t *is_num = mem_new(uint8_t, cols->n);
	int n = 0;

	s->cols = cols;
	s->table = NULL;
	s->order = mem_new(int, cols->n);
	s->num = mem_new(int, cols->n);
	s->den = mem_new(int, cols->n);
	s->num_of = mem_new(int, cols->n);
	for (int i = 0; i < cols->n; i++)
		s->num_of[i] = -1;
	for (int i = 0; i < cols->n; i++) {
		pair_of(s, i);
		if (s->num[i] >= 0)
			is_num[s->num[i]] = 1;
	}
	for (int k = 0; k < 5; k++)
		for (int i = 0; i < cols->n; i++)
			if (rank_of(s, is_num, i) == k)
				s->order[n++] = i;
	mem_free(is_num);
}

void
vxg_shape_clear(struct vxg_shape *s)
{
	mem_free(s->order);
	mem_free(s->num);
	mem_free(s->den);
	mem_free(s->num_of);
	memset(s, 0, sizeof *s);
}
