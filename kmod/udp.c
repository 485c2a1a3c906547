// SPDX-License-Identifier: GPL-2.0-only
/*
 * UDP ingress: takes over a socket's datagrams below its receive queue.
 */
#include <linux/file.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/net.h>
#include <linux/udp.h>
#include <net/ipv6.h>
#include <net/udp.h>
#include <net/udp_tunnel.h>
#include <net/xfrm.h>

#include "ingress.h"
#include "udp.h"

/*
 * An encapsulation type of its own: the stack only asks whether it is 0, or one of those it handles
 * itself.
 */
#define ENCAP_TYPE 0x5c

/* What the classifier sees of a datagram; only the linear part of its bytes. */
static void describe(const struct sk_buff *skb, struct sluice_msg *msg)
{
	msg->len = skb->len - SLUICE_UDP_HLEN;
	msg->data = skb->data + SLUICE_UDP_HLEN;
	msg->avail = min(skb_headlen(skb) - SLUICE_UDP_HLEN, msg->len);
	if (skb->protocol == htons(ETH_P_IP)) {
		msg->family = 4;
		memcpy(msg->saddr, &ip_hdr(skb)->saddr, 4);
	} else {
		msg->family = 6;
		memcpy(msg->saddr, &ipv6_hdr(skb)->saddr, 16);
	}
}

/* The device a message came by; what this machine sends to itself came by the one it is about. */
static u32 device(const struct sk_buff *skb)
{
	if (IS_ENABLED(CONFIG_IPV6) && skb->protocol == htons(ETH_P_IPV6))
		return inet6_iif(skb);
	return skb->dev ? skb->dev->ifindex : 0;
}

static bool take(struct sluice_listener *l, const struct sluice_msg *msg, struct sk_buff *skb)
{
	const struct sluice_arrival from = {
		.len = msg->len,
		.off = SLUICE_UDP_HLEN,
		.ifindex = device(skb),
		.truesize = skb->truesize,
		.kind = SLUICE_REQ_KIND_UDP,
		.skb = skb,
	};
	struct sluice_hint hint;

	if (unlikely(rcu_access_pointer(l->classifier)) &&
	    sluice_classifier_ask(l, skb, from.off, &hint))
		return sluice_ingress(l, msg, &hint, &from);
	return sluice_ingress(l, msg, NULL, &from);
}

/*
 * The first bytes of the datagram are in pieces: the classifier gets a copy. A function of its own,
 * since kernels that clear the stack would clear the copy's room for every datagram.
 */
static noinline bool take_scattered(struct sluice_listener *l, struct sluice_msg *msg,
				    struct sk_buff *skb)
{
	u8 buf[SLUICE_DEPTH_MAX];

	msg->avail = min_t(u32, msg->len, SLUICE_DEPTH_MAX);
	/* shorter than it says: the stack may have it */
	if (skb_copy_bits(skb, SLUICE_UDP_HLEN, buf, msg->avail))
		return false;
	msg->data = buf;
	return take(l, msg, skb);
}

/* Before a datagram of our own, for the headers of its reply. */
#define OWN_HEAD (NET_SKB_PAD + LL_MAX_HEADER)

/* Give each datagram of a buffer to the rules. Takes @from->skb. @buf: NULL if it is linear. */
static void take_each(struct sluice_listener *l, struct sluice_msg *msg,
		      struct sluice_arrival *from, u32 size, u8 *buf)
{
	struct sk_buff *skb = from->skb;
	u32 left = msg->len, n = DIV_ROUND_UP(left, size);

	/* what it holds of the buffer, or alone if it has to wait */
	from->truesize = max_t(u32, skb->truesize / n, SKB_TRUESIZE(OWN_HEAD + size));
	/* each request has one; while some are left to be made, we have theirs */
	refcount_add(n - 1, &skb->users);
	from->now = sluice_now();
	for (; left; left -= msg->len, from->off += msg->len) {
		msg->len = min(left, size);
		msg->avail = msg->len;
		msg->data = skb->data + from->off;
		if (unlikely(buf)) {
			msg->avail = min_t(u32, msg->len, SLUICE_DEPTH_MAX);
			msg->data = buf;
			/* cannot fail: it is no shorter than it says */
			skb_copy_bits(skb, from->off, buf, msg->avail);
		}
		from->len = msg->len;
		/* nobody reads our own socket: nothing is left to it */
		if (!sluice_ingress(l, msg, NULL, from))
			kfree_skb(skb);
	}
}

