/* pack: what goes in comes out, whatever the code; every truncation is refused; noise never crashes */
#include <math.h>
#include "base/mem.h"
#include "base/rng.h"
#include "cell/set.h"
#include "stream/pack.h"
#include "../t.h"

struct packed {
	uint8_t *b;
	int64_t n;
};

static struct packed
encode(const struct csr *m)
{
	size_t room = pack_bound(m->n_row, m->ptr[m->n_row], m->n_col);
	struct packed p = { mem_new(uint8_t, (long long)room), 0 };
	struct str scratch = {0};

	p.n = pack_encode(m, p.b, &scratch);
	str_clear(&scratch);
	BUG_IF(p.n > (int64_t)room);
	return p;
}

/* An exact copy on the heap, so that a sanitizer sees a read behind the end. */
static int
decode(const uint8_t *b, int64_t n, int64_t n_row, int64_t n_col, struct csr *out)
{
	uint8_t *copy = malloc((size_t)n + !n);
	struct err e = {0};

	memcpy(copy, b, (size_t)n);
	pack_decode(copy, (size_t)n, n_row, n_col, out, &e);
	free(copy);
	return e.code;
}

static int
equal(const struct csr *a, const struct csr *b)
{
	size_t nnz = (size_t)a->ptr[a->n_row];

	return a->n_row == b->n_row && a->n_col == b->n_col &&
		!memcmp(a->ptr, b->ptr, (size_t)(a->n_row + 1) * sizeof *a->ptr) &&
		!memcmp(a->col, b->col, nnz * sizeof *a->col) && !memcmp(a->val, b->val, nnz * sizeof *a->val);
}

static int
stats_agree(const struct csr *m, const struct packed *p)
{
	int64_t *nnz = mem_new(int64_t, m->n_row);
	uint64_t *sum = mem_new(uint64_t, m->n_row);
	uint32_t *max = mem_new(uint32_t, m->n_row);
	struct err e = {0};
	int good = !pack_row_stats(p->b, (size_t)p->n, m->n_row, nnz, sum, max, &e);

	for (int64_t i = 0; i < m->n_row; i++) {
		uint64_t s = 0;
		uint32_t most = 0;

		for (int64_t k = m->ptr[i]; k < m->ptr[i + 1]; k++) {
			s += (uint64_t)m->val[k];
			most = m->val[k] > most ? (uint32_t)m->val[k] : most;
		}
		good &= nnz[i] == m->ptr[i + 1] - m->ptr[i] && sum[i] == s && max[i] == most;
	}
	mem_free(nnz);
	mem_free(sum);
	mem_free(max);
	return good;
}

/* Counts with density and size that fall with the gene; kind chooses the edge cases. */
static struct csr
make(int64_t n_row, int64_t n_col, int kind, uint64_t seed)
{
	struct csr m = { .n_row = n_row, .n_col = n_col };
	struct rng r = rng_make(seed, RNG_TEST, 6);

	csr_reserve(&m, n_row, n_row * n_col);
	for (int64_t i = 0; i < n_row; i++) {
		int64_t at = m.ptr[i];

		for (int64_t j = 0; j < n_col; j++) {
			double x = 0;

			if (kind == 0)          /* like genes by falling frequency */
				x = (double)rng_poisson(&r, (rng_u01(&r) < 0.1 ? 27e3 : 3e3) / (double)(n_row + 20 * j));
			else if (kind == 1)     /* full, every size of value */
				x = 1 + (double)(rng_u32(&r) >> rng_below(&r, 32));
			else if (kind == 2)     /* few, anywhere */
				x = rng_u01(&r) < 0.002 ? 1 + (double)rng_below(&r, 300) : 0;
			else if (kind == 3)     /* every second row empty, else the largest */
				x = i % 2 && j % 3 == 0 ? 4294967295.0 : 0;
			else if (kind == 6)     /* few, large and small */
				x = rng_u01(&r) < 0.05 ? 1 + (double)(rng_u32(&r) >> rng_below(&r, 32)) : 0;
			else if (kind == 4)     /* against the order that bands expect */
				x = rng_u01(&r) < (double)j / (double)n_col ? 1 : 0;
			if (x < 1 || x > 4294967295.0)
				continue;
			m.col[at] = (int32_t)j;
			m.val[at++] = x;
		}
		m.ptr[i + 1] = at;
	}
	return m;
}

