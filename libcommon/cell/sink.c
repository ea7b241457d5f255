/* sink - see set.h: rows of counts on their way into a sparse section
 *
 * The order of the genes in a stream is that of falling frequency in its first
 * 65,536 rows, whatever the source, ties by the user's order.  Those rows are
 * encoded in the user's order first, put aside, and encoded again, unless the caller could count before.
 */
#include <string.h>
#include "base/mem.h"
#include "cell/set.h"
#include "num/rank.h"
#include "stream/codec.h"

struct slot {
	struct pack_rows m;     /* the block, which is another's */
	int64_t row0;
	struct csr csr, given;  /* sorted, and as given, of what is no counts */
	struct str stored, scratch;
	struct block b;
	struct block from;      /* a block that was put aside, in stored */
};

struct work {
	struct sink *k;
	struct slot *slot;      /* [n_slot] */
	const int32_t *place;   /* or NULL for the user's order */
	const struct head *head;
	int again;              /* blocks that were put aside */
	int64_t *freq;          /* [threads][n_col] rows with a value of each gene */
	int ranked;             /* the caller gave freq */
};

/* By a bitmap, which is faster than any sort for rows of single-cell length. */
void
sink_place(const int32_t *place, const struct csr *m, struct csr *to)
{
	double *value = mem_raw(double, m->n_col);
	int64_t n_word = m->n_col / 64 + 1, at = 0;
	uint64_t *bits = mem_new(uint64_t, n_word);

	csr_reserve(to, m->n_row, m->ptr[m->n_row] - m->ptr[0]);
	to->row0 = m->row0;
	to->n_row = m->n_row;
	to->n_col = m->n_col;
	to->ptr[0] = 0;
	for (int64_t i = 0; i < m->n_row; i++) {
		for (int64_t j = m->ptr[i]; j < m->ptr[i + 1]; j++) {
			int32_t c = place ? place[m->col[j]] : m->col[j];

			if (m->val[j] == 0)
				continue;
			/* A place that is given twice adds up, as in a COO matrix. */
			value[c] = bits[c >> 6] >> (c & 63) & 1 ? value[c] + m->val[j] : m->val[j];
			bits[c >> 6] |= (uint64_t)1 << (c & 63);
		}
		for (int64_t word = 0; word < n_word; word++)
			while (bits[word]) {
				int32_t c = (int32_t)(word * 64 + __builtin_ctzll(bits[word]));

				bits[word] &= bits[word] - 1;
				to->col[at] = c;
				to->val[at++] = value[c];
			}
		to->ptr[i + 1] = at;
	}
	mem_free(value);
	mem_free(bits);
}

int
sink_open(struct sink *k, struct set *s, const char *path, int dtype, int64_t n_row, int64_t n_col, struct err *e)
{
	struct work *w = mem_new(struct work, 1);
	struct head h;
	int n = par_n(s->par);

	memset(k, 0, sizeof *k);
	k->set = s;
	k->path = mem_strdup(path);
	k->dtype = dtype;
	k->n_row = n_row;
	k->n_col = n_col;
	k->n_slot = n == 1 ? 1 : 2 * n;
	w->freq = mem_new(int64_t, n * n_col);
	k->place = mem_new(int32_t, n_col);
	k->block = mem_new(struct csr, k->n_slot);
	k->work = w;
	w->k = k;
	w->slot = mem_new(struct slot, k->n_slot);
	head_init(&h, KIND_SPARSE, dtype, "early", n_row < SINK_HEAD ? n_row : SINK_HEAD, n_col);
	k->early = set_new_sect(s, &h);
	return e->code;
}

/* Appends rows lo .. hi - 1 of m, their values as doubles. */
static void
append(struct csr *to, const struct pack_rows *m, int64_t lo, int64_t hi)
{
	int64_t at = to->n_row ? to->ptr[to->n_row] : 0, from = m->ptr[lo], n = m->ptr[hi] - from;

	csr_reserve(to, to->n_row + hi - lo, at + n);
	to->ptr[0] = 0;
	memcpy(to->col + at, m->col + from, (size_t)n * sizeof *to->col);
	if (m->type == PACK_F64)
		memcpy(to->val + at, (const double *)m->val + from, (size_t)n * sizeof *to->val);
	else
		for (int64_t j = 0; j < n; j++)
			to->val[at + j] = pack_value(m, from + j);
	for (int64_t i = lo; i < hi; i++)
		to->ptr[++to->n_row] = at + m->ptr[i + 1] - from;
}

