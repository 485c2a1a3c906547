// SPDX-License-Identifier: GPL-2.0-only
/* Netlink commands on listeners and their rules. */
#include "ids.h"
#include "nl.h"
#include "xdp.h"

static struct sluice_listener *listener_from(struct sluice_net *sn, struct nlattr *name,
					     struct netlink_ext_ack *extack)
{
	struct sluice_listener *l;
	int err;

	err = sluice_nl_name_check(name, extack);
	if (err)
		return ERR_PTR(err);
	l = sluice_listener_find(sn, nla_data(name));
	if (l)
		return l;
	NL_SET_ERR_MSG_ATTR(extack, name, "no such listener");
	return ERR_PTR(-ENOENT);
}

static struct sluice_listener *listener_from_info(struct genl_info *info)
{
	return listener_from(sluice_nl_net(info), info->attrs[SLUICE_A_LISTENER_NAME],
			     info->extack);
}

int sluice_nl_listener_new(struct sk_buff *skb, struct genl_info *info)
{
	struct sluice_listener *l;
	int err;

	err = sluice_nl_name_check(info->attrs[SLUICE_A_LISTENER_NAME], info->extack);
	if (err)
		return err;
	mutex_lock(&sluice_mutex);
	l = sluice_listener_create(sluice_nl_net(info), info->attrs, info->extack);
	mutex_unlock(&sluice_mutex);
	return PTR_ERR_OR_ZERO(l);
}

int sluice_nl_listener_set(struct sk_buff *skb, struct genl_info *info)
{
	static const u8 fixed[] = {
		SLUICE_A_LISTENER_ADDR,	   SLUICE_A_LISTENER_PORT,	SLUICE_A_LISTENER_IFINDEX,
		SLUICE_A_LISTENER_V6ONLY,  SLUICE_A_LISTENER_SOCKET_FD, SLUICE_A_LISTENER_TRANSPORT,
		SLUICE_A_LISTENER_FRAMING, SLUICE_A_LISTENER_XDP,
		SLUICE_A_LISTENER_FRAME_OFFSET, SLUICE_A_LISTENER_FRAME_WIDTH,
		SLUICE_A_LISTENER_FRAME_LITTLE, SLUICE_A_LISTENER_FRAME_WHOLE,
		SLUICE_A_LISTENER_FRAME_DELIM, SLUICE_A_LISTENER_MESSAGE_MAX,
		SLUICE_A_LISTENER_UNORDERED, SLUICE_A_LISTENER_REUSEPORT,
		SLUICE_A_LISTENER_BACKLOG, SLUICE_A_LISTENER_MAX_CONNS,
		SLUICE_A_LISTENER_MAX_PER_SOURCE, SLUICE_A_LISTENER_PIPELINE,
		SLUICE_A_LISTENER_SEND_LIMIT, SLUICE_A_LISTENER_IDLE_NS,
		SLUICE_A_LISTENER_MESSAGE_NS, SLUICE_A_LISTENER_SEND_NS,
		SLUICE_A_LISTENER_KEEPALIVE_NS, SLUICE_A_LISTENER_HANDED,
		SLUICE_A_LISTENER_GRO,
	};
	struct sluice_listener *l;
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(fixed); i++) {
		if (!info->attrs[fixed[i]])
			continue;
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[fixed[i]],
				    "its socket cannot change: delete it and add it again");
		return -EINVAL;
	}
	mutex_lock(&sluice_mutex);
	l = listener_from_info(info);
	err = PTR_ERR_OR_ZERO(l) ?: sluice_listener_configure(l, info->attrs, info->extack);
	mutex_unlock(&sluice_mutex);
	return err;
}

int sluice_nl_listener_del(struct sk_buff *skb, struct genl_info *info)
{
	struct sluice_listener *l;
	int err;

	mutex_lock(&sluice_mutex);
	l = listener_from_info(info);
	err = PTR_ERR_OR_ZERO(l);
	if (!err)
		sluice_listener_destroy(l);
	mutex_unlock(&sluice_mutex);
	return err;
}

static int xdp_fill(struct sk_buff *msg, const struct sluice_listener *l)
{
	u64 passed[__SLUICE_XDP_PASS_MAX];

	sluice_xdp_counts(l, passed);
	return nla_put_flag(msg, SLUICE_A_LISTENER_XDP) ?:
		       nla_put(msg, SLUICE_A_LISTENER_XDP_PASSED, sizeof(passed), passed);
}

