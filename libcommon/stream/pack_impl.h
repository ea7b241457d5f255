/* pack_impl - what the files of pack share.  Private.
 */
#ifndef OVX_PACK_IMPL_H
#define OVX_PACK_IMPL_H

#include "num/csr.h"
#include "stream/pack.h"
#include "stream/wire.h"

#define PACK_VERSION 1
#define CHUNK 64        /* columns; bands are made of whole chunks */
#define MAX_WIDTH 24
#define PAD 8
#define SLACK 64        /* elements that decoding may write behind the last one */
#define TAKE 56         /* bits that an 8-byte load at any bit gives for sure */

/* First values of the levels behind the plane. */
#define FROM_TWO 2
#define FROM_NIBBLE 5
#define FROM_BYTE 20
#define FROM_WORD 275

enum { S_BITMAP, S_HIGH, S_LOW, S_PLANE, S_TWO, S_NIBBLE, S_BYTE, S_WORD, N_STREAM };

/* Band w holds the chunks first[w] .. first[w + 1] - 1. */
struct bands {
	int64_t first[MAX_WIDTH + 2];
	int64_t bucket[MAX_WIDTH + 2];  /* number of the first bucket; [MAX_WIDTH + 1]: all */
};

struct layout {
	struct bands b;
	uint64_t bits[N_STREAM];
};

static inline int64_t
chunks_of(int64_t n_col)
{
	return (n_col + CHUNK - 1) / CHUNK;
}

/* Fills bucket from first. */
void pack_count_buckets(struct bands *b);

/* The code to be used: the widest that the CPU has, or what OVX_CPU in the environment (portable, avx2, avx512)
 * asks for if it has that, for tests.  All give the same results. */
enum { CPU_PORTABLE, CPU_AVX2, CPU_AVX512 };
int pack_cpu(void);

#if defined(__x86_64__) && defined(__GNUC__)
#define WIDE 1
#define T256 __attribute__((target("avx2,bmi,bmi2,popcnt")))
#define T512 __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,bmi,bmi2,popcnt")))
/* Numbers of the set bits of each byte, in order, a byte each. */
extern uint64_t pack_bits_of[256];

/* The numbers of the n words that are not 0, without guessing which; how many they are.  [n]. */
static inline int64_t
pack_words_with(const uint64_t *word, int64_t n, int32_t *some)
{
	int64_t k = 0;

	for (int64_t i = 0; i < n; i++) {
		some[k] = (int32_t)i;
		k += word[i] != 0;
	}
	return k;
}
#endif

/* 56 or more bits of a stream from bit at on. */
static inline uint64_t
get_bits(const uint8_t *p, uint64_t at)
{
	return wire_get64(p + (at >> 3)) >> (at & 7);
}

/* 64 bits; reads 9 bytes. */
static inline uint64_t
get_64_bits(const uint8_t *p, uint64_t at)
{
	p += at >> 3;
	return wire_get64(p) >> (at & 7) | (uint64_t)p[8] << 1 << (63 - (at & 7));
}

struct pack_reader {
	int64_t n_row, n_col, row;      /* row: the next one */
	const uint8_t *stream[N_STREAM];
	struct layout l;
	uint64_t at[N_STREAM];  /* bits used */
	uint64_t none;          /* bits of a row's last word of the bitmap that are no columns */
	int skipped;            /* values were */
	uint32_t *nnz, *max;    /* [n_row] of the head */
	uint64_t *sum;
	int64_t cap_row;
	uint32_t *level[4];     /* [cap + 16] values above 1 of the rows at hand, those above 4, 19, 274 */
	int64_t cap;
	const uint32_t *big;    /* of level[0], what is left */
	int32_t *same;          /* [cap_same] 0, 1, 2, ...: where no map is given */
	int64_t cap_same;
};

/* What the decoder does.  Up to SLACK elements behind those asked for are written to. */
struct decoder {
	/* Of n codes of k bits from bit at on, how many are all ones. */
	int64_t (*count)(const uint8_t *p, uint64_t at, int64_t n, int k);
	/* n codes of k bits from bit at on to x: plus from, or, when all are ones, the next of more. */
	void (*level)(const uint8_t *p, uint64_t at, int64_t n, int k, uint32_t from, const uint32_t *more, uint32_t *x);
	/* map[i] for the set bits i of n_word words to col; how many they are, n + 1 for more than n. */
	int64_t (*bitmap)(const uint8_t *p, int64_t n_word, const int32_t *map, int32_t *col, int64_t n);
	/* n columns of a row from the buckets, through map unless it is NULL; 0 when they do not hold together. */
	int (*buckets)(struct pack_reader *r, const int32_t *map, int32_t *col, int64_t n);
	/* The n values of a row: 1 where plane has a 0, else the next of big. */
	void (*values)(const uint8_t *plane, uint64_t at, int64_t n, const uint32_t *big, double *val);
	/* Sum of x - 1 for n of them; max is raised to the largest. */
	uint64_t (*total)(const uint32_t *x, int64_t n, uint32_t *max);
	/* cut [MAX_WIDTH + 2]: how many of the n non-zeros of the row whose part of high comes next stand in bands before w;
	 * 0 when the part has another number. */
	int (*cuts)(const struct pack_reader *r, int64_t n, int64_t *cut);
};

