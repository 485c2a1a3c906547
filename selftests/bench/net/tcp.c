// SPDX-License-Identifier: GPL-2.0-only
/*
 * Owns what a request over TCP costs its server: in this process, which is client and server in turn, or in another one that
 * runs ahead of it.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <x86intrin.h>

#include <sluice/sluice.h>

/*
 * As in cost.c the time stamp counter counts executed instructions, and there is one CPU. What one side sends is held by
 * a plug in its device until it is let go, so that the other side's receiving can be told from it. The server's side is
 *
 *	what sending costs when the server receives it at once, less what it costs with the client's device plugged,
 *	and serving, with the server's device plugged: replies reach the client when nothing is counted
 *
 * A server in another process runs at a higher priority: it has served when the client's send returns.
 */
#define PORT 7000
#define CONNS_MAX 64
#define BYTES_MAX (1 << 16)
#define KEY "cost-key-%06u"

struct plug {
	int nl;
	unsigned int ifindex;
};

static unsigned int size = 64, conns = 1, pipeline = 1;
static int client[CONNS_MAX];
static struct plug ours, theirs;
static char out[BYTES_MAX], want[BYTES_MAX], in[BYTES_MAX];
static size_t out_len, want_len;
static char buf[BYTES_MAX];
static int listener, epfd;
static bool marked; /* for profile/ */
static struct sluice_ring *ring;

