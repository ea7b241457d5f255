/* h5_read - see h5.h: datasets in */
#include "io/h5_lib.h"

#ifdef OVX_HDF5

#include <stdio.h>
#include <string.h>
#include "base/mem.h"

#define TEXT_ROWS 16384         /* texts taken from the library at a time, of any length each */
#define CACHE_MOST ((int64_t)256 << 20)
#define DEFLATE_MOST 1040       /* no codec here shrinks further than deflate's 1032 to 1 */
#define VALUES_MOST ((int64_t)1 << 50)
#define TEXT_BYTES 256          /* of work, for a text of any length */

/* Multiplies rows and values by a further dimension; 0 when there cannot be so many. */
static int
widen(struct h5_data *d, hsize_t n)
{
	if (d->rank == H5_DIMS || n > (hsize_t)VALUES_MOST)
		return 0;
	d->dim[d->rank] = (int64_t)n;
	if (__builtin_mul_overflow(d->n, (int64_t)n, &d->n) || d->n > VALUES_MOST)
		return 0;
	if (d->rank > 0 && (__builtin_mul_overflow(d->row, (int64_t)n, &d->row) || d->row > VALUES_MOST))
		return 0;
	d->rank++;
	return 1;
}

/* Type, and further dimensions of an array type. */
static int
look_at_type(struct h5_data *d, hid_t t, struct err *e)
{
	hid_t base = -1;

	if (lib_Tget_class(t) == H5T_ARRAY) {
		hsize_t dim[H5S_MAX_RANK];
		int n = lib_Tget_array_ndims(t);

		if (n > 0 && n + d->rank <= H5_DIMS && lib_Tget_array_dims2(t, dim) >= 0) {
			t = base = lib_Tget_super(t);
			for (int i = 0; i < n; i++)
				if (!widen(d, dim[i])) {
					err_set(e, ERR_DATA, "%s: impossible dimensions", d->name);
					break;
				}
		}
	}
	d->cls = lib_class(t);
	d->width = (int)lib_Tget_size(t);
	d->is_unsigned = d->cls == HC_INT && lib_Tget_sign(t) == H5T_SGN_NONE;
	d->n_field = d->cls == HC_COMPOUND ? lib_Tget_nmembers(t) : 0;
	if (d->width < 1)
		err_set(e, ERR_DATA, "%s: its type cannot be read", d->name);
	if (base >= 0)
		lib_Tclose(base);
	return e->code;
}

/* Chunked data is opened again with room for the chunks that rows share. */
static int
chunks(struct h5_data *d, struct err *e)
{
	hid_t plist = lib_Dget_create_plist(d->id), access, t, again;
	hsize_t dim[H5S_MAX_RANK];
	int64_t bytes, most = lib_memory() / 4 < CACHE_MOST ? lib_memory() / 4 : CACHE_MOST;
	int n;

	if (lib_Pget_layout(plist) == H5D_CHUNKED && (n = lib_Pget_chunk(plist, H5S_MAX_RANK, dim)) > 0) {
		t = lib_Dget_type(d->id);
		bytes = (int64_t)lib_Tget_size(t);
		lib_Tclose(t);
		d->chunk = (int64_t)dim[0];
		for (int i = 0; i < n; i++)
			if (__builtin_mul_overflow(bytes, (int64_t)dim[i], &bytes) || dim[i] == 0 || bytes > (int64_t)1 << 40) {
				lib_Pclose(plist);
				return err_set(e, ERR_DATA, "%s: impossible chunks", d->name);
			}
		d->chunk_bytes = bytes;
		for (int i = 1; i < n && i < d->rank && bytes <= most; i++)
			bytes *= (d->dim[i] - 1) / (int64_t)dim[i] + 1;
		if (bytes > 1 << 20 && bytes <= most) {
			access = lib_Pcreate(H5P_DATASET_ACCESS);
			lib_Pset_chunk_cache(access, 12421, (size_t)(bytes + (bytes >> 3)), 1);
			again = lib_Dopen2(d->id, ".", access);
			if (again >= 0) {
				lib_Dclose(d->id);
				d->id = again;
			}
			lib_Pclose(access);
		}
	}
	lib_Pclose(plist);
	return 0;
}

