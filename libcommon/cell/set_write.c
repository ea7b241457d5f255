/* set_write - see set.h: the set as a stream, in canonical order
 *
 * What no subset touches is copied block by block as it is stored.  What one
 * touches is read through the selection and written in full blocks again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/sha.h"
#include "cell/set.h"
#include "os/file.h"
#include "stream/codec.h"

struct writer {
	struct set *set;
	struct out out;
	int new_only;
	/* a sparse section on its way */
	struct head *head;
	struct str *stored, *scratch;   /* [n_slot] */
	struct block *block;
};

/* from= of a head with the ids that the sources have after all subsets. */
static void
map_from(const struct set *s, struct head *h)
{
	const char *from = head_get(h, "from");
	char *list, *save = NULL;
	struct str to = {0};

	if (!from || s->n_past == 0)
		return;
	list = mem_strdup(from);
	for (char *p = strtok_r(list, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		char id[33];

		if (strlen(p) != 32)
			continue;
		set_map_id(s, p, id);
		str_addf(&to, "%s%s", to.n ? "," : "", id);
	}
	if (to.n)
		head_set(h, "from", to.s);
	str_clear(&to);
	mem_free(list);
}

/* The head that an item is written with: current axes, shape, ids. */
static void
final_head(const struct set *s, const struct item *it, struct head *h)
{
	char id[33], pair[64];
	int moved = 0;

	head_copy(h, &it->s->head);
	for (int d = 0; d < 2; d++) {
		int a = set_axis_of(it, d);

		if (a < 0 || !set_selection(s, it, d))
			continue;
		moved = 1;
		snprintf(pair, sizeof pair, "%s:%s", axis_name[a], s->axis[a].digest);
		head_set(h, d ? "axis1" : "axis0", pair);
		if (d)
			h->n_col = s->axis[a].n;
		else
			h->n_row = s->axis[a].n;
	}
	map_from(s, h);
	if (moved) {
		set_map_id(s, it->s->id, id);
		if (!head_get(h, "root"))
			head_set(h, "root", it->s->id);
		head_set(h, "id", id);
	}
	if (h->kind == KIND_AXIS)
		head_set(h, "of", NULL);
}

static int
copy_blocks(struct writer *w, struct sect *t, struct err *e)
{
	struct str buf = {0};
	struct block b;

	if (!t->complete && t->in->size < 0) {          /* on the pipe: what was noted, then the rest */
		for (int64_t i = 0; i < t->n_block && !e->code; i++)
			if (in_load(t, i, &buf, e) == 0)
				out_block(&w->out, &t->block[i], buf.s, e);
		while (in_block(t->in, &b, e)) {
			if (b.stored < 1 << 16) {
				if (in_take(t->in, &b, &buf, e) == 0)
					out_block(&w->out, &b, buf.s, e);
				continue;
			}
			out_block_head(&w->out, &b, e);
			if (!e->code)
				in_pass(t->in, &b, w->out.fd, e);
			out_padding(&w->out, &b, e);
		}
		str_clear(&buf);
		return e->code;
	}
	in_heads(t, e);
	for (int64_t i = 0; i < t->n_block && !e->code; i++) {
		const struct block *k = &t->block[i];
		int64_t at = t->at[i];

		if (k->stored < 1 << 16) {
			if (in_load(t, i, &buf, e) == 0)
				out_block(&w->out, k, buf.s, e);
			continue;
		}
		out_block_head(&w->out, k, e);
		if (!e->code && t->spooled)
			spool_copy(t->in->spool, at, k->stored, w->out.fd, e);
		else if (!e->code)
			file_copy(t->in->fd, &at, w->out.fd, k->stored, e);
		out_padding(&w->out, k, e);
	}
	str_clear(&buf);
	return e->code;
}

/* A raw payload of a block as the next block of the open section. */
static int
emit(struct writer *w, const struct head *h, struct block *b, const struct str *raw, struct err *e)
{
	struct str stored = {0};

	codec_encode(h, b, raw->s ? raw->s : "", (int64_t)raw->n, &stored);
	out_block(&w->out, b, stored.s ? stored.s : "", e);
	str_clear(&stored);
	return e->code;
}

static int
subset_column(struct writer *w, const struct head *h, struct err *e)
{
	struct column c;
	struct str raw = {0};
	struct block b = {0};

	if (set_column(w->set, head_path(h), &c, e))
		return e->code;
	if (h->prelude) {
		b.prelude = 1;
		b.n_row = c.cat.n;
		strs_to_raw(&c.cat, 0, c.cat.n, &raw, &b.n_item);
		emit(w, h, &b, &raw, e);
	}
	for (int64_t lo = 0; !e->code && (lo < c.n || lo == 0); lo += h->block_rows) {
		int64_t hi = lo + h->block_rows < c.n ? lo + h->block_rows : c.n;

		b = (struct block){ .row0 = lo, .n_row = hi - lo, .last = hi == c.n };
		raw.n = 0;
		column_to_raw(&c, lo, hi, &raw, &b.n_item);
		emit(w, h, &b, &raw, e);
	}
	str_clear(&raw);
	column_clear(&c);
	return e->code;
}

/* Dense rows are cut and joined block by block, whatever their type. */
static int
subset_dense(struct writer *w, struct item *it, const struct head *h, struct err *e)
{
	const int64_t *keep = set_selection(w->set, it, 0);
	size_t width = (size_t)(h->n_col * dtype_width(h->dtype));
	struct str buf = {0}, raw = {0}, out = {0};
	int64_t at = 0, row0 = 0;

	in_heads(it->s, e);
	for (int64_t i = 0; i < it->s->n_block && !e->code; i++) {
		const struct block *b = &it->s->block[i];

		if (in_load(it->s, i, &buf, e) || codec_decode(&it->s->head, b, buf.s, &raw, e))
			break;
		for (int64_t r = b->row0; r < b->row0 + b->n_row && at < h->n_row; r++) {
			if (keep && keep[at] != r)
				continue;
			str_addn(&out, raw.s + (size_t)(r - b->row0) * width, width);
			if (++at == h->n_row || at - row0 == h->block_rows) {
				struct block k = { .row0 = row0, .n_row = at - row0, .last = at == h->n_row };

				emit(w, h, &k, &out, e);
				out.n = 0;
				row0 = at;
			}
		}
	}
	if (h->n_row == 0) {
		struct block k = { .last = 1 };

		emit(w, h, &k, &out, e);
	}
	str_clear(&buf);
	str_clear(&raw);
	str_clear(&out);
	return e->code;
}

static int
subset_graph(struct writer *w, struct item *it, const struct head *h, struct err *e)
{
	const int64_t *keep = set_selection(w->set, it, 0);
	int64_t n_old = it->s->head.n_row, at = 0;
	int32_t *new_of = mem_raw(int32_t, n_old);
	struct str buf = {0}, scratch = {0};
	struct csr m = {0}, out = {0};

	memset(new_of, 0xff, (size_t)n_old * 4);
	for (int64_t i = 0; i < h->n_row; i++)
		new_of[keep[i]] = (int32_t)i;
	csr_reserve(&out, h->block_rows, 0);
	out.n_col = h->n_col;
	in_heads(it->s, e);
	for (int64_t i = 0; i < it->s->n_block && !e->code; i++) {
		const struct block *b = &it->s->block[i];

		if (in_load(it->s, i, &buf, e) || codec_decode_csr(&it->s->head, b, buf.s, &m, &scratch, e))
			break;
		for (int64_t r = 0; r < b->n_row && at < h->n_row; r++) {
			int64_t k = out.ptr[out.n_row];

			if (keep[at] != b->row0 + r)
				continue;
			csr_reserve(&out, h->block_rows, k + m.ptr[r + 1] - m.ptr[r]);
			for (int64_t j = m.ptr[r]; j < m.ptr[r + 1]; j++)
				if (new_of[m.col[j]] >= 0) {
					out.col[k] = new_of[m.col[j]];
					out.val[k++] = m.val[j];
				}
			out.ptr[++out.n_row] = k;
			if (++at == h->n_row || out.n_row == h->block_rows) {
				struct block nb = { .row0 = out.row0, .last = at == h->n_row };

				codec_encode_csr(h, &nb, &out, &buf, &scratch);
				out_block(&w->out, &nb, buf.s, e);
				out.row0 = at;
				out.n_row = 0;
			}
		}
	}
	if (h->n_row == 0) {
		struct block nb = { .last = 1 };

		out_block(&w->out, &nb, "", e);
	}
	mem_free(new_of);
	csr_clear(&m);
	csr_clear(&out);
	str_clear(&buf);
	str_clear(&scratch);
	return e->code;
}

static int
pack_rows(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct writer *w = ctx;
	struct block *b = &w->block[slot];

	(void)e;
	memset(b, 0, sizeof *b);
	b->row0 = m->row0;
	b->last = m->row0 + m->n_row == w->head->n_row;
	codec_encode_csr(w->head, b, m, &w->stored[slot], &w->scratch[slot]);
	return 0;
}

static int
write_rows(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct writer *w = ctx;

	(void)m;
	return out_block(&w->out, &w->block[slot], w->stored[slot].s ? w->stored[slot].s : "", e);
}

/* The rows of a sparse section through its selection; the head is written here
 * because its prelude must be known. */
static int
subset_sparse(struct writer *w, struct head *h, struct err *e)
{
	struct rows r;
	int32_t *order = NULL;
	struct block b = { .prelude = 1, .n_row = h->n_col };
	struct str raw = {0};

	if (set_rows_stored(w->set, head_path(h), &r, &order, e) == 0) {
		set_rows_flags(&r, SET_WHOLE);
		w->head = h;
		w->stored = mem_new(struct str, r.n_slot);
		w->scratch = mem_new(struct str, r.n_slot);
		w->block = mem_new(struct block, r.n_slot);
		str_addn(&raw, order, (size_t)h->n_col * 4);
		h->prelude = 1;
		out_section(&w->out, h, e);
		emit(w, h, &b, &raw, e);
		rows_pass(&r, pack_rows, write_rows, w, e);
		if (h->n_row == 0 && !e->code) {
			struct block last = { .last = 1 };

			out_block(&w->out, &last, "", e);
		}
		for (int i = 0; i < r.n_slot; i++) {
			str_clear(&w->stored[i]);
			str_clear(&w->scratch[i]);
		}
		mem_free(w->stored);
		mem_free(w->scratch);
		mem_free(w->block);
	}
	set_rows_clear(&r);
	mem_free(order);
	str_clear(&raw);
	return e->code;
}

static void
dropped(const struct set *s, const struct head *h)
{
	char msg[300];

	snprintf(msg, sizeof msg, "%.200s is dropped: it cannot be cut to the cells or genes that are left", head_path(h));
	if (s->warn)
		s->warn(msg);
}

static int
write_item(struct writer *w, struct item *it, struct err *e)
{
	struct head h;
	struct set *s = w->set;
	int cut = 0;

	for (int d = 0; d < 2; d++)
		cut |= set_axis_of(it, d) >= 0 && set_selection(s, it, d) != NULL;
	if (cut && it->s->id[0] == 0 && !it->s->complete)
		in_heads(it->s, e);             /* its new id follows from the old one */
	if (e->code)
		return e->code;
	if (cut && (it->s->head.kind >= KIND_BLOB || it->s->head.kind == KIND_TEXT ||
	    (it->s->head.kind == KIND_DENSE && set_axis_of(it, 1) >= 0))) {
		dropped(s, &it->s->head);
		return 0;
	}
	final_head(s, it, &h);
	if (w->new_only && h.kind == KIND_AXIS) {
		int a = strcmp(head_path(&h), "obs") == 0 ? AXIS_OBS : AXIS_VAR;

		if (s->changed[a])
			head_set(&h, "of", s->was[a]);
	}
	if (cut && h.kind == KIND_SPARSE) {
		subset_sparse(w, &h, e);
	} else {
		out_section(&w->out, &h, e);
		if (!cut)
			copy_blocks(w, it->s, e);
		else if (h.kind == KIND_COLUMN)
			subset_column(w, &h, e);
		else if (h.kind == KIND_DENSE)
			subset_dense(w, it, &h, e);
		else if (h.kind == KIND_GRAPH)
			subset_graph(w, it, &h, e);
	}
	head_clear(&h);
	return e->code;
}

/* The kept rows of axes that this run, or its standard input, changed. */
static void
put_kept(struct set *s, struct err *e)
{
	for (int a = 0; a < N_AXIS && !e->code; a++) {
		char path[16], pair[64];
		struct head h;
		struct sect *t;
		int64_t n = s->axis[a].n;

		if (!s->changed[a])
			continue;
		snprintf(path, sizeof path, "kept/%s", axis_name[a]);
		head_init(&h, KIND_COLUMN, DT_I64, path, n, 1);
		snprintf(pair, sizeof pair, "%s:%s", axis_name[a], s->axis[a].digest);
		head_set(&h, "axis0", pair);
		t = set_new_sect(s, &h);
		set_add_column(s, t, &(struct column){ .dtype = DT_I64, .n = n, .i64 = s->kept[a] }, e);
		set_add_item(s, t, 1, 0);
	}
}

static int
by_place(const void *a, const void *b)
{
	const struct item *x = *(struct item *const *)a, *y = *(struct item *const *)b;
	int d = x->pending - y->pending;

	return d ? d : head_compare(&x->s->head, &y->s->head);
}

static int
wanted(const struct writer *w, const struct item *it)
{
	return !it->dropped && (!w->new_only || it->made || it->piped);
}

static int
write_items(struct writer *w, struct err *e)
{
	struct set *s = w->set;
	struct item **at = mem_new(struct item *, s->n_item);
	int64_t n = 0;

	for (int64_t i = 0; i < s->n_item; i++)
		if (wanted(w, &s->item[i]))
			at[n++] = &s->item[i];
	qsort(at, (size_t)n, sizeof *at, by_place);
	for (int64_t i = 0; i < n && !e->code; i++)
		write_item(w, at[i], e);
	mem_free(at);
	return e->code;
}

int
set_write(struct set *s, int fd, int new_only, struct err *e)
{
	struct writer w = { .set = s, .new_only = new_only };
	struct in *pipe = s->pipe < 0 ? NULL : &s->in[s->pipe];
	int64_t n;

	/* After a cut every id changes, and columns that are written first name that of X:
	 * what is still on the pipe must be known. */
	for (int64_t i = 0; i < s->n_item && s->n_past && !e->code; i++)
		if (s->item[i].pending && !s->item[i].s->complete)
			in_heads(s->item[i].s, e);
	if (new_only)
		put_kept(s, e);
	/* Known sections go before those still on the pipe; the library puts
	 * nothing new behind X, so the order is canonical. */
	out_open(&w.out, fd, e);
	write_items(&w, e);
	while (pipe && !e->code && !pipe->ended) {
		n = s->n_item;
		if (pipe->open) {               /* a pending section that is not wanted */
			struct block b;
			struct str buf = {0};

			while (in_block(pipe, &b, e))
				in_take(pipe, &b, &buf, e);
			str_clear(&buf);
		}
		if (!set_next_pending(s, e))
			break;
		if (wanted(&w, &s->item[n]))
			write_item(&w, &s->item[n], e);
	}
	out_close(&w.out, e);
	out_clear(&w.out);
	return e->code;
}
