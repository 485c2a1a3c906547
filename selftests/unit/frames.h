/* SPDX-License-Identifier: GPL-2.0-only */
/* Owns how tests put Ethernet frames together: from 02:00:00:00:00:02 and 10.7.0.2 or fd07::2, port 40000, to ...1, port 7000. */
#ifndef SLUICE_UNIT_FRAMES_H
#define SLUICE_UNIT_FRAMES_H

#include <stdint.h>
#include <string.h>

/* Put a frame together the long way; the checksums are sums of 16-bit words in network order. */
static inline uint16_t slow_sum(const uint8_t *p, uint32_t len, uint32_t sum)
{
	uint32_t i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? p[i] : p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static inline void put16(uint8_t *p, uint16_t v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static inline void put_udp_sum(uint8_t *frame, uint32_t l3, uint32_t l4, uint32_t udp_len, int family)
{
	uint32_t pseudo = family == 4 ? slow_sum(frame + l3 + 12, 8, 0) : slow_sum(frame + l3 + 8, 32, 0);
	uint16_t sum;

	put16(frame + l4 + 6, 0);
	sum = ~slow_sum(frame + l4, udp_len, pseudo + 17 + udp_len);
	put16(frame + l4 + 6, sum ? sum : 0xffff);
}

static inline uint32_t build(uint8_t *frame, int family, int tagged, uint32_t payload)
{
	uint32_t l3 = 14 + (tagged ? 4 : 0), l4 = l3 + (family == 4 ? 20 : 40), udp_len = 8 + payload, i;

	memset(frame, 0, l4 + udp_len);
	memcpy(frame, "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02", 12);
	if (tagged) {
		put16(frame + 12, 0x8100);
		put16(frame + 14, 0x6005);
	}
	put16(frame + l3 - 2, family == 4 ? 0x0800 : 0x86dd);
	if (family == 4) {
		frame[l3] = 0x45;
		put16(frame + l3 + 2, 20 + udp_len);
		frame[l3 + 8] = 64;
		frame[l3 + 9] = 17;
		memcpy(frame + l3 + 12, "\x0a\x07\x00\x02\x0a\x07\x00\x01", 8);
		put16(frame + l3 + 10, ~slow_sum(frame + l3, 20, 0));
	} else {
		frame[l3] = 0x60;
		put16(frame + l3 + 4, udp_len);
		frame[l3 + 6] = 17;
		frame[l3 + 7] = 64;
		memcpy(frame + l3 + 8, "\xfd\x07\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\xfd\x07\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 32);
	}
	put16(frame + l4, 40000);
	put16(frame + l4 + 2, 7000);
	put16(frame + l4 + 4, udp_len);
	for (i = 0; i < payload; i++)
		frame[l4 + 8 + i] = 'a' + i * 7;
	put_udp_sum(frame, l3, l4, udp_len, family);
	return l4 + udp_len;
}

#endif /* SLUICE_UNIT_FRAMES_H */
