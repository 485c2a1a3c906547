// SPDX-License-Identifier: GPL-2.0-only
/* Framing by BPF programs: which program a TCP listener has, and what it is shown of a message. */
#include <linux/bpf.h>
#include <linux/filter.h>
#include <net/genetlink.h>
#include <uapi/linux/sluice_bpf.h>

#include "tcp.h"

struct sluice_framer {
	struct bpf_prog *prog;
	u32 number; /* of those that this listener has had; never 0 */
	char name[SLUICE_FRAMER_NAME_MAX + 1];
};

static struct sluice_framer *framer_create(struct sluice_tcp *tcp, struct nlattr *fd,
					   struct nlattr *name, struct netlink_ext_ack *extack)
{
	struct sluice_framer *f;
	struct bpf_prog *prog;

	if (sluice_view_init())
		return ERR_PTR(-ENOMEM);
	f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);
	if (!f)
		return ERR_PTR(-ENOMEM);
	prog = bpf_prog_get_type_dev(nla_get_u32(fd), BPF_PROG_TYPE_SOCKET_FILTER, false);
	if (IS_ERR(prog)) {
		kfree(f);
		NL_SET_ERR_MSG_ATTR(extack, fd, "not the fd of a socket-filter program");
		return ERR_CAST(prog);
	}
	f->prog = prog;
	f->number = ++tcp->framers ?: ++tcp->framers;
	if (name)
		nla_strscpy(f->name, name, sizeof(f->name));
	return f;
}

/**
 * sluice_framer_create() - take the program that a listener's attributes name
 * @l: listener; sluice_mutex is held
 * @tb: attributes
 * @extack: why not
 *
 * Context: may sleep. Return: the framer; NULL, they name none; ERR_PTR.
 */
struct sluice_framer *sluice_framer_create(struct sluice_listener *l, struct nlattr **tb,
					   struct netlink_ext_ack *extack)
{
	struct nlattr *fd = tb[SLUICE_A_LISTENER_FRAMER_FD];
	struct nlattr *name = tb[SLUICE_A_LISTENER_FRAMER_NAME];

	if (!fd && !name)
		return NULL;
	if (!l->tcp || l->tcp->framing != SLUICE_FRAMING_BPF) {
		NL_SET_ERR_MSG_ATTR(extack, fd ?: name,
				    "a program cuts messages with framing bpf only");
		return ERR_PTR(-EINVAL);
	}
	if (!fd) {
		NL_SET_ERR_MSG_ATTR(extack, name, "a framer's name needs its program beside it");
		return ERR_PTR(-EINVAL);
	}
	return framer_create(l->tcp, fd, name, extack);
}

void sluice_framer_destroy(struct sluice_framer *f)
{
	if (!f)
		return;
	bpf_prog_put(f->prog);
	kfree(f);
}

/**
 * sluice_framer_install() - let a listener's messages be cut by another program from now on
 * @l: listener; sluice_mutex is held
 * @f: taken; NULL: nothing changes
 *
 * A message whose length the old one had not told is shown to the new one from its first byte.
 * Context: may sleep.
 */
void sluice_framer_install(struct sluice_listener *l, struct sluice_framer *f)
{
	struct sluice_framer *old;
	struct sluice_conn *c;

	if (!f)
		return;
	old = rcu_replace_pointer(l->tcp->framer, f, lockdep_is_held(&sluice_mutex));
	if (!old)
		return;
	synchronize_rcu();
	sluice_framer_destroy(old);
	spin_lock_bh(&l->tcp->lock);
	list_for_each_entry(c, &l->tcp->conns, node)
		sluice_conn_kick(c);
	spin_unlock_bh(&l->tcp->lock);
}

/* No section sees @tcp. */
void sluice_framer_release(struct sluice_tcp *tcp)
{
	sluice_framer_destroy(rcu_dereference_protected(tcp->framer, true));
	RCU_INIT_POINTER(tcp->framer, NULL);
}

/* What a listener's attributes say of its framer; sluice_mutex is held. Return: 0 or -EMSGSIZE. */
int sluice_framer_fill(struct sk_buff *msg, const struct sluice_tcp *tcp)
{
	const struct sluice_framer *f =
		rcu_dereference_protected(tcp->framer, lockdep_is_held(&sluice_mutex));

	if (!f)
		return 0;
	if (f->name[0] && nla_put(msg, SLUICE_A_LISTENER_FRAMER_NAME, strlen(f->name), f->name))
		return -EMSGSIZE;
	return nla_put_u32(msg, SLUICE_A_LISTENER_FRAMER_ID, f->prog->aux->id);
}

