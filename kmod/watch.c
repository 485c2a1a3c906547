// SPDX-License-Identifier: GPL-2.0-only
/*
 * The watchdog of a group's consumers: who shows no sign of life while requests lie in its ring is
 * told of, once, and passed over until it moves.
 */
#include "sluice.h"

#define LOOKS 4 /* in the time after which a consumer counts as stalled */

/* What changes when a consumer does anything. All of it is its own word or what follows from it. */
static void look(const struct sluice_ring *ring, u32 *now)
{
	u32 i;

	for (i = 0; i < SLUICE_RING_PRIOS; i++)
		now[i] = READ_ONCE(*ring->u_req_head[i]);
	now[i++] = READ_ONCE(ring->resp_head);
	now[i] = READ_ONCE(*ring->u_heartbeat);
}

static bool moved(struct sluice_ring *ring, u64 now)
{
	u32 seen[SLUICE_WATCHED];

	look(ring, seen);
	if (READ_ONCE(ring->slots.used) && !memcmp(seen, ring->seen, sizeof(seen)))
		return false;
	memcpy(ring->seen, seen, sizeof(seen));
	ring->moved_at = now;
	return true;
}

/* Take a ring that moves again back. Without memory it is tried again at the next look. */
static void resume(struct sluice_ring *ring)
{
	if (ring->aside && sluice_ring_set_aside(ring, false))
		return;
	ring->stalled = false;
	sluice_event(ring->sn, SLUICE_EVENT_RING_RESUMED, ring->group->name, ring,
		     READ_ONCE(ring->slots.used));
}

/* @stall: 0: nobody is to be told of or passed over any more */
static void watch_ring(struct sluice_group *g, struct sluice_ring *ring, u64 stall)
{
	const struct sluice_rings *set;
	u64 now = sluice_now();

	if (moved(ring, now) || !stall || now - ring->moved_at < stall) {
		if (unlikely(ring->stalled))
			resume(ring);
		return;
	}
	if (!ring->stalled) {
		ring->stalled = true;
		sluice_event(ring->sn, SLUICE_EVENT_RING_STALLED, g->name, ring,
			     READ_ONCE(ring->slots.used));
	}
	/* the last one stays: what waits for it is better off than without any */
	set = rcu_dereference_protected(g->rings, lockdep_is_held(&sluice_mutex));
	if (ring->attached && !ring->aside && set->n > 1)
		sluice_ring_set_aside(ring, true);
}

static void watch_all(struct sluice_group *g)
{
	u64 stall = sluice_group_conf(g)->stall_ns;
	struct sluice_ring *ring;
	bool more = stall;

	list_for_each_entry(ring, &g->members, member) {
		if (!ring->attached && !ring->draining)
			continue;
		watch_ring(g, ring, stall);
		more |= ring->stalled;
	}
	if (g->nmembers && more)
		schedule_delayed_work(&g->watch, nsecs_to_jiffies(stall / LOOKS) + 1);
}

/*
 * Whoever ends this work holds sluice_mutex and waits for it, so it must not wait for the mutex.
 */
static void watch_work(struct work_struct *work)
{
	struct sluice_group *g = container_of(to_delayed_work(work), struct sluice_group, watch);

	if (!mutex_trylock(&sluice_mutex)) {
		schedule_delayed_work(&g->watch, 1);
		return;
	}
	watch_all(g);
	mutex_unlock(&sluice_mutex);
}

/* A ring begins to be watched. Context: sluice_mutex is held. */
void sluice_watch_start(struct sluice_ring *ring)
{
	lockdep_assert_held(&sluice_mutex);
	ring->stalled = false;
	ring->aside = false;
	ring->moved_at = sluice_now();
	look(ring, ring->seen);
	schedule_delayed_work(&ring->group->watch, 0);
}

/* The stall time of a group was changed from @before. Context: sluice_mutex is held. */
void sluice_watch_change(struct sluice_group *g, u64 before)
{
	struct sluice_ring *ring;

	lockdep_assert_held(&sluice_mutex);
	if (before == sluice_group_conf(g)->stall_ns)
		return;
	/* nobody looked until now */
	if (!before)
		list_for_each_entry(ring, &g->members, member)
			ring->moved_at = sluice_now();
	mod_delayed_work(system_wq, &g->watch, 0);
}

void sluice_watch_init(struct sluice_group *g)
{
	INIT_DELAYED_WORK(&g->watch, watch_work);
}

/* The group has no rings any more. May sleep. */
void sluice_watch_fini(struct sluice_group *g)
{
	cancel_delayed_work_sync(&g->watch);
}
