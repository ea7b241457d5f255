/* sites_columns - which fields of a sites file become columns, under which names */
#include "var/sites.h"

#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "var/sites_impl.h"

/* Canonical names and the tags that they may stand for, the first that the header has.  faf95max is the
 * greatest filtering frequency over groups: faf95 alone (v2.1: over all samples) is not that, and a maximum that the
 * source does not carry is not made up. */
static const struct { const char *name, *tag[6]; } canon[] = {
	{ "AF", { "AF", "AF_joint" } },
	{ "AC", { "AC", "AC_joint" } },
	{ "AN", { "AN", "AN_joint" } },
	{ "nhomalt", { "nhomalt", "nhomalt_joint" } },
	{ "grpmax", { "grpmax", "popmax", "grpmax_joint" } },
	{ "AF_grpmax", { "AF_grpmax", "AF_popmax", "AF_grpmax_joint" } },
	{ "faf95max", { "fafmax_faf95_max", "faf95_popmax", "fafmax_faf95_max_joint" } }
};
#define N_CANON (sizeof canon / sizeof *canon)

/* What is taken by default where a file has no AF of the whole: mitochondria. */
static const char *const mito[] = { "AF_hom", "AF_het", "AC_hom", "AC_het" };
static const char *const groups[] = { "afr", "ami", "amr", "asj", "eas", "fin", "mid", "nfe", "oth", "remaining", "sas" };

/* The tag that a name stands for: an override's, a canonical one's, or itself; NULL = the header has none.  *over is
 * set when the user said which. */
static const char *
tag_of(const struct sites_head *h, const char *name, size_t n, const struct strs *over, int *given)
{
	*given = 0;
	for (int64_t i = 0; over && i < over->n; i++) {
		const char *s = strs_get(over, i);

		if (strncmp(s, name, n) == 0 && s[n] == '=') {
			*given = 1;
			return s + n + 1;
		}
	}
	for (size_t i = 0; i < N_CANON; i++)
		if (strlen(canon[i].name) == n && memcmp(canon[i].name, name, n) == 0)
			for (int k = 0; k < 6 && canon[i].tag[k]; k++)
				if (sites_info(h, canon[i].tag[k]))
					return canon[i].tag[k];
	for (int i = 0; i < h->n_info; i++)
		if (strncmp(h->info[i].id, name, n) == 0 && !h->info[i].id[n])
			return h->info[i].id;
	return NULL;
}

enum ftype
sites_type(const struct sites_info *i)
{
	if (strcmp(i->type, "Flag") == 0 || strcmp(i->number, "0") == 0)
		return FTYPE_FLAG;
	if (strcmp(i->type, "Integer") == 0)
		return FTYPE_INT;
	return strcmp(i->type, "Float") == 0 ? FTYPE_FLOAT : FTYPE_STRING;
}

enum fnumber
sites_kind(const struct sites_info *i)
{
	if (sites_type(i) == FTYPE_FLAG)
		return FNUM_FLAG;
	if (strcmp(i->number, "A") == 0)
		return FNUM_ALT;
	if (strcmp(i->number, "R") == 0)
		return FNUM_REF_ALT;
	return strcmp(i->number, "1") == 0 ? FNUM_SITE : FNUM_LIST;
}

int
sites_fits(const struct sites_head *h, const struct fcols *cols, const char *file, struct err *e)
{
	for (int i = 0; i < cols->n && !e->code; i++) {
		const struct fcol *c = &cols->c[i];
		const struct sites_info *d = i == cols->filter ? NULL : sites_info(h, c->tag);

		if (i == cols->filter)
			continue;
		if (!d)
			err_set(e, ERR_DATA, "%s: its header declares no INFO field %s", file, c->tag);
		else if (sites_type(d) != c->type || sites_kind(d) != c->kind)
			err_set(e, ERR_DATA, "%s: declares INFO field %s as Number=%s, Type=%s, which is not what was there before", file, c->tag, d->number,
			    d->type);
	}
	return e->code;
}

static int
column_of_tag(const struct fcols *f, const char *tag)
{
	for (int i = 0; i < f->n; i++)
		if (strcmp(f->c[i].tag, tag) == 0 && i != f->filter)
			return i;
	return -1;
}

