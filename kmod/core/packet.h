/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames: where in an Ethernet frame the UDP message is, if it can be taken whole. */
#ifndef SLUICE_CORE_PACKET_H
#define SLUICE_CORE_PACKET_H

#include "port.h"

/* What a frame is to a listener; all but OK are left to the stack. */
enum sluice_packet_kind {
	SLUICE_PACKET_OK,
	SLUICE_PACKET_OTHER,	 /* no UDP over IP: ARP, neighbour discovery, TCP, ... */
	SLUICE_PACKET_FRAGMENT,
	SLUICE_PACKET_OPTIONS,	 /* IP options, IPv6 extension headers, more than one VLAN tag */
	SLUICE_PACKET_MALFORMED, /* lengths that contradict each other, bad IP header checksum */
	SLUICE_PACKET_CHECKSUM,	 /* UDP checksum wrong, or missing over IPv6 */
};

struct sluice_packet {
	u8 family;  /* 4 or 6 */
	u16 l3;	    /* of the IP header in the frame */
	u16 l4;	    /* of the UDP header */
	u16 off;    /* of the message */
	u16 len;    /* bytes of the message */
	u32 tag;    /* VLAN: protocol above, id below, in host order; 0: none */
	u16 sport;  /* host order, as dport */
	u16 dport;
};

#define SLUICE_PACKET_ETH  14
#define SLUICE_PACKET_VLAN 4
#define SLUICE_PACKET_IP4  20
#define SLUICE_PACKET_IP6  40
#define SLUICE_PACKET_UDP  8

int sluice_packet_parse(const u8 *data, u32 len, struct sluice_packet *p);
bool sluice_packet_sum_ok(const u8 *data, const struct sluice_packet *p, bool partial);
u64 sluice_sum_add(const u8 *data, u32 len, u64 sum);
u16 sluice_sum_fold(u64 sum);

/* A tag as sluice_packet.tag has it. */
static inline u32 sluice_packet_tag(u16 proto, u16 id)
{
	return (u32)proto << 16 | id;
}

#endif /* SLUICE_CORE_PACKET_H */
