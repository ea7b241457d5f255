/* h5_matrix - see h5_impl.h: CSR, CSC and dense matrices of a file, piece by piece */
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "io/h5_impl.h"

#define MAJORS 4096             /* indptr entries read at a time */
#define VALUES (1 << 20)        /* stored values read at a time */
#define VALUES_EACH (3 << 19)   /* the same for each thread, where they are encoded at once */
#define COUNTED 8192            /* indices checked and then counted, which stay in the first level of cache */
#define COUNTED_AT_ONCE (1 << 17)       /* read, at least */
#define DENSE_BYTES (32 << 20)  /* of a block of dense rows */

static int
is_number(const struct h5_data *d)
{
	return d->cls == HC_INT || d->cls == HC_REAL || d->cls == HC_BOOL;
}

static int64_t
n_major(const struct h5_matrix *m)
{
	return m->form == HX_CSC ? m->n_col : m->n_row;
}

int
h5_matrix_check(struct h5_matrix *m, struct err *e)
{
	int64_t first = 0, last = 0;

	if (e->code)
		return e->code;
	if (m->n_row < 0 || m->n_col < 0 || m->n_row > (int64_t)1 << 40 || m->n_col > INT32_MAX ||
	    (m->form == HX_CSC && m->n_row > INT32_MAX))
		return err_set(e, ERR_DATA, "%s: impossible shape %lld x %lld", m->name, (long long)m->n_row, (long long)m->n_col);
	if (!is_number(&m->data) || m->indices.cls != HC_INT || m->indptr.cls != HC_INT || m->data.rank != 1 ||
	    m->indices.rank != 1 || m->indptr.rank != 1)
		return err_set(e, ERR_DATA, "%s: data, indices and indptr are not all vectors of numbers", m->name);
	if (m->indptr.n != n_major(m) + 1)
		return err_set(e, ERR_DATA, "%s/indptr: has %lld entries, the shape asks for %lld", m->name,
		    (long long)m->indptr.n, (long long)n_major(m) + 1);
	if (m->data.n != m->indices.n)
		return err_set(e, ERR_DATA, "%s: has %lld values but %lld indices", m->name, (long long)m->data.n,
		    (long long)m->indices.n);
	h5_claim(&m->indptr, e);
	h5_claim(&m->indices, e);
	h5_claim(&m->data, e);
	h5_read(&m->indptr, HM_I64, 0, 1, &first, e);
	h5_read(&m->indptr, HM_I64, m->indptr.n - 1, 1, &last, e);
	if (!e->code && (first != 0 || last != m->data.n))
		err_set(e, ERR_DATA, "%s/indptr: runs from %lld to %lld, but there are %lld values", m->name, (long long)first,
		    (long long)last, (long long)m->data.n);
	m->dtype = m->data.cls == HC_REAL && m->data.width <= 4 ? DT_F32 : DT_F64;
	return e->code;
}

static int
open_sparse(struct h5_matrix *m, int64_t g, struct err *e)
{
	int64_t shape[2];

	if (h5_attr_ints(g, "shape", shape, 2) != 2 && h5_attr_ints(g, "h5sparse_shape", shape, 2) != 2)
		return err_set(e, ERR_DATA, "%s: has no shape", m->name);
	m->n_row = shape[0];
	m->n_col = shape[1];
	h5_data_open(&m->data, g, "data", e);
	h5_data_open(&m->indices, g, "indices", e);
	h5_data_open(&m->indptr, g, "indptr", e);
	return h5_matrix_check(m, e);
}

static int
open_dense(struct h5_matrix *m, int64_t at, const char *name, struct err *e)
{
	if (h5_data_open(&m->data, at, name, e))
		return e->code;
	if (m->data.null) {
		m->form = HX_NONE;
		return 0;
	}
	if (!is_number(&m->data) || m->data.rank < 1 || m->data.rank > 2 || m->data.row > INT32_MAX)
		return 0;
	m->form = HX_DENSE;
	m->n_row = m->data.dim[0];
	m->n_col = m->data.row;
	m->dtype = m->data.cls == HC_REAL && m->data.width <= 4 ? DT_F32 : DT_F64;
	return h5_claim(&m->data, e);
}

