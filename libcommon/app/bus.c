/* bus - see bus.h */
#include "app/bus.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>
#include "os/file.h"
#include "os/mapped.h"

static struct sigaction before;
static atomic_flag said = ATOMIC_FLAG_INIT;

static void
say(const char *s)
{
	if (write(2, s, strlen(s)) < 0)
		return;
}

/* Only calls that a signal handler may make. */
static void
on_bus(int sig, siginfo_t *info, void *context)
{
	const char *name = mapped_name(info->si_addr);

	(void)context;
	if (!name) {
		/* None of ours: as if this had never been. */
		sigaction(sig, &before, NULL);
		return;
	}
	/* One thread says it; others wait for the end. */
	while (atomic_flag_test_and_set(&said))
		pause();
	say(program_invocation_short_name);
	say(": ");
	say(name);
	say(": has become shorter while it was read, or its disk fails\n");
	outfile_signal();
	_exit(1);
}

void
bus_start(void)
{
	struct sigaction a = {0};

	a.sa_sigaction = on_bus;
	a.sa_flags = SA_SIGINFO;
	sigemptyset(&a.sa_mask);
	sigaction(SIGBUS, &a, &before);
}
