// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections, the way in: cuts messages out of the socket's receive queue, takes those that have a
 * place to go, and leaves the rest where it is.
 */
#include "ids.h"
#include "tcp.h"

#define BUDGET	  64  /* messages of one go, then others have their turn */
#define PIECE	  256 /* bytes copied out of a fragment for the framer */
#define RESUME	  2   /* connections that one free place wakes */

/*
 * Which connections wait for room in which group. Room is told by sluice_conn_resume(), after the
 * counts or slots that make it have changed; a reader puts itself on the list before it asks for
 * room a last time. So either it finds the room, or it is found on the list. Each request that is
 * taken while others wait wakes the next: if there was room for it there may be more.
 */
static DEFINE_SPINLOCK(paused_lock);

/*
 * A message stays in the receive queue until it is complete, but one that the queue cannot hold:
 * what a socket may hold counts the overhead of its segments, of which a sender may make any. Its
 * first bytes then move into c->head, which is charged to the socket.
 */

/* A place in the receive queue. */
struct cursor {
	struct sk_buff *skb;
	u32 off;
};

/*
 * Find byte @at after those that were read. The socket lock is held: nobody changes the queue.
 * Return: false if it is not there.
 */
static bool seek(struct sock *sk, u32 at, struct cursor *cur)
{
	u32 seq = tcp_sk(sk)->copied_seq + at;
	struct sk_buff *skb;

	skb_queue_walk(&sk->sk_receive_queue, skb) {
		u32 off = seq - TCP_SKB_CB(skb)->seq;

		if (unlikely(TCP_SKB_CB(skb)->tcp_flags & TCPHDR_SYN))
			off--;
		if (off >= skb->len)
			continue;
		cur->skb = skb;
		cur->off = off;
		return true;
	}
	return false;
}

/* Copy @len bytes from byte @at on. Return: 0 or -EFAULT. */
int sluice_conn_copy(struct sock *sk, u32 at, u8 *to, u32 len)
{
	struct cursor cur;
	u32 n;

	while (len) {
		if (!seek(sk, at, &cur))
			return -EFAULT;
		n = min(len, cur.skb->len - cur.off);
		if (skb_copy_bits(cur.skb, cur.off, to, n))
			return -EFAULT;
		to += n;
		at += n;
		len -= n;
	}
	return 0;
}

/*
 * Show the framer what it has not seen of the message at @at, of which @avail bytes are there after
 * those in c->head. Return: as sluice_frame_feed(); -EFAULT.
 */
static int feed(struct sluice_conn *c, u32 at, u32 avail)
{
	u8 piece[PIECE] sluice_uninit;
	struct cursor cur;
	int ret = 0;
	u32 n;

	if (c->tcp->framing == SLUICE_FRAMING_BPF)
		return sluice_framer_feed(c, at, avail);
	while (!ret && c->fed - c->head_len < avail) {
		u32 fed = c->fed - c->head_len;
		const u8 *data = piece;

		if (!seek(c->sk, at + fed, &cur))
			return -EFAULT;
		n = min(avail - fed, cur.skb->len - cur.off);
		if (cur.off < skb_headlen(cur.skb)) {
			n = min(n, skb_headlen(cur.skb) - cur.off);
			data = cur.skb->data + cur.off;
		} else {
			n = min_t(u32, n, PIECE);
			if (skb_copy_bits(cur.skb, cur.off, piece, n))
				return -EFAULT;
		}
		ret = sluice_frame_feed(&c->tcp->frame, &c->frame, data, n);
		c->fed += n;
	}
	return ret;
}

static void pause(struct sluice_conn *c, struct sluice_group *g)
{
	spin_lock_bh(&paused_lock);
	if (!c->paused_on) {
		sluice_conn_get(c);
		WRITE_ONCE(c->paused_on, g);
		list_add_tail(&c->paused_node, &g->paused);
	}
	spin_unlock_bh(&paused_lock);
	/* whoever is woken may not use the room, and then nobody tells of it: the sweep does */
	sluice_backlog_arm(g);
	sluice_conn_waits(); /* C1 */
}

