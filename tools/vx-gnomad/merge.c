/* merge - vx-gnomad merge: databases of one release joined into one */
#include <sys/stat.h>
#include "base/mem.h"
#include "build.h"
#include "cmd.h"

static const struct opt opts[] = {
	{0}
};

static int
plan(struct app *a, struct plan *p, struct err *e)
{
	(void)e;
	p->memory = build_plan(a) + a->n_arg * (int64_t)(4 << 20);
	for (int i = 0; i < a->n_arg; i++) {
		struct stat st;

		if (stat(a->arg[i], &st) == 0)
			p->output += st.st_size;
	}
	return 0;
}

static int
run(struct app *a, struct err *e)
{
	struct fbuild b = { .memory = build_memory(a) };
	struct build_sink s;
	struct freq **db;

	if (build_output(a, e))
		return e->code;
	if (a->n_arg < 1)
		return err_set(e, ERR_USAGE, "name the databases to join");
	build_sink(&s, a, &b);
	db = mem_new(struct freq *, a->n_arg);
	for (int i = 0; i < a->n_arg && !e->code; i++)
		db[i] = vxg_open(a->arg[i], b.memory / (2 * a->n_arg), e);
	b.memory /= 2;
	if (!e->code)
		fbuild_merge(&b, db, a->n_arg, e);
	build_end(&s, e);
	for (int i = 0; i < a->n_arg; i++)
		if (db[i])
			db[i]->close(db[i]);
	mem_free(db);
	fbuild_clear(&b);
	return e->code;
}

const struct tool cmd_merge = {
	.name = "vx-gnomad merge",
	.summary = "databases of one release joined into one",
	.args = "A.vxg B.vxg... -o C.vxg",
	.reads = "databases",
	.writes = "a database",
	.shape = SHAPE_VARIANTS,
	.opts = opts,
	.plan = plan,
	.run = run,
};
