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
 * @req: request
 * @why: set to the reason if there is no room
 *
 * Return: false if a limit is reached; nothing is charged then.
 */
bool sluice_backlog_charge(struct sluice_group *g, const struct sluice_group_conf *conf,
			   const struct sluice_req *req, enum sluice_outcome *why)
{
	if ((u32)atomic_inc_return(&g->waiting) > conf->backlog) {
		atomic_dec(&g->waiting);
		*why = SLUICE_OUTCOME_REJECTED_BACKLOG_FULL;
		return false;
	}
	if ((u64)atomic64_add_return(req->truesize, &g->waiting_bytes) > conf->backlog_bytes) {
		sluice_backlog_uncharge(g, req);
		*why = SLUICE_OUTCOME_REJECTED_MEMORY;
		return false;
	}
	return true;
}

/* The same without asking for the limits: requests that were in a ring and come back. */
void sluice_backlog_charge_over(struct sluice_group *g, const struct sluice_req *req)
{
	atomic_inc(&g->waiting);
	atomic64_add(req->truesize, &g->waiting_bytes);
}

void sluice_backlog_uncharge(struct sluice_group *g, const struct sluice_req *req)
{
	atomic64_sub(req->truesize, &g->waiting_bytes);
	atomic_dec(&g->waiting);
	sluice_conn_resume(g);
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
 * @req: charged request; taken
 *
 * The caller must call sluice_backlog_run() afterwards. That closes the race with a ring that frees
 * its slots meanwhile: its owner looks at nbacklog after a section under the ring's lock,
 * sluice_backlog_run() looks for room in a section under the same lock after nbacklog was raised,
 * and one of the two sections comes second.
 */
void sluice_backlog_add(struct sluice_group *g, struct sluice_req *req)
{
	bool deadline = req->deadline;

	spin_lock(&g->lock);
	list_add_tail(&req->node, &g->backlog[req->prio]);
	WRITE_ONCE(g->nbacklog, g->nbacklog + 1);
	spin_unlock(&g->lock);
	if (deadline || !rcu_dereference_bh(g->rings)->n)
		sluice_backlog_arm(g);
}

static struct sluice_req *backlog_pop(struct sluice_group *g)
{
	struct sluice_req *req = NULL;
	u32 prio;

	spin_lock(&g->lock);
	for (prio = 0; prio < SLUICE_RING_PRIOS && !req; prio++)
		req = list_first_entry_or_null(&g->backlog[prio], struct sluice_req, node);
	if (req) {
		list_del(&req->node);
		WRITE_ONCE(g->nbacklog, g->nbacklog - 1);
	}
	spin_unlock(&g->lock);
	return req;
}

static void backlog_unpop(struct sluice_group *g, struct sluice_req *req)
{
	spin_lock(&g->lock);
	list_add(&req->node, &g->backlog[req->prio]);
	WRITE_ONCE(g->nbacklog, g->nbacklog + 1);
	spin_unlock(&g->lock);
}

static bool expired(const struct sluice_req *req, u64 now)
{
	return req->deadline && now > req->deadline;
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
		struct sluice_req *req = backlog_pop(g);
		int err;

		if (!req)
			return;
		if (!sluice_req_settle(req, g))
			continue;
		if (expired(req, sluice_now())) {
			sluice_backlog_uncharge(g, req);
			sluice_group_gap(g, SLUICE_OUTCOME_EXPIRED_BACKLOG);
			sluice_req_drop(req, NULL, SLUICE_OUTCOME_EXPIRED_BACKLOG);
			continue;
		}
		sluice_backlog_uncharge(g, req);
		err = sluice_ring_offer(ring, req, false);
		if (!err)
			continue;
		if (err == -EMSGSIZE) {
			sluice_group_gap(g, SLUICE_OUTCOME_REJECTED_TOO_BIG);
			sluice_req_reject(req, NULL, SLUICE_OUTCOME_REJECTED_TOO_BIG);
			continue;
		}
		sluice_backlog_charge_over(g, req);
		backlog_unpop(g, req);
		return;
	}
}

/*
 * Give all rings with room what waits in the group's backlog, and in their own: the head of that
 * may be gone, or the window wider. Context: any; makes its own section.
 */
void sluice_backlog_run(struct sluice_group *g)
{
	const struct sluice_rings *set;
	u32 i;

	local_bh_disable();
	set = rcu_dereference_bh(g->rings);
	for (i = 0; i < set->n; i++)
		if (READ_ONCE(g->nbacklog) || READ_ONCE(set->ring[i]->nwaiting))
			sluice_ring_pull(set->ring[i]);
	sluice_conn_resume(g);
	local_bh_enable();
}

/* Move what has waited too long in @q to @out; the caller holds @q's lock. */
static u32 sweep_queue(struct list_head *q, struct list_head *out, u64 now, u64 hold_before)
{
	struct sluice_req *req, *next;
	u32 n = 0;

	list_for_each_entry_safe(req, next, q, node) {
		if (!expired(req, now) && req->arrival >= hold_before)
			continue;
		list_move_tail(&req->node, out);
		n++;
	}
	return n;
}

static void sweep_finish(struct sluice_group *g, struct list_head *out, u64 now)
{
	struct sluice_req *req, *next;

	list_for_each_entry_safe(req, next, out, node) {
		enum sluice_outcome why = expired(req, now) ? SLUICE_OUTCOME_EXPIRED_BACKLOG :
							      SLUICE_OUTCOME_REJECTED_NO_CONSUMER;

		if (!sluice_req_settle(req, g))
			continue;
		sluice_backlog_uncharge(g, req);
		sluice_group_gap(g, why);
		if (why == SLUICE_OUTCOME_EXPIRED_BACKLOG)
			sluice_req_drop(req, NULL, why);
		else
			sluice_req_reject(req, NULL, why);
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
	u64 now = sluice_now(), before;
	LIST_HEAD(out);
	u32 i, prio;

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
		schedule_delayed_work(&g->sweep, SWEEP_INTERVAL);
}

void sluice_backlog_init(struct sluice_group *g)
{
	u32 prio;

	spin_lock_init(&g->lock);
	for (prio = 0; prio < SLUICE_RING_PRIOS; prio++)
		INIT_LIST_HEAD(&g->backlog[prio]);
	INIT_LIST_HEAD(&g->paused);
	INIT_DELAYED_WORK(&g->sweep, sweep_work);
}

/*
 * End the sweep and reject what is left. No section may arm or fill the backlog any more. May
 * sleep.
 */
void sluice_backlog_fini(struct sluice_group *g)
{
	struct sluice_req *req;

	set_bit(0, &g->sweep_armed);
	cancel_delayed_work_sync(&g->sweep);
	sluice_conn_resume_all(g);
	local_bh_disable();
	while ((req = backlog_pop(g))) {
		if (!sluice_req_settle(req, g))
			continue;
		sluice_backlog_uncharge(g, req);
		sluice_req_reject(req, NULL, SLUICE_OUTCOME_REJECTED_NO_CONSUMER);
	}
	local_bh_enable();
}
