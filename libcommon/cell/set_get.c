/* set_get - see set.h: sections into memory, through the selection */
#include <math.h>
#include <string.h>
#include "base/mem.h"
#include "cell/set.h"
#include "stream/codec.h"

static struct item *
need_kind(struct set *s, const char *path, int kind, struct err *e)
{
	struct item *it = set_need(s, path, NULL, e);

	if (it && it->s->head.kind != kind) {
		err_set(e, ERR_DATA, "%s is a %s section, not %s", path, kind_name(it->s->head.kind), kind_name(kind));
		return NULL;
	}
	if (it)
		in_heads(it->s, e);
	return e->code ? NULL : it;
}

/* Stored block i of t, decoded to its raw payload. */
static int
load_raw(struct sect *t, int64_t i, struct str *buf, struct str *raw, struct err *e)
{
	if (in_load(t, i, buf, e))
		return e->code;
	if (t->block[i].codec == CODEC_PACK)
		return err_set(e, ERR_DATA, "damaged: %s: codec", head_path(&t->head));
	return codec_decode(&t->head, &t->block[i], buf->s, raw, e);
}

int
set_column(struct set *s, const char *path, struct column *c, struct err *e)
{
	struct item *it = need_kind(s, path, KIND_COLUMN, e);
	struct str buf = {0}, raw = {0};
	const struct head *h;
	int64_t at = 0;

	memset(c, 0, sizeof *c);
	if (!it)
		return e->code;
	h = &it->s->head;
	column_init(c, h->dtype, h->n_row);
	c->na = head_get(h, "na") != NULL;
	c->ordered = head_get(h, "ordered") != NULL;
	for (int64_t i = 0; i < it->s->n_block && !e->code; i++) {
		const struct block *b = &it->s->block[i];

		if (load_raw(it->s, i, &buf, &raw, e))
			break;
		if (b->prelude)
			strs_from_raw(&c->cat, b->n_row, raw.s, b->n_item, e);
		else
			column_from_raw(c, at, b->n_row, raw.s, b->n_item, e);
		at += b->prelude ? 0 : b->n_row;
	}
	str_clear(&buf);
	str_clear(&raw);
	if (!e->code && set_selection(s, it, 0))
		column_take(c, set_selection(s, it, 0), set_rows_of(s, it));
	if (e->code)
		column_clear(c);
	return e->code;
}

int
set_mask(struct set *s, const char *path, uint8_t **mask, struct err *e)
{
	struct column c;

	*mask = NULL;
	if (e->code || !set_find(s, path) || set_column(s, path, &c, e))
		return e->code;
	if (c.dtype != DT_BOOL)
		err_set(e, ERR_DATA, "%s is no boolean column", path);
	else {
		*mask = c.b;
		c.b = NULL;
	}
	column_clear(&c);
	return e->code;
}

int
set_numbers(struct set *s, const char *path, double **x, struct err *e)
{
	struct column c;

	*x = NULL;
	if (set_column(s, path, &c, e))
		return e->code;
	if (c.dtype == DT_STR || c.dtype == DT_CAT)
		err_set(e, ERR_DATA, "%s holds text, not numbers", path);
	else {
		*x = mem_new(double, c.n);
		for (int64_t i = 0; i < c.n; i++)
			(*x)[i] = column_number(&c, i);
	}
	column_clear(&c);
	return e->code;
}

/* One value of a raw payload of a fixed-width type. */
static double
value_at(const char *raw, int dtype, int64_t i)
{
	float f;
	double d;
	int32_t i32;
	int64_t i64;

	switch (dtype) {
	case DT_F32:
		memcpy(&f, raw + 4 * i, 4);
		return f;
	case DT_F64:
		memcpy(&d, raw + 8 * i, 8);
		return d;
	case DT_I32:
		memcpy(&i32, raw + 4 * i, 4);
		return i32;
	case DT_I64:
		memcpy(&i64, raw + 8 * i, 8);
		return (double)i64;
	default:
		return ((const uint8_t *)raw)[i];
	}
}

/* Dense rows as float (f) or double (g). */
static int
load_dense(struct set *s, const char *path, float **f, double **g, int64_t *n, int64_t *d, struct err *e)
{
	struct item *it = need_kind(s, path, KIND_DENSE, e);
	struct str buf = {0}, raw = {0};
	const int64_t *keep;
	int64_t at = 0, k;
	const struct head *h;

	if (!it)
		return e->code;
	h = &it->s->head;
	keep = set_selection(s, it, 0);
	*n = set_rows_of(s, it);
	*d = k = h->n_col;
	if (f)
		*f = mem_raw(float, *n * k);
	else
		*g = mem_raw(double, *n * k);
	for (int64_t i = 0; i < it->s->n_block && !e->code; i++) {
		const struct block *b = &it->s->block[i];

		if (load_raw(it->s, i, &buf, &raw, e))
			break;
		for (int64_t r = b->row0; r < b->row0 + b->n_row && at < *n; r++) {
			const char *row = raw.s + (r - b->row0) * k * dtype_width(h->dtype);

			if (keep && keep[at] != r)
				continue;
			if (f && h->dtype == DT_F32)
				memcpy(*f + at * k, row, (size_t)k * 4);
			else
				for (int64_t j = 0; j < k; j++) {
					double v = value_at(row, h->dtype, j);

					if (f)
						(*f)[at * k + j] = (float)v;
					else
						(*g)[at * k + j] = v;
				}
			at++;
		}
	}
	str_clear(&buf);
	str_clear(&raw);
	if (e->code) {
		mem_free(f ? (void *)*f : (void *)*g);
		if (f)
			*f = NULL;
		else
			*g = NULL;
	}
	return e->code;
}

