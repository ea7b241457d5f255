/* The reference: plain, by windows and bgzip, with indexes made, read and damaged. */
#include "../t.h"

#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/str.h"
#include "os/bgzf.h"
#include "var/fasta.h"

static char dir[64];
static uint64_t seed = 88172645463325252u;

static uint32_t
rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 32);
}

static const char *
at(const char *name)
{
	static char path[4][200];
	static int turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof path[turn], "%s/%s", dir, name);
	return path[turn];
}

static void
put(const char *name, const void *s, size_t n)
{
	FILE *f = fopen(at(name), "wb");

	if (f) {
		fwrite(s, 1, n, f);
		fclose(f);
	}
}

static struct str
get(const char *name)
{
	FILE *f = fopen(at(name), "rb");
	struct str t = {0};
	char buf[4096];
	size_t n;

	while (f && (n = fread(buf, 1, sizeof buf, f)) > 0)
		str_addn(&t, buf, n);
	if (f)
		fclose(f);
	return t;
}

static void
drop_index(const char *name)
{
	char path[200];

	snprintf(path, sizeof path, "%s.fai", at(name));
	unlink(path);
	snprintf(path, sizeof path, "%s.gzi", at(name));
	unlink(path);
}

/* --- a file whose content is known ------------------------------------------------ */

#define MOST 2000

struct truth {
	int n;
	char name[MOST][16];
	struct str seq[MOST];
	struct str text;
};

static void
clear(struct truth *t)
{
	for (int i = 0; i < t->n; i++)
		str_clear(&t->seq[i]);
	str_clear(&t->text);
	t->n = 0;
}

/* n contigs of up to longest bases; some without bases are in the file but not in the list. */
static void
make(struct truth *t, int n, int longest, int width, const char *eol, int blanks, int ended)
{
	static const char letter[] = "ACGTacgtNnRYKM";

	t->n = n;
	for (int i = 0; i < n; i++) {
		size_t k = i == 1 ? 1 : i == 2 ? (size_t)width : i == 3 ? (size_t)width * 3 : 1 + rnd() % (unsigned)longest;

		snprintf(t->name[i], sizeof t->name[i], "s%d", i);
		if (blanks && rnd() % 4 == 0)
			str_addf(&t->text, ">empty%d%s", i, eol);
		str_addf(&t->text, ">%s%s%s", t->name[i], i % 3 == 0 ? "" : i % 3 == 1 ? " what > it is" : "\tand more", eol);
		for (size_t j = 0; j < k; j++)
			str_addn(&t->seq[i], &letter[rnd() % (sizeof letter - 1)], 1);
		for (size_t j = 0; j < k; j += (size_t)width) {
			str_addn(&t->text, t->seq[i].s + j, k - j < (size_t)width ? k - j : (size_t)width);
			if (i < n - 1 || j + (size_t)width < k || ended)
				str_add(&t->text, eol);
		}
		for (int j = 0; blanks && ended && j < (int)(rnd() % 3); j++)
			str_add(&t->text, eol);
	}
}

/* The text as bgzip, in blocks of up to most bytes, empty ones among them. */
static struct str
zip(const struct str *text, int most, int empty)
{
	struct str t = {0};
	uint8_t b[BGZF_MAX];

	for (size_t i = 0, k; i < text->n; i += k) {
		k = 1 + rnd() % (unsigned)most;
		if (k > text->n - i)
			k = text->n - i;
		while (empty && rnd() % 8 == 0)
			str_addn(&t, bgzf_eof, BGZF_EOF_SIZE);
		str_addn(&t, b, bgzf_deflate(1, (const uint8_t *)text->s + i, k, b));
	}
	str_addn(&t, bgzf_eof, BGZF_EOF_SIZE);
	return t;
}

/* 1 when a view says what is true, 0 when it says something else, -1 when it says nothing. */
static int
same(const struct truth *t, struct fasta *f, struct fasta_view *v, int turns)
{
	struct err e = {0};
	uint8_t *b = NULL;
	int good = fasta_n(f) == t->n;

	for (int i = 0; i < t->n && good && !e.code; i++) {
		int64_t n = (int64_t)t->seq[i].n, k;
		int c = fasta_find(f, t->name[i], (int64_t)strlen(t->name[i]));

		good = c >= 0 && !strcmp(fasta_name(f, c), t->name[i]);
		if (good && fasta_length(f, c) > 0)             /* where lengths are seen to be wrong */
			fasta_run(v, c, 0, &k, &e);
		good = good && fasta_length(f, c) == n;
		b = mem_renew(b, uint8_t, n);
		if (!good || fasta_get(v, c, 0, n, b, &e))
			break;
		good = !memcmp(b, t->seq[i].s, (size_t)n);
		for (int j = 0; j < turns && good; j++) {
			int64_t pos = rnd() % (unsigned)n, len = 1 + rnd() % (unsigned)(n - pos);
			const uint8_t *p = fasta_run(v, c, pos, &k, &e);

			good = p && k >= 1 && k <= n - pos && !memcmp(p, t->seq[i].s + pos, (size_t)k);
			if (good && !fasta_get(v, c, pos, len, b, &e))
				good = !memcmp(b, t->seq[i].s + pos, (size_t)len);
		}
	}
	mem_free(b);
	return e.code ? -1 : good;
}

