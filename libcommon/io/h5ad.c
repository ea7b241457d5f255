#include "io/h5ad.h"
int h5_is(const char *path) { (void)path; return 0; }
int h5_import(struct set *s, const char *path, const struct import_opt *o, struct err *e) { (void)s; (void)path; (void)o; return err_set(e, ERR_USAGE, "built without HDF5"); }
int h5ad_export(struct set *s, const char *path, const struct h5ad_opt *o, struct err *e) { (void)s; (void)path; (void)o; return err_set(e, ERR_USAGE, "built without HDF5"); }
