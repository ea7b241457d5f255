/* Unit tests of base/: errors, memory, random numbers. */
#include "../t.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "num/csr.h"
#include "num/median.h"

static void
random_numbers(void)
{
	struct rng a = rng_make(1, RNG_TEST, 7), b = rng_make(1, RNG_TEST, 7), c = rng_make(2, RNG_TEST, 7);
	double sum = 0, sq = 0, g = 0;
	int64_t p = 0, big = 0;

	ok(rng_u64(&a) == rng_u64(&b), "equal keys, equal numbers");
	ok(rng_u64(&a) != rng_u64(&c), "another seed, other numbers");
	for (int i = 0; i < 100000; i++) {
		double x = rng_normal(&a);

		sum += x;
		sq += x * x;
		g += rng_gamma(&a, 2.5);
		p += rng_poisson(&a, 3.5);
		big += rng_poisson(&a, 50);
	}
	ok(fabs(sum / 1e5) < 0.015 && fabs(sq / 1e5 - 1) < 0.02, "normal moments");
	ok(fabs(g / 1e5 - 2.5) < 0.03, "gamma mean");
	ok(fabs((double)p / 1e5 - 3.5) < 0.03 && fabs((double)big / 1e5 - 50) < 0.15, "poisson means");
	is_i64((int64_t)(rng_hash("abc", 3, 0) != rng_hash("abd", 3, 0)), 1, "hash tells strings apart");
	{
		uint64_t h[2] = { 5, 9 };
		const char *text = "two hashes at once are the two";

		rng_hash2(text, 30, h);
		ok(h[0] == rng_hash(text, 30, 5) && h[1] == rng_hash(text, 30, 9), "two hashes at once are the same two");
	}
}

static void
sums(void)
{
	struct sumtree t;
	double total[2], one[2] = {1, 0.5};

	sumtree_init(&t, 2);
	for (int i = 0; i < 1000; i++)
		sumtree_add(&t, one);
	sumtree_end(&t, total);
	near(total[0] + total[1], 1500, 0, "sumtree adds all blocks");
}

static void
medians(void)
{
	double few[] = { 3, 1, 2 }, even[] = { 4, 1, 3, 2 }, many[101], one[] = { 7 };

	for (int i = 0; i < 101; i++)
		many[i] = (i * 37) % 101;
	ok(isnan(num_median(one, 0)), "no median of nothing");
	near(num_median(one, 1), 7, 0, "median of one");
	near(num_median(few, 3), 2, 0, "median of an odd number");
	near(num_median(even, 4), 2.5, 0, "and of an even one");
	near(num_median(many, 101), 50, 0, "of many");
	near(num_median(many, 100), 49.5, 0, "of many, even");
}

static void
cells(void)
{
	struct str t = {0};

	str_add_cell(&t, "a\tb\nc\rd\\e");
	is_str(t.s, "a\\tb\\nc\\rd\\\\e", "what would break a TSV is escaped");
	t.n = 0;
	str_add_cell(&t, "");
	is_str(t.s, "", "nothing stays nothing");
	str_clear(&t);
}

static void
lists(void)
{
	struct strs l = {0};
	char name[16];

	strs_room(&l, 2, 3);
	strs_add(&l, "a", 1);
	strs_add(&l, "bc", 2);
	is_i64(l.cap * 100 + (int64_t)l.buf.cap, 306, "room for what was said, and no more");
	for (int i = 0; i < 1000; i++)
		strs_add(&l, name, (size_t)snprintf(name, sizeof name, "%d", i));
	strs_room(&l, 5, 10);
	is_i64(l.n, 1002, "what is there stays");
	strs_room(&l, l.n, l.buf.n - (size_t)l.n);
	ok(l.cap == l.n + 1 && l.buf.cap == l.buf.n + 1, "what is over is given back");
	strs_add(&l, "end", 3);
	ok(strcmp(strs_get(&l, 1), "bc") == 0 && strcmp(strs_get(&l, 1001), "999") == 0 && strcmp(strs_get(&l, 1002), "end") == 0,
		"and strings are added behind");
	strs_clear(&l);
}

int
main(void)
{
	struct err e = {0};

	err_set(&e, ERR_DATA, "first");
	err_set(&e, ERR_SYSTEM, "second");
	is_str(e.msg, "first", "the first error wins");
	random_numbers();
	sums();
	medians();
	cells();
	lists();
	return done();
}
