/* scrublet_impl - what the parts share; private to scrublet*.c */
#ifndef OVX_SCRUBLET_IMPL_H
#define OVX_SCRUBLET_IMPL_H

#include "alg/scrublet.h"

#define SCRUBLET_CELLS 3        /* a gene must be in so many cells of the sample */

/* Statistics of a gene in a sample: cells that hold it, cells with 2 or more, sums of y = x / (sum of the row) and y^2. */
enum { S_CELLS, S_TWICE, S_SUM, S_SUM2, N_STAT };

/* Sets take [n_col] for the genes to use, from stat [n_col][N_STAT] over n > 1 cells; y times factor is
 * the normalised count.  ours: by V-score; compat: genes of the mask by normalised dispersion. */
void scrublet_by_vscore(const struct scrublet_opt *o, int64_t n_col, const double *stat, double n, double factor, uint8_t *take);
void scrublet_by_dispersion(int64_t n_col, const uint8_t *gene, const double *stat, double n, double factor, uint8_t *take);

/* The m genes to take [m, the caller's], those of the most cells first: the components are made fastest in that order. */
int32_t *scrublet_rank(const uint8_t *take, const double *stat, int64_t n_col, int64_t m);

/* Counts of one sample on its chosen genes, rows as they came. */
struct scrublet_held {
	int64_t n, g;           /* rows there will be; genes */
	int64_t at;             /* rows there are */
	int64_t *ptr;           /* [n + 1] */
	uint16_t *col;          /* [ptr[n]] number among the chosen genes */
	float *val;
	int64_t *row;           /* [n] row of the matrix */
};

void scrublet_held_clear(struct scrublet_held *h);
/* A source of the sample's rows, or, with pair [n_row][2], of sums of two of them, made block by block. */
void scrublet_feed(struct rows *r, const struct scrublet_held *h, const int32_t *pair, int64_t n_row, struct par *p);
void scrublet_feed_clear(struct rows *r);

#endif
