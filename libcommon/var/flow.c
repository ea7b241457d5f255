/* flow - see flow.h */
#include "var/flow.h"

#include <string.h>
#include "base/mem.h"

static int
ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), k = strlen(suffix);

	return n >= k && strcmp(s + n - k, suffix) == 0;
}

enum flow_type
flow_type(const char *o, const char *path, int *level, struct err *e)
{
	*level = -1;
	if (o) {
		const char *at = strchr("buzv", o[0]);

		if (o[0] && o[1] >= '0' && o[1] <= '9' && !o[2])
			*level = o[1] - '0';
		if (!o[0] || !at || (o[1] && *level < 0)) {
			err_set(e, ERR_USAGE, "-O: '%s' is none of b, u, z, v with a digit 0-9 behind", o);
			return FLOW_TEXT;
		}
		if (o[0] == 'v')
			return *level > 0 ? FLOW_GZ : FLOW_TEXT;
		if (o[0] == 'b')
			return *level == 0 ? FLOW_UBCF : FLOW_BCF;
		return o[0] == 'z' ? FLOW_GZ : FLOW_UBCF;
	}
	if (path && ends(path, ".bcf"))
		return FLOW_BCF;
	return path && (ends(path, ".gz") || ends(path, ".bgz")) ? FLOW_GZ : FLOW_TEXT;
}

int
flow_open(struct flow *f, const char *path, struct par *p, int need_head, struct err *e)
{
	struct err bad = {0};

	memset(f, 0, sizeof *f);
	f->in.fd = -1;
	f->par = p;
	f->batch = par_n(p) > 1 ? 4 * par_n(p) : 1;
	if (source_open(&f->in, path, e))
		return e->code;
	f->head = hts_head_read(f->in.header.s, f->in.header.n, &bad);
	if (bad.code && (need_head || f->in.bcf))
		err_set(e, bad.code, "%s: %s", f->in.name, bad.msg);
	return e->code;
}

int
flow_header_add(struct flow *f, const char *lines, struct err *e)
{
	struct str *h = &f->in.header, t = {0};
	size_t at = h->n ? h->n - 1 : 0, k = 0;
	int crlf;

	while (at > 0 && h->s[at - 1] != '\n')
		at--;
	crlf = h->n > 1 && h->s[h->n - 2] == '\r';
	for (const char *p = lines; *p; p++) {
		if (*p == '\n' && crlf)
			str_addn(&t, "\r", 1);
		str_addn(&t, p, 1);
	}
	k = t.n;
	if (k && (at < k || memcmp(h->s + at - k, t.s, k))) {
		str_addn(&t, h->s + at, h->n - at);
		h->n = at;
		str_addn(h, t.s, t.n);
		for (const char *p = lines; f->head && *p && !e->code; ) {
			size_t n = strcspn(p, "\n");
			struct str one = {0};

			str_addn(&one, p, n);
			hts_head_line(f->head, one.s, e);
			str_clear(&one);
			p += n + (p[n] == '\n');
		}
		if (f->head)
			hts_head_sync(f->head, e);
	}
	str_clear(&t);
	return e->code;
}

int
flow_header_again(struct flow *f, struct err *e)
{
	if (!f->head)
		return e->code;
	hts_head_free(f->head);
	f->head = hts_head_read(f->in.header.s, f->in.header.n, e);
	return e->code;
}

/* Numbers that only a BCF header has, IDX=n behind a comma, are left out of text. */
static void
without_idx(const struct str *from, struct str *to)
{
	const char *p = from->s, *end = p + from->n, *start = p;
	int quoted = 0;

	for (; p < end; p++) {
		const char *q = p + 5;

		if (*p == '"')
			quoted = !quoted;
		if (*p == '\n')
			quoted = 0;
		if (*p != ',' || quoted || end - p < 6 || memcmp(p, ",IDX=", 5))
			continue;
		while (q < end && *q >= '0' && *q <= '9')
			q++;
		if (q == p + 5 || q == end || (*q != '>' && *q != ','))
			continue;
		str_addn(to, start, (size_t)(p - start));
		start = q;
		p = q - 1;
	}
	str_addn(to, start, (size_t)(end - start));
}

