/* alias - one contig under the names that people give it, and which human genome lengths speak of
 *
 * chr1, Chr1, 1 and NC_000001.11 are one; so are M, MT, chrM and NC_012920.1.  A list of contigs is seen through a
 * function, because those who have one keep it in forms of their own.
 */
#ifndef OVX_ALIAS_H
#define OVX_ALIAS_H

#include <stddef.h>
#include <stdint.h>

/* Name of contig i, its bytes and its length (-1 = not known). */
typedef const char *alias_list_fn(const void *ctx, int i, size_t *n, int64_t *length);

/* n_contig contigs by what names have in common; ctx and the names must stay. */
struct alias;
struct alias *alias_make(alias_list_fn *list, const void *ctx, int n_contig);
void alias_free(struct alias *a);
/* Which contig is meant by a name (n bytes) that none of them has: with or without chr (any case of "chr"),
 * M = MT, RefSeq accession (NC_0000NN.*, NC_012920.1) of a human chromosome = its number, both ways.  length: of the contig
 * asked for, -1 = unknown.  An alias counts only if lengths are equal or one is unknown (hg19's chrM is not rCRS).  -1 = none, or two as
 * near as each other. */
int alias_find(const struct alias *a, const char *name, size_t n, int64_t length);
/* 37 or 38 when the lengths of chromosomes are those of that human genome and no other's, else 0. */
int alias_build(alias_list_fn *list, const void *ctx, int n_contig);

#endif
