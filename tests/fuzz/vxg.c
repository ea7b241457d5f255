/* vxg - fuzz target: a damaged frequency database, opened, asked, walked through, checked
 *
 * The first byte says how.  Bit 0: what follows are changes of four bytes (where, three; what, one) to a database that is
 * made here, whose checksums are then made right, so that what is wrong is behind them.  Else what follows
 * is the file itself.  Bit 1: nothing is mapped.  Only errors may come of it, and texts of a found row
 * that lie in memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/mem.h"
#include "os/deflate.h"
#include "os/par.h"
#include "var/vxg_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *base;
static size_t n_base;
static struct par *par;

static void
too_much(size_t bytes)
{
	fprintf(stderr, "mem_oom: %zu bytes\n", bytes);
	abort();
}

static void
stop(const struct err *e)
{
	if (e->code) {
		fprintf(stderr, "no database to change: %s\n", e->msg);
		exit(1);
	}
}

static fval
text(struct frows *r, const char *s)
{
	return frows_text(r, s, strlen(s));
}

/* Rows of all kinds: short and long alleles, both tiers, numbers that follow a rule and others, texts. */
static void
add_rows(struct frows *r, const struct fcols *c)
{
	static const char *const allele[][2] = { { "A", "C" }, { "A", "G" }, { "A", "AT" }, { "AC", "A" }, { "AC", "GT" }, { "A", "ATTTTTTTTTT" },
		{ "ACACACACACAC", "A" } };
	struct fval_rule rule = { FVAL_STYLE_GALT, 6, 1, 0 };
	uint32_t u = 1;

	for (int i = 0; i < 1400; i++) {
		const char *const *a = allele[i % 7 ? 0 : i / 7 % 7];
		int64_t ac, an = 100000 + i % 5 * 2;
		fval *v;

		u = u * 1664525 + 1013904223;
		ac = u >> 31 ? 1 : u >> 8 & 0xfff;
		v = frows_add(r, i / 900, (uint32_t)(10 + i % 900 * 3), a[0], (uint32_t)strlen(a[0]), a[1], (uint32_t)strlen(a[1]), i);
		v[0] = ac;
		v[1] = i % 300 == 7 ? FVAL_MISSING : an;
		v[2] = i % 50 == 3 ? FVAL_MISSING : i % 100 == 9 ? text(r, "nan") : fval_quotient(rule, ac, i % 90 == 5 ? 7 : an);
		v[3] = text(r, i % 9 ? "PASS" : "AC0&RF");
		v[4] = i % 4 ? FVAL_MISSING : i % 8 ? text(r, "a,list,of,texts") : text(r, i % 16 ? "x" : "another");
		v[5] = i % 3 == 0;
	}
	(void)c;
}

static void
make_base(void)
{
	struct fcols c = {0};
	struct frows r;
	struct vxg_meta m = {0};
	struct err e = {0};
	struct vxg_writer *w;
	int fd = memfd_create("base", 0);
	off_t size;

	mem_oom = too_much;
	par = par_new(1, NULL);
	fcols_add(&c, "AC", "AC", FTYPE_INT, FNUM_ALT, "A", "Count", 0);
	fcols_add(&c, "AN", "AN", FTYPE_INT, FNUM_SITE, "1", "Number", 0);
	fcols_add(&c, "AF", "AF", FTYPE_FLOAT, FNUM_ALT, "A", "Frequency", 0);
	fcols_add(&c, "FILTER", "FILTER", FTYPE_STRING, FNUM_SITE, "1", "Filters", 0);
	fcols_add(&c, "list", "list", FTYPE_STRING, FNUM_LIST, ".", "Texts", 0);
	fcols_add(&c, "flag", "flag", FTYPE_FLAG, FNUM_FLAG, "0", "Flag", 0);
	c.ac = 0;
	c.an = 1;
	c.af = 2;
	c.filter = 3;
	c.c[2].num = 0;
	c.c[2].den = 1;
	frows_init(&r, c.n);
	add_rows(&r, &c);
	strs_add(&m.contig, "1", 1);
	strs_add(&m.contig, "2", 1);
	m.contig_length = mem_new(int64_t, 2);
	m.contig_length[0] = m.contig_length[1] = -1;
	m.release = mem_strdup("gnomAD v4.1 genomes");
	m.build = mem_strdup("");
	w = vxg_create(fd, &c, par, &e);
	for (int64_t i = 0; i < r.n && !e.code; i++)
		vxg_put(w, &r, i, &e);
	vxg_finish(w, &m, &e);
	stop(&e);
	size = lseek(fd, 0, SEEK_END);
	base = malloc((size_t)size);
	n_base = (size_t)size;
	if (pread(fd, base, n_base, 0) != size)
		exit(1);
	close(fd);
	frows_clear(&r);
	fcols_clear(&c);
	vxg_meta_clear(&m);
}

