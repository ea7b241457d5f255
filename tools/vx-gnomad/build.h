/* build - what index and merge have in common: a database as the sink of fbuild, and what is said in the end
 */
#ifndef OVX_GNOMAD_BUILD_H
#define OVX_GNOMAD_BUILD_H

#include "app/app.h"
#include "var/fbuild.h"

#define BUILD_COLUMNS 48                /* columns that plans count on */

struct build_sink {
	struct app *a;
	struct fbuild *b;
	struct vxg_writer *w;
	struct fcols cols;
	int64_t rows;
};

/* Bytes that a build takes at least, and bytes that fbuild may have. */
int64_t build_plan(const struct app *a);
int64_t build_memory(const struct app *a);
/* ERR_USAGE unless the output is a file of ours. */
int build_output(const struct app *a, struct err *e);
/* Makes b hand its rows to the output. */
void build_sink(struct build_sink *s, struct app *a, struct fbuild *b);
/* Ends the database; counts for the closing line and --json, and warnings. */
int build_end(struct build_sink *s, struct err *e);

#endif
