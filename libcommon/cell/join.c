/* join - see join.h */
#include "cell/join.h"

#include <stdio.h>
#include <string.h>
#include "base/mem.h"

/* Text and codes of a column of any type as categories. */
static void
to_categories(struct column *k)
{
	struct strs some = {0};
	struct str t = {0};
	uint8_t *there = mem_new(uint8_t, k->n);
	struct column c;

	for (int64_t r = 0; r < k->n; r++) {
		if (column_missing(k, r))
			continue;
		t.n = 0;
		if (k->dtype == DT_BOOL)
			str_add(&t, k->b[r] ? "True" : "False");
		else
			column_text(k, r, &t);
		there[r] = t.n > 0;
		if (t.n)
			strs_add(&some, t.s, t.n);
	}
	column_factor_some(&c, &some, there, k->n);
	column_clear(k);
	*k = c;
	strs_clear(&some);
	str_clear(&t);
	mem_free(there);
}

/* A column of text over all inputs: one list of the categories that any cell has. */
static void
join_text(struct set *const *part, int n_part, const char *path, struct column *c, struct err *e)
{
	struct column *k = mem_new(struct column, n_part), f = {0};
	struct strs name = {0};
	struct map seen = {0};
	int64_t n = 0;

	for (int i = 0; i < n_part && !e->code; i++)
		if (set_find(part[i], path) && set_column(part[i], path, &k[i], e) == 0 && k[i].dtype != DT_CAT)
			to_categories(&k[i]);
	for (int i = 0; i < n_part && !e->code; i++) {
		int32_t *to = mem_new(int32_t, k[i].cat.n);

		memset(to, 0xff, (size_t)k[i].cat.n * sizeof *to);
		for (int64_t r = 0; r < part[i]->axis[AXIS_OBS].n; r++, n++) {
			int32_t code = k[i].n ? k[i].i32[r] : -1;
			const char *s = code < 0 ? "" : strs_get(&k[i].cat, code);

			c->i32[n] = -1;
			if (!*s)
				continue;
			if (to[code] < 0) {
				to[code] = (int32_t)map_get(&seen, s);
				if (to[code] < 0) {
					map_put(&seen, s, to[code] = (int32_t)name.n);
					strs_add(&name, s, strlen(s));
				}
			}
			c->i32[n] = to[code];
		}
		mem_free(to);
	}
	column_factor(&f, &name);
	for (int64_t i = 0; i < n; i++)
		if (c->i32[i] >= 0)
			c->i32[i] = f.i32[c->i32[i]];
	c->cat = f.cat;
	memset(&f.cat, 0, sizeof f.cat);
	for (int i = 0; i < n_part; i++)
		column_clear(&k[i]);
	column_clear(&f);
	mem_free(k);
	strs_clear(&name);
	map_clear(&seen);
}

/* A column of numbers or booleans, or of unique text, in the type of all. */
static void
join_values(struct set *const *part, int n_part, const char *path, struct column *c, int64_t *rounded, struct err *e)
{
	int64_t at = 0;

	for (int i = 0; i < n_part && !e->code; i++) {
		struct set *s = part[i];
		int there = set_find(s, path) != NULL;
		struct column k = {0};

		if (there)
			set_column(s, path, &k, e);
		for (int64_t r = 0; r < s->axis[AXIS_OBS].n && !e->code; r++, at++) {
			if (c->dtype == DT_STR) {
				strs_add(&c->str, there ? strs_get(&k.str, r) : "", there ? strs_len(&k.str, r) : 0);
				if (c->na)
					c->b[at] = !there || column_missing(&k, r);
				continue;
			}
			column_copy(c, at, there ? &k : NULL, r);
			*rounded += c->dtype == DT_F64 && k.dtype == DT_I64 && !column_missing(&k, r) &&
			    (k.i64[r] > 1LL << 53 || k.i64[r] < -(1LL << 53));
		}
		column_clear(&k);
	}
}

int
join_obs(struct set *to, struct set *const *part, int n_part, const char *path, struct err *e)
{
	struct column c;
	int dtype = -1, na = 0, text = 1, absent = 0;
	int64_t n = to->axis[AXIS_OBS].n, rounded = 0;

	for (int i = 0; i < n_part; i++) {
		struct item *it = set_find(part[i], path);

		if (!it) {
			absent = 1;
			continue;
		}
		na |= head_get(&it->s->head, "na") != NULL;
		text &= it->s->head.dtype == DT_STR;
		dtype = dtype < 0 ? it->s->head.dtype : column_join(dtype, it->s->head.dtype);
	}
	na |= absent;
	if (dtype == DT_I32 && na)
		dtype = DT_I64;
	if (text)
		dtype = DT_STR;
	column_init(&c, dtype, n);
	if (dtype == DT_CAT) {
		join_text(part, n_part, path, &c, e);
	} else {
		c.na = na && (dtype == DT_BOOL || dtype == DT_I64 || dtype == DT_STR);
		if (dtype == DT_STR && na)
			c.b = mem_new(uint8_t, c.n);
		join_values(part, n_part, path, &c, &rounded, e);
	}
	if (rounded && to->warn) {
		char msg[400];

		snprintf(msg, sizeof msg, "%.200s: %lld whole numbers beyond 2^53 were rounded, because another input has real "
		    "numbers there", path, (long long)rounded);
		to->warn(msg);
	}
	set_put_column(to, path, &c, "", e);
	column_clear(&c);
	return e->code;
}

