// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ids of outstanding requests: a repetition is told from the first, and a message that cancels
 * finds what it is about.
 */
#include <linux/jhash.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <net/ipv6.h>

#include "ids.h"

#define TRIES 8 /* while the request moves from place to place */

static struct kmem_cache *cache;

int sluice_ids_cache_init(void)
{
	cache = KMEM_CACHE(sluice_id, 0);
	return cache ? 0 : -ENOMEM;
}

/* All requests have ended. */
void sluice_ids_cache_fini(void)
{
	kmem_cache_destroy(cache);
}

/**
 * sluice_ids_create() - let a listener keep the ids of its requests
 * @l: listener; sluice_mutex is held. It may have had it before
 *
 * Sections find it by a rule that is installed afterwards. Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int sluice_ids_create(struct sluice_listener *l)
{
	struct sluice_ids *ids;
	u32 i;

	BUILD_BUG_ON(sizeof(struct sluice_id_key) != 32 + SLUICE_ID_LEN_MAX);
	if (l->ids)
		return 0;
	ids = kvzalloc(sizeof(*ids), GFP_KERNEL_ACCOUNT);
	if (!ids)
		return -ENOMEM;
	ids->seed = get_random_u32();
	for (i = 0; i < SLUICE_IDS_BUCKETS; i++) {
		spin_lock_init(&ids->bucket[i].lock);
		INIT_HLIST_HEAD(&ids->bucket[i].head);
	}
	WRITE_ONCE(l->ids, ids);
	return 0;
}

/* All requests of @l have ended, and no section sees it. */
void sluice_ids_destroy(struct sluice_listener *l)
{
	kvfree(l->ids);
	l->ids = NULL;
}

static struct sluice_id_bucket *bucket(struct sluice_ids *ids, u32 hash)
{
	return &ids->bucket[hash % SLUICE_IDS_BUCKETS];
}

static struct sluice_ids *ids_of(const struct sluice_req *req)
{
	return req->rule->listener->ids;
}

/* Whom a message is from, and which request it means. Return: false if it is too short to say. */
static bool read_key(const struct sluice_id_field *f, const struct sluice_msg *msg,
		     const struct sluice_req *req, struct sluice_id_key *key)
{
	struct sluice_from from;

	memset(key, 0, sizeof(*key));
	if (!sluice_id_field_read(f, msg, key->id))
		return false;
	key->len = f->len;
	key->conn = sluice_req_conn(req);
	if (key->conn)
		return true;
	sluice_req_from(req, &from);
	key->family = from.family;
	key->port = from.port;
	memcpy(key->addr, from.addr, sizeof(key->addr));
	if (from.family == 6 && __ipv6_addr_needs_scope_id(__ipv6_addr_type((void *)from.addr)))
		key->scope = req->ifindex;
	return true;
}

static u32 hash_key(const struct sluice_ids *ids, const struct sluice_id_key *key)
{
	return jhash2((const u32 *)key, sizeof(*key) / sizeof(u32), ids->seed);
}

/* The bucket's lock is held. */
static struct sluice_id *find(struct sluice_id_bucket *b, const struct sluice_id_key *key, u32 hash)
{
	struct sluice_id *t;

	hlist_for_each_entry(t, &b->head, node)
		if (t->hash == hash && !memcmp(&t->key, key, sizeof(*key)))
			return t;
	return NULL;
}

/* Room for one more id. Return: NULL, there is none. */
static struct sluice_id *create(struct sluice_ids *ids)
{
	struct sluice_id *t = NULL;

	if (atomic_inc_return(&ids->n) <= SLUICE_IDS_MAX)
		t = kmem_cache_alloc(cache, GFP_ATOMIC | __GFP_NOWARN);
	if (unlikely(!t))
		atomic_dec(&ids->n);
	return t;
}

static void destroy(struct sluice_ids *ids, struct sluice_id *t)
{
	kmem_cache_free(cache, t);
	atomic_dec(&ids->n);
}

