/* h5_impl - private to io/: what the readers and writers of 10x HDF5 and .h5ad share */
#ifndef OVX_H5_IMPL_H
#define OVX_H5_IMPL_H

#include "app/json.h"
#include "io/h5.h"
#include "io/h5ad.h"
#include "num/csr.h"

/* A line through opt->note, when there is one. */
void h5_note(const struct import_opt *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* --- matrices: CSR, CSC or dense, never whole in memory ---------------------- */

enum { HX_OTHER, HX_NONE, HX_CSR, HX_CSC, HX_DENSE };

struct h5_matrix {
	int form;               /* HX_; HX_NONE: stored as nothing, HX_OTHER: no matrix */
	int64_t n_row, n_col;
	int dtype;              /* DT_F32 or DT_F64, whichever holds the values */
	struct h5_data data, indices, indptr;
	struct par *par;        /* threads that unpack, or NULL */
	char name[H5_NAME];
};

/* What lies under a name.  What is no matrix is HX_OTHER, not an error; a matrix whose parts do
 * not fit together is one. */
int h5_matrix_open(struct h5_matrix *m, int64_t at, const char *name, struct err *e);
void h5_matrix_close(struct h5_matrix *m);
/* Checks that the parts of a sparse m belong together. */
int h5_matrix_check(struct h5_matrix *m, struct err *e);

typedef int h5_rows_fn(void *ctx, const struct csr *block, struct err *e);
/* CSR or dense: blocks of rows in order, columns of a row in any order.  Memory: a few million values. */
int h5_matrix_rows(const struct h5_matrix *m, h5_rows_fn *fn, void *ctx, struct err *e);
typedef int h5_entry_fn(void *ctx, int64_t row, int64_t col, double v, struct err *e);
/* Any form: every stored entry in stored order (dense: without zeros). */
int h5_matrix_each(const struct h5_matrix *m, h5_entry_fn *fn, void *ctx, struct err *e);
/* Into a sparse section.  column [n_col]: the new number of each column or -1 = dropped, n_keep of
 * them; NULL = all.  CSC goes through spooled buckets. */
int h5_matrix_put(struct set *s, const char *path, const struct h5_matrix *m, const int32_t *column, int64_t n_keep,
	struct err *e);

/* --- frames ---------------------------------------------------------------- */

/* obs or var of a file, any generation: a group of columns, or a dataset of compounds. */
struct h5_frame {
	int64_t group;          /* or 0 */
	struct h5_data table;   /* of compounds, when group is 0 */
	int64_t uns;            /* where old files keep the categories; may be 0 */
	struct strs col;        /* names of the columns, the index left out */
	struct str index;       /* name of the index */
	int64_t n;              /* rows */
};

int h5_frame_open(struct h5_frame *f, int64_t at, const char *name, int64_t uns, struct err *e);
void h5_frame_close(struct h5_frame *f);
int h5_frame_names(const struct h5_frame *f, struct strs *out, struct err *e);
/* Column i; 1, or 0 when it is of a kind that is not read (why says so), or with e set. */
int h5_frame_column(const struct h5_frame *f, int64_t i, struct column *c, char why[H5_NAME], struct err *e);
/* All columns as prefix/NAME of a set; what cannot be read is noted. */
int h5_frame_put(struct set *s, const char *prefix, const struct h5_frame *f, const struct import_opt *o, struct err *e);

/* --- uns: JSON on our side -------------------------------------------------- */

/* A member of a group as JSON; NULL when it is of a kind that is not carried, which is noted. */
json_t *h5_json_read(int64_t at, const char *name, const struct import_opt *o, struct err *e);
/* JSON as group, array, scalar or text; null is left out. */
int h5_json_write(int64_t at, const char *name, const json_t *j, void (*note)(const char *msg), struct err *e);

/* --- writing ----------------------------------------------------------------- */

struct h5_out {
	struct set *set;
	const struct h5ad_opt *opt;
	int64_t file;
	int value;              /* HM_F32 or HM_F64: values of counts */
	int inexact;            /* a count did not fit a float: begin again with doubles */
	int lognorm;            /* X is lognorm, and layers/counts the counts */
};

/* X and the layers asked for, in one pass over X; then sparse layers that are stored. */
int h5_out_matrices(struct h5_out *t, struct err *e);
/* uns, with what goes along with the rest. */
int h5_out_uns(struct h5_out *t, struct err *e);
/* A line through opt->note. */
void h5_out_note(const struct h5_out *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Text section as JSON; what does not parse becomes a JSON string. */
json_t *h5_out_json(struct set *s, const char *path, struct err *e);

/* --- the two readers --------------------------------------------------------- */

int tenx_import(struct set *s, int64_t file, const char *path, const struct import_opt *o, struct err *e);
/* Whether a file looks like one: a matrix group, or groups with indptr and barcodes. */
int tenx_is(int64_t file);
int h5ad_import(struct set *s, int64_t file, const char *path, const struct import_opt *o, struct err *e);

#endif
