// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a message to its place: classifies what a listener received, counts it, sends it on its way.
 * The same for whatever the message came in.
 */
#include "ids.h"
#include "ingress.h"

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

/*
 * There is no memory to keep a message in that @req stands for. Takes @req; a datagram is used up,
 * a frame stays its driver's.
 */
static noinline void no_memory(struct sluice_group *g, struct sluice_req *req)
{
	struct sluice_req spare = *req;

	if (!req->borrowed) {
		req->frame = NULL; /* the driver's still; of a datagram keeping cannot fail */
		sluice_req_free(req, true);
	}
	spare.borrowed = true;
	sluice_group_gap(g, SLUICE_OUTCOME_REJECTED_MEMORY);
	sluice_req_reject(&spare, NULL, SLUICE_OUTCOME_REJECTED_MEMORY);
}

/* Send a request to a group. Takes @req. Return: false if the stack shall have the message. */
static bool submit(const struct sluice_verdict_to *to, const struct sluice_msg *msg,
		   struct sluice_req *req, const struct sluice_classified *found)
{
	struct sluice_class *class = to->class;
	struct sluice_group *g = class->group;

	req->hash = sluice_ingress_hash(g, msg, req, found);
	sluice_req_grouped(req, class);
	if (unlikely(req->borrowed) ||
	    (req->kind != SLUICE_REQ_KIND_UDP && unlikely(!sluice_req_keep(req)))) {
		no_memory(g, req);
		return true;
	}
	if (unlikely(to->id.len) && !sluice_ids_enter(to, msg, req)) {
		sluice_req_drop(req, NULL, SLUICE_OUTCOME_DONE_RETRY);
		return true;
	}
	if (likely(!sluice_group_submit_fresh(g, req)))
		return true;
	if (unlikely(req->tag) && sluice_ids_leave(req)) {
		sluice_req_drop(req, NULL, SLUICE_OUTCOME_CANCELLED_PEER);
		return true;
	}
	sluice_req_finish(req, NULL, SLUICE_OUTCOME_PASSED_NO_CONSUMER);
	sluice_req_pass(req);
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

static __always_inline void fill(struct sluice_req *req, const struct sluice_arrival *from)
{
	memset(req, 0, sizeof(*req));
	req->len = from->len;
	req->off = from->off;
	req->ifindex = from->ifindex;
	req->truesize = from->truesize + sizeof(*req);
	req->kind = from->kind;
	req->l3 = from->l3;
	req->shared = from->shared;
	req->skb = from->skb; /* or the frame */
}

/**
 * sluice_ingress() - classify a message and send it where its rule says
 * @l: listener that received it
 * @msg: the message for the rules; at least its first SLUICE_DEPTH_MAX bytes are readable
 * @hint: what a program said of it, or NULL: the rules decide
 * @from: what it lies in
 *
 * The request is filled in where it stays; one that goes to no group, or for which there is no
 * memory, on the stack.
 *
 * Context: section. Return: true if the bytes were taken, a datagram with its skb; false if they
 * are left to the stack.
 */
bool sluice_ingress(struct sluice_listener *l, const struct sluice_msg *msg,
		    const struct sluice_hint *hint, const struct sluice_arrival *from)
{
	struct sluice_req spare sluice_uninit, *own = NULL, *req;
	const struct sluice_verdict_to *to;
	struct sluice_classified found;

	to = sluice_classify(rcu_dereference_bh(l->rules), rcu_dereference_bh(l->conf), msg, hint,
			     &found);
	if (unlikely(found.bad))
		atomic64_inc(&l->bad_verdicts);
	if (likely(to->action == SLUICE_ACTION_GROUP))
		own = sluice_req_alloc();
	req = own ?: &spare;
	fill(req, from);
	req->borrowed = !own;
	req->rule = to->stats;
	req->arrival = from->now ?: sluice_now();
	req->deadline = sluice_deadline(to, msg, req->arrival);
	req->prio = found.prio < 0 ? to->prio : found.prio;
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
