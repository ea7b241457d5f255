/* mtx - 10x MTX directories, and matrices in text tables, into a set
 *
 * Cell Ranger 1 to 10 and STARsolo: matrix.mtx, features.tsv or genes.tsv, and
 * barcodes.tsv, each plain or gzipped, with a common prefix if there is one.
 * Entries sorted by cell go straight through; others are spread over spooled
 * buckets of cells first.
 */
#ifndef OVX_MTX_H
#define OVX_MTX_H

#include "base/err.h"
#include "cell/set.h"

struct import_opt {
	const char *genome;     /* of several in a file or directory */
	const char *feature_type;       /* "Gene Expression" when NULL; "all" */
	const char *layer;      /* .h5ad: this layer instead of X */
	int raw;                /* .h5ad: raw.X */
	int rows_are_cells;     /* tables */
	void (*note)(const char *msg);  /* what is not carried, renamed, ...; may be NULL */
};

/* Whether path (a directory, or a prefix of the three files) holds a matrix. */
int mtx_is(const char *path);
int mtx_import(struct set *s, const char *path, const struct import_opt *o, struct err *e);
/* A table of counts: rows and columns as o says. */
int matrix_table_import(struct set *s, const char *path, const struct import_opt *o, struct err *e);

/* Names made unique as anndata does: the second x becomes x-1, the third x-2, ...;
 * the number of names changed. */
int64_t names_unique(struct strs *l);
/* ERR_DATA when a barcode stands there twice. */
int barcodes_check(const struct strs *l, struct err *e);

/* Entries in any order, gathered by cell in spooled buckets; equal places add up. */
struct scatter;
struct scatter *scatter_new(struct set *s);
int scatter_add(struct scatter *t, int64_t cell, int32_t gene, double v, struct err *e);
/* Hands all of it to X of n_row x n_col and frees t. */
int scatter_end(struct scatter *t, const char *path, int dtype, int64_t n_row, int64_t n_col, struct err *e);
void scatter_free(struct scatter *t);

#endif
