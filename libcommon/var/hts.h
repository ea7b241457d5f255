/* hts - headers, conversion and indexes of VCF and BCF: the only pair that includes htslib
 *
 * What is not a plain look at a text line or at a BCF record's first bytes goes through here: what a header
 * declares, VCF to BCF and back, records taken apart field by field, .tbi and .csi.  A header is read-only
 * after hts_head_read, so that threads may share it; what a thread needs to convert is a struct hts_conv of its own.
 */
#ifndef OVX_VAR_HTS_H
#define OVX_VAR_HTS_H

#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

struct hts_head;
struct hts_conv;
struct hts_index;

enum hts_where { HTS_INFO, HTS_FORMAT };
/* Number= of a declaration: fixed numbers are N_FIXED, with .  = N_VARIES. */
enum hts_number { HTS_UNDECLARED, HTS_FIXED, HTS_VARIES, HTS_A, HTS_R, HTS_G };

/* Reads a header's text (n bytes, with its #CHROM line).  ERR_DATA when htslib cannot. */
struct hts_head *hts_head_read(const char *text, size_t n, struct err *e);
void hts_head_free(struct hts_head *h);
/* Adds a ## line; after the last of them, hts_head_sync. */
int hts_head_line(struct hts_head *h, const char *line, struct err *e);
int hts_head_sync(struct hts_head *h, struct err *e);
/* The header as BCF has it, with its magic. */
int hts_head_bcf(const struct hts_head *h, struct str *out, struct err *e);
/* Number of a contig or -1; name and length (-1 = not given) of contig i; how many. */
int hts_contig(const struct hts_head *h, const char *name);
const char *hts_contig_name(const struct hts_head *h, int i);
int64_t hts_contig_length(const struct hts_head *h, int i);
int hts_contigs(const struct hts_head *h);
enum hts_number hts_number(const struct hts_head *h, enum hts_where where, const char *key);
/* The id of a name (FILTER, INFO, FORMAT), or -1. */
int hts_key_id(const struct hts_head *h, const char *name);

/* Conversion of single records; one for each thread. */
struct hts_conv *hts_conv(const struct hts_head *h, struct err *e);
void hts_conv_free(struct hts_conv *c);
/* A text line (n bytes without its line end) becomes a BCF record at the end of out; ERR_DATA names what is not
 * declared or not readable. */
int hts_to_bcf(struct hts_conv *c, const char *line, size_t n, struct str *out, struct err *e);
/* A whole BCF record becomes a text line, newline included, at the end of out. */
int hts_to_text(struct hts_conv *c, const uint8_t *rec, size_t n, struct str *out, struct err *e);
/* The record with only alternative allele `alt` (1-based), fields of Number A, R, G and GT cut to it, as one BCF
 * record at the end of out.  whole: names of fields copied whole because of their length are added. */
int hts_split(struct hts_conv *c, const uint8_t *rec, size_t n, int alt, struct str *out, struct strs *whole, struct err *e);

/* The record with a text field added to INFO. */
int hts_tag(struct hts_conv *c, const uint8_t *rec, size_t n, const char *key, const char *value, struct str *out, struct err *e);

/* Of a whole BCF record: its alleles, each with a tab behind it, at the end of out; its length on the
 * reference. */
void hts_alleles(const uint8_t *rec, size_t n, struct str *out);
int64_t hts_rlen(const uint8_t *rec, size_t n);

/* An index made while the file is written.  csi: .csi with min_shift 14, else .tbi (text, contigs up to 512 Mb).  offset0: virtual offset
 * of the first record. */
struct hts_index *hts_index(const struct hts_head *h, int bcf, int csi, uint64_t offset0, struct err *e);
/* Number of a contig in the index: that of the header for BCF, by first use for text. */
int hts_index_contig(struct hts_index *x, const char *name);
/* A record [beg, end), 0-based; offset: the virtual offset behind it. */
int hts_index_add(struct hts_index *x, int contig, int64_t beg, int64_t end, uint64_t offset, struct err *e);
/* Ends the index at the virtual offset behind the last record, and writes it beside the file, as path + .csi.part or .tbi.part. */
int hts_index_write(struct hts_index *x, uint64_t offset, const char *path, struct err *e);
/* Gives it its name, once the file has its own; with e set it goes away.  Takes no memory. */
int hts_index_commit(struct hts_index *x, struct err *e);
void hts_index_drop(const struct hts_index *x);
void hts_index_free(struct hts_index *x);

/* Virtual offsets [beg, end) of what may hold records of regions. */
struct hts_span {
	uint64_t beg, end;
};
struct hts_lookup;
/* The index beside a file (.csi or .tbi), or NULL when there is none, or one that is older than the file. */
struct hts_lookup *hts_lookup(const char *path, int bcf, const struct hts_head *h);
/* Appends the spans of [beg, end), 0-based, of a contig; nothing for one that the index does not have. */
void hts_lookup_add(const struct hts_lookup *l, const char *contig, int64_t beg, int64_t end, struct hts_span **span, int64_t *n);
/* Names of the contigs that a text file's index has records of. */
void hts_lookup_names(const struct hts_lookup *l, struct strs *names);
void hts_lookup_free(struct hts_lookup *l);

#endif
