// SPDX-License-Identifier: GPL-2.0-only
/*
 * Adopted connections: which sockets of processes are taken, what their owners may do with them
 * meanwhile, and how they go back.
 */
#include <asm/ioctls.h>
#include <linux/kmemleak.h>
#include <linux/net.h>
#include <linux/sched/signal.h>
#include <linux/splice.h>
#include <linux/tcp.h>
#include <net/inet_common.h>
#include <net/ipv6.h>

#include "tcp.h"

/*
 * An adopted connection's socket has operations of ours in place of its own, which show its owner
 * the bytes of messages that rules pass, and no others. They are all that stands between: the
 * protocol below is not touched, so what the module does itself goes the usual way.
 *
 * Cover and claim: sock->ops, sk_user_data, the place of a ULP and the callbacks change together,
 * under the socket lock and sk_callback_lock (sluice_conn_open(), sluice_conn_release()). Whoever
 * finds one of our operations in sock->ops under the latter finds a connection in sk_user_data.
 *
 * A system call that the owner had begun by the socket's own operations may still be waiting for
 * the lock. One that installs a ULP finds the place taken. One that reads takes what it finds: its
 * owner's stream is cut wrongly then. IPV6_ADDRFORM takes the cover off, so nobody calls us when
 * the socket is closed: nothing but the socket lock says that there still is a struct socket
 * (sluice_owner_gone()).
 *
 * Ways back, each of which takes the cover off under the socket lock, once and for all:
 *   the owner closes its last descriptor, exits or is killed: cover_release() releases the
 *	connection, waits if somebody else is at it, and closes the socket as ever
 *   the connection ends by itself, or is killed; the listener or the namespace goes, the module is
 *	unloaded: sluice_conn_release() by whoever finds out. The socket's file may be closed at
 *	the same time: nothing of struct socket is touched after the cover is off.
 * The owner is woken, and finds the socket its own, in the state that sluice_owner_back() left it.
 *
 * A task may be within one of our operations when the cover is taken off. It holds no connection
 * while it sleeps, is woken, and leaves: a system call that may block is begun anew, by the
 * socket's own operations. sluice_owner_fini() waits for those that are still inside.
 */
static const struct proto_ops *own_ops[2]; /* of IPv4 and IPv6; set once, under sluice_mutex */
static struct proto_ops *cover_ops[2];	   /* after it; see sluice_owner_fini() */
static atomic_t inside = ATOMIC_INIT(0);

/* In the place of a ULP, so that none gets it. It is in no list: nobody can ask for it. */
static const struct tcp_ulp_ops no_ulp = { .name = "sluice" };

static const struct proto_ops *own(const struct socket *sock)
{
	return own_ops[sock->sk->sk_family == AF_INET6] ?: &inet_stream_ops;
}

static bool is_cover(const struct proto_ops *ops)
{
	return ops && (ops == READ_ONCE(cover_ops[0]) || ops == READ_ONCE(cover_ops[1]));
}

/* The connection of a socket. Return: it, with a reference; NULL: it is the owner's alone. */
static struct sluice_conn *conn_of(struct socket *sock)
{
	struct sock *sk = sock->sk;
	struct sluice_conn *c = NULL;

	read_lock_bh(&sk->sk_callback_lock);
	if (is_cover(READ_ONCE(sock->ops))) {
		c = sk->sk_user_data;
		sluice_conn_get(c);
	}
	read_unlock_bh(&sk->sk_callback_lock);
	return c;
}

static bool covered(struct socket *sock)
{
	struct sluice_conn *c = conn_of(sock);

	if (c)
		sluice_conn_put(c);
	return c;
}

/* Bytes that the owner may read now. */
static u32 passed(const struct sluice_owner *o, const struct sock *sk)
{
	u32 end, seq;

	if (!sluice_flag_test(&o->passing)) /* P2 */
		return 0;
	end = READ_ONCE(o->end);
	seq = READ_ONCE(tcp_sk(sk)->copied_seq);
	/* without the lock: they may be of two messages */
	return before(seq, end) ? end - seq : 0;
}

