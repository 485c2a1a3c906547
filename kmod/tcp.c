// SPDX-License-Identifier: GPL-2.0-only
/* TCP listeners: options, the listening socket, accepting, and the order of their end. */
#include <linux/net.h>

#include "tcp.h"

#define SWEEP_MIN_NS (20 * NSEC_PER_MSEC)
#define SWEEP_MAX_NS NSEC_PER_SEC
#define OWNER_DELAY  msecs_to_jiffies(50)

static u32 get_u32(struct nlattr *attr, u32 def)
{
	return attr ? nla_get_u32(attr) : def;
}

static u64 get_u64(struct nlattr *attr, u64 def)
{
	return attr ? nla_get_u64(attr) : def;
}

static int read_bpf_framing(struct sluice_tcp *tcp, struct nlattr **tb,
			    struct netlink_ext_ack *extack)
{
	tcp->frame.max = get_u32(tb[SLUICE_A_LISTENER_MESSAGE_MAX], SLUICE_SLOT_MAX);
	if (tb[SLUICE_A_LISTENER_FRAMER_FD])
		return 0;
	NL_SET_ERR_MSG_ATTR(extack, tb[SLUICE_A_LISTENER_FRAMING],
			    "framing bpf needs the program that cuts the messages");
	return -EINVAL;
}

/* How messages are cut, from attributes. Return: 0 or -EINVAL. */
static int read_framing(struct sluice_tcp *tcp, struct nlattr **tb, struct netlink_ext_ack *extack)
{
	static const u8 types[] = {
		[SLUICE_FRAMING_LENGTH] = SLUICE_FRAME_LENGTH,
		[SLUICE_FRAMING_LINE] = SLUICE_FRAME_LINE,
		[SLUICE_FRAMING_MEMCACHED] = SLUICE_FRAME_MEMCACHED,
		[SLUICE_FRAMING_RESP] = SLUICE_FRAME_RESP,
	};
	struct sluice_frame *f = &tcp->frame;
	const char *why;

	tcp->framing = get_u32(tb[SLUICE_A_LISTENER_FRAMING], SLUICE_FRAMING_DATAGRAM);
	if (tcp->framing == SLUICE_FRAMING_DATAGRAM) {
		NL_SET_ERR_MSG(extack, "a TCP listener needs a framing: where do messages end?");
		return -EINVAL;
	}
	if (tcp->framing == SLUICE_FRAMING_BPF)
		return read_bpf_framing(tcp, tb, extack);
	f->type = types[tcp->framing];
	f->offset = get_u32(tb[SLUICE_A_LISTENER_FRAME_OFFSET], 0);
	f->width = get_u32(tb[SLUICE_A_LISTENER_FRAME_WIDTH], 4);
	f->little = tb[SLUICE_A_LISTENER_FRAME_LITTLE];
	f->whole = tb[SLUICE_A_LISTENER_FRAME_WHOLE];
	f->delim = get_u32(tb[SLUICE_A_LISTENER_FRAME_DELIM], '\n');
	f->max = get_u32(tb[SLUICE_A_LISTENER_MESSAGE_MAX], SLUICE_SLOT_MAX);
	if (!sluice_frame_check(f, &why))
		return 0;
	NL_SET_BAD_ATTR(extack, tb[SLUICE_A_LISTENER_FRAMING]);
	extack->_msg = why;
	return -EINVAL;
}

