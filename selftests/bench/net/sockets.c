// SPDX-License-Identifier: GPL-2.0-only
/* Owns the servers over UDP sockets: recvmmsg and sendmmsg, epoll, SO_REUSEPORT, UDP_SEGMENT, generic receive offload. */
#include <errno.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "cost.h"

#define SHARERS 4	/* sockets that share the port */
#define SEGMENTS 32	/* of one buffer: below 64 KiB and the kernel's limit of 64 */

static char in[BATCH][SIZE_MAX_MSG];
static struct mmsghdr rx[BATCH];
static struct iovec iov[BATCH];
static struct sockaddr_in peers[BATCH];
static int server, epfd;

static void open_plain(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int i;

	server = udp_socket("0.0.0.0", PORT);
	for (i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ in[i], sizeof(in[i]) };
		rx[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1,
						 .msg_name = &peers[i], .msg_namelen = sizeof(peers[i]) };
	}
	ev.data.fd = server;
	epfd = epoll_create1(EPOLL_CLOEXEC);
	if (epfd < 0 || epoll_ctl(epfd, EPOLL_CTL_ADD, server, &ev))
		die("epoll", errno);
}

/* Send @out messages, and make all of @n that were received ready to be received into again. Return: @n, or -errno. */
static int reply_batch(int fd, struct mmsghdr *tx, int out, int n)
{
	int i, k, sent = 0;

	while (sent < out) {
		k = sendmmsg(fd, tx + sent, out - sent, 0);
		if (k < 0)
			return -errno;
		sent += k;
	}
	for (i = 0; i < n; i++) {
		iov[i].iov_len = sizeof(in[i]);
		rx[i].msg_hdr.msg_namelen = sizeof(peers[i]);
	}
	return n;
}

static int echo_batch(int fd)
{
	int i, n;

	n = recvmmsg(fd, rx, BATCH, MSG_DONTWAIT, NULL);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	for (i = 0; i < n; i++)
		iov[i].iov_len = rx[i].msg_len;
	return reply_batch(fd, rx, n, n);
}

static int serve_mmsg(void)
{
	return echo_batch(server);
}

/* May reply @i leave in one buffer with those from @first on? All but the last are of one length. */
static bool follows(int first, int i)
{
	return peers[i].sin_addr.s_addr == peers[first].sin_addr.s_addr && peers[i].sin_port == peers[first].sin_port &&
	       rx[i - 1].msg_len == rx[first].msg_len && rx[i].msg_len <= rx[first].msg_len && rx[i].msg_len;
}

/* Replies of one batch to one peer leave together: as many sends as there are peers in a row. */
static int serve_segment(void)
{
	static char control[BATCH][CMSG_SPACE(sizeof(uint16_t))];
	static struct mmsghdr tx[BATCH];
	int i, first, n, out = 0;
	struct cmsghdr *c;
	uint16_t cut;

	n = recvmmsg(server, rx, BATCH, MSG_DONTWAIT, NULL);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	for (i = 0; i < n; i++)
		iov[i].iov_len = rx[i].msg_len;
	for (first = 0; first < n; first = i, out++) {
		for (i = first + 1; i < n && i - first < SEGMENTS && follows(first, i); i++)
			;
		tx[out].msg_hdr = (struct msghdr){ .msg_name = &peers[first], .msg_namelen = sizeof(peers[first]),
						   .msg_iov = &iov[first], .msg_iovlen = i - first };
		if (i - first == 1)
			continue;
		cut = rx[first].msg_len;
		tx[out].msg_hdr.msg_control = control[out];
		tx[out].msg_hdr.msg_controllen = sizeof(control[out]);
		c = CMSG_FIRSTHDR(&tx[out].msg_hdr);
		c->cmsg_level = SOL_UDP;
		c->cmsg_type = UDP_SEGMENT;
		c->cmsg_len = CMSG_LEN(sizeof(cut));
		memcpy(CMSG_DATA(c), &cut, sizeof(cut));
	}
	return reply_batch(server, tx, out, n);
}

static int serve_epoll(void)
{
	struct epoll_event ev;
	socklen_t len;
	ssize_t got;
	int n = 0;

	if (epoll_wait(epfd, &ev, 1, 0) <= 0)
		return 0;
	for (;;) {
		len = sizeof(peers[0]);
		got = recvfrom(server, in[0], sizeof(in[0]), MSG_DONTWAIT, (struct sockaddr *)&peers[0], &len);
		if (got < 0)
			return errno == EAGAIN ? n : -errno;
		if (sendto(server, in[0], got, 0, (struct sockaddr *)&peers[0], len) < 0)
			return -errno;
		n++;
	}
}

static void open_reuseport(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int i;

	open_plain();
	for (i = 1; i < SHARERS; i++) {
		ev.data.fd = udp_socket("0.0.0.0", PORT);
		if (epoll_ctl(epfd, EPOLL_CTL_ADD, ev.data.fd, &ev))
			die("epoll", errno);
	}
}

static int serve_reuseport(void)
{
	struct epoll_event ev[SHARERS];
	int i, n = epoll_wait(epfd, ev, SHARERS, 0), done = 0, k;

	for (i = 0; i < n; i++) {
		k = echo_batch(ev[i].data.fd);
		if (k < 0)
			return k;
		done += k;
	}
	return done;
}

/* The script has the device gather datagrams of one flow before the stack sees them. */
static void open_gro(void)
{
	int one = 1;

	open_plain();
	if (setsockopt(server, SOL_UDP, UDP_GRO, &one, sizeof(one)))
		die("UDP_GRO", errno);
}

/* What came as one goes as one: cut at the size of the datagrams that were gathered. */
static int serve_gro(void)
{
	static char bytes[65536];
	char control[CMSG_SPACE(sizeof(int))];
	int done = 0;

	for (;;) {
		struct iovec v = { bytes, sizeof(bytes) };
		struct msghdr msg = { .msg_name = &peers[0], .msg_namelen = sizeof(peers[0]), .msg_iov = &v,
				      .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
		ssize_t got = recvmsg(server, &msg, MSG_DONTWAIT);
		struct cmsghdr *c;
		int segment = 0;
		uint16_t cut;

		if (got < 0)
			return errno == EAGAIN ? done : -errno;
		for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
			if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO)
				memcpy(&segment, CMSG_DATA(c), sizeof(segment));
		v.iov_len = got;
		msg.msg_controllen = 0;
		if (segment && segment < got) {
			cut = segment;
			msg.msg_controllen = CMSG_SPACE(sizeof(cut));
			c = CMSG_FIRSTHDR(&msg);
			c->cmsg_level = SOL_UDP;
			c->cmsg_type = UDP_SEGMENT;
			c->cmsg_len = CMSG_LEN(sizeof(cut));
			memcpy(CMSG_DATA(c), &cut, sizeof(cut));
			done += (got + segment - 1) / segment;
		} else {
			done++;
		}
		if (sendmsg(server, &msg, 0) != got)
			return -errno;
	}
}

const struct server sockets_servers[] = {
	{ "recvmmsg", open_plain, serve_mmsg, false },
	{ "segment", open_plain, serve_segment, false },
	{ "epoll", open_plain, serve_epoll, false },
	{ "reuseport", open_reuseport, serve_reuseport, false },
	{ "udp-gro", open_gro, serve_gro, false },
	{ 0 },
};
