/* Unit tests of os/: limits of cgroups, output files and links. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../t.h"
#include "app/opt.h"
#include "base/err.h"
#include "os/budget.h"
#include "os/deflate.h"
#include "os/file.h"

static char top[200];

static void
put(const char *name, const char *text)
{
	char path[400];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", top, name);
	f = fopen(path, "w");
	if (f) {
		fputs(text, f);
		fclose(f);
	}
}

static void
folder(const char *name)
{
	char path[400];

	snprintf(path, sizeof path, "%s/%s", top, name);
	mkdir(path, 0700);
}

static void
look(int64_t *memory, int *cpus)
{
	char self[300];

	snprintf(self, sizeof self, "%s/self", top);
	budget_cgroup(self, top, memory, cpus);
}

static void
cgroups(void)
{
	int64_t m;
	int n;

	folder("a");
	folder("a/b");
	put("self", "0::/a/b\n");
	look(&m, &n);
	ok(m == -1 && n == -1, "no limit anywhere");
	put("a/b/memory.max", "max\n");
	put("a/b/memory.current", "10\n");
	put("a/b/cpu.max", "max 100000\n");
	look(&m, &n);
	ok(m == -1 && n == -1, "max is no limit");
	put("a/memory.max", "1000000\n");
	put("a/memory.current", "100000\n");
	put("a/cpu.max", "250000 100000\n");
	look(&m, &n);
	is_i64(m, 900000, "v2: the group above limits memory, less its use");
	is_i64(n, 3, "v2: and CPUs");
	put("a/b/memory.max", "2000000\n");
	look(&m, &n);
	is_i64(m, 900000, "v2: the smallest on the way counts");
	folder("memory");
	folder("memory/x");
	folder("memory/x/y");
	folder("cpu");
	folder("cpu/x");
	put("self", "5:memory:/x/y\n4:cpu,cpuacct:/x\n0::/\n");
	put("memory/memory.limit_in_bytes", "9223372036854771712\n");
	put("memory/x/memory.limit_in_bytes", "400000\n");
	put("memory/x/memory.usage_in_bytes", "390000\n");
	put("memory/x/y/memory.limit_in_bytes", "9223372036854771712\n");
	put("cpu/x/cpu.cfs_quota_us", "100000\n");
	put("cpu/x/cpu.cfs_period_us", "100000\n");
	look(&m, &n);
	is_i64(m, 200000, "v1: of the group above, half where the page cache fills it");
	is_i64(n, 1, "v1: CPUs, the controller named in a list");
	put("self", "5:memory:/gone\n0::/gone/too\n");
	look(&m, &n);
	ok(m == -1 && n == -1, "groups that are not there");
}

/* Writes a word to a name below top; 0 when done. */
static int
write_to(const char *name)
{
	struct err e = {0};
	struct outfile o;
	char path[600];

	snprintf(path, sizeof path, "%s/%s", top, name);
	if (outfile_open(&o, path, &e) == 0)
		file_write(o.fd, "word", 4, &e);
	return outfile_commit(&o, &e);
}

static int64_t
size_of(const char *name)
{
	char path[600];
	struct stat s;

	snprintf(path, sizeof path, "%s/%s", top, name);
	return lstat(path, &s) ? -1 : S_ISLNK(s.st_mode) ? -2 : s.st_size;
}

static void
outputs(void)
{
	char path[600], name[300];

	folder("d");
	snprintf(path, sizeof path, "%s/link", top);
	ok(symlink("d/first", path) == 0, "a link to nothing yet");
	snprintf(path, sizeof path, "%s/d/first", top);
	ok(symlink("second", path) == 0, "by way of another");
	is_i64(write_to("link"), 0, "is written through");
	ok(size_of("link") == -2 && size_of("d/first") == -2 && size_of("d/second") == 4, "the links stay, the file is there");
	is_i64(write_to("link"), 0, "and over the file");
	ok(size_of("link") == -2 && size_of("d/second") == 4, "the links stay again");
	snprintf(path, sizeof path, "%s/round", top);
	ok(symlink("round", path) == 0 && write_to("round") != 0, "a link to itself is refused");
	memset(name, 'n', 250);
	name[250] = 0;
	ok(write_to(name) == 0 && write_to(name) == 0 && size_of(name) == 4, "a name of 250 letters, twice");
}

static void
sizes(void)
{
	static const char *const good[] = { "1", "500M", "2G", ".5g", "1e3K", "7MiB", "64kB" };
	static const char *const bad[] = { "", "M", "0x10M", "0X1", "inf", "nan", "-1", " 1", "1Q", "1MM", "1e30" };
	int64_t b = 0;

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		ok(opt_size(good[i], &b), "%s is a size", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ok(!opt_size(bad[i], &b), "'%s' is none", bad[i]);
	ok(opt_size(".5K", &b) && b == 512, "half a kilobyte");
}

static void
shuffles(void)
{
	uint8_t from[1003], shuffled[1003], back[1003];
	int wrong = 0;

	for (size_t i = 0; i < sizeof from; i++)
		from[i] = (uint8_t)(i * 37 + i / 256);
	for (int width = 1; width <= 9; width++)
		for (size_t n = 0; n <= sizeof from; n += n < 300 ? 1 : 97) {
			size_t item = n / (size_t)width;

			deflate_shuffle(from, shuffled, n, width);
			for (size_t i = 0; i < item * (size_t)width; i++)
				wrong += shuffled[i % (size_t)width * item + i / (size_t)width] != from[i];
			memset(back, 0, sizeof back);
			deflate_unshuffle(shuffled, back, n, width);
			wrong += memcmp(back, from, n) != 0 || (n < sizeof back && back[n]);
		}
	is_i64(wrong, 0, "byte shuffles of any width and length, and back");
}

int
main(void)
{
	const char *dir = getenv("TMPDIR");
	char cmd[300];

	snprintf(top, sizeof top, "%.100s/unit-os.XXXXXX", dir && *dir ? dir : "/var/tmp");
	if (!mkdtemp(top))
		return 1;
	cgroups();
	outputs();
	sizes();
	shuffles();
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", top);
	ok(system(cmd) == 0, "cleaned up");
	return done();
}
