/* vcf - fuzz target: VCF text, as it is or compressed, through the filter of variants
 *
 * Input: three bytes of control (wrapping, options twice), then VCF.
 */
#include "variants.h"

/* Lines of the output are in order, each contig in one piece. */
static void
check_lines(const struct run *r)
{
	struct strs seen = {0};
	const char *p = r->out.s, *end = p + r->out.n;
	int64_t n = 0, last = -1;

	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p)), *tab;
		long long pos;

		MUST(nl != NULL);
		if (*p == '#' && n == 0) {
			p = nl + 1;
			continue;
		}
		tab = memchr(p, '\t', (size_t)(nl - p));
		MUST(tab != NULL);
		if (!seen.n || strs_len(&seen, seen.n - 1) != (size_t)(tab - p) || memcmp(strs_get(&seen, seen.n - 1), p, (size_t)(tab - p))) {
			for (int64_t i = 0; i < seen.n && !r->so.unsorted; i++)
				MUST(strs_len(&seen, i) != (size_t)(tab - p) || memcmp(strs_get(&seen, i), p, (size_t)(tab - p)));
			strs_add(&seen, p, (size_t)(tab - p));
			last = -1;
		}
		pos = strtoll(tab + 1, NULL, 10);
		MUST(pos >= last || r->so.unsorted);
		last = pos;
		n++;
		p = nl + 1;
	}
	MUST(n == r->stats.out);
	strs_clear(&seen);
}

static int
same_body(const struct run *a, const struct run *b)
{
	return a->out.n == b->out.n && memcmp(a->out.s, b->out.s, a->out.n) == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run r = {0}, again = {0};
	struct str in = {0};

	if (size < 3)
		return 0;
	if (!ref)
		open_reference();
	options(&r, data[1], data[2]);
	wrap(data + 3, size - 3, data[0], &in);
	run(&r, in.s ? in.s : "", in.n);
	if (!r.e.code) {
		MUST(r.stats.out == r.stats.in + r.stats.split - r.stats.dropped - r.stats.outside);
		if (r.type == FLOW_TEXT)
			check_lines(&r);
		run_again(&r, &again);
		if (r.type == FLOW_TEXT && !r.so.split && !r.so.sv && !r.so.guard)
			MUST(same_body(&r, &again));
	}
	str_clear(&in);
	str_clear(&r.out);
	str_clear(&again.out);
	return 0;
}
