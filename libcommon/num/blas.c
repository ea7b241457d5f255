/* blas - see blas.h */
#include "num/blas.h"

#include <limits.h>
#include <pthread.h>
#include <cblas.h>
#include <lapacke.h>
#include "base/mem.h"

/* Present in OpenBLAS only, and only in some of its builds. */
void openblas_set_num_threads(int n) __attribute__((weak));
int openblas_get_parallel(void) __attribute__((weak));
void omp_set_num_threads(int n) __attribute__((weak));

/* OpenBLAS built without threads and without locks (Debian's serial package)
 * shares its work buffers between callers: two of our threads inside it at once get wrong
 * numbers now and then.  One at a time, then; the pthread build does not need it. */
static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
static int one_at_a_time;

static void
enter(void)
{
	if (one_at_a_time)
		pthread_mutex_lock(&one);
}

static void
leave(void)
{
	if (one_at_a_time)
		pthread_mutex_unlock(&one);
}

void
blas_thread(void)
{
	if (omp_set_num_threads)
		omp_set_num_threads(1);
}

void
blas_init(void)
{
	blas_thread();
	if (openblas_set_num_threads)
		openblas_set_num_threads(1);
	one_at_a_time = openblas_get_parallel && openblas_get_parallel() == 0;
}

static int
i32(int64_t n)
{
	BUG_IF(n < 0 || n > INT_MAX);
	return (int)n;
}

static CBLAS_TRANSPOSE
op(int t)
{
	return t ? CblasTrans : CblasNoTrans;
}

void
blas_sgemm(int ta, int tb, int64_t m, int64_t n, int64_t k, float alpha,
	const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc)
{
	enter();
	cblas_sgemm(CblasRowMajor, op(ta), op(tb), i32(m), i32(n), i32(k), alpha,
	    a, i32(lda), b, i32(ldb), beta, c, i32(ldc));
	leave();
}

void
blas_dgemm(int ta, int tb, int64_t m, int64_t n, int64_t k, double alpha,
	const double *a, int64_t lda, const double *b, int64_t ldb, double beta, double *c, int64_t ldc)
{
	enter();
	cblas_dgemm(CblasRowMajor, op(ta), op(tb), i32(m), i32(n), i32(k), alpha,
	    a, i32(lda), b, i32(ldb), beta, c, i32(ldc));
	leave();
}

void
blas_dsyrk(int64_t n, int64_t k, double alpha, const double *a, int64_t lda,
	double beta, double *c, int64_t ldc)
{
	enter();
	cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, i32(n), i32(k), alpha, a, i32(lda), beta, c, i32(ldc));
	leave();
}

void
blas_ssyrk(int64_t n, int64_t k, float alpha, const float *a, int64_t lda,
	float beta, float *c, int64_t ldc)
{
	enter();
	cblas_ssyrk(CblasRowMajor, CblasUpper, CblasTrans, i32(n), i32(k), alpha, a, i32(lda), beta, c, i32(ldc));
	leave();
}

int
blas_eigh(int64_t n, double *a, int64_t k, double *val, double *vec, struct err *e)
{
	double *w, *z;
	lapack_int *support, m = 0, info;

	if (e->code)
		return e->code;
	BUG_IF(k < 1 || k > n);
	w = mem_new(double, n);
	z = mem_raw(double, n * k);
	support = mem_new(lapack_int, 2 * n);
	/* Row-major upper is column-major lower: LAPACK works in place on its own
	 * order, where a row-major call would copy the matrix. */
	enter();
	info = LAPACKE_dsyevr(LAPACK_COL_MAJOR, 'V', k < n ? 'I' : 'A', 'L', i32(n), a, i32(n),
	    0, 0, i32(n - k + 1), i32(n), 0, &m, w, z, i32(n), support);
	leave();
	if (info || m != k)
		err_set(e, ERR_NUMERIC, "eigenvalues of a %lld x %lld matrix: LAPACK's dsyevr failed (%d)",
		    (long long)n, (long long)n, (int)info);
	for (int64_t i = 0; i < k && !e->code; i++) {
		val[i] = w[k - 1 - i];
		for (int64_t j = 0; j < n; j++)
			vec[i * n + j] = z[(k - 1 - i) * n + j];
	}
	mem_free(w);
	mem_free(z);
	mem_free(support);
	return e->code;
}

int
blas_solve_spd(int64_t n, int64_t m, double *a, double *b, struct err *e)
{
	int info;

	if (e->code)
		return e->code;
	enter();
	info = (int)LAPACKE_dposv(LAPACK_ROW_MAJOR, 'U', i32(n), i32(m), a, i32(n), b, i32(m));
	leave();
	if (info)
		err_set(e, ERR_NUMERIC, "a %lld x %lld system is not positive definite", (long long)n, (long long)n);
	return e->code;
}

int
blas_lstsq(int64_t m, int64_t n, double *a, double *b, struct err *e)
{
	int info;

	if (e->code)
		return e->code;
	enter();
	info = (int)LAPACKE_dgels(LAPACK_ROW_MAJOR, 'N', i32(m), i32(n), 1, a, i32(n), b, 1);
	leave();
	if (info)
		err_set(e, ERR_NUMERIC, "least squares of %lld x %lld failed (%d)", (long long)m, (long long)n, info);
	return e->code;
}
