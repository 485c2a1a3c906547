// SPDX-License-Identifier: GPL-2.0-only
/* Offers each frame to the XDP listeners of its device; what is no request goes on to whoever comes next. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <linux/sluice_bpf.h>

extern int sluice_xdp_request(struct xdp_md *ctx, struct sluice_xdp_opts *opts, __u32 opts__sz) __ksym;

SEC("xdp")
int sluice_xdp(struct xdp_md *ctx)
{
	struct sluice_xdp_opts opts = {};

	return sluice_xdp_request(ctx, &opts, sizeof(opts));
}

char _license[] SEC("license") = "GPL";
