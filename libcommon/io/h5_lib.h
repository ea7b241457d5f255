/* h5_lib - private to io/h5*.c: the HDF5 library behind guards
 *
 * The library trusts what it reads.  On a damaged file HDF5 1.10 follows wild pointers, walks in
 * circles, overruns its heap or asks for any memory.  So all that reads goes through lib_NAME, which is
 * H5NAME between two marks: a fault, an abort, or more CPU time than the bytes asked for can take
 * is turned into the call's failure.  From then on the library is never called again in this process
 * (lib_broken; every lib_NAME fails at once, closing is nothing), and h5_sound says why.  Calls that
 * look into the file also run under a limit on memory (h5_memory).
 *
 * What was interrupted may hold the heap's lock or have spoilt the heap.  So a second fault, or 5
 * seconds without an end, end the process with the same sentence and exit status 1.
 *
 * Files are written by H5NAME itself: what is written is ours.
 */
#ifndef OVX_H5_LIB_H
#define OVX_H5_LIB_H

#include "io/h5.h"

#ifdef OVX_HDF5
#include <hdf5.h>

/* X(type, what a failure returns, NAME, parameters, arguments).  These look into the file ... */
#define LIB_FILE(X) \
	X(hid_t, -1, Fopen, (const char *name, unsigned flags, hid_t access), (name, flags, access)) \
	X(hid_t, -1, Oopen, (hid_t at, const char *name, hid_t access), (at, name, access)) \
	X(hid_t, -1, Dopen2, (hid_t at, const char *name, hid_t access), (at, name, access)) \
	X(hid_t, -1, Aopen, (hid_t at, const char *name, hid_t access), (at, name, access)) \
	X(htri_t, -1, Aexists, (hid_t at, const char *name), (at, name)) \
	X(htri_t, -1, Lexists, (hid_t at, const char *name, hid_t access), (at, name, access)) \
	X(hid_t, -1, Rdereference2, (hid_t at, hid_t access, H5R_type_t t, const void *ref), (at, access, t, ref)) \
	X(herr_t, -1, Gget_info, (hid_t g, H5G_info_t *info), (g, info)) \
	X(ssize_t, -1, Lget_name_by_idx, (hid_t g, const char *name, H5_index_t by, H5_iter_order_t order, hsize_t i, \
		char *b, size_t n, hid_t access), (g, name, by, order, i, b, n, access)) \
	X(ssize_t, -1, Iget_name, (hid_t id, char *b, size_t n), (id, b, n)) \
	X(hsize_t, 0, Dget_storage_size, (hid_t d), (d)) \
	X(herr_t, -1, Dget_chunk_storage_size, (hid_t d, const hsize_t *at, hsize_t *n), (d, at, n)) \
	X(herr_t, -1, Dread_chunk, (hid_t d, hid_t transfer, const hsize_t *at, uint32_t *mask, void *b), (d, transfer, at, mask, b)) \
	X(herr_t, -1, Dread, (hid_t d, hid_t t, hid_t mem, hid_t s, hid_t transfer, void *b), (d, t, mem, s, transfer, b)) \
	X(herr_t, -1, Aread, (hid_t a, hid_t t, void *b), (a, t, b)) \
	X(int, -1, Idec_ref, (hid_t id), (id))

