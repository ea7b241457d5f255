/* fasta_alias - contigs of a reference under the other names that people give them; see fasta.h */
#include "var/alias.h"
#include "var/fasta_impl.h"

static const char *
contig(const void *ctx, int i, size_t *n, int64_t *length)
{
	const struct fasta *f = ctx;

	*n = strs_len(&f->name, i);
	*length = f->contig[i].length;
	return strs_get(&f->name, i);
}

int
fasta_alias(const struct fasta *f, const char *name, int64_t n, int64_t length)
{
	int found = fasta_find(f, name, n);

	if (found >= 0)
		return length < 0 || length == f->contig[found].length ? found : -1;
	return alias_find(f->alias, name, (size_t)n, length);
}

void
fasta_alias_make(struct fasta *f)
{
	f->alias = alias_make(contig, f, f->n);
}

int
fasta_build(const struct fasta *f)
{
	return alias_build(contig, f, f->n);
}
