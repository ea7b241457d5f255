/* ovx-export - a stream as .h5ad, 10x MTX, TSV or NPY
 *
 * reads    everything
 * writes   .h5ad: X, layers, obs, var, obsm, varm, obsp, varp, uns; a 10x folder: X and its names; TSV
 *          and NPY: one section
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "app/app.h"
#include "base/mem.h"
#include "io/h5ad.h"
#include "io/mtx_out.h"
#include "io/table.h"

enum format { F_NONE, F_H5AD, F_MTX, F_TSV, F_NPY };

static struct {
	const char *path, *format, *x;
	struct strs layer;
	int omicverse;
	/* worked out */
	int kind;               /* enum format */
	int level;              /* of deflate */
	const char *dir;        /* of F_MTX */
} o;

static const struct opt opts[] = {
	{ 'p', "path", STR(&o.path), "", "", "PATH", "one section as TSV or NPY: obs, var, obs/NAME, obsm/NAME ...", 0 },
	{ 'O', "format", STR(&o.format), "", "", "FORMAT", "h5ad, h5ad:LEVEL (deflate 1-9), mtx, tsv or npy (default: by the name of the output)", 0 },
	{ 'x', "matrix", STR(&o.x), "", "counts|lognorm", "WHAT", ".h5ad: what X is (default: lognorm, and counts as a layer, after ovx-normalize)", 0 },
	{ 0, "layer", LIST(&o.layer), "", "", "NAME", ".h5ad: write this layer out: scaled, lognorm or counts", 0 },
	{ 0, "omicverse", FLAG(&o.omicverse), "", "", "", ".h5ad: also the keys of OmicVerse", 0 },
	{0}
};

static void
note(const char *msg)
{
	app_warn("%s", msg);
}

static int
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n >= k && strcmp(s + n - k, end) == 0;
}

static const char *
check(void)
{
	const char *f = o.format;

	if (!f)
		return NULL;
	if (strcmp(f, "mtx") == 0)
		o.kind = F_MTX;
	else if (strcmp(f, "tsv") == 0)
		o.kind = F_TSV;
	else if (strcmp(f, "npy") == 0)
		o.kind = F_NPY;
	else if (strcmp(f, "h5ad") == 0)
		o.kind = F_H5AD;
	else if (strncmp(f, "h5ad:", 5) == 0 && f[5] >= '0' && f[5] <= '9' && !f[6]) {
		o.kind = F_H5AD;
		o.level = f[5] - '0';
	} else {
		return "-O: one of h5ad, h5ad:LEVEL (0-9), mtx, tsv, npy";
	}
	return NULL;
}

/* The format by the name of the output, where -O does not say it. */
static int
choose_format(struct app *a, struct err *e)
{
	const char *out = a->out_path && strcmp(a->out_path, "-") ? a->out_path : NULL;
	struct stat st;

	if (!o.kind && out) {
		if (ends_with(out, ".h5ad"))
			o.kind = F_H5AD;
		else if (ends_with(out, "/") || (stat(out, &st) == 0 && S_ISDIR(st.st_mode)))
			o.kind = F_MTX;
		else if (ends_with(out, ".tsv"))
			o.kind = F_TSV;
		else if (ends_with(out, ".npy"))
			o.kind = F_NPY;
		else if (ends_with(out, ".csv"))
			return err_set(e, ERR_USAGE, "%s: CSV is not written; name it .tsv", out);
	}
	if (!o.kind && o.path)
		o.kind = F_TSV;
	if (!o.kind)
		return err_set(e, ERR_USAGE, "say what to write: -o FILE.h5ad, -o FOLDER/ for 10x MTX, or -p PATH for a table");
	if ((o.kind == F_H5AD || o.kind == F_MTX) && !out)
		return err_set(e, ERR_USAGE, "%s cannot go through a pipe; name it with -o", o.kind == F_MTX ? "a 10x folder" : "an .h5ad file");
	if ((o.kind == F_H5AD || o.kind == F_MTX) && o.path)
		return err_set(e, ERR_USAGE, "-p: one section goes to TSV or NPY");
	if ((o.kind == F_TSV || o.kind == F_NPY) && !o.path)
		return err_set(e, ERR_USAGE, "say which section: -p obs, -p obsm/X_pca ...");
	if (o.kind != F_H5AD && (o.x || o.layer.n || o.omicverse))
		return err_set(e, ERR_USAGE, "-x, --layer and --omicverse are for .h5ad");
	if (o.kind == F_NPY && !out && isatty(1))
		return err_set(e, ERR_USAGE, "the output is binary and would go to a terminal; use -o FILE, a pipe or >");
	return 0;
}

