// SPDX-License-Identifier: MIT
/* Waiting for requests: look, spin, then sleep in the kernel; and the end of a ring as its consumer sees it. */
#include "lib/ring.h"

#define SPINS_PER_CLOCK	32
#define NS_PER_MS	1000000ull
#define NS_PER_US	1000ull
#define US_PER_MS	1000

static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#endif
}

/*
 * Is there something to take (1), nothing yet (0), or is it over (-ESHUTDOWN, -EPROTO)?
 *
 * When the kernel sets DRAINING it has pushed its last request, so the queues are looked at once more after the bit was
 * seen; the full barrier inside sluice_resp_state() keeps those two looks apart. Should one slip through all the same,
 * it was never taken, and the group hands it to another ring when this one is closed.
 */
static int look(struct sluice_ring *ring)
{
	u32 state;

	if (unlikely(ring->error))
		return ring->error;
	state = READ_ONCE(*ring->state);
	if (unlikely(state & SLUICE_STATE_BROKEN))
		return -EPROTO;
	if (unlikely(state & SLUICE_STATE_GONE))
		return -ESHUTDOWN;
	if (any_ready(ring))
		return 1;
	if (likely(!(state & SLUICE_STATE_DRAINING)) || ring->outstanding)
		return 0;
	sluice_resp_state(ring->state);
	if (any_ready(ring))
		return 1;
	sluice_resp_settle(ring);
	return -ESHUTDOWN;
}

/* Nothing will ever come, and the caller holds requests: it must not be put to sleep for good. */
static bool hopeless(const struct sluice_ring *ring)
{
	return ring->outstanding && (READ_ONCE(*ring->state) & SLUICE_STATE_DRAINING);
}

/* Look until something is there or spin_us, or the caller's time, has passed; @until is U64_MAX without a limit. @now moves on. */
static int spin(struct sluice_ring *ring, u64 *now, u64 until)
{
	u64 end = ring->spin_ns > U64_MAX - *now ? U64_MAX : *now + ring->spin_ns;
	u32 i;
	int ret;

	for (;;) {
		for (i = 0; i < SPINS_PER_CLOCK; i++) {
			ret = look(ring);
			if (ret)
				return ret;
			cpu_relax();
		}
		*now = ring->io->now(ring->ctx);
		if (*now >= end || *now >= until || (until == U64_MAX && hopeless(ring)) || READ_ONCE(ring->interrupted))
			return 0;
	}
}

/* The same, unless spinning has come to nothing lately. */
static int spin_if_it_pays(struct sluice_ring *ring, u64 *now, u64 until)
{
	int ret;

	if (ring->spin_ns != U64_MAX && !spin_pays(&ring->spin))
		return 0;
	sluice_ring_flush(ring);
	ret = spin(ring, now, until);
	spin_ended(&ring->spin, ret > 0);
	return ret;
}

/* us from @now to @until for the kernel, rounded up; 0: without a limit. */
static u32 left_us(u64 now, u64 until)
{
	u64 us;

	if (until == U64_MAX)
		return 0;
	us = (until - now + NS_PER_US - 1) / NS_PER_US;
	return us > INT_MAX ? INT_MAX : (u32)us;
}

/* Sleep unless something is there, for @us at most, 0: without a limit; the time may be up early. Return: as look(), -EINTR. */
static int nap(struct sluice_ring *ring, u32 us)
{
	int ret, found;

	sluice_resp_hand_over(ring);
	sluice_rq_sleep_begin(ring->need_wakeup, &ring->ticket);
	ret = look(ring);
	if (ret) {
		sluice_rq_sleep_end(ring->need_wakeup);
		sluice_ring_flush(ring);
		return ret;
	}
	ring->stats.sleeps++;
	ring->stats.kicks += ring->owed;
	ret = ring->io->ioctl(ring->ctx, ring->fd, SLUICE_IOC_WAIT, (void *)(uintptr_t)us);
	sluice_rq_sleep_end(ring->need_wakeup);
	if (likely(ret >= 0))
		ring->owed = false;
	/* What came together with the signal goes first; the caller sees its own flag when it is through. */
	found = look(ring);
	if (unlikely(ret < 0 && found > 0))
		sluice_ring_flush(ring);
	if (unlikely(ret == -ENODEV)) /* detached, which the state says in a moment */
		ret = -ESHUTDOWN;
	return found || ret > 0 ? found : ret;
}

/* Whether the caller is to be told now that another thread called. What is answered is sent then. */
static bool interrupted(struct sluice_ring *ring)
{
	if (likely(!__atomic_load_n(&ring->interrupted, __ATOMIC_RELAXED)) ||
	    !__atomic_exchange_n(&ring->interrupted, 0, __ATOMIC_ACQUIRE))
		return false;
	sluice_ring_flush(ring);
	return true;
}

EXPORT int sluice_ring_wait(struct sluice_ring *ring, int timeout_ms)
{
	u64 now, until;
	int ret;

	sluice_resp_hand_over(ring);
	ret = look(ring);
	if (ret || !timeout_ms) {
		sluice_ring_flush(ring);
		return ret;
	}
	beat(ring);
	now = ring->io->now(ring->ctx);
	until = timeout_ms < 0 ? U64_MAX : now + (u64)timeout_ms * NS_PER_MS;
	do {
		ret = spin_if_it_pays(ring, &now, until);
		if (ret || interrupted(ring) || now >= until)
			return ret;
		if (timeout_ms < 0 && hopeless(ring)) {
			sluice_ring_flush(ring);
			return 0;
		}
		ret = nap(ring, left_us(now, until));
		if (ret || interrupted(ring))
			return ret;
		beat(ring);
		now = ring->io->now(ring->ctx);
	} while (now < until);
	return 0;
}

EXPORT int sluice_ring_nap(struct sluice_ring *ring, int timeout_ms)
{
	int ret;

	if (!timeout_ms)
		return sluice_ring_wait(ring, 0);
	if (interrupted(ring))
		return 0;
	if (unlikely(timeout_ms < 0 && hopeless(ring))) {
		sluice_ring_flush(ring);
		return 0;
	}
	beat(ring);
	ret = nap(ring, timeout_ms < 0 ? 0 : timeout_ms > INT_MAX / US_PER_MS ? INT_MAX : timeout_ms * US_PER_MS);
	if (!ret)
		interrupted(ring);
	return ret;
}

EXPORT int sluice_ring_interrupt(struct sluice_ring *ring)
{
	int ret;

	__atomic_store_n(&ring->interrupted, 1, __ATOMIC_RELEASE);
	ret = ring->io->ioctl(ring->ctx, ring->fd, SLUICE_IOC_INTERRUPT, NULL);
	return ret < 0 ? ret : 0;
}

EXPORT int sluice_ring_sleep(struct sluice_ring *ring)
{
	int ret;

	sluice_ring_flush(ring);
	sluice_rq_sleep_begin(ring->need_wakeup, &ring->ticket);
	ret = look(ring);
	if (ret)
		sluice_rq_sleep_end(ring->need_wakeup);
	return ret;
}

EXPORT void sluice_ring_wake(struct sluice_ring *ring)
{
	sluice_rq_sleep_end(ring->need_wakeup);
}
