// SPDX-License-Identifier: GPL-2.0-only
/*
 * A consumer's sleep: one call hands over what it has answered and waits for requests, without
 * poll's or epoll's registration and second look. No timer is started and taken back for each.
 */
#include <linux/sched/signal.h>

#include "sluice.h"

enum { CALL_INTERRUPTED, CALL_TIME };

static void call(struct sluice_ring *ring, int bit)
{
	set_bit(bit, &ring->nap.calls);
	wake_up_interruptible(&ring->wq);
}

/* armed_us first: a sleep that finds the timer over starts it again. */
static enum hrtimer_restart time_over(struct hrtimer *timer)
{
	struct sluice_ring *ring = container_of(timer, struct sluice_ring, nap.timer);

	WRITE_ONCE(ring->nap.armed_us, 0);
	call(ring, CALL_TIME);
	return HRTIMER_NORESTART;
}

void sluice_nap_init(struct sluice_nap *nap)
{
	sluice_hrtimer_setup(&nap->timer, time_over, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
}

/* Nobody sleeps any more, nor will. May sleep. */
void sluice_nap_fini(struct sluice_nap *nap)
{
	hrtimer_cancel(&nap->timer);
}

/*
 * See to it that the timer goes off within @us from now, 0: whenever. If it was started with as
 * much or less, it will. If it goes off while it is started again here, armed_us may be 0 although
 * it runs: then the next sleep starts it once more.
 */
static void arm(struct sluice_nap *nap, u32 us)
{
	u32 armed = READ_ONCE(nap->armed_us);

	if (!us || (armed && armed <= us))
		return;
	WRITE_ONCE(nap->armed_us, us);
	hrtimer_start(&nap->timer, ns_to_ktime((u64)us * NSEC_PER_USEC), HRTIMER_MODE_REL_SOFT);
}

static bool requests(const struct sluice_ring *ring)
{
	u32 p;

	for (p = 0; p < SLUICE_RING_PRIOS; p++)
		if (READ_ONCE(*ring->k_req_tail[p]) != READ_ONCE(*ring->u_req_head[p]))
			return true;
	return false;
}

/*
 * That the ring drains ends one sleep, so that a consumer with requests in its hands hears of it;
 * without any it is drained, and shall not sleep.
 */
static bool drains(struct sluice_ring *ring, u32 state)
{
	bool told = READ_ONCE(ring->nap.drain_told);

	if (likely(!(state & SLUICE_STATE_DRAINING)))
		return false;
	WRITE_ONCE(ring->nap.drain_told, true);
	return !told || !READ_ONCE(ring->slots.used);
}

/* Return: SLUICE_WAIT_*, or -EAGAIN: nothing ends the sleep. */
static int look(struct sluice_ring *ring)
{
	u32 state = READ_ONCE(ring->state);

	if (requests(ring) || state & (SLUICE_STATE_BROKEN | SLUICE_STATE_GONE) ||
	    drains(ring, state))
		return SLUICE_WAIT_READY;
	if (likely(!READ_ONCE(ring->nap.calls)))
		return -EAGAIN;
	if (test_and_clear_bit(CALL_INTERRUPTED, &ring->nap.calls))
		return SLUICE_WAIT_INTERRUPTED;
	return test_and_clear_bit(CALL_TIME, &ring->nap.calls) ? SLUICE_WAIT_TIME : -EAGAIN;
}

/**
 * sluice_nap_wait() - hand over what was answered, then sleep until there is something to look at
 * @ring: ring of an open file
 * @us: microseconds at most, 0: without a limit; more than U32_MAX: that
 *
 * A response is handed over if the ring asks for kicks. The time may be up early: once for a sleep
 * that had a shorter limit and was ended by something else.
 *
 * Context: process. Return: SLUICE_WAIT_*; -EINVAL not set up; -EINTR, -ERESTARTNOHAND a signal;
 * errors as sluice_tx_kick().
 */
int sluice_nap_wait(struct sluice_ring *ring, unsigned long us)
{
	u32 limit = min_t(unsigned long, us, U32_MAX);
	DEFINE_WAIT(wait);
	int ret;

	if (!sluice_flag_test(&ring->ready))
		return -EINVAL;
	if (sluice_tx_wanted(ring)) {
		ret = sluice_tx_kick(ring);
		if (ret < 0)
			return ret;
	}
	for (;;) {
		prepare_to_wait(&ring->wq, &wait, TASK_INTERRUPTIBLE);
		sluice_rq_wake_spent(&ring->woken);
		ret = look(ring);
		if (ret != -EAGAIN)
			break;
		ret = -ERESTARTNOHAND;
		if (signal_pending(current))
			break;
		arm(&ring->nap, limit);
		schedule();
	}
	finish_wait(&ring->wq, &wait);
	return ret;
}

/* End the sleep that goes on, else the next. Context: process. Return: 0; -EINVAL not set up. */
int sluice_nap_interrupt(struct sluice_ring *ring)
{
	if (!sluice_flag_test(&ring->ready))
		return -EINVAL;
	call(ring, CALL_INTERRUPTED);
	return 0;
}