void sluice_owner_put(struct sluice_owner *o)
{
	if (o && refcount_dec_and_test(&o->ref))
		kfree(o);
}

static bool readable(struct socket *sock)
{
	struct sluice_conn *c = conn_of(sock);
	bool yes;

	if (!c)
		return true;
	yes = passed(c->owner, sock->sk);
	sluice_conn_put(c);
	return yes;
}

/* Like conn_of(), for whoever may be long at it: it does not keep the listener from going. */
static struct sluice_owner *owner_of(struct socket *sock)
{
	struct sluice_conn *c = conn_of(sock);
	struct sluice_owner *o;

	if (!c)
		return NULL;
	o = c->owner;
	refcount_inc(&o->ref);
	sluice_conn_put(c);
	return o;
}

/* A read of the owner's, by recvmsg() or splice(). */
struct reading {
	struct msghdr *msg;
	int flags;
	struct pipe_inode_info *pipe;
	loff_t *pos;
	unsigned int splice;
};

/*
 * Read up to @len bytes by the socket's own operations, without waiting for any. The memory that
 * they go to may be waited for: the module is in use, then, rather than its unloading stuck.
 */
static ssize_t read_own(struct socket *sock, const struct reading *r, size_t len)
{
	bool pinned = try_module_get(THIS_MODULE);
	ssize_t n;

	if (r->msg)
		n = own(sock)->recvmsg(sock, r->msg, len, r->flags | MSG_DONTWAIT);
	else
		n = own(sock)->splice_read(sock, r->pos, r->pipe, len,
					   r->splice | SPLICE_F_NONBLOCK);
	if (pinned)
		module_put(THIS_MODULE);
	return n;
}

/* The owner may have read the message that was passed: go on behind it. */
static void read_on(struct socket *sock, struct sluice_owner *o)
{
	struct sluice_conn *c = conn_of(sock);
	bool done;

	if (!c)
		return;
	lock_sock(c->sk);
	done = c->owner == o && o->passing && !before(tcp_sk(c->sk)->copied_seq, o->end);
	if (done) {
		WRITE_ONCE(o->passing, 0);
		WRITE_ONCE(c->active, sluice_now());
	}
	release_sock(c->sk);
	if (done)
		sluice_conn_kick(c);
	sluice_conn_put(c);
}

/*
 * Read of what is passed. While it is not read nobody takes the cover's place at the receive queue:
 * if the connection ends meanwhile, the bytes are the owner's all the more.
 * Return: as recvmsg(); -EAGAIN nothing is.
 */
static ssize_t read_passed(struct socket *sock, struct sluice_owner *o, const struct reading *r,
			   size_t len)
{
	ssize_t n = -EAGAIN;
	u32 there, off = 0;
	int err;

	err = mutex_lock_interruptible(&o->reading);
	if (err)
		return -EINTR;
	there = passed(o, sock->sk);
	if (r->msg && r->flags & MSG_PEEK)
		off = max(READ_ONCE(sock->sk->sk_peek_off), 0);
	if (there > off)
		n = read_own(sock, r, min_t(size_t, len, there - off));
	/* an urgent byte is passed over without being read */
	if (there)
		read_on(sock, o);
	mutex_unlock(&o->reading);
	return n;
}

/* Wait until the owner may read, or the socket is its own again. Return: 0 or -errno. */
static int wait_readable(struct socket *sock, long *timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	wait_queue_head_t *wq = sk_sleep(sock->sk);
	int err = 0;

	add_wait_queue(wq, &wait);
	while (!readable(sock)) {
		if (!*timeo)
			err = -EAGAIN;
		else if (signal_pending(current))
			err = sock_intr_errno(*timeo);
		if (err)
			break;
		*timeo = wait_woken(&wait, TASK_INTERRUPTIBLE, *timeo);
	}
	remove_wait_queue(wq, &wait);
	return err;
}

/* The socket became the owner's while it was about to read: by its own operations, then. */
static ssize_t read_again(struct socket *sock, const struct reading *r, size_t len, bool may_wait)
{
	if (!may_wait)
		return read_own(sock, r, len);
	if (current->flags & (PF_KTHREAD | PF_IO_WORKER))
		return -EINTR;
	return restart_syscall();
}