static int classifier_fill(struct sk_buff *msg, const struct sluice_listener *l)
{
	u64 bad = atomic64_read(&l->bad_verdicts);
	u32 id = sluice_classifier_id(l);

	if (id && nla_put_u32(msg, SLUICE_A_LISTENER_CLASSIFIER_ID, id))
		return -EMSGSIZE;
	if (!id && !l->xdp && !bad)
		return 0;
	return nla_put_u64_64bit(msg, SLUICE_A_LISTENER_BAD_VERDICTS, bad, SLUICE_A_LISTENER_PAD);
}

static int ids_fill(struct sk_buff *msg, const struct sluice_listener *l)
{
	lockdep_assert_held(&sluice_mutex);
	if (!l->ids)
		return 0;
	return nla_put_u64_64bit(msg, SLUICE_A_LISTENER_UNTRACKED,
				 atomic64_read(&l->ids->untracked), SLUICE_A_LISTENER_PAD);
}

static int listener_fill(struct sk_buff *msg, struct sluice_listener *l)
{
	const struct sluice_listener_conf *c =
		rcu_dereference_protected(l->conf, lockdep_is_held(&sluice_mutex));
	const struct sluice_rules *rules =
		rcu_dereference_protected(l->rules, lockdep_is_held(&sluice_mutex));
	u32 ifindex = READ_ONCE(l->ifindex); /* of XDP: changes under RTNL */

	if (nla_put_string(msg, SLUICE_A_LISTENER_NAME, l->name) ||
	    nla_put_u32(msg, SLUICE_A_LISTENER_ID, l->id) ||
	    nla_put_u32(msg, SLUICE_A_LISTENER_TRANSPORT,
			l->tcp ? SLUICE_TRANSPORT_TCP : SLUICE_TRANSPORT_UDP) ||
	    (l->tcp ? sluice_nl_tcp_fill(msg, l->tcp) :
		      nla_put_u32(msg, SLUICE_A_LISTENER_FRAMING, SLUICE_FRAMING_DATAGRAM)) ||
	    (l->handed && nla_put_flag(msg, SLUICE_A_LISTENER_HANDED)) ||
	    (!l->handed && nla_put(msg, SLUICE_A_LISTENER_ADDR, l->addr_len, l->addr)) ||
	    (!l->handed && nla_put_u16(msg, SLUICE_A_LISTENER_PORT, l->port)) ||
	    (ifindex && nla_put_u32(msg, SLUICE_A_LISTENER_IFINDEX, ifindex)) ||
	    (l->v6only && nla_put_flag(msg, SLUICE_A_LISTENER_V6ONLY)) ||
	    (l->adopted && nla_put_flag(msg, SLUICE_A_LISTENER_ADOPTED)) ||
	    (l->gro && nla_put_flag(msg, SLUICE_A_LISTENER_GRO)) ||
	    (l->xdp && xdp_fill(msg, l)) ||
	    classifier_fill(msg, l) ||
	    ids_fill(msg, l) ||
	    (READ_ONCE(l->closed) && nla_put_flag(msg, SLUICE_A_LISTENER_CLOSED)) ||
	    nla_put_u32(msg, SLUICE_A_LISTENER_ACTION, c->to.action) ||
	    (c->group && nla_put_string(msg, SLUICE_A_LISTENER_GROUP, c->group->name)) ||
	    nla_put_u32(msg, SLUICE_A_LISTENER_GENERATION, rules ? rules->generation : 0) ||
	    nla_put_u32(msg, SLUICE_A_LISTENER_RULES, rules ? rules->n : 0))
		return -EMSGSIZE;
	if (!c->reject_len)
		return 0;
	return nla_put(msg, SLUICE_A_LISTENER_REJECT_DATA, c->reject_len, c->reject) ?:
		       nla_put_u32(msg, SLUICE_A_LISTENER_REJECT_COPY, c->reject_copy);
}

