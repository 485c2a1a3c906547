// SPDX-License-Identifier: GPL-2.0-only
/* Owns the loop that counts what an echoed request costs its server, in one process that is client and server in turn. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <x86intrin.h>

#include "cost.h"

/*
 * On the emulator's instruction clock the time stamp counter counts executed instructions. With one CPU the receive
 * softirq runs inside the client's send and everything the server causes inside serve(), so
 *
 *	server side = (send - send to a server whose device drops at once) + serve
 *
 * where the script has the client's device drop the replies: neither side is charged for the other's receiving. That the
 * replies are right is shown by `check`, with the replies let through.
 */
#define FLOWS_MAX 64

unsigned int size = 64;
static unsigned int flows = 1;
static bool gathered;	/* a batch leaves, and arrives, as one buffer, as a device gathers it that has many at once */
static char out[BATCH][SIZE_MAX_MSG];
static char in[BATCH][SIZE_MAX_MSG];
static struct mmsghdr tx[BATCH], rx[BATCH];
static struct iovec tx_iov[BATCH], rx_iov[BATCH];
static int client[FLOWS_MAX];

void die(const char *what, int err)
{
	fprintf(stderr, "cost: %s: %s\n", what, strerror(err < 0 ? -err : err));
	exit(1);
}

int udp_socket(const char *addr, int port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int bytes = 4 << 20, one = 1;

	if (fd < 0)
		die("socket", errno);
	/* more than 64 datagrams of this size hold even where the default does not */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		die("SO_RCVBUFFORCE", errno);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	inet_pton(AF_INET, addr, &sin.sin_addr);
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)))
		die("bind", errno);
	return fd;
}

static void client_open(const char *ns, const char *addr, const char *to)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int self = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int other = open(ns, O_RDONLY | O_CLOEXEC);
	unsigned int i;

	if (self < 0 || other < 0 || setns(other, CLONE_NEWNET))
		die(ns, errno);
	inet_pton(AF_INET, to, &sin.sin_addr);
	for (i = 0; i < flows; i++) {
		client[i] = udp_socket(addr, 0);
		if (connect(client[i], (struct sockaddr *)&sin, sizeof(sin)))
			die("connect", errno);
	}
	if (setns(self, CLONE_NEWNET))
		die("setns back", errno);
	close(self);
	close(other);
	for (i = 0; i < BATCH; i++) {
		memset(out[i], 'a' + i % 26, size);
		out[i][0] = i;
		tx_iov[i] = (struct iovec){ out[i], size };
		tx[i].msg_hdr = (struct msghdr){ .msg_iov = &tx_iov[i], .msg_iovlen = 1 };
		rx_iov[i] = (struct iovec){ in[i], sizeof(in[i]) };
		rx[i].msg_hdr = (struct msghdr){ .msg_iov = &rx_iov[i], .msg_iovlen = 1 };
	}
}

/* The whole batch as one buffer that is to be cut at the size of a request. */
static void send_gathered(void)
{
	char control[CMSG_SPACE(sizeof(uint16_t))] = { 0 };
	struct msghdr msg = { .msg_iov = tx_iov, .msg_iovlen = BATCH, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	uint16_t cut = size;

	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(cut));
	memcpy(CMSG_DATA(c), &cut, sizeof(cut));
	if (sendmsg(client[0], &msg, 0) != (ssize_t)(BATCH * size))
		die("sendmsg", errno);
}

static void send_batch(void)
{
	unsigned int i;
	int n, done = 0;

	if (gathered) {
		send_gathered();
		return;
	}
	if (flows > 1) {
		for (i = 0; i < BATCH; i++)
			if (send(client[i % flows], out[i], size, 0) != (ssize_t)size)
				die("send", errno);
		return;
	}
	while (done < BATCH) {
		n = sendmmsg(client[0], tx + done, BATCH - done, 0);
		if (n < 0)
			die("sendmmsg", errno);
		done += n;
	}
}

/* Serve until the whole batch is answered; a server that lags is called once. */
static int serve_batch(const struct server *s)
{
	int n, done = 0, looks = 0;

	do {
		n = s->serve();
		if (n < 0)
			die("serve", n);
		done += n;
		if (!s->lags && !n && ++looks > 100000)
			die("requests were lost on the way", ETIMEDOUT);
	} while (!s->lags && done < BATCH);
	return done;
}

/* Take what replies there are; each must be a request's bytes. Returns how many. */
static unsigned int take_replies(bool *seen)
{
	unsigned int f, got = 0;
	int i, n;

	for (f = 0; f < flows; f++) {
		n = recvmmsg(client[f], rx, BATCH, MSG_DONTWAIT, NULL);
		for (i = 0; i < n; i++) {
			unsigned int id = (unsigned char)in[i][0];

			if (rx[i].msg_len != size || id >= BATCH || seen[id] || memcmp(in[i], out[id], size))
				die("a reply is not what was sent, or came twice", EBADMSG);
			seen[id] = true;
			got++;
		}
	}
	return got;
}

