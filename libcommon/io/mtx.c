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
#include "io/mtx_impl.h"
#include "io/table.h"

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

#define ROWS 1024               /* given to the sink at once; how many does not matter */

/* Entries by cell, the usual case, on their way into the sink: whole rows from the blocks where they are, those
 * that go on in the next block through a copy. */
struct by_cell {
	struct sink sink;
	int64_t next;           /* row that comes next */
	int64_t last;           /* cell of the last entry, -1 = none yet; its row is in open */
	struct csr open;
	int64_t ptr[ROWS + 1];  /* of n_row rows that are not given yet */
	int n_row;
	int falls;              /* the order was another: given up */
};

/* The row that is open gets the entries lo .. hi - 1. */
static void
append(struct by_cell *t, const struct mtx_block *b, int64_t lo, int64_t hi)
{
	struct csr *r = &t->open;
	int64_t n = r->ptr[1];

	csr_reserve(r, 1, n + hi - lo);
	memcpy(r->col + n, b->gene + lo, (size_t)(hi - lo) * sizeof *r->col);
	for (int64_t i = lo; i < hi; i++)
		r->val[n++] = b->whole ? b->whole[i] : b->real[i];
	r->ptr[1] = n;
}

static void
give_open(struct by_cell *t, struct err *e)
{
	if (t->last >= 0) {
		sink_add(&t->sink, &t->open, e);
		t->next++;
	}
	t->open.ptr[1] = 0;
}

static void
give_rows(struct by_cell *t, const struct mtx_block *b, struct err *e)
{
	struct pack_rows r = { .n_row = t->n_row, .n_col = t->open.n_col, .ptr = t->ptr, .col = b->gene,
		.val = b->whole ? (const void *)b->whole : b->real, .type = b->whole ? PACK_I32 : PACK_F64 };

	sink_add_rows(&t->sink, &r, e);
	t->ptr[0] = t->ptr[t->n_row];
	t->n_row = 0;
}

/* A row ends in front of entry at. */
static void
end_row(struct by_cell *t, const struct mtx_block *b, int64_t at, struct err *e)
{
	t->ptr[++t->n_row] = at;
	t->next++;
	if (t->n_row == ROWS)
		give_rows(t, b, e);
}

static int
add_by_cell(void *ctx, const struct mtx_block *b, struct err *e)
{
	struct by_cell *t = ctx;
	const struct mtx_run *r = b->run, *end;

	if (b->n_run == 0)
		return 0;
	t->falls = b->falls || r->cell < t->last;
	if (t->falls)
		return 1;
	end = r + b->n_run;
	if (r->cell == t->last) {
		append(t, b, r->at, r[1].at);
		r++;
	}
	if (r == end)
		return 0;
	give_open(t, e);
	t->ptr[0] = r->at;
	for (; r < end; r++) {
		while (t->next < r->cell)
			end_row(t, b, r->at, e);
		if (r + 1 < end)
			end_row(t, b, r[1].at, e);
	}
	give_rows(t, b, e);
	t->last = end[-1].cell;
	append(t, b, end[-1].at, end->at);
	return e->code;
}

/* Returns 0 when the entries are in another order: then begin again. */
static int
mtx_sorted(struct set *s, struct mtx *m, const struct features *f, struct err *e)
{
	struct by_cell *t = mem_new(struct by_cell, 1);
	struct mtx_block none = {0};
	struct par *par = s->par;
	int ok;

	sink_open(&t->sink, s, "X", DT_F64, m->n_col, f->n_keep, e);
	t->last = -1;
	csr_reserve(&t->open, 1, 0);
	t->open.n_row = 1;
	t->open.n_col = f->n_keep;
	t->open.ptr[1] = 0;
	s->par = NULL;          /* in a pass the sink keeps one thread busy; with the last row, which comes after, all */
	mtx_pass(m, par, add_by_cell, t, e);
	s->par = par;
	ok = !t->falls;
	if (ok && !e->code) {
		give_open(t, e);
		none.gene = t->open.col;
		none.real = t->open.val;
		t->ptr[0] = 0;
		while (t->next < m->n_col && !e->code)
			end_row(t, &none, 0, e);
		give_rows(t, &none, e);
	}
	if (!ok && !e->code)
		t->sink.given = -1;     /* not to be closed as whole */
	sink_close(&t->sink, e);
	csr_clear(&t->open);
	mem_free(t);
	return ok;
}

static int
add_scattered(void *ctx, const struct mtx_block *b, struct err *e)
{
	for (int64_t k = 0; k < b->n_run && !e->code; k++)
		for (int64_t i = b->run[k].at; i < b->run[k + 1].at; i++)
			scatter_add(ctx, b->run[k].cell, b->gene[i], b->whole ? b->whole[i] : b->real[i], e);
	return e->code;
}

static int
mtx_values(struct set *s, const char *path, const struct features *f, int64_t n_cell, struct err *e)
{
	struct mtx m = {0};
	int ok = 0;

	if (mtx_open(&m, path, e) == 0) {
		m.at = f->at;
		m.flip = m.n_row != f->id.n && m.n_row == n_cell && m.n_col == f->id.n;
		if (!m.flip && (m.n_row != f->id.n || m.n_col != n_cell))
			err_set(e, ERR_DATA, "%s: is %lld x %lld, but there are %lld features and %lld barcodes", path,
			    (long long)m.n_row, (long long)m.n_col, (long long)f->id.n, (long long)n_cell);
		if (!m.flip && !e->code) {
			ok = mtx_sorted(s, &m, f, e);
			mtx_close(&m);
			if (!ok)
				mtx_open(&m, path, e);
		}
		if (!ok && !e->code) {  /* entries in any order */
			struct scatter *t = scatter_new(s);

			mtx_pass(&m, s->par, add_scattered, t, e);
			scatter_end(t, "X", DT_F64, n_cell, f->n_keep, e);
		}
	}
	mtx_close(&m);
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
