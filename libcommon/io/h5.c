/* h5 - see h5.h
 *
 * Some 1,200 lines in one file, because only this object is built with the library's flags
 * and sees its header.
 */
#include "io/h5.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "io/lzf.h"
#include "os/file.h"

#ifdef OVX_HDF5
#include <hdf5.h>

#define A_ __attribute__((unused))
#define LZF 32000
#define TEXT_ROWS 65536         /* texts handed to the library at a time */
#define CHUNK 65536             /* values of a chunk that is written */
#define CACHE_MOST ((size_t)256 << 20)
#define DEFLATE_MOST 1040       /* no codec here shrinks further than deflate's 1032 to 1 */

int
h5_have(void)
{
	return 1;
}

/* --- damaged files ------------------------------------------------------------ */

/* The library trusts what it reads: on damaged files HDF5 1.10 follows wild pointers (H5HG_read, for
 * one).  A fault inside a reading call is turned into its failure, and no further call is made. */
static sigjmp_buf back;
static volatile sig_atomic_t inside, broken;

static void
fault(int sig)
{
	if (inside)
		siglongjmp(back, 1);
	signal(sig, SIG_DFL);           /* not the library's: let it happen again */
}

static void
watch(void)
{
	struct sigaction a = { .sa_handler = fault, .sa_flags = SA_NODEFER };

	sigemptyset(&a.sa_mask);
	sigaction(SIGSEGV, &a, NULL);
	sigaction(SIGBUS, &a, NULL);
	sigaction(SIGFPE, &a, NULL);
}

enum { OPEN_FILE, OPEN_OBJECT, OPEN_DATA, OPEN_ATTR };

/* An id, or -1. */
static hid_t
try_open(int what, hid_t at, const char *name, hid_t access)
{
	hid_t id = -1;

	if (broken)
		return -1;
	if (sigsetjmp(back, 0)) {
		inside = 0;
		broken = 1;
		return -1;
	}
	inside = 1;
	switch (what) {
	case OPEN_FILE:
		id = H5Fopen(name, H5F_ACC_RDONLY, H5P_DEFAULT);
		break;
	case OPEN_OBJECT:
		id = H5Oopen(at, name, H5P_DEFAULT);
		break;
	case OPEN_DATA:
		id = H5Dopen2(at, name, access);
		break;
	default:
		id = H5Aopen(at, name, H5P_DEFAULT);
	}
	inside = 0;
	return id;
}

/* Data (space given) or an attribute; negative when it failed. */
static herr_t
try_read(hid_t from, hid_t t, hid_t mem, hid_t space, void *buf)
{
	herr_t r;

	if (broken)
		return -1;
	if (sigsetjmp(back, 0)) {
		inside = 0;
		broken = 1;
		return -1;
	}
	inside = 1;
	r = space ? H5Dread(from, t, mem, space, H5P_DEFAULT, buf) : H5Aread(from, t, buf);
	inside = 0;
	return r;
}

/* Name i of a group's members; the number of them when i is -1. */
static int64_t
try_name(hid_t group, int64_t i, char *b, size_t n)
{
	H5G_info_t info = {0};
	int64_t r;

	if (broken)
		return -1;
	if (sigsetjmp(back, 0)) {
		inside = 0;
		broken = 1;
		return -1;
	}
	inside = 1;
	if (i < 0)
		r = H5Gget_info(group, &info) < 0 ? -1 : (int64_t)info.nlinks;
	else
		r = H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, (hsize_t)i, b, n, H5P_DEFAULT);
	inside = 0;
	return r;
}

/* --- filters and file access ------------------------------------------------- */

/* Value 2 of the filter, where there is one, is the size of a chunk: the library takes that much
 * from the buffer, whatever came out. */
static size_t
lzf_filter(unsigned flags, size_t n_value, const unsigned value[], size_t n, size_t *cap, void **buf)
{
	size_t most = flags & H5Z_FLAG_REVERSE ? lzf_length(*buf, n) : 0, got;
	void *out;

	if (most == 0)
		return 0;
	if (n_value >= 3 && value[2] > most)
		most = value[2];
	out = H5allocate_memory(most, 1);
	if (!out)
		return 0;
	got = lzf_decode(*buf, n, out, most);
	if (got == 0) {
		H5free_memory(out);
		return 0;
	}
	H5free_memory(*buf);
	*buf = out;
	*cap = most;
	return got;
}

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

