/* help - see help.h */
#include "app/help.h"

#include <stdio.h>
#include <string.h>
#include "os/file.h"

/* --dump is for scripts. */
static void
hide(struct opt *common)
{
	for (struct opt *o = common; o->name; o++)
		if (strcmp(o->name, "dump") == 0)
			memset(o, 0, sizeof *o);
}

int
help_out(const struct str *t)
{
	struct err e = {0};

	return file_write(1, t->s ? t->s : "", t->n, &e) ? 1 : 0;
}

int
help_print(const struct tool *t, struct opt *common)
{
	struct str s = {0};
	int bad;

	str_addf(&s, "%s - %s\n\nusage: %s [options] %s\n", t->name, t->summary, t->name, t->args);
	if (t->reads && *t->reads)
		str_addf(&s, "reads:  %s\n", t->reads);
	if (t->writes && *t->writes)
		str_addf(&s, "writes: %s\n", t->writes);
	if (t->commands)
		str_add(&s, "\n");
	for (const struct tool *const *k = t->commands; k && *k; k++)
		str_addf(&s, "  %-30s %s\n", (*k)->name, (*k)->summary);
	str_add(&s, "\n");
	opt_help(t->opts, &s);
	str_add(&s, "\n");
	hide(common);
	opt_help(common, &s);
	str_addf(&s, "\nman %.*s tells more\n", (int)strcspn(t->name, " "), t->name);
	bad = help_out(&s);
	str_clear(&s);
	return bad;
}

/* bash completion: one function, commands and long options by name, files otherwise. */
static void
completion(const struct tool *t, const struct opt *common, struct str *s)
{
	str_addf(s, "complete -o default -W '");
	for (const struct tool *const *k = t->commands; k && *k; k++)
		str_addf(s, "%s ", app_command(*k));
	for (const struct opt *o = t->opts; o && o->name; o++)
		str_addf(s, "--%s ", o->name);
	for (const struct tool *const *k = t->commands; k && *k; k++)
		for (const struct opt *o = (*k)->opts; o && o->name; o++)
			str_addf(s, "--%s ", o->name);
	for (const struct opt *o = common; o->name; o++)
		str_addf(s, "--%s ", o->name);
	str_addf(s, "' %s\n", t->name);
}

int
help_dump(const struct tool *t, struct opt *common, const char *asked)
{
	static const char *const shape[] = { "filter", "source", "sink", "variants" };
	char what[16];
	struct str s = {0};
	int bad;

	snprintf(what, sizeof what, "%s", asked);
	hide(common);
	if (strcmp(what, "mdoc") == 0) {
		opt_mdoc(t->opts, &s);
		/* A page tells what all commands have in common once, with the tool's own options. */
		if (app_command(t) == t->name)
			opt_mdoc(common, &s);
	} else if (strcmp(what, "commands") == 0) {
		for (const struct tool *const *k = t->commands; k && *k; k++)
			str_addf(&s, "%s\n", app_command(*k));
	} else if (strcmp(what, "tsv") == 0) {
		opt_tsv(t->opts, &s);
		opt_tsv(common, &s);
	} else if (strcmp(what, "bash") == 0) {
		completion(t, common, &s);
	} else {
		str_addf(&s, "shape\t%s\nfixture\t%s\nargs\t%s\nflags\t%d\n", shape[t->shape], t->fixture ? t->fixture : "",
		    t->fixture_args ? t->fixture_args : "", t->flags);
	}
	bad = help_out(&s);
	str_clear(&s);
	return bad;
}

