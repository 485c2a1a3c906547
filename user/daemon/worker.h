/* SPDX-License-Identifier: GPL-2.0-only */
/* A worker: the thread that serves one ring of a group, and what the main thread may ask of it. */
#ifndef SLUICED_WORKER_H
#define SLUICED_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "conf.h"
#include "lib/spin.h"
#include "nap.h"

/* Orders, set by the main thread and cleared by the one named. */
#define ORDER_DRAIN	(1u << 0)	/* main: no ring any more: serve out what it has, close it, open none */
#define ORDER_PAUSE	(1u << 1)	/* main: take no requests, answer those taken */
#define ORDER_PARK	(1u << 2)	/* main: and then stop altogether */
#define ORDER_END	(1u << 3)	/* main: leave, from the park or with nothing left to do */
#define ORDER_ABANDON	(1u << 4)	/* main: leave at once, whatever is unanswered */
#define ORDER_NEXT	(1u << 5)	/* worker: when the ring is drained, go on with @next */
#define ORDER_STATS	(1u << 6)	/* worker: write statistics to the log */
#define ORDER_PIN	(1u << 7)	/* worker: run on @cpu */

#define WORKER_TICK_MS	100		/* it beats about that often */
#define WORKER_TICK_NS	(WORKER_TICK_MS * 1000000ULL)

/* Where a worker is, written by it. */
enum worker_status {
	WORKER_SERVING,
	WORKER_QUIET,		/* paused, and the handler holds nothing */
	WORKER_PARKED,
	WORKER_DRAINED,		/* no ring, and the handler holds nothing; other workers may still need it */
	WORKER_ENDED,
};

/**
 * struct worker - one worker
 * @index: in its group
 * @handler, @state: what serves; changed only while it is parked
 * @config: of the ring, for opening it again; its group's name is the worker's own copy; changed with @next only
 * @ring_lock: held while @ring changes, for the main thread drains or wakes a ring that the worker may be closing
 * @ring: NULL while there is none
 * @next: see ORDER_NEXT
 * @cpu: to be pinned to; -1: to none
 * @spin_us: looks for requests that long before it sleeps; UINT32_MAX: never sleeps
 * @beats: counts up about ten times a second
 * @event: eventfd that tells of an order; @done: eventfd that tells the main thread of a new @status
 */
struct worker {
	pthread_t thread;
	bool running;
	unsigned int index;
	char group[32];
	const struct sluice_handler *handler;
	void *state;
	struct sluice_ring_config config;
	pthread_mutex_t ring_lock;
	struct sluice_ring *ring;
	struct sluice_ring *next;
	struct sluice_ring_config next_config;
	_Atomic int cpu;
	_Atomic uint32_t spin_us;
	_Atomic unsigned int orders;
	_Atomic unsigned int status;
	_Atomic unsigned int beats;
	unsigned int beats_seen;	/* main thread's */
	int event;
	int done;

	/* The worker's own. */
	struct sluice_ring *dead;	/* gone from the network, but requests in it are still being worked on */
	uint64_t idle_since;
	bool spinning;
	bool ticked;			/* it may be time for a tick: look at the clock */
	bool woken;			/* the ring ended its sleep, and no turn has found anything since */
	struct spin spin;
	uint64_t next_tick;
	struct nap nap;
	uint64_t retry_at;
	uint64_t retry_ns;
	unsigned int turns;
	int last_error;
	uint64_t reopened;
	uint64_t sleeps;
	struct sluice_ring_stats past;	/* of rings closed before */
};

/* Made, and later started, parked: handler, state and ring are given to it before the park is lifted. */
int worker_create(struct worker **w, const struct conf_group *g, unsigned int index, int cpu, int done);
/* Open a ring for it, not yet attached. */
int worker_open(struct sluice_ring **ring, const struct conf_group *g, struct conf_error *err);
int worker_start(struct worker *w);
void worker_order(struct worker *w, unsigned int orders);
void worker_lift(struct worker *w, unsigned int orders);
/* Take no more requests; the worker then serves out its ring and closes it. */
void worker_drain(struct worker *w);
/* Join the thread, which was told to end, and free everything. False: it does not end. */
bool worker_destroy(struct worker *w, unsigned int wait_ms);

static inline enum worker_status worker_status(struct worker *w)
{
	return atomic_load_explicit(&w->status, memory_order_acquire);
}

#endif /* SLUICED_WORKER_H */
