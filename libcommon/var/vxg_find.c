/* vxg_find - questions to an opened frequency database: see vxg.h, vxg_file.h */
#include "var/vxg_file.h"

#include "base/mem.h"
#include "os/deflate.h"
#include "os/file.h"

#define SLOTS_MOST 1024
#define CURSOR_BYTES (8 << 20)          /* all slots of a cursor, about */
#define FETCH 1024                      /* bytes of a block whose lines are asked for at once: its heads, mostly */

/* --- blocks -------------------------------------------------------------------------------- */

/* Blocks of a tier that a cursor keeps.  A genome asks for common ones again and again; without a map each has its bytes
 * in memory. */
static int
slots(const struct vxg *x, int tier)
{
	int64_t each = (int64_t)x->d.cols.n * VXG_COL_BYTES + 512, room = x->cursor_room ? x->cursor_room : CURSOR_BYTES;
	int64_t n = tier ? room / each : room / 8 / each;

	n = n > SLOTS_MOST ? SLOTS_MOST : n;
	n = !tier && n > 64 ? 64 : n;
	n = !x->map && n > 32 ? 32 : n;
	return n < 4 ? 4 : (int)n;
}

void
vxg_cursor_room(struct freq *f, int64_t bytes)
{
	((struct vxg *)f)->cursor_room = bytes;
}

static struct freq_cursor *
cursor(struct freq *f, struct err *e)
{
	struct vxg *x = (struct vxg *)f;
	struct freq_cursor *k;

	if (e->code)
		return NULL;
	k = mem_new(struct freq_cursor, 1);
	k->x = x;
	for (int t = 0; t < VXG_TIERS; t++) {
		k->n_slot[t] = slots(x, t);
		k->slot[t] = mem_new(struct slot, k->n_slot[t]);
		for (int i = 0; i < k->n_slot[t]; i++)
			k->slot[t][i].id = -1;
		k->wide[t].id = k->asked_id[t] = -1;
		k->wide[t].contig = -1;
	}
	k->val_id = k->put_id = -1;
	k->range[0].contig = k->range[1].contig = -1;
	k->heap_id = -1;
	return k;
}

static void
cursor_free(struct freq_cursor *k)
{
	if (!k)
		return;
	for (int t = 0; t < VXG_TIERS; t++) {
		for (int i = 0; i < k->n_slot[t]; i++) {
			mem_free(k->slot[t][i].b.col);
			mem_free(k->slot[t][i].own);
		}
		mem_free(k->slot[t]);
	}
	mem_free(k->val);
	mem_free(k->derived);
	mem_free(k->ready);
	vxg_print_free(k);
	str_clear(&k->heap);
	mem_free(k);
}

const uint8_t *
vxg_block_bytes(struct vxg *x, const struct vxg_index *q, int64_t i, struct slot *s, size_t *n, struct err *e)
{
	const uint8_t *p = vxg_index_bytes(x, q->at + (((uint64_t)q->n * 4 + 7) & ~(uint64_t)7) + (uint64_t)i * 8, 16, e);
	uint64_t from, to;

	if (!p)
		return NULL;
	from = vxg_u64(p);
	to = vxg_u64(p + 8);
	if (from < VXG_PREAMBLE || to > x->d.index_at || from > to || to - from < VXG_HEAD + VXG_PAD) {
		vxg_broken(x, "its index", e);
		return NULL;
	}
	*n = to - from;
	if (x->map)
		return x->map + from;
	if (s->cap < *n) {
		mem_free(s->own);
		s->cap = *n + *n / 4;
		s->own = mem_raw(uint8_t, (long long)s->cap);
	}
	if (file_pread(x->fd, s->own, *n, (int64_t)from, e) != (int64_t)*n)
		vxg_broken(x, "a block", e);
	return e->code ? NULL : s->own;
}

