/* str - see str.h */
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "base/rng.h"

void
str_addn(struct str *t, const void *s, size_t n)
{
	if (t->n + n + 1 > t->cap) {
		t->cap = (t->n + n + 1) * 3 / 2 + 32;
		t->s = mem_renew(t->s, char, t->cap);
	}
	if (n)
		memcpy(t->s + t->n, s, n);
	t->n += n;
	t->s[t->n] = 0;
}

void
str_add(struct str *t, const char *s)
{
	str_addn(t, s, strlen(s));
}

void
str_addf(struct str *t, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n >= 0) {
		char *p = mem_new(char, n + 1);

		vsnprintf(p, (size_t)n + 1, fmt, again);
		str_addn(t, p, (size_t)n);
		mem_free(p);
	}
	va_end(again);
}

void
str_add_cell(struct str *t, const char *s)
{
	static const char odd[] = "\t\n\r\\", letter[] = "tnr\\";

	for (;;) {
		size_t n = strcspn(s, odd);

		str_addn(t, s, n);
		if (!s[n])
			return;
		str_addf(t, "\\%c", letter[strchr(odd, s[n]) - odd]);
		s += n + 1;
	}
}

void
str_clear(struct str *t)
{
	mem_free(t->s);
	memset(t, 0, sizeof *t);
}

const char *
strs_get(const struct strs *l, int64_t i)
{
	return l->buf.s + l->at[i];
}

size_t
strs_len(const struct strs *l, int64_t i)
{
	return (size_t)(l->at[i + 1] - l->at[i] - 1);
}

void
strs_add(struct strs *l, const char *s, size_t n)
{
	if (l->n + 1 >= l->cap) {
		l->cap = l->cap ? l->cap * 2 : 16;
		l->at = mem_renew(l->at, int64_t, l->cap + 1);
		l->at[0] = 0;
	}
	str_addn(&l->buf, s, n);
	l->buf.n++;                     /* the NUL stays */
	if (l->buf.n + 1 > l->buf.cap)
		str_addn(&l->buf, "", 0);
	l->at[++l->n] = (int64_t)l->buf.n;
}

void
strs_room(struct strs *l, int64_t n, size_t bytes)
{
	bytes += (size_t)n + 1;
	if (n < l->n || bytes < l->buf.n + 1)
		return;
	l->cap = n + 1;
	l->at = mem_renew(l->at, int64_t, l->cap + 1);
	l->at[0] = 0;
	l->buf.cap = bytes;
	l->buf.s = mem_renew(l->buf.s, char, l->buf.cap);
}

void
strs_add_new(struct strs *l, const char *s, size_t n)
{
	for (int64_t i = 0; i < l->n; i++)
		if (strs_len(l, i) == n && memcmp(strs_get(l, i), s, n) == 0)
			return;
	strs_add(l, s, n);
}

void
strs_clear(struct strs *l)
{
	mem_free(l->at);
	str_clear(&l->buf);
	memset(l, 0, sizeof *l);
}

/* Slot of s, or the free one where it belongs. */
static int64_t
slot(const struct map *m, const char *s)
{
	uint64_t h = rng_hash(s, strlen(s), 0);
	int64_t i = (int64_t)(h & (uint64_t)(m->cap - 1));

	while (m->key[i] && strcmp(m->key[i], s))
		i = (i + 1) & (m->cap - 1);
	return i;
}

int64_t
map_get(const struct map *m, const char *s)
{
	int64_t i;

	if (m->n == 0)
		return -1;
	i = slot(m, s);
	return m->key[i] ? m->val[i] : -1;
}

static void
grow(struct map *m)
{
	struct map b = {0};

	b.cap = m->cap ? m->cap * 2 : 64;
	b.key = mem_new(const char *, b.cap);
	b.val = mem_new(int64_t, b.cap);
	b.n = m->n;
	for (int64_t i = 0; i < m->cap; i++)
		if (m->key[i]) {
			int64_t j = slot(&b, m->key[i]);

			b.key[j] = m->key[i];
			b.val[j] = m->val[i];
		}
	map_clear(m);
	*m = b;
}

int64_t
map_put(struct map *m, const char *s, int64_t v)
{
	int64_t i, old;

	if (2 * (m->n + 1) > m->cap)
		grow(m);
	i = slot(m, s);
	old = m->key[i] ? m->val[i] : -1;
	if (!m->key[i]) {
		m->key[i] = s;
		m->n++;
	}
	m->val[i] = v;
	return old;
}

void
map_clear(struct map *m)
{
	mem_free(m->key);
	mem_free(m->val);
	memset(m, 0, sizeof *m);
}

int64_t
map_of(struct map *m, const struct strs *l)
{
	int64_t twice = -1;

	for (int64_t i = 0; i < l->n; i++) {
		const char *s = strs_get(l, i);

		if (map_get(m, s) < 0)
			map_put(m, s, i);
		else if (twice < 0)
			twice = i;
	}
	return twice;
}

/* Edits from a to b, at most cut (Levenshtein over one row). */
static int
edits(const char *a, const char *b, int cut)
{
	int row[64], n = (int)strlen(b);

	if (n > 63 || strlen(a) > 63)
		return cut;
	for (int j = 0; j <= n; j++)
		row[j] = j;
	for (int i = 1; a[i - 1]; i++) {
		int diag = row[0];

		row[0] = i;
		for (int j = 1; j <= n; j++) {
			int up = row[j], best = diag + (a[i - 1] != b[j - 1]);

			best = up + 1 < best ? up + 1 : best;
			best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			diag = up;
			row[j] = best;
		}
	}
	return row[n] < cut ? row[n] : cut;
}

const char *
str_nearest(const char *s, const struct strs *list)
{
	int cut = (int)strlen(s) / 3 + 2, best = cut;
	const char *near = NULL;

	for (int64_t i = 0; i < list->n; i++) {
		int d = edits(s, strs_get(list, i), cut);

		if (d < best) {
			best = d;
			near = strs_get(list, i);
		}
	}
	return near;
}
