/* mtx_text - see mtx_impl.h */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "io/mtx_impl.h"
#include "stream/wire.h"

#define BLOCK ((size_t)1 << 20) /* bytes of text, about */
#define SOME 65536              /* entries there is room for at first */

int
mtx_open(struct mtx *m, const char *path, struct err *e)
{
	char low[200] = "";

	if (text_open(&m->text, path, e))
		return e->code;
	if (text_line(&m->text, e)) {
		snprintf(low, sizeof low, "%s", m->text.line);
		for (char *p = low; *p; p++)
			*p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
	}
	if (!e->code && (strncmp(low, "%%matrixmarket matrix coordinate", 32) || !strstr(low, "general")))
		return err_set(e, ERR_DATA, "%s: is no MatrixMarket coordinate matrix", path);
	m->pattern = strstr(low, "pattern") != NULL;
	while (text_line(&m->text, e) && (m->text.line[0] == '%' || m->text.len == 0))
		;
	if (!e->code && (sscanf(m->text.line, "%lld %lld %lld", (long long *)&m->n_row, (long long *)&m->n_col,
	    (long long *)&m->n_entry) != 3 || m->n_row < 0 || m->n_col < 0 || m->n_entry < 0))
		err_set(e, ERR_DATA, "%s: line %lld: no dimensions", path, (long long)m->text.n_line);
	return e->code;
}

void
mtx_close(struct mtx *m)
{
	text_close(&m->text);
}

/* Room for one more entry. */
static void
grow(struct mtx_block *b)
{
	b->cap = b->cap ? 2 * b->cap : SOME;
	b->gene = mem_renew(b->gene, int32_t, b->cap);
	b->as_whole = mem_renew(b->as_whole, int32_t, b->cap);
	b->whole = b->whole ? b->as_whole : NULL;
}

/* The next entry is of this cell. */
static void
set_cell(struct mtx_block *b, int64_t cell)
{
	if (b->n_run && b->run[b->n_run - 1].cell == cell)
		return;
	if (b->n_run + 1 >= b->cap_run) {
		b->cap_run = b->cap_run ? 2 * b->cap_run : 1024;
		b->run = mem_renew(b->run, struct mtx_run, b->cap_run);
	}
	b->falls |= b->n_run && cell < b->run[b->n_run - 1].cell;
	b->run[b->n_run++] = (struct mtx_run){ cell, b->n };
}

/* --- lines as nearly all are --------------------------------------------------- */

#define QUICK 32                /* bytes from its beginning that such a line may look at */

static inline uint64_t
eight(const char *s)
{
	return wire_get64((const uint8_t *)s);
}

/* A number of 1 to 7 digits, without a loop, since their count cannot be foreseen: pairs, fours and all eight are put
 * together at once.  Returns what is behind it, or NULL. */
static inline const char *
digits(const char *s, int64_t *v)
{
	uint64_t d = eight(s) ^ 0x3030303030303030;
	uint64_t other = (((d & 0x7f7f7f7f7f7f7f7f) + 0x7676767676767676) | d) & 0x8080808080808080;
	int bits;

	if (!other || other & 0x80)
		return NULL;
	bits = __builtin_ctzll(other) & 0x38;
	d = (d << (64 - bits)) * (10 << 8 | 1) >> 8;
	d = (d & 0x00ff00ff00ff00ff) * (100 << 16 | 1) >> 16;
	*v = (int64_t)((d & 0x0000ffff0000ffff) * ((uint64_t)10000 << 32 | 1) >> 32);
	return s + bits / 8;
}

static inline int
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Takes lines from p on that are three short whole numbers with a blank between them, up to the first that is not, or for
 * which there is no room; how many bytes. */
