// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections, the way in: cuts messages out of the socket's receive queue, takes those that have a
 * place to go, and leaves the rest where it is.
 */
#include "tcp.h"

#define BUDGET	  64  /* messages of one go, then others have their turn */
#define BURST	  32  /* messages that are copied out and taken at once */
#define PIECE	  256 /* bytes copied out of a fragment for the framer */
#define SPARE	  4096	/* bytes that are read until TCP looks at its window again */

/*
 * A message stays in the receive queue until it is complete, but one that the queue cannot hold:
 * what a socket may hold counts the overhead of its segments, of which a sender may make any. Its
 * first bytes then move into c->head, which is charged to the socket.
 */

/* Bytes of the receive queue that lie in one piece, so that they can be read in place. */
struct piece {
	struct sk_buff *skb; /* NULL: none was looked at yet */
	const u8 *data;
	u32 at;	 /* of the first of them, after those that were read */
	u32 len; /* 0: none */
	u8 copy[PIECE]; /* of bytes that have no address */
};

/* Several messages, of which all bytes are there. */
struct burst {
	u32 n;
	u32 total; /* bytes */
	u32 len[BURST];
};

/*
 * Find byte @at after those that were read, in @skb or those after it; NULL: in any. The socket
 * lock is held: nobody changes the queue. Return: the buffer, and where in it; NULL: nowhere.
 */
static struct sk_buff *seek(struct sock *sk, struct sk_buff *skb, u32 at, u32 *place)
{
	u32 seq = tcp_sk(sk)->copied_seq + at;

	skb = skb ?: skb_peek(&sk->sk_receive_queue);
	for (; skb; skb = skb_peek_next(skb, &sk->sk_receive_queue)) {
		u32 off = seq - TCP_SKB_CB(skb)->seq;

		if (unlikely(TCP_SKB_CB(skb)->tcp_flags & TCPHDR_SYN))
			off--;
		if (off >= skb->len)
			continue;
		*place = off;
		return skb;
	}
	return NULL;
}

/* Copy @len bytes from byte @at on. Return: 0 or -EFAULT. */
int sluice_conn_copy(struct sock *sk, u32 at, u8 *to, u32 len)
{
	struct sk_buff *skb = NULL;
	u32 n, off;

	while (len) {
		skb = seek(sk, skb, at, &off);
		if (!skb)
			return -EFAULT;
		n = min(len, skb->len - off);
		if (skb_copy_bits(skb, off, to, n))
			return -EFAULT;
		to += n;
		at += n;
		len -= n;
	}
	return 0;
}

/* Where byte @off of a buffer lies; *len bytes lie there from it on. Return: NULL: no address. */
static __always_inline const u8 *address(const struct sk_buff *skb, u32 off, u32 *len)
{
	const u8 *data;
	u32 i, size;

	if (off < skb_headlen(skb)) {
		*len = skb_headlen(skb) - off;
		return skb->data + off;
	}
	off -= skb_headlen(skb);
	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *f = &skb_shinfo(skb)->frags[i];

		size = skb_frag_size(f);
		if (off >= size) {
			off -= size;
			continue;
		}
		data = skb_frag_address_safe(f);
		*len = size - off;
		return data ? data + off : NULL;
	}
	return NULL;
}

/* Let @p be the piece that byte @at lies in, or begins. Return: 0 or -EFAULT. */
static noinline int piece_find(struct sock *sk, struct piece *p, u32 at)
{
	struct sk_buff *skb = seek(sk, p->skb, at, &p->len);
	u32 off = p->len;

	p->len = 0;
	if (!skb)
		return -EFAULT;
	p->skb = skb;
	p->at = at;
	p->data = address(skb, off, &p->len);
	if (likely(p->data))
		return 0;
	p->len = 0;
	if (skb_copy_bits(skb, off, p->copy, min_t(u32, PIECE, skb->len - off)))
		return -EFAULT;
	p->data = p->copy;
	p->len = min_t(u32, PIECE, skb->len - off);
	return 0;
}

