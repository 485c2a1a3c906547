// SPDX-License-Identifier: GPL-2.0-only
/* What a rule reads from its messages, as netlink says it. */
#include <net/netlink.h>

#include "sluice.h"

static u32 get_u32(const struct nlattr *a, u32 def)
{
	return a ? nla_get_u32(a) : def;
}

static int parse_time(struct nlattr **tb, struct sluice_time_field *f,
		      struct netlink_ext_ack *extack)
{
	static const u32 unit_ns[] = {
		[SLUICE_UNIT_NS] = 1,
		[SLUICE_UNIT_US] = NSEC_PER_USEC,
		[SLUICE_UNIT_MS] = NSEC_PER_MSEC,
		[SLUICE_UNIT_S] = NSEC_PER_SEC,
	};
	const struct nlattr *max = tb[SLUICE_A_RULE_DEADLINE_MAX];
	const char *text;
	int i, err;

	if (!tb[SLUICE_A_RULE_DEADLINE_OFFSET]) {
		for (i = SLUICE_A_RULE_DEADLINE_WIDTH; i <= SLUICE_A_RULE_DEADLINE_MAX; i++) {
			if (!tb[i])
				continue;
			NL_SET_ERR_MSG_ATTR(extack, tb[i], "the deadline's field has no offset");
			return -EINVAL;
		}
		return 0;
	}
	f->offset = nla_get_u32(tb[SLUICE_A_RULE_DEADLINE_OFFSET]);
	f->width = get_u32(tb[SLUICE_A_RULE_DEADLINE_WIDTH], 4);
	f->little = nla_get_flag(tb[SLUICE_A_RULE_DEADLINE_LITTLE]);
	f->unit = unit_ns[get_u32(tb[SLUICE_A_RULE_DEADLINE_UNIT], SLUICE_UNIT_MS)];
	f->max = max ? nla_get_u64(max) : SLUICE_DEADLINE_NS_MAX;
	err = sluice_time_field_check(f, &text);
	if (err && extack) {
		extack->_msg = text;
		NL_SET_BAD_ATTR(extack, tb[SLUICE_A_RULE_DEADLINE_OFFSET]);
	}
	return err;
}

/**
 * sluice_fields_parse() - what a rule reads from its messages
 * @tb: attributes of the rule, checked by the policy
 * @to: the rest of it is filled in already
 * @extack: why not
 *
 * Return: 0 or -EINVAL.
 */
int sluice_fields_parse(struct nlattr **tb, struct sluice_verdict_to *to,
			struct netlink_ext_ack *extack)
{
	return parse_time(tb, &to->time, extack);
}
