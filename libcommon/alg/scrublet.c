/* scrublet - see scrublet.h: genes, counts held, simulated doublets, components */
#include "alg/scrublet_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "alg/genestat.h"
#include "alg/knn_impl.h"
#include "alg/layer.h"
#include "alg/pca.h"
#include "base/mem.h"
#include "num/median.h"

#define CELL_GENES 3            /* compat: and a cell have so many such genes */
#define MOST_GENES 65535        /* columns are held in 16 bits */
#define TOTAL 3e3               /* ours: sum of a cell's chosen genes, before the logarithm */
#define TOTAL_COMPAT 1e6

struct work {
	struct batchsum sums;   /* first: batchsum_add */
	const struct scrublet_opt *o;
	struct scrublet *s;
	struct par *p;
	int64_t n_col;
	int first;              /* compat: the pass that only counts cells */
	uint8_t *gene;          /* [n_batch][n_col] compat: genes in enough cells; NULL = all */
	double *total;          /* [n_row] sum over those genes; 0 = the cell is not used */
	double *stat;           /* [n_batch][n_col][N_STAT] */
	int64_t *nnz;           /* [n_batch] of the chosen genes */
	int32_t **chosen;       /* [n_batch] columns, those of the most cells first */
	int32_t **place;        /* [n_batch] [n_col] number among the chosen, -1; NULL: not in the group */
	struct scrublet_held *held;     /* [n_batch] */
	struct csr *pick;       /* [n_slot] rows of a block on the genes of their sample */
};

static int
batch_of(const struct work *w, int64_t row)
{
	return w->o->batch ? w->o->batch[row] : 0;
}

struct scrublet_opt
scrublet_default(void)
{
	return (struct scrublet_opt){ .n_batch = 1, .n_pc = 15, .percentile = 85, .n_top = 2000, .sim_ratio = 2, .rate = 0.05,
		.threshold = NAN, .score_most = 20000, .hold = (int64_t)256 << 20 };
}

/* --- genes --------------------------------------------------------------------- */

/* Statistics of y = x / (sum of the row); the sample's common factor comes later. */
static int
stat_block(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct work *w = ctx;

	(void)e;
	for (int64_t i = 0; i < m->n_row; i++) {
		int64_t row = m->row0 + i, lo = m->ptr[i], hi = m->ptr[i + 1], genes = 0;
		int b = batch_of(w, row);
		const uint8_t *gene = w->gene ? w->gene + b * w->n_col : NULL;
		double sum = 0, *part = batchsum_at(&w->sums, slot, b);

		for (int64_t k = lo; k < hi && !w->first; k++)
			if (m->val[k] > 0 && (!gene || gene[m->col[k]])) {
				sum += m->val[k];
				genes++;
			}
		if (gene && genes < CELL_GENES)
			sum = 0;
		w->total[row] = sum;
		for (int64_t k = lo; k < hi && (w->first || sum > 0); k++) {
			double *s = part + (int64_t)m->col[k] * N_STAT, y;

			if (!(m->val[k] > 0) || (gene && !gene[m->col[k]]))
				continue;
			y = w->first ? 0 : m->val[k] / sum;
			s[S_CELLS]++;
			s[S_TWICE] += m->val[k] >= 2;
			s[S_SUM] += y;
			s[S_SUM2] += y * y;
		}
	}
	return 0;
}

static int
stat_pass(struct work *w, struct rows *r, struct err *e)
{
	batchsum_init(&w->sums, w->s->n_batch, w->n_col, N_STAT, r->n_slot);
	rows_pass(r, stat_block, batchsum_add, w, e);
	batchsum_end(&w->sums, w->stat);
	return e->code;
}

/* The factor to which cells of a sample are normalised: mean of their sums; compat: median of the positive ones. */
static double
depth(const struct work *w, int b, int64_t *n_used)
{
	double *v = mem_new(double, w->s->batch[b].n), sum = 0, all;
	int64_t n = 0;

	for (int64_t i = 0; i < w->s->n_row; i++)
		if (batch_of(w, i) == b && w->total[i] > 0) {
			v[n++] = w->total[i];
			sum += w->total[i];
		}
	all = n == 0 ? 1 : w->o->compat ? num_median(v, n) : sum / (double)n;
	mem_free(v);
	*n_used = n;
	return all;
}

