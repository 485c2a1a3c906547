// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ledger: every request is counted when it arrives and once more when it ends, with the reason.
 */
#include <linux/netdevice.h>

#include "ids.h"
#include "trace.h"

static const u8 outcome_kind[] = {
#define X(o, kind, reason, text) [SLUICE_OUTCOME_##o] = SLUICE_KIND_##kind,
	SLUICE_OUTCOMES(X)
#undef X
};

enum sluice_kind sluice_outcome_kind(enum sluice_outcome outcome)
{
	return outcome_kind[outcome];
}

/**
 * sluice_req_received() - count an arrival
 * @req: request with its rule set
 * @l: listener
 *
 * Context: section.
 */
void sluice_req_received(struct sluice_req *req, struct sluice_listener *l)
{
	this_cpu_inc(l->cnt->received);
	this_cpu_inc(req->rule->cnt->received);
	trace_sluice_received(l, req);
}

/*
 * Take back what was counted of a request that nobody has seen and that stays where it came from.
 * Context: the section that counted it.
 */
void sluice_req_unreceived(struct sluice_req *req)
{
	this_cpu_dec(req->rule->listener->cnt->received);
	this_cpu_dec(req->rule->cnt->received);
	if (req->class)
		this_cpu_dec(req->class->cnt->received);
}

/**
 * sluice_req_finish() - count the one outcome of a request
 * @req: request
 * @ring: ring it was published to, or NULL
 * @outcome: how it ended, if nobody cancelled it since the section has it
 *
 * Context: the section that took the request out of its list or slot.
 */
void sluice_req_finish(struct sluice_req *req, struct sluice_ring *ring,
		       enum sluice_outcome outcome)
{
	struct sluice_rule_stats *rule = req->rule;

	if (unlikely(req->tag) && sluice_ids_leave(req))
		outcome = SLUICE_OUTCOME_CANCELLED_PEER;
	this_cpu_inc(rule->listener->cnt->outcome[outcome]);
	this_cpu_inc(rule->cnt->kind[outcome_kind[outcome]]);
	if (req->class)
		this_cpu_inc(req->class->cnt->outcome[outcome]);
	if (ring)
		this_cpu_inc(ring->cnt->outcome[outcome]);
	trace_sluice_outcome(req, ring, outcome);
}

/**
 * sluice_tally_end() - count what sluice_req_tally() has gathered
 * @t: tally, empty afterwards
 *
 * Context: the section in which the requests ended.
 */
void sluice_tally_end(struct sluice_tally *t)
{
	if (!t->n)
		return;
	this_cpu_add(t->rule->listener->cnt->outcome[t->outcome], t->n);
	this_cpu_add(t->rule->cnt->kind[outcome_kind[t->outcome]], t->n);
	this_cpu_add(t->class->cnt->outcome[t->outcome], t->n);
	this_cpu_add(t->ring->cnt->outcome[t->outcome], t->n);
	t->n = 0;
}

/**
 * sluice_req_tally() - sluice_req_finish() for requests that end in a row
 * @t: tally; the section ends with sluice_tally_end()
 * @req: request that a consumer has answered: its id is known no more
 * @ring: the consumer's
 * @outcome: how it ended
 *
 * Context: as sluice_req_finish(); objects that @t refers to stay for the section.
 */
void sluice_req_tally(struct sluice_tally *t, struct sluice_req *req, struct sluice_ring *ring,
		      enum sluice_outcome outcome)
{
	if (unlikely(t->n && (t->rule != req->rule || t->class != req->class || t->ring != ring ||
			      t->outcome != outcome)))
		sluice_tally_end(t);
	t->rule = req->rule;
	t->class = req->class;
	t->ring = ring;
	t->outcome = outcome;
	t->n++;
	trace_sluice_outcome(req, ring, outcome);
}

