/* out - see out.h */
#include "stream/out.h"

#include <string.h>
#include "base/mem.h"
#include "os/deflate.h"
#include "os/file.h"
#include "stream/wire.h"

#define BUF (1 << 16)

void
ident_start(struct ident *i, const struct head *h)
{
	uint8_t b[32] = {0};
	/* A formula is what its text says. */
	static const char *const key[] = { "x", "log1p", "div", "mean", "std", "clip", "genes" };

	sha_init(&i->sha);
	b[0] = (uint8_t)h->kind;
	b[1] = (uint8_t)h->dtype;
	wire_put64(b + 8, (uint64_t)h->n_row);
	wire_put64(b + 16, (uint64_t)h->n_col);
	sha_add(&i->sha, b, sizeof b);
	for (size_t k = 0; h->kind == KIND_FORMULA && k < sizeof key / sizeof *key; k++) {
		const char *v = head_get(h, key[k]);

		if (v)
			sha_add(&i->sha, v, strlen(v) + 1);
	}
	if (h->kind == KIND_FORMULA && head_get(h, "from"))
		sha_add(&i->sha, head_get(h, "from"), strlen(head_get(h, "from")));
}

void
ident_block(struct ident *i, const struct block *b)
{
	uint8_t p[16];

	wire_put64(p, b->hash[0]);
	wire_put64(p + 8, b->hash[1]);
	sha_add(&i->sha, p, sizeof p);
}

void
ident_end(struct ident *i, const struct head *h, char id[33])
{
	const char *fixed = head_get(h, "id");

	sha_hex(&i->sha, id);
	if (fixed && strlen(fixed) == 32 && strspn(fixed, "0123456789abcdef") == 32)
		memcpy(id, fixed, 33);
}

static int
flush(struct out *o, struct err *e)
{
	file_write(o->fd, o->buf.s, o->buf.n, e);
	o->buf.n = 0;
	return e->code;
}

static int
put(struct out *o, const void *p, size_t n, struct err *e)
{
	if (e->code)
		return e->code;
	o->at += (int64_t)n;
	if (o->buf.n + n > BUF)
		flush(o, e);
	if (n >= BUF)
		return file_write(o->fd, p, n, e);
	str_addn(&o->buf, p, n);
	return e->code;
}

static int
put_zeros(struct out *o, int64_t n, struct err *e)
{
	static const uint8_t zero[WIRE_ALIGN];

	return put(o, zero, (size_t)n, e);
}

/* The chain goes on over the CRC of a head. */
static void
link_crc(struct out *o, const uint8_t crc[4])
{
	o->chain = deflate_crc(o->chain, crc, 4);
}

static void
add64(struct str *t, uint64_t v)
{
	uint8_t b[8];

	wire_put64(b, v);
	str_addn(t, b, 8);
}

int
out_open(struct out *o, int fd, struct err *e)
{
	uint8_t b[64] = {0};

	memset(o, 0, sizeof *o);
	o->fd = fd;
	memcpy(b, WIRE_MAGIC, 8);
	wire_put16(b + WP_MAJOR, WIRE_MAJOR);
	wire_put16(b + WP_MINOR, WIRE_MINOR);
	wire_put32(b + WP_CRC, deflate_crc(0, b, WP_CRC));
	return put(o, b, 64, e);
}

/* Enters the section that is complete into the index. */
static void
close_section(struct out *o)
{
	uint8_t id[16];

	for (int i = 0; i < 16; i++) {
		const char *x = o->last_id + 2 * i;

		id[i] = (uint8_t)((x[0] <= '9' ? x[0] - '0' : x[0] - 'a' + 10) << 4 | (x[1] <= '9' ? x[1] - '0' : x[1] - 'a' + 10));
	}
	str_addn(&o->index, id, 16);
	add64(&o->index, (uint64_t)o->n_block);
	str_addn(&o->index, o->blocks.s, o->blocks.n);
	o->blocks.n = 0;
	o->open = 0;
}

