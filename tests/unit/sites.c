/* Sites files: headers of the releases, columns, and lines compared with a plain way to read them. */
#include "../t.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "var/sites.h"

#define I(id, num, type) "##INFO=<ID=" id ",Number=" num ",Type=" type ",Description=\"of " id "\">\n"
#define CHROM "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"

static void
head_of(struct sites_head *h, const char *text)
{
	struct err e = {0};

	ok(sites_head_read(h, text, strlen(text), &e) == 0, "header read");
}

static void
release_case(const char *text, const char *release, const char *build)
{
	struct sites_head h;

	head_of(&h, text);
	is_str(h.release, release, "release");
	is_str(h.build, build, "build");
	sites_head_clear(&h);
}

static void
releases(void)
{
	release_case("##contig=<ID=1,length=249250621>\n" I("AC", "A", "Integer") I("AF", "A", "Float") I("popmax", "A", "String")
	    I("AF_popmax", "A", "Float") I("AC_oth", "A", "Integer") I("AC_sas", "A", "Integer"), "gnomAD v2.1 exomes", "GRCh37");
	release_case(I("popmax", "A", "String") I("AF_popmax", "A", "Float") I("AC_oth", "A", "Integer"), "gnomAD v2.1 genomes", "GRCh37");
	release_case(I("popmax", "A", "String") I("AF_popmax", "A", "Float") I("AC_ami", "A", "Integer"), "gnomAD v3.1 genomes", "GRCh38");
	release_case(I("AF", "A", "Float") I("grpmax", "A", "String") I("AF_grpmax", "A", "Float") I("fafmax_faf95_max", "A", "Float")
	    I("AC_joint", "A", "Integer"), "gnomAD v4.0 genomes", "GRCh38");
	release_case(I("AF", "A", "Float") I("grpmax", "A", "String") I("AF_grpmax", "A", "Float") I("fafmax_faf95_max", "A", "Float")
	    I("AC_non_ukb", "A", "Integer"), "gnomAD v4.1 exomes", "GRCh38");
	release_case(I("AF_joint", "A", "Float") I("AF_exomes", "A", "Float") I("grpmax_joint", "A", "String"), "gnomAD v4.1 joint", "GRCh38");
	release_case(I("AF_hom", "1", "Float") I("AF_het", "1", "Float") I("AC_hom", "1", "Integer") I("AC_het", "1", "Integer")
	    I("max_hl", "1", "Float") "##contig=<ID=MT,length=16569,assembly=GRCh37>\n", "gnomAD v3.1 chrM", "GRCh37");
	release_case("##reference=hg38.fa\n" I("AF", "A", "Float"), "", "GRCh38");
	release_case(I("AF", "A", "Float"), "", "");
}

static const char dirty[] =
	"##fileformat=VCFv4.1\r\n"
	"##INFO=<ID=AF,Number=A,Type=Float,Description=\"with \"quotes\", and commas, ID=no, and > in it\">\n"
	"##INFO=<ID=S,Number=1,Type=String,Description=\"x\",Source=\"a\",Version=\"3\">\n"
	"##INFO=<ID=N,Number=.,Type=Integer,Description=unquoted>\n"
	"##INFO=<ID=AF,Number=1,Type=Integer,Description=\"twice\">\n"
	"##INFO=<ID=C,Number=1,Type=Character,Description=\"x\",IDX=7>\n"
	"##INFO=<Number=1>\n"
	"##contig=<ID=7>\n##contig=<ID=8,length=12,assembly=b37>\n##contig=<ID=7,length=5>\n" CHROM;

static void
dirty_header(void)
{
	struct sites_head h;
	struct fcols f;
	struct err e = {0};

	head_of(&h, dirty);
	is_i64(h.n_info, 4, "declarations, the first of equals");
	is_str(h.info[0].desc, "with \"quotes\", and commas, ID=no, and > in it", "Description with quotes inside");
	is_str(h.info[1].desc, "x", "Description with fields behind");
	is_str(h.info[2].desc, "unquoted", "Description without quotes");
	is_str(h.info[3].type, "Character", "Type");
	ok(h.contig.n == 2 && h.contig_length[0] == -1 && h.contig_length[1] == 12, "contigs");
	sites_columns(&h, "AF,C,N,S", 0, NULL, &f, &e);
	ok(f.n == 5 && f.c[1].type == FTYPE_STRING && f.c[2].kind == FNUM_LIST && f.c[3].kind == FNUM_SITE && f.filter == 4, "types and kinds");
	fcols_clear(&f);
	ok(sites_columns(&h, "AF,nhomal", 0, NULL, &f, &e) == ERR_USAGE && strstr(e.msg, "nhomal"), "an unknown field is named");
	fcols_clear(&f);
	sites_head_clear(&h);
}

