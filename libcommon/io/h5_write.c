/* h5_write - see h5.h: files, attributes and datasets out */
#include "io/h5_lib.h"

#ifdef OVX_HDF5

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "os/file.h"

#define A_ __attribute__((unused))
#define TEXT_ROWS 65536         /* texts handed to the library at a time */
#define CHUNK 65536             /* values of a chunk that is written */

/* --- a file by its descriptor --------------------------------------------------- */

/* A driver that writes through os/file to a descriptor, given as the name "fd:N": an output that has
 * no name until it is whole cannot be opened by one. */
struct by_fd {
	H5FD_t base;            /* the library's; must be first */
	int fd;
	haddr_t eoa, eof;       /* end of what is allocated; of what is there */
};

/* Why the last write failed. */
static int write_errno;

static H5FD_t *
fd_open(const char *name, unsigned flags, A_ hid_t access, A_ haddr_t most)
{
	struct by_fd *f;
	int fd = strncmp(name, "fd:", 3) ? -1 : atoi(name + 3);
	int64_t size = fd < 0 ? -1 : file_size(fd);

	if (fd < 0)
		return NULL;
	if (flags & H5F_ACC_TRUNC) {
		if (size > 0 && ftruncate(fd, 0)) {
			write_errno = errno;
			return NULL;
		}
		size = 0;
	}
	f = mem_new(struct by_fd, 1);
	f->fd = fd;
	f->eof = size > 0 ? (haddr_t)size : 0;
	return &f->base;
}

static herr_t
fd_close(H5FD_t *p)
{
	mem_free(p);
	return 0;
}

static int
fd_compare(const H5FD_t *a, const H5FD_t *b)
{
	int x = ((const struct by_fd *)a)->fd, y = ((const struct by_fd *)b)->fd;

	return x < y ? -1 : x > y;
}

static herr_t
fd_query(A_ const H5FD_t *p, unsigned long *flags)
{
	if (flags)
		*flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
		    H5FD_FEAT_AGGREGATE_SMALLDATA;
	return 0;
}

static haddr_t
fd_get_eoa(const H5FD_t *p, A_ H5FD_mem_t type)
{
	return ((const struct by_fd *)p)->eoa;
}

static herr_t
fd_set_eoa(H5FD_t *p, A_ H5FD_mem_t type, haddr_t at)
{
	((struct by_fd *)p)->eoa = at;
	return 0;
}

static haddr_t
fd_get_eof(const H5FD_t *p, A_ H5FD_mem_t type)
{
	return ((const struct by_fd *)p)->eof;
}

/* Behind the end there are zeros, as in a file with a hole. */
static herr_t
fd_read(H5FD_t *p, A_ H5FD_mem_t type, A_ hid_t transfer, haddr_t at, size_t n, void *buf)
{
	struct by_fd *f = (struct by_fd *)p;
	struct err e = {0};
	int64_t got = file_pread(f->fd, buf, n, (int64_t)at, &e);

	if (got < 0)
		return -1;
	memset((char *)buf + got, 0, n - (size_t)got);
	return 0;
}

static herr_t
fd_write(H5FD_t *p, A_ H5FD_mem_t type, A_ hid_t transfer, haddr_t at, size_t n, const void *buf)
{
	struct by_fd *f = (struct by_fd *)p;
	struct err e = {0};

	if (file_pwrite(f->fd, buf, n, (int64_t)at, &e)) {
		write_errno = errno;
		return -1;
	}
	if (at + n > f->eof)
		f->eof = at + n;
	return 0;
}

/* The file gets the length that its superblock tells. */
static herr_t
fd_truncate(H5FD_t *p, A_ hid_t transfer, A_ hbool_t closing)
{
	struct by_fd *f = (struct by_fd *)p;

	if (f->eoa == f->eof || file_size(f->fd) < 0)
		return 0;
	if (ftruncate(f->fd, (off_t)f->eoa)) {
		write_errno = errno;
		return -1;
	}
	f->eof = f->eoa;
	return 0;
}

static const H5FD_class_t by_fd_class = {
#ifdef H5FD_CLASS_VERSION
	.version = H5FD_CLASS_VERSION, .value = (H5FD_class_value_t)511,
#endif
	.name = "ovx_fd", .maxaddr = ((haddr_t)1 << 62) - 1, .fc_degree = H5F_CLOSE_WEAK, .open = fd_open, .close = fd_close,
	.cmp = fd_compare, .query = fd_query, .get_eoa = fd_get_eoa, .set_eoa = fd_set_eoa, .get_eof = fd_get_eof,
	.read = fd_read, .write = fd_write, .truncate = fd_truncate, .fl_map = H5FD_FLMAP_DICHOTOMY
};

int
lib_bad_write(const char *name, struct err *e)
{
	if (write_errno) {
		errno = write_errno;
		return err_errno(e, "writing %s", name);
	}
	return err_set(e, ERR_SYSTEM, "writing %s failed", name);
}