int
flow_start(struct flow *f, int fd, enum flow_type t, int level, int reuse, struct err *e)
{
	struct str head = {0};

	f->out_bcf = t == FLOW_BCF || t == FLOW_UBCF;
	/* BCF without compression is BGZF of stored blocks, as htslib writes it: it has an end mark. */
	drain_open(&f->out, fd, t == FLOW_TEXT ? DRAIN_PLAIN : DRAIN_BGZF, t == FLOW_UBCF ? 0 : level,
	    reuse && t != FLOW_UBCF && f->in.kind == SOURCE_BGZF && f->in.bcf == f->out_bcf, f->par);
	order_init(&f->order, &f->out);
	f->order.bcf = f->out_bcf;
	f->order.head = f->head;
	f->order.room = 32 << 20;
	if (f->out_bcf && !f->in.bcf)
		f->in.whole = 1;
	if (f->in.bcf != f->out_bcf) {
		f->conv = mem_new(struct hts_conv *, par_n(f->par));
		for (int i = 0; i < par_n(f->par) && !e->code; i++)
			f->conv[i] = hts_conv(f->head, e);
	}
	if (f->out_bcf)
		hts_head_bcf(f->head, &head, e);
	else if (f->in.bcf)
		without_idx(&f->in.header, &head);
	else
		str_addn(&head, f->in.header.s, f->in.header.n);
	if (!e->code)
		drain_bytes(&f->out, head.s, head.n, e);
	drain_end_block(&f->out);
	drain_flush(&f->out, e);
	str_clear(&head);
	return e->code;
}

/* --- the loop ---------------------------------------------------------------- */

/* A chunk of text becomes one of BCF, or the other way round. */
static int
convert(struct hts_conv *v, struct chunk *c, int to_bcf, struct err *e)
{
	struct str t = {0};
	size_t at = 0;

	while (at < c->n && !e->code) {
		if (to_bcf) {
			const uint8_t *nl = memchr(c->data + at, '\n', c->n - at);
			size_t n = (size_t)(nl - (c->data + at));

			hts_to_bcf(v, (const char *)c->data + at, n, &t, e);
			at += n + 1;
		} else {
			size_t n = chunk_bcf_length(c->data + at, c->n - at);

			hts_to_text(v, c->data + at, n, &t, e);
			at += n;
		}
	}
	if (!e->code) {
		mem_free(c->mem);
		c->mem = mem_raw(uint8_t, (long long)(t.n + CHUNK_PAD));
		c->cap = t.n + CHUNK_PAD;
		c->data = c->mem;
		memcpy(c->data, t.s, t.n);
		c->n = t.n;
		c->n_block = 0;
	}
	str_clear(&t);
	return e->code;
}

struct batch {
	struct flow *f;
	struct chunk **c;
};

static int
look_some(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct batch *b = ctx;
	struct flow *f = b->f;

	for (int64_t i = lo; i < hi && !e->code; i++) {
		if (f->conv)
			convert(f->conv[worker], b->c[i], f->out_bcf, e);
		f->look(f->ctx, b->c[i], worker, e);
	}
	return e->code;
}

int
flow_run(struct flow *f, struct err *e)
{
	struct chunk **c = mem_new(struct chunk *, f->batch);
	struct batch b = { f, c };
	int n = 0;

	for (;;) {
		struct err late = {0};

		for (int i = 0; i < f->batch; i++)
			if (!c[i])
				c[i] = order_chunk(&f->order);
		/* What was read before the input ended badly is still looked at: its own error comes first. */
		n = source_next(&f->in, c, f->batch, f->par, e);
		if (n <= 0)
			break;
		par_for(f->serial ? NULL : f->par, n, 1, look_some, &b, &late);
		if (late.code) {
			err_set(e, late.code, "%s", late.msg);
			break;
		}
		for (int i = 0; i < n && !e->code; i++) {
			struct chunk *t = c[i];

			chunk_stats_add(&f->stats, &t->stats);
			for (int64_t k = 0; k < t->whole.n; k++)
				strs_add_new(&f->whole, strs_get(&t->whole, k), strs_len(&t->whole, k));
			c[i] = NULL;
			order_add(&f->order, t, e);
		}
		order_write(&f->order, 0, e);
		if (f->tick)
			f->tick(f->in.bytes_in, f->in.size);
		if (e->code)
			break;
	}
	for (int i = 0; i < f->batch; i++)
		if (c[i]) {
			chunk_free(c[i]);
			mem_free(c[i]);
		}
	mem_free(c);
	if (!e->code)
		order_write(&f->order, 1, e);
	f->stats.dropped += f->order.dups;
	f->stats.out -= f->order.dups;
	return e->code;
}

int
flow_close(struct flow *f, struct err *e)
{
	int threads = par_n(f->par);

	drain_close(&f->out, e);
	order_free(&f->order);
	for (int i = 0; f->conv && i < threads; i++)
		hts_conv_free(f->conv[i]);
	mem_free(f->conv);
	hts_head_free(f->head);
	strs_clear(&f->whole);
	source_close(&f->in);
	return e->code;
}
