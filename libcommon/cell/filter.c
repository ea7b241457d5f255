/* filter - see filter.h */
#include "cell/filter.h"

#include <stdio.h>
#include <string.h>
#include "base/expr.h"
#include "base/mem.h"
#include "os/text.h"

struct columns {
	struct set *set;
	int axis;
	struct column *col;
	struct strs name;
};

#define NAME_COLUMN 1000000

static int
find_column(void *ctx, const char *name, struct err *e)
{
	struct columns *c = ctx;
	char path[600];

	if (e->code)
		return -1;
	if (strcmp(name, "name") == 0) {
		set_names(c->set, c->axis, e);
		return NAME_COLUMN;
	}
	for (int64_t i = 0; i < c->name.n; i++)
		if (strcmp(strs_get(&c->name, i), name) == 0)
			return (int)i;
	snprintf(path, sizeof path, "%s/%.500s", axis_name[c->axis], strncmp(name, axis_name[c->axis], 3) == 0 && name[3] == '/' ?
	    name + 4 : name);
	c->col = mem_renew(c->col, struct column, c->name.n + 1);
	memset(&c->col[c->name.n], 0, sizeof *c->col);
	if (set_column(c->set, path, &c->col[c->name.n], e))
		return -1;
	strs_add(&c->name, name, strlen(name));
	return (int)c->name.n - 1;
}

static struct value
value_of(void *ctx, int col, int64_t i)
{
	struct columns *c = ctx;
	struct value v = {0};
	const struct column *k;

	if (col == NAME_COLUMN) {
		v.is_text = 1;
		v.s = strs_get(&c->set->axis[c->axis].names, i);
		return v;
	}
	k = &c->col[col];
	v.missing = column_missing(k, i);
	v.is_text = k->dtype == DT_STR || k->dtype == DT_CAT;
	if (v.is_text)
		v.s = column_string(k, i);
	else
		v.x = column_number(k, i);
	return v;
}

int
filter_expr(struct set *s, int axis, const char *text, uint8_t *keep, struct err *e)
{
	struct columns c = { .set = s, .axis = axis };
	struct expr *x = expr_parse(text, find_column, &c, e);

	for (int64_t i = 0; x && i < s->axis[axis].n; i++)
		keep[i] = keep[i] && expr_true(x, value_of, &c, i);
	expr_free(x);
	for (int64_t i = 0; i < c.name.n; i++)
		column_clear(&c.col[i]);
	mem_free(c.col);
	strs_clear(&c.name);
	return e->code;
}

int
filter_mask(struct set *s, int axis, const char *file, uint8_t **mask, int64_t *unknown, struct err *e)
{
	struct map m = {0};
	struct text t;
	uint8_t *in;

	*mask = NULL;
	*unknown = 0;
	if (set_names(s, axis, e) || text_open(&t, file, e))
		return e->code;
	in = mem_new(uint8_t, s->axis[axis].n);
	map_of(&m, &s->axis[axis].names);
	while (text_line(&t, e)) {
		int64_t i;

		t.line[strcspn(t.line, "\t")] = 0;
		if (!t.line[0])
			continue;
		i = map_get(&m, t.line);
		if (i < 0)
			++*unknown;
		else
			in[i] = 1;
	}
	text_close(&t);
	map_clear(&m);
	*mask = in;
	return e->code;
}

int
filter_list(struct set *s, int axis, const char *file, int not, uint8_t *keep, int64_t *unknown, struct err *e)
{
	uint8_t *in;

	if (filter_mask(s, axis, file, &in, unknown, e) == 0)
		for (int64_t i = 0; i < s->axis[axis].n; i++)
			keep[i] = keep[i] && in[i] != not;
	mem_free(in);
	return e->code;
}

int64_t *
filter_rows(const uint8_t *keep, int64_t n, int64_t *n_keep)
{
	int64_t *at = mem_new(int64_t, n);

	*n_keep = 0;
	for (int64_t i = 0; i < n; i++)
		if (keep[i])
			at[(*n_keep)++] = i;
	return at;
}
