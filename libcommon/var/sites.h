/* sites - a sites file (gnomAD, 1000 Genomes, any VCF with INFO) in, rows out
 *
 * What release it is, header and INFO names say; which tags stand for AF, AC, AN, nhomalt, grpmax, AF_grpmax, faf95max follows
 * from that or from the user.  Each ALT becomes a row with its own values of fields of Number A and R.
 */
#ifndef OVX_SITES_H
#define OVX_SITES_H

#include "base/err.h"
#include "os/par.h"
#include "var/chunk.h"
#include "var/fasta.h"
#include "var/frows.h"
#include "var/hts.h"
#include "var/vxg.h"

/* A declaration of INFO. */
struct sites_info {
	char *id, *number, *type, *desc;
};

struct sites_head {
	struct sites_info *info;
	int n_info;
	char *release, *build;          /* "" = not recognised; build "GRCh37" or "GRCh38" by contig lengths, assembly or release */
	struct strs contig;
	int64_t *contig_length;         /* -1 = not declared */
};
/* Reads the text of a header; does not need it to be clean (htslib is not asked). */
int sites_head_read(struct sites_head *h, const char *text, size_t n, struct err *e);
void sites_head_clear(struct sites_head *h);

/* The columns to keep.  fields: comma-separated source tags or canonical names, NULL = the default (AF AC AN nhomalt grpmax AF_grpmax
 * faf95max, those that there are); FILTER is always one.  pops: the groups' AF, AC, AN, nhomalt too.  over: "NAME=TAG" ... .  Hidden AC_x and AN_x
 * are added where AF_x is asked for without them.  ERR_USAGE names an unknown field and the nearest there is. */
int sites_columns(const struct sites_head *h, const char *fields, int pops, const struct strs *over, struct fcols *out, struct err *e);

struct sites_stats {
	int64_t records, alleles, trimmed, moved, unsupported, overflowed, no_alt;
	int64_t misfit;                 /* values of Number=A or R whose number is not that of the ALTs, kept whole */
	int n_named;
	char named[3][120];             /* the first unsupported, by name */
	int32_t last_contig;            /* of the last record: what sites_parse numbers it, and its POS in the file */
	int64_t last_pos;
};

/* A parser: one for each thread. */
struct sites_parser;
struct sites_parser *sites_parser(const struct sites_head *h, const struct fcols *cols, struct fasta *ref, struct err *e);
/* From now on a list of Number=A or R that does not fit the number of ALTs (in files that were split without cutting their lists) is kept whole, as text;
 * else it is an error. */
void sites_parser_whole(struct sites_parser *p);
void sites_parser_free(struct sites_parser *p);
/* The records of a chunk of text (whole lines) at the end of out; seq: number of the first record.  Contigs that the header does not list get numbers
 * h->contig.n + i in *extra, new names being added there (the caller renumbers).  With ref (NULL = none) alleles are left-aligned as vx-leftalign does. */
int sites_parse(struct sites_parser *p, const struct chunk *c, int64_t seq, struct frows *out, struct strs *extra, struct sites_stats *st,
	struct err *e);
/* One line. */
int sites_parse_line(struct sites_parser *p, const char *line, size_t n, int64_t seq, struct frows *out, struct strs *extra,
	struct sites_stats *st, struct err *e);

#endif