/**
 * sluice_ids_enter() - make a request known by its id
 * @to: its rule's, with an id field
 * @msg: the message
 * @req: request that may outlive its section, and is in no list yet
 *
 * Of several outstanding requests with one id, the last to come is known by it. A request that has
 * no id, or for which there is no room, is served all the same.
 *
 * Context: section. Return: false if the rule wants repetitions answered once and this is one: the
 * same peer's request of the same id is outstanding.
 */
bool sluice_ids_enter(const struct sluice_verdict_to *to, const struct sluice_msg *msg,
		      struct sluice_req *req)
{
	struct sluice_ids *ids = ids_of(req);
	struct sluice_id_bucket *b;
	struct sluice_id *t, *old;
	struct sluice_id_key key;
	bool again;
	u32 hash;

	if (!read_key(&to->id, msg, req, &key)) {
		atomic64_inc(&ids->untracked);
		return true;
	}
	hash = hash_key(ids, &key);
	b = bucket(ids, hash);
	t = create(ids);
	spin_lock(&b->lock);
	old = find(b, &key, hash);
	again = to->once && old && !old->cancelled;
	if (unlikely(!again && (!t || (old && !old->cancelled))))
		atomic64_inc(&ids->untracked);
	if (likely(t && !again)) {
		if (old)
			hlist_del_init(&old->node);
		t->req = req;
		t->hash = hash;
		t->cancelled = false;
		t->place = SLUICE_ID_NOWHERE;
		t->key = key;
		hlist_add_head(&t->node, &b->head);
		req->tag = t;
		req->truesize += sizeof(*t);
	}
	spin_unlock(&b->lock);
	if (again && t)
		destroy(ids, t);
	return !again;
}

/**
 * sluice_ids_leave() - a request with an id ends, or stays where it came from
 * @req: request in no list or slot, or in one whose lock is held
 *
 * Context: bottom halves disabled. Return: true if it was cancelled while a section had it: that is
 * its outcome then.
 */
bool sluice_ids_leave(struct sluice_req *req)
{
	struct sluice_ids *ids = ids_of(req);
	struct sluice_id *t = req->tag;
	struct sluice_id_bucket *b = bucket(ids, t->hash);
	bool cancelled;

	spin_lock(&b->lock);
	hlist_del_init(&t->node);
	cancelled = t->cancelled;
	spin_unlock(&b->lock);
	req->tag = NULL;
	destroy(ids, t);
	return cancelled;
}

/**
 * sluice_ids_retreat() - a request whose rule has an id field was not taken
 * @req: request in no list
 *
 * Context: section.
 */
void sluice_ids_retreat(struct sluice_req *req)
{
	if (req->tag) {
		sluice_ids_leave(req);
		req->truesize -= sizeof(struct sluice_id);
	} else {
		atomic64_dec(&ids_of(req)->untracked);
	}
}

/**
 * __sluice_ids_place() - a request with an id is put somewhere
 * @req: request
 * @place: kind of place, whose lock is held; into a backlog it goes after this
 * @where: the group, or ring
 * @slot: with SLUICE_ID_SLOT
 *
 * Return: true if it was cancelled while a section had it: it has to end.
 */
bool __sluice_ids_place(struct sluice_req *req, enum sluice_id_place place, void *where, u32 slot)
{
	struct sluice_id *t = req->tag;
	struct sluice_id_bucket *b = bucket(ids_of(req), t->hash);
	bool cancelled;

	spin_lock(&b->lock);
	t->place = place;
	t->slot = slot;
	t->where = where;
	cancelled = t->cancelled;
	spin_unlock(&b->lock);
	return cancelled;
}

/* Where a request was seen, to be looked at once more under the lock of that place. */
struct seen {
	void *where;
	u32 slot;
	u8 place;
};

static struct sluice_group *group_at(const struct seen *at)
{
	return at->where;
}

static struct sluice_ring *ring_at(const struct seen *at)
{
	return at->where;
}

static bool same(const struct sluice_id *t, const struct seen *at)
{
	return t->place == at->place && t->where == at->where && t->slot == at->slot;
}

