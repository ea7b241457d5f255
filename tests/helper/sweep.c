/* sweep - every prefix, or every flipped byte, of a stream through a tool
 *
 *	sweep prefix FILE TOOL [ARG...]    every prefix on standard input: exit 3
 *	sweep flip STEP FILE TOOL [ARG...] every STEP-th byte changed: never exit 0 ...
 *	sweep heal STEP CHECK FILE TOOL [ARG...]  ... or else CHECK refuses what it wrote,
 *	                                   or it wrote what the whole stream gives (padding,
 *	                                   and sections that it makes anew)
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

static long
content(int fd, unsigned char *p)
{
	long n;

	lseek(fd, 0, SEEK_SET);
	n = (long)read(fd, p, 1 << 24);
	close(fd);
	return n < 0 ? 0 : n;
}

int
main(int argc, char **argv)
{
	static unsigned char want[1 << 24], back[1 << 24];
	long n_want = 0;
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
	if (heal) {
		int out = memory(b, 0);

		if (run(argv + at, b, n, out))
			return 2;
		n_want = content(out, want);
	}
	for (long i = 0; i < n; i += step) {
		int st, out = heal ? memory(b, 0) : -1;

		if (flip)
			b[i] ^= (unsigned char)(1 << i % 8);
		st = run(argv + at, b, flip ? n : i, out);
		if (flip)
			b[i] ^= (unsigned char)(1 << i % 8);
		tried++;
		if (heal) {
			long m = content(out, back);

			if (st == 0 && m == n_want && memcmp(back, want, (size_t)m) == 0)
				continue;
			if (st == 0)
				st = run(check, back, m, -1);
		}
		if (flip ? st != 1 && st != 3 : st != 3) {
			printf("%s %ld: exit %d\n", argv[1], i, st);
			bad++;
		}
	}
	printf("%d tried, %d bad\n", tried, bad);
	free(b);
	return bad != 0;
}
