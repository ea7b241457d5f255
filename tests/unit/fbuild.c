/* Sites files in any order, with equals, into rows in order: compared with sorting everything. */
#include "../t.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "os/file.h"
#include "os/par.h"
#include "var/fbuild.h"

#define HEAD "##fileformat=VCFv4.2\n##INFO=<ID=AC,Number=A,Type=Integer,Description=\"n\">\n" \
	"##INFO=<ID=S,Number=A,Type=String,Description=\"s\">\n"
#define CHROM "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"

/* A sink that keeps the rows as text, and a database of those so far. */
struct sink {
	struct str text;
	struct fcols cols;
	struct vxg_writer *w;
	int fd, begun, restarts;
	int64_t rows;
	struct strs contig;
};

static void
text_of(struct str *t, const struct fcols *f, const struct frows *r, int64_t i)
{
	const struct frow *w = &r->row[i];

	str_addf(t, "%d:%u %.*s>%.*s", w->contig, w->pos, (int)w->n_ref, frows_ref(r, i), (int)w->n_alt, frows_alt(r, i));
	for (int c = 0; c < f->n; c++) {
		fval v = r->val[i * f->n + c];
		size_t n = 0;
		const char *s = fval_is_text(v) ? frows_get(r, v, &n) : NULL;

		if (s)
			str_addf(t, " %.*s", (int)n, s);
		else if (v == FVAL_MISSING)
			str_add(t, " .");
		else
			str_addf(t, " %lld", (long long)v);
	}
	str_add(t, "\n");
}

static int
begin(void *ctx, const struct fcols *cols, struct err *e)
{
	struct sink *s = ctx;

	s->begun++;
	s->text.n = 0;
	s->rows = 0;
	fcols_clear(&s->cols);
	fcols_copy(&s->cols, cols);
	if (s->fd == -2)
		return e->code;
	s->fd = file_temp(NULL, e);
	s->w = vxg_create(s->fd, cols, NULL, e);
	return e->code;
}

static int
row(void *ctx, const struct frows *r, int64_t i, struct err *e)
{
	struct sink *s = ctx;

	text_of(&s->text, &s->cols, r, i);
	s->rows++;
	if (s->w)
		vxg_put(s->w, r, i, e);
	return e->code;
}

static int
restart(void *ctx, struct freq **so_far, struct err *e)
{
	struct sink *s = ctx;
	struct vxg_meta m = { .release = (char *)"", .build = (char *)"" };
	static const char *const names[] = { "1", "2", "3", "4", "5", "6", "7", "8" };
	int64_t length[8] = { -1, -1, -1, -1, -1, -1, -1, -1 };

	for (int i = 0; i < 8; i++)
		strs_add(&m.contig, names[i], 1);
	m.contig_length = length;
	s->restarts++;
	s->text.n = 0;
	if (s->rows && !vxg_finish(s->w, &m, e))
		*so_far = vxg_open_fd(s->fd, "rows so far", 1 << 20, e);
	s->w = NULL;
	s->rows = 0;
	strs_clear(&m.contig);
	return e->code;
}

static char *
file_of(const char *text)
{
	char name[] = "/tmp/fbuild-XXXXXX";
	struct err e = {0};
	int fd = mkstemp(name);

	if (fd < 0 || file_write(fd, text, strlen(text), &e))
		printf("# no temporary file\n");
	close(fd);
	return mem_strdup(name);
}

/* Builds from texts of files; with_restart: the sink can give back rows. */
static int
build(struct fbuild *b, struct sink *s, const char *const *text, int n, int with_restart, int64_t memory, struct par *par, struct err *e)
{
	char *path[8];

	memset(b, 0, sizeof *b);
	memset(s, 0, sizeof *s);
	s->fd = with_restart ? -1 : -2;
	b->fields = "AC,S";
	b->memory = memory;
	b->par = par;
	b->begin = begin;
	b->row = row;
	b->restart = with_restart ? restart : NULL;
	b->ctx = s;
	for (int i = 0; i < n; i++)
		path[i] = file_of(text[i]);
	fbuild_run(b, path, n, e);
	for (int i = 0; i < n; i++) {
		unlink(path[i]);
		mem_free(path[i]);
	}
	return e->code;
}

