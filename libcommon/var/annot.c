/* annot - see annot.h: tags, header, filters */
#include "var/annot.h"

#include <math.h>
#include <string.h>
#include "base/mem.h"
#include "os/text.h"
#include "var/annot_work.h"

static void
make_tag(struct annot_tag *t, const char *prefix, const char *name)
{
	struct str s = {0};

	str_addf(&s, ";%s_%s=", prefix, name);
	t->n_key = s.n;
	t->key = mem_new(char, (long long)s.n + FREQ_KEY_PAD + 1);
	memcpy(t->key, s.s, s.n);
	t->id = -1;
	str_clear(&s);
}

static struct annot_tag *
add_tag(struct annot *a)
{
	if (a->n_tag == a->cap_tag) {
		a->cap_tag = 2 * a->cap_tag + 16;
		a->tag = mem_renew(a->tag, struct annot_tag, a->cap_tag);
	}
	memset(&a->tag[a->n_tag], 0, sizeof *a->tag);
	return &a->tag[a->n_tag++];
}

/* Whether a column is wanted: any visible one, or one of those that were named, and FILTER. */
static int
wanted(const struct annot *a, const struct fcols *cols, int k)
{
	const struct fcol *c = &cols->c[k];

	if (c->hidden)
		return 0;
	if (!a->fields || !a->fields->n || k == cols->filter)
		return 1;
	for (int64_t i = 0; i < a->fields->n; i++)
		if (!strcmp(strs_get(a->fields, i), c->name))
			return 1;
	return 0;
}

/* The tag of number i: fields, then statuses, queries, sites. */
static const struct annot_tag *
tag_of(const struct annot *a, int i)
{
	const struct annot_db *d = i < a->n_tag ? NULL : &a->db[(i - a->n_tag) % a->n_db];

	if (!d)
		return &a->tag[i];
	return i < a->n_tag + a->n_db ? &d->status : i < a->n_tag + 2 * a->n_db ? &d->query : &d->site;
}

static int
same_key(const struct annot_tag *a, const struct annot_tag *b)
{
	return a->n_key == b->n_key && !memcmp(a->key, b->key, a->n_key);
}

int
annot_init(struct annot *a, struct err *e)
{
	for (int i = 0; i < a->n_db && !e->code; i++) {
		struct annot_db *d = &a->db[i];
		const struct fcols *cols = d->freq->cols;

		d->n_prefix = strlen(d->prefix);
		d->tag = a->n_tag;
		d->filter = -1;
		for (int k = 0; k < d->freq->n_contig; k++)
			map_put(&d->contigs, d->freq->contig[k], k);
		d->alias = freq_alias(d->freq);
		for (int k = 0; k < cols->n; k++) {
			struct annot_tag *t;

			if (!wanted(a, cols, k))
				continue;
			if (k == cols->filter)
				d->filter = a->n_tag;
			t = add_tag(a);
			make_tag(t, d->prefix, cols->c[k].name);
			t->db = i;
			t->col = k;
			t->type = cols->c[k].type;
			t->list = cols->c[k].kind == FNUM_REF_ALT || cols->c[k].kind == FNUM_LIST;
		}
		d->n_tag = a->n_tag - d->tag;
		d->col = mem_new(int, d->n_tag);
		for (int k = 0; k < d->n_tag; k++)
			d->col[k] = a->tag[d->tag + k].col;
		d->print = mem_new(struct freq_tag, d->n_tag);
		for (int k = 0; k < d->n_tag; k++)
			d->print[k] = (struct freq_tag){ a->tag[d->tag + k].key, (uint32_t)a->tag[d->tag + k].n_key, d->col[k] };
		make_tag(&d->status, d->prefix, "status");
		make_tag(&d->query, d->prefix, "query");
		make_tag(&d->site, d->prefix, "site");
		d->status.db = d->query.db = d->site.db = i;
		d->status.type = d->query.type = d->site.type = FTYPE_STRING;
	}
	/* What only --explain writes is in nobody's way without it. */
	for (int i = 0; i < a->n_tag + (a->explain ? 3 : 1) * a->n_db && !e->code; i++)
		for (int k = 0; k < i && !e->code; k++)
			if (same_key(tag_of(a, i), tag_of(a, k)))
				err_set(e, ERR_USAGE, "two tags would be called %.*s; give a database another name (-d NAME=DB)",
				    (int)tag_of(a, i)->n_key - 2, tag_of(a, i)->key + 1);
	for (int i = 0; i < a->n_tag + 3 * a->n_db; i++)
		a->n_keys += tag_of(a, i)->n_key;
	a->n_mark = a->mark ? strlen(a->mark) : 0;
	for (int64_t i = 0; a->fields && i < a->fields->n && !e->code; i++) {
		int found = 0;

		for (int k = 0; k < a->n_db; k++)
			found |= fcols_find(a->db[k].freq->cols, strs_get(a->fields, i)) >= 0;
		if (!found)
			err_set(e, ERR_USAGE, "--fields: '%s' is no field of the database; vx-gnomad info lists them", strs_get(a->fields, i));
	}
	return e->code;
}

