/* Small arrays of numbers and flags: what is put comes back, element by element. */
#include "../t.h"
#include "var/vxbits.h"

static uint64_t state = 1;

static uint64_t
rnd(uint64_t below)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (state >> 33) % below;
}

/* Numbers of the kinds that a database holds. */
static void
fill(int kind, int n, const uint8_t *ones, int64_t *v, int64_t *parent)
{
	int64_t walk = 0;

	for (int i = 0; i < n; i++) {
		parent[i] = 151000 + 2 * (int64_t)rnd(500);
		walk += (int64_t)rnd(31) - 15;
		switch (kind) {
		case 0: v[i] = (int64_t)rnd(7); break;
		case 1: v[i] = -7; break;
		case 2: v[i] = (int64_t)(1000000 / (rnd(1000000) + 1)); break;
		case 3: v[i] = 151900 + 2 * walk - (rnd(50) ? 0 : (int64_t)rnd(140000)); break;
		case 4: v[i] = (int64_t)((double)parent[i] * .272) / 2 * 2; break;
		case 5: v[i] = ((int64_t)rnd(1u << 31) << 22) * (rnd(2) ? 1 : -1) + (int64_t)rnd(1000); break;
		case 6: v[i] = ones[i] ? (int64_t)rnd(2) : rnd(3) ? 0 : (int64_t)rnd(1000); break;
		case 7: v[i] = 100000 + i * 100 + (int64_t)rnd(50); break;
		case 8: v[i] = rnd(100) ? 0 : ((int64_t)1 << 53) - 1; break;
		default: v[i] = rnd(40) ? 3 + (int64_t)rnd(2) : -((int64_t)1 << 53) + 1; break;
		}
	}
}

static int
same(int kind, int n)
{
	int64_t v[VXBITS_MAX], parent[VXBITS_MAX];
	uint8_t ones[VXBITS_MAX];
	struct vxbits_out fo = {0}, o = {0};
	struct vxints_chosen chosen = {0};
	struct vxbits_in in = {0};
	struct vxflags f = {0};
	struct vxints x = {0};
	int good = 1, rank = 0, dense;
	uint64_t share = rnd(3) ? 2 : 50;

	for (int i = 0; i < n; i++)
		ones[i] = rnd(share) == 0;
	fill(kind, n, ones, v, parent);
	vxflags_put(&fo, ones, n);
	dense = fo.head.s[0] == VXFLAGS_DENSE;
	str_addn(&fo.data, "\0\0\0\0\0\0\0\0", 8);
	in = (struct vxbits_in){ .head = (uint8_t *)fo.head.s, .n = fo.head.n, .data = (uint8_t *)fo.data.s, .n_data = fo.data.n - 8 };
	good &= vxflags_read(&f, &in, n) == 0 && in.at == in.n && in.used == in.n_data;
	for (int i = 0; i < n; i++) {
		good &= vxflags_test(&f, (uint32_t)i) == ones[i] && vxflags_rank(&f, (uint32_t)i) == (uint32_t)rank;
		rank += ones[i];
	}
	good &= f.ones == rank;
	{
		struct vxints_from from = { .v = v, .n = n, .parent = kind == 4 ? parent : NULL, .ones = kind == 6 && dense ? ones : NULL };

		vxints_put(&o, &from, &chosen);
	}
	str_addn(&o.data, "\0\0\0\0\0\0\0\0", 8);
	in = (struct vxbits_in){ .head = (uint8_t *)o.head.s, .n = o.head.n, .data = (uint8_t *)o.data.s, .n_data = o.data.n - 8 };
	good &= vxints_read(&x, &in, n, dense ? &f : NULL, NULL) == 0 && in.at == in.n && in.used == in.n_data;
	for (int i = 0; i < n && good; i++)
		good &= vxints_get(&x, (uint32_t)i, parent[i], &f) == v[i];
	/* A head that ends early is noticed. */
	for (size_t k = 0; k < o.head.n; k++) {
		struct vxbits_in cut = { .head = (uint8_t *)o.head.s, .n = k, .data = (uint8_t *)o.data.s, .n_data = o.data.n - 8 };

		good &= vxints_read(&x, &cut, n, dense ? &f : NULL, NULL) != 0;
	}
	str_clear(&fo.head);
	str_clear(&fo.data);
	str_clear(&o.head);
	str_clear(&o.data);
	return good;
}

