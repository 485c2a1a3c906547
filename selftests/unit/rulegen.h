/* SPDX-License-Identifier: GPL-2.0-only */
/* Owns rule sets and messages made out of choices: random ones for the unit tests, a fuzzer's bytes for the fuzzers. */
#ifndef SLUICE_UNIT_RULEGEN_H
#define SLUICE_UNIT_RULEGEN_H

#include "../../kmod/core/classify.h"

#define RULEGEN_RULES	24
#define RULEGEN_MESSAGE	600

/* Where choices come from: first the bytes, then the generator seeded by @state (0: always the first choice). */
struct choices {
	const u8 *data;
	size_t left;
	u64 state;
};

struct rulegen {
	struct sluice_rule_spec specs[RULEGEN_RULES];
	struct sluice_match matches[RULEGEN_RULES][SLUICE_MATCHES_MAX];
	struct sluice_word words[RULEGEN_RULES][SLUICE_MATCHES_MAX][SLUICE_WORDS_MAX];
	u32 nrules;
	bool wild;	/* also what must be refused */
};

u32 pick(struct choices *c, u32 n);
void rulegen_rules(struct rulegen *g, struct choices *c, u32 max_rules);
/* A message that is likely to match something; @buf holds RULEGEN_MESSAGE bytes. */
void rulegen_message(const struct rulegen *g, struct choices *c, u8 *buf, struct sluice_msg *msg);
void rulegen_key(struct sluice_key *key, struct choices *c);
/* What sluice_ruleset_match() must say. */
int rulegen_oracle(const struct sluice_rule_spec *specs, u32 n, const struct sluice_msg *msg);

#endif /* SLUICE_UNIT_RULEGEN_H */
