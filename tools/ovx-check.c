/* ovx-check - verifies every checksum, axis and digest of streams
 *
 * reads    streams, each by itself, from the first byte to the last
 * writes   a line a stream: what it holds; what is stale
 */
#include <stdlib.h>
#include <string.h>
#include "app/app.h"
#include "base/mem.h"
#include "stream/codec.h"
#include "stream/wire.h"

/* Adds what the index must say of a section that was read. */
static void
index_of(struct str *index, int64_t at, const struct sect *s, const int64_t *where)
{
	uint8_t b[8];

	wire_put64(b, (uint64_t)at);
	str_addn(index, b, 8);
	for (int i = 0; i < 16; i++) {
		char x[3] = { s->id[2 * i], s->id[2 * i + 1], 0 };
		uint8_t v = (uint8_t)strtol(x, NULL, 16);

		str_addn(index, &v, 1);
	}
	wire_put64(b, (uint64_t)s->n_block);
	str_addn(index, b, 8);
	for (int64_t i = 0; i < s->n_block; i++) {
		wire_put64(b, (uint64_t)where[i]);
		str_addn(index, b, 8);
		wire_put64(b, (uint64_t)s->block[i].row0);
		str_addn(index, b, 8);
	}
}

/* Decodes one block whatever its kind, and compares its digest. */
static int
check_block(const struct head *h, const struct block *b, const char *data, struct csr *m, struct str *raw,
	struct strs *names, struct err *e)
{
	if ((h->kind == KIND_SPARSE || h->kind == KIND_GRAPH) && !b->prelude) {
		if (codec_decode_csr(h, b, data, m, raw, e) == 0)
			codec_check_hash_csr(h, b, m, e);
		return e->code;
	}
	if (h->kind > KIND_BLOB)                /* of a later version: its checksum is all we know */
		return codec_check_crc(h, b, data, e);
	if (b->codec == CODEC_PACK)
		return err_set(e, ERR_DATA, "damaged: %s: codec", head_path(h));
	if (codec_decode(h, b, data, raw, e) == 0)
		codec_check_hash(h, b, raw->s, (int64_t)raw->n, e);
	if (!e->code && h->kind == KIND_AXIS)
		strs_from_raw(names, b->n_row, raw->s, b->n_item, e);
	return e->code;
}

static int
check_section(struct in *in, struct sect *s, struct str *index, int64_t at, struct err *e)
{
	struct str data = {0}, raw = {0};
	struct strs names = {0};
	struct csr m = {0};
	struct block b;
	int64_t *where = NULL;
	char digest[33];

	while (in_block(in, &b, e)) {
		where = mem_renew(where, int64_t, s->n_block + 1);
		where[s->n_block] = in->at - 64;
		if (in_take(in, &b, &data, e) || check_block(&s->head, &b, data.s, &m, &raw, &names, e))
			break;
		in_note(s, &b, 0);
	}
	if (!e->code && s->head.payload)
		set_done(s);
	if (!e->code && s->head.kind == KIND_AXIS) {
		const char *said = head_get(&s->head, "axis0");

		axis_digest(&names, digest);
		if (!said || strlen(said) < 4 || strcmp(said + 4, digest))
			err_set(e, ERR_DATA, "damaged: %s: the digest of the names", head_path(&s->head));
	}
	index_of(index, at, s, where);
	mem_free(where);
	csr_clear(&m);
	strs_clear(&names);
	str_clear(&data);
	str_clear(&raw);
	return e->code;
}

/* Axes that sections name must be there (or be a delta's), with their lengths. */
static int
check_axes(const struct in *in, int *is_delta, struct err *e)
{
	for (int64_t i = 0; i < in->n && !e->code; i++)
		for (int d = 0; d < 2; d++) {
			const struct head *h = &in->sect[i]->head;
			const char *v = head_get(h, d ? "axis1" : "axis0");
			int found = head_get(h, "of") ? *is_delta = 1 : 0;

			for (int64_t k = 0; v && k < in->n; k++) {
				const struct head *x = &in->sect[k]->head;

				if (x->kind != KIND_AXIS || strcmp(head_get(x, "axis0") ? head_get(x, "axis0") : "", v))
					continue;
				found = 1;
				if (x->n_row != (d ? h->n_col : h->n_row))
					err_set(e, ERR_DATA, "damaged: %s: %lld rows where its axis has %lld", head_path(h),
					    (long long)(d ? h->n_col : h->n_row), (long long)x->n_row);
			}
			if (v && !found)
				*is_delta = 1;
		}
	return e->code;
}

/* Says which sections were made from something that is there in another state. */
static int64_t
stale(struct app *a, const struct in *in, int is_delta, struct err *e)
{
	int64_t n = 0;

	for (int64_t i = 0; i < in->n && !e->code; i++) {
		const char *from = head_get(&in->sect[i]->head, "from");
		char *list = mem_strdup(from ? from : ""), *save = NULL;

		for (char *p = strtok_r(list, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
			int found = is_delta;

			for (int64_t k = 0; k < in->n; k++)
				found |= strcmp(in->sect[k]->id, p) == 0;
			if (found)
				continue;
			n++;
			str_addf(&a->text, "%s\tstale\t%s\n", in->name, head_path(&in->sect[i]->head));
			break;
		}
		mem_free(list);
	}
	return n;
}

static int
check(struct app *a, const char *path, struct err *e)
{
	struct in in;
	struct str index = {0};
	struct sect *s;
	int64_t at = 64, n_stale = 0;
	int is_delta = 0;
	struct err said = {0};

	if (in_open(&in, path, 1, &a->set.spool, e) == 0) {
		in.index = &index;
		while ((s = in_next(&in, e))) {
			check_section(&in, s, &index, at, e);
			at = in.at;
		}
		check_axes(&in, &is_delta, e);
		if (!e->code)
			n_stale = stale(a, &in, is_delta, e);
		if (e->code && strncmp(e->msg, in.name, strlen(in.name))) {
			struct err inner = *e;

			e->code = 0;
			err_set(e, inner.code, "%.150s: %.340s", in.name, inner.msg);
		}
		if (!e->code)
			str_addf(&a->text, "%s\t%s\t%lld sections, %lld bytes%s\n", in.name, n_stale ? "stale" : "ok",
			    (long long)in.n, (long long)in.at, is_delta ? ", a delta" : "");
	}
	in_close(&in);
	str_clear(&index);
	app_stat_int(a, "stale", n_stale);
	/* What was found good is said even when the next file is not. */
	file_write(a->out.fd, a->text.s ? a->text.s : "", a->text.n, &said);
	a->text.n = 0;
	if (said.code && !e->code)
		*e = said;
	return e->code;
}

static int
run(struct app *a, struct err *e)
{
	if (a->n_arg == 0)
		check(a, "-", e);
	for (int i = 0; i < a->n_arg && !e->code; i++)
		check(a, a->arg[i], e);
	return e->code;
}

/* One block, decoded, and the names of an axis. */
static int
plan(struct app *a, struct plan *p, struct err *e)
{
	(void)a;
	(void)e;
	p->memory = 12 << 20;
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "ovx-check", .summary = "verify every checksum, axis and digest of streams", .args = "[FILE...]",
		.shape = SHAPE_SINK, .flags = TOOL_TEXT | TOOL_RAW_INPUT, .plan = plan, .run = run, .fixture = "small"
	};

	return app_main(&tool, argc, argv);
}