static void read_options(struct sluice_tcp *tcp, struct nlattr **tb)
{
	tcp->unordered = tb[SLUICE_A_LISTENER_UNORDERED];
	tcp->reuseport = tb[SLUICE_A_LISTENER_REUSEPORT];
	tcp->backlog = get_u32(tb[SLUICE_A_LISTENER_BACKLOG], 4096);
	tcp->max_conns = get_u32(tb[SLUICE_A_LISTENER_MAX_CONNS], 65536);
	tcp->max_per_source = get_u32(tb[SLUICE_A_LISTENER_MAX_PER_SOURCE], 0);
	tcp->pipeline = get_u32(tb[SLUICE_A_LISTENER_PIPELINE], 256);
	tcp->send_limit = get_u32(tb[SLUICE_A_LISTENER_SEND_LIMIT], 1 << 20);
	tcp->idle_ns = get_u64(tb[SLUICE_A_LISTENER_IDLE_NS], 0);
	tcp->message_ns = get_u64(tb[SLUICE_A_LISTENER_MESSAGE_NS], 30 * NSEC_PER_SEC);
	tcp->send_ns = get_u64(tb[SLUICE_A_LISTENER_SEND_NS], 30 * NSEC_PER_SEC);
	tcp->keepalive_ns = get_u64(tb[SLUICE_A_LISTENER_KEEPALIVE_NS], 60 * NSEC_PER_SEC);
}

static u64 sweep_ns(const struct sluice_tcp *tcp)
{
	u64 ns = SWEEP_MAX_NS;

	if (tcp->idle_ns)
		ns = min(ns, tcp->idle_ns / 4);
	if (tcp->message_ns)
		ns = min(ns, tcp->message_ns / 4);
	if (tcp->send_ns)
		ns = min(ns, tcp->send_ns / 4);
	return max_t(u64, ns, SWEEP_MIN_NS);
}

/*
 * What each connection has. A message should fit into the receive buffer as a whole: it stays there
 * until it is complete. Half of the buffer, and what the kernel doubles the value to, is for the
 * overhead of segments; where that is more still, the message is moved out (conn_rx.c).
 */
static void set_conn_options(const struct sluice_tcp *tcp, struct sock *sk)
{
	u32 secs = DIV_ROUND_UP_ULL(tcp->keepalive_ns, NSEC_PER_SEC);

	tcp_sock_set_nodelay(sk);
	sock_set_flag(sk, SOCK_URGINLINE);
	sock_set_rcvbuf(sk, 2 * tcp->frame.max + SZ_64K);
	if (!secs)
		return;
	tcp_sock_set_keepidle(sk, min(secs, 32767U));
	tcp_sock_set_keepintvl(sk, clamp(secs / 4, 1U, 32767U));
	sock_set_keepalive(sk);
}

/* The children of a process's socket are the kernel's, with the options of the kernel's. */
static void take_child(struct sluice_tcp *tcp, struct sock *sk)
{
	set_conn_options(tcp, sk);
	lock_sock(sk);
	sluice_sock_let_net(sk);
	release_sock(sk);
}

/* Accept what is there. Ends when nothing is, or the listener goes, or its socket does. */
static void accept_work(struct work_struct *work)
{
	struct sluice_tcp *tcp = container_of(work, struct sluice_tcp, accept_work);
	struct socket *sock;
	int err;

	while (!READ_ONCE(tcp->closing) && !READ_ONCE(tcp->l->closed)) {
		err = kernel_accept(tcp->l->sock, &sock, O_NONBLOCK);
		if (err == -EAGAIN || err == -EINVAL)
			break;
		if (err) /* memory, or reset meanwhile: others wait behind it */
			usleep_range(500, 1000);
		if (!err && tcp->file)
			take_child(tcp, sock->sk);
		if (!err)
			sluice_conn_open(tcp, sock);
		cond_resched();
	}
}

/* Somebody waits to be accepted. Context: softirq, under the lock of the socket's wait queue. */
static int wake_accept(wait_queue_entry_t *wait, unsigned int mode, int flags, void *key)
{
	struct sluice_tcp *tcp = container_of(wait, struct sluice_tcp, wait);

	queue_work(sluice_conn_wq, &tcp->accept_work);
	return 0;
}

