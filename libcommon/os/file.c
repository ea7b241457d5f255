/* file - see file.h */
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/statfs.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/str.h"

#define TMPFS_ID 0x01021994
#define RAMFS_ID 0x858458f6

static atomic_long fail_read, fail_write;
/* The named temporaries of the outputs that a signal must not leave behind. */
static char pending[2][PATH_MAX];

void
file_fail_at(long r, long w)
{
	atomic_store(&fail_read, r);
	atomic_store(&fail_write, w);
}

static int
must_fail(atomic_long *at)
{
	if (atomic_load_explicit(at, memory_order_relaxed) <= 0)
		return 0;
	if (atomic_fetch_sub(at, 1) != 1)
		return 0;
	errno = EIO;
	return 1;
}

static int64_t
read_some(int fd, char *p, size_t n, int64_t offset)
{
	if (must_fail(&fail_read))
		return -1;
	if (n > (1 << 30))
		n = 1 << 30;
	return offset < 0 ? read(fd, p, n) : pread(fd, p, n, offset);
}

static int64_t
read_all(int fd, void *buf, size_t n, int64_t offset, struct err *e)
{
	size_t got = 0;

	if (e->code)
		return -1;
	while (got < n) {
		int64_t r = read_some(fd, (char *)buf + got, n - got, offset < 0 ? -1 : offset + (int64_t)got);

		if (r == 0)
			break;
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0) {
			err_errno(e, "reading the input");
			return -1;
		}
		got += (size_t)r;
	}
	return (int64_t)got;
}

int64_t
file_read(int fd, void *buf, size_t n, struct err *e)
{
	return read_all(fd, buf, n, -1, e);
}

int64_t
file_pread(int fd, void *buf, size_t n, int64_t offset, struct err *e)
{
	return read_all(fd, buf, n, offset, e);
}

static int
write_all(int fd, const void *buf, size_t n, int64_t offset, struct err *e)
{
	size_t put = 0;

	if (e->code)
		return e->code;
	while (put < n) {
		size_t some = n - put > (1 << 30) ? 1 << 30 : n - put;
		int64_t r = must_fail(&fail_write) ? -1 :
		    offset < 0 ? write(fd, (const char *)buf + put, some) :
		    pwrite(fd, (const char *)buf + put, some, offset + (int64_t)put);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_errno(e, "writing the output");
		put += (size_t)r;
	}
	return 0;
}

int
file_write(int fd, const void *buf, size_t n, struct err *e)
{
	return write_all(fd, buf, n, -1, e);
}

int
file_pwrite(int fd, const void *buf, size_t n, int64_t offset, struct err *e)
{
	return write_all(fd, buf, n, offset, e);
}

int64_t
file_writev(int fd, const struct iovec *v, int n, struct err *e)
{
	int64_t r;

	if (e->code)
		return -1;
	do
		r = must_fail(&fail_write) ? -1 : writev(fd, v, n);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		err_errno(e, "writing the output");
	return r;
}

/* One kernel copy of at most n bytes; -1 with errno when it cannot. */
static int64_t
kernel_copy(int in, int64_t *offset, int out, int64_t n, int *way)
{
	loff_t at = offset ? *offset : 0;
	loff_t *p = offset ? &at : NULL;
	size_t some = n > (1 << 24) ? 1 << 24 : (size_t)n;
	int64_t r = -1;

	errno = EINVAL;
	if (*way == 0 && (r = copy_file_range(in, p, out, NULL, some, 0)) <= 0)
		*way = 1;
	if (*way == 1 && (r = splice(in, p, out, NULL, some, SPLICE_F_MOVE)) < 0 && errno != EPIPE && errno != EIO &&
	    errno != ENOSPC && errno != EINTR)
		*way = 2;
	return r;
}