static noinline void take_each_scattered(struct sluice_listener *l, struct sluice_msg *msg,
					 struct sluice_arrival *from, u32 size)
{
	u8 buf[SLUICE_DEPTH_MAX];

	take_each(l, msg, from, size, buf);
}

/*
 * Datagrams of one flow in one buffer, all but the last of one length: each is a request that
 * refers to the buffer. A classifier is not asked: one that came this very moment, or whose
 * listener was given what another address got (by TPROXY, or a program). Takes @skb.
 */
static noinline void take_gathered(struct sluice_listener *l, struct sk_buff *skb)
{
	u32 size = skb_shinfo(skb)->gso_size;
	struct sluice_arrival from = {
		.off = SLUICE_UDP_HLEN,
		.ifindex = device(skb),
		.kind = SLUICE_REQ_KIND_UDP,
		.shared = true,
		.skb = skb,
	};
	struct sluice_msg msg;

	/* without memory for that each is looked for in its pieces */
	skb_linearize(skb);
	describe(skb, &msg);
	sluice_skb_detach(skb);
	if (likely(!skb_is_nonlinear(skb)))
		take_each(l, &msg, &from, size, NULL);
	else
		take_each_scattered(l, &msg, &from, size);
}

/**
 * sluice_udp_unshare() - a request is going to wait: let it hold no more memory than it needs
 * @req: refers to a buffer with others; nobody else sees it
 *
 * Without memory it goes on holding the buffer. Context: bottom halves disabled; the lock of a
 * group or ring may be held.
 */
void sluice_udp_unshare(struct sluice_req *req)
{
	struct sk_buff *own, *from = req->skb;
	u32 l3_len = skb_transport_header(from) - skb_network_header(from);

	own = alloc_skb(OWN_HEAD + l3_len + SLUICE_UDP_HLEN + req->len, GFP_ATOMIC | __GFP_NOWARN);
	if (unlikely(!own))
		return;
	skb_reserve(own, OWN_HEAD);
	skb_reset_network_header(own);
	skb_set_transport_header(own, l3_len);
	skb_put_data(own, skb_network_header(from), l3_len + SLUICE_UDP_HLEN);
	/* cannot fail: the length is the message's own */
	skb_copy_bits(from, req->off, skb_put(own, req->len), req->len);
	skb_pull(own, l3_len);
	own->protocol = from->protocol;
	own->pkt_type = from->pkt_type;
	consume_skb(from);
	req->skb = own;
	req->off = SLUICE_UDP_HLEN;
	req->shared = false;
}

/*
 * The socket's encapsulation hook: routing, firewall, socket lookup and checksum are done.
 * skb->data is the UDP header.
 * Context: softirq. Return: 0 taken, 1 the socket shall have it.
 */
static int encap_rcv(struct sock *sk, struct sk_buff *skb)
{
	struct sluice_listener *l = rcu_dereference_sk_user_data(sk);
	struct sluice_msg msg;

	if (unlikely(!l || !pskb_may_pull(skb, SLUICE_UDP_HLEN)))
		return 1;
	if (unlikely(skb_is_gso(skb)) && sluice_gro_whole(skb)) {
		/* adopted, and given what another address got: its owner asked for buffers */
		if (!l->gro)
			return 1;
		take_gathered(l, skb);
		return 0;
	}
	describe(skb, &msg);
	if (unlikely(msg.avail < min_t(u32, msg.len, SLUICE_DEPTH_MAX)))
		return take_scattered(l, &msg, skb) ? 0 : 1;
	return take(l, &msg, skb) ? 0 : 1;
}

