// SPDX-License-Identifier: GPL-2.0-only
/*
 * The backlog: requests that the kernel still owns, its limits, and the sweep of what waits too
 * long.
 */
#include "ids.h"
#include "trace.h"

#define SWEEP_INTERVAL msecs_to_jiffies(10)
#define FLOWS	       128 /* sources told apart in a group's backlog */
#define OVERDUE_MAX    2   /* refused by the way, with each request that comes or goes */
#define SWEEP_MAX      64  /* taken in one go by the sweep */

/*
 * Reserve room in the limits of a group for one more waiting request. Return: false if a limit is
 * reached; nothing is charged then.
 */
static bool charge(struct sluice_group *g, const struct sluice_group_conf *conf,
		   const struct sluice_req *req, enum sluice_outcome *why)
{
	if ((u32)atomic_inc_return(&g->waiting) > conf->backlog) {
		atomic_dec(&g->waiting);
		*why = SLUICE_OUTCOME_REJECTED_BACKLOG_FULL;
		return false;
	}
	if ((u64)atomic64_add_return(req->truesize, &g->waiting_bytes) > conf->backlog_bytes) {
		sluice_backlog_uncharge(g, req);
		*why = SLUICE_OUTCOME_REJECTED_MEMORY;
		return false;
	}
	return true;
}

/* What leaves at this moment makes up for it. */
static void charge_over(struct sluice_group *g, const struct sluice_req *req)
{
	atomic_inc(&g->waiting);
	atomic64_add(req->truesize, &g->waiting_bytes);
}

void sluice_backlog_uncharge(struct sluice_group *g, const struct sluice_req *req)
{
	atomic64_sub(req->truesize, &g->waiting_bytes);
	atomic_dec(&g->waiting);
	sluice_conn_resume(g);
}

/* Tell the group's consumers of a loss, with the next request any of them gets. */
void sluice_group_gap(struct sluice_group *g, enum sluice_outcome outcome)
{
	WRITE_ONCE(g->gap_reason, outcome);
	atomic_inc(&g->gap);
}

static struct sluice_req *req_of(struct sluice_waiter *w)
{
	return w ? container_of(w, struct sluice_req, wait) : NULL;
}

static void refused_add(struct sluice_refused *out, struct sluice_waiter *w,
			enum sluice_outcome why)
{
	out->at[out->n].req = req_of(w);
	out->at[out->n++].why = why;
}

/* End what was taken out of a backlog. Context: the section that took it, without its lock. */
void sluice_backlog_refuse(struct sluice_group *g, const struct sluice_refused *out)
{
	u32 i;

	for (i = 0; i < out->n; i++) {
		if (!sluice_req_settle(out->at[i].req, g))
			continue;
		sluice_backlog_uncharge(g, out->at[i].req);
		sluice_group_gap(g, out->at[i].why);
		sluice_req_reject(out->at[i].req, NULL, out->at[i].why);
	}
}

/* Classes that wait, or are overloaded. */
static u32 classes_in(const struct sluice_queue *q)
{
	u64 busy = q->busy | q->busy >> 32;

	return ((busy | busy >> 16) & SLUICE_QUEUE_ALL) | q->overloaded;
}

/* Look at the longest waits, and take out what waited too long; the lock of @b is held. */
static void judge(struct sluice_backlog *b, u64 now, struct sluice_refused *out)
{
	struct sluice_waiter *w;
	u32 bits, i;

	for (bits = classes_in(&b->q); bits; bits &= bits - 1)
		sluice_queue_judge(&b->q, __ffs(bits), &b->limits[__ffs(bits)], now);
	if (likely(!b->q.overloaded))
		return;
	for (i = 0; i < OVERDUE_MAX && out->n < SLUICE_REFUSED_MAX; i++) {
		w = sluice_queue_overdue(&b->q, b->limits, now);
		if (!w)
			return;
		refused_add(out, w, SLUICE_OUTCOME_REJECTED_OVERLOAD);
	}
}