/* Copy @len bytes from byte @from of the message that begins at @at. Return: 0 or -EFAULT. */
static int show(struct sluice_conn *c, u32 at, u32 from, u8 *to, u32 len)
{
	u32 kept = from < c->head_len ? min(len, c->head_len - from) : 0;

	if (kept)
		memcpy(to, c->head->data + from, kept);
	if (kept == len)
		return 0;
	return sluice_conn_copy(c->sk, at + from + kept - c->head_len, to + kept, len - kept);
}

/* What it means that a program returned @ret and left @done in cb[0]. Return: as feed. */
static int judge(struct sluice_conn *c, int ret, u32 done)
{
	struct sluice_framer_state *s = &c->framer;
	u32 max = c->tcp->frame.max;

	if (ret < 0)
		return ret == -EMSGSIZE ? -EMSGSIZE : -EPROTO;
	if (!ret) {
		if (done < s->done)
			return -EPROTO;
		if (done > max)
			return -EMSGSIZE;
		s->done = done;
		return 0;
	}
	if ((u32)ret > max)
		return -EMSGSIZE;
	/* what is in c->head is of this message, or the framer has changed its mind */
	return (u32)ret < max(s->done, c->head_len) ? -EPROTO : ret;
}

/* The first look at a message, or at one that another program had begun with, is at its start. */
static void begin(struct sluice_conn *c, const struct sluice_framer *f)
{
	if (likely(c->framer.number == f->number))
		return;
	memset(&c->framer, 0, sizeof(c->framer));
	c->framer.number = f->number;
	c->fed = 0;
}

/* How much to show: what is shown again, and at least as much that is new, while there is room. */
static u32 window_size(const struct sluice_conn *c)
{
	u32 again = c->fed > c->framer.done ? c->fed - c->framer.done : 0;
	u32 window = SLUICE_FRAMER_FIRST;

	while (window < 2 * again && window < SLUICE_FRAMER_WINDOW)
		window *= 4;
	return window;
}

/* Run the program on the next of the @total bytes. Context: section. Return: as feed. */
static int ask(struct sluice_conn *c, u32 at, u32 total, const struct sluice_framer *f)
{
	struct sluice_framer_state *s = &c->framer;
	u32 n, from = s->done, *cb;
	struct sk_buff *skb;
	int ret;

	if (from >= total) {
		c->fed = total;
		return 0;
	}
	n = min(total - from, window_size(c));
	skb = sluice_view(c->alen == 4 ? 4 : 6, n);
	if (show(c, at, from, skb->data, n))
		return -EFAULT;
	skb->mark = c->tcp->frame.max;
	cb = (u32 *)bpf_skb_cb(skb);
	cb[0] = from;
	memcpy(cb + 1, s->own, sizeof(s->own));
	ret = bpf_prog_run_pin_on_cpu(f->prog, skb);
	ret = judge(c, ret, cb[0]);
	if (ret)
		return ret;
	memcpy(s->own, cb + 1, sizeof(s->own));
	c->fed = from + n;
	/* so that what it is shown in all is no more than twice what has come */
	if (n == SLUICE_FRAMER_WINDOW && from + n < total && s->done - from < n / 2)
		return -EPROTO;
	return 0;
}

/**
 * sluice_framer_feed() - let a listener's program look at what has come of a message
 * @c: its socket lock is held
 * @at: where in the receive queue the message goes on, after what is in c->head
 * @avail: bytes that are there from @at on
 *
 * Each run is shown bytes that those before it were not, and as many at the most that they were,
 * but for what comes in small pieces: then a window at the most. Return: as sluice_frame_feed();
 * -EFAULT.
 */
int sluice_framer_feed(struct sluice_conn *c, u32 at, u32 avail)
{
	u32 total = min(c->head_len + avail, c->tcp->frame.max);
	const struct sluice_framer *f;
	int ret = 0;

	do {
		local_bh_disable();
		f = rcu_dereference_bh(c->tcp->framer);
		begin(c, f);
		if (c->fed < total)
			ret = ask(c, at, total, f);
		local_bh_enable();
	} while (!ret && c->fed < total);
	return ret || total < c->tcp->frame.max ? ret : -EMSGSIZE;
}
