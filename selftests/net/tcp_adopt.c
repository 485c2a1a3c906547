// SPDX-License-Identifier: GPL-2.0-only
/* A server for tests whose sockets are adopted, and a client whose messages it and a ring answer by turns. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 60000
#define LINE_MAX_BYTES 65536

static int die(const char *what)
{
	printf("error: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void write_all(int fd, const char *data, size_t len)
{
	ssize_t n;

	for (; len; data += n, len -= n) {
		n = write(fd, data, len);
		if (n <= 0)
			die("write");
	}
}

/* Answer each piece that comes with "own:" and the piece, until the client ends. */
static void serve(int fd)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		write_all(fd, "own:", 4);
		write_all(fd, buf, n);
	}
	close(fd);
}

static int listener(const char *port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) || listen(fd, 16))
		die("listen");
	return fd;
}

/*
 * listen PORT COMMAND: listen, have sh run COMMAND with the socket as fd 9, say "ready"; then, for each word that
 * comes on standard input: accept, one connection is accepted and served; shutdown, close: of the socket
 */
static int cmd_listen(char **argv)
{
	int fd = listener(argv[0]);
	char word[32];

	if (dup2(fd, 9) != 9)
		die("dup2");
	if (fd != 9)
		close(fd);
	if (system(argv[1]))
		die("command");
	puts("ready");
	while (scanf("%31s", word) == 1) {
		if (!strcmp(word, "accept")) {
			fd = accept(9, NULL, NULL);
			if (fd < 0)
				die("accept");
			puts("accepted");
			serve(fd);
		} else if (!strcmp(word, "shutdown")) {
			shutdown(9, SHUT_RDWR);
		} else {
			close(9);
		}
		printf("done %s\n", word);
	}
	return 0;
}

/* What is there to be read, without reading it. Returns bytes, 0 at the end, or -errno. */
static ssize_t look(int fd, char *buf, size_t size, bool nonblock)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	for (;;) {
		if (nonblock && poll(&p, 1, -1) < 0)
			return -errno;
		n = recv(fd, buf, size, MSG_PEEK | (nonblock ? MSG_DONTWAIT : 0));
		if (n >= 0)
			return n;
		if (errno != EAGAIN)
			return -errno;
	}
}

/*
 * Answer what is passed: look at it, answer, and only then take it, so that no later reply comes before. Of an adopted
 * socket one message is there at a time, and never less than one.
 */
static void answer(int fd, bool nonblock)
{
	static char buf[LINE_MAX_BYTES], again[LINE_MAX_BYTES];
	ssize_t n, got;
	int there;

	while ((n = look(fd, buf, sizeof(buf), nonblock)) > 0) {
		if (ioctl(fd, FIONREAD, &there) || there != n || buf[n - 1] != '\n' ||
		    memchr(buf, '\n', n) != buf + n - 1)
			printf("wrong: %d bytes, %zd seen: %.*s\n", there, n, (int)n, buf);
		printf("passed %.*s", n > 60 ? 60 : (int)n, buf);
		write_all(fd, "own:", 4);
		write_all(fd, buf, n);
		for (got = 0; got < n; got += there) {
			/* in two pieces */
			there = read(fd, again + got, got ? n - got : (n + 1) / 2);
			if (there <= 0)
				die("read");
		}
		if (memcmp(buf, again, n))
			puts("wrong: other bytes");
	}
	printf("end %s\n", n ? strerror(-n) : "of input");
}

/* While a socket is adopted, nobody else gets it, nor reads past the module. */
static void check_refusals(void)
{
	struct tcp_zerocopy_receive zc = { 0 };
	socklen_t len = sizeof(zc);
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int low = 1000;
	char c;

	if (!setsockopt(9, IPPROTO_TCP, TCP_ULP, "tls", 4) || errno != EBUSY)
		puts("wrong: a ULP got it");
	if (!getsockopt(9, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &zc, &len) || errno != EBUSY)
		puts("wrong: zerocopy receive works");
	if (!connect(9, &none, sizeof(none)) || errno != EISCONN)
		puts("wrong: it could be disconnected");
	if (accept(9, NULL, NULL) >= 0 || errno != EINVAL)
		puts("wrong: a connection accepted");
	if (recv(9, &c, 1, MSG_DONTWAIT) >= 0 || errno != EAGAIN)
		puts("wrong: something to read");
	/* it is the owner's wish, and does not stop the module from reading less */
	if (setsockopt(9, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low)))
		puts("wrong: SO_RCVLOWAT");
}

/*
 * serve PORT MODE: each connection becomes fd 9 of a process of its own and is handed to listener l. Its MODE: block,
 * poll: answers what is passed; small: so with a small receive buffer; hold: reads nothing; shut: ends its side
 * after the first message
 */