/* Opens and compares: 1 the same, 0 not, -1 refused. */
static int
look(const struct truth *t, const char *name, int64_t room, int turns, struct err *e)
{
	struct fasta *f = fasta_open(at(name), room, e);
	struct fasta_view *v;
	int r;

	if (!f)
		return -1;
	v = fasta_view(f);
	r = same(t, f, v, turns);
	fasta_view_free(v);
	fasta_close(f);
	return r;
}

/* All ways to read one text, index made and read. */
static void
ways(struct truth *t, const char *what)
{
	static const char *way[] = { "mapped", "by windows", "bgzip", "bgzip of odd blocks" };
	struct err e = {0};

	for (int k = 0; k < 4; k++) {
		struct str z = k < 2 ? (struct str){0} : zip(&t->text, k == 2 ? BGZF_FILL : 700, k == 3);
		int a, b, c, d = 1;

		if (k < 2)
			put("x.fa", t->text.s, t->text.n);
		else
			put("x.fa", z.s, z.n);
		drop_index("x.fa");
		a = look(t, "x.fa", k == 0 ? 1 << 30 : 0, 20, &e);
		b = look(t, "x.fa", k == 0 ? 1 << 30 : 0, 20, &e);
		unlink(at("x.fa.fai"));
		c = look(t, "x.fa", 0, 1, &e);
		if (k >= 2) {
			unlink(at("x.fa.gzi"));
			d = look(t, "x.fa", 0, 1, &e);
		}
		ok(a == 1 && b == 1 && c == 1 && d == 1, "%s, %s: made, read, remade", what, way[k]);
		if (e.code)
			printf("# %s\n", e.msg);
		str_clear(&z);
	}
}

static void
contents(struct truth *t)
{
	static const struct { const char *what, *eol; int n, longest, width, blanks, ended; } row[] = {
		{ "lines of 60", "\n", 20, 5000, 60, 0, 1 },
		{ "CRLF", "\r\n", 20, 5000, 61, 0, 1 },
		{ "no newline at the end", "\n", 5, 500, 50, 0, 0 },
		{ "CRLF, none at the end", "\r\n", 5, 500, 50, 0, 0 },
		{ "empty contigs and blank lines", "\n", 20, 500, 70, 1, 1 },
		{ "the same with CRLF", "\r\n", 20, 500, 70, 1, 1 },
		{ "one base a line", "\n", 5, 300, 1, 1, 1 },
		{ "one line a contig, or two", "\n", 5, 200000, 100000, 0, 1 },
		{ "many contigs", "\n", MOST, 30, 7, 0, 1 },
	};

	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		make(t, row[i].n, row[i].longest, row[i].width, row[i].eol, row[i].blanks, row[i].ended);
		ways(t, row[i].what);
		clear(t);
	}
}

/* Our own index against the one of samtools. */
static void
samtools(struct truth *t)
{
	char cmd[1000];
	struct err e = {0};
	struct str z;

	if (system("command -v samtools > /dev/null 2>&1")) {
		skip("the index of samtools", "samtools is not installed");
		return;
	}
	for (int k = 0; k < 5; k++) {
		make(t, 30, 9000, 60 + k, k & 1 ? "\r\n" : "\n", 0, k < 2);
		z = k < 3 ? (struct str){0} : zip(&t->text, k == 3 ? BGZF_FILL : 3000, k == 4);
		put("y.fa", k < 3 ? t->text.s : z.s, k < 3 ? t->text.n : z.n);
		drop_index("y.fa");
		ok(look(t, "y.fa", 0, 1, &e) == 1, "index %d made", k);
		snprintf(cmd, sizeof cmd, "cd %s && mv y.fa.fai a.fai && { [ ! -e y.fa.gzi ] || mv y.fa.gzi a.gzi; } && samtools faidx y.fa && "
		    "cmp a.fai y.fa.fai && { [ ! -e y.fa.gzi ] || cmp a.gzi y.fa.gzi; }", dir);
		ok(system(cmd) == 0, "it is that of samtools");
		ok(look(t, "y.fa", 1 << 30, 1, &e) == 1, "which we read");
		str_clear(&z);
		clear(t);
	}
}