/* The adopted socket's owner closes it: the listener stays, empty, until it is removed. */
static void encap_destroy(struct sock *sk)
{
	struct sluice_listener *l;

	rcu_read_lock();
	l = rcu_dereference_sk_user_data(sk);
	if (l) {
		WRITE_ONCE(l->closed, true);
		schedule_work(&l->closed_work);
	}
	rcu_read_unlock();
}

/**
 * sluice_udp_open() - make a kernel socket for a listener; sluice_udp_bind() lets messages in
 * @l: listener being made, with its address
 * @extack: why not
 *
 * The socket does not hold the namespace. Context: may sleep. Return: 0 or -errno.
 */
int sluice_udp_open(struct sluice_listener *l, struct netlink_ext_ack *extack)
{
	struct socket *sock;
	int err;

	err = sock_create_kern(l->sn->net, l->addr_len == 4 ? AF_INET : AF_INET6, SOCK_DGRAM,
			       IPPROTO_UDP, &sock);
	if (err)
		return err;
	err = sluice_bind_device(l, sock, extack);
	if (err) {
		sock_release(sock);
		return err;
	}
	sock_hold(sock->sk);
	l->sk = sock->sk;
	l->sock = sock;
	return 0;
}

/**
 * sluice_udp_bind() - let messages in
 * @l: armed; an adopted socket is bound already
 * @extack: why not
 *
 * After the socket was armed, so that none of them ends in its receive queue, which nobody reads.
 *
 * Context: may sleep. Return: 0 or -errno.
 */
int sluice_udp_bind(struct sluice_listener *l, struct netlink_ext_ack *extack)
{
	return l->adopted ? 0 : sluice_bind(l, l->sock, extack);
}

/**
 * sluice_udp_adopt() - take a bound UDP socket of the calling process
 * @l: listener being made
 * @fd: its number in the caller
 * @extack: why not
 *
 * The file is not held: the owner may close it at any time, which ends the listener's intake.
 *
 * Context: may sleep, in the caller. Return: 0 or -errno.
 */
int sluice_udp_adopt(struct sluice_listener *l, int fd, struct netlink_ext_ack *extack)
{
	struct socket *sock;
	struct sock *sk;
	int err;

	sock = sockfd_lookup(fd, &err);
	if (!sock) {
		NL_SET_ERR_MSG(extack, "fd is not an open socket of the calling process");
		return err;
	}
	sk = sock->sk;
	err = -EINVAL;
	if ((sk->sk_family != AF_INET && sk->sk_family != AF_INET6) || sk->sk_type != SOCK_DGRAM ||
	    sk->sk_protocol != IPPROTO_UDP) {
		NL_SET_ERR_MSG(extack, "fd is not a UDP socket");
		goto out;
	}
	if (!net_eq(sock_net(sk), l->sn->net)) {
		NL_SET_ERR_MSG(extack, "the socket belongs to another network namespace");
		goto out;
	}
	if (!inet_sk(sk)->inet_num) {
		NL_SET_ERR_MSG(extack, "the socket is not bound: bind it first");
		goto out;
	}
	sock_hold(sk);
	l->sk = sk;
	l->adopted = true;
	sluice_listener_read_address(l);
	err = sluice_gro_conflict(l, extack);
out:
	sockfd_put(sock);
	return err;
}

/* Others that claim sockets do it under this lock. @sk is locked. */
static void user_data_set(struct sock *sk, struct sluice_listener *l)
{
	write_lock_bh(&sk->sk_callback_lock);
	rcu_assign_sk_user_data(sk, l);
	write_unlock_bh(&sk->sk_callback_lock);
}

static bool user_data_claim(struct sock *sk, struct sluice_listener *l)
{
	bool free;

	write_lock_bh(&sk->sk_callback_lock);
	free = !sk->sk_user_data;
	if (free)
		rcu_assign_sk_user_data(sk, l);
	write_unlock_bh(&sk->sk_callback_lock);
	return free;
}

/**
 * sluice_udp_attach() - arm the socket: its datagrams come to encap_rcv() from now on
 * @l: complete but for this
 * @extack: why not
 *
 * Context: may sleep. Return: 0, or -EBUSY if something else has taken the socket over, or its
 * owner closed it.
 */
