// SPDX-License-Identifier: GPL-2.0-only
/* Owns two echo servers that sleep when there is nothing to do: recvmmsg and sendmmsg, and a ring. Until killed. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <sluice/sluice.h>

#define BATCH 64
#define SIZE 2048
#define PORT 7000

static void die(const char *what, int err)
{
	fprintf(stderr, "cost-serve: %s: %s\n", what, sluice_strerror(-abs(err)));
	exit(1);
}

static void serve_socket(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(PORT) }, from[BATCH];
	int fd = socket(AF_INET, SOCK_DGRAM, 0), bytes = 4 << 20, i, n, sent, k;
	static char data[BATCH][SIZE];
	struct mmsghdr msg[BATCH];
	struct iovec iov[BATCH];

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("socket", errno);
	puts("ready");
	for (;;) {
		for (i = 0; i < BATCH; i++) {
			iov[i] = (struct iovec){ data[i], SIZE };
			msg[i].msg_hdr = (struct msghdr){ .msg_name = &from[i], .msg_namelen = sizeof(from[i]),
							  .msg_iov = &iov[i], .msg_iovlen = 1 };
		}
		n = recvmmsg(fd, msg, BATCH, MSG_WAITFORONE, NULL);
		if (n < 0)
			die("recvmmsg", errno);
		for (i = 0; i < n; i++)
			iov[i].iov_len = msg[i].msg_len;
		for (sent = 0; sent < n; sent += k) {
			k = sendmmsg(fd, msg + sent, n - sent, 0);
			if (k < 0)
				die("sendmmsg", errno);
		}
	}
}

static void serve_ring(void)
{
	struct sluice_ring_config config = { .size = sizeof(config), .group = "echo", .tx = SLUICE_TX_KICK };
	struct sluice_request req[BATCH];
	struct sluice_ring *ring;
	int i, n, err;

	err = sluice_ring_open(&ring, &config);
	if (!err)
		err = sluice_ring_attach(ring);
	if (err)
		die("ring", err);
	puts("ready");
	for (;;) {
		n = sluice_ring_wait(ring, -1);
		if (n < 0)
			die("wait", n);
		n = sluice_ring_peek(ring, req, BATCH);
		for (i = 0; i < n; i++)
			while ((err = sluice_respond(ring, &req[i], req[i].len)) == -EAGAIN)
				sluice_ring_flush(ring);
		err = sluice_ring_flush(ring);
		if (err < 0)
			die("flush", err);
	}
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	if (argc == 2 && !strcmp(argv[1], "recvmmsg"))
		serve_socket();
	if (argc == 2 && !strcmp(argv[1], "sluice"))
		serve_ring();
	fprintf(stderr, "usage: cost-serve recvmmsg|sluice\n");
	return 2;
}
