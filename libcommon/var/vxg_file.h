/* vxg_file - an opened frequency database, as its parts share it: vxg_open.c opens, vxg_find.c answers, vxg_iter.c walks through
 *
 * The file is mapped, or, where the map would take more memory than there is, blocks are read into a small cache
 * of each cursor.  Nothing is trusted before its checksum was seen: of indexes page by page, of blocks when they are
 * first used; what was seen is remembered, for all cursors together.
 */
#ifndef OVX_VXG_FILE_H
#define OVX_VXG_FILE_H

#include <stdatomic.h>
#include "var/vxg_impl.h"

/* Questions in a row after which a block is laid open; common ones, of which only the keys are. */
#define WIDE_AFTER 8
#define WIDE_COMMON 24

struct vxg {
	struct freq f;                  /* first: what the caller holds */
	int fd;
	int64_t cursor_room;            /* 0 = as much as is good */
	char *name;
	uint64_t size;
	const uint8_t *map;             /* NULL: read by pieces */
	uint8_t *pages;                 /* index area in memory, when there is no map */
	struct vxg_dir d;
	uint8_t *sums;                  /* checksums of the pages */
	int64_t n_page;
	_Atomic uint8_t *page_ok;
	_Atomic uint8_t *block_ok;      /* two bits for each block, one for each of its checksums: by index, contigs and tiers one behind the other */
	int64_t *block0;                /* [contigs * tiers] */
	double **table;
	const uint8_t **dict;           /* [n_col] dictionaries, once they were checked */
	const char **contig;
	int64_t *contig_rows;
	struct vxg_shape shape;
};

/* A block taken apart, kept while others are asked. */
struct slot {
	int64_t id;                     /* number of the block, -1 = free */
	struct vxg_block b;
	uint8_t *own;                   /* without a map: its bytes */
	size_t cap;
};

/* Keys of a block of which many rows are asked, laid open. */
struct wide {
	int64_t id;                     /* -1 = none */
	const struct slot *slot;        /* where it was */
	int contig;
	uint32_t lo, hi;                /* positions of its first row, of its last one */
	uint32_t gap_lo, gap_hi;        /* positions of rows between which nothing stands */
	uint32_t n, at;                 /* rows; where the last question ended */
	uint32_t pos[VXG_ROWS];
	uint8_t code[VXG_ROWS];         /* of alleles */
};

/* A column of a block whose values lie open. */
struct ready {
	const fval *val;                /* [rows] */
	const struct vxg_derived *derived;      /* NULL: it is not */
};

/* A tag of a row that is printed, and how its column in the block laid open is put: see vxg_print.c. */
#define VXG_ZERO 48                     /* bytes of a key and a short text, copied in one piece */
#define VXG_KEPT 32                     /* texts of a dictionary that are kept with the key in front */
struct vxg_kept {
	char s[63];                     /* VXG_ZERO are used: 64 bytes each */
	uint8_t n;                      /* 0 = not yet */
};
struct vxg_put {
	const char *key;
	uint32_t n_key;
	int col;
	uint8_t how, type, where, off, n_zero;
	const fval *val, *num, *den;    /* [rows] */
	const double *table;
	const struct vxg_derived *derived;      /* NULL: it is not */
	struct vxg_kept *kept;          /* strings: [VXG_KEPT] by number */
	char zero[VXG_ZERO];
	struct fval_looks looks;
};

struct freq_cursor {
	struct vxg *x;
	struct vxg_put *put;            /* [n_put] tags to be printed */
	int n_put;
	int64_t put_id;                 /* the block that they are set for */
	/* of a row of a common block: its values as they stand there, of the n_own columns that are wanted */
	fval *one;                      /* [n_col] */
	struct vxg_derived *one_derived;
	struct ready *one_ready;
	int *own, n_own;
	struct wide wide[VXG_TIERS];
	int64_t val_id;                 /* the rare block whose values lie open */
	fval *val;                      /* [n_col][VXG_STRIDE] */
	struct vxg_derived *derived;    /* [n_col] */
	struct ready *ready;            /* [n_col] */
	int64_t asked_id[VXG_TIERS];    /* the block asked last, and how often in a row */
	int asked[VXG_TIERS];
	struct slot *slot[VXG_TIERS];   /* n_slot of each */
	int n_slot[VXG_TIERS];
	/* The stretch of positions that the block asked last answers alone: lo < pos < hi. */
	struct {
		int contig;             /* -1 = none */
		uint64_t lo, hi;
		struct slot *slot;      /* NULL: no block, nothing stands there */
		int64_t id;
	} range[VXG_TIERS];
	/* the text heap inflated last */
	struct str heap;
	const struct vxg_more *heap_of;
	int64_t heap_id;
	const struct vxg_block *found;
	int64_t found_id;
};

/* Sets e: damaged. */
int vxg_broken(const struct vxg *x, const char *what, struct err *e);
/* n bytes of the index area, checked; NULL with e set. */
const uint8_t *vxg_index_bytes(struct vxg *x, uint64_t at, uint64_t n, struct err *e);
/* Bytes of block i of an index; without a map they are read into s. */
const uint8_t *vxg_block_bytes(struct vxg *x, const struct vxg_index *q, int64_t i, struct slot *s, size_t *n, struct err *e);
/* Texts: of the dictionary, and of a block's heap (which the cursor keeps inflated). */
const char *vxg_dict_text(struct vxg *x, int col, uint64_t i, size_t *n, struct err *e);
const char *vxg_heap_text(struct freq_cursor *k, const struct vxg_block *b, int64_t id, int col, uint64_t i, size_t *n, struct err *e);
/* Tags of rows that will be printed; the block of these rows, whose values lie open; one of its rows.  NULL: a text is too long. */
void vxg_print_tags(struct freq_cursor *k, const struct freq_tag *t, int n);
void vxg_print_free(struct freq_cursor *k);
void vxg_print_block(struct freq_cursor *k, const struct vxg_block *b);
char *vxg_print_row(struct freq_cursor *k, uint32_t row, char *o, struct err *e);
/* The same for a common block, whose columns are ready: 0 when its rows are not to be had that way.  *filter: as freq's print. */
int vxg_print_common(struct freq_cursor *k, const struct vxg_block *b);
char *vxg_print_common_row(struct freq_cursor *k, struct vxg_block *b, uint32_t row, char *o, fval *filter, struct err *e);
/* The functions of struct freq. */
void vxg_ask(struct freq *f);

#endif
