// SPDX-License-Identifier: GPL-2.0-only
/* The generic netlink family: policies, command table, events. */
#include <linux/ctype.h>
#include <linux/module.h>

#include "core/frame.h"
#include "nl.h"

#define NAME_POLICY                                                \
	{                                                          \
		.type = NLA_NUL_STRING, .len = SLUICE_NAME_LEN - 1 \
	}

static struct netlink_range_validation port_range = {.min = 1, .max = U16_MAX};
static struct netlink_range_validation id_range = {.min = 1, .max = U32_MAX - 1};

static struct netlink_range_validation deadline_range = {.min = 1, .max = SLUICE_DEADLINE_NS_MAX};
static struct netlink_range_validation message_range = {.min = 1, .max = SLUICE_SLOT_MAX};
static struct netlink_range_validation accept_range = {.min = 1, .max = U16_MAX};
static struct netlink_range_validation conns_range = {.min = 1, .max = SLUICE_CONNS_MAX};
static struct netlink_range_validation source_range = {.max = SLUICE_CONNS_MAX};
static struct netlink_range_validation send_range = {.min = 1, .max = SLUICE_SEND_MAX};
static struct netlink_range_validation timeout_range = {.max = SLUICE_TIMEOUT_NS_MAX};

const struct nla_policy sluice_listener_policy[SLUICE_A_LISTENER_MAX + 1] = {
	[SLUICE_A_LISTENER_NAME] = NAME_POLICY,
	[SLUICE_A_LISTENER_TRANSPORT] = NLA_POLICY_MAX(NLA_U32, __SLUICE_TRANSPORT_MAX - 1),
	[SLUICE_A_LISTENER_FRAMING] = NLA_POLICY_MAX(NLA_U32, __SLUICE_FRAMING_MAX - 1),
	[SLUICE_A_LISTENER_ADDR] = {.type = NLA_BINARY, .len = 16},
	[SLUICE_A_LISTENER_PORT] = NLA_POLICY_FULL_RANGE(NLA_U16, &port_range),
	[SLUICE_A_LISTENER_IFINDEX] = {.type = NLA_U32},
	[SLUICE_A_LISTENER_V6ONLY] = {.type = NLA_FLAG},
	[SLUICE_A_LISTENER_SOCKET_FD] = {.type = NLA_U32},
	[SLUICE_A_LISTENER_ACTION] = NLA_POLICY_MAX(NLA_U32, __SLUICE_ACTION_MAX - 1),
	[SLUICE_A_LISTENER_GROUP] = NAME_POLICY,
	[SLUICE_A_LISTENER_REJECT_DATA] = {.type = NLA_BINARY, .len = SLUICE_REJECT_MAX},
	[SLUICE_A_LISTENER_CLASSIFIER_FD] = {.type = NLA_U32},
	[SLUICE_A_LISTENER_FRAMER_FD] = {.type = NLA_U32},
	[SLUICE_A_LISTENER_FRAMER_NAME] = {.type = NLA_STRING, .len = SLUICE_FRAMER_NAME_MAX},
	[SLUICE_A_LISTENER_XDP] = {.type = NLA_FLAG},
	[SLUICE_A_LISTENER_REJECT_COPY] = NLA_POLICY_MAX(NLA_U32, SLUICE_REJECT_MAX),
	[SLUICE_A_LISTENER_FRAME_OFFSET] = NLA_POLICY_MAX(NLA_U32, SLUICE_FRAME_HEADER_MAX - 1),
	[SLUICE_A_LISTENER_FRAME_WIDTH] = NLA_POLICY_RANGE(NLA_U32, 1, 8),
	[SLUICE_A_LISTENER_FRAME_LITTLE] = {.type = NLA_FLAG},
	[SLUICE_A_LISTENER_FRAME_WHOLE] = {.type = NLA_FLAG},
	[SLUICE_A_LISTENER_FRAME_DELIM] = NLA_POLICY_MAX(NLA_U32, U8_MAX),
	[SLUICE_A_LISTENER_MESSAGE_MAX] = NLA_POLICY_FULL_RANGE(NLA_U32, &message_range),
	[SLUICE_A_LISTENER_UNORDERED] = {.type = NLA_FLAG},
	[SLUICE_A_LISTENER_REUSEPORT] = {.type = NLA_FLAG},
	[SLUICE_A_LISTENER_BACKLOG] = NLA_POLICY_FULL_RANGE(NLA_U32, &accept_range),
	[SLUICE_A_LISTENER_MAX_CONNS] = NLA_POLICY_FULL_RANGE(NLA_U32, &conns_range),
	[SLUICE_A_LISTENER_MAX_PER_SOURCE] = NLA_POLICY_FULL_RANGE(NLA_U32, &source_range),
	[SLUICE_A_LISTENER_PIPELINE] = NLA_POLICY_RANGE(NLA_U32, 1, SLUICE_PIPELINE_MAX),
	[SLUICE_A_LISTENER_SEND_LIMIT] = NLA_POLICY_FULL_RANGE(NLA_U32, &send_range),
	[SLUICE_A_LISTENER_IDLE_NS] = NLA_POLICY_FULL_RANGE(NLA_U64, &timeout_range),
	[SLUICE_A_LISTENER_MESSAGE_NS] = NLA_POLICY_FULL_RANGE(NLA_U64, &timeout_range),
	[SLUICE_A_LISTENER_SEND_NS] = NLA_POLICY_FULL_RANGE(NLA_U64, &timeout_range),
	[SLUICE_A_LISTENER_HANDED] = {.type = NLA_FLAG},
	[SLUICE_A_LISTENER_GRO] = {.type = NLA_FLAG},
	[SLUICE_A_LISTENER_KEEPALIVE_NS] = NLA_POLICY_FULL_RANGE(NLA_U64, &timeout_range),
};

