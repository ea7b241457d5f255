/* vxbits - small arrays of numbers and of flags in few bits, any element of which can be read alone
 *
 * What a block of the frequency database (vxg.h) is made of.  Up to VXBITS_MAX elements.
 *
 *	flags    none, all, one bit each, or the sorted list of those that are set (or are not), whichever is smallest
 *	numbers  a base and so many bits each.  All ones of those bits mean: too large, see the exceptions, which stand behind
 *	         in their order.  The most frequent number may be taken out first (flags say where it stood), every 16 numbers
 *	         may have a base of their own, and numbers may be given as what remains after a prediction.
 *
 * Arrays may also share rows: the codes of element 0 of all of them stand side by side, then those of element 1, so that whoever asks
 * for one element of each array finds them together.  Nothing but a base and exceptions, whose places are flags, is done there.
 *
 * A description (head) and the bits themselves (data) are two streams, so that all of a block's heads can be read
 * without touching data.  Little-endian; data of each array begins at a byte; 8 bytes behind the data must be readable.
 */
#ifndef OVX_VXBITS_H
#define OVX_VXBITS_H

#include <stdint.h>
#include <string.h>
#include "base/err.h"
#include "base/str.h"

/* Always: what they are inlined into is compiled for several CPUs. */
#define VXBITS_INLINE static inline __attribute__((always_inline))

#define VXBITS_MAX 512
#define VXBITS_WIDTH 57                 /* widest number: what one 64-bit read at a byte gives */
#define VXBITS_SUB 16                   /* numbers that share a base of their own */
#define VXBITS_SAMPLE 64                /* exceptions are counted every so many numbers */

/* --- streams -------------------------------------------------------------------- */

/* What is read: head[at..n), data[0..n_data) of which `used` were given out.  bad: it ran over. */
struct vxbits_in {
	const uint8_t *head;
	size_t at, n;
	const uint8_t *data;
	size_t used, n_data;
	int bad;
};
uint64_t vxbits_varint_long(struct vxbits_in *in);
VXBITS_INLINE uint64_t
vxbits_varint(struct vxbits_in *in)
{
	if (in->at < in->n && in->head[in->at] < 128)
		return in->head[in->at++];
	return vxbits_varint_long(in);
}
VXBITS_INLINE int64_t
vxbits_zigzag(struct vxbits_in *in)
{
	uint64_t v = vxbits_varint(in);

	return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}
/* n bytes of data. */
VXBITS_INLINE const uint8_t *
vxbits_take(struct vxbits_in *in, size_t n)
{
	const uint8_t *p = in->data + in->used;

	if (n > in->n_data - in->used) {
		in->bad = 1;
		return in->data;
	}
	in->used += n;
	return p;
}

/* Arrays that share rows, while they are put: codes of one array behind the other. */
struct vxbits_rows_out {
	uint64_t *code;                 /* [n_array][n] */
	uint8_t *w;                     /* [n_array] */
	int n_array, cap, n;
	uint32_t width;                 /* bits of a row */
};

struct vxbits_out {
	struct str head, data;
	struct vxbits_rows_out rows;
};
void vxbits_put_varint(struct str *t, uint64_t v);
void vxbits_put_zigzag(struct str *t, int64_t v);
/* n numbers of w <= 57 bits, then up to the next byte. */
void vxbits_put(struct str *t, const uint64_t *v, int n, int w);
/* Arrays that share n rows begin, and, when all were put, their rows are added to t. */
void vxbits_rows_begin(struct vxbits_out *o, int n);
void vxbits_rows_put(const struct vxbits_out *o, struct str *t);
void vxbits_rows_end(struct vxbits_out *o);        /* frees them */

