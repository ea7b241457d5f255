/* tenx - 10x HDF5: matrix/ of Cell Ranger 3 and later, one group for each genome before
 *
 * Genes x cells by columns, which is cells x genes by rows: no transposing.
 */
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "io/h5_impl.h"

struct features {
	struct strs id, name, type, genome;
	int typed, has_genome;
	int32_t *at;            /* new number of a feature, or -1 */
	int64_t n_keep;
};

/* Names of the groups of a file of Cell Ranger 1 or 2, one for each genome. */
static int
genomes(int64_t file, struct strs *out, struct err *e)
{
	struct strs all = {0};

	h5_names(file, &all, e);
	for (int64_t i = 0; i < all.n && !e->code; i++) {
		char path[1200];

		snprintf(path, sizeof path, "%s/indptr", strs_get(&all, i));
		if (h5_kind(file, strs_get(&all, i)) != HK_GROUP || h5_kind(file, path) != HK_DATASET)
			continue;
		snprintf(path, sizeof path, "%s/barcodes", strs_get(&all, i));
		if (h5_kind(file, path) == HK_DATASET)
			strs_add(out, strs_get(&all, i), strs_len(&all, i));
	}
	strs_clear(&all);
	return e->code;
}

int
tenx_is(int64_t file)
{
	struct strs l = {0};
	struct err e = {0};
	int yes = h5_kind(file, "matrix/barcodes") == HK_DATASET || (genomes(file, &l, &e) == 0 && l.n > 0);

	strs_clear(&l);
	return yes;
}

/* All texts of a vector; absent is fine when there says so. */
static int
texts(int64_t g, const char *name, struct strs *out, int *there, struct err *e)
{
	struct h5_data d;

	if (there && !(*there = h5_kind(g, name) == HK_DATASET))
		return e->code;
	if (h5_data_open(&d, g, name, e))
		return e->code;
	if (d.rank != 1)
		err_set(e, ERR_DATA, "%s: is no list", d.name);
	h5_claim(&d, e);
	h5_read_texts(&d, 0, d.n, out, e);
	h5_data_close(&d);
	return e->code;
}

/* The genome's group: the one there is, or the one that is asked for. */
static int64_t
open_group(int64_t file, const char *path, const struct import_opt *o, struct err *e)
{
	struct strs l = {0};
	struct str list = {0};
	int64_t g = 0, found = -1;

	if (h5_kind(file, "matrix/barcodes") == HK_DATASET)
		return h5_at(file, "matrix", e);
	genomes(file, &l, e);
	for (int64_t i = 0; i < l.n; i++) {
		str_addf(&list, "%s%s", i ? ", " : "", strs_get(&l, i));
		if (o->genome ? strcmp(o->genome, strs_get(&l, i)) == 0 : l.n == 1)
			found = i;
	}
	if (found >= 0)
		g = h5_at(file, strs_get(&l, found), e);
	else if (o->genome)
		err_set(e, ERR_DATA, "%.150s: holds no genome %.60s; there are: %.200s", path, o->genome, list.s ? list.s : "");
	else
		err_set(e, ERR_DATA, "%.150s: holds several genomes: %.200s; name one with --genome", path, list.s ? list.s : "");
	strs_clear(&l);
	str_clear(&list);
	return g;
}

static int
read_features(int64_t g, struct features *f, struct err *e)
{
	if (h5_kind(g, "features/id") == HK_DATASET) {
		texts(g, "features/id", &f->id, NULL, e);
		texts(g, "features/name", &f->name, NULL, e);
		texts(g, "features/feature_type", &f->type, &f->typed, e);
		texts(g, "features/genome", &f->genome, &f->has_genome, e);
	} else {
		texts(g, "genes", &f->id, NULL, e);
		texts(g, "gene_names", &f->name, NULL, e);
	}
	if (!e->code && (f->name.n != f->id.n || (f->typed && f->type.n != f->id.n) || (f->has_genome && f->genome.n != f->id.n)))
		err_set(e, ERR_DATA, "features: their ids, names, types and genomes are not equally many");
	return e->code;
}

