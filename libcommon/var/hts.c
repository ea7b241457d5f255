/* hts - see hts.h */
#include "var/hts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <htslib/hts.h>
#include <htslib/kstring.h>
#include <htslib/tbx.h>
#include <htslib/vcf.h>
#include "base/mem.h"
#include "var/hts_rec.h"
#include "var/typed.h"

/* --- headers ----------------------------------------------------------------- */

struct hts_head *
hts_head_read(const char *text, size_t n, struct err *e)
{
	struct hts_head *h;
	char *copy;
	size_t k = 0;

	if (e->code)
		return NULL;
	hts_set_log_level(HTS_LOG_OFF);
	copy = mem_strndup(text, n);
	for (size_t i = 0; i < n; i++)
		if (text[i] != '\r')
			copy[k++] = text[i];
	copy[k] = 0;
	h = mem_new(struct hts_head, 1);
	h->h = bcf_hdr_init("r");
	if (!h->h || bcf_hdr_parse(h->h, copy) < 0) {
		err_set(e, ERR_DATA, "the header is no VCF header that htslib can read");
		hts_head_free(h);
		h = NULL;
	}
	mem_free(copy);
	return h;
}

void
hts_head_free(struct hts_head *h)
{
	if (!h)
		return;
	if (h->h)
		bcf_hdr_destroy(h->h);
	mem_free(h);
}

int
hts_head_line(struct hts_head *h, const char *line, struct err *e)
{
	if (!e->code && bcf_hdr_append(h->h, line) < 0)
		err_set(e, ERR_DATA, "the header does not take the line %s", line);
	return e->code;
}

int
hts_head_sync(struct hts_head *h, struct err *e)
{
	if (!e->code && bcf_hdr_sync(h->h) < 0)
		err_set(e, ERR_DATA, "the header does not take more lines");
	return e->code;
}

int
hts_head_bcf(const struct hts_head *h, struct str *out, struct err *e)
{
	kstring_t k = {0, 0, NULL};
	uint8_t len[4];

	if (bcf_hdr_format(h->h, 1, &k) < 0)
		return err_set(e, ERR_DATA, "the header cannot be written");
	str_addn(out, "BCF\2\2", 5);
	typed_put32(len, (uint32_t)k.l + 1);
	str_addn(out, len, 4);
	str_addn(out, k.s, k.l + 1);
	free(k.s);
	return 0;
}

int
hts_contig(const struct hts_head *h, const char *name)
{
	return bcf_hdr_name2id(h->h, name);
}

int
hts_contigs(const struct hts_head *h)
{
	return h->h->n[BCF_DT_CTG];
}

const char *
hts_contig_name(const struct hts_head *h, int i)
{
	return i >= 0 && i < h->h->n[BCF_DT_CTG] ? h->h->id[BCF_DT_CTG][i].key : NULL;
}

int64_t
hts_contig_length(const struct hts_head *h, int i)
{
	const bcf_idpair_t *p;

	if (i < 0 || i >= h->h->n[BCF_DT_CTG])
		return -1;
	p = &h->h->id[BCF_DT_CTG][i];
	return p->val && p->val->info[0] > 0 ? (int64_t)p->val->info[0] : -1;
}

int
hts_key_id(const struct hts_head *h, const char *name)
{
	return bcf_hdr_id2int(h->h, BCF_DT_ID, name);
}

enum hts_number
hts_number_of(const bcf_hdr_t *h, int type, int id)
{
	switch (bcf_hdr_id2length(h, type, id)) {
	case BCF_VL_A:
		return HTS_A;
	case BCF_VL_R:
		return HTS_R;
	case BCF_VL_G:
		return HTS_G;
	case BCF_VL_FIXED:
		return HTS_FIXED;
	default:
		return HTS_VARIES;
	}
}

enum hts_number
hts_number(const struct hts_head *h, enum hts_where where, const char *key)
{
	int id = bcf_hdr_id2int(h->h, BCF_DT_ID, key), type = where == HTS_INFO ? BCF_HL_INFO : BCF_HL_FMT;

	if (id < 0 || !bcf_hdr_idinfo_exists(h->h, type, id))
		return HTS_UNDECLARED;
	return hts_number_of(h->h, type, id);
}

/* --- records ----------------------------------------------------------------- */

struct hts_conv *
hts_conv(const struct hts_head *h, struct err *e)
{
	struct hts_conv *c = mem_new(struct hts_conv, 1);

	/* htslib writes what it does not know into the header that it parses with. */
	c->h = bcf_hdr_dup(h->h);
	c->rec = bcf_init();
	c->two = bcf_init();
	if (!c->h || !c->rec || !c->two) {
		err_set(e, ERR_DATA, "the header cannot be copied");
		hts_conv_free(c);
		return NULL;
	}
	c->n_id = c->h->n[BCF_DT_ID];
	c->n_contig = c->h->n[BCF_DT_CTG];
	return c;
}

