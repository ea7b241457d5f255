/* drain - records out: text, BGZF or BCF, unchanged stretches as they came
 *
 * Plain output is written from where the bytes lie (writev).  In BGZF output, a block of the input whose records are
 * all unchanged is passed on as it is, compressed; bytes around a change are compressed anew, by several
 * threads.  What is written does not depend on how it was cut into calls.
 *
 * The very last byte, or the BGZF end mark, is written by drain_close alone: output that failed ends in the middle of
 * a line, and whoever reads it sees that it is cut.
 *
 *	drain_open(&k, fd, kind, level, reuse, par);
 *	drain_bytes(&k, header, n, e);
 *	drain_span(&k, chunk, from, to, e);
 *	drain_flush(&k, e);                      before bytes that were given go away
 *	drain_close(&k, e);
 */
#ifndef OVX_DRAIN_H
#define OVX_DRAIN_H

#include <sys/uio.h>
#include "base/err.h"
#include "os/par.h"
#include "var/chunk.h"
#include "var/hts.h"

enum drain_kind { DRAIN_PLAIN, DRAIN_BGZF };
#define DRAIN_IOV 1024

/* A piece of BGZF output: bytes to compress, or a block as it came. */
struct drain_job {
	size_t at;                      /* in src (to compress) or in out (a block as it came) */
	uint32_t n;                     /* inflated bytes */
	uint32_t n_out;                 /* 0 until compressed */
	int raw;
	size_t out;
};

struct drain_mark {
	int contig;
	int64_t beg, end;
	int64_t at;                     /* inflated offset behind the record */
};

struct drain {
	int fd;
	enum drain_kind kind;
	int level;
	int reuse;                      /* pass blocks on */
	struct par *par;
	int64_t at;                     /* inflated bytes given so far */
	int64_t written;                /* bytes written to fd */

	struct iovec iov[DRAIN_IOV];
	int n_iov;
	int held;                       /* the byte held back, or -1 */
	uint8_t held_byte;

	struct str plain;               /* bytes to be compressed; plain_from: where the unfinished block begins */
	size_t plain_from;
	struct zblock cand;              /* a block of the input that has been given in part */
	int64_t cand_at;                /* inflated input offset up to which; cand.n = 0: none */
	struct str cand_bytes;
	struct str cand_raw;
	struct drain_job *job;
	int64_t n_job, cap_job;
	struct str raw;                 /* blocks as they came */
	uint8_t *out;                   /* compressed blocks, BGZF_MAX each */
	int64_t cap_out;

	struct hts_index *index;        /* NULL = none */
	struct drain_mark *mark;
	int64_t n_mark, cap_mark;
	int64_t block_at;               /* inflated offset of the first block that is not written yet */
	int64_t reused, made;           /* blocks passed on, blocks compressed */
};

void drain_open(struct drain *k, int fd, enum drain_kind kind, int level, int reuse, struct par *p);
/* Bytes of our own.  Plain output refers to them until drain_flush. */
int drain_bytes(struct drain *k, const void *p, size_t n, struct err *e);
/* data[from..to) of a chunk; the chunk must stay until drain_flush. */
int drain_span(struct drain *k, const struct chunk *c, size_t from, size_t to, struct err *e);
/* A record ended here: for the index. */
void drain_mark(struct drain *k, int contig, int64_t beg, int64_t end);
/* Ends the BGZF block that is being filled. */
void drain_end_block(struct drain *k);
/* Writes what there is, but for the unfinished block or last byte. */
int drain_flush(struct drain *k, struct err *e);
/* The rest, the end mark, and memory; with e set only the last. */
int drain_close(struct drain *k, struct err *e);
/* Virtual offset of what comes next; only after drain_end_block and drain_flush. */
uint64_t drain_offset(const struct drain *k);

#endif
