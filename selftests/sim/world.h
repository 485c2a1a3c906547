/* SPDX-License-Identifier: GPL-2.0-only */
/* Owns the inside of a running simulation: its requests, events, and the parts that act on them. */
#ifndef SLUICE_SIM_WORLD_H
#define SLUICE_SIM_WORLD_H

#include "sim.h"

/* One attempt of a client. */
struct attempt {
	struct sluice_waiter wait;
	struct attempt *next; /* in a ring, in a plain queue, or unused */
	u64 sent;
	u32 service;
	u32 index;
	u32 generation;
	u16 source;
	u8 class_id;
	u8 number; /* 0: the first */
	bool client_waits;
	bool in_server;
};

struct fifo {
	struct attempt *head, **tail;
	u32 n;
};

enum event_kind {
	EVENT_ARRIVE,
	EVENT_RETRY,
	EVENT_DONE,
	EVENT_COLLECT,
	EVENT_TICK
};

struct event {
	u64 at;
	u32 kind;
	u32 arg;
};

/* Constant timeouts expire in the order in which they were set. */
struct timeout {
	u64 at;
	u32 index;
	u32 generation;
};

struct worker {
	struct fifo ring; /* published; the head is being served */
	struct fifo answered;
	struct sluice_window window;
	struct sluice_queue queue; /* what is bound to it */
	u64 work;
	u64 idle_since;
	u32 used; /* published and not yet collected */
	u32 in_hand[SIM_CLASSES];
	bool collecting;
};

struct world {
	const struct sim_conf *c;
	struct sim_result *r;
	struct sim_random random;
	u64 now;
	double next_arrival;
	u32 phase;

	struct event *heap;
	u32 nheap, heap_room;
	struct timeout *timeouts; /* a circle */
	u32 timeout_head, ntimeouts, timeout_room;

	struct attempt **chunk;
	u32 nchunks;
	struct attempt *unused;

	/* kernel */
	struct worker worker[SIM_WORKERS_MAX];
	struct sluice_queue queue;
	struct fifo plain;
	u32 waiting;
	u32 rr;
	struct sluice_limits limits[SLUICE_QUEUE_CLASSES];
	struct sluice_demand demand[SIM_CLASSES];
	u32 class_rings[SIM_CLASSES];

	struct sim_hist bin_latency;
	u32 bin;
	bool failed; /* out of memory */
};

/* events.c */
void event_add(struct world *w, u64 at, enum event_kind kind, u32 arg);
bool event_next(struct world *w, struct event *e);
void timeout_add(struct world *w, const struct attempt *a);
struct attempt *timeout_next(struct world *w, u64 until);
struct attempt *attempt_get(struct world *w);
void attempt_put(struct world *w, struct attempt *a);
void fifo_init(struct fifo *f);
void fifo_push(struct fifo *f, struct attempt *a);
struct attempt *fifo_pop(struct fifo *f);

/* kernel.c */
int kernel_init(struct world *w);
void kernel_fini(struct world *w);
void kernel_arrive(struct world *w, struct attempt *a);
void kernel_done(struct world *w, u32 worker);
void kernel_collect(struct world *w, u32 worker);
void kernel_tick(struct world *w);

/* client.c */
void client_send(struct world *w, u32 class_id, u32 source, u32 number);
void client_arrivals(struct world *w);
void client_retry(struct world *w, u32 arg);
void client_answered(struct world *w, struct attempt *a);
void client_refused(struct world *w, struct attempt *a);
void client_lost(struct world *w, struct attempt *a);
void client_timeouts(struct world *w);

#endif /* SLUICE_SIM_WORLD_H */
