// SPDX-License-Identifier: GPL-2.0-only
/*
 * A framer of memcached's text and meta commands, data blocks included: "framing bpf memcached". Cuts as the module's own
 * framing memcached does, with what it knows of a line kept between runs, so that it looks at each byte once.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>
#include <linux/sluice_bpf.h>

#include "bounded.h"

#define BINARY	0x80 /* first byte of a request of the binary protocol */
#define CHUNK	64   /* bytes that are fetched at once */
#define NO_NUMBER 0xff

/*
 * The control block, in which all that changes from byte to byte is kept, between runs and in one: to the verifier what is
 * read from there may be anything, so that it need not follow it.
 */
enum {
	POS,   /* of the next byte in the message */
	LOW,   /* the command's last 8 bytes, these the lower four; then the length of the data block */
	HIGH,
	WORD,  /* see below */
	BASE,  /* of what is shown, in this run */
};

/* What is known of the line. */
struct word {
	__u8 token;  /* number of the word in the line */
	__u8 want;   /* number of the word that is the length of a data block */
	__u8 chars;  /* of the word so far */
	__u8 number; /* the length is there and is one */
};

struct line {
	struct __sk_buff *skb;
	__u32 end;
	__u32 max;
	int ret;
	__u8 buf[CHUNK];
};

static __always_inline __u8 want_of(__u64 word)
{
	switch (word) {
	case 0x736574:	       /* set */
	case 0x616464:	       /* add */
	case 0x636173:	       /* cas */
	case 0x7265706c616365: /* replace */
	case 0x617070656e64:   /* append */
	case 0x70726570656e64: /* prepend */
		return 4;
	case 0x6d73:	       /* ms */
		return 2;
	}
	return 0;
}

static __always_inline struct word load(const struct __sk_buff *skb)
{
	__u32 w = skb->cb[WORD];

	return (struct word){ w, w >> 8, w >> 16, w >> 24 };
}

static __always_inline void store(struct __sk_buff *skb, struct word w)
{
	skb->cb[WORD] = w.token | w.want << 8 | w.chars << 16 | (__u32)w.number << 24;
}

static __always_inline void word_ends(struct __sk_buff *skb, struct word *w)
{
	if (!w->token) {
		w->want = w->chars <= 7 ? want_of((__u64)skb->cb[HIGH] << 32 | skb->cb[LOW]) : 0;
		skb->cb[LOW] = 0;
	} else if (w->token == w->want) {
		w->number = w->chars != NO_NUMBER;
	}
	if (w->token < 0xff)
		w->token++;
	w->chars = 0;
}

static __always_inline void word_goes_on(struct __sk_buff *skb, struct word *w, __u8 c)
{
	__u32 low = skb->cb[LOW];

	if (!w->token) {
		skb->cb[HIGH] = skb->cb[HIGH] << 8 | low >> 24;
		skb->cb[LOW] = low << 8 | c;
		if (w->chars < 0xff)
			w->chars++;
	} else if (w->token != w->want) {
		w->chars = 1;
	} else if (w->chars != NO_NUMBER && c >= '0' && c <= '9') {
		skb->cb[LOW] = low > 0xffffffffU / 20 ? 0xffffffffU / 2 : low * 10 + (c - '0');
		w->chars = 1;
	} else {
		w->chars = NO_NUMBER;
	}
}

/* One more byte. Return: 1 to stop. */
static long next(__u32 i, void *ctx)
{
	struct line *l = ctx;
	struct __sk_buff *skb = l->skb;
	__u32 pos = skb->cb[POS], at = pos - skb->cb[BASE], n = l->end - pos;
	struct word w = load(skb);
	__u64 total;
	__u8 c;

	if (!n)
		return 1;
	if (!(at & (CHUNK - 1))) {
		n = bounded(n, CHUNK);
		if (bpf_skb_load_bytes(skb, at, l->buf, n)) {
			l->ret = -EPROTO;
			return 1;
		}
	}
	c = l->buf[at & (CHUNK - 1)];
	skb->cb[POS] = pos + 1;
	if (!pos && c == BINARY) {
		l->ret = -EPROTO;
		return 1;
	}
	if (c != '\n' && c != ' ' && c != '\r')
		word_goes_on(skb, &w, c);
	else if (w.chars)
		word_ends(skb, &w);
	store(skb, w);
	if (c != '\n')
		return 0;
	total = pos + 1ULL;
	if (w.number)
		total += skb->cb[LOW] + 2ULL;
	l->ret = total > l->max ? -EMSGSIZE : (int)total;
	return 1;
}

SEC("socket")
int memcached(struct __sk_buff *skb)
{
	struct line l = { .skb = skb };

	l.end = skb->cb[POS] + skb->len;
	l.max = skb->mark;
	skb->cb[BASE] = skb->cb[POS];
	bpf_loop(SLUICE_FRAMER_WINDOW, next, &l, 0);
	return l.ret;
}

char _license[] SEC("license") = "GPL";
