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
	p->scale = mem_new(double, o->g);
	p->centre = mem_new(double, o->g);
	p->zero = mem_new(double, o->g);
	p->x = mem_new(double *, r->n_slot);
	p->cap = mem_new(int64_t, r->n_slot);
	for (int64_t j = 0; j < r->n_col; j++)
		p->place[j] = -1;
	for (int64_t k = 0; k < o->g; k++) {
		int32_t j = o->gene[k];

		BUG_IF(j < 0 || j >= r->n_col);
		p->place[j] = (int32_t)k;
		p->scale[k] = l->std ? 1 / l->std[j] : 1;
		p->centre[k] = l->mean ? l->mean[j] * p->scale[k] : 0;
		p->zero[k] = layer_scale(l, j, 0);
	}
}

void
picker_clear(struct picker *p)
{
	mem_free(p->place);
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
		s->cap = nnz + nnz / 4 + 64;
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

/* Places and counts of a row's chosen genes, without branches; how many.  Both outputs have room for n. */
static int64_t
choose(const int32_t *place, const int32_t *col, const double *val, int64_t n, int32_t *to, double *x)
{
	int64_t used = 0;

	for (int64_t k = 0; k < n; k++) {
		int32_t j = place[col[k]];

		to[used] = j;
		x[used] = val[k];
		used += j >= 0;
	}
	return used;
}

/* s of the n counts x, which are whole and below LAYER_LUT; returns 0 when one is not. */
WIDE static int
small_values(const struct picker *p, const double *lut, const int32_t *col, const double *x, int64_t n, float *s)
{
	int32_t odd = 0;

	for (int64_t k = 0; k < n; k++) {
		double in = x[k] >= 0 ? x[k] < LAYER_LUT ? x[k] : 0 : 0, z;       /* NaN as well */
		int32_t c = (int32_t)in, j = col[k];

		odd |= (double)c != x[k];
		z = lut[c] * p->scale[j] - p->centre[j];
		z = z > p->clip ? p->clip : z;
		z = z < -p->clip ? -p->clip : z;
		s[k] = (float)(z - p->zero[j]);
	}
	return !odd;
}

/* The same for any values; 0 when one is not finite. */
static int
any_values(const struct picker *p, const double *lut, double div, const int32_t *col, const double *x, int64_t n, float *s)
{
	int logs = p->o->layer && p->o->layer->log1p, good = 1;

	for (int64_t k = 0; k < n; k++) {
		int c = x[k] >= 0 && x[k] < LAYER_LUT ? (int)x[k] : 0;
		double y = c == x[k] ? lut[c] : logs ? num_log1p(x[k] / div) : x[k] / div, z;

		z = y * p->scale[col[k]] - p->centre[col[k]];
		z = z > p->clip ? p->clip : z < -p->clip ? -p->clip : z;
		s[k] = (float)(z - p->zero[col[k]]);
		good &= isfinite(s[k]) != 0;
	}
	return good;
}

/* Values of zero to LAYER_LUT - 1 counts in row i; returns the row's divisor. */
static double
table_of(const struct layer *l, int64_t i, double lut[LAYER_LUT])
{
	double div = l && l->row_div && l->row_div[i] != 0 ? l->row_div[i] : 1;

	for (int c = 0; c < LAYER_LUT; c++)
		lut[c] = c / div;
	if (l && l->log1p)
		num_log1p_n(lut, lut, LAYER_LUT);
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
		double lut[LAYER_LUT], div = table_of(p->o->layer, m->row0 + i, lut), *x = p->x[slot];
		int64_t n = choose(p->place, m->col + m->ptr[i], m->val + m->ptr[i], m->ptr[i + 1] - m->ptr[i], s->col + at, x);

		if (!small_values(p, lut, s->col + at, x, n, s->val + at) &&
		    !any_values(p, lut, div, s->col + at, x, n, s->val + at))
			return err_set(e, ERR_NUMERIC, "components: row %lld has a value that is not finite", (long long)(m->row0 + i + 1));
		at += n;
		s->ptr[++s->n] = at;
	}
	return 0;
}
