// SPDX-License-Identifier: GPL-2.0-only
/* How a ring leaves: drain, detach, and what becomes of the requests it leaves unanswered. */
#include "route.h"
#include "sluice.h"

/* Offer the oldest request that waits for @ring to its group again. Return: false if none does. */
static bool resubmit(struct sluice_ring *ring)
{
	struct sluice_group *g = ring->group;
	struct sluice_req *req = NULL;
	struct sluice_waiter *w;

	local_bh_disable();
	spin_lock(&ring->lock);
	w = sluice_queue_pop(&ring->waiting.q, ring->waiting.limits, SLUICE_QUEUE_ALL);
	spin_unlock(&ring->lock);
	if (w)
		req = container_of(w, struct sluice_req, wait);
	if (req && sluice_req_settle(req, g)) {
		sluice_backlog_uncharge(g, req);
		sluice_group_submit(g, req, false);
	}
	local_bh_enable();
	return w;
}

/* Stop new requests and move those that wait for this very ring to where they can be served. */
static void close_intake(struct sluice_ring *ring)
{
	sluice_group_rings_remove(ring->group, ring);
	spin_lock_bh(&ring->lock);
	WRITE_ONCE(ring->closed, true);
	spin_unlock_bh(&ring->lock);
	/* from here on no section publishes to it or queues for it */
	synchronize_rcu();
	while (resubmit(ring))
		cond_resched();
	/* if that was the last ring, the backlog's hold time begins to count */
	if (atomic_read(&ring->group->waiting))
		sluice_backlog_arm(ring->group);
}

/**
 * sluice_ring_set_aside() - pass over an attached ring, or do so no more; what it has it may answer
 * @ring: sluice_mutex is held
 * @on: false: it takes requests again
 *
 * Context: may sleep. Return: 0, -ENOMEM: it stays aside.
 */
int sluice_ring_set_aside(struct sluice_ring *ring, bool on)
{
	int err;

	lockdep_assert_held(&sluice_mutex);
	if (on) {
		ring->aside = true;
		sluice_ring_state(ring, SLUICE_STATE_STALLED, 0);
		close_intake(ring);
		return 0;
	}
	err = sluice_ring_open_intake(ring);
	if (err)
		return err;
	ring->aside = false;
	sluice_ring_state(ring, 0, SLUICE_STATE_STALLED);
	sluice_backlog_run(ring->group);
	return 0;
}

/**
 * sluice_ring_drain() - stop, or resume, giving requests to a ring; what it has may still be
 * answered
 * @ring: sluice_mutex is held
 * @on: false resumes
 *
 * Context: may sleep. Return: 0, -ENODEV detached, -EINVAL never attached, -ENOMEM.
 */
int sluice_ring_drain(struct sluice_ring *ring, bool on)
{
	lockdep_assert_held(&sluice_mutex);
	if (!ring->group || ring->detached)
		return -ENODEV;
	if (!on)
		return ring->draining ? sluice_ring_attach(ring) : 0;
	if (ring->draining)
		return 0;
	if (!ring->attached)
		return -EINVAL;
	close_intake(ring);
	ring->attached = false;
	ring->aside = false;
	ring->draining = true;
	sluice_ring_state(ring, SLUICE_STATE_DRAINING,
			  SLUICE_STATE_ATTACHED | SLUICE_STATE_STALLED);
	wake_up_interruptible_all(&ring->wq);
	return 0;
}

/* Take the request out of a PUBLISHED slot and free the slot. Context: section. */
static struct sluice_req *slot_revoke(struct sluice_ring *ring, u32 slot)
{
	struct sluice_slot_use use = {.held = false};
	struct sluice_req *req = NULL;

	spin_lock(&ring->lock);
	if (ring->slots.state[slot] == SLUICE_SLOT_PUBLISHED) {
		req = ring->req[slot];
		ring->req[slot] = NULL;
	}
	if (ring->slots.state[slot] != SLUICE_SLOT_FREE)
		use = __sluice_ring_slot_free(ring, slot);
	spin_unlock(&ring->lock);
	if (use.held)
		sluice_ring_unhold(ring, &use.class_id, 1);
	if (req)
		req->held = false;
	return req;
}

/*
 * Hand on one request of a consumer that went away, by the group's policy.
 * @taken: the consumer had taken it, by its own word
 * Return: 1 if a request was unanswered there, else 0.
 */