/* --- what is refused ---------------------------------------------------------------- */

static void
refused(const char *what, const char *text, size_t n, const char *word)
{
	struct err e = {0};
	struct fasta *f;

	put("r.fa", text, n);
	drop_index("r.fa");
	f = fasta_open(at("r.fa"), 1 << 20, &e);
	ok(!f && e.code && strstr(e.msg, word), "refused: %s", what);
	if (f || !strstr(e.msg, word))
		printf("# %s\n", e.msg);
	fasta_close(f);
}

static void
refusals(void)
{
#define REFUSED(what, text, word) refused(what, text, sizeof text - 1, word)
	struct str gz = {0}, z, text = {0};
	struct err e = {0};

	REFUSED("an empty file", "", "empty");
	REFUSED("a longer line", ">a\nACGT\nACGTA\n", "line 3: lines of different length");
	REFUSED("a line behind a shorter one", ">a\nACGT\nACG\nA\n", "line 4: lines of different length");
	REFUSED("another line end in between", ">a\nACGT\r\nACGT\nACGT\n", "line 4: lines of different length");
	REFUSED("a blank line inside", ">a\nACGT\n\nA\n", "line 4: a blank line");
	REFUSED("a blank among the bases", ">a\nAC GT\n", "line 2: a blank");
	REFUSED("control characters", ">a\nAC\001GT\n", "line 2: ");
	REFUSED("no header", "ACGT\n", "line 1: this is not FASTA");
	REFUSED("no header behind blank lines", "\n\nACGT\n", "line 3: this is not FASTA");
	REFUSED("FASTQ", "@a\nACGT\n+\nIIII\n", "not FASTA");
	REFUSED("no name", ">\nACGT\n", "line 1: a header without a name");
	REFUSED("blanks for a name", ">a\nA\n>  \nACGT\n", "line 3: a header without a name");
	REFUSED("a name twice", ">a\nACGT\n>b\nA\n>a x\nA\n", "'a' comes twice");
	REFUSED("no bases", ">a\n>b\n", "no bases");
	REFUSED("binary", "\0\1\2\3\4", "not FASTA");
	str_addn(&gz, "\x1f\x8b\x08\0\0\0\0\0\0\3", 10);
	refused("plain gzip", gz.s, gz.n, "recompress with bgzip");
	str_clear(&gz);
	str_add(&text, ">a\nACGT\nACGT\n");
	z = zip(&text, 5, 0);
	for (size_t k = 1, bad = 0; k < z.n; k++) {
		put("r.fa", z.s, k);
		drop_index("r.fa");
		memset(&e, 0, sizeof e);
		bad += fasta_open(at("r.fa"), 0, &e) != NULL;
		if (k == z.n - 1)
			ok(!bad, "refused: every prefix of bgzip");
	}
	str_clear(&z);
	z = zip(&(struct str){0}, 5, 0);
	refused("bgzip of nothing", z.s, z.n, "empty");
	str_clear(&z);
	str_clear(&text);
	memset(&e, 0, sizeof e);
	ok(!fasta_open(at("nowhere.fa"), 0, &e) && e.code == ERR_SYSTEM, "refused: no such file");
	memset(&e, 0, sizeof e);
	ok(!fasta_open(dir, 0, &e) && e.code, "refused: a folder");
	memset(&e, 0, sizeof e);
	ok(mkfifo(at("pipe"), 0600) == 0 && !fasta_open(at("pipe"), 0, &e) && strstr(e.msg, "pipe"), "refused: a pipe");
	memset(&e, 0, sizeof e);
	ok(!fasta_open("-", 0, &e) && strstr(e.msg, "pipe"), "refused: standard input");
	unlink(at("pipe"));
}

