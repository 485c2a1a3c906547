// SPDX-License-Identifier: MIT
/* Life of a ring: from configuration through mapping to close. */
#include <stdlib.h>

#include "lib/ring.h"

#define DEFAULT_DEVICE		"/dev/sluice"
#define DEFAULT_SLOTS		1024
#define DEFAULT_SLOT_SIZE	2048
#define DEFAULT_SPIN_US		50

/* Callers built against an older header give a shorter structure, newer ones may give more than is known here. */
static int copy_config(struct sluice_ring_config *out, const struct sluice_ring_config *in)
{
	const char *bytes = (const char *)in;
	size_t i;

	memset(out, 0, sizeof(*out));
	if (!in || in->size < offsetof(struct sluice_ring_config, device))
		return -EINVAL;
	for (i = sizeof(*out); i < in->size; i++) {
		if (bytes[i])
			return -EINVAL;
	}
	memcpy(out, in, in->size < sizeof(*out) ? in->size : sizeof(*out));
	if (!out->device)
		out->device = DEFAULT_DEVICE;
	if (!out->slots[0].count && !out->slots[0].size) {
		out->slots[0].count = DEFAULT_SLOTS;
		out->slots[0].size = DEFAULT_SLOT_SIZE;
	}
	if (!out->spin_us)
		out->spin_us = DEFAULT_SPIN_US;
	return 0;
}

static int fill_setup(struct sluice_ring_setup *setup, const struct sluice_ring_config *config)
{
	static const u32 tx_flag[] = {
		[SLUICE_TX_ADAPTIVE] = SLUICE_RING_TX_ADAPTIVE,
		[SLUICE_TX_THREAD] = SLUICE_RING_TX_THREAD,
		[SLUICE_TX_KICK] = SLUICE_RING_TX_KICK,
	};
	size_t len = config->group ? strlen(config->group) : 0;
	u32 i;

	memset(setup, 0, sizeof(*setup));
	if (!len || len >= sizeof(setup->group) || (u32)config->tx >= sizeof(tx_flag) / sizeof(tx_flag[0]) ||
	    config->tx_cpu > INT_MAX)
		return -EINVAL;
	setup->abi = SLUICE_RING_ABI;
	setup->flags = tx_flag[config->tx];
	memcpy(setup->group, config->group, len);
	for (i = 0; i < SLUICE_RING_CLASSES; i++) {
		setup->classes[i].slot_size = config->slots[i].count ? config->slots[i].size : 0;
		setup->classes[i].slots = config->slots[i].count;
	}
	setup->reply_slots = config->reply_slots;
	setup->reply_size = config->reply_slots ? config->reply_size : 0;
	setup->tx_cpu = (int32_t)config->tx_cpu - 1;
	setup->tx_idle_us = config->tx_idle_us;
	return 0;
}

static void unmap_all(struct sluice_ring *ring)
{
	u32 i;

	for (i = 0; i < sizeof(ring->region) / sizeof(ring->region[0]); i++) {
		if (ring->region[i].addr)
			ring->io->unmap(ring->ctx, ring->region[i].addr, ring->region[i].len);
		ring->region[i].addr = NULL;
	}
}

static int map_all(struct sluice_ring *ring, const struct sluice_ring_map *map)
{
	const struct {
		struct sluice_ring_region where;
		int writable;
	} want[] = {
		{ map->kernel, 0 }, { map->user, 1 }, { map->requests, 0 }, { map->responses, 1 }, { map->slots, 1 },
	};
	int err;
	u32 i;

	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		err = ring->io->map(ring->ctx, ring->fd, want[i].where.offset, want[i].where.len, want[i].writable,
				    &ring->region[i].addr);
		if (err) {
			unmap_all(ring);
			return err;
		}
		ring->region[i].len = want[i].where.len;
	}
	return 0;
}

static void free_tables(struct sluice_ring *ring)
{
	free(ring->taken);
	free(ring->reply_free);
	free(ring->reply_state);
	free(ring->flying);
	free(ring);
}

