/* h5ad_fixed - fuzz target: well-formed HDF5 whose content is no good AnnData or 10x file
 *
 * The input is a list of choices: what is written as it should be, and what of another
 * type, length or value, or not at all.  So what is reached is the import, not the HDF5 library.
 */
#define FIX
#include "h5ad.c"

struct choice {
	const uint8_t *p, *end;
	int64_t n_obs, n_var;
	struct err e;
};

static unsigned
pick(struct choice *c)
{
	return c->p < c->end ? *c->p++ : 0;
}

/* Numbers 0 .. n - 1 times step, with a few that are not. */
static void
values(struct choice *c, int mem, int64_t n, int step, void *out)
{
	double x[1024];

	for (int64_t i = 0; i < n; i++)
		x[i] = (double)(i * step);
	for (unsigned k = pick(c) % 4; k > 0 && n > 0; k--) {
		static const double odd[] = { -1, 1, 2, 3, 7, 255, 65536, 2147483647.0, 2147483648.0, -2147483648.0,
			9e18, 0.5 };
		int64_t at = pick(c) % n;

		x[at] = odd[pick(c) % 12];
	}
	for (int64_t i = 0; i < n; i++)
		switch (mem) {
		case HM_F32: ((float *)out)[i] = (float)x[i]; break;
		case HM_F64: ((double *)out)[i] = x[i]; break;
		case HM_I64: ((int64_t *)out)[i] = (int64_t)x[i]; break;
		case HM_I32: ((int32_t *)out)[i] = (int32_t)(int64_t)x[i]; break;
		case HM_I16: ((int16_t *)out)[i] = (int16_t)(int64_t)x[i]; break;
		case HM_BOOL: ((uint8_t *)out)[i] = (int64_t)x[i] & 1; break;
		default: ((uint8_t *)out)[i] = (uint8_t)(int64_t)x[i]; break;
		}
}

static void
texts(struct choice *c, int64_t at, const char *name, int64_t n, int attr)
{
	struct strs l = {0};
	char b[40];

	for (int64_t i = 0; i < n; i++) {
		snprintf(b, sizeof b, "n%lld", (long long)i);
		strs_add(&l, b, strlen(b));
	}
	if (pick(c) > 220) {
		strs_add(&l, "n0", pick(c) % 3);
		strs_add(&l, "", 0);
	}
	if (attr)
		h5_put_attr_texts(at, name, &l, &c->e);
	else
		h5_put_texts(at, name, &l, &c->e);
	strs_clear(&l);
}

/* A dataset of [n][d] numbers (d = 0: a vector), or, by choice, something else. */
static void
data(struct choice *c, int64_t at, const char *name, int mem, int64_t n, int64_t d, int step)
{
	static const struct h5_shape none = { .rank = 0 };
	struct h5_shape s = { .rank = d ? 2 : 1, .dim = { n, d } };
	double buf[1024];
	unsigned k = pick(c);

	if (k > 240)
		mem = (int)(pick(c) % 8);
	else if (k > 230)
		s.dim[0] = pick(c) % 16;
	else if (k > 222)
		s.dim[1] = pick(c) % 16, s.rank = 2;
	else if (k > 216)
		s = none;
	else if (k > 210)
		s.grow = 1, s.deflate = (int)(pick(c) % 2);
	if (k > 205 && k <= 210)
		return;
	if (k > 200 && k <= 205) {
		texts(c, at, name, n, 0);
		return;
	}
	n = 1;
	for (int i = 0; i < s.rank; i++)
		n *= s.dim[i];
	if (n > 1024)
		return;
	values(c, mem, n, step, buf);
	h5_put(at, name, mem, &s, pick(c) > 128 ? "array" : NULL, buf, &c->e);
}

static const char *
type_of(struct choice *c, const char *right)
{
	static const char *const other[] = { "csr_matrix", "csc_matrix", "dataframe", "categorical", "nullable-integer",
		"nullable-boolean", "nullable-string-array", "array", "dict", "string-array", "raw", "" };
	unsigned k = pick(c);

	return k < 220 ? right : other[k % 12];
}

static void
sparse(struct choice *c, int64_t at, const char *name, const char *type, int64_t n, int64_t d)
{
	int64_t g = h5_group(at, name, type_of(c, type), "0.1.0", 0, &c->e), shape[2] = { n, d };
	unsigned k = pick(c);

	if (k > 240)
		shape[k & 1] = pick(c) % 3 ? pick(c) % 16 : (int64_t)1 << pick(c) % 63;
	h5_put_attr_ints(g, "shape", shape, k == 200 ? 1 : 2, &c->e);
	if (strcmp(type, "csc_matrix") == 0)
		n = d;
	data(c, g, "data", HM_F32, n, 0, 1);
	data(c, g, "indices", HM_I32, n, 0, 0);
	data(c, g, "indptr", k & 1 ? HM_I64 : HM_I32, n + 1, 0, 1);
	h5_close(g);
}

static void
matrix(struct choice *c, int64_t at, const char *name, int64_t n, int64_t d)
{
	switch (pick(c) % 4) {
	case 0:
		sparse(c, at, name, "csr_matrix", n, d);
		break;
	case 1:
		sparse(c, at, name, "csc_matrix", n, d);
		break;
	case 2:
		data(c, at, name, HM_F32, n, d, 1);
		break;
	default:
		break;
	}
}

