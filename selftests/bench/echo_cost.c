// SPDX-License-Identifier: GPL-2.0-only
/* Counts what one echoed request costs on the server's side, in one process that is client and server in turn. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <x86intrin.h>

#include <sluice/sluice.h>

/*
 * On the emulator's instruction clock the time stamp counter counts executed instructions. With one CPU the receive
 * softirq runs inside the client's sendmmsg() and everything the server causes inside serve(), so
 *
 *	server side = (send - send to a server whose device drops at once) + serve
 *
 * where the script has the client's device drop the replies: neither side is charged for the other's receiving.
 */
#define BATCH 64
#define SIZE_MAX_MSG 1472

static unsigned int size = 64;
static char out[BATCH][SIZE_MAX_MSG];
static char in[BATCH][SIZE_MAX_MSG];
static struct mmsghdr tx[BATCH], rx[BATCH];
static struct iovec tx_iov[BATCH], rx_iov[BATCH];
static struct sockaddr_in peers[BATCH];
static struct sluice_ring *ring;
static int client, server, epfd;

static void die(const char *what, int err)
{
	fprintf(stderr, "echo_cost: %s: %s\n", what, strerror(err < 0 ? -err : err));
	exit(1);
}

static int udp_socket(const char *addr, int port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int bytes = 4 << 20;

	if (fd < 0)
		die("socket", errno);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	inet_pton(AF_INET, addr, &sin.sin_addr);
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)))
		die("bind", errno);
	return fd;
}

static void client_open(const char *ns, const char *addr, const char *to)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(7000) };
	int self = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int other = open(ns, O_RDONLY | O_CLOEXEC);
	int i;

	if (self < 0 || other < 0 || setns(other, CLONE_NEWNET))
		die(ns, errno);
	client = udp_socket(addr, 0);
	inet_pton(AF_INET, to, &sin.sin_addr);
	if (connect(client, (struct sockaddr *)&sin, sizeof(sin)))
		die("connect", errno);
	if (setns(self, CLONE_NEWNET))
		die("setns back", errno);
	close(self);
	close(other);
	for (i = 0; i < BATCH; i++) {
		memset(out[i], 'a' + i % 26, size);
		tx_iov[i] = (struct iovec){ out[i], size };
		tx[i].msg_hdr = (struct msghdr){ .msg_iov = &tx_iov[i], .msg_iovlen = 1 };
	}
}

static void send_batch(void)
{
	int n, done = 0;

	while (done < BATCH) {
		n = sendmmsg(client, tx + done, BATCH - done, 0);
		if (n < 0)
			die("sendmmsg", errno);
		done += n;
	}
}

static void rx_reset(void)
{
	int i;

	for (i = 0; i < BATCH; i++) {
		rx_iov[i] = (struct iovec){ in[i], sizeof(in[i]) };
		rx[i].msg_hdr = (struct msghdr){ .msg_iov = &rx_iov[i], .msg_iovlen = 1,
						 .msg_name = &peers[i], .msg_namelen = sizeof(peers[i]) };
	}
}

static int serve_mmsg(void)
{
	int i, n, sent = 0;

	n = recvmmsg(server, rx, BATCH, MSG_DONTWAIT, NULL);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	for (i = 0; i < n; i++)
		rx_iov[i].iov_len = rx[i].msg_len;
	while (sent < n) {
		int k = sendmmsg(server, rx + sent, n - sent, 0);

		if (k < 0)
			return -errno;
		sent += k;
	}
	for (i = 0; i < n; i++) {
		rx_iov[i].iov_len = sizeof(in[i]);
		rx[i].msg_hdr.msg_namelen = sizeof(peers[i]);
	}
	return n;
}

static int serve_epoll(void)
{
	struct epoll_event ev;
	socklen_t len;
	ssize_t got;
	int n = 0;

	if (epoll_wait(epfd, &ev, 1, 0) <= 0)
		return 0;
	for (;;) {
		len = sizeof(peers[0]);
		got = recvfrom(server, in[0], sizeof(in[0]), MSG_DONTWAIT, (struct sockaddr *)&peers[0], &len);
		if (got < 0)
			return errno == EAGAIN ? n : -errno;
		if (sendto(server, in[0], got, 0, (struct sockaddr *)&peers[0], len) < 0)
			return -errno;
		n++;
	}
}

static int serve_sluice(void)
{
	struct sluice_request req[BATCH];
	int i, n = sluice_ring_peek(ring, req, BATCH), err;

	for (i = 0; i < n; i++) {
		err = sluice_respond(ring, &req[i], req[i].len);
		if (err)
			return err;
	}
	err = sluice_ring_flush(ring);
	return err < 0 ? err : n;
}

static int serve_nothing(void)
{
	return BATCH;
}