static void
columns(void)
{
	static const char text[] = I("AC", "A", "Integer") I("AN", "1", "Integer") I("AF", "A", "Float") I("nhomalt", "A", "Integer")
	    I("AF_afr", "A", "Float") I("AC_afr", "A", "Integer") I("AN_afr", "1", "Integer") I("popmax", "A", "String")
	    I("AF_popmax", "A", "Float") I("EAS_AF", "A", "Float") I("controls_AF_afr", "A", "Float") I("controls_AC_afr", "A", "Integer")
	    I("controls_AN_afr", "1", "Integer") I("faf95", "A", "Float") CHROM;
	struct sites_head h;
	struct fcols f;
	struct strs over = {0};
	struct err e = {0};
	int k;

	head_of(&h, text);
	sites_columns(&h, NULL, 0, NULL, &f, &e);
	ok(f.n == 7 && fcols_find(&f, "grpmax") >= 0 && fcols_find(&f, "faf95max") < 0, "default fields");
	is_str(f.c[fcols_find(&f, "AF_grpmax")].tag, "AF_popmax", "canonical name");
	ok(f.c[f.af].num == f.ac && f.c[f.af].den == f.an && f.c[f.ac].whole == -1, "AF is AC / AN");
	fcols_clear(&f);
	sites_columns(&h, "AF_afr", 0, NULL, &f, &e);
	ok(f.n == 6 && f.ac >= 0 && f.c[f.ac].hidden && f.c[f.an].hidden && f.af == -1, "the whole is there, hidden");
	k = f.c[0].num;
	ok(k >= 0 && f.c[k].hidden && strcmp(f.c[k].tag, "AC_afr") == 0 && f.c[k].whole == f.ac && f.c[f.c[0].den].whole == f.an, "counts of a group, hidden");
	fcols_clear(&f);
	sites_columns(&h, "controls_AF_afr,EAS_AF", 0, NULL, &f, &e);
	ok(f.c[0].num >= 0 && strcmp(f.c[f.c[0].num].tag, "controls_AC_afr") == 0 && f.c[1].num == -1, "tokens in the middle; none known");
	fcols_clear(&f);
	sites_columns(&h, "AF", 1, NULL, &f, &e);
	ok(fcols_find(&f, "AC_afr") >= 0 && fcols_find(&f, "AN_afr") >= 0 && fcols_find(&f, "AF_afr") >= 0, "groups");
	fcols_clear(&f);
	strs_add(&over, "faf95max=faf95", 14);
	strs_add(&over, "AF=AF_afr", 9);
	sites_columns(&h, "AF,faf95max", 0, &over, &f, &e);
	ok(e.code == 0 && strcmp(f.c[0].tag, "AF_afr") == 0 && f.c[0].num >= 0 && strcmp(f.c[1].tag, "faf95") == 0, "overrides");
	fcols_clear(&f);
	strs_add(&over, "x=nothing", 9);
	is_i64(sites_columns(&h, "AF", 0, &over, &f, &e), ERR_USAGE, "an override to no tag");
	fcols_clear(&f);
	strs_clear(&over);
	sites_head_clear(&h);
}

/* --- lines ------------------------------------------------------------------- */

struct bed {
	struct sites_head h;
	struct fcols f;
	struct sites_parser *p;
	struct frows r;
	struct strs extra;
	struct sites_stats st;
	struct err e;
};

static void
bed_open(struct bed *b, const char *head, const char *fields)
{
	memset(b, 0, sizeof *b);
	sites_head_read(&b->h, head, strlen(head), &b->e);
	sites_columns(&b->h, fields, 0, NULL, &b->f, &b->e);
	b->p = sites_parser(&b->h, &b->f, NULL, &b->e);
	frows_init(&b->r, b->f.n);
}

static void
bed_close(struct bed *b)
{
	sites_parser_free(b->p);
	fcols_clear(&b->f);
	sites_head_clear(&b->h);
	frows_clear(&b->r);
	strs_clear(&b->extra);
}

/* The rows of a line as text: "POS REF>ALT value value ..." joined by "; ". */
static const char *
rows_of(struct bed *b, const char *line)
{
	static struct str t;

	frows_reset(&b->r);
	memset(&b->st, 0, sizeof b->st);
	memset(&b->e, 0, sizeof b->e);
	t.n = 0;
	str_add(&t, "");
	if (sites_parse_line(b->p, line, strlen(line), 0, &b->r, &b->extra, &b->st, &b->e))
		return b->e.msg;
	for (int64_t i = 0; i < b->r.n; i++) {
		const struct frow *w = &b->r.row[i];

		str_addf(&t, "%s%d:%u %.*s>%.*s", i ? "; " : "", w->contig, w->pos, (int)w->n_ref, frows_ref(&b->r, i), (int)w->n_alt, frows_alt(&b->r, i));
		for (int c = 0; c < b->f.n; c++) {
			fval v = b->r.val[i * b->f.n + c];
			char num[FVAL_PRINT];
			size_t n;
			const char *s;

			if (b->f.c[c].hidden)
				continue;
			if (fval_is_text(v)) {
				s = frows_get(&b->r, v, &n);
				str_addf(&t, " %.*s", (int)n, s);
			} else if (v == FVAL_MISSING) {
				str_add(&t, " .");
			} else {
				str_addf(&t, " %.*s", fval_print((enum ftype)b->f.c[c].type, v, num), num);
			}
		}
	}
	return t.s;
}

