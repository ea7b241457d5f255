/* lanes - vectors of 16 floats in the compilers' notation, for inner loops
 *
 * They become 1, 2 or 4 registers; every lane does the same sequence of IEEE operations, so the
 * bits do not depend on the width.  WIDE before a function makes a copy for each width, where the
 * compiler and the C library can choose one at run time.
 */
#ifndef OVX_LANES_H
#define OVX_LANES_H

#include <stdint.h>

#define LANES 16

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__GLIBC__) && \
	!defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#define WIDE __attribute__((target_clones("default", "avx2", "arch=x86-64-v4")))
#else
#define WIDE
#endif
#define INLINE static inline __attribute__((always_inline))

typedef float vf __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t vi __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef double vd __attribute__((vector_size(8 * LANES), aligned(8), may_alias));

/* exp(x): x = n ln 2 + f, |f| <= ln 2 / 2, a polynomial for exp(f) and n added
 * to the exponent.  Below -87 the result is 0; x <= 88.  to may be from. */
INLINE void
lanes_exp(vf *to, const vf *from)
{
	const vf big = (vf){0} + 12582912.0f;   /* 1.5 * 2^23: adding it rounds to an integer */
	vi live = *from > -87.0f, e;
	vf x = (vf)((vi)*from & live), n, f, q;

	n = x * 1.44269504f + big;
	e = (vi)n;
	n -= big;
	f = x - n * 0.693359375f;
	f -= n * -2.12194440e-4f;
	q = f * 1.3888949086e-3f + 8.3333337680e-3f;
	q = q * f + 4.1666667908e-2f;
	q = q * f + 1.6666667163e-1f;
	q = q * f + 0.5f;
	q = q * f * f + f + 1.0f;
	*to = (vf)(((vi)q + (e << 23)) & live);
}

#endif
