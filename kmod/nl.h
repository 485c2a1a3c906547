/* SPDX-License-Identifier: GPL-2.0-only */
/* What the netlink command files share: handlers, replies, names. */
#ifndef SLUICE_NL_H
#define SLUICE_NL_H

#include <net/genetlink.h>

#include "policy.h"
#include "sluice.h"

extern struct genl_family sluice_family;

int sluice_nl_name_check(struct nlattr *attr, struct netlink_ext_ack *extack);
struct sk_buff *sluice_nl_reply(struct genl_info *info, u8 cmd, size_t size, void **hdr);
int sluice_nl_send(struct sk_buff *msg, void *hdr, struct genl_info *info, int err);

static inline struct sluice_net *sluice_nl_net(struct genl_info *info)
{
	return sluice_net(genl_info_net(info));
}

static inline struct sluice_net *sluice_nl_dump_net(const struct sk_buff *skb)
{
	return sluice_net(sock_net(skb->sk));
}

int sluice_nl_group_new(struct sk_buff *skb, struct genl_info *info);
int sluice_nl_group_set(struct sk_buff *skb, struct genl_info *info);
int sluice_nl_group_del(struct sk_buff *skb, struct genl_info *info);
int sluice_nl_group_get(struct sk_buff *skb, struct genl_info *info);
int sluice_nl_group_dump(struct sk_buff *skb, struct netlink_callback *cb);
int sluice_nl_listener_new(struct sk_buff *skb, struct genl_info *info);
int sluice_nl_listener_set(struct sk_buff *skb, struct genl_info *info);
int sluice_nl_listener_del(struct sk_buff *skb, struct genl_info *info);
int sluice_nl_listener_get(struct sk_buff *skb, struct genl_info *info);
int sluice_nl_listener_dump(struct sk_buff *skb, struct netlink_callback *cb);
int sluice_nl_rules_set(struct sk_buff *skb, struct genl_info *info);
int sluice_nl_rules_dump(struct sk_buff *skb, struct netlink_callback *cb);
int sluice_nl_explain(struct sk_buff *skb, struct genl_info *info);
int sluice_nl_ring_dump(struct sk_buff *skb, struct netlink_callback *cb);
int sluice_nl_ring_set(struct sk_buff *skb, struct genl_info *info);
int sluice_nl_ring_del(struct sk_buff *skb, struct genl_info *info);
int sluice_nl_stats_start(struct netlink_callback *cb);
int sluice_nl_stats_dump(struct sk_buff *skb, struct netlink_callback *cb);
int sluice_nl_stats_done(struct netlink_callback *cb);
int sluice_nl_tcp_fill(struct sk_buff *msg, struct sluice_tcp *tcp);
int sluice_nl_conn_dump(struct sk_buff *skb, struct netlink_callback *cb);
int sluice_nl_conn_new(struct sk_buff *skb, struct genl_info *info);
int sluice_nl_conn_del(struct sk_buff *skb, struct genl_info *info);
int sluice_nl_cancel(struct sk_buff *skb, struct genl_info *info);
int sluice_nl_hist_dump(struct sk_buff *skb, struct netlink_callback *cb);

#endif /* SLUICE_NL_H */
