/* harmony - see harmony.h: checks, start, the outer loop */
#include "alg/harmony_impl.h"

#include <math.h>
#include <string.h>
#include "alg/kmeans.h"
#include "base/mem.h"
#include "num/blas.h"

#define SAMPLE_CLUSTER 250      /* cells a cluster in the sample that first centres come from */

struct harmony_opt
harmony_defaults(int variant)
{
	struct harmony_opt o = {0};

	BUG_IF(variant < 0 || variant > 2);
	o.variant = variant;
	o.sigma = 0.1;
	o.lambda = variant == 2 ? -1 : 1;
	o.alpha = 0.2;
	o.block = 0.05;
	o.prune = 1e-5;
	o.max_outer = 10;
	o.max_inner = variant == 2 ? 4 : 20;
	o.eps_inner = variant == 2 ? 1e-3 : 1e-5;
	o.eps_outer = variant == 2 ? 1e-2 : 1e-4;
	o.n_init = variant == 0 ? 10 : 1;
	return o;
}

static int
n_cluster(int64_t n, const struct harmony_opt *o)
{
	double k = rint((double)n / 30);

	if (o->nclust > 0)
		return o->nclust;
	return k < 1 ? 1 : k > 100 ? 100 : (int)k;
}

static int
check_var(const struct harmony_var *v, int number, int64_t n, struct err *e)
{
	int64_t *count;

	if (v->n_level < 2)
		return err_set(e, ERR_DATA, "batch variable %d: only one batch; there is nothing to correct", number);
	if (v->n_level > n)
		return err_set(e, ERR_DATA, "batch variable %d: %d levels for %lld cells", number,
		    v->n_level, (long long)n);
	count = mem_new(int64_t, v->n_level);
	for (int64_t i = 0; i < n && !e->code; i++)
		if (v->code[i] < 0 || v->code[i] >= v->n_level)
			err_set(e, ERR_DATA, "batch variable %d: cell %lld has no level; give it one or leave it out",
			    number, (long long)i + 1);
		else
			count[v->code[i]]++;
	for (int32_t b = 0; b < v->n_level && !e->code; b++)
		if (count[b] == 0)
			err_set(e, ERR_DATA, "batch variable %d: level %d has no cell; drop unused levels",
			    number, b + 1);
	mem_free(count);
	return e->code;
}

static int
check(const float *z, int64_t n, int d, const struct harmony_var *var, int n_var,
	const struct harmony_opt *o, struct err *e)
{
	if (e->code)
		return e->code;
	if (n < 2 || n > INT32_MAX)
		return err_set(e, ERR_DATA, "harmony: %lld cells; it needs 2 to 2147483647", (long long)n);
	if (n_var < 1 || d < 1)
		return err_set(e, ERR_DATA, "harmony: no batch variable or no dimension");
	if (!(o->sigma > 0) || o->lambda == 0 || o->lambda != o->lambda || !(o->block >= 0.01 && o->block <= 1) ||
	    (o->lambda < 0 && !(o->alpha > 0)) || o->max_outer < 0 || o->max_inner < 1)
		return err_set(e, ERR_USAGE, "harmony: sigma, lambda and alpha must be positive, "
		    "block within 0.01 and 1, iterations at least 1");
	if (n_cluster(n, o) > n)
		return err_set(e, ERR_DATA, "harmony: %d clusters for %lld cells", n_cluster(n, o), (long long)n);
	for (int v = 0; v < n_var && !e->code; v++)
		check_var(var + v, v + 1, n, e);
	for (int64_t i = 0; i < n && !e->code; i++) {
		float s = 0;

		for (int j = 0; j < d; j++)
			s += z[i * d + j] * 0;
		if (s != 0 || s != s)
			err_set(e, ERR_NUMERIC, "harmony: cell %lld has a value that is not finite", (long long)i + 1);
	}
	return e->code;
}

/* zc = unit vectors of z.  Variant 0 divides by the largest value first, which
 * turns vectors without a positive value round. */
static int
unit_rows(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct harmony_state *h = ctx;

	(void)worker;
	for (int64_t i = lo; i < hi; i++) {
		const float *x = h->z + i * h->d;
		double len = 0, f;
		float top = x[0];

		for (int j = 0; j < h->d; j++) {
			len += (double)x[j] * (double)x[j];
			top = x[j] > top ? x[j] : top;
		}
		f = len > 0 ? 1 / sqrt(len) : 0;
		if (h->o->variant == 0 && top < 0)
			f = -f;
		for (int j = 0; j < h->d; j++)
			h->zc[i * h->d + j] = (float)(x[j] * f);
		h->inv[i] = 1;
	}
	return e->code;
}

