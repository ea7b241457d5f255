/* vxg_block - reading blocks of a frequency database: see vxg_impl.h */
#include "var/vxg_impl.h"

#include "base/mem.h"
#include "os/deflate.h"

/* The inner loops count bits: compiled with and without the instruction that does, chosen when the program starts, where
 * compiler and C library can. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__GLIBC__) && \
	!defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#define COUNTS __attribute__((target_clones("default", "popcnt")))
#else
#define COUNTS
#endif

/* --- taking a block apart ---------------------------------------------------------------- */

static int
damaged(struct err *e, const char *what)
{
	return err_set(e, ERR_DATA, "damaged: a block's %s", what);
}

/* Rows before this one whose alleles have a stub. */
VXBITS_INLINE uint32_t
stub_rank(const struct vxg_block *b, uint32_t row)
{
	const uint64_t top = 0x8888888888888888u;
	const uint8_t *p = b->code;
	uint32_t r = 0;

	for (; row >= 16; row -= 16, p += 8) {
		uint64_t x = vxbits_load(p);

		r += (uint32_t)__builtin_popcountll(x & x << 1 & top);
	}
	if (row) {
		uint64_t x = vxbits_load(p);

		r += (uint32_t)__builtin_popcountll((x & x << 1 & top) << (64 - 4 * row));
	}
	return r;
}

VXBITS_INLINE int
read_keys(struct vxg_block *b, struct vxbits_in *in)
{
	uint64_t w = vxbits_varint(in), up = vxbits_varint(in), ns = vxbits_varint(in), nl = vxbits_varint(in), heap;

	if (in->bad || w > 32 || up > VXG_ROWS / 4 + 64 || ns > b->n || nl > ns)
		return in->bad = 1;
	b->low_w = (uint32_t)w;
	b->n_upper = (uint32_t)up;
	b->n_stub = (uint32_t)ns;
	b->n_long = (uint32_t)nl;
	b->low = vxbits_take(in, (b->n * b->low_w + 7) / 8);
	b->upper = vxbits_take(in, b->n_upper);
	b->code = vxbits_take(in, (b->n + 1) / 2);
	b->stub = vxbits_take(in, 2 * (size_t)b->n_stub);
	if (in->bad || vxbits_rank(b->upper, 8 * b->n_upper) != b->n)
		return in->bad = 1;
	if (nl) {
		vxints_read(&b->long_end, in, (int)nl, NULL, NULL);
		heap = vxbits_varint(in);
		b->n_long_heap = (uint32_t)heap;
		b->long_heap = vxbits_take(in, heap);
	}
	if (stub_rank(b, b->n) != b->n_stub)
		in->bad = 1;
	return in->bad;
}

/* Values over n rows: what is missing, what is text, numbers. */
VXBITS_INLINE int
read_values(struct vxg_col *c, struct vxg_more *more, struct vxbits_in *in, int flags, int n, const struct vxflags *ones, struct vxbits_rows *rows)
{
	c->a.flags = VXINTS_CONST;
	c->a.base = 0;
	c->empty = flags >> 5 & 1;
	if (c->empty)
		return 0;
	if (flags & 8) {
		vxflags_read(&c->missing, in, n);
		n -= c->missing.ones;
	}
	if (flags & 16) {
		uint64_t heap, stored;

		vxflags_read(&more->text, in, n);
		c->has_text = 1;
		more->n_text = more->text.ones;
		n -= more->text.ones;
		vxints_read(&more->ends, in, more->n_text, NULL, NULL);
		heap = vxbits_varint(in);
		stored = vxbits_varint(in);
		if (in->bad || heap > UINT32_MAX || stored > heap)
			return in->bad = 1;
		more->n_heap = (uint32_t)heap;
		more->n_stored = (uint32_t)stored;
		more->heap = vxbits_take(in, stored);
	}
	if (n < 0 || in->bad)
		return in->bad = 1;
	if (n == 0)
		return 0;
	vxints_read(&c->a, in, n, flags & 24 ? NULL : ones, rows);
	if (c->type == FTYPE_FLOAT)
		vxints_read(&more->b, in, n, NULL, rows);
	return in->bad;
}