static u32 hand_on(struct sluice_ring *ring, u32 slot, bool taken)
{
	u32 crash = sluice_group_conf(ring->group)->crash;
	struct sluice_req *req;

	local_bh_disable();
	req = slot_revoke(ring, slot);
	if (req && !sluice_req_settle(req, NULL)) {
		/* it has ended, but not here */
		this_cpu_inc(ring->cnt->moved);
	} else if (req) {
		/* half a reply cannot be taken back: nobody else may begin another */
		if (crash == SLUICE_CRASH_REJECT || req->parts ||
		    (taken && crash != SLUICE_CRASH_REISSUE)) {
			sluice_req_reject(req, ring, SLUICE_OUTCOME_REJECTED_CRASH);
		} else {
			req->flags |= taken ? SLUICE_REQ_REISSUED : SLUICE_REQ_REQUEUED;
			this_cpu_inc(ring->cnt->moved);
			sluice_group_submit(req->class->group, req, false);
		}
	}
	local_bh_enable();
	return !!req;
}

/*
 * The queue entries from the consumer's head on are those it had not taken. Head and entries lie in
 * shared memory: false ones change the fate of its own requests only.
 */
static u32 hand_on_all(struct sluice_ring *ring)
{
	u32 prio, i, n, count = 0;

	for (prio = 0; prio < SLUICE_RING_PRIOS; prio++) {
		u32 mask = ring->map.req_entries - 1, slot;

		n = ring->req_tail[prio] - READ_ONCE(*ring->u_req_head[prio]);
		if (n > ring->slots.total)
			continue;
		for (i = ring->req_tail[prio] - n; i != ring->req_tail[prio]; i++) {
			slot = READ_ONCE(ring->queue[prio][i & mask]);
			if (likely(slot < ring->slots.total))
				count += hand_on(ring, slot, false);
		}
	}
	for (i = 0; i < ring->slots.total; i++)
		count += hand_on(ring, i, true);
	return count;
}

/*
 * Send what the consumer had answered before it went: as much as the queue can hold and no more,
 * since whoever has the mapping may go on writing.
 */
static void last_answers(struct sluice_ring *ring)
{
	int left = ring->map.resp_entries, n;

	mutex_lock(&ring->tx_lock);
	do {
		n = sluice_tx_run(ring, min(left, 64));
		left -= n;
		cond_resched();
	} while (n > 0 && left > 0);
	WRITE_ONCE(ring->detached, true);
	sluice_routes_flush(ring->routes);
	mutex_unlock(&ring->tx_lock);
}

/**
 * sluice_ring_detach() - take a ring out of the network for good
 * @ring: sluice_mutex is held; a ring that was never set up, or has been detached, is left alone
 *
 * Steps, and who may still hold it after each:
 *  1. out of the set, closed, grace period   transmit contexts, its file
 *  2. last answers sent, detached            nobody takes an answer any more
 *  3. requests handed on                     nobody but its file; no request refers to it
 *  4. group let go                           its file
 *
 * Context: may sleep.
 */
void sluice_ring_detach(struct sluice_ring *ring)
{
	struct sluice_group *g = ring->group;
	enum sluice_event event;
	u32 left;

	lockdep_assert_held(&sluice_mutex);
	if (!g)
		return;
	if (ring->attached)
		close_intake(ring);
	last_answers(ring);
	left = hand_on_all(ring);
	event = ring->broken ? SLUICE_EVENT_RING_BROKEN :
		left	     ? SLUICE_EVENT_RING_DIED :
			       SLUICE_EVENT_RING_DETACHED;
	sluice_event(ring->sn, event, g->name, ring, left);

	sluice_ring_ledger_fold(ring, &g->retired);
	list_del_init(&ring->member);
	list_del_init(&ring->all);
	g->nmembers--;
	g->users--;
	WRITE_ONCE(ring->group, NULL);
	ring->attached = false;
	ring->draining = false;
	sluice_ring_state(ring, SLUICE_STATE_GONE,
			  SLUICE_STATE_ATTACHED | SLUICE_STATE_DRAINING | SLUICE_STATE_STALLED);
	wake_up_interruptible_all(&ring->wq);
	/* a transmit context that read ring->group before may still look at the group */
	synchronize_rcu();
	/* with the last ring gone the backlog's hold time begins to count */
	if (atomic_read(&g->waiting))
		sluice_backlog_arm(g);
}
