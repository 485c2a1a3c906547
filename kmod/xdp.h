/* SPDX-License-Identifier: GPL-2.0-only */
/* What XDP listeners have beside the rest: their device, and the way back through it. */
#ifndef SLUICE_XDP_H
#define SLUICE_XDP_H

#include <linux/netdevice.h>
#include <net/xdp.h>
#include <uapi/linux/sluice_bpf.h>

#include "core/packet.h"
#include "pool.h"
#include "route.h"
#include "sluice.h"

#define SLUICE_XDP_BUCKETS 16 /* of one device, by port */

/*
 * A device that frames are taken from. In the table by address of the device; found under RCU,
 * changed under RTNL. Freed a grace period after its last listener left, or the device did.
 */
struct sluice_xdp_port {
	struct hlist_node node;
	struct net_device *dev; /* reference */
	u32 users;		/* listeners; RTNL */
	struct hlist_head listeners[SLUICE_XDP_BUCKETS];
	u64 __percpu *passed; /* by enum sluice_xdp_pass */
};

/* What was found out about peers this very tick, and routes that were found good lately. */
struct sluice_xdp_ways;

/* The destination is this host's; the sender is one other machine, and the destination one host. */
#define SLUICE_XDP_HOSTS_OURS  1
#define SLUICE_XDP_HOSTS_CLEAN 2

enum sluice_xdp_way {
	SLUICE_XDP_WAY_NONE,
	SLUICE_XDP_WAY_STACK,
	SLUICE_XDP_WAY_DRIVER,
};

struct sluice_xdp {
	struct sluice_listener *listener;
	struct hlist_node node; /* port->listeners, RCU */
	struct list_head list;	/* all, RTNL */
	struct net_device __rcu *dev;	     /* the stack would receive it there; reference */
	struct sluice_xdp_port __rcu *port; /* its frames come from; NULL: the device is gone */
	u32 tag;			     /* see sluice_packet.tag */
	u64 passed[__SLUICE_XDP_PASS_MAX];   /* to add to the port's, wrapping; RTNL */
	char ifname[IFNAMSIZ];
	struct sluice_xdp_ways **ways; /* by CPU */
};

/* xdp.c */
int sluice_xdp_init(void);
void sluice_xdp_fini(void);
int sluice_xdp_request(struct xdp_md *ctx, struct sluice_xdp_opts *opts, u32 opts__sz);
int sluice_xdp_open(struct sluice_listener *l, struct netlink_ext_ack *extack);
int sluice_xdp_attach(struct sluice_listener *l, struct netlink_ext_ack *extack);
void sluice_xdp_detach(struct sluice_listener *l);
void sluice_xdp_release(struct sluice_listener *l);
void sluice_xdp_counts(const struct sluice_listener *l, u64 *passed);

/* xdp_tx.c */
u32 sluice_xdp_truesize(u32 len);
struct xdp_frame *sluice_xdp_frame_copy(const struct xdp_frame *from, u32 len);
void sluice_xdp_frame_free(struct xdp_frame *frame);
void sluice_xdp_unshare(struct sluice_req *req);
u32 sluice_xdp_flow(const struct sluice_req *req, u32 seed);
u32 sluice_xdp_source(const struct sluice_req *req, u32 seed);
void sluice_xdp_from(const struct sluice_req *req, struct sluice_from *from);
int sluice_xdp_reply(struct sluice_req *req, struct sluice_ring *ring, const void *data, u32 len,
		     bool last);
void sluice_xdp_flush(void);

/* xdp_way.c */
struct sluice_xdp_ways **sluice_xdp_ways_create(void);
void sluice_xdp_ways_destroy(struct sluice_xdp_ways **ways);
struct sluice_routes *sluice_xdp_routes(const struct sluice_listener *l);
u8 sluice_xdp_hosts(const struct sluice_xdp *x, const struct net_device *dev, const u8 *addr,
		    u8 family);
enum sluice_xdp_way sluice_xdp_way_back(struct sluice_listener *l, const struct sluice_peer *p,
					struct net_device *dev, const u8 *mac, u64 len);

#endif /* SLUICE_XDP_H */