static int
add(const struct sites_head *h, struct fcols *out, const char *name, const char *tag, int hidden)
{
	const struct sites_info *i = sites_info(h, tag);

	return fcols_add(out, name, tag, sites_type(i), sites_kind(i), i->number, i->desc, hidden);
}

/* A name that is no field: says which is near, or that nobody declares it. */
static int
unknown(const struct sites_head *h, const char *name, const char *tag, struct err *e)
{
	struct strs all = {0};
	const char *near;

	for (size_t i = 0; i < N_CANON; i++)
		if (!tag && strcmp(canon[i].name, name) == 0)
			return err_set(e, ERR_USAGE, "--fields: no tag of this file stands for %s; name one with --field %s=TAG", name, name);
	for (int i = 0; i < h->n_info; i++)
		strs_add(&all, h->info[i].id, strlen(h->info[i].id));
	near = str_nearest(tag ? tag : name, &all);
	if (tag)
		err_set(e, ERR_USAGE, "--field %s=%s: the header declares no INFO field %s%s%s%s", name, tag, tag, near ? "; did you mean " : "",
		    near ? near : "", near ? "?" : "");
	else
		err_set(e, ERR_USAGE, "--fields: the header declares no INFO field %s%s%s%s", name, near ? "; did you mean " : "", near ? near : "",
		    near ? "?" : "");
	strs_clear(&all);
	return e->code;
}

/* Names become the ends of INFO keys, beside those that vx-gnomad writes itself. */
static int
good_name(const char *name, const char *tag, struct err *e)
{
	static const char *const own[] = { "FILTER", "status", "query", "site" };

	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		if (strcmp(own[i], name) == 0)
			return err_set(e, ERR_USAGE, "a field cannot be called %s, which vx-gnomad writes itself; give another name: --field NAME=%s", name,
			    tag);
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p <= ' ' || strchr(";=,<>\"", *p))
			return err_set(e, ERR_USAGE, "'%s' cannot be the name of an INFO field; give another one: --field 'NAME=%s'", name, tag);
	return 0;
}

/* One name; must: an error when there is none. */
static int
take(const struct sites_head *h, const char *name, size_t n, const struct strs *over, int must, struct fcols *out, struct err *e)
{
	int given;
	const char *tag = tag_of(h, name, n, over, &given);
	char *copy = mem_strndup(name, n);

	if (fcols_find(out, copy) >= 0)
		;
	else if (given && !sites_info(h, tag))
		unknown(h, copy, tag, e);
	else if (tag && !good_name(copy, tag, e))
		add(h, out, copy, tag, 0);
	else if (!tag && must)
		unknown(h, copy, NULL, e);
	mem_free(copy);
	return e->code;
}

/* Groups' AF, AC, AN, nhomalt: AF_afr, in joint files AF_joint_afr. */
static void
take_groups(const struct sites_head *h, struct fcols *out)
{
	static const char *const what[] = { "AF", "AC", "AN", "nhomalt" };
	int joint = !sites_info(h, "AC") && sites_info(h, "AC_joint");

	for (size_t g = 0; g < sizeof groups / sizeof *groups; g++)
		for (int i = 0; i < 4; i++) {
			char name[40], tag[40];

			snprintf(name, sizeof name, "%s_%s", what[i], groups[g]);
			snprintf(tag, sizeof tag, joint ? "%s_joint_%s" : "%s_%s", what[i], groups[g]);
			if (!joint && !sites_info(h, tag))
				snprintf(tag, sizeof tag, "%s-%s", what[i], groups[g]);
			if (sites_info(h, tag) && fcols_find(out, name) < 0)
				add(h, out, name, tag, 0);
		}
}

/* --- columns that others derive from ------------------------------------------ */

/* Where the token (AF, AC, AN between _, -, . and the ends) stands in a tag, or -1. */
static int
token(const char *tag, const char *what)
{
	for (int i = 0; tag[i]; i++)
		if ((i == 0 || strchr("_-.", tag[i - 1])) && tag[i] == what[0] && tag[i + 1] == what[1] && (!tag[i + 2] || strchr("_-.", tag[i + 2])))
			return i;
	return -1;
}