/* --- TSV and NPY --------------------------------------------------------------- */

static const struct { const char *name; int axis; } frame[] = { { "obs", AXIS_OBS }, { "var", AXIS_VAR } };

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Columns of an axis (or the one of path) as a table, names first. */
static int
put_frame(struct app *a, int axis, const char *path, struct err *e)
{
	struct set *s = &a->set;
	const char **p = mem_new(const char *, s->n_item + 1);
	int64_t n = 0;
	struct column *c;
	struct str t = {0};

	for (int64_t i = 0; i < s->n_item; i++) {
		const struct head *h = &s->item[i].s->head;

		if (!s->item[i].dropped && h->kind == KIND_COLUMN && strncmp(head_path(h), axis_name[axis], 3) == 0 &&
		    head_path(h)[3] == '/' && (!path || strcmp(path, head_path(h)) == 0))
			p[n++] = head_path(h);
	}
	if (n)
		qsort(p, (size_t)n, sizeof *p, by_text);
	c = mem_new(struct column, n);
	set_names(s, axis, e);
	str_add(&t, "name");
	for (int64_t k = 0; k < n; k++) {
		set_column(s, p[k], &c[k], e);
		str_add(&t, "\t");
		str_add_cell(&t, p[k] + 4);
	}
	str_add(&t, "\n");
	for (int64_t i = 0; i < s->axis[axis].n && !e->code; i++) {
		str_add_cell(&t, strs_get(&s->axis[axis].names, i));
		for (int64_t k = 0; k < n; k++) {
			str_add(&t, "\t");
			column_cell(&c[k], i, &t);
		}
		str_add(&t, "\n");
		app_put(a, t.s, t.n, e);
		t.n = 0;
	}
	if (s->axis[axis].n == 0 && !e->code)
		app_put(a, t.s, t.n, e);
	for (int64_t k = 0; k < n; k++)
		column_clear(&c[k]);
	app_say(a, "%lld rows, %lld columns", (long long)s->axis[axis].n, (long long)n);
	mem_free(c);
	mem_free(p);
	str_clear(&t);
	return e->code;
}

/* A vector or matrix of numbers with a header. */
static int
put_npy(struct app *a, const char *descr, const void *x, int64_t n, int64_t d, int width, struct err *e)
{
	struct str t = {0};

	npy_header(&t, descr, n, d);
	file_write(a->out.fd, t.s, t.n, e);
	file_write(a->out.fd, x, (size_t)(n * (d ? d : 1)) * (size_t)width, e);
	app_say(a, "%lld x %lld", (long long)n, (long long)(d ? d : 1));
	str_clear(&t);
	return e->code;
}

static int
column_npy(struct app *a, struct err *e)
{
	struct column c;

	if (set_column(&a->set, o.path, &c, e))
		return e->code;
	if (c.dtype == DT_STR)
		err_set(e, ERR_DATA, "%s: holds text; write it as TSV", o.path);
	else if (c.dtype == DT_I64 && !c.na)
		put_npy(a, "<i8", c.i64, c.n, 0, 8, e);
	else if (c.dtype == DT_I32 || c.dtype == DT_CAT)
		put_npy(a, "<i4", c.i32, c.n, 0, 4, e);
	else if (c.dtype == DT_BOOL && !c.na)
		put_npy(a, "|b1", c.b, c.n, 0, 1, e);
	else if (c.dtype == DT_F32)
		put_npy(a, "<f4", c.f32, c.n, 0, 4, e);
	else {
		double *x = mem_new(double, c.n);

		for (int64_t i = 0; i < c.n; i++)
			x[i] = column_number(&c, i);
		put_npy(a, "<f8", x, c.n, 0, 8, e);
		mem_free(x);
	}
	column_clear(&c);
	return e->code;
}

