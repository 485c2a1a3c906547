// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections, the way back: puts replies in the order of their requests, and many of them into one
 * send.
 */
#include "tcp.h"

#define VECTORS 16 /* chunks of one send */
/* beyond the send limit, for replies of requests that were read before it was reached */
#define MEMORY_OVER SZ_16M

/* Bytes of replies, in order; a block of a pool, got and put with bottom halves disabled. */
struct chunk {
	struct list_head node;
	u32 len;
	u32 room;
	u8 data[];
};

/* Replies to one request whose turn has not come. */
struct parked {
	struct list_head node; /* conn->parked, by seq */
	struct list_head chunks;
	u32 seq;
	bool done; /* the request has ended */
	bool cut;  /* it has ended without a whole reply */
};

static struct chunk *chunk_create(u32 len, bool more)
{
	bool small = !more && len + sizeof(struct chunk) <= SLUICE_BLOCK_SMALL;
	struct chunk *k = sluice_pool_get(small ? &sluice_small_blocks : &sluice_large_blocks);

	if (!k)
		return NULL;
	k->len = 0;
	k->room = (small ? SLUICE_BLOCK_SMALL : SLUICE_BLOCK_LARGE) - sizeof(*k);
	return k;
}

static u32 chunk_size(const struct chunk *k)
{
	return sizeof(*k) + k->room;
}

static void chunk_free(struct chunk *k)
{
	sluice_pool_put(chunk_size(k) == SLUICE_BLOCK_SMALL ? &sluice_small_blocks :
							      &sluice_large_blocks, k);
}

static void chunks_free(struct list_head *chunks)
{
	struct chunk *k, *next;

	list_for_each_entry_safe(k, next, chunks, node)
		chunk_free(k);
	INIT_LIST_HEAD(chunks);
}

/* Let go of half a reply, of which nothing was sent. conn->lock is held. */
static void forget(struct sluice_conn *c, struct list_head *chunks)
{
	struct chunk *k;

	list_for_each_entry(k, chunks, node) {
		WRITE_ONCE(c->queued, c->queued - k->len);
		WRITE_ONCE(c->memory, c->memory - chunk_size(k));
	}
	chunks_free(chunks);
}

/* Append bytes, which may be a consumer's. conn->lock is held. Return: 0 or -ENOMEM. */
static int append(struct sluice_conn *c, struct list_head *chunks, const u8 *data, u32 len)
{
	struct chunk *k = list_empty(chunks) ? NULL : list_last_entry(chunks, struct chunk, node);
	u32 n;

	while (len) {
		if (!k || k->len == k->room) {
			k = chunk_create(len, k);
			if (!k)
				return -ENOMEM;
			WRITE_ONCE(c->memory, c->memory + chunk_size(k));
			list_add_tail(&k->node, chunks);
		}
		n = min(len, k->room - k->len);
		sluice_copy(k->data + k->len, data, n);
		k->len += n;
		WRITE_ONCE(c->queued, c->queued + n);
		data += n;
		len -= n;
	}
	return 0;
}

/* The place of a request whose turn has not come; conn->lock is held. Return: it, or NULL. */
static struct parked *parked_find(struct sluice_conn *c, u32 seq, struct list_head **after)
{
	struct parked *p;

	list_for_each_entry_reverse(p, &c->parked, node) {
		if (p->seq == seq)
			return p;
		if ((s32)(p->seq - seq) < 0)
			break;
	}
	*after = &p->node;
	return NULL;
}

static struct parked *parked_get(struct sluice_conn *c, u32 seq)
{
	struct list_head *after;
	struct parked *p = parked_find(c, seq, &after);

	if (p)
		return p;
	p = kmalloc(sizeof(*p), GFP_ATOMIC | __GFP_NOWARN);
	if (!p)
		return NULL;
	WRITE_ONCE(c->memory, c->memory + sizeof(*p));
	p->seq = seq;
	p->done = false;
	p->cut = false;
	INIT_LIST_HEAD(&p->chunks);
	list_add(&p->node, after);
	return p;
}

static void parked_free(struct sluice_conn *c, struct parked *p)
{
	list_del(&p->node);
	WRITE_ONCE(c->memory, c->memory - sizeof(*p));
	kfree(p);
}

/* The request before has ended: let out what waited for that. conn->lock is held. */
static bool advance(struct sluice_conn *c)
{
	bool moved = false;
	struct parked *p;

	while ((p = list_first_entry_or_null(&c->parked, struct parked, node))) {
		bool done = p->done;

		if (p->seq != c->tx_seq)
			break;
		if (unlikely(p->cut))
			WRITE_ONCE(c->cut, true);
		list_splice_tail_init(&p->chunks, &c->out);
		parked_free(c, p);
		moved = true;
		if (!done)
			break;
		WRITE_ONCE(c->tx_seq, c->tx_seq + 1);
	}
	return moved;
}

