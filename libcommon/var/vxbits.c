/* vxbits - see vxbits.h */
#include "var/vxbits.h"

#include "base/mem.h"

/* --- streams -------------------------------------------------------------------- */

uint64_t
vxbits_varint_long(struct vxbits_in *in)
{
	uint64_t v = 0;

	for (int s = 0; s < 64; s += 7) {
		uint8_t b;

		if (in->at >= in->n)
			break;
		b = in->head[in->at++];
		v |= (uint64_t)(b & 127) << s;
		if (!(b & 128))
			return v;
	}
	in->bad = 1;
	return 0;
}

void
vxbits_put_varint(struct str *t, uint64_t v)
{
	uint8_t b[10];
	size_t n = 0;

	for (; v > 127; v >>= 7)
		b[n++] = (uint8_t)(v | 128);
	b[n++] = (uint8_t)v;
	str_addn(t, b, n);
}

void
vxbits_put_zigzag(struct str *t, int64_t v)
{
	vxbits_put_varint(t, (uint64_t)v << 1 ^ (v < 0 ? ~(uint64_t)0 : 0));
}

void
vxbits_put(struct str *t, const uint64_t *v, int n, int w)
{
	uint8_t out[VXBITS_MAX * 8 + 8];
	uint64_t acc = 0;
	size_t k = 0;
	int have = 0;

	if (w == 0)
		return;
	for (int i = 0; i < n; i++) {
		/* have < 8, so that 57 bits more fit */
		acc |= v[i] << have;
		for (have += w; have >= 8; have -= 8) {
			out[k++] = (uint8_t)acc;
			acc >>= 8;
		}
	}
	if (have)
		out[k++] = (uint8_t)acc;
	str_addn(t, out, k);
}

void
vxbits_rows_begin(struct vxbits_out *o, int n)
{
	o->rows.n_array = 0;
	o->rows.n = n;
	o->rows.width = 0;
}

void
vxbits_rows_put(const struct vxbits_out *o, struct str *t)
{
	const struct vxbits_rows_out *r = &o->rows;
	uint8_t out[4096];
	uint64_t acc = 0;
	size_t k = 0;
	int have = 0;

	for (int i = 0; i < r->n; i++)
		for (int a = 0; a < r->n_array; a++) {
			acc |= r->code[(size_t)a * VXBITS_MAX + (size_t)i] << have;
			for (have += r->w[a]; have >= 8; have -= 8) {
				out[k++] = (uint8_t)acc;
				acc >>= 8;
			}
			if (k > sizeof out - 16) {
				str_addn(t, out, k);
				k = 0;
			}
		}
	if (have)
		out[k++] = (uint8_t)acc;
	str_addn(t, out, k);
}

void
vxbits_rows_end(struct vxbits_out *o)
{
	mem_free(o->rows.code);
	mem_free(o->rows.w);
	memset(&o->rows, 0, sizeof o->rows);
}

/* --- flags ------------------------------------------------------------------------ */

static int
list_bytes(int listed, int n)
{
	return 1 + (listed > 127) + (listed * vxflags_width(n) + 7) / 8;
}

int
vxflags_cost(int ones, int n)
{
	int few = ones < n - ones ? ones : n - ones, dense = (n + 7) / 8, list = list_bytes(few, n);

	return few == 0 ? 1 : 1 + (list < dense ? list : dense);
}

void
vxflags_put(struct vxbits_out *o, const uint8_t *set, int n)
{
	uint64_t list[VXBITS_MAX];
	uint8_t kind;
	int ones = 0, few, want, k = 0;

	for (int i = 0; i < n; i++)
		ones += set[i];
	few = ones < n - ones ? ones : n - ones;
	want = ones <= n - ones;
	kind = few == 0 ? (want ? VXFLAGS_NONE : VXFLAGS_ALL) : list_bytes(few, n) < (n + 7) / 8 ? (want ? VXFLAGS_LIST : VXFLAGS_BUT) :
	    VXFLAGS_DENSE;
	str_addn(&o->head, &kind, 1);
	if (kind <= VXFLAGS_ALL)
		return;
	if (kind == VXFLAGS_DENSE) {
		for (int i = 0; i < n; i++)
			list[i] = set[i];
		vxbits_put(&o->data, list, n, 1);
		return;
	}
	for (int i = 0; i < n; i++)
		if (set[i] == want)
			list[k++] = (uint64_t)i;
	vxbits_put_varint(&o->head, (uint64_t)k);
	vxbits_put(&o->data, list, k, vxflags_width(n));
}