/* paused_lock is held; the reference of the list is the caller's now. */
static void unlink(struct sluice_conn *c)
{
	list_del_init(&c->paused_node);
	WRITE_ONCE(c->paused_on, NULL);
}

/* Take a connection off the list of its group, if it is on one. */
void sluice_conn_unpause(struct sluice_conn *c)
{
	bool was;

	spin_lock_bh(&paused_lock);
	was = c->paused_on;
	if (was)
		unlink(c);
	spin_unlock_bh(&paused_lock);
	if (was)
		sluice_conn_put(c);
}

static void resume(struct sluice_group *g, u32 max)
{
	struct sluice_conn *c;

	spin_lock_bh(&paused_lock);
	while (max-- && (c = list_first_entry_or_null(&g->paused, struct sluice_conn,
						      paused_node))) {
		unlink(c);
		sluice_conn_kick(c);
		sluice_conn_put(c);
	}
	spin_unlock_bh(&paused_lock);
}

/**
 * sluice_conn_resume() - a group may have room: read on where it was missing
 * @g: group
 *
 * Context: any but hard interrupts; the lock of a group or ring may be held.
 */
void sluice_conn_resume(struct sluice_group *g)
{
	sluice_conn_room(); /* C2 */
	if (unlikely(!list_empty(&g->paused)))
		resume(g, RESUME);
}

/* The group goes away, and no section can see it any more: nothing waits for it. */
void sluice_conn_resume_all(struct sluice_group *g)
{
	resume(g, U32_MAX);
}

static void describe(const struct sluice_conn *c, const u8 *bytes, struct sluice_msg *msg)
{
	msg->data = bytes;
	msg->len = c->need;
	msg->avail = c->need;
	msg->family = c->alen == 4 ? 4 : 6;
	memcpy(msg->saddr, c->peer, c->alen);
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
		kvfree(req->bytes);
		return 0;
	}
	if (must_wait(c, req))
		return -EBUSY;
	sluice_req_received(req, c->tcp->l);
	sluice_req_finish(req, NULL, SLUICE_OUTCOME_PASSED_RULE);
	return -ENOENT;
}

/*
 * Offer a message to a group. Return: 0 taken; -ENOENT left to the owner; -EAGAIN no room, -EBUSY
 * not the owner's yet: nothing was counted.
 */
static int offer(struct sluice_conn *c, struct sluice_group *g, const struct sluice_verdict_to *to,
		 const struct sluice_msg *msg, struct sluice_req *req)
{
	struct sluice_req *own;
	int err;

	sluice_req_received(req, c->tcp->l);
	sluice_req_grouped(req, to->class);
	own = sluice_req_create(req);
	if (unlikely(!own)) {
		sluice_group_gap(g, SLUICE_OUTCOME_REJECTED_MEMORY);
		sluice_req_reject(req, NULL, SLUICE_OUTCOME_REJECTED_MEMORY);
		kvfree(req->bytes);
		return 0;
	}
	sluice_conn_get(c);
	if (unlikely(to->id.len) && !sluice_ids_enter(to, msg, own)) {
		sluice_req_drop(own, NULL, SLUICE_OUTCOME_DONE_RETRY);
		return 0;
	}
	err = sluice_group_submit(g, own, true);
	if (likely(!err))
		return 0;
	if (err == -ENOENT && unlikely(c->head_len)) {
		sluice_req_reject(own, NULL, SLUICE_OUTCOME_REJECTED_NO_CONSUMER);
		return 0;
	}
	if (unlikely(to->id.len))
		sluice_ids_retreat(own);
	if (err == -ENOENT && !must_wait(c, req))
		sluice_req_finish(own, NULL, SLUICE_OUTCOME_PASSED_NO_CONSUMER);
	else if (err == -ENOENT)
		err = -EBUSY;
	if (err != -ENOENT)
		sluice_req_unreceived(own);
	own->conn = NULL;
	own->bytes = NULL;
	sluice_req_free(own, true);
	sluice_conn_put(c);
	req->class = NULL;
	return err;
}