void
annot_free(struct annot *a)
{
	for (int i = 0; i < a->n_tag; i++)
		mem_free(a->tag[i].key);
	mem_free(a->tag);
	for (int i = 0; i < a->n_db; i++) {
		map_clear(&a->db[i].contigs);
		alias_free(a->db[i].alias);
		a->db[i].alias = NULL;
		mem_free(a->db[i].col);
		mem_free(a->db[i].print);
		a->db[i].col = NULL;
		a->db[i].print = NULL;
		mem_free(a->db[i].status.key);
		mem_free(a->db[i].query.key);
		mem_free(a->db[i].site.key);
	}
	mem_free(a->most);
	expr_free(a->expr);
	a->tag = NULL;
	a->most = NULL;
	a->expr = NULL;
	a->n_tag = a->n_most = a->cap_tag = 0;
}

int
annot_ours(const struct annot *a, const uint8_t *key, size_t n)
{
	for (int i = 0; i < a->n_tag + 3 * a->n_db; i++) {
		const struct annot_tag *t = tag_of(a, i);

		if (t->n_key == n + 2 && !memcmp(t->key + 1, key, n))
			return 1;
	}
	return 0;
}

/* --- filters ------------------------------------------------------------------ */

/* A field or status by its tag's name, or by what stands behind the prefix when that is one tag's only. */
static int
by_name(void *ctx, const char *name, struct err *e)
{
	const struct annot *a = ctx;
	size_t n = strlen(name);
	int found = -1;

	for (int i = 0; i < a->n_tag + a->n_db; i++) {
		const struct annot_tag *t = tag_of(a, i);

		if (t->n_key == n + 2 && !memcmp(t->key + 1, name, n))
			return i;
	}
	for (int i = 0; i < a->n_tag + a->n_db; i++) {
		const struct annot_tag *t = tag_of(a, i);
		size_t skip = strlen(a->db[t->db].prefix) + 2;

		if (t->n_key != skip + n + 1 || memcmp(t->key + skip, name, n))
			continue;
		if (found >= 0) {
			err_set(e, ERR_USAGE, "%s may be %.*s or %.*s: say which", name, (int)tag_of(a, found)->n_key - 2,
			    tag_of(a, found)->key + 1, (int)t->n_key - 2, t->key + 1);
			return -1;
		}
		found = i;
	}
	if (found < 0)
		err_set(e, ERR_USAGE, "'%s' is none of the tags that are written", name);
	return found;
}

int
annot_add_most(struct annot *a, const char *s, struct err *e)
{
	const char *eq = strchr(s, '=');
	char *name;
	double x;

	if (!eq || eq == s || !text_real(eq + 1, &x) || isnan(x))
		return err_set(e, ERR_USAGE, "--max-af: '%s' is no FIELD=NUMBER", s);
	name = mem_strndup(s, (size_t)(eq - s));
	a->most = mem_renew(a->most, struct annot_most, a->n_most + 1);
	a->most[a->n_most].x = x;
	a->most[a->n_most].tag = by_name(a, name, e);
	if (!e->code && (a->most[a->n_most].tag >= a->n_tag || a->tag[a->most[a->n_most].tag].type == FTYPE_STRING))
		err_set(e, ERR_USAGE, "--max-af: %s holds no numbers", name);
	else if (!e->code && a->tag[a->most[a->n_most].tag].list)
		err_set(e, ERR_USAGE, "--max-af: %s holds lists, not one number an ALT", name);
	a->n_most++;
	mem_free(name);
	return e->code;
}

int
annot_add_expr(struct annot *a, const char *s, struct err *e)
{
	a->expr = expr_parse(s, by_name, a, e);
	return e->code;
}

/* --- the header --------------------------------------------------------------- */

/* Description as it stands between the quotes of a declaration. */
static void
describe(const struct annot_db *d, const struct fcol *c, struct str *t)
{
	str_addf(t, "%s%s%s", c->tag, *d->freq->release ? " of " : "", d->freq->release);
	if (c->desc && *c->desc)
		str_addf(t, ": %s", c->desc);
}

static void
declare(const struct annot *a, int i, struct str *t)
{
	static const char *const type[] = { "Integer", "Float", "String", "Integer" };
	const struct annot_tag *g = tag_of(a, i);
	const struct annot_db *d = &a->db[g->db];

	/* Of several ALTs the lists' inner commas are escaped, which only texts can hold. */
	str_addf(t, "##INFO=<ID=%.*s,Number=%s,Type=%s,Description=\"", (int)g->n_key - 2, g->key + 1, g->list ? "." : "A",
	    g->list ? "String" : type[g->type]);
	if (i < a->n_tag)
		describe(d, &d->freq->cols->c[g->col], t);
	else if (i < a->n_tag + a->n_db)
		str_addf(t, "Look-up%s%s: FOUND, FOUND_FILTERED, SITE_ONLY (other alleles there), ABSENT, NO_CONTIG, UNSUPPORTED",
		    *d->freq->release ? " in " : "", d->freq->release);
	else if (i < a->n_tag + 2 * a->n_db)
		str_add(t, "What was looked up, and whether as it is, trimmed or left-aligned");
	else
		str_add(t, "Alleles at the position that was looked up");
	str_add(t, "\">");
}

