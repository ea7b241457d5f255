/* vxg_row - one row of a common block, whose columns stand side by side: see vxg_impl.h
 */
#include "var/vxg_impl.h"

void
vxg_quick_set(struct vxg_block *b, int i)
{
	const struct vxg_col *c = &b->col[i];
	struct vxg_quick *q = &b->quick[i];
	int flags = c->a.flags;

	*q = (struct vxg_quick){ .how = VXG_NOT_QUICK };
	if (c->derive) {
		if (c->off.kind != VXFLAGS_NONE)
			return;
		q->how = c->derive == VXG_RATIO ? VXG_QUICK_TABLE : VXG_QUICK_QUOTIENT;
		q->rule = c->rule;
		q->base = c->zero;
		return;
	}
	if (c->where || c->missing.kind || c->has_text || c->type == FTYPE_FLOAT || !(flags & (VXINTS_ROW | VXINTS_CONST)))
		return;
	if (c->empty) {
		q->how = VXG_QUICK_MISSING;
		return;
	}
	q->how = c->type == FTYPE_STRING ? VXG_QUICK_STRING : VXG_QUICK_INT;
	q->base = c->a.base;
	q->w = flags & VXINTS_CONST ? 0 : c->a.w;
	q->shift = c->a.shift;
	q->bit = c->a.bit;
	q->ratio = flags & VXINTS_REST ? c->a.ratio : 0;
	q->has_exc = c->a.n_exc > 0;
}

/* A column that is not derived, of a common block; an: AN of the row, from which it may be predicted. */
VXBITS_INLINE fval
quick_own(struct vxg_block *b, const struct vxg_shape *sh, int col, uint32_t row, fval an)
{
	const struct vxg_quick *q = &b->quick[col];
	uint64_t bit = (uint64_t)row * b->row_width + q->bit, all = ((uint64_t)1 << q->w) - 1, v = vxbits_load(b->rows + (bit >> 3)) >> (bit & 7) & all;

	if (q->how >= VXG_QUICK_MISSING || (q->has_exc && v == all))
		return q->how == VXG_QUICK_MISSING ? FVAL_MISSING : vxg_block_value(b, sh, col, row);
	v = (uint64_t)q->base + (v << q->shift);
	if (q->ratio)
		v += (uint64_t)vxints_predict(an, q->ratio);
	return q->how == VXG_QUICK_STRING ? fval_of_text((int64_t)(v & (FVAL_TEXT_MAX / 4 - 1)) << 1) : (fval)v;
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
