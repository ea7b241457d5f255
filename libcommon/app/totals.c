/* totals - see totals.h */
#include "app/totals.h"

#include <stdio.h>
#include <string.h>
#include "base/mem.h"

#define W TOTALS_WIDTH

static void
from_of(const char *col, char *from, size_t size)
{
	snprintf(from, size, "X%s%.250s", col ? ",obs/" : "", col ? col : "");
}

int
totals_put(struct app *a, const char *col, const struct strs *group, const int64_t *n, const double *x, struct err *e)
{
	int64_t n_var = a->set.axis[AXIS_VAR].n, n_group = col ? group->n : 1, w = n_group * W;
	double *m = mem_new(double, n_var * w), most = 0;
	json_t *j = json_object(), *names = json_array(), *cells = json_array();
	struct str t = {0};
	char from[300];

	for (int64_t b = 0; b < n_group; b++) {
		for (int64_t g = 0; g < n_var; g++)
			for (int k = 0; k < W; k++) {
				double v = x[(b * n_var + g) * W + k];

				m[g * w + b * W + k] = v;
				most = v > most ? v : most;
			}
		json_array_append_new(names, json_string(col ? strs_get(group, b) : "all"));
		json_array_append_new(cells, json_integer(n[b]));
	}
	json_object_set_new(j, "obs", json_string(a->set.axis[AXIS_OBS].digest));
	json_object_set_new(j, "column", col ? json_string(col) : json_null());
	json_object_set_new(j, "groups", names);
	json_object_set_new(j, "cells", cells);
	json_text(j, &t);
	from_of(col, from, sizeof from);
	if (most < 0x1p53) {
		set_put_dense(&a->set, "varm/gene_totals", DT_F64, m, n_var, w, from, e);
		set_put_text(&a->set, "uns/gene_totals", t.s, from, e);
	}
	json_decref(j);
	str_clear(&t);
	mem_free(m);
	return e->code;
}

/* Whether what a section was made from is still the same. */
static int
fresh(struct app *a, const char *path, const char *from, struct err *e)
{
	struct item *it = set_find(&a->set, path), *x = set_need(&a->set, "X", NULL, e);
	const char *had = it && x ? head_get(&it->s->head, "from") : NULL;
	struct str now = {0}, then = {0};
	char *list = mem_strdup(had ? had : ""), *save = NULL;
	int same;

	for (char *p = strtok_r(list, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		char id[33];

		if (strlen(p) != 32)
			continue;
		set_map_id(&a->set, p, id);
		str_addf(&then, "%s%s", then.n ? "," : "", id);
	}
	if (had)
		set_from(&a->set, from, &now, e);
	same = !e->code && then.n && now.n && strcmp(then.s, now.s) == 0;
	mem_free(list);
	str_clear(&now);
	str_clear(&then);
	return same;
}

/* What uns/gene_totals says, when it is of these cells; NULL else. */
static json_t *
about(struct app *a, struct err *e)
{
	struct str t = {0};
	json_t *j = NULL;
	const char *obs;

	if (e->code || !set_find(&a->set, "varm/gene_totals") || !set_find(&a->set, "uns/gene_totals"))
		return NULL;
	if (set_text(&a->set, "uns/gene_totals", &t, e) == 0)
		j = json_loads(t.s, 0, NULL);
	str_clear(&t);
	obs = json_string_value(json_object_get(j, "obs"));
	if (obs && strcmp(obs, a->set.axis[AXIS_OBS].digest) == 0)
		return j;
	json_decref(j);
	return NULL;
}

/* Column k of m [n_var][w] and the two behind it are added to x [n_var][W]. */
static void
add(const double *m, int64_t n_var, int64_t w, int64_t k, double *x)
{
	for (int64_t g = 0; g < n_var; g++)
		for (int i = 0; i < W; i++)
			x[g * W + i] += m[g * w + k * W + i];
}

double *
totals_get(struct app *a, const char *col, const struct strs *group, struct err *e)
{
	json_t *j = about(a, e), *names = json_object_get(j, "groups");
	const char *has = json_string_value(json_object_get(j, "column"));
	int64_t n_var, w, n_group = (int64_t)json_array_size(names), n_to = group ? group->n : 1;
	double *m = NULL, *x = NULL;
	struct map at = {0};
	char from[300];

	from_of(has, from, sizeof from);
	if (!j || e->code || (group && (!has || strcmp(has, col))) || !fresh(a, "varm/gene_totals", from, e) ||
	    set_dense64(&a->set, "varm/gene_totals", &m, &n_var, &w, e)) {
		json_decref(j);
		return NULL;
	}
	if (w == n_group * W && n_var == a->set.axis[AXIS_VAR].n) {
		x = mem_new(double, n_to * n_var * W);
		if (group)
			map_of(&at, group);
		for (int64_t b = 0; b < n_group; b++) {
			const char *name = json_string_value(json_array_get(names, (size_t)b));
			int64_t to = group ? name ? map_get(&at, name) : -1 : 0;

			if (to >= 0)
				add(m, n_var, w, b, x + to * n_var * W);
		}
		map_clear(&at);
	}
	mem_free(m);
	json_decref(j);
	return x;
}
