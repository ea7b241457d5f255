/* freq_sites - see freq_sites.h
 *
 * A line is parsed only when its REF reaches over a position that is asked for, and only rows at such positions are kept: what is held is
 * as much as was asked for, whatever lies between.
 */
#include "var/freq_sites.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "os/bgzf.h"
#include "os/file.h"
#include "var/hts.h"
#include "var/sites.h"
#include "var/source.h"

#define GAP (64 << 10)                  /* positions: shorter ones are read over */
#define READ (256 << 10)                /* bytes of the file read at once */

struct fsites {
	struct freq f;
	char *path;
	int fd;
	struct sites_head head;
	struct fcols cols;
	struct hts_lookup *index;
	const char **name;
	int64_t *rows;
	atomic_llong moved;
};

struct freq_cursor {
	struct fsites *s;
	struct sites_parser *parser;
	struct sites_stats stats;
	struct strs extra;
	int contig;                     /* what is held: rows at pos[0..n_pos), which are sorted, of this contig */
	int64_t *pos;
	int64_t n_pos, cap_pos;
	struct frows rows;
	int64_t *order;                 /* rows sorted; the first of equals first */
	int64_t cap_order;
	struct frows one;               /* of a line */
	uint8_t *raw, *text;            /* a piece of the file; a block inflated */
	struct str line;                /* the beginning of a line whose end is in the next block */
};

/* --- opening ------------------------------------------------------------------ */

static struct freq_cursor *
cursor(struct freq *f, struct err *e)
{
	struct fsites *s = (struct fsites *)f;
	struct freq_cursor *k = mem_new(struct freq_cursor, 1);

	k->s = s;
	k->contig = -1;
	k->parser = sites_parser(&s->head, &s->cols, NULL, e);
	frows_init(&k->rows, s->cols.n);
	frows_init(&k->one, s->cols.n);
	k->raw = mem_raw(uint8_t, READ);
	k->text = mem_raw(uint8_t, BGZF_MAX);
	return k;
}

static void
cursor_free(struct freq_cursor *k)
{
	if (!k)
		return;
	atomic_fetch_add(&k->s->moved, k->stats.trimmed);
	sites_parser_free(k->parser);
	strs_clear(&k->extra);
	mem_free(k->pos);
	mem_free(k->order);
	frows_clear(&k->rows);
	frows_clear(&k->one);
	mem_free(k->raw);
	mem_free(k->text);
	str_clear(&k->line);
	mem_free(k);
}

int64_t
freq_sites_moved(const struct freq *f)
{
	return atomic_load(&((struct fsites *)(uintptr_t)f)->moved);
}

static void
close_sites(struct freq *f)
{
	struct fsites *s = (struct fsites *)f;

	if (s->fd >= 0)
		close(s->fd);
	hts_lookup_free(s->index);
	sites_head_clear(&s->head);
	fcols_clear(&s->cols);
	mem_free(s->name);
	mem_free(s->rows);
	mem_free(s->path);
	mem_free(s);
}

/* Contigs: those of the header, and those that only the index has; which of them have rows the index knows. */
static void
list_contigs(struct fsites *s)
{
	struct strs *c = &s->head.contig, have = {0};
	struct map at = {0};
	int64_t n = c->n;

	hts_lookup_names(s->index, &have);
	map_of(&at, c);
	s->head.contig_length = mem_renew(s->head.contig_length, int64_t, n + have.n);
	s->rows = mem_new(int64_t, n + have.n);
	for (int64_t i = 0; i < have.n; i++) {
		int64_t k = map_get(&at, strs_get(&have, i));

		if (k < 0) {
			k = n++;
			s->head.contig_length[k] = -1;
		}
		s->rows[k] = 1;
	}
	/* Only now: the map has no copies of the names. */
	for (int64_t i = 0; i < have.n; i++)
		if (map_get(&at, strs_get(&have, i)) < 0)
			strs_add(c, strs_get(&have, i), strs_len(&have, i));
	map_clear(&at);
	s->name = mem_new(const char *, n);
	for (int64_t i = 0; i < n; i++)
		s->name[i] = strs_get(c, i);
	strs_clear(&have);
	s->f.n_contig = (int)n;
	s->f.contig = s->name;
	s->f.contig_length = s->head.contig_length;
	s->f.contig_rows = s->rows;
}

/* --- reading ------------------------------------------------------------------ */

/* Index of the first position asked for that is not below pos. */
static int64_t
first_at(const struct freq_cursor *k, int64_t pos)
{
	int64_t lo = 0, hi = k->n_pos;

	while (lo < hi) {
		int64_t m = (lo + hi) / 2;

		if (k->pos[m] < pos)
			lo = m + 1;
		else
			hi = m;
	}
	return lo;
}

