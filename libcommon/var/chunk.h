/* chunk - a stretch of whole records, what a look at them found, and where their bytes came from
 *
 * Variants flow in chunks of about CHUNK_BYTES.  The reader (source.h) fills one with whole records, a scanner
 * (scan.h) lists the records and what becomes of the few that change, the orderer (order.h) holds chunks back as
 * long as a record may still land in them, and the drain (drain.h) writes bytes of the
 * chunk as they are, without looking at them.  Reading, scanning and compressing work on several
 * chunks at once; the order of things is decided by one thread.
 *
 * A text line longer than CHUNK_LONG comes in pieces: the first chunk holds its beginning alone (CHUNK_OPEN), those that follow are
 * CHUNK_MORE, and the last of them ends with the line end.
 */
#ifndef OVX_CHUNK_H
#define OVX_CHUNK_H

#include <stdint.h>
#include "base/str.h"
#include "var/norm.h"

#define CHUNK_BYTES (256 << 10)         /* bytes read for one */
#define CHUNK_HEAD (64 << 10)           /* room in front for the rest of the chunk before */
#define CHUNK_PAD 64                    /* bytes behind the data that may be read */
#define CHUNK_LONG (4 << 20)            /* a line that passes this comes in pieces */

enum chunk_flags { CHUNK_OPEN = 1, CHUNK_MORE = 2 };

/* A record: its position as in the file (1-based in text, 0-based in BCF) and where it begins.  A
 * record that has been changed or dropped is skipped when the chunk is written. */
struct rec {
	int64_t pos;
	uint32_t at;
	uint32_t skip;
};

/* A run of records of one contig: rec[lo..hi). */
struct seg {
	uint32_t name, n_name;          /* text: where its name stands in data */
	int32_t contig;                 /* BCF: its number in the header */
	int64_t lo, hi;
};

/* A record that takes the place of rec[rec]: text[0..n_text) of the arena, then tail[0..n_tail) of data. */
struct edit {
	int64_t pos;
	int64_t rec;
	size_t text, n_text;
	size_t tail, n_tail;
	int seg;
	int sub;                        /* order among the records made of one */
};

struct chunk_stats {
	int64_t in, out, split, dropped, outside;
	int64_t checked, mismatch;      /* REFs compared; REFs that differ */
	int64_t end_fixed, whole;
	int64_t max_shift;
	int64_t by[N_NORM];
	int n_named;                    /* the first mismatches, by name */
	char named[3][80];
};

/* A BGZF block whose bytes are, wholly or in part, in a chunk. */
struct zblock {
	int64_t at;                     /* where it begins, in inflated bytes of the whole input */
	uint32_t n;                     /* inflated bytes */
	uint32_t n_raw;
	size_t raw;                     /* where it stands in chunk.raw */
};

struct chunk {
	uint8_t *mem;                   /* CHUNK_HEAD + what was asked for + CHUNK_PAD */
	size_t cap;
	uint8_t *data;                  /* the records: data[0..n) */
	size_t n;
	int64_t at;                     /* where data begins, in inflated bytes of the whole input */
	int flags;

	struct rec *rec;
	int64_t n_rec, cap_rec;
	struct seg *seg;
	int n_seg, cap_seg;
	struct edit *edit;
	int64_t n_edit, cap_edit;
	struct str arena;
	struct strs whole;              /* names of fields that a split copied whole */
	struct chunk_stats stats;

	uint8_t *raw;                   /* compressed blocks; NULL when the input has none */
	size_t n_raw, cap_raw;
	struct zblock *block;
	int64_t n_block, cap_block;

	/* the orderer's */
	struct chunk *next;
	int64_t file_at;                /* >= 0: it is in the spool from there on, and in memory only if mem is set */
};

void chunk_clear(struct chunk *c);      /* forgets content, keeps memory */
void chunk_free(struct chunk *c);
struct rec *chunk_add_rec(struct chunk *c);
struct seg *chunk_add_seg(struct chunk *c);
struct edit *chunk_add_edit(struct chunk *c);
/* End of record i in data. */
static inline size_t chunk_rec_end(const struct chunk *c, int64_t i)
{
	return i + 1 < c->n_rec ? c->rec[i + 1].at : c->n;
}
/* Length of the BCF record at p, or 0 when its first bytes are not all there. */
size_t chunk_bcf_length(const uint8_t *p, size_t n);
void chunk_stats_add(struct chunk_stats *to, const struct chunk_stats *s);

#endif
