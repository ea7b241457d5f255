/* vxg_print - rows of a block that lies open, straight to text: see freq.h, vxg_file.h
 *
 * Whoever asks for most rows of a block wants the same columns of each, as text.  What is common to all rows of a column - its key, how
 * its values are made, what a frequency of zero looks like - is put together once a block.
 */
#include "var/vxg_file.h"

#include "base/mem.h"
#include "var/fval_impl.h"

#define KEY_QUICK 32                    /* bytes of a key that is copied in one piece */
#define TEXT_MOST FVAL_PRINT             /* of a text that there is room for */

enum put_how { PUT_ANY, PUT_NOTHING, PUT_INT, PUT_QUOTIENT, PUT_RATIO, PUT_TEXT };

void
vxg_print_tags(struct freq_cursor *k, const struct freq_tag *t, int n)
{
	int n_col = k->x->d.cols.n;

	vxg_print_free(k);
	k->one = mem_new(fval, n_col);
	k->one_derived = mem_new(struct vxg_derived, n_col);
	k->one_ready = mem_new(struct ready, n_col);
	k->own = mem_new(int, n_col);
	k->put = mem_new(struct vxg_put, n);
	k->n_put = n;
	k->put_id = -1;
	for (int i = 0; i < n; i++) {
		struct vxg_put *p = &k->put[i];

		p->key = t[i].key;
		p->n_key = t[i].n_key;
		p->col = t[i].col;
		p->type = (uint8_t)k->x->d.cols.c[p->col].type;
		if (p->type == FTYPE_STRING)
			p->kept = mem_new(struct vxg_kept, VXG_KEPT);
	}
}

void
vxg_print_free(struct freq_cursor *k)
{
	for (int i = 0; i < k->n_put; i++)
		mem_free(k->put[i].kept);
	mem_free(k->put);
	mem_free(k->one);
	mem_free(k->one_derived);
	mem_free(k->one_ready);
	mem_free(k->own);
	k->put = NULL;
	k->one = NULL;
	k->one_derived = NULL;
	k->one_ready = NULL;
	k->own = NULL;
	k->n_put = 0;
}

/* How the tags are put in a block whose columns are ready as said. */
static void
set_puts(struct freq_cursor *k, const struct vxg_block *b, const struct ready *ready)
{
	for (struct vxg_put *p = k->put, *end = p + k->n_put; p < end; p++) {
		const struct vxg_col *c = &b->col[p->col];
		const struct ready *q = &ready[p->col];
		const struct vxg_derived *d = q->derived;
		char zero[FVAL_PRINT];
		int n;

		p->val = q->val;
		p->derived = d;
		p->how = PUT_ANY;
		if (p->n_key > KEY_QUICK)
			continue;
		if (!d) {
			p->how = c->derive ? PUT_ANY : c->empty ? PUT_NOTHING : p->type == FTYPE_INT || p->type == FTYPE_FLAG ? PUT_INT : p->type == FTYPE_STRING ? PUT_TEXT : PUT_ANY;
			continue;
		}
		n = fval_print(FTYPE_FLOAT, d->zero, zero);
		if (p->n_key + (size_t)n > VXG_ZERO)
			continue;
		if (memcmp(&p->looks.rule, &d->rule, sizeof d->rule) || !p->n_zero) {
			fval_looks(&p->looks, d->rule);
			memcpy(p->zero, p->key, p->n_key);
			memcpy(p->zero + p->n_key, zero, (size_t)n);
			p->n_zero = (uint8_t)(p->n_key + (size_t)n);
		}
		p->num = d->num;
		p->den = d->den;
		p->table = d->table;
		p->where = d->where;
		p->off = d->off;
		p->how = !d->ratio ? PUT_QUOTIENT : d->table ? PUT_RATIO : PUT_ANY;
	}
}

void
vxg_print_block(struct freq_cursor *k, const struct vxg_block *b)
{
	set_puts(k, b, k->ready);
	k->put_id = k->val_id;
}

static int
by_rule(const struct vxg_block *b, int col)
{
	return b->quick[col].how == VXG_QUICK_TABLE || b->quick[col].how == VXG_QUICK_QUOTIENT;
}

static void
want(struct freq_cursor *k, int col)
{
	for (int i = 0; i < k->n_own; i++)
		if (k->own[i] == col)
			return;
	k->own[k->n_own++] = col;
}

