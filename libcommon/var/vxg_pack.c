/* vxg_pack - making blocks of a frequency database: see vxg_impl.h
 *
 * What is derived is found first: a column that a rule gives but for a few rows is stored as those rows.  Columns that nobody
 * sees and nothing is derived from are left empty.  A hidden denominator is stored only where its numerator is not 0.
 */
#include "var/vxg_impl.h"

#include "base/mem.h"
#include "os/deflate.h"

#define HEAP_DEFLATE 6

/* --- keys ------------------------------------------------------------------------------- */

static void
add_long(struct str *heap, const char *bases, uint32_t n_ref, uint32_t n_alt)
{
	uint8_t b = 0;
	uint32_t n = n_ref + n_alt;

	vxbits_put_varint(heap, n_ref);
	vxbits_put_varint(heap, n_alt);
	for (uint32_t i = 0; i < n; i++) {
		b |= (uint8_t)(vxg_base(bases[i]) << 2 * (i & 3));
		if ((i & 3) == 3 || i + 1 == n) {
			str_addn(heap, &b, 1);
			b = 0;
		}
	}
}

static void
pack_alleles(struct vxg_rows *r, uint64_t *code, struct str *stubs, int64_t *long_end, int *n_long, struct str *heap)
{
	for (int i = 0; i < r->n; i++) {
		const char *ref = r->text.s + r->allele[i], *alt = ref + r->n_ref[i];
		uint32_t stub = 0;
		int c = vxg_allele_code(ref, r->n_ref[i], alt, r->n_alt[i], &stub);
		uint8_t two[2];

		code[i] = (uint64_t)c;
		if (c < VXG_DEL)
			continue;
		if (c == VXG_LONG) {
			stub = (uint32_t)*n_long;
			add_long(heap, ref, r->n_ref[i], r->n_alt[i]);
			long_end[(*n_long)++] = (int64_t)heap->n;
		}
		two[0] = (uint8_t)stub;
		two[1] = (uint8_t)(stub >> 8);
		str_addn(stubs, two, 2);
	}
}

static void
pack_keys(struct vxg_rows *r)
{
	struct vxbits_out *o = &r->out;
	struct str stubs = {0}, heap = {0};
	uint64_t part[VXG_ROWS], span = r->pos[r->n - 1] - r->pos[0];
	int64_t long_end[VXG_ROWS];
	uint8_t upper[VXG_ROWS / 4 + 64] = {0};
	struct vxints_chosen chosen;
	uint32_t w = 0, n_upper;
	int n_long = 0;

	/* Upper parts take at most as many bits as there are rows, and one for each row. */
	while (span >> w > (uint64_t)r->n)
		w++;
	n_upper = (uint32_t)((span >> w) + (uint64_t)r->n + 7) / 8;
	for (int i = 0; i < r->n; i++) {
		uint64_t rel = r->pos[i] - r->pos[0], at = (rel >> w) + (uint64_t)i;

		part[i] = rel & (((uint64_t)1 << w) - 1);
		upper[at >> 3] |= (uint8_t)(1 << (at & 7));
	}
	vxbits_put(&o->data, part, r->n, (int)w);
	str_addn(&o->data, upper, n_upper);
	pack_alleles(r, part, &stubs, long_end, &n_long, &heap);
	vxbits_put(&o->data, part, r->n, 4);
	str_addn(&o->data, stubs.s ? stubs.s : "", stubs.n);
	vxbits_put_varint(&o->head, w);
	vxbits_put_varint(&o->head, n_upper);
	vxbits_put_varint(&o->head, stubs.n / 2);
	vxbits_put_varint(&o->head, (uint64_t)n_long);
	if (n_long) {
		struct vxints_from f = { .v = long_end, .n = n_long };

		vxints_put(o, &f, &chosen);
		vxbits_put_varint(&o->head, heap.n);
		str_addn(&o->data, heap.s, heap.n);
	}
	str_clear(&stubs);
	str_clear(&heap);
}

/* --- columns ------------------------------------------------------------------------------- */

/* What is known of columns while a block is packed. */
struct done {
	uint8_t empty, zero_mode;       /* zero_mode: its zeros are taken out; nothing missing, no text */
	uint8_t ones;                   /* its ones are laid open */
	uint8_t needed, derive, where;
	struct fval_rule rule;
};