const struct nla_policy sluice_match_policy[SLUICE_A_MATCH_MAX + 1] = {
	[SLUICE_A_MATCH_KIND] = NLA_POLICY_MAX(NLA_U32, __SLUICE_MATCH_KIND_MAX - 1),
	[SLUICE_A_MATCH_ADDR] = {.type = NLA_BINARY, .len = 16},
	[SLUICE_A_MATCH_PREFIX] = NLA_POLICY_MAX(NLA_U32, 128),
	[SLUICE_A_MATCH_MIN] = {.type = NLA_U32},
	[SLUICE_A_MATCH_MAX_LEN] = {.type = NLA_U32},
	[SLUICE_A_MATCH_OFFSET] = NLA_POLICY_MAX(NLA_U32, SLUICE_DEPTH_MAX - 1),
	[SLUICE_A_MATCH_WIDTH] = NLA_POLICY_RANGE(NLA_U32, 1, 8),
	[SLUICE_A_MATCH_MASK] = {.type = NLA_U64},
	[SLUICE_A_MATCH_VALUE] = {.type = NLA_U64},
	[SLUICE_A_MATCH_INDEX] = NLA_POLICY_MAX(NLA_U32, U8_MAX),
	[SLUICE_A_MATCH_DELIM] = NLA_POLICY_MAX(NLA_U32, U8_MAX),
	[SLUICE_A_MATCH_WORD] = {.type = NLA_BINARY, .len = SLUICE_WORD_LEN_MAX},
};

const struct nla_policy sluice_rule_policy[SLUICE_A_RULE_MAX + 1] = {
	[SLUICE_A_RULE_ID] = NLA_POLICY_FULL_RANGE(NLA_U32, &id_range),
	[SLUICE_A_RULE_ORDER] = {.type = NLA_U32},
	[SLUICE_A_RULE_MATCH] = NLA_POLICY_NESTED(sluice_match_policy),
	[SLUICE_A_RULE_ACTION] = NLA_POLICY_MAX(NLA_U32, __SLUICE_ACTION_MAX - 1),
	[SLUICE_A_RULE_GROUP] = NAME_POLICY,
	[SLUICE_A_RULE_CLASS] = NAME_POLICY,
	[SLUICE_A_RULE_PRIO] = NLA_POLICY_MAX(NLA_U32, SLUICE_RING_PRIOS - 1),
	[SLUICE_A_RULE_DEADLINE] = {.type = NLA_U64},
	[SLUICE_A_RULE_DEADLINE_OFFSET] = NLA_POLICY_MAX(NLA_U32, SLUICE_DEPTH_MAX - 1),
	[SLUICE_A_RULE_DEADLINE_WIDTH] = NLA_POLICY_RANGE(NLA_U32, 1, 8),
	[SLUICE_A_RULE_DEADLINE_LITTLE] = {.type = NLA_FLAG},
	[SLUICE_A_RULE_DEADLINE_UNIT] = NLA_POLICY_MAX(NLA_U32, __SLUICE_UNIT_MAX - 1),
	[SLUICE_A_RULE_REQUEST_ID_OFFSET] = NLA_POLICY_MAX(NLA_U32, SLUICE_DEPTH_MAX - 1),
	[SLUICE_A_RULE_REQUEST_ID_LEN] = NLA_POLICY_RANGE(NLA_U32, 1, SLUICE_ID_LEN_MAX),
	[SLUICE_A_RULE_ONCE] = {.type = NLA_FLAG},
	[SLUICE_A_RULE_DEADLINE_MAX] = NLA_POLICY_FULL_RANGE(NLA_U64, &deadline_range),
};

