/* err - errors of the library: a code and a sentence, owned by the caller
 *
 * Nothing below app/ prints or exits.  A call that can fail by its input, the
 * machine or arithmetic takes a struct err as its last argument and returns
 * e->code (0 when all is well, negative otherwise).  An err is sticky: the first
 * one wins, and a call that is given a set err does nothing, so that a
 * sequence of calls needs one look at the end:
 *
 *	struct err e = {0};
 *	in_open(&in, path, &e);
 *	in_next(&in, &e);
 *	if (e.code)
 *		...
 *
 * The sentence follows the grammar "object: fact; what to do": lower case, no
 * function names, no full stop, one line.
 */
#ifndef OVX_ERR_H
#define OVX_ERR_H

enum err_code {
	ERR_NONE = 0,
	ERR_DATA = -1,          /* malformed, damaged or unfit input */
	ERR_SYSTEM = -2,        /* the machine: disk, files, threads */
	ERR_NUMERIC = -3,       /* NaN, no convergence, not positive */
	ERR_USAGE = -4,         /* the command line asks for what cannot be */
	ERR_CUT = -5,           /* the input ended before its end mark */
	ERR_MEMORY = -6         /* the memory cap cannot be met */
};

struct err {
	int code;               /* an enum err_code */
	char msg[500];          /* one line, no newline */
};

/* Sets e to code and a formatted sentence, unless e is set already.
 * Returns e->code. */
int err_set(struct err *e, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same with ": strerror(errno)" behind the sentence. */
int err_errno(struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* A broken invariant of ours, never of the input: writes file and line to
 * standard error and aborts.  On in release builds. */
#define BUG_IF(cond) ((cond) ? err_bug(#cond, __FILE__, __LINE__) : (void)0)
void err_bug(const char *cond, const char *file, int line)
	__attribute__((noreturn));

#endif
