// SPDX-License-Identifier: GPL-2.0-only
/*
 * BPF classifiers: a socket-filter program that looks at a listener's messages in front of its
 * rules and names the rule that shall apply; and what becomes of a program's word.
 */
#include <linux/bitfield.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <net/genetlink.h>
#include <uapi/linux/sluice_bpf.h>

#include "sluice.h"

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
		if (l->tcp) {
			NL_SET_ERR_MSG(extack,
				       "a classifier looks at datagrams, not at messages of connections");
			return -EOPNOTSUPP;
		}
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
