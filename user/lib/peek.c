// SPDX-License-Identifier: MIT
/* Taking requests: off the request queues, highest priority first, those that nobody waits for answered at once. */
#include "lib/ring.h"

static inline void copy_header(struct sluice_ring *ring, struct sluice_request *req, struct sluice_slot *hdr,
			       u32 slot, u32 room)
{
	req->data = hdr + 1;
	req->len = hdr->len;
	req->room = room;
	req->rule = hdr->rule;
	req->listener = hdr->listener;
	req->hash = hdr->hash;
	req->gap = hdr->gap;
	req->gap_reason = hdr->gap_reason;
	req->class_id = hdr->class_id;
	req->prio = hdr->prio;
	req->flags = READ_ONCE(hdr->flags);
	req->gen = hdr->gen;
	req->slot = slot;
	req->arrival_ns = hdr->arrival_ns;
	req->deadline_ns = hdr->deadline_ns;
	req->conn = hdr->conn;
	if (unlikely(req->gap)) {
		ring->stats.gap += req->gap;
		ring->gap_reason = req->gap_reason;
	}
}

/* Losses that requests told of which the caller does not see are told with the next request that the caller sees. */
static void carry_gap(struct sluice_ring *ring, struct sluice_request *req, bool skipped)
{
	u32 sum = ring->gap + req->gap < req->gap ? U32_MAX : ring->gap + req->gap;

	if (skipped) {
		ring->gap = sum;
		return;
	}
	req->gap = sum;
	req->gap_reason = ring->gap_reason;
	ring->gap = 0;
}

/*
 * Answer a request that nobody waits for: past its deadline, or cancelled. False if the response queue is full even after
 * handing it over.
 */
static bool skip(struct sluice_ring *ring, const struct sluice_request *req, bool expired)
{
	if (!ring->space && !sluice_resp_reclaim(ring)) {
		sluice_ring_flush(ring);
		if (!sluice_resp_reclaim(ring))
			return false;
	}
	sluice_resp_append(ring, req->slot, req->gen, req->slot, 0,
			   expired ? SLUICE_RESP_EXPIRED : SLUICE_RESP_NO_REPLY);
	ring->stats.expired += expired;
	return true;
}

/*
 * Take up to @n requests of one priority. Sets ring->error if the queue holds what the kernel never writes; what was
 * taken before stays taken.
 */
static u32 take(struct sluice_ring *ring, u32 prio, u32 ready, struct sluice_request *req, u32 n)
{
	const u32 *entry = ring->req_entry[prio];
	u32 head = ring->head[prio];
	u32 got = 0;

	for (; ready && got < n; ready--, head++) {
		u32 slot = READ_ONCE(entry[head & ring->req_mask]);
		struct sluice_request *r = &req[got];
		struct sluice_slot *hdr;
		bool expired, skipped;
		u32 room;

		hdr = slot_header(ring, slot, &room);
		if (unlikely(!hdr || ring->taken[slot].owner || hdr->len > room)) {
			ring->error = -EPROTO;
			break;
		}
		copy_header(ring, r, hdr, slot, room);
		expired = r->deadline_ns && ring->now > r->deadline_ns;
		skipped = expired || (r->flags & SLUICE_REQ_CANCELLED);
		if (unlikely(skipped && !skip(ring, r, expired))) {
			ring->stats.gap -= r->gap;
			break;
		}
		if (unlikely(ring->gap | r->gap))
			carry_gap(ring, r, skipped);
		hdr->pickup = stamp(r->arrival_ns, ring->now) | (ring->now <= r->arrival_ns);
		hdr->service = 0;
		if (unlikely(skipped))
			continue;
		ring->taken[slot].at = ring->now;
		ring->taken[slot].owner = (u32)r->gen + 1;
		got++;
	}
	ring->head[prio] = head;
	/* Advisory: after a crash the kernel tells by it which requests were never looked at. */
	WRITE_ONCE(*ring->req_head[prio], head);
	return got;
}

/* The same, after reading the clock for all that is taken at once. */
static __attribute__((noinline)) u32 take_from(struct sluice_ring *ring, u32 prio, u32 ready, struct sluice_request *req,
					       u32 got, u32 n)
{
	if (unlikely(ready > ring->req_mask + 1)) {
		ring->error = -EPROTO;
		return 0;
	}
	if (!got) {
		ring->now = ring->io->now(ring->ctx);
		beat(ring);
	}
	return take(ring, prio, ready, req + got, n - got);
}

EXPORT int sluice_ring_peek(struct sluice_ring *ring, struct sluice_request *req, unsigned int n)
{
	u32 got = 0;
	u32 p;

	if (unlikely(ring->error))
		return ring->error;
	/* what is still in its queues is another ring's by now, or refused */
	if (unlikely(READ_ONCE(*ring->state) & (SLUICE_STATE_BROKEN | SLUICE_STATE_GONE)))
		return READ_ONCE(*ring->state) & SLUICE_STATE_BROKEN ? -EPROTO : -ESHUTDOWN;
	if (n > INT_MAX)
		n = INT_MAX;
#pragma GCC unroll 4
	for (p = 0; p < SLUICE_RING_PRIOS; p++) {
		u32 ready = sluice_rq_ready(ring->req_tail[p], ring->head[p]);

		if (ready && got < n && !ring->error)
			got += take_from(ring, p, ready, req, got, n);
	}
	ring->outstanding += got;
	ring->stats.requests += got;
	return got || !ring->error ? (int)got : ring->error;
}
