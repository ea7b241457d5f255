/* vxg_all - a column of a block, all rows at once: for those who ask for most of them.  See vxg_impl.h
 *
 * The same values as vxg_block_value gives one by one, without its search for each: what stands in
 * front of an element is counted along the way.
 */
#include "var/vxg_impl.h"

/* Flags as bytes. */
static void
flags_all(const struct vxflags *f, int n, uint8_t *out)
{
	if (f->kind == VXFLAGS_DENSE) {
		int i = 0;

		/* a byte's bits to eight bytes: each kept in its place by a mask, then made 1 */
		for (; i + 8 <= n; i += 8) {
			uint64_t v = f->p[i >> 3] * 0x0101010101010101u & 0x8040201008040201u;

			v = (v + 0x7f7f7f7f7f7f7f7fu) >> 7 & 0x0101010101010101u;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
			v = __builtin_bswap64(v);
#endif
			memcpy(out + i, &v, 8);
		}
		for (; i < n; i++)
			out[i] = f->p[i >> 3] >> (i & 7) & 1;
		return;
	}
	memset(out, f->kind == VXFLAGS_ALL || f->kind == VXFLAGS_BUT, (size_t)n);
	for (uint32_t k = 0; f->kind > VXFLAGS_DENSE && k < f->listed; k++)
		out[vxbits_get(f->p, k, f->w)] = f->kind == VXFLAGS_LIST;
}

/* Where element k of some goes: they stand one behind the other, or have places. */
#define PLACE(at, k) ((at) ? (at)[k] : (k))

/* m codes, as vxints_code, to their places. */
VXBITS_INLINE void
codes_to(const struct vxints *x, int m, const uint16_t *restrict at, int64_t *restrict out)
{
	const uint8_t *code = x->code, *sub = code - x->sub, *exc = code + x->exc;
	uint32_t w = x->w, shift = x->shift, w_sub = x->w_sub, w_exc = x->w_exc, n_exc = x->n_exc, k = 0, bit = 0;
	uint64_t mask = ((uint64_t)1 << w) - 1, base = (uint64_t)x->base, exc_base = (uint64_t)x->exc_base;
	int subs = x->flags & VXINTS_SUBS;

	if (!subs && !n_exc) {
		for (int i = 0; i < m; i++, bit += w)
			out[PLACE(at, i)] = (int64_t)(base + ((vxbits_load(code + (bit >> 3)) >> (bit & 7) & mask) << shift));
		return;
	}
	for (int i = 0; i < m; i++, bit += w) {
		uint64_t v = vxbits_load(code + (bit >> 3)) >> (bit & 7) & mask;

		if (subs && i % VXBITS_SUB == 0)
			base = (uint64_t)x->base + (vxbits_get(sub, (uint32_t)i / VXBITS_SUB, w_sub) << shift);
		out[PLACE(at, i)] = (int64_t)(v == mask && k < n_exc ? exc_base + vxbits_get(exc, k++, w_exc) : base + (v << shift));
	}
}

static void
codes_all(const struct vxints *x, int m, int64_t *restrict out)
{
	codes_to(x, m, NULL, out);
}

static void
codes_at(const struct vxints *x, int m, const uint16_t *restrict at, int64_t *restrict out)
{
	codes_to(x, m, at, out);
}

static void
fill(int64_t *restrict out, int n, int64_t v)
{
	for (int i = 0; i < n; i++)
		out[i] = v;
}

/* Where flags are not set: at[], ascending; how many.  also: those of it that are not set there, either, or NULL. */
static int
unset(const struct vxflags *f, const struct vxflags *also, int n, uint16_t *restrict at)
{
	int m = 0;

	if (f->kind == VXFLAGS_DENSE && (!also || also->kind == VXFLAGS_DENSE)) {
		for (int i = 0; i < n; i += 64) {
			uint64_t x = ~(vxbits_load(f->p + i / 8) | (also ? vxbits_load(also->p + i / 8) : 0));

			if (n - i < 64)
				x &= ((uint64_t)1 << (n - i)) - 1;
			for (; x; x &= x - 1)
				at[m++] = (uint16_t)(i + __builtin_ctzll(x));
		}
	} else {
		uint8_t set[VXG_ROWS], set2[VXG_ROWS] = {0};

		flags_all(f, n, set);
		if (also)
			flags_all(also, n, set2);
		for (int i = 0; i < n; i++) {
			at[m] = (uint16_t)i;
			m += !(set[i] | set2[i]);
		}
	}
	return m;
}

