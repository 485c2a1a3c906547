// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way back: takes a consumer's responses, checks them, sends them; the ring's thread, and the
 * kick.
 */
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/sched/stat.h>

#include "ids.h"
#include "trace.h"

#define KICK_NS	    500 /* about what a system call takes that does nothing */
#define KICK_BUDGET (2 * SLUICE_TX_BATCH)
#define SPINS	    256 /* empty looks at the queue before the thread naps */
#define NAP_NS	    (20 * NSEC_PER_USEC)
/* for so long an adaptive thread stays away from a processor that others want */
#define CROWDED_NS  (10 * NSEC_PER_MSEC)

/* Copy an entry once. What it says is checked, and used, in the copy only. */
static void load(const struct sluice_ring *ring, u32 index, struct sluice_response *to)
{
	const struct sluice_response *e = &ring->resp[index & (ring->map.resp_entries - 1)];

	BUILD_BUG_ON(sizeof(*e) != 2 * sizeof(u64));
	((u64 *)to)[0] = READ_ONCE(((const u64 *)e)[0]);
	((u64 *)to)[1] = READ_ONCE(((const u64 *)e)[1]);
}

static bool flags_ok(u16 flags)
{
	return likely(!flags) || (!(flags & ~SLUICE_RESP_ALL) &&
	       (!(flags & SLUICE_RESP_MORE) || flags == SLUICE_RESP_MORE));
}

/*
 * Judge an entry and take its request out of the slot, which becomes the transmit context's
 * (ANSWERED). The ring's lock is held.
 */
static void take(struct sluice_ring *ring, struct sluice_answer *a)
{
	u32 slot = a->resp.slot;

	a->req = NULL;
	a->answered = 0;
	a->kicked = false;
	a->verdict = sluice_slots_check(&ring->slots, slot, a->resp.gen, a->resp.data, a->resp.len);
	if (a->verdict == SLUICE_VERDICT_OK && !flags_ok(a->resp.flags))
		a->verdict = SLUICE_VERDICT_BAD_DATA;
	if (a->verdict == SLUICE_VERDICT_STALE)
		return;
	a->req = ring->req[slot];
	ring->req[slot] = NULL;
	sluice_slots_answer(&ring->slots, slot);
	/* from here on it is too late to cancel it */
	if (unlikely(a->req && a->req->tag) && !(a->resp.flags & SLUICE_RESP_MORE))
		sluice_ids_leave(a->req);
}

/*
 * Take up to @max entries from @head on. One that says MORE is a batch of its own: its slot goes
 * back to the consumer before the next entry, which may name the same slot.
 */
static u32 take_batch(struct sluice_ring *ring, struct sluice_answer *a, u32 head, u32 max)
{
	u32 n;

	spin_lock(&ring->lock);
	for (n = 0; n < max; n++) {
		load(ring, head + n, &a[n].resp);
		if (n && (a[n].resp.flags & SLUICE_RESP_MORE))
			break;
		take(ring, &a[n]);
		if (a[n].resp.flags & SLUICE_RESP_MORE) {
			n++;
			break;
		}
	}
	spin_unlock(&ring->lock);
	return n;
}

/* What a request took at each stage, ns, and how many did so. */
struct took {
	struct sluice_class *class;
	u64 age;
	u32 published;
	u32 pickup;
	u32 service;
	u32 n;
	u64 told; /* when the consumer was done with what is taken */
};

/* Enter it into the histograms. The consumer's stamps are a claim. Context: section. */
static __always_inline bool enter(struct sluice_class *class, u64 age, u32 published, u32 pickup,
				  u32 service, u32 n)
{
	sluice_hist_add(class, SLUICE_STAGE_TOTAL, age, n);
	if (pickup < published || (u64)pickup + service > age)
		return false;
	sluice_hist_add(class, SLUICE_STAGE_PICKUP, pickup - published, n);
	sluice_hist_add(class, SLUICE_STAGE_SERVICE, service, n);
	sluice_hist_add(class, SLUICE_STAGE_SEND, age - pickup - service, n);
	return true;
}

static noinline void enter_all(struct took *all)
{
	if (all->n)
		enter(all->class, all->age, all->published, all->pickup, all->service, all->n);
	all->n = 0;
}

/* Messages of one segment or buffer, served in one batch, took the same: enter them at once. */
static __always_inline bool tally(struct took *all, const struct sluice_req *req, u64 age,
				  u32 pickup, u32 service)
{
	if (!all->n || all->class != req->class || all->age != age ||
	    all->published != req->published || all->pickup != pickup || all->service != service) {
		enter_all(all);
		all->class = req->class;
		all->age = age;
		all->published = req->published;
		all->pickup = pickup;
		all->service = service;
	}
	all->n++;
	return pickup >= req->published && (u64)pickup + service <= age;
}

