// SPDX-License-Identifier: GPL-2.0-only
/* A TCP client for tests: sends length-framed messages in pieces as told, and checks that they come back in order. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 60000

static struct sockaddr_storage addr;
static socklen_t addr_len;

static void die(const char *what)
{
	printf("error: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void parse(const char *host, const char *port)
{
	struct sockaddr_in *a4 = (void *)&addr;
	struct sockaddr_in6 *a6 = (void *)&addr;

	if (inet_pton(AF_INET, host, &a4->sin_addr) == 1) {
		a4->sin_family = AF_INET;
		a4->sin_port = htons(atoi(port));
		addr_len = sizeof(*a4);
	} else if (inet_pton(AF_INET6, host, &a6->sin6_addr) == 1) {
		a6->sin6_family = AF_INET6;
		a6->sin6_port = htons(atoi(port));
		addr_len = sizeof(*a6);
	} else {
		die(host);
	}
}

/* Return: a socket; -1: the other side ended the connection before this one knew that it was open. */
static int try_dial(void)
{
	int fd = socket(addr.ss_family, SOCK_STREAM, 0), one = 1;

	if (fd < 0)
		die("socket");
	if (connect(fd, (struct sockaddr *)&addr, addr_len)) {
		if (errno != ECONNRESET)
			die("connect");
		close(fd);
		return -1;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static int dial(void)
{
	int fd = try_dial();

	if (fd < 0)
		die("connect");
	return fd;
}

/* Message @n of @size bytes, its length field included: number, then bytes that depend on it. */
static void put(uint8_t *to, uint32_t n, uint32_t size)
{
	uint32_t be = htonl(size - 4), i;

	memcpy(to, &be, 4);
	for (i = 4; i < size; i++)
		to[i] = (uint8_t)(i < 8 ? n >> (8 * (i - 4)) : n * 7 + i);
}

/* Wait until the other side has taken what was sent, so that the next bytes are a segment of their own. */
static void drain(int fd)
{
	struct tcp_info info;
	socklen_t len;

	do {
		len = sizeof(info);
		if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len))
			die("TCP_INFO");
	} while (info.tcpi_unacked && info.tcpi_state == TCP_ESTABLISHED && !usleep(100));
}

/*
 * Send @len bytes, in pieces of @piece bytes (0: as large as they go), and read them back. Returns how many came
 * back, in order, before the end.
 */
static size_t pump(int fd, const uint8_t *data, size_t len, size_t piece)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };
	size_t sent = 0, got = 0;
	uint8_t buf[65536];
	ssize_t n;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (got < len) {
		p.events = POLLIN | (sent < len ? POLLOUT : 0);
		if (poll(&p, 1, WAIT_MS) <= 0) {
			printf("timeout: %zu sent, %zu back, of %zu\n", sent, got, len);
			return got;
		}
		if (p.revents & (POLLIN | POLLERR | POLLHUP)) {
			n = read(fd, buf, sizeof(buf));
			if (!n || (n < 0 && errno != EAGAIN)) {
				printf("%s after %zu sent, %zu back, of %zu\n", n ? "reset" : "closed", sent, got, len);
				return got;
			}
			if (n > 0 && (got + n > len || memcmp(buf, data + got, n))) {
				printf("wrong bytes in %zu..%zu\n", got, got + n);
				return got;
			}
			got += n > 0 ? n : 0;
		}
		if (sent < len && (p.revents & POLLOUT)) {
			n = write(fd, data + sent, piece && piece < len - sent ? piece : len - sent);
			if (n > 0)
				sent += n;
			if (piece && n > 0)
				drain(fd);
		}
	}
	return got;
}

/* echo COUNT SIZE [PIECE]: COUNT messages on one connection, pipelined */
static int cmd_echo(int argc, char **argv)
{
	uint32_t count = atoi(argv[0]), size = atoi(argv[1]), i;
	size_t len = (size_t)count * size;
	uint8_t *data = malloc(len);
	int fd = dial();

	(void)argc;
	for (i = 0; i < count; i++)
		put(data + (size_t)i * size, i, size);
	len = pump(fd, data, len, argc > 2 ? atoi(argv[2]) : 0);
	printf("%zu replies\n", len / size);
	close(fd);
	free(data);
	return len / size != count;
}

/* split: three messages cut in two segments at every byte */
static int cmd_split(int argc, char **argv)
{
	static const uint32_t sizes[] = { 4, 21, 12 };
	uint8_t data[64], back[64];
	size_t len = 0, cut, got;
	int fd = dial();
	ssize_t n;
	uint32_t i;

	(void)argc;
	(void)argv;
	for (i = 0; i < 3; i++) {
		put(data + len, i, sizes[i]);
		len += sizes[i];
	}
	for (cut = 1; cut < len; cut++) {
		if (write(fd, data, cut) != (ssize_t)cut)
			die("write");
		drain(fd);
		if (write(fd, data + cut, len - cut) != (ssize_t)(len - cut))
			die("write");
		for (got = 0; got < len; got += n) {
			n = read(fd, back + got, len - got);
			if (n <= 0)
				die("read");
		}
		if (memcmp(back, data, len)) {
			printf("wrong bytes with a cut at %zu\n", cut);
			return 1;
		}
	}
	printf("%zu cuts\n", len - 1);
	return 0;
}

static size_t unescape(const char *text, uint8_t *to)
{
	size_t n = 0;
	unsigned int v;

	for (; *text; text++) {
		if (text[0] == '\\' && text[1] == 'x' && sscanf(text + 2, "%2x", &v) == 1) {
			to[n++] = (uint8_t)v;
			text += 3;
		} else if (text[0] == '\\' && (text[1] == 'r' || text[1] == 'n')) {
			to[n++] = text[1] == 'r' ? '\r' : '\n';
			text++;
		} else {
			to[n++] = (uint8_t)*text;
		}
	}
	return n;
}

