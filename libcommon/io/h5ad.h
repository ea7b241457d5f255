/* h5ad - 10x HDF5 and AnnData's .h5ad, in and out
 *
 * Built without HDF5 (make HDF5=no) every function fails with a sentence.
 */
#ifndef OVX_H5AD_H
#define OVX_H5AD_H

#include "base/err.h"
#include "cell/set.h"
#include "io/mtx.h"

/* Whether the file starts like HDF5. */
int h5_is(const char *path);

/* 10x .h5 (v2, v3) or .h5ad (anndata 0.6 to 0.13) into an empty set.  Memory does not grow with
 * the number of cells but for names, columns and embeddings; CSC is read twice. */
int h5_import(struct set *s, const char *path, const struct import_opt *o, struct err *e);

struct h5ad_opt {
	const char *x;          /* "counts", "lognorm", or NULL: lognorm when layers/lognorm is there */
	const struct strs *layer;       /* layers to be written out: "scaled", "lognorm", "counts" */
	int deflate;            /* level, 0 = none */
	void (*note)(const char *msg);
};

/* The set as an .h5ad at a path that is made new (the caller names it atomically). */
int h5ad_export(struct set *s, const char *path, const struct h5ad_opt *o, struct err *e);

#endif
