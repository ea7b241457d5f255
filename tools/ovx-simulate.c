/* ovx-simulate - counts with cell types, samples and doublets of known truth
 *
 * writes   X               counts, sparse
 *          obs/cell_type sample batch doublet second_type depth phase_truth
 *          var/gene_ids
 *
 * Rows are made block by block and go straight to the output: ten million cells
 * need no more memory than a thousand.
 */
#include <stdio.h>
#include <string.h>
#include "alg/simulate.h"
#include "app/app.h"
#include "base/mem.h"
#include "base/sha.h"
#include "num/rank.h"
#include "stream/codec.h"
#include "stream/out.h"

static struct {
	int64_t cells, genes, types, samples;
	double doublets;
} o;

static const struct opt opts[] = {
	{ 0, "cells", INT(&o.cells), "2000", "[0,1000000000]", "N", "number of cells", 0 },
	{ 0, "genes", INT(&o.genes), "30000", "[20,10000000]", "N", "number of genes", 0 },
	{ 0, "types", INT(&o.types), "8", "[1,1000]", "N", "number of cell types; the last one is rare (1 %)", 0 },
	{ 0, "samples", INT(&o.samples), "2", "[1,1000]", "N", "number of samples, each its own batch", 0 },
	{ 0, "doublets", REAL(&o.doublets), "0.04", "[0,1]", "SHARE", "share of cells that are two", 0 },
	{0}
};

struct work {
	struct sim *sim;
	struct out out;
	struct head head;
	int32_t *place;         /* [n_gene] */
	int64_t row0;           /* of the wave */
	int64_t *freq;          /* while the first rows are counted; else NULL */
	struct csr *raw, *m;    /* [n_slot] */
	struct str *stored, *scratch;
	struct block *block;
	uint32_t **count;       /* [worker] */
	int64_t **seen;         /* [worker][n_gene] */
};

static void
emit(struct work *w, struct block *b, const struct str *raw, struct err *e)
{
	struct str stored = {0};

	codec_encode(&w->head, b, raw->s ? raw->s : "", (int64_t)raw->n, &stored);
	out_block(&w->out, b, stored.s ? stored.s : "", e);
	str_clear(&stored);
}

/* Opens a section bound to an axis. */
static void
section(struct work *w, int kind, int dtype, const char *path, int64_t n, const char *axis, struct err *e)
{
	head_init(&w->head, kind, dtype, path, n, 1);
	head_set(&w->head, "axis0", axis);
	w->head.prelude = dtype == DT_CAT;
	out_section(&w->out, &w->head, e);
}

typedef void name_fn(const struct sim *s, int64_t i, char name[48]);

static void
gene_id(const struct sim *s, int64_t i, char name[48])
{
	(void)s;
	snprintf(name, 48, "SIM%08lld", (long long)i + 1);
}

/* Names 0..n-1 as an axis or a column of strings, block by block. */
static void
names(struct work *w, int64_t n, name_fn *fn, struct err *e)
{
	struct str raw = {0};
	struct strs l = {0};

	for (int64_t lo = 0; !e->code && (lo < n || lo == 0); lo += BLOCK_COLUMN) {
		int64_t hi = lo + BLOCK_COLUMN < n ? lo + BLOCK_COLUMN : n;
		struct block b = { .row0 = lo, .n_row = hi - lo, .last = hi == n };
		char name[48];

		strs_clear(&l);
		for (int64_t i = lo; i < hi; i++) {
			fn(w->sim, i, name);
			strs_add(&l, name, strlen(name));
		}
		raw.n = 0;
		strs_to_raw(&l, 0, l.n, &raw, &b.n_item);
		emit(w, &b, &raw, e);
	}
	strs_clear(&l);
	str_clear(&raw);
	head_clear(&w->head);
}

/* obs:<digest> of names that are not kept. */
static void
axis_of(const struct sim *s, const char *axis, int64_t n, name_fn *fn, char out[64])
{
	struct sha h;
	char name[48], hex[33];

	sha_init(&h);
	for (int64_t i = 0; i < n; i++) {
		uint32_t len;
		uint8_t b[4];

		fn(s, i, name);
		len = (uint32_t)strlen(name);
		for (int k = 0; k < 4; k++)
			b[k] = (uint8_t)(len >> 8 * k);
		sha_add(&h, b, 4);
		sha_add(&h, name, len);
	}
	sha_hex(&h, hex);
	snprintf(out, 64, "%s:%s", axis, hex);
}

enum column_what { BATCH, CELL_TYPE, DEPTH, DOUBLET, PHASE, SAMPLE, SECOND_TYPE };
static const char *const column_name[] = { "obs/batch", "obs/cell_type", "obs/depth", "obs/doublet", "obs/phase_truth",
	"obs/sample", "obs/second_type" };

