/* Rows of a sites file: columns, order, copies, trimming. */
#include "../t.h"

#include <string.h>
#include "var/frows.h"

static void
trim_case(const char *ref, const char *alt, const char *want_ref, const char *want_alt, uint32_t want_cut)
{
	uint32_t n = (uint32_t)strlen(ref), m = (uint32_t)strlen(alt), cut = frows_trim(&ref, &n, &alt, &m);

	ok(cut == want_cut && n == strlen(want_ref) && m == strlen(want_alt) && memcmp(ref, want_ref, n) == 0 && memcmp(alt, want_alt, m) == 0,
	    "trimmed to %s>%s", want_ref, want_alt);
}

static void
columns(void)
{
	struct fcols f = {0}, g;

	fcols_add(&f, "AF", "AF_joint", FTYPE_FLOAT, FNUM_ALT, "A", "a \"quoted\" one", 0);
	fcols_add(&f, "AC", "AC", FTYPE_INT, FNUM_ALT, "A", NULL, 1);
	ok(f.ac == -1 && f.filter == -1, "columns of the whole begin unset");
	f.c[0].num = 1;
	f.ac = 1;
	is_i64(fcols_find(&f, "AF"), 0, "found by name");
	is_i64(fcols_find(&f, "AC"), -1, "hidden ones are not");
	fcols_copy(&g, &f);
	ok(fcols_same(&f, &g) && g.ac == 1 && g.c[0].num == 1 && g.c[1].num == -1, "a copy is the same");
	g.c[1].type = FTYPE_FLOAT;
	ok(!fcols_same(&f, &g), "another type is not");
	fcols_clear(&f);
	fcols_clear(&g);
	ok(f.n == 0 && f.ac == -1, "cleared");
}

static void
rows(void)
{
	static const struct { int contig; uint32_t pos; const char *ref, *alt; } in[] = {
		{ 0, 5, "A", "C" }, { 0, 5, "A", "G" }, { 0, 5, "A", "AT" }, { 0, 5, "AT", "A" }, { 0, 5, "CT", "C" }, { 0, 6, "A", "C" }, { 1, 1, "A", "C" }
	};
	int n = sizeof in / sizeof *in, good = 1;
	struct frows r, s;
	size_t k;

	frows_init(&r, 2);
	frows_init(&s, 2);
	for (int i = 0; i < n; i++) {
		fval *v = frows_add(&r, in[i].contig, in[i].pos, in[i].ref, (uint32_t)strlen(in[i].ref), in[i].alt, (uint32_t)strlen(in[i].alt), i);

		ok(v[0] == FVAL_MISSING && v[1] == FVAL_MISSING, "values of a new row are missing");
		v[0] = i;
	}
	r.val[1] = frows_text(&r, "nfe", 3);
	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++)
			good &= frows_order(&r, i, &r, j) == (i < j ? -1 : i > j);
	ok(good, "order: contig, position, lengths, letters");
	frows_text(&s, "something before", 16);
	frows_copy(&s, &r, 0);
	ok(frows_same_values(NULL, &r, 0, &s, 0) && frows_order(&r, 0, &s, 0) == 0, "a copy equals, text being elsewhere");
	ok(memcmp(frows_get(&s, s.val[1], &k), "nfe", 3) == 0 && k == 3, "its text");
	s.val[1] = frows_text(&s, "nfa", 3);
	ok(!frows_same_values(NULL, &r, 0, &s, 0), "another text does not");
	s.val[1] = FVAL_MISSING;
	ok(!frows_same_values(NULL, &r, 0, &s, 0), "nor does a missing one");
	ok(memcmp(frows_alt(&r, 2), "AT", 2) == 0 && frows_ref(&r, 2)[0] == 'A', "alleles");
	frows_reset(&r);
	ok(r.n == 0 && frows_bytes(&r) > 0, "reset keeps memory");
	frows_clear(&r);
	frows_clear(&s);
	is_i64(frows_bytes(&r), 0, "cleared");
}

int
main(void)
{
	columns();
	rows();
	trim_case("A", "C", "A", "C", 0);
	trim_case("AT", "A", "AT", "A", 0);
	trim_case("XAT", "XA", "AT", "A", 1);
	trim_case("CAT", "CGT", "A", "G", 1);
	trim_case("ATAT", "AT", "ATA", "A", 0);
	trim_case("GAAA", "GA", "GAA", "G", 0);
	trim_case("AC", "GC", "A", "G", 0);
	trim_case("ACGT", "ACGTT", "G", "GT", 2);
	return done();
}
