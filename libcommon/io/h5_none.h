/* h5_none - the calls of h5.h when built without HDF5; included by h5.c alone */
#ifndef OVX_H5_NONE_H
#define OVX_H5_NONE_H

#include <stdio.h>
#include <string.h>
#include "io/h5.h"


/* Built without HDF5: nothing opens, so nothing else is ever called with something open. */
#define A __attribute__((unused))

static int
without(struct err *e)
{
	return err_set(e, ERR_USAGE, "built without HDF5: .h5 and .h5ad are neither read nor written");
}

static int
without_id(struct err *e)
{
	without(e);
	return 0;
}

int h5_have(void) { return 0; }
void h5_memory(A int64_t bytes) { }
int h5_sound(A const char *path, struct err *e) { return e->code; }
int64_t h5_open(A const char *path, struct err *e) { return without_id(e); }
int64_t h5_create(A int fd, struct err *e) { return without_id(e); }
int h5_end(A int64_t file, struct err *e) { return without(e); }
void h5_close(A int64_t id) { }
void h5_name(A int64_t id, char out[H5_NAME]) { snprintf(out, H5_NAME, "?"); }
int h5_kind(A int64_t at, A const char *name) { return HK_NONE; }
int64_t h5_at(A int64_t at, A const char *name, struct err *e) { return without_id(e); }
int h5_names(A int64_t group, A struct strs *out, struct err *e) { return without(e); }
int h5_attr_has(A int64_t at, A const char *key) { return 0; }
int h5_attr_text(A int64_t at, A const char *key, A struct str *out) { return 0; }
int h5_attr_texts(A int64_t at, A const char *key, A struct strs *out) { return 0; }
int h5_attr_ints(A int64_t at, A const char *key, A int64_t *v, A int most) { return 0; }
int64_t h5_attr_object(A int64_t at, A const char *key) { return 0; }
int h5_attr_is(A int64_t at, A const char *key, A const char *value) { return 0; }
int h5_data_open(struct h5_data *d, A int64_t at, A const char *name, struct err *e)
{
	memset(d, 0, sizeof *d);
	return without(e);
}
int h5_data_field(A const struct h5_data *d, A int i, struct h5_data *f, A char *name, struct err *e)
{
	memset(f, 0, sizeof *f);
	return without(e);
}
void h5_data_close(struct h5_data *d) { memset(d, 0, sizeof *d); }
int h5_claim(A const struct h5_data *d, struct err *e) { return without(e); }
int h5_read(A const struct h5_data *d, A int mem, A int64_t lo, A int64_t n, A void *buf, struct err *e) { return without(e); }
struct h5_run *h5_run_new(A const struct h5_data *d, A int64_t most, A struct par *par) { return NULL; }
int h5_run_read(A struct h5_run *r, A int mem, A int64_t lo, A int64_t n, A void *buf, struct err *e) { return without(e); }
const void *h5_run_view(A struct h5_run *r, A int *mem, A int64_t lo, A int64_t n, struct err *e) { without(e); return NULL; }
void h5_run_free(A struct h5_run *r) {}
int h5_read_texts(A const struct h5_data *d, A int64_t lo, A int64_t n, A struct strs *out, struct err *e) { return without(e); }
int h5_width(A int mem) { return 8; }
int64_t h5_group(A int64_t at, A const char *name, A const char *type, A const char *version, A int wide, struct err *e)
{
	return without_id(e);
}
int h5_put_attr_text(A int64_t at, A const char *key, A const char *value, struct err *e) { return without(e); }
int h5_put_attr_texts(A int64_t at, A const char *key, A const struct strs *l, struct err *e) { return without(e); }
int h5_put_attr_ints(A int64_t at, A const char *key, A const int64_t *v, A int n, struct err *e) { return without(e); }
int h5_put_attr_bool(A int64_t at, A const char *key, A int v, struct err *e) { return without(e); }
int64_t h5_new(A int64_t at, A const char *name, A int mem, A const struct h5_shape *s, A const char *type, struct err *e)
{
	return without_id(e);
}
int h5_grow(A int64_t data, A int64_t n, struct err *e) { return without(e); }
int h5_write(A int64_t data, A int mem, A int64_t lo, A int64_t n, A const void *buf, struct err *e) { return without(e); }
int h5_put(A int64_t at, A const char *name, A int mem, A const struct h5_shape *s, A const char *type, A const void *buf,
	struct err *e)
{
	return without(e);
}
int h5_put_texts(A int64_t at, A const char *name, A const struct strs *l, struct err *e) { return without(e); }
int h5_put_text(A int64_t at, A const char *name, A const char *s, struct err *e) { return without(e); }

#endif
