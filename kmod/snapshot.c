// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walks everything the kernel holds of a namespace: to cancel, to repoint, and to read the ledger
 * at one instant.
 */
#include <linux/stop_machine.h>

#include "sluice.h"

/* Drop what @fn took; the caller holds @b's lock. */
static void visit_backlog(struct sluice_backlog *b, struct sluice_group *g, sluice_visit_fn fn,
			  void *arg)
{
	struct sluice_waiter *w, *next;
	struct sluice_req *req;
	u32 c;

	for (c = 0; c < SLUICE_QUEUE_CLASSES; c++) {
		list_for_each_entry_safe(w, next, &b->q.class_queue[c].by_age, in_class) {
			req = container_of(w, struct sluice_req, wait);
			if (!fn(req, NULL, arg))
				continue;
			sluice_queue_remove(&b->q, w);
			sluice_backlog_uncharge(g, req);
			sluice_req_free(req, false);
		}
	}
}

static void visit_group(struct sluice_group *g, sluice_visit_fn fn, void *arg)
{
	spin_lock(&g->lock);
	visit_backlog(&g->backlog, g, fn, arg);
	spin_unlock(&g->lock);
}

static void visit_ring(struct sluice_ring *ring, sluice_visit_fn fn, void *arg)
{
	u32 i;

	spin_lock(&ring->lock);
	visit_backlog(&ring->waiting, ring->group, fn, arg);
	for (i = 0; i < ring->slots.total; i++) {
		struct sluice_req *req = ring->req[i];

		if (ring->slots.state[i] != SLUICE_SLOT_PUBLISHED || !fn(req, ring, arg))
			continue;
		__sluice_ring_slot_cancel(ring, i, req);
		sluice_req_free(req, false);
	}
	spin_unlock(&ring->lock);
}

static void visit_all(struct sluice_net *sn, sluice_visit_fn fn, void *arg, bool stopped)
{
	struct sluice_group *g;
	struct sluice_ring *ring;

	list_for_each_entry(g, &sn->groups, list) {
		if (!stopped)
			local_bh_disable();
		visit_group(g, fn, arg);
		if (!stopped)
			local_bh_enable();
		list_for_each_entry(ring, &g->members, member) {
			if (!stopped)
				local_bh_disable();
			visit_ring(ring, fn, arg);
			if (!stopped)
				local_bh_enable();
		}
	}
}

/**
 * sluice_net_visit() - show every request that lies in a backlog or a published slot to @fn
 * @sn: namespace; sluice_mutex is held
 * @fn: returns true to have the request taken out and freed; it has counted its outcome then.
 *	Called under the lock of the list or ring, bottom halves disabled; must not sleep or take
 *	either kind of lock
 * @arg: for @fn
 *
 * A request that a section holds at this moment is not shown: see sluice_req_settle().
 */
void sluice_net_visit(struct sluice_net *sn, sluice_visit_fn fn, void *arg)
{
	lockdep_assert_held(&sluice_mutex);
	visit_all(sn, fn, arg, false);
}

static void ledger_sum(struct sluice_ledger *to, struct sluice_counters __percpu *cnt)
{
	int cpu, i;

	for_each_possible_cpu(cpu) {
		const struct sluice_counters *c = per_cpu_ptr(cnt, cpu);

		to->received += READ_ONCE(c->received);
		to->moved += READ_ONCE(c->moved);
		for (i = 0; i < SLUICE_OUTCOMES_N; i++)
			to->outcome[i] += READ_ONCE(c->outcome[i]);
	}
}

static void ledger_add(struct sluice_ledger *to, const struct sluice_ledger *from)
{
	int i;

	to->received += from->received;
	to->moved += from->moved;
	to->in_flight += from->in_flight;
	for (i = 0; i < SLUICE_OUTCOMES_N; i++)
		to->outcome[i] += from->outcome[i];
}

/* Add a leaving ring's counts to @into; nothing counts on the ring any more. */
void sluice_ring_ledger_fold(struct sluice_ring *ring, struct sluice_ledger *into)
{
	ledger_sum(into, ring->cnt);
}

static void rule_ledger_sum(struct sluice_rule_stats *s)
{
	int cpu, i;

	memset(&s->ledger, 0, sizeof(s->ledger));
	for_each_possible_cpu(cpu) {
		const struct sluice_rule_counters *c = per_cpu_ptr(s->cnt, cpu);

		s->ledger.received += READ_ONCE(c->received);
		for (i = 0; i < SLUICE_KINDS_N; i++)
			s->ledger.outcome[i] += READ_ONCE(c->kind[i]);
	}
}

static bool count_in_flight(struct sluice_req *req, struct sluice_ring *ring, void *arg)
{
	req->rule->ledger.in_flight++;
	req->rule->listener->ledger.in_flight++;
	req->class->ledger.in_flight++;
	if (ring)
		ring->ledger.in_flight++;
	return false;
}

static void snapshot_group(struct sluice_group *g)
{
	struct sluice_ring *ring;
	u32 i;

	memset(&g->ledger, 0, sizeof(g->ledger));
	for (i = 0; i < g->nclasses; i++) {
		memset(&g->class[i]->ledger, 0, sizeof(g->class[i]->ledger));
		ledger_sum(&g->class[i]->ledger, g->class[i]->cnt);
	}
	list_for_each_entry(ring, &g->members, member) {
		memset(&ring->ledger, 0, sizeof(ring->ledger));
		ledger_sum(&ring->ledger, ring->cnt);
	}
}

struct snapshot {
	struct sluice_net *sn;
	bool stopped;
};

static int snapshot_take(void *arg)
{
	struct snapshot *snap = arg;
	struct sluice_net *sn = snap->sn;
	struct sluice_rule_stats *s;
	struct sluice_listener *l;
	struct sluice_group *g;
	unsigned long id;
	u32 i;

	list_for_each_entry(l, &sn->listeners, list) {
		memset(&l->ledger, 0, sizeof(l->ledger));
		ledger_sum(&l->ledger, l->cnt);
		xa_for_each(&l->stats, id, s)
			rule_ledger_sum(s);
		rule_ledger_sum(l->retired);
	}
	list_for_each_entry(g, &sn->groups, list)
		snapshot_group(g);
	visit_all(sn, count_in_flight, NULL, snap->stopped);
	list_for_each_entry(g, &sn->groups, list)
		for (i = 0; i < g->nclasses; i++)
			ledger_add(&g->ledger, &g->class[i]->ledger);
	return 0;
}

/**
 * sluice_net_snapshot() - fill the ledgers of all objects of a namespace
 * @sn: namespace; sluice_mutex is held, and the ledgers are valid while it is
 * @exact: stop all CPUs, so that no section is half done: only then do the sums have to close.
 *	Costs a pause of some microseconds and some nanoseconds for each slot and rule
 *
 * In the stopped machine no spinlock is held by anyone: their holders run with preemption disabled.
 * With PREEMPT_RT they may sleep instead, so nothing is stopped: under traffic the sums may then be
 * off by what is on its way from one count to the next.
 *
 * Context: may sleep. Return: 0 or -errno of stop_machine().
 */
int sluice_net_snapshot(struct sluice_net *sn, bool exact)
{
	struct snapshot snap = {.sn = sn, .stopped = exact && !IS_ENABLED(CONFIG_PREEMPT_RT)};

	lockdep_assert_held(&sluice_mutex);
	if (snap.stopped)
		return stop_machine(snapshot_take, &snap, NULL);
	return snapshot_take(&snap);
}
