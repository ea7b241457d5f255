/* pack - fuzz target: any bytes as packed counts
 *
 * Input: rows and columns, four bytes each, then the packed bytes.  What is accepted must
 * come back the same from its own packing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "stream/pack.h"
#include "stream/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
too_much(size_t bytes)
{
	fprintf(stderr, "mem_oom: %zu bytes\n", bytes);
	abort();
}

static void
stats(const uint8_t *p, size_t n, int64_t n_row, const struct csr *m)
{
	int64_t *nnz = mem_new(int64_t, n_row);
	uint64_t *sum = mem_new(uint64_t, n_row);
	uint32_t *max = mem_new(uint32_t, n_row);
	struct err e = {0};

	if (pack_row_stats(p, n, n_row, nnz, sum, max, &e))
		abort();
	for (int64_t i = 0; i < n_row; i++) {
		double x = 0;

		if (nnz[i] != m->ptr[i + 1] - m->ptr[i])
			abort();
		for (int64_t k = m->ptr[i]; k < m->ptr[i + 1]; k++)
			x += m->val[k];
		if (x != (double)sum[i])
			abort();
	}
	mem_free(nnz);
	mem_free(sum);
	mem_free(max);
}

/* Every third row skipped, the others taken, one or two at a time, must be as those of m; whatever is not good as a whole may
 * be refused later, or not at all. */
static void
by_rows(const uint8_t *p, size_t n, int64_t n_row, int64_t n_col, const struct csr *m, int values)
{
	struct pack_reader *r = pack_reader_new();
	struct csr some = {0};
	struct err e = {0};

	pack_open(r, p, n, n_row, n_col, &e);
	for (int64_t i = 0; i < n_row && !e.code; ) {
		int64_t k = i % 5 == 3 && i + 1 < n_row ? 2 : 1, from;

		if (i % 3 == 0) {
			pack_skip(r, 1, &e);
			i++;
			continue;
		}
		some.n_row = 0;
		pack_take(r, k, NULL, values, &some, &e);
		from = m && !e.code ? m->ptr[i] : 0;
		if (m && !e.code && (some.ptr[k] != m->ptr[i + k] - from ||
		    memcmp(some.col, m->col + from, (size_t)some.ptr[k] * sizeof *m->col) ||
		    (values && memcmp(some.val, m->val + from, (size_t)some.ptr[k] * sizeof *m->val))))
			abort();
		i += k;
	}
	pack_end(r, &e);
	if (m && e.code)
		abort();
	pack_reader_free(r);
	csr_clear(&some);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const cpu[] = { "portable", "avx2", "avx512" };
	struct csr m = {0}, back = {0};
	struct str scratch = {0};
	struct err e = {0};
	int64_t n_row, n_col, n;
	uint8_t *dst, *src;

	mem_oom = too_much;
	if (size < 8)
		return 0;
	n_row = wire_get32(data);
	n_col = wire_get32(data + 4) & INT32_MAX;
	src = mem_raw(uint8_t, (int64_t)size - 8);      /* its own piece: a read behind it is seen */
	memcpy(src, data + 8, size - 8);
	setenv("OVX_CPU", cpu[size % 3], 1);
	if (pack_decode(src, size - 8, n_row, n_col, &m, &e) == 0) {
		stats(src, size - 8, n_row, &m);
		by_rows(src, size - 8, n_row, n_col, &m, 1);
		by_rows(src, size - 8, n_row, n_col, &m, 0);
		dst = mem_raw(uint8_t, (int64_t)pack_bound(m.n_row, m.ptr[m.n_row], m.n_col));
		n = pack_encode(&m, dst, &scratch);
		if (n < 0)
			abort();
		if (pack_decode(dst, (size_t)n, n_row, n_col, &back, &e) || back.ptr[n_row] != m.ptr[n_row] ||
		    memcmp(back.ptr, m.ptr, (size_t)(n_row + 1) * sizeof *m.ptr) ||
		    memcmp(back.col, m.col, (size_t)m.ptr[n_row] * sizeof *m.col) ||
		    memcmp(back.val, m.val, (size_t)m.ptr[n_row] * sizeof *m.val))
			abort();
		mem_free(dst);
		str_clear(&scratch);
	} else if (n_row < 1 << 20) {
		struct err no = {0};
		int64_t *nnz = mem_new(int64_t, n_row);

		pack_row_stats(src, size - 8, n_row, nnz, NULL, NULL, &no);
		by_rows(src, size - 8, n_row, n_col, NULL, 1);
		by_rows(src, size - 8, n_row, n_col, NULL, 0);
		mem_free(nnz);
	}
	mem_free(src);
	csr_clear(&m);
	csr_clear(&back);
	return 0;
}
