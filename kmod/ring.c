// SPDX-License-Identifier: GPL-2.0-only
/* Rings: publishing requests into slots, the ring's own backlog, set-up, attach and drain. */
#include <linux/poll.h>

#include "ids.h"
#include "trace.h"

bool sluice_ring_has_room(const struct sluice_ring *ring)
{
	return READ_ONCE(ring->slots.used) < READ_ONCE(ring->slots.window) &&
	       READ_ONCE(ring->work) < READ_ONCE(ring->window.limit);
}

/* Reserve a slot for @req, if the window has room; the ring's lock is held. */
static __always_inline u32 slot_reserve(struct sluice_ring *ring, const struct sluice_req *req)
{
	struct sluice_slot_use *use;
	u64 cost;
	u32 slot;

	if (!sluice_window_room(&ring->window, ring->work))
		return SLUICE_SLOTS_NONE;
	slot = sluice_slots_reserve(&ring->slots, req->len);
	if (unlikely(slot == SLUICE_SLOTS_NONE))
		return slot;
	cost = sluice_demand_service(&req->class->demand);
	use = &ring->use[slot];
	use->cost = min_t(u64, cost ?: SLUICE_COST_UNKNOWN, U32_MAX);
	use->class_id = req->class->id;
	use->held = req->held;
	WRITE_ONCE(ring->work, ring->work + use->cost);
	return slot;
}

/* Free a slot that is not FREE; the ring's lock is held. Return: what it stood for. */
struct sluice_slot_use __sluice_ring_slot_free(struct sluice_ring *ring, u32 slot)
{
	sluice_slots_free(&ring->slots, slot);
	WRITE_ONCE(ring->work, ring->work - ring->use[slot].cost);
	return ring->use[slot];
}

/*
 * Take @req out of its PUBLISHED or ANSWERED slot, which stays the consumer's until it answers, and
 * tell the consumer; the ring's lock is held.
 */
void __sluice_ring_slot_cancel(struct sluice_ring *ring, u32 slot, const struct sluice_req *req)
{
	lockdep_assert_held(&ring->lock);
	ring->req[slot] = NULL;
	sluice_slots_cancel(&ring->slots, slot);
	WRITE_ONCE(sluice_ring_slot(ring, slot)->flags, req->flags | SLUICE_REQ_CANCELLED);
}

/* A fixed window of @window requests, or 0: as much as keeps the consumer busy. */
void sluice_ring_window_set(struct sluice_ring *ring, u32 window)
{
	bool fixed;

	spin_lock_bh(&ring->lock);
	WRITE_ONCE(ring->slots.window,
		   window ? min(window, ring->slots.total) : ring->slots.total);
	fixed = ring->window.limit == SLUICE_WINDOW_OFF;
	if (!ring->window.limit || fixed != !!window)
		sluice_window_init(&ring->window, window);
	spin_unlock_bh(&ring->lock);
}

/* Wake the consumer if it says that it sleeps, once for each time that it looks in poll. */
static void wake(struct sluice_ring *ring)
{
	u32 ticket = sluice_rq_wake_ticket(ring->u_need_wakeup);

	if (likely(!ticket) || ticket == READ_ONCE(ring->woken))
		return;
	WRITE_ONCE(ring->woken, ticket);
	WRITE_ONCE(ring->wakeups, READ_ONCE(ring->wakeups) + 1);
	wake_up_interruptible_poll(&ring->wq, EPOLLIN | EPOLLRDNORM);
}

/*
 * Fill a RESERVED slot.
 * @now: the clock when it was offered: what comes straight from its socket has waited 0
 */
static __always_inline void fill(struct sluice_ring *ring, struct sluice_slot *hdr, u32 slot,
				 struct sluice_req *req, u64 now)
{
	u64 wait = now > req->arrival ? now - req->arrival : 0;
	u32 len = req->len;

	req->published = sluice_stamp(wait);
	hdr->len = len;
	hdr->orig_len = len;
	hdr->rule = req->rule->id;
	hdr->class_id = req->class->id;
	hdr->prio = req->prio;
	hdr->flags = req->flags;
	hdr->gen = ring->slots.gen[slot];
	hdr->hash = req->hash;
	hdr->listener = req->rule->listener->id;
	hdr->conn = sluice_req_conn(req);
	hdr->arrival_ns = req->arrival;
	hdr->deadline_ns = req->deadline;
	hdr->pickup = 0;
	hdr->service = 0;
	/* cannot fail: the length is the message's own */
	if (req->kind == SLUICE_REQ_KIND_TCP)
		sluice_copy(hdr + 1, req->bytes->data + req->at, len);
	else
		sluice_req_copy(req, hdr + 1, len);
	if (unlikely(len % 8))
		memset((u8 *)(hdr + 1) + len, 0, ALIGN(len, 8) - len);
	sluice_hist_add(req->class, SLUICE_STAGE_WAIT, wait, 1);
	trace_sluice_published(req, ring, slot);
	this_cpu_inc(ring->cnt->received);
}

