// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steering: which ring of a group a request is offered to, and what happens if none will have it.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/jhash.h>
#include <linux/udp.h>

#include "sluice.h"
#include "trace.h"

static u32 flow_hash(const struct sk_buff *skb, u32 seed)
{
	u32 ports = *(const u32 *)udp_hdr(skb); /* source and destination */

	if (skb->protocol == htons(ETH_P_IP))
		return jhash_3words((__force u32)ip_hdr(skb)->saddr,
				    (__force u32)ip_hdr(skb)->daddr, ports, seed);
	return jhash_2words(jhash2((const u32 *)&ipv6_hdr(skb)->saddr, 8, seed), ports, seed);
}

/**
 * sluice_steer_hash() - hash of a message's steering key, else of its flow
 * @conf: the group's
 * @msg: message, of which conf->key_depth bytes can be read
 * @skb: the same message
 * @seed: the group's, for flows; keys are hashed with seed 0 so that consumers can compute the same
 */
u32 sluice_steer_hash(const struct sluice_group_conf *conf, const struct sluice_msg *msg,
		      struct sk_buff *skb, u32 seed)
{
	u32 hash;

	if (conf->key.type != SLUICE_KEY_FLOW && sluice_key_hash(&conf->key, msg, 0, &hash))
		return hash;
	return flow_hash(skb, seed);
}

/* Refuse what could not be placed; the loss is told in band. Takes @skb. */
static void refuse(struct sluice_group *g, struct sk_buff *skb, enum sluice_outcome why)
{
	sluice_group_gap(g, why);
	sluice_req_reject(skb, NULL, why);
}

/* Late binding: the request goes to the group's backlog. Takes @skb. */
static void enqueue(struct sluice_group *g, const struct sluice_group_conf *conf,
		    struct sk_buff *skb)
{
	enum sluice_outcome why;

	if (!sluice_backlog_charge(g, conf, skb, &why)) {
		refuse(g, skb, why);
		return;
	}
	trace_sluice_waiting(skb, g, NULL);
	sluice_backlog_add(g, skb);
	sluice_backlog_run(g);
}

/*
 * The ring with the fewest requests, or the first with room from a moving start; NULL: none has
 * room.
 */
static struct sluice_ring *pick_free(struct sluice_group *g, const struct sluice_rings *set,
				     bool least)
{
	u32 i, at, start = least ? 0 : (u32)atomic_read(&g->rr) % set->n;
	struct sluice_ring *best = NULL;
	u32 best_used = U32_MAX;

	for (i = 0; i < set->n; i++) {
		struct sluice_ring *ring;
		u32 used;

		at = start + i;
		ring = set->ring[at < set->n ? at : at - set->n];
		used = READ_ONCE(ring->slots.used);
		if (used >= READ_ONCE(ring->slots.window) || used >= best_used)
			continue;
		best = ring;
		best_used = used;
		if (!least || !used)
			break;
	}
	return best;
}

static struct sluice_ring *pick_bound(struct sluice_group *g, const struct sluice_group_conf *conf,
				      const struct sluice_rings *set, u32 hash)
{
	switch (conf->steering) {
	case SLUICE_STEERING_CPU:
		return set->ring[(u32)smp_processor_id() % set->n];
	case SLUICE_STEERING_RR:
		return set->ring[(u32)atomic_inc_return(&g->rr) % set->n];
	default:
		return set->ring[sluice_hash_reduce(hash, set->n)];
	}
}

/* What an empty group does with a request. Takes @skb. */
static void no_consumer(struct sluice_group *g, const struct sluice_group_conf *conf,
			struct sk_buff *skb)
{
	if (conf->no_consumer == SLUICE_NO_CONSUMER_HOLD && conf->hold_ns)
		enqueue(g, conf, skb);
	else
		refuse(g, skb, SLUICE_OUTCOME_REJECTED_NO_CONSUMER);
}

/*
 * Make @skb independent of device, route, connection tracking and security path, as it may stay for
 * long.
 */
static void detach_skb(struct sk_buff *skb)
{
	skb_orphan(skb);
	skb_dst_drop(skb);
	nf_reset_ct(skb);
	skb_ext_reset(skb);
	skb->dev = NULL;
}

/**
 * sluice_group_submit() - place a request: in a ring, in a backlog, or refuse it
 * @g: group
 * @skb: request, counted as received by the group's class; taken if the answer is true
 * @fresh: straight from its socket, which can still have it if it is an adopted one
 *
 * Context: section. Return: false if the group has no consumer and passes such requests.
 */
bool sluice_group_submit(struct sluice_group *g, struct sk_buff *skb, bool fresh)
{
	const struct sluice_group_conf *conf = sluice_group_conf(g);
	const struct sluice_rings *set = rcu_dereference_bh(g->rings);
	struct sluice_ring *ring;
	bool bound;
	int err;

	if (unlikely(!set->n) && fresh && conf->no_consumer == SLUICE_NO_CONSUMER_PASS &&
	    !sluice_req(skb)->rule->listener->sock)
		return false;
	if (fresh)
		detach_skb(skb);
	if (unlikely(!set->n)) {
		no_consumer(g, conf, skb);
		return true;
	}
	bound = conf->steering != SLUICE_STEERING_LEAST && conf->steering != SLUICE_STEERING_FIFO;
	if (bound) {
		ring = pick_bound(g, conf, set, sluice_req(skb)->hash);
	} else {
		ring = NULL;
		if (!READ_ONCE(g->nbacklog))
			ring = pick_free(g, set, conf->steering == SLUICE_STEERING_LEAST);
	}
	err = ring ? sluice_ring_offer(ring, skb, bound) : -EAGAIN;
	switch (err) {
	case 0:
		break;
	case -EMSGSIZE:
		refuse(g, skb, SLUICE_OUTCOME_REJECTED_TOO_BIG);
		break;
	case -ENOBUFS:
		refuse(g, skb, SLUICE_OUTCOME_REJECTED_BACKLOG_FULL);
		break;
	case -ENOMEM:
		refuse(g, skb, SLUICE_OUTCOME_REJECTED_MEMORY);
		break;
	default: /* no room, or the ring is leaving */
		enqueue(g, conf, skb);
		break;
	}
	return true;
}
