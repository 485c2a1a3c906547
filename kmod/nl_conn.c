// SPDX-License-Identifier: GPL-2.0-only
/* Netlink commands on connections, and what a TCP listener says of itself. */
#include "nl.h"
#include "tcp.h"

static int put_u64(struct sk_buff *msg, int type, u64 value)
{
	return nla_put_u64_64bit(msg, type, value, SLUICE_A_LISTENER_PAD);
}

static int framing_fill(struct sk_buff *msg, const struct sluice_tcp *tcp)
{
	const struct sluice_frame *f = &tcp->frame;

	if (nla_put_u32(msg, SLUICE_A_LISTENER_FRAMING, tcp->framing) ||
	    nla_put_u32(msg, SLUICE_A_LISTENER_MESSAGE_MAX, f->max))
		return -EMSGSIZE;
	if (tcp->framing == SLUICE_FRAMING_BPF)
		return sluice_framer_fill(msg, tcp);
	switch (f->type) {
	case SLUICE_FRAME_LENGTH:
		if (nla_put_u32(msg, SLUICE_A_LISTENER_FRAME_OFFSET, f->offset) ||
		    nla_put_u32(msg, SLUICE_A_LISTENER_FRAME_WIDTH, f->width) ||
		    (f->little && nla_put_flag(msg, SLUICE_A_LISTENER_FRAME_LITTLE)) ||
		    (f->whole && nla_put_flag(msg, SLUICE_A_LISTENER_FRAME_WHOLE)))
			return -EMSGSIZE;
		return 0;
	case SLUICE_FRAME_LINE:
		return nla_put_u32(msg, SLUICE_A_LISTENER_FRAME_DELIM, f->delim);
	default:
		return 0;
	}
}

/* The TCP part of a listener's attributes; sluice_mutex is held. Return: 0 or -EMSGSIZE. */
int sluice_nl_tcp_fill(struct sk_buff *msg, struct sluice_tcp *tcp)
{
	u64 count[SLUICE_CONN_COUNTS_N];
	int i;

	for (i = 0; i < SLUICE_CONN_COUNTS_N; i++)
		count[i] = atomic64_read(&tcp->count[i]);
	if (framing_fill(msg, tcp) ||
	    (tcp->unordered && nla_put_flag(msg, SLUICE_A_LISTENER_UNORDERED)) ||
	    (tcp->reuseport && nla_put_flag(msg, SLUICE_A_LISTENER_REUSEPORT)) ||
	    nla_put_u32(msg, SLUICE_A_LISTENER_BACKLOG, tcp->backlog) ||
	    nla_put_u32(msg, SLUICE_A_LISTENER_MAX_CONNS, tcp->max_conns) ||
	    nla_put_u32(msg, SLUICE_A_LISTENER_MAX_PER_SOURCE, tcp->max_per_source) ||
	    nla_put_u32(msg, SLUICE_A_LISTENER_PIPELINE, tcp->pipeline) ||
	    nla_put_u32(msg, SLUICE_A_LISTENER_SEND_LIMIT, tcp->send_limit) ||
	    put_u64(msg, SLUICE_A_LISTENER_IDLE_NS, tcp->idle_ns) ||
	    put_u64(msg, SLUICE_A_LISTENER_MESSAGE_NS, tcp->message_ns) ||
	    put_u64(msg, SLUICE_A_LISTENER_SEND_NS, tcp->send_ns) ||
	    put_u64(msg, SLUICE_A_LISTENER_KEEPALIVE_NS, tcp->keepalive_ns) ||
	    nla_put_u32(msg, SLUICE_A_LISTENER_CONNS, READ_ONCE(tcp->nconns)) ||
	    nla_put(msg, SLUICE_A_LISTENER_CONN_COUNTS, sizeof(count), count))
		return -EMSGSIZE;
	return 0;
}

static enum sluice_conn_state state_of(const struct sluice_conn *c)
{
	if (READ_ONCE(c->ending))
		return SLUICE_CONN_STATE_CLOSING;
	if (c->owner && READ_ONCE(c->owner->passing))
		return SLUICE_CONN_STATE_PASSING;
	if (READ_ONCE(c->paused_on))
		return SLUICE_CONN_STATE_PAUSED;
	if (sluice_conn_in_flight(c) >= c->tcp->pipeline ||
	    READ_ONCE(c->memory) >= c->tcp->send_limit)
		return SLUICE_CONN_STATE_HELD;
	return SLUICE_CONN_STATE_OPEN;
}

static int conn_put_u64(struct sk_buff *msg, int type, u64 value)
{
	return nla_put_u64_64bit(msg, type, value, SLUICE_A_CONN_PAD);
}

