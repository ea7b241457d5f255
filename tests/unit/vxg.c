/* The frequency database: rows that are put come back, by iteration and by look-up; damage is noticed. */
#include "../t.h"
#include <unistd.h>
#include "base/mem.h"
#include "os/file.h"
#include "os/par.h"
#include "var/vxg.h"

static uint64_t state = 1;

static uint64_t
rnd(uint64_t below)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (state >> 33) % below;
}

/* AC, AN, AF and its group's with hidden counts, a free float, a string of few values, one of many, a flag, FILTER. */
enum { AC, AN, AF, AF_G, FREE, FEW, MANY, FLAG, FILTER, AC_G, AN_G, FAF, N_COL };

static void
columns(struct fcols *f)
{
	fcols_add(f, "AC", "AC", FTYPE_INT, FNUM_ALT, "A", "count", 0);
	fcols_add(f, "AN", "AN", FTYPE_INT, FNUM_SITE, "1", "number", 0);
	fcols_add(f, "AF", "AF", FTYPE_FLOAT, FNUM_ALT, "A", "frequency", 0);
	fcols_add(f, "AF_g", "AF_g", FTYPE_FLOAT, FNUM_ALT, "A", "a \"tab\"\t, a \\ and\na line", 0);
	fcols_add(f, "free", "free", FTYPE_FLOAT, FNUM_SITE, "1", "", 0);
	fcols_add(f, "few", "few", FTYPE_STRING, FNUM_ALT, "A", "", 0);
	fcols_add(f, "many", "many", FTYPE_STRING, FNUM_LIST, ".", "", 0);
	fcols_add(f, "flag", "flag", FTYPE_FLAG, FNUM_FLAG, "0", "", 0);
	fcols_add(f, "FILTER", "FILTER", FTYPE_STRING, FNUM_SITE, "1", "", 0);
	fcols_add(f, "AC_g", "AC_g", FTYPE_INT, FNUM_ALT, "A", "", 1);
	fcols_add(f, "AN_g", "AN_g", FTYPE_INT, FNUM_ALT, "A", "", 1);
	fcols_add(f, "faf95", "faf95", FTYPE_FLOAT, FNUM_ALT, "A", "", 0);
	f->ac = AC;
	f->an = AN;
	f->af = AF;
	f->filter = FILTER;
	f->c[AF].num = AC;
	f->c[AF].den = AN;
	f->c[AF_G].num = AC_G;
	f->c[AF_G].den = AN_G;
	f->c[AC_G].whole = AC;
	f->c[AN_G].whole = AN;
}

static fval
parsed(struct frows *r, enum ftype type, const char *fmt, double x)
{
	char s[64];
	int n = snprintf(s, sizeof s, fmt, x);
	fval v;

	return fval_parse(type, s, (size_t)n, &v) ? v : frows_text(r, s, (size_t)n);
}

static void
values(struct frows *r, fval *v)
{
	static const char *const words[] = { "afr", "amr", "eas", "nfe", "sas" };
	struct fval_rule rule = { FVAL_STYLE_GALT, 6, 1, 0 };
	int64_t an = 150000 + 2 * (int64_t)rnd(200), ac = rnd(20) ? (int64_t)(1000 / (rnd(1000) + 1)) : (int64_t)rnd((uint64_t)an);
	int64_t an_g = an * 3 / 10 / 2 * 2, ac_g = rnd(2) ? 0 : ac < an_g ? ac : an_g;
	char many[600];
	size_t n = rnd(30) ? 20 : 500;

	if (rnd(50) == 0)
		an = ac = an_g = ac_g = 0;
	v[AC] = ac;
	v[AN] = rnd(500) ? an : FVAL_MISSING;
	if (an)
		v[AF] = rnd(300) ? fval_quotient(rule, ac, an) : parsed(r, FTYPE_FLOAT, "%.3g", 0.123);
	v[AC_G] = ac_g;
	v[AN_G] = an_g;
	if (an_g)
		v[AF_G] = fval_quotient(rule, ac_g, an_g);
	v[FREE] = rnd(10) ? parsed(r, FTYPE_FLOAT, rnd(3) ? "%.4f" : "%.2e", (double)rnd(100000) / 7 - 3000) :
	    rnd(2) ? FVAL_MISSING : frows_text(r, "nan", 3);
	if (rnd(9))
		v[FEW] = frows_text(r, words[rnd(5)], 3);
	for (size_t i = 0; i < n; i++)
		many[i] = (char)('a' + rnd(20));
	v[MANY] = rnd(5) ? frows_text(r, many, n) : FVAL_MISSING;
	v[FLAG] = rnd(10) == 0;
	v[FILTER] = frows_text(r, rnd(8) ? "PASS" : "AC0&RF", rnd(8) ? 4 : 4);
	if (an)
		v[FAF] = fval_quotient(rule, ac > 2 ? ac - 2 : 0, an);
}