static int reply(struct sluice_conn *c, struct sluice_req *req, const u8 *data, u32 len, bool last)
{
	u32 seq = req->seq;
	enum sluice_conn_count doomed = READ_ONCE(c->doomed);
	struct list_head *to = &c->out;
	struct list_head *after;
	struct parked *p;
	int err;

	if (c->dead || READ_ONCE(c->cut) ||
	    (doomed != SLUICE_CONN_ACCEPTED && !sluice_conn_doom_soft(doomed)))
		return -EPIPE;
	/* a consumer may answer with any number of parts, which the client need not read */
	if (unlikely((u64)c->memory + len > (u64)c->tcp->send_limit + MEMORY_OVER))
		return -ENOBUFS;
	if (c->tcp->unordered ? !last || parked_find(c, seq, &after) : seq != c->tx_seq) {
		p = parked_get(c, seq);
		if (!p)
			return -ENOMEM;
		to = &p->chunks;
	}
	err = append(c, to, data, len);
	if (unlikely(err || !last || to != &c->out))
		return err;
	req->over = true;
	WRITE_ONCE(c->tx_seq, c->tx_seq + 1);
	if (unlikely(!list_empty(&c->parked)) && !c->tcp->unordered)
		advance(c);
	return 0;
}

/**
 * sluice_conn_reply() - take the bytes of a reply, or of a part of one
 * @req: request of a connection
 * @ring: whose transmit context sends them after its section, or NULL
 * @data: bytes; read once
 * @len: of them
 * @last: the request ends after this
 *
 * Context: section. Return: 0; -EPIPE the connection has ended; -ENOMEM, -ENOBUFS it ends.
 */
int sluice_conn_reply(struct sluice_req *req, struct sluice_ring *ring, const void *data, u32 len,
		      bool last)
{
	struct sluice_conn *c = req->conn;
	int err;

	spin_lock(&c->lock);
	err = reply(c, req, data, len, last);
	if (unlikely(err == -ENOMEM || err == -ENOBUFS)) /* nothing may follow half a reply */
		sluice_conn_mark(c, err == -ENOMEM ? SLUICE_CONN_MEMORY : SLUICE_CONN_STALLED);
	spin_unlock(&c->lock);
	if (unlikely(err)) {
		if (err != -EPIPE)
			sluice_conn_kick(c);
		return err;
	}
	req->parts = !last;
	req->settled = last;
	if (!ring) {
		sluice_conn_kick(c);
	} else if (!test_and_set_bit(SLUICE_CONN_DIRTY, &c->flags)) {
		/* this section ends the request before it flushes the list */
		req->gave = last && !req->borrowed;
		if (unlikely(!req->gave))
			sluice_conn_get(c);
		llist_add(&c->dirty, &ring->dirty);
	}
	return 0;
}

/* A request has ended, whatever was sent. Return: whether replies can go out now, or -ENOMEM. */
static int end(struct sluice_conn *c, const struct sluice_req *req)
{
	struct list_head *after;
	u32 seq = req->seq;
	struct parked *p;
	bool moved;

	if (c->dead || READ_ONCE(c->cut))
		return 0;
	if (unlikely(!req->settled && !c->tcp->unordered)) {
		if (seq == c->tx_seq) {
			WRITE_ONCE(c->cut, true);
			return 1;
		}
		/* its turn has not come: the connection ends when it does */
		p = parked_get(c, seq);
		if (!p)
			return -ENOMEM;
		p->cut = true;
		return 0;
	}
	if (c->tcp->unordered) {
		p = parked_find(c, seq, &after);
		if (p) {
			if (likely(req->settled))
				list_splice_tail_init(&p->chunks, &c->out);
			else
				forget(c, &p->chunks);
			parked_free(c, p);
		}
		WRITE_ONCE(c->tx_seq, c->tx_seq + 1);
		return !!p;
	}
	if (seq != c->tx_seq) {
		p = parked_get(c, seq);
		if (!p)
			return -ENOMEM;
		p->done = true;
		return 0;
	}
	WRITE_ONCE(c->tx_seq, c->tx_seq + 1);
	moved = advance(c);
	return moved;
}

/**
 * sluice_conn_req_end() - a request of a connection has ended: let go of its bytes and its turn
 * @req: request; it refers to no connection if it stays in its stream
 *
 * Context: bottom halves disabled; the lock of a ring or group may be held.
 */
