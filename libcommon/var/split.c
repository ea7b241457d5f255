/* split - see split.h */
#include "var/split.h"

#include <string.h>
#include "var/keep.h"

/* What the fields of one line are cut to. */
struct cutter {
	const struct hts_head *head;
	int i, n_alt;
	int strict;
	struct str *out;
	struct strs *whole;
	struct chunk_stats *st;
	const struct split_cols *c;
	struct err *e;
};

/* n values, comma-separated. */
static int64_t
count(const uint8_t *p, const uint8_t *end)
{
	int64_t n = 1;

	for (; p < end; p++)
		n += *p == ',';
	return n;
}

/* Value number k. */
static void
put_value(struct cutter *t, const uint8_t *p, const uint8_t *end, int64_t k, int first)
{
	const uint8_t *q;

	for (; k > 0; k--)
		p = (const uint8_t *)memchr(p, ',', (size_t)(end - p)) + 1;
	q = memchr(p, ',', (size_t)(end - p));
	if (!first)
		str_addn(t->out, ",", 1);
	str_addn(t->out, p, (size_t)((q ? q : end) - p));
}

static void
copied_whole(struct cutter *t, const char *where, const char *key)
{
	char name[160];
	size_t n = 0;

	for (const char *s = where; *s && n < 8; s++)
		name[n++] = *s;
	for (const char *s = key; *s && n < sizeof name - 1; s++)
		name[n++] = *s;
	name[n] = 0;
	t->st->whole++;
	strs_add_new(t->whole, name, n);
	if (t->strict)
		err_set(t->e, ERR_DATA, "%.*s:%lld: %s has not as many values as its Number says; without --strict it is copied whole",
		    (int)(t->c->chrom_end - t->c->line), (const char *)t->c->line, (long long)t->c->pos, name);
}

/* The values of a field declared with Number A, R or G that concern the allele; others as they are. */
static void
put_field(struct cutter *t, enum hts_number number, const uint8_t *p, const uint8_t *end, const char *where, const char *key)
{
	int64_t pick[KEEP_MOST];
	int n;

	if ((number != HTS_A && number != HTS_R && number != HTS_G) || (end - p == 1 && *p == '.')) {
		str_addn(t->out, p, (size_t)(end - p));
		return;
	}
	n = keep_values(number, count(p, end), t->n_alt, t->i, pick);
	for (int k = 0; k < n; k++)
		put_value(t, p, end, pick[k], k == 0);
	if (n == 0) {
		str_addn(t->out, p, (size_t)(end - p));
		copied_whole(t, where, key);
	}
}

/* GT: the allele is 1, every other one 0; dots, ploidy and phase stay. */
static void
put_gt(struct cutter *t, const uint8_t *p, const uint8_t *end)
{
	while (p < end) {
		if (*p >= '0' && *p <= '9') {
			int64_t v = 0;

			for (; p < end && *p >= '0' && *p <= '9'; p++)
				v = v < 1 << 30 ? 10 * v + (*p - '0') : v;
			str_addn(t->out, v == t->i ? "1" : "0", 1);
		} else {
			str_addn(t->out, p++, 1);
		}
	}
}

static size_t
key_of(char *key, size_t room, const uint8_t *p, const uint8_t *end)
{
	size_t n = (size_t)(end - p) < room - 1 ? (size_t)(end - p) : room - 1;

	memcpy(key, p, n);
	key[n] = 0;
	return n;
}

static void
put_info(struct cutter *t, const uint8_t *p, const uint8_t *end, int64_t end1)
{
	while (p <= end) {
		const uint8_t *stop = p < end ? memchr(p, ';', (size_t)(end - p)) : NULL, *eq;
		char key[128];

		if (!stop)
			stop = end;
		eq = memchr(p, '=', (size_t)(stop - p));
		if (!eq) {
			str_addn(t->out, p, (size_t)(stop - p));
		} else {
			key_of(key, sizeof key, p, eq);
			str_addn(t->out, p, (size_t)(eq + 1 - p));
			if (end1 >= 0 && strcmp(key, "END") == 0) {
				str_addf(t->out, "%lld", (long long)end1);
				t->st->end_fixed++;
			} else {
				put_field(t, hts_number(t->head, HTS_INFO, key), eq + 1, stop, "INFO/", key);
			}
		}
		if (stop == end)
			break;
		str_addn(t->out, ";", 1);
		p = stop + 1;
	}
}

