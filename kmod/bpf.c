// SPDX-License-Identifier: GPL-2.0-only
/*
 * BPF classifiers: a socket-filter program that looks at a listener's messages in front of its
 * rules and names the rule that shall apply; what becomes of a program's word; and the skb that
 * shows programs bytes which lie in none.
 */
#include <linux/bitfield.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <net/genetlink.h>
#include <uapi/linux/sluice_bpf.h>

#include "sluice.h"

/*
 * What a program is shown of bytes that lie elsewhere: one skb per processor, used in sections
 * only, made when the first program that needs it is set.
 */
static DEFINE_PER_CPU(struct sk_buff *, view);

#define VIEW_FRAGS (SLUICE_SLOT_MAX / PAGE_SIZE + 1)

/* Context: may sleep; sluice_mutex is held. Return: 0 or -ENOMEM. */
int sluice_view_init(void)
{
	int cpu;

	lockdep_assert_held(&sluice_mutex);
	for_each_possible_cpu(cpu) {
		struct sk_buff *skb = per_cpu(view, cpu);

		if (skb)
			continue;
		skb = alloc_skb(SLUICE_FRAMER_WINDOW, GFP_KERNEL);
		if (!skb)
			return -ENOMEM;
		skb_reset_mac_header(skb);
		skb_reset_network_header(skb);
		skb_reset_transport_header(skb);
		per_cpu(view, cpu) = skb;
	}
	return 0;
}

/* No listener is left. */
void sluice_view_fini(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		kfree_skb(per_cpu(view, cpu));
}

/**
 * sluice_view() - the skb in which to show bytes to a program
 * @family: 4 or 6
 * @len: bytes that the caller puts at its data, up to SLUICE_FRAMER_WINDOW
 *
 * A program of this type can change its control block only, which is zero here. Context: section,
 * as whose end what was shown is over; sluice_view_init() has succeeded. Return: the skb.
 */
struct sk_buff *sluice_view(u8 family, u32 len)
{
	struct sk_buff *skb = this_cpu_read(view);

	skb->len = len;
	skb->data_len = 0;
	skb_set_tail_pointer(skb, len);
	skb_shinfo(skb)->nr_frags = 0;
	skb->mark = 0;
	skb->protocol = family == 6 ? htons(ETH_P_IPV6) : htons(ETH_P_IP);
	memset(bpf_skb_cb(skb), 0, BPF_SKB_CB_LEN);
	return skb;
}

/* The same, with all bytes of a message in it: the first are copied, the rest is referred to. */
static struct sk_buff *view_message(const struct sluice_msg *msg)
{
	u32 len = min_t(u32, msg->avail, SLUICE_FRAMER_WINDOW), rest = msg->avail - len, n;
	struct sk_buff *skb = sluice_view(msg->family, len);
	const u8 *at = msg->data + len;
	struct page *page;
	int i;

	BUILD_BUG_ON(VIEW_FRAGS > MAX_SKB_FRAGS);
	memcpy(skb->data, msg->data, len);
	for (i = 0; unlikely(rest); i++) {
		n = min_t(u32, rest, PAGE_SIZE - offset_in_page(at));
		page = is_vmalloc_addr(at) ? vmalloc_to_page(at) : virt_to_page(at);
		skb_fill_page_desc_noacc(skb, i, page, offset_in_page(at), n);
		skb->len += n;
		skb->data_len += n;
		rest -= n;
		at += n;
	}
	return skb;
}

struct sluice_classifier {
	struct bpf_prog *prog;
};

static void classifier_free(struct sluice_classifier *c)
{
	if (!c)
		return;
	bpf_prog_put(c->prog);
	kfree(c);
}

/**
 * sluice_classifier_set() - give a listener another classifier, or none
 * @l: listener; sluice_mutex is held
 * @fd: of a socket-filter program of the calling process; SLUICE_CLASSIFIER_NONE: take it away
 * @extack: why not
 *
 * Context: may sleep. Return: 0 or -errno, nothing changed then.
 */
int sluice_classifier_set(struct sluice_listener *l, u32 fd, struct netlink_ext_ack *extack)
{
	struct sluice_classifier *old, *c = NULL;

	if (fd != SLUICE_CLASSIFIER_NONE) {
		if (l->xdp) {
			NL_SET_ERR_MSG(extack,
				       "a classifier looks at datagrams: an XDP program can do its work here");
			return -EOPNOTSUPP;
		}
		if (l->tcp && sluice_view_init())
			return -ENOMEM;
		c = kzalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);
		if (!c)
			return -ENOMEM;
		c->prog = bpf_prog_get_type_dev(fd, BPF_PROG_TYPE_SOCKET_FILTER, false);
		if (IS_ERR(c->prog)) {
			int err = PTR_ERR(c->prog);

			kfree(c);
			NL_SET_ERR_MSG(extack, "not the fd of a socket-filter program");
			return err;
		}
	}
	old = rcu_replace_pointer(l->classifier, c, lockdep_is_held(&sluice_mutex));
	if (old)
		synchronize_rcu();
	classifier_free(old);
	return 0;
}