/* One allele at a position; distinct for distinct k. */
static void
allele(int k, char *ref, uint32_t *n_ref, char *alt, uint32_t *n_alt)
{
	static const char b[] = "ACGT";

	*n_ref = *n_alt = 1;
	ref[0] = 'C';
	alt[0] = "AGT"[k % 3];
	if (k < 3)
		return;
	alt[0] = 'C';
	if (k % 3 == 0) {                       /* insertions of k bases */
		*n_alt = (uint32_t)k + 1;
		for (int i = 1; i <= k; i++)
			alt[i] = b[(k + i * i) & 3];
	} else if (k % 3 == 1) {
		*n_ref = (uint32_t)k + 1;
		for (int i = 1; i <= k; i++)
			ref[i] = b[(k + i * i) & 3];
	} else {                                /* neither */
		*n_ref = (uint32_t)k;
		*n_alt = 2;
		for (int i = 1; i < k; i++)
			ref[i] = b[(k + i) & 3];
		alt[0] = 'G';
		alt[1] = ref[k - 1] == 'A' ? 'T' : 'A';
	}
}

static void
make(struct frows *r, int contigs, int positions)
{
	static char ref[20000], alt[20000];
	uint32_t n_ref, n_alt;

	for (int c = 0; c < contigs; c++) {
		uint32_t pos = 1;

		if (c == 1)
			continue;               /* a contig without rows */
		for (int p = 0; p < positions; p++) {
			int k = rnd(50) ? 1 + (int)rnd(3) : 700;
			int64_t first = r->n;

			pos += rnd(100) ? 1 + (uint32_t)rnd(6) : (uint32_t)rnd(3000000);
			for (int i = 0; i < k; i++) {
				allele(i, ref, &n_ref, alt, &n_alt);
				values(r, frows_add(r, c, pos, ref, n_ref, alt, n_alt, r->n));
			}
			/* into order */
			for (int64_t i = first + 1; i < r->n; i++)
				for (int64_t j = i; j > first && frows_order(r, j, r, j - 1) < 0; j--) {
					struct frow t = r->row[j];

					r->row[j] = r->row[j - 1];
					r->row[j - 1] = t;
				}
		}
	}
}

static int
same_value(const struct fcols *f, const struct frows *a, fval x, const char *s, size_t n, fval y)
{
	size_t m;
	const char *t;

	(void)f;
	if (x == FVAL_MISSING || !fval_is_text(x))
		return x == y;
	t = frows_get(a, x, &m);
	return fval_is_text(y) && m == n && memcmp(s, t, n) == 0;
}

static struct freq *
write_db(const struct frows *r, const struct fcols *f, int contigs, int threads, int64_t room, int *fd_copy, struct err *e)
{
	int fd = file_temp(NULL, e);
	struct par *par = par_new(threads, NULL);
	struct vxg_writer *w = vxg_create(fd, f, par, e);
	struct vxg_meta m = { .release = mem_strdup("test 1"), .build = mem_strdup("GRCh38"), .records = 5 };
	static const char *const names[] = { "chr1", "chr2", "chrX\ty", "MT" };

	m.contig_length = mem_new(int64_t, contigs);
	for (int i = 0; i < contigs; i++) {
		strs_add(&m.contig, names[i], strlen(names[i]));
		m.contig_length[i] = i == 3 ? -1 : 1000000000 + i;
	}
	for (int64_t i = 0; i < r->n; i++)
		vxg_put(w, r, i, e);
	vxg_finish(w, &m, e);
	vxg_meta_clear(&m);
	par_free(par);
	*fd_copy = dup(fd);
	return vxg_open_fd(fd, "test.vxg", room, e);
}

