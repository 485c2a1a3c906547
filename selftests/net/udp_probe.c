// SPDX-License-Identifier: GPL-2.0-only
/* A client for tests: sends datagrams, waits for replies, says what came and from where. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One request at a time: the next is sent when its reply, which has to be its own bytes, is there or was waited for. */
static int in_turn(int fd, const struct addrinfo *to, const char *text, int count, int wait_ms)
{
	struct pollfd pfd = { fd, POLLIN, 0 };
	char buf[65536], line[4096];
	int i, n, len, got = 0;

	for (i = 0; i < count; i++) {
		len = snprintf(line, sizeof(line), "%s%d", text, i);
		if (sendto(fd, line, len, 0, to->ai_addr, to->ai_addrlen) < 0 && errno != ECONNREFUSED) {
			perror("udp_probe: sendto");
			return 2;
		}
		while (poll(&pfd, 1, wait_ms) > 0) {
			n = recv(fd, buf, sizeof(buf), 0);
			if (n == len && !memcmp(buf, line, len)) {
				got++;
				break;
			}
		}
	}
	printf("%d replies\n", got);
	return 0;
}

/*
 * usage: udp_probe ADDR PORT TEXT COUNT WAIT_MS [REPLIES]: prints "N replies" and each distinct text with its sender
 *        udp_probe ADDR PORT TEXT COUNT WAIT_MS each: TEXT with a number behind it, one at a time
 */
int main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST }, *to;
	int count, wait_ms, want, got = 0, fd, i, n, err;
	char buf[65536], last[65536 + 64] = "", line[65536 + 64], host[64];
	struct sockaddr_storage from;
	struct pollfd pfd;
	socklen_t len;

	if (argc < 6)
		return 2;
	count = atoi(argv[4]);
	wait_ms = atoi(argv[5]);
	want = argc > 6 ? atoi(argv[6]) : count;
	err = getaddrinfo(argv[1], argv[2], &hints, &to);
	if (err) {
		fprintf(stderr, "udp_probe: %s: %s\n", argv[1], gai_strerror(err));
		return 2;
	}
	fd = socket(to->ai_family, SOCK_DGRAM, 0);
	n = 4 << 20;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &n, sizeof(n));
	if (argc > 6 && !strcmp(argv[6], "each"))
		return in_turn(fd, to, argv[3], count, wait_ms);
	for (i = 0; i < count; i++) {
		if (sendto(fd, argv[3], strlen(argv[3]), 0, to->ai_addr, to->ai_addrlen) < 0 &&
		    errno != ECONNREFUSED) {
			perror("udp_probe: sendto");
			return 2;
		}
	}
	pfd = (struct pollfd){ fd, POLLIN, 0 };
	while (got < want && poll(&pfd, 1, wait_ms) > 0) {
		len = sizeof(from);
		n = recvfrom(fd, buf, sizeof(buf) - 1, 0, (struct sockaddr *)&from, &len);
		if (n < 0)
			break;
		buf[n] = 0;
		got++;
		getnameinfo((struct sockaddr *)&from, len, host, sizeof(host), NULL, 0, NI_NUMERICHOST);
		snprintf(line, sizeof(line), "%s %s", host, buf);
		if (strcmp(line, last))
			puts(line);
		strcpy(last, line);
	}
	printf("%d replies\n", got);
	return 0;
}
