/* SPDX-License-Identifier: GPL-2.0-only */
/* One shard's store: items in a fixed amount of memory, found by key, expired by time, evicted by use. */
#ifndef SLUICE_HANDLERS_KV_STORE_H
#define SLUICE_HANDLERS_KV_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A store belongs to one thread. It never reads a clock: kv_store_clock() says what second it is.
 *
 * Memory is one arena of 128-byte chunks; an item is a chain of them. One size of chunk means that any freed item makes
 * room for any new one: nothing is lost to fragmentation between size classes and no memory is stuck in a class that
 * is no longer wanted. The price is half a chunk per item and a copy in pieces for long values. Arena, use bits and
 * hash table together are the memory limit, reserved at creation and touched only as it fills.
 *
 * Eviction is CLOCK with a two-bit use count: a hit counts up, the hand counts down and takes what is at 0, and what
 * has expired wherever it finds it. A new item starts at 0, so a scan of keys that are never read again passes through
 * without pushing out what is in use. The hand looks at a bounded number of items per eviction.
 *
 * The hash table grows one bucket per insertion (linear hashing): no rehash pause, no second table.
 */

#define KV_KEY_MAX	250
#define KV_CHUNK	128
#define KV_ITEM_HEADER	42
#define KV_ITEM_MIN	1024		/* smallest allowed limit of an item's value */
#define KV_MEMORY_MIN	(64U << 10)

#define KV_ITEM_FETCHED	(1u << 0)	/* a client got it */
#define KV_ITEM_STALE	(1u << 1)	/* invalidated, but there: meta commands */
#define KV_ITEM_SENT	(1u << 2)	/* a client was told to fetch it anew */
#define KV_ITEM_BINARY	(1u << 3)	/* its key came in base64 */

struct kv_store;

/**
 * struct kv_item - an item's first chunk; the value continues in others, see kv_item_copy()
 * @next: next chunk
 * @hnext: next item in the bucket
 * @cas: unique number of this version of the item
 * @flags: the client's
 * @exptime: second at which it expires; 0: never
 * @nbytes: bytes of the value
 * @tail: last chunk
 * @hash: of the key, by the store's own seed
 * @nkey: bytes of the key, which comes first in the data
 * @used: second of its last use, or of its making
 * @marks: KV_ITEM_*
 */
struct kv_item {
	uint32_t next;
	uint32_t hnext;
	uint64_t cas;
	uint32_t flags;
	uint32_t exptime;
	uint32_t nbytes;
	uint32_t tail;
	uint32_t hash;
	uint32_t used;
	uint8_t nkey;
	uint8_t marks;
	char data[KV_CHUNK - KV_ITEM_HEADER];
} __attribute__((packed, aligned(8)));

/* X(name): counters of a store; the order is that of `stats` */
#define KV_COUNTERS(X)								\
	X(cmd_get) X(cmd_set) X(cmd_flush) X(cmd_touch) X(cmd_meta)		\
	X(get_hits) X(get_misses) X(get_expired) X(get_flushed)			\
	X(delete_misses) X(delete_hits) X(incr_misses) X(incr_hits)		\
	X(decr_misses) X(decr_hits) X(cas_misses) X(cas_hits) X(cas_badval)	\
	X(touch_hits) X(touch_misses) X(store_too_large) X(store_no_memory)	\
	X(total_items) X(expired_unfetched) X(evicted_unfetched) X(evictions) X(reclaimed)

/**
 * struct kv_stats - counters and gauges; those of several shards add up
 * @bytes: keys, values and item headers
 * @chunks: in the arena; @chunks_used of them hold items
 * @memory: the limit, in bytes
 * @buckets: of the hash table
 */
struct kv_stats {
#define KV_X(name) uint64_t name;
	KV_COUNTERS(KV_X)
#undef KV_X
	uint64_t curr_items;
	uint64_t bytes;
	uint64_t chunks;
	uint64_t chunks_used;
	uint64_t memory;
	uint64_t buckets;
};

