// SPDX-License-Identifier: GPL-2.0-only
/* Owns the loops of the servers that sleep: recvmmsg and sendmmsg, and a ring. */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <sluice/sluice.h>

#include "echo.h"

#define BATCH 64
#define SIZE 2048

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
	int i, n, err;

	for (;;) {
		n = sluice_ring_wait(ring, -1);
		if (n < 0)
			return n;
		n = sluice_ring_peek(ring, req, BATCH);
		for (i = 0; i < n; i++)
			while ((err = sluice_respond(ring, &req[i], req[i].len)) == -EAGAIN)
				sluice_ring_flush(ring);
		err = sluice_ring_flush(ring);
		if (err < 0)
			return err;
	}
}
