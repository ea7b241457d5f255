/* pca_pick - rows of a layer on the chosen genes, see pca_impl.h */
#include "alg/pca_impl.h"

#include <math.h>
#include <string.h>
#include "alg/lanes.h"
#include "base/mem.h"

void
picker_init(struct picker *p, const struct rows *r, const struct pca_opt *o)
{
	static const struct layer counts;
	const struct layer *l = o->layer ? o->layer : &counts;

	memset(p, 0, sizeof *p);
	p->o = o;
	p->n_slot = r->n_slot;
	p->clip = l->clip > 0 ? l->clip : INFINITY;
	p->place = mem_new(int32_t, r->n_col);
	p->is = mem_new(uint8_t, r->n_col);
	p->scale = mem_new(double, o->g);
	p->centre = mem_new(double, o->g);
	p->zero = mem_new(double, o->g);
	p->x = mem_new(double *, r->n_slot);
	p->cap = mem_new(int64_t, r->n_slot);
	for (int64_t k = 0; k < o->g; k++) {
		int32_t j = o->gene[k];

		BUG_IF(j < 0 || j >= r->n_col);
		p->place[j] = (int32_t)k;
		p->is[j] = 1;
		p->scale[k] = l->std ? 1 / l->std[j] : 1;
		p->centre[k] = l->mean ? l->mean[j] * p->scale[k] : 0;
		p->zero[k] = layer_scale(l, j, 0);
	}
}

void
picker_clear(struct picker *p)
{
	mem_free(p->place);
	mem_free(p->is);
	mem_free(p->scale);
	mem_free(p->centre);
	mem_free(p->zero);
	for (int i = 0; i < p->n_slot; i++)
		mem_free(p->x[i]);
	mem_free(p->x);
	mem_free(p->cap);
}

static void
sparse_room(struct sparse *s, int64_t n, int64_t nnz)
{
	if (n + 1 > s->cap_row) {
		s->cap_row = n + 1;
		s->ptr = mem_renew(s->ptr, int64_t, s->cap_row);
	}
	if (nnz > s->cap) {
		s->cap = nnz + nnz / 8 + 64;
		s->col = mem_renew(s->col, int32_t, s->cap);
		s->val = mem_renew(s->val, float, s->cap);
	}
}

void
sparse_clear(struct sparse *s)
{
	mem_free(s->ptr);
	mem_free(s->col);
	mem_free(s->val);
}

/* Counts below this come from a table of the row. */
#define TABLE 16

INLINE uint32_t
eight(const uint8_t *is, const int32_t *col)
{
	return is[col[0]] | (uint32_t)is[col[1]] << 1 | (uint32_t)is[col[2]] << 2 | (uint32_t)is[col[3]] << 3 |
		(uint32_t)is[col[4]] << 4 | (uint32_t)is[col[5]] << 5 | (uint32_t)is[col[6]] << 6 | (uint32_t)is[col[7]] << 7;
}

/* Places and counts of a row's chosen genes, few among its n; how many.  Both outputs have room for n. */
static int64_t
choose(const struct picker *p, const int32_t *col, const double *val, int64_t n, int32_t *to, double *x)
{
	int64_t used = 0;

	for (int64_t k = 0; k < n; k += 32) {
		uint32_t some = 0;

		if (k + 32 <= n)
			some = eight(p->is, col + k) | eight(p->is, col + k + 8) << 8 | eight(p->is, col + k + 16) << 16 |
			    eight(p->is, col + k + 24) << 24;
		else
			for (int i = 0; i < n - k; i++)
				some |= (uint32_t)p->is[col[k + i]] << i;
		for (; some; some &= some - 1) {
			int i = __builtin_ctz(some);

			to[used] = p->place[col[k + i]];
			x[used++] = val[k + i];
		}
	}
	return used;
}

/* s of the n counts x, but NaN for those that are not whole or not below TABLE; whether there are such. */
WIDE static int
small_values(const struct picker *p, const double *lut, const int32_t *col, const double *x, int64_t n, float *s)
{
	int32_t odd = 0;

	for (int64_t k = 0; k < n; k++) {
		double in = x[k] >= 0 ? x[k] < TABLE ? x[k] : 0 : 0, z;       /* NaN as well */
		int32_t c = (int32_t)in, j = col[k];

		odd |= (double)c != x[k];
		z = lut[c] * p->scale[j] - p->centre[j];
		z = z > p->clip ? p->clip : z;
		z = z < -p->clip ? -p->clip : z;
		s[k] = (double)c == x[k] ? (float)(z - p->zero[j]) : NAN;
	}
	return odd;
}

#define SOME 64

/* s of those; 0 when one is not finite. */
static int
other_values(const struct picker *p, double div, const int32_t *col, const double *x, int64_t n, float *s)
{
	int good = 1;

	for (int64_t k = 0; k < n; ) {
		int64_t at[SOME], m = 0;
		double y[SOME];

		for (; k < n && m < SOME; k++) {
			at[m] = k;
			m += isnan(s[k]) != 0;
		}
		for (int64_t i = 0; i < m; i++)
			y[i] = x[at[i]] / div;
		if (p->o->layer && p->o->layer->log1p)
			num_log1p_n(y, y, m);
		for (int64_t i = 0; i < m; i++) {
			int32_t j = col[at[i]];
			double z = y[i] * p->scale[j] - p->centre[j];

			z = z > p->clip ? p->clip : z < -p->clip ? -p->clip : z;
			s[at[i]] = (float)(z - p->zero[j]);
			good &= isfinite(s[at[i]]) != 0;
		}
	}
	return good;
}

/* Values of zero to TABLE - 1 counts in row i; returns the row's divisor. */
static double
table_of(const struct layer *l, int64_t i, double lut[TABLE])
{
	double div = l && l->row_div && l->row_div[i] != 0 ? l->row_div[i] : 1;

	for (int c = 0; c < TABLE; c++)
		lut[c] = c / div;
	if (l && l->log1p)
		num_log1p_n(lut, lut, TABLE);
	return div;
}

int
picker_add(struct picker *p, const struct csr *m, int slot, struct sparse *s, struct err *e)
{
	int64_t nnz = m->ptr[m->n_row] - m->ptr[0], at;

	if (s->n == 0) {
		sparse_room(s, m->n_row, nnz);
		s->ptr[0] = 0;
	}
	at = s->ptr[s->n];
	sparse_room(s, s->n + m->n_row, at + nnz);
	if (nnz > p->cap[slot]) {
		p->cap[slot] = nnz;
		p->x[slot] = mem_renew(p->x[slot], double, nnz);
	}
	for (int64_t i = 0; i < m->n_row; i++) {
		double lut[TABLE], div = table_of(p->o->layer, m->row0 + i, lut), *x = p->x[slot];
		int64_t n = choose(p, m->col + m->ptr[i], m->val + m->ptr[i], m->ptr[i + 1] - m->ptr[i], s->col + at, x);

		if (small_values(p, lut, s->col + at, x, n, s->val + at) && !other_values(p, div, s->col + at, x, n, s->val + at))
			return err_set(e, ERR_NUMERIC, "components: row %lld has a value that is not finite", (long long)(m->row0 + i + 1));
		at += n;
		s->ptr[++s->n] = at;
	}
	return 0;
}