/* Checksums of blocks and pages, as far as the directory can be read and points into the file. */
static void
mend_inside(uint8_t *p, size_t n, uint64_t dir_at)
{
	struct vxg_dir d = {0};
	struct err e = {0};

	if (!vxg_dir_read(&d, (const char *)p + dir_at, n - VXG_TAIL - dir_at, "fuzz", &e) && d.index_at <= dir_at && d.index_bytes <= dir_at - d.index_at) {
		uint64_t pages = (d.index_bytes + VXG_PAGE - 1) / VXG_PAGE;

		for (int64_t i = 0; i < d.meta.contig.n * VXG_TIERS; i++) {
			const struct vxg_index *k = &d.index[i];
			uint64_t at = k->at + (((uint64_t)k->n * 4 + 7) & ~(uint64_t)7);

			for (int64_t b = 0; b < k->n && b < 100 && at < dir_at - 16; b++, at += 8) {
				uint64_t from = vxg_u64(p + at), to = vxg_u64(p + at + 8);

				if (from >= VXG_PREAMBLE && to <= d.index_at && from + 8 <= to) {
					vxg_set32(p + from, (uint32_t)(to - from));
					vxg_block_seal(p + from, to - from);
				}
			}
		}
		for (uint64_t i = 0; i < pages && d.sums_at <= dir_at && d.sums_at + 4 * i + 4 <= dir_at; i++) {
			uint64_t at = d.index_at + i * VXG_PAGE, k = d.index_bytes - i * VXG_PAGE;

			vxg_set32(p + d.sums_at + 4 * i, deflate_crc(0, p + at, k < VXG_PAGE ? k : VXG_PAGE));
		}
	}
	vxg_dir_clear(&d);
}

static void
mend(uint8_t *p, size_t n)
{
	uint8_t *tail = p + n - VXG_TAIL;
	uint64_t dir_at = vxg_u64(base + n - VXG_TAIL + 8);

	mend_inside(p, n, dir_at);
	memcpy(p, base, 24);
	vxg_set32(p + 60, deflate_crc(0, p, 60));
	memcpy(tail, base + n - VXG_TAIL, 32);
	vxg_set32(tail + 4, deflate_crc(0, p + dir_at, n - VXG_TAIL - dir_at));
	vxg_set32(tail + 60, deflate_crc(0, tail, 60));
}

static unsigned sink;

/* All values of a hit. */
static void
values(struct freq *f, struct freq_cursor *k, const struct freq_hit *hit)
{
	struct err e = {0};
	char out[FVAL_PRINT];
	int n_col = f->cols->n < 64 ? f->cols->n : 64, col[64];
	fval all[64];

	for (int c = 0; c < n_col; c++)
		col[c] = c;
	if (f->values)
		f->values(k, hit, col, n_col, all, &e);
	for (int c = 0; c < n_col; c++) {
		fval v = hit->row & 1 && f->values ? all[c] : f->value(k, hit, c, &e);
		size_t n = 0;
		const char *s;

		if (e.code)
			return;
		if (v == FVAL_MISSING)
			continue;
		if (!fval_is_text(v)) {
			sink += (unsigned)fval_print((enum ftype)f->cols->c[c].type, v, out) + (unsigned char)out[0];
			continue;
		}
		s = f->text(k, c, v, &n, &e);
		if (e.code)
			return;
		for (size_t i = 0; i < n; i++)
			sink += (unsigned char)s[i];
	}
}

static void
at(void *ctx, const char *ref, uint32_t n_ref, const char *alt, uint32_t n_alt)
{
	(void)ctx;
	for (uint32_t i = 0; i < n_ref; i++)
		sink += (unsigned char)ref[i];
	for (uint32_t i = 0; i < n_alt; i++)
		sink += (unsigned char)alt[i];
}

