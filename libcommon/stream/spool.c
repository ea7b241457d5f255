/* spool - see spool.h */
#include "stream/spool.h"

#include <string.h>
#include <unistd.h>
#include "os/file.h"

int64_t
spool_add(struct spool *s, const void *p, int64_t n, struct err *e)
{
	int64_t at = s->n, cap = s->cap ? s->cap : SPOOL_MEMORY;

	if (e->code)
		return -1;
	if (s->fd == 0 && s->n + n > cap)
		s->fd = file_temp(NULL, e);
	if (s->fd == 0)
		str_addn(&s->mem, p, (size_t)n);
	else
		file_pwrite(s->fd, p, (size_t)n, at - (int64_t)s->mem.n, e);
	if (e->code) {
		if (s->fd < 0)
			s->fd = 0;
		return -1;
	}
	s->n += n;
	return at;
}

int
spool_read(struct spool *s, int64_t at, void *p, int64_t n, struct err *e)
{
	if (e->code || n == 0)
		return e->code;
	BUG_IF(at < 0 || at + n > s->n);
	/* A piece never lies half in memory: what does not fit starts the file. */
	if (at < (int64_t)s->mem.n)
		memcpy(p, s->mem.s + at, (size_t)n);
	else if (file_pread(s->fd, p, (size_t)n, at - (int64_t)s->mem.n, e) != n)
		err_set(e, ERR_SYSTEM, "the temporary file ends early");
	return e->code;
}

int
spool_copy(struct spool *s, int64_t at, int64_t n, int fd, struct err *e)
{
	int64_t off = at - (int64_t)s->mem.n;

	if (e->code || n == 0)
		return e->code;
	BUG_IF(at < 0 || at + n > s->n);
	if (at < (int64_t)s->mem.n)
		return file_write(fd, s->mem.s + at, (size_t)n, e);
	return file_copy(s->fd, &off, fd, n, e);
}

void
spool_clear(struct spool *s)
{
	str_clear(&s->mem);
	if (s->fd > 0)
		close(s->fd);
	s->fd = 0;
	s->n = 0;
}
