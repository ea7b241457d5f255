/* log - see log.h */
#include "app/log.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>
#include "os/budget.h"
#include "os/file.h"

/* Read by signal handlers; written by the main thread only. */
static struct {
	char name[40];
	char phase[80];
	volatile int64_t done, total;
	volatile double since;
	int quiet, verbose, progress;
	volatile sig_atomic_t shown;
} st;

static size_t
add(char *b, size_t at, size_t cap, const char *s)
{
	while (*s && at + 1 < cap)
		b[at++] = *s++;
	return at;
}

static size_t
add_number(char *b, size_t at, size_t cap, int64_t v)
{
	char d[24];
	int n = 0;

	do
		d[n++] = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	while (n > 0 && at + 1 < cap)
		b[at++] = d[--n];
	return at;
}

/* One status line; only calls that a signal handler may make. */
static void
show(int rewrite)
{
	char b[300];
	size_t n = 0;
	double s = budget_clock() - st.since;

	if (rewrite)
		n = add(b, n, sizeof b, "\r\033[K");
	n = add(b, n, sizeof b, st.name);
	n = add(b, n, sizeof b, ": ");
	n = add(b, n, sizeof b, st.phase);
	if (st.total > 0) {
		n = add(b, n, sizeof b, " ");
		n = add_number(b, n, sizeof b, st.done * 100 / st.total);
		n = add(b, n, sizeof b, " %");
		if (st.done > 0 && st.done < st.total) {
			n = add(b, n, sizeof b, ", ");
			n = add_number(b, n, sizeof b, (int64_t)(s * (double)(st.total - st.done) / (double)st.done));
			n = add(b, n, sizeof b, " s to go");
		}
	} else {
		n = add(b, n, sizeof b, ", ");
		n = add_number(b, n, sizeof b, (int64_t)s);
		n = add(b, n, sizeof b, " s");
	}
	if (!rewrite)
		n = add(b, n, sizeof b, "\n");
	if (write(2, b, n) < 0)
		return;
	st.shown = rewrite;
}

static void
on_alarm(int sig)
{
	(void)sig;
	show(isatty(2));
}

static void
on_usr1(int sig)
{
	(void)sig;
	show(0);
}

static void
on_fatal(int sig)
{
	outfile_signal();
	signal(sig, SIG_DFL);
	raise(sig);
}

void
log_signals(void)
{
	static const int fatal[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ, SIGXCPU };
	struct sigaction a = {0}, old;

	sigemptyset(&a.sa_mask);
	for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) {
		/* What was ignored stays ignored (nohup). */
		if (sigaction(fatal[i], NULL, &old) || old.sa_handler == SIG_IGN)
			continue;
		a.sa_handler = on_fatal;
		a.sa_flags = (int)SA_RESETHAND;
		sigaction(fatal[i], &a, NULL);
	}
	a.sa_handler = on_usr1;
	a.sa_flags = SA_RESTART;
	sigaction(SIGUSR1, &a, NULL);
	if (st.progress == PROGRESS_ALWAYS || (st.progress == PROGRESS_AUTO && !st.quiet && isatty(2))) {
		struct itimerval t = { { 0, 500000 }, { 1, 0 } };

		a.sa_handler = on_alarm;
		sigaction(SIGALRM, &a, NULL);
		setitimer(ITIMER_REAL, &t, NULL);
	}
}

void
log_start(const char *name, int quiet, int verbose, enum log_progress progress)
{
	snprintf(st.name, sizeof st.name, "%s", name);
	st.quiet = quiet;
	st.verbose = verbose;
	st.progress = (int)progress;
	log_phase("starting", 0);
}

void
log_end(void)
{
	struct itimerval off = {{0}, {0}};

	setitimer(ITIMER_REAL, &off, NULL);
	if (st.shown && write(2, "\r\033[K", 4) < 0)
		return;
	st.shown = 0;
}

void
log_line(int level, const char *msg)
{
	char b[1200];
	int n;

	if ((level == 1 && st.quiet) || (level == 2 && (st.quiet || !st.verbose)))
		return;
	n = snprintf(b, sizeof b, "%s%s: %s\n", st.shown ? "\r\033[K" : "", st.name, msg);
	if (n >= (int)sizeof b)
		n = (int)sizeof b - 1;
	st.shown = 0;
	if (write(2, b, (size_t)n) < 0)
		return;
}

void
log_phase(const char *what, int64_t total)
{
	snprintf(st.phase, sizeof st.phase, "%s", what);
	st.done = 0;
	st.total = total;
	st.since = budget_clock();
}

void
log_tick(int64_t done, int64_t of)
{
	st.total = of;
	st.done = done;
}
