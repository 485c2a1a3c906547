// SPDX-License-Identifier: GPL-2.0-only
/*
 * Owns the test of shards in threads of their own, as workers run them, with sleep and wake: every thread's sessions touch
 * keys of all shards. Built with the thread sanitizer.
 */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/kv_cluster.h"
#include "ktap.h"

#define NOW		1700000000u
#define THREADS		3
#define SESSIONS	8	/* at once in each thread */
#define ROUNDS		300

struct runner {
	struct kv_session session[SESSIONS];
	char in[SESSIONS][512];
	bool free[SESSIONS];
	unsigned int id;
	unsigned int begun;
	unsigned int ended;
	unsigned int wrong;
};

static struct kv_cluster *cluster;
static struct runner runners[THREADS];
static _Atomic unsigned int through;

/* The first thread to set a key wins; the value is the key's own, so every answer can be foretold. */
static void begin(struct runner *r, unsigned int i)
{
	unsigned int a = rand() % 64, b = rand() % 64;

	snprintf(r->in[i], sizeof(r->in[i]),
		 "set k%u 0 0 %zu noreply\r\nv%u\r\nset k%u 0 0 %zu noreply\r\nv%u\r\nget k%u k%u\r\nincr count 1\r\n", a,
		 (size_t)snprintf(NULL, 0, "v%u", a), a, b, (size_t)snprintf(NULL, 0, "v%u", b), b, a, b);
	kv_session_start(&r->session[i], r->in[i], strlen(r->in[i]));
	r->free[i] = false;
	r->begun++;
}

static void finish(struct runner *r, unsigned int i)
{
	struct kv_session *s = &r->session[i];
	unsigned int a, b, va, vb, len_a, len_b, count;
	char text[512];

	snprintf(text, sizeof(text), "%.*s", (int)s->out.len, s->out.data);
	if (sscanf(text, "VALUE k%u 0 %u\r\nv%u\r\nVALUE k%u 0 %u\r\nv%u\r\nEND\r\n%u\r\n", &a, &len_a, &va, &b, &len_b,
		   &vb, &count) != 7 || a != va || b != vb)
		r->wrong++;
	r->ended++;
	r->free[i] = true;
}

static void on_done(struct kv_session *s)
{
	struct runner *r = &runners[0];
	unsigned int i;

	while (s < r->session || s >= r->session + SESSIONS)
		r++;
	i = s - r->session;
	finish(r, i);
}

static void sleep_a_while(struct kv_shard *sh)
{
	struct pollfd fd = { .fd = kv_shard_fd(sh), .events = POLLIN };
	int ret = kv_shard_sleep(sh);

	if (ret > 0)
		return;
	poll(&fd, 1, ret < 0 ? 1 : 100);
	kv_shard_wake(sh);
}

static void *thread(void *arg)
{
	struct runner *r = arg;
	struct kv_shard *sh = kv_cluster_shard(cluster, r->id);
	bool said = false;
	unsigned int i;

	while (atomic_load(&through) < THREADS) {
		for (i = 0; i < SESSIONS && r->begun < ROUNDS; i++) {
			if (!r->free[i])
				continue;
			begin(r, i);
			if (kv_session_run(&r->session[i]))
				finish(r, i);
		}
		if (!kv_shard_poll(sh))
			sleep_a_while(sh);
		if (r->ended == ROUNDS && !said) {
			said = true;
			atomic_fetch_add(&through, 1);
		}
	}
	return NULL;
}

TEST(kv_session__threads_share_shards_without_locks)
{
	struct kv_cluster_config config = {
		.shards = THREADS, .memory = THREADS << 20, .item_max = 8192, .response_max = 1 << 20, .now = NOW,
	};
	pthread_t threads[THREADS];
	struct kv_value zero = { .data = "0", .nbytes = 1 };
	struct kv_item *it;
	char text[32] = "";
	unsigned int t, i, owner;

	EXPECT_EQ(kv_cluster_create(&cluster, &config), 0);
	owner = kv_cluster_owner(cluster, "count", 5);
	kv_store_put(kv_shard_store(kv_cluster_shard(cluster, owner)), KV_MODE_SET, "count", 5, &zero);
	for (t = 0; t < THREADS; t++) {
		runners[t].id = t;
		for (i = 0; i < SESSIONS; i++) {
			EXPECT_EQ(kv_session_init(&runners[t].session[i], kv_cluster_shard(cluster, t), on_done), 0);
			runners[t].free[i] = true;
		}
	}
	for (t = 0; t < THREADS; t++)
		EXPECT_EQ(pthread_create(&threads[t], NULL, thread, &runners[t]), 0);
	for (t = 0; t < THREADS; t++)
		pthread_join(threads[t], NULL);
	for (t = 0; t < THREADS; t++) {
		EXPECT_EQ(runners[t].wrong, 0);
		EXPECT_EQ(runners[t].ended, ROUNDS);
		EXPECT_GE(kv_shard_foreign(kv_cluster_shard(cluster, t)), 1);
		EXPECT(!kv_store_verify(kv_shard_store(kv_cluster_shard(cluster, t))));
	}
	it = kv_store_find(kv_shard_store(kv_cluster_shard(cluster, owner)), "count", 5);
	kv_item_copy(kv_shard_store(kv_cluster_shard(cluster, owner)), it, 0, text, it->nbytes);
	EXPECT_EQ(atoi(text), THREADS * ROUNDS);
	for (t = 0; t < THREADS; t++)
		for (i = 0; i < SESSIONS; i++)
			kv_session_fini(&runners[t].session[i]);
	kv_cluster_destroy(cluster);
}
