/* Cells by the combination of their levels, and the random blocks of a sweep. */
#include "alg/harmony_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/rng.h"

/* Orders the cells by one variable's codes, keeping the order of equal ones. */
static void
sort_by_code(const struct harmony_var *v, int64_t n, const int32_t *from, int32_t *to)
{
	int64_t *lo = mem_new(int64_t, (int64_t)v->n_level + 1);

	for (int64_t i = 0; i < n; i++)
		lo[v->code[i] + 1]++;
	for (int32_t b = 0; b < v->n_level; b++)
		lo[b + 1] += lo[b];
	for (int64_t i = 0; i < n; i++)
		to[lo[v->code[from[i]]]++] = from[i];
	mem_free(lo);
}

static int
same_group(const struct harmony_var *var, int n_var, int32_t a, int32_t b)
{
	for (int v = 0; v < n_var; v++)
		if (var[v].code[a] != var[v].code[b])
			return 0;
	return 1;
}

void
harmony_groups(struct harmony_state *h, const struct harmony_var *var)
{
	int32_t *a = mem_raw(int32_t, h->n), *b = mem_raw(int32_t, h->n), *t, g = 0;

	for (int64_t i = 0; i < h->n; i++)
		a[i] = (int32_t)i;
	for (int v = h->n_var - 1; v >= 0; v--) {
		sort_by_code(var + v, h->n, a, b);
		t = a;
		a = b;
		b = t;
	}
	mem_free(b);
	h->cell = a;
	h->n_group = 1;
	for (int64_t i = 1; i < h->n; i++)
		h->n_group += !same_group(var, h->n_var, a[i - 1], a[i]);
	h->group_lo = mem_new(int64_t, (int64_t)h->n_group + 1);
	h->group_lev = mem_new(int32_t, (int64_t)h->n_group * h->n_var);
	for (int64_t i = 0; i < h->n; i++) {
		if (i && same_group(var, h->n_var, a[i - 1], a[i]))
			continue;
		h->group_lo[g] = i;
		for (int v = 0; v < h->n_var; v++)
			h->group_lev[g * h->n_var + v] = h->var_lev[v] + var[v].code[a[i]];
		g++;
	}
	h->group_lo[g] = h->n;
}

int64_t
harmony_runs(const struct harmony_state *h, const int32_t *list, int64_t lo, int64_t hi,
	struct harmony_run *run)
{
	int64_t n = 0, i = lo;
	int32_t g = 0;

	while (i < hi) {
		int64_t from = i;

		while ((list ? list[i] : i) >= h->group_lo[g + 1])
			g++;
		while (i < hi && i - from < HARMONY_RUN && (list ? list[i] : i) < h->group_lo[g + 1])
			i++;
		if (run)
			run[n] = (struct harmony_run){from, i, g};
		n++;
	}
	return n;
}

struct draw {
	struct harmony_state *h;
	uint64_t *hash;         /* [n] by place */
};

struct ranked {
	uint64_t hash, key;
	int32_t place;
};

static uint64_t
key_of(const struct harmony_state *h, int64_t place)
{
	return h->o->key ? h->o->key[h->cell[place]] : (uint64_t)h->cell[place];
}

static int
draw_hashes(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct draw *d = ctx;
	uint64_t turn = ((uint64_t)d->h->sweep + 1) * 0x9e3779b97f4a7c15u;

	(void)worker;
	for (int64_t i = lo; i < hi; i++) {
		struct rng r = rng_make(d->h->o->seed, RNG_HARMONY, key_of(d->h, i) ^ turn);

		d->hash[i] = rng_u64(&r);
	}
	return e->code;
}

static int
ranked_cmp(const void *a, const void *b)
{
	const struct ranked *p = a, *q = b;

	if (p->hash != q->hash)
		return p->hash < q->hash ? -1 : 1;
	if (p->key != q->key)
		return p->key < q->key ? -1 : 1;
	return p->place < q->place ? -1 : p->place > q->place;
}

/* Rank of a block's first cell: equal blocks and a longer last one, or in variant
 * 0 longer first ones. */