int
file_copy(int in, int64_t *offset, int out, int64_t n, struct err *e)
{
	/* Fault tests count plain reads and writes only. */
	int way = atomic_load(&fail_read) > 0 || atomic_load(&fail_write) > 0 ? 2 : 0;
	char *buf = NULL;
	int64_t at = offset ? *offset : -1;

	while (n > 0 && !e->code) {
		int64_t r;

		if (way < 2) {
			r = kernel_copy(in, offset ? &at : NULL, out, n, &way);
			if (way == 2 || (r < 0 && errno == EINTR))
				continue;
			if (r < 0) {
				err_errno(e, "writing the output");
				break;
			}
		} else {
			size_t some = n > (1 << 18) ? 1 << 18 : (size_t)n;

			if (!buf)
				buf = mem_raw(char, 1 << 18);
			r = read_all(in, buf, some, at, e);
			if (r > 0)
				file_write(out, buf, (size_t)r, e);
		}
		if (r == 0)
			err_set(e, ERR_CUT, "the input ends in the middle");
		if (r > 0) {
			n -= r;
			if (offset)
				at += r;
		}
	}
	if (offset)
		*offset = at;
	mem_free(buf);
	return e->code;
}

int
file_open(const char *path, struct err *e)
{
	int fd;

	if (e->code)
		return -1;
	if (strcmp(path, "-") == 0)
		fd = fcntl(0, F_DUPFD_CLOEXEC, 3);
	else
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		err_errno(e, "%s", strcmp(path, "-") ? path : "standard input");
	return fd;
}

int64_t
file_size(int fd)
{
	struct stat s;

	if (fstat(fd, &s) || !S_ISREG(s.st_mode))
		return -1;
	return s.st_size;
}

/* What a name leads to: links are followed, also where the file that they name is
 * not there yet.  The caller's; NULL with errno when they go round in circles. */
static char *
follow(const char *path)
{
	char *at = mem_strdup(path), to[PATH_MAX];
	ssize_t n = 0;

	for (int i = 0; i < 40 && (n = readlink(at, to, sizeof to)) > 0; i++) {
		char *slash = to[0] == '/' ? NULL : strrchr(at, '/');
		struct str t = {0};

		if (slash)
			str_addn(&t, at, (size_t)(slash + 1 - at));
		str_addn(&t, to, (size_t)n);
		mem_free(at);
		at = t.s;
	}
	if (n <= 0)
		return at;
	mem_free(at);
	errno = ELOOP;
	return NULL;
}

/* Gives o the name of a temporary beside its target: the start of the target's own, so
 * that it is no longer than a name may be, and another one for a second output. */
static void
name_temp(struct outfile *o)
{
	const char *slash = strrchr(o->target, '/'), *base = slash ? slash + 1 : o->target;
	size_t n = strlen(base);
	struct str t = {0};

	if (n > 200)
		for (n = 200; n > 190 && ((unsigned char)base[n] & 0xc0) == 0x80; n--)   /* no half UTF-8 */
			;
	str_addn(&t, o->target, (size_t)(base - o->target) + n);
	str_addf(&t, ".tmp.%ld%s", (long)getpid(), pending[0][0] ? ".2" : "");
	o->temp = t.s;
}

static void
note_pending(const struct outfile *o)
{
	for (int i = 0; i < 2; i++)
		if (!pending[i][0]) {
			snprintf(pending[i], sizeof pending[i], "%s", o->temp);
			return;
		}
}

static void
forget_pending(const struct outfile *o)
{
	for (int i = 0; i < 2; i++)
		if (o->temp && strcmp(pending[i], o->temp) == 0)
			pending[i][0] = 0;
}

/* Opens an unnamed file in the folder of o->target, or a named one beside it. */
static int
open_beside(struct outfile *o, struct err *e)
{
	char *slash = strrchr(o->target, '/');
	char *dir = slash ? mem_strndup(o->target, slash == o->target ? 1 : (size_t)(slash - o->target)) : mem_strdup(".");
	struct stat s;
	mode_t mask = umask(0);
	mode_t mode = stat(o->target, &s) == 0 ? s.st_mode & 0777 : 0666 & ~mask;

	umask(mask);
	o->fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (o->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL || errno == ENOENT)) {
		name_temp(o);
		o->fd = open(o->temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (o->fd >= 0)
			note_pending(o);
	}
	if (o->fd < 0)
		err_errno(e, "%s", o->target);
	else if (fchmod(o->fd, mode))
		err_errno(e, "%s", o->target);
	mem_free(dir);
	return e->code;
}