static void
pack_texts(struct vxg_rows *r, const fval *v, int n)
{
	struct vxbits_out *o = &r->out;
	struct str heap = {0};
	int64_t end[VXG_ROWS];
	struct vxints_from f = { .v = end, .n = n };
	struct vxints_chosen chosen;
	size_t stored = 0;
	uint8_t *packed = NULL;

	for (int i = 0; i < n; i++) {
		const char *p = r->text.s + fval_text_ref(v[i]);
		uint32_t len;

		memcpy(&len, p, 4);
		str_addn(&heap, p + 4, len);
		end[i] = (int64_t)heap.n;
	}
	vxints_put(o, &f, &chosen);
	if (heap.n > 64) {
		packed = mem_raw(uint8_t, (long long)heap.n);
		stored = deflate_pack(HEAP_DEFLATE, heap.s, heap.n, packed, heap.n - 1);
	}
	vxbits_put_varint(&o->head, heap.n);
	vxbits_put_varint(&o->head, stored ? stored : heap.n);
	if (stored)
		str_addn(&o->data, packed, stored);
	else if (heap.n)
		str_addn(&o->data, heap.s, heap.n);
	mem_free(packed);
	str_clear(&heap);
}

/* row: a common block's column, all of it. */
static void
pack_numbers(struct vxbits_out *o, int type, const fval *v, int n, const int64_t *parent, const uint8_t *ones, int row, struct vxints_chosen *chosen)
{
	int64_t part[VXG_ROWS];
	struct vxints_from f = { .v = v, .n = n, .parent = parent, .ones = ones, .row = row };

	if (type != FTYPE_FLOAT) {
		vxints_put(o, &f, chosen);
		return;
	}
	f.v = part;
	for (int i = 0; i < n; i++)
		part[i] = fval_form(v[i]);
	vxints_put(o, &f, chosen);
	for (int i = 0; i < n; i++)
		part[i] = fval_digits(v[i]);
	f.parent = NULL;
	f.ones = NULL;
	vxints_put(o, &f, chosen);
}

/* What other columns want to know of one without missing values and texts. */
static void
note_mode(struct done *d, int type, const struct vxints_chosen *chosen)
{
	if (type == FTYPE_FLOAT || (chosen->flags & (VXINTS_MODE | VXINTS_REST)) != VXINTS_MODE)
		return;
	d->zero_mode = chosen->mode == 0;
	d->ones = chosen->mode == 1 && chosen->dense;
}

/* n values: what is missing, what is text, the rest.  head: where the column's first byte stands, whose flags are set. */
static void
pack_values(struct vxg_rows *r, int type, const fval *v, const int64_t *parent, const uint8_t *ones, int n, size_t head, struct done *d)
{
	struct vxbits_out *o = &r->out;
	uint8_t missing[VXG_ROWS], text[VXG_ROWS], all;
	fval number[VXG_ROWS], words[VXG_ROWS];
	int64_t from[VXG_ROWS];
	struct vxints_chosen chosen = {0};
	int n_missing = 0, n_text = 0, k = 0, m = 0;

	/* Missing and texts are the lowest numbers of all. */
	for (int i = 0; i < n; i++)
		n_missing += v[i] < FVAL_TEXT0 + FVAL_TEXT_MAX;
	if (n && !n_missing) {
		pack_numbers(o, type, v, n, parent, ones, r->tier && n == r->n, &chosen);
		note_mode(d, type, &chosen);
		return;
	}
	n_missing = 0;
	for (int i = 0; i < n; i++) {
		missing[i] = v[i] == FVAL_MISSING;
		n_missing += missing[i];
		if (missing[i])
			continue;
		text[k++] = fval_is_text(v[i]) != 0;
		if (text[k - 1]) {
			words[n_text++] = v[i];
			continue;
		}
		from[m] = parent ? parent[i] : 0;
		number[m++] = v[i];
	}
	if (n_missing == n) {
		o->head.s[head] |= 32;
		d->empty = 1;
		return;
	}
	all = (uint8_t)((n_missing ? 8 : 0) | (n_text ? 16 : 0));
	o->head.s[head] = (char)(o->head.s[head] | all);
	if (n_missing)
		vxflags_put(o, missing, n);
	if (n_text) {
		vxflags_put(o, text, k);
		pack_texts(r, words, n_text);
	}
	if (m)
		pack_numbers(o, type, number, m, parent ? from : NULL, NULL, 0, &chosen);
}

/* Rows that a quotient's rule does not give; *bad: how many of them have a numerator, a denominator and a value. */
static int
mark_off(struct fval_rule rule, const fval *num, const fval *den, const fval *v, int n, uint8_t *off, int *bad)
{
	fval zero = vxg_predict(rule, 0, 1, 1);
	int n_off = 0;

	*bad = 0;
	for (int i = 0; i < n; i++) {
		fval want = num[i] == 0 ? (den[i] > 0 && den[i] <= INT32_MAX ? zero : FVAL_MISSING) : vxg_predict(rule, num[i], den[i], 0);

		off[i] = want != v[i];
		n_off += off[i];
		*bad += off[i] && num[i] > 0 && den[i] > 0 && v[i] >= 0;
	}
	return n_off;
}