const struct nla_policy sluice_rules_policy[SLUICE_A_RULES_MAX + 1] = {
	[SLUICE_A_RULES_LISTENER] = NAME_POLICY,
	[SLUICE_A_RULES_GENERATION] = {.type = NLA_U32},
	[SLUICE_A_RULES_RULE] = NLA_POLICY_NESTED(sluice_rule_policy),
};

const struct nla_policy sluice_class_policy[SLUICE_A_CLASS_MAX + 1] = {
	[SLUICE_A_CLASS_NAME] = NAME_POLICY,
	[SLUICE_A_CLASS_TARGET_NS] = {.type = NLA_U64},
	[SLUICE_A_CLASS_INTERVAL_NS] = {.type = NLA_U64},
	[SLUICE_A_CLASS_CAP] = NLA_POLICY_MAX(NLA_U32, SLUICE_RINGS_MAX),
	[SLUICE_A_CLASS_SHED] = NLA_POLICY_MAX(NLA_U32, U8_MAX),
};

const struct nla_policy sluice_group_policy[SLUICE_A_GROUP_MAX + 1] = {
	[SLUICE_A_GROUP_NAME] = NAME_POLICY,
	[SLUICE_A_GROUP_STEERING] = NLA_POLICY_MAX(NLA_U32, __SLUICE_STEERING_MAX - 1),
	[SLUICE_A_GROUP_KEY] = NLA_POLICY_MAX(NLA_U32, __SLUICE_KEY_KIND_MAX - 1),
	[SLUICE_A_GROUP_KEY_OFFSET] = NLA_POLICY_MAX(NLA_U32, SLUICE_DEPTH_MAX - 1),
	[SLUICE_A_GROUP_KEY_LEN] = NLA_POLICY_RANGE(NLA_U32, 1, 64),
	[SLUICE_A_GROUP_KEY_INDEX] = NLA_POLICY_MAX(NLA_U32, U8_MAX),
	[SLUICE_A_GROUP_KEY_DELIM] = NLA_POLICY_MAX(NLA_U32, U8_MAX),
	[SLUICE_A_GROUP_WINDOW] = {.type = NLA_U32},
	[SLUICE_A_GROUP_BACKLOG] = {.type = NLA_U32},
	[SLUICE_A_GROUP_BACKLOG_BYTES] = {.type = NLA_U64},
	[SLUICE_A_GROUP_NO_CONSUMER] = NLA_POLICY_MAX(NLA_U32, __SLUICE_NO_CONSUMER_MAX - 1),
	[SLUICE_A_GROUP_HOLD_NS] = {.type = NLA_U64},
	[SLUICE_A_GROUP_CRASH] = NLA_POLICY_MAX(NLA_U32, __SLUICE_CRASH_MAX - 1),
	[SLUICE_A_GROUP_OWNER_UID] = {.type = NLA_U32},
	[SLUICE_A_GROUP_OWNER_GID] = {.type = NLA_U32},
	[SLUICE_A_GROUP_MAX_RINGS] = NLA_POLICY_RANGE(NLA_U32, 1, SLUICE_RINGS_MAX),
	[SLUICE_A_GROUP_TARGET_NS] = {.type = NLA_U64},
	[SLUICE_A_GROUP_INTERVAL_NS] = {.type = NLA_U64},
	[SLUICE_A_GROUP_STALL_NS] = {.type = NLA_U64},
	[SLUICE_A_GROUP_ORDER] = NLA_POLICY_MAX(NLA_U32, __SLUICE_ORDER_MAX - 1),
	[SLUICE_A_GROUP_CLASS_CONF] = NLA_POLICY_NESTED(sluice_class_policy),
};

const struct nla_policy sluice_ring_policy[SLUICE_A_RING_MAX + 1] = {
	[SLUICE_A_RING_ID] = {.type = NLA_U32},
	[SLUICE_A_RING_GROUP] = NAME_POLICY,
	[SLUICE_A_RING_STATE] = NLA_POLICY_MASK(NLA_U32, SLUICE_STATE_DRAINING),
};