#define MOST_KEYS 64

static void
put_samples(struct cutter *t, const uint8_t *p, const uint8_t *end)
{
	struct { enum hts_number number; int gt; char key[64]; } f[MOST_KEYS];
	const uint8_t *stop = memchr(p, '\t', (size_t)(end - p)), *q = p;
	int n = 0, any = 0;

	if (!stop)
		stop = end;
	while (q <= stop && n < MOST_KEYS) {
		const uint8_t *colon = memchr(q, ':', (size_t)(stop - q));

		key_of(f[n].key, sizeof f[n].key, q, colon ? colon : stop);
		f[n].gt = strcmp(f[n].key, "GT") == 0;
		f[n].number = f[n].gt ? HTS_FIXED : hts_number(t->head, HTS_FORMAT, f[n].key);
		any |= f[n].gt || f[n].number == HTS_A || f[n].number == HTS_R || f[n].number == HTS_G;
		n++;
		if (!colon)
			break;
		q = colon + 1;
	}
	if (!any) {
		str_addn(t->out, p, (size_t)(end - p));
		return;
	}
	str_addn(t->out, p, (size_t)(stop - p));
	for (p = stop; p < end; ) {
		const uint8_t *tab = memchr(p + 1, '\t', (size_t)(end - p - 1));

		if (!tab)
			tab = end;
		str_addn(t->out, "\t", 1);
		q = p + 1;
		for (int k = 0; q <= tab; k++) {
			const uint8_t *colon = q < tab ? memchr(q, ':', (size_t)(tab - q)) : NULL;

			if (!colon)
				colon = tab;
			if (k < n && f[k].gt)
				put_gt(t, q, colon);
			else if (k < n)
				put_field(t, f[k].number, q, colon, "FORMAT/", f[k].key);
			else
				str_addn(t->out, q, (size_t)(colon - q));
			if (colon == tab)
				break;
			str_addn(t->out, ":", 1);
			q = colon + 1;
		}
		p = tab;
	}
}

int
split_line(const struct split_cols *c, const struct hts_head *head, int i, int n_alt, int64_t pos1, const char *ref, int64_t n_ref,
    const char *alt, int64_t n_alt_len, int64_t end1, const char *old_tag, int strict, struct str *out, struct strs *whole,
    struct chunk_stats *st, struct err *e)
{
	struct cutter t = { head, i, n_alt, strict, out, whole, st, c, e };
	const uint8_t *end = c->end, *p = c->alt_end, *info, *stop;

	if (end > c->line && end[-1] == '\r')
		end--;
	str_addn(out, c->line, (size_t)(c->chrom_end + 1 - c->line));
	str_addf(out, "%lld\t", (long long)pos1);
	str_addn(out, c->id, (size_t)(c->ref - c->id));
	str_addn(out, ref, (size_t)n_ref);
	str_addn(out, "\t", 1);
	str_addn(out, alt, (size_t)n_alt_len);
	/* QUAL and FILTER */
	info = p < end ? memchr(p + 1, '\t', (size_t)(end - p - 1)) : NULL;
	info = info ? memchr(info + 1, '\t', (size_t)(end - info - 1)) : NULL;
	if (!info) {
		str_addn(out, p, (size_t)(c->end + 1 - p));
		return e->code;
	}
	str_addn(out, p, (size_t)(info + 1 - p));
	info++;
	stop = memchr(info, '\t', (size_t)(end - info));
	if (!stop)
		stop = end;
	if (old_tag && stop - info == 1 && *info == '.')
		;
	else
		put_info(&t, info, stop, end1);
	if (old_tag)
		str_addf(out, "%s%s=%.*s|%lld|%.*s|%.*s|%d", stop - info == 1 && *info == '.' ? "" : ";", old_tag, (int)(c->chrom_end - c->line),
		    (const char *)c->line, (long long)c->pos, (int)(c->alt - 1 - c->ref), (const char *)c->ref, (int)(c->alt_end - c->alt),
		    (const char *)c->alt, i);
	if (stop < end) {
		const uint8_t *fmt = stop + 1;

		str_addn(out, "\t", 1);
		put_samples(&t, fmt, end);
	}
	str_addn(out, end, (size_t)(c->end + 1 - end));
	return e->code;
}