/* How a column is derived in this block, if it is; off[n]: where the rule fails. */
static void
choose(struct vxg_rows *r, const struct vxg_shape *sh, int c, struct done *d)
{
	const fval *v = r->val + (size_t)c * VXG_STRIDE, *num, *den;
	const struct vxg_known *l = &r->known[c];
	uint8_t *off = r->derived_off + (size_t)c * VXG_STRIDE;
	int n_off = 0, bad = 0;

	d->derive = VXG_PLAIN;
	if (sh->num[c] < 0 || !l->has_rule)
		return;
	num = r->val + (size_t)sh->num[c] * VXG_STRIDE;
	den = r->val + (size_t)sh->den[c] * VXG_STRIDE;
	d->rule = l->rule;
	if (l->by_table) {
		memcpy(off, r->off + (size_t)c * VXG_STRIDE, (size_t)r->n);
		for (int i = 0; i < r->n; i++)
			n_off += off[i];
		d->derive = n_off <= r->n / 2 ? VXG_RATIO : VXG_PLAIN;
		return;
	}
	n_off = mark_off(d->rule, num, den, v, r->n, off, &bad);
	if (bad > 0) {
		struct fval_rule other = d->rule;

		if (vxg_best_rule(num, den, v, r->n, &other) < n_off) {
			d->rule = other;
			n_off = mark_off(d->rule, num, den, v, r->n, off, &bad);
		}
	}
	d->derive = n_off <= r->n / 2 ? VXG_QUOTIENT : VXG_PLAIN;
}

/* The denominator stands only where the numerator is not 0: there a 0 always has a value. */
static void
without_den(struct vxg_rows *r, const struct vxg_shape *sh, int c, struct done *d)
{
	const fval *v = r->val + (size_t)c * VXG_STRIDE, *num = r->val + (size_t)sh->num[c] * VXG_STRIDE;
	uint8_t *off = r->derived_off + (size_t)c * VXG_STRIDE;
	fval zero = vxg_predict(d->rule, 0, 1, 1);
	int n_off = 0;

	for (int i = 0; i < r->n; i++) {
		if (num[i] == 0)
			off[i] = v[i] != zero;
		n_off += off[i];
	}
	if (n_off > r->n / 2)
		d->derive = VXG_PLAIN;
}

/* Whether denominator c may stand only where its numerator is not 0: hidden, and of one numerator alone. */
static int
only_where(const struct vxg_shape *sh, const struct vxg_known *known, int c)
{
	const struct fcols *cols = sh->cols;
	int num = sh->num_of[c];

	if (num < 0 || !cols->c[c].hidden || c == cols->an)
		return 0;
	for (int k = 0; k < cols->n; k++)
		if (sh->num[k] == c || cols->c[k].whole == c || (sh->den[k] == c && (known[k].by_table || sh->num[k] != num)))
			return 0;
	return 1;
}

static void
put_derived(struct vxg_rows *r, int type, int c, struct done *d, size_t head)
{
	struct vxbits_out *o = &r->out;
	const fval *v = r->val + (size_t)c * VXG_STRIDE;
	uint8_t rule[2] = { (uint8_t)(d->rule.style | d->rule.up << 2 | d->rule.digits << 4), d->rule.places };
	const uint8_t *off = r->derived_off + (size_t)c * VXG_STRIDE;
	fval rest[VXG_ROWS];
	struct done ignore = {0};
	int n = 0;

	o->head.s[head] = (char)d->derive;
	str_addn(&o->head, rule, 2);
	vxflags_put(o, off, r->n);
	for (int i = 0; i < r->n; i++) {
		rest[n] = v[i];
		n += off[i];
	}
	if (n)
		pack_values(r, type, rest, NULL, NULL, n, head, &ignore);
}

