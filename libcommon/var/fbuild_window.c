/* fbuild_window - rows that come nearly in order, put into order */
#include "var/fbuild_impl.h"

#include <limits.h>
#include <string.h>
#include "base/mem.h"

struct tab *
feed_tab(struct feed *f)
{
	struct tab *t = f->free;

	if (t) {
		f->free = t->next;
		frows_reset(&t->f);
	} else {
		t = mem_new(struct tab, 1);
		frows_init(&t->f, f->b->cols.n);
	}
	t->next = NULL;
	t->at = t->left = 0;
	return t;
}

/* One of its rows is done. */
static void
drop_ref(struct feed *f, struct tab *t)
{
	if (--t->left == 0) {
		t->next = f->free;
		f->free = t;
	}
}

int
feed_equal(struct feed *f, const struct frows *a, int64_t i, const struct frows *b, int64_t j, struct err *e)
{
	struct fbuild *o = f->b;
	const struct frow *w = &b->row[j];
	struct str t = {0};

	if (frows_same_values(&o->cols, a, i, b, j)) {
		o->meta.merged++;
		return 0;
	}
	o->meta.differing++;
	str_addf(&t, "%s:%u %.*s>%.*s", strs_get(&f->contig, w->contig), w->pos, w->n_ref < 40 ? (int)w->n_ref : 40, frows_ref(b, j),
	    w->n_alt < 40 ? (int)w->n_alt : 40, frows_alt(b, j));
	if (o->dup_error)
		err_set(e, ERR_DATA, "%s stands there twice with different values; --dup keep takes the first", t.s);
	else if (o->meta.differing <= 3)
		strs_add(&o->named, t.s, t.n);
	str_clear(&t);
	return e->code;
}

/* Hands on w[lo..) as long as it lies before bound. */
static int
emit(struct feed *f, uint64_t bound, struct err *e)
{
	struct fbuild *b = f->b;
	int64_t lo = f->lo, k;

	while (lo < f->hi && f->w[lo].place < bound && !e->code) {
		const struct ref *r = &f->w[lo];

		b->row(b->ctx, &r->t->f, r->i, e);
		b->rows++;
		for (k = lo + 1; k < f->hi && f->w[k].place == r->place && frows_order(&r->t->f, r->i, &f->w[k].t->f, f->w[k].i) == 0; k++)
			feed_equal(f, &r->t->f, r->i, &f->w[k].t->f, f->w[k].i, e);
		if (k == f->hi || f->w[k].place >= bound) {
			frows_reset(&f->last);
			frows_copy(&f->last, &r->t->f, r->i);
		}
		for (; lo < k; lo++)
			drop_ref(f, f->w[lo].t);
	}
	f->lo = lo;
	return e->code;
}

/* The order is broken: what is in the window still belongs to what was handed out; the rest is collected. */
static int
broken(struct feed *f, struct err *e)
{
	struct fbuild *b = f->b;
	struct freq *so_far = NULL;

	if (!b->restart) {
		f->again = 1;
		return 1;
	}
	emit(f, UINT64_MAX, e);
	if (!e->code)
		b->restart(b->ctx, &so_far, e);
	if (e->code) {
		if (so_far)
			so_far->close(so_far);
		return e->code;
	}
	b->rows = 0;
	f->collect = 1;
	if (so_far)
		runs_add(f, so_far, 1, NULL, e)->level = INT_MAX;
	return e->code;
}

static void
insert(struct feed *f, struct tab *t, int64_t i)
{
	struct ref r = { fbuild_place(&t->f.row[i]), t, i };
	int64_t k;

	if (f->hi == f->cap) {
		if (f->lo > f->cap / 2) {
			memmove(f->w, f->w + f->lo, (size_t)(f->hi - f->lo) * sizeof *f->w);
			f->hi -= f->lo;
			f->lo = 0;
		} else {
			f->cap = 2 * f->cap + 1024;
			f->w = mem_renew(f->w, struct ref, f->cap);
		}
	}
	for (k = f->hi++; k > f->lo; k--) {
		const struct ref *q = &f->w[k - 1];

		/* Equals stay in the order of the source. */
		if (q->place < r.place || (q->place == r.place && frows_order(&q->t->f, q->i, &t->f, i) <= 0))
			break;
		f->w[k] = *q;
	}
	f->w[k] = r;
}

int
feed_add(struct feed *f, struct tab *t, struct err *e)
{
	int64_t i = t->at, n = t->f.n;
	uint64_t last = f->last.n ? fbuild_place(&f->last.row[0]) : 0;

	/* One more than its rows: it stays until this call is through. */
	if (i == 0)
		t->left = n + 1;
	for (; i < n && !f->collect && !e->code; i++) {
		if (f->last.n && fbuild_place(&t->f.row[i]) <= last) {
			int c = frows_order(&t->f, i, &f->last, 0);

			if (c == 0) {
				feed_equal(f, &f->last, 0, &t->f, i, e);
				drop_ref(f, t);
				continue;
			}
			if (c < 0) {
				if (f->beside) {
					t->at = i;
					return 1;
				}
				if (broken(f, e))
					break;
				i--;
				continue;
			}
		}
		insert(f, t, i);
	}
	for (; i < n && f->collect && !e->code; i++) {
		runs_collect(f, &t->f, i, e);
		drop_ref(f, t);
	}
	for (; i < n; i++)
		drop_ref(f, t);
	drop_ref(f, t);
	return 0;
}

void
feed_forget(struct feed *f, struct tab *t)
{
	/* Its rows, and the one more; none counts before any was taken. */
	t->left = t->left ? t->left - (t->f.n - t->at) : 1;
	drop_ref(f, t);
}

int
feed_bound(struct feed *f, uint64_t bound, struct err *e)
{
	return f->collect || e->code ? e->code : emit(f, bound, e);
}

int
feed_end(struct feed *f, struct err *e)
{
	if (e->code)
		return e->code;
	return f->collect ? runs_merge(f, e) : emit(f, UINT64_MAX, e);
}

void
feed_clear(struct feed *f)
{
	/* Tabs in the window: each once. */
	for (int64_t i = f->lo; i < f->hi; i++)
		drop_ref(f, f->w[i].t);
	for (struct tab *t = f->free, *next; t; t = next) {
		next = t->next;
		frows_clear(&t->f);
		mem_free(t);
	}
	mem_free(f->w);
	frows_clear(&f->last);
	strs_clear(&f->contig);
	runs_clear(f);
	memset(f, 0, sizeof *f);
}
