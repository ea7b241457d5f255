/* fbuild_runs - rows in any order: collected, sorted, written as temporary databases, merged */
#include "var/fbuild_impl.h"

#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "os/file.h"

#define RUN_ROWS 64                     /* read at once of each run */
#define RUN_ROOM 0                      /* of a run's map: it is read block by block */
#define WAYS_MOST 128                   /* runs that are merged at once */

typedef int row_fn(void *ctx, const struct frows *r, int64_t i, struct err *e);
static int merge(struct feed *f, int from, row_fn *row, void *ctx, struct err *e);

/* --- sorting ----------------------------------------------------------------- */

static inline int
before(const struct frows *r, const struct item *a, const struct item *b)
{
	if (a->place != b->place)
		return a->place < b->place;
	return frows_order(r, a->i, r, b->i) <= 0;
}

/* Merges neighbouring sorted stretches of w items; equals keep their order. */
static void
merge_pass(const struct frows *r, const struct item *from, struct item *to, int64_t n, int64_t w)
{
	for (int64_t lo = 0; lo < n; lo += 2 * w) {
		int64_t mid = lo + w < n ? lo + w : n, hi = lo + 2 * w < n ? lo + 2 * w : n, i = lo, j = mid, k = lo;

		if (mid < hi && before(r, &from[mid - 1], &from[mid])) {
			memcpy(to + lo, from + lo, (size_t)(hi - lo) * sizeof *to);
			continue;
		}
		while (i < mid && j < hi)
			to[k++] = before(r, &from[i], &from[j]) ? from[i++] : from[j++];
		memcpy(to + k, from + i, (size_t)(mid - i) * sizeof *to);
		memcpy(to + k + (mid - i), from + j, (size_t)(hi - j) * sizeof *to);
	}
}

/* The collected rows in order, the first of equals only.  Their number in *n. */
static struct item *
sorted(struct feed *f, int64_t *n, struct err *e)
{
	const struct frows *r = &f->rows;
	struct item *a = mem_raw(struct item, r->n), *b = mem_raw(struct item, r->n), *t;
	int64_t k = 0;

	for (int64_t i = 0; i < r->n; i++)
		a[i] = (struct item){ fbuild_place(&r->row[i]), i };
	for (int64_t w = 1; w < r->n; w *= 2) {
		merge_pass(r, a, b, r->n, w);
		t = a;
		a = b;
		b = t;
	}
	mem_free(b);
	for (int64_t i = 0; i < r->n && !e->code; i++) {
		if (k && a[k - 1].place == a[i].place && frows_order(r, a[k - 1].i, r, a[i].i) == 0)
			feed_equal(f, r, a[k - 1].i, r, a[i].i, e);
		else
			a[k++] = a[i];
	}
	*n = k;
	return a;
}

/* --- runs -------------------------------------------------------------------- */

static struct run *
new_run(struct feed *f)
{
	f->run = mem_renew(f->run, struct run, f->n_run + 1);
	memset(&f->run[f->n_run], 0, sizeof *f->run);
	return &f->run[f->n_run++];
}

struct run *
runs_add(struct feed *f, struct freq *db, int own, const int *contig, struct err *e)
{
	struct run *r = new_run(f);

	r->f = db;
	r->own = own;
	r->contig = contig;
	frows_init(&r->buf, f->b->cols.n);
	r->it = vxg_iter(db, e);
	return r;
}

/* Ends a database in a temporary file: the run that it is, or NULL with e set. */
static struct freq *
finish(struct feed *f, struct vxg_writer *w, int fd, struct err *e)
{
	struct vxg_meta m = {0};

	m.release = (char *)"";
	m.build = (char *)"";
	m.contig = f->contig;
	m.contig_length = mem_new(int64_t, f->contig.n);
	for (int64_t i = 0; i < f->contig.n; i++)
		m.contig_length[i] = -1;
	if (w)
		vxg_finish(w, &m, e);
	mem_free(m.contig_length);
	/* Opened, the file is the database's. */
	if (!e->code)
		return vxg_open_fd(fd, "a temporary file", RUN_ROOM, e);
	if (fd >= 0)
		close(fd);
	return NULL;
}

/* How many runs of one level become one of the next: by what reading one takes. */
static int
ways(const struct feed *f)
{
	int64_t n = f->room / 2 / ((64 << 10) + f->b->cols.n * (int64_t)(2 << 10));

	return n < 4 ? 4 : n > WAYS_MOST ? WAYS_MOST : (int)n;
}

static void
free_run(struct run *r)
{
	vxg_iter_free(r->it);
	if (r->f && r->own)
		r->f->close(r->f);
	frows_clear(&r->buf);
}

static int
put(void *ctx, const struct frows *r, int64_t i, struct err *e)
{
	return vxg_put(ctx, r, i, e);
}

/* The runs from one on become one. */
static int
collapse(struct feed *f, int from, struct err *e)
{
	int fd = file_temp(f->b->temp, e), level = f->run[from].level;
	struct vxg_writer *w = vxg_create(fd, &f->b->cols, f->b->par, e);
	struct freq *db;

	if (!e->code)
		merge(f, from, put, w, e);
	db = finish(f, w, fd, e);
	for (int i = from; i < f->n_run; i++)
		free_run(&f->run[i]);
	f->n_run = from;
	if (db)
		runs_add(f, db, 1, NULL, e)->level = level + 1;
	return e->code;
}

