/* The normaliser: golden cases, and properties of random records over repeat-rich references. */
#include "../t.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../golden_norm.h"
#include "base/mem.h"
#include "var/norm.h"

struct mem_seq {
	const char *s;
};

static int
get(void *ctx, int64_t pos, int64_t n, uint8_t *dst, struct err *e)
{
	(void)e;
	memcpy(dst, ((struct mem_seq *)ctx)->s + pos, (size_t)n);
	return 0;
}

static struct norm_seq
seq_of(struct mem_seq *m, const char *s)
{
	m->s = s;
	return (struct norm_seq){ get, m, (int64_t)strlen(s), 0 };
}

/* REF and ALT (comma-separated) as alleles; returns how many. */
static int
split(const char *ref, const char *alt, struct allele *a)
{
	int n = 1;

	a[0] = (struct allele){ (const uint8_t *)ref, (int64_t)strlen(ref) };
	while (*alt) {
		size_t k = strcspn(alt, ",");

		a[n++] = (struct allele){ (const uint8_t *)alt, (int64_t)k };
		alt += k + (alt[k] == ',');
	}
	return n;
}

static void
show(const struct norm *w, char *out)
{
	int64_t n;

	out += sprintf(out, "%lld", (long long)w->pos + 1);
	for (int i = 0; i < w->n; i++) {
		const char *s = norm_allele(w, i, &n);

		out += sprintf(out, "%c%.*s", i < 2 ? ' ' : ',', (int)n, s);
	}
}

static void
golden_rows(void)
{
	struct norm w = {0};
	struct err e = {0};

	for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
		const struct golden *g = &golden[i];
		const char *s = NULL;
		struct mem_seq m;
		struct norm_seq q;
		struct allele a[8];
		char have[2000], want[2000];
		int n, r;

		for (size_t k = 0; k < sizeof golden_ref / sizeof *golden_ref; k++)
			if (!strcmp(golden_ref[k].name, g->contig))
				s = golden_ref[k].seq;
		q = seq_of(&m, s);
		n = split(g->ref, g->alt, a);
		sprintf(want, "%d %s %s", g->want_pos, g->want_ref, g->want_alt);
		sprintf(have, "%d %s %s", g->pos, g->ref, g->alt);
		if (norm_class(a, n) == NORM_SEQUENCE && norm_check(&q, g->pos - 1, a[0], &e) == NORM_SEQUENCE) {
			r = norm_run(&w, &q, g->pos - 1, a, n, 0, &e);
			if (r == NORM_TRIMMED || r == NORM_SHIFTED)
				show(&w, have);
		}
		is_str(have, want, g->id);
	}
	{
		struct mem_seq m;
		struct norm_seq q = seq_of(&m, golden_ref[6].seq);
		struct allele a[2];
		char have[100];

		q.alpha = 1;
		split("A", "AA", a);
		norm_run(&w, &q, 5, a, 2, 0, &e);
		show(&w, have);
		is_str(have, "5 A AA", "L32 with the first base that the code holds");
	}
	norm_clear(&w);
}

static void
classes(void)
{
	static const struct { const char *ref, *alt; enum norm_class want; } c[] = {
		{ "A", ".", NORM_REFONLY }, { "AA", ".", NORM_REFONLY }, { "A", "*", NORM_STAR }, { "AA", "A,*", NORM_STAR },
		{ "AA", "A,<NON_REF>", NORM_NONREF }, { "A", "<*>", NORM_NONREF }, { "A", "<DEL>", NORM_SYMBOLIC },
		{ "GC", "G,<DEL>", NORM_SYMBOLIC }, { "A", "<CN0>", NORM_SYMBOLIC }, { "A", "A]str:5]", NORM_BREAKEND },
		{ "N", ".[str:5[", NORM_BREAKEND }, { "A", "A.", NORM_BREAKEND }, { "A", ".A", NORM_BREAKEND }, { "R", "G", NORM_NON_ACGTN },
		{ "AA", "R", NORM_NON_ACGTN }, { "AA", "A,.", NORM_NON_ACGTN }, { "AA", "AA", NORM_ALT_EQ_REF }, { "AA", "A,aa", NORM_ALT_EQ_REF },
		{ "A", "G", NORM_SEQUENCE }, { "N", "NA", NORM_SEQUENCE },
	};

	for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
		struct allele a[4];
		int n = split(c[i].ref, c[i].alt, a);

		is_str(norm_names[norm_class(a, n)], norm_names[c[i].want], c[i].alt);
	}
	ok(norm_agree('A', 'R') == NORM_SEQUENCE && norm_agree('C', 'R') == NORM_REF_MISMATCH, "a code agrees with what it holds");
	ok(norm_agree('A', 'n') == NORM_REF_N && norm_agree('N', 'A') == NORM_REF_N && norm_agree('N', 'R') == NORM_REF_N &&
	    norm_agree('N', 'N') == NORM_SEQUENCE, "N on one side");
}

/* --- properties ---------------------------------------------------------------- */

static uint64_t state = 88172645463325252u;

static uint64_t
rnd(uint64_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % n;
}

