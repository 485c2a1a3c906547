// SPDX-License-Identifier: GPL-2.0-only
/* One shard's store: hash table, expiry, eviction, and the operations on items. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <core/classify.h>

#include "kv_buf.h"
#include "kv_chunk.h"

#define EVICT_LOOKS	64	/* items that one eviction looks at */
#define NUMBER_MAX	63	/* bytes of a value that counts as a number */
#define BUCKETS_MIN	16

struct kv_store {
	struct kv_arena arena;
	uint32_t *bucket;
	uint32_t buckets;	/* in use */
	uint32_t buckets_max;
	uint32_t base;		/* largest power of two <= buckets */
	uint32_t seed;
	uint32_t now;
	uint32_t hand;		/* of the clock */
	uint32_t crawl;		/* next chunk that kv_store_crawl() looks at */
	uint32_t pinned;	/* not to be evicted: its bytes are still needed */
	uint32_t item_max;
	uint32_t flush_at;	/* second of a delayed flush, 0: none */
	uint64_t cas;		/* of the latest version */
	uint64_t flushed;	/* versions up to this one are dead */
	struct kv_stats stats;
};

int kv_store_create(struct kv_store **store, size_t memory, uint32_t item_max, uint32_t seed)
{
	/* Per chunk: itself, a byte of state, and a hash bucket, for there may be as many items as chunks. */
	uint64_t chunks = memory / (KV_CHUNK + 1 + sizeof(uint32_t));
	struct kv_store *s;
	int err;

	if (memory < KV_MEMORY_MIN || chunks > UINT32_MAX - 1)
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	err = kv_arena_init(&s->arena, chunks);
	if (err)
		goto free_store;
	s->bucket = mmap(NULL, chunks * sizeof(*s->bucket), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			 0);
	if (s->bucket == MAP_FAILED) {
		err = -ENOMEM;
		goto fini_arena;
	}
	s->buckets_max = chunks;
	s->buckets = BUCKETS_MIN;
	s->base = BUCKETS_MIN;
	s->seed = seed;
	s->item_max = item_max;
	s->stats.memory = memory;
	*store = s;
	return 0;
fini_arena:
	kv_arena_fini(&s->arena);
free_store:
	free(s);
	return err;
}

void kv_store_destroy(struct kv_store *s)
{
	if (!s)
		return;
	munmap(s->bucket, (size_t)s->buckets_max * sizeof(*s->bucket));
	kv_arena_fini(&s->arena);
	free(s);
}

uint32_t kv_store_now(const struct kv_store *s)
{
	return s->now;
}

uint32_t kv_store_item_max(const struct kv_store *s)
{
	return s->item_max;
}

void kv_store_set_item_max(struct kv_store *s, uint32_t item_max)
{
	s->item_max = item_max;
}

uint32_t kv_expiry(int64_t exptime, uint32_t now)
{
	if (!exptime)
		return 0;
	if (exptime < 0)
		return 1;
	if (exptime <= 60L * 60 * 24 * 30)
		return now + exptime;
	/* What 32 bits of seconds cannot say is as good as never. */
	return exptime > UINT32_MAX ? 0 : exptime;
}

/* ---- hash table ---- */

static uint32_t bucket_of(const struct kv_store *s, uint32_t hash)
{
	uint32_t b = hash & (s->base * 2 - 1);

	return b < s->buckets ? b : hash & (s->base - 1);
}

/* Linear hashing: one more bucket takes its items from the one that is half as far. */
static void grow(struct kv_store *s)
{
	uint32_t *from, *to, i;
	struct kv_item *it;

	if (s->stats.curr_items <= s->buckets || s->buckets == s->buckets_max)
		return;
	if (s->buckets == s->base * 2)
		s->base *= 2;
	from = &s->bucket[s->buckets - s->base];
	to = &s->bucket[s->buckets];
	s->buckets++;
	while ((i = *from) != KV_NIL) {
		it = kv_item_at(&s->arena, i);
		if (!(it->hash & s->base)) {
			from = &it->hnext;
			continue;
		}
		*from = it->hnext;
		it->hnext = *to;
		*to = i;
	}
}

