/* The push gunzip: members, padding, garbage, cuts, and pieces of every size. */
#include "../t.h"

#include <unistd.h>
#include "base/mem.h"
#include "os/bgzf.h"
#include "os/text.h"

static uint8_t file[400000], want[700000], have[700000];
static size_t n_file, n_want;

/* Behind file: one gzip member of n letters that depend on key. */
static void
member(size_t n, unsigned key)
{
	char path[] = "/tmp/gun-XXXXXX";
	struct err e = {0};
	struct gz z;
	int fd = mkstemp(path);
	int64_t got;

	unlink(path);
	for (size_t i = 0; i < n; i++) {
		key = key * 1664525 + 1013904223;
		want[n_want + i] = (uint8_t)"ACGT\n"[(key >> 24) % 5];
	}
	gz_open(&z, fd, "member", &e);
	gz_put(&z, want + n_want, n, &e);
	gz_close(&z, &e);
	n_want += n;
	got = pread(fd, file + n_file, sizeof file - n_file, 0);
	n_file += got > 0 ? (size_t)got : 0;
	close(fd);
}

static void
fresh(void)
{
	n_file = n_want = 0;
}

/* Inflates file[0..n) pushed in pieces of in bytes at most to rooms of out bytes; the code of the first error. */
static int
run(size_t n, size_t in, size_t out, size_t *n_have)
{
	struct err e = {0};
	struct gun g;
	size_t at = 0, used, made;

	*n_have = 0;
	gun_open(&g, &e);
	while (at < n && !e.code) {
		size_t k = n - at < in ? n - at : in, room = sizeof have - *n_have < out ? sizeof have - *n_have : out;
		uint8_t *copy = mem_raw(uint8_t, (long long)k);

		memcpy(copy, file + at, k);
		gun_push(&g, copy, k, &used, have + *n_have, room, &made, &e);
		mem_free(copy);
		if (!e.code && used == 0 && made == 0)
			return 1;               /* no progress */
		at += used;
		*n_have += made;
	}
	gun_close(&g, 1, &e);
	gun_close(&g, 1, &e);
	return e.code;
}

static int
good(size_t in, size_t out)
{
	size_t n;

	return run(n_file, in, out, &n) == 0 && n == n_want && !memcmp(have, want, n);
}

static void
pieces(const char *what)
{
	static const size_t size[] = { 1, 2, 3, 7, 18, 100, 4096, 65536, sizeof have };
	int all = 1;

	for (size_t i = 0; i < sizeof size / sizeof *size; i++)
		for (size_t j = 0; j < sizeof size / sizeof *size; j++)
			all &= good(size[i], size[j]);
	ok(all, "%s, in pieces of every size", what);
}

static void
cuts(void)
{
	size_t n, first;
	int bad = 0, code;

	fresh();
	member(300, 1);
	first = n_file;
	member(200, 2);
	for (size_t k = 0; k < n_file; k++) {
		code = run(k, 5, 50, &n);
		bad += code != (k == first ? 0 : ERR_CUT) || memcmp(have, want, n);
	}
	ok(!bad, "every prefix but a whole member is cut");
	memset(file + n_file, 0, 600);
	n_file += 600;
	ok(good(1, 1) && good(512, 1000), "zeros behind it are padding");
	file[n_file++] = 0x1f;
	is_i64(run(n_file, 100, 100, &n), ERR_DATA, "but not before something else");
	n_file -= 601;
	memcpy(file + n_file, "\x1f\x8c garbage", 10);
	is_i64(run(n_file + 10, 100, 100, &n), ERR_DATA, "garbage that begins as gzip does");
	is_i64(run(n_file + 1, 100, 100, &n), ERR_CUT, "one byte of a member");
	memcpy(file + n_file, "hello", 5);
	is_i64(run(n_file + 1, 1, 1, &n), ERR_DATA, "one byte of garbage");
	ok(run(n_file + 5, 100, 100, &n) == ERR_DATA, "more of it");
	memset(file, 0, 10);
	is_i64(run(10, 100, 100, &n), ERR_DATA, "padding before anything");
}

static void
flips(void)
{
	int bad = 0;
	size_t n;

	fresh();
	member(400, 3);
	member(100, 4);
	for (size_t i = 0; i < n_file; i++)
		for (int bit = 0; bit < 8; bit++) {
			int code;

			file[i] ^= (uint8_t)(1 << bit);
			code = run(n_file, 64, 333, &n);
			bad += code == 1 || (code == 0 && (n != n_want || memcmp(have, want, n)));
			file[i] ^= (uint8_t)(1 << bit);
		}
	ok(!bad, "every flip is refused or changes nothing");
}

static void
edges(void)
{
	struct err e = {0};
	struct gun g = {0};
	size_t used = 7, made = 7;

	ok(gun_close(&g, 1, &e) == 0, "an empty one is closed");
	ok(gun_close(&g, 0, &e) == 0, "and again");
	gun_push(&g, file, 10, &used, have, 10, &made, &e);
	ok(used == 0 && made == 0 && !e.code, "a closed one takes nothing");
	gun_open(&g, &e);
	ok(gun_close(&g, 1, &e) == ERR_CUT, "nothing at all is no gzip");
	gun_open(&g, &e);
	ok(g.z == NULL && gun_close(&g, 0, &e) == ERR_CUT, "a set error opens nothing");
}

int
main(void)
{
	fresh();
	member(20000, 1);
	pieces("one member");
	fresh();
	member(0, 1);
	member(1, 1);
	member(40000, 2);
	member(0, 1);
	member(3000, 3);
	pieces("members, empty ones among them");
	memcpy(file + n_file, bgzf_eof, BGZF_EOF_SIZE);
	n_file += BGZF_EOF_SIZE;
	memset(file + n_file, 0, 100);
	n_file += 100;
	pieces("a member with extra fields and padding");
	cuts();
	flips();
	edges();
	return done();
}