/* Every flip of an index: refused, or the same bases; and every prefix of it. */
static void
damage(struct truth *t, const char *name, const char *ext, const char *what)
{
	char index[100];
	struct str s;
	int wrong = 0, same_n = 0, cut = 0;

	snprintf(index, sizeof index, "%s%s", name, ext);
	s = get(index);
	for (size_t i = 0; i < s.n; i++)
		for (int bit = 0; bit < 9; bit++) {
			struct err e = {0};
			char old = s.s[i];
			int r;

			s.s[i] ^= (char)(bit == 8 ? 0xff : 1 << bit);
			put(index, s.s, s.n);
			r = look(t, name, bit & 1 ? 1 << 20 : 0, 2, &e);
			wrong += r == 0;
			same_n += r == 1;
			s.s[i] = old;
		}
	ok(!wrong, "%s: every flip is refused or changes nothing (%d of %zu)", what, same_n, 9 * s.n);
	for (size_t i = 0; i < s.n; i++) {
		struct err e = {0};

		put(index, s.s, i);
		cut += look(t, name, 0, 2, &e) == 0;
	}
	ok(!cut, "%s: so is every prefix", what);
	for (int i = 0; i < 500; i++) {
		struct err e = {0};
		char b[200];
		size_t n = rnd() % sizeof b;

		for (size_t k = 0; k < n; k++)
			b[k] = rnd() % 3 ? "0123456789\t\ns"[rnd() % 13] : (char)rnd();
		put(index, b, n);
		wrong += look(t, name, 0, 2, &e) == 0;
	}
	ok(!wrong, "%s: so is noise", what);
	put(index, s.s, s.n);
	str_clear(&s);
}

static void
damages(struct truth *t)
{
	struct err e = {0};
	struct str z;
	int wrong = 0;

	make(t, 6, 400, 30, "\n", 1, 1);
	put("d.fa", t->text.s, t->text.n);
	drop_index("d.fa");
	ok(look(t, "d.fa", 0, 1, &e) == 1, "a file to damage");
	damage(t, "d.fa", ".fai", "plain .fai");
	z = zip(&t->text, 200, 1);
	put("d.fa", z.s, z.n);
	drop_index("d.fa");
	ok(look(t, "d.fa", 0, 1, &e) == 1, "the same in bgzip");
	damage(t, "d.fa", ".gzi", ".gzi");
	damage(t, "d.fa", ".fai", "bgzip .fai");
	/* The file itself, with its indexes. */
	for (size_t i = 0; i < z.n; i++) {
		struct err one = {0};

		z.s[i] ^= 0x10;
		put("d.fa", z.s, z.n);
		wrong += look(t, "d.fa", 0, 1, &one) == 0;
		z.s[i] ^= 0x10;
	}
	ok(!wrong, "every damaged byte of bgzip is refused or changes nothing");
	clear(t);
	str_clear(&z);
	make(t, 1500, 30, 10, "\n", 0, 1);
	put("d.fa", t->text.s, t->text.n);
	drop_index("d.fa");
	look(t, "d.fa", 0, 0, &e);
	wrong = 0;
	for (int i = 0; i < 300; i++) {
		struct str s = get("d.fa.fai");
		struct err one = {0};

		s.s[rnd() % s.n] ^= (char)(1 << rnd() % 7);
		put("e.fa", t->text.s, t->text.n);
		put("e.fa.fai", s.s, s.n);
		wrong += look(t, "e.fa", 1 << 20, 0, &one) == 0;
		str_clear(&s);
	}
	ok(!wrong, "many contigs, checked as they are used: damage is seen");
	/* Another file under the index; a shorter one. */
	put("d.fa", t->text.s, t->text.n - 300);
	ok(look(t, "d.fa", 1 << 20, 0, &e) == -1 && strstr(e.msg, "d.fa.fai"), "an index of a longer file");
	clear(t);
}

static void
notes(struct truth *t)
{
	struct err e = {0};
	struct fasta *f;

	make(t, 3, 100, 30, "\n", 0, 1);
	put("n.fa", t->text.s, t->text.n);
	drop_index("n.fa");
	f = fasta_open(at("n.fa"), 1 << 20, &e);
	ok(f && fasta_mapped(f) && strstr(fasta_note(f), "index made"), "it says that an index was made");
	fasta_close(f);
	f = fasta_open(at("n.fa"), (int64_t)t->text.n - 1, &e);
	ok(f && !fasta_mapped(f) && !*fasta_note(f), "nothing to say; no map without room");
	fasta_close(f);
	drop_index("n.fa");
	ok(symlink("nowhere/n.fai", at("n.fa.fai")) == 0, "a name that cannot be written");
	f = fasta_open(at("n.fa"), 1 << 20, &e);
	ok(f && !e.code && strstr(fasta_note(f), "no index could be written"), "it goes on without");
	if (f)
		printf("# %s\n", fasta_note(f));
	fasta_close(f);
	ok(look(t, "n.fa", 0, 1, &e) == 1, "with the same bases");
	clear(t);
}