VXBITS_INLINE uint64_t
vxbits_load(const uint8_t *p)
{
	uint64_t x;

	memcpy(&x, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	x = __builtin_bswap64(x);
#endif
	return x;
}

/* Number i of w bits, 0 <= w <= 57. */
VXBITS_INLINE uint64_t
vxbits_get(const uint8_t *p, uint32_t i, uint32_t w)
{
	uint32_t bit = i * w;

	return vxbits_load(p + (bit >> 3)) >> (bit & 7) & (((uint64_t)1 << w) - 1);
}

/* --- flags ------------------------------------------------------------------------ */

/* Not cleared before they are read: only what their kind needs is set. */
enum vxflags_kind { VXFLAGS_NONE, VXFLAGS_ALL, VXFLAGS_DENSE, VXFLAGS_LIST, VXFLAGS_BUT };

struct vxflags {
	uint8_t kind, w;                /* list: bits of an entry */
	uint16_t n, ones;
	uint16_t listed;
	const uint8_t *p;
};

/* set: n bytes, 0 or 1. */
void vxflags_put(struct vxbits_out *o, const uint8_t *set, int n);
/* Bytes that it will take. */
int vxflags_cost(int ones, int n);
VXBITS_INLINE int
vxbits_of(uint64_t v)
{
	return v ? 64 - __builtin_clzll(v) : 0;
}
VXBITS_INLINE int
vxflags_width(int n)
{
	return vxbits_of((uint64_t)(n > 1 ? n - 1 : 0));
}
/* Entries of a list below i. */
VXBITS_INLINE uint32_t
vxflags_below(const struct vxflags *f, uint32_t i, int *here)
{
	uint32_t lo = 0, hi = f->listed;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (vxbits_get(f->p, mid, f->w) < i)
			lo = mid + 1;
		else
			hi = mid;
	}
	*here = lo < f->listed && vxbits_get(f->p, lo, f->w) == i;
	return lo;
}

/* Ones among the first i bits at p. */
VXBITS_INLINE uint32_t
vxbits_rank(const uint8_t *p, uint32_t i)
{
	uint32_t r = 0;

	for (; i >= 64; i -= 64, p += 8)
		r += (uint32_t)__builtin_popcountll(vxbits_load(p));
	return i ? r + (uint32_t)__builtin_popcountll(vxbits_load(p) << (64 - i)) : r;
}

/* Reads flags of n elements; not 0: they are damaged. */
VXBITS_INLINE int
vxflags_read(struct vxflags *f, struct vxbits_in *in, int n)
{
	f->n = (uint16_t)n;
	f->kind = (uint8_t)vxbits_varint(in);
	f->listed = 0;
	if (f->kind > VXFLAGS_BUT)
		in->bad = 1;
	f->ones = f->kind == VXFLAGS_ALL ? (uint16_t)n : 0;
	if (f->kind <= VXFLAGS_ALL || in->bad)
		return in->bad;
	if (f->kind == VXFLAGS_DENSE) {
		f->p = vxbits_take(in, (size_t)(n + 7) / 8);
		f->ones = in->bad ? 0 : (uint16_t)vxbits_rank(f->p, (uint32_t)n);
		return in->bad;
	}
	f->w = (uint8_t)vxflags_width(n);
	{
		uint64_t k = vxbits_varint(in);

		if (k > (uint64_t)n || in->bad)
			return in->bad = 1;
		f->listed = (uint16_t)k;
	}
	f->p = vxbits_take(in, ((size_t)f->listed * f->w + 7) / 8);
	f->ones = f->kind == VXFLAGS_LIST ? f->listed : (uint16_t)(n - f->listed);
	for (uint32_t i = 0; i < f->listed && !in->bad; i++) {
		uint64_t v = vxbits_get(f->p, i, f->w);

		if (v >= (uint64_t)n || (i && v <= vxbits_get(f->p, i - 1, f->w)))
			in->bad = 1;
	}
	return in->bad;
}

VXBITS_INLINE int
vxflags_test(const struct vxflags *f, uint32_t i)
{
	int here;

	if (f->kind <= VXFLAGS_ALL)
		return f->kind;
	if (f->kind == VXFLAGS_DENSE)
		return f->p[i >> 3] >> (i & 7) & 1;
	vxflags_below(f, i, &here);
	return here == (f->kind == VXFLAGS_LIST);
}

