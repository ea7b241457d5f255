/* corpus - good, bad and unsupported streams from one good one: corpus IN DIR
 *
 * Each file differs from IN in one thing, with every checksum that is not the
 * point made right again, so that the check behind the checksum is what refuses
 * it.  DIR/README gets a line for each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "os/deflate.h"
#include "stream/wire.h"

static uint8_t *in, *b;
static int64_t n_in, n;
static const char *dir;
static FILE *readme;

/* Offset of the k-th section head, -1 when there are fewer. */
static int64_t
section(int k)
{
	int64_t at = 64;

	for (int i = 0; at + 64 <= n; i++) {
		int payload = wire_get16(b + at + WS_FLAGS) & WSF_PAYLOAD, last = !payload;

		if (i == k)
			return at;
		at += 64 + wire_pad(wire_get32(b + at + WS_TEXT));
		while (!last) {
			last = b[at + WB_FLAGS] & WBF_LAST;
			at += 64 + wire_pad((int64_t)wire_get64(b + at + WB_STORED));
		}
		if (at >= n - 64)
			break;
	}
	return -1;
}

/* Section whose text starts with path=PATH. */
static int64_t
path(const char *p)
{
	char key[100];
	int64_t at;

	snprintf(key, sizeof key, "path=%s\n", p);
	for (int k = 0; (at = section(k)) >= 0; k++)
		if (memcmp(b + at + 64, key, strlen(key)) == 0)
			return at;
	abort();
}

static int64_t
block(int64_t sect)
{
	return sect + 64 + wire_pad(wire_get32(b + sect + WS_TEXT));
}

/* The block behind one. */
static int64_t
after(int64_t at)
{
	return at + 64 + wire_pad((int64_t)wire_get64(b + at + WB_STORED));
}

/* Makes data CRCs, head CRCs, chain, index CRC and tail right again. */
static void
refit(void)
{
	uint32_t chain = 0;
	int64_t at = 64, end = 0;

	wire_put32(b + WP_CRC, deflate_crc(0, b, WP_CRC));
	while (at < n - 64) {
		int64_t text = wire_pad(wire_get32(b + at + WS_TEXT));
		int kind = b[at + WS_KIND], last = !(wire_get16(b + at + WS_FLAGS) & WSF_PAYLOAD);
		uint32_t crc;

		wire_put32(b + at + WS_CHAIN, chain);
		crc = deflate_crc(deflate_crc(0, b + at, WS_CRC), b + at + 64, (size_t)text);
		wire_put32(b + at + WS_CRC, crc);
		chain = deflate_crc(chain, b + at + WS_CRC, 4);
		end = at;
		at += 64 + text;
		while (!last) {
			if (kind == 255)
				wire_put64(b + at + WB_HASH, chain);
			wire_put32(b + at + WB_DATA_CRC, deflate_crc(0, b + at + 64, (size_t)wire_get64(b + at + WB_STORED)));
			wire_put32(b + at + WB_CRC, deflate_crc(0, b + at, WB_CRC));
			chain = deflate_crc(chain, b + at + WB_CRC, 4);
			last = b[at + WB_FLAGS] & WBF_LAST;
			at = after(at);
			last |= memcmp(b + at, "BLCK", 4) != 0;        /* a mark was left out */
		}
	}
	wire_put64(b + n - 64 + WT_END, (uint64_t)end);
	wire_put64(b + n - 64 + WT_TOTAL, (uint64_t)n);
	wire_put32(b + n - 64 + WT_CRC, deflate_crc(0, b + n - 64, WT_CRC));
}

static void
reset(void)
{
	memcpy(b, in, (size_t)n_in);
	n = n_in;
}

static void
save(const char *name, const char *what)
{
	char file[500];
	FILE *f;

	snprintf(file, sizeof file, "%s/%s.ovx", dir, name);
	f = fopen(file, "wb");
	if (!f || fwrite(b, 1, (size_t)n, f) != (size_t)n || fclose(f))
		exit(1);
	fprintf(readme, "%-28s %s\n", name, what);
	reset();
}

