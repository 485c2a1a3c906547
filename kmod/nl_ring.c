// SPDX-License-Identifier: GPL-2.0-only
/* Netlink commands on rings. */
#include <linux/pid_namespace.h>

#include "nl.h"

/* Age of the oldest request in the consumer's hands. Context: sluice_mutex is held. */
static u64 oldest(struct sluice_ring *ring)
{
	u64 now = sluice_now(), first = now;
	u32 i;

	spin_lock_bh(&ring->lock);
	for (i = 0; i < ring->slots.total; i++)
		if (ring->slots.state[i] == SLUICE_SLOT_PUBLISHED)
			first = min(first, ring->req[i]->arrival);
	spin_unlock_bh(&ring->lock);
	return now - first;
}

static int ring_fill(struct sk_buff *msg, struct sluice_ring *ring)
{
	if (nla_put_u32(msg, SLUICE_A_RING_ID, ring->id) ||
	    nla_put_string(msg, SLUICE_A_RING_GROUP, ring->group->name) ||
	    nla_put_u32(msg, SLUICE_A_RING_STATE, READ_ONCE(ring->state)) ||
	    nla_put_u32(msg, SLUICE_A_RING_PID,
			pid_nr_ns(ring->pid, task_active_pid_ns(current))) ||
	    nla_put_string(msg, SLUICE_A_RING_COMM, ring->comm) ||
	    nla_put_u32(msg, SLUICE_A_RING_TX, ring->flags & SLUICE_RING_TX_MASK) ||
	    nla_put_u32(msg, SLUICE_A_RING_SLOTS, ring->slots.total) ||
	    nla_put_u64_64bit(msg, SLUICE_A_RING_MEMORY, (u64)ring->mem.npages << PAGE_SHIFT,
			      SLUICE_A_RING_PAD) ||
	    nla_put_u32(msg, SLUICE_A_RING_USED, READ_ONCE(ring->slots.used)) ||
	    nla_put_u32(msg, SLUICE_A_RING_WAITING, READ_ONCE(ring->waiting.q.n)) ||
	    nla_put_u64_64bit(msg, SLUICE_A_RING_OLDEST_NS, oldest(ring), SLUICE_A_RING_PAD) ||
	    nla_put_u64_64bit(msg, SLUICE_A_RING_BAD_RESPONSES, READ_ONCE(ring->bad_responses),
			      SLUICE_A_RING_PAD) ||
	    nla_put_u64_64bit(msg, SLUICE_A_RING_WAKEUPS, READ_ONCE(ring->wakeups),
			      SLUICE_A_RING_PAD) ||
	    nla_put_u64_64bit(msg, SLUICE_A_RING_KICKS, READ_ONCE(ring->kicks), SLUICE_A_RING_PAD))
		return -EMSGSIZE;
	return 0;
}

int sluice_nl_ring_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct nlattr *group = sluice_dump_attrs(cb)[SLUICE_A_RING_GROUP];
	struct sluice_net *sn = sluice_nl_dump_net(skb);
	struct sluice_ring *ring;
	void *hdr;

	mutex_lock(&sluice_mutex);
	list_for_each_entry(ring, &sn->rings, all) {
		if (ring->id <= (u32)cb->args[0] ||
		    (group && strcmp(ring->group->name, nla_data(group))))
			continue;
		hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				  &sluice_family, NLM_F_MULTI, SLUICE_CMD_RING_GET);
		if (!hdr)
			break;
		if (ring_fill(skb, ring)) {
			genlmsg_cancel(skb, hdr);
			break;
		}
		genlmsg_end(skb, hdr);
		cb->args[0] = ring->id;
	}
	mutex_unlock(&sluice_mutex);
	return skb->len;
}

static struct sluice_ring *ring_from(struct genl_info *info)
{
	struct nlattr *id = info->attrs[SLUICE_A_RING_ID];
	struct sluice_ring *ring;

	if (!id) {
		NL_SET_ERR_MSG(info->extack, "the ring's id is needed");
		return ERR_PTR(-EINVAL);
	}
	ring = sluice_ring_find(sluice_nl_net(info), nla_get_u32(id));
	if (ring)
		return ring;
	NL_SET_ERR_MSG_ATTR(info->extack, id, "no such ring");
	return ERR_PTR(-ENOENT);
}

int sluice_nl_ring_set(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *state = info->attrs[SLUICE_A_RING_STATE];
	struct sluice_ring *ring;
	int err;

	if (!state) {
		NL_SET_ERR_MSG(info->extack, "nothing to set: give the state");
		return -EINVAL;
	}
	mutex_lock(&sluice_mutex);
	ring = ring_from(info);
	err = PTR_ERR_OR_ZERO(ring) ?:
		      sluice_ring_drain(ring, nla_get_u32(state) & SLUICE_STATE_DRAINING);
	if (err == -EINVAL && !IS_ERR(ring))
		NL_SET_ERR_MSG(info->extack, "its consumer has not attached it yet");
	mutex_unlock(&sluice_mutex);
	return err;
}

int sluice_nl_ring_del(struct sk_buff *skb, struct genl_info *info)
{
	struct sluice_ring *ring;
	int err;

	mutex_lock(&sluice_mutex);
	ring = ring_from(info);
	err = PTR_ERR_OR_ZERO(ring);
	if (!err)
		sluice_ring_detach(ring);
	mutex_unlock(&sluice_mutex);
	return err;
}