static void
round_trip(int64_t n_row, int64_t n_col, int kind, const char *what)
{
	struct csr m = make(n_row, n_col, kind, 1), out = {0};
	struct packed p = encode(&m), q = encode(&m);
	int code = decode(p.b, p.n, n_row, n_col, &out);

	ok(!code && equal(&m, &out), "%s: %lld x %lld, %lld non-zeros in %lld bytes", what, (long long)n_row,
		(long long)n_col, (long long)m.ptr[n_row], (long long)p.n);
	ok(stats_agree(&m, &p) && p.n == q.n && !memcmp(p.b, q.b, (size_t)p.n),
		"... rows' statistics; the same bytes again");
	csr_clear(&m);
	csr_clear(&out);
	mem_free(p.b);
	mem_free(q.b);
}

/* The same bytes as from plain C, for shapes of every kind. */
static void
test_same(const char *code)
{
	struct rng r = rng_make(11, RNG_TEST, 9);
	int other = 0, lost = 0, n = 1000;

	for (int t = 0; t < n; t++) {
		int64_t n_row = rng_below(&r, t % 10 ? 20 : 200), n_col = 1 + (int64_t)(rng_below(&r, 4000) >> rng_below(&r, 10));
		struct csr m = make(n_row, n_col, t % 7, (uint64_t)t), out = {0};
		struct packed p, q;

		setenv("OVX_CPU", "portable", 1);
		p = encode(&m);
		setenv("OVX_CPU", code, 1);
		q = encode(&m);
		other += p.n != q.n || memcmp(p.b, q.b, (size_t)p.n);
		lost += decode(p.b, p.n, n_row, n_col, &out) || !equal(&m, &out);
		csr_clear(&m);
		csr_clear(&out);
		mem_free(p.b);
		mem_free(q.b);
	}
	ok(other == 0 && lost == 0, "%d blocks: the same bytes as plain C makes (%d others), and back (%d lost)", n, other, lost);
}

/* The values of any as floats or int32, when all fit; else NULL. */
static void *
as_type(const struct csr *any, int type)
{
	int64_t n = any->ptr[any->n_row];
	float *f = mem_new(float, n);
	int32_t *v = (int32_t *)f;
	int fits = 1;

	for (int64_t k = 0; k < n; k++) {
		fits &= type == PACK_F32 ? (double)(float)any->val[k] == any->val[k] : any->val[k] <= INT32_MAX;
		if (fits && type == PACK_F32)
			f[k] = (float)any->val[k];
		else if (fits)
			v[k] = (int32_t)any->val[k];
	}
	if (!fits)
		mem_free(f);
	return fits ? f : NULL;
}

/* Rows in any order, renumbered, with zeros and with values in two parts make the bytes that sorted ones make, whatever
 * the type of the values. */
