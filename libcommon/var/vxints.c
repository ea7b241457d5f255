/* vxints - putting numbers in few bits: see vxbits.h
 */
#include "var/vxbits.h"

#include <limits.h>
#include "base/mem.h"

#define SORT_FEW 24
#define ROW_EXC 200                     /* bits that an exception among shared rows is worth: it lies elsewhere, and takes a search */
#define WINDOWS 4                       /* that are tried together */

/* --- numbers: how they are best put --------------------------------------------- */

/* A way to put m numbers: codes in a window from base on, the others as exceptions. */
struct way {
	int64_t base, lo, hi;           /* lo, hi: smallest and largest of all */
	int shift, w, w_sub, w_exc, subs;
	int n_exc;
	int cost;                       /* bits */
};

/* Sorts by bytes of v - lo; few by insertion. */
static void
sort_numbers(int64_t *v, int n, int64_t lo, int64_t hi)
{
	uint64_t a[VXBITS_MAX], b[VXBITS_MAX], *from = a, *to = b;
	int bits = vxbits_of((uint64_t)hi - (uint64_t)lo);

	if (n <= SORT_FEW) {
		for (int i = 1, k; i < n; i++) {
			int64_t x = v[i];

			for (k = i; k > 0 && v[k - 1] > x; k--)
				v[k] = v[k - 1];
			v[k] = x;
		}
		return;
	}
	for (int i = 0; i < n; i++)
		a[i] = (uint64_t)v[i] - (uint64_t)lo;
	for (int s = 0; s < bits; s += 8) {
		int at[257] = {0};
		uint64_t *t = from;

		for (int i = 0; i < n; i++)
			at[(from[i] >> s & 255) + 1]++;
		for (int i = 0; i < 256; i++)
			at[i + 1] += at[i];
		for (int i = 0; i < n; i++)
			to[at[from[i] >> s & 255]++] = from[i];
		from = to;
		to = t;
	}
	for (int i = 0; i < n; i++)
		v[i] = (int64_t)(from[i] + (uint64_t)lo);
}

/* A window of some bits over sorted numbers, that holds most of them. */
struct window {
	uint64_t room;
	int at, out;                    /* where it begins; numbers that are outside */
};

static inline struct window
window(int w, int shift)
{
	return (struct window){ w > 0 ? (((uint64_t)1 << w) - 1) << shift : UINT64_MAX, 0, 0 };
}

/* It never gets smaller: it moves on where it does not hold s[i], and grows where it does. */
static inline void
window_on(struct window *y, const int64_t *s, int i)
{
	int out = (uint64_t)s[i] - (uint64_t)s[y->out] >= y->room;

	y->at = out ? y->at : y->out;
	y->out += out;
}

/* Windows of w, w - 1 ... bits.  Each step waits for the one before it,
 * so that four windows together cost little more than one. */
static void
windows(const int64_t *s, int m, int w, int shift, struct window to[WINDOWS])
{
	struct window a = window(w, shift), b = window(w - 1, shift), c = window(w - 2, shift), d = window(w - 3, shift);

	for (int i = 0; i < m; i++) {
		window_on(&a, s, i);
		window_on(&b, s, i);
		window_on(&c, s, i);
		window_on(&d, s, i);
	}
	to[0] = a;
	to[1] = b;
	to[2] = c;
	to[3] = d;
}

/* The best window over sorted numbers; each: what an exception costs beside its bits. */
static struct way
best_window(const int64_t *s, int m, int each)
{
	struct way best = { .base = m ? s[0] : 0, .lo = m ? s[0] : 0, .hi = m ? s[m - 1] : 0 };
	uint64_t all = 0;
	struct window y[WINDOWS];
	int most;

	if (m == 0)
		return best;
	for (int i = 1; i < m; i++)
		all |= (uint64_t)s[i] - (uint64_t)s[0];
	best.shift = all ? __builtin_ctzll(all) : 0;
	best.w_exc = vxbits_of((uint64_t)best.hi - (uint64_t)best.lo);
	most = vxbits_of(((uint64_t)best.hi - (uint64_t)best.lo) >> best.shift);
	best.w = most;
	best.cost = m * most;
	for (int w = most; w >= 1 && w >= best.w - 6; w--) {
		int k = (most - w) % WINDOWS, cost;

		if (k == 0)
			windows(s, m, w, best.shift, y);
		cost = m * w + y[k].out * (best.w_exc + each) + (y[k].out ? 24 + (m - 1) / VXBITS_SAMPLE * 10 : 0);
		if (best.n_exc && cost > best.cost + best.cost / 8)
			break;          /* narrower ones only get worse */
		if (y[k].out && cost < best.cost) {
			best.cost = cost;
			best.w = w;
			best.base = s[y[k].at];
			best.n_exc = y[k].out;
		}
	}
	return best;
}

