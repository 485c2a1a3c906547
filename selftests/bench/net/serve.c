// SPDX-License-Identifier: GPL-2.0-only
/* Owns the program of the three echo servers that sleep when there is nothing to do. Until killed. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <sluice/sluice.h>

#include "echo.h"

#define PORT 7000

static void die(const char *what, int err)
{
	fprintf(stderr, "cost-serve: %s: %s\n", what, sluice_strerror(-abs(err)));
	exit(1);
}

static void serve_socket(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), bytes = 4 << 20;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("socket", errno);
	puts("ready");
	die("serving", echo_socket(fd));
}

static void serve_epoll(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, SOMAXCONN))
		die("socket", errno);
	puts("ready");
	die("serving", echo_epoll(fd));
}

static void serve_ring(void)
{
	struct sluice_ring *ring;
	int err = echo_ring_open(&ring, 0);

	if (err)
		die("ring", err);
	puts("ready");
	die("serving", echo_ring(ring));
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	if (argc == 2 && !strcmp(argv[1], "recvmmsg"))
		serve_socket();
	if (argc == 2 && !strcmp(argv[1], "epoll"))
		serve_epoll();
	if (argc == 2 && !strcmp(argv[1], "sluice"))
		serve_ring();
	fprintf(stderr, "usage: cost-serve recvmmsg|epoll|sluice\n");
	return 2;
}
