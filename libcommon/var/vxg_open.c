/* vxg_open - opening a frequency database: see vxg.h, vxg_file.h */
#include "var/vxg_file.h"

#include <sys/mman.h>
#include <unistd.h>
#include "base/mem.h"
#include "os/deflate.h"
#include "os/file.h"
#include "os/mapped.h"

int
vxg_broken(const struct vxg *x, const char *what, struct err *e)
{
	return err_set(e, ERR_DATA, "%s: damaged: %s; build it again, or fetch it again", x->name, what);
}

static int
read_frame(struct vxg *x, uint64_t *dir_at, uint64_t *dir_n, uint32_t *dir_crc, struct err *e)
{
	uint8_t pre[VXG_PREAMBLE], tail[VXG_TAIL];
	int64_t got = file_pread(x->fd, pre, sizeof pre, 0, e);

	if (e->code)
		return e->code;
	if (got < 8 || memcmp(pre, vxg_magic, 8))
		return err_set(e, ERR_DATA, "%s: this is not a frequency database; make one: vx-gnomad index SITES.vcf.gz -o DB.vxg", x->name);
	if (got < VXG_PREAMBLE || vxg_u64(pre + 16) == 0)
		return err_set(e, ERR_CUT, "%s: cut short, or still being written", x->name);
	if (deflate_crc(0, pre, 60) != vxg_u32(pre + 60))
		return vxg_broken(x, "its first bytes", e);
	if (vxg_u32(pre + 8) != VXG_MAJOR)
		return err_set(e, ERR_DATA, "%s: written by a newer version (format %u); this one reads %d: get a newer vx-gnomad", x->name,
		    (unsigned)vxg_u32(pre + 8), VXG_MAJOR);
	if (vxg_u64(pre + 16) > x->size)
		return err_set(e, ERR_CUT, "%s: cut short: %lld of %lld bytes are there", x->name, (long long)x->size,
		    (long long)vxg_u64(pre + 16));
	if (vxg_u64(pre + 16) < x->size || x->size < VXG_PREAMBLE + VXG_TAIL)
		return vxg_broken(x, "there is more than its end", e);
	if (file_pread(x->fd, tail, sizeof tail, (int64_t)(x->size - VXG_TAIL), e) != VXG_TAIL)
		return e->code ? e->code : vxg_broken(x, "its end", e);
	if (memcmp(tail, "VXGE", 4) || deflate_crc(0, tail, 60) != vxg_u32(tail + 60) || vxg_u64(tail + 24) != x->size)
		return vxg_broken(x, "its last bytes", e);
	*dir_crc = vxg_u32(tail + 4);
	*dir_at = vxg_u64(tail + 8);
	*dir_n = vxg_u64(tail + 16);
	if (*dir_at > x->size - VXG_TAIL || *dir_n != x->size - VXG_TAIL - *dir_at)
		return vxg_broken(x, "its last bytes", e);
	return 0;
}

static int
inside(uint64_t at, uint64_t n, uint64_t from, uint64_t bytes)
{
	return at >= from && n <= bytes && at - from <= bytes - n;
}

/* Whether all that the directory points to lies where it may. */
static int
check_places(struct vxg *x, uint64_t dir_at, struct err *e)
{
	const struct vxg_dir *d = &x->d;
	uint64_t pages = (d->index_bytes + VXG_PAGE - 1) / VXG_PAGE;

	if (d->index_at < VXG_PREAMBLE || !inside(d->index_at, d->index_bytes, 0, dir_at) || d->sums_at != d->index_at + d->index_bytes ||
	    d->sums_at + 4 * pages != dir_at)
		return vxg_broken(x, "its directory", e);
	for (int64_t i = 0; i < d->meta.contig.n * VXG_TIERS; i++) {
		const struct vxg_index *k = &d->index[i];
		uint64_t need = (((uint64_t)k->n * 4 + 7) & ~(uint64_t)7) + (uint64_t)(k->n + 1) * 8 + (uint64_t)(k->n_bucket + 1) * 4;

		if (k->n && (k->n > (int64_t)(x->size / VXG_HEAD) || !inside(k->at, need, d->index_at, d->index_bytes) || (k->at & 7) || !k->n_bucket))
			return vxg_broken(x, "its directory", e);
	}
	for (int c = 0; c < d->cols.n; c++) {
		if (d->dict[c].n && !inside(d->dict[c].at, (uint64_t)(d->dict[c].n + 1) * 4 + (uint64_t)d->dict[c].bytes, d->index_at, d->index_bytes))
			return vxg_broken(x, "its directory", e);
		if (d->table[c].at && !inside(d->table[c].at, (uint64_t)d->table[c].n * 8, d->index_at, d->index_bytes))
			return vxg_broken(x, "its directory", e);
	}
	return 0;
}

