// SPDX-License-Identifier: GPL-2.0-only
/* Requests and replies as datagrams: one connected UDP socket a channel. */
#include <errno.h>
#include <linux/sock_diag.h>
#include <unistd.h>

#include "load/load.h"

#define RECEIVE_BUFFER	(8 << 20)
#define REPLY_MAX	2056

/* A socket connected to the target: its own source port, no address per datagram. fd or -errno. */
int datagram_open(const struct options *opt)
{
	int size = RECEIVE_BUFFER;
	int fd, err;

	fd = socket(opt->addr.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* beyond the system's limit if we may; what the limit leaves is enough for most rates */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (connect(fd, (const struct sockaddr *)&opt->addr, opt->addr_len)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static size_t udp_in_size(struct worker *w)
{
	w->in_size = w->opt->size + 64 > REPLY_MAX ? (u32)w->opt->size + 64 : REPLY_MAX;
	return (size_t)BATCH * w->in_size;
}

static int udp_open(struct worker *w, struct channel *c)
{
	c->fd = datagram_open(w->opt);
	return c->fd < 0 ? c->fd : 0;
}

static void udp_close(struct channel *c)
{
	if (c->fd >= 0)
		close(c->fd);
}

static void udp_event(struct worker *w, struct channel *c, u32 events)
{
	struct mmsghdr msg[BATCH];
	struct iovec iov[BATCH];
	u64 now;
	int i, n;

	(void)events;
	memset(msg, 0, sizeof(msg));
	for (i = 0; i < BATCH; i++) {
		iov[i].iov_base = w->in + (size_t)i * w->in_size;
		iov[i].iov_len = w->in_size;
		msg[i].msg_hdr.msg_iov = &iov[i];
		msg[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(c->fd, msg, BATCH, MSG_DONTWAIT, NULL);
	if (n < 0) {
		if (errno == ECONNREFUSED || errno == EHOSTUNREACH || errno == ENETUNREACH)
			COUNT(w->counts.unreachable);
		return;
	}
	now = now_ns();
	for (i = 0; i < n; i++)
		reply_identify(w, c, iov[i].iov_base, msg[i].msg_len, now);
}

/* Which of the requests that are due fit: builds up to BATCH of them for one socket. */
static u32 build(struct worker *w, struct channel *c, struct mmsghdr *msg, struct iovec *iov, u64 now)
{
	struct flight *f;
	u32 n = 0;

	while (n < BATCH) {
		f = request_next(w, c, now);
		if (!f)
			break;
		iov[n].iov_base = w->out + (size_t)n * w->out_size;
		iov[n].iov_len = w->opt->proto->build(w, f, iov[n].iov_base);
		msg[n].msg_hdr.msg_iov = &iov[n];
		msg[n].msg_hdr.msg_iovlen = 1;
		n++;
	}
	return n;
}

static void note_sent(struct worker *w, struct flight *f, bool ok, u64 now)
{
	f->sent = ok;
	if (ok) {
		if (f->counted)
			COUNT(w->counts.sent);
		request_tried(w, f, now);
		return;
	}
	f->state = FLIGHT_SETTLED;
	if (f->counted)
		COUNT(w->counts.unsent);
}

static bool udp_send(struct worker *w, struct channel *c, u64 now)
{
	struct mmsghdr msg[BATCH];
	struct iovec iov[BATCH];
	u32 first = c->next_seq;
	u32 done = 0;
	u32 n, i;
	int ret;

	memset(msg, 0, sizeof(msg));
	n = build(w, c, msg, iov, now);
	while (done < n) {
		ret = sendmmsg(c->fd, msg + done, n - done, MSG_DONTWAIT);
		if (ret < 0 && errno == ECONNREFUSED) {
			/* the error belongs to an earlier datagram; reading it cleared it, this one is still to be sent */
			COUNT(w->counts.unreachable);
			continue;
		}
		if (ret < 0 && errno == EINTR)
			continue;
		now = now_ns();
		for (i = 0; i < (ret > 0 ? (u32)ret : 1); i++)
			note_sent(w, &c->flights[(first + done + i) & c->mask], ret > 0, now);
		done += i;
	}
	return n != 0;
}

/* Replies that the kernel dropped because we did not read them in time, since the sockets were opened. */
u64 datagram_drops(const struct worker *w)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; !w->opt->tcp && i < w->nchannels; i++) {
		u32 info[SK_MEMINFO_VARS] = { 0 };
		socklen_t len = sizeof(info);

		if (!getsockopt(w->channels[i].fd, SOL_SOCKET, SO_MEMINFO, info, &len) &&
		    len > SK_MEMINFO_DROPS * sizeof(u32))
			sum += info[SK_MEMINFO_DROPS];
	}
	return sum;
}

const struct transport transport_udp = {
	.name = "udp",
	.table_min = 1024,
	.in_size = udp_in_size,
	.open = udp_open,
	.send = udp_send,
	.event = udp_event,
	.close = udp_close,
};
