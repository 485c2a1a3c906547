// SPDX-License-Identifier: GPL-2.0-only
/* Shards: their life, and the messages between them. */
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include <core/classify.h>

#include "kv_shard.h"

#define BATCH	64	/* messages taken from one peer before the next one's turn */

static void shard_destroy(struct kv_shard *sh, unsigned int shards)
{
	unsigned int i;

	if (!sh)
		return;
	for (i = 0; i < shards; i++)
		free(sh->peer[i].out);
	if (sh->fd >= 0)
		close(sh->fd);
	kv_store_destroy(sh->store);
	free(sh);
}

static int shard_create(struct kv_shard **shard, struct kv_cluster *c, unsigned int id, uint32_t seed)
{
	const struct kv_cluster_config *cf = &c->config;
	size_t size = sizeof(**shard) + cf->shards * sizeof((*shard)->peer[0]);
	struct kv_shard *sh = aligned_alloc(SPSC_LINE, (size + SPSC_LINE - 1) / SPSC_LINE * SPSC_LINE);
	unsigned int i;
	int err;

	if (!sh)
		return -ENOMEM;
	memset(sh, 0, size);
	atomic_init(&sh->sleeping, false);
	sh->id = id;
	sh->cluster = c;
	sh->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (sh->fd < 0) {
		err = -errno;
		goto destroy;
	}
	err = kv_store_create(&sh->store, cf->memory / cf->shards, cf->item_max, seed);
	if (err)
		goto destroy;
	kv_store_clock(sh->store, cf->now);
	err = -ENOMEM;
	for (i = 0; i < cf->shards; i++) {
		sh->peer[i].last = &sh->peer[i].first;
		if (i == id)
			continue;
		sh->peer[i].out = spsc_create(KV_QUEUE);
		if (!sh->peer[i].out)
			goto destroy;
	}
	*shard = sh;
	return 0;
destroy:
	shard_destroy(sh, cf->shards);
	return err;
}

int kv_cluster_create(struct kv_cluster **cluster, const struct kv_cluster_config *config)
{
	struct kv_cluster *c = calloc(1, sizeof(*c) + config->shards * sizeof(c->shard[0]));
	uint32_t seed;
	unsigned int i;
	int err;

	if (!c)
		return -ENOMEM;
	c->config = *config;
	c->started = config->now;
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
		free(c);
		return -EIO;
	}
	for (i = 0; i < config->shards; i++) {
		err = shard_create(&c->shard[i], c, i, seed);
		if (err) {
			kv_cluster_destroy(c);
			return err;
		}
	}
	*cluster = c;
	return 0;
}

void kv_cluster_destroy(struct kv_cluster *c)
{
	unsigned int i;

	if (!c)
		return;
	for (i = 0; i < c->config.shards; i++)
		shard_destroy(c->shard[i], c->config.shards);
	free(c);
}

static int move_item(void *arg, struct kv_store *from, struct kv_item *it)
{
	struct kv_cluster *c = arg;
	char key[UINT8_MAX];

	kv_item_key(from, it, key);
	/* An item that does not fit is an item evicted. */
	kv_store_import(c->shard[kv_cluster_owner(c, key, it->nkey)]->store, from, it);
	return 0;
}

void kv_cluster_adopt(struct kv_cluster *c, struct kv_cluster *old)
{
	struct kv_stats *stats;
	unsigned int i, j;

	/* Versions must go on from the highest of all, and the counters live on in the first shard. */
	for (i = 0; i < old->config.shards; i++) {
		for (j = 1; j < c->config.shards; j++) {
			kv_store_inherit(c->shard[j]->store, old->shard[i]->store);
			kv_store_reset(c->shard[j]->store);
		}
		kv_store_inherit(c->shard[0]->store, old->shard[i]->store);
	}
	c->started = old->started;
	for (i = 0; i < old->config.shards; i++) {
		kv_store_walk(old->shard[i]->store, move_item, c);
		kv_store_destroy(old->shard[i]->store);
		old->shard[i]->store = NULL;
	}
	/* A move is no new item. */
	for (i = 0; i < c->config.shards; i++) {
		stats = kv_store_stats(c->shard[i]->store);
		stats->total_items -= stats->total_items < stats->curr_items ? stats->total_items : stats->curr_items;
	}
	kv_cluster_destroy(old);
}

