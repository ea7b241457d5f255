/* simulate - see simulate.h */
#include "alg/simulate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "base/rng.h"

#define N_MODULE 24
#define N_MT 13
#define N_RIBO 60
#define N_HB 3

static const char *const mt_names[N_MT] = {
	"MT-ND1", "MT-ND2", "MT-CO1", "MT-CO2", "MT-ATP8", "MT-ATP6", "MT-CO3", "MT-ND3", "MT-ND4L", "MT-ND4",
	"MT-ND5", "MT-ND6", "MT-CYB"
};
static const char *const hb_names[N_HB] = { "HBB", "HBA1", "HBA2" };
/* Tirosh et al. 2016 (current symbols): those that are expressed together in S, and in G2 and M. */
static const char *const s_names[] = {
	"MCM5", "PCNA", "TYMS", "FEN1", "MCM2", "MCM4", "RRM1", "UNG", "GINS2", "MCM6", "CDCA7", "DTL", "PRIM1", "UHRF1",
	"CENPU", "HELLS", "RFC2", "RPA2", "NASP", "RAD51AP1", "GMNN", "WDR76", "SLBP", "CCNE2", "UBR7", "POLD3", "MSH2",
	"ATAD2", "RAD51", "RRM2", "CDC45", "CDC6", "EXO1", "TIPIN", "DSCC1", "BLM", "CASP8AP2", "USP1", "CLSPN", "POLA1",
	"CHAF1B", "BRIP1", "E2F8"
};
static const char *const g2m_names[] = {
	"HMGB2", "CDK1", "NUSAP1", "UBE2C", "BIRC5", "TPX2", "TOP2A", "NDC80", "CKS2", "NUF2", "CKS1B", "MKI67", "TMPO",
	"CENPF", "TACC3", "PIMREG", "SMC4", "CCNB2", "CKAP2L", "CKAP2", "AURKB", "BUB1", "KIF11", "ANP32E", "TUBB4B",
	"GTSE1", "KIF20B", "HJURP", "CDCA3", "JPT1", "CDC20", "TTK", "CDC25C", "KIF2C", "RANGAP1", "NCAPD2", "DLGAP5",
	"CDCA2", "CDCA8", "ECT2", "KIF23", "HMMR", "AURKA", "PSRC1", "ANLN", "LBR", "CKAP5", "CENPE", "CTCF", "NEK2",
	"G2E3", "GAS2L3", "CBX5", "CENPA"
};
#define N_S ((int)(sizeof s_names / sizeof *s_names))
#define N_G2M ((int)(sizeof g2m_names / sizeof *g2m_names))

/* Draws i with probability proportional to a weight in O(1). */
struct alias {
	int64_t n, first;       /* genes first .. first + n - 1 */
	uint32_t *cut;          /* [n] probability of keeping i, of 2^32 */
	int32_t *other;         /* [n] what is drawn else */
};

struct sim {
	struct sim_opt opt;
	int64_t mt, ribo, hb, s, g2m, rest;     /* where the groups of genes start */
	struct alias *type;     /* [n_type * n_sample] */
	struct alias module[N_MODULE];
	struct alias mito, phase[3];
	double *share;          /* [n_type] cumulated shares of the types */
	double depth;           /* median molecules */
};

static void
alias_make(struct alias *a, const double *w, int64_t first, int64_t n)
{
	double *p = mem_new(double, n), sum = 0;
	int32_t *small = mem_new(int32_t, n), *large = mem_new(int32_t, n);
	int64_t n_small = 0, n_large = 0;

	a->n = n;
	a->first = first;
	a->cut = mem_new(uint32_t, n);
	a->other = mem_new(int32_t, n);
	for (int64_t i = 0; i < n; i++)
		sum += w[i];
	for (int64_t i = 0; i < n; i++) {
		p[i] = w[i] * (double)n / sum;
		if (p[i] < 1)
			small[n_small++] = (int32_t)i;
		else
			large[n_large++] = (int32_t)i;
	}
	while (n_small && n_large) {
		int32_t s = small[--n_small], l = large[n_large - 1];

		a->cut[s] = (uint32_t)(p[s] * 4294967295.0);
		a->other[s] = l;
		p[l] -= 1 - p[s];
		if (p[l] < 1) {
			small[n_small++] = l;
			n_large--;
		}
	}
	for (; n_large; n_large--) {
		a->cut[large[n_large - 1]] = UINT32_MAX;
		a->other[large[n_large - 1]] = large[n_large - 1];
	}
	for (; n_small; n_small--) {
		a->cut[small[n_small - 1]] = UINT32_MAX;
		a->other[small[n_small - 1]] = small[n_small - 1];
	}
	mem_free(p);
	mem_free(small);
	mem_free(large);
}

