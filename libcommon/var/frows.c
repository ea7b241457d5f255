/* frows - see frows.h */
#include "var/frows.h"

#include <string.h>
#include "base/mem.h"

/* --- columns ----------------------------------------------------------------- */

static void
fcol_clear(struct fcol *c)
{
	mem_free(c->name);
	mem_free(c->tag);
	mem_free(c->number);
	mem_free(c->desc);
}

void
fcols_clear(struct fcols *f)
{
	for (int i = 0; i < f->n; i++)
		fcol_clear(&f->c[i]);
	mem_free(f->c);
	memset(f, 0, sizeof *f);
	f->ac = f->an = f->af = f->filter = -1;
}

int
fcols_add(struct fcols *f, const char *name, const char *tag, enum ftype type, enum fnumber kind, const char *number,
	const char *desc, int hidden)
{
	struct fcol *c;

	if (f->n == 0)
		f->ac = f->an = f->af = f->filter = -1;
	if (f->n == f->cap) {
		f->cap = 2 * f->cap + 16;
		f->c = mem_renew(f->c, struct fcol, f->cap);
	}
	c = &f->c[f->n];
	memset(c, 0, sizeof *c);
	c->name = mem_strdup(name);
	c->tag = mem_strdup(tag);
	c->number = mem_strdup(number ? number : "");
	c->desc = mem_strdup(desc ? desc : "");
	c->type = (uint8_t)type;
	c->kind = (uint8_t)kind;
	c->hidden = hidden != 0;
	c->num = c->den = c->whole = -1;
	return f->n++;
}

int
fcols_find(const struct fcols *f, const char *name)
{
	for (int i = 0; i < f->n; i++)
		if (!f->c[i].hidden && strcmp(f->c[i].name, name) == 0)
			return i;
	return -1;
}

void
fcols_copy(struct fcols *to, const struct fcols *from)
{
	memset(to, 0, sizeof *to);
	for (int i = 0; i < from->n; i++) {
		const struct fcol *c = &from->c[i];
		int k = fcols_add(to, c->name, c->tag, c->type, c->kind, c->number, c->desc, c->hidden);

		to->c[k].num = c->num;
		to->c[k].den = c->den;
		to->c[k].whole = c->whole;
	}
	to->ac = from->n ? from->ac : -1;
	to->an = from->n ? from->an : -1;
	to->af = from->n ? from->af : -1;
	to->filter = from->n ? from->filter : -1;
}

int
fcols_same(const struct fcols *a, const struct fcols *b)
{
	if (a->n != b->n)
		return 0;
	for (int i = 0; i < a->n; i++) {
		const struct fcol *x = &a->c[i], *y = &b->c[i];

		if (strcmp(x->name, y->name) || strcmp(x->tag, y->tag) || x->type != y->type || x->kind != y->kind || x->hidden != y->hidden)
			return 0;
	}
	return 1;
}

/* --- rows -------------------------------------------------------------------- */

void
frows_init(struct frows *r, int n_col)
{
	memset(r, 0, sizeof *r);
	r->n_col = n_col;
}

void
frows_reset(struct frows *r)
{
	r->n = 0;
	r->text.n = 0;
}

void
frows_clear(struct frows *r)
{
	mem_free(r->row);
	mem_free(r->val);
	str_clear(&r->text);
	frows_init(r, r->n_col);
}

int64_t
frows_bytes(const struct frows *r)
{
	return r->cap * (int64_t)(sizeof *r->row + (size_t)r->n_col * sizeof *r->val) + (int64_t)r->text.cap;
}

/* Room for n more bytes of text: where they go. */
static inline char *
room(struct str *t, size_t n)
{
	if (t->n + n > t->cap || !t->s) {
		t->cap = t->n + n + t->cap / 2 + 4096;
		t->s = mem_renew(t->s, char, (long long)t->cap);
	}
	t->n += n;
	return t->s + t->n - n;
}

static inline struct frow *
new_row(struct frows *r)
{
	if (r->n == r->cap) {
		r->cap = r->cap + r->cap / 2 + 64;
		r->row = mem_renew(r->row, struct frow, r->cap);
		r->val = mem_renew(r->val, fval, r->cap * r->n_col);
	}
	return &r->row[r->n++];
}

