/* expr - see expr.h: recursive descent to a tree, evaluated row by row */
#include "base/expr.h"

#include <ctype.h>
#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

enum op { OP_OR, OP_AND, OP_NOT, OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, OP_MATCH, OP_IN, OP_ADD, OP_SUB, OP_MUL,
	OP_DIV, OP_NEG, OP_NUM, OP_STR, OP_COL, OP_ABS, OP_LOG, OP_LOG1P, OP_SQRT, OP_MISSING };

struct expr {
	enum op op;
	struct expr *a, *b;
	double x;
	char *s;
	int col;
	int negate;
	regex_t re;
	struct strs list;
};

struct parser {
	const char *text, *p;
	expr_name_fn *name;
	void *ctx;
	struct err *e;
	int depth;
	int n_sign;             /* operators in rows: the tree is as deep */
};

#define MOST_SIGNS 5000

static struct expr *parse_or(struct parser *q);

static struct expr *
node(enum op op, struct expr *a, struct expr *b)
{
	struct expr *x = mem_new(struct expr, 1);

	x->op = op;
	x->a = a;
	x->b = b;
	return x;
}

void
expr_free(struct expr *x)
{
	if (!x)
		return;
	expr_free(x->a);
	expr_free(x->b);
	if (x->op == OP_MATCH)
		regfree(&x->re);
	strs_clear(&x->list);
	mem_free(x->s);
	mem_free(x);
}

static void
blanks(struct parser *q)
{
	while (isspace((unsigned char)*q->p))
		q->p++;
}

static int
is_name(int c, int first)
{
	return isalpha(c) || c == '_' || c >= 0x80 || (!first && (isdigit(c) || c == '.' || c == '/'));
}

/* Takes a sign or word; a word must not go on. */
static int
take(struct parser *q, const char *s)
{
	size_t n = strlen(s);

	blanks(q);
	if (strncmp(q->p, s, n) || (isalpha((unsigned char)*s) && is_name((unsigned char)q->p[n], 0)))
		return 0;
	q->p += n;
	return 1;
}

static struct expr *
fail(struct parser *q, const char *what)
{
	err_set(q->e, ERR_USAGE, "expression: %s at '%.40s' in '%.200s'", what, q->p, q->text);
	return NULL;
}

/* Whether a row of operators may go on: eval and expr_free recurse as deep. */
static int
more(struct parser *q)
{
	if (!q->e->code && ++q->n_sign > MOST_SIGNS)
		fail(q, "too long");
	return !q->e->code;
}

/* A quoted string, the opening quote being at p. */
static char *
quoted(struct parser *q)
{
	char end = *q->p++;
	struct str t = {0};

	while (*q->p && *q->p != end) {
		if (*q->p == '\\' && q->p[1])
			q->p++;
		str_addn(&t, q->p++, 1);
	}
	str_addn(&t, "", 0);
	if (!*q->p) {
		fail(q, "a quote is not closed");
		return t.s;
	}
	q->p++;
	return t.s;
}

static struct expr *
column(struct parser *q, char *name)
{
	struct expr *x = node(OP_COL, NULL, NULL);

	x->col = q->name(q->ctx, name, q->e);
	mem_free(name);
	return x;
}

static struct expr *
parse_word(struct parser *q)
{
	static const struct { const char *name; enum op op; } func[] = {
		{ "abs", OP_ABS }, { "log1p", OP_LOG1P }, { "log", OP_LOG }, { "sqrt", OP_SQRT }, { "missing", OP_MISSING }
	};
	const char *start = q->p;
	struct expr *x;

	for (size_t i = 0; i < sizeof func / sizeof *func; i++) {
		if (!take(q, func[i].name))
			continue;
		if (!take(q, "(")) {
			q->p = start;
			break;
		}
		x = node(func[i].op, parse_or(q), NULL);
		if (!q->e->code && !take(q, ")"))
			fail(q, "a ) is missing");
		return x;
	}
	for (int v = 0; v < 2; v++)
		if (take(q, v ? "true" : "false") || take(q, v ? "True" : "False")) {
			x = node(OP_NUM, NULL, NULL);
			x->x = v;
			return x;
		}
	while (is_name((unsigned char)*q->p, q->p == start))
		q->p++;
	return column(q, mem_strndup(start, (size_t)(q->p - start)));
}

static struct expr *
parse_unary(struct parser *q)
{
	struct expr *x;
	char *end;

	blanks(q);
	if (q->e->code || ++q->depth > 200)
		return q->e->code ? NULL : fail(q, "too deep");
	if (take(q, "-")) {
		x = node(OP_NEG, parse_unary(q), NULL);
	} else if (take(q, "(")) {
		x = parse_or(q);
		if (!q->e->code && !take(q, ")"))
			fail(q, "a ) is missing");
	} else if (*q->p == '"' || *q->p == '\'') {
		x = node(OP_STR, NULL, NULL);
		x->s = quoted(q);
	} else if (*q->p == '`') {
		x = column(q, quoted(q));
	} else if (isdigit((unsigned char)*q->p) || *q->p == '.') {
		x = node(OP_NUM, NULL, NULL);
		x->x = strtod(q->p, &end);
		if (end == q->p || is_name((unsigned char)*end, 1))
			fail(q, "no number");
		q->p = end;
	} else if (is_name((unsigned char)*q->p, 1)) {
		x = parse_word(q);
	} else {
		x = fail(q, *q->p ? "something is wrong" : "something is missing");
	}
	q->depth--;
	return x;
}

