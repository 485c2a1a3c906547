// SPDX-License-Identifier: GPL-2.0-only
/* Sends the same generated streams, cut at the same places, to two ports, and wants the same answers from both. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 60000
#define ROOM 16384

struct stream {
	uint8_t bytes[ROOM];
	size_t len;
};

static uint64_t state;

static uint32_t below(uint32_t n)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return n ? (uint32_t)(state >> 33) % n : 0;
}

static void put(struct stream *s, const void *bytes, size_t len)
{
	if (len > ROOM - s->len)
		return;
	memcpy(s->bytes + s->len, bytes, len);
	s->len += len;
}

static void __attribute__((format(printf, 2, 3))) say(struct stream *s, const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	put(s, text, vsnprintf(text, sizeof(text), format, ap));
	va_end(ap);
}

/* Data with newlines, blanks and digits in it, so that a framer that is one byte off is caught. */
static void put_data(struct stream *s, uint32_t len)
{
	static const char from[] = "\r\n *$0123set get ms\x80.";
	uint32_t i;

	for (i = 0; i < len; i++)
		put(s, from + below(sizeof(from) - 1), 1);
}

static uint32_t length(void)
{
	return below(8) ? below(40) : below(12) ? below(400) : 900 + below(200);
}

static const char *gap(void)
{
	return below(6) ? " " : "  ";
}

static void put_memcached(struct stream *s)
{
	static const char *const store[] = { "set", "add", "cas", "replace", "append", "prepend" };
	static const char *const other[] = { "get a", "gets a b c", "mn", "mg key v", "incr n 5", "delete k", "version", "",
					     "settle x 0 0 5", "sets", " get a", "verbosity 1", "md k q", "\rget a",
					     "set k 0 0", "ms k", "ms k x", "set k 0 0 5x", "set k 0 0 -3", "ms",
					     "set k 0 0 4294967295", "set k 0 0 99999999999999999999" };
	uint32_t n = length();

	switch (below(20)) {
	case 0 ... 5:
		say(s, "%s%sk%u%s%u%s0%s%u%s\r\n", store[below(6)], gap(), below(1000), gap(), below(9), gap(), gap(), n,
		    below(4) ? "" : " noreply");
		put_data(s, n);
		put(s, "\r\n", 2);
		break;
	case 6 ... 8:
		say(s, "ms k%u %u%s\r\n", below(1000), n, below(2) ? " T30 q" : "");
		put_data(s, n);
		put(s, "\r\n", 2);
		break;
	case 9:
		say(s, "get %0*u%s\n", (int)(1 + below(300)), below(9), below(2) ? "\r" : "");
		break;
	case 10:
		if (!below(6))
			put(s, "\x80\x01", 2);
		break;
	default:
		/* the last two end their connection */
		say(s, "%s%s\n", other[below(below(12) ? 20 : 22)], below(2) ? "\r" : "");
	}
}

static void put_resp(struct stream *s)
{
	static const char *const bad[] = { "*-1\r\n", "*1\r\n+OK\r\n", "*x\r\n", "*2\n", "*1\r\n$\r\n", "*99999\r\n", "*1\r\n$2000\r\n",
					   "*12345678901\r\n", "*2\r\n$400\r\n", "*1\r\n$3\rabc\r\n" };
	uint32_t n = 1 + below(5), i, len;

	if (!below(40))
		return say(s, "%s", bad[below(sizeof(bad) / sizeof(bad[0]))]);
	if (!below(5))
		return say(s, "PING%0*u%s\n", (int)below(90), 1, below(2) ? "\r" : "");
	if (!below(10))
		return say(s, below(2) ? "*0\r\n" : "\n");
	say(s, "*%u\r\n", n);
	for (i = 0; i < n; i++) {
		len = below(20) ? below(30) : length();
		say(s, "$%u\r\n", len);
		put_data(s, len);
		put(s, "\r\n", 2);
	}
}

static void drain(int fd)
{
	struct tcp_info info;
	socklen_t len;

	do {
		len = sizeof(info);
		if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len))
			return;
	} while (info.tcpi_unacked && info.tcpi_state == TCP_ESTABLISHED && !usleep(50));
}

/*
 * Send a stream in pieces of up to @piece bytes (0: in one), cut at places that @seed chooses, close our side, and collect
 * the answer. Return: its length, -1: none in time.
 */
static ssize_t talk(const struct sockaddr_in *to, const struct stream *s, size_t piece, uint64_t seed, char *answer)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t sent = 0, got = 0, n;
	ssize_t ret;

	if (connect(fd, (const struct sockaddr *)to, sizeof(*to))) {
		printf("connect: %s\n", strerror(errno));
		exit(1);
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	state = seed;
	for (; sent < s->len; sent += ret) {
		n = piece > 1 ? 1 + below(piece) : piece;
		ret = send(fd, s->bytes + sent, n && n < s->len - sent ? n : s->len - sent, MSG_NOSIGNAL);
		if (ret < 0)
			break; /* ended by the other side, which has not read it all */
		drain(fd);
	}
	shutdown(fd, SHUT_WR);
	for (;;) {
		if (poll(&p, 1, WAIT_MS) <= 0)
			return -1;
		ret = read(fd, answer + got, ROOM - 1 - got);
		if (ret <= 0)
			break;
		got += ret;
	}
	close(fd);
	answer[got] = 0;
	return got;
}

/* usage: streams ADDR PORT PORT memcached|resp COUNT SEED: the first port is that of the model */
int main(int argc, char **argv)
{
	static const size_t pieces[] = { 0, 1, 9, 300 };
	static char model[ROOM], other[ROOM];
	struct sockaddr_in to[2] = { 0 };
	size_t total = 0, answers = 0;
	uint32_t i, j, count;
	static struct stream s;

	if (argc < 7)
		return 2;
	for (i = 0; i < 2; i++) {
		to[i].sin_family = AF_INET;
		to[i].sin_port = htons(atoi(argv[2 + i]));
		inet_pton(AF_INET, argv[1], &to[i].sin_addr);
	}
	count = atoi(argv[5]);
	for (i = 0; i < count; i++) {
		size_t piece = pieces[i % 4], want = piece == 1 ? 250 : 4000;
		uint64_t seed = strtoull(argv[6], NULL, 0) * 1000003 + i;

		s.len = 0;
		state = seed;
		while (s.len < want)
			strcmp(argv[4], "resp") ? put_memcached(&s) : put_resp(&s);
		/* one in eight with bytes that were changed */
		for (j = 0; i % 8 == 5 && j < 3; j++)
			s.bytes[below(s.len)] = "\r\n *$9\x80"[below(7)];
		if (piece == 1 && s.len > 400)
			s.len = 400;
		if (talk(&to[0], &s, piece, seed, model) < 0 || talk(&to[1], &s, piece, seed, other) < 0) {
			printf("stream %u: no answer\n", i);
			return 1;
		}
		if (strcmp(model, other)) {
			printf("stream %u of %zu bytes, pieces of %zu: \"%s\", not \"%s\"\n", i, s.len, piece, other, model);
			return 1;
		}
		total += s.len;
		answers += strlen(model);
	}
	printf("%u streams of %zu bytes, %zu bytes of answers\n", count, total, answers);
	return 0;
}
