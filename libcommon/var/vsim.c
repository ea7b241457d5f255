/* vsim - see vsim.h */
#include "var/vsim.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"

/* --- references -------------------------------------------------------------- */

static uint64_t
key_of(int contig, int64_t i)
{
	return (uint64_t)contig << 48 ^ (uint64_t)i;
}

/* Copies of a random unit from at on. */
static int64_t
repeat(struct rng *r, char *out, int64_t at, int64_t n, int least, int most, int64_t bases)
{
	int64_t unit = least + (int64_t)rng_below(r, (uint32_t)(most - least + 1)), i = 0;

	for (; i < bases && at + i < n; i++)
		if (i >= unit)
			out[at + i] = out[at + i - unit];
	return at + i;
}

void
vsim_bases(uint64_t seed, int contig, int64_t length, int64_t block, int64_t n, char *out)
{
	struct rng r = rng_make(seed, RNG_SIMULATE_BASE, key_of(contig, block));
	int64_t at = 0, first = block * VSIM_BLOCK;
	int lower = 0;

	for (int64_t i = 0; i < n; i += 16) {
		uint32_t x = rng_u32(&r);

		for (int64_t k = i; k < i + 16 && k < n; k++, x >>= 2)
			out[k] = "ACGT"[x & 3];
	}
	/* a microsatellite every 1,500 bases or so; one in fifteen is a tandem repeat of a longer unit */
	while ((at += 1 + rng_below(&r, 3000)) < n)
		at = rng_below(&r, 15) ? repeat(&r, out, at, n, 1, 6, 10 + rng_below(&r, 70)) : repeat(&r, out, at, n, 7, 40, 20 + rng_below(&r, 280));
	for (at = 0; at < n; lower = !lower) {
		int64_t end = at + 200 + rng_below(&r, 2000);

		for (; at < end && at < n; at++)
			if (lower)
				out[at] |= 0x20;
	}
	/* telomeres, and a gap every 80 blocks */
	for (int64_t i = 0; i < n; i++)
		if (length > 1000000 && (first + i < 10000 || first + i >= length - 10000 || (block % 80 == 79 && i < 1000)))
			out[i] = 'N';
}

/* --- calls ------------------------------------------------------------------- */

/* Shares of what is drawn, in thousandths: deletions, insertions, several ALTs, MNV, with *, <DEL>. */
static const int shares[4][6] = {
	[VSIM_WGS] = { 100, 80, 20, 4, 2, 1 },
	[VSIM_CLINVAR] = { 80, 40, 0, 10, 0, 0 },
	[VSIM_SITES] = { 75, 50, 0, 3, 0, 0 },
	[VSIM_COHORT] = { 35, 25, 20, 2, 0, 0 },
};

static const char *const common_head = "##fileformat=VCFv4.2\n##FILTER=<ID=PASS,Description=\"All filters passed\">\n";

static void
info_line(struct str *t, const char *where, const char *id, const char *number, const char *type, const char *what)
{
	str_addf(t, "##%s=<ID=%s,Number=%s,Type=%s,Description=\"%s\">\n", where, id, number, type, what);
}

