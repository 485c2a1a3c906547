// SPDX-License-Identifier: GPL-2.0-only
/*
 * UDP egress: turns a request and the bytes of its reply into a datagram from the address the
 * request came to.
 */
#include <linux/hash.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/ipv6_stubs.h>
#include <net/route.h>
#include <net/udp.h>

#include "sluice.h"

/*
 * Where a reply goes and where it comes from, read from the request before its skb is used again.
 */
struct peer {
	bool v6;
	union {
		struct {
			__be32 saddr; /* ours */
			__be32 daddr; /* the sender's */
		} v4;
		struct {
			struct in6_addr saddr;
			struct in6_addr daddr;
		} a6;
	};
	__be16 sport; /* ours */
	__be16 dport;
	u32 ifindex;
};

static void read_peer(const struct sluice_req *r, struct peer *p)
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

static bool same_peer(const struct peer *a, const struct peer *b)
{
	if (a->sport != b->sport || a->dport != b->dport || a->ifindex != b->ifindex ||
	    a->v6 != b->v6)
		return false;
	if (a->v6)
		return ipv6_addr_equal(&a->a6.saddr, &b->a6.saddr) &&
		       ipv6_addr_equal(&a->a6.daddr, &b->a6.daddr);
	return a->v4.saddr == b->v4.saddr && a->v4.daddr == b->v4.daddr;
}

/*
 * Routes of late peers, so that a busy ring does not ask the routing tables again for each reply.
 * Policy routing may look at ports, hence they are in the key. A changed table shows in
 * dst_check(); a device that goes takes its routes' hold on it along. Emptied before the ring
 * leaves its namespace.
 */
#define ROUTES 256

struct sluice_routes {
	struct {
		struct peer key;
		struct dst_entry *dst;
		u32 cookie;
		u32 mark;
	} entry[ROUTES];
};

/* Context: may sleep. Return: NULL without memory, which replies can do without. */
struct sluice_routes *sluice_routes_create(void)
{
	return kvzalloc(sizeof(struct sluice_routes), GFP_KERNEL_ACCOUNT);
}

/* Let go of all routes; nobody sends with @r meanwhile. @r may be NULL. */
void sluice_routes_flush(struct sluice_routes *r)
{
	u32 i;

	for (i = 0; r && i < ROUTES; i++) {
		dst_release(r->entry[i].dst);
		r->entry[i].dst = NULL;
	}
}