/* Flags that are set before i. */
VXBITS_INLINE uint32_t
vxflags_rank(const struct vxflags *f, uint32_t i)
{
	int here;

	if (f->kind <= VXFLAGS_ALL)
		return f->kind ? i : 0;
	if (f->kind == VXFLAGS_DENSE)
		return vxbits_rank(f->p, i);
	return f->kind == VXFLAGS_LIST ? vxflags_below(f, i, &here) : i - vxflags_below(f, i, &here);
}

/* --- numbers ------------------------------------------------------------------------ */

enum vxints_flag { VXINTS_CONST = 1, VXINTS_MODE = 2, VXINTS_SUBS = 4, VXINTS_OVER = 8, VXINTS_REST = 16, VXINTS_EXC = 32, VXINTS_ROW = 64 };

struct vxints {
	uint8_t flags, shift, w, w_sub, w_exc;
	uint16_t n;                     /* numbers that are coded, the mode taken out */
	uint16_t n_exc;
	uint16_t sub, sample, exc;      /* where these stand: so many bytes before, behind, behind the codes */
	uint32_t ratio;                 /* VXINTS_REST: the prediction is vxints_predict */
	int64_t base, exc_base;
	union {
		int64_t mode;
		struct {
			uint32_t bit, width;    /* VXINTS_ROW: where in a row, and bits of a row */
		};
	};
	struct vxflags at_mode;         /* VXINTS_ROW: where exceptions stand, which are in front of it */
	const uint8_t *code;
};

/* Rows that arrays share, while their heads are read. */
struct vxbits_rows {
	const uint8_t *p;
	int n;
	uint32_t width, used;           /* bits of a row; of those that were given out */
};

/* What is put: v[n].  parent (NULL = none): numbers from which v may be predicted, >= 0.  ones (NULL = none): flags of n bytes;
 * where they are set a number that is not 0 is known to be 1, and is left out (see vxg_pack.c). */
struct vxints_from {
	const int64_t *v;
	int n;
	const int64_t *parent;
	const uint8_t *ones;
	int row;                        /* they share rows with others */
};
/* What it chose matters to the caller: flags, and whether the mode is taken out by dense flags. */
struct vxints_chosen {
	int flags, dense;
	int64_t mode;
};
void vxints_put(struct vxbits_out *o, const struct vxints_from *f, struct vxints_chosen *chosen);
/* What a count of a group is predicted to be from that of the whole: so much of it, and even, as alleles of diploids are. */
VXBITS_INLINE int64_t
vxints_predict(int64_t parent, uint32_t ratio)
{
	return parent < 0 || parent > INT32_MAX ? 0 : (int64_t)((uint64_t)parent * ratio >> 32 << 1);
}

/* One byte of the head, at most `most`. */
VXBITS_INLINE uint8_t
vxbits_byte(struct vxbits_in *in, unsigned most)
{
	uint8_t b = in->at < in->n ? in->head[in->at++] : 255;

	if (b > most)
		in->bad = 1;
	return in->bad ? 0 : b;
}

/* Numbers that share rows. */
VXBITS_INLINE int
vxints_read_row(struct vxints *x, struct vxbits_in *in, int n, struct vxbits_rows *rows)
{
	if (!rows || rows->n != n || x->flags & ~(VXINTS_ROW | VXINTS_REST | VXINTS_EXC))
		return in->bad = 1;
	x->n = (uint16_t)n;
	x->base = vxbits_zigzag(in);
	x->shift = vxbits_byte(in, 57);
	x->w = vxbits_byte(in, VXBITS_WIDTH);
	x->code = rows->p;
	x->bit = rows->used;
	x->width = rows->width;
	if (x->w > rows->width - rows->used)
		return in->bad = 1;
	rows->used += x->w;
	if (x->flags & VXINTS_EXC) {
		uint64_t k = vxbits_varint(in);

		if (k > (uint64_t)n || in->bad)
			return in->bad = 1;
		x->n_exc = (uint16_t)k;
		x->exc_base = vxbits_zigzag(in);
		x->w_exc = vxbits_byte(in, VXBITS_WIDTH);
		vxbits_take(in, (k * x->w_exc + 7) / 8);
		vxflags_read(&x->at_mode, in, n);
		/* all of them would be no exceptions */
		if (x->at_mode.ones != k || x->at_mode.kind <= VXFLAGS_ALL)
			in->bad = 1;
	}
	return in->bad;
}