/* Which features stay: those of the type and genome asked for. */
static int
choose(struct features *f, const struct import_opt *o, struct err *e)
{
	const char *want = o->feature_type ? o->feature_type : "Gene Expression";
	int all = strcmp(want, "all") == 0 || !f->typed;
	struct map seen = {0};
	struct str list = {0};

	f->at = mem_new(int32_t, f->id.n);
	for (int64_t i = 0; i < f->id.n; i++) {
		int type = all || strcmp(strs_get(&f->type, i), want) == 0;
		int genome = !o->genome || !f->has_genome || strcmp(strs_get(&f->genome, i), o->genome) == 0;
		const char *what = type ? (f->has_genome ? strs_get(&f->genome, i) : "") : strs_get(&f->type, i);

		f->at[i] = type && genome ? (int32_t)f->n_keep++ : -1;
		if (f->at[i] < 0 && map_put(&seen, what, 1) < 0 && list.n < 300)
			str_addf(&list, "%s'%.60s'", list.n ? ", " : "", what);
	}
	if (!e->code && f->id.n && f->n_keep == 0)
		err_set(e, ERR_DATA, "no feature of type '%.60s'%s%.60s; there are %.200s; choose with --feature-type or --genome", want,
		    o->genome ? " and genome " : "", o->genome ? o->genome : "", list.s ? list.s : "none");
	else if (f->n_keep < f->id.n)
		h5_note(o, "%lld features of other types or genomes (%s) are left out; --feature-type all keeps all types",
		    (long long)(f->id.n - f->n_keep), list.s);
	map_clear(&seen);
	str_clear(&list);
	return e->code;
}

static void
kept(const struct features *f, const struct strs *from, struct strs *to)
{
	for (int64_t i = 0; i < f->id.n; i++)
		if (f->at[i] >= 0)
			strs_add(to, strs_get(from, i), strs_len(from, i));
}

/* A category column of the kept features. */
static void
put_category(struct set *s, const char *path, const struct features *f, const struct strs *from, struct err *e)
{
	struct strs l = {0};
	struct column c;

	kept(f, from, &l);
	column_factor(&c, &l);
	set_put_column(s, path, &c, "", e);
	column_clear(&c);
	strs_clear(&l);
}

static int
put_features(struct set *s, const struct features *f, const struct import_opt *o, struct err *e)
{
	struct strs name = {0};
	struct column id = { .dtype = DT_STR, .n = f->n_keep };
	int64_t changed;

	kept(f, &f->name, &name);
	kept(f, &f->id, &id.str);
	changed = names_unique(&name);
	if (changed)
		h5_note(o, "%lld repeated gene symbols got -1, -2, ... behind them; var/gene_ids tells them apart", (long long)changed);
	set_put_axis(s, AXIS_VAR, &name, e);
	set_put_column(s, "var/gene_ids", &id, "", e);
	if (f->typed)
		put_category(s, "var/feature_types", f, &f->type, e);
	if (f->has_genome)
		put_category(s, "var/genome", f, &f->genome, e);
	column_clear(&id);
	strs_clear(&name);
	return e->code;
}

int
tenx_import(struct set *s, int64_t file, const char *path, const struct import_opt *o, struct err *e)
{
	int64_t g = open_group(file, path, o, e), shape[2] = { 0, 0 };
	struct h5_matrix m = { .form = HX_CSR };
	struct features f = {0};
	struct strs cells = {0};
	struct h5_data d;

	if (!e->code) {
		h5_name(g, m.name);
		if (h5_data_open(&d, g, "shape", e) == 0) {
			if (d.n != 2 || d.rank != 1)
				err_set(e, ERR_DATA, "%s: does not hold two numbers", d.name);
			h5_read(&d, HM_I64, 0, 2, shape, e);
			h5_data_close(&d);
		}
		texts(g, "barcodes", &cells, NULL, e);
		read_features(g, &f, e);
		h5_data_open(&m.data, g, "data", e);
		h5_data_open(&m.indices, g, "indices", e);
		h5_data_open(&m.indptr, g, "indptr", e);
		m.n_row = shape[1];
		m.n_col = shape[0];
		if (!e->code && (shape[0] != f.id.n || shape[1] != cells.n))
			err_set(e, ERR_DATA, "%s/shape: is %lld x %lld, but there are %lld features and %lld barcodes", m.name,
			    (long long)shape[0], (long long)shape[1], (long long)f.id.n, (long long)cells.n);
		h5_matrix_check(&m, e);
	}
	if (!e->code && choose(&f, o, e) == 0 && barcodes_check(&cells, e) == 0) {
		set_put_axis(s, AXIS_OBS, &cells, e);
		put_features(s, &f, o, e);
		h5_matrix_put(s, "X", &m, f.n_keep < f.id.n ? f.at : NULL, f.n_keep, e);
	}
	h5_matrix_close(&m);
	h5_close(g);
	strs_clear(&cells);
	strs_clear(&f.id);
	strs_clear(&f.name);
	strs_clear(&f.type);
	strs_clear(&f.genome);
	mem_free(f.at);
	return e->code;
}
