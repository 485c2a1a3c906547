// SPDX-License-Identifier: MIT
/* Answering: entries of the response queue, reply slots and their return, and handing it all to the kernel. */
#include "lib/ring.h"

u32 sluice_resp_reclaim(struct sluice_ring *ring)
{
	u32 entries = ring->resp_mask + 1;
	u32 space = sluice_resp_space(ring->resp_head, ring->published, entries);
	u32 head = ring->published - (entries - space);
	u32 written = ring->tail - ring->published;

	/* The kernel's head can be neither behind what was written nor ahead of what was published. */
	if (unlikely(space > entries || space < written)) {
		ring->error = -EPROTO;
		return 0;
	}
	while (ring->fly_count) {
		struct flying *f = &ring->flying[ring->fly_first];

		if (head - (f->index + 1) > entries)
			break;
		ring->reply_state[f->reply] = REPLY_FREE;
		ring->reply_free[ring->nfree++] = f->reply;
		ring->fly_first = ring->fly_first + 1 == ring->nreplies ? 0 : ring->fly_first + 1;
		ring->fly_count--;
	}
	ring->space = space - written;
	return ring->space;
}

/* Does the caller own this request? */
static inline bool owned(const struct sluice_ring *ring, const struct sluice_request *req)
{
	return likely(req->slot < ring->nslots && ring->taken[req->slot].owner == (u32)req->gen + 1);
}

static inline int answer(struct sluice_ring *ring, const struct sluice_request *req, u32 len, u32 flags)
{
	if (unlikely(!owned(ring, req)))
		return -EINVAL;
	sluice_resp_append(ring, req->slot, req->gen, req->slot, len, flags);
	ring->taken[req->slot].owner = 0;
	ring->outstanding--;
	return 0;
}

/* The response queue is full as far as is known. A function of its own: the common way saves no registers for it. */
static __attribute__((noinline)) int answer_late(struct sluice_ring *ring, const struct sluice_request *req, u32 len,
						 u32 flags)
{
	if (!owned(ring, req))
		return -EINVAL;
	if (!sluice_resp_reclaim(ring))
		return ring->error ? ring->error : -EAGAIN;
	return answer(ring, req, len, flags);
}

static inline int finish(struct sluice_ring *ring, const struct sluice_request *req, u32 len, u32 flags)
{
	return likely(ring->space) ? answer(ring, req, len, flags) : answer_late(ring, req, len, flags);
}

EXPORT int sluice_respond(struct sluice_ring *ring, const struct sluice_request *req, uint32_t len)
{
	if (unlikely(len > req->room))
		return -EMSGSIZE;
	return finish(ring, req, len, 0);
}

EXPORT bool sluice_request_cancelled(const struct sluice_ring *ring, const struct sluice_request *req)
{
	u32 room;
	const struct sluice_slot *hdr = slot_header(ring, req->slot, &room);

	return hdr && READ_ONCE(hdr->flags) & SLUICE_REQ_CANCELLED;
}

EXPORT int sluice_done(struct sluice_ring *ring, const struct sluice_request *req)
{
	return finish(ring, req, 0, SLUICE_RESP_NO_REPLY);
}

EXPORT int sluice_reject(struct sluice_ring *ring, const struct sluice_request *req)
{
	return finish(ring, req, 0, SLUICE_RESP_REJECT);
}

EXPORT int sluice_reply_get(struct sluice_ring *ring, struct sluice_reply *reply)
{
	const struct slot_group *g = &ring->group[SLUICE_RING_CLASSES];
	u32 i;

	if (!ring->nreplies)
		return -ENOENT;
	if (!ring->nfree) {
		sluice_resp_reclaim(ring);
		if (!ring->nfree)
			return ring->error ? ring->error : -EAGAIN;
	}
	i = ring->reply_free[--ring->nfree];
	ring->reply_state[i] = REPLY_HELD;
	reply->data = g->base + (size_t)i * g->stride + SLOT_HEADER;
	reply->room = g->room;
	reply->slot = g->first + i;
	return 0;
}

/* Index of a reply slot in the caller's hands, or -EINVAL. */
static int held(const struct sluice_ring *ring, const struct sluice_reply *reply)
{
	u32 i = reply->slot - ring->group[SLUICE_RING_CLASSES].first;

	return i < ring->nreplies && ring->reply_state[i] == REPLY_HELD ? (int)i : -EINVAL;
}