static void
end(struct fbuild *b, struct sink *s)
{
	struct err none = {0};

	if (s->w) {
		/* a writer without its rows' end: finish it into nowhere */
		struct vxg_meta m = { .release = (char *)"", .build = (char *)"" };

		vxg_finish(s->w, &m, &none);
		close(s->fd);
	}
	fbuild_clear(b);
	fcols_clear(&s->cols);
	str_clear(&s->text);
}

static void
golden(void)
{
	static const char *const two[] = {
		HEAD "##contig=<ID=9,length=5>\n##contig=<ID=2,length=1000>\n" CHROM
		"2\t100\t.\tA\tC,G\t.\tPASS\tAC=1,2;S=a,b\n"
		"2\t101\t.\tCAT\tCGT\t.\tPASS\tAC=3\n"
		"2\t102\t.\tA\tG\t.\tPASS\tAC=3\n"
		"2\t102\t.\tA\tG\t.\tRF\tAC=3\n"
		"2\t102\t.\tA\t<X>\t.\tPASS\tAC=3\n",
		HEAD CHROM
		"1\t7\t.\tA\tG\t.\tPASS\tAC=5\n"
		"2\t101\t.\tA\tG\t.\tPASS\tAC=4\n"
		"2\t100\t.\tA\tG\t.\tPASS\tS=b;AC=2\n"
		"2\t99\t.\tA\tG\t.\tPASS\tAC=1\n"
	};
	struct fbuild b;
	struct sink s;

	for (int mode = 0; mode < 2; mode++) {
		struct err e = {0};

		build(&b, &s, two, 2, mode, 64 << 20, NULL, &e);
		is_str(e.msg, "", "built");
		is_str(s.text.s, "0:99 A>G 1 . PASS\n0:100 A>C 1 a PASS\n0:100 A>G 2 b PASS\n0:101 A>G 4 . PASS\n0:102 A>G 3 . PASS\n1:7 A>G 5 . PASS\n",
		    mode ? "rows, given back" : "rows, read again");
		ok(b.meta.records == 9 && b.meta.alleles == 10 && b.rows == 6 && b.meta.merged == 2 && b.meta.differing == 1 && b.meta.trimmed == 1 &&
		    b.meta.unsupported == 1, "counts");
		ok(b.meta.contig.n == 3 && strcmp(strs_get(&b.meta.contig, 0), "2") == 0 && strcmp(strs_get(&b.meta.contig, 1), "1") == 0 &&
		    strcmp(strs_get(&b.meta.contig, 2), "9") == 0 && b.meta.contig_length[0] == 1000 && b.meta.contig_length[1] == -1, "contigs");
		ok(b.named.n == 1 && strcmp(strs_get(&b.named, 0), "2:102 A>G") == 0 && b.unnamed.n == 1, "named");
		ok(b.meta.n_source == 2 && b.meta.source[0].size == (int64_t)strlen(two[0]) && strlen(b.meta.source[0].digest) == 8, "sources");
		ok(mode ? s.restarts == 1 && b.runs == 2 : s.begun == 2, "how");
		end(&b, &s);
	}
}

static void
refusals(void)
{
	static const char *const other[] = { HEAD "##contig=<ID=1,length=10>\n" CHROM, HEAD "##contig=<ID=1,length=11>\n" CHROM };
	static const char *const release[] = { HEAD CHROM, HEAD "##INFO=<ID=popmax,Number=A,Type=String,Description=\"\">\n"
		"##INFO=<ID=AC_ami,Number=A,Type=Integer,Description=\"\">\n" CHROM };
	static const char *const type[] = { HEAD CHROM, "##INFO=<ID=AC,Number=A,Type=Float,Description=\"n\">\n"
		"##INFO=<ID=S,Number=A,Type=String,Description=\"s\">\n" CHROM };
	static const char *const twice[] = { HEAD CHROM "1\t1\t.\tA\tC\t.\t.\tAC=1\n1\t1\t.\tA\tC\t.\t.\tAC=2\n" };
	struct fbuild b;
	struct sink s;
	struct err e = {0}, f = {0}, g = {0}, h = {0};
	char *path;

	ok(build(&b, &s, other, 2, 0, 64 << 20, NULL, &e) == ERR_DATA && strstr(e.msg, "11"), "lengths of contigs differ");
	end(&b, &s);
	ok(build(&b, &s, release, 2, 0, 64 << 20, NULL, &f) == ERR_USAGE && strstr(f.msg, "release"), "releases differ");
	end(&b, &s);
	ok(build(&b, &s, type, 2, 0, 64 << 20, NULL, &g) == ERR_DATA && strstr(g.msg, "AC"), "types differ");
	end(&b, &s);
	path = file_of(twice[0]);
	b = (struct fbuild){ .fields = "AC", .memory = 64 << 20, .begin = begin, .row = row, .ctx = &s, .dup_error = 1 };
	s = (struct sink){ .fd = -2 };
	ok(fbuild_run(&b, &path, 1, &h) == ERR_DATA && strstr(h.msg, "1:1 A>C"), "--dup error");
	unlink(path);
	mem_free(path);
	end(&b, &s);
}