static void
lines(void)
{
	static const char head[] = I("AC", "A", "Integer") I("AN", "1", "Integer") I("AF", "A", "Float") I("R", "R", "Integer") I("L", ".", "String")
	    I("F", "0", "Flag") I("a_very_long_key_name_that_does_not_fit_into_the_words", "1", "Integer") "##contig=<ID=1>\n##contig=<ID=2>\n" CHROM;
	struct bed b;

	bed_open(&b, head, "AC,AN,AF,R,L,F,a_very_long_key_name_that_does_not_fit_into_the_words");
	is_str(rows_of(&b, "2\t100\trs;1\tA\tC,g\t.\tPASS\tAC=1,2;AN=9;AF=0.01,0.07;R=5,6,7;L=a,b;F;a_very_long_key_name_that_does_not_fit_into_the_words=4"),
	    "1:100 A>C 1 9 0.01 5,6 a,b 1 4 PASS; 1:100 A>G 2 9 0.07 5,7 a,b 1 4 PASS", "two ALTs");
	is_str(rows_of(&b, "2\t200\t.\ta\tG\t.\tAC0;RF\tAC=0;AN=0;AF=.\r"), "1:200 A>G 0 0 . . . 0 . AC0&RF", "missing; FILTER; lower case; CRLF");
	is_str(rows_of(&b, "1\t5\t.\tACGT\tACGTT,AT,ACGA\t.\t.\tAC=1,.,3\tGT\t0/1"),
	    "0:7 G>GT 1 . . . . 0 . .; 0:5 ACG>A . . . . . 0 . .; 0:8 T>A 3 . . . . 0 . .", "trimmed one by one; samples behind");
	is_i64(b.st.trimmed, 3, "trimmed are counted");
	is_str(rows_of(&b, "1\t5\t.\tA\t*,<DEL>,N,A[1:5[,a,T,\t.\t.\tAF=.;F=1"), "0:5 A>T . . . . . 1 . .", "unsupported ALTs");
	ok(b.st.unsupported == 6 && b.st.alleles == 7 && b.st.n_named == 3 && strcmp(b.st.named[1], "1:5 A><DEL>") == 0, "are counted and named");
	is_str(rows_of(&b, "1\t5\t.\tN\tT\t.\t.\t."), "", "N in REF");
	is_i64(b.st.unsupported, 1, "is unsupported, too");
	is_str(rows_of(&b, "1\t5\t.\tA\t.\t.\t.\t."), "", "no ALT");
	ok(b.st.no_alt == 1 && b.st.alleles == 0 && b.st.records == 1, "is counted apart");
	is_str(rows_of(&b, "1\t5\t.\tA\tC\t.\tPASS\tAC=2147483647;AN=2147483646;AF=7;AF=8;XAC=5;AC_=6"), "0:5 A>C . 2147483646 7 . . 0 . PASS",
	    "overflowed; the first of equal keys; keys that begin or end alike");
	is_i64(b.st.overflowed, 1, "overflowed is counted");
	is_str(rows_of(&b, "GL1\t5\t.\tA\tC\t.\tPASS\tAC=+1;AN=007;AF=nan;;L=;R=.,."), "2:5 A>C +1 007 nan .,. . 0 . PASS", "odd numbers stay; another contig");
	ok(b.extra.n == 1 && strcmp(strs_get(&b.extra, 0), "GL1") == 0, "has a number of its own");
	is_str(rows_of(&b, "1\t5\t.\tA\tC,G\t.\tPASS\tAC=1"), "1:5: AC has 1 value for 2 ALTs (Number=A); --lists whole keeps them as they stand", "too few values");
	is_str(rows_of(&b, "1\t5\t.\tA\tC\t.\tPASS\tAF=0.5,0.6"), "1:5: AF has 2 values for 1 ALT (Number=A); --lists whole keeps them as they stand", "too many values");
	ok(rows_of(&b, "1\tx\t.\tA\tC\t.\tPASS\tAC=1") && b.e.code == ERR_DATA, "POS");
	ok(rows_of(&b, "1\t5\t.\tA\tC\t.") && b.e.code == ERR_DATA, "a short line");
	ok(rows_of(&b, "#x") && b.e.code == ERR_DATA, "no line");
	sites_parser_whole(b.p);
	is_str(rows_of(&b, "1\t5\t.\tA\tC\t.\tPASS\tAC=4;AF=0.5,0.6;R=1"), "0:5 A>C 4 . 0.5,0.6 1 . 0 . PASS", "lists that do not fit, kept whole");
	is_i64(b.st.misfit, 2, "are counted");
	bed_close(&b);
}