static void
test_any(const char *code)
{
	struct rng r = rng_make(13, RNG_TEST, 10);
	int other = 0, typed = 0, n = 300;

	for (int t = 0; t < n; t++) {
		int64_t n_row = rng_below(&r, 10), n_col = 1 + (int64_t)(rng_below(&r, 3000) >> rng_below(&r, 10)), n_item = -1;
		struct csr m = make(n_row, n_col, t % 7, (uint64_t)t), any = { .n_row = n_row, .n_col = n_col };
		int32_t *place = mem_new(int32_t, n_col), *back = mem_new(int32_t, n_col);
		struct packed p, q;
		struct str scratch = {0};
		struct pack_rows rows;

		for (int64_t i = 0; i < n_col; i++)
			place[i] = (int32_t)i;
		if (t % 3)
			rng_shuffle(&r, place, n_col);
		for (int64_t i = 0; i < n_col; i++)
			back[place[i]] = (int32_t)i;
		csr_reserve(&any, n_row, 2 * m.ptr[n_row] + n_row);
		for (int64_t i = 0; i < n_row; i++) {
			int64_t at = any.ptr[i], from = at;

			for (int64_t k = m.ptr[i]; k < m.ptr[i + 1]; k++) {
				double two = t % 4 == 0 && m.val[k] > 1 ? 1 : 0;

				any.col[at] = back[m.col[k]];
				any.val[at++] = m.val[k] - two;
				if (two || t % 5 == 0) {
					any.col[at] = back[m.col[k]];
					any.val[at++] = two;
				}
			}
			if (t % 2 && n_col > m.ptr[i + 1] - m.ptr[i]) {         /* a zero where nothing is */
				int32_t c = 0;

				for (int64_t k = m.ptr[i]; k < m.ptr[i + 1] && m.col[k] == c; k++)
					c++;
				any.col[at] = back[c];
				any.val[at++] = 0;
			}
			any.ptr[i + 1] = at;
			for (int64_t k = at - 1; k > from; k--) {
				int64_t o = from + rng_below(&r, (uint32_t)(k - from + 1));
				int32_t c = any.col[k];
				double v = any.val[k];

				any.col[k] = any.col[o];
				any.val[k] = any.val[o];
				any.col[o] = c;
				any.val[o] = v;
			}
		}
		setenv("OVX_CPU", "portable", 1);
		p = encode(&m);
		setenv("OVX_CPU", code, 1);
		q.b = mem_new(uint8_t, (long long)pack_bound(n_row, any.ptr[n_row], n_col));
		rows = pack_rows_of(&any);
		q.n = pack_encode_any(&rows, t % 3 || t % 2 ? place : NULL, q.b, &n_item, NULL, &scratch);
		other += p.n != q.n || memcmp(p.b, q.b, (size_t)p.n) || n_item != m.ptr[n_row];
		for (rows.type = PACK_F32; rows.type <= PACK_I32; rows.type++) {
			void *val = as_type(&any, rows.type);

			if (!val)
				continue;
			rows.val = val;
			n_item = -1;
			q.n = pack_encode_any(&rows, t % 3 || t % 2 ? place : NULL, q.b, &n_item, NULL, &scratch);
			other += p.n != q.n || memcmp(p.b, q.b, (size_t)p.n) || n_item != m.ptr[n_row];
			typed++;
			mem_free(val);
		}
		csr_clear(&m);
		csr_clear(&any);
		str_clear(&scratch);
		mem_free(p.b);
		mem_free(q.b);
		mem_free(place);
		mem_free(back);
	}
	ok(other == 0 && typed > n, "%d blocks in any order, %d of floats or integers: the same bytes as sorted (%d others)", n, typed,
	    other);
}

/* One value or column that is none among many: refused wherever it stands. */
static void
test_any_refused(const char *code)
{
	enum { N = 100 };
	static const float no_float[] = { -1, 0.5f, 4294967296.0f, NAN, INFINITY, -INFINITY };
	static const double no_double[] = { -1, 0.5, 4294967296.0, NAN, 4294967295.5, 1e300 };
	int64_t ptr[2] = { 0, N }, n_item;
	int32_t col[N], whole[N];
	float f[N];
	double v[N];
	struct pack_rows rows = { 1, 2 * N, ptr, col, v, PACK_F64 };
	uint8_t *to = mem_new(uint8_t, (long long)pack_bound(1, N, 2 * N));
	struct str scratch = {0};
	int bad = 0;

	setenv("OVX_CPU", code, 1);
	for (int i = 0; i < N; i++) {
		col[i] = i * 2;
		f[i] = (float)(v[i] = whole[i] = 1 + i % 300);
	}
	for (int i = 0; i < N; i++) {
		for (int k = 0; k < 6; k++) {
			double was = v[i];

			v[i] = no_double[k];
			rows.val = v;
			rows.type = PACK_F64;
			bad += pack_encode_any(&rows, NULL, to, &n_item, NULL, &scratch) != -1;
			v[i] = was;
			f[i] = no_float[k];
			rows.val = f;
			rows.type = PACK_F32;
			bad += pack_encode_any(&rows, NULL, to, &n_item, NULL, &scratch) != -1;
			f[i] = (float)was;
		}
		rows.val = whole;
		rows.type = PACK_I32;
		whole[i] = -whole[i];
		bad += pack_encode_any(&rows, NULL, to, &n_item, NULL, &scratch) != -1;
		whole[i] = -whole[i];
		for (int k = 0; k < 3; k++) {
			col[i] = (const int32_t[]){ -1, 2 * N, INT32_MAX }[k];
			bad += pack_encode_any(&rows, NULL, to, &n_item, NULL, &scratch) != PACK_BAD_COLUMN;
		}
		col[i] = 2 * i;
		bad += pack_encode_any(&rows, NULL, to, &n_item, NULL, &scratch) < 0;
	}
	ok(bad == 0, "a value that is no count, or a column that is none, among others (%d taken)", bad);
	mem_free(to);
	str_clear(&scratch);
}

enum { SINK_ROWS = SINK_HEAD + 1300, SINK_COLS = 5 };