/* --- against sorting everything ------------------------------------------------ */

struct line {
	int contig, pos, ref, alt, ac, seq;
};

static int
by_allele(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->contig != y->contig)
		return x->contig - y->contig;
	if (x->pos != y->pos)
		return x->pos - y->pos;
	if (x->ref != y->ref)
		return x->ref - y->ref;
	return x->alt != y->alt ? x->alt - y->alt : x->seq - y->seq;
}

/* kind 0: sorted; 1: contigs interleaved; 2: any order. */
static void
random_case(int kind, int n, int with_restart, int64_t memory, struct par *par)
{
	struct line *l = mem_new(struct line, n), *u = mem_new(struct line, n);
	struct str text = {0}, want = {0};
	uint64_t x = 88172645463325252u + (uint64_t)kind;
	int number[4] = { -1, -1, -1, -1 }, k = 0, m = 0;
	int64_t merged = 0, differing = 0;
	struct fbuild b;
	struct sink s;
	struct err e = {0};

	for (int i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		l[i] = (struct line){ (int)(x % 4), 1 + (int)(x >> 36 & 0xffffff) % (n / 6 + 1), (int)(x >> 10 & 1), 2 + (int)(x >> 14 & 1), (int)(x >> 20 & 1), 0 };
		if (kind == 1)
			l[i].pos = 1 + i;
	}
	if (kind == 0)
		qsort(l, (size_t)n, sizeof *l, by_allele);
	str_add(&text, HEAD CHROM);
	for (int i = 0; i < n; i++) {
		l[i].seq = i;
		if (number[l[i].contig] < 0)
			number[l[i].contig] = k++;
		str_addf(&text, "%d\t%d\t.\t%c\t%c\t.\t.\tAC=%d;S=some%d\n", 1 + l[i].contig, l[i].pos, "ACGT"[l[i].ref], "ACGT"[l[i].alt], l[i].ac,
		    l[i].ac);
		l[i].contig = number[l[i].contig];
	}
	memcpy(u, l, (size_t)n * sizeof *u);
	qsort(u, (size_t)n, sizeof *u, by_allele);
	for (int i = 0, first = 0; i < n; i++) {
		if (i && u[i].contig == u[first].contig && u[i].pos == u[first].pos && u[i].ref == u[first].ref && u[i].alt == u[first].alt) {
			merged += u[i].ac == u[first].ac;
			differing += u[i].ac != u[first].ac;
			continue;
		}
		first = i;
		m++;
		str_addf(&want, "%d:%d %c>%c %d some%d .\n", u[i].contig, u[i].pos, "ACGT"[u[i].ref], "ACGT"[u[i].alt], u[i].ac, u[i].ac);
	}
	build(&b, &s, (const char *const[]){ text.s }, 1, with_restart, memory, par, &e);
	is_str(e.msg, "", "built");
	ok(s.text.n == want.n && memcmp(s.text.s, want.s, want.n) == 0, "order %d, %d lines: all rows as by sorting, %d runs", kind, n, b.runs);
	ok(b.rows == m && b.meta.merged + b.meta.differing == merged + differing && b.named.n == (differing < 3 ? differing : 3), "counts");
	if (b.runs == 1)
		is_i64(b.meta.differing, differing, "differing from the first");
	end(&b, &s);
	str_clear(&text);
	str_clear(&want);
	mem_free(l);
	mem_free(u);
}

int
main(void)
{
	struct par *p = par_new(3, NULL);

	golden();
	refusals();
	for (int kind = 0; kind < 3; kind++)
		for (int with = 0; with < 2; with++) {
			random_case(kind, 2000, with, 64 << 20, NULL);
			random_case(kind, 60000, with, 64 << 20, p);
		}
	random_case(2, 250000, 1, 1 << 20, p);
	random_case(2, 250000, 0, 1 << 20, NULL);
	par_free(p);
	return done();
}