static int cmd_serve(char **argv)
{
	const char *mode = argv[1];
	int ear = listener(argv[0]), fd, small = 8192;
	char c;

	signal(SIGCHLD, SIG_IGN);
	puts("ready");
	while ((fd = accept(ear, NULL, NULL)) >= 0) {
		if (fork()) {
			close(fd);
			continue;
		}
		signal(SIGCHLD, SIG_DFL);
		close(ear);
		if (fd != 9 && (dup2(fd, 9) != 9 || close(fd)))
			die("dup2");
		if (system("sluice conn adopt l fd 9"))
			die("adopt");
		if (!strcmp(mode, "small"))
			setsockopt(9, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
		else if (!strcmp(mode, "refusals"))
			check_refusals();
		printf("adopted %d\n", getpid());
		if (!strcmp(mode, "hold"))
			pause();
		if (!strcmp(mode, "shut") && read(9, &c, 1) == 1)
			shutdown(9, SHUT_WR);
		answer(9, !strcmp(mode, "poll"));
		return 0;
	}
	return 1;
}

/* command PORT COMMAND: the first connection is fd 9 of a COMMAND, which sh runs */
static int cmd_command(char **argv)
{
	int ear = listener(argv[0]), fd;

	puts("ready");
	fd = accept(ear, NULL, NULL);
	if (fd < 0 || dup2(fd, 9) != 9)
		die("accept");
	return system(argv[1]) != 0;
}

/* The lines of a client, and what it is to hear: every third is for the owner. */
static size_t script(char *out, char *want, size_t *want_len, int count)
{
	size_t n = 0, w = 0, len;
	int i;

	for (i = 0; i < count; i++) {
		len = sprintf(out + n, "%s%d%.*s\n", i % 3 == 1 ? "own" : "ring", i, i * 7 % 40,
			      "0123456789012345678901234567890123456789");
		w += sprintf(want + w, "%s%.*s", i % 3 == 1 ? "own:" : "", (int)len, out + n);
		n += len;
	}
	*want_len = w;
	return n;
}

/* Take each "own:" out of @n bytes; *seen: how much of one has come before. Returns how many bytes are left. */
static size_t without_own(char *buf, size_t n, size_t *seen)
{
	static const char own[] = "own:";
	static char out[3 * 65536];
	size_t i, len = 0;

	for (i = 0; i < n; i++) {
		if (buf[i] == own[*seen]) {
			*seen = (*seen + 1) % 4;
			continue;
		}
		memcpy(out + len, own, *seen);
		len += *seen;
		*seen = buf[i] == 'o';
		if (!*seen)
			out[len++] = buf[i];
	}
	memcpy(buf, out, len);
	return len;
}

/*
 * mixed HOST PORT COUNT PIECE: COUNT lines, pipelined, in segments of PIECE bytes (0: as large as they go; -1: so, and
 * the owner may answer any of them, and several at once)
 */
static int cmd_mixed(char **argv)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[1])) };
	int count = atoi(argv[2]), piece = atoi(argv[3]), fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	char *out = malloc(count * 64), *want = malloc(count * 68), buf[65536 + 4];
	size_t len, want_len, sent = 0, got = 0, seen = 0;
	struct pollfd p = { .fd = fd };
	ssize_t n;

	inet_pton(AF_INET, argv[0], &sin.sin_addr);
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)))
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	len = script(out, want, &want_len, count);
	if (piece < 0) {
		want = out;
		want_len = len;
	}
	while (got < want_len) {
		p.events = POLLIN | (sent < len ? POLLOUT : 0);
		if (poll(&p, 1, WAIT_MS) <= 0) {
			printf("timeout: %zu of %zu sent, %zu of %zu heard\n", sent, len, got, want_len);
			return 1;
		}
		if (p.revents & ~POLLOUT) {
			n = read(fd, buf, 65536);
			if (n <= 0) {
				printf("ended: %zu of %zu sent, %zu of %zu heard\n", sent, len, got, want_len);
				return 1;
			}
			if (piece < 0)
				n = without_own(buf, n, &seen);
			if (got + n > want_len || memcmp(buf, want + got, n)) {
				printf("wrong in %zu..%zu: %.*s", got, got + n, (int)n, buf);
				return 1;
			}
			got += n;
		}
		if (sent < len && p.revents & POLLOUT) {
			n = write(fd, out + sent, piece > 0 && (size_t)piece < len - sent ? (size_t)piece : len - sent);
			sent += n > 0 ? n : 0;
		}
	}
	printf("%d replies\n", count);
	return 0;
}

/* talk HOST PORT: for each word that comes on standard input, say it as a line and print the line that answers */
static int cmd_talk(char **argv)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[1])) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char word[32], c;

	inet_pton(AF_INET, argv[0], &sin.sin_addr);
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)))
		die("connect");
	while (scanf("%30s", word) == 1) {
		strcat(word, "\n");
		write_all(fd, word, strlen(word));
		do {
			if (read(fd, &c, 1) != 1)
				die("read");
			putchar(c);
		} while (c != '\n');
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int args;
		int (*run)(char **argv);
	} commands[] = {
		{ "listen", 2, cmd_listen }, { "serve", 2, cmd_serve }, { "command", 2, cmd_command },
		{ "mixed", 4, cmd_mixed }, { "talk", 2, cmd_talk },
	};
	size_t i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (argc > 1 && !strcmp(argv[1], commands[i].name) && argc == commands[i].args + 2)
			return commands[i].run(argv + 2);
	return 2;
}