/*
 * Hand a slot that is filled to the consumer, and the request with it. The ring's lock is held, and
 * let go.
 */
static __always_inline void hand_over(struct sluice_ring *ring, struct sluice_slot *hdr, u32 slot,
				      struct sluice_req *req)
{
	u32 prio = req->prio;
	bool cancelled = false;

	hdr->gap = ring->gap;
	hdr->gap_reason = ring->gap_reason;
	ring->gap = 0;
	if (unlikely(atomic_read(&req->class->group->gap))) {
		hdr->gap += atomic_xchg(&req->class->group->gap, 0);
		hdr->gap_reason = READ_ONCE(req->class->group->gap_reason);
	}
	ring->req[slot] = req;
	sluice_slots_publish(&ring->slots, slot);
	sluice_rq_push(ring->queue[prio], ring->map.req_entries - 1, ring->k_req_tail[prio],
		       &ring->req_tail[prio], slot);
	if (unlikely(req->tag) && __sluice_ids_place(req, SLUICE_ID_SLOT, ring, slot)) {
		__sluice_ring_slot_cancel(ring, slot, req);
		cancelled = true;
	}
	spin_unlock(&ring->lock);

	if (unlikely(cancelled))
		sluice_req_drop(req, ring, SLUICE_OUTCOME_CANCELLED_PEER);
	wake(ring);
	sluice_tx_published(ring);
}

/*
 * Publish a request in a RESERVED slot. Context: section. The lock is taken for the index moves
 * only; the copy is made outside.
 */
static void publish(struct sluice_ring *ring, u32 slot, struct sluice_req *req, u64 now)
{
	struct sluice_slot *hdr = sluice_ring_slot(ring, slot);

	fill(ring, hdr, slot, req, now);
	spin_lock(&ring->lock);
	hand_over(ring, hdr, slot, req);
}

/*
 * Let a request wait for this very ring, whose lock is held and let go. A function of its own, so
 * that what it takes out costs nothing where there is room. Return: 0, -ENOBUFS, -ENOMEM.
 */
static noinline int wait_for_slot(struct sluice_ring *ring, struct sluice_req *req)
	__releases(&ring->lock)
{
	struct sluice_refused out sluice_uninit;
	struct sluice_group *g = ring->group;
	int err;

	out.n = 0;
	err = __sluice_backlog_add(g, &ring->waiting, req, sluice_now(), &out);
	if (likely(!err)) {
		trace_sluice_waiting(req, g, ring);
	} else if (!sluice_req_can_stay(req)) {
		ring->gap++;
		ring->gap_reason = err == -ENOMEM ? SLUICE_OUTCOME_REJECTED_MEMORY :
						    SLUICE_OUTCOME_REJECTED_BACKLOG_FULL;
	}
	spin_unlock(&ring->lock);
	sluice_backlog_refuse(g, &out);
	sluice_backlog_arm(g);
	return err;
}

/**
 * sluice_ring_offer() - publish a request, or let it wait for this ring
 * @ring: in its group's set when the section began
 * @req: request; taken if the answer is 0
 * @wait: if the window is used up, wait in the ring's own backlog
 * @now: CLOCK_MONOTONIC ns
 *
 * Context: section.
 * Return: 0; -EMSGSIZE larger than any slot; -ESHUTDOWN the ring is leaving; -EAGAIN no room
 * (without @wait); -ENOBUFS, -ENOMEM the group's backlog holds its limit of requests, of bytes.
 */
int sluice_ring_offer(struct sluice_ring *ring, struct sluice_req *req, bool wait, u64 now)
{
	int err = 0;
	u32 slot;

	spin_lock(&ring->lock);
	if (unlikely(ring->closed))
		err = -ESHUTDOWN;
	else if (unlikely(req->len > sluice_slots_max(&ring->slots)))
		err = -EMSGSIZE;
	if (unlikely(err)) {
		spin_unlock(&ring->lock);
		return err;
	}
	/* those that wait go first */
	slot = ring->waiting.q.n && wait ? SLUICE_SLOTS_NONE : slot_reserve(ring, req);
	if (likely(slot != SLUICE_SLOTS_NONE)) {
		/* what is copied in less than it takes to come back for the lock */
		if (likely(req->len <= SLUICE_COPY_SHORT)) {
			struct sluice_slot *hdr = sluice_ring_slot(ring, slot);

			fill(ring, hdr, slot, req, now);
			hand_over(ring, hdr, slot, req);
			return 0;
		}
		spin_unlock(&ring->lock);
		publish(ring, slot, req, now);
		return 0;
	}
	if (wait)
		return wait_for_slot(ring, req);
	spin_unlock(&ring->lock);
	return -EAGAIN;
}