static int
put_dense(struct app *a, const struct item *it, struct err *e)
{
	int single = it->s->head.dtype == DT_F32, axis = set_axis_of(it, 0);
	const char *name = strrchr(o.path, '/') ? strrchr(o.path, '/') + 1 : o.path;
	int64_t n = 0, d = 0;
	float *f = NULL;
	double *x = NULL;
	struct str t = {0};

	if (single)
		set_dense(&a->set, o.path, &f, &n, &d, e);
	else
		set_dense64(&a->set, o.path, &x, &n, &d, e);
	if (o.kind == F_NPY && !e->code) {
		put_npy(a, single ? "<f4" : "<f8", single ? (void *)f : (void *)x, n, d, single ? 4 : 8, e);
	} else if (!e->code && (axis < 0 || set_names(&a->set, axis, e) == 0)) {
		str_add(&t, "name");
		for (int64_t k = 0; k < d; k++)
			str_addf(&t, "\t%s%lld", name, (long long)k + 1);
		str_add(&t, "\n");
		app_put(a, t.s, t.n, e);
		for (int64_t i = 0; i < n && !e->code; i++) {
			t.n = 0;
			str_add_cell(&t, axis < 0 ? "" : strs_get(&a->set.axis[axis].names, i));
			for (int64_t k = 0; k < d; k++) {
				str_add(&t, "\t");
				if (single)
					text_float(&t, f[i * d + k]);
				else
					text_double(&t, x[i * d + k]);
			}
			str_add(&t, "\n");
			app_put(a, t.s, t.n, e);
		}
		app_say(a, "%lld x %lld", (long long)n, (long long)d);
	}
	mem_free(f);
	mem_free(x);
	str_clear(&t);
	return e->code;
}

/* One section. */
static int
put_section(struct app *a, struct err *e)
{
	struct item *it;
	int kind;

	for (size_t i = 0; i < sizeof frame / sizeof *frame; i++)
		if (strcmp(o.path, frame[i].name) == 0) {
			if (o.kind == F_NPY)
				return err_set(e, ERR_USAGE, "%s: is a table; write it as TSV, or one column of it", o.path);
			return put_frame(a, frame[i].axis, NULL, e);
		}
	it = set_need(&a->set, o.path, "ovx-dump -l lists what there is", e);
	if (!it)
		return e->code;
	kind = it->s->head.kind;
	if (kind == KIND_COLUMN && o.kind == F_NPY)
		return column_npy(a, e);
	if (kind == KIND_COLUMN && set_axis_of(it, 0) >= 0)
		return put_frame(a, set_axis_of(it, 0), o.path, e);
	if (kind == KIND_DENSE)
		return put_dense(a, it, e);
	return err_set(e, ERR_USAGE, "%s: is a %s section; ovx-dump -p prints it%s", o.path, kind_name(kind),
	    kind == KIND_SPARSE || kind == KIND_FORMULA ? ", -o FILE.h5ad and -o FOLDER/ write it" : "");
}

/* --- the tool -------------------------------------------------------------------- */

static int
run(struct app *a, struct err *e)
{
	struct h5ad_opt ho = { o.x, &o.layer, o.level, o.omicverse, note };

	switch (o.kind) {
	case F_H5AD:
		app_phase("writing", a->set.axis[AXIS_OBS].n);
		h5ad_export(&a->set, a->out.fd, &ho, e);
		break;
	case F_MTX:
		app_phase("writing", a->set.axis[AXIS_OBS].n);
		mtx_export(&a->set, o.dir, e);
		break;
	default:
		return put_section(a, e);
	}
	app_say(a, "%lld cells x %lld genes", (long long)a->set.axis[AXIS_OBS].n, (long long)a->set.axis[AXIS_VAR].n);
	return e->code;
}

