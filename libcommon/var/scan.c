/* scan - see scan.h: what text and BCF have in common */
#include "var/scan.h"

#include <stdio.h>
#include <string.h>
#include "base/mem.h"

static int
get_bases(void *ctx, int64_t pos, int64_t n, uint8_t *dst, struct err *e)
{
	struct scan *s = ctx;

	return fasta_get(s->view, s->contig, pos, n, dst, e);
}

void
scan_init(struct scan *s, const struct scan_opts *o, struct err *e)
{
	memset(s, 0, sizeof *s);
	s->o = o;
	s->contig = -1;
	if (e->code)
		return;
	s->view = fasta_view(o->ref);
	s->seq.get = get_bases;
	s->seq.ctx = s;
	s->seq.alpha = o->alpha;
	s->past.reach = o->guard;
}

void
scan_free(struct scan *s)
{
	fasta_view_free(s->view);
	norm_clear(&s->norm);
	guard_free(&s->past);
	mem_free(s->allele);
	hts_conv_free(s->conv);
	str_clear(&s->tmp);
	str_clear(&s->tmp2);
	memset(s, 0, sizeof *s);
}

void
scan_contig(struct scan *s, const char *name, size_t n)
{
	int64_t length = -1;

	s->contig = fasta_find(s->o->ref, name, (int64_t)n);
	if (s->contig < 0) {
		if (s->o->head) {
			int c;

			s->tmp.n = 0;
			str_addn(&s->tmp, name, n);
			c = hts_contig(s->o->head, s->tmp.s);
			length = c < 0 ? -1 : hts_contig_length(s->o->head, c);
		}
		s->contig = fasta_alias(s->o->ref, name, (int64_t)n, length);
	}
	guard_clear(&s->past);
	s->seq.length = s->contig < 0 ? 0 : fasta_length(s->o->ref, s->contig);
}

enum norm_class
scan_class(struct scan *s, int64_t pos, const struct allele *a, int n, struct chunk_stats *st, struct err *e)
{
	enum norm_class k = norm_class(a, n), check;
	int r;

	s->norm.n = 0;                          /* no result yet */
	if (s->contig < 0)
		return NORM_NO_CONTIG;
	if (pos < 0 && k != NORM_SEQUENCE)
		return k;                       /* telomere: position 0 is no place in the reference */
	check = norm_check(&s->seq, pos, a[0], e);
	if (check != NORM_OOB)
		st->checked++;
	if (check == NORM_REF_MISMATCH)
		return check;
	if (k != NORM_SEQUENCE)
		return k;
	if (check != NORM_SEQUENCE)
		return check;
	if (n == 2 && a[0].n == 1 && a[1].n == 1)
		return NORM_SNV;
	r = norm_run(&s->norm, &s->seq, pos, a, n, 0, e);
	if (r == NORM_SHIFTED && s->o->guard) {
		int64_t lo = guard_bound(&s->past, pos, s->norm.pos, s->line, s->n_line, s->alt);

		if (lo > s->norm.pos)
			r = norm_run(&s->norm, &s->seq, pos, a, n, lo, e);
	}
	return r < 0 ? NORM_OOB : (enum norm_class)r;
}

void
scan_count(struct chunk_stats *st, enum norm_class k, int64_t shift)
{
	st->out++;
	st->by[k]++;
	if (shift > st->max_shift)
		st->max_shift = shift;
}

void
scan_mismatch(struct scan *s, struct chunk_stats *st, const char *contig, size_t n_contig, int64_t pos1, struct allele ref,
    struct err *e)
{
	char line[80];
	uint8_t have[24];
	int64_t n = ref.n < 20 ? ref.n : 20;

	st->mismatch++;
	if (st->n_named == 3 && s->o->check != CHECK_STOP)
		return;
	memset(have, 0, sizeof have);
	fasta_get(s->view, s->contig, pos1 - 1, n, have, e);
	snprintf(line, sizeof line, "%.*s:%lld has REF %.*s%s, the reference has %s", (int)(n_contig < 24 ? n_contig : 24), contig,
	    (long long)pos1, (int)n, (const char *)ref.s, n < ref.n ? "..." : "", (const char *)have);
	if (s->o->check == CHECK_STOP)
		err_set(e, ERR_DATA, "%s; -c w passes such records, -c x drops them", line);
	if (st->n_named < 3)
		memcpy(st->named[st->n_named++], line, sizeof line);
}

int
scan_bad_line(const uint8_t *line, const uint8_t *end, const char *what, struct err *e)
{
	char head[44];
	size_t n = 0;

	for (const uint8_t *p = line; p < end && n < sizeof head - 1; p++)
		head[n++] = *p < 32 || *p > 126 ? ' ' : (char)*p;
	head[n] = 0;
	return err_set(e, ERR_DATA, "not a VCF record (%s): '%s'", what, head);
}
