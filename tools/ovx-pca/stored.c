/* stored - see stored.h */
#include "stored.h"

#include <string.h>
#include "base/mem.h"

static double *
reorder(const double *x, const int32_t *order, int64_t n)
{
	double *to = x ? mem_new(double, n) : NULL;

	for (int64_t i = 0; x && i < n; i++)
		to[i] = x[order[i]];
	return to;
}

int
stored_open(struct app *a, const struct layer *l, struct stored *s, struct err *e)
{
	int64_t n = a->set.axis[AXIS_VAR].n;

	memset(s, 0, sizeof *s);
	if (set_rows_stored(&a->set, "X", &s->r, &s->order, e))
		return e->code;
	s->place = mem_new(int32_t, n);
	for (int64_t i = 0; i < n; i++)
		s->place[s->order[i]] = (int32_t)i;
	s->l = *l;
	s->l.mean = reorder(l->mean, s->order, n);
	s->l.std = reorder(l->std, s->order, n);
	return 0;
}

void
stored_close(struct stored *s)
{
	mem_free((double *)s->l.mean);
	mem_free((double *)s->l.std);
	mem_free(s->order);
	mem_free(s->place);
	if (s->r.self)
		set_rows_clear(&s->r);
}

/* Scores on their way: blocks of rows become blocks of the section. */
struct scores {
	struct set *set;
	struct sect *sect;
	int k;
	int64_t row0, n;        /* in the buffer */
	float *x;               /* [BLOCK_DENSE][k] */
	const double *shift;
};

static int
take_scores(void *ctx, int64_t row0, int64_t n, const float *x, struct err *e)
{
	struct scores *t = ctx;
	float *to = t->x + t->n * t->k;

	memcpy(to, x, (size_t)(n * t->k) * sizeof *x);
	for (int64_t i = 0; i < n && t->shift; i++)
		for (int c = 0; c < t->k; c++)
			to[i * t->k + c] += (float)t->shift[c];
	t->n += n;
	if (t->n == BLOCK_DENSE || row0 + n == t->sect->head.n_row) {
		set_add_dense(t->set, t->sect, t->row0, t->n, t->x, e);
		t->row0 += t->n;
		t->n = 0;
	}
	return e->code;
}

int
scores_put(struct app *a, struct rows *r, const struct pca_opt *o, const struct pca *f, const double *shift, const char *from,
	struct err *e)
{
	int64_t n = a->set.axis[AXIS_OBS].n;
	struct scores t = { .set = &a->set, .k = f->k, .shift = shift };

	app_phase("scores", n);
	t.x = mem_raw(float, (int64_t)BLOCK_DENSE * f->k);
	if (set_start_dense(t.set, "obsm/X_pca", DT_F32, n, f->k, from, &t.sect, e) == 0)
		pca_project(r, o, f, take_scores, &t, e);
	mem_free(t.x);
	return e->code;
}