/* No socket: connections are those that processes hand over. */
static int open_handed(struct sluice_listener *l, struct nlattr **tb,
		       struct netlink_ext_ack *extack)
{
	static const u8 not[] = {
		SLUICE_A_LISTENER_ADDR,	   SLUICE_A_LISTENER_PORT,    SLUICE_A_LISTENER_IFINDEX,
		SLUICE_A_LISTENER_V6ONLY,  SLUICE_A_LISTENER_BACKLOG, SLUICE_A_LISTENER_REUSEPORT,
		SLUICE_A_LISTENER_SOCKET_FD,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(not); i++) {
		if (!tb[not[i]])
			continue;
		NL_SET_ERR_MSG_ATTR(extack, tb[not[i]], "this listener has no socket of its own");
		return -EINVAL;
	}
	l->handed = true;
	return 0;
}

/* What connections inherit, and the socket's own. */
static void set_options(const struct sluice_tcp *tcp, struct sock *sk)
{
	sock_set_reuseaddr(sk);
	if (tcp->reuseport)
		sock_set_reuseport(sk);
	set_conn_options(tcp, sk);
}

/* What is wrong with a socket that is to be adopted for its connections; NULL: nothing. */
static const char *unfit(const struct sluice_listener *l, const struct sock *sk)
{
	if ((sk->sk_family != AF_INET && sk->sk_family != AF_INET6) ||
	    sk->sk_type != SOCK_STREAM || sk->sk_protocol != IPPROTO_TCP)
		return "fd is not a TCP socket";
	if (!net_eq(sock_net(sk), l->sn->net))
		return "the socket belongs to another network namespace";
	if (inet_sk_state_load(sk) != TCP_LISTEN)
		return "the socket does not listen: hand a connected one over with conn adopt";
	return NULL;
}

/*
 * Take a listening socket of the calling process. Its file is held: what is known of the end of a
 * listening socket is that nobody else holds it (owner_work).
 */
static int adopt(struct sluice_listener *l, struct nlattr **tb, struct netlink_ext_ack *extack)
{
	struct nlattr *not = tb[SLUICE_A_LISTENER_BACKLOG] ?: tb[SLUICE_A_LISTENER_REUSEPORT];
	struct socket *sock;
	const char *why;
	int err;

	if (not) {
		NL_SET_ERR_MSG_ATTR(extack, not, "the socket listens already, as its owner said");
		return -EINVAL;
	}
	sock = sockfd_lookup(nla_get_u32(tb[SLUICE_A_LISTENER_SOCKET_FD]), &err);
	if (!sock) {
		NL_SET_ERR_MSG(extack, "fd is not an open socket of the calling process");
		return err;
	}
	why = unfit(l, sock->sk);
	if (why) {
		extack->_msg = why;
		sockfd_put(sock);
		return -EINVAL;
	}
	sock_hold(sock->sk);
	l->sk = sock->sk;
	l->sock = sock;
	l->tcp->file = sock->file;
	l->adopted = true;
	sluice_listener_read_address(l);
	return 0;
}

/*
 * Whether the owner still listens with the adopted socket. The end of a listening socket calls
 * nobody back, and what is put into its socket operations passes to sockets that its owner accepts
 * (docs/decisions.md).
 */
static void owner_work(struct work_struct *work)
{
	struct sluice_tcp *tcp = container_of(to_delayed_work(work), struct sluice_tcp, owner_work);
	struct sluice_listener *l = tcp->l;

	if (file_count(tcp->file) > 1 && inet_sk_state_load(l->sk) == TCP_LISTEN) {
		queue_delayed_work(sluice_conn_wq, &tcp->owner_work, OWNER_DELAY);
		return;
	}
	WRITE_ONCE(l->closed, true);
	schedule_work(&l->closed_work);
}

static struct sluice_tcp *tcp_create(struct sluice_listener *l)
{
	struct sluice_tcp *tcp = kzalloc(sizeof(*tcp), GFP_KERNEL_ACCOUNT);

	if (!tcp)
		return NULL;
	tcp->l = l;
	spin_lock_init(&tcp->lock);
	INIT_LIST_HEAD(&tcp->conns);
	hash_init(tcp->sources);
	init_waitqueue_head(&tcp->gone);
	init_waitqueue_func_entry(&tcp->wait, wake_accept);
	INIT_WORK(&tcp->accept_work, accept_work);
	INIT_DELAYED_WORK(&tcp->owner_work, owner_work);
	INIT_DELAYED_WORK(&tcp->sweep, sluice_conn_sweep);
	return tcp;
}

