// SPDX-License-Identifier: GPL-2.0-only
/* The netlink command that cancels requests. */
#include "cancel.h"
#include "nl.h"

static int find_class(struct sluice_cancel *c, struct nlattr *name, struct netlink_ext_ack *extack)
{
	u32 i;

	if (!c->group) {
		NL_SET_ERR_MSG_ATTR(extack, name, "a class needs its group beside it");
		return -EINVAL;
	}
	for (i = 0; i < c->group->nclasses; i++)
		if (!strcmp(c->group->class[i]->name, nla_data(name)))
			c->class = c->group->class[i];
	if (c->class)
		return 0;
	NL_SET_ERR_MSG_ATTR(extack, name, "no such class in the group");
	return -ENOENT;
}

static int find_peer(struct sluice_cancel *c, struct nlattr **tb, struct netlink_ext_ack *extack)
{
	struct nlattr *addr = tb[SLUICE_A_CANCEL_PEER], *port = tb[SLUICE_A_CANCEL_PEER_PORT];

	if (!addr) {
		if (!port)
			return 0;
		NL_SET_ERR_MSG_ATTR(extack, port, "a peer's port needs its address beside it");
		return -EINVAL;
	}
	if (nla_len(addr) != 4 && nla_len(addr) != 16) {
		NL_SET_ERR_MSG_ATTR(extack, addr, "an address has 4 or 16 bytes");
		return -EINVAL;
	}
	c->from.family = nla_len(addr) == 4 ? 4 : 6;
	memcpy(c->from.addr, nla_data(addr), nla_len(addr));
	if (port)
		c->from.port = htons(nla_get_u16(port));
	return 0;
}

/* Which requests are meant; sluice_mutex is held. */
static int parse(struct sluice_net *sn, struct nlattr **tb, struct sluice_cancel *c,
		 struct netlink_ext_ack *extack)
{
	int err;

	if (!tb[SLUICE_A_CANCEL_GROUP] && !tb[SLUICE_A_CANCEL_LISTENER] &&
	    !tb[SLUICE_A_CANCEL_PEER] && !tb[SLUICE_A_CANCEL_CONN] &&
	    !tb[SLUICE_A_CANCEL_CLASS] && !tb[SLUICE_A_CANCEL_PEER_PORT]) {
		NL_SET_ERR_MSG(extack, "say whose requests: of a group, listener, peer or conn");
		return -EINVAL;
	}
	if (tb[SLUICE_A_CANCEL_GROUP]) {
		c->group = sluice_group_find(sn, nla_data(tb[SLUICE_A_CANCEL_GROUP]));
		if (!c->group) {
			NL_SET_ERR_MSG_ATTR(extack, tb[SLUICE_A_CANCEL_GROUP], "no such group");
			return -ENOENT;
		}
	}
	if (tb[SLUICE_A_CANCEL_LISTENER]) {
		c->listener = sluice_listener_find(sn, nla_data(tb[SLUICE_A_CANCEL_LISTENER]));
		if (!c->listener) {
			NL_SET_ERR_MSG_ATTR(extack, tb[SLUICE_A_CANCEL_LISTENER],
					    "no such listener");
			return -ENOENT;
		}
	}
	if (tb[SLUICE_A_CANCEL_CONN])
		c->conn = nla_get_u64(tb[SLUICE_A_CANCEL_CONN]);
	err = find_peer(c, tb, extack);
	if (!err && tb[SLUICE_A_CANCEL_CLASS])
		err = find_class(c, tb[SLUICE_A_CANCEL_CLASS], extack);
	return err;
}

int sluice_nl_cancel(struct sk_buff *skb, struct genl_info *info)
{
	struct sluice_net *sn = sluice_nl_net(info);
	struct sluice_cancel c = {};
	struct sk_buff *msg;
	void *hdr;
	int err;

	msg = sluice_nl_reply(info, SLUICE_CMD_CANCEL, NLMSG_DEFAULT_SIZE, &hdr);
	if (!msg)
		return -ENOMEM;
	mutex_lock(&sluice_mutex);
	err = parse(sn, info->attrs, &c, info->extack);
	if (!err)
		sluice_cancel(sn, &c);
	mutex_unlock(&sluice_mutex);
	if (!err && (nla_put_u64_64bit(msg, SLUICE_A_CANCEL_WAITING, c.waiting,
				       SLUICE_A_CANCEL_PAD) ||
		     nla_put_u64_64bit(msg, SLUICE_A_CANCEL_PUBLISHED, c.published,
				       SLUICE_A_CANCEL_PAD)))
		err = -EMSGSIZE;
	return sluice_nl_send(msg, hdr, info, err);
}