/* The flags of rows whose AC is 1, if the column ac lays them open. */
VXBITS_INLINE const struct vxflags *
ones_of(const struct vxg_block *b, const struct fcols *cols)
{
	const struct vxg_col *c = cols->ac < 0 ? NULL : &b->col[cols->ac];

	if (!c || c->empty || c->missing.kind || c->has_text || (c->a.flags & (VXINTS_MODE | VXINTS_REST)) != VXINTS_MODE || c->a.mode != 1 ||
	    c->a.at_mode.kind != VXFLAGS_DENSE)
		return NULL;
	return &c->a.at_mode;
}

VXBITS_INLINE int
read_column(struct vxg_block *b, const struct vxg_shape *sh, int i, struct vxbits_in *in, struct vxbits_rows *rows)
{
	const struct fcols *cols = sh->cols;
	struct vxg_col *c = &b->col[i];
	int flags, n = (int)b->n, num = sh->num[i];

	c->empty = c->has_text = 0;
	c->missing.kind = VXFLAGS_NONE;
	if (in->n - in->at < 1)
		return in->bad = 1;
	flags = in->head[in->at++];
	c->type = cols->c[i].type;
	c->derive = flags & 7;
	c->where = flags >> 6 & 1;
	if (c->derive > VXG_RATIO || flags & 128)
		return in->bad = 1;
	if (c->derive) {
		if (in->n - in->at < 2 || num < 0)
			return in->bad = 1;
		c->rule.style = in->head[in->at] & 3;
		c->rule.up = in->head[in->at] >> 2 & 1;
		c->rule.digits = in->head[in->at] >> 4;
		c->rule.places = in->head[in->at + 1];
		in->at += 2;
		if (c->rule.digits < 1 || c->rule.digits > 9 || c->rule.style > FVAL_STYLE_GALT || c->rule.places > 18)
			return in->bad = 1;
		c->zero = fval_quotient(c->rule, 0, 1);
		vxflags_read(&c->off, in, n);
		n = c->off.ones;
		if (n == 0) {
			c->empty = 1;
			return in->bad;
		}
	} else if (c->where) {
		/* a denominator: only where its numerator is not 0 */
		const struct vxg_col *a = sh->num_of[i] < 0 ? NULL : &b->col[sh->num_of[i]];

		if (b->tier || !a || a->empty || a->where || a->missing.kind || a->has_text ||
		    (a->a.flags & (VXINTS_MODE | VXINTS_REST)) != VXINTS_MODE || a->a.mode != 0)
			return in->bad = 1;
		n -= a->a.at_mode.ones;
		c->off = a->a.at_mode;
	}
	return read_values(c, &b->more[i], in, flags, n, c->derive || c->where ? NULL : ones_of(b, cols), rows);
}

int
vxg_block_sum_keys(const uint8_t *p, size_t n)
{
	uint32_t to;

	if (n < VXG_HEAD + VXG_PAD || vxg_u32(p) != n)
		return 0;
	to = vxg_u32(p + 28);
	return to >= VXG_HEAD && to <= n - VXG_PAD && deflate_crc(0, p + 8, to - 8) == vxg_u32(p + 4);
}

int
vxg_block_sum_rest(const uint8_t *p, size_t n)
{
	uint32_t from = vxg_u32(p + 28);

	return deflate_crc(0, p + from, n - from) == vxg_u32(p + 32);
}

void
vxg_block_seal(uint8_t *p, size_t n)
{
	uint32_t to = n < VXG_HEAD + VXG_PAD ? 0 : vxg_u32(p + 28);

	if (to < VXG_HEAD || to > n - VXG_PAD)
		return;
	vxg_set32(p, (uint32_t)n);
	vxg_set32(p + 32, deflate_crc(0, p + to, n - to));
	vxg_set32(p + 4, deflate_crc(0, p + 8, to - 8));
}

void
vxg_block_room(struct vxg_block *b, int n_col)
{
	if (b->col)
		return;
	b->col = (struct vxg_col *)(void *)mem_raw(char, VXG_COL_BYTES * n_col);
	memset((void *)b->col, 0, (size_t)VXG_COL_BYTES * (size_t)n_col);
	b->more = (struct vxg_more *)(void *)(b->col + n_col);
	b->quick = (struct vxg_quick *)(void *)(b->more + n_col);
}

