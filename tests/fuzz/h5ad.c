/* h5ad - fuzz target: any bytes as 10x HDF5 or .h5ad
 *
 * Input: a byte of options, then the file.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "io/h5ad.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[100];

static void
too_much(size_t bytes)
{
	fprintf(stderr, "mem_oom: %zu bytes\n", bytes);
	abort();
}

static void
clean(void)
{
	unlink(path);
}

static void
note(const char *msg)
{
	(void)msg;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct import_opt o = { .note = note };
	struct err e = {0};
	struct set s;
	int fd;

	if (size < 1)
		return 0;
	mem_oom = too_much;
	if (!*path) {
		snprintf(path, sizeof path, "%s/ovx-fuzz-%ld.h5", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm", (long)getpid());
		atexit(clean);
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, data + 1, size - 1) != (ssize_t)size - 1)
		exit(1);
	close(fd);
	if (data[0] & 1)
		o.feature_type = "all";
	if (data[0] & 2)
		o.layer = "counts";
	if (data[0] & 4)
		o.raw = 1;
	if (data[0] & 8)
		o.genome = "hg19";
	set_init(&s);
	s.spool.cap = 1 << 22;
	if (h5_import(&s, path, &o, &e) == 0) {
		int out = open("/dev/null", O_WRONLY);

		set_write(&s, out, 0, &e);
		close(out);
	}
	set_close(&s);
	return 0;
}