#define SHARING 5

/* Arrays that share rows, and their heads read one behind the other. */
static int
shared(int n)
{
	static int64_t v[SHARING][VXBITS_MAX], parent[VXBITS_MAX];
	static uint8_t ones[VXBITS_MAX];
	struct vxbits_out o = {0};
	struct str rows = {0};
	struct vxints_chosen chosen = {0};
	struct vxbits_in in;
	struct vxbits_rows r = { .n = n };
	struct vxints x = {0};
	int good = 1;

	vxbits_rows_begin(&o, n);
	for (int a = 0; a < SHARING; a++) {
		struct vxints_from from = { .v = v[a], .n = n, .row = 1 };
		int kind = (int)rnd(10);

		fill(kind, n, ones, v[a], parent);
		vxints_put(&o, &from, &chosen);
	}
	vxbits_rows_put(&o, &rows);
	good &= rows.n == ((size_t)n * o.rows.width + 7) / 8;
	str_addn(&rows, "\0\0\0\0\0\0\0\0", 8);
	str_addn(&o.data, "\0\0\0\0\0\0\0\0", 8);
	for (size_t k = o.head.n + 1; k-- > o.head.n / 2; ) {
		int bad = 0;

		in = (struct vxbits_in){ .head = (uint8_t *)o.head.s, .n = k, .data = (uint8_t *)o.data.s, .n_data = o.data.n - 8 };
		r.p = (uint8_t *)rows.s;
		r.width = o.rows.width;
		r.used = 0;
		for (int a = 0; a < SHARING && !bad; a++) {
			bad = vxints_read(&x, &in, n, NULL, &r);
			for (int i = 0; i < n && !bad; i++)
				good &= vxints_get(&x, (uint32_t)i, 0, NULL) == v[a][i];
		}
		good &= bad == (k < o.head.n) && (bad || (r.used == r.width && in.used == in.n_data));
	}
	/* Rows that are too narrow, or of another number, are noticed. */
	if (o.rows.width) {
		in = (struct vxbits_in){ .head = (uint8_t *)o.head.s, .n = o.head.n, .data = (uint8_t *)o.data.s, .n_data = o.data.n - 8 };
		r.used = 0;
		r.width--;
		for (int a = 0; a < SHARING && !in.bad; a++)
			vxints_read(&x, &in, n, NULL, &r);
		good &= in.bad;
	}
	vxbits_rows_end(&o);
	str_clear(&rows);
	str_clear(&o.head);
	str_clear(&o.data);
	return good;
}

int
main(void)
{
	struct str t = {0};
	struct vxbits_in in = {0};
	int good_all = 1;

	for (int kind = 0; kind < 10; kind++) {
		int good = 1;

		for (int k = 0; k < 400; k++)
			good &= same(kind, k < 8 ? k + 1 : k < 16 ? VXBITS_MAX - k + 8 : 1 + (int)rnd(VXBITS_MAX));
		ok(good, "numbers of kind %d come back", kind);
	}
	for (int k = 0; k < 400; k++)
		good_all &= shared(k < 8 ? k + 1 : k < 16 ? VXBITS_MAX - k + 8 : 1 + (int)rnd(VXBITS_MAX));
	ok(good_all, "arrays that share rows");
	good_all = 1;
	for (int k = 0; k < 64; k++)
		vxbits_put_varint(&t, ((uint64_t)1 << k) - 1);
	vxbits_put_zigzag(&t, INT64_MIN);
	vxbits_put_zigzag(&t, INT64_MAX);
	in.head = (uint8_t *)t.s;
	in.n = t.n;
	for (int k = 0; k < 64; k++)
		good_all &= vxbits_varint(&in) == ((uint64_t)1 << k) - 1;
	good_all &= vxbits_zigzag(&in) == INT64_MIN && vxbits_zigzag(&in) == INT64_MAX;
	ok(good_all && !in.bad && in.at == in.n, "varints");
	str_clear(&t);
	return done();
}
