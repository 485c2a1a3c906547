// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may talk through an XDP listener, and by which way a reply goes back: what the stack would
 * have checked, asked once for each pair of hosts and tick.
 */
#include <linux/etherdevice.h>
#include <linux/hash.h>
#include <linux/inetdevice.h>
#include <net/addrconf.h>
#include <net/arp.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/ndisc.h>
#include <net/neighbour.h>
#include <net/route.h>

#include "xdp.h"

#define WAYS 256

/* Source and destination address of a frame, as it has them. */
struct hosts {
	u8 addr[32];
	u8 family;
	u8 found; /* SLUICE_XDP_HOSTS_* */
	unsigned long tick;
};

struct way {
	struct sluice_peer peer;
	u8 mac[ETH_ALEN];
	u8 by; /* enum sluice_xdp_way */
	u32 mtu;
	unsigned long tick;
};

/*
 * An answer holds for the rest of the tick; routes are remembered for longer, as dst_check()
 * allows. One for each CPU, used with bottom halves disabled.
 */
struct sluice_xdp_ways {
	struct sluice_routes *routes; /* may be NULL */
	struct hosts hosts[WAYS];
	struct way way[WAYS];
};

struct sluice_xdp_ways **sluice_xdp_ways_create(void)
{
	struct sluice_xdp_ways **ways = kcalloc(nr_cpu_ids, sizeof(*ways), GFP_KERNEL_ACCOUNT);
	int cpu;

	if (!ways)
		return NULL;
	for_each_possible_cpu(cpu) {
		ways[cpu] = kvzalloc_node(sizeof(**ways), GFP_KERNEL_ACCOUNT, cpu_to_node(cpu));
		if (!ways[cpu]) {
			sluice_xdp_ways_destroy(ways);
			return NULL;
		}
		ways[cpu]->routes = sluice_routes_create();
	}
	return ways;
}

/* Nobody sends with them any more. @ways may be NULL. */
void sluice_xdp_ways_destroy(struct sluice_xdp_ways **ways)
{
	int cpu;

	if (!ways)
		return;
	for_each_possible_cpu(cpu) {
		if (!ways[cpu])
			continue;
		sluice_routes_flush(ways[cpu]->routes);
		kvfree(ways[cpu]->routes);
		kvfree(ways[cpu]);
	}
	kfree(ways);
}

/* The routes of this CPU's replies, for those that leave by the stack. */
struct sluice_routes *sluice_xdp_routes(const struct sluice_listener *l)
{
	return l->xdp->ways[smp_processor_id()]->routes;
}

/*
 * What routing refuses on the way in: senders that are groups, nobody or this machine. A sender of
 * our own address would have us talk to ourselves.
 */
static u8 hosts4(struct net *net, const u8 *addr)
{
	__be32 s4, d4;
	u8 found = 0;

	memcpy(&s4, addr, 4);
	memcpy(&d4, addr + 4, 4);
	if (ipv4_is_multicast(d4) || ipv4_is_lbcast(d4) || ipv4_is_loopback(d4))
		return 0;
	if (__ip_dev_find(net, d4, false))
		found |= SLUICE_XDP_HOSTS_OURS;
	if (!ipv4_is_multicast(s4) && !ipv4_is_lbcast(s4) && !ipv4_is_zeronet(s4) &&
	    !ipv4_is_loopback(s4) && s4 != d4 && !__ip_dev_find(net, s4, false))
		found |= SLUICE_XDP_HOSTS_CLEAN;
	return found;
}

static u8 hosts6(const struct net_device *dev, const u8 *addr)
{
	struct in6_addr s6, d6;
	u8 found = 0;

	memcpy(&s6, addr, sizeof(s6));
	memcpy(&d6, addr + sizeof(s6), sizeof(d6));
	if (ipv6_addr_is_multicast(&d6) || ipv6_addr_loopback(&d6))
		return 0;
#if IS_ENABLED(CONFIG_IPV6)
	if (ipv6_chk_addr(dev_net(dev), &d6, dev, 0))
		found |= SLUICE_XDP_HOSTS_OURS;
	if (ipv6_chk_addr(dev_net(dev), &s6, dev, 0))
		return found;
#endif
	if (!ipv6_addr_is_multicast(&s6) && !ipv6_addr_any(&s6) && !ipv6_addr_loopback(&s6) &&
	    !ipv6_addr_v4mapped(&s6) && !ipv6_addr_equal(&s6, &d6))
		found |= SLUICE_XDP_HOSTS_CLEAN;
	return found;
}

/**
 * sluice_xdp_hosts() - judge the addresses of a frame
 * @x: listener that it may be for
 * @dev: the listener's device
 * @addr: source address, and the destination behind it
 * @family: 4 or 6
 *
 * Context: section. Return: SLUICE_XDP_HOSTS_*.
 */
