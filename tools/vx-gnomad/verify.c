/* verify - vx-gnomad verify: every row and value of a database against its sources, and every checksum */
#include <string.h>
#include "app/log.h"
#include "build.h"
#include "cmd.h"
#include "var/fasta.h"

#define ROWS 1024
#define NAMED 3                         /* differences that are told */

static struct {
	const char *ref;
} o;

static const struct opt opts[] = {
	{ 'f', "fasta-ref", STR(&o.ref), "", "", "FILE", "the reference with which the database was built", 0 },
	{0}
};

struct compare {
	struct freq *f;
	struct vxg_iter *it;
	struct frows db;
	int64_t at, rows, values;
	int visible;                    /* columns that are compared: hidden ones may be left out where nothing derives from them */
	int64_t lost, extra, wrong;     /* rows not in the database, not in the sources, of other values */
	struct strs named;              /* told in the end: the input may be read twice */
};

static void
cell(struct str *t, const struct frows *r, enum ftype type, fval v)
{
	char b[FVAL_PRINT];
	size_t n;
	const char *s;

	if (v == FVAL_MISSING)
		str_add(t, ".");
	else if (fval_is_text(v)) {
		s = frows_get(r, v, &n);
		str_addn(t, s, n < 60 ? n : 60);
	} else
		str_addn(t, b, (size_t)fval_print(type, v, b));
}

static void
tell(struct compare *c, const struct frows *r, int64_t i, const char *what)
{
	const struct frow *w = &r->row[i];

	struct str t = {0};

	if (c->named.n >= NAMED)
		return;
	str_addf(&t, "%s:%u %.*s>%.*s: %s", w->contig < c->f->n_contig ? c->f->contig[w->contig] : "another contig", w->pos,
	    w->n_ref < 40 ? (int)w->n_ref : 40, frows_ref(r, i), w->n_alt < 40 ? (int)w->n_alt : 40, frows_alt(r, i), what);
	strs_add(&c->named, t.s, t.n);
	str_clear(&t);
}

static int
have(struct compare *c, struct err *e)
{
	if (c->at < c->db.n)
		return 1;
	frows_reset(&c->db);
	c->at = 0;
	return !e->code && vxg_iter_next(c->it, &c->db, ROWS, e) > 0;
}

static void
values(struct compare *c, const struct frows *r, int64_t i)
{
	struct str t = {0};
	int n = 0;

	c->rows++;
	c->values += c->visible;
	if (frows_same_values(c->f->cols, r, i, &c->db, c->at))
		return;
	c->wrong++;
	for (int k = 0; k < c->f->cols->n && n < 2; k++) {
		const struct fcol *f = &c->f->cols->c[k];
		fval x = r->val[i * r->n_col + k], y = c->db.val[c->at * r->n_col + k];
		struct str p = {0}, q = {0};

		cell(&p, r, (enum ftype)f->type, x);
		cell(&q, &c->db, (enum ftype)f->type, y);
		if (!f->hidden && strcmp(p.s, q.s))
			str_addf(&t, "%s%s is %s in the source, %s in the database", n++ ? "; " : "", f->name, p.s, q.s);
		str_clear(&p);
		str_clear(&q);
	}
	tell(c, r, i, t.n ? t.s : "values differ");
	str_clear(&t);
}

static int
begin(void *ctx, const struct fcols *cols, struct err *e)
{
	struct compare *c = ctx;

	c->visible = 0;
	for (int i = 0; i < cols->n; i++)
		c->visible += !cols->c[i].hidden;
	vxg_iter_free(c->it);
	c->it = vxg_iter(c->f, e);
	frows_reset(&c->db);
	c->at = c->rows = c->values = c->lost = c->extra = c->wrong = 0;
	strs_clear(&c->named);
	return e->code;
}

