// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames: finds the UDP message in an Ethernet frame and proves its lengths and checksums. Every
 * offset is checked against the frame's length before it is read.
 */
#include "packet.h"

#define ETH_TYPE_IP4 0x0800
#define ETH_TYPE_IP6 0x86dd
#define ETH_TYPE_8021Q 0x8100
#define ETH_TYPE_8021AD 0x88a8
#define IP_PROTO_UDP 17
#define IP_MORE_OR_OFFSET 0x3fff
#define VLAN_ID 0x0fff

static u16 be16(const u8 *p)
{
	return (u16)(p[0] << 8 | p[1]);
}

/**
 * sluice_sum_add() - add bytes to an Internet checksum
 * @data: bytes, the first at an even distance from where the sum began
 * @len: how many
 * @sum: what was added before, at most a few messages, or 0
 *
 * Words are added as memory has them: the folded sum is in network order by itself.
 */
u64 sluice_sum_add(const u8 *data, u32 len, u64 sum)
{
	return sum + sluice_port_sum(data, len);
}

/* Reduce a sum to 16 bits, as memory has them; 0xffff where nothing is wrong. */
u16 sluice_sum_fold(u64 sum)
{
	sum = (sum & U32_MAX) + (sum >> 32);
	sum = (sum & U32_MAX) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (u16)sum;
}

/* Sum of the pseudo header of a parsed frame's addresses, for a UDP datagram of @udp_len bytes. */
static u64 pseudo_sum(const u8 *data, const struct sluice_packet *p, u32 udp_len)
{
	const u8 tail[4] = {0, IP_PROTO_UDP, (u8)(udp_len >> 8), (u8)udp_len};
	const u8 *at = data + p->l3 + (p->family == 4 ? 12 : 8);
	const u8 *end = at + (p->family == 4 ? 8 : 32);
	u64 sum;
	u32 w;

	memcpy(&w, tail, 4);
	for (sum = w; at < end; at += 4) {
		memcpy(&w, at, 4);
		sum += w;
	}
	return sum;
}

static int parse_udp(const u8 *data, u32 room, struct sluice_packet *p)
{
	u32 len;

	p->off = p->l4 + SLUICE_PACKET_UDP;
	if (room < SLUICE_PACKET_UDP)
		return SLUICE_PACKET_MALFORMED;
	p->sport = be16(data + p->l4);
	p->dport = be16(data + p->l4 + 2);
	len = be16(data + p->l4 + 4);
	if (len != room || !p->dport)
		return SLUICE_PACKET_MALFORMED;
	p->len = len - SLUICE_PACKET_UDP;
	return SLUICE_PACKET_OK;
}

/* @room: bytes of the frame behind the link header; there may be padding among them */
static int parse_ip4(const u8 *data, u32 room, struct sluice_packet *p)
{
	const u8 *ip = data + p->l3;
	u32 total;

	p->family = 4;
	if (room < SLUICE_PACKET_IP4 || ip[0] >> 4 != 4)
		return SLUICE_PACKET_MALFORMED;
	if (ip[9] != IP_PROTO_UDP)
		return SLUICE_PACKET_OTHER;
	if (be16(ip + 6) & IP_MORE_OR_OFFSET)
		return SLUICE_PACKET_FRAGMENT;
	if (ip[0] != 0x45)
		return (ip[0] & 0xf) < 5 ? SLUICE_PACKET_MALFORMED : SLUICE_PACKET_OPTIONS;
	total = be16(ip + 2);
	if (total > room || total < SLUICE_PACKET_IP4)
		return SLUICE_PACKET_MALFORMED;
	if (!sluice_port_ip4_sum_ok(ip))
		return SLUICE_PACKET_MALFORMED;
	p->l4 = p->l3 + SLUICE_PACKET_IP4;
	return parse_udp(data, total - SLUICE_PACKET_IP4, p);
}

static bool is_extension(u8 next)
{
	return next == 0 || next == 43 || next == 50 || next == 51 || next == 60 || next == 135;
}

static int parse_ip6(const u8 *data, u32 room, struct sluice_packet *p)
{
	const u8 *ip = data + p->l3;
	u32 payload;

	p->family = 6;
	if (room < SLUICE_PACKET_IP6 || ip[0] >> 4 != 6)
		return SLUICE_PACKET_MALFORMED;
	if (ip[6] == 44)
		return SLUICE_PACKET_FRAGMENT;
	if (is_extension(ip[6]))
		return SLUICE_PACKET_OPTIONS;
	if (ip[6] != IP_PROTO_UDP)
		return SLUICE_PACKET_OTHER;
	payload = be16(ip + 4);
	if (payload > room - SLUICE_PACKET_IP6)
		return SLUICE_PACKET_MALFORMED;
	p->l4 = p->l3 + SLUICE_PACKET_IP6;
	return parse_udp(data, payload, p);
}

/**
 * sluice_packet_parse() - find the UDP message in a frame
 * @data: frame from its Ethernet header on
 * @len: bytes of it
 * @p: where everything is; complete only with SLUICE_PACKET_OK
 *
 * Return: enum sluice_packet_kind; the UDP checksum is still to be looked at.
 */
int sluice_packet_parse(const u8 *data, u32 len, struct sluice_packet *p)
{
	u16 type;

	if (len < SLUICE_PACKET_ETH || len > 0xffff)
		return SLUICE_PACKET_OTHER;
	p->l3 = SLUICE_PACKET_ETH;
	p->tag = 0;
	type = be16(data + 12);
	if (type == ETH_TYPE_8021Q || type == ETH_TYPE_8021AD) {
		p->l3 += SLUICE_PACKET_VLAN;
		if (len < p->l3)
			return SLUICE_PACKET_MALFORMED;
		p->tag = sluice_packet_tag(type, be16(data + 14) & VLAN_ID);
		type = be16(data + 16);
	}
	switch (type) {
	case ETH_TYPE_IP4:
		return parse_ip4(data, len - p->l3, p);
	case ETH_TYPE_IP6:
		return parse_ip6(data, len - p->l3, p);
	case ETH_TYPE_8021Q:
	case ETH_TYPE_8021AD:
		return SLUICE_PACKET_OPTIONS;
	}
	return SLUICE_PACKET_OTHER;
}

/**
 * sluice_packet_sum_ok() - look at the UDP checksum of a parsed frame
 * @data: frame
 * @p: what sluice_packet_parse() found
 * @partial: the frame never was on a wire and its sender may have left the sum to a device that
 *	does not exist: then the field holds the sum of the pseudo header
 */
bool sluice_packet_sum_ok(const u8 *data, const struct sluice_packet *p, bool partial)
{
	u32 udp_len = p->len + SLUICE_PACKET_UDP;
	u64 pseudo;
	u16 field;

	memcpy(&field, data + p->l4 + 6, 2);
	if (!field)
		return p->family == 4;
	pseudo = pseudo_sum(data, p, udp_len);
	if (partial && sluice_sum_fold(pseudo) == field)
		return true;
	return sluice_sum_fold(sluice_sum_add(data + p->l4, udp_len, pseudo)) == 0xffff;
}
