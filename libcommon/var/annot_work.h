/* annot_work - what the files of annot share.  Private.
 */
#ifndef OVX_ANNOT_WORK_H
#define OVX_ANNOT_WORK_H

#include "var/annot.h"
#include "var/norm.h"

enum ask_how { ASK_AS_IS, ASK_TRIMMED, ASK_ALIGNED, ASK_NOT };

/* An allele to be asked for; its bases stand in the chunk, or in the pool. */
struct ask {
	int64_t pos;                    /* 1-based */
	size_t ref, alt;                /* offsets */
	uint32_t n_ref, n_alt;
	int32_t name;                   /* number of its contig among those seen */
	uint8_t how;                    /* ASK_NOT: nothing that could be looked up */
	uint8_t pool;
};

/* A record of a chunk. */
struct line {
	uint32_t at, end;
	uint32_t filter;                /* where FILTER begins */
	uint32_t info, info_end;
	uint32_t n_ask;
	int64_t pos;                    /* as in the file */
	int64_t ask;                    /* the first of its asks */
};

/* Lines of one contig, one behind the other. */
struct run {
	int64_t line, end;
	int64_t name;                   /* number of the contig among those seen */
	uint32_t at, n;                 /* where its name stands in the chunk */
	int32_t id;                     /* BCF */
};

/* A contig as the input calls it, and what others call it. */
struct seen {
	int ref;                        /* in the reference, -1 = not there */
	int *db;                        /* [n_db], -1 = not there, or no rows */
	int64_t alts;
	int64_t *found;                 /* [n_db] */
	int64_t region;
};

/* A text of an allele that was looked up, in work.text, a NUL behind it. */
struct held {
	size_t at, n;
};
/* Tags that were printed, ";PREFIX_NAME=VALUE": texts by a hash of what stands for them, and a 0.  A cache line each. */
#define PRINTED 55
#define PRINTED_BITS 6
struct printed {
	fval v;
	uint8_t n;                      /* 0: free */
	char s[PRINTED];
};
#define TEXT_PAD 32                     /* bytes behind any of them that may be read */

struct annot_work {
	const struct annot *a;
	struct freq_cursor **cursor;    /* [n_db] */
	struct fasta_view *view;
	struct norm norm;
	struct norm_seq seq;
	int ref_contig;

	char **name;                    /* contigs seen */
	struct seen *seen;
	int64_t n_seen, cap_seen;
	struct map by_name;
	int64_t now;                    /* the contig in hand */
	struct str key;

	struct ask *ask;
	int64_t n_ask, cap_ask;
	struct str pool;
	struct line *line;
	int64_t n_line, cap_line;
	struct run *run;
	int64_t n_run, cap_run;
	int64_t *pos;
	int64_t cap_pos;
	const uint8_t *base;            /* of the chunk */

	/* asks of some lines, looked up together: all of a chunk's, but for many tags or ALTs */
	int64_t looked;                 /* the first line behind them */
	int64_t ask0, cap_look;         /* the first of these asks; room for so many */
	uint32_t *order, *order2;       /* [cap_look] the order in which they are looked up */
	fval *all_val;                  /* [cap_look][n_tag]; a text's reference: odd, its number in held; even, freq's, and lasting */
	uint8_t *all_status;            /* [cap_look][n_db] */
	int64_t *all_site;              /* explain: [cap_look][n_db] numbers in held, -1 = nothing stands there */
	struct held *held;
	int64_t n_held, cap_held;
	struct str text;
	fval *pass;                     /* [n_db] the lasting text that is PASS, once it was seen */

	int straight;                   /* records of one ALT are looked up when they are written, and found values go into the line at once */
	int to_and_fro;                 /* not so because of the order of asks */
	fval *one_val;                  /* then: [n_tag] */
	uint8_t *one_status;            /* [n_db] */

	/* the record in hand */
	int n_alt;
	const struct ask *first;
	const fval *val;                /* [n_alt][n_tag] */
	const uint8_t *status;          /* [n_alt][n_db] */
	const int64_t *site;            /* [n_alt][n_db] */
	uint8_t *any;                   /* [n_db]: an ALT was found */
	struct printed *printed;        /* [n_tag][1 << PRINTED_BITS] */
	struct str cell;

	uint8_t *out;
	size_t n_out, cap_out;
	size_t room;                    /* of it, what a record may need beside long texts */
	size_t most_out;                /* bytes that a chunk became, the most so far */

	int64_t alts, *count;           /* [n_db][N_FREQ] */
	int64_t mismatch, aligned, trimmed;
};

/* A contig by its name: its number among those seen. */
int64_t annot_contig(struct annot_work *w, const char *name, size_t n);
/* Adds an ask for one ALT (both as they stand, n > 0) of a record at a 1-based position, on the contig in hand. */
void annot_ask(struct annot_work *w, int64_t pos, const uint8_t *ref, size_t n_ref, const uint8_t *alt, size_t n_alt, struct err *e);
/* Looks up what is asked from a line on, which belongs to run r, as many lines at once as is good. */
int annot_look(struct annot_work *w, int64_t line, int64_t r, struct err *e);
/* Sets straight for a chunk whose asks are known. */
void annot_straight(struct annot_work *w);
/* Asks one database for an ask of a record of one ALT.  o: where the line goes on; returns where it goes on behind the values, or NULL: they are in
 * w->one_val. */
uint8_t *annot_one_ask(struct annot_work *w, int d, const struct line *l, uint8_t *o, struct err *e);
/* Takes a record in hand whose asks were looked up.  1 when it passes the filters. */
int annot_take(struct annot_work *w, const struct line *l, struct err *e);
/* A text value of val; TEXT_PAD bytes from its first on may be read. */
const char *annot_get(const struct annot_work *w, const struct annot_tag *t, fval v, size_t *n, struct err *e);
/* What was looked up, and what stands there, of ALT i; 0 when that is missing. */
int annot_query_text(struct annot_work *w, int db, int i, struct str *out);
int annot_site_text(struct annot_work *w, int db, int i, struct str *out);
/* Room for n more bytes in out. */
void annot_grow(struct annot_work *w, size_t n);
static inline void annot_room(struct annot_work *w, size_t n)
{
	if (w->cap_out - w->n_out < n)
		annot_grow(w, n);
}
struct line *annot_add_line(struct annot_work *w);
struct run *annot_add_run(struct annot_work *w);
/* A chunk begins: what it becomes is built from nothing. */
void annot_start(struct annot_work *w, const struct chunk *c);
/* Writes a record, with what was found, at out's end; marked: it does not pass, and FILTER says so. */
typedef int annot_put(struct annot_work *w, const struct line *l, int marked, struct err *e);
/* All runs that were read, record by record; what was built takes the place of the chunk's bytes. */
int annot_write(struct annot_work *w, struct chunk *c, annot_put *put, struct err *e);
/* Whether an INFO key is one of the tags; they are removed before new ones are written. */
int annot_ours(const struct annot *a, const uint8_t *key, size_t n);

#endif
