/* vxg - the frequency database: rows of alleles in bit-packed blocks, any value of any row without decoding the block
 *
 * Format: man/vxg.5.  A database is written in one go, rows in the order of frows_order, and is complete only once
 * its last 64 bytes are there.  Common alleles (AF >= 0.5 %) stand in blocks of their own, because they are what a genome asks for.
 *
 *	w = vxg_create(fd, &cols, &meta, par, e);
 *	vxg_put(w, rows, i, e); ...                     in order, no equals
 *	vxg_finish(w, e);
 *
 *	f = vxg_open(path, room, e);                    a struct freq
 */
#ifndef OVX_VXG_H
#define OVX_VXG_H

#include "base/err.h"
#include "os/par.h"
#include "var/freq.h"
#include "var/frows.h"

struct vxg_source {
	char *name;                     /* base name */
	int64_t size;                   /* bytes, -1 = a pipe */
	char digest[33];                /* hexadecimal, of its bytes as read */
};

/* What is known beside the rows; strings are the owner's. */
struct vxg_meta {
	char *release;                  /* "" = not recognised */
	char *build;                    /* "GRCh37", "GRCh38" or "" */
	struct strs contig;             /* names, in the order of frow.contig */
	int64_t *contig_length;         /* [contig.n], -1 = not known */
	struct vxg_source *source;
	int n_source;
	int aligned;                    /* built with a reference: alleles are left-aligned, not only trimmed */
	/* counts of the build: */
	int64_t records, alleles, trimmed, moved, merged, differing, unsupported, overflowed;
};
void vxg_meta_clear(struct vxg_meta *m);
void vxg_meta_copy(struct vxg_meta *to, const struct vxg_meta *from);

struct vxg_writer;
/* fd: a regular file, empty, read and write.  cols are copied.  temp: folder for temporary files or NULL.  Free with vxg_finish or vxg_drop. */
struct vxg_writer *vxg_create(int fd, const struct fcols *cols, struct par *par, struct err *e);
/* Row i of r, in rising order (ERR_DATA else).  Blocks are packed by all threads, some hundred at a time. */
int vxg_put(struct vxg_writer *w, const struct frows *r, int64_t i, struct err *e);
/* on: rows are put beside other work of the threads, so that full blocks wait; 1 when no more should be put that way.  0: that is over, what waits
 * is packed if there is much of it.  The bytes are the same. */
int vxg_beside(struct vxg_writer *w, int on, struct err *e);
/* Everything out, the end mark last; m says what is known.  Frees w, also with e set. */
int vxg_finish(struct vxg_writer *w, const struct vxg_meta *m, struct err *e);
int64_t vxg_memory(int n_col, int threads);     /* bytes that a writer takes */

/* Opens a database.  room: bytes of the map that may be resident; beyond it blocks are read.  ERR_CUT when it was cut short
 * or is still being written, ERR_DATA for a newer version, a damaged one, or no database.  fd form for runs. */
struct freq *vxg_open(const char *path, int64_t room, struct err *e);
struct freq *vxg_open_fd(int fd, const char *name, int64_t room, struct err *e);
/* Of a freq that vxg_open gave: */
/* What a cursor may keep of blocks taken apart, bytes (8 MB if nobody says); a little more with very many columns. */
void vxg_cursor_room(struct freq *f, int64_t bytes);
const struct vxg_meta *vxg_meta(const struct freq *f);
int64_t vxg_rows(const struct freq *f);
/* For vx-gnomad info, as TSV lines at the end of out: tier, name, rows, bytes; and bytes, column, bytes. */
int vxg_sizes(struct freq *f, struct str *out, struct err *e);

/* All rows in order. */
struct vxg_iter;
struct vxg_iter *vxg_iter(struct freq *f, struct err *e);
/* Adds the next up to n rows to r (which has the database's columns); 0 at the end, else how many. */
int64_t vxg_iter_next(struct vxg_iter *t, struct frows *r, int64_t n, struct err *e);
void vxg_iter_free(struct vxg_iter *t);
/* Reads everything and verifies every checksum; names the first place that is damaged. */
int vxg_check(struct freq *f, struct par *par, struct err *e);

#endif
