/* simulate - counts with cell types, samples, depths and doublets of known truth
 *
 * Every cell depends on (seed, its number) alone: blocks of cells can be made in any
 * order, on any thread, and ten million need no more memory than a thousand.
 *
 * A cell draws its molecules one by one from a profile: that of its type under
 * its sample's gene factors, with shares for a few co-regulated modules, for the
 * cell cycle and for mitochondrial genes.  The number of molecules is log-normal.  A doublet draws from
 * two types.  Profiles are alias tables (Walker 1977; Vose 1991).
 */
#ifndef OVX_SIMULATE_H
#define OVX_SIMULATE_H

#include <stdint.h>
#include "num/csr.h"

struct sim_opt {
	int64_t n_cell, n_gene;
	int n_type, n_sample;   /* the last type is rare: 1 % */
	double doublets;        /* share of cells */
	uint64_t seed;
};

struct sim_cell {
	int type, sample, doublet, second_type; /* second_type -1 for singlets */
	int phase;              /* 0 = G1, 1 = S, 2 = G2M */
	int64_t depth;          /* molecules */
	double mito;            /* share of them from mitochondrial genes */
};

struct sim;

struct sim *sim_new(const struct sim_opt *opt);
void sim_free(struct sim *s);
/* Name of gene g into name: mitochondrial, ribosomal, haemoglobin and
 * cell-cycle genes by their human symbols, the rest G00001 and so on. */
void sim_gene(const struct sim *s, int64_t g, char name[48]);
/* Barcode of cell i, unique. */
void sim_name(const struct sim *s, int64_t i, char name[48]);
/* What cell i is. */
void sim_cell(const struct sim *s, int64_t i, struct sim_cell *c);
/* Counts of cells lo..hi-1 appended to m as rows (columns rising).  scratch:
 * n_gene zeros, left zero.  O(depth + n_gene / 64) a cell. */
void sim_rows(const struct sim *s, int64_t lo, int64_t hi, struct csr *m, uint32_t *scratch);

#endif
