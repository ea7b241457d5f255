/* out - writes an ovx stream, section by section, block by block
 *
 *	out_open(&o, fd, e);
 *	out_section(&o, &head, e);
 *	out_block(&o, &block, stored, e);       until one is the last
 *	out_close(&o, e);                       the end mark; only after the input's was read
 *
 * Nothing here decides what is written: see cell/set.
 */
#ifndef OVX_OUT_H
#define OVX_OUT_H

#include "base/err.h"
#include "base/sha.h"
#include "base/str.h"
#include "stream/head.h"

struct out {
	int fd;
	int64_t at;             /* bytes written, those in buf included */
	uint32_t chain;         /* CRC of all head CRCs */
	int64_t n_sect;
	int open;               /* a section has not had its last block */
	struct head cur;        /* that section's head; no text */
	int64_t n_block;        /* of the open section */
	struct str buf;         /* small writes */
	struct str index;       /* entries of the end section */
	struct str blocks;      /* block entries of the open section */
	struct sha id;          /* digest of the open section's content */
	char last_id[33];       /* id of the section that was closed last */
	int fixed_id;           /* the head says id= */
};

/* Starts a stream on fd: writes the preamble. */
int out_open(struct out *o, int fd, struct err *e);
/* Writes a section head.  The section before must be closed. */
int out_section(struct out *o, const struct head *h, struct err *e);
/* Writes a block of the open section; b->stored bytes at data. */
int out_block(struct out *o, const struct block *b, const void *data, struct err *e);
/* The same in two steps: the head now, then the caller puts b->stored bytes straight into o->fd and
 * calls out_padding. */
int out_block_head(struct out *o, const struct block *b, struct err *e);
int out_padding(struct out *o, const struct block *b, struct err *e);
/* Writes the end section and the tail. */
int out_close(struct out *o, struct err *e);
/* Frees; what was not closed stays without an end mark. */
void out_clear(struct out *o);

/* The id of a section: what from= refers to.  Its digest of kind, shape and block
 * hashes, or the id= of its head. */
struct ident {
	struct sha sha;
};
void ident_start(struct ident *i, const struct head *h);
void ident_block(struct ident *i, const struct block *b);
void ident_end(struct ident *i, const struct head *h, char id[33]);

#endif
