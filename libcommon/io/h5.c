/* h5 - see h5.h: files, objects and attributes that are read; h5_read, h5_write and h5_lib have the rest */
#include "io/h5_lib.h"

#include <stdio.h>
#include <string.h>
#include "base/mem.h"

#ifdef OVX_HDF5

#define ATTR_MOST ((size_t)64 << 20)    /* bytes of one attribute */

int
h5_have(void)
{
	return 1;
}

int64_t
h5_open(const char *path, struct err *e)
{
	hid_t f;

	if (e->code)
		return 0;
	lib_start(path);
	f = lib_broken() ? -1 : lib_Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
	if (f < 0) {
		err_set(e, ERR_DATA, "%s: is no HDF5 file that can be read: damaged, cut, or being written", path);
		return 0;
	}
	return f;
}

void
h5_close(int64_t id)
{
	if (id > 0)
		lib_Idec_ref(id);
}

void
h5_name(int64_t id, char out[H5_NAME])
{
	char b[H5_NAME] = "";

	if (lib_Iget_name(id, b, sizeof b) <= 0)
		snprintf(b, sizeof b, "?");
	snprintf(out, H5_NAME, "%s", b[0] == '/' && b[1] ? b + 1 : b);
}

int64_t
h5_at(int64_t at, const char *name, struct err *e)
{
	hid_t o;

	if (e->code)
		return 0;
	o = lib_Oopen(at, name, H5P_DEFAULT);
	if (o < 0) {
		err_set(e, ERR_DATA, "%s: cannot be read: it is missing or damaged", name);
		return 0;
	}
	return o;
}

int
h5_kind(int64_t at, const char *name)
{
	hid_t o = lib_Oopen(at, name, H5P_DEFAULT);
	H5I_type_t t;

	if (o < 0)              /* a damaged object is there all the same */
		return lib_Lexists(at, name, H5P_DEFAULT) > 0 ? HK_OTHER : HK_NONE;
	t = lib_Iget_type(o);
	lib_Oclose(o);
	return t == H5I_GROUP ? HK_GROUP : t == H5I_DATASET ? HK_DATASET : HK_OTHER;
}

int
h5_names(int64_t group, struct strs *out, struct err *e)
{
	H5G_info_t info = {0};
	char b[1024], name[H5_NAME];
	int ok;

	if (e->code)
		return e->code;
	ok = lib_Gget_info(group, &info) >= 0;
	for (hsize_t i = 0; i < info.nlinks && ok; i++) {
		ok = lib_Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, b, sizeof b, H5P_DEFAULT) >= 0;
		if (ok)
			strs_add(out, b, strlen(b));
	}
	if (!ok) {
		h5_name(group, name);
		err_set(e, ERR_DATA, "%s: the group cannot be read: the file is damaged", name);
	}
	return e->code;
}

int
h5_width(int mem)
{
	return mem == HM_I64 || mem == HM_F64 ? 8 : mem == HM_I32 || mem == HM_F32 ? 4 : mem == HM_I16 ? 2 : 1;
}

/* --- attributes ------------------------------------------------------------ */

int
h5_attr_has(int64_t at, const char *key)
{
	return lib_Aexists(at, key) > 0;
}

int
h5_attr_texts(int64_t at, const char *key, struct strs *out)
{
	hid_t a, t, s, m;
	hssize_t n;
	size_t w;
	int ok = 0;

	if (lib_Aexists(at, key) <= 0 || (a = lib_Aopen(at, key, H5P_DEFAULT)) < 0)
		return 0;
	t = lib_Aget_type(a);
	s = lib_Aget_space(a);
	n = lib_Sget_simple_extent_npoints(s);
	if (n == 0) {
		ok = 1;
	} else if (n > 0 && n < 1 << 24 && lib_Tget_class(t) == H5T_STRING && lib_Tget_size(t) < 1 << 20 &&
	    lib_Tget_size(t) * (size_t)n <= ATTR_MOST) {
		char *buf;

		m = lib_text_memory(t);
		w = lib_Tget_size(m);
		if (w > 0) {
			buf = mem_new(char, (int64_t)(w * (size_t)n));
			ok = lib_Aread(a, m, buf) >= 0;
			if (ok)
				lib_take_texts(m, s, buf, n, out);
			mem_free(buf);
		}
		lib_Tclose(m);
	}
	lib_Sclose(s);
	lib_Tclose(t);
	lib_Aclose(a);
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

	if (lib_Aexists(at, key) <= 0 || (a = lib_Aopen(at, key, H5P_DEFAULT)) < 0)
		return 0;
	t = lib_Aget_type(a);
	s = lib_Aget_space(a);
	c = lib_class(t);
	n = lib_Sget_simple_extent_npoints(s);
	if (n < 0 || n > most || (c != HC_INT && c != HC_BOOL) || lib_Aread(a, H5T_NATIVE_INT64, v) < 0)
		n = 0;
	lib_Sclose(s);
	lib_Tclose(t);
	lib_Aclose(a);
	return (int)n;
}

int64_t
h5_attr_object(int64_t at, const char *key)
{
	hid_t a, t, s, o = -1;
	hobj_ref_t r[2] = {0};

	if (lib_Aexists(at, key) <= 0 || (a = lib_Aopen(at, key, H5P_DEFAULT)) < 0)
		return 0;
	t = lib_Aget_type(a);
	s = lib_Aget_space(a);
	if (lib_Tequal(t, H5T_STD_REF_OBJ) > 0 && lib_Sget_simple_extent_npoints(s) == 1 && lib_Aread(a, H5T_STD_REF_OBJ, r) >= 0)
		o = lib_Rdereference2(a, H5P_DEFAULT, H5R_OBJECT, r);
	lib_Sclose(s);
	lib_Tclose(t);
	lib_Aclose(a);
	return o < 0 ? 0 : o;
}

#else

#include "io/h5_none.h"

#endif
