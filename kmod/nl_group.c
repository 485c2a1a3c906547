// SPDX-License-Identifier: GPL-2.0-only
/* Netlink commands on groups. */
#include "nl.h"

static struct sluice_group *group_from(struct genl_info *info)
{
	struct nlattr *name = info->attrs[SLUICE_A_GROUP_NAME];
	struct sluice_group *g;
	int err;

	err = sluice_nl_name_check(name, info->extack);
	if (err)
		return ERR_PTR(err);
	g = sluice_group_find(sluice_nl_net(info), nla_data(name));
	if (g)
		return g;
	NL_SET_ERR_MSG_ATTR(info->extack, name, "no such group");
	return ERR_PTR(-ENOENT);
}

static int backlog_check(struct genl_info *info)
{
	struct nlattr *a = info->attrs[SLUICE_A_GROUP_BACKLOG];

	if (!a || nla_get_u32(a) <= SLUICE_BACKLOG_MAX)
		return 0;
	NL_SET_ERR_MSG_ATTR(info->extack, a, "backlog is at most 16777216 requests");
	return -ERANGE;
}

int sluice_nl_group_new(struct sk_buff *skb, struct genl_info *info)
{
	struct sluice_group *g;
	int err;

	err = sluice_nl_name_check(info->attrs[SLUICE_A_GROUP_NAME], info->extack) ?:
		      backlog_check(info);
	if (err)
		return err;
	mutex_lock(&sluice_mutex);
	g = sluice_group_create(sluice_nl_net(info), info->attrs, info->nlhdr, info->extack);
	mutex_unlock(&sluice_mutex);
	return PTR_ERR_OR_ZERO(g);
}

int sluice_nl_group_set(struct sk_buff *skb, struct genl_info *info)
{
	struct sluice_group *g;
	int err;

	err = backlog_check(info);
	if (err)
		return err;
	mutex_lock(&sluice_mutex);
	g = group_from(info);
	err = PTR_ERR_OR_ZERO(g);
	if (!err)
		err = sluice_group_configure(g, info->attrs, info->nlhdr, info->extack);
	mutex_unlock(&sluice_mutex);
	return err;
}

int sluice_nl_group_del(struct sk_buff *skb, struct genl_info *info)
{
	struct sluice_group *g;
	int err;

	mutex_lock(&sluice_mutex);
	g = group_from(info);
	err = PTR_ERR_OR_ZERO(g);
	if (!err && g->users) {
		NL_SET_ERR_MSG(info->extack, "in use by a rule, a listener's default, or a ring");
		err = -EBUSY;
	}
	if (!err)
		sluice_group_destroy(g);
	mutex_unlock(&sluice_mutex);
	return err;
}

static int put_key(struct sk_buff *msg, const struct sluice_key *key)
{
	if (nla_put_u32(msg, SLUICE_A_GROUP_KEY, key->type))
		return -EMSGSIZE;
	if (key->type == SLUICE_KEY_BYTES)
		return nla_put_u32(msg, SLUICE_A_GROUP_KEY_OFFSET, key->offset) ?:
			       nla_put_u32(msg, SLUICE_A_GROUP_KEY_LEN, key->len);
	if (key->type == SLUICE_KEY_TOKEN)
		return nla_put_u32(msg, SLUICE_A_GROUP_KEY_OFFSET, key->token.offset)	    ?:
			       nla_put_u32(msg, SLUICE_A_GROUP_KEY_INDEX, key->token.index) ?:
			       nla_put_u32(msg, SLUICE_A_GROUP_KEY_DELIM, key->token.delim);
	return 0;
}

static int put_owner(struct sk_buff *msg, const struct sluice_group_conf *c)
{
	struct user_namespace *ns = current_user_ns();

	return nla_put_u32(msg, SLUICE_A_GROUP_OWNER_UID, from_kuid_munged(ns, c->uid)) ?:
		       c->has_gid ?
		       nla_put_u32(msg, SLUICE_A_GROUP_OWNER_GID, from_kgid_munged(ns, c->gid)) :
		       0;
}

/* Policies of classes that have one. */
static int put_classes(struct sk_buff *msg, const struct sluice_group *g,
		       const struct sluice_group_conf *c)
{
	struct nlattr *nest;
	u32 i;

	for (i = 0; i < g->nclasses; i++) {
		const struct sluice_policy *p = &c->class_policy[i];

		if (nla_put_string(msg, SLUICE_A_GROUP_CLASS, g->class[i]->name))
			return -EMSGSIZE;
		if (!p->target && !p->interval && !p->cap && !p->shed)
			continue;
		nest = nla_nest_start(msg, SLUICE_A_GROUP_CLASS_CONF);
		if (!nest || nla_put_string(msg, SLUICE_A_CLASS_NAME, g->class[i]->name) ||
		    nla_put_u64_64bit(msg, SLUICE_A_CLASS_TARGET_NS, p->target,
				      SLUICE_A_CLASS_PAD) ||
		    nla_put_u64_64bit(msg, SLUICE_A_CLASS_INTERVAL_NS, p->interval,
				      SLUICE_A_CLASS_PAD) ||
		    nla_put_u32(msg, SLUICE_A_CLASS_CAP, p->cap) ||
		    nla_put_u32(msg, SLUICE_A_CLASS_SHED, p->shed))
			return -EMSGSIZE;
		nla_nest_end(msg, nest);
	}
	return 0;
}