int
runs_spill(struct feed *f, struct err *e)
{
	int64_t n;
	struct item *it = sorted(f, &n, e);
	int fd = e->code ? -1 : file_temp(f->b->temp, e), k = ways(f);
	struct vxg_writer *w = vxg_create(fd, &f->b->cols, f->b->par, e);
	struct freq *db;

	for (int64_t i = 0; i < n && !e->code; i++)
		vxg_put(w, &f->rows, it[i].i, e);
	mem_free(it);
	frows_reset(&f->rows);
	f->spilled++;
	db = finish(f, w, fd, e);
	if (db)
		runs_add(f, db, 1, NULL, e);
	/* Levels fall from the first run to the last. */
	while (!e->code && f->n_run >= k && f->run[f->n_run - k].level == f->run[f->n_run - 1].level && f->run[f->n_run - k].own)
		collapse(f, f->n_run - k, e);
	return e->code;
}

int
runs_collect(struct feed *f, const struct frows *r, int64_t i, struct err *e)
{
	if (f->rows.n_col == 0)
		frows_init(&f->rows, f->b->cols.n);
	frows_copy(&f->rows, r, i);
	/* Memory grows by halves, the old beside the new for a moment; sorting takes 32 bytes a row. */
	if (f->rows.n % 256 == 0 && f->rows.n * (int64_t)(sizeof(struct frow) + 8 * (size_t)f->rows.n_col + 32) + (int64_t)f->rows.text.n > f->room / 2)
		return runs_spill(f, e);
	return e->code;
}

void
runs_clear(struct feed *f)
{
	for (int i = 0; i < f->n_run; i++)
		free_run(&f->run[i]);
	mem_free(f->run);
	f->run = NULL;
	f->n_run = 0;
	frows_clear(&f->rows);
}

/* --- the merge --------------------------------------------------------------- */

/* Whether a run has a row at hand. */
static int
ready(struct run *r, struct err *e)
{
	if (r->at < r->n)
		return 1;
	if (!r->f || e->code)
		return 0;
	frows_reset(&r->buf);
	r->at = 0;
	r->n = vxg_iter_next(r->it, &r->buf, RUN_ROWS, e);
	if (r->n < 0 || e->code)
		r->n = 0;
	for (int64_t i = 0; r->contig && i < r->n; i++)
		r->buf.row[i].contig = r->contig[r->buf.row[i].contig];
	return r->n > 0;
}

static const struct frows *
row_of(const struct run *r, int64_t *i)
{
	*i = r->f ? r->at : r->item[r->at].i;
	return r->f ? &r->buf : r->mem;
}

static int
order(const struct run *a, const struct run *b)
{
	int64_t i, j;
	const struct frows *x = row_of(a, &i), *y = row_of(b, &j);

	return frows_order(x, i, y, j);
}

/* heap[0] is the run with the least row; of equals the earliest run. */
static void
sift(const struct run *run, int *heap, int n, int k)
{
	for (;;) {
		int c = 2 * k + 1, d, t;

		if (c >= n)
			return;
		if (c + 1 < n && ((d = order(&run[heap[c + 1]], &run[heap[c]])) < 0 || (d == 0 && heap[c + 1] < heap[c])))
			c++;
		d = order(&run[heap[c]], &run[heap[k]]);
		if (d > 0 || (d == 0 && heap[c] > heap[k]))
			return;
		t = heap[c];
		heap[c] = heap[k];
		heap[k] = t;
		k = c;
	}
}

/* The run on top goes on by one row. */
static void
step(struct run *run, int *heap, int *n, struct err *e)
{
	run[heap[0]].at++;
	if (!ready(&run[heap[0]], e))
		heap[0] = heap[--*n];
	sift(run, heap, *n, 0);
}

static int
merge_heap(struct feed *f, int *heap, int n, row_fn *row, void *ctx, struct err *e)
{
	while (n > 0 && !e->code) {
		int top = heap[0];
		struct run *r = &f->run[top];
		int64_t i, j;
		const struct frows *x = row_of(r, &i), *y;

		/* The least row is taken out of the heap while others are compared with it: it stays in its run's memory. */
		heap[0] = heap[--n];
		sift(f->run, heap, n, 0);
		row(ctx, x, i, e);
		while (n > 0 && !e->code && order(r, &f->run[heap[0]]) == 0) {
			y = row_of(&f->run[heap[0]], &j);
			feed_equal(f, x, i, y, j, e);
			step(f->run, heap, &n, e);
		}
		r->at++;
		if (!ready(r, e))
			continue;
		heap[n++] = top;
		for (int k = n - 1; k > 0; ) {
			int up = (k - 1) / 2, d = order(&f->run[heap[k]], &f->run[heap[up]]), t;

			if (d > 0 || (d == 0 && heap[k] > heap[up]))
				break;
			t = heap[k];
			heap[k] = heap[up];
			heap[up] = t;
			k = up;
		}
	}
	return e->code;
}

static int
merge(struct feed *f, int from, row_fn *row, void *ctx, struct err *e)
{
	int *heap = mem_new(int, f->n_run), n = 0;

	for (int i = from; i < f->n_run; i++)
		if (ready(&f->run[i], e))
			heap[n++] = i;
	for (int k = n / 2; k-- > 0; )
		sift(f->run, heap, n, k);
	merge_heap(f, heap, n, row, ctx, e);
	mem_free(heap);
	return e->code;
}

static int
count(void *ctx, const struct frows *r, int64_t i, struct err *e)
{
	struct fbuild *b = ctx;

	b->rows++;
	return b->row(b->ctx, r, i, e);
}

int
runs_merge(struct feed *f, struct err *e)
{
	struct item *it = NULL;

	if (f->rows.n && !e->code) {
		struct run *r = new_run(f);

		it = sorted(f, &r->n, e);
		r->mem = &f->rows;
		r->item = it;
	}
	f->b->runs = f->n_run > 0 ? f->n_run : 1;
	merge(f, 0, count, f->b, e);
	mem_free(it);
	return e->code;
}
