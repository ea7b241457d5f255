/* set_put - see set.h: new sections, encoded when they are put */
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "base/sha.h"
#include "cell/set.h"
#include "stream/codec.h"

/* A new section of the set's own; takes the head. */
struct sect *
set_new_sect(struct set *s, struct head *h)
{
	struct sect *t = mem_new(struct sect, 1);
	struct in *in = &s->made;

	t->in = in;
	t->head = *h;
	t->spooled = 1;
	t->complete = !h->payload;
	memset(h, 0, sizeof *h);
	in->sect = mem_renew(in->sect, struct sect *, in->n + 1);
	in->sect[in->n++] = t;
	if (t->complete)
		set_done(t);
	return t;
}

/* All blocks are there: gives the section its id. */
void
set_done(struct sect *t)
{
	struct ident id;

	ident_start(&id, &t->head);
	for (int64_t i = 0; i < t->n_block; i++)
		ident_block(&id, &t->block[i]);
	ident_end(&id, &t->head, t->id);
}

int
set_add_block(struct set *s, struct sect *t, struct block *b, const void *raw, int64_t n, struct err *e)
{
	struct str stored = {0};

	if (e->code)
		return e->code;
	codec_encode(&t->head, b, raw, n, &stored);
	in_note(t, b, spool_add(&s->spool, stored.s ? stored.s : "", b->stored, e));
	str_clear(&stored);
	if (t->complete)
		set_done(t);
	return e->code;
}

/* The id of an item after the first n_step subsets: that of the section it all came from,
 * and of the axes as they are then.  So the order of the cuts does not matter, nor
 * how many there were. */
static void
item_id(const struct set *s, const struct item *it, int n_step, char id[33])
{
	const char *root = head_get(&it->s->head, "root");
	char digest[2][33] = {{0}};
	int axis[2], moved = 0;
	struct sha h;

	if (root && strlen(root) != 32)         /* a hostile head */
		root = NULL;
	memcpy(id, it->s->id, 33);
	for (int d = 0; d < 2; d++) {
		const char *v = head_get(&it->s->head, d ? "axis1" : "axis0");

		axis[d] = set_axis_of(it, d);
		if (axis[d] >= 0 && strlen(v) == 36)
			memcpy(digest[d], v + 4, 33);
	}
	for (int i = 0; i < n_step; i++)
		for (int d = 0; d < 2; d++)
			if (axis[d] == s->past[i].axis && strcmp(digest[d], s->past[i].digest) == 0) {
				memcpy(digest[d], s->past[i].to, 33);
				moved = 1;
			}
	if (!moved)
		return;
	sha_init(&h);
	sha_add(&h, "subset", 6);
	sha_add(&h, root ? root : it->s->id, 32);
	for (int d = 0; d < 2; d++)
		sha_add(&h, digest[d], 32);
	sha_hex(&h, id);
}

/* The id that a section with this id has after all subsets of this data set. */
void
set_map_id(const struct set *s, const char *old, char id[33])
{
	memcpy(id, old, 33);
	/* It may be called by the id that a section had between two subsets. */
	for (int64_t i = 0; i < s->n_item; i++)
		for (int k = 0; k <= s->n_past; k++) {
			char then[33];

			item_id(s, &s->item[i], k, then);
			if (strcmp(then, old) == 0) {
				item_id(s, &s->item[i], s->n_past, id);
				return;
			}
		}
}

static int
ids_of(struct set *s, const char *paths, int n_step, struct str *ids, struct err *e)
{
	char *list = mem_strdup(paths), *save = NULL;

	for (char *p = strtok_r(list, ",", &save); p && !e->code; p = strtok_r(NULL, ",", &save)) {
		struct item *it = set_find(s, p);
		char id[33];

		if (!it)
			continue;
		if (in_heads(it->s, e))
			break;
		BUG_IF(!it->s->id[0]);
		item_id(s, it, n_step, id);
		str_addf(ids, "%s%s", ids->n ? "," : "", id);
	}
	mem_free(list);
	return e->code;
}

int
set_from(struct set *s, const char *paths, struct str *ids, struct err *e)
{
	return ids_of(s, paths, s->n_past, ids, e);
}

int
set_from_old(struct set *s, const char *paths, struct str *ids, struct err *e)
{
	return ids_of(s, paths, s->n_open, ids, e);
}

