/* mtx_out - see mtx_out.h */
#include "io/mtx_out.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "os/text.h"

#define PATH 4400

enum { MATRIX, FEATURES, BARCODES, N_FILE };

static const char *const file_name[N_FILE] = { "matrix.mtx.gz", "features.tsv.gz", "barcodes.tsv.gz" };

struct folder {
	char dir[PATH - 300];   /* without a slash at its end */
	char temp[PATH - 200];  /* where the files get their names */
	int made;               /* temp is there */
	int named;              /* the files have names in it: no O_TMPFILE here */
	int fd[N_FILE];
};

static int
is_empty(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *x;
	int n = 0;

	while (d && (x = readdir(d)))
		n += strcmp(x->d_name, ".") && strcmp(x->d_name, "..");
	if (d)
		closedir(d);
	return d && n == 0;
}

static int
make_temp(struct folder *f, struct err *e)
{
	if (mkdir(f->temp, 0777))
		return err_errno(e, "%.300s", f->temp);
	f->made = 1;
	return 0;
}

static int
folder_open(struct folder *f, const char *dir, struct err *e)
{
	char parent[PATH], path[PATH], *slash;
	struct stat st;
	size_t n = strlen(dir);

	memset(f, 0, sizeof *f);
	for (int i = 0; i < N_FILE; i++)
		f->fd[i] = -1;
	if (e->code)
		return e->code;
	while (n > 1 && dir[n - 1] == '/')
		n--;
	if (n >= sizeof f->dir)
		return err_set(e, ERR_USAGE, "%.100s...: too long a name", dir);
	snprintf(f->dir, sizeof f->dir, "%.*s", (int)n, dir);
	snprintf(f->temp, sizeof f->temp, "%s.tmp.%ld", f->dir, (long)getpid());
	if (stat(f->dir, &st) == 0 && (!S_ISDIR(st.st_mode) || !is_empty(f->dir)))
		return err_set(e, ERR_USAGE, "%.300s: is there already%s", f->dir, S_ISDIR(st.st_mode) ?
		    " and not empty; name a new folder" : " and is no folder");
	snprintf(parent, sizeof parent, "%s", f->dir);
	slash = strrchr(parent, '/');
	if (!slash)
		snprintf(parent, sizeof parent, ".");
	else
		slash[slash == parent] = 0;
	for (int i = 0; i < N_FILE && !e->code; i++) {
		f->fd[i] = f->named ? -1 : open(parent, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
		if (f->fd[i] < 0 && !f->named && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL) && !make_temp(f, e))
			f->named = 1;
		if (f->named && !e->code) {
			snprintf(path, sizeof path, "%s/%s", f->temp, file_name[i]);
			f->fd[i] = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		}
		if (f->fd[i] < 0 && !e->code)
			err_errno(e, "%.300s", f->named ? f->temp : parent);
	}
	return e->code;
}

/* Names the files in a temporary folder, and that folder as it should be; with e set all goes. */
static int
folder_close(struct folder *f, struct err *e)
{
	char path[PATH], self[64];

	if (!e->code && !f->made)
		make_temp(f, e);
	for (int i = 0; i < N_FILE; i++) {
		snprintf(path, sizeof path, "%s/%s", f->temp, file_name[i]);
		snprintf(self, sizeof self, "/proc/self/fd/%d", f->fd[i]);
		if (!e->code && (fsync(f->fd[i]) || (!f->named && linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW))))
			err_errno(e, "%.300s", path);
		if (f->fd[i] >= 0 && close(f->fd[i]) && !e->code)
			err_errno(e, "%.300s", path);
	}
	if (!e->code && rename(f->temp, f->dir))
		err_errno(e, "%.300s", f->dir);
	for (int i = 0; i < N_FILE && e->code && f->made; i++) {
		snprintf(path, sizeof path, "%s/%s", f->temp, file_name[i]);
		unlink(path);
	}
	if (e->code && f->made)
		rmdir(f->temp);
	return e->code;
}

struct pass {
	struct gz z;
	int64_t nnz;
	int real;               /* some value is no whole number */
	struct str *text;       /* [n_slot] */
	int64_t *count;         /* [n_slot] */
	int *some_real;         /* [n_slot] */
};

static int
count(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct pass *p = ctx;

	p->count[slot] = 0;
	p->some_real[slot] = 0;
	for (int64_t k = 0; k < m->ptr[m->n_row]; k++) {
		p->count[slot] += m->val[k] != 0;
		p->some_real[slot] |= m->val[k] != floor(m->val[k]) || fabs(m->val[k]) > 9007199254740992.0;
	}
	return e->code;
}

static int
add_count(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct pass *p = ctx;

	(void)m;
	p->nnz += p->count[slot];
	p->real |= p->some_real[slot];
	return e->code;
}

