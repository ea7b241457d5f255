/* sites_parse - lines of a sites file become rows
 *
 * Where values of columns stand, sites_keys.c notes as the line passes; they are read once per ALT in the end.
 */
#include "var/sites.h"

#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "var/fval_line.h"
#include "var/sites_impl.h"

#define OVERFLOWED 2147483647           /* what an int32 that ran over shows (nhomalt_grpmax in gnomAD v4) */

/* --- alleles ----------------------------------------------------------------- */

static const char upper[256] = {
	['A'] = 'A', ['C'] = 'C', ['G'] = 'G', ['T'] = 'T', ['a'] = 'A', ['c'] = 'C', ['g'] = 'G', ['t'] = 'T'
};

/* Upper case into buf; 0 when it is not all ACGT. */
static int
bases(struct str *buf, const char *s, uint32_t n)
{
	if (buf->cap < n) {
		buf->cap = 2 * (size_t)n + 64;
		mem_free(buf->s);
		buf->s = mem_raw(char, (long long)buf->cap);
	}
	for (uint32_t i = 0; i < n; i++)
		if (!(buf->s[i] = upper[(uint8_t)s[i]]))
			return 0;
	buf->n = n;
	return n > 0;
}

static int
get_bases(void *ctx, int64_t pos, int64_t n, uint8_t *dst, struct err *e)
{
	struct sites_parser *p = ctx;

	return fasta_get(p->view, p->ref_contig, pos, n, dst, e);
}

static int
malformed(const struct sites_parser *p, const struct sites_record *r, const char *what, struct err *e)
{
	return err_set(e, ERR_DATA, "%.*s:%u: %s", (int)p->contig.n - 1, p->contig.s, r->pos, what);
}

static void
unsupported(const struct sites_parser *p, const struct sites_record *r, const char *alt, uint32_t n, struct sites_stats *st)
{
	st->unsupported++;
	if (st->n_named < 3)
		snprintf(st->named[st->n_named++], sizeof st->named[0], "%.*s:%u %.*s>%.*s", (int)p->contig.n - 1 < 30 ? (int)p->contig.n - 1 : 30,
		    p->contig.s, r->pos, r->n_ref < 30 ? (int)r->n_ref : 30, r->ref, n < 30 ? (int)n : 30, alt);
}

/* One ALT, upper case in alt_buf, REF in ref_buf, becomes a row. */
static int
add_row(struct sites_parser *p, const struct sites_record *r, struct frows *out, struct sites_stats *st, struct err *e)
{
	const char *ref = p->ref_buf.s, *alt = p->alt_buf.s;
	uint32_t n_ref = (uint32_t)p->ref_buf.n, n_alt = (uint32_t)p->alt_buf.n, pos = r->pos;
	int cut;

	pos += frows_trim(&ref, &n_ref, &alt, &n_alt);
	cut = n_ref != p->ref_buf.n;
	/* Alleles of one length cannot slide. */
	if (p->ref_contig >= 0 && n_ref != n_alt && pos > 0) {
		struct allele a[2] = { { (const uint8_t *)p->ref_buf.s, (int64_t)p->ref_buf.n }, { (const uint8_t *)p->alt_buf.s, (int64_t)p->alt_buf.n } };
		int64_t n, m;

		if (norm_check(&p->seq, (int64_t)r->pos - 1, a[0], e) == NORM_SEQUENCE &&
		    norm_run(&p->norm, &p->seq, (int64_t)r->pos - 1, a, 2, 0, e) == NORM_SHIFTED) {
			ref = norm_allele(&p->norm, 0, &n);
			alt = norm_allele(&p->norm, 1, &m);
			n_ref = (uint32_t)n;
			n_alt = (uint32_t)m;
			pos = (uint32_t)(p->norm.pos + 1);
			pos += frows_trim(&ref, &n_ref, &alt, &n_alt);
			st->moved++;
			cut = 0;
		}
		if (e->code)
			return e->code;
	}
	st->trimmed += cut;
	frows_add(out, p->contig_no, pos, ref, n_ref, alt, n_alt, r->seq);
	return 0;
}

