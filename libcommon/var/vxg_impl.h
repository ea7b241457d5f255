/* vxg_impl - what the parts of vxg share: a block taken apart, and the tables of a file
 *
 * vxg_pack.c makes blocks by what vxg_rule.c found; vxg_block.c reads them, vxg_row.c a row of a common one, vxg_all.c all rows; vxg_meta.c
 * is the directory, vxg_write.c a file being made, vxg_open.c one that is asked.  The format is man/vxg.5.
 */
#ifndef OVX_VXG_IMPL_H
#define OVX_VXG_IMPL_H

#include "var/vxbits.h"
#include "var/vxg.h"

#define VXG_ROWS VXBITS_MAX             /* rows of a full block */
#define VXG_STRIDE (VXG_ROWS + 8)       /* from column to column in memory: no power of two, which caches dislike */
#define VXG_HEAD 36                     /* bytes in front of a block's heads */
#define VXG_PAD 8                       /* zeros behind its data */
#define VXG_TIERS 2                     /* rare, common */
#define VXG_TABLE 4096                  /* entries of a table of numerators, by AC */
#define VXG_PAGE 4096                   /* of indexes: what has one checksum */
#define VXG_DICT_N 65536                /* entries, and bytes, of a dictionary at most */
#define VXG_DICT_BYTES (1 << 20)
#define VXG_PREAMBLE 64
#define VXG_TAIL 64
#define VXG_MAJOR 1
#define VXG_MINOR 0

extern const uint8_t vxg_magic[8];

/* Little-endian numbers at any address. */
static inline uint32_t vxg_u32(const uint8_t *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }
static inline uint64_t vxg_u64(const uint8_t *p) { return vxg_u32(p) | (uint64_t)vxg_u32(p + 4) << 32; }
static inline void vxg_set32(uint8_t *p, uint32_t v) { for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> 8 * i); }
static inline void vxg_set64(uint8_t *p, uint64_t v) { for (int i = 0; i < 8; i++) p[i] = (uint8_t)(v >> 8 * i); }

/* --- alleles: 4 bits a row --------------------------------------------------------- */

/* 0..11: REF * 3 + which of the other three; then: */
enum { VXG_DEL = 12, VXG_INS, VXG_LONG };       /* an anchor and up to 6 bases less, or more; all others */
#define VXG_SHORT 6
extern const char vxg_letters[4];       /* ACGT */
static inline int
vxg_base(char c)
{
	int x = c >> 1 & 3;             /* A 0, C 1, T 2, G 3 */

	return x ^ x >> 1;
}
/* The code of one base for another. */
static inline int
vxg_single_code(char ref, char alt)
{
	int r = vxg_base(ref), a = vxg_base(alt);

	return r == a ? VXG_LONG : r * 3 + a - (a > r);
}
/* The code of a minimal allele; DEL and INS: *stub, 15 bits: the anchor, and the bases behind a leading 1. */
int vxg_allele_code(const char *ref, uint32_t n_ref, const char *alt, uint32_t n_alt, uint32_t *stub);
/* Bases of code < VXG_LONG; returns lengths. */
void vxg_allele_text(int code, uint32_t stub, char ref[8], uint32_t *n_ref, char alt[8], uint32_t *n_alt);

/* --- derived columns -------------------------------------------------------------- */

enum vxg_derive { VXG_PLAIN, VXG_QUOTIENT, VXG_RATIO };

/* What follows from the columns alone. */
struct vxg_shape {
	const struct fcols *cols;
	int *order;                     /* [n] in which a block holds columns: first those from which others are derived */
	int *num, *den;                 /* [n] of what a column is a quotient, or a table's; -1 = nothing */
	int *num_of;                    /* [n] of a denominator: the numerator that it belongs to, -1 = it is none */
	double **table;                 /* [n] numerators by AC, NULL where there is no table; the owner's, may be NULL altogether */
};
void vxg_shape(struct vxg_shape *s, const struct fcols *cols);  /* cols must stay */
void vxg_shape_clear(struct vxg_shape *s);

/* What a quotient is predicted to be.  where: b is known to be above 0 when a is. */
static inline fval
vxg_predict(struct fval_rule r, fval a, fval b, int where)
{
	if (a < 0 || a > INT32_MAX)
		return FVAL_MISSING;
	if (a == 0 && where)
		return fval_quotient(r, 0, 1);
	return b < 1 || b > INT32_MAX ? FVAL_MISSING : fval_quotient(r, a, b);
}
/* The same by a table q[VXG_TABLE] of numerators. */
static inline fval
vxg_predict_ratio(struct fval_rule r, const double *q, fval a, fval b)
{
	int near;

	if (a < 0 || a >= VXG_TABLE || b < 1 || b > INT32_MAX || !(q[a] >= 0))
		return FVAL_MISSING;
	return fval_ratio(r, q[a], b, &near);
}

/* --- a block being made -------------------------------------------------------------- */

