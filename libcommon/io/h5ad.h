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
 * the number of cells but for names, columns, embeddings and graphs; CSC goes through spooled
 * buckets of cells.  What is not carried is named by a note each. */
int h5_import(struct set *s, const char *path, const struct import_opt *o, struct err *e);

struct h5ad_opt {
	const char *x;          /* "counts", "lognorm", or NULL: lognorm when layers/lognorm is there */
	const struct strs *layer;       /* layers to be written out: "scaled", "lognorm", "counts" */
	int deflate;            /* level, 0 = none */
	int omicverse;          /* also the keys that OmicVerse's report asks for */
	void (*note)(const char *msg);
};

/* The set as an .h5ad into a file that is open for reading and writing, and is emptied; so the caller
 * may name it when it is whole.  Nothing but anndata 0.8's vocabulary, so that 0.8 and later read it; the
 * same bytes for the same set.  X and layers go through in row blocks; columns, embeddings and
 * graphs are in memory one at a time.  Values are float32 unless a count needs more, then all
 * counts are float64 (found on the way: the file is begun again). */
int h5ad_export(struct set *s, int fd, const struct h5ad_opt *o, struct err *e);

#endif