void
vsim_header(const struct vsim *v, struct str *out)
{
	str_add(out, common_head);
	for (int i = 0; i < fasta_n(v->ref); i++)
		str_addf(out, "##contig=<ID=%s,length=%lld>\n", fasta_name(v->ref, i), (long long)fasta_length(v->ref, i));
	info_line(out, "INFO", "END", "1", "Integer", "End position");
	info_line(out, "INFO", "SVLEN", "1", "Integer", "Length of the variant");
	info_line(out, "INFO", "AC", "A", "Integer", "Allele count");
	info_line(out, "INFO", "AF", "A", "Float", "Allele frequency");
	info_line(out, "INFO", "AN", "1", "Integer", "Allele number");
	info_line(out, "INFO", "DP", "1", "Integer", "Depth");
	if (v->type == VSIM_WGS) {
		info_line(out, "INFO", "FS", "1", "Float", "Strand bias");
		info_line(out, "INFO", "MQ", "1", "Float", "Mapping quality");
		info_line(out, "INFO", "QD", "1", "Float", "Quality by depth");
		info_line(out, "INFO", "MQRankSum", "1", "Float", "Rank sum of mapping qualities");
		info_line(out, "INFO", "ReadPosRankSum", "1", "Float", "Rank sum of read positions");
		info_line(out, "INFO", "SOR", "1", "Float", "Strand odds ratio");
		info_line(out, "FORMAT", "AD", "R", "Integer", "Depth of each allele");
		info_line(out, "FORMAT", "DP", "1", "Integer", "Depth");
		info_line(out, "FORMAT", "GQ", "1", "Integer", "Genotype quality");
		info_line(out, "FORMAT", "PL", "G", "Integer", "Genotype likelihoods");
	} else if (v->type == VSIM_CLINVAR) {
		static const char *const key[] = { "ALLELEID", "CLNDISDB", "CLNDN", "CLNHGVS", "CLNREVSTAT", "CLNSIG", "CLNVC", "CLNVCSO", "GENEINFO",
			"MC", "ORIGIN", "RS" };

		for (size_t i = 0; i < sizeof key / sizeof *key; i++)
			info_line(out, "INFO", key[i], i && i < 10 ? "." : "1", i == 0 ? "Integer" : "String", "as ClinVar has it");
	} else if (v->type == VSIM_SITES) {
		info_line(out, "INFO", "nhomalt", "A", "Integer", "Homozygotes");
		for (const char *const *p = (const char *const[]){ "afr", "amr", "eas", "nfe", NULL }; *p; p++)
			str_addf(out, "##INFO=<ID=AF_%s,Number=A,Type=Float,Description=\"Allele frequency, %s\">\n", *p, *p);
	}
	if (v->samples)
		info_line(out, "FORMAT", "GT", "1", "String", "Genotype");
	str_add(out, "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO");
	for (int i = 0; i < v->samples; i++)
		str_addf(out, "%s\tS%d", i ? "" : "\tFORMAT", i + 1);
	str_add(out, "\n");
}

#define DEL_LENGTH 200          /* bases of a <DEL>; SPAN has room for them */

