/* h5_run - see h5.h: a vector of numbers read forwards, chunks unpacked by all threads
 *
 * The library inflates on one thread and converts value by value.  Here it only finds the chunks and hands their
 * bytes over; they are inflated, unshuffled and converted by all threads.  What is stored in another way goes
 * through h5_read.
 */
#include "io/h5_lib.h"

#ifdef OVX_HDF5

#include <string.h>
#include "base/mem.h"
#include "os/deflate.h"
#include "os/par.h"

#define CHUNK_MOST (8 << 20)    /* bytes of a chunk that is taken so */
#define FILTERS 2
#define BLOCK 65536             /* values that a thread converts at a time */

struct piece {
	int64_t at;             /* number of the chunk, -1 = empty */
	size_t size;
	uint32_t mask;          /* filters that were left out */
	size_t cap;
	char *stored, *whole, *spare;   /* [cap], [chunk_bytes] each */
};

struct h5_run {
	const struct h5_data *d;
	struct par *par;
	int raw;
	int mem;                /* HM_ of the stored type; HM_BOOL for none of them */
	int n_filter, filter[FILTERS];
	int n_slot;
	struct piece *slot;     /* chunk c is in slot c % n_slot */
	int n_fresh, *fresh;    /* [n_slot] slots to unpack */
	/* a conversion */
	int to;
	int64_t lo, n;
	void *buf;
};

static int
is_raw(struct h5_run *r)
{
	static const int known[] = { HM_I8, HM_U8, HM_I16, HM_I32, HM_I64, HM_F32, HM_F64 };
	const struct h5_data *d = r->d;
	hid_t t, plist;

	if (d->rank != 1 || d->field >= 0 || d->chunk <= 0 || d->null || d->chunk_bytes > CHUNK_MOST ||
	    d->chunk_bytes != d->chunk * d->width)
		return 0;
	r->mem = HM_BOOL;
	t = lib_Dget_type(d->id);
	for (size_t i = 0; i < sizeof known / sizeof *known && t >= 0; i++) {
		hid_t k = lib_type(known[i], 1);

		if (lib_Tequal(t, k) > 0)
			r->mem = known[i];
		lib_Tclose(k);
	}
	lib_Tclose(t);
	plist = lib_Dget_create_plist(d->id);
	r->n_filter = plist < 0 ? -1 : lib_Pget_nfilters(plist);
	for (int i = 0; i < r->n_filter && i < FILTERS; i++) {
		unsigned flags;
		size_t none = 0;

		r->filter[i] = lib_Pget_filter2(plist, (unsigned)i, &flags, &none, NULL, 0, NULL, NULL);
		if (r->filter[i] != H5Z_FILTER_DEFLATE && r->filter[i] != H5Z_FILTER_SHUFFLE)
			r->mem = HM_BOOL;
	}
	if (plist >= 0)
		lib_Pclose(plist);
	return r->mem != HM_BOOL && r->n_filter >= 0 && r->n_filter <= FILTERS;
}

struct h5_run *
h5_run_new(const struct h5_data *d, int64_t most, struct par *par)
{
	struct h5_run *r = mem_new(struct h5_run, 1);

	r->d = d;
	r->par = par;
	r->raw = is_raw(r);
	if (!r->raw)
		return r;
	r->n_slot = (int)(most / d->chunk + 2);
	r->slot = mem_new(struct piece, r->n_slot);
	r->fresh = mem_new(int, r->n_slot);
	for (int i = 0; i < r->n_slot; i++)
		r->slot[i].at = -1;
	return r;
}

void
h5_run_free(struct h5_run *r)
{
	if (!r)
		return;
	for (int i = 0; i < r->n_slot; i++) {
		mem_free(r->slot[i].stored);
		mem_free(r->slot[i].whole);
		mem_free(r->slot[i].spare);
	}
	mem_free(r->slot);
	mem_free(r->fresh);
	mem_free(r);
}

/* The stored bytes of chunk c into its slot; 0 when the library must be asked for the values: a chunk that
 * was never written, or whatever is strange. */
static int
fetch(struct h5_run *r, int64_t c)
{
	struct piece *p = &r->slot[c % r->n_slot];
	hsize_t at = (hsize_t)(c * r->d->chunk), size = 0;

	if (p->at == c)
		return 1;
	p->at = -1;
	if (lib_Dget_chunk_storage_size(r->d->id, &at, &size) < 0 || size == 0 || size > 2 * CHUNK_MOST)
		return 0;
	if ((size_t)size > p->cap) {
		p->cap = (size_t)size;
		mem_free(p->stored);
		p->stored = mem_raw(char, size);
	}
	lib_allow((int64_t)size);
	if (lib_Dread_chunk(r->d->id, H5P_DEFAULT, &at, &p->mask, p->stored) < 0)
		return 0;
	p->size = (size_t)size;
	p->at = c;
	r->fresh[r->n_fresh++] = (int)(c % r->n_slot);
	return 1;
}

