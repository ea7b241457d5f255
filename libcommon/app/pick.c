/* pick - see pick.h */
#include "app/pick.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

static void
depends(struct pick_layer *p, const char *path)
{
	size_t n = strlen(p->from);

	snprintf(p->from + n, sizeof p->from - n, "%s%s", n ? "," : "", path);
}

/* The column that a key of the formula names. */
static int
column_of(struct app *a, const struct head *h, const char *key, struct pick_layer *p, double **x, struct err *e)
{
	const char *path = head_get(h, key);

	if (!path || e->code)
		return e->code;
	depends(p, path);
	return set_numbers(&a->set, path, x, e);
}

int
pick_layer(struct app *a, const char *name, struct pick_layer *p, struct err *e)
{
	char path[300];
	struct item *it;
	const struct head *h;

	memset(p, 0, sizeof *p);
	if (e->code || strcmp(name, "counts") == 0) {
		depends(p, "X");
		return e->code;
	}
	snprintf(path, sizeof path, "layers/%.200s", name);
	it = set_need(&a->set, path, strcmp(name, "scaled") == 0 ? "run ovx-scale first" : "run ovx-normalize first", e);
	if (!it)
		return e->code;
	h = &it->s->head;
	if (h->kind != KIND_FORMULA)
		return err_set(e, ERR_DATA, "%s is a stored matrix, not a formula over X", path);
	if (!head_get(h, "x") || strcmp(head_get(h, "x"), "X"))
		return err_set(e, ERR_DATA, "%s: unknown formula: written by a newer version", path);
	for (int64_t i = 0; i + 1 < h->kv.n; i += 2) {
		static const char known[] = " path axis0 axis1 from id root x log1p div mean std clip ";
		char key[40];

		snprintf(key, sizeof key, " %.30s ", strs_get(&h->kv, i));
		if (!strstr(known, key))
			return err_set(e, ERR_DATA, "%s: the formula has a part '%s' that is not known: written by a newer version", path,
			    strs_get(&h->kv, i));
	}
	depends(p, path);
	p->l.log1p = head_get(h, "log1p") != NULL;
	if (head_get(h, "clip"))
		p->l.clip = strtod(head_get(h, "clip"), NULL);
	column_of(a, h, "div", p, &p->div, e);
	column_of(a, h, "mean", p, &p->mean, e);
	column_of(a, h, "std", p, &p->std, e);
	p->l.row_div = p->div;
	p->l.mean = p->mean;
	p->l.std = p->std;
	return e->code;
}

void
pick_layer_clear(struct pick_layer *p)
{
	mem_free(p->div);
	mem_free(p->mean);
	mem_free(p->std);
	memset(p, 0, sizeof *p);
}

int
pick_groups(struct app *a, const char *col, struct pick_groups *g, struct err *e)
{
	struct column c;

	memset(g, 0, sizeof *g);
	snprintf(g->path, sizeof g->path, "obs/%.250s", col);
	if (set_column(&a->set, g->path, &c, e) == 0)
		column_levels(&c, g->path, &g->code, &g->name, e);
	if (!e->code)
		app_reads(a, g->path);
	column_clear(&c);
	return e->code;
}

void
pick_groups_clear(struct pick_groups *g)
{
	mem_free(g->code);
	strs_clear(&g->name);
	memset(g, 0, sizeof *g);
}

int64_t
pick_n_groups(struct app *a, const char *col, struct err *e)
{
	struct pick_groups g = {0};
	int64_t n = 1;

	if (col && pick_groups(a, col, &g, e) == 0)
		n = g.name.n;
	pick_groups_clear(&g);
	return n;
}

int
pick_embedding_shape(struct app *a, const char *key, struct pick_embedding *p, struct err *e)
{
	struct item *it;

	memset(p, 0, sizeof *p);
	if (key)
		snprintf(p->path, sizeof p->path, "%s%.250s", strncmp(key, "obsm/", 5) ? "obsm/" : "", key);
	else
		snprintf(p->path, sizeof p->path, "%s", set_find(&a->set, "obsm/X_harmony") ? "obsm/X_harmony" : "obsm/X_pca");
	it = set_need(&a->set, p->path, "run ovx-pca first", e);
	if (!it)
		return e->code;
	p->n = set_rows_of(&a->set, it);
	p->d = it->s->head.n_col;
	return 0;
}

int
pick_embedding(struct app *a, const char *key, int64_t dims, struct pick_embedding *p, struct err *e)
{
	if (pick_embedding_shape(a, key, p, e))
		return e->code;
	p->dims = (int)(dims == 0 || dims > p->d ? p->d : dims);
	app_reads(a, p->path);
	return set_dense(&a->set, p->path, &p->x, &p->n, &p->d, e);
}

void
pick_embedding_clear(struct pick_embedding *p)
{
	mem_free(p->x);
	p->x = NULL;
}
