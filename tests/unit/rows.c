/* rows: passes over a stored matrix give every kept row once, piece by piece in order, whatever the threads, flags, memory,
 * selections and code */
#include "base/mem.h"
#include "base/rng.h"
#include "cell/set.h"
#include "../t.h"

enum { N_ROW = 2600, N_COL = 700 };

/* The matrix as it was put, dense. */
static double *truth;

struct seen {
	int64_t n_row, n_col, n_slot;
	const int64_t *row, *col;       /* kept, NULL = all */
	int64_t *next;          /* [n_slot] row that the slot's block is at */
	uint8_t *done;          /* [n_row] */
	int whole, columns, bad;
	int64_t summed;         /* rows */
	const int32_t *order;   /* of stored columns, or NULL */
};

static double
value_of(const struct seen *s, int64_t i, int64_t j)
{
	if (s->order)
		j = s->order[j];
	return truth[(s->row ? s->row[i] : i) * N_COL + (s->col ? s->col[j] : j)];
}

static int
look(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct seen *s = ctx;
	double *row = mem_new(double, s->n_col);

	(void)e;
	if (m->row0 % ROWS_BLOCK == 0)
		s->next[slot] = m->row0;
	s->bad |= m->n_row < 1 || m->n_col != s->n_col || s->next[slot] != m->row0 || m->ptr[0] != 0 ||
		m->row0 / ROWS_BLOCK != (m->row0 + m->n_row - 1) / ROWS_BLOCK;
	s->bad |= s->whole && m->n_row != ROWS_BLOCK && m->row0 + m->n_row != s->n_row;
	s->next[slot] += m->n_row;
	for (int64_t i = 0; i < m->n_row && !s->bad; i++) {
		memset(row, 0, (size_t)s->n_col * sizeof *row);
		for (int64_t k = m->ptr[i]; k < m->ptr[i + 1]; k++) {
			s->bad |= m->col[k] < 0 || m->col[k] >= s->n_col || row[m->col[k]] != 0;
			s->bad |= s->order && k > m->ptr[i] && m->col[k] <= m->col[k - 1];
			if (s->bad)
				break;
			row[m->col[k]] = s->columns ? 1 : m->val[k];
		}
		for (int64_t j = 0; j < s->n_col; j++) {
			double v = value_of(s, m->row0 + i, j);

			s->bad |= s->columns ? row[j] != (v != 0) : row[j] != v;
		}
		s->bad |= s->done[m->row0 + i]++;
	}
	mem_free(row);
	return 0;
}

static int
add(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct seen *s = ctx;

	(void)e;
	s->bad |= m->row0 != s->summed || m->n_col != s->n_col || s->next[slot] != m->row0 + m->n_row;
	s->bad |= m->n_row != ROWS_BLOCK && m->row0 + m->n_row != s->n_row;
	s->bad |= s->whole && m->ptr[m->n_row] < 0;
	s->summed += m->n_row;
	return 0;
}

static int
pass(struct set *set, const int64_t *row, const int64_t *col, int flags, int stored)
{
	struct seen s = { .row = row, .col = col, .whole = flags & SET_WHOLE, .columns = flags & SET_COLUMNS };
	struct rows r;
	struct err e = {0};
	int32_t *order = NULL;

	if (stored)
		set_rows_stored(set, "X", &r, &order, &e);
	else
		set_rows(set, "X", &r, &e);
	if (e.code)
		return 0;
	s.order = order;
	s.n_row = r.n_row;
	s.n_col = r.n_col;
	s.next = mem_new(int64_t, r.n_slot);
	s.done = mem_new(uint8_t, r.n_row);
	set_rows_flags(&r, flags);
	for (int i = 0; i < 2; i++) {           /* again and again */
		s.summed = 0;
		memset(s.done, 0, (size_t)r.n_row);
		rows_pass(&r, look, add, &s, &e);
		for (int64_t k = 0; k < r.n_row; k++)
			s.bad |= !s.done[k];
		s.bad |= s.summed != r.n_row || e.code;
	}
	set_rows_clear(&r);
	mem_free(order);
	mem_free(s.next);
	mem_free(s.done);
	return !s.bad;
}

