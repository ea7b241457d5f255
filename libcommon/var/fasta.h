/* fasta - a reference genome, read where it is asked
 *
 * A plain FASTA file is mapped, so that a base costs an address; where the map would not fit into
 * the memory that it may have, or cannot be had, windows of it are read.  A bgzip FASTA is inflated block by block
 * into a small cache.  Where a contig lies says its index (.fai, and .gzi for
 * bgzip): made beside the file when it is missing and the folder can be written, else kept in memory.
 * An index that does not belong to the file is refused.
 *
 * Positions are 0-based.  Bases come as they stand in the file: either case, IUPAC codes.
 *
 *	f = fasta_open("ref.fa", room, e);
 *	c = fasta_find(f, "chr1", 4);
 *	v = fasta_view(f);                      one for each thread
 *	p = fasta_run(v, c, pos, &n, e);        p[0..n) are the bases from pos on
 *
 * Format of .fai: name, length, offset, bases a line, bytes a line (samtools faidx).  Of .gzi: a
 * little-endian 64-bit count, then pairs of compressed and uncompressed offset, the first block left out.
 */
#ifndef OVX_FASTA_H
#define OVX_FASTA_H

#include <stdint.h>
#include "base/err.h"

struct fasta;
struct fasta_view;

/* Opens a file with its index.  room: bytes of mapped file that may be resident (0 = map nothing); what does not
 * fit is read by windows.  NULL with e set: no such file, no FASTA (names the line), a pipe, an index of
 * another file.  Free with fasta_close. */
struct fasta *fasta_open(const char *path, int64_t room, struct err *e);
void fasta_close(struct fasta *f);
/* 1 when the file is mapped (then its resident pages count as memory). */
int fasta_mapped(const struct fasta *f);
/* "" or one line for the user: that an index was made, or could not be written. */
const char *fasta_note(const struct fasta *f);

int fasta_n(const struct fasta *f);                     /* contigs */
const char *fasta_name(const struct fasta *f, int i);
/* Bases, as the index says; of more than 1000 contigs it is compared with the file at the first use of each. */
int64_t fasta_length(const struct fasta *f, int i);
/* Contig of this name (n bytes, no NUL needed), or -1.  O(1). */
int fasta_find(const struct fasta *f, const char *name, int64_t n);
/* The same by alias: with or without chr (any case of "chr"), M = MT, RefSeq accession (NC_0000NN.*, NC_012920.1) of a human
 * chromosome = its number, both ways.  length: of the contig asked for, -1 = unknown.  An alias counts only
 * if its length equals, or length is unknown (hg19's chrM is not rCRS: a known length that
 * differs is no match).  -1 = none. */
int fasta_alias(const struct fasta *f, const char *name, int64_t n, int64_t length);
/* 37 or 38 when the lengths are those of that human genome, else 0. */
int fasta_build(const struct fasta *f);

/* A view: what one thread needs to read; the file must outlive it.  Free with fasta_view_free. */
struct fasta_view *fasta_view(struct fasta *f);
void fasta_view_free(struct fasta_view *v);
/* The bases of contig c from pos on, 0 <= pos < length: a pointer that is good until the next call on this
 * view, and in *n (>= 1) how many lie there in one run (a line, or a window).  NULL with
 * e set when the file cannot be read, is damaged or has shrunk. */
const uint8_t *fasta_run(struct fasta_view *v, int c, int64_t pos, int64_t *n, struct err *e);
/* Copies n bases from pos on into dst; pos + n <= length. */
int fasta_get(struct fasta_view *v, int c, int64_t pos, int64_t n, uint8_t *dst, struct err *e);

#endif
