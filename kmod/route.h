/* SPDX-License-Identifier: GPL-2.0-only */
/* Peers of replies and their routes, shared by the ways a reply can leave. */
#ifndef SLUICE_ROUTE_H
#define SLUICE_ROUTE_H

#include <linux/in6.h>
#include <net/dst.h>
#include <net/ipv6.h>

struct sluice_listener;
struct sluice_routes;

/*
 * Where a reply goes and where it comes from, read from the request before its
 * bytes are used again. Of the addresses only what @v6 says is set and compared.
 */
struct sluice_peer {
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

static inline bool sluice_peer_same(const struct sluice_peer *a, const struct sluice_peer *b)
{
	if (a->sport != b->sport || a->dport != b->dport || a->ifindex != b->ifindex ||
	    a->v6 != b->v6)
		return false;
	if (a->v6)
		return ipv6_addr_equal(&a->a6.saddr, &b->a6.saddr) &&
		       ipv6_addr_equal(&a->a6.daddr, &b->a6.daddr);
	return a->v4.saddr == b->v4.saddr && a->v4.daddr == b->v4.daddr;
}

struct sluice_routes *sluice_routes_create(void);
void sluice_routes_flush(struct sluice_routes *r);
struct dst_entry *sluice_route_get(struct sluice_listener *l, struct sluice_routes *routes,
				   struct sluice_peer *p, bool *ref);
int sluice_udp_send(struct sluice_listener *l, struct sluice_routes *routes, struct sluice_peer *p,
		    const void *data, u32 len);

#endif /* SLUICE_ROUTE_H */
