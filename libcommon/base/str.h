/* str - a growing string, a list of strings, and a map from string to number
 *
 * = {0} is the empty value of each; x_clear frees and leaves it empty.
 */
#ifndef OVX_STR_H
#define OVX_STR_H

#include <stddef.h>
#include <stdint.h>

struct str {
	char *s;                /* NUL-terminated once anything was added; may be NULL */
	size_t n, cap;
};

void str_add(struct str *t, const char *s);
void str_addn(struct str *t, const void *s, size_t n);
void str_addf(struct str *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* As one cell of a TSV: tab, line ends and backslash as \t, \n, \r and \\. */
void str_add_cell(struct str *t, const char *s);
void str_clear(struct str *t);

/* n strings in one buffer: string i is buf[at[i]] .. buf[at[i + 1] - 2], each with a NUL behind it. */
struct strs {
	int64_t n, cap;
	int64_t *at;            /* [n + 1] offsets into buf */
	struct str buf;
};

const char *strs_get(const struct strs *l, int64_t i);
size_t strs_len(const struct strs *l, int64_t i);
void strs_add(struct strs *l, const char *s, size_t n);
/* Makes the room just that of n strings of so many bytes in all, NULs left out; gives back what is over.  What is there stays. */
void strs_room(struct strs *l, int64_t n, size_t bytes);
/* The same unless it is there already; looks at all: for short lists. */
void strs_add_new(struct strs *l, const char *s, size_t n);
void strs_clear(struct strs *l);

/* Numbers under names; open addressing, 16 bytes a slot and no copy of the
 * names, which must stay where they are. */
struct map {
	const char **key;
	int64_t *val;
	int64_t n, cap;
};

/* The value under s, or -1. */
int64_t map_get(const struct map *m, const char *s);
/* Sets a value >= 0; returns what was there before, or -1. */
int64_t map_put(struct map *m, const char *s, int64_t v);
void map_clear(struct map *m);
/* All of a list: name -> its number (the first of equal ones).  Returns the
 * number of a name that stands there twice, or -1. */
int64_t map_of(struct map *m, const struct strs *l);

/* Nearest of the names in list to s by edits, or NULL when none is near: for "did you mean". */
const char *str_nearest(const char *s, const struct strs *list);

#endif
