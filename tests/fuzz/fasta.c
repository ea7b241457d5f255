/* fasta - fuzz target: a reference with its indexes
 *
 * Input: a byte of control, then the FASTA file, .fai and .gzi with lines "==" between them.  What the control leaves
 * out is made, or made and then changed in one byte.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "os/bgzf.h"
#include "base/str.h"
#include "var/fasta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond) ((cond) ? (void)0 : broken(#cond, __LINE__))

static char dir[100];

static void
broken(const char *what, int line)
{
	fprintf(stderr, "broken in line %d: %s\n", line, what);
	abort();
}

static void
too_much(size_t bytes)
{
	fprintf(stderr, "mem_oom: %zu bytes\n", bytes);
	abort();
}

static const char *
name(const char *ext)
{
	static char path[200];

	snprintf(path, sizeof path, "%s/r.fa%s", dir, ext);
	return path;
}

static void
clean(void)
{
	unlink(name(""));
	unlink(name(".fai"));
	unlink(name(".gzi"));
	rmdir(dir);
}

static void
put(const char *ext, const void *p, size_t n)
{
	int fd = open(name(ext), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, p, n) != (ssize_t)n)
		exit(1);
	close(fd);
}

static void
put_fasta(const uint8_t *p, size_t n, int bgzip)
{
	static const size_t sizes[] = { 1, 9, 200, BGZF_FILL };
	size_t size = sizes[bgzip & 3];
	struct str t = {0};
	uint8_t b[BGZF_MAX];

	if (n / size > 1000)
		size = n / 1000 + 1;
	for (size_t at = 0; at < n; at += size)
		str_addn(&t, b, bgzf_deflate(1, p + at, n - at < size ? n - at : size, b));
	str_addn(&t, bgzf_eof, BGZF_EOF_SIZE);
	put("", t.s, t.n);
	str_clear(&t);
}

/* A byte of a file becomes another. */
static void
damage(const char *ext, unsigned at, uint8_t by)
{
	int fd = open(name(ext), O_RDWR);
	struct stat s;
	uint8_t b;

	if (fd < 0)
		return;
	if (fstat(fd, &s) == 0 && s.st_size && pread(fd, &b, 1, at % s.st_size) == 1) {
		b ^= by;
		if (pwrite(fd, &b, 1, at % s.st_size) != 1)
			exit(1);
	}
	close(fd);
}

/* All bases of the first contigs, names and lengths as text. */
static int
read_all(int64_t room, struct str *out)
{
	struct err e = {0};
	struct fasta *f = fasta_open(name(""), room, &e);
	struct fasta_view *v;
	int64_t total = 0;

	if (!f)
		return 0;
	MUST(!e.code);
	v = fasta_view(f);
	for (int i = 0; i < fasta_n(f) && !e.code; i++) {
		int64_t n = fasta_length(f, i), at = 0;

		MUST(fasta_find(f, fasta_name(f, i), (int64_t)strlen(fasta_name(f, i))) == i);
		fasta_alias(f, fasta_name(f, i), (int64_t)strlen(fasta_name(f, i)), n);
		str_addf(out, ">%s %lld\n", fasta_name(f, i), (long long)n);
		while (at < n && !e.code && total < 1 << 20) {
			uint8_t b[50];
			int64_t k = n - at < 50 ? n - at : 50;

			if (fasta_get(v, i, at, k, b, &e) == 0)
				str_addn(out, b, (size_t)k);
			at += k;
			total += k;
		}
	}
	fasta_view_free(v);
	fasta_close(f);
	return !e.code;
}

/* The same by the rules of FASTA alone: names, and letters that are no blanks. */
static void
plain(const uint8_t *p, const uint8_t *end, struct str *out)
{
	struct str head = {0}, seq = {0};
	int have = 0;

	while (p <= end) {
		const uint8_t *nl = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL, *stop = nl ? nl : end;

		if (p == end || *p == '>') {
			if (have && seq.n) {
				str_addf(out, ">%s %lld\n", head.s, (long long)seq.n);
				str_addn(out, seq.s, seq.n);
			}
			if (p == end)
				break;
			head.n = seq.n = 0;
			have = 1;
			for (p++; p < stop && (*p == ' ' || *p == '\t' || *p == '\r'); p++)
				;
			while (p < stop && *p != ' ' && *p != '\t' && *p != '\r')
				str_addn(&head, p++, 1);
		} else {
			for (; p < stop; p++)
				if (*p != ' ' && *p != '\t' && *p != '\r')
					str_addn(&seq, p, 1);
		}
		p = nl ? nl + 1 : end;
	}
	str_clear(&head);
	str_clear(&seq);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *p[3], *stop[3], *at = data + 3, *end = data + size;
	struct str one = {0}, two = {0}, want = {0};
	int c;

	if (size < 4)
		return 0;
	mem_oom = too_much;
	if (!*dir) {
		snprintf(dir, sizeof dir, "%s/ovx-fuzz-fa-%ld", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm", (long)getpid());
		mkdir(dir, 0700);
		atexit(clean);
	}
	c = data[0];
	for (int i = 0; i < 3; i++) {
		const uint8_t *cut = i < 2 && at < end ? memmem(at, (size_t)(end - at), "\n==\n", 4) : NULL;

		p[i] = at;
		stop[i] = cut ? cut + 1 : end;
		at = cut ? cut + 4 : end;
	}
	unlink(name(".fai"));
	unlink(name(".gzi"));
	if (c & 1)
		put_fasta(p[0], (size_t)(stop[0] - p[0]), c >> 1);
	else
		put("", p[0], (size_t)(stop[0] - p[0]));
	if (c & 8)
		put(".fai", p[1], (size_t)(stop[1] - p[1]));
	if (c & 16)
		put(".gzi", p[2], (size_t)(stop[2] - p[2]));
	if (read_all(c & 32 ? 0 : 1 << 20, &one)) {
		/* Without an index from outside all is as it stands; and always the same, mapped or not, by the indexes
		 * that were made. */
		if (!(c & 24)) {
			plain(p[0], stop[0], &want);
			MUST(one.n == want.n && !memcmp(one.s, want.s, want.n));
		}
		MUST(read_all(c & 32 ? 1 << 20 : 0, &two));
		MUST(one.n == two.n && !memcmp(one.s, two.s, one.n));
		if (c & 64)
			damage(".fai", data[1], data[2]);
		if (c & 128)
			damage(".gzi", data[1], data[2]);
		two.n = 0;
		read_all(0, &two);
	}
	str_clear(&one);
	str_clear(&two);
	str_clear(&want);
	return 0;
}