static char *
put_whole(char *p, int64_t v)
{
	char b[24];
	int n = 0;
	uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;

	if (v < 0)
		*p++ = '-';
	do
		b[n++] = (char)('0' + u % 10);
	while (u /= 10);
	while (n)
		*p++ = b[--n];
	return p;
}

/* A block as lines: gene, cell, value, from 1, genes rising. */
static int
lines(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct pass *p = ctx;
	struct str *t = &p->text[slot];
	struct csr s = {0};

	sink_place(NULL, m, &s);
	t->n = 0;
	for (int64_t i = 0; i < s.n_row; i++)
		for (int64_t k = s.ptr[i]; k < s.ptr[i + 1]; k++) {
			char b[80], *q = put_whole(b, s.col[k] + 1);

			*q++ = ' ';
			q = put_whole(q, s.row0 + i + 1);
			*q++ = ' ';
			if (!p->real)
				q = put_whole(q, (int64_t)s.val[k]);
			str_addn(t, b, (size_t)(q - b));
			if (p->real)
				text_double(t, s.val[k]);
			str_addn(t, "\n", 1);
		}
	csr_clear(&s);
	return e->code;
}

static int
put_lines(void *ctx, const struct csr *m, int slot, struct err *e)
{
	struct pass *p = ctx;

	(void)m;
	return p->text[slot].n ? gz_put(&p->z, p->text[slot].s, p->text[slot].n, e) : e->code;
}

static int
put_matrix(struct set *s, int fd, struct err *e)
{
	struct pass p = {0};
	struct rows r = {0};
	struct str head = {0};

	if (set_rows(s, "X", &r, e) == 0) {
		p.text = mem_new(struct str, r.n_slot);
		p.count = mem_new(int64_t, r.n_slot);
		p.some_real = mem_new(int, r.n_slot);
		set_rows_flags(&r, SET_WHOLE);
		rows_pass(&r, count, add_count, &p, e);
		str_addf(&head, "%%%%MatrixMarket matrix coordinate %s general\n%%metadata_json: {\"format_version\": 2}\n%lld %lld %lld\n",
		    p.real ? "real" : "integer", (long long)r.n_col, (long long)r.n_row, (long long)p.nnz);
		gz_open(&p.z, fd, file_name[MATRIX], e);
		gz_put(&p.z, head.s, head.n, e);
		rows_pass(&r, lines, put_lines, &p, e);
		gz_close(&p.z, e);
		for (int i = 0; i < r.n_slot; i++)
			str_clear(&p.text[i]);
	}
	mem_free(p.text);
	mem_free(p.count);
	mem_free(p.some_real);
	str_clear(&head);
	set_rows_clear(&r);
	return e->code;
}

/* A column of texts, when it is there and is one. */
static int
text_column(struct set *s, const char *path, struct column *c, struct err *e)
{
	memset(c, 0, sizeof *c);
	return set_find(s, path) && set_column(s, path, c, e) == 0 && (c->dtype == DT_STR || c->dtype == DT_CAT);
}

static int
put_names(struct set *s, int which, int fd, struct err *e)
{
	const struct strs *l = &s->axis[which == BARCODES ? AXIS_OBS : AXIS_VAR].names;
	struct column id = {0}, type = {0};
	struct gz z;
	struct str t = {0};
	int has_id = 0, has_type = 0;

	if (which == FEATURES && !e->code) {
		has_id = text_column(s, "var/gene_ids", &id, e);
		has_type = text_column(s, "var/feature_types", &type, e);
	}
	gz_open(&z, fd, file_name[which], e);
	for (int64_t i = 0; i < l->n && !e->code; i++) {
		const char *name = strs_get(l, i);

		if (which == FEATURES)
			str_addf(&t, "%s\t%s\t%s\n", has_id ? column_string(&id, i) : name, name,
			    has_type ? column_string(&type, i) : "Gene Expression");
		else
			str_addf(&t, "%s\n", name);
		if (t.n > 1 << 16 || i == l->n - 1) {
			gz_put(&z, t.s, t.n, e);
			t.n = 0;
		}
	}
	gz_close(&z, e);
	str_clear(&t);
	column_clear(&id);
	column_clear(&type);
	return e->code;
}

int
mtx_export(struct set *s, const char *dir, struct err *e)
{
	struct folder f;

	set_need(s, "X", "a 10x folder holds counts", e);
	set_names(s, AXIS_OBS, e);
	set_names(s, AXIS_VAR, e);
	if (e->code)
		return e->code;
	folder_open(&f, dir, e);
	if (!e->code) {
		put_matrix(s, f.fd[MATRIX], e);
		put_names(s, FEATURES, f.fd[FEATURES], e);
		put_names(s, BARCODES, f.fd[BARCODES], e);
	}
	while (!e->code && set_next_pending(s, e))      /* the folder is named only when the input is whole */
		;
	return folder_close(&f, e);
}