static void
column(struct choice *c, int64_t at, const char *name, int64_t n)
{
	int64_t g;

	switch (pick(c) % 8) {
	case 0:
	case 1:
		g = h5_group(at, name, type_of(c, "categorical"), "0.2.0", 0, &c->e);
		if (pick(c) & 1)
			texts(c, g, "categories", 4, 0);
		else
			data(c, g, "categories", HM_I64, 4, 0, 1);
		data(c, g, "codes", HM_I8, n, 0, pick(c) % 2);
		h5_put_attr_bool(g, "ordered", pick(c) & 1, &c->e);
		h5_close(g);
		break;
	case 2:
	case 3:
		g = h5_group(at, name, type_of(c, "nullable-integer"), "0.1.0", 0, &c->e);
		data(c, g, "values", pick(c) % 2 ? HM_I64 : HM_BOOL, n, 0, 1);
		data(c, g, "mask", HM_BOOL, n, 0, 1);
		h5_close(g);
		break;
	case 4:
		texts(c, at, name, n, 0);
		break;
	default:
		data(c, at, name, (int)(pick(c) % 8), n, 0, 1);
		break;
	}
}

static void
frame(struct choice *c, int64_t at, const char *name, int64_t n)
{
	int64_t g = h5_group(at, name, type_of(c, "dataframe"), "0.2.0", 0, &c->e);
	unsigned k = pick(c);

	h5_put_attr_text(g, "_index", k > 240 ? "n1" : k > 230 ? "" : "_index", &c->e);
	if (k != 230)
		texts(c, g, "column-order", 3, 1);
	if (k < 226)
		texts(c, g, "_index", n, 0);
	else
		data(c, g, "_index", HM_I64, n, 0, 1);
	for (int i = 0; i < 3; i++) {
		char b[8];

		snprintf(b, sizeof b, "n%d", i);
		column(c, g, b, n);
	}
	h5_close(g);
}

static void
box(struct choice *c, int64_t f, const char *name, const char *inner, int64_t n, int64_t d)
{
	int64_t g;

	if (pick(c) % 3 == 0)
		return;
	g = h5_group(f, name, type_of(c, "dict"), "0.1.0", 0, &c->e);
	matrix(c, g, inner, n, d);
	if (pick(c) > 200)
		frame(c, g, "table", n);
	h5_close(g);
}

static void
tenx(struct choice *c, int64_t f)
{
	int old = pick(c) & 1;
	int64_t g = h5_group(f, old ? "hg19" : "matrix", NULL, NULL, 0, &c->e), h;
	struct h5_shape two = { .rank = 1, .dim = { 2 } };
	int64_t shape[2] = { c->n_var, c->n_obs };

	if (pick(c) > 220)
		shape[pick(c) & 1] = (int64_t)1 << pick(c) % 63;
	h5_put(g, "shape", HM_I64, &two, NULL, shape, &c->e);
	data(c, g, "data", HM_I32, c->n_obs, 0, 1);
	data(c, g, "indices", HM_I64, c->n_obs, 0, 0);
	data(c, g, "indptr", HM_I64, c->n_obs + 1, 0, 1);
	texts(c, g, "barcodes", c->n_obs, 0);
	if (old) {
		texts(c, g, "genes", c->n_var, 0);
		texts(c, g, "gene_names", c->n_var, 0);
	} else {
		h = h5_group(g, "features", NULL, NULL, 0, &c->e);
		texts(c, h, "id", c->n_var, 0);
		texts(c, h, "name", c->n_var, 0);
		if (pick(c) & 1)
			texts(c, h, "feature_type", c->n_var, 0);
		if (pick(c) & 1)
			texts(c, h, "genome", c->n_var, 0);
		h5_close(h);
	}
	h5_close(g);
}

static void
anndata(struct choice *c, int64_t f)
{
	int64_t g;

	matrix(c, f, "X", c->n_obs, c->n_var);
	frame(c, f, "obs", c->n_obs);
	frame(c, f, "var", c->n_var);
	box(c, f, "obsm", "X_pca", c->n_obs, 2);
	box(c, f, "varm", "PCs", c->n_var, 2);
	box(c, f, "obsp", "distances", c->n_obs, c->n_obs);
	box(c, f, "varp", "v", c->n_var, c->n_var);
	box(c, f, "layers", "counts", c->n_obs, c->n_var);
	if (pick(c) & 1) {
		g = h5_group(f, "raw", type_of(c, "raw"), "0.1.0", 0, &c->e);
		matrix(c, g, "X", c->n_obs, c->n_var + pick(c) % 3);
		frame(c, g, "var", c->n_var);
		h5_close(g);
	}
	if (pick(c) & 1) {
		g = h5_group(f, "uns", type_of(c, "dict"), "0.1.0", 0, &c->e);
		column(c, g, "a", 3);
		h5_put_text(g, "t", "text \"quoted\"\n", &c->e);
		matrix(c, g, "m", 3, 3);
		frame(c, g, "f", 2);
		box(c, g, "d", "x", 2, 2);
		h5_close(g);
	}
}

static void
build(int fd, const uint8_t *p, size_t n)
{
	struct choice c = { .p = p, .end = p + n };
	int64_t f = h5_create(fd, &c.e);

	c.n_obs = 1 + pick(&c) % 8;
	c.n_var = 1 + pick(&c) % 6;
	if (pick(&c) % 4 == 0)
		tenx(&c, f);
	else
		anndata(&c, f);
	h5_end(f, &c.e);
}
