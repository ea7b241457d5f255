/* Blocks of BGZF: round trips, headers of every shape, damage, prefixes; and other programs' opinion. */
#include "../t.h"

#include <unistd.h>
#include "base/mem.h"
#include "os/bgzf.h"
#include "os/text.h"

static uint8_t src[BGZF_MAX], blk[BGZF_MAX + 100], dst[BGZF_MAX];
static uint64_t seed = 88172645463325252u;

static uint32_t
rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 32);
}

static void
fill(int kind)
{
	for (size_t i = 0; i < sizeof src; i++)
		src[i] = kind == 0 ? (uint8_t)rnd() : kind == 1 ? (uint8_t)"ACGT"[rnd() & 3] : 'N';
}

/* One block of n bytes there and back; returns its size, 0 when something is wrong. */
static size_t
round_trip(int level, size_t n)
{
	struct err e = {0};
	size_t k;

	memset(blk + BGZF_MAX, 0x5a, 100);
	memset(dst, 0, sizeof dst);
	k = bgzf_deflate(level, src, n, blk);
	for (int i = 0; i < 100; i++)
		if (blk[BGZF_MAX + i] != 0x5a)
			return 0;
	if (k > BGZF_MAX || bgzf_size(blk, k) != (int)k || bgzf_size(blk, 18) != (int)k || bgzf_raw_size(blk, k) != (int)n)
		return 0;
	if (bgzf_inflate(blk, k, dst, &e) || memcmp(src, dst, n))
		return 0;
	return k;
}

static void
round_trips(void)
{
	static const int level[] = { 0, 1, 6, 9, 12 };
	static const size_t near[] = { 127, 255, 256, 4095, 4096, 32767, 32768, 65000, BGZF_FILL - 2, BGZF_FILL - 1, BGZF_FILL };
	static const char *name[] = { "random bytes", "bases", "one letter" };

	for (int kind = 0; kind < 3; kind++) {
		int good = 1, stored = 1;

		fill(kind);
		for (size_t i = 0; i < sizeof level / sizeof *level; i++) {
			for (size_t n = 0; n < 70; n++)
				good &= round_trip(level[i], n) > 0;
			for (size_t j = 0; j < sizeof near / sizeof *near; j++) {
				size_t k = round_trip(level[i], near[j]);

				good &= k > 0;
				if (level[i] == 0 || kind == 0)
					stored &= k == near[j] + 18 + 5 + 8;
			}
		}
		ok(good, "round trips of %s", name[kind]);
		ok(stored, "%s: what does not shrink is stored", name[kind]);
	}
	ok(bgzf_deflate(6, src, 0, blk) == BGZF_EOF_SIZE && !memcmp(blk, bgzf_eof, BGZF_EOF_SIZE), "nothing makes the end mark");
	ok(bgzf_size(bgzf_eof, BGZF_EOF_SIZE) == BGZF_EOF_SIZE && bgzf_raw_size(bgzf_eof, BGZF_EOF_SIZE) == 0, "the end mark is a block");
}

/* A block with other extra fields around BC: xlen bytes of them before, behind bytes behind it. */
static size_t
wrap(size_t before, size_t behind, uint8_t *out)
{
	size_t n = bgzf_deflate(6, src, 1000, blk), xlen = 6, k = 12;

	memcpy(out, blk, 12);
	if (before) {
		out[k] = 'A';
		out[k + 1] = 'B';
		out[k + 2] = (uint8_t)(before - 4);
		out[k + 3] = (uint8_t)((before - 4) >> 8);
		memset(out + k + 4, 'B', before - 4);
		k += before;
		xlen += before;
	}
	memcpy(out + k, "BC\2\0", 4);
	k += 6;
	if (behind) {
		memcpy(out + k, "XY", 2);
		out[k + 2] = (uint8_t)(behind - 4);
		out[k + 3] = (uint8_t)((behind - 4) >> 8);
		memset(out + k + 4, 'C', behind - 4);
		k += behind;
		xlen += behind;
	}
	out[10] = (uint8_t)xlen;
	out[11] = (uint8_t)(xlen >> 8);
	memcpy(out + k, blk + 18, n - 18);
	k += n - 18;
	out[12 + before + 4] = (uint8_t)(k - 1);
	out[12 + before + 5] = (uint8_t)((k - 1) >> 8);
	return k;
}

static void
headers(void)
{
	static const size_t some[] = { 0, 4, 5, 6, 100, 300, 30000 };
	struct err e = {0};
	uint8_t *b = mem_raw(uint8_t, 2 * BGZF_MAX);
	int good = 1, early = 1;
	size_t n;

	fill(1);
	for (size_t i = 0; i < sizeof some / sizeof *some; i++)
		for (size_t j = 0; j < sizeof some / sizeof *some; j++) {
			n = wrap(some[i], some[j], b);
			memset(dst, 0, 1000);
			good &= bgzf_size(b, n) == (int)n && bgzf_raw_size(b, n) == 1000;
			good &= !bgzf_inflate(b, n, dst, &e) && !memcmp(dst, src, 1000);
			for (size_t k = 0; k < n && k < 400; k++) {
				int r = bgzf_size(b, k);

				early &= r == (k < 12 + some[i] + 6 ? 0 : (int)n);
			}
		}
	ok(good, "extra fields before and behind BC");
	ok(early, "the size is known as soon as BC is there");
	n = bgzf_deflate(6, src, 1000, blk);
	for (int flag = 0; flag < 8; flag++) {
		blk[3] = (uint8_t)(1 << flag);
		good &= flag == 2 || bgzf_size(blk, n) == -1;
		blk[3] = (uint8_t)(4 | 1 << flag);
		good &= flag == 2 || bgzf_size(blk, n) == -1;
	}
	ok(good, "other flags: no BGZF block");
	blk[3] = 4;
	blk[12] = 'X';
	is_i64(bgzf_size(blk, n), -1, "no BC: no BGZF block");
	blk[12] = 'B';
	blk[14] = 3;
	is_i64(bgzf_size(blk, n), -1, "a field beyond the extra fields");
	blk[14] = 2;
	blk[16] = 20;
	blk[17] = 0;
	is_i64(bgzf_size(blk, n), -1, "a block smaller than its frame");
	blk[10] = blk[11] = 0xff;
	is_i64(bgzf_size(blk, n), -1, "extra fields larger than a block");
	n = bgzf_deflate(6, src, 1000, blk);
	blk[n - 2] = 2;
	is_i64(bgzf_raw_size(blk, n), -1, "more than 64 KB in a block");
	ok(bgzf_inflate(blk, n, dst, &e) == ERR_DATA && strstr(e.msg, "BGZF block is damaged"), "which is refused");
	mem_free(b);
}

