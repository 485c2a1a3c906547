// SPDX-License-Identifier: GPL-2.0-only
/*
 * XDP egress: frames of our own that hold a request and then its reply, and the batches in which
 * replies leave through the driver.
 */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/jhash.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>

#include "xdp.h"

/*
 * A frame's memory: struct xdp_frame, headroom for drivers, the frame from its Ethernet header on,
 * room for the struct skb_shared_info of whoever makes an skb of it. Most replies fit in where
 * their request was.
 */
#define HEAD	 128
#define ROOM_MIN 320
#define FRAME_MIN 60 /* what Ethernet takes, without the check sequence */
#define BATCH	 32

static_assert(sizeof(struct xdp_frame) + 32 <= HEAD);

static u32 frame_size(u32 len)
{
	return HEAD + SKB_DATA_ALIGN(max_t(u32, len, ROOM_MIN)) +
	       SKB_DATA_ALIGN(sizeof(struct skb_shared_info));
}

/* Bytes of memory that a frame of @len bytes takes. */
u32 sluice_xdp_truesize(u32 len)
{
	return frame_size(len);
}

/* Context: bottom halves disabled. Return: an empty frame with room for @len bytes, or NULL. */
static struct xdp_frame *frame_alloc(u32 len)
{
	u32 size = frame_size(len);
	struct xdp_frame *f = sluice_frame_memory(size);

	if (unlikely(!f))
		return NULL;
	f->data = (u8 *)f + HEAD;
	f->frame_sz = size;
	return f;
}

/**
 * sluice_xdp_frame_copy() - keep the bytes of a driver's frame
 * @from: only its data are looked at
 * @len: how many bytes
 *
 * Context: bottom halves disabled. Return: a frame of our own, or NULL.
 */
struct xdp_frame *sluice_xdp_frame_copy(const struct xdp_frame *from, u32 len)
{
	struct xdp_frame *f = frame_alloc(len);

	if (unlikely(!f))
		return NULL;
	sluice_copy(f->data, from->data, len);
	f->len = len;
	return f;
}

void sluice_xdp_frame_free(struct xdp_frame *frame)
{
	if (likely(frame->frame_sz))
		page_frag_free(frame);
	else
		kfree(frame);
}

/**
 * sluice_xdp_unshare() - a request is going to wait: let it hold no more memory than it needs
 * @req: request
 *
 * One small frame keeps the whole block that it was cut from. The copy is no fragment of a page,
 * and has a size of 0: no reply travels in it. Without memory the request goes on holding what it
 * has. Context: bottom halves disabled; the lock of a group or ring may be held.
 */
void sluice_xdp_unshare(struct sluice_req *req)
{
	struct xdp_frame *f, *from = req->frame;
	u32 len = req->off + req->len;

	if (!from->frame_sz)
		return;
	f = kmalloc(HEAD + len, GFP_ATOMIC | __GFP_NOWARN);
	if (unlikely(!f))
		return;
	f->data = (u8 *)f + HEAD;
	f->len = len;
	f->frame_sz = 0;
	sluice_copy(f->data, from->data, len);
	sluice_xdp_frame_free(from);
	req->frame = f;
}

static const void *l3_of(const struct sluice_req *req)
{
	return req->frame->data + req->l3;
}

static bool is_v6(const void *l3)
{
	return *(const u8 *)l3 >> 4 == 6;
}

/* Hash of addresses and ports, with a secret. */
u32 sluice_xdp_flow(const struct sluice_req *req, u32 seed)
{
	const void *l3 = l3_of(req);
	u32 ports = *(const u32 *)(req->frame->data + req->off - SLUICE_UDP_HLEN);

	if (!is_v6(l3))
		return jhash_3words((__force u32)((const struct iphdr *)l3)->saddr,
				    (__force u32)((const struct iphdr *)l3)->daddr, ports, seed);
	return jhash_2words(jhash2((const u32 *)&((const struct ipv6hdr *)l3)->saddr, 8, seed),
			    ports, seed);
}

/* Hash of the address it came from. */
u32 sluice_xdp_source(const struct sluice_req *req, u32 seed)
{
	const void *l3 = l3_of(req);

	if (!is_v6(l3))
		return jhash_1word((__force u32)((const struct iphdr *)l3)->saddr, seed);
	return jhash2((const u32 *)&((const struct ipv6hdr *)l3)->saddr, 4, seed);
}

/* Who sent it; @from is zeroed. */
void sluice_xdp_from(const struct sluice_req *req, struct sluice_from *from)
{
	const struct udphdr *uh = req->frame->data + req->off - SLUICE_UDP_HLEN;
	const void *l3 = l3_of(req);

	from->port = uh->source;
	if (is_v6(l3)) {
		from->family = 6;
		memcpy(from->addr, &((const struct ipv6hdr *)l3)->saddr, 16);
	} else {
		from->family = 4;
		memcpy(from->addr, &((const struct iphdr *)l3)->saddr, 4);
	}
}