static int
choose_genes(struct work *w, int b, struct err *e)
{
	struct scrublet_batch *q = &w->s->batch[b];
	const double *stat = w->stat + b * w->n_col * N_STAT;
	uint8_t *take = mem_new(uint8_t, w->n_col);
	double factor = depth(w, b, &q->n_used);
	int64_t m = 0, nnz = 0;

	if (q->n_used > 1 && w->o->compat)
		scrublet_by_dispersion(w->n_col, w->gene + b * w->n_col, stat, (double)q->n_used, factor, take);
	else if (q->n_used > 1)
		scrublet_by_vscore(w->o, w->n_col, stat, (double)q->n_used, factor, take);
	for (int64_t j = 0; j < w->n_col; j++)
		m += take[j];
	q->n_gene = m;
	if (m > MOST_GENES)
		err_set(e, ERR_DATA, "doublets: %lld genes chosen, more than %d; leave out genes that are noise", (long long)m, MOST_GENES);
	w->chosen[b] = scrublet_rank(take, stat, w->n_col, m);
	for (int64_t j = 0; j < m; j++)
		nnz += (int64_t)stat[w->chosen[b][j] * N_STAT + S_CELLS];
	mem_free(take);
	w->held[b] = (struct scrublet_held){ .n = q->n_used, .g = m };
	w->nnz[b] = nnz;
	return e->code;
}

static int
find_genes(struct work *w, struct rows *r, struct err *e)
{
	int n_batch = w->s->n_batch;

	if (w->o->compat) {
		w->first = 1;
		stat_pass(w, r, e);
		w->first = 0;
		w->gene = mem_new(uint8_t, n_batch * w->n_col);
		for (int64_t j = 0; j < n_batch * w->n_col; j++)
			w->gene[j] = w->stat[j * N_STAT + S_CELLS] >= SCRUBLET_CELLS;
	}
	stat_pass(w, r, e);
	for (int b = 0; b < n_batch && !e->code; b++)
		choose_genes(w, b, e);
	mem_free(w->gene);
	w->gene = NULL;
	mem_free(w->stat);
	w->stat = NULL;
	return e->code;
}

/* --- counts held ----------------------------------------------------------------- */

static int
pick_block(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct work *w = ctx;
	struct csr *to = &w->pick[slot];
	int64_t first = m->row0 % ROWS_BLOCK, at = first ? to->ptr[first] : 0;

	(void)e;
	csr_reserve(to, ROWS_BLOCK, at + m->ptr[m->n_row]);
	for (int64_t i = 0; i < m->n_row; i++) {
		const int32_t *place = w->place[batch_of(w, m->row0 + i)];

		for (int64_t k = m->ptr[i]; k < m->ptr[i + 1] && place && w->total[m->row0 + i] > 0; k++)
			if (place[m->col[k]] >= 0 && m->val[k] > 0) {
				to->col[at] = place[m->col[k]];
				to->val[at++] = m->val[k];
			}
		to->ptr[first + i + 1] = at;
	}
	return 0;
}

static int
hold_block(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct work *w = ctx;
	const struct csr *from = &w->pick[slot];

	(void)e;
	for (int64_t i = 0; i < m->n_row; i++) {
		int b = batch_of(w, m->row0 + i);
		struct scrublet_held *h = &w->held[b];
		int64_t at;

		if (!w->place[b] || !(w->total[m->row0 + i] > 0))
			continue;
		at = h->ptr[h->at];
		for (int64_t k = from->ptr[i]; k < from->ptr[i + 1]; k++, at++) {
			h->col[at] = (uint16_t)from->col[k];
			h->val[at] = (float)from->val[k];
		}
		h->row[h->at++] = m->row0 + i;
		h->ptr[h->at] = at;
	}
	return 0;
}

static int
hold(struct work *w, struct rows *r, int b0, int b1, struct err *e)
{
	for (int b = b0; b < b1; b++) {
		struct scrublet_held *h = &w->held[b];

		if (w->s->batch[b].why)
			continue;
		h->ptr = mem_new(int64_t, h->n + 1);
		h->row = mem_new(int64_t, h->n);
		h->col = mem_raw(uint16_t, w->nnz[b]);
		h->val = mem_raw(float, w->nnz[b]);
		w->place[b] = mem_raw(int32_t, w->n_col);
		for (int64_t j = 0; j < w->n_col; j++)
			w->place[b][j] = -1;
		for (int64_t k = 0; k < h->g; k++)
			w->place[b][w->chosen[b][k]] = (int32_t)k;
	}
	w->pick = mem_new(struct csr, r->n_slot);
	rows_pass(r, pick_block, hold_block, w, e);
	for (int i = 0; i < r->n_slot; i++)
		csr_clear(&w->pick[i]);
	mem_free(w->pick);
	for (int b = b0; b < b1; b++) {
		mem_free(w->place[b]);
		w->place[b] = NULL;
	}
	return e->code;
}


