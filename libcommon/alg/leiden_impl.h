/* leiden_impl - levels, moves and refinement; private to alg/leiden* */
#ifndef OVX_LEIDEN_IMPL_H
#define OVX_LEIDEN_IMPL_H

#include "alg/leiden.h"

/* The graph of one level.  Above the first, loops are left out of the rows: what
 * a node holds inside counts in its strength alone. */
struct lei_graph {
	int32_t n;
	int64_t *ptr;           /* [n + 1]; the caller's at the first level, as col and w */
	int32_t *col;
	float *w;
	int ones;               /* every weight above 0 counts 1 */
	double *strength;       /* [n] */
	uint64_t *key;          /* [n], or NULL: the number */
	int32_t *chunk;         /* [n] or NULL: nodes near each other, visited together */
};

static inline float
lei_weight(const struct lei_graph *g, int64_t t)
{
	return g->ones ? (float)(g->w[t] > 0) : g->w[t];
}

/* What a visit needs of a community, in one place in memory. */
struct lei_comm {
	double acc;             /* weight from the visited node; 0 between visits */
	double tot;             /* strengths of its nodes */
};

/* Scratch memory of a run, for the size of the first level. */
struct lei_work {
	double gamma2m;         /* resolution / 2m */
	struct lei_comm *comm;  /* [n] */
	int32_t *touched;       /* [n + 1] communities with acc > 0 */
	double *outer;          /* [n] refinement: weight to the rest of the community */
	int32_t *count;         /* [n] nodes of a community */
	int32_t *queue;         /* [n] ring */
	int32_t *free_id;       /* [n] numbers of empty communities */
	unsigned char *waits;   /* [n] is in the queue */
	uint64_t *order;        /* [2 n] sort space; low halves of [n] are the order */
	int32_t *part;          /* [n] refined partition */
	int32_t *member;        /* [n] nodes by part */
	int32_t *first;         /* [n + 1] */
	double **row_acc;       /* one [n] a worker, taken when an aggregation needs it */
	int32_t **row_touched;
};

/* A copy of g whose nodes are numbered by chunks of near nodes; rank [n] gets the new
 * number of a node. */
void lei_renumber(const struct lei_graph *g, struct lei_graph *out, int32_t *rank, struct par *p, struct err *e);
/* Puts 0..n-1 into the low halves of w->order[0..n-1], in an order given by salt and keys:
 * all at random, or chunks at random and nodes at random within a chunk. */
void lei_order(const struct lei_graph *g, struct lei_work *w, uint64_t salt);
/* Moves nodes between communities comm [n] (numbers below n) as long as that raises
 * Q.  Returns the gain in units of Q times m. */
double lei_move(const struct lei_graph *g, struct lei_work *w, int32_t *comm);
/* Splits the communities into well-connected parts w->part (numbers below n). */
void lei_refine(const struct lei_graph *g, struct lei_work *w, const int32_t *comm, struct par *p, struct err *e);
/* Makes label [n] (numbers below n) consecutive in order of appearance; map [n] is
 * scratch.  Returns how many there are. */
int32_t lei_compact(int32_t *label, int64_t n, int32_t *map);
/* The graph whose nodes are the n_part compact parts of w->part. */
void lei_coarsen(const struct lei_graph *g, struct lei_work *w, int32_t n_part,
	struct lei_graph *out, struct par *p, struct err *e);
void lei_graph_clear(struct lei_graph *g);

#endif
