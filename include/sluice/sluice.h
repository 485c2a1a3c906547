/* SPDX-License-Identifier: MIT */
/* libsluice: open a ring, take requests in batches, answer them in place, without a system call per request. */
#ifndef SLUICE_SLUICE_H
#define SLUICE_SLUICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A ring belongs to one thread at a time: no call locks, and sluice_ring_interrupt() alone is for others. Functions return 0 or a count, or a negative errno value;
 * errno itself is not touched. sluice_strerror() gives the text that says what to do.
 *
 * The loop of a consumer:
 *
 *	while ((n = sluice_ring_wait(ring, -1)) >= 0) {
 *		n = sluice_ring_peek(ring, req, 64);
 *		for (i = 0; i < n; i++)
 *			sluice_respond(ring, &req[i], serve(req[i].data, req[i].len, req[i].room));
 *	}
 */

/** struct sluice_ring - opaque: one open and mapped ring */
struct sluice_ring;

/** enum sluice_tx - how responses leave the ring */
enum sluice_tx {
	SLUICE_TX_ADAPTIVE = 0,	/* kernel thread while there is traffic, kick when it sleeps */
	SLUICE_TX_THREAD,	/* kernel thread polls always: no system call, a CPU of its own */
	SLUICE_TX_KICK,		/* one system call per sluice_ring_flush() */
};

#define SLUICE_SIZE_CLASSES 4

/**
 * struct sluice_ring_config - what sluice_ring_open() builds; zeroed members mean the default
 * @size: sizeof(struct sluice_ring_config)
 * @group: name of the group to serve, in this network namespace
 * @device: path of the device node; default "/dev/sluice"
 * @slots: size classes of request slots, ascending: payload bytes (a multiple of 64) and number;
 *	default 1024 slots of 2048 bytes
 * @reply_slots: number of extra slots for replies that do not fit in place; default 0
 * @reply_size: payload bytes of each
 * @tx: how responses leave
 * @tx_cpu: CPU of the kernel thread plus one; 0: any
 * @tx_idle_us: adaptive: idle microseconds before the kernel thread sleeps; default 50
 * @spin_us: sluice_ring_wait() polls memory for this long before it sleeps, unless that has come to nothing lately;
 *	default 50; UINT32_MAX: never sleeps
 */
struct sluice_ring_config {
	size_t size;
	const char *group;
	const char *device;
	struct {
		uint32_t size;
		uint32_t count;
	} slots[SLUICE_SIZE_CLASSES];
	uint32_t reply_slots;
	uint32_t reply_size;
	enum sluice_tx tx;
	uint32_t tx_cpu;
	uint32_t tx_idle_us;
	uint32_t spin_us;
};

#define SLUICE_REQUEST_REISSUED	(1u << 0)	/* another consumer took it before and went away */
#define SLUICE_REQUEST_REQUEUED	(1u << 1)	/* another consumer was given it, did not take it, and went away */
#define SLUICE_REQUEST_CANCELLED (1u << 2)	/* see sluice_request_cancelled() */

/**
 * struct sluice_request - one request that this consumer owns until it responds
 * @data: the message; the reply may be written here, over it
 * @len: bytes of the message
 * @room: bytes that fit at @data
 * @rule: id of the rule that took it, 0: the listener's default
 * @listener: number of the listener
 * @hash: hash of the steering key, else of the flow
 * @gap: requests for this consumer that were refused or lost just before this one; normally 0
 * @gap_reason: outcome (enum sluice_outcome) of the latest of them
 * @class_id: class in the group
 * @prio: priority, 0 highest
 * @flags: SLUICE_REQUEST_*
 * @arrival_ns: CLOCK_MONOTONIC at arrival in the kernel
 * @deadline_ns: CLOCK_MONOTONIC after which nobody waits; 0: none
 * @conn: connection; 0 for datagrams
 * @slot, @gen: the library's
 */
struct sluice_request {
	void *data;
	uint32_t len;
	uint32_t room;
	uint32_t rule;
	uint32_t listener;
	uint32_t hash;
	uint32_t gap;
	uint16_t gap_reason;
	uint16_t class_id;
	uint8_t prio;
	uint8_t flags;
	uint16_t gen;
	uint32_t slot;
	uint64_t arrival_ns;
	uint64_t deadline_ns;
	uint64_t conn;
};

/**
 * struct sluice_reply - a reply slot
 * @data: where to write
 * @room: bytes that fit
 * @slot: the library's
 */
struct sluice_reply {
	void *data;
	uint32_t room;
	uint32_t slot;
};

/**
 * struct sluice_ring_stats - the consumer's own counts since open
 */
struct sluice_ring_stats {
	uint64_t requests;	/* peeked and handed to the caller */
	uint64_t expired;	/* found past their deadline and answered so by the library */
	uint64_t responses;	/* response entries written */
	uint64_t gap;		/* sum of the gaps seen */
	uint64_t kicks;		/* kick system calls */
	uint64_t sleeps;	/* sleeps in the kernel */
};

/*
 * Open, set up, map and (in sluice_ring_attach) start. -EINVAL a value is out of range, -ENODEV no device node, -ENOENT no
 * such group, -EPERM not its owner, -ENOBUFS over the locked-memory limit, -ENOMEM, -ENOSPC the group has its limit of rings,
 * -EPROTO the module speaks another ABI (an older one cannot let a consumer sleep), or open(2)'s errors. sluice_ring_attach: -EBUSY, -ENODEV the group is gone.
 */
