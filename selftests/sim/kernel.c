// SPDX-License-Identifier: GPL-2.0-only
/*
 * Owns the simulated kernel and its workers: the same steps as kmod/backlog.c and kmod/ring.c,
 * around the same core code.
 */
#include "world.h"

#define TICK_NS	    SIM_MS
#define OVERDUE_MAX 2 /* refused by the way, with each arrival and each request taken */
#define FLOWS	    128

static bool bound(const struct world *w)
{
	return w->c->steering == SIM_RR;
}

static u64 cost(const struct world *w, const struct attempt *a)
{
	u64 mean = sluice_demand_service(&w->demand[a->class_id]);

	return mean ? mean : SLUICE_COST_UNKNOWN;
}

static void serve(struct world *w, u32 n)
{
	struct worker *k = &w->worker[n];

	if (k->ring.head)
		event_add(w, w->now + k->ring.head->service, EVENT_DONE, n);
	else
		k->idle_since = w->now;
}

static void publish(struct world *w, u32 n, struct attempt *a)
{
	struct worker *k = &w->worker[n];
	bool idle = !k->ring.head;

	/* what the work was thought to be when it was published has to be taken back later */
	a->wait.since = cost(w, a);
	k->work += a->wait.since;
	k->used++;
	if (!k->in_hand[a->class_id]++)
		w->class_rings[a->class_id]++;
	fifo_push(&k->ring, a);
	if (idle)
		serve(w, n);
}

/* Classes that worker @n may be given now. */
static u32 allowed(const struct world *w, u32 n)
{
	u32 c, mask = 0;

	if (w->c->steering != SIM_TYPED)
		return SLUICE_QUEUE_ALL;
	for (c = 0; c < w->c->nclasses; c++) {
		u32 cap = w->c->policy[c].cap ? w->c->policy[c].cap : w->demand[c].cap;

		if (!cap || w->worker[n].in_hand[c] || w->class_rings[c] < cap)
			mask |= 1U << c;
	}
	return mask;
}

static bool room(const struct world *w, u32 n)
{
	if (w->c->control == SIM_FIFO)
		return !w->worker[n].used;
	return sluice_window_room(&w->worker[n].window, w->worker[n].work);
}

static struct attempt *attempt_of(struct sluice_waiter *wait)
{
	return container_of(wait, struct attempt, wait);
}

static void refuse(struct world *w, struct sluice_waiter *wait)
{
	w->waiting--;
	client_refused(w, attempt_of(wait));
}

static void overdue(struct world *w, struct sluice_queue *q)
{
	struct sluice_waiter *wait;
	u32 i;

	for (i = 0; i < OVERDUE_MAX; i++) {
		wait = sluice_queue_overdue(q, w->limits, w->now);
		if (!wait)
			return;
		refuse(w, wait);
	}
}

static void judge(struct world *w, struct sluice_queue *q)
{
	u32 c;

	for (c = 0; c < w->c->nclasses; c++)
		sluice_queue_judge(q, c, &w->limits[c], w->now);
}

/* Give worker @n what waits and may go there. */
static void pull(struct world *w, u32 n)
{
	struct sluice_queue *q = bound(w) ? &w->worker[n].queue : &w->queue;
	struct sluice_waiter *wait;
	struct attempt *a;

	while (room(w, n)) {
		if (w->c->control == SIM_FIFO) {
			a = fifo_pop(&w->plain);
		} else {
			judge(w, q);
			overdue(w, q);
			wait = sluice_queue_pop(q, w->limits, allowed(w, n));
			a = wait ? attempt_of(wait) : NULL;
		}
		if (!a)
			return;
		w->waiting--;
		publish(w, n, a);
	}
}

/* Let an arrival wait, or find out who has to go. */
static void enqueue(struct world *w, struct sluice_queue *q, struct attempt *a)
{
	struct sluice_waiter *wait;

	judge(w, q);
	if (w->waiting >= w->c->queue_max) {
		wait = sluice_queue_evict(q, w->limits, &a->wait);
		if (!wait) {
			client_refused(w, a);
			return;
		}
		refuse(w, wait);
	}
	w->waiting++;
	sluice_queue_push(q, &a->wait, w->limits, w->now);
	overdue(w, q);
}

/* The worker with the least to do of those that may take @a, or none. */
static u32 pick(const struct world *w, const struct attempt *a)
{
	u32 i, best = w->c->workers;

	for (i = 0; i < w->c->workers; i++) {
		if (!room(w, i) || !(allowed(w, i) & 1U << a->class_id))
			continue;
		if (best == w->c->workers || w->worker[i].used < w->worker[best].used)
			best = i;
		if (!w->worker[i].used)
			break;
	}
	return best;
}

