/* sites_keys - the fields of INFO: which key each has, and where values of columns stand
 *
 * Nearly all of a line is INFO, and nearly all of that is not asked for.  Delimiters are found 64 bytes
 * at a time; which key comes next is predicted from the record before (a key remembers the two that last followed it), so that
 * a field costs one comparison of 16 bytes.  Only where that fails a key is looked up by its hash.
 */
#include <string.h>
#include "base/mem.h"
#include "var/fval_line.h"
#include "var/sites_impl.h"

#define MOST_KEYS 8192                  /* undeclared ones beyond are looked up in vain each time */

static uint64_t
hash(const char *s, size_t n)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)s[i]) * 0x100000001b3u;
	return h ^ h >> 29;
}

static int
find_key(const struct sites_parser *p, const char *s, size_t n, uint64_t h)
{
	for (int i = (int)(h & (uint64_t)(p->n_slot - 1)); p->slot[i]; i = (i + 1) & (p->n_slot - 1)) {
		const struct sites_key_rest *k = &p->rest[p->slot[i]];

		if (k->hash == h && p->key[p->slot[i]].n == n && memcmp(k->text, s, n) == 0)
			return p->slot[i];
	}
	return 0;
}

static void
put_slot(struct sites_parser *p, int k)
{
	int i = (int)(p->rest[k].hash & (uint64_t)(p->n_slot - 1));

	while (p->slot[i])
		i = (i + 1) & (p->n_slot - 1);
	p->slot[i] = k;
}

int
sites_add_key(struct sites_parser *p, const char *s, size_t n, int col)
{
	struct sites_key *k;
	struct sites_key_rest *r;
	uint64_t h = hash(s, n);
	int at = p->n_key ? find_key(p, s, n, h) : 0;

	if (at)
		return at;
	if (p->n_key == p->cap_key) {
		p->cap_key = 2 * p->cap_key + 64;
		p->key = mem_renew(p->key, struct sites_key, p->cap_key);
		p->rest = mem_renew(p->rest, struct sites_key_rest, p->cap_key);
	}
	if (2 * (p->n_key + 1) > p->n_slot) {
		mem_free(p->slot);
		p->n_slot = p->n_slot ? 2 * p->n_slot : 256;
		p->slot = mem_new(int, p->n_slot);
		for (int i = 1; i < p->n_key; i++)
			put_slot(p, i);
	}
	at = p->n_key++;
	k = &p->key[at];
	r = &p->rest[at];
	memset(k, 0, sizeof *k);
	memset(r, 0, sizeof *r);
	k->n = (uint32_t)n;
	k->col = col;
	r->bare = n > 0 && s[n - 1] != '=';
	k->more = r->bare || n > 16;
	/* key[0] is no field's: none begins with line ends. */
	memset(k->word, '\n', sizeof k->word);
	memcpy(k->word, s, n < 16 ? n : 16);
	k->mask = n == 0 || n > 15 ? 0xffff : ((uint32_t)1 << n) - 1;
	r->text = mem_strndup(s, n);
	r->hash = h;
	if (n <= FAST_KEY) {
		memcpy(r->word, s, n);
		memset(&r->last_mask, 0xff, n % 8 ? n % 8 : 8);
	}
	if (at)
		put_slot(p, at);
	return at;
}

static int
rest_is_key(const struct sites_key_rest *k, uint32_t n, const char *s, const char *end)
{
	uint32_t i;
	uint64_t w;

	if (n > FAST_KEY)
		return (size_t)(end - s) >= n && memcmp(s, k->text, n) == 0;
	for (i = 2, n -= 16; n > 8; i++, n -= 8) {
		memcpy(&w, s + 8 * i, 8);
		if (w != k->word[i])
			return 0;
	}
	memcpy(&w, s + 8 * i, 8);
	return ((w ^ k->word[i]) & k->last_mask) == 0;
}

/* The rest of is_key. */
static int
more_is_key(const struct sites_key *k, const struct sites_key_rest *rest, const char *s, const char *end)
{
	/* No delimiter is part of a key, so what agrees lies in the field; a bare key must be all of it. */
	if (rest->bare && end - s != (ptrdiff_t)k->n)
		return 0;
	return k->n <= 16 || rest_is_key(rest, k->n, s, end);
}

