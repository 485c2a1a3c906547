// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections: opening, the socket's callbacks, the one work item that does everything that may
 * sleep, timeouts, the end.
 */
#include <linux/jhash.h>
#include <linux/net.h>
#include <net/ipv6.h>

#include "tcp.h"

#define REAP_DELAY msecs_to_jiffies(5)
/* after all was sent, the peer has this long to end its side */
#define LINGER_NS  (10ULL * NSEC_PER_SEC)

struct workqueue_struct *sluice_conn_wq;
static u32 flow_seed __read_mostly;

void sluice_conn_count(struct sluice_tcp *tcp, enum sluice_conn_count what)
{
	atomic64_inc(&tcp->count[what]);
}

u32 sluice_conn_in_flight(const struct sluice_conn *c)
{
	return READ_ONCE(c->rx_seq) - READ_ONCE(c->tx_seq);
}

void sluice_conn_get(struct sluice_conn *c)
{
	refcount_inc(&c->ref);
}

/* Context: any but hard interrupts. */
void sluice_conn_put(struct sluice_conn *c)
{
	struct sluice_tcp *tcp = c->tcp;

	if (!refcount_dec_and_test(&c->ref))
		return;
	sock_put(c->sk);
	sluice_owner_put(c->owner);
	kfree(c);
	/* under the lock of the waiter's queue, which lives in what the waiter frees */
	spin_lock_bh(&tcp->gone.lock);
	if (atomic_dec_and_test(&tcp->alive))
		wake_up_locked(&tcp->gone);
	spin_unlock_bh(&tcp->gone.lock);
}

/* Have the work item look at the connection. Context: any but hard interrupts. */
void sluice_conn_kick(struct sluice_conn *c)
{
	sluice_conn_get(c);
	if (!queue_work(sluice_conn_wq, &c->work))
		sluice_conn_put(c);
}

/* Whether an end for this reason lets requests in flight be answered first. */
bool sluice_conn_doom_soft(enum sluice_conn_count why)
{
	return why == SLUICE_CONN_IDLE || why == SLUICE_CONN_SLOW;
}

/*
 * Note how a connection is to end: the first reason that is given, but one that ends it at once
 * goes before one that does not. The caller kicks it. Context: any.
 */
bool sluice_conn_mark(struct sluice_conn *c, enum sluice_conn_count why)
{
	enum sluice_conn_count old = READ_ONCE(c->doomed);

	do {
		if (old != SLUICE_CONN_ACCEPTED &&
		    (!sluice_conn_doom_soft(old) || sluice_conn_doom_soft(why)))
			return false;
	} while (!try_cmpxchg(&c->doomed, &old, why));
	return true;
}

/* End a connection soon. Context: as sluice_conn_kick(). */
void sluice_conn_doom(struct sluice_conn *c, enum sluice_conn_count why)
{
	sluice_conn_mark(c, why);
	sluice_conn_kick(c);
}

static struct sluice_conn *of_sock(const struct sock *sk)
{
	return sk->sk_user_data;
}

/*
 * Bytes arrived. The socket lock is held, so @sk stays what it is to us: by the softirq, by its
 * user whose release works off what came meanwhile, or by somebody else, and then it is the work
 * item's turn.
 */
static void data_ready(struct sock *sk)
{
	struct sluice_conn *c = of_sock(sk);
	bool nested = in_softirq();

	lockdep_assert(lockdep_sock_is_held(sk));
	if (unlikely(!c))
		return;
	if (sock_owned_by_user_nocheck(sk) && READ_ONCE(c->runner) != current) {
		sluice_conn_kick(c);
		return;
	}
	/* a release of the lock works off its backlog with bottom halves enabled */
	if (unlikely(!nested))
		local_bh_disable();
	sluice_conn_read(c, GFP_ATOMIC, tcp_sk(sk)->tcp_clock_cache);
	if (unlikely(!nested))
		local_bh_enable();
}

static void state_change(struct sock *sk)
{
	struct sluice_conn *c;

	read_lock_bh(&sk->sk_callback_lock);
	c = of_sock(sk);
	if (c) {
		if (unlikely(c->owner))
			c->saved_state_change(sk);
		sluice_conn_kick(c);
	}
	read_unlock_bh(&sk->sk_callback_lock);
}