static struct expr *
parse_term(struct parser *q)
{
	struct expr *x = parse_unary(q);

	while (!q->e->code) {
		if (take(q, "*") && more(q))
			x = node(OP_MUL, x, parse_unary(q));
		else if (take(q, "/") && more(q))
			x = node(OP_DIV, x, parse_unary(q));
		else
			break;
	}
	return x;
}

static struct expr *
parse_sum(struct parser *q)
{
	struct expr *x = parse_term(q);

	while (!q->e->code) {
		if (take(q, "+") && more(q))
			x = node(OP_ADD, x, parse_term(q));
		else if (take(q, "-") && more(q))
			x = node(OP_SUB, x, parse_term(q));
		else
			break;
	}
	return x;
}

static struct expr *
parse_list(struct parser *q, struct expr *a, int negate)
{
	struct expr *x = node(OP_IN, a, NULL);

	x->negate = negate;
	if (!take(q, "("))
		fail(q, "a list in ( ) is missing");
	while (!q->e->code) {
		blanks(q);
		if (*q->p == '"' || *q->p == '\'') {
			char *s = quoted(q);

			strs_add(&x->list, s, strlen(s));
			mem_free(s);
		} else {
			const char *start = q->p;

			while (*q->p && !strchr(",) \t", *q->p))
				q->p++;
			if (q->p == start)
				fail(q, "a value is missing");
			strs_add(&x->list, start, (size_t)(q->p - start));
		}
		if (take(q, ")"))
			break;
		if (!q->e->code && !take(q, ","))
			fail(q, "a , or ) is missing");
	}
	return x;
}

static struct expr *
parse_match(struct parser *q, struct expr *a, int negate)
{
	struct expr *x;
	char *s;

	blanks(q);
	if (*q->p != '"' && *q->p != '\'') {
		fail(q, "a quoted pattern is missing");
		return a;
	}
	s = quoted(q);
	x = node(OP_IN, a, NULL);       /* until the pattern is compiled */
	x->negate = negate;
	if (!q->e->code && regcomp(&x->re, s, REG_EXTENDED | REG_NOSUB))
		fail(q, "no regular expression");
	else if (!q->e->code)
		x->op = OP_MATCH;
	mem_free(s);
	return x;
}

static struct expr *
parse_cmp(struct parser *q)
{
	static const struct { const char *s; enum op op; } sign[] = {
		{ "==", OP_EQ }, { "<=", OP_LE }, { ">=", OP_GE }, { "=", OP_EQ }, { "<", OP_LT }, { ">", OP_GT }
	};
	struct expr *x = parse_sum(q);
	const char *start;

	if (q->e->code)
		return x;
	if (take(q, "!~"))
		return parse_match(q, x, 1);
	if (take(q, "!="))
		return node(OP_NE, x, parse_sum(q));
	if (take(q, "~"))
		return parse_match(q, x, 0);
	if (take(q, "in"))
		return parse_list(q, x, 0);
	start = q->p;
	if (take(q, "not")) {
		if (take(q, "in"))
			return parse_list(q, x, 1);
		q->p = start;
	}
	for (size_t i = 0; i < sizeof sign / sizeof *sign; i++)
		if (take(q, sign[i].s))
			return node(sign[i].op, x, parse_sum(q));
	return x;
}

static struct expr *
parse_not(struct parser *q)
{
	const char *start;

	blanks(q);
	start = q->p;
	if (q->e->code || ++q->depth > 200)
		return q->e->code ? NULL : fail(q, "too deep");
	if (take(q, "not") || (*q->p == '!' && q->p[1] != '=' && q->p[1] != '~' && take(q, "!"))) {
		struct expr *x = node(OP_NOT, parse_not(q), NULL);

		q->depth--;
		return x;
	}
	q->p = start;
	q->depth--;
	return parse_cmp(q);
}

static struct expr *
parse_and(struct parser *q)
{
	struct expr *x = parse_not(q);

	while ((take(q, "&&") || take(q, "and") || take(q, "&")) && more(q))
		x = node(OP_AND, x, parse_not(q));
	return x;
}

static struct expr *
parse_or(struct parser *q)
{
	struct expr *x = parse_and(q);

	while ((take(q, "||") || take(q, "or") || take(q, "|")) && more(q))
		x = node(OP_OR, x, parse_and(q));
	return x;
}