COUNTS
int
vxg_block_read(struct vxg_block *b, const uint8_t *p, size_t length, struct err *e)
{
	struct vxbits_in in = {0};
	uint32_t n_head;

	if (e->code)
		return e->code;
	if (length < VXG_HEAD + VXG_PAD)
		return damaged(e, "length");
	b->opened = b->has_text = 0;
	b->ac_row = b->an_row = UINT32_MAX;
	b->p = p;
	b->length = (uint32_t)length;
	b->contig = vxg_u32(p + 8);
	b->pos0 = vxg_u32(p + 12);
	b->n = (uint32_t)(p[16] | p[17] << 8) + 1;
	b->tier = p[18];
	b->number = vxg_u32(p + 20);
	n_head = vxg_u32(p + 24);
	if (b->n > VXG_ROWS || b->tier >= VXG_TIERS || n_head > length - VXG_HEAD - VXG_PAD)
		return damaged(e, "head");
	in.head = p + VXG_HEAD;
	in.n = n_head;
	in.data = p + VXG_HEAD + n_head;
	in.n_data = length - VXG_HEAD - VXG_PAD - n_head;
	if (read_keys(b, &in))
		return damaged(e, "alleles");
	b->rest = in;
	return 0;
}

/* The rows that arrays of a common block share. */
static int
read_rows(struct vxg_block *b, const struct vxg_shape *sh, struct vxbits_in *in, struct vxbits_rows *rows)
{
	uint64_t width = vxbits_varint(in);

	if (in->bad || width > (uint64_t)sh->cols->n * 2 * VXBITS_WIDTH)
		return 1;
	rows->n = (int)b->n;
	rows->width = (uint32_t)width;
	rows->p = vxbits_take(in, (b->n * (size_t)width + 7) / 8);
	b->rows = rows->p;
	b->row_width = rows->width;
	return in->bad;
}

COUNTS
int
vxg_block_columns(struct vxg_block *b, const struct vxg_shape *sh, struct err *e)
{
	struct vxbits_in in = b->rest;
	int n = sh->cols->n;
	int64_t seen = 0;
	struct vxbits_rows rows = {0};

	if (e->code || b->opened)
		return e->code;
	if (b->tier && read_rows(b, sh, &in, &rows))
		return damaged(e, "rows");
	for (int k = 0; k < n; k++) {
		int64_t before = (int64_t)(in.at + in.used);
		uint32_t bits = rows.used;
		int c = sh->order[k];

		if (read_column(b, sh, c, &in, &rows))
			return damaged(e, sh->cols->c[c].name);
		b->has_text |= b->col[c].has_text;
		if (b->tier)
			vxg_quick_set(b, c, n);
		if (b->bytes) {
			int64_t bytes = (int64_t)(in.at + in.used) - before + (int64_t)(rows.used - bits) * b->n / 8;

			seen += bytes;
			b->bytes[c] += bytes;
		}
	}
	if (b->bytes)
		b->bytes[n] += (int64_t)b->length - seen;
	b->opened = 1;
	return in.at != in.n || rows.used != rows.width ? damaged(e, "heads") : 0;
}

/* --- keys ----------------------------------------------------------------------------------- */

/* Where the k-th 1 of a word stands, k < its ones: bytes by their counts, then bit by bit. */
VXBITS_INLINE uint32_t
select_bit(uint64_t x, uint32_t k)
{
	uint64_t c = x - (x >> 1 & 0x5555555555555555u);
	uint32_t at = 0;

	c = (c & 0x3333333333333333u) + (c >> 2 & 0x3333333333333333u);
	c = ((c + (c >> 4)) & 0x0f0f0f0f0f0f0f0fu) * 0x0101010101010101u;
	while (at < 56 && (c >> at & 255) <= k)
		at += 8;
	k -= at ? (uint32_t)(c >> (at - 8) & 255) : 0;
	for (x >>= at; k; k--)
		x &= x - 1;
	return at + (uint32_t)__builtin_ctzll(x);
}

/* Where the k-th 1 (or 0: flip all ones) of the upper bits stands, k from 0, or the number of bits. */
VXBITS_INLINE uint32_t
select_upper(const struct vxg_block *b, uint32_t k, uint64_t flip)
{
	uint32_t bits = 8 * b->n_upper;

	for (uint32_t at = 0; at < bits; at += 64) {
		uint64_t x = vxbits_load(b->upper + at / 8) ^ flip;
		uint32_t ones = (uint32_t)__builtin_popcountll(x);

		if (k < ones) {
			at += select_bit(x, k);
			return at < bits ? at : bits;
		}
		k -= ones;
	}
	return bits;
}

