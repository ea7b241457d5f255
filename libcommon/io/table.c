/* table - see table.h */
#include "io/table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "os/file.h"
#include "stream/head.h"

static char
separator(const char *line)
{
	static const char cand[] = "\t,;";

	for (const char *c = cand; *c; c++)
		if (strchr(line, *c))
			return *c;
	return strchr(line, ' ') ? ' ' : '\t';
}

int
table_open(struct table_lines *t, const char *path, struct err *e)
{
	int n;

	memset(t, 0, sizeof *t);
	if (text_open(&t->text, path, e))
		return e->code;
	if (!text_line(&t->text, e))
		return err_set(e, ERR_DATA, "%s: is empty", path);
	t->sep = separator(t->text.line);
	t->first = mem_strdup(t->text.line);
	n = text_split(t->first, t->sep, t->sep != '\t', NULL, 0);
	t->cap = n + 2;
	t->field = mem_new(char *, t->cap);
	mem_free(t->first);
	t->first = mem_strdup(t->text.line);
	text_split(t->first, t->sep, t->sep != '\t', t->field, t->cap);
	for (int i = 0; i < n; i++)
		strs_add(&t->head, t->field[i], strlen(t->field[i]));
	return e->code;
}

int
table_next(struct table_lines *t, struct err *e)
{
	int n;

	do
		if (!text_line(&t->text, e))
			return 0;
	while (t->text.len == 0);
	n = text_split(t->text.line, t->sep, t->sep != '\t', t->field, t->cap);
	if (t->n_field == 0) {
		/* A header without a name over the first column, or with one. */
		if (n == (int)t->head.n) {
			struct strs h = {0};

			for (int64_t i = 1; i < t->head.n; i++)
				strs_add(&h, strs_get(&t->head, i), strs_len(&t->head, i));
			strs_clear(&t->head);
			t->head = h;
		}
		t->n_field = n;
	}
	if (n != t->n_field || n != (int)t->head.n + 1) {
		err_set(e, ERR_DATA, "%s: line %lld has %d fields where %lld must be", t->text.path, (long long)t->text.n_line,
		    n, (long long)t->head.n + 1);
		return 0;
	}
	return 1;
}

void
table_close(struct table_lines *t)
{
	text_close(&t->text);
	strs_clear(&t->head);
	mem_free(t->field);
	mem_free(t->first);
	memset(t, 0, sizeof *t);
}

int
table_read(struct table *t, const char *path, struct err *e)
{
	struct table_lines l;

	memset(t, 0, sizeof *t);
	table_open(&l, path, e);
	while (!e->code && table_next(&l, e)) {
		if (!t->value) {
			t->n_col = l.head.n;
			t->value = mem_new(struct strs, t->n_col);
		}
		strs_add(&t->row, l.field[0], strlen(l.field[0]));
		for (int64_t i = 0; i < t->n_col; i++)
			strs_add(&t->value[i], l.field[i + 1], strlen(l.field[i + 1]));
	}
	for (int64_t i = t->value ? 0 : 1; i < l.head.n; i++)
		strs_add(&t->col, strs_get(&l.head, i), strs_len(&l.head, i));
	if (!t->value) {                /* a header alone */
		t->n_col = t->col.n;
		t->value = mem_new(struct strs, t->n_col);
	}
	t->n_row = t->row.n;
	table_close(&l);
	if (e->code)
		table_clear(t);
	return e->code;
}

void
table_clear(struct table *t)
{
	for (int64_t i = 0; i < t->n_col && t->value; i++)
		strs_clear(&t->value[i]);
	mem_free(t->value);
	strs_clear(&t->row);
	strs_clear(&t->col);
	memset(t, 0, sizeof *t);
}

int
table_axis(struct set *s, int axis, const char *path, struct err *e)
{
	struct table t;

	if (table_read(&t, path, e) == 0)
		set_put_axis(s, axis, &t.row, e);
	table_clear(&t);
	return e->code;
}

