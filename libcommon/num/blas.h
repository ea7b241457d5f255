/* blas - the only file pair that includes cblas.h and lapacke.h
 *
 * BLAS works on one thread always; we make threads above it over panels of
 * fixed size, so that results do not depend on their number.  Call blas_init
 * once before the first thread and give blas_thread to par_new.
 * All matrices are row-major.  Sizes are checked to fit BLAS's 32-bit integers.
 */
#ifndef OVX_BLAS_H
#define OVX_BLAS_H

#include <stdint.h>
#include "base/err.h"

/* Sets BLAS to one thread. */
void blas_init(void);
/* The same for a thread that was just made (OpenMP builds count by thread). */
void blas_thread(void);

/* c [m][n] = alpha * op(a) * op(b) + beta * c; ta, tb: 1 = transposed.
 * op(a) is [m][k], op(b) [k][n]; lda, ldb, ldc are row strides as stored. */
void blas_sgemm(int ta, int tb, int64_t m, int64_t n, int64_t k, float alpha,
	const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc);
void blas_dgemm(int ta, int tb, int64_t m, int64_t n, int64_t k, double alpha,
	const double *a, int64_t lda, const double *b, int64_t ldb, double beta, double *c, int64_t ldc);
/* Upper triangle of c [n][n] = alpha * a' a + beta * c with a [k][n]. */
void blas_dsyrk(int64_t n, int64_t k, double alpha, const double *a, int64_t lda,
	double beta, double *c, int64_t ldc);
void blas_ssyrk(int64_t n, int64_t k, float alpha, const float *a, int64_t lda,
	float beta, float *c, int64_t ldc);

/* The k largest eigenvalues of symmetric a [n][n] (upper triangle; destroyed),
 * falling, in val [k], eigenvectors as rows of vec [k][n], unit length, signs as
 * LAPACK leaves them (dsyevr).  O(n^3) time, O(n^2) memory. */
int blas_eigh(int64_t n, double *a, int64_t k, double *val, double *vec, struct err *e);
/* Solves a x = b for symmetric positive definite a [n][n] and b [n][m], both
 * overwritten (dposv on row-major data). */
int blas_solve_spd(int64_t n, int64_t m, double *a, double *b, struct err *e);
/* Least squares by QR: minimises |a x - b|, a [m][n], m >= n, destroyed; b [m]
 * gets x in its first n places. */
int blas_lstsq(int64_t m, int64_t n, double *a, double *b, struct err *e);

#endif
