/* SPDX-License-Identifier: GPL-2.0-only */
/* Small steps that each request takes, inline: calling them would cost more than what they do. */
#ifndef SLUICE_HOT_H
#define SLUICE_HOT_H

/* The current configuration, for holders of sluice_mutex and RCU readers. */
static inline const struct sluice_group_conf *sluice_group_conf(const struct sluice_group *g)
{
	return rcu_dereference_check(g->conf,
				     lockdep_is_held(&sluice_mutex) || rcu_read_lock_bh_held());
}

/* The kernel's address of a slot, or reply slot, of which the number was checked. */
static inline struct sluice_slot *sluice_ring_slot(const struct sluice_ring *ring, u32 slot)
{
	u32 c = slot < ring->slots.total ? ring->slots.class_of[slot] : SLUICE_RING_CLASSES;

	return ring->mem.base + ring->map.slots.offset + ring->map.slot_offset[c] +
	       (u64)(slot - ring->map.slot_first[c]) * ring->map.slot_stride[c];
}

/* ns as a request or a slot's header has them. */
static inline u32 sluice_stamp(u64 ns)
{
	return min_t(u64, ns, U32_MAX);
}

/* Count a request as received by a class, and so by its group. Context: section. */
static inline void sluice_req_grouped(struct sluice_req *req, struct sluice_class *class)
{
	req->class = class;
	this_cpu_inc(class->cnt->received);
}

/* Connection of a request, as the slot header says; 0: none. */
static inline u64 sluice_req_conn(const struct sluice_req *req)
{
	return req->kind == SLUICE_REQ_KIND_TCP ? sluice_conn_id(req->conn) : 0;
}

/*
 * Make a request independent of device, route, connection tracking and security path, as it may
 * stay for long. A shared buffer was made so at once, for all of its requests. Context: section.
 */
static inline void sluice_req_detach(struct sluice_req *req)
{
	if (req->kind == SLUICE_REQ_KIND_UDP && !req->shared)
		sluice_skb_detach(req->skb);
}

/* Whether a request that finds no room can stay in its stream, which is paused. */
static inline bool sluice_req_can_stay(const struct sluice_req *req)
{
	return req->kind == SLUICE_REQ_KIND_TCP && !req->returned;
}

/*
 * sluice_group_submit() of a request straight from its socket: most groups steer by hash, and have
 * a ring.
 */
static __always_inline int sluice_group_submit_fresh(struct sluice_group *g, struct sluice_req *req)
{
	const struct sluice_rings *set = rcu_dereference_bh(g->rings);
	int err;

	if (unlikely(!set->n) || sluice_group_conf(g)->steering != SLUICE_STEERING_HASH)
		return sluice_group_submit(g, req, true);
	sluice_req_detach(req);
	err = sluice_ring_offer(set->ring[sluice_hash_reduce(req->hash, set->n)], req, true,
				req->arrival);
	return likely(!err) ? 0 : sluice_group_unplaced(g, req, err);
}

/**
 * sluice_ring_pull() - after slots became free: publish what waits for them
 * @ring: the caller keeps it alive
 *
 * Context: section. Bounded by the room in the ring and by what is refused on the way.
 */
static inline void sluice_ring_pull(struct sluice_ring *ring)
{
	struct sluice_group *g = READ_ONCE(ring->group);

	if (unlikely(!g))
		return;
	if (unlikely(READ_ONCE(ring->waiting.q.n)))
		__sluice_ring_pull(ring, g);
	sluice_room_made(); /* B2 */
	if (unlikely(READ_ONCE(g->backlog.q.n)) && !READ_ONCE(ring->closed))
		sluice_backlog_feed(g, ring);
	sluice_conn_resume(g);
}

/* A request was published: after the full barrier W1. Context: section. */
static inline void sluice_tx_published(struct sluice_ring *ring)
{
	if (unlikely(READ_ONCE(ring->tx_sleeping)))
		__sluice_tx_published(ring);
}

#endif /* SLUICE_HOT_H */
