/* chunk - see chunk.h */
#include "var/chunk.h"

#include <string.h>
#include "base/mem.h"
#include "var/typed.h"

void
chunk_clear(struct chunk *c)
{
	c->data = c->mem ? c->mem + CHUNK_HEAD : NULL;
	c->n = 0;
	c->flags = 0;
	c->n_rec = c->n_edit = c->n_block = 0;
	c->n_seg = 0;
	c->arena.n = c->n_raw = 0;
	strs_clear(&c->whole);
	memset(&c->stats, 0, sizeof c->stats);
	c->next = NULL;
	c->file_at = -1;
}

void
chunk_free(struct chunk *c)
{
	mem_free(c->mem);
	mem_free(c->rec);
	mem_free(c->seg);
	mem_free(c->edit);
	mem_free(c->raw);
	mem_free(c->block);
	str_clear(&c->arena);
	strs_clear(&c->whole);
	memset(c, 0, sizeof *c);
}

struct rec *
chunk_add_rec(struct chunk *c)
{
	if (c->n_rec == c->cap_rec) {
		c->cap_rec = 2 * c->cap_rec + 1024;
		c->rec = mem_renew(c->rec, struct rec, c->cap_rec);
	}
	return &c->rec[c->n_rec++];
}

struct seg *
chunk_add_seg(struct chunk *c)
{
	if (c->n_seg == c->cap_seg) {
		c->cap_seg = 2 * c->cap_seg + 4;
		c->seg = mem_renew(c->seg, struct seg, c->cap_seg);
	}
	return &c->seg[c->n_seg++];
}

struct edit *
chunk_add_edit(struct chunk *c)
{
	if (c->n_edit == c->cap_edit) {
		c->cap_edit = 2 * c->cap_edit + 64;
		c->edit = mem_renew(c->edit, struct edit, c->cap_edit);
	}
	memset(&c->edit[c->n_edit], 0, sizeof *c->edit);
	return &c->edit[c->n_edit++];
}

size_t
chunk_bcf_length(const uint8_t *p, size_t n)
{
	if (n < 8)
		return 0;
	return 8 + (size_t)typed_get32(p) + typed_get32(p + 4);
}

void
chunk_stats_add(struct chunk_stats *to, const struct chunk_stats *s)
{
	to->in += s->in;
	to->out += s->out;
	to->split += s->split;
	to->dropped += s->dropped;
	to->outside += s->outside;
	to->checked += s->checked;
	to->mismatch += s->mismatch;
	to->end_fixed += s->end_fixed;
	to->whole += s->whole;
	if (s->max_shift > to->max_shift)
		to->max_shift = s->max_shift;
	for (int i = 0; i < N_NORM; i++)
		to->by[i] += s->by[i];
	for (int i = 0; i < s->n_named && to->n_named < 3; i++)
		memcpy(to->named[to->n_named++], s->named[i], sizeof s->named[i]);
}
