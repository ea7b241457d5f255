/* flow - read, look, order, write: the loop of every filter of variants
 *
 * Chunks are read and converted and looked at by all threads, several at once; they are put into order and written by
 * one.  What a look does is the caller's: a scanner of scan.h, or another that makes edits.
 */
#ifndef OVX_FLOW_H
#define OVX_FLOW_H

#include "base/err.h"
#include "os/par.h"
#include "var/order.h"
#include "var/source.h"

/* What a file is called: text, BGZF text, BCF, BCF without compression. */
enum flow_type { FLOW_TEXT, FLOW_GZ, FLOW_BCF, FLOW_UBCF };

struct flow {
	struct source in;
	struct drain out;
	struct order order;
	struct par *par;
	int out_bcf;
	int batch;                      /* chunks at once */
	int serial;                     /* look at chunks one by one, in their order */
	struct hts_head *head;          /* NULL when htslib cannot read the header and nobody needs it */
	struct hts_conv **conv;         /* one for each thread, when in and out differ */
	/* Looks at a chunk, by worker 0..par_n()-1. */
	int (*look)(void *ctx, struct chunk *c, int worker, struct err *e);
	void *ctx;
	struct chunk_stats stats;
	struct strs whole;              /* names of fields that were copied whole */
	/* Called now and then with bytes read and their total (-1: unknown). */
	void (*tick)(int64_t done, int64_t of);
};

/* Type by -O (may be NULL) or the name of the output (NULL: standard output): b, u, z, v with a digit for the level; *level is
 * -1 when none was given.  0 with e set (ERR_USAGE). */
enum flow_type flow_type(const char *o, const char *path, int *level, struct err *e);
/* Opens the input: f->in and f->head.  need_head: it is an error that htslib cannot read the header. */
int flow_open(struct flow *f, const char *path, struct par *p, int need_head, struct err *e);
/* Lines (each with its newline) put in front of #CHROM, unless they are the last ones there. */
int flow_header_add(struct flow *f, const char *lines, struct err *e);
/* After a change to the text of in.header. */
int flow_header_again(struct flow *f, struct err *e);
/* Opens the output and writes the header. */
int flow_start(struct flow *f, int fd, enum flow_type t, int level, int reuse, struct err *e);
/* From the first record to the last. */
int flow_run(struct flow *f, struct err *e);
/* The end of the output; with e set only memory.  Call it always. */
int flow_close(struct flow *f, struct err *e);

#endif
