// SPDX-License-Identifier: GPL-2.0-only
/* Pools: what their fast path leaves to the allocator, and their beginning and end. */
#include "pool.h"

#define KEEP_SMALL  64
#define KEEP_MEDIUM 16
#define KEEP_LARGE  16

struct sluice_pool sluice_small_blocks, sluice_medium_blocks, sluice_large_blocks;

/* Kernels that clear what is allocated leave alone what somebody constructs. */
static void construct(void *object)
{
}

/**
 * sluice_pool_init() - make a pool
 * @pool: zeroed
 * @name: of its cache in /proc/slabinfo
 * @size: bytes of an object
 * @align: of it
 * @keep: objects that each CPU keeps, an even number up to SLUICE_POOL_MAX
 *
 * Context: may sleep. Return: 0 or -ENOMEM; sluice_pool_fini() may be called either way.
 */
int sluice_pool_init(struct sluice_pool *pool, const char *name, u32 size, u32 align, u32 keep)
{
	pool->keep = keep;
	pool->mag = alloc_percpu(struct sluice_magazine);
	pool->cache = kmem_cache_create(name, size, align, 0, construct);
	return pool->mag && pool->cache ? 0 : -ENOMEM;
}

/* All objects came back, and no section of ours runs any more. Context: may sleep. */
void sluice_pool_fini(struct sluice_pool *pool)
{
	struct sluice_magazine *m;
	int cpu;

	if (pool->mag && pool->cache) {
		for_each_possible_cpu(cpu) {
			m = per_cpu_ptr(pool->mag, cpu);
			if (m->n)
				kmem_cache_free_bulk(pool->cache, m->n, m->object);
		}
	}
	free_percpu(pool->mag);
	kmem_cache_destroy(pool->cache);
	pool->mag = NULL;
	pool->cache = NULL;
}

/* A CPU's magazine is empty: fetch a quarter of what it may keep. Return: one of them, or NULL. */
void *sluice_pool_refill(struct sluice_pool *pool, struct sluice_magazine *m)
{
	u32 n = max(pool->keep / 4, 1U);

	/* all or none; how many, or whether, is what kernels differ in saying */
	if (!kmem_cache_alloc_bulk(pool->cache, GFP_ATOMIC | __GFP_NOWARN, n, m->object))
		return NULL;
	m->n = n;
	return m->object[--m->n];
}

/* It is full: give half of it back. */
void sluice_pool_spill(struct sluice_pool *pool, struct sluice_magazine *m)
{
	m->n = pool->keep / 2;
	kmem_cache_free_bulk(pool->cache, m->n, &m->object[m->n]);
}

/* Return: 0 or -ENOMEM. Context: may sleep. */
int sluice_blocks_init(void)
{
	int err = sluice_pool_init(&sluice_small_blocks, "sluice_small_block", SLUICE_BLOCK_SMALL,
				   sizeof(u64), KEEP_SMALL);

	if (!err)
		err = sluice_pool_init(&sluice_medium_blocks, "sluice_medium_block",
				       SLUICE_BLOCK_MEDIUM, sizeof(u64), KEEP_MEDIUM);
	if (!err)
		err = sluice_pool_init(&sluice_large_blocks, "sluice_large_block",
				       SLUICE_BLOCK_LARGE, sizeof(u64), KEEP_LARGE);
	if (err)
		sluice_blocks_fini();
	return err;
}

/* No request and no connection is left. */
void sluice_blocks_fini(void)
{
	sluice_pool_fini(&sluice_large_blocks);
	sluice_pool_fini(&sluice_medium_blocks);
	sluice_pool_fini(&sluice_small_blocks);
}