static void link_item(struct kv_store *s, struct kv_item *it)
{
	uint32_t *head = &s->bucket[bucket_of(s, it->hash)];

	it->hnext = *head;
	*head = kv_item_index(&s->arena, it);
	s->stats.curr_items++;
	s->stats.total_items++;
	s->stats.bytes += KV_ITEM_HEADER + it->nkey + it->nbytes;
	grow(s);
}

/* Unlink and free. */
static void drop(struct kv_store *s, struct kv_item *it)
{
	uint32_t *link = &s->bucket[bucket_of(s, it->hash)], me = kv_item_index(&s->arena, it);

	while (*link != me)
		link = &kv_item_at(&s->arena, *link)->hnext;
	*link = it->hnext;
	s->stats.curr_items--;
	s->stats.bytes -= KV_ITEM_HEADER + it->nkey + it->nbytes;
	kv_arena_give(&s->arena, it);
}

static bool expired(const struct kv_store *s, const struct kv_item *it)
{
	return it->exptime && it->exptime <= s->now;
}

static bool dead(const struct kv_store *s, const struct kv_item *it)
{
	return it->cas <= s->flushed || expired(s, it);
}

static void reclaim(struct kv_store *s, struct kv_item *it)
{
	s->stats.reclaimed++;
	if (!(it->marks & KV_ITEM_FETCHED))
		s->stats.expired_unfetched++;
	drop(s, it);
}

/* The live item of a key. A dead one is freed; @count: the statistics tell why a get missed. */
static struct kv_item *lookup(struct kv_store *s, const char *key, size_t nkey, uint32_t hash, bool count)
{
	uint32_t i = s->bucket[bucket_of(s, hash)];
	struct kv_item *it;

	for (; i != KV_NIL; i = it->hnext) {
		it = kv_item_at(&s->arena, i);
		if (it->hash != hash || it->nkey != nkey || !kv_chain_equal(&s->arena, it, key, nkey))
			continue;
		if (!dead(s, it))
			return it;
		if (count && expired(s, it))
			s->stats.get_expired++;
		else if (count)
			s->stats.get_flushed++;
		reclaim(s, it);
		break;
	}
	return NULL;
}

static uint32_t hash_key(const struct kv_store *s, const char *key, size_t nkey)
{
	return sluice_hash_bytes((const uint8_t *)key, nkey, s->seed);
}

/* ---- memory ---- */

/* Next head after the hand, or KV_NIL after one turn. Eight state bytes at a time: long values have many bodies. */
static uint32_t next_head(const struct kv_store *s, uint32_t from)
{
	const uint8_t *state = s->arena.state;
	uint32_t end = s->arena.fresh, i = from, left = end;
	uint64_t w;

	while (left) {
		if (i >= end)
			i = 0;
		if (left >= 8 && i + 8 <= end) {
			memcpy(&w, state + i, 8);
			if (!(w & 0x8080808080808080ULL)) {
				i += 8;
				left -= 8;
				continue;
			}
		}
		if (state[i] & KV_CHUNK_HEAD)
			return i;
		i++;
		left--;
	}
	return KV_NIL;
}

static bool evict(struct kv_store *s)
{
	uint32_t i, best = KV_NIL, looks;
	struct kv_item *it;
	uint8_t *state;

	for (looks = 0; looks < EVICT_LOOKS; looks++) {
		i = next_head(s, s->hand);
		if (i == KV_NIL)
			break;
		s->hand = i + 1;
		if (i == s->pinned)
			continue;
		it = kv_item_at(&s->arena, i);
		if (dead(s, it)) {
			reclaim(s, it);
			return true;
		}
		state = &s->arena.state[i];
		if (best == KV_NIL || (*state & KV_CHUNK_USES) < (s->arena.state[best] & KV_CHUNK_USES))
			best = i;
		if (!(*state & KV_CHUNK_USES))
			break;
		(*state)--;
	}
	if (best == KV_NIL)
		return false;
	it = kv_item_at(&s->arena, best);
	s->stats.evictions++;
	if (!(it->marks & KV_ITEM_FETCHED))
		s->stats.evicted_unfetched++;
	drop(s, it);
	return true;
}

