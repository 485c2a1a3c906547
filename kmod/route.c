// SPDX-License-Identifier: GPL-2.0-only
/* Routes of replies: asked for with a listener's socket, remembered for late peers. */
#include <linux/hash.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/route.h>

#include "route.h"
#include "sluice.h"

/*
 * Routes of late peers, so that a busy ring does not ask the routing tables again for each reply.
 * Policy routing may look at ports, hence they are in the key. A changed table shows in
 * dst_check(); a device that goes takes its routes' hold on it along. Emptied before the ring
 * leaves its namespace.
 */
#define ROUTES 256

struct sluice_routes {
	struct {
		struct sluice_peer key;
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

static u32 route_index(const struct sluice_peer *p)
{
	u32 addr = p->v6 ? (__force u32)p->a6.daddr.s6_addr32[3] : (__force u32)p->v4.daddr;

	return hash_32(addr ^ (__force u16)p->dport, ilog2(ROUTES));
}

static struct rtable *route4(struct sluice_listener *l, struct sluice_peer *p)
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

#if IS_ENABLED(CONFIG_IPV6)
static struct dst_entry *route6(struct sluice_listener *l, struct sluice_peer *p)
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
	dst = ip6_dst_lookup_flow(sock_net(sk), sk, &fl6, NULL);
	if (!IS_ERR(dst))
		p->a6.saddr = fl6.saddr;
	return dst;
}

static struct dst_entry *route(struct sluice_listener *l, struct sluice_peer *p)
{
	struct rtable *rt;

	if (p->v6)
		return route6(l, p);
	rt = route4(l, p);
	return IS_ERR(rt) ? ERR_CAST(rt) : &rt->dst;
}

static u32 route_cookie(const struct dst_entry *dst, const struct sluice_peer *p)
{
	return p->v6 ? rt6_get_cookie((const struct rt6_info *)dst) : 0;
}
#else
static u32 route_cookie(const struct dst_entry *dst, const struct sluice_peer *p)
{
	return 0;
}

static struct dst_entry *route(struct sluice_listener *l, struct sluice_peer *p)
{
	struct rtable *rt = route4(l, p);

	return IS_ERR(rt) ? ERR_CAST(rt) : &rt->dst;
}

#endif

/*
 * Ask the routing tables, and keep the answer in entry @i. @ref: as for sluice_route_get(). A
 * function of its own, so that its copy of the key costs nothing where the cache has the route.
 */
static noinline struct dst_entry *route_fill(struct sluice_listener *l,
					     struct sluice_routes *routes, u32 i, u32 mark,
					     struct sluice_peer *p, bool *ref)
{
	struct sluice_peer key = *p;
	struct dst_entry *dst = route(l, p);

	if (IS_ERR(dst))
		return dst;
	/* an address that the route chose is chosen anew each time */
	*ref = !sluice_peer_same(&key, p);
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
struct dst_entry *sluice_route_get(struct sluice_listener *l, struct sluice_routes *routes,
				   struct sluice_peer *p, bool *ref)
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
	if (likely(dst && routes->entry[i].mark == mark &&
		   sluice_peer_same(&routes->entry[i].key, p) &&
		   dst_check(dst, routes->entry[i].cookie)))
		return dst;
	return route_fill(l, routes, i, mark, p, ref);
}
