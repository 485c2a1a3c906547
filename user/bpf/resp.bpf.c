// SPDX-License-Identifier: GPL-2.0-only
/*
 * A framer of Redis' RESP as clients speak it, arrays of bulk strings and inline commands: "framing bpf resp". Cuts as the
 * module's own framing resp does. It looks at the headers of an array's strings only, and passes over the strings, whether
 * they have come or not.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>
#include <linux/sluice_bpf.h>

#include "bounded.h"

#define HEADER	16 /* bytes that are looked at for a header: its first, ten digits, CR, LF */
#define DIGITS	10
#define CHUNK	64 /* bytes of an inline command that are fetched at once */

/* cb[1] */
enum {
	START,
	ITEMS,	/* cb[2] strings are to come, the next one at cb[0] */
	INLINE, /* up to a newline */
};

struct walk {
	struct __sk_buff *skb;
	__u32 base;  /* of what is shown, in the message */
	__u32 pos;   /* of what is looked at next */
	__u32 end;
	__u32 max;
	__u32 items; /* strings still to come */
	int ret;
	__u8 buf[CHUNK];
};

/*
 * The number in a header of which @n bytes are there. Return: the header's length, 0: it is not complete, or -EPROTO.
 */
static __always_inline int number(const __u8 *buf, __u32 n, __u64 *value)
{
	__u64 v = 0;
	__u32 i;

	for (i = 1; i <= DIGITS + 1; i++) {
		__u8 c;

		if (i >= n)
			return 0;
		c = buf[i];
		if (c >= '0' && c <= '9' && i <= DIGITS) {
			v = v * 10 + (c - '0');
			continue;
		}
		if (c != '\r' || i == 1)
			return -EPROTO;
		if (i + 1 >= n)
			return 0;
		*value = v;
		return buf[i + 1] == '\n' ? i + 2 : -EPROTO;
	}
	return -EPROTO;
}

/* Fetch a header at w->pos, of which something is there. Return: as number(). */
static __always_inline int header(struct walk *w, __u8 first, __u64 *value)
{
	__u32 n = w->end - w->pos;
	__u8 buf[HEADER] = {};

	n = bounded(n, HEADER);
	if (bpf_skb_load_bytes(w->skb, w->pos - w->base, buf, n) || buf[0] != first)
		return -EPROTO;
	return number(buf, n, value);
}

/* The next string of an array. Return: 1 to stop. */
static long next_item(__u32 i, void *ctx)
{
	struct walk *w = ctx;
	__u64 size = 0, to;
	int n;

	if (w->pos >= w->end)
		return 1;
	n = header(w, '$', &size);
	if (n <= 0) {
		w->ret = n;
		return 1;
	}
	to = (__u64)w->pos + n + size + 2;
	if (size > w->max || to > w->max) {
		w->ret = -EMSGSIZE;
		return 1;
	}
	if (!--w->items) {
		w->ret = to;
		return 1;
	}
	w->pos = to;
	return 0;
}

/* One more byte of an inline command. Return: 1 to stop. */
static long next_byte(__u32 i, void *ctx)
{
	struct walk *w = ctx;
	__u32 at = w->pos - w->base, n = w->end - w->pos;

	if (!n)
		return 1;
	if (!(at & (CHUNK - 1))) {
		n = bounded(n, CHUNK);
		if (bpf_skb_load_bytes(w->skb, at, w->buf, n)) {
			w->ret = -EPROTO;
			return 1;
		}
	}
	w->pos++;
	if (w->buf[at & (CHUNK - 1)] != '\n')
		return 0;
	w->ret = w->pos;
	return 1;
}

/* The first bytes of a message. Return: what follows, or a length, or -errno in w->ret. */
static __always_inline __u32 start(struct walk *w)
{
	__u64 count = 0;
	__u8 first;
	int n;

	if (bpf_skb_load_bytes(w->skb, 0, &first, 1)) {
		w->ret = -EPROTO;
		return START;
	}
	if (first != '*')
		return INLINE;
	n = header(w, '*', &count);
	if (n <= 0) {
		w->ret = n;
		return START;
	}
	if (count > w->max)
		w->ret = -EMSGSIZE;
	else if (!count)
		w->ret = n;
	w->items = count;
	w->pos += n;
	return ITEMS;
}

SEC("socket")
int resp(struct __sk_buff *skb)
{
	struct walk w = { .skb = skb };
	__u32 stage = skb->cb[1];

	w.base = skb->cb[0];
	w.pos = w.base;
	w.end = w.base + skb->len;
	w.max = skb->mark;
	w.items = skb->cb[2];
	if (stage == START)
		stage = start(&w);
	if (w.ret)
		return w.ret;
	if (stage == ITEMS)
		bpf_loop(SLUICE_FRAMER_WINDOW, next_item, &w, 0);
	else if (stage == INLINE)
		bpf_loop(SLUICE_FRAMER_WINDOW, next_byte, &w, 0);
	skb->cb[0] = w.pos;
	skb->cb[1] = stage;
	skb->cb[2] = w.items;
	return w.ret;
}

char _license[] SEC("license") = "GPL";
