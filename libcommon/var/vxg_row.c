/* vxg_row - one row of a common block, whose columns stand side by side: see vxg_impl.h
 */
#include "var/vxg_impl.h"

static int
is_quick(const struct vxints *x)
{
	return (x->flags & (VXINTS_ROW | VXINTS_CONST)) != 0;
}

static void
set_numbers(struct vxg_quick *q, const struct vxints *x)
{
	q->base = x->base;
	if (x->flags & VXINTS_REST)
		q->ratio = x->ratio;
	if (x->flags & VXINTS_CONST)
		return;
	q->w = x->w;
	q->shift = x->shift;
	q->bit = x->bit;
	q->has_exc = x->n_exc > 0;
}

void
vxg_quick_set(struct vxg_block *b, int i, int n_col)
{
	const struct vxg_col *c = &b->col[i];
	struct vxg_quick *q = &b->quick[i], *digits = &b->quick[n_col + i];

	*q = *digits = (struct vxg_quick){ .how = VXG_NOT_QUICK };
	if (c->derive) {
		if (c->off.kind != VXFLAGS_NONE)
			return;
		q->how = c->derive == VXG_RATIO ? VXG_QUICK_TABLE : VXG_QUICK_QUOTIENT;
		q->rule = c->rule;
		q->base = c->zero;
		return;
	}
	if (c->where || c->missing.kind || c->has_text)
		return;
	if (c->empty) {
		q->how = VXG_QUICK_MISSING;
		return;
	}
	if (!is_quick(&c->a) || (c->type == FTYPE_FLOAT && !is_quick(&b->more[i].b)))
		return;
	q->how = c->type == FTYPE_STRING ? VXG_QUICK_STRING : c->type == FTYPE_FLOAT ? VXG_QUICK_FLOAT : VXG_QUICK_INT;
	set_numbers(q, &c->a);
	if (c->type == FTYPE_FLOAT)
		set_numbers(digits, &b->more[i].b);
}

/* A number of a row; 0 when it is an exception.  an: AN of the row, from which it may be predicted. */
VXBITS_INLINE int
quick_number(const struct vxg_block *b, const struct vxg_quick *q, uint32_t row, fval an, uint64_t *v)
{
	uint64_t bit = (uint64_t)row * b->row_width + q->bit, all = ((uint64_t)1 << q->w) - 1, code = vxbits_load(b->rows + (bit >> 3)) >> (bit & 7) & all;

	*v = (uint64_t)q->base + (code << q->shift);
	if (q->ratio)
		*v += (uint64_t)vxints_predict(an, q->ratio);
	return !(q->has_exc && code == all);
}

/* A column that is not derived. */
VXBITS_INLINE fval
quick_own(struct vxg_block *b, const struct vxg_shape *sh, int col, uint32_t row, fval an)
{
	const struct vxg_quick *q = &b->quick[col];
	uint64_t v, digits;

	if (q->how == VXG_QUICK_MISSING)
		return FVAL_MISSING;
	if (q->how == VXG_NOT_QUICK || !quick_number(b, q, row, an, &v))
		return vxg_block_value(b, sh, col, row);
	if (q->how == VXG_QUICK_INT)
		return (fval)v;
	if (q->how == VXG_QUICK_STRING)
		return fval_of_text((int64_t)(v & (FVAL_TEXT_MAX / 4 - 1)) << 1);
	if (!quick_number(b, q + sh->cols->n, row, 0, &digits))
		return vxg_block_value(b, sh, col, row);
	return fval_float((int)(v & 0x1ffff), (int64_t)(digits & FVAL_DIGITS));
}

void
vxg_block_row(struct vxg_block *b, const struct vxg_shape *sh, const int *col, int n, uint32_t row, fval *out)
{
	fval an = sh->cols->an < 0 ? 0 : quick_own(b, sh, sh->cols->an, row, 0);

	for (int i = 0; i < n; i++) {
		const struct vxg_quick *q = &b->quick[col[i]];
		fval num, den;

		if (q->how < VXG_QUICK_TABLE || q->how > VXG_QUICK_QUOTIENT) {
			out[i] = col[i] == sh->cols->an ? an : quick_own(b, sh, col[i], row, an);
			continue;
		}
		num = quick_own(b, sh, sh->num[col[i]], row, an);
		den = sh->den[col[i]] == sh->cols->an ? an : quick_own(b, sh, sh->den[col[i]], row, an);
		if (q->how == VXG_QUICK_QUOTIENT)
			out[i] = num == 0 && den > 0 && den <= INT32_MAX ? q->base : vxg_predict(q->rule, num, den, 0);
		else
			out[i] = sh->table && sh->table[col[i]] ? vxg_predict_ratio(q->rule, sh->table[col[i]], num, den) : FVAL_MISSING;
	}
}

void
vxg_block_row_own(struct vxg_block *b, const struct vxg_shape *sh, const int *col, int n, uint32_t row, fval *out)
{
	fval an = sh->cols->an < 0 ? 0 : quick_own(b, sh, sh->cols->an, row, 0);

	for (int i = 0; i < n; i++)
		out[col[i]] = col[i] == sh->cols->an ? an : quick_own(b, sh, col[i], row, an);
}
