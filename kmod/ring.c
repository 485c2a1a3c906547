// SPDX-License-Identifier: GPL-2.0-only
/* Rings: publishing requests into slots, the ring's own backlog, set-up, attach and drain. */
#include <linux/poll.h>

#include "sluice.h"
#include "trace.h"

/* Header of a slot; @slot is below total + reply_count. */
struct sluice_slot *sluice_ring_slot(const struct sluice_ring *ring, u32 slot)
{
	u32 c = slot < ring->slots.total ? ring->slots.class_of[slot] : SLUICE_RING_CLASSES;

	return ring->mem.base + ring->map.slots.offset + ring->map.slot_offset[c] +
	       (u64)(slot - ring->map.slot_first[c]) * ring->map.slot_stride[c];
}

bool sluice_ring_has_room(const struct sluice_ring *ring)
{
	return READ_ONCE(ring->slots.used) < READ_ONCE(ring->slots.window);
}

static u32 saturate(u64 ns)
{
	return min_t(u64, ns, U32_MAX);
}

/* Wake the consumer if it says that it sleeps, once for each of its sleeps. */
static void wake(struct sluice_ring *ring)
{
	u32 ticket = sluice_rq_wake_ticket(ring->u_need_wakeup);

	if (likely(!ticket) || ticket == READ_ONCE(ring->woken))
		return;
	WRITE_ONCE(ring->woken, ticket);
	WRITE_ONCE(ring->wakeups, ring->wakeups + 1);
	wake_up_interruptible_poll(&ring->wq, EPOLLIN | EPOLLRDNORM);
}

/*
 * Fill a RESERVED slot and hand it to the consumer, and the request with it.
 * Context: section. The lock is taken for the index moves only; the copy is made outside.
 */
static void publish(struct sluice_ring *ring, u32 slot, struct sluice_req *req)
{
	struct sluice_slot *hdr = sluice_ring_slot(ring, slot);
	u32 len = req->len, prio = req->prio;
	u64 wait = sluice_now() - req->arrival;

	req->published = saturate(wait);
	hdr->len = len;
	hdr->orig_len = len;
	hdr->rule = req->rule->id;
	hdr->class_id = req->class->id;
	hdr->prio = prio;
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
	sluice_req_copy(req, hdr + 1, len);
	memset((u8 *)(hdr + 1) + len, 0, ALIGN(len, 8) - len);
	sluice_hist_add(req->class, SLUICE_STAGE_WAIT, wait);
	trace_sluice_published(req, ring, slot);
	this_cpu_inc(ring->cnt->received);

	spin_lock(&ring->lock);
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
	spin_unlock(&ring->lock);

	wake(ring);
	sluice_tx_published(ring);
}

/* Let a request wait for this very ring; its lock is held. Return: 0, -ENOBUFS, -ENOMEM. */
static int wait_for_slot(struct sluice_ring *ring, struct sluice_req *req)
{
	struct sluice_group *g = ring->group;
	enum sluice_outcome why;

	if (!sluice_backlog_charge(g, sluice_group_conf(g), req, &why)) {
		if (req->kind != SLUICE_REQ_KIND_TCP) { /* it stays in its stream */
			ring->gap++;
			ring->gap_reason = why;
		}
		return why == SLUICE_OUTCOME_REJECTED_MEMORY ? -ENOMEM : -ENOBUFS;
	}
	trace_sluice_waiting(req, g, ring);
	list_add_tail(&req->node, &ring->waiting[req->prio]);
	ring->nwaiting++;
	return 0;
}

/**
 * sluice_ring_offer() - publish a request, or let it wait for this ring
 * @ring: in its group's set when the section began
 * @req: request; taken if the answer is 0
 * @wait: if the window is used up, wait in the ring's own backlog
 *
 * Context: section.
 * Return: 0; -EMSGSIZE larger than any slot; -ESHUTDOWN the ring is leaving; -EAGAIN no room
 * (without @wait); -ENOBUFS, -ENOMEM the group's backlog holds its limit of requests, of bytes.
 */
