/* expr - the grammar of -e: conditions over named columns
 *
 *	or    := and { ("||" | "or") and }
 *	and   := not { ("&&" | "and") not }
 *	not   := ("!" | "not") not | cmp
 *	cmp   := sum [ ("==" | "=" | "!=" | "<" | "<=" | ">" | ">=") sum | ("~" | "!~") string
 *	         | ["not"] "in" "(" list ")" ]
 *	sum   := term { ("+" | "-") term }      term := unary { ("*" | "/") unary }
 *	unary := "-" unary | number | true | false | "string" | 'string' | name | `any name` | "(" or ")"
 *	         | func "(" or ")"              func: abs log log1p sqrt missing
 *
 * Names are letters, digits, "_", "." and "/", not starting with a digit.  Comparing a string
 * with a number compares texts.  A comparison with a missing value is false,
 * "!=" and "!~" too; missing(x) asks for it.  ~ is an extended regular expression.
 */
#ifndef OVX_EXPR_H
#define OVX_EXPR_H

#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

struct value {
	int is_text;
	int missing;
	double x;
	const char *s;          /* of text; stays valid until the next row */
};

/* Gives the number of a column by its name, or -1 with e set. */
typedef int expr_name_fn(void *ctx, const char *name, struct err *e);
/* Value of column col in row i. */
typedef struct value expr_value_fn(void *ctx, int col, int64_t i);

struct expr;

/* Parses text; ERR_USAGE with the place.  Names are looked up once, here. */
struct expr *expr_parse(const char *text, expr_name_fn *name, void *ctx, struct err *e);
/* Whether row i fulfils it.  A text value alone is true when it is not empty. */
int expr_true(const struct expr *x, expr_value_fn *value, void *ctx, int64_t i);
/* Whether row i fulfils it, or might: what depends on a missing value is neither true nor false (Kleene's logic: "unknown
 * and false" is false, "unknown or true" is true), and unknown counts as fulfilled. */
int expr_maybe(const struct expr *x, expr_value_fn *value, void *ctx, int64_t i);
void expr_free(struct expr *x);

#endif
