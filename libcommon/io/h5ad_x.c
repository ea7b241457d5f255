/* h5ad_x - X and layers into an .h5ad: one pass over the counts, any number of matrices made of them
 *
 * A block is sorted and transformed by all threads and written by one, in order.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "io/h5_impl.h"
#include "num/logexp.h"

#define BUFFER (1 << 18)        /* values gathered before they are written: whole chunks */
#define DENSE_BYTES (8 << 20)   /* of dense rows written at a time */

/* --- CSR ------------------------------------------------------------------- */

struct csr_out {
	int64_t group, data, indices, indptr;
	int value, index;       /* HM_ */
	int64_t nnz, n_row;     /* written so far */
	int64_t at, at_ptr;     /* in the buffers */
	char *v, *i, *p;        /* [BUFFER] of value and index; BUFFER row ends */
};

static int
csr_begin(struct csr_out *c, const struct h5_out *t, const char *path, int64_t n_row, int64_t n_col, int value, int64_t nnz,
	struct err *e)
{
	const struct h5_shape s = { .rank = 1, .grow = 1, .deflate = t->opt->deflate };
	const int64_t shape[2] = { n_row, n_col };

	memset(c, 0, sizeof *c);
	c->value = value;
	c->index = nnz > INT32_MAX ? HM_I64 : HM_I32;
	c->group = h5_group(t->file, path, "csr_matrix", "0.1.0", 0, e);
	if (!e->code)
		h5_put_attr_ints(c->group, "shape", shape, 2, e);
	c->data = e->code ? 0 : h5_new(c->group, "data", value, &s, NULL, e);
	c->indices = e->code ? 0 : h5_new(c->group, "indices", c->index, &s, NULL, e);
	c->indptr = e->code ? 0 : h5_new(c->group, "indptr", c->index, &s, NULL, e);
	c->v = mem_new(char, (int64_t)BUFFER * h5_width(value));
	c->i = mem_new(char, (int64_t)BUFFER * h5_width(c->index));
	c->p = mem_new(char, (int64_t)BUFFER * h5_width(c->index));
	c->at_ptr = 1;          /* the first 0 */
	return e->code;
}

static void
put_index(char *p, int mem, int64_t at, int64_t v)
{
	if (mem == HM_I64)
		((int64_t *)(void *)p)[at] = v;
	else
		((int32_t *)(void *)p)[at] = (int32_t)v;
}

static int
flush_values(struct csr_out *c, struct err *e)
{
	h5_grow(c->data, c->nnz + c->at, e);
	h5_grow(c->indices, c->nnz + c->at, e);
	h5_write(c->data, c->value, c->nnz, c->at, c->v, e);
	h5_write(c->indices, c->index, c->nnz, c->at, c->i, e);
	c->nnz += c->at;
	c->at = 0;
	return e->code;
}

static int
flush_ptr(struct csr_out *c, struct err *e)
{
	h5_grow(c->indptr, c->n_row + c->at_ptr, e);
	h5_write(c->indptr, c->index, c->n_row, c->at_ptr, c->p, e);
	c->n_row += c->at_ptr;
	c->at_ptr = 0;
	return e->code;
}

/* Rows of m (columns rising) with values v; 0 in *exact when one did not fit a float. */
static int
csr_put(struct csr_out *c, const struct csr *m, const double *v, int *exact, struct err *e)
{
	for (int64_t i = 0; i < m->n_row && !e->code; i++) {
		for (int64_t k = m->ptr[i]; k < m->ptr[i + 1]; k++) {
			if (c->value == HM_F32) {
				float f = (float)v[k];

				if (exact && (double)f != v[k] && !isnan(v[k]))
					*exact = 0;
				((float *)(void *)c->v)[c->at] = f;
			} else {
				((double *)(void *)c->v)[c->at] = v[k];
			}
			put_index(c->i, c->index, c->at, m->col[k]);
			if (++c->at == BUFFER)
				flush_values(c, e);
		}
		put_index(c->p, c->index, c->at_ptr, c->nnz + c->at);
		if (++c->at_ptr == BUFFER)
			flush_ptr(c, e);
	}
	return e->code;
}

static int
csr_end(struct csr_out *c, struct err *e)
{
	if (!e->code) {
		flush_values(c, e);
		flush_ptr(c, e);
	}
	h5_close(c->data);
	h5_close(c->indices);
	h5_close(c->indptr);
	h5_close(c->group);
	mem_free(c->v);
	mem_free(c->i);
	mem_free(c->p);
	memset(c, 0, sizeof *c);
	return e->code;
}

/* --- formulas (ovx-normalize, ovx-scale) -------------------------------------- */

/* y = x / div[row], log1p of it; z = (y - mean[col]) / std[col], clamped to +-clip. */
struct formula {
	int log1p;
	double *div, *mean, *std, clip;
};