static void write_space(struct sock *sk)
{
	struct sluice_conn *c;

	read_lock_bh(&sk->sk_callback_lock);
	c = of_sock(sk);
	if (c && unlikely(c->owner))
		c->saved_write_space(sk);
	if (c && sk_stream_is_writeable(sk)) {
		if (sk->sk_socket)
			clear_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
		/* TCP without memory says so while it refuses bytes: not at once again */
		if (READ_ONCE(c->in_send) && READ_ONCE(c->runner) == current)
			WRITE_ONCE(c->retry, true);
		else
			sluice_conn_kick(c);
	}
	read_unlock_bh(&sk->sk_callback_lock);
}

/* Whether nothing waits to be sent; the socket lock is held. */
bool sluice_conn_clear(struct sluice_conn *c)
{
	bool nothing;

	spin_lock_bh(&c->lock);
	nothing = list_empty(&c->out) && (c->cut || list_empty(&c->parked));
	spin_unlock_bh(&c->lock);
	return nothing && list_empty(&c->sending);
}

/*
 * Take over the socket's callbacks; its lock is held. Return: 0, or -EBUSY: an adopted one is
 * somebody else's.
 */
static int attach(struct sluice_conn *c)
{
	struct sock *sk = c->sk;
	int err = 0;

	write_lock_bh(&sk->sk_callback_lock);
	if (c->owner)
		err = sluice_owner_cover(c);
	if (err)
		goto out;
	c->saved_data_ready = sk->sk_data_ready;
	c->saved_state_change = sk->sk_state_change;
	c->saved_write_space = sk->sk_write_space;
	sk->sk_user_data = c;
	sk->sk_data_ready = data_ready;
	sk->sk_state_change = state_change;
	sk->sk_write_space = write_space;
out:
	write_unlock_bh(&sk->sk_callback_lock);
	return err;
}

/* The reverse; the socket lock is held. */
static void unattach(struct sluice_conn *c)
{
	struct sock *sk = c->sk;

	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_user_data = NULL;
	sk->sk_data_ready = c->saved_data_ready;
	sk->sk_state_change = c->saved_state_change;
	sk->sk_write_space = c->saved_write_space;
	if (c->owner)
		sluice_owner_uncover(c);
	write_unlock_bh(&sk->sk_callback_lock);
}

/*
 * Give the callbacks back, and see to it that nobody reads or sends any more. An adopted socket is
 * its owner's again when the lock is free: nothing of struct socket is ours any more. May sleep.
 * Return: how the connection has ended.
 */
static enum sluice_conn_count detach(struct sluice_conn *c, enum sluice_conn_count why)
{
	bool whole;

	lock_sock(c->sk);
	/* nothing is missing of what the client is to hear, and of what it said */
	whole = !sluice_conn_in_flight(c) && sluice_conn_clear(c) && !c->head_len;
	unattach(c);
	spin_lock_bh(&c->lock);
	WRITE_ONCE(c->dead, true);
	spin_unlock_bh(&c->lock);
	sluice_conn_drop_head(c);
	if (c->owner)
		why = sluice_owner_back(c, why, whole);
	release_sock(c->sk);
	return why;
}

static void read_addresses(struct sluice_conn *c)
{
	const struct inet_sock *inet = inet_sk(c->sk);

	c->peer_port = ntohs(inet->inet_dport);
	c->port = inet->inet_num;
	if (c->sk->sk_family == AF_INET || ipv6_addr_v4mapped(&c->sk->sk_v6_daddr)) {
		c->alen = 4;
		memcpy(c->peer, &inet->inet_daddr, 4);
		memcpy(c->addr, &inet->inet_saddr, 4);
	} else {
		c->alen = 16;
		memcpy(c->peer, &c->sk->sk_v6_daddr, 16);
		memcpy(c->addr, &inet6_sk(c->sk)->saddr, 16);
	}
	c->flow = jhash(c->peer, c->alen,
			jhash(c->addr, c->alen,
			      jhash_2words(c->peer_port, c->port, flow_seed)));
}

/* The count of connections from an address; tcp->lock is held. Return: NULL without memory. */
static struct sluice_source *source_get(struct sluice_tcp *tcp, const u8 *addr)
{
	u32 key = jhash(addr, 16, flow_seed);
	struct sluice_source *s;