/* --- files and objects ----------------------------------------------------- */

static void
start(void)
{
	static const H5Z_class2_t lzf = { H5Z_CLASS_T_VERS, LZF, 1, 1, "lzf", NULL, NULL, lzf_filter };

	/* At exit it would try again to write what could not be written. */
	H5dont_atexit();
	H5open();
	H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
	if (H5Zfilter_avail(LZF) <= 0)
		H5Zregister(&lzf);
	watch();
}

int64_t
h5_open(const char *path, struct err *e)
{
	hid_t f;

	if (e->code)
		return 0;
	start();
	f = try_open(OPEN_FILE, 0, path, 0);
	if (f < 0) {
		err_set(e, ERR_DATA, "%s: is no HDF5 file that can be read: damaged, cut, or being written", path);
		return 0;
	}
	return f;
}

static int
bad_write(const char *name, struct err *e)
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
	start();
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
		bad_write("the file", e);
		return 0;
	}
	return f;
}

int
h5_end(int64_t file, struct err *e)
{
	if (file > 0 && !e->code && H5Fflush(file, H5F_SCOPE_LOCAL) < 0)
		bad_write("the file", e);
	if (file > 0 && H5Fclose(file) < 0 && !e->code)
		bad_write("the file", e);
	return e->code;
}

void
h5_close(int64_t id)
{
	if (id > 0 && !broken)
		H5Idec_ref(id);
}

void
h5_name(int64_t id, char out[H5_NAME])
{
	char b[H5_NAME] = "";

	if (H5Iget_name(id, b, sizeof b) <= 0)
		snprintf(b, sizeof b, "?");
	snprintf(out, H5_NAME, "%s", b[0] == '/' && b[1] ? b + 1 : b);
}

int64_t
h5_at(int64_t at, const char *name, struct err *e)
{
	hid_t o;

	if (e->code)
		return 0;
	o = try_open(OPEN_OBJECT, at, name, 0);
	if (o < 0) {
		err_set(e, ERR_DATA, "%s: cannot be read: it is missing or damaged", name);
		return 0;
	}
	return o;
}

int
h5_kind(int64_t at, const char *name)
{
	hid_t o = try_open(OPEN_OBJECT, at, name, 0);
	H5I_type_t t;

	if (o < 0)
		return HK_NONE;
	t = H5Iget_type(o);
	H5Oclose(o);
	return t == H5I_GROUP ? HK_GROUP : t == H5I_DATASET ? HK_DATASET : HK_OTHER;
}

int
h5_names(int64_t group, struct strs *out, struct err *e)
{
	char b[1024];
	int64_t n;

	if (e->code)
		return e->code;
	n = try_name(group, -1, NULL, 0);
	if (n < 0)
		return err_set(e, ERR_DATA, "a group cannot be read: the file is damaged");
	for (int64_t i = 0; i < n; i++) {
		if (try_name(group, i, b, sizeof b) < 0)
			return err_set(e, ERR_DATA, "a group cannot be read: the file is damaged");
		strs_add(out, b, strlen(b));
	}
	return 0;
}

/* --- types ----------------------------------------------------------------- */

static hid_t
bool_type(void)
{
	hid_t t = H5Tenum_create(H5T_STD_I8LE);
	int8_t v = 0;

	H5Tenum_insert(t, "FALSE", &v);
	v = 1;
	H5Tenum_insert(t, "TRUE", &v);
	return t;
}

static hid_t
text_type(void)
{
	hid_t t = H5Tcopy(H5T_C_S1);

	H5Tset_size(t, H5T_VARIABLE);
	H5Tset_cset(t, H5T_CSET_UTF8);
	return t;
}

