/* vsim_freq - simulated alleles with counts, and their records; see vsim_freq.h */
#include "var/vsim_freq.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "var/norm.h"
#include "var/vsim.h"

const char *const vsim_filters[] = { "PASS", "AC0", "AS_VQSR", "InbreedingCoeff", "AC0;AS_VQSR", "RF", "AC0;RF" };
enum { PASS, AC0, VQSR, INBREEDING, AC0_VQSR, RF, AC0_RF };

static const char *const group_name[VSIM_GROUPS] = { "nfe", "afr", "amr", "eas", "sas", "fin", "asj", "remaining", "ami", "mid" };
/* Shares of the samples; the first gets what is left. */
static const double group_share[VSIM_GROUPS] = { 0.447, 0.272, 0.1, 0.034, 0.032, 0.07, 0.023, 0.014, 0.006, 0.002 };
enum { N_MAX_GROUPS = 5, PEOPLE = 76215 };      /* the groups of which the maximum is taken; samples */

static const char *
name_of(const struct vsim_freq *v, int g)
{
	return v->old && g == 7 ? "oth" : group_name[g];
}

/* --- alleles ----------------------------------------------------------------- */

/* A number in [0, 1) for a knot of the genome. */
static double
knot(const struct vsim_freq *v, int64_t k)
{
	int64_t key[2] = { v->contig, k };

	return (double)(rng_hash(key, sizeof key, v->seed) >> 11) * 0x1p-53;
}

/* Chromosomes seen at a base: a line between knots every 512 bases, and little noise. */
static void
draw_an(struct vsim_freq *v, int64_t pos, int64_t *an)
{
	int64_t k = pos / 512, left;
	double t = (double)(pos % 512) / 512, low = knot(v, k) * (1 - t) + knot(v, k + 1) * t;
	uint32_t u = rng_u32(&v->rng);

	an[0] = (int64_t)(PEOPLE * (1 - 0.04 * low * low)) - (u >> 16) % 6;
	if (u % 4096 == 0)
		an[0] = 0;              /* nobody is covered */
	left = an[0];
	for (int g = 1; g < VSIM_GROUPS; g++) {
		an[g + 1] = (int64_t)((double)an[0] * group_share[g]);
		left -= an[g + 1];
	}
	an[1] = left;
	for (int g = 0; g <= VSIM_GROUPS; g++)
		an[g] *= 2;
}

/* Shares ac[0] out among the groups. */
static void
share_out(struct rng *r, struct vsim_allele *a)
{
	double w[VSIM_GROUPS], sum = 0;
	int64_t left = a->ac[0];

	memset(a->ac + 1, 0, VSIM_GROUPS * sizeof *a->ac);
	if (left <= 12) {
		for (; left > 0; left--) {
			double u = rng_u01(r);
			int g = 0;

			while (g < VSIM_GROUPS - 1 && (u -= group_share[g]) >= 0)
				g++;
			a->ac[a->ac[g + 1] < a->an[g + 1] ? g + 1 : 1]++;
		}
		return;
	}
	for (int g = 0; g < VSIM_GROUPS; g++)
		sum += w[g] = group_share[g] * (0.2 + (double)(rng_u32(r) >> 8) * 0x1p-24 * 2);
	for (int g = 1; g <= VSIM_GROUPS; g++) {
		int64_t n = (int64_t)((double)a->ac[0] * w[g - 1] / sum);

		n = n < a->an[g] ? n : a->an[g];
		a->ac[g] = n;
		left -= n;
	}
	for (int g = 1; left > 0 && g <= VSIM_GROUPS; g++) {
		int64_t n = a->an[g] - a->ac[g] < left ? a->an[g] - a->ac[g] : left;

		a->ac[g] += n;
		left -= n;
	}
}

/* Lower bound of the frequency of which ac of an were seen, in units of 10^-8 (Wilson and Hilferty's approximation). */
static int64_t
bound(int64_t ac, int64_t an)
{
	double df = 2 * (double)ac, x;

	if (ac < 2)
		return 0;
	x = 1 - 2 / (9 * df) - 1.6449 * sqrt(2 / (9 * df));
	return (int64_t)(df * x * x * x / 2 / (double)an * 1e8 + 0.5);
}