/* Bytes of what was taken out and is still charged. */
static u64 bytes_of(const struct sluice_refused *out)
{
	u64 bytes = 0;
	u32 i;

	for (i = 0; i < out->n; i++)
		bytes += out->at[i].req->truesize;
	return bytes;
}

/*
 * A limit is reached: take out what has less right to wait than @req, unless enough is on its way
 * out already, and charge @req in its stead. Return: false if @req is the one to go.
 */
static bool make_room(struct sluice_group *g, struct sluice_backlog *b, struct sluice_req *req,
		      struct sluice_refused *out)
{
	u64 limit = sluice_group_conf(g)->backlog_bytes, freed;
	struct sluice_waiter *w;

	if (req->truesize > limit)
		return false;
	for (;;) {
		freed = bytes_of(out);
		if (out->n && (freed >= req->truesize ||
			       atomic64_read(&g->waiting_bytes) + req->truesize <= limit + freed))
			break;
		if (out->n == SLUICE_REFUSED_MAX)
			return false;
		w = sluice_queue_evict(&b->q, b->limits, &req->wait);
		if (!w)
			return false;
		refused_add(out, w, SLUICE_OUTCOME_REJECTED_SHED);
	}
	charge_over(g, req);
	return true;
}

/*
 * A limit is reached. A message of a connection can stay in its stream and takes nobody's place;
 * one that comes back from a ring is owed an answer, and there are no more of these than slots.
 * Return: whether @req may wait; it is charged then.
 */
static bool over_limit(struct sluice_group *g, struct sluice_backlog *b, struct sluice_req *req,
		       struct sluice_refused *out)
{
	if (req->kind != SLUICE_REQ_KIND_TCP)
		return make_room(g, b, req, out);
	if (req->returned)
		charge_over(g, req);
	return req->returned;
}

/* Say that a request with an id goes to @b. Return: true if it was cancelled meanwhile. */
static bool place(struct sluice_group *g, struct sluice_backlog *b, struct sluice_req *req)
{
	if (b == &g->backlog)
		return __sluice_ids_place(req, SLUICE_ID_GROUP, g, 0);
	return __sluice_ids_place(req, SLUICE_ID_WAITING,
				  container_of(b, struct sluice_ring, waiting), 0);
}

/**
 * __sluice_backlog_add() - let a request wait
 * @g: group
 * @b: backlog of the group or of one of its rings, whose lock is held
 * @req: taken if the answer is 0
 * @now: ns
 * @out: empty; to be given to sluice_backlog_refuse() without the lock
 *
 * If a limit is reached, something that has less right to wait may have to go.
 * Return: 0, -ENOBUFS, -ENOMEM.
 */
int __sluice_backlog_add(struct sluice_group *g, struct sluice_backlog *b, struct sluice_req *req,
			 u64 now, struct sluice_refused *out)
{
	const struct sluice_group_conf *conf = sluice_group_conf(g);
	enum sluice_outcome why;

	sluice_waiter_init(&req->wait, req->class->id, req->prio, sluice_req_source(req, g->seed));
	/* without a ring, waiting is what the hold time limits */
	if (!rcu_dereference_bh(g->rings)->n)
		b->q.resumed = now;
	judge(b, now, out);
	if (unlikely(!charge(g, conf, req, &why)) && !over_limit(g, b, req, out))
		return why == SLUICE_OUTCOME_REJECTED_MEMORY ? -ENOMEM : -ENOBUFS;
	if (unlikely(req->tag) && place(g, b, req) && out->n < SLUICE_REFUSED_MAX) {
		refused_add(out, &req->wait, SLUICE_OUTCOME_CANCELLED_PEER);
		return 0;
	}
	sluice_req_unshare(req);
	sluice_queue_push(&b->q, &req->wait, b->limits, now);
	return 0;
}

/**
 * __sluice_backlog_pop() - take the request that is to be served next
 * @b: backlog, whose lock is held
 * @classes: bit per class that may be served
 * @now: ns
 * @out: empty; to be given to sluice_backlog_refuse() without the lock
 *
 * Return: a request that is still charged, or NULL.
 */