static int
encode_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct work *w = ctx;
	struct slot *t = &w->slot[lo];
	int64_t *freq = w->place ? NULL : w->freq + worker * w->k->n_col;
	int counts;

	(void)hi;
	if (w->again) {
		if (codec_decode_csr(&w->k->early->head, &t->from, t->stored.s, &w->k->block[lo], &t->scratch, e))
			return e->code;
		t->m = pack_rows_of(&w->k->block[lo]);
		t->row0 = t->from.row0;
	}
	memset(&t->b, 0, sizeof t->b);
	t->b.row0 = t->row0;
	t->b.last = t->row0 + t->m.n_row == w->head->n_row;
	counts = codec_encode_any(&t->b, &t->m, w->place, freq, &t->stored, &t->scratch);
	if (counts < 0)
		return err_set(e, ERR_DATA, "%s: a column of rows %lld to %lld is out of range", w->k->path, (long long)t->row0,
		    (long long)(t->row0 + t->m.n_row - 1));
	if (!counts) {
		t->given.row0 = t->row0;
		t->given.n_row = 0;
		t->given.n_col = t->m.n_col;
		append(&t->given, &t->m, 0, t->m.n_row);
		sink_place(w->place, &t->given, &t->csr);
		codec_encode_csr(w->head, &t->b, &t->csr, &t->stored, &t->scratch);
		for (int64_t j = 0; freq && j < t->csr.ptr[t->csr.n_row]; j++)
			freq[t->csr.col[j]]++;
	}
	return 0;
}

/* Encodes the blocks of n slots and puts them into sect. */
static int
encode(struct sink *k, struct sect *sect, const int32_t *place, int n, struct err *e)
{
	struct work *w = k->work;

	w->place = place;
	w->head = &sect->head;
	par_for(k->set->par, n, 1, encode_block, w, e);
	for (int i = 0; i < n && !e->code; i++) {
		struct slot *t = &w->slot[i];

		k->wrong |= w->ranked && t->row0 < SINK_HEAD && t->b.n_item != t->m.ptr[t->m.n_row] - t->m.ptr[0];
		in_note(sect, &t->b, spool_add(&k->set->spool, t->stored.s ? t->stored.s : "", t->b.stored, e));
	}
	return e->code;
}

/* Numbers the genes by how many rows each is in. */
static int
rank_genes(struct sink *k, const int64_t *freq, struct err *e)
{
	int32_t *order = mem_new(int32_t, k->n_col);

	num_rank(freq, k->n_col, order);
	for (int64_t i = 0; i < k->n_col; i++)
		k->place[order[i]] = (int32_t)i;
	set_put_sparse(k->set, k->path, k->dtype, k->n_row, k->n_col, order, &k->sect, e);
	mem_free(order);
	return e->code;
}

int
sink_rank(struct sink *k, const int64_t *freq, struct err *e)
{
	struct work *w = k->work;

	BUG_IF(k->given > 0 || k->sect);
	w->ranked = 1;
	return e->code ? e->code : rank_genes(k, freq, e);
}

/* The first rows are all there: numbers the genes and stores those rows again. */
static int
settle(struct sink *k, struct err *e)
{
	struct work *w = k->work;

	for (int64_t i = k->n_col; i < par_n(k->set->par) * k->n_col; i++)
		w->freq[i % k->n_col] += w->freq[i];
	rank_genes(k, w->freq, e);
	w->again = 1;
	for (int64_t i = 0; i < k->early->n_block && !e->code; ) {
		int n = 0;

		for (; n < k->n_slot && i < k->early->n_block && !e->code; n++, i++) {
			w->slot[n].from = k->early->block[i];
			in_load(k->early, i, &w->slot[n].stored, e);
		}
		encode(k, k->sect, k->place, n, e);
	}
	w->again = 0;
	for (int i = 0; i < k->n_slot; i++)     /* which held them, decoded */
		k->block[i].n_row = 0;
	return e->code;
}

