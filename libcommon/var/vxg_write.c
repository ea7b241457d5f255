/* vxg_write - a frequency database being made: see vxg.h
 *
 * Rows fill a block of their tier; full blocks wait in a wave that all threads pack. What depends on the order of rows
 * - dictionaries, rules, tables - is found by one thread as blocks fill, so that the bytes do not depend on the threads.
 * Blocks of common alleles go to a temporary file and are put behind the others in the end.
 */
#include "var/vxg_impl.h"

#include <math.h>
#include <unistd.h>
#include "base/mem.h"
#include "os/deflate.h"
#include "os/file.h"

#define WAVE_BYTES (12 << 20)
#define WAVE_MOST 128
#define WAVE_OVER 16                    /* blocks, about, that are full before whoever puts rows beside other work stops */

struct list {
	uint32_t *pos0;
	uint64_t *at;
	int64_t n, cap, rows;
};

struct vxg_writer {
	int fd, temp;
	struct fcols cols;
	struct vxg_shape shape;
	struct par *par;
	struct vxg_learn *learn;
	struct vxg_dict *dict;
	struct vxg_rows **wave;         /* [room_wave + VXG_TIERS]: full ones, then spare ones */
	int n_wave, cap_wave, room_wave;        /* cap_wave: so many are packed together */
	int beside;
	int *word, n_word, *number, n_number;   /* columns of strings, and the others */
	struct vxg_rows *cur[VXG_TIERS];
	int contig;                     /* of the last row */
	uint32_t pos;
	struct str allele;
	uint32_t n_ref;
	struct list *list;              /* [contigs][VXG_TIERS] */
	int n_contig, cap_contig;
	uint64_t at, temp_at;
	struct str joined;
};

static struct vxg_rows *
rows_new(int n_col)
{
	struct vxg_rows *r = mem_new(struct vxg_rows, 1);

	r->val = mem_new(fval, (int64_t)n_col * VXG_STRIDE);
	r->off = mem_new(uint8_t, (int64_t)n_col * VXG_STRIDE);
	r->known = mem_new(struct vxg_known, n_col);
	r->derived_off = mem_new(uint8_t, (int64_t)n_col * VXG_STRIDE);
	return r;
}

static void
rows_free(struct vxg_rows *r)
{
	if (!r)
		return;
	mem_free(r->val);
	mem_free(r->off);
	mem_free(r->known);
	mem_free(r->derived_off);
	str_clear(&r->text);
	str_clear(&r->out.head);
	str_clear(&r->out.data);
	str_clear(&r->bytes);
	mem_free(r);
}

static int
wave_of(int n_col)
{
	int64_t n = WAVE_BYTES / ((int64_t)n_col * VXG_STRIDE * 10 + VXG_ROWS * 64);

	return n > WAVE_MOST ? WAVE_MOST : n < 4 ? 4 : (int)n;
}

int64_t
vxg_memory(int n_col, int threads)
{
	return (int64_t)(wave_of(n_col) + WAVE_OVER + VXG_TIERS) * ((int64_t)n_col * VXG_STRIDE * 10 + VXG_ROWS * 160) + (int64_t)n_col * 20000 +
	    (int64_t)threads * (1 << 20);
}

struct vxg_writer *
vxg_create(int fd, const struct fcols *cols, struct par *par, struct err *e)
{
	struct vxg_writer *w;
	uint8_t zero[VXG_PREAMBLE] = {0};

	if (e->code)
		return NULL;
	w = mem_new(struct vxg_writer, 1);
	w->fd = fd;
	w->temp = -1;
	w->par = par;
	w->contig = -1;
	fcols_copy(&w->cols, cols);
	vxg_shape(&w->shape, &w->cols);
	w->learn = mem_new(struct vxg_learn, cols->n);
	w->dict = mem_new(struct vxg_dict, cols->n);
	w->word = mem_new(int, cols->n);
	w->number = mem_new(int, cols->n);
	for (int c = 0; c < cols->n; c++) {
		if (cols->c[c].type == FTYPE_STRING)
			w->word[w->n_word++] = c;
		else
			w->number[w->n_number++] = c;
	}
	w->cap_wave = w->room_wave = wave_of(cols->n);
	w->wave = mem_new(struct vxg_rows *, w->room_wave + VXG_TIERS);
	memcpy(zero, vxg_magic, 8);
	file_pwrite(fd, zero, sizeof zero, 0, e);
	w->at = VXG_PREAMBLE;
	return w;
}