/* Rows of all ALTs; p->first_row[i] is the number of the ALT of the i-th of them.  Most are of one base for one, which neither trims nor slides. */
static int
add_rows(struct sites_parser *p, struct sites_record *r, struct frows *out, struct sites_stats *st, struct err *e)
{
	int ref_good, rows = 0;
	const char *end = r->alt + r->n_alt;

	if (r->n_ref == 1 && r->n_alt == 1) {
		char two[2] = { upper[(uint8_t)*r->ref], upper[(uint8_t)*r->alt] };

		if (two[0] && two[1] && two[0] != two[1]) {
			r->alts = 1;
			p->first_row[0] = 0;
			st->alleles++;
			frows_add(out, p->contig_no, r->pos, two, 1, two + 1, 1, r->seq);
			return 1;
		}
	}
	ref_good = bases(&p->ref_buf, r->ref, r->n_ref);
	r->alts = 0;
	for (const char *a = r->alt, *q; a <= end && !e->code; a = q + 1) {
		uint32_t n;

		q = memchr(a, ',', (size_t)(end - a));
		q = q ? q : end;
		n = (uint32_t)(q - a);
		r->alts++;
		if (n == 1 && *a == '.') {
			st->no_alt++;
			continue;
		}
		st->alleles++;
		if (!ref_good || !bases(&p->alt_buf, a, n) || (n == r->n_ref && memcmp(p->alt_buf.s, p->ref_buf.s, n) == 0)) {
			unsupported(p, r, a, n, st);
			continue;
		}
		if (rows == p->cap_alt) {
			p->cap_alt = 2 * p->cap_alt + 16;
			p->first_row = mem_renew(p->first_row, int64_t, p->cap_alt);
		}
		p->first_row[rows++] = r->alts - 1;
		add_row(p, r, out, st, e);
	}
	return e->code ? -1 : rows;
}

/* --- values ------------------------------------------------------------------ */

/* Item i of a comma-separated list of n bytes; how many there are when i is beyond. */
static int64_t
item(const char *s, size_t n, int64_t i, const char **t, size_t *k)
{
	const char *end = s + n;

	for (int64_t at = 0; ; at++) {
		const char *q = memchr(s, ',', (size_t)(end - s));

		q = q ? q : end;
		if (at == i) {
			*t = s;
			*k = (size_t)(q - s);
		}
		if (q == end)
			return at + 1;
		s = q + 1;
	}
}

static inline fval
number(const struct fcol *c, struct frows *out, const char *s, size_t n, struct sites_stats *st)
{
	fval v;

	if (n == 0)
		return FVAL_MISSING;
	if (!fval_parse((enum ftype)c->type, s, n, &v))
		return frows_text(out, s, n);
	if (c->type == FTYPE_INT && v >= OVERFLOWED) {
		st->overflowed++;
		return FVAL_MISSING;
	}
	return v;
}

/* What a column holds for ALT number alt (from 0). */
static fval
value(struct sites_parser *p, const struct sites_record *r, int col, int64_t alt, struct frows *out, struct sites_stats *st, struct err *e)
{
	const struct fcol *c = &p->cols->c[col];
	const struct sites_span *w = &p->span[col];
	const char *s = w->s, *t = NULL;
	size_t n = w->n, k = 0;
	char what[300];
	int64_t have;

	if (n == 0 || (n == 1 && *s == '.'))
		return FVAL_MISSING;
	if (c->kind == FNUM_SITE)
		return number(c, out, s, n, st);
	if (c->kind == FNUM_LIST)
		return frows_text(out, s, n);
	have = item(s, n, c->kind == FNUM_ALT ? alt : alt + 1, &t, &k);
	if (have != r->alts + (c->kind == FNUM_REF_ALT)) {
		if (p->whole) {
			st->misfit++;
			return frows_text(out, s, n);
		}
		snprintf(what, sizeof what, "%.100s has %lld value%s for %d ALT%s (Number=%s); --lists whole keeps them as they stand", c->tag, (long long)have, have == 1 ? "" : "s", r->alts,
		    r->alts == 1 ? "" : "s", c->kind == FNUM_ALT ? "A" : "R");
		malformed(p, r, what, e);
		return FVAL_MISSING;
	}
	if (c->kind == FNUM_ALT)
		return number(c, out, t, k, st);
	p->text.n = 0;
	str_addn(&p->text, s, (size_t)((const char *)memchr(s, ',', n) + 1 - s));
	str_addn(&p->text, t, k);
	return frows_text(out, p->text.s, p->text.n);
}