/* What a section takes in memory, and in an .h5ad. */
static void
section_bytes(struct app *a, struct item *it, int64_t *memory, int64_t *file, struct err *e)
{
	const struct head *h = &it->s->head;
	int64_t n = set_rows_of(&a->set, it), text = 0;

	*memory = *file = 0;
	if (h->kind == KIND_COLUMN && h->dtype == DT_STR && in_heads(it->s, e) == 0) {
		for (int64_t i = 0; i < it->s->n_block; i++)
			text += it->s->block[i].n_item;
		*file = text + 16 * n;
		*memory = (text + 10 * n) * 7 / 4;      /* and what HDF5 holds of it */
	} else if (h->kind == KIND_COLUMN)
		*memory = *file = n * 16;
	else if (h->kind == KIND_DENSE)
		*memory = *file = n * h->n_col * 8;
	else if (h->kind == KIND_GRAPH) {
		*file = set_nnz(&a->set, head_path(h), e) * 12;
		*memory = 2 * *file + 16 * n;
	} else if (h->kind == KIND_TEXT) {
		*memory = 8 * h->n_row;
		*file = h->n_row;
	}
}

static int
plan(struct app *a, struct plan *p, struct err *e)
{
	struct set *s = &a->set;
	int64_t most = 0, all = 0, n = s->axis[AXIS_OBS].n, g = s->axis[AXIS_VAR].n, nnz = 0;
	int formulas = 0, matrices = 1 + (int)o.layer.n + (set_find(s, "layers/lognorm") && !o.x);

	if (choose_format(a, e))
		return e->code;
	if (o.kind == F_MTX) {          /* a folder: app must not open it as a file */
		o.dir = a->out_path;
		a->out_path = NULL;
	}
	for (int64_t i = 0; i < s->n_item && !e->code; i++) {
		int64_t m, f;
		const char *path = head_path(&s->item[i].s->head);

		if (s->item[i].dropped || s->item[i].pending || (o.path && strncmp(path, o.path, strlen(o.path))))
			continue;
		section_bytes(a, &s->item[i], &m, &f, e);
		most = m > most ? m : most;
		all += f;
	}
	if (o.kind == F_TSV || o.kind == F_NPY) {
		p->memory = all + all / 4;
		p->output = all;
		return e->code;
	}
	if (set_find(s, "X")) {
		nnz = set_nnz(s, "X", e);
		/* A block, sorted, and what each formula makes of it. */
		formulas = (set_find(s, "layers/lognorm") && (!o.x || strcmp(o.x, "counts"))) + (int)o.layer.n;
		a->copies = o.kind == F_MTX ? 2.2 : 1.9 + 0.8 * formulas;
		p->memory = (int64_t)((double)app_rows_bytes(a, "X", SET_WHOLE, e) * a->copies) + a->threads * 16 * g;
	}
	nnz = nnz < 0 ? 0 : nnz;
	if (o.kind == F_MTX) {
		p->memory += 24 << 20;
		p->output = nnz * 4 + (n + g) * 16;
		return e->code;
	}
	p->memory += most + (1 << 20) + matrices * (int64_t)(6 << 20) + 24 * n;
	p->output = all + nnz * 8 * matrices + 24 * (n + g) + (1 << 16);
	for (int64_t i = 0; i < o.layer.n; i++)
		if (strcmp(strs_get(&o.layer, i), "scaled") == 0)
			p->output += 4 * n * g;
	return e->code;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "ovx-export", .summary = "a stream as .h5ad, 10x MTX, TSV or NPY", .args = "[BASE [DELTA...]]",
		.reads = "X,layers/*,obs/*,var/*,obsm/*,varm/*,obsp/*,varp/*,uns/*,log/*", .shape = SHAPE_SINK, .opts = opts,
		.check = check, .plan = plan, .run = run, .fixture = "small", .fixture_args = "-p obs"
	};

	return app_main(&tool, argc, argv);
}