struct vxg_known;
struct vxg_rows {
	int contig, tier, n;
	uint32_t number;                /* of the block in its contig and tier */
	uint32_t pos[VXG_ROWS], n_ref[VXG_ROWS], n_alt[VXG_ROWS];
	size_t allele[VXG_ROWS];        /* in text */
	fval *val;                      /* [n_col][VXG_STRIDE]; strings: numbers in the dictionary, or text */
	uint8_t *off;                   /* [n_col][VXG_STRIDE] columns by table: rows that it does not give */
	struct str text;
	struct vxg_known *known;        /* [n_col] what was known of columns when the block was full */
	uint8_t *derived_off;           /* scratch: [n_col][VXG_STRIDE] rows that a column's rule does not give */
	struct vxbits_out out;          /* scratch */
	struct str bytes;               /* the block, packed */
};

/* --- dictionaries of strings ----------------------------------------------------------- */

/* A text of 1 to 7 bytes as a number (short_word), 0 = none, and its number in a dictionary. */
struct vxg_near {
	uint64_t word;
	int64_t number;
};

/* Texts of a column by number. */
struct vxg_dict {
	struct str text;
	uint32_t *end;                  /* [n] where each ends */
	int64_t n, cap;
	uint32_t *slot;                 /* number + 1, 0 = free */
	int64_t n_slot;
	struct vxg_near near[16];           /* by a hash of the word: the last short ones that were asked for */
};

/* The number of a text; a new one while there is room, else -1. */
int64_t vxg_dict_number(struct vxg_dict *d, const char *s, size_t n);
void vxg_dict_clear(struct vxg_dict *d);

/* How columns are derived, found as rows go by. */
struct vxg_known {
	struct fval_rule rule;
	uint8_t has_rule, by_table;     /* by_table: the rule and a table */
};
struct vxg_learn {
	struct vxg_known k;
	double *lo, *hi;                /* by_table: [VXG_TABLE] what a numerator lies between */
	int64_t hits, misses;
};

/* One block: r->bytes.  Any thread. */
int vxg_pack(struct vxg_rows *r, const struct vxg_shape *sh, struct err *e);
/* The rule that gives most of n quotients; returns the rows that it does not. */
int vxg_best_rule(const fval *num, const fval *den, const fval *v, int n, struct fval_rule *best);
/* For blocks in their order, one thread: finds rules and narrows tables, sets r->off and r->known. */
void vxg_learn(struct vxg_learn *learn, struct vxg_rows *r, const struct vxg_shape *sh);

/* --- a block taken apart ------------------------------------------------------------- */

/* What most questions need of a column: two cache lines. */
struct vxg_col {
	uint8_t derive, where, empty, has_text, type;
	struct fval_rule rule;
	fval zero;                      /* a quotient: what 0 / AN is */
	struct vxflags off, missing;
	struct vxints a;                /* numbers; of a float its forms */
};

/* And what few do. */
struct vxg_more {
	struct vxflags text;
	uint16_t n_text;
	uint32_t n_heap, n_stored;      /* n_stored < n_heap: deflated */
	struct vxints ends;             /* texts: where each ends in the heap */
	const uint8_t *heap;
	struct vxints b;                /* of a float its digits */
};

/* A column of a common block, whose rows stand together: what is needed to read an element, in few cache lines for all columns. */
enum vxg_how { VXG_QUICK_INT, VXG_QUICK_STRING, VXG_QUICK_FLOAT, VXG_QUICK_TABLE, VXG_QUICK_QUOTIENT, VXG_QUICK_MISSING, VXG_NOT_QUICK };
struct vxg_quick {
	fval base;                      /* a quotient: what 0 / AN is */
	uint32_t bit, ratio;            /* ratio: 0 = it is not predicted */
	uint8_t how, w, shift, has_exc;
	struct fval_rule rule;
};

struct vxg_block {
	const uint8_t *p;               /* its first byte */
	uint32_t length, n, pos0, contig, number;
	int tier;
	uint32_t low_w, n_upper, n_stub, n_long, n_long_heap;
	const uint8_t *low, *upper, *code, *stub, *long_heap;
	struct vxbits_in rest;          /* where the columns begin */
	int opened;                     /* columns are read */
	int has_text;                   /* some of their values are texts of the block */
	struct vxints long_end;
	struct vxg_col *col;            /* [n_col], and as many of more and quick: vxg_block_room */
	struct vxg_more *more;
	struct vxg_quick *quick;        /* [n_col], then [n_col] digits of floats; common blocks only */
	const uint8_t *rows;            /* theirs */
	uint32_t row_width;
	/* AC and AN of the row asked last, which others are derived from */
	uint32_t ac_row, an_row;
	fval ac, an;
	int64_t *bytes;                 /* NULL, or [n_col + 1]: what columns take, and at [n_col] alleles and all else, is added here */
};

/* The two checksums of a block's n bytes: of heads and alleles, so that a question that finds nothing reads no more, and of columns.
 * vxg_block_seal sets them. */
