/* SPDX-License-Identifier: GPL-2.0-only */
/* Peers of replies and their routes, shared by the ways a reply can leave. */
#ifndef SLUICE_ROUTE_H
#define SLUICE_ROUTE_H

#include <linux/in6.h>
#include <net/dst.h>

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

struct dst_entry *sluice_route_get(struct sluice_listener *l, struct sluice_routes *routes,
				   struct sluice_peer *p, bool *ref);
int sluice_udp_send(struct sluice_listener *l, struct sluice_routes *routes, struct sluice_peer *p,
		    const void *data, u32 len);

#endif /* SLUICE_ROUTE_H */