/* Takes the values of one input for the genes of the result; 0 when they differ from
 * what another has there.  text [genes] for strings and categories. */
static int
take_var(const int32_t *where, const struct column *k, struct column *c, uint8_t *have, char **text)
{
	for (int64_t g = 0; g < k->n; g++) {
		int32_t at = where[g];

		if (at < 0)
			continue;
		if (text) {
			const char *s = column_missing(k, g) ? NULL : column_string(k, g);

			if (have[at] && (!s != !text[at] || (s && strcmp(s, text[at]))))
				return 0;
			if (!have[at] && s)
				text[at] = mem_strdup(s);
		} else if (have[at]) {
			int missing = column_missing(c, at);
			double x = column_number(c, at), y = column_number(k, g);

			if (missing != column_missing(k, g) || (!missing && (k->dtype == DT_I64 ? k->i64[g] != c->i64[at] : x != y)))
				return 0;
		} else {
			column_copy(c, at, k, g);
		}
		have[at] = 1;
	}
	return 1;
}

/* Strings that are all there, or categories, from text [n], NULL = missing. */
static void
text_column(struct column *c, int dtype, int na, char **text, int64_t n)
{
	struct strs some = {0};
	uint8_t *there = mem_new(uint8_t, n);

	for (int64_t g = 0; g < n; g++) {
		there[g] = text[g] != NULL;
		if (there[g] || dtype == DT_STR)
			strs_add(&some, there[g] ? text[g] : "", there[g] ? strlen(text[g]) : 0);
	}
	if (dtype == DT_CAT) {
		column_factor_some(c, &some, there, n);
		strs_clear(&some);
	} else {
		*c = (struct column){ .dtype = DT_STR, .n = n, .na = na, .str = some };
		if (na)
			c->b = mem_new(uint8_t, n);
		for (int64_t g = 0; g < n && na; g++)
			c->b[g] = !there[g];
	}
	mem_free(there);
}

int
join_var(struct set *to, struct set *const *part, const int32_t *const *where, int n_part, int64_t n_gene, const char *path,
	struct err *e)
{
	struct column c = {0}, k;
	uint8_t *have = mem_new(uint8_t, n_gene);
	char **text = NULL;
	int equal = 1, na = 0, dtype = set_find(part[0], path)->s->head.dtype;

	for (int i = 0; i < n_part && equal; i++) {
		struct item *it = set_find(part[i], path);

		equal = it && it->s->head.dtype == dtype;
		na |= equal && head_get(&it->s->head, "na");
	}
	if (dtype == DT_STR || dtype == DT_CAT)
		text = mem_new(char *, n_gene);
	else if (equal)
		column_init(&c, dtype, n_gene);
	c.na = na;
	for (int i = 0; i < n_part && equal && set_column(part[i], path, &k, e) == 0; i++) {
		equal = take_var(where[i], &k, &c, have, text);
		column_clear(&k);
	}
	if (equal && text && !e->code)
		text_column(&c, dtype, na, text, n_gene);
	if (equal)
		set_put_column(to, path, &c, "", e);
	for (int64_t g = 0; g < n_gene && text; g++)
		mem_free(text[g]);
	mem_free(text);
	mem_free(have);
	column_clear(&c);
	return e->code;
}

/* Bytes of the strings of a column of text; *item: how many. */
static int64_t
text_bytes(struct sect *t, int64_t *item, struct err *e)
{
	int64_t text = 0;

	in_heads(t, e);
	*item = 0;
	for (int64_t i = 0; i < t->n_block && !e->code; i++) {
		text += t->block[i].n_item;
		*item += t->block[i].prelude || t->head.dtype == DT_STR ? t->block[i].n_row : 0;
	}
	return text;
}

int64_t
join_bytes(struct set *const *part, int n_part, int axis, const char *path, struct err *e)
{
	int64_t n = 0, text = 0, item = 0, k;
	int plain = 1, number = 1;

	for (int i = 0; i < n_part; i++) {
		struct item *it = set_find(part[i], path);
		int dtype = it ? it->s->head.dtype : DT_NONE;

		n += part[i]->axis[axis].n;
		plain &= !it || dtype == DT_STR;
		number &= dtype != DT_STR && dtype != DT_CAT;
		if (dtype == DT_STR || dtype == DT_CAT) {
			text += text_bytes(it->s, &k, e);
			item += k;
		}
	}
	if (number)
		return 16 * n;
	/* Plain: what was read, and the result; else also in a map, and sorted. */
	return plain && axis == AXIS_OBS ? 2 * text + 20 * n : 8 * n + 4 * text + 200 * item;
}