/* Columns behind ALT, newline included. */
static void
put_rest(const struct vsim *v, struct rng *r, int n_alt, int del, int64_t end, struct str *t)
{
	double af = pow(10, -4 * rng_u01(r));
	int dp = 20 + (int)rng_below(r, 40);
	unsigned u = rng_u32(r);

	str_addf(t, v->type == VSIM_WGS ? "\t%.2f\tPASS\t" : v->type == VSIM_SITES ? "\t.\tPASS\t" : "\t.\t.\t", 30 + (double)(u % 200000) / 100);
	switch (v->type) {
	case VSIM_WGS:
	case VSIM_COHORT:
		str_addf(t, "AC=1%s;AF=0.500%s;AN=%d;DP=%d", n_alt > 1 ? ",1" : "", n_alt > 1 ? ",0.500" : "", 2 * v->samples, dp * v->samples);
		if (v->type == VSIM_WGS)
			str_addf(t, ";FS=%.3f;MQ=%.2f;MQRankSum=%.3f;QD=%.2f;ReadPosRankSum=%.3f;SOR=%.3f", u % 9000 / 1e3, 40 + u % 2000 / 100.0,
			    u % 3000 / 1e3 - 1.5, u % 3500 / 1e2, u % 2500 / 1e3 - 1, u % 4000 / 1e3);
		break;
	case VSIM_CLINVAR:
		str_addf(t, "ALLELEID=%u;CLNDISDB=MONDO:MONDO:%07u,MedGen:C%07u,OMIM:%06u;CLNDN=%s;CLNHGVS=NC_%06u.11:g.%lld;"
		    "CLNREVSTAT=criteria_provided,_single_submitter;CLNSIG=%s;CLNVC=single_nucleotide_variant;CLNVCSO=SO:0001483;"
		    "GENEINFO=GENE%u:%u;MC=SO:0001583|missense_variant,SO:0001619|non-coding_transcript_variant;ORIGIN=1;RS=%u", u % 3000000, u % 9999,
		    u % 3999999, u % 9999, u & 1 ? "not_provided" : "Hereditary_cancer-predisposing_syndrome|not_specified", 1 + u % 22, (long long)v->number,
		    u % 3 ? "Uncertain_significance" : "Likely_benign", u % 20000, u % 20000, u);
		break;
	case VSIM_SITES:
		str_addf(t, "AC=%d;AN=152140;AF=%#.6g;nhomalt=%d;AF_afr=%.5e;AF_amr=%.5e;AF_eas=%.5e;AF_nfe=%.5e;DP=%u", 1 + (int)(af * 152139), af, (int)(af * af * 76070),
		    af * 1.5, af, af * .5, af * .8, u % 4000000);
		break;
	}
	if (del)
		str_addf(t, ";END=%lld;SVLEN=-%d", (long long)end, DEL_LENGTH);
	else if (end > 0 && u % 20 == 0 && v->type != VSIM_CLINVAR)
		str_addf(t, ";END=%lld", (long long)end);
	if (v->type == VSIM_WGS) {
		str_addf(t, "\tGT:AD:DP:GQ:PL\t%s:%d,%d%s:%d:%u:%u,0,%u%s", n_alt > 1 ? "1/2" : u & 2 ? "0/1" : "1/1", dp / 2, dp - dp / 2, n_alt > 1 ? ",3" : "", dp,
		    u % 99, u % 900, u % 700, n_alt > 1 ? ",90,80,70" : "");
	} else if (v->samples) {
		str_add(t, "\tGT");
		for (int i = 0; i < v->samples; i++) {
			unsigned x = rng_u32(r);

			str_addf(t, "\t%d|%d", (x & 0xffff) < af * 65536 ? 1 + (int)(x >> 31) % n_alt : 0, (x >> 16 & 0x7fff) < af * 32768);
		}
	}
	str_add(t, "\n");
}

static int
get_bases(void *ctx, int64_t pos, int64_t n, uint8_t *dst, struct err *e)
{
	struct vsim *v = ctx;

	return fasta_get(v->view, v->contig, pos, n, dst, e);
}

#define SPAN 600                /* bases of reference around a site: no event is longer */

struct site {
	char ref[SPAN];         /* upper case; ref[0] is at base `at` */
	int64_t at, n;
	char allele[3][SPAN];
	int n_allele;
	int can;                /* may be spelt in another way */
};

static char
other_base(struct rng *r, char b)
{
	char c;

	do
		c = "ACGT"[rng_below(r, 4)];
	while (c == b);
	return c;
}

/* Alleles of an event whose first base is site->ref[0]; 0 when the reference does not do. */
static int
draw(const struct vsim *v, struct rng *r, struct site *s)
{
	const int *share = shares[v->type];
	int x = (int)rng_below(r, 1000), kind = 0;
	int64_t len = 1;

	while (kind < 6 && (x -= share[kind]) >= 0)
		kind++;
	while (len < 50 && rng_below(r, 100) < 55)
		len++;
	if (rng_below(r, 200) == 0)
		len += rng_below(r, 150);
	s->n_allele = 2;
	s->can = 1;
	switch (kind) {
	case 0:
		snprintf(s->allele[0], SPAN, "%.*s", (int)len + 1, s->ref);
		snprintf(s->allele[1], SPAN, "%c", s->ref[0]);
		break;
	case 1:
		/* half of the insertions repeat what follows */
		snprintf(s->allele[0], SPAN, "%c", s->ref[0]);
		snprintf(s->allele[1], SPAN, "%.*s", (int)len + 1, s->ref);
		if (rng_below(r, 2))
			for (int64_t i = 1; i <= len; i++)
				s->allele[1][i] = "ACGT"[rng_below(r, 4)];
		break;
	case 2:
		s->n_allele = 3;
		snprintf(s->allele[0], SPAN, "%.*s", (int)len + 1, s->ref);
		snprintf(s->allele[1], SPAN, "%c", s->ref[0]);
		snprintf(s->allele[2], SPAN, "%.*s", (int)len + 2, s->ref);
		break;
	case 3:
		snprintf(s->allele[0], SPAN, "%.2s", s->ref);
		snprintf(s->allele[1], SPAN, "%c%c", other_base(r, s->ref[0]), other_base(r, s->ref[1]));
		break;
	case 4:
		s->n_allele = 3;
		s->can = 0;
		snprintf(s->allele[0], SPAN, "%c", s->ref[0]);
		snprintf(s->allele[1], SPAN, "%c", other_base(r, s->ref[0]));
		snprintf(s->allele[2], SPAN, "*");
		break;
	case 5:
		s->can = 0;
		snprintf(s->allele[0], SPAN, "%c", s->ref[0]);
		snprintf(s->allele[1], SPAN, "<DEL>");
		break;
	default:
		s->can = rng_below(r, 100) == 0;
		snprintf(s->allele[0], SPAN, "%c", s->ref[0]);
		snprintf(s->allele[1], SPAN, "%c", other_base(r, s->ref[0]));
	}
	return kind;
}

