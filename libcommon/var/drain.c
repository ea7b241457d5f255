/* drain - see drain.h */
#include "var/drain.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "os/bgzf.h"
#include "os/file.h"

#define JOBS_BYTES (2 << 20)            /* bytes that wait for compression before they are written */

void
drain_open(struct drain *k, int fd, enum drain_kind kind, int level, int reuse, struct par *p)
{
	memset(k, 0, sizeof *k);
	k->fd = fd;
	k->kind = kind;
	k->level = level;
	k->reuse = reuse;
	k->par = p;
	k->held = -1;
}

/* --- plain ------------------------------------------------------------------- */

/* Writes the list; its last byte is held back. */
static int
write_iov(struct drain *k, struct err *e)
{
	struct iovec *v = k->iov;
	uint8_t last = 0;
	int n = k->n_iov;

	k->n_iov = 0;
	if (e->code || n == 0 || (n == 1 && k->held >= 0))
		return e->code;
	last = ((uint8_t *)v[n - 1].iov_base)[v[n - 1].iov_len - 1];
	v[n - 1].iov_len--;
	while (n > 0) {
		ssize_t w;

		if (v->iov_len == 0) {
			v++;
			n--;
			continue;
		}
		w = file_writev(k->fd, v, n, e);
		if (w < 0)
			return e->code;
		k->written += w;
		while (n > 0 && (size_t)w >= v->iov_len) {
			w -= (ssize_t)v->iov_len;
			v++;
			n--;
		}
		if (n > 0) {
			v->iov_base = (uint8_t *)v->iov_base + w;
			v->iov_len -= (size_t)w;
		}
	}
	k->held_byte = last;
	k->held = last;
	return 0;
}

static int
put_plain(struct drain *k, const void *p, size_t n, struct err *e)
{
	struct iovec *last = k->n_iov ? &k->iov[k->n_iov - 1] : NULL;

	if (n == 0)
		return e->code;
	if (last && (const uint8_t *)last->iov_base + last->iov_len == p) {
		last->iov_len += n;
		return e->code;
	}
	if (k->n_iov == DRAIN_IOV)
		write_iov(k, e);
	if (k->n_iov == 0 && k->held >= 0) {
		k->iov[0] = (struct iovec){ &k->held_byte, 1 };
		k->n_iov = 1;
		k->held = -1;
	}
	k->iov[k->n_iov++] = (struct iovec){ (void *)(uintptr_t)p, n };
	return e->code;
}

/* --- BGZF -------------------------------------------------------------------- */

static struct drain_job *
add_job(struct drain *k)
{
	if (k->n_job == k->cap_job) {
		k->cap_job = 2 * k->cap_job + 64;
		k->job = mem_renew(k->job, struct drain_job, k->cap_job);
	}
	memset(&k->job[k->n_job], 0, sizeof *k->job);
	return &k->job[k->n_job++];
}

static void
end_plain(struct drain *k)
{
	struct drain_job *j;

	if (k->plain.n == k->plain_from)
		return;
	j = add_job(k);
	j->at = k->plain_from;
	j->n = (uint32_t)(k->plain.n - k->plain_from);
	k->plain_from = k->plain.n;
	k->made++;
}

/* Bytes that are compressed anew. */
static void
add_plain(struct drain *k, const void *p, size_t n)
{
	const uint8_t *q = p;

	while (n) {
		size_t room = BGZF_FILL - (k->plain.n - k->plain_from), m = n < room ? n : room;

		str_addn(&k->plain, q, m);
		q += m;
		n -= m;
		if (m == room)
			end_plain(k);
	}
}

static void
pass_block(struct drain *k, const struct zblock *b, const uint8_t *raw)
{
	struct drain_job *j;

	end_plain(k);
	j = add_job(k);
	j->raw = 1;
	j->at = k->raw.n;
	j->n = b->n;
	j->n_out = b->n_raw;
	k->reused++;
	str_addn(&k->raw, raw, b->n_raw);
}

