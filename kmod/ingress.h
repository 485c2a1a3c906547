/* SPDX-License-Identifier: GPL-2.0-only */
/* From a message to its place: what a listener received, and who sends it on its way. */
#ifndef SLUICE_INGRESS_H
#define SLUICE_INGRESS_H

#include "sluice.h"

/* A message as it was received: what it lies in, the stack's still. */
struct sluice_arrival {
	u32 len;      /* bytes of the message */
	u32 off;      /* of it in @skb or @frame */
	u32 ifindex;  /* device it came in by */
	u32 truesize; /* bytes of memory that keeping it takes */
	u8 kind;      /* enum sluice_req_kind, not TCP */
	u8 l3;	      /* XDP: offset of the IP header */
	bool shared;  /* others lie in the same @skb; the request takes one reference */
	u64 now;      /* when it came, CLOCK_MONOTONIC ns; 0: now */
	union {
		struct sk_buff *skb;
		struct xdp_frame *frame;
	};
};

u32 sluice_ingress_hash(const struct sluice_group *g, const struct sluice_msg *msg,
			const struct sluice_req *req, const struct sluice_classified *found);
void sluice_req_cancel_by(const struct sluice_verdict_to *to, const struct sluice_msg *msg,
			  struct sluice_req *req);
bool sluice_ingress(struct sluice_listener *l, const struct sluice_msg *msg,
		    const struct sluice_hint *hint, const struct sluice_arrival *from);

#endif /* SLUICE_INGRESS_H */
