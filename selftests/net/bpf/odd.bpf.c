// SPDX-License-Identifier: GPL-2.0-only
/*
 * A framer for tests that does what a message's first byte says:
 *	1-9	a message of so many bytes
 *	n	no message
 *	m	too long
 *	t	a length over the maximum
 *	f	done with more than the maximum
 *	k	never moves
 *	b	done with four bytes, then goes back
 *	s	done with four bytes, then tells a length of two
 *	w	done with each byte that it has seen, up to 255 in a run; ends with a full stop, if cb[1] has counted right
 *	l	looks for a full stop in the first 255 bytes, and is done with none of them
 *	v	a full stop behind 5000 bytes that it is done with before they are there
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>
#include <linux/sluice_bpf.h>

/* From byte @i of those that are shown on, which is byte @done of the message. */
static __always_inline int words(struct __sk_buff *skb, __u32 i, __u32 done)
{
	__u8 c;

	for (; i < 255; i++) {
		if (bpf_skb_load_bytes(skb, i, &c, 1))
			break;
		if (skb->cb[1] != done)
			return -EPROTO;
		done++;
		if (c == '.')
			return done;
		skb->cb[1] = done;
	}
	skb->cb[0] = done;
	return 0;
}

static __always_inline int later(struct __sk_buff *skb)
{
	__u32 kind = skb->cb[2], done = skb->cb[0];
	__u8 c;

	if (kind == 'b')
		skb->cb[0] = 1;
	if (kind == 's')
		return 2;
	if (kind == 'w')
		return words(skb, 0, done);
	if (kind != 'v')
		return 0;
	return bpf_skb_load_bytes(skb, 0, &c, 1) || c != '.' ? -EPROTO : done + 1;
}

static __always_inline int stop_in(struct __sk_buff *skb)
{
	__u32 i;
	__u8 c;

	for (i = 1; i < 255; i++) {
		if (bpf_skb_load_bytes(skb, i, &c, 1))
			return 0;
		if (c == '.')
			return i + 1;
	}
	return -EPROTO;
}

SEC("socket")
int odd(struct __sk_buff *skb)
{
	__u8 c;

	if (skb->cb[0])
		return later(skb);
	if (bpf_skb_load_bytes(skb, 0, &c, 1))
		return -EPROTO;
	if (c >= '1' && c <= '9')
		return c - '0';
	skb->cb[2] = c;
	switch (c) {
	case 'm':
		return -EMSGSIZE;
	case 't':
		return skb->mark + 1;
	case 'f':
		skb->cb[0] = skb->mark + 1;
		return 0;
	case 'k':
		return 0;
	case 'b':
	case 's':
		skb->cb[0] = 4;
		return 0;
	case 'w':
		skb->cb[1] = 1;
		return words(skb, 1, 1);
	case 'l':
		return stop_in(skb);
	case 'v':
		skb->cb[0] = 5000;
		return 0;
	}
	return -1;
}

char _license[] SEC("license") = "GPL";