static void
first_centres(struct harmony_state *h, struct err *e)
{
	struct kmeans_opt o = KMEANS_DEFAULT;

	o.k = h->k;
	o.n_init = h->o->n_init > 0 ? h->o->n_init : 1;
	o.n_sample = (int64_t)SAMPLE_CLUSTER * h->k;
	o.uniform = 1;          /* ends 0.3 % lower than draws by distance, on three data sets */
	o.seed = h->o->seed;
	o.key = h->o->key;
	if (h->o->centre)
		memcpy(h->y, h->o->centre, (size_t)h->k * (size_t)h->d * sizeof *h->y);
	else
		kmeans(h->zc, h->n, h->d, &o, h->y, NULL, NULL, h->p, e);
	for (int k = 0; k < h->k; k++) {
		float *y = h->y + (int64_t)k * h->d;
		double len = 0;

		for (int j = 0; j < h->d; j++)
			len += (double)y[j] * (double)y[j];
		for (int j = 0; j < h->d && len > 0; j++)
			y[j] = (float)(y[j] / sqrt(len));
	}
}

static void
levels_init(struct harmony_state *h, const struct harmony_var *var)
{
	double theta = h->o->variant == 0 ? 1 : 2;

	h->var_lev = mem_new(int, (int64_t)h->n_var + 1);
	for (int v = 0; v < h->n_var; v++)
		h->var_lev[v + 1] = h->var_lev[v] + var[v].n_level;
	h->n_lev = h->var_lev[h->n_var];
	h->theta = mem_new(double, h->n_lev);
	h->pr = mem_new(double, h->n_lev);
	h->size = mem_new(double, h->n_lev);
	for (int v = 0; v < h->n_var; v++) {
		for (int64_t i = 0; i < h->n; i++)
			h->size[h->var_lev[v] + var[v].code[i]]++;
		for (int b = h->var_lev[v]; b < h->var_lev[v + 1]; b++) {
			double t = h->size[b] / (h->k * h->o->tau);

			h->pr[b] = h->size[b] / (double)h->n;
			h->theta[b] = var[v].theta < 0 ? theta : var[v].theta;
			if (h->o->tau > 0)
				h->theta[b] *= 1 - exp(-t * t);
		}
	}
}

/* Cells of the largest block. */
static int64_t
block_most(int64_t n, const struct harmony_opt *o, int *n_block)
{
	int64_t each = (int64_t)((double)n * o->block), nb = (int64_t)ceil(1 / o->block - 1e-9);

	each = each > 1 ? each : 1;
	nb = nb < n ? nb : n;
	*n_block = (int)nb;
	return n - each * (nb - 1) > each ? n - each * (nb - 1) : each;
}

static void
state_init(struct harmony_state *h, const struct harmony_var *var)
{
	int64_t most = block_most(h->n, h->o, &h->n_block), table, workers = par_n(h->p);
	int64_t row = (int64_t)h->kp * h->d;

	levels_init(h, var);
	harmony_groups(h, var);
	h->n_all = harmony_runs(h, NULL, 0, h->n, NULL);
	h->all = mem_raw(struct harmony_run, h->n_all);
	harmony_runs(h, NULL, 0, h->n, h->all);
	h->inv = mem_raw(float, h->n);
	h->block = mem_new(uint16_t, h->n);
	h->prev = mem_new(uint16_t, h->n);
	h->list = mem_raw(int32_t, h->n);
	h->list_lo = mem_new(int64_t, (int64_t)h->n_block + 1);
	h->y = mem_new(float, row);
	h->y_next = mem_new(float, row);
	h->obs = mem_new(double, (int64_t)h->n_lev * h->kp);
	table = (int64_t)h->n_block * h->n_lev * h->kp;
	h->rho = mem_new(float, table);
	h->rho_prev = mem_new(float, table);
	h->top = mem_raw(float, most);
	if (h->o->variant == 2)
		h->w = mem_raw(float, most * h->kp);
	else
		h->r = mem_raw(float, h->n * h->kp);
	h->beta = mem_raw(double, h->n_lev * row);
	if (h->n_var > 1)
		h->group_obs = mem_new(double, (int64_t)h->n_group * h->kp);
	h->part = mem_raw(double, (int64_t)HARMONY_WAVE * (h->kp + 1));
	h->sums = mem_raw(float, HARMONY_SUM_WAVE * row);
	h->zbuf = mem_raw(float, workers * HARMONY_RUN * h->d);
	h->wbuf = mem_raw(float, workers * HARMONY_RUN * h->kp);
	h->ybuf = mem_raw(float, workers * row);
	h->mx = mem_raw(float, workers * HARMONY_RUN);
	h->pen = mem_raw(float, (2 * workers + 1) * h->kp);
	for (int k = 0; k < h->kp; k++)
		h->pen[2 * workers * h->kp + k] = 1;
}

static void
state_clear(struct harmony_state *h)
{
	void *all[] = {h->var_lev, h->theta, h->pr, h->size, h->cell, h->group_lo, h->group_lev, h->all,
		h->inv, h->block, h->prev, h->list, h->list_lo, h->y, h->y_next, h->obs, h->rho, h->rho_prev,
		h->top, h->w, h->r, h->beta, h->group_obs, h->part, h->sums, h->zbuf, h->wbuf, h->ybuf, h->mx,
		h->pen};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		mem_free(all[i]);
}

