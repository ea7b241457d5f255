/* h5ad_uns - uns of an .h5ad: the set's own text, provenance, and what others look for */
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "io/h5_impl.h"

json_t *
h5_out_json(struct set *s, const char *path, struct err *e)
{
	struct str t = {0};
	json_t *j = NULL;

	if (set_text(s, path, &t, e) == 0) {
		j = json_loadb(t.s ? t.s : "", t.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		if (!j)
			j = json_string(t.s ? t.s : "");
	}
	str_clear(&t);
	return j;
}

/* Whole texts under a prefix as one object {name: text}. */
static json_t *
gather_log(struct set *s, struct err *e)
{
	json_t *j = json_object();

	for (int64_t i = 0; i < s->n_item && !e->code; i++) {
		const char *path = head_path(&s->item[i].s->head);
		struct str t = {0};
		json_t *v;

		if (s->item[i].dropped || strncmp(path, "log/", 4) || s->item[i].s->head.kind != KIND_TEXT)
			continue;
		if (set_text(s, path, &t, e) == 0 && (v = json_string(t.s ? t.s : "")))
			json_object_set_new(j, path + 4, v);
		str_clear(&t);
	}
	return j;
}

/* Scanpy finds obsp/connectivities only through uns/neighbors. */
static void
complete_neighbors(struct h5_out *t, json_t *uns)
{
	json_t *n = json_object_get(uns, "neighbors");

	if (!set_find(t->set, "obsp/connectivities"))
		return;
	if (!json_is_object(n)) {
		json_object_set_new(uns, "neighbors", json_object());
		n = json_object_get(uns, "neighbors");
	}
	if (!json_object_get(n, "connectivities_key"))
		json_object_set_new(n, "connectivities_key", json_string("connectivities"));
	if (!json_object_get(n, "distances_key"))
		json_object_set_new(n, "distances_key", json_string("distances"));
	if (!json_object_get(n, "params"))
		json_object_set_new(n, "params", json_pack("{s:s}", "method", "umap"));
}

/* Options of a log text as {name: value}; NULL when it is not of that tool. */
static json_t *
log_options(const char *text, const char *tool)
{
	size_t n = strlen(tool);
	json_t *j;

	if (strncmp(text, "tool=", 5) || strncmp(text + 5, tool, n) || text[5 + n] != '\n')
		return NULL;
	j = json_object();
	for (const char *p = strchr(text, '\n'); p && p[1]; p = strchr(p + 1, '\n')) {
		const char *eq = strchr(p + 1, '='), *end = strchr(p + 1, '\n');
		char key[100];

		if (!eq || (end && eq > end) || eq - p > 99 || strncmp(p + 1, "read=", 5) == 0)
			continue;
		snprintf(key, sizeof key, "%.*s", (int)(eq - p - 1), p + 1);
		json_object_set_new(j, key, json_stringn(eq + 1, end ? (size_t)(end - eq - 1) : strlen(eq + 1)));
	}
	return j;
}

/* OmicVerse's record of steps done, from the log. */
static void
add_status(json_t *uns, const json_t *log)
{
	static const struct { const char *step, *tool; } step[] = {
		{ "qc", "ovx-qc" }, { "preprocess", "ovx-normalize" }, { "scaled", "ovx-scale" }, { "pca", "ovx-pca" },
		{ "cell_cycle", "ovx-score" }, { "harmony", "ovx-harmony" }, { "scVI", "ovx-scvi" }, { "eval_bench", "ovx-scib" },
		{ "eval_clusters", "ovx-cluster" }
	};
	json_t *status = json_object(), *args = json_object();

	for (size_t i = 0; i < sizeof step / sizeof *step; i++) {
		json_t *done = NULL;

		for (void *it = json_object_iter((json_t *)log); it && !done; it = json_object_iter_next((json_t *)log, it))
			done = log_options(json_string_value(json_object_iter_value(it)), step[i].tool);
		json_object_set_new(status, step[i].step, json_boolean(done != NULL));
		if (done)
			json_object_set_new(args, step[i].step, done);
	}
	if (!json_object_get(uns, "status"))
		json_object_set(uns, "status", status);
	if (!json_object_get(uns, "status_args"))
		json_object_set(uns, "status_args", args);
	json_decref(status);
	json_decref(args);
}

int
h5_out_uns(struct h5_out *t, struct err *e)
{
	struct set *s = t->set;
	json_t *uns, *log;
	int64_t g;

	if (e->code)
		return e->code;
	uns = json_object();
	for (int64_t i = 0; i < s->n_item && !e->code; i++) {
		const char *path = head_path(&s->item[i].s->head);
		json_t *j;

		if (s->item[i].dropped || strncmp(path, "uns/", 4) || s->item[i].s->head.kind != KIND_TEXT)
			continue;
		j = h5_out_json(s, path, e);
		if (j && json_object_set_new(uns, path + 4, j))
			h5_out_note(t, "%.200s is not written: it is not UTF-8", path);
	}
	log = gather_log(s, e);
	if (json_object_size(log))
		json_object_set(uns, "ovx_log", log);
	if (t->lognorm && !json_object_get(uns, "log1p")) {
		json_t *log1p = json_object();

		/* scanpy 1.9 fails without a base; e is what every version takes to mean ln. */
		json_object_set_new(log1p, "base", json_real(2.718281828459045));
		json_object_set_new(uns, "log1p", log1p);
	}
	complete_neighbors(t, uns);
	if (t->opt->omicverse)
		add_status(uns, log);
	g = h5_group(t->file, "uns", "dict", "0.1.0", 0, e);
	for (void *it = json_object_iter(uns); it && !e->code; it = json_object_iter_next(uns, it))
		h5_json_write(g, json_object_iter_key(it), json_object_iter_value(it), t->opt->note, e);
	h5_close(g);
	json_decref(log);
	json_decref(uns);
	return e->code;
}
