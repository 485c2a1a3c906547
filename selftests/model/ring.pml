/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owns the model of one ring: requests until the ring is full, responses, sleep and wake of the
 * consumer, sleep and kick of the kernel's thread, orderly close, crash.
 *
 * Shown: whatever the order of steps, each request ends exactly once, and nobody sleeps while there
 * is work for it. A define MUTANT_* leaves one step out; each must be refuted (see check-model).
 */
#define REQUESTS 2
#ifndef SLOTS
#define SLOTS 1		/* 1: requests wait for a slot, the consumer may go away; 2: responses wait for room */
#endif
#define RESPONSES 1	/* entries of the response queue */
#define CPUS 3
#define INGRESS 0
#define THREAD 1
#define CONSUMER 2

#define REQ_TAIL 0
#define NEED_WAKEUP 1
#define RESP_TAIL 2
#define RESP_HEAD 3
#define NEED_KICK 4
#define RING_LOCK 5
#define TX_LOCK 6
#define WOKEN 7
#define WORDS 8

#include "machine.h"

#define FREE 0
#define RESERVED 1
#define PUBLISHED 2

/* Under the ring's lock. */
byte slot_state[SLOTS], slot_request[SLOTS], queue[REQUESTS + 1];
byte req_tail, waiting_first, waiting_end, waiting[REQUESTS];
bool closed;
/* Under the transmit lock. */
byte resp_head;
bool detached;
/* Plain memory of the consumer and the kernel: ordered by release and acquire. */
byte response[RESPONSES];
/* RCU and events. */
byte sections;
bool registered, queued, wake, kick, stop;

byte manner;	/* of the consumer's end */
#define LIVES 0
#define CLOSES 1
#define CRASHES 2

inline publish(on, slot)
{
	atomic {
		lock(on, RING_LOCK);
		slot_state[slot] = PUBLISHED;
		queue[req_tail] = slot;
		req_tail++;
		store(on, REQ_TAIL, req_tail);
		unlock(on, RING_LOCK)
	};
#ifndef MUTANT_W1
	barrier(on);
#endif
	if
	:: mem[NEED_WAKEUP] != 0 && mem[NEED_WAKEUP] != mem[WOKEN] ->
#ifndef MUTANT_WAKE
		store(on, WOKEN, mem[NEED_WAKEUP]);
		/* under the lock of the queue; who is not on it hears nothing */
		atomic { barrier(on); wake = wake || queued }
#else
		skip
#endif
	:: else
	fi
}

/* The lowest free slot in @slot, or SLOTS. */
inline reserve(slot)
{
	slot = 0;
	do
	:: slot < SLOTS && slot_state[slot] != FREE -> slot++
	:: else -> break
	od;
	if
	:: slot < SLOTS -> slot_state[slot] = RESERVED
	:: else
	fi
}

/* What waits for this ring gets the slots that are free. */
inline pull(on, slot)
{
	do
	:: atomic {
		lock(on, RING_LOCK);
		if
		:: waiting_first != waiting_end && !closed -> reserve(slot)
		:: else -> slot = SLOTS
		fi;
		if
		:: slot < SLOTS ->
			slot_request[slot] = waiting[waiting_first];
			waiting_first++
		:: else
		fi;
		unlock(on, RING_LOCK)
	   };
	   if
	   :: slot < SLOTS -> publish(on, slot)
	   :: else -> break
	   fi
	od
}

/* Take all responses; the transmit lock is held. */
inline take_responses(on, slot)
{
	do
	:: detached -> break
	:: !detached && mem[RESP_TAIL] != resp_head ->
		atomic {
			sections++;
			lock(on, RING_LOCK);
			slot = response[resp_head % RESPONSES];
			assert(slot_state[slot] == PUBLISHED);
			end_request(slot_request[slot]);
			slot_state[slot] = FREE;
			unlock(on, RING_LOCK);
			resp_head++;
			mem[RESP_HEAD] = resp_head
		};
#ifndef MUTANT_PULL
		pull(on, slot);
#endif
		sections--
	:: else -> break
	od
}

proctype ingress()
{
	byte r, slot;

	do
	:: r < REQUESTS ->
		sections++;
		atomic {
			lock(INGRESS, RING_LOCK);
			slot = SLOTS;
			if
			:: closed -> end_request(r)
			:: !closed && waiting_first == waiting_end -> reserve(slot)
			:: else
			fi;
			if
			:: slot < SLOTS -> slot_request[slot] = r
			:: slot == SLOTS && !closed -> waiting[waiting_end] = r; waiting_end++
			:: else
			fi;
			unlock(INGRESS, RING_LOCK)
		};
		if
		:: slot < SLOTS -> publish(INGRESS, slot)
		:: else
		fi;
		atomic { sections--; slot = 0; r++ }
	:: else -> break
	od
}