/* What row i has in column j. */
static int
sunk(int64_t i, int j)
{
	return (int)((i * 7 + i / 1000 + j * 13) % (5 + j)) * (j < 4 || i > 70);
}

struct found {
	int64_t row, wrong;
};

static int
look(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct found *f = ctx;

	(void)slot;
	(void)e;
	for (int64_t i = 0; i < m->n_row; i++, f->row++) {
		int v[SINK_COLS] = {0};

		for (int64_t k = m->ptr[i]; k < m->ptr[i + 1]; k++)
			v[m->col[k]] = (int)m->val[k];
		for (int j = 0; j < SINK_COLS; j++)
			f->wrong += v[j] != sunk(m->row0 + i, j);
	}
	return 0;
}

/* Rows first whole blocks up to where the genes are numbered, then a few at a time; counted before or not; zeros given as
 * such or not. */
static void
test_sink(int ranked, int zeros)
{
	struct set s;
	struct err e = {0};
	struct csr m = { .n_col = SINK_COLS };
	struct sink k;
	struct rows r = {0};
	struct found f = {0};
	struct strs names[N_AXIS] = {{0}};
	int64_t freq[SINK_COLS] = {0};

	set_init(&s);
	for (int a = 0; a < N_AXIS; a++) {
		for (int64_t i = 0; i < (a == AXIS_OBS ? SINK_ROWS : SINK_COLS); i++) {
			char name[20];

			strs_add(&names[a], name, (size_t)snprintf(name, sizeof name, "%lld", (long long)i));
		}
		set_put_axis(&s, a, &names[a], &e);
	}
	sink_open(&k, &s, "X", DT_F32, SINK_ROWS, SINK_COLS, &e);
	for (int64_t i = 0; i < SINK_HEAD; i++)
		for (int j = 0; j < SINK_COLS; j++)
			freq[j] += zeros || sunk(i, j) > 0;
	if (ranked)
		sink_rank(&k, freq, &e);
	for (int64_t lo = 0, n; lo < SINK_ROWS; lo += n) {
		int64_t at = 0;

		n = lo == 0 ? SINK_HEAD : lo + 100 < SINK_ROWS ? 100 : SINK_ROWS - lo;
		csr_reserve(&m, n, n * SINK_COLS);
		m.n_row = n;
		for (int64_t i = 0; i < n; m.ptr[++i] = at)
			for (int j = 0; j < SINK_COLS; j++)
				if (zeros || sunk(lo + i, j)) {
					m.col[at] = j;
					m.val[at++] = sunk(lo + i, j);
				}
		sink_add(&k, &m, &e);
	}
	is_i64(k.wrong, ranked && zeros, "a number of rows that cannot be is seen");
	sink_close(&k, &e);
	if (set_rows(&s, "X", &r, &e) == 0)
		rows_pass(&r, look, NULL, &f, &e);
	ok(!e.code && f.row == SINK_ROWS && f.wrong == 0, "%lld rows through a sink, ranked %d, zeros %d (%lld wrong)",
	    (long long)f.row, ranked, zeros, (long long)f.wrong);
	set_rows_clear(&r);
	csr_clear(&m);
	set_close(&s);
}

/* What is no count is refused wherever it stands. */
static void
test_refused(void)
{
	static const double no[] = { 0, -1, 0.5, 1.5, 4294967296.0, 4294967295.5, 1e300, -4294967295.0, NAN, INFINITY, -INFINITY };
	struct csr m = make(2, 70, 1, 12);
	int taken = 0;

	for (int64_t k = 0; k < 140; k++)
		for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
			double old = m.val[k];
			struct packed p;

			m.val[k] = no[i];
			p = encode(&m);
			taken += p.n != -1;
			mem_free(p.b);
			m.val[k] = old;
		}
	ok(taken == 0, "values that are no counts are refused");
	csr_clear(&m);
}

static void
test_size(void)
{
	struct csr m = make(512, 4000, 0, 2);
	struct packed p = encode(&m);
	double each = (double)p.n / (double)m.ptr[512];

	ok(each < 1, "counts in the expected order take less than a byte each (%.2f)", each);
	csr_clear(&m);
	mem_free(p.b);
}

