// SPDX-License-Identifier: GPL-2.0-only
/* Connections: what becomes of a message. */
#include "ids.h"
#include "ingress.h"
#include "tcp.h"

static void describe(const struct sluice_conn *c, const u8 *bytes, u32 len, struct sluice_msg *msg)
{
	msg->data = bytes;
	msg->len = len;
	msg->avail = len;
	msg->family = c->alen == 4 ? 4 : 6;
	memcpy(msg->saddr, c->peer, sizeof(c->peer));
}

/*
 * Whether a message cannot be left to the owner yet: something before it is not answered, or not
 * sent. Then whatever ends or is sent next looks again.
 */
static bool must_wait(struct sluice_conn *c, const struct sluice_req *req)
{
	WRITE_ONCE(c->attention, true);
	sluice_conn_asked(); /* E2 */
	return READ_ONCE(c->tx_seq) != req->seq || !sluice_conn_clear(c);
}

/*
 * Leave a message to the owner. What could not be kept in the receive queue cannot be left there.
 * Return: 0 rejected; -ENOENT left; -EBUSY not yet, nothing was counted.
 */
static int pass(struct sluice_conn *c, struct sluice_req *req)
{
	if (unlikely(c->head_len)) {
		sluice_req_received(req, c->tcp->l);
		sluice_req_reject(req, NULL, SLUICE_OUTCOME_REJECTED_TOO_BIG);
		sluice_bytes_put(req->bytes);
		return 0;
	}
	if (must_wait(c, req))
		return -EBUSY;
	sluice_req_received(req, c->tcp->l);
	sluice_req_finish(req, NULL, SLUICE_OUTCOME_PASSED_RULE);
	return -ENOENT;
}

/* Without memory for a request: refuse the message. Takes its bytes. */
static noinline void refuse(struct sluice_conn *c, const struct sluice_verdict_to *to,
			    struct sluice_req *req)
{
	sluice_req_received(req, c->tcp->l);
	sluice_req_grouped(req, to->class);
	sluice_group_gap(to->class->group, SLUICE_OUTCOME_REJECTED_MEMORY);
	sluice_req_reject(req, NULL, SLUICE_OUTCOME_REJECTED_MEMORY);
	sluice_bytes_put(req->bytes);
}

/*
 * Offer a message to a group. Return: 0 taken; -ENOENT left to the owner; -EAGAIN no room, -EBUSY
 * not the owner's yet: nothing was counted, and @req is the caller's still.
 */
static __always_inline int offer(struct sluice_conn *c, const struct sluice_verdict_to *to,
				 const struct sluice_msg *msg, struct sluice_req *req)
{
	int err;

	sluice_req_received(req, c->tcp->l);
	sluice_req_grouped(req, to->class);
	sluice_conn_get(c);
	if (unlikely(to->id.len) && !sluice_ids_enter(to, msg, req)) {
		sluice_req_drop(req, NULL, SLUICE_OUTCOME_DONE_RETRY);
		return 0;
	}
	err = sluice_group_submit_fresh(to->class->group, req);
	if (likely(!err))
		return 0;
	if (err == -ENOENT && unlikely(c->head_len)) {
		sluice_req_reject(req, NULL, SLUICE_OUTCOME_REJECTED_NO_CONSUMER);
		return 0;
	}
	if (unlikely(to->id.len))
		sluice_ids_retreat(req);
	if (err == -ENOENT && !must_wait(c, req))
		sluice_req_finish(req, NULL, SLUICE_OUTCOME_PASSED_NO_CONSUMER);
	else if (err == -ENOENT)
		err = -EBUSY;
	if (err != -ENOENT)
		sluice_req_unreceived(req);
	sluice_conn_put(c);
	req->class = NULL;
	return err;
}

/* There is no room: wait for it, unless there is some by then. Return: as offer(). */
static noinline int pause(struct sluice_conn *c, const struct sluice_verdict_to *to,
			  const struct sluice_msg *msg, struct sluice_req *req)
{
	int err;

	sluice_conn_pause(c, to->class->group);
	err = offer(c, to, msg, req);
	if (err == -EAGAIN)
		sluice_conn_count(c->tcp, SLUICE_CONN_PAUSED);
	else
		sluice_conn_unpause(c);
	return err;
}

/* The same, and if there is no room, wait for it; -EAGAIN: the connection waits. */
static __always_inline int offer_or_pause(struct sluice_conn *c, const struct sluice_verdict_to *to,
					  const struct sluice_msg *msg, struct sluice_req *req)
{
	struct sluice_group *g = to->class->group;
	int err = -EAGAIN;

	if (likely((u32)atomic_read(&g->waiting) < sluice_group_conf(g)->backlog ||
		   !sluice_group_conf(g)->backlog))
		err = offer(c, to, msg, req);
	if (unlikely(err == -EAGAIN))
		err = pause(c, to, msg, req);
	if (unlikely(err == -EAGAIN))
		return err;
	c->starved = false;
	sluice_conn_resume(g);
	return err;
}