int
h5_data_open(struct h5_data *d, int64_t at, const char *name, struct err *e)
{
	hsize_t dim[H5S_MAX_RANK];
	hid_t s, t;
	int rank;

	memset(d, 0, sizeof *d);
	if (e->code)
		return e->code;
	d->field = -1;
	d->owned = 1;
	d->id = lib_Dopen2(at, name, H5P_DEFAULT);
	if (d->id < 0) {
		d->id = 0;
		return err_set(e, ERR_DATA, "%s: is missing or is no dataset", name);
	}
	h5_name(d->id, d->name);
	s = lib_Dget_space(d->id);
	d->null = lib_Sget_simple_extent_type(s) == H5S_NULL;
	rank = lib_Sget_simple_extent_ndims(s);
	d->n = d->row = 1;
	if (rank < 0 || rank > H5_DIMS || lib_Sget_simple_extent_dims(s, dim, NULL) < 0)
		err_set(e, ERR_DATA, "%s: its dimensions cannot be read", d->name);
	lib_Sclose(s);
	for (int i = 0; i < rank && !e->code; i++)
		if (!widen(d, dim[i]))
			err_set(e, ERR_DATA, "%s: impossible dimensions", d->name);
	t = lib_Dget_type(d->id);
	look_at_type(d, t, e);
	lib_Tclose(t);
	if (e->code || chunks(d, e))
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
	t = lib_Dget_type(d->id);
	m = lib_Tget_member_type(t, (unsigned)i);
	s = lib_Tget_member_name(t, (unsigned)i);
	if (m < 0 || !s)
		err_set(e, ERR_DATA, "%s: its fields cannot be read", d->name);
	else {
		snprintf(name, H5_NAME, "%s", s);
		look_at_type(f, m, e);
		snprintf(f->name, sizeof f->name, "%.150s/%.140s", d->name, s);
		f->field = i;
		f->owned = 0;
	}
	if (s)
		lib_free_memory(s);
	if (m >= 0)
		lib_Tclose(m);
	lib_Tclose(t);
	return e->code;
}

void
h5_data_close(struct h5_data *d)
{
	if (d->owned && d->id > 0)
		lib_Dclose(d->id);
	memset(d, 0, sizeof *d);
}

/* Bytes of the file that an object is in, or -1. */
static int64_t
file_bytes(int64_t id)
{
	hid_t f = lib_Iget_file_id(id);
	hsize_t size = 0;
	int ok = f >= 0 && lib_Fget_filesize(f, &size) >= 0 && size < (hsize_t)1 << 50;

	if (f >= 0)
		lib_Fclose(f);
	return ok ? (int64_t)size : -1;
}

int
h5_claim(const struct h5_data *d, struct err *e)
{
	int64_t size, stored;

	if (e->code || d->null || d->n < (1 << 20) / d->width)
		return e->code;
	size = file_bytes(d->id);
	lib_allow(size / 16);           /* the index of the chunks */
	stored = (int64_t)lib_Dget_storage_size(d->id);
	if (stored < 0 || stored > size)
		stored = size;
	if (size < 0 || d->n > (stored + 64) * DEFLATE_MOST / d->width)
		return err_set(e, ERR_DATA, "%s: claims %lld values, more than the file can hold", d->name, (long long)d->n);
	return 0;
}

/* Why a read failed, as far as can be told. */
static int
bad_read(const struct h5_data *d, struct err *e)
{
	hid_t plist = lib_Dget_create_plist(d->id);
	int n = plist < 0 ? 0 : lib_Pget_nfilters(plist), missing = 0;
	char name[64] = "", low[64] = "";

	for (int i = 0; i < n; i++) {
		size_t n_value = 0;
		unsigned flags;
		int id = lib_Pget_filter2(plist, (unsigned)i, &flags, &n_value, NULL, sizeof low, low, NULL);

		if (id > 0 && lib_Zfilter_avail(id) <= 0) {
			missing = id;
			snprintf(name, sizeof name, "%s", low);
		}
	}
	if (plist >= 0)
		lib_Pclose(plist);
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
	all = lib_Dget_type(d->id);
	m = lib_Tget_member_type(all, (unsigned)d->field);
	name = lib_Tget_member_name(all, (unsigned)d->field);
	if (m >= 0 && lib_Tget_class(m) == H5T_ARRAY) {
		hsize_t dim[H5S_MAX_RANK];
		int n = lib_Tget_array_ndims(m);

		lib_Tget_array_dims2(m, dim);
		item = lib_Tarray_create2(base, (unsigned)n, dim);
		lib_Tclose(base);
	}
	if (name && item >= 0) {
		c = lib_Tcreate(H5T_COMPOUND, lib_Tget_size(item));
		lib_Tinsert(c, name, 0, item);
	}
	lib_Tclose(item);
	if (name)
		lib_free_memory(name);
	if (m >= 0)
		lib_Tclose(m);
	lib_Tclose(all);
	return c;
}