static int64_t
quick(const struct mtx *m, struct mtx_block *b, const char *p, const char *end)
{
	const int32_t *at = m->at;
	uint64_t text = 0, mask = ~text;        /* the digits of the cell and the blank behind it */
	int64_t n = b->n, line = 0, cell = -1, len = 0;
	const char *begin = p;

	for (; n < b->cap && end - p >= QUICK; line++) {
		int64_t row, col = cell, v;
		const char *s = digits(p, &row), *from, *to;

		if (!s || !is_blank(*s) || row < 1 || row > m->n_row)
			break;
		from = s + 1;
		if (((eight(from) ^ text) & mask) == 0) {       /* as in the line before */
			to = from + len;
		} else {
			to = digits(from, &col);
			if (!to || !is_blank(*to))
				break;
		}
		s = digits(to + 1, &v);
		if (!s || col < 1 || col > m->n_col)
			break;
		s += *s == '\r';
		if (*s != '\n')
			break;
		if (col != cell) {
			b->n = n;
			set_cell(b, col - 1);
			cell = col;
			len = to - from;
			text = eight(from);
			mask = ~(uint64_t)0 >> (56 - 8 * len);
		}
		b->gene[n] = at[row - 1];
		b->whole[n] = (int32_t)v;
		n += at[row - 1] >= 0;
		p = s + 1;
	}
	b->n = n;
	b->n_line += line;
	b->n_entry += line;
	return p - begin;
}

/* --- any line ------------------------------------------------------------------ */

struct entry {
	int64_t row, col;       /* from 0 */
	int64_t whole;          /* the value, or -1: it is real */
	double real;
};

/* A whole number at *p; -1 when there is none. */
static int64_t
whole(const char **p)
{
	const char *s = *p;
	int64_t v = 0;

	while (*s == ' ' || *s == '\t')
		s++;
	if (*s < '0' || *s > '9')
		return -1;
	for (; *s >= '0' && *s <= '9' && v < (int64_t)1 << 58; s++)
		v = v * 10 + (*s - '0');
	*p = s;
	return v;
}

static inline int
outside(const struct mtx *m, const struct entry *t)
{
	return t->row < 0 || t->row >= m->n_row || t->col < 0 || t->col >= m->n_col;
}

/* A line with a NUL behind it; 0 when it is no entry. */
static int
careful(const char *p, const struct mtx *m, struct entry *t)
{
	const char *q;
	char *end;

	t->row = whole(&p) - 1;
	t->col = whole(&p) - 1;
	t->whole = 1;
	if (outside(m, t) || m->pattern)
		return !outside(m, t);
	q = p;
	t->whole = whole(&q);
	if (t->whole >= 0 && t->whole <= INT32_MAX && (!*q || *q == ' ' || *q == '\t'))
		return 1;
	t->whole = -1;
	t->real = strtod(p, &end);
	return end != p;
}

static void
add(struct mtx_block *b, int32_t gene, const struct entry *t)
{
	if (gene < 0)
		return;
	b->gene[b->n] = gene;
	if (t->whole >= 0 && b->whole) {
		b->whole[b->n++] = (int32_t)t->whole;
		return;
	}
	if (b->cap_real < b->cap) {
		b->cap_real = b->cap;
		b->as_real = mem_renew(b->as_real, double, b->cap);
	}
	for (int64_t i = 0; b->whole && i < b->n; i++)
		b->as_real[i] = b->whole[i];
	b->whole = NULL;
	b->real = b->as_real;
	b->real[b->n++] = t->whole < 0 ? t->real : (double)t->whole;
}

/* Lines become entries.  b->text is written to. */
static void
parse(const struct mtx *m, struct mtx_block *b)
{
	char *p = b->text, *end = p + b->n_text, *nl, *last;
	struct entry t = {0};

	b->n = b->n_run = b->n_entry = b->n_line = 0;
	b->falls = 0;
	b->bad = NULL;
	b->whole = b->as_whole;
	b->real = NULL;
	for (; p < end; p = nl + 1) {
		if (b->n == b->cap)
			grow(b);
		if (b->whole && !m->pattern && !m->flip)
			p += quick(m, b, p, end);
		if (p == end || b->n == b->cap) {
			nl = p - 1;
			continue;
		}
		nl = memchr(p, '\n', (size_t)(end - p));
		nl = nl ? nl : end;
		last = nl > p && nl[-1] == '\r' ? nl - 1 : nl;
		b->n_line++;
		if (last == p)
			continue;
		*last = 0;
		if (!careful(p, m, &t)) {
			b->bad = p;
			break;
		}
		b->n_entry++;
		set_cell(b, m->flip ? t.row : t.col);
		add(b, m->at[m->flip ? t.col : t.row], &t);
	}
	if (b->n_run)
		b->run[b->n_run].at = b->n;
}