/* ... and these do not. */
#define LIB_MEMORY(X) \
	X(H5I_type_t, H5I_BADID, Iget_type, (hid_t id), (id)) \
	X(hid_t, -1, Iget_file_id, (hid_t id), (id)) \
	X(herr_t, -1, Fget_filesize, (hid_t f, hsize_t *n), (f, n)) \
	X(hid_t, -1, Aget_type, (hid_t a), (a)) \
	X(hid_t, -1, Aget_space, (hid_t a), (a)) \
	X(hid_t, -1, Dget_type, (hid_t d), (d)) \
	X(hid_t, -1, Dget_space, (hid_t d), (d)) \
	X(hid_t, -1, Dget_create_plist, (hid_t d), (d)) \
	X(herr_t, -1, Dvlen_reclaim, (hid_t t, hid_t s, hid_t transfer, void *b), (t, s, transfer, b)) \
	X(hssize_t, -1, Sget_simple_extent_npoints, (hid_t s), (s)) \
	X(H5S_class_t, H5S_NO_CLASS, Sget_simple_extent_type, (hid_t s), (s)) \
	X(int, -1, Sget_simple_extent_ndims, (hid_t s), (s)) \
	X(int, -1, Sget_simple_extent_dims, (hid_t s, hsize_t *dim, hsize_t *most), (s, dim, most)) \
	X(hid_t, -1, Screate, (H5S_class_t c), (c)) \
	X(hid_t, -1, Screate_simple, (int rank, const hsize_t *dim, const hsize_t *most), (rank, dim, most)) \
	X(herr_t, -1, Sselect_hyperslab, (hid_t s, H5S_seloper_t op, const hsize_t *at, const hsize_t *stride, \
		const hsize_t *count, const hsize_t *block), (s, op, at, stride, count, block)) \
	X(H5T_class_t, H5T_NO_CLASS, Tget_class, (hid_t t), (t)) \
	X(size_t, 0, Tget_size, (hid_t t), (t)) \
	X(H5T_sign_t, H5T_SGN_ERROR, Tget_sign, (hid_t t), (t)) \
	X(H5T_str_t, H5T_STR_ERROR, Tget_strpad, (hid_t t), (t)) \
	X(H5T_cset_t, H5T_CSET_ERROR, Tget_cset, (hid_t t), (t)) \
	X(herr_t, -1, Tset_cset, (hid_t t, H5T_cset_t c), (t, c)) \
	X(herr_t, -1, Tset_size, (hid_t t, size_t n), (t, n)) \
	X(htri_t, -1, Tis_variable_str, (hid_t t), (t)) \
	X(htri_t, -1, Tequal, (hid_t a, hid_t b), (a, b)) \
	X(hid_t, -1, Tcopy, (hid_t t), (t)) \
	X(hid_t, -1, Tcreate, (H5T_class_t c, size_t n), (c, n)) \
	X(herr_t, -1, Tinsert, (hid_t t, const char *name, size_t at, hid_t of), (t, name, at, of)) \
	X(hid_t, -1, Tenum_create, (hid_t base), (base)) \
	X(herr_t, -1, Tenum_insert, (hid_t t, const char *name, const void *v), (t, name, v)) \
	X(hid_t, -1, Tarray_create2, (hid_t base, unsigned rank, const hsize_t *dim), (base, rank, dim)) \
	X(int, -1, Tget_array_ndims, (hid_t t), (t)) \
	X(int, -1, Tget_array_dims2, (hid_t t, hsize_t *dim), (t, dim)) \
	X(hid_t, -1, Tget_super, (hid_t t), (t)) \
	X(int, -1, Tget_nmembers, (hid_t t), (t)) \
	X(hid_t, -1, Tget_member_type, (hid_t t, unsigned i), (t, i)) \
	X(char *, NULL, Tget_member_name, (hid_t t, unsigned i), (t, i)) \
	X(herr_t, -1, free_memory, (void *p), (p)) \
	X(hid_t, -1, Pcreate, (hid_t of), (of)) \
	X(H5D_layout_t, H5D_LAYOUT_ERROR, Pget_layout, (hid_t p), (p)) \
	X(int, -1, Pget_chunk, (hid_t p, int most, hsize_t *dim), (p, most, dim)) \
	X(herr_t, -1, Pset_chunk_cache, (hid_t p, size_t slots, size_t n, double w), (p, slots, n, w)) \
	X(int, -1, Pget_nfilters, (hid_t p), (p)) \
	X(H5Z_filter_t, -1, Pget_filter2, (hid_t p, unsigned i, unsigned *flags, size_t *n_value, unsigned *value, size_t n, \
		char *name, unsigned *config), (p, i, flags, n_value, value, n, name, config)) \
	X(htri_t, -1, Zfilter_avail, (H5Z_filter_t id), (id)) \
	X(herr_t, -1, Aclose, (hid_t id), (id)) \
	X(herr_t, -1, Dclose, (hid_t id), (id)) \
	X(herr_t, -1, Fclose, (hid_t id), (id)) \
	X(herr_t, -1, Oclose, (hid_t id), (id)) \
	X(herr_t, -1, Pclose, (hid_t id), (id)) \
	X(herr_t, -1, Sclose, (hid_t id), (id)) \
	X(herr_t, -1, Tclose, (hid_t id), (id))

#define LIB_DECLARE(type, fail, name, params, args) type lib_##name params;
LIB_FILE(LIB_DECLARE)
LIB_MEMORY(LIB_DECLARE)

/* Whether a call fell: the library must not be called again.  Constants such as H5T_NATIVE_INT are calls. */
int lib_broken(void);
/* Sets the library up once; guarded also: for reading the file of that name. */
void lib_start(const char *path);
/* The next call may take the time that so many bytes need, beside 3 seconds. */
void lib_allow(int64_t bytes);
/* What a call may take, bytes. */
int64_t lib_memory(void);
/* ERR_SYSTEM or what writing said. */
int lib_bad_write(const char *name, struct err *e);

/* Types to be closed; stored: as it goes into a file. */
hid_t lib_bool_type(void);
hid_t lib_text_type(void);
hid_t lib_type(int mem, int stored);
/* HC_ of a type. */
int lib_class(hid_t t);
/* The type that texts of a stored type are read as. */
hid_t lib_text_memory(hid_t stored);
/* Appends n texts of type t that lie in buf; frees what the library took for them.  Their bytes. */
int64_t lib_take_texts(hid_t t, hid_t space, void *buf, int64_t n, struct strs *out);

#endif
#endif