/* Puts a declaration in the place of the first line that begins with start, keeping the number that a BCF header gave it; a second such line
 * goes.  0 when there is none. */
static int
replace(struct str *h, const char *start, const char *line)
{
	size_t n = strlen(start);
	struct str t = {0};
	int found = 0;

	for (const char *p = h->s, *end = h->s + h->n; p < end; ) {
		const char *nl = memchr(p, '\n', (size_t)(end - p)), *next = nl ? nl + 1 : end, *idx = NULL;

		if ((size_t)(next - p) < n || memcmp(p, start, n)) {
			str_addn(&t, p, (size_t)(next - p));
		} else if (found++ == 0) {
			size_t tail = 1 + (next - p >= 2 && next[-2] == '\r');

			for (const char *q = p; q + 5 < next; q++)
				if (!memcmp(q, ",IDX=", 5))
					idx = q;
			str_addn(&t, line, strlen(line) - 1);
			if (idx)
				str_addn(&t, idx, 5 + strspn(idx + 5, "0123456789"));
			str_add(&t, ">");
			str_addn(&t, next - tail, tail);
		}
		p = next;
	}
	if (found) {
		str_clear(h);
		*h = t;
	} else {
		str_clear(&t);
	}
	return found;
}

int
annot_header(struct annot *a, struct flow *f, const char *more, struct err *e)
{
	struct str lines = {0}, one = {0}, start = {0};
	int n = a->n_tag + (a->explain ? 3 : 1) * a->n_db, replaced = 0;

	for (int i = 0; i < n; i++) {
		const struct annot_tag *g = tag_of(a, i);

		one.n = start.n = 0;
		declare(a, i, &one);
		str_addf(&start, "##INFO=<ID=%.*s,", (int)g->n_key - 2, g->key + 1);
		if (replace(&f->in.header, start.s, one.s))
			replaced = 1;
		else
			str_addf(&lines, "%s\n", one.s);
	}
	if (a->mark) {
		one.n = start.n = 0;
		str_addf(&start, "##FILTER=<ID=%s,", a->mark);
		str_addf(&one, "##FILTER=<ID=%s,Description=\"Does not pass vx-gnomad's filter of frequencies\">", a->mark);
		if (replace(&f->in.header, start.s, one.s))
			replaced = 1;
		else
			str_addf(&lines, "%s\n", one.s);
	}
	str_add(&lines, more ? more : "");
	if (replaced)
		flow_header_again(f, e);
	if (lines.n && !e->code)
		flow_header_add(f, lines.s, e);
	str_clear(&lines);
	str_clear(&one);
	str_clear(&start);
	a->head = f->head;
	for (int i = 0; f->head && i < a->n_tag + 3 * a->n_db; i++) {
		struct annot_tag *g = (struct annot_tag *)(uintptr_t)tag_of(a, i);

		str_addf(&one, "%.*s", (int)g->n_key - 2, g->key + 1);
		g->id = hts_key_id(f->head, one.s);
		str_clear(&one);
	}
	if (f->head) {
		a->mark_id = a->mark ? hts_key_id(f->head, a->mark) : -1;
		a->pass_id = hts_key_id(f->head, "PASS");
	}
	return e->code;
}

/* --- counts ------------------------------------------------------------------- */

void
annot_count_add(struct annot_count *to, const struct annot_work *w)
{
	int n_db = w->a->n_db;

	if (!to->status)
		to->status = mem_new(int64_t, n_db * N_FREQ);
	for (int i = 0; i < n_db * N_FREQ; i++)
		to->status[i] += w->count[i];
	to->alts += w->alts;
	to->mismatch += w->mismatch;
	to->aligned += w->aligned;
	to->trimmed += w->trimmed;
	for (int64_t i = 0; i < w->n_seen; i++) {
		int64_t k = map_get(&to->by_name, w->name[i]);

		if (k < 0) {
			k = to->name.n;
			strs_add(&to->name, w->name[i], strlen(w->name[i]));
			map_put(&to->by_name, mem_strdup(w->name[i]), k);
			if (k == to->cap) {
				to->cap = 2 * to->cap + 32;
				to->contig = mem_renew(to->contig, struct annot_contig_count, to->cap);
			}
			to->contig[k] = (struct annot_contig_count){ 0, mem_new(int64_t, n_db) };
		}
		to->contig[k].alts += w->seen[i].alts;
		for (int d = 0; d < n_db; d++)
			to->contig[k].found[d] += w->seen[i].found[d];
	}
}

void
annot_count_clear(struct annot_count *n)
{
	for (int64_t i = 0; i < n->name.n; i++)
		mem_free(n->contig[i].found);
	for (int64_t i = 0; i < n->by_name.cap; i++)
		mem_free((void *)(uintptr_t)n->by_name.key[i]);
	map_clear(&n->by_name);
	mem_free(n->contig);
	mem_free(n->status);
	strs_clear(&n->name);
	memset(n, 0, sizeof *n);
}