int
h5_matrix_open(struct h5_matrix *m, int64_t at, const char *name, struct err *e)
{
	int64_t g;

	memset(m, 0, sizeof *m);
	if (e->code)
		return e->code;
	snprintf(m->name, sizeof m->name, "%s", name);
	switch (h5_kind(at, name)) {
	case HK_DATASET:
		open_dense(m, at, name, e);
		break;
	case HK_GROUP:
		g = h5_at(at, name, e);
		if (g) {
			h5_name(g, m->name);
			if (h5_attr_is(g, "encoding-type", "csr_matrix") || h5_attr_is(g, "h5sparse_format", "csr"))
				m->form = HX_CSR;
			else if (h5_attr_is(g, "encoding-type", "csc_matrix") || h5_attr_is(g, "h5sparse_format", "csc"))
				m->form = HX_CSC;
			if (m->form)
				open_sparse(m, g, e);
		}
		h5_close(g);
		break;
	case HK_NONE:
		m->form = HX_NONE;
		break;
	default:
		break;
	}
	if (e->code)
		h5_matrix_close(m);
	return e->code;
}

void
h5_matrix_close(struct h5_matrix *m)
{
	h5_data_close(&m->data);
	h5_data_close(&m->indices);
	h5_data_close(&m->indptr);
	memset(m, 0, sizeof *m);
}

/* ptr [n + 1] of the majors lo .. lo + n - 1: rising, and no major longer than the other axis. */
static int
read_ptr(const struct h5_matrix *m, int64_t lo, int64_t n, int64_t *ptr, struct err *e)
{
	int64_t most = m->form == HX_CSC ? m->n_row : m->n_col;

	h5_read(&m->indptr, HM_I64, lo, n + 1, ptr, e);
	for (int64_t i = 0; i < n && !e->code; i++)
		if (ptr[i] < 0 || ptr[i + 1] < ptr[i] || ptr[i + 1] > m->data.n)
			err_set(e, ERR_DATA, "%s/indptr: entry %lld is %lld and the next %lld: damaged", m->name, (long long)(lo + i),
			    (long long)ptr[i], (long long)ptr[i + 1]);
		else if (ptr[i + 1] - ptr[i] > most)
			err_set(e, ERR_DATA, "%s: %s %lld has %lld values, more than there are %s", m->name,
			    m->form == HX_CSC ? "column" : "row", (long long)(lo + i), (long long)(ptr[i + 1] - ptr[i]),
			    m->form == HX_CSC ? "rows" : "columns");
	return e->code;
}

/* Indices and values, read forwards. */
struct values {
	struct h5_run *indices, *data;
};

static void
values_open(struct values *t, const struct h5_matrix *m, int64_t most)
{
	t->indices = h5_run_new(&m->indices, most, m->par);
	t->data = h5_run_new(&m->data, most, m->par);
}

static void
values_close(struct values *t)
{
	h5_run_free(t->indices);
	h5_run_free(t->data);
}

/* Indices of the entries lo .. lo + n - 1.  Those that do not fit are clipped by the reader, and so out of range. */
static int
check_minor(const struct h5_matrix *m, int64_t lo, int64_t n, const int32_t *minor, struct err *e)
{
	int64_t most = m->form == HX_CSC ? m->n_row : m->n_col;
	int32_t bad = 0;

	for (int64_t k = 0; k < n && !e->code; k++)
		bad |= minor[k] < 0 || minor[k] >= most;
	for (int64_t k = 0; bad && k < n && !e->code; k++)
		if (minor[k] < 0 || minor[k] >= most)
			err_set(e, ERR_DATA, "%s/indices: entry %lld is %d, but there are %lld %s", m->name, (long long)(lo + k),
			    minor[k], (long long)most, m->form == HX_CSC ? "rows" : "columns");
	return e->code;
}

/* n values from lo with their checked minor indices. */
static int
read_values(const struct h5_matrix *m, struct values *t, int64_t lo, int64_t n, int32_t *minor, double *v, struct err *e)
{
	h5_run_read(t->indices, HM_I32, lo, n, minor, e);
	h5_run_read(t->data, HM_F64, lo, n, v, e);
	return check_minor(m, lo, n, minor, e);
}

/* Rows of a CSR in pieces: rows row .. row + n - 1, ptr [n + 1].  Not 0: no more. */
typedef int piece_fn(void *ctx, int64_t row, int64_t n, const int64_t *ptr, struct err *e);