/* Undoes the filters of fresh chunks, the last one first. */
static int
unpack(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct h5_run *r = ctx;
	struct piece *p = &r->slot[r->fresh[lo]];
	size_t want = (size_t)r->d->chunk_bytes, got = p->size;
	char *from = p->stored;

	(void)hi;
	(void)worker;
	if (!p->whole)
		p->whole = mem_raw(char, want);
	if (!p->spare && r->n_filter > 1)
		p->spare = mem_raw(char, want);
	for (int i = r->n_filter - 1; i >= 0 && !e->code; i--) {
		char *to = from == p->whole ? p->spare : p->whole;

		if (p->mask >> i & 1)
			continue;
		if (r->filter[i] == H5Z_FILTER_SHUFFLE && got == want)
			deflate_unshuffle(from, to, got, r->d->width);
		else if (r->filter[i] == H5Z_FILTER_SHUFFLE || deflate_unzlib(from, got, to, want, &got, e))
			break;
		from = to;
	}
	if (e->code || got != want) {
		p->at = -1;
		e->code = 0;
		return err_set(e, ERR_DATA, "%s: cannot be read: the file is damaged or cut", r->d->name);
	}
	if (from == p->stored) {
		p->stored = p->whole;
		p->cap = want;
	} else if (from == p->spare) {
		p->spare = p->whole;
	}
	p->whole = from;
	return 0;
}

#define EACH(type, as, value) \
	for (int64_t k = 0; k < n; k++) { \
		type v; \
		memcpy(&v, from + k * (int64_t)sizeof v, sizeof v); \
		to[k] = (as)(value); \
	} \
	break;

#define SMALL_INTEGERS(as) \
	case HM_I8: \
		EACH(int8_t, as, v) \
	case HM_U8: \
		EACH(uint8_t, as, v) \
	case HM_I16: \
		EACH(int16_t, as, v)

/* n values of the stored type as int32; what does not fit is clipped. */
static void
to_i32(int mem, const char *from, int64_t n, int32_t *to)
{
	switch (mem) {
	SMALL_INTEGERS(int32_t)
	case HM_I32:
		memcpy(to, from, (size_t)n * sizeof *to);
		break;
	case HM_I64:
		EACH(int64_t, int32_t, v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : v)
	default:
		BUG_IF(1);
	}
}

static void
to_f64(int mem, const char *from, int64_t n, double *to)
{
	switch (mem) {
	SMALL_INTEGERS(double)
	case HM_I32:
		EACH(int32_t, double, v)
	case HM_I64:
		EACH(int64_t, double, v)
	case HM_F32:
		EACH(float, double, v)
	default:
		memcpy(to, from, (size_t)n * sizeof *to);
	}
}

static int
convert(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct h5_run *r = ctx;
	int64_t chunk = r->d->chunk;

	(void)worker;
	(void)e;
	while (lo < hi) {
		int64_t at = r->lo + lo, in = at % chunk, n = chunk - in < hi - lo ? chunk - in : hi - lo;
		const char *from = r->slot[at / chunk % r->n_slot].whole + in * r->d->width;

		if (r->to == HM_I32)
			to_i32(r->mem, from, n, (int32_t *)r->buf + lo);
		else
			to_f64(r->mem, from, n, (double *)r->buf + lo);
		lo += n;
	}
	return 0;
}

int
h5_run_read(struct h5_run *r, int mem, int64_t lo, int64_t n, void *buf, struct err *e)
{
	int64_t chunk = r->d->chunk;

	BUG_IF(mem != HM_I32 && mem != HM_F64);
	if (e->code || n == 0)
		return e->code;
	BUG_IF(lo < 0 || lo + n > r->d->n);
	/* a real as an index is for the library to round */
	r->raw = r->raw && !(mem == HM_I32 && r->d->cls == HC_REAL);
	r->n_fresh = 0;
	if (r->raw && (lo + n - 1) / chunk - lo / chunk >= r->n_slot)
		return h5_read(r->d, mem, lo, n, buf, e);       /* a row longer than most */
	for (int64_t c = lo / chunk; r->raw && c * chunk < lo + n; c++)
		r->raw = fetch(r, c);
	if (!r->raw)
		return h5_read(r->d, mem, lo, n, buf, e);
	if (par_for(r->par, r->n_fresh, 1, unpack, r, e))
		return e->code;
	r->to = mem;
	r->lo = lo;
	r->buf = buf;
	return par_for(r->par, n, BLOCK, convert, r, e);
}

#endif