/* --- blocks ----------------------------------------------------------------------------- */

static int
pack_some(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct vxg_writer *w = ctx;

	(void)worker;
	for (int64_t i = lo; i < hi; i++)
		vxg_pack(w->wave[i], &w->shape, e);
	return e->code;
}

static void
list_add(struct list *l, uint32_t pos0, uint64_t at, int rows)
{
	if (l->n == l->cap) {
		l->cap = 2 * l->cap + 64;
		l->pos0 = mem_renew(l->pos0, uint32_t, l->cap);
		l->at = mem_renew(l->at, uint64_t, l->cap);
	}
	l->pos0[l->n] = pos0;
	l->at[l->n++] = at;
	l->rows += rows;
}

/* Packs and writes what waits, one tier after the other, each with one write. */
static int
write_wave(struct vxg_writer *w, struct err *e)
{
	par_for(w->par, w->n_wave, 1, pack_some, w, e);
	for (int tier = 0; tier < VXG_TIERS && !e->code; tier++) {
		uint64_t *at = tier ? &w->temp_at : &w->at;

		w->joined.n = 0;
		for (int i = 0; i < w->n_wave; i++) {
			struct vxg_rows *r = w->wave[i];

			if (r->tier != tier)
				continue;
			list_add(&w->list[r->contig * VXG_TIERS + tier], r->pos[0], *at + w->joined.n, r->n);
			str_addn(&w->joined, r->bytes.s, r->bytes.n);
		}
		if (w->joined.n && tier && w->temp < 0)
			w->temp = file_temp(NULL, e);
		if (w->joined.n && !e->code)
			file_pwrite(tier ? w->temp : w->fd, w->joined.s, w->joined.n, (int64_t)*at, e);
		*at += w->joined.n;
	}
	w->n_wave = 0;
	return e->code;
}

/* A block is full, or its contig ends. */
static int
close_block(struct vxg_writer *w, int tier, struct err *e)
{
	struct vxg_rows *r = w->cur[tier];

	if (!r || !r->n)
		return e->code;
	vxg_learn(w->learn, r, &w->shape);
	w->cur[tier] = w->wave[w->n_wave];
	w->wave[w->n_wave++] = r;
	if (w->n_wave >= w->cap_wave && !w->beside)
		write_wave(w, e);
	if (w->n_wave == w->room_wave) {
		w->room_wave += WAVE_OVER;
		w->wave = mem_renew(w->wave, struct vxg_rows *, w->room_wave + VXG_TIERS);
		memset(w->wave + w->n_wave + VXG_TIERS, 0, WAVE_OVER * sizeof *w->wave);
	}
	if (w->cur[tier])
		w->cur[tier]->n = 0;
	return e->code;
}

int
vxg_beside(struct vxg_writer *w, int on, struct err *e)
{
	w->beside = on;
	if (on)
		return w->n_wave >= w->cap_wave;
	/* Half of them are enough: so the others may wait while rows are put again. */
	if (!e->code && 2 * w->n_wave >= w->cap_wave)
		write_wave(w, e);
	return 0;
}

/* An empty block to be filled. */
static struct vxg_rows *
open_block(struct vxg_writer *w, int tier, int contig)
{
	struct vxg_rows *r = w->cur[tier];
	struct list *l = &w->list[contig * VXG_TIERS + tier];
	uint32_t waiting = 0;

	if (!r)
		r = w->cur[tier] = rows_new(w->cols.n);
	for (int i = 0; i < w->n_wave; i++)
		waiting += w->wave[i]->contig == contig && w->wave[i]->tier == tier;
	r->contig = contig;
	r->tier = tier;
	r->number = (uint32_t)l->n + waiting;
	r->n = 0;
	r->text.n = 0;
	return r;
}

static int
common(const struct vxg_writer *w, const fval *v)
{
	const struct fcols *f = &w->cols;

	if (f->ac >= 0 && f->an >= 0)
		return v[f->ac] > 0 && v[f->an] > 0 && v[f->ac] <= INT32_MAX && v[f->ac] * 200 >= v[f->an];
	if (f->af >= 0 && f->c[f->af].type == FTYPE_FLOAT && v[f->af] >= 0)
		return fval_number(FTYPE_FLOAT, v[f->af]) >= 0.005;
	return 0;
}

