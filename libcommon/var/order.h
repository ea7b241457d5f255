/* order - sorted in, sorted out, however far a record moves
 *
 * Chunks are held back until the input is `window` bases past their records, or the contig ends; records that changed wait
 * in a list of their own, by their new position, and are merged in when the chunk in which they land is
 * written.  Ties are in the order of the input, then of the ALT.  A record that lands before what has been written by that rule is an
 * error that names it and the window that suffices; it does not depend on how the input was cut into chunks.
 *
 * What is held takes memory up to `room`; beyond that its bytes wait in an unlinked temporary file.
 */
#ifndef OVX_ORDER_H
#define OVX_ORDER_H

#include "base/err.h"
#include "var/chunk.h"
#include "var/hts.h"
#include "var/drain.h"

/* A changed record that waits. */
struct wait {
	int64_t pos, seq;               /* its new place; its number in the input */
	int sub;
	struct chunk *c;                /* text lies at `at` in its arena, tail in its data; NULL = text is its own */
	char *text;
	size_t at, n_text;
	size_t tail, n_tail;
	int64_t file_at, n_file;        /* a long line: what follows the tail lies in the spool */
};

struct order {
	struct drain *drain;
	int64_t window;
	int64_t room;
	size_t keep;                    /* memory of a written chunk up to this is used again; default 4 * CHUNK_BYTES */
	int unsorted, dedup, bcf;
	const struct hts_head *head;    /* for the index */

	struct chunk *first, *last;     /* held, in order of the input */
	int64_t first_seq;              /* number of the first record of `first` */
	int64_t at_rec;                 /* the next record of `first` to be written */
	int at_done;                    /* chunks of a long line: whether first's bytes are written */
	int64_t n_rec;                  /* records taken in */
	struct strs seen;               /* contigs so far */
	struct map seen_map;            /* the same; keys are its own */
	int32_t contig;                 /* BCF: the contig, -1 = none yet */
	struct str name;                /* the contig's name */
	int64_t last_pos;               /* of the input */
	int64_t last_out;               /* of what has been written, in this contig */
	struct wait *wait;
	int64_t n_wait, cap_wait;
	int open_skip;                  /* the long line that comes was changed: its bytes go to wait[] */
	int64_t open_seq;               /* the number of that record while it is not whole, else -1 */
	struct chunk *spare;            /* written chunks, to be used again: */
	int n_spare;                    /* so many */
	int64_t held;                   /* bytes of chunks in memory */
	int spool;                      /* temporary file or -1 */
	int64_t spool_at;
	struct strs keys;               /* --dedup: alleles at last_out */
	int64_t dups;
	int index_contig;
};

void order_init(struct order *o, struct drain *k);
/* Takes a scanned chunk over.  ERR_DATA: unsorted input, or a record moved too far. */
int order_add(struct order *o, struct chunk *c, struct err *e);
/* Writes what no later record can land in front of; with end, everything.  Chunks that are written
 * become spare. */
int order_write(struct order *o, int end, struct err *e);
/* A chunk to be filled: a spare one or new. */
struct chunk *order_chunk(struct order *o);
void order_free(struct order *o);

#endif