static void
draw_counts(struct vsim_freq *v, struct vsim_allele *a)
{
	struct rng *r = &v->rng;
	double u = rng_u01(r), best = 0;
	uint32_t f = rng_u32(r);

	/* A third are singletons, one in fifty is seen 762 times (0.5 %) or more. */
	a->ac[0] = (int64_t)(u > 0 ? pow(u, -1 / 0.59) : 1e9);
	if (a->ac[0] > a->an[0])
		a->ac[0] = a->an[0] - a->an[0] * (f % 32) / 64;
	if (f % 64 == 0)
		a->ac[0] = 0;
	share_out(r, a);
	a->hom[0] = a->grpmax = 0;
	for (int g = 1; g <= VSIM_GROUPS; g++) {
		double p = a->an[g] ? (double)a->ac[g] / (double)a->an[g] : 0;

		a->hom[g] = a->ac[g] < 2 ? 0 : (int64_t)(p * p * (double)a->an[g] / 2 + (double)(f >> 8 & 255) / 256);
		a->hom[g] = a->hom[g] > a->ac[g] / 2 ? a->ac[g] / 2 : a->hom[g];
		a->hom[0] += a->hom[g];
		if (g <= N_MAX_GROUPS && p > best) {
			best = p;
			a->grpmax = g;
		}
	}
	a->faf = a->ac[0] == 0 ? -1 : a->grpmax ? bound(a->ac[a->grpmax], a->an[a->grpmax]) : 0;
	f >>= 16;
	a->filter = a->ac[0] == 0 ? (f % 5 ? AC0 : AC0_VQSR) : f % 1000 < 80 ? VQSR : f % 1000 < 83 ? INBREEDING : PASS;
	if (v->old && (a->filter == VQSR || a->filter == AC0_VQSR))
		a->filter = a->filter == VQSR ? RF : AC0_RF;
}

static char
other(struct rng *r, char b)
{
	char c;

	do
		c = "ACGT"[rng_u32(r) >> 30];
	while (c == b);
	return c;
}

static int64_t
draw_length(struct rng *r)
{
	int64_t len = 1;
	uint32_t u = rng_u32(r);

	while (len < 40 && (u = u * 1664525 + 1013904223) >> 16 < 36000)
		len++;
	if (rng_below(r, 150) == 0)
		len += rng_below(r, rng_below(r, 10) ? 60 : VSIM_LONG - 50);
	return len;
}

/* One more allele at the next base, unless the bases do not allow it. */
static struct vsim_allele *
more(struct vsim_freq *v, int n_ref)
{
	const char *b = v->base + v->at;
	struct vsim_allele *a = &v->here[v->n_here];

	if (v->n_here == VSIM_MOST || v->at + n_ref > v->n_base || memchr(b, 'N', (size_t)n_ref))
		return NULL;
	a->n_ref = n_ref;
	memcpy(a->ref, b, (size_t)n_ref);
	return a;
}

static void
add_snvs(struct vsim_freq *v, double p)
{
	char b = v->base[v->at];
	int any = 0;

	while (!any)
		for (int k = 0; k < 4; k++) {
			struct vsim_allele *a;

			if ("ACGT"[k] == b || rng_u01(&v->rng) >= p || !(a = more(v, 1)))
				continue;
			a->alt[0] = "ACGT"[k];
			a->n_alt = 1;
			v->n_here++;
			any = 1;
		}
}

/* An indel or a change of several bases.  What begins here is left-aligned when its last base is not the
 * anchor, and minimal when its last bases differ. */
