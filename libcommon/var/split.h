/* split - one line of several ALTs becomes one line for each
 *
 * Fields declared Number=A, R or G, and GT, are cut to the allele; all others keep their bytes.  A field whose count
 * of values does not fit is copied whole and counted.  The rules are those of bcftools norm -m: in GT the allele
 * becomes 1, every other one 0.
 */
#ifndef OVX_SPLIT_H
#define OVX_SPLIT_H

#include "base/err.h"
#include "var/chunk.h"
#include "var/hts.h"

/* Columns of the line as the scanner found them; end is the line end. */
struct split_cols {
	const uint8_t *line, *end, *chrom_end, *id, *ref, *alt, *alt_end;
	int64_t pos;
};

/* Appends the line of ALT number i (from 1) of n_alt to out, its line end included: position, REF and ALT as given;
 * end1 >= 0 replaces INFO/END.  Names of fields copied whole go to whole, each once; with strict that is an error. */
int split_line(const struct split_cols *c, const struct hts_head *head, int i, int n_alt, int64_t pos1, const char *ref, int64_t n_ref,
	const char *alt, int64_t n_alt_len, int64_t end1, const char *old_tag, int strict, struct str *out, struct strs *whole,
	struct chunk_stats *st, struct err *e);

#endif
