/* sumtree: shards that are whole runs give the bits of the whole, others are close */
#include "base/mem.h"
#include "base/rng.h"
#include "num/csr.h"
#include "../t.h"

#define N 3

static void
fill(double *x, int64_t block)
{
	struct rng r = rng_make(7, RNG_TEST, (uint64_t)block);

	for (int i = 0; i < N; i++)
		x[i] = (rng_u01(&r) - 0.4) * (i == 2 ? 1e6 : 1);
}

/* Blocks lo .. hi - 1 into a tree that is begun. */
static void
add(struct sumtree *t, int64_t lo, int64_t hi)
{
	double x[N];

	for (int64_t b = lo; b < hi; b++) {
		fill(x, b);
		sumtree_add(t, x);
	}
}

/* Pushes what from holds behind what to holds; its open run is to's, or a node when more follows. */
static void
join(struct sumtree *to, struct sumtree *from, int last)
{
	int64_t start = sumtree_runs(to);

	for (int k = 0; k < from->n_node; k++)
		sumtree_push(to, from->node[k].level, from->node[k].index + (from->apart ? start : 0), from->node[k].sum);
	if (from->n_block % SUM_RUN && !last)
		sumtree_push(to, 0, sumtree_runs(to), from->run);
	else if (from->n_block % SUM_RUN)
		memcpy(to->run, from->run, N * sizeof *to->run);
	sumtree_clear(from);
}

/* Total over n_block blocks in shards that end at cut[0 .. n_cut - 1] and n_block. */
static void
shards(int64_t n_block, const int64_t *cut, int n_cut, int apart, double *total)
{
	struct sumtree whole, part;
	int64_t lo = 0;

	sumtree_init(&whole, N);
	for (int k = 0; k <= n_cut; k++) {
		int64_t hi = k < n_cut ? cut[k] : n_block;

		sumtree_init(&part, N);
		part.apart = apart;
		part.first = apart ? 0 : lo / SUM_RUN;
		add(&part, lo, hi);
		join(&whole, &part, k == n_cut);
		lo = hi;
	}
	sumtree_end(&whole, total);
}

int
main(void)
{
	int64_t n_block = 21 * SUM_RUN + 17, cut[20];
	double want[N], got[N], plain[N] = {0}, x[N];
	struct rng r = rng_make(8, RNG_TEST, 1);
	struct sumtree t;
	int same[2] = { 1, 1 }, most = 0, close = 1;

	sumtree_init(&t, N);
	add(&t, 0, n_block);
	sumtree_end(&t, want);
	for (int64_t b = 0; b < n_block; b++) {
		fill(x, b);
		for (int i = 0; i < N; i++)
			plain[i] += x[i];
	}
	ok(is_near(want[0], plain[0], 1e-12) && is_near(want[2], plain[2], 1e-12), "the total");
	for (int round = 0; round < 200; round++) {
		int n = 0;

		for (int64_t run = 0; run <= 21; run++)
			if (rng_below(&r, 4) == 0 && n < 20)
				cut[n++] = run * SUM_RUN;
		most = n > most ? n : most;
		for (int apart = 0; apart < 2; apart++) {
			shards(n_block, cut, n, apart, got);
			same[apart] &= memcmp(got, want, sizeof want) == 0;
		}
		for (int i = 0; i < n; i++)
			cut[i] += cut[i] < n_block - 20 ? (int64_t)rng_below(&r, SUM_RUN) : 0;
		shards(n_block, cut, n, 1, got);
		for (int i = 0; i < N; i++)
			close &= is_near(got[i], want[i], 1e-12);
	}
	ok(same[0] && most > 5, "shards of whole runs give the bits of the whole");
	ok(same[1], "so do shards that do not know where they begin");
	ok(close, "other cuts give it to rounding");

	{
		const int32_t order[3] = { 2, 0, 1 };
		double p[N];

		sumtree_init(&t, N);
		add(&t, 0, n_block);
		sumtree_permute(&t, order, 1, 3, 1);
		sumtree_end(&t, p);
		ok(p[2] == want[0] && p[0] == want[1] && p[1] == want[2], "another order of the columns");
	}
	sumtree_init(&t, N);
	t.flat = 1;
	add(&t, 0, 3 * SUM_RUN);
	ok(t.n_node == 0 && t.run[0] != 0, "a flat one has no nodes");
	sumtree_clear(&t);
	return done();
}
