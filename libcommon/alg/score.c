/* score - see score.h */
#include "alg/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/mt.h"

struct ranked {
	double mean;
	int64_t gene;
};

static int
by_mean(const void *pa, const void *pb)
{
	const struct ranked *a = pa, *b = pb;

	return a->mean < b->mean ? -1 : a->mean > b->mean ? 1 : a->gene < b->gene ? -1 : a->gene > b->gene;
}

int
score_bins(const double *mean, const uint8_t *use, int64_t n, int n_bins, int32_t *bin, struct err *e)
{
	struct ranked *r;
	int64_t m = 0, items, rank = 0;

	if (e->code)
		return e->code;
	r = mem_new(struct ranked, n);
	for (int64_t g = 0; g < n; g++) {
		bin[g] = -1;
		if (use && !use[g])
			continue;
		if (!isfinite(mean[g]))
			err_set(e, ERR_DATA, "gene %lld has the mean %g: values that are no numbers cannot be scored", (long long)g + 1, mean[g]);
		r[m].mean = mean[g];
		r[m++].gene = g;
	}
	items = (int64_t)nearbyint((double)m / (n_bins - 1));
	if (items < 1)
		err_set(e, ERR_DATA, "%lld genes are too few for %d bins of their means", (long long)m, n_bins);
	if (!e->code)
		qsort(r, (size_t)m, sizeof *r, by_mean);
	for (int64_t i = 0; i < m && !e->code; i++) {
		if (i == 0 || r[i].mean != r[i - 1].mean)
			rank = i + 1;
		bin[r[i].gene] = (int32_t)(rank / items);
	}
	mem_free(r);
	return e->code;
}

/* The genes by bin, rising within: members of bin b are of[at[b]] .. of[at[b + 1] - 1]. */
static int32_t
by_bin(const int32_t *bin, int64_t n, int64_t **at, int32_t **of)
{
	int32_t n_bin = 0;
	int64_t *p;

	for (int64_t g = 0; g < n; g++)
		if (bin[g] >= n_bin)
			n_bin = bin[g] + 1;
	p = mem_new(int64_t, n_bin + 2);
	for (int64_t g = 0; g < n; g++)
		if (bin[g] >= 0)
			p[bin[g] + 2]++;
	for (int32_t b = 2; b <= n_bin + 1; b++)
		p[b] += p[b - 1];
	*of = mem_new(int32_t, n);
	for (int64_t g = 0; g < n; g++)
		if (bin[g] >= 0)
			(*of)[p[bin[g] + 1]++] = (int32_t)g;
	*at = p;
	return n_bin;
}

int64_t
score_controls(const int32_t *bin, int64_t n_gene, const int32_t *gene, int64_t n, int64_t size, uint32_t seed,
	int32_t *control, struct err *e)
{
	enum { IN_LIST = 1, DRAWN = 2 };
	struct mt r;
	int64_t *at, n_out = 0;
	int32_t *of, *pick, n_bin;
	uint8_t *mark, *hit;

	if (e->code)
		return -1;
	n_bin = by_bin(bin, n_gene, &at, &of);
	pick = mem_new(int32_t, n_gene);
	mark = mem_new(uint8_t, n_gene);
	hit = mem_new(uint8_t, n_bin);
	for (int64_t i = 0; i < n; i++) {
		BUG_IF(bin[gene[i]] < 0);
		mark[gene[i]] = IN_LIST;
		hit[bin[gene[i]]] = 1;
	}
	mt_seed(&r, seed);
	for (int32_t b = 0; b < n_bin; b++) {
		int32_t m = (int32_t)(at[b + 1] - at[b]), k = size < m ? (int32_t)size : m;

		if (!hit[b])
			continue;
		/* All of a bin is no draw: the generator does not move. */
		if (size < m)
			mt_sample(&r, m, k, pick);
		for (int32_t i = 0; i < k; i++)
			mark[of[at[b] + (size < m ? pick[i] : i)]] |= DRAWN;
	}
	for (int64_t g = 0; g < n_gene; g++)
		if (mark[g] == DRAWN)
			control[n_out++] = (int32_t)g;
	mem_free(at);
	mem_free(of);
	mem_free(pick);
	mem_free(mark);
	mem_free(hit);
	if (n_out == 0) {
		err_set(e, ERR_DATA, "no control genes: all that are as much expressed as the list's are in the list");
		return -1;
	}
	return n_out;
}

