// SPDX-License-Identifier: GPL-2.0-only
/* Netlink commands that read the ledger and the latency histograms. */
#include <linux/vmalloc.h>

#include "nl.h"

/*
 * One object of a snapshot, copied out so that a dump of many messages still speaks of one instant.
 */
struct entry {
	u32 object;
	u32 id;
	bool retired;
	char name[SLUICE_NAME_LEN];
	char parent[SLUICE_NAME_LEN];
	struct sluice_ledger ledger;
};

struct stats_dump {
	u32 n, max, next;
	struct entry entry[];
};

static void add(struct stats_dump *d, u32 object, u32 id, bool retired, const char *name,
		const char *parent, const struct sluice_ledger *ledger)
{
	struct entry *e = &d->entry[d->n];

	if (WARN_ON_ONCE(d->n == d->max))
		return;
	d->n++;
	e->object = object;
	e->id = id;
	e->retired = retired;
	strscpy(e->name, name, sizeof(e->name));
	strscpy(e->parent, parent, sizeof(e->parent));
	e->ledger = *ledger;
}

static u32 count(struct sluice_net *sn)
{
	struct sluice_rule_stats *s;
	struct sluice_listener *l;
	struct sluice_group *g;
	unsigned long id;
	u32 n = 0;

	list_for_each_entry(l, &sn->listeners, list) {
		n += 2;
		xa_for_each(&l->stats, id, s)
			n++;
	}
	list_for_each_entry(g, &sn->groups, list)
		n += 2 + g->nclasses + g->nmembers;
	return n;
}

static void collect(struct sluice_net *sn, struct stats_dump *d)
{
	struct sluice_rule_stats *s;
	struct sluice_listener *l;
	struct sluice_group *g;
	struct sluice_ring *r;
	unsigned long id;
	u32 i;

	list_for_each_entry(l, &sn->listeners, list) {
		add(d, SLUICE_OBJECT_LISTENER, l->id, false, l->name, "", &l->ledger);
		xa_for_each(&l->stats, id, s)
			add(d, SLUICE_OBJECT_RULE, id, false, "", l->name, &s->ledger);
		add(d, SLUICE_OBJECT_RULE, 0, true, "", l->name, &l->retired->ledger);
	}
	list_for_each_entry(g, &sn->groups, list) {
		add(d, SLUICE_OBJECT_GROUP, g->id, false, g->name, "", &g->ledger);
		for (i = 0; i < g->nclasses; i++)
			add(d, SLUICE_OBJECT_CLASS, i, false, g->class[i]->name, g->name,
			    &g->class[i]->ledger);
		list_for_each_entry(r, &g->members, member)
			add(d, SLUICE_OBJECT_RING, r->id, false, r->comm, g->name, &r->ledger);
		add(d, SLUICE_OBJECT_RING, 0, true, "", g->name, &g->retired);
	}
}

int sluice_nl_stats_start(struct netlink_callback *cb)
{
	bool exact = sluice_dump_attrs(cb)[SLUICE_A_STATS_EXACT];
	struct sluice_net *sn = sluice_nl_dump_net(cb->skb);
	struct stats_dump *d;
	int err;
	u32 n;

	if (exact && !netlink_net_capable(cb->skb, CAP_NET_ADMIN)) {
		NL_SET_ERR_MSG(cb->extack,
			       "an exact snapshot stops all CPUs: it needs CAP_NET_ADMIN");
		return -EPERM;
	}
	mutex_lock(&sluice_mutex);
	n = count(sn);
	d = kvzalloc(struct_size(d, entry, n), GFP_KERNEL_ACCOUNT);
	err = -ENOMEM;
	if (!d)
		goto out;
	d->max = n;
	err = sluice_net_snapshot(sn, exact);
	if (err) {
		kvfree(d);
		goto out;
	}
	collect(sn, d);
	cb->args[0] = (long)d;
out:
	mutex_unlock(&sluice_mutex);
	return err;
}

