/* SPDX-License-Identifier: GPL-2.0-only */
/* The store's arena: chunks, chains of chunks, and which are free; internal to the store. */
#ifndef SLUICE_HANDLERS_KV_CHUNK_H
#define SLUICE_HANDLERS_KV_CHUNK_H

#include <string.h>

#include "kv_store.h"

#define KV_NIL		0		/* chunk 0 is never used */
#define KV_BODY_DATA	(KV_CHUNK - 4)
#define KV_HEAD_DATA	(KV_CHUNK - KV_ITEM_HEADER)

/* State of a chunk, one byte each: heads carry the use count. */
#define KV_CHUNK_FREE	0x00		/* on the free list, never used, or an item's second and later ones */
#define KV_CHUNK_HEAD	0x80
#define KV_CHUNK_USES	0x03

struct kv_body {
	uint32_t next;
	char data[KV_BODY_DATA];
};

/**
 * struct kv_arena - the chunks
 * @chunk: all of them
 * @state: KV_CHUNK_*
 * @count: chunks, with chunk 0
 * @fresh: the first that was never used: the kernel has not given it memory yet
 * @free: list of those given back
 * @nfree: length of the list and number of fresh ones
 */
struct kv_arena {
	struct kv_body *chunk;
	uint8_t *state;
	uint32_t count;
	uint32_t fresh;
	uint32_t free;
	uint32_t nfree;
};

int kv_arena_init(struct kv_arena *a, uint32_t count);
void kv_arena_fini(struct kv_arena *a);
/* A chain of @n chunks as an item with @next and @tail set; the caller made sure that nfree >= @n. */
struct kv_item *kv_arena_take(struct kv_arena *a, uint32_t n);
void kv_arena_give(struct kv_arena *a, struct kv_item *it);
/* Copy between memory and an item's data (key, then value). */
void kv_chain_read(const struct kv_arena *a, const struct kv_item *it, uint32_t off, void *to, uint32_t n);
void kv_chain_write(struct kv_arena *a, struct kv_item *it, uint32_t off, const void *from, uint32_t n);
void kv_chain_copy(struct kv_arena *a, struct kv_item *to, uint32_t to_off, const struct kv_arena *from_arena,
		   const struct kv_item *from, uint32_t from_off, uint32_t n);
bool kv_chain_equal(const struct kv_arena *a, const struct kv_item *it, const void *key, uint32_t n);

static inline struct kv_item *kv_item_at(const struct kv_arena *a, uint32_t i)
{
	return (struct kv_item *)&a->chunk[i];
}

static inline uint32_t kv_item_index(const struct kv_arena *a, const struct kv_item *it)
{
	return (const struct kv_body *)it - a->chunk;
}

static inline uint32_t kv_chunks_for(uint64_t data)
{
	return data <= KV_HEAD_DATA ? 1 : 1 + (data - KV_HEAD_DATA + KV_BODY_DATA - 1) / KV_BODY_DATA;
}

static inline uint32_t kv_item_chunks(const struct kv_item *it)
{
	return kv_chunks_for((uint64_t)it->nkey + it->nbytes);
}

#endif /* SLUICE_HANDLERS_KV_CHUNK_H */
