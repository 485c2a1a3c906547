// SPDX-License-Identifier: GPL-2.0-only
/*
 * UDP egress: turns a request and the bytes of its reply into a datagram from the address the
 * request came to. Replies of one section to one peer leave together.
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

#include "pool.h"
#include "route.h"
#include "udp.h"

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

/*
 * Whether the reply to @r goes to @p. Never if the request came to a group or to all: for its reply
 * the route chooses an address of ours.
 */
static bool is_peer(const struct sluice_req *r, const struct sluice_peer *p)
{
	const struct sk_buff *req = r->skb;
	const struct udphdr *uh = udp_hdr(req);
	bool v4 = req->protocol == htons(ETH_P_IP);

	if (p->sport != uh->dest || p->dport != uh->source || p->ifindex != r->ifindex ||
	    p->v6 == v4)
		return false;
	if (p->v6)
		return ipv6_addr_equal(&p->a6.saddr, &ipv6_hdr(req)->daddr) &&
		       ipv6_addr_equal(&p->a6.daddr, &ipv6_hdr(req)->saddr);
	return p->v4.saddr == ip_hdr(req)->daddr && p->v4.daddr == ip_hdr(req)->saddr;
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
	skb_gso_reset(skb);
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

/* Its bytes are @n datagrams, all but the last of @each bytes. After its checksum was set. */
static void mark_gathered(struct sk_buff *skb, u32 n, u32 each)
{
	if (n < 2)
		return;
	skb_shinfo(skb)->gso_size = each;
	skb_shinfo(skb)->gso_segs = n;
	skb_shinfo(skb)->gso_type = SKB_GSO_UDP_L4;
}

static int xmit4(struct sluice_listener *l, struct sk_buff *skb, struct rtable *rt,
		 const struct sluice_peer *p, u32 n, u32 each)
{
	struct net *net = l->sn->net;
	u32 len = skb->len;
	struct iphdr *iph;

	push_udp(skb, p, len);
	udp_set_csum(false, skb, p->v4.saddr, p->v4.daddr, SLUICE_UDP_HLEN + len);
	mark_gathered(skb, n, each);
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
	if (n > 1 || skb->len <= dst_mtu(&rt->dst)) {
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
		 const struct sluice_peer *p, u32 n, u32 each)
{
	struct ipv6hdr *ip6h;
	u32 len = skb->len;

	push_udp(skb, p, len);
	udp6_set_csum(false, skb, &p->a6.saddr, &p->a6.daddr, SLUICE_UDP_HLEN + len);
	mark_gathered(skb, n, each);
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
		const struct sluice_peer *p, u32 n, u32 each)
{
	if (p->v6)
		return xmit6(l, skb, dst, p, n, each);
	return xmit4(l, skb, container_of(dst, struct rtable, dst), p, n, each);
}

#else
static int xmit(struct sluice_listener *l, struct sk_buff *skb, struct dst_entry *dst,
		const struct sluice_peer *p, u32 n, u32 each)
{
	return xmit4(l, skb, container_of(dst, struct rtable, dst), p, n, each);
}
#endif

/* A reply that is on its way out. */
struct out {
	struct dst_entry *dst;
	bool ref; /* on @dst, ours */
	struct sk_buff *skb; /* its bytes */
};

static u32 l3_len(const struct sluice_peer *p)
{
	return p->v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
}

static void out_dst_put(const struct out *o)
{
	if (o->ref)
		dst_release(o->dst);
}

/*
 * Find the way to @p, and an skb for @data: @req's own if it may travel in that; NULL: a fresh one.
 * Return: 0 or -errno.
 */
static __always_inline int out_make(struct sluice_listener *l, struct sluice_routes *routes,
				    struct sluice_peer *p, struct sluice_req *req,
				    const void *data, u32 len, struct out *o)
{
	u32 hlen = l3_len(p);

	if (len > U16_MAX - SLUICE_UDP_HLEN - (p->v6 ? 0 : hlen))
		return -EMSGSIZE;
	o->dst = sluice_route_get(l, routes, p, &o->ref);
	if (IS_ERR(o->dst))
		return PTR_ERR(o->dst);
	if (req && !req->shared && reusable(req->skb, len)) {
		o->skb = reuse(req->skb);
		req->skb = NULL;
	} else {
		o->skb = fresh(o->dst, hlen, len);
	}
	if (unlikely(!o->skb)) {
		out_dst_put(o);
		return -ENOMEM;
	}
	sluice_copy(skb_put(o->skb, len), data, len);
	return 0;
}

/* Send it: @n datagrams, all but the last of @each bytes. Takes @o. Return: 0 or -errno. */
static noinline int out_send(struct sluice_listener *l, const struct out *o,
			     const struct sluice_peer *p, u32 n, u32 each)
{
	const struct sock *sk = READ_ONCE(l->sk);
	int err;

	o->skb->mark = READ_ONCE(sk->sk_mark);
	o->skb->priority = READ_ONCE(sk->sk_priority);
	rcu_read_lock();
	if (o->ref)
		skb_dst_set(o->skb, o->dst);
	else
		skb_dst_set_noref(o->skb, o->dst);
	err = xmit(l, o->skb, o->dst, p, n, each);
	rcu_read_unlock();
	return net_xmit_eval(err); /* a macro that looks at its argument twice */
}

/*
 * Replies of this section to one peer that have not left yet; they do so as one buffer, which the
 * device cuts into datagrams, or the stack in front of it. As with UDP_SEGMENT all but the last
 * are of one length. Of a ring, under its tx_lock; empty between sections.
 */
struct sluice_together {
	u32 n;
	u32 each;     /* bytes of the first, and of all but the last */
	bool full;    /* nothing may follow: the last one has fewer */
	bool grown;   /* its skb is as large as it gets */
	struct sluice_peer peer;
	struct sluice_listener *listener;
	const struct sk_buff *from; /* of the first request, shared with others; or NULL */
	struct out out;
	struct sluice_req *req[SLUICE_TX_BATCH]; /* counted when they have left */
};

#define TOGETHER_MAX SZ_16K /* bytes of memory of one buffer */

/* Context: may sleep. Return: NULL without memory: replies leave one by one then. */
struct sluice_together *sluice_together_create(void)
{
	return kzalloc(sizeof(struct sluice_together), GFP_KERNEL_ACCOUNT);
}

static enum sluice_outcome outcome_of(const struct sluice_req *req, int err)
{
	return unlikely(err || req->cut) ? SLUICE_OUTCOME_DROPPED_SEND : SLUICE_OUTCOME_ANSWERED;
}

/**
 * sluice_udp_flush() - send what this section has answered so far, and count it
 * @ring: its tx_lock is held
 *
 * Context: the section that sent the replies.
 */
void sluice_udp_flush(struct sluice_ring *ring)
{
	struct sluice_together *t = ring->together;
	struct sluice_tally tally = {};
	struct sluice_req *req;
	u32 i, n;
	int err;

	if (!t || !t->n)
		return;
	n = t->n;
	t->n = 0;
	err = out_send(t->listener, &t->out, &t->peer, n, t->each);
	if (n == 1) {
		req = t->req[0];
		sluice_req_finish(req, ring, outcome_of(req, err));
		sluice_req_free(req, !err);
		return;
	}
	for (i = 0; i < n; i++) {
		req = t->req[i];
		sluice_req_tally(&tally, req, ring, outcome_of(req, err));
		sluice_req_free(req, !err);
	}
	sluice_tally_end(&tally);
}

/* Move what waits to where there is room for another @len bytes, and for what may follow. */
static noinline bool together_grow(struct sluice_together *t, u32 len)
{
	const struct net_device *dev = t->out.dst->dev;
	u32 head, size, overhead = SKB_DATA_ALIGN(sizeof(struct skb_shared_info));
	struct sk_buff *skb;
	void *memory;

	if (t->grown)
		return false;
	t->grown = true;
	head = LL_RESERVED_SPACE(dev) + t->out.dst->header_len + l3_len(&t->peer) +
	       SLUICE_UDP_HLEN;
	size = SKB_DATA_ALIGN(head + SLUICE_TX_BATCH * t->each) + overhead;
	size = min_t(u32, size, TOGETHER_MAX);
	if (head + t->out.skb->len + len + overhead > size)
		return false;
	memory = sluice_frame_memory(size);
	if (unlikely(!memory))
		return false;
	skb = build_skb(memory, size);
	if (unlikely(!skb)) {
		page_frag_free(memory);
		return false;
	}
	skb_reserve(skb, head);
	skb_put_data(skb, t->out.skb->data, t->out.skb->len);
	consume_skb(t->out.skb);
	t->out.skb = skb;
	return true;
}

/* Whether its bytes have, or get, their place; what is fragmented, or wrapped up, goes alone. */
static __always_inline bool together_room(struct sluice_together *t, u32 len)
{
	if (t->n == 1 && (dst_xfrm(t->out.dst) || l3_len(&t->peer) + SLUICE_UDP_HLEN +
							   t->each > dst_mtu(t->out.dst)))
		return false;
	if (t->out.skb->len + len > TOGETHER_MAX)
		return false;
	return skb_tailroom(t->out.skb) >= len || together_grow(t, len);
}

/* Whether a reply of @len bytes can follow those that wait, if it is of their peer. */
static __always_inline bool together_takes(const struct sluice_together *t, u32 len)
{
	return t->n && t->n < ARRAY_SIZE(t->req) && !t->full && len && len <= t->each;
}

/* Keep a reply until the section's next one shows whether they can leave together. */
static int together(struct sluice_together *t, struct sluice_req *req, struct sluice_ring *ring,
		    const void *data, u32 len)
{
	struct sluice_listener *l = req->rule->listener;
	int err;

	if (together_takes(t, len) && t->listener == l &&
	    ((req->shared && req->skb == t->from) || is_peer(req, &t->peer)) &&
	    together_room(t, len)) {
		sluice_copy(skb_put(t->out.skb, len), data, len);
		t->full = len < t->each;
		t->req[t->n++] = req;
		return -EINPROGRESS;
	}
	sluice_udp_flush(ring);
	t->from = req->shared ? req->skb : NULL;
	read_peer(req, &t->peer);
	err = out_make(l, ring->routes, &t->peer, req, data, len, &t->out);
	if (unlikely(err))
		return err;
	t->each = len;
	t->full = false;
	t->grown = false;
	t->listener = l;
	t->req[0] = req;
	t->n = 1;
	return -EINPROGRESS;
}

/**
 * sluice_udp_reply() - send a datagram to the sender of a request
 * @req: request whose skb is there; with @last it may travel in that
 * @ring: ring whose tx_lock is held and whose consumer answers; NULL: nobody counts the outcome
 * @data: reply; may be memory that a consumer changes meanwhile: it is read once
 * @len: bytes of it, 0 to 65507 less headers; a longer one fails with -EMSGSIZE
 * @last: no further reply follows for this request
 *
 * Leaves from the address the request came to. What local firewall and routing refuse, or a full
 * queue of the device drops at once, is an error; what happens later is the network's.
 *
 * Context: section. Return: 0 or -errno; -EINPROGRESS with @ring and @last: the request was taken,
 * sluice_udp_flush() sends the reply and counts its outcome.
 */
int sluice_udp_reply(struct sluice_req *req, struct sluice_ring *ring, const void *data, u32 len,
		     bool last)
{
	struct sluice_listener *l = req->rule->listener;
	struct sluice_peer p;
	struct out o;
	int err;

	if (likely(ring && last && ring->together))
		return together(ring->together, req, ring, data, len);
	if (ring)
		sluice_udp_flush(ring); /* what was answered before it */
	read_peer(req, &p);
	err = out_make(l, ring ? ring->routes : NULL, &p, last ? req : NULL, data, len, &o);
	return err ?: out_send(l, &o, &p, 1, len);
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
	struct out o;
	int err = out_make(l, routes, p, NULL, data, len, &o);

	return err ?: out_send(l, &o, p, 1, len);
}