static void read_peer(const struct sluice_req *req, struct sluice_peer *p)
{
	const struct udphdr *uh = req->frame->data + req->off - SLUICE_UDP_HLEN;
	const void *l3 = l3_of(req);

	p->v6 = is_v6(l3);
	p->sport = uh->dest;
	p->dport = uh->source;
	p->ifindex = req->ifindex;
	if (p->v6) {
		p->a6.saddr = ((const struct ipv6hdr *)l3)->daddr;
		p->a6.daddr = ((const struct ipv6hdr *)l3)->saddr;
	} else {
		p->v4.saddr = ((const struct iphdr *)l3)->daddr;
		p->v4.daddr = ((const struct iphdr *)l3)->saddr;
	}
}

/* Frames on their way to one device. Per CPU, empty between sections. */
struct batch {
	struct net_device *dev;
	u32 n;
	struct xdp_frame *frame[BATCH];
	struct sluice_req *req[BATCH]; /* counted when its frame is gone */
	struct sluice_ring *ring[BATCH];
	u32 len[BATCH]; /* of the frame: a driver that fails may have put a header in front of it */
};

static DEFINE_PER_CPU(struct batch, batches);

/* The driver has no room or no such way out: through the device's queue. Takes @f. */
static int queue_frame(struct net_device *dev, struct xdp_frame *f, u32 len)
{
	u32 size = f->frame_sz;
	struct sk_buff *skb;
	int err;

	f->data = (u8 *)f + HEAD;
	skb = netif_carrier_ok(dev) && (dev->flags & IFF_UP) ? build_skb(f, size) : NULL;
	if (!skb) {
		sluice_xdp_frame_free(f);
		return -ENETDOWN;
	}
	skb_reserve(skb, HEAD);
	skb_put(skb, len);
	skb->dev = dev;
	skb_reset_mac_header(skb);
	skb->protocol = eth_hdr(skb)->h_proto;
	skb_set_network_header(skb, ETH_HLEN + (eth_type_vlan(skb->protocol) ? VLAN_HLEN : 0));
	err = dev_queue_xmit(skb);
	return net_xmit_eval(err);
}

static int send_frames(struct net_device *dev, u32 n, struct xdp_frame **frames)
{
	int sent;

	if (!sluice_xdp_can_xmit(dev) || !(dev->flags & IFF_UP))
		return 0;
	sent = dev->netdev_ops->ndo_xdp_xmit(dev, n, frames, XDP_XMIT_FLUSH);
	return max(sent, 0);
}

/**
 * sluice_xdp_flush() - send what this section has answered so far, and count it
 *
 * Context: the section that sent the replies.
 */
void sluice_xdp_flush(void)
{
	struct batch *b = this_cpu_ptr(&batches);
	struct sluice_tally tally = {};
	u32 i, n = b->n, sent;
	int err;

	if (!n)
		return;
	b->n = 0;
	sent = send_frames(b->dev, n, b->frame);
	for (i = 0; i < n; i++) {
		err = i < sent ? 0 : queue_frame(b->dev, b->frame[i], b->len[i]);
		err |= b->req[i]->cut;
		sluice_req_tally(&tally, b->req[i], b->ring[i],
				 err ? SLUICE_OUTCOME_DROPPED_SEND : SLUICE_OUTCOME_ANSWERED);
		sluice_req_free(b->req[i], !err);
	}
	sluice_tally_end(&tally);
}

/* Send one frame behind those of the batch. Takes it. Return: 0 or -errno. */
static int send_now(struct net_device *dev, struct xdp_frame *f)
{
	u32 len = f->len;

	sluice_xdp_flush();
	return send_frames(dev, 1, &f) ? 0 : queue_frame(dev, f, len);
}

static void batch_add(struct net_device *dev, struct xdp_frame *f, struct sluice_req *req,
		      struct sluice_ring *ring)
{
	struct batch *b = this_cpu_ptr(&batches);

	if (b->n == BATCH || (b->n && b->dev != dev))
		sluice_xdp_flush();
	b->dev = dev;
	b->frame[b->n] = f;
	b->req[b->n] = req;
	b->ring[b->n] = ring;
	b->len[b->n] = f->len;
	b->n++;
}

