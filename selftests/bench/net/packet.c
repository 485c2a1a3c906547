// SPDX-License-Identifier: GPL-2.0-only
/* Owns the server over AF_PACKET: blocks of a version 3 ring in, a ring past the queueing discipline out. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "cost.h"

#define BLOCK 4096	/* small, so that a block is soon full: one that is not waits for its timer */
#define BLOCKS 64
#define FRAME 2048
#define FRAMES 256

static uint8_t *blocks, *frames;
static unsigned int block, frame;
static int rx_fd, tx_fd;

static int packet_socket(bool receive)
{
	struct sockaddr_ll sll = { .sll_family = AF_PACKET, .sll_protocol = receive ? htons(ETH_P_ALL) : 0,
				   .sll_ifindex = if_nametoindex(DEVICE) };
	int fd = socket(AF_PACKET, SOCK_RAW, 0);
	int version = TPACKET_V3, one = 1;
	struct tpacket_req3 req = {
		.tp_block_size = receive ? BLOCK : FRAME * FRAMES, .tp_block_nr = receive ? BLOCKS : 1,
		.tp_frame_size = FRAME, .tp_frame_nr = receive ? BLOCKS * (BLOCK / FRAME) : FRAMES,
		.tp_retire_blk_tov = receive ? 1000 : 0,
	};
	/* UDP to the port, without IP options */
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 3),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 36), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PORT, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX), BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = { sizeof(f) / sizeof(f[0]), f };

	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)))
		die("packet socket", errno);
	if (receive && setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)))
		die("filter", errno);
	if (receive && setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)))
		die("PACKET_IGNORE_OUTGOING", errno);
	if (!receive && setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)))
		die("PACKET_QDISC_BYPASS", errno);
	if (setsockopt(fd, SOL_PACKET, receive ? PACKET_RX_RING : PACKET_TX_RING, &req, sizeof(req)))
		die("packet ring", errno);
	if (bind(fd, (struct sockaddr *)&sll, sizeof(sll)))
		die("bind", errno);
	return fd;
}

static void open_packet(void)
{
	rx_fd = packet_socket(true);
	tx_fd = packet_socket(false);
	blocks = mmap(NULL, BLOCK * BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED, rx_fd, 0);
	frames = mmap(NULL, FRAME * FRAMES, PROT_READ | PROT_WRITE, MAP_SHARED, tx_fd, 0);
	if (blocks == MAP_FAILED || frames == MAP_FAILED)
		die("mmap", errno);
}

static bool queue(const uint8_t *bytes, uint32_t len)
{
	struct tpacket3_hdr *h = (void *)(frames + (size_t)frame * FRAME);
	uint8_t *to = (uint8_t *)h + TPACKET3_HDRLEN - sizeof(struct sockaddr_ll);

	if (__atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE) != TP_STATUS_AVAILABLE)
		return false;
	memcpy(to, bytes, len);
	if (!frame_turn(to, len))
		return true;
	h->tp_next_offset = 0;
	h->tp_len = len;
	h->tp_snaplen = len;
	__atomic_store_n(&h->tp_status, TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
	frame = (frame + 1) % FRAMES;
	return true;
}

static int serve_packet(void)
{
	int done = 0;

	for (;;) {
		struct tpacket_block_desc *b = (void *)(blocks + (size_t)block * BLOCK);
		struct tpacket3_hdr *h;
		uint32_t i;

		if (!(__atomic_load_n(&b->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
			break;
		h = (void *)((uint8_t *)b + b->hdr.bh1.offset_to_first_pkt);
		for (i = 0; i < b->hdr.bh1.num_pkts; i++) {
			if (!queue((uint8_t *)h + h->tp_mac, h->tp_snaplen))
				die("transmit ring is full", ENOBUFS);
			h = (void *)((uint8_t *)h + h->tp_next_offset);
			done++;
		}
		__atomic_store_n(&b->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		block = (block + 1) % BLOCKS;
	}
	if (done && send(tx_fd, NULL, 0, MSG_DONTWAIT) < 0)
		return -errno;
	return done;
}

const struct server packet_servers[] = {
	{ "af_packet", open_packet, serve_packet, true },
	{ 0 },
};
