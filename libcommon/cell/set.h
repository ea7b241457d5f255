/* set - axes and sections as one data set: what a tool sees of its input
 *
 * A set is opened from BASE [DELTA...]: files, or "-" for standard input.  A later
 * input replaces sections of the same path.  A delta may change an axis (a new
 * axis with of=<digest of the old one> and the kept rows); what is bound to
 * an earlier axis is then read through the selection.
 *
 * Sections are found by path and read into memory, or, for X, passed over by
 * row blocks (struct rows).  New ones are put; an axis is subset; the whole
 * is written in canonical order.  Nothing is written before the end mark of
 * every input was seen.
 *
 *	set_open(&s, argv, n, e);
 *	set_dense(&s, "obsm/X_pca", &m, e);
 *	set_put_dense(&s, "obsm/X_harmony", DT_F32, x, n, d, "obsm/X_pca,obs/batch", e);
 *	set_write(&s, fd, new_only, e);
 *
 * Paths are AnnData's: X, layers/NAME, obs/NAME, var/NAME, obsm/NAME, varm/NAME,
 * obsp/NAME, varp/NAME, uns/NAME, log/NAME.
 */
#ifndef OVX_SET_H
#define OVX_SET_H

#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "cell/column.h"
#include "num/csr.h"
#include "os/par.h"
#include "stream/in.h"
#include "stream/out.h"
#include "stream/pack.h"

enum { AXIS_OBS, AXIS_VAR, N_AXIS };

struct axis {
	char digest[33];        /* "" while unknown */
	int64_t n;
	struct strs names;      /* empty when only the digest is known */
	int known;              /* names are there */
};

/* An axis that once was, and which of its rows are left. */
struct lineage {
	int axis;
	char digest[33];
	char to[33];            /* the digest of the axis that followed */
	int64_t n;              /* rows it had */
	int64_t *keep;          /* [rows of the current axis], rising */
};

struct item {
	struct sect *s;
	int made;               /* by this run */
	int piped;              /* came through standard input */
	int pending;            /* still on the pipe */
	int dropped;
};

struct set {
	struct axis axis[N_AXIS];
	int base_piped[N_AXIS]; /* the axis itself came through standard input: no of= is needed */
	int changed[N_AXIS];    /* subset by this run, or through standard input */
	char was[N_AXIS][33];   /* the digest that of= names then */
	int64_t *kept[N_AXIS];  /* rows of was that are left */
	struct lineage *past;
	int n_past;
	int n_open;             /* of those, how many the inputs brought */
	struct in *in;
	int n_in;
	int pipe;               /* number of the input that is a pipe, or -1 */
	struct in made;         /* pseudo input of new sections */
	struct spool spool;     /* one for all: at most spool.cap bytes in memory */
	struct item *item;
	int64_t n_item;
	struct map at;          /* path -> the last item of it */
	struct par *par;
	int64_t wave_bytes;     /* for row blocks in flight, beyond one for each thread and one that stays open; 0 = no limit */
	void (*warn)(const char *msg);          /* for what is dropped; may be NULL */
	void (*tick)(int64_t done, int64_t of); /* progress of passes over X; may be NULL */
};

/* Opens the inputs.  Reads indexes of files, and of a pipe everything up to X. */
int set_open(struct set *s, char **path, int n, struct err *e);
/* An empty set to be filled by puts (import, simulate). */
void set_init(struct set *s);
void set_close(struct set *s);
/* Reads a pipe to its end mark (tools that write no stream need this). */
int set_finish(struct set *s, struct err *e);

/* The item of a path, or NULL; by a hash. */
struct item *set_find(const struct set *s, const char *path);
/* A path that was put twice since the set had n_item items, or NULL. */
const char *set_twice(const struct set *s, int64_t n_item);
/* The same, or ERR_DATA with what there is instead and the tool that makes it. */
struct item *set_need(const struct set *s, const char *path, const char *hint, struct err *e);
/* Rows and columns of an item as the current axes have them. */
int64_t set_rows_of(const struct set *s, const struct item *it);
int64_t set_cols_of(const struct set *s, const struct item *it);
/* Which axis (AXIS_OBS, AXIS_VAR, or -1) dimension 0 or 1 of a section is bound to. */
int set_axis_of(const struct item *it, int dim);

/* Names of an axis; ERR_DATA when only its digest is known (delta without base). */
int set_names(struct set *s, int axis, struct err *e);
/* Hashes of the names: keys of random streams.  [axis n], the caller's. */
uint64_t *set_keys(struct set *s, int axis, struct err *e);