static fval
filter(struct sites_parser *p, const struct sites_record *r, struct frows *out)
{
	char *s;

	if (r->n_filter == 0 || (r->n_filter == 1 && *r->filter == '.'))
		return FVAL_MISSING;
	if (!memchr(r->filter, ';', r->n_filter))
		return frows_text(out, r->filter, r->n_filter);
	p->text.n = 0;
	str_addn(&p->text, r->filter, r->n_filter);
	for (s = p->text.s; (s = memchr(s, ';', (size_t)(p->text.s + p->text.n - s))); )
		*s = '&';
	return frows_text(out, p->text.s, p->text.n);
}

/* A column of a row whose INFO was walked. */
static inline fval
column(struct sites_parser *p, const struct sites_record *r, int c, int64_t alt, struct frows *out, struct sites_stats *st, struct err *e)
{
	const struct sites_span *w = &p->span[c];

	if (c == p->filter)
		return filter(p, r, out);
	if (p->cols->c[c].kind == FNUM_FLAG)
		return w->stamp == p->stamp;
	return w->stamp == p->stamp ? value(p, r, c, alt, out, st, e) : FVAL_MISSING;
}

/* What was noted before holds no longer. */
static inline void
new_stamp(struct sites_parser *p)
{
	if (++p->stamp)
		return;
	memset(p->span, 0, (size_t)p->cols->n * sizeof *p->span);
	p->stamp = 1;
}

/* Values of the last `rows` rows. */
static int
fill(struct sites_parser *p, const struct sites_record *r, int rows, struct frows *out, struct sites_stats *st, struct err *e)
{
	int n = p->cols->n;

	/* The common case: one ALT, plain numbers. */
	new_stamp(p);
	if (r->alts == 1) {
		fval *v = out->val + (out->n - 1) * n;

		if (sites_read_info(p, r, v)) {
			for (int i = 0; i < p->n_late; i++)
				v[p->late[i]] = column(p, r, p->late[i], 0, out, st, e);
			return e->code;
		}
		new_stamp(p);
	}
	sites_read_info(p, r, NULL);
	for (int i = 0; i < rows && !e->code; i++) {
		fval *v = out->val + (out->n - rows + i) * n;

		for (int c = 0; c < n; c++)
			v[c] = column(p, r, c, p->first_row[i], out, st, e);
	}
	return e->code;
}

/* --- records ----------------------------------------------------------------- */

/* The contig of a line that is not the last one's: [s, s + n). */
static void
new_contig(struct sites_parser *p, const char *s, size_t n, struct strs *extra)
{
	int64_t k, length = -1;

	p->contig.n = 0;
	str_addn(&p->contig, s, n);
	k = map_get(&p->contigs, p->contig.s);
	if (k >= 0)
		length = p->h->contig_length[k];
	for (int64_t i = 0; k < 0 && i < extra->n; i++)
		if (strcmp(strs_get(extra, i), p->contig.s) == 0)
			k = p->h->contig.n + i;
	if (k < 0) {
		k = p->h->contig.n + extra->n;
		strs_add(extra, s, n);
	}
	p->contig_no = (int)k;
	str_addn(&p->contig, "\t", 1);
	if (!p->fasta)
		return;
	p->ref_contig = fasta_find(p->fasta, s, (int64_t)n);
	if (p->ref_contig < 0)
		p->ref_contig = fasta_alias(p->fasta, s, (int64_t)n, length);
	p->seq.length = p->ref_contig < 0 ? 0 : fasta_length(p->fasta, p->ref_contig);
}

/* End of the cell that begins at s: its tab, or the line end. */
static inline const char *
cell_end(const char *s, const char *end)
{
	while (s < end && *s != '\t')
		s++;
	return s;
}

