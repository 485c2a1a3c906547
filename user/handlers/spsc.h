/* SPDX-License-Identifier: GPL-2.0-only */
/* A bounded queue of pointers between exactly two threads, and the sleep flag that goes with it. */
#ifndef SLUICE_HANDLERS_SPSC_H
#define SLUICE_HANDLERS_SPSC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

/*
 * One thread pushes, another pops. The pairs, in C11 atomics:
 *
 *   Q1 release tail -> Q2 acquire tail	Without it the popper reads a pointer, or what it points to, before the pusher
 *					wrote it.
 *   Q3 release head -> Q4 acquire head	Without it the pusher overwrites an entry that the popper has not yet read.
 *   Q5 exchange sleeping <-> Q6 exchange sleeping
 *					Both sides write the flag, so one of them comes second. If the pusher does, it sees
 *					that the popper sleeps and wakes it; if the popper does, it has acquired what the
 *					pusher released and sees the entry. With a plain load on either side both can miss:
 *					the popper sleeps on a message. (No fences: the thread sanitizer cannot see them.)
 *
 * Each side keeps a private copy of the other's index and loads the shared one only when the copy says full or
 * empty, so that a line crosses between cores once per batch, not once per entry.
 */

#define SPSC_LINE 64

struct spsc {
	_Alignas(SPSC_LINE) _Atomic unsigned int tail;
	unsigned int head_seen;		/* pusher's */
	_Alignas(SPSC_LINE) _Atomic unsigned int head;
	unsigned int tail_seen;		/* popper's */
	_Alignas(SPSC_LINE) unsigned int mask;
	void *entry[];
};

/* @size: a power of two. NULL: no memory. Free with free(). */
static inline struct spsc *spsc_create(unsigned int size)
{
	size_t bytes = sizeof(struct spsc) + size * sizeof(void *);
	struct spsc *q = aligned_alloc(SPSC_LINE, (bytes + SPSC_LINE - 1) / SPSC_LINE * SPSC_LINE);

	if (!q)
		return NULL;
	atomic_init(&q->tail, 0);
	atomic_init(&q->head, 0);
	q->head_seen = 0;
	q->tail_seen = 0;
	q->mask = size - 1;
	return q;
}

static inline bool spsc_push(struct spsc *q, void *p)
{
	unsigned int tail = atomic_load_explicit(&q->tail, memory_order_relaxed);

	if (tail - q->head_seen > q->mask) {
		q->head_seen = atomic_load_explicit(&q->head, memory_order_acquire);	/* Q4 */
		if (tail - q->head_seen > q->mask)
			return false;
	}
	q->entry[tail & q->mask] = p;
	atomic_store_explicit(&q->tail, tail + 1, memory_order_release);	/* Q1 */
	return true;
}

static inline void *spsc_pop(struct spsc *q)
{
	unsigned int head = atomic_load_explicit(&q->head, memory_order_relaxed);
	void *p;

	if (head == q->tail_seen) {
		q->tail_seen = atomic_load_explicit(&q->tail, memory_order_acquire);	/* Q2 */
		if (head == q->tail_seen)
			return NULL;
	}
	p = q->entry[head & q->mask];
	atomic_store_explicit(&q->head, head + 1, memory_order_release);	/* Q3 */
	return p;
}

/* Popper: is there anything? Call after spsc_sleeping(). */
static inline bool spsc_empty(struct spsc *q)
{
	return atomic_load_explicit(&q->head, memory_order_relaxed) ==
	       atomic_load_explicit(&q->tail, memory_order_acquire);
}

/* Popper: say that it is about to sleep; look into every queue afterwards. */
static inline void spsc_sleeping(_Atomic bool *sleeping)
{
	atomic_exchange_explicit(sleeping, true, memory_order_acq_rel);	/* Q6 */
}

static inline void spsc_awake(_Atomic bool *sleeping)
{
	atomic_store_explicit(sleeping, false, memory_order_relaxed);
}

/* Pusher: after pushing, does the popper have to be woken? True for one pusher only. */
static inline bool spsc_must_wake(_Atomic bool *sleeping)
{
	return atomic_exchange_explicit(sleeping, false, memory_order_acq_rel);	/* Q5 */
}

#endif /* SLUICE_HANDLERS_SPSC_H */