static ssize_t read_some(struct socket *sock, const struct reading *r, size_t len, long timeo)
{
	bool may_wait = timeo, all = r->msg && r->flags & MSG_WAITALL && !(r->flags & MSG_PEEK);
	size_t done = 0;
	ssize_t n = 0;

	while (done < len) {
		struct sluice_owner *o = owner_of(sock);

		if (!o) {
			n = done ? 0 : read_again(sock, r, len, may_wait);
			break;
		}
		n = read_passed(sock, o, r, len - done);
		sluice_owner_put(o);
		if (n > 0)
			done += n;
		if (n > 0 && !all)
			break;
		if (n == -EAGAIN && (!done || all))
			n = wait_readable(sock, &timeo);
		if (n < 0)
			break;
	}
	return done ?: n;
}

static int cover_recvmsg(struct socket *sock, struct msghdr *msg, size_t len, int flags)
{
	const struct reading r = { .msg = msg, .flags = flags };
	int ret;

	atomic_inc(&inside);
	if (flags & (MSG_OOB | MSG_ERRQUEUE))
		ret = own(sock)->recvmsg(sock, msg, len, flags | MSG_DONTWAIT);
	else
		ret = read_some(sock, &r, len, sock_rcvtimeo(sock->sk, flags & MSG_DONTWAIT));
	atomic_dec(&inside);
	return ret;
}

static ssize_t cover_splice_read(struct socket *sock, loff_t *pos, struct pipe_inode_info *pipe,
				 size_t len, unsigned int flags)
{
	const struct reading r = { .pos = pos, .pipe = pipe, .splice = flags };
	bool now = flags & SPLICE_F_NONBLOCK || sock->file->f_flags & O_NONBLOCK;
	ssize_t ret;

	atomic_inc(&inside);
	ret = read_some(sock, &r, len, sock_rcvtimeo(sock->sk, now));
	atomic_dec(&inside);
	return ret;
}

static __poll_t cover_poll(struct file *file, struct socket *sock, poll_table *wait)
{
	struct sluice_conn *c;
	__poll_t mask;

	atomic_inc(&inside);
	mask = own(sock)->poll(file, sock, wait); /* may wait for memory of its caller's */
	c = conn_of(sock);
	if (c) {
		/* what comes, its end too, is the module's until it has passed it on */
		mask &= ~(EPOLLIN | EPOLLRDNORM | EPOLLRDHUP);
		if (passed(c->owner, sock->sk))
			mask |= EPOLLIN | EPOLLRDNORM;
		sluice_conn_put(c);
	}
	atomic_dec(&inside);
	return mask;
}

static int cover_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg)
{
	struct sluice_conn *c;
	int ret;

	atomic_inc(&inside);
	c = cmd == SIOCINQ ? conn_of(sock) : NULL;
	if (c) {
		ret = put_user((int)passed(c->owner, sock->sk), (int __user *)arg);
		sluice_conn_put(c);
	} else {
		ret = own(sock)->ioctl(sock, cmd, arg);
	}
	atomic_dec(&inside);
	return ret;
}

/* Nobody else may take the socket over, or its operations away, as long as it is ours. */
static int cover_setsockopt(struct socket *sock, int level, int name, sockptr_t val,
			    unsigned int len)
{
	bool over = (level == SOL_TCP && name == TCP_ULP) ||
		    (level == SOL_IPV6 && name == IPV6_ADDRFORM);
	int ret = -EBUSY;

	atomic_inc(&inside);
	if (!over || !covered(sock))
		ret = own(sock)->setsockopt(sock, level, name, val, len);
	atomic_dec(&inside);
	return ret;
}

/* A second way to read is closed. */
static int cover_getsockopt(struct socket *sock, int level, int name, char __user *val,
			    int __user *len)
{
	int ret = -EBUSY;

	atomic_inc(&inside);
	if (level != SOL_TCP || name != TCP_ZEROCOPY_RECEIVE || !covered(sock))
		ret = own(sock)->getsockopt(sock, level, name, val, len);
	atomic_dec(&inside);
	return ret;
}

