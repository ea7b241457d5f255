/* leiden - communities of a graph by modularity: Leiden and Louvain
 *
 * Maximises, over partitions of a weighted undirected graph,
 *
 *	Q = sum over communities c of  in_c / 2m - gamma (tot_c / 2m)^2
 *
 * in_c: weight inside c, every edge counted from both ends; tot_c: strengths of
 * its nodes; 2m: all strengths; gamma: the resolution (Reichardt and Bornholdt 2006).
 * Leiden moves nodes while that helps, refines every community into well-connected
 * parts, and goes on with the parts as nodes; Louvain leaves out the refinement.  In
 * both every community of the result is connected.
 *
 *	struct leiden_opt o = LEIDEN_DEFAULT;
 *	struct leiden_result r;
 *	leiden(n, ptr, col, w, NULL, &o, label, &r, par, &e);
 *
 * The order in which nodes are visited is drawn from the seed and a key of each node
 * (the hash of a cell's name, say).  The result does not depend on the threads.
 *
 * Traag, Waltman, van Eck: From Louvain to Leiden, Sci. Rep. 9:5233 (2019).
 * Blondel et al.: Fast unfolding of communities, J. Stat. Mech. P10008 (2008).
 */
#ifndef OVX_LEIDEN_H
#define OVX_LEIDEN_H

#include <stdint.h>
#include "base/err.h"
#include "os/par.h"

struct leiden_opt {
	double resolution;      /* gamma >= 0 */
	uint64_t seed;
	int max_iter;           /* rounds through all levels; <= 0: until one raises Q by less than 1e-5 */
	int n_start;            /* independent starts, of which the highest Q is kept; <= 0: by
				 * the size: 6 below 400,000 stored edges, 3 below 2,000,000, else 1 */
	int louvain;            /* 1: no refinement */
	int unweighted;         /* 1: every edge with a weight above 0 counts 1 */
};

#define LEIDEN_DEFAULT {1.0, 0, 0, 0, 0, 0}

struct leiden_result {
	int32_t n_comm;
	int n_iter;             /* rounds of the start that was kept */
	double modularity;      /* of the labels given */
};

/* Partitions a symmetric graph in CSR, every edge in both rows: ptr [n + 1], col and
 * w [ptr[n]].  Loops count in the strengths; weights of 0 are no edges; negative or
 * not finite weights and columns out of range are ERR_DATA.  key [n] or NULL (the
 * number of the node).  label [n], the caller's, gets 0, 1, ... by falling size, equal
 * sizes by their first node.  A graph of 30,000 nodes or more
 * is copied, with near nodes beside each other.  About ten sweeps over the edges for the
 * first two rounds, two for each further one; leiden_bytes of memory. */
int leiden(int64_t n, const int64_t *ptr, const int32_t *col, const float *w, const uint64_t *key,
	const struct leiden_opt *o, int32_t *label, struct leiden_result *r, struct par *p, struct err *e);

/* Q of any labels >= 0 below n; 0 for a graph without edges. */
double leiden_modularity(int64_t n, const int64_t *ptr, const int32_t *col, const float *w,
	const int32_t *label, double resolution, int unweighted);

/* Numbers connected pieces of the communities in label [n], in place, by falling size,
 * equal sizes by their first node; any labels >= 0 below n.  Returns their number. */
int32_t leiden_components(int64_t n, const int64_t *ptr, const int32_t *col, const float *w, int32_t *label);

/* Upper bound of the bytes taken at the peak, without the graph and the labels; nnz is
 * ptr[n]. */
int64_t leiden_bytes(int64_t n, int64_t nnz, int n_worker);

#endif