/* Whether a position that is asked for lies in the REF of a line. */
static int
of_use(const struct freq_cursor *k, const char *p, const char *end)
{
	const char *tab = memchr(p, '\t', (size_t)(end - p)), *ref;
	int64_t pos = 0, i;

	if (!tab)
		return 0;
	for (p = tab + 1; p < end && *p >= '0' && *p <= '9' && pos < (int64_t)1 << 50; p++)
		pos = 10 * pos + (*p - '0');
	tab = p < end ? memchr(p + 1, '\t', (size_t)(end - p - 1)) : NULL;
	ref = tab ? tab + 1 : NULL;
	tab = ref ? memchr(ref, '\t', (size_t)(end - ref)) : NULL;
	i = first_at(k, pos);
	return tab && i < k->n_pos && k->pos[i] < pos + (tab - ref);
}

static int
take_line(struct freq_cursor *k, const char *p, size_t n, struct err *e)
{
	if (n == 0 || *p == '#' || !of_use(k, p, p + n))
		return 0;
	frows_reset(&k->one);
	sites_parse_line(k->parser, p, n, k->rows.n, &k->one, &k->extra, &k->stats, e);
	for (int64_t i = 0; i < k->one.n && !e->code; i++) {
		int64_t at = first_at(k, k->one.row[i].pos);

		if (k->one.row[i].contig == k->contig && at < k->n_pos && k->pos[at] == k->one.row[i].pos)
			frows_copy(&k->rows, &k->one, i);
	}
	return e->code;
}

/* Lines in n inflated bytes; what does not end is kept for the next call. */
static int
take_bytes(struct freq_cursor *k, const char *p, size_t n, struct err *e)
{
	const char *end = p + n;

	while (p < end && !e->code) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		if (!nl || k->line.n) {
			str_addn(&k->line, p, (size_t)((nl ? nl : end) - p));
			if (nl) {
				take_line(k, k->line.s, k->line.n, e);
				k->line.n = 0;
			}
		} else {
			take_line(k, p, (size_t)(nl - p), e);
		}
		p = nl ? nl + 1 : end;
	}
	return e->code;
}

/* Records between two virtual offsets. */
static int
read_span(struct freq_cursor *k, uint64_t beg, uint64_t end, struct err *e)
{
	int64_t at = (int64_t)(beg >> 16), last = (int64_t)(end >> 16);
	size_t skip = beg & 0xffff, lo = 0, have = 0;

	k->line.n = 0;
	while (!e->code && (at < last || (at == last && (end & 0xffff)))) {
		int size = bgzf_size(k->raw + lo, have - lo), n;
		int64_t got;

		if (size == 0 || (size > 0 && (size_t)size > have - lo)) {
			got = file_pread(k->s->fd, k->raw, READ, at, e);
			if (e->code)
				return e->code;
			lo = 0;
			have = (size_t)got;
			size = bgzf_size(k->raw, have);
			if (size <= 0 || (size_t)size > have)
				return err_set(e, size < 0 ? ERR_DATA : ERR_CUT, "%s: %s", k->s->path,
				    size < 0 ? "damaged, or not the file that its index is of" : "it ends before its index says");
		}
		n = size > 0 ? bgzf_raw_size(k->raw + lo, (size_t)size) : -1;
		if (n < 0 || bgzf_inflate(k->raw + lo, (size_t)size, k->text, e))
			return err_set(e, ERR_DATA, "%s: damaged: a BGZF block that cannot be inflated", k->s->path);
		if (at == last && (end & 0xffff) < (uint64_t)n)
			n = (int)(end & 0xffff);
		if ((size_t)n > skip)
			take_bytes(k, (const char *)k->text + skip, (size_t)n - skip, e);
		skip = 0;
		lo += (size_t)size;
		at += size;
	}
	if (k->line.n && !e->code)
		take_line(k, k->line.s, k->line.n, e);
	return e->code;
}

static void
sort_spans(struct hts_span *s, int64_t *n)
{
	int64_t m = 0;

	for (int64_t i = 1; i < *n; i++) {
		struct hts_span x = s[i];
		int64_t k = i;

		for (; k > 0 && s[k - 1].beg > x.beg; k--)
			s[k] = s[k - 1];
		s[k] = x;
	}
	for (int64_t i = 0; i < *n; i++) {
		if (m && s[i].beg <= s[m - 1].end)
			s[m - 1].end = s[i].end > s[m - 1].end ? s[i].end : s[m - 1].end;
		else
			s[m++] = s[i];
	}
	*n = m;
}

/* Rows in order; they nearly are. */
static void
sort_rows(struct freq_cursor *k)
{
	if (k->cap_order < k->rows.n) {
		k->cap_order = 2 * k->rows.n;
		k->order = mem_renew(k->order, int64_t, k->cap_order);
	}
	for (int64_t i = 0; i < k->rows.n; i++) {
		int64_t j = i;

		for (; j > 0 && frows_order(&k->rows, k->order[j - 1], &k->rows, i) > 0; j--)
			k->order[j] = k->order[j - 1];
		k->order[j] = i;
	}
}

