/* vxg_rule - how the quotients of a frequency database were printed, found while its rows go by: see vxg_impl.h
 */
#include "var/vxg_impl.h"

#include <math.h>
#include "base/mem.h"

/* Digits that a printed float has. */
static int
digits_of(fval v)
{
	int form = fval_form(v), shape = form >> 14 & 3, n = 0;

	if (shape == FVAL_EXP)
		return (form >> 9 & 31) + 1;
	for (int64_t d = fval_digits(v); d; d /= 10)
		n++;
	return n;
}

/* Rows that the rule does not give. */
static int
count_off(struct fval_rule r, const fval *num, const fval *den, const fval *v, int n, int most)
{
	int off = 0;

	for (int i = 0; i < n && off <= most; i++)
		off += vxg_predict(r, num[i], den[i], 0) != v[i];
	return off;
}

int
vxg_best_rule(const fval *num, const fval *den, const fval *v, int n, struct fval_rule *best)
{
	static const uint8_t styles[] = { FVAL_STYLE_GALT, FVAL_STYLE_E, FVAL_STYLE_G };
	int digits = 0, least = n + 1;

	for (int i = 0; i < n; i++)
		if (v[i] >= 0 && num[i] > 0 && digits_of(v[i]) > digits)
			digits = digits_of(v[i]);
	digits = digits < 1 ? 6 : digits > 9 ? 9 : digits;
	for (int pass = 0; pass < 2; pass++)
		for (int s = 0; s < 3; s++)
			for (int up = 1; up >= 0; up--) {
				struct fval_rule r = { .style = styles[s], .digits = (uint8_t)(pass ? 6 : digits), .up = (uint8_t)up };
				int off = pass && digits == 6 ? n + 1 : count_off(r, num, den, v, n, least);

				if (off < least) {
					least = off;
					*best = r;
				}
			}
	return least;
}

static int
pairs_in(const fval *num, const fval *den, const fval *v, int n)
{
	int k = 0;

	for (int i = 0; i < n; i++)
		k += num[i] > 0 && den[i] > 0 && v[i] >= 0;
	return k;
}

/* The style in which most values of a table's column are printed; places tell rounded ones. */
static int
table_rule(const fval *v, int n, struct fval_rule *best)
{
	static const struct fval_rule all[] = {
		{ FVAL_STYLE_GALT, 6, 1, 0 }, { FVAL_STYLE_GALT, 6, 1, 8 }, { FVAL_STYLE_E, 6, 0, 0 }, { FVAL_STYLE_E, 6, 0, 8 },
		{ FVAL_STYLE_G, 6, 0, 0 }, { FVAL_STYLE_G, 6, 0, 8 } };
	int most = 0;

	for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
		int hits = 0;
		double lo, hi;

		for (int i = 0; i < n; i++)
			hits += v[i] >= 0 && fval_digits(v[i]) && fval_interval(all[k], v[i], &lo, &hi);
		/* a rounded one only if it explains as many */
		if (hits > most || (hits == most && hits && all[k].places && all[k].style == best->style)) {
			most = hits;
			*best = all[k];
		}
	}
	return most;
}

/* Narrows what the table's numerators lie between, row by row; sets off where it cannot. */
static void
narrow(struct vxg_learn *l, const fval *num, const fval *den, const fval *v, uint8_t *off, int n)
{
	for (int i = 0; i < n; i++) {
		double lo, hi;
		fval a = num[i];

		off[i] = 1;
		if (v[i] == FVAL_MISSING && (a < 0 || a > INT32_MAX || den[i] < 1 || den[i] > INT32_MAX)) {
			off[i] = 0;
			continue;
		}
		if (a < 0 || a >= VXG_TABLE || den[i] < 1 || den[i] > INT32_MAX || v[i] < 0 || !fval_interval(l->k.rule, v[i], &lo, &hi)) {
			l->misses++;
			continue;
		}
		lo = lo * (double)den[i] > l->lo[a] ? lo * (double)den[i] : l->lo[a];
		hi = hi * (double)den[i] < l->hi[a] ? hi * (double)den[i] : l->hi[a];
		if (!(lo <= hi)) {
			l->misses++;
			continue;
		}
		l->lo[a] = lo;
		l->hi[a] = hi;
		l->hits++;
		off[i] = 0;
	}
}

void
vxg_learn(struct vxg_learn *learn, struct vxg_rows *r, const struct vxg_shape *sh)
{
	for (int c = 0; c < sh->cols->n; c++) {
		struct vxg_learn *l = &learn[c];
		const fval *num, *den, *v = r->val + (size_t)c * VXG_STRIDE;
		struct fval_rule rule = {0};

		if (sh->num[c] < 0)
			continue;
		num = r->val + (size_t)sh->num[c] * VXG_STRIDE;
		den = r->val + (size_t)sh->den[c] * VXG_STRIDE;
		if (!l->k.has_rule) {
			int pairs = pairs_in(num, den, v, r->n), off;

			if (pairs < 1)
				continue;
			l->k.has_rule = 1;
			off = vxg_best_rule(num, den, v, r->n, &l->k.rule);
			if (off > r->n / 2 && table_rule(v, r->n, &rule)) {
				l->k.by_table = 1;
				l->k.rule = rule;
				l->lo = mem_new(double, VXG_TABLE);
				l->hi = mem_new(double, VXG_TABLE);
				for (int i = 0; i < VXG_TABLE; i++)
					l->hi[i] = INFINITY;
			}
		}
		if (l->k.by_table == 1 && l->hits + l->misses > 64 * VXG_ROWS && l->hits < l->misses)
			l->k.by_table = 2;        /* what it gave so far stays true */
		if (l->k.by_table == 1)
			narrow(l, num, den, v, r->off + (size_t)c * VXG_STRIDE, r->n);
		else if (l->k.by_table)
			memset(r->off + (size_t)c * VXG_STRIDE, 1, VXG_ROWS);
	}
	for (int c = 0; c < sh->cols->n; c++)
		r->known[c] = learn[c].k;
}
