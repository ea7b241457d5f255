/* file - files and pipes: whole reads and writes, atomic output, kernel copies
 *
 * Output to a name is atomic: it goes to an unnamed temporary file on the same
 * file system (O_TMPFILE; where there is none, a name beside the target), which is
 * synced and renamed when outfile_commit is called, and gone when not.  A link stays:
 * what it leads to is replaced, or made.  Devices, pipes and standard output are
 * written directly.  At most two at a time.
 *
 *	struct outfile o;
 *	outfile_open(&o, path, e);      NULL or "-" is standard output
 *	file_write(o.fd, buf, n, e);
 *	outfile_commit(&o, e);          or outfile_abort(&o)
 */
#ifndef OVX_FILE_H
#define OVX_FILE_H

#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

/* Reads n bytes unless the end comes first; returns the bytes read, or -1 with
 * e set.  Goes on after interrupts. */
int64_t file_read(int fd, void *buf, size_t n, struct err *e);
/* The same at an offset. */
int64_t file_pread(int fd, void *buf, size_t n, int64_t offset, struct err *e);
/* Writes all n bytes. */
int file_write(int fd, const void *buf, size_t n, struct err *e);
int file_pwrite(int fd, const void *buf, size_t n, int64_t offset, struct err *e);
/* One writev: the bytes that were written, which may be fewer, or -1 with e set. */
struct iovec;
int64_t file_writev(int fd, const struct iovec *v, int n, struct err *e);
/* Copies n bytes from fd in (at *offset, or from where it stands when offset
 * is NULL) to fd out, inside the kernel where it can: copy_file_range, splice,
 * else by a buffer.  A source that ends early is ERR_CUT. */
int file_copy(int in, int64_t *offset, int out, int64_t n, struct err *e);
/* Opens a file for reading; "-" is a duplicate of standard input. */
int file_open(const char *path, struct err *e);
/* A name under which what path holds can be opened again and again: path itself,
 * or, for a pipe, a file descriptor's name that lasts as long as the process,
 * the bytes having been put into a temporary file.  out: 64 bytes. */
const char *file_again(const char *path, char out[64], struct err *e);
/* Size of a regular file, or -1 for anything that cannot be sought. */
int64_t file_size(int fd);

struct outfile {
	int fd;
	char *target;           /* NULL when written directly */
	char *temp;             /* a name beside it, or NULL for O_TMPFILE */
};

int outfile_open(struct outfile *o, const char *path, struct err *e);
/* Syncs, names and closes the output; with e set it only discards it. */
int outfile_commit(struct outfile *o, struct err *e);
void outfile_abort(struct outfile *o);
/* Removes a named temporary file; safe in a signal handler. */
void outfile_signal(void);

/* An unlinked temporary file in dir, or, when dir is NULL, in $TMPDIR or else
 * /var/tmp.  A tmpfs is refused, because it is memory. */
int file_temp(const char *dir, struct err *e);

/* Fails the n-th read or write from now on when n > 0 (fault tests). */
void file_fail_at(long read, long write);

#endif
