/* head: what is encoded comes back; what no writer writes is refused */
#include "stream/head.h"
#include "../t.h"

/* 1 when a head of this kind is read back. */
static int
passes(int kind, int dtype, int64_t n_row, int64_t n_col)
{
	struct err e = {0};
	struct head h, back;
	struct str b = {0};
	int same = 0;

	head_init(&h, KIND_TEXT, dtype, "uns/x", n_row, n_col);
	h.kind = kind;
	head_encode(&h, 3, 7, &b);
	if (head_decode(&back, (const uint8_t *)b.s, (int64_t)b.n, 3, 7, &e) == 0)
		same = back.kind == kind && back.dtype == dtype && back.n_row == n_row && !strcmp(head_path(&back), "uns/x");
	head_clear(&h);
	head_clear(&back);
	str_clear(&b);
	return same;
}

int
main(void)
{
	ok(passes(KIND_TEXT, DT_U8, 5, 1), "a text");
	ok(passes(KIND_BLOB + 1, DT_U8, 5, 1), "a kind of a newer version");
	ok(!passes(0, DT_U8, 5, 1), "no kind at all");
	ok(!passes(KIND_TEXT, DT_F64, 5, 1), "a text of numbers");
	ok(!passes(KIND_TEXT, DT_U8, -1, 1), "a negative length");
	return done();
}
