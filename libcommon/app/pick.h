/* pick - what several tools take from a set in the same way
 */
#ifndef OVX_PICK_H
#define OVX_PICK_H

#include "alg/layer.h"
#include "app/app.h"

/* A layer's formula with the columns it names.  name: "lognorm", "scaled", or "counts". */
struct pick_layer {
	struct layer l;
	char from[400];         /* paths it depends on, for from= */
	double *div, *mean, *std;
};
int pick_layer(struct app *a, const char *name, struct pick_layer *p, struct err *e);
void pick_layer_clear(struct pick_layer *p);

/* Groups of the cells by obs/COL: codes [n] and names of the levels. */
struct pick_groups {
	int32_t *code;
	struct strs name;
	char path[300];
};
int pick_groups(struct app *a, const char *col, struct pick_groups *g, struct err *e);
void pick_groups_clear(struct pick_groups *g);
/* How many there are; 1 when col is NULL.  For plans. */
int64_t pick_n_groups(struct app *a, const char *col, struct err *e);

/* The embedding to work on: obsm/KEY, or, when key is NULL, obsm/X_harmony if
 * it is there, else obsm/X_pca.  path gets what was taken; dims: how many of its
 * columns count (0 or more than it has = all). */
struct pick_embedding {
	float *x;               /* [n][d] */
	int64_t n, d;           /* columns in x */
	int dims;               /* that count */
	char path[300];
};
int pick_embedding(struct app *a, const char *key, int64_t dims, struct pick_embedding *p, struct err *e);
/* Path and shape only, for plans. */
int pick_embedding_shape(struct app *a, const char *key, struct pick_embedding *p, struct err *e);
void pick_embedding_clear(struct pick_embedding *p);

#endif
