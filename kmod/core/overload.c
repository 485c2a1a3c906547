// SPDX-License-Identifier: GPL-2.0-only
/* The backlog's queue: lanes, flows of sources, overload, who is served and who is refused. */
#include "overload.h"

#define PROBES		 4
#define TARGET_AUTO	 50000000ULL   /* ns; the least target that is derived */
#define TARGET_SERVICES	 64	       /* service times in a derived target */
#define TARGET_MAX	 1000000000ULL /* the largest that is derived */
#define INTERVAL_TARGETS 10
#define INTERVAL_MIN	 500000ULL

/* One bit of each of the four priorities, for a class. */
#define PRIOS_OF_CLASS 0x0001000100010001ULL

static u32 lane_of(const struct sluice_waiter *w)
{
	return w->prio * SLUICE_QUEUE_CLASSES + w->class_id;
}

static u32 lane_class(u32 lane)
{
	return lane % SLUICE_QUEUE_CLASSES;
}

static u32 first_bit(u64 bits)
{
	return __builtin_ctzll(bits);
}

/**
 * sluice_queue_init() - an empty queue
 * @q: zeroed or uninitialised
 * @flows: sources that are told apart, a power of two from 4 on
 *
 * Context: may sleep. Return: 0, -EINVAL or -ENOMEM.
 */
int sluice_queue_init(struct sluice_queue *q, u32 flows)
{
	u32 i;

	memset(q, 0, sizeof(*q));
	if (flows < PROBES || flows & (flows - 1))
		return -EINVAL;
	q->flow = sluice_port_alloc(flows + SLUICE_QUEUE_LANES, sizeof(*q->flow));
	if (!q->flow)
		return -ENOMEM;
	q->mask = flows - 1;
	for (i = 0; i < flows + SLUICE_QUEUE_LANES; i++)
		INIT_LIST_HEAD(&q->flow[i].waiters);
	for (i = 0; i < SLUICE_QUEUE_LANES; i++)
		INIT_LIST_HEAD(&q->round[i]);
	for (i = 0; i < SLUICE_QUEUE_CLASSES; i++)
		INIT_LIST_HEAD(&q->class_queue[i].by_age);
	return 0;
}

/* Waiters that it still holds are forgotten. */
void sluice_queue_fini(struct sluice_queue *q)
{
	sluice_port_free(q->flow);
	memset(q, 0, sizeof(*q));
}

/**
 * sluice_limits_set() - fill in what a policy leaves open
 * @l: limits; the order is left alone
 * @p: policy
 * @service: the class's mean service time, ns; 0: not known yet
 */
void sluice_limits_set(struct sluice_limits *l, const struct sluice_policy *p, u64 service)
{
	u64 target = p->target;

	if (!target) {
		target = service < TARGET_MAX / TARGET_SERVICES ? service * TARGET_SERVICES :
								  TARGET_MAX;
		if (target < TARGET_AUTO)
			target = TARGET_AUTO;
	}
	l->target = target;
	l->interval = p->interval ? p->interval : target * INTERVAL_TARGETS;
	if (!p->interval && l->interval < INTERVAL_MIN)
		l->interval = INTERVAL_MIN;
	l->shed = p->shed;
	l->lifo = !p->fifo;
}

static bool overloaded(const struct sluice_queue *q, u32 class_id)
{
	return q->overloaded & (1U << class_id);
}

/* The last in is to be the first out. */
static bool newest_first(const struct sluice_queue *q, const struct sluice_limits *limits,
			 u32 class_id)
{
	return limits[class_id].lifo && (q->overloaded | q->late) & (1U << class_id);
}

/* How long @w has waited here. */
static u64 waited(const struct sluice_queue *q, const struct sluice_waiter *w, u64 now)
{
	u64 since = w->since > q->resumed ? w->since : q->resumed;

	return now > since ? now - since : 0;
}

static u64 longest_wait(const struct sluice_queue *q, u32 class_id, u64 now)
{
	const struct sluice_class_queue *k = &q->class_queue[class_id];

	if (!k->n)
		return 0;
	return waited(q, list_first_entry(&k->by_age, struct sluice_waiter, in_class), now);
}

/**
 * sluice_queue_judge() - look at a class's longest wait; at the end of an interval, call it
 * overloaded or not
 * @q: queue
 * @class_id: class
 * @l: its limits
 * @now: ns
 *
 * To be called whenever something is taken or added, and now and then when nothing is.
 * Return: true if the verdict changed.
 */
bool sluice_queue_judge(struct sluice_queue *q, u32 class_id, const struct sluice_limits *l,
			u64 now)
{
	struct sluice_class_queue *k = &q->class_queue[class_id];
	u64 wait = longest_wait(q, class_id, now);
	bool was = overloaded(q, class_id), is;

	if (wait > 2 * l->target)
		q->late |= 1U << class_id;
	else
		q->late &= ~(1U << class_id);
	if (wait < k->least)
		k->least = wait;
	if (now < k->until)
		return false;
	is = k->until && k->least > l->target;
	k->least = wait;
	k->until = now + l->interval;
	if (is)
		q->overloaded |= 1U << class_id;
	else
		q->overloaded &= ~(1U << class_id);
	return is != was;
}