/* The column of an integer tag, added hidden when the header has it and the list does not; -1. */
static int
count_column(const struct sites_head *h, struct fcols *out, const char *tag)
{
	const struct sites_info *i = sites_info(h, tag);
	int c = column_of_tag(out, tag);

	if (!i || sites_type(i) != FTYPE_INT || (sites_kind(i) != FNUM_SITE && sites_kind(i) != FNUM_ALT))
		return -1;
	return c >= 0 ? c : add(h, out, tag, tag, 1);
}

static void
link_columns(const struct sites_head *h, const struct strs *over, struct fcols *out)
{
	int given, n;
	const char *tag;

	tag = tag_of(h, "AC", 2, over, &given);
	out->ac = tag ? count_column(h, out, tag) : -1;
	tag = tag_of(h, "AN", 2, over, &given);
	out->an = tag ? count_column(h, out, tag) : -1;
	tag = tag_of(h, "AF", 2, over, &given);
	out->af = tag ? column_of_tag(out, tag) : -1;
	n = out->n;
	for (int i = 0; i < n; i++) {
		int at = token(out->c[i].tag, "AF"), num, den;
		char *t;

		if (at < 0 || out->c[i].type != FTYPE_FLOAT || (out->c[i].kind != FNUM_SITE && out->c[i].kind != FNUM_ALT))
			continue;
		t = mem_strdup(out->c[i].tag);
		memcpy(t + at, "AN", 2);
		/* Mitochondria: AF_hom is AC_hom / AN. */
		den = sites_info(h, t) ? count_column(h, out, t) : out->an;
		memcpy(t + at, "AC", 2);
		num = den >= 0 ? count_column(h, out, t) : -1;
		if (num >= 0) {
			out->c[i].num = num;
			out->c[i].den = den;
		}
		mem_free(t);
	}
	for (int i = 0; i < out->n; i++) {
		struct fcol *c = &out->c[i];

		if (c->type != FTYPE_INT || i == out->ac || i == out->an)
			continue;
		c->whole = token(c->tag, "AC") >= 0 ? out->ac : token(c->tag, "AN") >= 0 ? out->an : -1;
	}
}

int
sites_columns(const struct sites_head *h, const char *fields, int pops, const struct strs *over, struct fcols *out, struct err *e)
{
	memset(out, 0, sizeof *out);
	if (e->code)
		return e->code;
	for (int64_t i = 0; over && i < over->n; i++) {
		const char *s = strs_get(over, i), *eq = strchr(s, '=');

		if (!eq || eq == s || !eq[1])
			return err_set(e, ERR_USAGE, "--field %s: NAME=TAG is expected", s);
	}
	for (const char *p = fields, *q; p && *p && !e->code; p = *q ? q + 1 : q) {
		q = p + strcspn(p, ",");
		if (q > p && !(q - p == 6 && memcmp(p, "FILTER", 6) == 0))
			take(h, p, (size_t)(q - p), over, 1, out, e);
	}
	for (size_t i = 0; i < N_CANON && !fields; i++)
		take(h, canon[i].name, strlen(canon[i].name), over, 0, out, e);
	for (int i = 0; i < 4 && !fields && !e->code && fcols_find(out, "AF") < 0; i++)
		take(h, mito[i], strlen(mito[i]), NULL, 0, out, e);
	/* A name of its own that --field makes is a column, too. */
	for (int64_t i = 0; over && i < over->n && !e->code; i++)
		take(h, strs_get(over, i), strcspn(strs_get(over, i), "="), over, 1, out, e);
	if (!e->code && !fields && out->n == 0 && h->n_info > 0 && !pops)
		err_set(e, ERR_USAGE, "the header declares none of AF, AC, AN, nhomalt; say which fields to keep with --fields (there are %s%s%s ...)",
		    h->info[0].id, h->n_info > 1 ? ", " : "", h->n_info > 1 ? h->info[1].id : "");
	if (e->code)
		return e->code;
	if (pops)
		take_groups(h, out);
	out->filter = fcols_add(out, "FILTER", "FILTER", FTYPE_STRING, FNUM_SITE, "1", "Filter status", 0);
	out->ac = out->an = out->af = -1;
	link_columns(h, over, out);
	return 0;
}
