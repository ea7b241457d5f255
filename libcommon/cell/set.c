/* set - see set.h: opening, finding, axes and selections */
#include "cell/set.h"

#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "base/rng.h"
#include "base/sha.h"
#include "stream/codec.h"

const char *const axis_name[N_AXIS] = { "obs", "var" };

void
axis_digest(const struct strs *names, char digest[33])
{
	struct sha s;

	sha_init(&s);
	for (int64_t i = 0; i < names->n; i++) {
		uint32_t n = (uint32_t)strs_len(names, i);
		uint8_t b[4] = { (uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), (uint8_t)(n >> 24) };

		sha_add(&s, b, 4);
		sha_add(&s, strs_get(names, i), n);
	}
	sha_hex(&s, digest);
}

/* Axis number and digest of "obs:<digest>"; -1 for other axes and NULL. */
static int
parse_axis(const char *v, const char **digest)
{
	for (int a = 0; v && a < N_AXIS; a++)
		if (strncmp(v, axis_name[a], 3) == 0 && v[3] == ':') {
			*digest = v + 4;
			return a;
		}
	*digest = "";
	return -1;
}

int
set_axis_of(const struct item *it, int dim)
{
	const char *d;

	return parse_axis(head_get(&it->s->head, dim ? "axis1" : "axis0"), &d);
}

const int64_t *
set_selection(const struct set *s, const struct item *it, int dim)
{
	const char *d;
	int a = parse_axis(head_get(&it->s->head, dim ? "axis1" : "axis0"), &d);

	if (a < 0 || strcmp(d, s->axis[a].digest) == 0)
		return NULL;
	for (int i = s->n_past - 1; i >= 0; i--)
		if (s->past[i].axis == a && strcmp(s->past[i].digest, d) == 0)
			return s->past[i].keep;
	BUG_IF(1);
	return NULL;
}

int64_t
set_rows_of(const struct set *s, const struct item *it)
{
	int a = set_axis_of(it, 0);

	return a < 0 ? it->s->head.n_row : s->axis[a].n;
}

int64_t
set_cols_of(const struct set *s, const struct item *it)
{
	int a = set_axis_of(it, 1);

	return a < 0 ? it->s->head.n_col : s->axis[a].n;
}

struct item *
set_find(const struct set *s, const char *path)
{
	int64_t i = map_get(&s->at, path);

	return i < 0 || s->item[i].dropped ? NULL : &s->item[i];
}

const char *
set_twice(const struct set *s, int64_t n_item)
{
	for (int64_t i = n_item; i < s->n_item; i++) {
		const char *path = head_path(&s->item[i].s->head);

		if (map_get(&s->at, path) != i)
			return path;
	}
	return NULL;
}

void
set_drop(struct set *s, const char *path)
{
	struct item *it = set_find(s, path);

	if (it)
		it->dropped = 1;
}

struct item *
set_add_item(struct set *s, struct sect *sect, int made, int piped)
{
	set_drop(s, head_path(&sect->head));
	if ((s->n_item & (s->n_item - 1)) == 0)
		s->item = mem_renew(s->item, struct item, s->n_item ? 2 * s->n_item : 1);
	s->item[s->n_item] = (struct item){ sect, made, piped, 0, 0 };
	map_put(&s->at, head_path(&sect->head), s->n_item);     /* heads stay until the set is closed */
	return &s->item[s->n_item++];
}

static int check_axes(struct set *s, const struct sect *t, struct err *e);

/* Every rank-5 section of a pipe behind the pending one: put the pending one
 * aside and go on. */
int
set_next_pending(struct set *s, struct err *e)
{
	struct in *in = s->pipe < 0 ? NULL : &s->in[s->pipe];
	struct sect *n;

	if (e->code || !in || in->ended)
		return 0;
	for (int64_t i = 0; i < s->n_item; i++)
		if (s->item[i].pending) {
			if (!s->item[i].s->complete)
				in_spool(in, e);
			s->item[i].pending = 0;
		}
	n = in_next(in, e);
	if (n && (head_rank(&n->head) < 5 || strncmp(head_path(&n->head), "kept/", 5) == 0))
		err_set(e, ERR_DATA, "%s: damaged: %s is out of its place", in->name, head_path(&n->head));
	if (!n || check_axes(s, n, e))
		return 0;
	set_add_item(s, n, 0, 1)->pending = 1;
	return 1;
}

