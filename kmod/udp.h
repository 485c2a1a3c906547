/* SPDX-License-Identifier: GPL-2.0-only */
/* UDP listeners: their sockets, datagrams that come in one buffer, and the way back. */
#ifndef SLUICE_UDP_H
#define SLUICE_UDP_H

#include "sluice.h"

/* udp.c */
int sluice_udp_open(struct sluice_listener *l, struct netlink_ext_ack *extack);
int sluice_udp_adopt(struct sluice_listener *l, int fd, struct netlink_ext_ack *extack);
int sluice_udp_attach(struct sluice_listener *l, struct netlink_ext_ack *extack);
int sluice_udp_bind(struct sluice_listener *l, struct netlink_ext_ack *extack);
void sluice_udp_detach(struct sluice_listener *l);
void sluice_udp_let_go(struct sluice_listener *l);
void sluice_udp_release(struct sluice_listener *l);
void sluice_udp_unshare(struct sluice_req *req);

/* gro.c */
bool sluice_gro_whole(const struct sk_buff *skb);
int sluice_gro_conflict(const struct sluice_listener *l, struct netlink_ext_ack *extack);
int sluice_gro_add(struct sluice_listener *l, struct netlink_ext_ack *extack);
void sluice_gro_remove(struct sluice_listener *l);

/* udp_tx.c */
struct sluice_together *sluice_together_create(void);
int sluice_udp_reply(struct sluice_req *req, struct sluice_ring *ring, const void *data, u32 len,
		     bool last);
void sluice_udp_flush(struct sluice_ring *ring);

#endif /* SLUICE_UDP_H */