static void
alias_clear(struct alias *a)
{
	mem_free(a->cut);
	mem_free(a->other);
}

static int64_t
alias_draw(const struct alias *a, struct rng *r)
{
	uint32_t i = rng_below(r, (uint32_t)a->n);

	return a->first + (rng_u32(r) <= a->cut[i] ? (int32_t)i : a->other[i]);
}

/* Where the groups of named genes start; small gene sets have fewer of them. */
static void
lay_out(struct sim *s)
{
	int64_t n = s->opt.n_gene, scale = n < 1000 ? n : 1000;

	s->mt = 0;
	s->ribo = s->mt + (N_MT * scale + 999) / 1000;
	s->hb = s->ribo + N_RIBO * scale / 1000;
	s->s = s->hb + N_HB * scale / 1000;
	s->g2m = s->s + N_S * scale / 1000;
	s->rest = s->g2m + N_G2M * scale / 1000;
}

static void
make_types(struct sim *s, const double *base)
{
	int64_t n = s->opt.n_gene;
	double *fold = mem_new(double, n), *w = mem_new(double, n);

	for (int t = 0; t < s->opt.n_type; t++) {
		/* Types come in pairs of relatives that share most of their programme. */
		struct rng kin = rng_make(s->opt.seed, RNG_SIMULATE_TYPE, 1000 + (uint64_t)(t / 2));
		struct rng own = rng_make(s->opt.seed, RNG_SIMULATE_TYPE, (uint64_t)t);

		for (int64_t g = 0; g < n; g++) {
			double u = rng_u01(&kin), z = rng_normal(&kin), v = rng_u01(&own), y = rng_normal(&own);

			fold[g] = u < 0.04 ? 1.6 + 0.5 * z : u < 0.07 ? -1.2 + 0.4 * z : 0;
			fold[g] += v < 0.025 ? 1.4 + 0.5 * y : v < 0.04 ? -1.0 + 0.4 * y : 0;
			if (g < s->rest)
				fold[g] *= g >= s->hb && g < s->s ? 1 : 0.2;
		}
		for (int k = 0; k < s->opt.n_sample; k++) {
			struct rng b = rng_make(s->opt.seed, RNG_SIMULATE_GENE, 10 + (uint64_t)k);

			for (int64_t g = 0; g < n; g++) {
				double shift = rng_normal(&b) * (rng_u01(&b) < 0.1 ? 0.9 : 0.15);

				w[g] = g < s->ribo ? 0 : base[g] * exp(fold[g] + (s->opt.n_sample > 1 ? shift : 0));
			}
			alias_make(&s->type[t * s->opt.n_sample + k], w, 0, n);
		}
	}
	mem_free(fold);
	mem_free(w);
}

