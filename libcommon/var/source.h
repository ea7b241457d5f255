/* source - VCF text, gzip, BGZF or BCF in, chunks of whole records out
 *
 * What the input is, its first bytes say, not its name.  The header is read when it is opened; then
 * source_next fills chunks (chunk.h), inflating blocks of BGZF by several threads.  What is cut short is ERR_CUT: BGZF
 * without its empty last block, gzip inside a member, text without a last line end, BCF
 * inside a record, nothing at all.
 *
 *	source_open(&s, path, e);               NULL or "-" is standard input
 *	while ((n = source_next(&s, chunks, 4, par, e)) > 0)
 *		...
 *	source_close(&s);
 */
#ifndef OVX_SOURCE_H
#define OVX_SOURCE_H

#include "base/err.h"
#include "os/par.h"
#include "os/text.h"
#include "var/chunk.h"

enum source_kind { SOURCE_PLAIN, SOURCE_BGZF, SOURCE_GZIP };

/* Virtual offsets [beg, end): a block's place in the file << 16, and bytes into it. */
struct source_span {
	uint64_t beg, end;
};

struct source {
	char *name;                     /* for messages */
	int fd;
	enum source_kind kind;
	int bcf;                        /* BCF records, else text lines */
	struct str header;              /* VCF text of the header, up to and with the #CHROM line */
	int whole;                      /* no lines in pieces: a line may take long_most bytes */
	size_t chunk;                   /* bytes read for a chunk; default CHUNK_BYTES */
	int64_t long_most;              /* bytes of one record in memory; default 256 MB */

	int64_t at;                     /* inflated bytes given out or in carry */
	int64_t bytes_in;               /* bytes of the file that were read */
	int64_t size;                   /* of the file, or -1 */
	uint32_t crc;                   /* CRC-32 of those bytes_in */
	struct str carry;               /* the beginning of a record whose end is still to come */
	int bare;                       /* there is no whole record in carry */
	size_t seen;                    /* bytes of a line in carry that were looked at for tabs, and how many there were */
	int tabs;
	int open;                       /* the last chunk ended inside a line */
	int eof;
	uint8_t *in;                    /* raw bytes read ahead: in[lo..hi) */
	size_t lo, hi, cap;
	int ended;                      /* BGZF: the last block seen was empty */
	struct gun gun;
	struct source_span *span;       /* BGZF: only these stretches are read */
	int64_t n_span, at_span;        /* -1: not begun */
	int in_span;
	int64_t block_at;               /* where in[lo] stands in the file */
	struct str keep_raw;            /* BGZF: the blocks of the carry, compressed; only the first when it is long */
	struct zblock *keep;
	int64_t n_keep, cap_keep;
};

int source_open(struct source *s, const char *path, struct err *e);
void source_close(struct source *s);
/* Fills up to n chunks; returns how many, 0 at the end, -1 with e set.  Chunks keep their memory from
 * call to call. */
/* From now on reads only these stretches (n of them, any order, overlaps allowed; each begins and ends at a record) of a BGZF file that
 * can be sought.  Before the first source_next. */
void source_only(struct source *s, const struct source_span *span, int64_t n);
int source_next(struct source *s, struct chunk **c, int n, struct par *p, struct err *e);

#endif