struct job {
	const struct layer *l;
	int n_list;
	const struct score_list *list;
	int64_t n_row;
	/* What a gene counts for: role[start[g]] .. role[start[g + 1] - 1], 2 list + (1 for a control). */
	int64_t *start;
	int32_t *role;
	int64_t n_used;         /* genes with a role */
	double *score;
	double *sum;            /* [n_slot][2 n_list] of the row at hand */
	double *x, *y;          /* [n_slot][n_used] its values of genes with a role */
	int32_t *col;           /* [n_slot][n_used] their columns */
};

static void
roles(struct job *j, int64_t n_gene)
{
	int64_t *p = j->start = mem_new(int64_t, n_gene + 2), total = 0;

	for (int k = 0; k < 2 * j->n_list; k++) {
		const struct score_list *l = &j->list[k / 2];
		const int32_t *gene = k & 1 ? l->control : l->gene;

		for (int64_t i = 0, n = k & 1 ? l->n_control : l->n; i < n; i++, total++)
			p[gene[i] + 2]++;
	}
	for (int64_t g = 0; g < n_gene; g++)
		j->n_used += p[g + 2] > 0;
	for (int64_t g = 2; g <= n_gene + 1; g++)
		p[g] += p[g - 1];
	j->role = mem_new(int32_t, total);
	for (int k = 0; k < 2 * j->n_list; k++) {
		const struct score_list *l = &j->list[k / 2];
		const int32_t *gene = k & 1 ? l->control : l->gene;

		for (int64_t i = 0, n = k & 1 ? l->n_control : l->n; i < n; i++)
			j->role[p[gene[i] + 1]++] = k;
	}
}

static int
score_block(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct job *j = ctx;
	double *sum = j->sum + (int64_t)slot * 2 * j->n_list, *x = j->x + slot * j->n_used, *y = j->y + slot * j->n_used;
	int32_t *col = j->col + slot * j->n_used;

	(void)e;
	for (int64_t i = 0; i < m->n_row; i++) {
		int64_t row = m->row0 + i, n = 0;

		for (int64_t k = m->ptr[i]; k < m->ptr[i + 1]; k++)
			if (j->start[m->col[k]] < j->start[m->col[k] + 1]) {
				col[n] = m->col[k];
				x[n++] = m->val[k];
			}
		layer_row(j->l, row, x, n, y);
		memset(sum, 0, (size_t)(2 * j->n_list) * sizeof *sum);
		for (int64_t k = 0; k < n; k++)
			for (int64_t t = j->start[col[k]]; t < j->start[col[k] + 1]; t++)
				sum[j->role[t]] += y[k];
		for (int k = 0; k < j->n_list; k++)
			j->score[k * j->n_row + row] = sum[2 * k] / (double)j->list[k].n - sum[2 * k + 1] / (double)j->list[k].n_control;
	}
	return 0;
}

int
score_rows(struct rows *r, const struct layer *l, const struct score_list *list, int n_list, double *score, struct err *e)
{
	struct job j = { .l = l, .n_list = n_list, .list = list, .n_row = r->n_row, .score = score };

	if (e->code)
		return e->code;
	roles(&j, r->n_col);
	j.sum = mem_new(double, (int64_t)r->n_slot * 2 * n_list);
	j.x = mem_new(double, r->n_slot * j.n_used);
	j.y = mem_new(double, r->n_slot * j.n_used);
	j.col = mem_new(int32_t, r->n_slot * j.n_used);
	rows_pass(r, score_block, NULL, &j, e);
	mem_free(j.start);
	mem_free(j.role);
	mem_free(j.sum);
	mem_free(j.x);
	mem_free(j.y);
	mem_free(j.col);
	return e->code;
}

void
score_phase(const double *s, const double *g2m, int64_t n, int32_t *phase)
{
	for (int64_t i = 0; i < n; i++)
		phase[i] = s[i] < 0 && g2m[i] < 0 ? PHASE_G1 : g2m[i] > s[i] ? PHASE_G2M : PHASE_S;
}

