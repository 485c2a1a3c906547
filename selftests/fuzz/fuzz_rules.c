// SPDX-License-Identifier: GPL-2.0-only
/* Owns the fuzzing of rule sets: what is accepted decides about messages as its definition does; the rest is refused. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rulegen g;
	struct choices c = { .data = data, .left = size };
	struct sluice_compile_error err;
	struct sluice_ruleset *rs;
	u8 buf[RULEGEN_MESSAGE];
	struct sluice_msg msg;
	u32 depth, i;
	u8 *exact;
	int ret;

	g.wild = pick(&c, 2);
	rulegen_rules(&g, &c, RULEGEN_RULES);
	ret = sluice_ruleset_compile(&rs, g.specs, g.nrules, &err);
	if (ret) {
		MUST(err.text && err.rule < g.nrules);
		return 0;
	}
	depth = sluice_ruleset_depth(rs);
	for (i = 0; i < 4; i++) {
		rulegen_message(&g, &c, buf, &msg);
		ret = rulegen_oracle(g.specs, g.nrules, &msg);
		if (msg.len > depth)
			msg.avail = depth + pick(&c, msg.len - depth + 1);
		exact = exact_copy(buf, msg.avail);
		msg.data = exact;
		MUST(sluice_ruleset_match(rs, &msg) == ret);
		free(exact);
	}
	sluice_ruleset_free(rs);
	return 0;
}