static void stamps(const struct sluice_slot *hdr, struct sluice_answer *a, u64 now,
		   struct took *all)
{
	const struct sluice_req *req = a->req;
	u32 pickup = READ_ONCE(hdr->pickup), service = READ_ONCE(hdr->service);
	u64 age = now - req->arrival, until;
	bool possible;

	/* a pickup after U32_MAX ns or more has no known time, nor has the service behind it */
	if (service == SLUICE_SERVICE_TAKEN && pickup != U32_MAX) {
		/* of a kick's later sections, unless this was taken after the kick began */
		until = all->told > req->arrival + pickup ? all->told - req->arrival : age;
		service = until > pickup ? sluice_stamp(until - pickup) : 0;
		a->kicked = true;
	}
	if (req->kind == SLUICE_REQ_KIND_TCP || req->shared)
		possible = tally(all, req, age, pickup, service);
	else
		possible = enter(req->class, age, req->published, pickup, service, 1);
	if (!possible || !pickup)
		return;
	a->class = req->class;
	a->service = service;
	a->answered = req->arrival + pickup + service;
}

/*
 * Service times: a consumer that takes requests in batches stamps them as such, so what lies
 * between two answers is shared by those that were stamped at once.
 */
static void measure(struct sluice_ring *ring, const struct sluice_answer *a, u32 n)
{
	u64 start, each, at;
	u32 i, end, k;

	for (i = 0; i < n; i = end) {
		at = a[i].answered;
		end = i + 1;
		if (unlikely(!at))
			continue;
		while (end < n && a[end].answered == at)
			end++;
		start = max(at - a[i].service, ring->busy_until);
		ring->busy_until = max(ring->busy_until, at);
		each = at > start ? (at - start) / (end - i) : 0;
		for (k = i + 1; k < end; k++) {
			if (likely(a[k].class == a[i].class))
				continue;
			sluice_demand_served(&a[i].class->demand, each, k - i);
			i = k;
		}
		sluice_demand_served(&a[i].class->demand, each, end - i);
	}
}

/* @hdr: of the request's slot, where most replies are. */
static int send(struct sluice_ring *ring, const struct sluice_answer *a,
		const struct sluice_slot *hdr, bool last)
{
	const struct sluice_slot *from = hdr;

	if (unlikely(a->resp.data != a->resp.slot))
		from = sluice_ring_slot(ring, a->resp.data);
	return sluice_req_reply(a->req, ring, from + 1, a->resp.len, last);
}

static enum sluice_outcome sent(const struct sluice_req *req, int err)
{
	if (likely(!err && !req->cut))
		return SLUICE_OUTCOME_ANSWERED;
	return err == -EPIPE ? SLUICE_OUTCOME_CANCELLED_CONNECTION : SLUICE_OUTCOME_DROPPED_SEND;
}

/* End the request as its consumer says. Takes a->req. */
static void finish(struct sluice_ring *ring, struct sluice_answer *a, u64 now, struct took *all)
{
	const struct sluice_slot *hdr = sluice_ring_slot(ring, a->resp.slot);
	struct sluice_req *req = a->req;
	u16 flags = a->resp.flags;
	int err;

	if (flags & SLUICE_RESP_EXPIRED) {
		sluice_req_drop(req, ring, SLUICE_OUTCOME_EXPIRED_RING);
	} else if (flags & SLUICE_RESP_REJECT) {
		sluice_req_reject(req, ring, SLUICE_OUTCOME_REJECTED_CONSUMER);
	} else {
		stamps(hdr, a, now, all);
		if (flags & SLUICE_RESP_NO_REPLY) {
			sluice_req_drop(req, ring, SLUICE_OUTCOME_DONE);
			return;
		}
		err = send(ring, a, hdr, true);
		if (err == -EINPROGRESS) { /* sluice_req_flush() does the rest */
			ring->gathered = true;
			return;
		}
		sluice_req_finish(req, ring, sent(req, err));
		sluice_req_free(req, !err);
	}
}

/*
 * Send one part of several and give the slot back to its consumer, unless listener or connection go
 * meanwhile.
 */