const struct nla_policy sluice_stats_policy[SLUICE_A_STATS_MAX + 1] = {
	[SLUICE_A_STATS_EXACT] = {.type = NLA_FLAG},
};

const struct nla_policy sluice_hist_policy[SLUICE_A_HIST_MAX + 1] = {
	[SLUICE_A_HIST_GROUP] = NAME_POLICY,
};

const struct nla_policy sluice_conn_policy[SLUICE_A_CONN_MAX + 1] = {
	[SLUICE_A_CONN_ID] = {.type = NLA_U64},
	[SLUICE_A_CONN_LISTENER] = NAME_POLICY,
	[SLUICE_A_CONN_SOCKET_FD] = {.type = NLA_U32},
};

const struct nla_policy sluice_cancel_policy[SLUICE_A_CANCEL_MAX + 1] = {
	[SLUICE_A_CANCEL_GROUP] = NAME_POLICY,
	[SLUICE_A_CANCEL_CLASS] = NAME_POLICY,
	[SLUICE_A_CANCEL_LISTENER] = NAME_POLICY,
	[SLUICE_A_CANCEL_PEER] = {.type = NLA_BINARY, .len = 16},
	[SLUICE_A_CANCEL_PEER_PORT] = NLA_POLICY_FULL_RANGE(NLA_U16, &port_range),
	[SLUICE_A_CANCEL_CONN] = {.type = NLA_U64},
};

const struct nla_policy sluice_explain_policy[SLUICE_A_EXPLAIN_MAX + 1] = {
	[SLUICE_A_EXPLAIN_LISTENER] = NAME_POLICY,
	[SLUICE_A_EXPLAIN_MESSAGE] = {.type = NLA_BINARY, .len = SLUICE_MESSAGE_MAX},
	[SLUICE_A_EXPLAIN_ADDR] = {.type = NLA_BINARY, .len = 16},
};

/**
 * sluice_nl_name_check() - refuse names that would not survive a shell, a log line or a metric
 * @attr: a string the policy has checked for length, or NULL
 * @extack: why not
 */
int sluice_nl_name_check(struct nlattr *attr, struct netlink_ext_ack *extack)
{
	const char *s;

	if (!attr) {
		NL_SET_ERR_MSG(extack, "a name is needed");
		return -EINVAL;
	}
	s = nla_data(attr);
	if (!*s)
		goto bad;
	for (; *s; s++)
		if (!isalnum(*s) && *s != '_' && *s != '.' && *s != '-')
			goto bad;
	return 0;
bad:
	NL_SET_ERR_MSG_ATTR(extack, attr, "names are 1 to 31 of A-Z a-z 0-9 _ . -");
	return -EINVAL;
}

/* Begin a reply. Return: the message, or NULL. */
struct sk_buff *sluice_nl_reply(struct genl_info *info, u8 cmd, size_t size, void **hdr)
{
	struct sk_buff *msg = nlmsg_new(size, GFP_KERNEL);

	if (!msg)
		return NULL;
	*hdr = genlmsg_put_reply(msg, info, &sluice_family, 0, cmd);
	if (*hdr)
		return msg;
	nlmsg_free(msg);
	return NULL;
}

/* End a reply: send it, or drop it and return @err. */
int sluice_nl_send(struct sk_buff *msg, void *hdr, struct genl_info *info, int err)
{
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	genlmsg_end(msg, hdr);
	return genlmsg_reply(msg, info);
}

