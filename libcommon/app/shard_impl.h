/* shard_impl - what shard.c and shard_file.c share.  Private.
 */
#ifndef OVX_SHARD_IMPL_H
#define OVX_SHARD_IMPL_H

#include "app/shard.h"

/* The first round without its total, which is then the open one; -1 when all are there. */
int shard_next(const struct shard_tool *t, struct shard *s, struct err *e);
int64_t shard_doubles(const struct shard *s);
int shard_reduce(const struct shard_tool *t, struct shard *s, int r, const double *sum, const double *cell, const int32_t *code,
	struct err *e);

/* The set of a is replaced by the part. */
int shard_write_part(struct shard *s, int r, const char *shard, const struct opt *opts, struct err *e);
/* Totals, groups and options of a fit. */
int shard_read_fit(struct shard *s, const char *path, const struct opt *opts, struct err *e);
/* All of --merge: a's arguments are the parts. */
int shard_merge(const struct shard_tool *t, struct shard *s, const struct opt *opts, struct err *e);

#endif
