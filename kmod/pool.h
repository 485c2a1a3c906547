/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that comes and goes with each request: a few free objects of one size per CPU, so that one
 * costs a pointer move instead of a call of the allocator. What is in them is not cleared. Under
 * KASAN each object is the allocator's, so that a use after free shows; with PREEMPT_RT too, where
 * disabled bottom halves need not keep others off this CPU's.
 */
#ifndef SLUICE_POOL_H
#define SLUICE_POOL_H

#include <linux/percpu.h>
#include <linux/slab.h>

#define SLUICE_POOL_MAX 64

struct sluice_magazine {
	u32 n;
	void *object[SLUICE_POOL_MAX];
};

struct sluice_pool {
	struct kmem_cache *cache;
	struct sluice_magazine __percpu *mag;
	u32 keep; /* objects that a CPU keeps, an even number up to SLUICE_POOL_MAX */
};

/*
 * Blocks of bytes, of messages and of replies. With the allocator's own word behind them they are
 * 512, 2048 and 4096 bytes.
 */
#define SLUICE_BLOCK_SMALL  504U
#define SLUICE_BLOCK_MEDIUM 2040U
#define SLUICE_BLOCK_LARGE  4088U

extern struct sluice_pool sluice_small_blocks, sluice_medium_blocks, sluice_large_blocks;

int sluice_blocks_init(void);
void sluice_blocks_fini(void);

static inline bool sluice_pool_direct(void)
{
	return IS_ENABLED(CONFIG_KASAN) || IS_ENABLED(CONFIG_PREEMPT_RT);
}

int sluice_pool_init(struct sluice_pool *pool, const char *name, u32 size, u32 align, u32 keep);
void sluice_pool_fini(struct sluice_pool *pool);
void *sluice_pool_refill(struct sluice_pool *pool, struct sluice_magazine *m);
void sluice_pool_spill(struct sluice_pool *pool, struct sluice_magazine *m);

/* Context: bottom halves disabled. Return: an object, not cleared, or NULL. */
static inline void *sluice_pool_get(struct sluice_pool *pool)
{
	struct sluice_magazine *m;

	if (sluice_pool_direct())
		return kmem_cache_alloc(pool->cache, GFP_ATOMIC | __GFP_NOWARN);
	m = this_cpu_ptr(pool->mag);
	if (unlikely(!m->n))
		return sluice_pool_refill(pool, m);
	return m->object[--m->n];
}

/* Context: bottom halves disabled. */
static inline void sluice_pool_put(struct sluice_pool *pool, void *object)
{
	struct sluice_magazine *m;

	if (sluice_pool_direct()) {
		kmem_cache_free(pool->cache, object);
		return;
	}
	m = this_cpu_ptr(pool->mag);
	if (unlikely(m->n == pool->keep))
		sluice_pool_spill(pool, m);
	m->object[m->n++] = object;
}

/* frame_mem.c */
#define SLUICE_FRAME_MEMORY_MAX SZ_32K
void *sluice_frame_memory(u32 size);
void sluice_frame_memory_fini(void);

#endif /* SLUICE_POOL_H */
