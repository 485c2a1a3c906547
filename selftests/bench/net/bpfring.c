// SPDX-License-Identifier: GPL-2.0-only
/* Owns the server fed by a BPF ring buffer: an XDP program puts requests in, a socket sends the replies. */
#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <string.h>
#include <sys/socket.h>

#include "bench.h"
#include "cost.h"

static struct ring_buffer *ring;
static struct mmsghdr msg[BATCH];
static struct iovec iov[BATCH];
static struct sockaddr_in peer[BATCH];
static char bytes[BATCH][SIZE_MAX_MSG];
static int server, gathered;

/* The record goes back to the kernel when this returns, so the reply is copied out of it. */
static int gather(void *unused, void *data, size_t len)
{
	const struct record *r = data;

	(void)unused;
	if (gathered == BATCH || r->len > len - sizeof(*r) || r->len > SIZE_MAX_MSG)
		return -EMSGSIZE;
	memcpy(bytes[gathered], r + 1, r->len);
	iov[gathered] = (struct iovec){ bytes[gathered], r->len };
	peer[gathered] = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = r->saddr, .sin_port = r->sport };
	msg[gathered].msg_hdr = (struct msghdr){ .msg_name = &peer[gathered], .msg_namelen = sizeof(peer[0]),
						 .msg_iov = &iov[gathered], .msg_iovlen = 1 };
	gathered++;
	return 0;
}

static void open_bpfring(void)
{
	struct bpf_object *obj = xdp_attach("to_ring", XDP_FLAGS_DRV_MODE);

	ring = ring_buffer__new(bpf_object__find_map_fd_by_name(obj, "ring"), gather, NULL, NULL);
	if (!ring)
		die("ring buffer", errno);
	server = udp_socket("0.0.0.0", PORT);
}

static int serve_bpfring(void)
{
	int n, sent = 0;

	gathered = 0;
	n = ring_buffer__consume(ring);
	if (n < 0)
		return n;
	while (sent < gathered) {
		int k = sendmmsg(server, msg + sent, gathered - sent, 0);

		if (k < 0)
			return -errno;
		sent += k;
	}
	return gathered;
}

const struct server bpfring_servers[] = {
	{ "bpf-ringbuf", open_bpfring, serve_bpfring, false },
	{ 0 },
};
