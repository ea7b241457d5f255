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

/* A text of the record in hand: where it lasts, or NULL and its place in work.text, a NUL behind it. */
struct held {
	const char *s;
	size_t at, n;
};
/* The number of a tag that was printed last: most are 0, or that of the allele before. */
#define PRINTED 23
struct printed {
	fval v;
	char s[PRINTED];
	uint8_t n;
};
#define TEXT_PAD 16                     /* bytes behind any of them that may be read */

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

	/* the record in hand */
	int n_alt;
	const struct ask *first;
	int cap_alt;
	fval *val;                      /* [n_tag][cap_alt]; a text's reference is its number in held */
	uint8_t *status;                /* [n_db][cap_alt] */
	uint8_t *any;                   /* [n_db]: an ALT was found */
	int64_t *site;                  /* explain: [n_db][cap_alt] numbers in held, -1 = nothing stands there */
	struct printed *printed;        /* [n_tag] */
	struct held *held;
	int64_t n_held, cap_held;
	size_t held_bytes;              /* of all texts held */
	struct str text, cell;

	uint8_t *out;
	size_t n_out, cap_out;
	size_t most_out;                /* bytes that a chunk became, the most so far */

	int64_t alts, *count;           /* [n_db][N_FREQ] */
	int64_t mismatch, aligned, trimmed;
};

/* A contig by its name: its number among those seen. */
int64_t annot_contig(struct annot_work *w, const char *name, size_t n);
/* Adds an ask for one ALT (both as they stand, n > 0) of a record at a 1-based position, on the contig in hand. */
void annot_ask(struct annot_work *w, int64_t pos, const uint8_t *ref, size_t n_ref, const uint8_t *alt, size_t n_alt, struct err *e);
/* Those who answer are told what is coming. */
int annot_ahead(struct annot_work *w, const struct run *r, struct err *e);
/* Asks for the ALTs of a record: val, status, any.  1 when it passes the filters. */
int annot_look(struct annot_work *w, const struct line *l, struct err *e);
/* For a text value of val. */
static inline const char *annot_get(const struct annot_work *w, fval v, size_t *n)
{
	const struct held *h = &w->held[fval_text_ref(v)];

	*n = h->n;
	return h->s ? h->s : w->text.s + h->at;
}
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