/* The first n_row rows, as many at a time as have at most most values, whole blocks if it can be, and one at least. */
static int
csr_pieces(const struct h5_matrix *m, int64_t n_row, int64_t rows, int64_t most, piece_fn *fn, void *ctx, struct err *e)
{
	int64_t *ptr = mem_new(int64_t, MAJORS + 1);
	int stop = 0;

	for (int64_t row = 0; row < n_row && !e->code && !stop; ) {
		int64_t some = n_row - row < MAJORS ? n_row - row : MAJORS;

		if (read_ptr(m, row, some, ptr, e))
			break;
		for (int64_t i = 0, k; i < some && !e->code && !stop; i = k) {
			for (k = i + 1; k < some && k - i < rows && ptr[k + 1] - ptr[i] <= most; k++)
				;
			if (k < some && k - i > BLOCK_SPARSE)
				k -= (k - i) % BLOCK_SPARSE;
			stop = fn(ctx, row + i, k - i, ptr + i, e);
		}
		row += some;
	}
	mem_free(ptr);
	return e->code;
}

struct csr_read {
	const struct h5_matrix *m;
	struct values t;
	struct csr b;
	h5_rows_fn *fn;
	void *ctx;
};

static int
read_piece(void *ctx, int64_t row, int64_t n, const int64_t *ptr, struct err *e)
{
	struct csr_read *r = ctx;
	struct csr *b = &r->b;

	b->row0 = row;
	b->n_row = n;
	csr_reserve(b, n, ptr[n] - ptr[0]);
	for (int64_t i = 0; i <= n; i++)
		b->ptr[i] = ptr[i] - ptr[0];
	if (read_values(r->m, &r->t, ptr[0], ptr[n] - ptr[0], b->col, b->val, e) == 0)
		r->fn(r->ctx, b, e);
	return e->code;
}

static int
csr_rows(const struct h5_matrix *m, h5_rows_fn *fn, void *ctx, struct err *e)
{
	struct csr_read r = { .m = m, .b = { .n_col = m->n_col }, .fn = fn, .ctx = ctx };

	values_open(&r.t, m, VALUES);
	csr_pieces(m, m->n_row, MAJORS, VALUES, read_piece, &r, e);
	values_close(&r.t);
	csr_clear(&r.b);
	return e->code;
}

static int
dense_rows(const struct h5_matrix *m, h5_rows_fn *fn, void *ctx, struct err *e)
{
	int64_t n = m->n_col ? DENSE_BYTES / (8 * m->n_col) : MAJORS, chunk = m->data.chunk, at;
	struct csr b = {0};
	double *x;

	n = n < 1 ? 1 : n > MAJORS ? MAJORS : n;
	if (chunk > 0 && n > chunk)
		n -= n % chunk;
	else if (chunk > n && chunk <= 8 * n)
		n = chunk;
	x = mem_raw(double, n * m->n_col);
	csr_reserve(&b, n, 0);
	b.n_col = m->n_col;
	for (int64_t row = 0; row < m->n_row && !e->code; row += n) {
		int64_t some = m->n_row - row < n ? m->n_row - row : n, nnz = 0;

		if (m->n_col && h5_read(&m->data, HM_F64, row, some, x, e))
			break;
		for (int64_t k = 0; k < some * m->n_col; k++)
			nnz += x[k] != 0;
		csr_reserve(&b, some, nnz);
		b.row0 = row;
		b.n_row = some;
		at = 0;
		b.ptr[0] = 0;
		for (int64_t i = 0; i < some; i++) {
			for (int64_t j = 0; j < m->n_col; j++)
				if (x[i * m->n_col + j] != 0) {
					b.col[at] = (int32_t)j;
					b.val[at++] = x[i * m->n_col + j];
				}
			b.ptr[i + 1] = at;
		}
		fn(ctx, &b, e);
	}
	csr_clear(&b);
	mem_free(x);
	return e->code;
}

int
h5_matrix_rows(const struct h5_matrix *m, h5_rows_fn *fn, void *ctx, struct err *e)
{
	if (e->code)
		return e->code;
	BUG_IF(m->form != HX_CSR && m->form != HX_DENSE);
	return m->form == HX_CSR ? csr_rows(m, fn, ctx, e) : dense_rows(m, fn, ctx, e);
}

struct each {
	h5_entry_fn *fn;
	void *ctx;
};

