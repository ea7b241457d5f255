/* stream_fixed - fuzz target: streams whose checksums, chain and index are right
 *
 * The input is taken apart where "SECT" and "BLCK" stand, and put together again with
 * padding, sequence, CRCs, index and tail made right, so that what is wrong is behind the checks.
 * The mutator changes fields of heads, doubles and drops sections and
 * replaces deflate blocks by raw ones, which are then open to change.
 */
#define FIX
#include "stream.c"

#include "os/deflate.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

/* Where the next head starts, from at on; n when there is none. */
static size_t
next_tag(const uint8_t *p, size_t n, size_t at)
{
	for (; at + 64 <= n; at++)
		if (memcmp(p + at, "SECT", 4) == 0 || memcmp(p + at, "BLCK", 4) == 0)
			return at;
	return n;
}

struct fixer {
	struct str *out, index, blocks;
	uint32_t chain;
	int64_t n_sect, n_block;
	size_t start;           /* of the open section, in out */
	int open;
	struct head head;
	struct ident id;
};

static void
add64(struct str *t, uint64_t v)
{
	uint8_t b[8];

	wire_put64(b, v);
	str_addn(t, b, 8);
}

static void
pad(struct str *t)
{
	static const uint8_t zero[64];

	str_addn(t, zero, (size_t)(wire_pad((int64_t)t->n) - (int64_t)t->n));
}

static void
end_section(struct fixer *f)
{
	char id[33];

	if (!f->open)
		return;
	ident_end(&f->id, &f->head, id);
	add64(&f->index, f->start);
	for (int i = 0; i < 16; i++) {
		char x[3] = { id[2 * i], id[2 * i + 1], 0 };
		uint8_t v = (uint8_t)strtol(x, NULL, 16);

		str_addn(&f->index, &v, 1);
	}
	add64(&f->index, (uint64_t)f->n_block);
	str_addn(&f->index, f->blocks.s ? f->blocks.s : "", f->blocks.n);
	f->blocks.n = 0;
	f->n_block = 0;
	f->open = 0;
	head_clear(&f->head);
}

static void
fix_section(struct fixer *f, const uint8_t *p, size_t body)
{
	size_t at = f->out->n, text = wire_get32(p + WS_TEXT);
	struct err e = {0};
	uint8_t *q;

	end_section(f);
	text = text < body ? text : body;
	str_addn(f->out, p, 64 + text);
	pad(f->out);
	q = (uint8_t *)f->out->s + at;
	wire_put32(q + WS_TEXT, (uint32_t)text);
	wire_put64(q + WS_SEQ, (uint64_t)f->n_sect++);
	wire_put32(q + WS_CHAIN, f->chain);
	wire_put32(q + WS_CRC, deflate_crc(deflate_crc(0, q, WS_CRC), q + 64, f->out->n - at - 64));
	f->chain = deflate_crc(f->chain, q + WS_CRC, 4);
	f->start = at;
	f->open = 1;
	head_decode(&f->head, q, (int64_t)(f->out->n - at), -1, 0, &e);
	ident_start(&f->id, &f->head);
}

static void
fix_block(struct fixer *f, const uint8_t *p, size_t body)
{
	size_t at = f->out->n, stored = wire_get64(p + WB_STORED);
	struct err e = {0};
	struct block b;
	uint8_t *q;

	stored = stored < body ? stored : body;
	str_addn(f->out, p, 64 + stored);
	pad(f->out);
	q = (uint8_t *)f->out->s + at;
	wire_put64(q + WB_STORED, stored);
	wire_put32(q + WB_DATA_CRC, deflate_crc(0, q + 64, stored));
	wire_put32(q + WB_CRC, deflate_crc(0, q, WB_CRC));
	f->chain = deflate_crc(f->chain, q + WB_CRC, 4);
	add64(&f->blocks, at);
	add64(&f->blocks, wire_get64(q + WB_ROW0));
	f->n_block++;
	if (block_decode(&b, q, &e) == 0)
		ident_block(&f->id, &b);
}

static void
fix_end(struct fixer *f)
{
	struct head h;
	struct block b = { .last = 1 };
	uint8_t p[64], t[64] = "OVXE";
	size_t at = f->out->n;

	end_section(f);
	head_init(&h, KIND_END, DT_NONE, "end", f->n_sect, 0);
	h.payload = 1;
	head_encode(&h, f->n_sect, f->chain, f->out);
	head_clear(&h);
	b.n_item = b.stored = (int64_t)f->index.n;
	b.hash[0] = deflate_crc(f->chain, f->out->s + at + WS_CRC, 4);
	b.data_crc = deflate_crc(0, f->index.s ? f->index.s : "", f->index.n);
	block_encode(&b, p);
	str_addn(f->out, p, 64);
	str_addn(f->out, f->index.s ? f->index.s : "", f->index.n);
	pad(f->out);
	wire_put64(t + WT_END, at);
	wire_put64(t + WT_TOTAL, f->out->n + 64);
	wire_put32(t + WT_CRC, deflate_crc(0, t, WT_CRC));
	str_addn(f->out, t, 64);
}

static void
fix(const uint8_t *p, size_t n, struct str *out)
{
	struct fixer f = { .out = out };
	uint8_t first[64] = WIRE_MAGIC;

	wire_put16(first + WP_MAJOR, WIRE_MAJOR);
	wire_put32(first + WP_CRC, deflate_crc(0, first, WP_CRC));
	str_addn(out, first, 64);
	for (size_t at = next_tag(p, n, n < 64 ? n : 64), next; at < n; at = next) {
		next = next_tag(p, n, at + 64);
		if (p[at] == 'S' && p[at + WS_KIND] == KIND_END)
			break;
		if (p[at] == 'S')
			fix_section(&f, p + at, next - at - 64);
		else
			fix_block(&f, p + at, next - at - 64);
	}
	fix_end(&f);
	head_clear(&f.head);
	str_clear(&f.index);
	str_clear(&f.blocks);
}