/* Flips every bit of a block: refused, or the same content. */
static void
flips(int level, size_t n)
{
	size_t k = bgzf_deflate(level, src, n, blk);
	int bad = 0, same = 0;

	for (size_t i = 0; i < k; i++)
		for (int bit = 0; bit < 9; bit++) {
			struct err e = {0};
			uint8_t old = blk[i];
			int r, size;

			blk[i] ^= bit == 8 ? 0xff : (uint8_t)(1 << bit);
			size = bgzf_size(blk, k);
			r = bgzf_raw_size(blk, k);
			if (r >= 0 && bgzf_inflate(blk, k, dst, &e) == 0) {
				same++;
				bad += size != (int)k || (size_t)r != n || memcmp(src, dst, n);
			} else {
				bad += r >= 0 && e.code != ERR_DATA;
			}
			blk[i] = old;
		}
	ok(!bad, "level %d, %zu bytes: every flip is refused or changes nothing", level, n);
	ok(same >= 6 * 9 && same < 9 * 9, "which it does in time, system and the like alone (%d)", same);
}

static void
prefixes(void)
{
	size_t k = bgzf_deflate(6, src, 3000, blk);
	uint8_t *copy;
	int bad = 0;

	for (size_t i = 0; i < k; i++) {
		struct err e = {0};
		int size, r;

		copy = mem_raw(uint8_t, (long long)i);          /* so that a read behind it is seen */
		memcpy(copy, blk, i);
		size = bgzf_size(copy, i);
		bad += size != (i < 18 ? 0 : (int)k);
		r = bgzf_raw_size(copy, i);
		bad += r >= 0 && bgzf_inflate(copy, i, dst, &e) != ERR_DATA;
		mem_free(copy);
	}
	ok(!bad, "every prefix: more is needed, or refused");
	for (int turn = 0; turn < 20000; turn++) {
		struct err e = {0};
		size_t n = rnd() % 300;

		for (size_t i = 0; i < n; i++)
			blk[i] = rnd() & 1 ? (uint8_t)rnd() : bgzf_eof[i % BGZF_EOF_SIZE];
		if (n >= 18 && rnd() & 1)
			memcpy(blk, bgzf_eof, 18);
		if (bgzf_size(blk, n) > 0 && bgzf_raw_size(blk, n) >= 0)
			bad += bgzf_inflate(blk, n, dst, &e) == 0;
	}
	ok(!bad, "noise is refused");
}

/* Our blocks through gzip, and those of others through ours. */
static void
others(void)
{
	char path[] = "/tmp/bgzf-XXXXXX", cmd[300];
	struct err e = {0};
	struct text t;
	int fd = mkstemp(path), good;
	FILE *f;
	size_t n;

	fill(1);
	f = fd < 0 ? NULL : fdopen(fd, "wb");
	for (int i = 0; i < 3 && f; i++) {
		n = bgzf_deflate(i * 3, src + i * 1000, 60000, blk);
		fwrite(blk, 1, n, f);
	}
	if (f) {
		fwrite(bgzf_eof, 1, BGZF_EOF_SIZE, f);
		fclose(f);
	}
	text_open(&t, path, &e);
	for (int i = 0; i < 3; i++) {
		for (size_t have = 0; have < 60000 && !e.code;)
			have += (size_t)text_read(&t, dst + have, 60000 - have, &e);
		good = !e.code && !memcmp(dst, src + i * 1000, 60000);
		ok(good, "zlib reads our block %d", i);
	}
	text_close(&t);
	if (system("command -v bgzip > /dev/null 2>&1")) {
		skip("bgzip reads our blocks", "bgzip is not installed");
		unlink(path);
		return;
	}
	snprintf(cmd, sizeof cmd, "bgzip -dc %s > %s.raw 2> /dev/null && bgzip -c %s.raw > %s", path, path, path, path);
	ok(system(cmd) == 0, "bgzip reads our blocks");
	f = fopen(path, "rb");
	n = f ? fread(blk, 1, BGZF_MAX, f) : 0;
	if (f)
		fclose(f);
	good = bgzf_size(blk, n) > 0 && (size_t)bgzf_size(blk, n) <= n && bgzf_raw_size(blk, (size_t)bgzf_size(blk, n)) == BGZF_FILL;
	ok(good && !bgzf_inflate(blk, (size_t)bgzf_size(blk, n), dst, &e) && !memcmp(src, dst, 60000), "and we read its");
	unlink(path);
	snprintf(cmd, sizeof cmd, "%s.raw", path);
	unlink(cmd);
}

int
main(void)
{
	round_trips();
	headers();
	fill(1);
	flips(6, 700);
	flips(0, 200);
	flips(1, 3);
	prefixes();
	others();
	return done();
}