/* What a connection is now, read without its lock: each value may be a moment old. */
static int conn_fill(struct sk_buff *msg, const struct sluice_conn *c)
{
	u64 now = sluice_now();

	if (conn_put_u64(msg, SLUICE_A_CONN_ID, c->id) ||
	    nla_put_string(msg, SLUICE_A_CONN_LISTENER, c->tcp->l->name) ||
	    nla_put_u32(msg, SLUICE_A_CONN_STATE, state_of(c)) ||
	    (c->owner && nla_put_flag(msg, SLUICE_A_CONN_ADOPTED)) ||
	    nla_put(msg, SLUICE_A_CONN_PEER, c->alen, c->peer) ||
	    nla_put_u16(msg, SLUICE_A_CONN_PEER_PORT, c->peer_port) ||
	    nla_put(msg, SLUICE_A_CONN_ADDR, c->alen, c->addr) ||
	    nla_put_u16(msg, SLUICE_A_CONN_PORT, c->port) ||
	    conn_put_u64(msg, SLUICE_A_CONN_AGE_NS, now - c->born) ||
	    conn_put_u64(msg, SLUICE_A_CONN_IDLE_NS, now - READ_ONCE(c->active)) ||
	    conn_put_u64(msg, SLUICE_A_CONN_RECEIVED_BYTES, READ_ONCE(c->received_bytes)) ||
	    conn_put_u64(msg, SLUICE_A_CONN_SENT_BYTES, READ_ONCE(c->sent_bytes)) ||
	    conn_put_u64(msg, SLUICE_A_CONN_REQUESTS, READ_ONCE(c->requests)) ||
	    nla_put_u32(msg, SLUICE_A_CONN_IN_FLIGHT, sluice_conn_in_flight(c)) ||
	    nla_put_u32(msg, SLUICE_A_CONN_QUEUED_BYTES, READ_ONCE(c->queued)))
		return -EMSGSIZE;
	return 0;
}

static int conn_dump(struct sk_buff *skb, struct netlink_callback *cb, const struct sluice_conn *c)
{
	void *hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq, &sluice_family,
				NLM_F_MULTI, SLUICE_CMD_CONN_GET);

	if (!hdr)
		return -EMSGSIZE;
	if (conn_fill(skb, c)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

/*
 * cb->args[0]: id of the last connection that was said. Ids grow along both lists, so that what
 * comes and goes between two parts of the dump does no harm.
 */
int sluice_nl_conn_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct nlattr *name = sluice_dump_attrs(cb)[SLUICE_A_CONN_LISTENER];
	struct sluice_net *sn = sluice_nl_dump_net(skb);
	struct sluice_listener *l;
	struct sluice_conn *c;
	int err = 0;

	mutex_lock(&sluice_mutex);
	list_for_each_entry(l, &sn->listeners, list) {
		if (!l->tcp || (name && strcmp(l->name, nla_data(name))))
			continue;
		spin_lock_bh(&l->tcp->lock);
		list_for_each_entry(c, &l->tcp->conns, node) {
			if (c->id <= (u64)cb->args[0])
				continue;
			err = conn_dump(skb, cb, c);
			if (err)
				break;
			cb->args[0] = c->id;
		}
		spin_unlock_bh(&l->tcp->lock);
		if (err)
			break;
	}
	mutex_unlock(&sluice_mutex);
	return skb->len;
}

/* Find a connection. Context: sluice_mutex is held. Return: it, with a reference, or NULL. */
static struct sluice_conn *conn_find(struct sluice_net *sn, u64 id)
{
	struct sluice_conn *c, *found = NULL;
	struct sluice_listener *l;

	list_for_each_entry(l, &sn->listeners, list) {
		if (!l->tcp || (u64)l->id << SLUICE_CONN_ID_BITS !=
				       (id & ~(BIT_ULL(SLUICE_CONN_ID_BITS) - 1)))
			continue;
		spin_lock_bh(&l->tcp->lock);
		list_for_each_entry(c, &l->tcp->conns, node) {
			if (c->id != id)
				continue;
			sluice_conn_get(c);
			found = c;
			break;
		}
		spin_unlock_bh(&l->tcp->lock);
	}
	return found;
}

int sluice_nl_conn_new(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *name = info->attrs[SLUICE_A_CONN_LISTENER];
	struct nlattr *fd = info->attrs[SLUICE_A_CONN_SOCKET_FD];
	struct sluice_listener *l;
	int err;

	if (!name || !fd) {
		NL_SET_ERR_MSG(info->extack, "a listener and the fd of a socket are needed");
		return -EINVAL;
	}
	err = sluice_may_adopt(info->extack);
	if (err)
		return err;
	mutex_lock(&sluice_mutex);
	l = sluice_listener_find(sluice_nl_net(info), nla_data(name));
	if (!l) {
		NL_SET_ERR_MSG_ATTR(info->extack, name, "no such listener");
		err = -ENOENT;
	} else if (!l->tcp) {
		NL_SET_ERR_MSG_ATTR(info->extack, name, "it is no listener of TCP");
		err = -EINVAL;
	} else {
		err = sluice_owner_adopt(l->tcp, nla_get_u32(fd), info->extack);
	}
	mutex_unlock(&sluice_mutex);
	return err;
}

int sluice_nl_conn_del(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *id = info->attrs[SLUICE_A_CONN_ID];
	struct sluice_conn *c;

	if (!id) {
		NL_SET_ERR_MSG(info->extack, "the connection's id is needed");
		return -EINVAL;
	}
	mutex_lock(&sluice_mutex);
	c = conn_find(sluice_nl_net(info), nla_get_u64(id));
	if (c) {
		sluice_conn_release(c, SLUICE_CONN_KILLED);
		sluice_conn_put(c);
	}
	mutex_unlock(&sluice_mutex);
	if (c)
		return 0;
	NL_SET_ERR_MSG_ATTR(info->extack, id, "no such connection: it may have ended");
	return -ENOENT;
}