static int
by_position(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int
ahead(struct freq_cursor *k, int contig, const int64_t *pos, int64_t n, struct err *e)
{
	struct hts_span *span = NULL;
	int64_t n_span = 0, m = 0;

	if (k->cap_pos < n) {
		k->cap_pos = 2 * n;
		k->pos = mem_renew(k->pos, int64_t, k->cap_pos);
	}
	memcpy(k->pos, pos, (size_t)n * sizeof *pos);
	qsort(k->pos, (size_t)n, sizeof *pos, by_position);
	for (int64_t i = 0; i < n; i++)
		if (m == 0 || k->pos[i] != k->pos[m - 1])
			k->pos[m++] = k->pos[i];
	k->n_pos = m;
	k->contig = contig;
	frows_reset(&k->rows);
	for (int64_t i = 0, from = 0; i < m; i++) {
		if (i + 1 < m && k->pos[i + 1] - k->pos[i] <= GAP)
			continue;
		if (k->pos[i] > 0)
			hts_lookup_add(k->s->index, k->s->name[contig], k->pos[from] > 0 ? k->pos[from] - 1 : 0, k->pos[i], &span, &n_span);
		from = i + 1;
	}
	sort_spans(span, &n_span);
	for (int64_t i = 0; i < n_span && !e->code; i++)
		read_span(k, span[i].beg, span[i].end, e);
	mem_free(span);
	sort_rows(k);
	return e->code;
}

/* --- answers ------------------------------------------------------------------ */

/* The first row at a position, as a place in order; what is not held is fetched. */
static int64_t
seek(struct freq_cursor *k, int contig, int64_t pos, struct err *e)
{
	int64_t i = first_at(k, pos), lo = 0, hi;

	if (contig != k->contig || i == k->n_pos || k->pos[i] != pos)
		ahead(k, contig, &pos, 1, e);
	hi = e->code ? 0 : k->rows.n;
	while (lo < hi) {
		int64_t m = (lo + hi) / 2;

		if (k->rows.row[k->order[m]].pos < pos)
			lo = m + 1;
		else
			hi = m;
	}
	return lo;
}

static enum freq_status
find(struct freq_cursor *k, int contig, int64_t pos, const char *ref, uint32_t n_ref, const char *alt, uint32_t n_alt,
    struct freq_hit *hit, struct err *e)
{
	int64_t i = seek(k, contig, pos, e), first = i;

	for (; !e->code && i < k->rows.n && k->rows.row[k->order[i]].pos == pos; i++) {
		const struct frow *r = &k->rows.row[k->order[i]];

		if (r->n_ref == n_ref && r->n_alt == n_alt && !memcmp(frows_ref(&k->rows, k->order[i]), ref, n_ref) &&
		    !memcmp(frows_alt(&k->rows, k->order[i]), alt, n_alt)) {
			hit->row = k->order[i];
			return FREQ_FOUND;
		}
	}
	return i > first ? FREQ_SITE_ONLY : FREQ_ABSENT;
}

static fval
value(struct freq_cursor *k, const struct freq_hit *hit, int col, struct err *e)
{
	(void)e;
	return k->rows.val[hit->row * k->rows.n_col + col];
}

static const char *
text(struct freq_cursor *k, int col, fval v, size_t *n, struct err *e)
{
	(void)col;
	(void)e;
	return frows_get(&k->rows, v, n);
}

static void
at(struct freq_cursor *k, int contig, int64_t pos, freq_at_fn *fn, void *ctx, struct err *e)
{
	int64_t i = seek(k, contig, pos, e), before = -1;

	for (; !e->code && i < k->rows.n && k->rows.row[k->order[i]].pos == pos; i++) {
		int64_t r = k->order[i];

		if (before < 0 || frows_order(&k->rows, before, &k->rows, r))
			fn(ctx, frows_ref(&k->rows, r), k->rows.row[r].n_ref, frows_alt(&k->rows, r), k->rows.row[r].n_alt);
		before = r;
	}
}

struct freq *
freq_sites_open(const char *path, const char *fields, int pops, const struct strs *over, struct err *e)
{
	struct fsites *s = mem_new(struct fsites, 1);
	struct source in = { .fd = -1 };

	s->fd = -1;
	s->path = mem_strdup(path);
	s->f = (struct freq){ .cols = &s->cols, .cursor = cursor, .cursor_free = cursor_free, .find = find, .value = value, .text = text, .at = at,
		.close = close_sites, .ahead = ahead };
	if (!source_open(&in, path, e)) {
		if (in.kind != SOURCE_BGZF || in.bcf || in.size < 0)
			err_set(e, ERR_DATA, "%s: --sites needs a bgzip VCF with its index; make them with bgzip and tabix -p vcf", path);
		else if (!(s->index = hts_lookup(path, 0, NULL)))
			err_set(e, ERR_DATA, "%s: there is no index beside it, or one that is older; make it with tabix -p vcf", path);
		else
			sites_head_read(&s->head, in.header.s, in.header.n, e);
	}
	source_close(&in);
	if (!e->code)
		sites_columns(&s->head, fields, pops, over, &s->cols, e);
	if (!e->code)
		s->fd = file_open(path, e);
	if (e->code) {
		close_sites(&s->f);
		return NULL;
	}
	list_contigs(s);
	s->f.release = s->head.release;
	return &s->f;
}