struct expr *
expr_parse(const char *text, expr_name_fn *name, void *ctx, struct err *e)
{
	struct parser q = { text, text, name, ctx, e, 0, 0 };
	struct expr *x = parse_or(&q);

	blanks(&q);
	if (!e->code && *q.p)
		fail(&q, "something is left over");
	if (e->code) {
		expr_free(x);
		return NULL;
	}
	return x;
}

struct eval {
	expr_value_fn *value;
	void *ctx;
	int64_t i;
	int open;               /* what depends on a missing value is missing, not false */
};

static struct value eval(const struct expr *x, const struct eval *v);

static struct value
number(double x)
{
	struct value v = { 0, isnan(x), x, NULL };

	return v;
}

static int
truth(const struct value *v)
{
	return !v->missing && (v->is_text ? *v->s != 0 : v->x != 0);
}

/* A value as text, for comparing with text. */
static const char *
as_text(const struct value *v, char buf[40])
{
	if (v->is_text)
		return v->s;
	snprintf(buf, 40, "%.15g", v->x);
	return buf;
}

/* 1, 0, or NAN for unknown. */
static double
compare(const struct expr *x, const struct eval *v)
{
	struct value a = eval(x->a, v), b = eval(x->b, v);
	char ta[40], tb[40];
	double d;

	if (a.missing || b.missing)
		return v->open ? NAN : 0;
	d = a.is_text || b.is_text ? strcmp(as_text(&a, ta), as_text(&b, tb)) : a.x < b.x ? -1 : a.x > b.x;
	switch (x->op) {
	case OP_EQ:
		return d == 0;
	case OP_NE:
		return d != 0;
	case OP_LT:
		return d < 0;
	case OP_LE:
		return d <= 0;
	case OP_GT:
		return d > 0;
	default:
		return d >= 0;
	}
}

static double
member(const struct expr *x, const struct eval *v)
{
	struct value a = eval(x->a, v);
	char t[40];
	const char *s;

	if (a.missing)
		return v->open ? NAN : 0;
	s = as_text(&a, t);
	if (x->op == OP_MATCH)
		return (regexec(&x->re, s, 0, NULL, 0) == 0) != x->negate;
	for (int64_t i = 0; i < x->list.n; i++)
		if (strcmp(strs_get(&x->list, i), s) == 0)
			return !x->negate;
	return x->negate;
}

static struct value
arithmetic(const struct expr *x, const struct eval *v)
{
	struct value a = eval(x->a, v), b = x->b ? eval(x->b, v) : number(0);

	if (a.missing || b.missing || a.is_text || b.is_text)
		return number(NAN);
	switch (x->op) {
	case OP_ADD:
		return number(a.x + b.x);
	case OP_SUB:
		return number(a.x - b.x);
	case OP_MUL:
		return number(a.x * b.x);
	case OP_DIV:
		return number(a.x / b.x);
	case OP_NEG:
		return number(-a.x);
	case OP_ABS:
		return number(fabs(a.x));
	case OP_LOG:
		return number(log(a.x));
	case OP_LOG1P:
		return number(log1p(a.x));
	default:
		return number(sqrt(a.x));
	}
}

static struct value
logic(const struct expr *x, const struct eval *v)
{
	struct value a = eval(x->a, v), b;
	int unknown = v->open && a.missing;

	if (x->op == OP_NOT)
		return number(unknown ? NAN : !truth(&a));
	if (!unknown && truth(&a) == (x->op == OP_OR))
		return number(x->op == OP_OR);
	b = eval(x->b, v);
	if (!(v->open && b.missing) && truth(&b) == (x->op == OP_OR))
		return number(x->op == OP_OR);
	return number(unknown || (v->open && b.missing) ? NAN : x->op == OP_AND);
}

static struct value
eval(const struct expr *x, const struct eval *v)
{
	switch (x->op) {
	case OP_NUM:
		return number(x->x);
	case OP_STR:
		return (struct value){ 1, 0, 0, x->s };
	case OP_COL:
		return v->value(v->ctx, x->col, v->i);
	case OP_MISSING:
		return number(eval(x->a, v).missing);
	case OP_NOT:
	case OP_AND:
	case OP_OR:
		return logic(x, v);
	case OP_MATCH:
	case OP_IN:
		return number(member(x, v));
	case OP_EQ:
	case OP_NE:
	case OP_LT:
	case OP_LE:
	case OP_GT:
	case OP_GE:
		return number(compare(x, v));
	default:
		return arithmetic(x, v);
	}
}

int
expr_true(const struct expr *x, expr_value_fn *value, void *ctx, int64_t i)
{
	struct eval v = { value, ctx, i, 0 };
	struct value r = eval(x, &v);

	return truth(&r);
}

int
expr_maybe(const struct expr *x, expr_value_fn *value, void *ctx, int64_t i)
{
	struct eval v = { value, ctx, i, 1 };
	struct value r = eval(x, &v);

	return r.missing || truth(&r);
}