/*
 * What goes to no group, or cannot. Return: as sluice_conn_take(); @req is of the caller's stack.
 */
static noinline int keep_out(struct sluice_conn *c, const struct sluice_verdict_to *to,
			     const struct sluice_msg *msg, struct sluice_req *req)
{
	switch (to->action) {
	case SLUICE_ACTION_PASS:
		return pass(c, req);
	case SLUICE_ACTION_GROUP:
		refuse(c, to, req);
		return 0;
	case SLUICE_ACTION_CANCEL:
		sluice_req_received(req, c->tcp->l);
		sluice_req_cancel_by(to, msg, req);
		break;
	case SLUICE_ACTION_DROP:
		sluice_req_received(req, c->tcp->l);
		sluice_req_drop(req, NULL, SLUICE_OUTCOME_DROPPED_RULE);
		break;
	default:
		sluice_req_received(req, c->tcp->l);
		sluice_req_reject(req, NULL, SLUICE_OUTCOME_REJECTED_RULE);
	}
	sluice_bytes_put(req->bytes);
	return 0;
}

/* As sluice_ingress_hash(), without asking what is known. */
static u32 hash_of(const struct sluice_conn *c, const struct sluice_group *g,
		   const struct sluice_msg *msg, const struct sluice_req *req,
		   const struct sluice_classified *found)
{
	if (likely(!found->has_key && c->seed == g->seed &&
		   sluice_group_conf(g)->key.type == SLUICE_KEY_FLOW))
		return c->hash;
	return sluice_ingress_hash(g, msg, req, found);
}

/**
 * sluice_conn_take() - send a message where its rule says
 * @c: its socket lock is held, by us or by the caller of a socket's callback
 * @bytes: in which it lies; of a reference it takes over if the answer is 0
 * @at: where
 * @len: bytes of it
 * @share: bytes of @bytes that it is charged for
 * @now: when it arrived, CLOCK_MONOTONIC ns
 *
 * Context: section. Return: 0 taken; -ENOENT left to the owner; -EAGAIN the connection waits for
 * room, -EBUSY for its own replies: nothing was counted.
 */
int sluice_conn_take(struct sluice_conn *c, struct sluice_bytes *bytes, u32 at, u32 len, u32 share,
		     u64 now)
{
	struct sluice_listener *l = c->tcp->l;
	struct sluice_req spare sluice_uninit;
	const struct sluice_verdict_to *to;
	struct sluice_req *req, *own = NULL;
	struct sluice_classified found sluice_uninit;
	struct sluice_msg msg sluice_uninit;
	struct sluice_hint hint sluice_uninit;
	bool asked;
	int err;

	describe(c, bytes->data + at, len, &msg);
	asked = unlikely(rcu_access_pointer(l->classifier)) &&
		sluice_classifier_ask_message(l, &msg, &hint);
	to = sluice_classify(rcu_dereference_bh(l->rules), rcu_dereference_bh(l->conf), &msg,
			     asked ? &hint : NULL, &found);
	if (likely(to->action == SLUICE_ACTION_GROUP))
		own = sluice_req_alloc();
	req = own ?: &spare;
	memset(req, 0, sizeof(*req));
	req->rule = to->stats;
	req->arrival = now;
	req->deadline = sluice_deadline(to, &msg, now);
	req->len = len;
	req->prio = found.prio < 0 ? to->prio : found.prio;
	req->kind = SLUICE_REQ_KIND_TCP;
	req->borrowed = !own;
	req->truesize = sizeof(*req) + max(share, sluice_bytes_room(len));
	req->seq = c->rx_seq;
	req->at = at;
	req->bytes = bytes;
	req->conn = c;
	WRITE_ONCE(c->rx_seq, c->rx_seq + 1);
	if (likely(own)) {
		own->hash = hash_of(c, to->class->group, &msg, own, &found);
		err = offer_or_pause(c, to, &msg, own);
	} else {
		err = keep_out(c, to, &msg, req);
	}
	if (unlikely(err)) {
		WRITE_ONCE(c->rx_seq, c->rx_seq - 1);
		if (own) {
			own->conn = NULL;
			own->bytes = NULL;
			sluice_req_free(own, true);
		}
	}
	if (unlikely(found.bad) && err != -EAGAIN && err != -EBUSY)
		atomic64_inc(&l->bad_verdicts);
	return err;
}
