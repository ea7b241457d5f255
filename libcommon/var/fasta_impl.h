/* fasta_impl - what fasta.c and fasta_index.c share
 *
 * Offsets are those of the text: of the file itself, or of what a bgzip file holds.
 */
#ifndef OVX_FASTA_IMPL_H
#define OVX_FASTA_IMPL_H

#include <stdatomic.h>
#include "base/str.h"
#include "var/alias.h"
#include "var/fasta.h"

struct contig {
	int64_t length;         /* bases */
	int64_t offset;         /* of the first one */
	int64_t bases, bytes;   /* of a line, the line end only in bytes; both > 0 if length is */
	int32_t prev, next;     /* its neighbours in the file, or -1 */
	atomic_uchar checked;   /* 1: the file has been seen to be as these say */
};

struct place {
	int64_t at, raw;        /* where a block begins, in the file and in the text */
};

struct fasta {
	char *path;
	int fd;
	int64_t size;           /* bytes of the file */
	int64_t raw_size;       /* bytes of the text */
	const uint8_t *map;     /* the file, or NULL */
	int64_t n_block;        /* blocks of a bgzip file that hold anything; 0: it is plain */
	struct place *block;    /* [n_block + 1], the last is the end */
	int bgzip;
	int n;
	struct contig *contig;  /* [n] as in the index */
	struct strs name;
	struct map find;
	struct alias *alias;    /* contigs by other names */
	atomic_int n_view;
	struct str note;
};

/* n bytes of the file itself; -1 with e set when they are not there. */
int64_t fasta_read_at(struct fasta *f, void *buf, int64_t n, int64_t offset, struct err *e);
struct fasta *fasta_of(const struct fasta_view *v);
/* The byte of the text at an offset, or -1 behind its end and with e set. */
int fasta_byte(struct fasta_view *v, int64_t offset, struct err *e);

/* Sets alias, once all contigs are known. */
void fasta_alias_make(struct fasta *f);
/* Reads or makes .gzi and .fai, and checks what is in them as far as the numbers go. */
int fasta_index(struct fasta *f, struct err *e);
/* Makes the contigs (and, for bgzip, the blocks, or compares them with those that are there)
 * by reading the whole file.  contigs = 0: only the blocks. */
int fasta_make(struct fasta *f, int contigs, struct err *e);
/* Another contig at the end of the list. */
void fasta_add(struct fasta *f, const char *name, size_t n_name, const struct contig *c, struct err *e);
/* Compares contig c with the file: its header, its lines, what follows it.  ERR_DATA when the index is
 * of another file. */
int fasta_check(struct fasta_view *v, int c, struct err *e);

#endif
