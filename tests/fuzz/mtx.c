/* mtx - fuzz target: matrix, features and barcodes of a folder
 *
 * Input: a byte of control, then the three files with lines "==" between them.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "io/mtx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[100];

static void
too_much(size_t bytes)
{
	fprintf(stderr, "mem_oom: %zu bytes\n", bytes);
	abort();
}

static void
clean(void)
{
	static const char *const f[] = { "matrix.mtx", "features.tsv", "barcodes.tsv" };
	char path[200];

	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, f[i]);
		unlink(path);
	}
	rmdir(dir);
}

static void
put(const char *name, const void *p, size_t n)
{
	char path[200];
	int fd;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, p, n) != (ssize_t)n)
		exit(1);
	close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const name[] = { "matrix.mtx", "features.tsv", "barcodes.tsv" };
	const uint8_t *p = data + 1, *end = data + size;
	struct import_opt o = {0};
	struct err e = {0};
	struct set s;

	if (size < 2)
		return 0;
	mem_oom = too_much;
	if (!*dir) {
		snprintf(dir, sizeof dir, "%s/ovx-fuzz-%ld", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm", (long)getpid());
		mkdir(dir, 0700);
		atexit(clean);
	}
	for (int i = 0; i < 3; i++) {
		const uint8_t *cut = i < 2 && p < end ? memmem(p, (size_t)(end - p), "\n==\n", 4) : NULL;

		put(name[i], p, (size_t)((cut ? cut + 1 : end) - p));
		p = cut ? cut + 4 : end;
	}
	if (data[0] & 1)
		o.feature_type = "all";
	set_init(&s);
	s.spool.cap = 1 << 22;
	if (mtx_import(&s, dir, &o, &e) == 0) {
		int out = open("/dev/null", O_WRONLY);

		set_write(&s, out, 0, &e);
		close(out);
	}
	set_close(&s);
	return 0;
}
