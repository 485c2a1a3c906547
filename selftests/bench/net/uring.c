// SPDX-License-Identifier: GPL-2.0-only
/* Owns the server over io_uring: one multishot receive into provided buffers, replies sent from the same buffers. */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>

#include "cost.h"

#define BUFFERS (4 * BATCH)
#define BUFFER_SIZE 2048
#define RECEIVE UINT64_MAX	/* user_data of the receive; of a send: its buffer */

static struct io_uring ring;
static struct io_uring_buf_ring *provided;
static uint8_t *memory;
static struct msghdr shape;	/* how the buffers are cut */
static struct msghdr reply[BUFFERS];
static struct iovec reply_iov[BUFFERS];

static struct io_uring_sqe *next_sqe(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (!sqe) {
		io_uring_submit(&ring);
		sqe = io_uring_get_sqe(&ring);
	}
	if (!sqe)
		die("submission queue", ENOSPC);
	return sqe;
}

static void arm(void)
{
	struct io_uring_sqe *sqe = next_sqe();

	io_uring_prep_recvmsg_multishot(sqe, 0, &shape, 0);
	sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
	sqe->buf_group = 0;
	io_uring_sqe_set_data64(sqe, RECEIVE);
}

static void give_back(unsigned int b)
{
	io_uring_buf_ring_add(provided, memory + (size_t)b * BUFFER_SIZE, BUFFER_SIZE, b,
			      io_uring_buf_ring_mask(BUFFERS), 0);
	io_uring_buf_ring_advance(provided, 1);
}

static void open_uring(void)
{
	struct io_uring_params p = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
		.cq_entries = 4 * BUFFERS,
	};
	struct io_uring_buf_reg reg = { .ring_entries = BUFFERS, .bgid = 0 };
	int fd = udp_socket("0.0.0.0", PORT), err;
	unsigned int i;

	err = io_uring_queue_init_params(BUFFERS, &ring, &p);
	if (err)
		die("io_uring", err);
	err = io_uring_register_files(&ring, &fd, 1);
	if (err)
		die("registering the socket", err);
	if (posix_memalign((void **)&provided, 4096, BUFFERS * sizeof(struct io_uring_buf)) ||
	    posix_memalign((void **)&memory, 4096, BUFFERS * BUFFER_SIZE))
		die("buffers", ENOMEM);
	io_uring_buf_ring_init(provided);
	reg.ring_addr = (uintptr_t)provided;
	err = io_uring_register_buf_ring(&ring, &reg, 0);
	if (err)
		die("providing buffers", err);
	for (i = 0; i < BUFFERS; i++)
		give_back(i);
	shape.msg_namelen = sizeof(struct sockaddr_in);
	arm();
	io_uring_submit(&ring);
}

static void answer(const struct io_uring_cqe *cqe)
{
	unsigned int b = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
	struct io_uring_recvmsg_out *o = io_uring_recvmsg_validate(memory + (size_t)b * BUFFER_SIZE, cqe->res, &shape);
	struct io_uring_sqe *sqe;

	if (!o)
		die("a receive without its parts", EBADMSG);
	reply_iov[b].iov_base = io_uring_recvmsg_payload(o, &shape);
	reply_iov[b].iov_len = io_uring_recvmsg_payload_length(o, cqe->res, &shape);
	reply[b] = (struct msghdr){ .msg_name = io_uring_recvmsg_name(o), .msg_namelen = o->namelen,
				    .msg_iov = &reply_iov[b], .msg_iovlen = 1 };
	sqe = next_sqe();
	io_uring_prep_sendmsg(sqe, 0, &reply[b], 0);
	sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data64(sqe, b);
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
		if (cqe->user_data != RECEIVE) {
			if (cqe->res < 0)
				return cqe->res;
			give_back(cqe->user_data);
			done++;
			continue;
		}
		if (cqe->res >= 0)
			answer(cqe);
		else if (cqe->res != -ENOBUFS)
			return cqe->res;
		if (!(cqe->flags & IORING_CQE_F_MORE))
			arm();
	}
	io_uring_cq_advance(&ring, seen);
	return done;
}

const struct server uring_servers[] = {
	{ "io_uring", open_uring, serve_uring, false },
	{ 0 },
};