int
outfile_open(struct outfile *o, const char *path, struct err *e)
{
	struct stat s;

	memset(o, 0, sizeof *o);
	o->fd = -1;
	if (e->code)
		return e->code;
	if (!path || strcmp(path, "-") == 0) {
		o->fd = fcntl(1, F_DUPFD_CLOEXEC, 3);
		return o->fd < 0 ? err_errno(e, "standard output") : 0;
	}
	if (stat(path, &s) == 0 && !S_ISREG(s.st_mode)) {
		o->fd = open(path, O_WRONLY | O_CLOEXEC);
		return o->fd < 0 ? err_errno(e, "%s", path) : 0;
	}
	o->target = follow(path);
	return o->target ? open_beside(o, e) : err_errno(e, "%s", path);
}

/* Gives an O_TMPFILE output its name: directly when that is free, else by a
 * name beside it that is then renamed over the old file. */
static int
name_it(struct outfile *o, struct err *e)
{
	char self[64];

	snprintf(self, sizeof self, "/proc/self/fd/%d", o->fd);
	if (linkat(AT_FDCWD, self, AT_FDCWD, o->target, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	/* Without /proc, the descriptor itself (for which Linux wants root). */
	if (errno == ENOENT && linkat(o->fd, "", AT_FDCWD, o->target, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno != EEXIST)
		return err_errno(e, "%s", o->target);
	name_temp(o);
	note_pending(o);
	if (linkat(AT_FDCWD, self, AT_FDCWD, o->temp, AT_SYMLINK_FOLLOW) &&
	    linkat(o->fd, "", AT_FDCWD, o->temp, AT_EMPTY_PATH))
		return err_errno(e, "%s", o->temp);
	return 0;
}

int
outfile_commit(struct outfile *o, struct err *e)
{
	if (o->fd < 0 || e->code) {
		outfile_abort(o);
		return e->code;
	}
	if (o->target) {
		if (must_fail(&fail_write) || fsync(o->fd))
			err_errno(e, "%s", o->target);
		if (!e->code && !o->temp)
			name_it(o, e);
		if (!e->code && o->temp && rename(o->temp, o->target))
			err_errno(e, "%s", o->target);
		if (!e->code) {
			forget_pending(o);
			mem_free(o->temp);
			o->temp = NULL;
		}
	}
	if (!e->code && close(o->fd)) {
		o->fd = -1;
		err_errno(e, "closing the output");
	} else if (!e->code) {
		o->fd = -1;
	}
	outfile_abort(o);
	return e->code;
}

void
outfile_abort(struct outfile *o)
{
	if (o->fd >= 0)
		close(o->fd);
	if (o->temp)
		unlink(o->temp);
	forget_pending(o);
	mem_free(o->temp);
	mem_free(o->target);
	o->temp = o->target = NULL;
	o->fd = -1;
}

void
outfile_signal(void)
{
	for (int i = 0; i < 2; i++)
		if (pending[i][0])
			unlink(pending[i]);
}

int
file_temp(const char *dir, struct err *e)
{
	struct statfs s;
	char name[PATH_MAX];
	int fd;

	if (e->code)
		return -1;
	if (!dir)
		dir = getenv("TMPDIR");
	if (!dir || !dir[0])
		dir = "/var/tmp";
	if (statfs(dir, &s)) {
		err_errno(e, "temporary folder %s; set TMPDIR", dir);
		return -1;
	}
	if (s.f_type == TMPFS_ID || s.f_type == RAMFS_ID) {
		err_set(e, ERR_SYSTEM, "temporary folder %s lies in memory (tmpfs); set TMPDIR to a folder on a disk", dir);
		return -1;
	}
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	snprintf(name, sizeof name, "%s/ovx.XXXXXX", dir);
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		err_errno(e, "temporary file in %s; set TMPDIR", dir);
	else
		unlink(name);
	return fd;
}

const char *
file_again(const char *path, char out[64], struct err *e)
{
	struct stat s;
	int in, temp;
	char *buf;
	int64_t n;

	if (e->code || (strcmp(path, "-") && (stat(path, &s) || !S_ISFIFO(s.st_mode))))
		return path;
	in = file_open(path, e);
	temp = file_temp(NULL, e);
	buf = mem_raw(char, 1 << 16);
	while (!e->code && (n = file_read(in, buf, 1 << 16, e)) > 0)
		file_write(temp, buf, (size_t)n, e);
	mem_free(buf);
	if (in >= 0)
		close(in);
	snprintf(out, 64, "/proc/self/fd/%d", temp);
	return e->code ? path : out;
}