static int
row(void *ctx, const struct frows *r, int64_t i, struct err *e)
{
	struct compare *c = ctx;
	int d = 1;

	while (have(c, e) && (d = frows_order(&c->db, c->at, r, i)) < 0) {
		c->extra++;
		tell(c, &c->db, c->at++, "is in the database, and in no source");
	}
	if (e->code)
		return e->code;
	if (d || c->at >= c->db.n) {
		c->lost++;
		tell(c, r, i, "is not in the database");
		return 0;
	}
	values(c, r, i);
	c->at++;
	return 0;
}

static int
end(struct app *a, struct compare *c, struct err *e)
{
	while (have(c, e)) {
		c->extra++;
		tell(c, &c->db, c->at++, "is in the database, and in no source");
	}
	for (int64_t i = 0; i < c->named.n; i++)
		app_warn("%s", strs_get(&c->named, i));
	if (e->code)
		return e->code;
	app_stat_int(a, "rows", c->rows);
	app_stat_int(a, "values", c->values);
	app_stat_int(a, "lost", c->lost);
	app_stat_int(a, "extra", c->extra);
	app_stat_int(a, "wrong", c->wrong);
	if (c->lost || c->extra || c->wrong)
		return err_set(e, ERR_DATA, "the database is not what its sources say: %lld rows lost, %lld that no source has, %lld with other values",
		    (long long)c->lost, (long long)c->extra, (long long)c->wrong);
	app_say(a, "%lld rows, %lld values: all as in the sources", (long long)c->rows, (long long)c->values);
	return 0;
}

/* A source of the same name whose bytes are others. */
static void
digests(const struct vxg_meta *db, const struct vxg_meta *m)
{
	for (int i = 0; i < m->n_source; i++)
		for (int k = 0; k < db->n_source; k++)
			if (strcmp(m->source[i].name, "-") && strcmp(m->source[i].name, db->source[k].name) == 0 &&
			    strcmp(m->source[i].digest, db->source[k].digest))
				app_warn("%s: these are not the bytes from which the database was built", m->source[i].name);
}

static int
plan(struct app *a, struct plan *p, struct err *e)
{
	(void)e;
	p->memory = build_plan(a);
	return 0;
}

static int
run(struct app *a, struct err *e)
{
	struct fbuild b = { .memory = build_memory(a) / 2, .par = a->par, .tick = log_tick, .begin = begin, .row = row, .whole = 1 };
	struct compare c = {0};
	const struct vxg_meta *m;

	if (a->n_arg < 2)
		return err_set(e, ERR_USAGE, "name the database and its sources");
	c.f = vxg_open(a->arg[0], b.memory, e);
	if (e->code)
		return e->code;
	m = vxg_meta(c.f);
	frows_init(&c.db, c.f->cols->n);
	if (m->aligned != (o.ref != NULL))
		err_set(e, ERR_USAGE, m->aligned ? "%s was built with a reference: give it with -f" : "%s was built without a reference: leave -f out", a->arg[0]);
	if (o.ref && !e->code)
		b.ref = fasta_open(o.ref, b.memory / 2, e);
	vxg_check(c.f, a->par, e);
	b.want = c.f->cols;
	b.order = &m->contig;
	b.ctx = &c;
	fbuild_run(&b, a->arg + 1, a->n_arg - 1, e);
	if (!e->code && strcmp(b.meta.release, m->release))
		err_set(e, ERR_DATA, "the sources are %s, the database is %s", *b.meta.release ? b.meta.release : "not recognised",
		    *m->release ? m->release : "not recognised");
	digests(m, &b.meta);
	if (!e->code)
		end(a, &c, e);
	vxg_iter_free(c.it);
	frows_clear(&c.db);
	strs_clear(&c.named);
	fbuild_clear(&b);
	fasta_close(b.ref);
	c.f->close(c.f);
	return e->code;
}

const struct tool cmd_verify = {
	.name = "vx-gnomad verify",
	.summary = "every row and value of a database against its sources",
	.args = "DB.vxg SITES.vcf.gz...",
	.reads = "a database and its sources",
	.writes = "nothing; what differs is named",
	.shape = SHAPE_VARIANTS,
	.opts = opts,
	.plan = plan,
	.run = run,
};
