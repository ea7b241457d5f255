/* hts_split - BCF records of several ALTs, see hts.h; and what is checked of a record from outside */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "var/hts_rec.h"
#include "var/keep.h"
#include "var/typed.h"

/* --- trust ------------------------------------------------------------------- */

/* An integer of type 1, 2 or 3 (8, 16, 32 bits), which htslib takes for signed everywhere. */
static int64_t
integer(const uint8_t *p, int type)
{
	if (type == 1)
		return (int8_t)p[0];
	if (type == 2)
		return (int16_t)(p[0] | p[1] << 8);
	return (int32_t)((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
}

/* Bytes of a typed value, its descriptor included; 0 when it reaches over end. */
static size_t
typed(const uint8_t *p, const uint8_t *end, int *type, int64_t *n)
{
	const uint8_t *v;
	size_t count = 0, k = typed_value(p, end, type, &count, &v);

	*n = (int64_t)count;
	/* Not type 4: 64 bits, which BCF 2.2 lacks. */
	return k && (*type != 4 || count == 0) ? k : 0;
}

/* A typed key that the header has under what (BCF_HL_*). */
static size_t
key(const bcf_hdr_t *h, const uint8_t *p, const uint8_t *end, int what)
{
	int type;
	int64_t n, id;
	size_t k = typed(p, end, &type, &n);

	if (!k || n != 1 || type < 1 || type > 3)
		return 0;
	id = integer(p + k - (type == 3 ? 4 : type), type);
	return id >= 0 && id < h->n[BCF_DT_ID] && h->id[BCF_DT_ID][id].key && bcf_hdr_idinfo_exists(h, what, id) ? k : 0;
}

int
hts_check(const bcf_hdr_t *h, const bcf1_t *b, struct err *e)
{
	static const uint8_t width[16] = { 0, 1, 2, 4, 0, 4, 0, 1 };
	const uint8_t *p = (const uint8_t *)b->shared.s, *end = p + b->shared.l;
	int type, ok = b->rid >= 0 && b->rid < h->n[BCF_DT_CTG] && h->id[BCF_DT_CTG][b->rid].key;
	int64_t n;
	size_t k;

	for (uint32_t i = 0; ok && i < b->n_allele + 1u; i++) {         /* ID, alleles */
		k = typed(p, end, &type, &n);
		ok = k && (type == BCF_BT_CHAR || n == 0);
		p += k;
	}
	k = ok ? typed(p, end, &type, &n) : 0;                          /* FILTER */
	ok = k && (n == 0 || (type >= 1 && type <= 3));
	for (int64_t i = 0; ok && i < n; i++) {
		const uint8_t *q = p + k - (size_t)((n - i) * width[type]);
		int64_t id = integer(q, type);

		ok = id >= 0 && id < h->n[BCF_DT_ID] && h->id[BCF_DT_ID][id].key;
	}
	p += k;
	for (uint32_t i = 0; ok && i < b->n_info; i++) {
		k = key(h, p, end, BCF_HL_INFO);
		p += k;
		ok = k && (k = typed(p, end, &type, &n)) > 0;
		p += k;
	}
	p = (const uint8_t *)b->indiv.s;
	end = p + b->indiv.l;
	ok = ok && (b->n_sample == (uint32_t)bcf_hdr_nsamples(h) || (b->n_sample == 0 && b->n_fmt == 0));
	for (uint32_t i = 0; ok && i < b->n_fmt; i++) {
		k = key(h, p, end, BCF_HL_FMT);
		p += k;
		/* The descriptor is that of one sample; the values are those of all. */
		if (!k || p >= end)
			return err_set(e, ERR_DATA, "damaged: a BCF record that does not hold together");
		type = *p & 15;
		n = *p >> 4;
		k = 1;
		if (n == 15) {
			uint8_t one[6] = { 0 };
			int64_t m;
			int t2;

			memcpy(one, p + 1, (size_t)(end - p - 1 < 5 ? end - p - 1 : 5));
			k = typed(one, one + 5, &t2, &m);
			if (k < 2 || m != 1 || t2 > 3)
				return err_set(e, ERR_DATA, "damaged: a BCF record that does not hold together");
			n = integer(one + 1, t2);
			k++;
		}
		ok = n >= 0 && (n == 0 || width[type]) && n * width[type] * (int64_t)b->n_sample <= end - p - (int64_t)k;
		p += k + (size_t)(ok ? n * width[type] * (int64_t)b->n_sample : 0);
	}
	return ok ? 0 : err_set(e, ERR_DATA, "damaged: a BCF record that does not hold together");
}

/* --- splitting --------------------------------------------------------------- */

static void
note(struct strs *whole, const char *where, const char *key_)
{
	struct str t = {0};

	str_addf(&t, "%s%s", where, key_);
	strs_add_new(whole, t.s, t.n);
	str_clear(&t);
}

/* Values of a comma-separated text. */
static char *
pick_text(const char *s, size_t n, enum hts_number number, int n_alt, int alt, int *fits)
{
	int64_t pick[KEEP_MOST];
	int m = 1, k;
	struct str t = {0};
	char *out;

	for (size_t i = 0; i < n; i++)
		m += s[i] == ',';
	k = keep_values(number, m, n_alt, alt, pick);
	*fits = k > 0;
	for (int j = 0; j < k; j++) {
		size_t at = 0, len;

		for (int v = 0; v < pick[j]; v++)
			at = (size_t)((const char *)memchr(s + at, ',', n - at) - s) + 1;
		len = memchr(s + at, ',', n - at) ? (size_t)((const char *)memchr(s + at, ',', n - at) - s) - at : n - at;
		str_addf(&t, "%s", j ? "," : "");
		str_addn(&t, s + at, len);
	}
	out = mem_strndup(t.s ? t.s : "", t.n);
	str_clear(&t);
	return out;
}

static int
is_missing(const bcf_info_t *f)
{
	return f->len == 1 && ((f->type == BCF_BT_FLOAT && bcf_float_is_missing(f->v1.f)) ||
	    (f->type == BCF_BT_INT8 && f->v1.i == bcf_int8_missing) || (f->type == BCF_BT_INT16 && f->v1.i == bcf_int16_missing) ||
	    (f->type == BCF_BT_INT32 && f->v1.i == bcf_int32_missing));
}

static void
split_info(struct hts_conv *c, int alt, struct strs *whole)
{
	bcf1_t *from = c->rec, *to = c->two;
	int64_t pick[KEEP_MOST];
	int n_alt = from->n_allele - 1, k, n;

	for (int i = 0; i < from->n_info; i++) {
		const bcf_info_t *f = &from->d.info[i];
		const char *name = bcf_hdr_int2id(c->h, BCF_DT_ID, f->key);
		enum hts_number number = hts_number_of(c->h, BCF_HL_INFO, f->key);
		int type = bcf_hdr_id2type(c->h, BCF_HL_INFO, f->key);
		uint32_t v[KEEP_MOST];

		if ((number != HTS_A && number != HTS_R && number != HTS_G) || f->len <= 0 || is_missing(f))
			continue;
		if (f->type == BCF_BT_CHAR) {
			int fits;
			char *s;

			if (f->len == 1 && f->vptr[0] == '.')
				continue;
			s = pick_text((const char *)f->vptr, (size_t)f->len, number, n_alt, alt, &fits);
			if (fits)
				bcf_update_info_string(c->h, to, name, s);
			else
				note(whole, "INFO/", name);
			mem_free(s);
			continue;
		}
		n = type == BCF_HT_INT || type == BCF_HT_REAL ? bcf_get_info_values(c->h, from, name, &c->buf, &c->n_buf, type) : 0;
		k = n > 0 ? keep_values(number, n, n_alt, alt, pick) : 0;
		for (int j = 0; j < k; j++)
			memcpy(&v[j], (uint32_t *)c->buf + pick[j], 4);
		if (k)
			bcf_update_info(c->h, to, name, v, k, type);
		else
			note(whole, "INFO/", name);
	}
}

static void
split_gt(struct hts_conv *c, int alt)
{
	int n = bcf_get_genotypes(c->h, c->rec, &c->buf, &c->n_buf);
	int32_t *g = c->buf;

	if (n <= 0)
		return;
	for (int i = 0; i < n; i++)
		if (g[i] != bcf_int32_vector_end && !bcf_gt_is_missing(g[i]))
			g[i] = (bcf_gt_allele(g[i]) == alt ? bcf_gt_unphased(1) : bcf_gt_unphased(0)) | (g[i] & 1);
	bcf_update_genotypes(c->h, c->two, g, n);
}

/* Numbers of one FORMAT field, sample by sample; rows are filled with "vector end". */
static void
split_numbers(struct hts_conv *c, const char *name, enum hts_number number, int type, int alt, struct strs *whole)
{
	int n_alt = c->rec->n_allele - 1, n_sample = c->rec->n_sample, width, most = 0, n, bad = 0, k;
	int room;
	int64_t pick[KEEP_MOST];
	uint32_t *v, *w, end_mark, missing;

	n = bcf_get_format_values(c->h, c->rec, name, &c->buf, &c->n_buf, type);
	if (n <= 0)
		return;
	width = n / n_sample;
	room = width > KEEP_MOST ? width : KEEP_MOST;
	v = c->buf;
	if (type == BCF_HT_REAL) {
		memcpy(&end_mark, &bcf_float_vector_end, 4);
		memcpy(&missing, &bcf_float_missing, 4);
	} else {
		end_mark = (uint32_t)bcf_int32_vector_end;
		missing = (uint32_t)bcf_int32_missing;
	}
	w = mem_new(uint32_t, (long long)n_sample * room);
	for (int s = 0; s < n_sample; s++) {
		uint32_t *from = v + (size_t)s * (size_t)width, *to = w + (size_t)s * (size_t)room;
		int m = 0;

		while (m < width && from[m] != end_mark)
			m++;
		if (m <= 1 && (m == 0 || from[0] == missing)) {
			k = m;
			memcpy(to, from, (size_t)m * 4);
		} else if ((k = keep_values(number, m, n_alt, alt, pick)) > 0) {
			for (int j = 0; j < k; j++)
				to[j] = from[pick[j]];
		} else {
			k = m;
			memcpy(to, from, (size_t)m * 4);
			bad = 1;
		}
		for (int j = k; j < room; j++)
			to[j] = end_mark;
		most = k > most ? k : most;
	}
	for (int s = 0; s < n_sample; s++)
		memmove(w + (size_t)s * (size_t)most, w + (size_t)s * (size_t)room, (size_t)most * 4);
	bcf_update_format(c->h, c->two, name, w, most * n_sample, type);
	if (bad)
		note(whole, "FORMAT/", name);
	mem_free(w);
}

static void
split_strings(struct hts_conv *c, const char *name, enum hts_number number, int alt, struct strs *whole)
{
	char **v = NULL;
	int n = 0, k, bad = 0, n_sample = c->rec->n_sample;
	char **w;

	k = bcf_get_format_string(c->h, c->rec, name, &v, &n);
	if (k > 0) {
		w = mem_new(char *, n_sample);
		for (int s = 0; s < n_sample; s++) {
			int fits = 1;

			w[s] = strcmp(v[s], ".") == 0 ? mem_strdup(".") : pick_text(v[s], strlen(v[s]), number, c->rec->n_allele - 1, alt, &fits);
			if (!fits) {
				mem_free(w[s]);
				w[s] = mem_strdup(v[s]);
				bad = 1;
			}
		}
		bcf_update_format_string(c->h, c->two, name, (const char **)(uintptr_t)w, n_sample);
		for (int s = 0; s < n_sample; s++)
			mem_free(w[s]);
		mem_free(w);
		if (bad)
			note(whole, "FORMAT/", name);
	}
	if (v) {
		free(v[0]);
		free(v);
	}
}

int
hts_split(struct hts_conv *c, const uint8_t *rec, size_t n, int alt, struct str *out, struct strs *whole, struct err *e)
{
	bcf1_t *b = c->rec, *two = c->two;
	const char *allele[2];

	if (hts_get(c, rec, n, e))
		return e->code;
	bcf_unpack(b, BCF_UN_ALL);
	if (!bcf_copy(two, b))
		mem_oom(n);
	bcf_unpack(two, BCF_UN_ALL);
	allele[0] = b->d.allele[0];
	allele[1] = b->d.allele[alt];
	split_info(c, alt, whole);
	for (int i = 0; i < b->n_fmt && b->n_sample > 0; i++) {
		int id = b->d.fmt[i].id, type = bcf_hdr_id2type(c->h, BCF_HL_FMT, id);
		enum hts_number number = hts_number_of(c->h, BCF_HL_FMT, id);
		int kind = b->d.fmt[i].type, numbers = kind == BCF_BT_FLOAT || (kind >= BCF_BT_INT8 && kind <= BCF_BT_INT32);
		const char *name = bcf_hdr_int2id(c->h, BCF_DT_ID, id);

		/* htslib ends the process over text, or nothing, where there should be numbers. */
		if (strcmp(name, "GT") == 0) {
			if (numbers && kind != BCF_BT_FLOAT)
				split_gt(c, alt);
		} else if (number != HTS_A && number != HTS_R && number != HTS_G) {
			continue;
		} else if (type == BCF_HT_STR) {
			split_strings(c, name, number, alt, whole);
		} else if (numbers) {
			split_numbers(c, name, number, type, alt, whole);
		} else if (b->d.fmt[i].n > 0) {
			note(whole, "FORMAT/", name);
		}
	}
	bcf_update_alleles(c->h, two, allele, 2);
	two->rlen = b->rlen;
	/* Copying brings the packed bytes in step with what was changed. */
	if (!bcf_copy(b, two))
		mem_oom(n);
	hts_put(b, out);
	return 0;
}

int
hts_tag(struct hts_conv *c, const uint8_t *rec, size_t n, const char *tag, const char *value, struct str *out, struct err *e)
{
	if (hts_get(c, rec, n, e))
		return e->code;
	bcf_unpack(c->rec, BCF_UN_ALL);
	if (bcf_update_info_string(c->h, c->rec, tag, value) < 0)
		return err_set(e, ERR_DATA, "INFO/%s cannot be written: is it declared as text?", tag);
	if (!bcf_copy(c->two, c->rec))
		mem_oom(n);
	hts_put(c->two, out);
	return 0;
}
