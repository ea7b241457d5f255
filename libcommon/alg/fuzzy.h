/* fuzzy - UMAP's graph of cells: membership strengths from nearest neighbours
 *
 * Row i gives each of its k nearest others the strength
 * exp(-max(0, d - rho_i) / sigma_i): rho_i is its smallest positive distance, and
 * sigma_i is such that the strengths of the row sum to log2(k + 1).  The union of
 * "i knows j" and "j knows i", a + b - a b, makes the graph symmetric.
 *
 * The usual "n_neighbors = 15" counts the cell itself: k is 14 then.
 *
 *	struct fuzzy g = {0};
 *	fuzzy_graph(&g, idx, dist, n, 15, 14, par, &e);
 *	... g.ptr, g.col, g.w ...
 *	fuzzy_clear(&g);
 *
 * McInnes, Healy, Melville: UMAP, arXiv 1802.03426, sections 3.1 and 4.
 */
#ifndef OVX_FUZZY_H
#define OVX_FUZZY_H

#include <stdint.h>
#include "base/err.h"
#include "os/par.h"

/* A symmetric graph without loops, every edge in both of its rows. */
struct fuzzy {
	int64_t n;
	int64_t *ptr;           /* [n + 1] */
	int32_t *col;           /* [ptr[n]] rising within a row */
	float *w;               /* [ptr[n]] in (0, 1] */
};

/* Fills g, which is empty before, from idx and dist [n][ld], of which the first k
 * columns count, distances rising in a row.  An index that is out of range or the row
 * itself, a distance that is negative, falls or is not finite is ERR_DATA.
 * O(n k log k) time, O(n k) memory; the same bytes for any number of threads. */
int fuzzy_graph(struct fuzzy *g, const int32_t *idx, const double *dist, int64_t n,
	int64_t ld, int k, struct par *p, struct err *e);
void fuzzy_clear(struct fuzzy *g);

/* Strengths w [k] of one row with distances dist [k] rising; mean_all is the mean of
 * all distances, the row's own 0 counted, and sets the floor of a row of zeros. */
void fuzzy_row(const double *dist, int k, double mean_all, float *w);

/* Upper bound of the bytes taken at the peak, the graph included. */
int64_t fuzzy_bytes(int64_t n, int k);

#endif
