/* vsim_query - calls to look up in simulated frequencies, and what should be found; see vsim_freq.h */
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "var/vsim.h"
#include "var/vsim_freq.h"

enum { GENOME = 740 };          /* bases from one variant of a genome to the next */

static const char *const statuses[] = { "FOUND", "FOUND_FILTERED", "SITE_ONLY", "ABSENT", "UNSUPPORTED" };
enum { FOUND, FILTERED, SITE_ONLY, ABSENT, UNSUPPORTED };

/* --- what is written --------------------------------------------------------- */

void
vsim_query_header(const struct vsim_freq *v, enum vsim_set set, struct str *out)
{
	static const char *const info[][3] = { { "AC", "A", "Integer" }, { "AF", "A", "Float" }, { "AN", "1", "Integer" }, { "DP", "1", "Integer" },
		{ "FS", "1", "Float" }, { "MQ", "1", "Float" }, { "QD", "1", "Float" }, { "SOR", "1", "Float" } };
	static const char *const format[][3] = { { "GT", "1", "String" }, { "AD", "R", "Integer" }, { "DP", "1", "Integer" }, { "GQ", "1", "Integer" },
		{ "PL", "G", "Integer" } };

	str_add(out, "##fileformat=VCFv4.2\n##FILTER=<ID=PASS,Description=\"All filters passed\">\n");
	for (int i = 0; i < fasta_n(v->ref); i++)
		str_addf(out, "##contig=<ID=%s,length=%lld>\n", fasta_name(v->ref, i), (long long)fasta_length(v->ref, i));
	if (set != VSIM_DENSE) {
		for (size_t i = 0; i < sizeof info / sizeof *info; i++)
			str_addf(out, "##INFO=<ID=%s,Number=%s,Type=%s,Description=\"Simulated\">\n", info[i][0], info[i][1], info[i][2]);
		for (size_t i = 0; i < sizeof format / sizeof *format; i++)
			str_addf(out, "##FORMAT=<ID=%s,Number=%s,Type=%s,Description=\"Simulated\">\n", format[i][0], format[i][1], format[i][2]);
	}
	str_addf(out, "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO%s\n", set == VSIM_DENSE ? "" : "\tFORMAT\tS1");
}

void
vsim_truth_header(const struct vsim_freq *v, struct str *out)
{
	struct vsim_allele *a = mem_new(struct vsim_allele, 1);
	struct str t = {0};
	const char *p;

	/* The fields are those of an allele that has all of them. */
	str_add(out, "id\talt\tCHROM\tPOS\tREF\tALT\tstatus\tFILTER");
	a->grpmax = 1;
	for (int g = 0; g <= VSIM_GROUPS; g++)
		a->an[g] = 2;
	vsim_freq_line(v, a, &t);
	p = strrchr(t.s, '\t');
	for (const char *eq; (eq = strchr(p, '=')); p = eq + strcspn(eq, ";"))
		if (strncmp(p + 1, "lcr;", 4) == 0)
			str_addf(out, "\t%.*s", (int)(eq - p - 5), p + 5);
		else
			str_addf(out, "\t%.*s", (int)(eq - p - 1), p + 1);
	str_add(out, "\n");
	str_clear(&t);
	mem_free(a);
}

/* The columns of an ALT's truth behind its name. */
static void
put_truth(const struct vsim_freq *v, int64_t number, int alt, int64_t pos, const struct vsim_allele *a, int status, struct str *out)
{
	struct vsim_allele *all;
	struct str t = {0}, have = {0};
	const char *p, *eq, *q;

	str_addf(out, "q%lld\t%d\t%s\t%lld\t%.*s\t%.*s\t%s", (long long)number, alt, fasta_name(v->ref, v->contig), (long long)pos, a->n_ref, a->ref,
	    a->n_alt, a->alt, statuses[status]);
	if (status > FILTERED) {
		str_add(out, "\n");
		return;
	}
	/* Each key of a full line in order, with this line's value, or a point. */
	all = mem_new(struct vsim_allele, 1);
	all->grpmax = 1;
	for (int g = 0; g <= VSIM_GROUPS; g++)
		all->an[g] = 2;
	vsim_freq_line(v, all, &t);
	mem_free(all);
	vsim_freq_line(v, a, &have);
	have.s[have.n - 1] = ';';
	q = strrchr(have.s, '\t');
	str_addf(out, "\t%s", vsim_filters[a->filter]);
	for (p = strrchr(t.s, '\t'); (eq = strchr(p, '=')); p = eq + strcspn(eq, ";")) {
		size_t n;

		p += strncmp(p + 1, "lcr;", 4) == 0 ? 4 : 0;
		n = (size_t)(eq - p);
		if (strncmp(q + 1, "lcr;", 4) == 0)
			q += 4;
		if (memcmp(q + 1, p + 1, n) == 0) {
			size_t k = strcspn(q + n + 1, ";");

			str_add(out, "\t");
			str_addn(out, q + n + 1, k);
			q += n + 1 + k;
		} else {
			str_add(out, "\t.");
		}
	}
	str_add(out, "\n");
	str_clear(&t);
	str_clear(&have);
}

