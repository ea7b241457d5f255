/* mtx - see mtx.h */
#include "io/mtx.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "io/table.h"
#include "os/text.h"

#define PATH 4200

int64_t
names_unique(struct strs *l)
{
	struct map seen = {0}, next = {0};
	struct strs out = {0};
	int64_t changed = 0;

	map_of(&seen, l);
	for (int64_t i = 0; i < l->n; i++) {
		const char *s = strs_get(l, i);
		int64_t first = map_get(&seen, s), k;
		char b[600];

		if (first == i) {
			strs_add(&out, s, strs_len(l, i));
			continue;
		}
		k = map_get(&next, s);
		if (k < 0)
			k = 1;
		do
			snprintf(b, sizeof b, "%.500s-%lld", s, (long long)k++);
		while (map_get(&seen, b) >= 0);
		map_put(&next, s, k);
		strs_add(&out, b, strlen(b));
		changed++;
	}
	map_clear(&seen);
	map_clear(&next);
	strs_clear(l);
	*l = out;
	return changed;
}

int
barcodes_check(const struct strs *l, struct err *e)
{
	struct map m = {0};
	int64_t twice = map_of(&m, l);

	map_clear(&m);
	if (twice >= 0)
		err_set(e, ERR_DATA, "the barcode %s stands there twice; make the names of the cells unique", strs_get(l, twice));
	return e->code;
}

static int
exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* prefix + name, or with .gz behind it; 0 when neither is there. */
static int
find_file(const char *prefix, const char *name, char out[PATH])
{
	snprintf(out, PATH, "%s%s", prefix, name);
	if (exists(out))
		return 1;
	snprintf(out, PATH, "%s%s.gz", prefix, name);
	return exists(out);
}

/* A folder as the prefix of its files: "dir/", or "dir/GSM1_" when one matrix with such a
 * prefix lies in it, or "dir/hg19/" when there is one folder with a matrix. */
static int
prefix_of(const char *path, const char *genome, char out[PATH], struct err *e)
{
	char file[PATH], sub[PATH] = "", pre[PATH] = "";
	struct stat st;
	struct dirent *d;
	DIR *dir;
	int n_sub = 0, n_pre = 0;
	struct str list = {0};

	if (stat(path, &st) || !S_ISDIR(st.st_mode)) {
		snprintf(out, PATH, "%s", path);
		return find_file(out, "matrix.mtx", file);
	}
	snprintf(out, PATH, "%.4000s%s", path, path[strlen(path) - 1] == '/' ? "" : "/");
	if (find_file(out, "matrix.mtx", file))
		return 1;
	dir = opendir(path);
	while (dir && (d = readdir(dir))) {
		char *m = strstr(d->d_name, "matrix.mtx");
		char try[PATH];

		if (m && (!m[10] || strcmp(m + 10, ".gz") == 0)) {
			snprintf(pre, PATH, "%.3900s%.*s", out, (int)(m - d->d_name), d->d_name);
			n_pre++;
		}
		snprintf(try, PATH, "%.3900s%.255s/", out, d->d_name);
		if (d->d_name[0] != '.' && find_file(try, "matrix.mtx", file) && (!genome || strcmp(genome, d->d_name) == 0)) {
			snprintf(sub, PATH, "%s", try);
			str_addf(&list, " %s", d->d_name);
			n_sub++;
		}
	}
	if (dir)
		closedir(dir);
	if (n_pre == 1)
		snprintf(out, PATH, "%s", pre);
	else if (n_sub == 1)
		snprintf(out, PATH, "%s", sub);
	if (e && (n_sub > 1 || n_pre > 1))
		err_set(e, ERR_DATA, "%s: holds %d matrices%s%.200s; name one%s", path, n_sub > 1 ? n_sub : n_pre,
		    n_sub > 1 ? ":" : "", list.s ? list.s : "", n_sub > 1 ? " with --genome" : " by its prefix");
	str_clear(&list);
	return n_pre == 1 || n_sub == 1;
}

int
mtx_is(const char *path)
{
	char out[PATH];
	struct stat st;

	return prefix_of(path, NULL, out, NULL) || (stat(path, &st) == 0 && S_ISDIR(st.st_mode));
}

struct features {
	struct strs id, name, type;
	int n_col;
	uint8_t *keep;
	int32_t *at;            /* new number of a feature, or -1 */
	int64_t n_keep;
};

