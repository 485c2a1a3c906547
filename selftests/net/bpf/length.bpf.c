// SPDX-License-Identifier: GPL-2.0-only
/* A framer for tests: cuts as framing length does. */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/sluice_bpf.h>

SEC("socket")
int length(struct __sk_buff *skb)
{
	__u32 size;

	if (bpf_skb_load_bytes(skb, 0, &size, 4))
		return 0;
	size = bpf_ntohl(size);
	return size > skb->mark - 4 ? -EMSGSIZE : (int)size + 4;
}

char _license[] SEC("license") = "GPL";
