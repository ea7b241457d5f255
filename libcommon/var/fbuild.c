/* fbuild - see fbuild.h: files, headers, contigs; the window and the runs have files of their own */
#include "var/fbuild.h"

#include <string.h>
#include <sys/stat.h>
#include "base/mem.h"
#include "var/fbuild_impl.h"
#include "var/sites_impl.h"
#include "var/source.h"

#define SHIFT_MOST 10000                /* bases that left-alignment may bring a row before its source's POS without a run */
#define ROOM_LEAST (4 << 20)

/* Chunks that were parsed. */
struct batch {
	int n, at;                      /* the first that was not handed on */
	struct parsed *chunk;
};
struct parsed {
	struct tab *tab;                /* NULL: the feed has it */
	struct strs extra;
	struct sites_stats stats;
	int ready;                      /* its rows have the feed's numbers */
};

/* A file at work. */
struct file {
	struct fbuild *b;
	struct feed *feed;
	struct source in;
	struct sites_head head;
	struct hts_head *hts;           /* BCF only */
	struct strs late;               /* contigs that the header lacks, and their numbers there */
	struct map late_number;
	int *contig;                    /* [head.contig.n + late.n] their numbers in the feed, -1 = none yet */
	int64_t records;
	/* per worker */
	struct sites_parser **parser;
	struct hts_conv **conv;
	struct str *text;
	/* per chunk of a batch: one is parsed while the one before is handed on */
	int n;
	struct chunk **chunk;
	struct batch batch[2];
	struct batch *now, *last;
};

/* --- contigs ----------------------------------------------------------------- */

/* A name's number in a list, where it is put if it is not there.  The map has copies of the names: those of the list move. */
static int64_t
number_in(struct strs *l, struct map *at, const char *name)
{
	int64_t i = map_get(at, name);

	if (i < 0) {
		i = l->n;
		strs_add(l, name, strlen(name));
		map_put(at, mem_strdup(name), i);
	}
	return i;
}

static void
forget(struct map *at)
{
	for (int64_t i = 0; i < at->cap; i++)
		mem_free((void *)(uintptr_t)at->key[i]);
	map_clear(at);
}

/* A length that a header gives: the same everywhere.  i: number of the contig among those known, -1 = not yet. */
static int
note_length(struct fbuild *b, int64_t i, const char *name, int64_t length, const char *file, struct err *e)
{
	struct vxg_meta *m = &b->meta;

	if (i < 0) {
		i = m->contig.n;
		strs_add(&m->contig, name, strlen(name));
		if ((m->contig.n & i) == 0)             /* full: room doubles */
			m->contig_length = mem_renew(m->contig_length, int64_t, 2 * m->contig.n);
		m->contig_length[i] = -1;
	}
	if (length >= 0 && m->contig_length[i] >= 0 && length != m->contig_length[i])
		return err_set(e, ERR_DATA, "%s: says contig %s has %lld bases; before it had %lld", file, name, (long long)length,
		    (long long)m->contig_length[i]);
	if (length >= 0)
		m->contig_length[i] = length;
	return 0;
}

/* The list of contigs as the database has it: those with rows by their numbers, then those that only headers name. */
static void
order_contigs(struct feed *f)
{
	struct vxg_meta *m = &f->b->meta;
	struct map at = {0};
	struct strs all = {0};
	int64_t *length = mem_new(int64_t, f->contig.n + m->contig.n), n = 0;

	map_of(&at, &m->contig);
	for (int64_t i = 0; i < f->contig.n; i++) {
		int64_t k = map_get(&at, strs_get(&f->contig, i));

		length[n++] = k >= 0 ? m->contig_length[k] : -1;
		strs_add(&all, strs_get(&f->contig, i), strs_len(&f->contig, i));
	}
	map_clear(&at);
	map_of(&at, &f->contig);
	for (int64_t i = 0; i < m->contig.n; i++)
		if (map_get(&at, strs_get(&m->contig, i)) < 0) {
			length[n++] = m->contig_length[i];
			strs_add(&all, strs_get(&m->contig, i), strs_len(&m->contig, i));
		}
	map_clear(&at);
	strs_clear(&m->contig);
	mem_free(m->contig_length);
	m->contig = all;
	m->contig_length = length;
}

/* The feed's number of a contig of this file. */
static int
number_of(struct file *w, int32_t c)
{
	int64_t n = w->head.contig.n;

	if (w->contig[c] < 0)
		w->contig[c] = (int)number_in(&w->feed->contig, &w->feed->number, c < n ? strs_get(&w->head.contig, c) : strs_get(&w->late, c - n));
	return w->contig[c];
}

