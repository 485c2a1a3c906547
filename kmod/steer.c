// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steering: which ring of a group a request is offered to, and what happens if none will have it.
 */
#include "sluice.h"
#include "trace.h"

/* Refuse a request for want of room. Return: 0, it is taken; -EAGAIN it stays with the caller. */
static int refuse_full(struct sluice_req *req, enum sluice_outcome why)
{
	if (sluice_req_can_stay(req))
		return -EAGAIN;
	sluice_req_reject(req, NULL, why);
	return 0;
}

/* Refuse what could not be placed; the loss is told in band. Takes @req. Return: 0. */
static int refuse(struct sluice_group *g, struct sluice_req *req, enum sluice_outcome why)
{
	sluice_group_gap(g, why);
	sluice_req_reject(req, NULL, why);
	return 0;
}

/* Late binding: the request goes to the group's backlog. Return: as refuse_full(). */
static int enqueue(struct sluice_group *g, struct sluice_req *req)
{
	int err;

	trace_sluice_waiting(req, g, NULL);
	err = sluice_backlog_add(g, req);
	if (likely(!err)) {
		sluice_backlog_run(g);
		return 0;
	}
	if (sluice_req_can_stay(req))
		return -EAGAIN;
	return refuse(g, req,
		      err == -ENOMEM ? SLUICE_OUTCOME_REJECTED_MEMORY :
				       SLUICE_OUTCOME_REJECTED_BACKLOG_FULL);
}

/* The ring with room that has the least to do. Return: NULL if none has room. */
struct sluice_ring *sluice_steer_least(const struct sluice_rings *set)
{
	struct sluice_ring *best = NULL;
	u32 i, best_used = U32_MAX;

	for (i = 0; i < set->n; i++) {
		struct sluice_ring *ring = set->ring[i];
		u32 used = READ_ONCE(ring->slots.used);

		if (used >= best_used || !sluice_ring_has_room(ring))
			continue;
		best = ring;
		best_used = used;
		if (!used)
			break;
	}
	return best;
}

static struct sluice_ring *pick_bound(struct sluice_group *g, const struct sluice_group_conf *conf,
				      const struct sluice_rings *set, u32 hash)
{
	switch (conf->steering) {
	case SLUICE_STEERING_CPU:
		return set->ring[(u32)smp_processor_id() % set->n];
	case SLUICE_STEERING_RR:
		return set->ring[(u32)atomic_inc_return(&g->rr) % set->n];
	default:
		return set->ring[sluice_hash_reduce(hash, set->n)];
	}
}

/* What an empty group does with a request. Return: as refuse_full(). */
static int no_consumer(struct sluice_group *g, const struct sluice_group_conf *conf,
		       struct sluice_req *req)
{
	if (conf->no_consumer == SLUICE_NO_CONSUMER_HOLD && conf->hold_ns)
		return enqueue(g, req);
	return refuse(g, req, SLUICE_OUTCOME_REJECTED_NO_CONSUMER);
}

/**
 * sluice_group_submit() - place a request: in a ring, in a backlog, or refuse it
 * @g: group
 * @req: request, counted as received by the group's class; taken if the answer is 0
 * @fresh: straight from its socket, which can still have it
 *
 * Context: section.
 * Return: 0; -ENOENT the group has no consumer and passes such requests to their adopted socket;
 * -EAGAIN there is no room now, and the request can stay in its stream.
 */
int sluice_group_submit(struct sluice_group *g, struct sluice_req *req, bool fresh)
{
	const struct sluice_group_conf *conf = sluice_group_conf(g);
	const struct sluice_rings *set = rcu_dereference_bh(g->rings);
	struct sluice_ring *ring;
	bool bound;
	u64 now;
	int err;

	if (unlikely(!set->n) && fresh && conf->no_consumer == SLUICE_NO_CONSUMER_PASS &&
	    sluice_listener_passes(req->rule->listener))
		return -ENOENT;
	if (fresh)
		sluice_req_detach(req);
	else
		req->returned = true;
	if (unlikely(!set->n))
		return no_consumer(g, conf, req);
	bound = conf->steering < SLUICE_STEERING_LEAST;
	if (bound)
		ring = pick_bound(g, conf, set, req->hash);
	else if (conf->steering == SLUICE_STEERING_TYPED || READ_ONCE(g->backlog.q.n))
		ring = NULL;
	else
		ring = sluice_steer_least(set);
	now = fresh ? req->arrival : sluice_now();
	err = ring ? sluice_ring_offer(ring, req, bound, now) : -EAGAIN;
	return likely(!err) ? 0 : sluice_group_unplaced(g, req, err);
}

/* @err: what sluice_ring_offer() said of a request. Return: as sluice_group_submit(). */
int sluice_group_unplaced(struct sluice_group *g, struct sluice_req *req, int err)
{
	switch (err) {
	case -EMSGSIZE:
		return refuse(g, req, SLUICE_OUTCOME_REJECTED_TOO_BIG);
	case -ENOBUFS: /* the ring itself tells its consumer of these two */
		return refuse_full(req, SLUICE_OUTCOME_REJECTED_BACKLOG_FULL);
	case -ENOMEM:
		return refuse_full(req, SLUICE_OUTCOME_REJECTED_MEMORY);
	default: /* no room, or the ring is leaving */
		return enqueue(g, req);
	}
}