int sluice_nl_listener_get(struct sk_buff *skb, struct genl_info *info)
{
	struct sluice_listener *l;
	struct sk_buff *msg;
	void *hdr;
	int err;

	msg = sluice_nl_reply(info, SLUICE_CMD_LISTENER_GET, NLMSG_GOODSIZE, &hdr);
	if (!msg)
		return -ENOMEM;
	mutex_lock(&sluice_mutex);
	l = listener_from_info(info);
	err = PTR_ERR_OR_ZERO(l) ?: listener_fill(msg, l);
	mutex_unlock(&sluice_mutex);
	return sluice_nl_send(msg, hdr, info, err);
}

int sluice_nl_listener_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct sluice_net *sn = sluice_nl_dump_net(skb);
	struct sluice_listener *l;
	void *hdr;

	mutex_lock(&sluice_mutex);
	list_for_each_entry(l, &sn->listeners, list) {
		if (l->id <= (u32)cb->args[0])
			continue;
		hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				  &sluice_family, NLM_F_MULTI, SLUICE_CMD_LISTENER_GET);
		if (!hdr)
			break;
		if (listener_fill(skb, l)) {
			genlmsg_cancel(skb, hdr);
			break;
		}
		genlmsg_end(skb, hdr);
		cb->args[0] = l->id;
	}
	mutex_unlock(&sluice_mutex);
	return skb->len;
}

int sluice_nl_rules_set(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *gen = info->attrs[SLUICE_A_RULES_GENERATION];
	struct sluice_listener *l;
	int err;

	mutex_lock(&sluice_mutex);
	l = listener_from(sluice_nl_net(info), info->attrs[SLUICE_A_RULES_LISTENER], info->extack);
	err = PTR_ERR_OR_ZERO(l) ?:
		      sluice_rules_install(l, info->nlhdr, GENL_HDRLEN, gen ? nla_get_u32(gen) : 0,
					   gen, info->extack);
	mutex_unlock(&sluice_mutex);
	return err;
}

static int rules_put(struct sk_buff *skb, struct netlink_callback *cb,
		     const struct sluice_listener *l, u32 generation, const struct nlattr *rule)
{
	void *hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq, &sluice_family,
				NLM_F_MULTI, SLUICE_CMD_RULES_GET);

	if (!hdr)
		return -EMSGSIZE;
	if (nla_put_string(skb, SLUICE_A_RULES_LISTENER, l->name) ||
	    nla_put_u32(skb, SLUICE_A_RULES_GENERATION, generation) ||
	    (rule &&
	     nla_put(skb, SLUICE_A_RULES_RULE | NLA_F_NESTED, nla_len(rule), nla_data(rule)))) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genl_dump_check_consistent(cb, hdr);
	genlmsg_end(skb, hdr);
	return 0;
}

/*
 * cb->args[0]: next rule; args[1]: all was said. A swap between two parts shows as NLM_F_DUMP_INTR.
 */
int sluice_nl_rules_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct nlattr **attrs = sluice_dump_attrs(cb);
	const struct sluice_rules *rules;
	struct sluice_listener *l;
	int err = 0;

	if (cb->args[1])
		return 0;
	mutex_lock(&sluice_mutex);
	l = listener_from(sluice_nl_dump_net(skb), attrs[SLUICE_A_RULES_LISTENER], cb->extack);
	err = PTR_ERR_OR_ZERO(l);
	if (err)
		goto out;
	rules = rcu_dereference_protected(l->rules, lockdep_is_held(&sluice_mutex));
	cb->seq = (rules ? rules->generation : 0) + 1;
	if (!rules || !rules->n) {
		err = rules_put(skb, cb, l, cb->seq - 1, NULL);
		cb->args[1] = 1;
		goto out;
	}
	while (cb->args[0] < rules->n) {
		err = rules_put(skb, cb, l, rules->generation, rules->rule[cb->args[0]].attr);
		if (err)
			break;
		cb->args[0]++;
	}
	if (cb->args[0] >= rules->n)
		cb->args[1] = 1;
	if (skb->len)
		err = 0;
out:
	mutex_unlock(&sluice_mutex);
	return err ?: skb->len;
}

/* As a datagram would be classified. @skb holds the message alone. */
static int explain_fill(struct sk_buff *msg, struct sluice_listener *l, const struct sluice_msg *m,
			struct sk_buff *skb)
{
	const struct sluice_listener_conf *conf =
		rcu_dereference_protected(l->conf, lockdep_is_held(&sluice_mutex));
	const struct sluice_rules *rules =
		rcu_dereference_protected(l->rules, lockdep_is_held(&sluice_mutex));
	const struct sluice_group_conf *gc;
	const struct sluice_verdict_to *to;
	const struct sluice_rings *set;
	struct sluice_classified found;
	struct sluice_group *g;
	struct sluice_hint hint;
	bool asked;
	int index;
	u32 hash;

