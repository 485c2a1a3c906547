// SPDX-License-Identifier: GPL-2.0-only
/* Owns the servers over AF_XDP: frames turned round in place, in the driver's mode and in the generic one. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <xdp/xsk.h>

#include "cost.h"

#define FRAMES 1024
#define FRAME_SIZE 2048

static struct xsk_ring_prod fill, tx;
static struct xsk_ring_cons completion, rx;
static struct xsk_socket *xsk;
static uint8_t *area;
static unsigned int in_flight;	/* sent, not yet seen completed */

bool frame_turn(uint8_t *frame, uint32_t len)
{
	struct ethhdr *eth = (struct ethhdr *)frame;
	struct iphdr *ip = (struct iphdr *)(eth + 1);
	struct udphdr *udp = (struct udphdr *)(ip + 1);
	uint8_t mac[ETH_ALEN];
	uint32_t addr;
	uint16_t port;

	if (len < sizeof(*eth) + sizeof(*ip) + sizeof(*udp) || ip->ihl != 5)
		return false;
	memcpy(mac, eth->h_dest, sizeof(mac));
	memcpy(eth->h_dest, eth->h_source, sizeof(mac));
	memcpy(eth->h_source, mac, sizeof(mac));
	addr = ip->daddr;
	ip->daddr = ip->saddr;
	ip->saddr = addr;
	port = udp->dest;
	udp->dest = udp->source;
	udp->source = port;
	/* the sums of the swapped headers stay right; that of the payload may never have been made */
	udp->check = 0;
	return true;
}

static struct bpf_object *attached;
static unsigned int attached_flags;

static void xdp_detach(void)
{
	bpf_xdp_detach(if_nametoindex(DEVICE), attached_flags, NULL);
	bpf_object__close(attached);
}

static struct bpf_program *load(const char *program)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	struct bpf_program *p;
	int err;

	setrlimit(RLIMIT_MEMLOCK, &all);
	attached = bpf_object__open_file("/usr/lib/bench/bench.bpf", NULL);
	err = libbpf_get_error(attached);
	if (err)
		die("bench.bpf", err);
	err = bpf_object__load(attached);
	if (err)
		die("loading bench.bpf", err);
	p = bpf_object__find_program_by_name(attached, program);
	if (!p)
		die(program, ENOENT);
	return p;
}

int xdp_drop(const char *device)
{
	int err = bpf_xdp_attach(if_nametoindex(device), bpf_program__fd(load("drop")), XDP_FLAGS_DRV_MODE, NULL);

	if (err)
		die("attaching to the device", err);
	return 0;
}

struct bpf_object *xdp_attach(const char *program, unsigned int flags)
{
	struct bpf_program *p = load(program);
	int err;

	attached_flags = flags;
	err = bpf_xdp_attach(if_nametoindex(DEVICE), bpf_program__fd(p), flags, NULL);
	if (err)
		die("attaching to " DEVICE, err);
	atexit(xdp_detach);
	return attached;
}

static void refill(const uint64_t *addr, unsigned int n)
{
	uint32_t at = 0, i;

	if (xsk_ring_prod__reserve(&fill, n, &at) != n)
		die("fill ring", ENOSPC);
	for (i = 0; i < n; i++)
		*xsk_ring_prod__fill_addr(&fill, at + i) = addr[i];
	xsk_ring_prod__submit(&fill, n);
}

static void open_xsk(unsigned int mode)
{
	const struct xsk_umem_config uc = { .fill_size = FRAMES, .comp_size = FRAMES, .frame_size = FRAME_SIZE };
	const struct xsk_socket_config sc = { .rx_size = FRAMES, .tx_size = FRAMES,
					      .libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD, .xdp_flags = mode,
					      .bind_flags = XDP_COPY | XDP_USE_NEED_WAKEUP };
	struct bpf_object *obj = xdp_attach("to_xsk", mode);
	struct xsk_umem *umem;
	uint64_t addr[FRAMES / 2];
	uint32_t key = 0;
	int err, fd, i;

	area = mmap(NULL, FRAMES * FRAME_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (area == MAP_FAILED)
		die("mmap", errno);
	err = xsk_umem__create(&umem, area, FRAMES * FRAME_SIZE, &fill, &completion, &uc);
	if (err)
		die("umem", err);
	err = xsk_socket__create(&xsk, DEVICE, 0, umem, &rx, &tx, &sc);
	if (err)
		die("AF_XDP socket", err);
	fd = xsk_socket__fd(xsk);
	err = bpf_map_update_elem(bpf_object__find_map_fd_by_name(obj, "xsks"), &key, &fd, BPF_ANY);
	if (err)
		die("socket map", err);
	for (i = 0; i < FRAMES / 2; i++)
		addr[i] = (uint64_t)i * FRAME_SIZE;
	refill(addr, FRAMES / 2);
}

static void open_native(void)
{
	open_xsk(XDP_FLAGS_DRV_MODE);
}

static void open_skb(void)
{
	open_xsk(XDP_FLAGS_SKB_MODE);
}

/* Frames that were sent take requests again. */
static void reclaim(void)
{
	uint64_t addr[BATCH];
	uint32_t at = 0, n, i;

	while ((n = xsk_ring_cons__peek(&completion, BATCH, &at))) {
		for (i = 0; i < n; i++)
			addr[i] = *xsk_ring_cons__comp_addr(&completion, at + i);
		xsk_ring_cons__release(&completion, n);
		refill(addr, n);
		in_flight -= n;
	}
}

static int kick(void)
{
	while (in_flight) {
		if (xsk_ring_prod__needs_wakeup(&tx) &&
		    sendto(xsk_socket__fd(xsk), NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno != EAGAIN &&
		    errno != EBUSY)
			return -errno;
		reclaim();
	}
	return 0;
}

static int serve_xsk(void)
{
	uint32_t from = 0, to = 0, n, i;
	int err;

	n = xsk_ring_cons__peek(&rx, BATCH, &from);
	if (!n)
		return 0;
	if (xsk_ring_prod__reserve(&tx, n, &to) != n)
		return -ENOBUFS;
	for (i = 0; i < n; i++) {
		const struct xdp_desc *d = xsk_ring_cons__rx_desc(&rx, from + i);

		frame_turn(xsk_umem__get_data(area, d->addr), d->len);
		*xsk_ring_prod__tx_desc(&tx, to + i) = *d;
	}
	xsk_ring_prod__submit(&tx, n);
	xsk_ring_cons__release(&rx, n);
	in_flight += n;
	err = kick();
	return err ? err : (int)n;
}

const struct server xsk_servers[] = {
	{ "af_xdp", open_native, serve_xsk, false },
	{ "af_xdp-skb", open_skb, serve_xsk, false },
	{ 0 },
};