/* The same, and if there is no room, wait for it; -EAGAIN: the connection waits. */
static int offer_or_pause(struct sluice_conn *c, const struct sluice_verdict_to *to,
			  const struct sluice_msg *msg, struct sluice_req *req)
{
	struct sluice_group *g = to->class->group;
	int err = -EAGAIN;

	if (likely((u32)atomic_read(&g->waiting) < sluice_group_conf(g)->backlog ||
		   !sluice_group_conf(g)->backlog))
		err = offer(c, g, to, msg, req);
	if (unlikely(err == -EAGAIN)) {
		pause(c, g);
		err = offer(c, g, to, msg, req);
		if (err == -EAGAIN) {
			sluice_conn_count(c->tcp, SLUICE_CONN_PAUSED);
			return err;
		}
		sluice_conn_unpause(c);
	}
	sluice_conn_resume(g);
	return err;
}

/* Send a message where its rule says. Takes @bytes if it returns 0. Context: section. */
static int dispatch(struct sluice_conn *c, u8 *bytes)
{
	struct sluice_listener *l = c->tcp->l;
	const struct sluice_verdict_to *to;
	struct sluice_classified found;
	struct sluice_msg msg;
	struct sluice_hint hint;
	bool asked;
	int err = 0;

	describe(c, bytes, &msg);
	asked = unlikely(rcu_access_pointer(l->classifier)) &&
		sluice_classifier_ask_message(l, &msg, &hint);
	to = sluice_classify(rcu_dereference_bh(l->rules), rcu_dereference_bh(l->conf), &msg,
			     asked ? &hint : NULL, &found);
	{
		struct sluice_req req = {
			.rule = to->stats,
			.arrival = sluice_now(),
			.len = c->need,
			.prio = found.prio < 0 ? to->prio : found.prio,
			.kind = SLUICE_REQ_KIND_TCP,
			.borrowed = true,
			.truesize = sizeof(req) + c->need,
			.seq = c->rx_seq,
			.bytes = bytes,
			.conn = c,
		};

		req.deadline = sluice_deadline(to, &msg, req.arrival);
		WRITE_ONCE(c->rx_seq, c->rx_seq + 1);
		if (to->action == SLUICE_ACTION_GROUP || to->action == SLUICE_ACTION_PASS) {
			if (to->action == SLUICE_ACTION_PASS) {
				err = pass(c, &req);
			} else {
				req.hash = sluice_ingress_hash(to->class->group, &msg, &req,
							       &found);
				err = offer_or_pause(c, to, &msg, &req);
			}
			if (err)
				WRITE_ONCE(c->rx_seq, c->rx_seq - 1);
			if (unlikely(found.bad) && err != -EAGAIN && err != -EBUSY)
				atomic64_inc(&l->bad_verdicts);
			return err;
		}
		if (unlikely(found.bad))
			atomic64_inc(&l->bad_verdicts);
		sluice_req_received(&req, l);
		if (to->action == SLUICE_ACTION_CANCEL)
			sluice_req_cancel_by(to, &msg, &req);
		else if (to->action == SLUICE_ACTION_DROP)
			sluice_req_drop(&req, NULL, SLUICE_OUTCOME_DROPPED_RULE);
		else
			sluice_req_reject(&req, NULL, SLUICE_OUTCOME_REJECTED_RULE);
	}
	kvfree(bytes);
	return 0;
}

static u8 *buffer(u32 size, gfp_t gfp)
{
	return gfp == GFP_KERNEL ? kvmalloc(size, gfp) : kmalloc(size, gfp | __GFP_NOWARN);
}

/* The bytes in c->head are somebody else's now, or gone. The socket lock is held. */
static void uncharge(struct sluice_conn *c)
{
	sk_mem_uncharge(c->sk, c->head_room);
	c->head = NULL;
	c->head_len = 0;
	c->head_room = 0;
}

