/* norm - see norm.h */
#include "var/norm.h"

#include <string.h>
#include "base/mem.h"

const char *const norm_names[N_NORM] = {
	"sequence", "snv", "normal", "trimmed", "shifted", "refonly", "star", "nonref", "block", "symbolic", "breakend",
	"non_acgtn", "alt_eq_ref", "no_contig", "oob", "ref_n", "ref_mismatch"
};

/* Bits A 1, C 2, G 4, T 8 of the IUPAC codes; U is T. */
static const uint8_t holds[256] = {
	['A'] = 1, ['C'] = 2, ['G'] = 4, ['T'] = 8, ['U'] = 8, ['R'] = 5, ['Y'] = 10, ['S'] = 6, ['W'] = 9, ['K'] = 12,
	['M'] = 3, ['B'] = 14, ['D'] = 13, ['H'] = 11, ['V'] = 7, ['N'] = 15,
	['a'] = 1, ['c'] = 2, ['g'] = 4, ['t'] = 8, ['u'] = 8, ['r'] = 5, ['y'] = 10, ['s'] = 6, ['w'] = 9, ['k'] = 12,
	['m'] = 3, ['b'] = 14, ['d'] = 13, ['h'] = 11, ['v'] = 7, ['n'] = 15
};

const uint8_t norm_base[256] = {
	['A'] = 'A', ['C'] = 'C', ['G'] = 'G', ['T'] = 'T', ['N'] = 'N',
	['a'] = 'A', ['c'] = 'C', ['g'] = 'G', ['t'] = 'T', ['n'] = 'N'
};

static uint8_t
fold(uint8_t c, int alpha)
{
	/* By holds; in lower case, so that it equals no base while alleles slide. */
	static const char first[17] = "Nacagacatacagacn";
	uint8_t b = norm_base[c];

	if (b)
		return b;
	return alpha && holds[c] ? (uint8_t)first[holds[c]] : 'N';
}

enum norm_class
norm_agree(uint8_t r, uint8_t base)
{
	uint8_t h = holds[base];

	if (r == norm_base[base])
		return NORM_SEQUENCE;
	if (r == 'N' || h == 15 || h == 0)
		return NORM_REF_N;
	return h & holds[r] ? NORM_SEQUENCE : NORM_REF_MISMATCH;
}

void
norm_clear(struct norm *w)
{
	str_clear(&w->text);
	mem_free(w->at);
	mem_free(w->win);
	memset(w, 0, sizeof *w);
}

static int
is_nonref(const struct allele *a)
{
	return (a->n == 9 && memcmp(a->s, "<NON_REF>", 9) == 0) || (a->n == 3 && memcmp(a->s, "<*>", 3) == 0);
}

static int
same(const struct allele *a, const struct allele *b)
{
	if (a->n != b->n)
		return 0;
	for (int64_t i = 0; i < a->n; i++)
		if (norm_base[a->s[i]] != norm_base[b->s[i]])
			return 0;
	return 1;
}

static int
all_bases(const struct allele *a)
{
	for (int64_t i = 0; i < a->n; i++)
		if (!norm_base[a->s[i]])
			return 0;
	return a->n > 0;
}

/* A letter that is none of ACGTN; what has brackets or a dot at an end is more than that. */
static enum norm_class
alt_class(const struct allele *a)
{
	if (a->n == 0)
		return NORM_NON_ACGTN;
	if (is_nonref(a))
		return NORM_NONREF;
	if (a->s[0] == '<')
		return NORM_SYMBOLIC;
	if (a->n == 1 && a->s[0] == '*')
		return NORM_STAR;
	if (a->n > 1 && (a->s[0] == '.' || a->s[a->n - 1] == '.' || memchr(a->s, '[', (size_t)a->n) || memchr(a->s, ']', (size_t)a->n)))
		return NORM_BREAKEND;
	return all_bases(a) ? NORM_SEQUENCE : NORM_NON_ACGTN;
}

enum norm_class
norm_class(const struct allele *a, int n)
{
	enum norm_class worst = NORM_SEQUENCE;

	if (n < 2 || (n == 2 && a[1].n == 1 && a[1].s[0] == '.'))
		return NORM_REFONLY;
	for (int i = 1; i < n; i++) {
		enum norm_class c = alt_class(&a[i]);

		if (c > worst)
			worst = c;
	}
	if (worst != NORM_SEQUENCE)
		return worst;
	if (!all_bases(&a[0]))
		return NORM_NON_ACGTN;
	for (int i = 1; i < n; i++)
		if (same(&a[0], &a[i]))
			return NORM_ALT_EQ_REF;
	return NORM_SEQUENCE;
}

enum norm_class
norm_check(const struct norm_seq *s, int64_t pos, struct allele ref, struct err *e)
{
	enum norm_class worst = NORM_SEQUENCE;
	uint8_t buf[256];

	if (pos < 0 || ref.n < 1 || pos >= s->length || ref.n > s->length - pos)
		return NORM_OOB;
	for (int64_t i = 0; i < ref.n; i += (int64_t)sizeof buf) {
		int64_t n = ref.n - i < (int64_t)sizeof buf ? ref.n - i : (int64_t)sizeof buf;

		if (s->get(s->ctx, pos + i, n, buf, e))
			return NORM_OOB;
		for (int64_t k = 0; k < n; k++) {
			uint8_t r = norm_base[ref.s[i + k]];
			enum norm_class c = r ? norm_agree(r, buf[k]) : NORM_SEQUENCE;

			if (c > worst)
				worst = c;
		}
	}
	return worst;
}

