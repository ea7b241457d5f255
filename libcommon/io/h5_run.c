/* h5_run - see h5.h: a vector of numbers read forwards, chunks unpacked by all threads
 *
 * The library inflates on one thread and converts value by value.  Here it only finds the chunks and hands their
 * bytes over; they are inflated, unshuffled and converted by all threads.  The chunks of a piece stand one behind the
 * other, so that what needs no conversion is used where it is.  What is stored in another way goes
 * through h5_read.
 */
#include "io/h5_lib.h"

#ifdef OVX_HDF5

#include <string.h>
#include "base/mem.h"
#include "os/deflate.h"
#include "os/par.h"

#define CHUNK_MOST (8 << 20)    /* bytes of a chunk that is taken so */
#define CHUNKS_MOST 65536
#define FILTERS 2
#define BLOCK 65536             /* values that a thread converts at a time */

/* A chunk on its way. */
struct piece {
	int64_t at;             /* its number */
	size_t size;
	uint32_t mask;          /* filters that were left out */
	size_t cap;
	char *stored;           /* [cap] */
};

struct h5_run {
	const struct h5_data *d;
	struct par *par;
	int raw;
	int mem;                /* HM_ of the stored type; HM_BOOL for none of them */
	int n_filter, filter[FILTERS];
	int64_t n_slot;         /* chunks that there is room for */
	char *whole;            /* [n_slot] chunks, unpacked, from number first on, n of them */
	int64_t first, n;
	struct piece *piece;    /* [n_slot] of which n_fresh are to be unpacked */
	int64_t n_fresh;
	char **spare;           /* [threads] of chunk_bytes, between two filters */
	void *view;             /* [cap_view] bytes, for what is not used where it is */
	int64_t cap_view;
	/* a conversion */
	int to;
	int64_t lo;
	void *buf;
};

static int
is_raw(struct h5_run *r)
{
	static const int known[] = { HM_I8, HM_U8, HM_I16, HM_I32, HM_I64, HM_F32, HM_F64 };
	const struct h5_data *d = r->d;
	int known_filters = 1;
	hid_t t, plist;

	r->mem = HM_BOOL;
	if (d->rank != 1 || d->field >= 0 || d->null)
		return 0;
	t = lib_Dget_type(d->id);
	for (size_t i = 0; i < sizeof known / sizeof *known && t >= 0; i++) {
		hid_t k = lib_type(known[i], 1);

		if (lib_Tequal(t, k) > 0)
			r->mem = known[i];
		lib_Tclose(k);
	}
	lib_Tclose(t);
	if (d->chunk <= 0 || d->chunk_bytes > CHUNK_MOST || d->chunk_bytes != d->chunk * d->width)
		return 0;
	plist = lib_Dget_create_plist(d->id);
	r->n_filter = plist < 0 ? -1 : lib_Pget_nfilters(plist);
	for (int i = 0; i < r->n_filter && i < FILTERS; i++) {
		unsigned flags;
		size_t none = 0;

		r->filter[i] = lib_Pget_filter2(plist, (unsigned)i, &flags, &none, NULL, 0, NULL, NULL);
		known_filters &= r->filter[i] == H5Z_FILTER_DEFLATE || r->filter[i] == H5Z_FILTER_SHUFFLE;
	}
	if (plist >= 0)
		lib_Pclose(plist);
	return r->mem != HM_BOOL && known_filters && r->n_filter >= 0 && r->n_filter <= FILTERS;
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
	r->n_slot = most / d->chunk + 2 < CHUNKS_MOST ? most / d->chunk + 2 : CHUNKS_MOST;
	r->whole = mem_raw(char, r->n_slot * d->chunk_bytes);
	r->piece = mem_new(struct piece, r->n_slot);
	r->spare = mem_new(char *, par_n(par));
	return r;
}

void
h5_run_free(struct h5_run *r)
{
	if (!r)
		return;
	for (int64_t i = 0; i < r->n_slot; i++)
		mem_free(r->piece[i].stored);
	for (int i = 0; r->spare && i < par_n(r->par); i++)
		mem_free(r->spare[i]);
	mem_free(r->spare);
	mem_free(r->piece);
	mem_free(r->whole);
	mem_free(r->view);
	mem_free(r);
}

static char *
chunk_at(const struct h5_run *r, int64_t c)
{
	return r->whole + (c - r->first) * r->d->chunk_bytes;
}

/* The stored bytes of chunk c; 0 when the library must be asked for the values: a chunk that
 * was never written, or whatever is strange. */
static int
fetch(struct h5_run *r, int64_t c)
{
	struct piece *p = &r->piece[r->n_fresh];
	hsize_t at = (hsize_t)(c * r->d->chunk), size = 0;
	char *to = chunk_at(r, c);

	if (lib_Dget_chunk_storage_size(r->d->id, &at, &size) < 0 || size == 0 || size > 2 * CHUNK_MOST)
		return 0;
	if (r->n_filter > 0 || size != (hsize_t)r->d->chunk_bytes) {
		if ((size_t)size > p->cap) {
			p->cap = (size_t)size;
			mem_free(p->stored);
			p->stored = mem_raw(char, size);
		}
		to = p->stored;
	}
	lib_allow((int64_t)size);
	if (lib_Dread_chunk(r->d->id, H5P_DEFAULT, &at, &p->mask, to) < 0)
		return 0;
	p->size = (size_t)size;
	p->at = c;
	r->n_fresh += to == p->stored;
	return 1;
}