/* A type to be closed; stored: as it goes into a file. */
static hid_t
type_of(int mem, int stored)
{
	switch (mem) {
	case HM_I8:
		return H5Tcopy(stored ? H5T_STD_I8LE : H5T_NATIVE_INT8);
	case HM_U8:
		return H5Tcopy(stored ? H5T_STD_U8LE : H5T_NATIVE_UINT8);
	case HM_I16:
		return H5Tcopy(stored ? H5T_STD_I16LE : H5T_NATIVE_INT16);
	case HM_I32:
		return H5Tcopy(stored ? H5T_STD_I32LE : H5T_NATIVE_INT32);
	case HM_I64:
		return H5Tcopy(stored ? H5T_STD_I64LE : H5T_NATIVE_INT64);
	case HM_F32:
		return H5Tcopy(stored ? H5T_IEEE_F32LE : H5T_NATIVE_FLOAT);
	case HM_F64:
		return H5Tcopy(stored ? H5T_IEEE_F64LE : H5T_NATIVE_DOUBLE);
	default:
		return bool_type();
	}
}

int
h5_width(int mem)
{
	return mem == HM_I64 || mem == HM_F64 ? 8 : mem == HM_I32 || mem == HM_F32 ? 4 : mem == HM_I16 ? 2 : 1;
}

static int
class_of(hid_t t)
{
	char *a, *b;
	int yes;

	switch (H5Tget_class(t)) {
	case H5T_INTEGER:
		return HC_INT;
	case H5T_FLOAT:
		return HC_REAL;
	case H5T_STRING:
		return HC_TEXT;
	case H5T_COMPOUND:
		return HC_COMPOUND;
	case H5T_ENUM:
		if (H5Tget_nmembers(t) != 2)
			return HC_OTHER;
		a = H5Tget_member_name(t, 0);
		b = H5Tget_member_name(t, 1);
		yes = a && b && !strcmp(a, "FALSE") && !strcmp(b, "TRUE");
		H5free_memory(a);
		H5free_memory(b);
		return yes ? HC_BOOL : HC_OTHER;
	default:
		return HC_OTHER;
	}
}

/* The type that texts of a stored type are read as. */
static hid_t
text_memory(hid_t stored)
{
	hid_t t;

	if (H5Tis_variable_str(stored) <= 0)
		return H5Tcopy(stored);
	t = text_type();
	H5Tset_cset(t, H5Tget_cset(stored));
	return t;
}

/* Appends n texts of type t that lie in buf; frees what the library took for them. */
static void
take_texts(hid_t t, hid_t space, void *buf, int64_t n, struct strs *out)
{
	if (H5Tis_variable_str(t) > 0) {
		char **s = buf;

		for (int64_t i = 0; i < n; i++)
			strs_add(out, s[i] ? s[i] : "", s[i] ? strlen(s[i]) : 0);
		H5Dvlen_reclaim(t, space, H5P_DEFAULT, buf);
	} else {
		size_t w = H5Tget_size(t);
		int blanks = H5Tget_strpad(t) == H5T_STR_SPACEPAD;

		for (int64_t i = 0; i < n; i++) {
			const char *s = (const char *)buf + (size_t)i * w;
			size_t len = strnlen(s, w);

			while (blanks && len && s[len - 1] == ' ')
				len--;
			strs_add(out, s, len);
		}
	}
}

/* --- attributes ------------------------------------------------------------ */

int
h5_attr_has(int64_t at, const char *key)
{
	return !broken && H5Aexists(at, key) > 0;
}

int
h5_attr_texts(int64_t at, const char *key, struct strs *out)
{
	hid_t a, t, s, m;
	hssize_t n;
	int ok = 0;

	if (broken || H5Aexists(at, key) <= 0 || (a = try_open(OPEN_ATTR, at, key, 0)) < 0)
		return 0;
	t = H5Aget_type(a);
	s = H5Aget_space(a);
	n = H5Sget_simple_extent_npoints(s);
	if (n == 0) {
		ok = 1;
	} else if (n > 0 && n < 1 << 24 && H5Tget_class(t) == H5T_STRING && H5Tget_size(t) < 1 << 20) {
		char *buf;

		m = text_memory(t);
		buf = mem_new(char, (int64_t)(H5Tget_size(m) * (size_t)n));
		ok = try_read(a, m, 0, 0, buf) >= 0;
		if (ok)
			take_texts(m, s, buf, n, out);
		mem_free(buf);
		H5Tclose(m);
	}
	H5Sclose(s);
	H5Tclose(t);
	H5Aclose(a);
	return ok;
}