static const char *const human_s[] = {
	"MCM5", "PCNA", "TYMS", "FEN1", "MCM2", "MCM4", "RRM1", "UNG", "GINS2", "MCM6", "CDCA7", "DTL", "PRIM1", "UHRF1", "MLF1IP", "HELLS",
	"RFC2", "RPA2", "NASP", "RAD51AP1", "GMNN", "WDR76", "SLBP", "CCNE2", "UBR7", "POLD3", "MSH2", "ATAD2", "RAD51", "RRM2", "CDC45",
	"CDC6", "EXO1", "TIPIN", "DSCC1", "BLM", "CASP8AP2", "USP1", "CLSPN", "POLA1", "CHAF1B", "BRIP1", "E2F8", NULL
};
static const char *const human_g2m[] = {
	"HMGB2", "CDK1", "NUSAP1", "UBE2C", "BIRC5", "TPX2", "TOP2A", "NDC80", "CKS2", "NUF2", "CKS1B", "MKI67", "TMPO", "CENPF", "TACC3",
	"FAM64A", "SMC4", "CCNB2", "CKAP2L", "CKAP2", "AURKB", "BUB1", "KIF11", "ANP32E", "TUBB4B", "GTSE1", "KIF20B", "HJURP", "CDCA3",
	"HN1", "CDC20", "TTK", "CDC25C", "KIF2C", "RANGAP1", "NCAPD2", "DLGAP5", "CDCA2", "CDCA8", "ECT2", "KIF23", "HMMR", "AURKA",
	"PSRC1", "ANLN", "LBR", "CKAP5", "CENPE", "CTCF", "NEK2", "G2E3", "GAS2L3", "CBX5", "CENPA", NULL
};
static const char *const mouse_s[] = {
	"Cdca7", "Mcm4", "Mcm7", "Rfc2", "Ung", "Mcm6", "Rrm1", "Slbp", "Pcna", "Atad2", "Tipin", "Mcm5", "Uhrf1", "Polr1b", "Dtl", "Prim1",
	"Fen1", "Hells", "Gmnn", "Pold3", "Nasp", "Chaf1b", "Gins2", "Pola1", "Msh2", "Casp8ap2", "Cdc6", "Ubr7", "Ccne2", "Wdr76", "Tyms",
	"Cdc45", "Clspn", "Rrm2", "Dscc1", "Rad51", "Usp1", "Exo1", "Blm", "Rad51ap1", "Cenpu", "E2f8", "Mrpl36", NULL
};
static const char *const mouse_g2m[] = {
	"Cbx5", "Aurkb", "Cks1b", "Cks2", "Jpt1", "Hmgb2", "Anp32e", "Lbr", "Tmpo", "Top2a", "Tacc3", "Tubb4b", "Ncapd2", "Rangap1", "Cdk1",
	"Smc4", "Kif20b", "Cdca8", "Ckap2", "Ndc80", "Dlgap5", "Hjurp", "Ckap5", "Bub1", "Ckap2l", "Ect2", "Kif11", "Birc5", "Cdca2", "Nuf2",
	"Cdca3", "Nusap1", "Ttk", "Aurka", "Mki67", "Pimreg", "Ccnb2", "Tpx2", "Anln", "Kif2c", "Cenpe", "Gtse1", "Kif23", "Cdc20", "Ube2c",
	"Cenpf", "Cenpa", "Hmmr", "Ctcf", "Psrc1", "Cdc25c", "Nek2", "Gas2l3", "G2e3", NULL
};
const char *const *const score_s[N_SPECIES] = { human_s, mouse_s }, *const *const score_g2m[N_SPECIES] = { human_g2m, mouse_g2m };

const char *
score_renamed(const char *symbol)
{
	static const char *const pair[][2] = {
		{ "MLF1IP", "CENPU" }, { "FAM64A", "PIMREG" }, { "HN1", "JPT1" }, { "CDC2", "CDK1" }, { "TUBB2C", "TUBB4B" },
		{ "Mlf1ip", "Cenpu" }, { "Fam64a", "Pimreg" }, { "Hn1", "Jpt1" }, { "Cdc2a", "Cdk1" }, { "Tubb2c", "Tubb4b" }
	};

	for (size_t i = 0; i < sizeof pair / sizeof *pair; i++)
		for (int k = 0; k < 2; k++)
			if (strcmp(symbol, pair[i][k]) == 0)
				return pair[i][!k];
	return NULL;
}
