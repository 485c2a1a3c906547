// SPDX-License-Identifier: GPL-2.0-only
/* Requests and replies on TCP connections: what a socket does not take waits, replies are cut out, what ends is made anew. */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "load/load.h"

#define CONNECT_S	10		/* at the start; later, requests time out as without an answer */
#define CHUNK		(64u << 10)	/* room for one receive */
#define REPLY_MIN	(1u << 20)	/* a longer reply is none */
#define PLACES_MAX	(1u << 22)	/* of a channel */
#define BUFFERED_MAX	(64u << 20)	/* of a worker: to a server that does not read, no more is built */

static int connect_to(const struct options *opt, int flags)
{
	struct timeval limit = { .tv_sec = CONNECT_S };
	int one = 1;
	int fd, err;

	fd = socket(opt->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (!connect(fd, (const struct sockaddr *)&opt->addr, opt->addr_len))
		return fd;
	err = errno;
	if (err == EINPROGRESS && flags)
		return fd;
	close(fd);
	return err == EINPROGRESS ? -ETIMEDOUT : -err;
}

/* A connection, once it is made; or -errno. */
int stream_open(const struct options *opt)
{
	return connect_to(opt, 0);
}

void open_error(const struct options *opt, int err, char *error, size_t room)
{
	const char *advice = "check the address";

	if (err == -EMFILE || err == -ENFILE)
		advice = "raise the limit of open files (ulimit -n), or ask for fewer --connections";
	else if (err == -EADDRNOTAVAIL || err == -EAGAIN)
		advice = "no local port is left: ask for fewer --connections, or widen net.ipv4.ip_local_port_range";
	else if (err == -ECONNREFUSED || err == -ECONNRESET || err == -ETIMEDOUT)
		advice = "does a server listen there, over TCP?";
	else if (err == -ENOMEM)
		advice = "ask for fewer --connections";
	snprintf(error, room, "%s to %s: %s; %s", opt->tcp ? "connection" : "socket", opt->target, strerror(-err), advice);
}

/* The longest that may come in answer to what is asked, and some more. */
u32 stream_reply_max(const struct options *opt)
{
	u64 most = opt->multi_get * (opt->value_size + MC_LINE_MAX) + opt->size + CHUNK;

	return most > REPLY_MIN ? (u32)most : REPLY_MIN;
}

static size_t tcp_in_size(struct worker *w)
{
	w->in_size = stream_reply_max(w->opt) + CHUNK;
	return w->in_size;
}

static bool bytes_append(struct bytes *b, const u8 *p, u32 len)
{
	u32 room = b->room ? b->room : 256;
	u8 *data;

	if (!len)
		return true;
	if (b->at && b->at + b->len + len > b->room) {
		memmove(b->data, b->data + b->at, b->len);
		b->at = 0;
	}
	while (room < b->len + len)
		room *= 2;
	if (room != b->room) {
		data = realloc(b->data, room);
		if (!data)
			return false;
		b->data = data;
		b->room = room;
	}
	memcpy(b->data + b->at + b->len, p, len);
	b->len += len;
	return true;
}

static void bytes_drop(struct bytes *b, u32 len)
{
	b->len -= len;
	b->at = b->len ? b->at + len : 0;
}

static void watch_for(struct worker *w, struct channel *c)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };

	if (c->connecting || c->out.len)
		event.events |= EPOLLOUT;
	if (event.events == c->events)
		return;
	epoll_ctl(w->epoll, c->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &event);
	c->events = event.events;
}

/* A new connection in place of one that ended; when it is made, an event says so. */
static int reconnect(struct worker *w, struct channel *c)
{
	c->fd = connect_to(w->opt, SOCK_NONBLOCK);
	if (c->fd < 0) {
		COUNT(w->counts.unreachable);
		return c->fd;
	}
	c->connecting = true;
	c->replied = false;
	c->events = 0;
	watch_for(w, c);
	return 0;
}

static void forget(struct worker *w, struct channel *c)
{
	struct flight *f;

	for (f = request_oldest(c); f; f = request_oldest(c)) {
		f->state = FLIGHT_SETTLED;
		if (f->counted)
			COUNT(w->counts.broken);
	}
	c->expected = c->unsent = c->next_seq;
	c->part = 0;
	w->buffered -= c->out.len;
	bytes_drop(&c->out, c->out.len);
	bytes_drop(&c->in, c->in.len);
}

/*
 * The connection is over: what waits on it gets no answer. One that was of use is replaced at once, any other when
 * there is something to send, so that a server that turns us away is not beset.
 */
static void end(struct worker *w, struct channel *c)
{
	bool again = c->replied && w->start_ns + (u64)w->schedule.next < w->end_ns;

	forget(w, c);
	close(c->fd);
	c->fd = -1;
	if (c->connecting)
		COUNT(w->counts.unreachable);
	else
		COUNT(w->counts.closed);
	c->connecting = false;
	if (again)
		reconnect(w, c);
}

/* The request that a reply without an id belongs to. */
static void take_next(struct worker *w, struct channel *c, const u8 *buf, u32 len, u64 now)
{
	if (c->expected == c->next_seq) {
		COUNT(w->counts.strange);
		return;
	}
	reply_take(w, c, &c->flights[c->expected & c->mask], buf, len, now);
	c->expected++;
}

/* Bytes that are no reply: the one that was to come is wrong, and where the next begins cannot be known. */
static void malformed(struct worker *w, struct channel *c, u64 now)
{
	struct flight *f = request_oldest(c);

	if (w->opt->proto->ordered && c->expected != c->next_seq)
		f = &c->flights[c->expected & c->mask];
	if (f && f->state == FLIGHT_PENDING)
		request_settle(w, f, VERDICT_WRONG, now);
	else
		COUNT(w->counts.strange);
}