/* raw half|hold TEXT [PIECE]: send bytes, close our side (half), print what comes until the other side ends */
static int cmd_raw(int argc, char **argv)
{
	bool half = !strcmp(argv[0], "half");
	struct pollfd p = { .events = POLLIN };
	size_t total = 0, len, piece, sent;
	uint8_t buf[65536];
	ssize_t n;

	p.fd = dial();
	len = unescape(argv[1], buf);
	piece = argc > 2 ? (size_t)atoi(argv[2]) : len;
	for (sent = 0; sent < len; sent += piece) {
		n = write(p.fd, buf + sent, piece < len - sent ? piece : len - sent);
		if (n < 0)
			die("write");
		if (piece < len)
			drain(p.fd);
	}
	if (half)
		shutdown(p.fd, SHUT_WR);
	for (;;) {
		if (poll(&p, 1, WAIT_MS) <= 0) {
			printf("timeout after %zu bytes\n", total);
			return 1;
		}
		n = read(p.fd, buf, sizeof(buf));
		if (n <= 0)
			break;
		fwrite(buf, 1, n, stdout);
		total += n;
	}
	printf("\n%s after %zu bytes\n", n ? "reset" : "closed", total);
	return 0;
}

/* open COUNT: that many connections, kept until a signal or until the other side ends one of them */
static int cmd_open(int argc, char **argv)
{
	int count = atoi(argv[0]), i, refused = 0;
	struct rlimit lim = { 65536, 65536 };
	struct pollfd *p;

	(void)argc;
	setrlimit(RLIMIT_NOFILE, &lim);
	p = calloc(count, sizeof(*p));
	for (i = 0; i < count; i++) {
		p[i].fd = try_dial();
		p[i].events = POLLIN;
		refused += p[i].fd < 0;
	}
	printf("open %d\n", count);
	printf("ended %d\n", refused);
	while (refused < count) {
		if (poll(p, count, -1) < 0)
			break;
		for (i = 0; i < count; i++) {
			if (p[i].fd < 0 || !p[i].revents)
				continue;
			close(p[i].fd);
			p[i].fd = -1;
			refused++;
		}
		printf("ended %d\n", refused);
	}
	return 0;
}

/* deaf SIZE: send messages without ever reading, until the other side has had enough */
static int cmd_deaf(int argc, char **argv)
{
	uint32_t size = atoi(argv[0]), i, sent = 0;
	struct pollfd p = { .events = POLLOUT };
	int small = 4096, blocked = 0;
	uint8_t *data;
	ssize_t n;

	(void)argc;
	p.fd = socket(addr.ss_family, SOCK_STREAM, 0);
	setsockopt(p.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	if (connect(p.fd, (struct sockaddr *)&addr, addr_len))
		die("connect");
	fcntl(p.fd, F_SETFL, O_NONBLOCK);
	data = malloc(size);
	for (i = 0;; i++) {
		put(data, i, size);
		for (sent = 0; sent < size; sent += n) {
			n = write(p.fd, data + sent, size - sent);
			if (n < 0 && errno == EAGAIN) {
				n = 0;
				if (!blocked++)
					printf("blocked after %u messages\n", i);
				if (poll(&p, 1, 10 * WAIT_MS) <= 0) {
					printf("timeout\n");
					return 1;
				}
			} else if (n < 0) {
				printf("cut off after %u messages\n", i);
				return 0;
			}
		}
	}
}

/* drip BYTES [MS]: one byte after the other, MS apart (10), of a message that never ends */
static int cmd_drip(int argc, char **argv)
{
	int n = atoi(argv[0]), ms = argc > 1 ? atoi(argv[1]) : 10, i, fd = dial();
	uint8_t header[4] = { 0, 0, 0xff, 0xf0 };

	if (write(fd, header, 4) != 4)
		die("write");
	for (i = 0; i < n; i++) {
		usleep(1000 * ms);
		if (write(fd, "x", 1) != 1) {
			printf("cut off after %d bytes\n", i);
			return 0;
		}
	}
	printf("not cut off\n");
	return 1;
}

/* abort COUNT SIZE [wait]: send messages and reset the connection without waiting for replies; wait: when it is killed */
static int cmd_abort(int argc, char **argv)
{
	struct linger no = { .l_onoff = 1 };
	uint32_t count = atoi(argv[0]), size = atoi(argv[1]), i;
	uint8_t *data = malloc(size);
	int fd = dial();

	(void)argc;
	for (i = 0; i < count; i++) {
		put(data, i, size);
		if (write(fd, data, size) != (ssize_t)size)
			die("write");
	}
	drain(fd);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &no, sizeof(no));
	if (argc > 2)
		pause();
	close(fd);
	printf("aborted\n");
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int args;
		int (*run)(int argc, char **argv);
	} commands[] = {
		{ "echo", 2, cmd_echo }, { "split", 0, cmd_split }, { "raw", 2, cmd_raw }, { "open", 1, cmd_open },
		{ "deaf", 1, cmd_deaf }, { "drip", 1, cmd_drip }, { "abort", 2, cmd_abort },
	};
	size_t i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	if (argc < 4)
		return 2;
	parse(argv[1], argv[2]);
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[3], commands[i].name) && argc - 4 >= commands[i].args)
			return commands[i].run(argc - 4, argv + 4);
	return 2;
}