/* First columns of a TSV without a header. */
static int
read_columns(const char *path, struct strs *col, int n_col, int *seen, struct err *e)
{
	struct text t;
	char *f[8];

	text_open(&t, path, e);
	while (text_line(&t, e)) {
		int n = text_split(t.line, '\t', 0, f, 8);

		if (n > *seen)
			*seen = n;
		for (int i = 0; i < n_col; i++)
			strs_add(&col[i], i < n && i < 8 ? f[i] : "", i < n && i < 8 ? strlen(f[i]) : 0);
	}
	text_close(&t);
	return e->code;
}

/* Which features stay: Gene Expression, unless all or another type is asked for. */
static int
choose_features(struct features *f, const struct import_opt *o, struct err *e)
{
	const char *want = o->feature_type ? o->feature_type : "Gene Expression";
	int typed = f->n_col >= 3, all = strcmp(want, "all") == 0;
	struct strs kinds = {0};

	f->keep = mem_new(uint8_t, f->id.n);
	f->at = mem_new(int32_t, f->id.n);
	for (int64_t i = 0; i < f->id.n; i++) {
		f->keep[i] = all || !typed || strcmp(strs_get(&f->type, i), want) == 0;
		f->at[i] = f->keep[i] ? (int32_t)f->n_keep++ : -1;
		if (typed && (kinds.n == 0 || strcmp(strs_get(&kinds, kinds.n - 1), strs_get(&f->type, i))))
			strs_add(&kinds, strs_get(&f->type, i), strs_len(&f->type, i));
	}
	if (f->id.n && f->n_keep == 0)
		err_set(e, ERR_DATA, "no feature of type '%s'; there are '%s' and perhaps others; choose with --feature-type", want,
		    kinds.n ? strs_get(&kinds, 0) : "");
	else if (f->n_keep < f->id.n && o->note) {
		char b[200];

		snprintf(b, sizeof b, "%lld features of other types than '%.60s' are left out; --feature-type all keeps them",
		    (long long)(f->id.n - f->n_keep), want);
		o->note(b);
	}
	strs_clear(&kinds);
	return e->code;
}

/* var axis and its columns from the chosen features. */
static int
put_features(struct set *s, struct features *f, const struct import_opt *o, struct err *e)
{
	struct strs name = {0}, type = {0};
	struct column id = { .dtype = DT_STR, .n = f->n_keep }, t = {0};
	int64_t changed;

	for (int64_t i = 0; i < f->id.n; i++) {
		if (!f->keep[i])
			continue;
		strs_add(&id.str, strs_get(&f->id, i), strs_len(&f->id, i));
		strs_add(&name, strs_get(f->n_col > 1 ? &f->name : &f->id, i), strs_len(f->n_col > 1 ? &f->name : &f->id, i));
		strs_add(&type, strs_get(&f->type, i), strs_len(&f->type, i));
	}
	changed = names_unique(&name);
	if (changed && o->note) {
		char b[120];

		snprintf(b, sizeof b, "%lld repeated gene symbols got -1, -2, ... behind them; var/gene_ids tells them apart", (long long)changed);
		o->note(b);
	}
	set_put_axis(s, AXIS_VAR, &name, e);
	set_put_column(s, "var/gene_ids", &id, "", e);
	if (f->n_col >= 3) {
		column_factor(&t, &type);
		set_put_column(s, "var/feature_types", &t, "", e);
		column_clear(&t);
	}
	column_clear(&id);
	strs_clear(&type);
	return e->code;
}

struct mtx {
	struct text text;
	int64_t n_row, n_col, n_entry;
	int pattern;
};

static int
mtx_header(struct mtx *m, const char *path, struct err *e)
{
	char low[200] = "";

	if (text_open(&m->text, path, e))
		return e->code;
	if (text_line(&m->text, e)) {
		snprintf(low, sizeof low, "%s", m->text.line);
		for (char *p = low; *p; p++)
			*p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
	}
	if (!e->code && (strncmp(low, "%%matrixmarket matrix coordinate", 32) || !strstr(low, "general")))
		return err_set(e, ERR_DATA, "%s: is no MatrixMarket coordinate matrix", path);
	m->pattern = strstr(low, "pattern") != NULL;
	while (text_line(&m->text, e) && (m->text.line[0] == '%' || m->text.len == 0))
		;
	if (!e->code && (sscanf(m->text.line, "%lld %lld %lld", (long long *)&m->n_row, (long long *)&m->n_col,
	    (long long *)&m->n_entry) != 3 || m->n_row < 0 || m->n_col < 0 || m->n_entry < 0))
		err_set(e, ERR_DATA, "%s: line %lld: no dimensions", path, (long long)m->text.n_line);
	return e->code;
}