static int
in_window(const struct way *y, int64_t v)
{
	uint64_t d = (uint64_t)v - (uint64_t)y->base;

	return !y->n_exc || (v >= y->base && d >> y->shift < ((uint64_t)1 << y->w) - 1);
}

/* Bases of groups of 16: the smallest of the group that lies in the window. */
static int
sub_bases(const struct way *y, const int64_t *v, int m, uint64_t *sub)
{
	int n = 0;

	for (int i = 0; i < m; i += VXBITS_SUB) {
		uint64_t least = UINT64_MAX;

		for (int k = i; k < m && k < i + VXBITS_SUB; k++)
			if (in_window(y, v[k]) && ((uint64_t)v[k] - (uint64_t)y->base) >> y->shift < least)
				least = ((uint64_t)v[k] - (uint64_t)y->base) >> y->shift;
		sub[n++] = least == UINT64_MAX ? 0 : least;
	}
	return n;
}

/* The same window with a base for every 16 numbers, where that is smaller. */
static void
try_subs(struct way *y, const int64_t *v, int m)
{
	uint64_t sub[VXBITS_MAX / VXBITS_SUB + 1], top = 0;
	struct way best = *y;
	int over[65] = {0}, n, outside = 0, w_sub;

	if (y->w < 4 || m < 2 * VXBITS_SUB)
		return;
	n = sub_bases(y, v, m, sub);
	for (int i = 0; i < n; i++)
		top = sub[i] > top ? sub[i] : top;
	w_sub = vxbits_of(top);
	for (int i = 0; i < m; i++) {
		if (!in_window(y, v[i])) {
			outside++;
			continue;
		}
		/* needs so many bits that it is below all ones */
		over[vxbits_of((((uint64_t)v[i] - (uint64_t)y->base) >> y->shift) - sub[i / VXBITS_SUB] + 1)]++;
	}
	for (int w = 1; w < y->w; w++) {
		int more = outside, cost;

		for (int k = w + 1; k < 65; k++)
			more += over[k];
		cost = m * w + n * w_sub + 8 + more * y->w_exc + (more ? 24 + (m - 1) / VXBITS_SAMPLE * 10 : 0);
		if (cost < best.cost) {
			best.cost = cost;
			best.w = w;
			best.subs = 1;
			best.w_sub = w_sub;
			best.n_exc = more ? more : -1;  /* -1: none, but all ones stay free */
		}
	}
	*y = best;
}

/* The most frequent of sorted numbers. */
static int
mode_of(const int64_t *s, int m, int64_t *mode)
{
	int best = 0;

	for (int i = 0, j; i < m; i = j) {
		for (j = i + 1; j < m && s[j] == s[i]; j++)
			;
		if (j - i > best) {
			best = j - i;
			*mode = s[i];
		}
	}
	return best;
}

/* Sorted, and the window over it. */
static struct way
plan(const int64_t *v, int m, int each, int64_t *sorted)
{
	int64_t lo = INT64_MAX, hi = INT64_MIN;

	for (int i = 0; i < m; i++) {
		lo = v[i] < lo ? v[i] : lo;
		hi = v[i] > hi ? v[i] : hi;
	}
	memcpy(sorted, v, (size_t)m * sizeof *v);
	if (m)
		sort_numbers(sorted, m, lo, hi);
	return best_window(sorted, m, each);
}

/* a / b, which is below 2^33, for 0 <= a < 2^63 and b > 0: the double is wrong by one at most, and so several times as fast as the division of
 * such integers is. */
static inline int64_t
divide(int64_t a, int64_t b)
{
	int64_t q = (int64_t)((double)a / (double)b), rest = a - q * b;

	return q - (rest < 0) + (rest >= b);
}