/* Contigs that a chunk found beyond the header get their place in the file's list: the file's number of the chunk's number c. */
static int32_t
settle_contig(struct file *w, const struct strs *extra, int32_t c)
{
	int64_t n = w->head.contig.n, have = w->late.n, i;

	if (c < n)
		return c;
	i = number_in(&w->late, &w->late_number, strs_get(extra, c - n));
	if (i == have) {
		w->contig = mem_renew(w->contig, int, n + w->late.n);
		w->contig[n + i] = -1;
	}
	return (int32_t)(n + i);
}

/* --- chunks ------------------------------------------------------------------ */

static int
parse_some(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct file *w = ctx;

	for (int64_t i = lo; i < hi && !e->code; i++) {
		struct chunk *c = w->chunk[i], text = {0};
		struct parsed *p = &w->now->chunk[i];
		struct str *t = w->text ? &w->text[worker] : NULL;
		struct err one = {0};
		static const char pad[CHUNK_PAD];

		if (t) {
			t->n = 0;
			for (size_t at = 0, n; at < c->n && !one.code; at += n) {
				n = chunk_bcf_length(c->data + at, c->n - at);
				hts_to_text(w->conv[worker], c->data + at, n, t, &one);
			}
			text.n = t->n;
			str_addn(t, pad, sizeof pad);
			text.data = (uint8_t *)t->s;
			c = &text;
		}
		if (!one.code)
			sites_parse(w->parser[worker], c, 0, &p->tab->f, &p->extra, &p->stats, &one);
		if (one.code)
			err_set(e, one.code, "%s: %.400s", w->in.name, one.msg);
	}
	return e->code;
}

static void
add_stats(struct fbuild *b, const struct sites_stats *s)
{
	struct vxg_meta *m = &b->meta;

	for (int i = 0; i < s->n_named && m->unsupported + i < 3; i++)
		strs_add(&b->unnamed, s->named[i], strlen(s->named[i]));
	m->records += s->records;
	m->alleles += s->alleles;
	m->trimmed += s->trimmed;
	m->moved += s->moved;
	m->unsupported += s->unsupported;
	m->overflowed += s->overflowed;
	b->misfit += s->misfit;
}

/* Rows of a parsed chunk get the feed's numbers. */
static void
settle(struct file *w, struct parsed *p)
{
	struct fbuild *b = w->b;
	int32_t from = -1, to = -1;
	int64_t seq = b->meta.records;

	for (int64_t k = 0; k < p->tab->f.n; k++) {
		struct frow *r = &p->tab->f.row[k];

		if (r->contig != from) {
			from = r->contig;
			to = number_of(w, settle_contig(w, &p->extra, from));
		}
		r->contig = to;
		r->seq += seq;
	}
	add_stats(b, &p->stats);
	w->records += p->stats.records;
	p->ready = 1;
}

/* A parsed chunk goes to the feed, in the order of the file; 1: not all of it, see feed_add. */
static int
pass_on(struct file *w, struct parsed *p, struct err *e)
{
	const struct sites_stats *s = &p->stats;
	int32_t last;
	int64_t bound;

	if (!p->ready)
		settle(w, p);
	if (feed_add(w->feed, p->tab, e))
		return 1;
	p->tab = NULL;
	if (e->code || w->feed->again || s->records == 0)
		return 0;
	last = number_of(w, settle_contig(w, &p->extra, s->last_contig));
	bound = s->last_pos - (w->b->ref ? SHIFT_MOST : 0);
	feed_bound(w->feed, (uint64_t)(uint32_t)last << 32 | (uint64_t)(bound > 0 ? bound : 0), e);
	return 0;
}

/* Hands on what was parsed before, as far as that is possible. */
static int
pass_batch(struct file *w, int beside, struct err *e)
{
	struct fbuild *b = w->b;
	struct batch *q = w->last;

	w->feed->beside = beside;
	for (; q->at < q->n && !e->code && !w->feed->again; q->at++)
		if ((beside && b->beside && b->beside(b->ctx, 1, e)) || pass_on(w, &q->chunk[q->at], e))
			break;
	w->feed->beside = 0;
	return e->code;
}

/* Block 0 of a job hands on, the others parse. */
static int
work(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct file *w = ctx;

	if (lo == 0 && !w->feed->collect)
		pass_batch(w, 1, e);
	return e->code ? e->code : parse_some(w, lo ? lo - 1 : 0, hi - 1, worker, e);
}

/* What was not handed on of a batch is given up. */
static void
forget_batch(struct file *w, struct batch *q)
{
	for (int i = 0; i < q->n; i++) {
		if (q->chunk[i].tab)
			feed_forget(w->feed, q->chunk[i].tab);
		q->chunk[i].tab = NULL;
	}
	q->n = q->at = 0;
}

