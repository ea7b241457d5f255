/* earlier - cells on the components of an earlier run: --project FIT */
#include "stored.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

/* An earlier fit, with its genes found in this input. */
struct earlier {
	struct set set;
	double *pcs, *centre, *mean, *std;      /* in FIT's genes */
	int64_t n_var, k;
	int32_t *at;            /* [n_var] gene of this input, or -1 */
	double clip;
};

static int
open_fit(struct app *a, const char *fit, const char *layer, struct earlier *f, struct err *e)
{
	struct map m = {0};
	char *path = (char *)fit;
	int64_t n, missing = 0, used = 0;
	struct item *it;

	set_init(&f->set);
	f->set.spool.cap = a->set.spool.cap;
	if (set_open(&f->set, &path, 1, e) || set_names(&f->set, AXIS_VAR, e) || set_names(&a->set, AXIS_VAR, e) ||
	    set_dense64(&f->set, "varm/PCs", &f->pcs, &f->n_var, &f->k, e))
		return e->code;
	set_numbers(&f->set, "var/pca_mean", &f->centre, e);
	if (strcmp(layer, "scaled") == 0) {
		set_numbers(&f->set, "var/mean", &f->mean, e);
		set_numbers(&f->set, "var/std", &f->std, e);
		it = set_need(&f->set, "layers/scaled", NULL, e);
		if (it && head_get(&it->s->head, "clip"))
			f->clip = strtod(head_get(&it->s->head, "clip"), NULL);
	}
	map_of(&m, &a->set.axis[AXIS_VAR].names);
	f->at = mem_new(int32_t, f->n_var);
	for (n = 0; n < f->n_var && !e->code; n++) {
		f->at[n] = (int32_t)map_get(&m, strs_get(&f->set.axis[AXIS_VAR].names, n));
		used += !isnan(f->centre[n]);
		missing += !isnan(f->centre[n]) && f->at[n] < 0;
	}
	map_clear(&m);
	if (!e->code && missing == used)
		err_set(e, ERR_DATA, "%s: none of its genes is in the input", fit);
	else if (!e->code && missing)
		app_warn("%lld of the fit's %lld genes are missing here and count as 0", (long long)missing, (long long)used);
	return e->code;
}

static void
close_fit(struct earlier *f)
{
	mem_free(f->pcs);
	mem_free(f->centre);
	mem_free(f->mean);
	mem_free(f->std);
	mem_free(f->at);
	set_close(&f->set);
}

/* A gene that this input lacks has the value of a zero in every cell: the same
 * shift of all scores. */
static void
absent(const struct earlier *f, const struct layer *l, double *shift)
{
	for (int64_t g = 0; g < f->n_var; g++) {
		double z;

		if (isnan(f->centre[g]) || f->at[g] >= 0)
			continue;
		z = f->mean ? -f->mean[g] / f->std[g] : 0;
		if (l->clip > 0)
			z = z < -l->clip ? -l->clip : z > l->clip ? l->clip : z;
		for (int64_t k = 0; k < f->k; k++)
			shift[k] += (z - f->centre[g]) * f->pcs[g * f->k + k];
	}
}

/* The genes that are here, as the stream's columns, with their loadings and what they are centred and scaled by. */
static void
take_genes(const struct earlier *f, const struct stored *s, struct pca *p, int32_t *gene, double *mean, double *sd)
{
	for (int64_t i = 0; i < f->n_var; i++) {
		int32_t c = f->at[i] < 0 ? -1 : s->place[f->at[i]];

		if (isnan(f->centre[i]) || c < 0)
			continue;
		gene[p->g] = c;
		if (f->mean) {
			mean[c] = f->mean[i];
			sd[c] = f->std[i];
		}
		p->mean[p->g] = f->centre[i];
		memcpy(p->loading + p->g * f->k, f->pcs + i * f->k, (size_t)f->k * sizeof *p->loading);
		p->g++;
	}
}

int
project_earlier(struct app *a, const char *fit, const char *layer, struct pick_layer *l, struct stored *s, struct err *e)
{
	struct earlier f = {0};
	int64_t n = a->set.axis[AXIS_OBS].n, n_var = a->set.axis[AXIS_VAR].n;
	struct pca p = { .n = n };
	int32_t *gene = mem_new(int32_t, n_var);
	double *mean = mem_new(double, n_var), *sd = mem_new(double, n_var), *shift;

	for (int64_t i = 0; i < n_var; i++)
		sd[i] = 1;
	if (open_fit(a, fit, layer, &f, e) == 0) {
		struct layer here = { l->l.row_div, l->l.log1p, f.mean ? mean : NULL, f.mean ? sd : NULL, f.clip };
		struct pca_opt po = { &here, gene, 0, (int)f.k, 0 };

		p.k = (int)f.k;
		p.loading = mem_new(double, f.n_var * f.k);
		p.mean = mem_new(double, f.n_var);
		shift = mem_new(double, f.k);
		take_genes(&f, s, &p, gene, mean, sd);
		po.g = p.g;
		absent(&f, &here, shift);
		scores_put(a, &s->r, &po, &p, shift, l->from, e);
		app_say(a, "%lld cells onto %lld components of an earlier fit, %lld genes", (long long)n, (long long)f.k, (long long)p.g);
		mem_free(shift);
		mem_free(p.loading);
		mem_free(p.mean);
	}
	mem_free(gene);
	mem_free(mean);
	mem_free(sd);
	close_fit(&f);
	return e->code;
}
