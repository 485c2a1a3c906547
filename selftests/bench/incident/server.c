// SPDX-License-Identifier: GPL-2.0-only
/* Owns the servers of the incident: one thread that works on each request for a time, over a socket or over Sluice. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <sluice/sluice.h>

#define BATCH 16
#define SIZE  2048

static long service_ns;

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void work(void)
{
	long long until = now_ns() + service_ns;

	while (now_ns() < until)
		;
}

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "server: %s: %s\n", what, why);
	return 1;
}

static int open_socket(int port, int buffer)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0)
		return -1;
	if (buffer && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)))
		return -1;
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return -1;
	return fd;
}

static int serve_socket(int port, int buffer)
{
	static char data[BATCH][SIZE];
	struct sockaddr_in from[BATCH];
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	int fd = open_socket(port, buffer), i, n;

	if (fd < 0)
		return fail("socket", strerror(errno));
	puts("ready");
	for (;;) {
		for (i = 0; i < BATCH; i++) {
			iov[i] = (struct iovec){ data[i], SIZE };
			msgs[i].msg_hdr = (struct msghdr){
				.msg_name = &from[i],
				.msg_namelen = sizeof(from[i]),
				.msg_iov = &iov[i],
				.msg_iovlen = 1,
			};
		}
		n = recvmmsg(fd, msgs, BATCH, MSG_WAITFORONE, NULL);
		if (n < 0)
			return fail("recvmmsg", strerror(errno));
		for (i = 0; i < n; i++) {
			work();
			/* at once: the others of the batch would keep it for their whole work */
			sendto(fd, data[i], msgs[i].msg_len, 0, (struct sockaddr *)&from[i], msgs[i].msg_hdr.msg_namelen);
		}
	}
}

static int serve_ring(const char *group)
{
	struct sluice_ring_config config = { .size = sizeof(config), .group = group, .tx = SLUICE_TX_KICK };
	struct sluice_request req[BATCH];
	struct sluice_ring *ring;
	int i, n, err;

	err = sluice_ring_open(&ring, &config);
	if (!err)
		err = sluice_ring_attach(ring);
	if (err)
		return fail("ring", sluice_strerror(err));
	puts("ready");
	for (;;) {
		n = sluice_ring_wait(ring, -1);
		if (n < 0 && n != -EINTR)
			return fail("wait", sluice_strerror(n));
		n = sluice_ring_peek(ring, req, BATCH);
		for (i = 0; i < n; i++) {
			work();
			while (sluice_respond(ring, &req[i], req[i].len) == -EAGAIN)
				sluice_ring_flush(ring);
			sluice_ring_flush(ring);
		}
	}
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	if (argc == 5 && !strcmp(argv[1], "socket")) {
		service_ns = atol(argv[2]);
		return serve_socket(atoi(argv[3]), atoi(argv[4]));
	}
	if (argc == 4 && !strcmp(argv[1], "ring")) {
		service_ns = atol(argv[2]);
		return serve_ring(argv[3]);
	}
	fprintf(stderr, "usage: server socket SERVICE_NS PORT RECEIVE_BUFFER (0: the default)\n"
			"       server ring SERVICE_NS GROUP\n");
	return 2;
}