/* The share of the parent that predicts best: inside the intervals of most numbers. */
static uint32_t
ratio_of(const int64_t *v, const int64_t *parent, int n)
{
	int64_t mid[VXBITS_MAX], lo = INT64_MAX, hi = INT64_MIN, from = 0, to = (int64_t)1 << 32;
	int m = 0;

	for (int i = 0; i < n; i++) {
		if (parent[i] < 1 || parent[i] > INT32_MAX || v[i] < 0 || v[i] > parent[i])
			continue;
		mid[m] = divide((int64_t)(v[i] | 1) << 31, parent[i]);
		lo = mid[m] < lo ? mid[m] : lo;
		hi = mid[m] > hi ? mid[m] : hi;
		m++;
	}
	if (m == 0)
		return 0;
	sort_numbers(mid, m, lo, hi);
	for (int i = 0; i < n; i++) {
		int64_t half = v[i] / 2, p = parent[i], a, b;

		if (p < 1 || p > INT32_MAX || v[i] < 0 || v[i] > p)
			continue;
		a = divide((half << 32) + p - 1, p);
		b = divide((half + 1) << 32, p) - 1;
		if (mid[m / 2] < a - (b - a) || mid[m / 2] > b + (b - a))
			continue;       /* far off anyway */
		if (a > to || b < from)
			continue;
		from = a > from ? a : from;
		to = b < to ? b : to;
	}
	lo = from <= to ? from + (to - from) / 2 : mid[m / 2];
	return lo > UINT32_MAX ? UINT32_MAX : (uint32_t)lo;
}

/* --- numbers: putting them ------------------------------------------------------------ */

/* m numbers in the way decided: heads of window and exceptions, and all bits. */
static void
put_codes(struct vxbits_out *o, const struct way *y, const int64_t *v, int m)
{
	uint64_t code[VXBITS_MAX], exc[VXBITS_MAX], sub[VXBITS_MAX / VXBITS_SUB + 1] = {0}, sample[VXBITS_MAX / VXBITS_SAMPLE + 1];
	uint64_t all = ((uint64_t)1 << y->w) - 1;
	uint8_t b[2] = { (uint8_t)y->shift, (uint8_t)y->w };
	int n_exc = 0, n_sub = 0, n_sample = 0;

	vxbits_put_zigzag(&o->head, y->base);
	str_addn(&o->head, b, 2);
	if (y->subs) {
		n_sub = (m + VXBITS_SUB - 1) / VXBITS_SUB;
		for (int g = 0; g < n_sub; g++) {
			uint64_t least = UINT64_MAX;

			/* again the smallest of the group that was in the window */
			for (int k = g * VXBITS_SUB; k < m && k < (g + 1) * VXBITS_SUB; k++)
				if (v[k] >= y->base && ((uint64_t)v[k] - (uint64_t)y->base) >> y->shift < least)
					least = ((uint64_t)v[k] - (uint64_t)y->base) >> y->shift;
			sub[g] = least == UINT64_MAX || least >> y->w_sub ? 0 : least;
		}
		b[0] = (uint8_t)y->w_sub;
		str_addn(&o->head, b, 1);
		vxbits_put(&o->data, sub, n_sub, y->w_sub);
	}
	for (int i = 0; i < m; i++) {
		uint64_t d = ((uint64_t)v[i] - (uint64_t)y->base) >> y->shift;

		if (i && i % VXBITS_SAMPLE == 0)
			sample[n_sample++] = (uint64_t)n_exc;
		if (y->n_exc && (v[i] < y->base || d < sub[i / VXBITS_SUB] || d - sub[i / VXBITS_SUB] >= all)) {
			code[i] = all;
			exc[n_exc++] = (uint64_t)v[i] - (uint64_t)y->lo;
		} else {
			code[i] = d - sub[i / VXBITS_SUB];
		}
	}
	vxbits_put(&o->data, code, m, y->w);
	if (y->n_exc) {
		vxbits_put_varint(&o->head, (uint64_t)n_exc);
		vxbits_put_zigzag(&o->head, y->lo);
		b[0] = (uint8_t)y->w_exc;
		str_addn(&o->head, b, 1);
		vxbits_put(&o->data, sample, n_sample, 10);
		vxbits_put(&o->data, exc, n_exc, y->w_exc);
	}
}

/* What is left of v when the mode, and what is known to be 1, are taken out. */
static int
without_mode(const int64_t *v, int n, int64_t mode, const uint8_t *ones, int64_t *rest)
{
	int m = 0;

	/* In no order that could be foreseen: no branch on it. */
	if (ones)
		for (int i = 0; i < n; i++) {
			rest[m] = v[i];
			m += (v[i] != mode) & !ones[i];
		}
	else
		for (int i = 0; i < n; i++) {
			rest[m] = v[i];
			m += v[i] != mode;
		}
	return m;
}

