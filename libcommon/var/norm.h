/* norm - the normal form of a variant: minimal, and as far left as it goes
 *
 * A variant is normal when no allele can lose a base at either end (but for the anchor that
 * keeps it from being empty) and when no equivalent spelling of the same lengths has a smaller position.
 * The form is unique: two spellings of one change to a sequence come out the same (Tan, Abecasis & Kang,
 * Bioinformatics 2015, doi:10.1093/bioinformatics/btv112).  This module is arithmetic on
 * bytes: the reference comes by a callback, nothing else is read.
 *
 *	struct norm w = {0};
 *	if (norm_class(a, n) == NORM_SEQUENCE && norm_check(&s, pos, a[0], e) == NORM_SEQUENCE)
 *		if (norm_run(&w, &s, pos, a, n, e) > 0)
 *			... w.pos, norm_allele(&w, i, &len)
 *	norm_clear(&w);
 *
 * The method, for any number of alleles: with t bases cut from the right and j reference bases put in front, the
 * last base of allele i is its own base n_i - t - 1, or, when that is negative, the reference base so far left of
 * pos.  So neither cutting nor extending moves a byte; t and j are counted up while all last bases agree.
 * For one ALT this is the closed form: a deletion slides while s[b-1] = s[b+d-1].
 *
 * Positions are 0-based here.  Case does not count; results are upper case.  A reference base that is none of
 * ACGT is N, or, with alpha, the first base in the alphabet that its IUPAC code holds.
 */
#ifndef OVX_NORM_H
#define OVX_NORM_H

#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

struct allele {
	const uint8_t *s;
	int64_t n;
};

/* Why a record is as it is.  Up to NORM_SHIFTED it was treated; all others pass unchanged. */
enum norm_class {
	NORM_SEQUENCE,          /* alleles are bases: may be normalised */
	NORM_SNV, NORM_NORMAL, NORM_TRIMMED, NORM_SHIFTED,
	NORM_REFONLY,           /* ALT is . */
	NORM_STAR,              /* an ALT is * */
	NORM_NONREF,            /* an ALT is <NON_REF> or <*> */
	NORM_BLOCK,             /* the only ALT is that, with END: a stretch of reference */
	NORM_SYMBOLIC,          /* an ALT is <...> */
	NORM_BREAKEND,          /* an ALT is a breakend, N[c:p[ or N. or .N */
	NORM_NON_ACGTN,         /* a letter that is none of ACGTN */
	NORM_ALT_EQ_REF,        /* an ALT is the REF */
	NORM_NO_CONTIG,         /* the reference has no such contig */
	NORM_OOB,               /* POS or REF outside of the contig */
	NORM_REF_N,             /* N in REF where the reference has a base, or the other way round */
	NORM_REF_MISMATCH,      /* REF is not what the reference says */
	N_NORM
};
/* Names as in statistics: "snv", "ref_mismatch"... */
extern const char *const norm_names[N_NORM];

/* The sequence of one contig: bases [pos, pos + n) as they stand in the file, 0 <= pos, pos + n <= length. */
struct norm_seq {
	int (*get)(void *ctx, int64_t pos, int64_t n, uint8_t *dst, struct err *e);
	void *ctx;
	int64_t length;
	int alpha;              /* --iupac=alpha */
};

struct norm {
	/* the result of norm_run */
	int64_t pos;            /* 0-based */
	int64_t shift;          /* bases that the record moved to the left (0 when it was only trimmed) */
	int n;                  /* alleles */
	struct str text;        /* alleles one behind the other, upper case */
	int64_t *at;            /* [n + 1] where they start */
	/* scratch */
	int at_cap;
	uint8_t *win;           /* reference [win_lo, win_hi), folded */
	int64_t win_lo, win_hi, win_cap;
};

void norm_clear(struct norm *w);
/* Allele i of the result. */
static inline const char *norm_allele(const struct norm *w, int i, int64_t *n)
{
	*n = w->at[i + 1] - w->at[i];
	return w->text.s + w->at[i];
}

/* What the alleles are by their letters: a[0] is REF.  NORM_SEQUENCE, or NORM_REFONLY ... NORM_ALT_EQ_REF. */
enum norm_class norm_class(const struct allele *a, int n);
/* Compares REF with the reference: NORM_SEQUENCE when it agrees (an IUPAC code agrees with what it
 * holds), NORM_OOB, NORM_REF_N or NORM_REF_MISMATCH. */
enum norm_class norm_check(const struct norm_seq *s, int64_t pos, struct allele ref, struct err *e);
/* The normal form of alleles of class NORM_SEQUENCE that agree with the reference.  Returns NORM_NORMAL
 * (nothing to do, the result is not set), NORM_TRIMMED or NORM_SHIFTED, with the result in w; or a negative
 * error code.  O(shift x alleles).  lo: a position which the result must not pass to the left (0: none). */
int norm_run(struct norm *w, const struct norm_seq *s, int64_t pos, const struct allele *a, int n, int64_t lo,
	struct err *e);
/* The same for a deletion or tandem duplication of the d bases from b on: how far it slides to the left, not
 * passing lo. */
int64_t norm_slide(const struct norm_seq *s, int64_t b, int64_t d, int64_t lo, struct err *e);

/* ACGT or N for any base; 0 for what is no IUPAC code. */
extern const uint8_t norm_base[256];
/* Whether a base as it stands in the reference agrees with r (ACGTN, upper case): NORM_SEQUENCE,
 * NORM_REF_N or NORM_REF_MISMATCH. */
enum norm_class norm_agree(uint8_t r, uint8_t base);

#endif
