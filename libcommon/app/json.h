/* json - the only header that includes jansson.h: reports, and sections under uns/ */
#ifndef OVX_JSON_H
#define OVX_JSON_H

#include <jansson.h>
#include "base/str.h"

/* One spelling for one value: keys in the order they were set, 17 digits, no
 * spaces.  Appended to out. */
void json_text(const json_t *j, struct str *out);
/* Object member set to an array of doubles; NaN and infinite become null. */
void json_set_reals(json_t *object, const char *key, const double *x, int64_t n);
/* A number that JSON can hold: null for NaN and infinities. */
json_t *json_number(double x);

#endif
