/* info - vx-gnomad info: what a database holds */
#include <string.h>
#include "cmd.h"
#include "var/vxg.h"

static const struct opt opts[] = {
	{0}
};

static void
sources(struct str *t, const struct vxg_meta *m)
{
	for (int i = 0; i < m->n_source; i++) {
		const struct vxg_source *s = &m->source[i];

		str_addf(t, "source\t");
		str_add_cell(t, s->name);
		if (s->size >= 0)
			str_addf(t, "\t%lld\t%s\n", (long long)s->size, s->digest);
		else
			str_addf(t, "\t.\t%s\n", s->digest);
	}
}

static void
contigs(struct str *t, const struct freq *f)
{
	for (int i = 0; i < f->n_contig; i++) {
		str_add(t, "contig\t");
		str_add_cell(t, f->contig[i]);
		if (f->contig_length[i] >= 0)
			str_addf(t, "\t%lld", (long long)f->contig_length[i]);
		else
			str_add(t, "\t.");
		str_addf(t, "\t%lld\n", (long long)f->contig_rows[i]);
	}
}

static void
fields(struct str *t, const struct fcols *f)
{
	static const char *const types[] = { "Integer", "Float", "String", "Flag" };

	for (int i = 0; i < f->n; i++) {
		const struct fcol *c = &f->c[i];

		if (c->hidden)
			continue;
		str_addf(t, "field\t%s\t%s\t%s\t%s\t", c->name, c->tag, *c->number ? c->number : ".", types[c->type]);
		str_add_cell(t, c->desc);
		str_add(t, "\n");
	}
}

static int
run(struct app *a, struct err *e)
{
	struct freq *f;
	struct str t = {0};
	const struct vxg_meta *m;

	if (a->n_arg != 1)
		return err_set(e, ERR_USAGE, "name one database");
	f = vxg_open(a->arg[0], 0, e);
	if (e->code)
		return e->code;
	m = vxg_meta(f);
	str_addf(&t, "release\t%s\nbuild\t%s\nalleles\t%s\n", *m->release ? m->release : ".", *m->build ? m->build : ".",
	    m->aligned ? "left-aligned" : "trimmed");
	str_addf(&t, "rows\t%lld\n", (long long)vxg_rows(f));
	str_addf(&t, "records\t%lld\nsource_alleles\t%lld\ntrimmed\t%lld\nmoved\t%lld\nmerged\t%lld\ndiffering\t%lld\nunsupported\t%lld\noverflowed\t%lld\n",
	    (long long)m->records, (long long)m->alleles, (long long)m->trimmed, (long long)m->moved, (long long)m->merged, (long long)m->differing,
	    (long long)m->unsupported, (long long)m->overflowed);
	sources(&t, m);
	contigs(&t, f);
	fields(&t, f->cols);
	vxg_sizes(f, &t, e);
	if (!e->code)
		app_put(a, t.s, t.n, e);
	app_stat_int(a, "rows", vxg_rows(f));
	str_clear(&t);
	f->close(f);
	return e->code;
}

const struct tool cmd_info = {
	.name = "vx-gnomad info",
	.summary = "what a frequency database holds",
	.args = "DB.vxg",
	.reads = "a database",
	.writes = "text, tab-separated",
	.shape = SHAPE_VARIANTS,
	.opts = opts,
	.run = run,
};