static int
check_page(struct vxg *x, int64_t page, const uint8_t *bytes, struct err *e)
{
	uint64_t at = (uint64_t)page * VXG_PAGE, n = x->d.index_bytes - at < VXG_PAGE ? x->d.index_bytes - at : VXG_PAGE;

	if (deflate_crc(0, bytes, n) != vxg_u32(x->sums + 4 * page))
		return vxg_broken(x, "its index", e);
	atomic_store_explicit(&x->page_ok[page], 1, memory_order_relaxed);
	return 0;
}

const uint8_t *
vxg_index_bytes(struct vxg *x, uint64_t at, uint64_t n, struct err *e)
{
	const uint8_t *base = x->map ? x->map + x->d.index_at : x->pages;
	int64_t lo = (int64_t)((at - x->d.index_at) / VXG_PAGE), hi = (int64_t)((at - x->d.index_at + n - 1) / VXG_PAGE);

	for (int64_t p = lo; p <= hi; p++)
		if (!atomic_load_explicit(&x->page_ok[p], memory_order_relaxed) && check_page(x, p, base + p * VXG_PAGE, e))
			return NULL;
	return base + (at - x->d.index_at);
}

static int
read_tables(struct vxg *x, struct err *e)
{
	const struct vxg_dir *d = &x->d;

	x->table = mem_new(double *, d->cols.n);
	x->dict = mem_new(const uint8_t *, d->cols.n);
	for (int c = 0; c < d->cols.n; c++) {
		const uint8_t *p = d->table[c].at && d->table[c].n ? vxg_index_bytes(x, d->table[c].at, (uint64_t)d->table[c].n * 8, e) : NULL;

		if (!p)
			continue;
		x->table[c] = mem_new(double, VXG_TABLE);
		for (int i = 0; i < VXG_TABLE; i++) {
			uint64_t bits = i < d->table[c].n ? vxg_u64(p + 8 * i) : 0;

			memcpy(&x->table[c][i], &bits, 8);
			if (i >= d->table[c].n)
				x->table[c][i] = -1;
		}
	}
	return e->code;
}

static void
close_db(struct freq *f)
{
	struct vxg *x = (struct vxg *)f;

	if (!x)
		return;
	mapped_forget(x->map);
	if (x->map)
		munmap((void *)(uintptr_t)x->map, x->size);
	if (x->fd >= 0)
		close(x->fd);
	for (int c = 0; x->table && c < x->d.cols.n; c++)
		mem_free(x->table[c]);
	mem_free(x->table);
	mem_free(x->dict);
	vxg_dir_clear(&x->d);
	mem_free(x->name);
	mem_free(x->pages);
	mem_free(x->sums);
	mem_free((void *)x->page_ok);
	mem_free((void *)x->block_ok);
	mem_free(x->block0);
	mem_free(x->contig);
	mem_free(x->contig_rows);
	vxg_shape_clear(&x->shape);
	mem_free(x);
}