/* The blocks of n slots go where they belong. */
static int
store(struct sink *k, int n, struct err *e)
{
	if (n == 0 || e->code)
		return e->code;
	if (!k->sect) {
		encode(k, k->early, NULL, n, e);
		if (!e->code && k->early->complete)
			settle(k, e);
	} else {
		encode(k, k->sect, k->place, n, e);
	}
	return e->code;
}

/* The rows from i on that are whole blocks, as far as there are slots, straight from m; how many.  Few blocks for many
 * threads are better gathered. */
static int64_t
add_whole(struct sink *k, const struct pack_rows *m, int64_t i, struct err *e)
{
	struct work *w = k->work;
	int64_t most = !k->sect && k->n_row > SINK_HEAD ? SINK_HEAD : k->n_row, n = 0, from = i;

	for (int64_t rows; n < k->n_slot && (rows = most - k->given) > 0; n++) {
		rows = rows < BLOCK_SPARSE ? rows : BLOCK_SPARSE;
		if (i + rows > m->n_row)
			break;
		w->slot[n].m = *m;
		w->slot[n].m.n_row = rows;
		w->slot[n].m.ptr = m->ptr + i;
		w->slot[n].row0 = k->given;
		i += rows;
		k->given += rows;
	}
	if (n < par_n(k->set->par)) {
		k->given -= i - from;
		return 0;
	}
	store(k, (int)n, e);
	return i - from;
}

int
sink_add_rows(struct sink *k, const struct pack_rows *m, struct err *e)
{
	struct work *w = k->work;

	for (int64_t i = 0; i < m->n_row && !e->code; i++) {
		struct csr *b = &k->block[k->at];
		int64_t at;

		BUG_IF(k->given >= k->n_row);
		while (k->at == 0 && b->n_row == 0 && i < m->n_row && (at = add_whole(k, m, i, e)) > 0 && !e->code)
			i += at;
		if (i == m->n_row || e->code)
			break;
		if (b->n_row == 0) {
			b->row0 = k->given;
			b->n_col = k->n_col;
			csr_reserve(b, BLOCK_SPARSE, 0);
		}
		append(b, m, i, i + 1);
		k->given++;
		if (b->n_row < BLOCK_SPARSE && k->given < k->n_row)
			continue;
		w->slot[k->at].m = pack_rows_of(b);
		w->slot[k->at].row0 = b->row0;
		/* The blocks put aside for the gene order end at a wave's end. */
		if (++k->at == k->n_slot || k->given == k->n_row || (k->given == SINK_HEAD && !k->sect)) {
			store(k, k->at, e);
			for (int j = 0; j < k->n_slot; j++)
				k->block[j].n_row = 0;
			k->at = 0;
		}
	}
	return e->code;
}

int
sink_add(struct sink *k, const struct csr *m, struct err *e)
{
	struct pack_rows rows = pack_rows_of(m);

	return sink_add_rows(k, &rows, e);
}

int
sink_close(struct sink *k, struct err *e)
{
	struct work *w = k->work;
	int given_up = k->given < 0;

	BUG_IF(!e->code && !given_up && k->given != k->n_row);
	if (given_up && !e->code)
		set_drop(k->set, k->path);
	if (!e->code && !given_up && k->n_row == 0) {
		struct csr none = {0};

		csr_reserve(&none, 1, 0);
		none.n_col = k->n_col;
		if (!k->sect)
			settle(k, e);
		set_add_sparse(k->set, k->sect, &none, e);
		csr_clear(&none);
	}
	if (!e->code && !given_up)
		set_done(k->sect);
	for (int i = 0; i < k->n_slot; i++) {
		csr_clear(&k->block[i]);
		csr_clear(&w->slot[i].csr);
		csr_clear(&w->slot[i].given);
		str_clear(&w->slot[i].stored);
		str_clear(&w->slot[i].scratch);
	}
	mem_free(w->slot);
	mem_free(w->freq);
	mem_free(w);
	mem_free(k->block);
	mem_free(k->place);
	mem_free(k->path);
	memset(k, 0, sizeof *k);
	return e->code;
}