int
h5_attr_text(int64_t at, const char *key, struct str *out)
{
	struct strs l = {0};
	int ok = h5_attr_texts(at, key, &l) && l.n == 1;

	if (ok)
		str_add(out, strs_get(&l, 0));
	strs_clear(&l);
	return ok;
}

int
h5_attr_is(int64_t at, const char *key, const char *value)
{
	struct str s = {0};
	int same = h5_attr_text(at, key, &s) && strcmp(s.s, value) == 0;

	str_clear(&s);
	return same;
}

int
h5_attr_ints(int64_t at, const char *key, int64_t *v, int most)
{
	hid_t a, t, s;
	hssize_t n = 0;
	int c;

	if (broken || H5Aexists(at, key) <= 0 || (a = try_open(OPEN_ATTR, at, key, 0)) < 0)
		return 0;
	t = H5Aget_type(a);
	s = H5Aget_space(a);
	c = class_of(t);
	n = H5Sget_simple_extent_npoints(s);
	if (n < 0 || n > most || (c != HC_INT && c != HC_BOOL) || try_read(a, H5T_NATIVE_INT64, 0, 0, v) < 0)
		n = 0;
	H5Sclose(s);
	H5Tclose(t);
	H5Aclose(a);
	return (int)n;
}

int64_t
h5_attr_object(int64_t at, const char *key)
{
	hid_t a, t, s, o = -1;
	hobj_ref_t r = 0;

	if (broken || H5Aexists(at, key) <= 0 || (a = try_open(OPEN_ATTR, at, key, 0)) < 0)
		return 0;
	t = H5Aget_type(a);
	s = H5Aget_space(a);
	if (H5Tequal(t, H5T_STD_REF_OBJ) > 0 && H5Sget_simple_extent_npoints(s) == 1 && try_read(a, H5T_STD_REF_OBJ, 0, 0, &r) >= 0)
		o = H5Rdereference2(a, H5P_DEFAULT, H5R_OBJECT, &r);
	H5Sclose(s);
	H5Tclose(t);
	H5Aclose(a);
	return o < 0 ? 0 : o;
}

static int
put_attr(hid_t at, const char *key, hid_t t, hid_t s, hid_t mem, const void *buf, struct err *e)
{
	hid_t a;

	a = e->code ? -1 : H5Acreate2(at, key, t, s, H5P_DEFAULT, H5P_DEFAULT);
	if (!e->code && (a < 0 || (buf && H5Awrite(a, mem, buf) < 0)))
		bad_write(key, e);
	if (a >= 0)
		H5Aclose(a);
	H5Sclose(s);
	H5Tclose(t);
	return e->code;
}

int
h5_put_attr_text(int64_t at, const char *key, const char *value, struct err *e)
{
	hid_t t = text_type();

	return put_attr(at, key, t, H5Screate(H5S_SCALAR), t, &value, e);
}

int
h5_put_attr_texts(int64_t at, const char *key, const struct strs *l, struct err *e)
{
	hsize_t n = (hsize_t)l->n;
	hid_t t = l->n ? text_type() : type_of(HM_F64, 1);
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

	return put_attr(at, key, type_of(HM_I64, 1), H5Screate_simple(1, &dim, NULL), H5T_NATIVE_INT64, v, e);
}

int
h5_put_attr_bool(int64_t at, const char *key, int v, struct err *e)
{
	hid_t t = bool_type();
	int8_t b = (int8_t)!!v;

	return put_attr(at, key, t, H5Screate(H5S_SCALAR), t, &b, e);
}

/* --- reading --------------------------------------------------------------- */

/* Type, and further dimensions of an array type. */
static void
look_at_type(struct h5_data *d, hid_t t)
{
	hid_t base = -1;

	if (H5Tget_class(t) == H5T_ARRAY) {
		hsize_t dim[H5S_MAX_RANK];
		int n = H5Tget_array_ndims(t);

		if (n > 0 && n + d->rank <= H5_DIMS && H5Tget_array_dims2(t, dim) >= 0) {
			base = H5Tget_super(t);
			for (int i = 0; i < n; i++) {
				d->dim[d->rank++] = (int64_t)dim[i];
				d->n *= (int64_t)dim[i];
				d->row *= (int64_t)dim[i];
			}
			t = base;
		}
	}
	d->cls = class_of(t);
	d->width = (int)H5Tget_size(t);
	d->is_unsigned = d->cls == HC_INT && H5Tget_sign(t) == H5T_SGN_NONE;
	d->n_field = d->cls == HC_COMPOUND ? H5Tget_nmembers(t) : 0;
	if (base >= 0)
		H5Tclose(base);
}