int sluice_udp_attach(struct sluice_listener *l, struct netlink_ext_ack *extack)
{
	struct sock *sk = l->sk;
	int err = 0;

	lock_sock(sk);
	if (sock_flag(sk, SOCK_DEAD)) {
		NL_SET_ERR_MSG(extack, "the socket has been closed");
		err = -EBUSY;
	} else if (READ_ONCE(udp_sk(sk)->encap_type) || !user_data_claim(sk, l)) {
		NL_SET_ERR_MSG(extack, "taken already: by another listener, or for encapsulation");
		err = -EBUSY;
	} else {
		WRITE_ONCE(udp_sk(sk)->encap_rcv, encap_rcv);
		WRITE_ONCE(udp_sk(sk)->encap_destroy, l->adopted ? encap_destroy : NULL);
		WRITE_ONCE(udp_sk(sk)->encap_type, ENCAP_TYPE);
		if (l->gro) {
			udp_set_bit(GRO_ENABLED, sk);
			udp_set_bit(ACCEPT_L4, sk);
		}
		/* the socket itself undoes this when it is destroyed */
		udp_tunnel_encap_enable(sk);
	}
	release_sock(sk);
	return err;
}

/* Disarm a socket; no section is in encap_rcv() for it, nor will be, on return. May sleep. */
static void disarm(struct sock *sk)
{
	lock_sock(sk);
	WRITE_ONCE(udp_sk(sk)->encap_type, 0);
	WRITE_ONCE(udp_sk(sk)->encap_destroy, NULL);
	user_data_set(sk, NULL);
	release_sock(sk);
	/*
	 * encap_rcv is left until no section can be between its test of encap_type and the call:
	 * the stack tests the pointer too, but an adopted socket lives on and must not call into a
	 * module that is gone.
	 */
	synchronize_rcu();
	WRITE_ONCE(udp_sk(sk)->encap_rcv, NULL);
}

/**
 * sluice_udp_detach() - let no message of the socket in any more
 * @l: listener
 *
 * The kernel's own socket first becomes unreachable, so that what it is sent is answered by the
 * stack instead of ending in its receive queue. Context: may sleep.
 */
void sluice_udp_detach(struct sluice_listener *l)
{
	mutex_lock(&l->sk_mutex);
	if (!l->adopted) {
		l->sk->sk_prot->unhash(l->sk);
		synchronize_rcu();
	}
	disarm(l->sk);
	mutex_unlock(&l->sk_mutex);
}

/**
 * sluice_udp_let_go() - part with an adopted socket that its owner has closed
 * @l: listener; its socket may have been let go of already
 *
 * The socket holds its namespace as long as we hold it. What is in flight is answered through an
 * unbound socket of the kernel's own, which does not.
 *
 * Context: may sleep. Without memory the socket stays until the listener is removed.
 */
void sluice_udp_let_go(struct sluice_listener *l)
{
	struct socket *sock;
	struct sock *old;

	mutex_lock(&l->sk_mutex);
	old = l->sk;
	if (l->sock || sock_create_kern(l->sn->net, l->addr_len == 4 ? AF_INET : AF_INET6,
					SOCK_DGRAM, IPPROTO_UDP, &sock))
		goto out;
	sock->sk->sk_mark = READ_ONCE(old->sk_mark);
	sock->sk->sk_priority = READ_ONCE(old->sk_priority);
	sock->sk->sk_bound_dev_if = READ_ONCE(old->sk_bound_dev_if);
	sock->sk->sk_uid = old->sk_uid;
	sock_hold(sock->sk);
	l->sock = sock;
	WRITE_ONCE(l->sk, sock->sk);
	/* waits for the sections that use the old one, too */
	disarm(old);
	sock_put(old);
out:
	mutex_unlock(&l->sk_mutex);
}

/* Let go of the socket; the kernel's own is closed. May sleep. */
void sluice_udp_release(struct sluice_listener *l)
{
	if (l->sock)
		sock_release(l->sock);
	if (l->sk)
		sock_put(l->sk);
}