/* For every name of the axis its row in the table, or -1. */
static int64_t *
match(const struct strs *axis, const struct strs *row, const char *path, int64_t *missing, int64_t *surplus, struct err *e)
{
	struct map m = {0};
	int64_t *at = mem_new(int64_t, axis->n), twice = map_of(&m, row);

	*missing = 0;
	for (int64_t i = 0; i < axis->n; i++) {
		at[i] = map_get(&m, strs_get(axis, i));
		*missing += at[i] < 0;
	}
	*surplus = row->n - (axis->n - *missing);
	if (twice >= 0)
		err_set(e, ERR_DATA, "%s: the name %s stands there twice", path, strs_get(row, twice));
	else if (*missing == axis->n && axis->n > 0)
		err_set(e, ERR_DATA, "%s: none of its names (like %s) is in the input (like %s)", path,
		    row->n ? strs_get(row, 0) : "", strs_get(axis, 0));
	map_clear(&m);
	return at;
}

int
table_paste(struct set *s, int axis, const char *path, int64_t *missing, int64_t *surplus, struct err *e)
{
	struct table t;
	int64_t *at;

	if (set_names(s, axis, e) || table_read(&t, path, e))
		return e->code;
	at = match(&s->axis[axis].names, &t.row, path, missing, surplus, e);
	for (int64_t k = 0; k < t.n_col && !e->code; k++) {
		struct strs v = {0};
		struct column c;
		char to[600];

		for (int64_t i = 0; i < s->axis[axis].n; i++)
			if (at[i] >= 0)
				strs_add(&v, strs_get(&t.value[k], at[i]), strs_len(&t.value[k], at[i]));
			else
				strs_add(&v, "", 0);
		column_parse(&c, &v);
		snprintf(to, sizeof to, "%s/%.500s", axis_name[axis], strs_get(&t.col, k));
		if (!*strs_get(&t.col, k))
			err_set(e, ERR_DATA, "%s: column %lld has no name", path, (long long)k + 2);
		set_put_column(s, to, &c, "", e);
		column_clear(&c);
		strs_clear(&v);
	}
	mem_free(at);
	table_clear(&t);
	return e->code;
}

/* --- NPY -------------------------------------------------------------------- */

void
npy_header(struct str *out, const char *descr, int64_t n, int64_t d)
{
	char dict[200];
	int len = d ? snprintf(dict, sizeof dict, "{'descr': '%s', 'fortran_order': False, 'shape': (%lld, %lld), }",
	    descr, (long long)n, (long long)d) :
	    snprintf(dict, sizeof dict, "{'descr': '%s', 'fortran_order': False, 'shape': (%lld,), }", descr, (long long)n);
	int total = (10 + len + 1 + 63) / 64 * 64 - 10;
	uint8_t lead[10] = { 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (uint8_t)total, (uint8_t)(total >> 8) };

	str_addn(out, lead, 10);
	str_addn(out, dict, (size_t)len);
	for (int i = len; i < total - 1; i++)
		str_addn(out, " ", 1);
	str_addn(out, "\n", 1);
}

/* Width and kind of a descr like "<f4"; 0 when it is none that is read. */
static int
npy_type(const char *descr, char *kind)
{
	if (descr[0] != '<' && descr[0] != '|' && descr[0] != '=')
		return 0;
	*kind = descr[1];
	if (!*kind || !strchr("fiub", *kind) || (*kind == 'f' && descr[2] != '4' && descr[2] != '8'))
		return 0;
	return descr[2] == '1' || descr[2] == '2' || descr[2] == '4' || descr[2] == '8' ? descr[2] - '0' : 0;
}

static double
npy_value(const char *p, char kind, int w)
{
	float f;
	double d;
	uint64_t u = 0;

	if (kind == 'f' && w == 4) {
		memcpy(&f, p, 4);
		return f;
	}
	if (kind == 'f') {
		memcpy(&d, p, 8);
		return d;
	}
	memcpy(&u, p, (size_t)w);
	if (kind == 'i' && w < 8 && u >> (8 * w - 1))
		u |= ~(uint64_t)0 << 8 * w;
	return kind == 'i' ? (double)(int64_t)u : (double)u;
}

