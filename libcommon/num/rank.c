/* rank - see rank.h */
#include "num/rank.h"

#include <stdlib.h>
#include "base/mem.h"

struct ranked {
	int64_t value;
	int32_t place;
};

static int
by_value(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	return x->value != y->value ? (x->value < y->value ? 1 : -1) : x->place < y->place ? -1 : 1;
}

void
num_rank(const int64_t *x, int64_t n, int32_t *order)
{
	struct ranked *r = mem_new(struct ranked, n);

	for (int64_t i = 0; i < n; i++)
		r[i] = (struct ranked){ x[i], (int32_t)i };
	qsort(r, (size_t)n, sizeof *r, by_value);
	for (int64_t i = 0; i < n; i++)
		order[i] = r[i].place;
	mem_free(r);
}
