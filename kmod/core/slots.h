/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Slot states and free lists of one ring: what the kernel knows of each slot, out of the consumer's
 * reach.
 */
#ifndef SLUICE_CORE_SLOTS_H
#define SLUICE_CORE_SLOTS_H

#include "port.h"

/* clang-format off */
/*
 * Who owns a slot in each state, and how it leaves:
 *
 *   state      owner                               leaves by
 *   FREE       kernel, on a free list              reserve -> RESERVED
 *   RESERVED   the CPU that reserved it, to copy   publish -> PUBLISHED; free
 *   PUBLISHED  consumer                            answer -> ANSWERED; cancel -> CANCELLED;
 *                                                  free, when the ring is detached
 *   ANSWERED   transmit, which reads the reply     free -> FREE; publish, if further entries for
 *                                                  the request follow; cancel
 *   CANCELLED  consumer still, it may be reading;  answer -> ANSWERED, and nothing is sent; free
 *              counted as cancelled already
 *
 * Every transition is made under the ring's lock. RESERVED and ANSWERED last only within one
 * section with bottom halves disabled.
 */
/* clang-format on */
enum sluice_slot_state {
	SLUICE_SLOT_FREE,
	SLUICE_SLOT_RESERVED,
	SLUICE_SLOT_PUBLISHED,
	SLUICE_SLOT_ANSWERED,
	SLUICE_SLOT_CANCELLED,
};

#define SLUICE_SLOTS_CLASSES	4
#define SLUICE_SLOTS_NONE	U32_MAX

struct sluice_slots_class {
	u32 first;	/* index of its first slot */
	u32 count;
	u32 size;	/* payload bytes */
	u32 nfree;
	u32 *free;	/* stack of free indices, the last freed on top: its cache lines are warm */
};

struct sluice_slots {
	struct sluice_slots_class class[SLUICE_SLOTS_CLASSES];
	u32 nclasses;
	u32 total;		/* request slots */
	u32 used;		/* not FREE */
	u32 window;		/* reserve fails when @used reaches it; 1..total */
	u32 reply_first;	/* == total */
	u32 reply_count;
	u32 reply_size;
	u8 *state;		/* [total] */
	u8 *class_of;		/* [total] */
	u16 *gen;		/* [total] of the request in the slot; counted up when freed */
};

struct sluice_slots_conf {
	u32 size[SLUICE_SLOTS_CLASSES];	/* ascending */
	u32 count[SLUICE_SLOTS_CLASSES];
	u32 nclasses;
	u32 reply_size;
	u32 reply_count;
};

/* What the consumer's response means, after checking it against the kernel's own state. */
enum sluice_verdict {
	SLUICE_VERDICT_OK,		/* request is the consumer's; take it */
	SLUICE_VERDICT_CANCELLED,	/* cancelled: the slot comes back, nothing is sent */
	SLUICE_VERDICT_STALE,		/* not the consumer's, or an old one: ignore, count */
	SLUICE_VERDICT_BAD_DATA,	/* request is right but the reply's slot or length is not */
};

int sluice_slots_init(struct sluice_slots *s, const struct sluice_slots_conf *conf);
void sluice_slots_fini(struct sluice_slots *s);

static inline void sluice_slots_publish(struct sluice_slots *s, u32 slot)
{
	s->state[slot] = SLUICE_SLOT_PUBLISHED;
}

static inline void sluice_slots_answer(struct sluice_slots *s, u32 slot)
{
	s->state[slot] = SLUICE_SLOT_ANSWERED;
}

static inline void sluice_slots_cancel(struct sluice_slots *s, u32 slot)
{
	s->state[slot] = SLUICE_SLOT_CANCELLED;
}

/* Payload bytes of the largest slot. */
static inline u32 sluice_slots_max(const struct sluice_slots *s)
{
	return s->class[s->nclasses - 1].size;
}

/**
 * sluice_slots_reserve() - take a free slot of the smallest size class that fits
 * @s: slots; the ring's lock is held
 * @len: payload bytes needed, at most sluice_slots_max()
 *
 * Return: a slot, RESERVED; or SLUICE_SLOTS_NONE if the window is used up or no fitting slot is
 * free.
 */
static inline u32 sluice_slots_reserve(struct sluice_slots *s, u32 len)
{
	u32 c, slot;

	if (s->used >= s->window)
		return SLUICE_SLOTS_NONE;
	for (c = 0; c < s->nclasses; c++) {
		struct sluice_slots_class *k = &s->class[c];

		if (k->size < len || !k->nfree)
			continue;
		slot = k->free[--k->nfree];
		s->state[slot] = SLUICE_SLOT_RESERVED;
		WRITE_ONCE(s->used, s->used + 1);
		return slot;
	}
	return SLUICE_SLOTS_NONE;
}

/*
 * Put a slot that is not FREE back on its list; its generation moves on. The ring's lock is held.
 */
static inline void sluice_slots_free(struct sluice_slots *s, u32 slot)
{
	struct sluice_slots_class *k = &s->class[s->class_of[slot]];

	s->state[slot] = SLUICE_SLOT_FREE;
	s->gen[slot]++;
	k->free[k->nfree++] = slot;
	WRITE_ONCE(s->used, s->used - 1);
}

/**
 * sluice_slots_check() - judge one response entry; nothing is changed
 * @s: slots; the ring's lock is held
 * @slot: request slot the consumer names; any value
 * @gen: generation the consumer names; any value
 * @data: slot that holds the reply; any value
 * @len: bytes of the reply; any value
 */
static inline enum sluice_verdict sluice_slots_check(const struct sluice_slots *s, u32 slot,
						     u16 gen, u32 data, u32 len)
{
	if (slot >= s->total || s->gen[slot] != gen)
		return SLUICE_VERDICT_STALE;
	if (s->state[slot] == SLUICE_SLOT_CANCELLED)
		return SLUICE_VERDICT_CANCELLED;
	if (s->state[slot] != SLUICE_SLOT_PUBLISHED)
		return SLUICE_VERDICT_STALE;
	if (data < s->total) {
		if (s->state[data] != SLUICE_SLOT_PUBLISHED &&
		    s->state[data] != SLUICE_SLOT_CANCELLED)
			return SLUICE_VERDICT_BAD_DATA;
		if (len > s->class[s->class_of[data]].size)
			return SLUICE_VERDICT_BAD_DATA;
		return SLUICE_VERDICT_OK;
	}
	if (data - s->total >= s->reply_count || len > s->reply_size)
		return SLUICE_VERDICT_BAD_DATA;
	return SLUICE_VERDICT_OK;
}

#endif /* SLUICE_CORE_SLOTS_H */