static int
stats_agree(struct set *set, const int64_t *row, const int64_t *col)
{
	int64_t n = set->axis[AXIS_OBS].n, m = set->axis[AXIS_VAR].n, *nnz = mem_new(int64_t, n);
	uint64_t *sum = mem_new(uint64_t, n);
	uint32_t *max = mem_new(uint32_t, n);
	struct err e = {0};
	int good = set_row_stats(set, "X", nnz, sum, max, &e) == 0;

	for (int64_t i = 0; i < n && good; i++) {
		double s = 0, most = 0;
		int64_t k = 0;

		for (int64_t j = 0; j < m; j++) {
			double v = truth[(row ? row[i] : i) * N_COL + (col ? col[j] : j)];

			s += v;
			k += v != 0;
			most = v > most ? v : most;
		}
		good = nnz[i] == k && (double)sum[i] == s && (double)max[i] == most;
	}
	mem_free(nnz);
	mem_free(sum);
	mem_free(max);
	return good;
}

static void
names(struct strs *l, int64_t n, char c)
{
	for (int64_t i = 0; i < n; i++) {
		char name[20];

		strs_add(l, name, (size_t)snprintf(name, sizeof name, "%c%lld", c, (long long)i));
	}
}

/* Dense enough that blocks have several strips; real: some values are no counts. */
static void
fill(struct set *s, int real, struct err *e)
{
	struct rng r = rng_make(1, RNG_TEST, 1);
	struct strs obs = {0}, var = {0};
	struct csr m = { .n_col = N_COL };
	struct sink k;

	names(&obs, N_ROW, 'c');
	names(&var, N_COL, 'g');
	set_put_axis(s, AXIS_OBS, &obs, e);
	set_put_axis(s, AXIS_VAR, &var, e);
	sink_open(&k, s, "X", DT_F64, N_ROW, N_COL, e);
	for (int64_t i = 0; i < N_ROW; ) {
		int64_t n = 1 + rng_below(&r, 900), at = 0;

		n = i + n < N_ROW ? n : N_ROW - i;
		csr_reserve(&m, n, n * N_COL);
		m.row0 = i;
		m.n_row = n;
		for (int64_t q = 0; q < n; q++, i++) {
			for (int64_t j = 0; j < N_COL; j++) {
				double v = i % 50 == 7 || rng_u01(&r) > 0.25 ? 0 : 1 + (double)(rng_u32(&r) >> (8 + rng_below(&r, 24)));

				v = real && v && i % 3 == 0 ? -v / 4 : v;
				truth[i * N_COL + j] = v;
				m.col[at] = (int32_t)j;
				m.val[at] = v;
				at += v != 0;
			}
			m.ptr[q + 1] = at;
		}
		sink_add(&k, &m, e);
	}
	sink_close(&k, e);
	csr_clear(&m);
}

static void
all(int real, int threads, const char *code, int64_t wave)
{
	struct set s;
	struct err e = {0};
	int64_t row[N_ROW], col[N_COL], n = 0, m = 0;
	int good = 1;

	setenv("OVX_CPU", code, 1);
	set_init(&s);
	s.par = par_new(threads, NULL);
	s.wave_bytes = wave;
	fill(&s, real, &e);
	for (int f = 0; f < 8; f++)
		good &= pass(&s, NULL, NULL, f & ~(real ? SET_COUNTS : 0), f & 1);
	good &= real || stats_agree(&s, NULL, NULL);
	ok(good, "%s, %d threads, %s: all rows", real ? "real values" : "counts", threads, code);
	for (int64_t i = 0; i < N_ROW; i++)
		if (i < 600 ? i % 2 : i < 1500 ? i % 10 != 3 : i % 300 == 0)
			row[n++] = i;
	set_subset(&s, AXIS_OBS, row, n, &e);
	good = !e.code;
	for (int f = 0; f < 8; f++)
		good &= pass(&s, row, NULL, f & ~(real ? SET_COUNTS : 0), f & 1);
	good &= real || stats_agree(&s, row, NULL);
	ok(good, "... some rows");
	for (int64_t j = 0; j < N_COL; j++)
		if (j % 7 && j != 5)
			col[m++] = j;
	set_subset(&s, AXIS_VAR, col, m, &e);
	good = !e.code;
	for (int f = 0; f < 8; f++)
		good &= pass(&s, row, col, f & ~(real ? SET_COUNTS : 0), f & 1);
	good &= real || stats_agree(&s, row, col);
	ok(good, "... some genes too");
	if (real) {
		struct err no = {0};

		ok(set_row_stats(&s, "X", NULL, NULL, NULL, &no) == ERR_DATA, "... values that are no counts have no such sums");
	}
	par_free(s.par);
	s.par = NULL;
	set_close(&s);
}

int
main(void)
{
	truth = mem_new(double, (int64_t)N_ROW * N_COL);
	all(0, 1, "portable", 0);
	all(0, 2, "avx2", 0);
	all(0, 3, "avx512", 0);
	all(0, 2, "avx512", 1);
	all(1, 2, "avx512", 0);
	mem_free(truth);
	return done();
}