int vxg_block_sum_keys(const uint8_t *p, size_t n);
int vxg_block_sum_rest(const uint8_t *p, size_t n);
void vxg_block_seal(uint8_t *p, size_t n);
/* Room for the columns of a block, unless it is there; to be freed by mem_free(b->col). */
void vxg_block_room(struct vxg_block *b, int n_col);
#define VXG_COL_BYTES ((int64_t)(sizeof(struct vxg_col) + sizeof(struct vxg_more) + 2 * sizeof(struct vxg_quick)))
/* Takes apart `length` bytes whose checksum is right: alleles, and, by vxg_block_columns, all else.  0, or ERR_DATA. */
int vxg_block_read(struct vxg_block *b, const uint8_t *p, size_t length, struct err *e);
int vxg_block_columns(struct vxg_block *b, const struct vxg_shape *sh, struct err *e);
/* Rows [*lo, *hi) of a position; returns how many. */
uint32_t vxg_block_at(const struct vxg_block *b, uint32_t pos, uint32_t *lo);
uint32_t vxg_block_pos(const struct vxg_block *b, uint32_t row);
/* Which of n rows from lo on has this allele, whose code and stub these are; -1 = none. */
int vxg_block_allele(const struct vxg_block *b, uint32_t lo, uint32_t n, int code, uint32_t stub, const char *ref, uint32_t n_ref,
	const char *alt, uint32_t n_alt);
/* The allele of a row at the end of out, REF and then ALT. */
int vxg_block_text(const struct vxg_block *b, uint32_t row, struct str *out, uint32_t *n_ref, uint32_t *n_alt);
/* A value; texts: fval_of_text(number << 1) in the dictionary, fval_of_text(number << 1 | 1) in the block. */
fval vxg_block_value(struct vxg_block *b, const struct vxg_shape *sh, int col, uint32_t row);

/* How a value of column i is found quickly, once the column was read. */
void vxg_quick_set(struct vxg_block *b, int i, int n_col);
/* n values of a row of a common block. */
void vxg_block_row(struct vxg_block *b, const struct vxg_shape *sh, const int *col, int n, uint32_t row, fval *out);
/* Those of n columns that are not derived by the rule alone, to out[n_col]. */
void vxg_block_row_own(struct vxg_block *b, const struct vxg_shape *sh, const int *col, int n, uint32_t row, fval *out);

/* A derived column of a block laid open. */
struct vxg_derived {
	int off;                        /* some rows have another value than the rule gives */
	const fval *num, *den;          /* [rows] */
	const double *table;
	struct fval_rule rule;
	int where, ratio;               /* ratio: by table, else a quotient */
	fval zero;
};
/* All rows of all columns, val[n_col][VXG_STRIDE].  compute 0: what a rule gives is left VXG_DERIVE, or nothing where it gives the whole
 * column, to be computed from the others by vxg_derived when it is asked for.  derived: [n_col], filled for columns that are. */
#define VXG_DERIVE INT64_MAX
void vxg_block_all(const struct vxg_block *b, const struct vxg_shape *sh, int compute, fval *val, struct vxg_derived *derived);
static inline fval
vxg_derived(const struct vxg_derived *c, const fval *val, uint32_t row)
{
	fval num = c->num[row], den = c->den[row];

	if (c->off && val[row] != VXG_DERIVE)
		return val[row];
	if (c->ratio)
		return c->table ? vxg_predict_ratio(c->rule, c->table, num, den) : FVAL_MISSING;
	if (num == 0)
		return c->where || (den > 0 && den <= INT32_MAX) ? c->zero : FVAL_MISSING;
	if (num < 0 || num > INT32_MAX || den < 1 || den > INT32_MAX)
		return FVAL_MISSING;
	return fval_quotient(c->rule, num, den);
}
/* Positions and alleles' codes of all rows. */
void vxg_block_keys(const struct vxg_block *b, uint32_t *pos, uint8_t *code);

/* --- a file ---------------------------------------------------------------------------- */

/* Index of one tier of one contig: n blocks. */
struct vxg_index {
	int64_t n, rows;
	uint64_t at;                    /* in the file: pos0[n] of 4 bytes, offset[n + 1] of 8, bucket[n_bucket + 1] of 4 */
	int shift;
	int64_t n_bucket;               /* bucket[k]: blocks that begin before position k << shift */
};

struct vxg_dir {
	struct fcols cols;
	struct vxg_meta meta;
	struct vxg_index *index;        /* [contigs][VXG_TIERS] */
	int64_t rows[VXG_TIERS], blocks[VXG_TIERS];
	struct { uint64_t at; int64_t n, bytes; } *dict;        /* [n_col] offsets[n + 1] of 4 bytes, then text */
	struct { uint64_t at; int64_t n; } *table;              /* [n_col] at 0 = none; n doubles, those behind them being -1 */
	uint64_t index_at, index_bytes; /* what the pages' checksums are of */
	uint64_t sums_at;               /* those, 4 bytes each */
};
void vxg_dir_clear(struct vxg_dir *d);
/* The directory as text, and back. */
void vxg_dir_write(const struct vxg_dir *d, struct str *out);
int vxg_dir_read(struct vxg_dir *d, const char *text, size_t n, const char *name, struct err *e);

#endif