/* Readers; what they give is the caller's, nothing when e is set.  All apply the selection. */
int set_column(struct set *s, const char *path, struct column *c, struct err *e);
/* A mask [n] of a boolean column; NULL when the path is not there. */
int set_mask(struct set *s, const char *path, uint8_t **mask, struct err *e);
/* Numbers of a column as doubles. */
int set_numbers(struct set *s, const char *path, double **x, struct err *e);
/* [rows][cols] as float; set_dense64 as double. */
int set_dense(struct set *s, const char *path, float **x, int64_t *n, int64_t *d, struct err *e);
int set_dense64(struct set *s, const char *path, double **x, int64_t *n, int64_t *d, struct err *e);
/* A graph: ptr [n + 1], col, w as float; set_graph64 as double. */
int set_graph(struct set *s, const char *path, int64_t *n, int64_t **ptr, int32_t **col, float **w, struct err *e);
int set_graph64(struct set *s, const char *path, int64_t *n, int64_t **ptr, int32_t **col, double **w, struct err *e);
/* Text with a NUL behind it. */
int set_text(struct set *s, const char *path, struct str *text, struct err *e);
/* Rows of a sparse matrix.  Columns of a block are distinct, in the stream's own
 * order (by falling frequency), not rising.  The first pass over a pipe puts the blocks into the spool.
 * Free with set_rows_clear. */
int set_rows(struct set *s, const char *path, struct rows *r, struct err *e);
void set_rows_clear(struct rows *r);
/* Blocks as stored: columns rising in the stream's own numbering; *order [n_col]
 * gives the user's column of each.  For writers. */
int set_rows_stored(struct set *s, const char *path, struct rows *r, int32_t **order, struct err *e);
/* Flags of a pass.  SET_COUNTS: an error at the first value that is no count.
 * SET_COLUMNS: columns only; val of the blocks is NULL or holds anything, and blocks that are packed
 * save the time of decoding values (with SET_COUNTS the others are still checked).
 * Values that are stored but 0 (never in packed blocks) are left out then.
 * SET_WHOLE: whole blocks instead of pieces, and sum gets the block as well. */
#define SET_COUNTS 1
#define SET_COLUMNS 2
#define SET_WHOLE 4
void set_rows_flags(struct rows *r, int flags);
/* Limits passes to the rows lo .. hi - 1, which keep their numbers: multiples of ROWS_BLOCK, or the end.  Of a
 * file the others are not read. */
void set_rows_range(struct rows *r, int64_t lo, int64_t hi);
/* For each row of the current axis the number, the sum and the largest of its counts (values that are not 0), over the
 * genes of the current axis; [rows of the path] each, NULL = not wanted.  ERR_DATA at a value that is
 * no count.  Packed blocks are read and their checksums compared, but nothing of them is decoded, a tenth of a pass, unless
 * genes were dropped by this run: then it is a pass.  A pipe is put into the spool first, as by any pass. */
int set_row_stats(struct set *s, const char *path, int64_t *nnz, uint64_t *sum, uint32_t *max, struct err *e);
/* Upper bound of the bytes that one row block of X takes in a pass with these flags, from what is known
 * before reading it. */
int64_t set_block_bytes(struct set *s, const char *path, int flags, struct err *e);
/* Number of stored values of a sparse item; -1 while it is still on a pipe. */
int64_t set_nnz(struct set *s, const char *path, struct err *e);

/* Puts: a section of the current axes, replacing one of the same path.  from:
 * comma-separated paths that it was made from ("" for none). */
int set_put_axis(struct set *s, int axis, struct strs *names_take, struct err *e);
int set_put_column(struct set *s, const char *path, const struct column *c, const char *from, struct err *e);
int set_put_dense(struct set *s, const char *path, int dtype, const void *x, int64_t n, int64_t d, const char *from, struct err *e);
/* The same block by block, for what is not to be held in memory: start, then all rows in order, BLOCK_DENSE at a time but for
 * the last. */
int set_start_dense(struct set *s, const char *path, int dtype, int64_t n, int64_t d, const char *from, struct sect **sect,
	struct err *e);
int set_add_dense(struct set *s, struct sect *sect, int64_t row0, int64_t n_row, const void *x, struct err *e);
int set_put_graph(struct set *s, const char *path, int dtype, int64_t n, const int64_t *ptr, const int32_t *col,
	const void *w, const char *from, struct err *e);
