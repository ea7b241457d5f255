/* ovx-join - one stream from a base and its deltas
 *
 * reads    BASE [DELTA...]
 * writes   everything in them, a later input replacing sections of the same path
 */
#include "app/app.h"

static int
run(struct app *a, struct err *e)
{
	app_say(a, "%lld cells x %lld genes from %d inputs", (long long)a->set.axis[AXIS_OBS].n,
	    (long long)a->set.axis[AXIS_VAR].n, a->n_arg ? a->n_arg : 1);
	a->no_log = 1;
	return e->code;
}

int
main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "ovx-join", .summary = "one stream from a base and its deltas", .args = "[BASE [DELTA...]]",
		.shape = SHAPE_FILTER, .flags = TOOL_NO_NEW, .run = run, .fixture = "small"
	};

	return app_main(&tool, argc, argv);
}