/* The ring's thread; it polls for no time at all before it asks for a kick. */
proctype thread()
{
	byte slot;

	do
	:: stop -> break
	:: !stop && mem[RESP_TAIL] != resp_head && !detached ->
		lock(THREAD, TX_LOCK);
		take_responses(THREAD, slot);
		mutex_unlock(THREAD, TX_LOCK);
		slot = 0
	:: else ->
		store(THREAD, NEED_KICK, 1);
#ifndef MUTANT_K1
		barrier(THREAD);
#endif
		if
#ifndef MUTANT_LOOK_BEFORE_KICK
		:: mem[RESP_TAIL] != resp_head && !detached -> skip
#endif
		:: else ->
end_idle:	kick || stop;
		kick = false
		fi;
		store(THREAD, NEED_KICK, 0)
	od
}

inline kick_now()
{
	lock(CONSUMER, TX_LOCK);
	take_responses(CONSUMER, other);
	mutex_unlock(CONSUMER, TX_LOCK);
	other = 0;
	/* kicks that come fast wake the thread, others do not */
	if
	:: kick = true
	:: skip
	fi
}

inline flush()
{
	if
	:: tail != published ->
		published = tail;
		store(CONSUMER, RESP_TAIL, tail);
#ifndef MUTANT_K2
		barrier(CONSUMER);
#endif
		if
#ifndef MUTANT_KICK
		:: mem[NEED_KICK] == 1 -> kick_now()
#endif
		:: else
		fi
	:: else
	fi
}

#define MAY_CRASH if :: manner == CRASHES -> goto leave :: skip fi

proctype consumer()
{
	byte head, tail, published, ticket, slot, other;

work:	do
	:: mem[REQ_TAIL] != head ->
		slot = queue[head];
		assert(slot_state[slot] == PUBLISHED);
		head++;
		MAY_CRASH;
		/* room for the response, or hand over what is written and wait for it */
		if
		:: tail - mem[RESP_HEAD] == RESPONSES ->
			flush();
			tail - mem[RESP_HEAD] < RESPONSES
		:: else
		fi;
		response[tail % RESPONSES] = slot;
		slot = 0;
		tail++;
		MAY_CRASH;
		if
		:: flush()
		:: skip
		fi
	:: else -> break
	od;
	flush();
	if
	:: manner == CLOSES -> goto leave
	:: manner == CRASHES -> goto leave
	:: skip
	fi;
	ticket++;
	store(CONSUMER, NEED_WAKEUP, ticket);
#ifndef MUTANT_W2
	barrier(CONSUMER);
#endif
	if
#ifndef MUTANT_LOOK_BEFORE_SLEEP
	:: mem[REQ_TAIL] != head -> skip
#endif
	:: else ->
		/*
		 * In poll whoever is woken looks again, and sleeps on if there is nothing. So in epoll,
		 * where the ring stays on the list of those to be looked at, but there not before
		 * the sleep.
		 */
		if
		:: registered -> goto asleep
		:: else -> atomic { barrier(CONSUMER); queued = true }
		fi;
look:
#ifndef MUTANT_SPENT
		store(CONSUMER, WOKEN, 0);
#endif
#ifndef MUTANT_W3
		barrier(CONSUMER);
#endif
		if
		:: mem[REQ_TAIL] != head -> skip
		:: else ->
asleep:
end_asleep:		atomic { wake -> wake = false };
			goto look
		fi;
		if
		:: registered
		:: else -> atomic { queued = false; wake = false }
		fi
	fi;
	store(CONSUMER, NEED_WAKEUP, 0);
	goto work;

leave:	/* the file is closed, orderly or by exit: sluice_ring_detach() */
	barrier(CONSUMER);
#ifndef MUTANT_CLOSED
	atomic { lock(CONSUMER, RING_LOCK); closed = true; unlock(CONSUMER, RING_LOCK) };
#endif
#ifndef MUTANT_GRACE
	sections == 0;
#endif
	atomic {
		lock(CONSUMER, RING_LOCK);
		do
		:: waiting_first != waiting_end ->
			end_request(waiting[waiting_first]);
			waiting_first++
		:: else -> break
		od;
		unlock(CONSUMER, RING_LOCK)
	};
	lock(CONSUMER, TX_LOCK);
	take_responses(CONSUMER, other);
	detached = true;
	mutex_unlock(CONSUMER, TX_LOCK);
	slot = 0;
	do
	:: slot < SLOTS ->
		atomic {
			lock(CONSUMER, RING_LOCK);
			if
			:: slot_state[slot] == PUBLISHED ->
				end_request(slot_request[slot]);
				slot_state[slot] = FREE
			:: else
			fi;
			unlock(CONSUMER, RING_LOCK);
			slot++
		}
	:: else -> break
	od;
	stop = true
}

active proctype monitor()
{
	byte r;

	atomic {
		if
		:: manner = LIVES
#if SLOTS == 1
		:: manner = CLOSES
		:: manner = CRASHES
#endif
		fi;
		if
		:: registered = true; queued = true
		:: skip
		fi;
		run drain(INGRESS);
		run drain(THREAD);
		run drain(CONSUMER);
		run ingress();
		run thread();
		run consumer()
	};
	/* Nothing can go on: then nothing may be left to do. */
	timeout;
	do
	:: r < REQUESTS -> assert(ended[r] == 1); r++
	:: else -> break
	od
}
