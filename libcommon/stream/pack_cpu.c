/* pack_cpu - which of its codes the packing of counts uses */
#include <stdlib.h>
#include <string.h>
#include "stream/pack_impl.h"

#ifdef WIDE
uint64_t pack_bits_of[256];

__attribute__((constructor)) static void
make_table(void)
{
	for (int b = 0; b < 256; b++) {
		int k = 0;

		for (int i = 0; i < 8; i++)
			if (b >> i & 1)
				pack_bits_of[b] |= (uint64_t)i << 8 * k++;
	}
}
#endif

int
pack_cpu(void)
{
	static const char *const name[] = { "portable", "avx2", "avx512" };
	const char *want = getenv("OVX_CPU");
	int can[3] = { 1, 0, 0 };

#ifdef WIDE
	can[1] = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
	can[2] = can[1] && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
	    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
#endif
	for (int i = 2; i > 0; i--)
		if (can[i] && (!want || strcmp(want, name[i]) == 0))
			return i;
	return CPU_PORTABLE;
}
