/* sites_keys - the fields of INFO: which key each has, and where values of columns stand
 *
 * Nearly all of a line is INFO, and nearly all of that is not asked for.  Delimiters are found 64 bytes
 * at a time; which key comes next is predicted from the record before (a key remembers the two that last followed it), so that
 * a field costs a comparison of two words.  Only where that fails a key is looked up by its hash.
 */
#include <string.h>
#include "base/mem.h"
#include "var/sites_impl.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

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
	k->bare = n > 0 && s[n - 1] != '=';
	memcpy(k->word, s, n < 16 ? n : 16);
	/* key[0] is no field's. */
	memset(k->mask, 0xff, n == 0 || n > 16 ? 16 : n);
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

/* Whether the field [s, end) has this key. */
static inline int
is_key(const struct sites_parser *p, int at, const char *s, const char *end)
{
	const struct sites_key *k = &p->key[at];
	uint64_t a, b;

	memcpy(&a, s, 8);
	memcpy(&b, s + 8, 8);
	if (((a ^ k->word[0]) & k->mask[0]) | ((b ^ k->word[1]) & k->mask[1]))
		return 0;
	/* No delimiter is part of a key, so what agrees lies in the field; a bare key must be all of it. */
	if (k->bare && end - s != (ptrdiff_t)k->n)
		return 0;
	return k->n <= 16 ? at > 0 : rest_is_key(&p->rest[at], k->n, s, end);
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

/* --- delimiters --------------------------------------------------------------- */

#ifdef __SSE2__
static inline uint64_t
delimiters16(const char *p)
{
	__m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i y = _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8(';')), _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8('\r')), x));

	return (uint32_t)_mm_movemask_epi8(y);
}
#endif

/* Bit i: p[i] is ; or one of the characters up to \r (tab and line end among them). */
static inline uint64_t
delimiters(const char *p)
{
#ifdef __SSE2__
	return delimiters16(p) | delimiters16(p + 16) << 16 | delimiters16(p + 32) << 32 | delimiters16(p + 48) << 48;
#else
	uint64_t m = 0;

	for (int i = 0; i < 64; i++)
		m |= (uint64_t)(p[i] == ';' || (uint8_t)p[i] <= '\r') << i;
	return m;
#endif
}

void
sites_read_info(struct sites_parser *p, const struct sites_record *r)
{
	const char *base = r->info, *s = base, *d;
	uint64_t m = delimiters(base);
	int before = 0;

	for (;;) {
		int k, c;

		while (!m) {
			base += 64;
			m = delimiters(base);
		}
		d = base + __builtin_ctzll(m);
		m &= m - 1;
		if (*d != ';' && *d != '\t' && *d != '\n' && d != r->end)
			continue;
		k = p->key[before].next[0];
		if (__builtin_expect(!is_key(p, k, s, d), 0)) {
			k = p->key[before].next[1];
			if (!is_key(p, k, s, d))
				k = learn(p, before, s, d);
		}
		if (k) {
			before = k;
			/* The first of equal keys counts. */
			for (c = p->key[k].col; c >= 0 && p->span[c].stamp != p->stamp; c = p->same[c]) {
				p->span[c].s = s + p->key[k].n;
				p->span[c].n = (uint32_t)(d - s) - p->key[k].n;
				p->span[c].stamp = p->stamp;
			}
		}
		if (*d != ';')
			return;
		s = d + 1;
	}
}
