/* odd - copies a stream and adds sections that no tool knows: odd IN OUT
 *
 *	blob/future     bytes bound to nothing
 *	uns/note        text bound to nothing
 */
#include <stdio.h>
#include <string.h>
#include "cell/set.h"
#include "os/file.h"

static void
blob(struct set *s, const char *path, int kind, const char *bytes, struct err *e)
{
	struct head h;
	struct block b = { .n_row = (int64_t)strlen(bytes), .last = 1 };
	struct sect *t;

	head_init(&h, kind, DT_U8, path, b.n_row, 1);
	t = set_new_sect(s, &h);
	set_add_block(s, t, &b, bytes, b.n_row, e);
	set_add_item(s, t, 1, 0);
}

int
main(int argc, char **argv)
{
	struct set s;
	struct err e = {0};
	struct outfile o;

	if (argc != 3)
		return 2;
	set_init(&s);
	set_open(&s, &argv[1], 1, &e);
	blob(&s, "blob/future", KIND_BLOB, "what a later version wrote", &e);
	blob(&s, "uns/note", KIND_TEXT, "future data", &e);
	outfile_open(&o, argv[2], &e);
	set_write(&s, o.fd, 0, &e);
	outfile_commit(&o, &e);
	set_close(&s);
	if (e.code)
		fprintf(stderr, "odd: %s\n", e.msg);
	return e.code != 0;
}