struct sluice_req *__sluice_backlog_pop(struct sluice_backlog *b, u32 classes, u64 now,
					struct sluice_refused *out)
{
	judge(b, now, out);
	return req_of(sluice_queue_pop(&b->q, b->limits, classes));
}

/**
 * sluice_backlog_add() - let a request wait in its group's backlog
 * @g: group
 * @req: taken if the answer is 0
 *
 * The caller must call sluice_backlog_run() afterwards. That closes the race with a ring that frees
 * its slots meanwhile: sluice_backlog_run() looks for room after the length was raised, the ring's
 * owner looks at the length after it made room, and by B1 and B2 one of them sees the other.
 *
 * Context: section. Return: 0, -ENOBUFS, -ENOMEM.
 */
int sluice_backlog_add(struct sluice_group *g, struct sluice_req *req)
{
	struct sluice_refused out sluice_uninit;
	u64 now = sluice_now();
	int err;

	out.n = 0;
	spin_lock(&g->lock);
	__sluice_limits_arrived(g, req->class, now);
	err = __sluice_backlog_add(g, &g->backlog, req, now, &out);
	spin_unlock(&g->lock);
	sluice_backlog_refuse(g, &out);
	sluice_backlog_arm(g);
	return err;
}

static bool expired(const struct sluice_req *req, u64 now)
{
	return req->deadline && now > req->deadline;
}

/* End a charged request if its deadline has passed. Context: section. Return: true if so. */
bool sluice_backlog_expire(struct sluice_group *g, struct sluice_req *req, u64 now)
{
	if (likely(!expired(req, now)))
		return false;
	sluice_backlog_uncharge(g, req);
	sluice_group_gap(g, SLUICE_OUTCOME_EXPIRED_BACKLOG);
	sluice_req_drop(req, NULL, SLUICE_OUTCOME_EXPIRED_BACKLOG);
	return true;
}

/* A ring could not take @req after all. Return: as feed_one(). */
static bool feed_undo(struct sluice_group *g, struct sluice_ring *ring, struct sluice_req *req,
		      int err)
{
	if (req->held)
		sluice_ring_unhold(ring, &req->wait.class_id, 1);
	req->held = false;
	if (err == -EMSGSIZE) {
		sluice_group_gap(g, SLUICE_OUTCOME_REJECTED_TOO_BIG);
		sluice_req_reject(req, NULL, SLUICE_OUTCOME_REJECTED_TOO_BIG);
		return true;
	}
	charge_over(g, req);
	spin_lock(&g->lock);
	sluice_queue_unpop(&g->backlog.q, &req->wait);
	spin_unlock(&g->lock);
	/* who made room meanwhile found nothing waiting, and will not look again */
	sluice_backlog_arm(g);
	return false;
}

/* Give one request of the group's backlog to @ring. Return: false if that cannot go on. */
static bool feed_one(struct sluice_group *g, struct sluice_ring *ring)
{
	struct sluice_refused out sluice_uninit;
	u64 now = sluice_now();
	struct sluice_req *req;
	u8 class_id;
	bool held;
	int err;

	out.n = 0;
	spin_lock(&g->lock);
	req = __sluice_backlog_pop(&g->backlog, __sluice_limits_classes(g, ring), now, &out);
	if (req)
		__sluice_ring_hold(ring, req);
	spin_unlock(&g->lock);
	sluice_backlog_refuse(g, &out);
	if (!req)
		return out.n;
	held = req->held;
	class_id = req->wait.class_id;
	if (!sluice_req_settle(req, g) || sluice_backlog_expire(g, req, now)) {
		if (held)
			sluice_ring_unhold(ring, &class_id, 1);
		return true;
	}
	sluice_backlog_uncharge(g, req);
	err = sluice_ring_offer(ring, req, false, now);
	return likely(!err) || feed_undo(g, ring, req, err);
}