static int group_fill(struct sk_buff *msg, struct sluice_group *g)
{
	const struct sluice_group_conf *c = sluice_group_conf(g);
	const struct sluice_rings *set =
		rcu_dereference_protected(g->rings, lockdep_is_held(&sluice_mutex));

	if (nla_put_string(msg, SLUICE_A_GROUP_NAME, g->name) ||
	    nla_put_u32(msg, SLUICE_A_GROUP_ID, g->id) ||
	    nla_put_u32(msg, SLUICE_A_GROUP_STEERING, c->steering) || put_key(msg, &c->key) ||
	    nla_put_u32(msg, SLUICE_A_GROUP_WINDOW, c->window) ||
	    nla_put_u32(msg, SLUICE_A_GROUP_BACKLOG, c->backlog) ||
	    nla_put_u64_64bit(msg, SLUICE_A_GROUP_BACKLOG_BYTES, c->backlog_bytes,
			      SLUICE_A_GROUP_PAD) ||
	    nla_put_u32(msg, SLUICE_A_GROUP_NO_CONSUMER, c->no_consumer) ||
	    nla_put_u64_64bit(msg, SLUICE_A_GROUP_HOLD_NS, c->hold_ns, SLUICE_A_GROUP_PAD) ||
	    nla_put_u32(msg, SLUICE_A_GROUP_CRASH, c->crash) || put_owner(msg, c) ||
	    nla_put_u32(msg, SLUICE_A_GROUP_MAX_RINGS, c->max_rings) ||
	    nla_put_u32(msg, SLUICE_A_GROUP_RINGS, set->n) ||
	    nla_put_u32(msg, SLUICE_A_GROUP_WAITING, atomic_read(&g->waiting)) ||
	    nla_put_u64_64bit(msg, SLUICE_A_GROUP_WAITING_BYTES, atomic64_read(&g->waiting_bytes),
			      SLUICE_A_GROUP_PAD) ||
	    nla_put_u64_64bit(msg, SLUICE_A_GROUP_TARGET_NS, c->policy.target,
			      SLUICE_A_GROUP_PAD) ||
	    nla_put_u64_64bit(msg, SLUICE_A_GROUP_INTERVAL_NS, c->policy.interval,
			      SLUICE_A_GROUP_PAD) ||
	    nla_put_u64_64bit(msg, SLUICE_A_GROUP_STALL_NS, c->stall_ns, SLUICE_A_GROUP_PAD) ||
	    nla_put_u32(msg, SLUICE_A_GROUP_ORDER,
			c->policy.fifo ? SLUICE_ORDER_FIFO : SLUICE_ORDER_LIFO))
		return -EMSGSIZE;
	return put_classes(msg, g, c);
}

int sluice_nl_group_get(struct sk_buff *skb, struct genl_info *info)
{
	struct sluice_group *g;
	struct sk_buff *msg;
	void *hdr;
	int err;

	msg = sluice_nl_reply(info, SLUICE_CMD_GROUP_GET, NLMSG_GOODSIZE, &hdr);
	if (!msg)
		return -ENOMEM;
	mutex_lock(&sluice_mutex);
	g = group_from(info);
	err = PTR_ERR_OR_ZERO(g) ?: group_fill(msg, g);
	mutex_unlock(&sluice_mutex);
	return sluice_nl_send(msg, hdr, info, err);
}

/* Objects are listed by ascending id; cb->args[0] is the last one shown. */
int sluice_nl_group_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct sluice_net *sn = sluice_nl_dump_net(skb);
	struct sluice_group *g;
	void *hdr;

	mutex_lock(&sluice_mutex);
	list_for_each_entry(g, &sn->groups, list) {
		if (g->id <= (u32)cb->args[0])
			continue;
		hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				  &sluice_family, NLM_F_MULTI, SLUICE_CMD_GROUP_GET);
		if (!hdr)
			break;
		if (group_fill(skb, g)) {
			genlmsg_cancel(skb, hdr);
			break;
		}
		genlmsg_end(skb, hdr);
		cb->args[0] = g->id;
	}
	mutex_unlock(&sluice_mutex);
	return skb->len;
}