static int
each_of_rows(void *ctx, const struct csr *b, struct err *e)
{
	struct each *t = ctx;

	for (int64_t i = 0; i < b->n_row; i++)
		for (int64_t k = b->ptr[i]; k < b->ptr[i + 1] && !e->code; k++)
			t->fn(t->ctx, b->row0 + i, b->col[k], b->val[k], e);
	return e->code;
}

/* A column may be as long as there are cells, so it is cut into pieces too. */
static int
csc_each(const struct h5_matrix *m, h5_entry_fn *fn, void *ctx, struct err *e)
{
	int64_t *ptr = mem_new(int64_t, MAJORS + 1);
	int32_t *row = mem_raw(int32_t, VALUES);
	double *v = mem_raw(double, VALUES);
	struct values t;

	values_open(&t, m, VALUES);
	for (int64_t col = 0; col < m->n_col && !e->code; col += MAJORS) {
		int64_t some = m->n_col - col < MAJORS ? m->n_col - col : MAJORS, j = 0;

		if (read_ptr(m, col, some, ptr, e))
			break;
		for (int64_t lo = ptr[0]; lo < ptr[some] && !e->code; lo += VALUES) {
			int64_t n = ptr[some] - lo < VALUES ? ptr[some] - lo : VALUES;

			read_values(m, &t, lo, n, row, v, e);
			for (int64_t k = 0; k < n && !e->code; k++) {
				while (ptr[j + 1] <= lo + k)
					j++;
				fn(ctx, row[k], col + j, v[k], e);
			}
		}
	}
	values_close(&t);
	mem_free(ptr);
	mem_free(row);
	mem_free(v);
	return e->code;
}

int
h5_matrix_each(const struct h5_matrix *m, h5_entry_fn *fn, void *ctx, struct err *e)
{
	struct each t = { fn, ctx };

	if (e->code)
		return e->code;
	return m->form == HX_CSC ? csc_each(m, fn, ctx, e) : h5_matrix_rows(m, each_of_rows, &t, e);
}

struct put {
	struct set *set;
	struct sink sink;
	struct scatter *scatter;
	const int32_t *column;
	int64_t n_keep, n_row;
	struct csr kept;
};

/* Drops and renumbers columns. */
static int
put_rows(void *ctx, const struct csr *b, struct err *e)
{
	struct put *t = ctx;
	struct csr *to = &t->kept;
	int64_t at = 0;

	if (t->column) {
		csr_reserve(to, b->n_row, b->ptr[b->n_row]);
		to->row0 = b->row0;
		to->n_row = b->n_row;
		to->n_col = t->n_keep;
		to->ptr[0] = 0;
		for (int64_t i = 0; i < b->n_row; i++) {
			for (int64_t k = b->ptr[i]; k < b->ptr[i + 1]; k++)
				if (t->column[b->col[k]] >= 0) {
					to->col[at] = t->column[b->col[k]];
					to->val[at++] = b->val[k];
				}
			to->ptr[i + 1] = at;
		}
		b = to;
	}
	sink_add(&t->sink, b, e);
	if (t->set->tick)
		t->set->tick(b->row0 + b->n_row, t->n_row);
	return e->code;
}

static int
put_entry(void *ctx, int64_t row, int64_t col, double v, struct err *e)
{
	struct put *t = ctx;

	if (v == 0)
		return e->code;
	if (t->column) {
		if (t->column[col] < 0)
			return e->code;
		col = t->column[col];
	}
	return scatter_add(t->scatter, row, (int32_t)col, v, e);
}

/* --- CSR without a detour: values are encoded from where they were read to */

struct direct {
	const struct h5_matrix *m;
	struct put *put;
	struct values t;
	/* how often each column stands in the first rows */
	const int32_t *minor;
	int64_t first;          /* number of entry 0 of minor */
	int32_t *count;         /* [threads][n_col] */
};

static int
count_some(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct direct *d = ctx;
	int32_t *count = d->count + worker * d->m->n_col;

	if (check_minor(d->m, d->first + lo, hi - lo, d->minor + lo, e))
		return e->code;
	for (int64_t k = lo; k < hi; k++)
		count[d->minor[k]]++;
	return 0;
}

/* The genes of the sink are ranked before anything is encoded, by the indices of the rows that say so: a chunk at a time,
 * as long as it is in the cache. */