/* More blocks than a cache holds, and views that come and go. */
static void
views(struct truth *t)
{
	struct err e = {0};
	struct fasta_view *v[200] = {0};
	struct fasta *f;
	struct str z;
	int good = 1;

	make(t, 3, 300000, 60, "\n", 0, 1);
	z = zip(&t->text, 900, 0);
	put("v.fa", z.s, z.n);
	drop_index("v.fa");
	f = fasta_open(at("v.fa"), 0, &e);
	v[0] = fasta_view(f);
	good &= same(t, f, v[0], 300) == 1;
	for (int i = 1; i < 200; i++) {
		uint8_t b[50];

		v[i] = fasta_view(f);
		good &= !fasta_get(v[i], 0, rnd() % 100, 1, b, &e);
	}
	good &= same(t, f, v[0], 10) == 1 && same(t, f, v[199], 10) == 1;
	for (int i = 1; i < 200; i++)
		fasta_view_free(v[i]);
	good &= same(t, f, v[0], 10) == 1;
	fasta_view_free(v[0]);
	fasta_close(f);
	ok(good && !e.code, "a small cache, and views that share it");
	str_clear(&z);
	clear(t);
}

static void
alias_is(struct fasta *f, const char *name, int64_t length, const char *want)
{
	int c = fasta_alias(f, name, (int64_t)strlen(name), length);
	char what[100];

	snprintf(what, sizeof what, "alias of %s, length %lld", name, (long long)length);
	is_str(c < 0 ? "none" : fasta_name(f, c), want, what);
}

static void
aliases(void)
{
	static const char text[] = ">chr1 x\nACGT\n>chr2\nACG\n>22\nA\n>NC_000023.11\nAC\n>Y\nACGTA\n>chrM\nACGTAC\n>chrUn_1\nA\n";
	static const char two[] = ">chrM\nACGTACG\n>chrMT\nACGTAC\n>1\nA\n>CHR1\nAC\n>chr2\nAC\n>NC_000002.11\nA\n";
	struct err e = {0};
	struct fasta *f;

	put("a.fa", text, sizeof text - 1);
	drop_index("a.fa");
	f = fasta_open(at("a.fa"), 1 << 20, &e);
	alias_is(f, "1", -1, "chr1");
	alias_is(f, "1", 4, "chr1");
	alias_is(f, "1", 5, "none");
	alias_is(f, "CHR1", -1, "chr1");
	alias_is(f, "chr1", 4, "chr1");
	alias_is(f, "chr1", 3, "none");
	alias_is(f, "NC_000001.10", 4, "chr1");
	alias_is(f, "NC_000002.12", -1, "chr2");
	alias_is(f, "Chr22", -1, "22");
	alias_is(f, "NC_000022.1", -1, "22");
	alias_is(f, "chrX", 2, "NC_000023.11");
	alias_is(f, "X", -1, "NC_000023.11");
	alias_is(f, "NC_000023.10", -1, "none");
	alias_is(f, "NC_000024.10", -1, "Y");
	alias_is(f, "MT", 6, "chrM");
	alias_is(f, "MT", 16569, "none");
	alias_is(f, "chrMT", -1, "chrM");
	alias_is(f, "M", -1, "chrM");
	alias_is(f, "NC_012920.1", 6, "chrM");
	alias_is(f, "NC_012920.2", -1, "none");
	alias_is(f, "NC_000025.1", -1, "none");
	alias_is(f, "NC_000001", -1, "none");
	alias_is(f, "Un_1", -1, "chrUn_1");
	alias_is(f, "chr", -1, "none");
	alias_is(f, "", -1, "none");
	alias_is(f, "3", -1, "none");
	ok(fasta_find(f, "chr1\0x", 6) == -1 && fasta_find(f, "chr1", 3) == -1 && fasta_find(f, "chr2zz", 4) == 1, "names by their length");
	fasta_close(f);
	put("a.fa", two, sizeof two - 1);
	drop_index("a.fa");
	f = fasta_open(at("a.fa"), 1 << 20, &e);
	alias_is(f, "MT", -1, "chrMT");
	alias_is(f, "M", 6, "chrMT");
	alias_is(f, "M", -1, "chrM");
	alias_is(f, "chr1", -1, "none");
	alias_is(f, "chr1", 1, "1");
	alias_is(f, "2", -1, "chr2");
	fasta_close(f);
}

int
main(void)
{
	static struct truth t;
	char cmd[100];

	snprintf(dir, sizeof dir, "/tmp/fasta-XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	contents(&t);
	refusals();
	damages(&t);
	notes(&t);
	views(&t);
	aliases();
	samtools(&t);
	snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
	ok(system(cmd) == 0, "tidied");
	return done();
}