/* The rest of what was parsed before, with all threads at hand. */
static int
pass_rest(struct file *w, struct err *e)
{
	struct fbuild *b = w->b;

	if (b->beside && !w->feed->collect && !e->code)
		b->beside(b->ctx, 0, e);
	pass_batch(w, 0, e);
	forget_batch(w, w->last);
	return e->code;
}

static int
read_all(struct file *w, int64_t before, int64_t total, struct err *e)
{
	struct fbuild *b = w->b;
	int n;

	while (!w->feed->again && (n = source_next(&w->in, w->chunk, w->n, b->par, e)) > 0) {
		struct batch *swap = w->last;

		for (int i = 0; i < n; i++) {
			struct parsed *p = &w->now->chunk[i];

			p->tab = feed_tab(w->feed);
			strs_clear(&p->extra);
			memset(&p->stats, 0, sizeof p->stats);
			p->ready = 0;
		}
		w->now->n = n;
		par_for(b->par, n + 1, 1, work, w, e);
		pass_rest(w, e);
		w->last = w->now;
		w->now = swap;
		if (b->tick && !e->code)
			b->tick(before + w->in.bytes_in, total);
		if (e->code)
			break;
	}
	if (!e->code && !w->feed->again)
		pass_batch(w, 0, e);
	forget_batch(w, w->last);
	return e->code;
}

/* --- files ------------------------------------------------------------------- */

static void
file_close(struct file *w)
{
	int threads = par_n(w->b->par);

	for (int i = 0; i < threads; i++) {
		if (w->parser)
			sites_parser_free(w->parser[i]);
		if (w->conv)
			hts_conv_free(w->conv[i]);
		if (w->text)
			str_clear(&w->text[i]);
	}
	for (int i = 0; i < w->n && w->chunk; i++) {
		chunk_free(w->chunk[i]);
		mem_free(w->chunk[i]);
		for (int k = 0; k < 2; k++)
			strs_clear(&w->batch[k].chunk[i].extra);
	}
	mem_free(w->parser);
	mem_free(w->conv);
	mem_free(w->text);
	mem_free(w->chunk);
	mem_free(w->batch[0].chunk);
	mem_free(w->batch[1].chunk);
	mem_free(w->contig);
	strs_clear(&w->late);
	forget(&w->late_number);
	hts_head_free(w->hts);
	sites_head_clear(&w->head);
	source_close(&w->in);
}

/* What the first file's header says holds for all. */
static int
first_header(struct file *w, struct err *e)
{
	struct fbuild *b = w->b;
	struct err one = {0};

	if (b->want) {
		fcols_copy(&b->cols, b->want);
		sites_fits(&w->head, &b->cols, w->in.name, e);
	} else if (sites_columns(&w->head, b->fields, b->pops, b->over, &b->cols, &one)) {
		err_set(e, one.code, "%s: %.400s", w->in.name, one.msg);
	}
	b->meta.release = mem_strdup(w->head.release);
	b->meta.build = mem_strdup(w->head.build);
	b->meta.aligned = b->ref != NULL;
	frows_init(&w->feed->last, b->cols.n);
	if (!e->code && b->begin)
		b->begin(b->ctx, &b->cols, e);
	return e->code;
}

static int
next_header(struct file *w, struct err *e)
{
	struct fbuild *b = w->b;
	const char *name = w->in.name;

	if (strcmp(w->head.release, b->meta.release))
		return err_set(e, ERR_USAGE, "%s: is of another release (%s) than the files before (%s): different releases never go into one database; "
		    "build two and give two -d", name, *w->head.release ? w->head.release : "not recognised", *b->meta.release ? b->meta.release :
		    "not recognised");
	if (*w->head.build && *b->meta.build && strcmp(w->head.build, b->meta.build))
		return err_set(e, ERR_USAGE, "%s: is %s, the files before are %s", name, w->head.build, b->meta.build);
	if (*w->head.build && !*b->meta.build) {
		mem_free(b->meta.build);
		b->meta.build = mem_strdup(w->head.build);
	}
	return sites_fits(&w->head, &b->cols, name, e);
}

static void
note_lengths(struct file *w, struct err *e)
{
	struct vxg_meta *m = &w->b->meta;
	int64_t n = w->head.contig.n, *at = mem_new(int64_t, n);
	struct map known = {0};

	map_of(&known, &m->contig);
	for (int64_t i = 0; i < n; i++)
		at[i] = map_get(&known, strs_get(&w->head.contig, i));
	map_clear(&known);
	for (int64_t i = 0; i < n && !e->code; i++)
		note_length(w->b, at[i], strs_get(&w->head.contig, i), w->head.contig_length[i], w->in.name, e);
	mem_free(at);
}

