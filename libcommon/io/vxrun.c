/* vxrun - see vxrun.h */
#include "io/vxrun.h"

#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "os/budget.h"

#define GZ_COST (20 << 20)

const char *
vxrun_check(const struct vxrun *v)
{
	return v->tbi && !v->write_index ? "--tbi says what -W makes: give both" : NULL;
}

/* Threads when nobody says: those of the seed's tiers, by memory that may be used. */
static int
tier(void)
{
	int64_t gb = budget_memory() >> 30;
	int cpus = budget_cpus(), n = gb < 8 ? 1 : gb < 12 ? 2 : cpus > 3 ? cpus - 1 : 2;

	return n < cpus ? n : cpus;
}

void
vxrun_plan(const struct vxrun *v, struct app *a, struct plan *p, int64_t chunk_cost)
{
	struct err none = {0};
	int level;
	enum flow_type t = flow_type(v->type, a->out_path, &level, &none);

	if (!opt_given("threads") && a->threads > tier())
		a->threads = tier();
	p->memory = VXRUN_ROOM + (t == FLOW_GZ || t == FLOW_BCF ? GZ_COST : 0) +
	    (int64_t)(a->threads > 1 ? 4 * a->threads : 1) * chunk_cost + (2 << 20);
	p->output = 0;
	for (int i = 0; i < a->n_arg; i++) {
		struct stat st;

		if (stat(a->arg[i], &st) == 0)
			p->output += st.st_size;
	}
}

int64_t
vxrun_spare(const struct app *a, const struct plan *p)
{
	int64_t spare = a->memory - p->memory - (16 << 20) - a->threads * (int64_t)(1 << 20);

	return spare > 0 ? spare : 0;
}

int
vxrun_open(struct vxrun *v, struct app *a, struct err *e)
{
	v->t = flow_type(v->type, a->out_path, &v->level, e);
	if (!e->code && v->t != FLOW_TEXT && isatty(a->out.fd))
		return err_set(e, ERR_USAGE, "the output is binary and would go to a terminal; use -o FILE, a pipe or >");
	if (v->write_index && !a->out_path)
		return err_set(e, ERR_USAGE, "-W: an index needs a file; give -o FILE");
	if (!e->code && v->write_index && v->t != FLOW_GZ && v->t != FLOW_BCF)
		return err_set(e, ERR_USAGE, "-W: only .vcf.gz and BCF can be indexed; name the output so, or give -O z or -O b");
	return e->code;
}

int
vxrun_regions(const struct vxrun *v, struct region *r, struct err *e)
{
	if (v->regions)
		region_add(r, v->regions, e);
	if (v->regions_file && !e->code)
		region_add_file(r, v->regions_file, e);
	if (v->targets && !e->code)
		region_add(r, v->targets, e);
	if (v->targets_file && !e->code)
		region_add_file(r, v->targets_file, e);
	if ((v->regions || v->regions_file) && (v->targets || v->targets_file))
		return err_set(e, ERR_USAGE, "-r and -t together: give one list");
	if (!e->code)
		region_done(r);
	return e->code;
}

void
vxrun_regions_text(const struct vxrun *v, struct str *t)
{
	str_addf(t, "%s%s%s", v->regions ? " -r " : "", v->regions ? v->regions : "", v->regions_file ? " -R FILE" : "");
	str_addf(t, "%s%s%s", v->targets ? " -t " : "", v->targets ? v->targets : "", v->targets_file ? " -T FILE" : "");
}

void
vxrun_seek(const struct vxrun *v, struct flow *f, const struct region *r, const char *path)
{
	struct hts_lookup *l = NULL;
	struct hts_span *span = NULL;
	int64_t n = 0;

	if ((v->regions || v->regions_file) && path && f->in.kind == SOURCE_BGZF && f->in.size >= 0 && !r->inverse)
		l = hts_lookup(path, f->in.bcf, f->head);
	if (!l)
		return;
	for (int64_t i = 0; i < r->n; i++)
		hts_lookup_add(l, strs_get(&r->names, r->span[i].contig), r->span[i].beg > 0 ? r->span[i].beg - 1 : 0,
		    r->span[i].end < (int64_t)1 << 40 ? r->span[i].end : (int64_t)1 << 40, &span, &n);
	source_only(&f->in, (const struct source_span *)span, n);
	mem_free(span);
	hts_lookup_free(l);
}

int
vxrun_contigs(struct flow *f, const char *(*contig)(const void *ctx, int i, int64_t *length), const void *ctx, int n, struct err *e)
{
	struct str t = {0};
	int shared = hts_contigs(f->head) == 0;

	for (int i = 0; i < n; i++) {
		int64_t length = -1;
		const char *name = contig(ctx, i, &length);

		if (hts_contig(f->head, name) >= 0)
			shared = 1;
		else if (length >= 0)
			str_addf(&t, "##contig=<ID=%s,length=%lld>\n", name, (long long)length);
		else
			str_addf(&t, "##contig=<ID=%s>\n", name);
	}
	/* A header that names them all in another way (chr1, 1) is left as it is. */
	if (t.n && shared)
		flow_header_add(f, t.s, e);
	str_clear(&t);
	return e->code;
}

int
vxrun_index(struct vxrun *v, struct flow *f, struct err *e)
{
	if (v->write_index && !e->code)
		v->made = f->out.index = hts_index(f->head, f->out_bcf, !v->tbi, drain_offset(&f->out), e);
	return e->code;
}

int
vxrun_end(struct vxrun *v, struct flow *f, struct err *e)
{
	drain_end_block(&f->out);
	drain_flush(&f->out, e);
	v->made_end = drain_offset(&f->out);
	return e->code;
}

/* Out of memory: the index does not stay as a part. */
static const struct hts_index *dropped;
static void (*oom_before)(size_t);

static void
oom_drop(size_t bytes)
{
	if (dropped)
		hts_index_drop(dropped);
	oom_before(bytes);
}

int
vxrun_commit(struct vxrun *v, struct app *a, struct err *e)
{
	dropped = v->made;
	oom_before = mem_oom;
	mem_oom = oom_drop;
	if (v->made && !e->code && !hts_index_write(v->made, v->made_end, a->out_path, e)) {
		outfile_commit(&a->out, e);
		hts_index_commit(v->made, e);
	}
	mem_oom = oom_before;
	hts_index_free(v->made);
	v->made = NULL;
	return e->code;
}