static void
preambles(void)
{
	save("good-plain", "as ovx-simulate and ovx-normalize write it");
	wire_put16(b + WP_MINOR, 7), refit(), save("good-newer-minor", "a newer minor version: may be read");
	b[WP_COMPAT] = 4, refit(), save("good-compat-bit", "an unknown compatible bit: may be read");
	wire_put16(b + WP_MAJOR, 2), refit(), save("unsupported-major", "a newer major version");
	b[WP_INCOMPAT + 3] = 1, refit(), save("unsupported-incompat-bit", "an unknown incompatible bit");
	b[7] = '\r', save("bad-magic", "magic mangled");
	memmove(b + 4, b + 5, 59), save("bad-text-mode", "CR LF became LF, as a text-mode transfer does");
	b[40] = 1, refit(), save("bad-preamble-reserved", "a reserved byte of the preamble is not zero");
	b[WP_CRC] ^= 1, save("bad-preamble-crc", "checksum of the preamble");
}

static void
sections(void)
{
	int64_t at = path("obs/depth"), x = path("X");

	b[at + 50] = 1, refit(), save("bad-section-reserved", "a reserved byte of a section head is not zero");
	b[at + WS_CRC] ^= 1, save("bad-section-crc", "checksum of a section head");
	wire_put64(b + at + WS_SEQ, 77), refit(), save("bad-section-seq", "number of a section");
	wire_put64(b + at + WS_N_ROW, wire_get64(b + at + WS_N_ROW) + 1), refit(), save("bad-section-rows", "more rows than its blocks have");
	wire_put64(b + at + WS_N_ROW, (uint64_t)1 << 62), refit(), save("bad-section-huge", "2^62 rows");
	wire_put32(b + at + WS_TEXT, 0x7fffffff), save("bad-section-text", "a text of 2 GB");
	b[at + WS_DTYPE] = 77, refit(), save("bad-section-dtype", "unknown type of values");
	b[at + 64] = 'q', refit(), save("bad-section-path", "a section without a path");
	memcpy(strstr((char *)b + at + 64, "axis0=obs:") + 10, "0000", 4), refit(), save("bad-section-axis", "bound to an axis that is not there");
	wire_put32(b + at + WS_BLOCK_ROWS, 3), refit(), save("bad-section-block-rows", "blocks larger than the head says");
	wire_put32(b + x + WS_CHAIN, 1), save("bad-section-chain", "checksum of all heads before");
	b[x + 64 + wire_get32(b + x + WS_TEXT)] = 1, refit(), save("bad-section-padding", "padding behind a text is not zero");
}

/* The last varint of a block of packed counts gets a byte more; there is room in the padding. */
static void
longer(int64_t at)
{
	int64_t k = 65, len = (int64_t)wire_get64(b + at + WB_STORED);

	for (int64_t left = 3 * (int64_t)wire_get64(b + at + WB_N_ROW) + 25 + 8; left > 0; k++)
		left -= b[at + k] < 128;
	if (len % 64 == 0)
		abort();
	memmove(b + at + k + 1, b + at + k, (size_t)(64 + len - k));
	b[at + k - 1] |= 128;
	b[at + k] = 0;
	wire_put64(b + at + WB_STORED, (uint64_t)len + 1);
}