/* A mark for the counting plugin of profile/: 0 nothing is counted, 1 the client's send, 2 the server. */
#define MARK(region)                                                                                          \
	do {                                                                                                  \
		if (marked)                                                                                   \
			__asm__ volatile("nopl 0x5a17000" #region "(%%rax)" : : : "memory");                  \
	} while (0)

static void die(const char *what)
{
	fprintf(stderr, "cost-tcp: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- plugs ---- */

static void plug_say(struct plug *p, int action, unsigned int limit, int flags)
{
	struct {
		struct nlmsghdr nlh;
		struct tcmsg tc;
		struct rtattr kind;
		char name[8];
		struct rtattr opt;
		struct tc_plug_qopt qopt;
	} msg = {
		.nlh = { .nlmsg_len = sizeof(msg), .nlmsg_type = RTM_NEWQDISC,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags },
		.tc = { .tcm_ifindex = p->ifindex, .tcm_handle = 0x10000, .tcm_parent = TC_H_ROOT },
		.kind = { .rta_len = RTA_LENGTH(5), .rta_type = TCA_KIND }, .name = "plug",
		.opt = { .rta_len = RTA_LENGTH(sizeof(struct tc_plug_qopt)), .rta_type = TCA_OPTIONS },
		.qopt = { .action = action, .limit = limit },
	};
	char answer[512];
	struct nlmsgerr *err = NLMSG_DATA((struct nlmsghdr *)answer);

	if (send(p->nl, &msg, sizeof(msg), 0) != sizeof(msg) || recv(p->nl, answer, sizeof(answer), 0) < 0)
		die("netlink");
	errno = -err->error;
	if (errno)
		die("plug");
}

static void hold(struct plug *p)
{
	plug_say(p, TCQ_PLUG_BUFFER, 0, 0);
}

static void let_go(struct plug *p)
{
	plug_say(p, TCQ_PLUG_RELEASE_INDEFINITE, 0, 0);
}

static void plug_open(struct plug *p, const char *dev)
{
	p->nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	p->ifindex = if_nametoindex(dev);
	if (p->nl < 0 || !p->ifindex)
		die(dev);
	plug_say(p, 0, 64 << 20, NLM_F_CREATE | NLM_F_REPLACE);
	let_go(p); /* a new one holds */
}

/* ---- client ---- */

static void dial(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int self = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), one = 1;
	int other = open("/run/netns/bench", O_RDONLY | O_CLOEXEC);
	unsigned int i;

	plug_open(&ours, "v0");
	if (self < 0 || other < 0 || setns(other, CLONE_NEWNET))
		die("setns");
	plug_open(&theirs, "v1");
	inet_pton(AF_INET, "10.9.0.1", &sin.sin_addr);
	for (i = 0; i < conns; i++) {
		client[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		setsockopt(client[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (connect(client[i], (struct sockaddr *)&sin, sizeof(sin)))
			die("connect");
	}
	if (setns(self, CLONE_NEWNET))
		die("setns back");
}

static void send_all(void)
{
	unsigned int i;

	for (i = 0; i < conns; i++)
		if (send(client[i], out, out_len, 0) != (ssize_t)out_len)
			die("send");
}

static void hear(int fd, const char *bytes, size_t len)
{
	size_t got = 0;
	ssize_t n;

	while (got < len) {
		n = recv(fd, in + got, len - got, 0);
		if (n <= 0)
			die("recv");
		got += n;
	}
	if (memcmp(in, bytes, len)) {
		fprintf(stderr, "cost-tcp: a reply is not what it should be: %.60s\n", in);
		exit(1);
	}
}

/* Length and payload, each different. */
static void make_echo(void)
{
	unsigned int i, be = htonl(size - 4);

	for (i = 0; i < pipeline; i++) {
		char *to = out + i * size;

		memset(to, 'a' + i % 26, size);
		memcpy(to, &be, 4);
	}
	out_len = pipeline * size;
	want_len = out_len;
	memcpy(want, out, out_len);
}

static void make_gets(void)
{
	char value[1024], text[2048];
	unsigned int i;

	memset(value, 'v', size);
	value[size] = 0;
	for (i = 0; i < pipeline; i++) {
		snprintf(text, sizeof(text), "set " KEY " 0 0 %u\r\n%s\r\n", i, size, value);
		if (send(client[0], text, strlen(text), 0) < 0)
			die("send");
		hear(client[0], "STORED\r\n", 8);
		out_len += sprintf(out + out_len, "get " KEY "\r\n", i);
		want_len += sprintf(want + want_len, "VALUE " KEY " 0 %u\r\n%s\r\nEND\r\n", i, size, value);
	}
}

/* ---- servers ---- */

static void open_epoll(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int one = 1;

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	epfd = epoll_create1(EPOLL_CLOEXEC);
	if (bind(listener, (struct sockaddr *)&sin, sizeof(sin)) || listen(listener, CONNS_MAX) || epfd < 0)
		die("listen");
}

static void accept_epoll(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	unsigned int i;
	int one = 1;

	for (i = 0; i < conns; i++) {
		ev.data.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		setsockopt(ev.data.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (ev.data.fd < 0 || epoll_ctl(epfd, EPOLL_CTL_ADD, ev.data.fd, &ev))
			die("accept");
	}
}

/* Cut what is there into requests and answer them with one write. Return: how many. */
static int serve_conn(int fd)
{
	static char reply[BYTES_MAX];
	ssize_t n = recv(fd, buf, sizeof(buf), 0);
	size_t at = 0, len;
	uint32_t be;
	int done = 0;

	if (n <= 0)
		die("server's recv");
	while (at + 4 <= (size_t)n) {
		memcpy(&be, buf + at, 4);
		len = ntohl(be) + 4;
		if (at + len > (size_t)n)
			break;
		memcpy(reply + at, buf + at, len);
		at += len;
		done++;
	}
	/* the client sends whole requests, in less than a receive buffer */
	if (at != (size_t)n || send(fd, reply, at, 0) != (ssize_t)at)
		die("server's send");
	return done;
}

static int serve_epoll(void)
{
	struct epoll_event ev[CONNS_MAX];
	int i, n = epoll_wait(epfd, ev, CONNS_MAX, 0), done = 0;

	for (i = 0; i < n; i++)
		done += serve_conn(ev[i].data.fd);
	return done;
}

static void open_sluice(void)
{
	struct sluice_ring_config config = { .size = sizeof(config), .group = "echo", .tx = SLUICE_TX_KICK };

	config.slots[0].size = 2048;
	config.slots[0].count = 1024;
	errno = -sluice_ring_open(&ring, &config);
	if (!errno)
		errno = -sluice_ring_attach(ring);
	if (errno)
		die("ring");
}

static int serve_sluice(void)
{
	struct sluice_request req[64];
	int i, n = sluice_ring_peek(ring, req, 64);

	for (i = 0; i < n; i++)
		if (sluice_respond(ring, &req[i], req[i].len))
			die("respond");
	if (sluice_ring_flush(ring) < 0)
		die("flush");
	return n;
}

static void nothing(void)
{
}

/* It has run while the client sent. */
static int serve_outside(void)
{
	return conns * pipeline;
}

/* All threads of a process go ahead of this one. */
static void put_ahead(const char *pid)
{
	struct sched_param param = { .sched_priority = 10 };
	char path[64];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	d = opendir(path);
	if (!d)
		die(path);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.' && sched_setscheduler(atoi(e->d_name), SCHED_FIFO, &param))
			die("sched_setscheduler");
	closedir(d);
}

static const struct server {
	const char *name;
	void (*open)(void);
	void (*accept)(void);
	int (*serve)(void);
} servers[] = {
	{ "epoll", open_epoll, accept_epoll, serve_epoll },
	{ "sluice", open_sluice, nothing, serve_sluice },
	{ "outside", nothing, nothing, serve_outside },
};

static void serve_all(const struct server *s)
{
	unsigned int done = 0;
	int n;

	while (done < conns * pipeline) {
		n = s->serve();
		done += n;
		if (!n)
			sched_yield(); /* what is left is a kernel thread's to do */
	}
}

static void hear_all(void)
{
	unsigned int i;

	for (i = 0; i < conns; i++)
		hear(client[i], want, want_len);
}

/* Return: what sending costs, the server's receiving left out. */
static unsigned long long bare_round(const struct server *s)
{
	unsigned long long t0, t1;

	hold(&theirs);
	t0 = __rdtsc();
	send_all();
	t1 = __rdtsc();
	let_go(&theirs);
	serve_all(s);
	hear_all();
	return t1 - t0;
}

static void round_of(const struct server *s, unsigned long long *sent, unsigned long long *served)
{
	unsigned long long t0, t1, t2;

	hold(&ours);
	MARK(1);
	t0 = __rdtsc();
	send_all();
	t1 = __rdtsc();
	MARK(2);
	serve_all(s);
	t2 = __rdtsc();
	MARK(0);
	let_go(&ours);
	hear_all();
	*sent += t1 - t0;
	*served += t2 - t1;
}

/* usage: cost-tcp NAME epoll|sluice|outside ROUNDS SIZE CONNS PIPELINE [PID]: PID is that of a memcached */
int main(int argc, char **argv)
{
	unsigned long long bare = 0, sent = 0, served = 0, dummy = 0;
	const struct server *s = servers;
	unsigned int i, rounds, n;

	if (argc < 7)
		return 2;
	while (s < servers + 3 && strcmp(s->name, argv[2]))
		s++;
	rounds = atoi(argv[3]);
	size = atoi(argv[4]);
	conns = atoi(argv[5]);
	pipeline = atoi(argv[6]);
	if (s == servers + 3 || rounds < 4 || size < 8 || size > 1000 || !conns || conns > CONNS_MAX || !pipeline ||
	    pipeline * (size + 100) > BYTES_MAX)
		return 2;
	s->open();
	dial();
	s->accept();
	if (argc > 7) {
		make_gets();
		put_ahead(argv[7]);
	} else {
		make_echo();
	}
	n = conns * pipeline;
	for (i = 0; i < rounds / 4; i++) {
		bare_round(s);
		round_of(s, &dummy, &dummy);
	}
	marked = getenv("MARK");
	for (i = 0; i < rounds; i++) {
		bare += bare_round(s);
		round_of(s, &sent, &served);
	}
	printf("tcp %s %u %u %u %u %.1f %.1f %.1f\n", argv[1], size, conns, pipeline, rounds * n, (double)bare / rounds / n,
	       (double)sent / rounds / n, (double)served / rounds / n);
	return 0;
}