/* Reads n numbers; ones: see vxints_get.  rows: what they may share, or NULL.  Not 0: they are damaged. */
VXBITS_INLINE int
vxints_read(struct vxints *x, struct vxbits_in *in, int n, const struct vxflags *ones, struct vxbits_rows *rows)
{
	const uint8_t *sub = NULL, *sample, *exc;
	int m = n;

	x->n = x->n_exc = x->sample = x->exc = 0;
	x->base = 0;
	x->code = in->data;
	x->flags = vxbits_byte(in, 127);
	if (x->flags & VXINTS_REST) {
		uint64_t r = vxbits_varint(in);

		x->ratio = (uint32_t)r;
		in->bad |= r > UINT32_MAX;
	}
	if (x->flags & VXINTS_ROW)
		return vxints_read_row(x, in, n, rows);
	if (x->flags & VXINTS_CONST) {
		x->base = vxbits_zigzag(in);
		return in->bad;
	}
	if (x->flags & VXINTS_MODE) {
		x->mode = vxbits_zigzag(in);
		if (vxflags_read(&x->at_mode, in, n))
			return 1;
		m = n - x->at_mode.ones;
	}
	if (x->flags & VXINTS_OVER) {
		uint32_t none = 0;
		int k = 0;

		/* Both sets of flags lie open, over the same rows. */
		if (!(x->flags & VXINTS_MODE) || x->at_mode.kind != VXFLAGS_DENSE || !ones || ones->kind != VXFLAGS_DENSE || ones->n != n)
			return in->bad = 1;
		for (; k + 64 <= n; k += 64)
			none += (uint32_t)__builtin_popcountll(~(vxbits_load(x->at_mode.p + k / 8) | vxbits_load(ones->p + k / 8)));
		if (k < n)
			none += (uint32_t)__builtin_popcountll(~(vxbits_load(x->at_mode.p + k / 8) | vxbits_load(ones->p + k / 8)) << (64 - (n - k)));
		m = (int)none;
	}
	x->n = (uint16_t)m;
	x->base = vxbits_zigzag(in);
	x->shift = vxbits_byte(in, 57);
	x->w = vxbits_byte(in, VXBITS_WIDTH);
	if (x->flags & VXINTS_SUBS) {
		x->w_sub = vxbits_byte(in, VXBITS_WIDTH);
		sub = vxbits_take(in, ((size_t)(m + VXBITS_SUB - 1) / VXBITS_SUB * x->w_sub + 7) / 8);
	}
	x->code = vxbits_take(in, ((size_t)m * x->w + 7) / 8);
	x->sub = sub && !in->bad ? (uint16_t)(x->code - sub) : 0;
	if (x->flags & VXINTS_EXC) {
		uint64_t k = vxbits_varint(in);

		if (k > (uint64_t)m || in->bad)
			return in->bad = 1;
		x->n_exc = (uint16_t)k;
		x->exc_base = vxbits_zigzag(in);
		x->w_exc = vxbits_byte(in, VXBITS_WIDTH);
		sample = vxbits_take(in, m ? ((size_t)((m - 1) / VXBITS_SAMPLE) * 10 + 7) / 8 : 0);
		exc = vxbits_take(in, (k * x->w_exc + 7) / 8);
		if (!in->bad) {
			x->sample = (uint16_t)(sample - x->code);
			x->exc = (uint16_t)(exc - x->code);
		}
	}
	return in->bad;
}

/* The exceptions of numbers that share rows. */
VXBITS_INLINE const uint8_t *
vxints_row_exc(const struct vxints *x)
{
	return x->at_mode.p - (x->n_exc * x->w_exc + 7) / 8;
}