/* --- one sample ---------------------------------------------------------------------------- */

struct sample {
	const struct work *w;
	struct scrublet_batch *q;
	const struct scrublet_held *h;
	int32_t *pair;          /* [n_sim][2] */
	double *div;            /* [n_used + n_sim] divisors of cells and simulated doublets */
	float *x;               /* [n_used + n_sim][n_pc] */
};

static void
pair_up(struct sample *s)
{
	const struct scrublet_opt *o = s->w->o;
	struct scrublet_batch *q = s->q;
	uint64_t *key = NULL;
	double *sum;

	s->pair = mem_new(int32_t, 2 * q->n_sim);
	if (o->compat) {
		scrublet_randint((uint32_t)o->seed, q->n_used, q->n_sim, s->pair);
	} else {
		key = mem_new(uint64_t, q->n_used);
		for (int64_t i = 0; i < q->n_used; i++)
			key[i] = o->key ? o->key[s->h->row[i]] : (uint64_t)i;
		scrublet_pairs(o->seed, key, q->n_used, q->n_sim, s->pair);
		mem_free(key);
	}
	sum = s->div = mem_new(double, q->n_used + q->n_sim);
	for (int64_t i = 0; i < q->n_used; i++)
		for (int64_t k = s->h->ptr[i]; k < s->h->ptr[i + 1]; k++)
			sum[i] += s->h->val[k];
	for (int64_t m = 0; m < q->n_sim; m++)
		sum[q->n_used + m] = sum[s->pair[2 * m]] + sum[s->pair[2 * m + 1]];
	for (int64_t i = 0; i < q->n_used + q->n_sim; i++)
		s->div[i] /= o->compat ? TOTAL_COMPAT : TOTAL;  /* 0 counts as 1 */
}

/* Where scores go: row 0's, of so many numbers. */
struct place {
	float *x;
	int k;
};

static int
take_scores(void *ctx, int64_t row0, int64_t n, const float *scores, struct err *e)
{
	const struct place *p = ctx;

	memcpy(p->x + row0 * p->k, scores, (size_t)(n * p->k) * sizeof *scores);
	return e->code;
}

/* Components of the cells; cells and simulated doublets in them. */
static int
embed(struct sample *s, struct err *e)
{
	const struct scrublet_opt *o = s->w->o;
	struct scrublet_batch *q = s->q;
	struct layer l = { .row_div = s->div, .log1p = !o->compat };
	struct pca_opt po = { .layer = &l, .g = q->n_gene, .k = o->n_pc };
	int32_t *gene = mem_new(int32_t, q->n_gene);
	struct genestat g = {0};
	struct pca f = {0};
	struct rows r;

	for (int64_t j = 0; j < q->n_gene; j++)
		gene[j] = (int32_t)j;
	po.gene = gene;
	scrublet_feed(&r, s->h, NULL, q->n_used, s->w->p);
	genestat_get(&r, &(struct genestat_opt){ .layer = &l }, NULL, &g, e);
	for (int64_t j = 0; j < q->n_gene && !e->code; j++) {
		double var = g.var[j] * (double)(q->n_used - 1) / (double)q->n_used;

		g.var[j] = o->compat && var > 0 ? sqrt(var) : 1;
	}
	l.mean = g.mean;
	l.std = g.var;
	pca_fit(&r, &po, &f, s->w->p, e);
	if (!e->code) {
		s->x = mem_raw(float, (q->n_used + q->n_sim) * o->n_pc);
		pca_project(&r, &po, &f, take_scores, &(struct place){ s->x, o->n_pc }, e);
	}
	scrublet_feed_clear(&r);
	if (!e->code) {
		scrublet_feed(&r, s->h, s->pair, q->n_sim, s->w->p);
		l.row_div = s->div + q->n_used;
		pca_project(&r, &po, &f, take_scores, &(struct place){ s->x + q->n_used * o->n_pc, o->n_pc }, e);
		scrublet_feed_clear(&r);
	}
	genestat_clear(&g);
	pca_clear(&f);
	mem_free(gene);
	return e->code;
}