/* Writes axes and from= into a head by the path it is for. */
void
set_bind(struct set *s, struct head *h, const char *path, const char *from, struct err *e)
{
	static const struct { const char *prefix; int a0, a1; } rule[] = {
		{ "X", AXIS_OBS, AXIS_VAR }, { "layers/", AXIS_OBS, AXIS_VAR }, { "obs/", AXIS_OBS, -1 },
		{ "var/", AXIS_VAR, -1 }, { "obsm/", AXIS_OBS, -1 }, { "varm/", AXIS_VAR, -1 },
		{ "obsp/", AXIS_OBS, AXIS_OBS }, { "varp/", AXIS_VAR, AXIS_VAR }
	};
	struct str ids = {0};

	for (size_t i = 0; i < sizeof rule / sizeof *rule; i++) {
		int axis[2] = { rule[i].a0, rule[i].a1 };

		if (strncmp(path, rule[i].prefix, strlen(rule[i].prefix)) || (i == 0 && path[1]))
			continue;
		for (int d = 0; d < 2; d++) {
			char v[64];

			if (axis[d] < 0)
				continue;
			BUG_IF(!s->axis[axis[d]].digest[0] || (d ? h->n_col : h->n_row) != s->axis[axis[d]].n);
			snprintf(v, sizeof v, "%s:%s", axis_name[axis[d]], s->axis[axis[d]].digest);
			head_set(h, d ? "axis1" : "axis0", v);
		}
	}
	set_from(s, from, &ids, e);
	if (ids.n)
		head_set(h, "from", ids.s);
	str_clear(&ids);
}

int
set_add_column(struct set *s, struct sect *t, const struct column *c, struct err *e)
{
	struct str raw = {0};

	for (int64_t lo = 0; !e->code && (lo < c->n || lo == 0); lo += BLOCK_COLUMN) {
		int64_t hi = lo + BLOCK_COLUMN < c->n ? lo + BLOCK_COLUMN : c->n;
		struct block b = { .row0 = lo, .n_row = hi - lo, .last = hi == c->n };

		raw.n = 0;
		column_to_raw(c, lo, hi, &raw, &b.n_item);
		set_add_block(s, t, &b, raw.s ? raw.s : "", (int64_t)raw.n, e);
	}
	str_clear(&raw);
	return e->code;
}

int
set_put_axis(struct set *s, int axis, struct strs *names, struct err *e)
{
	struct axis *a = &s->axis[axis];
	struct head h;
	struct sect *t;
	char pair[64];
	int64_t n = names->n;

	if (e->code)
		return e->code;
	strs_clear(&a->names);
	a->names = *names;
	a->n = n;
	a->known = 1;
	memset(names, 0, sizeof *names);
	axis_digest(&a->names, a->digest);
	head_init(&h, KIND_AXIS, DT_STR, axis_name[axis], n, 1);
	snprintf(pair, sizeof pair, "%s:%s", axis_name[axis], a->digest);
	head_set(&h, "axis0", pair);
	t = set_new_sect(s, &h);
	set_add_column(s, t, &(struct column){ .dtype = DT_STR, .n = n, .str = a->names }, e);
	set_add_item(s, t, 1, 0);
	return e->code;
}

int
set_put_column(struct set *s, const char *path, const struct column *c, const char *from, struct err *e)
{
	struct head h;
	struct sect *t;
	struct str raw = {0};
	struct block b = {0};

	if (e->code)
		return e->code;
	head_init(&h, KIND_COLUMN, c->dtype, path, c->n, 1);
	h.prelude = c->dtype == DT_CAT;
	if (c->na)
		head_set(&h, "na", "1");
	if (c->ordered)
		head_set(&h, "ordered", "1");
	set_bind(s, &h, path, from, e);
	t = set_new_sect(s, &h);
	if (t->head.prelude) {
		b.prelude = 1;
		b.n_row = c->cat.n;
		strs_to_raw(&c->cat, 0, c->cat.n, &raw, &b.n_item);
		set_add_block(s, t, &b, raw.s ? raw.s : "", (int64_t)raw.n, e);
	}
	str_clear(&raw);
	set_add_column(s, t, c, e);
	set_add_item(s, t, 1, 0);
	return e->code;
}

int
set_put_f64(struct set *s, const char *path, const double *x, int64_t n, const char *from, struct err *e)
{
	struct column c = { .dtype = DT_F64, .n = n, .f64 = (double *)x };

	return set_put_column(s, path, &c, from, e);
}

int
set_put_i64(struct set *s, const char *path, const int64_t *x, int64_t n, const char *from, struct err *e)
{
	struct column c = { .dtype = DT_I64, .n = n, .i64 = (int64_t *)x };

	return set_put_column(s, path, &c, from, e);
}

int
set_put_bool(struct set *s, const char *path, const uint8_t *x, int64_t n, const char *from, struct err *e)
{
	struct column c = { .dtype = DT_BOOL, .n = n, .b = (uint8_t *)x };

	return set_put_column(s, path, &c, from, e);
}

int
set_start_dense(struct set *s, const char *path, int dtype, int64_t n, int64_t d, const char *from, struct sect **sect, struct err *e)
{
	struct head h;

	if (e->code)
		return e->code;
	head_init(&h, KIND_DENSE, dtype, path, n, d);
	set_bind(s, &h, path, from, e);
	*sect = set_new_sect(s, &h);
	set_add_item(s, *sect, 1, 0);
	return e->code;
}

int
set_add_dense(struct set *s, struct sect *t, int64_t row0, int64_t n_row, const void *x, struct err *e)
{
	struct block b = { .row0 = row0, .n_row = n_row, .last = row0 + n_row == t->head.n_row };

	if (e->code)
		return e->code;
	BUG_IF(row0 % BLOCK_DENSE || (n_row != BLOCK_DENSE && !b.last));
	return set_add_block(s, t, &b, x, n_row * t->head.n_col * dtype_width(t->head.dtype), e);
}