	local_bh_disable();
	asked = sluice_classifier_ask(l, skb, 0, &hint);
	to = sluice_classify(rules, conf, m, asked ? &hint : NULL, &found);
	local_bh_enable();
	index = found.index;
	if (asked &&
	    (nla_put_u32(msg, SLUICE_A_EXPLAIN_VERDICT, hint.verdict) ||
	     (found.bad && nla_put_flag(msg, SLUICE_A_EXPLAIN_BAD))))
		return -EMSGSIZE;
	if (nla_put_u32(msg, SLUICE_A_EXPLAIN_ACTION, to->action) ||
	    nla_put_u32(msg, SLUICE_A_EXPLAIN_GENERATION, rules ? rules->generation : 0))
		return -EMSGSIZE;
	if (index >= 0 &&
	    nla_put(msg, SLUICE_A_EXPLAIN_RULE | NLA_F_NESTED, nla_len(rules->rule[index].attr),
		    nla_data(rules->rule[index].attr)))
		return -EMSGSIZE;
	if (!to->class)
		return 0;
	g = to->class->group;
	gc = sluice_group_conf(g);
	if (nla_put_string(msg, SLUICE_A_EXPLAIN_GROUP, g->name) ||
	    nla_put_string(msg, SLUICE_A_EXPLAIN_CLASS, to->class->name))
		return -EMSGSIZE;
	if (found.has_key)
		hash = found.key;
	else if (gc->key.type == SLUICE_KEY_FLOW || !sluice_key_hash(&gc->key, m, 0, &hash))
		return 0;
	if (nla_put_u32(msg, SLUICE_A_EXPLAIN_HASH, hash))
		return -EMSGSIZE;
	set = rcu_dereference_protected(g->rings, lockdep_is_held(&sluice_mutex));
	if (gc->steering == SLUICE_STEERING_HASH && set->n)
		return nla_put_u32(msg, SLUICE_A_EXPLAIN_RING,
				   set->ring[sluice_hash_reduce(hash, set->n)]->id);
	return 0;
}

int sluice_nl_explain(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *bytes = info->attrs[SLUICE_A_EXPLAIN_MESSAGE],
		      *addr = info->attrs[SLUICE_A_EXPLAIN_ADDR];
	struct sluice_msg m = {};
	struct sluice_listener *l;
	struct sk_buff *msg, *probe;
	void *hdr;
	int err;

	if (!bytes) {
		NL_SET_ERR_MSG(info->extack, "explain needs a message");
		return -EINVAL;
	}
	m.data = nla_data(bytes);
	m.len = nla_len(bytes);
	m.avail = m.len;
	if (addr) {
		if (nla_len(addr) != 4 && nla_len(addr) != 16) {
			NL_SET_ERR_MSG_ATTR(info->extack, addr, "address is 4 or 16 bytes");
			return -EINVAL;
		}
		m.family = nla_len(addr) == 4 ? 4 : 6;
		memcpy(m.saddr, nla_data(addr), nla_len(addr));
	}
	probe = alloc_skb(m.len, GFP_KERNEL);
	if (!probe)
		return -ENOMEM;
	skb_reset_mac_header(probe);
	skb_reset_network_header(probe);
	skb_put_data(probe, m.data, m.len);
	probe->protocol = m.family == 6 ? htons(ETH_P_IPV6) : htons(ETH_P_IP);
	probe->dev = genl_info_net(info)->loopback_dev;
	msg = sluice_nl_reply(info, SLUICE_CMD_EXPLAIN, SZ_64K, &hdr);
	if (!msg) {
		kfree_skb(probe);
		return -ENOMEM;
	}
	mutex_lock(&sluice_mutex);
	l = listener_from(sluice_nl_net(info), info->attrs[SLUICE_A_EXPLAIN_LISTENER],
			  info->extack);
	err = PTR_ERR_OR_ZERO(l) ?: explain_fill(msg, l, &m, probe);
	mutex_unlock(&sluice_mutex);
	consume_skb(probe);
	return sluice_nl_send(msg, hdr, info, err);
}
