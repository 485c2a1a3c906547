// SPDX-License-Identifier: GPL-2.0-only
/*
 * The backlog: requests that the kernel still owns, its limits, and the sweep of what waits too
 * long.
 */
#include "sluice.h"

#define SWEEP_INTERVAL msecs_to_jiffies(10)

/**
 * sluice_backlog_charge() - reserve room in the limits of a group for one more waiting request
 * @g: group
 * @conf: its configuration
 * @skb: request
 * @why: set to the reason if there is no room
 *
 * Return: false if a limit is reached; nothing is charged then.
 */
bool sluice_backlog_charge(struct sluice_group *g, const struct sluice_group_conf *conf,
			   struct sk_buff *skb, enum sluice_outcome *why)
{
	if ((u32)atomic_inc_return(&g->waiting) > conf->backlog) {
		atomic_dec(&g->waiting);
		*why = SLUICE_OUTCOME_REJECTED_BACKLOG_FULL;
		return false;
	}
	if ((u64)atomic64_add_return(skb->truesize, &g->waiting_bytes) > conf->backlog_bytes) {
		sluice_backlog_uncharge(g, skb);
		*why = SLUICE_OUTCOME_REJECTED_MEMORY;
		return false;
	}
	return true;
}

void sluice_backlog_uncharge(struct sluice_group *g, const struct sk_buff *skb)
{
	atomic_dec(&g->waiting);
	atomic64_sub(skb->truesize, &g->waiting_bytes);
}

/* Tell the group's consumers of a loss, with the next request any of them gets. */
void sluice_group_gap(struct sluice_group *g, enum sluice_outcome outcome)
{
	WRITE_ONCE(g->gap_reason, outcome);
	atomic_inc(&g->gap);
}

/**
 * sluice_backlog_add() - append a request to the group's backlog
 * @g: group
 * @skb: charged request; taken
 *
 * The caller must call sluice_backlog_run() afterwards. That closes the race with a ring that frees
 * its slots meanwhile: its owner looks at nbacklog after a section under the ring's lock,
 * sluice_backlog_run() looks for room in a section under the same lock after nbacklog was raised,
 * and one of the two sections comes second.
 */
void sluice_backlog_add(struct sluice_group *g, struct sk_buff *skb)
{
	bool deadline = sluice_req(skb)->deadline;

	spin_lock(&g->lock);
	__skb_queue_tail(&g->backlog[sluice_req(skb)->prio], skb);
	WRITE_ONCE(g->nbacklog, g->nbacklog + 1);
	spin_unlock(&g->lock);
	if (deadline || !rcu_dereference_bh(g->rings)->n)
		sluice_backlog_arm(g);
}

static struct sk_buff *backlog_pop(struct sluice_group *g)
{
	struct sk_buff *skb = NULL;
	u32 prio;

	spin_lock(&g->lock);
	for (prio = 0; prio < SLUICE_RING_PRIOS && !skb; prio++)
		skb = __skb_dequeue(&g->backlog[prio]);
	if (skb)
		WRITE_ONCE(g->nbacklog, g->nbacklog - 1);
	spin_unlock(&g->lock);
	return skb;
}

static void backlog_unpop(struct sluice_group *g, struct sk_buff *skb)
{
	spin_lock(&g->lock);
	__skb_queue_head(&g->backlog[sluice_req(skb)->prio], skb);
	WRITE_ONCE(g->nbacklog, g->nbacklog + 1);
	spin_unlock(&g->lock);
}

static bool expired(const struct sk_buff *skb, u64 now)
{
	return sluice_req(skb)->deadline && now > sluice_req(skb)->deadline;
}

/**
 * sluice_backlog_feed() - give a ring with room what waits in the group's backlog
 * @g: group
 * @ring: in its set
 *
 * Context: section. Bounded by the room in the ring and by what is expired or cancelled on the way.
 */
void sluice_backlog_feed(struct sluice_group *g, struct sluice_ring *ring)
{
	while (READ_ONCE(g->nbacklog) && sluice_ring_has_room(ring)) {
		struct sk_buff *skb = backlog_pop(g);
		int err;

		if (!skb)
			return;
		if (!sluice_req_settle(skb, g))
			continue;
		if (expired(skb, sluice_now())) {
			sluice_backlog_uncharge(g, skb);
			sluice_group_gap(g, SLUICE_OUTCOME_EXPIRED_BACKLOG);
			sluice_req_drop(skb, NULL, SLUICE_OUTCOME_EXPIRED_BACKLOG);
			continue;
		}
		sluice_backlog_uncharge(g, skb);
		err = sluice_ring_offer(ring, skb, false);
		if (!err)
			continue;
		if (err == -EMSGSIZE) {
			sluice_group_gap(g, SLUICE_OUTCOME_REJECTED_TOO_BIG);
			sluice_req_reject(skb, NULL, SLUICE_OUTCOME_REJECTED_TOO_BIG);
			continue;
		}
		atomic_inc(&g->waiting);
		atomic64_add(skb->truesize, &g->waiting_bytes);
		backlog_unpop(g, skb);
		return;
	}
}

