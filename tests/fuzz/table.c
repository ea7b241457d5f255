/* table - fuzz target: TSV, CSV and NPY
 *
 * Input: a byte that says what is done with the file, then the file.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/mem.h"
#include "io/mtx.h"
#include "io/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char npy[100];

static void
too_much(size_t bytes)
{
	fprintf(stderr, "mem_oom: %zu bytes\n", bytes);
	abort();
}

static void
clean(void)
{
	unlink(npy);
}

/* A set with three cells and two genes. */
static void
small(struct set *s, struct err *e)
{
	struct strs obs = {0}, var = {0};

	strs_add(&obs, "a", 1);
	strs_add(&obs, "b", 1);
	strs_add(&obs, "c", 1);
	strs_add(&var, "g", 1);
	strs_add(&var, "h", 1);
	set_put_axis(s, AXIS_OBS, &obs, e);
	set_put_axis(s, AXIS_VAR, &var, e);
}

static void
act(int what, const char *path, struct set *s, struct err *e)
{
	struct import_opt o = { .rows_are_cells = what & 1 };
	struct table t;
	int64_t n, d, missing, surplus;
	double *x;

	switch (what % 7) {
	case 0:
		if (table_read(&t, path, e) == 0)
			table_clear(&t);
		return;
	case 1:
		o.rows_are_cells = what & 8;
		matrix_table_import(s, path, &o, e);
		break;
	case 2:
		if (npy_read(path, &x, &n, &d, e) == 0)
			mem_free(x);
		return;
	case 3:
		small(s, e);
		table_paste(s, what & 8 ? AXIS_VAR : AXIS_OBS, path, &missing, &surplus, e);
		break;
	case 4:
		small(s, e);
		table_paste_matrix(s, what & 8 ? "varm/x" : "obsm/x", path, &missing, &surplus, e);
		break;
	case 5:
		table_axis(s, AXIS_OBS, path, e);
		if (!e->code)
			table_paste(s, AXIS_OBS, path, &missing, &surplus, e);
		break;
	default:
		small(s, e);
		table_paste_matrix(s, "obsm/x", npy, &missing, &surplus, e);
		break;
	}
	if (!e->code) {
		int out = open("/dev/null", O_WRONLY);

		set_write(s, out, 0, e);
		close(out);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = {0};
	struct set s;
	char path[40];
	int fd;

	if (size < 1)
		return 0;
	mem_oom = too_much;
	if (!*npy) {
		snprintf(npy, sizeof npy, "%s/ovx-fuzz-%ld.npy", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm",
		    (long)getpid());
		atexit(clean);
	}
	/* The name decides between TSV and NPY in the last case. */
	fd = data[0] % 7 == 6 ? open(npy, O_RDWR | O_CREAT | O_TRUNC, 0600) : memfd_create("fuzz", 0);
	if (fd < 0 || write(fd, data + 1, size - 1) != (ssize_t)size - 1)
		exit(1);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	set_init(&s);
	act(data[0], path, &s, &e);
	set_close(&s);
	close(fd);
	return 0;
}