/* Send the listener's reject reply, if it has one, and if nothing of another has gone. */
static void reject_reply(struct sluice_req *req)
{
	const struct sluice_listener_conf *conf = rcu_dereference_bh(req->rule->listener->conf);
	u8 reply[SLUICE_REJECT_MAX] sluice_uninit;

	if (!conf->reject_len || req->parts)
		return;
	memcpy(reply, conf->reject, conf->reject_len);
	if (!sluice_req_copy(req, reply, min(conf->reject_copy, req->len)))
		sluice_req_reply(req, NULL, reply, conf->reject_len, true);
}

/*
 * What a connection's request that is dropped means for the replies after it: a rule, a consumer or
 * the client itself wants it so, or its place must be filled.
 */
static void drop_reply(struct sluice_req *req, enum sluice_outcome outcome)
{
	switch (outcome) {
	case SLUICE_OUTCOME_DROPPED_RULE:
	case SLUICE_OUTCOME_DONE:
	case SLUICE_OUTCOME_DONE_CANCEL:
	case SLUICE_OUTCOME_DONE_CANCEL_MISSED:
	case SLUICE_OUTCOME_DONE_RETRY:
		req->settled = true;
		break;
	case SLUICE_OUTCOME_CANCELLED_PEER:
		/* half a reply cannot be taken back */
		req->settled = !req->parts;
		break;
	case SLUICE_OUTCOME_EXPIRED_BACKLOG:
	case SLUICE_OUTCOME_EXPIRED_RING:
	case SLUICE_OUTCOME_DROPPED_BAD_RESPONSE:
		reject_reply(req);
		break;
	default:
		break;
	}
}

/*
 * End a request without a word to its sender, unless that would shift the replies of a connection.
 * Takes @req. Context: as sluice_req_finish().
 */
void sluice_req_drop(struct sluice_req *req, struct sluice_ring *ring, enum sluice_outcome outcome)
{
	sluice_req_finish(req, ring, outcome);
	if (req->kind == SLUICE_REQ_KIND_TCP)
		drop_reply(req, outcome);
	sluice_req_free(req, outcome_kind[outcome] == SLUICE_KIND_DONE);
}

/**
 * sluice_req_reject() - end a request with the listener's reject reply, if it has one
 * @req: taken
 * @ring: ring it was published to, or NULL
 * @outcome: of kind REJECTED
 *
 * Context: as sluice_req_finish(). The reply is sent at best effort: the request counts as rejected
 * either way.
 */
void sluice_req_reject(struct sluice_req *req, struct sluice_ring *ring,
		       enum sluice_outcome outcome)
{
	sluice_req_finish(req, ring, outcome);
	reject_reply(req);
	sluice_req_free(req, false);
}

/**
 * sluice_req_settle() - what a section does with a request that it is about to move to another list
 * or slot
 * @req: request; taken if the answer is false
 * @charged: group whose backlog limits it counts against, or NULL; given back if it is taken
 *
 * A removal in progress relies on this: it marks the object, waits for a grace period, and from
 * then on no request of a dead listener, nor with a retired rule's counters, enters a list or slot
 * that the removal has already walked.
 *
 * Return: false if the request's listener is being removed, its connection has ended, or its sender
 * has cancelled it; it has been counted so, and freed.
 */
bool sluice_req_settle(struct sluice_req *req, struct sluice_group *charged)
{
	struct sluice_rule_stats *rule = req->rule;

	if (unlikely(READ_ONCE(rule->retired)))
		req->rule = rule->listener->retired;
	if (unlikely(READ_ONCE(rule->listener->dead) || sluice_req_orphan(req))) {
		if (charged)
			sluice_backlog_uncharge(charged, req);
		sluice_req_drop(req, NULL,
				sluice_req_orphan(req) ? SLUICE_OUTCOME_CANCELLED_CONNECTION :
							 SLUICE_OUTCOME_CANCELLED_LISTENER);
		return false;
	}
	if (sluice_ids_cancelled(req)) {
		if (charged)
			sluice_backlog_uncharge(charged, req);
		sluice_req_drop(req, NULL, SLUICE_OUTCOME_CANCELLED_PEER);
		return false;
	}
	return true;
}