static void send_more(struct sluice_ring *ring, struct sluice_answer *a)
{
	struct sluice_req *req = a->req;
	enum sluice_outcome why = SLUICE_OUTCOME_CANCELLED_LISTENER;
	bool cancelled = false;

	if (unlikely(send(ring, a, sluice_ring_slot(ring, a->resp.slot), false)) &&
	    req->kind != SLUICE_REQ_KIND_TCP)
		req->cut = true;
	spin_lock(&ring->lock);
	if (unlikely(sluice_req_orphan(req)))
		why = SLUICE_OUTCOME_CANCELLED_CONNECTION;
	else if (sluice_ids_cancelled(req))
		why = SLUICE_OUTCOME_CANCELLED_PEER;
	if (unlikely(READ_ONCE(req->rule->listener->dead) || sluice_req_orphan(req) ||
		     sluice_ids_cancelled(req))) {
		__sluice_ring_slot_cancel(ring, a->resp.slot, req);
		cancelled = true;
	} else {
		if (unlikely(READ_ONCE(req->rule->retired)))
			req->rule = req->rule->listener->retired;
		sluice_slots_publish(&ring->slots, a->resp.slot);
		ring->req[a->resp.slot] = req;
	}
	spin_unlock(&ring->lock);
	if (cancelled)
		sluice_req_drop(req, ring, why);
	/* the entry no longer holds slot or request */
	a->verdict = SLUICE_VERDICT_STALE;
}

static void act(struct sluice_ring *ring, struct sluice_answer *a, u64 now, struct took *all)
{
	trace_sluice_response(ring, &a->resp, a->verdict);
	switch (a->verdict) {
	case SLUICE_VERDICT_OK:
		if (a->resp.flags & SLUICE_RESP_MORE)
			send_more(ring, a);
		else
			finish(ring, a, now, all);
		break;
	case SLUICE_VERDICT_BAD_DATA:
		WRITE_ONCE(ring->bad_responses, ring->bad_responses + 1);
		sluice_req_drop(a->req, ring, SLUICE_OUTCOME_DROPPED_BAD_RESPONSE);
		break;
	case SLUICE_VERDICT_STALE:
		WRITE_ONCE(ring->bad_responses, ring->bad_responses + 1);
		break;
	case SLUICE_VERDICT_CANCELLED:
		break;
	}
}

/*
 * Give back the slots of what was answered, and let the window follow. Return: true if a class
 * occupies a ring less than before.
 */
static bool free_slots(struct sluice_ring *ring, const struct sluice_answer *a, u32 n, u64 now)
{
	const struct sluice_group *g = READ_ONCE(ring->group);
	u8 held[SLUICE_TX_BATCH] sluice_uninit;
	u32 i, nheld = 0;
	u64 done = 0, idle;
	bool waits;

	spin_lock(&ring->lock);
	for (i = 0; i < n; i++) {
		const struct sluice_slot_use *use;

		if (unlikely(a[i].verdict == SLUICE_VERDICT_STALE))
			continue;
		use = &ring->use[a[i].resp.slot];
		sluice_slots_free(&ring->slots, a[i].resp.slot);
		done += use->cost;
		if (unlikely(use->held))
			held[nheld++] = use->class_id;
	}
	WRITE_ONCE(ring->work, ring->work - done);
	waits = ring->waiting.q.n || (g && READ_ONCE(g->backlog.q.n));
	/* without stamps nobody knows how long it was idle: assume that it mattered */
	idle = n && a[n - 1].answered ? now - a[n - 1].answered : done + 1;
	/* nobody read the clock when it handed over: it was that long in the kernel by now */
	if (n && a[n - 1].kicked)
		idle += KICK_NS;
	sluice_window_collected(&ring->window, done, ring->work, idle, waits, now);
	spin_unlock(&ring->lock);
	return unlikely(nheld) && sluice_ring_unhold(ring, held, nheld);
}

/*
 * One section: up to @max entries from request to wire, then what waited for their slots. @told:
 * when the first of these sections began, so the consumer was done with all of it; 0: this one.
 */
static u32 run_section(struct sluice_ring *ring, u32 max, u64 *told)
{
	struct sluice_answer *a = ring->batch;
	struct took all sluice_uninit;
	bool freed;
	u32 i, n;
	u64 now;

	local_bh_disable();
	n = take_batch(ring, a, ring->resp_head, min_t(u32, max, SLUICE_TX_BATCH));
	now = sluice_now();
	if (!*told)
		*told = now;
	all.told = *told;
	all.n = 0;
	for (i = 0; i < n; i++)
		act(ring, &a[i], now, &all);
	if (unlikely(all.n))
		enter_all(&all);
	if (ring->gathered) {
		ring->gathered = false;
		sluice_req_flush(ring);
	}
	measure(ring, a, n);
	freed = free_slots(ring, a, n, now);
	WRITE_ONCE(ring->resp_head, ring->resp_head + n);
	sluice_resp_release(ring->k_resp_head, ring->resp_head);
	sluice_ring_pull(ring);
	if (unlikely(freed) && READ_ONCE(ring->group))
		sluice_backlog_run(READ_ONCE(ring->group));
	local_bh_enable();
	return n;
}

