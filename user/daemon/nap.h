/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a worker sleeps: an epoll instance with its event, its ring, its handler's descriptor and a clock. */
#ifndef SLUICED_NAP_H
#define SLUICED_NAP_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/sluice.h>

/**
 * struct nap - what is watched
 * @ring: whose descriptor is; NULL: none's
 * @handler: the handler's descriptor, or -1
 */
struct nap {
	int epoll;
	int clock;
	int handler;
	int ring_fd;
	const struct sluice_ring *ring;
};

/**
 * nap_open() - make one
 * @n: filled in
 * @event: eventfd, readable when the worker is asked for
 * @tick_ns: the clock ends a sleep that often
 *
 * Return: 0 or -errno; nothing is open then.
 */
int nap_open(struct nap *n, int event, uint64_t tick_ns);
void nap_close(struct nap *n);
/* Watch it no longer: a descriptor is about to be closed, and its number may come back as another. */
void nap_forget_ring(struct nap *n, const struct sluice_ring *ring);
void nap_forget_handler(struct nap *n);

/**
 * nap_sleep() - sleep until something comes
 * @n: see above
 * @ring: to be woken by; it said that it may sleep; NULL: by none
 * @handler: descriptor to be woken by, or -1
 * @ms: at most, -1: until the clock's next tick
 * @ticked: set to true if it ticked, else left as it is
 *
 * Return: whether @event is readable.
 */
bool nap_sleep(struct nap *n, const struct sluice_ring *ring, int handler, int ms, bool *ticked);

#endif /* SLUICED_NAP_H */