/* Look at byte @at, not before those looked at earlier. Return: those from there on, *n of them. */
static const u8 *look(struct sock *sk, struct piece *p, u32 at, u32 *n)
{
	if (unlikely(at - p->at >= p->len) && piece_find(sk, p, at))
		return NULL;
	*n = p->len - (at - p->at);
	return p->data + (at - p->at);
}

/*
 * Show the framer what it has not seen of the message at @at, of which @avail bytes are there after
 * those in c->head. Return: as sluice_frame_feed(); -EFAULT.
 */
static int feed(struct sluice_conn *c, struct piece *p, u32 at, u32 avail)
{
	const u8 *data;
	int ret = 0;
	u32 n, fed;

	if (c->tcp->framing == SLUICE_FRAMING_BPF)
		return sluice_framer_feed(c, at, avail);
	while (!ret && (fed = c->fed - c->head_len) < avail) {
		data = look(c->sk, p, at + fed, &n);
		if (unlikely(!data))
			return -EFAULT;
		n = min(n, avail - fed);
		if (likely(!c->fed)) {
			ret = sluice_frame_quick(&c->tcp->frame, data, n);
			if (likely(ret))
				return ret;
		}
		ret = sluice_frame_feed(&c->tcp->frame, &c->frame, data, n);
		c->fed += n;
	}
	return ret;
}

/* The bytes in c->head are somebody else's now, or gone. The socket lock is held. */
static void uncharge(struct sluice_conn *c)
{
	c->head = NULL;
	c->head_len = 0;
}

/* Let go of what was kept of a message. The socket lock is held. */
void sluice_conn_drop_head(struct sluice_conn *c)
{
	if (!c->head)
		return;
	sk_mem_uncharge(c->sk, c->head->room);
	local_bh_disable();
	sluice_bytes_put(c->head);
	local_bh_enable();
	uncharge(c);
}

/* Make c->head as large as @size. Return: 0 or -ENOMEM. */
static int grow(struct sluice_conn *c, u32 size, gfp_t gfp)
{
	struct sock *sk = c->sk;
	u32 len = c->head_len;
	struct sluice_bytes *b;

	if (c->head && size <= c->head->room)
		return 0;
	b = sluice_bytes_wait(size, gfp);
	if (!b)
		return -ENOMEM;
	if (!__sk_mem_schedule(sk, b->room, SK_MEM_RECV)) {
		local_bh_disable();
		sluice_bytes_put(b);
		local_bh_enable();
		return -ENOMEM;
	}
	sk_mem_charge(sk, b->room);
	if (len)
		memcpy(b->data, c->head->data, len);
	sluice_conn_drop_head(c);
	c->head = b;
	c->head_len = len;
	return 0;
}

static void next_message(struct sluice_conn *c)
{
	c->need = 0;
	if (!c->fed && c->tcp->framing != SLUICE_FRAMING_BPF)
		return; /* nothing is in its state */
	c->fed = 0;
	BUILD_BUG_ON(sizeof(c->framer) > sizeof(c->frame));
	memset(&c->frame, 0, sizeof(c->frame));
}

/*
 * Take the complete message at @at whose first bytes are in c->head. Return: as take().
 */
static int take_rest(struct sluice_conn *c, u32 at, gfp_t gfp)
{
	int err = grow(c, c->need, gfp);
	u32 room;
	u64 now;

	if (err)
		return err;
	err = sluice_conn_copy(c->sk, at, c->head->data + c->head_len, c->need - c->head_len);
	if (err)
		return err;
	room = c->head->room;
	now = sluice_now();
	local_bh_disable();
	err = sluice_conn_take(c, c->head, 0, c->need, room, now);
	local_bh_enable();
	if (err)
		return err;
	WRITE_ONCE(c->active, now);
	sk_mem_uncharge(c->sk, room);
	uncharge(c);
	next_message(c);
	WRITE_ONCE(c->requests, c->requests + 1);
	return 0;
}

/*
 * Find up to @max messages from @at on of which all of the @avail bytes that are there. What is
 * known of the one behind them stays in @c. Return: 0, or as feed() if the first one is at fault.
 */
