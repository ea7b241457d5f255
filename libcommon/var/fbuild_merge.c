/* fbuild_merge - databases joined into one */
#include "var/fbuild.h"

#include <string.h>
#include "base/mem.h"
#include "var/fbuild_impl.h"

#define MERGE_ROWS 1024

/* What a database says that it came from makes up its rows. */
static int
counts_add_up(struct freq *f, int k, struct err *e)
{
	const struct vxg_meta *m = vxg_meta(f);
	const int64_t n[] = { m->records, m->alleles, m->trimmed, m->moved, m->merged, m->differing, m->unsupported, m->overflowed };
	int good = 1;

	for (size_t i = 0; i < sizeof n / sizeof *n; i++)
		good &= n[i] >= 0 && n[i] < (int64_t)1 << 48;
	if (!good || m->alleles != vxg_rows(f) + m->merged + m->differing + m->unsupported)
		return err_set(e, ERR_DATA, "database %d: damaged: its counts do not add up to its rows; build it again, or fetch it again", k + 1);
	return 0;
}

static int
agree(struct freq *a, struct freq *f, int k, struct err *e)
{
	const struct vxg_meta *x = vxg_meta(a), *y = vxg_meta(f);

	if (!fcols_same(a->cols, f->cols))
		return err_set(e, ERR_USAGE, "database %d has other fields than the first; vx-gnomad info shows them", k + 1);
	if (strcmp(x->release, y->release))
		return err_set(e, ERR_USAGE, "database %d is of another release (%s) than the first (%s): different releases never go into one database; "
		    "give both with -d", k + 1, *y->release ? y->release : "not recognised", *x->release ? x->release : "not recognised");
	if (*x->build && *y->build && strcmp(x->build, y->build))
		return err_set(e, ERR_USAGE, "database %d is %s, the first is %s", k + 1, y->build, x->build);
	if (x->aligned != y->aligned)
		return err_set(e, ERR_USAGE, "database %d was built %s a reference (-f), the first was built %s one", k + 1, y->aligned ? "with" : "without",
		    x->aligned ? "with" : "without");
	return 0;
}

/* Contigs with rows by first appearance, then the others; map[k][c] = the number of contig c of database k. */
static int
number_contigs(struct feed *f, struct freq **db, int n, int **map, struct err *e)
{
	struct vxg_meta *m = &f->b->meta;
	struct map number = {0};

	for (int pass = 0; pass < 2; pass++)
		for (int k = 0; k < n && !e->code; k++)
			for (int c = 0; c < db[k]->n_contig && !e->code; c++) {
				const char *name = db[k]->contig[c];
				int64_t at, length = db[k]->contig_length[c];

				if ((db[k]->contig_rows && db[k]->contig_rows[c] == 0) != pass)
					continue;
				at = map_get(&number, name);
				if (at < 0) {
					at = m->contig.n;
					map_put(&number, name, at);
					strs_add(&m->contig, name, strlen(name));
					if ((m->contig.n & at) == 0)    /* full: room doubles */
						m->contig_length = mem_renew(m->contig_length, int64_t, 2 * m->contig.n);
					m->contig_length[at] = length;
				}
				if (length >= 0 && m->contig_length[at] >= 0 && length != m->contig_length[at])
					err_set(e, ERR_USAGE, "contig %s has %lld bases in database %d, and %lld in another: these are different builds",
					    name, (long long)length, k + 1, (long long)m->contig_length[at]);
				if (length >= 0)
					m->contig_length[at] = length;
				map[k][c] = (int)at;
			}
	map_clear(&number);
	for (int64_t i = 0; i < m->contig.n; i++)
		strs_add(&f->contig, strs_get(&m->contig, i), strs_len(&m->contig, i));
	return e->code;
}

static void
add_meta(struct vxg_meta *m, const struct vxg_meta *x)
{
	if (!m->release)
		m->release = mem_strdup(x->release);
	if (!m->build || !*m->build) {
		mem_free(m->build);
		m->build = mem_strdup(x->build);
	}
	m->aligned = x->aligned;
	m->source = mem_renew(m->source, struct vxg_source, m->n_source + x->n_source);
	for (int i = 0; i < x->n_source; i++) {
		m->source[m->n_source] = x->source[i];
		m->source[m->n_source++].name = mem_strdup(x->source[i].name);
	}
	m->records += x->records;
	m->alleles += x->alleles;
	m->trimmed += x->trimmed;
	m->moved += x->moved;
	m->merged += x->merged;
	m->differing += x->differing;
	m->unsupported += x->unsupported;
	m->overflowed += x->overflowed;
}

/* A database whose contigs stand in another order: its rows are collected. */
static int
collect_db(struct feed *f, struct freq *db, const int *map, struct err *e)
{
	struct vxg_iter *it = vxg_iter(db, e);
	struct frows r;

	frows_init(&r, f->b->cols.n);
	while (!e->code && vxg_iter_next(it, &r, MERGE_ROWS, e) > 0) {
		for (int64_t i = 0; i < r.n && !e->code; i++) {
			r.row[i].contig = map[r.row[i].contig];
			runs_collect(f, &r, i, e);
		}
		frows_reset(&r);
	}
	frows_clear(&r);
	vxg_iter_free(it);
	return e->code;
}

static int
rising(const struct freq *db, const int *map)
{
	int last = -1;

	for (int c = 0; c < db->n_contig; c++) {
		if (db->contig_rows && db->contig_rows[c] == 0)
			continue;
		if (map[c] < last)
			return 0;
		last = map[c];
	}
	return 1;
}

int
fbuild_merge(struct fbuild *b, struct freq **db, int n_db, struct err *e)
{
	struct feed f = { .b = b, .collect = 1, .room = b->memory / 2 };
	int **map = mem_new(int *, n_db);

	fbuild_clear(b);
	b->numbered = &f.contig;
	for (int k = 0; k < n_db && !e->code; k++)
		if (!counts_add_up(db[k], k, e) && k > 0)
			agree(db[0], db[k], k, e);
	for (int k = 0; k < n_db; k++)
		map[k] = mem_new(int, db[k]->n_contig);
	if (!e->code && !number_contigs(&f, db, n_db, map, e)) {
		fcols_copy(&b->cols, db[0]->cols);
		for (int k = 0; k < n_db; k++)
			add_meta(&b->meta, vxg_meta(db[k]));
		if (b->begin)
			b->begin(b->ctx, &b->cols, e);
	}
	/* Runs in the order of the databases, as far as their contigs let them: of alleles that differ, the first stays. */
	for (int k = 0; k < n_db && !e->code; k++) {
		if (rising(db[k], map[k]))
			runs_add(&f, db[k], 0, map[k], e);
		else if (!collect_db(&f, db[k], map[k], e) && f.rows.n)
			runs_spill(&f, e);
	}
	if (!e->code)
		runs_merge(&f, e);
	b->runs = f.spilled + 1;
	feed_clear(&f);
	b->numbered = NULL;
	for (int k = 0; k < n_db; k++)
		mem_free(map[k]);
	mem_free(map);
	return e->code;
}