/* A block that has been given in part will not be whole. */
static void
drop_cand(struct drain *k)
{
	if (k->cand.n) {
		add_plain(k, k->cand_bytes.s, k->cand_bytes.n);
		k->cand.n = 0;
		k->cand_bytes.n = k->cand_raw.n = 0;
	}
}

/* The block of a chunk that holds inflated input byte x, or NULL. */
static const struct zblock *
block_of(const struct chunk *c, int64_t x)
{
	int64_t lo = 0, hi = c->n_block;

	while (lo < hi) {
		int64_t mid = (lo + hi) / 2;

		if (c->block[mid].at <= x)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo > 0 && x < c->block[lo - 1].at + c->block[lo - 1].n ? &c->block[lo - 1] : NULL;
}

/* Where the next block behind x begins, at most b: bytes up to there are of a block that is no longer at hand.  What follows does not depend on how
 * spans are cut. */
static int64_t
next_block(const struct chunk *c, int64_t x, int64_t b)
{
	for (int64_t i = 0; i < c->n_block; i++)
		if (c->block[i].at > x)
			return c->block[i].at < b ? c->block[i].at : b;
	return b;
}

static void
span_bgzf(struct drain *k, const struct chunk *c, size_t from, size_t to)
{
	int64_t a = c->at + (int64_t)from, b = c->at + (int64_t)to;

	if (k->cand.n && k->cand_at != a)
		drop_cand(k);
	while (a < b) {
		const uint8_t *p = c->data + (a - c->at);
		const struct zblock *t;
		int64_t n;

		if (k->cand.n) {
			n = k->cand.at + k->cand.n - a < b - a ? k->cand.at + k->cand.n - a : b - a;
			str_addn(&k->cand_bytes, p, (size_t)n);
			a += n;
			k->cand_at = a;
			if (a == k->cand.at + k->cand.n) {
				pass_block(k, &k->cand, (const uint8_t *)k->cand_raw.s);
				k->cand.n = 0;
				k->cand_bytes.n = k->cand_raw.n = 0;
			}
			continue;
		}
		t = block_of(c, a);
		n = (!t ? next_block(c, a, b) : t->at + t->n < b ? t->at + t->n : b) - a;
		if (!t || t->at != a) {
			add_plain(k, p, (size_t)n);
		} else if (n == t->n) {
			pass_block(k, t, c->raw + t->raw);
		} else {
			k->cand = *t;
			k->cand_at = a;
			str_addn(&k->cand_raw, c->raw + t->raw, t->n_raw);
			continue;
		}
		a += n;
	}
}

static int
compress(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct drain *k = ctx;

	(void)worker;
	(void)e;
	for (int64_t i = lo; i < hi; i++) {
		struct drain_job *j = &k->job[i];

		if (!j->raw)
			j->n_out = (uint32_t)bgzf_deflate(k->level, (const uint8_t *)k->plain.s + j->at, j->n, k->out + j->out);
	}
	return 0;
}

/* Virtual offsets of records that end in the block [k->block_at, + n), which is written at byte `at`. */
static void
settle_marks(struct drain *k, int64_t *done, int64_t n, int64_t at, int64_t n_out, struct err *e)
{
	int64_t end = k->block_at + n;

	for (; k->index && *done < k->n_mark && k->mark[*done].at <= end; ++*done) {
		const struct drain_mark *m = &k->mark[*done];
		uint64_t v = m->at == end ? (uint64_t)(at + n_out) << 16 : (uint64_t)at << 16 | (uint64_t)(m->at - k->block_at);

		hts_index_add(k->index, m->contig, m->beg, m->end, v, e);
	}
	k->block_at = end;
}

static int
write_jobs(struct drain *k, struct err *e)
{
	int64_t fresh = 0, done = 0;

	for (int64_t i = 0; i < k->n_job; i++)
		if (!k->job[i].raw)
			k->job[i].out = (size_t)fresh++ * BGZF_MAX;
	if (fresh > k->cap_out) {
		mem_free(k->out);
		k->cap_out = fresh + 8;
		k->out = mem_raw(uint8_t, k->cap_out * BGZF_MAX);
	}
	par_for(k->par, k->n_job, 1, compress, k, e);
	for (int64_t i = 0; i < k->n_job && !e->code; i++) {
		const struct drain_job *j = &k->job[i];
		int64_t n = j->n_out, m = i;

		/* Blocks that lie one behind the other go out in one piece. */
		while (j->raw && !k->index && m + 1 < k->n_job && k->job[m + 1].raw)
			n += k->job[++m].n_out;
		for (int64_t b = i; b <= m; b++)
			settle_marks(k, &done, k->job[b].n, k->written, n, e);
		file_write(k->fd, j->raw ? (const uint8_t *)k->raw.s + j->at : k->out + j->out, (size_t)n, e);
		k->written += n;
		i = m;
	}
	if (done)
		memmove(k->mark, k->mark + done, (size_t)(k->n_mark - done) * sizeof *k->mark);
	k->n_mark -= done;
	k->n_job = 0;
	k->raw.n = 0;
	if (k->plain_from) {
		k->plain.n -= k->plain_from;
		memmove(k->plain.s, k->plain.s + k->plain_from, k->plain.n);
		k->plain_from = 0;
	}
	return e->code;
}

/* --- calls ------------------------------------------------------------------- */

static int
maybe_write(struct drain *k, struct err *e)
{
	return k->plain.n + k->raw.n > JOBS_BYTES ? write_jobs(k, e) : e->code;
}

int
drain_bytes(struct drain *k, const void *p, size_t n, struct err *e)
{
	k->at += (int64_t)n;
	if (k->kind == DRAIN_PLAIN)
		return put_plain(k, p, n, e);
	drop_cand(k);
	add_plain(k, p, n);
	return maybe_write(k, e);
}

int
drain_span(struct drain *k, const struct chunk *c, size_t from, size_t to, struct err *e)
{
	k->at += (int64_t)(to - from);
	if (k->kind == DRAIN_PLAIN)
		return put_plain(k, c->data + from, to - from, e);
	if (k->reuse) {
		span_bgzf(k, c, from, to);
	} else {
		add_plain(k, c->data + from, to - from);
	}
	return maybe_write(k, e);
}

void
drain_mark(struct drain *k, int contig, int64_t beg, int64_t end)
{
	if (!k->index)
		return;
	if (k->n_mark == k->cap_mark) {
		k->cap_mark = 2 * k->cap_mark + 1024;
		k->mark = mem_renew(k->mark, struct drain_mark, k->cap_mark);
	}
	k->mark[k->n_mark++] = (struct drain_mark){ contig, beg, end, k->at };
}

void
drain_end_block(struct drain *k)
{
	if (k->kind == DRAIN_BGZF) {
		drop_cand(k);
		end_plain(k);
	}
}

int
drain_flush(struct drain *k, struct err *e)
{
	return k->kind == DRAIN_PLAIN ? write_iov(k, e) : write_jobs(k, e);
}

uint64_t
drain_offset(const struct drain *k)
{
	return (uint64_t)k->written << 16;
}

int
drain_close(struct drain *k, struct err *e)
{
	drain_end_block(k);
	drain_flush(k, e);
	if (k->kind == DRAIN_BGZF) {
		file_write(k->fd, bgzf_eof, BGZF_EOF_SIZE, e);
		k->written += BGZF_EOF_SIZE;
	} else if (k->held >= 0) {
		file_write(k->fd, &k->held_byte, 1, e);
		k->written++;
	}
	str_clear(&k->plain);
	str_clear(&k->cand_bytes);
	str_clear(&k->cand_raw);
	str_clear(&k->raw);
	mem_free(k->job);
	mem_free(k->out);
	mem_free(k->mark);
	memset(k, 0, sizeof *k);
	return e->code;
}