static void
add_other(struct vsim_freq *v, unsigned kind)
{
	struct rng *r = &v->rng;
	struct vsim_allele *a;
	int n;

	if (kind < 55) {
		n = 1 + (int)draw_length(r);
		if ((a = more(v, n)) && a->ref[n - 1] != a->ref[0]) {
			a->alt[0] = a->ref[0];
			a->n_alt = 1;
			v->n_here++;
		}
	} else if (kind < 90) {
		n = 1 + (int)draw_length(r);
		if ((a = more(v, 1))) {
			a->alt[0] = a->ref[0];
			for (int i = 1; i < n; i++)
				a->alt[i] = "ACGT"[rng_u32(r) >> 30];
			a->alt[n - 1] = other(r, a->ref[0]);
			a->n_alt = n;
			v->n_here++;
		}
	} else {
		n = 1 + (int)rng_below(r, 4);
		if ((a = more(v, n))) {
			a->n_alt = kind < 96 && n > 1 ? n : 2 + (int)rng_below(r, 4);
			for (int i = 0; i < a->n_alt; i++)
				a->alt[i] = "ACGT"[rng_u32(r) >> 30];
			a->alt[0] = other(r, a->ref[0]);
			a->alt[a->n_alt - 1] = other(r, a->ref[n - 1]);
			v->n_here++;
		}
	}
}

/* As the release sorts them: by the bytes of REF, then of ALT. */
static int
compare(const struct vsim_allele *a, const struct vsim_allele *b)
{
	int n = a->n_ref < b->n_ref ? a->n_ref : b->n_ref, k = memcmp(a->ref, b->ref, (size_t)n);

	if (k || a->n_ref != b->n_ref)
		return k ? k : a->n_ref - b->n_ref;
	n = a->n_alt < b->n_alt ? a->n_alt : b->n_alt;
	k = memcmp(a->alt, b->alt, (size_t)n);
	return k ? k : a->n_alt - b->n_alt;
}

static void
sort_here(struct vsim_freq *v)
{
	struct vsim_allele *t;

	if (v->n_here < 2)
		return;
	t = mem_raw(struct vsim_allele, 1);
	for (int i = 1; i < v->n_here; i++)
		for (int k = i; k > 0 && compare(&v->here[k - 1], &v->here[k]) > 0; k--) {
			*t = v->here[k];
			v->here[k] = v->here[k - 1];
			v->here[k - 1] = *t;
		}
	mem_free(t);
}

/* The bases of the next block, upper case; 0 at the end. */
static int
load(struct vsim_freq *v, struct err *e)
{
	int64_t length, first, n;

	if (!v->view) {
		v->view = fasta_view(v->ref);
		v->base = mem_raw(char, VSIM_BLOCK + VSIM_LONG);
		v->here = mem_raw(struct vsim_allele, VSIM_MOST);
	}
	for (; v->contig < fasta_n(v->ref); v->contig++, v->block = 0) {
		length = fasta_length(v->ref, v->contig);
		first = v->block * VSIM_BLOCK;
		if (first >= length)
			continue;
		n = length - first < VSIM_BLOCK + VSIM_LONG ? length - first : VSIM_BLOCK + VSIM_LONG;
		if (fasta_get(v->view, v->contig, first, n, (uint8_t *)v->base, e))
			return 0;
		for (int64_t i = 0; i < n; i++)
			v->base[i] = (char)(norm_base[(uint8_t)v->base[i]] ? norm_base[(uint8_t)v->base[i]] : 'N');
		v->n_base = n;
		v->at = 0;
		v->rng = rng_make(v->seed, RNG_SIMULATE_ALLELE, (uint64_t)v->contig << 40 ^ (uint64_t)v->block);
		return 1;
	}
	return 0;
}