/* Let go of what was kept of a message. The socket lock is held. */
void sluice_conn_drop_head(struct sluice_conn *c)
{
	if (!c->head)
		return;
	kvfree(c->head);
	uncharge(c);
}

/* Make c->head as large as @size. Return: 0 or -ENOMEM. */
static int grow(struct sluice_conn *c, u32 size, gfp_t gfp)
{
	struct sock *sk = c->sk;
	u32 len = c->head_len;
	u8 *bytes;

	if (size <= c->head_room)
		return 0;
	bytes = buffer(size, gfp);
	if (!bytes)
		return -ENOMEM;
	if (!__sk_mem_schedule(sk, size, SK_MEM_RECV)) {
		kvfree(bytes);
		return -ENOMEM;
	}
	memcpy(bytes, c->head, len);
	sluice_conn_drop_head(c);
	sk_mem_charge(sk, size);
	c->head = bytes;
	c->head_len = len;
	c->head_room = size;
	return 0;
}

/* Take the complete message at @at whose first bytes are in c->head. Return: as take(). */
static int take_rest(struct sluice_conn *c, u32 at, gfp_t gfp)
{
	int err = grow(c, c->need, gfp);

	if (err)
		return err;
	err = sluice_conn_copy(c->sk, at, c->head + c->head_len, c->need - c->head_len);
	if (err)
		return err;
	local_bh_disable();
	err = dispatch(c, c->head);
	local_bh_enable();
	if (!err)
		uncharge(c);
	return err;
}

/*
 * Take the complete message at @at.
 * Return: 0; -EAGAIN the connection waits for room, -EBUSY for its own replies; -ENOENT it is left
 * to the owner; -ENOMEM; -EFAULT.
 */
static int take(struct sluice_conn *c, u32 at, gfp_t gfp)
{
	u8 *bytes;
	int err;

	if (unlikely(c->head_len))
		return take_rest(c, at, gfp);
	bytes = buffer(c->need, gfp);
	if (unlikely(!bytes))
		return -ENOMEM;
	err = sluice_conn_copy(c->sk, at, bytes, c->need);
	if (likely(!err)) {
		local_bh_disable();
		err = dispatch(c, bytes);
		local_bh_enable();
	}
	if (unlikely(err))
		kvfree(bytes);
	return err;
}

/* Nothing more is read; what is in flight is answered. */
static void stop(struct sluice_conn *c, enum sluice_conn_count why)
{
	sluice_conn_ending(c, why);
	sluice_conn_kick(c);
}

static void fault(struct sluice_conn *c, int err, gfp_t gfp)
{
	switch (err) {
	case -EMSGSIZE:
		stop(c, SLUICE_CONN_OVERSIZE);
		break;
	case -EPROTO:
		stop(c, SLUICE_CONN_BROKEN);
		break;
	case -ENOMEM:
		if (gfp != GFP_KERNEL) {
			sluice_conn_kick(c); /* where one may wait for memory */
			break;
		}
		fallthrough;
	default:
		sluice_conn_doom(c, SLUICE_CONN_MEMORY);
	}
}

/* Whether the connection has as much to be answered, or to be sent, as it may have. */
static bool held(const struct sluice_conn *c)
{
	return sluice_conn_in_flight(c) >= c->tcp->pipeline ||
	       READ_ONCE(c->memory) >= c->tcp->send_limit;
}

static void next_message(struct sluice_conn *c)
{
	WRITE_ONCE(c->requests, c->requests + 1);
	c->need = 0;
	c->fed = 0;
	BUILD_BUG_ON(sizeof(c->framer) > sizeof(c->frame));
	memset(&c->frame, 0, sizeof(c->frame));
}

/*
 * Read up to BUDGET messages. Return: their bytes; in *more, whether others may follow; in
 * *passed, how long the next one is, if it is left to the owner.
 */
