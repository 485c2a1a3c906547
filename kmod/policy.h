/* SPDX-License-Identifier: GPL-2.0-only */
/* Netlink policies of the attribute sets, shared by the files that parse them. */
#ifndef SLUICE_POLICY_H
#define SLUICE_POLICY_H

#include <net/netlink.h>
#include <uapi/linux/sluice.h>

extern const struct nla_policy sluice_listener_policy[SLUICE_A_LISTENER_MAX + 1];
extern const struct nla_policy sluice_rules_policy[SLUICE_A_RULES_MAX + 1];
extern const struct nla_policy sluice_rule_policy[SLUICE_A_RULE_MAX + 1];
extern const struct nla_policy sluice_match_policy[SLUICE_A_MATCH_MAX + 1];
extern const struct nla_policy sluice_group_policy[SLUICE_A_GROUP_MAX + 1];
extern const struct nla_policy sluice_class_policy[SLUICE_A_CLASS_MAX + 1];
extern const struct nla_policy sluice_ring_policy[SLUICE_A_RING_MAX + 1];
extern const struct nla_policy sluice_stats_policy[SLUICE_A_STATS_MAX + 1];
extern const struct nla_policy sluice_hist_policy[SLUICE_A_HIST_MAX + 1];
extern const struct nla_policy sluice_conn_policy[SLUICE_A_CONN_MAX + 1];
extern const struct nla_policy sluice_cancel_policy[SLUICE_A_CANCEL_MAX + 1];
extern const struct nla_policy sluice_explain_policy[SLUICE_A_EXPLAIN_MAX + 1];

#endif /* SLUICE_POLICY_H */