/* Disconnecting, by an address of no family, is for whoever has the socket alone. */
static int cover_connect(struct socket *sock, sluice_sockaddr *addr, int len, int flags)
{
	int ret = -EISCONN;

	atomic_inc(&inside);
	if (!covered(sock))
		ret = own(sock)->connect(sock, addr, len, flags);
	atomic_dec(&inside);
	return ret;
}

/* It is the owner's wish for later: until then each segment has to be told of. */
static int cover_set_rcvlowat(struct sock *sk, int val)
{
	struct sluice_conn *c = sk->sk_socket ? conn_of(sk->sk_socket) : NULL;

	if (!c)
		return inet_stream_ops.set_rcvlowat(sk, val); /* the same for both families */
	WRITE_ONCE(c->owner->rcvlowat, val ?: 1);
	sluice_conn_put(c);
	return 0;
}

/*
 * A connection accepts nothing; but the new socket has been given our operations, with which it
 * must not be left.
 */
static int cover_accept(struct socket *sock, struct socket *newsock, SLUICE_ACCEPT_ARGS)
{
	newsock->ops = own(sock);
	return -EINVAL;
}

/* The owner has closed its last descriptor; nobody else has the socket's file. */
static int cover_release(struct socket *sock)
{
	struct sluice_conn *c;
	bool pinned;
	int ret;

	if (!sock->sk)
		return 0;
	atomic_inc(&inside);
	while ((c = conn_of(sock))) {
		/* whoever was first may need this processor to take the cover off */
		if (test_bit(SLUICE_CONN_RELEASED, &c->flags))
			usleep_range(50, 200);
		else
			sluice_conn_release(c, SLUICE_CONN_OWNER);
		sluice_conn_put(c);
	}
	/* it may linger: the module is in use, then, rather than its unloading stuck */
	pinned = try_module_get(THIS_MODULE);
	ret = own(sock)->release(sock);
	if (pinned)
		module_put(THIS_MODULE);
	atomic_dec(&inside);
	return ret;
}

/* The operations that a TCP socket of a family has when it is made. Return: NULL: not known. */
static const struct proto_ops *find_own(struct net *net, int family)
{
	const struct proto_ops *ops;
	struct socket *sock;

	if (sock_create_kern(net, family, SOCK_STREAM, IPPROTO_TCP, &sock))
		return NULL;
	ops = sock->ops;
	sock_release(sock);
	return ops;
}

/* Make our operations for sockets of a family. Return: 0 or -ENOMEM. May sleep. */
static int make_cover(struct net *net, int family)
{
	int i = family == AF_INET6;
	struct proto_ops *ops;

	lockdep_assert_held(&sluice_mutex);
	if (cover_ops[i])
		return 0;
	own_ops[i] = find_own(net, family);
	ops = own_ops[i] ? kmemdup(own_ops[i], sizeof(*ops), GFP_KERNEL) : NULL;
	if (!ops)
		return -ENOMEM;
	ops->release = cover_release;
	ops->connect = cover_connect;
	ops->accept = cover_accept;
	ops->poll = cover_poll;
	ops->ioctl = cover_ioctl;
	ops->setsockopt = cover_setsockopt;
	ops->getsockopt = cover_getsockopt;
	ops->recvmsg = cover_recvmsg;
	ops->splice_read = cover_splice_read;
	ops->set_rcvlowat = cover_set_rcvlowat;
	WRITE_ONCE(cover_ops[i], ops);
	return 0;
}

/* The reverse; they are in no socket any more, and stay. */
static void unmake_cover(struct proto_ops *ops, const struct proto_ops *theirs)
{
	WRITE_ONCE(ops->release, theirs->release);
	WRITE_ONCE(ops->connect, theirs->connect);
	WRITE_ONCE(ops->accept, theirs->accept);
	WRITE_ONCE(ops->poll, theirs->poll);
	WRITE_ONCE(ops->ioctl, theirs->ioctl);
	WRITE_ONCE(ops->setsockopt, theirs->setsockopt);
	WRITE_ONCE(ops->getsockopt, theirs->getsockopt);
	WRITE_ONCE(ops->recvmsg, theirs->recvmsg);
	WRITE_ONCE(ops->splice_read, theirs->splice_read);
	WRITE_ONCE(ops->set_rcvlowat, theirs->set_rcvlowat);
	kmemleak_ignore(ops);
}

