/* h5 - HDF5 behind a few typed calls: h5.c, h5_lib, h5_read.c and h5_write.c alone know the library
 *
 * Objects are numbers (HDF5's own), closed with h5_close; 0 is none.  Errors come as a
 * sentence that names the object; the library's own error stack is
 * silent.  Files are untrusted: what a dataset claims to hold is compared with what the file can hold
 * before memory is taken (h5_claim), and when the library itself fails on one it is not called
 * again in this process (h5_sound).
 *
 *	f = h5_open(path, e);
 *	h5_data_open(&d, f, "X/data", e);
 *	h5_read(&d, HM_F64, lo, n, buf, e);
 *	h5_data_close(&d);
 *	h5_close(f);
 *
 * Written objects carry no times, so that equal content gives equal bytes.  One
 * thread at a time.  LZF, which h5py brings along, is read; deflate and shuffle are the library's.
 */
#ifndef OVX_H5_H
#define OVX_H5_H

#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

/* What a stored value is. */
enum h5_class { HC_INT, HC_REAL, HC_BOOL, HC_TEXT, HC_COMPOUND, HC_OTHER };
/* How it is in memory; HM_BOOL is one byte of 0 or 1, in the file the enumeration that
 * h5py reads as bool. */
enum h5_mem { HM_I8, HM_U8, HM_I16, HM_I32, HM_I64, HM_F32, HM_F64, HM_BOOL };
enum h5_kind { HK_NONE, HK_GROUP, HK_DATASET, HK_OTHER };

#define H5_NAME 300
#define H5_DIMS 8

/* 1 when built with HDF5; else every call fails. */
int h5_have(void);
/* What one call of the library may take while it reads, bytes; at least, and at first, 64 MiB. */
void h5_memory(int64_t bytes);
/* After all has been read: when the library faulted, hung or was stopped somewhere in between, e becomes
 * ERR_DATA that says so of path, whatever it was. */
int h5_sound(const char *path, struct err *e);

int64_t h5_open(const char *path, struct err *e);
/* Makes a file of a descriptor that is open for reading and writing; what it holds is cut off.  The
 * descriptor stays the caller's. */
int64_t h5_create(int fd, struct err *e);
/* Writes everything out and closes a file: only then it is known to be whole. */
int h5_end(int64_t file, struct err *e);
void h5_close(int64_t id);
/* Path of an object in its file, without the first slash; "/" for the root. */
void h5_name(int64_t id, char out[H5_NAME]);
/* What lies under a name (a path may be given), links followed; HK_OTHER also when it is there but
 * cannot be opened. */
int h5_kind(int64_t at, const char *name);
int64_t h5_at(int64_t at, const char *name, struct err *e);
/* Names of a group's members in byte order. */
int h5_names(int64_t group, struct strs *out, struct err *e);

/* Attributes: whether it is there; its text; its list of texts (1 also for an empty list); its
 * numbers (how many were stored in v, at most most); the object that it refers to, or 0. */
int h5_attr_has(int64_t at, const char *key);
int h5_attr_text(int64_t at, const char *key, struct str *out);
int h5_attr_texts(int64_t at, const char *key, struct strs *out);
int h5_attr_ints(int64_t at, const char *key, int64_t *v, int most);
int64_t h5_attr_object(int64_t at, const char *key);
/* Whether the text attribute equals value. */
int h5_attr_is(int64_t at, const char *key, const char *value);

/* A dataset, or one field of a dataset of compounds (then with the field's own dimensions behind
 * those of the dataset). */
struct h5_data {
	int64_t id;
	int cls;                /* enum h5_class */
	int width;              /* bytes of a stored value */
	int is_unsigned;
	int null;               /* stored as having no value at all */
	int rank;
	int64_t dim[H5_DIMS];
	int64_t n;              /* values in all; rows, times row values */
	int64_t row;            /* values of a row: the product of dim[1..] */
	int64_t chunk;          /* rows of a chunk, 0 = not chunked */
	int64_t chunk_bytes;    /* of a chunk when decoded */
	int field, n_field;     /* number of the field or -1; fields of a compound */
	int owned;
	char name[H5_NAME];
};

int h5_data_open(struct h5_data *d, int64_t at, const char *name, struct err *e);
/* Field i of d; d must stay open.  name [H5_NAME] receives its name. */
int h5_data_field(const struct h5_data *d, int i, struct h5_data *f, char *name, struct err *e);
void h5_data_close(struct h5_data *d);
/* ERR_DATA when the values cannot lie in the file, whatever its compression. */
int h5_claim(const struct h5_data *d, struct err *e);
/* Rows lo .. lo + n - 1 (a scalar has one) as numbers of a kind.  Numbers that do not fit are clipped. */
int h5_read(const struct h5_data *d, int mem, int64_t lo, int64_t n, void *buf, struct err *e);
/* A vector read forwards in pieces of at most most values: its chunks are inflated and converted by the threads of par
 * (NULL = this one), which is a few times as fast as h5_read.  mem is HM_I32 or HM_F64; pieces may overlap.  d stays
 * the caller's and open.  Memory: two or three times most values, and two
 * chunks more.  The same values and errors as h5_read. */
struct h5_run;
struct par;
struct h5_run *h5_run_new(const struct h5_data *d, int64_t most, struct par *par);
int h5_run_read(struct h5_run *r, int mem, int64_t lo, int64_t n, void *buf, struct err *e);
/* The same where they are, until the next call.  *mem says what is wanted and then what it is: HM_F64 may become
 * HM_F32 or HM_I32, when they are stored so. */
const void *h5_run_view(struct h5_run *r, int *mem, int64_t lo, int64_t n, struct err *e);
void h5_run_free(struct h5_run *r);
/* The same as texts, row values each row, appended.  Padding is taken off. */
int h5_read_texts(const struct h5_data *d, int64_t lo, int64_t n, struct strs *out, struct err *e);

/* Bytes of a value in memory. */
int h5_width(int mem);

/* A new group; type and version may be NULL.  wide: it will get very many names in one attribute. */
int64_t h5_group(int64_t at, const char *name, const char *type, const char *version, int wide, struct err *e);
int h5_put_attr_text(int64_t at, const char *key, const char *value, struct err *e);
/* An empty list becomes a list of no doubles, as h5py writes it. */
int h5_put_attr_texts(int64_t at, const char *key, const struct strs *l, struct err *e);
int h5_put_attr_ints(int64_t at, const char *key, const int64_t *v, int n, struct err *e);
int h5_put_attr_bool(int64_t at, const char *key, int v, struct err *e);

struct h5_shape {
	int rank;               /* 0 = scalar */
	int64_t dim[H5_DIMS];
	int grow;               /* dim[0] may grow: stored in chunks */
	int deflate;            /* level; 0 = none */
};

/* A new dataset of numbers; type: its encoding-type ("array"), or NULL for none. */
int64_t h5_new(int64_t at, const char *name, int mem, const struct h5_shape *s, const char *type, struct err *e);
int h5_grow(int64_t data, int64_t n, struct err *e);
int h5_write(int64_t data, int mem, int64_t lo, int64_t n, const void *buf, struct err *e);
/* New, written and closed. */
int h5_put(int64_t at, const char *name, int mem, const struct h5_shape *s, const char *type, const void *buf, struct err *e);
/* Texts as UTF-8 of any length ("string-array"); a single one ("string"). */
int h5_put_texts(int64_t at, const char *name, const struct strs *l, struct err *e);
int h5_put_text(int64_t at, const char *name, const char *s, struct err *e);

#endif
