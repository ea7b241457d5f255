/* freq - see freq.h */
#include "var/freq.h"

#include <string.h>

const char *const freq_names[N_FREQ] = { "FOUND", "FOUND_FILTERED", "SITE_ONLY", "ABSENT", "NO_CONTIG", "UNSUPPORTED" };

static const char *
list(const void *ctx, int i, size_t *n, int64_t *length)
{
	const struct freq *f = ctx;

	*n = strlen(f->contig[i]);
	*length = f->contig_length ? f->contig_length[i] : -1;
	return f->contig[i];
}

struct alias *
freq_alias(const struct freq *f)
{
	return alias_make(list, f, f->n_contig);
}

int
freq_build(const struct freq *f)
{
	return alias_build(list, f, f->n_contig);
}