/* An unlinked item with room for key and value, key written; NULL: does not fit even with all others evicted. */
static struct kv_item *new_item(struct kv_store *s, const char *key, size_t nkey, uint32_t hash,
				const struct kv_value *v)
{
	uint32_t chunks = kv_chunks_for((uint64_t)nkey + v->nbytes);
	struct kv_item *it;

	if (chunks >= s->arena.count)
		return NULL;
	while (s->arena.nfree < chunks)
		if (!evict(s))
			return NULL;
	it = kv_arena_take(&s->arena, chunks);
	it->nkey = nkey;
	it->nbytes = v->nbytes;
	it->flags = v->flags;
	it->exptime = v->exptime;
	it->hash = hash;
	it->marks = 0;
	it->used = s->now;
	it->cas = ++s->cas;
	kv_chain_write(&s->arena, it, 0, key, nkey);
	return it;
}

/* ---- operations ---- */

struct kv_item *kv_store_peek(struct kv_store *s, const char *key, size_t nkey)
{
	return lookup(s, key, nkey, hash_key(s, key, nkey), true);
}

void kv_store_use(struct kv_store *s, struct kv_item *it)
{
	uint8_t *state = &s->arena.state[kv_item_index(&s->arena, it)];

	it->marks |= KV_ITEM_FETCHED;
	it->used = s->now;
	if ((*state & KV_CHUNK_USES) < KV_CHUNK_USES)
		(*state)++;
}

struct kv_item *kv_store_find(struct kv_store *s, const char *key, size_t nkey)
{
	struct kv_item *it = kv_store_peek(s, key, nkey);

	if (it)
		kv_store_use(s, it);
	return it;
}

void kv_store_renew(struct kv_store *s, struct kv_item *it)
{
	it->cas = ++s->cas;
}

/* A value that takes as many chunks as before is written over: nothing need be evicted for it. */
static enum kv_status replace(struct kv_store *s, struct kv_item *old, const char *key, size_t nkey, uint32_t hash,
			      const struct kv_value *v)
{
	struct kv_item *it;

	if (old && kv_item_chunks(old) == kv_chunks_for((uint64_t)nkey + v->nbytes)) {
		s->stats.bytes += (uint64_t)v->nbytes - old->nbytes;
		s->stats.total_items++;
		old->nbytes = v->nbytes;
		old->flags = v->flags;
		old->exptime = v->exptime;
		old->marks = 0;
		old->used = s->now;
		old->cas = ++s->cas;
		kv_chain_write(&s->arena, old, nkey, v->data, v->nbytes);
		return KV_STORED;
	}
	if (old)
		drop(s, old);
	it = new_item(s, key, nkey, hash, v);
	if (!it) {
		s->stats.store_no_memory++;
		return KV_NO_MEMORY;
	}
	kv_chain_write(&s->arena, it, nkey, v->data, v->nbytes);
	link_item(s, it);
	return KV_STORED;
}