/* Columns behind ALT, as a genome's calls have them, or as sites do. */
static void
put_rest(struct rng *r, enum vsim_set set, int n_alt, struct str *t)
{
	unsigned u = rng_u32(r), dp = 20 + u % 40;

	if (set == VSIM_DENSE) {
		str_add(t, "\t.\t.\t.\n");
		return;
	}
	str_addf(t, "\t%u.%02u\tPASS\tAC=1", 30 + u % 2000, u >> 20 & 63);
	for (int i = 1; i < n_alt; i++)
		str_add(t, ",1");
	str_add(t, ";AF=0.500");
	for (int i = 1; i < n_alt; i++)
		str_add(t, ",0.500");
	str_addf(t, ";AN=2;DP=%u;FS=%u.%03u;MQ=60.00;QD=%u.%02u;SOR=0.%03u\tGT:AD:DP:GQ:PL\t%s:%u", dp, u % 9, u % 1000, u % 35, u % 97, u % 997,
	    n_alt > 1 ? "1/2" : u & 1 ? "0/1" : "1/1", dp / 2);
	for (int i = 0; i < n_alt; i++)
		str_addf(t, ",%u", (dp - dp / 2) / (unsigned)n_alt);
	str_addf(t, ":%u:%u:%u", dp, u % 99, u % 900);
	for (int i = 1; i < (n_alt + 1) * (n_alt + 2) / 2; i++)
		str_addf(t, ",%u", u >> i % 16 & 511);
	str_add(t, "\n");
}

static void
put_query(const struct vsim_freq *v, struct rng *r, enum vsim_set set, int64_t number, struct vsim_query *q, const char *ref, int n_ref,
    const char *alts, size_t n_alts, int n_alt)
{
	str_addf(&q->line, "%s\t%lld\tq%lld\t", fasta_name(v->ref, v->contig), (long long)q->pos, (long long)number);
	str_addn(&q->line, ref, (size_t)n_ref);
	str_add(&q->line, "\t");
	str_addn(&q->line, alts, n_alts);
	put_rest(r, set, n_alt, &q->line);
}

/* --- queries ----------------------------------------------------------------- */

/* An allele of the list as it stands there. */
static void
plain(const struct vsim_freq *v, struct rng *r, enum vsim_set set, int64_t number, const struct vsim_allele *a, struct vsim_query *q)
{
	put_query(v, r, set, number, q, a->ref, a->n_ref, a->alt, (size_t)a->n_alt, 1);
	put_truth(v, number, 1, a->pos, a, a->filter ? FILTERED : FOUND, &q->truth);
}

