// SPDX-License-Identifier: GPL-2.0-only
/* Owns the tests of user/handlers/kv_cluster.c: sessions whose keys lie with several shards, polled by one thread. */
#include <stdlib.h>
#include <string.h>

#include "handlers/kv_cluster.h"
#include "ktap.h"

#define NOW 1700000000u

static struct kv_cluster *cluster;
static unsigned int shards;
static struct kv_session session;
static bool finished;

static void on_done(struct kv_session *s)
{
	finished = true;
}

static struct kv_cluster *create(unsigned int n)
{
	struct kv_cluster_config config = {
		.shards = n, .memory = (uint64_t)n << 20, .item_max = 8192, .response_max = 1 << 20, .now = NOW,
	};
	struct kv_cluster *c;

	EXPECT_EQ(kv_cluster_create(&c, &config), 0);
	return c;
}

static void start(unsigned int n)
{
	shards = n;
	cluster = create(n);
	EXPECT_EQ(kv_session_init(&session, kv_cluster_shard(cluster, 0), on_done), 0);
}

static void stop(void)
{
	kv_session_fini(&session);
	kv_cluster_destroy(cluster);
}

static void run(const char *in)
{
	unsigned int i, turns = 0;

	finished = false;
	kv_session_start(&session, in, strlen(in));
	if (kv_session_run(&session))
		return;
	while (!finished) {
		EXPECT_LE(turns++, 1000);
		for (i = 0; i < shards; i++)
			kv_shard_poll(kv_cluster_shard(cluster, i));
	}
}

static bool said(const char *out)
{
	return session.out.len == strlen(out) && !memcmp(session.out.data, out, session.out.len);
}

TEST(kv_session__keys_of_other_shards_in_the_order_asked_for)
{
	char in[4096] = "get", out[8192] = "", line[64];
	int i;

	start(5);
	for (i = 0; i < 100; i++) {
		snprintf(line, sizeof(line), "set key%d %d 0 2\r\n%02d\r\n", i, i, i);
		run(line);
		EXPECT(said("STORED\r\n"));
		snprintf(line, sizeof(line), " key%d none%d", i, i);
		strcat(in, line);
		snprintf(line, sizeof(line), "VALUE key%d %d 2\r\n%02d\r\n", i, i, i);
		strcat(out, line);
	}
	strcat(in, "\r\n");
	strcat(out, "END\r\n");
	run(in);
	EXPECT(said(out));
	stop();
}

TEST(kv_session__several_commands_over_shards_stay_in_order)
{
	start(3);
	run("set a 0 0 1\r\n1\r\nset b 0 0 1 noreply\r\n2\r\nset c 0 0 1\r\n3\r\nincr b 5\r\nget a b c\r\nincr c 1\r\n"
	    "delete a noreply\r\nget a\r\n");
	EXPECT(said("STORED\r\nSTORED\r\n7\r\nVALUE a 0 1\r\n1\r\nVALUE b 0 1\r\n7\r\nVALUE c 0 1\r\n3\r\nEND\r\n4\r\nEND\r\n"));
	stop();
}

TEST(kv_session__flush_and_stats_reach_every_shard)
{
	char line[64];
	int i;

	start(4);
	for (i = 0; i < 50; i++) {
		snprintf(line, sizeof(line), "set key%d 0 0 1\r\nx\r\n", i);
		run(line);
	}
	run("stats\r\n");
	EXPECT(memmem(session.out.data, session.out.len, "STAT curr_items 50\r\n", 20));
	EXPECT(memmem(session.out.data, session.out.len, "STAT cmd_set 50\r\n", 17));
	run("flush_all\r\n");
	EXPECT(said("OK\r\n"));
	for (i = 0; i < 50; i++) {
		snprintf(line, sizeof(line), "get key%d\r\n", i);
		run(line);
		EXPECT(said("END\r\n"));
	}
	run("stats\r\n");
	EXPECT(memmem(session.out.data, session.out.len, "STAT cmd_flush 1\r\n", 18));
	stop();
}

TEST(kv_cluster_adopt__keeps_items_through_other_numbers_of_shards)
{
	static const unsigned int numbers[] = { 3, 1, 7, 2 };
	char line[64], out[64];
	struct kv_cluster *next;
	unsigned int n;
	int i;

	start(2);
	for (i = 0; i < 200; i++) {
		snprintf(line, sizeof(line), "set key%d %d 0 1\r\nx\r\n", i, i);
		run(line);
	}
	for (n = 0; n < sizeof(numbers) / sizeof(numbers[0]); n++) {
		next = create(numbers[n]);
		kv_session_fini(&session);
		kv_cluster_adopt(next, cluster);
		cluster = next;
		shards = numbers[n];
		EXPECT_EQ(kv_session_init(&session, kv_cluster_shard(cluster, 0), on_done), 0);
		for (i = 0; i < 200; i++) {
			snprintf(line, sizeof(line), "get key%d\r\n", i);
			snprintf(out, sizeof(out), "VALUE key%d %d 1\r\nx\r\nEND\r\n", i, i);
			run(line);
			EXPECT(said(out));
		}
	}
	run("stats\r\n");
	EXPECT(memmem(session.out.data, session.out.len, "STAT cmd_set 200\r\n", 18));
	EXPECT(memmem(session.out.data, session.out.len, "STAT curr_items 200\r\n", 21));
	stop();
}

/* More parts at once than the queue between two shards holds: the rest waits, and comes. */
TEST(kv_shard_send__a_full_queue_loses_nothing)
{
	static struct kv_session many[2000];
	static char in[64];
	unsigned int i, k, left = 2000;
	const char *key = NULL;
	static char name[16];

	start(2);
	for (i = 0; !key; i++) {
		snprintf(name, sizeof(name), "k%u", i);
		if (kv_cluster_owner(cluster, name, strlen(name)) == 1)
			key = name;
	}
	snprintf(in, sizeof(in), "set %s 0 0 1\r\n0\r\n", key);
	run(in);
	snprintf(in, sizeof(in), "incr %s 1\r\n", key);
	for (i = 0; i < 2000; i++) {
		EXPECT_EQ(kv_session_init(&many[i], kv_cluster_shard(cluster, 0), on_done), 0);
		kv_session_start(&many[i], in, strlen(in));
		EXPECT(!kv_session_run(&many[i]));
	}
	for (k = 0; left && k < 1000; k++) {
		kv_shard_poll(kv_cluster_shard(cluster, 1));
		kv_shard_poll(kv_cluster_shard(cluster, 0));
		for (left = 0, i = 0; i < 2000; i++)
			left += many[i].pos < many[i].len;
	}
	EXPECT_EQ(left, 0);
	for (i = 0; i < 2000; i++)
		kv_session_fini(&many[i]);
	snprintf(in, sizeof(in), "incr %s 0\r\n", key);
	run(in);
	EXPECT(said("2000\r\n"));
	stop();
}
