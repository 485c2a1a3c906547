// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is measured becomes a limit: delay targets from service times, and with typed steering the
 * rings that a class may occupy from its demand.
 */
#include "sluice.h"

/* A class's policy, with the group's where it says nothing. */
static struct sluice_policy policy_of(const struct sluice_group_conf *conf, u32 class_id)
{
	struct sluice_policy p = conf->class_policy[class_id];

	p.target = p.target ?: conf->policy.target;
	p.interval = p.interval ?: conf->policy.interval;
	p.fifo = conf->policy.fifo;
	return p;
}

/**
 * sluice_limits_refresh() - derive all limits of a group anew
 * @g: group
 *
 * Context: section, without the locks of the group and its rings.
 */
void sluice_limits_refresh(struct sluice_group *g)
{
	const struct sluice_group_conf *conf = sluice_group_conf(g);
	const struct sluice_rings *set = rcu_dereference_bh(g->rings);
	struct sluice_limits limits[SLUICE_CLASSES_MAX];
	struct sluice_policy p;
	u32 i;

	memset(limits, 0, sizeof(limits));
	spin_lock(&g->lock);
	for (i = 0; i < SLUICE_CLASSES_MAX; i++) {
		const struct sluice_class *class = g->class[i];

		p = policy_of(conf, i);
		sluice_limits_set(&limits[i], &p,
				  class ? sluice_demand_service(&class->demand) : 0);
		if (class && conf->steering == SLUICE_STEERING_TYPED)
			limits[i].order = class->demand.order;
	}
	memcpy(g->backlog.limits, limits, sizeof(limits));
	spin_unlock(&g->lock);
	for (i = 0; i < set->n; i++) {
		struct sluice_ring *ring = set->ring[i];

		spin_lock(&ring->lock);
		memcpy(ring->waiting.limits, limits, sizeof(limits));
		spin_unlock(&ring->lock);
	}
}

/* The limits of its group for a ring that is about to take requests. Context: process. */
void sluice_limits_copy(struct sluice_ring *ring)
{
	struct sluice_limits limits[SLUICE_CLASSES_MAX];
	struct sluice_group *g = ring->group;

	spin_lock_bh(&g->lock);
	memcpy(limits, g->backlog.limits, sizeof(limits));
	spin_unlock_bh(&g->lock);
	spin_lock_bh(&ring->lock);
	memcpy(ring->waiting.limits, limits, sizeof(limits));
	spin_unlock_bh(&ring->lock);
}

/* Count an arrival in the demand of its class; g->lock is held. */
void __sluice_limits_arrived(struct sluice_group *g, struct sluice_class *class, u64 now)
{
	struct sluice_demand *d[SLUICE_CLASSES_MAX];
	u32 i;

	lockdep_assert_held(&g->lock);
	if (sluice_group_conf(g)->steering != SLUICE_STEERING_TYPED ||
	    !sluice_demand_arrived(&class->demand, now))
		return;
	for (i = 0; i < g->nclasses; i++)
		d[i] = &g->class[i]->demand;
	sluice_demand_caps(d, g->nclasses, rcu_dereference_bh(g->rings)->n);
	for (i = 0; i < g->nclasses; i++)
		g->backlog.limits[i].order = d[i]->order;
}

/* The classes that a ring may be given now, a bit for each; g->lock is held. */
u32 __sluice_limits_classes(const struct sluice_group *g, const struct sluice_ring *ring)
{
	const struct sluice_group_conf *conf = sluice_group_conf(g);
	u32 i, cap, mask = 0;

	lockdep_assert_held(&g->lock);
	if (conf->steering != SLUICE_STEERING_TYPED)
		return SLUICE_QUEUE_ALL;
	for (i = 0; i < g->nclasses; i++) {
		cap = conf->class_policy[i].cap ?: g->class[i]->demand.cap;
		if (!cap || ring->held[i] || g->class[i]->rings < cap)
			mask |= BIT(i);
	}
	return mask;
}

/* With typed steering: @ring is about to serve @req; g->lock is held. */
void __sluice_ring_hold(struct sluice_ring *ring, struct sluice_req *req)
{
	struct sluice_class *class = req->class;

	lockdep_assert_held(&class->group->lock);
	if (sluice_group_conf(class->group)->steering != SLUICE_STEERING_TYPED)
		return;
	req->held = true;
	if (!ring->held[class->id]++)
		class->rings++;
}

/**
 * sluice_ring_unhold() - the reverse, for requests that left the ring
 * @ring: ring
 * @class_id: their classes
 * @n: how many
 *
 * Context: section. Return: true if a class now occupies a ring less than before.
 */
bool sluice_ring_unhold(struct sluice_ring *ring, const u8 *class_id, u32 n)
{
	struct sluice_group *g = READ_ONCE(ring->group);
	bool freed = false;
	u32 i;

	if (!g)
		return false;
	spin_lock(&g->lock);
	for (i = 0; i < n; i++) {
		if (--ring->held[class_id[i]])
			continue;
		g->class[class_id[i]]->rings--;
		freed = true;
	}
	spin_unlock(&g->lock);
	return freed;
}