/* --- rows ------------------------------------------------------------------------------- */

/* Rising, no equals. */
static int
in_order(struct vxg_writer *w, const struct frows *r, int64_t i, struct err *e)
{
	const struct frow *q = &r->row[i];
	uint32_t old = (uint32_t)w->allele.n - w->n_ref;
	int d = 1;

	if (q->contig == w->contig && q->pos == w->pos) {
		d = q->n_ref != w->n_ref ? (q->n_ref > w->n_ref ? 1 : -1) : q->n_alt != old ? (q->n_alt > old ? 1 : -1) :
		    memcmp(frows_ref(r, i), w->allele.s, w->allele.n);
	} else if (q->contig == w->contig) {
		d = q->pos > w->pos ? 1 : -1;
	} else {
		d = q->contig > w->contig ? 1 : -1;
	}
	if (d <= 0)
		return err_set(e, ERR_DATA, "rows of a database must rise: position %lld", (long long)q->pos);
	w->pos = q->pos;
	w->n_ref = q->n_ref;
	w->allele.n = 0;
	str_addn(&w->allele, frows_ref(r, i), q->n_ref + q->n_alt);
	return 0;
}

static void
need_contig(struct vxg_writer *w, int contig)
{
	if (contig < w->n_contig)
		return;
	if (contig >= w->cap_contig) {
		w->cap_contig = contig + contig / 2 + 8;
		w->list = mem_renew(w->list, struct list, (int64_t)w->cap_contig * VXG_TIERS);
	}
	memset(w->list + (int64_t)w->n_contig * VXG_TIERS, 0, (size_t)(contig + 1 - w->n_contig) * VXG_TIERS * sizeof *w->list);
	w->n_contig = contig + 1;
}

/* A text's place in a block: its number in the dictionary, or text. */
static fval
put_text(struct vxg_writer *w, struct vxg_rows *b, const struct frows *r, fval v, int col)
{
	const char *s;
	size_t n;
	int64_t k = -1;
	uint32_t len;

	s = frows_get(r, v, &n);
	if (w->cols.c[col].type == FTYPE_STRING && (k = vxg_dict_number(&w->dict[col], s, n)) >= 0)
		return k;
	len = (uint32_t)n;
	k = (int64_t)b->text.n;
	str_addn(&b->text, &len, 4);
	str_addn(&b->text, s, n);
	return fval_of_text(k);
}

int
vxg_put(struct vxg_writer *w, const struct frows *r, int64_t i, struct err *e)
{
	const struct frow *q = &r->row[i];
	const fval *v = r->val + i * r->n_col;
	fval *to;
	struct vxg_rows *b;
	uint64_t least = UINT64_MAX;
	int tier;

	if (e->code || in_order(w, r, i, e))
		return e->code;
	if (q->contig != w->contig) {
		for (int t = 0; t < VXG_TIERS; t++)
			close_block(w, t, e);
		w->contig = q->contig;
		need_contig(w, q->contig);
	}
	tier = common(w, v);
	b = w->cur[tier];
	if (b && b->n == VXG_ROWS) {
		close_block(w, tier, e);
		b = w->cur[tier];
	}
	if (!b || !b->n)
		b = open_block(w, tier, q->contig);
	b->pos[b->n] = q->pos;
	b->n_ref[b->n] = q->n_ref;
	b->n_alt[b->n] = q->n_alt;
	b->allele[b->n] = b->text.n;
	str_addn(&b->text, frows_ref(r, i), q->n_ref + q->n_alt);
	to = b->val + b->n;
	for (int k = 0; k < w->n_word; k++) {
		int c = w->word[k];

		to[(size_t)c * VXG_STRIDE] = fval_is_text(v[c]) ? put_text(w, b, r, v[c], c) : v[c];
	}
	for (int k = 0; k < w->n_number; k++) {
		uint64_t ref = (uint64_t)v[w->number[k]] - (uint64_t)FVAL_TEXT0;

		to[(size_t)w->number[k] * VXG_STRIDE] = v[w->number[k]];
		least = ref < least ? ref : least;
	}
	/* One that is kept as text is rare. */
	for (int c = 0; least < (uint64_t)FVAL_TEXT_MAX && c < w->cols.n; c++)
		if (w->cols.c[c].type != FTYPE_STRING && fval_is_text(v[c]))
			to[(size_t)c * VXG_STRIDE] = put_text(w, b, r, v[c], c);
	b->n++;
	return e->code;
}

