/* score: bins and controls as scanpy has them, scores against plain sums */
#include "alg/score.h"
#include "base/mem.h"
#include "base/rng.h"
#include "os/par.h"
#include "../t.h"

#define N 600

static void
test_bins(void)
{
	double mean[48];
	int32_t bin[48];
	uint8_t use[48];
	struct err e = {0};
	int good = 1;

	for (int g = 0; g < 48; g++)
		mean[g] = (g * 7) % 48;
	score_bins(mean, NULL, 48, 25, bin, &e);
	/* items = 48 / 24 = 2: rank r lies in bin floor(r / 2), the first bin is one short */
	for (int g = 0; g < 48; g++)
		good &= bin[g] == ((g * 7) % 48 + 1) / 2;
	ok(!e.code && good, "bins by rank");
	for (int g = 0; g < 48; g++)
		mean[g] = g < 10 ? 0 : g;
	score_bins(mean, NULL, 48, 25, bin, &e);
	ok(bin[0] == 0 && bin[9] == 0 && bin[10] == 5 && bin[47] == 24, "equal means share the smallest rank");
	for (int g = 0; g < 48; g++)
		use[g] = g >= 12;
	score_bins(mean, use, 48, 25, bin, &e);
	/* 36 / 24 = 1.5, to even: 2 */
	ok(!e.code && bin[11] == -1 && bin[12] == 0 && bin[13] == 1 && bin[47] == 18, "genes that are left out; a half is rounded to even");
	score_bins(mean, NULL, 12, 25, bin, &e);
	ok(e.code == ERR_DATA, "12 genes are too few for 25 bins");
	e.code = 0;
	mean[20] = NAN;
	score_bins(mean, NULL, 48, 25, bin, &e);
	ok(e.code == ERR_DATA, "a mean that is no number");
}

/* Made with scanpy 1.11.5, score_genes with random_state 3 and n_bins 25. */
static void
test_controls(void)
{
	static const struct { int64_t size, n, sum, sum2; } want[] = {
		{ 4, 68, 22978, 9989832 }, { 7, 118, 37997, 15564877 }, { 1000, 428, 128181, 50978467 }
	};
	static const int32_t head[] = { 8, 14, 44, 46, 56, 57, 58, 59, 63, 80, 81, 129, 132, 141, 151, 153, 157, 184, 212, 223 };
	double mean[N];
	int32_t bin[N], list[20], c[N];
	struct err e = {0};

	for (int g = 0; g < N; g++)
		mean[g] = (g * 7919 % 311) / 8.0 + (g % 3) * 0.25;
	for (int i = 0; i < 20; i++)
		list[i] = i * 37 % N;
	score_bins(mean, NULL, N, 25, bin, &e);
	for (int t = 0; t < 3; t++) {
		int64_t n = score_controls(bin, N, list, 20, want[t].size, 3, c, &e), sum = 0, sum2 = 0;

		for (int64_t i = 0; i < n; i++) {
			sum += c[i];
			sum2 += (int64_t)c[i] * c[i];
		}
		ok(!e.code && n == want[t].n && sum == want[t].sum && sum2 == want[t].sum2, "scanpy's control genes, %lld a bin",
		    (long long)want[t].size);
		if (t == 0)
			ok(memcmp(c, head, sizeof head) == 0, "one by one");
	}
	for (int g = 0; g < N; g++)
		bin[g] = g < 20 ? 0 : 1;
	for (int i = 0; i < 20; i++)
		list[i] = i;
	ok(score_controls(bin, N, list, 20, 50, 0, c, &e) < 0 && e.code == ERR_DATA, "a bin that holds the list alone has no controls");
}

static struct csr
make(int64_t n, int64_t g, double *dense)
{
	struct csr m = { .n_row = n, .n_col = g };
	struct rng r = rng_make(5, RNG_TEST, 2);

	csr_reserve(&m, n, n * g);
	for (int64_t i = 0; i < n; i++) {
		m.ptr[i + 1] = m.ptr[i];
		for (int64_t j = g - 1; j >= 0; j--) {  /* any order */
			int64_t x = rng_poisson(&r, j % 5 == 0 ? 40 : 0.5);

			dense[i * g + j] = (double)x;
			if (x == 0)
				continue;
			m.col[m.ptr[i + 1]] = (int32_t)j;
			m.val[m.ptr[i + 1]++] = (double)x;
		}
	}
	return m;
}