int
set_dense(struct set *s, const char *path, float **x, int64_t *n, int64_t *d, struct err *e)
{
	*x = NULL;
	return load_dense(s, path, x, NULL, n, d, e);
}

int
set_dense64(struct set *s, const char *path, double **x, int64_t *n, int64_t *d, struct err *e)
{
	*x = NULL;
	return load_dense(s, path, NULL, x, n, d, e);
}

/* A graph with weights as float (f) or double (g). */
static int
load_graph(struct set *s, const char *path, int64_t *n, int64_t **ptr, int32_t **col, float **f, double **g, struct err *e)
{
	struct item *it = need_kind(s, path, KIND_GRAPH, e);
	struct str buf = {0}, scratch = {0};
	struct csr m = {0};
	const int64_t *keep;
	int32_t *new_of = NULL;
	int64_t at = 0, nnz = 0, most = 0;

	*ptr = NULL;
	*col = NULL;
	if (f)
		*f = NULL;
	else
		*g = NULL;
	if (!it)
		return e->code;
	keep = set_selection(s, it, 0);
	*n = set_rows_of(s, it);
	for (int64_t i = 0; i < it->s->n_block; i++)
		most += it->s->block[i].n_item;
	if (keep) {
		new_of = mem_raw(int32_t, it->s->head.n_row);
		memset(new_of, 0xff, (size_t)it->s->head.n_row * 4);
		for (int64_t i = 0; i < *n; i++)
			new_of[keep[i]] = (int32_t)i;
	}
	*ptr = mem_new(int64_t, *n + 1);
	*col = mem_raw(int32_t, most);
	if (f)
		*f = mem_raw(float, most);
	else
		*g = mem_raw(double, most);
	for (int64_t i = 0; i < it->s->n_block && !e->code; i++) {
		const struct block *b = &it->s->block[i];

		if (in_load(it->s, i, &buf, e) || codec_decode_csr(&it->s->head, b, buf.s, &m, &scratch, e))
			break;
		for (int64_t r = 0; r < b->n_row && at < *n; r++) {
			if (keep && keep[at] != b->row0 + r)
				continue;
			for (int64_t k = m.ptr[r]; k < m.ptr[r + 1]; k++) {
				int32_t c = new_of ? new_of[m.col[k]] : m.col[k];

				if (c < 0)
					continue;
				(*col)[nnz] = c;
				if (f)
					(*f)[nnz++] = (float)m.val[k];
				else
					(*g)[nnz++] = m.val[k];
			}
			(*ptr)[++at] = nnz;
		}
	}
	mem_free(new_of);
	csr_clear(&m);
	str_clear(&buf);
	str_clear(&scratch);
	if (e->code) {
		mem_free(*ptr);
		mem_free(*col);
		mem_free(f ? (void *)*f : (void *)*g);
		*ptr = NULL;
		*col = NULL;
		if (f)
			*f = NULL;
		else
			*g = NULL;
	}
	return e->code;
}

int
set_graph(struct set *s, const char *path, int64_t *n, int64_t **ptr, int32_t **col, float **w, struct err *e)
{
	return load_graph(s, path, n, ptr, col, w, NULL, e);
}

int
set_graph64(struct set *s, const char *path, int64_t *n, int64_t **ptr, int32_t **col, double **w, struct err *e)
{
	return load_graph(s, path, n, ptr, col, NULL, w, e);
}

int
set_text(struct set *s, const char *path, struct str *text, struct err *e)
{
	struct item *it = set_need(s, path, NULL, e);
	struct str buf = {0}, raw = {0};

	if (!it)
		return e->code;
	if (it->s->head.kind != KIND_TEXT && it->s->head.kind != KIND_BLOB)
		return err_set(e, ERR_DATA, "%s is no text", path);
	in_heads(it->s, e);
	for (int64_t i = 0; i < it->s->n_block && !e->code; i++)
		if (load_raw(it->s, i, &buf, &raw, e) == 0)
			str_addn(text, raw.s, raw.n);
	str_addn(text, "", 0);
	str_clear(&buf);
	str_clear(&raw);
	return e->code;
}