/* The same for lines whose columns from POS, of at most eight digits, to FILTER take less than 64 bytes; 0: that cannot be said. */
static inline int
split_short(struct sites_record *r, const char *s)
{
	uint64_t m = mask64(s, '\t');
	const char *tab[6];
	fval pos;

	for (int i = 0; i < 6; i++) {
		if (!m)
			return 0;
		tab[i] = s + __builtin_ctzll(m);
		m &= m - 1;
	}
	pos = fval_line_int(s, (size_t)(tab[0] - s));
	if (tab[5] >= r->end || pos == FVAL_ODD)
		return 0;
	r->pos = (uint32_t)pos;
	r->ref = tab[1] + 1;
	r->n_ref = (uint32_t)(tab[2] - r->ref);
	r->alt = tab[2] + 1;
	r->n_alt = (uint32_t)(tab[3] - r->alt);
	r->filter = tab[4] + 1;
	r->n_filter = (uint32_t)(tab[5] - r->filter);
	r->info = tab[5] + 1;
	return 1;
}

/* Columns up to INFO.  0, or -1 with e set. */
static int
split_line(struct sites_parser *p, struct sites_record *r, struct strs *extra, struct err *e)
{
	const char *s = r->line, *q, *end = r->end;
	uint64_t pos = 0;

	if ((size_t)(end - s) < p->contig.n || p->contig.n == 0 || memcmp(s, p->contig.s, p->contig.n)) {
		q = cell_end(s, end);
		if (q == end || q == s || *s == '#')
			return err_set(e, ERR_DATA, "no VCF line: '%.*s'", end - r->line < 60 ? (int)(end - r->line) : 60, r->line);
		new_contig(p, s, (size_t)(q - s), extra);
	}
	s += p->contig.n;
	if (split_short(r, s))
		return 0;
	for (q = s; q < end && *q >= '0' && *q <= '9' && q - s < 10; q++)
		pos = 10 * pos + (uint64_t)(*q - '0');
	r->pos = (uint32_t)pos;
	if (q == s || q == end || *q != '\t' || pos > INT32_MAX) {
		int k = (int)(cell_end(s, end) - s);

		return err_set(e, ERR_DATA, "%.*s: POS is no position: '%.*s'", p->contig.n < 41 ? (int)p->contig.n - 1 : 40, p->contig.s, k < 40 ? k : 40, s);
	}
	s = cell_end(q + 1, end);
	r->ref = s < end ? s + 1 : end;
	q = cell_end(r->ref, end);
	r->n_ref = (uint32_t)(q - r->ref);
	r->alt = q < end ? q + 1 : end;
	q = cell_end(r->alt, end);
	r->n_alt = (uint32_t)(q - r->alt);
	s = cell_end(q < end ? q + 1 : end, end);
	r->filter = s < end ? s + 1 : end;
	q = cell_end(r->filter, end);
	r->n_filter = (uint32_t)(q - r->filter);
	if (q == end)
		return malformed(p, r, "the line ends before INFO", e);
	r->info = q + 1;
	return 0;
}

/* A line whose end is at nl, with CHUNK_PAD bytes behind it that may be read. */
static int
parse(struct sites_parser *p, const char *line, const char *nl, int64_t seq, struct frows *out, struct strs *extra, struct sites_stats *st,
	struct err *e)
{
	struct sites_record r = { .line = line, .end = nl > line && nl[-1] == '\r' ? nl - 1 : nl, .seq = seq };
	int rows;

	if (split_line(p, &r, extra, e))
		return e->code;
	st->records++;
	st->last_contig = p->contig_no;
	st->last_pos = r.pos;
	rows = add_rows(p, &r, out, st, e);
	if (rows <= 0)
		return e->code;
	return fill(p, &r, rows, out, st, e);
}

int
sites_parse(struct sites_parser *p, const struct chunk *c, int64_t seq, struct frows *out, struct strs *extra, struct sites_stats *st,
	struct err *e)
{
	const char *s = (const char *)c->data, *end = s + c->n, *nl;

