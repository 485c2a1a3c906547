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
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <x86intrin.h>

#include "tcp.h"

/*
 * As in cost.c the time stamp counter counts executed instructions, and there is one CPU. What one side sends is held by
 * a plug in its device until it is let go, so that the other side's receiving can be told from it. The server's side is
 *
 *	what sending costs when the server receives it at once, less what it costs with the client's device plugged,
 *	and serving, with the server's device plugged: replies reach the client when nothing is counted
 *
 * A server in another process runs at a higher priority: it has served when the client's send returns. Autocorking has to be off:
 * since a plugged device never completes, it would keep back what a server sends in several writes until all is counted.
 */
#define DIAL 64	/* connections at a time */

struct plug {
	int nl;
	unsigned int ifindex;
};

unsigned int size = 64, conns = 1, pipeline = 1, idle;
static int client[ACTIVE_MAX];
static struct plug ours, theirs;
static bool marked; /* for profile/ */

/* A mark for the counting plugin of profile/: 0 nothing is counted, 1 the client's send, 2 the server. */
#define MARK(region)                                                                                          \
	do {                                                                                                  \
		if (marked)                                                                                   \
			__asm__ volatile("nopl 0x5a17000" #region "(%%rax)" : : : "memory");                  \
	} while (0)

void die(const char *what)
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

/* Bytes that it holds. */
static size_t plug_holds(struct plug *p)
{
	struct {
		struct nlmsghdr nlh;
		struct tcmsg tc;
	} ask = {
		.nlh = { .nlmsg_len = sizeof(ask), .nlmsg_type = RTM_GETQDISC,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ECHO },
		.tc = { .tcm_ifindex = p->ifindex, .tcm_handle = 0x10000, .tcm_parent = TC_H_ROOT },
	};
	char answer[4096];
	struct nlmsghdr *nlh = (struct nlmsghdr *)answer;
	struct rtattr *a;
	int len;

	if (send(p->nl, &ask, sizeof(ask), 0) != sizeof(ask) || recv(p->nl, answer, sizeof(answer), 0) < 0)
		die("netlink");
	a = (struct rtattr *)((char *)NLMSG_DATA(nlh) + NLMSG_ALIGN(sizeof(struct tcmsg)));
	len = nlh->nlmsg_len - NLMSG_LENGTH(sizeof(struct tcmsg));
	for (; nlh->nlmsg_type == RTM_NEWQDISC && RTA_OK(a, len); a = RTA_NEXT(a, len))
		if (a->rta_type == TCA_STATS)
			return ((struct tc_stats *)RTA_DATA(a))->backlog;
	die("what a plug holds");
	return 0;
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

static int dial(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	inet_pton(AF_INET, "10.9.0.1", &sin.sin_addr);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)))
		die("connect");
	return fd;
}

/* A few at a time, so that none waits long for being accepted. Those that say nothing are made first. */
static void dial_all(const struct server *s)
{
	int self = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int other = open("/run/netns/bench", O_RDONLY | O_CLOEXEC);
	unsigned int i, n, all = idle + conns;

	plug_open(&ours, "v0");
	if (self < 0 || other < 0 || setns(other, CLONE_NEWNET))
		die("setns");
	plug_open(&theirs, "v1");
	if (setns(self, CLONE_NEWNET))
		die("setns back");
	for (i = 0; i < all; i += n) {
		if (setns(other, CLONE_NEWNET))
			die("setns");
		for (n = 0; n < DIAL && i + n < all; n++) {
			int fd = dial();

			if (i + n >= idle)
				client[i + n - idle] = fd;
		}
		if (setns(self, CLONE_NEWNET))
			die("setns back");
		s->take(n);
	}
}

/* Connections take the variants in turn, each round a different one. */
static const struct words *said(unsigned int round, unsigned int conn)
{
	return &words[(round + conn) % variants];
}

static void send_all(unsigned int round)
{
	unsigned int i;

	for (i = 0; i < conns; i++) {
		const struct words *w = said(round, i);

		if (send(client[i], w->out, w->out_len, 0) != (ssize_t)w->out_len)
			die("send");
	}
}