static void open_server(const char *mode)
{
	struct sluice_ring_config config = { .size = sizeof(config), .group = "echo", .tx = SLUICE_TX_KICK };
	struct epoll_event ev = { .events = EPOLLIN };
	int err;

	if (!strcmp(mode, "send"))
		return;
	if (!strcmp(mode, "sluice")) {
		config.slots[0].size = 2048;
		config.slots[0].count = 256;
		err = sluice_ring_open(&ring, &config);
		if (!err)
			err = sluice_ring_attach(ring);
		if (err)
			die("ring", err);
		return;
	}
	server = udp_socket("0.0.0.0", 7000);
	rx_reset();
	epfd = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(epfd, EPOLL_CTL_ADD, server, &ev);
}

/* Serve @want requests by polling memory alone; the ring's kernel thread sends. Not one system call is made. */
static int consume(unsigned long want)
{
	struct sluice_ring_config config = { .size = sizeof(config), .group = "echo", .tx = SLUICE_TX_THREAD };
	struct sluice_request req[BATCH];
	unsigned long done = 0;
	int i, n, err;

	config.slots[0].size = 2048;
	config.slots[0].count = 1024;
	err = sluice_ring_open(&ring, &config);
	if (!err)
		err = sluice_ring_attach(ring);
	if (err)
		die("ring", err);
	puts("ready");
	fflush(stdout);
	while (done < want) {
		n = sluice_ring_peek(ring, req, BATCH);
		for (i = 0; i < n; i++)
			while (sluice_respond(ring, &req[i], req[i].len) == -EAGAIN)
				sluice_ring_flush(ring);
		sluice_ring_flush(ring);
		done += n;
	}
	printf("consumed %lu\n", done);
	/* stay until told: leaving is not part of the load */
	fflush(stdout);
	pause();
	return 0;
}

/* Send @want requests and take the replies, batch by batch. */
static int offer(unsigned long want)
{
	unsigned long sent = 0, got = 0;
	int n, looks;

	client_open("/run/netns/bench", "10.9.0.2", "10.9.0.1");
	rx_reset();
	while (sent < want) {
		send_batch();
		sent += BATCH;
		for (looks = 0; got < sent && looks < 2000000; looks++) {
			n = recvmmsg(client, rx, BATCH, MSG_DONTWAIT, NULL);
			if (n > 0)
				got += n;
			else
				sched_yield();
		}
	}
	printf("offered %lu answered %lu\n", sent, got);
	return got == sent ? 0 : 1;
}

/* Serve until the whole batch is answered. */
static void serve_batch(int (*serve)(void))
{
	int n, done = 0, looks = 0;

	while (done < BATCH) {
		n = serve();
		if (n < 0)
			die("serve", n);
		done += n;
		if (!n && ++looks > 1000)
			die("requests were lost on the way", ETIMEDOUT);
	}
}

int main(int argc, char **argv)
{
	static const struct { const char *name; int (*serve)(void); } modes[] = {
		{ "send", serve_nothing }, { "recvmmsg", serve_mmsg },
		{ "epoll", serve_epoll }, { "sluice", serve_sluice },
	};
	unsigned long long t0, t1, t2, sent = 0, served = 0;
	int (*serve)(void) = NULL;
	unsigned int i, rounds;

	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: echo_cost send|recvmmsg|epoll|sluice ROUNDS [SIZE]\n"
			"       echo_cost consume|offer REQUESTS\n");
		return 2;
	}
	if (!strcmp(argv[1], "consume"))
		return consume(strtoul(argv[2], NULL, 0));
	if (!strcmp(argv[1], "offer"))
		return offer(strtoul(argv[2], NULL, 0));
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(argv[1], modes[i].name))
			serve = modes[i].serve;
	rounds = atoi(argv[2]);
	if (argc == 4)
		size = atoi(argv[3]);
	if (!serve || !rounds || !size || size > SIZE_MAX_MSG) {
		fprintf(stderr, "echo_cost: unknown mode, no rounds, or a size beyond %d\n", SIZE_MAX_MSG);
		return 2;
	}
	client_open("/run/netns/bench", "10.9.0.2", "10.9.0.1");
	open_server(argv[1]);
	for (i = 0; i < rounds + rounds / 4; i++) {
		t0 = __rdtsc();
		send_batch();
		t1 = __rdtsc();
		serve_batch(serve);
		t2 = __rdtsc();
		if (i < rounds / 4)	/* warm-up */
			continue;
		sent += t1 - t0;
		served += t2 - t1;
	}
	printf("%s %u %.1f %.1f\n", argv[1], rounds * BATCH, (double)sent / rounds / BATCH,
	       (double)served / rounds / BATCH);
	sluice_ring_close(ring);
	return 0;
}