static enum kv_status extend(struct kv_store *s, struct kv_item *old, const char *key, size_t nkey, uint32_t hash,
			     const struct kv_value *v, bool after)
{
	struct kv_value sum = { .flags = old->flags, .exptime = old->exptime };
	struct kv_item *it;

	if ((uint64_t)old->nbytes + v->nbytes > s->item_max) {
		s->stats.store_too_large++;
		return KV_TOO_LARGE;
	}
	sum.nbytes = old->nbytes + v->nbytes;
	s->pinned = kv_item_index(&s->arena, old);
	it = new_item(s, key, nkey, hash, &sum);
	s->pinned = KV_NIL;
	if (!it) {
		s->stats.store_no_memory++;
		return KV_NO_MEMORY;
	}
	kv_chain_copy(&s->arena, it, nkey + (after ? 0 : v->nbytes), &s->arena, old, nkey, old->nbytes);
	kv_chain_write(&s->arena, it, nkey + (after ? old->nbytes : 0), v->data, v->nbytes);
	drop(s, old);
	link_item(s, it);
	return KV_STORED;
}

enum kv_status kv_store_put(struct kv_store *s, enum kv_mode mode, const char *key, size_t nkey,
			    const struct kv_value *v)
{
	uint32_t hash = hash_key(s, key, nkey);
	struct kv_item *old = lookup(s, key, nkey, hash, false);

	s->stats.cmd_set++;
	if (v->nbytes > s->item_max) {
		/* The client wanted the old value gone: better none than a stale one. */
		if (old && mode == KV_MODE_SET)
			drop(s, old);
		s->stats.store_too_large++;
		return KV_TOO_LARGE;
	}
	switch (mode) {
	case KV_MODE_SET:
		break;
	case KV_MODE_ADD:
		if (old)
			return KV_NOT_STORED;
		break;
	case KV_MODE_REPLACE:
		if (!old)
			return KV_NOT_STORED;
		break;
	case KV_MODE_APPEND:
	case KV_MODE_PREPEND:
		if (!old)
			return KV_NOT_STORED;
		return extend(s, old, key, nkey, hash, v, mode == KV_MODE_APPEND);
	case KV_MODE_CAS:
		if (!old) {
			s->stats.cas_misses++;
			return KV_NOT_FOUND;
		}
		if (old->cas != v->cas) {
			s->stats.cas_badval++;
			return KV_EXISTS;
		}
		s->stats.cas_hits++;
		break;
	}
	return replace(s, old, key, nkey, hash, v);
}

enum kv_status kv_store_delete(struct kv_store *s, const char *key, size_t nkey)
{
	struct kv_item *it = lookup(s, key, nkey, hash_key(s, key, nkey), false);

	if (!it) {
		s->stats.delete_misses++;
		return KV_NOT_FOUND;
	}
	s->stats.delete_hits++;
	drop(s, it);
	return KV_OK;
}

/* As strtoull() would read it, which clients have come to rely on: leading blanks, a sign, an end at a blank. */
static bool read_number(const struct kv_store *s, const struct kv_item *it, uint64_t *number)
{
	char text[NUMBER_MAX + 1], *end;

	if (!it->nbytes || it->nbytes > NUMBER_MAX)
		return false;
	kv_item_copy(s, it, 0, text, it->nbytes);
	text[it->nbytes] = 0;
	errno = 0;
	*number = strtoull(text, &end, 10);
	if (errno || end == text || (*end && !isspace((unsigned char)*end)))
		return false;
	return !((int64_t)*number < 0 && memchr(text, '-', end - text));
}

enum kv_status kv_store_arith(struct kv_store *s, const char *key, size_t nkey, bool add, uint64_t delta,
			      uint64_t *result)
{
	uint32_t hash = hash_key(s, key, nkey), n;
	struct kv_item *it = lookup(s, key, nkey, hash, false);
	char text[NUMBER_MAX + 1];
	struct kv_value v;
	uint64_t number;

	if (!it) {
		*(add ? &s->stats.incr_misses : &s->stats.decr_misses) += 1;
		return KV_NOT_FOUND;
	}
	if (!read_number(s, it, &number))
		return KV_NON_NUMERIC;
	*(add ? &s->stats.incr_hits : &s->stats.decr_hits) += 1;
	if (add)
		number += delta;
	else
		number = number > delta ? number - delta : 0;
	*result = number;
	n = kv_digits(text, number);
	/* A number that got shorter keeps its length, padded with blanks, as in memcached. */
	if (n < it->nbytes) {
		memset(text + n, ' ', it->nbytes - n);
		n = it->nbytes;
	}
	v = (struct kv_value){ .data = text, .nbytes = n, .flags = it->flags, .exptime = it->exptime };
	return replace(s, it, key, nkey, hash, &v) == KV_STORED ? KV_OK : KV_NO_MEMORY;
}

