// SPDX-License-Identifier: MIT
/*
 * A framer: says where the messages of a TCP stream end. Here each begins with the number of bytes that follow, as a
 * variable-length number of protobuf's: seven bits a byte, lowest first, the highest bit set in all bytes but the last.
 *
 *	clang -O2 -g -target bpf -I/usr/include/x86_64-linux-gnu -c frame.bpf.c -o frame.bpf.o
 *	sluice group add g steer hash
 *	sluice listener add rpc tcp 0.0.0.0:7000 framing bpf ./frame.bpf.o default group g
 *	sluice listener set rpc framing bpf ./frame.bpf.o	# after a change; connections stay
 *
 * It is run when bytes have come, with those of one message from its first on, and returns how long the message is: as soon
 * as it knows, for then it is not asked again, and the rest is waited for. Programs for messages that do not say so in their
 * first bytes keep what they know in skb->cb: linux/sluice_bpf.h, user/bpf/.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>
#include <linux/sluice_bpf.h>

SEC("socket")
int varint(struct __sk_buff *skb)
{
	__u64 size = 0;
	__u32 i;
	__u8 c;

	for (i = 0; i < 5; i++) {
		if (bpf_skb_load_bytes(skb, i, &c, 1))
			return 0; /* not there yet */
		size |= (__u64)(c & 0x7f) << (7 * i);
		if (!(c & 0x80))
			return size + i + 1 > skb->mark ? -EMSGSIZE : (int)size + i + 1;
	}
	return -EPROTO;
}

char _license[] SEC("license") = "GPL";