static u32 read_some(struct sluice_conn *c, gfp_t gfp, bool *more, u32 *passed)
{
	u32 done = 0, budget, left, avail = tcp_inq(c->sk);
	int ret;

	*more = true;
	for (budget = BUDGET; budget; budget--) {
		if (unlikely(held(c))) {
			WRITE_ONCE(c->attention, true);
			sluice_conn_asked(); /* E2 */
			if (held(c))
				return done;
		}
		if (!c->need && (avail != done || c->head_len)) {
			ret = feed(c, done, avail - done);
			if (unlikely(ret < 0)) {
				fault(c, ret, GFP_KERNEL);
				return done;
			}
			c->need = ret;
		}
		left = c->need - c->head_len;
		if (!c->need || left > avail - done) {
			*more = false;
			return done;
		}
		ret = take(c, done, gfp);
		if (unlikely(ret)) {
			if (ret == -ENOENT) {
				*passed = left;
				next_message(c);
			} else if (ret != -EAGAIN && ret != -EBUSY) {
				fault(c, ret, gfp);
			}
			return done;
		}
		done += left;
		next_message(c);
	}
	sluice_conn_kick(c);
	return done;
}

/*
 * Whether no more may come before what is there is read: the condition of tcp_epollin_ready(), but
 * that memory is short for all sockets leaves each a window.
 */
static bool full(const struct sock *sk)
{
	int room = READ_ONCE(sk->sk_rcvbuf);

	return atomic_read(&sk->sk_rmem_alloc) > room - (room >> 3) ||
	       tcp_receive_window(tcp_sk(sk)) <= inet_csk(sk)->icsk_ack.rcv_mss;
}

/* Move the bytes of a message that is not complete out of the receive queue. */
static void stash(struct sluice_conn *c, gfp_t gfp)
{
	u32 n = tcp_inq(c->sk), len = c->head_len + n;
	u32 size = c->need ?: max(len, min(c->tcp->frame.max, 2 * len));
	int err;

	if (gfp != GFP_KERNEL) {
		sluice_conn_kick(c); /* where one may wait for memory */
		return;
	}
	err = grow(c, size, gfp);
	if (!err)
		err = sluice_conn_copy(c->sk, 0, c->head + c->head_len, n);
	if (unlikely(err)) {
		fault(c, err, gfp);
		return;
	}
	c->head_len = len;
	WRITE_ONCE(c->received_bytes, c->received_bytes + n);
	tcp_read_done(c->sk, n);
}

/**
 * sluice_conn_read() - take the messages that are complete and have a place to go
 * @c: its socket lock is held, by us or by the caller of a socket's callback
 * @gfp: GFP_KERNEL if the context may sleep
 *
 * What is not taken stays in the receive queue, so that the sender's window closes. Memory for a
 * message that is not complete is the socket's, and bounded by its receive buffer and the length of
 * a message, however slowly and in however small pieces it comes.
 */
void sluice_conn_read(struct sluice_conn *c, gfp_t gfp)
{
	struct sock *sk = c->sk;
	u32 done, passed = 0;
	u64 now = 0;

	if (unlikely(c->owner) && c->owner->passing)
		return;
	if (c->reading || c->ending || READ_ONCE(c->doomed) || READ_ONCE(c->paused_on))
		return;
	c->reading = true;
	done = read_some(c, gfp, &c->more, &passed);
	if (done) {
		now = sluice_now();
		WRITE_ONCE(c->received_bytes, c->received_bytes + done);
		WRITE_ONCE(c->active, now);
		tcp_read_done(sk, done);
	}
	if (c->more || !(tcp_inq(sk) || c->head_len))
		WRITE_ONCE(c->message_since, 0);
	else if (done || !c->message_since)
		WRITE_ONCE(c->message_since, now ?: sluice_now());
	if (unlikely(!c->more && tcp_inq(sk) && full(sk)))
		stash(c, gfp);
	c->reading = false;
	if (unlikely(passed))
		sluice_owner_tell(c, passed);
}