/**
 * sluice_tcp_open() - make and bind a listener's socket, or adopt one
 * @l: listener being made
 * @tb: its attributes
 * @extack: why not
 *
 * Neither a socket of our own nor those of connections hold the namespace. Context: may sleep, in
 * the process that asks. Return: 0 or -errno.
 */
int sluice_tcp_open(struct sluice_listener *l, struct nlattr **tb, struct netlink_ext_ack *extack)
{
	struct socket *sock;
	int err;

	l->tcp = tcp_create(l);
	if (!l->tcp)
		return -ENOMEM;
	read_options(l->tcp, tb);
	l->tcp->sweep_jiffies = max(nsecs_to_jiffies(sweep_ns(l->tcp)), 1UL);
	err = read_framing(l->tcp, tb, extack);
	if (err)
		return err;
	if (tb[SLUICE_A_LISTENER_HANDED])
		return open_handed(l, tb, extack);
	if (tb[SLUICE_A_LISTENER_SOCKET_FD])
		return adopt(l, tb, extack);
	err = sluice_bind_address(l, tb, extack);
	if (err)
		return err;
	err = sock_create_kern(l->sn->net, l->addr_len == 4 ? AF_INET : AF_INET6, SOCK_STREAM,
			       IPPROTO_TCP, &sock);
	if (err)
		return err;
	set_options(l->tcp, sock->sk);
	err = sluice_bind_device(l, sock, extack) ?: sluice_bind(l, sock, extack);
	if (err) {
		sock_release(sock);
		return err;
	}
	sock_hold(sock->sk);
	l->sk = sock->sk;
	l->sock = sock;
	return 0;
}

/*
 * Claim an adopted socket: whoever else takes sockets over looks at its user data under this lock.
 * Its children do not inherit that.
 */
static int claim(struct sluice_listener *l)
{
	struct sock *sk = l->sk;
	int err = 0;

	lock_sock(sk);
	write_lock_bh(&sk->sk_callback_lock);
	if (sk->sk_state != TCP_LISTEN || sk->sk_user_data || inet_csk(sk)->icsk_ulp_ops ||
	    sk->sk_prot != sk->sk_prot_creator)
		err = -EBUSY;
	else
		__rcu_assign_sk_user_data_with_flags(sk, l->tcp, SK_USER_DATA_NOCOPY);
	write_unlock_bh(&sk->sk_callback_lock);
	release_sock(sk);
	return err;
}

/* The owner has the socket again, and looks at who waits in its backlog. */
static void unclaim(struct sock *sk)
{
	write_lock_bh(&sk->sk_callback_lock);
	rcu_assign_sk_user_data(sk, NULL);
	write_unlock_bh(&sk->sk_callback_lock);
	sk->sk_data_ready(sk);
}

/**
 * sluice_tcp_attach() - listen: connections are opened from now on
 * @l: complete but for this
 * @extack: why not
 *
 * Context: may sleep. Return: 0 or -errno.
 */
int sluice_tcp_attach(struct sluice_listener *l, struct netlink_ext_ack *extack)
{
	struct sluice_tcp *tcp = l->tcp;
	int err;

	if (l->handed)
		return 0;
	if (l->adopted) {
		err = claim(l);
		if (err) {
			NL_SET_ERR_MSG(extack,
				       "taken already: by a listener, kTLS, a sockmap or another ULP");
			return err;
		}
		add_wait_queue(sk_sleep(l->sk), &tcp->wait);
		queue_work(sluice_conn_wq, &tcp->accept_work); /* its backlog */
		queue_delayed_work(sluice_conn_wq, &tcp->owner_work, OWNER_DELAY);
		return 0;
	}
	add_wait_queue(sk_sleep(l->sk), &tcp->wait);
	err = kernel_listen(l->sock, tcp->backlog);
	if (!err)
		return 0;
	remove_wait_queue(sk_sleep(l->sk), &tcp->wait);
	NL_SET_ERR_MSG(extack, "cannot listen: address and port are taken");
	return err;
}