struct item *
set_need(const struct set *cs, const char *path, const char *hint, struct err *e)
{
	struct set *s = (struct set *)cs;       /* reading on does not change what is there */
	struct item *it;
	struct str have = {0};
	const char *slash = strchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) + 1 : 0;
	struct strs names = {0};
	const char *near;

	if (e->code)
		return NULL;
	while (!(it = set_find(s, path)) && (strcmp(path, "X") == 0 || strncmp(path, "layers/", 7) == 0))
		if (!set_next_pending(s, e))
			break;
	if (it || e->code)
		return it;
	for (int64_t i = 0; i < s->n_item && n; i++) {
		const char *p = head_path(&s->item[i].s->head);

		if (!s->item[i].dropped && strncmp(p, path, n) == 0) {
			str_addf(&have, "%s%s", have.n ? ", " : "", p + n);
			strs_add(&names, p + n, strlen(p + n));
		}
	}
	near = n ? str_nearest(path + n, &names) : NULL;
	if (near)
		err_set(e, ERR_DATA, "%s is not in the input; did you mean %s?%s%.200s", path, near, " There are: ", have.s);
	else if (hint && *hint)
		err_set(e, ERR_DATA, "%s is not in the input; %s", path, hint);
	else if (have.n)
		err_set(e, ERR_DATA, "%s is not in the input; there are: %.300s", path, have.s);
	else
		err_set(e, ERR_DATA, "%s is not in the input", path);
	str_clear(&have);
	strs_clear(&names);
	return NULL;
}

int
set_names(struct set *s, int axis, struct err *e)
{
	if (e->code || s->axis[axis].known)
		return e->code;
	return err_set(e, ERR_DATA, "the names of the %s are not in the input; name the base file before the delta",
	    axis == AXIS_OBS ? "cells" : "genes");
}

uint64_t *
set_keys(struct set *s, int axis, struct err *e)
{
	const struct strs *l = &s->axis[axis].names;
	uint64_t *key;

	if (set_names(s, axis, e))
		return NULL;
	key = mem_new(uint64_t, l->n);
	for (int64_t i = 0; i < l->n; i++)
		key[i] = rng_hash(strs_get(l, i), strs_len(l, i), 0);
	return key;
}

/* Reads a section of strings (axis, or column without selection) into l. */
static int
load_strings(struct sect *t, struct strs *l, struct err *e)
{
	struct str buf = {0}, raw = {0};

	in_heads(t, e);
	for (int64_t i = 0; i < t->n_block && !e->code; i++) {
		const struct block *b = &t->block[i];

		in_load(t, i, &buf, e);
		if (!e->code && b->codec != CODEC_PACK && codec_decode(&t->head, b, buf.s, &raw, e) == 0)
			strs_from_raw(l, b->n_row, raw.s, b->n_item, e);
	}
	strs_room(l, l->n, l->buf.n - (size_t)l->n);
	str_clear(&buf);
	str_clear(&raw);
	return e->code;
}

/* keep of a delta's axis: the column kept/obs of the same input. */
static int
load_kept(struct in *in, int axis, int64_t n, int64_t n_old, int64_t **keep, struct err *e)
{
	char path[16];
	struct str buf = {0}, raw = {0};
	int64_t at = 0;

	snprintf(path, sizeof path, "kept/%s", axis_name[axis]);
	*keep = mem_new(int64_t, n);
	for (int64_t i = 0; i < in->n; i++) {
		struct sect *t = in->sect[i];

		if (strcmp(head_path(&t->head), path) || t->head.kind != KIND_COLUMN || t->head.dtype != DT_I64 || t->head.n_row != n)
			continue;
		in_heads(t, e);
		for (int64_t b = 0; b < t->n_block && !e->code; b++) {
			if (at + t->block[b].n_row > n)         /* the path stands there twice */
				err_set(e, ERR_DATA, "damaged: %s: kept rows", path);
			if (in_load(t, b, &buf, e) || codec_decode(&t->head, &t->block[b], buf.s, &raw, e))
				break;
			memcpy(*keep + at, raw.s, raw.n);
			at += t->block[b].n_row;
		}
	}
	str_clear(&buf);
	str_clear(&raw);
	for (int64_t i = 0; i < n && !e->code; i++)
		if ((*keep)[i] < 0 || (*keep)[i] >= n_old || (i && (*keep)[i] <= (*keep)[i - 1]))
			err_set(e, ERR_DATA, "damaged: %s: kept rows", path);
	if (!e->code && at != n)
		err_set(e, ERR_DATA, "damaged: %s is missing", path);
	return e->code;
}

/* The axis gets a new digest; what was bound to the old one is read through
 * keep [n], which is copied. */