	hash_for_each_possible(tcp->sources, s, node, key) {
		if (memcmp(s->addr, addr, 16))
			continue;
		s->n++;
		return s;
	}
	s = kmalloc(sizeof(*s), GFP_ATOMIC | __GFP_NOWARN);
	if (!s)
		return NULL;
	memcpy(s->addr, addr, 16);
	s->n = 1;
	hash_add(tcp->sources, &s->node, key);
	return s;
}

static void source_put(struct sluice_source *s)
{
	if (!s || --s->n)
		return;
	hash_del(&s->node);
	kfree(s);
}

/* Enter a connection into its listener's list, within the limits. Return: what it counts as. */
static enum sluice_conn_count list_add_conn(struct sluice_tcp *tcp, struct sluice_conn *c)
{
	enum sluice_conn_count what = SLUICE_CONN_ACCEPTED;

	spin_lock_bh(&tcp->lock);
	if (tcp->nconns >= tcp->max_conns) {
		what = SLUICE_CONN_REFUSED_LIMIT;
		goto out;
	}
	if (tcp->max_per_source) {
		c->source = source_get(tcp, c->peer);
		if (!c->source) {
			what = SLUICE_CONN_REFUSED_MEMORY;
			goto out;
		}
		if (c->source->n > tcp->max_per_source) {
			source_put(c->source);
			what = SLUICE_CONN_REFUSED_SOURCE;
			goto out;
		}
	}
	c->id = (u64)tcp->l->id << SLUICE_CONN_ID_BITS |
		(++tcp->next_id & (BIT_ULL(SLUICE_CONN_ID_BITS) - 1));
	list_add_tail(&c->node, &tcp->conns);
	WRITE_ONCE(tcp->nconns, tcp->nconns + 1);
out:
	spin_unlock_bh(&tcp->lock);
	return what;
}

static void conn_work(struct work_struct *work)
{
	struct sluice_conn *c = container_of(work, struct sluice_conn, work);

	sluice_conn_run(c);
	sluice_conn_put(c);
}

static struct sluice_owner *owner_create(void)
{
	struct sluice_owner *o = kzalloc(sizeof(*o), GFP_KERNEL_ACCOUNT);

	if (!o)
		return NULL;
	refcount_set(&o->ref, 1);
	mutex_init(&o->reading);
	return o;
}

static struct sluice_conn *conn_create(struct sluice_tcp *tcp, struct socket *sock, bool adopted)
{
	struct sluice_conn *c = kzalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);

	if (!c)
		return NULL;
	c->owner = adopted ? owner_create() : NULL;
	if (adopted && !c->owner) {
		kfree(c);
		return NULL;
	}
	refcount_set(&c->ref, 1);
	c->tcp = tcp;
	c->sock = sock;
	c->sk = sock->sk;
	sock_hold(c->sk);
	INIT_WORK(&c->work, conn_work);
	INIT_LIST_HEAD(&c->paused_node);
	INIT_LIST_HEAD(&c->sending);
	INIT_LIST_HEAD(&c->parked);
	INIT_LIST_HEAD(&c->out);
	spin_lock_init(&c->lock);
	c->born = sluice_now();
	c->active = c->born;
	read_addresses(c);
	c->hash = jhash_1word(c->flow, c->seed);
	atomic_inc(&tcp->alive);
	return c;
}

static void reset(struct socket *sock)
{
	sock_no_linger(sock->sk);
	sock_release(sock);
}

/* Make a connection of a socket. Return: as it counts; OWNER: somebody else has taken it over. */
static enum sluice_conn_count open(struct sluice_tcp *tcp, struct socket *sock, bool adopted)
{
	struct sluice_conn *c = conn_create(tcp, sock, adopted);
	enum sluice_conn_count what = SLUICE_CONN_REFUSED_MEMORY;

