/* packspeed - how fast counts are packed and unpacked on one core: packspeed FILE [CODE]
 *
 * Takes the first block of X of FILE, packs and unpacks it again and again with each code that the CPU has, and
 * prints a line for each: code, bytes a non-zero, thousand millions of non-zeros a second of packing
 * and of unpacking.  It is packed as an import does: from floats, by columns in the file's order.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/mem.h"
#include "cell/set.h"
#include "stream/pack.h"

#define BLOCKS 1

struct sample {
	struct csr m[BLOCKS];
	struct pack_rows rows[BLOCKS];  /* the same as a file has them */
	int32_t *order, *place;         /* column -> place, and back */
	uint8_t *packed[BLOCKS];
	int64_t size[BLOCKS];
	int n;
	int64_t nnz;
};

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int
by_number(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return (x > y) - (x < y);
}

/* The rows of m by the columns of the file, which rise in most files. */
static struct pack_rows
as_in_file(const struct sample *s, const struct csr *m)
{
	int64_t nnz = m->ptr[m->n_row];
	float *val = mem_raw(float, nnz), *value = mem_raw(float, m->n_col);
	int32_t *col = mem_raw(int32_t, nnz);

	for (int64_t i = 0; i < m->n_row; i++) {
		int64_t lo = m->ptr[i], hi = m->ptr[i + 1];

		for (int64_t k = lo; k < hi; k++) {
			col[k] = s->order[m->col[k]];
			value[col[k]] = (float)m->val[k];
		}
		qsort(col + lo, (size_t)(hi - lo), sizeof *col, by_number);
		for (int64_t k = lo; k < hi; k++)
			val[k] = value[col[k]];
	}
	mem_free(value);
	return (struct pack_rows){ m->n_row, m->n_col, m->ptr, col, val, PACK_F32 };
}

static int
keep(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct sample *s = ctx;
	struct csr *to = &s->m[s->n];
	size_t nnz = (size_t)m->ptr[m->n_row];

	(void)slot;
	if (s->n == BLOCKS)
		return err_set(e, ERR_DATA, "enough");
	csr_reserve(to, m->n_row, (int64_t)nnz);
	to->n_row = m->n_row;
	to->n_col = m->n_col;
	memcpy(to->ptr, m->ptr, (size_t)(m->n_row + 1) * sizeof *m->ptr);
	memcpy(to->col, m->col, nnz * sizeof *m->col);
	memcpy(to->val, m->val, nnz * sizeof *m->val);
	s->rows[s->n] = as_in_file(s, to);
	s->packed[s->n++] = mem_raw(uint8_t, (int64_t)pack_bound(m->n_row, (int64_t)nnz, m->n_col));
	s->nnz += (int64_t)nnz;
	return 0;
}

/* One round over the sample, so that nothing stays in the caches. */
static void
pack_all(struct sample *s)
{
	static struct str scratch;
	int64_t n;

	for (int i = 0; i < s->n; i++)
		s->size[i] = pack_encode_any(&s->rows[i], s->place, s->packed[i], &n, NULL, &scratch);
}

/* Some rows at a time, as passes do. */
static void
unpack_all(struct sample *s)
{
	static struct pack_reader *r;
	static struct csr m;
	struct err e = {0};

	r = r ? r : pack_reader_new();
	for (int i = 0; i < s->n; i++) {
		pack_open(r, s->packed[i], (size_t)s->size[i], s->m[i].n_row, s->m[i].n_col, &e);
		for (int64_t n, left = s->m[i].n_row; left > 0 && !e.code; left -= n) {
			n = pack_fit(r, PACK_STRIP, NULL);
			n = n ? n : 1;
			m.n_row = 0;
			pack_take(r, n, NULL, 1, &m, &e);
		}
		BUG_IF(pack_end(r, &e));
	}
}

/* Seconds of a round, the best of several. */
static double
best(struct sample *s, void (*work)(struct sample *))
{
	double least = 1e9;

	for (int i = 0; i < 99; i++) {
		double t = now();

		work(s);
		t = now() - t;
		least = t < least ? t : least;
	}
	return least;
}

static void
measure(struct sample *s, const char *code)
{
	double in, out, bytes = 0;

	setenv("OVX_CPU", code, 1);
	in = best(s, pack_all);
	out = best(s, unpack_all);
	for (int i = 0; i < s->n; i++)
		bytes += (double)s->size[i];
	printf("%s\t%.3f\t%.3f\t%.3f\n", code, bytes / (double)s->nnz, 1e-9 * (double)s->nnz / in, 1e-9 * (double)s->nnz / out);
}

int
main(int argc, char **argv)
{
	static const char *const code[] = { "portable", "avx2", "avx512" };
	struct set set = {0};
	struct sample s = {0};
	struct rows r;
	struct err e = {0};

	if (argc < 2 || set_open(&set, argv + 1, 1, &e) || set_rows_stored(&set, "X", &r, &s.order, &e)) {
		fprintf(stderr, "packspeed: %s\n", argc > 1 ? e.msg : "one file is wanted");
		return 1;
	}
	s.place = mem_raw(int32_t, r.n_col);
	for (int64_t i = 0; i < r.n_col; i++)
		s.place[s.order[i]] = (int32_t)i;
	set_rows_flags(&r, SET_WHOLE);
	rows_pass(&r, keep, NULL, &s, &e);
	for (int i = 0; i < 3; i++)
		if (argc == 2 || strcmp(argv[2], code[i]) == 0)
			measure(&s, code[i]);
	return 0;
}
