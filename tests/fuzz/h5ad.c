/* h5ad - fuzz target: any bytes as 10x HDF5 or .h5ad
 *
 * Input: a byte of options, then the file.  After the HDF5 library has failed on a file io/h5 makes
 * no further call in this process: the target then ends without noise, and -fork=1 goes on with a new
 * one.  h5ad_fixed includes this file and writes the HDF5 file itself (FIX).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "io/h5.h"
#include "io/h5ad.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[300], dir[256];
static long runs;

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

static void
start(void)
{
	const char *d = getenv("FUZZ_DIR");

	snprintf(dir, sizeof dir, "%s", d ? d : access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	snprintf(path, sizeof path, "%s/ovx-fuzz-%ld.h5", dir, (long)getpid());
	atexit(clean);
}

/* The library failed: says how many inputs there were, which libFuzzer cannot any more. */
static void
fallen(void)
{
	char list[320];
	int fd;

	clean();
	snprintf(list, sizeof list, "%s/fallen", dir);
	fd = open(list, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd >= 0)
		dprintf(fd, "%ld\n", runs);
	_exit(0);
}

static void
import(int options)
{
	struct import_opt o = { .note = note };
	struct err e = {0};
	struct set s;

	if (options & 1)
		o.feature_type = "all";
	if (options & 2)
		o.layer = "counts";
	if (options & 4)
		o.raw = 1;
	if (options & 8)
		o.genome = "hg19";
	set_init(&s);
	s.spool.cap = 1 << 22;
	if (h5_import(&s, path, &o, &e) == 0) {
		int out = open("/dev/null", O_WRONLY);

		set_write(&s, out, 0, &e);
		close(out);
	}
	set_close(&s);
	e.code = 0;
	if (h5_sound(path, &e))
		fallen();
}

#ifdef FIX
static void build(int fd, const uint8_t *p, size_t n);
#endif

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd;

	if (size < 1)
		return 0;
	mem_oom = too_much;
	if (!*path)
		start();
	runs++;
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0)
		exit(1);
#ifdef FIX
	build(fd, data + 1, size - 1);
#else
	if (write(fd, data + 1, size - 1) != (ssize_t)size - 1)
		exit(1);
#endif
	close(fd);
	import(data[0]);
	return 0;
}
