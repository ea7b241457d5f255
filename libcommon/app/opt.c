/* opt - see opt.h */
#include "app/opt.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/rng.h"
#include "os/file.h"
#include "os/text.h"

/* Names of the options on the command line; a tool runs once in a process. */
static struct strs given;

int
opt_given(const char *name)
{
	for (int64_t i = 0; i < given.n; i++)
		if (strcmp(strs_get(&given, i), name) == 0)
			return 1;
	return 0;
}

char *
opt_pair(const char *option, const char *s, const char **file, struct err *e)
{
	const char *eq = strchr(s, '=');

	if (!eq || eq == s) {
		err_set(e, ERR_USAGE, "%s%s%s'%s' is no NAME=FILE%s", option ? "--" : "", option ? option : "", option ? ": " : "", s,
		    option ? "" : ", like ctrl=ctrl.ovx");
		return NULL;
	}
	*file = eq + 1;
	return mem_strndup(s, (size_t)(eq - s));
}

int
opt_size(const char *s, int64_t *bytes)
{
	static const char unit[] = "KMGT";
	char *end;
	double v, scale = 1;
	const char *u;

	/* Digits only: strtod reads 0x10 and inf, too. */
	if (strspn(s, "0123456789.") == 0 || s[1] == 'x' || s[1] == 'X')
		return 0;
	v = strtod(s, &end);
	if (end == s)
		return 0;
	if (*end && (u = strchr(unit, *end & ~0x20))) {
		for (int64_t i = u - unit; i >= 0; i--)
			scale *= 1024;
		end++;
		if (*end == 'i')
			end++;
		if (*end == 'B')
			end++;
	}
	if (*end || v * scale > 9e18)
		return 0;
	*bytes = (int64_t)(v * scale);
	return 1;
}

/* Whether v lies in a range like "[2,100]" or "(0,inf)". */
static int
in_range(double v, const char *range)
{
	char *end;
	double lo, hi;

	if (!range || (range[0] != '[' && range[0] != '('))
		return !isnan(v);
	lo = strtod(range + 1, &end);
	hi = strtod(end + 1, &end);
	return (range[0] == '[' ? v >= lo : v > lo) && (*end == ']' ? v <= hi : v < hi);
}

/* Whether s is one of the words of "a|b|c". */
static int
is_word(const char *s, const char *words)
{
	size_t n = strlen(s);

	for (const char *w = words; w; w = strchr(w, '|') ? strchr(w, '|') + 1 : NULL)
		if (strncmp(w, s, n) == 0 && (w[n] == '|' || w[n] == 0))
			return 1;
	return 0;
}

static int
bad(const struct opt *o, const char *s, const char *what, struct err *e)
{
	return err_set(e, ERR_USAGE, "--%s: '%s' %s", o->name, s, what);
}

static int
assign(const struct opt *o, const char *s, struct err *e)
{
	char want[200];
	double v = 0;
	int64_t i = 0;

	snprintf(want, sizeof want, "is not in %s", o->range);
	switch (o->type) {
	case OPT_FLAG:
		*(int *)o->dst = *s != 0;
		return 0;
	case OPT_INT:
		if (*s && !text_int(s, &i))
			return bad(o, s, "is no whole number", e);
		if (*s && !in_range((double)i, o->range))
			return bad(o, s, want, e);
		*(int64_t *)o->dst = i;
		return 0;
	case OPT_REAL:
		if (*s && !text_real(s, &v))
			return bad(o, s, "is no number", e);
		if (*s && !in_range(v, o->range))
			return bad(o, s, want, e);
		*(double *)o->dst = v;
		return 0;
	case OPT_SIZE:
		if (*s && !opt_size(s, &i))
			return bad(o, s, "is no size (like 500M or 2G)", e);
		if (*s && !in_range((double)i, o->range))
			return bad(o, s, want, e);
		*(int64_t *)o->dst = i;
		return 0;
	case OPT_STR:
	case OPT_FILE:
		snprintf(want, sizeof want, "is none of %s", o->range);
		if (o->range[0] && *s && !is_word(s, o->range))
			return bad(o, s, want, e);
		if (o->type == OPT_FILE && *s) {
			static char name[8][64];
			static int used;

			/* It is read, and once more for provenance. */
			if (used < 8)
				s = file_again(s, name[used++], e);
		}
		*(const char **)o->dst = *s ? s : NULL;
		return e->code;
	case OPT_LIST:
		if (*s)
			strs_add(o->dst, s, strlen(s));
		return 0;
	default:
		return 0;
	}
}