int
set_put_dense(struct set *s, const char *path, int dtype, const void *x, int64_t n, int64_t d, const char *from, struct err *e)
{
	struct sect *t;

	set_start_dense(s, path, dtype, n, d, from, &t, e);
	for (int64_t lo = 0; !e->code && (lo < n || lo == 0); lo += BLOCK_DENSE)
		set_add_dense(s, t, lo, lo + BLOCK_DENSE < n ? BLOCK_DENSE : n - lo, (const char *)x + lo * d * dtype_width(dtype), e);
	return e->code;
}

int
set_put_graph(struct set *s, const char *path, int dtype, int64_t n, const int64_t *ptr, const int32_t *col,
	const void *w, const char *from, struct err *e)
{
	struct head h;
	struct sect *t;
	struct str raw = {0};
	size_t width = (size_t)dtype_width(dtype);

	if (e->code)
		return e->code;
	head_init(&h, KIND_GRAPH, dtype, path, n, n);
	set_bind(s, &h, path, from, e);
	t = set_new_sect(s, &h);
	for (int64_t lo = 0; !e->code && (lo < n || lo == 0); lo += BLOCK_GRAPH) {
		int64_t hi = lo + BLOCK_GRAPH < n ? lo + BLOCK_GRAPH : n;
		size_t nnz = (size_t)(ptr[hi] - ptr[lo]);
		struct block b = { .row0 = lo, .n_row = hi - lo, .n_item = (int64_t)nnz, .last = hi == n };

		raw.n = 0;
		for (int64_t i = lo; i < hi; i++) {
			uint32_t c = (uint32_t)(ptr[i + 1] - ptr[i]);

			str_addn(&raw, &c, 4);
		}
		str_addn(&raw, col + ptr[lo], 4 * nnz);
		str_addn(&raw, (const char *)w + (size_t)ptr[lo] * width, width * nnz);
		set_add_block(s, t, &b, raw.s ? raw.s : "", (int64_t)raw.n, e);
	}
	str_clear(&raw);
	set_add_item(s, t, 1, 0);
	return e->code;
}

int
set_put_text(struct set *s, const char *path, const char *text, const char *from, struct err *e)
{
	struct head h;
	struct sect *t;
	int64_t n = (int64_t)strlen(text);

	if (e->code)
		return e->code;
	head_init(&h, KIND_TEXT, DT_U8, path, n, 1);
	set_bind(s, &h, path, from, e);
	t = set_new_sect(s, &h);
	for (int64_t lo = 0; !e->code && (lo < n || lo == 0); lo += BLOCK_BYTES) {
		int64_t hi = lo + BLOCK_BYTES < n ? lo + BLOCK_BYTES : n;
		struct block b = { .row0 = lo, .n_row = hi - lo, .last = hi == n };

		set_add_block(s, t, &b, text + lo, hi - lo, e);
	}
	set_add_item(s, t, 1, 0);
	return e->code;
}

int
set_put_formula(struct set *s, const char *path, const struct strs *kv, const char *from, struct err *e)
{
	struct head h;

	if (e->code)
		return e->code;
	head_init(&h, KIND_FORMULA, DT_NONE, path, s->axis[AXIS_OBS].n, s->axis[AXIS_VAR].n);
	h.block_rows = 1;
	for (int64_t i = 0; i + 1 < kv->n; i += 2)
		head_set(&h, strs_get(kv, i), strs_get(kv, i + 1));
	set_bind(s, &h, path, from, e);
	set_add_item(s, set_new_sect(s, &h), 1, 0);
	return e->code;
}

int
set_put_sparse(struct set *s, const char *path, int dtype, int64_t n_row, int64_t n_col, const int32_t *order,
	struct sect **sect, struct err *e)
{
	struct head h;
	struct block b = { .prelude = 1, .n_row = n_col };

	if (e->code)
		return e->code;
	head_init(&h, KIND_SPARSE, dtype, path, n_row, n_col);
	h.prelude = 1;
	set_bind(s, &h, path, "", e);
	*sect = set_new_sect(s, &h);
	set_add_block(s, *sect, &b, order, n_col * 4, e);
	set_add_item(s, *sect, 1, 0);
	return e->code;
}

int
set_add_sparse(struct set *s, struct sect *t, const struct csr *m, struct err *e)
{
	struct str stored = {0}, scratch = {0};
	struct block b = { .row0 = m->row0, .last = m->row0 + m->n_row == t->head.n_row };

	if (e->code)
		return e->code;
	codec_encode_csr(&t->head, &b, m, &stored, &scratch);
	in_note(t, &b, spool_add(&s->spool, stored.s ? stored.s : "", b.stored, e));
	if (t->complete)
		set_done(t);
	str_clear(&stored);
	str_clear(&scratch);
	return e->code;
}