enum kv_status kv_store_add(struct kv_store *s, const char *key, size_t nkey, int64_t delta, uint64_t *result)
{
	uint32_t hash = hash_key(s, key, nkey);
	struct kv_item *it = lookup(s, key, nkey, hash, false);
	char text[NUMBER_MAX + 1], *end;
	long long number = 0;
	struct kv_value v;

	if (it) {
		if (!it->nbytes || it->nbytes > NUMBER_MAX)
			return KV_NON_NUMERIC;
		kv_item_copy(s, it, 0, text, it->nbytes);
		text[it->nbytes] = 0;
		errno = 0;
		number = strtoll(text, &end, 10);
		if (errno || *end || isspace((unsigned char)text[0]))
			return KV_NON_NUMERIC;
	}
	if (__builtin_add_overflow(number, delta, &number))
		return KV_NON_NUMERIC;
	*result = number;
	v = (struct kv_value){ .data = text, .nbytes = snprintf(text, sizeof(text), "%lld", number) };
	if (it) {
		v.flags = it->flags;
		v.exptime = it->exptime;
	}
	return replace(s, it, key, nkey, hash, &v) == KV_STORED ? KV_OK : KV_NO_MEMORY;
}

void kv_store_flush(struct kv_store *s, uint32_t when)
{
	if (when > s->now) {
		s->flush_at = when;
		return;
	}
	s->flush_at = 0;
	s->flushed = s->cas;
}

void kv_store_clock(struct kv_store *s, uint32_t now)
{
	s->now = now;
	if (s->flush_at && s->flush_at <= now) {
		s->flush_at = 0;
		s->flushed = s->cas;
	}
}

void kv_store_crawl(struct kv_store *s, uint32_t n)
{
	uint32_t end = s->arena.fresh;
	struct kv_item *it;

	for (; n; n--) {
		if (s->crawl >= end)
			s->crawl = 1;
		if (s->crawl < end && s->arena.state[s->crawl] & KV_CHUNK_HEAD) {
			it = kv_item_at(&s->arena, s->crawl);
			if (dead(s, it))
				reclaim(s, it);
		}
		s->crawl++;
	}
}

void kv_item_copy(const struct kv_store *s, const struct kv_item *it, uint32_t off, void *to, uint32_t n)
{
	kv_chain_read(&s->arena, it, it->nkey + off, to, n);
}

void kv_item_key(const struct kv_store *s, const struct kv_item *it, char *to)
{
	kv_chain_read(&s->arena, it, 0, to, it->nkey);
}

/* ---- statistics, moving, checking ---- */

struct kv_stats *kv_store_stats(struct kv_store *s)
{
	s->stats.chunks = s->arena.count - 1;
	s->stats.chunks_used = s->stats.chunks - s->arena.nfree;
	s->stats.buckets = s->buckets;
	return &s->stats;
}

void kv_store_reset(struct kv_store *s)
{
	s->stats = (struct kv_stats){
		.curr_items = s->stats.curr_items,
		.bytes = s->stats.bytes,
		.memory = s->stats.memory,
	};
}

int kv_store_walk(struct kv_store *s, int (*fn)(void *arg, struct kv_store *s, struct kv_item *it), void *arg)
{
	struct kv_item *it;
	uint32_t i;
	int err;

	for (i = 1; i < s->arena.fresh; i++) {
		it = kv_item_at(&s->arena, i);
		if (!(s->arena.state[i] & KV_CHUNK_HEAD) || dead(s, it))
			continue;
		err = fn(arg, s, it);
		if (err)
			return err;
	}
	return 0;
}