/* Chunked data is opened again with room for the chunks that rows share. */
static void
chunks(struct h5_data *d)
{
	hid_t plist = H5Dget_create_plist(d->id), access, t, again;
	hsize_t dim[H5S_MAX_RANK];
	size_t bytes;
	int n;

	if (H5Pget_layout(plist) == H5D_CHUNKED && (n = H5Pget_chunk(plist, H5S_MAX_RANK, dim)) > 0) {
		t = H5Dget_type(d->id);
		bytes = H5Tget_size(t);
		H5Tclose(t);
		d->chunk = (int64_t)dim[0];
		for (int i = 0; i < n; i++)
			bytes *= (size_t)dim[i];
		for (int i = 1; i < n && i < d->rank && bytes < CACHE_MOST; i++)
			bytes *= ((size_t)d->dim[i] + (size_t)dim[i] - 1) / (size_t)dim[i];
		if (bytes > 1 << 20 && bytes <= CACHE_MOST) {
			access = H5Pcreate(H5P_DATASET_ACCESS);
			H5Pset_chunk_cache(access, 12421, bytes + (bytes >> 3), 1);
			again = try_open(OPEN_DATA, d->id, ".", access);
			if (again >= 0) {
				H5Dclose(d->id);
				d->id = again;
			}
			H5Pclose(access);
		}
	}
	H5Pclose(plist);
}

int
h5_data_open(struct h5_data *d, int64_t at, const char *name, struct err *e)
{
	hsize_t dim[H5S_MAX_RANK];
	hid_t s, t;

	memset(d, 0, sizeof *d);
	if (e->code)
		return e->code;
	d->field = -1;
	d->owned = 1;
	d->id = try_open(OPEN_DATA, at, name, H5P_DEFAULT);
	if (d->id < 0) {
		d->id = 0;
		return err_set(e, ERR_DATA, "%s: is missing or is no dataset", name);
	}
	h5_name(d->id, d->name);
	s = H5Dget_space(d->id);
	d->null = H5Sget_simple_extent_type(s) == H5S_NULL;
	d->rank = H5Sget_simple_extent_ndims(s);
	d->n = d->row = 1;
	if (d->rank < 0 || d->rank > H5_DIMS || H5Sget_simple_extent_dims(s, dim, NULL) < 0) {
		err_set(e, ERR_DATA, "%s: its dimensions cannot be read", d->name);
		d->rank = 0;
	}
	H5Sclose(s);
	for (int i = 0; i < d->rank; i++) {
		d->dim[i] = (int64_t)dim[i];
		if (d->dim[i] < 0 || __builtin_mul_overflow(d->n, d->dim[i], &d->n) || d->n > (int64_t)1 << 50) {
			err_set(e, ERR_DATA, "%s: impossible dimensions", d->name);
			d->n = d->row = 1;
			break;
		}
		if (i > 0)
			d->row *= d->dim[i];
	}
	t = H5Dget_type(d->id);
	look_at_type(d, t);
	H5Tclose(t);
	if (!e->code)
		chunks(d);
	else
		h5_data_close(d);
	return e->code;
}

int
h5_data_field(const struct h5_data *d, int i, struct h5_data *f, char *name, struct err *e)
{
	hid_t t, m;
	char *s;

	*f = *d;
	if (e->code)
		return e->code;
	t = H5Dget_type(d->id);
	m = H5Tget_member_type(t, (unsigned)i);
	s = H5Tget_member_name(t, (unsigned)i);
	if (m < 0 || !s)
		err_set(e, ERR_DATA, "%s: its fields cannot be read", d->name);
	else {
		snprintf(name, H5_NAME, "%s", s);
		look_at_type(f, m);
		snprintf(f->name, sizeof f->name, "%.150s/%.140s", d->name, s);
		f->field = i;
		f->owned = 0;
	}
	if (s)
		H5free_memory(s);
	if (m >= 0)
		H5Tclose(m);
	H5Tclose(t);
	return e->code;
}