void hear(int fd, const char *bytes, size_t len)
{
	static char in[BYTES_MAX];
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

static void hear_all(unsigned int round)
{
	unsigned int i;

	for (i = 0; i < conns; i++)
		hear(client[i], said(round, i)->want, said(round, i)->want_len);
	/* what the kernel put off is not part of the next round; while it waits for its thread, nothing is received at once */
	usleep(5000);
}

/* ---- servers ---- */

static void nothing(void)
{
}

static void take_nothing(unsigned int n)
{
	(void)n;
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

static const struct server memcached_server = { "memcached", nothing, take_nothing, serve_outside };
static const struct server redis_server = { "redis", nothing, take_nothing, serve_outside };

static const struct {
	const struct server *server;
	void (*words)(int fd);
} kinds[] = {
	{ &epoll_server, words_echo },
	{ &kcm_server, words_echo },
	{ &uring_server, words_echo },
	{ &sluice_server, words_echo },
	{ &memcached_server, words_memcached },
	{ &redis_server, words_redis },
};

static void serve_all(const struct server *s)
{
	unsigned int done = 0, looks = 0;
	int n;

	while (done < conns * pipeline) {
		n = s->serve();
		done += n;
		looks = n ? 0 : looks + 1;
		if (looks > 4)
			sched_yield(); /* what is left is a kernel thread's to do; others that run then are charged too */
		errno = ETIMEDOUT;
		if (looks > 1000000)
			die("requests did not arrive");
	}
}

/* Return: what sending costs, the server's receiving left out. */
static unsigned long long bare_round(const struct server *s, unsigned int round)
{
	unsigned long long t0, t1;

	hold(&theirs);
	t0 = __rdtsc();
	send_all(round);
	t1 = __rdtsc();
	let_go(&theirs);
	serve_all(s);
	hear_all(round);
	return t1 - t0;
}

/* Add up what a round costs, unless it is there to get the connections going. */
static void round_of(const struct server *s, unsigned int round, unsigned long long *sent, unsigned long long *served)
{
	unsigned long long t0, t1, t2;
	size_t held, replies = 0;
	unsigned int i;

	hold(&ours);
	MARK(1);
	t0 = __rdtsc();
	send_all(round);
	t1 = __rdtsc();
	MARK(2);
	serve_all(s);
	t2 = __rdtsc();
	MARK(0);
	held = plug_holds(&ours);
	let_go(&ours);
	hear_all(round);
	for (i = 0; i < conns; i++)
		replies += said(round, i)->want_len;
	if (!sent)
		return;
	errno = EAGAIN;
	if (held < replies)
		die("replies were left to be sent after what was counted");
	*sent += t1 - t0;
	*served += t2 - t1;
}

static void raise_limits(void)
{
	struct rlimit r = { 65536, 65536 };

	if (setrlimit(RLIMIT_NOFILE, &r))
		die("RLIMIT_NOFILE");
}

/*
 * usage: cost-tcp NAME epoll|kcm|io_uring|sluice ROUNDS SIZE CONNS PIPELINE
 *        cost-tcp NAME memcached|redis ROUNDS SIZE CONNS PIPELINE PID: a server that speaks so
 * Environment: IDLE=N connections that say nothing; MARK for profile/
 */
int main(int argc, char **argv)
{
	unsigned long long bare = 0, sent = 0, served = 0;
	const unsigned int all = sizeof(kinds) / sizeof(kinds[0]);
	const struct server *s;
	unsigned int i, k, rounds, n;

	if (argc < 7)
		return 2;
	for (k = 0; k < all && strcmp(kinds[k].server->name, argv[2]); k++)
		;
	rounds = atoi(argv[3]);
	size = atoi(argv[4]);
	conns = atoi(argv[5]);
	pipeline = atoi(argv[6]);
	idle = getenv("IDLE") ? atoi(getenv("IDLE")) : 0;
	if (k == all || rounds < 4 || size < 8 || size > 65536 || !conns || conns > ACTIVE_MAX || !pipeline ||
	    (argc > 7) != (kinds[k].server->open == nothing) || (argc > 7 && size > 1024) ||
	    (size_t)pipeline * (size + 100 * (argc > 7)) > BYTES_MAX)
		return 2;
	s = kinds[k].server;
	raise_limits();
	s->open();
	dial_all(s);
	kinds[k].words(client[0]);
	if (argc > 7)
		put_ahead(argv[7]);
	n = conns * pipeline;
	for (i = 0; i < rounds / 4 + 4; i++) {
		bare_round(s, i);
		round_of(s, i, NULL, NULL);
	}
	marked = getenv("MARK");
	for (i = 0; i < rounds; i++) {
		bare += bare_round(s, i);
		round_of(s, i, &sent, &served);
	}
	printf("tcp %s %u %u %u %u %.1f %.1f %.1f\n", argv[1], size, conns, pipeline, rounds * n, (double)bare / rounds / n,
	       (double)sent / rounds / n, (double)served / rounds / n);
	return 0;
}