static void
test_iter(struct freq *f, const struct frows *r, const char *what)
{
	struct err e = {0};
	struct vxg_iter *t = vxg_iter(f, &e);
	struct frows q;
	int64_t n = 0, got;
	int good = 1, keys = 1;

	frows_init(&q, N_COL);
	while ((got = vxg_iter_next(t, &q, 777, &e)) > 0) {
		for (int64_t i = 0; i < got; i++, n++) {
			keys &= n < r->n && frows_order(&q, i, r, n) == 0;
			for (int c = 0; c < N_COL && keys; c++) {
				fval y = q.val[i * N_COL + c];
				size_t len = 0;
				const char *s = y != FVAL_MISSING && fval_is_text(y) ? frows_get(&q, y, &len) : "";

				if (!f->cols->c[c].hidden)
					good &= same_value(f->cols, r, r->val[r->row[n].seq * N_COL + c], s, len, y);
			}
		}
		frows_reset(&q);
	}
	ok(!e.code && n == r->n && keys, "%s: %lld rows in order", what, (long long)n);
	ok(good, "%s: their values", what);
	frows_clear(&q);
	vxg_iter_free(t);
}

static void
test_find(struct freq *f, const struct frows *r, int random, const char *what)
{
	struct err e = {0};
	struct freq_cursor *k = f->cursor(f, &e);
	struct freq_hit hit;
	int found = 1, good = 1, col[N_COL];
	fval all[N_COL] = {0};

	for (int c = 0; c < N_COL; c++)
		col[c] = c;
	/* at random each question inflates texts anew: fewer of them */
	for (int64_t z = 0; z < r->n && good && found; z += random ? 8 : 1) {
		int64_t i = random ? (int64_t)rnd((uint64_t)r->n) : z;
		const struct frow *q = &r->row[i];

		found &= f->find(k, q->contig, q->pos, frows_ref(r, i), q->n_ref, frows_alt(r, i), q->n_alt, &hit, &e) == FREQ_FOUND;
		/* all at once, and, of some rows, one by one */
		if (found)
			f->values(k, &hit, col, N_COL, all, &e);
		for (int c = 0; c < N_COL && found; c++) {
			fval y = f->cols->c[c].hidden ? 0 : i % 3 ? all[c] : f->value(k, &hit, c, &e);
			size_t len = 0;
			const char *s = y != FVAL_MISSING && fval_is_text(y) ? f->text(k, c, y, &len, &e) : "";

			if (!f->cols->c[c].hidden)
				good &= same_value(f->cols, r, r->val[q->seq * N_COL + c], s, len, y);
		}
	}
	ok(!e.code && found, "%s: every allele is found", what);
	ok(good, "%s: with its values", what);
	f->cursor_free(k);
}

static void
test_absent(struct freq *f, const struct frows *r)
{
	struct err e = {0};
	struct freq_cursor *k = f->cursor(f, &e);
	struct freq_hit hit;
	int site = 1, absent = 1, n_absent = 0;

	for (int64_t i = 0; i < r->n; i++) {
		const struct frow *q = &r->row[i];

		site &= f->find(k, q->contig, q->pos, "C", 1, "CACGTACGTTTTTTTT", 16, &hit, &e) == FREQ_SITE_ONLY;
		if (i + 1 < r->n && r->row[i + 1].contig == q->contig && r->row[i + 1].pos > q->pos + 1) {
			n_absent++;
			absent &= f->find(k, q->contig, q->pos + 1, "C", 1, "A", 1, &hit, &e) == FREQ_ABSENT;
		}
	}
	absent &= f->find(k, 0, 0, "C", 1, "A", 1, &hit, &e) == FREQ_ABSENT;
	absent &= f->find(k, 0, (int64_t)1 << 40, "C", 1, "A", 1, &hit, &e) == FREQ_ABSENT;
	absent &= f->find(k, 0, UINT32_MAX, "C", 1, "A", 1, &hit, &e) == FREQ_ABSENT;
	absent &= f->find(k, 1, 100, "C", 1, "A", 1, &hit, &e) == FREQ_ABSENT;
	ok(site && !e.code, "other alleles of a position");
	ok(absent && !e.code, "positions between: %d", n_absent);
	f->cursor_free(k);
}

