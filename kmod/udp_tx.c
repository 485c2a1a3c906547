// SPDX-License-Identifier: GPL-2.0-only
/*
 * UDP egress: turns a request and the bytes of its reply into a datagram from the address the
 * request came to.
 */
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>
#include <net/route.h>
#include <net/udp.h>

#include "route.h"
#include "sluice.h"

static void read_peer(const struct sluice_req *r, struct sluice_peer *p)
{
	const struct sk_buff *req = r->skb;
	const struct udphdr *uh = udp_hdr(req);

	p->sport = uh->dest;
	p->dport = uh->source;
	p->ifindex = r->ifindex;
	p->v6 = req->protocol != htons(ETH_P_IP);
	if (p->v6) {
		p->a6.saddr = ipv6_hdr(req)->daddr;
		p->a6.daddr = ipv6_hdr(req)->saddr;
		/* a multicast group is no source: the route chooses one */
		if (ipv6_addr_is_multicast(&p->a6.saddr))
			p->a6.saddr = in6addr_any;
	} else {
		p->v4.saddr = ip_hdr(req)->daddr;
		p->v4.daddr = ip_hdr(req)->saddr;
		if (req->pkt_type == PACKET_BROADCAST || req->pkt_type == PACKET_MULTICAST ||
		    ipv4_is_multicast(p->v4.saddr) || ipv4_is_lbcast(p->v4.saddr))
			p->v4.saddr = 0;
	}
}

/* The request's own skb can carry the reply if nobody else sees its bytes and they fit. */
static bool reusable(const struct sk_buff *req, u32 len)
{
	return !skb_is_nonlinear(req) && !skb_cloned(req) &&
	       len <= skb_end_pointer(req) - (skb_transport_header(req) + SLUICE_UDP_HLEN);
}

static struct sk_buff *reuse(struct sk_buff *skb)
{
	skb_pull(skb, SLUICE_UDP_HLEN);
	__skb_trim(skb, 0);
	skb_scrub_packet(skb, true);
	__vlan_hwaccel_clear_tag(skb);
	skb_reset_redirect(skb);
	skb->ip_summed = CHECKSUM_NONE;
	skb->csum_valid = 0;
	skb->csum_complete_sw = 0;
	skb->encapsulation = 0;
	skb_shinfo(skb)->tx_flags = 0;
	skb_shinfo(skb)->tskey = 0;
	return skb;
}

static struct sk_buff *fresh(const struct dst_entry *dst, u32 hlen, u32 len)
{
	u32 head = LL_RESERVED_SPACE(dst->dev) + dst->header_len + hlen + SLUICE_UDP_HLEN;
	struct sk_buff *skb = alloc_skb(head + len, GFP_ATOMIC);

	if (skb)
		skb_reserve(skb, head);
	return skb;
}

static struct udphdr *push_udp(struct sk_buff *skb, const struct sluice_peer *p, u32 len)
{
	struct udphdr *uh = __skb_push(skb, SLUICE_UDP_HLEN);

	skb_reset_transport_header(skb);
	uh->source = p->sport;
	uh->dest = p->dport;
	uh->len = htons(SLUICE_UDP_HLEN + len);
	return uh;
}

static int xmit4(struct sluice_listener *l, struct sk_buff *skb, struct rtable *rt,
		 const struct sluice_peer *p, u32 len)
{
	struct net *net = l->sn->net;
	struct iphdr *iph;

	push_udp(skb, p, len);
	udp_set_csum(false, skb, p->v4.saddr, p->v4.daddr, SLUICE_UDP_HLEN + len);
	iph = __skb_push(skb, sizeof(*iph));
	skb_reset_network_header(skb);
	memset(IPCB(skb), 0, sizeof(*IPCB(skb)));
	iph->version = 4;
	iph->ihl = sizeof(*iph) / 4;
	iph->tos = 0;
	iph->ttl = ip4_dst_hoplimit(&rt->dst);
	iph->protocol = IPPROTO_UDP;
	iph->saddr = p->v4.saddr;
	iph->daddr = p->v4.daddr;
	/*
	 * as a socket with path MTU discovery does: whole datagrams may not be fragmented on the
	 * way, larger ones are here
	 */
	if (skb->len <= dst_mtu(&rt->dst)) {
		iph->frag_off = htons(IP_DF);
		iph->id = 0;
	} else {
		iph->frag_off = 0;
		skb->ignore_df = 1;
		__ip_select_ident(net, iph, 1);
	}
	skb->protocol = htons(ETH_P_IP);
	return ip_local_out(net, READ_ONCE(l->sk), skb);
}

