// SPDX-License-Identifier: GPL-2.0-only
/* Owns the server over TCP by io_uring: a multishot receive on each connection, buffers for all, replies sent from them. */
#include <errno.h>
#include <liburing.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tcp.h"

#define BUFFERS 1024		/* at least as many as connections that say something */
#define REPLY (1ull << 63)	/* user_data of a send: its buffer; of a receive: the connection */

static struct io_uring ring;
static struct io_uring_buf_ring *provided;
static char *memory;
static size_t buffer_size;
static int listener;
static unsigned int taken;
static int messages[BUFFERS];

static struct io_uring_sqe *next_sqe(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (!sqe) {
		io_uring_submit(&ring);
		sqe = io_uring_get_sqe(&ring);
	}
	errno = ENOSPC;
	if (!sqe)
		die("submission queue");
	return sqe;
}

static void arm(unsigned int conn)
{
	struct io_uring_sqe *sqe = next_sqe();

	io_uring_prep_recv_multishot(sqe, conn, NULL, 0, 0);
	sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
	sqe->buf_group = 0;
	io_uring_sqe_set_data64(sqe, conn);
}

static void give_back(unsigned int b)
{
	io_uring_buf_ring_add(provided, memory + b * buffer_size, buffer_size, b, io_uring_buf_ring_mask(BUFFERS), 0);
	io_uring_buf_ring_advance(provided, 1);
}

static void must(const char *what, int err)
{
	errno = -err;
	if (err < 0)
		die(what);
}

static void open_uring(void)
{
	struct io_uring_params p = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
		.cq_entries = 4 * BUFFERS,
	};
	struct io_uring_buf_reg reg = { .ring_entries = BUFFERS, .bgid = 0 };
	unsigned int i;

	listener = tcp_listen();
	buffer_size = pipeline * size;
	if (buffer_size < 4096)
		buffer_size = 4096;
	must("io_uring", io_uring_queue_init_params(BUFFERS, &ring, &p));
	must("registering files", io_uring_register_files_sparse(&ring, ACTIVE_MAX));
	errno = ENOMEM;
	if (posix_memalign((void **)&provided, 4096, BUFFERS * sizeof(struct io_uring_buf)) ||
	    posix_memalign((void **)&memory, 4096, BUFFERS * buffer_size))
		die("buffers");
	memset(memory, 0, BUFFERS * buffer_size); /* buffers are used in turn: none is to be touched for the first time later */
	io_uring_buf_ring_init(provided);
	reg.ring_addr = (uintptr_t)provided;
	must("providing buffers", io_uring_register_buf_ring(&ring, &reg, 0));
	for (i = 0; i < BUFFERS; i++)
		give_back(i);
}

static void take_uring(unsigned int n)
{
	int fd;

	for (; n; n--, taken++) {
		fd = tcp_accept(listener, 0);
		must("registering a connection", io_uring_register_files_update(&ring, taken, &fd, 1));
		arm(taken);
	}
	io_uring_submit(&ring);
}

static void answer(unsigned int conn, const struct io_uring_cqe *cqe)
{
	unsigned int b = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
	char *bytes = memory + b * buffer_size;
	struct io_uring_sqe *sqe = next_sqe();

	messages[b] = tcp_messages(bytes, cqe->res);
	io_uring_prep_send(sqe, conn, bytes, cqe->res, MSG_WAITALL);
	sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data64(sqe, REPLY | b);
}

/* One entry into the kernel takes what came and sends the replies to what came before. */
static int serve_uring(void)
{
	struct io_uring_cqe *cqe;
	unsigned int head, seen = 0;
	int done = 0;

	io_uring_submit_and_get_events(&ring);
	io_uring_for_each_cqe(&ring, head, cqe) {
		seen++;
		if (cqe->user_data & REPLY) {
			must("server's send", cqe->res);
			give_back(cqe->user_data & ~REPLY);
			done += messages[cqe->user_data & ~REPLY];
			continue;
		}
		if (cqe->res > 0)
			answer(cqe->user_data, cqe);
		else if (cqe->res != -ENOBUFS)
			must("server's recv", cqe->res ? cqe->res : -ECONNRESET);
		if (!(cqe->flags & IORING_CQE_F_MORE))
			arm(cqe->user_data);
	}
	io_uring_cq_advance(&ring, seen);
	return done;
}

const struct server uring_server = { "io_uring", open_uring, take_uring, serve_uring };
