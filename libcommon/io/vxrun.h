/* vxrun - what the filters of variants have in common: options of input and output, threads, regions, the output's index
 *
 *	static struct { ...; struct vxrun v; } o;
 *	static const struct opt opts[] = { ..., VXRUN_OPTS(o.v), VXRUN_NO_VERSION(o.v), {0} };
 *
 *	vxrun_open(&o.v, a, e);                 what the output is to be
 *	vxrun_regions(&o.v, &region, e);
 *	flow_open(...);
 *	flow_start(&f, a->out.fd, o.v.t, ...);
 *	vxrun_index(&o.v, &f, e);
 *	vxrun_seek(&o.v, &f, &region, path);
 *	flow_run(&f, e);
 *	vxrun_end(&o.v, &f, e);
 *	flow_close(&f, e);
 *	vxrun_commit(&o.v, a, e);
 */
#ifndef OVX_VXRUN_H
#define OVX_VXRUN_H

#include "app/app.h"
#include "var/flow.h"
#include "var/region.h"

struct vxrun {
	/* options */
	const char *type, *regions, *regions_file, *targets, *targets_file;
	int write_index, tbi, no_version;
	/* vxrun_open's */
	enum flow_type t;
	int level;                      /* -1 = none was given */
	/* the index, and where the last record ends */
	struct hts_index *made;
	uint64_t made_end;
};

#define VXRUN_OPTS(v) \
	{ 'r', "regions", STR(&(v).regions), "", "", "LIST", "only records whose POS lies in CONTIG:FROM-TO,...", 0 }, \
	{ 'R', "regions-file", STR(&(v).regions_file), "", "", "FILE", "the same, from a file (CONTIG, FROM, TO; or BED)", 0 }, \
	{ 't', "targets", STR(&(v).targets), "", "", "LIST", "like -r; with ^ in front all but these", 0 }, \
	{ 'T', "targets-file", STR(&(v).targets_file), "", "", "FILE", "like -R; with ^ in front all but these", 0 }, \
	{ 'O', "output-type", STR(&(v).type), "", "", "TYPE", "v VCF, z .vcf.gz, b BCF, u uncompressed BCF; a digit behind is the level", 0 }, \
	{ 'W', "write-index", FLAG(&(v).write_index), "", "", "", "write an index (.csi) of the output, too", 0 }, \
	{ 0, "tbi", FLAG(&(v).tbi), "", "", "", "make that index a .tbi", 0 }
#define VXRUN_NO_VERSION(v) \
	{ 0, "no-version", FLAG(&(v).no_version), "", "", "", "do not add a line about this run to the header", 0 }

/* For a tool's check(): NULL or a sentence. */
const char *vxrun_check(const struct vxrun *v);
/* For its plan(): threads when nobody says, the output's size, and in p->memory what reading and writing take with chunks that cost
 * chunk_cost bytes each while in flight. */
#define VXRUN_ROOM (8 << 20)            /* of it, for records that are held back */
void vxrun_plan(const struct vxrun *v, struct app *a, struct plan *p, int64_t chunk_cost);
/* What is over of -M once the plan p is subtracted, and what every process takes. */
int64_t vxrun_spare(const struct app *a, const struct plan *p);
/* Type and level of the output, and whether they go with where it goes. */
int vxrun_open(struct vxrun *v, struct app *a, struct err *e);
/* Whether the header must be one that htslib reads. */
static inline int vxrun_head(const struct vxrun *v) { return v->t == FLOW_BCF || v->t == FLOW_UBCF || v->write_index; }
/* -r -R -t -T; r->n = 0 when there are none. */
int vxrun_regions(const struct vxrun *v, struct region *r, struct err *e);
/* The same as they are written into the header's line about the run. */
void vxrun_regions_text(const struct vxrun *v, struct str *t);
/* -r, -R: where the input has an index, only the stretches that may hold records of the regions are read. */
void vxrun_seek(const struct vxrun *v, struct flow *f, const struct region *r, const char *path);
/* BCF and indexes need every contig in the header: of n contigs those that it lacks are added, unless it names them all in another way. */
int vxrun_contigs(struct flow *f, const char *(*contig)(const void *ctx, int i, int64_t *length), const void *ctx, int n, struct err *e);
/* -W: begins the index; after flow_start. */
int vxrun_index(struct vxrun *v, struct flow *f, struct err *e);
/* After flow_run: everything is out but the end mark. */
int vxrun_end(struct vxrun *v, struct flow *f, struct err *e);
/* The index gets its name once the output has its own: neither stands there without the other.  Call it always. */
int vxrun_commit(struct vxrun *v, struct app *a, struct err *e);

#endif