/* Rolls an indel of one ALT to the right as far as it goes, or less; *pos is its anchor, 0-based. */
static void
roll(const struct vsim *v, struct rng *r, int64_t *pos, struct str *ref, struct str *alt, struct err *e)
{
	struct str *l = ref->n > alt->n ? ref : alt, *s = l == ref ? alt : ref;
	int64_t d = (int64_t)l->n - 1, most = rng_below(r, 4) ? 400 : 1 + (int64_t)rng_below(r, 5);
	int64_t length = fasta_length(v->ref, v->contig);
	uint8_t b;

	if (s->n != 1 || d < 1 || l->s[0] != s->s[0])
		return;
	for (int64_t i = 0; i < most; i++) {
		/* the base behind the anchor and the deleted bases, or behind the anchor alone */
		int64_t next = *pos + 1 + (l == ref ? d : 0);

		if (next >= length || fasta_get(v->view, v->contig, next, 1, &b, e) || (char)norm_base[b] != l->s[1])
			return;
		memmove(l->s, l->s + 1, (size_t)d);
		l->s[d] = (char)norm_base[b];
		s->s[0] = l->s[0];
		++*pos;
	}
}

/* Reference bases around, up to 2 on the left and 3 on the right. */
static void
pad(const struct vsim *v, struct rng *r, int64_t *pos, struct str *a, int n, struct err *e)
{
	int64_t left = rng_below(r, 3), right = rng_below(r, 4), behind = *pos + (int64_t)a[0].n;
	int64_t length = fasta_length(v->ref, v->contig);
	uint8_t l[3], b[4];

	if (left > *pos)
		left = *pos;
	if (right > length - behind)
		right = length - behind;
	if (fasta_get(v->view, v->contig, *pos - left, left, l, e) || fasta_get(v->view, v->contig, behind, right, b, e))
		return;
	for (int i = 0; i < n; i++) {
		struct str t = {0};

		for (int64_t k = 0; k < left; k++)
			str_addn(&t, &norm_base[l[k]], 1);
		str_addn(&t, a[i].s, a[i].n);
		for (int64_t k = 0; k < right; k++)
			str_addn(&t, &norm_base[b[k]], 1);
		str_clear(&a[i]);
		a[i] = t;
	}
	*pos -= left;
}

static void
put_line(const struct vsim *v, int64_t pos1, const struct str *a, int n, const char *rest_key, struct rng rest, struct str *out)
{
	int del = a[n - 1].s[0] == '<';
	int64_t end = del ? pos1 + DEL_LENGTH : pos1 + (int64_t)a[0].n - 1;

	out->n = 0;
	str_addf(out, "%s\t%lld\t%s\t%s\t%s%s%s", fasta_name(v->ref, v->contig), (long long)pos1, rest_key, a[0].s, a[1].s, n > 2 ? "," : "",
	    n > 2 ? a[2].s : "");
	put_rest(v, &rest, n - 1, del, end, out);
}

