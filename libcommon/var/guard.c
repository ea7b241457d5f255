/* guard - see guard.h */
#include "var/guard.h"

#include <string.h>
#include "base/mem.h"

void
guard_clear(struct guard *g)
{
	g->text.n = 0;
	g->n = g->first = 0;
}

void
guard_free(struct guard *g)
{
	str_clear(&g->text);
	mem_free(g->rec);
	memset(g, 0, sizeof *g);
}

/* Throws away what is out of reach once that is most of it. */
static void
tidy(struct guard *g)
{
	size_t from;

	if (g->first < 64 || g->first < g->n / 2)
		return;
	from = g->first < g->n ? g->rec[g->first].at : g->text.n;
	memmove(g->text.s, g->text.s + from, g->text.n - from);
	g->text.n -= from;
	memmove(g->rec, g->rec + g->first, (size_t)(g->n - g->first) * sizeof *g->rec);
	g->n -= g->first;
	g->first = 0;
	for (int64_t i = 0; i < g->n; i++)
		g->rec[i].at -= from;
}

void
guard_add(struct guard *g, int64_t beg, int64_t end, const uint8_t *line, size_t n)
{
	while (g->first < g->n && g->rec[g->first].end < beg - g->reach)
		g->first++;
	tidy(g);
	if (g->n == g->cap) {
		g->cap = 2 * g->cap + 64;
		g->rec = mem_renew(g->rec, struct guard_rec, g->cap);
	}
	g->rec[g->n++] = (struct guard_rec){ beg, end, g->text.n, n };
	str_addn(&g->text, line, n);
}

/* The sample columns of a line: behind FORMAT; NULL when it has none or no GT in front. */
static const uint8_t *
samples(const uint8_t *p, const uint8_t *end)
{
	for (int tab = 0; tab < 8; tab++) {
		p = memchr(p, '\t', (size_t)(end - p));
		if (!p)
			return NULL;
		p++;
	}
	if (end - p < 2 || memcmp(p, "GT", 2) || (end - p > 2 && p[2] != ':' && p[2] != '\t'))
		return NULL;
	p = memchr(p, '\t', (size_t)(end - p));
	return p ? p + 1 : NULL;
}

/* Reads a GT: haplotypes that carry an ALT (alt, 0 = any) as bits; *phased: whether the bits mean copies. */
static uint32_t
carriers(const uint8_t *p, const uint8_t *end, int alt, int *phased)
{
	uint32_t bits = 0, all = 0;
	int h = 0;

	*phased = 1;
	while (p < end && *p != ':' && *p != '\t' && *p != '\r') {
		int v = 0, known = 0;

		for (; p < end && *p >= '0' && *p <= '9'; p++, known = 1)
			v = v < 100000 ? 10 * v + (*p - '0') : v;
		if (!known && p < end && *p == '.')
			p++;
		if (known && v > 0 && (alt == 0 || v == alt) && h < 32)
			bits |= 1u << h;
		if (h < 32)
			all |= 1u << h;
		h++;
		if (p < end && (*p == '/' || *p == '|'))
			*phased &= *p++ == '|';
		else
			break;
	}
	/* On every copy: that is known without phase. */
	if (bits == all)
		*phased = 1;
	return bits;
}

static int
may_share_copy(const uint8_t *a, size_t n_a, const uint8_t *b, size_t n_b, int alt)
{
	const uint8_t *end_a = a + n_a, *end_b = b + n_b;

	a = samples(a, end_a);
	b = samples(b, end_b);
	if (!a || !b)
		return 1;
	while (a && b && a < end_a && b < end_b) {
		int pa, pb;
		uint32_t x = carriers(a, end_a, alt, &pa), y = carriers(b, end_b, 0, &pb);

		if (x && y && (!pa || !pb || (x & y)))
			return 1;
		a = memchr(a, '\t', (size_t)(end_a - a));
		b = memchr(b, '\t', (size_t)(end_b - b));
		a = a ? a + 1 : NULL;
		b = b ? b + 1 : NULL;
	}
	return 0;
}

int64_t
guard_bound(const struct guard *g, int64_t pos, int64_t to, const uint8_t *line, size_t n, int alt)
{
	int64_t bound = to;

	for (int64_t i = g->n; i-- > g->first; ) {
		const struct guard_rec *r = &g->rec[i];

		if (r->end > bound && may_share_copy(line, n, (const uint8_t *)g->text.s + r->at, r->n, alt))
			bound = r->end;
	}
	return bound < pos ? bound : pos;
}
