/* alias - see alias.h */
#include "var/alias.h"

#include <string.h>
#include <strings.h>
#include "base/mem.h"

/* A name taken apart: what is left of it without chr, as a chromosome of a human where it is one. */
struct core {
	char s[64];
	int accession;          /* it was a RefSeq accession */
	int mito;               /* M or MT */
};

/* 0 when there is nothing to compare. */
static int
core_of(const char *s, size_t n, struct core *c)
{
	static const char digit[] = "0123456789";

	memset(c, 0, sizeof *c);
	if (n >= 10 && !memcmp(s, "NC_0", 4)) {
		char id[7] = {0};
		int k;

		memcpy(id, s + 3, 6);
		if (strspn(id, digit) != 6 || s[9] != '.')
			return 0;
		c->accession = 1;
		c->mito = n == 11 && !memcmp(s, "NC_012920.1", 11);
		k = (id[4] - '0') * 10 + id[5] - '0';
		if (c->mito)
			memcpy(c->s, "MT", 3);
		else if (memcmp(id, "0000", 4) || k < 1 || k > 24)
			return 0;
		else if (k > 22)
			c->s[0] = k == 23 ? 'X' : 'Y';
		else if (k > 9)
			memcpy(c->s, id + 4, 2);
		else
			c->s[0] = id[5];
		return 1;
	}
	if (n >= 3 && !strncasecmp(s, "chr", 3)) {
		s += 3;
		n -= 3;
	}
	if (n < 1 || n >= sizeof c->s)
		return 0;
	memcpy(c->s, s, n);
	c->mito = !strcmp(c->s, "M") || !strcmp(c->s, "MT");
	return 1;
}

/* How near two names are: 2 but for chr, 1 by a table, 0 not at all.  Two accessions that
 * differ are two sequences. */
static int
nearness(const struct core *a, const struct core *b)
{
	if (a->accession && b->accession)
		return 0;
	if (!strcmp(a->s, b->s))
		return a->accession || b->accession ? 1 : 2;
	return a->mito && b->mito;
}

struct alias {
	alias_list_fn *list;
	const void *ctx;
	uint32_t n_slot;                /* a power of two */
	int32_t *first;                 /* [n_slot] contigs by a hash of their cores, -1 = none */
	int32_t *next;                  /* [n_contig] */
};

/* Where a core belongs; near ones belong together. */
static uint32_t
slot_of(const struct alias *a, const struct core *c)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (const char *s = c->mito ? "MT" : c->s; *s; s++)
		h = (h ^ (uint8_t)*s) * 0x100000001b3u;
	return (uint32_t)(h ^ h >> 32) & (a->n_slot - 1);
}

struct alias *
alias_make(alias_list_fn *list, const void *ctx, int n_contig)
{
	struct alias *a = mem_new(struct alias, 1);
	struct core c;

	a->list = list;
	a->ctx = ctx;
	for (a->n_slot = 16; a->n_slot < (uint32_t)n_contig; a->n_slot *= 2)
		;
	a->first = mem_raw(int32_t, a->n_slot);
	a->next = mem_raw(int32_t, n_contig);
	memset(a->first, -1, a->n_slot * sizeof *a->first);
	for (int i = 0; i < n_contig; i++) {
		size_t n;
		int64_t length;
		const char *name = list(ctx, i, &n, &length);

		if (core_of(name, n, &c)) {
			uint32_t h = slot_of(a, &c);

			a->next[i] = a->first[h];
			a->first[h] = i;
		}
	}
	return a;
}

void
alias_free(struct alias *a)
{
	if (!a)
		return;
	mem_free(a->first);
	mem_free(a->next);
	mem_free(a);
}

int
alias_find(const struct alias *a, const char *name, size_t n, int64_t length)
{
	struct core want, c;
	int best = 0, found = -1;

	if (!core_of(name, n, &want))
		return -1;
	for (int i = a->first[slot_of(a, &want)]; i >= 0; i = a->next[i]) {
		size_t n_other;
		int64_t has;
		const char *other = a->list(a->ctx, i, &n_other, &has);
		int k = 0;

		if (length < 0 || has < 0 || length == has)
			k = core_of(other, n_other, &c) ? nearness(&want, &c) : 0;
		if (k > best) {
			best = k;
			found = i;
		} else if (k && k == best) {
			found = -1;             /* two could be meant */
		}
	}
	return found;
}

/* Lengths of 1..22, X, Y. */
static const int32_t grch37[24] = { 249250621, 243199373, 198022430, 191154276, 180915260, 171115067, 159138663, 146364022, 141213431,
	135534747, 135006516, 133851895, 115169878, 107349540, 102531392, 90354753, 81195210, 78077248, 59128983, 63025520, 48129895,
	51304566, 155270560, 59373566 };
static const int32_t grch38[24] = { 248956422, 242193529, 198295559, 190214555, 181538259, 170805979, 159345973, 145138636, 138394717,
	133797422, 135086622, 133275309, 114364328, 107043718, 101991189, 90338345, 83257441, 80373285, 58617616, 64444167, 46709983,
	50818468, 156040895, 57227415 };

int
alias_build(alias_list_fn *list, const void *ctx, int n_contig)
{
	int as37 = 0, as38 = 0;

	for (int i = 0; i < n_contig; i++) {
		struct core c;
		size_t n;
		int64_t length;
		const char *name = list(ctx, i, &n, &length);
		int k = 0;

		if (length < 0 || !core_of(name, n, &c))
			continue;
		if (!strcmp(c.s, "X") || !strcmp(c.s, "Y"))
			k = c.s[0] == 'X' ? 23 : 24;
		else if (strlen(c.s) <= 2 && strspn(c.s, "0123456789") == strlen(c.s) && c.s[0] != '0')
			k = c.s[1] ? (c.s[0] - '0') * 10 + c.s[1] - '0' : c.s[0] - '0';
		if (k < 1 || k > 24)
			continue;
		as37 += length == grch37[k - 1];
		as38 += length == grch38[k - 1];
	}
	return as37 && !as38 ? 37 : as38 && !as37 ? 38 : 0;
}