	if (!c) {
		sluice_conn_count(tcp, what);
		return what;
	}
	/* whoever finds it in the list and wants to end it waits for this lock */
	lock_sock(c->sk);
	if (attach(c)) {
		release_sock(c->sk);
		sluice_conn_put(c);
		return SLUICE_CONN_OWNER;
	}
	what = list_add_conn(tcp, c);
	if (what == SLUICE_CONN_ACCEPTED) {
		what = adopted ? SLUICE_CONN_ADOPTED : SLUICE_CONN_ACCEPTED;
		sluice_conn_kick(c); /* for what came before */
	} else {
		unattach(c);
	}
	sluice_conn_count(tcp, what);
	release_sock(c->sk);
	if (what == SLUICE_CONN_ACCEPTED || what == SLUICE_CONN_ADOPTED)
		queue_delayed_work(sluice_conn_wq, &tcp->sweep, tcp->sweep_jiffies);
	else
		sluice_conn_put(c);
	return what;
}

/**
 * sluice_conn_open() - make a connection of an accepted socket
 * @tcp: listener
 * @sock: taken
 *
 * Context: accept_work.
 */
void sluice_conn_open(struct sluice_tcp *tcp, struct socket *sock)
{
	if (open(tcp, sock, false) != SLUICE_CONN_ACCEPTED)
		reset(sock);
}

/**
 * sluice_conn_adopt() - make a connection of a process's socket
 * @tcp: listener; sluice_mutex is held
 * @sock: connected; a reference of its file is held for the duration of the call
 *
 * Context: may sleep. Return: ADOPTED; REFUSED_*; OWNER: somebody else has taken it over.
 */
enum sluice_conn_count sluice_conn_adopt(struct sluice_tcp *tcp, struct socket *sock)
{
	return open(tcp, sock, true);
}

/* Nothing more is read; it counts as @why when it has ended. The socket lock is held. */
void sluice_conn_ending(struct sluice_conn *c, enum sluice_conn_count why)
{
	WRITE_ONCE(c->why, why);
	WRITE_ONCE(c->ending, true);
}

/* The client closed its side and all of its messages were taken. */
static bool at_end(const struct sluice_conn *c)
{
	return (c->sk->sk_shutdown & RCV_SHUTDOWN) && !c->more && !READ_ONCE(c->paused_on);
}

/*
 * Where the connection stands in its life; the socket lock is held. Return: how it has ended, or
 * SLUICE_CONN_ACCEPTED.
 */
static enum sluice_conn_count progress(struct sluice_conn *c)
{
	struct sock *sk = c->sk;

	if (sk->sk_state == TCP_CLOSE)
		return c->ending ? c->why : SLUICE_CONN_RESET;
	/* the owner has ended its side: there is no way for replies */
	if (unlikely(c->owner) && sk->sk_shutdown & SEND_SHUTDOWN)
		return SLUICE_CONN_OWNER;
	if (!c->ending && at_end(c))
		sluice_conn_ending(c, tcp_inq(sk) || c->head_len ? SLUICE_CONN_TRUNCATED :
							   SLUICE_CONN_CLOSED);
	if (READ_ONCE(c->cut) && !c->closing)
		sluice_conn_ending(c, SLUICE_CONN_UNANSWERED);
	if (!c->ending || c->closing)
		return SLUICE_CONN_ACCEPTED;
	WRITE_ONCE(c->attention, true);
	sluice_conn_asked(); /* E2 */
	if ((sluice_conn_in_flight(c) && !READ_ONCE(c->cut)) || !sluice_conn_clear(c))
		return SLUICE_CONN_ACCEPTED;
	if (c->owner)
		return c->why;
	c->closing = true;
	WRITE_ONCE(c->closing_since, sluice_now());
	sk->sk_prot->shutdown(sk, SEND_SHUTDOWN); /* itself no longer exported in 6.12 */
	return sk->sk_state == TCP_CLOSE ? c->why : SLUICE_CONN_ACCEPTED;
}

static bool past(u64 since, u64 limit, u64 now)
{
	return since && limit && now > since && now - since > limit;
}

/* When what began at @since, if it did, last made progress. */
static u64 latest(u64 since, u64 progress)
{
	return since ? max(since, progress) : 0;
}

/* Whether a connection that has sent all has waited long enough for the client to take it. */
static bool lingered(const struct sluice_conn *c, u64 now)
{
	const struct tcp_sock *tp = tcp_sk(c->sk);
	bool taken = READ_ONCE(tp->snd_una) == READ_ONCE(tp->write_seq);

	return past(latest(READ_ONCE(c->closing_since), READ_ONCE(c->acked_at)),
		    taken ? LINGER_NS : c->tcp->send_ns, now);
}