/* Whether replies can be sent; the client may have said all that it has to say. */
static bool can_send(const struct sock *sk)
{
	return (1 << inet_sk_state_load(sk)) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT);
}

/* Whether the owner closed the socket without our knowing; the socket lock is held. */
bool sluice_owner_gone(const struct sluice_conn *c)
{
	return !c->sk->sk_socket;
}

/**
 * sluice_owner_cover() - put our operations into a socket
 * @c: connection to be; the socket lock and sk_callback_lock are held
 *
 * Return: 0; -EBUSY if something else has taken the socket over, or it is not open any more.
 */
int sluice_owner_cover(struct sluice_conn *c)
{
	struct inet_connection_sock *icsk = inet_csk(c->sk);
	int i = c->sk->sk_family == AF_INET6;
	struct sock *sk = c->sk;

	if (!cover_ops[i] || c->sock->ops != own_ops[i] || sk->sk_user_data || icsk->icsk_ulp_ops ||
	    sk->sk_prot != sk->sk_prot_creator || !can_send(sk))
		return -EBUSY;
	icsk->icsk_ulp_ops = &no_ulp;
	c->owner->rcvlowat = sk->sk_rcvlowat;
	WRITE_ONCE(sk->sk_rcvlowat, 1);
	WRITE_ONCE(c->sock->ops, cover_ops[i]);
	return 0;
}

/* The reverse; the same locks are held. */
void sluice_owner_uncover(struct sluice_conn *c)
{
	struct inet_connection_sock *icsk = inet_csk(c->sk);
	struct sock *sk = c->sk;

	WRITE_ONCE(sk->sk_rcvlowat, c->owner->rcvlowat);
	if (icsk->icsk_ulp_ops == &no_ulp)
		icsk->icsk_ulp_ops = NULL;
	if (!sluice_owner_gone(c) && is_cover(sk->sk_socket->ops))
		WRITE_ONCE(sk->sk_socket->ops, own(sk->sk_socket));
}

/**
 * sluice_owner_tell() - leave the first bytes of the receive queue to the owner
 * @c: connection; the socket lock is held
 * @len: of the message
 *
 * Nothing is read until the owner has read them.
 */
void sluice_owner_tell(struct sluice_conn *c, u32 len)
{
	struct sluice_owner *o = c->owner;

	WRITE_ONCE(c->received_bytes, c->received_bytes + len);
	WRITE_ONCE(o->end, tcp_sk(c->sk)->copied_seq + len);
	sluice_flag_set(&o->passing); /* P1: end and copied_seq before it */
	c->saved_data_ready(c->sk);
}

/*
 * The state in which the socket goes back, the cover being off; the socket lock is held. What the
 * listener does not want any more it ends for the owner too. Return: how it counts.
 */
enum sluice_conn_count sluice_owner_back(struct sluice_conn *c, enum sluice_conn_count why,
					 bool whole)
{
	struct sock *sk = c->sk;

	if (sluice_owner_gone(c))
		return SLUICE_CONN_OWNER;
	if (why == SLUICE_CONN_GIVEN_BACK && !whole)
		why = SLUICE_CONN_KILLED;
	switch (why) {
	case SLUICE_CONN_GIVEN_BACK:
	case SLUICE_CONN_OWNER:
	case SLUICE_CONN_CLOSED:
	case SLUICE_CONN_TRUNCATED:
	case SLUICE_CONN_RESET:
		break;
	case SLUICE_CONN_KILLED:
	case SLUICE_CONN_STALLED:
	case SLUICE_CONN_MEMORY:
		if (!sk->sk_prot->disconnect(sk, O_NONBLOCK)) {
			sk->sk_socket->state = SS_UNCONNECTED;
			break;
		}
		fallthrough; /* some kernels refuse while a thread of the owner's waits in send() */
	default: /* all that was to be sent has been */
		WRITE_ONCE(sk->sk_shutdown, SHUTDOWN_MASK);
		sk->sk_prot->shutdown(sk, SEND_SHUTDOWN);
	}
	sk->sk_data_ready(sk);
	sk->sk_write_space(sk);
	sk->sk_state_change(sk);
	return why;
}

