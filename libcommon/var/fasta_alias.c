/* fasta_alias - contigs under the other names that people give them; see fasta.h */
#include <string.h>
#include <strings.h>
#include "var/fasta_impl.h"

/* A name taken apart: what is left of it without chr, as a chromosome of a human where it is one. */
struct core {
	char s[64];
	int accession;          /* it was a RefSeq accession */
	int mito;               /* M or MT */
};

/* 0 when there is nothing to compare. */
static int
core_of(const char *s, int64_t n, struct core *c)
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
	if (n < 1 || n >= (int64_t)sizeof c->s)
		return 0;
	memcpy(c->s, s, (size_t)n);
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

int
fasta_alias(const struct fasta *f, const char *name, int64_t n, int64_t length)
{
	struct core want, c;
	int best = 0, found = fasta_find(f, name, n);

	if (found >= 0)
		return length < 0 || length == f->contig[found].length ? found : -1;
	if (!core_of(name, n, &want))
		return -1;
	for (int i = 0; i < f->n; i++) {
		int k = 0;

		if (length < 0 || length == f->contig[i].length)
			k = core_of(strs_get(&f->name, i), (int64_t)strs_len(&f->name, i), &c) ? nearness(&want, &c) : 0;
		if (k > best) {
			best = k;
			found = i;
		} else if (k && k == best) {
			found = -1;             /* two could be meant */
		}
	}
	return found;
}
