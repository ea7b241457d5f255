/* sites_head - the header of a sites file as text: declarations, contigs, which release it is
 *
 * Headers in the wild break the rules (quotes inside of Descriptions, fields that nobody declares), so
 * lines are taken apart here by what is certain: ID, Number and Type stand in front of the Description,
 * which ends with the last quote that a field or the end of the line follows.
 */
#include "var/sites.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "var/alias.h"
#include "var/sites_impl.h"

/* Value of KEY= in a line's <...>, before any quote: a copy, or NULL. */
static char *
plain_value(const char *s, const char *end, const char *key)
{
	size_t k = strlen(key);
	const char *quote = memchr(s, '"', (size_t)(end - s)), *stop = quote ? quote : end;

	for (const char *p = s; p + k < stop; p++) {
		const char *q = p + k + 1;

		if ((p[-1] != '<' && p[-1] != ',') || memcmp(p, key, k) || p[k] != '=')
			continue;
		while (q < stop && *q != ',' && *q != '>')
			q++;
		return mem_strndup(p + k + 1, (size_t)(q - (p + k + 1)));
	}
	return NULL;
}

/* Whether what follows a quote ends the line's <...>, or is another KEY=. */
static int
closes(const char *p, const char *end)
{
	if (p >= end)
		return 1;
	if (*p == '>')
		return p + 1 >= end || (p + 2 == end && p[1] == '\r');
	if (*p++ != ',')
		return 0;
	if (p >= end || !((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z')))
		return 0;
	while (p < end && ((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') || *p == '_' || (*p >= '0' && *p <= '9')))
		p++;
	return p < end && *p == '=';
}

static char *
description(const char *s, const char *end)
{
	static const char mark[] = "Description=";
	const char *p = memmem(s, (size_t)(end - s), mark, sizeof mark - 1), *q;

	if (!p)
		return mem_strdup("");
	p += sizeof mark - 1;
	if (p == end || *p != '"') {
		for (q = p; q < end && *q != '>'; q++)
			;
		return mem_strndup(p, (size_t)(q - p));
	}
	for (q = ++p; q < end; q++)
		if (*q == '"' && closes(q + 1, end))
			break;
	return mem_strndup(p, (size_t)(q - p));
}

/* seen: those that there are already, by ID.  Here and below room doubles where it is full. */
static void
add_info(struct sites_head *h, struct map *seen, const char *s, const char *end)
{
	struct sites_info *i;
	char *id = plain_value(s, end, "ID");

	if (!id || map_get(seen, id) >= 0) {
		mem_free(id);
		return;
	}
	if ((h->n_info & (h->n_info - 1)) == 0)
		h->info = mem_renew(h->info, struct sites_info, h->n_info ? 2 * (int64_t)h->n_info : 1);
	map_put(seen, id, h->n_info);
	i = &h->info[h->n_info++];
	i->id = id;
	i->number = plain_value(s, end, "Number");
	i->type = plain_value(s, end, "Type");
	i->desc = description(s, end);
	if (!i->number)
		i->number = mem_strdup(".");
	if (!i->type)
		i->type = mem_strdup("String");
}

static void
add_contig(struct sites_head *h, const char *s, const char *end)
{
	char *id = plain_value(s, end, "ID"), *length = plain_value(s, end, "length"), *stop;
	int64_t n = -1;

	if (!id)
		goto out;
	if (length) {
		n = strtoll(length, &stop, 10);
		if (*stop || n <= 0)
			n = -1;
	}
	strs_add(&h->contig, id, strlen(id));
	if ((h->contig.n & (h->contig.n - 1)) == 0)
		h->contig_length = mem_renew(h->contig_length, int64_t, 2 * h->contig.n);
	h->contig_length[h->contig.n - 1] = n;
out:
	mem_free(id);
	mem_free(length);
}

/* Of contigs that are declared twice the first counts. */
static void
single_contigs(struct sites_head *h)
{
	struct map at = {0};
	struct strs all = {0};
	int64_t n = 0;

	if (map_of(&at, &h->contig) >= 0) {
		for (int64_t i = 0; i < h->contig.n; i++) {
			if (map_get(&at, strs_get(&h->contig, i)) != i)
				continue;
			h->contig_length[n++] = h->contig_length[i];
			strs_add(&all, strs_get(&h->contig, i), strs_len(&h->contig, i));
		}
		map_clear(&at);
		strs_clear(&h->contig);
		h->contig = all;
		return;
	}
	map_clear(&at);
}

const struct sites_info *
sites_info(const struct sites_head *h, const char *id)
{
	for (int i = 0; i < h->n_info; i++)
		if (strcmp(h->info[i].id, id) == 0)
			return &h->info[i];
	return NULL;
}

/* --- the build --------------------------------------------------------------- */

static const char *
contig_of(const void *ctx, int i, size_t *n, int64_t *length)
{
	const struct sites_head *h = ctx;

	*n = strs_len(&h->contig, i);
	*length = h->contig_length[i];
	return strs_get(&h->contig, i);
}

/* A line of ##contig or ##reference that names an assembly. */
static const char *
build_of_line(const char *s, const char *end)
{
	static const struct { const char *text, *build; } known[] = {
		{ "GRCh37", "GRCh37" }, { "hg19", "GRCh37" }, { "b37", "GRCh37" }, { "hs37", "GRCh37" }, { "GRCh38", "GRCh38" }, { "hg38", "GRCh38" },
		{ "hs38", "GRCh38" }
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (memmem(s, (size_t)(end - s), known[i].text, strlen(known[i].text)))
			return known[i].build;
	return NULL;
}

/* --- the release ------------------------------------------------------------- */

/* By INFO names alone: file names and free lines of the header say little that is certain.
 *   joint    frequencies of the union only under *_joint
 *   v4       grpmax and fafmax; 4.0 carries the joint frequencies, too.  Exomes have the subset non_ukb
 *   v3.1     popmax, and the Amish, whom v2 does not have
 *   v2.1     popmax and subsets as prefixes; exomes have South Asians, genomes do not
 *   chrM     counts of homoplasmic and heteroplasmic carriers, with haplogroups */
static const char *
release(const struct sites_head *h)
{
#define HAS(id) (sites_info(h, id) != NULL)
	if (HAS("AF_joint") && !HAS("AF") && (HAS("AF_exomes") || HAS("AF_genomes") || HAS("AF_grpmax_joint")))
		return "gnomAD v4.1 joint";
	if (HAS("grpmax") && HAS("AF_grpmax") && (HAS("fafmax_faf95_max") || HAS("AC_ami") || HAS("AC_non_ukb"))) {
		int exomes = HAS("AC_non_ukb") || HAS("fail_interval_qc") || HAS("outside_broad_capture_region");

		if (HAS("AC_joint"))
			return exomes ? "gnomAD v4.0 exomes" : "gnomAD v4.0 genomes";
		return exomes ? "gnomAD v4.1 exomes" : "gnomAD v4.1 genomes";
	}
	if (HAS("popmax") && (HAS("AC_ami") || HAS("AC-ami") || HAS("faf95_popmax")))
		return "gnomAD v3.1 genomes";
	if (HAS("popmax") && HAS("AF_popmax") && HAS("AC_oth"))
		return HAS("AC_sas") ? "gnomAD v2.1 exomes" : "gnomAD v2.1 genomes";
	if (HAS("AF_hom") && HAS("AF_het") && HAS("AC_hom") && HAS("AC_het") && (HAS("hap_AN") || HAS("max_hl")))
		return "gnomAD v3.1 chrM";
	return "";
#undef HAS
}

int
sites_head_read(struct sites_head *h, const char *text, size_t n, struct err *e)
{
	const char *end = text + n, *named = NULL;
	struct map seen = {0};
	int build;

	memset(h, 0, sizeof *h);
	if (e->code)
		return e->code;
	for (const char *p = text, *nl; p < end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		nl = nl ? nl : end;
		if (nl - p > 8 && memcmp(p, "##INFO=<", 8) == 0)
			add_info(h, &seen, p + 8, nl);
		if (nl - p > 10 && memcmp(p, "##contig=<", 10) == 0) {
			add_contig(h, p + 10, nl);
			named = named ? named : build_of_line(p, nl);
		}
		if (nl - p > 12 && memcmp(p, "##reference=", 12) == 0)
			named = build_of_line(p, nl) ? build_of_line(p, nl) : named;
	}
	map_clear(&seen);
	single_contigs(h);
	h->release = mem_strdup(release(h));
	build = alias_build(contig_of, h, (int)h->contig.n);
	if (build)
		named = build == 37 ? "GRCh37" : "GRCh38";
	else if (!named && *h->release)
		named = strncmp(h->release, "gnomAD v2", 9) == 0 ? "GRCh37" : "GRCh38";
	h->build = mem_strdup(named ? named : "");
	return 0;
}

void
sites_head_clear(struct sites_head *h)
{
	for (int i = 0; i < h->n_info; i++) {
		mem_free(h->info[i].id);
		mem_free(h->info[i].number);
		mem_free(h->info[i].type);
		mem_free(h->info[i].desc);
	}
	mem_free(h->info);
	mem_free(h->release);
	mem_free(h->build);
	mem_free(h->contig_length);
	strs_clear(&h->contig);
	memset(h, 0, sizeof *h);
}
