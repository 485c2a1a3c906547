// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steering: which ring of a group a request is offered to, and what happens if none will have it.
 */
#include "sluice.h"
#include "trace.h"

/* Refuse what could not be placed; the loss is told in band. Takes @req. */
static void refuse(struct sluice_group *g, struct sluice_req *req, enum sluice_outcome why)
{
	sluice_group_gap(g, why);
	sluice_req_reject(req, NULL, why);
}

/* Late binding: the request goes to the group's backlog. Takes @req. */
static void enqueue(struct sluice_group *g, const struct sluice_group_conf *conf,
		    struct sluice_req *req)
{
	enum sluice_outcome why;

	if (!sluice_backlog_charge(g, conf, req, &why)) {
		refuse(g, req, why);
		return;
	}
	trace_sluice_waiting(req, g, NULL);
	sluice_backlog_add(g, req);
	sluice_backlog_run(g);
}

/*
 * The ring with the fewest requests, or the first with room from a moving start; NULL: none has
 * room.
 */
static struct sluice_ring *pick_free(struct sluice_group *g, const struct sluice_rings *set,
				     bool least)
{
	u32 i, at, start = least ? 0 : (u32)atomic_read(&g->rr) % set->n;
	struct sluice_ring *best = NULL;
	u32 best_used = U32_MAX;

	for (i = 0; i < set->n; i++) {
		struct sluice_ring *ring;
		u32 used;

		at = start + i;
		ring = set->ring[at < set->n ? at : at - set->n];
		used = READ_ONCE(ring->slots.used);
		if (used >= READ_ONCE(ring->slots.window) || used >= best_used)
			continue;
		best = ring;
		best_used = used;
		if (!least || !used)
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

/* What an empty group does with a request. Takes @req. */
static void no_consumer(struct sluice_group *g, const struct sluice_group_conf *conf,
			struct sluice_req *req)
{
	if (conf->no_consumer == SLUICE_NO_CONSUMER_HOLD && conf->hold_ns)
		enqueue(g, conf, req);
	else
		refuse(g, req, SLUICE_OUTCOME_REJECTED_NO_CONSUMER);
}

/**
 * sluice_group_submit() - place a request: in a ring, in a backlog, or refuse it
 * @g: group
 * @req: request, counted as received by the group's class; taken if the answer is true
 * @fresh: straight from its socket, which can still have it if it is an adopted one
 *
 * Context: section. Return: false if the group has no consumer and passes such requests.
 */
bool sluice_group_submit(struct sluice_group *g, struct sluice_req *req, bool fresh)
{
	const struct sluice_group_conf *conf = sluice_group_conf(g);
	const struct sluice_rings *set = rcu_dereference_bh(g->rings);
	struct sluice_ring *ring;
	bool bound;
	int err;

	if (unlikely(!set->n) && fresh && conf->no_consumer == SLUICE_NO_CONSUMER_PASS &&
	    sluice_listener_passes(req->rule->listener))
		return false;
	if (fresh)
		sluice_req_detach(req);
	if (unlikely(!set->n)) {
		no_consumer(g, conf, req);
		return true;
	}
	bound = conf->steering != SLUICE_STEERING_LEAST && conf->steering != SLUICE_STEERING_FIFO;
	if (bound) {
		ring = pick_bound(g, conf, set, req->hash);
	} else {
		ring = NULL;
		if (!READ_ONCE(g->nbacklog))
			ring = pick_free(g, set, conf->steering == SLUICE_STEERING_LEAST);
	}
	err = ring ? sluice_ring_offer(ring, req, bound) : -EAGAIN;
	switch (err) {
	case 0:
		break;
	case -EMSGSIZE:
		refuse(g, req, SLUICE_OUTCOME_REJECTED_TOO_BIG);
		break;
	case -ENOBUFS: /* the ring itself tells its consumer of these two */
		sluice_req_reject(req, NULL, SLUICE_OUTCOME_REJECTED_BACKLOG_FULL);
		break;
	case -ENOMEM:
		sluice_req_reject(req, NULL, SLUICE_OUTCOME_REJECTED_MEMORY);
		break;
	default: /* no room, or the ring is leaving */
		enqueue(g, conf, req);
		break;
	}
	return true;
}