/* Turn the headers of a request into those of its reply of @len bytes that lie behind them. */
static void turn_round(const struct net *net, struct xdp_frame *f, u32 l3_at, u32 off, u32 len)
{
	struct udphdr *uh = f->data + off - SLUICE_UDP_HLEN;
	u32 udp_len = SLUICE_UDP_HLEN + len;
	struct ethhdr *eth = f->data;
	void *l3 = f->data + l3_at;
	u8 mac[ETH_ALEN];
	__wsum sum;

	swap(uh->source, uh->dest);
	uh->len = htons(udp_len);
	uh->check = 0;
	sum = csum_partial(uh, udp_len, 0);

	ether_addr_copy(mac, eth->h_dest);
	ether_addr_copy(eth->h_dest, eth->h_source);
	ether_addr_copy(eth->h_source, mac);
	if (is_v6(l3)) {
		struct ipv6hdr *ip6h = l3;

		swap(ip6h->saddr, ip6h->daddr);
		ip6_flow_hdr(ip6h, 0, 0);
		ip6h->payload_len = htons(udp_len);
		ip6h->hop_limit = READ_ONCE(net->ipv6.devconf_all->hop_limit);
		uh->check = csum_ipv6_magic(&ip6h->saddr, &ip6h->daddr, udp_len, IPPROTO_UDP, sum);
	} else {
		struct iphdr *iph = l3;

		swap(iph->saddr, iph->daddr);
		iph->tos = 0;
		iph->tot_len = htons(sizeof(*iph) + udp_len);
		iph->id = 0;
		iph->frag_off = htons(IP_DF);
		iph->ttl = READ_ONCE(net->ipv4.sysctl_ip_default_ttl);
		ip_send_check(iph);
		uh->check = csum_tcpudp_magic(iph->saddr, iph->daddr, udp_len, IPPROTO_UDP, sum);
	}
	uh->check = uh->check ?: CSUM_MANGLED_0;
}

/* The frame for a reply: the request's own, if no other reply follows and there is room. */
static struct xdp_frame *reply_frame(struct sluice_req *req, u32 len, bool last)
{
	struct xdp_frame *f = req->frame;

	if (last && !req->borrowed && f->frame_sz <= PAGE_SIZE &&
	    frame_size(req->off + len) <= f->frame_sz) {
		req->frame = NULL;
		return f;
	}
	f = frame_alloc(max_t(u32, req->off + len, FRAME_MIN));
	if (f)
		memcpy(f->data, req->frame->data, req->off);
	return f;
}

static int xmit(struct sluice_req *req, struct net_device *dev, const void *data, u32 len,
		struct sluice_ring *ring, bool last)
{
	u32 total = req->off + len;
	struct xdp_frame *f = reply_frame(req, len, last);

	if (unlikely(!f))
		return -ENOMEM;
	sluice_copy(f->data + req->off, data, len);
	turn_round(dev_net(dev), f, req->l3, req->off, len);
	if (total < FRAME_MIN) {
		memset(f->data + total, 0, FRAME_MIN - total);
		total = FRAME_MIN;
	}
	f->len = total;
	f->headroom = HEAD - sizeof(*f);
	f->metasize = 0;
	f->flags = 0;
	f->dev_rx = NULL;
	sluice_xdp_frame_shared(f);
	if (!ring || !last)
		return send_now(dev, f);
	batch_add(dev, f, req, ring);
	return -EINPROGRESS;
}

/**
 * sluice_xdp_reply() - send a datagram to the sender of a frame
 * @req: request; with @last the reply may travel in its frame
 * @ring: ring whose consumer answers; NULL: nobody waits for the outcome
 * @data: reply; may be memory that a consumer changes meanwhile: it is read once
 * @len: bytes of it
 * @last: no further reply follows for this request
 *
 * Leaves through the driver if the way back is that of the request, and the reply fits in the
 * device's frames and in a page; through the stack else.
 *
 * Context: section. Return: 0; -errno; -EINPROGRESS with @ring and @last: the request was taken,
 * sluice_xdp_flush() counts its outcome.
 */
int sluice_xdp_reply(struct sluice_req *req, struct sluice_ring *ring, const void *data, u32 len,
		     bool last)
{
	struct sluice_listener *l = req->rule->listener;
	const struct sluice_xdp_port *port = rcu_dereference_bh(l->xdp->port);
	const struct ethhdr *eth = req->frame->data;
	struct sluice_peer p sluice_uninit;
	u64 l3_len = req->off - req->l3 + (u64)len;

	read_peer(req, &p);
	switch (sluice_xdp_way_back(l, &p, rcu_dereference_bh(l->xdp->dev), eth->h_source,
				    l3_len)) {
	case SLUICE_XDP_WAY_NONE:
		return -EHOSTUNREACH;
	case SLUICE_XDP_WAY_DRIVER:
		if (likely(port && frame_size(req->off + len) <= PAGE_SIZE))
			return xmit(req, port->dev, data, len, ring, last);
		fallthrough;
	default:
		return sluice_udp_send(l, sluice_xdp_routes(l), &p, data, len);
	}
}