static u32 route_index(const struct peer *p)
{
	u32 addr = p->v6 ? (__force u32)p->a6.daddr.s6_addr32[3] : (__force u32)p->v4.daddr;

	return hash_32(addr ^ (__force u16)p->dport, ilog2(ROUTES));
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

static struct udphdr *push_udp(struct sk_buff *skb, const struct peer *p, u32 len)
{
	struct udphdr *uh = __skb_push(skb, SLUICE_UDP_HLEN);

	skb_reset_transport_header(skb);
	uh->source = p->sport;
	uh->dest = p->dport;
	uh->len = htons(SLUICE_UDP_HLEN + len);
	return uh;
}

static struct rtable *route4(struct sluice_listener *l, struct peer *p)
{
	struct sock *sk = READ_ONCE(l->sk);
	struct flowi4 fl4 = {
		.flowi4_oif = READ_ONCE(sk->sk_bound_dev_if),
		.flowi4_mark = READ_ONCE(sk->sk_mark),
		.flowi4_proto = IPPROTO_UDP,
		.flowi4_uid = sock_net_uid(sock_net(sk), sk),
		.daddr = p->v4.daddr,
		.saddr = p->v4.saddr,
		.fl4_dport = p->dport,
		.fl4_sport = p->sport,
	};
	struct rtable *rt = ip_route_output_flow(sock_net(sk), &fl4, NULL);

	if (!IS_ERR(rt))
		p->v4.saddr = fl4.saddr;
	return rt;
}

static int xmit4(struct sluice_listener *l, struct sk_buff *skb, struct rtable *rt,
		 const struct peer *p, u32 len)
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
static struct dst_entry *route6(struct sluice_listener *l, struct peer *p)
{
	struct sock *sk = READ_ONCE(l->sk);
	struct flowi6 fl6 = {
		.flowi6_oif = READ_ONCE(sk->sk_bound_dev_if),
		.flowi6_mark = READ_ONCE(sk->sk_mark),
		.flowi6_proto = IPPROTO_UDP,
		.flowi6_uid = sock_net_uid(sock_net(sk), sk),
		.daddr = p->a6.daddr,
		.saddr = p->a6.saddr,
		.fl6_dport = p->dport,
		.fl6_sport = p->sport,
	};
	struct dst_entry *dst;

	if (!fl6.flowi6_oif && (ipv6_addr_type(&p->a6.daddr) & IPV6_ADDR_LINKLOCAL))
		fl6.flowi6_oif = p->ifindex;
	dst = ipv6_stub->ipv6_dst_lookup_flow(sock_net(sk), sk, &fl6, NULL);
	if (!IS_ERR(dst))
		p->a6.saddr = fl6.saddr;
	return dst;
}

static int xmit6(struct sluice_listener *l, struct sk_buff *skb, struct dst_entry *dst,
		 const struct peer *p, u32 len)
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

static struct dst_entry *route(struct sluice_listener *l, struct peer *p)
{
	struct rtable *rt;

	if (p->v6)
		return route6(l, p);
	rt = route4(l, p);
	return IS_ERR(rt) ? ERR_CAST(rt) : &rt->dst;
}

static int xmit(struct sluice_listener *l, struct sk_buff *skb, struct dst_entry *dst,
		const struct peer *p, u32 len)
{
	if (p->v6)
		return xmit6(l, skb, dst, p, len);
	return xmit4(l, skb, container_of(dst, struct rtable, dst), p, len);
}

static u32 route_cookie(const struct dst_entry *dst, const struct peer *p)
{
	return p->v6 ? rt6_get_cookie((const struct rt6_info *)dst) : 0;
}
#else
static u32 route_cookie(const struct dst_entry *dst, const struct peer *p)
{
	return 0;
}

static struct dst_entry *route(struct sluice_listener *l, struct peer *p)
{
	struct rtable *rt = route4(l, p);

	return IS_ERR(rt) ? ERR_CAST(rt) : &rt->dst;
}

static int xmit(struct sluice_listener *l, struct sk_buff *skb, struct dst_entry *dst,
		const struct peer *p, u32 len)
{
	return xmit4(l, skb, container_of(dst, struct rtable, dst), p, len);
}
#endif

/* Ask the routing tables, and keep the answer in entry @i. @ref: as for route_get(). */
static noinline struct dst_entry *route_fill(struct sluice_listener *l,
					     struct sluice_routes *routes, u32 i, u32 mark,
					     struct peer *p, bool *ref)
{
	struct peer key = *p;
	struct dst_entry *dst = route(l, p);

	if (IS_ERR(dst))
		return dst;
	/* an address that the route chose is chosen anew each time */
	*ref = !same_peer(&key, p);
	if (*ref)
		return dst;
	dst_release(routes->entry[i].dst);
	routes->entry[i].dst = dst;
	routes->entry[i].key = key;
	routes->entry[i].mark = mark;
	routes->entry[i].cookie = route_cookie(dst, p);
	return dst;
}

/*
 * The route to a peer, from the cache if there is one. @ref: the caller has a reference, else the
 * cache keeps one for longer than this section. Chooses our address where the request had none to
 * answer from.
 */
static struct dst_entry *route_get(struct sluice_listener *l, struct sluice_routes *routes,
				   struct peer *p, bool *ref)
{
	const struct sock *sk = READ_ONCE(l->sk);
	u32 mark = READ_ONCE(sk->sk_mark), i;
	struct dst_entry *dst;

	*ref = true;
	if (!routes || READ_ONCE(sk->sk_bound_dev_if))
		return route(l, p);
	i = route_index(p);
	dst = routes->entry[i].dst;
	*ref = false;
	if (likely(dst && routes->entry[i].mark == mark && same_peer(&routes->entry[i].key, p) &&
		   dst_check(dst, routes->entry[i].cookie)))
		return dst;
	return route_fill(l, routes, i, mark, p, ref);
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
	struct sluice_listener *l = req->rule->listener;
	const struct sock *sk;
	struct dst_entry *dst;
	struct sk_buff *skb;
	struct peer p;
	bool ref;
	u32 hlen;
	int err;

	read_peer(req, &p);
	hlen = p.v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	if (len > U16_MAX - SLUICE_UDP_HLEN - (p.v6 ? 0 : hlen))
		return -EMSGSIZE;
	dst = route_get(l, routes, &p, &ref);
	if (IS_ERR(dst))
		return PTR_ERR(dst);
	if (last && reusable(req->skb, len)) {
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
	err = xmit(l, skb, dst, &p, len);
	rcu_read_unlock();
	return net_xmit_eval(err); /* a macro that looks at its argument twice */
}