/* Tables for slots; sizes come from the checked layout. */
static int alloc_tables(struct sluice_ring *ring)
{
	u32 i;

	ring->taken = calloc(ring->nslots, sizeof(*ring->taken));
	if (!ring->taken)
		return -ENOMEM;
	if (!ring->nreplies)
		return 0;
	ring->reply_free = calloc(ring->nreplies, sizeof(*ring->reply_free));
	ring->reply_state = calloc(ring->nreplies, sizeof(*ring->reply_state));
	ring->flying = calloc(ring->nreplies, sizeof(*ring->flying));
	if (!ring->reply_free || !ring->reply_state || !ring->flying)
		return -ENOMEM;
	for (i = 0; i < ring->nreplies; i++)
		ring->reply_free[i] = ring->nreplies - 1 - i;
	ring->nfree = ring->nreplies;
	return 0;
}

static int set_up(struct sluice_ring *ring, struct sluice_ring_setup *setup)
{
	struct sluice_ring_setup asked = *setup;
	int wait, err;

	/* it refuses a ring that is not set up, if it is there: a consumer shall not find out when it first sleeps */
	wait = ring->io->ioctl(ring->ctx, ring->fd, SLUICE_IOC_WAIT, (void *)(uintptr_t)1);
	err = ring->io->ioctl(ring->ctx, ring->fd, SLUICE_IOC_SETUP, setup);
	if (err < 0)
		return err;
	if (wait < 0 && wait != -EINVAL)
		return wait == -ENOTTY ? -EPROTO : wait;
	err = sluice_map_check(&setup->map, &asked);
	if (err)
		return err;
	err = map_all(ring, &setup->map);
	if (err)
		return err;
	sluice_map_apply(ring, &setup->map, &asked);
	ring->id = setup->ring;
	err = alloc_tables(ring);
	if (err)
		unmap_all(ring);
	return err;
}

int sluice_ring_open_io(struct sluice_ring **out, const struct sluice_ring_config *given,
			const struct sluice_io *io, void *ctx)
{
	struct sluice_ring_config config;
	struct sluice_ring_setup setup;
	struct sluice_ring *ring;
	int err;

	*out = NULL;
	err = copy_config(&config, given);
	if (!err)
		err = fill_setup(&setup, &config);
	if (err)
		return err;
	ring = calloc(1, sizeof(*ring));
	if (!ring)
		return -ENOMEM;
	ring->io = io;
	ring->ctx = ctx;
	ring->spin_ns = config.spin_us == UINT32_MAX ? U64_MAX : (u64)config.spin_us * 1000;
	ring->fd = io->open(ctx, config.device);
	if (ring->fd < 0) {
		/* ENOENT is left to mean the group */
		err = ring->fd == -ENOENT ? -ENODEV : ring->fd;
		goto free;
	}
	err = set_up(ring, &setup);
	if (err)
		goto close;
	*out = ring;
	return 0;
close:
	io->close(ctx, ring->fd);
free:
	free_tables(ring);
	return err;
}

EXPORT int sluice_ring_open(struct sluice_ring **ring, const struct sluice_ring_config *config)
{
	return sluice_ring_open_io(ring, config, &sluice_io_system, NULL);
}

EXPORT int sluice_ring_attach(struct sluice_ring *ring)
{
	int ret = ring->io->ioctl(ring->ctx, ring->fd, SLUICE_IOC_ATTACH, NULL);

	return ret < 0 ? ret : 0;
}

EXPORT int sluice_ring_drain(struct sluice_ring *ring)
{
	int ret = ring->io->ioctl(ring->ctx, ring->fd, SLUICE_IOC_DRAIN, NULL);

	return ret < 0 ? ret : 0;
}

EXPORT void sluice_ring_close(struct sluice_ring *ring)
{
	if (!ring)
		return;
	sluice_resp_settle(ring);
	unmap_all(ring);
	ring->io->close(ring->ctx, ring->fd);
	free_tables(ring);
}

EXPORT int sluice_ring_fd(const struct sluice_ring *ring)
{
	return ring->fd;
}

EXPORT uint32_t sluice_ring_id(const struct sluice_ring *ring)
{
	return ring->id;
}

EXPORT void sluice_ring_stats(const struct sluice_ring *ring, struct sluice_ring_stats *stats)
{
	*stats = ring->stats;
	stats->responses += ring->tail - ring->published;
}

EXPORT uint64_t sluice_ring_now(const struct sluice_ring *ring)
{
	return ring->now;
}