/* Whether a block's checksum (1: of its alleles, 2: of its columns) was right before; only where nobody can have changed it since. */
static int
seen(const struct vxg *x, int64_t id, int which)
{
	return x->map && atomic_load_explicit(&x->block_ok[id >> 2], memory_order_relaxed) >> 2 * (id & 3) & which;
}

static void
saw(struct vxg *x, int64_t id, int which)
{
	if (!seen(x, id, which))
		atomic_fetch_or_explicit(&x->block_ok[id >> 2], (uint8_t)(which << 2 * (id & 3)), memory_order_relaxed);
}

/* The columns of a block, checked and taken apart. */
static int
columns(struct vxg *x, struct vxg_block *b, int64_t id, struct err *e)
{
	if (b->opened)
		return 0;
	if (!seen(x, id, 2) && !vxg_block_sum_rest(b->p, b->length))
		return vxg_broken(x, "a block's checksum", e);
	saw(x, id, 2);
	return vxg_block_columns(b, &x->shape, e);
}

/* Block i of a contig's tier, its alleles checked and taken apart. */
static struct slot *
block(struct freq_cursor *k, int contig, int tier, int64_t i, int64_t *id, struct err *e)
{
	struct vxg *x = k->x;
	const struct vxg_index *q = &x->d.index[contig * VXG_TIERS + tier];
	struct slot *s;
	const uint8_t *p;
	size_t n = 0;

	*id = x->block0[contig * VXG_TIERS + tier] + i;
	s = &k->slot[tier][*id % k->n_slot[tier]];
	if (s->id == *id)
		return s;
	s->id = -1;
	p = vxg_block_bytes(x, q, i, s, &n, e);
	if (!p)
		return NULL;
	/* Its lines come at once, not one after the other as they are needed. */
	for (size_t at_byte = 0; at_byte < n && at_byte < FETCH; at_byte += 64)
		__builtin_prefetch(p + at_byte);
	if (!seen(x, *id, 1) && !vxg_block_sum_keys(p, n)) {
		vxg_broken(x, "a block's checksum", e);
		return NULL;
	}
	saw(x, *id, 1);
	vxg_block_room(&s->b, x->d.cols.n);
	if (vxg_block_read(&s->b, p, n, e))
		return NULL;
	if (s->b.contig != (uint32_t)contig || s->b.tier != tier || s->b.number != (uint32_t)i) {
		vxg_broken(x, "a block stands in another's place", e);
		return NULL;
	}
	s->id = *id;
	return s;
}

/* The last block that begins at or before pos, or -1; *next: where the one behind it begins. */
static int64_t
locate(struct freq_cursor *k, int contig, int tier, uint32_t pos, uint64_t *next, struct err *e)
{
	struct vxg *x = k->x;
	const struct vxg_index *q = &x->d.index[contig * VXG_TIERS + tier];
	const uint8_t *p, *bucket;
	int64_t lo, hi, b = (int64_t)((uint64_t)pos >> q->shift);
	uint64_t at_bucket = q->at + (((uint64_t)q->n * 4 + 7) & ~(uint64_t)7) + (uint64_t)(q->n + 1) * 8;

	*next = (uint64_t)1 << 32;
	if (!q->n)
		return -1;
	if (b >= q->n_bucket) {
		lo = hi = q->n;
	} else {
		bucket = vxg_index_bytes(x, at_bucket + 4 * (uint64_t)b, 8, e);
		if (!bucket)
			return -1;
		lo = vxg_u32(bucket);
		hi = vxg_u32(bucket + 4);
		if (lo > hi || hi > q->n) {
			vxg_broken(x, "its index", e);
			return -1;
		}
	}
	/* blocks before lo begin before the bucket; those from hi on behind it */
	p = vxg_index_bytes(x, q->at + 4 * (uint64_t)(lo ? lo - 1 : 0), 4 * (uint64_t)(hi - lo + (lo > 0) + (hi < q->n)), e);
	if (!p || e->code)
		return -1;
	p -= 4 * (lo ? lo - 1 : 0);
	while (lo < hi) {
		int64_t mid = (lo + hi) / 2;

		if (vxg_u32(p + 4 * mid) <= pos)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < q->n)
		*next = vxg_u32(p + 4 * lo);
	return lo - 1;
}