int sluice_ring_open(struct sluice_ring **ring, const struct sluice_ring_config *config);
int sluice_ring_attach(struct sluice_ring *ring);
/* No new requests; keep serving until sluice_ring_wait() returns -ESHUTDOWN: drained. */
int sluice_ring_drain(struct sluice_ring *ring);
/* Hand over what is answered, unmap and close. Unanswered requests follow the group's crash policy. NULL is fine. */
void sluice_ring_close(struct sluice_ring *ring);

/*
 * Flush, then wait until a request is there: spins for spin_us, then sleeps. Returns 1, or 0 after @timeout_ms (0: only look;
 * -1: no limit) or sluice_ring_interrupt(), -ESHUTDOWN when drained (all that was taken is answered and handed over) or detached, -EPROTO when the
 * ring is broken, -EINTR on a signal that came during the sleep. With -1, a ring that drains while the caller still owns
 * requests returns 0 at once: no request will come, answer those. A ring that never sleeps sees no signal: give it a timeout.
 */
int sluice_ring_wait(struct sluice_ring *ring, int timeout_ms);
/*
 * The same without spinning, in one system call, which also sends what was answered; 0 may come before its time, and with -1
 * too. For a caller that spins by itself, or looks at something else after each sleep.
 */
int sluice_ring_nap(struct sluice_ring *ring, int timeout_ms);
/*
 * End the sluice_ring_wait() or sluice_ring_nap() of another thread, which returns 0; if none goes on, the next one. May be
 * called by any thread until sluice_ring_close(). 0, or ioctl(2)'s errors.
 */
int sluice_ring_interrupt(struct sluice_ring *ring);
/*
 * For an event loop of one's own: poll the fd for POLLIN, and POLLRDHUP to be told of a drain, between sluice_ring_sleep() and sluice_ring_wake(). The first flushes
 * and returns 0: sleep; 1: requests are there, do not; or -ESHUTDOWN and -EPROTO as sluice_ring_wait().
 */
int sluice_ring_fd(const struct sluice_ring *ring);
int sluice_ring_sleep(struct sluice_ring *ring);
void sluice_ring_wake(struct sluice_ring *ring);

/*
 * Take up to @n requests, highest priority first. Returns how many; those past their deadline are answered as expired,
 * those that were cancelled are given back, and neither is returned. What was taken may be answered in any order, now or
 * later. -EPROTO: the ring is broken; -ESHUTDOWN: it was detached.
 */
int sluice_ring_peek(struct sluice_ring *ring, struct sluice_request *req, unsigned int n);

/*
 * Answer with the first @len bytes at req->data. -EMSGSIZE if len > room; -EAGAIN if the response queue is full
 * (sluice_ring_flush() and try again); -EINVAL if the request is not the caller's, for instance answered before; -EPROTO if
 * the ring is broken. The same errors for the others.
 */
int sluice_respond(struct sluice_ring *ring, const struct sluice_request *req, uint32_t len);
/*
 * Does nobody wait for the answer any more? Its sender cancelled it, its connection ended, or its listener was removed; what is
 * answered is not sent then. One look at memory: a long computation may ask often. The caller owns the request, and still
 * has to answer it in some way, most simply by sluice_done().
 */
bool sluice_request_cancelled(const struct sluice_ring *ring, const struct sluice_request *req);
/* Finish without a reply. */
int sluice_done(struct sluice_ring *ring, const struct sluice_request *req);
/* Refuse: the client gets the listener's reject reply. */
int sluice_reject(struct sluice_ring *ring, const struct sluice_request *req);
/* Take a free reply slot. -EAGAIN: none is free now; -ENOENT: the ring has none. */
int sluice_reply_get(struct sluice_ring *ring, struct sluice_reply *reply);
/* Give back a reply slot that was not sent. */
void sluice_reply_put(struct sluice_ring *ring, const struct sluice_reply *reply);
/* Answer from a reply slot; with @more, further entries for the same request follow (on UDP: one datagram each).
 * The slot returns to the pool when the kernel has sent it. */
int sluice_respond_from(struct sluice_ring *ring, const struct sluice_request *req, const struct sluice_reply *reply,
			uint32_t len, bool more);

/*
 * Hand all responses written so far to the kernel, with a kick if it asks for one. Service times end here: one clock
 * reading for the batch. 0; -ESHUTDOWN or -EPROTO if the ring is detached or broken; or the kick's error.
 */
int sluice_ring_flush(struct sluice_ring *ring);

uint32_t sluice_ring_id(const struct sluice_ring *ring);
void sluice_ring_stats(const struct sluice_ring *ring, struct sluice_ring_stats *stats);
/* CLOCK_MONOTONIC as taken by the last peek that found something: the clock of arrival_ns and deadline_ns. */
uint64_t sluice_ring_now(const struct sluice_ring *ring);
/* Text for a negative return value of a function above, saying what to do. */
const char *sluice_strerror(int err);

#ifdef __cplusplus
}
#endif

#endif /* SLUICE_SLUICE_H */