/* log1p from libm, sums over all columns */
static double
plain(const double *x, double div, const struct score_list *l)
{
	double a = 0, b = 0;

	for (int64_t i = 0; i < l->n; i++)
		a += log1p(x[l->gene[i]] / div);
	for (int64_t i = 0; i < l->n_control; i++)
		b += log1p(x[l->control[i]] / div);
	return a / (double)l->n - b / (double)l->n_control;
}

static void
test_rows(void)
{
	enum { ROWS = 1300, GENES = 60 };
	static const int32_t a[] = { 5, 1, 40 }, ca[] = { 0, 2, 7, 59 }, b[] = { 2, 1 }, cb[] = { 5 };
	struct score_list list[] = { { a, ca, 3, 4 }, { b, cb, 2, 1 } };
	double *dense = mem_new(double, ROWS * GENES), *div = mem_new(double, ROWS), worst = 0, raw = 0;
	double *one = mem_new(double, 2 * ROWS), *three = mem_new(double, 2 * ROWS);
	struct csr m = make(ROWS, GENES, dense);
	struct layer l = { .row_div = div, .log1p = 1 };
	struct par *p = par_new(3, NULL);
	struct rows r;
	struct err e = {0};

	for (int i = 0; i < ROWS; i++)
		div[i] = 0.01 * (1 + i % 17);
	rows_memory(&r, &m, NULL);
	score_rows(&r, &l, list, 2, one, &e);
	for (int i = 0; i < ROWS; i++)
		for (int k = 0; k < 2; k++)
			worst = fmax(worst, fabs(one[k * ROWS + i] - plain(dense + i * GENES, div[i], &list[k])));
	ok(!e.code && worst < 1e-13, "scores of two lists that share genes (%.1e)", worst);
	score_rows(&r, NULL, list, 1, three, &e);
	for (int i = 0; i < ROWS; i++) {
		const double *x = dense + i * GENES;

		raw = fmax(raw, fabs(three[i] - ((x[5] + x[1] + x[40]) / 3 - (x[0] + x[2] + x[7] + x[59]) / 4)));
	}
	ok(raw == 0, "of counts, exactly");
	rows_memory_clear(&r);
	rows_memory(&r, &m, p);
	score_rows(&r, &l, list, 2, three, &e);
	ok(!e.code && memcmp(one, three, 2 * ROWS * sizeof *one) == 0, "the same bytes with three threads");
	rows_memory_clear(&r);
	par_free(p);
	csr_clear(&m);
	mem_free(dense);
	mem_free(div);
	mem_free(one);
	mem_free(three);
}

static void
test_phase(void)
{
	static const double s[] = { -1, -1, 0, 0.5, 0.5, 0, -0.5 }, g[] = { -2, -0.5, 0, 0.5, 0.6, -1, 0 };
	static const int32_t want[] = { PHASE_G1, PHASE_G1, PHASE_S, PHASE_S, PHASE_G2M, PHASE_S, PHASE_G2M };
	int32_t got[7];

	score_phase(s, g, 7, got);
	ok(memcmp(got, want, sizeof want) == 0, "phases; ties are S");
}

static int
count(const char *const *l)
{
	int n = 0;

	while (l[n])
		n++;
	return n;
}

static void
test_lists(void)
{
	int twice = 0, known = 1;

	ok(count(score_s[SCORE_HUMAN]) == 43 && count(score_g2m[SCORE_HUMAN]) == 54 && count(score_s[SCORE_MOUSE]) == 43 &&
	    count(score_g2m[SCORE_MOUSE]) == 54, "43 and 54 genes");
	for (int sp = 0; sp < N_SPECIES; sp++)
		for (int k = 0; k < 2; k++) {
			const char *const *l = k ? score_g2m[sp] : score_s[sp];

			for (int i = 0; l[i]; i++) {
				for (int j = 0; j < i; j++)
					twice += strcmp(l[i], l[j]) == 0;
				for (int j = 0; k && score_s[sp][j]; j++)
					twice += strcmp(l[i], score_s[sp][j]) == 0;
				known &= !score_renamed(l[i]) || strcmp(score_renamed(score_renamed(l[i])), l[i]) == 0;
			}
		}
	is_i64(twice, 0, "no gene stands twice");
	ok(known && strcmp(score_renamed("MLF1IP"), "CENPU") == 0 && strcmp(score_renamed("Jpt1"), "Hn1") == 0 && !score_renamed("PCNA"),
	    "renamed genes, both ways");
}

int
main(void)
{
	test_bins();
	test_controls();
	test_rows();
	test_phase();
	test_lists();
	return done();
}