/* The walk over all requests takes a twentieth of the time at the most, however many clients go. */
static unsigned long reap_delay(const struct sluice_net *sn)
{
	return max(REAP_DELAY, nsecs_to_jiffies(20 * READ_ONCE(sn->reap_ns)));
}

/* What an end that is asked for means: some let requests in flight be answered first. */
static enum sluice_conn_count heed(struct sluice_conn *c)
{
	enum sluice_conn_count why = READ_ONCE(c->doomed);

	if (!sluice_conn_doom_soft(why))
		return why;
	if (c->closing && lingered(c, sluice_now()))
		return why;
	if (cmpxchg(&c->doomed, why, SLUICE_CONN_ACCEPTED) != why)
		return READ_ONCE(c->doomed);
	if (!c->ending)
		sluice_conn_ending(c, why);
	return SLUICE_CONN_ACCEPTED;
}

/**
 * sluice_conn_run() - send what there is to send, read what there is to read, end what is to end
 * @c: the caller has a reference
 *
 * Context: process; the work item, or a ring's transmit context after its section.
 */
void sluice_conn_run(struct sluice_conn *c)
{
	enum sluice_conn_count why = SLUICE_CONN_ACCEPTED;

	lock_sock(c->sk);
	if (c->dead) {
		release_sock(c->sk);
		return;
	}
	WRITE_ONCE(c->runner, current);
	WRITE_ONCE(c->attention, false);
	why = heed(c);
	if (unlikely(c->owner && sluice_owner_gone(c)))
		why = SLUICE_CONN_OWNER;
	if (why == SLUICE_CONN_ACCEPTED) {
		sluice_conn_send(c);
		if (c->more || c->head_len || !skb_queue_empty(&c->sk->sk_receive_queue))
			sluice_conn_read(c, GFP_KERNEL, 0);
		why = progress(c);
	}
	/* works off what came meanwhile: data_ready() reads it, as the runner */
	release_sock(c->sk);
	cmpxchg(&c->runner, current, NULL);
	if (unlikely(why != SLUICE_CONN_ACCEPTED))
		sluice_conn_release(c, why);
}

/**
 * sluice_conn_release() - end a connection for good
 * @c: the caller has a reference
 * @why: how it counts, if nobody else is ending it
 *
 * Unless it has run its course, it is reset; an adopted one goes back to its owner as @why says.
 * Its requests are cancelled soon, wherever they are.
 *
 * Context: may sleep.
 */
void sluice_conn_release(struct sluice_conn *c, enum sluice_conn_count why)
{
	struct sluice_tcp *tcp = c->tcp;

	if (test_and_set_bit(SLUICE_CONN_RELEASED, &c->flags))
		return;
	why = detach(c, why);
	sluice_conn_unpause(c);
	sluice_conn_count(tcp, why);
	atomic64_add(c->queued, &tcp->count[SLUICE_CONN_UNSENT_BYTES]);
	sluice_conn_drop_replies(c);
	if (!c->owner && c->sk->sk_state == TCP_CLOSE)
		sock_release(c->sock);
	else if (!c->owner)
		reset(c->sock);
	spin_lock_bh(&tcp->lock);
	list_del(&c->node);
	WRITE_ONCE(tcp->nconns, tcp->nconns - 1);
	source_put(c->source);
	spin_unlock_bh(&tcp->lock);
	if (sluice_conn_in_flight(c) && !READ_ONCE(tcp->closing))
		schedule_delayed_work(&tcp->l->sn->reap, reap_delay(tcp->l->sn));
	sluice_conn_put(c);
}

/* What a connection has waited too long for; read without its lock: a moment late does no harm. */
static enum sluice_conn_count overdue(struct sluice_conn *c, u64 now)
{
	const struct sluice_tcp *tcp = c->tcp;
	u64 acked = READ_ONCE(tcp_sk(c->sk)->bytes_acked);