/* Undoes the filters of fresh chunks, the last one first. */
static int
unpack(void *ctx, int64_t lo, int64_t hi, int worker, struct err *e)
{
	struct h5_run *r = ctx;
	struct piece *p = &r->piece[lo];
	size_t want = (size_t)r->d->chunk_bytes, got = p->size;
	char *from = p->stored, *whole = chunk_at(r, p->at);

	(void)hi;
	if (!r->spare[worker] && r->n_filter > 1)
		r->spare[worker] = mem_raw(char, want);
	for (int i = r->n_filter - 1; i >= 0 && !e->code; i--) {
		char *to = i == 0 || from == r->spare[worker] ? whole : r->spare[worker];

		if (p->mask >> i & 1)
			continue;
		if (r->filter[i] == H5Z_FILTER_SHUFFLE && got == want)
			deflate_unshuffle(from, to, got, r->d->width);
		else if (r->filter[i] == H5Z_FILTER_SHUFFLE || deflate_unzlib(from, got, to, want, &got, e))
			break;
		from = to;
	}
	if (e->code || got != want) {
		e->code = 0;
		return err_set(e, ERR_DATA, "%s: cannot be read: the file is damaged or cut", r->d->name);
	}
	if (from != whole)
		memcpy(whole, from, want);
	return 0;
}

/* Chunks c .. last, as far as they are not there, to their places; 0 as fetch. */
static int
window(struct h5_run *r, int64_t c, int64_t last, struct err *e)
{
	int64_t kept = 0, at = c;

	if (r->n > 0 && c >= r->first && c < r->first + r->n) {
		kept = r->first + r->n - c;
		kept = kept < last - c + 1 ? kept : last - c + 1;
		if (c > r->first)
			memmove(r->whole, chunk_at(r, c), (size_t)(kept * r->d->chunk_bytes));
	}
	r->first = c;
	r->n = 0;
	r->n_fresh = 0;
	for (at += kept; at <= last; at++)
		if (!fetch(r, at))
			return 0;
	if (par_for(r->par, r->n_fresh, 1, unpack, r, e) == 0)
		r->n = last - c + 1;
	return 1;
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
	const char *from = r->whole + (r->lo + lo - r->first * r->d->chunk) * r->d->width;

	(void)worker;
	(void)e;
	if (r->to == HM_I32)
		to_i32(r->mem, from, hi - lo, (int32_t *)r->buf + lo);
	else
		to_f64(r->mem, from, hi - lo, (double *)r->buf + lo);
	return 0;
}

/* Whether values lo .. lo + n - 1 stand in the window now; 0 when the library is to be asked. */
static int
in_window(struct h5_run *r, int mem, int64_t lo, int64_t n, struct err *e)
{
	int64_t chunk = r->d->chunk;

	BUG_IF(lo < 0 || lo + n > r->d->n);
	/* a real as an index is for the library to round */
	r->raw = r->raw && !(mem == HM_I32 && r->d->cls == HC_REAL);
	if (!r->raw || (lo + n - 1) / chunk - lo / chunk >= r->n_slot)
		return 0;       /* the latter: a row longer than most */
	r->raw = window(r, lo / chunk, (lo + n - 1) / chunk, e);
	return r->raw;
}

int
h5_run_read(struct h5_run *r, int mem, int64_t lo, int64_t n, void *buf, struct err *e)
{
	BUG_IF(mem != HM_I32 && mem != HM_F64);
	if (e->code || n == 0)
		return e->code;
	if (!in_window(r, mem, lo, n, e))
		return h5_read(r->d, mem, lo, n, buf, e);
	if (e->code)
		return e->code;
	r->to = mem;
	r->lo = lo;
	r->buf = buf;
	return par_for(r->par, n, BLOCK, convert, r, e);
}

const void *
h5_run_view(struct h5_run *r, int *mem, int64_t lo, int64_t n, struct err *e)
{
	int as = *mem == HM_F64 && (r->mem == HM_F32 || r->mem == HM_I32) ? r->mem : *mem, inside;

	if (e->code)
		return NULL;
	inside = n > 0 && in_window(r, *mem, lo, n, e);
	if (e->code)
		return NULL;
	*mem = as;
	if (inside && as == r->mem)
		return r->whole + (lo - r->first * r->d->chunk) * r->d->width;
	if (n * h5_width(as) > r->cap_view || !r->view) {
		mem_free(r->view);
		r->cap_view = (n + n / 4) * h5_width(as);
		r->view = mem_raw(char, r->cap_view);
	}
	if (!inside)
		h5_read(r->d, as, lo, n, r->view, e);
	else
		h5_run_read(r, as, lo, n, r->view, e);
	return e->code ? NULL : r->view;
}

#endif