static int scan(struct sluice_conn *c, u32 at, u32 avail, u32 max, struct piece *p,
		struct burst *burst)
{
	u32 left;
	int ret;

	burst->n = 0;
	burst->total = 0;
	while (burst->n < max) {
		left = avail - burst->total;
		if (!c->need && left) {
			ret = feed(c, p, at + burst->total, left);
			if (unlikely(ret < 0)) {
				if (!burst->n)
					return ret;
				/* it is found again when those before it are taken */
				next_message(c);
				p->skb = NULL;
				p->len = 0;
				break;
			}
			c->need = ret;
		}
		if (!c->need || c->need > left)
			break;
		if (burst->n && burst->total + c->need > SLUICE_BYTES_SHARED)
			break;
		burst->len[burst->n++] = c->need;
		burst->total += c->need;
		next_message(c);
	}
	return 0;
}

/* Copy what was found, from the piece that it was found in, if it is all there. */
static int gather(struct sluice_conn *c, u32 at, const struct piece *p, const struct burst *burst,
		  u8 *to)
{
	u32 off = at - p->at;

	if (likely(off < p->len && burst->total <= p->len - off)) {
		sluice_copy(to, p->data + off, burst->total);
		return 0;
	}
	return sluice_conn_copy(c->sk, at, to, burst->total);
}

/*
 * Take the messages at @at; *taken, of so many bytes, were. Those behind the last of them are
 * forgotten but for the length of the first, to be found again.
 * Return: 0 all; -EAGAIN the connection waits for room, -EBUSY for its own replies; -ENOENT the
 * next one is left to the owner; -ENOMEM; -EFAULT.
 */
