/* SPDX-License-Identifier: GPL-2.0-only */
/* A consumer's sleep in SLUICE_IOC_WAIT, and what ends it. */
#ifndef SLUICE_NAP_H
#define SLUICE_NAP_H

#include <linux/hrtimer.h>

struct sluice_ring;

/**
 * struct sluice_nap - what a sleep needs beside the ring's wait queue
 * @timer: ends a sleep that has a time limit; it runs on when something else ended that, so that
 *	few sleeps start it
 * @armed_us: how long after its start it goes off; 0: start it. It runs while this is not 0
 * @calls: bits: SLUICE_IOC_INTERRUPT was called; the timer went off. The next sleep takes them
 * @drain_told: a sleep has ended since the ring drains
 */
struct sluice_nap {
	struct hrtimer timer;
	u32 armed_us;
	unsigned long calls;
	bool drain_told;
};

void sluice_nap_init(struct sluice_nap *nap);
void sluice_nap_fini(struct sluice_nap *nap);
int sluice_nap_wait(struct sluice_ring *ring, unsigned long us);
int sluice_nap_interrupt(struct sluice_ring *ring);

#endif