/* Bytes that reading n rows decodes: whole chunks. */
static int64_t
work(const struct h5_data *d, int64_t n)
{
	int64_t width = d->cls == HC_TEXT ? d->width + TEXT_BYTES : d->width, b;

	if (d->chunk > 0)
		n = (n / d->chunk + 2) * (d->chunk < d->dim[0] ? d->chunk : d->dim[0]);
	return __builtin_mul_overflow(n, d->row, &b) || __builtin_mul_overflow(b, width, &b) ? INT64_MAX : b + d->chunk_bytes;
}

/* Rows lo .. lo + n - 1 into buf as type t.  The space in memory is the caller's to close. */
static int
read_rows(const struct h5_data *d, hid_t t, int64_t lo, int64_t n, void *buf, hid_t *mem_space, struct err *e)
{
	hid_t s;
	int rank;
	hsize_t at[H5_DIMS] = {0}, count[H5_DIMS];

	*mem_space = -1;
	if (d->chunk_bytes > lib_memory() / 2)
		return err_set(e, ERR_DATA, "%s: is stored in pieces of %lld MB, more than the memory for it; damaged, or raise -M",
		    d->name, (long long)(d->chunk_bytes >> 20));
	s = lib_Dget_space(d->id);
	rank = lib_Sget_simple_extent_ndims(s);
	if (rank == 0) {        /* all of it, which an array type can make many */
		if (lo == 0 && n == (d->rank ? d->dim[0] : 1))
			*mem_space = lib_Screate(H5S_SCALAR);
	} else if (rank > 0) {
		for (int i = 1; i < rank; i++)
			count[i] = (hsize_t)d->dim[i];
		at[0] = (hsize_t)lo;
		count[0] = (hsize_t)n;
		BUG_IF(lo < 0 || n < 0 || lo + n > d->dim[0]);
		*mem_space = lib_Screate_simple(rank, count, NULL);
		lib_Sselect_hyperslab(s, H5S_SELECT_SET, at, NULL, count, NULL);
	}
	lib_allow(work(d, n));
	if (t < 0 || *mem_space < 0 || lib_Dread(d->id, t, *mem_space, s, H5P_DEFAULT, buf) < 0)
		bad_read(d, e);
	lib_Sclose(s);
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
	t = wrap_field(d, lib_type(mem == HM_BOOL ? HM_U8 : mem, 0));
	read_rows(d, t, lo, n, buf, &s, e);
	lib_Sclose(s);
	if (t >= 0)
		lib_Tclose(t);
	return e->code;
}

int
h5_read_texts(const struct h5_data *d, int64_t lo, int64_t n, struct strs *out, struct err *e)
{
	hid_t all, stored, t, mem, s;
	int64_t per, item = d->rank ? d->row : 1, bytes = 0, most;

	if (e->code || n == 0)
		return e->code;
	if (d->cls != HC_TEXT)
		return err_set(e, ERR_DATA, "%s: holds no text", d->name);
	all = lib_Dget_type(d->id);
	stored = d->field < 0 ? lib_Tcopy(all) : lib_Tget_member_type(all, (unsigned)d->field);
	if (lib_Tget_class(stored) != H5T_STRING || lib_Tget_size(stored) > 1 << 24) {
		lib_Tclose(stored);
		lib_Tclose(all);
		return err_set(e, ERR_DATA, "%s: holds no text that can be read", d->name);
	}
	most = file_bytes(d->id);
	t = lib_text_memory(stored);
	mem = wrap_field(d, lib_Tcopy(t));
	per = TEXT_ROWS / (item > 0 ? item : 1) * 16 / (int64_t)(lib_Tget_size(t) + 8);
	per = per < 1 ? 1 : per;
	for (int64_t at = lo; at < lo + n && !e->code && item > 0; at += per) {
		int64_t some = lo + n - at < per ? lo + n - at : per;
		char *buf = mem_new(char, some * item * (int64_t)lib_Tget_size(t));

		if (read_rows(d, mem, at, some, buf, &s, e) == 0)
			bytes += lib_take_texts(t, s, buf, some * item, out);
		if (bytes > most)
			err_set(e, ERR_DATA, "%s: its texts are longer than the file: damaged", d->name);
		lib_Sclose(s);
		mem_free(buf);
	}
	if (mem >= 0)
		lib_Tclose(mem);
	lib_Tclose(t);
	lib_Tclose(stored);
	lib_Tclose(all);
	return e->code;
}

#endif