static int take(struct sluice_conn *c, u32 at, const struct piece *p, const struct burst *burst,
		gfp_t gfp, u64 now, u32 *taken)
{
	struct sluice_bytes *b;
	u32 i = 0, share;
	int err;

	*taken = 0;
	local_bh_disable();
	b = sluice_bytes_get(burst->total);
	if (unlikely(!b)) {
		local_bh_enable();
		b = sluice_bytes_wait(burst->total, gfp);
		local_bh_disable();
	}
	err = b ? gather(c, at, p, burst, b->data) : -ENOMEM;
	if (unlikely(err)) {
		if (b)
			sluice_bytes_put(b);
	} else {
		refcount_set(&b->ref, burst->n);
		share = b->room / burst->n;
		now = now ?: sluice_now();
		WRITE_ONCE(c->active, now);
		for (; i < burst->n; i++) {
			err = sluice_conn_take(c, b, *taken, burst->len[i], share, now);
			if (unlikely(err))
				break;
			*taken += burst->len[i];
		}
		WRITE_ONCE(c->requests, c->requests + i);
		if (unlikely(err))
			sluice_bytes_drop(b, burst->n - i);
	}
	local_bh_enable();
	if (likely(!err)) {
		if (unlikely(c->burst == burst->n))
			c->burst = 2 * c->burst < BURST ? 2 * c->burst : 0;
		return 0;
	}
	next_message(c);
	c->need = burst->len[i];
	c->burst = max(i, 1U); /* so that no more than a part of the copying is for nothing */
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

/* How many messages more the connection may have to be answered; 0: or has as much to be sent. */
static u32 room(const struct sluice_conn *c)
{
	u32 flying = sluice_conn_in_flight(c);

	if (READ_ONCE(c->memory) >= c->tcp->send_limit || flying >= c->tcp->pipeline)
		return 0;
	return c->tcp->pipeline - flying;
}

/* The same, and if it is 0, a request that ends from now on has it looked at again. */
static u32 room_or_wait(struct sluice_conn *c)
{
	u32 n = room(c);

	if (likely(n))
		return n;
	WRITE_ONCE(c->attention, true);
	sluice_conn_asked(); /* E2 */
	return room(c);
}

/*
 * Read on with a message whose first bytes are in c->head. Return: bytes of it that were read from
 * the queue; *more and *err as below.
 */
static u32 read_rest(struct sluice_conn *c, u32 avail, gfp_t gfp, struct piece *p, bool *more,
		     int *err)
{
	u32 left;

	if (!c->need) {
		*err = feed(c, p, 0, avail);
		if (*err < 0)
			return 0;
		c->need = *err;
		*err = 0;
	}
	left = c->need - c->head_len;
	if (!c->need || left > avail) {
		*more = false;
		return 0;
	}
	*err = take_rest(c, 0, gfp);
	return *err ? 0 : left;
}

/* A message was not taken, for @err of take(); *passed: how long it is, if it is the owner's. */
static void not_taken(struct sluice_conn *c, int err, gfp_t gfp, u32 *passed)
{
	if (err == -ENOENT) {
		*passed = c->need;
		WRITE_ONCE(c->requests, c->requests + 1);
		next_message(c);
	} else if (err != -EAGAIN && err != -EBUSY) {
		fault(c, err, gfp);
	}
}

/*
 * Read up to about BUDGET messages. Return: their bytes; in *more, whether others may follow; in
 * *passed, how long the next one is, if it is left to the owner.
 */
static u32 read_some(struct sluice_conn *c, gfp_t gfp, u64 now, bool *more, u32 *passed)
{
	u32 done = 0, taken, n, budget = BUDGET, avail = tcp_inq(c->sk);
	struct burst burst sluice_uninit;
	struct piece p sluice_uninit;
	int err = 0;

	p.skb = NULL;
	p.at = 0;
	p.len = 0;
	*more = true;
	while (budget) {
		n = room_or_wait(c);
		if (unlikely(!n))
			return done;
		if (unlikely(c->head_len)) {
			done = read_rest(c, avail, gfp, &p, more, &err);
			if (!*more)
				return done;
			budget--;
		} else {
			n = min3(n, budget, c->burst ?: (u32)BURST);
			err = scan(c, done, avail - done, n, &p, &burst);
			if (unlikely(err)) {
				fault(c, err, GFP_KERNEL);
				return done;
			}
			if (!burst.n) {
				*more = false;
				return done;
			}
			err = take(c, done, &p, &burst, gfp, now, &taken);
			done += taken;
			budget -= burst.n;
		}
		if (likely(!err))
			continue;
		not_taken(c, err, gfp, passed);
		return done;
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
		err = sluice_conn_copy(c->sk, 0, c->head->data + c->head_len, n);
	if (unlikely(err)) {
		fault(c, err, gfp);
		return;
	}
	c->head_len = len;
	WRITE_ONCE(c->received_bytes, c->received_bytes + n);
	tcp_read_done(c->sk, n);
}

/*
 * Whether tcp_read_done() would do no more than free the buffer: its ACK goes with the reply that
 * is to come, and the window is wide. Measuring how fast the reader is, and widening the window for
 * it, is put off for SPARE bytes.
 */
static bool may_spare(const struct sluice_conn *c, u32 len)
{
	const struct inet_connection_sock *icsk = inet_csk(c->sk);
	const struct tcp_sock *tp = tcp_sk(c->sk);

	return c->spared + len <= SPARE && !(icsk->icsk_ack.pending & ICSK_ACK_PUSHED2) &&
	       inet_csk_in_pingpong_mode(c->sk) &&
	       tp->rcv_nxt - tp->rcv_wup <= icsk->icsk_ack.rcv_mss &&
	       tcp_receive_window(tp) >= 4 * SPARE;
}

/* All of @skb, the last in the queue, was read, @len bytes since the last call. */
static void read_done(struct sluice_conn *c, struct sk_buff *skb, u32 len)
{
	struct tcp_sock *tp = tcp_sk(c->sk);

	if (unlikely(!may_spare(c, len))) {
		c->spared = 0;
		tcp_read_done(c->sk, len);
		return;
	}
	c->spared += len;
	WRITE_ONCE(tp->copied_seq, tp->copied_seq + len);
	sk_eat_skb(c->sk, skb);
}

/*
 * Take what most segments of one request at a time are, by itself: all that is unread is one
 * message, in one piece. Bottom halves are disabled.
 * Return: false: it is something else, and nothing was done; *passed as of read_some().
 */
static bool read_one(struct sluice_conn *c, u64 now, u32 *passed)
{
	struct sock *sk = c->sk;
	struct sk_buff *skb = skb_peek(&sk->sk_receive_queue);
	struct sluice_bytes *b;
	const u8 *data;
	u32 off, len, n;
	int err;

	if (!skb || !skb_queue_is_last(&sk->sk_receive_queue, skb) ||
	    sk->sk_state != TCP_ESTABLISHED ||
	    TCP_SKB_CB(skb)->tcp_flags & (TCPHDR_SYN | TCPHDR_FIN) || tcp_sk(sk)->urg_data ||
	    c->need || c->fed || c->burst || c->tcp->framing == SLUICE_FRAMING_BPF || !room(c))
		return false;
	off = tcp_sk(sk)->copied_seq - TCP_SKB_CB(skb)->seq;
	len = skb->len - off;
	if (unlikely(off >= skb->len))
		return false;
	data = address(skb, off, &n);
	if (!data || n != len || sluice_frame_quick(&c->tcp->frame, data, len) != len)
		return false;
	b = sluice_bytes_get(len);
	if (unlikely(!b))
		return false;
	sluice_copy(b->data, data, len);
	WRITE_ONCE(c->active, now);
	err = sluice_conn_take(c, b, 0, len, b->room, now);
	c->more = err;
	WRITE_ONCE(c->message_since, 0);
	if (unlikely(err)) {
		sluice_bytes_put(b);
		c->need = len;
		c->burst = 1;
		not_taken(c, err, GFP_ATOMIC, passed);
		return true;
	}
	WRITE_ONCE(c->requests, c->requests + 1);
	WRITE_ONCE(c->received_bytes, c->received_bytes + len);
	read_done(c, skb, len);
	return true;
}

/* The same for all that there may be. */
static void read_any(struct sluice_conn *c, gfp_t gfp, u64 now, u32 *passed)
{
	struct sock *sk = c->sk;
	u32 done;

	if (!tcp_inq(sk) && !c->head_len) {
		c->more = false;
		WRITE_ONCE(c->message_since, 0);
		return;
	}
	done = read_some(c, gfp, now, &c->more, passed);
	if (done) {
		WRITE_ONCE(c->received_bytes, c->received_bytes + done);
		c->spared = 0;
		tcp_read_done(sk, done);
	}
	if (c->more || !(tcp_inq(sk) || c->head_len))
		WRITE_ONCE(c->message_since, 0);
	else if (done || !c->message_since)
		WRITE_ONCE(c->message_since, done ? c->active : sluice_now());
	if (unlikely(!c->more && tcp_inq(sk) && full(sk)))
		stash(c, gfp);
}

/**
 * sluice_conn_read() - take the messages that are complete and have a place to go
 * @c: its socket lock is held, by us or by the caller of a socket's callback
 * @gfp: GFP_KERNEL if the context may sleep; else bottom halves are disabled
 * @now: when what is there arrived, CLOCK_MONOTONIC ns; 0: nobody knows, so that is now
 *
 * What is not taken stays in the receive queue, so that the sender's window closes. Memory for a
 * message that is not complete is the socket's, and bounded by its receive buffer and the length of
 * a message, however slowly and in however small pieces it comes.
 */
void sluice_conn_read(struct sluice_conn *c, gfp_t gfp, u64 now)
{
	u32 passed = 0;

	if (unlikely(c->owner) && c->owner->passing)
		return;
	if (c->reading || c->ending || READ_ONCE(c->doomed) || READ_ONCE(c->paused_on))
		return;
	c->reading = true;
	if (gfp == GFP_KERNEL || unlikely(c->head_len) || !read_one(c, now, &passed))
		read_any(c, gfp, now, &passed);
	c->reading = false;
	if (unlikely(passed))
		sluice_owner_tell(c, passed);
}
