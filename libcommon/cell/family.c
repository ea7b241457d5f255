/* family - see family.h */
#include "cell/family.h"

#include <string.h>
#include <strings.h>
#include "base/mem.h"
#include "os/text.h"

static int
starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

static int
is_worm(const char *s)
{
	return starts(s, "ctc-") || starts(s, "nduo-") || starts(s, "ctb-");
}

/* Marks the mitochondrial genes; returns whether the names are those of mice. */
static int
mitochondrial(struct families *f, const struct strs *g)
{
	static const char *const cand[] = { "MT-", "mt-", "Mt-", "mt:", "ATMG" };
	int64_t hits[6] = {0};
	int best = 0;

	for (int64_t i = 0; i < g->n; i++) {
		for (int c = 0; c < 5; c++)
			hits[c] += starts(strs_get(g, i), cand[c]);
		hits[5] += is_worm(strs_get(g, i));
	}
	for (int c = 1; c < 6; c++)
		if (hits[c] > hits[best])
			best = c;
	for (int64_t i = 0; i < g->n; i++) {
		const char *s = strs_get(g, i);
		int in = best == 5 ? is_worm(s) : hits[best] ? starts(s, cand[best]) : strncasecmp(s, "MT-", 3) == 0;

		f->of[i] |= in ? 1u : 0;
	}
	return hits[best] && (best == 1 || best == 2);
}

/* ^HB[^(P)], less the two that are no haemoglobin; in the mouse ^Hb[^(p)]. */
static int
haemoglobin(const char *s, int mouse, int compat)
{
	if (!starts(s, mouse ? "Hb" : "HB") || !s[2] || s[2] == '(' || s[2] == ')' || s[2] == (mouse ? 'p' : 'P'))
		return 0;
	return compat || (strcasecmp(s, "HBEGF") && strcasecmp(s, "HBS1L"));
}

static int
from_file(struct families *f, const struct strs *g, const char *file, int bit, struct err *e)
{
	struct map m = {0};
	struct text t;

	if (text_open(&t, file, e))
		return e->code;
	map_of(&m, g);
	while (text_line(&t, e)) {
		int64_t i = map_get(&m, t.line);

		if (i >= 0)
			f->of[i] |= 1u << bit;
	}
	text_close(&t);
	map_clear(&m);
	return e->code;
}

static int
add_set(struct families *f, const struct strs *g, const char *text, struct err *e)
{
	const char *eq = strchr(text, '=');
	char *name;
	int bit = -1;

	if (!eq || eq == text || !eq[1] || memchr(text, '/', (size_t)(eq - text)))
		return err_set(e, ERR_USAGE, "--gene-set: '%s' is no NAME=PREFIX or NAME=@FILE", text);
	name = mem_strndup(text, (size_t)(eq - text));
	for (int i = 0; i < f->n; i++)
		if (strcmp(strs_get(&f->name, i), name) == 0)
			bit = i;
	if (bit < 0 && f->n == 32)
		err_set(e, ERR_USAGE, "--gene-set: more than 32 families");
	if (!e->code && bit < 0) {
		bit = f->n++;
		strs_add(&f->name, name, strlen(name));
	}
	mem_free(name);
	if (e->code)
		return e->code;
	for (int64_t i = 0; i < g->n; i++) {
		f->of[i] &= ~(1u << bit);
		if (eq[1] != '@' && starts(strs_get(g, i), eq + 1))
			f->of[i] |= 1u << bit;
	}
	return eq[1] == '@' ? from_file(f, g, eq + 2, bit, e) : 0;
}

int
families_find(struct families *f, const struct strs *g, const struct strs *sets, int compat, struct err *e)
{
	int mouse;

	memset(f, 0, sizeof *f);
	if (e->code)
		return e->code;
	f->of = mem_new(uint32_t, g->n);
	strs_add(&f->name, "mt", 2);
	strs_add(&f->name, "ribo", 4);
	strs_add(&f->name, "hb", 2);
	f->n = 3;
	mouse = mitochondrial(f, g) && !compat;
	for (int64_t i = 0; i < g->n; i++) {
		const char *s = strs_get(g, i);

		if (mouse ? starts(s, "Rps") || starts(s, "Rpl") : starts(s, "RPS") || starts(s, "RPL"))
			f->of[i] |= 2;
		if (haemoglobin(s, mouse, compat))
			f->of[i] |= 4;
	}
	for (int64_t i = 0; i < sets->n && !e->code; i++)
		add_set(f, g, strs_get(sets, i), e);
	for (int64_t i = 0; i < g->n; i++)
		for (int k = 0; k < f->n; k++)
			f->n_member[k] += f->of[i] >> k & 1;
	return e->code;
}

void
families_clear(struct families *f)
{
	strs_clear(&f->name);
	mem_free(f->of);
	memset(f, 0, sizeof *f);
}
