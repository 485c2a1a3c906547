// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a message to its place: classifies what a listener received, counts it, sends it on its way.
 * The same for whatever the message came in.
 */
#include "ids.h"

/*
 * Hash of the steering key, which consumers can compute too; else of the flow, with a secret.
 * @found: what a program may have said of it, or NULL
 */
u32 sluice_ingress_hash(const struct sluice_group *g, const struct sluice_msg *msg,
			const struct sluice_req *req, const struct sluice_classified *found)
{
	const struct sluice_group_conf *conf = sluice_group_conf(g);
	u32 hash;

	if (unlikely(found && found->has_key))
		return found->key;
	if (conf->key.type != SLUICE_KEY_FLOW && sluice_key_hash(&conf->key, msg, 0, &hash))
		return hash;
	return sluice_req_flow(req, g->seed);
}

/* Send a request to a group. @req is the caller's. Return: false if the stack shall have it. */
static bool submit(const struct sluice_verdict_to *to, const struct sluice_msg *msg,
		   struct sluice_req *req, const struct sluice_classified *found)
{
	struct sluice_class *class = to->class;
	struct sluice_group *g = class->group;
	struct sluice_req *own;

	req->hash = sluice_ingress_hash(g, msg, req, found);
	sluice_req_grouped(req, class);
	own = sluice_req_create(req);
	if (unlikely(!own)) {
		sluice_group_gap(g, SLUICE_OUTCOME_REJECTED_MEMORY);
		sluice_req_reject(req, NULL, SLUICE_OUTCOME_REJECTED_MEMORY);
		return true;
	}
	if (unlikely(to->id.len) && !sluice_ids_enter(to, msg, own)) {
		sluice_req_drop(own, NULL, SLUICE_OUTCOME_DONE_RETRY);
		return true;
	}
	if (likely(!sluice_group_submit(g, own, true)))
		return true;
	if (unlikely(own->tag) && sluice_ids_leave(own)) {
		sluice_req_drop(own, NULL, SLUICE_OUTCOME_CANCELLED_PEER);
		return true;
	}
	sluice_req_finish(own, NULL, SLUICE_OUTCOME_PASSED_NO_CONSUMER);
	sluice_req_pass(own);
	return false;
}

/* A message that is about an earlier request of its sender. Takes @req. Context: section. */
void sluice_req_cancel_by(const struct sluice_verdict_to *to, const struct sluice_msg *msg,
			  struct sluice_req *req)
{
	bool found = sluice_ids_cancel(to, msg, req);

	sluice_req_drop(req, NULL,
			found ? SLUICE_OUTCOME_DONE_CANCEL : SLUICE_OUTCOME_DONE_CANCEL_MISSED);
}

/**
 * sluice_ingress_hinted() - classify a message and send it where its rule says
 * @l: listener that received it
 * @msg: the message for the rules; at least its first SLUICE_DEPTH_MAX bytes are readable
 * @hint: what a program said of it, or NULL: the rules decide
 * @req: the message as a request of the caller's stack: kind, bytes, len, truesize, ifindex; the
 *	rest is filled in here
 *
 * Context: section. Return: true if the bytes were taken; false if they are left to the stack.
 */
bool sluice_ingress_hinted(struct sluice_listener *l, const struct sluice_msg *msg,
			   const struct sluice_hint *hint, struct sluice_req *req)
{
	const struct sluice_verdict_to *to;
	struct sluice_classified found;

	to = sluice_classify(rcu_dereference_bh(l->rules), rcu_dereference_bh(l->conf), msg, hint,
			     &found);
	if (unlikely(found.bad))
		atomic64_inc(&l->bad_verdicts);
	req->rule = to->stats;
	req->arrival = sluice_now();
	req->deadline = sluice_deadline(to, msg, req->arrival);
	req->prio = found.prio < 0 ? to->prio : found.prio;
	req->borrowed = true;
	sluice_req_received(req, l);
	switch (to->action) {
	case SLUICE_ACTION_GROUP:
		return submit(to, msg, req, &found);
	case SLUICE_ACTION_PASS:
		sluice_req_finish(req, NULL, SLUICE_OUTCOME_PASSED_RULE);
		return false;
	case SLUICE_ACTION_DROP:
		sluice_req_drop(req, NULL, SLUICE_OUTCOME_DROPPED_RULE);
		return true;
	case SLUICE_ACTION_CANCEL:
		sluice_req_cancel_by(to, msg, req);
		return true;
	default:
		sluice_req_reject(req, NULL, SLUICE_OUTCOME_REJECTED_RULE);
		return true;
	}
}

/* The same for a message that no program has looked at. */
bool sluice_ingress(struct sluice_listener *l, const struct sluice_msg *msg, struct sluice_req *req)
{
	return sluice_ingress_hinted(l, msg, NULL, req);
}