static int
formula_read(struct set *s, const char *name, struct formula *f, struct err *e)
{
	char path[H5_NAME];
	struct item *it;
	const struct head *h;
	const char *clip;

	memset(f, 0, sizeof *f);
	snprintf(path, sizeof path, "layers/%.250s", name);
	it = set_need(s, path, strcmp(name, "scaled") == 0 ? "run ovx-scale first" : "run ovx-normalize first", e);
	if (!it)
		return e->code;
	h = &it->s->head;
	if (h->kind != KIND_FORMULA || !head_get(h, "x") || strcmp(head_get(h, "x"), "X"))
		return err_set(e, ERR_DATA, "%s: is no formula over X", path);
	f->log1p = head_get(h, "log1p") != NULL;
	clip = head_get(h, "clip");
	f->clip = clip ? strtod(clip, NULL) : 0;
	if (head_get(h, "div"))
		set_numbers(s, head_get(h, "div"), &f->div, e);
	if (head_get(h, "mean"))
		set_numbers(s, head_get(h, "mean"), &f->mean, e);
	if (head_get(h, "std"))
		set_numbers(s, head_get(h, "std"), &f->std, e);
	return e->code;
}

static void
formula_clear(struct formula *f)
{
	mem_free(f->div);
	mem_free(f->mean);
	mem_free(f->std);
}

static double
scale(const struct formula *f, int64_t col, double y)
{
	if (f->mean)
		y -= f->mean[col];
	if (f->std)
		y /= f->std[col];
	if (f->clip > 0) {
		y = y > f->clip ? f->clip : y;
		y = y < -f->clip ? -f->clip : y;
	}
	return y;
}

/* y [nnz] of a block. */
static void
formula_values(const struct formula *f, const struct csr *m, double *y)
{
	for (int64_t i = 0; i < m->n_row; i++) {
		int64_t lo = m->ptr[i], n = m->ptr[i + 1] - lo;
		double div = f->div && f->div[m->row0 + i] != 0 ? f->div[m->row0 + i] : 1;

		for (int64_t k = lo; k < lo + n; k++)
			y[k] = m->val[k] / div;
		if (f->log1p)
			num_log1p_n(y + lo, y + lo, n);
	}
	if (f->mean || f->std || f->clip > 0)
		for (int64_t k = 0; k < m->ptr[m->n_row]; k++)
			y[k] = scale(f, m->col[k], y[k]);
}

/* --- the pass over X ----------------------------------------------------------- */

struct target {
	char path[H5_NAME];
	int counts;             /* the values as they are */
	struct formula f;
	struct csr_out csr;
	int64_t dense;          /* dataset, when zeros do not stay zeros */
	float *zero;            /* [n_col] what a zero becomes */
	double **y;             /* [n_slot] values of a block, NULL for counts */
	int64_t *cap;           /* [n_slot] */
};

struct pass {
	struct h5_out *out;
	struct target target[8];
	int n;
	int n_slot;
	struct csr *sorted;     /* [n_slot] */
	float *rows;            /* [n_rows][n_col] */
	int64_t n_rows, n_col;
};

static int
transform(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct pass *p = ctx;
	struct csr *to = &p->sorted[slot];

	sink_place(NULL, m, to);
	for (int i = 0; i < p->n; i++) {
		struct target *t = &p->target[i];
		int64_t nnz = to->ptr[to->n_row];

		if (t->counts)
			continue;
		if (nnz > t->cap[slot]) {
			t->cap[slot] = nnz + nnz / 2;
			t->y[slot] = mem_renew(t->y[slot], double, t->cap[slot]);
		}
		formula_values(&t->f, to, t->y[slot]);
	}
	return e->code;
}

static int
put_dense(struct pass *p, struct target *t, const struct csr *m, const double *y, struct err *e)
{
	for (int64_t lo = 0; lo < m->n_row && !e->code; lo += p->n_rows) {
		int64_t hi = lo + p->n_rows < m->n_row ? lo + p->n_rows : m->n_row;

		for (int64_t i = lo; i < hi; i++) {
			float *row = p->rows + (i - lo) * p->n_col;

			memcpy(row, t->zero, (size_t)p->n_col * sizeof *row);
			for (int64_t k = m->ptr[i]; k < m->ptr[i + 1]; k++)
				row[m->col[k]] = (float)y[k];
		}
		h5_write(t->dense, HM_F32, m->row0 + lo, hi - lo, p->rows, e);
	}
	return e->code;
}

static int
put_block(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct pass *p = ctx;
	const struct csr *s = &p->sorted[slot];
	int exact = 1;

	(void)m;
	for (int i = 0; i < p->n && !e->code; i++) {
		struct target *t = &p->target[i];

		if (t->dense)
			put_dense(p, t, s, t->y[slot], e);
		else
			csr_put(&t->csr, s, t->counts ? s->val : t->y[slot], t->counts ? &exact : NULL, e);
	}
	if (!exact && !e->code) {
		p->out->inexact = 1;
		err_set(e, ERR_DATA, "X: values that a float does not hold");
	}
	return e->code;
}

