/* vxg_iter - a frequency database from beginning to end: all rows, all checksums, all sizes.  See vxg.h, vxg_file.h */
#include "var/vxg_file.h"

#include "base/mem.h"
#include "os/file.h"
#include "os/par.h"

/* --- all rows ------------------------------------------------------------------------------------ */

struct vxg_iter {
	struct freq_cursor *k;
	int contig;
	int64_t at[VXG_TIERS];          /* the next block of a tier */
	int64_t id[VXG_TIERS];          /* the block that is open, -1 = none */
	uint32_t row[VXG_TIERS];        /* the next row of it */
	struct vxg_block own[VXG_TIERS];
	struct wide wide[VXG_TIERS];
	fval *val[VXG_TIERS];           /* [n_col][VXG_STRIDE] */
	struct vxg_derived *derived;
	uint8_t *mem[VXG_TIERS];
	size_t cap[VXG_TIERS];
};

struct vxg_iter *
vxg_iter(struct freq *f, struct err *e)
{
	struct vxg_iter *t;
	struct freq_cursor *k = f->cursor(f, e);

	if (!k)
		return NULL;
	t = mem_new(struct vxg_iter, 1);
	t->k = k;
	for (int i = 0; i < VXG_TIERS; i++) {
		t->id[i] = -1;
		t->val[i] = mem_new(fval, (int64_t)k->x->d.cols.n * VXG_STRIDE);
	}
	t->derived = mem_new(struct vxg_derived, k->x->d.cols.n);
	return t;
}

void
vxg_iter_free(struct vxg_iter *t)
{
	if (!t)
		return;
	for (int i = 0; i < VXG_TIERS; i++) {
		mem_free(t->own[i].col);
		mem_free(t->val[i]);
		mem_free(t->mem[i]);
	}
	mem_free(t->derived);
	t->k->x->f.cursor_free(t->k);
	mem_free(t);
}

/* The next block of a tier; both tiers' blocks must stay, whatever slots the cursor has. */
static int
next_block(struct vxg_iter *t, int tier, struct err *e)
{
	struct vxg *x = t->k->x;
	const struct vxg_index *q = &x->d.index[t->contig * VXG_TIERS + tier];
	struct slot s = { .own = t->mem[tier], .cap = t->cap[tier] };
	const uint8_t *p;
	size_t n = 0;

	t->id[tier] = -1;
	if (t->at[tier] >= q->n)
		return 0;
	t->own[tier].bytes = NULL;
	s.id = x->block0[t->contig * VXG_TIERS + tier] + t->at[tier];
	p = vxg_block_bytes(x, q, t->at[tier], &s, &n, e);
	t->mem[tier] = s.own;
	t->cap[tier] = s.cap;
	if (!p)
		return e->code;
	if (!vxg_block_sum_keys(p, n) || !vxg_block_sum_rest(p, n))
		return vxg_broken(x, "a block's checksum", e);
	vxg_block_room(&t->own[tier], x->d.cols.n);
	if (vxg_block_read(&t->own[tier], p, n, e) || vxg_block_columns(&t->own[tier], &x->shape, e))
		return e->code;
	if (t->own[tier].contig != (uint32_t)t->contig || t->own[tier].tier != tier || t->own[tier].number != (uint32_t)t->at[tier])
		return vxg_broken(x, "a block stands in another's place", e);
	t->id[tier] = s.id;
	t->at[tier]++;
	t->row[tier] = 0;
	vxg_block_keys(&t->own[tier], t->wide[tier].pos, t->wide[tier].code);
	vxg_block_all(&t->own[tier], &x->shape, 1, t->val[tier], t->derived);
	return 0;
}