static void
step_axis(struct set *s, int axis, const char *digest, const int64_t *keep, int64_t n, int note)
{
	struct axis *a = &s->axis[axis];
	struct lineage *l;

	for (int i = 0; i < s->n_past; i++)
		if (s->past[i].axis == axis) {
			for (int64_t k = 0; k < n; k++)
				s->past[i].keep[k] = s->past[i].keep[keep[k]];
		}
	s->past = mem_renew(s->past, struct lineage, s->n_past + 1);
	l = &s->past[s->n_past++];
	l->axis = axis;
	memcpy(l->digest, a->digest, 33);
	memcpy(l->to, digest, 33);
	l->n = a->n;
	l->keep = mem_new(int64_t, n);
	if (n)
		memcpy(l->keep, keep, (size_t)n * sizeof *keep);
	if (note) {
		int64_t *k = mem_new(int64_t, n);

		for (int64_t i = 0; i < n; i++)
			k[i] = s->changed[axis] ? s->kept[axis][keep[i]] : keep[i];
		if (!s->changed[axis])
			memcpy(s->was[axis], a->digest, 33);
		mem_free(s->kept[axis]);
		s->kept[axis] = k;
		s->changed[axis] = 1;
	}
	memcpy(a->digest, digest, 33);
	a->n = n;
}

/* An axis section of an input: the first one, the same again, or a subset. */
static int
add_axis(struct set *s, struct in *in, struct sect *t, int piped, struct err *e)
{
	struct strs names = {0};
	struct axis *a;
	int64_t *keep = NULL;
	const char *of = head_get(&t->head, "of"), *said;
	char digest[33];
	int axis = strcmp(head_path(&t->head), "obs") == 0 ? AXIS_OBS : AXIS_VAR;

	if (strcmp(head_path(&t->head), axis_name[axis]))
		return err_set(e, ERR_DATA, "unknown axis %s: written by a newer version", head_path(&t->head));
	a = &s->axis[axis];
	if (load_strings(t, &names, e)) {
		strs_clear(&names);
		return e->code;
	}
	axis_digest(&names, digest);
	if (parse_axis(head_get(&t->head, "axis0"), &said) != axis || strcmp(said, digest) || head_get(&t->head, "axis1")) {
		strs_clear(&names);
		return err_set(e, ERR_DATA, "damaged: %s: the digest of the names", head_path(&t->head));
	}
	if (a->digest[0] && strcmp(a->digest, digest)) {
		if (!of || strcmp(of, a->digest))
			err_set(e, ERR_DATA, "its %s are not those of the inputs before it: it belongs to another base",
			    axis == AXIS_OBS ? "cells" : "genes");
		else if (load_kept(in, axis, names.n, a->n, &keep, e) == 0)
			step_axis(s, axis, digest, keep, names.n, piped && !s->base_piped[axis]);
		mem_free(keep);
	} else if (!a->digest[0] && of) {
		err_set(e, ERR_DATA, "is a delta that changes the %s; name its base before it", axis == AXIS_OBS ? "cells" : "genes");
	} else if (!a->digest[0]) {
		s->base_piped[axis] = piped;
		memcpy(a->digest, digest, 33);
		a->n = names.n;
	}
	if (e->code) {
		strs_clear(&names);
		return e->code;
	}
	strs_clear(&a->names);
	a->names = names;
	a->known = 1;
	set_add_item(s, t, 0, piped);
	return 0;
}

/* Checks that a section's axes are known ones, or takes them as the first. */
static int
check_axes(struct set *s, const struct sect *t, struct err *e)
{
	for (int dim = 0; dim < 2; dim++) {
		const char *d;
		int a = parse_axis(head_get(&t->head, dim ? "axis1" : "axis0"), &d);
		int64_t n = dim ? t->head.n_col : t->head.n_row, want = -1;

		if (a < 0)
			continue;
		if (strlen(d) != 32)
			return err_set(e, ERR_DATA, "damaged: %s: axis", head_path(&t->head));
		if (!s->axis[a].digest[0]) {
			memcpy(s->axis[a].digest, d, 33);
			s->axis[a].n = n;
		}
		if (strcmp(s->axis[a].digest, d) == 0)
			want = s->axis[a].n;
		for (int i = 0; i < s->n_past; i++)
			if (s->past[i].axis == a && strcmp(s->past[i].digest, d) == 0)
				want = s->past[i].n;
		if (want < 0)
			return err_set(e, ERR_DATA, "%s belongs to other %s than the inputs before it: another base, or a stale delta",
			    head_path(&t->head), a == AXIS_OBS ? "cells" : "genes");
		if (want != n)
			return err_set(e, ERR_DATA, "damaged: %s: %lld rows where its axis has %lld", head_path(&t->head),
			    (long long)n, (long long)want);
	}
	return 0;
}