/* --- passes ------------------------------------------------------------------ */

enum { READ, TAKE, PARSE, N_STAGE };

struct wave {
	struct mtx_block *block;        /* [n_block of the pass] */
	int n;
};

struct pass {
	struct mtx *m;
	mtx_fn *fn;
	void *ctx;
	int n_block;
	struct wave wave[N_STAGE];      /* each is in another stage */
	struct err err;         /* of reading, behind all blocks that were read */
	int64_t n_entry, n_line;        /* that were taken */
	int stop;
};

static void
read_wave(struct pass *p, struct wave *w)
{
	for (w->n = 0; w->n < p->n_block; w->n++) {
		struct mtx_block *b = &w->block[w->n];

		b->n_text = text_block(&p->m->text, BLOCK, &b->text, &b->cap_text, &p->err);
		if (b->n_text == 0)
			break;
	}
}

static void
take_wave(struct pass *p, const struct wave *w, struct err *e)
{
	for (int i = 0; i < w->n && !p->stop && !e->code; i++) {
		const struct mtx_block *b = &w->block[i];

		p->stop = p->fn(p->ctx, b, e);
		p->n_entry += b->n_entry;
		p->n_line += b->n_line;
		if (b->bad && !p->stop)
			err_set(e, ERR_DATA, "%s: line %lld: '%.60s' is no entry of a %lld x %lld matrix", p->m->text.path,
			    (long long)p->n_line, b->bad, (long long)p->m->n_row, (long long)p->m->n_col);
	}
}

/* What takes longest and cannot be shared comes first. */
static int
work(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct pass *p = ctx;

	(void)hi;
	(void)worker;
	if (lo == READ)
		read_wave(p, &p->wave[READ]);
	else if (lo == TAKE)
		take_wave(p, &p->wave[TAKE], e);
	else
		parse(p->m, &p->wave[PARSE].block[lo - PARSE]);
	return e->code;
}

static void
clear_block(struct mtx_block *b)
{
	mem_free(b->gene);
	mem_free(b->as_whole);
	mem_free(b->as_real);
	mem_free(b->run);
	mem_free(b->text);
}

int
mtx_pass(struct mtx *m, struct par *par, mtx_fn *fn, void *ctx, struct err *e)
{
	int n = par_n(par);
	struct mtx_block *all = mem_new(struct mtx_block, N_STAGE * n);
	struct pass p = { .m = m, .fn = fn, .ctx = ctx, .n_block = n, .n_line = m->text.n_line };

	for (int i = 0; i < N_STAGE; i++)
		p.wave[i].block = all + i * n;
	for (int i = 0; i < N_STAGE * n; i++)
		grow(&all[i]);
	do {
		struct wave taken = p.wave[TAKE];

		p.wave[TAKE] = p.wave[PARSE];
		p.wave[PARSE] = p.wave[READ];
		p.wave[READ] = taken;
		par_for(par, PARSE + p.wave[PARSE].n, 1, work, &p, e);
	} while (!p.stop && !e->code && p.wave[READ].n + p.wave[PARSE].n > 0);
	if (!p.stop && !e->code && p.err.code)
		*e = p.err;
	if (!p.stop && !e->code && p.n_entry != m->n_entry)
		err_set(e, ERR_CUT, "%s: has %lld entries, its header says %lld: it was cut", m->text.path, (long long)p.n_entry,
		    (long long)m->n_entry);
	for (int i = 0; i < N_STAGE * n; i++)
		clear_block(&all[i]);
	mem_free(all);
	return e->code;
}