int
out_section(struct out *o, const struct head *h, struct err *e)
{
	struct str b = {0};
	struct ident id;

	if (e->code)
		return e->code;
	BUG_IF(o->open);
	head_encode(h, o->n_sect, o->chain, &b);
	if (h->kind != KIND_END)
		add64(&o->index, (uint64_t)o->at);
	put(o, b.s, b.n, e);
	link_crc(o, (uint8_t *)b.s + WS_CRC);
	str_clear(&b);
	o->n_sect++;
	o->n_block = 0;
	head_clear(&o->cur);
	head_copy(&o->cur, h);
	ident_start(&id, h);
	o->id = id.sha;
	o->open = 1;
	if (!h->payload) {
		ident_end(&id, h, o->last_id);
		close_section(o);
	}
	return e->code;
}

int
out_block_head(struct out *o, const struct block *b, struct err *e)
{
	uint8_t p[64];
	struct ident id = { o->id };

	if (e->code)
		return e->code;
	BUG_IF(!o->open);
	block_encode(b, p);
	add64(&o->blocks, (uint64_t)o->at);
	add64(&o->blocks, (uint64_t)b->row0);
	put(o, p, 64, e);
	link_crc(o, p + WB_CRC);
	ident_block(&id, b);
	o->id = id.sha;
	o->n_block++;
	flush(o, e);
	o->at += b->stored;
	return e->code;
}

int
out_padding(struct out *o, const struct block *b, struct err *e)
{
	struct ident id = { o->id };

	put_zeros(o, wire_pad(b->stored) - b->stored, e);
	if (b->last && !e->code) {
		ident_end(&id, &o->cur, o->last_id);
		close_section(o);
	}
	return e->code;
}

int
out_block(struct out *o, const struct block *b, const void *data, struct err *e)
{
	uint8_t p[64];
	struct ident id = { o->id };

	if (e->code)
		return e->code;
	BUG_IF(!o->open);
	block_encode(b, p);
	if (o->cur.kind != KIND_END) {
		add64(&o->blocks, (uint64_t)o->at);
		add64(&o->blocks, (uint64_t)b->row0);
	}
	put(o, p, 64, e);
	link_crc(o, p + WB_CRC);
	ident_block(&id, b);
	o->id = id.sha;
	o->n_block++;
	put(o, data, (size_t)b->stored, e);
	if (o->cur.kind == KIND_END)
		return put_zeros(o, wire_pad(b->stored) - b->stored, e);
	return out_padding(o, b, e);
}

int
out_close(struct out *o, struct err *e)
{
	struct head h;
	struct block b = {0};
	struct str index = o->index;
	uint8_t t[64] = {0};
	int64_t end = o->at;

	if (e->code)
		return e->code;
	BUG_IF(o->open);
	memset(&o->index, 0, sizeof o->index);
	head_init(&h, KIND_END, DT_NONE, "end", o->n_sect, 0);
	out_section(o, &h, e);
	head_clear(&h);
	b.last = 1;
	b.n_item = b.stored = (int64_t)index.n;
	b.hash[0] = o->chain;
	b.data_crc = deflate_crc(0, index.s, index.n);
	out_block(o, &b, index.s, e);
	str_clear(&index);
	memcpy(t, "OVXE", 4);
	wire_put64(t + WT_END, (uint64_t)end);
	wire_put64(t + WT_TOTAL, (uint64_t)o->at + 64);
	wire_put32(t + WT_CRC, deflate_crc(0, t, WT_CRC));
	put(o, t, 64, e);
	flush(o, e);
	o->open = 0;
	return e->code;
}

void
out_clear(struct out *o)
{
	head_clear(&o->cur);
	str_clear(&o->buf);
	str_clear(&o->index);
	str_clear(&o->blocks);
	memset(o, 0, sizeof *o);
}