/* After so many questions to one block its keys are laid open. */
static void
widen(struct freq_cursor *k, int tier, const struct slot *s)
{
	struct wide *w = &k->wide[tier];

	if (w->id == s->id)
		return;
	if (k->asked_id[tier] != s->id) {
		k->asked_id[tier] = s->id;
		k->asked[tier] = 0;
	}
	if (++k->asked[tier] < (tier ? WIDE_COMMON : WIDE_AFTER))
		return;
	vxg_block_keys(&s->b, w->pos, w->code);
	w->id = s->id;
	w->slot = s;
	w->contig = (int)s->b.contig;
	w->lo = w->pos[0];
	w->hi = w->pos[s->b.n - 1];
	w->gap_lo = w->gap_hi = 0;
	w->n = s->b.n;
	w->at = 0;
}

/* What is asked for. */
struct wanted {
	uint32_t pos, n_ref, n_alt, stub;
	int code;
	const char *ref, *alt;
};

static inline int
found(struct freq_cursor *k, int tier, const struct slot *s, int row, struct freq_hit *hit)
{
	hit->row = row;
	hit->block = &s->b;
	hit->part = tier;
	k->found = &s->b;
	k->found_id = s->id;
	return row;
}

/* Whether a block laid open answers for a position alone: there are rows of it before and behind. */
static inline int
in_wide(const struct wide *w, int contig, uint32_t pos)
{
	return w->contig == contig && pos > w->lo && pos < w->hi && w->slot->id == w->id;
}

/* Asks such a block: the row of the allele, or -1; *any is set when there are rows of its position.  They are near to where the last question
 * ended, mostly. */
static inline int
ask_wide(struct freq_cursor *k, int tier, const struct wanted *q, struct freq_hit *hit, int *any)
{
	struct wide *w = &k->wide[tier];
	const uint32_t *pos = w->pos, p = q->pos;
	uint32_t i = w->at, n = 0, end = i + 6;
	int row = -1;

	while (i < end && pos[i] < p)
		i++;
	if (pos[i] < p || (i > 0 && pos[i - 1] >= p)) {
		uint32_t hi = w->n;

		i = 0;
		while (i < hi) {
			uint32_t mid = (i + hi) / 2;

			if (pos[mid] < p)
				i = mid + 1;
			else
				hi = mid;
		}
	}
	w->at = i;
	w->gap_lo = i ? pos[i - 1] : 0;
	w->gap_hi = pos[i];
	for (; pos[i + n] == p; n++)
		if (w->code[i + n] == q->code)
			row = (int)(i + n);
	if (n == 0)
		return -1;
	*any = 1;
	if (q->code >= VXG_DEL)
		row = vxg_block_allele(&w->slot->b, i, n, q->code, q->stub, q->ref, q->n_ref, q->alt, q->n_alt);
	return row < 0 ? -1 : found(k, tier, w->slot, row, hit);
}

/* Asks any block. */
static int
ask(struct freq_cursor *k, int tier, const struct slot *s, const struct wanted *q, struct freq_hit *hit, int *any)
{
	uint32_t lo, n = vxg_block_at(&s->b, q->pos, &lo);
	int row;

	widen(k, tier, s);
	if (n == 0)
		return -1;
	*any = 1;
	row = vxg_block_allele(&s->b, lo, n, q->code, q->stub, q->ref, q->n_ref, q->alt, q->n_alt);
	return row < 0 ? -1 : found(k, tier, s, row, hit);
}

