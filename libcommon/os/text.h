/* text - lines of plain or gzip text
 *
 *	struct text t;
 *	text_open(&t, "barcodes.tsv.gz", e);
 *	while (text_line(&t, e))
 *		use(t.line, t.len);
 *	text_close(&t);
 *
 * Gzip is recognised by its first bytes, not by the name; a gzip file that ends
 * early is ERR_CUT.  CR LF counts as one line end.  Lines have any length.
 */
#ifndef OVX_TEXT_H
#define OVX_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

struct text {
	char *line;             /* NUL-terminated, without the line end; until the next call */
	size_t len;
	int64_t n_line;         /* number of line, from 1 */
	char *path;
	void *gz;
	char *buf;
	size_t cap, at, end;
	int eof;
};

int text_open(struct text *t, const char *path, struct err *e);
/* 1 and the next line, or 0 at the end or with e set. */
int text_line(struct text *t, struct err *e);
/* Up to n raw bytes, 0 at the end; not to be mixed with text_line. */
int64_t text_read(struct text *t, void *buf, size_t n, struct err *e);
/* Whole lines, want bytes of them or somewhat more, unless the file ends before; then the last may lack its end.  They
 * come as they are, uncounted, in *buf [*cap], which grows as needed (mem_renew), with a NUL behind.  May follow text_line.
 * Returns the bytes, 0 at the end; with e set, those of the whole lines in front of the error. */
size_t text_block(struct text *t, size_t want, char **buf, size_t *cap, struct err *e);
void text_close(struct text *t);

/* Writes gzip text to a file descriptor, which stays the caller's; no time and no name in the
 * header, so that equal text gives equal bytes.
 *
 *	struct gz z;
 *	gz_open(&z, fd, "matrix.mtx.gz", e);
 *	gz_put(&z, s, n, e);
 *	gz_close(&z, e);                always; only then it is known to be whole
 */
struct gz {
	void *gz;
	char *name;             /* for messages */
};
int gz_open(struct gz *z, int fd, const char *name, struct err *e);
int gz_put(struct gz *z, const void *s, size_t n, struct err *e);
int gz_close(struct gz *z, struct err *e);

/* Inflates gzip that somebody else reads: bytes are pushed in as they come, from the first one of
 * the file on.  Any number of members, one behind the other; zeros behind the last one are padding, as
 * gzip has it, anything else there is ERR_DATA.
 *
 *	struct gun g;
 *	gun_open(&g, e);
 *	gun_push(&g, in, n_in, &used, out, room, &made, e);     again with what was not used
 *	gun_close(&g, 1, e);                                    always
 */
struct gun {
	void *z;
	int state;
	int64_t n_member;       /* members that ended */
};
int gun_open(struct gun *g, struct err *e);
/* Takes *used <= n_in bytes and makes *made <= room: it stops when either is at its end, and does
 * something unless n_in or room is 0.  Whoever has pushed the whole file and had
 * *used == n_in has all of its bytes.  Both are 0 with e set or once that happened. */
int gun_push(struct gun *g, const uint8_t *in, size_t n_in, size_t *used, uint8_t *out, size_t room, size_t *made,
    struct err *e);
/* Frees it; = {0} and a second time are allowed.  at_end: the input is at its end, which is ERR_CUT inside a
 * member or before the first. */
int gun_close(struct gun *g, int at_end, struct err *e);

/* A whole number or real in s, all of it; 0 when it is none.  Decimal, "nan" and
 * "inf" are read; leading blanks are not. */
int text_int(const char *s, int64_t *v);
int text_real(const char *s, double *v);

/* Cuts line at every sep in place; returns the number of fields, of which at
 * most max are stored.  With quotes, "a""b" is read as CSV does. */
int text_split(char *line, char sep, int quotes, char **field, int max);

#endif