/*
 * Give all rings with room what waits in the group's backlog. Context: any; makes its own section.
 */
void sluice_backlog_run(struct sluice_group *g)
{
	const struct sluice_rings *set;
	u32 i;

	local_bh_disable();
	set = rcu_dereference_bh(g->rings);
	for (i = 0; i < set->n && READ_ONCE(g->nbacklog); i++)
		sluice_backlog_feed(g, set->ring[i]);
	local_bh_enable();
}

/* Move what has waited too long in @q to @out; the caller holds @q's lock. */
static u32 sweep_queue(struct sk_buff_head *q, struct sk_buff_head *out, u64 now, u64 hold_before)
{
	struct sk_buff *skb, *next;
	u32 n = 0;

	skb_queue_walk_safe(q, skb, next) {
		if (!expired(skb, now) && sluice_req(skb)->arrival >= hold_before)
			continue;
		__skb_unlink(skb, q);
		__skb_queue_tail(out, skb);
		n++;
	}
	return n;
}

static void sweep_finish(struct sluice_group *g, struct sk_buff_head *out, u64 now)
{
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(out))) {
		enum sluice_outcome why = expired(skb, now) ? SLUICE_OUTCOME_EXPIRED_BACKLOG :
							      SLUICE_OUTCOME_REJECTED_NO_CONSUMER;

		if (!sluice_req_settle(skb, g))
			continue;
		sluice_backlog_uncharge(g, skb);
		sluice_group_gap(g, why);
		if (why == SLUICE_OUTCOME_EXPIRED_BACKLOG)
			sluice_req_drop(skb, NULL, why);
		else
			sluice_req_reject(skb, NULL, why);
	}
}

/* Requests before this arrival time have been held long enough; 0 while there are consumers. */
static u64 hold_before(struct sluice_group *g, u64 now)
{
	const struct sluice_group_conf *conf = sluice_group_conf(g);

	if (rcu_dereference_bh(g->rings)->n)
		return 0;
	if (conf->no_consumer != SLUICE_NO_CONSUMER_HOLD)
		return U64_MAX;
	return now > conf->hold_ns ? now - conf->hold_ns : 0;
}

static void sweep_section(struct sluice_group *g)
{
	const struct sluice_rings *set;
	struct sk_buff_head out;
	u64 now = sluice_now(), before;
	u32 i, prio;

	__skb_queue_head_init(&out);
	before = hold_before(g, now);
	spin_lock(&g->lock);
	for (prio = 0; prio < SLUICE_RING_PRIOS; prio++)
		WRITE_ONCE(g->nbacklog,
			   g->nbacklog - sweep_queue(&g->backlog[prio], &out, now, before));
	spin_unlock(&g->lock);
	set = rcu_dereference_bh(g->rings);
	for (i = 0; i < set->n; i++) {
		struct sluice_ring *ring = set->ring[i];

		spin_lock(&ring->lock);
		for (prio = 0; prio < SLUICE_RING_PRIOS; prio++)
			ring->nwaiting -= sweep_queue(&ring->waiting[prio], &out, now, 0);
		spin_unlock(&ring->lock);
	}
	sweep_finish(g, &out, now);
}

static void sweep_work(struct work_struct *work)
{
	struct sluice_group *g = container_of(to_delayed_work(work), struct sluice_group, sweep);

	clear_bit(0, &g->sweep_armed);
	local_bh_disable();
	sweep_section(g);
	local_bh_enable();
	sluice_backlog_run(g);
	if (atomic_read(&g->waiting))
		sluice_backlog_arm(g);
}

/* Have the sweep look at the backlogs soon. Context: any. */
void sluice_backlog_arm(struct sluice_group *g)
{
	if (!test_bit(0, &g->sweep_armed) && !test_and_set_bit(0, &g->sweep_armed))
		queue_delayed_work(system_wq, &g->sweep, SWEEP_INTERVAL);
}

void sluice_backlog_init(struct sluice_group *g)
{
	u32 prio;

	spin_lock_init(&g->lock);
	for (prio = 0; prio < SLUICE_RING_PRIOS; prio++)
		__skb_queue_head_init(&g->backlog[prio]);
	INIT_DELAYED_WORK(&g->sweep, sweep_work);
}

/*
 * End the sweep and reject what is left. No section may arm or fill the backlog any more. May
 * sleep.
 */
void sluice_backlog_fini(struct sluice_group *g)
{
	struct sk_buff *skb;

	set_bit(0, &g->sweep_armed);
	cancel_delayed_work_sync(&g->sweep);
	local_bh_disable();
	while ((skb = backlog_pop(g))) {
		if (!sluice_req_settle(skb, g))
			continue;
		sluice_backlog_uncharge(g, skb);
		sluice_req_reject(skb, NULL, SLUICE_OUTCOME_REJECTED_NO_CONSUMER);
	}
	local_bh_enable();
}
