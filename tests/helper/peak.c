/* peak - runs a command and writes its peak resident memory in bytes, as the
 * kernel counted it, to a file: peak FILE COMMAND [ARG...].  Exits as the command
 * did, 128 + signal when it was killed. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	struct rusage u;
	int status;
	pid_t p;
	FILE *f;

	if (argc < 3)
		return 2;
	p = fork();
	if (p == 0) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	if (p < 0 || wait4(p, &status, 0, &u) < 0 || !(f = fopen(argv[1], "w")))
		return 126;
	fprintf(f, "%lld\n", (long long)u.ru_maxrss * 1024);
	fclose(f);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