/* The same for the blocks of a tier: mostly the one that was asked before. */
static int
find_in(struct freq_cursor *k, int contig, int tier, const struct wanted *q, struct freq_hit *hit, int *any, struct err *e)
{
	__typeof__(k->range[0]) *r = &k->range[tier];
	uint64_t next;
	int64_t i, id;

	if (r->contig == contig && q->pos > r->lo && q->pos < r->hi && (!r->slot || r->slot->id == r->id))
		return r->slot ? ask(k, tier, r->slot, q, hit, any) : -1;
	i = locate(k, contig, tier, q->pos, &next, e);
	if (e->code)
		return -1;
	r->contig = contig;
	r->lo = 0;
	r->hi = next;
	r->slot = NULL;
	for (int64_t first = i; i >= 0 && !e->code; i--) {
		struct slot *s = block(k, contig, tier, i, &id, e);
		int row;

		if (!s) {
			r->contig = -1;
			return -1;
		}
		if (i == first) {
			r->lo = s->b.pos0;
			r->slot = s;
			r->id = id;
		}
		row = ask(k, tier, s, q, hit, any);
		/* Rows of one position may go on in the block before. */
		if (row >= 0 || s->b.pos0 != q->pos)
			return row;
	}
	return -1;
}

static enum freq_status
find(struct freq_cursor *k, int contig, int64_t pos, const char *ref, uint32_t n_ref, const char *alt, uint32_t n_alt, struct freq_hit *hit,
	struct err *e)
{
	struct wanted q = { .pos = (uint32_t)pos, .n_ref = n_ref, .n_alt = n_alt, .ref = ref, .alt = alt };
	int any = 0;

	if (pos < 0 || pos > UINT32_MAX)
		return FREQ_ABSENT;
	q.code = n_ref == 1 && n_alt == 1 ? vxg_single_code(*ref, *alt) : vxg_allele_code(ref, n_ref, alt, n_alt, &q.stub);
	for (int tier = VXG_TIERS - 1; tier >= 0; tier--) {
		const struct wide *w = &k->wide[tier];

		if (w->contig == contig && pos > w->gap_lo && pos < w->gap_hi)
			continue;
		if ((in_wide(w, contig, q.pos) ? ask_wide(k, tier, &q, hit, &any) : find_in(k, contig, tier, &q, hit, &any, e)) >= 0)
			return FREQ_FOUND;
	}
	return any ? FREQ_SITE_ONLY : FREQ_ABSENT;
}

static void
at(struct freq_cursor *k, int contig, int64_t pos, freq_at_fn *fn, void *ctx, struct err *e)
{
	struct str s = {0};

	if (pos < 0 || pos > UINT32_MAX)
		return;
	for (int tier = VXG_TIERS - 1; tier >= 0; tier--) {
		uint64_t next;
		int64_t last = locate(k, contig, tier, (uint32_t)pos, &next, e), i = last, id;
		struct slot *q = NULL;

		while (i > 0 && !e->code && (q = block(k, contig, tier, i, &id, e)) && q->b.pos0 == (uint32_t)pos)
			i--;
		for (; i >= 0 && i <= last && !e->code; i++) {
			uint32_t lo, n, n_ref, n_alt;

			q = block(k, contig, tier, i, &id, e);
			n = q ? vxg_block_at(&q->b, (uint32_t)pos, &lo) : 0;
			for (uint32_t r = 0; r < n; r++) {
				s.n = 0;
				if (vxg_block_text(&q->b, lo + r, &s, &n_ref, &n_alt))
					fn(ctx, s.s, n_ref, s.s + n_ref, n_alt);
			}
		}
	}
	str_clear(&s);
}

/* --- values ---------------------------------------------------------------------------------- */