int sluice_ring_offer(struct sluice_ring *ring, struct sluice_req *req, bool wait)
{
	u32 len = req->len;
	bool deadline;
	u32 slot;
	int err;

	spin_lock(&ring->lock);
	if (unlikely(ring->closed)) {
		spin_unlock(&ring->lock);
		return -ESHUTDOWN;
	}
	if (unlikely(len > sluice_slots_max(&ring->slots))) {
		spin_unlock(&ring->lock);
		return -EMSGSIZE;
	}
	/* those that wait go first */
	slot = ring->nwaiting && wait ? SLUICE_SLOTS_NONE : sluice_slots_reserve(&ring->slots, len);
	if (likely(slot != SLUICE_SLOTS_NONE)) {
		spin_unlock(&ring->lock);
		publish(ring, slot, req);
		return 0;
	}
	deadline = req->deadline;
	err = wait ? wait_for_slot(ring, req) : -EAGAIN;
	spin_unlock(&ring->lock);
	if (!err && deadline)
		sluice_backlog_arm(ring->group);
	return err;
}

/*
 * Reserve a slot for the head of the ring's own backlog. Return: the request, its slot in @slot, or
 * NULL.
 */
static struct sluice_req *waiting_pop(struct sluice_ring *ring, u32 *slot)
{
	struct sluice_req *req = NULL;
	u32 prio;

	spin_lock(&ring->lock);
	if (ring->nwaiting && !ring->closed) {
		for (prio = 0; prio < SLUICE_RING_PRIOS && !req; prio++)
			req = list_first_entry_or_null(&ring->waiting[prio], struct sluice_req,
						       node);
		*slot = sluice_slots_reserve(&ring->slots, req->len);
		if (*slot != SLUICE_SLOTS_NONE) {
			list_del(&req->node);
			ring->nwaiting--;
		} else {
			req = NULL;
		}
	}
	spin_unlock(&ring->lock);
	return req;
}

static void slot_unreserve(struct sluice_ring *ring, u32 slot)
{
	spin_lock(&ring->lock);
	sluice_slots_free(&ring->slots, slot);
	spin_unlock(&ring->lock);
}

/**
 * sluice_ring_pull() - after slots became free: publish what waits for them
 * @ring: the caller keeps it alive
 *
 * Context: section. Bounded by the room in the ring and by what is expired or cancelled on the way.
 */
void sluice_ring_pull(struct sluice_ring *ring)
{
	struct sluice_group *g = READ_ONCE(ring->group);
	struct sluice_req *req;
	u32 slot;

	if (!g)
		return;
	while (READ_ONCE(ring->nwaiting) && (req = waiting_pop(ring, &slot))) {
		u64 deadline = req->deadline;

		if (!sluice_req_settle(req, g)) {
			slot_unreserve(ring, slot);
			continue;
		}
		sluice_backlog_uncharge(g, req);
		if (deadline && sluice_now() > deadline) {
			slot_unreserve(ring, slot);
			sluice_group_gap(g, SLUICE_OUTCOME_EXPIRED_BACKLOG);
			sluice_req_drop(req, NULL, SLUICE_OUTCOME_EXPIRED_BACKLOG);
			continue;
		}
		publish(ring, slot, req);
	}
	if (READ_ONCE(g->nbacklog) && !READ_ONCE(ring->closed))
		sluice_backlog_feed(g, ring);
	sluice_conn_resume(g);
}

/* Change the state bits that the consumer sees. Context: any but hard interrupts. */
void sluice_ring_state(struct sluice_ring *ring, u32 set, u32 clear)
{
	spin_lock_bh(&ring->state_lock);
	ring->state = (ring->state & ~clear) | set;
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
	spin_lock_bh(&ring->lock);
	ring->closed = false;
	spin_unlock_bh(&ring->lock);
	err = sluice_group_rings_add(ring->group, ring);
	if (err)
		return err;
	ring->attached = true;
	ring->draining = false;
	sluice_ring_state(ring, SLUICE_STATE_ATTACHED, SLUICE_STATE_DRAINING);
	sluice_event(ring->sn, SLUICE_EVENT_RING_ATTACHED, ring->group->name, ring, 0);
	sluice_backlog_run(ring->group);
	return 0;
}