/**
 * sluice_backlog_feed() - give a ring with room what waits in the group's backlog
 * @g: group
 * @ring: in its set
 *
 * Context: section. Bounded by the room in the ring and by what is refused on the way.
 */
void sluice_backlog_feed(struct sluice_group *g, struct sluice_ring *ring)
{
	while (READ_ONCE(g->backlog.q.n) && sluice_ring_has_room(ring))
		if (!feed_one(g, ring))
			return;
}

/*
 * Give all rings with room what waits in the group's backlog, the one with the least to do first,
 * and what waits in their own: the head of that may be gone, or the window wider. Context: any;
 * makes its own section.
 */
void sluice_backlog_run(struct sluice_group *g)
{
	const struct sluice_rings *set;
	struct sluice_ring *ring;
	u32 i;

	local_bh_disable();
	sluice_backlog_raised(); /* B1 */
	set = rcu_dereference_bh(g->rings);
	while (READ_ONCE(g->backlog.q.n)) {
		ring = sluice_steer_least(set);
		if (!ring || !feed_one(g, ring))
			break;
	}
	/* what that one may not be given, too */
	for (i = 0; i < set->n; i++)
		if (READ_ONCE(g->backlog.q.n) || READ_ONCE(set->ring[i]->waiting.q.n))
			sluice_ring_pull(set->ring[i]);
	sluice_conn_resume(g);
	local_bh_enable();
}

/*
 * Take what has waited too long out of @b, whose lock is held; at most SWEEP_MAX requests.
 * @hold_before: arrivals before this were held long enough
 */
static void sweep_queue(struct sluice_backlog *b, struct list_head *out, u64 now, u64 hold_before)
{
	struct sluice_waiter *w, *next;
	u32 c, n = 0;

	for (c = 0; c < SLUICE_QUEUE_CLASSES; c++) {
		list_for_each_entry_safe(w, next, &b->q.class_queue[c].by_age, in_class) {
			struct sluice_req *req = req_of(w);

			if (!expired(req, now) && req->arrival >= hold_before)
				continue;
			if (n++ == SWEEP_MAX)
				return;
			sluice_queue_remove(&b->q, w);
			list_add_tail(&w->in_class, out);
		}
	}
}

/* The same for what is overdue; nothing is while there is no ring. */
static void sweep_overdue(struct sluice_backlog *b, struct list_head *out, u64 now, bool rings)
{
	struct sluice_refused none = {.n = SLUICE_REFUSED_MAX};
	struct sluice_waiter *w;
	u32 n;

	if (!rings) {
		b->q.resumed = now;
		return;
	}
	judge(b, now, &none);
	for (n = 0; n < SWEEP_MAX; n++) {
		w = sluice_queue_overdue(&b->q, b->limits, now);
		if (!w)
			return;
		list_add_tail(&w->in_class, out);
	}
}

static void sweep_finish(struct sluice_group *g, struct list_head *out, u64 now,
			 enum sluice_outcome why)
{
	struct sluice_waiter *w, *next;

	list_for_each_entry_safe(w, next, out, in_class) {
		struct sluice_req *req = req_of(w);

		if (!sluice_req_settle(req, g) || sluice_backlog_expire(g, req, now))
			continue;
		sluice_backlog_uncharge(g, req);
		sluice_group_gap(g, why);
		sluice_req_reject(req, NULL, why);
	}
}

/* Requests before this arrival time have been held long enough; 0 while there are consumers. */
static u64 hold_before(struct sluice_group *g, u64 now)
{
	const struct sluice_group_conf *conf = sluice_group_conf(g);

	if (rcu_dereference_bh(g->rings)->n)
		return 0;
	if (conf->no_consumer != SLUICE_NO_CONSUMER_HOLD)
		return U64_MAX;
	return now > conf->hold_ns ? now - conf->hold_ns : 0;
}