int
vsim_freq_next(struct vsim_freq *v, struct err *e)
{
	double p = v->density * 0.88 / 3;
	uint32_t snv = (uint32_t)((1 - (1 - p) * (1 - p) * (1 - p)) * 65536), rest = (uint32_t)(v->density * 0.13 * 65536);

	v->n_here = 0;
	while (!e->code) {
		int64_t an[VSIM_GROUPS + 1];

		if (!v->view && !load(v, e))
			return 0;
		if (v->at >= VSIM_BLOCK || v->at >= v->n_base) {
			v->block++;
			if (!load(v, e))
				return 0;
		}
		for (; v->at < VSIM_BLOCK && v->at < v->n_base; v->at++) {
			uint32_t u = rng_u32(&v->rng);

			if (((u & 0xffff) >= snv && u >> 16 >= rest) || v->base[v->at] == 'N')
				continue;
			if ((u & 0xffff) < snv)
				add_snvs(v, p);
			if (u >> 16 < rest) {
				unsigned kind = rng_below(&v->rng, 100);

				add_other(v, kind);
				if (kind % 5 == 0 && v->n_here > 0)
					add_other(v, kind < 55 ? 60 : 10);
			}
			if (v->n_here == 0)
				continue;
			v->pos = v->block * VSIM_BLOCK + v->at++ + 1;
			draw_an(v, v->pos, an);
			sort_here(v);
			for (int i = 0; i < v->n_here; i++) {
				v->here[i].pos = v->pos;
				memcpy(v->here[i].an, an, sizeof an);
				draw_counts(v, &v->here[i]);
			}
			return 1;
		}
	}
	return 0;
}

void
vsim_freq_close(struct vsim_freq *v)
{
	fasta_view_free(v->view);
	mem_free(v->base);
	mem_free(v->here);
}

/* --- records ----------------------------------------------------------------- */

static void
declare(struct str *t, const char *id, const char *suffix, const char *number, const char *type, const char *what)
{
	str_addf(t, "##INFO=<ID=%s%s,Number=%s,Type=%s,Description=\"%s\">\n", id, suffix, number, type, what);
}

void
vsim_freq_header(const struct vsim_freq *v, struct str *out)
{
	const char *max = v->old ? "popmax" : "grpmax";
	char suffix[40];

	str_add(out, "##fileformat=VCFv4.2\n##FILTER=<ID=PASS,Description=\"All filters passed\">\n"
	    "##FILTER=<ID=AC0,Description=\"Allele count is zero after filtering out low-confidence genotypes\">\n"
	    "##FILTER=<ID=InbreedingCoeff,Description=\"Inbreeding coefficient < -0.3\">\n");
	str_add(out, v->old ? "##FILTER=<ID=RF,Description=\"Failed random forest filtering\">\n" :
	    "##FILTER=<ID=AS_VQSR,Description=\"Failed VQSR filtering\">\n");
	declare(out, "AC", "", "A", "Integer", "Alternate allele count");
	declare(out, "AN", "", "1", "Integer", "Total number of alleles");
	declare(out, "AF", "", "A", "Float", "Alternate allele frequency");
	declare(out, max, "", "A", "String", "Genetic ancestry group with the maximum allele frequency");
	declare(out, v->old ? "faf95" : "fafmax_faf95_max", "", "A", "Float", "Maximum filtering allele frequency (95 % confidence)");
	if (!v->old)
		declare(out, "fafmax_faf95_max_gen_anc", "", "A", "String", "Genetic ancestry group of fafmax_faf95_max");
	snprintf(suffix, sizeof suffix, "_%s", max);
	declare(out, "AC", suffix, "A", "Integer", "Allele count in the group with the maximum allele frequency");
	declare(out, "AF", suffix, "A", "Float", "Maximum allele frequency across groups");
	declare(out, "AN", suffix, "A", "Integer", "Total number of alleles in the group with the maximum allele frequency");
	declare(out, "nhomalt", suffix, "A", "Integer", "Homozygous individuals in the group with the maximum allele frequency");
	declare(out, "nhomalt", "", "A", "Integer", "Count of homozygous individuals");
	for (int g = 0; g < v->groups; g++) {
		snprintf(suffix, sizeof suffix, "_%s", name_of(v, g));
		declare(out, "AC", suffix, "A", "Integer", "Alternate allele count for samples of this group");
		declare(out, "AN", suffix, "1", "Integer", "Total number of alleles in samples of this group");
		declare(out, "AF", suffix, "A", "Float", "Alternate allele frequency in samples of this group");
		declare(out, "nhomalt", suffix, "A", "Integer", "Count of homozygous individuals in samples of this group");
	}
	declare(out, "lcr", "", "0", "Flag", "Variant falls within a low complexity region");
	declare(out, "allele_type", "", "A", "String", "Allele type (snv, insertion, deletion, mixed)");
	for (int i = 0; i < fasta_n(v->ref); i++)
		str_addf(out, "##contig=<ID=%s,length=%lld>\n", fasta_name(v->ref, i), (long long)fasta_length(v->ref, i));
	str_add(out, "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n");
}