enum kv_status {
	KV_STORED,
	KV_NOT_STORED,
	KV_EXISTS,
	KV_NOT_FOUND,
	KV_TOO_LARGE,
	KV_NO_MEMORY,
	KV_NON_NUMERIC,
	KV_OK,
};

enum kv_mode { KV_MODE_SET, KV_MODE_ADD, KV_MODE_REPLACE, KV_MODE_APPEND, KV_MODE_PREPEND, KV_MODE_CAS };

/**
 * struct kv_value - what to store
 * @exptime: as kv_expiry() gives
 * @cas: KV_MODE_CAS: the version to replace
 */
struct kv_value {
	const void *data;
	uint32_t nbytes;
	uint32_t flags;
	uint32_t exptime;
	uint64_t cas;
};

/* @memory bytes for everything; values up to @item_max bytes. @seed keeps clients from aiming at one bucket. */
int kv_store_create(struct kv_store **store, size_t memory, uint32_t item_max, uint32_t seed);
void kv_store_destroy(struct kv_store *s);
/* Seconds since the epoch; must not go back. Does what is due. */
void kv_store_clock(struct kv_store *s, uint32_t now);
uint32_t kv_store_now(const struct kv_store *s);
uint32_t kv_store_item_max(const struct kv_store *s);
void kv_store_set_item_max(struct kv_store *s, uint32_t item_max);
/* Free what has expired among the next @n chunks. */
void kv_store_crawl(struct kv_store *s, uint32_t n);

/* The protocol's expiry (0 never, negative at once, up to 30 days from now, else a date) as an exptime. */
uint32_t kv_expiry(int64_t exptime, uint32_t now);

/* A live item or NULL; valid until the next call that stores or frees. Counts nothing but the item's use. */
struct kv_item *kv_store_find(struct kv_store *s, const char *key, size_t nkey);
/* The same, without counting its use; kv_store_use() does that. */
struct kv_item *kv_store_peek(struct kv_store *s, const char *key, size_t nkey);
void kv_store_use(struct kv_store *s, struct kv_item *it);
/* Give it a new version. */
void kv_store_renew(struct kv_store *s, struct kv_item *it);
enum kv_status kv_store_put(struct kv_store *s, enum kv_mode mode, const char *key, size_t nkey,
			    const struct kv_value *v);
enum kv_status kv_store_delete(struct kv_store *s, const char *key, size_t nkey);
/* Decimal arithmetic on the value: adds @delta, or subtracts down to 0. */
enum kv_status kv_store_arith(struct kv_store *s, const char *key, size_t nkey, bool add, uint64_t delta,
			      uint64_t *result);
/* The same with a signed 64-bit number, from 0 if there is no item; KV_NON_NUMERIC also if it would overflow. */
enum kv_status kv_store_add(struct kv_store *s, const char *key, size_t nkey, int64_t delta, uint64_t *result);
/* All items stored until now die at once, or at second @when. */
void kv_store_flush(struct kv_store *s, uint32_t when);

/* Copy @n bytes of the value from @off on. */
void kv_item_copy(const struct kv_store *s, const struct kv_item *it, uint32_t off, void *to, uint32_t n);
void kv_item_key(const struct kv_store *s, const struct kv_item *it, char *to);

struct kv_stats *kv_store_stats(struct kv_store *s);	/* gauges are brought up to date */
void kv_store_reset(struct kv_store *s);		/* counters to 0 */

/* Call @fn for each live item; it may not change this store. Stops at the first non-zero return and returns it. */
int kv_store_walk(struct kv_store *s, int (*fn)(void *arg, struct kv_store *s, struct kv_item *it), void *arg);
/* Store a copy of an item of another store, with its version. False: no room. */
bool kv_store_import(struct kv_store *s, const struct kv_store *from, const struct kv_item *it);
/* Take over clock, version count, a delayed flush and counters; before the first kv_store_import() from @from. */
void kv_store_inherit(struct kv_store *s, const struct kv_store *from);
/* Check every invariant; returns NULL or what is wrong. For tests: it takes as long as the store is big. */
const char *kv_store_verify(struct kv_store *s);

#endif /* SLUICE_HANDLERS_KV_STORE_H */