int
npy_read(const char *path, double **x, int64_t *n, int64_t *d, struct err *e)
{
	int fd = file_open(path, e), w = 0;
	uint8_t lead[12];
	char *dict = NULL, *q, kind = 0, *buf = NULL;
	int64_t len = 0, shape[2] = { 0, 1 }, cap = 0;

	*x = NULL;
	if (fd < 0)
		return e->code;
	if (file_read(fd, lead, 10, e) == 10 && memcmp(lead, "\x93NUMPY", 6) == 0) {
		len = lead[8] | lead[9] << 8;
		if (lead[6] > 1 && file_read(fd, lead + 10, 2, e) == 2)
			len |= lead[10] << 16;
		dict = mem_new(char, len + 1);
		if (file_read(fd, dict, (size_t)len, e) == len) {
			if ((q = strstr(dict, "'descr': '")))
				w = npy_type(q + 10, &kind);
			if ((q = strstr(dict, "'shape': (")))
				w = sscanf(q + 10, "%lld, %lld", (long long *)&shape[0], (long long *)&shape[1]) >= 1 ? w : 0;
			if (strstr(dict, "'fortran_order': True"))
				w = 0;
		}
	}
	if (w == 0 || shape[0] < 0 || shape[1] < 1 || shape[0] > ((int64_t)1 << 40) / shape[1])
		err_set(e, ERR_DATA, "%s: is no NPY file that can be read: a C-ordered matrix of numbers", path);
	*n = shape[0];
	*d = shape[1];
	if (!e->code) {
		cap = *n * *d < 1 << 20 ? *n * *d : 1 << 20;    /* grows with what was read, whatever the header says */
		*x = mem_renew(NULL, double, cap);
		buf = mem_raw(char, 1 << 16);
	}
	for (int64_t i = 0; !e->code && i < *n * *d; ) {
		int64_t some = *n * *d - i < 8192 ? *n * *d - i : 8192;

		if (file_read(fd, buf, (size_t)(some * w), e) != some * w)
			err_set(e, ERR_CUT, "%s: ends in the middle", path);
		if (i + some > cap) {
			cap = 2 * cap < *n * *d ? 2 * cap : *n * *d;
			*x = mem_renew(*x, double, cap);
		}
		for (int64_t k = 0; k < some && !e->code; k++)
			(*x)[i + k] = npy_value(buf + k * w, kind, w);
		i += some;
	}
	if (e->code) {
		mem_free(*x);
		*x = NULL;
	}
	mem_free(buf);
	mem_free(dict);
	close(fd);
	return e->code;
}

static int
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n >= k && strcmp(s + n - k, end) == 0;
}

int
table_paste_matrix(struct set *s, const char *to, const char *path, int64_t *missing, int64_t *surplus, struct err *e)
{
	int axis = strncmp(to, "varm/", 5) == 0 ? AXIS_VAR : AXIS_OBS;
	int64_t n = s->axis[axis].n, d = 0, rows;
	double *x = NULL;
	struct table t = {0};
	int64_t *at = NULL;

	*missing = *surplus = 0;
	if (e->code)
		return e->code;
	if (ends_with(path, ".npy")) {
		if (npy_read(path, &x, &rows, &d, e) == 0 && rows != n)
			err_set(e, ERR_DATA, "%s: has %lld rows, the input %lld", path, (long long)rows, (long long)n);
	} else if (set_names(s, axis, e) == 0 && table_read(&t, path, e) == 0) {
		at = match(&s->axis[axis].names, &t.row, path, missing, surplus, e);
		if (*missing)
			err_set(e, ERR_DATA, "%s: lacks %lld of the %lld %s", path, (long long)*missing, (long long)n,
			    axis == AXIS_OBS ? "cells" : "genes");
		d = t.n_col;
		x = mem_raw(double, n * d);
		for (int64_t i = 0; i < n && !e->code; i++)
			for (int64_t k = 0; k < d && !e->code; k++)
				if (!text_real(strs_get(&t.value[k], at[i]), &x[i * d + k]))
					err_set(e, ERR_DATA, "%s: '%s' of %s is no number", path, strs_get(&t.value[k], at[i]),
					    strs_get(&t.row, at[i]));
	}
	set_put_dense(s, to, DT_F64, x, n, d, "", e);
	mem_free(x);
	mem_free(at);
	table_clear(&t);
	return e->code;
}
