/* SPDX-License-Identifier: GPL-2.0-only */
/* Shards, one per worker, the messages between them, and sessions: runs of commands that may need several shards. */
#ifndef SLUICE_HANDLERS_KV_CLUSTER_H
#define SLUICE_HANDLERS_KV_CLUSTER_H

#include "kv_proto.h"
#include "spsc.h"

/*
 * A key belongs to the shard that its hash says, and only that shard's thread touches its store. A session runs on the
 * thread that got the request. What it needs from its own shard it does at once; for the rest it sends parts: each goes
 * to the owner by a bounded queue, is performed there, and comes back by the queue in the other direction. A part that
 * finds a queue full waits in a list at its sender; there are never more parts about than sessions times their window.
 *
 * Requests belong to the session until it is done, so a part may point into them.
 */

#define KV_WINDOW	32	/* keys of one get that are looked up at once */
#define KV_QUEUE	1024	/* entries between two shards */

struct kv_cluster;
struct kv_shard;
struct kv_session;

/**
 * struct kv_part - one shard's share of a command
 * @next: at the sender, while the queue is full
 * @to: shard that performs it
 * @out: what it found
 */
struct kv_part {
	struct kv_part *next;
	struct kv_session *session;
	unsigned int to;
	struct kv_op op;
	struct kv_buf out;
};

/**
 * struct kv_session - commands of one client in order, and the responses to them
 * @home: shard of the thread it runs on
 * @in, @len: the commands; must stay until it is done
 * @pos: bytes of @in that are done
 * @out: responses
 * @incomplete: @in ends within a command, which begins at @pos
 * @closed: the client wants to leave
 * @done: called when it ends, if it did not end in kv_session_run()
 * The rest is private.
 */
struct kv_session {
	struct kv_shard *home;
	const char *in;
	size_t len;
	size_t pos;
	struct kv_buf out;
	bool incomplete;
	bool closed;
	void (*done)(struct kv_session *s);

	bool busy;		/* within a command */
	unsigned int nparts;
	unsigned int waiting;	/* parts that are away */
	size_t start;		/* of the command's response in @out */
	struct kv_cmd cmd;
	struct kv_part *parts;
};

struct kv_cluster_config {
	unsigned int shards;
	uint64_t memory;	/* of all shards */
	uint32_t item_max;
	uint32_t response_max;	/* bytes of all responses of a session */
	uint32_t now;		/* seconds since the epoch */
};

int kv_cluster_create(struct kv_cluster **cluster, const struct kv_cluster_config *config);
void kv_cluster_destroy(struct kv_cluster *c);
/* Move all items of @old, which no thread uses any more, to @c, and destroy @old. */
void kv_cluster_adopt(struct kv_cluster *c, struct kv_cluster *old);
/* Limits that can change while nothing runs. */
void kv_cluster_limits(struct kv_cluster *c, uint32_t item_max, uint32_t response_max);
struct kv_shard *kv_cluster_shard(struct kv_cluster *c, unsigned int i);
unsigned int kv_cluster_owner(const struct kv_cluster *c, const char *key, size_t nkey);

/* The following are for the shard's own thread. */
struct kv_store *kv_shard_store(struct kv_shard *sh);
void kv_shard_clock(struct kv_shard *sh, uint32_t now);
/* Serve other shards and finish own sessions; returns how many messages there were. */
unsigned int kv_shard_poll(struct kv_shard *sh);
/* To sleep: poll kv_shard_fd() for input between these two. 1: do not sleep; -1: only for a short time. */
int kv_shard_sleep(struct kv_shard *sh);
void kv_shard_wake(struct kv_shard *sh);
int kv_shard_fd(const struct kv_shard *sh);
/* Commands of other shards' sessions performed here. */
uint64_t kv_shard_foreign(const struct kv_shard *sh);

int kv_session_init(struct kv_session *s, struct kv_shard *home, void (*done)(struct kv_session *s));
void kv_session_fini(struct kv_session *s);
/* Begin with new input, no responses. */
void kv_session_start(struct kv_session *s, const char *in, size_t len);
/* True: all of the input is done. False: parts are away; @done will be called from kv_shard_poll(). */
bool kv_session_run(struct kv_session *s);

#endif /* SLUICE_HANDLERS_KV_CLUSTER_H */