/* Fields in any order, with others between: the same as splitting at semicolons. */
static void
random_lines(void)
{
	static const char *const keys[] = { "AC", "AN", "AF", "AF_afr", "AF_afr_XX", "lcr", "vep", "a_long_key_of_more_than_thirty_two_letters", "A", "AFF" };
	static const char head[] = I("AC", "A", "Integer") I("AF_afr", "1", "String") I("lcr", "0", "Flag")
	    I("a_long_key_of_more_than_thirty_two_letters", "1", "String") CHROM;
	struct bed b;
	struct str line = {0}, want = {0};
	uint64_t x = 88172645463325252u;
	int good = 1;

	bed_open(&b, head, "AF_afr,lcr,a_long_key_of_more_than_thirty_two_letters");
	for (int round = 0; round < 20000; round++) {
		char got[3][40] = { ".", "0", "." };
		int seen[3] = {0};

		line.n = want.n = 0;
		str_add(&line, "1\t10\t.\tA\tC\t.\tPASS\t");
		for (int i = 0, n = 1 + round % 30; i < n; i++) {
			int k, c;
			char v[40] = "";

			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			/* Mostly in one order, as in a file. */
			k = x % 8 ? i % 10 : (int)((x >> 20) % 10);
			for (int j = 0, m = (int)((x >> 40) % 30); j < m; j++)
				memcpy(v + j, &"abcdefghijklmnopqrstuvwxyz0123"[(x >> j) % 30], 2);
			str_addf(&line, "%s%s%s%s", i ? ";" : "", keys[k], k == 5 ? "" : "=", k == 5 ? "" : v);
			c = k == 3 ? 0 : k == 5 ? 1 : k == 7 ? 2 : -1;
			if (c >= 0 && !seen[c]) {
				seen[c] = 1;
				snprintf(got[c], sizeof got[c], "%s", c == 1 ? "1" : *v ? v : ".");
			}
		}
		str_addf(&want, "0:10 A>C %s %s %s PASS", got[0], got[1], got[2]);
		if (strcmp(rows_of(&b, line.s), want.s) && good) {
			good = 0;
			printf("# %s\n# got %s\n# want %s\n", line.s, rows_of(&b, line.s), want.s);
		}
	}
	ok(good, "20000 lines of fields in any order");
	bed_close(&b);
	str_clear(&line);
	str_clear(&want);
}

/* With a reference, alleles slide to the left, each on its own. */
static void
aligned(void)
{
	static const char head[] = I("AC", "A", "Integer") "##contig=<ID=1>\n" CHROM, fa[] = ">1\nTTGCACACACAGGGATC\n";
	char path[] = "/tmp/sites-XXXXXX", fai[40];
	struct bed b;
	struct fasta *ref;
	int fd = mkstemp(path);

	if (fd < 0 || write(fd, fa, sizeof fa - 1) != (ssize_t)sizeof fa - 1)
		printf("# no temporary file\n");
	close(fd);
	bed_open(&b, head, "AC");
	ref = fasta_open(path, 1 << 20, &b.e);
	sites_parser_free(b.p);
	b.p = sites_parser(&b.h, &b.f, ref, &b.e);
	is_str(rows_of(&b, "1\t9\t.\tACA\tA,ACACA,AGA\t.\tPASS\tAC=1,2,3"), "0:3 GCA>G 1 PASS; 0:3 G>GCA 2 PASS; 0:10 C>G 3 PASS", "moved one by one");
	ok(b.st.moved == 2 && b.st.trimmed == 1, "counted");
	is_str(rows_of(&b, "1\t8\t.\tTCA\tT\t.\tPASS\tAC=1"), "0:8 TCA>T 1 PASS", "where REF is not the reference's, only trimmed");
	is_str(rows_of(&b, "2\t8\t.\tACA\tA\t.\tPASS\tAC=1"), "1:8 ACA>A 1 PASS", "nor on a contig that it lacks");
	bed_close(&b);
	fasta_close(ref);
	unlink(path);
	snprintf(fai, sizeof fai, "%s.fai", path);
	unlink(fai);
}

int
main(void)
{
	aligned();
	releases();
	dirty_header();
	columns();
	lines();
	random_lines();
	return done();
}