/* Whether the field [s, end) has this key. */
static inline int
is_key(const struct sites_parser *p, int at, const char *s, const char *end)
{
	const struct sites_key *k = &p->key[at];
#ifdef __SSE2__
	__m128i a = _mm_loadu_si128((const __m128i *)(const void *)s), b = _mm_loadu_si128((const __m128i *)(const void *)k->word);

	if (~(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(a, b)) & k->mask)
		return 0;
#else
	if (memcmp(s, k->word, k->n == 0 || k->n > 16 ? 16 : k->n))
		return 0;
#endif
	return !k->more || more_is_key(k, &p->rest[at], s, end);
}

/* The key of a field that was not predicted; what came before learns it. */
static int
learn(struct sites_parser *p, int before, const char *s, const char *end)
{
	const char *eq = memchr(s, '=', (size_t)(end - s));
	size_t n = eq ? (size_t)(eq + 1 - s) : (size_t)(end - s);
	int k = n ? find_key(p, s, n, hash(s, n)) : 0;

	if (k == 0 && n > 0 && p->n_key < MOST_KEYS)
		k = sites_add_key(p, s, n, -1);
	if (k) {
		p->key[before].next[1] = p->key[before].next[0];
		p->key[before].next[0] = k;
	}
	return k;
}

/* --- fields ------------------------------------------------------------------ */

/* Semicolons of the 64 bytes from base on as bits, and the end as if it were one. */
static inline uint64_t
delimiters(const char *base, const char *end)
{
	uint64_t m = sites_equal64(base, ';');

	return end - base < 64 ? (m & (((uint64_t)1 << (end - base)) - 1)) | (uint64_t)1 << (end - base) : m;
}

/* A value of a column and of others that have the same tag. */
static void
note(struct sites_parser *p, int c, const char *s, const char *end)
{
	/* The first of equal keys counts. */
	for (; c >= 0 && p->span[c].stamp != p->stamp; c = p->same[c]) {
		p->span[c].s = s;
		p->span[c].n = (uint32_t)(end - s);
		p->span[c].stamp = p->stamp;
	}
}

/* A number of a column alone of its tag, read at once; 0: it is no usual one. */
static inline int
read_number(struct sites_parser *p, const struct sites_key *k, const char *s, const char *end, fval *val)
{
	struct sites_span *w = &p->span[k->col];
	size_t n = (size_t)(end - s);
	fval v;

	if (w->stamp == p->stamp)
		return 1;
	w->s = s;
	w->n = (uint32_t)n;
	w->stamp = p->stamp;
	v = k->how == SITES_INT ? fval_line_int(s, n) : fval_line_float(s, n);
	if (v != FVAL_ODD)
		val[k->col] = v;
	else if (n && (n > 1 || *s != '.'))
		return 0;
	return 1;
}

int
sites_read_info(struct sites_parser *p, const struct sites_record *r, int at_once, fval *val)
{
	const char *base = r->info, *s = base, *d, *end = memchr(s, '\t', (size_t)(r->end - s));
	int before = 0, good = 1;
	uint64_t m;

	end = end ? end : r->end;
	m = delimiters(base, end);
	do {
		const struct sites_key *k;
		int at;

		while (!m) {
			base += 64;
			m = delimiters(base, end);
		}
		d = base + __builtin_ctzll(m);
		m &= m - 1;
		at = p->key[before].next[0];
		if (__builtin_expect(!is_key(p, at, s, d), 0)) {
			at = p->key[before].next[1];
			if (!is_key(p, at, s, d))
				at = learn(p, before, s, d);
		}
		before = at ? at : before;
		k = &p->key[at];
		if (k->col >= 0) {
			if (k->how && at_once)
				good &= read_number(p, k, s + k->n, d, val);
			else
				note(p, k->col, s + k->n, d);
		}
		s = d + 1;
	} while (d != end);
	return good;
}