/* The same rolled to the right in its repeat, and padded by bases of the reference. */
static void
respell(const struct vsim_freq *v, struct rng *r, int64_t number, const struct vsim_allele *a, struct vsim_query *q)
{
	int64_t block = v->block * VSIM_BLOCK, i = a->pos - 1 - block;   /* where the bases of the site are in v->base */
	int left = (int)rng_below(r, 3), right = (int)rng_below(r, 4), n = a->n_ref;
	char *ref = mem_raw(char, 2 * VSIM_LONG), *alt = mem_raw(char, 2 * VSIM_LONG);
	int64_t k = i, most = rng_below(r, 4) ? 400 : rng_below(r, 5);
	int d = a->n_ref == 1 ? a->n_alt - 1 : a->n_ref - 1, m;
	char unit[VSIM_LONG];

	/* What is deleted or inserted begins one base later, while the base behind it is its first. */
	if (d > 0 && (a->n_ref == 1 || a->n_alt == 1) && a->ref[0] == a->alt[0]) {
		memcpy(unit, a->n_ref == 1 ? a->alt + 1 : a->ref + 1, (size_t)d);
		while (k - i < most && k + n < v->n_base && v->base[k + n] == unit[0]) {
			memmove(unit, unit + 1, (size_t)d - 1);
			unit[d - 1] = v->base[k + n];
			k++;
		}
	}
	left = left > k ? (int)k : left;
	right = k + n + right > v->n_base ? 0 : right;
	memcpy(ref, v->base + k - left, (size_t)(n + left + right));
	if (memchr(ref, 'N', (size_t)(n + left + right))) {
		left = right = 0;
		memcpy(ref, v->base + k, (size_t)n);
	}
	memcpy(alt, ref, (size_t)left);
	m = left;
	if (k == i) {
		memcpy(alt + m, a->alt, (size_t)a->n_alt);
		m += a->n_alt;
	} else {
		alt[m++] = v->base[k];
		if (a->n_ref == 1) {
			memcpy(alt + m, unit, (size_t)d);
			m += d;
		}
	}
	memcpy(alt + m, v->base + k + n, (size_t)right);
	q->pos = block + k - left + 1;
	put_query(v, r, VSIM_RESPELT, number, q, ref, n + left + right, alt, (size_t)(m + right), 1);
	put_truth(v, number, 1, a->pos, a, a->filter ? FILTERED : FOUND, &q->truth);
	mem_free(ref);
	mem_free(alt);
}

/* An SNV that is not there at the position of the list; 0 when all are. */
static char
free_alt(const struct vsim_freq *v, struct rng *r)
{
	char ref = v->here[0].ref[0];
	int first = (int)rng_below(r, 4);

	for (int k = first; k < first + 4; k++) {
		char c = "ACGT"[k & 3];
		int there = c == ref;

		for (int i = 0; i < v->n_here; i++)
			there |= v->here[i].n_ref == 1 && v->here[i].n_alt == 1 && v->here[i].alt[0] == c;
		if (!there)
			return c;
	}
	return 0;
}

/* All alleles of the position in one record, with others that are not there. */
static void
join(const struct vsim_freq *v, struct rng *r, int64_t number, struct vsim_query *q)
{
	const struct vsim_allele *longest = v->here;
	struct vsim_allele *odd = mem_new(struct vsim_allele, 1);
	struct str alts = {0};
	char extra = rng_below(r, 4) == 0 ? free_alt(v, r) : 0;
	int n = 0, star = rng_below(r, 8) == 0;

	for (int i = 0; i < v->n_here; i++)
		longest = v->here[i].n_ref > longest->n_ref ? &v->here[i] : longest;
	for (int i = 0; i < v->n_here + 2; i++) {
		const struct vsim_allele *a = i < v->n_here ? &v->here[i] : odd;
		int status = i < v->n_here ? a->filter ? FILTERED : FOUND : i == v->n_here ? SITE_ONLY : UNSUPPORTED;

		if (i == v->n_here) {
			odd->n_ref = odd->n_alt = 1;
			odd->ref[0] = longest->ref[0];
			odd->alt[0] = extra;
		}
		if (i == v->n_here + 1) {
			odd->n_ref = longest->n_ref;
			memcpy(odd->ref, longest->ref, (size_t)longest->n_ref);
			odd->alt[0] = '*';
		}
		if ((status == SITE_ONLY && !extra) || (status == UNSUPPORTED && !star))
			continue;
		str_addn(&alts, ",", n > 0);
		str_addn(&alts, a->alt, (size_t)a->n_alt);
		if (status != UNSUPPORTED)
			str_addn(&alts, longest->ref + a->n_ref, (size_t)(longest->n_ref - a->n_ref));
		put_truth(v, number, ++n, v->pos, a, status, &q->truth);
	}
	put_query(v, r, VSIM_MULTI, number, q, longest->ref, longest->n_ref, alts.s, alts.n, n);
	str_clear(&alts);
	mem_free(odd);
}

