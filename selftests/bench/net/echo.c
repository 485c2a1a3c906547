// SPDX-License-Identifier: GPL-2.0-only
/* Owns the loops of the servers that sleep: recvmmsg and sendmmsg, epoll over TCP, and a ring. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sluice/sluice.h>

#include "echo.h"

#define BATCH 64
#define SIZE 2048
#define CONNS 1024		/* descriptors of connections are below this */

int echo_socket(int fd)
{
	static char data[BATCH][SIZE];
	struct sockaddr_in from[BATCH];
	struct mmsghdr msg[BATCH];
	struct iovec iov[BATCH];
	int i, n, sent, k;

	for (;;) {
		for (i = 0; i < BATCH; i++) {
			iov[i] = (struct iovec){ data[i], SIZE };
			msg[i].msg_hdr = (struct msghdr){ .msg_name = &from[i], .msg_namelen = sizeof(from[i]),
							  .msg_iov = &iov[i], .msg_iovlen = 1 };
		}
		n = recvmmsg(fd, msg, BATCH, MSG_WAITFORONE, NULL);
		if (n < 0)
			return -errno;
		for (i = 0; i < n; i++)
			iov[i].iov_len = msg[i].msg_len;
		for (sent = 0; sent < n; sent += k) {
			k = sendmmsg(fd, msg + sent, n - sent, 0);
			if (k < 0)
				return -errno;
		}
	}
}

static int watch(int epfd, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

/* What came of a message before is in @data, its length in @held. Whole messages go back in one send. Return: 0, or the connection is over. */
static int echo_conn(int fd, char data[SIZE], size_t *held)
{
	ssize_t n = recv(fd, data + *held, SIZE - *held, 0);
	size_t at = 0;
	uint32_t be;

	if (n <= 0)
		return n < 0 && errno == EAGAIN ? 0 : -1;
	*held += n;
	while (at + sizeof(be) <= *held) {
		memcpy(&be, data + at, sizeof(be));
		if (ntohl(be) > SIZE - sizeof(be))
			return -1;
		if (at + sizeof(be) + ntohl(be) > *held)
			break;
		at += sizeof(be) + ntohl(be);
	}
	/* the clients read what they get: a send that does not fit ends the connection, and the client counts what it lost */
	if (at && send(fd, data, at, MSG_NOSIGNAL) != (ssize_t)at)
		return -1;
	memmove(data, data + at, *held -= at);
	return 0;
}

static int echo_accept(int epfd, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK), one = 1;

	if (fd < 0)
		return -errno;
	if (fd >= CONNS)
		return -EMFILE;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return watch(epfd, fd);
}

int echo_epoll(int listener)
{
	static char data[CONNS][SIZE];
	static size_t held[CONNS];
	struct epoll_event ev[BATCH];
	int epfd = epoll_create1(0), i, n, err;

	if (epfd < 0)
		return -errno;
	err = watch(epfd, listener);
	while (!err) {
		n = epoll_wait(epfd, ev, BATCH, -1);
		if (n < 0)
			return -errno;
		for (i = 0; i < n && !err; i++) {
			int fd = ev[i].data.fd;

			if (fd == listener) {
				err = echo_accept(epfd, listener);
			} else if (echo_conn(fd, data[fd], &held[fd])) {
				held[fd] = 0;
				close(fd);
			}
		}
	}
	return err;
}

int echo_ring_open(struct sluice_ring **ring, unsigned int spin_us)
{
	const struct sluice_ring_config config = {
		.size = sizeof(config), .group = "echo", .tx = SLUICE_TX_KICK, .spin_us = spin_us,
	};
	int err = sluice_ring_open(ring, &config);

	return err ? err : sluice_ring_attach(*ring);
}

int echo_ring(struct sluice_ring *ring)
{
	struct sluice_request req[BATCH];
	int i, n;

	for (;;) {
		n = sluice_ring_wait(ring, -1);
		if (n < 0)
			return n;
		n = sluice_ring_peek(ring, req, BATCH);
		for (i = 0; i < n; i++)
			while (sluice_respond(ring, &req[i], req[i].len) == -EAGAIN)
				sluice_ring_flush(ring);
	}
}