/* Whether numbers that are not 0 are 1 wherever `ones` is set, so that they need not be put. */
static int
ones_hold(const int64_t *v, int n, const uint8_t *ones)
{
	if (!ones)
		return 0;
	for (int i = 0; i < n; i++)
		if (ones[i] && v[i] != 0 && v[i] != 1)
			return 0;
	return 1;
}

/* Numbers, perhaps what a prediction left of them. */
struct values {
	const int64_t *v;
	int n, rest;
	uint32_t ratio;
};

static int
put_const(struct vxbits_out *o, const struct values *q, struct vxints_chosen *chosen)
{
	uint8_t flags = VXINTS_CONST | (q->rest ? VXINTS_REST : 0);

	for (int i = 1; i < q->n; i++)
		if (q->v[i] != q->v[0])
			return 0;
	str_addn(&o->head, &flags, 1);
	if (q->rest)
		vxbits_put_varint(&o->head, q->ratio);
	vxbits_put_zigzag(&o->head, q->n ? q->v[0] : 0);
	chosen->flags = flags;
	return 1;
}

static int
count_of(const int64_t *v, int n, int64_t x)
{
	int64_t count = 0;

	for (int i = 0; i < n; i++)
		count += v[i] == x;
	return (int)count;
}

/* The number that is more than half of all, if there is one: by votes, then counted. */
static int
majority(const int64_t *v, int n, int64_t *mode)
{
	int votes = 0, count = count_of(v, n, v[n / 2]);

	/* Most often it stands in the middle, too. */
	*mode = v[n / 2];
	if (2 * count > n)
		return count;
	for (int i = 0; i < n; i++) {
		*mode = votes ? *mode : v[i];
		votes += v[i] == *mode ? 1 : -1;
	}
	count = count_of(v, n, *mode);
	return 2 * count > n ? count : 0;
}

static void
put_values(struct vxbits_out *o, const struct values *q, const uint8_t *ones, struct vxints_chosen *chosen)
{
	int64_t sorted[VXBITS_MAX], rest[VXBITS_MAX], mode = 0;
	uint8_t at_mode[VXBITS_MAX];
	struct way y, z;
	int n_mode, m, over = 0, cost;
	uint8_t flags = q->rest ? VXINTS_REST : 0;

	if (put_const(o, q, chosen))
		return;
	n_mode = majority(q->v, q->n, &mode);
	y.cost = INT_MAX;
	if (!n_mode) {
		y = plan(q->v, q->n, 0, sorted);
		n_mode = mode_of(sorted, q->n, &mode);
		try_subs(&y, q->v, q->n);
	}
	m = q->n;
	if (n_mode * 8 > q->n) {
		/* 0 is taken out by preference when ones would be known then. */
		if (ones && ones_hold(q->v, q->n, ones)) {
			int zeros = 0, k = 0;

			zeros = count_of(q->v, q->n, 0);
			for (int i = 0; i < q->n; i++)
				k += q->v[i] == 1 && ones[i];
			if (zeros && vxflags_cost(zeros, q->n) == 1 + (q->n + 7) / 8 && k > 2) {
				over = 1;
				mode = 0;
				n_mode = zeros;
			}
		}
		m = without_mode(q->v, q->n, mode, over ? ones : NULL, rest);
		z = plan(rest, m, 0, sorted);
		try_subs(&z, rest, m);
		cost = z.cost + 8 * vxflags_cost(n_mode, q->n) + 8;
		if (cost < y.cost) {
			y = z;
			flags |= VXINTS_MODE | (over ? VXINTS_OVER : 0);
		} else {
			over = 0;
		}
	}
	flags |= (y.subs ? VXINTS_SUBS : 0) | (y.n_exc ? VXINTS_EXC : 0);
	str_addn(&o->head, &flags, 1);
	if (q->rest)
		vxbits_put_varint(&o->head, q->ratio);
	chosen->flags = flags;
	chosen->mode = mode;
	if (flags & VXINTS_MODE) {
		size_t at = o->head.n;

		vxbits_put_zigzag(&o->head, mode);
		for (int i = 0; i < q->n; i++)
			at_mode[i] = q->v[i] == mode;
		at = o->head.n;
		vxflags_put(o, at_mode, q->n);
		chosen->dense = o->head.s[at] == VXFLAGS_DENSE;
	}
	put_codes(o, &y, flags & VXINTS_MODE ? rest : q->v, flags & VXINTS_MODE ? m : q->n);
}

/* n bytes from `at` on are gone. */
static void
take_out(struct str *t, size_t at, size_t n)
{
	if (n)
		memmove(t->s + at, t->s + at + n, t->n - at - n);
	t->n -= n;
}