#if IS_ENABLED(CONFIG_IPV6)
static int xmit6(struct sluice_listener *l, struct sk_buff *skb, struct dst_entry *dst,
		 const struct sluice_peer *p, u32 len)
{
	struct ipv6hdr *ip6h;

	push_udp(skb, p, len);
	udp6_set_csum(false, skb, &p->a6.saddr, &p->a6.daddr, SLUICE_UDP_HLEN + len);
	ip6h = __skb_push(skb, sizeof(*ip6h));
	skb_reset_network_header(skb);
	memset(skb->cb, 0, sizeof(struct inet6_skb_parm));
	ip6_flow_hdr(ip6h, 0, 0);
	ip6h->payload_len = htons(SLUICE_UDP_HLEN + len);
	ip6h->nexthdr = IPPROTO_UDP;
	ip6h->hop_limit = ip6_dst_hoplimit(dst);
	ip6h->saddr = p->a6.saddr;
	ip6h->daddr = p->a6.daddr;
	skb->protocol = htons(ETH_P_IPV6);
	skb->ignore_df = 1;
	return ip6_local_out(l->sn->net, READ_ONCE(l->sk), skb);
}

static int xmit(struct sluice_listener *l, struct sk_buff *skb, struct dst_entry *dst,
		const struct sluice_peer *p, u32 len)
{
	if (p->v6)
		return xmit6(l, skb, dst, p, len);
	return xmit4(l, skb, container_of(dst, struct rtable, dst), p, len);
}

#else
static int xmit(struct sluice_listener *l, struct sk_buff *skb, struct dst_entry *dst,
		const struct sluice_peer *p, u32 len)
{
	return xmit4(l, skb, container_of(dst, struct rtable, dst), p, len);
}
#endif

/* Send @data to @p, in @req's own skb if it may travel in that; NULL: in a fresh one. */
static int send(struct sluice_listener *l, struct sluice_routes *routes, struct sluice_peer *p,
		struct sluice_req *req, const void *data, u32 len)
{
	u32 hlen = p->v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	const struct sock *sk;
	struct dst_entry *dst;
	struct sk_buff *skb;
	bool ref;
	int err;

	if (len > U16_MAX - SLUICE_UDP_HLEN - (p->v6 ? 0 : hlen))
		return -EMSGSIZE;
	dst = sluice_route_get(l, routes, p, &ref);
	if (IS_ERR(dst))
		return PTR_ERR(dst);
	if (req && reusable(req->skb, len)) {
		skb = reuse(req->skb);
		req->skb = NULL;
	} else {
		skb = fresh(dst, hlen, len);
	}
	if (!skb) {
		if (ref)
			dst_release(dst);
		return -ENOMEM;
	}
	skb_put_data(skb, data, len);
	sk = READ_ONCE(l->sk);
	skb->mark = READ_ONCE(sk->sk_mark);
	skb->priority = READ_ONCE(sk->sk_priority);
	rcu_read_lock();
	if (ref)
		skb_dst_set(skb, dst);
	else
		skb_dst_set_noref(skb, dst);
	err = xmit(l, skb, dst, p, len);
	rcu_read_unlock();
	return net_xmit_eval(err); /* a macro that looks at its argument twice */
}

/**
 * sluice_udp_reply() - send a datagram to the sender of a request
 * @req: request whose skb is there; with @last it may travel in that
 * @routes: of the ring whose tx_lock is held, or NULL
 * @data: reply; may be memory that a consumer changes meanwhile: it is read once
 * @len: bytes of it, 0 to 65507 less headers; a longer one fails with -EMSGSIZE
 * @last: no further reply follows for this request
 *
 * Leaves from the address the request came to. What local firewall and routing refuse, or a full
 * queue of the device drops at once, is an error; what happens later is the network's.
 *
 * Context: bottom halves disabled. Return: 0 or -errno.
 */
int sluice_udp_reply(struct sluice_req *req, struct sluice_routes *routes, const void *data,
		     u32 len, bool last)
{
	struct sluice_peer p;

	read_peer(req, &p);
	return send(req->rule->listener, routes, &p, last ? req : NULL, data, len);
}

/**
 * sluice_udp_send() - send a datagram to a peer through the stack
 * @l: listener that answers
 * @routes: a cache that nobody else uses meanwhile, or NULL
 * @p: peer; its source may be chosen by the route
 * @data: read once
 * @len: bytes of it
 *
 * Context: bottom halves disabled. Return: 0 or -errno, as sluice_udp_reply().
 */
int sluice_udp_send(struct sluice_listener *l, struct sluice_routes *routes, struct sluice_peer *p,
		    const void *data, u32 len)
{
	return send(l, routes, p, NULL, data, len);
}