void kernel_arrive(struct world *w, struct attempt *a)
{
	struct sluice_queue *q = &w->queue;
	u32 n;

	sluice_waiter_init(&a->wait, a->class_id, 1, a->source);
	if (w->c->steering == SIM_TYPED && sluice_demand_arrived(&w->demand[a->class_id], w->now)) {
		struct sluice_demand *d[SIM_CLASSES];

		for (n = 0; n < w->c->nclasses; n++)
			d[n] = &w->demand[n];
		sluice_demand_caps(d, w->c->nclasses, w->c->workers);
		for (n = 0; n < w->c->nclasses; n++)
			w->limits[n].order = w->demand[n].order;
	}
	if (w->c->control == SIM_FIFO) {
		n = w->waiting ? w->c->workers : pick(w, a);
		if (n < w->c->workers) {
			publish(w, n, a);
		} else if (w->waiting < w->c->queue_max) {
			w->waiting++;
			fifo_push(&w->plain, a);
		} else {
			client_lost(w, a);
		}
		return;
	}
	if (bound(w)) {
		n = w->rr++ % w->c->workers;
		q = &w->worker[n].queue;
		if (q->n || !room(w, n))
			n = w->c->workers;
	} else {
		n = q->class_queue[a->class_id].n ? w->c->workers : pick(w, a);
	}
	if (n < w->c->workers)
		publish(w, n, a);
	else
		enqueue(w, q, a);
}

/* A worker finished the head of its ring. */
void kernel_done(struct world *w, u32 n)
{
	struct worker *k = &w->worker[n];

	fifo_push(&k->answered, fifo_pop(&k->ring));
	serve(w, n);
	if (!w->c->collect_ns) {
		kernel_collect(w, n);
	} else if (!k->collecting) {
		k->collecting = true;
		event_add(w, w->now + w->c->collect_ns, EVENT_COLLECT, n);
	}
}

/* The kernel takes a worker's answers, frees what they held, and hands out more. */
void kernel_collect(struct world *w, u32 n)
{
	struct worker *k = &w->worker[n];
	struct attempt *a;
	bool freed = false;
	u64 done = 0;
	u32 i;

	k->collecting = false;
	while ((a = fifo_pop(&k->answered))) {
		done += a->wait.since;
		k->used--;
		if (!--k->in_hand[a->class_id]) {
			w->class_rings[a->class_id]--;
			freed = true;
		}
		sluice_demand_served(&w->demand[a->class_id], a->service, 1);
		client_answered(w, a);
	}
	k->work -= done;
	sluice_window_collected(&k->window, done, k->work,
				k->ring.head ? 0 : w->now - k->idle_since,
				(bound(w) ? k->queue.n : w->queue.n) != 0, w->now);
	w->r->window = k->window.limit;
	pull(w, n);
	for (i = 0; freed && w->c->steering == SIM_TYPED && w->waiting && i < w->c->workers; i++)
		pull(w, i);
}

/* What the module's sweep does. */
void kernel_tick(struct world *w)
{
	struct sluice_queue *q;
	u32 c, i;

	for (c = 0; c < w->c->nclasses; c++)
		sluice_limits_set(&w->limits[c], &w->c->policy[c],
				  sluice_demand_service(&w->demand[c]));
	for (i = 0; i <= w->c->workers; i++) {
		q = i < w->c->workers ? &w->worker[i].queue : &w->queue;
		judge(w, q);
		overdue(w, q);
	}
	event_add(w, w->now + TICK_NS, EVENT_TICK, 0);
}

int kernel_init(struct world *w)
{
	u32 i;
	int err = sluice_queue_init(&w->queue, FLOWS);

	fifo_init(&w->plain);
	for (i = 0; i < w->c->workers; i++) {
		fifo_init(&w->worker[i].ring);
		fifo_init(&w->worker[i].answered);
		sluice_window_init(&w->worker[i].window, false);
		err = sluice_queue_init(&w->worker[i].queue, FLOWS) ? -ENOMEM : err;
	}
	kernel_tick(w);
	return err;
}

void kernel_fini(struct world *w)
{
	u32 i;

	sluice_queue_fini(&w->queue);
	for (i = 0; i < w->c->workers; i++)
		sluice_queue_fini(&w->worker[i].queue);
}