void
h5_data_close(struct h5_data *d)
{
	if (d->owned && d->id > 0 && !broken)
		H5Dclose(d->id);
	memset(d, 0, sizeof *d);
}

int
h5_claim(const struct h5_data *d, struct err *e)
{
	hsize_t size = 0, stored;
	hid_t f;
	int ok;

	if (e->code || d->null || d->n * d->width < 1 << 20)
		return e->code;
	f = H5Iget_file_id(d->id);
	ok = f >= 0 && H5Fget_filesize(f, &size) >= 0;
	if (f >= 0)
		H5Fclose(f);
	stored = H5Dget_storage_size(d->id);
	if (stored > size)
		stored = size;
	if (!ok || d->n > (int64_t)((stored + 64) * DEFLATE_MOST) / d->width)
		return err_set(e, ERR_DATA, "%s: claims %lld values, more than the file can hold", d->name, (long long)d->n);
	return 0;
}

/* Why a read failed, as far as can be told. */
static int
bad_read(const struct h5_data *d, struct err *e)
{
	hid_t plist = broken ? -1 : H5Dget_create_plist(d->id);
	int n = plist < 0 ? 0 : H5Pget_nfilters(plist), missing = 0;
	char name[64] = "", low[64] = "";

	for (int i = 0; i < n; i++) {
		size_t n_value = 0;
		unsigned flags;
		int id = H5Pget_filter2(plist, (unsigned)i, &flags, &n_value, NULL, sizeof low, low, NULL);

		if (id > 0 && H5Zfilter_avail(id) <= 0) {
			missing = id;
			snprintf(name, sizeof name, "%s", low);
		}
	}
	if (plist >= 0)
		H5Pclose(plist);
	if (missing)
		return err_set(e, ERR_DATA, "%s: is compressed with HDF5 filter %d (%s), which is not installed; "
		    "write the file again with gzip", d->name, missing, name);
	return err_set(e, ERR_DATA, "%s: cannot be read: the file is damaged or cut", d->name);
}

/* The type of one field with its array dimensions, in a compound of its own. */
static hid_t
wrap_field(const struct h5_data *d, hid_t base)
{
	hid_t all, m, c = -1, item = base;
	char *name;

	if (d->field < 0)
		return base;
	all = H5Dget_type(d->id);
	m = H5Tget_member_type(all, (unsigned)d->field);
	name = H5Tget_member_name(all, (unsigned)d->field);
	if (m >= 0 && H5Tget_class(m) == H5T_ARRAY) {
		hsize_t dim[H5S_MAX_RANK];
		int n = H5Tget_array_ndims(m);

		H5Tget_array_dims2(m, dim);
		item = H5Tarray_create2(base, (unsigned)n, dim);
		H5Tclose(base);
	}
	if (name && item >= 0) {
		c = H5Tcreate(H5T_COMPOUND, H5Tget_size(item));
		H5Tinsert(c, name, 0, item);
	}
	H5Tclose(item);
	if (name)
		H5free_memory(name);
	if (m >= 0)
		H5Tclose(m);
	H5Tclose(all);
	return c;
}

/* Rows lo .. lo + n - 1 into buf as type t.  The space in memory is the caller's to close. */
static int
read_rows(const struct h5_data *d, hid_t t, int64_t lo, int64_t n, void *buf, hid_t *mem_space, struct err *e)
{
	hid_t s = H5Dget_space(d->id);
	int rank = H5Sget_simple_extent_ndims(s);
	hsize_t at[H5_DIMS] = {0}, count[H5_DIMS];

	*mem_space = -1;
	if (rank == 0) {
		*mem_space = H5Screate(H5S_SCALAR);
	} else {
		for (int i = 1; i < rank; i++)
			count[i] = (hsize_t)d->dim[i];
		at[0] = (hsize_t)lo;
		count[0] = (hsize_t)n;
		BUG_IF(lo < 0 || n < 0 || lo + n > d->dim[0]);
		*mem_space = H5Screate_simple(rank, count, NULL);
		H5Sselect_hyperslab(s, H5S_SELECT_SET, at, NULL, count, NULL);
	}
	if (t < 0 || try_read(d->id, t, *mem_space, s, buf) < 0)
		bad_read(d, e);
	H5Sclose(s);
	return e->code;
}

