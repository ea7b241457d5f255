/* in - reads an ovx stream: a file by its index, a pipe as it comes
 *
 * After in_open a regular file has all its sections in in->sect, none of their
 * data read.  A pipe gives them one by one by in_next; their blocks must be
 * taken, put aside (in_spool) or passed on (in_block, in_pass) before the next
 * section can be seen.  Either way a section then has the same blocks, read by
 * in_load.
 *
 * The end mark is checked: in->ended is 1 only after the end section, its index
 * and the tail were seen and nothing follows.  Input that stops before is
 * ERR_CUT.
 */
#ifndef OVX_IN_H
#define OVX_IN_H

#include "base/err.h"
#include "stream/head.h"
#include "stream/spool.h"

struct in;

struct sect {
	struct head head;
	struct in *in;
	char id[33];            /* what from= calls it; "" until all blocks are known */
	int64_t n_block;        /* known so far */
	int complete;           /* all blocks are known */
	int spooled;            /* at[] are offsets in the spool, else in the file */
	struct block *block;    /* NULL until in_heads, for a file */
	int64_t *at;            /* where the stored bytes of each block start */
	int64_t *row0;          /* file: from the index, before the heads are read */
	int64_t cap;
	int64_t n_seen, rows_seen;      /* blocks and rows whose heads were read */
	int64_t stored;         /* bytes of all blocks, heads and padding included, when complete */
};

struct in {
	int fd;
	int64_t size;           /* of a regular file, -1 for a pipe */
	char *name;             /* for messages */
	struct sect **sect;     /* in stream order */
	int64_t n;
	int ended;
	uint32_t chain;
	int64_t seq;
	int64_t at;             /* bytes read from a pipe */
	struct spool *spool;    /* where a pipe's blocks are put aside; the caller's */
	struct sect *open;      /* pipe: the section whose blocks are coming */
	struct str *index;      /* sequential: the index as it should be */
};

/* Opens a path ("-" = standard input).  With sequential set a file is treated
 * like a pipe (ovx-check does that). */
int in_open(struct in *in, const char *path, int sequential, struct spool *spool, struct err *e);
/* Pipe: the next section, or NULL at the end mark or with e set. */
struct sect *in_next(struct in *in, struct err *e);
/* Pipe: head of the open section's next block; 1, or 0 when it has no more. */
int in_block(struct in *in, struct block *b, struct err *e);
/* Pipe: the stored bytes of the block whose head was read, into buf. */
int in_take(struct in *in, const struct block *b, struct str *buf, struct err *e);
/* Pipe: the same straight to a file descriptor. */
int in_pass(struct in *in, const struct block *b, int fd, struct err *e);
/* Pipe: puts all blocks of the open section into the spool. */
int in_spool(struct in *in, struct err *e);
/* Pipe: reads on to the end mark; there must be no further section. */
int in_finish(struct in *in, struct err *e);
/* Notes a block of the open section that lies in the spool at an offset. */
void in_note(struct sect *s, const struct block *b, int64_t at);

/* Makes sure that all block heads of a section are known (file: reads them). */
int in_heads(struct sect *s, struct err *e);
/* Stored bytes of block i into buf. */
int in_load(struct sect *s, int64_t i, struct str *buf, struct err *e);
void in_close(struct in *in);

#endif
