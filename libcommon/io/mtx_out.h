/* mtx_out - a set as a 10x MTX directory, as Cell Ranger 3 and later write it
 *
 * matrix.mtx.gz, features.tsv.gz and barcodes.tsv.gz.  The folder appears whole or not at all: the files
 * have no names until they are complete.
 */
#ifndef OVX_MTX_OUT_H
#define OVX_MTX_OUT_H

#include "cell/set.h"

/* X, its genes (var/gene_ids and var/feature_types where there are any) and its cells into a folder
 * that must not be there, or be empty.  Two passes over X: the header counts the entries. */
int mtx_export(struct set *s, const char *dir, struct err *e);

#endif