/* A whole number at *p; -1 when there is none. */
static int64_t
whole(const char **p)
{
	const char *s = *p;
	int64_t v = 0;

	while (*s == ' ' || *s == '\t')
		s++;
	if (*s < '0' || *s > '9')
		return -1;
	for (; *s >= '0' && *s <= '9' && v < (int64_t)1 << 58; s++)
		v = v * 10 + (*s - '0');
	*p = s;
	return v;
}

/* The next entry, 0-based; 1, or 0 at the end. */
static int
mtx_entry(struct mtx *m, int64_t *row, int64_t *col, double *v, struct err *e)
{
	const char *p;
	char *end;
	int64_t w;

	do
		if (!text_line(&m->text, e))
			return 0;
	while (m->text.len == 0);
	p = m->text.line;
	*row = whole(&p) - 1;
	*col = whole(&p) - 1;
	*v = 1;
	if (!m->pattern) {
		const char *q = p;

		w = whole(&q);
		*v = (double)w;
		if (w < 0 || (*q && *q != ' ' && *q != '\t')) {
			*v = strtod(p, &end);
			if (end == p)
				*row = -1;
		}
	}
	if (*row < 0 || *row >= m->n_row || *col < 0 || *col >= m->n_col) {
		err_set(e, ERR_DATA, "%s: line %lld: '%.60s' is no entry of a %lld x %lld matrix", m->text.path,
		    (long long)m->text.n_line, m->text.line, (long long)m->n_row, (long long)m->n_col);
		return 0;
	}
	return 1;
}

/* Entries by cell, genes rising within one: the usual case, one pass and no
 * detour.  Returns 0 when they are not in that order: then begin again. */
static int
mtx_sorted(struct mtx *m, struct sink *k, const struct features *f, struct err *e)
{
	struct csr b = {0};
	int64_t g, c, last = -1, cell = 0, n = 0, done = 0;
	double v;
	int ok = 1;

	csr_reserve(&b, 1, 0);
	b.n_col = f->n_keep;
	b.n_row = 1;
	while (ok && mtx_entry(m, &g, &c, &v, e)) {
		if (c < cell || (c == cell && g <= last)) {
			ok = 0;
			break;
		}
		for (; cell < c; cell++) {
			b.ptr[1] = n;
			sink_add(k, &b, e);
			n = 0;
		}
		last = g;
		done++;
		if (f->at[g] < 0)
			continue;
		csr_reserve(&b, 1, n + 1);
		b.col[n] = f->at[g];
		b.val[n++] = v;
	}
	for (; ok && !e->code && cell < m->n_col; cell++) {
		b.ptr[1] = n;
		sink_add(k, &b, e);
		n = 0;
	}
	if (ok && !e->code && done != m->n_entry)
		err_set(e, ERR_CUT, "%s: has %lld entries, its header says %lld: it was cut", m->text.path, (long long)done,
		    (long long)m->n_entry);
	csr_clear(&b);
	return ok;
}

/* Entries in any order; flip: rows are cells. */
static int
mtx_scattered(struct set *s, struct mtx *m, const struct features *f, int flip, int64_t n_cell, struct err *e)
{
	struct scatter *t = scatter_new(s);
	int64_t g, c, done = 0;
	double v;

	while (mtx_entry(m, flip ? &c : &g, flip ? &g : &c, &v, e)) {
		done++;
		if (f->at[g] >= 0)
			scatter_add(t, c, f->at[g], v, e);
	}
	if (!e->code && done != m->n_entry)
		err_set(e, ERR_CUT, "%s: has %lld entries, its header says %lld: it was cut", m->text.path, (long long)done,
		    (long long)m->n_entry);
	return scatter_end(t, "X", DT_F64, n_cell, f->n_keep, e);
}

