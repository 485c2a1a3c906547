// SPDX-License-Identifier: MIT
/* The layout of a ring: checks what the kernel says, then points the ring into its mappings. */
#include "lib/ring.h"

static bool power_of_two(u32 n)
{
	return n && !(n & (n - 1));
}

/* A naturally aligned u32 inside the region? */
static bool holds_u32(const struct sluice_ring_region *r, u32 offset)
{
	return !(offset & 3) && r->len >= 4 && offset <= r->len - 4;
}

static int check_pages(const struct sluice_ring_map *map)
{
	u32 p;

	for (p = 0; p < SLUICE_RING_PRIOS; p++) {
		if (!holds_u32(&map->kernel, map->req_tail[p]) || !holds_u32(&map->user, map->req_head[p]))
			return -EPROTO;
	}
	if (!holds_u32(&map->kernel, map->resp_head) || !holds_u32(&map->kernel, map->state) ||
	    !holds_u32(&map->user, map->resp_tail) || !holds_u32(&map->user, map->need_wakeup) ||
	    !holds_u32(&map->user, map->heartbeat))
		return -EPROTO;
	return 0;
}

/* Slots of one size: inside the region, numbered on from @first, at least as large as asked for. */
static int check_slots(const struct sluice_ring_map *map, u32 g, u32 first, u32 size, u32 count)
{
	u64 stride = map->slot_stride[g];

	if (map->slot_count[g] != count)
		return -EPROTO;
	if (!count)
		return 0;
	if (map->slot_first[g] != first || stride < (u64)SLOT_HEADER + size || (stride & 63) ||
	    (map->slot_offset[g] & 63) || map->slot_offset[g] > map->slots.len ||
	    stride * count > map->slots.len - map->slot_offset[g])
		return -EPROTO;
	return 0;
}

/**
 * sluice_map_check() - can the library work with this layout without leaving its mappings?
 * @map: what the kernel gave
 * @setup: what it was asked for
 *
 * Return: 0 or -EPROTO.
 */
int sluice_map_check(const struct sluice_ring_map *map, const struct sluice_ring_setup *setup)
{
	u64 total = 0;
	u32 c;

	if (check_pages(map))
		return -EPROTO;
	for (c = 0; c < SLUICE_RING_CLASSES; c++) {
		if (check_slots(map, c, (u32)total, setup->classes[c].slot_size, setup->classes[c].slots))
			return -EPROTO;
		total += setup->classes[c].slots;
		if (total > SLUICE_RING_SLOTS_MAX)
			return -EPROTO;
	}
	if (check_slots(map, SLUICE_RING_CLASSES, (u32)total, setup->reply_size, setup->reply_slots))
		return -EPROTO;
	if (!power_of_two(map->req_entries) || map->req_entries < total ||
	    (u64)map->req_entries * sizeof(u32) * SLUICE_RING_PRIOS > map->requests.len)
		return -EPROTO;
	if (!power_of_two(map->resp_entries) ||
	    (u64)map->resp_entries * sizeof(struct sluice_response) > map->responses.len)
		return -EPROTO;
	return 0;
}

/* Point the ring into its mappings; the layout was checked. Regions are in the order of struct sluice_ring_map. */
void sluice_map_apply(struct sluice_ring *ring, const struct sluice_ring_map *map, const struct sluice_ring_setup *setup)
{
	u8 *kernel = ring->region[0].addr;
	u8 *user = ring->region[1].addr;
	const u32 *requests = ring->region[2].addr;
	u32 i;

	for (i = 0; i < SLUICE_RING_PRIOS; i++) {
		ring->req_tail[i] = (const u32 *)(kernel + map->req_tail[i]);
		ring->req_head[i] = (u32 *)(user + map->req_head[i]);
		ring->req_entry[i] = requests + (size_t)i * map->req_entries;
	}
	ring->req_mask = map->req_entries - 1;
	ring->resp_head = (const u32 *)(kernel + map->resp_head);
	ring->state = (const u32 *)(kernel + map->state);
	ring->resp_tail = (u32 *)(user + map->resp_tail);
	ring->need_wakeup = (u32 *)(user + map->need_wakeup);
	ring->heartbeat = (u32 *)(user + map->heartbeat);
	ring->resp = ring->region[3].addr;
	ring->resp_mask = map->resp_entries - 1;
	ring->space = map->resp_entries;
	for (i = 0; i < GROUPS; i++) {
		struct slot_group *g = &ring->group[i];

		if (!map->slot_count[i])
			continue;
		g->base = (u8 *)ring->region[4].addr + map->slot_offset[i];
		g->first = map->slot_first[i];
		g->count = map->slot_count[i];
		g->stride = map->slot_stride[i];
		g->room = i < SLUICE_RING_CLASSES ? setup->classes[i].slot_size : setup->reply_size;
		if (i < SLUICE_RING_CLASSES)
			ring->nslots += g->count;
	}
	ring->nreplies = map->slot_count[SLUICE_RING_CLASSES];
}
