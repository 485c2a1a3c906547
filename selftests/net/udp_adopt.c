// SPDX-License-Identifier: GPL-2.0-only
/* A server for tests: binds a UDP socket, has a command adopt it, then prints what still comes to it. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* usage: udp_adopt PORT COMMAND: COMMAND is run by sh with the socket as fd 9; ends after SIGTERM */
int main(int argc, char **argv)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	char buf[2048];
	ssize_t n;

	if (argc != 3)
		return 2;
	sin.sin_port = htons(atoi(argv[1]));
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) || dup2(fd, 9) != 9) {
		perror("udp_adopt");
		return 1;
	}
	if (fd != 9)
		close(fd);
	if (system(argv[2]))
		return 1;
	puts("ready");
	while ((n = recv(9, buf, sizeof(buf) - 1, 0)) >= 0) {
		buf[n] = 0;
		printf("passed %s\n", buf);
	}
	return 0;
}