/* Rounds of assignment until the mean of three objectives stands still. */
static void
rounds(struct harmony_state *h, struct harmony_out *res, struct err *e)
{
	const struct harmony_opt *o = h->o;
	int it;

	for (it = 0; it < o->max_inner && !e->code; it++) {
		const double *last;
		double was, now;

		if (o->variant != 2)
			harmony_centres(h, e);
		res->inner[res->n_inner++] = harmony_sweep(h, e);
		last = res->inner + res->n_inner - 1;
		if (it <= 3)
			continue;
		was = last[-3] + last[-2] + last[-1];
		now = last[-2] + last[-1] + last[0];
		if (fabs(was - now) / fabs(was) < o->eps_inner) {
			it++;
			break;
		}
	}
	res->rounds[res->n_outer] = it;
}

static void
outer_loop(struct harmony_state *h, struct harmony_out *res, struct err *e)
{
	res->inner[res->n_inner++] = res->outer[0] = harmony_start(h, e);
	while (res->n_outer < h->o->max_outer && !res->converged && !e->code) {
		double was = res->outer[res->n_outer], now;

		if (h->o->variant == 2 && res->n_outer > 0)
			harmony_start(h, e);
		rounds(h, res, e);
		harmony_correct(h, e);
		now = res->outer[++res->n_outer] = res->inner[res->n_inner - 1];
		res->converged = (was - now) / fabs(was) < h->o->eps_outer;
	}
}

int
harmony(const float *z, int64_t n, int d, const struct harmony_var *var, int n_var,
	const struct harmony_opt *o, float *out, struct harmony_out *res, struct par *p, struct err *e)
{
	struct harmony_state h = {0};
	struct harmony_out mine = {0};

	if (res)
		memset(res, 0, sizeof *res);
	if (check(z, n, d, var, n_var, o, e))
		return e->code;
	h.o = o;
	h.z = z;
	h.zc = out;
	h.n = n;
	h.d = d;
	h.k = n_cluster(n, o);
	h.kp = (h.k + HARMONY_LANES - 1) / HARMONY_LANES * HARMONY_LANES;
	h.p = p;
	h.n_var = n_var;
	state_init(&h, var);
	mine.n_cluster = h.k;
	mine.outer = mem_new(double, (int64_t)o->max_outer + 1);
	mine.inner = mem_new(double, (int64_t)o->max_outer * o->max_inner + 1);
	mine.rounds = mem_new(int, (int64_t)o->max_outer + 1);
	par_for(p, n, 4096, unit_rows, &h, e);
	first_centres(&h, e);
	outer_loop(&h, &mine, e);
	if (mine.n_outer == 0)
		memcpy(out, z, (size_t)n * (size_t)d * sizeof *out);
	state_clear(&h);
	if (res && !e->code)
		*res = mine;
	else
		harmony_out_clear(&mine);
	return e->code;
}

void
harmony_out_clear(struct harmony_out *res)
{
	mem_free(res->outer);
	mem_free(res->inner);
	mem_free(res->rounds);
	memset(res, 0, sizeof *res);
}

int64_t
harmony_bytes(int64_t n, int d, const struct harmony_var *var, int n_var,
	const struct harmony_opt *o, int threads)
{
	struct kmeans_opt km = KMEANS_DEFAULT;
	int64_t k = n_cluster(n, o), kp = (k + HARMONY_LANES - 1) / HARMONY_LANES * HARMONY_LANES;
	int64_t row = kp * d, lev = 0, group = 1, bytes, draw, first;
	int n_block;
	int64_t most = block_most(n, o, &n_block);

	for (int v = 0; v < n_var; v++) {
		lev += var[v].n_level;
		group = group > n / var[v].n_level ? n : group * var[v].n_level;
	}
	km.k = (int)k;
	km.n_sample = SAMPLE_CLUSTER * k;
	bytes = n * (4 + 4 + 2 + 2 + 4) + (n / HARMONY_RUN + 1 + group) * 24 * 2 + group * (8 + 4 * n_var);
	bytes += o->variant == 2 ? most * (kp + 1) * 4 : n * kp * 4 + most * 4;
	bytes += 2 * (int64_t)n_block * lev * kp * 4 + lev * (row + kp + 8) * 8 + row * 8;
	bytes += n_var > 1 ? group * kp * 8 + (int64_t)threads * (lev + 1) * (lev + 1 + d) * 8 * 2 : 0;
	bytes += HARMONY_WAVE * (kp + 1) * 8 + HARMONY_SUM_WAVE * row * 4;
	bytes += (int64_t)threads * (HARMONY_RUN * (d + kp + 1) + row + 2 * kp) * 4;
	draw = n * 8 + n * 24 / 64 + 4096 * 24 + (1 << 16) * 12;
	first = kmeans_bytes(n, d, &km, threads);
	return bytes + (draw > first ? draw : first) + 65536;
}
