// SPDX-License-Identifier: GPL-2.0-only
/* What a rule reads from its messages, as netlink says it. */
#include <net/netlink.h>

#include "ids.h"

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

static int parse_id(struct nlattr **tb, struct sluice_id_field *f, struct netlink_ext_ack *extack)
{
	const struct nlattr *offset = tb[SLUICE_A_RULE_REQUEST_ID_OFFSET];
	const struct nlattr *len = tb[SLUICE_A_RULE_REQUEST_ID_LEN];
	const char *text;
	int err;

	if (!offset && !len)
		return 0;
	f->offset = get_u32(offset, 0);
	f->len = get_u32(len, 0);
	err = sluice_id_field_check(f, &text);
	if (err && extack) {
		extack->_msg = text;
		NL_SET_BAD_ATTR(extack, offset ?: len);
	}
	return err;
}

/* What goes with the id of a request, and what that goes with. */
static int check_id(struct nlattr **tb, const struct sluice_verdict_to *to,
		    struct netlink_ext_ack *extack)
{
	if (to->once && (!to->id.len || to->action != SLUICE_ACTION_GROUP)) {
		NL_SET_ERR_MSG_ATTR(extack, tb[SLUICE_A_RULE_ONCE],
				    "once needs the request's id, and action group");
		return -EINVAL;
	}
	if (to->action == SLUICE_ACTION_CANCEL && !to->id.len) {
		NL_SET_ERR_MSG_ATTR(extack, tb[SLUICE_A_RULE_ACTION],
				    "cancel needs the place of the id of the request to cancel");
		return -EINVAL;
	}
	if (to->id.len && to->action != SLUICE_ACTION_CANCEL &&
	    to->action != SLUICE_ACTION_GROUP) {
		NL_SET_ERR_MSG_ATTR(extack, tb[SLUICE_A_RULE_REQUEST_ID_LEN],
				    "a request's id needs action group or cancel");
		return -EINVAL;
	}
	return 0;
}

/**
 * sluice_fields_parse() - what a rule reads from its messages
 * @l: its listener; sluice_mutex is held
 * @tb: attributes of the rule, checked by the policy
 * @to: its action is filled in already
 * @extack: why not
 *
 * Context: may sleep. Return: 0, -EINVAL, -ENOMEM.
 */
int sluice_fields_parse(struct sluice_listener *l, struct nlattr **tb,
			struct sluice_verdict_to *to, struct netlink_ext_ack *extack)
{
	int err;

	to->once = nla_get_flag(tb[SLUICE_A_RULE_ONCE]);
	err = parse_time(tb, &to->time, extack) ?: parse_id(tb, &to->id, extack) ?:
	      check_id(tb, to, extack);
	if (err || !to->id.len)
		return err;
	return sluice_ids_create(l);
}