/* A row's bits lie in as many places as there are columns: they are asked for at once, not one after the other. */
static void
fetch(const struct vxg_block *b, int n_col, uint32_t row)
{
	for (int i = 0; i < n_col; i++) {
		const struct vxg_col *c = &b->col[i];
		uint32_t at = row;

		if (c->empty || c->derive || c->a.flags & VXINTS_CONST)
			continue;
		if (c->a.flags & VXINTS_MODE) {
			if (c->a.at_mode.kind == VXFLAGS_DENSE)
				__builtin_prefetch(c->a.at_mode.p + (row >> 3));
			at = row * c->a.n / b->n;
		}
		__builtin_prefetch(c->a.code + (at * c->a.w >> 3));
	}
}

/* The values of a rare block are laid open; rows of common ones lie open anyway. */
static void
lay_open(struct freq_cursor *k, const struct vxg_block *b, int64_t id)
{
	int n_col = k->x->d.cols.n;

	if (!k->val) {
		k->val = mem_new(fval, (int64_t)n_col * VXG_STRIDE);
		k->derived = mem_new(struct vxg_derived, n_col);
		k->ready = mem_new(struct ready, n_col);
	}
	vxg_block_all(b, &k->x->shape, 0, k->val, k->derived);
	k->val_id = id;
	for (int c = 0; c < n_col; c++) {
		k->ready[c].val = k->val + (size_t)c * VXG_STRIDE;
		k->ready[c].derived = b->col[c].derive ? &k->derived[c] : NULL;
	}
}

/* Whether the values of a row's block lie open: when so many of its rows are asked for that it is worth it. */
static inline int
is_open(struct freq_cursor *k, const struct vxg_block *b)
{
	if (k->val_id != k->found_id && k->wide[0].id == k->found_id)
		lay_open(k, b, k->found_id);
	return k->val_id == k->found_id;
}

static int
values(struct freq_cursor *k, const struct freq_hit *hit, const int *col, int n, fval *out, struct err *e)
{
	struct vxg_block *b = (struct vxg_block *)(uintptr_t)hit->block;
	const struct vxg_shape *sh = &k->x->shape;
	uint32_t row = (uint32_t)hit->row;

	if (columns(k->x, b, k->found_id, e)) {
		for (int i = 0; i < n; i++)
			out[i] = FVAL_MISSING;
		return 0;
	}
	if (b->tier) {
		vxg_block_row(b, sh, col, n, row, out);
		return b->has_text;
	}
	/* One value alone is not worth it. */
	if (n > 1 ? is_open(k, b) : k->val_id == k->found_id) {
		const struct ready *ready = k->ready;

		for (int i = 0; i < n; i++) {
			const struct ready *q = &ready[col[i]];

			out[i] = q->derived ? vxg_derived(q->derived, q->val, row) : q->val[row];
		}
		return b->has_text;
	}
	if (n > 2)
		fetch(b, sh->cols->n, row);
	for (int i = 0; i < n; i++)
		out[i] = vxg_block_value(b, sh, col[i], row);
	return b->has_text;
}

static char *
print(struct freq_cursor *k, const struct freq_hit *hit, char *o, fval *filter, struct err *e)
{
	struct vxg_block *b = (struct vxg_block *)(uintptr_t)hit->block;
	int f = k->x->d.cols.filter;
	uint32_t row = (uint32_t)hit->row;

	/* As the row before, mostly. */
	if (k->put_id != k->found_id) {
		if (k->n_put < 2 || columns(k->x, b, k->found_id, e) || b->has_text)
			return NULL;
		if (b->tier) {
			if (!vxg_print_common(k, b))
				return NULL;
		} else {
			if (!is_open(k, b) || (f >= 0 && k->ready[f].derived))
				return NULL;
			vxg_print_block(k, b);
		}
	}
	if (b->tier)
		return vxg_print_common_row(k, b, row, o, filter, e);
	if (f >= 0)
		*filter = k->val[(size_t)f * VXG_STRIDE + row];
	return vxg_print_row(k, row, o, e);
}

static fval
value(struct freq_cursor *k, const struct freq_hit *hit, int col, struct err *e)
{
	fval v;

	values(k, hit, &col, 1, &v, e);
	return v;
}