static int64_t
value_of(const struct sim_cell *c, enum column_what what)
{
	switch (what) {
	case CELL_TYPE:
		return c->type;
	case DEPTH:
		return c->depth;
	case DOUBLET:
		return c->doublet;
	case PHASE:
		return c->phase == 1 ? 2 : c->phase == 2 ? 1 : 0;     /* G1, G2M, S */
	case SECOND_TYPE:
		return c->second_type;
	default:
		return c->sample;
	}
}

static void
categories(struct work *w, enum column_what what, struct err *e)
{
	static const char *const phase[] = { "G1", "G2M", "S" };
	struct strs l = {0};
	struct str raw = {0};
	int64_t n = what == PHASE ? 3 : what == BATCH || what == SAMPLE ? o.samples : o.types;
	struct block b = { .prelude = 1, .n_row = n };

	for (int64_t i = 0; i < n; i++) {
		char name[40];

		snprintf(name, sizeof name, what == PHASE ? "%s" : what == BATCH ? "batch%s%lld" : what == SAMPLE ? "sample%s%lld" :
		    "type%s%lld", what == PHASE ? phase[i] : "", (long long)i + 1);
		strs_add(&l, name, strlen(name));
	}
	strs_to_raw(&l, 0, n, &raw, &b.n_item);
	emit(w, &b, &raw, e);
	strs_clear(&l);
	str_clear(&raw);
}

/* One column of the truth, block by block. */
static void
column(struct work *w, enum column_what what, const char *axis, struct err *e)
{
	int dtype = what == DEPTH ? DT_I64 : what == DOUBLET ? DT_BOOL : DT_CAT;
	struct str raw = {0};

	section(w, KIND_COLUMN, dtype, column_name[what], o.cells, axis, e);
	if (dtype == DT_CAT)
		categories(w, what, e);
	for (int64_t lo = 0; !e->code && (lo < o.cells || lo == 0); lo += BLOCK_COLUMN) {
		int64_t hi = lo + BLOCK_COLUMN < o.cells ? lo + BLOCK_COLUMN : o.cells;
		struct block b = { .row0 = lo, .n_row = hi - lo, .last = hi == o.cells };

		raw.n = 0;
		for (int64_t i = lo; i < hi; i++) {
			struct sim_cell c;
			int64_t v;
			int32_t code;
			uint8_t flag;

			sim_cell(w->sim, i, &c);
			v = value_of(&c, what);
			code = (int32_t)v;
			flag = (uint8_t)v;
			if (dtype == DT_I64)
				str_addn(&raw, &v, 8);
			else if (dtype == DT_BOOL)
				str_addn(&raw, &flag, 1);
			else
				str_addn(&raw, &code, 4);
		}
		emit(w, &b, &raw, e);
	}
	head_clear(&w->head);
	str_clear(&raw);
}

/* Makes one block of rows; counts genes, or encodes. */
static int
make_block(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct work *w = ctx;
	int64_t r0 = w->row0 + lo * BLOCK_SPARSE, r1 = r0 + BLOCK_SPARSE < o.cells ? r0 + BLOCK_SPARSE : o.cells;
	struct csr *raw = &w->raw[lo], *m = &w->m[lo];

	(void)hi;
	(void)e;
	sim_rows(w->sim, r0, r1, raw, w->count[worker]);
	if (w->freq) {
		for (int64_t k = 0; k < raw->ptr[raw->n_row]; k++)
			w->seen[worker][raw->col[k]]++;
		return 0;
	}
	sink_place(w->place, raw, m);
	w->block[lo] = (struct block){ .row0 = r0, .last = r1 == o.cells };
	codec_encode_csr(&w->head, &w->block[lo], m, &w->stored[lo], &w->scratch[lo]);
	return 0;
}

/* Passes over cells 0..n-1 in waves; with freq set only counts. */
static void
rows(struct work *w, struct app *a, int64_t n, int n_slot, struct err *e)
{
	for (w->row0 = 0; w->row0 < n && !e->code; w->row0 += (int64_t)n_slot * BLOCK_SPARSE) {
		int64_t left = (n - w->row0 + BLOCK_SPARSE - 1) / BLOCK_SPARSE, k = left < n_slot ? left : n_slot;

		par_for(a->par, k, 1, make_block, w, e);
		for (int64_t i = 0; i < k && !w->freq && !e->code; i++)
			out_block(&w->out, &w->block[i], w->stored[i].s, e);
		if (a->set.tick)
			a->set.tick(w->row0, n);
	}
}