static int64_t
block_lo(const struct harmony_state *h, int64_t b)
{
	int64_t each, rest;

	if (b >= h->n_block)
		return h->n;
	if (h->o->variant == 0) {
		each = h->n / h->n_block;
		rest = h->n % h->n_block;
		return b * each + (b < rest ? b : rest);
	}
	each = (int64_t)((double)h->n * h->o->block);
	return b * (each > 1 ? each : 1);
}

#define BIN_BITS 16

/* Blocks by the rank of each place's hash.  Only cells whose bin of the hash
 * holds the border between two blocks are really sorted. */
static void
blocks_random(struct harmony_state *h, struct err *e)
{
	struct draw d = {h, mem_raw(uint64_t, h->n)};
	int64_t *bin = mem_new(int64_t, (1 << BIN_BITS) + 1), cap = 0;
	int32_t *first = mem_raw(int32_t, 1 << BIN_BITS);
	struct ranked *s = NULL;
	int b = 0;

	par_for(h->p, h->n, 4096, draw_hashes, &d, e);
	for (int64_t i = 0; i < h->n; i++)
		bin[(d.hash[i] >> (64 - BIN_BITS)) + 1]++;
	for (int64_t j = 0; j < 1 << BIN_BITS; j++)
		bin[j + 1] += bin[j];
	for (int64_t j = 0; j < 1 << BIN_BITS; j++) {
		while (b + 1 < h->n_block && block_lo(h, b + 1) <= bin[j])
			b++;
		/* -1: the bin holds a border */
		first[j] = bin[j + 1] <= block_lo(h, b + 1) ? b : -1;
		cap += first[j] < 0 ? bin[j + 1] - bin[j] : 0;
	}
	s = mem_raw(struct ranked, cap);
	cap = 0;
	for (int64_t i = 0; i < h->n; i++) {
		int32_t f = first[d.hash[i] >> (64 - BIN_BITS)];

		if (f < 0)
			s[cap++] = (struct ranked){d.hash[i], key_of(h, i), (int32_t)i};
		else
			h->block[i] = (uint16_t)f;
	}
	qsort(s, (size_t)cap, sizeof *s, ranked_cmp);
	for (int64_t i = 0, rank = 0, last = -1; i < cap; i++, rank++) {
		int64_t j = (int64_t)(s[i].hash >> (64 - BIN_BITS));

		if (j != last)
			rank = bin[j];
		last = j;
		for (b = 0; block_lo(h, b + 1) <= rank; )
			b++;
		h->block[s[i].place] = (uint16_t)b;
	}
	mem_free(s);
	mem_free(first);
	mem_free(bin);
	mem_free(d.hash);
}

static void
blocks_given(struct harmony_state *h)
{
	const int32_t *perm = h->o->perm + h->sweep % h->o->n_perm * h->n;
	uint16_t *of = mem_raw(uint16_t, h->n);

	for (int b = 0; b < h->n_block; b++)
		for (int64_t i = block_lo(h, b); i < block_lo(h, b + 1); i++)
			of[perm[i]] = (uint16_t)b;
	for (int64_t i = 0; i < h->n; i++)
		h->block[i] = of[h->cell[i]];
	mem_free(of);
}

void
harmony_blocks(struct harmony_state *h)
{
	uint16_t *t = h->prev;
	struct err e = {0};
	int64_t *at;

	h->prev = h->block;
	h->block = t;
	if (h->o->perm)
		blocks_given(h);
	else
		blocks_random(h, &e);
	memset(h->list_lo, 0, (size_t)(h->n_block + 1) * sizeof *h->list_lo);
	for (int64_t i = 0; i < h->n; i++)
		h->list_lo[h->block[i] + 1]++;
	for (int b = 0; b < h->n_block; b++)
		h->list_lo[b + 1] += h->list_lo[b];
	at = mem_raw(int64_t, h->n_block);
	memcpy(at, h->list_lo, (size_t)h->n_block * sizeof *at);
	for (int64_t i = 0; i < h->n; i++)
		h->list[at[h->block[i]]++] = (int32_t)i;
	mem_free(at);
	h->sweep++;
}
