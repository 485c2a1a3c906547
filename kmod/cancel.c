// SPDX-License-Identifier: GPL-2.0-only
/* Cancels, by an administrator's order, what the kernel and its consumers hold of somebody. */
#include "cancel.h"

#define BATCH 64 /* of one section */

static bool is_from(const struct sluice_cancel *c, const struct sluice_req *req)
{
	struct sluice_from from;

	sluice_req_from(req, &from);
	return from.family == c->from.family && (!c->from.port || from.port == c->from.port) &&
	       !memcmp(from.addr, c->from.addr, sizeof(from.addr));
}

static bool wanted(const struct sluice_cancel *c, const struct sluice_req *req)
{
	/* what comes later is not meant, and so there is an end */
	return req->arrival <= c->before && (!c->class || req->class == c->class) &&
	       (!c->listener || req->rule->listener == c->listener) &&
	       (!c->conn || sluice_req_conn(req) == c->conn) &&
	       (!c->from.family || is_from(c, req));
}

/* Take up to BATCH out of @b, whose lock is held. Return: how many. */
static u32 take_waiting(const struct sluice_cancel *c, struct sluice_backlog *b,
			struct list_head *out)
{
	struct sluice_waiter *w, *next;
	u32 class_id, n = 0;

	for (class_id = 0; class_id < SLUICE_QUEUE_CLASSES; class_id++) {
		list_for_each_entry_safe(w, next, &b->q.class_queue[class_id].by_age, in_class) {
			if (!wanted(c, container_of(w, struct sluice_req, wait)))
				continue;
			sluice_queue_remove(&b->q, w);
			list_add_tail(&w->in_class, out);
			if (++n == BATCH)
				return n;
		}
	}
	return n;
}

/* One section. Return: whether there may be more. */
static bool cancel_waiting(struct sluice_cancel *c, struct sluice_group *g,
			   struct sluice_backlog *b, spinlock_t *lock)
{
	struct sluice_waiter *w, *next;
	LIST_HEAD(out);
	u32 n;

	local_bh_disable();
	spin_lock(lock);
	n = take_waiting(c, b, &out);
	spin_unlock(lock);
	list_for_each_entry_safe(w, next, &out, in_class) {
		struct sluice_req *req = container_of(w, struct sluice_req, wait);

		if (!sluice_req_settle(req, g))
			continue;
		sluice_backlog_uncharge(g, req);
		sluice_req_reject(req, NULL, SLUICE_OUTCOME_CANCELLED_ADMIN);
		c->waiting++;
	}
	local_bh_enable();
	return n == BATCH;
}

/* The same for slots from @slot on. Return: the slot to go on with. */
static u32 cancel_published(struct sluice_cancel *c, struct sluice_ring *ring, u32 slot)
{
	struct sluice_req *req[BATCH];
	u32 i, n = 0;

	local_bh_disable();
	spin_lock(&ring->lock);
	for (; slot < ring->slots.total && n < BATCH; slot++) {
		if (ring->slots.state[slot] != SLUICE_SLOT_PUBLISHED ||
		    !wanted(c, ring->req[slot]))
			continue;
		req[n] = ring->req[slot];
		__sluice_ring_slot_cancel(ring, slot, req[n++]);
	}
	spin_unlock(&ring->lock);
	for (i = 0; i < n; i++)
		sluice_req_reject(req[i], ring, SLUICE_OUTCOME_CANCELLED_ADMIN);
	c->published += n;
	local_bh_enable();
	return slot;
}

static void cancel_group(struct sluice_cancel *c, struct sluice_group *g)
{
	struct sluice_ring *ring;
	u32 slot;

	while (cancel_waiting(c, g, &g->backlog, &g->lock))
		cond_resched();
	list_for_each_entry(ring, &g->members, member) {
		while (cancel_waiting(c, g, &ring->waiting, &ring->lock))
			cond_resched();
		for (slot = 0; slot < ring->slots.total; cond_resched())
			slot = cancel_published(c, ring, slot);
	}
	/* those behind them may have a place now */
	sluice_backlog_run(g);
}

/**
 * sluice_cancel() - cancel all requests that are meant, wherever they are
 * @sn: namespace; sluice_mutex is held
 * @c: which, and how many it were
 *
 * Their senders get the listener's reject reply, if it has one. One that a section held at the
 * first look lies somewhere at the second.
 *
 * Context: may sleep.
 */
void sluice_cancel(struct sluice_net *sn, struct sluice_cancel *c)
{
	struct sluice_group *g;
	int pass;

	lockdep_assert_held(&sluice_mutex);
	c->before = sluice_now();
	for (pass = 0; pass < 2; pass++) {
		list_for_each_entry(g, &sn->groups, list)
			if (!c->group || g == c->group)
				cancel_group(c, g);
		if (!pass)
			synchronize_rcu();
	}
}
