/* opt - one table a tool: parsing, ranges, help, man page check, completion and
 * provenance all come from it
 *
 *	static struct { int64_t k; const char *layer; int whiten; } o;
 *	static const struct opt opts[] = {
 *		{ 'k', "components", INT(&o.k), "50", "[1,1000]", "N", "number of components" },
 *		{ 0, "layer", STR(&o.layer), "scaled", "", "NAME", "layer to decompose" },
 *		{ 0, "whiten", FLAG(&o.whiten), "", "", "", "scale the scores to variance 1" },
 *		{0}
 *	};
 *
 * Ranges: "[2,100]", "(0,inf)" for numbers, "a|b|c" for words, "" for anything.
 * Long options need their full name; numbers are read to the last character.
 */
#ifndef OVX_OPT_H
#define OVX_OPT_H

#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

enum opt_type { OPT_END, OPT_FLAG, OPT_INT, OPT_REAL, OPT_STR, OPT_FILE, OPT_LIST, OPT_SIZE };

#define FLAG(p) OPT_FLAG, (1 ? (void *)(p) : (void *)(int *)(p))
#define INT(p) OPT_INT, (1 ? (void *)(p) : (void *)(int64_t *)(p))
#define REAL(p) OPT_REAL, (1 ? (void *)(p) : (void *)(double *)(p))
#define STR(p) OPT_STR, (1 ? (void *)(p) : (void *)(const char **)(p))
/* A file that is read: provenance holds a hash of its bytes, not its name. */
#define INFILE(p) OPT_FILE, (1 ? (void *)(p) : (void *)(const char **)(p))
/* May be given several times: struct strs. */
#define LIST(p) OPT_LIST, (1 ? (void *)(p) : (void *)(struct strs *)(p))
/* Bytes with K, M, G, T behind: int64_t. */
#define SIZE(p) OPT_SIZE, (1 ? (void *)(p) : (void *)(int64_t *)(p))

struct opt {
	char key;               /* letter, or 0 */
	const char *name;       /* long name */
	enum opt_type type;
	void *dst;
	const char *def;        /* default as text; "" = 0, NULL string */
	const char *range;
	const char *arg;        /* what help calls the argument */
	const char *help;       /* one line */
	int silent;             /* 1: says how the work is done, not what comes out; no part of provenance */
};

/* Sets every dst of both tables (either may be NULL) to its default, then reads
 * argv.  What is no option goes to rest (argc pointers, the caller's).  Returns the number of
 * those, or -1 with e set (ERR_USAGE). */
int opt_parse(const struct opt *own, const struct opt *common, int argc, char **argv, char **rest, struct err *e);
/* NAME=FILE, as the value of --option, or, when that is NULL, as an argument: the name, the
 * caller's, and where the file begins in s.  NULL with ERR_USAGE. */
char *opt_pair(const char *option, const char *s, const char **file, struct err *e);
/* Whether an option was on the command line. */
int opt_given(const char *name);

/* Lines for --help; mdoc .It lines; a TSV (letter, name, argument, range, default, help). */
void opt_help(const struct opt *o, struct str *out);
void opt_mdoc(const struct opt *o, struct str *out);
void opt_tsv(const struct opt *o, struct str *out);
/* Effective values as name=value lines, without silent options. */
void opt_values(const struct opt *o, struct str *out, struct err *e);
/* Sets the options to what opt_values wrote of an earlier run.  Files and lists must have been given again: ERR_USAGE
 * where they are others.  who: what the values are of, for messages. */
int opt_restore(const struct opt *o, const char *values, const char *who, struct err *e);

/* A size like 200M or 1.5G in bytes; 0 when it is none. */
int opt_size(const char *s, int64_t *bytes);

#endif