static int
add_sect(struct set *s, struct in *in, struct sect *t, int piped, struct err *e)
{
	if (t->head.kind == KIND_AXIS)
		return add_axis(s, in, t, piped, e);
	if (strncmp(head_path(&t->head), "kept/", 5) == 0)
		return 0;
	if (check_axes(s, t, e) == 0)
		set_add_item(s, t, 0, piped);
	return e->code;
}

static int
add_input(struct set *s, int i, int piped, struct err *e)
{
	struct in *in = &s->in[i];
	struct sect *t = NULL;

	while (in->size < 0 && (t = in_next(in, e)) && head_rank(&t->head) < 5)
		if (t->head.payload)
			in_spool(in, e);
	for (int64_t k = 0; k < in->n && !e->code; k++)
		add_sect(s, in, in->sect[k], piped, e);
	if (!e->code && t && (s->n_item == 0 || s->item[s->n_item - 1].s != t))
		err_set(e, ERR_DATA, "damaged: %s is out of its place", head_path(&t->head));
	if (!e->code && t)
		s->item[s->n_item - 1].pending = 1;
	if (e->code && strncmp(e->msg, in->name, strlen(in->name))) {
		char msg[sizeof e->msg];

		memcpy(msg, e->msg, sizeof msg);
		snprintf(e->msg, sizeof e->msg, "%.150s: %.340s", in->name, msg);
	}
	return e->code;
}

void
set_init(struct set *s)
{
	memset(s, 0, sizeof *s);
	s->pipe = -1;
	s->made.fd = -1;
	s->made.size = -1;
	s->made.spool = &s->spool;
	s->made.name = mem_strdup("output");
}

int
set_open(struct set *s, char **path, int n, struct err *e)
{
	s->in = mem_new(struct in, n);
	for (int i = 0; i < n && !e->code; i++) {
		s->n_in = i + 1;
		if (in_open(&s->in[i], path[i], 0, &s->spool, e))
			break;
		if (s->in[i].size < 0) {
			if (s->pipe >= 0)
				return err_set(e, ERR_USAGE, "%s: only one input can be a pipe", s->in[i].name);
			s->pipe = i;
		}
		add_input(s, i, strcmp(path[i], "-") == 0, e);
	}
	s->n_open = s->n_past;
	return e->code;
}

int
set_finish(struct set *s, struct err *e)
{
	struct in *in = s->pipe < 0 ? NULL : &s->in[s->pipe];
	struct str buf = {0};
	struct block b;

	while (in && !e->code && !in->ended) {
		while (in->open && in_block(in, &b, e))
			in_take(in, &b, &buf, e);
		if (!e->code)
			in_next(in, e);
	}
	str_clear(&buf);
	return e->code;
}

int
set_subset(struct set *s, int axis, const int64_t *keep, int64_t n, struct err *e)
{
	struct axis *a = &s->axis[axis];
	struct strs names = {0};
	char digest[33];
	size_t bytes = 0;

	if (set_names(s, axis, e) || n == a->n)
		return e->code;
	for (int64_t i = 0; i < n; i++) {
		BUG_IF(keep[i] < 0 || keep[i] >= a->n || (i && keep[i] <= keep[i - 1]));
		bytes += strs_len(&a->names, keep[i]);
	}
	strs_room(&names, n, bytes);
	for (int64_t i = 0; i < n; i++)
		strs_add(&names, strs_get(&a->names, keep[i]), strs_len(&a->names, keep[i]));
	axis_digest(&names, digest);
	step_axis(s, axis, digest, keep, n, !s->base_piped[axis]);
	set_put_axis(s, axis, &names, e);
	return e->code;
}

void
set_close(struct set *s)
{
	for (int a = 0; a < N_AXIS; a++) {
		strs_clear(&s->axis[a].names);
		mem_free(s->kept[a]);
	}
	for (int i = 0; i < s->n_past; i++)
		mem_free(s->past[i].keep);
	mem_free(s->past);
	for (int i = 0; i < s->n_in; i++)
		in_close(&s->in[i]);
	mem_free(s->in);
	in_close(&s->made);
	spool_clear(&s->spool);
	mem_free(s->item);
	map_clear(&s->at);
	memset(s, 0, sizeof *s);
}