/*
 * Take the next request of the ring's own backlog, and a slot for it. Return: the request, or NULL.
 */
static struct sluice_req *waiting_pop(struct sluice_ring *ring, u32 *slot, u64 now,
				      struct sluice_refused *out)
{
	struct sluice_req *req = NULL;

	spin_lock(&ring->lock);
	if (ring->waiting.q.n && !ring->closed && sluice_ring_has_room(ring))
		req = __sluice_backlog_pop(&ring->waiting, SLUICE_QUEUE_ALL, now, out);
	if (req) {
		*slot = slot_reserve(ring, req);
		if (*slot == SLUICE_SLOTS_NONE) {
			sluice_queue_unpop(&ring->waiting.q, &req->wait);
			req = NULL;
		}
	}
	spin_unlock(&ring->lock);
	return req;
}

static void slot_unreserve(struct sluice_ring *ring, u32 slot)
{
	spin_lock(&ring->lock);
	__sluice_ring_slot_free(ring, slot);
	spin_unlock(&ring->lock);
}

/* Publish what waits for this very ring, as far as it has room. See sluice_ring_pull(). */
void __sluice_ring_pull(struct sluice_ring *ring, struct sluice_group *g)
{
	struct sluice_req *req;
	u32 slot;

	while (READ_ONCE(ring->waiting.q.n)) {
		struct sluice_refused out sluice_uninit;
		u64 now = sluice_now();

		out.n = 0;
		req = waiting_pop(ring, &slot, now, &out);
		sluice_backlog_refuse(g, &out);
		if (!req && !out.n)
			break;
		if (!req)
			continue;
		if (!sluice_req_settle(req, g) || sluice_backlog_expire(g, req, now)) {
			slot_unreserve(ring, slot);
			continue;
		}
		sluice_backlog_uncharge(g, req);
		publish(ring, slot, req, now);
	}
}

/* Change the state bits that the consumer sees. Context: any but hard interrupts. */
void sluice_ring_state(struct sluice_ring *ring, u32 set, u32 clear)
{
	spin_lock_bh(&ring->state_lock);
	WRITE_ONCE(ring->state, (ring->state & ~clear) | set);
	if (set & SLUICE_STATE_NEED_KICK)
		sluice_state_ask_kick(ring->k_state, ring->state);
	else
		WRITE_ONCE(*ring->k_state, ring->state);
	spin_unlock_bh(&ring->state_lock);
}

struct sluice_ring *sluice_ring_find(struct sluice_net *sn, u32 id)
{
	struct sluice_ring *ring;

	lockdep_assert_held(&sluice_mutex);
	list_for_each_entry(ring, &sn->rings, all)
		if (ring->id == id)
			return ring;
	return NULL;
}

/* Let a ring take requests. Context: may sleep, sluice_mutex is held. Return: 0 or -ENOMEM. */
int sluice_ring_open_intake(struct sluice_ring *ring)
{
	int err;

	spin_lock_bh(&ring->lock);
	WRITE_ONCE(ring->closed, false);
	spin_unlock_bh(&ring->lock);
	sluice_limits_copy(ring);
	err = sluice_group_rings_add(ring->group, ring);
	if (err) {
		spin_lock_bh(&ring->lock);
		WRITE_ONCE(ring->closed, true);
		spin_unlock_bh(&ring->lock);
	}
	return err;
}

/**
 * sluice_ring_attach() - let a ring that is set up take requests
 * @ring: sluice_mutex is held
 *
 * Context: may sleep. Return: 0, -EBUSY attached already, -ENODEV detached, -ENOMEM.
 */
int sluice_ring_attach(struct sluice_ring *ring)
{
	int err;

	lockdep_assert_held(&sluice_mutex);
	if (!ring->group || ring->detached)
		return -ENODEV;
	if (ring->attached)
		return -EBUSY;
	err = sluice_ring_open_intake(ring);
	if (err)
		return err;
	ring->attached = true;
	ring->draining = false;
	WRITE_ONCE(ring->nap.drain_told, false);
	sluice_watch_start(ring);
	sluice_ring_state(ring, SLUICE_STATE_ATTACHED, SLUICE_STATE_DRAINING);
	sluice_event(ring->sn, SLUICE_EVENT_RING_ATTACHED, ring->group->name, ring, 0);
	sluice_backlog_run(ring->group);
	return 0;
}
