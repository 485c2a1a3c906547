/* SPDX-License-Identifier: GPL-2.0-only */
/* Owns what the tests of the store's protocols share: a session over some shards, and what it says to what it is told. */
#ifndef UNIT_KV_RIG_H
#define UNIT_KV_RIG_H

#include <stdlib.h>
#include <string.h>

#include "handlers/kv_cluster.h"
#include "ktap.h"

#define NOW 1700000000u

static struct kv_cluster *cluster;
static struct kv_session session;
static unsigned int shards;
static bool finished;

static void on_done(struct kv_session *s)
{
	finished = true;
}

/* @memory: bytes, of all @n shards together */
static void start_with(const struct kv_dialect *dialect, unsigned int n, uint64_t memory, uint32_t response_max)
{
	struct kv_cluster_config config = {
		.shards = n, .memory = memory, .item_max = 8192, .response_max = response_max, .now = NOW,
	};

	shards = n;
	EXPECT_EQ(kv_cluster_create(&cluster, &config), 0);
	EXPECT_EQ(kv_session_init(&session, kv_cluster_shard(cluster, 0), dialect, on_done), 0);
}

static void stop(void)
{
	const char *wrong;
	unsigned int i;

	for (i = 0; i < shards; i++) {
		wrong = kv_store_verify(kv_shard_store(kv_cluster_shard(cluster, i)));
		if (wrong)
			ktap_fail(__FILE__, __LINE__, "%s", wrong);
	}
	kv_session_fini(&session);
	kv_cluster_destroy(cluster);
}

/* The input lies in memory of just its size: one byte read too far ends the program. */
static void run(const char *in, size_t len)
{
	char *copy = malloc(len ? len : 1);
	unsigned int i, turns = 0;

	memcpy(copy, in, len);
	finished = false;
	kv_session_start(&session, copy, len);
	finished = kv_session_run(&session);
	/* on one shard nothing is waited for */
	EXPECT(finished || shards > 1);
	while (!finished && shards > 1) {
		EXPECT_LE(turns++, 1000);
		for (i = 0; i < shards; i++)
			kv_shard_poll(kv_cluster_shard(cluster, i));
	}
	free(copy);
}

static void says(const char *in, const char *out)
{
	run(in, strlen(in));
	if (session.out.len != strlen(out) || memcmp(session.out.data, out, session.out.len))
		ktap_fail(__FILE__, __LINE__, "%s: %.*s, not %s", in, (int)session.out.len, session.out.data, out);
}

#endif