static void
fill_freq(struct vxg *x)
{
	struct vxg_dir *d = &x->d;
	int64_t n = d->meta.contig.n, blocks = 0;

	x->contig = mem_new(const char *, n);
	x->contig_rows = mem_new(int64_t, n);
	x->block0 = mem_new(int64_t, n * VXG_TIERS);
	for (int64_t i = 0; i < n; i++) {
		x->contig[i] = strs_get(&d->meta.contig, i);
		for (int t = 0; t < VXG_TIERS; t++) {
			x->contig_rows[i] += d->index[i * VXG_TIERS + t].rows;
			x->block0[i * VXG_TIERS + t] = blocks;
			blocks += d->index[i * VXG_TIERS + t].n;
		}
	}
	x->block_ok = mem_new(_Atomic uint8_t, blocks / 4 + 1);
	vxg_shape(&x->shape, &d->cols);
	x->shape.table = x->table;
	x->f = (struct freq){ .cols = &d->cols, .release = d->meta.release, .n_contig = (int)n, .contig = x->contig,
		.contig_length = d->meta.contig_length, .contig_rows = x->contig_rows, .close = close_db };
	vxg_ask(&x->f);
}

struct freq *
vxg_open_fd(int fd, const char *name, int64_t room, struct err *e)
{
	struct vxg *x;
	uint64_t dir_at = 0, dir_n = 0;
	uint32_t crc = 0;
	char *dir = NULL;
	int64_t size = file_size(fd);

	if (e->code)
		return NULL;
	x = mem_new(struct vxg, 1);
	x->fd = fd;
	x->name = mem_strdup(name);
	x->size = (uint64_t)size;
	if (size < 0) {
		err_set(e, ERR_DATA, "%s: a database must be a file, not a pipe", name);
		goto out;
	}
	if (read_frame(x, &dir_at, &dir_n, &crc, e))
		goto out;
	dir = mem_raw(char, (long long)dir_n + 1);
	if (file_pread(fd, dir, dir_n, (int64_t)dir_at, e) != (int64_t)dir_n || deflate_crc(0, dir, dir_n) != crc) {
		vxg_broken(x, "its directory", e);
		goto out;
	}
	if (vxg_dir_read(&x->d, dir, dir_n, name, e) || check_places(x, dir_at, e))
		goto out;
	x->n_page = (int64_t)((x->d.index_bytes + VXG_PAGE - 1) / VXG_PAGE);
	x->sums = mem_new(uint8_t, 4 * x->n_page);
	x->page_ok = mem_new(_Atomic uint8_t, x->n_page);
	if (file_pread(fd, x->sums, 4 * (size_t)x->n_page, (int64_t)x->d.sums_at, e) != 4 * x->n_page)
		vxg_broken(x, "its directory", e);
	if (!e->code && size <= room) {
		void *p = mmap(NULL, x->size, PROT_READ, MAP_SHARED, fd, 0);

		x->map = p == MAP_FAILED ? NULL : p;
		if (x->map) {
			madvise(p, x->size, MADV_RANDOM);
			mapped_note(p, x->size, x->name);
		}
	}
	if (!e->code && !x->map) {
		x->pages = mem_raw(uint8_t, (long long)x->d.index_bytes + 64);
		if (file_pread(fd, x->pages, x->d.index_bytes, (int64_t)x->d.index_at, e) != (int64_t)x->d.index_bytes)
			vxg_broken(x, "its index", e);
	}
	if (!e->code && !read_tables(x, e))
		fill_freq(x);
out:
	mem_free(dir);
	if (!e->code)
		return &x->f;
	close_db(&x->f);
	return NULL;
}

struct freq *
vxg_open(const char *path, int64_t room, struct err *e)
{
	int fd = e->code ? -1 : file_open(path, e);

	return e->code ? NULL : vxg_open_fd(fd, path, room, e);
}

const struct vxg_meta *
vxg_meta(const struct freq *f)
{
	return &((const struct vxg *)f)->d.meta;
}

int64_t
vxg_rows(const struct freq *f)
{
	const struct vxg *x = (const struct vxg *)f;

	return x->d.rows[0] + x->d.rows[1];
}