/*
 * One section of the sweep: at backlog @i, 0 being the group's own, then those of its rings.
 * Return: what is left: 0 nothing, 1 perhaps more of the same backlog, -1 there is no such backlog.
 */
static int sweep_section(struct sluice_group *g, u32 i)
{
	const struct sluice_rings *set = rcu_dereference_bh(g->rings);
	struct sluice_backlog *b = &g->backlog;
	u64 now = sluice_now(), before;
	spinlock_t *lock = &g->lock;
	LIST_HEAD(overdue);
	LIST_HEAD(old);
	int more;

	if (i > set->n)
		return -1;
	if (i) {
		b = &set->ring[i - 1]->waiting;
		lock = &set->ring[i - 1]->lock;
	}
	before = hold_before(g, now);
	spin_lock(lock);
	sweep_queue(b, &old, now, before);
	sweep_overdue(b, &overdue, now, set->n);
	g->overload_now |= b->q.overloaded;
	spin_unlock(lock);
	more = !list_empty(&old) || !list_empty(&overdue);
	sweep_finish(g, &old, now, SLUICE_OUTCOME_REJECTED_NO_CONSUMER);
	sweep_finish(g, &overdue, now, SLUICE_OUTCOME_REJECTED_OVERLOAD);
	return more;
}

/* Look at all backlogs, in short sections. */
static void sweep_all(struct sluice_group *g)
{
	u32 i = 0;
	int more;

	g->overload_now = 0;
	do {
		local_bh_disable();
		more = sweep_section(g, i);
		local_bh_enable();
		if (!more)
			i++;
		cond_resched();
	} while (more >= 0);
}

static void sweep_work(struct work_struct *work)
{
	struct sluice_group *g = container_of(to_delayed_work(work), struct sluice_group, sweep);

	clear_bit(0, &g->sweep_armed);
	local_bh_disable();
	sluice_limits_refresh(g);
	local_bh_enable();
	sweep_all(g);
	if (!g->overload_now != !g->overload_told)
		sluice_event(g->sn,
			     g->overload_now ? SLUICE_EVENT_OVERLOAD_ON : SLUICE_EVENT_OVERLOAD_OFF,
			     g->name, NULL, atomic_read(&g->waiting));
	g->overload_told = g->overload_now;
	sluice_backlog_run(g);
	if (atomic_read(&g->waiting) || g->overload_told || !list_empty(&g->paused))
		sluice_backlog_arm(g);
}

/* Have the sweep look at the backlogs soon. Context: any. */
void sluice_backlog_arm(struct sluice_group *g)
{
	if (!test_bit(0, &g->sweep_armed) && !test_and_set_bit(0, &g->sweep_armed))
		schedule_delayed_work(&g->sweep, SWEEP_INTERVAL);
}

int sluice_backlog_init(struct sluice_group *g)
{
	spin_lock_init(&g->lock);
	INIT_LIST_HEAD(&g->paused);
	INIT_DELAYED_WORK(&g->sweep, sweep_work);
	return sluice_queue_init(&g->backlog.q, FLOWS);
}

/*
 * End the sweep and reject what is left. No section may arm or fill the backlog any more. May
 * sleep.
 */
void sluice_backlog_fini(struct sluice_group *g)
{
	struct sluice_waiter *w;
	struct sluice_req *req;

	set_bit(0, &g->sweep_armed);
	cancel_delayed_work_sync(&g->sweep);
	sluice_conn_resume_all(g);
	local_bh_disable();
	for (;;) {
		/* a message may yet come to cancel one */
		spin_lock(&g->lock);
		w = sluice_queue_pop(&g->backlog.q, g->backlog.limits, SLUICE_QUEUE_ALL);
		spin_unlock(&g->lock);
		if (!w)
			break;
		req = req_of(w);
		if (!sluice_req_settle(req, g))
			continue;
		sluice_backlog_uncharge(g, req);
		sluice_req_reject(req, NULL, SLUICE_OUTCOME_REJECTED_NO_CONSUMER);
	}
	local_bh_enable();
}