static int
count_first(struct direct *d, struct err *e)
{
	int64_t n_col = d->m->n_col, n = 0, chunk = d->m->indices.chunk, step = chunk > 0 ? (COUNTED_AT_ONCE / chunk + 1) * chunk :
		COUNTED_AT_ONCE;
	int64_t *freq = mem_new(int64_t, n_col);

	d->count = mem_new(int32_t, par_n(d->m->par) * n_col);
	h5_read(&d->m->indptr, HM_I64, d->m->n_row < SINK_HEAD ? d->m->n_row : SINK_HEAD, 1, &n, e);
	n = n < d->m->indices.n ? n : d->m->indices.n;          /* what is wrong with it is found later */
	for (int64_t lo = 0; lo < n && !e->code; lo += step) {
		int64_t some = n - lo < step ? n - lo : step;
		int mem = HM_I32;

		d->first = lo;
		d->minor = h5_run_view(d->t.indices, &mem, lo, some, e);
		if (!e->code)
			par_for(d->m->par, some, COUNTED, count_some, d, e);
	}
	for (int64_t i = 0; i < par_n(d->m->par) * n_col; i++)
		freq[i % n_col] += d->count[i];
	sink_rank(&d->put->sink, freq, e);
	mem_free(freq);
	mem_free(d->count);
	return e->code;
}

static int
put_piece(void *ctx, int64_t row, int64_t n, const int64_t *ptr, struct err *e)
{
	static const struct { int mem, type; } known[] = { { HM_F32, PACK_F32 }, { HM_I32, PACK_I32 } };
	struct direct *d = ctx;
	struct pack_rows p = { .n_row = n, .n_col = d->m->n_col, .type = PACK_F64 };
	int64_t *at = mem_raw(int64_t, n + 1);
	int as_index = HM_I32, mem = HM_F64;

	for (int64_t i = 0; i <= n; i++)
		at[i] = ptr[i] - ptr[0];
	p.ptr = at;
	p.col = h5_run_view(d->t.indices, &as_index, ptr[0], at[n], e);
	p.val = h5_run_view(d->t.data, &mem, ptr[0], at[n], e);
	for (int i = 0; i < 2; i++)
		if (mem == known[i].mem)
			p.type = known[i].type;
	if (!e->code && sink_add_rows(&d->put->sink, &p, e)) {
		struct err which = {0};         /* the index, if it is that */

		if (check_minor(d->m, ptr[0], at[n], p.col, &which))
			*e = which;
	}
	mem_free(at);
	if (d->put->set->tick)
		d->put->set->tick(row + n, d->m->n_row);
	return e->code || d->put->sink.wrong;
}

/* Returns 0 when it must be begun again without counting first: the indices say more than the values. */
static int
put_direct(struct put *t, const char *path, const struct h5_matrix *m, int count, struct err *e)
{
	struct direct d = { .m = m, .put = t };
	int64_t rows = par_n(m->par) * BLOCK_SPARSE, most = par_n(m->par) * (int64_t)VALUES_EACH;
	int wrong;

	values_open(&d.t, m, most);
	sink_open(&t->sink, t->set, path, m->dtype, m->n_row, m->n_col, e);
	if (count && !e->code)
		count_first(&d, e);
	csr_pieces(m, m->n_row, rows, most, put_piece, &d, e);
	values_close(&d.t);
	wrong = t->sink.wrong;
	if (wrong)
		t->sink.given = -1;
	sink_close(&t->sink, e);
	return !wrong;
}

int
h5_matrix_put(struct set *s, const char *path, const struct h5_matrix *from, const int32_t *column, int64_t n_keep, struct err *e)
{
	struct put t = { .set = s, .column = column, .n_keep = column ? n_keep : from->n_col, .n_row = from->n_row };
	struct h5_matrix with = *from, *m = &with;

	if (e->code)
		return e->code;
	m->par = s->par;
	if (m->form == HX_CSC) {
		t.scatter = scatter_new(s);
		h5_matrix_each(m, put_entry, &t, e);
		return scatter_end(t.scatter, path, m->dtype, m->n_row, t.n_keep, e);
	}
	if (m->form == HX_CSR && !column) {
		if (!put_direct(&t, path, m, 1, e) && !e->code)
			put_direct(&t, path, m, 0, e);
		return e->code;
	}
	sink_open(&t.sink, s, path, m->dtype, m->n_row, t.n_keep, e);
	h5_matrix_rows(m, put_rows, &t, e);
	sink_close(&t.sink, e);
	csr_clear(&t.kept);
	return e->code;
}