/* --- the end --------------------------------------------------------------------------------- */

static void
add32(struct str *t, uint32_t v)
{
	uint8_t b[4];

	vxg_set32(b, v);
	str_addn(t, b, 4);
}

static void
add64(struct str *t, uint64_t v)
{
	uint8_t b[8];

	vxg_set64(b, v);
	str_addn(t, b, 8);
}

static void
align(struct str *t)
{
	while (t->n & 7)
		str_addn(t, "", 1);
}

/* The index of one tier of one contig; end: where its last block ends. */
static void
put_index(struct str *t, struct vxg_index *x, const struct list *l, uint64_t shift_by, uint64_t end, uint64_t index_at)
{
	int64_t k = 0;

	x->n = l->n;
	x->rows = l->rows;
	if (!l->n)
		return;
	align(t);
	x->at = index_at + t->n;
	/* About four blocks to a bucket. */
	x->shift = 0;
	while ((((uint64_t)l->pos0[l->n - 1] >> x->shift) + 1) * 4 > (uint64_t)l->n + 4)
		x->shift++;
	x->n_bucket = (int64_t)(l->pos0[l->n - 1] >> x->shift) + 1;
	for (int64_t i = 0; i < l->n; i++)
		add32(t, l->pos0[i]);
	align(t);
	for (int64_t i = 0; i < l->n; i++)
		add64(t, l->at[i] + shift_by);
	add64(t, end);
	for (int64_t b = 0; b <= x->n_bucket; b++) {
		while (k < l->n && l->pos0[k] < (uint64_t)b << x->shift)
			k++;
		add32(t, (uint32_t)k);
	}
}

/* Blocks of a contig and tier follow each other, so that a block ends where the next one begins; the last ends where the
 * next contig's first begins, or the tier. */
static void
put_indexes(struct vxg_writer *w, struct vxg_dir *d, struct str *t, uint64_t rare_end)
{
	d->index = mem_new(struct vxg_index, d->meta.contig.n * VXG_TIERS);
	for (int tier = 0; tier < VXG_TIERS; tier++) {
		uint64_t by = tier ? rare_end : 0, end = tier ? rare_end + w->temp_at : rare_end;

		for (int c = w->n_contig - 1; c >= 0; c--) {
			const struct list *l = &w->list[c * VXG_TIERS + tier];

			put_index(t, &d->index[c * VXG_TIERS + tier], l, by, end, d->index_at);
			if (l->n)
				end = l->at[0] + by;
		}
	}
}

static void
put_tables(struct vxg_writer *w, struct vxg_dir *d, struct str *t)
{
	d->dict = mem_new(__typeof__(*d->dict), w->cols.n);
	d->table = mem_new(__typeof__(*d->table), w->cols.n);
	for (int c = 0; c < w->cols.n; c++) {
		const struct vxg_dict *q = &w->dict[c];
		const struct vxg_learn *l = &w->learn[c];

		align(t);
		if (q->n) {
			d->dict[c].at = d->index_at + t->n;
			d->dict[c].n = q->n;
			d->dict[c].bytes = (int64_t)q->text.n;
			add32(t, 0);
			for (int64_t i = 0; i < q->n; i++)
				add32(t, q->end[i]);
			str_addn(t, q->text.s ? q->text.s : "", q->text.n);
			align(t);
		}
		if (l->lo) {
			d->table[c].at = d->index_at + t->n;
			for (int i = 0; i < VXG_TABLE; i++)
				if (!isinf(l->hi[i]))
					d->table[c].n = i + 1;
			for (int i = 0; i < d->table[c].n; i++) {
				double v = isinf(l->hi[i]) ? -1 : l->lo[i] + (l->hi[i] - l->lo[i]) / 2;
				uint64_t bits;

				memcpy(&bits, &v, 8);
				add64(t, bits);
			}
		}
	}
}

