/* table - TSV and CSV tables with a header and names in the first column; NPY
 *
 * The separator is the one that the header has more of (tab, else comma, else semicolon, else
 * blanks).  A header with one field less than the rows (R's write.table) is
 * read as having no name over the first column.
 */
#ifndef OVX_TABLE_H
#define OVX_TABLE_H

#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "cell/set.h"
#include "os/text.h"

struct table {
	int64_t n_row, n_col;
	struct strs row;        /* names of rows */
	struct strs col;        /* names of columns */
	struct strs *value;     /* [n_col] each n_row strings */
};

/* Reads all of a table; ragged rows are ERR_DATA with the line. */
int table_read(struct table *t, const char *path, struct err *e);
void table_clear(struct table *t);

/* Row by row, for tables that do not fit: field [n_field] of the line. */
struct table_lines {
	struct text text;
	char sep;
	char **field;
	int n_field, cap;       /* fields of a row, the name included */
	struct strs head;       /* names of the columns */
	char *first;            /* copy of the header line */
};
int table_open(struct table_lines *t, const char *path, struct err *e);
/* 1 and the next row in t->field, 0 at the end. */
int table_next(struct table_lines *t, struct err *e);
void table_close(struct table_lines *t);

/* Columns of a table onto an axis of a set as obs/NAME or var/NAME, matched by name.  Rows that
 * the axis lacks are left out, cells that the table lacks are missing values: both are
 * counted in *surplus and *missing.  as_text keeps every column as strings. */
int table_paste(struct set *s, int axis, const char *path, int64_t *missing, int64_t *surplus, struct err *e);
/* A numeric TSV (matched by name) or NPY (row by row) as obsm/NAME or varm/NAME. */
int table_paste_matrix(struct set *s, const char *to, const char *path, int64_t *missing, int64_t *surplus, struct err *e);

/* Axis from the names of a table, when a set has none yet. */
int table_axis(struct set *s, int axis, const char *path, struct err *e);

/* A matrix of numbers from an NPY file (version 1 or 2, C order, <f4 <f8 <i4 <i8 |u1 |b1). */
int npy_read(const char *path, double **x, int64_t *n, int64_t *d, struct err *e);
/* Header of an NPY file for [n][d] (d = 0: a vector) of descr like "<f4". */
void npy_header(struct str *out, const char *descr, int64_t n, int64_t d);

#endif