const char *
vxg_heap_text(struct freq_cursor *k, const struct vxg_block *b, int64_t id, int col, uint64_t i, size_t *n, struct err *e)
{
	const struct vxg_more *c = &b->more[col];
	uint64_t from, to;
	const char *heap;

	*n = 0;
	if (i >= c->n_text) {
		vxg_broken(k->x, "a text", e);
		return "";
	}
	from = i ? (uint64_t)vxints_get(&c->ends, (uint32_t)i - 1, 0, NULL) : 0;
	to = (uint64_t)vxints_get(&c->ends, (uint32_t)i, 0, NULL);
	if (from > to || to > c->n_heap) {
		vxg_broken(k->x, "a text", e);
		return "";
	}
	heap = (const char *)c->heap;
	if (c->n_stored < c->n_heap) {
		if (k->heap_of != c || k->heap_id != id) {
			k->heap_of = NULL;
			/* deflate makes at most 1032 bytes of one */
			if (c->n_heap / 1040 > c->n_stored) {
				vxg_broken(k->x, "a text", e);
				return "";
			}
			if (k->heap.cap < c->n_heap) {
				str_clear(&k->heap);
				k->heap.s = mem_renew(k->heap.s, char, (long long)c->n_heap);
				k->heap.cap = c->n_heap;
			}
			if (deflate_unpack(c->heap, c->n_stored, k->heap.s, c->n_heap, e))
				return "";
			k->heap_of = c;
			k->heap_id = id;
		}
		heap = k->heap.s;
	}
	*n = to - from;
	return heap + from;
}

/* A column's dictionary, checked when it is first used. */
static const uint8_t *
dictionary(struct vxg *x, int col, struct err *e)
{
	uint64_t n = (uint64_t)x->d.dict[col].n, bytes = (uint64_t)x->d.dict[col].bytes;
	const uint8_t *p = vxg_index_bytes(x, x->d.dict[col].at, (n + 1) * 4 + bytes, e);

	if (!p)
		return NULL;
	for (uint64_t i = 0; i < n; i++)
		if (vxg_u32(p + 4 * i) > vxg_u32(p + 4 * i + 4) || vxg_u32(p + 4 * i + 4) > bytes) {
			vxg_broken(x, "a text", e);
			return NULL;
		}
	/* Several threads may find the same. */
	__atomic_store_n(&x->dict[col], p, __ATOMIC_RELEASE);
	return p;
}

const char *
vxg_dict_text(struct vxg *x, int col, uint64_t i, size_t *n, struct err *e)
{
	const uint8_t *p = __atomic_load_n(&x->dict[col], __ATOMIC_ACQUIRE);
	uint64_t all = (uint64_t)(x->d.dict[col].n + 1) * 4;
	uint32_t from;

	*n = 0;
	if (i >= (uint64_t)x->d.dict[col].n) {
		vxg_broken(x, "a text", e);
		return "";
	}
	if (!p && !(p = dictionary(x, col, e)))
		return "";
	from = vxg_u32(p + 4 * i);
	*n = vxg_u32(p + 4 * i + 4) - from;
	return (const char *)p + all + from;
}

static const char *
text(struct freq_cursor *k, int col, fval v, size_t *n, struct err *e)
{
	int64_t ref = fval_text_ref(v);

	return ref & 1 ? vxg_heap_text(k, k->found, k->found_id, col, (uint64_t)ref >> 1, n, e) : vxg_dict_text(k->x, col, (uint64_t)ref >> 1, n, e);
}

void
vxg_ask(struct freq *f)
{
	f->cursor = cursor;
	f->cursor_free = cursor_free;
	f->find = find;
	f->value = value;
	f->values = values;
	f->lasting = 1;
	f->tags = vxg_print_tags;
	f->print = print;
	f->text = text;
	f->at = at;
}
