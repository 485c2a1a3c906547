// SPDX-License-Identifier: GPL-2.0-only
/* Sends frames that are no whole and right requests, or one that is, as they are, on a device. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "selftests/unit/frames.h"

#define PAYLOAD 21

static int fd;
static unsigned int sent;
static uint8_t to[6];

static void put(uint8_t *frame, uint32_t len)
{
	int tries;

	memcpy(frame, to, 6);
	for (tries = 0; send(fd, frame, len, 0) != (ssize_t)len; tries++) {
		if (errno != ENOBUFS || tries > 1000) {
			perror("xdp_frames: send");
			exit(1);
		}
		usleep(1000);
	}
	sent++;
}

static void truncated(int family, int tagged)
{
	uint32_t len = 0, n;
	uint8_t frame[256];

	len = build(frame, family, tagged, PAYLOAD);
	for (n = ETHER_HDR_LEN; n < len; n++)
		put(frame, n);
}

/* All bits but those of addresses and of what may be as it likes. */
static void turned(int family, int tagged)
{
	uint32_t len, l3 = 14 + (tagged ? 4 : 0), bit, at;
	uint8_t frame[256];

	len = build(frame, family, tagged, PAYLOAD);
	for (bit = l3 * 8; bit < len * 8; bit++) {
		at = bit / 8 - l3;
		if (family == 6 && (at < 4 || at == 7))
			continue;
		frame[bit / 8] ^= 1 << bit % 8;
		put(frame, len);
		frame[bit / 8] ^= 1 << bit % 8;
	}
}

/* Lengths that contradict each other, under checksums that are right for them. */
static void lengths(int family, int tagged)
{
	uint32_t len, l3 = 14 + (tagged ? 4 : 0), l4 = l3 + (family == 4 ? 20 : 40), v;
	uint8_t frame[256];

	for (v = 0; v < 65536; v += v < 64 ? 1 : 1021) {
		if (v == 8 + PAYLOAD)
			continue;
		len = build(frame, family, tagged, PAYLOAD);
		put16(frame + l4 + 4, v);
		put_udp_sum(frame, l3, l4, 8 + PAYLOAD, family);
		put(frame, len);
		len = build(frame, family, tagged, PAYLOAD);
		if (family == 4) {
			put16(frame + l3 + 2, v + 20);
			put16(frame + l3 + 10, 0);
			put16(frame + l3 + 10, ~slow_sum(frame + l3, 20, 0));
		} else {
			put16(frame + l3 + 4, v);
		}
		put(frame, len);
	}
}

static void right(int family, int tagged)
{
	uint8_t frame[256];
	uint32_t len = build(frame, family, tagged, PAYLOAD);

	put(frame, len);
}

/* A right one but for its IPv4 sender. */
static void from(const char *addr)
{
	uint8_t frame[256];
	uint32_t len = build(frame, 4, 0, PAYLOAD);

	if (inet_pton(AF_INET, addr, frame + 26) != 1)
		exit(2);
	put16(frame + 24, 0);
	put16(frame + 24, ~slow_sum(frame + 14, 20, 0));
	put_udp_sum(frame, 14, 34, 8 + PAYLOAD, 4);
	put(frame, len);
}

/* usage: xdp_frames DEVICE MAC right|wrong|ADDRESS: prints how many were sent; those from ADDRESS are right */
int main(int argc, char **argv)
{
	struct sockaddr_ll sll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	static const int shapes[][2] = { { 4, 0 }, { 4, 1 }, { 6, 0 }, { 6, 1 } };
	unsigned int i, m[6];

	if (argc != 4 || sscanf(argv[2], "%x:%x:%x:%x:%x:%x", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5]) != 6)
		return 2;
	for (i = 0; i < 6; i++)
		to[i] = m[i];
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	sll.sll_ifindex = if_nametoindex(argv[1]);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sll, sizeof(sll))) {
		perror("xdp_frames");
		return 2;
	}
	if (strchr(argv[3], '.')) {
		from(argv[3]);
		printf("1\n");
		return 0;
	}
	for (i = 0; i < 4; i++) {
		if (!strcmp(argv[3], "right")) {
			right(shapes[i][0], shapes[i][1]);
			continue;
		}
		truncated(shapes[i][0], shapes[i][1]);
		turned(shapes[i][0], shapes[i][1]);
		lengths(shapes[i][0], shapes[i][1]);
	}
	printf("%u\n", sent);
	return 0;
}
