/* scrublet - doublet scores of cells by simulated doublets
 *
 * Sums of two random cells of a sample are put among its cells.  A cell with many of them
 * among its nearest neighbours is likely to be a doublet itself (Wolock, Lopez and
 * Klein 2019, Cell Systems 8:281).  Every sample is treated alone:
 *
 *	genes that vary -> counts normalised over them -> components of the cells ->
 *	cells and simulated doublets in them -> k nearest of both -> score -> threshold
 *
 *	struct scrublet_opt o = scrublet_default();
 *	struct scrublet s;
 *	scrublet(rows, &o, &s, par, e);
 *	s.score[i], s.call[i] ...
 *	scrublet_clear(&s);
 *
 * Two recipes.  Ours: genes by V-score, ln(1 + counts per 3,000 on them), centred.  compat: genes by dispersion
 * cut-offs, counts per million without logarithm, scaled to variance 1, and pairs by NumPy's old generator.
 *
 * Nothing is dense: a sample's counts of the chosen genes are held as they are, 6 bytes each, and
 * simulated doublets are made from pairs of rows, a block at a time, each time they are needed.
 */
#ifndef OVX_SCRUBLET_H
#define OVX_SCRUBLET_H

#include <stdint.h>
#include "base/err.h"
#include "num/csr.h"
#include "os/par.h"

#define SCRUBLET_BINS 256

struct scrublet_opt {
	int compat;
	const int32_t *batch;   /* [n_row] 0 .. n_batch - 1; NULL = one sample */
	int n_batch;
	const uint64_t *key;    /* [n_row] keys of the cells' random numbers; NULL = their number within the sample */
	int n_pc;               /* components */
	double percentile;      /* ours: genes whose V-score lies above it */
	int64_t n_top;          /* ours: and at most so many; < 65,536 */
	int64_t n_neighbors;    /* 0 = half of the square root of the cells */
	double sim_ratio;       /* simulated doublets a cell */
	double rate;            /* expected share of doublets, in (0, 1) */
	double threshold;       /* NaN = automatic */
	int64_t score_most;     /* simulated doublets of a sample that get a score */
	int64_t hold;           /* bytes of counts held at once; one sample whatever its size.  Not in the result. */
	uint64_t seed;
};

/* Where a threshold is from; SCRUBLET_NONE: compat found none and calls nothing. */
enum scrublet_by { SCRUBLET_NONE, SCRUBLET_GIVEN, SCRUBLET_MINIMUM, SCRUBLET_RATE };

struct scrublet_batch {
	int64_t n, n_used;      /* cells; of those, with enough genes */
	int64_t n_gene;         /* chosen */
	int64_t n_sim;
	int64_t k, k_adj;       /* neighbours without and with the simulated ones */
	const char *why;        /* no score at all: the reason; else NULL */
	enum scrublet_by by;
	double threshold;
	int64_t n_scored;       /* simulated doublets that have a score, evenly spread over all */
	double *sim;            /* [n_scored] */
	double lo, hi;          /* range of the histogram of sim */
	int64_t hist[SCRUBLET_BINS];
	int64_t n_called;
	double detectable;      /* share of sim above the threshold; overall rate = called / used / detectable */
};

struct scrublet {
	int64_t n_row;
	int n_batch;
	struct scrublet_batch *batch;   /* [n_batch] */
	double *score;          /* [n_row] NaN where there is none */
	uint8_t *call;          /* [n_row] 1 = doublet, 0 = not, 2 = no call */
};

/* 15 components, percentile 85, at most 2,000 genes, ratio 2, rate 0.05, 20,000 scored, 256 MB held. */
struct scrublet_opt scrublet_default(void);
/* Scores all cells.  One pass over r for the genes (compat: two) and one for each group of samples that is held
 * at once.  Samples with no more cells or genes than components get no score (why).  Every cell
 * looks at all cells and simulated doublets of its sample: O((n + scored) n (1 + ratio) n_pc). */
int scrublet(struct rows *r, const struct scrublet_opt *o, struct scrublet *s, struct par *p, struct err *e);
void scrublet_clear(struct scrublet *s);
/* Upper bound of its bytes, the result included.  size [n_batch] cells of each sample; nnz non-zeros of the matrix, -1 =
 * not known. */
int64_t scrublet_bytes(int64_t n_row, int64_t n_col, const int64_t *size, int64_t nnz, const struct scrublet_opt *o,
	int n_worker);

/* The parts. */

/* pair [n_sim][2] as numpy.random.RandomState(seed).randint(0, n, (n_sim, 2)) gives them; 1 <= n < 2^31. */
void scrublet_randint(uint32_t seed, int64_t n, int64_t n_sim, int32_t *pair);
/* Pairs of two different cells: doublet m has cell m mod n and another one, drawn from the stream of the former's
 * key [n] (NULL = its number).  n >= 2. */
void scrublet_pairs(uint64_t seed, const uint64_t *key, int64_t n, int64_t n_sim, int32_t *pair);
/* V-scores [n] of genes with mean [n] and variance [n]: Fano factor over what noise explains, c + b mean; c is the
 * most frequent Fano factor, at least 1, b is fitted to the lowest ones (Klein et al. 2015, Cell 161:1187).
 * 0 for a gene that has none. */
void scrublet_vscore(const double *mean, const double *var, int64_t n, double *score);
/* How many of the k nearest others of each query are rows >= n_real of x [n][d]: count [n_query].  All pairs; distances as
 * knn_exact has them, ties by number; no list is kept.  k < n. */
int scrublet_near(const float *x, int64_t n, int64_t n_real, int d, int64_t k, const int32_t *query, int64_t n_query,
	int32_t *count, struct par *p, struct err *e);
/* The score of n_sim simulated ones among k neighbours, ratio simulated ones a cell, rate expected. */
double scrublet_score(int64_t n_sim, int64_t k, double ratio, double rate);
/* Histogram of x [n > 0] in even bins between its extremes, the last one closed. */
void scrublet_histogram(const double *x, int64_t n, double *lo, double *hi, int64_t hist[SCRUBLET_BINS]);
/* The lowest place between the two modes of a histogram: it is smoothed by a mean of 3 bins until fewer than three
 * maxima are left (Prewitt and Mendelsohn 1966, Ann NY Acad Sci 128:1035).  Returns 0 when there are not two. */
int scrublet_minimum(const int64_t hist[SCRUBLET_BINS], double lo, double hi, double *threshold);

#endif
