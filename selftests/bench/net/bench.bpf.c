// SPDX-License-Identifier: GPL-2.0-only
/* Owns the XDP programs of the peers: requests to an AF_XDP socket, or copied into a BPF ring buffer. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bench.h"

#define PORT 7000
#define RECORD 1536	/* a reservation has a constant size */

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
} xsks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} ring SEC(".maps");

/* The headers of a request, or NULL. */
static __always_inline struct udphdr *request(struct xdp_md *ctx, struct iphdr **ip)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct udphdr *udp;

	*ip = (void *)(eth + 1);
	udp = (void *)(*ip + 1);
	if ((void *)(udp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || (*ip)->ihl != 5 ||
	    (*ip)->protocol != IPPROTO_UDP || udp->dest != bpf_htons(PORT))
		return NULL;
	return udp;
}

SEC("xdp")
int to_xsk(struct xdp_md *ctx)
{
	struct iphdr *ip;

	if (!request(ctx, &ip))
		return XDP_PASS;
	return bpf_redirect_map(&xsks, ctx->rx_queue_index, XDP_PASS);
}

SEC("xdp")
int to_ring(struct xdp_md *ctx)
{
	struct iphdr *ip;
	struct udphdr *udp = request(ctx, &ip);
	struct record *r;
	__u64 len;

	if (!udp)
		return XDP_PASS;
	/* one less than the length, so that the verifier sees that it is not 0 */
	len = (__u64)bpf_ntohs(udp->len) - sizeof(*udp) - 1;
	asm volatile("" : "+r"(len));
	if (len >= RECORD - sizeof(*r))
		return XDP_PASS;
	len++;
	asm volatile("" : "+r"(len));
	r = bpf_ringbuf_reserve(&ring, RECORD, 0);
	if (!r)
		return XDP_DROP;
	r->len = len;
	r->saddr = ip->saddr;
	r->sport = udp->source;
	if (bpf_xdp_load_bytes(ctx, (void *)(udp + 1) - (void *)(long)ctx->data, r + 1, len)) {
		bpf_ringbuf_discard(r, BPF_RB_NO_WAKEUP);
		return XDP_PASS;
	}
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	return XDP_DROP;
}

SEC("xdp")
int drop(struct xdp_md *ctx)
{
	return XDP_DROP;
}

char _license[] SEC("license") = "GPL";
