/* h5: what is written comes back; what is damaged is an error, and soon, and never the end by a signal */
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/mem.h"
#include "io/h5.h"
#include "../t.h"

enum { N = 300 };

static char path[64];

static int64_t
write_file(void)
{
	const struct h5_shape vector = { .rank = 1, .dim = { N } }, chunked = { .rank = 2, .dim = { N, 4 }, .deflate = 4 };
	struct err e = {0};
	struct strs l = {0};
	int32_t v[N];
	double x[N * 4];
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	int64_t f = h5_create(fd, &e), g, size;

	for (int i = 0; i < N; i++) {
		char b[40];

		strs_add(&l, b, (size_t)snprintf(b, sizeof b, "text number %d", i * i));
		v[i] = i;
		for (int k = 0; k < 4; k++)
			x[4 * i + k] = i * 0.5 - k;
	}
	g = h5_group(f, "g", "dict", "0.1.0", 0, &e);
	h5_put_attr_texts(g, "list", &l, &e);
	h5_put_texts(g, "texts", &l, &e);
	h5_put(g, "v", HM_I32, &vector, "array", v, &e);
	h5_put(g, "x", HM_F64, &chunked, "array", x, &e);
	h5_close(g);
	h5_end(f, &e);
	size = lseek(fd, 0, SEEK_END);
	close(fd);
	strs_clear(&l);
	return e.code ? -1 : size;
}

/* Reads all there is; how much of it was as written. */
static int
read_file(struct err *e)
{
	struct strs l = {0}, m = {0}, names = {0};
	int32_t v[N] = {0};
	double x[N * 4] = {0};
	struct h5_data d;
	int64_t f = h5_open(path, e), g = h5_at(f, "g", e);
	int good = 0;

	h5_names(g, &names, e);
	good += !e->code && names.n == 3 && h5_attr_texts(g, "list", &l) && l.n == N && !strcmp(strs_get(&l, 7), "text number 49");
	if (h5_data_open(&d, g, "texts", e) == 0 && d.rank == 1 && d.n == N && h5_read_texts(&d, 0, N, &m, e) == 0)
		good += m.n == N && !strcmp(strs_get(&m, N - 1), "text number 89401");
	h5_data_close(&d);
	if (h5_data_open(&d, g, "v", e) == 0 && d.rank == 1 && d.n == N && h5_read(&d, HM_I32, 0, N, v, e) == 0)
		good += v[0] == 0 && v[N - 1] == N - 1;
	h5_data_close(&d);
	if (h5_data_open(&d, g, "x", e) == 0 && d.rank == 2 && d.n == 4 * N && d.dim[0] == N && h5_read(&d, HM_F64, 0, N, x, e) == 0)
		good += x[0] == 0 && x[4 * N - 1] == (N - 1) * 0.5 - 3;
	h5_data_close(&d);
	h5_close(g);
	h5_close(f);
	strs_clear(&l);
	strs_clear(&m);
	strs_clear(&names);
	h5_sound(path, e);
	return good;
}

/* Reads in a child: 1 when it ended by itself. */
static int
stands(void)
{
	int st = 0;
	pid_t p;

	fflush(stdout);
	p = fork();
	if (p == 0) {
		struct err e = {0};

		close(2);
		alarm(60);
		read_file(&e);
		_exit(e.code && !e.msg[0] ? 9 : 0);
	}
	return waitpid(p, &st, 0) == p && WIFEXITED(st) && WEXITSTATUS(st) <= 1;
}

/* The file with n bytes at an offset replaced. */
static int
damage(const uint8_t *file, int64_t size, int64_t at, const void *b, int64_t n)
{
	int fd = open(path, O_WRONLY | O_TRUNC), put;

	put = write(fd, file, (size_t)size) == size && pwrite(fd, b, (size_t)n, at) == n;
	close(fd);
	return put && stands();
}

static void
damaged(const uint8_t *file, int64_t size)
{
	static const char *const mark[] = { "GCOL", "TREE", "HEAP", "SNOD" };
	static const uint8_t ones[8] = { 255, 255, 255, 255, 255, 255, 255, 255 }, none[8], far[8] = { 0, 0, 0, 0x10 };
	/* With the 16 bytes of its head an object of this size ends where it begins: HDF5 1.10 walks for ever. */
	static const uint8_t round[8] = { 0xf0, 255, 255, 255, 255, 255, 255, 255 };
	const uint8_t *heap = memmem(file, (size_t)size, "GCOL", 4);
	int64_t bad = 0, tried = 0, at;

	for (at = 0; at < 96; at += 8)
		bad += !damage(file, size, at, ones, 8);
	is_i64(bad, 0, "a damaged head");
	for (int k = 0; k < 4; k++) {
		const uint8_t *p = memmem(file, (size_t)size, mark[k], 4);

		bad = 0;
		for (int64_t i = 8; p && i < 64; i += 8, tried++) {
			bad += !damage(file, size, p - file + i, none, 8);
			bad += !damage(file, size, p - file + i, ones, 8);
			bad += !damage(file, size, p - file + i, far, 8);
		}
		is_i64(bad, 0, mark[k]);
	}
	ok(tried > 20, "the places are there");
	ok(heap && damage(file, size, heap - file + 24, round, 8), "a heap that runs in a circle");
	for (bad = 0, at = 0; at < size; at += size / 40) {
		int fd = open(path, O_WRONLY | O_TRUNC);

		bad += write(fd, file, (size_t)at) != at || !stands();
		close(fd);
	}
	is_i64(bad, 0, "a cut file");
}

int
main(void)
{
	struct err e = {0};
	uint8_t *file;
	int64_t size;
	int fd;

	if (!h5_have()) {
		printf("1..0 # SKIP built without HDF5\n");
		return 0;
	}
	snprintf(path, sizeof path, "/tmp/ovx-h5-test.%ld", (long)getpid());
	size = write_file();
	ok(size > 0, "a file is written");
	is_i64(read_file(&e), 4, "and read");
	is_str(e.msg, "", "without an error");
	file = mem_new(uint8_t, size);
	fd = open(path, O_RDONLY);
	if (ok(read(fd, file, (size_t)size) == size, "its bytes"))
		damaged(file, size);
	close(fd);
	mem_free(file);
	unlink(path);
	return done();
}
