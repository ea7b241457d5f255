/* region - see region.h */
#include "var/region.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "os/text.h"

static int64_t
name_number(struct region *r, const char *s, size_t n)
{
	int64_t i;

	/* A list: the names move as it grows, so that the map is made at the end. */
	for (i = 0; i < r->names.n; i++)
		if (strs_len(&r->names, i) == n && memcmp(strs_get(&r->names, i), s, n) == 0)
			return i;
	strs_add(&r->names, s, n);
	return r->names.n - 1;
}

static void
add(struct region *r, const char *name, size_t n, int64_t beg, int64_t end)
{
	if (r->n == r->cap) {
		r->cap = 2 * r->cap + 16;
		r->span = mem_renew(r->span, struct region_span, r->cap);
	}
	r->span[r->n].contig = name_number(r, name, n);
	r->span[r->n].beg = beg;
	r->span[r->n++].end = end;
}

/* A number with optional commas that fills s up to the byte stop; -1 when it is none. */
static int64_t
number(const char *s, const char *stop)
{
	int64_t v = 0;

	if (s == stop)
		return -1;
	for (; s < stop; s++) {
		if (*s < '0' || *s > '9' || v > (int64_t)1 << 58)
			return -1;
		v = 10 * v + (*s - '0');
	}
	return v;
}

/* What stands behind the last colon, if that is a range: else the whole is a name. */
static int
add_one(struct region *r, const char *s, size_t n, struct err *e)
{
	const char *end = s + n, *colon = end, *dash;
	int64_t beg = -1, to = INT64_MAX;

	while (colon > s && colon[-1] != ':')
		colon--;
	if (colon > s) {
		dash = memchr(colon, '-', (size_t)(end - colon));
		beg = number(colon, dash ? dash : end);
		to = !dash ? beg : dash + 1 == end ? INT64_MAX : number(dash + 1, end);
	}
	if (beg >= 0 && to >= 0) {
		if (to < beg)
			return err_set(e, ERR_USAGE, "region '%.*s': ends before it begins", (int)n, s);
		add(r, s, (size_t)(colon - 1 - s), beg, to);
	} else if (n) {
		add(r, s, n, 0, INT64_MAX);
	} else {
		return err_set(e, ERR_USAGE, "an empty region; write CONTIG, CONTIG:POS or CONTIG:FROM-TO");
	}
	return 0;
}

int
region_add(struct region *r, const char *list, struct err *e)
{
	if (*list == '^') {
		r->inverse = 1;
		list++;
	}
	while (!e->code) {
		size_t n = strcspn(list, ",");

		add_one(r, list, n, e);
		if (!list[n])
			break;
		list += n + 1;
	}
	return e->code;
}

int
region_add_file(struct region *r, const char *path, struct err *e)
{
	struct text t;
	size_t n;
	int bed;

	if (*path == '^') {
		r->inverse = 1;
		path++;
	}
	n = strlen(path);
	bed = (n > 4 && !strcmp(path + n - 4, ".bed")) || (n > 7 && !strcmp(path + n - 7, ".bed.gz"));
	if (text_open(&t, path, e))
		return e->code;
	while (text_line(&t, e)) {
		char *f[3];
		int k;
		int64_t a, b;

		if (!t.len || t.line[0] == '#' || !strncmp(t.line, "track", 5) || !strncmp(t.line, "browser", 7))
			continue;
		k = text_split(t.line, '\t', 0, f, 3);
		a = k > 1 ? number(f[1], f[1] + strlen(f[1])) : -1;
		b = k > 2 ? number(f[2], f[2] + strlen(f[2])) : a;
		if (a < 0 || b < 0 || (bed && k < 3)) {
			err_set(e, ERR_DATA, "%s: line %lld is no region; write CONTIG, a tab, POS or FROM tab TO", path, (long long)t.n_line);
			break;
		}
		add(r, f[0], strlen(f[0]), bed ? a + 1 : a, b);
	}
	text_close(&t);
	return e->code;
}

static int
by_place(const void *x, const void *y)
{
	const struct region_span *a = x, *b = y;

	if (a->contig != b->contig)
		return a->contig < b->contig ? -1 : 1;
	return a->beg < b->beg ? -1 : a->beg > b->beg;
}

void
region_done(struct region *r)
{
	int64_t m = 0, c = 0;

	if (r->n)
		qsort(r->span, (size_t)r->n, sizeof *r->span, by_place);
	for (int64_t i = 0; i < r->n; i++) {
		struct region_span *last = m ? &r->span[m - 1] : NULL;

		if (last && last->contig == r->span[i].contig && r->span[i].beg <= last->end) {
			if (r->span[i].end > last->end)
				last->end = r->span[i].end;
		} else {
			r->span[m++] = r->span[i];
		}
	}
	r->n = m;
	r->first = mem_renew(r->first, int64_t, r->names.n + 1);
	for (int64_t i = 0; i <= r->names.n; i++) {
		while (c < r->n && r->span[c].contig < i)
			c++;
		r->first[i] = c;
	}
	map_clear(&r->by_name);
	map_of(&r->by_name, &r->names);
}

void
region_clear(struct region *r)
{
	strs_clear(&r->names);
	map_clear(&r->by_name);
	mem_free(r->span);
	mem_free(r->first);
	memset(r, 0, sizeof *r);
}

int64_t
region_contig(const struct region *r, const char *name, size_t n)
{
	for (int64_t i = 0; i < r->names.n; i++)
		if (strs_len(&r->names, i) == n && memcmp(strs_get(&r->names, i), name, n) == 0)
			return i;
	return -1;
}

int
region_has(const struct region *r, int64_t contig, int64_t pos)
{
	int64_t lo, hi;

	if (contig < 0)
		return r->inverse;
	/* The last span that begins at or before pos. */
	lo = r->first[contig];
	hi = r->first[contig + 1];
	while (lo < hi) {
		int64_t mid = (lo + hi) / 2;

		if (r->span[mid].beg <= pos)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (lo > r->first[contig] && pos <= r->span[lo - 1].end) != r->inverse;
}