/* The order of the genes from the first rows, then X. */
static void
matrix(struct work *w, struct app *a, const char *obs, const char *var, struct err *e)
{
	int n = a->threads, n_slot = n == 1 ? 1 : 2 * n;
	int32_t *order = mem_new(int32_t, o.genes);
	int64_t *freq = mem_new(int64_t, o.genes);
	struct block b = { .prelude = 1, .n_row = o.genes };
	struct str raw = {0};

	w->raw = mem_new(struct csr, n_slot);
	w->m = mem_new(struct csr, n_slot);
	w->stored = mem_new(struct str, n_slot);
	w->scratch = mem_new(struct str, n_slot);
	w->block = mem_new(struct block, n_slot);
	w->place = mem_new(int32_t, o.genes);
	w->freq = freq;
	app_phase("ordering genes", 0);
	rows(w, a, o.cells < SINK_HEAD ? o.cells : SINK_HEAD, n_slot, e);
	for (int i = 0; i < n; i++)
		for (int64_t g = 0; g < o.genes; g++)
			freq[g] += w->seen[i][g];
	w->freq = NULL;
	num_rank(freq, o.genes, order);
	for (int64_t g = 0; g < o.genes; g++)
		w->place[order[g]] = (int32_t)g;
	head_init(&w->head, KIND_SPARSE, DT_F32, "X", o.cells, o.genes);
	w->head.prelude = 1;
	head_set(&w->head, "axis0", obs);
	head_set(&w->head, "axis1", var);
	out_section(&w->out, &w->head, e);
	str_addn(&raw, order, (size_t)o.genes * 4);
	emit(w, &b, &raw, e);
	app_phase("simulating", 0);
	rows(w, a, o.cells, n_slot, e);
	if (o.cells == 0) {
		struct block last = { .last = 1 };

		out_block(&w->out, &last, "", e);
	}
	for (int i = 0; i < n_slot; i++) {
		csr_clear(&w->raw[i]);
		csr_clear(&w->m[i]);
		str_clear(&w->stored[i]);
		str_clear(&w->scratch[i]);
	}
	mem_free(w->raw);
	mem_free(w->m);
	mem_free(w->stored);
	mem_free(w->scratch);
	mem_free(w->block);
	mem_free(w->place);
	mem_free(order);
	mem_free(freq);
	str_clear(&raw);
	head_clear(&w->head);
}

static int
run(struct app *a, struct err *e)
{
	struct sim_opt so = { o.cells, o.genes, (int)o.types, (int)o.samples, o.doublets, a->seed };
	struct work w = { .sim = sim_new(&so) };
	char obs[64], var[64];

	a->no_stream = 1;
	axis_of(w.sim, "obs", o.cells, sim_name, obs);
	axis_of(w.sim, "var", o.genes, sim_gene, var);
	w.count = mem_new(uint32_t *, a->threads);
	w.seen = mem_new(int64_t *, a->threads);
	for (int i = 0; i < a->threads; i++) {
		w.count[i] = mem_new(uint32_t, o.genes);
		w.seen[i] = mem_new(int64_t, o.genes);
	}
	out_open(&w.out, a->out.fd, e);
	section(&w, KIND_AXIS, DT_STR, "obs", o.cells, obs, e);
	names(&w, o.cells, sim_name, e);
	section(&w, KIND_AXIS, DT_STR, "var", o.genes, var, e);
	names(&w, o.genes, sim_gene, e);
	for (int k = BATCH; k <= SECOND_TYPE; k++)
		column(&w, k, obs, e);
	section(&w, KIND_COLUMN, DT_STR, "var/gene_ids", o.genes, var, e);
	names(&w, o.genes, gene_id, e);
	matrix(&w, a, obs, var, e);
	out_close(&w.out, e);
	out_clear(&w.out);
	head_clear(&w.head);
	for (int i = 0; i < a->threads; i++) {
		mem_free(w.count[i]);
		mem_free(w.seen[i]);
	}
	mem_free(w.count);
	mem_free(w.seen);
	sim_free(w.sim);
	app_say(a, "%lld cells x %lld genes, %lld types, %lld samples", (long long)o.cells, (long long)o.genes,
	    (long long)o.types, (long long)o.samples);
	return e->code;
}

/* Profiles of every type in every sample, and the blocks in flight. */
static int
plan(struct app *a, struct plan *p, struct err *e)
{
	int64_t nnz = o.cells < 1000 ? 1 : o.genes / 10;

	(void)e;
	p->memory = o.genes * 8 * (o.types * o.samples + 30) + o.genes * 60 + a->threads * o.genes * 12 +
	    2 * a->threads * BLOCK_SPARSE * nnz * 40;
	p->output = o.cells * o.genes / 13;
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "ovx-simulate", .summary = "counts with cell types, samples and doublets of known truth", .args = "",
		.writes = "X,obs/cell_type,obs/sample,obs/batch,obs/doublet,obs/second_type,obs/depth,obs/phase_truth,var/gene_ids",
		.shape = SHAPE_SOURCE, .flags = TOOL_SEED, .opts = opts, .plan = plan, .run = run,
		.fixture_args = "--cells 600 --genes 3000"
	};

	return app_main(&tool, argc, argv);
}