/* Known alleles and others, near and far, in no order. */
static void
ask(struct freq *f)
{
	static const char *const allele[][2] = { { "A", "C" }, { "A", "AT" }, { "AC", "A" }, { "AC", "GT" }, { "A", "ATTTTTTTTTT" }, { "ACACACACACAC", "A" }, { "T", "G" } };
	struct err none = {0};
	struct freq_cursor *k = f->cursor(f, &none);

	if (!k)
		return;
	for (int i = 0; i < 250; i++) {
		uint32_t pos = i % 5 == 4 ? (uint32_t)i * 40000000u : (uint32_t)(10 + i * 37 % 900 * 3);
		const char *const *a = allele[i % 7];
		struct freq_hit hit;
		struct err e = {0};
		int contig = i % 3 == 2 && f->n_contig > 1;

		if (f->n_contig == 0)
			break;
		if (f->find(k, contig, pos, a[0], (uint32_t)strlen(a[0]), a[1], (uint32_t)strlen(a[1]), &hit, &e) == FREQ_FOUND && !e.code)
			values(f, k, &hit);
		if (i % 10 == 0 && !e.code)
			f->at(k, contig, pos, at, NULL, &e);
	}
	if (f->ahead && f->n_contig > 0) {
		int64_t pos[40];
		struct err e = {0};

		for (int i = 0; i < 40; i++)
			pos[i] = 10 + i * 70;
		f->ahead(k, 0, pos, 40, &e);
	}
	f->cursor_free(k);
}

/* Rows one after the other, so that blocks are laid open, straight to text. */
static void
print(struct freq *f)
{
	struct err none = {0};
	struct freq_cursor *k = f->cursor(f, &none);
	int n = f->cols->n < 64 ? f->cols->n : 64;
	struct freq_tag tag[64];
	char key[FREQ_KEY_PAD + 8] = ";x=", *out;

	if (!k)
		return;
	for (int c = 0; c < n; c++)
		tag[c] = (struct freq_tag){ key, 3, c };
	f->tags(k, tag, n);
	out = malloc((size_t)n * (3 + FVAL_PRINT) + 64);
	for (int i = 0; i < 900 && f->n_contig > 0; i++) {
		struct freq_hit hit;
		struct err e = {0};
		fval filter = FVAL_MISSING;

		if (f->find(k, 0, 10 + (uint32_t)i * 3, "A", 1, "C", 1, &hit, &e) == FREQ_FOUND && !e.code) {
			char *end = f->print(k, &hit, out, &filter, &e);

			for (char *p = out; end && p < end; p++)
				sink += (unsigned char)*p;
			sink += (unsigned)filter;
		}
	}
	free(out);
	f->cursor_free(k);
}

static void
walk(struct freq *f)
{
	struct err e = {0};
	struct vxg_iter *t = vxg_iter(f, &e);
	struct frows r;

	if (!t)
		return;
	frows_init(&r, f->cols->n);
	for (int i = 0; i < 40 && vxg_iter_next(t, &r, 100, &e) > 0; i++)
		frows_reset(&r);
	frows_clear(&r);
	vxg_iter_free(t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = {0};
	struct str out = {0};
	struct freq *f;
	int fd, how;

	if (!base)
		make_base();
	if (size < 1)
		return 0;
	how = *data++;
	size--;
	fd = memfd_create("fuzz", 0);
	if (how & 1) {
		uint8_t *p = malloc(n_base);

		memcpy(p, base, n_base);
		for (; size >= 4; data += 4, size -= 4)
			p[((size_t)data[0] << 16 | (size_t)data[1] << 8 | data[2]) % n_base] ^= data[3];
		mend(p, n_base);
		if (write(fd, p, n_base) != (ssize_t)n_base)
			exit(1);
		free(p);
	} else if (size && write(fd, data, size) != (ssize_t)size) {
		exit(1);
	}
	f = vxg_open_fd(fd, "fuzz", how & 2 ? 0 : 1 << 30, &e);
	if (f) {
		ask(f);
		print(f);
		walk(f);
		vxg_sizes(f, &out, &e);
		e.code = 0;
		vxg_check(f, par, &e);
		f->close(f);
		str_clear(&out);
	}
	return 0;
}