static int entry_fill(struct sk_buff *skb, const struct entry *e)
{
	bool rule = e->object == SLUICE_OBJECT_RULE;
	u32 n = rule ? SLUICE_KINDS_N : SLUICE_OUTCOMES_N;

	if (nla_put_u32(skb, SLUICE_A_STATS_OBJECT, e->object) ||
	    nla_put_u32(skb, SLUICE_A_STATS_ID, e->id) ||
	    nla_put_string(skb, SLUICE_A_STATS_NAME, e->name) ||
	    nla_put_string(skb, SLUICE_A_STATS_PARENT, e->parent) ||
	    (e->retired && nla_put_flag(skb, SLUICE_A_STATS_RETIRED)) ||
	    nla_put_u64_64bit(skb, SLUICE_A_STATS_RECEIVED, e->ledger.received,
			      SLUICE_A_STATS_PAD) ||
	    nla_put_u64_64bit(skb, SLUICE_A_STATS_IN_FLIGHT, e->ledger.in_flight,
			      SLUICE_A_STATS_PAD) ||
	    (e->object == SLUICE_OBJECT_RING &&
	     nla_put_u64_64bit(skb, SLUICE_A_STATS_MOVED, e->ledger.moved, SLUICE_A_STATS_PAD)) ||
	    nla_put_64bit(skb, SLUICE_A_STATS_OUTCOMES, n * sizeof(u64), e->ledger.outcome,
			  SLUICE_A_STATS_PAD))
		return -EMSGSIZE;
	return 0;
}

int sluice_nl_stats_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct stats_dump *d = (void *)cb->args[0];
	void *hdr;

	for (; d->next < d->n; d->next++) {
		hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				  &sluice_family, NLM_F_MULTI, SLUICE_CMD_STATS_GET);
		if (!hdr)
			break;
		if (entry_fill(skb, &d->entry[d->next])) {
			genlmsg_cancel(skb, hdr);
			break;
		}
		genlmsg_end(skb, hdr);
	}
	return skb->len;
}

int sluice_nl_stats_done(struct netlink_callback *cb)
{
	kvfree((void *)cb->args[0]);
	return 0;
}

/* Sum a histogram over the CPUs. Return: the number of buckets up to the last that is not 0. */
static u32 hist_sum(const struct sluice_class *class, u32 stage, u64 *to)
{
	u32 i, n = 0;
	int cpu;

	for (i = 0; i < SLUICE_HIST_BUCKETS; i++) {
		to[i] = 0;
		for_each_possible_cpu(cpu)
			to[i] += READ_ONCE(per_cpu_ptr(class->hist, cpu)->bucket[stage][i]);
		if (to[i])
			n = i + 1;
	}
	return n;
}

static int hist_put(struct sk_buff *skb, struct netlink_callback *cb,
		    const struct sluice_class *class, u32 stage, u64 *scratch)
{
	u32 n = hist_sum(class, stage, scratch);
	void *hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq, &sluice_family,
				NLM_F_MULTI, SLUICE_CMD_HIST_GET);

	if (!hdr)
		return -EMSGSIZE;
	if (nla_put_string(skb, SLUICE_A_HIST_GROUP, class->group->name) ||
	    nla_put_string(skb, SLUICE_A_HIST_CLASS, class->name) ||
	    nla_put_u32(skb, SLUICE_A_HIST_STAGE, stage) ||
	    nla_put_u32(skb, SLUICE_A_HIST_SUB_BITS, SLUICE_HIST_SUB_BITS) ||
	    nla_put(skb, SLUICE_A_HIST_BUCKETS, n * sizeof(u64), scratch)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

/* cb->args[0]: last group shown in whole; args[1]: histograms of the next one that are shown. */
int sluice_nl_hist_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct nlattr *only = sluice_dump_attrs(cb)[SLUICE_A_HIST_GROUP];
	struct sluice_net *sn = sluice_nl_dump_net(skb);
	struct sluice_group *g;
	u64 *scratch;

	scratch = kmalloc_array(SLUICE_HIST_BUCKETS, sizeof(*scratch), GFP_KERNEL);
	if (!scratch)
		return -ENOMEM;
	mutex_lock(&sluice_mutex);
	list_for_each_entry(g, &sn->groups, list) {
		if (g->id <= (u32)cb->args[0] || (only && strcmp(g->name, nla_data(only))))
			continue;
		for (; cb->args[1] < g->nclasses * SLUICE_STAGES_N; cb->args[1]++)
			if (hist_put(skb, cb, g->class[cb->args[1] / SLUICE_STAGES_N],
				     cb->args[1] % SLUICE_STAGES_N, scratch))
				goto out;
		cb->args[0] = g->id;
		cb->args[1] = 0;
	}
out:
	mutex_unlock(&sluice_mutex);
	kfree(scratch);
	return skb->len;
}