/* The site at v->pos as a record; 0 when it does not do and the next is to be tried. */
static int
make(struct vsim *v, struct rng *r, struct site *s, struct vsim_rec *out, struct err *e)
{
	struct norm_seq seq = { get_bases, v, fasta_length(v->ref, v->contig), 0 };
	struct allele a[3];
	struct str t[3] = {{0}};
	int kind = draw(v, r, s), n = s->n_allele, changed = 0, k;
	int64_t pos = s->at;
	char id[32];

	for (int i = 0; i < n; i++) {
		a[i].s = (const uint8_t *)s->allele[i];
		a[i].n = (int64_t)strlen(s->allele[i]);
	}
	k = norm_class(a, n) == NORM_SEQUENCE ? norm_run(&v->norm, &seq, pos, a, n, 0, e) : NORM_NORMAL;
	if (k == NORM_TRIMMED || k == NORM_SHIFTED)
		pos = v->norm.pos;
	if (e->code || pos + 1 <= out->truth_pos)
		return 0;
	for (int i = 0; i < n; i++) {
		int64_t len = a[i].n;
		const char *p = k == NORM_TRIMMED || k == NORM_SHIFTED ? norm_allele(&v->norm, i, &len) : (const char *)a[i].s;

		str_addn(&t[i], p, (size_t)len);
	}
	snprintf(id, sizeof id, "v%lld", (long long)++v->number);
	put_line(v, pos + 1, t, n, id, rng_make(v->seed, RNG_SIMULATE_SITE, ~(uint64_t)v->number), &out->truth);
	out->truth_pos = pos + 1;
	v->snv += kind > 5;
	v->indel += kind < 2;
	v->multi += kind == 2;
	v->other += kind > 2 && kind < 6;
	if (s->can && rng_u01(r) < v->moved) {
		if (n == 2)
			roll(v, r, &pos, &t[0], &t[1], e);
		pad(v, r, &pos, t, n, e);
		changed = 1;
	}
	put_line(v, pos + 1, t, n, id, rng_make(v->seed, RNG_SIMULATE_SITE, ~(uint64_t)v->number), &out->line);
	out->pos = pos + 1;
	out->contig = v->contig;
	v->respelt += changed && strcmp(out->line.s, out->truth.s) != 0;
	v->pos = s->at + (int64_t)strlen(s->allele[0]);
	for (int i = 0; i < 3; i++)
		str_clear(&t[i]);
	return 1;
}

int
vsim_next(struct vsim *v, struct vsim_rec *r, struct err *e)
{
	if (!v->view)
		v->view = fasta_view(v->ref);
	while (v->contig < fasta_n(v->ref) && !e->code) {
		int64_t length = fasta_length(v->ref, v->contig), step;
		struct rng g = rng_make(v->seed, RNG_SIMULATE_SITE, key_of(v->contig, v->pos));
		struct site s;

		step = 1 + (int64_t)(2 * (v->gap - 1) * rng_u01(&g));
		s.at = v->pos + step;
		if (s.at + 300 >= length) {
			v->contig++;
			v->pos = 0;
			r->truth_pos = 0;
			continue;
		}
		s.n = 300;
		if (fasta_get(v->view, v->contig, s.at, s.n, (uint8_t *)s.ref, e))
			break;
		for (int64_t i = 0; i < s.n; i++)
			s.ref[i] = (char)(norm_base[(uint8_t)s.ref[i]] ? norm_base[(uint8_t)s.ref[i]] : 'N');
		s.ref[s.n] = 0;
		v->pos = s.at;
		if (memchr(s.ref, 'N', (size_t)s.n))
			continue;
		if (make(v, &g, &s, r, e))
			return 1;
	}
	return 0;
}

void
vsim_close(struct vsim *v)
{
	fasta_view_free(v->view);
	norm_clear(&v->norm);
}