COUNTS
uint32_t
vxg_block_at(const struct vxg_block *b, uint32_t pos, uint32_t *lo)
{
	uint64_t rel = pos < b->pos0 ? 0 : pos - b->pos0;
	uint32_t high = (uint32_t)(rel >> b->low_w), low = (uint32_t)(rel & (((uint64_t)1 << b->low_w) - 1)), bits = 8 * b->n_upper;
	uint32_t at, row, n = 0;

	*lo = 0;
	if (pos < b->pos0 || high > bits)
		return 0;
	at = high ? select_upper(b, high - 1, ~(uint64_t)0) + 1 : 0;
	row = at - high;
	/* A run of ones: the rows of this high part. */
	for (; at < bits && b->upper[at >> 3] >> (at & 7) & 1; at++, row++) {
		uint32_t v = (uint32_t)vxbits_get(b->low, row, b->low_w);

		if (v < low)
			continue;
		if (v > low)
			break;
		if (n++ == 0)
			*lo = row;
	}
	return n;
}

COUNTS
uint32_t
vxg_block_pos(const struct vxg_block *b, uint32_t row)
{
	uint32_t at = select_upper(b, row, 0);

	return b->pos0 + ((at - row) << b->low_w) + (uint32_t)vxbits_get(b->low, row, b->low_w);
}

/* Lengths and packed bases of a long allele. */
static const uint8_t *
long_allele(const struct vxg_block *b, uint32_t k, uint32_t *n_ref, uint32_t *n_alt)
{
	uint64_t from = k ? (uint64_t)vxints_get(&b->long_end, k - 1, 0, NULL) : 0, to = (uint64_t)vxints_get(&b->long_end, k, 0, NULL);
	struct vxbits_in in = { .head = b->long_heap, .at = from, .n = to };
	uint64_t r, a;

	if (k >= b->n_long || to > b->n_long_heap || from > to)
		return NULL;
	r = vxbits_varint(&in);
	a = vxbits_varint(&in);
	if (in.bad || r > UINT32_MAX / 2 || a > UINT32_MAX / 2 || (r + a + 3) / 4 != to - in.at)
		return NULL;
	*n_ref = (uint32_t)r;
	*n_alt = (uint32_t)a;
	return b->long_heap + in.at;
}

static char
packed_base(const uint8_t *p, uint32_t i)
{
	return vxg_letters[p[i >> 2] >> 2 * (i & 3) & 3];
}

COUNTS
int
vxg_block_allele(const struct vxg_block *b, uint32_t lo, uint32_t n, int code, uint32_t stub, const char *ref, uint32_t n_ref,
	const char *alt, uint32_t n_alt)
{
	uint32_t rank = 0;
	int ranked = 0;

	for (uint32_t row = lo; row < lo + n; row++) {
		uint32_t c = (uint32_t)vxbits_get(b->code, row, 4), have, r, a;
		const uint8_t *p;

		if (code < VXG_DEL && c == (uint32_t)code)
			return (int)row;
		if (c < VXG_DEL || code < VXG_DEL)
			continue;
		rank = ranked ? rank + 1 : stub_rank(b, row);
		ranked = 1;
		if (c != (uint32_t)code)
			continue;
		have = vxg_u32(b->stub + 2 * rank) & 0xffff;
		if (code != VXG_LONG) {
			if (have == stub)
				return (int)row;
			continue;
		}
		p = long_allele(b, have, &r, &a);
		if (!p || r != n_ref || a != n_alt)
			continue;
		for (r = 0; r < n_ref && packed_base(p, r) == ref[r]; r++)
			;
		for (a = 0; r == n_ref && a < n_alt && packed_base(p, n_ref + a) == alt[a]; a++)
			;
		if (r == n_ref && a == n_alt)
			return (int)row;
	}
	return -1;
}