void
hts_conv_free(struct hts_conv *c)
{
	if (!c)
		return;
	if (c->h)
		bcf_hdr_destroy(c->h);
	if (c->rec)
		bcf_destroy(c->rec);
	if (c->two)
		bcf_destroy(c->two);
	free(c->line.s);
	free(c->buf);
	free(c->buf2);
	mem_free(c);
}

void
hts_put(const bcf1_t *b, struct str *out)
{
	uint8_t x[32];
	uint32_t qual;

	memcpy(&qual, &b->qual, 4);
	typed_put32(x, (uint32_t)b->shared.l + 24);
	typed_put32(x + 4, (uint32_t)b->indiv.l);
	typed_put32(x + 8, (uint32_t)b->rid);
	typed_put32(x + 12, (uint32_t)b->pos);
	typed_put32(x + 16, (uint32_t)b->rlen);
	typed_put32(x + 20, qual);
	typed_put32(x + 24, (uint32_t)b->n_allele << 16 | b->n_info);
	typed_put32(x + 28, (uint32_t)b->n_fmt << 24 | b->n_sample);
	str_addn(out, x, sizeof x);
	str_addn(out, b->shared.s, b->shared.l);
	str_addn(out, b->indiv.s, b->indiv.l);
}

int
hts_to_bcf(struct hts_conv *c, const char *line, size_t n, struct str *out, struct err *e)
{
	int bad, tabs = 0;

	if (n && line[n - 1] == '\r')
		n--;
	if (memchr(line, 0, n))
		return err_set(e, ERR_DATA, "a NUL byte among the records: the input is damaged");
	/* htslib takes a line that ends early, and makes a record of it that it cannot read. */
	for (const char *p = line; tabs < 7 && (p = memchr(p, '\t', n - (size_t)(p - line))); p++)
		tabs++;
	if (tabs < 7)
		return err_set(e, ERR_DATA, "not a VCF record (it ends before INFO): '%.*s'", (int)(n < 60 ? n : 60), line);
	c->line.l = 0;
	if (kputsn(line, n, &c->line) < 0)
		mem_oom(n);
	bad = vcf_parse(&c->line, c->h, c->rec);
	if (c->h->n[BCF_DT_ID] > c->n_id)
		return err_set(e, ERR_DATA, "'%s' is not declared in the header, which BCF needs; declare it (bcftools annotate -h), or write VCF",
		    c->h->id[BCF_DT_ID][c->n_id].key);
	if (c->h->n[BCF_DT_CTG] > c->n_contig)
		return err_set(e, ERR_DATA, "contig '%s' is neither declared in the header nor in the reference, which BCF needs; write VCF",
		    c->h->id[BCF_DT_CTG][c->n_contig].key);
	if (bad || c->rec->errcode)
		return err_set(e, ERR_DATA, "not a VCF record that BCF can hold: '%.*s'", (int)(n < 60 ? n : 60), line);
	if (c->rec->pos > INT32_MAX - 1 || c->rec->rlen > INT32_MAX || c->rec->pos + c->rec->rlen > INT32_MAX)
		return err_set(e, ERR_DATA, "position %lld is beyond what BCF can hold; write VCF", (long long)c->rec->pos + 1);
	hts_put(c->rec, out);
	return 0;
}

int
hts_get(struct hts_conv *c, const uint8_t *rec, size_t n, struct err *e)
{
	bcf1_t *b = c->rec;
	uint32_t shared, indiv, qual;

	if (n < 32 || (shared = typed_get32(rec)) < 24 || (indiv = typed_get32(rec + 4)) != n - 8 - shared || shared > n - 8)
		return err_set(e, ERR_DATA, "damaged: a BCF record of impossible size");
	bcf_clear(b);
	b->rid = (int32_t)typed_get32(rec + 8);
	b->pos = (int32_t)typed_get32(rec + 12);
	b->rlen = (int32_t)typed_get32(rec + 16);
	qual = typed_get32(rec + 20);
	memcpy(&b->qual, &qual, 4);
	b->n_allele = typed_get32(rec + 24) >> 16;
	b->n_info = typed_get32(rec + 24) & 0xffff;
	b->n_fmt = typed_get32(rec + 28) >> 24;
	b->n_sample = typed_get32(rec + 28) & 0xffffff;
	b->shared.l = b->indiv.l = 0;
	if (kputsn((const char *)rec + 32, shared - 24, &b->shared) < 0 || kputsn((const char *)rec + 8 + shared, indiv, &b->indiv) < 0)
		mem_oom(n);
	return hts_check(c->h, b, e);
}

