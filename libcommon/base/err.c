/* err - see err.h */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (e->code)
		return e->code;
	e->code = code;
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
	return code;
}

int
err_errno(struct err *e, const char *fmt, ...)
{
	int keep = errno;
	va_list ap;
	size_t n;

	if (e->code)
		return e->code;
	e->code = ERR_SYSTEM;
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
	n = strlen(e->msg);
	snprintf(e->msg + n, sizeof e->msg - n, ": %s", strerror(keep));
	return e->code;
}

void
err_bug(const char *cond, const char *file, int line)
{
	char buf[400];
	int n = snprintf(buf, sizeof buf, "bug: %s:%d: %s\n", file, line, cond);

	if (n > 0 && write(2, buf, (size_t)n < sizeof buf ? (size_t)n : sizeof buf - 1) < 0)
		n = 0;
	abort();
}