static int
add_row(struct vxg_iter *t, int tier, struct frows *r, struct str *s, struct err *e)
{
	const struct vxg_block *b = &t->own[tier];
	const struct wide *w = &t->wide[tier];
	struct vxg *x = t->k->x;
	uint32_t row = t->row[tier], n_ref, n_alt;
	int64_t i = r->n;

	s->n = 0;
	if (!vxg_block_text(b, row, s, &n_ref, &n_alt))
		return vxg_broken(x, "an allele", e);
	frows_add(r, t->contig, w->pos[row], s->s, n_ref, s->s + n_ref, n_alt, 0);
	for (int c = 0; c < x->d.cols.n; c++) {
		fval v = t->val[tier][(size_t)c * VXG_STRIDE + row];

		if (v != FVAL_MISSING && fval_is_text(v)) {
			int64_t ref = fval_text_ref(v);
			size_t n = 0;
			const char *p = ref & 1 ? vxg_heap_text(t->k, b, t->id[tier], c, (uint64_t)ref >> 1, &n, e) :
			    vxg_dict_text(x, c, (uint64_t)ref >> 1, &n, e);

			v = frows_text(r, p, n);
		}
		r->val[i * r->n_col + c] = v;
	}
	return e->code;
}

/* Which tier has the next row, or -1. */
static int
next_tier(struct vxg_iter *t, struct err *e)
{
	uint32_t pos[VXG_TIERS];
	struct frows two;
	struct str s = {0};
	int best;

	for (;;) {
		for (int i = 0; i < VXG_TIERS && !e->code; i++)
			if (t->id[i] < 0 || t->row[i] >= t->own[i].n)
				next_block(t, i, e);
		if (e->code)
			return -1;
		if (t->id[0] >= 0 || t->id[1] >= 0)
			break;
		if (t->contig + 1 >= t->k->x->f.n_contig)
			return -1;
		t->contig++;
		t->at[0] = t->at[1] = 0;
	}
	if (t->id[0] < 0 || t->id[1] < 0)
		return t->id[0] >= 0 ? 0 : 1;
	for (int i = 0; i < VXG_TIERS; i++)
		pos[i] = t->wide[i].pos[t->row[i]];
	if (pos[0] != pos[1])
		return pos[0] < pos[1] ? 0 : 1;
	frows_init(&two, 0);
	for (int i = 0; i < VXG_TIERS; i++) {
		uint32_t n_ref = 0, n_alt = 0;

		s.n = 0;
		vxg_block_text(&t->own[i], t->row[i], &s, &n_ref, &n_alt);
		frows_add(&two, t->contig, pos[i], s.s ? s.s : "", n_ref, s.s ? s.s + n_ref : "", n_alt, 0);
	}
	best = frows_order(&two, 0, &two, 1) <= 0 ? 0 : 1;
	frows_clear(&two);
	str_clear(&s);
	return best;
}

int64_t
vxg_iter_next(struct vxg_iter *t, struct frows *r, int64_t n, struct err *e)
{
	struct str s = {0};
	int64_t k = 0;

	while (k < n && !e->code && t->k->x->f.n_contig) {
		int tier = next_tier(t, e);

		if (tier < 0)
			break;
		if (!add_row(t, tier, r, &s, e)) {
			t->row[tier]++;
			k++;
		}
	}
	str_clear(&s);
	return k;
}

/* --- everything verified --------------------------------------------------------------------------- */

/* Blocks of one contig's tier. */
static int
check_some(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct vxg *x = ctx;

	(void)worker;
	for (int64_t i = lo; i < hi && !e->code; i++) {
		const struct vxg_index *q = &x->d.index[i];
		struct slot s = { .id = -1 };
		uint32_t last = 0;
		int64_t rows = 0;

		vxg_block_room(&s.b, x->d.cols.n);
		for (int64_t b = 0; b < q->n && !e->code; b++) {
			size_t n = 0;
			const uint8_t *p = vxg_block_bytes(x, q, b, &s, &n, e);
			const uint8_t *pos0 = vxg_index_bytes(x, q->at + 4 * (uint64_t)b, 4, e);

			if (!p || !pos0)
				break;
			if (!vxg_block_sum_keys(p, n) || !vxg_block_sum_rest(p, n)) {
				vxg_broken(x, "a block's checksum", e);
				break;
			}
			if (vxg_block_read(&s.b, p, n, e) || vxg_block_columns(&s.b, &x->shape, e))
				break;
			if (s.b.number != (uint32_t)b || (int64_t)s.b.contig * VXG_TIERS + s.b.tier != i || s.b.pos0 != vxg_u32(pos0) || s.b.pos0 < last)
				vxg_broken(x, "a block stands in another's place", e);
			last = vxg_block_pos(&s.b, s.b.n - 1);
			rows += s.b.n;
		}
		if (!e->code && rows != q->rows)
			vxg_broken(x, "rows are missing", e);
		mem_free(s.b.col);
		mem_free(s.own);
	}
	return e->code;
}