/* Show that a server answers each request once with its own bytes. */
static int check(const struct server *s)
{
	unsigned int round, looks, got, answered = 0, served = 0;
	bool seen[BATCH];

	for (round = 0; round < 4; round++) {
		memset(seen, 0, sizeof(seen));
		send_batch();
		for (looks = 0, got = 0; looks < 100000 && got < BATCH; looks++) {
			served += serve_batch(s);
			got += take_replies(seen);
			if (s->lags && looks > 10)
				break;
		}
		answered += got;
	}
	printf("# %s: %u of %u requests answered rightly\n", s->name, answered, 4 * BATCH);
	return answered == 4 * BATCH || (s->lags && answered > 2 * BATCH && answered == served) ? 0 : 1;
}

/* Marks for the counting plugin of profile/: it counts by function what runs in a region. Costs one instruction. */
#define MARK(region) __asm__ volatile("nopl " region "(%%rax)" : : : "memory")
#define MARK_NONE "0x5a170000"
#define MARK_SEND "0x5a170001"
#define MARK_SERVE "0x5a170002"

/* One round of a run that is profiled. */
static void marked_round(const struct server *s)
{
	MARK(MARK_SEND);
	send_batch();
	MARK(MARK_SERVE);
	serve_batch(s);
	MARK(MARK_NONE);
}

static void measure(const struct server *s, unsigned int rounds, bool marked)
{
	unsigned long long t0, t1, t2, sent = 0, served = 0, requests = 0;
	unsigned int i, n;

	for (i = 0; marked && i < rounds; i++)
		marked_round(s);
	for (i = 0; i < rounds + rounds / 4; i++) {
		t0 = __rdtsc();
		send_batch();
		t1 = __rdtsc();
		n = serve_batch(s);
		t2 = __rdtsc();
		if (i < rounds / 4)	/* warm-up */
			continue;
		sent += t1 - t0;
		served += t2 - t1;
		requests += n;
	}
	if (s->lags && requests + BATCH < (unsigned long long)rounds * BATCH)
		die("requests were lost on the way", ETIMEDOUT);
	printf("cost %s %u %u%s %llu %.1f %.1f\n", s->name, size, flows, gathered ? "g" : "", requests, (double)sent / rounds / BATCH,
	       (double)served / requests);
}

/* Send @want requests and take the replies, batch by batch. */
static int offer(unsigned long want)
{
	unsigned long sent = 0, got = 0;
	int n, looks;

	client_open("/run/netns/bench", "10.9.0.2", "10.9.0.1");
	while (sent < want) {
		send_batch();
		sent += BATCH;
		for (looks = 0; got < sent && looks < 2000000; looks++) {
			n = recvmmsg(client[0], rx, BATCH, MSG_DONTWAIT, NULL);
			if (n > 0)
				got += n;
			else
				sched_yield();
		}
	}
	printf("offered %lu answered %lu\n", sent, got);
	return got == sent ? 0 : 1;
}

static void open_nothing(void)
{
}

static int serve_nothing(void)
{
	return BATCH;
}

static const struct server nothing[] = { { "send", open_nothing, serve_nothing, false }, { 0 } };

static const struct server *find(const char *name)
{
	static const struct server *const all[] = {
		nothing, sockets_servers, uring_servers, packet_servers, xsk_servers, bpfring_servers, sluice_servers,
	};
	const struct server *s;
	unsigned int i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (s = all[i]; s->name; s++)
			if (!strcmp(s->name, name))
				return s;
	return NULL;
}

static int usage(void)
{
	fprintf(stderr, "usage: cost check SERVER [SIZE [FLOWS]]    each request is answered with its own bytes\n"
			"       cost SERVER ROUNDS [SIZE [FLOWS]]   instructions per request; FLOWS 1g: gathered\n"
			"       cost mark SERVER ROUNDS [SIZE [FLOWS]]   the same with marks for profile/\n"
			"       cost consume|offer REQUESTS         an untimed server, an untimed client\n"
			"       cost drop DEVICE                    by XDP, what arrives there\n");
	return 2;
}

int main(int argc, char **argv)
{
	const struct server *s;
	bool checking, marked;

	if (argc < 3)
		return usage();
	if (!strcmp(argv[1], "consume"))
		return consume(strtoul(argv[2], NULL, 0));
	if (!strcmp(argv[1], "drop"))
		return xdp_drop(argv[2]);
	if (!strcmp(argv[1], "offer"))
		return offer(strtoul(argv[2], NULL, 0));
	checking = !strcmp(argv[1], "check");
	marked = !strcmp(argv[1], "mark");
	if (marked) {
		argv++;
		argc--;
	}
	s = find(argv[checking ? 2 : 1]);
	if (argc > 3)
		size = atoi(argv[3]);
	if (argc > 4) {
		flows = atoi(argv[4]);
		gathered = strchr(argv[4], 'g');
	}
	if (argc < 3 || !s || size < 1 || size > SIZE_MAX_MSG || flows < 1 || flows > FLOWS_MAX ||
	    (gathered && (flows > 1 || size * BATCH > 65507)) || (!checking && atoi(argv[2]) < 4))
		return usage();
	client_open("/run/netns/bench", "10.9.0.2", "10.9.0.1");
	s->open();
	if (checking)
		return check(s);
	measure(s, atoi(argv[2]), marked);
	return 0;
}