/* Take what has come: above 0; 0: nothing is there; below: the connection is over. */
static int receive(struct worker *w, struct channel *c)
{
	enum cut_result r = CUT_DONE;
	u32 len = c->in.len, at = 0;
	struct cut reply;
	ssize_t n;
	u64 now;

	if (len)
		memcpy(w->in, c->in.data + c->in.at, len);
	n = recv(c->fd, w->in + len, w->in_size - len, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (!n)
		return -EPIPE;
	len += (u32)n;
	now = now_ns();
	while (at < len) {
		r = w->opt->proto->cut(w->opt, w->in + at, len - at, &reply);
		if (r != CUT_DONE)
			break;
		c->replied = true;
		if (w->opt->proto->ordered)
			take_next(w, c, w->in + at + reply.at, reply.len, now);
		else
			reply_identify(w, c, w->in + at + reply.at, reply.len, now);
		at += reply.total;
	}
	if (r == CUT_BAD || len - at > stream_reply_max(w->opt)) {
		malformed(w, c, now);
		return -EPROTO;
	}
	bytes_drop(&c->in, c->in.len);
	if (!bytes_append(&c->in, w->in + at, len - at))
		w->err = -ENOMEM;
	return 1;
}

/* So many bytes more went to the kernel: which requests that completes. */
static void handed_over(struct worker *w, struct channel *c, u32 bytes)
{
	c->part += bytes;
	while (c->unsent != c->next_seq) {
		struct flight *f = &c->flights[c->unsent & c->mask];

		if (c->part < f->len)
			break;
		c->part -= f->len;
		c->unsent++;
		f->sent = true;
		/* what timed out before has its end already */
		if (f->counted && f->state != FLIGHT_LOST && f->state != FLIGHT_LATE)
			COUNT(w->counts.sent);
	}
}

/* Bytes that the socket took, or -errno. */
static int give(struct worker *w, struct channel *c, const u8 *buf, u32 len)
{
	ssize_t n = send(c->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	handed_over(w, c, (u32)n);
	return (int)n;
}

/* Sending failed: replies may have come before the end. */
static void drain(struct worker *w, struct channel *c)
{
	while (receive(w, c) > 0)
		;
	end(w, c);
}

static void flush(struct worker *w, struct channel *c)
{
	int n = c->out.len ? give(w, c, c->out.data + c->out.at, c->out.len) : 0;

	if (n < 0) {
		drain(w, c);
		return;
	}
	bytes_drop(&c->out, (u32)n);
	w->buffered -= (u32)n;
	watch_for(w, c);
}

static void put(struct worker *w, struct channel *c, const u8 *buf, u32 len)
{
	int n = 0;

	if (len && !c->out.len && !c->connecting) {
		n = give(w, c, buf, len);
		if (n < 0) {
			drain(w, c);
			return;
		}
	}
	if (!bytes_append(&c->out, buf + n, len - (u32)n)) {
		w->err = -ENOMEM;
		return;
	}
	w->buffered += len - (u32)n;
	watch_for(w, c);
}

/* Twice the places, for a server that takes its time: a request that was lost keeps its place until its reply comes. */
static bool grow(struct worker *w, struct channel *c)
{
	u32 size = (c->mask + 1) * 2;
	struct flight *flights;
	u32 i;

	if (c->next_seq - c->oldest <= c->mask && c->next_seq - c->unsent <= c->mask &&
	    (!w->opt->proto->ordered || c->next_seq - c->expected <= c->mask))
		return true;
	flights = size <= PLACES_MAX ? calloc(size, sizeof(*flights)) : NULL;
	if (!flights)
		return false;
	for (i = 0; i <= c->mask; i++)
		flights[c->flights[i].seq & (size - 1)] = c->flights[i];
	free(c->flights);
	c->flights = flights;
	c->mask = size - 1;
	return true;
}

static bool tcp_send(struct worker *w, struct channel *c, u64 now)
{
	u32 first = c->next_seq;
	u32 len = 0;
	u32 n;

	if (c->fd < 0 && reconnect(w, c))
		return request_skip(w, now, &w->counts.broken);
	for (n = 0; n < BATCH && request_due(w, now); n++) {
		struct flight *f;

		if (w->buffered + len > BUFFERED_MAX || !grow(w, c)) {
			if (w->start_ns + (u64)w->schedule.next >= w->count_from_ns)
				COUNT(w->counts.blocked);
			request_skip(w, now, &w->counts.unsent);
			continue;
		}
		f = request_next(w, c, now);
		f->len = w->opt->proto->build(w, f, w->out + len);
		len += f->len;
	}
	put(w, c, w->out, len);
	now = now_ns();
	for (; first != c->next_seq; first++)
		request_tried(w, &c->flights[first & c->mask], now);
	return true;
}

static void tcp_event(struct worker *w, struct channel *c, u32 events)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (c->connecting) {
		if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) || err) {
			end(w, c);
			return;
		}
		c->connecting = false;
	}
	if ((events & ~(u32)EPOLLOUT) && receive(w, c) < 0) {
		end(w, c);
		return;
	}
	if (events & EPOLLOUT)
		flush(w, c);
}

static int tcp_open(struct worker *w, struct channel *c)
{
	c->fd = stream_open(w->opt);
	return c->fd < 0 ? c->fd : 0;
}

static void tcp_close(struct channel *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->out.data);
	free(c->in.data);
}

const struct transport transport_tcp = {
	.name = "tcp",
	.table_min = 64,
	.in_size = tcp_in_size,
	.open = tcp_open,
	.send = tcp_send,
	.event = tcp_event,
	.close = tcp_close,
};
