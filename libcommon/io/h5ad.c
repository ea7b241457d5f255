/* h5ad - see h5ad.h: what kind of HDF5 file it is */
#include "io/h5ad.h"

#include <string.h>
#include <unistd.h>
#include "io/h5_impl.h"
#include "os/file.h"

int
h5_is(const char *path)
{
	struct err e = {0};
	char b[8];
	int fd, yes;

	if (strcmp(path, "-") == 0)
		return 0;
	fd = file_open(path, &e);
	if (fd < 0)
		return 0;
	yes = file_read(fd, b, 8, &e) == 8 && memcmp(b, "\x89HDF\r\n\x1a\n", 8) == 0;
	close(fd);
	return yes;
}

int
h5_import(struct set *s, const char *path, const struct import_opt *o, struct err *e)
{
	struct strs l = {0};
	int64_t f;

	h5_memory(s->wave_bytes);
	f = h5_open(path, e);
	if (e->code)
		return h5_sound(path, e);
	if (h5_kind(f, "obs") != HK_NONE && h5_kind(f, "var") != HK_NONE)
		h5ad_import(s, f, path, o, e);
	else if (o->layer || o->raw)
		err_set(e, ERR_USAGE, "%s: is no .h5ad file: --layer and --raw are for these", path);
	else if (tenx_is(f))
		tenx_import(s, f, path, o, e);
	else if (h5_names(f, &l, e) == 0)
		err_set(e, ERR_DATA, "%s: is neither 10x HDF5 (matrix/, or a group for each genome) nor .h5ad (obs, var)", path);
	strs_clear(&l);
	h5_close(f);
	return h5_sound(path, e);
}