/* Indexes, tables, their checksums, the directory, and what says that all is there. */
static int
put_end(struct vxg_writer *w, struct vxg_dir *d, struct err *e)
{
	struct str t = {0}, dir = {0};
	uint8_t pre[VXG_PREAMBLE] = {0}, tail[VXG_TAIL] = {0};
	uint64_t rare_end = w->at, dir_at;
	int64_t zero = 0;

	if (w->temp >= 0) {
		if (lseek(w->fd, (off_t)w->at, SEEK_SET) < 0)
			return err_errno(e, "the output");
		file_copy(w->temp, &zero, w->fd, (int64_t)w->temp_at, e);
		w->at += w->temp_at;
	}
	d->index_at = (w->at + 63) / 64 * 64;
	for (uint64_t k = w->at; k < d->index_at; k++)
		str_addn(&t, "", 1);
	if (t.n)
		file_pwrite(w->fd, t.s, t.n, (int64_t)w->at, e);
	t.n = 0;
	put_indexes(w, d, &t, rare_end);
	put_tables(w, d, &t);
	align(&t);
	d->index_bytes = t.n;
	d->sums_at = d->index_at + t.n;
	for (uint64_t k = 0; k < d->index_bytes; k += VXG_PAGE)
		add32(&t, deflate_crc(0, t.s + k, d->index_bytes - k < VXG_PAGE ? d->index_bytes - k : VXG_PAGE));
	vxg_dir_write(d, &dir);
	dir_at = d->index_at + t.n;
	str_addn(&t, dir.s, dir.n);
	memcpy(tail, "VXGE", 4);
	vxg_set32(tail + 4, deflate_crc(0, dir.s, dir.n));
	vxg_set64(tail + 8, dir_at);
	vxg_set64(tail + 16, dir.n);
	vxg_set64(tail + 24, dir_at + dir.n + VXG_TAIL);
	vxg_set32(tail + 60, deflate_crc(0, tail, 60));
	memcpy(pre, vxg_magic, 8);
	vxg_set32(pre + 8, VXG_MAJOR);
	vxg_set32(pre + 12, VXG_MINOR);
	vxg_set64(pre + 16, dir_at + dir.n + VXG_TAIL);
	vxg_set32(pre + 60, deflate_crc(0, pre, 60));
	file_pwrite(w->fd, t.s, t.n, (int64_t)d->index_at, e);
	file_pwrite(w->fd, tail, sizeof tail, (int64_t)(dir_at + dir.n), e);
	file_pwrite(w->fd, pre, sizeof pre, 0, e);
	str_clear(&t);
	str_clear(&dir);
	return e->code;
}

static void
writer_free(struct vxg_writer *w)
{
	for (int c = 0; c < w->cols.n; c++) {
		vxg_dict_clear(&w->dict[c]);
		mem_free(w->learn[c].lo);
		mem_free(w->learn[c].hi);
	}
	for (int i = 0; i < w->room_wave + VXG_TIERS; i++)
		rows_free(w->wave[i]);
	for (int t = 0; t < VXG_TIERS; t++)
		rows_free(w->cur[t]);
	for (int i = 0; i < w->n_contig * VXG_TIERS; i++) {
		mem_free(w->list[i].pos0);
		mem_free(w->list[i].at);
	}
	mem_free(w->list);
	mem_free(w->wave);
	mem_free(w->dict);
	mem_free(w->word);
	mem_free(w->number);
	mem_free(w->learn);
	vxg_shape_clear(&w->shape);
	fcols_clear(&w->cols);
	str_clear(&w->allele);
	str_clear(&w->joined);
	if (w->temp >= 0)
		close(w->temp);
	mem_free(w);
}

int
vxg_finish(struct vxg_writer *w, const struct vxg_meta *m, struct err *e)
{
	struct vxg_dir d = {0};

	if (!w)
		return e->code;
	for (int t = 0; t < VXG_TIERS && !e->code; t++)
		close_block(w, t, e);
	if (!e->code)
		write_wave(w, e);
	if (!e->code && w->n_contig > m->contig.n)
		err_set(e, ERR_DATA, "a database needs the names of its %d contigs", w->n_contig);
	if (!e->code) {
		fcols_copy(&d.cols, &w->cols);
		vxg_meta_copy(&d.meta, m);
		put_end(w, &d, e);
		vxg_dir_clear(&d);
	}
	writer_free(w);
	return e->code;
}
