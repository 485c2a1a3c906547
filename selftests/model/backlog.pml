/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owns the model of a group's backlog: sections that place requests in a ring or, if it has no room,
 * in the backlog, and the transmit section that frees slots and feeds the ring from the backlog.
 *
 * Shown: whatever the order of steps, no request stays in the backlog while the ring has room and
 * nothing is under way that would move it. MUTANT_* as in ring.pml.
 */
#define REQUESTS 3
#define SLOTS 1
#define CPUS 3
#define TRANSMIT 2	/* processors 0 and 1 take requests in */

#define NBACKLOG 0
#define USED 1
#define RING_LOCK 2
#define GROUP_LOCK 3
#define WORDS 4

#include "machine.h"

/* Under the group's lock. */
byte nbacklog, backlog[REQUESTS];
/* Under the ring's lock. */
byte used;
/* Published and not yet answered. */
chan published = [REQUESTS] of { byte };

/* sluice_ring_offer() without waiting: @left is REQUESTS if the ring has taken it. */
inline offer(on, left)
{
	atomic {
		lock(on, RING_LOCK);
		if
		:: used < SLOTS ->
			used++;
			store(on, USED, used);
			published!left;
			left = REQUESTS
		:: else
		fi;
		unlock(on, RING_LOCK)
	}
}

/* sluice_backlog_feed() */
inline feed(on, r)
{
	do
	:: mem[NBACKLOG] != 0 && mem[USED] < SLOTS ->
		atomic {
			lock(on, GROUP_LOCK);
			if
			:: nbacklog != 0 ->
				nbacklog--;
				r = backlog[nbacklog];
				store(on, NBACKLOG, nbacklog)
			:: else -> r = REQUESTS
			fi;
			unlock(on, GROUP_LOCK)
		};
		if
		:: r == REQUESTS -> break
		:: else
		fi;
		offer(on, r);
		if
		:: r != REQUESTS ->
			put_back(on, r);
#ifdef MUTANT_LOOK_AFTER_PUTTING_BACK
			break
#endif
#ifndef MUTANT_B1_AFTER_PUTTING_BACK
			barrier(on)
#endif
		:: else
		fi
	:: else -> break
	od;
	r = REQUESTS
}

/* The order within the backlog does not matter here. */
inline put_back(on, r)
{
	atomic {
		lock(on, GROUP_LOCK);
		backlog[nbacklog] = r;
		nbacklog++;
		store(on, NBACKLOG, nbacklog);
		unlock(on, GROUP_LOCK)
	}
}

/* sluice_group_submit() of every second request. */
proctype ingress(byte on)
{
	byte next = on, r;

again:	r = next;
	if
	:: mem[NBACKLOG] == 0 && mem[USED] < SLOTS -> offer(on, r)
	:: else
	fi;
	if
	:: r != REQUESTS ->
		put_back(on, r);
#ifndef MUTANT_B1
		barrier(on);
#endif
#ifndef MUTANT_LOOK_AFTER_ADDING
		feed(on, r)
#endif
	:: else
	fi;
	r = REQUESTS;
	next = next + 2;
	if
	:: next < REQUESTS -> goto again
	:: else
	fi
}

proctype transmit()
{
	byte r;

end:	do
	:: published?r ->
		end_request(r);
		atomic {
			lock(TRANSMIT, RING_LOCK);
			used--;
			store(TRANSMIT, USED, used);
			unlock(TRANSMIT, RING_LOCK)
		};
#ifndef MUTANT_B2
		barrier(TRANSMIT);
#endif
#ifndef MUTANT_FEED
		feed(TRANSMIT, r)
#endif
	od
}

active proctype monitor()
{
	byte r;

	atomic {
		run drain(0);
		run drain(1);
		run drain(2);
		run ingress(0);
		run ingress(1);
		run transmit()
	};
	timeout;
	do
	:: r < REQUESTS -> assert(ended[r] == 1); r++
	:: else -> break
	od
}
