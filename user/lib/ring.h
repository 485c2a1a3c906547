/* SPDX-License-Identifier: MIT */
/* What one open ring is made of, and the few steps that taking, answering and waiting share. */
#ifndef SLUICE_LIB_RING_H
#define SLUICE_LIB_RING_H

#include <linux/sluice_ring.h>
#include <sluice/sluice.h>

#include "core/ring.h"
#include "lib/io.h"
#include "lib/spin.h"

#define EXPORT __attribute__((visibility("default")))

#define SLOT_HEADER	((u32)sizeof(struct sluice_slot))
#define GROUPS		(SLUICE_RING_CLASSES + 1)	/* size classes, then the reply slots */

_Static_assert(sizeof(struct sluice_slot) == 64, "the payload starts 64 bytes into a slot");
_Static_assert(sizeof(struct sluice_response) == 16, "entries of the response queue are 16 bytes");
_Static_assert(SLUICE_SIZE_CLASSES == SLUICE_RING_CLASSES, "the public header names the ABI's number of classes");
_Static_assert(SLUICE_REQUEST_REISSUED == SLUICE_REQ_REISSUED && SLUICE_REQUEST_REQUEUED == SLUICE_REQ_REQUEUED &&
	       SLUICE_REQUEST_CANCELLED == SLUICE_REQ_CANCELLED,
	       "request flags are handed through");

/* Slots of one size. */
struct slot_group {
	u8 *base;
	u32 first;
	u32 count;
	u32 stride;
	u32 room;
};

/* A request slot in the library's eyes. */
struct taken {
	u64 at;		/* CLOCK_MONOTONIC of the peek that took it */
	u32 owner;	/* its generation plus one while the caller owns the request, else 0 */
	u32 pad;
};

/* A reply slot on its way: it is free again when the kernel's head passes @index. */
struct flying {
	u32 index;
	u32 reply;
};

enum reply_state { REPLY_FREE, REPLY_HELD, REPLY_FLYING };

struct region {
	void *addr;
	size_t len;
};

struct sluice_ring {
	/* Taking. Pointers into mapped memory do not change after open. */
	const u32 *req_tail[SLUICE_RING_PRIOS];
	const u32 *req_entry[SLUICE_RING_PRIOS];
	u32 *req_head[SLUICE_RING_PRIOS];
	u32 head[SLUICE_RING_PRIOS];	/* the heads that count; what stands in the user page is a copy */
	u32 req_mask;
	u32 nslots;			/* request slots */
	struct slot_group group[GROUPS];
	struct taken *taken;		/* [nslots] */
	u32 outstanding;		/* owned by the caller */
	u32 gap;			/* carried by requests that expired, for the next one that the caller sees */
	u16 gap_reason;
	int error;			/* -EPROTO once the ring holds what cannot be */
	u64 now;

	/* Answering. */
	struct sluice_response *resp;
	const u32 *resp_head;
	u32 *resp_tail;
	u32 resp_mask;
	u32 tail;			/* entries written */
	u32 published;			/* entries the kernel may see */
	u32 space;			/* entries known to be free */
	bool dear_kicks;		/* the cheap ones come to nothing here */
	bool owed;			/* what was handed over waits for a kick */

	/* Reply slots. */
	u32 nreplies;
	u32 nfree;
	u32 *reply_free;		/* [nreplies] stack */
	u8 *reply_state;		/* [nreplies] */
	struct flying *flying;		/* [nreplies] circular, in the order of their entries */
	u32 fly_first;
	u32 fly_count;

	/* Waiting. */
	const u32 *state;
	u32 *need_wakeup;
	u32 *heartbeat;
	u32 ticket;
	u32 beats;
	u32 interrupted;		/* by another thread, and nobody was told */
	u64 spin_ns;			/* U64_MAX: never sleep */
	struct spin spin;

	struct sluice_ring_stats stats;
	const struct sluice_io *io;
	void *ctx;
	int fd;
	u32 id;
	struct region region[5];
};

/* Layout: check what the kernel gave and point the ring into its mappings. 0 or -EPROTO. */
int sluice_map_check(const struct sluice_ring_map *map, const struct sluice_ring_setup *setup);
void sluice_map_apply(struct sluice_ring *ring, const struct sluice_ring_map *map, const struct sluice_ring_setup *setup);

/* Take note of what the kernel has sent: free entries, free reply slots. Returns the free entries. */
u32 sluice_resp_reclaim(struct sluice_ring *ring);
/* Hand over what is written; in ring->owed, whether the kernel wants a kick for it. Return: 0, -EPROTO, -ESHUTDOWN. */
int sluice_resp_hand_over(struct sluice_ring *ring);
/* Hand over what is written and have the kernel send it before this returns. */
void sluice_resp_settle(struct sluice_ring *ring);

/**
 * slot_header() - where a request slot is
 * @ring: ring
 * @slot: any value
 * @room: set to the payload bytes of the slot
 *
 * Return: its header, or NULL if there is no such request slot.
 */
static inline struct sluice_slot *slot_header(const struct sluice_ring *ring, u32 slot, u32 *room)
{
	const struct slot_group *g;

	for (g = ring->group; g < ring->group + SLUICE_RING_CLASSES; g++) {
		if (slot - g->first < g->count) {
			*room = g->room;
			return (struct sluice_slot *)(g->base + (size_t)(slot - g->first) * g->stride);
		}
	}
	return NULL;
}

static inline bool any_ready(const struct sluice_ring *ring)
{
	u32 ready = 0;
	u32 p;

#pragma GCC unroll 4
	for (p = 0; p < SLUICE_RING_PRIOS; p++)
		ready |= sluice_rq_ready(ring->req_tail[p], ring->head[p]);
	return ready;
}

/* ns from @from to @to in a stamp of the slot's header. */
static inline u32 stamp(u64 from, u64 to)
{
	if (to <= from)
		return 0;
	return to - from > U32_MAX ? U32_MAX : (u32)(to - from);
}

/* Append one entry for @slot; @space was looked at before. */
static inline void sluice_resp_append(struct sluice_ring *ring, u32 slot, u16 gen, u32 data, u32 len, u32 flags)
{
	struct sluice_response *e = &ring->resp[ring->tail++ & ring->resp_mask];

	e->slot = slot;
	e->data = data;
	e->len = len;
	e->flags = (u16)flags;
	e->gen = gen;
	ring->space--;
}

static inline void beat(struct sluice_ring *ring)
{
	WRITE_ONCE(*ring->heartbeat, ++ring->beats);
}

#endif /* SLUICE_LIB_RING_H */
