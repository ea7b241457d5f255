/* sites_keys - the fields of INFO: which key each has, and where values of columns stand
 *
 * Nearly all of a line is INFO, and nearly all of that is not asked for.  Delimiters are found 64 bytes
 * at a time; fields are expected in the order of a line before, so that one costs a comparison of 16 bytes, and to leave some out is no
 * surprise.  Where another key stands, it is predicted from what came behind the one before it in the last lines (a key remembers two);
 * only where that fails, too, a key is looked up by its hash.
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
	k->link = -1;
	k->how = col >= 0 ? SITES_NOTE : SITES_PASS;
	k->bare = n > 0 && s[n - 1] != '=';
	/* key[0] is no field's: none begins with line ends. */
	memset(k->word, '\n', sizeof k->word);
	memcpy(k->word, s, n < KEY_WORD ? n : KEY_WORD);
	k->mask = n == 0 || n > 15 ? 0xffff : ((uint32_t)1 << n) - 1;
	if (k->bare || n > 16)
		k->mask |= KEY_MORE;
	r->text = mem_strndup(s, n);
	r->hash = h;
	if (at)
		put_slot(p, at);
	return at;
}

#ifdef __SSE2__
/* Bits of the first 16 bytes that differ. */
static inline uint32_t
differ(const char *s, const char *word)
{
	__m128i a = _mm_loadu_si128((const __m128i *)(const void *)s), b = _mm_loadu_si128((const __m128i *)(const void *)word);

	return ~(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(a, b));
}
#else
static inline uint32_t
differ(const char *s, const char *word)
{
	uint32_t m = KEY_MORE;

	for (int i = 0; i < 16; i++)
		m |= (uint32_t)(s[i] != word[i]) << i;
	return m;
}
#endif

/* Whether the field [s, end) has this key, whose number is at. */
static inline int
is_key(const struct sites_parser *p, const struct sites_key *k, int at, const char *s, const char *end)
{
	uint32_t bad = differ(s, k->word) & k->mask;

	if (__builtin_expect(bad == 0, 1))
		return 1;
	/* No delimiter is part of a key, so what agrees lies in the field; a bare key must be all of it. */
	if (bad != KEY_MORE || (k->bare && end - s != (ptrdiff_t)k->n))
		return 0;
	if (k->n <= 16)
		return 1;
	if (differ(s + 16, k->word + 16) & (k->n < KEY_WORD ? ((uint32_t)1 << (k->n - 16)) - 1 : 0xffff))
		return 0;
	return k->n <= KEY_WORD || (end - s >= (ptrdiff_t)k->n && memcmp(s + KEY_WORD, p->rest[at].text + KEY_WORD, k->n - KEY_WORD) == 0);
}

/* --- what is expected ---------------------------------------------------------- */

/* The key of a field that did not come behind `before` in the last records; what came before learns it. */
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

/* The key of a field behind that of key `before`; 0 = none. */
static int
key_of(struct sites_parser *p, int before, const char *s, const char *end)
{
	for (int i = 0; i < 2; i++) {
		int at = p->key[before].next[i];

		if (at && is_key(p, &p->key[at], at, s, end))
			return at;
	}
	return learn(p, before, s, end);
}

/* From now on the fields of this INFO are expected in this order. */
static void
expect(struct sites_parser *p, const char *s, const char *end)
{
	int before = 0;

	for (int i = 0; i < p->n_await; i++)
		p->key[p->await[i].link].link = -1;
	p->n_await = 0;
	for (const char *d; s <= end; s = d + 1) {
		int at;

		d = memchr(s, ';', (size_t)(end - s));
		d = d ? d : end;
		at = key_of(p, before, s, d);
		before = at ? at : before;
		if (p->n_await + 2 > p->cap_await) {
			p->cap_await = 2 * p->cap_await + 64;
			p->await = mem_renew(p->await, struct sites_key, p->cap_await);
		}
		if (at == 0 || p->key[at].link >= 0)
			continue;
		p->await[p->n_await] = p->key[at];
		p->await[p->n_await].link = at;
		p->key[at].link = p->n_await++;
	}
	p->await[p->n_await] = p->key[0];
	p->await[p->n_await].link = 0;
}

/* --- fields ------------------------------------------------------------------ */

/* Semicolons of the 64 bytes from base on as bits, and the end as if it were one. */
static inline uint64_t
delimiters(const char *base, const char *end)
{
	uint64_t m = mask64(base, ';');

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

/* A number read at once; 0: it is no usual one. */
static inline int
read_number(const struct sites_key *k, const char *s, const char *end, fval *val)
{
	size_t n = (size_t)(end - s);
	fval v = k->how == SITES_INT ? fval_line_int(s, n) : fval_line_float(s, n);

	if (__builtin_expect(v == FVAL_ODD, 0))
		return n == 0 || (n == 1 && *s == '.');
	val[k->col] = v;
	return 1;
}

int
sites_read_info(struct sites_parser *p, const struct sites_record *r, fval *val)
{
	const char *base = r->info, *s = base, *d, *end = memchr(s, '\t', (size_t)(r->end - s));
	const struct sites_key *next, *k;
	int before = 0, good = 1;       /* before: the key of the field before, -1 = the one before next */
	uint64_t m;

	end = end ? end : r->end;
	if (p->misses > p->patience) {
		expect(p, s, end);
		p->misses = 0;
		p->patience = 2 * p->patience + 1;
	}
	next = p->await;
	m = delimiters(base, end);
	do {
		while (!m) {
			base += 64;
			m = delimiters(base, end);
		}
		d = base + __builtin_ctzll(m);
		m &= m - 1;
		k = next;
		if (__builtin_expect(!is_key(p, k, k->link, s, d), 0)) {
			int at = key_of(p, before < 0 ? next[-1].link : before, s, d), link = p->key[at].link;

			p->misses++;
			k = link >= next - p->await ? &p->await[link] : &p->key[at];
			if (k == &p->key[at]) {
				/* Not where it is expected, and so perhaps there before. */
				before = at ? at : before < 0 ? next[-1].link : before;
				if (k->how) {
					p->misses += p->n_await / 4;
					note(p, k->col, s + k->n, d);
					good = 0;
				}
				s = d + 1;
				continue;
			}
		}
		next = k + 1;
		before = -1;
		if (k->how > SITES_NOTE && val)
			good &= read_number(k, s + k->n, d, val);
		else if (k->how)
			note(p, k->col, s + k->n, d);
		s = d + 1;
	} while (d != end);
	/* A few fields more or less are nothing. */
	p->misses -= p->n_await / 16 < p->misses ? p->n_await / 16 : p->misses;
	return good;
}
