/* sites_impl - between sites_head.c, sites_columns.c, sites_parse.c and sites_keys.c
 */
#ifndef OVX_SITES_IMPL_H
#define OVX_SITES_IMPL_H

#include "var/mask64.h"
#include "var/norm.h"
#include "var/sites.h"

/* The declaration of an INFO key, or NULL. */
const struct sites_info *sites_info(const struct sites_head *h, const char *id);
/* What a column of it would be. */
enum ftype sites_type(const struct sites_info *i);
enum fnumber sites_kind(const struct sites_info *i);
/* ERR_DATA unless the header declares every column's tag as the column has it; file: for the sentence. */
int sites_fits(const struct sites_head *h, const struct fcols *cols, const char *file, struct err *e);

/* --- the parser -------------------------------------------------------------- */

#define KEY_WORD 32                     /* bytes of a key that are compared at once */
#define KEY_MORE 0x10000u               /* not all of it is in the first 16 bytes, or it is bare */

/* What becomes of a field where it is met. */
enum sites_how {
	SITES_PASS,                     /* nobody asked */
	SITES_NOTE,                     /* it is noted where it stands */
	SITES_INT, SITES_FLOAT          /* in a record of one ALT it is read at once */
};

/* A key as it stands in a line: "AC=", or a flag's bare name. */
struct sites_key {
	char word[KEY_WORD];            /* how it begins */
	uint32_t mask;                  /* which of the first 16 bytes are its own, a bit each; KEY_MORE */
	uint32_t n;
	int col;                        /* -1: nobody asked */
	int next[2];                    /* the keys that came behind it, the last one first */
	int link;                       /* of a key: where it is expected in a line, -1 = nowhere; of an expected one: its key */
	uint16_t how;                   /* enum sites_how */
	uint16_t bare;                  /* a flag's */
};

struct sites_key_rest {
	char *text;
	uint64_t hash;
};

/* Where a column's value stands in the record at hand. */
struct sites_span {
	const char *s;
	uint32_t n;
	uint32_t stamp;
};

struct sites_parser {
	const struct sites_head *h;
	const struct fcols *cols;
	int *same;                      /* [cols->n] the next column of the same tag, -1 = none */
	int *late, n_late;              /* columns that are never read at once: texts, flags, FILTER */
	int filter;
	int whole;                      /* lists that do not fit are kept */

	struct sites_key *key;          /* key[0] is the beginning of INFO */
	struct sites_key_rest *rest;
	int n_key, cap_key;
	int *slot;                      /* hash table of numbers of keys, 0 = free */
	int n_slot;
	struct sites_key *await;        /* [n_await + 1] keys as they are expected to follow each other; the last one is none */
	int n_await, cap_await;
	int64_t misses, patience;       /* fields that were not as expected, of late, and how many are borne */

	struct sites_span *span;              /* [cols->n] */
	uint32_t stamp;

	struct map contigs;             /* of the header */
	struct str contig;              /* the last one: its name with a tab behind */
	int contig_no;

	struct str ref_buf, alt_buf, text, line;
	int64_t *first_row;             /* rows of the record's ALTs: number of each ALT, from 0 */
	int cap_alt;

	struct fasta *fasta;
	struct fasta_view *view;
	struct norm_seq seq;
	struct norm norm;
	int ref_contig;                 /* in the reference, -1 = none */
};

/* The record at hand. */
struct sites_record {
	const char *line, *end;         /* end: its line end */
	uint32_t pos;
	const char *ref, *alt, *filter, *info;
	uint32_t n_ref, n_alt, n_filter;
	int alts;
	int64_t seq;
};

/* A key with its column (-1 = nobody asked), "" first of all; its number. */
int sites_add_key(struct sites_parser *p, const char *s, size_t n, int col);
/* Walks INFO and notes where values of columns stand.  val: not NULL for usual numbers of columns that are not late: they go there at once.  0 when that
 * could not be: then INFO is to be walked again without. */
int sites_read_info(struct sites_parser *p, const struct sites_record *r, fval *val);

#endif