/* Let go of the listening socket; sk_mutex is held, or nobody else has @l. May sleep. */
static void drop_socket(struct sluice_listener *l)
{
	struct sluice_tcp *tcp = l->tcp;

	if (l->sk)
		sock_put(l->sk);
	if (tcp->file)
		fput(tcp->file);
	else if (l->sock)
		sock_release(l->sock);
	WRITE_ONCE(l->sk, NULL);
	l->sock = NULL;
	tcp->file = NULL;
}

/* Take no further connection. An adopted socket is its owner's again. sk_mutex is held. */
static void stop_accepting(struct sluice_listener *l)
{
	struct sluice_tcp *tcp = l->tcp;

	if (!l->sk) /* was let go of */
		return;
	remove_wait_queue(sk_sleep(l->sk), &tcp->wait);
	cancel_work_sync(&tcp->accept_work);
	if (!tcp->file) {
		/* clients find nobody, or another listener that shares the port, from now on */
		kernel_sock_shutdown(l->sock, SHUT_RDWR);
		return;
	}
	unclaim(l->sk);
	drop_socket(l);
}

/**
 * sluice_tcp_let_go() - part with an adopted listening socket that its owner has closed
 * @l: listener; its socket may have been let go of already
 *
 * With our reference of its file goes the socket, and its port is free. Connections live on.
 *
 * Context: may sleep.
 */
void sluice_tcp_let_go(struct sluice_listener *l)
{
	mutex_lock(&l->sk_mutex);
	stop_accepting(l);
	mutex_unlock(&l->sk_mutex);
}

static struct sluice_conn *first_conn(struct sluice_tcp *tcp)
{
	struct sluice_conn *c;

	spin_lock_bh(&tcp->lock);
	c = list_first_entry_or_null(&tcp->conns, struct sluice_conn, node);
	if (c)
		sluice_conn_get(c);
	spin_unlock_bh(&tcp->lock);
	return c;
}

/*
 * Take no further connection and release all. One that another context is releasing at this moment
 * is left to it: the list is empty when it has done so. May sleep.
 */
void sluice_tcp_detach(struct sluice_listener *l)
{
	struct sluice_tcp *tcp = l->tcp;
	struct sluice_conn *c;

	WRITE_ONCE(tcp->closing, true);
	cancel_delayed_work_sync(&tcp->owner_work);
	sluice_tcp_let_go(l);
	spin_lock_bh(&tcp->lock); /* a sweep that has begun sees closing, or has queued the next */
	spin_unlock_bh(&tcp->lock);
	cancel_delayed_work_sync(&tcp->sweep);
	while ((c = first_conn(tcp))) {
		/* it leaves the list last: whoever is at it may need this processor */
		if (test_bit(SLUICE_CONN_RELEASED, &c->flags))
			usleep_range(50, 200);
		else
			sluice_conn_release(c, c->owner ? SLUICE_CONN_GIVEN_BACK :
							  SLUICE_CONN_KILLED);
		sluice_conn_put(c);
		cond_resched();
	}
}

/* Wait until no connection is left; its requests have been cancelled. May sleep. */
void sluice_tcp_wait(struct sluice_listener *l)
{
	struct sluice_tcp *tcp = l->tcp;

	wait_event(tcp->gone, !atomic_read(&tcp->alive));
	/* whoever counted it down still holds this lock */
	spin_lock_bh(&tcp->gone.lock);
	spin_unlock_bh(&tcp->gone.lock);
}

/* Close the listening socket, if it is not the owner's again. May sleep. */
void sluice_tcp_release(struct sluice_listener *l)
{
	if (l->tcp) {
		drop_socket(l);
		sluice_framer_release(l->tcp);
	}
	kfree(l->tcp);
}