static void
test_truncated(int64_t n_row, int64_t n_col, int kind)
{
	struct csr m = make(n_row, n_col, kind, 3), out = {0};
	struct packed p = encode(&m);
	int64_t taken = 0;

	for (int64_t n = 0; n < p.n; n++)
		taken += decode(p.b, n, n_row, n_col, &out) != ERR_DATA;
	ok(taken == 0, "each of %lld truncations is refused", (long long)p.n);
	ok(decode(p.b, p.n, n_row + 1, n_col, &out) && decode(p.b, p.n, n_row - 1, n_col, &out) &&
		decode(p.b, p.n, n_row, n_col + 64, &out), "another shape is refused");
	csr_clear(&m);
	csr_clear(&out);
	mem_free(p.b);
}

/* What is accepted must be sound. */
static int
sound(const struct csr *m)
{
	for (int64_t i = 0; i < m->n_row; i++)
		for (int64_t k = m->ptr[i]; k < m->ptr[i + 1]; k++)
			if (m->col[k] >= m->n_col || m->col[k] <= (k > m->ptr[i] ? m->col[k - 1] : -1) ||
			    !(m->val[k] >= 1 && m->val[k] <= 4294967295.0))
				return 0;
	return 1;
}

static void
test_noise(int64_t n_row, int64_t n_col, int kind, int rounds)
{
	struct csr m = make(n_row, n_col, kind, 4), out = {0};
	struct packed p = encode(&m);
	struct rng r = rng_make(9, RNG_TEST, 7);
	int64_t head = 1 + 3 * n_row + 45 < p.n ? 1 + 3 * n_row + 45 : p.n;
	int refused = 0, bad = 0;

	for (int t = 0; t < rounds; t++) {
		int flips = 1 + (int)rng_below(&r, 3);
		uint8_t old[3];
		int64_t at[3];

		for (int i = 0; i < flips; i++) {
			/* half of them in the head, where lengths are */
			at[i] = (int64_t)rng_below64(&r, (uint64_t)(t % 2 ? p.n : head));
			old[i] = p.b[at[i]];
			p.b[at[i]] = (uint8_t)(t % 3 ? p.b[at[i]] ^ (1u << rng_below(&r, 8)) : rng_u32(&r));
		}
		if (decode(p.b, p.n, n_row, n_col, &out))
			refused++;
		else
			bad += !sound(&out);
		for (int i = flips - 1; i >= 0; i--)
			p.b[at[i]] = old[i];
	}
	ok(bad == 0, "%d damaged blocks: %d refused, the others sound", rounds, refused);
	csr_clear(&m);
	csr_clear(&out);
	mem_free(p.b);
}

/* Everything, with one of the decoder's codes. */
static void
all(const char *code)
{
	struct rng r = rng_make(5, RNG_TEST, 8);
	struct csr out = {0};
	struct err e = {0};
	uint8_t noise[300];
	int taken = 0;

	setenv("OVX_CPU", code, 1);
	printf("# %s\n", code);

	round_trip(512, 3000, 0, "like genes");
	round_trip(100, 257, 1, "full");
	round_trip(300, 2000, 2, "few");
	round_trip(31, 100, 3, "largest values and empty rows");
	round_trip(64, 700, 4, "rising density");
	round_trip(40, 50, 5, "all rows empty");
	round_trip(0, 50, 0, "no rows");
	round_trip(7, 1, 1, "one column");
	round_trip(1, 64, 1, "one row");
	round_trip(3, 100000, 2, "few in many columns");
	test_same(code);
	test_any(code);
	test_any_refused(code);
	test_refused();
	test_size();
	test_truncated(20, 300, 0);
	test_truncated(9, 40, 1);
	test_noise(60, 900, 0, 6000);
	test_noise(12, 90, 1, 6000);
	test_noise(50, 5000, 2, 4000);
	for (int t = 0; t < 20000; t++) {
		int n = (int)rng_below(&r, 300);

		for (int i = 0; i < n; i++)
			noise[i] = (uint8_t)(rng_u32(&r) >> (t % 2 ? 0 : 6));
		noise[0] = 1;
		taken += !decode(noise, n, rng_below(&r, 20), rng_below(&r, 2000), &out) && !sound(&out);
	}
	ok(taken == 0, "pure noise does no harm");
	ok(pack_row_stats(noise, 0, 1, NULL, NULL, NULL, &e) == ERR_DATA, "nothing is no head");
	csr_clear(&out);
}

int
main(void)
{
	all("portable");
	all("avx2");           /* where the CPU has them; else plain again */
	all("avx512");
	for (int i = 0; i < 4; i++)
		test_sink(i & 1, i >> 1);
	return done();
}
