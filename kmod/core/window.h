/* SPDX-License-Identifier: GPL-2.0-only */
/* A ring's window: how much work a consumer is given ahead. */
#ifndef SLUICE_CORE_WINDOW_H
#define SLUICE_CORE_WINDOW_H

#include "port.h"

/*
 * What is published cannot be taken back, so a ring is given just enough for its consumer not to
 * run dry before the kernel looks again. The measure is expected work in ns, not a number: one
 * request of 5 ms fills a window that a thousand short ones fit in. As dynamic queue limits do, the
 * window grows when the consumer stood idle although something waited, by as long as it did, and
 * gives back half of what was never needed within a period. It begins deep: a window that is not
 * full costs nothing.
 */
#define SLUICE_WINDOW_PERIOD 10000000ULL /* ns */
#define SLUICE_WINDOW_IDLE   32 /* a share of 1 in 32 of idle time is worth no deeper queue */
#define SLUICE_WINDOW_START   64000ULL /* ns */
#define SLUICE_WINDOW_MAX    1000000000ULL
#define SLUICE_WINDOW_OFF    U64_MAX /* no limit */
#define SLUICE_COST_UNKNOWN  1000    /* ns: work in a request of a class not measured yet */

struct sluice_window {
	u64 limit; /* ns of work published and unanswered; one request fits always */
	u64 spare; /* least work that was left when the kernel looked, in this period */
	u64 until; /* end of the period */
};

static inline void sluice_window_init(struct sluice_window *w, bool fixed)
{
	WRITE_ONCE(w->limit, fixed ? SLUICE_WINDOW_OFF : SLUICE_WINDOW_START);
	w->spare = U64_MAX;
	w->until = 0;
}

static inline bool sluice_window_room(const struct sluice_window *w, u64 work)
{
	return work < w->limit;
}

/**
 * sluice_window_collected() - the kernel took answers of the ring; before it publishes more
 * @w: window
 * @done: work in them, ns
 * @left: work published and unanswered, ns
 * @idle: how long the consumer had nothing to do, ns
 * @held: something waits for room in the window
 * @now: ns
 */
static inline void sluice_window_collected(struct sluice_window *w, u64 done, u64 left, u64 idle,
					   bool held, u64 now)
{
	u64 limit = w->limit;

	if (limit == SLUICE_WINDOW_OFF || !held)
		return;
	if (!left) {
		w->spare = U64_MAX;
		w->until = now + SLUICE_WINDOW_PERIOD;
		if (idle * SLUICE_WINDOW_IDLE <= done)
			return;
		if (limit < done)
			limit = done;
		limit += idle < limit ? idle : limit;
		WRITE_ONCE(w->limit, limit < SLUICE_WINDOW_MAX ? limit : SLUICE_WINDOW_MAX);
		return;
	}
	if (left < w->spare)
		w->spare = left;
	if (now < w->until)
		return;
	/* it may exceed the limit: the last request that was let in may be a long one */
	WRITE_ONCE(w->limit, w->spare / 2 < limit ? limit - w->spare / 2 : 1);
	w->spare = U64_MAX;
	w->until = now + SLUICE_WINDOW_PERIOD;
}

#endif /* SLUICE_CORE_WINDOW_H */