#define OP(c, p, ...)                                                       \
	{                                                                   \
		.cmd = SLUICE_CMD_##c, .policy = sluice_##p##_policy,       \
		.maxattr = ARRAY_SIZE(sluice_##p##_policy) - 1, __VA_ARGS__ \
	}
#define ADMIN .flags = GENL_UNS_ADMIN_PERM

static const struct genl_ops ops[] = {
	OP(LISTENER_NEW, listener, .doit = sluice_nl_listener_new, ADMIN),
	OP(LISTENER_SET, listener, .doit = sluice_nl_listener_set, ADMIN),
	OP(LISTENER_DEL, listener, .doit = sluice_nl_listener_del, ADMIN),
	OP(LISTENER_GET, listener, .doit = sluice_nl_listener_get,
	   .dumpit = sluice_nl_listener_dump),
	OP(RULES_SET, rules, .doit = sluice_nl_rules_set, ADMIN),
	OP(RULES_GET, rules, .dumpit = sluice_nl_rules_dump),
	OP(GROUP_NEW, group, .doit = sluice_nl_group_new, ADMIN),
	OP(GROUP_SET, group, .doit = sluice_nl_group_set, ADMIN),
	OP(GROUP_DEL, group, .doit = sluice_nl_group_del, ADMIN),
	OP(GROUP_GET, group, .doit = sluice_nl_group_get, .dumpit = sluice_nl_group_dump),
	OP(RING_GET, ring, .dumpit = sluice_nl_ring_dump),
	OP(RING_SET, ring, .doit = sluice_nl_ring_set, ADMIN),
	OP(RING_DEL, ring, .doit = sluice_nl_ring_del, ADMIN),
	OP(STATS_GET, stats, .start = sluice_nl_stats_start, .dumpit = sluice_nl_stats_dump,
	   .done = sluice_nl_stats_done),
	OP(HIST_GET, hist, .dumpit = sluice_nl_hist_dump),
	OP(CONN_GET, conn, .dumpit = sluice_nl_conn_dump, ADMIN),
	OP(CONN_DEL, conn, .doit = sluice_nl_conn_del, ADMIN),
	OP(CANCEL, cancel, .doit = sluice_nl_cancel, ADMIN),
	OP(CONN_NEW, conn, .doit = sluice_nl_conn_new, ADMIN),
	OP(EXPLAIN, explain, .doit = sluice_nl_explain, ADMIN),
};

static const struct genl_multicast_group groups[] = {
	{.name = SLUICE_GENL_MCGRP_EVENTS},
};

struct genl_family sluice_family __ro_after_init = {
	.name = SLUICE_GENL_NAME,
	.version = SLUICE_GENL_VERSION,
	.module = THIS_MODULE,
	.netnsok = true,
	.ops = ops,
	.n_ops = ARRAY_SIZE(ops),
	.mcgrps = groups,
	.n_mcgrps = ARRAY_SIZE(groups),
	.resv_start_op = SLUICE_CMD_LISTENER_NEW,
};

static int event_fill(struct sk_buff *msg, enum sluice_event kind, const char *name,
		      struct sluice_ring *ring, u64 count)
{
	if (nla_put_u32(msg, SLUICE_A_EVENT_KIND, kind) ||
	    nla_put_string(msg, SLUICE_A_EVENT_NAME, name))
		return -EMSGSIZE;
	if (!ring)
		return 0;
	if (nla_put_u32(msg, SLUICE_A_EVENT_RING, ring->id) ||
	    nla_put_u32(msg, SLUICE_A_EVENT_PID, pid_nr(ring->pid)) ||
	    nla_put_string(msg, SLUICE_A_EVENT_COMM, ring->comm) ||
	    nla_put_u64_64bit(msg, SLUICE_A_EVENT_COUNT, count, SLUICE_A_EVENT_PAD))
		return -EMSGSIZE;
	if (kind == SLUICE_EVENT_RING_STALLED)
		return nla_put_u64_64bit(msg, SLUICE_A_EVENT_AGE_NS, sluice_now() - ring->moved_at,
					 SLUICE_A_EVENT_PAD);
	return 0;
}

/**
 * sluice_event() - tell the listeners of multicast group "events"
 * @sn: namespace
 * @kind: what happened
 * @name: listener or group
 * @ring: ring, or NULL
 * @count: requests concerned
 *
 * Best effort. Context: may sleep.
 */
void sluice_event(struct sluice_net *sn, enum sluice_event kind, const char *name,
		  struct sluice_ring *ring, u64 count)
{
	struct sk_buff *msg;
	void *hdr;

	if (!genl_has_listeners(&sluice_family, sn->net, 0))
		return;
	msg = nlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!msg)
		return;
	hdr = genlmsg_put(msg, 0, 0, &sluice_family, 0, SLUICE_CMD_EVENT);
	if (!hdr || event_fill(msg, kind, name, ring, count)) {
		nlmsg_free(msg);
		return;
	}
	genlmsg_end(msg, hdr);
	genlmsg_multicast_netns(&sluice_family, sn->net, msg, 0, 0, GFP_KERNEL);
}

int __init sluice_netlink_init(void)
{
	return genl_register_family(&sluice_family);
}

void sluice_netlink_fini(void)
{
	genl_unregister_family(&sluice_family);
}