/* No section sees @l. */
void sluice_classifier_release(struct sluice_listener *l)
{
	classifier_free(rcu_dereference_protected(l->classifier, true));
	RCU_INIT_POINTER(l->classifier, NULL);
}

/* For dumps. Return: its number in the kernel, 0: none. sluice_mutex is held. */
u32 sluice_classifier_id(const struct sluice_listener *l)
{
	const struct sluice_classifier *c =
		rcu_dereference_protected(l->classifier, lockdep_is_held(&sluice_mutex));

	return c ? c->prog->aux->id : 0;
}

/**
 * sluice_classifier_ask() - let a listener's classifier look at a message
 * @l: listener
 * @skb: holds the message, seen by nobody else
 * @off: of the message in it, in its linear part
 * @hint: set to what the program says, which may be anything
 *
 * What the network stack keeps in the skb stays. Context: section. Return: false if there is none.
 */
bool sluice_classifier_ask(const struct sluice_listener *l, struct sk_buff *skb, u32 off,
			   struct sluice_hint *hint)
{
	const struct sluice_classifier *c = rcu_dereference_bh(l->classifier);
	u32 saved[BPF_SKB_CB_LEN / sizeof(u32)];
	u32 *cb = (u32 *)bpf_skb_cb(skb);

	if (!c)
		return false;
	memcpy(saved, cb, sizeof(saved));
	memset(cb, 0, sizeof(saved));
	__skb_pull(skb, off);
	hint->verdict = bpf_prog_run_pin_on_cpu(c->prog, skb);
	__skb_push(skb, off);
	hint->key = cb[0];
	memcpy(cb, saved, sizeof(saved));
	return true;
}

/* The same for a message of a connection, all of whose bytes are there. */
bool sluice_classifier_ask_message(const struct sluice_listener *l, const struct sluice_msg *msg,
				   struct sluice_hint *hint)
{
	const struct sluice_classifier *c = rcu_dereference_bh(l->classifier);
	struct sk_buff *skb;

	if (!c)
		return false;
	skb = view_message(msg);
	hint->verdict = bpf_prog_run_pin_on_cpu(c->prog, skb);
	hint->key = *(u32 *)bpf_skb_cb(skb);
	skb_shinfo(skb)->nr_frags = 0; /* they are not ours */
	return true;
}

/* Is it one that says something, and nothing that is not there? */
static bool possible(const struct sluice_rules *rules, u32 v, int *index)
{
	*index = -1;
	if (v & SLUICE_VERDICT_RULE) {
		*index = sluice_rules_find(rules, v & SLUICE_VERDICT_RULE);
		if (*index < 0)
			return false;
	}
	return !(v & ~SLUICE_VERDICT_ALL) && FIELD_GET(SLUICE_VERDICT_PRIO, v) <= SLUICE_RING_PRIOS;
}

/**
 * sluice_classify() - which rule takes a message: a program's choice, or the rules' own
 * @rules: of the listener, may be NULL
 * @conf: its configuration
 * @msg: message
 * @hint: what a program said of it; NULL: none was asked
 * @found: what was found
 *
 * An impossible verdict leaves it all to the rules. Context: section, or RCU reader.
 * Return: what is to be done.
 */
const struct sluice_verdict_to *sluice_classify(const struct sluice_rules *rules,
						const struct sluice_listener_conf *conf,
						const struct sluice_msg *msg,
						const struct sluice_hint *hint,
						struct sluice_classified *found)
{
	found->prio = -1;
	found->has_key = false;
	found->bad = false;
	found->key = 0;
	if (likely(!hint))
		return sluice_rules_match(rules, msg, conf, &found->index);
	found->bad = !possible(rules, hint->verdict, &found->index);
	if (!found->bad) {
		found->prio = (int)FIELD_GET(SLUICE_VERDICT_PRIO, hint->verdict) - 1;
		found->has_key = hint->verdict & SLUICE_VERDICT_KEY;
		found->key = hint->key;
		if (found->index >= 0)
			return &rules->rule[found->index].to;
	}
	return sluice_rules_match(rules, msg, conf, &found->index);
}