/* Adds a matrix to be written, once. */
static int
add_target(struct pass *p, const char *path, const char *what, struct err *e)
{
	struct target *t = &p->target[p->n];

	for (int i = 0; i < p->n; i++)
		if (strcmp(p->target[i].path, path) == 0)
			return e->code;
	if (p->n == 8)
		return err_set(e, ERR_USAGE, "at most 7 layers");
	snprintf(t->path, sizeof t->path, "%s", path);
	t->counts = strcmp(what, "counts") == 0;
	p->n++;
	return t->counts ? 0 : formula_read(p->out->set, what, &t->f, e);
}

static int
begin(struct pass *p, struct target *t, int64_t n_row, int64_t nnz, struct err *e)
{
	const struct h5_shape s = { .rank = 2, .dim = { n_row, p->n_col }, .deflate = p->out->opt->deflate };

	if (!t->counts) {
		t->y = mem_new(double *, p->n_slot);
		t->cap = mem_new(int64_t, p->n_slot);
	}
	if (!t->f.mean)
		return csr_begin(&t->csr, p->out, t->path, n_row, p->n_col, t->counts ? p->out->value : HM_F32, nnz, e);
	t->zero = mem_new(float, p->n_col);
	for (int64_t j = 0; j < p->n_col; j++)
		t->zero[j] = (float)scale(&t->f, j, 0);
	t->dense = h5_new(p->out->file, t->path, HM_F32, &s, "array", e);
	if (!p->rows) {
		p->n_rows = DENSE_BYTES / (4 * p->n_col + 1);
		p->n_rows = p->n_rows < 1 ? 1 : p->n_rows;
		p->rows = mem_raw(float, p->n_rows * p->n_col);
	}
	return e->code;
}

static void
end(struct pass *p, struct err *e)
{
	for (int i = 0; i < p->n; i++) {
		struct target *t = &p->target[i];

		if (t->csr.group || t->csr.v)
			csr_end(&t->csr, e);
		h5_close(t->dense);
		for (int k = 0; k < p->n_slot && t->y; k++)
			mem_free(t->y[k]);
		mem_free(t->y);
		mem_free(t->cap);
		mem_free(t->zero);
		formula_clear(&t->f);
	}
	for (int i = 0; i < p->n_slot; i++)
		csr_clear(&p->sorted[i]);
	mem_free(p->sorted);
	mem_free(p->rows);
}

static int
pass_x(struct h5_out *t, struct err *e)
{
	struct pass *p = mem_new(struct pass, 1);
	const struct strs *l = t->opt->layer;
	struct rows r = {0};
	int64_t nnz;
	char path[H5_NAME];

	p->out = t;
	nnz = set_nnz(t->set, "X", e);
	add_target(p, "X", t->lognorm ? "lognorm" : "counts", e);
	if (t->lognorm)
		add_target(p, "layers/counts", "counts", e);
	for (int64_t i = 0; l && i < l->n && !e->code; i++) {
		snprintf(path, sizeof path, "layers/%.250s", strs_get(l, i));
		add_target(p, path, strs_get(l, i), e);
	}
	if (set_rows(t->set, "X", &r, e) == 0) {
		p->n_slot = r.n_slot;
		p->n_col = r.n_col;
		p->sorted = mem_new(struct csr, r.n_slot);
		for (int i = 0; i < p->n && !e->code; i++)
			begin(p, &p->target[i], r.n_row, nnz, e);
		set_rows_flags(&r, SET_WHOLE);
		rows_pass(&r, transform, put_block, p, e);
	}
	end(p, e);
	set_rows_clear(&r);
	mem_free(p);
	return e->code;
}

/* A sparse layer that is stored in the set as such. */
static int
pass_stored(struct h5_out *t, const char *path, struct err *e)
{
	struct pass *p = mem_new(struct pass, 1);
	struct rows r = {0};
	int64_t nnz = set_nnz(t->set, path, e);

	p->out = t;
	if (set_rows(t->set, path, &r, e) == 0) {
		add_target(p, path, "counts", e);
		p->n_slot = r.n_slot;
		p->n_col = r.n_col;
		p->sorted = mem_new(struct csr, r.n_slot);
		begin(p, &p->target[0], r.n_row, nnz, e);
		set_rows_flags(&r, SET_WHOLE);
		rows_pass(&r, transform, put_block, p, e);
	}
	end(p, e);
	set_rows_clear(&r);
	mem_free(p);
	return e->code;
}

int
h5_out_matrices(struct h5_out *t, struct err *e)
{
	struct set *s = t->set;

	if (e->code)
		return e->code;
	if (set_find(s, "X"))
		pass_x(t, e);
	else if (t->opt->x || (t->opt->layer && t->opt->layer->n))
		set_need(s, "X", "there are no counts to make a matrix of", e);
	for (int64_t i = 0; i < s->n_item && !e->code; i++) {
		const struct head *h = &s->item[i].s->head;

		if (s->item[i].dropped || h->kind != KIND_SPARSE || strcmp(head_path(h), "X") == 0)
			continue;
		if (strncmp(head_path(h), "layers/", 7) || h5_kind(t->file, head_path(h)) != HK_NONE)
			h5_out_note(t, "%.200s is not written", head_path(h));
		else
			pass_stored(t, head_path(h), e);
	}
	return e->code;
}