/* Blocks follow each other without a gap up to the index, but for zeros that align it. */
static int
check_gaps(struct vxg *x, struct err *e)
{
	uint64_t at = VXG_PREAMBLE;
	uint8_t pad[64];

	for (int tier = 0; tier < VXG_TIERS; tier++)
		for (int64_t c = 0; c < x->d.meta.contig.n && !e->code; c++) {
			const struct vxg_index *q = &x->d.index[c * VXG_TIERS + tier];
			uint64_t offsets = q->at + (((uint64_t)q->n * 4 + 7) & ~(uint64_t)7);
			const uint8_t *p = q->n ? vxg_index_bytes(x, offsets, ((uint64_t)q->n + 1) * 8, e) : NULL;

			if (!p)
				continue;
			if (vxg_u64(p) != at)
				return vxg_broken(x, "a gap between blocks", e);
			at = vxg_u64(p + 8 * q->n);
		}
	if (e->code)
		return e->code;
	if (at > x->d.index_at || x->d.index_at - at >= sizeof pad)
		return vxg_broken(x, "a gap between blocks", e);
	if (file_pread(x->fd, pad, x->d.index_at - at, (int64_t)at, e) != (int64_t)(x->d.index_at - at))
		return e->code ? e->code : vxg_broken(x, "a gap between blocks", e);
	for (uint64_t i = 0; i < x->d.index_at - at; i++)
		if (pad[i])
			return vxg_broken(x, "bytes between blocks and index", e);
	return 0;
}

int
vxg_check(struct freq *f, struct par *par, struct err *e)
{
	struct vxg *x = (struct vxg *)f;

	if (e->code || check_gaps(x, e))
		return e->code;
	if (x->d.index_bytes)
		vxg_index_bytes(x, x->d.index_at, x->d.index_bytes, e);
	par_for(par, x->d.meta.contig.n * VXG_TIERS, 1, check_some, x, e);
	return e->code;
}

int
vxg_sizes(struct freq *f, struct str *out, struct err *e)
{
	struct vxg *x = (struct vxg *)f;
	int n = x->d.cols.n;
	int64_t *bytes = mem_new(int64_t, (int64_t)VXG_TIERS * (n + 1));
	struct vxg_block b = {0};
	struct slot s = { .id = -1 };

	vxg_block_room(&b, n);
	for (int64_t i = 0; i < x->d.meta.contig.n * VXG_TIERS; i++)
		for (int64_t k = 0; k < x->d.index[i].n && !e->code; k++) {
			size_t len = 0;
			const uint8_t *p = vxg_block_bytes(x, &x->d.index[i], k, &s, &len, e);

			b.bytes = bytes + (i % VXG_TIERS) * (n + 1);
			if (p)
				vxg_block_read(&b, p, len, e);
			if (p)
				vxg_block_columns(&b, &x->shape, e);
		}
	for (int t = VXG_TIERS - 1; t >= 0 && !e->code; t--) {
		int64_t all = 0;

		for (int c = 0; c <= n; c++)
			all += bytes[t * (n + 1) + c];
		str_addf(out, "tier\t%s\t%lld\t%lld\n", t ? "common" : "rare", (long long)x->d.rows[t], (long long)all);
	}
	for (int c = 0; c <= n && !e->code; c++)
		str_addf(out, "bytes\t%s%s\t%lld\n", c == n ? "alleles" : x->d.cols.c[c].name, c < n && x->d.cols.c[c].hidden ? " (hidden)" : "",
		    (long long)(bytes[c] + bytes[n + 1 + c]));
	mem_free(bytes);
	mem_free(b.col);
	mem_free(s.own);
	return e->code;
}