static void
blocks(void)
{
	int64_t at = block(path("obs/depth")), x = block(path("X")), rows = after(x), obs = block(path("obs"));
	int64_t type = block(path("obs/cell_type")), len;

	b[rows + WB_CODEC] = 9, refit(), save("unsupported-codec", "an unknown codec");
	b[at + 6] = 1, refit(), save("bad-block-reserved", "a reserved byte of a block head is not zero");
	b[at + WB_CRC] ^= 1, save("bad-block-crc", "checksum of a block head");
	b[at + 64] ^= 1, save("bad-data-crc", "checksum of the stored bytes");
	b[at + 66] ^= 1, refit(), save("bad-deflate", "deflate data, checksum right");
	wire_put64(b + at + WB_ROW0, 1), refit(), save("bad-block-row0", "first row of a block");
	wire_put64(b + rows + WB_N_ITEM, (uint64_t)1 << 40), refit(), save("bad-block-items", "2^40 values in a block");
	wire_put64(b + rows + WB_STORED, (uint64_t)1 << 45), save("bad-block-length", "a block of 2^45 bytes");
	wire_put64(b + rows + WB_HASH, 1), refit(), save("bad-block-digest", "digest of the content");
	b[at + WB_FLAGS] = 0, refit(), save("bad-block-last", "the last block is not marked");
	b[x + WB_FLAGS] = 0, refit(), save("bad-prelude", "the order of the genes is not marked as such");
	b[x + WB_CODEC] = 0, refit(), save("bad-prelude-codec", "the order of the genes, stored otherwise than said");
	b[obs + 64] ^= 4, refit(), save("bad-axis-names", "names that do not fit their digest");
	b[after(type) + 64] ^= 0x40, refit(), save("bad-category-code", "codes of categories");
	len = (int64_t)wire_get64(b + rows + WB_STORED);
	for (int64_t i = 1; i < len; i = i * 2 + 1) {
		char name[40];

		b[rows + 64 + i] ^= 0x5a;
		refit();
		snprintf(name, sizeof name, "bad-packed-%lld", (long long)i);
		save(name, "packed counts, checksum right");
	}
	longer(rows), refit(), save("good-packed-otherwise", "packed counts with a varint longer than it must be: the same content, and digest");
	b[rows + 64 + len] = 1, refit(), len % 64 ? save("bad-padding", "padding behind data is not zero") : reset();
}

static void
ends(void)
{
	int64_t end = (int64_t)wire_get64(b + n - 64 + WT_END), index = end + 64 + wire_pad(wire_get32(b + end + WS_TEXT));

	b[index + 64] ^= 1, refit(), save("bad-index", "the index points elsewhere");
	b[index + 64 + 8] ^= 1, refit(), save("bad-index-id", "an id in the index");
	wire_put64(b + end + WS_N_ROW, 2), refit(), save("bad-end-count", "the end mark counts two sections");
	wire_put64(b + n - 64 + WT_TOTAL, 1), wire_put32(b + n - 64 + WT_CRC, deflate_crc(0, b + n - 64, WT_CRC)),
	    save("bad-tail-total", "length in the tail");
	b[n - 1] ^= 1, save("bad-tail-crc", "checksum of the tail");
	b[n++] = 0, save("bad-trailing", "a byte behind the end mark");
	memcpy(b + n, b, (size_t)n), n *= 2, save("bad-twice", "two streams one behind the other");
	n -= 64, save("bad-cut-tail", "no tail");
	n = end, save("bad-cut-end", "no end section");
	n = path("X"), save("bad-cut-section", "cut between two sections");
	n = after(block(path("X"))) + 32, save("bad-cut-head", "cut in a block head");
	n = 64, save("bad-cut-preamble", "a preamble alone");
	n = 5, save("bad-cut-magic", "five bytes");
	n = 0, save("bad-empty", "nothing");
}

int
main(int argc, char **argv)
{
	char file[500];
	FILE *f;

	if (argc != 3 || !(f = fopen(argv[1], "rb")))
		return 2;
	in = malloc(1 << 24);
	b = calloc(1, 1 << 25);
	n_in = (int64_t)fread(in, 1, 1 << 24, f);
	fclose(f);
	dir = argv[2];
	snprintf(file, sizeof file, "%s/README", dir);
	readme = fopen(file, "w");
	if (!readme || !in || !b)
		return 1;
	fprintf(readme, "Streams for conformance, written by tests/helper/corpus.c: good ones are read, bad\n"
	    "and unsupported ones refused by ovx-check, each for the one thing that is wrong.\n\n");
	reset();
	preambles();
	sections();
	blocks();
	ends();
	free(in);
	free(b);
	return fclose(readme) != 0;
}