/* What protects that place. */
static spinlock_t *lock_of(const struct seen *at)
{
	return at->place == SLUICE_ID_GROUP ? &group_at(at)->lock : &ring_at(at)->lock;
}

/*
 * Take a request out of where it is; the locks of place and bucket are held. Of an answer in parts
 * over a connection nothing can be taken back once it has begun. Return: false if a section has it,
 * or it stays.
 */
static bool take(const struct seen *at, struct sluice_req *req)
{
	struct sluice_queue *q;

	if (at->place == SLUICE_ID_SLOT) {
		if (ring_at(at)->req[at->slot] != req || req->parts)
			return false;
		__sluice_ring_slot_cancel(ring_at(at), at->slot, req);
		return true;
	}
	q = at->place == SLUICE_ID_GROUP ? &group_at(at)->backlog.q : &ring_at(at)->waiting.q;
	if (!sluice_waiter_waits(&req->wait))
		return false;
	sluice_queue_remove(q, &req->wait);
	return true;
}

/* A section that has the request will end it, unless it may be sending a part of its reply. */
static bool can_mark(const struct seen *at, const struct sluice_req *req)
{
	return at->place != SLUICE_ID_SLOT || req->kind != SLUICE_REQ_KIND_TCP;
}

static void end(struct sluice_req *req, const struct seen *at)
{
	if (at->place != SLUICE_ID_SLOT)
		sluice_backlog_uncharge(req->class->group, req);
	sluice_req_drop(req, at->place == SLUICE_ID_SLOT ? ring_at(at) : NULL,
			SLUICE_OUTCOME_CANCELLED_PEER);
}

/* One attempt. Return: 1 cancelled, 0 there is none, -EAGAIN it has moved. */
static int try_cancel(struct sluice_id_bucket *b, const struct sluice_id_key *key, u32 hash)
{
	struct sluice_req *req = NULL;
	struct seen at = {};
	spinlock_t *lock; /* of that place */
	struct sluice_id *t;
	bool taken = false;
	int ret = -EAGAIN;

	spin_lock(&b->lock);
	t = find(b, key, hash);
	if (!t || t->cancelled) {
		spin_unlock(&b->lock);
		return 0;
	}
	at.where = t->where;
	at.slot = t->slot;
	at.place = t->place;
	if (at.place == SLUICE_ID_NOWHERE)
		WRITE_ONCE(t->cancelled, true);
	spin_unlock(&b->lock);
	if (at.place == SLUICE_ID_NOWHERE)
		return 1;

	lock = lock_of(&at);
	spin_lock(lock);
	spin_lock(&b->lock);
	t = find(b, key, hash);
	if (!t || t->cancelled) {
		ret = 0;
	} else if (same(t, &at)) {
		req = t->req;
		taken = take(&at, req);
		if (taken || can_mark(&at, req)) {
			WRITE_ONCE(t->cancelled, true);
			ret = 1;
		}
	}
	spin_unlock(&b->lock);
	spin_unlock(lock);
	if (taken)
		end(req, &at);
	return ret;
}

/**
 * sluice_ids_cancel() - end the outstanding request that a message is about
 * @to: the message's rule, with an id field
 * @msg: the message
 * @by: the message as a request: it is its sender's own requests that it may cancel
 *
 * Nothing is sent for it. One that a consumer has is marked in its slot, and its answer is not
 * sent.
 *
 * Context: section, without the locks of groups and rings. Return: true if there was one.
 */
bool sluice_ids_cancel(const struct sluice_verdict_to *to, const struct sluice_msg *msg,
		       const struct sluice_req *by)
{
	struct sluice_ids *ids = ids_of(by);
	struct sluice_id_key key;
	int ret, tries = TRIES;
	u32 hash;

	if (!read_key(&to->id, msg, by, &key))
		return false;
	hash = hash_key(ids, &key);
	do {
		ret = try_cancel(bucket(ids, hash), &key, hash);
	} while (ret == -EAGAIN && --tries);
	return ret > 0;
}
