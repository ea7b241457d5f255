/* variants - what the targets vcf and bcf share: one run of the filter between memory files
 *
 * Two bytes of control come first: how the input is wrapped, and the options.
 */
#ifndef OVX_FUZZ_VARIANTS_H
#define OVX_FUZZ_VARIANTS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include "base/mem.h"
#include "os/bgzf.h"
#include "var/flow.h"
#include "var/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond) ((cond) ? (void)0 : broken(#cond, __LINE__))

struct run {
	struct scan_opts so;
	enum flow_type type;
	int dedup, index, room, batch;
	int64_t window;
	/* what came of it */
	struct chunk_stats stats;
	struct err e;
	struct str out;
};

static struct fasta *ref;
static struct scan scan_one;
static struct hts_index *no_index;

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

static int
memory_file(const void *p, size_t n, char path[40])
{
	int fd = memfd_create("fuzz", 0);

	if (fd < 0 || (n && write(fd, p, n) != (ssize_t)n))
		exit(1);
	snprintf(path, 40, "/proc/self/fd/%d", fd);
	return fd;
}

static void
open_reference(void)
{
	static const char text[] = ">hp\nGATCAAAAAATGCTAGGCCTTACG\n>str\nTTGGCACACACACATTCGATCGTA\n>iup\nACGTARNNNNACGTNAAAAAT\n"
	    ">lower\nacgtacgtttttttttttgcgcgcgcgcgcacgt\n>m\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n";
	struct err e = {0};
	char path[40];

	mem_oom = too_much;
	memory_file(text, sizeof text - 1, path);
	ref = fasta_open(path, 1 << 20, &e);
	if (!ref)
		exit(1);
}

/* p as it is, as one gzip member, or as BGZF of blocks of this many bytes (some of them empty). */
static void
wrap(const uint8_t *p, size_t n, int how, struct str *out)
{
	static const size_t sizes[] = { 1, 7, 100, 4000, BGZF_FILL, 31 };
	uint8_t b[BGZF_MAX];

	if (how % 4 == 0) {
		str_addn(out, p, n);
	} else if (how % 4 == 1) {
		z_stream z = {0};
		uint8_t *to = mem_new(uint8_t, (long long)n + 1000);

		deflateInit2(&z, 1, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
		z.next_in = (uint8_t *)(uintptr_t)p;
		z.avail_in = (unsigned)n;
		z.next_out = to;
		z.avail_out = (unsigned)n + 1000;
		deflate(&z, Z_FINISH);
		str_addn(out, to, z.total_out);
		deflateEnd(&z);
		mem_free(to);
	} else {
		size_t size = sizes[how / 4 % 6];

		if (n / size > 2000)
			size = n / 2000 + 1;
		for (size_t at = 0; at < n; at += size) {
			if (how % 4 == 3 && at % 5 == 0)
				str_addn(out, bgzf_eof, BGZF_EOF_SIZE);
			str_addn(out, b, bgzf_deflate(1, p + at, n - at < size ? n - at : size, b));
		}
		str_addn(out, bgzf_eof, BGZF_EOF_SIZE);
	}
}

static int
look(void *ctx, struct chunk *c, int worker, struct err *e)
{
	struct flow *f = ctx;

	(void)worker;
	return f->out_bcf ? scan_bcf(&scan_one, c, e) : scan_text(&scan_one, c, e);
}

/* What the tool does, on p[0..n). */
static void
run(struct run *r, const void *p, size_t n)
{
	struct flow f = { .in = { .fd = -1 } };
	struct err *e = &r->e;
	char in[40], out[40];
	int fd_in = memory_file(p, n, in), fd_out = memory_file(NULL, 0, out), bcf = r->type == FLOW_BCF || r->type == FLOW_UBCF;
	off_t size;

	r->so.ref = ref;
	if (!flow_open(&f, in, NULL, bcf || r->index || r->so.split, e)) {
		f.in.long_most = 8 << 20;
		if (f.head && hts_contigs(f.head) == 0 && (bcf || r->index || f.in.bcf))
			for (int i = 0; i < fasta_n(ref); i++) {
				char line[100];

				snprintf(line, sizeof line, "##contig=<ID=%s,length=%d>\n", fasta_name(ref, i), (int)fasta_length(ref, i));
				flow_header_add(&f, line, e);
			}
		if (r->so.old_tag)
			flow_header_add(&f, "##INFO=<ID=WAS,Number=1,Type=String,Description=\"x\">\n", e);
		r->so.head = f.head;
		if (!e->code)
			flow_start(&f, fd_out, r->type, 1, 1, e);
		if (!e->code && r->index && f.out.kind == DRAIN_BGZF)
			no_index = f.out.index = hts_index(f.head, f.out_bcf, 1, drain_offset(&f.out), e);
		f.order.window = r->window;
		f.order.unsorted = r->so.unsorted;
		f.order.dedup = r->dedup;
		if (r->room)
			f.order.room = 0;
		f.in.whole |= r->so.split || r->index || r->dedup || r->so.guard;
		f.look = look;
		f.ctx = &f;
		scan_init(&scan_one, &r->so, e);
		if (!e->code)
			flow_run(&f, e);
		scan_free(&scan_one);
		r->stats = f.stats;
	}
	flow_close(&f, e);
	hts_index_free(no_index);
	no_index = NULL;
	size = lseek(fd_out, 0, SEEK_END);
	if (size > 0) {
		char *b = mem_new(char, size);

		if (pread(fd_out, b, (size_t)size, 0) != size)
			exit(1);
		str_addn(&r->out, b, (size_t)size);
		mem_free(b);
	}
	close(fd_in);
	close(fd_out);
}

static void
options(struct run *r, uint8_t a, uint8_t b)
{
	r->so.split = a & 1;
	r->so.sv = a >> 1 & 1;
	r->so.guard = a & 4 ? 1000 : 0;
	r->dedup = (a & 8) != 0;
	r->so.unsorted = (a & 16) && !r->dedup;
	r->so.old_tag = a & 32 ? "WAS" : NULL;
	r->type = (enum flow_type)(a >> 6 & 3);
	r->so.check = (enum scan_check)(b % 3);
	r->so.alpha = b >> 2 & 1;
	r->room = b >> 3 & 1;
	r->index = (b >> 4 & 1) && !r->so.unsorted;
	r->window = b & 32 ? 5 : 10000;
}

/* A run over what came out: it must go through, and find everything normal. */
static void
run_again(const struct run *r, struct run *again)
{
	again->so = r->so;
	again->so.old_tag = NULL;
	again->window = 1 << 30;
	again->dedup = r->dedup;
	run(again, r->out.s, r->out.n);
	if (again->e.code)
		fprintf(stderr, "second run: %s\n", again->e.msg);
	MUST(!again->e.code);
	MUST(again->stats.in == r->stats.out);
	if (!r->so.sv && !r->so.guard)
		MUST(again->stats.by[NORM_SHIFTED] == 0 && again->stats.by[NORM_TRIMMED] == 0 && again->stats.split == 0 && again->stats.dropped == 0);
}

#endif