/* What a prediction leaves of numbers. */
static void
take_rest(const struct vxints_from *f, struct values *rest, int64_t *left)
{
	rest->v = left;
	rest->ratio = ratio_of(f->v, f->parent, f->n);
	for (int i = 0; i < f->n; i++)
		left[i] = f->v[i] - vxints_predict(f->parent[i], rest->ratio);
}

/* Numbers that share rows with others: a window and exceptions. */
static void
put_row(struct vxbits_out *o, const struct values *q, const struct way *y)
{
	struct vxbits_rows_out *r = &o->rows;
	uint8_t flags = VXINTS_ROW | (q->rest ? VXINTS_REST : 0) | (y->n_exc ? VXINTS_EXC : 0), b[2] = { (uint8_t)y->shift, (uint8_t)y->w };
	uint8_t at_exc[VXBITS_MAX];
	uint64_t exc[VXBITS_MAX], *code;
	int n_exc = 0;

	if (r->n_array == r->cap) {
		r->cap = 2 * r->cap + 32;
		r->code = mem_renew(r->code, uint64_t, (int64_t)r->cap * VXBITS_MAX);
		r->w = mem_renew(r->w, uint8_t, r->cap);
	}
	code = r->code + (size_t)r->n_array * VXBITS_MAX;
	r->w[r->n_array++] = (uint8_t)y->w;
	r->width += (uint32_t)y->w;
	str_addn(&o->head, &flags, 1);
	if (q->rest)
		vxbits_put_varint(&o->head, q->ratio);
	vxbits_put_zigzag(&o->head, y->base);
	str_addn(&o->head, b, 2);
	for (int i = 0; i < q->n; i++) {
		at_exc[i] = !in_window(y, q->v[i]);
		code[i] = at_exc[i] ? ((uint64_t)1 << y->w) - 1 : ((uint64_t)q->v[i] - (uint64_t)y->base) >> y->shift;
		if (at_exc[i])
			exc[n_exc++] = (uint64_t)q->v[i] - (uint64_t)y->lo;
	}
	if (!y->n_exc)
		return;
	b[0] = (uint8_t)y->w_exc;
	vxbits_put_varint(&o->head, (uint64_t)n_exc);
	vxbits_put_zigzag(&o->head, y->lo);
	str_addn(&o->head, b, 1);
	vxbits_put(&o->data, exc, n_exc, y->w_exc);
	vxflags_put(o, at_exc, q->n);
}

/* The same by prediction or not, whichever is smaller. */
static void
put_shared(struct vxbits_out *o, const struct vxints_from *f, struct vxints_chosen *chosen)
{
	struct values q = { .v = f->v, .n = f->n }, rest = { .n = f->n, .rest = 1 };
	int64_t left[VXBITS_MAX], sorted[VXBITS_MAX];
	struct way y, z;

	if (put_const(o, &q, chosen))
		return;
	y = plan(q.v, q.n, ROW_EXC, sorted);
	if (f->parent) {
		take_rest(f, &rest, left);
		if (put_const(o, &rest, chosen))
			return;
		z = plan(left, q.n, ROW_EXC, sorted);
		if (z.cost < y.cost) {
			y = z;
			q = rest;
		}
	}
	put_row(o, &q, &y);
}

void
vxints_put(struct vxbits_out *o, const struct vxints_from *f, struct vxints_chosen *chosen)
{
	struct values q = { .v = f->v, .n = f->n }, rest = { .n = f->n, .rest = 1 };
	size_t head = o->head.n, data = o->data.n, rest_head, rest_data;
	struct vxints_chosen plain = {0};
	int64_t left[VXBITS_MAX];

	chosen->flags = chosen->dense = 0;
	chosen->mode = 0;
	if (f->row) {
		put_shared(o, f, chosen);
		return;
	}
	if (!f->parent) {
		put_values(o, &q, f->ones, chosen);
		return;
	}
	take_rest(f, &rest, left);
	put_values(o, &rest, NULL, chosen);
	/* Nothing is smaller than a constant. */
	if (chosen->flags & VXINTS_CONST)
		return;
	rest_head = o->head.n - head;
	rest_data = o->data.n - data;
	put_values(o, &q, f->ones, &plain);
	if (rest_head + rest_data < o->head.n - head - rest_head + o->data.n - data - rest_data) {
		o->head.n = head + rest_head;
		o->data.n = data + rest_data;
		return;
	}
	take_out(&o->head, head, rest_head);
	take_out(&o->data, data, rest_data);
	*chosen = plain;
}