int
vxg_block_text(const struct vxg_block *b, uint32_t row, struct str *out, uint32_t *n_ref, uint32_t *n_alt)
{
	uint32_t c = (uint32_t)vxbits_get(b->code, row, 4), stub = 0;
	char ref[8], alt[8];

	if (c >= VXG_DEL)
		stub = vxg_u32(b->stub + 2 * stub_rank(b, row)) & 0xffff;
	if (c == VXG_LONG) {
		const uint8_t *p = long_allele(b, stub, n_ref, n_alt);

		for (uint32_t i = 0; p && i < *n_ref + *n_alt; i++) {
			char x = packed_base(p, i);

			str_addn(out, &x, 1);
		}
		return p != NULL;
	}
	vxg_allele_text((int)c, stub, ref, n_ref, alt, n_alt);
	str_addn(out, ref, *n_ref);
	str_addn(out, alt, *n_alt);
	return 1;
}

/* --- values ------------------------------------------------------------------------------------ */

/* Value i of those that stand there; parent: what it is predicted from, if it is. */
VXBITS_INLINE fval
stored(const struct vxg_block *b, int ac, const struct vxg_col *c, uint32_t i, fval parent)
{
	const struct vxg_more *more = &b->more[c - b->col];
	int64_t v;

	if (c->missing.kind) {
		if (vxflags_test(&c->missing, i))
			return FVAL_MISSING;
		i -= vxflags_rank(&c->missing, i);
	}
	if (c->has_text) {
		uint32_t before = vxflags_rank(&more->text, i);

		if (vxflags_test(&more->text, i))
			return fval_of_text((int64_t)before << 1 | 1);
		i -= before;
	}
	v = vxints_get(&c->a, i, parent, c->a.flags & VXINTS_OVER ? &b->col[ac].a.at_mode : NULL);
	if (c->type == FTYPE_FLOAT)
		return fval_float((int)(v & 0x1ffff), vxints_get(&more->b, i, 0, NULL) & FVAL_DIGITS);
	if (c->type == FTYPE_STRING)
		return fval_of_text((v & (FVAL_TEXT_MAX / 4 - 1)) << 1);
	return v;
}

/* AN of a row, kept for the next question. */
VXBITS_INLINE fval
whole_an(struct vxg_block *b, const struct fcols *cols, uint32_t row)
{
	const struct vxg_col *c = &b->col[cols->an];

	if (b->an_row != row) {
		b->an = c->empty || c->where ? FVAL_MISSING : stored(b, cols->ac, c, row, 0);
		b->an_row = row;
	}
	return b->an;
}

/* A column that is not derived. */
COUNTS
static fval
own_value(struct vxg_block *b, const struct fcols *cols, int col, uint32_t row)
{
	const struct vxg_col *c = &b->col[col];
	uint32_t i = row;

	if (c->empty)
		return FVAL_MISSING;
	if (col == cols->an)
		return whole_an(b, cols, row);
	if (col == cols->ac && b->ac_row == row)
		return b->ac;
	if (c->where) {
		if (vxflags_test(&c->off, row))
			return FVAL_MISSING;
		i = row - vxflags_rank(&c->off, row);
	}
	if (col == cols->ac) {
		b->ac = stored(b, cols->ac, c, i, 0);
		b->ac_row = row;
		return b->ac;
	}
	return stored(b, cols->ac, c, i, c->a.flags & VXINTS_REST && cols->an >= 0 ? whole_an(b, cols, row) : 0);
}

COUNTS
fval
vxg_block_value(struct vxg_block *b, const struct vxg_shape *t, int col, uint32_t row)
{
	const struct vxg_col *c = &b->col[col];
	int num, den;
	fval a;

	if (!c->derive)
		return own_value(b, t->cols, col, row);
	if (vxflags_test(&c->off, row))
		return c->empty ? FVAL_MISSING : stored(b, t->cols->ac, c, vxflags_rank(&c->off, row), 0);
	num = t->num[col];
	den = t->den[col];
	a = own_value(b, t->cols, num, row);
	if (c->derive == VXG_RATIO)
		return t->table && t->table[col] ? vxg_predict_ratio(c->rule, t->table[col], a, own_value(b, t->cols, den, row)) : FVAL_MISSING;
	if (a == 0 && b->col[den].where)
		return c->zero;
	return vxg_predict(c->rule, a, own_value(b, t->cols, den, row), b->col[den].where);
}
