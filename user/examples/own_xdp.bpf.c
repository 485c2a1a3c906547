// SPDX-License-Identifier: MIT
/*
 * Your own XDP program in place of Sluice's: drops what it does not like, and offers the rest to the XDP listeners of the
 * device, with a word on what it is. It runs first and says that nobody comes after it, else what it passes would be
 * offered, and counted, again.
 *
 *	clang -O2 -g -target bpf -I/usr/include/x86_64-linux-gnu -c own_xdp.bpf.c -o own_xdp.bpf.o
 *	sluice listener add fast xdp dev eth0 udp 0.0.0.0:7000 default group g
 *	sluice rule add fast 10 order 10 group g class urgent
 *	xdp-loader load -m native eth0 ./own_xdp.bpf.o
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <linux/sluice_bpf.h>
#include <xdp/xdp_helpers.h>

extern int sluice_xdp_request(struct xdp_md *ctx, struct sluice_xdp_opts *opts, __u32 opts__sz) __ksym;

/* How many frames were taken, and passed for which reason: one more than the reason is the index. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1 + __SLUICE_XDP_PASS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

struct {
	__uint(priority, 10);
	__uint(XDP_PASS, 0);
} XDP_RUN_CONFIG(own_xdp);

/* As an example: IPv4 messages that begin with '!' are rule 10's, of the highest priority, with their next byte as key. */
static __always_inline void look(const __u8 *data, const __u8 *end, struct sluice_xdp_opts *opts)
{
	if (data + 44 > end || data[12] != 0x08 || data[13] || data[14] != 0x45 || data[23] != 17 || data[42] != '!')
		return;
	opts->verdict = 10 | SLUICE_VERDICT_AT_PRIO(0) | SLUICE_VERDICT_KEY;
	opts->key = data[43] * 0x9e3779b1u;
}

SEC("xdp")
int own_xdp(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct sluice_xdp_opts opts = {};
	__u64 *n;
	int verdict;

	/* as an example: nothing from multicast link addresses */
	if (data + 14 <= end && (data[6] & 1))
		return XDP_DROP;
	look(data, end, &opts);
	verdict = sluice_xdp_request(ctx, &opts, sizeof(opts));
	n = bpf_map_lookup_elem(&seen, &opts.passed);
	if (n)
		(*n)++;
	return verdict;
}

char _license[] SEC("license") = "GPL";