int
vxg_print_common(struct freq_cursor *k, const struct vxg_block *b)
{
	const struct vxg_shape *sh = &k->x->shape;
	int n_col = sh->cols->n, f = sh->cols->filter;

	if (f >= 0 && by_rule(b, f))
		return 0;
	for (int c = 0; c < n_col; c++) {
		k->one_ready[c] = (struct ready){ .val = &k->one[c], .derived = by_rule(b, c) ? &k->one_derived[c] : NULL };
		if (by_rule(b, c))
			k->one_derived[c] = (struct vxg_derived){ .num = &k->one[sh->num[c]], .den = &k->one[sh->den[c]], .rule = b->col[c].rule,
				.zero = b->col[c].zero, .ratio = b->col[c].derive == VXG_RATIO, .table = sh->table ? sh->table[c] : NULL };
	}
	k->n_own = 0;
	for (int i = 0; i < k->n_put; i++) {
		int c = k->put[i].col;

		if (by_rule(b, c)) {
			want(k, sh->num[c]);
			want(k, sh->den[c]);
		} else {
			want(k, c);
		}
	}
	if (f >= 0)
		want(k, f);
	set_puts(k, b, k->one_ready);
	k->put_id = k->found_id;
	return 1;
}

static inline char *
put_key(char *o, const struct vxg_put *p)
{
	memcpy(o, p->key, KEY_QUICK);
	return o + p->n_key;
}

/* A text of the dictionary; NULL: it is too long. */
static char *
put_text(struct freq_cursor *k, char *o, struct vxg_put *p, fval v, struct err *e)
{
	uint64_t i = (uint64_t)fval_text_ref(v) >> 1;
	size_t n;
	const char *s = vxg_dict_text(k->x, p->col, i, &n, e);

	if (n > TEXT_MOST)
		return NULL;
	memcpy(o, p->key, p->n_key);
	memcpy(o + p->n_key, s, n);
	n += p->n_key;
	if (!e->code && p->kept && i < VXG_KEPT && n <= VXG_ZERO) {
		memcpy(p->kept[i].s, o, n);
		p->kept[i].n = (uint8_t)n;
	}
	return o + n;
}

/* A value of any kind. */
static char *
put_any(struct freq_cursor *k, char *o, struct vxg_put *p, uint32_t row, struct err *e)
{
	fval v = p->derived ? vxg_derived(p->derived, p->val, row) : p->val[row];

	if (v == FVAL_MISSING)
		return o;
	if (p->type == FTYPE_STRING)
		return put_text(k, o, p, v, e);
	memcpy(o, p->key, p->n_key);
	o += p->n_key;
	return o + fval_print(p->type, v, o);
}

static inline char *
put_zero(char *o, const struct vxg_put *p)
{
	memcpy(o, p->zero, VXG_ZERO);
	return o + p->n_zero;
}

char *
vxg_print_row(struct freq_cursor *k, uint32_t row, char *o, struct err *e)
{
	for (struct vxg_put *p = k->put, *end = p + k->n_put; p < end && o; p++) {
		fval v, num, den;

		switch ((enum put_how)p->how) {
		case PUT_NOTHING:
			break;
		case PUT_INT:
			v = p->val[row];
			if (v == FVAL_MISSING)
				break;
			o = put_key(o, p);
			o += put_int(v, o);
			break;
		case PUT_QUOTIENT:
			if (p->off && p->val[row] != VXG_DERIVE) {
				o = put_any(k, o, p, row, e);
				break;
			}
			num = p->num[row];
			den = p->den[row];
			if (num == 0) {
				if (p->where || (den > 0 && den <= INT32_MAX))
					o = put_zero(o, p);
			} else if (num > 0 && num <= INT32_MAX && den > 0 && den <= INT32_MAX) {
				o = put_key(o, p);
				o += put_quotient(&p->looks, num, den, o);
			}
			break;
		case PUT_RATIO:
			if (p->off && p->val[row] != VXG_DERIVE) {
				o = put_any(k, o, p, row, e);
				break;
			}
			num = p->num[row];
			den = p->den[row];
			if (num < 0 || num >= VXG_TABLE || den < 1 || den > INT32_MAX || !(p->table[num] >= 0))
				break;
			if (p->table[num] == 0) {
				o = put_zero(o, p);
			} else {
				o = put_key(o, p);
				o += fval_put_ratio(&p->looks, p->table[num], den, o);
			}
			break;
		case PUT_TEXT: {
			uint64_t i;

			v = p->val[row];
			if (v == FVAL_MISSING)
				break;
			i = (uint64_t)fval_text_ref(v) >> 1;
			if (i < VXG_KEPT && p->kept[i].n) {
				memcpy(o, p->kept[i].s, VXG_ZERO);
				o += p->kept[i].n;
			} else {
				o = put_text(k, o, p, v, e);
			}
			break;
		}
		case PUT_ANY:
			o = put_any(k, o, p, row, e);
			break;
		}
	}
	return o;
}

char *
vxg_print_common_row(struct freq_cursor *k, struct vxg_block *b, uint32_t row, char *o, fval *filter, struct err *e)
{
	int f = k->x->d.cols.filter;

	vxg_block_row_own(b, &k->x->shape, k->own, k->n_own, row, k->one);
	if (f >= 0)
		*filter = k->one[f];
	return vxg_print_row(k, 0, o, e);
}