static void
make_modules(struct sim *s, const double *base)
{
	int64_t n = s->opt.n_gene;
	double *w = mem_new(double, n);

	for (int m = 0; m < N_MODULE; m++) {
		struct rng r = rng_make(s->opt.seed, RNG_SIMULATE_TYPE, 5000 + (uint64_t)m);

		for (int64_t g = 0; g < n; g++)
			w[g] = (rng_u01(&r) < 0.02 && g >= s->rest) || g == n - 1 ? sqrt(base[g]) : 0;
		alias_make(&s->module[m], w, 0, n);
	}
	for (int64_t g = 0; g < n; g++)
		w[g] = base[g] + 1e-9;
	alias_make(&s->mito, w, 0, s->ribo);
	alias_make(&s->phase[0], w, 0, n);
	for (int p = 1; p < 3; p++) {
		int64_t lo = p == 1 ? s->s : s->g2m, hi = p == 1 ? s->g2m : s->rest;

		if (hi <= lo) {         /* tiny gene sets have no such genes */
			lo = 0;
			hi = n;
		}
		for (int64_t g = lo; g < hi; g++)
			w[g] = 1;
		alias_make(&s->phase[p], w + lo, lo, hi - lo);
	}
	mem_free(w);
}

struct sim *
sim_new(const struct sim_opt *opt)
{
	struct sim *s = mem_new(struct sim, 1);
	struct rng r = rng_make(opt->seed, RNG_SIMULATE_GENE, 0);
	double *base = mem_new(double, opt->n_gene), sum = 0;

	s->opt = *opt;
	lay_out(s);
	for (int64_t g = 0; g < opt->n_gene; g++) {
		base[g] = exp(2.0 * rng_normal(&r));
		if (g < s->ribo)
			base[g] = 1 + rng_u01(&r) * 3;
		else if (g < s->hb)
			base[g] = 25 + 40 * rng_u01(&r);
		else if (g < s->rest)
			base[g] = 0.3 + rng_u01(&r);
	}
	s->type = mem_new(struct alias, opt->n_type * opt->n_sample);
	make_types(s, base);
	make_modules(s, base);
	s->share = mem_new(double, opt->n_type);
	for (int t = 0; t < opt->n_type; t++) {
		double w = opt->n_type > 2 && t == opt->n_type - 1 ? 0 : 1.0 / (1 + 0.5 * t);

		s->share[t] = sum += w;
	}
	for (int t = 0; t < opt->n_type; t++)
		s->share[t] *= (opt->n_type > 2 ? 0.99 : 1) / sum;
	s->share[opt->n_type - 1] = 1;
	s->depth = 0.15 * (double)opt->n_gene;
	mem_free(base);
	return s;
}

void
sim_free(struct sim *s)
{
	for (int i = 0; i < s->opt.n_type * s->opt.n_sample; i++)
		alias_clear(&s->type[i]);
	for (int i = 0; i < N_MODULE; i++)
		alias_clear(&s->module[i]);
	alias_clear(&s->mito);
	for (int i = 0; i < 3; i++)
		alias_clear(&s->phase[i]);
	mem_free(s->type);
	mem_free(s->share);
	mem_free(s);
}

void
sim_gene(const struct sim *s, int64_t g, char name[48])
{
	if (g < s->ribo)
		snprintf(name, 48, "%s", mt_names[g]);
	else if (g < s->hb)
		snprintf(name, 48, "RP%c%lld", (g - s->ribo) % 2 ? 'S' : 'L', (long long)((g - s->ribo) / 2 + 3));
	else if (g < s->s)
		snprintf(name, 48, "%s", hb_names[g - s->hb]);
	else if (g < s->g2m)
		snprintf(name, 48, "%s", s_names[g - s->s]);
	else if (g < s->rest)
		snprintf(name, 48, "%s", g2m_names[g - s->g2m]);
	else
		snprintf(name, 48, "G%05lld", (long long)(g - s->rest + 1));
}

void
sim_name(const struct sim *s, int64_t i, char name[48])
{
	/* An odd factor permutes the 2^32 numbers: unique, and not in order. */
	uint64_t x = ((uint64_t)i * 2654435761u + s->opt.seed * 40503u) & 0xffffffffu;

	if (i >> 32)
		x |= (uint64_t)i >> 32 << 32;
	for (int k = 0; k < 16; k++)
		name[k] = "ACGT"[x >> 2 * k & 3];
	snprintf(name + 16, 32, "-%d", (int)(i % s->opt.n_sample) + 1);
	if (x >> 32)
		snprintf(name + 16, 32, "%llX-%d", (unsigned long long)(x >> 32), (int)(i % s->opt.n_sample) + 1);
}