int
hts_to_text(struct hts_conv *c, const uint8_t *rec, size_t n, struct str *out, struct err *e)
{
	if (hts_get(c, rec, n, e))
		return e->code;
	c->line.l = 0;
	if (vcf_format(c->h, c->rec, &c->line) < 0)
		return err_set(e, ERR_DATA, "damaged: a BCF record that cannot be printed");
	str_addn(out, c->line.s, c->line.l);
	return 0;
}

void
hts_alleles(const uint8_t *rec, size_t n, struct str *out)
{
	const uint8_t *p = rec + 32, *end, *s;
	size_t k;
	uint32_t n_allele;

	if (n < 32)
		return;
	end = rec + 8 + typed_get32(rec);
	n_allele = typed_get32(rec + 24) >> 16;
	p = typed_text(p, end, &s, &k);          /* ID */
	for (uint32_t i = 0; p && i < n_allele; i++) {
		p = typed_text(p, end, &s, &k);
		if (p)
			str_addn(out, s, k);
		str_addn(out, "\t", 1);
	}
}

int64_t
hts_rlen(const uint8_t *rec, size_t n)
{
	return n < 20 ? 1 : (int32_t)typed_get32(rec + 16);
}

/* --- indexes ----------------------------------------------------------------- */

struct hts_index {
	hts_idx_t *idx;
	int bcf, csi;
	const struct hts_head *h;
	struct strs names;
	struct map find;                /* names in the index; keys are its own */
	struct str name, temp;          /* of the file, and as long as it is not whole */
};

struct hts_index *
hts_index(const struct hts_head *h, int bcf, int csi, uint64_t offset0, struct err *e)
{
	struct hts_index *x;
	int64_t most = 0;
	int levels = 5, n = hts_contigs(h);

	if (e->code)
		return NULL;
	for (int i = 0; i < n; i++) {
		int64_t length = hts_contig_length(h, i);

		if (length < 0 && most < (int64_t)1 << 29)
			most = (int64_t)1 << 29;        /* who knows: what a .tbi can do */
		most = length > most ? length : most;
	}
	if (csi) {
		most = most ? most + 256 : (int64_t)1 << 31;
		for (levels = 0; (int64_t)1 << (14 + 3 * levels) < most; levels++)
			;
	} else if (most > 1 << 29) {
		err_set(e, ERR_USAGE, "a contig is longer than a .tbi can index; leave out --tbi");
		return NULL;
	}
	x = mem_new(struct hts_index, 1);
	x->h = h;
	x->bcf = bcf;
	x->csi = csi;
	x->idx = hts_idx_init(bcf ? n : 0, csi ? HTS_FMT_CSI : HTS_FMT_TBI, offset0, 14, levels);
	if (!x->idx)
		mem_oom(1 << 20);
	return x;
}

int
hts_index_contig(struct hts_index *x, const char *name)
{
	if (x->bcf)
		return hts_contig(x->h, name);
	if (map_get(&x->find, name) >= 0)
		return (int)map_get(&x->find, name);
	map_put(&x->find, mem_strdup(name), x->names.n);
	strs_add(&x->names, name, strlen(name));
	return (int)x->names.n - 1;
}

int
hts_index_add(struct hts_index *x, int contig, int64_t beg, int64_t end, uint64_t offset, struct err *e)
{
	if (!e->code && hts_idx_push(x->idx, contig, beg < 0 ? 0 : beg, end > beg ? end : beg + 1, offset, 1) < 0)
		err_set(e, ERR_DATA, "position %lld cannot be indexed: %s", (long long)beg + 1,
		    x->csi ? "the records are not sorted" : "the records are not sorted, or it is too large for a .tbi; leave out --tbi");
	return e->code;
}

/* What a .tbi and a VCF's .csi say about columns and contigs. */
static int
set_meta(struct hts_index *x)
{
	struct str t = {0};
	uint8_t head[28];
	const uint32_t v[7] = { TBX_VCF, 1, 2, 0, '#', 0, (uint32_t)x->names.buf.n };
	int bad;

	for (int i = 0; i < 7; i++)
		typed_put32(head + 4 * i, v[i]);
	str_addn(&t, head, sizeof head);
	for (int64_t i = 0; i < x->names.n; i++)
		str_addn(&t, strs_get(&x->names, i), strs_len(&x->names, i) + 1);
	typed_put32((uint8_t *)t.s + 24, (uint32_t)t.n - 28);
	bad = hts_idx_set_meta(x->idx, (uint32_t)t.n, (uint8_t *)t.s, 1);
	str_clear(&t);
	return bad;
}