	/* Numbers of contigs that the header lacks are those of this call's list. */
	p->contig.n = 0;
	for (; s < end && !e->code; s = nl + 1) {
		nl = memchr(s, '\n', (size_t)(end - s));
		if (!nl)
			return err_set(e, ERR_DATA, "a line does not end");
		parse(p, s, nl, seq++, out, extra, st, e);
	}
	return e->code;
}

int
sites_parse_line(struct sites_parser *p, const char *line, size_t n, int64_t seq, struct frows *out, struct strs *extra,
	struct sites_stats *st, struct err *e)
{
	static const char pad[CHUNK_PAD] = "\n";

	p->contig.n = 0;
	p->line.n = 0;
	str_addn(&p->line, line, n);
	str_addn(&p->line, pad, sizeof pad);
	return e->code ? e->code : parse(p, p->line.s, p->line.s + n, seq, out, extra, st, e);
}

/* --- the parser -------------------------------------------------------------- */

/* Which columns' numbers are read as their fields are met: those alone of their tags. */
static void
read_at_once(struct sites_parser *p)
{
	int n = p->cols->n;
	uint8_t *late = mem_new(uint8_t, n);

	for (int i = 0; i < n; i++) {
		late[i] |= i == p->filter || p->cols->c[i].kind > FNUM_ALT || p->cols->c[i].type > FTYPE_FLOAT;
		if (p->same[i] >= 0)
			late[i] = late[p->same[i]] = 1;
	}
	p->late = mem_new(int, n);
	for (int i = 0; i < n; i++)
		if (late[i])
			p->late[p->n_late++] = i;
	for (int k = 1; k < p->n_key; k++) {
		int c = p->key[k].col;

		if (c >= 0 && !late[c])
			p->key[k].how = p->cols->c[c].type == FTYPE_INT ? SITES_INT : SITES_FLOAT;
	}
	mem_free(late);
}

struct sites_parser *
sites_parser(const struct sites_head *h, const struct fcols *cols, struct fasta *ref, struct err *e)
{
	struct sites_parser *p;
	struct str t = {0};

	if (e->code)
		return NULL;
	p = mem_new(struct sites_parser, 1);
	p->h = h;
	p->cols = cols;
	p->filter = cols->n ? cols->filter : -1;
	p->ref_contig = -1;
	p->span = mem_new(struct sites_span, cols->n);
	p->cap_alt = 16;
	p->first_row = mem_new(int64_t, p->cap_alt);
	p->same = mem_new(int, cols->n);
	sites_add_key(p, "", 0, -1);
	for (int i = 0; i < cols->n; i++) {
		int *last = NULL;

		p->same[i] = -1;
		if (i == p->filter)
			continue;
		t.n = 0;
		str_add(&t, cols->c[i].tag);
		for (int k = 0; k < i; k++)
			if (k != p->filter && strcmp(cols->c[k].tag, cols->c[i].tag) == 0)
				last = &p->same[k];
		if (last)
			*last = i;
		sites_add_key(p, t.s, t.n, i);
		str_add(&t, "=");
		sites_add_key(p, t.s, t.n, i);
	}
	str_clear(&t);
	read_at_once(p);
	p->misses = 1;
	map_of(&p->contigs, &h->contig);
	if (ref) {
		p->fasta = ref;
		p->view = fasta_view(ref);
		p->seq.get = get_bases;
		p->seq.ctx = p;
	}
	return p;
}

void
sites_parser_whole(struct sites_parser *p)
{
	p->whole = 1;
}

void
sites_parser_free(struct sites_parser *p)
{
	if (!p)
		return;
	for (int i = 0; i < p->n_key; i++)
		mem_free(p->rest[i].text);
	mem_free(p->key);
	mem_free(p->rest);
	mem_free(p->slot);
	mem_free(p->await);
	mem_free(p->span);
	mem_free(p->same);
	mem_free(p->late);
	mem_free(p->first_row);
	map_clear(&p->contigs);
	str_clear(&p->contig);
	mem_free(p->ref_buf.s);
	mem_free(p->alt_buf.s);
	str_clear(&p->text);
	str_clear(&p->line);
	fasta_view_free(p->view);
	norm_clear(&p->norm);
	mem_free(p);
}
