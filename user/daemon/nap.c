// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sleeping in epoll: what is watched is registered once, where poll would register it, arm a timer and take all back each
 * time. The ring is watched for changes: it tells of each sleep's end once.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "nap.h"

enum { EVENT, HANDLER, RING, CLOCK, SOURCES };

static int watch(const struct nap *n, int fd, uint32_t source, uint32_t mode)
{
	struct epoll_event e = { .events = EPOLLIN | mode, .data.u32 = source };

	return epoll_ctl(n->epoll, EPOLL_CTL_ADD, fd, &e) ? -errno : 0;
}

static void unwatch(const struct nap *n, int fd)
{
	epoll_ctl(n->epoll, EPOLL_CTL_DEL, fd, NULL);
}

static int start_clock(const struct nap *n, uint64_t tick_ns)
{
	struct timespec each = { .tv_sec = (time_t)(tick_ns / 1000000000), .tv_nsec = (long)(tick_ns % 1000000000) };
	struct itimerspec when = { .it_interval = each, .it_value = each };

	return timerfd_settime(n->clock, 0, &when, NULL) ? -errno : 0;
}

int nap_open(struct nap *n, int event, uint64_t tick_ns)
{
	int err;

	n->ring = NULL;
	n->handler = -1;
	n->clock = -1;
	n->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (n->epoll < 0)
		return -errno;
	n->clock = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	err = n->clock < 0 ? -errno : start_clock(n, tick_ns);
	if (!err)
		err = watch(n, event, EVENT, 0);
	if (!err)
		err = watch(n, n->clock, CLOCK, 0);
	if (err)
		nap_close(n);
	return err;
}

void nap_close(struct nap *n)
{
	close(n->epoll);
	if (n->clock >= 0)
		close(n->clock);
}

void nap_forget_ring(struct nap *n, const struct sluice_ring *ring)
{
	if (!ring || n->ring != ring)
		return;
	unwatch(n, n->ring_fd);
	n->ring = NULL;
}

void nap_forget_handler(struct nap *n)
{
	if (n->handler >= 0)
		unwatch(n, n->handler);
	n->handler = -1;
}

/*
 * Watch these two and no others. Both are forgotten before either is watched: a number may have become the other's.
 * False: that cannot be done now.
 */
static bool settle(struct nap *n, const struct sluice_ring *ring, int handler)
{
	bool all = true;

	if (n->handler != handler)
		nap_forget_handler(n);
	if (n->ring != ring) {
		nap_forget_ring(n, n->ring);
		n->ring_fd = ring ? sluice_ring_fd(ring) : -1;
		if (ring && watch(n, n->ring_fd, RING, EPOLLRDHUP | EPOLLET))
			all = false;
		else
			n->ring = ring;
	}
	if (n->handler != handler) {
		if (watch(n, handler, HANDLER, 0))
			all = false;
		else
			n->handler = handler;
	}
	return all;
}

bool nap_sleep(struct nap *n, const struct sluice_ring *ring, int handler, int ms, bool *ticked)
{
	struct epoll_event e[SOURCES];
	bool called = false;
	uint64_t ticks;
	ssize_t ret;
	int i, ready;

	if (!settle(n, ring, handler))
		ms = 1; /* it is looked at instead */
	ready = epoll_wait(n->epoll, e, SOURCES, ms);
	for (i = 0; i < ready; i++) {
		if (e[i].data.u32 == EVENT)
			called = true;
		if (e[i].data.u32 != CLOCK)
			continue;
		*ticked = true;
		/* it runs on when it is read only */
		ret = read(n->clock, &ticks, sizeof(ticks));
		(void)ret;
	}
	return called;
}