/* --- mutations --------------------------------------------------------------- */

static uint64_t
draw(uint64_t *r)
{
	*r ^= *r << 13;
	*r ^= *r >> 7;
	*r ^= *r << 17;
	return *r;
}

/* A random head of p: its place, or n. */
static size_t
any_tag(const uint8_t *p, size_t n, uint64_t *r)
{
	size_t at = n > 64 ? next_tag(p, n, (size_t)(draw(r) % (n - 63))) : n;

	return at < n ? at : next_tag(p, n, 0);
}

static void
set_field(uint8_t *p, uint64_t *r)
{
	static const uint8_t s[] = { WS_N_ROW, WS_N_COL, WS_BLOCK_ROWS, WS_KIND, WS_DTYPE, WS_FLAGS };
	static const uint8_t b[] = { WB_N_ROW, WB_N_ITEM, WB_ROW0, WB_CODEC, WB_FLAGS, WB_STORED };
	uint8_t k = p[0] == 'S' ? s[draw(r) % sizeof s] : b[draw(r) % sizeof b];
	uint64_t v;

	if ((p[0] == 'S' && k < 8) || (p[0] == 'B' && k < 8)) {
		p[k] = (uint8_t)(draw(r) % 4 ? draw(r) % 10 : draw(r));
		return;
	}
	v = k == WS_BLOCK_ROWS ? wire_get32(p + k) : wire_get64(p + k);
	switch (draw(r) % 8) {
	case 0: v++; break;
	case 1: v--; break;
	case 2: v = 0; break;
	case 3: v = (uint64_t)1 << draw(r) % 64; break;
	case 4: v = ((uint64_t)1 << draw(r) % 64) - 1; break;
	case 5: v = draw(r) % 200; break;
	case 6: v = v * 2; break;
	default: v = draw(r) % 8; break;
	}
	if (k == WS_BLOCK_ROWS)
		wire_put32(p + k, (uint32_t)v);
	else
		wire_put64(p + k, v);
}

/* Sections n bytes from at on to another place, or away. */
static size_t
move_piece(uint8_t *data, size_t size, size_t max, uint64_t *r)
{
	size_t a = any_tag(data, size, r), b = next_tag(data, size, a + 64 < size ? a + 64 : size);
	size_t to = any_tag(data, size, r), n;
	uint8_t *tmp;

	for (int i = (int)(draw(r) % 3); i > 0 && b < size; i--)
		b = next_tag(data, size, b + 64);
	n = b - a;
	if (draw(r) % 4 == 0 || size + n > max) {
		memmove(data + a, data + b, size - b);
		return size - n;
	}
	tmp = mem_raw(uint8_t, (int64_t)n);
	memcpy(tmp, data + a, n);
	memmove(data + to + n, data + to, size - to);
	memcpy(data + to, tmp, n);
	mem_free(tmp);
	return size + n;
}

/* All deflate blocks as raw ones. */
static size_t
unpack(uint8_t *data, size_t size, size_t max)
{
	struct str in = {0}, out = {0}, raw = {0};
	struct head h = {0};
	const uint8_t *p;

	fix(data + N_CONTROL, size - N_CONTROL, &in);
	p = (const uint8_t *)in.s;
	str_addn(&out, data, N_CONTROL);
	str_addn(&out, p, 64);
	for (size_t at = 64, next; at < in.n; at = next) {
		struct err e = {0};
		struct block b;
		uint8_t q[64];

		next = next_tag(p, in.n, at + 64);
		if (p[at] == 'S') {
			head_clear(&h);
			head_decode(&h, p + at, head_length(p + at, &e), -1, 0, &e);
		} else if (block_decode(&b, p + at, &e) == 0 && b.codec == CODEC_DEFLATE && h.kind <= KIND_BLOB && h.kv.n &&
		    codec_raw_size(&h, &b, &e) < (int64_t)max && codec_decode(&h, &b, p + at + 64, &raw, &e) == 0) {
			b.codec = CODEC_RAW;
			b.stored = (int64_t)raw.n;
			block_encode(&b, q);
			str_addn(&out, q, 64);
			str_addn(&out, raw.s, raw.n);
			continue;
		}
		str_addn(&out, p + at, next - at);
	}
	if (out.n <= max) {
		memcpy(data, out.s, out.n);
		size = out.n;
	}
	head_clear(&h);
	str_clear(&in);
	str_clear(&out);
	str_clear(&raw);
	return size;
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	uint64_t r = seed * (uint64_t)0x9e3779b97f4a7c15 + 1;
	size_t at;

	if (size < N_CONTROL + 128)
		return LLVMFuzzerMutate(data, size, max);
	switch (draw(&r) % 10) {
	case 0:
		return unpack(data, size, max);
	case 1:
		data[draw(&r) % N_CONTROL] = (uint8_t)draw(&r);
		return size;
	case 2:
	case 3:
	case 4:
		for (int i = (int)(draw(&r) % 3); i >= 0; i--)
			if ((at = any_tag(data, size, &r)) < size)
				set_field(data + at, &r);
		return size;
	case 5:
		return move_piece(data, size, max, &r);
	default:
		return LLVMFuzzerMutate(data, size, max);
	}
}
