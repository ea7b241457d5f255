/* json - see json.h */
#include "app/json.h"

#include <math.h>
#include <stdlib.h>
#include "base/mem.h"

void
json_text(const json_t *j, struct str *out)
{
	char *s = json_dumps(j, JSON_COMPACT | JSON_REAL_PRECISION(17) | JSON_ENCODE_ANY);

	if (!s)
		mem_oom(1 << 16);
	str_add(out, s);
	free(s);
}

json_t *
json_number(double x)
{
	return isfinite(x) ? json_real(x) : json_null();
}

void
json_set_reals(json_t *object, const char *key, const double *x, int64_t n)
{
	json_t *a = json_array();

	for (int64_t i = 0; i < n; i++)
		json_array_append_new(a, json_number(x[i]));
	json_object_set_new(object, key, a);
}