/* The flow of @w's source, a free one, or one that it has to share. */
static struct sluice_flow *flow_find(struct sluice_queue *q, const struct sluice_waiter *w)
{
	struct sluice_flow *unused = NULL, *shared = NULL, *f;
	u32 lane = lane_of(w), i;
	u32 at = (w->source ^ lane * 0x9e3779b9U) * 0x85ebca6bU >> 8;

	for (i = 0; i < PROBES; i++) {
		f = &q->flow[(at + i) & q->mask];
		if (!f->n)
			unused = unused ? unused : f;
		else if (f->lane == lane && f->source == w->source)
			return f;
		else if (f->lane == lane)
			shared = shared ? shared : f;
	}
	if (unused) {
		unused->lane = lane;
		unused->source = w->source;
		return unused;
	}
	if (shared)
		return shared;
	f = &q->flow[q->mask + 1 + lane];
	f->lane = lane;
	return f;
}

/* Add @w to its flow, at the end or at the start of everything. */
static void add(struct sluice_queue *q, struct sluice_waiter *w, bool start, bool turn_start)
{
	struct sluice_class_queue *k = &q->class_queue[w->class_id];
	struct sluice_flow *f = flow_find(q, w);
	struct list_head *round = &q->round[f->lane];

	if (!f->n++) {
		if (turn_start)
			list_add(&f->turn, round);
		else
			list_add_tail(&f->turn, round);
		q->busy |= 1ULL << f->lane;
	}
	if (start) {
		list_add(&w->in_flow, &f->waiters);
		list_add(&w->in_class, &k->by_age);
	} else {
		list_add_tail(&w->in_flow, &f->waiters);
		list_add_tail(&w->in_class, &k->by_age);
	}
	w->flow = f;
	k->n++;
	WRITE_ONCE(q->n, q->n + 1);
	if (!k->fat || f->n > k->fat->n)
		k->fat = f;
}

/**
 * sluice_queue_push() - let a request wait
 * @q: queue
 * @w: waiter that no queue holds
 * @limits: of all classes
 * @now: ns, not before that of earlier calls by more than the clocks' skew
 *
 * Under overload a source that had nothing waiting is served next: last in, first out holds among
 * sources too.
 */
void sluice_queue_push(struct sluice_queue *q, struct sluice_waiter *w,
		       const struct sluice_limits *limits, u64 now)
{
	w->since = now;
	add(q, w, false, newest_first(q, limits, w->class_id));
}

/* Put back what sluice_queue_pop() gave, as if it had never been taken. */
void sluice_queue_unpop(struct sluice_queue *q, struct sluice_waiter *w)
{
	add(q, w, true, true);
}

/* Take a waiter out, wherever it stands. */
void sluice_queue_remove(struct sluice_queue *q, struct sluice_waiter *w)
{
	struct sluice_class_queue *k = &q->class_queue[w->class_id];
	struct sluice_flow *f = w->flow;

	list_del(&w->in_flow);
	list_del(&w->in_class);
	w->flow = NULL;
	WRITE_ONCE(q->n, q->n - 1);
	if (!--k->n) {
		k->least = 0;
		k->fat = NULL;
	}
	if (--f->n)
		return;
	list_del(&f->turn);
	if (k->fat == f)
		k->fat = NULL;
	if (list_empty(&q->round[f->lane]))
		q->busy &= ~(1ULL << f->lane);
}

/* Lower is served first. */
static u32 lane_rank(const struct sluice_queue *q, const struct sluice_limits *limits, u32 lane)
{
	const struct sluice_limits *l = &limits[lane_class(lane)];
	u32 prio = lane / SLUICE_QUEUE_CLASSES;

	return q->overloaded ? (u32)l->shed << 8 | prio : prio << 8 | l->order;
}

/* Who is next in a lane. */
static struct sluice_waiter *lane_next(const struct sluice_queue *q,
				       const struct sluice_limits *limits, u32 lane)
{
	struct sluice_flow *f = list_first_entry(&q->round[lane], struct sluice_flow, turn);
	u32 c = lane_class(lane);

	if (newest_first(q, limits, c))
		return list_last_entry(&f->waiters, struct sluice_waiter, in_flow);
	return list_first_entry(&f->waiters, struct sluice_waiter, in_flow);
}

/*
 * Of two lanes of one rank: the one whose next request came first; under overload classes take
 * turns, so that one's flood is not the other's.
 */
