/* app - the body of every main: options, input, plan, run, output, exit status
 *
 *	int main(int argc, char **argv)
 *	{
 *		static const struct tool tool = { "ovx-scale", "...", ... };
 *		return app_main(&tool, argc, argv);
 *	}
 *
 * A filter's run() reads a->set and puts sections into it; app_main writes it.
 * A sink writes text or a file by itself; a source fills the set.  Exit status:
 * 0 done, 1 failed, 2 command line, 3 the input ended before its end mark,
 * 137 the memory cap cannot be met; killed by a signal = by that signal.
 */
#ifndef OVX_APP_H
#define OVX_APP_H

#include <stdint.h>
#include "app/json.h"
#include "app/opt.h"
#include "base/err.h"
#include "cell/set.h"
#include "os/file.h"
#include "os/par.h"

enum tool_shape {
	SHAPE_FILTER,           /* stream in, stream out */
	SHAPE_SOURCE,           /* anything else in, stream out */
	SHAPE_SINK,             /* stream in, anything else out */
	SHAPE_VARIANTS          /* VCF or BCF in and out: run() reads and writes by itself */
};

enum tool_flags {
	TOOL_SEED = 1,          /* takes -s */
	TOOL_NO_NEW = 2,        /* a filter without -n */
	TOOL_BLAS = 4,          /* calls BLAS: needs room for its buffers; init and thread are set */
	TOOL_BINARY = 8,        /* a sink whose output is refused on a terminal; asks a->binary */
	TOOL_RAW_INPUT = 16,    /* opens its inputs itself */
	TOOL_TEXT = 32          /* a sink that writes text through app_put */
};

struct app;

struct plan {
	int64_t memory;         /* bytes that the tool's own work takes at its peak */
	int64_t disk;           /* temporary files */
	int64_t output;         /* output */
};

struct tool {
	const char *name;
	const char *summary;    /* one line, for help and the man page */
	const char *args;       /* synopsis of what follows the options */
	const char *reads;      /* paths, comma-separated: for provenance and help */
	const char *writes;
	enum tool_shape shape;
	int flags;
	const struct opt *opts;
	/* Options that do not go together: NULL or a sentence. */
	const char *(*check)(void);
	/* Fills p for the opened set; may be NULL. */
	int (*plan)(struct app *a, struct plan *p, struct err *e);
	int (*run)(struct app *a, struct err *e);
	/* blas_init and blas_thread in tools that call BLAS; the others are not
	 * linked with it, which halves their start. */
	void (*init)(void);
	void (*thread)(void);
	/* For the contract test: which fixture, with which arguments. */
	const char *fixture;
	const char *fixture_args;
	/* NULL, or an option's variable: when it is set, run opens the inputs itself. */
	const int *raw;
	/* Commands, NULL behind the last, or NULL: a first argument that is one runs it instead.  Each is a tool with a
	 * table of its own, called "NAME COMMAND". */
	const struct tool *const *commands;
};

struct app {
	const struct tool *tool;
	char **arg;             /* what is no option */
	int n_arg;
	struct set set;
	struct outfile out;
	struct outfile json;    /* --json */
	const char *out_path;   /* -o, or NULL */
	struct par *par;
	int threads;
	int64_t memory;         /* -M */
	uint64_t seed;
	int new_only;
	int no_log;             /* this run adds no log entry */
	int no_stream;          /* this run writes no stream (a filter that only reports) */
	int64_t block_bytes;    /* one row block in flight; 0 when X is not passed over */
	double copies;          /* times that, with what the tool makes of a block while it is in flight; 0 = 1 */
	struct str closing;     /* for the closing line */
	struct str reads;       /* further paths for provenance */
	struct str ids;         /* ids of what was read from other sets, comma-separated: for provenance */
	struct str text;        /* buffered output of app_put */
	json_t *stats;          /* "metrics" of --json */
};

int app_main(const struct tool *tool, int argc, char **argv);
/* The word by which a command is called: the last one of its name. */
const char *app_command(const struct tool *t);

/* What was done, for the closing line. */
void app_say(struct app *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A line on standard error: always, or with -v only. */
void app_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void app_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Text on standard error without the tool's name in front, unless -q: tables. */
void app_table(const char *text);
/* What progress and SIGUSR1 show from now on; total 0 = unknown. */
void app_phase(const char *what, int64_t total);
/* A further section that was read, for provenance. */
void app_reads(struct app *a, const char *path);
/* Statistics for --json. */
void app_stat_int(struct app *a, const char *key, int64_t v);
void app_stat_real(struct app *a, const char *key, double v);
void app_stat_text(struct app *a, const char *key, const char *v);
/* Text output of a sink, buffered. */
int app_put(struct app *a, const char *s, size_t n, struct err *e);

/* For plans: bytes that passes over X with these flags (see set_rows_flags) need at least, or the writing of what
 * earlier runs cut of it. */
#define APP_CUT 1.4     /* the copies of a block that is read whole, cut and encoded again */
int64_t app_rows_bytes(struct app *a, const char *path, int flags, struct err *e);

#endif
