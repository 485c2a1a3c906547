/* SPDX-License-Identifier: GPL-2.0-only */
/* What shards and sessions share with each other; internal to them. */
#ifndef SLUICE_HANDLERS_KV_SHARD_H
#define SLUICE_HANDLERS_KV_SHARD_H

#include "kv_cluster.h"

struct kv_shard_peer {
	struct spsc *out;		/* from this shard to the peer */
	struct kv_part *first;		/* parts that found @out full */
	struct kv_part **last;
	bool told;			/* something was pushed since the peer was last looked at */
};

/**
 * struct kv_shard - a shard, used by its own thread, but for @sleeping and the queues
 * @sleeping: see spsc.h
 * @fd: eventfd that wakes its thread
 * @peer: by number of shard; its own entry is unused
 */
struct kv_shard {
	_Alignas(SPSC_LINE) _Atomic bool sleeping;
	_Alignas(SPSC_LINE) unsigned int id;
	int fd;
	struct kv_cluster *cluster;
	struct kv_store *store;
	uint64_t foreign;
	unsigned int stuck;		/* parts in all the lists of peers */
	struct kv_shard_peer peer[];
};

struct kv_cluster {
	struct kv_cluster_config config;
	uint32_t started;
	struct kv_shard *shard[];
};

void kv_shard_send(struct kv_shard *sh, unsigned int to, struct kv_part *part);
/* Wake the peers that were sent something and sleep. */
void kv_shard_tell(struct kv_shard *sh);
/* A part of an own session came back. */
void kv_session_part_done(struct kv_part *part);

#endif /* SLUICE_HANDLERS_KV_SHARD_H */