int
h5_read(const struct h5_data *d, int mem, int64_t lo, int64_t n, void *buf, struct err *e)
{
	hid_t t, s;

	if (e->code || n == 0)
		return e->code;
	if (d->cls != HC_INT && d->cls != HC_REAL && d->cls != HC_BOOL)
		return err_set(e, ERR_DATA, "%s: holds no numbers", d->name);
	/* A stored boolean is read through the integer that it is, whatever its values. */
	t = wrap_field(d, type_of(mem == HM_BOOL ? HM_U8 : mem, 0));
	read_rows(d, t, lo, n, buf, &s, e);
	H5Sclose(s);
	if (t >= 0)
		H5Tclose(t);
	return e->code;
}

int
h5_read_texts(const struct h5_data *d, int64_t lo, int64_t n, struct strs *out, struct err *e)
{
	hid_t all, stored, t, mem, s;
	int64_t per, item = d->rank ? d->row : 1;

	if (e->code || n == 0)
		return e->code;
	if (d->cls != HC_TEXT)
		return err_set(e, ERR_DATA, "%s: holds no text", d->name);
	all = H5Dget_type(d->id);
	stored = d->field < 0 ? H5Tcopy(all) : H5Tget_member_type(all, (unsigned)d->field);
	if (H5Tget_class(stored) != H5T_STRING || H5Tget_size(stored) > 1 << 24) {
		H5Tclose(stored);
		H5Tclose(all);
		return err_set(e, ERR_DATA, "%s: holds no text that can be read", d->name);
	}
	t = text_memory(stored);
	mem = wrap_field(d, H5Tcopy(t));
	per = TEXT_ROWS / (item > 0 ? item : 1) * 16 / (int64_t)(H5Tget_size(t) + 8);
	per = per < 1 ? 1 : per;
	for (int64_t at = lo; at < lo + n && !e->code && item > 0; at += per) {
		int64_t some = lo + n - at < per ? lo + n - at : per;
		char *buf = mem_new(char, some * item * (int64_t)H5Tget_size(t));

		if (read_rows(d, mem, at, some, buf, &s, e) == 0)
			take_texts(t, s, buf, some * item, out);
		H5Sclose(s);
		mem_free(buf);
	}
	if (mem >= 0)
		H5Tclose(mem);
	H5Tclose(t);
	H5Tclose(stored);
	H5Tclose(all);
	return e->code;
}

/* --- writing --------------------------------------------------------------- */

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
		bad_write(name, e);
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
		bad_write(name, e);
	if (type && !e->code) {
		h5_put_attr_text(d, "encoding-type", type, e);
		h5_put_attr_text(d, "encoding-version", "0.2.0", e);
	}
	return d < 0 ? 0 : d;
}

int64_t
h5_new(int64_t at, const char *name, int mem, const struct h5_shape *s, const char *type, struct err *e)
{
	return new_data(at, name, type_of(mem, 1), s, type, e);
}

int
h5_grow(int64_t data, int64_t n, struct err *e)
{
	hsize_t dim = (hsize_t)n;

	if (!e->code && H5Dset_extent(data, &dim) < 0)
		bad_write("data", e);
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
		bad_write(name, e);
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
	return write_rows(data, type_of(mem, 0), lo, n, buf, e);
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
	int64_t d = new_data(at, name, text_type(), &s, "string-array", e);
	const char **p = mem_new(const char *, l->n < TEXT_ROWS ? l->n : TEXT_ROWS);

	for (int64_t lo = 0; lo < l->n && !e->code; lo += TEXT_ROWS) {
		int64_t n = l->n - lo < TEXT_ROWS ? l->n - lo : TEXT_ROWS;

		for (int64_t i = 0; i < n; i++)
			p[i] = strs_get(l, lo + i);
		write_rows(d, text_type(), lo, n, p, e);
	}
	mem_free(p);
	h5_close(d);
	return e->code;
}

int
h5_put_text(int64_t at, const char *name, const char *text, struct err *e)
{
	const struct h5_shape s = {0};
	int64_t d = new_data(at, name, text_type(), &s, "string", e);

	if (!e->code)
		write_rows(d, text_type(), 0, 1, &text, e);
	h5_close(d);
	return e->code;
}

#else

#include "io/h5_none.h"

#endif
