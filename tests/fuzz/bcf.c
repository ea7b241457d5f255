/* bcf - fuzz target: BCF in, BCF or text out
 *
 * Input: three bytes of control (wrapping, options twice), then BCF as it is inside of BGZF.
 */
#include "variants.h"

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
		if (r.type == FLOW_BCF || r.type == FLOW_UBCF) {
			/* BCF again: what is not looked at is not checked. */
			again.type = FLOW_UBCF;
			run_again(&r, &again);
		}
	}
	str_clear(&in);
	str_clear(&r.out);
	str_clear(&again.out);
	return 0;
}
