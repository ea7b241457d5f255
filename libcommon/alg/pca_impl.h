/* pca_impl - what pca.c and pca_gram.c share.  Private.
 */
#ifndef OVX_PCA_IMPL_H
#define OVX_PCA_IMPL_H

#include "alg/pca.h"

/* Rows on the chosen genes: s = z - z0, z0 being what a zero has.  Floats: their rounding (6e-8) is far below
 * what counts mean, and everything behind them is summed in double. */
struct sparse {
	int64_t n;
	int64_t *ptr;           /* [n + 1] */
	int32_t *col;           /* place among the genes */
	float *val;
	int64_t cap_row, cap;
};

/* The same by genes. */
struct lists {
	int64_t n;              /* rows */
	int32_t *ptr;           /* [g + 2], list j being ptr[j] .. ptr[j + 1] - 1; the last is there for making them */
	int32_t *row;           /* rising */
	float *val;
	int64_t cap;
};

/* How a row is picked. */
struct picker {
	const struct pca_opt *o;
	int32_t *place;         /* [n_col] number among the genes, for those of them */
	uint8_t *is;            /* [n_col] 1 for those: small, to stay in the first cache */
	double *scale;          /* [g] 1 / std */
	double *centre;         /* [g] mean / std */
	double *zero;           /* [g] z of a zero */
	double clip;            /* infinite when there is none */
	double **x;             /* [n_slot] counts of the row's genes, of room cap[slot] */
	int64_t *cap;
	int n_slot;
};

void picker_init(struct picker *p, const struct rows *r, const struct pca_opt *o);
void picker_clear(struct picker *p);
/* Appends the rows of m.  ERR_NUMERIC when a value is not finite. */
int picker_add(struct picker *p, const struct csr *m, int slot, struct sparse *s, struct err *e);
void sparse_clear(struct sparse *s);
/* Bytes that pca_sum takes, see pca_bytes. */
int64_t pca_gram_bytes(int64_t n, int64_t g, double fill, int n_slot);

#endif