	if (acked != c->acked) {
		c->acked = acked;
		WRITE_ONCE(c->acked_at, now);
	}
	if (unlikely(c->owner && sock_flag(c->sk, SOCK_DEAD)))
		return SLUICE_CONN_OWNER;
	if (past(latest(READ_ONCE(c->stalled_since), c->acked_at), tcp->send_ns, now))
		return SLUICE_CONN_STALLED;
	if (lingered(c, now))
		return READ_ONCE(c->why);
	if (READ_ONCE(c->ending))
		return SLUICE_CONN_ACCEPTED;
	if (past(READ_ONCE(c->message_since), tcp->message_ns, now))
		return SLUICE_CONN_SLOW;
	if (!sluice_conn_in_flight(c) && !READ_ONCE(c->queued) && !READ_ONCE(c->paused_on) &&
	    !(c->owner && READ_ONCE(c->owner->passing)) &&
	    past(READ_ONCE(c->active), tcp->idle_ns, now))
		return SLUICE_CONN_IDLE;
	return SLUICE_CONN_ACCEPTED;
}

/* A listener's timeouts. */
void sluice_conn_sweep(struct work_struct *work)
{
	struct sluice_tcp *tcp = container_of(to_delayed_work(work), struct sluice_tcp, sweep);
	enum sluice_conn_count why;
	u64 now = sluice_now();
	struct sluice_conn *c;

	spin_lock_bh(&tcp->lock);
	list_for_each_entry(c, &tcp->conns, node) {
		why = overdue(c, now);
		if (why != SLUICE_CONN_ACCEPTED) {
			sluice_conn_doom(c, why);
		} else if (unlikely(READ_ONCE(c->retry))) {
			WRITE_ONCE(c->retry, false);
			sluice_conn_kick(c);
		}
	}
	if (tcp->nconns && !READ_ONCE(tcp->closing))
		queue_delayed_work(sluice_conn_wq, &tcp->sweep, tcp->sweep_jiffies);
	spin_unlock_bh(&tcp->lock);
}

static bool cancel_orphan(struct sluice_req *req, struct sluice_ring *ring, void *arg)
{
	if (!sluice_req_orphan(req))
		return false;
	sluice_req_finish(req, ring, SLUICE_OUTCOME_CANCELLED_CONNECTION);
	return true;
}

/*
 * Cancel the requests of all connections that have ended, in one walk. One that a section holds at
 * this moment is cancelled when it is moved (sluice_req_settle()) or answered.
 */
void sluice_conn_reap(struct work_struct *work)
{
	struct sluice_net *sn = container_of(to_delayed_work(work), struct sluice_net, reap);

	u64 began;

	mutex_lock(&sluice_mutex);
	began = sluice_now();
	sluice_net_visit(sn, cancel_orphan, NULL);
	WRITE_ONCE(sn->reap_ns, sluice_now() - began);
	mutex_unlock(&sluice_mutex);
}

u64 sluice_conn_id(const struct sluice_conn *c)
{
	return c->id;
}

/* Hash of a connection's addresses and ports. The socket lock is held. */
u32 sluice_conn_flow(struct sluice_conn *c, u32 seed)
{
	if (unlikely(c->seed != seed)) {
		c->hash = jhash_1word(c->flow, seed);
		c->seed = seed;
	}
	return c->hash;
}

/* Hash of a client's address. */
u32 sluice_conn_source(const struct sluice_conn *c, u32 seed)
{
	return jhash(c->peer, c->alen, seed);
}

void sluice_conn_from(const struct sluice_conn *c, struct sluice_from *from)
{
	from->family = c->alen == 4 ? 4 : 6;
	from->port = htons(c->peer_port);
	memcpy(from->addr, c->peer, c->alen);
}

/* Whether nobody waits for the request's reply: its connection has ended. */
bool sluice_req_orphan(const struct sluice_req *req)
{
	return req->kind == SLUICE_REQ_KIND_TCP && READ_ONCE(req->conn->dead);
}

int sluice_conn_init(void)
{
	int err = sluice_blocks_init();

	if (err)
		return err;
	flow_seed = get_random_u32();
	sluice_conn_wq = alloc_workqueue("sluice", WQ_UNBOUND, 0);
	if (sluice_conn_wq)
		return 0;
	sluice_blocks_fini();
	return -ENOMEM;
}

void sluice_conn_fini(void)
{
	destroy_workqueue(sluice_conn_wq);
	sluice_blocks_fini();
}