int
hts_index_write(struct hts_index *x, uint64_t offset, const char *path, struct err *e)
{
	if (e->code)
		return e->code;
	str_addf(&x->name, "%s.%s", path, x->csi ? "csi" : "tbi");
	str_addf(&x->temp, "%s.part", x->name.s);
	if (hts_idx_finish(x->idx, offset) < 0 || (!x->bcf && set_meta(x) < 0) ||
	    hts_idx_save_as(x->idx, NULL, x->temp.s, x->csi ? HTS_FMT_CSI : HTS_FMT_TBI) < 0)
		err_errno(e, "%s", x->temp.s);
	if (e->code)
		unlink(x->temp.s);
	return e->code;
}

int
hts_index_commit(struct hts_index *x, struct err *e)
{
	if (!e->code && rename(x->temp.s, x->name.s))
		err_errno(e, "%s", x->name.s);
	hts_index_drop(x);
	return e->code;
}

void
hts_index_drop(const struct hts_index *x)
{
	if (x->temp.s)
		unlink(x->temp.s);
}

void
hts_index_free(struct hts_index *x)
{
	if (!x)
		return;
	hts_idx_destroy(x->idx);
	strs_clear(&x->names);
	for (int64_t i = 0; i < x->find.cap; i++)
		mem_free((void *)(uintptr_t)x->find.key[i]);
	map_clear(&x->find);
	str_clear(&x->name);
	str_clear(&x->temp);
	mem_free(x);
}

/* --- looking regions up ------------------------------------------------------- */

struct hts_lookup {
	hts_idx_t *idx;                 /* BCF */
	tbx_t *tbx;                     /* text */
	const struct hts_head *h;
};

struct hts_lookup *
hts_lookup(const char *path, int bcf, const struct hts_head *h)
{
	struct hts_lookup *l;
	struct stat file, index;
	struct str name = {0};

	str_addf(&name, "%s.csi", path);
	if (!bcf && stat(name.s, &index)) {
		name.n = 0;
		str_addf(&name, "%s.tbi", path);
	}
	/* One that is older belongs to what the file was before. */
	if (stat(path, &file) || stat(name.s, &index) || index.st_mtim.tv_sec < file.st_mtim.tv_sec ||
	    (index.st_mtim.tv_sec == file.st_mtim.tv_sec && index.st_mtim.tv_nsec < file.st_mtim.tv_nsec)) {
		str_clear(&name);
		return NULL;
	}
	l = mem_new(struct hts_lookup, 1);
	hts_set_log_level(HTS_LOG_OFF);
	l->h = h;
	if (bcf)
		l->idx = hts_idx_load3(path, name.s, HTS_FMT_CSI, HTS_IDX_SILENT_FAIL);
	else
		l->tbx = tbx_index_load3(path, name.s, HTS_IDX_SILENT_FAIL);
	str_clear(&name);
	if (!l->idx && !l->tbx) {
		mem_free(l);
		return NULL;
	}
	return l;
}

void
hts_lookup_add(const struct hts_lookup *l, const char *contig, int64_t beg, int64_t end, struct hts_span **span, int64_t *n)
{
	int tid = l->tbx ? tbx_name2id(l->tbx, contig) : hts_contig(l->h, contig);
	hts_itr_t *it;

	if (tid < 0)
		return;
	it = l->tbx ? tbx_itr_queryi(l->tbx, tid, beg, end) : bcf_itr_queryi(l->idx, tid, beg, end);
	for (int i = 0; it && i < it->n_off; i++) {
		*span = mem_renew(*span, struct hts_span, *n + 1);
		(*span)[(*n)++] = (struct hts_span){ it->off[i].u, it->off[i].v };
	}
	if (it)
		hts_itr_destroy(it);
}

void
hts_lookup_names(const struct hts_lookup *l, struct strs *names)
{
	int n = 0;
	const char **name = l->tbx ? tbx_seqnames(l->tbx, &n) : NULL;

	for (int i = 0; i < n; i++)
		strs_add(names, name[i], strlen(name[i]));
	free(name);
}

void
hts_lookup_free(struct hts_lookup *l)
{
	if (!l)
		return;
	if (l->idx)
		hts_idx_destroy(l->idx);
	if (l->tbx)
		tbx_destroy(l->tbx);
	mem_free(l);
}