static int
file_start(struct file *w, const char *path, struct err *e)
{
	struct fbuild *b = w->b;
	int threads = par_n(b->par);

	w->in.fd = -1;
	if (source_open(&w->in, path, e))
		return e->code;
	w->in.whole = 1;
	if (b->memory / 8 < w->in.long_most)
		w->in.long_most = b->memory / 8;
	if (sites_head_read(&w->head, w->in.header.s, w->in.header.n, e))
		return e->code;
	if (b->meta.n_source == 0 ? first_header(w, e) : next_header(w, e))
		return e->code;
	w->contig = mem_new(int, w->head.contig.n);
	for (int64_t i = 0; i < w->head.contig.n; i++)
		w->contig[i] = -1;
	note_lengths(w, e);
	if (w->in.bcf) {
		struct err one = {0};

		w->hts = hts_head_read(w->in.header.s, w->in.header.n, &one);
		if (one.code)
			return err_set(e, one.code, "%s: %.400s", w->in.name, one.msg);
		w->conv = mem_new(struct hts_conv *, threads);
		w->text = mem_new(struct str, threads);
		for (int i = 0; i < threads; i++)
			w->conv[i] = hts_conv(w->hts, e);
	}
	w->parser = mem_new(struct sites_parser *, threads);
	for (int i = 0; i < threads && !e->code; i++) {
		w->parser[i] = sites_parser(&w->head, &b->cols, b->ref, e);
		if (b->whole)
			sites_parser_whole(w->parser[i]);
	}
	w->n = threads > 1 ? 4 * threads : 1;
	w->chunk = mem_new(struct chunk *, w->n);
	for (int k = 0; k < 2; k++)
		w->batch[k].chunk = mem_new(struct parsed, w->n);
	w->now = &w->batch[0];
	w->last = &w->batch[1];
	for (int i = 0; i < w->n; i++)
		w->chunk[i] = mem_new(struct chunk, 1);
	return e->code;
}

static void
note_source(struct file *w, const char *path)
{
	struct vxg_meta *m = &w->b->meta;
	const char *slash = strrchr(path, '/');
	struct vxg_source *s;
	struct str t = {0};

	m->source = mem_renew(m->source, struct vxg_source, m->n_source + 1);
	s = &m->source[m->n_source++];
	memset(s, 0, sizeof *s);
	s->name = mem_strdup(strcmp(path, "-") == 0 ? "-" : slash ? slash + 1 : path);
	s->size = w->in.size;
	str_addf(&t, "%08x", w->in.crc);
	memcpy(s->digest, t.s, t.n + 1);
	str_clear(&t);
}

/* One pass over all files. */
static int
pass(struct feed *f, char **path, int n_path, int64_t total, struct err *e)
{
	int64_t before = 0;

	f->b->numbered = &f->contig;
	for (int64_t i = 0; f->b->order && i < f->b->order->n; i++)
		number_in(&f->contig, &f->number, strs_get(f->b->order, i));
	for (int i = 0; i < n_path && !e->code && !f->again; i++) {
		struct file w = { .b = f->b, .feed = f, .in = { .fd = -1 } };

		if (!file_start(&w, path[i], e))
			read_all(&w, before, total, e);
		before += w.in.bytes_in;
		if (!e->code && !f->again)
			note_source(&w, path[i]);
		file_close(&w);
	}
	if (!f->again)
		feed_end(f, e);
	forget(&f->number);
	order_contigs(f);
	return e->code;
}

static void
clear_results(struct fbuild *b)
{
	fcols_clear(&b->cols);
	vxg_meta_clear(&b->meta);
	memset(&b->meta, 0, sizeof b->meta);
	strs_clear(&b->named);
	strs_clear(&b->unnamed);
	b->rows = b->misfit = 0;
	b->runs = 1;
}

/* By the memory alone, so that runs are the same for any number of threads. */
static int64_t
collect_room(const struct fbuild *b)
{
	return b->memory / 3 > ROOM_LEAST ? b->memory / 3 : ROOM_LEAST;
}

int
fbuild_run(struct fbuild *b, char **path, int n_path, struct err *e)
{
	struct feed f = { .b = b };
	int64_t total = 0;
	int files = 1;

	clear_results(b);
	if (e->code)
		return e->code;
	for (int i = 0; i < n_path; i++) {
		struct stat st;
		int good = strcmp(path[i], "-") && stat(path[i], &st) == 0 && S_ISREG(st.st_mode);

		files &= good;
		total = good && total >= 0 ? total + st.st_size : -1;
	}
	f.room = collect_room(b);
	f.collect = !b->restart && !files;
	pass(&f, path, n_path, total, e);
	if (f.again && !e->code) {
		feed_clear(&f);
		clear_results(b);
		f = (struct feed){ .b = b, .room = collect_room(b), .collect = 1 };
		pass(&f, path, n_path, total, e);
	}
	feed_clear(&f);
	b->numbered = NULL;
	return e->code;
}

void
fbuild_clear(struct fbuild *b)
{
	clear_results(b);
}
