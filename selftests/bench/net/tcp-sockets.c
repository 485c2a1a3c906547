// SPDX-License-Identifier: GPL-2.0-only
/* Owns the servers over TCP that need no more than sockets, and Sluice's: epoll, KCM, a ring. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/kcm.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <sluice/sluice.h>

#include "tcp.h"

#define BATCH 64

static char buf[BYTES_MAX];
static int listener, epfd, parser;
static struct sluice_ring *ring;

int tcp_listen(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) || listen(fd, ACTIVE_MAX))
		die("listen");
	return fd;
}

int tcp_accept(int from, int flags)
{
	int fd = accept4(from, NULL, NULL, SOCK_CLOEXEC | flags), one = 1;

	if (fd < 0)
		die("accept");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

int tcp_messages(const char *bytes, size_t len)
{
	size_t at = 0;
	uint32_t be;
	int n = 0;

	while (at + 4 <= len) {
		memcpy(&be, bytes + at, 4);
		at += ntohl(be) + 4;
		n++;
	}
	/* the client sends whole requests, in less than a receive buffer */
	errno = EBADMSG;
	if (at != len)
		die("a server's receive");
	return n;
}

static void watch(int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev))
		die("epoll_ctl");
}

static int each_ready(int (*serve)(int fd))
{
	struct epoll_event ev[BATCH];
	int i, n = epoll_wait(epfd, ev, BATCH, 0), done = 0;

	for (i = 0; i < n; i++)
		done += serve(ev[i].data.fd);
	return done;
}

/* ---- epoll: what is there in one receive, its messages to one send ---- */

static void open_epoll(void)
{
	listener = tcp_listen();
	epfd = epoll_create1(EPOLL_CLOEXEC);
	if (epfd < 0)
		die("epoll");
}

static void take_epoll(unsigned int n)
{
	while (n--)
		watch(tcp_accept(listener, SOCK_NONBLOCK));
}

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
	return each_ready(serve_conn);
}

const struct server epoll_server = { "epoll", open_epoll, take_epoll, serve_epoll };

/* ---- KCM: a multiplexor for each connection, since a reply goes to any connection of one ---- */

/*
 * The length field and what it counts. The program is shown an skb from its first byte, and has no way to learn how far into it
 * the message begins: it is right since all messages of a connection are of one length.
 */
static int load_parser(void)
{
	static const struct bpf_insn insn[] = {
		{ BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_6, BPF_REG_1, 0, 0 },
		{ BPF_LD | BPF_ABS | BPF_W, 0, 0, 0, 0 },
		{ BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_0, 0, 0, 4 },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
	};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attr.insns = (uintptr_t)insn;
	attr.insn_cnt = sizeof(insn) / sizeof(insn[0]);
	attr.license = (uintptr_t)"GPL";
	return syscall(__NR_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

static void open_kcm(void)
{
	open_epoll();
	parser = load_parser();
	if (parser < 0)
		die("KCM's program");
}

static void take_kcm(unsigned int n)
{
	while (n--) {
		struct kcm_attach attach = { .fd = tcp_accept(listener, 0), .bpf_fd = parser };
		int kcm = socket(AF_KCM, SOCK_DGRAM | SOCK_CLOEXEC, KCMPROTO_CONNECTED);

		if (kcm < 0 || ioctl(kcm, SIOCKCMATTACH, &attach))
			die("KCM");
		watch(kcm);
	}
}

static int serve_mux(int fd)
{
	static struct mmsghdr msg[BATCH];
	static struct iovec iov[BATCH];
	size_t room = size;
	int i, n, sent = 0, k;

	for (i = 0; i < BATCH && (i + 1) * room <= sizeof(buf); i++) {
		iov[i] = (struct iovec){ buf + i * room, room };
		msg[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	n = recvmmsg(fd, msg, i, MSG_DONTWAIT, NULL);
	if (n < 0)
		return errno == EAGAIN ? 0 : (die("server's recvmmsg"), 0);
	for (i = 0; i < n; i++)
		iov[i].iov_len = msg[i].msg_len;
	while (sent < n) {
		k = sendmmsg(fd, msg + sent, n - sent, 0);
		if (k < 0)
			die("server's sendmmsg");
		sent += k;
	}
	return n;
}

static int serve_kcm(void)
{
	return each_ready(serve_mux);
}

const struct server kcm_server = { "kcm", open_kcm, take_kcm, serve_kcm };

/* ---- a ring: who kicks once a batch ---- */

static void open_sluice(void)
{
	struct sluice_ring_config config = { .size = sizeof(config), .group = "echo", .tx = SLUICE_TX_KICK };

	config.slots[0].size = size <= 2048 ? 2048 : (size + 63) / 64 * 64;
	config.slots[0].count = size <= 2048 ? 1024 : 64;
	errno = -sluice_ring_open(&ring, &config);
	if (!errno)
		errno = -sluice_ring_attach(ring);
	if (errno)
		die("ring");
}

/* The module accepts; all it needs is time. */
static void take_sluice(unsigned int n)
{
	(void)n;
	usleep(2000);
}

static int serve_sluice(void)
{
	struct sluice_request req[BATCH];
	int i, n = sluice_ring_peek(ring, req, BATCH);

	for (i = 0; i < n; i++)
		if (sluice_respond(ring, &req[i], req[i].len))
			die("respond");
	if (sluice_ring_flush(ring) < 0)
		die("flush");
	return n;
}

const struct server sluice_server = { "sluice", open_sluice, take_sluice, serve_sluice };
