/* stored - what the parts of ovx-pca share: X in the stream's order of genes, scores on their way */
#ifndef OVX_PCA_STORED_H
#define OVX_PCA_STORED_H

#include "alg/pca.h"
#include "app/app.h"
#include "app/pick.h"

/* X by the stream's own columns: frequent genes first, rising within a row. */
struct stored {
	struct rows r;
	int32_t *order;         /* [n_var] the user's column of each */
	int32_t *place;         /* [n_var] the column of each of the user's */
	struct layer l;         /* the layer with mean and std in that order, which are ours */
};

int stored_open(struct app *a, const struct layer *l, struct stored *s, struct err *e);
void stored_close(struct stored *s);

/* Puts obsm/X_pca: the scores of all cells on f's k components.  o: genes as the stream's columns.  shift [k] is
 * added, or NULL. */
int scores_put(struct app *a, struct rows *r, const struct pca_opt *o, const struct pca *f, const double *shift, const char *from,
	struct err *e);

/* --project FIT with the components of an earlier run. */
int project_earlier(struct app *a, const char *fit, const char *layer, struct pick_layer *l, struct stored *s, struct err *e);

#endif
