/* sweep - every prefix, or every flipped byte, of a stream through a tool
 *
 *	sweep prefix FILE TOOL [ARG...]    every prefix on standard input: exit 3
 *	sweep flip STEP FILE TOOL [ARG...] every STEP-th byte changed: never exit 0 ...
 *	sweep heal STEP CHECK FILE TOOL [ARG...]  ... or else CHECK refuses what it wrote
 *
 * Prints what failed, then "N tried, N bad".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fcntl.h>

static int
memory(const unsigned char *p, long n)
{
	int fd = memfd_create("sweep", 0);

	if (fd < 0 || (n && write(fd, p, (size_t)n) != n))
		exit(2);
	return fd;
}

/* Runs argv with standard input from a pipe (what tools are most often given)
 * that holds the bytes of fd; out: a memfd or -1. */
static int
run(char **argv, const unsigned char *p, long n, int out)
{
	int in = memory(p, n), status, null = open("/dev/null", O_WRONLY);
	pid_t c = fork();

	if (c == 0) {
		lseek(in, 0, SEEK_SET);
		dup2(in, 0);
		dup2(out < 0 ? null : out, 1);
		dup2(null, 2);
		execv(argv[0], argv);
		_exit(127);
	}
	waitpid(c, &status, 0);
	close(in);
	close(null);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int
main(int argc, char **argv)
{
	int flip, heal, at = 2, bad = 0, tried = 0;
	long step = 1, n;
	char *check[] = { NULL, NULL };
	unsigned char *b;
	FILE *f;

	if (argc < 4)
		return 2;
	flip = strcmp(argv[1], "prefix") != 0;
	heal = strcmp(argv[1], "heal") == 0;
	if (flip)
		step = strtol(argv[at++], NULL, 10);
	if (heal)
		check[0] = argv[at++];
	f = fopen(argv[at++], "rb");
	b = malloc(1 << 24);
	if (!f || !b || step < 1)
		return 2;
	n = (long)fread(b, 1, 1 << 24, f);
	fclose(f);
	for (long i = 0; i < n; i += step) {
		int st, out = heal ? memory(b, 0) : -1;

		if (flip)
			b[i] ^= (unsigned char)(1 << i % 8);
		st = run(argv + at, b, flip ? n : i, out);
		if (flip)
			b[i] ^= (unsigned char)(1 << i % 8);
		tried++;
		if (heal && st == 0) {
			static unsigned char back[1 << 24];
			long m;

			lseek(out, 0, SEEK_SET);
			m = (long)read(out, back, sizeof back);
			st = run(check, back, m < 0 ? 0 : m, -1);
		}
		if (out >= 0)
			close(out);
		if (flip ? st != 1 && st != 3 : st != 3) {
			printf("%s %ld: exit %d\n", argv[1], i, st);
			bad++;
		}
	}
	printf("%d tried, %d bad\n", tried, bad);
	free(b);
	return bad != 0;
}