static int
mtx_values(struct set *s, const char *path, const struct features *f, int64_t n_cell, struct err *e)
{
	struct mtx m = {0};
	struct sink k;
	int flip, ok = 0;

	if (mtx_header(&m, path, e) == 0) {
		flip = m.n_row != f->id.n && m.n_row == n_cell && m.n_col == f->id.n;
		if (!flip && (m.n_row != f->id.n || m.n_col != n_cell))
			err_set(e, ERR_DATA, "%s: is %lld x %lld, but there are %lld features and %lld barcodes", path,
			    (long long)m.n_row, (long long)m.n_col, (long long)f->id.n, (long long)n_cell);
		if (!flip && !e->code) {
			sink_open(&k, s, "X", DT_F64, n_cell, f->n_keep, e);
			ok = mtx_sorted(&m, &k, f, e);
			if (!ok && !e->code)
				k.given = -1;           /* given up: not to be closed as whole */
			sink_close(&k, e);
		}
		if (!ok && !e->code) {
			text_close(&m.text);
			mtx_header(&m, path, e);
			mtx_scattered(s, &m, f, flip, n_cell, e);
		}
	}
	text_close(&m.text);
	return e->code;
}

static void
clear_features(struct features *f)
{
	strs_clear(&f->id);
	strs_clear(&f->name);
	strs_clear(&f->type);
	mem_free(f->keep);
	mem_free(f->at);
}

int
mtx_import(struct set *s, const char *path, const struct import_opt *o, struct err *e)
{
	char prefix[PATH], feat[PATH], bar[PATH], mat[PATH];
	struct strs col[3] = {{0}}, cells = {0};
	struct features f = {0};
	int n_bar = 0;

	if (!prefix_of(path, o->genome, prefix, e) && !e->code)
		err_set(e, ERR_DATA, "%s: holds no matrix.mtx; give the folder with matrix.mtx(.gz), features.tsv(.gz), barcodes.tsv(.gz)", path);
	if (!e->code && !find_file(prefix, "matrix.mtx", mat))
		err_set(e, ERR_DATA, "%smatrix.mtx(.gz) is missing", prefix);
	if (!e->code && !find_file(prefix, "genes.tsv", feat) && !find_file(prefix, "features.tsv", feat))
		err_set(e, ERR_DATA, "%sfeatures.tsv(.gz) is missing", prefix);
	if (!e->code && !find_file(prefix, "barcodes.tsv", bar))
		err_set(e, ERR_DATA, "%sbarcodes.tsv(.gz) is missing", prefix);
	if (e->code)
		return e->code;
	read_columns(feat, col, 3, &f.n_col, e);
	read_columns(bar, &cells, 1, &n_bar, e);
	f.id = col[0];
	f.name = col[1];
	f.type = col[2];
	if (!e->code && choose_features(&f, o, e) == 0 && barcodes_check(&cells, e) == 0) {
		int64_t n_cell = cells.n;

		set_put_axis(s, AXIS_OBS, &cells, e);
		put_features(s, &f, o, e);
		mtx_values(s, mat, &f, n_cell, e);
	}
	strs_clear(&cells);
	clear_features(&f);
	return e->code;
}

int
matrix_table_import(struct set *s, const char *path, const struct import_opt *o, struct err *e)
{
	struct table_lines t;
	struct scatter *sc = scatter_new(s);
	struct strs row = {0}, col = {0};
	struct strs *genes = o->rows_are_cells ? &col : &row, *cells = o->rows_are_cells ? &row : &col;
	int64_t changed, n_cell, n_gene;

	table_open(&t, path, e);
	while (!e->code && table_next(&t, e)) {
		strs_add(&row, t.field[0], strlen(t.field[0]));
		for (int i = 1; i < t.n_field && !e->code; i++) {
			double v;

			if (!text_real(t.field[i], &v))
				err_set(e, ERR_DATA, "%s: line %lld: '%.40s' is no number", path, (long long)t.text.n_line, t.field[i]);
			else if (v != 0 && o->rows_are_cells)
				scatter_add(sc, row.n - 1, i - 1, v, e);
			else if (v != 0)
				scatter_add(sc, i - 1, (int32_t)row.n - 1, v, e);
		}
	}
	for (int64_t i = t.n_field ? 0 : 1; i < t.head.n; i++)
		strs_add(&col, strs_get(&t.head, i), strs_len(&t.head, i));
	table_close(&t);
	if (!e->code)
		barcodes_check(cells, e);
	changed = names_unique(genes);
	if (changed && o->note)
		o->note("repeated gene names got -1, -2, ... behind them");
	n_cell = cells->n;
	n_gene = genes->n;
	set_put_axis(s, AXIS_OBS, cells, e);
	set_put_axis(s, AXIS_VAR, genes, e);
	scatter_end(sc, "X", DT_F64, n_cell, n_gene, e);
	strs_clear(&row);
	strs_clear(&col);
	return e->code;
}