/* Every byte that is changed is noticed, by opening or by the check; every cut too. */
static void
test_damage(int fd, const char *what)
{
	struct err none = {0};
	int64_t n = file_size(fd), missed = 0, cut_missed = 0, tried = 0;
	uint8_t *all = mem_raw(uint8_t, n);

	file_pread(fd, all, (size_t)n, 0, &none);
	/* all of a small one, else some 5,000, their places drawn */
	for (int64_t i = 0; i < n; i += n < 5000 ? 1 : 1 + (int64_t)rnd((uint64_t)n / 2500)) {
		struct err e = {0}, io = {0};
		uint8_t b = (uint8_t)(all[i] ^ (1 << rnd(8)));
		struct freq *f;

		tried++;
		file_pwrite(fd, &b, 1, i, &io);
		f = vxg_open_fd(dup(fd), "test.vxg", i & 1 ? INT64_MAX : 0, &e);
		if (f) {
			missed += vxg_check(f, NULL, &e) == 0;
			f->close(f);
		}
		file_pwrite(fd, &all[i], 1, i, &io);
	}
	for (int64_t i = 0; i < n; i += 1 + n / 500) {
		struct err e = {0}, io = {0};
		int part = file_temp(NULL, &io);
		struct freq *f;

		file_pwrite(part, all, (size_t)i, 0, &io);
		f = vxg_open_fd(part, "test.vxg", INT64_MAX, &e);
		cut_missed += f != NULL || (i >= 64 && e.code != ERR_CUT);
		if (f)
			f->close(f);
		else if (i < 64)
			cut_missed += !e.code;
	}
	ok(missed == 0, "%s: %lld of %lld changed bytes pass", what, (long long)missed, (long long)tried);
	ok(cut_missed == 0, "%s: cut files are called that", what);
	mem_free(all);
}

int
main(void)
{
	struct err e = {0};
	struct fcols f = {0};
	struct frows r, few;
	struct freq *db, *other;
	int fd, fd2;
	int64_t n;

	columns(&f);
	frows_init(&r, N_COL);
	make(&r, 4, 1500);
	/* values stand where seq says, rows are in order: a table in order of both for the writer */
	frows_init(&few, N_COL);
	for (int64_t i = 0; i < r.n; i++) {
		struct frow t = r.row[i];
		fval *v = frows_add(&few, t.contig, t.pos, frows_ref(&r, i), t.n_ref, frows_alt(&r, i), t.n_alt, i);

		for (int c = 0; c < N_COL; c++) {
			size_t len = 0;
			fval x = r.val[t.seq * N_COL + c];
			const char *s = x != FVAL_MISSING && fval_is_text(x) ? frows_get(&r, x, &len) : NULL;

			v = few.val + i * N_COL;
			v[c] = s ? frows_text(&few, s, len) : x;
		}
	}
	db = write_db(&few, &f, 4, 1, INT64_MAX, &fd, &e);
	ok(db != NULL && !e.code, "written and opened %s", e.msg);
	if (!db)
		return done();
	ok(vxg_rows(db) == few.n && vxg_meta(db)->records == 5 && !strcmp(db->release, "test 1") && !strcmp(db->contig[2], "chrX\ty") &&
	    db->contig_length[3] == -1 && db->contig_rows[1] == 0, "what the directory says");
	ok(!strcmp(db->cols->c[AF_G].desc, "a \"tab\"\t, a \\ and\na line"), "a description with odd letters");
	ok(vxg_check(db, NULL, &e) == 0, "whole: %s", e.msg);
	test_iter(db, &few, "mapped");
	test_find(db, &few, 0, "in order");
	test_find(db, &few, 1, "at random");
	test_absent(db, &few);
	other = write_db(&few, &f, 4, 3, 0, &fd2, &e);
	test_iter(other, &few, "read by pieces");
	test_find(other, &few, 1, "read by pieces, at random");
	n = file_size(fd);
	{
		uint8_t *a = mem_raw(uint8_t, n), *b = mem_raw(uint8_t, n);

		file_pread(fd, a, (size_t)n, 0, &e);
		ok(file_pread(fd2, b, (size_t)n, 0, &e) == n && file_size(fd2) == n && !memcmp(a, b, (size_t)n), "the same bytes with 1 and 3 threads");
		mem_free(a);
		mem_free(b);
	}
	other->close(other);
	close(fd2);
	db->close(db);
	/* small ones: nothing, one row, a few: every byte counts */
	for (int k = 0; k < 3; k++) {
		struct frows part;

		frows_init(&part, N_COL);
		for (int64_t i = 0; i < (k == 0 ? 0 : k == 1 ? 1 : 600); i++)
			frows_copy(&part, &few, i);
		db = write_db(&part, &f, 4, 1, INT64_MAX, &fd2, &e);
		ok(db && !e.code && vxg_rows(db) == part.n && vxg_check(db, NULL, &e) == 0, "%lld rows", (long long)part.n);
		if (db)
			db->close(db);
		test_damage(fd2, k == 0 ? "no row" : k == 1 ? "one row" : "600 rows");
		close(fd2);
		frows_clear(&part);
	}
	close(fd);
	frows_clear(&r);
	frows_clear(&few);
	fcols_clear(&f);
	return done();
}