static struct rng
draw_cell(const struct sim *s, int64_t i, struct sim_cell *c)
{
	struct rng r = rng_make(s->opt.seed, RNG_SIMULATE_CELL, (uint64_t)i);
	double u = rng_u01(&r), v;

	c->type = 0;
	while (c->type < s->opt.n_type - 1 && u >= s->share[c->type])
		c->type++;
	c->sample = (int)(i % s->opt.n_sample);
	c->second_type = -1;
	c->doublet = rng_u01(&r) < s->opt.doublets;
	v = rng_u01(&r);
	if (c->doublet) {
		c->second_type = 0;
		while (c->second_type < s->opt.n_type - 1 && v >= s->share[c->second_type])
			c->second_type++;
	}
	u = rng_u01(&r);
	c->phase = u < 0.8 ? 0 : u < 0.91 ? 1 : 2;
	v = exp(0.42 * rng_normal(&r)) * s->depth * (c->sample % 2 ? 0.8 : 1.0);
	c->mito = 0.02 + 0.035 * rng_gamma(&r, 2.0) / 2.0;
	u = rng_u01(&r);
	if (u < 0.03) {                 /* a dying cell */
		v *= 0.3;
		c->mito = 0.25 + 0.3 * rng_u01(&r);
	}
	if (c->doublet)
		v *= 1.6;
	c->depth = (int64_t)v + 1;
	return r;
}

void
sim_cell(const struct sim *s, int64_t i, struct sim_cell *c)
{
	draw_cell(s, i, c);
}

static void
one_row(const struct sim *s, int64_t i, struct csr *m, uint32_t *count, uint64_t *bits)
{
	struct sim_cell c;
	struct rng r = draw_cell(s, i, &c);
	const struct alias *a = &s->type[c.type * s->opt.n_sample + c.sample];
	const struct alias *b = c.doublet ? &s->type[c.second_type * s->opt.n_sample + c.sample] : a;
	int module[3];
	double mix = 0.02 * rng_u01(&r), cycle = c.phase ? 0.002 + 0.004 * rng_u01(&r) : 0;
	int64_t at;

	for (int k = 0; k < 3; k++)
		module[k] = (int)rng_below(&r, N_MODULE);
	for (int64_t d = 0; d < c.depth; d++) {
		double u = rng_u32(&r) * 0x1p-32;
		const struct alias *from = d & 1 ? b : a;
		int64_t g;

		if (u < c.mito)
			from = &s->mito;
		else if (u < c.mito + cycle)
			from = &s->phase[c.phase];
		else if (u < c.mito + cycle + mix)
			from = &s->module[module[d % 3]];
		g = alias_draw(from, &r);
		count[g]++;
		bits[g >> 6] |= (uint64_t)1 << (g & 63);
	}
	at = m->ptr[m->n_row];
	csr_reserve(m, m->n_row + 1, at + (c.depth < s->opt.n_gene ? c.depth : s->opt.n_gene));
	for (int64_t w = 0; w <= s->opt.n_gene / 64; w++)
		while (bits[w]) {
			int64_t g = w * 64 + __builtin_ctzll(bits[w]);

			bits[w] &= bits[w] - 1;
			m->col[at] = (int32_t)g;
			m->val[at++] = count[g];
			count[g] = 0;
		}
	m->ptr[++m->n_row] = at;
}

void
sim_rows(const struct sim *s, int64_t lo, int64_t hi, struct csr *m, uint32_t *scratch)
{
	uint64_t *bits = mem_new(uint64_t, s->opt.n_gene / 64 + 1);

	csr_reserve(m, hi - lo, 0);
	m->row0 = lo;
	m->n_row = 0;
	m->n_col = s->opt.n_gene;
	m->ptr[0] = 0;
	for (int64_t i = lo; i < hi; i++)
		one_row(s, i, m, scratch, bits);
	mem_free(bits);
}
