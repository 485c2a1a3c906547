/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Index arithmetic and every memory barrier of the mapped rings, for the kernel's side and the
 * library's.
 */
#ifndef SLUICE_CORE_RING_H
#define SLUICE_CORE_RING_H

#include "port.h"

/* clang-format off */
/*
 * Two queues of free-running u32 indices over power-of-two arrays:
 *
 *   request queue    kernel stores tail     consumer keeps head; its copy in the user page is
 *                                           advisory
 *   response queue   consumer stores tail   kernel stores head
 *
 * The labelled pairs. A store-release orders all earlier accesses before the index; a load-acquire
 * orders all later accesses after it; a full barrier also orders a store before a later load.
 *
 *   pair                                  what breaks without either
 *   R1 release req_tail                   The consumer reads a slot's header, payload or queue
 *   R2 acquire req_tail                   entry before the kernel wrote it: foreign bytes.
 *
 *   S1 release resp_tail                  The kernel sends a reply, or reads a response entry, that
 *   S2 acquire resp_tail                  is not yet written; or overwrites a freed slot while the
 *                                         consumer still reads it.
 *
 *   H1 release resp_head                  The consumer overwrites a response entry or a reply slot
 *   H2 acquire resp_head                  that the kernel still reads.
 *
 *   W1 full between req_tail, need_wakeup The kernel misses that the consumer goes to sleep while
 *      and woken                          the consumer misses the request: sleeps on a full queue.
 *   W2 full between need_wakeup, req_tail
 *   W3 full between woken, req_tail       The same in poll, which finds the request that it was
 *                                         woken for taken already, and sleeps on with its ticket.
 *
 *   K1 full between NEED_KICK, resp_tail  The kernel's thread sleeps while the consumer believes
 *   K2 full between resp_tail, state      that it polls: the answers stay.
 *
 *   P1 release flag                       A call that races with the ring's set-up sees members
 *   P2 acquire flag                       that are not yet written; the owner of an adopted socket
 *                                         an older message's end.
 *
 *   B1 full between backlog, room         Both sides are the kernel's. A request stays in the
 *   B2 full between room, backlog         backlog although a ring is idle: who put it there saw
 *                                         no room, who made room saw no backlog.
 *
 *   C1 full between paused list, room     Both sides are the kernel's. A connection waits although
 *   C2 full between room, paused list     there is room: as B1 and B2.
 *
 *   E1 full between tx_seq and out,       Both sides are the kernel's. A reader waits for a request
 *      attention and DIRTY                that has ended, or a reply stays: who ended the request
 *   E2 full between attention or DIRTY,   saw nobody wait or a flush to come, and the reader or the
 *      tx_seq or out                      flush saw no end.
 *
 * selftests/model has each pair as a litmus test, and the protocols that they make up.
 */

/* Each barrier has a number so that a native test can weaken it and must then fail. */
#ifndef SLUICE_WEAKEN
#define SLUICE_WEAKEN 0
#endif
#define SLUICE_BARRIER_R1 1
#define SLUICE_BARRIER_R2 2
#define SLUICE_BARRIER_S1 3
#define SLUICE_BARRIER_S2 4
#define SLUICE_BARRIER_H1 5
#define SLUICE_BARRIER_H2 6
#define SLUICE_BARRIER_W1 7
#define SLUICE_BARRIER_W2 8
#define SLUICE_BARRIER_K1 9
#define SLUICE_BARRIER_K2 10
#define SLUICE_BARRIER_P1 11
#define SLUICE_BARRIER_P2 12
#define SLUICE_BARRIER_B1 13
#define SLUICE_BARRIER_B2 14
#define SLUICE_BARRIER_C1 15
#define SLUICE_BARRIER_C2 16
#define SLUICE_BARRIER_E1 17
#define SLUICE_BARRIER_E2 18
#define SLUICE_BARRIER_W3 19

#define sluice_release(label, p, v) do {					\
	if (SLUICE_WEAKEN == SLUICE_BARRIER_##label)				\
		WRITE_ONCE(*(p), (v));						\
	else									\
		smp_store_release((p), (v));					\
} while (0)

