// SPDX-License-Identifier: GPL-2.0-only
/*
 * BPF classifiers: a socket-filter program that looks at a listener's messages in front of its
 * rules and names the rule that shall apply.
 */
#include <linux/bitfield.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <net/genetlink.h>
#include <uapi/linux/sluice_bpf.h>

#include "sluice.h"

struct sluice_classifier {
	struct rcu_head rcu;
	struct bpf_prog *prog;
	atomic64_t bad;
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
 * @l: listener; sluice_mutex is held, or nobody else sees it yet
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
	old = rcu_replace_pointer(l->classifier, c, true);
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
u32 sluice_classifier_id(const struct sluice_listener *l, u64 *bad)
{
	const struct sluice_classifier *c =
		rcu_dereference_protected(l->classifier, lockdep_is_held(&sluice_mutex));

	*bad = c ? atomic64_read(&c->bad) : 0;
	return c ? c->prog->aux->id : 0;
}

/* Ask a classifier; what the network stack keeps in the skb stays. */
static u32 run(const struct sluice_classifier *c, struct sk_buff *skb, u32 *key)
{
	u32 *cb = (u32 *)bpf_skb_cb(skb);
	u32 saved[BPF_SKB_CB_LEN / sizeof(u32)];
	u32 verdict;

	memcpy(saved, cb, sizeof(saved));
	memset(cb, 0, sizeof(saved));
	verdict = bpf_prog_run(c->prog, skb);
	*key = cb[0];
	memcpy(cb, saved, sizeof(saved));
	return verdict;
}

/**
 * sluice_classify() - which rule takes a message: the classifier's choice, or the rules' own
 * @l: listener
 * @rules: its rules, may be NULL
 * @conf: its configuration
 * @msg: message
 * @skb: holds it, seen by nobody else; NULL: no classifier is asked
 * @off: of the message in it, in its linear part
 * @found: what was found
 *
 * An impossible verdict is counted and leaves it to the rules. Context: section.
 * Return: what is to be done.
 */
const struct sluice_verdict_to *sluice_classify(const struct sluice_listener *l,
						const struct sluice_rules *rules,
						const struct sluice_listener_conf *conf,
						const struct sluice_msg *msg,
						struct sk_buff *skb, u32 off,
						struct sluice_classified *found)
{
	struct sluice_classifier *c = skb ? rcu_dereference_bh(l->classifier) : NULL;
	u32 v, prio;

	found->prio = -1;
	found->has_key = false;
	found->bad = false;
	found->verdict = 0;
	if (likely(!c))
		return sluice_rules_match(rules, msg, conf, &found->index);
	__skb_pull(skb, off);
	v = run(c, skb, &found->key);
	__skb_push(skb, off);
	found->verdict = v;
	found->has_key = v & SLUICE_VERDICT_KEY;
	prio = FIELD_GET(SLUICE_VERDICT_PRIO, v);
	found->index = -1;
	if (v & SLUICE_VERDICT_RULE)
		found->index = sluice_rules_find(rules, v & SLUICE_VERDICT_RULE);
	if (v & ~SLUICE_VERDICT_ALL || prio > SLUICE_RING_PRIOS ||
	    (v & SLUICE_VERDICT_RULE && found->index < 0)) {
		atomic64_inc(&c->bad);
		found->bad = true;
		found->has_key = false;
		return sluice_rules_match(rules, msg, conf, &found->index);
	}
	found->prio = (int)prio - 1;
	if (found->index < 0)
		return sluice_rules_match(rules, msg, conf, &found->index);
	return &rules->rule[found->index].to;
}