fval *
frows_add(struct frows *r, int contig, uint32_t pos, const char *ref, uint32_t n_ref, const char *alt, uint32_t n_alt, int64_t seq)
{
	struct frow *w = new_row(r);
	fval *v = r->val + (r->n - 1) * r->n_col;
	char *t = room(&r->text, (size_t)n_ref + n_alt);

	*w = (struct frow){ contig, pos, n_ref, n_alt, (uint64_t)(t - r->text.s), seq };
	memcpy(t, ref, n_ref);
	memcpy(t + n_ref, alt, n_alt);
	for (int i = 0; i < r->n_col; i++)
		v[i] = FVAL_MISSING;
	return v;
}

fval
frows_text(struct frows *r, const char *s, size_t n)
{
	uint32_t k = (uint32_t)n;
	char *t = room(&r->text, sizeof k + n);

	memcpy(t, &k, sizeof k);
	memcpy(t + sizeof k, s, n);
	return fval_of_text(t - r->text.s);
}

const char *
frows_get(const struct frows *r, fval v, size_t *n)
{
	const char *t = r->text.s + fval_text_ref(v);
	uint32_t k;

	memcpy(&k, t, sizeof k);
	*n = k;
	return t + sizeof k;
}

void
frows_copy(struct frows *to, const struct frows *from, int64_t i)
{
	const struct frow *s = &from->row[i];
	const fval *v = from->val + i * from->n_col;
	struct frow *w = new_row(to);
	fval *o = to->val + (to->n - 1) * to->n_col;
	char *t = room(&to->text, (size_t)s->n_ref + s->n_alt);

	*w = *s;
	w->allele = (uint64_t)(t - to->text.s);
	memcpy(t, from->text.s + s->allele, (size_t)s->n_ref + s->n_alt);
	for (int k = 0; k < from->n_col; k++) {
		o[k] = v[k];
		if (fval_is_text(v[k])) {
			size_t n;
			const char *p = frows_get(from, v[k], &n);

			o[k] = frows_text(to, p, n);
		}
	}
}

int
frows_order(const struct frows *a, int64_t i, const struct frows *b, int64_t j)
{
	const struct frow *x = &a->row[i], *y = &b->row[j];
	int c;

	if (x->contig != y->contig)
		return x->contig < y->contig ? -1 : 1;
	if (x->pos != y->pos)
		return x->pos < y->pos ? -1 : 1;
	if (x->n_ref != y->n_ref)
		return x->n_ref < y->n_ref ? -1 : 1;
	if (x->n_alt != y->n_alt)
		return x->n_alt < y->n_alt ? -1 : 1;
	/* REF, and behind it ALT, of the same lengths. */
	c = memcmp(a->text.s + x->allele, b->text.s + y->allele, (size_t)x->n_ref + x->n_alt);
	return c < 0 ? -1 : c > 0;
}

int
frows_same_values(const struct fcols *visible, const struct frows *a, int64_t i, const struct frows *b, int64_t j)
{
	const fval *x = a->val + i * a->n_col, *y = b->val + j * b->n_col;

	for (int k = 0; k < a->n_col; k++) {
		size_t n, m;
		const char *s, *t;

		if (visible && visible->c[k].hidden)
			continue;
		if (!fval_is_text(x[k]) || !fval_is_text(y[k])) {
			if (x[k] != y[k])
				return 0;
			continue;
		}
		s = frows_get(a, x[k], &n);
		t = frows_get(b, y[k], &m);
		if (n != m || memcmp(s, t, n))
			return 0;
	}
	return 1;
}

uint32_t
frows_trim(const char **ref, uint32_t *n_ref, const char **alt, uint32_t *n_alt)
{
	const char *r = *ref, *a = *alt;
	uint32_t n = *n_ref, m = *n_alt, cut = 0;

	while (n > 1 && m > 1 && r[n - 1] == a[m - 1]) {
		n--;
		m--;
	}
	while (n > 1 && m > 1 && *r == *a) {
		r++;
		a++;
		n--;
		m--;
		cut++;
	}
	*ref = r;
	*alt = a;
	*n_ref = n;
	*n_alt = m;
	return cut;
}
