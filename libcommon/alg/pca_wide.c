/* pca_wide - see pca_wide.h */
#include "alg/pca_wide.h"

#define INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__) && defined(__GNUC__)
#define BY_CPU
#define T256 __attribute__((target("avx2")))
#define T512 __attribute__((target("avx512f")))
#endif

/* A row is eight vectors, registers of AVX2, or four of AVX-512: the compilers keep vectors that fit no register in memory. */
typedef float v8f __attribute__((vector_size(32), aligned(4), may_alias));
typedef float v16f __attribute__((vector_size(64), aligned(4), may_alias));

typedef void sum_fn(const float *, int64_t, const int32_t *, const float *, int64_t, float *);

INLINE void
sum_8(const float *table, int64_t stride, const int32_t *at, const float *val, int64_t n, float *sum)
{
	v8f a = {0}, b = {0}, c = {0}, d = {0}, e = {0}, f = {0}, g = {0}, h = {0};
	v8f *to = (v8f *)sum;

	for (int64_t k = 0; k < n; k++) {
		const v8f *row = (const v8f *)(table + at[k] * stride);
		float x = val[k];
		v8f v = { x, x, x, x, x, x, x, x };

		a += v * row[0];
		b += v * row[1];
		c += v * row[2];
		d += v * row[3];
		e += v * row[4];
		f += v * row[5];
		g += v * row[6];
		h += v * row[7];
	}
	to[0] = a;
	to[1] = b;
	to[2] = c;
	to[3] = d;
	to[4] = e;
	to[5] = f;
	to[6] = g;
	to[7] = h;
}

INLINE void
add_lists(sum_fn *by, const float *table, const int32_t *ptr, const int32_t *at, const float *val, int64_t lo, int64_t hi, float *sum)
{
	float own[PCA_WIDTH];

	for (int64_t b = lo; b < hi; b++, sum += PCA_WIDTH) {
		if (ptr[b] == ptr[b + 1])
			continue;
		by(table, PCA_WIDTH, at + ptr[b], val + ptr[b], ptr[b + 1] - ptr[b], own);
		for (int i = 0; i < PCA_WIDTH; i++)
			sum[i] += own[i];
	}
}

#ifdef BY_CPU
T512 INLINE void
sum_16(const float *table, int64_t stride, const int32_t *at, const float *val, int64_t n, float *sum)
{
	v16f a = {0}, b = {0}, c = {0}, d = {0};
	v16f *to = (v16f *)sum;

	for (int64_t k = 0; k < n; k++) {
		const v16f *row = (const v16f *)(table + at[k] * stride);
		float x = val[k];
		v16f v = { x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x };

		a += v * row[0];
		b += v * row[1];
		c += v * row[2];
		d += v * row[3];
	}
	to[0] = a;
	to[1] = b;
	to[2] = c;
	to[3] = d;
}

T512 static void
add_lists_512(const float *table, const int32_t *ptr, const int32_t *at, const float *val, int64_t lo, int64_t hi, float *sum)
{
	add_lists(sum_16, table, ptr, at, val, lo, hi, sum);
}

T256 static void
add_lists_256(const float *table, const int32_t *ptr, const int32_t *at, const float *val, int64_t lo, int64_t hi, float *sum)
{
	add_lists(sum_8, table, ptr, at, val, lo, hi, sum);
}

T512 static void
sum_rows_512(const float *table, int64_t stride, const int32_t *at, const float *val, int64_t n, float *sum)
{
	sum_16(table, stride, at, val, n, sum);
}

T256 static void
sum_rows_256(const float *table, int64_t stride, const int32_t *at, const float *val, int64_t n, float *sum)
{
	sum_8(table, stride, at, val, n, sum);
}
#endif

void
pca_add_lists(const float *table, const int32_t *ptr, const int32_t *at, const float *val, int64_t lo, int64_t hi, float *sum)
{
#ifdef BY_CPU
	if (__builtin_cpu_supports("avx512f")) {
		add_lists_512(table, ptr, at, val, lo, hi, sum);
		return;
	}
	if (__builtin_cpu_supports("avx2")) {
		add_lists_256(table, ptr, at, val, lo, hi, sum);
		return;
	}
#endif
	add_lists(sum_8, table, ptr, at, val, lo, hi, sum);
}

void
pca_sum_rows(const float *table, int64_t stride, const int32_t *at, const float *val, int64_t n, float *sum)
{
#ifdef BY_CPU
	if (__builtin_cpu_supports("avx512f")) {
		sum_rows_512(table, stride, at, val, n, sum);
		return;
	}
	if (__builtin_cpu_supports("avx2")) {
		sum_rows_256(table, stride, at, val, n, sum);
		return;
	}
#endif
	sum_8(table, stride, at, val, n, sum);
}