static void
put_column(struct vxg_rows *r, const struct vxg_shape *sh, int c, struct done *d)
{
	const struct fcols *cols = sh->cols;
	struct vxbits_out *o = &r->out;
	const fval *v = r->val + (size_t)c * VXG_STRIDE;
	const struct fcol *f = &cols->c[c];
	const int64_t *parent = f->whole >= 0 && f->type == FTYPE_INT && d[f->whole].needed && !d[f->whole].where ?
	    r->val + (size_t)f->whole * VXG_STRIDE : NULL;
	uint8_t ones[VXG_ROWS];
	fval rest[VXG_ROWS];
	int64_t from[VXG_ROWS];
	size_t head = o->head.n;
	int num = sh->num_of[c], n = 0, use_ones = cols->ac >= 0 && c != cols->ac && d[cols->ac].ones && f->type == FTYPE_INT;

	str_addn(&o->head, "", 1);
	if (!d[c].needed) {
		o->head.s[head] = 32;
		d[c].empty = 1;
		return;
	}
	if (d[c].derive == VXG_QUOTIENT && d[sh->den[c]].where)
		without_den(r, sh, c, &d[c]);
	if (d[c].derive) {
		put_derived(r, f->type, c, &d[c], head);
		return;
	}
	/* Counts of alleles are not a constant share of the whole's; and only what comes before its child can be predicted from. */
	if (f->whole == c || f->whole != cols->an)
		parent = NULL;
	if (!r->tier && only_where(sh, r->known, c) && d[num].zero_mode) {
		const fval *a = r->val + (size_t)num * VXG_STRIDE;

		d[c].where = 1;
		o->head.s[head] |= 64;
		/* In no order that could be foreseen: no branch on it. */
		for (int i = 0; i < r->n; i++) {
			from[n] = (parent ? parent : v)[i];
			rest[n] = v[i];
			n += a[i] != 0;
		}
		pack_values(r, f->type, rest, parent ? from : NULL, NULL, n, head, &d[c]);
		return;
	}
	if (use_ones)
		for (int i = 0; i < r->n; i++)
			ones[i] = r->val[(size_t)cols->ac * VXG_STRIDE + (size_t)i] == 1;
	pack_values(r, f->type, v, parent, use_ones ? ones : NULL, r->n, head, &d[c]);
}

/* First which columns are derived, and so which hidden ones are needed. */
static void
decide(struct vxg_rows *r, const struct vxg_shape *sh, struct done *d)
{
	const struct fcols *cols = sh->cols;
	for (int c = 0; c < cols->n; c++) {
		d[c].needed |= !cols->c[c].hidden;
		if (sh->num[c] < 0)
			continue;
		choose(r, sh, c, &d[c]);
		if (!d[c].derive)
			continue;
		d[sh->num[c]].needed = d[sh->den[c]].needed = 1;
	}
	if (cols->ac >= 0)
		d[cols->ac].needed = 1;
	if (cols->an >= 0)
		d[cols->an].needed = 1;
}

static void
insert(struct str *t, size_t at, const struct str *s)
{
	size_t old = t->n;

	if (!s->n)
		return;
	str_addn(t, s->s, s->n);
	memmove(t->s + at + s->n, t->s + at, old - at);
	memcpy(t->s + at, s->s, s->n);
}

/* What the columns' arrays share goes in front of all that they have alone. */
static void
put_rows(struct vxbits_out *o, size_t heads, size_t data)
{
	struct str head = {0}, rows = {0};

	vxbits_put_varint(&head, o->rows.width);
	vxbits_rows_put(o, &rows);
	insert(&o->head, heads, &head);
	insert(&o->data, data, &rows);
	vxbits_rows_end(o);
	str_clear(&head);
	str_clear(&rows);
}

int
vxg_pack(struct vxg_rows *r, const struct vxg_shape *sh, struct err *e)
{
	struct done *d = mem_new(struct done, sh->cols->n);
	uint8_t head[VXG_HEAD] = {0};
	size_t n, keys, heads;

	r->out.head.n = r->out.data.n = r->bytes.n = 0;
	decide(r, sh, d);
	pack_keys(r);
	keys = r->out.data.n;
	heads = r->out.head.n;
	vxbits_rows_begin(&r->out, r->n);
	for (int k = 0; k < sh->cols->n; k++)
		put_column(r, sh, sh->order[k], d);
	mem_free(d);
	if (r->tier)
		put_rows(&r->out, heads, keys);
	n = VXG_HEAD + r->out.head.n + r->out.data.n + VXG_PAD;
	if (n > UINT32_MAX)
		return err_set(e, ERR_DATA, "%d rows take more than 4 GB; leave long text fields out (--fields)", r->n);
	vxg_set32(head, (uint32_t)n);
	vxg_set32(head + 8, (uint32_t)r->contig);
	vxg_set32(head + 12, r->pos[0]);
	head[16] = (uint8_t)(r->n - 1);
	head[17] = (uint8_t)((r->n - 1) >> 8);
	head[18] = (uint8_t)r->tier;
	vxg_set32(head + 20, r->number);
	vxg_set32(head + 24, (uint32_t)r->out.head.n);
	vxg_set32(head + 28, (uint32_t)(VXG_HEAD + r->out.head.n + keys));
	str_addn(&r->bytes, head, VXG_HEAD);
	str_addn(&r->bytes, r->out.head.s, r->out.head.n);
	str_addn(&r->bytes, r->out.data.s ? r->out.data.s : "", r->out.data.n);
	str_addn(&r->bytes, "\0\0\0\0\0\0\0\0", VXG_PAD);
	vxg_block_seal((uint8_t *)r->bytes.s, n);
	return 0;
}