u8 sluice_xdp_hosts(const struct sluice_xdp *x, const struct net_device *dev, const u8 *addr,
		    u8 family)
{
	u32 len = family == 4 ? 8 : 32, last;
	unsigned long tick = jiffies;
	struct hosts *h;

	memcpy(&last, addr + len / 2 - 4, 4);
	h = &x->ways[smp_processor_id()]->hosts[hash_32(last, ilog2(WAYS))];
	if (likely(h->tick == tick && h->family == family &&
		   (family == 4 ? !memcmp(h->addr, addr, 8) : !memcmp(h->addr, addr, 32))))
		return h->found;
	h->found = family == 4 ? hosts4(dev_net(dev), addr) : hosts6(dev, addr);
	h->family = family;
	memcpy(h->addr, addr, len);
	h->tick = tick;
	return h->found;
}

static struct neighbour *neighbour_of(const struct dst_entry *dst, const struct sluice_peer *p,
				      struct net_device *dev)
{
	const struct in6_addr *hop;
	const struct rtable *rt;
	struct in6_addr addr;

	if (p->v6) {
		addr = p->a6.daddr;
		hop = rt6_nexthop((const struct rt6_info *)dst, &addr);
		return sluice_neighbour_v6(dev, hop);
	}
	rt = container_of(dst, struct rtable, dst);
	if (rt->rt_gw_family == AF_INET6)
		return NULL;
	return __ipv4_neigh_lookup_noref(dev, (__force u32)rt_nexthop(rt, p->v4.daddr));
}

/* Leads the route to one other machine, and not to a network's broadcast address or to us? */
static bool leads_away(const struct dst_entry *dst, const struct sluice_peer *p)
{
	if (p->v6)
		return !(((const struct rt6_info *)dst)->rt6i_flags &
			 (RTF_LOCAL | RTF_ANYCAST | RTF_REJECT));
	return container_of(dst, struct rtable, dst)->rt_type == RTN_UNICAST;
}

/* As the stack does before it sends: a stale neighbour is asked whether it is there. */
static bool is_next(struct neighbour *n, const struct net_device *dev, const u8 *mac)
{
	u8 ha[MAX_ADDR_LEN];

	if (!n || !(READ_ONCE(n->nud_state) & NUD_VALID) || neigh_event_send(n, NULL))
		return false;
	neigh_ha_snapshot(ha, n, dev);
	return ether_addr_equal_unaligned(ha, mac);
}

static void look_back(struct sluice_listener *l, struct way *w, struct sluice_routes *routes,
		      struct net_device *dev)
{
	struct sluice_peer asked = w->peer;
	struct dst_entry *dst;
	bool ref;

	w->by = SLUICE_XDP_WAY_NONE;
	rcu_read_lock(); /* neighbours ask for just this */
	dst = sluice_route_get(l, routes, &asked, &ref);
	if (IS_ERR(dst))
		goto out;
	if (leads_away(dst, &asked)) {
		w->by = SLUICE_XDP_WAY_STACK;
		w->mtu = dst_mtu(dst);
		if (dst->dev == dev && !dst_xfrm(dst) && !dst->lwtstate &&
		    sluice_peer_same(&asked, &w->peer) &&
		    is_next(neighbour_of(dst, &asked, dev), dev, w->mac))
			w->by = SLUICE_XDP_WAY_DRIVER;
	}
	if (ref)
		dst_release(dst);
out:
	rcu_read_unlock();
}

/**
 * sluice_xdp_way_back() - by which way replies to a peer leave
 * @l: listener that answers
 * @p: peer
 * @dev: device that its request came in by; NULL: gone
 * @mac: whom it came from there
 * @len: bytes of the reply from the IP header on
 *
 * By the driver, if routing sends them to that device and the neighbour there has the address that
 * the request came from. Nowhere, if they would go to a broadcast address or to this machine.
 *
 * Context: section. Return: the way.
 */
enum sluice_xdp_way sluice_xdp_way_back(struct sluice_listener *l, const struct sluice_peer *p,
					struct net_device *dev, const u8 *mac, u64 len)
{
	struct sluice_xdp_ways *ways = l->xdp->ways[smp_processor_id()];
	u32 addr = p->v6 ? (__force u32)p->a6.daddr.s6_addr32[3] : (__force u32)p->v4.daddr;
	struct way *w = &ways->way[hash_32(addr ^ (__force u16)p->dport, ilog2(WAYS))];
	unsigned long tick = jiffies;

	if (unlikely(w->tick != tick || !sluice_peer_same(&w->peer, p) ||
		     !ether_addr_equal_unaligned(w->mac, mac))) {
		w->peer = *p;
		memcpy(w->mac, mac, ETH_ALEN);
		look_back(l, w, ways->routes, dev);
		w->tick = tick;
	}
	if (w->by == SLUICE_XDP_WAY_DRIVER && (!dev || len > READ_ONCE(dev->mtu) || len > w->mtu))
		return SLUICE_XDP_WAY_STACK;
	return w->by;
}