void kv_cluster_limits(struct kv_cluster *c, uint32_t item_max, uint32_t response_max)
{
	unsigned int i;

	c->config.item_max = item_max;
	c->config.response_max = response_max;
	for (i = 0; i < c->config.shards; i++)
		kv_store_set_item_max(c->shard[i]->store, item_max);
}

struct kv_shard *kv_cluster_shard(struct kv_cluster *c, unsigned int i)
{
	return c->shard[i];
}

/*
 * The kernel's hash steering takes the same function, seed 0, over the same bytes, and the rings in ascending order of
 * their number, so that a request for one key normally arrives at its owner. Nothing depends on it.
 */
unsigned int kv_cluster_owner(const struct kv_cluster *c, const char *key, size_t nkey)
{
	if (c->config.shards == 1)
		return 0;
	return sluice_hash_reduce(sluice_hash_bytes((const uint8_t *)key, nkey, 0), c->config.shards);
}

struct kv_store *kv_shard_store(struct kv_shard *sh)
{
	return sh->store;
}

void kv_shard_clock(struct kv_shard *sh, uint32_t now)
{
	/* The store's clock does not go back, whatever the machine's does. */
	if (now > kv_store_now(sh->store))
		kv_store_clock(sh->store, now);
}

int kv_shard_fd(const struct kv_shard *sh)
{
	return sh->cluster->config.shards > 1 ? sh->fd : -1;
}

uint64_t kv_shard_foreign(const struct kv_shard *sh)
{
	return sh->foreign;
}

void kv_shard_send(struct kv_shard *sh, unsigned int to, struct kv_part *part)
{
	struct kv_shard_peer *peer = &sh->peer[to];

	if (!peer->first && spsc_push(peer->out, part)) {
		peer->told = true;
		return;
	}
	part->next = NULL;
	*peer->last = part;
	peer->last = &part->next;
	sh->stuck++;
}

static void send_stuck(struct kv_shard *sh, struct kv_shard_peer *peer)
{
	struct kv_part *part, *next;

	while ((part = peer->first)) {
		next = part->next;	/* once pushed, the part is the peer's */
		if (!spsc_push(peer->out, part))
			return;
		peer->told = true;
		peer->first = next;
		sh->stuck--;
	}
	peer->last = &peer->first;
}

void kv_shard_tell(struct kv_shard *sh)
{
	struct kv_shard *other;
	uint64_t one = 1;
	unsigned int i;
	ssize_t n;

	for (i = 0; i < sh->cluster->config.shards; i++) {
		if (!sh->peer[i].told)
			continue;
		sh->peer[i].told = false;
		other = sh->cluster->shard[i];
		if (spsc_must_wake(&other->sleeping)) {
			n = write(other->fd, &one, sizeof(one));
			(void)n;	/* EAGAIN: it is readable already */
		}
	}
}

unsigned int kv_shard_poll(struct kv_shard *sh)
{
	struct kv_cluster *c = sh->cluster;
	unsigned int i, k, n = 0;
	struct kv_part *part;
	struct spsc *in;

	if (c->config.shards == 1)
		return 0;
	for (i = 0; i < c->config.shards; i++) {
		if (i == sh->id)
			continue;
		in = c->shard[i]->peer[sh->id].out;
		for (k = 0; k < BATCH && (part = spsc_pop(in)); k++) {
			n++;
			if (part->session->home == sh) {
				kv_session_part_done(part);
				continue;
			}
			sh->foreign++;
			kv_execute(sh->store, &part->op, &part->out);
			kv_shard_send(sh, i, part);
		}
		if (sh->peer[i].first)
			send_stuck(sh, &sh->peer[i]);
	}
	kv_shard_tell(sh);
	return n;
}

int kv_shard_sleep(struct kv_shard *sh)
{
	struct kv_cluster *c = sh->cluster;
	unsigned int i;

	if (c->config.shards == 1)
		return 0;
	spsc_sleeping(&sh->sleeping);
	for (i = 0; i < c->config.shards; i++) {
		if (i == sh->id || spsc_empty(c->shard[i]->peer[sh->id].out))
			continue;
		spsc_awake(&sh->sleeping);
		return 1;
	}
	return sh->stuck ? -1 : 0;
}

void kv_shard_wake(struct kv_shard *sh)
{
	uint64_t count;
	ssize_t n;

	if (sh->cluster->config.shards == 1)
		return;
	spsc_awake(&sh->sleeping);
	n = read(sh->fd, &count, sizeof(count));
	(void)n;	/* EAGAIN: something else woke it */
}