static const struct opt *
find(const struct opt *t, char key, const char *name, size_t n)
{
	for (; t && t->name; t++)
		if (name ? strncmp(t->name, name, n) == 0 && !t->name[n] : t->key && t->key == key)
			return t;
	return NULL;
}

static int
set_option(const struct opt *o, const char *s, struct err *e)
{
	if (o->type != OPT_FLAG && !*s)
		return bad(o, s, "is empty", e);
	strs_add(&given, o->name, strlen(o->name));
	return assign(o, s, e);
}

/* --name, --name=value, --name value; returns the arguments used. */
static int
long_option(const struct opt *own, const struct opt *common, char **argv, int left, struct err *e)
{
	const char *name = argv[0] + 2, *eq = strchr(name, '=');
	size_t n = eq ? (size_t)(eq - name) : strlen(name);
	const struct opt *o = find(own, 0, name, n);
	struct strs all = {0};
	const char *near;
	char key[80];

	if (!o)
		o = find(common, 0, name, n);
	if (!o) {
		for (const struct opt *t = own; t && t->name; t++)
			strs_add(&all, t->name, strlen(t->name));
		for (const struct opt *t = common; t && t->name; t++)
			strs_add(&all, t->name, strlen(t->name));
		snprintf(key, sizeof key, "%.*s", (int)(n < 70 ? n : 70), name);
		near = str_nearest(key, &all);
		err_set(e, ERR_USAGE, "there is no option --%s%s%s%s", key, near ? "; did you mean --" : "", near ? near : "",
		    near ? "?" : "; see --help");
		strs_clear(&all);
		return 1;
	}
	if (o->type == OPT_FLAG) {
		if (eq)
			err_set(e, ERR_USAGE, "--%s takes no value", o->name);
		else
			set_option(o, "1", e);
		return 1;
	}
	if (eq) {
		set_option(o, eq + 1, e);
		return 1;
	}
	if (left < 2) {
		err_set(e, ERR_USAGE, "--%s needs a value: %s", o->name, o->arg);
		return 1;
	}
	set_option(o, argv[1], e);
	return 2;
}

/* -abc or -kVALUE or -k VALUE; returns the arguments used. */
static int
short_options(const struct opt *own, const struct opt *common, char **argv, int left, struct err *e)
{
	for (const char *p = argv[0] + 1; *p && !e->code; p++) {
		const struct opt *o = find(own, *p, NULL, 0);

		if (!o)
			o = find(common, *p, NULL, 0);
		if (!o) {
			err_set(e, ERR_USAGE, "there is no option -%c; see --help", *p);
		} else if (o->type == OPT_FLAG) {
			set_option(o, "1", e);
		} else if (p[1]) {
			set_option(o, p + 1, e);
			return 1;
		} else if (left < 2) {
			err_set(e, ERR_USAGE, "-%c needs a value: %s", *p, o->arg);
		} else {
			set_option(o, argv[1], e);
			return 2;
		}
	}
	return 1;
}

int
opt_parse(const struct opt *own, const struct opt *common, int argc, char **argv, char **rest, struct err *e)
{
	int n = 0, ends = 0;

	for (const struct opt *o = common; o && o->name; o++)
		assign(o, o->def, e);
	for (const struct opt *o = own; o && o->name; o++) {
		assign(o, o->def, e);
		BUG_IF(e->code);
	}
	for (int i = 1; i < argc && !e->code; ) {
		const char *a = argv[i];

		if (ends || a[0] != '-' || !a[1]) {
			rest[n++] = argv[i++];
		} else if (strcmp(a, "--") == 0) {
			ends = 1;
			i++;
		} else if (a[1] == '-') {
			i += long_option(own, common, argv + i, argc - i, e);
		} else {
			i += short_options(own, common, argv + i, argc - i, e);
		}
	}
	return e->code ? -1 : n;
}

/* The help text and the default. */
static void
help_text(const struct opt *o, struct str *out)
{
	str_add(out, o->help);
	if (o->def && *o->def)
		str_addf(out, " [%s]", o->def);
}

void
opt_help(const struct opt *o, struct str *out)
{
	for (; o && o->name; o++) {
		char left[100];

		snprintf(left, sizeof left, "%s%c%s--%s%s%s", o->key ? "-" : " ", o->key ? o->key : ' ', o->key ? ", " : "  ",
		    o->name, o->type == OPT_FLAG ? "" : " ", o->type == OPT_FLAG ? "" : o->arg);
		str_addf(out, "  %-30s ", left);
		if (strlen(left) > 30)
			str_addf(out, "\n%33s", "");
		help_text(o, out);
		str_add(out, "\n");
	}
}

