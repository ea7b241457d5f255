/* set_stats - see set.h: number, sum and maximum of each row's counts
 *
 * Packed blocks say them in front.  They are read as a whole nevertheless: their checksum is of all.
 */
#include <string.h>
#include "base/mem.h"
#include "cell/set.h"
#include "stream/codec.h"
#include "stream/pack.h"

struct stats {
	int64_t *nnz;
	uint64_t *sum;
	uint32_t *max;
	/* by heads */
	struct sect *sect;
	const int64_t *keep;    /* or NULL */
	int64_t n_keep;
	struct str *buf;        /* [threads] */
};

static int
measure(void *ctx, const struct csr *m, int slot, struct err *e)
{
	const struct stats *t = ctx;

	(void)slot;
	(void)e;
	for (int64_t i = 0; i < m->n_row; i++) {
		int64_t n = 0, at = m->row0 + i;
		uint64_t sum = 0;
		uint32_t max = 0;

		for (int64_t k = m->ptr[i]; k < m->ptr[i + 1]; k++) {
			uint32_t x = (uint32_t)m->val[k];

			n += x > 0;
			sum += x;
			max = x > max ? x : max;
		}
		if (t->nnz)
			t->nnz[at] = n;
		if (t->sum)
			t->sum[at] = sum;
		if (t->max)
			t->max[at] = max;
	}
	return 0;
}

/* The first kept row that is not before one of the section's. */
static int64_t
kept_from(const struct stats *t, int64_t row)
{
	int64_t lo = 0, hi = t->n_keep;

	if (!t->keep)
		return row;
	while (lo < hi) {
		int64_t mid = lo + (hi - lo) / 2;

		if (t->keep[mid] < row)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int
look_at_head(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	const struct stats *t = ctx;
	struct str *buf = &t->buf[worker];
	const struct block *b = &t->sect->block[lo];
	int64_t *nnz, k = kept_from(t, b->row0);
	uint64_t *sum;
	uint32_t *max;

	(void)hi;
	if (b->prelude || k == t->n_keep || (t->keep && t->keep[k] >= b->row0 + b->n_row))
		return 0;
	if (in_load(t->sect, lo, buf, e) || codec_check_crc(&t->sect->head, b, buf->s, e))
		return e->code;
	nnz = mem_raw(int64_t, b->n_row);
	sum = mem_raw(uint64_t, b->n_row);
	max = mem_raw(uint32_t, b->n_row);
	pack_row_stats((const uint8_t *)buf->s, buf->n, b->n_row, nnz, sum, max, e);
	for (; !e->code && k < t->n_keep; k++) {
		int64_t i = (t->keep ? t->keep[k] : k) - b->row0;

		if (i >= b->n_row)
			break;
		if (t->nnz)
			t->nnz[k] = nnz[i];
		if (t->sum)
			t->sum[k] = sum[i];
		if (t->max)
			t->max[k] = max[i];
	}
	mem_free(nnz);
	mem_free(sum);
	mem_free(max);
	return e->code;
}

/* Whether the heads of the blocks tell. */
static int
heads_tell(const struct set *s, const struct item *it)
{
	if (set_selection(s, it, 1))
		return 0;
	for (int64_t i = 0; i < it->s->n_block; i++)
		if (!it->s->block[i].prelude && it->s->block[i].codec != CODEC_PACK)
			return 0;
	return 1;
}

static int
by_heads(struct set *s, struct item *it, struct stats *t, struct err *e)
{
	int n = par_n(s->par);

	t->sect = it->s;
	t->keep = set_selection(s, it, 0);
	t->n_keep = set_rows_of(s, it);
	t->buf = mem_new(struct str, n);
	par_for(s->par, it->s->n_block, 1, look_at_head, t, e);
	for (int i = 0; i < n; i++)
		str_clear(&t->buf[i]);
	mem_free(t->buf);
	return e->code;
}

int
set_row_stats(struct set *s, const char *path, int64_t *nnz, uint64_t *sum, uint32_t *max, struct err *e)
{
	struct stats t = { .nnz = nnz, .sum = sum, .max = max };
	struct item *it = set_need(s, path, "import counts with ovx-import", e);
	struct rows r;

	if (!it || in_heads(it->s, e))
		return e->code;
	if (it->s->head.kind == KIND_SPARSE && heads_tell(s, it))
		return by_heads(s, it, &t, e);
	if (set_rows(s, path, &r, e) == 0) {
		set_rows_flags(&r, SET_COUNTS);
		rows_pass(&r, measure, NULL, &t, e);
	}
	set_rows_clear(&r);
	return e->code;
}
