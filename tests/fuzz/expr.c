/* expr - fuzz target: any text as the condition of -e, then evaluated on a few rows */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/expr.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
too_much(size_t bytes)
{
	fprintf(stderr, "mem_oom: %zu bytes\n", bytes);
	abort();
}

static int
name(void *ctx, const char *s, struct err *e)
{
	(void)ctx;
	return *s == 'z' ? err_set(e, ERR_DATA, "no %s", s) : (unsigned char)*s % 4;
}

static struct value
value(void *ctx, int col, int64_t i)
{
	static const double x[] = { 0, -1.5, 1e300, 7 };
	static const char *const s[] = { "", "T cell", "12", "B" };

	(void)ctx;
	return col == 3 ? (struct value){ .missing = i & 1, .x = NAN, .s = "" } :
	    (struct value){ .is_text = col & 1, .x = x[i % 4], .s = s[i % 4] };
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_strndup((const char *)data, size);
	struct err e = {0};
	struct expr *x;
	int n = 0;

	mem_oom = too_much;
	x = expr_parse(text, name, NULL, &e);
	if (e.code && x)
		abort();
	for (int64_t i = 0; x && i < 4; i++)
		n += expr_true(x, value, NULL, i);
	expr_free(x);
	mem_free(text);
	return n > 4;
}
