/* scan - looks at the records of a chunk and says which change, and into what
 *
 * Records that need nothing cost a look at their first columns: nothing is parsed
 * that is not needed to know that.  Others become edits (chunk.h): new POS, REF, ALT and END, every other byte as it
 * was.  scan_text takes VCF lines, scan_bcf BCF records.
 */
#ifndef OVX_SCAN_H
#define OVX_SCAN_H

#include "base/err.h"
#include "var/chunk.h"
#include "var/fasta.h"
#include "var/guard.h"
#include "var/hts.h"
#include "var/region.h"

enum scan_check { CHECK_WARN, CHECK_STOP, CHECK_DROP };

/* What is asked of a scan; shared by all threads, read-only. */
struct scan_opts {
	struct fasta *ref;
	const struct hts_head *head;    /* may be NULL (text whose header htslib cannot read; then no split) */
	const struct region *region;    /* NULL = everything */
	const char *old_tag;            /* INFO tag for what a record was, or NULL */
	enum scan_check check;
	int split, sv, alpha, strict, unsorted;
	int64_t guard;                  /* > 0: records do not move past others of their copy; bases looked back */
};

/* What one thread needs.  scan_free frees what is inside. */
struct scan {
	const struct scan_opts *o;
	struct fasta_view *view;
	struct norm norm;
	struct allele *allele;
	int cap_allele;
	struct hts_conv *conv;
	struct str tmp, tmp2;
	/* the contig of the last record: its number in the reference, -1 = not there */
	int contig;
	struct norm_seq seq;
	struct guard past;
	/* the line that scan_class is about, for the guard */
	const uint8_t *line;
	size_t n_line;
	int alt;
};

void scan_init(struct scan *s, const struct scan_opts *o, struct err *e);
void scan_free(struct scan *s);

/* Scan a chunk: rec, seg, edit, arena and stats are set.  ERR_DATA names the record. */
int scan_text(struct scan *s, struct chunk *c, struct err *e);
int scan_bcf(struct scan *s, struct chunk *c, struct err *e);

/* For both: a contig by its name; sets s->contig and s->seq. */
void scan_contig(struct scan *s, const char *name, size_t n);
/* What becomes of alleles at a 0-based position: the class, and the result in s->norm when that is NORM_TRIMMED or NORM_SHIFTED. */
enum norm_class scan_class(struct scan *s, int64_t pos, const struct allele *a, int n, struct chunk_stats *st,
	struct err *e);
/* Counts one record that comes out. */
void scan_count(struct chunk_stats *st, enum norm_class k, int64_t shift);
/* Names a record whose REF differs, the first three times; with check = stop, sets e. */
void scan_mismatch(struct scan *s, struct chunk_stats *st, const char *contig, size_t n_contig, int64_t pos1,
	struct allele ref, struct err *e);
/* ERR_DATA: a text line is no record, with its beginning as far as it can be printed. */
int scan_bad_line(const uint8_t *line, const uint8_t *end, const char *what, struct err *e);

#endif