static int
score(struct sample *s, struct err *e)
{
	const struct scrublet_opt *o = s->w->o;
	struct scrublet_batch *q = s->q;
	int64_t n = q->n_used, most = o->compat ? q->n_sim : o->score_most, n_query;
	double ratio = (double)q->n_sim / (double)n;
	int32_t *query, *count;

	q->n_scored = q->n_sim < most ? q->n_sim : most;
	n_query = n + q->n_scored;
	query = mem_raw(int32_t, n_query);
	count = mem_raw(int32_t, n_query);
	for (int64_t i = 0; i < n; i++)
		query[i] = (int32_t)i;
	for (int64_t i = 0; i < q->n_scored; i++)
		query[n + i] = (int32_t)(n + i * q->n_sim / q->n_scored);
	scrublet_near(s->x, n + q->n_sim, n, o->n_pc, q->k_adj, query, n_query, count, s->w->p, e);
	q->sim = mem_new(double, q->n_scored);
	for (int64_t i = 0; i < n_query && !e->code; i++) {
		double v = scrublet_score(count[i], q->k_adj, ratio, o->rate);

		if (i < n)
			s->w->s->score[s->h->row[i]] = v;
		else
			q->sim[i - n] = v;
	}
	mem_free(query);
	mem_free(count);
	return e->code;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The threshold that no more than the expected share of the cells is above. */
static double
by_rate(const struct sample *s)
{
	int64_t n = s->q->n_used;
	double *v = mem_new(double, n), t;

	for (int64_t i = 0; i < n; i++)
		v[i] = s->w->s->score[s->h->row[i]];
	qsort(v, (size_t)n, sizeof *v, compare);
	t = v[n - 1 - (int64_t)(s->w->o->rate * (double)n)];
	mem_free(v);
	return t;
}

static void
call(struct sample *s)
{
	const struct scrublet_opt *o = s->w->o;
	struct scrublet_batch *q = s->q;
	int64_t above = 0;

	scrublet_histogram(q->sim, q->n_scored, &q->lo, &q->hi, q->hist);
	q->threshold = o->threshold;
	if (!isnan(o->threshold))
		q->by = SCRUBLET_GIVEN;
	else if (scrublet_minimum(q->hist, q->lo, q->hi, &q->threshold))
		q->by = SCRUBLET_MINIMUM;
	else if (!o->compat) {
		q->by = SCRUBLET_RATE;
		q->threshold = by_rate(s);
	}
	for (int64_t i = 0; i < q->n_used; i++) {
		int64_t row = s->h->row[i];
		int is = s->w->s->score[row] > q->threshold;    /* not when it is NaN */

		s->w->s->call[row] = (uint8_t)is;
		q->n_called += is;
	}
	for (int64_t i = 0; i < q->n_scored; i++)
		above += q->sim[i] > q->threshold;
	q->detectable = (double)above / (double)q->n_scored;
}

static int
one_sample(struct work *w, int b, struct err *e)
{
	struct sample s = { .w = w, .q = &w->s->batch[b], .h = &w->held[b] };

	pair_up(&s);
	if (!embed(&s, e)) {
		mem_free(s.pair);
		mem_free(s.div);
		s.pair = NULL;
		s.div = NULL;
		if (!score(&s, e))
			call(&s);
	}
	mem_free(s.pair);
	mem_free(s.div);
	mem_free(s.x);
	return e->code;
}

/* Sizes that follow from the cells and genes; what is too small gets its reason. */
static void
size_up(const struct scrublet_opt *o, struct scrublet_batch *q)
{
	double n = (double)q->n_used, k = o->n_neighbors ? (double)o->n_neighbors : rint(0.5 * sqrt(n));

	q->threshold = NAN;
	q->n_sim = (int64_t)(o->sim_ratio * n);
	if (q->n_used <= o->n_pc)
		q->why = "too few cells";
	else if (q->n_gene <= o->n_pc)
		q->why = "too few genes that vary";
	else if (q->n_sim < 2)
		q->why = "no simulated doublets";
	else if (q->n_used + q->n_sim > INT32_MAX)
		q->why = "too many cells";
	if (q->why)
		return;
	q->k = (int64_t)k;
	q->k_adj = (int64_t)rint(k * (1 + (double)q->n_sim / n));
	if (q->k_adj >= q->n_used + q->n_sim)
		q->k_adj = q->n_used + q->n_sim - 1;
	if (q->k_adj > INT32_MAX / 4)
		q->why = "too many neighbours";
}

static int64_t
held_bytes(int64_t n, int64_t nnz)
{
	return nnz * 6 + n * 16;
}

/* Holds as many samples as may be, scores each, and goes on with the next. */
static int
all_samples(struct work *w, struct rows *r, struct err *e)
{
	int n_batch = w->s->n_batch;

	for (int b = 0, to; b < n_batch && !e->code; b = to) {
		int64_t bytes = 0;
		int some = 0;

		for (to = b; to < n_batch; to++) {
			if (!w->s->batch[to].why)
				bytes += held_bytes(w->held[to].n, w->nnz[to]);
			if (some && bytes > w->o->hold)
				break;
			some |= !w->s->batch[to].why;
		}
		if (some)
			hold(w, r, b, to, e);
		for (int i = b; i < to && !e->code; i++) {
			if (!w->s->batch[i].why)
				one_sample(w, i, e);
			scrublet_held_clear(&w->held[i]);
		}
	}
	return e->code;
}

int
scrublet(struct rows *r, const struct scrublet_opt *o, struct scrublet *s, struct par *p, struct err *e)
{
	struct work w = { .o = o, .s = s, .p = p, .n_col = r->n_col };
	int n_batch = o->batch ? o->n_batch : 1;

	memset(s, 0, sizeof *s);
	if (e->code)
		return e->code;
	s->n_row = r->n_row;
	s->n_batch = n_batch;
	s->batch = mem_new(struct scrublet_batch, n_batch);
	s->score = mem_new(double, r->n_row);
	s->call = mem_new(uint8_t, r->n_row);
	for (int64_t i = 0; i < r->n_row; i++) {
		s->score[i] = NAN;
		s->call[i] = 2;
		s->batch[batch_of(&w, i)].n++;
	}
	w.total = mem_new(double, r->n_row);
	w.stat = mem_new(double, n_batch * r->n_col * N_STAT);
	w.nnz = mem_new(int64_t, n_batch);
	w.chosen = mem_new(int32_t *, n_batch);
	w.place = mem_new(int32_t *, n_batch);
	w.held = mem_new(struct scrublet_held, n_batch);
	find_genes(&w, r, e);
	for (int b = 0; b < n_batch; b++)
		size_up(o, &s->batch[b]);
	all_samples(&w, r, e);
	for (int b = 0; b < n_batch; b++) {
		scrublet_held_clear(&w.held[b]);
		mem_free(w.chosen[b]);
	}
	mem_free(w.total);
	mem_free(w.gene);
	mem_free(w.stat);
	mem_free(w.nnz);
	mem_free(w.chosen);
	mem_free(w.place);
	mem_free(w.held);
	if (e->code)
		scrublet_clear(s);
	return e->code;
}

void
scrublet_clear(struct scrublet *s)
{
	for (int b = 0; b < s->n_batch; b++)
		mem_free(s->batch[b].sim);
	mem_free(s->batch);
	mem_free(s->score);
	mem_free(s->call);
	memset(s, 0, sizeof *s);
}

int64_t
scrublet_bytes(int64_t n_row, int64_t n_col, const int64_t *size, int64_t nnz, const struct scrublet_opt *o, int n_worker)
{
	int n_batch = o->batch ? o->n_batch : 1, n_slot = 2 * n_worker;
	int64_t g = o->compat ? n_col / 4 : o->n_top, stat, one = 0, held = 0, all = 0, most;

	g = g > n_col ? n_col : g < 1000 ? (n_col < 1000 ? n_col : 1000) : g;
	most = nnz >= 0 && nnz < n_row * g / 4 ? nnz : n_row * g / 4;
	/* the sums of every slot, at worst of all samples, their tree and two copies */
	stat = (int64_t)n_batch * n_col * (N_STAT * 8 * (n_slot + 6) + 2);
	for (int b = 0; b < n_batch; b++) {
		double n = (double)size[b], k = o->n_neighbors ? (double)o->n_neighbors : 0.5 * sqrt(n) + 1;
		int64_t sim = (int64_t)(o->sim_ratio * n), points = size[b] + sim, kk = (int64_t)(k * (1 + o->sim_ratio)) + 1, bytes;
		int64_t some = n_row ? (int64_t)((double)most * n / (double)n_row * 1.5) : 0, near, queries;

		queries = size[b] + (o->compat || sim < o->score_most ? sim : o->score_most);
		near = points * (o->n_pc + 7) * 6 + knn_frame_bytes(points, o->n_pc) + queries * 8 +
			n_worker * KNN_QUERY * ((o->n_pc + 7) * 4 + KNN_POINT * 4 + (kk + kk / 4 + 16) * 16 + 64);
		bytes = pca_bytes(points, g, o->n_pc, 0.5, n_slot) + points * (16 + 4 * o->n_pc) + sim * 8 + n_slot * g * 8;
		one = bytes > one ? bytes : one;
		one = near + points * o->n_pc * 4 > one ? near + points * o->n_pc * 4 : one;
		held = held_bytes(size[b], some) > held ? held_bytes(size[b], some) : held;
		all += held_bytes(size[b], some) + queries * 8;
	}
	held = held > o->hold ? held : all < o->hold ? all : o->hold;
	one += held + (int64_t)n_batch * n_col * 4;
	return n_row * 24 + (stat > one ? stat : one) + n_slot * ROWS_BLOCK * 16 + (1 << 20);
}