/* cuts, by a way to find the k-th set bit: the border of a band is the zero that ends its last bucket. */
static inline __attribute__((always_inline)) int
pack_cuts(const struct pack_reader *r, int64_t n, int64_t *cut, int (*place_of)(uint64_t x, int64_t k))
{
	const int64_t *bucket = r->l.b.bucket;
	uint64_t at = r->at[S_HIGH], end = at + (uint64_t)(bucket[MAX_WIDTH + 1] + n);
	int64_t zeros = 0, base = 0;
	int w = 0;

	if (end > r->l.bits[S_HIGH])
		return 0;
	for (cut[0] = 0; w <= MAX_WIDTH && bucket[w + 1] == 0; w++)
		cut[w + 1] = 0;
	for (; at < end; at += TAKE, base += TAKE) {
		uint64_t z = ~get_bits(r->stream[S_HIGH], at) & ((1ull << (end - at < TAKE ? end - at : TAKE)) - 1);
		int64_t more = __builtin_popcountll(z);

		for (; w <= MAX_WIDTH && bucket[w + 1] <= zeros + more; w++)
			cut[w + 1] = bucket[w + 1] == bucket[w] ? cut[w] :
				base + place_of(z, bucket[w + 1] - zeros - 1) - (bucket[w + 1] - 1);
		zeros += more;
	}
	return w > MAX_WIDTH && zeros == bucket[MAX_WIDTH + 1] && cut[MAX_WIDTH + 1] == n;
}

const struct decoder *pack_decoder(void);
#ifdef WIDE
extern const struct decoder pack_decoder_256, pack_decoder_512;
#endif

/* A stream of bits that is written; up to 8 bytes behind the last are written to. */
struct writer {
	uint8_t *p;
	uint64_t acc;
	int n;                  /* bits in acc, < 8 */
};

/* k <= 56 bits of v, the others being 0. */
static inline void
put_bits(struct writer *w, uint64_t v, int k)
{
	w->acc |= v << w->n;
	wire_put64(w->p, w->acc);
	w->n += k;
	w->p += w->n >> 3;
	w->acc >>= w->n & ~7;
	w->n &= 7;
}

/* k <= 7 whole bytes of v: the bits in acc stay as many. */
static inline void
put_bytes(struct writer *w, uint64_t v, int k)
{
	w->acc |= v << w->n;
	wire_put64(w->p, w->acc);
	w->acc = v >> (8 * k - w->n);
	w->p += k;
}

/* What the encoder does with a row.  16 elements behind each array that is filled may be written to. */
struct encoder {
	/* The n values of a row, which may be anything: those above 1 go to big (which has room for 2 n), a bit each to
	 * plane [n / 8 + 8].  The number of those, or -1 when one is no count. */
	int64_t (*split)(const double *val, int64_t n, uint32_t *big, uint8_t *plane, uint64_t *sum, uint32_t *max);
	/* A level: n values from "from" on, k bits each, to w; what does not fit goes to more, of which the number
	 * is returned. */
	int64_t (*level)(const uint32_t *x, int64_t n, int k, uint32_t from, uint32_t *more, struct writer *w);
	/* The entries of n > 0 columns that are the first of their chunk; the number of those, or -1 when the columns do
	 * not rise. */
	int64_t (*runs)(const int32_t *col, int64_t n, uint32_t *first);
	/* n_word times 64 bytes, 0 or 1, to bits; the bytes are zeroed. */
	void (*squeeze)(uint8_t *flag, int64_t n_word, uint8_t *bits);
	/* The numbers of the set bits of n_word words, rising; how many they are. */
	int64_t (*places)(const uint64_t *bits, int64_t n_word, int32_t *col);
	/* val[i] = value[col[i]] for n of them. */
	void (*gather)(const double *value, const int32_t *col, int64_t n, double *val);
	/* For n columns from base on: the lowest w bits to low; the others, plus at, plus the number of the entry, to place. */
	void (*cut)(const int32_t *col, int64_t n, int32_t base, int w, int32_t at, uint32_t *place, struct writer *low);
};

const struct encoder *pack_encoder(void);

/* What the head says of a row, and how many of its values are more than 1. */
struct pack_sums {
	int64_t n, n_big;
	uint64_t sum;
	uint32_t max;
};

/* Where the columns go: one of them. */
struct pack_places {
	const uint16_t *narrow; /* [n_col], when there are no more than 65,536 */
	const int32_t *wide;
};

/* What the encoder does with a row that has not too few non-zeros for its columns. */
struct dense_encoder {
	/* Entries at .. at + n - 1 of m to row [n_col], a byte each; those of 255 or more to wide [n_col] as well.  A column that
	 * comes again overwrites.  0 when a column is not below n_col or a value is none of 0 .. 2^32 - 1: then some of
	 * the row may be there. */
	int (*spread)(const struct pack_rows *m, int64_t at, int64_t n, const struct pack_places *place, uint8_t *row,
		uint32_t *wide);
	/* n_word times 64 bytes of a row, which are zeroed: to word those that are there, whose number is added to count, to
	 * plane and big as by encoder.split. */
	void (*collect)(uint8_t *row, const uint32_t *wide, int64_t n_word, uint64_t *word, int64_t *count, uint32_t *big,
		uint8_t *plane, struct pack_sums *t);
};

/* NULL where sorting is faster. */
const struct dense_encoder *pack_dense_encoder(void);

#endif
