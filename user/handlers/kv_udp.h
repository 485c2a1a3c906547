/* SPDX-License-Identifier: GPL-2.0-only */
/* Datagrams of the memcached protocol over UDP: the frame header and how a response is cut into datagrams. */
#ifndef SLUICE_HANDLERS_KV_UDP_H
#define SLUICE_HANDLERS_KV_UDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Every datagram begins with eight bytes, four numbers in network order: the request's id, which the client chose, the
 * number of this datagram from 0, how many there are, and 0.
 */
#define KV_UDP_HEADER	8
#define KV_UDP_DATAGRAM	1400	/* a response datagram at most: fits an Ethernet frame under IPv6 */
#define KV_UDP_DATA	(KV_UDP_DATAGRAM - KV_UDP_HEADER)

static inline uint16_t kv_udp_get(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static inline void kv_udp_put(uint8_t *p, uint16_t v)
{
	p[0] = v >> 8;
	p[1] = v;
}

/* Datagrams that @len bytes of response take; @len is not 0. */
static inline uint32_t kv_udp_count(size_t len)
{
	return (len + KV_UDP_DATA - 1) / KV_UDP_DATA;
}

/* Bytes of datagram @i, header included. */
static inline uint32_t kv_udp_size(size_t len, uint32_t i)
{
	size_t left = len - (size_t)i * KV_UDP_DATA;

	return KV_UDP_HEADER + (left < KV_UDP_DATA ? left : KV_UDP_DATA);
}

/* Write datagram @i of the response @data to @to. */
static inline void kv_udp_write(uint8_t *to, uint16_t id, const char *data, size_t len, uint32_t i)
{
	kv_udp_put(to, id);
	kv_udp_put(to + 2, i);
	kv_udp_put(to + 4, kv_udp_count(len));
	kv_udp_put(to + 6, 0);
	memcpy(to + KV_UDP_HEADER, data + (size_t)i * KV_UDP_DATA, kv_udp_size(len, i) - KV_UDP_HEADER);
}

#endif /* SLUICE_HANDLERS_KV_UDP_H */