void sluice_conn_req_end(struct sluice_req *req)
{
	struct sluice_conn *c = req->conn;
	int moved = 0;

	if (!req->borrowed && req->bytes)
		sluice_bytes_put(req->bytes);
	if (!c)
		return;
	if (unlikely(!req->over)) {
		spin_lock(&c->lock);
		moved = end(c, req);
		if (unlikely(moved < 0))
			sluice_conn_mark(c, SLUICE_CONN_MEMORY);
		spin_unlock(&c->lock);
		if (unlikely(moved < 0))
			sluice_conn_kick(c);
	}
	/*
	 * tx_seq and out before attention and DIRTY; the reader sets attention before it looks at
	 * tx_seq, a flush clears DIRTY before it looks at out: one of the two sees the other.
	 */
	sluice_conn_ended(); /* E1 */
	if ((moved > 0 && !test_bit(SLUICE_CONN_DIRTY, &c->flags)) || READ_ONCE(c->attention))
		sluice_conn_kick(c);
	if (!req->borrowed && !req->gave)
		sluice_conn_put(c);
}

/**
 * sluice_conn_flush() - send what a ring's section has left to its connections
 * @dirty: the ring's list
 *
 * Context: process; a ring's tx_lock may be held.
 */
void sluice_conn_flush(struct llist_head *dirty)
{
	struct sluice_conn *c, *next;
	struct llist_node *list;

	list = llist_del_all(dirty);
	if (list && list->next)
		list = llist_reverse_order(list);
	llist_for_each_entry_safe(c, next, list, dirty) {
		clear_bit(SLUICE_CONN_DIRTY, &c->flags);
		sluice_conn_asked(); /* E2 */
		sluice_conn_run(c);
		sluice_conn_put(c);
	}
}

/* Let go of @n bytes that the socket has taken. */
static void consume(struct sluice_conn *c, u32 n)
{
	u32 freed = 0;

	WRITE_ONCE(c->sent_bytes, c->sent_bytes + n);
	c->sent += n;
	spin_lock_bh(&c->lock);
	while (!list_empty(&c->sending)) {
		struct chunk *k = list_first_entry(&c->sending, struct chunk, node);

		if (c->sent < k->len)
			break;
		c->sent -= k->len;
		freed += chunk_size(k);
		list_del(&k->node);
		chunk_free(k);
	}
	WRITE_ONCE(c->queued, c->queued - n);
	WRITE_ONCE(c->memory, c->memory - freed);
	spin_unlock_bh(&c->lock);
}

/* Give the socket what it takes now. Return: bytes, or -errno. */
static int send_some(struct sluice_conn *c)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	u32 skip = c->sent, bytes = 0, n = 0;
	struct kvec vec[VECTORS] sluice_uninit;
	struct chunk *k;
	int ret;

	list_for_each_entry(k, &c->sending, node) {
		if (n == VECTORS) {
			msg.msg_flags |= MSG_MORE;
			break;
		}
		vec[n].iov_base = k->data + skip;
		vec[n].iov_len = k->len - skip;
		bytes += vec[n++].iov_len;
		skip = 0;
	}
	WRITE_ONCE(c->in_send, true);
	iov_iter_kvec(&msg.msg_iter, ITER_SOURCE, vec, n, bytes);
	ret = tcp_sendmsg_locked(c->sk, &msg, bytes);
	WRITE_ONCE(c->in_send, false);
	return ret;
}

/**
 * sluice_conn_send() - send the replies whose turn has come, as far as the socket takes them
 * @c: its socket lock is held by us as its user
 *
 * What is left goes when the socket says that it has room. Context: process.
 */
void sluice_conn_send(struct sluice_conn *c)
{
	int n;

	for (;;) {
		/* what is added after this look has us called again: E1 and E2 */
		if (!data_race(list_empty(&c->out))) {
			spin_lock_bh(&c->lock);
			list_splice_tail_init(&c->out, &c->sending);
			spin_unlock_bh(&c->lock);
		}
		if (list_empty(&c->sending))
			break;
		n = send_some(c);
		if (n <= 0)
			break;
		consume(c, n);
		WRITE_ONCE(c->stalled_since, 0);
		WRITE_ONCE(c->active, tcp_sk(c->sk)->tcp_clock_cache);
	}
	if (!list_empty(&c->sending) && !c->stalled_since)
		WRITE_ONCE(c->stalled_since, sluice_now());
}

/* The connection has ended, dead is set: nobody adds to its lists any more. */
void sluice_conn_drop_replies(struct sluice_conn *c)
{
	struct parked *p, *next;

	local_bh_disable();
	list_for_each_entry_safe(p, next, &c->parked, node) {
		chunks_free(&p->chunks);
		parked_free(c, p);
	}
	chunks_free(&c->out);
	chunks_free(&c->sending);
	local_bh_enable();
}
