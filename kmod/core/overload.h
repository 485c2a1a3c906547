/* SPDX-License-Identifier: GPL-2.0-only */
/* The backlog's discipline: who waits, who is served next, and who is refused. */
#ifndef SLUICE_CORE_OVERLOAD_H
#define SLUICE_CORE_OVERLOAD_H

#include "port.h"

/*
 * A queue holds waiters: requests that the kernel still owns. Each belongs to a class and a
 * priority; the two together are a lane. In a lane, requests of one source form a flow, and flows
 * take turns, so one client cannot take the queue. The state is bounded: a table of flows, shared
 * by sources when it runs out.
 *
 * Overload is a standing queue: within a whole interval the longest wait of the class was never
 * below its delay target. While that lasts, what waited more than twice the target is refused. From
 * the moment on that something waited as long, the rest is served last in, first out: those who
 * came last have the best chance that somebody still waits for the answer.
 *
 * Every operation costs a bounded number of steps, whatever waits. The caller locks, passes the
 * time, and owns the waiters' memory.
 */
#define SLUICE_QUEUE_CLASSES 16
#define SLUICE_QUEUE_PRIOS   4
#define SLUICE_QUEUE_LANES   (SLUICE_QUEUE_CLASSES * SLUICE_QUEUE_PRIOS)
#define SLUICE_QUEUE_ALL     0xffffU /* all classes */

struct sluice_flow {
	struct list_head turn;	  /* in its lane's round, while it holds waiters */
	struct list_head waiters; /* by time of entry */
	u32 source;
	u32 n;
	u8 lane;
};

/* In each request. */
struct sluice_waiter {
	struct list_head in_flow;
	struct list_head in_class;
	struct sluice_flow *flow; /* NULL: it waits nowhere */
	u64 since;		  /* time of entry, ns */
	u32 source;		  /* hash of where it came from */
	u8 class_id;
	u8 prio;
};

/* What an administrator may say of a class; 0 everywhere is the default. */
struct sluice_policy {
	u64 target;   /* ns of waiting that may become a habit; 0: derived */
	u64 interval; /* ns in which it counts as a habit; 0: derived */
	u32 cap;      /* rings that may serve the class at once; 0: all */
	u8 shed;      /* under overload, classes of a higher number are refused first */
	bool fifo;    /* first in, first out under overload too */
};

/* The same with every default filled in. */
struct sluice_limits {
	u64 target;
	u64 interval;
	u8 shed;
	u8 order;  /* of classes while there is no overload, lowest first */
	bool lifo; /* under overload */
};

struct sluice_class_queue {
	struct list_head by_age; /* all its waiters by time of entry */
	struct sluice_flow *fat; /* about the longest flow; NULL: unknown */
	u32 n;
	u64 least; /* longest wait: its least value in this interval */
	u64 until; /* end of the interval; 0: none began */
};

struct sluice_queue {
	u32 n;
	u16 overloaded; /* bit per class */
	u16 late;	/* bit per class: something waited over twice the target just now */
	u8 served;	/* class that was served last */
	u64 busy;	/* bit per lane that holds waiters */
	u64 resumed;	/* waiting before this time is nobody's fault here */
	u32 mask;	/* flows of the table less one; behind them one flow per lane */
	struct sluice_flow *flow;
	struct list_head round[SLUICE_QUEUE_LANES];
	struct sluice_class_queue class_queue[SLUICE_QUEUE_CLASSES];
};

int sluice_queue_init(struct sluice_queue *q, u32 flows);
void sluice_queue_fini(struct sluice_queue *q);
void sluice_limits_set(struct sluice_limits *l, const struct sluice_policy *p, u64 service);
bool sluice_queue_judge(struct sluice_queue *q, u32 class_id, const struct sluice_limits *l,
			u64 now);
void sluice_queue_push(struct sluice_queue *q, struct sluice_waiter *w,
		       const struct sluice_limits *limits, u64 now);
void sluice_queue_unpop(struct sluice_queue *q, struct sluice_waiter *w);
struct sluice_waiter *sluice_queue_pop(struct sluice_queue *q, const struct sluice_limits *limits,
				       u32 classes);
struct sluice_waiter *sluice_queue_overdue(struct sluice_queue *q,
					   const struct sluice_limits *limits, u64 now);
struct sluice_waiter *sluice_queue_evict(struct sluice_queue *q, const struct sluice_limits *limits,
					 const struct sluice_waiter *arrival);
void sluice_queue_remove(struct sluice_queue *q, struct sluice_waiter *w);

/* A waiter that no queue holds. */
static inline void sluice_waiter_init(struct sluice_waiter *w, u32 class_id, u32 prio, u32 source)
{
	w->flow = NULL;
	w->class_id = class_id;
	w->prio = prio;
	w->source = source;
}

static inline bool sluice_waiter_waits(const struct sluice_waiter *w)
{
	return w->flow;
}

#endif /* SLUICE_CORE_OVERLOAD_H */
