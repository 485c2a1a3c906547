// SPDX-License-Identifier: MIT
/*
 * A classifier: looks at a message in front of the listener's rules, and names the rule that applies.
 *
 *	clang -O2 -g -target bpf -I/usr/include/x86_64-linux-gnu -c classify.bpf.c -o classify.bpf.o
 *	sluice rule add front 10 order 10 group g class small
 *	sluice rule add front 11 order 11 group g class large
 *	sluice listener set front classifier classify.bpf.o
 *
 * Messages that begin with a digit have their length in it: 0 to 4 are small, 5 to 9 large, and all of the same digit go
 * to the same ring if the group steers by hash. Everything else is left to the rules.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <linux/sluice_bpf.h>

SEC("socket")
int classify(struct __sk_buff *skb)
{
	__u8 first;

	if (bpf_skb_load_bytes(skb, 0, &first, 1) || first < '0' || first > '9')
		return 0;
	skb->cb[0] = first * 0x9e3779b1u;
	return SLUICE_VERDICT_KEY | (first < '5' ? 10 : 11);
}

char _license[] SEC("license") = "GPL";