int64_t
h5_create(int fd, struct err *e)
{
	hid_t plist, access, driver, f;
	char name[32];

	if (e->code)
		return 0;
	lib_start(NULL);
	write_errno = 0;
	snprintf(name, sizeof name, "fd:%d", fd);
	driver = H5FDregister(&by_fd_class);
	access = H5Pcreate(H5P_FILE_ACCESS);
	H5Pset_driver(access, driver, NULL);
	plist = H5Pcreate(H5P_FILE_CREATE);
	H5Pset_obj_track_times(plist, 0);
	f = H5Fcreate(name, H5F_ACC_TRUNC, plist, access);
	H5Pclose(plist);
	H5Pclose(access);
	H5FDunregister(driver);
	if (f < 0) {
		lib_bad_write("the file", e);
		return 0;
	}
	return f;
}

int
h5_end(int64_t file, struct err *e)
{
	if (file > 0 && !e->code && H5Fflush(file, H5F_SCOPE_LOCAL) < 0)
		lib_bad_write("the file", e);
	if (file > 0 && H5Fclose(file) < 0 && !e->code)
		lib_bad_write("the file", e);
	return e->code;
}

/* --- attributes ------------------------------------------------------------ */

static int
put_attr(hid_t at, const char *key, hid_t t, hid_t s, hid_t mem, const void *buf, struct err *e)
{
	hid_t a;

	a = e->code ? -1 : H5Acreate2(at, key, t, s, H5P_DEFAULT, H5P_DEFAULT);
	if (!e->code && (a < 0 || (buf && H5Awrite(a, mem, buf) < 0)))
		lib_bad_write(key, e);
	if (a >= 0)
		H5Aclose(a);
	H5Sclose(s);
	H5Tclose(t);
	return e->code;
}

int
h5_put_attr_text(int64_t at, const char *key, const char *value, struct err *e)
{
	hid_t t = lib_text_type();

	return put_attr(at, key, t, H5Screate(H5S_SCALAR), t, &value, e);
}

int
h5_put_attr_texts(int64_t at, const char *key, const struct strs *l, struct err *e)
{
	hsize_t n = (hsize_t)l->n;
	hid_t t = l->n ? lib_text_type() : lib_type(HM_F64, 1);
	const char **p = mem_new(const char *, l->n);

	for (int64_t i = 0; i < l->n; i++)
		p[i] = strs_get(l, i);
	put_attr(at, key, t, H5Screate_simple(1, &n, NULL), t, l->n ? p : NULL, e);
	mem_free(p);
	return e->code;
}

int
h5_put_attr_ints(int64_t at, const char *key, const int64_t *v, int n, struct err *e)
{
	hsize_t dim = (hsize_t)n;

	return put_attr(at, key, lib_type(HM_I64, 1), H5Screate_simple(1, &dim, NULL), H5T_NATIVE_INT64, v, e);
}

int
h5_put_attr_bool(int64_t at, const char *key, int v, struct err *e)
{
	hid_t t = lib_bool_type();
	int8_t b = (int8_t)!!v;

	return put_attr(at, key, t, H5Screate(H5S_SCALAR), t, &b, e);
}

/* --- datasets -------------------------------------------------------------- */