static void
put_int(struct str *t, int64_t n)
{
	char b[FVAL_PRINT];

	str_addn(t, b, (size_t)fval_print(FTYPE_INT, n, b));
}

static void
put_ratio(const struct vsim_freq *v, struct str *t, int64_t a, int64_t b)
{
	struct fval_rule r = { v->old ? FVAL_STYLE_E : FVAL_STYLE_GALT, 6, !v->old, 0 };
	char s[FVAL_PRINT];

	if (b == 0)
		str_addn(t, ".", 1);
	else
		str_addn(t, s, (size_t)fval_print(FTYPE_FLOAT, fval_quotient(r, a, b), s));
}

/* ;KEY_GROUP= */
static void
put_key(struct str *t, const char *key, const char *group)
{
	str_addn(t, ";", 1);
	str_add(t, key);
	if (group) {
		str_addn(t, "_", 1);
		str_add(t, group);
	}
	str_addn(t, "=", 1);
}

/* The four counts of a group: AC, AF (unless nobody was covered), AN, nhomalt. */
static void
put_group(const struct vsim_freq *v, const struct vsim_allele *a, int g, const char *name, struct str *t)
{
	put_key(t, "AC", name);
	put_int(t, a->ac[g]);
	if (a->an[g] > 0) {
		put_key(t, "AF", name);
		put_ratio(v, t, a->ac[g], a->an[g]);
	}
	put_key(t, "AN", name);
	put_int(t, a->an[g]);
	put_key(t, "nhomalt", name);
	put_int(t, a->hom[g]);
}

void
vsim_freq_line(const struct vsim_freq *v, const struct vsim_allele *a, struct str *out)
{
	str_add(out, fasta_name(v->ref, v->contig));
	str_addn(out, "\t", 1);
	put_int(out, a->pos);
	str_addn(out, "\t.\t", 3);
	str_addn(out, a->ref, (size_t)a->n_ref);
	str_addn(out, "\t", 1);
	str_addn(out, a->alt, (size_t)a->n_alt);
	str_addn(out, "\t.\t", 3);
	str_add(out, vsim_filters[a->filter]);
	str_addn(out, "\t", 1);
	put_group(v, a, 0, NULL, out);
	/* The first key has nothing in front of it. */
	for (size_t i = out->n; i-- > 0; )
		if (out->s[i] == '\t') {
			memmove(out->s + i + 1, out->s + i + 2, out->n - i - 2);
			out->n--;
			break;
		}
	if (a->grpmax) {
		put_key(out, v->old ? "popmax" : "grpmax", NULL);
		str_add(out, name_of(v, a->grpmax - 1));
		put_group(v, a, a->grpmax, v->old ? "popmax" : "grpmax", out);
	}
	if (a->faf >= 0) {
		put_key(out, v->old ? "faf95" : "fafmax_faf95_max", NULL);
		put_ratio(v, out, a->faf, 100000000);
		if (!v->old && a->grpmax) {
			put_key(out, "fafmax_faf95_max_gen_anc", NULL);
			str_add(out, name_of(v, a->grpmax - 1));
		}
	}
	for (int g = 0; g < v->groups; g++)
		put_group(v, a, g + 1, name_of(v, g), out);
	if (a->pos / 700 % 20 == 0)
		str_add(out, ";lcr");
	put_key(out, "allele_type", NULL);
	str_add(out, a->n_ref == 1 && a->n_alt == 1 ? "snv" : a->n_alt == 1 ? "del" : a->n_ref == 1 && a->alt[0] == a->ref[0] ? "ins" : "mixed");
	str_addn(out, "\n", 1);
}