static bool lane_before(const struct sluice_queue *q, const struct sluice_limits *limits, u32 a,
			u32 b)
{
	if (!q->overloaded)
		return lane_next(q, limits, a)->since < lane_next(q, limits, b)->since;
	return (lane_class(a) - q->served - 1) % SLUICE_QUEUE_CLASSES <
	       (lane_class(b) - q->served - 1) % SLUICE_QUEUE_CLASSES;
}

static u32 lane_choose(const struct sluice_queue *q, const struct sluice_limits *limits, u64 lanes)
{
	u32 best = first_bit(lanes), lane, rank, best_rank;

	lanes &= lanes - 1;
	if (likely(!lanes))
		return best;
	best_rank = lane_rank(q, limits, best);
	for (; lanes; lanes &= lanes - 1) {
		lane = first_bit(lanes);
		rank = lane_rank(q, limits, lane);
		if (rank > best_rank || (rank == best_rank && !lane_before(q, limits, lane, best)))
			continue;
		best = lane;
		best_rank = rank;
	}
	return best;
}

/**
 * sluice_queue_pop() - take the request that is to be served next
 * @q: queue
 * @limits: of all classes
 * @classes: bit per class that may be served
 *
 * By priority, then by the classes' order, then by age; under overload by shed order, then by
 * priority, and classes of one rank take turns.
 * Return: a waiter that no queue holds any more, or NULL.
 */
struct sluice_waiter *sluice_queue_pop(struct sluice_queue *q, const struct sluice_limits *limits,
				       u32 classes)
{
	u64 lanes = q->busy & ((classes & SLUICE_QUEUE_ALL) * PRIOS_OF_CLASS);
	struct sluice_waiter *w;
	struct sluice_flow *f;
	u32 lane;

	if (!lanes)
		return NULL;
	lane = lane_choose(q, limits, lanes);
	w = lane_next(q, limits, lane);
	f = w->flow;
	sluice_queue_remove(q, w);
	if (f->n)
		list_move_tail(&f->turn, &q->round[lane]);
	q->served = lane_class(lane);
	return w;
}

/**
 * sluice_queue_overdue() - take a request that waited more than twice its class's target while that
 * is overloaded
 * @q: queue
 * @limits: of all classes
 * @now: ns
 *
 * Return: the waiter, which is to be refused; or NULL.
 */
struct sluice_waiter *sluice_queue_overdue(struct sluice_queue *q,
					   const struct sluice_limits *limits, u64 now)
{
	struct sluice_waiter *w;
	u32 bits, c;

	for (bits = q->overloaded; bits; bits &= bits - 1) {
		c = first_bit(bits);
		if (longest_wait(q, c, now) <= 2 * limits[c].target)
			continue;
		w = list_first_entry(&q->class_queue[c].by_age, struct sluice_waiter, in_class);
		sluice_queue_remove(q, w);
		return w;
	}
	return NULL;
}

/* The class that is to give way first, of those that wait; the queue is not empty. */
static u32 class_worst(const struct sluice_queue *q, const struct sluice_limits *limits)
{
	u32 c, worst = SLUICE_QUEUE_CLASSES;

	for (c = 0; c < SLUICE_QUEUE_CLASSES; c++)
		if (q->class_queue[c].n &&
		    (worst == SLUICE_QUEUE_CLASSES || limits[c].shed > limits[worst].shed))
			worst = c;
	return worst;
}

/**
 * sluice_queue_evict() - the queue is full: take what has less right to wait than an arrival
 * @q: queue
 * @limits: of all classes
 * @arrival: waiter that no queue holds
 *
 * In this order: the oldest of a class that is shed before the arrival's; the oldest of a source
 * that holds more of the queue than the arrival's own; under overload the oldest of its own source
 * if that holds the most, else the oldest of its class.
 *
 * Return: the waiter, which is to be refused; NULL: refuse the arrival.
 */
struct sluice_waiter *sluice_queue_evict(struct sluice_queue *q, const struct sluice_limits *limits,
					 const struct sluice_waiter *arrival)
{
	struct sluice_class_queue *k = &q->class_queue[arrival->class_id];
	struct sluice_flow *own = flow_find(q, arrival);
	u32 fat = k->fat ? k->fat->n : 0, worst;
	struct sluice_waiter *w = NULL;
	bool newest;

	if (!q->n)
		return NULL;
	worst = class_worst(q, limits);
	newest = newest_first(q, limits, arrival->class_id);
	if (limits[worst].shed > limits[arrival->class_id].shed)
		w = list_first_entry(&q->class_queue[worst].by_age, struct sluice_waiter, in_class);
	else if (fat > own->n + 1)
		w = list_first_entry(&k->fat->waiters, struct sluice_waiter, in_flow);
	else if (newest && own->n > 1 && own->n >= fat)
		w = list_first_entry(&own->waiters, struct sluice_waiter, in_flow);
	else if (newest && k->n)
		w = list_first_entry(&k->by_age, struct sluice_waiter, in_class);
	if (w)
		sluice_queue_remove(q, w);
	return w;
}