/* Number i of those that share rows. */
VXBITS_INLINE int64_t
vxints_row(const struct vxints *x, uint32_t i)
{
	uint64_t bit = (uint64_t)i * x->width + x->bit, all = ((uint64_t)1 << x->w) - 1, v = vxbits_load(x->code + (bit >> 3)) >> (bit & 7) & all;

	if (x->n_exc && v == all) {
		uint32_t k = vxflags_rank(&x->at_mode, i);

		if (k >= x->n_exc)
			k = x->n_exc - 1u;
		return (int64_t)((uint64_t)x->exc_base + vxbits_get(vxints_row_exc(x), k, x->w_exc));
	}
	return (int64_t)((uint64_t)x->base + (v << x->shift));
}

/* Exceptions among the first i codes. */
VXBITS_INLINE uint32_t
vxints_exc_rank(const struct vxints *x, uint32_t i)
{
	uint32_t from = i / VXBITS_SAMPLE * VXBITS_SAMPLE;
	uint32_t r = from ? (uint32_t)vxbits_get(x->code + x->sample, from / VXBITS_SAMPLE - 1, 10) : 0;
	uint64_t all = ((uint64_t)1 << x->w) - 1;

	for (; from < i; from++)
		r += vxbits_get(x->code, from, x->w) == all;
	return r;
}

/* Code i, the mode being out of the way. */
VXBITS_INLINE int64_t
vxints_code(const struct vxints *x, uint32_t i)
{
	uint64_t v = vxbits_get(x->code, i, x->w);

	if (x->n_exc && v == ((uint64_t)1 << x->w) - 1) {
		uint32_t k = vxints_exc_rank(x, i);

		if (k >= x->n_exc)
			k = x->n_exc - 1u;
		return (int64_t)((uint64_t)x->exc_base + vxbits_get(x->code + x->exc, k, x->w_exc));
	}
	v <<= x->shift;
	if (x->flags & VXINTS_SUBS)
		v += vxbits_get(x->code - x->sub, i / VXBITS_SUB, x->w_sub) << x->shift;
	return (int64_t)((uint64_t)x->base + v);
}

/* Where number i stands among the codes, or -1 - it is the mode - or -2 - it is known to be 1. */
VXBITS_INLINE int
vxints_at(const struct vxints *x, uint32_t i, const struct vxflags *ones)
{
	const uint8_t *a = x->at_mode.p, *b;
	uint32_t r = 0;

	if (vxflags_test(&x->at_mode, i))
		return -1;
	if (!(x->flags & VXINTS_OVER))
		return (int)(i - vxflags_rank(&x->at_mode, i));
	if (vxflags_test(ones, i))
		return -2;
	for (b = ones->p; i >= 64; i -= 64, a += 8, b += 8)
		r += (uint32_t)__builtin_popcountll(~(vxbits_load(a) | vxbits_load(b)));
	return (int)(i ? r + (uint32_t)__builtin_popcountll(~(vxbits_load(a) | vxbits_load(b)) << (64 - i)) : r);
}

/* Number i.  parent: what it may be predicted from (only looked at with VXINTS_REST); ones: the flags given to vxints_read. */
VXBITS_INLINE int64_t
vxints_get(const struct vxints *x, uint32_t i, int64_t parent, const struct vxflags *ones)
{
	int64_t v = x->base;

	if (x->flags & VXINTS_ROW) {
		v = vxints_row(x, i);
	} else if (!(x->flags & VXINTS_CONST)) {
		int at = x->flags & VXINTS_MODE ? vxints_at(x, i, ones) : (int)i;

		v = at == -1 ? x->mode : at == -2 ? 1 : at < x->n ? vxints_code(x, (uint32_t)at) : 0;
	}
	return x->flags & VXINTS_REST ? (int64_t)((uint64_t)v + (uint64_t)vxints_predict(parent, x->ratio)) : v;
}

#endif