/* What is wrong with a socket that is to be adopted as a connection; NULL: nothing. */
static const char *unfit(const struct sluice_tcp *tcp, const struct sock *sk)
{
	if ((sk->sk_family != AF_INET && sk->sk_family != AF_INET6) ||
	    sk->sk_type != SOCK_STREAM || sk->sk_protocol != IPPROTO_TCP)
		return "fd is not a TCP socket";
	if (!net_eq(sock_net(sk), tcp->l->sn->net))
		return "the socket belongs to another network namespace";
	if (inet_sk_state_load(sk) == TCP_LISTEN)
		return "the socket listens: hand it over with listener add";
	if (!can_send(sk))
		return "the socket is not connected, or has been shut down";
	return NULL;
}

static int refused(enum sluice_conn_count what, struct netlink_ext_ack *extack)
{
	switch (what) {
	case SLUICE_CONN_ADOPTED:
		return 0;
	case SLUICE_CONN_REFUSED_MEMORY:
		return -ENOMEM;
	case SLUICE_CONN_REFUSED_LIMIT:
		NL_SET_ERR_MSG(extack, "as many connections are open as the listener allows");
		return -EBUSY;
	case SLUICE_CONN_REFUSED_SOURCE:
		NL_SET_ERR_MSG(extack, "the limit of connections from its address is reached");
		return -EBUSY;
	default:
		NL_SET_ERR_MSG(extack,
			       "taken already: by a listener, kTLS, a sockmap or another ULP");
		return -EBUSY;
	}
}

/**
 * sluice_owner_adopt() - take a connected TCP socket of the calling process
 * @tcp: listener; sluice_mutex is held
 * @fd: its number in the caller
 * @extack: why not
 *
 * The file is not held: the owner may close it at any time, which ends the connection.
 *
 * Context: may sleep, in the caller. Return: 0 or -errno.
 */
int sluice_owner_adopt(struct sluice_tcp *tcp, int fd, struct netlink_ext_ack *extack)
{
	struct socket *sock;
	const char *why;
	int err;

	sock = sockfd_lookup(fd, &err);
	if (!sock) {
		NL_SET_ERR_MSG(extack, "fd is not an open socket of the calling process");
		return err;
	}
	err = -EINVAL;
	why = unfit(tcp, sock->sk);
	if (why) {
		extack->_msg = why;
		goto out;
	}
	err = make_cover(tcp->l->sn->net, sock->sk->sk_family);
	if (err)
		goto out;
	/* a message should fit: see set_conn_options() */
	if (READ_ONCE(sock->sk->sk_rcvbuf) < 2 * (2 * tcp->frame.max + SZ_64K))
		sock_set_rcvbuf(sock->sk, 2 * tcp->frame.max + SZ_64K);
	err = refused(sluice_conn_adopt(tcp, sock), extack);
out:
	sockfd_put(sock);
	return err;
}

/*
 * No connection is left. A task that has read our operations from a socket may sleep before it
 * calls one, as accept() does, so they stay in memory for good, with the socket's own in them. Who
 * has read ours from there, and is not in it yet, or not any more, has not slept since: the grace
 * period waits for it. May sleep.
 */
void sluice_owner_fini(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(cover_ops); i++)
		if (cover_ops[i])
			unmake_cover(cover_ops[i], own_ops[i]);
	if (!cover_ops[0] && !cover_ops[1])
		return;
	synchronize_rcu_tasks();
	while (atomic_read(&inside))
		schedule_timeout_uninterruptible(1);
	synchronize_rcu_tasks();
}