/* sluice_tx_run(), and runs that go on with one another: @told as run_section() has it. */
static int tx_run(struct sluice_ring *ring, unsigned int budget, u64 *told)
{
	u32 ready, done = 0;

	lockdep_assert_held(&ring->tx_lock);
	if (ring->detached)
		return -ENODEV;
	if (ring->broken)
		return -EPROTO;
	if (!sluice_resp_ready(ring->u_resp_tail, ring->resp_head, ring->map.resp_entries,
			       &ready)) {
		WRITE_ONCE(ring->broken, true);
		WRITE_ONCE(ring->bad_responses, ring->bad_responses + 1);
		sluice_ring_state(ring, SLUICE_STATE_BROKEN, 0);
		wake_up_interruptible_all(&ring->wq);
		schedule_work(&ring->broken_work);
		return -EPROTO;
	}
	ready = min(ready, budget);
	while (done < ready)
		done += run_section(ring, ready - done, told);
	if (!llist_empty(&ring->dirty))
		sluice_conn_flush(&ring->dirty);
	return done;
}

/**
 * sluice_tx_run() - take responses and send them
 * @ring: set up; tx_lock is held
 * @budget: how many at the most
 *
 * An impossible tail breaks the ring: nothing of its consumer can be believed any more. It is
 * detached by a work item, since that needs sluice_mutex.
 *
 * Context: process. Return: how many were taken; -EPROTO broken; -ENODEV detached.
 */
int sluice_tx_run(struct sluice_ring *ring, unsigned int budget)
{
	u64 told = 0;

	return tx_run(ring, budget, &told);
}

static bool responses_pending(const struct sluice_ring *ring)
{
	return READ_ONCE(*ring->u_resp_tail) != READ_ONCE(ring->resp_head);
}

/* Adaptive: ask for a kick, look once more (K1 in sluice_ring_state()), sleep. */
static void sleep_until_kicked(struct sluice_ring *ring)
{
	set_current_state(TASK_INTERRUPTIBLE);
	sluice_ring_state(ring, SLUICE_STATE_NEED_KICK, 0);
	if (!responses_pending(ring) && !test_and_clear_bit(0, &ring->tx_kick) &&
	    !kthread_should_stop())
		schedule();
	__set_current_state(TASK_RUNNING);
	sluice_ring_state(ring, 0, SLUICE_STATE_NEED_KICK);
}

/*
 * Without a request in the consumer's hands there will be no response, and of a broken or detached
 * ring none is taken: sleep until one is published. tx_sleeping is ordered before the look at the
 * slots by the full barrier in set_current_state(); the publisher's is W1.
 */
static void sleep_until_published(struct sluice_ring *ring)
{
	WRITE_ONCE(ring->tx_sleeping, true);
	set_current_state(TASK_INTERRUPTIBLE);
	if ((!READ_ONCE(ring->slots.used) || READ_ONCE(ring->detached) ||
	     READ_ONCE(ring->broken)) && !kthread_should_stop())
		schedule();
	__set_current_state(TASK_RUNNING);
	WRITE_ONCE(ring->tx_sleeping, false);
}

/* Wake the thread that sleeps until a request is published. Context: section. */
void __sluice_tx_published(struct sluice_ring *ring)
{
	WRITE_ONCE(ring->tx_sleeping, false);
	wake_up_process(ring->task);
}

static void nap(void)
{
	ktime_t t = ns_to_ktime(NAP_NS);

	set_current_state(TASK_INTERRUPTIBLE);
	if (kthread_should_stop())
		__set_current_state(TASK_RUNNING);
	else
		schedule_hrtimeout_range(&t, NAP_NS, HRTIMER_MODE_REL);
}

/*
 * Others want the processor, perhaps the very consumer or client that we wait for: an adaptive
 * thread leaves it to them, and the responses to kicks.
 */
static bool crowded(struct sluice_ring *ring)
{
	if (!(ring->flags & SLUICE_RING_TX_ADAPTIVE) || single_task_running())
		return false;
	WRITE_ONCE(ring->crowded_until, sluice_now() + CROWDED_NS);
	return true;
}