/* An allele that is not there: at the position, or at a base before it, where nothing is (`at` in v->base). */
static int
absent(const struct vsim_freq *v, struct rng *r, enum vsim_set set, int64_t number, int64_t at, struct vsim_query *q)
{
	struct vsim_allele *a = mem_new(struct vsim_allele, 1);
	int here = v->block * VSIM_BLOCK + at + 1 == v->pos, good;

	a->n_ref = a->n_alt = 1;
	a->ref[0] = v->base[at];
	a->alt[0] = here ? free_alt(v, r) : "ACGT"[rng_below(r, 4)];
	if (!here && rng_below(r, 6) == 0) {
		a->alt[0] = a->ref[0];
		a->alt[a->n_alt++] = a->ref[0] == 'G' ? 'C' : 'G';
	}
	a->pos = v->block * VSIM_BLOCK + at + 1;
	good = a->ref[0] != 'N' && a->alt[0] && (a->n_alt > 1 || a->alt[0] != a->ref[0]);
	if (good) {
		q->pos = q->base = a->pos;
		put_query(v, r, set, number, q, a->ref, 1, a->alt, (size_t)a->n_alt, 1);
		put_truth(v, number, 1, a->pos, a, here ? SITE_ONLY : ABSENT, &q->truth);
	}
	mem_free(a);
	return good;
}

/* Chance of an allele to be asked for. */
static double
chance(const struct vsim_freq *v, enum vsim_set set, const struct vsim_allele *a)
{
	double any = 0.05 / GENOME / v->density, common = 0.9 / GENOME / (v->density * 0.02);

	if (set == VSIM_DENSE)
		return 1;
	if (set == VSIM_RESPELT)
		return a->n_ref == 1 && a->n_alt == 1 ? 0.02 : 0.5;
	return a->ac[0] * 200 >= a->an[0] && a->an[0] > 0 ? any + common : any;
}

/* A position gives one query at most, but all of its alleles where all are asked for: which one is next, and the base
 * behind the last position, are kept in the query's order (q->base) and in v->here, which shrinks. */
int
vsim_query_next(struct vsim_freq *v, enum vsim_set set, int64_t number, struct vsim_query *q, struct err *e)
{
	q->line.n = q->truth.n = 0;
	for (;;) {
		int64_t last = v->n_here ? v->pos : 0, before;
		int contig = v->contig;
		struct rng r;

		/* The rest of a position of which all alleles are asked for. */
		if (set == VSIM_DENSE && v->n_here > 1) {
			memmove(v->here, v->here + 1, (size_t)--v->n_here * sizeof *v->here);
		} else if (!vsim_freq_next(v, e)) {
			return 0;
		} else if (contig != v->contig) {
			last = 0;
		}
		r = rng_make(v->seed, RNG_SIMULATE_QUERY, (uint64_t)v->contig << 40 ^ (uint64_t)v->pos);
		q->contig = v->contig;
		q->pos = q->base = v->pos;
		if (set == VSIM_MULTI) {
			if (v->n_here < 2 || rng_below(&r, 10) > 0)
				continue;
			join(v, &r, number, q);
			return 1;
		}
		if (set == VSIM_DENSE) {
			plain(v, &r, set, number, v->here, q);
			return 1;
		}
		/* A base in the gap before, of the same block, or the position itself. */
		before = v->pos - 1 - v->block * VSIM_BLOCK;
		if (set != VSIM_RESPELT && rng_u01(&r) < (set == VSIM_ABSENT ? 0.05 : 0.05 / GENOME / (v->density * 0.8))) {
			int64_t at = rng_below(&r, 2) && before > 0 && v->pos - 1 != last ? before - 1 : before;

			if (absent(v, &r, set, number, at, q))
				return 1;
			continue;
		}
		for (int i = 0; set != VSIM_ABSENT && i < v->n_here; i++)
			if (rng_u01(&r) < chance(v, set, &v->here[i])) {
				if (set == VSIM_RESPELT)
					respell(v, &r, number, &v->here[i], q);
				else
					plain(v, &r, set, number, &v->here[i], q);
				return 1;
			}
	}
}