/* --- the reference to the left ----------------------------------------------- */

/* Makes [lo, hi) at least part of the window, lo going down by ever longer steps. */
static int
widen(struct norm *w, const struct norm_seq *s, int64_t p, struct err *e)
{
	int64_t have = w->win_hi - w->win_lo, step = have < 64 ? 128 : have, lo;

	if (step > 1 << 16)
		step = 1 << 16;
	lo = p - step + 1 < 0 ? 0 : p - step + 1;
	if (have + (w->win_lo - lo) > w->win_cap) {
		w->win_cap = 2 * (have + (w->win_lo - lo));
		w->win = mem_renew(w->win, uint8_t, w->win_cap);
	}
	memmove(w->win + (w->win_lo - lo), w->win, (size_t)have);
	if (s->get(s->ctx, lo, w->win_lo - lo, w->win, e))
		return e->code;
	for (int64_t i = 0; i < w->win_lo - lo; i++)
		w->win[i] = fold(w->win[i], s->alpha);
	w->win_lo = lo;
	return 0;
}

/* The folded base at p, which lies left of where the window began; 0 with e set. */
static uint8_t
left_base(struct norm *w, const struct norm_seq *s, int64_t p, struct err *e)
{
	if (p < w->win_lo && widen(w, s, p, e))
		return 0;
	return w->win[p - w->win_lo];
}

/* Base x of allele a, counted from its start; negative x: the reference in front of pos. */
static uint8_t
base_at(struct norm *w, const struct norm_seq *s, int64_t pos, const struct allele *a, int64_t x, struct err *e)
{
	return x >= 0 ? norm_base[a->s[x]] : left_base(w, s, pos + x, e);
}

/* --- the form ---------------------------------------------------------------- */

/* Cuts t bases on the right, j being put in front meanwhile. */
static int
cut_right(struct norm *w, const struct norm_seq *s, int64_t pos, const struct allele *a, int n, int64_t least, int64_t lo,
    int64_t *t, int64_t *j, struct err *e)
{
	for (;;) {
		uint8_t last = base_at(w, s, pos, &a[0], a[0].n - *t - 1, e);
		int i = 1;

		while (i < n && base_at(w, s, pos, &a[i], a[i].n - *t - 1, e) == last)
			i++;
		if (e->code)
			return e->code;
		if (i < n)
			return 0;
		if (least + *j - *t == 1) {
			if (pos - *j <= lo)
				return 0;
			++*j;
		}
		++*t;
	}
}

static void
put_result(struct norm *w, int64_t pos, const struct allele *a, int n, int64_t t, int64_t j, int64_t l)
{
	if (n + 1 > w->at_cap) {
		w->at_cap = n + 9;
		w->at = mem_renew(w->at, int64_t, w->at_cap);
	}
	w->text.n = 0;
	w->n = n;
	for (int i = 0; i < n; i++) {
		int64_t end = a[i].n - t, x = l - j;

		w->at[i] = (int64_t)w->text.n;
		if (x < 0) {
			int64_t to = end < 0 ? end : 0;

			str_addn(&w->text, w->win + (pos + x - w->win_lo), (size_t)(to - x));
			x = 0;
		}
		if (x < end)
			str_addn(&w->text, a[i].s + x, (size_t)(end - x));
	}
	w->at[n] = (int64_t)w->text.n;
	for (size_t i = 0; i < w->text.n; i++)
		w->text.s[i] = (char)norm_base[(uint8_t)w->text.s[i]];
	w->pos = pos - j + l;
	w->shift = pos > w->pos ? pos - w->pos : 0;
}

int
norm_run(struct norm *w, const struct norm_seq *s, int64_t pos, const struct allele *a, int n, int64_t lo, struct err *e)
{
	int64_t t = 0, j = 0, l = 0, least = a[0].n;

	for (int i = 1; i < n; i++)
		least = a[i].n < least ? a[i].n : least;
	w->win_lo = w->win_hi = pos;
	if (cut_right(w, s, pos, a, n, least, lo, &t, &j, e))
		return e->code;
	while (least + j - t - l >= 2) {
		uint8_t first = base_at(w, s, pos, &a[0], l - j, e);
		int i = 1;

		while (i < n && base_at(w, s, pos, &a[i], l - j, e) == first)
			i++;
		if (e->code)
			return e->code;
		if (i < n)
			break;
		l++;
	}
	if (t == 0 && l == 0)
		return NORM_NORMAL;
	if (j > l)
		left_base(w, s, pos - j + l, e);
	if (e->code)
		return e->code;
	put_result(w, pos, a, n, t, j, l);
	return w->shift ? NORM_SHIFTED : NORM_TRIMMED;
}

int64_t
norm_slide(const struct norm_seq *s, int64_t b, int64_t d, int64_t lo, struct err *e)
{
	int64_t at = b;

	/* The far end may lie a chromosome away. */
	while (at > lo && !e->code) {
		uint8_t left[256], right[256];
		int64_t n = at - lo < 256 ? at - lo : 256, k = n;

		s->get(s->ctx, at - n, n, left, e);
		s->get(s->ctx, at - n + d, n, right, e);
		while (k > 0 && !e->code && fold(left[k - 1], 0) == fold(right[k - 1], 0))
			k--;
		at -= n - k;
		if (k > 0)
			break;
	}
	return at;
}