int64_t
h5_group(int64_t at, const char *name, const char *type, const char *version, int wide, struct err *e)
{
	hid_t link, plist, g;

	if (e->code)
		return 0;
	link = H5Pcreate(H5P_LINK_CREATE);
	plist = H5Pcreate(H5P_GROUP_CREATE);
	H5Pset_create_intermediate_group(link, 1);
	H5Pset_obj_track_times(plist, 0);
	if (wide) {     /* a list of more than 64 KiB needs the newer object header */
		H5Pset_link_creation_order(plist, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
		H5Pset_attr_creation_order(plist, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
	}
	g = H5Gcreate2(at, name, link, plist, H5P_DEFAULT);
	H5Pclose(link);
	H5Pclose(plist);
	if (g < 0) {
		lib_bad_write(name, e);
		return 0;
	}
	if (type) {
		h5_put_attr_text(g, "encoding-type", type, e);
		h5_put_attr_text(g, "encoding-version", version, e);
	}
	return g;
}

/* t is closed. */
static int64_t
new_data(int64_t at, const char *name, hid_t t, const struct h5_shape *sh, const char *type, struct err *e)
{
	hid_t link, plist, s, d = -1;
	hsize_t dim[H5_DIMS], most[H5_DIMS], chunk[H5_DIMS];
	int64_t row = 1;
	char small = 0;

	for (int i = 0; i < sh->rank; i++) {
		dim[i] = most[i] = chunk[i] = (hsize_t)sh->dim[i];
		small |= sh->dim[i] == 0 && !(i == 0 && sh->grow);
		row *= i ? sh->dim[i] : 1;
	}
	link = H5Pcreate(H5P_LINK_CREATE);
	plist = H5Pcreate(H5P_DATASET_CREATE);
	H5Pset_create_intermediate_group(link, 1);
	H5Pset_obj_track_times(plist, 0);
	if (sh->rank && !small && (sh->grow || sh->deflate)) {
		chunk[0] = (hsize_t)(row >= CHUNK ? 1 : CHUNK / row);
		if (!sh->grow && chunk[0] > dim[0])
			chunk[0] = dim[0];
		H5Pset_chunk(plist, sh->rank, chunk);
		if (sh->grow)
			most[0] = H5S_UNLIMITED;
		if (sh->deflate) {
			H5Pset_shuffle(plist);
			H5Pset_deflate(plist, (unsigned)sh->deflate);
		}
	}
	s = sh->rank ? H5Screate_simple(sh->rank, dim, most) : H5Screate(H5S_SCALAR);
	if (!e->code)
		d = H5Dcreate2(at, name, t, s, link, plist, H5P_DEFAULT);
	H5Pclose(link);
	H5Pclose(plist);
	H5Sclose(s);
	H5Tclose(t);
	if (d < 0 && !e->code)
		lib_bad_write(name, e);
	if (type && !e->code) {
		h5_put_attr_text(d, "encoding-type", type, e);
		h5_put_attr_text(d, "encoding-version", "0.2.0", e);
	}
	return d < 0 ? 0 : d;
}

int64_t
h5_new(int64_t at, const char *name, int mem, const struct h5_shape *s, const char *type, struct err *e)
{
	return new_data(at, name, lib_type(mem, 1), s, type, e);
}

int
h5_grow(int64_t data, int64_t n, struct err *e)
{
	hsize_t dim = (hsize_t)n;

	if (!e->code && H5Dset_extent(data, &dim) < 0)
		lib_bad_write("data", e);
	return e->code;
}

/* Rows of buf, whose type in memory is t, which is closed. */
static int
write_rows(int64_t data, hid_t t, int64_t lo, int64_t n, const void *buf, struct err *e)
{
	hid_t s = H5Dget_space(data), m;
	int rank = H5Sget_simple_extent_ndims(s);
	hsize_t at[H5_DIMS] = {0}, count[H5_DIMS];
	char name[H5_NAME];

	H5Sget_simple_extent_dims(s, count, NULL);
	if (rank > 0) {
		at[0] = (hsize_t)lo;
		count[0] = (hsize_t)n;
		H5Sselect_hyperslab(s, H5S_SELECT_SET, at, NULL, count, NULL);
		m = H5Screate_simple(rank, count, NULL);
	} else {
		m = H5Screate(H5S_SCALAR);
	}
	if (H5Dwrite(data, t, m, s, H5P_DEFAULT, buf) < 0) {
		h5_name(data, name);
		lib_bad_write(name, e);
	}
	H5Sclose(m);
	H5Sclose(s);
	H5Tclose(t);
	return e->code;
}

int
h5_write(int64_t data, int mem, int64_t lo, int64_t n, const void *buf, struct err *e)
{
	if (e->code || n == 0)
		return e->code;
	return write_rows(data, lib_type(mem, 0), lo, n, buf, e);
}

int
h5_put(int64_t at, const char *name, int mem, const struct h5_shape *s, const char *type, const void *buf, struct err *e)
{
	int64_t d = h5_new(at, name, mem, s, type, e), n = s->rank ? s->dim[0] : 1;

	for (int i = 1; i < s->rank; i++)
		n = s->dim[i] ? n : 0;
	h5_write(d, mem, 0, n, buf, e);
	h5_close(d);
	return e->code;
}

int
h5_put_texts(int64_t at, const char *name, const struct strs *l, struct err *e)
{
	const struct h5_shape s = { .rank = 1, .dim = { l->n } };
	int64_t d = new_data(at, name, lib_text_type(), &s, "string-array", e);
	const char **p = mem_new(const char *, l->n < TEXT_ROWS ? l->n : TEXT_ROWS);

	for (int64_t lo = 0; lo < l->n && !e->code; lo += TEXT_ROWS) {
		int64_t n = l->n - lo < TEXT_ROWS ? l->n - lo : TEXT_ROWS;

		for (int64_t i = 0; i < n; i++)
			p[i] = strs_get(l, lo + i);
		write_rows(d, lib_text_type(), lo, n, p, e);
	}
	mem_free(p);
	h5_close(d);
	return e->code;
}

int
h5_put_text(int64_t at, const char *name, const char *text, struct err *e)
{
	const struct h5_shape s = {0};
	int64_t d = new_data(at, name, lib_text_type(), &s, "string", e);

	if (!e->code)
		write_rows(d, lib_text_type(), 0, 1, &text, e);
	h5_close(d);
	return e->code;
}

#endif