bool kv_store_import(struct kv_store *s, const struct kv_store *from, const struct kv_item *src)
{
	struct kv_value v = { .nbytes = src->nbytes, .flags = src->flags, .exptime = src->exptime };
	char key[UINT8_MAX];
	struct kv_item *it;
	uint32_t hash;

	kv_item_key(from, src, key);
	hash = hash_key(s, key, src->nkey);
	it = lookup(s, key, src->nkey, hash, false);
	if (it)
		drop(s, it);
	it = new_item(s, key, src->nkey, hash, &v);
	if (!it)
		return false;
	kv_chain_copy(&s->arena, it, it->nkey, &from->arena, src, src->nkey, src->nbytes);
	it->cas = src->cas;
	it->marks = src->marks;
	it->used = src->used;
	s->arena.state[kv_item_index(&s->arena, it)] |=
		from->arena.state[kv_item_index(&from->arena, src)] & KV_CHUNK_USES;
	if (s->cas < from->cas)
		s->cas = from->cas;
	link_item(s, it);
	return true;
}

void kv_store_inherit(struct kv_store *s, const struct kv_store *from)
{
	if (s->now < from->now)
		s->now = from->now;
	if (s->cas < from->cas)
		s->cas = from->cas;
	if (from->flush_at && (!s->flush_at || from->flush_at < s->flush_at))
		s->flush_at = from->flush_at;
#define KV_X(name) s->stats.name += from->stats.name;
	KV_COUNTERS(KV_X)
#undef KV_X
}

static const char *verify_bucket(struct kv_store *s, uint32_t b, uint64_t *items, uint64_t *chunks, uint64_t *bytes)
{
	struct kv_item *it;
	uint32_t i, c, n;

	for (i = s->bucket[b]; i != KV_NIL; i = it->hnext) {
		it = kv_item_at(&s->arena, i);
		if (!(s->arena.state[i] & KV_CHUNK_HEAD))
			return "a bucket leads to a chunk that is no item";
		if (bucket_of(s, it->hash) != b)
			return "an item is in the wrong bucket";
		for (n = 0, c = i; c != KV_NIL; c = s->arena.chunk[c].next) {
			if (c != i && s->arena.state[c] & KV_CHUNK_HEAD)
				return "an item's chain runs into another item";
			if (s->arena.chunk[c].next == KV_NIL && c != it->tail)
				return "an item's tail is not its last chunk";
			n++;
		}
		if (n != kv_item_chunks(it))
			return "an item has the wrong number of chunks";
		*items += 1;
		*chunks += n;
		*bytes += KV_ITEM_HEADER + it->nkey + it->nbytes;
	}
	return NULL;
}

const char *kv_store_verify(struct kv_store *s)
{
	uint64_t items = 0, chunks = 0, bytes = 0, heads = 0, free_list = 0;
	const char *wrong = NULL;
	uint32_t i;

	for (i = 0; i < s->buckets && !wrong; i++)
		wrong = verify_bucket(s, i, &items, &chunks, &bytes);
	if (wrong)
		return wrong;
	for (i = 0; i < s->arena.count; i++)
		heads += !!(s->arena.state[i] & KV_CHUNK_HEAD);
	for (i = s->arena.free; i != KV_NIL && free_list <= s->arena.count; i = s->arena.chunk[i].next)
		free_list++;
	if (heads != items || items != s->stats.curr_items)
		return "items in the table, heads and curr_items differ";
	if (bytes != s->stats.bytes)
		return "bytes does not add up";
	if (free_list + (s->arena.count - s->arena.fresh) != s->arena.nfree)
		return "the free list has the wrong length";
	if (chunks + s->arena.nfree != s->arena.count - 1)
		return "chunks are lost";
	return NULL;
}