EXPORT void sluice_reply_put(struct sluice_ring *ring, const struct sluice_reply *reply)
{
	int i = held(ring, reply);

	if (i < 0)
		return;
	ring->reply_state[i] = REPLY_FREE;
	ring->reply_free[ring->nfree++] = (u32)i;
}

EXPORT int sluice_respond_from(struct sluice_ring *ring, const struct sluice_request *req,
			       const struct sluice_reply *reply, uint32_t len, bool more)
{
	int i = held(ring, reply);
	struct flying *f;
	u32 last;

	if (i < 0)
		return i;
	if (len > ring->group[SLUICE_RING_CLASSES].room)
		return -EMSGSIZE;
	if (!owned(ring, req))
		return -EINVAL;
	if (!ring->space && !sluice_resp_reclaim(ring))
		return ring->error ? ring->error : -EAGAIN;
	last = ring->fly_first + ring->fly_count++;
	f = &ring->flying[last < ring->nreplies ? last : last - ring->nreplies];
	f->index = ring->tail;
	f->reply = (u32)i;
	ring->reply_state[i] = REPLY_FLYING;
	sluice_resp_append(ring, req->slot, req->gen, reply->slot, len, more ? SLUICE_RESP_MORE : 0);
	if (!more) {
		ring->taken[req->slot].owner = 0;
		ring->outstanding--;
	}
	return 0;
}

/*
 * Service time: from the peek that took a request to the flush that hands its answer over. One clock reading for all of
 * them, or the kernel's if it takes them when it is told to; a request answered early in a batch waits for the flush like
 * the others, so this is what the client sees.
 */
static void stamp_service(struct sluice_ring *ring)
{
	bool told = READ_ONCE(*ring->state) & SLUICE_STATE_NEED_KICK;
	u64 now = told ? 0 : ring->io->now(ring->ctx);
	u32 i;

	for (i = ring->published; i != ring->tail; i++) {
		const struct sluice_response *e = &ring->resp[i & ring->resp_mask];
		struct sluice_slot *hdr;
		u32 room;

		if (e->flags & (SLUICE_RESP_MORE | SLUICE_RESP_EXPIRED))
			continue;
		hdr = slot_header(ring, e->slot, &room);
		if (likely(hdr))
			hdr->service = told ? SLUICE_SERVICE_TAKEN : stamp(ring->taken[e->slot].at, now);
	}
}

/* Has the kernel taken all that was handed over? */
static bool taken(const struct sluice_ring *ring)
{
	return sluice_resp_space(ring->resp_head, ring->published, ring->resp_mask + 1) > ring->resp_mask;
}

/*
 * fdatasync() is the cheaper of two ways, but a module may not know it, and a filter of system calls may refuse it or
 * have it do nothing and succeed.
 */
static int kick(struct sluice_ring *ring)
{
	int ret = ring->dear_kicks ? 0 : ring->io->kick(ring->ctx, ring->fd);

	ring->stats.kicks++;
	if (likely(!ring->dear_kicks && (taken(ring) || (ret && ret != -EINVAL && ret != -ENOSYS && ret != -EPERM))))
		return ret;
	ret = ring->io->ioctl(ring->ctx, ring->fd, SLUICE_IOC_KICK, NULL);
	if (ret > 0)
		ring->dear_kicks = true;
	return ret < 0 ? ret : 0;
}

int sluice_resp_hand_over(struct sluice_ring *ring)
{
	u32 state;

	if (ring->published == ring->tail)
		return 0;
	stamp_service(ring);
	ring->stats.responses += ring->tail - ring->published;
	ring->published = ring->tail;
	sluice_resp_publish(ring->resp_tail, ring->tail);
	state = sluice_resp_state(ring->state);
	if (unlikely(state & (SLUICE_STATE_BROKEN | SLUICE_STATE_GONE)))
		return state & SLUICE_STATE_BROKEN ? -EPROTO : -ESHUTDOWN;
	ring->owed = state & SLUICE_STATE_NEED_KICK;
	return 0;
}

EXPORT int sluice_ring_flush(struct sluice_ring *ring)
{
	int err = sluice_resp_hand_over(ring);

	if (err || !ring->owed)
		return err;
	err = kick(ring);
	ring->owed = err == -EINTR;
	return err;
}

void sluice_resp_settle(struct sluice_ring *ring)
{
	sluice_ring_flush(ring);
	if (sluice_resp_space(ring->resp_head, ring->tail, ring->resp_mask + 1) <= ring->resp_mask)
		kick(ring);
}
