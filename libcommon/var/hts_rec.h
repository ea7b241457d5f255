/* hts_rec - what the files that include htslib share: hts.c, hts_split.c, hts_region.c.  Private.
 */
#ifndef OVX_HTS_REC_H
#define OVX_HTS_REC_H

#include <htslib/vcf.h>
#include "var/hts.h"

struct hts_head {
	bcf_hdr_t *h;
};

struct hts_conv {
	bcf_hdr_t *h;                   /* a copy of its own */
	int n_id, n_contig;
	bcf1_t *rec, *two;
	kstring_t line;
	void *buf, *buf2;               /* malloc'ed by htslib */
	int n_buf, n_buf2;
};

/* Number= of the declaration of dictionary entry id under type (BCF_HL_*), which exists. */
enum hts_number hts_number_of(const bcf_hdr_t *h, int type, int id);
/* Takes the bytes of a record into c->rec; ERR_DATA when they cannot be one. */
int hts_get(struct hts_conv *c, const uint8_t *rec, size_t n, struct err *e);
/* Bytes of a record whose fields are in step. */
void hts_put(const bcf1_t *b, struct str *out);
/* Walks the typed values of a record that came from outside: none may reach over its end, all
 * keys must be in the header. */
int hts_check(const bcf_hdr_t *h, const bcf1_t *b, struct err *e);

#endif