#define sluice_acquire(label, p)						\
	(SLUICE_WEAKEN == SLUICE_BARRIER_##label ? READ_ONCE(*(p)) : smp_load_acquire(p))

#define sluice_full(label) do {							\
	if (SLUICE_WEAKEN != SLUICE_BARRIER_##label)				\
		smp_mb();							\
} while (0)
/* clang-format on */

/* ---- request queue, kernel's side: one producer at a time (the ring's lock) ---- */

/**
 * sluice_rq_push() - append a slot index to a request queue
 * @entries: the queue's array
 * @mask: its entries less one
 * @shared: the tail in the kernel page
 * @tail: the kernel's own copy of the tail
 * @slot: index of a slot whose header and payload are complete
 *
 * Cannot overflow: the queue has as many entries as the ring has slots, and @slot is in no queue.
 */
static inline void sluice_rq_push(u32 *entries, u32 mask, u32 *shared, u32 *tail, u32 slot)
{
	WRITE_ONCE(entries[*tail & mask], slot);
	(*tail)++;
	sluice_release(R1, shared, *tail);	/* R1 */
}

/**
 * sluice_rq_wake_ticket() - after publishing: the ticket of a consumer that says it sleeps
 * @need_wakeup: in the user page
 *
 * Return: 0 if the consumer is awake. Otherwise its ticket, a value it changes each time it goes to
 * sleep, so that one sleep is woken once however many requests follow: see sluice_rq_wake_spent().
 */
static inline u32 sluice_rq_wake_ticket(const u32 *need_wakeup)
{
	sluice_full(W1);			/* W1 */
	return READ_ONCE(*need_wakeup);
}

/**
 * sluice_rq_wake_spent() - in poll, on the queue of those who wait, before the look at the tails
 * @woken: the ticket that was woken last
 *
 * A wake-up may come late, for a request that the consumer found by itself before it went to sleep:
 * it is lost if the consumer does not wait yet, and if it does it finds nothing. The next request
 * has to wake it all the same.
 */
static inline void sluice_rq_wake_spent(u32 *woken)
{
	WRITE_ONCE(*woken, 0);
	sluice_full(W3);			/* W3 */
}

/* ---- request queue, consumer's side ---- */

/**
 * sluice_rq_ready() - how many requests wait
 * @shared: the tail in the kernel page
 * @head: the consumer's head
 */
static inline u32 sluice_rq_ready(const u32 *shared, u32 head)
{
	return sluice_acquire(R2, shared) - head;	/* R2 */
}

/**
 * sluice_rq_sleep_begin() - say that the consumer is about to sleep; the caller must look at all
 * tails once more
 * @need_wakeup: in the user page
 * @ticket: the consumer's ticket, counted up here and never 0
 */
static inline void sluice_rq_sleep_begin(u32 *need_wakeup, u32 *ticket)
{
	if (!++*ticket)
		++*ticket;
	WRITE_ONCE(*need_wakeup, *ticket);
	sluice_full(W2);			/* W2 */
}

static inline void sluice_rq_sleep_end(u32 *need_wakeup)
{
	WRITE_ONCE(*need_wakeup, 0);
}

/* ---- response queue, consumer's side ---- */

/**
 * sluice_resp_space() - free entries in the response queue
 * @shared_head: the kernel's head
 * @tail: the consumer's tail
 * @entries: size of the queue
 *
 * What the kernel's head has passed (entries and the reply slots they named) may be written again.
 */
static inline u32 sluice_resp_space(const u32 *shared_head, u32 tail, u32 entries)
{
	return entries - (tail - sluice_acquire(H2, shared_head));	/* H2 */
}

/* Hand all entries below @tail to the kernel. */
static inline void sluice_resp_publish(u32 *shared_tail, u32 tail)
{
	sluice_release(S1, shared_tail, tail);	/* S1 */
}

/* After sluice_resp_publish(): the kernel's state bits, to see whether it wants a kick. */
static inline u32 sluice_resp_state(const u32 *state)
{
	sluice_full(K2);			/* K2 */
	return READ_ONCE(*state);
}

/* ---- response queue, kernel's side: one reader at a time (the ring's transmit lock) ---- */

/**
 * sluice_resp_ready() - load and check the consumer's tail
 * @shared_tail: in the user page; hostile
 * @head: the kernel's head
 * @entries: size of the queue
 * @n: set to the number of entries to take
 *
 * Return: false if the tail is impossible; nothing may be taken then.
 */
static inline bool sluice_resp_ready(const u32 *shared_tail, u32 head, u32 entries, u32 *n)
{
	*n = sluice_acquire(S2, shared_tail) - head;	/* S2 */
	return *n <= entries;
}

/* Give the entries below @head back to the consumer. */
static inline void sluice_resp_release(u32 *shared_head, u32 head)
{
	sluice_release(H1, shared_head, head);	/* H1 */
}

/* Set state bits (NEED_KICK) and order them before the caller's last look at the tail. */
static inline void sluice_state_ask_kick(u32 *state, u32 bits)
{
	WRITE_ONCE(*state, bits);
	sluice_full(K1);			/* K1 */
}

/* ---- the backlog of a group; both sides are the kernel's ---- */

/* After a request was put into the backlog, before the look for a ring with room. */
static inline void sluice_backlog_raised(void)
{
	sluice_full(B1);			/* B1 */
}

/* After slots were freed, before the look at the backlog's length. */
static inline void sluice_room_made(void)
{
	sluice_full(B2);			/* B2 */
}

/* ---- connections; both sides are the kernel's ---- */

/* After a connection was put on the list of those that wait, before its last look for room. */
static inline void sluice_conn_waits(void)
{
	sluice_full(C1);			/* C1 */
}

/* After room was made, before the look at the list. */
static inline void sluice_conn_room(void)
{
	sluice_full(C2);			/* C2 */
}

/* After a request has ended, before the look at who wants to know. */
static inline void sluice_conn_ended(void)
{
	sluice_full(E1);			/* E1 */
}

/* After a reader asked to be told, or a flush began, before the look at what has ended. */
static inline void sluice_conn_asked(void)
{
	sluice_full(E2);			/* E2 */
}

/* ---- a flag that is set after what it stands for was written ---- */

static inline void sluice_flag_set(u32 *flag)
{
	sluice_release(P1, flag, 1);		/* P1 */
}

/* Whether what the flag stands for may be read. */
static inline bool sluice_flag_test(const u32 *flag)
{
	return sluice_acquire(P2, flag);	/* P2 */
}

#endif /* SLUICE_CORE_RING_H */