/* What the thread does when the queue has been empty for @empty looks, since @since. */
static void idle(struct sluice_ring *ring, u32 empty, u64 since)
{
	if (!READ_ONCE(ring->detached) && !READ_ONCE(ring->broken) && crowded(ring)) {
		sleep_until_kicked(ring);
	} else if (empty < SPINS && !READ_ONCE(ring->detached)) {
		cpu_relax();
		cond_resched();
	} else if (READ_ONCE(ring->detached) || READ_ONCE(ring->broken)) {
		sleep_until_published(ring);
	} else if (ring->flags & SLUICE_RING_TX_THREAD) {
		if (READ_ONCE(ring->slots.used))
			nap();
		else
			sleep_until_published(ring);
	} else if (sluice_now() - since > (u64)ring->tx_idle_us * NSEC_PER_USEC) {
		sleep_until_kicked(ring);
	} else {
		nap();
	}
}

static int tx_thread(void *arg)
{
	struct sluice_ring *ring = arg;
	u64 last = sluice_now();
	u32 empty = 0;
	int n;

	while (!kthread_should_stop()) {
		if (responses_pending(ring) && !READ_ONCE(ring->detached)) {
			mutex_lock(&ring->tx_lock);
			n = sluice_tx_run(ring, 2 * SLUICE_TX_BATCH);
			mutex_unlock(&ring->tx_lock);
		} else {
			n = 0;
		}
		if (n > 0) {
			last = sluice_now();
			empty = 0;
			cond_resched();
			continue;
		}
		idle(ring, empty, last);
		if (empty < SPINS)
			empty++;
		else if (ring->flags & SLUICE_RING_TX_ADAPTIVE)
			last = READ_ONCE(ring->last_kick) > last ? READ_ONCE(ring->last_kick) :
								   last;
	}
	return 0;
}

/**
 * sluice_tx_start() - start the ring's thread, if its mode has one
 * @ring: not yet in a group
 * @cpu: where to bind it, -1: anywhere
 *
 * Context: may sleep. Return: 0 or -errno.
 */
int sluice_tx_start(struct sluice_ring *ring, int cpu)
{
	struct task_struct *task;

	if (ring->flags & SLUICE_RING_TX_KICK)
		return 0;
	task = kthread_create(tx_thread, ring, "sluice-tx/%d", task_tgid_nr(current));
	if (IS_ERR(task))
		return PTR_ERR(task);
	if (cpu >= 0)
		kthread_bind(task, cpu);
	get_task_struct(task);
	ring->task = task;
	wake_up_process(task);
	return 0;
}

/* End the thread; returns when it no longer runs. May sleep. */
void sluice_tx_stop(struct sluice_ring *ring)
{
	if (!ring->task)
		return;
	kthread_stop(ring->task);
	put_task_struct(ring->task);
	ring->task = NULL;
}

/* Kicks come faster than the thread's idle time, and its processor is free. tx_lock is held. */
static bool kicked_often(struct sluice_ring *ring, u64 now)
{
	u64 last = ring->last_kick;

	WRITE_ONCE(ring->last_kick, now);
	return now - last < (u64)ring->tx_idle_us * NSEC_PER_USEC &&
	       now >= READ_ONCE(ring->crowded_until);
}

/* Whether there are responses that nobody takes without a kick: K2. */
bool sluice_tx_wanted(const struct sluice_ring *ring)
{
	return responses_pending(ring) &&
	       sluice_resp_state(ring->k_state) & SLUICE_STATE_NEED_KICK;
}

/**
 * sluice_tx_kick() - a consumer asks to have its responses sent now
 * @ring: ring of an open file
 *
 * They are sent in the caller's own time. Kicks that come faster than the thread's idle time wake
 * the adaptive thread, which then polls and asks for no more of them while its processor is free.
 *
 * Context: process. Return: how many were sent; -EINVAL not set up; -EINTR; -EPROTO broken; -ENODEV
 * detached.
 */
int sluice_tx_kick(struct sluice_ring *ring)
{
	bool often = false;
	u32 total = 0;
	u64 told = 0;
	int n;

	if (!sluice_flag_test(&ring->ready))
		return -EINVAL;
	if (mutex_lock_interruptible(&ring->tx_lock))
		return -EINTR;
	WRITE_ONCE(ring->kicks, ring->kicks + 1);
	for (;;) {
		n = tx_run(ring, KICK_BUDGET, &told);
		if (n > 0)
			total += n;
		/* what is handed over meanwhile is another thread's, which kicks for it */
		if (n != KICK_BUDGET || total >= ring->map.resp_entries)
			break;
		cond_resched();
	}
	if (n >= 0 && (ring->flags & SLUICE_RING_TX_ADAPTIVE))
		often = kicked_often(ring, sluice_now());
	mutex_unlock(&ring->tx_lock);
	if (n < 0)
		return n;
	if (often) {
		set_bit(0, &ring->tx_kick);
		wake_up_process(ring->task);
	}
	return total;
}