/* Repeats of short units, so that most indels can slide. */
static void
make_ref(char *s, int n)
{
	int i = 0;

	while (i < n) {
		char unit[6];
		int k = 1 + (int)rnd(5), copies = 1 + (int)rnd(8);

		for (int j = 0; j < k; j++)
			unit[j] = "ACGT"[rnd(4)];
		for (int j = 0; j < k * copies && i < n; j++)
			s[i++] = unit[j % k];
	}
	s[n] = 0;
}

static void
apply(char *out, const char *ref, int64_t pos, int64_t n_ref, const char *alt, int64_t n_alt)
{
	memcpy(out, ref, (size_t)pos);
	memcpy(out + pos, alt, (size_t)n_alt);
	strcpy(out + pos + n_alt, ref + pos + n_ref);
}

#define REF 120

static void
properties(long rounds)
{
	struct norm w = {0}, again = {0}, other = {0};
	struct err e = {0};
	char ref[REF + 1], hap[2 * REF], hap2[2 * REF];
	long haplotype = 0, minimal = 0, leftmost = 0, idempotent = 0, unique = 0, respelt = 0;
	struct mem_seq m;

	for (long i = 0; i < rounds; i++) {
		struct norm_seq q;
		int64_t pos, n_ref, n_alt, n0, n1;
		char alt[40];
		struct allele a[2], b[2];
		const char *r0, *r1;
		int k;

		if (i % 50 == 0)
			make_ref(ref, REF);
		q = seq_of(&m, ref);
		pos = (int64_t)rnd(REF - 12);
		n_ref = 1 + (int64_t)rnd(8);
		n_alt = 1 + (int64_t)rnd(8);
		/* ALT: a piece of the reference near by, or random, so that it shares ends. */
		for (int64_t j = 0; j < n_alt; j++)
			alt[j] = rnd(3) ? ref[(pos + j + (int64_t)rnd(2) * n_ref) % REF] : "ACGT"[rnd(4)];
		if (rnd(3))
			alt[n_alt - 1] = ref[pos + n_ref - 1];
		if (n_ref == n_alt && memcmp(alt, ref + pos, (size_t)n_alt) == 0)
			continue;
		a[0] = (struct allele){ (uint8_t *)ref + pos, n_ref };
		a[1] = (struct allele){ (uint8_t *)alt, n_alt };
		k = norm_run(&w, &q, pos, a, 2, 0, &e);
		if (k == NORM_NORMAL) {
			r0 = ref + pos, n0 = n_ref, r1 = alt, n1 = n_alt;
			w.pos = pos;
		} else {
			r0 = norm_allele(&w, 0, &n0);
			r1 = norm_allele(&w, 1, &n1);
		}
		apply(hap, ref, pos, n_ref, alt, n_alt);
		apply(hap2, ref, w.pos, n0, r1, n1);
		haplotype += strcmp(hap, hap2) != 0 || memcmp(r0, ref + w.pos, (size_t)n0) != 0;
		/* minimal, and no equivalent one further left: the last bases differ, or it stands at the very beginning */
		minimal += n0 > 1 && n1 > 1 && r0[0] == r1[0];
		leftmost += r0[n0 - 1] == r1[n1 - 1] && !(w.pos == 0 && (n0 == 1 || n1 == 1));
		b[0] = (struct allele){ (const uint8_t *)r0, n0 };
		b[1] = (struct allele){ (const uint8_t *)r1, n1 };
		idempotent += norm_run(&again, &q, w.pos, b, 2, 0, &e) != NORM_NORMAL;
		/* another spelling of the same change: longer on both sides */
		{
			int64_t left = (int64_t)rnd((uint64_t)(pos < 6 ? pos + 1 : 6)), right = (int64_t)rnd(4);
			char x[80], y[80];

			memcpy(x, ref + pos - left, (size_t)(left + n_ref + right));
			memcpy(y, ref + pos - left, (size_t)left);
			memcpy(y + left, alt, (size_t)n_alt);
			memcpy(y + left + n_alt, ref + pos + n_ref, (size_t)right);
			b[0] = (struct allele){ (uint8_t *)x, left + n_ref + right };
			b[1] = (struct allele){ (uint8_t *)y, left + n_alt + right };
			respelt++;
			if (norm_run(&other, &q, pos - left, b, 2, 0, &e) == NORM_NORMAL) {
				unique += left + right > 0 || k != NORM_NORMAL;
			} else {
				int64_t p0, p1;
				const char *s0 = norm_allele(&other, 0, &p0), *s1 = norm_allele(&other, 1, &p1);

				unique += other.pos != w.pos || p0 != n0 || p1 != n1 || memcmp(s0, r0, (size_t)n0) || memcmp(s1, r1, (size_t)n1);
			}
		}
	}
	ok(haplotype == 0, "the same sequence before and after (%ld of %ld differ)", haplotype, rounds);
	ok(minimal == 0 && leftmost == 0, "minimal and leftmost (%ld, %ld are not)", minimal, leftmost);
	ok(idempotent == 0, "a second time nothing changes (%ld do)", idempotent);
	ok(unique == 0, "every spelling of a change gives one record (%ld of %ld do not)", unique, respelt);
	norm_clear(&w);
	norm_clear(&again);
	norm_clear(&other);
}

int
main(void)
{
	golden_rows();
	classes();
	properties(1000000);
	return done();
}