/* The mode where its flag is set, 1 where `ones` is, else the next code. */
static void
spread(const struct vxints *x, const struct vxflags *ones, int n, int64_t *restrict out)
{
	uint16_t at[VXG_ROWS];
	int m;

	fill(out, n, x->mode);
	if (ones) {
		m = unset(&x->at_mode, NULL, n, at);
		for (int k = 0; k < m; k++)
			out[at[k]] = 1;
	}
	m = unset(&x->at_mode, ones, n, at);
	codes_at(x, m < x->n ? m : x->n, at, out);
}

/* n numbers of rows that are shared. */
static void
rows_all(const struct vxints *x, int n, int64_t *restrict out)
{
	const uint8_t *exc = x->n_exc ? vxints_row_exc(x) : NULL;
	uint64_t all = ((uint64_t)1 << x->w) - 1, bit = x->bit;
	uint32_t k = 0;

	for (int i = 0; i < n; i++, bit += x->width) {
		uint64_t v = vxbits_load(x->code + (bit >> 3)) >> (bit & 7) & all;

		out[i] = v == all && k < x->n_exc ? (int64_t)((uint64_t)x->exc_base + vxbits_get(exc, k++, x->w_exc)) :
		    (int64_t)((uint64_t)x->base + (v << x->shift));
	}
}

/* n numbers; parent[n] or NULL; ones: as in vxints_get. */
static void
ints_all(const struct vxints *x, int n, const fval *parent, const struct vxflags *ones, int64_t *restrict out)
{
	if (x->flags & VXINTS_ROW) {
		rows_all(x, n, out);
	} else if (x->flags & VXINTS_CONST) {
		fill(out, n, x->base);
	} else if (!(x->flags & VXINTS_MODE)) {
		codes_all(x, n < x->n ? n : x->n, out);
	} else {
		spread(x, x->flags & VXINTS_OVER ? ones : NULL, n, out);
	}
	if (x->flags & VXINTS_REST)
		for (int i = 0; i < n; i++)
			out[i] = (int64_t)((uint64_t)out[i] + (uint64_t)vxints_predict(parent ? parent[i] : 0, x->ratio));
}

/* n values of a column as they stand there, in their order. */
static void
stored_all(const struct vxg_block *b, int ac, const struct vxg_col *c, int n, const fval *parent, fval *out)
{
	int64_t a[VXG_ROWS], digits[VXG_ROWS];
	fval from[VXG_ROWS];
	uint8_t missing[VXG_ROWS] = {0}, text[VXG_ROWS] = {0};
	const struct vxg_more *more = &b->more[c - b->col];
	int present = n, m = 0, k = 0, t = 0;

	if (!c->missing.kind && !c->has_text && c->type != FTYPE_FLOAT) {
		ints_all(&c->a, n, parent, c->a.flags & VXINTS_OVER ? &b->col[ac].a.at_mode : NULL, out);
		for (int i = 0; i < n && c->type == FTYPE_STRING; i++)
			out[i] = fval_of_text((out[i] & (FVAL_TEXT_MAX / 4 - 1)) << 1);
		return;
	}
	if (c->missing.kind) {
		flags_all(&c->missing, n, missing);
		present = n - c->missing.ones;
	}
	if (c->has_text)
		flags_all(&more->text, present, text);
	for (int i = 0; i < n; i++) {
		if (missing[i])
			continue;
		if (!text[k++])
			from[m++] = parent ? parent[i] : 0;
	}
	ints_all(&c->a, m, parent ? from : NULL, c->a.flags & VXINTS_OVER ? &b->col[ac].a.at_mode : NULL, a);
	if (c->type == FTYPE_FLOAT && m)
		ints_all(&more->b, m, NULL, NULL, digits);
	k = m = 0;
	for (int i = 0; i < n; i++) {
		if (missing[i]) {
			out[i] = FVAL_MISSING;
		} else if (text[k++]) {
			out[i] = fval_of_text((int64_t)t++ << 1 | 1);
		} else {
			out[i] = c->type == FTYPE_FLOAT ? fval_float((int)(a[m] & 0x1ffff), digits[m] & FVAL_DIGITS) :
			    c->type == FTYPE_STRING ? fval_of_text((a[m] & (FVAL_TEXT_MAX / 4 - 1)) << 1) : a[m];
			m++;
		}
	}
}