int set_put_text(struct set *s, const char *path, const char *text, const char *from, struct err *e);
int set_put_formula(struct set *s, const char *path, const struct strs *kv, const char *from, struct err *e);
/* Shorthands for columns of numbers. */
int set_put_f64(struct set *s, const char *path, const double *x, int64_t n, const char *from, struct err *e);
int set_put_i64(struct set *s, const char *path, const int64_t *x, int64_t n, const char *from, struct err *e);
int set_put_bool(struct set *s, const char *path, const uint8_t *x, int64_t n, const char *from, struct err *e);
/* ids of comma-separated paths, comma-separated, for from=. */
int set_from(struct set *s, const char *paths, struct str *ids, struct err *e);

/* The same as they were before this run subset anything: for provenance. */
int set_from_old(struct set *s, const char *paths, struct str *ids, struct err *e);

/* A sparse matrix put row by row: start, blocks of exactly BLOCK_SPARSE rows but
 * the last, end.  order [n_col] as in set_rows_stored; cols rising in that numbering. */
int set_put_sparse(struct set *s, const char *path, int dtype, int64_t n_row, int64_t n_col, const int32_t *order,
	struct sect **sect, struct err *e);
int set_add_sparse(struct set *s, struct sect *sect, const struct csr *m, struct err *e);

/* A sparse matrix from rows in the user's columns, in any order within a row:
 * the first 65,536 rows are put aside to number the genes by falling
 * frequency, then all rows are stored in blocks of BLOCK_SPARSE.
 *
 *	sink_open(&k, s, "X", DT_F32, n_row, n_col, e);
 *	sink_add(&k, &block, e);        blocks of any number of rows, in order
 *	sink_close(&k, e);
 */
struct sink {
	struct set *set;
	char *path;
	int dtype;
	int64_t n_row, n_col;
	int64_t given;          /* rows taken */
	int wrong;              /* see sink_rank */
	struct sect *early;     /* those rows, in the user's order */
	struct sect *sect;
	int32_t *place;         /* [n_col] column -> place in the stream's order */
	struct csr *block;      /* [n_slot], filled one after the other */
	int n_slot, at;
	void *work;
};

#define SINK_HEAD 65536

int sink_open(struct sink *k, struct set *s, const char *path, int dtype, int64_t n_row, int64_t n_col, struct err *e);
/* m: columns 0..n_col-1; zeros are left out, and a column that a row has twice adds up.  Whole blocks (of BLOCK_SPARSE rows from
 * a multiple of that on), as many as there are threads, are encoded where they are; others are gathered first, which
 * costs a copy. */
int sink_add(struct sink *k, const struct csr *m, struct err *e);
/* The same as they lie in a file.  ERR_DATA, without saying which, when a column is not below n_col. */
int sink_add_rows(struct sink *k, const struct pack_rows *m, struct err *e);
/* Before the first rows: in how many of the first 65,536 each column stands, [n_col], so that none need be put aside.
 * Should those rows hold zeros, or a column twice, then wrong is set: the section is to be given up and begun again
 * without. */
int sink_rank(struct sink *k, const int64_t *freq, struct err *e);
/* With given set to -1 by the caller the section is given up and dropped. */
int sink_close(struct sink *k, struct err *e);
/* m with columns renumbered by place (NULL = as they are), rising, zeros left out. */
void sink_place(const int32_t *place, const struct csr *m, struct csr *to);

void set_drop(struct set *s, const char *path);
/* Keeps rows keep[0..n-1] (rising) of an axis: everything bound to it is read
 * and written through the selection from now on. */
int set_subset(struct set *s, int axis, const int64_t *keep, int64_t n, struct err *e);

/* Writes the set, or only what is new (made here, changed, or piped), then the end mark.  All inputs
 * are read to theirs before. */
int set_write(struct set *s, int fd, int new_only, struct err *e);

/* Digest of a list of names. */
void axis_digest(const struct strs *names, char digest[33]);
extern const char *const axis_name[N_AXIS];

/* private to cell/ */
struct item *set_add_item(struct set *s, struct sect *sect, int made, int piped);
const int64_t *set_selection(const struct set *s, const struct item *it, int dim);
int set_order(struct set *s, struct sect *sect, int32_t **order, struct err *e);
int set_next_pending(struct set *s, struct err *e);
struct sect *set_new_sect(struct set *s, struct head *h_take);
int set_add_block(struct set *s, struct sect *sect, struct block *b, const void *raw, int64_t n, struct err *e);
void set_bind(struct set *s, struct head *h, const char *path, const char *from, struct err *e);
/* The rows of a column as the blocks of a section. */
int set_add_column(struct set *s, struct sect *sect, const struct column *c, struct err *e);
void set_done(struct sect *sect);
void set_map_id(const struct set *s, const char *old, char id[33]);

#endif