void
opt_mdoc(const struct opt *o, struct str *out)
{
	for (; o && o->name; o++) {
		str_add(out, ".It");
		if (o->key)
			str_addf(out, " Fl %c ,", o->key);
		str_addf(out, " Fl Fl %s", o->name);
		if (o->type != OPT_FLAG)
			str_addf(out, " Ar %s", o->arg);
		str_add(out, "\n");
	}
}

void
opt_tsv(const struct opt *o, struct str *out)
{
	for (; o && o->name; o++)
		str_addf(out, "%c\t%s\t%s\t%s\t%s\t%s\n", o->key ? o->key : '-', o->name, o->type == OPT_FLAG ? "" : o->arg,
		    o->range, o->def, o->help);
}

/* Hash of a file's bytes, for provenance. */
static uint64_t
file_hash(const char *path, struct err *e)
{
	int fd = file_open(path, e);
	char buf[65536];
	uint64_t h = 0;
	int64_t n;

	if (fd < 0)
		return 0;
	while ((n = file_read(fd, buf, sizeof buf, e)) > 0)
		h = rng_hash(buf, (uint64_t)n, h);
	close(fd);
	return h;
}

static void
value(const struct opt *o, struct str *out, struct err *e)
{
	const char *s;

	switch (o->type) {
	case OPT_FLAG:
		if (*(int *)o->dst)
			str_addf(out, "%s=yes\n", o->name);
		break;
	case OPT_INT:
	case OPT_SIZE:
		str_addf(out, "%s=%lld\n", o->name, (long long)*(int64_t *)o->dst);
		break;
	case OPT_REAL:
		str_addf(out, "%s=%.17g\n", o->name, *(double *)o->dst);
		break;
	case OPT_STR:
		s = *(const char **)o->dst;
		if (s)
			str_addf(out, "%s=%s\n", o->name, s);
		break;
	case OPT_FILE:
		s = *(const char **)o->dst;
		if (s)
			str_addf(out, "%s=hash:%016llx\n", o->name, (unsigned long long)file_hash(s, e));
		break;
	case OPT_LIST:
		for (int64_t i = 0; i < ((struct strs *)o->dst)->n; i++)
			str_addf(out, "%s=%s\n", o->name, strs_get(o->dst, i));
		break;
	default:
		break;
	}
}

void
opt_values(const struct opt *table, struct str *out, struct err *e)
{
	for (const struct opt *o = table; o && o->name; o++)
		if (!o->silent)
			value(o, out, e);
}

/* The lines of one option in values, or what it is now. */
static void
lines_of(const struct opt *o, const char *values, struct str *out, struct err *e)
{
	size_t n = strlen(o->name);

	if (!values) {
		value(o, out, e);
		return;
	}
	for (const char *p = values; *p; p += strcspn(p, "\n"), p += *p == '\n')
		if (strncmp(p, o->name, n) == 0 && p[n] == '=')
			str_addn(out, p, strcspn(p, "\n") + 1);
}

int
opt_restore(const struct opt *o, const char *values, const char *who, struct err *e)
{
	struct str then = {0}, now = {0};

	for (; o && o->name && !e->code; o++) {
		if (o->silent)
			continue;
		then.n = now.n = 0;
		str_addn(&then, "", 0);
		str_addn(&now, "", 0);
		lines_of(o, values, &then, e);
		lines_of(o, NULL, &now, e);
		if (strcmp(then.s, now.s) == 0)
			continue;
		if (opt_given(o->name))
			err_set(e, ERR_USAGE, "--%s: %s was made with %s", o->name, who, then.n ? "another one" : "none");
		else if (o->type == OPT_FILE || o->type == OPT_LIST)
			err_set(e, ERR_USAGE, "--%s: %s was made with one; give it again", o->name, who);
		else if (o->type == OPT_FLAG || !then.n)
			assign(o, then.n ? "1" : "", e);
		else {
			const char *s = then.s + strlen(o->name) + 1;

			then.s[then.n - 1] = 0;
			assign(o, o->type == OPT_STR ? mem_strdup(s) : s, e);   /* a string is kept to the end, like argv */
		}
	}
	str_clear(&then);
	str_clear(&now);
	return e->code;
}