/* A column that is not derived; an: AN of the rows. */
static void
own_all(const struct vxg_block *b, const struct fcols *cols, int col, const fval *an, fval *out)
{
	const struct vxg_col *c = &b->col[col];
	int n = (int)b->n, m;
	uint16_t at[VXG_ROWS];
	fval from[VXG_ROWS], got[VXG_ROWS];

	if (c->empty) {
		fill(out, n, FVAL_MISSING);
		return;
	}
	if (!c->where) {
		stored_all(b, cols->ac, c, n, an, out);
		return;
	}
	m = unset(&c->off, NULL, n, at);
	for (int k = 0; k < m && an; k++)
		from[k] = an[at[k]];
	stored_all(b, cols->ac, c, m, an ? from : NULL, got);
	fill(out, n, FVAL_MISSING);
	for (int k = 0; k < m; k++)
		out[at[k]] = got[k];
}

static void
derived_all(const struct vxg_block *b, const struct vxg_shape *sh, int col, int compute, const fval *val, struct vxg_derived *d, fval *out)
{
	const struct vxg_col *c = &b->col[col];
	int n = (int)b->n, m = 0;
	uint8_t off[VXG_ROWS];
	fval got[VXG_ROWS];

	d->num = val + (size_t)sh->num[col] * VXG_STRIDE;
	d->den = val + (size_t)sh->den[col] * VXG_STRIDE;
	d->rule = c->rule;
	d->zero = c->zero;
	d->where = b->col[sh->den[col]].where;
	d->ratio = c->derive == VXG_RATIO;
	d->table = sh->table ? sh->table[col] : NULL;
	d->off = 0;
	for (int i = 0; i < n && compute; i++)
		out[i] = vxg_derived(d, out, (uint32_t)i);
	if (c->off.kind == VXFLAGS_NONE)
		return;
	d->off = 1;
	for (int i = 0; i < n && !compute; i++)
		out[i] = VXG_DERIVE;
	flags_all(&c->off, n, off);
	if (!c->empty)
		stored_all(b, sh->cols->ac, c, c->off.ones, NULL, got);
	for (int i = 0; i < n; i++)
		if (off[i])
			out[i] = c->empty ? FVAL_MISSING : got[m++];
}

void
vxg_block_all(const struct vxg_block *b, const struct vxg_shape *sh, int compute, fval *val, struct vxg_derived *derived)
{
	int an = sh->cols->an;

	/* Those that others are derived from come first. */
	for (int k = 0; k < sh->cols->n; k++) {
		int c = sh->order[k];
		fval *out = val + (size_t)c * VXG_STRIDE;

		if (b->col[c].derive) {
			derived_all(b, sh, c, compute, val, &derived[c], out);
		} else {
			own_all(b, sh->cols, c, c != an && an >= 0 && (b->col[c].a.flags & VXINTS_REST) && !b->col[c].empty ?
			    val + (size_t)an * VXG_STRIDE : NULL, out);
		}
	}
}

void
vxg_block_keys(const struct vxg_block *b, uint32_t *pos, uint8_t *code)
{
	uint32_t row = 0, bits = 8 * b->n_upper;

	for (uint32_t at = 0; at < bits && row < b->n; at += 64)
		for (uint64_t x = vxbits_load(b->upper + at / 8); x && row < b->n; x &= x - 1, row++)
			pos[row] = b->pos0 + ((at + (uint32_t)__builtin_ctzll(x) - row) << b->low_w) + (uint32_t)vxbits_get(b->low, row, b->low_w);
	for (uint32_t i = 0; i < b->n; i += 2) {
		code[i] = b->code[i >> 1] & 15;
		code[i + 1] = b->code[i >> 1] >> 4;
	}
}
